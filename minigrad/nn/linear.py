"""Layers that are one product, and layers that only change a shape."""

from __future__ import annotations

import math
from typing import Any

from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ShapeError
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.checks import check_counts
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, empty_parameter
from minigrad.ops.dense import linear_relu
from minigrad.ops.einsum import einsum
from minigrad.ops.shape import flatten, unflatten


class Identity(Module):
    """Gives its input back; takes any arguments and ignores them.

    Example:
        >>> Identity(54, unused=True)
        Identity()
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """y = x W^T + b, on the last dimension.

    Args:
        in_features, out_features: the sizes of the last dimension of input and output.
        bias: whether b is there.

    Attributes:
        weight: (out_features, in_features), at first uniform within 1 / sqrt(in_features), as the bias.
        bias: (out_features,), or ``None``.

    Raises:
        ArgumentError, DTypeError: a size is negative or no integer.

    Example:
        >>> import minigrad
        >>> Linear(3, 4)(minigrad.ones(2, 3)).shape
        minigrad.Size([2, 4])
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        check_counts(type(self).__name__, in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = empty_parameter(out_features, in_features, device=device, dtype=dtype)
        self.register_parameter("bias", empty_parameter(out_features, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        reset_bias(self.bias, self.in_features)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def forward_relu(self, input: Tensor) -> Tensor:
        """``forward`` and a ReLU in one op: ``Sequential`` calls it where a ``ReLU`` follows."""
        return linear_relu(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def reset_bias(bias: Parameter | None, fan_in: int) -> None:
    """Draw a bias, uniform within 1 / sqrt(fan_in)."""
    if bias is not None:
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
        init.uniform_(bias, -bound, bound)


class Bilinear(Module):
    """y_k = x1^T A_k x2 + b_k.

    Args:
        in1_features, in2_features, out_features: the last dimensions of both inputs and of the output.
        bias: whether b is there.

    Attributes:
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,), or ``None``.

    Raises:
        ArgumentError, DTypeError: a size is too small or no integer.

    Example:
        >>> import minigrad
        >>> Bilinear(3, 4, 5)(minigrad.ones(2, 3), minigrad.ones(2, 4)).shape
        minigrad.Size([2, 5])
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_counts("Bilinear", 1, in1_features=in1_features)
        check_counts("Bilinear", in2_features=in2_features, out_features=out_features)
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = empty_parameter(out_features, in1_features, in2_features, device=device, dtype=dtype)
        self.register_parameter("bias", empty_parameter(out_features, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, uniform within 1 / sqrt(in1_features)."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        reset_bias(self.bias, self.in1_features)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        for name, tensor, size in (("input1", input1, self.in1_features), ("input2", input2, self.in2_features)):
            check_tensor("Bilinear", name, tensor)
            if not tensor.array.ndim or tensor.array.shape[-1] != size:
                raise ShapeError("Bilinear", name, f"a last dimension of {size}", f"shape {tuple(tensor.array.shape)}")
        output = einsum("...i,kij,...j->...k", input1, self.weight, input2)
        return output if self.bias is None else output + self.bias

    def extra_repr(self) -> str:
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class Flatten(Module):
    """The dimensions from ``start_dim`` to ``end_dim`` as one.

    Example:
        >>> import minigrad
        >>> Flatten()(minigrad.ones(2, 3, 4)).shape
        minigrad.Size([2, 12])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One dimension as several.

    Args:
        dim: which.
        unflattened_size: the sizes it becomes; one of them may be -1.

    Example:
        >>> import minigrad
        >>> Unflatten(1, (3, 4))(minigrad.ones(2, 12)).shape
        minigrad.Size([2, 3, 4])
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...] | list[int]) -> None:
        super().__init__()
        check_counts("Unflatten", -64, dim=dim)
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


__all__ = ["Bilinear", "Flatten", "Identity", "Linear", "Unflatten"]
