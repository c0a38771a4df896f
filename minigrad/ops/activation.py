"""Activation functions made of straight pieces: the rectifiers and their kin. The bent ones are in ``smooth.py``.

At a kink the derivative is the one that PyTorch takes, at NaN that of its formula for one number: dy passes unless a comparison
held it back. (Its CPU kernels give another one where they take a vector of numbers at a time.) What is saved for the way back
is the input or the output, which stand in memory already; the rest is computed again.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core import tape
from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.activating import activated, brought_back, gated
from minigrad.ops.beside import constant
from minigrad.ops.draws import uniform_array
from minigrad.ops.inplace import alter
from minigrad.ops.operands import cast, check_dtype

_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)


def activate(where: str, kind: type[Function], input: Tensor, *args: Any, inplace: bool = False) -> Tensor:
    """Apply a function of one float tensor; float16 is computed in float32, as PyTorch does."""
    check_tensor(where, "input", input)
    if inplace:
        return alter(where, lambda x: activate(where, kind, x, *args), input, (), {})
    dtype = input.array.dtype
    if dtype.kind != "f":
        raise DTypeError(where, "input", "a float dtype", str(dtype), "Convert it with .float()")
    if dtype == _HALF:
        return cast(kind.apply(cast(input, _SINGLE), *args), _HALF)
    return kind.apply(input, *args)


def in_place(op: Callable[..., Tensor], further: str = "") -> Callable[..., Tensor]:
    """The form of ``op`` that writes into its input. ``further``: what its example needs beside that."""

    @functools.wraps(op)
    def change(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return op(input, *args, inplace=True, **kwargs)

    change.__name__ = change.__qualname__ = f"{op.__name__}_"
    change.__doc__ = f"""``{op.__name__}``, written into ``input``: see there.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([-1.0, 2.0])
        >>> minigrad.nn.functional.{op.__name__}_(x{further}) is x
        True
    """
    return change


class Gate(Function):
    """z = slope a where the mask is true, else 0;  da = slope dz there."""

    def forward(ctx, a: Array, mask: Array, slope: float = 1.0) -> Array:
        ctx.slope = slope
        if a.shape != mask.shape or type(mask) is np.bool_:
            a, mask = array_module(a).broadcast_arrays(a, mask)
        ctx.save_for_backward(mask)
        return gated(a, mask, slope)

    def backward(ctx, dz: Tensor) -> Any:
        return Gate.apply(dz, ctx.saved_tensors[0].array, ctx.slope), None, None


class Relu(Function):
    """y = max(x, 0);  dx = dy where y > 0."""

    def forward(ctx, x: Array) -> Array:
        y = activated(x, "relu") if x.dtype.kind == "f" else array_module(x).maximum(x, 0)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        return behind_relu(dy, ctx.saved_tensors[0].array)


def behind_relu(dy: Tensor, y: Array) -> Tensor:
    """dy where y = relu(x) let it pass, else 0."""
    if tape.mode.grad:
        return Gate.apply(dy, y != 0)  # a NaN lets its gradient pass, as in PyTorch
    return Tensor._wrap(brought_back(dy.array, y, "relu"))


class LeakyRelu(Function):
    """y = x where x > 0, else slope x;  dx = dy there, else slope dy."""

    def forward(ctx, x: Array, slope: float) -> Array:
        ctx.slope = slope
        ctx.save_for_backward(x)
        return activated(x, "leaky_relu", slope)

    def backward(ctx, dy: Tensor) -> Any:
        x = ctx.saved_tensors[0].array
        if tape.mode.grad:
            return Gate.apply(dy, x > 0) + Gate.apply(dy, ~(x > 0), ctx.slope), None
        return Tensor._wrap(brought_back(dy.array, x, "leaky_relu", ctx.slope)), None


class PRelu(Function):
    """y = x where x > 0, else w x;  dx = dy there, else w dy; dw = 0 there, else x dy."""

    def forward(ctx, x: Array, w: Array) -> Array:
        ctx.save_for_backward(x, w)
        xp = array_module(x)
        return xp.maximum(x, 0) + xp.minimum(x, 0) * w

    def backward(ctx, dy: Tensor) -> Any:
        x, w = ctx.saved_tensors
        need_x, need_w = ctx.needs_input_grad
        above = x.array > 0
        below = Gate.apply(dy, ~above)
        return Gate.apply(dy, above) + below * w if need_x else None, below * x if need_w else None


class Threshold(Function):
    """y = x where x > threshold, else value;  dx = dy there, else 0."""

    def forward(ctx, x: Array, threshold: float, value: float) -> Array:
        keep = ~(x <= threshold)  # NaN stays NaN
        ctx.save_for_backward(keep)
        return array_module(x).where(keep, x, constant(value, x.dtype, x))

    def backward(ctx, dy: Tensor) -> Any:
        return Gate.apply(dy, ctx.saved_tensors[0].array), None, None


class HardTanh(Function):
    """y = min(max(x, low), high);  dx = dy, but 0 where y <= low or y >= high."""

    def forward(ctx, x: Array, low: float, high: float) -> Array:
        ctx.low, ctx.high = low, high
        y = activated(x, "hardtanh", low, high) if x.dtype.kind == "f" else array_module(x).clip(x, low, high)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        return behind_hardtanh(dy, ctx.saved_tensors[0].array, ctx.low, ctx.high), None, None


def behind_hardtanh(dy: Tensor, y: Array, low: float, high: float) -> Tensor:
    """dy where y = hardtanh(x) let it pass, else 0."""
    if tape.mode.grad:
        return Gate.apply(dy, ~((y <= low) | (y >= high)))  # a NaN lets its gradient pass, as in PyTorch
    return Tensor._wrap(brought_back(dy.array, y, "hardtanh", low, high))


def behind(activation: str, dy: Tensor, y: Array) -> Tensor:
    """dy where an activation that an op did at once let it pass, else 0; ``""``: dy, as there was none."""
    if activation == "relu6":
        return behind_hardtanh(dy, y, 0.0, 6.0)
    return behind_relu(dy, y) if activation else dy


class HardSigmoid(Function):
    """y = min(max(x + 3, 0), 6) / 6;  dx = dy / 6 where -3 < x < 3."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        y = array_module(x).clip(x + 3, 0, 6)
        y /= 6
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x = ctx.saved_tensors[0].array
        return Gate.apply(dy, (x > -3) & (x < 3), 1 / 6)


