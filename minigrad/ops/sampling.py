"""Random tensors, from the streams of the generators. How their arrays are drawn is in ``minigrad/ops/draws.py``."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, get_default_device, module_for, quiet
from minigrad.core.device import device as _device
from minigrad.core.dtypes import DType, as_dtype, get_default_dtype
from minigrad.core.random import Generator, generator_or_default
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import random as streams
from minigrad.ops.creation import number_of
from minigrad.ops.dims import sizes
from minigrad.ops.draws import (
    MANTISSA,
    bernoulli_array,
    check_float,
    integer_array,
    normal_array,
    uniform_array,
    unit_normal,
    unit_uniform,
)

_DOUBLE, _LONG = np.dtype(np.float64), np.dtype(np.int64)


def _place(where: str, size: tuple, named: Any, dtype: Any, device: Any, otherwise: DType | None = None) -> tuple:
    """Shape, dtype and array module of a new tensor."""
    if named is not None:
        size = (named,)
    shape = sizes(where, size)
    if any(count < 0 for count in shape):
        raise ShapeError(where, "size", "sizes of at least 0", str(shape))
    kind = as_dtype(where, dtype) if dtype is not None else otherwise or get_default_dtype()
    return shape, kind, module_for(get_default_device() if device is None else _device(device))


def _like(where: str, input: Any, dtype: Any, device: Any) -> tuple:
    check_tensor(where, "input", input)
    kind = input.array.dtype if dtype is None else as_dtype(where, dtype)
    return tuple(input.array.shape), kind, array_module(input.array) if device is None else module_for(_device(device))


def _leaf(array: Array, requires_grad: bool) -> Tensor:
    made = Tensor._wrap(array)
    if requires_grad:
        made.requires_grad_()
    return made


def rand(
    *shape: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers spread evenly over [0, 1).

    Args:
        shape, size: the size of each dimension, one by one or as one sequence.
        generator: default: that of the process, which ``manual_seed`` seeds.
        dtype: a float dtype; default: the default one.
        device: default: ``get_default_device()``.
        requires_grad: record ops on it.

    Raises:
        ShapeError: a negative size.
        DTypeError: no float dtype, or no generator.

    Example:
        >>> import minigrad
        >>> minigrad.rand(2, 3, generator=minigrad.Generator().manual_seed(0)).shape
        minigrad.Size([2, 3])
    """
    where, kind, xp = _place("rand", shape, size, dtype, device)
    return _leaf(uniform_array("rand", where, kind, xp, generator=generator), requires_grad)


