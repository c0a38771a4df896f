"""What the laboratory calls the GRU with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, Identity, Result, derivative, inner
from minigrad.kernels.recurrence import SHAPES, last
from minigrad.kernels.recurrent_cases import arrays, biases, grad_weights, rows_of_a_table

GATES = 3


def cases() -> Iterator[Case]:
    """Each shape in both directions of time; with and without biases, gates to be saved, and some of the gradients."""
    for number, shape in enumerate(SHAPES):
        (x, h0, w_ih, w_hh, b_ih, b_hh), (dy, dh) = arrays(shape, GATES)
        sizes, given = shape.batch_sizes, biases(number, b_ih, b_hh)
        for reverse in (False, True):
            name = shape.told(reverse)
            words: dict[str, Any] = {"reverse": reverse, "memo": None}
            forward = Case("forward", name, (x, sizes, h0, w_ih, w_hh, *given), {**words, "save": True, "index": None})
            yield forward
            grads = (dy, dh) if number % 2 == 0 else (dy, None) if reverse else (None, dh)
            yield Case(
                "backward",
                name,
                (*grads, sizes, h0, w_ih, w_hh, Result(forward, 0), Result(forward, 1)),
                {**words, "input_wanted": number % 3 != 1},
            )
        if number < 2:
            yield Case(
                "forward",
                f"{shape.name}, gates not kept",
                (x, sizes, h0, w_ih, w_hh, *given),
                {**words, "save": False, "index": None},
            )
    (x, h0, w_ih, w_hh, b_ih, b_hh), _ = arrays(SHAPES[0], GATES)
    yield Case(
        "forward",
        "gates that saturate",
        (x * 40, SHAPES[0].batch_sizes, h0, w_ih, w_hh, b_ih, b_hh),
        {"reverse": False, "save": True, "memo": None, "index": None},
    )
    yield from rows_of_a_table(GATES, {"reverse": True, "save": True, "memo": None})
    yield from grad_weights(GATES + 1)


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """The gradients, by differences in float64."""
    if dtype != np.float64:
        return
    shape = SHAPES[0]
    (x, h0, w_ih, w_hh, b_ih, b_hh), (dy, dh) = arrays(shape, GATES)
    sizes, size = shape.batch_sizes, shape.hidden

    def value(x: np.ndarray = x, h0: np.ndarray = h0, of_input: np.ndarray = b_ih, of_state: np.ndarray = b_hh) -> float:
        y, _ = run.forward(x, sizes, h0, w_ih, w_hh, of_input, of_state, reverse=False, save=True, memo=None, index=None)
        return inner(y, dy) + inner(last(y, h0, sizes, False), dh)

    y, gates = run.forward(x, sizes, h0, w_ih, w_hh, b_ih, b_hh, reverse=False, save=True, memo=None, index=None)
    da, dh0, dx = run.backward(dy, dh, sizes, h0, w_ih, w_hh, y, gates, reverse=False, input_wanted=True, memo=None)
    db = da.sum(axis=0)
    yield derivative("backward", "to the input", value, x, dx)
    yield derivative("backward", "to the first h", lambda moved: value(h0=moved), h0, dh0)
    yield derivative("backward", "to the sums of the input", lambda moved: value(of_input=moved), b_ih, db[: 3 * size])
    of_state = np.concatenate((db[: 2 * size], db[3 * size :]))
    yield derivative("backward", "to the sums of the state", lambda moved: value(of_state=moved), b_hh, of_state)
