"""Losses of distances: of numbers to their targets, and of vectors to each other. See ``loss.py`` for what they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.activation import Gate
from minigrad.ops.loss import check_float, check_reduction, check_same_shape, reduced
from minigrad.ops.operands import pair
from minigrad.ops.shape import broadcast_tensors
from minigrad.ops.smooth import softplus

# ---------------------------------------------------------------------- numbers


class SquaredError(Function):
    """y = (a - b)²;  da = 2 (a - b) dy, db = -da."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        y = a - b
        y *= y
        return y

    def backward(ctx, dy: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        if mode.direct:
            far = (a.array - b.array) * (dy.array * 2)
            return Tensor._wrap(far) if need_a else None, Tensor._wrap(-far) if need_b else None
        da = (a - b) * (dy * 2)
        return da if need_a else None, -da if need_b else None


class Huber(Function):
    """y = d²/2 where |d| <= delta, else delta (|d| - delta/2), d = a - b;  da = min(max(d, -delta), delta) dy, db = -da."""

    def forward(ctx, a: Array, b: Array, delta: float) -> Array:
        ctx.delta = delta
        ctx.save_for_backward(a, b)
        size = array_module(a).abs(a - b)
        held = array_module(a).minimum(size, delta)
        return held * (size - 0.5 * held)

    def backward(ctx, dy: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b, _ = ctx.needs_input_grad
        xp, d = array_module(a.array), a - b
        bent = xp.abs(d.array) < ctx.delta
        rest = Tensor._wrap(xp.sign(d.array) * ~bent * ctx.delta)
        da = Gate.apply(dy, bent) * d + dy * rest
        return da if need_a else None, -da if need_b else None, None


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """The squares of the differences, or their mean or sum.

    Args:
        input, target: of one shape. (PyTorch broadcasts them with a warning.)
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        weight: a factor of each square, of the same shape; the mean then divides by its sum.

    Raises:
        ShapeError: two shapes.
        ArgumentError: an unknown reduction.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.mse_loss(minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 5.0]))
        tensor(4.5000)
    """
    check_same_shape("mse_loss", input, target)
    return _weighted("mse_loss", SquaredError.apply(*pair("mse_loss", input, target)), weight, reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """The absolute differences, or their mean or sum. See ``mse_loss``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.l1_loss(minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 5.0]))
        tensor(1.5000)
    """
    check_same_shape("l1_loss", input, target)
    return _weighted("l1_loss", (input - target).abs(), weight, reduction)


def _weighted(where: str, losses: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is None:
        return reduced(where, losses, reduction)
    check_same_shape(where, losses, weight, "weight")
    if reduction == "mean":
        return (losses * weight).sum() / weight.sum()
    return reduced(where, losses * weight, reduction)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Half the square of the difference up to ``delta``, and ``delta`` times the rest beyond.

    Args:
        input, target, reduction: as in ``mse_loss``.
        delta: above 0.
        weight: a factor of each loss, of the same shape. (The mean divides by the number of elements, as in PyTorch.)

    Raises:
        ArgumentError: ``delta`` is not above 0, or an unknown reduction.
        ShapeError: two shapes.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.huber_loss(minigrad.tensor([1.0, 2.0]), minigrad.tensor([2.0, 5.0]), reduction="none")
        tensor([0.5000, 2.5000])
    """
    check_same_shape("huber_loss", input, target)
    if not delta > 0:
        raise ArgumentError("huber_loss", "delta", "a number above 0", str(delta))
    losses = Huber.apply(*pair("huber_loss", input, target), delta)
    if weight is not None:
        check_same_shape("huber_loss", input, weight, "weight")
        losses = losses * weight
    return reduced("huber_loss", losses, reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """``huber_loss / beta``: the absolute difference, rounded off within ``beta``. ``l1_loss`` where that is 0.

    Raises:
        ArgumentError: ``beta`` is negative, or an unknown reduction.
        ShapeError: two shapes.

    Source: Girshick, "Fast R-CNN", equation 3.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.smooth_l1_loss(minigrad.tensor([1.0, 2.0]), minigrad.tensor([2.0, 5.0]), reduction="none")
        tensor([0.5000, 2.5000])
    """
    check_same_shape("smooth_l1_loss", input, target)
    if beta < 0:
        raise ArgumentError("smooth_l1_loss", "beta", "a number of at least 0", str(beta))
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    return reduced("smooth_l1_loss", Huber.apply(*pair("smooth_l1_loss", input, target), beta) / beta, reduction)


# ---------------------------------------------------------------------- margins


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *, reduction: str = "mean"
) -> Tensor:
    """``max(0, margin - target * (input1 - input2))``: the one that ``target`` names shall be larger by ``margin``.

    Args:
        input1, input2: of one shape.
        target: 1 where the first shall be larger, -1 where the second; it broadcasts.
        margin: by how much.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ShapeError: two shapes.
        ArgumentError: an unknown reduction.

    Example:
        >>> import minigrad
        >>> one, two = minigrad.tensor([1.0]), minigrad.tensor([3.0])
        >>> minigrad.nn.functional.margin_ranking_loss(one, two, minigrad.tensor([1.0]))
        tensor(2.)
    """
    check_same_shape("margin_ranking_loss", input1, input2, "input2")
    check_tensor("margin_ranking_loss", "target", target)
    return reduced("margin_ranking_loss", (margin - target * (input1 - input2)).clamp(min=0), reduction)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, *, reduction: str = "mean") -> Tensor:
    """``input``, a distance, where ``target`` is 1; ``max(0, margin - input)`` where it is -1.

    Raises:
        ShapeError: two shapes.
        ArgumentError: an unknown reduction.

    Example:
        >>> import minigrad
        >>> distance = minigrad.tensor([0.25, 0.25])
        >>> minigrad.nn.functional.hinge_embedding_loss(distance, minigrad.tensor([1, -1]), reduction="none")
        tensor([0.2500, 0.7500])
    """
    check_same_shape("hinge_embedding_loss", input, target)
    t = target.array
    losses = Gate.apply(input, t != -1) + Gate.apply((margin - input).clamp(min=0), t != 1)
    return reduced("hinge_embedding_loss", losses, reduction)


def soft_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """``log(1 + exp(-target * input))``, for inputs of any size.

    Args:
        input: scores.
        target: 1 or -1, of the same shape.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ShapeError: two shapes.
        ArgumentError: an unknown reduction.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.soft_margin_loss(minigrad.tensor([-1000.0]), minigrad.tensor([1.0]))
        tensor(1000.)
    """
    check_same_shape("soft_margin_loss", input, target)
    check_float("soft_margin_loss", "input", input)
    return reduced("soft_margin_loss", softplus(-target * input, threshold=float("inf")), reduction)


# ---------------------------------------------------------------------- vectors


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The ``p``-norm of ``x1 - x2 + eps`` along the last dimension.

    Args:
        x1, x2: (..., D), which broadcast.
        p: the norm's degree.
        eps: added to the difference, so that equal vectors have a derivative.
        keepdim: keep the last dimension, with size 1.

    Example:
        >>> import minigrad
        >>> minigrad.pairwise_distance(minigrad.tensor([[3.0, 4.0]]), minigrad.zeros(1, 2))
        tensor([5.0000])
    """
    check_tensor("pairwise_distance", "x1", x1), check_tensor("pairwise_distance", "x2", x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along ``dim``: their product over that of their lengths.

    The derivative is that of this formula; PyTorch's of a vector shorter than ``eps`` goes on as if its length still counted.

    Args:
        x1, x2: Tensors that broadcast.
        dim: where the vectors' components are.
        eps: no length counts as less.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.cosine_similarity(minigrad.tensor([[1.0, 1.0]]), minigrad.tensor([[0.0, 2.0]]))
        tensor([0.7071])
    """
    check_tensor("cosine_similarity", "x1", x1), check_tensor("cosine_similarity", "x2", x2)
    if x1.array.shape != x2.array.shape:
        x1, x2 = broadcast_tensors(x1, x2)  # before the lengths are taken
    if not eps >= 0:
        raise ArgumentError("cosine_similarity", "eps", "0 or more", str(eps))
    one, two = x1.norm(2, dim, True).clamp(min=eps), x2.norm(2, dim, True).clamp(min=eps)
    return (x1 / one * (x2 / two)).sum(dim)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *, reduction: str = "mean"
) -> Tensor:
    """``1 - cos`` of the angle between vectors where ``target`` is 1; ``max(0, cos - margin)`` where it is -1.

    Args:
        input1, input2: (N, D), or (D,).
        target: (N,), or without dimensions.
        margin: from -1 to 1.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ShapeError: shapes that do not fit.
        ArgumentError: an unknown reduction.

    Example:
        >>> import minigrad
        >>> one, two = minigrad.tensor([[1.0, 0.0]]), minigrad.tensor([[0.0, 1.0]])
        >>> minigrad.nn.functional.cosine_embedding_loss(one, two, minigrad.tensor([1]))
        tensor(1.)
    """
    where = "cosine_embedding_loss"
    check_same_shape(where, input1, input2, "input2")
    check_float(where, "input1", input1)
    t = check_tensor(where, "target", target).array
    if input1.array.ndim not in (1, 2) or t.shape != input1.array.shape[:-1]:
        expected = f"(N, D) or (D,), with a target of shape {input1.array.shape[:-1]}"
        raise ShapeError(where, "input1", expected, f"shape {input1.array.shape}, target {t.shape}")
    tiny = 1e-12
    lengths = ((input1 * input1).sum(-1) + tiny) * ((input2 * input2).sum(-1) + tiny)
    cosine = (input1 * input2).sum(-1) / lengths.sqrt()
    losses = Gate.apply(1 - cosine, t == 1) + Gate.apply((cosine - margin).clamp(min=0), t == -1)
    return reduced(where, losses, reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, d(anchor, positive) - d(anchor, negative) + margin)``: the positive shall be nearer than the negative.

    Args:
        anchor, positive, negative: (N, D), or (D,).
        margin: by how much, above 0.
        p, eps: of ``pairwise_distance``.
        swap: take the distance of positive and negative where that is the smaller one.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ArgumentError: ``margin`` is not above 0, or an unknown reduction.
        ShapeError: other numbers of dimensions.

    Source: Balntas and others, "Learning local feature descriptors with triplets and shallow convolutional neural networks".

    Example:
        >>> import minigrad
        >>> zero, near, far = minigrad.zeros(1, 2), minigrad.ones(1, 2), minigrad.ones(1, 2) * 3
        >>> minigrad.nn.functional.triplet_margin_loss(zero, far, near)
        tensor(3.8284)
    """

    def distance(one: Tensor, two: Tensor) -> Tensor:
        return pairwise_distance(one, two, p, eps)

    return _triplet("triplet_margin_loss", distance, anchor, positive, negative, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """``triplet_margin_loss`` with a distance of one's own. See there.

    Example:
        >>> import minigrad
        >>> zero, one = minigrad.zeros(1, 2), minigrad.ones(1, 2)
        >>> minigrad.nn.functional.triplet_margin_with_distance_loss(
        ...     zero, one, one, distance_function=lambda a, b: (a - b).abs().sum(-1))
        tensor(1.)
    """
    distance = distance_function or pairwise_distance
    return _triplet("triplet_margin_with_distance_loss", distance, anchor, positive, negative, margin, swap, reduction)


def _triplet(
    where: str,
    distance: Callable[[Tensor, Tensor], Tensor],
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    check_reduction(where, reduction)
    ranks = [check_tensor(where, name, t).array.ndim for name, t in zip(_TRIPLET, (anchor, positive, negative), strict=True)]
    if len(set(ranks)) > 1:
        raise ShapeError(where, "anchor, positive, negative", "one number of dimensions", ", ".join(map(str, ranks)))
    if not margin > 0:
        raise ArgumentError(where, "margin", "a number above 0", str(margin))
    far = distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced(where, (distance(anchor, positive) - far + margin).clamp(min=0), reduction)


_TRIPLET = ("anchor", "positive", "negative")

__all__ = [
    "cosine_embedding_loss",
    "cosine_similarity",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "pairwise_distance",
    "triplet_margin_loss",
]
FUNCTIONAL = (
    "cosine_embedding_loss",
    "cosine_similarity",
    "hinge_embedding_loss",
    "huber_loss",
    "l1_loss",
    "margin_ranking_loss",
    "mse_loss",
    "pairwise_distance",
    "smooth_l1_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
)
METHODS = ()
