"""What the laboratory calls the LSTM with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, Identity, Result, derivative, inner
from minigrad.kernels.recurrence import SHAPES, last
from minigrad.kernels.recurrent_cases import arrays, biases, grad_weights, rows_of_a_table

GATES = 4


def cases() -> Iterator[Case]:
    """Each shape in both directions of time; with and without biases, gates to be saved, and some of the gradients."""
    for number, shape in enumerate(SHAPES):
        (x, h0, c0, w_ih, w_hh, b_ih, b_hh), (dy, dh, dc) = arrays(shape, GATES, 2)
        sizes, given = shape.batch_sizes, biases(number, b_ih, b_hh)
        for reverse in (False, True):
            name = shape.told(reverse)
            words: dict[str, Any] = {"reverse": reverse, "memo": None}
            forward = Case("forward", name, (x, sizes, h0, c0, w_ih, w_hh, *given), {**words, "save": True, "index": None})
            yield forward
            grads = (dy, dh, dc) if number % 2 == 0 else (dy, None, None) if reverse else (None, dh, None)
            yield Case(
                "backward",
                name,
                (*grads, sizes, c0, w_ih, w_hh, Result(forward, 1), Result(forward, 2)),
                {**words, "input_wanted": number % 3 != 1},
            )
        if number < 2:
            yield Case(
                "forward",
                f"{shape.name}, gates not kept",
                (x, sizes, h0, c0, w_ih, w_hh, *given),
                {**words, "save": False, "index": None},
            )
    (x, h0, c0, w_ih, w_hh, b_ih, b_hh), _ = arrays(SHAPES[0], GATES, 2)
    yield Case(
        "forward",
        "gates that saturate",
        (x * 40, SHAPES[0].batch_sizes, h0, c0, w_ih, w_hh, b_ih, b_hh),
        {"reverse": False, "save": True, "memo": None, "index": None},
    )
    yield from rows_of_a_table(GATES, {"reverse": True, "save": True, "memo": None}, 2)
    yield from grad_weights(GATES)


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """The gradients, by differences in float64."""
    if dtype != np.float64:
        return
    shape = SHAPES[0]
    (x, h0, c0, w_ih, w_hh, b_ih, b_hh), (dy, dh, dc) = arrays(shape, GATES, 2)
    sizes = shape.batch_sizes

    def value(x: np.ndarray = x, h0: np.ndarray = h0, c0: np.ndarray = c0, bias: np.ndarray = b_ih) -> float:
        y, cells, _ = run.forward(x, sizes, h0, c0, w_ih, w_hh, bias, b_hh, reverse=False, save=True, memo=None, index=None)
        return inner(y, dy) + inner(last(y, h0, sizes, False), dh) + inner(last(cells, c0, sizes, False), dc)

    _, cells, gates = run.forward(x, sizes, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse=False, save=True, memo=None, index=None)
    da, dh0, dc0, dx = run.backward(
        dy, dh, dc, sizes, c0, w_ih, w_hh, cells, gates, reverse=False, input_wanted=True, memo=None
    )
    yield derivative("backward", "to the input", value, x, dx)
    yield derivative("backward", "to the first h", lambda moved: value(h0=moved), h0, dh0)
    yield derivative("backward", "to the first c", lambda moved: value(c0=moved), c0, dc0)
    yield derivative("backward", "to the sums, by their bias", lambda moved: value(bias=moved), b_ih, da.sum(axis=0))
