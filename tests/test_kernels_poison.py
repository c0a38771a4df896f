"""Memory that held something before: what is allocated inside ``poisoned`` is filled with its byte, and nothing else is."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from minigrad.kernels.poison import LARGE, NAN, poisoned, spread


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_poisoned_memory(size: int, dtype: Any) -> None:
    for byte in (NAN, LARGE):
        with poisoned(byte):
            a, b = np.empty(size, dtype), np.empty_like(np.zeros(size, dtype))
            zeros, full = np.zeros(size, dtype), np.full(size, 3, dtype)
        assert (a.view(np.uint8) == byte).all() and (b.view(np.uint8) == byte).all()
        assert not zeros.any() and (full == 3).all()
    with poisoned(LARGE), pytest.raises(ZeroDivisionError), poisoned(NAN):
        raise ZeroDivisionError
    assert not np.zeros(size, dtype).any()


def test_memory_is_clean_behind_the_block() -> None:
    with poisoned(NAN):
        inside = np.empty(5000)
    outside = [np.full(5000, 1.0) for _ in range(3)]
    del inside
    assert all((each == 1).all() for each in outside)


@pytest.mark.parametrize("byte", [NAN, LARGE])
def test_memory_that_others_may_get_is_filled(byte: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of this size and a little above, to their ends; which of them are handed out again is the C library's affair."""
    filled, memset = {}, ctypes.memset

    def watched(block: int, value: int, size: int) -> None:
        memset(block, value, size)
        filled[size] = ctypes.string_at(block, size)

    monkeypatch.setattr(ctypes, "memset", watched)
    spread([4000], byte)
    assert {size: set(content) for size, content in filled.items()} == {4000 + 16 * i: {byte} for i in range(16)}
