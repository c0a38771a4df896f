"""Averages of a model's weights over its training, with PyTorch's names.

The weights jump about where the loss is lowest, and their mean is often the better model: the mean over the last epochs
(Izmailov et al. 2018, https://arxiv.org/abs/1803.05407), or a running mean in which the past fades out (Polyak and
Juditsky 1992; the exponential moving average of the weights).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from minigrad.core.device import Array, device_of, move
from minigrad.core.hints import checked
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels.update import lerp
from minigrad.nn.module import Module
from minigrad.ops.creation import tensor
from minigrad.optim.optimizer import check_number

Average = Callable[[Tensor, Tensor, Any], Tensor]
Averages = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def _check_decay(where: str, decay: float) -> None:
    check_number(where, "decay", decay)
    if decay > 1:
        raise ArgumentError(where, "decay", "a share from 0 to 1", str(decay))


def _towards(averages: Sequence[Tensor], currents: Sequence[Tensor], share: float) -> None:
    """a <- a + share (p - a), in place; integers are rounded towards 0."""
    alike: dict[Any, tuple[list[Array], list[Array]]] = {}
    for average, current in zip(averages, currents, strict=True):
        a, p = average.array, current.array
        kind = a.dtype if type(a) is np.ndarray else (a.dtype, device_of(a))
        if a.dtype is p.dtype and a.dtype.itemsize >= 4 and a.dtype.kind == "f":
            ours, theirs = alike.setdefault(kind, ([], []))
            ours.append(a)
            theirs.append(p)
        else:
            a[...] = (a + (p.astype("float64") - a) * share).astype(a.dtype)
        if average._counter is not None:
            average._counter[0] += 1
    for ours, theirs in alike.values():
        lerp(ours, theirs, weight=share)


def _copy(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.array[...] = move(source.array, target.device)
        if target._counter is not None:
            target._counter[0] += 1


@checked
def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """The rule of the exponential moving average: a <- decay a + (1 - decay) p, for ``AveragedModel(multi_avg_fn=...)``.

    Raises:
        ArgumentError: ``decay`` lies outside 0 to 1.

    Example:
        >>> import minigrad
        >>> average = minigrad.tensor([1.0])
        >>> get_ema_multi_avg_fn(0.75)([average], [minigrad.tensor([3.0])], 1)
        >>> average.item()
        1.5
    """
    _check_decay("get_ema_multi_avg_fn", decay)

    def ema_update(averages: Sequence[Tensor], currents: Sequence[Tensor], count: Any) -> None:
        _towards(averages, currents, 1.0 - decay)

    return ema_update


@checked
def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The same rule for one tensor, for ``AveragedModel(avg_fn=...)``.

    Raises:
        ArgumentError: ``decay`` lies outside 0 to 1.

    Example:
        >>> import minigrad
        >>> get_ema_avg_fn(0.75)(minigrad.tensor(1.0), minigrad.tensor(3.0), 1).item()
        1.5
    """
    _check_decay("get_ema_avg_fn", decay)

    def ema_update(average: Tensor, current: Tensor, count: Any) -> Tensor:
        return average * decay + current * (1.0 - decay)

    return ema_update


@checked
def get_swa_multi_avg_fn() -> Averages:
    """The rule of the plain mean: a <- a + (p - a) / (n + 1), for ``AveragedModel(multi_avg_fn=...)``.

    Example:
        >>> import minigrad
        >>> average = minigrad.tensor([1.0])
        >>> get_swa_multi_avg_fn()([average], [minigrad.tensor([3.0])], 1)
        >>> average.item()
        2.0
    """

    def swa_update(averages: Sequence[Tensor], currents: Sequence[Tensor], count: Any) -> None:
        _towards(averages, currents, 1.0 / (int(count) + 1))

    return swa_update


@checked
def get_swa_avg_fn() -> Average:
    """The same rule for one tensor, for ``AveragedModel(avg_fn=...)``.

    Example:
        >>> import minigrad
        >>> get_swa_avg_fn()(minigrad.tensor(1.0), minigrad.tensor(3.0), 1).item()
        2.0
    """

    def swa_update(average: Tensor, current: Tensor, count: Any) -> Tensor:
        return average + (current - average) / (int(count) + 1)

    return swa_update


class AveragedModel(Module):
    """A model whose weights are an average of those of another model.

    Args:
        model: the model that is trained; copied here.
        device: where the average lives; by default where the model does.
        avg_fn: the average of one tensor from ``(average, current, number averaged so far)``.
        multi_avg_fn: updates all averages in place, from two lists and that number. Without either rule: the plain mean.
        use_buffers: average the buffers too (such as batch norm's running means), instead of copying them.

    Attributes:
        module: the averaged model.
        n_averaged: how many times ``update_parameters`` was called, a Tensor.

    Raises:
        ArgumentError: both rules.

    Example:
        >>> import minigrad
        >>> from minigrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
        >>> model = minigrad.nn.Linear(1, 1, bias=False)
        >>> average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
        >>> for weight in (0.0, 1.0, 1.0):
        ...     _ = minigrad.nn.init.constant_(model.weight, weight)
        ...     average.update_parameters(model)
        >>> average.module.weight.item()
        0.75
    """

    n_averaged: Tensor

    @checked
    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError("AveragedModel", "avg_fn, multi_avg_fn", "one of them, or none", "both")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model gives."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the weights of ``model`` into the average. The first time they are the average.

        Raises:
            ShapeError: ``model`` has other parameters than the one averaged.
        """
        averages, currents = self._tensors(self.module, self.use_buffers), self._tensors(model, self.use_buffers)
        shapes, theirs = [t.array.shape for t in averages], [t.array.shape for t in currents]
        if shapes != theirs:
            raise ShapeError("update_parameters", "model", f"tensors of the shapes {shapes}", str(theirs))
        averages, currents = [a.detach() for a in averages], [c.detach() for c in currents]
        for place, (a, c) in enumerate(zip(averages, currents, strict=True)):
            if type(c.array) is not np.ndarray or type(a.array) is not np.ndarray:
                currents[place] = c.to(a.device)
        count = int(self.n_averaged)
        if count == 0:
            _copy(averages, currents)
        elif self.avg_fn is not None:
            _copy(averages, [self.avg_fn(a, c, count) for a, c in zip(averages, currents, strict=True)])
        else:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(averages, currents, count)
        if not self.use_buffers:
            _copy(list(self.module.buffers()), list(model.buffers()))
        self.n_averaged.array += 1

    def _tensors(self, model: Module, buffers: bool) -> list[Tensor]:
        return [*model.parameters(), *(model.buffers() if buffers else ())]


@checked
@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Measure the running means of the model's batch norms anew, over one pass through ``loader``.

    An average of weights has seen no data, so that the means of its batch norms belong to no network.

    Args:
        loader: batches; of a tuple or list the first part is the input.
        model: the averaged model.
        device: where to move the inputs.

    Example:
        >>> import minigrad
        >>> model = minigrad.nn.BatchNorm1d(1)
        >>> update_bn([minigrad.tensor([[1.0], [3.0]]), minigrad.tensor([[4.0], [6.0]])], model)
        >>> model.running_mean.item()
        3.5
    """
    norms = [module for module in model.modules() if hasattr(module, "reset_running_stats") and hasattr(module, "momentum")]
    if not norms:
        return
    training, momenta = model.training, [norm.momentum for norm in norms]
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    try:
        for batch in loader:
            inputs = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(inputs if device is None else inputs.to(device))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        model.train(training)


__all__ = [
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]
