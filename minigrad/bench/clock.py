"""Taking time: contenders in turn, round after round, with what the machine did meanwhile. Nothing is judged here.

One sample is one call, or a run of calls where a call is too short for the clock. In each round every contender has its turn,
the second round in the other order, so that a machine that slows down slows all of them. Before each sample, off the clock, the
contender makes its inputs fresh; after it, off the clock, it looks at the result. The garbage collector is off.

A turn begins with a call that does not count, unless calls are long: it finds the caches as the contender before left them, and
the cores still held by its threads, which wait for more work for some milliseconds (OpenMP's do). Who follows itself, as in
every second round the first contender does, would seem faster than who follows another.
"""

from __future__ import annotations

import gc
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

SHORT = 5e-3  # seconds: below, the least time is what is compared; noise only ever adds
LEAST_SAMPLE = 2e-4  # seconds that a sample should take, so that the clock's own steps do not show
TURN = 2e-2  # seconds that a turn should take: several samples of a short call
MOST_SAMPLES = 20  # of one turn
LONG = 0.1  # seconds: what takes longer is not warmed up, and one call tells enough of its length
SLOW = 1.0  # seconds: what takes longer has fewer turns
CANARY_LOOPS = 20_000


class Load(NamedTuple):
    """Seconds of processor time since some moment: of the whole machine where it tells, and of this process."""

    machine: float | None
    process: float


class Clock(Protocol):
    """What the instrument asks of a clock; tests give one of their own."""

    def now(self) -> int:
        """Nanoseconds from some moment on."""

    def load(self) -> Load:
        """What the processors have done."""

    def interruptions(self) -> int:
        """How often the system has taken a core away from this process."""

    def canary(self) -> float:
        """Seconds that a fixed piece of work takes: it shows when the processor's pace changes."""


class WallClock:
    """The machine's own clock and counters."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._stat = root / "proc/stat"

    def now(self) -> int:
        """See :class:`Clock`."""
        return time.perf_counter_ns()

    def load(self) -> Load:
        """See :class:`Clock`. Time that a hypervisor kept for others counts as the machine's."""
        times = os.times()
        return Load(self._machine(), times.user + times.system)

    def interruptions(self) -> int:
        """See :class:`Clock`."""
        try:
            import resource
        except ImportError:  # Windows has no such counter
            return 0
        return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw

    def canary(self) -> float:
        """See :class:`Clock`. Pure Python: it needs no memory and one core, and no library's threads."""
        start = time.perf_counter_ns()
        for _ in range(CANARY_LOOPS):
            pass
        return (time.perf_counter_ns() - start) * 1e-9

    def _machine(self) -> float | None:
        try:
            words = self._stat.read_text(encoding="ascii").split("\n", 1)[0].split()
        except OSError:
            return None
        if len(words) < 9 or words[0] != "cpu":
            return None
        user, nice, system, _, _, interrupts, soft, steal = map(int, words[1:9])
        return (user + nice + system + interrupts + soft + steal) / os.sysconf("SC_CLK_TCK")


Call = Callable[[], Any]


@dataclass
class Contender:
    """One of those that are timed in turn.

    Attributes:
        name: for the table.
        prepare: ``prepare(count)`` makes inputs fresh and gives that many calls; off the clock.
        check: takes the results of a sample and gives what is wrong with them, or ``""``; off the clock.
        around: gives a context in which this contender's turn happens: its choice of kernels, its number of threads.
    """

    name: str
    prepare: Callable[[int], Sequence[Call]]
    check: Callable[[list[Any]], str]
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


