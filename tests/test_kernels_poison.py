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


def test_memory_that_others_allocate_is_filled() -> None:
    """What the C library hands out next is what was spread: here a block of its own, as compiled code takes it.

    A small one, which the C library keeps for the thread that freed it; a large one it may give back to the system meanwhile.
    """
    api = ctypes.pythonapi
    found = set()
    for byte in (NAN, LARGE):
        spread([400], byte)
        block = api.PyMem_RawMalloc(400)
        found.add(ctypes.string_at(block + 200, 1)[0])
        api.PyMem_RawFree(block)
    assert found == {NAN, LARGE}
