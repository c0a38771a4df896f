"""Normalization inside each sample; that over the batch, and what both share, is in ``batchnorm.py``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.core import tape
from minigrad.core.device import Array
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels import norm as kernel
from minigrad.ops.batchnorm import ChannelNorm, Plan, batch_norm, check_channels, check_operands, recorded, update_running
from minigrad.ops.dims import sizes
from minigrad.ops.operands import cast
from minigrad.ops.padding import pad
from minigrad.ops.pooling import avg_pool2d

_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)


class LayerNorm(Function):
    """y = w n + b, n = (x - m) r, r = 1 / √(v + eps), m and v the mean and variance of the last dimensions.

    dx = r (w dy - mean(w dy) - n mean(n w dy)), dw = Σ n dy, db = Σ dy.

    Source: Ba and others, "Layer Normalization".
    """

    def forward(ctx, x: Array, w: Array | None, b: Array | None, last: tuple[int, ...], eps: float) -> Array:
        y, mean, var = kernel.layer_forward(_rows(x, last), _flat(w), _flat(b), eps=eps)
        ctx.last, ctx.eps, ctx.affine = last, eps, last
        if any(ctx.edges):
            ctx.save_for_backward(x, w, mean, var)
        return y.reshape(x.shape)

    def backward(ctx, dy: Tensor) -> Any:
        x, w, mean, var = ctx.saved_tensors
        if tape.mode.grad:
            shape = x.array.shape
            plan = Plan(shape, tuple(range(len(shape) - len(ctx.last), len(shape))), ctx.last)
            return *recorded(ctx, dy, x, w, plan, ctx.eps), None, None
        rows = _rows(dy.array, ctx.last), _rows(x.array, ctx.last)
        weight = None if w is None else _flat(w.array)
        found = kernel.layer_backward(*rows, mean.array, var.array, weight, eps=ctx.eps)
        shapes = (x.array.shape, ctx.last, ctx.last)
        return (
            *(
                Tensor._wrap(each.reshape(shape)) if need else None
                for each, shape, need in zip(found, shapes, ctx.needs_input_grad[:3], strict=True)
            ),
            None,
            None,
        )


def _rows(x: Array, last: tuple[int, ...]) -> Array:
    """(..., *last) as (rows, elements)."""
    return x.reshape(math.prod(x.shape[: x.ndim - len(last)]), math.prod(last))


def _flat(values: Array | None) -> Array | None:
    return values if values is None or values.ndim == 1 else values.reshape(-1)


# ---------------------------------------------------------------------- what the user calls


def layer_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """The last dimensions of each sample brought to mean 0 and variance 1 together, then scaled and shifted.

    Args:
        input: (..., *normalized_shape).
        normalized_shape: the sizes of the last dimensions, one or several.
        weight, bias: of shape ``normalized_shape``, scale and shift.
        eps: added to the variance.

    Raises:
        ShapeError: ``input`` does not end in these sizes, or ``weight`` or ``bias`` is not of them.
        DTypeError: integers, or several dtypes.

    Example:
        >>> import minigrad
        >>> minigrad.layer_norm(minigrad.tensor([[1.0, 3.0], [10.0, 30.0]]), (2,))
        tensor([[-1.0000,  1.0000],
                [-1.0000,  1.0000]])
    """
    x, shape = _check_last("layer_norm", input, normalized_shape, (("weight", weight), ("bias", bias)))
    if x.dtype != _HALF:
        return LayerNorm.apply(input, weight, bias, shape, eps)
    wide = [None if t is None else cast(t, _SINGLE) for t in (input, weight, bias)]
    return cast(LayerNorm.apply(*wide, shape, eps), _HALF)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Groups of a sample's channels brought to mean 0 and variance 1, then scaled and shifted by channel.

    Args:
        input: (N, C, ...).
        num_groups: divides C.
        weight, bias: (C,), scale and shift.
        eps: added to the variance.

    Raises:
        ShapeError: C is not divided by ``num_groups``; a group has one value; or shapes that do not fit.
        DTypeError: integers, or several dtypes.

    Example:
        >>> import minigrad
        >>> minigrad.group_norm(minigrad.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
        tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    where = "group_norm"
    x = check_operands(where, input, (("weight", weight), ("bias", bias)))
    if x.ndim < 2:
        raise ShapeError(where, "input", "2 dimensions (N, C) or more", f"shape {x.shape}")
    if not isinstance(num_groups, int) or num_groups < 1:
        raise ArgumentError(where, "num_groups", "a whole number of at least 1", repr(num_groups))
    if x.shape[1] % num_groups:
        raise ShapeError(where, "input", f"a number of channels that num_groups={num_groups} divides", f"shape {x.shape}")
    check_channels(where, x, (("weight", weight), ("bias", bias)))
    if x.size == num_groups and x.shape[0] == 1:
        raise ShapeError(where, "input", "more than one value for each group", f"shape {x.shape}", "Use fewer groups")
    return _in_samples(input, weight, bias, num_groups, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each sample brought to mean 0 and variance 1, then scaled and shifted by channel.

    Args:
        input: (N, C, ...).
        running_mean, running_var: (C,); see ``batch_norm``. They take up the means over the samples.
        weight, bias: (C,), scale and shift.
        use_input_stats: use each sample's own mean and variance; else the running ones.
        momentum, eps: as in ``batch_norm``.

    Raises:
        ShapeError: a channel of a sample has one value; or shapes that do not fit.
        ArgumentError: no running statistics where they are to be used.
        DTypeError: integers, or several dtypes.

    Source: Ulyanov and others, "Instance Normalization: The Missing Ingredient for Fast Stylization".

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.instance_norm(minigrad.tensor([[[1.0, 3.0], [10.0, 30.0]]]))
        tensor([[[-1.0000,  1.0000],
                 [-1.0000,  1.0000]]])
    """
    where = "instance_norm"
    x = check_operands(where, input, (("weight", weight), ("bias", bias)))
    if x.ndim < 3:
        raise ShapeError(where, "input", "3 dimensions (N, C, L) or more", f"shape {x.shape}")
    named = (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias))
    check_channels(where, x, named)
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ArgumentError(where, "running_mean, running_var", "both, without use_input_stats", "None")
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    count = math.prod(x.shape[2:])
    if count == 1:
        raise ShapeError(where, "input", "more than one value for each channel of a sample", f"shape {x.shape}")
    statistics: list[Array] = []
    y = _in_samples(input, weight, bias, x.shape[1], eps, statistics)
    if x.size and (running_mean is not None or running_var is not None):
        mean, var = (each.sum(axis=0) / x.shape[0] for each in statistics)
        update_running(where, running_mean, mean, momentum)
        update_running(where, running_var, var * (count / (count - 1)), momentum)
    return y


