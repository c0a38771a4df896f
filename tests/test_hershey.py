"""Words in stroke fonts: written anew in each epoch, words held out, batches with lengths."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.data import DataLoader
from minigrad.data.characters import Characters
from minigrad.data.drawn import Drawn
from minigrad.data.hand import JOINED, STEP, write_by_hand
from minigrad.data.hershey import FONTS, MARKS, numbers, read_fonts, read_words, texts_of
from minigrad.data.pen import StrokeData, open_strokes
from minigrad.data.strokes import Strokes
from minigrad.data.written import LikeSizes, Recorded, Written
from minigrad.errors import ArgumentError, DataError, DTypeError, IndexingError, ShapeError


@pytest.fixture(scope="module")
def words() -> StrokeData:
    return open_strokes("hershey")


def bare(texts: Iterable[str]) -> set[str]:
    """The words of texts, without marks and capitals."""
    return {word.strip('(),.!?;:"').casefold().removesuffix("'s") for text in texts for word in text.replace("-", " ").split()}


def test_every_font_has_every_character() -> None:
    for name, font in read_fonts(FONTS).items():
        assert "".join(font) == "".join(map(chr, range(32, 127))), name
        assert all(glyph.width > 0 and len(glyph.strokes) for character, glyph in font.items() if character != " "), name
        assert not font[" "].strokes


@pytest.mark.parametrize("names", [[], ["arial"], ["futural", "greek"]])
def test_fonts_that_there_are_not(names: list[str]) -> None:
    with pytest.raises(ArgumentError, match=r"hershey: fonts: expected some of futural, .*, got"):
        open_strokes("hershey", fonts=names)


def test_words_are_held_out_in_all_their_forms(words: StrokeData) -> None:
    assert len(words.train) + len(words.validation) > 9000
    assert set(words.alphabet.symbols) >= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,!?;:'\"()-")
    other = open_strokes("hershey", seed=1, holdout=0.5, fonts=["cursive"])  # holds down out, so drop-down too
    assert abs(len(other.train) - len(other.validation)) < 100 and other.digest != words.digest
    for data in (words, other):
        assert not bare(data.train.texts) & bare(data.validation.texts)


def test_texts() -> None:
    some = [*read_words(), *numbers(700)]
    texts = texts_of(some)
    alone = [text for text in texts if " " not in text]
    rows = [text.split() for text in texts if " " in text]
    assert 9000 < len(texts) == len(set(texts)) and 0.6 < len(alone) / len(texts) < 0.75 and len(set(numbers(700))) == 700
    assert bare(texts) == bare(some)  # none is lost
    for mark in MARKS:
        assert any(mark.format(word) in alone for word in some), mark
    assert {len(row) for row in rows} == {2, 3} and sum(len(row) == 3 for row in rows) > 900
    assert max(map(len, texts)) <= 22 + 3  # a comma, and two marks around
    assert sum(any(map(str.isdigit, " ".join(row))) for row in rows) > 300
    assert sum(row[0][0].isupper() and row[-1][-1] == "." for row in rows) > 100


def test_an_item_is_a_function_of_seed_epoch_and_number(words: StrokeData) -> None:
    part, font = words.train, read_fonts(["futural"])["futural"]
    first = part[5].points
    again, other = (Drawn(part.texts[:9], [font], seed, 1.0, STEP).item(5, 0).points for seed in (0, 1))
    assert (again == first).all() and not np.array_equal(other, first)
    part.set_epoch(1)
    assert not np.array_equal(part[5].points, first)
    part.set_epoch(0)
    held = words.validation[0].points
    words.validation.set_epoch(3)
    assert (words.validation[0].points == held).all()
    words.validation.set_epoch(0)
    batch = part.take_batch([9, 5])
    length = int(batch.lengths[1])
    assert np.allclose(batch.points.numpy()[:length, 1, :2] * np.float32(part.scale), first[:, :2], rtol=1e-6)


def test_offsets_have_deviation_one_and_words_a_hundred_points(words: StrokeData) -> None:
    items = [words.train[number] for number in range(0, 8000, 40)]
    six = [len(item) for item in items if len(item.text) == 6]
    assert 80 < np.mean(six) < 150
    offsets = np.concatenate([item.points[1:, :2] for item in items]) / words.scale
    assert offsets.var(axis=0).mean() == pytest.approx(1, abs=0.1)
    assert 20 < words.height < 30
    sizes = words.train.sizes[range(0, 8000, 40)]
    assert np.corrcoef(sizes, list(map(len, items)))[0, 1] > 0.9


def test_strength_0_is_the_font() -> None:
    font = read_fonts(["rowmans"])["rowmans"]
    plain = write_by_hand("Ab", [font], strength=0, step=1000)
    edge = font["A"].width
    lines = list(font["A"].strokes) + [stroke + np.array([edge, 0]) for stroke in font["b"].strokes]
    assert len(plain.lines()) == len(lines)
    assert all(np.allclose(made[[0, -1]], line[[0, -1]], atol=1e-4) for made, line in zip(plain.lines(), lines, strict=True))
    assert write_by_hand("A b", [font], strength=0).box[2] > plain.box[2] + font[" "].width - 1


def test_script_is_written_without_lifting_the_pen() -> None:
    font = read_fonts(["cursive"])["cursive"]
    lone = sum(len(font[character].strokes) for character in "nun")
    assert len(write_by_hand("nun", [font]).lines()) == lone - 2
    gap = font["n"].strokes[-1][-1] - [font["n"].width, 0] - font["u"].strokes[0][0]
    assert np.hypot(*gap) < JOINED


def test_a_character_that_a_font_lacks() -> None:
    font = read_fonts(["futural"])["futural"]
    with pytest.raises(KeyError):
        write_by_hand("é", [font])
    for blank in ("", " "):
        with pytest.raises(ArgumentError, match="text: expected letters to write, got"):
            write_by_hand(blank, [font])


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"data": 3}, DTypeError, "data: expected the name of a data set or a path, got a int"),
        ({"holdout": 0.0}, ArgumentError, "holdout: expected a number between 0 and 1, got 0.0"),
        ({"holdout": 1.5}, ArgumentError, "holdout: expected a number between 0 and 1, got 1.5"),
        ({"strength": -1.0}, ArgumentError, "strength: expected a number from 0 to 10, got -1.0"),
        ({"strength": float("nan")}, ArgumentError, "strength: expected a number from 0 to 10, got nan"),
        ({"step": 0}, ArgumentError, r"step: expected a number between 0 and 1e\+06, got 0"),
        ({"step": True}, ArgumentError, "step: expected a number"),
        ({"step": 0.01}, ArgumentError, "step: expected a number from 0.1 to 15, of a capital 21, got 0.01"),
        ({"step": 16}, ArgumentError, "step: expected a number from 0.1 to 15, of a capital 21, got 16"),
        ({"level": True}, ArgumentError, "level: expected nothing to turn level: .*, got level for hershey"),
        (
            {"data": "my.json", "fonts": ["futural"]},
            ArgumentError,
            "fonts: expected fonts for hershey only, got fonts for my.json",
        ),
        ({"data": "hanzi-writer-data", "fonts": ["futural"]}, ArgumentError, "fonts: expected fonts for hershey only"),
        ({"data": "my.json", "strength": 0.5}, ArgumentError, "strength: expected none for files, .*, got 0.5"),
        ({"seed": -1}, ArgumentError, r"seed: expected a whole number from 0 to 2\*\*64 - 1, got -1"),
        ({"seed": "a", "data": "my.json"}, ArgumentError, "seed: expected a whole number .* got 'a'"),
    ],
)
def test_arguments(given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        open_strokes(**{"data": "hershey", **given})


# ---------------------------------------------------------------- batches


def strokes(text: str, points: int) -> Strokes:
    return Strokes(text, [[1, 2, 0]] * (points - 1) + [[1, 2, 1]])


def test_batches() -> None:
    part = Written(Recorded([strokes("ab", 3), strokes("b", 5), strokes("aab", 2)]), Characters("ab"), 2.0)
    batch = part.take_batch([2, 1])
    assert batch.lengths.tolist() == [2, 5] and batch.text_lengths.tolist() == [3, 1] and batch.numbers.tolist() == [2, 1]
    assert batch.text.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert batch.points.shape == (5, 2, 3) and batch.points.dtype == minigrad.float32
    assert batch.points[:, 0].tolist() == [[0.5, 1, 0], [0.5, 1, 1], *[[0, 0, 0]] * 3]
    assert part.names == ["item 0", "item 1", "item 2"] and "3 texts" in repr(part)
    loader = DataLoader(part, batch_sampler=LikeSizes(part.sizes, 2, minigrad.Generator().manual_seed(0)), device="cpu")
    assert sorted(number for each in loader for number in each.numbers.tolist()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("indices", "error"), [([], ShapeError), ([3], IndexingError), (["a"], DTypeError), ([0.5], DTypeError)]
)
def test_numbers_that_are_none(indices: list[Any], error: type[Exception]) -> None:
    part = Written(Recorded([strokes("ab", 3)]), Characters("ab"), 2.0)
    with pytest.raises(error):
        part.take_batch(indices)


def test_a_character_outside_the_alphabet() -> None:
    with pytest.raises(DataError, match=r"^item 0: .*got .*'c'"):
        Written(Recorded([strokes("abc", 3)]), Characters("ab"), 1.0)


def test_batches_of_like_sizes() -> None:
    sizes = np.random.default_rng(0).integers(5, 300, 1000)
    made = LikeSizes(sizes, 16, minigrad.Generator().manual_seed(3))
    assert len(made) == 63
    state = made.state_dict()
    batches = list(made)
    assert len(batches) == 63 and sorted(itertools.chain(*batches)) == list(range(1000)) and max(map(len, batches)) == 16
    padded = sum(int(sizes[batch].max()) * len(batch) for batch in batches)
    assert padded < 1.1 * sizes.sum()
    assert list(made) != batches
    made.load_state_dict(state)
    assert list(made) == batches
    with pytest.raises(ArgumentError, match="batch_size"):
        LikeSizes(sizes, 0)
