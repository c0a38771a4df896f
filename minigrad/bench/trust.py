"""When a number is refused, and in which words. Everything here is a function of numbers that were taken: no clock, no machine.

A busy machine flatters or wrongs one of two contenders at random, so its numbers are worth nothing, however many digits they
have. Each rule gives what is wrong, or nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from minigrad.bench.clock import SHORT, Samples

REPEAT = 0.10  # how far a contender's rounds may be from its other rounds
SPREAD = 0.25  # how wide the middle half of the rounds may be
OTHERS = 0.15  # cores that other processes may keep busy where they are in the way
PACE = 0.20  # how much slower than at its best the canary may be, in the middle
PRODUCT = 0.85  # share of the recorded matrix product that the machine must reach beside the measurement
ABOVE = 1.10  # how far above the measured peak of arithmetic a figure may be: the peak is measured too
ABOVE_MEMORY = 1.30  # the same for bytes: how fast memory is depends on how it is walked through
FEWEST = 3  # rounds
SAVED = "If it saves arithmetic, let it say so: forward.arithmetic = 16 / 36"
ANEW = "If the machine was busy when its peaks were measured: --anew"
WRONG = "wrong result"  # how a fault begins that no other attempt mends


@dataclass(frozen=True)
class Limits:
    """What the machine can do, at the number of threads and in the dtype that is timed.

    Attributes:
        flops: operations a second of its best matrix product.
        bytes: bytes a second, for data of the size of this op's.
    """

    flops: float
    bytes: float


def noisy(samples: Samples) -> Iterator[str]:
    """The same thing timed again gives another number.

    Example:
        >>> list(noisy(Samples("ours", [[1.0], [1.3], [1.0], [1.3]])))
        ['too noisy: ours differs from its own repeat by 30 % (10 % at most)']
    """
    if len(samples.rounds) < FEWEST:
        yield f"too few rounds: {samples.name} has {len(samples.rounds)} ({FEWEST} at least)"
        return
    if not samples.repeat <= REPEAT:
        words = f"{samples.name} differs from its own repeat by {_percent(samples.repeat)}"
        yield f"too noisy: {words} ({_percent(REPEAT)} at most)"
    elif samples.median >= SHORT and not samples.spread <= SPREAD:
        words = f"the middle half of {samples.name}'s rounds is {_percent(samples.spread)} wide"
        yield f"too noisy: {words} ({_percent(SPREAD)} at most)"


def busy(others: float | None, threads: int, cores: int) -> Iterator[str]:
    """Other processes compute, and not enough cores are left to be out of each other's way.

    Example:
        >>> list(busy(0.8, threads=2, cores=2))
        ['busy machine: other programs keep 0.8 of 2 cores busy']
        >>> list(busy(0.8, threads=2, cores=16))
        []
    """
    if others is not None and others > OTHERS and cores - others < threads + 1:
        yield f"busy machine: other programs keep {others:.1f} of {cores} cores busy"


def uneven(canaries: Sequence[float]) -> Iterator[str]:
    """The processor's pace changed: a fixed loop took longer in most rounds than at its best.

    Example:
        >>> list(uneven([1.0, 1.4, 1.4]))
        ['uneven machine: a fixed loop ran 40 % slower than at its best (20 % at most)']
    """
    slower = statistics.median(canaries) / min(canaries) - 1
    if slower > PACE:
        yield f"uneven machine: a fixed loop ran {_percent(slower)} slower than at its best ({_percent(PACE)} at most)"


def below_its_best(shares: Iterable[float]) -> Iterator[str]:
    """A matrix product beside the measurement fell short of what it has reached on this machine.

    Example:
        >>> list(below_its_best([0.98, 0.7]))
        ['slow machine: a matrix product reached 70 % of its recorded best (85 % at least)']
    """
    share = min(shares, default=1.0)
    if share < PRODUCT:
        yield f"slow machine: a matrix product reached {_percent(share)} of its recorded best ({_percent(PRODUCT)} at least)"


def impossible(seconds: float, flops: float, moved: float | None, limits: Limits) -> Iterator[str]:
    """Faster than the machine can be: the work was not done, or is counted wrongly.

    Example:
        >>> print(*impossible(1e-3, 1e9, None, Limits(flops=2e11, bytes=1e10)))  # doctest: +ELLIPSIS
        faster than this machine can be: 1,000 GFLOP/s, and its best is 200. If it saves arithmetic, ...
    """
    if flops / seconds > ABOVE * limits.flops:
        words = f"{flops / seconds / 1e9:,.0f} GFLOP/s, and its best is {limits.flops / 1e9:,.0f}"
        yield f"faster than this machine can be: {words}. {SAVED}. {ANEW}"
    if moved and moved / seconds > ABOVE_MEMORY * limits.bytes:
        words = f"{moved / seconds / 1e9:,.0f} GB/s, and its best for so much data is {limits.bytes / 1e9:,.0f}"
        yield f"faster than this machine can be: {words}. {ANEW}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
