"""Dense layers: each output sees all features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad.core.device import Array
from minigrad.core.sums import total
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import DTypeError, ShapeError
from minigrad.kernels.recurrence import Memo
from minigrad.ops.activation import Relu, activate, behind_relu
from minigrad.ops.contraction import product
from minigrad.ops.linalg import matmul
from minigrad.ops.reduction import Sum
from minigrad.ops.step_weights import Gather, as_rows, called, kept_weights, repeated, worth


class Linear(Function):
    """y = x wᵀ + b;  dx = dy w, dw = dyᵀ x, db = Σ dy, over all rows.

    With ``relu`` it is y = max(0, x wᵀ + b), and dy counts only where y > 0. Weights that many calls of a graph share are given
    with a ticket, and ``gather``, or with ``memo``, where nothing is recorded: see ``step_weights.py``.
    """

    gather: Gather | None = None

    def forward(
        ctx,
        x: Array,
        w: Array,
        b: Array | None,
        ticket: Any = None,
        *,
        relu: bool = False,
        gather: Gather | None = None,
        memo: Memo | None = None,
    ) -> Array:
        need_x, need_w, *_ = ctx.edges
        if gather is not None:
            ctx.gather = gather
        y = product(as_rows(x), w.T, b, relu, memo)
        if x.ndim != 2:
            y = y.reshape(*x.shape[:-1], w.shape[0])
        ctx.save_for_backward(x if need_w else None, w if need_x else None, y if relu else None)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, w, y = ctx.saved_tensors
        if y is not None:
            dy = behind_relu(dy, y.array)
        need_x, need_w, need_b, *ticket = ctx.needs_input_grad
        dx = dw = db = None
        if need_x:
            dx = Tensor._wrap(_input_gradient(dy.array, w.array)) if mode.direct else LinearInput.apply(dy, w)
        if ctx.gather is not None and ticket[0] and ctx.gather.gathers:
            return dx, None, None, ctx.gather.leave(as_rows(dy.array), as_rows(x.array))
        if need_w:
            dw = Tensor._wrap(_weight_gradient(dy.array, x.array)) if mode.direct else LinearWeight.apply(x, dy)
        if need_b:
            axes = tuple(range(dy.array.ndim - 1))
            db = Tensor._wrap(total(dy.array, axes)) if mode.direct else Sum.apply(dy, axes, False)
        return (dx, dw, db, None) if ticket else (dx, dw, db)


class LinearInput(Function):
    """dx = dy w;  with g the gradient of dx: ddy = g wᵀ, dw = dyᵀ g."""

    def forward(ctx, dy: Array, w: Array) -> Array:
        need_dy, need_w = ctx.edges
        ctx.save_for_backward(dy if need_w else None, w if need_dy else None)
        return _input_gradient(dy, w)

    def backward(ctx, g: Tensor) -> Any:
        dy, w = ctx.saved_tensors
        need_dy, need_w = ctx.needs_input_grad
        return Linear.apply(g, w, None) if need_dy else None, LinearWeight.apply(g, dy) if need_w else None


class LinearWeight(Function):
    """dw = dyᵀ x, over all rows;  with g the gradient of dw: dx = dy g, ddy = x gᵀ."""

    def forward(ctx, x: Array, dy: Array) -> Array:
        need_x, need_dy = ctx.edges
        ctx.save_for_backward(x if need_dy else None, dy if need_x else None)
        return _weight_gradient(dy, x)

    def backward(ctx, g: Tensor) -> Any:
        x, dy = ctx.saved_tensors
        need_x, need_dy = ctx.needs_input_grad
        return LinearInput.apply(dy, g) if need_x else None, Linear.apply(x, g, None) if need_dy else None


def _input_gradient(dy: Array, w: Array) -> Array:
    dx = product(as_rows(dy), w)
    return dx if dy.ndim == 2 else dx.reshape(*dy.shape[:-1], w.shape[1])


def _weight_gradient(dy: Array, x: Array) -> Array:
    return product(as_rows(dy).T, as_rows(x))


def _products(need: Sequence[bool], dy: Array, x: Array) -> tuple[Array | None, Array | None]:
    """The gradients of weight and bias, from the rows of all calls."""
    return product(dy.T, x) if need[0] else None, total(dy, (0,)) if need[1] else None


def _called(x: Tensor, w: Tensor, b: Tensor | None, relu: bool) -> Tensor:
    """``Linear``, which shares its weights with other calls of the graph that have few rows, or of a ``Stepping``."""
    if (memo := kept_weights(w)) is not None:
        return Linear.apply(x, w, b, relu=relu, memo=memo)
    rows, (out, features) = x.array.shape[:-1], w.array.shape
    if not (mode.grad and w._requires_grad and worth(math.prod(rows) * (out + features), out * features)):
        return Linear.apply(x, w, b, relu=True) if relu else Linear.apply(x, w, b)
    gather = repeated("_step_linear", (w, b), _products)
    if gather is not None:
        return Linear.apply(x, *gather.handed_on((w, b)), relu=relu, gather=gather)
    y: Tensor = Linear.apply(x, w, b, relu=relu)
    called("_step_linear", w, y._node)
    return y


def linear_relu(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``relu(linear(...))`` as one op: what ``nn.Sequential`` makes of the two layers."""
    _check_linear(input, weight, bias)
    if weight.array.ndim == 1 or input.array.dtype.itemsize < 4:
        return activate("relu", Relu, linear(input, weight, bias))
    return _called(input, weight, bias, True)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``: each output is a weighted sum of the features.

    Args:
        input: (..., in_features).
        weight: (out_features, in_features); or (in_features,) for one output, which then has no dimension of its own.
        bias: (out_features,), or ().

    Raises:
        ShapeError: the numbers of features differ, or ``weight`` has other dimensions.
        DTypeError: the operands are of several dtypes, or integers.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.linear(minigrad.ones(2, 3), minigrad.ones(1, 3), minigrad.tensor([0.5]))
        tensor([[3.5000],
                [3.5000]])
    """
    _check_linear(input, weight, bias)
    if weight.array.ndim == 1:
        y = matmul(input, weight)
        return y if bias is None else y + bias
    return _called(input, weight, bias, False)


def _check_linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    check_operands("linear", input, weight, bias)
    w_shape = weight.array.shape
    if len(w_shape) not in (1, 2):
        raise ShapeError("linear", "weight", "2 dimensions (out_features, in_features)", f"shape {w_shape}")
    if input.array.ndim == 0 or input.array.shape[-1] != w_shape[-1]:
        raise ShapeError(
            "linear",
            "input",
            f"{w_shape[-1]} features in the last dimension, as weight has shape {w_shape}",
            f"shape {input.array.shape}",
        )
    if bias is not None and bias.array.shape != w_shape[:-1]:
        raise ShapeError("linear", "bias", f"shape {w_shape[:-1]}, one value for each output", f"shape {bias.array.shape}")


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``y[..., f] = input1[..., :] @ weight[f] @ input2[..., :] + bias[f]``.

    Args:
        input1: (..., in1_features).
        input2: (..., in2_features), with the same sizes before.
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,).

    Raises:
        ShapeError: the numbers of features or the sizes before differ.
        DTypeError: the operands are of several dtypes, or integers.

    Example:
        >>> import minigrad
        >>> minigrad.bilinear(minigrad.tensor([1.0, 2.0]), minigrad.tensor([3.0]), minigrad.ones(1, 2, 1))
        tensor([9.])
    """
    check_operands("bilinear", input1, weight, bias)
    check_operands("bilinear", input1, input2, None, "input2")
    one, two, w = input1.array.shape, input2.array.shape, weight.array.shape
    if len(w) != 3:
        raise ShapeError("bilinear", "weight", "3 dimensions (out_features, in1_features, in2_features)", f"shape {w}")
    for name, shape, features in (("input1", one, w[1]), ("input2", two, w[2])):
        if not shape or shape[-1] != features:
            raise ShapeError("bilinear", name, f"{features} features at last, as weight has {w}", f"shape {shape}")
    if one[:-1] != two[:-1]:
        raise ShapeError("bilinear", "input2", f"sizes {one[:-1]} before the features, as input1 has", f"shape {two}")
    if bias is not None and bias.array.shape != w[:1]:
        raise ShapeError("bilinear", "bias", f"shape {w[:1]}, one value for each output", f"shape {bias.array.shape}")
    between = linear(input1, weight.transpose(1, 2).reshape(w[0] * w[2], w[1])).reshape(*one[:-1], w[0], w[2])
    y = (between * input2.unsqueeze(-2)).sum(-1)
    return y if bias is None else y + bias


def check_operands(where: str, x: Tensor, w: Tensor, b: Tensor | None, name_of_w: str = "weight") -> None:
    """That all are Tensors of one float dtype.

    Raises:
        DTypeError: they are not.
    """
    dtype = check_tensor(where, "input", x).array.dtype
    if dtype.kind != "f":
        raise DTypeError(where, "input", "a float dtype", str(dtype), "Convert it with .float()")
    operands = ((name_of_w, w),) if b is None else ((name_of_w, w), ("bias", b))
    for name, operand in operands:
        if check_tensor(where, name, operand).array.dtype != dtype:
            theirs = operand.array.dtype
            remedy = f"Convert the input with .to(minigrad.{theirs}), or the {name}"
            raise DTypeError(where, name, f"{dtype}, as input has", str(theirs), remedy)


__all__ = ["bilinear"]
FUNCTIONAL = ("bilinear", "linear")
METHODS = ()
