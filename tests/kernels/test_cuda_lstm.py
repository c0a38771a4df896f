"""The LSTM's whole sequence in one launch, on emulated chips: every kernel of it, and when it is chosen.

The results of each are held to the bounds of the contract around those of ``vectorised.py``, which also holds the sequence and
single steps to each other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from minigrad.core.device import CPU, device, module_for, move, quiet
from minigrad.errors import KernelError
from minigrad.kernels import lstm
from minigrad.kernels.cuda import Kernel
from minigrad.kernels.lstm import gpu, sequence, vectorised
from minigrad.kernels.recurrence import Shape
from minigrad.kernels.recurrent_cases import arrays

pytestmark = pytest.mark.emulated

EMULATED = device("emulated")
STEPS = {"forward<float>", "backward<float>"}


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The kernels that are launched, each with how many parts of the batch its blocks share."""
    found, call = [], Kernel.__call__

    def noted(kernel: Kernel, *arguments: Any, work: Any, **sizes: Any) -> None:
        found.append((kernel.expression, work[1]))
        call(kernel, *arguments, work=work, **sizes)

    monkeypatch.setattr(Kernel, "__call__", noted)
    return found


def chip(monkeypatch: pytest.MonkeyPatch, multiprocessors: int, blocks: int = 32) -> None:
    """Make the emulated chip one of so many multiprocessors, each of which holds so many blocks."""
    module_for(EMULATED)
    from minigrad.emulator.cupy import cuda

    for name, attribute, value in (
        ("multiProcessorCount", "MultiProcessorCount", multiprocessors),
        ("maxBlocksPerMultiProcessor", "MaxBlocksPerMultiprocessor", blocks),
    ):
        monkeypatch.setitem(cuda.PROPERTIES, name, value)
        monkeypatch.setitem(cuda.ATTRIBUTES, attribute, value)


@contextlib.contextmanager
def manners(mode: str, order: int) -> Iterator[None]:
    from minigrad.emulator.cupy.raw import launches

    with launches(mode, order):
        yield


def far(sizes: Sequence[int], hidden: int, reverse: bool = False, wanted: str = "both", offset: int = 0) -> list[str]:
    """Which results of forward and backward are not within the contract's bounds."""
    shape = Shape("own", tuple(sizes), 3, hidden)
    (x, h0, c0, w_ih, w_hh, b_ih, b_hh), grads = arrays(shape, lstm.GATES, 2)
    w_hh = w_hh / np.sqrt(hidden)  # sums of the size that a network has
    x, h0, c0, w_ih, w_hh, b_ih, b_hh, *grads = (each.astype("f4") for each in (x, h0, c0, w_ih, w_hh, b_ih, b_hh, *grads))
    words: dict[str, Any] = {"reverse": reverse, "memo": None}
    first, more = (x, shape.batch_sizes, h0, c0, w_ih, w_hh, b_ih, b_hh), {**words, "save": True, "index": None}
    made: Any = vectorised
    _, cells, gates = made.forward(*first, **more)
    second = (*grads, shape.batch_sizes, c0, w_ih, w_hh, cells, gates)
    missed = []
    for name, call, keywords in (("forward", first, more), ("backward", second, {**words, "input_wanted": False})):
        if wanted in ("both", name):
            bounds = lstm.tolerance(name, *call, **keywords)
            got = getattr(gpu, name)(*(there(each, offset) for each in call), **keywords)
            want = getattr(made, name)(*call, **keywords)
            for number, (one, other, bound) in enumerate(zip(got, want, bounds)):
                if other is not None and not (np.abs(move(one, CPU) - other) <= bound).all():
                    missed.append(f"result {number} of {name}")
    return missed


def there(value: Any, offset: int) -> Any:
    """An array on the emulated device, which begins so many numbers behind the beginning of its memory."""
    if not isinstance(value, np.ndarray):
        return value
    memory = move(np.concatenate((np.zeros(offset, value.dtype), value.ravel())), EMULATED)
    return memory[offset:].reshape(value.shape)


