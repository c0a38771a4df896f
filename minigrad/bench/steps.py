"""Training steps as contenders: each step's loss is written down, and two libraries' losses are held against each other."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from minigrad.bench.clock import Contender
from minigrad.bench.trust import WRONG
from minigrad.bench.workload import INPUT_SETS, Step, Workload
from minigrad.core.device import default_device
from minigrad.kernels import available, families, use

FIRST = 2 * INPUT_SETS  # steps whose losses must agree closely; rounding sends longer trainings on ways of their own
LOOSER = 10.0  # how much further apart they may be at full size, where sums are longer
LATER = 0.1  # how far apart all later ones may be, as a share of the first loss

Around = Callable[[], AbstractContextManager[Any]]


class Steps:
    """A step as a contender. It is made on its first turn, so that what is never timed costs nothing.

    Args:
        name: for the table.
        make: the workload's.
        module: the module to run against as a tuple, or nothing where ``make`` knows it.
        sizes: what ``make`` takes.
        around: the context of its turns.
    """

    def __init__(self, name: str, make: Callable[..., Step], module: tuple[Any, ...], sizes: Mapping[str, int], around: Around):
        self.name, self.losses = name, list[float]()
        self._make, self._module, self._sizes, self._around = make, module, sizes, around
        self._step: Step | None = None

    def contender(self) -> Contender:
        """What is timed."""
        return Contender(self.name, self.prepare, self.check, self._around)

    def prepare(self, count: int) -> Sequence[Callable[[], float]]:
        """The next steps."""
        step = self._make(*self._module, **self._sizes) if self._step is None else self._step
        self._step, write = step, self.losses.append

        def call() -> float:
            loss = step()
            write(loss)
            return loss

        return [call] * count

    def check(self, returned: Sequence[Any]) -> str:
        """A loss is a finite number, and not again and again the same: each step has other inputs and other weights."""
        last = returned[-1]
        if not isinstance(last, float) or not math.isfinite(last):
            return f"{WRONG}: a step's loss is {last!r}"
        latest = self.losses[-INPUT_SETS:]
        if len(latest) == INPUT_SETS and len(set(latest)) == 1:
            return f"{WRONG}: the loss of {INPUT_SETS} steps on other inputs is always {last!r}"
        return ""


def different(ours: Steps, theirs: Steps, tolerance: float) -> str:
    """Where two trainings with the same weights and inputs have losses that are too far apart, or ``""``."""
    return unlike(ours.losses, theirs.losses, LOOSER * tolerance, theirs.name)


def unlike(ours: Sequence[float], theirs: Sequence[float], tolerance: float, name: str) -> str:
    """Where two sequences of losses are too far apart, or ``""``.

    Example:
        >>> unlike([2.0, 1.5], [2.0, 1.5], 1e-3, "torch")
        ''
        >>> unlike([2.0, 2.0], [2.0, 1.5], 1e-3, "torch")
        'wrong result: the loss of step 2 is 2, and 1.5 with torch'
    """
    for number, (a, b) in enumerate(zip(ours, theirs, strict=False)):
        size = max(abs(a), abs(b))
        allowed = tolerance * size if number < FIRST else max(LATER * abs(theirs[0]), LATER * size)
        if not abs(a - b) <= allowed:
            return f"{WRONG}: the loss of step {number + 1} is {a:.6g}, and {b:.6g} with {name}"
    return ""


def small_losses(
    workload: Workload, sizes: Mapping[str, int], around: Around, makers: Sequence[tuple[str, Callable[..., Step]]]
) -> str:
    """What is wrong with the losses of the first steps at the small sizes, beside the peers' or, without one, the references'.

    Args:
        workload: the step.
        sizes: those that are to be timed.
        around: the kernels that ours is timed with.
        makers: peers by name, each with a ``make`` without module.
    """
    minigrad = importlib.import_module("minigrad")
    small = {**sizes, **workload.small}

    def losses(make: Callable[..., Step], *module: Any) -> list[float]:
        step = make(*module, **small)
        return [step() for _ in range(FIRST)]

    with around():
        ours = losses(workload.make, minigrad)
    others = [(name, losses(make)) for name, make in makers]
    if not makers:
        references = {family: "reference" for family in families() if "reference" in available(family, "cpu")}
        with use(**references), default_device("cpu"):
            others.append(("the reference kernels", losses(workload.make, minigrad)))
    faults = [unlike(ours, theirs, workload.tolerance, name) for name, theirs in others]
    return next((f"{fault}, at the small size" for fault in faults if fault), "")
