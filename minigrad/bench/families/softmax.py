"""Softmax and cross entropy to be timed: of attention, and of vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, normal, rows_of, tensor
from minigrad.kernels import contract_of

SHAPES = ((64, 10), (1024, 512), (1024, 8000))  # rows and classes
BRIEF = (1024, 8000)


def ops() -> Iterator[Op]:
    """Each function at each shape."""
    for rows, classes in SHAPES:
        values, row = 4.0 * rows * classes, 4.0 * rows
        for function, moved, make, by_row, fixed, peers in (
            ("forward", 2 * values, _logits, (0,), (), {"torch": _torch_softmax}),
            ("backward", 3 * values, _gradient, (0, 1), (1,), {"torch": _torch_softmax_backward}),
            ("log_forward", 2 * values, _log_logits, (0,), (), {"torch": _torch_log_softmax}),
            ("log_backward", 3 * values, _log_gradient, (0, 1), (1,), {"torch": _torch_log_softmax_backward}),
            ("cross_entropy_forward", values + 5 * row, _classes, (0, 1), (), {}),
            ("cross_entropy_backward", 2 * values + 5 * row, _found, (0, 1, 2, 4, 5), (1, 4, 5), {}),
        ):
            yield Op(
                "softmax", function, f"{rows} x {classes}", 0.0, moved, make(rows, classes), make(7, min(classes, 100)),
                rows_of(by_row), peers, fixed=fixed, brief=(rows, classes) == BRIEF and function.startswith("cross"),
            )  # fmt: skip


def _logits(rows: int, classes: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        return Call((3 * normal(rng, (rows, classes), dtype), 1), {"zeros": False})

    return draw


def _log_logits(rows: int, classes: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        return Call((3 * normal(rng, (rows, classes), dtype), 1))

    return draw


def _gradient(rows: int, classes: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x, dy = (normal(rng, (rows, classes), dtype) for _ in range(2))
        return Call((dy, contract_of("softmax").forward(x, 1), 1))

    return draw


def _log_gradient(rows: int, classes: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x, dy = (normal(rng, (rows, classes), dtype) for _ in range(2))
        return Call((dy, contract_of("softmax").log_forward(x, 1), 1))

    return draw


def _classes(rows: int, classes: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        return Call((3 * normal(rng, (rows, classes), dtype), rng.integers(0, classes, rows), None), {"smoothing": 0.0})

    return draw


def _found(rows: int, classes: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        (x, target, _), words = _classes(rows, classes)(rng, dtype)
        _, greatest, log_sum = contract_of("softmax").cross_entropy_forward(x, target, None, **words)
        return Call((normal(rng, (rows,), dtype), x, target, None, greatest, log_sum), words)

    return draw


def _torch_softmax(torch: Any, call: Call) -> Callable[[], Any]:
    x = tensor(torch, call.args[0])
    return lambda: torch.softmax(x, 1)


def _torch_softmax_backward(torch: Any, call: Call) -> Callable[[], Any]:
    dy, y = (tensor(torch, each) for each in call.args[:2])
    return lambda: torch.ops.aten._softmax_backward_data(dy, y, 1, y.dtype)


def _torch_log_softmax(torch: Any, call: Call) -> Callable[[], Any]:
    x = tensor(torch, call.args[0])
    return lambda: torch.log_softmax(x, 1)


def _torch_log_softmax_backward(torch: Any, call: Call) -> Callable[[], Any]:
    dy, y = (tensor(torch, each) for each in call.args[:2])
    return lambda: torch.ops.aten._log_softmax_backward_data(dy, y, 1, y.dtype)
