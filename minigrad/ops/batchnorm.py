"""Normalization over the batch; what it shares with that inside each sample, which is in ``normalization.py``.

The variance is of two passes, and the mean is corrected by what it leaves: numbers far from 0 lose nothing. The first
derivative is written out; while a backward pass is recorded, the same formula runs on Tensors, for derivatives of any order.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minigrad.core import tape
from minigrad.core.device import Array, array_module, quiet
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.inplace import overwrite
from minigrad.ops.lanes import laid_like, lanes
from minigrad.ops.operands import cast, check_dtype
from minigrad.ops.reduction import Sum

_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)


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
    group), or each sample's own.

    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift".
    """

    def forward(
        ctx, x: Array, w: Array | None, b: Array | None, groups: int, own: bool, eps: float, statistics: list[Array] | None
    ) -> Array:
        xp, source = array_module(x), x
        x, seen = lanes(x, own)
        count = x.size // max(groups * x.shape[0] if own else groups, 1)
        y = xp.empty_like(x)
        from_x, z = seen.table(x), seen.table(y)
        mean = _group_means(seen.sums(from_x), groups, count)
        xp.subtract(from_x, seen.spread(mean), out=z)
        rest = _group_means(seen.sums(z), groups, count)  # what rounding left of the mean
        var = xp.maximum(_group_means(seen.sums(z * z), groups, count) - rest * rest, 0)
        rstd = 1 / xp.sqrt(var + eps)
        scale = rstd if w is None else rstd * w
        z *= seen.spread(scale)
        z += seen.spread(-rest * scale if b is None else b - rest * scale)
        if statistics is not None:
            statistics += [mean + rest, var]
        ctx.groups, ctx.own, ctx.eps, ctx.affine = groups, own, eps, (x.shape[1],)
        if any(ctx.edges):
            ctx.save_for_backward(source, w, mean, rest, rstd)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, w, *kept = ctx.saved_tensors
        if tape.mode.grad:
            return *recorded(ctx, dy, x, w, ctx.plan(x.array.shape), ctx.eps), None, None, None, None
        need_x, need_w, need_b, *_ = ctx.needs_input_grad
        mean, rest, rstd = (each.array for each in kept)
        image, seen = lanes(x.array, ctx.own)
        xp, groups = array_module(image), ctx.groups
        count = image.size // (groups * image.shape[0] if ctx.own else groups)
        dx: Any = None
        dw: Any = None
        from_dy = seen.table(laid_like(dy.array, image))
        db = seen.sums(from_dy)
        if need_x or need_w:
            out = xp.empty_like(image)
            centred = xp.subtract(seen.table(image), seen.spread(mean), out=seen.table(out))
            product = centred * from_dy
            dw = (seen.sums(product) - rest * db) * rstd
        if need_x:
            # dx = scale dy - slope (x - mean) + shift: three passes over the image.
            scale = rstd if w is None else rstd * w.array
            along, level = (dw, db) if w is None else (dw * w.array, db * w.array)
            slope = rstd * rstd * _group_means(along, groups, count)
            shift = slope * rest - rstd * _group_means(level, groups, count)
            centred *= seen.spread(-slope)
            centred += xp.multiply(from_dy, seen.spread(scale), out=product)
            centred += seen.spread(shift)
            dx = Tensor._wrap(out)
        return (
            dx,
            Tensor._wrap(dw.sum(axis=0)) if need_w else None,
            Tensor._wrap(db.sum(axis=0)) if need_b else None,
            *(None,) * 4,
        )

    def plan(ctx, shape: tuple[int, ...]) -> Plan:
        """What is normalized together, for the formula on Tensors."""
        n, c, *rest = shape
        ones = [1] * len(rest)
        if not ctx.own:
            return Plan(shape, _all_but_channels(len(shape)), (1, c, *ones))
        view = (n, ctx.groups, c // ctx.groups, *rest)
        return Plan(view, tuple(range(2, len(view))), (1, ctx.groups, c // ctx.groups, *ones))


def _group_means(sums: Array, groups: int, count: int) -> Array:
    """Sums of channels (B, C) as the mean of each channel's group of ``count`` elements."""
    size = sums.shape[1] // groups
    if size == 1:
        return sums / count
    return array_module(sums).repeat(sums.reshape(sums.shape[0], groups, size).sum(axis=2) / count, size, axis=1)


def _all_but_channels(ndim: int) -> tuple[int, ...]:
    return (0, *range(2, ndim))


class Affine(Function):
    """y = w n + b, n = (x - m) r, r = 1 / √(v + eps), m and v given for each channel;  dx = w r dy, dw = Σ n dy, db = Σ dy."""

    def forward(ctx, x: Array, w: Array | None, b: Array | None, mean: Array, var: Array, eps: float) -> Array:
        xp, source = array_module(x), x
        x, seen = lanes(x, own=False)
        y = xp.empty_like(x)
        z = seen.table(y)
        rstd = 1 / xp.sqrt(var + eps)
        xp.subtract(seen.table(x), seen.spread(mean[None]), out=z)
        z *= seen.spread((rstd if w is None else rstd * w)[None])
        if b is not None:
            z += seen.spread(b[None])
        need_x, need_w, *_ = ctx.edges
        ctx.save_for_backward(source if need_w else None, w if need_x else None, mean, rstd)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, w, mean, rstd = ctx.saved_tensors
        need_x, need_w, need_b, *_ = ctx.needs_input_grad
        dx = dw = None
        axes = _all_but_channels(dy.array.ndim)
        if need_x:
            dx = dy * (rstd if w is None else rstd * w).reshape(_column(rstd.array, dy.array.ndim).shape)
        if need_w:
            dw = Sum.apply((x - Tensor._wrap(_column(mean.array, dy.array.ndim))) * dy, axes, False) * rstd
        return dx, dw, Sum.apply(dy, axes, False) if need_b else None, None, None, None


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
    where = "batch_norm"
    x = check_operands(where, input, (("weight", weight), ("bias", bias)))
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
        w, b = (None if t is None else cast(t, _SINGLE) for t in (weight, bias))
        return cast(batch_norm(cast(input, _SINGLE), running_mean, running_var, w, b, training, momentum, eps), _HALF)
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError(
                where,
                "running_mean, running_var",
                "both, outside training",
                "None",
                "Pass training=True to use the batch's own",
            )
        mean, var = (each.array.astype(x.dtype, copy=False) for each in (running_mean, running_var))
        return Affine.apply(input, weight, bias, mean, var, eps)
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
    y = ChannelNorm.apply(input, weight, bias, channels, False, eps, statistics)
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
