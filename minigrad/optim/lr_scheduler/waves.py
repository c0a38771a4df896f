"""Schedules along cosine waves and cycles."""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.optim.lr_scheduler.base import LRScheduler, check_count, check_optimizer, for_each_group
from minigrad.optim.optimizer import Optimizer, check_number


class CosineAnnealingLR(LRScheduler):
    """Half a cosine wave from the initial rate to ``eta_min`` in ``T_max`` steps, and back if it goes on.

    Loshchilov and Hutter 2017 (https://arxiv.org/abs/1608.03983), equation 5, without restarts.

    Args:
        optimizer: whose learning rates it sets.
        T_max: the steps of half a wave, above 0.
        eta_min: the lowest rate.
        last_epoch: the number of the last step done; -1 to begin.

    Raises:
        ArgumentError: ``T_max`` is not above 0.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=10)
        >>> for _ in range(5):
        ...     sgd.step()
        ...     schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.5
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        check_number(type(self).__name__, "T_max", T_max, above=True)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self._is_initial:
            return self._scaled(1)
        groups = self.optimizer.param_groups
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # up from the lowest point, where a factor would be 0/0
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [group["lr"] + (base - self.eta_min) * rise for base, group in zip(self.base_lrs, groups, strict=True)]
        now, before = (1 + math.cos(math.pi * t / self.T_max) for t in (self.last_epoch, self.last_epoch - 1))
        return [now / before * (group["lr"] - self.eta_min) + self.eta_min for group in groups]

    def closed_form(self) -> list[float]:
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half cosine waves from the initial rate to ``eta_min``, one after the other, each ``T_mult`` times as long as the last.

    Loshchilov and Hutter 2017 (https://arxiv.org/abs/1608.03983), equation 5.

    Args:
        optimizer: whose learning rates it sets.
        T_0: the steps of the first wave.
        T_mult: 1 or more.
        eta_min: the lowest rate.
        last_epoch: the number of the last step done; -1 to begin.

    Raises:
        ArgumentError: ``T_0`` or ``T_mult`` is no whole number of at least 1.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = minigrad.optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd, T_0=2)
        >>> rates = []
        >>> for _ in range(4):
        ...     rates.append(round(schedule.get_last_lr()[0], 6))
        ...     sgd.step()
        ...     schedule.step()
        >>> rates
        [1.0, 0.5, 1.0, 0.5]
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_0 = self.T_i = check_count(self, "T_0", T_0, 1)
        self.T_mult, self.eta_min = check_count(self, "T_mult", T_mult, 1), eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the learning rates of the next step, or of ``epoch``, which may lie between two whole numbers."""
        if epoch is None and self.last_epoch >= 0:
            self.last_epoch += 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = 0 if epoch is None else epoch
            check_number(type(self).__name__, "epoch", epoch)
            self.last_epoch = math.floor(epoch)
            self.T_cur, self.T_i = epoch, self.T_0
            if self.T_mult == 1:
                self.T_cur %= self.T_0
            while self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        self._step_count += 1
        self._set(self.get_lr())


class OneCycleLR(LRScheduler):
    """Up from a small rate to ``max_lr`` and down to a far smaller one, momentum the other way round, in one cycle.

    Smith and Topin 2018, "Super-convergence" (https://arxiv.org/abs/1708.07120). One step of it belongs to each batch.

    Args:
        optimizer: whose learning rates it sets.
        max_lr: the highest rate, or one for each group.
        total_steps: the steps of the cycle; or else ``epochs`` times ``steps_per_epoch``.
        pct_start: the share of the way up.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: move momentum (or the first of ``betas``) too, between ``max_momentum`` and ``base_momentum``.
        div_factor: max_lr over the rate of the beginning.
        final_div_factor: the rate of the beginning over that of the end.
        three_phase: come down as one went up, and fall to the end in a third phase.
        last_epoch: the number of the last step done; -1 to begin.

    Raises:
        ArgumentError: an argument out of range, no number of steps, an optimiser without momentum with
            ``cycle_momentum``, or in ``step`` more steps than the cycle has.

    Example:
        >>> import minigrad
        >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
        >>> schedule = minigrad.optim.lr_scheduler.OneCycleLR(sgd, max_lr=0.5, total_steps=10)
        >>> for _ in range(2):
        ...     sgd.step()
        ...     schedule.step()
        >>> round(schedule.get_last_lr()[0], 6), sgd.param_groups[0]["momentum"]
        (0.5, 0.85)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(self, optimizer)
        if total_steps is not None:
            self.total_steps = check_count(self, "total_steps", total_steps, 1)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = check_count(self, "epochs", epochs, 1) * check_count(self, "steps_per_epoch", steps_per_epoch, 1)
        else:
            raise ArgumentError("OneCycleLR", "total_steps", "a number, or epochs and steps_per_epoch", "none of them")
        if not isinstance(pct_start, (int, float)) or not 0 <= pct_start <= 1:
            raise ArgumentError("OneCycleLR", "pct_start", "a share from 0 to 1", repr(pct_start))
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError("OneCycleLR", "anneal_strategy", "'cos' or 'linear'", repr(anneal_strategy))
        self._anneal_func_type = anneal_strategy
        top = float(pct_start * self.total_steps) - 1
        phases = [(top, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
        if three_phase:
            phases.append((2.0 * top, "max_lr", "initial_lr", "base_momentum", "max_momentum"))
            phases.append((self.total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"))
        else:
            phases.append((self.total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum"))
        names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
        self._schedule_phases: list[dict[str, Any]] = [dict(zip(names, phase, strict=True)) for phase in phases]
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            if not {"momentum", "betas"} & set(optimizer.defaults):
                got = f"{type(optimizer).__name__}, which has neither"
                raise ArgumentError(
                    "OneCycleLR", "cycle_momentum", "an optimiser with momentum or betas", got, "Pass cycle_momentum=False"
                )
            self.use_beta1 = "betas" in optimizer.defaults
        if last_epoch == -1:
            rates = for_each_group(self, "max_lr", max_lr, optimizer)
            for rate in rates:
                check_number("OneCycleLR", "max_lr", rate)
            for group, highest in zip(optimizer.param_groups, rates, strict=True):
                group["initial_lr"] = highest / div_factor
                group["max_lr"], group["min_lr"] = highest, group["initial_lr"] / final_div_factor
            if cycle_momentum:
                most = for_each_group(self, "max_momentum", max_momentum, optimizer)
                least = for_each_group(self, "base_momentum", base_momentum, optimizer)
                for group, high, low in zip(optimizer.param_groups, most, least, strict=True):
                    group["max_momentum"], group["base_momentum"] = high, low
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            got = f"step {self.last_epoch}"
            raise ArgumentError("OneCycleLR", "step", f"at most {self.total_steps} steps, those of the cycle", got)
        start = 0.0
        for phase in self._schedule_phases:
            end: Any = phase["end_step"]
            if self.last_epoch <= end:
                break
            start = end if phase is not self._schedule_phases[-1] else start
        share = (self.last_epoch - start) / (end - start) if end != start else 1.0
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                momentum = self._between(group[phase["start_momentum"]], group[phase["end_momentum"]], share)
                if self.use_beta1:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
        return rates

    def _between(self, start: float, end: float, share: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)
