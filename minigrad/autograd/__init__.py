"""Derivatives, under PyTorch's names: ``grad``, ``backward``, ``Function``, the switches, and anomaly mode."""

from minigrad.autograd import functional
from minigrad.core.anomaly import detect_anomaly, is_anomaly_check_nan_enabled, is_anomaly_enabled, set_detect_anomaly
from minigrad.core.autograd import backward, grad
from minigrad.core.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.study.gradcheck import gradcheck, gradgradcheck


def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:
    """The same memory as a leaf of its own: what tensors with gradients were called of old.

    Example:
        >>> import minigrad
        >>> Variable(minigrad.ones(2), requires_grad=True).requires_grad
        True
    """
    return data.detach().requires_grad_(requires_grad)


__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]
