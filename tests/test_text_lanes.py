"""Ways through a text: what each piece holds, that nothing comes twice, and that the place can be saved."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.data import Ids, Lanes, pieces
from minigrad.errors import ArgumentError, DataError, DTypeError, StateError


def ids(count: int) -> Ids:
    return Ids(np.arange(count, dtype=np.uint16), [("a", 0, count)])


@pytest.mark.parametrize(
    ("count", "batch", "steps"), [(101, 4, 5), (100, 4, 5), (119, 3, 7), (5, 1, 4), (3, 2, 1), (300, 7, 6)]
)
def test_a_pass_goes_through_the_text_once(count: int, batch: int, steps: int) -> None:
    lanes = Lanes(ids(count), batch, steps)
    assert len(lanes) == (count - 1) // (batch * steps)
    starts = set()
    for epoch in range(4):
        assert lanes.epoch == epoch
        before, predicted = None, []
        for number, (tokens, fresh) in enumerate(lanes):
            assert tokens.shape == (steps + 1, batch) and tokens.dtype == minigrad.int64 and fresh is (number == 0)
            array = tokens.numpy()
            assert np.all(np.diff(array, axis=0) == 1)
            assert [lanes.start_of(number, lane) for lane in range(batch)] == array[0].tolist()
            assert before is None or np.array_equal(array[0], before)
            before = array[-1]
            predicted += array[1:].ravel().tolist()
        assert number + 1 == len(lanes) and len(set(predicted)) == len(predicted) == len(lanes) * batch * steps
        assert max(predicted) < count
        starts.add(min(predicted) - 1)
    assert min(starts) == 0 and len(starts) == min(4, (count - 1) % (batch * steps) + 1)


@pytest.mark.parametrize("done", [0, 1, 3, 5, 7])
def test_the_place_can_be_saved(done: int) -> None:
    lanes, again = Lanes(ids(107), 4, 5), Lanes(ids(107), 4, 5)

    def stream(lanes: Lanes) -> Any:
        while True:
            yield from lanes

    batches = stream(lanes)
    for _ in range(done):
        next(batches)
    again.load_state_dict(json.loads(json.dumps(lanes.state_dict())))
    rest = stream(again)
    for _ in range(12):
        (expected, fresh), (got, is_fresh) = next(batches), next(rest)
        assert np.array_equal(expected.numpy(), got.numpy()) and fresh is is_fresh
        assert lanes.state_dict() == again.state_dict()


def test_a_pass_that_is_left_is_over() -> None:
    lanes = Lanes(ids(101), 4, 5)
    first = iter(lanes)
    next(first)
    _, fresh = next(iter(lanes))
    assert lanes.epoch == 1 and fresh and lanes.state_dict()["pieces"] == 1
    assert list(first) == []


def test_wrong_states_are_refused() -> None:
    lanes = Lanes(ids(101), 4, 5)
    next(iter(lanes))
    state = lanes.state_dict()
    for wrong in (None, {}, {**state, "more": 1}, {**state, "epoch": -1}, {**state, "pieces": 6}, {**state, "pieces": 1.0},
                  {**state, "size": 100}, {**state, "batch": 5}, {**state, "steps": 4}):  # fmt: skip
        with pytest.raises(StateError):
            lanes.load_state_dict(wrong)  # type: ignore[arg-type]
        assert lanes.state_dict() == state


def test_short_texts_and_wrong_sizes_are_refused() -> None:
    assert len(Lanes(ids(21), 4, 5)) == 1
    with pytest.raises(DataError, match=r"expected at least 21 characters: 5 for each of 4 lanes, and one, got 20\."):
        Lanes(ids(20), 4, 5)
    with pytest.raises(DataError, match="got 0"):
        Lanes(ids(0), 1, 1)
    with pytest.raises(ArgumentError):
        Lanes(ids(9), 0, 1)
    with pytest.raises(DTypeError):
        Lanes(ids(9), 1, "4")  # type: ignore[arg-type]
    for piece, lane in ((1, 0), (0, 4), (-1, 0)):
        with pytest.raises(ArgumentError):
            Lanes(ids(21), 4, 5).start_of(piece, lane)


@pytest.mark.parametrize(
    ("count", "batch", "steps"), [(2, 3, 4), (9, 3, 4), (400, 4, 5), (403, 4, 5), (1000, 64, 3), (33, 1, 8)]
)
def test_each_character_is_measured_once(count: int, batch: int, steps: int) -> None:
    predicted, lanes = [], 0
    previous: Any = None
    for tokens, fresh in pieces(ids(count), batch, steps):
        array = tokens.numpy()
        assert 2 <= len(array) <= steps + 1 or fresh
        assert np.all(np.diff(array, axis=0) == 1) and (fresh or np.array_equal(array[0], previous))
        previous, lanes = array[-1], max(lanes, array.shape[1])
        predicted += array[1:].ravel().tolist()
    assert sorted(predicted) == list(range(1, count))
    assert lanes == max(1, min(batch, (count - 1) // (8 * steps)))


def test_what_cannot_be_measured_is_refused() -> None:
    for count in (0, 1):
        with pytest.raises(DataError, match="at least 2 characters"):
            pieces(ids(count), 1, 1)
    with pytest.raises(ArgumentError):
        pieces(ids(9), 1, 0)
