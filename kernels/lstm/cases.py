"""What the laboratory calls the LSTM with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, Identity, Result, derivative, drawn, inner
from minigrad.kernels.recurrence import SHAPES, Shape, last

GATES = 4


def _arrays(shape: Shape) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What forward takes besides batch sizes, and the gradients that backward takes."""
    rows, batch, hidden = sum(shape.batch_sizes), shape.batch_sizes[0], shape.hidden
    x, h0, c0, dy, dh, dc = drawn(
        (rows, shape.features), (batch, hidden), (batch, hidden), (rows, hidden), (batch, hidden), (batch, hidden), seed=rows
    )
    w_ih, w_hh, b_ih, b_hh = drawn(
        *((GATES * hidden, size) for size in (shape.features, hidden)), *[(GATES * hidden,)] * 2, seed=hidden, scale=0.5
    )
    return [x, h0, c0, w_ih, w_hh, b_ih, b_hh], [dy, dh, dc]


def cases() -> Iterator[Case]:
    """Each shape in both directions of time; with and without biases, gates to be saved, and some of the gradients."""
    for number, shape in enumerate(SHAPES):
        (x, h0, c0, w_ih, w_hh, b_ih, b_hh), (dy, dh, dc) = _arrays(shape)
        sizes, biases = (
            shape.batch_sizes,
            (b_ih, b_hh) if number % 2 == 0 else (None, b_hh) if number % 4 == 1 else (None, None),
        )
        for reverse in (False, True):
            name = (
                f"{shape.name}{', from the end' if reverse else ''}: batch {sizes[0]}, {len(sizes)} steps, H = {shape.hidden}"
            )
            words: dict[str, Any] = {"reverse": reverse, "memo": None}
            forward = Case("forward", name, (x, sizes, h0, c0, w_ih, w_hh, *biases), {**words, "save": True, "index": None})
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
                (x, sizes, h0, c0, w_ih, w_hh, *biases),
                {**words, "save": False, "index": None},
            )
    (x, h0, c0, w_ih, w_hh, b_ih, b_hh), _ = _arrays(SHAPES[0])
    yield Case(
        "forward",
        "gates that saturate",
        (x * 40, SHAPES[0].batch_sizes, h0, c0, w_ih, w_hh, b_ih, b_hh),
        {"reverse": False, "save": True, "memo": None, "index": None},
    )
    for number in (1, 6):
        (x, h0, c0, w_ih, w_hh, b_ih, b_hh), _ = _arrays(SHAPES[number])
        sizes = SHAPES[number].batch_sizes
        index = np.arange(sum(sizes)) * 2 % 3
        yield Case(
            "forward",
            f"rows of a table of 3, {SHAPES[number].told(False)}",
            (x[:3], sizes, h0, c0, w_ih, w_hh, b_ih, b_hh),
            {"reverse": True, "save": True, "memo": None, "index": index},
        )
    for number, shape in enumerate(SHAPES):
        rows, hidden = sum(shape.batch_sizes), shape.hidden
        da, x, h = drawn((rows, GATES * hidden), (rows, shape.features), (rows, hidden), seed=number)
        wanted = {"input_wanted": number % 4 != 1, "state_wanted": number % 4 != 2}
        yield Case("grad_weights", f"{shape.name}: {rows} rows, {shape.features} features, H = {hidden}", (da, x, h), wanted)
    da, x, h = drawn((300, GATES * 9), (300, 33), (300, 9), seed=9)
    yield Case("grad_weights", "300 rows, 33 features, H = 9", (da, x, h), {"input_wanted": True, "state_wanted": True})


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """The gradients, by differences in float64."""
    if dtype != np.float64:
        return
    shape = SHAPES[0]
    (x, h0, c0, w_ih, w_hh, b_ih, b_hh), (dy, dh, dc) = _arrays(shape)
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
