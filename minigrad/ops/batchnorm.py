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
from minigrad.ops.channels import ChannelSum, channel_sum
from minigrad.ops.inplace import overwrite
from minigrad.ops.operands import cast

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


class BatchNorm(Function):
    """y = w n + b, n = (x - m) r, r = 1 / √(v + eps), m and v the mean and variance of each channel.

    dx = w r (dy - mean(dy) - n mean(n dy)), dw = Σ n dy, db = Σ dy.

    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift".
    """

    def forward(ctx, x: Array, w: Array | None, b: Array | None, eps: float, statistics: list[Array]) -> Array:
        xp, count = array_module(x), x.size // x.shape[1]
        with quiet():
            mean = channel_sum(x) / count
            y = xp.subtract(x, _column(mean, x.ndim), out=xp.empty_like(x))
            rest = channel_sum(y) / count  # what rounding left of the mean
            square = y * y
            var = xp.maximum(channel_sum(square) / count - rest * rest, 0)
            rstd = 1 / xp.sqrt(var + eps)
            scale = rstd if w is None else rstd * w
            y *= _column(scale, x.ndim)
            y += _column(-rest * scale if b is None else b - rest * scale, x.ndim)
        statistics += [mean + rest, var]
        ctx.eps, ctx.affine = eps, mean.shape
        if any(ctx.edges):
            ctx.save_for_backward(x, w, mean, rest, rstd)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, w, mean, rest, rstd = ctx.saved_tensors
        if tape.mode.grad:
            shape = x.array.shape
            plan = Plan(shape, (0, *range(2, len(shape))), (1, shape[1], *[1] * (len(shape) - 2)))
            return *recorded(ctx, dy, x, w, plan, ctx.eps), None, None
        need_x, need_w, need_b, *_ = ctx.needs_input_grad
        dy, x, mean, rest, rstd = dy.array, x.array, mean.array, rest.array, rstd.array
        xp, ndim, count = array_module(x), x.ndim, x.size // x.shape[1]
        dx = dw = None
        with quiet():
            db = channel_sum(dy)
            if need_x or need_w:
                centred = xp.subtract(x, _column(mean, ndim), out=xp.empty_like(x))
                product = xp.multiply(centred, dy, out=xp.empty_like(x))
                dw = (channel_sum(product) - rest * db) * rstd
            if need_x:
                # dx = scale dy - slope (x - mean) + shift: three passes over the image.
                scale = rstd if w is None else rstd * w.array
                slope = scale * rstd * dw / count
                dx = centred
                dx *= _column(-slope, ndim)
                dx += xp.multiply(dy, _column(scale, ndim), out=product)
                dx += _column(slope * rest - scale * db / count, ndim)
        return (
            Tensor._wrap(dx) if need_x else None,
            Tensor._wrap(dw) if need_w else None,
            Tensor._wrap(db) if need_b else None,
            None,
            None,
        )


class Affine(Function):
    """y = w n + b, n = (x - m) r, r = 1 / √(v + eps), m and v given for each channel;  dx = w r dy, dw = Σ n dy, db = Σ dy."""

    def forward(ctx, x: Array, w: Array | None, b: Array | None, mean: Array, var: Array, eps: float) -> Array:
        xp = array_module(x)
        with quiet():
            rstd = 1 / xp.sqrt(var + eps)
            y = xp.subtract(x, _column(mean, x.ndim), out=xp.empty_like(x))
            y *= _column(rstd if w is None else rstd * w, x.ndim)
            if b is not None:
                y += _column(b, x.ndim)
        need_x, need_w, *_ = ctx.edges
        ctx.save_for_backward(x if need_w else None, w if need_x else None, mean, rstd)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, w, mean, rstd = ctx.saved_tensors
        need_x, need_w, need_b, *_ = ctx.needs_input_grad
        dx = dw = None
        if need_x:
            dx = dy * (rstd if w is None else rstd * w).reshape(_column(rstd.array, dy.array.ndim).shape)
        if need_w:
            dw = ChannelSum.apply((x - Tensor._wrap(_column(mean.array, dy.array.ndim))) * dy) * rstd
        return dx, dw, ChannelSum.apply(dy) if need_b else None, None, None, None


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
    channels = x.shape[1]
    named = (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias))
    check_channels(where, x, named)
    if x.dtype == _HALF:
        wide = [None if t is None else cast(t, _SINGLE) for t in (input, weight, bias)]
        y = batch_norm(wide[0], running_mean, running_var, wide[1], wide[2], training, momentum, eps)
        return cast(y, _HALF)
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
            "Use a larger batch, or call .eval() on the module",
        )
    statistics: list[Array] = []
    y = BatchNorm.apply(input, weight, bias, eps, statistics)
    if count:
        update_running(where, running_mean, statistics[0], momentum)
        update_running(where, running_var, statistics[1] * (count / (count - 1)), momentum)
    return y


def update_running(where: str, running: Tensor | None, batch: Array, momentum: float) -> None:
    """running += momentum (batch - running), in place."""
    if running is not None:
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
