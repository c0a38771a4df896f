"""The soft window of a network over the letters of a text: Graves 2013, arXiv:1308.0850, section 5.1, equations 46 to 51."""

from __future__ import annotations

from typing import Any

from minigrad.core import tape
from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import DTypeError, ShapeError
from minigrad.ops.beside import constant
from minigrad.ops.filling import arange

LARGEST = 20.0  # what goes into an exponential, at most in size


class SoftWindow(Function):
    """α, β, s = e^(α̂, β̂, κ̂), κ' = κ + s, φ_u = Σ_k α_k e^(-β_k (κ'_k - u)²) for u = 1..U, w = Σ_u φ_u c_u.

    Back through them, with dφ_u += c_u dw and E = e^(-β (κ' - u)²): dα = Σ_u E dφ, dβ = -α Σ_u E dφ (κ' - u)²,
    dκ' += -2 α β Σ_u E dφ (κ' - u), dκ = dκ', ds = dκ';  dα̂ = α dα, dβ̂ = β dβ, dκ̂ = s dκ'. E is computed again: kept, it
    would take more memory than all else that a step keeps.
    """

    def forward(ctx, hats: Array, kappa: Array, text: Array) -> tuple:
        xp, count = array_module(hats), kappa.shape[1]
        grown = xp.exp(xp.clip(hats, -LARGEST, LARGEST))
        moved = kappa + grown[:, 2 * count :]
        alpha = grown[:, None, :count]
        phi = (alpha @ _bells(grown, moved, text)[0])[:, 0]
        if any(ctx.edges):
            ctx._materialize = False
            ctx.save_for_backward(hats, kappa, text, grown, moved, phi)
        return (phi[:, None] @ text)[:, 0], moved, phi

    def backward(ctx, dw: Any, dmoved: Any, dphi: Any) -> Any:
        hats, kappa, text, grown, moved, phi = ctx.saved_tensors
        need_hats, need_kappa, need_text = ctx.needs_input_grad
        if mode.grad:
            return _by_definition((hats, kappa, text), ctx.needs_input_grad, (dw, dmoved, dphi))
        grown, moved, count = grown.array, moved.array, kappa.array.shape[1]
        xp, like = array_module(moved), moved.dtype
        slope = constant(0.0, like, moved) if dphi is None else dphi.array
        if dw is not None:
            slope = slope + (dw.array[:, None] @ text.array.transpose(0, 2, 1))[:, 0]
        dtext = None if dw is None or not need_text else Tensor._wrap(phi.array[:, :, None] * dw.array[:, None])
        bells, away = _bells(grown, moved, text.array)
        alpha, beta, step = grown[:, :count], grown[:, count : 2 * count], grown[:, 2 * count :]
        bells *= slope[:, None] if slope.ndim else slope
        dhats = xp.empty_like(grown)
        dhats[:, :count] = bells.sum(axis=2)
        bells *= away
        first = bells.sum(axis=2)
        bells *= away
        dhats[:, :count] *= alpha
        dhats[:, count : 2 * count] = bells.sum(axis=2) * alpha * -beta
        dkappa = first * alpha * beta * -2
        if dmoved is not None:
            dkappa += dmoved.array
        if need_hats:
            dhats[:, 2 * count :] = dkappa * step
            dhats *= xp.abs(hats.array) <= LARGEST
        return Tensor._wrap(dhats) if need_hats else None, Tensor._wrap(dkappa) if need_kappa else None, dtext


def _bells(grown: Array, moved: Array, text: Array) -> tuple[Array, Array]:
    """e^(-β (κ' - u)²) and κ' - u, both (B, K, U)."""
    xp, count = array_module(moved), moved.shape[1]
    places = xp.arange(1, text.shape[1] + 1, dtype=moved.dtype)
    away = moved[:, :, None] - places
    bells = away * away
    bells *= -grown[:, count : 2 * count, None]
    return xp.exp(bells, out=bells), away


