"""Pieces of large results, which ``minigrad kernels check`` asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.bench import large
from minigrad.kernels import laboratory

FORWARD = kernels.functions_of("activation", "vectorised").forward
FEW = 20_000  # numbers, more than any of the laboratory's cases has


def zeros(y: np.ndarray) -> np.ndarray:
    return np.zeros_like(y)


def not_written(y: np.ndarray) -> np.ndarray:
    return np.full_like(y, np.nan)


def raises(y: np.ndarray) -> np.ndarray:
    raise ValueError("too much for me")


def leaves(y: np.ndarray) -> np.ndarray:
    raise SystemExit(0)


@contextmanager
def wrong_where_large(fault: Callable[[np.ndarray], np.ndarray]) -> Iterator[str]:
    def forward(x: np.ndarray, kind: str, *numbers: float) -> Any:
        y = FORWARD(x, kind, *numbers)
        return fault(y) if y.size > FEW else y

    kernels.register("activation", "mine", base="vectorised", forward=forward)
    try:
        yield "mine"
    finally:
        kernels.unregister("activation", "mine")


@pytest.mark.parametrize(
    ("fault", "words"),
    [(zeros, "wrong result"), (not_written, "there is NaN in it"), (raises, "it raised ValueError: too much for me"),
     (leaves, "it raised SystemExit: 0")],
)  # fmt: skip
def test_what_is_wrong_where_arrays_are_large(fault: Callable[[np.ndarray], np.ndarray], words: str) -> None:
    with wrong_where_large(fault) as name:
        assert laboratory.check("activation", name).ok  # whose cases are small
        calls, [failure] = large.check("activation", name)
    assert calls == 1 and (failure.check, failure.function) == ("large", "forward")
    assert words in failure.words


def test_a_kernel_that_always_ends_the_program_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "FEW", 0)
    with wrong_where_large(leaves) as name:
        _, [failure] = large.check("activation", name)
    assert failure.words == "it raised SystemExit: 0"


def test_what_is_right_passes() -> None:
    with wrong_where_large(lambda y: y) as name:
        assert large.check("activation", name) == (1, [])
    assert large.check("activation", "vectorised") == (3, [])
    assert large.check("activation", "reference") == (0, [])


def test_sizes_are_large_and_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ops = {op.own: op for op in large.large_ops("conv2d", "winograd4")}
    assert ops.keys() >= {"forward", "forward_relu", "forward_relu6", "grad_input", "grad_input_in_c_order", "grad_weight"}
    assert all(1 << 22 <= op.bytes < 1 << 26 for op in ops.values())
    monkeypatch.setattr(large, "PATIENCE", 1e-9)
    monkeypatch.setattr(large, "QUICK", 0.0)
    assert large.check("activation", "vectorised") == (0, [])
