"""What the laboratory calls the plain recurrent network with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, Identity, Result, derivative, drawn, inner
from minigrad.kernels.recurrence import SHAPES, Shape, last


def _arrays(shape: Shape) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What forward takes besides batch sizes, and the gradients that backward takes."""
    rows, batch, hidden = sum(shape.batch_sizes), shape.batch_sizes[0], shape.hidden
    x, h0, dy, dh = drawn((rows, shape.features), (batch, hidden), (rows, hidden), (batch, hidden), seed=rows)
    w_ih, w_hh, b_ih, b_hh = drawn((hidden, shape.features), (hidden, hidden), (hidden,), (hidden,), seed=hidden, scale=0.5)
    return [x, h0, w_ih, w_hh, b_ih, b_hh], [dy, dh]


def cases() -> Iterator[Case]:
    """Each shape in both directions of time, tanh and relu in turn; with and without biases, and some of the gradients."""
    for number, shape in enumerate(SHAPES):
        (x, h0, w_ih, w_hh, b_ih, b_hh), (dy, dh) = _arrays(shape)
        sizes, biases = (
            shape.batch_sizes,
            (b_ih, b_hh) if number % 2 == 0 else (None, b_hh) if number % 4 == 1 else (None, None),
        )
        for reverse in (False, True):
            kind = ("tanh", "relu")[(number // 2 + reverse) % 2]
            name = f"{kind}, {shape.told(reverse)}"
            words: dict[str, Any] = {"nonlinearity": kind, "reverse": reverse, "memo": None}
            forward = Case("forward", name, (x, sizes, h0, w_ih, w_hh, *biases), {**words, "index": None})
            yield forward
            grads = (dy, dh) if number % 2 == 0 else (dy, None) if reverse else (None, dh)
            args = (*grads, sizes, h0, w_ih, w_hh, Result(forward))
            yield Case("backward", name, args, {**words, "input_wanted": number % 3 != 1})
    for number in (1, 6):
        (x, h0, w_ih, w_hh, b_ih, b_hh), _ = _arrays(SHAPES[number])
        sizes = SHAPES[number].batch_sizes
        index = np.arange(sum(sizes)) * 2 % 3
        yield Case(
            "forward",
            f"rows of a table of 3, {SHAPES[number].told(False)}",
            (x[:3], sizes, h0, w_ih, w_hh, b_ih, b_hh),
            {"nonlinearity": "tanh", "reverse": False, "memo": None, "index": index},
        )
    for number, shape in enumerate(SHAPES):
        rows, hidden = sum(shape.batch_sizes), shape.hidden
        da, x, h = drawn((rows, hidden), (rows, shape.features), (rows, hidden), seed=number)
        wanted = {"input_wanted": number % 4 != 1, "state_wanted": number % 4 != 2}
        yield Case("grad_weights", f"{shape.name}: {rows} rows, {shape.features} features, H = {hidden}", (da, x, h), wanted)
    da, x, h = drawn((300, 9), (300, 33), (300, 9), seed=9)
    yield Case("grad_weights", "300 rows, 33 features, H = 9", (da, x, h), {"input_wanted": True, "state_wanted": True})


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """The gradients for tanh, by differences in float64."""
    if dtype != np.float64:
        return
    shape = SHAPES[0]
    (x, h0, w_ih, w_hh, b_ih, b_hh), (dy, dh) = _arrays(shape)
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
