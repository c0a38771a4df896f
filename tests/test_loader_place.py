"""The loader's place: cut anywhere, saved and loaded into a fresh loader, the batches go on as if nothing had happened."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import minigrad
from minigrad.data import ConcatDataset, Subset
from minigrad.errors import ArgumentError, MinigradError, StateError
from minigrad.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

Make = Callable[[], DataLoader]
EPOCHS = 3


class Epochs(Dataset):
    """Samples that say in which pass they were made."""

    def __init__(self, size: int = 10) -> None:
        self.size, self.epoch = size, -1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> tuple[int, int]:
        return self.epoch, index

    def __len__(self) -> int:
        return self.size


class Rotating(Sampler):
    """A sampler of the user's own, whose passes differ, and that is taken from ahead of time."""

    def __init__(self, size: int) -> None:
        self.size, self.offset = size, 0

    def __iter__(self) -> Iterator[int]:
        offset, self.offset = self.offset, self.offset + 1
        return iter([(offset + i) % self.size for i in range(self.size)])

    def state_dict(self) -> dict[str, Any]:
        return {"offset": self.offset}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.offset = state["offset"]


class Pairs(Rotating):
    """The same in batches of two."""

    def __iter__(self) -> Iterator[Any]:
        indices = list(super().__iter__())
        return iter([indices[i : i + 2] for i in range(0, self.size, 2)])


