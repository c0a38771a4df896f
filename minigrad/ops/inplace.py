"""Changes in place, and what they do to the tape.

Every ``op_`` is one mechanism: compute as ``op`` does, write the result into the memory, and let the tensor go on with the
history of the result. Where nothing is recorded and a ufunc does it, the ufunc writes into the memory at once.

A change counts in the version that a tensor shares with its views, so that a backward pass which needs the old numbers
refuses. What it means for the views is in ``minigrad/ops/regions.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.core import tape
from minigrad.core.device import Array, array_module, quiet
from minigrad.core.tape import Function, hang
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError, GradError, ShapeError
from minigrad.ops import sampling
from minigrad.ops.operands import cast
from minigrad.ops.regions import changed

_KIND = {"b": 0, "u": 1, "i": 1, "f": 2}


def check_writable(where: str, x: Tensor) -> None:
    """That the memory of ``x`` may be written now.

    Raises:
        GradError: a leaf that requires grad (or a view of one) while gradients are recorded, or a tensor of inference mode.
        ArgumentError: memory that may not be written, or of which one element stands at several places.
    """
    if tape.mode.grad and (x._requires_grad or x._base is not None or x._hidden_view) and x.requires_grad | x._hidden_view:
        if x._hidden_view:
            raise GradError(
                where,
                "input",
                "a view that the tape knows",
                "one made inside no_grad, of a tensor that requires grad",
                "Make the view outside no_grad, or change it inside no_grad",
            )
        base = x if x._base is None else x._base
        if base._node is None and base._requires_grad:
            raise GradError(
                where,
                "input",
                "a tensor that no gradient is asked for, or a result of an op",
                "a leaf that requires grad" if base is x else "a view of a leaf that requires grad",
                "Do it inside minigrad.no_grad(), or on a clone",
            )
    if x._counter is None and not tape.mode.inference:
        raise GradError(
            where, "input", "a tensor made outside inference_mode", "one made inside", "Clone it, or change it inside"
        )
    array = x.array
    if not getattr(array.flags, "writeable", True) or (0 in array.strides and _repeats(array)):
        raise ArgumentError(
            where,
            "input",
            "memory of its own for each element",
            f"an expanded or read-only tensor of shape {tuple(array.shape)}, strides {x.stride()}",
            "Clone it first",
        )


def _repeats(array: Array) -> bool:
    return array.size > 0 and any(step == 0 and count > 1 for step, count in zip(array.strides, array.shape, strict=True))


class Overwrite(Function):
    """y = v;  dx = 0, dv = dy. All of x is forgotten."""

    def backward(ctx, dy: Tensor) -> Any:
        need_x, need_v = ctx.needs_input_grad
        return Tensor._zeros(type(dy.array), dy.array.shape, dy.array.dtype) if need_x else None, dy if need_v else None


def overwrite(where: str, x: Tensor, source: Any, origin: Tensor | None = None) -> Tensor:
    """Write an array or a number into all of ``x``; ``origin`` is the Tensor it came from, if any."""
    check_writable(where, x)
    record = tape.mode.grad and (x._requires_grad or (origin is not None and origin.requires_grad)) and _carries(x)
    value = None
    if record:
        value = Tensor._wrap(x.array)
        value._adopt(hang(Overwrite(), x, origin), 0)
    try:
        x.array[...] = source
    except ValueError as error:
        if origin is None:
            raise DTypeError(where, "value", f"a number of {x.array.dtype}", repr(source)) from error
        raise ShapeError(
            where,
            "source",
            f"a shape that broadcasts to {tuple(x.array.shape)}",
            str(tuple(origin.array.shape)),
        ) from error
    changed(x, value)
    return x


def _carries(x: Tensor) -> bool:
    return x.array.dtype.kind == "f"


def alter(where: str, op: Callable[..., Tensor], x: Tensor, args: tuple, kwargs: dict[str, Any]) -> Tensor:
    """Give ``x`` the value of ``op(x, *args)``, in the memory that it has.

    Raises:
        GradError, ArgumentError: ``x`` may not be written: see ``check_writable``.
        DTypeError: the result's dtype is of a higher kind than that of ``x``.
        ShapeError: the result has another shape.
    """
    check_writable(where, x)
    old = Tensor._wrap(x.array)  # what x was, under a version of its own, so that what is saved of it can be told
    old._counter = [0]
    if tape.mode.grad and x.requires_grad:
        old._adopt(x._node, x.output_nr)
    start = next(tape._ages)
    result = op(old, *[old if arg is x else arg for arg in args], **kwargs)
    array = result.array
    if array.shape != x.array.shape:
        raise ShapeError(
            where,
            "result",
            f"shape {tuple(x.array.shape)}, that of the tensor that is changed",
            str(tuple(array.shape)),
            "Use the op without _",
        )
    if _KIND[array.dtype.kind] > _KIND[x.array.dtype.kind]:
        raise DTypeError(
            where,
            "result",
            f"a dtype that {x.array.dtype} can hold",
            str(array.dtype),
            "Convert the tensor first, or use the op without _",
        )
    value = cast(result, x.array.dtype)
    if value._requires_grad:
        _keep_apart(value._node, start, old)
    elif old._requires_grad and tape.mode.grad:
        value = Tensor._wrap(x.array)
        value._adopt(hang(Overwrite(), old, None), 0)
    if array is not x.array:
        x.array[...] = array
    changed(x, value)
    return x


def _keep_apart(newest: Function | None, start: int, old: Tensor) -> None:
    """Copy what nodes younger than ``start`` saved of the memory that is about to be written."""
    stack, seen = [newest], set()
    while stack:
        node = stack.pop()
        if not isinstance(node, Function) or node._age <= start or id(node) in seen:
            continue
        seen.add(id(node))
        stack.extend([edge.target for edge in node.edges if edge is not None])
        for position, (kept, counter, version, nr) in enumerate(node._saved or ()):
            if counter is not old._counter:
                continue
            if isinstance(kept, Tensor):
                if kept.array.base is old.array.base or kept is old:
                    kept.array = kept.array.copy(order="K")
            else:
                node._saved[position] = kept.copy(order="K"), counter, version, nr


# ---------------------------------------------------------------------- the ops


def zero_(input: Tensor) -> Tensor:
    """Set all elements to 0.

    Example:
        >>> import minigrad
        >>> minigrad.ones(2).zero_()
        tensor([0., 0.])
    """
    return overwrite("zero_", input, 0)


def fill_(input: Tensor, value: Any) -> Tensor:
    """Set all elements to ``value``, a number or a Tensor without dimensions.

    Raises:
        ShapeError: ``value`` has dimensions.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2).fill_(3)
        tensor([3., 3.])
    """
    if isinstance(value, Tensor):
        if value.array.ndim:
            raise ShapeError("fill_", "value", "a number or a tensor without dimensions", f"shape {tuple(value.array.shape)}")
        return copy_(input, value)
    return overwrite("fill_", input, value)


def copy_(input: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Take the values of ``src``, which broadcasts; its dtype and device may differ.

    Raises:
        ShapeError: ``src`` does not broadcast to the shape of ``input``.
        DTypeError: ``src`` is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 2).copy_(minigrad.tensor([1, 2]))
        tensor([[1., 2.],
                [1., 2.]])
    """
    if not isinstance(src, Tensor):
        raise DTypeError("copy_", "src", "a Tensor", type(src).__name__, "Use fill_() for a number")
    if type(src.array) is not type(input.array):
        src = src.to(input.device)
    return overwrite("copy_", input, src.array, src)


