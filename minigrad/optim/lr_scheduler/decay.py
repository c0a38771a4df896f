"""Schedules that multiply the learning rate by a factor from step to step."""

from __future__ import annotations

import types
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minigrad.errors import ArgumentError, DTypeError
from minigrad.optim.lr_scheduler.base import LRScheduler, check_count, check_optimizer, for_each_group
from minigrad.optim.optimizer import Optimizer, check_number

Factor = Callable[[int], float]


class _Lambdas(LRScheduler):
    """What the two schedules made of the user's functions share: the functions are no data, objects' attributes are."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        check_optimizer(self, optimizer)
        self.lr_lambdas = for_each_group(self, "lr_lambda", lr_lambda, optimizer)
        for function in self.lr_lambdas:
            if not callable(function):
                raise DTypeError(type(self).__name__, "lr_lambda", "a function of the step's number", repr(function))
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """As for every schedule; of ``lr_lambda`` only the attributes of callable objects are kept, functions are not."""
        kept = [None if isinstance(f, types.FunctionType) else dict(f.__dict__) for f in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": kept}

    def _take(self, name: str, value: Any, own: Any) -> None:
        if name != "lr_lambdas":
            super()._take(name, value, own)
            return
        for function, attributes in zip(self.lr_lambdas, value, strict=True):
            if attributes is not None:
                function.__dict__.update(attributes)


class LambdaLR(_Lambdas):
    """The rate at step t is the initial one times ``lr_lambda(t)``.

    Args:
        optimizer: whose learning rates it sets.
        lr_lambda: a function of the step's number, or one for each group.
        last_epoch: the number of the last step done; -1 to begin.

    Raises:
        ArgumentError: another number of functions than of groups.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.LambdaLR(sgd, lambda step: 0.5**step)
        >>> for _ in range(3):
        ...     sgd.step()
        ...     schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.125
    """

    def get_lr(self) -> list[float]:
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_Lambdas):
    """The rate at step t is the one before times ``lr_lambda(t)``.

    Args:
        optimizer: whose learning rates it sets.
        lr_lambda: a function of the step's number, or one for each group.
        last_epoch: the number of the last step done; -1 to begin.

    Raises:
        ArgumentError: another number of functions than of groups.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.MultiplicativeLR(sgd, lambda step: 0.5)
        >>> for _ in range(3):
        ...     sgd.step()
        ...     schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.125
    """

    def get_lr(self) -> list[float]:
        if self._is_initial:
            return self._scaled(1)
        return [g["lr"] * f(self.last_epoch) for g, f in zip(self.optimizer.param_groups, self.lr_lambdas, strict=True)]


class StepLR(LRScheduler):
    """The rate is multiplied by ``gamma`` every ``step_size`` steps.

    Args:
        optimizer: whose learning rates it sets.
        step_size: 1 or more.
        gamma: the factor.
        last_epoch: the number of the last step done; -1 to begin.

    Raises:
        ArgumentError: ``step_size`` is no whole number of at least 1.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.StepLR(sgd, step_size=2, gamma=0.5)
        >>> for _ in range(5):
        ...     sgd.step()
        ...     schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.25
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = check_count(self, "step_size", step_size, 1), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return self._scaled(1 if self.last_epoch == 0 or self.last_epoch % self.step_size else self.gamma)

    def closed_form(self) -> list[float]:
        return self._based(self.gamma ** (self.last_epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """The rate is multiplied by ``gamma`` at each of the steps ``milestones``; twice at one that stands there twice.

    Args:
        optimizer: whose learning rates it sets.
        milestones: numbers of steps.
        gamma: the factor.
        last_epoch: the number of the last step done; -1 to begin.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.MultiStepLR(sgd, milestones=[2, 3], gamma=0.5)
        >>> for _ in range(3):
        ...     sgd.step()
        ...     schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.25
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        if isinstance(milestones, (str, bytes)) or not isinstance(milestones, Iterable):
            raise DTypeError("MultiStepLR", "milestones", "a list of integers", repr(milestones))
        steps = list(milestones)
        self.milestones, self.gamma = Counter([check_count(self, "milestones", step, 0) for step in steps]), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return self._scaled(self.gamma ** self.milestones[self.last_epoch])

    def closed_form(self) -> list[float]:
        return self._based(self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch))

    def _take(self, name: str, value: Any, own: Any) -> None:
        super()._take(name, Counter({int(step): n for step, n in value.items()}) if name == "milestones" else value, own)


class ConstantLR(LRScheduler):
    """The initial rate times ``factor`` for ``total_iters`` steps, and the initial rate from there on.

    Args:
        optimizer: whose learning rates it sets.
        factor: above 0 (PyTorch takes 0 as well, and divides by it at the end) and at most 1.
        total_iters: 0 or more.
        last_epoch: the number of the last step done; -1 to begin.

    Raises:
        ArgumentError: an argument outside these ranges.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.ConstantLR(sgd, factor=0.5, total_iters=2)
        >>> for _ in range(1):
        ...     sgd.step()
        ...     schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.5
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        check_number(type(self).__name__, "factor", factor, above=True)
        if factor > 1:
            raise ArgumentError(type(self).__name__, "factor", "at most 1", str(factor))
        self.factor, self.total_iters = factor, check_count(self, "total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return self._scaled(self.factor)
        return self._scaled(1.0 / self.factor if self.last_epoch == self.total_iters else 1)

    def closed_form(self) -> list[float]:
        return self._based(1 if self.last_epoch >= self.total_iters else self.factor)


class LinearLR(LRScheduler):
    """A straight line from the initial rate times ``start_factor`` to that times ``end_factor``: the usual warm-up.

    Args:
        optimizer: whose learning rates it sets.
        start_factor: above 0 and at most 1.
        end_factor: from 0 to 1.
        total_iters: the steps of the line; 0 or more.
        last_epoch: the number of the last step done; -1 to begin.

    Raises:
        ArgumentError: an argument outside these ranges.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.LinearLR(sgd, start_factor=0.5, total_iters=4)
        >>> for _ in range(2):
        ...     sgd.step()
        ...     schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.75
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        check_number(type(self).__name__, "start_factor", start_factor, above=True)
        check_number(type(self).__name__, "end_factor", end_factor)
        if max(start_factor, end_factor) > 1:
            got = f"{start_factor} and {end_factor}"
            raise ArgumentError(type(self).__name__, "start_factor, end_factor", "at most 1 each", got)
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = check_count(self, "total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return self._scaled(self.start_factor)
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._scaled(1)
        rise = self.end_factor - self.start_factor
        return self._scaled(1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))

    def closed_form(self) -> list[float]:
        share = min(1.0, self.last_epoch / self.total_iters) if self.total_iters else 1.0
        return self._based(self.start_factor + (self.end_factor - self.start_factor) * share)


class ExponentialLR(LRScheduler):
    """The rate is multiplied by ``gamma`` at every step.

    Args:
        optimizer: whose learning rates it sets.
        gamma: the factor.
        last_epoch: the number of the last step done; -1 to begin.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.ExponentialLR(sgd, gamma=0.5)
        >>> for _ in range(3):
        ...     sgd.step()
        ...     schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.125
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return self._scaled(1 if self._is_initial else self.gamma)

    def closed_form(self) -> list[float]:
        return self._based(self.gamma**self.last_epoch)


class PolynomialLR(LRScheduler):
    """The initial rate times (1 - t / ``total_iters``) to the power ``power``, and 0 after that.

    Args:
        optimizer: whose learning rates it sets.
        total_iters: 1 or more.
        power: the exponent.
        last_epoch: the number of the last step done; -1 to begin.

    Raises:
        ArgumentError: ``total_iters`` is no whole number of at least 1.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.PolynomialLR(sgd, total_iters=4, power=2.0)
        >>> for _ in range(2):
        ...     sgd.step()
        ...     schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.25
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        check_number("PolynomialLR", "power", power)
        self.total_iters, self.power = check_count(self, "total_iters", total_iters, 1), power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._scaled(1)
        left, before = self.total_iters - self.last_epoch, self.total_iters - self.last_epoch + 1
        return self._scaled((left / before) ** self.power)

    def closed_form(self) -> list[float]:
        return self._based((1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power)
