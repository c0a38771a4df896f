"""Data sets, samplers and the loader: every sample once, in the order asked for, whatever makes the batches."""

from __future__ import annotations

import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.errors import ArgumentError, DTypeError, IndexingError, MinigradError, ShapeError
from minigrad.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)

WORKERS = pytest.mark.parametrize("workers", [0, 1, 3])


class Squares(Dataset):
    """Pairs of plain numbers, by one sample at a time."""

    def __init__(self, size: int = 10) -> None:
        self.size = size

    def __getitem__(self, index: int) -> tuple[int, float]:
        if not 0 <= index < self.size:
            raise IndexError(index)
        return index, index**2 + 0.5

    def __len__(self) -> int:
        return self.size


class Stream(IterableDataset):
    def __init__(self, size: int = 10) -> None:
        self.size = size

    def __iter__(self) -> Iterator[Any]:
        return iter(range(self.size))


def pairs(size: int = 10) -> TensorDataset:
    return TensorDataset(minigrad.arange(2 * size).reshape(size, 2), minigrad.arange(size))


def seeded(seed: int = 0) -> minigrad.Generator:
    return minigrad.Generator().manual_seed(seed)


def flat(batches: Any) -> list[Any]:
    return [batch.tolist() if isinstance(batch, minigrad.Tensor) else batch for batch in batches]


# ---------------------------------------------------------------------- data sets


def test_tensor_dataset() -> None:
    data = pairs()
    assert len(data) == 10
    x, y = data[3]
    assert x.tolist() == [6, 7] and y.item() == 3
    assert data[-1][1].item() == 9
    assert data[2:4][1].tolist() == [2, 3]
    assert [y.item() for _, y in data] == list(range(10))


@pytest.mark.parametrize("indices", [[0, 1, 2], [3], [7, 2, 2], [9, 8, 7], [0, 2, 2]])
def test_a_batch_taken_at_once_is_the_collated_one(indices: list[int]) -> None:
    data = pairs()
    taken, collated = data.take_batch(indices), default_collate([data[i] for i in indices])
    assert type(taken) is type(collated)
    assert [part.tolist() for part in taken] == [part.tolist() for part in collated]
    assert [part.dtype for part in taken] == [part.dtype for part in collated]
    taken[0].fill_(-1)
    assert data.tensors[0].min().item() == 0  # a batch is the user's to change


def test_a_batch_keeps_the_images_layout_and_the_graph() -> None:
    images = minigrad.from_numpy(np.zeros((4, 5, 6, 3), np.float32).transpose(0, 3, 1, 2))
    for indices in ([0, 1], [2, 0]):
        batch = TensorDataset(images).take_batch(indices)[0]
        assert batch.stride()[1] == 1 and batch.shape == (2, 3, 5, 6)
    w = minigrad.ones(4, 2, requires_grad=True)
    TensorDataset(w).take_batch([1, 1])[0].sum().backward()
    assert w.grad.tolist() == [[0, 0], [2, 2], [0, 0], [0, 0]]


def test_subset_and_concat() -> None:
    part = Subset(pairs(), [7, 3])
    assert len(part) == 2 and part[1][1].item() == 3 and part[-2][1].item() == 7
    assert part.take_batch([1, 0])[1].tolist() == [3, 7]
    assert not hasattr(Subset(Squares(), [0]), "take_batch")
    whole = Squares(3) + Squares(2)
    assert isinstance(whole, ConcatDataset) and whole.cumulative_sizes == [3, 5]
    assert [sample[0] for sample in whole] == [0, 1, 2, 0, 1]
    assert whole[-1] == (1, 1.5) and whole[-5] == (0, 0.5)
    nested = Subset(Subset(Squares(), [9, 8, 7]), [2])
    assert nested[0][0] == 7


