"""Tensors that a module knows as its own: parameters, which are learnt, and buffers, which are only kept."""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor, check_tensor
from minigrad.ops.creation import zeros


class Parameter(Tensor):
    """A leaf that requires grad and that a Module registers when it is assigned as an attribute.

    Args:
        data: a Tensor, whose memory is shared; without it an empty one.
        requires_grad: whether it is learnt.

    Raises:
        DTypeError: ``data`` is no Tensor, or gradients are asked of integers.

    Example:
        >>> import minigrad
        >>> minigrad.nn.Parameter(minigrad.ones(2))
        Parameter containing:
        tensor([1., 1.], requires_grad=True)
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        source = zeros(0) if data is None else check_tensor("Parameter", "data", data)
        self.array = source.array
        self._counter = source._counter if source._counter is not None else [0]
        self.requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A Tensor that a Module registers as a buffer when it is assigned as an attribute.

    Args:
        data: a Tensor, whose memory is shared; without it an empty one.
        persistent: whether it is part of ``state_dict``.

    Raises:
        DTypeError: ``data`` is no Tensor.

    Example:
        >>> import minigrad
        >>> module = minigrad.nn.Module()
        >>> module.mean = minigrad.nn.Buffer(minigrad.zeros(1))
        >>> list(module.state_dict())
        ['mean']
    """

    persistent: bool

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        source = zeros(0) if data is None else check_tensor("Buffer", "data", data)
        self.array, self._counter, self.persistent = source.array, source._counter, persistent


def empty_parameter(*size: int, dtype: Any = None, device: Any = None) -> Parameter:
    """A parameter that waits for its first values."""
    return Parameter(zeros(*size, dtype=dtype, device=device))
