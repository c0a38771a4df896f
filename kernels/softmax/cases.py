"""What the laboratory calls softmax and cross entropy with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, Identity, Result, derivative, drawn, inner

# Shape and axis.
WAYS = (
    ((5, 33), 1),
    ((4, 7), 0),
    ((2, 3, 17), 1),
    ((9,), 0),
    ((6, 1), 1),
    ((3, 130), 1),
    ((2, 255), 1),
    ((2, 259), 1),
    ((0, 4), 1),
    ((4, 0), 0),
)
CLASSES = ((7, 10), (3, 33), (5, 1), (2, 200), (3, 300), (0, 4))  # rows, classes
NO_ROW = -100


def cases() -> Iterator[Case]:
    """Rows along any axis, logits of any size, rows without a distribution; and losses in each of their ways."""
    for number, (shape, axis) in enumerate(WAYS):
        x, dy = drawn(shape, shape, seed=number, scale=3.0)
        yield from _both(f"shape {shape}, axis {axis}", x, dy, axis)
    x, dy = drawn((4, 20), (4, 20), seed=50)
    yield from _both("large logits", x * 1e4, dy, 1)
    yield from _both("equal logits", np.full_like(x, 1000.0), dy, 1)
    masked = x.copy()
    masked[:, ::3], masked[2] = -np.inf, -np.inf
    yield Case("forward", "a row of -inf, zeros", (masked, 1), {"zeros": True})
    yield from _both("a row of -inf", masked, dy, 1)
    for number, (rows, classes) in enumerate(CLASSES):
        logits, grads, weights = drawn((rows, classes), (rows,), (classes,), seed=number, scale=3.0)
        target = np.random.default_rng(number).integers(0, classes, rows)
        yield from _losses(f"{rows} rows, {classes} classes", logits, target, None, 0.0, grads)
        target[1::3] = NO_ROW
        yield from _losses(f"{rows} rows, {classes} classes, some left out", logits, target, abs(weights), 0.1, grads)
        yield from _losses(f"{rows} rows, {classes} classes, all smoothed", logits, target, None, 1.0, grads)
    logits, grads = drawn((4, 12), (4,), seed=60)
    yield from _losses("large logits", logits * 1e4, np.array([0, 5, 11, NO_ROW]), None, 0.0, grads)


def _both(name: str, x: np.ndarray, dy: np.ndarray, axis: int) -> Iterator[Case]:
    forward, log_forward = Case("forward", name, (x, axis), {"zeros": False}), Case("log_forward", name, (x, axis))
    yield forward
    yield Case("backward", name, (dy, Result(forward), axis))
    yield log_forward
    yield Case("log_backward", name, (dy, Result(log_forward), axis))


def _losses(
    name: str, x: np.ndarray, target: np.ndarray, w: np.ndarray | None, smoothing: float, dy: np.ndarray
) -> Iterator[Case]:
    forward = Case("cross_entropy_forward", name, (x, target, w), {"smoothing": smoothing})
    yield forward
    found = Result(forward, 1), Result(forward, 2)
    # An infinite dy is multiplied with p and the target's share before or after they are subtracted.
    yield Case("cross_entropy_backward", name, (dy, x, target, w, *found), {"smoothing": smoothing}, infinity=False)


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """The gradients, by differences in float64."""
    if dtype != np.float64:
        return
    x, dy, rows, w = drawn((4, 9), (4, 9), (4,), (9,), seed=70)
    target, w = np.array([3, 0, NO_ROW, 8]), abs(w)
    gradient = run.backward(dy, run.forward(x, 1, zeros=False), 1)
    yield derivative("backward", "softmax", lambda x: inner(run.forward(x, 1, zeros=False), dy), x, gradient)
    gradient = run.log_backward(dy, run.log_forward(x, 1), 1)
    yield derivative("log_backward", "log-softmax", lambda x: inner(run.log_forward(x, 1), dy), x, gradient)

    def loss(x: np.ndarray) -> float:
        return inner(run.cross_entropy_forward(x, target, w, smoothing=0.2)[0], rows)

    _, greatest, log_sum = run.cross_entropy_forward(x, target, w, smoothing=0.2)
    gradient = run.cross_entropy_backward(rows, x, target, w, greatest, log_sum, smoothing=0.2)
    yield derivative("cross_entropy_backward", "cross entropy", loss, x, gradient)
