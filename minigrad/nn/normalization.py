"""Layers that bring their input to mean 0 and variance 1 over some of its dimensions."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

from minigrad.core.tape import mode
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.checks import check_counts
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, empty_parameter
from minigrad.ops.batchnorm import batch_norm_with
from minigrad.ops.creation import ones, tensor, zeros


def reset_affine(weight: Parameter | None, bias: Parameter | None = None) -> None:
    """Scale 1, shift 0."""
    if weight is not None:
        init.ones_(weight)
    if bias is not None:
        init.zeros_(bias)


class _RunningNorm(Module):
    """What batch and instance normalisation hold: a scale and shift of each channel, and running statistics."""

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _ndims: tuple[int, ...] = ()
    _layouts = ""

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ) -> None:
        super().__init__()
        check_counts(type(self).__name__, num_features=num_features)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        for name, there in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(name, empty_parameter(num_features, device=device, dtype=dtype) if there else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, device=device, dtype=dtype) if tracked else None)
        self.register_buffer("running_var", ones(num_features, device=device, dtype=dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if tracked else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget what was tracked: mean 0, variance 1, no batch seen."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Scale 1, shift 0, and nothing tracked."""
        self.reset_running_stats()
        reset_affine(self.weight, self.bias)

    def _check_input(self, input: Tensor) -> None:
        if check_tensor(type(self).__name__, "input", input).array.ndim not in self._ndims:
            raise ShapeError(type(self).__name__, "input", self._layouts, f"shape {tuple(input.array.shape)}")

    def _upgrade_state(self, state: Mapping[str, Any], prefix: str) -> Mapping[str, Any]:
        key = f"{prefix}num_batches_tracked"  # files of PyTorch before 0.4.1 do not have it
        if self.num_batches_tracked is None or key in state:
            return state
        return ChainMap({key: self.num_batches_tracked}, state)  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_RunningNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        return self._normalized(input)

    def _normalized(self, input: Tensor, residual: Tensor | None = None, relu: bool = False) -> Tensor:
        """``forward``, and what may follow it in the same pass."""
        self._check_input(input)
        mean, var = self.running_mean, self.running_var
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training:
            if not self.track_running_stats:
                mean = var = None
            elif self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
                if self.momentum is None:
                    momentum = 1 / self.num_batches_tracked.item()
        use_batch = self.training or (mean is None and var is None)
        settings = (mean, var, self.weight, self.bias, use_batch, momentum, self.eps)
        return batch_norm_with(input, *settings, residual, relu)


class BatchNorm1d(_BatchNorm):
    """Normalise each feature over the batch (Ioffe and Szegedy 2015): y = (x - mean) / sqrt(var + eps) * weight + bias.

    Args:
        num_features: C of an input (N, C) or (N, C, L).
        eps: what is added to the variance.
        momentum: the share of a new batch in the running statistics; ``None``: the plain mean of all batches.
        affine: whether weight (1) and bias (0) are learnt.
        bias: whether the bias is there.
        track_running_stats: keep mean and variance for evaluation; else evaluation too uses the batch's own.

    Raises:
        ArgumentError, DTypeError: ``num_features`` is negative or no integer.

    Example:
        >>> import minigrad
        >>> y = BatchNorm1d(2)(minigrad.tensor([[0.0, 5.0], [2.0, 5.0]]))
        >>> [[round(number) for number in row] for row in y.tolist()]
        [[-1, 0], [1, 0]]
    """

    _ndims, _layouts = (2, 3), "2 or 3 dimensions, (N, C) or (N, C, L)"

    def forward_relu(self, input: Tensor) -> Tensor:
        """``forward`` and a ReLU in one op: ``Sequential`` calls it where a ``ReLU`` follows."""
        return self._normalized(input, relu=True)


class BatchNorm2d(_BatchNorm):
    """Normalise each channel of images (N, C, H, W) over batch, height and width. See ``BatchNorm1d``.

    Example:
        >>> import minigrad
        >>> BatchNorm2d(3)(minigrad.ones(2, 3, 4, 4)).shape
        minigrad.Size([2, 3, 4, 4])
    """

    _ndims, _layouts = (4,), "4 dimensions, (N, C, H, W)"

    def forward_relu(self, input: Tensor, residual: Tensor | None = None) -> Tensor:
        """``forward``, a sum and a ReLU in one op; ``Sequential`` calls it where a ``ReLU`` follows.

        In ops of their own where that would be missed: a hook or an observer wants to see what lies between, or a class derived
        from this one has a ``forward`` of its own.

        Args:
            input: (N, C, H, W).
            residual: of the shape of ``input``; added before the ReLU.

        Example:
            >>> import minigrad
            >>> norm, x = BatchNorm2d(3), minigrad.randn(2, 3, 4, 4)
            >>> minigrad.allclose(norm.forward_relu(x, x), minigrad.relu(norm(x) + x), atol=1e-6)
            True
        """
        if self._hooks is None and not mode.observers and type(self).forward is _BatchNorm.forward:
            return self._normalized(input, residual, True)
        y = self(input)
        return F.relu(y if residual is None else y + residual)


