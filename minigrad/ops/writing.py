"""Writing values into a tensor: copies, fills, random fills, and ``x[index] = value``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core.device import IN_USE, Array, array_module, quiet
from minigrad.core.tape import hang
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import DTypeError, ShapeError
from minigrad.ops import draws
from minigrad.ops.indexing import IndexPut, index_put, normalise_index, put
from minigrad.ops.inplace import alter, assign, check_writable, overwrite, records
from minigrad.ops.parts import Slice
from minigrad.ops.regions import changed

# ---------------------------------------------------------------------- copies and fills


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
    if not isinstance(value, Tensor):
        return overwrite("fill_", input, value)
    if value.array.ndim:
        raise ShapeError("fill_", "value", "a number or a tensor without dimensions", f"shape {tuple(value.array.shape)}")
    return copy_(input, value)


def copy_(input: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
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
    src = check_tensor("copy_", "src", src)
    if src.array.ndim > input.array.ndim:  # NumPy would drop leading sizes of 1
        what = f"at most {input.array.ndim} dimensions, as the tensor"
        raise ShapeError("copy_", "src", what, f"shape {tuple(src.array.shape)}", "Reshape it")
    if IN_USE and src.device != input.device:
        src = src.to(input.device)
    return overwrite("copy_", input, src.array, src)


def fill_diagonal_(input: Tensor, fill_value: float) -> Tensor:
    """Set the elements whose indices are all equal to ``fill_value``.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 2).fill_diagonal_(1)
        tensor([[1., 0.],
                [0., 1.]])
    """
    array = check_writable("fill_diagonal_", input).array
    if array.ndim < 2:
        raise ShapeError("fill_diagonal_", "input", "at least 2 dimensions", str(array.ndim))
    places = array_module(array).arange(min(array.shape))
    input[tuple([Tensor._wrap(places)] * array.ndim)] = fill_value
    return input


def uniform_(input: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with numbers drawn evenly from ``from_`` (included) to ``to``.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2).uniform_(3, 3)
        tensor([3., 3.])
    """
    return _draw("uniform_", draws.uniform_array, input, from_, to, generator)


def normal_(input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with numbers drawn from the normal distribution.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).normal_(5, 0)
        tensor([5., 5., 5.])
    """
    return _draw("normal_", draws.normal_array, input, mean, std, generator)


def exponential_(input: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with waiting times of events that come ``lambd`` to a unit of time.

    Example:
        >>> import minigrad
        >>> bool((minigrad.zeros(3).exponential_() > 0).all())
        True
    """
    return _draw("exponential_", draws.exponential_array, input, lambd, generator)


def random_(input: Tensor, from_: int = 0, to: int | None = None, *, generator: Any = None) -> Tensor:
    """Fill with whole numbers from ``from_`` to ``to - 1``; ``random_(n)`` is from 0 to ``n - 1``.

    Example:
        >>> import minigrad
        >>> minigrad.ones(3, dtype=minigrad.int64).random_(1)
        tensor([0, 0, 0])
    """
    return _draw("random_", draws.integer_array, input, *((0, from_) if to is None and from_ else (from_, to)), generator)


def bernoulli_(input: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with 1 with probability ``p``, else 0. ``p`` may be a Tensor that broadcasts.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).bernoulli_(1)
        tensor([1., 1., 1.])
    """
    return _draw("bernoulli_", draws.bernoulli_array, input, p.array if isinstance(p, Tensor) else p, generator)


def _draw(where: str, draw: Callable[..., Array], x: Tensor, *options: Any) -> Tensor:
    check_writable(where, x)
    return overwrite(where, x, draw(where, x.array.shape, x.array.dtype, array_module(x.array), *options))


# ---------------------------------------------------------------------- x[index] = value


def setitem(input: Tensor, index: Any, value: Any) -> None:
    """``input[index] = value``, for all indices that ``input[index]`` takes; ``value`` broadcasts.

    A Tensor ``value`` on another device is copied to that of ``input`` without a word, as PyTorch does for slices. From a GPU
    to the CPU the host waits for it.

    Raises:
        GradError, ArgumentError: ``input`` may not be written: see ``check_writable``.
        IndexingError, DTypeError: the index: see ``getitem``. DTypeError also where ``value`` is neither Tensor nor number.
        ShapeError: ``value`` does not broadcast to the place.

    Example:
        >>> import minigrad
        >>> x = minigrad.zeros(2, 3)
        >>> x[:, 1] = minigrad.tensor([1.0, 2.0])
        >>> x[x == 0] = 5
        >>> x
        tensor([[5., 1., 5.],
                [5., 2., 5.]])
    """
    check_writable("setitem", input)
    origin = None
    if isinstance(value, Tensor):
        origin = value.to(input.device) if IN_USE and value.device != input.device else value
    elif not isinstance(value, (int, float, np.generic)):
        raise DTypeError("setitem", "value", "a Tensor or a number", type(value).__name__, "Wrap it in minigrad.tensor()")
    basic, template, indices = normalise_index("setitem", index, input)
    if template is not None and origin is None:
        origin = Tensor._wrap(array_module(input.array).zeros((), input.array.dtype))
        assign("setitem", origin.array, ..., value)
    if not records(input, origin):
        source = value if origin is None else origin.array
        if template is None:
            assign("setitem", input.array, basic or ..., source)
        else:
            _put(input.array[basic] if basic else input.array, template, indices, source)
        changed(input, None)
        return
    place = Slice.apply(input, basic) if basic else input
    if origin is None or template is None:
        while origin is not None and origin.array.ndim > place.array.ndim and origin.array.shape[0] == 1:
            origin = origin.reshape(origin.array.shape[1:])
        overwrite("setitem", place, value if origin is None else origin.array, origin)
    else:
        _put_recorded(place, template, indices, origin)


def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Write ``values`` to the places ``input[indices]``, or add them: see ``index_put``.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).index_put_((minigrad.tensor([0, 0, 2]),), minigrad.tensor(1.0), accumulate=True)
        tensor([2., 0., 1.])
    """
    return alter("index_put_", index_put, input, (indices, values, accumulate), {})


def _put(array: Array, template: Any, indices: list[Tensor], source: Array) -> None:
    try:
        with quiet():
            put(array, template, tuple([index.array for index in indices]), source, accumulate=False)
    except ValueError as error:
        if getattr(error, "where", None) is not None:
            raise
        expected = "a shape that broadcasts to the places of the index"
        raise ShapeError("setitem", "value", expected, str(tuple(source.shape))) from error


def _put_recorded(x: Tensor, template: Any, indices: list[Tensor], values: Tensor) -> None:
    """``IndexPut`` into the memory of ``x``: what its ``forward`` would copy first is not needed again."""
    node = IndexPut()
    node.template, node.accumulate = template, False
    node.save_for_backward(*[index.array for index in indices])
    node._keep(tuple(indices), ())
    result = Tensor._wrap(x.array)
    result._adopt(hang(node, x, values, None, None, *indices), 0)
    _put(x.array, template, indices, values.array)
    changed(x, result)


__all__: list[str] = []
METHODS = (
    "bernoulli_",
    "copy_",
    "exponential_",
    "fill_",
    "fill_diagonal_",
    "index_put_",
    "normal_",
    "random_",
    "uniform_",
    "zero_",
)
OPERATORS = {"__setitem__": setitem}
