"""What the laboratory calls the plain recurrent network with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, Identity, Result, derivative, inner
from minigrad.kernels.recurrence import SHAPES, last
from minigrad.kernels.recurrent_cases import arrays, biases, grad_weights, rows_of_a_table


def cases() -> Iterator[Case]:
    """Each shape in both directions of time, tanh and relu in turn; with and without biases, and some of the gradients."""
    for number, shape in enumerate(SHAPES):
        (x, h0, w_ih, w_hh, b_ih, b_hh), (dy, dh) = arrays(shape, 1)
        sizes, given = shape.batch_sizes, biases(number, b_ih, b_hh)
        for reverse in (False, True):
            kind = ("tanh", "relu")[(number // 2 + reverse) % 2]
            name = f"{kind}, {shape.told(reverse)}"
            words: dict[str, Any] = {"nonlinearity": kind, "reverse": reverse, "memo": None}
            forward = Case("forward", name, (x, sizes, h0, w_ih, w_hh, *given), {**words, "index": None})
            yield forward
            grads = (dy, dh) if number % 2 == 0 else (dy, None) if reverse else (None, dh)
            args = (*grads, sizes, h0, w_ih, w_hh, Result(forward))
            yield Case("backward", name, args, {**words, "input_wanted": number % 3 != 1})
    yield from rows_of_a_table(1, {"nonlinearity": "tanh", "reverse": False, "memo": None})
    yield from grad_weights(1)


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """The gradients for tanh, by differences in float64."""
    if dtype != np.float64:
        return
    shape = SHAPES[0]
    (x, h0, w_ih, w_hh, b_ih, b_hh), (dy, dh) = arrays(shape, 1)
    sizes = shape.batch_sizes
    words: dict[str, Any] = {"nonlinearity": "tanh", "reverse": False, "memo": None}

    def value(x: np.ndarray = x, h0: np.ndarray = h0, bias: np.ndarray = b_ih) -> float:
        y = run.forward(x, sizes, h0, w_ih, w_hh, bias, b_hh, **words, index=None)
        return inner(y, dy) + inner(last(y, h0, sizes, False), dh)

    y = run.forward(x, sizes, h0, w_ih, w_hh, b_ih, b_hh, **words, index=None)
    da, dh0, dx = run.backward(dy, dh, sizes, h0, w_ih, w_hh, y, **words, input_wanted=True)
    yield derivative("backward", "to the input", value, x, dx)
    yield derivative("backward", "to the first h", lambda moved: value(h0=moved), h0, dh0)
    yield derivative("backward", "to the sums, by their bias", lambda moved: value(bias=moved), b_ih, da.sum(axis=0))
