"""How fast work goes and how long it still takes, told from its recent past."""

from __future__ import annotations

import math
import statistics
from collections import deque

WINDOW = 30.0  # seconds that count as the recent past
FEWEST = 10  # samples that are kept even when they are older
SLOW = 4.0  # times the median step: a pause, where it is rare


class Pace:
    """Seconds a step, from the samples of the last half minute.

    A sample that is several times slower than the median is taken for a pause (a machine that swaps, a process that was
    stopped) as long as such samples are rare; where they are not, they are the pace. Pauses that are announced, such as
    evaluations, are kept apart: they do not slow the pace, and those still to come are added to the time left.

    Example:
        >>> pace = Pace()
        >>> for _ in range(10):
        ...     pace.add(0.5, steps=1, units=64)
        >>> pace.add(60.0, steps=1, units=64)  # the laptop was asleep
        >>> pace.units_per_second(), pace.seconds_left(100)
        (128.0, 50.0)
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int]] = deque()
        self._span = 0.0  # their seconds together
        self._steps = 0  # of all samples and pauses so far
        self._pauses: list[tuple[int, float]] = []  # after how many steps, how many seconds

    def add(self, seconds: float, steps: int, units: int) -> None:
        """Count ``steps`` steps, at least one, that did ``units`` units of work in ``seconds``."""
        self._samples.append((seconds, steps, units))
        self._span += seconds
        self._steps += steps
        while len(self._samples) > FEWEST and self._span - self._samples[0][0] >= WINDOW:
            self._span -= self._samples.popleft()[0]

    def add_pause(self, seconds: float) -> None:
        """Count an announced pause."""
        self._pauses.append((self._steps, seconds))

    def units_per_second(self) -> float | None:
        """Units of work in a second of stepping, or ``None`` where nothing is known yet."""
        seconds, _, units = self._usual()
        return units / seconds if seconds > 0 else None

    def seconds_left(self, steps: int) -> float | None:
        """How long ``steps`` more steps take, with the pauses among them, or ``None`` where nothing is known yet."""
        seconds, done, _ = self._usual()
        return steps * seconds / done + self._pauses_among(steps) if done else None

    def _usual(self) -> tuple[float, int, int]:
        """Seconds, steps and units of the samples without the pauses that nobody announced."""
        samples = list(self._samples)
        if len(samples) > 2:
            limit = SLOW * statistics.median(seconds / steps for seconds, steps, _ in samples)
            usual = [sample for sample in samples if sample[0] <= limit * sample[1]]
            if len(samples) - len(usual) <= max(1, len(samples) // 10):
                samples = usual
        return math.fsum(s[0] for s in samples), sum(s[1] for s in samples), sum(s[2] for s in samples)

    def _pauses_among(self, steps: int) -> float:
        """Seconds of the pauses to come, once two of them have shown how often they come."""
        if len(self._pauses) < 2 or self._pauses[-1][0] == self._pauses[0][0]:
            return 0.0
        apart = (self._pauses[-1][0] - self._pauses[0][0]) / (len(self._pauses) - 1)
        mean = math.fsum(seconds for _, seconds in self._pauses) / len(self._pauses)
        return (steps + self._steps - self._pauses[-1][0]) // apart * mean
