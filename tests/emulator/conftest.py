"""What holds for every test of this folder: its target, and that none leaves the thread working on another device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from minigrad.core import device as devices
from minigrad.emulator import cupy as cp

HERE, PLAIN = Path(__file__).parent, ("test_cupy.py", "test_streams.py", "test_shortage.py")


@pytest.fixture(autouse=True)
def several() -> Iterator[None]:
    """Forget afterwards that a second device was asked for."""
    before = list(devices.SEVERAL)
    yield
    devices.SEVERAL[:] = before
    cp.cuda.Device(0).use()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All are of ``make emulated``, but those of the stand-in alone, which need no g++ and take no time."""
    for item in items:
        if item.path.parent == HERE and item.path.name not in PLAIN:
            item.add_marker(pytest.mark.emulated)