def test_random_split() -> None:
    data = Squares(10)
    parts = random_split(data, [7, 3], seeded(1))
    assert [len(part) for part in parts] == [7, 3]
    assert sorted(sample[0] for part in parts for sample in part) == list(range(10))
    again = random_split(data, [7, 3], seeded(1))
    assert [part.indices for part in parts] == [part.indices for part in again]
    assert parts[0].indices != random_split(data, [7, 3], seeded(2))[0].indices
    assert [len(part) for part in random_split(data, [0.5, 0.25, 0.25])] == [6, 2, 2]
    assert [len(part) for part in random_split(data, [10, 0])] == [10, 0]


# ---------------------------------------------------------------------- samplers


def test_sequential_and_batch_samplers() -> None:
    assert list(SequentialSampler(range(3))) == [0, 1, 2]
    for drop, batches in ((False, [[0, 1], [2, 3], [4]]), (True, [[0, 1], [2, 3]])):
        sampler = BatchSampler(SequentialSampler(range(5)), 2, drop)
        assert list(sampler) == list(sampler) == batches and len(sampler) == len(batches)


def test_random_sampler() -> None:
    sampler = RandomSampler(range(50), generator=seeded(3))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second
    assert all(type(index) is int for index in first)
    assert list(RandomSampler(range(50), generator=seeded(3))) == first
    few, many = RandomSampler(range(5), num_samples=3), RandomSampler(range(5), num_samples=12)
    assert len(list(few)) == len(few) == 3 and len(set(few)) == 3
    drawn = list(many)
    assert len(drawn) == len(many) == 12 and sorted(drawn[:5]) == sorted(drawn[5:10]) == list(range(5))
    again = list(RandomSampler(range(5), replacement=True, num_samples=100))
    assert len(again) == 100 and set(again) == set(range(5))


def test_a_pass_is_a_function_of_the_generators_state() -> None:
    generator = seeded(8)
    loader = DataLoader(Squares(20), batch_size=7, shuffle=True, generator=generator)
    list(loader)
    state = generator.get_state()
    second = [batch[0].tolist() for batch in loader]
    generator.set_state(state)
    assert [batch[0].tolist() for batch in loader] == second
    minigrad.manual_seed(4)
    default = [batch[0].tolist() for batch in DataLoader(Squares(20), shuffle=True)]
    minigrad.manual_seed(4)
    assert [batch[0].tolist() for batch in DataLoader(Squares(20), shuffle=True)] == default


def test_weighted_and_subset_samplers() -> None:
    sampler = WeightedRandomSampler([0.0, 1.0, 3.0], 4000, generator=seeded())
    counts = np.bincount(list(sampler), minlength=3)
    assert len(sampler) == 4000 and counts[0] == 0 and abs(counts[2] / 4000 - 0.75) < 0.03
    assert sorted(WeightedRandomSampler(minigrad.tensor([1.0, 2.0, 3.0]), 3, replacement=False)) == [0, 1, 2]
    assert sorted(SubsetRandomSampler([5, 7, 9])) == [5, 7, 9] and len(SubsetRandomSampler([1])) == 1


# ---------------------------------------------------------------------- collate


def test_collate_kinds() -> None:
    Point = namedtuple("Point", "x y")
    assert default_collate([1, 2]).dtype == minigrad.int64
    assert default_collate([1.0, 2.0]).dtype == minigrad.float64  # as PyTorch
    assert default_collate([True, False]).dtype == minigrad.bool
    assert default_collate(["a", "b"]) == ["a", "b"]
    assert default_collate([np.float32(1), np.float32(2)]).dtype == minigrad.float32
    assert default_collate([np.ones(2, np.int32)] * 3).shape == (3, 2)
    assert default_collate([minigrad.ones(2)] * 3).shape == (3, 2)
    point = default_collate([Point(1, "a"), Point(2, "b")])
    assert isinstance(point, Point) and point.x.tolist() == [1, 2] and point.y == ("a", "b")
    nested = default_collate([{"a": (1, [2.0]), "b": "x"}, {"a": (3, [4.0]), "b": "y"}])
    assert nested["a"][0].tolist() == [1, 3] and nested["a"][1][0].tolist() == [2, 4] and nested["b"] == ["x", "y"]
    w = minigrad.ones(2, requires_grad=True)
    default_collate([w, w * 2]).sum().backward()
    assert w.grad.tolist() == [3, 3]


