"""Products with weights that are kept: what a memo has is taken, and each way is right for any sizes and threads."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad.kernels import kept, matmul
from minigrad.kernels.native.budget import divided

# Rows, columns of x and of h, columns of the product: a rest in each, nothing of h, more rows than are taken at a time.
SIZES = [(1, 3, 2, 7), (5, 16, 0, 300), (2, 1, 1, 1), (300, 20, 9, 70), (140, 33, 31, 1024)]


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_products_are_those_of_float64(size: tuple[int, int, int, int], dtype: str, parts: int) -> None:
    rows, features, hidden, columns = size
    rng = np.random.default_rng(0)
    x, h, w_x, w_h, bias = (
        rng.standard_normal(shape).astype(dtype)
        for shape in ((rows, features), (rows, hidden), (columns, features), (columns, hidden), (columns,))
    )
    wide = [each.astype(np.float64) for each in (x, h, w_x, w_h, bias)]
    exact = wide[0] @ wide[2].T + wide[1] @ wide[3].T + wide[4]
    weights = (w_x, w_h) if hidden else (w_x,)
    memo: dict = {}
    with divided(parts):
        for _ in range(2):
            found = kept.kept_product(memo, "w", weights, bias, x, h if hidden else None)
            np.testing.assert_allclose(found, exact, atol=1e-4 if dtype == "float32" else 1e-12)
            assert len(memo) == 1
            for each in (w_x, w_h):
                each[:] = np.nan  # what is in the memo is all that is read


def test_a_product_with_a_memo_is_gapless() -> None:
    a, w = np.ones((130, 8), np.float32), np.ones((33, 8), np.float32)
    memo: dict = {}
    for _ in range(2):
        found = matmul.product(a, w.T, memo=memo)
        assert found.flags.c_contiguous and (found == 8).all() and len(memo) == 1