class HardSwish(Function):
    """y = x min(max(x + 3, 0), 6) / 6;  dx = dy (x / 3 + 1/2) where -3 < x < 3, 0 below, else dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        y = array_module(x).clip(x + 3, 0, 6)
        y *= x
        y /= 6
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        between = (x.array > -3) & (x.array < 3)
        slope = Gate.apply(x, between) / 3 + 0.5  # finite outside too, where it is gated away
        return Gate.apply(dy, between) * slope + Gate.apply(dy, ~(x.array < 3))


class HardShrink(Function):
    """y = x where |x| > lambd, else 0;  dx = dy there."""

    def forward(ctx, x: Array, lambd: float) -> Array:
        keep = ~((x >= -lambd) & (x <= lambd))  # NaN stays NaN
        ctx.save_for_backward(keep)
        return x * keep

    def backward(ctx, dy: Tensor) -> Any:
        return Gate.apply(dy, ctx.saved_tensors[0].array), None


class SoftShrink(Function):
    """y = x - min(max(x, -lambd), lambd);  dx = dy, but 0 where -lambd <= x <= lambd."""

    def forward(ctx, x: Array, lambd: float) -> Array:
        ctx.lambd = lambd
        ctx.save_for_backward(x)
        return x - array_module(x).clip(x, -lambd, lambd)

    def backward(ctx, dy: Tensor) -> Any:
        x = ctx.saved_tensors[0].array
        return Gate.apply(dy, ~((x >= -ctx.lambd) & (x <= ctx.lambd))), None


# ---------------------------------------------------------------------- what the user calls


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """``max(input, 0)``, element by element. The derivative at 0 is 0.

    Args:
        input: Tensor.
        inplace: write the result into ``input``.

    Raises:
        DTypeError: ``input`` is no Tensor, or holds truth values.

    Example:
        >>> import minigrad
        >>> minigrad.relu(minigrad.tensor([-1.0, 0.0, 2.0]))
        tensor([0., 0., 2.])
    """
    check_dtype("relu", "input", input, "iuf")
    return alter("relu_", Relu.apply, input, (), {}) if inplace else Relu.apply(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(input, 0), 6)``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.relu6(minigrad.tensor([-1.0, 2.0, 7.0]))
        tensor([0., 2., 6.])
    """
    return _bounded("relu6", input, 0.0, 6.0, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """``input`` held between ``min_val`` and ``max_val``.

    Raises:
        ArgumentError: ``min_val`` is above ``max_val``, or below 0 where ``input`` cannot be.
        DTypeError: ``input`` holds truth values.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.hardtanh(minigrad.tensor([-3.0, 0.5, 3.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """
    if min_val > max_val:
        raise ArgumentError("hardtanh", "min_val", f"at most max_val={max_val}", str(min_val))
    return _bounded("hardtanh", input, min_val, max_val, inplace)


def _bounded(where: str, input: Tensor, low: float, high: float, inplace: bool) -> Tensor:
    kind = check_dtype(where, "input", input, "iuf").array.dtype.kind
    low, high = (float(low), float(high)) if kind == "f" else (int(low), int(high))
    if kind == "u" and low < 0:
        raise ArgumentError(where, "min_val", f"at least 0, as input is {input.array.dtype}", str(low))
    return alter(where + "_", HardTanh.apply, input, (low, high), {}) if inplace else HardTanh.apply(input, low, high)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """``input`` where it is above 0, ``negative_slope * input`` elsewhere.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.leaky_relu(minigrad.tensor([-1.0, 2.0]), 0.5)
        tensor([-0.5000,  2.0000])
    """
    return activate("leaky_relu", LeakyRelu, input, negative_slope, inplace=inplace)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """``leaky_relu`` whose slope is learnt.

    Args:
        input: (N, C, ...), or any shape where ``weight`` has one element.
        weight: (C,) or one element.

    Raises:
        ShapeError: ``weight`` has neither one element nor one for each channel.

    Example:
        >>> import minigrad
        >>> minigrad.prelu(minigrad.tensor([-1.0, 2.0]), minigrad.tensor(0.5))
        tensor([-0.5000,  2.0000])
    """
    x, w = check_tensor("prelu", "input", input).array, check_tensor("prelu", "weight", weight).array
    if w.dtype != x.dtype:
        raise DTypeError("prelu", "weight", f"{x.dtype}, as input has", str(w.dtype), "Convert one of them with .to()")
    channels = x.shape[1] if x.ndim > 1 else 1
    if w.ndim > 1 or (w.size != 1 and w.size != channels):
        expected = f"one element or {channels}, one for each channel" if channels > 1 else "one element"
        raise ShapeError("prelu", "weight", expected, f"shape {w.shape}")
    if w.size == 1:
        return PRelu.apply(input, weight.reshape([1] * x.ndim))
    return PRelu.apply(input, weight.reshape([-1, *[1] * (x.ndim - 2)]))


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """``leaky_relu`` with a slope drawn for each element between ``lower`` and ``upper``; outside training, their mean.

    Raises:
        ArgumentError: ``lower`` is above ``upper``.

    Example:
        >>> import minigrad
        >>> minigrad.rrelu(minigrad.tensor([-2.0, 2.0]), 0.0, 1.0)
        tensor([-1.,  2.])
    """
    x = check_tensor("rrelu", "input", input).array
    if not -math.inf < lower <= upper < math.inf:
        raise ArgumentError("rrelu", "lower", f"a finite number of at most upper={upper}", str(lower))
    if not training:
        return activate("rrelu", LeakyRelu, input, (lower + upper) / 2, inplace=inplace)
    slopes = uniform_array("rrelu", x.shape, x.dtype, array_module(x), lower, upper)
    slopes = array_module(x).where(x > 0, 1.0, slopes)
    return input.mul_(Tensor._wrap(slopes)) if inplace else input * Tensor._wrap(slopes)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """``input`` where it is above ``threshold``, ``value`` elsewhere.

    Example:
        >>> import minigrad
        >>> minigrad.threshold(minigrad.tensor([0.5, 2.0]), 1.0, -7.0)
        tensor([-7.,  2.])
    """
    check_tensor("threshold", "input", input)
    args = (threshold, value)
    return alter("threshold_", Threshold.apply, input, args, {}) if inplace else Threshold.apply(input, *args)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """``relu6(input + 3) / 6``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.hardsigmoid(minigrad.tensor([-4.0, 0.0, 1.5]))
        tensor([0.0000, 0.5000, 0.7500])
    """
    return activate("hardsigmoid", HardSigmoid, input, inplace=inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """``input * relu6(input + 3) / 6``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.hardswish(minigrad.tensor([-1.5, 1.5, 4.0]))
        tensor([-0.3750,  1.1250,  4.0000])
    """
    return activate("hardswish", HardSwish, input, inplace=inplace)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """``input`` where it is further from 0 than ``lambd``, 0 elsewhere.

    Example:
        >>> import minigrad
        >>> minigrad.hardshrink(minigrad.tensor([-2.0, 0.25]))
        tensor([-2.,  0.])
    """
    return activate("hardshrink", HardShrink, input, lambd)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """``input`` moved towards 0 by ``lambd``, but not past it.

    Raises:
        ArgumentError: ``lambd`` is negative.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.softshrink(minigrad.tensor([-2.0, 0.25]))
        tensor([-1.5000,  0.0000])
    """
    if not 0 <= lambd < math.inf:
        raise ArgumentError("softshrink", "lambd", "a finite number of at least 0", str(lambd))
    return activate("softshrink", SoftShrink, input, lambd)


relu_ = in_place(relu)
hardtanh_ = in_place(hardtanh)
leaky_relu_ = in_place(leaky_relu)
rrelu_ = in_place(rrelu)
threshold_ = in_place(threshold, ", 0.5, 0.0")

__all__ = ["hardshrink", "prelu", "relu", "relu_", "rrelu", "rrelu_", "threshold", "threshold_"]
FUNCTIONAL = (
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rrelu",
    "rrelu_",
    "softshrink",
    "threshold",
    "threshold_",
)
METHODS = ("hardshrink", "prelu", "relu", "relu_")
