"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from minigrad.errors import ArgumentError, DTypeError
from minigrad.optim.lr_scheduler.base import LRScheduler, check_optimizer
from minigrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from minigrad.optim.optimizer import Optimizer


class _Several(LRScheduler):
    """What the two schedules made of schedules share."""

    def _check(self, optimizer: Any, schedulers: Sequence[LRScheduler]) -> None:
        name = type(self).__name__
        if not schedulers:
            raise ArgumentError(name, "schedulers", "at least one schedule", "none")
        for i, schedule in enumerate(schedulers):
            if not isinstance(schedule, LRScheduler):
                raise DTypeError(name, f"schedulers[{i}]", "a schedule", type(schedule).__name__)
            if isinstance(schedule, ReduceLROnPlateau):
                raise ArgumentError(name, f"schedulers[{i}]", "a schedule whose step() takes nothing", "ReduceLROnPlateau")
            if schedule.optimizer is not (optimizer or schedulers[0].optimizer):
                raise ArgumentError(name, f"schedulers[{i}]", "one of the same optimiser", "one of another")
        self._schedulers = list(schedulers)
        self.optimizer = optimizer or schedulers[0].optimizer

    def state_dict(self) -> dict[str, Any]:
        """All that the schedule knows, with the state of each of its schedules."""
        return {**super().state_dict(), "_schedulers": [schedule.state_dict() for schedule in self._schedulers]}

    def _take(self, name: str, value: Any, own: Any) -> None:
        if name != "_schedulers":
            super()._take(name, value, own)
            return
        for schedule, state in zip(self._schedulers, value, strict=True):
            schedule.load_state_dict(state)


class SequentialLR(_Several):
    """One schedule after the other: the next begins, from the initial rates, at each of the steps ``milestones``.

    Args:
        optimizer: whose learning rates they set.
        schedulers: schedules of that optimiser.
        milestones: one less than there are schedules.

    Raises:
        ArgumentError: numbers that do not fit, schedules of several optimisers, a ``ReduceLROnPlateau``, or a schedule that
            is itself made of others.

    Example:
        >>> import minigrad
        >>> from minigrad.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> parts = [ConstantLR(sgd, factor=0.1, total_iters=9), ExponentialLR(sgd, gamma=0.5)]
        >>> schedule = SequentialLR(sgd, parts, milestones=[2])
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += schedule.get_last_lr()
        ...     sgd.step()
        ...     schedule.step()
        >>> rates
        [0.1, 0.1, 1.0, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        self._check(check_optimizer(self, optimizer), schedulers)
        if len(milestones) != len(schedulers) - 1:
            expected = f"{len(schedulers) - 1}, one less than there are schedules"
            raise ArgumentError("SequentialLR", "milestones", expected, str(len(milestones)))
        for i, schedule in enumerate(schedulers):
            if isinstance(schedule, _Several):
                got, remedy = type(schedule).__name__, "Give the schedules that it is made of"
                raise ArgumentError("SequentialLR", f"schedulers[{i}]", "a schedule not made of others", got, remedy)
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for schedule in self._schedulers:
            schedule.last_epoch -= 1  # the step that it made when it was made
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._begin()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:
        """Set the learning rates of the next step."""
        self.last_epoch += 1
        place = bisect_right(self._milestones, self.last_epoch)
        schedule = self._schedulers[place]
        if place > 0 and self._milestones[place - 1] == self.last_epoch:
            schedule._jump(0)
        else:
            schedule.step()
        self._last_lr = schedule.get_last_lr()


class ChainedScheduler(_Several):
    """Several schedules at once: each changes the rate that the one before has set.

    Args:
        schedulers: schedules of one optimiser.
        optimizer: that optimiser; by default that of the first.

    Raises:
        ArgumentError: no schedule, schedules of several optimisers, or a ``ReduceLROnPlateau``.

    Example:
        >>> import minigrad
        >>> from minigrad.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = ChainedScheduler([ConstantLR(sgd, factor=0.5, total_iters=9), ExponentialLR(sgd, gamma=0.5)])
        >>> sgd.step()
        >>> schedule.step()
        >>> schedule.get_last_lr()
        [0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._check(optimizer, schedulers)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def step(self) -> None:
        """Set the learning rates of the next step."""
        for schedule in self._schedulers:
            schedule.step()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
