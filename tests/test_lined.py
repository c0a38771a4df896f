"""A long text on lines: where it is broken, and that what was written of it stands on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data.strokes import Strokes
from minigrad.errors import ArgumentError
from minigrad.show.lined import broken, levelled, placed, word_gap

WORDS = st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=12)


def fits(words: list[str], count: int, width: int) -> bool:
    """Whether words fit on so many lines of a width, by trying all ways to break them."""
    if count == 1:
        return len(" ".join(words)) <= width
    heads = (end for end in range(1, len(words)) if len(" ".join(words[:end])) <= width)
    return len(" ".join(words)) <= width or any(fits(words[end:], count - 1, width) for end in heads)


@settings(max_examples=60, deadline=None)
@given(words=WORDS, widest=st.integers(4, 30))
def test_as_few_lines_as_fit_and_none_longer_than_need_be(words: list[str], widest: int) -> None:
    lines = broken(" ".join(words), widest=widest)
    assert " ".join(lines).split() == words
    longest, most = max(map(len, lines)), max(widest, *map(len, words))
    assert longest <= most
    if max(map(len, words)) <= widest:
        assert len(lines) == 1 or not fits(words, len(lines) - 1, widest)
        assert longest == 1 or not fits(words, len(lines), longest - 1)


@settings(max_examples=60, deadline=None)
@given(words=WORDS, data=st.data())
def test_on_as_many_lines_as_are_asked_for(words: list[str], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(words)))
    lines = broken(" ".join(words), lines=count)
    assert len(lines) == count and " ".join(lines).split() == words and all(lines)
    longest = max(map(len, lines))
    assert longest == 1 or not fits(words, count, longest - 1)


def test_the_lines_of_a_text_stay() -> None:
    text = "Dear  Sir,\n\n I would not\tsay so.\n"
    assert broken(text) == ["Dear Sir,", "I would not say so."]
    assert broken(text, widest=9) == ["Dear Sir,", "I would", "not say", "so."]
    assert broken(" \n") == []


@pytest.mark.parametrize(("text", "lines"), [("one two", 0), ("one two", 3), ("one\ntwo", 2), ("", 1)])
def test_lines_that_cannot_be(text: str, lines: int) -> None:
    with pytest.raises(ArgumentError, match="handwrite: lines: expected "):
        broken(text, lines=lines)


def hand(text: str, rise: float = 0.0, above: float = 0.0, size: float = 10.0) -> Strokes:
    """Each letter an upright stroke from its height down to the line."""
    strokes = [[[7 * x, rise * 7 * x + above - size], [7 * x, rise * 7 * x + above]] for x in range(1, len(text) + 1)]
    return Strokes.of_lines(text, strokes, origin=(0.0, 0.0))


def feet(lines: list[np.ndarray]) -> list[float]:
    return [round(float(line[-1, 1]), 4) for line in lines]


def test_a_hand_that_comes_off_the_line_is_brought_back() -> None:
    assert feet(levelled(hand("letters", rise=0.08, above=3), 10)) == [0] * 7
    assert feet(levelled(hand("hi", rise=0.08), 10)) == [0.56, 1.12]  # too short to tell
    assert feet(levelled(hand("letters", rise=0.3), 10))[0] == 2.1  # more than a hand errs: left
    assert levelled(hand("letters"), 10)[0][0].tolist() == [0, -10]


def test_lines_are_even_and_do_not_meet() -> None:
    rows = [[hand("letters", above=2), hand("hi")], [hand("letters", rise=0.1)], [hand("letters", size=30.0)]]
    lines = placed(rows, 10.0)
    first, second, third = feet(lines)[0], feet(lines)[9], feet(lines)[16]
    assert feet(lines) == [first] * 9 + [second] * 7 + [third] * 7
    assert second - first == third - second == 31.0  # the tall letters of the third, and a little
    ends = [float(line[:, 0].max()) for line in lines[:9]]
    assert ends == [0, 7, 14, 21, 28, 35, 42, 42 + 7, 42 + 7 + 7]
    assert placed([[hand("letters")], [hand("letters")]], 10.0)[7][1].tolist() == [0.0, 17.0]


def test_words_stand_as_far_apart_as_they_do_within_a_piece() -> None:
    """The gap of a piece of three words is the other pieces' too; what no hand leaves between words is not."""
    strokes = [[[x, -10], [x + 2, 0]] for x in (0, 4, 15, 19, 23, 34)]  # gaps of 2 between letters, 9 between words
    three = Strokes.of_lines("ab cde f", strokes, origin=(0.0, 0.0))
    assert word_gap([hand("hi"), three], 10.0) == 9.0
    lines = placed([[three, hand("hi")]], 10.0)
    assert lines[6][0, 0] - lines[5][:, 0].max() == 9.0
    assert word_gap([three], 5.0) == 7.5 and word_gap([three], 100.0) == 30.0
    assert word_gap([Strokes.of_lines("a b", [[[0, 0], [9, 0]]])], 10.0) == 7.0  # written without lifting the pen
