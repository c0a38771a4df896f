"""A run of the instrument: contenders are checked, timed in turn, and judged; rows come of it.

What must not be trusted is tried again a few times, as most disturbances pass. What is wrong is not.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from minigrad.bench import savings, trust
from minigrad.bench.clock import SHORT, SLOW, Clock, Contender, Samples, interleave
from minigrad.bench.machine import Peaks
from minigrad.bench.op import Op
from minigrad.bench.peers import Peer
from minigrad.bench.place import HOST, Gpu, Host
from minigrad.bench.row import Row
from minigrad.bench.steps import Steps, different, small_losses
from minigrad.bench.turns import Inputs, Turns, first_calls, of_implementation
from minigrad.bench.workload import Workload
from minigrad.core.machine import cores
from minigrad.kernels import checking, contract_of, functions_of, use

PAIRS = 7
COLD_ROUNDS = 5


@dataclass(frozen=True)
class Settings:
    """How to time.

    Attributes:
        threads: for kernels and BLAS; the peer has its choice between one and these.
        dtype: ``"float32"`` or ``"float64"``.
        seconds: that the rounds of one op take at least.
        rounds: of one op at least; each has every contender once, so these are pairs.
        attempts: how often something that cannot be trusted is tried.
        cold: whether to time with empty caches too.
    """

    threads: int
    dtype: str = "float32"
    seconds: float = 2.0
    rounds: int = PAIRS
    attempts: int = 3
    cold: bool = True


@dataclass
class Session:
    """What all measurements of a run have in common.

    Attributes:
        settings: how to time.
        clock: what gives the time.
        peaks: what the machine can do.
        peers: libraries beside us.
        place: where contenders compute.
        progress: called after each contender's turn.
        doing: is told what runs next, off the clock.
        failed: libraries whose step raised an exception, with which step and what.
    """

    settings: Settings
    clock: Clock
    peaks: Peaks
    peers: Sequence[Peer] = ()
    place: Host | Gpu = HOST
    progress: Callable[[], None] | None = None
    doing: Callable[[str], None] = lambda words: None
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    failed: dict[str, str] = field(default_factory=dict)

    def op(self, op: Op, names: Sequence[str]) -> list[Row]:
        """Time implementations of an op by their names, and the peers; a row for each, ours first."""
        contract = contract_of(op.family)
        dtype = np.dtype(self.settings.dtype)
        inputs = Inputs(op, dtype, self.rng)
        written = bool(getattr(contract, "WRITES", {}).get(op.function))
        footprint = float(inputs.nbytes) if written else None  # all is there before the call
        rows, entrants = [], []
        for name in names:
            row = self._row(op.name, op.shape, name, True, op.flops, op.bytes * dtype.itemsize / 4)
            rows.append(row)
            self.doing(f"first calls: {op.name} of {name}: {op.shape}")
            fault, first = first_calls(op, name, contract, dtype, self.rng, self.place)
            if fault:
                row.refused.append(fault)
                continue
            row.first = first
            functions = functions_of(op.family, name, self.place.device.type)
            arithmetic = savings.of_call(functions, op.function, op.draw(self.rng, dtype))
            entrants.append(_Entrant(row, of_implementation(op, name, contract, inputs, self.place), arithmetic, footprint))
        for peer in self.peers:
            if peer.name in op.peers:
                row = self._row(op.name, op.shape, peer.name, False, op.flops, op.bytes * dtype.itemsize / 4)
                rows.append(row)
                contender, row.others, row.threads = self._best_of(self._ways(op, contract, inputs, peer))
                row.way = contender.name
                entrants.append(_Entrant(row, replace(contender, name=peer.name), footprint=footprint))
        self._measure(entrants, slow=SLOW)
        if self.settings.cold and not any(row.refused for row in rows):
            self._cold(entrants)
        return rows

    def workload(self, workload: Workload, sizes: Mapping[str, int], choices: Sequence[Mapping[str, str]] = ({},)) -> list[Row]:
        """Time a training step, and that of the peers; a row for each, ours first.

        Args:
            workload: the step.
            sizes: those that differ from the workload's own.
            choices: kernel family -> implementation, for each of our rows.
        """
        minigrad = importlib.import_module("minigrad")
        chosen = {**workload.sizes, **sizes}
        shape = ", ".join(f"{name} {size}" for name, size in chosen.items())
        flops, moved = workload.flops(**chosen), workload.bytes(**chosen) if workload.bytes else 0.0
        peers = [(peer, makers) for peer in self.peers if (makers := self._that_run(workload, peer, chosen))]
        beside = [made for _, makers in peers for made in makers.items()]
        rows, ours, entrants = [], [], []
        for choice in choices:
            who = ", ".join(f"{family}={name}" for family, name in choice.items()) or "minigrad"
            row = self._row(workload.name, shape, who, True, flops, moved)
            rows.append(row)
            around = partial(_kernels, choice)
            steps = Steps(who, workload.make, (minigrad,), chosen, around)
            self.doing(f"first steps: {workload.name} of {who}: {shape}")
            first = self._first(steps)  # before any other, which would leave its kernels compiled
            fault = small_losses(workload, chosen, around, beside)
            if fault:
                row.refused.append(fault)
                continue
            ours.append((row, steps, first))
            with around():
                arithmetic = savings.of_step(steps.prepare(1)[0], choice, self.place.device.type)
            entrants.append(_Entrant(row, steps.contender(), arithmetic))
        if not entrants:
            return rows
        theirs = []
        for peer, makers in peers:
            row = self._row(workload.name, shape, peer.name, False, flops, moved)
            rows.append(row)
            contender, row.others, row.threads = self._best_of(self._ways_of_steps(workload, peer, makers, chosen))
            row.way, make = contender.name, makers[contender.name.rsplit(", ", 1)[0]]
            steps = Steps(peer.name, make, (), chosen, _threads_of(peer, row.threads))
            theirs.append(steps)
            entrants.append(_Entrant(row, steps.contender()))

        def losses() -> None:
            for row, steps, _ in ours:
                row.refused += [fault for other in theirs if (fault := different(steps, other, workload.tolerance))]

        self._measure(entrants, slow=math.inf, inner=False, afterwards=losses)
        for row, _, first in ours:
            row.first = max(0.0, first - row.median)
        if self.settings.cold and not any(row.refused for row in rows):
            self._cold(entrants)
        return rows

    # ------------------------------------------------------------------ inside

    def _first(self, steps: Steps) -> float:
        """Seconds of a first step; of the whole process if nothing has run before."""
        [call] = steps.prepare(1)
        with steps.contender().around():
            start = self.clock.now()
            call()
            return (self.clock.now() - start) * 1e-9

    def _that_run(self, workload: Workload, peer: Peer, sizes: Mapping[str, int]) -> dict[str, Callable[..., Any]]:
        """How the workload is made for a peer, where it can be: what fails there is written down, and not timed."""
        found = {}
        for name, make in _makers(workload, peer).items():
            try:
                make(**{**sizes, **workload.small})()
            except Exception as error:  # a library of another kind may fail in any way
                self.failed.setdefault(name, f"{workload.name}: {type(error).__name__}: {' '.join(str(error).split())}")
            else:
                found[name] = make
        return found

    def _row(self, what: str, shape: str, who: str, ours: bool, flops: float, moved: float) -> Row:
        return Row(what, shape, who, ours, self.settings.dtype, self.settings.threads, flops=flops, bytes=moved)

    def _ways(self, op: Op, contract: Any, inputs: Inputs, peer: Peer) -> dict[str, tuple[Contender, int]]:
        """The peer with one thread and with as many as we have."""
        ways = {}
        for count in sorted({1, self.settings.threads}):
            turns = Turns(
                op, contract, inputs,
                lambda call: op.peers[peer.name](peer.module, call), lambda returned, call: peer.arrays(returned), False,
            )  # fmt: skip
            contender = Contender(peer.name, turns.prepare, turns.check, _threads_of(peer, count))
            ways[f"{peer.name}, {_threads(count)}"] = (contender, count)
        return ways

    def _ways_of_steps(
        self, workload: Workload, peer: Peer, makers: Mapping[str, Callable[..., Any]], sizes: Mapping[str, int]
    ) -> dict[str, tuple[Contender, int]]:
        """The peer's step in each of its layouts, with each number of threads up to ours."""
        counts = sorted({count for count in workload.peer_threads if count < self.settings.threads} | {self.settings.threads})
        return {
            f"{name}, {_threads(count)}": (Steps(name, make, (), sizes, _threads_of(peer, count)).contender(), count)
            for name, make in makers.items()
            for count in counts
        }

    def _best_of(self, ways: dict[str, tuple[Contender, int]]) -> tuple[Contender, dict[str, float], int]:
        """The fastest of a peer's ways, what the others took in seconds, and its number of threads."""
        named = [Contender(name, each.prepare, each.check, each.around) for name, (each, _) in ways.items()]
        if len(named) == 1:
            return named[0], {}, next(iter(ways.values()))[1]
        measured = interleave(named, self.clock, rounds=3, seconds=0.0, progress=self.progress)
        seconds = {name: each.figure for name, each in measured.samples.items()}
        best = min(named, key=lambda each: seconds[each.name])
        return best, {name: each for name, each in seconds.items() if name != best.name}, ways[best.name][1]

    def _measure(
        self, entrants: Sequence[_Entrant], slow: float, inner: bool = True, afterwards: Callable[[], None] = lambda: None
    ) -> None:
        """Time the entrants until they can be trusted, or have had their attempts, and fill in their rows."""
        if not entrants:
            return
        row = entrants[0].row
        self.doing(f"timing: {row.what} of {', '.join(entrant.row.who for entrant in entrants)}: {row.shape}")
        for _ in range(self.settings.attempts):
            products = [self.peaks.share_now(self.clock)]
            measured = interleave(
                [entrant.contender for entrant in entrants], self.clock, rounds=self.settings.rounds,
                seconds=self.settings.seconds, inner=inner, slow=slow, progress=self.progress,
            )  # fmt: skip
            products.append(self.peaks.share_now(self.clock))
            common = [
                *trust.busy(measured.others, self.settings.threads, cores().usable),
                *trust.uneven(measured.canaries),
                *trust.below_its_best(products),
            ]
            for entrant in entrants:
                self._judge(entrant, measured.samples[entrant.contender.name], common)
            afterwards()
            faults = [fault for entrant in entrants for fault in entrant.row.refused]
            if not faults or any(fault.startswith(trust.WRONG) for fault in faults):
                break
        self._compare([entrant.row for entrant in entrants])

    def _judge(self, entrant: _Entrant, samples: Samples, common: list[str]) -> None:
        row = entrant.row
        row.fill(samples)
        limits = self.peaks.limits(row.bytes if entrant.footprint is None else entrant.footprint)
        if entrant.arithmetic == 1.0:
            row.weigh(limits)
        if samples.wrong:
            row.refused = samples.wrong[:1]
            return
        row.refused = [*common, *trust.noisy(samples)]
        if samples.rounds:
            row.refused += trust.impossible(row.least, row.flops * entrant.arithmetic, row.bytes, limits)

    def _compare(self, rows: list[Row]) -> None:
        """The ratio to each peer: of medians, or of least times where either takes less than five milliseconds."""
        for peer in [row for row in rows if not row.ours]:
            for row in [row for row in rows if row.ours]:
                if peer.refused:
                    reason = f"no ratio: {peer.who} is refused ({peer.refused[0]})"
                    row.refused += [] if set(peer.refused) <= set(row.refused) else [reason]
                if not peer.samples or not row.samples:
                    continue
                theirs = min([_comparable(peer, row), *peer.others.values()])
                row.against[peer.who] = theirs / _comparable(row, peer)

    def _cold(self, entrants: list[_Entrant]) -> None:
        """The same with nothing of the arguments left in the caches."""
        measured = interleave(
            [entrant.contender for entrant in entrants if entrant.row.median < SLOW], self.clock,
            rounds=COLD_ROUNDS, seconds=0.0, inner=False, before=self.place.flush(), most=3, progress=self.progress,
        )  # fmt: skip
        for entrant in entrants:
            samples = measured.samples.get(entrant.contender.name)
            if samples is not None:
                entrant.row.cold = samples.median
                entrant.row.refused += samples.wrong[:1]


@dataclass
class _Entrant:
    """A contender and the row that it fills.

    Attributes:
        arithmetic: the share of the counted arithmetic that it really does.
        footprint: bytes of the memory that it walks through, where it moves some of them more than once.
    """

    row: Row
    contender: Contender
    arithmetic: float = 1.0
    footprint: float | None = None


def _comparable(row: Row, other: Row) -> float:
    return row.least if min(row.median, other.median) < SHORT else row.median


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


def _threads_of(peer: Peer, count: int) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: peer.threads(count)


def _makers(workload: Workload, peer: Peer) -> dict[str, Callable[..., Any]]:
    """How the workload is made for a peer: by our lines, where it has PyTorch's names, and by lines of its own."""
    makers: dict[str, Callable[..., Any]] = {}
    if peer.alike:
        makers[peer.name] = lambda **sizes: workload.make(peer.module, **sizes)
    return makers | {name: make for name, make in workload.others.items() if name.split()[0] == peer.name}


@contextmanager
def _kernels(choice: Mapping[str, str]) -> Iterator[None]:
    """The implementations chosen, and no checks beside them."""
    with ExitStack() as stack:
        stack.enter_context(use(**choice))
        stack.enter_context(checking(False))
        yield
