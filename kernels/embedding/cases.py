"""What the laboratory calls look-up and sum with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, Identity, drawn, inner
from minigrad.kernels.embedding import tolerance

SIZES = ((7, 33, 17), (40, 5, 9), (3, 16, 70), (1, 1, 1), (5, 3, 0), (4, 0, 3), (0, 3, 0))  # V, D, K


def _arrays(rows: int, width: int, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """w, dy and factors of which some are 0; and row numbers."""
    w, dy, factor = drawn((rows, width), (count, width), (rows,), seed=rows + count)
    factor[::3] = 0
    return [w, dy, factor], np.random.default_rng(count).integers(0, max(rows, 1), count)


def cases() -> Iterator[Case]:
    """Rows that are named once, often and never; tables of all kinds of numbers."""
    for rows, width, count in SIZES:
        (w, dy, factor), index = _arrays(rows, width, count)
        about = f"{count} of {rows} rows of {width}"
        yield Case("gather", about, (w, index))
        yield Case("scatter", about, (dy, index, rows, None))
        yield Case("scatter", f"{about}, factors", (dy, index, rows, factor))
    (w, dy, _), index = _arrays(*SIZES[0])
    yield Case("scatter", "one row alone", (dy, np.full_like(index, 3), 7, None))
    for name in ("float16", "int64", "int32", "int16", "int8", "uint8", "bool"):
        yield Case("gather", f"a table of {name}", ((w * 10).astype(name), index))


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """⟨gather(w), dy⟩ = ⟨w, scatter(dy)⟩."""
    for sizes in SIZES:
        (w, dy, _), index = _arrays(*sizes)
        w, dy = w.astype(dtype), dy.astype(dtype)
        (off,) = tolerance("scatter", dy, index, sizes[0], None)
        dw = run.scatter(dy, index, sizes[0], None)
        name = f"⟨gather(w), dy⟩ = ⟨w, scatter(dy)⟩, {sizes[2]} of {sizes[0]} rows"
        yield Identity("scatter", name, inner(run.gather(w, index), dy), inner(w, dw), inner(off, abs(w)) + 1e-12)
