"""Sentence pairs in batches: padded, sized by tokens, the same for the same seed, and taken up at any place."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.data import DataLoader, LikeTokens, Pair, Translated, Words
from minigrad.data.subwords import Subwords
from minigrad.errors import ArgumentError, DataError, DTypeError, IndexingError, ShapeError

WORDS = Words([f"w{i}" for i in range(40)])


def pairs(count: int = 200, seed: int = 0) -> list[Pair]:
    draw = np.random.default_rng(seed)

    def sentence(length: int) -> str:
        return " ".join(f"w{i}" for i in draw.integers(0, 40, length))

    lengths = np.minimum(draw.geometric(0.15, count), 40)
    return [Pair(sentence(n), sentence(max(1, n + int(draw.integers(-2, 3))))) for n in lengths.tolist()]


DATA = Translated(pairs(), WORDS, WORDS)


def test_batches_are_padded_and_tell_their_lengths() -> None:
    data = Translated([Pair("w0", "w1 w2 w3"), Pair("w4 unknown", "w5")], WORDS, WORDS)
    batch = data.take_batch([1, 0, 1])
    assert batch.source.tolist() == [[8, 4, 8], [1, 3, 1], [3, 0, 3]] and batch.source_lengths.tolist() == [3, 2, 3]
    assert batch.target.tolist() == [[2, 2, 2], [9, 5, 9], [3, 6, 3], [0, 7, 0], [0, 3, 0]]
    assert batch.target_lengths.tolist() == [2, 4, 2] and batch.numbers.tolist() == [1, 0, 1]
    assert {part.dtype for part in batch} == {minigrad.int64}
    assert data.sizes.tolist() == [[2, 4], [3, 2]] and data.unknown() == (1 / 3, 0.0)
    assert [row.tolist() for row in data[-1]] == [[8, 1], [9]] and len(data) == 2
    for indices, error in (([], ShapeError), ([2], IndexingError), (["a"], DTypeError)):
        with pytest.raises(error):
            data.take_batch(indices)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="expected at least one, got none"):
        Translated([], WORDS, WORDS)


def several(seed: int = 0, ways: int = 8) -> tuple[Translated, Subwords]:
    """Sentences of words that have many ways to be split."""
    sentences = ["on and off", "off and on", "and no one"] * 9
    subwords = Subwords.learn(sentences, size=18)
    return Translated([Pair(text, text) for text in sentences], subwords, subwords, ways=ways, seed=seed), subwords


def test_another_way_to_split_a_sentence_is_drawn_in_each_pass() -> None:
    """Whatever is drawn says the same text, follows (seed, epoch, number) alone, and comes as often as P^0.2 says."""
    data, subwords = several()
    everything = list(range(len(data)))
    passes = []
    for epoch in range(400):
        data.set_epoch(epoch)
        batch = data.take_batch(everything)
        passes.append(batch.source.tolist())
        if epoch < 3:
            rows = [data.take_batch([number]) for number in everything]
            for number, row in zip(everything, rows, strict=True):
                length = int(row.source_lengths[0])
                assert row.source[:, 0].tolist() == batch.source[:length, number].tolist() and row.source[length - 1, 0] == 3
                assert length == int(batch.source_lengths[number])
                assert (
                    subwords.decode(batch.target[1:, number]) == data.pairs[number].target == subwords.decode(data[number][1])
                )
    assert len({str(each) for each in passes}) > 300
    again, _ = several()
    again.set_epoch(7)
    assert again.take_batch(everything).source.tolist() == passes[7]
    other, _ = several(seed=1)
    other.set_epoch(7)
    assert other.take_batch(everything).source.tolist() != passes[7]
    found, chances = subwords.ways("on and off", 8)
    expected = np.exp(0.2 * chances) / np.exp(0.2 * chances).sum()
    drawn: Counter[tuple[int, ...]] = Counter()
    for number in range(0, len(data), 3):  # the same sentence, drawn of its own
        drawn.update(tuple(row for row in np.array(each)[:, number].tolist() if row > 3) for each in passes)
    total = sum(drawn.values())
    shares = [drawn[tuple(way.tolist())] / total for way in found]
    np.testing.assert_allclose(shares, expected, atol=0.03)


def test_the_likeliest_way_is_the_only_one_where_nothing_else_is_asked_for() -> None:
    data, subwords = several(ways=1)
    data.set_epoch(5)
    assert data[0][0].tolist() == subwords.encode("on and off").tolist()
    words = Translated(pairs(), WORDS, WORDS, ways=8)
    assert words.take_batch([3]).source.tolist() == DATA.take_batch([3]).source.tolist()
    bpe = Subwords.learn(["on and off", "off and on"] * 9, size=16, model="bpe")
    assert [way.tolist() for way in bpe.ways("on and", 4)[0]] == [bpe.encode("on and").tolist()]
    assert [way.tolist() for way in subwords.ways("", 4)[0]] == [[]]
    with pytest.raises(ArgumentError, match="ways"):
        several(ways=0)


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize(("tokens", "most"), [(1, None), (60, None), (300, None), (10**9, None), (300, 7)])
def test_each_comes_once_in_batches_of_so_many_tokens(columns: int, tokens: int, most: int | None) -> None:
    sizes = DATA.sizes if columns == 2 else DATA.sizes[:, 1]
    batches = LikeTokens(sizes, tokens, minigrad.Generator().manual_seed(1), most)
    rows = sizes.reshape(len(sizes), -1)
    seen = []
    for _ in range(3):
        found = list(batches)
        assert sorted(i for batch in found for i in batch) == list(range(len(DATA))) and len(found) == len(batches)
        assert all(len(batch) * rows[batch].max() <= tokens or len(batch) == 1 for batch in found)
        assert all(len(batch) <= (most or len(DATA)) for batch in found)
        seen.append(found)
    assert len({str(found) for found in seen}) == 3 or tokens == 10**9
    again = LikeTokens(sizes, tokens, minigrad.Generator().manual_seed(1), most)
    assert [list(again) for _ in range(3)] == seen
    other = list(LikeTokens(sizes, tokens, minigrad.Generator().manual_seed(2), most))
    assert other != seen[0]


def test_little_of_a_batch_is_padding() -> None:
    held = sum(len(batch) * DATA.sizes[batch].max(0).sum() for batch in LikeTokens(DATA.sizes, 100))
    mixed = len(DATA) * DATA.sizes.max(0).sum()
    assert DATA.sizes.sum() / held > 0.8 > 3 * DATA.sizes.sum() / mixed


@pytest.mark.parametrize("done", [0, 1, 5])
def test_the_loader_goes_on_where_it_was(done: int) -> None:
    def loader() -> DataLoader:
        batches = LikeTokens(DATA.sizes, 200, minigrad.Generator().manual_seed(3))
        return DataLoader(DATA, batch_sampler=batches)

    def numbers(batches: Any) -> list[list[int]]:
        return [batch.numbers.tolist() for batch in batches]

    first, again = loader(), loader()
    numbers(first)
    running = iter(first)
    for _ in range(done):
        next(running)
    again.load_state_dict(first.state_dict())
    assert numbers(again) == numbers(running) and numbers(again) == numbers(first)
    assert len(first) == len(numbers(first))


@pytest.mark.parametrize(
    ("sizes", "options", "error", "words"),
    [
        ([1, 2], {"tokens": 0}, ArgumentError, "tokens"),
        ([1, 2], {"tokens": 5, "most": 0}, ArgumentError, "most"),
        ([], {"tokens": 5}, ArgumentError, "expected those of at least one sample, got none"),
        (np.zeros((2, 2, 2)), {"tokens": 5}, ShapeError, "expected one dimension, or two"),
    ],
)
def test_sizes_that_are_refused(sizes: Any, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        LikeTokens(sizes, **options)