@pytest.mark.peer
def test_collate_is_pytorchs() -> None:
    import torch

    def describe(m: Any, value: Any) -> Any:
        if isinstance(value, m.Tensor):
            return str(value.dtype).removeprefix("torch."), value.tolist()
        if isinstance(value, dict):
            return {key: describe(m, item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value).__name__, [describe(m, item) for item in value]
        return value

    samples: list[Callable[[int], Any]] = [
        lambda i: i,
        lambda i: i / 2,
        lambda i: i > 0,
        lambda i: str(i),
        lambda i: np.float32(i),
        lambda i: np.full((2,), i, np.uint8),
        lambda i: (i, {"a": float(i), "b": [i, str(i)]}),
    ]
    for make in samples:
        batch = [make(i) for i in range(3)]
        ours, theirs = default_collate(batch), torch.utils.data.default_collate(batch)
        assert describe(minigrad, ours) == describe(torch, theirs)


# ---------------------------------------------------------------------- the loader


@WORKERS
@pytest.mark.parametrize("make", [pairs, Squares], ids=["at once", "one by one"])
def test_batches(make: Callable[[], Any], workers: int) -> None:
    data = make()
    loader = DataLoader(data, batch_size=4, num_workers=workers)
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader) == 3
        numbers = [part[1] if make is pairs else part[0] for part in batches]
        assert flat(numbers) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        assert isinstance(batches[0], list)
    loader = DataLoader(data, batch_size=4, num_workers=workers, drop_last=True)
    assert len(list(loader)) == len(loader) == 2
    loader = DataLoader(data, 4, shuffle=True, num_workers=workers, generator=seeded(5))
    order = [index for batch in loader for index in batch[1 if make is pairs else 0].tolist()]
    assert sorted(order) == list(range(10))
    assert order == list(RandomSampler(range(10), generator=seeded(5)))


@WORKERS
def test_samplers_of_the_users_own(workers: int) -> None:
    class Backwards(Sampler):
        def __iter__(self) -> Iterator[int]:
            return iter([3, 2, 1])

        def __len__(self) -> int:
            return 3

    loader = DataLoader(Squares(), batch_size=2, sampler=Backwards(), num_workers=workers)
    assert flat(batch[0] for batch in loader) == [[3, 2], [1]] and len(loader) == 2
    loader = DataLoader(Squares(), batch_sampler=[[1, 2, 3], [4]], num_workers=workers)
    assert flat(batch[0] for batch in loader) == [[1, 2, 3], [4]] and len(loader) == 2


@WORKERS
def test_single_samples(workers: int) -> None:
    loader = DataLoader(pairs(3), batch_size=None, num_workers=workers)
    assert [y.tolist() for _, y in loader] == [0, 1, 2] and len(loader) == 3
    assert list(DataLoader([np.float32(1), "a"], batch_size=None))[1] == "a"


@WORKERS
def test_collate_of_the_users_own(workers: int) -> None:
    loader = DataLoader(pairs(4), batch_size=2, collate_fn=len, num_workers=workers)
    assert list(loader) == [2, 2]


