"""Convolutions and transposed convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad.core.tape import mode
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.checks import check_choice, check_counts, repeated
from minigrad.nn.linear import reset_bias
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, empty_parameter
from minigrad.ops.convolution import conv2d_activated

Sizes = int | Sequence[int]


class _Conv(Module):
    """What all convolutions hold."""

    weight: Parameter
    bias: Parameter | None
    padding: Any  # a text, or one integer for each dimension
    _dims = 0
    _transposed = False

    def _set_up(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes | str,
        output_padding: Sizes,
        dilation: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        where = type(self).__name__
        check_counts(where, 1, groups=groups)
        for argument, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            check_counts(where, **{argument: channels})
            if channels % groups:
                raise ArgumentError(where, argument, f"a multiple of groups={groups}", str(channels))
        check_choice(where, "padding_mode", padding_mode, ("zeros", "reflect", "replicate", "circular"))
        dims = self._dims
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = repeated(where, "kernel_size", kernel_size, dims, 1)
        self.stride = repeated(where, "stride", stride, dims, 1)
        self.dilation = repeated(where, "dilation", dilation, dims, 1)
        self.output_padding = repeated(where, "output_padding", output_padding, dims)
        if isinstance(padding, str):
            check_choice(where, "padding", padding, ("same", "valid"))
            if padding == "same" and self.stride != (1,) * dims:
                raise ArgumentError(where, "stride", "1 where padding='same'", str(self.stride))
            self.padding = padding
        else:
            self.padding = repeated(where, "padding", padding, dims)
        self.padding_mode = padding_mode
        lead = (in_channels, out_channels // groups) if self._transposed else (out_channels, in_channels // groups)
        self.weight = empty_parameter(*lead, *self.kernel_size, device=device, dtype=dtype)
        self.register_parameter("bias", empty_parameter(out_channels, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, uniform within 1 / sqrt(channels of a group * window)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        reset_bias(self.bias, math.prod(self.weight.array.shape[1:]))

    def _edges(self) -> list[int]:
        """What ``pad`` must add before and after each dimension, the last first."""
        edges: list[int] = []
        for position in reversed(range(self._dims)):
            if self.padding == "same":
                total = self.dilation[position] * (self.kernel_size[position] - 1)
                edges += [total // 2, total - total // 2]
            else:
                edges += [0, 0] if self.padding == "valid" else [self.padding[position]] * 2
        return edges

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self._dims:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self._dims:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"


class _Forward(_Conv):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._set_up(
            in_channels, out_channels, kernel_size, stride, padding, 0, dilation, groups, bias, padding_mode, device, dtype
        )

    def _padded(self, input: Tensor) -> tuple[Tensor, Any]:
        """The input, and what padding is left to the convolution."""
        if self.padding_mode == "zeros":
            return input, self.padding
        return F.pad(input, self._edges(), mode=self.padding_mode), 0


class Conv1d(_Forward):
    """Slide windows along sequences: y[n, k, t] = b[k] + sum over c, i of w[k, c, i] x[n, c, stride t + dilation i - padding].

    Args:
        in_channels, out_channels: C and K.
        kernel_size: the width of a window.
        stride: how far the window moves.
        padding: how much is added at both ends; ``"same"`` keeps the length (stride 1), ``"valid"`` adds nothing.
        dilation: the distance of neighbours in a window.
        groups: into how many parts the channels are divided.
        bias: whether b is there.
        padding_mode: what is added: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Shapes: input (N, C, L) or (C, L), output (N, K, L'), weight (K, C / groups, kernel_size), bias (K,).

    Raises:
        ArgumentError, DTypeError: an argument out of range; channels that ``groups`` does not divide.

    Example:
        >>> import minigrad
        >>> Conv1d(2, 4, 3, padding="same")(minigrad.ones(1, 2, 8)).shape
        minigrad.Size([1, 4, 8])
    """

    _dims = 1

    def forward(self, input: Tensor) -> Tensor:
        input, padding = self._padded(input)
        return F.conv1d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Forward):
    """Slide windows over images: cross-correlation, as in every convolutional network (LeCun et al. 1989).

    Args:
        in_channels, out_channels: C and K.
        kernel_size, stride, padding, dilation: for height and width alike, or one each.
        groups, bias, padding_mode: see ``Conv1d``.

    Shapes: input (N, C, H, W) or (C, H, W), output (N, K, H', W'), weight (K, C / groups, KH, KW), bias (K,).

    Raises:
        ArgumentError, DTypeError: an argument out of range; channels that ``groups`` does not divide.

    Example:
        >>> import minigrad
        >>> Conv2d(3, 8, 3, stride=2, padding=1)(minigrad.ones(1, 3, 8, 8)).shape
        minigrad.Size([1, 8, 4, 4])
    """

    _dims = 2

    def forward(self, input: Tensor) -> Tensor:
        input, padding = self._padded(input)
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def forward_relu(self, input: Tensor) -> Tensor:
        """``forward`` and a ReLU in one op: ``Sequential`` calls it where a ``ReLU`` follows.

        In two ops where the first's result would be missed: a hook or an observer wants to see it. A class derived from this
        one that has a ``forward`` of its own needs its own of this.
        """
        return self._activated("relu", input)

    def forward_relu6(self, input: Tensor) -> Tensor:
        """``forward`` and a ReLU6 in one op, as ``forward_relu``.

        Example:
            >>> import minigrad
            >>> layer, x = Conv2d(3, 4, 3), minigrad.randn(2, 3, 5, 5)
            >>> minigrad.allclose(layer.forward_relu6(x), F.relu6(layer(x)), atol=1e-6)
            True
        """
        return self._activated("relu6", input)

    def _activated(self, activation: str, input: Tensor) -> Tensor:
        if self._hooks is not None or mode.observers:
            return getattr(F, activation)(self(input))
        input, padding = self._padded(input)
        return conv2d_activated(activation, input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _Transposed(_Conv):
    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_choice(type(self).__name__, "padding_mode", padding_mode, ("zeros",))
        if isinstance(padding, str):
            raise ArgumentError(type(self).__name__, "padding", "integers", repr(padding))
        self._set_up(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """What must be added at the end so that the output has the size that is asked for."""
        if output_size is None:
            return self.output_padding
        where, dims = type(self).__name__, self._dims
        lead = input.array.ndim - dims
        wanted = tuple(output_size)
        if len(wanted) == lead + dims:
            wanted = wanted[lead:]
        if len(wanted) != dims:
            raise ShapeError(where, "output_size", f"{dims} or {lead + dims} sizes", str(tuple(output_size)))
        least = [
            (size - 1) * stride - 2 * padding + dilation * (width - 1) + 1
            for size, stride, padding, dilation, width in zip(
                input.array.shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        for size, low, stride in zip(wanted, least, self.stride, strict=True):
            if not low <= size < low + stride:
                most = tuple([low + stride - 1 for low, stride in zip(least, self.stride, strict=True)])
                raise ShapeError(
                    where,
                    "output_size",
                    f"from {tuple(least)} to {most} for this input",
                    str(wanted),
                    "Choose one between them",
                )
        return tuple([size - low for size, low in zip(wanted, least, strict=True)])


class ConvTranspose1d(_Transposed):
    """The transpose of ``Conv1d`` as a linear map: its derivative to the input, used to lengthen sequences.

    Args:
        in_channels, out_channels: K and C of the convolution that it transposes.
        kernel_size, stride, padding, dilation, groups, bias: see ``Conv1d``.
        output_padding: how much longer the output shall be at its end, below stride or dilation.

    Shapes: input (N, in_channels, L), output (N, out_channels, L'), weight (in_channels, out_channels / groups, kernel_size).

    Raises:
        ArgumentError, DTypeError: an argument out of range; channels that ``groups`` does not divide.

    Example:
        >>> import minigrad
        >>> ConvTranspose1d(2, 4, 4, stride=2, padding=1)(minigrad.ones(1, 2, 8)).shape
        minigrad.Size([1, 4, 16])
    """

    _dims = 1

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self._output_padding(input, output_size)
        return F.conv_transpose1d(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose2d(_Transposed):
    """The transpose of ``Conv2d`` as a linear map, used to enlarge images (Radford et al. 2016 draw with it).

    Args:
        in_channels, out_channels: K and C of the convolution that it transposes.
        kernel_size, stride, padding, output_padding, groups, bias, dilation: see ``ConvTranspose1d``.

    Shapes: input (N, in_channels, H, W), output (N, out_channels, H', W'), weight (in_channels, out_channels / groups, KH, KW).
    ``forward(input, output_size=None)``: the output's size, where several fit.

    Raises:
        ArgumentError, DTypeError: an argument out of range; channels that ``groups`` does not divide.

    Example:
        >>> import minigrad
        >>> ConvTranspose2d(8, 3, 4, stride=2, padding=1)(minigrad.ones(1, 8, 4, 4)).shape
        minigrad.Size([1, 3, 8, 8])
    """

    _dims = 2

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self._output_padding(input, output_size)
        return F.conv_transpose2d(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]
