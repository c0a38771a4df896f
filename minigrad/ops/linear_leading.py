"""The likeliest classes of a linear layer's softmax as one op: what a search for the best sentence asks at each word.

Of R rows and C classes neither the logits, R C numbers, are kept, nor anything of their size made of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad.core.device import IN_USE
from minigrad.core.refusals import refuse_mixed
from minigrad.core.tape import mode
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, IndexingError, ShapeError
from minigrad.kernels import leading as kernel
from minigrad.ops.choice import where
from minigrad.ops.creation import tensor
from minigrad.ops.dense import check_operands, linear
from minigrad.ops.extrema import ValuesAndIndices
from minigrad.ops.reduction import logsumexp
from minigrad.ops.sorting import sort
from minigrad.ops.step_weights import kept_weights


def linear_topk(
    input: Tensor, linear_weight: Tensor, k: int, *, linear_bias: Tensor | None = None, without: Sequence[int] = ()
) -> ValuesAndIndices:
    """``log_softmax(linear(input, linear_weight, linear_bias), 1).topk(k, 1)``, without all the logits.

    Inside ``nn.utils.Stepping`` the weights are packed once for all calls.

    Args:
        input: (N, in_features).
        linear_weight: (C, in_features).
        k: how many, at most C.
        linear_bias: (C,).
        without: class numbers that are not among them; they count in the softmax, and then have a logarithm of -inf.

    Returns:
        ``values``, logarithms of chances, and ``indices``, (N, k) each, the likeliest first, of equal ones the lowest number.
        Gradients go through the values.

    Raises:
        ShapeError, DTypeError: as ``linear``, and other dimensions.
        ArgumentError: ``k`` outside 1 to C.
        IndexingError: a class number that there is not.

    Example:
        >>> import minigrad
        >>> x, w = minigrad.tensor([[1.0]]), minigrad.tensor([[2.0], [5.0], [5.0]])
        >>> minigrad.nn.functional.linear_topk(x, w, 2, without=[1]).indices
        tensor([[2, 0]])
    """
    where_ = "linear_topk"
    check_operands(where_, input, linear_weight, linear_bias, "linear_weight")
    x, w = input.array, linear_weight.array
    if w.ndim != 2 or not w.shape[0]:
        raise ShapeError(where_, "linear_weight", "shape (C, in_features), C at least 1", f"shape {w.shape}")
    if x.ndim != 2 or x.shape[1] != w.shape[1]:
        expected = f"shape (N, {w.shape[1]}), as linear_weight has {w.shape}"
        raise ShapeError(where_, "input", expected, f"shape {x.shape}", "Flatten the dimensions before the last")
    if linear_bias is not None and linear_bias.array.shape != w.shape[:1]:
        raise ShapeError(where_, "linear_bias", f"shape {w.shape[:1]}", f"shape {linear_bias.array.shape}")
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= len(w):
        raise ArgumentError(where_, "k", f"a whole number from 1 to {len(w)}, the classes", repr(k))
    for each in without:
        if isinstance(each, bool) or not isinstance(each, (int, np.integer)) or not 0 <= each < len(w):
            raise IndexingError(where_, "without", f"class numbers from 0 to {len(w) - 1}", repr(each))
    if IN_USE:
        refuse_mixed(where_, (input, linear_weight, linear_bias))
    left_out = tuple(map(int, without))
    given = (input, linear_weight, linear_bias)
    if x.dtype.itemsize < 4 or mode.observers or (mode.grad and any(each is not None and each.requires_grad for each in given)):
        return _composed(input, linear_weight, int(k), linear_bias, left_out)
    memo = kept_weights(linear_weight)
    values, indices = kernel.forward(
        x, w, None if linear_bias is None else linear_bias.array, int(k), without=left_out, memo=memo
    )
    return ValuesAndIndices(Tensor._wrap(values), Tensor._wrap(indices))


def _composed(x: Tensor, w: Tensor, k: int, b: Tensor | None, without: tuple[int, ...]) -> ValuesAndIndices:
    """The same of the ops that it consists of."""
    logits = linear(x, w, b)
    whole = logsumexp(logits, 1, keepdim=True)
    if without:
        hidden = np.zeros(len(w.array), bool)
        hidden[list(without)] = True
        logits = where(tensor(hidden, device=x.device), -np.inf, logits)
    found = sort(logits, 1, descending=True)
    return ValuesAndIndices(found.values[:, :k] - whole, found.indices[:, :k])


__all__: list[str] = []
FUNCTIONAL = ("linear_topk",)
METHODS = ()
