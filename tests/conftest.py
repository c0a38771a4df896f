"""What holds for every test: the same random state before, no global state changed behind; and fixtures that several share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core import device, dtypes, tape
from minigrad.kernels import choice, doubts, registry
from tests import devices

os.environ["MINIGRAD_COMPANIONS"] = "0"  # pytest's processes have the cores, and tests count what they compile
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background, and all it starts, would ignore it
gc.disable()  # while tests are collected: what that makes stays to the end, and there is much of it


def global_state() -> dict[str, Any]:
    """Every switch that code may leave changed behind it."""
    return {
        "grad mode": tape.mode.grad,
        "inference mode": tape.mode.inference,
        "observers of ops": tape.mode.observers,
        "stepping": tape.mode.stepping,
        "default dtype": dtypes.get_default_dtype(),
        "default device": device.get_default_device(),
        "kernel choice": dict(choice._names()),
        "kernel check": choice._choice.check,
        "registered kernels": {family: sorted(names) for family, names in registry.registered.items() if names},
        "threads": minigrad.get_num_threads(),
        "NumPy's floating-point errors": np.geterr(),
    }


@pytest.fixture(autouse=True)
def no_leak() -> Iterator[None]:
    """Fail the test that leaks global state; every test draws the same random numbers whatever ran before it."""
    before = global_state()
    minigrad.manual_seed(0)
    yield
    doubts.settle()  # what a test left unasked of a device
    after = global_state()
    leaked = {name: f"{before[name]} -> {after[name]}" for name in before if before[name] != after[name]}
    if leaked:
        pytest.fail(f"the test leaks global state: {leaked}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where ``MINIGRAD_DEVICE`` names a device, leave out the tests that have no meaning there."""
    if devices.asked():
        out = [item for item in items if devices.reason(item.nodeid)]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def pytest_collection_finish() -> None:
    """What was made so far is not looked at again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def results_are_read_from_the_device() -> Iterator[None]:
    """Where ``MINIGRAD_DEVICE`` names a device, ``numpy()`` brings results back from it."""
    with devices.read_back():
        yield


@pytest.fixture
def few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of convolution three shapes, of pooling two: for tests that ask about the laboratory, not about a kernel."""
    from minigrad.kernels.conv2d import cases as of_convolution
    from minigrad.kernels.pool2d import cases as of_pooling

    shapes = [shape for shape in of_convolution.SHAPES if shape.name in ("3x3", "1x1", "no images")]
    monkeypatch.setattr(of_convolution, "SHAPES", tuple(shapes))
    windows = [window for window in of_pooling.WINDOWS if window.name in ("2x2", "one pixel")]
    monkeypatch.setattr(of_pooling, "WINDOWS", tuple(windows))