class _InstanceNorm(_RunningNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input(input)
        batched = input.array.ndim == self._ndims[-1]
        channels = input.array.shape[1 if batched else 0]
        if channels != self.num_features and (self.affine or self.track_running_stats):
            raise ShapeError(type(self).__name__, "input", f"{self.num_features} channels", f"shape {tuple(input.array.shape)}")
        result = F.instance_norm(
            input if batched else input.unsqueeze(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result if batched else result.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each example (N, C, L) by itself (Ulyanov et al. 2016).

    Args:
        num_features: C.
        eps, momentum: see ``BatchNorm1d``.
        affine: whether weight and bias are learnt (not, unless asked for).
        track_running_stats: keep statistics for evaluation (not, unless asked for).

    Example:
        >>> import minigrad
        >>> InstanceNorm1d(2)(minigrad.ones(1, 2, 4)).shape
        minigrad.Size([1, 2, 4])
    """

    _ndims, _layouts = (2, 3), "2 or 3 dimensions, (C, L) or (N, C, L)"


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each image (N, C, H, W) by itself. See ``InstanceNorm1d``.

    Example:
        >>> import minigrad
        >>> InstanceNorm2d(2)(minigrad.ones(1, 2, 4, 4)).shape
        minigrad.Size([1, 2, 4, 4])
    """

    _ndims, _layouts = (3, 4), "3 or 4 dimensions, (C, H, W) or (N, C, H, W)"


def _trailing(where: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    shape = tuple(normalized_shape) if isinstance(normalized_shape, Sequence) else (normalized_shape,)
    for size in shape:
        check_counts(where, normalized_shape=size)
    return shape


class LayerNorm(Module):
    """Normalise each example over its last dimensions (Ba et al. 2016).

    Args:
        normalized_shape: the sizes of those dimensions.
        eps: what is added to the variance.
        elementwise_affine: whether weight (1) and bias (0), of that shape, are learnt.
        bias: whether the bias is there.

    Example:
        >>> import minigrad
        >>> LayerNorm(4)(minigrad.ones(2, 3, 4)).shape
        minigrad.Size([2, 3, 4])
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _trailing("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        for name, there in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            self.register_parameter(
                name, empty_parameter(*self.normalized_shape, device=device, dtype=dtype) if there else None
            )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale 1, shift 0."""
        reset_affine(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        text = f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        return f"{text}, bias={self.bias is not None}"


class RMSNorm(Module):
    """Divide each example by its root mean square over the last dimensions (Zhang and Sennrich 2019).

    Args:
        normalized_shape: the sizes of those dimensions.
        eps: what is added to the mean square; ``None``: the spacing of the input's dtype at 1.
        elementwise_affine: whether a weight (1) of that shape is learnt.

    Example:
        >>> import minigrad
        >>> RMSNorm(4)(minigrad.ones(2, 4)).shape
        minigrad.Size([2, 4])
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _trailing("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter(
            "weight", empty_parameter(*self.normalized_shape, device=device, dtype=dtype) if elementwise_affine else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale 1."""
        reset_affine(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """Normalise groups of channels of each example (Wu and He 2018).

    Args:
        num_groups: into how many groups the channels are divided.
        num_channels: C of an input (N, C, ...).
        eps: what is added to the variance.
        affine: whether weight (1) and bias (0) of each channel are learnt.
        bias: whether the bias is there.

    Raises:
        ArgumentError: ``num_groups`` does not divide ``num_channels``.

    Example:
        >>> import minigrad
        >>> GroupNorm(2, 4)(minigrad.ones(1, 4, 3, 3)).shape
        minigrad.Size([1, 4, 3, 3])
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_counts("GroupNorm", 1, num_groups=num_groups)
        check_counts("GroupNorm", num_channels=num_channels)
        if num_channels % num_groups:
            raise ArgumentError("GroupNorm", "num_channels", f"a multiple of num_groups={num_groups}", str(num_channels))
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        for name, there in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(name, empty_parameter(num_channels, device=device, dtype=dtype) if there else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale 1, shift 0."""
        reset_affine(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        text = f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
        return f"{text}, bias={self.bias is not None}"


__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "LayerNorm",
    "RMSNorm",
]
