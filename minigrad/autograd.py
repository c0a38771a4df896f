"""Derivatives, under PyTorch's names: ``grad``, ``backward``, ``Function`` and the switches."""

from minigrad.core.autograd import backward, grad
from minigrad.core.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from minigrad.core.tape import Function

__all__ = ["Function", "backward", "enable_grad", "grad", "inference_mode", "no_grad", "set_grad_enabled"]
