"""Batches on their way to a device: in order, the same numbers, none read before it has arrived, no buffer filled too soon."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad
from minigrad.data import transfer
from minigrad.data.transfer import on_device
from minigrad.emulator import cupy as cp
from minigrad.emulator import cupyx
from minigrad.errors import DeviceError
from minigrad.utils.data import DataLoader, TensorDataset

CUDA = pytest.param("cuda", marks=pytest.mark.gpu)


class Pair(NamedTuple):
    x: Any
    y: Any


def loader() -> DataLoader:
    x, y = minigrad.arange(26).reshape(13, 2).float(), minigrad.arange(13)
    return DataLoader(TensorDataset(x, y), batch_size=3, num_workers=2)


@pytest.mark.parametrize("where", ["cpu", "emulated", "emulated:1", CUDA])
def test_order_and_numbers_are_the_loaders(where: str) -> None:
    count = 0
    for near, far in zip(loader(), on_device(loader(), where), strict=True):
        for a, b in zip(near, far, strict=True):
            assert b.device == where and b.dtype == a.dtype and b.tolist() == a.tolist()
        count += 1
    assert count == 5


@pytest.mark.parametrize("where", ["emulated", CUDA])
def test_structures_are_kept(where: str) -> None:
    batch = {"a": Pair(minigrad.ones(2), "text"), "b": [minigrad.zeros(0, 2), 3], "c": minigrad.ones(2, device=where)}
    (there,) = on_device([batch], where)
    assert isinstance(there["a"], Pair) and there["a"].y == "text" and there["b"][1] == 3
    assert there["a"].x.device == there["b"][0].device == there["c"].device == where and there["a"].x.tolist() == [1, 1]
    assert list(on_device([], where)) == []


def test_the_next_is_sent_before_the_current_is_computed_and_the_host_waits_for_none() -> None:
    seen: list[str] = []

    def batches() -> Iterator[Any]:
        for number in range(3):
            seen.append(f"made {number}")
            yield minigrad.full((2,), float(number))

    with cp.counted() as counted:
        for number, batch in enumerate(on_device(batches(), "emulated")):
            seen.append(f"computed {number}")
            batch * 2
    assert seen == ["made 0", "made 1", "computed 0", "made 2", "computed 1", "computed 2"]
    assert (counted.to_device, counted.to_host, counted.synchronisations) == (3, 0, 0), counted.told()


def test_a_missing_wait_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer._Courier, "arrived", lambda self, batch, event: batch)
    with pytest.raises(AssertionError):
        test_order_and_numbers_are_the_loaders("emulated")


def test_a_buffer_filled_too_soon_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = cupyx.empty_pinned((3, 2), np.float32)
    usual = transfer.empty_pinned
    monkeypatch.setattr(
        transfer, "empty_pinned", lambda xp, shape, dtype: shared if shape == (3, 2) else usual(xp, shape, dtype)
    )
    with pytest.raises(AssertionError):
        test_order_and_numbers_are_the_loaders("emulated")


@pytest.fixture
def couriers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Those made from now on."""
    made: list[Any] = []
    usual = transfer._Courier.__init__

    def noted(self: Any, where: Any) -> None:
        usual(self, where)
        made.append(self)

    monkeypatch.setattr(transfer._Courier, "__init__", noted)
    return made


def left_early(batches: Iterator[Any]) -> None:
    for _ in batches:
        break


