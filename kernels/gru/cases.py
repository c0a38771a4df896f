"""What the laboratory calls the GRU with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, Identity, Result, derivative, drawn, inner
from minigrad.kernels.recurrence import SHAPES, Shape, last

GATES = 3


def _arrays(shape: Shape) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What forward takes besides batch sizes, and the gradients that backward takes."""
    rows, batch, hidden = sum(shape.batch_sizes), shape.batch_sizes[0], shape.hidden
    x, h0, dy, dh = drawn((rows, shape.features), (batch, hidden), (rows, hidden), (batch, hidden), seed=rows)
    w_ih, w_hh, b_ih, b_hh = drawn(
        *((GATES * hidden, size) for size in (shape.features, hidden)), *[(GATES * hidden,)] * 2, seed=hidden, scale=0.5
    )
    return [x, h0, w_ih, w_hh, b_ih, b_hh], [dy, dh]


def cases() -> Iterator[Case]:
    """Each shape in both directions of time; with and without biases, gates to be saved, and some of the gradients."""
    for number, shape in enumerate(SHAPES):
        (x, h0, w_ih, w_hh, b_ih, b_hh), (dy, dh) = _arrays(shape)
        sizes, biases = (
            shape.batch_sizes,
            (b_ih, b_hh) if number % 2 == 0 else (None, b_hh) if number % 4 == 1 else (None, None),
        )
        for reverse in (False, True):
            name = (
                f"{shape.name}{', from the end' if reverse else ''}: batch {sizes[0]}, {len(sizes)} steps, H = {shape.hidden}"
            )
            words: dict[str, Any] = {"reverse": reverse, "memo": None}
            forward = Case("forward", name, (x, sizes, h0, w_ih, w_hh, *biases), {**words, "save": True, "index": None})
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
                (x, sizes, h0, w_ih, w_hh, *biases),
                {**words, "save": False, "index": None},
            )
    (x, h0, w_ih, w_hh, b_ih, b_hh), _ = _arrays(SHAPES[0])
    yield Case(
        "forward",
        "gates that saturate",
        (x * 40, SHAPES[0].batch_sizes, h0, w_ih, w_hh, b_ih, b_hh),
        {"reverse": False, "save": True, "memo": None, "index": None},
    )
    for number in (1, 6):
        (x, h0, w_ih, w_hh, b_ih, b_hh), _ = _arrays(SHAPES[number])
        sizes = SHAPES[number].batch_sizes
        index = np.arange(sum(sizes)) * 2 % 3
        yield Case(
            "forward",
            f"rows of a table of 3, {SHAPES[number].told(False)}",
            (x[:3], sizes, h0, w_ih, w_hh, b_ih, b_hh),
            {"reverse": True, "save": True, "memo": None, "index": index},
        )
    for number, shape in enumerate(SHAPES):
        rows, hidden = sum(shape.batch_sizes), shape.hidden
        da, x, h = drawn((rows, 4 * hidden), (rows, shape.features), (rows, hidden), seed=number)
        wanted = {"input_wanted": number % 4 != 1, "state_wanted": number % 4 != 2}
        yield Case("grad_weights", f"{shape.name}: {rows} rows, {shape.features} features, H = {hidden}", (da, x, h), wanted)
    da, x, h = drawn((300, 4 * 9), (300, 33), (300, 9), seed=9)
    yield Case("grad_weights", "300 rows, 33 features, H = 9", (da, x, h), {"input_wanted": True, "state_wanted": True})


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """The gradients, by differences in float64."""
    if dtype != np.float64:
        return
    shape = SHAPES[0]
    (x, h0, w_ih, w_hh, b_ih, b_hh), (dy, dh) = _arrays(shape)
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
