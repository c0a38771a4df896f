"""Products of float32 by the matrix unit: as exact as those of the vector unit. Run where there is such a unit."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad.kernels import lstm, split
from minigrad.kernels.native import thread_count
from minigrad.kernels.native.target import matrix_unit, tiled

# Rows, terms, columns: a rest in each; several bands of strips; rows of the result a power of two apart.
SHAPES = [(130, 1, 1), (160, 32, 32), (141, 37, 300), (300, 900, 33), (129, 64, 1024)] if matrix_unit() else []


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("feature", "found"), [("amx-bf16", False), ("", True), ("avx512f", False)])
def test_what_a_processor_must_have(feature: str, found: bool) -> None:
    has = dict.fromkeys(("avx2", "fma", "avx512f", "avx512vl", "amx-tile", "amx-bf16"), True) | {feature: False}
    assert tiled("x86_64-unknown-linux-gnu", "sapphirerapids", "", has).matrix == found


@pytest.mark.parametrize("threads", [1, 2])
def test_products_are_those_of_float64(threads: int) -> None:
    for rows, terms, columns in SHAPES:
        a, w = drawn(rows, terms), drawn(columns, terms, seed=1)
        bias, cut = drawn(columns, seed=2), terms // 3
        with thread_count(threads):
            assert split.usable(a) == (threads == 1)
            pieces = split.split({}, "w", w)
            assert pieces is not None
            found = split.split_product(pieces, bias, a[:, :cut], a[:, cut:])
        exact = bias + a.astype(np.float64) @ w.astype(np.float64).T
        size = np.abs(bias) + np.abs(a).astype(np.float64) @ np.abs(w).T
        bound = 2 * np.sqrt(terms + 1) * np.finfo(np.float32).eps * size
        assert (np.abs(found - exact) <= bound).all(), (rows, terms, columns)


def test_what_is_not_finite_goes_another_way() -> None:
    a, w = drawn(140, 8), drawn(8, 8)
    a[3, 3] = w[3, 3] = np.inf
    assert not split.usable(a) and split.split({}, "w", w) is None


def test_float64_and_few_rows_go_another_way() -> None:
    assert not split.usable(drawn(140, 8).astype(np.float64)) and not split.usable(drawn(2, 8))


def test_a_step_is_that_of_float64() -> None:
    """An LSTM's step with a memo, whichever unit makes it."""
    rows, features, hidden = 141, 19, 23
    given = [drawn(*size, seed=n) for n, size in enumerate([(rows, features), (rows, hidden), (rows, hidden)])]
    weights = [drawn(4 * hidden, size, seed=9) / 4 for size in (features, hidden)] + [drawn(4 * hidden), drawn(4 * hidden)]
    memo: dict = {}
    for threads in (1, 2):
        with thread_count(threads):
            h, c, gates = lstm.forward(given[0], [rows], *given[1:], *weights, save=False, memo=memo)
        wide = [each.astype(np.float64) for each in (*given, *weights)]
        want_h, want_c, _ = lstm.forward(wide[0], [rows], *wide[1:])
        np.testing.assert_allclose(h, want_h, atol=3e-6)
        np.testing.assert_allclose(c, want_c, atol=6e-6)
        assert gates is None
    assert (("split", "step") in memo) == matrix_unit() and ("packed", "step") in memo