def uniform_(input: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with numbers drawn evenly from ``from_`` (included) to ``to``.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2).uniform_(3, 3)
        tensor([3., 3.])
    """
    return _draw("uniform_", sampling.uniform_array, input, from_, to, generator)


def normal_(input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with numbers drawn from the normal distribution.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).normal_(5, 0)
        tensor([5., 5., 5.])
    """
    return _draw("normal_", sampling.normal_array, input, mean, std, generator)


def exponential_(input: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with waiting times of events that come ``lambd`` to a unit of time.

    Example:
        >>> import minigrad
        >>> bool((minigrad.zeros(3).exponential_() > 0).all())
        True
    """
    return _draw("exponential_", sampling.exponential_array, input, lambd, generator)


def random_(input: Tensor, from_: int = 0, to: int | None = None, *, generator: Any = None) -> Tensor:
    """Fill with whole numbers from ``from_`` to ``to - 1``; ``random_(n)`` is from 0 to ``n - 1``.

    Example:
        >>> import minigrad
        >>> minigrad.ones(3, dtype=minigrad.int64).random_(1)
        tensor([0, 0, 0])
    """
    return _draw("random_", sampling.integer_array, input, *((0, from_) if to is None and from_ else (from_, to)), generator)


def bernoulli_(input: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with 1 with probability ``p``, else 0. ``p`` may be a Tensor that broadcasts.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).bernoulli_(1)
        tensor([1., 1., 1.])
    """
    return _draw("bernoulli_", sampling.bernoulli_array, input, p.array if isinstance(p, Tensor) else p, generator)


def _draw(where: str, draw: Callable[..., Array], x: Tensor, *options: Any) -> Tensor:
    check_writable(where, x)
    return overwrite(where, x, draw(where, x.array.shape, x.array.dtype, array_module(x.array), *options))


def _make(name: str) -> Callable[..., Tensor]:
    """The in-place form of the Tensor method ``name``."""
    where, ufunc_name = name + "_", _UFUNCS.get(name)

    def change(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if ufunc_name is not None and not kwargs and _at_once(where, ufunc_name, input, args):
            return input
        return alter(where, getattr(Tensor, name), input, args, kwargs)

    change.__name__ = change.__qualname__ = where
    change.__doc__ = f"Give the tensor, in place, the value of ``{name}``: see there for the arguments."
    return change


def _at_once(where: str, ufunc: str, x: Tensor, args: tuple) -> bool:
    """Let a ufunc write into ``x``, if nothing is recorded and the result has the dtype and shape of ``x`` as it is."""
    kind = x.array.dtype
    if len(args) > 1 or kind.kind not in ("f" if ufunc not in _FOR_INTEGERS else "fiu") or (tape.mode.grad and x.requires_grad):
        return False
    for arg in args:
        if isinstance(arg, Tensor):
            if arg.array.dtype != kind or type(arg.array) is not type(x.array) or (tape.mode.grad and arg.requires_grad):
                return False
            if arg._counter is x._counter and arg is not x:
                return False  # it may overlap
        elif type(arg) is not int and (type(arg) is not float or kind.kind != "f"):
            return False
    check_writable(where, x)
    operands = [arg.array if isinstance(arg, Tensor) else arg for arg in args]
    try:
        with quiet():
            getattr(array_module(x.array), ufunc)(x.array, *operands, out=x.array)
    except (ValueError, OverflowError):
        return False  # the shape would grow, or the number does not fit: told in our words where the op is composed
    changed(x, None)
    return True


_UFUNCS = {
    "abs": "absolute",
    "add": "add",
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
    "sub": "subtract",
    "tanh": "tanh",
    "trunc": "trunc",
}
_FOR_INTEGERS = ("absolute", "add", "multiply", "negative", "subtract")

abs_, add_, sub_, mul_, div_, neg_ = (_make(name) for name in ("abs", "add", "sub", "mul", "div", "neg"))
exp_, log_, sqrt_, clamp_ = (_make(name) for name in ("exp", "log", "sqrt", "clamp"))

__all__: list[str] = []
METHODS = (
    "abs_", "add_", "bernoulli_", "clamp_", "copy_", "div_", "exp_", "exponential_", "fill_", "log_", "mul_", "neg_",
    "normal_", "random_", "sqrt_", "sub_", "uniform_", "zero_",
)  # fmt: skip
OPERATORS = {"__iadd__": add_, "__isub__": sub_, "__imul__": mul_, "__itruediv__": div_}
