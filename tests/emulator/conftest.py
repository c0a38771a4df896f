"""What holds for every test of this folder: none leaves the thread working on another device."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from minigrad.core import device as devices
from minigrad.emulator import cupy as cp


@pytest.fixture(autouse=True)
def several() -> Iterator[None]:
    """Forget afterwards that a second device was asked for."""
    before = list(devices.SEVERAL)
    yield
    devices.SEVERAL[:] = before
    cp.cuda.Device(0).use()
