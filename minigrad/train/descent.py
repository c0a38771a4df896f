"""One optimiser's way down: gradients of several parts added up, clipped, a step, the schedule's, and the average's."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from minigrad import Tensor
from minigrad.errors import ArgumentError, StateError
from minigrad.nn import Module
from minigrad.nn.utils import clip_grad_norm_
from minigrad.optim import Optimizer
from minigrad.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR
from minigrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

SCHEDULES = ("onecycle", "cosine", "constant")


def ema(module: Module, decay: float) -> AveragedModel:
    """An exponential moving average of the weights and running means of a module, for ``Descent``.

    The average must forget where it began within a short training too: after n updates the decay is the smaller of ``decay``
    and (1 + n) / (10 + n).

    Raises:
        ArgumentError: ``decay`` does not lie between 0 and 1.

    Example:
        >>> import minigrad
        >>> layer = minigrad.nn.Linear(1, 1)
        >>> ema(layer, 0.99).module
        Linear(in_features=1, out_features=1, bias=True)
    """
    if not 0 < decay < 1:
        raise ArgumentError("ema", "decay", "a number between 0 and 1", str(decay))

    def update(averages: Sequence[Tensor], currents: Sequence[Tensor], count: Any) -> None:
        get_ema_multi_avg_fn(min(decay, (1 + int(count)) / (10 + int(count))))(averages, currents, count)

    return AveragedModel(module, multi_avg_fn=update, use_buffers=True)


def schedule_of(name: str, optimizer: Optimizer, total_steps: int, *, cycle_momentum: bool = True) -> Any:
    """How the learning rate goes from the first step to the last, for ``Descent``; the optimiser's own is the largest.

    Args:
        name: ``"onecycle"`` (Smith 2018, arXiv:1803.09820), ``"cosine"``, or ``"constant"``, which is no schedule: ``None``.
        optimizer: whose rate it is.
        total_steps: steps in all.
        cycle_momentum: of one cycle: lower the momentum while the rate is high.

    Raises:
        ArgumentError: another name.

    Example:
        >>> import minigrad
        >>> optimizer = minigrad.optim.SGD(minigrad.nn.Linear(1, 1).parameters(), lr=0.1)
        >>> type(schedule_of("cosine", optimizer, 10)).__name__, schedule_of("constant", optimizer, 10)
        ('CosineAnnealingLR', None)
    """
    if name == "onecycle":
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        return OneCycleLR(optimizer, rates, total_steps=total_steps, cycle_momentum=cycle_momentum)
    if name == "cosine":
        return CosineAnnealingLR(optimizer, total_steps)
    if name == "constant":
        return None
    raise ArgumentError("schedule_of", "name", f"one of {', '.join(SCHEDULES)}", repr(name))


def parts(batch: Sequence[Tensor], count: int) -> Iterator[tuple[float, tuple[Tensor, ...]]]:
    """A batch in at most ``count`` parts of nearly equal size, each with its share of the batch.

    Args:
        batch: Tensors of one first size.
        count: how many parts, at least 1.

    Example:
        >>> import minigrad
        >>> [(share, x.tolist()) for share, (x,) in parts([minigrad.arange(5)], 2)]
        [(0.6, [0, 1, 2]), (0.4, [3, 4])]
    """
    size = len(batch[0])
    count = max(1, min(count, size))
    ends = [-(-size * part // count) for part in range(count + 1)]
    for start, end in itertools.pairwise(ends):
        if end > start:
            yield (end - start) / size, tuple(tensor[start:end] for tensor in batch)


class Descent:
    """An optimiser with what belongs to its step, and the state of all of it.

    Args:
        module: what is trained.
        optimizer: of its parameters.
        schedule: stepped after each step of the optimiser.
        clip_norm: the largest norm of all gradients together (Pascanu et al. 2013, arXiv:1211.5063); 0: not clipped.
        average: an average of ``module``'s weights that is kept, such as ``ema(module, 0.999)``.

    Example:
        >>> import minigrad
        >>> model = minigrad.nn.Linear(2, 1)
        >>> descent = Descent(model, minigrad.optim.SGD(model.parameters(), lr=0.1), clip_norm=1.0)
        >>> x, y = minigrad.randn(8, 2), minigrad.randn(8, 1)
        >>> sorted(descent.step([((model(x) - y) ** 2).mean()]))
        ['grad_norm', 'loss', 'lr']
    """

    def __init__(
        self,
        module: Module,
        optimizer: Optimizer,
        *,
        schedule: Any = None,
        clip_norm: float = 0.0,
        average: AveragedModel | None = None,
    ) -> None:
        self.module, self.optimizer, self.schedule, self.average = module, optimizer, schedule, average
        self.clip_norm = clip_norm

    def step(self, losses: Iterable[Tensor]) -> dict[str, Tensor | float]:
        """One step down the sum of the losses.

        Args:
            losses: numbers that are backpropagated one by one, so that with a generator only one part's graph is in memory
                at a time: ``(share * loss(part) for share, part in parts(batch, 4))``.

        Returns:
            ``loss``, the sum; ``lr``, the rate of the step; and with ``clip_norm`` the norm of the gradients before it.

        Raises:
            ArgumentError: there are no losses.
        """
        self.optimizer.zero_grad()
        total: Tensor | None = None
        for loss in losses:
            loss.backward()
            total = loss.detach() if total is None else total + loss.detach()
        if total is None:
            raise ArgumentError("Descent.step", "losses", "at least one loss", "none")
        metrics: dict[str, Tensor | float] = {"loss": total, "lr": float(self.optimizer.param_groups[0]["lr"])}
        if self.clip_norm:
            metrics["grad_norm"] = clip_grad_norm_(self.module.parameters(), self.clip_norm)
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.module)
        return metrics

    @property
    def learned(self) -> Module:
        """What is to be measured and kept: the average where there is one, else the module itself."""
        return self.module if self.average is None else self.average.module

    def begin_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of another module, for the average too; what the optimiser knows is not touched.

        Raises:
            StateError: they do not fit; all that does not is named, and nothing was taken.
        """
        self.module.load_state_dict(weights)
        if self.average is not None:
            self.average.module.load_state_dict(weights)

    def _parts(self) -> dict[str, Any]:
        found = {"module": self.module, "optimizer": self.optimizer, "schedule": self.schedule, "average": self.average}
        return {name: part for name, part in found.items() if part is not None}

    def state_dict(self) -> dict[str, Any]:
        """The states of module, optimiser, schedule and average."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what ``state_dict`` gave.

        Raises:
            StateError: it belongs to another network, or to other settings.
        """
        own = self._parts()
        if not isinstance(state_dict, dict) or state_dict.keys() != own.keys():
            got = ", ".join(map(str, state_dict)) if isinstance(state_dict, dict) else f"a {type(state_dict).__name__}"
            raise StateError("Descent.load_state_dict", "state_dict", f"the parts {', '.join(own)}", got)
        for name, part in own.items():
            part.load_state_dict(state_dict[name])
