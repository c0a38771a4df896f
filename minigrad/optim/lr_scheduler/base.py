"""What all schedules share: the step, the learning rates of the groups, and both as data."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from minigrad.core.hints import check_constructor
from minigrad.errors import ArgumentError, DTypeError, StateError
from minigrad.ops.dims import count_of
from minigrad.optim.optimizer import Optimizer, same_kind


class LRScheduler:
    """The base of all schedules. Derive from it and write ``get_lr``.

    Args:
        optimizer: whose learning rates it sets.
        last_epoch: the number of the last step done; -1 to begin.

    Attributes:
        base_lrs: the learning rate of each group at the beginning.
        last_epoch: the number of steps done.

    Raises:
        DTypeError: ``optimizer`` is none.
        ArgumentError: ``last_epoch`` of 0 or more, with an optimiser that has no ``initial_lr`` in its groups.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.StepLR(sgd, step_size=2, gamma=0.5)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates.append(schedule.get_last_lr()[0])
        ...     sgd.step()
        ...     schedule.step()
        >>> rates
        [1.0, 1.0, 0.5, 0.5]
    """

    _is_initial = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_constructor(cls)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = check_optimizer(self, optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ArgumentError(
                    type(self).__name__,
                    "last_epoch",
                    "-1, to begin",
                    f"{last_epoch}, and no 'initial_lr' in group {i} of the optimiser",
                    "Load the optimiser's state first, or begin with -1 and use load_state_dict of the schedule",
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._begin()

    def _begin(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            del self._is_initial  # the class says False

    def get_lr(self) -> list[float]:
        """The learning rate of each group at step ``last_epoch``, from that of the step before where that is shorter."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr")

    def closed_form(self) -> list[float] | None:
        """The same from ``last_epoch`` alone; ``None`` where ``get_lr`` needs nothing else."""
        return None

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group, as this schedule set it last."""
        return self._last_lr

    def step(self) -> None:
        """Set the learning rates of the next step. Call it after ``optimizer.step()``."""
        if self._step_count == 1 and self.optimizer._steps == 0:
            warnings.warn(
                f"{type(self).__name__}.step() came before optimizer.step(): the first learning rate was never used. "
                "Call optimizer.step() first, then the schedule's",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self.last_epoch += 1
        self._set(self.get_lr())

    def _jump(self, epoch: int) -> None:
        """Go to a step from wherever the learning rates are."""
        self.last_epoch = epoch
        self._set(self.closed_form() or self.get_lr())

    def _set(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = list(rates)

    def _scaled(self, factor: float) -> list[float]:
        """The learning rates as they are, times a factor."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _based(self, factor: float) -> list[float]:
        """The learning rates of the beginning, times a factor."""
        return [base * factor for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """All that the schedule knows, but for the optimiser."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where another schedule of this kind was.

        Raises:
            StateError: the state lacks something that this schedule has, as one of another kind does.
        """
        own = self.state_dict()
        where = type(self).__name__
        if not isinstance(state_dict, Mapping):
            raise StateError(where, "state_dict", f"one of a {where}", type(state_dict).__name__)
        missing = [name for name in own if name not in state_dict]
        if missing:
            raise StateError(
                type(self).__name__, "state_dict", f"one of a {type(self).__name__}", f"one without {', '.join(missing)}"
            )
        for name, value in own.items():
            if not isinstance(value, (tuple, list)) and not same_kind(value, state_dict[name]):
                raise StateError(where, name, f"a number, as {value!r}", repr(state_dict[name]), "Nothing was loaded")
        for name, value in state_dict.items():
            if name in own:
                self._take(name, value, own[name])

    def _take(self, name: str, value: Any, own: Any) -> None:
        setattr(self, name, tuple(value) if isinstance(own, tuple) else value)


def check_optimizer(schedule: Any, optimizer: Any) -> Optimizer:
    """``optimizer``, if it is one.

    Raises:
        DTypeError: it is not.
    """
    if not isinstance(optimizer, Optimizer):
        raise DTypeError(type(schedule).__name__, "optimizer", "an Optimizer", type(optimizer).__name__)
    return optimizer


def check_count(schedule: Any, name: str, value: Any, least: int) -> int:
    """A count that a schedule is given. See ``ops.dims.count_of``."""
    return count_of(type(schedule).__name__, name, value, least)


def for_each_group(schedule: Any, name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """One value for each group, from a list of them or one for all."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ArgumentError(type(schedule).__name__, name, f"{groups} values, one for each group", str(len(value)))
    return list(value)
