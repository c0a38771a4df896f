"""Derivatives of functions: Jacobian and Hessian, whole or times a vector. PyTorch's names and signatures.

Each function calls ``func`` once, on inputs cut from the caller's graph (unless ``create_graph``), and walks back from what it
returned. A product with a vector from the right (``jvp``, ``hvp``) is a walk back through a walk back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.core.autograd import grad
from minigrad.core.device import array_module
from minigrad.core.hints import checked
from minigrad.core.modes import enable_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError, GradError, ShapeError
from minigrad.ops.parts import stack


@checked
def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The derivative of every element of every output to every element of every input.

    Args:
        func: takes the inputs, returns a Tensor or a tuple of them.
        inputs: a Tensor or a tuple of them.
        create_graph: record, so that the result can be differentiated.
        strict: raise if an output does not depend on an input, in place of zeros.
        vectorize: accepted for PyTorch's sake; the result is the same.
        strategy: ``"reverse-mode"``, the only one here.

    Returns:
        For one output and one input a Tensor whose shape is that of the output followed by that of the input. Several inputs
        give a tuple of these, several outputs a tuple of those.

    Raises:
        DTypeError: ``func`` or ``inputs`` gives something else than Tensors.
        GradError: ``strict``, and an output does not depend on an input.
        ArgumentError: another strategy.

    Example:
        >>> import minigrad
        >>> minigrad.autograd.functional.jacobian(lambda x: x**2, minigrad.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    _only_reverse("jacobian", strategy)
    xs, ys, one_input, one_output = _call("jacobian", func, inputs, create_graph)
    rows = []
    for y in ys:
        xp = array_module(y.array)
        unit = xp.zeros(y.array.size, y.array.dtype)
        columns: list[list[Tensor]] = [[] for _ in xs]
        for element in range(y.array.size):
            unit[element] = 1
            start = Tensor._wrap(unit.copy().reshape(y.array.shape))
            unit[element] = 0
            for column, piece in zip(columns, _grad("jacobian", (y,), xs, (start,), create_graph, strict), strict=True):
                column.append(piece)
        rows.append(tuple([_stacked(column, y, x) for column, x in zip(columns, xs, strict=True)]))
    found = tuple([row[0] if one_input else row for row in rows])
    return found[0] if one_output else found


@checked
def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function to one number.

    Args:
        func: takes the inputs, returns a Tensor with one element.
        inputs, create_graph, strict, vectorize: see ``jacobian``.
        outer_jacobian_strategy: ``"reverse-mode"``, the only one here.

    Returns:
        For one input a Tensor of its shape twice over; for several a tuple of tuples of them.

    Raises:
        ShapeError: ``func`` returns more than one element.
        GradError, DTypeError, ArgumentError: see ``jacobian``.

    Example:
        >>> import minigrad
        >>> minigrad.autograd.functional.hessian(lambda x: (x**3).sum(), minigrad.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    _only_reverse("hessian", outer_jacobian_strategy)
    single = isinstance(inputs, Tensor)

    def gradient(*xs: Tensor) -> Any:
        y = _one_number("hessian", func(*xs))
        found = _grad("hessian", (y,), xs, None, True, strict)
        return found[0] if single else found

    return jacobian(gradient, inputs, create_graph=create_graph, strict=strict)


@checked
def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The value of ``func``, and ``v`` times its Jacobian: what ``backward`` computes.

    Args:
        func, inputs, create_graph, strict: see ``jacobian``.
        v: a Tensor for each output, of its shape; may be left out where there is one output of one element.

    Raises:
        ShapeError: ``v`` does not fit the outputs.
        GradError, DTypeError: see ``jacobian``.

    Example:
        >>> import minigrad
        >>> minigrad.autograd.functional.vjp(lambda x: x**2, minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 10.0]))
        (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    xs, ys, one_input, one_output = _call("vjp", func, inputs, create_graph)
    found = _grad("vjp", ys, xs, _vector("vjp", v, ys, "an output"), create_graph, strict)
    return _handed(ys, one_output, create_graph), _handed(found, one_input, create_graph)


@checked
def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The value of ``func``, and its Jacobian times ``v``: the derivative along the direction ``v``.

    The Jacobian times v is the derivative, to u, of u times the Jacobian times v: a walk back through a walk back.

    Args:
        func, inputs, create_graph, strict: see ``jacobian``.
        v: a Tensor for each input, of its shape; may be left out where there is one input of one element.

    Raises:
        ShapeError: ``v`` does not fit the inputs.
        GradError, DTypeError: see ``jacobian``.

    Example:
        >>> import minigrad
        >>> minigrad.autograd.functional.jvp(lambda x: x[0] * x, minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 0.0]))
        (tensor([1., 2.]), tensor([2., 2.]))
    """
    xs, ys, _, one_output = _call("jvp", func, inputs, create_graph)
    directions = _vector("jvp", v, xs, "an input")
    with enable_grad():
        us = tuple([_zeros_like(y).requires_grad_() for y in ys])
        back = _grad("jvp", ys, xs, us, True, strict)
    found = _grad("jvp", back, us, directions, create_graph, strict)
    return _handed(ys, one_output, create_graph), _handed(found, one_output, create_graph)