class Stream(IterableDataset):
    """A stream that says that it can be read again."""

    def __init__(self, size: int = 10) -> None:
        self.size, self.passes = size, 0

    def __iter__(self) -> Iterator[int]:
        self.passes += 1
        return iter(range(100 * self.passes, 100 * self.passes + self.size))

    def state_dict(self) -> dict[str, Any]:
        return {"passes": self.passes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.passes = state["passes"]


def seeded(seed: int = 3) -> minigrad.Generator:
    return minigrad.Generator().manual_seed(seed)


KINDS: dict[str, Callable[..., DataLoader]] = {
    "shuffled": lambda n, b, **more: DataLoader(Epochs(n), b, shuffle=True, generator=seeded(), **more),
    "in order": lambda n, b, **more: DataLoader(Epochs(n), b, **more),
    "single samples": lambda n, b, **more: DataLoader(Epochs(n), None, shuffle=True, generator=seeded(), **more),
    "last dropped": lambda n, b, **more: DataLoader(Epochs(n), b, drop_last=True, **more),
    "long": lambda n, b, **more: DataLoader(
        Epochs(n), b, sampler=RandomSampler(range(n), num_samples=2 * n + 1, generator=seeded()), **more
    ),
    "replaced": lambda n, b, **more: DataLoader(Epochs(n), b, sampler=RandomSampler(range(n), True, 7, seeded()), **more),
    "some": lambda n, b, **more: DataLoader(Epochs(n), b, sampler=SubsetRandomSampler(range(0, n, 2), seeded()), **more),
    "weighted": lambda n, b, **more: DataLoader(
        Epochs(n), b, sampler=WeightedRandomSampler([1.0] * n, 9, generator=seeded()), **more
    ),
    "own sequence": lambda n, b, **more: DataLoader(Epochs(n), b, sampler=np.arange(n)[::-1], **more),
    "own batches": lambda n, b, **more: DataLoader(Epochs(n), batch_sampler=[[0], [0, n - 1]] * b, **more),
    "own sampler": lambda n, b, **more: DataLoader(Epochs(n), b, sampler=Rotating(n), **more),
    "own batch sampler": lambda n, b, **more: DataLoader(Epochs(n), batch_sampler=Pairs(n), **more),
    "sampler in sampler": lambda n, b, **more: DataLoader(Epochs(n), batch_sampler=BatchSampler(Rotating(n), b, True), **more),
    "stream": lambda n, b, **more: DataLoader(Stream(n), b, **more),
    "stream of samples": lambda n, b, **more: DataLoader(Stream(n), None, **more),
    "stream, last dropped": lambda n, b, **more: DataLoader(Stream(n), b, drop_last=True, **more),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def plain(batch: Any) -> Any:
    return (
        [part.tolist() if isinstance(part, minigrad.Tensor) else part for part in batch] if isinstance(batch, list) else batch
    )


def journal(loader: DataLoader, epochs: int = EPOCHS) -> Iterator[Any]:
    """What a training loop sees, from the loader's place to the end of a number of passes."""
    while loader.epoch < epochs:
        epoch = loader.epoch
        for batch in loader:
            assert loader.epoch == epoch
            yield epoch, plain(batch.tolist() if isinstance(batch, minigrad.Tensor) else batch)
        assert loader.epoch == epoch + 1
        yield "end of pass", epoch


@each_kind
@hypothesis.given(
    st.integers(1, 12), st.integers(1, 5), st.integers(0, 60), st.sampled_from([0, 0, 1, 3]), st.sampled_from([0, 0, 1, 2])
)
@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
def test_cut_anywhere_it_goes_on(kind: str, n: int, b: int, cut: int, workers: int, later: int) -> None:
    whole = list(journal(KINDS[kind](n, b)))
    cut = min(cut, len(whole))
    first, again = KINDS[kind](n, b, num_workers=workers), KINDS[kind](n, b, num_workers=later)
    seen = journal(first)
    head = list(itertools.islice(seen, cut))
    again.load_state_dict(first.state_dict())
    assert head + list(journal(again)) == whole
    assert head + list(seen) == whole  # a state is taken without a trace


@each_kind
def test_a_state_goes_through_a_file(kind: str, tmp_path: Path) -> None:
    whole = list(journal(KINDS[kind](7, 2)))
    for cut in range(len(whole) + 1):
        first, again = KINDS[kind](7, 2, num_workers=cut % 2), KINDS[kind](7, 2)
        head = list(itertools.islice(journal(first), cut))
        minigrad.save(first.state_dict(), tmp_path / "place.safetensors")
        again.load_state_dict(minigrad.load(tmp_path / "place.safetensors"))
        np.testing.assert_equal(again.state_dict(), first.state_dict())
        assert head + list(journal(again)) == whole


def test_a_chain_of_cuts() -> None:
    make = KINDS["shuffled"]
    whole = list(journal(make(9, 2)))
    seen: list[Any] = []
    state = make(9, 2).state_dict()
    while len(seen) < len(whole):
        loader = make(9, 2, num_workers=len(seen) % 3)
        loader.load_state_dict(state)
        seen += itertools.islice(journal(loader), 2)
        state = loader.state_dict()
    assert seen == whole


# ---------------------------------------------------------------------- what counts


@pytest.mark.parametrize("workers", [0, 2])
def test_the_batch_that_is_worked_on_counts_and_those_ahead_do_not(workers: int) -> None:
    loader = KINDS["shuffled"](10, 4, num_workers=workers)
    assert (loader.state_dict()["epoch"], loader.state_dict()["batches"]) == (0, 0)
    for number, _ in enumerate(loader):
        assert (loader.epoch, loader.state_dict()["batches"]) == (0, number + 1)
    assert (loader.epoch, loader.state_dict()["batches"]) == (1, 0)


def test_a_pass_that_was_left_is_over_when_the_next_begins() -> None:
    data = Epochs()
    loader = DataLoader(data, 2, shuffle=True, generator=seeded(), num_workers=1)
    orders = list(itertools.islice(BatchSampler(RandomSampler(range(10), generator=seeded()), 2, False), 1))
    batches = iter(loader)
    assert next(batches)[1].tolist() == orders[0]
    del batches
    assert loader.epoch == 0 and loader.state_dict()["batches"] == 1
    assert {batch[0].unique().item() for batch in loader} == {1} and loader.epoch == 2
    iter(loader)
    assert data.epoch == 2 and loader.epoch == 2  # under way, though no batch was asked for
    iter(loader)
    assert data.epoch == 3 and loader.epoch == 3


def test_of_two_passes_at_once_the_place_is_that_of_the_one_begun_last() -> None:
    loader = KINDS["shuffled"](6, 2)
    older = iter(loader)
    next(older)
    newer = iter(loader)
    next(newer), next(newer)
    assert (loader.epoch, loader.state_dict()["batches"]) == (1, 2)
    next(older)
    assert (loader.epoch, loader.state_dict()["batches"]) == (1, 2)
    again = KINDS["shuffled"](6, 2)
    again.load_state_dict(loader.state_dict())
    assert [batch[1].tolist() for batch in again] == [batch[1].tolist() for batch in newer]
    assert loader.epoch == 2
    assert len(list(older)) == 1 and loader.epoch == 2
    assert [plain(batch) for batch in again] == [plain(batch) for batch in loader]


def test_a_load_comes_before_a_pass_under_way() -> None:
    loader = KINDS["shuffled"](6, 2)
    state = loader.state_dict()
    first = [plain(batch) for batch in loader]
    next(iter(loader))
    loader.load_state_dict(state)
    assert loader.epoch == 0 and [plain(batch) for batch in loader] == first


def test_others_may_draw_between_the_load_and_the_pass_and_during_it() -> None:
    generator = seeded()
    loader = DataLoader(Epochs(6), sampler=RandomSampler(range(6), num_samples=20, generator=generator), generator=generator)
    state = loader.state_dict()
    order = [batch[1].item() for batch in loader]
    loader.load_state_dict(state)
    generator.manual_seed(99)
    again = []
    for batch in loader:
        again.append(batch[1].item())
        minigrad.rand(1, generator=generator)
    assert again == order


def test_the_order_is_drawn_when_the_pass_begins() -> None:
    loader = KINDS["shuffled"](6, 2)
    want = [plain(batch) for batch in loader]
    loader = KINDS["shuffled"](6, 2)
    batches = iter(loader)
    loader.generator.manual_seed(99)
    assert [plain(batch) for batch in batches] == want


def test_a_saved_state_is_nobodys_to_change() -> None:
    loader = KINDS["own sampler"](6, 2)
    batches = iter(loader)
    next(batches)
    loader.state_dict()["order"]["offset"] = 77
    state = loader.state_dict()
    assert state["order"] == {"offset": 0}
    loader.load_state_dict(state)
    state["order"]["offset"] = 77
    assert next(iter(loader))[1].tolist() == [2, 3]


@pytest.mark.parametrize("wrap", [lambda data: Subset(data, [1, 0]), lambda data: ConcatDataset([data, [(5, 5)]])])
def test_wrapped_data_sets_hear_of_the_epoch(wrap: Callable[[Any], Any]) -> None:
    data = Epochs(2)
    loader = DataLoader(wrap(data), batch_size=2)
    list(loader), list(loader)
    assert data.epoch == 1
    assert not hasattr(Subset("ab", [0]), "set_epoch")


# ---------------------------------------------------------------------- errors


class Silent(Sampler):
    def __iter__(self) -> Iterator[int]:
        return iter([2, 1])


class SilentStream(IterableDataset):
    def __iter__(self) -> Iterator[int]:
        return iter([2, 1])


UNSAVABLE: list[tuple[Make, str]] = [
    (lambda: DataLoader(Epochs(), shuffle=True), "Pass generator=minigrad.Generator().manual_seed(seed)"),
    (lambda: DataLoader(Epochs(), shuffle=True, generator=minigrad.random.default_generator), "got that of the process"),
    (lambda: DataLoader(Epochs(), sampler=SubsetRandomSampler([1, 2])), "SubsetRandomSampler: generator"),
    (lambda: DataLoader(Epochs(), batch_sampler=BatchSampler(Silent(), 2, False)), "state_dict() and load_state_dict(state)"),
    (lambda: DataLoader(Epochs(), sampler=Silent()), "got a Silent. Write both methods"),
    (lambda: DataLoader(Epochs(), sampler=iter([1, 2])), "got a list_iterator"),
    (lambda: DataLoader(SilentStream()), "got a SilentStream. Write both methods; where each pass is the same, they give"),
]


@pytest.mark.parametrize(("make", "words"), UNSAVABLE, ids=[row[1] for row in UNSAVABLE])
def test_an_order_that_cannot_be_had_again_is_refused(make: Make, words: str) -> None:
    loader = make()
    state = DataLoader(Epochs(), sampler=[1]).state_dict()
    for call in (loader.state_dict, lambda: loader.load_state_dict(state)):
        with pytest.raises(ArgumentError) as caught:
            call()
        assert words in str(caught.value)
    assert len(list(loader)) > 0  # it still goes through its data
    with pytest.raises(ArgumentError):
        loader.state_dict()


def changed(**more: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda state: {**state, **more}


MISFITS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda state: None, "a dict with the keys epoch, batches, order, size, batch_size, as state_dict gives, got a NoneType"),
    (lambda state: {}, "got the keys []"),
    (lambda state: {**state, "more": 1}, "'more'"),
    (
        lambda state: {key: state[key] for key in state if key != "order"},
        "got the keys ['batch_size', 'batches', 'epoch', 'size']",
    ),
    (changed(epoch=-1), "epoch: expected a whole number, 0 or more, got -1"),
    (changed(epoch=True), "got True"),
    (changed(epoch=np.array([1, 2])), "epoch: expected a whole number"),
    (changed(batches=1.0), "batches: expected a whole number, 0 or more, got 1.0"),
    (changed(batches=6), "batches: expected at most 5, the batches of a pass, got 6"),
    (changed(size=11), "size: expected 10 samples, as this loader has, got 11"),
    (changed(size=np.array([1, 2])), "size: expected 10"),
    (changed(batch_size=3), "batch_size: expected 2 samples a batch, as this loader has, got 3. Give the loader the data"),
    (changed(order=None), "order: expected a dict, got a NoneType"),
    (changed(order={}), "the key 'generator'"),
    (changed(order={"generator": np.zeros(24, np.uint8)}), "the state of a minigrad generator"),
    (changed(order={"generator": np.zeros(23, np.uint8)}), "24 numbers of dtype uint8"),
    (changed(order={"generator": "abc"}), "24 numbers of dtype uint8"),
]


@pytest.mark.parametrize(("change", "words"), MISFITS, ids=[row[1] for row in MISFITS])
def test_a_state_of_something_else_is_refused_and_changes_nothing(change: Any, words: str) -> None:
    loader = KINDS["shuffled"](10, 2)
    batches = iter(loader)
    next(batches)
    state = loader.state_dict()
    with pytest.raises(StateError) as caught:
        loader.load_state_dict(change(state))
    assert words in str(caught.value)
    np.testing.assert_equal(loader.state_dict(), state)
    assert next(batches) and loader.state_dict()["batches"] == 2


ELSEWHERE: list[tuple[Make, str]] = [
    (lambda: DataLoader(Epochs(), 2), "SequentialSampler: state: expected nothing"),
    (lambda: DataLoader(Epochs(), 2, sampler=range(10)), "order: expected nothing, as a range always gives the same"),
]


@pytest.mark.parametrize(("make", "words"), ELSEWHERE, ids=[row[1] for row in ELSEWHERE])
def test_the_state_of_a_random_order_fits_no_fixed_one(make: Make, words: str) -> None:
    with pytest.raises(MinigradError) as caught:
        make().load_state_dict(KINDS["shuffled"](10, 2).state_dict())
    assert isinstance(caught.value, StateError) and words in str(caught.value)


@pytest.mark.parametrize("kind", ["own sampler", "stream", "stream of samples", "stream, last dropped"])
def test_a_pass_that_turns_out_too_short_says_so(kind: str) -> None:
    long, short = KINDS[kind](20, 2), KINDS[kind](4, 2)
    batches = iter(long)
    for _ in range(5):
        next(batches)
    short.load_state_dict(long.state_dict())
    with pytest.raises(StateError, match=r"batches: expected at most [24], the batches of this pass, got 5\. Give the loader"):
        next(iter(short))
