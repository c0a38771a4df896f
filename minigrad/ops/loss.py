"""Losses of classes: cross entropy. Those of other distributions are in ``likelihood.py``, of distances in ``distance.py``.

What PyTorch has deprecated (``size_average``, ``reduce``) is not taken; what follows it there is given by name here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core import tape
from minigrad.core.device import CPU, Array, array_module, move
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.kernels import softmax as kernel
from minigrad.kernels.doubts import doubt
from minigrad.ops.choice import where as choose
from minigrad.ops.gathering import Gather, ScatterAdd
from minigrad.ops.operands import cast
from minigrad.ops.softmax import Softmax, log_softmax


def reduced(where: str, losses: Tensor, reduction: str) -> Tensor:
    """The losses, their sum or their mean; the mean of none is nan.

    Raises:
        ArgumentError: ``reduction`` is none of the three words.
    """
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    check_reduction(where, reduction)
    return losses


def check_reduction(where: str, reduction: str) -> None:
    """That ``reduction`` is one of the three words.

    Raises:
        ArgumentError: it is not.
    """
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(where, "reduction", "'none', 'mean' or 'sum'", repr(reduction))


def check_float(where: str, argument: str, value: Any) -> Array:
    """The array of a float Tensor.

    Raises:
        DTypeError: no Tensor, or integers.
    """
    array = check_tensor(where, argument, value).array
    if array.dtype.kind != "f":
        raise DTypeError(where, argument, "a float dtype", str(array.dtype), "Convert it with .float()")
    return array


def check_same_shape(where: str, input: Any, target: Any, argument: str = "target", remedy: str = "") -> None:
    """That two Tensors have one shape: a loss that broadcasts is nearly always a mistake.

    Raises:
        ShapeError: they have not.
        DTypeError: one is no Tensor.
    """
    shape, got = check_tensor(where, "input", input).array.shape, check_tensor(where, argument, target).array.shape
    if shape != got:
        raise ShapeError(
            where,
            argument,
            f"shape {shape}, as input has",
            f"shape {got}",
            remedy or "Nothing broadcasts here: squeeze, unsqueeze or expand one of them",
        )


# ---------------------------------------------------------------------- class numbers


class CrossEntropy(Function):
    """y = Σ_c q_c w_c (log Σ_k e^x_k - x_c) for each sample;  dx_c = dy (p_c Σ_k q_k w_k - q_c w_c), p = softmax(x).

    q is 1 - s at the sample's class, plus s / C at all C of them, s the label smoothing. A sample whose class is negative
    counts for nothing. ``minigrad.kernels.softmax`` has the formulas in full.
    """

    def forward(ctx, x: Array, index: Array, weight: Array | None, smoothing: float) -> Array:
        ctx.smoothing, rows = smoothing, _rows(x)
        losses, greatest, log_sum = kernel.cross_entropy_forward(rows, index.reshape(-1), weight, smoothing=smoothing)
        if ctx.edges[0]:
            ctx.save_for_backward(x, index, weight, greatest, log_sum)
        return losses.reshape(index.shape)

    def backward(ctx, dy: Tensor) -> Any:
        x, index, weight, greatest, log_sum = ctx.saved_tensors
        w, s, shape = None if weight is None else weight.array, ctx.smoothing, x.array.shape
        if not tape.mode.grad:
            dx = kernel.cross_entropy_backward(
                dy.array.reshape(-1), _rows(x.array), index.array.reshape(-1), w, greatest.array, log_sum.array, smoothing=s
            )
            return Tensor._wrap(_unrolled(dx, shape)), None, None, None
        xp, classes = array_module(x.array), shape[1]
        kept = index.array >= 0
        target = xp.where(kept, index.array, 0)
        dy = choose(Tensor._wrap(kept), dy, 0.0)  # 0 also where dy is infinite, as for the mean of no samples
        # dx_c = dy (p_c spread - here [c = class] - each_c): what the sample's own weight and the smoothing leave of it.
        here = xp.full(target.shape, 1 - s) if w is None else w[target] * (1 - s)
        each = xp.full(classes, s / classes) if w is None else w * (s / classes)
        spread, own = (Tensor._wrap(a.astype(x.array.dtype)) * dy for a in (here + each.sum(), here))
        places = Tensor._wrap(target[:, None])
        dx = Softmax.apply(x, 1) * spread.unsqueeze(1) - ScatterAdd.apply(own.unsqueeze(1), shape, 1, places)
        if s:
            each = each.astype(x.array.dtype).reshape(1, classes, *[1] * (len(shape) - 2))
            dx = dx - dy.unsqueeze(1) * Tensor._wrap(each)
        return dx, None, None, None


def _rows(x: Array) -> Array:
    """(N, C, d...) as (rows, C): a view where channels lie last in memory."""
    return x if x.ndim == 2 else array_module(x).moveaxis(x, 1, -1).reshape(-1, x.shape[1])


def _unrolled(rows: Array, shape: tuple[int, ...]) -> Array:
    """(rows, C) as (N, C, d...): a view."""
    if len(shape) == 2:
        return rows
    return array_module(rows).moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross entropy of ``softmax(input)`` and the classes, or class probabilities, in ``target``.

    Args:
        input: (N, C), or (C,) for one sample, or (N, C, d1, ...): logits of C classes.
        target: class numbers of the shape of ``input`` without C; or probabilities, of the shape of ``input``.
        weight: (C,), a weight for each class.
        ignore_index: a class number that counts for nothing.
        reduction: ``"none"`` for each sample's loss, ``"sum"``, or ``"mean"``, which divides by the sum of their weights.
        label_smoothing: the share of the target, from 0 to 1, that is spread over all classes.

    Raises:
        IndexingError: a class number outside 0 to C - 1, with its place.
        ShapeError: shapes that do not fit.
        DTypeError: ``input`` holds integers, or ``target`` no class numbers.
        ArgumentError: an unknown reduction, or a smoothing outside 0 to 1.

    Example:
        >>> import minigrad
        >>> logits = minigrad.tensor([[0.0, 0.0], [0.0, 1000.0]])
        >>> minigrad.nn.functional.cross_entropy(logits, minigrad.tensor([0, 1]))
        tensor(0.3466)
    """
    where = "cross_entropy"
    x = check_float(where, "input", input)
    t = check_tensor(where, "target", target).array
    check_reduction(where, reduction)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(where, "label_smoothing", "a number from 0 to 1", str(label_smoothing))
    if x.ndim == 0:
        raise ShapeError(where, "input", "1 dimension (C) or more (N, C, ...)", "none")
    w = class_weight(where, weight, x.shape[0 if x.ndim == 1 else 1], x)
    if t.dtype.kind == "f":
        return _of_probabilities(where, input, target, weight, reduction, label_smoothing)
    if x.dtype == np.float16:  # sums of many numbers: in float32
        wide = cross_entropy(
            input.float(), target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        )
        return cast(wide, x.dtype)
    single = x.ndim == 1
    if single:
        input, t = input.unsqueeze(0), t.reshape((1, *t.shape))
    index, kept = class_numbers(where, input.array.shape, t, ignore_index)
    losses = CrossEntropy.apply(input, left_out(index, kept), w, label_smoothing)
    return weighted_mean(losses, index, kept, w, reduction, single)


