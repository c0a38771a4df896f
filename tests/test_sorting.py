"""The few largest of long rows, which are not looked for in all of them: beside a sort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("size", [256, 257, 999, 4000])
def test_the_largest_of_long_rows(size: int, dtype: Any) -> None:
    """Many equal ones, nan, which counts as the largest, and infinities of both signs alone and among others."""
    rows = np.random.default_rng(size).integers(-50, 50, (7, size)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        rows[1, [3, 200]], rows[2], rows[3] = np.nan, -np.inf, np.inf
        rows[4], rows[5] = -np.inf, np.inf
        rows[4, 7], rows[5, 9] = 1, -3
    for count in (1, 2, 5, 16, 17, 31):
        for largest in (True, False):
            values, places = minigrad.tensor(rows.reshape(7, 1, size)).topk(count, largest=largest)
            ordered = np.sort(rows, 1)  # nan at last
            wanted = ordered[:, ::-1][:, :count] if largest else ordered[:, :count]
            np.testing.assert_array_equal(values.numpy()[:, 0], wanted)
            np.testing.assert_array_equal(np.take_along_axis(rows, places.numpy()[:, 0], 1), wanted)
            assert all(len(set(row)) == count for row in places.numpy()[:, 0].tolist())