@checked
def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The value of a function to one number, and ``v`` times its Hessian.

    Args:
        func, inputs, create_graph, strict: see ``hessian``.
        v: a Tensor for each input, of its shape; may be left out where there is one input of one element.

    Raises:
        ShapeError: ``v`` does not fit the inputs, or ``func`` returns more than one element.
        GradError, DTypeError: see ``jacobian``.

    Example:
        >>> import minigrad
        >>> minigrad.autograd.functional.vhp(lambda x: (x**3).sum(), minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 1.0]))
        (tensor(9.), tensor([ 6., 12.]))
    """
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


@checked
def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The value of a function to one number, and its Hessian times ``v``. The Hessian is symmetric: see ``vhp``.

    Example:
        >>> import minigrad
        >>> minigrad.autograd.functional.hvp(lambda x: (x**3).sum(), minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 1.0]))
        (tensor(9.), tensor([ 6., 12.]))
    """
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(where: str, func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool) -> tuple:
    xs, ys, one_input, _ = _call(where, func, inputs, create_graph)
    y = _one_number(where, ys[0] if len(ys) == 1 else ys)
    directions = _vector(where, v, xs, "an input")
    with enable_grad():
        first = _grad(where, (y,), xs, None, True, strict)
    found = _grad(where, first, xs, directions, create_graph, strict)
    return _handed((y,), True, create_graph), _handed(found, one_input, create_graph)


# ---------------------------------------------------------------------- what they share


def _only_reverse(where: str, strategy: str) -> None:
    if strategy != "reverse-mode":
        raise ArgumentError(where, "strategy", "'reverse-mode'", repr(strategy))


def _tensors(where: str, argument: str, value: Any) -> tuple[tuple[Tensor, ...], bool]:
    """As a tuple, and whether it was a single one."""
    single = isinstance(value, Tensor)
    found = (value,) if single else tuple(value) if isinstance(value, (tuple, list)) else ()
    if not found or not all(isinstance(item, Tensor) for item in found):
        raise DTypeError(where, argument, "a Tensor or a tuple of Tensors", type(value).__name__)
    return found, single


def _call(where: str, func: Callable[..., Any], inputs: Any, create_graph: bool) -> tuple[tuple, tuple, bool, bool]:
    """Inputs of the function's own and what it makes of them."""
    given, one_input = _tensors(where, "inputs", inputs)
    with enable_grad():
        xs = tuple([x.clone() if create_graph and x.requires_grad else x.detach().requires_grad_() for x in given])
        ys, one_output = _tensors(where, "result of func", func(*xs))
    return xs, ys, one_input, one_output


def _one_number(where: str, y: Any) -> Tensor:
    if not isinstance(y, Tensor):
        raise DTypeError(where, "result of func", "one Tensor", type(y).__name__)
    if y.array.size != 1:
        raise ShapeError(where, "result of func", "one element", f"shape {tuple(y.array.shape)}", "Reduce it with .sum()")
    return y.reshape(()) if y.array.ndim else y


def _grad(where: str, ys: tuple, xs: tuple, starts: tuple | None, create_graph: bool, strict: bool) -> tuple[Tensor, ...]:
    """The gradients; zeros where there is no way, or, if ``strict``, an error."""
    pairs = [(y, None if starts is None else starts[i]) for i, y in enumerate(ys) if y.requires_grad]
    if not pairs:
        found: tuple = (None,) * len(xs)
    else:
        outputs, begins = [y for y, _ in pairs], [start for _, start in pairs]
        found = grad(
            outputs, xs, None if starts is None else begins, retain_graph=True, create_graph=create_graph, allow_unused=True
        )
    if strict and any(piece is None for piece in found):
        raise GradError(where, f"inputs[{found.index(None)}]", "an input on which the outputs depend", "one without effect")
    return tuple([_zeros_like(x) if piece is None else piece for piece, x in zip(found, xs, strict=True)])


def _vector(where: str, v: Any, like: tuple, what: str) -> tuple:
    if v is None:
        if len(like) != 1 or like[0].array.size != 1:
            shapes = ", ".join([str(tuple(item.array.shape)) for item in like])
            raise ShapeError(where, "v", f"a Tensor for {what} of each of the shapes {shapes}", "none")
        return (Tensor._wrap(array_module(like[0].array).ones(like[0].array.shape, like[0].array.dtype)),)
    found, _ = _tensors(where, "v", v)
    wanted, got = [", ".join([str(tuple(item.array.shape)) for item in items]) for items in (like, found)]
    if wanted != got:
        raise ShapeError(where, "v", f"shapes {wanted}", got)
    return found


def _zeros_like(x: Tensor) -> Tensor:
    return Tensor._zeros(type(x.array), x.array.shape, x.array.dtype)


def _stacked(pieces: list[Tensor], y: Tensor, x: Tensor) -> Tensor:
    shape = (*y.array.shape, *x.array.shape)
    if not pieces:
        return Tensor._zeros(type(x.array), shape, x.array.dtype)
    return stack(pieces).reshape(shape)


def _handed(tensors: tuple, single: bool, create_graph: bool) -> Any:
    found = tensors if create_graph else tuple([tensor.detach() for tensor in tensors])
    return found[0] if single else found


__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