def left_by_an_error(batches: Iterator[Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        for _ in batches:
            raise ZeroDivisionError


@pytest.mark.parametrize("where", ["emulated:1", CUDA])
@pytest.mark.parametrize("leave", [left_early, left_by_an_error])
@pytest.mark.parametrize("workers", [None, 0, 2])
def test_a_loop_that_is_left_waits_for_the_copies_under_way(
    couriers: list[Any], leave: Any, workers: int | None, where: str
) -> None:
    if workers is None:
        leave(on_device(loader(), where))
    else:
        data = TensorDataset(minigrad.arange(13), minigrad.arange(13))
        leave(iter(DataLoader(data, batch_size=3, num_workers=workers, device=where)))
    (courier,) = couriers
    assert courier.held and courier.stream.done  # or its memory could be given to others while a copy still writes there


def test_an_error_between_batches_waits_for_the_copies_under_way(couriers: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def batches() -> Iterator[Any]:
        yield minigrad.ones(2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(on_device(batches(), "emulated"))
    usual = transfer.empty_pinned

    def short(xp: Any, shape: Any, dtype: Any) -> Any:
        if shape == (3,):
            raise MemoryError
        return usual(xp, shape, dtype)

    monkeypatch.setattr(transfer, "empty_pinned", short)
    with pytest.raises(MemoryError):  # half of a batch is on its way
        list(on_device([(minigrad.ones(2), minigrad.ones(3))], "emulated"))
    assert len(couriers) == 2 and all(courier.held and courier.stream.done for courier in couriers)


def test_what_a_copy_reads_is_kept_until_it_is_done(couriers: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cp.cuda.Stream, "wait_event", lambda self, event: None)  # a GPU that has not come to it yet
        left_early(on_device(loader(), "emulated"))
    (courier,) = couriers
    read = weakref.ref(courier.held[0][1][0])
    couriers.clear()
    del courier
    gc.collect()
    assert read() is not None
    event, _ = transfer._left[-1]
    assert not event.done
    event.synchronize()
    list(on_device(loader(), "emulated"))
    couriers.clear()
    del event, _
    gc.collect()
    assert read() is None


@pytest.mark.parametrize("where", ["cpu", "emulated", CUDA])
def test_what_a_loop_that_is_left_read_from_is_closed(where: str) -> None:
    closed: list[str] = []

    class Source:
        def __iter__(self) -> Iterator[Any]:
            try:
                yield from (minigrad.full((1,), float(number)) for number in range(9))
            finally:
                closed.append("source")

    batches = on_device(Source(), where)
    next(batches)
    batches.close()
    assert closed == ["source"]
    own = iter(Source())
    left_early(on_device(own, "cpu"))
    assert next(own).tolist() == [1]


def test_a_copy_waits_until_it_is_waited_for() -> None:
    source, there = cupyx.empty_pinned(2, np.float32), cp.zeros(2, np.float32)
    source[:] = 5
    stream = cp.cuda.Stream(non_blocking=True)
    there.set(source, stream=stream)
    event = stream.record()
    assert there.tolist() == [0, 0] and not event.done and not stream.done
    event.synchronize()
    assert there.tolist() == [5, 5] and event.done and stream.done
    there.set(source + 1, stream=stream)  # of memory that is not pinned
    assert there.tolist() == [6, 6]
    there.set(source)  # in the usual stream
    assert there.tolist() == [5, 5]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("where", ["cpu", "emulated", CUDA])
def test_a_loader_brings_its_batches_to_a_device(where: str, workers: int) -> None:
    def loader(**more: Any) -> DataLoader:
        samples = TensorDataset(minigrad.arange(7), minigrad.arange(7).float())
        order = minigrad.Generator().manual_seed(3)
        return DataLoader(samples, batch_size=2, shuffle=True, num_workers=workers, generator=order, **more)

    near, far = loader(), loader(device=where)
    with minigrad.default_device(where):  # the samples are made on the CPU all the same
        pairs = list(zip(near, far, strict=True))
    for one, other in pairs:
        assert {each.device.type for each in other} == {where}
        assert [each.tolist() for each in one] == [each.tolist() for each in other]


@pytest.mark.parametrize("where", ["cpu", "emulated", CUDA])
def test_a_loaders_place_counts_what_the_loop_has(where: str) -> None:
    def loader() -> DataLoader:
        return DataLoader(TensorDataset(minigrad.arange(10)), batch_size=2, device=where)

    first, again = loader(), loader()
    batches = iter(first)
    got = [next(batches)[0].tolist() for _ in range(2)]
    again.load_state_dict(first.state_dict())
    rest = [each.tolist() for (each,) in again]
    assert got + rest == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


class Drawn:
    """Samples that draw from a generator of their own."""

    epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> Any:
        own = minigrad.Generator().manual_seed(1000 * self.epoch + index)
        return minigrad.rand(1, generator=own)

    def __len__(self) -> int:
        return 8


@pytest.mark.parametrize(("where", "workers"), [(None, 0), ("emulated", 0), ("emulated", 1)])
def test_samples_with_a_generator_of_their_own_and_a_loop_that_draws(where: str | None, workers: int) -> None:
    def numbers(where: str | None, workers: int, left_after: int | None) -> list[Any]:
        minigrad.manual_seed(1)

        def loader() -> DataLoader:
            order = minigrad.Generator().manual_seed(3)
            return DataLoader(Drawn(), 2, shuffle=True, generator=order, num_workers=workers, device=where)

        first, found = loader(), []
        for batch in itertools.islice(first, left_after):
            found.append((batch.tolist(), minigrad.rand(1).tolist()))
        if left_after is not None:
            again = loader()
            again.load_state_dict(first.state_dict())
            found += [(batch.tolist(), minigrad.rand(1).tolist()) for batch in again]
        return found

    expected = numbers(None, 0, None)
    assert len(expected) == 4
    assert numbers(where, workers, None) == numbers(where, workers, 1) == expected


def test_a_loader_for_a_device_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match="an index below 2"):
        DataLoader(TensorDataset(minigrad.arange(3)), device="emulated:7")
