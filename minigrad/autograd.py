"""Derivatives, under PyTorch's names: ``grad``, ``backward``, ``Function`` and the switches."""

from minigrad.core.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from minigrad.core.tape import Function, backward, grad

__all__ = ["Function", "backward", "enable_grad", "grad", "inference_mode", "no_grad", "set_grad_enabled"]
