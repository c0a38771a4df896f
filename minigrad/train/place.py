"""How far a training has come, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass
class Place:
    """How far a training has come. All of it is in every checkpoint.

    Attributes:
        step: steps made.
        units: examples (or what the task counts) learned from.
        evaluated: the step of the last evaluation.
        best: the best value of the task's goal so far, and ``best_step`` when that was.
        rank: of the best, what is compared: the more the better, first of the goal, then of the tie.
        worse: evaluations in a row since then.
        rollbacks: how many there were.
        sums: the metrics since the last row, added up, each over the ``counts`` steps that gave it.
        seconds: spent in training.
    """

    step: int = 0
    units: int = 0
    evaluated: int = 0
    best: float | None = None
    best_step: int = 0
    rank: list[float] = field(default_factory=list)
    worse: int = 0
    rollbacks: int = 0
    sums: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Outcome(NamedTuple):
    """How a training ended.

    Attributes:
        status: ``"finished"``, ``"stopped early"`` or ``"interrupted"``.
        step: steps made.
        best: the best value of the goal, or ``None``.
        best_step: the step of that evaluation.
        signal: the number of the signal that interrupted it, else 0.
    """

    status: str
    step: int
    best: float | None
    best_step: int
    signal: int = 0
