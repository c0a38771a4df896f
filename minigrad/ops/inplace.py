"""Changes in place, and what they do to the tape.

Every ``op_`` is one mechanism (``alter``): compute as ``op`` does, write the result into the memory, and let the tensor go on
with the history of the result. Where nothing is recorded and a ufunc does it, the ufunc writes into the memory at once.

A change counts in the version that a tensor shares with its views, so that a backward pass which needs the old numbers
refuses. What it means for the views is in ``minigrad/ops/regions.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core import tape
from minigrad.core.device import Array, array_module, quiet
from minigrad.core.tape import Function, hang
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, GradError, ShapeError
from minigrad.ops.arithmetic import add, sub
from minigrad.ops.operands import cast
from minigrad.ops.regions import changed

_KIND = {"b": 0, "u": 1, "i": 1, "f": 2}


# ---------------------------------------------------------------------- the mechanism


def check_writable(where: str, x: Any) -> Tensor:
    """``x``, if its memory may be written now.

    Raises:
        DTypeError: it is no Tensor.
        GradError: a leaf that requires grad (or a view of one) while gradients are recorded, or a tensor of inference mode.
        ArgumentError: memory that may not be written, or of which one element stands at several places.
    """
    x = check_tensor(where, "input", x)
    if tape.mode.grad:
        base = x if x._base is None else x._base
        if base._requires_grad and base._node is None:
            what = "a leaf that requires grad" if base is x else "a view of a leaf that requires grad"
            remedy = "Do it inside minigrad.no_grad(), or on a clone"
            raise GradError(where, "input", "a result of an op, or a tensor that no gradient is asked for", what, remedy)
        if x._hidden_view:
            raise GradError(
                where,
                "input",
                "a view made while gradients are recorded",
                "a view made inside no_grad, of a tensor that requires grad",
                "Make the view outside no_grad, or change it inside",
            )
    if x._counter is None and not tape.mode.inference:
        remedy = "Change it inside inference_mode, or clone it"
        raise GradError(where, "input", "a tensor made outside inference_mode", "one made inside", remedy)
    array = x.array
    if not getattr(array.flags, "writeable", True) or (0 in array.strides and _repeats(array)):
        raise ArgumentError(
            where,
            "input",
            "memory of its own for each element",
            f"an expanded or read-only tensor of shape {tuple(array.shape)} and strides {x.stride()}",
            "Clone it first",
        )
    return x


def _repeats(array: Array) -> bool:
    return array.size > 0 and any(step == 0 and count > 1 for step, count in zip(array.strides, array.shape))


def alter(where: str, op: Callable[..., Tensor], x: Tensor, args: tuple, kwargs: dict[str, Any]) -> Tensor:
    """Give ``x`` the value of ``op(x, *args)``, in the memory that it has.

    Raises:
        GradError, ArgumentError: ``x`` may not be written: see ``check_writable``.
        DTypeError: the result's dtype is of a higher kind than that of ``x``.
        ShapeError: the result has another shape.
    """
    check_writable(where, x)
    old = Tensor._wrap(x.array)  # what x was, under a version of its own: so is told what is saved of its memory
    old._counter = [0]
    if tape.mode.grad and x.requires_grad and x._node is not None:
        old._adopt(x._node, x.output_nr)
    start = next(tape._ages)
    result = op(old, *[old if arg is x else arg for arg in args], **kwargs)
    array = result.array
    if array.shape != x.array.shape:
        expected = f"shape {tuple(x.array.shape)}, that of the tensor that is changed"
        raise ShapeError(where, "result", expected, str(tuple(array.shape)), "Use the op without _")
    if _KIND[array.dtype.kind] > _KIND[x.array.dtype.kind]:
        remedy = "Convert the tensor first, or use the op without _"
        raise DTypeError(where, "result", f"a dtype that {x.array.dtype} can hold", str(array.dtype), remedy)
    value = cast(result, x.array.dtype)
    if value._requires_grad:
        _keep_apart(value._node, start, old)
    elif old._requires_grad and tape.mode.grad:
        value = overwritten(x, None)
    if array is not x.array:
        x.array[...] = array
    changed(x, value)
    return x


def _keep_apart(newest: Any, start: int, old: Tensor) -> None:
    """Copy what nodes younger than ``start`` saved of the memory of ``old``, which is about to be written."""
    stack, seen = [newest], set()
    while stack:
        node = stack.pop()
        if not isinstance(node, Function) or node._age <= start or id(node) in seen:
            continue
        seen.add(id(node))
        stack.extend([edge[0] for edge in node.edges if edge is not None])
        for position, (kept, counter, version, nr) in enumerate(node._saved if isinstance(node._saved, list) else ()):
            if counter is not old._counter:
                continue
            if isinstance(kept, Tensor):
                kept.array = kept.array.copy(order="K")
            else:
                node._saved[position] = kept.copy(order="K"), counter, version, nr


class Overwrite(Function):
    """y = v;  dx = 0, dv = dy. All of x is forgotten. (``overwrite`` hangs it on; it has no forward.)"""

    def backward(ctx, dy: Tensor) -> Any:
        need_x, need_v = ctx.needs_input_grad
        return Tensor._zeros(type(dy.array), dy.array.shape, dy.array.dtype) if need_x else None, dy if need_v else None


def overwritten(x: Tensor, origin: Tensor | None) -> Tensor:
    """``x`` as it is once it was overwritten with ``origin``."""
    value = Tensor._wrap(x.array)
    value._adopt(hang(Overwrite(), x, origin), 0)
    return value


def overwrite(where: str, x: Tensor, source: Any, origin: Tensor | None = None) -> Tensor:
    """Write an array or a number into all of ``x``; ``origin`` is the Tensor it came from, if any.

    Raises:
        GradError, ArgumentError: ``x`` may not be written: see ``check_writable``.
        ShapeError: ``source`` does not broadcast to the shape of ``x``.
        DTypeError: a number that the dtype cannot hold.
    """
    check_writable(where, x)
    value = overwritten(x, origin) if records(x, origin) else None
    assign(where, x.array, ..., source)
    changed(x, value)
    return x


def records(x: Tensor, origin: Tensor | None) -> bool:
    """Whether writing ``origin`` into ``x`` shall be remembered."""
    if not tape.mode.grad or x.array.dtype.kind != "f":
        return False
    return x.requires_grad or (origin is not None and origin.requires_grad)


def assign(where: str, array: Array, index: Any, source: Any) -> None:
    """array[index] = source, with our words for what does not fit."""
    if not isinstance(source, (int, float, np.generic)) and not hasattr(source, "dtype"):  # NumPy takes None for nan
        raise DTypeError(where, "value", f"a number that {array.dtype} holds", repr(source))
    try:
        with quiet():
            array[index] = source
    except OverflowError as error:
        if not -(2**63) <= source < 2**63:
            raise DTypeError(where, "value", f"a number that {array.dtype} holds", repr(source)) from error
        array[index] = np.int64(source).astype(array.dtype)  # wraps, as PyTorch does
    except ValueError as error:
        shape = getattr(source, "shape", None)
        if shape is None:
            raise DTypeError(where, "value", f"a number that {array.dtype} holds", repr(source)) from error
        target = f"a shape that broadcasts to {tuple(array[index].shape)}"
        raise ShapeError(where, "value", target, str(tuple(shape)), "Reshape it") from error


# ---------------------------------------------------------------------- op_ for every op


def _make(name: str) -> Callable[..., Tensor]:
    """The in-place form of the Tensor method ``name``."""
    where, ufunc = name + "_", _UFUNCS.get(name)

    def change(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if ufunc is not None and not kwargs and _at_once(where, ufunc, input, args):
            return input
        return alter(where, getattr(Tensor, name), input, args, kwargs)

    change.__name__ = change.__qualname__ = where
    change.__doc__ = f"Give the tensor, in place, the value of ``{name}``. See ``{name}`` for the arguments."
    return change


def _at_once(where: str, ufunc: str, x: Tensor, args: tuple) -> bool:
    """Let a ufunc write into ``x``, if nothing is recorded and the result has the dtype and shape of ``x`` as it is."""
    check_writable(where, x)
    kind = x.array.dtype
    if len(args) > 1 or kind.kind not in ("fiu" if ufunc in _FOR_INTEGERS else "f") or (tape.mode.grad and x.requires_grad):
        return False
    operands = []
    for arg in args:
        if isinstance(arg, Tensor):
            if arg.array.dtype != kind or type(arg.array) is not type(x.array) or (tape.mode.grad and arg.requires_grad):
                return False
            if arg._counter is x._counter and arg is not x:
                return False  # it may overlap
            operands.append(arg.array)
        elif type(arg) is int or (type(arg) is float and kind.kind == "f"):
            operands.append(arg)
        else:
            return False
    try:
        with quiet():
            getattr(array_module(x.array), ufunc)(x.array, *operands, out=x.array)
    except (ValueError, TypeError, OverflowError):
        return False  # the shape would grow, the number does not fit: ``alter`` says it in our words
    changed(x, None)
    return True


def add_(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """``input += alpha * other``. See ``add``."""
    if alpha == 1:
        return input if _at_once("add_", "add", input, (other,)) else alter("add_", add, input, (other,), {})
    if (
        isinstance(other, Tensor)
        and type(alpha) is float
        and not (tape.mode.grad and other.requires_grad)
        and other is not input
    ):
        check_tensor("add_", "other", other)
        with quiet():
            scaled = Tensor._wrap(other.array * alpha) if other.array.dtype.kind == "f" else None
        if scaled is not None and _at_once("add_", "add", input, (scaled,)):
            return input
    return alter("add_", add, input, (other,), {"alpha": alpha})


def sub_(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """``input -= alpha * other``. See ``sub``."""
    if alpha == 1 and _at_once("sub_", "subtract", input, (other,)):
        return input
    return alter("sub_", sub, input, (other,), {"alpha": alpha})


def _reshaped(name: str) -> Callable[..., Tensor]:
    """The in-place form of an op that only looks at the same memory in another shape."""

    def change(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(name + "_", input)
        view = getattr(Tensor, name)(input, *args, **kwargs)
        if view is not input:
            input.array = view.array
            if view._requires_grad:
                input._adopt(view._node, view.output_nr)
            changed(input, None)
        return input

    change.__name__ = change.__qualname__ = name + "_"
    change.__doc__ = f"Give the tensor itself the shape of ``{name}``. See ``{name}`` for the arguments."
    return change


_UFUNCS = {
    "abs": "absolute",
    "ceil": "ceil",
    "cos": "cos",
    "div": "divide",
    "exp": "exp",
    "expm1": "expm1",
    "floor": "floor",
    "log": "log",
    "log1p": "log1p",
    "mul": "multiply",
    "neg": "negative",
    "sin": "sin",
    "sqrt": "sqrt",
    "square": "square",
    "trunc": "trunc",
}
_FOR_INTEGERS = ("absolute", "add", "multiply", "negative", "subtract")

_OPS = (
    "abs", "absolute", "acos", "acosh", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "arccos", "arccosh",
    "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh", "baddbmm",
    "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil",
    "clamp", "clamp_max", "clamp_min", "clip", "copysign", "cos", "cosh", "cumprod", "cumsum", "div", "divide", "eq",
    "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "fix", "floor", "floor_divide", "fmod", "frac", "ge", "greater",
    "greater_equal", "gt", "heaviside", "hypot", "index_add", "index_copy", "index_fill", "le", "lerp", "less",
    "less_equal", "log", "log10", "log1p", "log2", "logical_and", "logical_not", "logical_or", "logical_xor", "logit",
    "lt", "masked_fill", "masked_scatter", "mul", "multiply", "nan_to_num", "ne", "neg", "negative", "not_equal", "pow",
    "put", "reciprocal", "remainder", "round", "rsqrt", "scatter", "scatter_add", "scatter_reduce", "sgn", "sigmoid", "sign",
    "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "tril", "triu", "true_divide", "trunc", "xlogy",
)  # fmt: skip
_SHAPES = ("squeeze", "swapaxes", "swapdims", "t", "transpose", "unsqueeze")

globals().update({f"{name}_": _make(name) for name in _OPS})
globals().update({f"{name}_": _reshaped(name) for name in _SHAPES})

__all__: list[str] = []
METHODS = ("add_", "sub_", *[f"{name}_" for name in (*_OPS, *_SHAPES)])
OPERATORS = {
    "__iadd__": add_,
    "__isub__": sub_,
    "__imul__": _make("mul"),
    "__itruediv__": _make("div"),
    "__ifloordiv__": _make("floor_divide"),
    "__imod__": _make("remainder"),
    "__ipow__": _make("pow"),
    "__iand__": _make("bitwise_and"),
    "__ior__": _make("bitwise_or"),
    "__ixor__": _make("bitwise_xor"),
    "__ilshift__": _make("bitwise_left_shift"),
    "__irshift__": _make("bitwise_right_shift"),
}
