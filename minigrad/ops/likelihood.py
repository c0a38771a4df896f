"""Losses of probabilities other than those of classes: yes or no, counts, normal distributions. See ``loss.py``."""

from __future__ import annotations

import math
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels.doubts import doubt
from minigrad.ops.creation import number_of
from minigrad.ops.loss import check_float, check_same_shape, reduced
from minigrad.ops.operands import pair
from minigrad.ops.power import xlogy

# ---------------------------------------------------------------------- yes or no


class BinaryCrossEntropy(Function):
    """y = -(t log p + (1 - t) log(1 - p)), none below -100;  dp = (p - t) / (p (1 - p)) dy, dt = log((1 - p) / p) dy."""

    def forward(ctx, p: Array, t: Array) -> Array:
        ctx.save_for_backward(p, t)
        xp = array_module(p)
        yes, no = xp.maximum(xp.log(p), -100), xp.maximum(xp.log1p(-p), -100)
        return (t - 1) * no - t * yes

    def backward(ctx, dy: Tensor) -> Any:
        p, t = ctx.saved_tensors
        need_p, need_t = ctx.needs_input_grad
        dp = dy * (p - t) / ((1 - p) * p).clamp(min=1e-12) if need_p else None
        dt = dy * ((-p).log1p().clamp(min=-100) - p.log().clamp(min=-100)) if need_t else None
        return dp, dt