def _in_samples(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, groups: int, eps: float, statistics: list[Array] | None = None
) -> Tensor:
    """Groups of each sample's channels normalized."""
    if input.array.dtype != _HALF:
        return ChannelNorm.apply(input, weight, bias, None, groups, True, eps, False, statistics)
    wide = [None if t is None else cast(t, _SINGLE) for t in (input, weight, bias)]
    return cast(ChannelNorm.apply(*wide, None, groups, True, eps, False, statistics), _HALF)


def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """The last dimensions of each sample divided by the root of their mean square, then scaled.

    Args:
        input: (..., *normalized_shape).
        normalized_shape: the sizes of the last dimensions, one or several.
        weight: of shape ``normalized_shape``.
        eps: added to the mean square; by default the dtype's smallest step at 1.

    Raises:
        ShapeError: ``input`` does not end in these sizes, or ``weight`` is not of them.
        DTypeError: integers, or several dtypes.

    Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", equation 4.

    Example:
        >>> import minigrad
        >>> minigrad.rms_norm(minigrad.tensor([[3.0, -3.0]]), (2,))
        tensor([[ 1., -1.]])
    """
    x, shape = _check_last("rms_norm", input, normalized_shape, (("weight", weight),))
    if x.dtype == _HALF:
        return cast(rms_norm(cast(input, _SINGLE), shape, None if weight is None else cast(weight, _SINGLE), eps), _HALF)
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    square = (input * input).sum(axes, True) / math.prod(shape)
    y = input * (square + (float(np.finfo(x.dtype).eps) if eps is None else eps)).rsqrt()
    return y if weight is None else y * weight


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Each value divided by a power of the mean square of its neighbours in ``size`` channels.

    Args:
        input: (N, C, ...).
        size: how many channels are neighbours.
        alpha, beta, k: it is divided by ``(k + alpha * mean square) ** beta``.

    Raises:
        ShapeError: fewer than three dimensions.

    Source: Krizhevsky and others, "ImageNet Classification with Deep Convolutional Neural Networks", section 3.3.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.local_response_norm(minigrad.ones(1, 2, 1), 2, alpha=2.0, beta=1.0)
        tensor([[[0.5000],
                 [0.3333]]])
    """
    x = check_operands("local_response_norm", input, ())
    if x.ndim < 3:
        raise ShapeError("local_response_norm", "input", "3 dimensions (N, C, L) or more", f"shape {x.shape}")
    if not x.size:
        return input
    lines = (input * input).reshape(x.shape[0], 1, x.shape[1], math.prod(x.shape[2:]))
    mean = avg_pool2d(pad(lines, (0, 0, size // 2, (size - 1) // 2)), (size, 1), stride=1)
    return input / (mean.reshape(x.shape) * alpha + k).pow(beta)


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """Vectors along ``dim`` divided by their ``p``-norm.

    Args:
        input: Tensor.
        p: the norm's degree.
        dim: where the vectors' components are; one dimension or several.
        eps: no norm counts as less.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.normalize(minigrad.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]])
    """
    check_tensor("normalize", "input", input)
    return input / input.norm(p, dim, True).clamp(min=eps)


# ---------------------------------------------------------------------- arguments


def _check_last(
    where: str, input: Tensor, normalized_shape: Any, named: tuple[tuple[str, Tensor | None], ...]
) -> tuple[Array, tuple[int, ...]]:
    """The array, and the sizes of its last dimensions that go together."""
    x = check_operands(where, input, named)
    shape = sizes(where, (normalized_shape,), "normalized_shape")
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(where, "input", f"last sizes {shape}, which are normalized_shape", f"shape {x.shape}")
    for name, values in named:
        if values is not None and values.array.shape != shape:
            raise ShapeError(where, name, f"shape {shape}, which is normalized_shape", f"shape {values.array.shape}")
    return x, shape


__all__ = ["group_norm", "layer_norm", "rms_norm"]
FUNCTIONAL = (
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
)
METHODS = ()
