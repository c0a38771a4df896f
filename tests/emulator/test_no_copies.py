"""No hidden copy and no hidden wait in a training step; where there is one, it is told with its line."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.emulator import cupy as cp
from minigrad.errors import IndexingError
from minigrad.kernels import doubts
from minigrad.nn.utils import rnn
from minigrad.train.descent import Descent, ema
from minigrad.train.watch import EVERY, Watch
from tests.emulator.networks import NETWORKS, Row, moved
from tests.optim_table import OPTIMISERS, SPARSE

CLIPS: list[tuple[str, Callable[[Any], Any]]] = [
    ("norm", lambda p: nn.utils.clip_grad_norm_(p, 1.0)),
    ("largest", lambda p: nn.utils.clip_grad_norm_(p, 1.0, float("inf"), foreach=False)),
    ("value", lambda p: nn.utils.clip_grad_value_(p, 0.1)),
]


def steps(net: nn.Module, batch: tuple[Any, ...], optimizer: Any, clip: Any = None, count: int = 2) -> Any:
    """Training steps on a device, and what was copied and waited for in them."""
    with cp.counted() as seen:
        for _ in range(count):
            optimizer.zero_grad()
            loss = net(*batch)
            loss.backward()
            if clip is not None:
                clip(net.parameters())
            optimizer.step()
    assert minigrad.isfinite(loss).item()
    return seen


@pytest.mark.parametrize("row", NETWORKS, ids=repr)
def test_a_step_copies_and_waits_for_nothing(row: Row) -> None:
    net, batch = row.make().to("emulated"), moved(row.batch(), "emulated")
    seen = steps(net, batch, minigrad.optim.Adam(net.parameters()), CLIPS[0][1])
    assert (seen.to_device, seen.to_host, seen.synchronisations) == (0, 0, 0), seen.told()
    assert seen.calls > 0


@pytest.mark.parametrize(("name", "kind", "settings"), OPTIMISERS + SPARSE, ids=[row[0] for row in OPTIMISERS + SPARSE])
def test_an_optimiser_copies_and_waits_for_nothing(name: str, kind: str, settings: dict[str, Any]) -> None:
    sparse = name.startswith("sparse")
    net = nn.Embedding(5, 3, sparse=True) if sparse else nn.Linear(3, 4)
    net.to("emulated")
    inputs = minigrad.tensor([1, 4, 1]) if sparse else minigrad.randn(2, 3)
    for foreach in [None] if sparse else [None, False, True]:
        extra: dict[str, Any] = {} if foreach is None else {"foreach": foreach}
        optimizer = getattr(minigrad.optim, kind)(net.parameters(), **settings, **extra)
        schedule = minigrad.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
        x = inputs.to("emulated")
        for clip in [None] if sparse else [None, *[clip for _, clip in CLIPS]]:
            with cp.counted() as seen:
                net.zero_grad()
                net(x).square().sum().backward()
                if clip is not None:
                    clip(net.parameters())
                optimizer.step()
                schedule.step()
            hidden = [passage for passage in seen.passages if passage.call != "unique" or not sparse]  # rows summed: how many?
            assert not hidden, f"{foreach}: {seen.told()}"


def test_the_trainers_step_and_its_watch_wait_once_in_sixteen_steps() -> None:
    row = NETWORKS[0]
    net, batch = row.make().to("emulated"), moved(row.batch(), "emulated")
    schedule = minigrad.optim.lr_scheduler.StepLR
    sgd = minigrad.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    descent = Descent(net, sgd, schedule=schedule(sgd, 2), clip_norm=1.0, average=ema(net, 0.9))
    watch = Watch(str)
    with cp.counted() as seen:
        for step in range(EVERY - 1):
            watch.see(step, descent.step([net(*batch)]), None)
    assert (seen.to_device, seen.to_host, seen.synchronisations) == (0, 0, 0), seen.told()
    with cp.counted() as seen:
        watch.see(EVERY, descent.step([net(*batch)]), None)
    assert seen.to_device == 0 and 1 <= seen.to_host <= 2, seen.told()  # all numbers together, and what is in doubt


@pytest.mark.parametrize("moved", [False, True])
def test_packed_sequences_are_not_read_back(moved: bool) -> None:
    layer = nn.GRU(4, 5, bidirectional=True).to("emulated")
    x = minigrad.randn(6, 3, 4)
    given = x if moved else x.to("emulated")
    hx = minigrad.zeros(2, 3, 5, device="emulated")
    with cp.counted() as seen:
        packed = rnn.pack_padded_sequence(given, [2, 6, 4], enforce_sorted=False).to("emulated")
        again = rnn.PackedSequence(packed.data * 2, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        output, last = layer(again, hx)
        padded, lengths = rnn.pad_packed_sequence(output)
        (padded.sum() + last.sum()).backward()
    assert lengths.tolist() == [2, 6, 4]
    assert (seen.to_host, seen.synchronisations) == (0, 0), seen.told()


def test_indices_changed_by_the_user_are_read() -> None:
    for change in ("in place", "data"):
        packed = rnn.pack_padded_sequence(minigrad.ones(6, 2, 1, device="emulated"), [2, 6], enforce_sorted=False)
        back = packed.unsorted_indices
        assert back is not None
        if change == "in place":
            back.copy_(minigrad.arange(2, device="emulated"))
        else:
            back.data = minigrad.arange(2, device="emulated")
        for indices in (back, copy.deepcopy(back)):
            same = rnn.PackedSequence(packed.data, packed.batch_sizes, packed.sorted_indices, indices)
            assert rnn.pad_packed_sequence(same)[1].tolist() == [6, 2]


def test_a_hidden_copy_is_told_with_its_line() -> None:
    class Curious(nn.Module):
        def forward(self, x: Any) -> Any:
            if (x > 0).any():  # the planted fault: the host asks
                x = x * 2
            return x + x.new_tensor([1.0, 2.0])

    x = minigrad.ones(2, device="emulated")
    with cp.counted() as seen:
        Curious()(x)
    assert (seen.to_device, seen.to_host, seen.synchronisations) == (1, 1, 1), seen.told()
    asked, copied = seen.passages
    assert asked.kind == "copy to the host" and "test_no_copies.py" in asked.caller and "(forward)" in asked.caller
    assert copied.kind == "copy to the device" and "test_no_copies.py" in copied.caller
    assert "copy to the host" in seen.told() and "(forward)" in seen.told()


@pytest.mark.parametrize("look", [lambda x: x.sum().item(), lambda x: x.cpu(), lambda x: x.tolist(), repr])
def test_a_wrong_number_is_told_when_the_host_waits(look: Callable[[Any], Any]) -> None:
    logits = minigrad.zeros(3, 4, device="emulated")
    with cp.counted() as seen:
        loss = F.cross_entropy(logits, minigrad.arange(2, 5, device="emulated"), reduction="none")
        F.embedding(minigrad.arange(3, device="emulated"), logits)
    assert not seen.synchronisations, seen.told()
    with pytest.raises(
        IndexingError, match=r"cross_entropy: target: expected class numbers from 0 to 3, .* got 4 at 2"
    ) as caught:
        look(loss)
    assert any("test_no_copies.py" in note for note in caught.value.__notes__)
    look(loss)  # it is told once
    F.embedding(minigrad.arange(5, device="emulated"), logits)
    with pytest.raises(IndexingError, match="embedding: input: expected row numbers from 0 to 2, got 3 at 3"):
        doubts.settle()


def test_doubts_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubts, "MOST", 3)
    table = minigrad.zeros(3, 4, device="emulated")
    index = minigrad.tensor([0, 3], device="emulated")
    F.embedding(index, table)
    F.embedding(index, table)  # the same numbers: one doubt
    F.embedding(index + 0, table)
    with pytest.raises(IndexingError, match="got 3 at 1"):
        F.embedding(index + 0, table)
    F.embedding(index, table)
    doubts.drop()
    doubts.settle()
