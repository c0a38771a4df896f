"""Linear maps along one axis, of few terms each: what resizing and padding by rule are made of.

    y[..., i, ...] = Σ_t weight[i, t] x[..., source[i, t], ...]

The transposed map is one of the same kind, with as many taps as an element of x is used by. So the derivative of any order
is this one op, and no order of additions depends on chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import CPU, Array, array_module, device_of, move
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.kernels.layout import is_channels_last


class Taps:
    """Sources and weights of a map from ``size`` elements, both (outputs, taps); weights ``None`` for one tap of weight 1.

    They are small and lie on the host; a GPU keeps a copy of those that it has used. A shorter row is filled up with weight 0.
    """

    def __init__(self, sources: np.ndarray, weights: np.ndarray | None, size: int) -> None:
        self.sources, self.weights, self.size = sources, weights, size
        self._transposed: Taps | None = None
        self._copies: dict[Any, list[tuple[Array, Array | None]]] = {}

    def beside(self, x: Array) -> list[tuple[Array, Array | None]]:
        """Sources and weights of each tap where ``x`` lies, the weights in its dtype."""
        key = device_of(x), x.dtype
        if key not in self._copies:
            weights = [None] if self.weights is None else list(self.weights.T.astype(x.dtype))
            pairs = [(np.ascontiguousarray(row), weight) for row, weight in zip(self.sources.T, weights, strict=True)]
            where = key[0]
            copies = [(move(row, where), None if weight is None else move(weight, where)) for row, weight in pairs]
            if where == CPU:
                return copies
            self._copies[key] = copies
        return self._copies[key]

    def transposed(self) -> Taps:
        """The map of the gradient."""
        if self._transposed is None:
            outputs, taps = self.sources.shape
            weights = np.ones((outputs, taps)) if self.weights is None else self.weights
            used = weights.ravel() != 0
            to = self.sources.ravel()[used]
            order = np.argsort(to, kind="stable")
            to, start = to[order], np.repeat(np.arange(outputs), taps)[used][order]
            counts = np.bincount(to, minlength=self.size)
            slot = np.arange(to.size) - np.repeat(np.cumsum(counts) - counts, counts)
            width = int(counts.max(initial=0)) or 1
            sources = np.zeros((self.size, width), np.int64)
            back = np.zeros((self.size, width))
            sources[to, slot], back[to, slot] = start, weights.ravel()[used][order]
            sources = np.where(back == 0, sources[:, :1], sources)  # what fills up a row adds no infinity of another's
            plain = width == 1 and bool((back == 1).all())
            self._transposed = Taps(sources, None if plain else back, outputs)
            self._transposed._transposed = self
        return self._transposed


def picks(sources: np.ndarray, size: int) -> Taps:
    """The map that copies: y[i] = x[sources[i]]."""
    return Taps(sources[:, None], None, size)


class AlongAxis(Function):
    """y = the map along one axis of x;  dx = the transposed map of dy."""

    def forward(ctx, x: Array, axis: int, taps: Taps) -> Array:
        ctx.axis, ctx.taps = axis, taps
        xp = array_module(x)
        last = x.ndim == 4 and is_channels_last(x)
        if last:  # work in the order of memory, so that what is taken are whole rows
            x, axis = x.transpose(0, 2, 3, 1), (0, 3, 1, 2)[axis]
        if taps.size == 0 or not x.size:
            y = xp.zeros((*x.shape[:axis], taps.sources.shape[0], *x.shape[axis + 1 :]), x.dtype)
        elif taps.weights is None:
            y = xp.take(x, taps.beside(x)[0][0], axis=axis)
        else:
            y = None
            ones = [1] * (x.ndim - axis - 1)
            for sources, weights in taps.beside(x):
                term = xp.take(x, sources, axis=axis)
                if weights is not None:
                    term *= weights.reshape(-1, *ones)
                y = term if y is None else xp.add(y, term, out=y)
        return y.transpose(0, 3, 1, 2) if last else y

    def backward(ctx, dy: Tensor) -> Any:
        return AlongAxis.apply(dy, ctx.axis, ctx.taps.transposed()), None, None


def along_axis(x: Tensor, axis: int, taps: Taps) -> Tensor:
    """Apply a map along one axis."""
    return AlongAxis.apply(x, axis, taps)
