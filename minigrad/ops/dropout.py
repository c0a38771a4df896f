"""Dropout: elements, or whole channels, are left out at random, and the rest scaled so that the mean stays.

The masks come from the default generator: ``minigrad.manual_seed`` makes them the same again, on every device.
"""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.activation import Gate
from minigrad.ops.draws import keep_mask
from minigrad.ops.inplace import alter

ALPHA = 1.7580993408473766  # scale times alpha of selu: what a unit far below 0 gives is -ALPHA


class Dropout(Gate):
    """y = x m / (1 - p), with m of truth values, each true with probability 1 - p;  dx = dy m / (1 - p)."""


class AlphaDropout(Function):
    """y = a (x m - ALPHA (1 - m)) + b, with a and b that keep mean 0 and variance 1;  dx = a m dy."""

    def forward(ctx, x: Array, mask: Array, p: float) -> Array:
        ctx.scale = ((1 - p) * (1 + p * ALPHA**2)) ** -0.5
        ctx.save_for_backward(mask)
        y = x * mask
        y -= ALPHA * ~mask
        y *= ctx.scale
        y += ctx.scale * p * ALPHA
        return y

    def backward(ctx, dy: Tensor) -> Any:
        return Dropout.apply(dy, ctx.saved_tensors[0].array, ctx.scale), None, None


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to 0 with probability ``p`` and divide the others by ``1 - p``. Nothing, outside training.

    Args:
        input: Tensor.
        p: from 0 to 1.
        training: ``False`` gives ``input`` back.
        inplace: write the result into ``input``.

    Raises:
        ArgumentError: ``p`` is no probability.

    Source: Srivastava and others, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".

    Example:
        >>> import minigrad
        >>> y = minigrad.nn.functional.dropout(minigrad.ones(1000), p=0.5)
        >>> sorted(set(y.tolist()))
        [0.0, 2.0]
    """
    return _drop("dropout", input, p, training, inplace, None)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """``dropout`` of whole channels of (N, C, L) or (C, L). See there.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.dropout1d(minigrad.ones(2, 3, 4), p=1.0).sum()
        tensor(0.)
    """
    return _drop("dropout1d", input, p, training, inplace, (2, 3))


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """``dropout`` of whole channels of (N, C, H, W). See there.

    (N, C, L) is taken as PyTorch takes it, with a warning there: N samples, whose channels are dropped.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.dropout2d(minigrad.ones(2, 3, 4, 4), p=1.0).sum()
        tensor(0.)
    """
    return _drop("dropout2d", input, p, training, inplace, (3, 4))


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout for networks of ``selu``: what is dropped takes its lowest value, and mean and variance are kept.

    Source: Klambauer and others, "Self-Normalizing Neural Networks", section "New Dropout Technique".

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.alpha_dropout(minigrad.ones(3), training=False)
        tensor([1., 1., 1.])
    """
    return _drop("alpha_dropout", input, p, training, inplace, None, alpha=True)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """``alpha_dropout`` of whole channels of (N, C, ...). See there.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.feature_alpha_dropout(minigrad.ones(1, 2), training=False)
        tensor([[1., 1.]])
    """
    return _drop("feature_alpha_dropout", input, p, training, inplace, (2, 3, 4, 5), alpha=True)


def _drop(
    where: str, input: Tensor, p: float, training: bool, inplace: bool, ranks: tuple[int, ...] | None, alpha: bool = False
) -> Tensor:
    x = check_tensor(where, "input", input).array
    if not 0 <= p <= 1:
        raise ArgumentError(where, "p", "a probability from 0 to 1", str(p))
    if ranks is not None and x.ndim not in ranks:
        raise ShapeError(where, "input", f"{' or '.join(map(str, ranks))} dimensions", f"shape {x.shape}")
    if not training or p == 0:
        return input
    if x.dtype.kind != "f":
        raise DTypeError(where, "input", "a float dtype", str(x.dtype), "Convert it with .float()")
    if ranks is None:
        mask = _like(x, keep_mask(where, x.shape, 1 - p, array_module(x)))
    else:
        lead = 1 if where == "dropout1d" and x.ndim == 2 else 2
        mask = keep_mask(where, x.shape[:lead], 1 - p, array_module(x)).reshape(x.shape[:lead] + (1,) * (x.ndim - lead))
    kind: type[Function] = Dropout
    number = 1 / (1 - p) if p < 1 else 0.0
    if alpha and p < 1:
        kind, number = AlphaDropout, p
    return alter(f"{where}_", kind.apply, input, (mask, number), {}) if inplace else kind.apply(input, mask, number)


def _like(x: Array, mask: Array) -> Array:
    """The mask in the memory order of ``x``, so that they are walked through together."""
    if x.flags.c_contiguous or x.ndim < 2:
        return mask
    ordered = array_module(x).empty_like(x, dtype=mask.dtype)
    ordered[...] = mask
    return ordered


__all__: list[str] = []
FUNCTIONAL = ("alpha_dropout", "dropout", "dropout1d", "dropout2d", "feature_alpha_dropout")
METHODS = ()
