"""Keep gradients within bounds (Pascanu et al. 2013)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.core.device import SEVERAL, Array, array_module, device_of, follow, move
from minigrad.core.hints import checked
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError, GradError
from minigrad.kernels import update
from minigrad.ops.creation import tensor
from minigrad.ops.dims import several

Tensors = Tensor | Iterable[Tensor]


def _as_list(where: str, argument: str, tensors: Any) -> list[Tensor]:
    found = [tensors] if isinstance(tensors, Tensor) else several(where, argument, tensors)
    for position, item in enumerate(found):
        if not isinstance(item, Tensor):
            raise DTypeError(where, f"{argument}[{position}]", "a Tensor", type(item).__name__)
    return found


def _grads(where: str, parameters: Any) -> list[Tensor]:
    return [item.grad for item in _as_list(where, "parameters", parameters) if item.grad is not None]


def _alike(arrays: list[Array]) -> list[list[Array]]:
    """The arrays in groups of one dtype on one device, as kernels take them."""
    groups: dict[Any, list[Array]] = {}
    for array in arrays:
        groups.setdefault(array.dtype if type(array) is np.ndarray else (array.dtype, device_of(array)), []).append(array)
    return list(groups.values())


def _wide(array: Array) -> Array:
    """The array, in float32 if it is of float16, which is for storage."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _changed(grads: list[Tensor]) -> tuple[list[Array], list[Tensor]]:
    """The arrays of the gradients that kernels change in place, counted as changed; and the others, sparse or of float16."""
    arrays, others = [], []
    for grad in grads:
        if grad.is_sparse or grad.array.dtype == np.float16:
            others.append(grad)
        else:
            arrays.append(grad.array)
            if grad._counter is not None:
                grad._counter[0] += 1
    return arrays, others


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
    return _total_norm(_as_list("get_total_norm", "tensors", tensors), norm_type, error_if_nonfinite)


def _total_norm(tensors: list[Tensor], norm_type: float | str, error_if_nonfinite: bool) -> Tensor:
    try:
        power = float(norm_type)  # also "inf", as PyTorch
    except ValueError as error:
        raise ArgumentError("get_total_norm", "norm_type", "a number or 'inf'", repr(norm_type)) from error
    arrays = [item.coalesced_arrays()[1] if item.is_sparse else item.array for item in tensors]
    arrays = [array for array in arrays if array.size]
    if not arrays:
        return tensor(0.0)
    xp, where, dtype = array_module(arrays[0]), device_of(arrays[0]), np.result_type(*{array.dtype for array in arrays})
    # An order of 0 counts the elements of each tensor that are not 0, and then, as in PyTorch, the tensors that have any.
    groups = [[_wide(array)] for array in arrays] if power == 0 else _alike([_wide(array) for array in arrays])
    norms = [move(update.norm(group, power), where) for group in groups]
    if SEVERAL:
        follow(norms)
    total = Tensor._wrap((norms[0] if len(norms) == 1 else update.norm([xp.stack(norms)], power)).astype(dtype))
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
    _scale(_grads("clip_grads_with_norm_", parameters), float(max_norm), total_norm)


def _scale(grads: list[Tensor], max_norm: float, total_norm: Tensor) -> None:
    dense, others = _changed(grads)
    for group in _alike(dense):
        update.clip_norm(group, move(total_norm.array, device_of(group[0])), max_norm)
    if others:
        factor = total_norm.add(1e-6).reciprocal().mul(max_norm).clamp(max=1.0)
        for grad in others:
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
    grads = [item.grad for item in found if item.grad is not None]
    total = _total_norm(grads, norm_type, error_if_nonfinite)
    _scale(grads, float(max_norm), total)
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
    dense, others = _changed(_grads("clip_grad_value_", parameters))
    for group in _alike(dense):
        update.clip_value(group, bound)
    for grad in others:
        grad.clamp_(-bound, bound)


__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]
