"""Two layers as one, for inference: a batch norm at rest is a scale and a shift, which a convolution can do itself."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter

M = TypeVar("M", bound=Module)


def fuse_conv_bn_eval(conv: M, bn: Module, transpose: bool = False) -> M:
    """A copy of a convolution that does what it and the batch norm behind it do in evaluation, in one pass.

    Args:
        conv: a convolution; it stays as it is.
        bn: the batch norm of its output, which keeps running statistics.
        transpose: whether ``conv`` is a transposed convolution.

    Raises:
        ArgumentError: one of the two is in training mode, ``bn`` has no running statistics, or other than ``conv``'s channels.

    Example:
        >>> import minigrad
        >>> from minigrad import nn
        >>> conv, bn = nn.Conv2d(3, 4, 3).eval(), nn.BatchNorm2d(4).eval()
        >>> x = minigrad.randn(2, 3, 5, 5)
        >>> minigrad.allclose(fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-5)
        True
    """
    layers: Any = conv, bn
    for name, layer in zip(("conv", "bn"), layers):
        if layer.training:
            raise ArgumentError(
                "fuse_conv_bn_eval", name, "a layer in evaluation mode", "one in training", "Call .eval() first"
            )
    mean, var = layers[1].running_mean, layers[1].running_var
    if mean is None or var is None:
        expected = "a batch norm with running statistics"
        raise ArgumentError("fuse_conv_bn_eval", "bn", expected, "one without", "Make it with track_running_stats=True")
    fused: Any = copy.deepcopy(conv)
    bn_numbers = mean, var, layers[1].eps, layers[1].weight, layers[1].bias
    fused.weight, fused.bias = fuse_conv_bn_weights(fused.weight, fused.bias, *bn_numbers, transpose)
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a convolution that does a batch norm's scale and shift too: w s and (b - mean) s + shift.

    They require grad where the convolution's do; a bias that it did not have does not.

    Args:
        conv_w, conv_b: of the convolution, (F, C / groups, ...) and (F,); transposed, the weight is (C, F, ...).
        bn_rm, bn_rv, bn_eps: running mean and variance, (F,), and what is added to the variance.
        bn_w, bn_b: scale and shift of the batch norm, (F,); ``None`` for 1 and 0. s is bn_w / sqrt(bn_rv + bn_eps).
        transpose: whether the convolution is a transposed one.

    Raises:
        ArgumentError: other than as many channels as the convolution gives.

    Example:
        >>> import minigrad
        >>> one = minigrad.ones(1)
        >>> w, b = fuse_conv_bn_weights(minigrad.ones(1, 1, 1), None, 2 * one, 3 * one, 1.0, one, one)
        >>> w.item(), b.item()
        (0.5, 0.0)
    """
    channels = conv_w.shape[1 if transpose else 0]
    if bn_rm.shape != (channels,):
        got = f"{bn_rm.shape[0]} of them"
        raise ArgumentError("fuse_conv_bn_weights", "bn", f"{channels} channels, as many as the convolution gives", got)
    with no_grad():
        scale = (bn_rv + bn_eps).rsqrt()
        if bn_w is not None:
            scale = scale * bn_w
        shift = -bn_rm * scale if conv_b is None else (conv_b - bn_rm) * scale
        if bn_b is not None:
            shift = shift + bn_b
        sides = [1] * conv_w.ndim
        sides[1 if transpose else 0] = channels
        weight, bias = conv_w * scale.reshape(sides), shift.to(conv_w.dtype)
    return Parameter(weight, conv_w.requires_grad), Parameter(bias, conv_b is not None and conv_b.requires_grad)


__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights"]
