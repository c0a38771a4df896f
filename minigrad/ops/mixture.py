"""The density of pen strokes: a mixture of bivariate normal distributions of the offset, and a chance that the pen is lifted.

Graves 2013, arXiv:1308.0850, section 4.1, equations 15 to 37. Written as in the paper, the density is not safe: with ρ near 1,
1 - ρ² loses its digits, and the square of the distance loses them to a difference of nearly equal numbers. With ρ = tanh r both
go away. Of the two distances z1, z2 in deviations, their difference a = z1 - z2 and their sum b = z1 + z2 are independent, and
1 / (1 - ρ) = (1 + e^2r) / 2, 1 / (1 + ρ) = (1 + e^-2r) / 2, so that

    Z / (1 - ρ²) = (z1² + z2² - 2 ρ z1 z2) / (1 - ρ²) = a² (1 + e^2r) / 4 + b² (1 + e^-2r) / 4,
    -log √(1 - ρ²) = log cosh r = log (2 + e^2r + e^-2r) / 2 - log 2:

nothing is divided, and no two large numbers are subtracted. The derivatives below are equations 27 to 37 in these terms.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels.doubts import doubt
from minigrad.ops.choice import where as choose
from minigrad.ops.loss import check_float, check_reduction, reduced
from minigrad.ops.operands import cast, pair
from minigrad.ops.parts import cat, stack
from minigrad.ops.softmax import softmax

WIDEST = 15.0  # of σ the logarithm, at most in size: in float32 no distance below a million overflows
TIGHTEST = 10.0  # r at most in size: ρ is 1 - 4e-9


class BivariateMixtureNLL(Function):
    """y = -log Σ_j π_j N(x | μ_j, σ_j, ρ_j) - log (e where the pen is lifted, else 1 - e);  with the shares
    γ_j = π_j N_j / Σ π N: dê = e - lifted, dπ̂ = π - γ, dμ = -γ u / σ, dlog σ = γ (1 - z u),
    dr = γ ((a² e^2r - b² e^-2r) / 4 - ρ).

    log N = -(a p + b q) / 2 - log 2π - log σ1 - log σ2 + log cosh r of z = (x - μ) / σ, a = z1 - z2, b = z1 + z2,
    p = a (1 + e^2r) / 4, q = b (1 + e^-2r) / 4. The slopes of the distance, which the paper has as u1 = C (z1 - ρ z2) and
    u2 = C (z2 - ρ z1) with C = 1 / (1 - ρ²), are p + q and q - p.
    """

    def forward(ctx, given: Array, points: Array, floor: float) -> Array:
        ctx.save_for_backward(given, points)
        ctx.floor = floor
        xp, count = array_module(given), given.shape[1] // 6
        pen, (weights, mu1, mu2, log1, log2, r) = given[:, 0], (given[:, 1 + n * count :][:, :count] for n in range(6))
        log1, log2 = xp.clip(log1, floor, WIDEST), xp.clip(log2, floor, WIDEST)
        z1 = (points[:, :1] - mu1) * xp.exp(-log1)
        z2 = (points[:, 1:2] - mu2) * xp.exp(-log2)
        a, b = z1 - z2, z1 + z2
        twist = xp.exp(2 * xp.clip(r, -TIGHTEST, TIGHTEST))
        back = 1 / twist
        log_n = (a * a * (1 + twist) + b * b * (1 + back)) * -0.125
        log_n += xp.log(2 + twist + back) * 0.5
        log_n -= log1
        log_n -= log2
        place = _log_sum(xp, weights + log_n) - _log_sum(xp, weights)
        lifted = xp.maximum(pen, 0) - pen * points[:, 2] + xp.log1p(xp.exp(-xp.abs(pen)))
        return lifted - place + math.log(4 * math.pi)  # 2π of the normal distributions, and the 2 of log cosh

    def backward(ctx, dy: Tensor) -> Any:
        given, points = ctx.saved_tensors
        need_given, need_points, _ = ctx.needs_input_grad
        count, floor = given.array.shape[1] // 6, ctx.floor
        pen, weights, mu1, mu2, log1, log2, r = given.split([1] + [count] * 6, 1)
        x1, x2, lifted = points.split([1, 1, 1], 1)
        each = dy.unsqueeze(1)
        i1, i2 = (-log1.clamp(floor, WIDEST)).exp(), (-log2.clamp(floor, WIDEST)).exp()
        z1, z2 = (x1 - mu1) * i1, (x2 - mu2) * i2
        a, b = z1 - z2, z1 + z2
        twist = (2 * r.clamp(-TIGHTEST, TIGHTEST)).exp()
        back = 1 / twist
        p, q = a * (1 + twist) * 0.25, b * (1 + back) * 0.25
        logs = (2 + twist + back).log() * 0.5 - (a * p + b * q) * 0.5
        logs = weights + logs - log1.clamp(floor, WIDEST) - log2.clamp(floor, WIDEST)
        gamma = softmax(logs, 1) * each  # equations 28 and 29
        u1, u2 = p + q, q - p
        dmu1, dmu2 = -gamma * u1 * i1, -gamma * u2 * i2  # 31, 33 and 34
        dx = None
        if need_points:
            dx = stack((-dmu1.sum(1), -dmu2.sum(1), -dy * pen.squeeze(1)), 1)
        if not need_given:
            return None, dx, None
        dlog1, dlog2 = gamma * (1 - z1 * u1), gamma * (1 - z2 * u2)  # 35 and 36
        dr = gamma * ((a * a * twist - b * b * back) * 0.25 - (twist - back) / (2 + twist + back))  # 37; the last is tanh r
        dgiven = cat(
            (
                (pen.sigmoid() - lifted) * each,  # 27
                softmax(weights, 1) * each - gamma,  # 30
                dmu1, dmu2,
                _inside(dlog1, log1, floor, WIDEST), _inside(dlog2, log2, floor, WIDEST), _inside(dr, r, -TIGHTEST, TIGHTEST),
            ),
            1,
        )  # fmt: skip
        return dgiven, dx, None


def _log_sum(xp: Any, x: Array) -> Array:
    """log Σ e^x along the second dimension."""
    greatest = x.max(axis=1)
    return greatest + xp.log(xp.exp(x - greatest[:, None]).sum(axis=1))


def _inside(slope: Tensor, x: Tensor, least: float, most: float) -> Tensor:
    """A slope where x is not held at a limit; there it is 0."""
    return choose(Tensor._wrap((x.array >= least) & (x.array <= most)), slope, 0.0)


def bivariate_mixture_nll(input: Tensor, target: Tensor, *, floor: float = -WIDEST, reduction: str = "mean") -> Tensor:
    """How unlikely pen offsets are, in nats, under a mixture of M bivariate normal distributions and a chance of a lifted pen.

    Graves 2013, arXiv:1308.0850, equations 15 to 26. It is a density, in units of ``target``: offsets divided by s give
    2 log s less for each point.

    Args:
        input: (..., 1 + 6 M), what a network gives: the logit of the chance that the pen is lifted (the paper's with its sign
            turned, so that ``sigmoid`` makes the chance); then M each of the logits of the weights, the means of the first and
            of the second offset, the logarithms of their deviations, and the correlations before their tanh. Beyond 15 a
            logarithm counts as 15, and beyond 10 in size what makes a correlation counts as 10; nothing goes back from there.
        target: (..., 3): two offsets, and 1 where the pen is lifted after this point, else 0 (or a chance).
        floor: the least logarithm of a deviation: less counts as this. Offsets on a grid are else given densities without end.
        reduction: ``"none"`` for each point's, ``"mean"`` or ``"sum"``.

    Raises:
        ShapeError: shapes that do not fit.
        DTypeError: no Tensors of a float dtype.
        ArgumentError: a pen outside 0 to 1, a floor outside -15 to 15, or an unknown reduction.

    Example:
        >>> import minigrad
        >>> given, strokes = minigrad.zeros(2, 7), minigrad.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
        >>> minigrad.nn.functional.bivariate_mixture_nll(given, strokes, reduction="none")  # log 2π + log 2, and 1 more
        tensor([2.5310, 3.5310])
    """
    where = "bivariate_mixture_nll"
    shape = check_float(where, "input", input).shape
    x = check_float(where, "target", target)
    check_reduction(where, reduction)
    if isinstance(floor, bool) or not isinstance(floor, (int, float)) or not -WIDEST <= floor <= WIDEST:
        raise ArgumentError(where, "floor", f"a number from {-WIDEST:.0f} to {WIDEST:.0f}", repr(floor))
    if not shape or shape[-1] < 7 or shape[-1] % 6 != 1:
        raise ShapeError(where, "input", "a last size of 1 + 6 M, M at least 1", f"shape {shape}")
    if x.shape != (*shape[:-1], 3):
        raise ShapeError(where, "target", f"shape {(*shape[:-1], 3)}, as input {shape} has it", f"shape {x.shape}")
    if x.size:
        pen = x[..., 2]
        doubt(
            ~((pen.min() >= 0) & (pen.max() <= 1)),
            lambda: ArgumentError(
                where, "target", "a pen that is down, 0, or lifted, 1, in the last place",
                f"{float(pen.min()):.6g} to {float(pen.max()):.6g}", "Order the offsets as (dx, dy, lifted)",
            ),
        )  # fmt: skip
    if input.array.dtype == np.float16:  # squares of distances: in float32
        wide = bivariate_mixture_nll(input.float(), target, floor=floor, reduction=reduction)
        return cast(wide, input.array.dtype)
    given, points = pair(where, input, target)
    losses = BivariateMixtureNLL.apply(given.reshape(-1, shape[-1]), points.reshape(-1, 3), float(floor))
    return reduced(where, losses.reshape(shape[:-1]), reduction)


__all__: list[str] = []
FUNCTIONAL = ("bivariate_mixture_nll",)
METHODS = ()