class BinaryCrossEntropyLogits(Function):
    """y = max(x, 0) - x t + log(1 + e^-|x|);  dx = (sigmoid(x) - t) dy, dt = -x dy."""

    def forward(ctx, x: Array, t: Array) -> Array:
        ctx.save_for_backward(x, t)
        xp = array_module(x)
        y = xp.abs(x, out=xp.empty_like(x))
        xp.negative(y, out=y)
        xp.log1p(xp.exp(y, out=y), out=y)
        y += xp.maximum(x, 0)
        y -= x * t
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, t = ctx.saved_tensors
        need_x, need_t = ctx.needs_input_grad
        return dy * (x.sigmoid() - t) if need_x else None, -dy * x if need_t else None


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    """The cross entropy of probabilities of "yes" and the truth. From logits, ``binary_cross_entropy_with_logits`` is safer.

    Args:
        input: probabilities, from 0 to 1.
        target: of the same shape; 0 for no, 1 for yes, or a number between.
        weight: a factor of each loss; it broadcasts to the shape of ``input``.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ArgumentError: an input outside 0 to 1, or an unknown reduction.
        ShapeError: two shapes.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.binary_cross_entropy(minigrad.tensor([0.5, 1.0]), minigrad.tensor([1.0, 1.0]))
        tensor(0.3466)
    """
    where = "binary_cross_entropy"
    check_same_shape(where, input, target)
    p = check_float(where, "input", input)

    def error() -> ArgumentError:
        got = f"{float(p.min()):.6g} to {float(p.max()):.6g}"
        return ArgumentError(
            where, "input", "probabilities from 0 to 1", got, "Pass logits to binary_cross_entropy_with_logits"
        )

    if p.size:
        doubt(~((p.min() >= 0) & (p.max() <= 1)), error)
    losses = BinaryCrossEntropy.apply(*pair(where, input, target))
    return reduced(where, losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """The cross entropy of ``sigmoid(input)`` and the truth, for logits of any size.

    Args:
        input: logits.
        target: of the same shape; 0 for no, 1 for yes, or a number between.
        weight: a factor of each loss; it broadcasts to the shape of ``input``.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        pos_weight: a factor of what "yes" counts; it broadcasts to the shape of ``input``.

    Raises:
        ShapeError: two shapes.
        ArgumentError: an unknown reduction.

    Example:
        >>> import minigrad
        >>> logits = minigrad.tensor([0.0, 1000.0])
        >>> minigrad.nn.functional.binary_cross_entropy_with_logits(logits, minigrad.tensor([1.0, 1.0]))
        tensor(0.3466)
    """
    where = "binary_cross_entropy_with_logits"
    check_same_shape(where, input, target)
    check_float(where, "input", input)
    if pos_weight is None:
        losses = BinaryCrossEntropyLogits.apply(*pair(where, input, target))
    else:
        yes = BinaryCrossEntropyLogits.apply(*pair(where, input, target * 0 + 1))
        losses = (1 - target) * (input + yes) + target * pos_weight * yes
    return reduced(where, losses if weight is None else losses * weight, reduction)


# ---------------------------------------------------------------------- distributions


def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """The divergence of Kullback and Leibler: ``target * (log(target) - input)``, element by element.

    Args:
        input: log-probabilities.
        target: probabilities, of the same shape; log-probabilities with ``log_target``.
        reduction: ``"none"``, ``"sum"``, ``"batchmean"`` for the sum over the size of the first dimension, which is the
            divergence of mathematics, or ``"mean"`` for the sum over the number of elements.
        log_target: see ``target``.

    Raises:
        ShapeError: two shapes.
        ArgumentError: an unknown reduction.

    Example:
        >>> import minigrad
        >>> p = minigrad.tensor([[0.5, 0.5]])
        >>> minigrad.nn.functional.kl_div(minigrad.tensor([[0.25, 0.75]]).log(), p, reduction="batchmean")
        tensor(0.1438)
    """
    check_same_shape("kl_div", input, target)
    x = check_float("kl_div", "input", input)
    losses = target.exp() * (target - input) if log_target else xlogy(target, target) - target * input
    if reduction == "batchmean":
        return losses.sum() / x.shape[0] if x.ndim else losses
    return reduced("kl_div", losses, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    *,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """How unlikely the counts ``target`` are under Poisson distributions.

    Args:
        input: the distributions' rates; their logarithms with ``log_input``.
        target: counts, of the same shape.
        log_input: see ``input``.
        full: add the term of Stirling, which does not depend on ``input``.
        eps: added to a rate before its logarithm.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ShapeError: two shapes.
        ArgumentError: an unknown reduction.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.poisson_nll_loss(minigrad.tensor([0.0]), minigrad.tensor([3.0]))
        tensor(1.)
    """
    check_same_shape("poisson_nll_loss", input, target)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        small = Tensor._wrap(target.array <= 1)
        counts = target.masked_fill(small, 2)  # whose logarithms do no harm
        stirling = xlogy(counts, counts) - counts + (2 * math.pi * counts).log() / 2
        losses = losses + stirling.masked_fill(small, 0).to(losses.dtype)
    return reduced("poisson_nll_loss", losses, reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """How unlikely ``target`` is under normal distributions.

    Args:
        input: their means.
        target: of the same shape.
        var: their variances: a number, or of the shape of ``input``, where the last dimension may be missing and one be 1.
        full: add the constant term.
        eps: no variance counts as less.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ShapeError: shapes that do not fit.
        ArgumentError: a negative variance, or an unknown reduction.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.gaussian_nll_loss(minigrad.tensor([1.0]), minigrad.tensor([3.0]), 1.0)
        tensor(2.)
    """
    where = "gaussian_nll_loss"
    check_same_shape(where, input, target)
    x = check_float(where, "input", input)
    if not isinstance(var, Tensor):
        var = Tensor._wrap(array_module(x).full(x.shape, number_of(where, "var", var), x.dtype))
    if var.array.shape != x.shape:
        if var.array.shape == x.shape[:-1]:
            var = var.unsqueeze(-1)
        elif var.array.ndim != x.ndim or any(v not in (s, 1) for s, v in zip(x.shape, var.array.shape, strict=True)):
            raise ShapeError(where, "var", f"shape {x.shape}, or that with a last size of 1", f"shape {var.array.shape}")
    given = var.array
    if given.size:
        doubt(
            (given < 0).any(),
            lambda: ArgumentError(where, "var", "variances of at least 0", f"{float(given.min()):.6g}"),
        )
    floor = Tensor._wrap(array_module(x).maximum(eps - var.array, 0))  # the gradient passes as if nothing were held
    var = var + floor
    losses = (var.log() + (input - target) ** 2 / var) * 0.5
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(where, losses, reduction)


__all__ = ["binary_cross_entropy_with_logits", "kl_div", "poisson_nll_loss"]
FUNCTIONAL = (
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "gaussian_nll_loss",
    "kl_div",
    "poisson_nll_loss",
)
METHODS = ()
