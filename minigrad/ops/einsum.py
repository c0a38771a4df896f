"""Einstein's summation: products of tensors, summed over subscripts that the result does not name.

An operand first loses what concerns it alone: diagonals, sums, dimensions of size 1. What is left is multiplied two at a time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable, Sequence
from typing import Any

from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.contraction import Labels, multiplied
from minigrad.ops.dimensions import Permute
from minigrad.ops.reduction import Sum
from minigrad.ops.shape import Reshape
from minigrad.ops.strided import Diagonal

# ---------------------------------------------------------------------- what the user writes


def einsum(equation: Any, *operands: Any) -> Tensor:
    """The sum of products that an equation describes: ``einsum("ij,jk->ik", a, b)`` is the product of two matrices.

    Args:
        equation: for each operand a letter for each dimension, the operands divided by commas; then ``->`` and the letters
            of the result. Letters that the result lacks are summed over; a letter twice in one operand takes its diagonal.
            ``...`` stands for the remaining dimensions, which broadcast. Without ``->`` the result has the dimensions of
            ``...`` and the letters that occur once, in the order of the alphabet.
        operands: Tensors of one dtype, or a list of them. Instead of an equation each may be followed by a list of numbers or
            ``...`` for its dimensions, and the last by such a list for the result.

    Raises:
        ArgumentError: the equation cannot be read, or does not fit the number of operands or dimensions.
        ShapeError: a letter stands for two sizes, neither of which is 1.
        DTypeError: the dtypes differ.

    Example:
        >>> import minigrad
        >>> a = minigrad.tensor([[1, 2], [3, 4]])
        >>> minigrad.einsum("ij,jk->ik", a, a), minigrad.einsum("ii", a)
        (tensor([[ 7, 10],
                [15, 22]]), tensor(5))
    """
    if isinstance(equation, Tensor):
        tensors, inputs, output = _from_lists((equation, *operands))
    else:
        tensors = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], (tuple, list)) else list(operands)
        if not isinstance(equation, str):
            raise DTypeError("einsum", "equation", "text", type(equation).__name__)
        inputs, output = _from_text(equation)
    if len(tensors) != len(inputs):
        raise ArgumentError("einsum", "operands", f"{len(inputs)}, as the equation names", str(len(tensors)))
    for position, tensor in enumerate(tensors):
        if check_tensor("einsum", f"operand {position}", tensor).array.dtype != tensors[0].array.dtype:
            raise DTypeError(
                "einsum",
                f"operand {position}",
                f"dtype {tensors[0].array.dtype}, that of the first",
                str(tensor.array.dtype),
                "Convert one of them with .to()",
            )
    labels, result = _named(tensors, inputs, output)
    parts = [_plain(position, x, names) for position, (x, names) in enumerate(zip(tensors, labels))]
    return _summed(parts, result)


@functools.lru_cache(maxsize=256)
def _from_text(equation: str) -> tuple[list[list], list | None]:
    """The subscripts of each operand and of the result, letters and ``...``; ``None`` for a result that is not written."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")

    def read(part: str) -> list:
        pieces = part.split("...")
        letters = [list(piece) for piece in pieces]
        wrong = [letter for piece in letters for letter in piece if not (letter.isascii() and letter.isalpha())]
        if wrong or len(pieces) > 2:
            got = f"{equation!r}, with {wrong[0]!r}" if wrong else f"{equation!r}, with two '...' in a term"
            raise ArgumentError("einsum", "equation", "letters, commas, '...' and one '->'", got)
        return letters[0] if len(pieces) == 1 else [*letters[0], ..., *letters[1]]

    return [read(part) for part in left.split(",")], read(right) if arrow else None


def _from_lists(arguments: tuple) -> tuple[list[Tensor], list[list], list | None]:
    """Tensors each followed by a list of subscripts; and at the end, perhaps, that of the result."""
    *pairs, last = arguments if len(arguments) % 2 else (*arguments, None)
    lists = [*pairs[1::2], *([last] if last is not None else [])]
    for subscripts in lists:
        if not isinstance(subscripts, (tuple, list)) or subscripts.count(...) > 1:
            raise ArgumentError("einsum", "operands", "a Tensor and a list of subscripts by turns", repr(subscripts))
    return pairs[0::2], [list(subscripts) for subscripts in pairs[1::2]], list(last) if last is not None else None


