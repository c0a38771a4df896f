"""The schedule that looks at what is measured."""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.optim.lr_scheduler.base import LRScheduler, check_optimizer, for_each_group
from minigrad.optim.optimizer import Optimizer, check_number


class ReduceLROnPlateau(LRScheduler):
    """The rate is multiplied by ``factor`` when a measured value has not improved for more than ``patience`` steps.

    Args:
        optimizer: whose learning rates it sets.
        mode: ``"min"`` if the value shall fall, ``"max"`` if it shall rise.
        factor: below 1.
        patience: steps without improvement that are borne.
        threshold: what counts as an improvement: that share of the best value, or that much of it.
        threshold_mode: ``"rel"`` or ``"abs"``.
        cooldown: steps after a reduction in which nothing is counted.
        min_lr: the lowest rate, or one for each group.
        eps: a smaller change of the rate is not made.

    Raises:
        ArgumentError: an argument out of range.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.ReduceLROnPlateau(sgd, patience=1, factor=0.5)
        >>> for loss in [1.0, 0.9, 0.9, 0.9]:
        ...     schedule.step(loss)
        >>> schedule.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer = check_optimizer(self, optimizer)
        check_number("ReduceLROnPlateau", "factor", factor, high=1.0)
        for name, value, known in (("mode", mode, ("min", "max")), ("threshold_mode", threshold_mode, ("rel", "abs"))):
            if value not in known:
                raise ArgumentError("ReduceLROnPlateau", name, f"{known[0]!r} or {known[1]!r}", repr(value))
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.min_lrs = for_each_group(self, "min_lr", min_lr, optimizer)
        for least in self.min_lrs:
            check_number("ReduceLROnPlateau", "min_lr", least)
        self.best = math.inf if mode == "min" else -math.inf
        self.last_epoch = self.cooldown_counter = self.num_bad_epochs = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Tell the value measured after this step: a number or a Tensor of one element."""
        value = float(metrics)
        self.last_epoch += 1
        if self._is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                reduced = max(float(group["lr"]) * self.factor, least)
                if float(group["lr"]) - reduced > self.eps:
                    group["lr"] = reduced
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _is_better(self, value: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "abs":
            return sign * value > sign * (self.best + sign * self.threshold)
        return sign * value > sign * (self.best * (1.0 + sign * self.threshold))