@WORKERS
def test_streams(workers: int) -> None:
    loader = DataLoader(Stream(), batch_size=4, num_workers=workers)
    assert flat(loader) == flat(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert flat(DataLoader(Stream(), batch_size=4, drop_last=True, num_workers=workers)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert list(DataLoader(Stream(3), batch_size=None, num_workers=workers)) == [0, 1, 2]
    assert list(DataLoader(Stream(0), batch_size=2, num_workers=workers)) == []


def test_length_of_a_stream_that_has_one() -> None:
    class Long(Stream):
        def __len__(self) -> int:
            return self.size

    assert len(DataLoader(Long(), batch_size=4)) == 3 and len(DataLoader(Long(), batch_size=4, drop_last=True)) == 2
    assert len(DataLoader(Long(), batch_size=None)) == 10


def test_getitems_is_used() -> None:
    class Fetch(Squares):
        def __getitems__(self, indices: list[int]) -> list[tuple[int, float]]:
            return [(100 + index, 0.0) for index in indices]

    assert flat(batch[0] for batch in DataLoader(Fetch(3), batch_size=3)) == [[100, 101, 102]]


def test_empty_data_without_shuffle_gives_no_batch() -> None:
    assert list(DataLoader([], batch_size=2)) == [] and len(DataLoader([])) == 0


# ---------------------------------------------------------------------- threads


def test_threads_work_at_the_same_time_and_keep_the_order() -> None:
    meeting = threading.Barrier(3, timeout=20)

    class Slow(Squares):
        def __getitem__(self, index: int) -> int:
            if index < 3:
                meeting.wait()  # broken unless three samples are made at once
            time.sleep(0.002 * (index % 3 == 0))
            return index

    assert flat(DataLoader(Slow(12), num_workers=3)) == [[i] for i in range(12)]


def test_threads_are_only_a_few_batches_ahead_and_stop() -> None:
    made = []

    class Counted(Squares):
        def __getitem__(self, index: int) -> int:
            made.append(index)
            return index

    before = threading.active_count()
    batches = iter(DataLoader(Counted(100), num_workers=2, prefetch_factor=3))
    next(batches)
    time.sleep(0.05)
    assert 1 <= len(made) <= 8
    assert threading.active_count() > before
    del batches
    assert threading.active_count() == before


@WORKERS
def test_errors_of_the_data_set_reach_the_user(workers: int) -> None:
    class Broken(Squares):
        def __getitem__(self, index: int) -> int:
            if index == 5:
                raise KeyError("page five is torn")
            return index

    seen = []
    with pytest.raises(KeyError, match="page five"):
        for batch in DataLoader(Broken(), batch_size=2, num_workers=workers):
            seen.append(batch.tolist())
    assert seen == [[0, 1], [2, 3]]


def test_threads_see_the_users_defaults_and_begin_as_told() -> None:
    class Zeros(Squares):
        def __getitem__(self, index: int) -> Any:
            return minigrad.zeros(1)

    begun: list[int] = []
    minigrad.set_default_dtype(minigrad.float64)
    try:
        loader = DataLoader(Zeros(4), num_workers=2, worker_init_fn=begun.append)
        assert {batch.dtype for batch in loader} == {np.dtype(np.float64)}
    finally:
        minigrad.set_default_dtype(minigrad.float32)
    assert set(begun) <= {0, 1} and 0 in begun


# ---------------------------------------------------------------------- errors


class NoLength:
    def __getitem__(self, index: int) -> int:
        return index


REFUSALS: list[tuple[Callable[[], Any], type[MinigradError], str]] = [
    (lambda: TensorDataset(minigrad.ones(2), minigrad.ones(3)), ShapeError, "Tensors of equal first size, got [(2,), (3,)]"),
    (lambda: TensorDataset(minigrad.ones(())), ShapeError, "got [()]"),
    (lambda: TensorDataset(), ShapeError, "got []"),
    (lambda: TensorDataset(np.ones(2)), DTypeError, "Wrap it in minigrad.tensor()"),
    (lambda: Subset(Squares(), [1])[1], IndexingError, "a number from -1 to 0, got 1"),
    (lambda: Subset(Squares(), [1])["a"], DTypeError, "an integer, got 'a'"),
    (lambda: (Squares(2) + Squares(2))[4], IndexingError, "ConcatDataset: index"),
    (lambda: ConcatDataset([]), ArgumentError, "at least one"),
    (lambda: ConcatDataset([NoLength()]), DTypeError, "a data set with a length"),
    (lambda: random_split(Squares(), [5, 4]), ArgumentError, "numbers that sum to 10"),
    (lambda: random_split(Squares(), [0.5, 0.4]), ArgumentError, "shares that sum to 1, got [0.5, 0.4]"),
    (lambda: random_split(Squares(), [1.5, -0.5]), ArgumentError, "shares from 0 to 1"),
    (lambda: random_split(Squares(), [12, -2]), ArgumentError, "got [12, -2]"),
    (lambda: RandomSampler([]), ArgumentError, "at least one sample, got an empty data set"),
    (lambda: RandomSampler([1], num_samples=0), ArgumentError, "num_samples: expected a whole number, 1 or more, got 0"),
    (lambda: RandomSampler([1], replacement=1), DTypeError, "True or False"),
    (lambda: RandomSampler([1], generator=3), DTypeError, "a minigrad.Generator or None"),
    (lambda: WeightedRandomSampler([[1.0]], 1), ShapeError, "one dimension"),
    (lambda: WeightedRandomSampler([1.0], 0), ArgumentError, "num_samples"),
    (lambda: list(WeightedRandomSampler([-1.0], 1)), ArgumentError, "negative"),
    (lambda: BatchSampler([1], 0, False), ArgumentError, "batch_size: expected a whole number, 1 or more, got 0"),
    (lambda: BatchSampler([1], True, False), DTypeError, "got True"),
    (lambda: BatchSampler([1], 1, None), DTypeError, "drop_last"),
    (lambda: DataLoader(Squares(), batch_size=0), ArgumentError, "DataLoader: batch_size"),
    (lambda: DataLoader(Squares(), batch_size=2.5), DTypeError, "got 2.5"),
    (lambda: DataLoader(Squares(), num_workers=-1), ArgumentError, "num_workers"),
    (lambda: DataLoader(Squares(), prefetch_factor=0), ArgumentError, "prefetch_factor"),
    (lambda: DataLoader([], shuffle=True), ArgumentError, "an empty data set"),
    (lambda: DataLoader(NoLength()), DTypeError, "Write __len__"),
    (lambda: DataLoader(Squares(), shuffle=True, sampler=[1]), ArgumentError, "no shuffle beside a sampler"),
    (lambda: DataLoader(Squares(), batch_size=2, batch_sampler=[[1]]), ArgumentError, "no batch_size, shuffle"),
    (lambda: DataLoader(Squares(), batch_size=None, drop_last=True), ArgumentError, "False without batch_size"),
    (lambda: DataLoader(Stream(), shuffle=True), ArgumentError, "an order of its own"),
    (lambda: len(DataLoader(Stream())), DTypeError, "a data set with a length"),
    (lambda: default_collate([minigrad.ones(2), minigrad.ones(3)]), ShapeError, "samples of one shape, got (2,), (3,)"),
    (lambda: default_collate([[1], [1, 2]]), ShapeError, "samples of one length, got lengths [1, 2]"),
    (lambda: default_collate([object()]), DTypeError, "pass a collate_fn"),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSALS, ids=[row[2] for row in REFUSALS])
def test_refusal_says_what_to_do(call: Callable[[], Any], error: type[MinigradError], words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)


def test_unwritten_methods_say_so() -> None:
    for call in (lambda: Dataset()[0], lambda: iter(IterableDataset()), lambda: iter(Sampler())):
        with pytest.raises(NotImplementedError):
            call()


@pytest.mark.parametrize("make", [np.asarray, minigrad.tensor, list], ids=["array", "Tensor", "list"])
def test_anything_with_rows_and_a_length_is_a_data_set(make: Any) -> None:
    rows = make([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    if isinstance(rows, list):
        rows = [minigrad.tensor(row) for row in rows]
    batches = [batch.tolist() for batch in DataLoader(rows, batch_size=2)]
    assert batches == [[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0]]]