def _named(tensors: list[Tensor], inputs: list[list], output: list | None) -> tuple[list[Labels], Labels]:
    """A label for each dimension of each operand and of the result; those of ``...`` are (``...``, place from the last)."""
    labels: list[Labels] = []
    deepest = 0
    for position, (tensor, names) in enumerate(zip(tensors, inputs)):
        rest = tensor.array.ndim - len(names) + (... in names)
        if rest < 0 or (rest and ... not in names):
            raise ArgumentError(
                "einsum",
                "equation",
                f"{tensor.array.ndim} subscripts for operand {position}, as it has dimensions"
                + (" or '...'" if rest > 0 else ""),
                str(len(names) - (... in names)),
            )
        deepest = max(deepest, rest)
        labels.append(_with_dots(names, rest))
    if output is None:
        every = [name for names in inputs for name in names if name is not ...]
        output = [..., *sorted([name for name in set(every) if every.count(name) == 1])]
        if not any(... in names for names in inputs):
            output = output[1:]
    known = {label for names in labels for label in names}
    result = _with_dots(output, deepest)
    unknown = [label for label in result if label not in known]
    if unknown or len(set(result)) < len(result):
        what = f"{unknown[0]!r}, which no operand has" if unknown else f"{''.join(map(str, output))!r}, with one of them twice"
        raise ArgumentError("einsum", "equation", "a result with subscripts of the operands, each once", what)
    return labels, result


def _with_dots(names: Sequence, rest: int) -> Labels:
    dots = [(..., place) for place in range(rest, 0, -1)]
    return tuple([label for name in names for label in (dots if name is ... else [name])])


def _plain(position: int, x: Tensor, labels: Labels) -> tuple[Tensor, Labels]:
    """An operand in which each label stands once: of one that stands twice the diagonal is taken."""
    names = list(labels)
    while len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        first = names.index(twice)
        second = names.index(twice, first + 1)
        shape = x.array.shape
        if shape[first] != shape[second]:
            raise ShapeError(
                "einsum",
                f"operand {position}",
                f"equal sizes where {twice!r} stands twice",
                f"{shape[first]} and {shape[second]}",
            )
        x = Diagonal.apply(x, 0, first, second)
        names = [name for axis, name in enumerate(names) if axis not in (first, second)] + [twice]
    return x, tuple(names)


def _summed(parts: list[tuple[Tensor, Labels]], result: Labels) -> Tensor:
    """The operands multiplied two at a time, the cheapest product first."""
    sizes: dict[Hashable, int] = {}
    for position, (x, labels) in enumerate(parts):
        for label, size in zip(labels, x.array.shape):
            if sizes.setdefault(label, size) == 1:
                sizes[label] = size
            elif size not in (1, sizes[label]):
                name = "'...'" if isinstance(label, tuple) else repr(label)
                raise ShapeError("einsum", f"operand {position}", f"size {sizes[label]} or 1 for {name}", str(size))
    parts = [_without_ones(x, labels) for x, labels in parts]
    while len(parts) > 1:
        a, b = _cheapest(parts, sizes) if len(parts) > 2 else (0, 1)
        others = [part for position, part in enumerate(parts) if position not in (a, b)]
        wanted = {*result, *[label for _, labels in others for label in labels]}
        (x, i), (y, j) = (_alone(*parts[place], parts[other][1], wanted) for place, other in ((a, b), (b, a)))
        o = tuple([label for label in result if label in i or label in j])
        o += tuple([label for label in dict.fromkeys((*i, *j)) if label in wanted and label not in o])
        parts = [*others, (multiplied(x, y, i, j, o), o)]
    x, labels = _alone(*parts[0], (), set(result))
    missing = [label for label in result if label not in labels]  # of size 1, and left out above
    order = tuple([labels.index(label) for label in result if label in labels])
    x = Permute.apply(x, order) if order != tuple(range(len(order))) else x
    return Reshape.apply(x, tuple([sizes[label] for label in result])) if missing else x


def _cheapest(parts: list[tuple[Tensor, Labels]], sizes: dict[Hashable, int]) -> tuple[int, int]:
    """The two operands whose product takes the fewest multiplications."""
    pairs = [(a, b) for b in range(len(parts)) for a in range(b)]
    return min(pairs, key=lambda pair: math.prod([sizes[label] for label in {*parts[pair[0]][1], *parts[pair[1]][1]}]))


def _without_ones(x: Tensor, labels: Labels) -> tuple[Tensor, Labels]:
    """An operand without its dimensions of size 1: along them it multiplies all alike."""
    shape = x.array.shape
    if 1 not in shape:
        return x, labels
    kept = [axis for axis, size in enumerate(shape) if size != 1]
    return Reshape.apply(x, tuple([shape[axis] for axis in kept])), tuple([labels[axis] for axis in kept])


def _alone(x: Tensor, labels: Labels, other: Labels, wanted: set) -> tuple[Tensor, Labels]:
    """An operand summed over the labels that nobody else has or wants."""
    over = tuple([axis for axis, label in enumerate(labels) if label not in other and label not in wanted])
    if not over:
        return x, labels
    return Sum.apply(x, over, False), tuple([label for axis, label in enumerate(labels) if axis not in over])


__all__ = ["einsum"]
METHODS = ()
