"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minigrad.core.hints import checked
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.dims import several
from minigrad.ops.parts import cat


@checked
def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters, one after the other.

    Raises:
        ArgumentError: there are none.

    Example:
        >>> import minigrad
        >>> parameters_to_vector([minigrad.ones(1, 2), minigrad.zeros(1)])
        tensor([1., 1., 0.])
    """
    parts = [parameter.reshape(-1) for parameter in _tensors("parameters_to_vector", parameters)]
    if not parts:
        raise ArgumentError("parameters_to_vector", "parameters", "at least one", "none")
    return cat(parts)


@checked
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy a vector into the parameters, in order. (PyTorch makes them views of the vector; ours keep their own memory.)

    Raises:
        ShapeError: it has another number of elements than they; nothing was copied.

    Example:
        >>> import minigrad
        >>> w = minigrad.zeros(1, 2)
        >>> vector_to_parameters(minigrad.tensor([3.0, 4.0]), [w])
        >>> w
        tensor([[3., 4.]])
    """
    check_tensor("vector_to_parameters", "vec", vec)
    targets = _tensors("vector_to_parameters", parameters)
    count = sum(target.array.size for target in targets)
    if tuple(vec.array.shape) != (count,):
        wanted = f"shape ({count},), as many as the parameters have"
        raise ShapeError("vector_to_parameters", "vec", wanted, f"shape {tuple(vec.array.shape)}")
    start = 0
    with no_grad():
        for target in targets:
            stop = start + target.array.size
            target.copy_(vec[start:stop].reshape(target.shape))
            start = stop


def _tensors(where: str, parameters: Any) -> list[Tensor]:
    found = several(where, "parameters", parameters)
    return [check_tensor(where, f"parameters[{place}]", item) for place, item in enumerate(found)]


__all__ = ["parameters_to_vector", "vector_to_parameters"]
