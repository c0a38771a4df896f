"""What compiled loops ask of a row of numbers: its greatest, its sum, and that of its powers.

The greatest is found among whole numbers that are in the same order as the real numbers with the same bits: of these the
compiler takes several at a time.
"""

from __future__ import annotations

from minigrad.kernels.native import bits, choose, from_bits, helper, is_single, real, whole
from minigrad.kernels.native.maths import exp_below


@helper
def ordered(n):
    """Bits of a real number as a whole number in their order, and back. NaN is beyond infinity, on either side."""
    if is_single:
        return whole(n ^ whole(whole(n >> 31) & 0x7FFFFFFF))
    return whole(n ^ ((n >> 63) & 0x7FFFFFFFFFFFFFFF))


@helper
def greatest_of(x, size):
    """The greatest of a row; a NaN with the sign bit is passed over."""
    top = whole(-0x80000000) if is_single else whole(-0x8000000000000000)
    for i in range(size):
        place = ordered(bits(x[i]))
        top = choose(place > top, place, top)
    return from_bits(ordered(top))


@helper
def sum_of(x, size):
    total = real(0.0)
    for i in range(size):
        total += x[i]
    return total


@helper
def power_sum(x, top, size):
    """Σ e^(x − top)."""
    total = real(0.0)
    for i in range(size):
        total += exp_below(x[i] - top)
    return total
