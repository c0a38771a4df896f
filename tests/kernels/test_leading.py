"""The leading classes: implementations beside hand numbers and the reference, extreme rows, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.errors import ArgumentError, DTypeError, IndexingError, MinigradError, ShapeError
from minigrad.kernels import leading
from minigrad.kernels.native import thread_count

IMPLEMENTATIONS = kernels.available("leading", "cpu")
each_implementation = pytest.mark.parametrize("name", IMPLEMENTATIONS)
INF, NAN = np.inf, np.nan
ONE = np.ones((1, 1))


def of_logits(logits: list[float], count: int, **options: Any) -> tuple[list[float], list[int]]:
    """Of one row with these logits."""
    values, classes = leading.forward(ONE, np.zeros((len(logits), 1)), np.array(logits), count, **options)
    return values[0].tolist(), classes[0].tolist()


@each_implementation
def test_hand_numbers(name: str) -> None:
    logits = np.log([1.0, 3.0, 2.0, 2.0]).tolist()
    with kernels.use(leading=name):
        values, classes = of_logits(logits, 3)
        assert classes == [1, 2, 3]
        np.testing.assert_allclose(values, np.log([3 / 8, 2 / 8, 2 / 8]), rtol=1e-14)
        values, classes = of_logits(logits, 4, without=(1, 2))
        assert classes == [3, 0, 1, 2]
        np.testing.assert_allclose(values, [*np.log([2 / 8, 1 / 8]), -INF, -INF], rtol=1e-14)


ROWS: dict[str, tuple[list[float], list[float], list[int]]] = {
    "far from 0": ([1e4, 1e4, -1e4], [-np.log(2), -np.log(2), -2e4 - np.log(2)], [0, 1, 2]),
    "a class of no chance": ([-INF, 1.0, -INF], [0.0, -INF, -INF], [1, 0, 2]),
    "no class of any chance": ([-INF, -INF, -INF], [NAN, NAN, NAN], [0, 1, 2]),
    "infinity": ([1.0, INF, 2.0], [NAN, NAN, NAN], [0, 1, 2]),
    "nan": ([1.0, 2.0, NAN], [NAN, NAN, NAN], [0, 1, 2]),
    "a negative nan": ([1.0, 2.0, -NAN], [NAN, NAN, NAN], [0, 1, 2]),
}


@each_implementation
@pytest.mark.parametrize("row", ROWS)
def test_extreme_rows(name: str, row: str) -> None:
    logits, wanted, which = ROWS[row]
    with kernels.use(leading=name):
        values, classes = of_logits(logits, 3)
    np.testing.assert_allclose(values, wanted, rtol=1e-11)
    assert classes == which


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", [name for name in IMPLEMENTATIONS if name != "reference"])
def test_rows_and_classes_of_many_blocks(name: str, threads: int) -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((450, 20)), rng.standard_normal((1030, 20)), rng.standard_normal(1030)
    w[700], b[700] = w[5], b[5]  # as likely, and in another block
    with kernels.use(leading="reference"):
        wanted, which = leading.forward(x[::30], w, b, 12, without=(3, 1029))
    with kernels.use(leading=name), thread_count(threads):
        values, classes = leading.forward(x, w, b, 12, without=(3, 1029))
    np.testing.assert_array_equal(classes[::30], which)
    np.testing.assert_allclose(values[::30], wanted, atol=1e-12)


@each_implementation
@pytest.mark.parametrize("number", [NAN, -NAN, INF])
@pytest.mark.parametrize("place", [0, 299])
def test_a_row_without_a_distribution_in_any_block(name: str, number: float, place: int) -> None:
    logits = np.full(300, -INF)
    logits[150], logits[place] = 1.0, number
    with kernels.use(leading=name):
        values, classes = of_logits(logits.tolist(), 2)
    assert np.isnan(values).all() and classes == [0, 1]


X, W, B = np.ones((2, 3)), np.ones((4, 3)), np.ones(4)
WRONG: list[tuple[tuple[Any, ...], dict[str, Any], type[MinigradError], str]] = [
    ((np.ones((2, 5)), W, B, 1), {}, ShapeError, r"input: expected 3 features, as weight has \(4, 3\), got shape \(2, 5\)"),
    ((X[0], W, B, 1), {}, ShapeError, r"input: expected 2 dimensions \(rows, F\)"),
    ((X, W[:0], None, 1), {}, ShapeError, r"weight: expected at least 1 class, got shape \(0, 3\)"),
    ((X, W, B[:2], 1), {}, ShapeError, r"bias: expected shape \(4,\), one value for each class, got shape \(2,\)"),
    ((X, W, B, 0), {}, ArgumentError, r"count: expected a whole number from 1 to 4, the classes, got 0"),
    ((X, W, B, 5), {}, ArgumentError, r"count: expected a whole number from 1 to 4, the classes, got 5"),
    ((X, W, B, 1), {"without": (4,)}, IndexingError, r"without: expected class numbers from 0 to 3, got 4"),
    ((X, W, B, 1), {"memo": []}, DTypeError, r"memo: expected a dict or None, got list"),
    ((X, W.astype("f"), B, 1), {}, DTypeError, r"weight"),
]


@pytest.mark.parametrize(("args", "options", "error", "text"), WRONG, ids=[row[3][:30] for row in WRONG])
def test_refusals(args: tuple[Any, ...], options: dict[str, Any], error: type[MinigradError], text: str) -> None:
    with pytest.raises(error, match=text):
        leading.forward(*args, **options)
