"""exp, log, tanh and sigmoid for kernels: sums and products without branches, so that a loop over them becomes vector code.

| function | off by less than | at its ends |
|---|---|---|
| ``exp(x)`` | 1.25 ulp | 0 at -inf; inf on overflow; results below the least normal number are rounded once, as all others |
| ``log(x)`` | 1.25 ulp | -inf at ±0, inf at inf, nan below 0; subnormal x as all others |
| ``sigmoid(x)`` | 2.75 ulp | 0 and 1 at ∓inf; no digit is lost where it is small |
| ``tanh(x)`` | 2.75 ulp | ±1 at ±inf; x itself near 0, and -0 at -0 |

in float32 and float64 alike; nan gives nan. ``tests/test_native_maths.py`` holds the bounds.

The argument is brought into a short interval first (Cody and Waite, "Software Manual for the Elementary Functions", 1980;
Muller, "Elementary Functions", 2016, chapter 11): x = n·ln 2 + r with n whole and |r| ≤ ½ ln 2, so that exp(x) = 2ⁿ·exp(r); and
x = 2ⁿ·m with √½ ≤ m < √2, so that log(x) = n·ln 2 + log(m). n·ln 2 is taken away in two pieces, the first of which is short
enough for n times it to be exact. What is left to polynomials:

    (exp(r) - 1 - r) / r²                                           |r| ≤ ½ ln 2
    (log((1 + s) / (1 - s)) - 2s) / s³, as a function of s²         |s| ≤ (√2 - 1) / (√2 + 1)

They go through the functions' values at the Chebyshev nodes of the interval, found with 70 digits (``tests/fit_polynomials.py``
makes them again). The last step of each function adds the polynomial to a larger number that is exact, so that rounding within
the polynomial hardly counts.

Kernels may let the compiler reorder sums (``reassociate=True``): sums whose order matters here are ``fma``, which it leaves
alone. Powers of 2 and whole numbers come from the bits of real numbers, as AVX2 converts no int64.
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels.native.language import bits, choose, fma, from_bits, helper, is_single, nearest, real, whole

# Each polynomial from its constant on.
EXP_SINGLE = (0.5, 0.16666576989698775, 0.041666554617204574, 0.008363179052722578, 0.0013926183587713494)
EXP_DOUBLE = (
    *(0.5000000000000001, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062, 0.0013888888917213717),
    *(0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06, 2.7620088445409746e-07, 2.510038549551032e-08),
)  # fmt: skip
LOG_SINGLE = (0.6666668509542907, 0.39988757716604845, 0.29580985929974424)
LOG_DOUBLE = (
    *(0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496),
    *(0.1818289243253687, 0.15331611722055008, 0.14617807153417325),
)  # fmt: skip
PER_LN2 = 1.4426950408889634
# ln 2 in two: n times the first is exact for each n that is an exponent of the dtype.
LN2_SINGLE = (0.693145751953125, 1.4286068203094173e-06)
LN2_DOUBLE = (0.6931471805598903, 5.497923018708371e-14)


@helper
def _horner4(x, start, c3, c2, c1, c0):
    """start·x⁴ + c3·x³ + c2·x² + c1·x + c0."""
    return fma(fma(fma(fma(start, x, real(c3)), x, real(c2)), x, real(c1)), x, real(c0))


@helper
def _power(n):
    """2ⁿ of a whole number n among the dtype's exponents."""
    # Added to 1.5·2²³ (float64: 1.5·2⁵²), a whole number stands in the lowest bits; from there it moves to the exponent.
    if is_single:
        moved = whole(bits(n + real(12582912.0 + 127.0)) << 23)
    else:
        moved = whole(bits(n + real(6755399441055744.0 + 1023.0)) << 52)
    return from_bits(moved)


