"""Out of memory on a GPU: which op, how much it wanted, who has the rest, and the two cheapest things to do."""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import minigrad
from minigrad import nn
from minigrad.core.device import device
from minigrad.core.shortage import Account, remedies
from minigrad.emulator import cupy as cp
from minigrad.errors import OutOfMemoryError
from minigrad.utils.checkpoint import checkpoint

MB = 1 << 20


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let the device hold no more than this many bytes beyond what it holds."""
    gc.collect()  # as CuPy does before it gives up
    pool = cp.get_default_memory_pool()
    pool.set_limit(size=pool.used_bytes() + size)
    try:
        yield
    finally:
        pool.set_limit(size=0)
        pool.free_all_blocks()


def network() -> nn.Module:
    return nn.Sequential(*[layer for _ in range(4) for layer in (nn.Linear(256, 256), nn.Tanh())]).to("emulated")


def test_the_op_says_what_it_wanted_and_what_is_used() -> None:
    with room_for(10 * MB):
        x = minigrad.ones(1024, 1024, device="emulated")
        with pytest.raises(OutOfMemoryError) as caught:
            [x + 1, x + 1]
    error = caught.value
    assert (error.where, error.argument) == ("add", "memory")
    assert re.fullmatch(r"a need of 4\.0 MB where \d+\.\d MB of \d+\.\d MB are used and .* cached on emulated:0", error.got)
    assert error.remedy.count("; or ") == 1 and error.remedy.startswith("Raise the pool's limit (CUPY_GPU_MEMORY_LIMIT)")
    assert isinstance(error, MemoryError) and isinstance(error.__cause__, cp.memory.OutOfMemoryError)


@pytest.mark.parametrize(
    ("asked", "told"), [("emulated", "emulated:0"), ("emulated:0", "emulated:0"), ("emulated:1", "emulated:1")]
)
def test_where_nothing_lies_there_yet_the_device_that_was_asked_is_named(asked: str, told: str) -> None:
    with pytest.raises(OutOfMemoryError) as caught:
        minigrad.zeros(10**12, device=asked)
    assert caught.value.got.endswith(f" cached on {told}")


def test_the_batch_that_is_proposed_fits_and_the_next_remedies_work() -> None:
    net = network()

    def forward(batch: int, run: Callable[[Any], Any] = net) -> Any:
        return run(minigrad.ones(batch, 256, device="emulated"))

    forward(8)
    with room_for(3 * MB):
        with pytest.raises(OutOfMemoryError) as caught:
            forward(1024)
        proposed = re.search(r"use a batch of at most (\d+) in place of 1024", caught.value.remedy)
        assert proposed, str(caught.value)
        caught.value.__traceback__ = None
        del caught
        assert 8 <= int(proposed[1]) < 1024
        with minigrad.no_grad():
            forward(int(proposed[1]) // 2)
    account = Account(device("cuda"), 4 * MB, 60 * MB, 0, 0, 0, 62 * MB, 50 * MB, 100, True)
    assert remedies(account)[:2] == [
        "Use a batch of at most 96 in place of 100",
        "compute inside minigrad.no_grad(), if no backward follows: the graph holds 50.0 MB",
    ]


def test_a_checkpoint_and_no_grad_need_less() -> None:
    net = network()
    x = minigrad.ones(512, 256, device="emulated").requires_grad_()
    with room_for(7 * MB // 4):
        with pytest.raises(OutOfMemoryError):
            net(x)
        checkpoint(nn.Sequential(*net[:4]), x)
        with minigrad.no_grad():
            net(x)


STEPS: list[tuple[str, Callable[[Any, Any], Any], str]] = [
    ("backward", lambda net, loss: loss.backward(), "backward"),
    ("optimiser", lambda net, loss: minigrad.optim.Adam(net.parameters()).step(), "Adam.step"),
    ("move", lambda net, loss: nn.Linear(1024, 2048).to("emulated"), "Module.to"),
    ("tensor", lambda net, loss: minigrad.ones(2048, 1024).to("emulated"), "move"),
    ("new", lambda net, loss: minigrad.zeros(2048, 1024, device="emulated"), "zeros"),
    ("filled", lambda net, loss: minigrad.randn(2048, 1024, device="emulated"), "randn"),
]


@pytest.mark.parametrize(("name", "call", "where"), STEPS, ids=[row[0] for row in STEPS])
def test_every_part_of_a_step_is_told(name: str, call: Callable[[Any, Any], Any], where: str) -> None:
    net = network()
    x = minigrad.ones(4, 256, device="emulated")
    loss = net(x).sum()
    if name == "optimiser":
        loss.backward()
    with room_for(MB // 2), pytest.raises(OutOfMemoryError) as caught:
        call(net, loss)
    assert where in caught.value.where and "a need of" in caught.value.got, str(caught.value)


ACCOUNTS = [
    ("others", {"others": 500, "used": 400, "wanted": 200}, "End the other programs on cuda that nvidia-smi shows"),
    ("cached", {"used": 700, "cached": 300, "wanted": 400}, "Call minigrad.cuda.empty_cache(), which frees the 300 bytes that"),
    ("limit", {"limit": 500, "used": 450, "wanted": 100}, "Raise the pool's limit"),
    ("kept by others", {"used": 990, "wanted": 100, "graph": 10}, "Delete tensors that are not needed: 980 bytes are held by"),
    ("too large itself", {"used": 10, "wanted": 5000}, "Work in parts"),
    ("one sample", {"used": 900, "wanted": 200, "graph": 890, "batch": 1}, "Compute inside minigrad.no_grad()"),
    ("batch", {"used": 900, "wanted": 200, "graph": 890, "batch": 10}, "Use a batch of at most 9 in place of 10"),
]


@pytest.mark.parametrize(("name", "numbers", "first"), ACCOUNTS, ids=[row[0] for row in ACCOUNTS])
def test_the_cheapest_remedy_comes_first(name: str, numbers: dict[str, int], first: str) -> None:
    usual: dict[str, Any] = dict.fromkeys(("wanted", "used", "cached", "limit", "others", "graph", "batch"), 0)
    found = remedies(Account(device("cuda"), **{**usual, "total": 1000, **numbers}, recorded=True))
    assert found[0].startswith(first)