SIZES = [  # hidden units, the kernels for them
    (65, "forward<8, 16>", "backward<32, 16>"),
    (132, "forward<16, 16>", "backward<32, 32>"),
    (257, "forward<32, 16>", "backward<64, 32>"),
    (516, "forward<32, 32>", "backward<128, 32>"),
]


@pytest.mark.parametrize(("hidden", "forward", "backward"), SIZES)
def test_many_units(
    hidden: int, forward: str, backward: str, launched: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    chip(monkeypatch, 96)
    with quiet(), manners("fast", 7):
        assert far((3, 3, 2), hidden, reverse=hidden % 2 == 0) == []
    assert launched == [(forward, 1), (backward, 1)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("hidden", "name"), [(40, "forward"), (257, "backward")])
def test_checked_where_blocks_wait_for_each_other(
    hidden: int, name: str, reverse: bool, launched: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the way back two warps hold a line of the weights, and leave two parts of each sum."""
    chip(monkeypatch, 96)
    with quiet(), manners("checked", 0):
        assert far((2, 1), hidden, reverse, name) == []
    assert launched == [({"forward": "forward<8, 16>", "backward": "backward<64, 32>"}[name], 1)]


@pytest.mark.parametrize("mode", ["fast", "checked"])
@pytest.mark.parametrize(("multiprocessors", "blocks", "parts"), [(4, 32, 3), (2, 1, 2), (1, 1, 1)])
def test_a_batch_is_shared_by_the_blocks_that_there_is_room_for(
    mode: str, multiprocessors: int, blocks: int, parts: int, launched: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    chip(monkeypatch, multiprocessors, blocks)
    with quiet(), manners(mode, 1):
        assert far((20, 20, 17, 9, 9, 3), 8) == []
        assert far((20, 20, 17, 9, 9, 3), 8, reverse=True) == []
    assert launched == [("forward<8, 16>", parts), ("backward<16, 16>", parts)] * 2


@pytest.mark.parametrize("offset", [0, 1, 4])
def test_memory_may_begin_anywhere(offset: int) -> None:
    with quiet(), manners("checked", 0):
        assert far((3, 2), 8, offset=offset) == []


OTHERWISE = [  # sizes, hidden, multiprocessors, blocks of each
    pytest.param((3,), 8, 4, 32, id="one step"),
    pytest.param((3, 0, 0), 8, 4, 32, id="one step that has rows"),
    pytest.param((3, 3), 65, 1, 1, id="no room for all units"),
    pytest.param((3, 3), 8, 0, 32, id="no room at all"),
    pytest.param(tuple(range(101, 0, -1)), 1, 4, 32, id="too many sizes"),
]


@pytest.mark.parametrize(("sizes", "hidden", "multiprocessors", "blocks"), OTHERWISE)
def test_else_it_goes_a_step_at_a_time(
    sizes: tuple[int, ...], hidden: int, multiprocessors: int, blocks: int, launched: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    chip(monkeypatch, multiprocessors, blocks)
    with quiet():
        assert far(sizes, hidden) == []
    assert {expression for expression, _ in launched} == STEPS
    assert len(launched) == 2 * sum(size > 0 for size in sizes)


def test_lines_too_long_and_double_precision_go_a_step_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    chip(monkeypatch, 10_000)
    xp = module_for(EMULATED)
    for name in sequence.SHAPES:
        assert sequence.plan(name, (2, 2), xp.zeros(1, "float32"), 1024) is not None
        assert sequence.plan(name, (2, 2), xp.zeros(1, "float32"), 1025) is None
        assert sequence.plan(name, (2, 2), xp.zeros(1, "float64"), 8) is None


def test_the_launcher_refuses_more_blocks_than_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chip(monkeypatch, 2, 1)
    planned = sequence.plan("forward", (20, 20), module_for(EMULATED).zeros(1, "float32"), 8)
    assert planned is not None
    zeros = [module_for(EMULATED).zeros(shape, "float32") for shape in ((40, 32), (40, 8), (40, 8), (20, 8), (20, 8), (32, 8))]
    with pytest.raises(KernelError, match=r"grid: expected at most 2 blocks of 256 threads and \d+ bytes.*emulated:0, got 3"):
        sequence.forward(planned._replace(parts=3), (20, 20), False, *zeros, keep=True)