@helper
def _reduced(x):
    """n, and exp(r) - 1, with x = n·ln 2 + r and |r| ≤ ½ ln 2."""
    n = nearest(x * real(PER_LN2))
    if is_single:
        r = fma(n, real(-LN2_SINGLE[1]), fma(n, real(-LN2_SINGLE[0]), x))
        c = EXP_SINGLE
        q = _horner4(r, real(c[4]), c[3], c[2], c[1], c[0])
    else:
        r = fma(n, real(-LN2_DOUBLE[1]), fma(n, real(-LN2_DOUBLE[0]), x))
        c = EXP_DOUBLE
        q = fma(_horner4(r, real(c[9]), c[8], c[7], c[6], c[5]), r, real(c[4]))
        q = _horner4(r, q, c[3], c[2], c[1], c[0])
    return n, fma(r * r, q, r)


@helper
def exp(x):
    """e to the power x."""
    # Beyond these ends the result is inf or 0. A comparison with nan is false, so that nan passes.
    lowest, highest = (-104.0, 89.0) if is_single else (-746.0, 710.0)
    x = choose(x < real(lowest), real(lowest), x)
    x = choose(x > real(highest), real(highest), x)
    n, grown = _reduced(x)
    # 2ⁿ in two factors, as n reaches beyond the exponents. The first product only rounds the sum; the second may underflow.
    half = nearest(n * real(0.5))
    power = _power(half)
    return fma(grown, power, power) * _power(n - half)


@helper
def log(x):
    """The natural logarithm of x."""
    least, mantissa, bias = (1.1754943508222875e-38, 23, 127) if is_single else (2.2250738585072014e-308, 52, 1023)
    scale = mantissa + 2
    small = x < real(least)
    scaled = choose(small, x * real(1 << scale), x)
    # n is the biased exponent of x where √½ is the least mantissa; made a real number in the lowest bits of 2²³ or 2⁵².
    one, power = bits(real(1.0)), real(1 << mantissa)
    n = ((bits(scaled) + (one - bits(real(0.7071067811865476)))) >> mantissa) & (2 * bias + 1)
    m = from_bits(whole(bits(scaled) - (n << mantissa) + one))
    excess = real((1 << mantissa) + bias)
    turns = from_bits(whole(n | bits(power))) - choose(small, excess + real(scale), excess)
    # With s = f / (2 + f): log(1 + f) = 2s + s³·P(s²), and 2s = f - s·f = f - (f²/2 - s·f²/2), where f is exact.
    f = m - real(1.0)
    half = real(0.5) * f
    s = f / (f + real(2.0))
    w = s * s
    if is_single:
        c = LOG_SINGLE
        p = fma(fma(real(c[2]), w, real(c[1])), w, real(c[0]))
        high, low = real(LN2_SINGLE[0]), real(LN2_SINGLE[1])
    else:
        c = LOG_DOUBLE
        p = fma(fma(real(c[6]), w, real(c[5])), w, real(c[4]))
        p = _horner4(w, p, c[3], c[2], c[1], c[0])
        high, low = real(LN2_DOUBLE[0]), real(LN2_DOUBLE[1])
    rest = fma(s, fma(w, p, half * f), turns * low)
    value = fma(turns, high, f + fma(-half, f, rest))
    value = choose(x == real(0.0), real(-np.inf), value)
    value = choose(x < real(np.inf), value, x)  # inf and nan are their own logarithms
    return choose(x < real(0.0), real(np.nan), value)


@helper
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    e = exp(-abs(x))
    return choose(x < real(0.0), e, real(1.0)) / (e + real(1.0))


@helper
def tanh(x):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)), from exp(-2|x|) - 1, so that small x keep their digits."""
    y = real(-2.0) * abs(x)
    y = choose(y < real(-50.0), real(-50.0), y)  # the result is 1 long before
    n, grown = _reduced(y)
    power = _power(n)
    fallen = fma(grown, power, power - real(1.0))
    value = -fallen / (fallen + real(2.0))
    return choose(x < real(0.0), -value, choose(x > real(0.0), value, x))
