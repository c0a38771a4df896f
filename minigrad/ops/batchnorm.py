"""Normalization over the batch; what it shares with that inside each sample, which is in ``normalization.py``.

``minigrad.kernels.norm`` has the formulas, of the first derivative too; while a backward pass is recorded, the same formula
runs on Tensors, for derivatives of any order.

A batch norm may go on to add a residual and to rectify: a network's ``relu(norm(x))`` and ``relu(norm(x) + y)`` then pass
through memory once. ``nn.Sequential`` asks for it by itself.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minigrad.core import tape
from minigrad.core.device import Array, quiet
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import norm as kernel
from minigrad.ops.activation import behind_relu
from minigrad.ops.inplace import overwrite
from minigrad.ops.operands import cast, check_dtype
from minigrad.ops.reduction import Sum

_HALF, _SINGLE, _DOUBLE = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)


class Plan(NamedTuple):
    """What is normalized together.

    ``view`` is the shape in which the input is looked at, ``axes`` those over which mean and variance are taken, ``params``
    the shape, in that view, of weight and bias.
    """

    view: tuple[int, ...]
    axes: tuple[int, ...]
    params: tuple[int, ...]


def recorded(ctx: Any, dy: Tensor, x: Tensor, w: Tensor | None, plan: Plan, eps: float) -> Any:
    """dx, dw and db by Tensors' ops, from x alone: what is recorded for derivatives of higher order."""
    need_x, need_w, need_b, *_ = ctx.needs_input_grad
    shape = x.array.shape
    dy, x = dy.reshape(plan.view), x.reshape(plan.view)
    count = math.prod(plan.view[axis] for axis in plan.axes)
    centred = x - x.sum(plan.axes, True) / count
    rstd = ((centred * centred).sum(plan.axes, True) / count + eps).rsqrt()
    normal = centred * rstd
    dx = dw = db = None
    if need_x:
        g = dy if w is None else dy * w.reshape(plan.params)
        dx = g - g.sum(plan.axes, True) / count - normal * ((g * normal).sum(plan.axes, True) / count)
        dx = (dx * rstd).reshape(shape)
    if need_w:
        dw = (dy * normal).sum_to_size(plan.params).reshape(ctx.affine)
    if need_b:
        db = dy.sum_to_size(plan.params).reshape(ctx.affine)
    return dx, dw, db


def _column(values: Array, ndim: int) -> Array:
    """(C,) as (C, 1, ...), which broadcasts over (N, C, ...)."""
    return values.reshape(-1, *[1] * (ndim - 2))


