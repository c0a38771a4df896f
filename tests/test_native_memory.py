"""Memory of freed arrays that stays with the process: fewer page faults, and who may say no."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minigrad.errors import ArgumentError
from minigrad.kernels.native import memory

pytestmark = pytest.mark.native

ROOT = Path(__file__).parent.parent
TUNING = ("MALLOC_", "GLIBC_TUNABLES", memory.ENVIRONMENT)


@pytest.fixture(autouse=True)
def untuned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith(TUNING)]:
        monkeypatch.delenv(name)
    yield
    memory.keep.cache_clear()


def faults(program: str, **environment: str) -> int:
    """Page faults in a step of a program in a fresh process, after some steps."""
    measured = """
        import resource
        for _ in range(4):
            step()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(8):
            step()
        print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 8)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program) + textwrap.dedent(measured)], cwd=ROOT,
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


ARRAYS = """
    import numpy as np
    from tests.test_native_pool import count_up
    count_up(np.zeros(1, np.int64), np.zeros(1, np.int64), 1)  # the first kernel

    def step():
        arrays = [np.empty(3 << 20, np.uint8) for _ in range(16)]
        for array in arrays:
            array.fill(1)
"""
TRAINING = """
    import minigrad as mg
    import minigrad.nn as nn

    model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 15 * 15, 10))
    optimizer = mg.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = mg.randn(32, 3, 32, 32), mg.randint(0, 10, (32,))

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
"""


def test_arrays_that_are_freed_and_made_again_take_no_new_pages() -> None:
    assert faults(ARRAYS) < 50
    assert faults(ARRAYS, MINIGRAD_KEEP_MEMORY="0") > 500  # without it the test sees them


def test_a_training_step_takes_no_new_pages() -> None:
    assert faults(TRAINING) < 50


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({}, ""), ({memory.ENVIRONMENT: "1"}, ""), ({memory.ENVIRONMENT: "0"}, "MINIGRAD_KEEP_MEMORY=0"),
     ({"MALLOC_TRIM_THRESHOLD_": "0"}, "MALLOC_TRIM_THRESHOLD_ is set"),
     ({"GLIBC_TUNABLES": "glibc.malloc.mmap_max=0"}, "GLIBC_TUNABLES is set")],
)  # fmt: skip
def test_a_user_s_own_settings_are_left_alone(
    environment: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(memory, "_mallopt", lambda: lambda *setting: told.append(setting) or 1)
    memory.keep.cache_clear()
    assert memory.wanted() == reason
    assert memory.keep() is (reason == "")
    assert bool(told) is (reason == "")


def test_a_wish_that_is_neither_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.ENVIRONMENT, "yes")
    with pytest.raises(ArgumentError, match="memory: MINIGRAD_KEEP_MEMORY: expected 0 or 1, got 'yes'"):
        memory.wanted()


def test_without_glibc_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_mallopt", lambda: None)
    memory.keep.cache_clear()
    assert memory.wanted() == "only glibc is known to be told so"
    assert memory.keep() is False


@pytest.mark.parametrize(
    ("allowed", "largest"), [(lambda value: True, memory.LARGEST), (lambda value: value <= 32 << 20, memory.OLDER_LARGEST)]
)
def test_an_older_glibc_keeps_smaller_blocks(
    allowed: Callable[[int], bool], largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {}

    def mallopt(name: int, value: int) -> int:
        if name == memory.M_MMAP_THRESHOLD and not allowed(value):
            return 0
        told[name] = value
        return 1

    monkeypatch.setattr(memory, "_mallopt", lambda: mallopt)
    memory.keep.cache_clear()
    assert memory.keep() is True
    assert told == {memory.M_MMAP_THRESHOLD: largest, memory.M_TRIM_THRESHOLD: 2**31 - 1}
