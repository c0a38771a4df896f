"""Kernels that cheat are found out, each in its own way; an honest one is not accused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minigrad.bench.op import Call, Op, freshen, normal
from minigrad.bench.row import Row
from minigrad.kernels.conv2d import im2col
from tests.bench.planted import MS, FakeClock, registered, session, small_op

Kernel = Callable[..., np.ndarray]


def row_of(forward: Kernel, rounds: int = 4) -> Row:
    with registered("cheat", forward=forward) as name:
        [row] = session(FakeClock(tick=MS), rounds=rounds).op(small_op(), [name])
    return row


def honest(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
    return im2col.forward(x, w, bias, **geometry)


def by_key(key: Callable[[np.ndarray], Any]) -> Kernel:
    """Remembers results by something about the input."""
    known: dict[Any, np.ndarray] = {}

    def forward(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        here = (key(x), x.shape)
        if here not in known:
            known[here] = honest(x, w, bias, **geometry)
        return known[here].copy()

    return forward


def same_memory() -> Kernel:
    """Writes into one and the same array, and gives the old numbers back once there are some."""
    kept: dict[Any, np.ndarray] = {}

    def forward(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        if x.shape not in kept:
            kept[x.shape] = honest(x, w, bias, **geometry)
        return kept[x.shape]

    return forward


def zeros(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
    return np.zeros_like(honest(x, w, bias, **geometry))


def untouched(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
    return np.full_like(honest(x, w, bias, **geometry), np.nan)  # what poisoned memory is, where the system hands it out again


def skips_when_timed() -> Kernel:
    """Works at first, when nobody takes the time yet; then does a part of the work."""
    calls = 0

    def forward(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        nonlocal calls
        calls += 1
        y = honest(x, w, bias, **geometry)
        if calls > 12:
            y[::2] = 0
        return y

    return forward


def later() -> Kernel:
    """Comes back at once, and computes behind the clock."""

    def forward(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        done = honest(x, w, bias, **geometry)
        if len(x) < 4:
            return done  # the check before the timing
        y = np.zeros_like(done)
        begun = threading.Event()

        def work() -> None:
            begun.wait()
            time.sleep(0.001)
            y[...] = done

        thread = threading.Thread(target=work)
        thread.start()
        running.append(thread)
        begun.set()
        return y

    running: list[threading.Thread] = []
    return forward


def an_argument(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
    if len(x) < 4:
        return honest(x, w, bias, **geometry)
    y = honest(x, w, bias, **geometry)
    own = np.lib.stride_tricks.as_strided(x, y.shape, (0, 0, *x.strides[2:]))  # the input's own memory
    return own


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (by_key(id), "wrong result"),
        (by_key(lambda x: x.ctypes.data), "wrong result"),
        (by_key(lambda x: 0), "wrong result"),
        (same_memory(), "wrong result"),
        (zeros, "wrong result"),
        (untouched, "wrong result"),
        (skips_when_timed(), "of a piece"),
        (later(), "wrong result"),
        (an_argument, "it lies in the memory of an argument"),
    ],
    ids=["by id", "by address", "the last result", "one array", "zeros", "nothing", "skips when timed", "later", "an argument"],
)
def test_a_cheat_is_refused(forward: Kernel, words: str) -> None:
    row = row_of(forward, rounds=40)
    assert len(row.refused) == 1
    assert words in row.refused[0]
    assert row.as_json()["seconds"] is None and row.as_json()["gflops"] is None


def test_an_honest_kernel_is_not_accused() -> None:
    row = row_of(honest, rounds=40)
    assert row.refused == []
    assert row.samples >= 40 and row.seconds == 1e-3


@pytest.mark.parametrize("function", ["forward", "grad_input", "grad_weight"])
def test_no_cheat_stays_hidden_in_the_gradients(function: str) -> None:
    def skips(*args: Any, **kwargs: Any) -> np.ndarray:
        y = getattr(im2col, function)(*args, **kwargs)
        if len(args[0]) == 4:
            y *= 1.001
        return y

    with registered("cheat", **{function: skips}) as name:
        [row] = session(FakeClock(tick=MS)).op(small_op(function), [name, "im2col"][:1])
        [honest_row] = session(FakeClock(tick=MS)).op(small_op(function), ["im2col"])
    assert "of a piece" in row.refused[0]
    assert honest_row.refused == []


def test_a_kernel_that_is_wrong_at_the_small_size_is_not_timed() -> None:
    def wrong(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        return 2 * honest(x, w, bias, **geometry)

    row = row_of(wrong)
    assert row.refused[0].startswith("wrong result: cheat of conv2d: forward")
    assert row.samples == 0


@pytest.mark.parametrize("images", [2, 4], ids=["when checked", "when timed"])
def test_a_kernel_that_fails_is_told_of(images: int) -> None:
    def fails(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        if len(x) == images:
            raise ZeroDivisionError("of course")
        return honest(x, w, bias, **geometry)

    assert row_of(fails).refused == ["it raised ZeroDivisionError: of course"]


@pytest.mark.parametrize("images", [2, 4], ids=["when checked", "when timed"])
def test_a_kernel_that_ends_the_program_is_told_of(images: int) -> None:
    def leaves(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        if len(x) == images:
            raise SystemExit(0)
        return honest(x, w, bias, **geometry)

    assert row_of(leaves).refused == ["it raised SystemExit: 0"]


def test_arguments_are_never_the_same_twice() -> None:
    op = small_op()
    source = op.draw(np.random.default_rng(0), np.dtype(np.float32))
    target = op.draw(np.random.default_rng(1), np.dtype(np.float32))
    seen = set()
    for _ in range(20):
        freshen(target, source, (), np.random.default_rng())
        seen.add(target.args[0].tobytes())
        assert sorted(target.args[0].ravel()) == sorted(source.args[0].ravel())
    assert len(seen) > 15


def test_numbers_that_must_stay_as_drawn_stay() -> None:
    rng = np.random.default_rng(0)
    source = Call((normal(rng, (9,), np.dtype(np.float32)), [normal(rng, (9,), np.dtype(np.float32))]), {"b": np.arange(9)})
    target = Call((np.zeros(9, np.float32), [np.zeros(9, np.float32)]), {"b": np.zeros(9, int)})
    freshen(target, source, (0,), rng)
    assert (target.args[0] == source.args[0]).all()
    assert not (target.args[1][0] == source.args[1][0]).all()
    assert (target.kwargs["b"] == np.arange(9)).all()


def test_an_op_knows_its_name() -> None:
    op: Op = small_op()
    assert op.name == "conv2d.forward" and op.flops == 2 * 4 * 64 * 6 * 27