def _of_probabilities(
    where: str, input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    x = input.array
    check_same_shape(
        where, input, target, remedy="A float target holds probabilities; convert class numbers with target.long()"
    )
    dim = 0 if x.ndim == 1 else 1
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / x.shape[dim]
    if weight is not None:
        target = target * cast(weight, x.dtype).reshape([-1, *[1] * (x.ndim - dim - 1)])
    losses = -(log_softmax(input, dim) * target).sum(dim)
    return reduced(where, losses, reduction)


def class_weight(where: str, weight: Tensor | None, classes: int, x: Array) -> Array | None:
    """The classes' weights in the dtype of ``x``.

    Raises:
        ShapeError: there is not one for each class.
    """
    if weight is None:
        return None
    w = check_tensor(where, "weight", weight).array
    if w.shape != (classes,):
        raise ShapeError(where, "weight", f"shape ({classes},), one for each class", f"shape {w.shape}")
    return w.astype(x.dtype, copy=False)


def class_numbers(where: str, shape: tuple[int, ...], target: Array, ignore_index: int) -> tuple[Array, Array | None]:
    """The class of each sample, and whether it counts; ``None`` if all do. Those that do not are given class 0.

    Args:
        shape: that of the logits (N, C, d1, ...).

    Raises:
        DTypeError, ShapeError, IndexingError: no class numbers of these samples.
    """
    if target.dtype.kind not in "iu":
        raise DTypeError(where, "target", "class numbers, int64", str(target.dtype), "Convert it with .long()")
    if len(shape) < 2 or target.shape != (shape[0], *shape[2:]):
        expected = f"shape {(shape[0], *shape[2:])}, that of input {shape} without its classes"
        raise ShapeError(where, "target", expected, f"shape {target.shape}")
    target = target.astype(np.int64, copy=False)
    if not target.size:
        return target, None
    classes = shape[1]
    if type(target) is np.ndarray:
        low, high = int(target.min()), int(target.max())
        if low >= 0 and high < classes and not low <= ignore_index <= high:
            return target, None
    kept = target != ignore_index
    wrong = kept & ((target < 0) | (target >= classes))

    def error() -> IndexingError:
        at = tuple(int(each) for each in np.argwhere(move(wrong, CPU))[0])
        return IndexingError(
            where, "target", f"class numbers from 0 to {classes - 1}, or ignore_index={ignore_index}",
            f"{int(target[at])} at {at[0] if len(at) == 1 else at}",
        )  # fmt: skip

    doubt(wrong.any(), error)
    return array_module(target).where(kept & ~wrong, target, 0), kept


def left_out(index: Array, kept: Array | None) -> Array:
    """The classes, negative where they do not count."""
    return index if kept is None else array_module(index).where(kept, index, -1)


def weighted_mean(losses: Tensor, index: Array, kept: Array | None, w: Array | None, reduction: str, single: bool) -> Tensor:
    """Reduce the losses of samples that are weighted by their class."""
    if reduction == "none":
        return losses.squeeze(0) if single else losses
    total = losses.sum()
    return total if reduction == "sum" else over_weights(total, index, kept, w)


def over_weights(total: Tensor, index: Array, kept: Array | None, w: Array | None) -> Tensor:
    """The sum of samples' losses over the sum of their weights."""
    if w is None:
        if kept is None:
            return total / index.size
        count = kept.sum()
        return total / (int(count) if type(index) is np.ndarray else Tensor._wrap(count.astype(total.array.dtype)))
    counted = w[index] if kept is None else w[index] * kept
    return total / Tensor._wrap(counted.sum())


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """The negative of what ``input``, log-probabilities, gives to the class of each sample. See ``cross_entropy``.

    Args:
        input: (N, C), or (C,), or (N, C, d1, ...): log-probabilities.
        target: class numbers, of the shape of ``input`` without C.
        weight, ignore_index, reduction: as in ``cross_entropy``.

    Raises:
        IndexingError, ShapeError, DTypeError, ArgumentError: as ``cross_entropy``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.nll_loss(minigrad.tensor([[-1.0, -2.0]]), minigrad.tensor([1]))
        tensor(2.)
    """
    where = "nll_loss"
    x = check_float(where, "input", input)
    t = check_tensor(where, "target", target).array
    check_reduction(where, reduction)
    if x.ndim == 0:
        raise ShapeError(where, "input", "1 dimension (C) or more (N, C, ...)", "none")
    w = class_weight(where, weight, x.shape[0 if x.ndim == 1 else 1], x)
    single = x.ndim == 1
    if single:
        input, t = input.unsqueeze(0), t.reshape((1, *t.shape))
    index, kept = class_numbers(where, input.array.shape, t, ignore_index)
    losses = -Gather.apply(input, 1, Tensor._wrap(index[:, None])).squeeze(1)
    if kept is not None:
        losses = choose(Tensor._wrap(kept), losses, 0.0)
    if w is not None:
        losses = losses * Tensor._wrap(w[index])
    return weighted_mean(losses, index, kept, w, reduction, single)


__all__: list[str] = []
FUNCTIONAL = ("cross_entropy", "nll_loss")
METHODS = ()