def _composed(hats: Tensor, kappa: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same of other ops, for derivatives of higher order."""
    alpha, beta, step = hats.clamp(-LARGEST, LARGEST).exp().chunk(3, 1)
    moved = kappa + step
    away = moved.unsqueeze(2) - arange(1, text.array.shape[1] + 1, dtype=moved.dtype, device=moved.device)
    phi = (alpha.unsqueeze(2) * (-beta.unsqueeze(2) * away * away).exp()).sum(1)
    return (phi.unsqueeze(1) @ text).squeeze(1), moved, phi


def _by_definition(given: tuple[Tensor, ...], need: tuple[bool, ...], grads: tuple[Tensor | None, ...]) -> tuple[Any, ...]:
    """The gradients of what was given, recorded; each is seen through an alias, as one may have been made from another."""
    inputs = [one.view_as(one) if wanted else one.detach() for one, wanted in zip(given, need, strict=True)]
    roots = [(y, dy) for y, dy in zip(_composed(*inputs), grads, strict=True) if dy is not None]
    goals = [one for one, wanted in zip(inputs, need, strict=True) if wanted]
    tape.backward(*(list(each) for each in zip(*roots)), retain_graph=True, create_graph=True, inputs=goals)
    return tuple([one._grad if wanted else None for one, wanted in zip(inputs, need, strict=True)])


def soft_window(input: Tensor, kappa: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One step of a window that moves along a text and shows a blend of the letters under it.

    Graves 2013, arXiv:1308.0850, equations 46 to 51: K bells, each with a height α, a sharpness β and a place κ that only
    moves forward. The places of the letters are 1 to U. A letter that is a vector of zeros, such as what fills up a shorter
    text, shows nothing.

    Args:
        input: (B, 3 K), what the network gives: α̂, β̂ and κ̂, of which the exponentials are α, β and the step of κ. Beyond 20 in
            size they count as 20.
        kappa: (B, K), the places so far; zeros to begin with.
        text: (B, U, A), the letters as vectors.

    Returns:
        The blend (B, A), the places now (B, K), and the weight of each letter in the blend, φ (B, U).

    Raises:
        ShapeError: shapes that do not fit.
        DTypeError: no Tensors of one float dtype.

    Example:
        >>> import minigrad
        >>> letters = minigrad.eye(3).unsqueeze(0)
        >>> shown, kappa, weights = minigrad.nn.functional.soft_window(minigrad.zeros(1, 3), minigrad.zeros(1, 1), letters)
        >>> kappa, shown  # one step forward: it stands on the first letter, and sees the next ones at its side
        (tensor([[1.]]), tensor([[1.0000, 0.3679, 0.0183]]))
    """
    where = "soft_window"
    x, k, t = (check_tensor(where, name, one).array for name, one in (("input", input), ("kappa", kappa), ("text", text)))
    if x.dtype.kind != "f" or not x.dtype == k.dtype == t.dtype:
        raise DTypeError(where, "input, kappa and text", "one float dtype", f"{x.dtype}, {k.dtype} and {t.dtype}")
    if x.ndim != 2 or x.shape[1] % 3 or not x.shape[1]:
        raise ShapeError(where, "input", "shape (B, 3 K)", f"shape {x.shape}")
    if k.shape != (x.shape[0], x.shape[1] // 3):
        raise ShapeError(
            where, "kappa", f"shape {(x.shape[0], x.shape[1] // 3)}, as input {x.shape} has it", f"shape {k.shape}"
        )
    if t.ndim != 3 or t.shape[0] != x.shape[0]:
        raise ShapeError(where, "text", f"shape (B, U, A) with B = {x.shape[0]}, as input has it", f"shape {t.shape}")
    return SoftWindow.apply(input, kappa, text)


__all__: list[str] = []
FUNCTIONAL = ("soft_window",)
METHODS = ()
