"""Softmax: numbers turned into probabilities, and their logarithms."""

from __future__ import annotations

from typing import Any

from minigrad.core import tape
from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError
from minigrad.kernels import softmax as kernel
from minigrad.ops.activation import activate
from minigrad.ops.dims import one_dim
from minigrad.ops.draws import exponential_array
from minigrad.ops.operands import cast, dtype_or


class Softmax(Function):
    """y = e^x / Σ e^x along dim;  dx = y (dy - Σ y dy). With ``zeros``, y = 0 where a row is -inf alone."""

    def forward(ctx, x: Array, dim: int, zeros: bool = False) -> Array:
        ctx.dim = dim
        y = kernel.forward(x, dim, zeros=zeros)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return SoftmaxInput.apply(dy, y, ctx.dim), None, None


class SoftmaxInput(Function):
    """dx = y (dy - Σ y dy);  with g the gradient of dx: ddy = y (g - Σ y g), dy' = g (dy - Σ y dy) - dy Σ y g."""

    def forward(ctx, dy: Array, y: Array, dim: int) -> Array:
        ctx.dim = dim
        ctx.save_for_backward(dy, y)
        return kernel.backward(dy, y, dim)

    def backward(ctx, g: Tensor) -> Any:
        dy, y = ctx.saved_tensors
        need_dy, need_y, _ = ctx.needs_input_grad
        by_y = None
        if need_y:
            by_y = g * (dy - (y * dy).sum(ctx.dim, keepdim=True)) - dy * (y * g).sum(ctx.dim, keepdim=True)
        return SoftmaxInput.apply(g, y, ctx.dim) if need_dy else None, by_y, None


class LogSoftmax(Function):
    """y = x - log Σ e^x along dim;  dx = dy - e^y Σ dy."""

    def forward(ctx, x: Array, dim: int) -> Array:
        ctx.dim = dim
        y = kernel.log_forward(x, dim)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        if tape.mode.grad:
            return dy - y.exp() * dy.sum(ctx.dim, keepdim=True), None
        return Tensor._wrap(kernel.log_backward(dy.array, y.array, ctx.dim)), None


# ---------------------------------------------------------------------- what the user calls


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """``exp(input)`` over its sum along ``dim``: numbers above 0 that sum to 1. For inputs of any size.

    Args:
        input: Tensor.
        dim: the dimension along which they sum to 1. (PyTorch guesses where it is left out, and warns; we ask.)
        dtype: convert first.

    Raises:
        ArgumentError: ``dim`` is not given.
        IndexingError: there is no such dimension.
        DTypeError: integers without ``dtype``.

    Example:
        >>> import minigrad
        >>> minigrad.softmax(minigrad.tensor([0.0, 1000.0]), dim=0)
        tensor([0., 1.])
    """
    return _along("softmax", Softmax, input, dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """The logarithm of ``softmax``, exact where that is tiny. See there.

    Example:
        >>> import minigrad
        >>> minigrad.log_softmax(minigrad.tensor([0.0, 1000.0]), dim=0)
        tensor([-1000.,     0.])
    """
    return _along("log_softmax", LogSoftmax, input, dim, dtype)


def softmin(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """``softmax(-input)``. See there.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.softmin(minigrad.tensor([0.0, 0.0]), dim=0)
        tensor([0.5000, 0.5000])
    """
    return _along("softmin", Softmax, -check_tensor("softmin", "input", input), dim, dtype)


def _along(where: str, kind: type[Function], input: Tensor, dim: int | None, dtype: Any) -> Tensor:
    check_tensor(where, "input", input)
    if dim is None:
        raise ArgumentError(where, "dim", "a dimension", "None", "Name it: dim=-1 is the last")
    axis = one_dim(where, dim, input.array.ndim)
    x = cast(input, dtype_or(where, dtype, input.array.dtype))
    return activate(where, kind, x, axis) if x.array.ndim else activate(where, kind, x.reshape(1), 0).reshape(())


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample, at temperature ``tau``, of the distribution that ``softmax(logits)`` is.

    Args:
        logits: Tensor, not normalised.
        tau: near 0 the sample is near one-hot.
        hard: give the one-hot vector, with the gradient of the soft sample.
        eps: accepted for PyTorch's sake; no effect.
        dim: the dimension along which they sum to 1.

    Source: Jang and others, "Categorical Reparameterization with Gumbel-Softmax", equation 2.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.gumbel_softmax(minigrad.tensor([0.0, 1000.0]), hard=True)
        tensor([0., 1.])
    """
    x = check_tensor("gumbel_softmax", "logits", logits).array
    noise = Tensor._wrap(exponential_array("gumbel_softmax", x.shape, x.dtype, array_module(x))).log()
    soft = softmax((logits - noise) / tau, dim)
    if not hard:
        return soft
    xp, axis = array_module(x), one_dim("gumbel_softmax", dim, x.ndim)
    places = xp.arange(x.shape[axis]).reshape([-1 if d == axis else 1 for d in range(x.ndim)])
    one_hot = (soft.array.argmax(axis=axis, keepdims=True) == places).astype(x.dtype)
    return Tensor._wrap(one_hot) - soft.detach() + soft


__all__ = ["log_softmax", "softmax"]
FUNCTIONAL = ("gumbel_softmax", "log_softmax", "softmax", "softmin")
METHODS = ("log_softmax", "softmax")
