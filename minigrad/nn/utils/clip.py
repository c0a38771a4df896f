"""Keep gradients within bounds (Pascanu et al. 2013)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minigrad.core.hints import checked
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError, GradError
from minigrad.ops.creation import tensor
from minigrad.ops.dims import several
from minigrad.ops.parts import stack

Tensors = Tensor | Iterable[Tensor]


def _as_list(where: str, argument: str, tensors: Any) -> list[Tensor]:
    found = [tensors] if isinstance(tensors, Tensor) else several(where, argument, tensors)
    for position, item in enumerate(found):
        if not isinstance(item, Tensor):
            raise DTypeError(where, f"{argument}[{position}]", "a Tensor", type(item).__name__)
    return found


def _grads(where: str, parameters: Any) -> list[Tensor]:
    return [item.grad for item in _as_list(where, "parameters", parameters) if item.grad is not None]


@checked
@no_grad()
def get_total_norm(
    tensors: Tensors, norm_type: float | str = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all tensors, as if they were one vector.

    Args:
        tensors: one Tensor or several.
        norm_type: which norm; ``float("inf")`` for the largest.
        error_if_nonfinite: an error where it is NaN or infinite.
        foreach: accepted for PyTorch's sake.

    Raises:
        GradError: the norm is not finite, and that was asked for.

    Example:
        >>> import minigrad
        >>> get_total_norm([minigrad.tensor([3.0]), minigrad.tensor([4.0])])
        tensor(5.)
    """
    found = [item for item in _as_list("get_total_norm", "tensors", tensors) if item.numel()]
    if not found:
        return tensor(0.0)
    try:
        power = float(norm_type)  # also "inf", as PyTorch
    except ValueError as error:
        raise ArgumentError("get_total_norm", "norm_type", "a number or 'inf'", repr(norm_type)) from error
    total = stack([item.norm(power).to(found[0].device) for item in found]).norm(power)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise GradError(
            "clip_grad_norm_",
            "gradients",
            f"a finite norm of order {power}",
            f"{total.item()}",
            "Look for the first NaN with anomaly mode, or pass error_if_nonfinite=False",
        )
    return total


@checked
@no_grad()
def clip_grads_with_norm_(parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scale the gradients by ``max_norm / total_norm``, if that is below 1.

    Args:
        parameters: one Tensor or several; those without gradient are left out.
        max_norm: the norm they may have.
        total_norm: the norm they have.
        foreach: accepted for PyTorch's sake.

    Example:
        >>> import minigrad
        >>> w = minigrad.zeros(1, requires_grad=True)
        >>> w.sum().backward()
        >>> clip_grads_with_norm_(w, 1.0, minigrad.tensor(4.0))
        >>> round(w.grad.item(), 4)
        0.25
    """
    factor = total_norm.add(1e-6).reciprocal().mul(float(max_norm)).clamp(max=1.0)
    for grad in _grads("clip_grads_with_norm_", parameters):
        grad.mul_(factor.to(grad.device))


@checked
@no_grad()
def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients down, in place, so that their norm, taken together, is at most ``max_norm``.

    Args:
        parameters: one Tensor or several; those without gradient are left out.
        max_norm: the norm they may have.
        norm_type: which norm; ``float("inf")`` for the largest element.
        error_if_nonfinite: an error where the norm is NaN or infinite, in place of spoilt gradients.
        foreach: accepted for PyTorch's sake.

    Returns:
        The norm that they had.

    Raises:
        GradError: the norm is not finite, and that was asked for.

    Example:
        >>> import minigrad
        >>> w = minigrad.tensor([3.0, 4.0], requires_grad=True)
        >>> (w * w / 2).sum().backward()
        >>> clip_grad_norm_(w, 1.0), round(w.grad.norm().item(), 4)
        (tensor(5.), 1.0)
    """
    found = _as_list("clip_grad_norm_", "parameters", parameters)
    total = get_total_norm(_grads("clip_grad_norm_", found), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(found, max_norm, total)
    return total


@checked
@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Bring each element of the gradients, in place, between ``-clip_value`` and ``clip_value``.

    Args:
        parameters: one Tensor or several; those without gradient are left out.
        clip_value: the bound.
        foreach: accepted for PyTorch's sake.

    Raises:
        ArgumentError: the bound is negative.

    Example:
        >>> import minigrad
        >>> w = minigrad.tensor([3.0, -0.25], requires_grad=True)
        >>> (w * w).sum().backward()
        >>> clip_grad_value_(w, 1.0)
        >>> w.grad.tolist()
        [1.0, -0.5]
    """
    bound = float(clip_value)
    if bound < 0:
        raise ArgumentError("clip_grad_value_", "clip_value", "at least 0", str(clip_value))
    for grad in _grads("clip_grad_value_", parameters):
        grad.clamp_(-bound, bound)


__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]