@dataclass
class Samples:
    """The seconds of one contender, by rounds, and what was wrong with its results."""

    name: str
    rounds: list[list[float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    interruptions: int = 0

    @property
    def each(self) -> list[float]:
        """All samples."""
        return [seconds for turn in self.rounds for seconds in turn]

    @property
    def median(self) -> float:
        """The median of all samples, in seconds; NaN where there are none."""
        return statistics.median(self.each) if self.each else math.nan

    @property
    def least(self) -> float:
        """The least time, in seconds; NaN where there are none."""
        return min(self.each, default=math.nan)

    @property
    def figure(self) -> float:
        """What is compared: the median, or below five milliseconds the least time.

        Example:
            >>> Samples("a", [[0.010, 0.012, 0.020]]).figure, Samples("b", [[0.001, 0.002, 0.004]]).figure
            (0.012, 0.001)
        """
        return self.least if self.median < SHORT else self.median

    @property
    def spread(self) -> float:
        """The middle half of the rounds' medians, from its one end to the other, as a share of the median.

        Example:
            >>> round(Samples("a", [[1.0], [1.1], [1.0], [1.2]]).spread, 3)
            0.119
        """
        if len(self.rounds) < 2:
            return math.nan
        turns = [statistics.median(turn) for turn in self.rounds]
        low, _, high = statistics.quantiles(turns, n=4, method="inclusive")
        return (high - low) / statistics.median(turns)

    @property
    def repeat(self) -> float:
        """How far the figures of every second round are apart from those of the others: a run against its own repeat.

        Example:
            >>> round(Samples("a", [[1.0], [1.1], [1.0], [1.1]]).repeat, 3)
            0.1
        """
        halves = [Samples("", self.rounds[start::2]) for start in (0, 1)]
        low, high = sorted(half.least if self.median < SHORT else half.median for half in halves)
        return high / low - 1 if low > 0 else math.nan


@dataclass
class Measured:
    """What came of a measurement: each contender's samples, and what the machine did meanwhile.

    Attributes:
        samples: contender -> its samples.
        seconds: how long it all took.
        others: cores that other processes kept busy, on average; ``None`` where the machine does not tell or it was too short.
        canaries: seconds of the canary, one before each round and one at the end.
    """

    samples: dict[str, Samples]
    seconds: float
    others: float | None
    canaries: list[float]


def interleave(
    contenders: Sequence[Contender], clock: Clock, *, rounds: int = 7, seconds: float = 3.0, inner: bool = True,
    before: Call | None = None, slow: float = SLOW, most: int = MOST_SAMPLES, progress: Callable[[], None] | None = None,
) -> Measured:  # fmt: skip
    """Time contenders in turn.

    Args:
        contenders: those to be timed; each has been called before, so that nothing is compiled here.
        clock: what gives the time.
        rounds: how many rounds there are at least.
        seconds: as long as rounds take less in all, there are more of them.
        inner: whether a sample may be a run of calls.
        before: a call just before each sample, off the clock, such as one that empties the caches.
        slow: seconds; what takes longer has three turns only.
        most: samples that a turn has at most.
        progress: called after each turn.
    """
    samples = {contender.name: Samples(contender.name) for contender in contenders}
    lengths = {contender.name: _length(contender, clock, inner, most) for contender in contenders}
    longest = dict.fromkeys(samples, 0.0)
    began, load = clock.now(), clock.load()
    canaries = [clock.canary()]
    count = 0
    while count < rounds or (count < 10 * rounds and (clock.now() - began) * 1e-9 < seconds):
        for contender in contenders if count % 2 == 0 else reversed(contenders):
            if (longest[contender.name] > slow and count >= 3) or samples[contender.name].wrong:
                continue  # a wrong result's time is of no use to anyone
            turn = _turn(contender, clock, *lengths[contender.name], before, samples[contender.name])
            longest[contender.name] = max(turn)
            samples[contender.name].rounds.append(turn)
            if progress is not None:
                progress()
        canaries.append(clock.canary())
        count += 1
        if all(each.wrong for each in samples.values()):
            break
    wall = (clock.now() - began) * 1e-9
    return Measured(samples, wall, _others(load, clock.load(), wall), canaries)


def _length(contender: Contender, clock: Clock, inner: bool, most: int) -> tuple[int, int, int]:
    """How many calls a sample of this contender has, how many samples a turn, and how many before that do not count."""
    with contender.around():
        times = []
        for call in contender.prepare(3):
            start = clock.now()
            call()
            times.append((clock.now() - start) * 1e-9)
            if times[-1] > LONG:
                break
    least = max(min(times), 1e-7)
    calls = max(1, min(1000, math.ceil(LEAST_SAMPLE / least))) if inner else 1
    return calls, max(1, min(most, round(TURN / (least * calls)))), int(least <= LONG)


def _turn(
    contender: Contender, clock: Clock, calls: int, count: int, warm: int, before: Call | None, samples: Samples
) -> list[float]:
    """The samples of one turn, without the ``warm`` first ones."""
    turn = []
    with contender.around():
        for _ in range(warm + count):
            prepared = contender.prepare(calls)
            if before is not None:
                before()
            interruptions = clock.interruptions()
            was_on = gc.isenabled()
            gc.disable()
            try:
                start = clock.now()
                results = [call() for call in prepared]
                end = clock.now()
            finally:
                if was_on:
                    gc.enable()
            samples.interruptions += clock.interruptions() - interruptions
            turn.append((end - start) * 1e-9 / calls)
            fault = contender.check(results)
            if fault:
                samples.wrong.append(fault)
                break
    return turn[warm:] or turn


def _others(first: Load, last: Load, seconds: float) -> float | None:
    """How many cores other processes kept busy; the system counts in steps of 10 ms, so short times tell nothing."""
    if first.machine is None or last.machine is None or seconds < 0.5:
        return None
    return max(0.0, (last.machine - first.machine) - (last.process - first.process)) / seconds
