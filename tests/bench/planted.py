"""A clock whose time is planted, and what the tests of the instrument share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import kernels
from minigrad.bench.clock import Contender, Load, Samples
from minigrad.bench.families.conv2d import Shape, ops_of
from minigrad.bench.machine import Peaks
from minigrad.bench.op import Op
from minigrad.bench.session import Session, Settings

MS = 1_000_000


class FakeClock:
    """Time passes by ``tick`` with each look at it, and when someone says so."""

    def __init__(self, tick: int = 0, canary: float = 1e-3, others: float = 0.0) -> None:
        self.time, self.tick, self.pace, self.others, self.switches = 0, tick, canary, others, 0

    def now(self) -> int:
        self.time += self.tick
        return self.time

    def load(self) -> Load:
        return Load(100 + self.time * 1e-9 * (1 + self.others), self.time * 1e-9)

    def interruptions(self) -> int:
        return self.switches

    def canary(self) -> float:
        return self.pace


def samples(*seconds: float, name: str = "ours") -> Samples:
    """A contender with one sample a round."""
    return Samples(name, [[each] for each in seconds])


def contender(name: str, clock: FakeClock, milliseconds: Callable[[], float], log: list[str]) -> Contender:
    """A contender whose calls take so long."""

    def call() -> str:
        log.append(name)
        clock.time += round(milliseconds() * MS)
        return name

    return Contender(name, lambda count: [call] * count, lambda results: "")


def peaks(flops: float = 1e15, rate: float = 1e15) -> Peaks:
    """A machine of these peaks; its square product is small."""
    return Peaks(1, "float32", 8, 1.0, flops, "a dream", {1 << 10: rate, 1 << 30: rate})


def small_op(function: str = "forward") -> Op:
    """A convolution that takes next to no time."""
    return next(op for op in ops_of(Shape(4, 3, 8, 6)) if op.function == function)


def session(clock: FakeClock, machine: Peaks | None = None, rounds: int = 4, **settings: Any) -> Session:
    """An instrument that is quick, and whose machine is never in the way."""
    chosen = {"attempts": 1, "cold": False, "seconds": 0.0, **settings}
    made = Session(Settings(1, rounds=rounds, **chosen), clock, peaks() if machine is None else machine)
    made.rng = np.random.default_rng(0)
    return made


@contextmanager
def registered(name: str, **functions: Callable[..., Any]) -> Iterator[str]:
    """A kernel of conv2d for as long as the block runs; what it does not have comes from im2col."""
    kernels.register("conv2d", name, base="im2col", **functions)
    try:
        yield name
    finally:
        kernels.unregister("conv2d", name)
