"""What came of one contender at one op or step: a row of the table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from minigrad.bench.clock import Samples
from minigrad.bench.trust import Limits

FIGURES = ("seconds", "median", "least", "cold", "share", "gflops", "gbytes")


@dataclass
class Row:
    """One contender at one op or step.

    Attributes:
        what: ``"conv2d.forward"`` or a step's name.
        shape: its sizes.
        who: an implementation's or a peer's name.
        ours: whether it is minigrad's or the user's, and not a peer's.
        dtype: of the floating arguments.
        threads: how many were used at most.
        way: how a peer ran, as the fastest of those tried: ``"torch channels-last, 2 threads"``; ``""`` for ours.
        seconds: the figure: the median, or below five milliseconds the least time; NaN where nothing was timed.
        median, least, spread, repeat, samples, interruptions: see :class:`~minigrad.bench.clock.Samples`.
        cold: seconds with nothing in the caches, or ``None``.
        first: seconds that the first call took beyond a later one: importing and compiling; a step's first memory too.
        flops: arithmetic operations of one call, or 0.
        bytes: bytes that must be moved, or 0.
        share: how much of the time the machine needs at the least for them, at its measured peaks; ``None`` where nothing was
            counted, or where the kernel saves arithmetic, so that the count says nothing.
        against: a peer's name -> its seconds over these.
        others: other ways of the peer that were tried and were slower, in seconds: numbers of threads, layouts.
        refused: why the number is not to be trusted; empty if it is.
    """

    what: str
    shape: str
    who: str
    ours: bool
    dtype: str
    threads: int
    way: str = ""
    seconds: float = math.nan
    median: float = math.nan
    least: float = math.nan
    spread: float = math.nan
    repeat: float = math.nan
    samples: int = 0
    interruptions: int = 0
    cold: float | None = None
    first: float | None = None
    flops: float = 0.0
    bytes: float = 0.0
    share: float | None = None
    against: dict[str, float] = field(default_factory=dict)
    others: dict[str, float] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def fill(self, samples: Samples) -> None:
        """Take the samples' figures over."""
        self.seconds, self.median, self.least = samples.figure, samples.median, samples.least
        self.spread, self.repeat = samples.spread, samples.repeat
        self.samples, self.interruptions = len(samples.each), samples.interruptions

    def weigh(self, limits: Limits) -> None:
        """Set the share of the machine's peak."""
        needed = max(self.flops / limits.flops, self.bytes / limits.bytes)
        self.share = needed / self.seconds if needed else None

    @property
    def gflops(self) -> float | None:
        """Thousand million operations a second."""
        return self.flops / self.seconds / 1e9 if self.flops else None

    @property
    def gbytes(self) -> float | None:
        """Thousand million bytes a second."""
        return self.bytes / self.seconds / 1e9 if self.bytes else None

    def as_json(self) -> dict[str, Any]:
        """All of it for a program; what is no number is ``None``, and so is a figure that is refused.

        Example:
            >>> row = Row("conv2d.forward", "3x3", "im2col", True, "float32", 2, seconds=0.01, flops=2e9)
            >>> row.as_json()["gflops"], row.as_json()["cold"]
            (200.0, None)
        """
        values = {**vars(self), "gflops": self.gflops, "gbytes": self.gbytes}
        if self.refused:
            values |= {**dict.fromkeys(FIGURES), "against": {}, "untrusted_seconds": self.seconds}
        return {name: None if isinstance(each, float) and not math.isfinite(each) else each for name, each in values.items()}