class ChannelNorm(Function):
    """y = w n + b, n = (x - m) r, r = 1 / √(v + eps); m and v the mean and variance of each group of channels.

    dx = r (w dy - mean(w dy) - n mean(n w dy)), dw = Σ n dy, db = Σ dy. Means are over the batch (then each channel is a
    group), or each sample's own. With ``relu``, y = max(w n + b + residual, 0), and the formulas are those of the dy that
    the gate lets pass, which is the residual's gradient.

    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift".
    """

    def forward(
        ctx,
        x: Array,
        w: Array | None,
        b: Array | None,
        residual: Array | None,
        groups: int,
        own: bool,
        eps: float,
        relu: bool,
        statistics: list[Array] | None,
    ) -> Array:
        mean, var = kernel.statistics(x, groups, own=own)
        y = kernel.normalize(x, mean, var, w, b, residual, eps=eps, relu=relu)
        if statistics is not None:
            statistics += [mean, var]
        ctx.groups, ctx.own, ctx.eps, ctx.relu, ctx.affine = groups, own, eps, relu, (x.shape[1],)
        if any(ctx.edges):
            ctx.save_for_backward(x, w, b if relu else None, None if residual is None else y, mean, var)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, w, b, y, mean, var = ctx.saved_tensors
        if tape.mode.grad:
            if ctx.relu:
                dy = behind_relu(dy, ctx.result(x, w, b, y, mean, var))
            return *recorded(ctx, dy, x, w, ctx.plan(x.array.shape), ctx.eps), None if y is None else dy, *(None,) * 5
        arrays = (x.array, mean.array, var.array, None if w is None else w.array)
        if y is None:
            shift = None if b is None else b.array
            found = (*kernel.gradients(dy.array, *arrays, shift, eps=ctx.eps, relu=ctx.relu), None)
        else:
            found = kernel.residual_gradients(dy.array, y.array, *arrays, eps=ctx.eps)
        wanted = [Tensor._wrap(each) if need else None for each, need in zip(found, ctx.needs_input_grad[:4], strict=True)]
        return *wanted, *(None,) * 5

    def result(ctx, x: Any, w: Any, b: Any, y: Any, mean: Any, var: Any) -> Array:
        """What forward gave, which is kept only where it is needed for the first derivative."""
        if y is not None:
            return y.array
        scale, shift = (None if each is None else each.array for each in (w, b))
        return kernel.normalize(x.array, mean.array, var.array, scale, shift, None, eps=ctx.eps, relu=True)

    def plan(ctx, shape: tuple[int, ...]) -> Plan:
        """What is normalized together, for the formula on Tensors."""
        n, c, *rest = shape
        ones = [1] * len(rest)
        if not ctx.own:
            return Plan(shape, _all_but_channels(len(shape)), (1, c, *ones))
        view = (n, ctx.groups, c // ctx.groups, *rest)
        return Plan(view, tuple(range(2, len(view))), (1, ctx.groups, c // ctx.groups, *ones))


def _all_but_channels(ndim: int) -> tuple[int, ...]:
    return (0, *range(2, ndim))


class Affine(Function):
    """y = w n + b, n = (x - m) r, r = 1 / √(v + eps), m and v given for each channel;  dx = w r dy, dw = Σ n dy, db = Σ dy.

    With ``relu``, y = max(w n + b + residual, 0), and dy is what the gate lets pass.
    """

    def forward(
        ctx,
        x: Array,
        w: Array | None,
        b: Array | None,
        residual: Array | None,
        mean: Array,
        var: Array,
        eps: float,
        relu: bool,
    ) -> Array:
        mean, var = (each.astype(_DOUBLE)[None] for each in (mean, var))
        y = kernel.normalize(x, mean, var, w, b, residual, eps=eps, relu=relu)
        need_x, need_w, *_ = ctx.edges
        if any(ctx.edges):
            rstd = 1 / (var + eps) ** 0.5
            column = (-1, *[1] * (x.ndim - 2))
            kept = [each.astype(x.dtype).reshape(column) for each in (mean, rstd)]
            ctx.save_for_backward(x if need_w else None, w if need_x else None, y if relu else None, *kept)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, w, y, mean, rstd = ctx.saved_tensors
        need_x, need_w, need_b, need_residual, *_ = ctx.needs_input_grad
        if y is not None:
            dy = behind_relu(dy, y.array)
        dx = dw = None
        axes = _all_but_channels(dy.array.ndim)
        if need_x:
            dx = dy * (rstd if w is None else rstd * w.reshape(rstd.array.shape))
        if need_w:
            dw = Sum.apply((x - mean) * dy, axes, False) * rstd.reshape(-1)
        db = Sum.apply(dy, axes, False) if need_b else None
        return dx, dw, db, dy if need_residual else None, *(None,) * 4


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel brought to mean 0 and variance 1, then scaled and shifted.

    Args:
        input: (N, C) or (N, C, ...).
        running_mean, running_var: (C,). In training they take up ``momentum`` of the batch's mean and (unbiased) variance, in
            place, and may be left out; outside training they are what is normalized by.
        weight, bias: (C,), scale and shift.
        training: use the batch's own mean and variance.
        momentum: the weight of the batch in the running statistics.
        eps: added to the variance.

    Raises:
        ShapeError: a channel has one value in training; or shapes that do not fit.
        ArgumentError: no running statistics outside training.
        DTypeError: integers, or several dtypes.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([[1.0, 10.0], [3.0, 30.0]])
        >>> minigrad.nn.functional.batch_norm(x, None, None, training=True)
        tensor([[-1.0000, -1.0000],
                [ 1.0000,  1.0000]])
    """
    return batch_norm_with(input, running_mean, running_var, weight, bias, training, momentum, eps)


def batch_norm_with(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    residual: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """``batch_norm``, and what follows it in one pass: ``max(batch_norm(input, ...) + residual, 0)``.

    Args:
        input, running_mean, running_var, weight, bias, training, momentum, eps: see ``batch_norm``.
        residual: of the shape of ``input``; with ``relu`` only.
        relu: set what is below 0 to 0.

    Raises:
        ShapeError, ArgumentError, DTypeError: as ``batch_norm``.
    """
    where = "batch_norm"
    x = check_operands(where, input, (("weight", weight), ("bias", bias), ("residual", residual)))
    if x.ndim < 2:
        raise ShapeError(where, "input", "2 dimensions (N, C) or more", f"shape {x.shape}")
    if (running_mean is None) != (running_var is None):
        raise ArgumentError(where, "running_mean, running_var", "both or neither", "one of them")
    for name, tracked in (("running_mean", running_mean), ("running_var", running_var)):
        if tracked is not None:
            check_dtype(where, name, tracked, "f")
    if not eps >= 0:
        raise ArgumentError(where, "eps", "0 or more", str(eps))
    channels = x.shape[1]
    named = (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias))
    check_channels(where, x, named)
    if x.dtype == _HALF:
        wide = cast(input, _SINGLE)
        w, b, added = (None if t is None else cast(t, _SINGLE) for t in (weight, bias, residual))
        return cast(batch_norm_with(wide, running_mean, running_var, w, b, training, momentum, eps, added, relu), _HALF)
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError(
                where,
                "running_mean, running_var",
                "both, outside training",
                "None",
                "Pass training=True to use the batch's own",
            )
        return Affine.apply(input, weight, bias, residual, running_mean.array, running_var.array, eps, relu)
    count = x.size // channels if channels else 0
    if count == 1:
        raise ShapeError(
            where,
            "input",
            "more than one value for each channel in training",
            f"shape {x.shape}",
            "Use a larger batch (drop_last=True leaves a last one of one sample out), larger images, or .eval()",
        )
    statistics: list[Array] = []
    y = ChannelNorm.apply(input, weight, bias, residual, channels, False, eps, relu, statistics)
    if count:
        mean, var = (each[0] for each in statistics)
        update_running(where, running_mean, mean, momentum)
        update_running(where, running_var, var * (count / (count - 1)), momentum)
    return y


def update_running(where: str, running: Tensor | None, batch: Array, momentum: float) -> None:
    """running += momentum (batch - running), in place."""
    if running is not None:
        with quiet():
            overwrite(where, running, running.array * (1 - momentum) + batch.astype(running.array.dtype) * momentum)


def check_operands(where: str, input: Tensor, named: tuple[tuple[str, Tensor | None], ...]) -> Array:
    x = check_tensor(where, "input", input).array
    if x.dtype.kind != "f":
        raise DTypeError(where, "input", "a float dtype", str(x.dtype), "Convert it with .float()")
    for name, values in named:
        if values is not None and check_tensor(where, name, values).array.dtype != x.dtype:
            got, remedy = str(values.array.dtype), "Convert one of them with .to()"
            raise DTypeError(where, name, f"{x.dtype}, as input has", got, remedy)
    return x


def check_channels(where: str, x: Array, named: tuple[tuple[str, Tensor | None], ...]) -> None:
    for name, values in named:
        if values is not None and check_tensor(where, name, values).array.shape != (x.shape[1],):
            expected = f"shape ({x.shape[1]},), one value for each channel of input {x.shape}"
            raise ShapeError(where, name, expected, f"shape {values.array.shape}")


__all__: list[str] = []
FUNCTIONAL = ("batch_norm",)
METHODS = ()