def randn(
    *shape: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers of the standard normal distribution. See ``rand``.

    Example:
        >>> import minigrad
        >>> minigrad.randn(2, 3).shape
        minigrad.Size([2, 3])
    """
    where, kind, xp = _place("randn", shape, size, dtype, device)
    return _leaf(normal_array("randn", where, kind, xp, generator=generator), requires_grad)


def randint(
    *bounds: Any,
    low: Any = None,
    high: Any = None,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Whole numbers from ``low`` to ``high - 1``, each as likely: ``randint(high, size)`` or ``randint(low, high, size)``.

    Args:
        bounds: ``high``, or ``low`` and ``high``, and the size if it is not named.
        low: default 0.
        high: one above the largest.
        size: the sizes, as a sequence.
        generator: default: that of the process.
        dtype: default int64.
        device: default: ``get_default_device()``.
        requires_grad: record ops on it (float dtypes).

    Raises:
        ArgumentError: an argument twice or not at all, or no number in the range.
        ShapeError: a negative size.

    Example:
        >>> import minigrad
        >>> minigrad.randint(3, 4, (2,))
        tensor([3, 3])
    """
    given, first, last, sizes_ = list(bounds), low, high, size
    if sizes_ is None and given and isinstance(given[-1], (tuple, list)):
        sizes_ = given.pop()
    if len(given) == 2 and first is None and last is None:
        first, last, given = *given, []
    elif len(given) == 1 and last is None:
        last = given.pop()
    elif len(given) == 1 and first is None:
        first = given.pop()
    if given or last is None or sizes_ is None:
        raise _unclear(bounds, low, high, size)
    shape, kind, xp = _place("randint", (), sizes_, dtype, device, _LONG)
    return _leaf(integer_array("randint", shape, kind, xp, 0 if first is None else first, last, generator), requires_grad)


def _unclear(bounds: tuple, low: Any, high: Any, size: Any) -> ArgumentError:
    named = [f"{name}={value!r}" for name, value in (("low", low), ("high", high), ("size", size)) if value is not None]
    got = f"({', '.join([*map(repr, bounds), *named])})"
    return ArgumentError("randint", "arguments", "(high, size) or (low, high, size), the size as a sequence", got)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers from 0 to ``n - 1`` in random order, int64 unless ``dtype`` says otherwise.

    Raises:
        ArgumentError: ``n`` is negative, or more than the dtype can tell apart.

    Example:
        >>> import minigrad
        >>> sorted(minigrad.randperm(4).tolist())
        [0, 1, 2, 3]
    """
    try:
        n = operator.index(n)
    except TypeError:
        raise DTypeError("randperm", "n", "an integer", repr(n)) from None
    if n < 0:
        raise ArgumentError("randperm", "n", "0 or more", str(n))
    _, kind, xp = _place("randperm", (n,), None, dtype, device, _LONG)
    most = 1 if kind.kind == "b" else 2 ** MANTISSA[kind] if kind.kind == "f" else int(np.iinfo(kind).max)
    if n - 1 > most:
        raise ArgumentError("randperm", "n", f"at most {most + 1}, what {kind} tells apart", str(n))
    key, block = generator_or_default("randperm", generator).reserve(streams.blocks_used("permutation", n))
    return _leaf(streams.permutation(key, block, n, xp).astype(kind, copy=False), requires_grad)


def rand_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """As ``rand``, with the shape, dtype and device of ``input``.

    Example:
        >>> import minigrad
        >>> minigrad.rand_like(minigrad.zeros(2, 3)).shape
        minigrad.Size([2, 3])
    """
    shape, kind, xp = _like("rand_like", input, dtype, device)
    return _leaf(uniform_array("rand_like", shape, kind, xp, generator=generator), requires_grad)


def randn_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """As ``randn``, with the shape, dtype and device of ``input``.

    Example:
        >>> import minigrad
        >>> minigrad.randn_like(minigrad.zeros(2, 3)).shape
        minigrad.Size([2, 3])
    """
    shape, kind, xp = _like("randn_like", input, dtype, device)
    return _leaf(normal_array("randn_like", shape, kind, xp, generator=generator), requires_grad)


def randint_like(
    input: Tensor,
    low: int = 0,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """As ``randint``, with the shape, dtype and device of ``input``: ``(input, high)`` or ``(input, low, high)``.

    Example:
        >>> import minigrad
        >>> minigrad.randint_like(minigrad.zeros(2), 5, 6)
        tensor([5., 5.])
    """
    if high is None:
        low, high = 0, low
    shape, kind, xp = _like("randint_like", input, dtype, device)
    return _leaf(integer_array("randint_like", shape, kind, xp, low, high, generator), requires_grad)


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that stands at the place in ``input``, else 0; of its shape and dtype.

    A draw has no derivative, and the result is outside the graph. (PyTorch's is inside it and hands back zeros.)

    Args:
        input: probabilities; a float Tensor.
        p: one probability for all places; only the shape of ``input`` counts then.
        generator: default: that of the process.

    Raises:
        ArgumentError: a probability below 0 or above 1.
        DTypeError: ``input`` holds no floats, and there is no ``p``.

    Example:
        >>> import minigrad
        >>> minigrad.bernoulli(minigrad.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """
    array = check_tensor("bernoulli", "input", input).array
    if p is None:
        check_float("bernoulli", array.dtype)
    chance = array if p is None else p
    drawn = bernoulli_array("bernoulli", tuple(array.shape), array.dtype, array_module(array), chance, generator)
    return Tensor._wrap(drawn)


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """The indices of ``num_samples`` categories, drawn with the weights in ``input``.

    With replacement by the inverse of the distribution function; without, as the categories whose exponential waiting
    times are the shortest (Efraimidis and Spirakis 2006), so that the first drawn comes first.

    Args:
        input: weights of shape (categories,) or (rows, categories), 0 or more, not all 0 in a row; they need not sum to 1.
        num_samples: how many in each row.
        replacement: whether a category may come again.
        generator: default: that of the process.

    Returns:
        Indices, int64, of shape (num_samples,) or (rows, num_samples).

    Raises:
        ShapeError: another number of dimensions.
        DTypeError: no float dtype.
        ArgumentError: a weight that is negative or not finite, a row of zeros, or more samples without replacement than
            categories with a weight above 0.

    Example:
        >>> import minigrad
        >>> minigrad.multinomial(minigrad.tensor([0.0, 1.0, 0.0]), 3, replacement=True)
        tensor([1, 1, 1])
    """
    array = check_tensor("multinomial", "input", input).array
    xp = array_module(array)
    check_float("multinomial", array.dtype)
    if array.ndim not in (1, 2):
        raise ShapeError("multinomial", "input", "(categories,) or (rows, categories)", f"shape {tuple(array.shape)}")
    try:
        count = operator.index(num_samples)
    except TypeError:
        raise DTypeError("multinomial", "num_samples", "an integer", repr(num_samples)) from None
    if count < 1:
        raise ArgumentError("multinomial", "num_samples", "1 or more", str(count))
    weights = array.astype(_DOUBLE, copy=False)
    weights = weights if array.ndim == 2 else weights[None]
    if not bool(((weights >= 0) & (weights < math.inf)).all()):
        raise ArgumentError("multinomial", "input", "weights of 0 or more", "one that is negative, infinite or NaN")
    fewest = int((weights > 0).sum(axis=1).min()) if weights.shape[0] else count
    if fewest < (1 if replacement else count):
        raise ArgumentError(
            "multinomial",
            "num_samples" if fewest else "input",
            f"at most {fewest}, the categories with a weight above 0" if fewest else "a weight above 0 in each row",
            str(count) if fewest else "a row of zeros",
            "Pass replacement=True to draw a category more than once" if fewest else "",
        )
    owner = generator_or_default("multinomial", generator)
    with quiet():
        found = _with_replacement(weights, count, xp, owner) if replacement else _without(weights, count, xp, owner)
    return Tensor._wrap(found if array.ndim == 2 else found[0])


def _with_replacement(weights: Array, count: int, xp: Any, owner: Generator) -> Array:
    """The first category at which the sum of weights passes a drawn share of the total."""
    sums = xp.cumsum(weights / weights.max(axis=1, keepdims=True), axis=1)
    total = sums[:, -1:]
    drawn = unit_uniform((weights.shape[0], count), _DOUBLE, xp, owner) * total
    drawn = xp.minimum(drawn, xp.nextafter(total, xp.zeros_like(total)))  # the product may round up to the total
    found = xp.empty(drawn.shape, _LONG)
    for row in range(len(sums)):
        found[row] = xp.searchsorted(sums[row], drawn[row], side="right")
    return found


def _without(weights: Array, count: int, xp: Any, owner: Generator) -> Array:
    times = -xp.log1p(-unit_uniform(tuple(weights.shape), _DOUBLE, xp, owner)) / weights
    times = xp.where(weights > 0, times, math.inf)
    return xp.argsort(times, axis=1, kind="stable")[:, :count].astype(_LONG, copy=False)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers of normal distributions: each place with its own mean and standard deviation, or one pair and a size.

    Args:
        mean: a float Tensor, or a number.
        std: a float Tensor that broadcasts with ``mean``, or a number; 0 or more.
        size: the sizes, where both are numbers.
        generator: default: that of the process.
        dtype, device, requires_grad: of the result, where both are numbers.

    Raises:
        ArgumentError: a negative ``std``, or two numbers without ``size``.
        ShapeError: the shapes do not broadcast.

    Example:
        >>> import minigrad
        >>> minigrad.normal(minigrad.tensor([1.0, 2.0]), 0.0)
        tensor([1., 2.])
    """
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            raise ArgumentError("normal", "size", "the sizes, as mean and std are numbers", "none")
        shape, kind, xp = _place("normal", (), size, dtype, device)
        return _leaf(normal_array("normal", shape, kind, xp, mean, std, generator), requires_grad)
    if size is not None:
        raise ArgumentError("normal", "size", "none beside a Tensor, whose shape counts", repr(size))
    named = (("mean", mean), ("std", std))
    parts = [part.array if isinstance(part, Tensor) else number_of("normal", name, part) for name, part in named]
    arrays = [part for part in parts if not isinstance(part, (int, float))]
    for array in arrays:
        check_float("normal", array.dtype)
    if isinstance(std, Tensor) and not bool((parts[1] >= 0).all()):
        raise ArgumentError("normal", "std", "0 or more", f"numbers from {float(parts[1].min())}")
    if not isinstance(std, Tensor) and not parts[1] >= 0:
        raise ArgumentError("normal", "std", "0 or more", str(std))
    xp = array_module(arrays[0])
    try:
        shape = np.broadcast_shapes(*[tuple(array.shape) for array in arrays])
    except ValueError:
        shapes = " and ".join(str(tuple(array.shape)) for array in arrays)
        raise ShapeError("normal", "mean, std", "shapes that broadcast", shapes) from None
    kind = np.result_type(*[array.dtype for array in arrays])
    drawn = unit_normal(shape, kind, xp, generator_or_default("normal", generator))
    return Tensor._wrap(drawn * parts[1] + parts[0])


__all__ = [
    "bernoulli",
    "multinomial",
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
]
METHODS = ("bernoulli", "multinomial")
