"""What the laboratory calls the recurrent families with, as far as it is alike in them; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, drawn
from minigrad.kernels.recurrence import SHAPES, Shape


def arrays(shape: Shape, gates: int, states: int = 1) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What forward takes besides batch sizes: x, first states, w_ih, w_hh, b_ih, b_hh; and the gradients for backward.

    Args:
        shape: rows, batch, features F and hidden size H.
        gates: how many blocks of H rows the weights have.
        states: 1 for h0, and the gradients dy and dh; 2 for h0 and c0, and dy, dh and dc.

    Example:
        >>> (x, h0, w_ih, *_), (dy, dh) = arrays(SHAPES[0], 3)
        >>> len(w_ih) == 3 * dy.shape[1], h0.shape == dh.shape
        (True, True)
    """
    rows, batch, hidden = sum(shape.batch_sizes), shape.batch_sizes[0], shape.hidden
    each = [(batch, hidden)] * states
    x, *drawn_there = drawn((rows, shape.features), *each, (rows, hidden), *each, seed=rows)
    w_ih, w_hh, b_ih, b_hh = drawn(
        *((gates * hidden, size) for size in (shape.features, hidden)), *[(gates * hidden,)] * 2, seed=hidden, scale=0.5
    )
    return [x, *drawn_there[:states], w_ih, w_hh, b_ih, b_hh], drawn_there[states:]


def biases(number: int, b_ih: np.ndarray, b_hh: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Both, the second alone, or none, in turn.

    Example:
        >>> [[each is not None for each in biases(number, np.ones(3), np.ones(3))] for number in (0, 1, 3)]
        [[True, True], [False, True], [False, False]]
    """
    if number % 2 == 0:
        return b_ih, b_hh
    return None, b_hh if number % 4 == 1 else None


def rows_of_a_table(gates: int, words: dict[str, Any], states: int = 1) -> Iterator[Case]:
    """Forward with an index into three rows, called with these keywords besides.

    Example:
        >>> [case.kwargs["index"].tolist()[:4] for case in rows_of_a_table(3, {"reverse": True})]
        [[0, 2, 1, 0], [0, 2, 1, 0]]
    """
    for number in (1, 6):
        (x, *others), _ = arrays(SHAPES[number], gates, states)
        sizes = SHAPES[number].batch_sizes
        name = f"rows of a table of 3, {SHAPES[number].told(False)}"
        index = np.arange(sum(sizes)) * 2 % 3
        yield Case("forward", name, (x[:3], sizes, *others), {**words, "index": index})


def grad_weights(gates: int) -> Iterator[Case]:
    """The gradients of the weights, all and some of them, where the sums' gradients have ``gates`` blocks of H columns.

    Example:
        >>> [case.args[0].shape for case in grad_weights(4)][-1]
        (300, 36)
    """
    for number, shape in enumerate(SHAPES):
        rows, hidden = sum(shape.batch_sizes), shape.hidden
        da, x, h = drawn((rows, gates * hidden), (rows, shape.features), (rows, hidden), seed=number)
        wanted = {"input_wanted": number % 4 != 1, "state_wanted": number % 4 != 2}
        yield Case("grad_weights", f"{shape.name}: {rows} rows, {shape.features} features, H = {hidden}", (da, x, h), wanted)
    da, x, h = drawn((300, gates * 9), (300, 33), (300, 9), seed=9)
    yield Case("grad_weights", "300 rows, 33 features, H = 9", (da, x, h), {"input_wanted": True, "state_wanted": True})
