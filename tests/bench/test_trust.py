"""When a number is refused: each rule on planted numbers, on both sides of its bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from minigrad.bench import trust
from minigrad.bench.trust import Limits
from tests.bench.planted import samples

LIMITS = Limits(flops=1e11, bytes=1e10)


@pytest.mark.parametrize(
    ("rule", "arguments", "fault"),
    [
        (trust.noisy, (samples(1.0, 1.09, 1.0, 1.09),), ""),
        (trust.noisy, (samples(1.0, 1.11, 1.0, 1.11),), "ours differs from its own repeat by 11 % (10 % at most)"),
        (trust.noisy, (samples(1.0, 1.0, 1.3, 1.3, 1.0, 1.0, 1.3, 1.3),), "the middle half of ours's rounds is 26 % wide"),
        (trust.noisy, (samples(1.0, 1.0, 1.2, 1.2, 1.0, 1.0, 1.2, 1.2),), ""),
        (trust.noisy, (samples(0.001, 0.001, 0.009, 0.008),), ""),  # short: the least times agree
        (trust.noisy, (samples(0.001, 0.0012, 0.001, 0.0012),), "by 20 %"),
        (trust.noisy, (samples(1.0, 1.0),), "too few rounds: ours has 2 (3 at least)"),
        (trust.noisy, (samples(),), "too few rounds: ours has 0"),
        (trust.busy, (0.14, 2, 2), ""),
        (trust.busy, (0.16, 2, 2), "busy machine: other programs keep 0.2 of 2 cores busy"),
        (trust.busy, (1.0, 1, 2), "other programs keep 1.0 of 2 cores busy"),
        (trust.busy, (0.16, 1, 8), ""),
        (trust.busy, (6.5, 1, 8), "6.5 of 8"),
        (trust.busy, (None, 2, 2), ""),
        (trust.uneven, ([1.0, 1.19, 1.19],), ""),
        (trust.uneven, ([1.0, 1.21, 1.21],), "a fixed loop ran 21 % slower than at its best"),
        (trust.uneven, ([1.0, 1.0, 9.0],), ""),  # one interruption
        (trust.below_its_best, ([0.86, 1.2],), ""),
        (trust.below_its_best, ([1.0, 0.84],), "a matrix product reached 84 % of its recorded best (85 % at least)"),
        (trust.below_its_best, ([],), ""),
        (trust.impossible, (0.1, 1.09e10, None, LIMITS), ""),
        (trust.impossible, (0.1, 1.11e10, None, LIMITS), "faster than this machine can be: 111 GFLOP/s, and its best is 100"),
        (trust.impossible, (0.1, 1.11e10, None, LIMITS), f"forward.arithmetic = 16 / 36. {trust.ANEW}"),
        (trust.impossible, (0.1, 0, 1.29e9, LIMITS), ""),
        (trust.impossible, (0.1, 0, 1.31e9, LIMITS), f"13 GB/s, and its best for so much data is 10. {trust.ANEW}"),
    ],
)
def test_a_rule(rule: Any, arguments: tuple[Any, ...], fault: str) -> None:
    found: Iterator[str] = rule(*arguments)
    faults = list(found)
    assert len(faults) == bool(fault)
    assert not fault or fault in faults[0]
