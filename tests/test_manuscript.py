"""A long text in a hand: its pieces, their seeds and style, what is drawn of them, and a person's words as a style."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad.data.characters import Characters
from minigrad.data.strokes import Strokes
from minigrad.errors import ArgumentError, DataError, RunError
from minigrad.models.manuscript import check_known, plain, style_of, write_manuscript
from tests.upright_hand import CARD, Upright

STYLE = Strokes("e", [[0, -5, 0], [0, 5, 1]])
LONG = "abc de bad cab deed head bead ace aced cede dead bee add dab decade"


def test_a_short_text_is_written_at_once() -> None:
    hand = Upright()
    written = write_manuscript(hand, "abc de", seed=5)
    assert hand.calls == [(["abc de"], 5, None)]
    assert written.texts == ["abc de"] and written.points == 12
    assert [line[0].tolist() for line in written.lines()] == [[x, -20] for x in range(0, 60, 10)]


def test_a_long_one_in_pieces_after_the_first_of_which_the_others_are_written() -> None:
    hand, told = Upright(), []
    written = write_manuscript(hand, LONG, lines=2, seed=100, progress=lambda *words: told.append(words))
    assert " ".join(written.texts) == LONG and len(written.rows) == 2
    pieces = [piece.strokes.text for row in written.rows for piece in row]
    assert max(map(len, pieces)) <= 9 and len(pieces) > 4
    ([first], seed, style), *others = hand.calls
    assert style is None and pieces[seed - 100] == first and first == "deed"  # half as long as what is written at once
    for texts, start, style in others:
        assert style is not None and style.text == first
        assert texts == pieces[start - 100 : start - 100 + len(texts)]
    assert sum(len(texts) for texts, *_ in hand.calls) == len(pieces)
    assert told[0] == ("writing", 1, len(pieces)) and told[-1] == ("writing", len(pieces), len(pieces))
    feet = sorted({float(line[-1, 1]) for line in written.lines()})
    assert feet == [0.0, 1.7 * CARD.height]


def test_where_no_word_is_short_each_piece_is_as_it_comes() -> None:
    hand = Upright()
    write_manuscript(hand, "headache be decade a headed")
    assert [style for *_, style in hand.calls] == [None]
    write_manuscript(hand, "be headache", style=STYLE, lines=2)
    assert hand.calls[1:] == [(["be", "headache"], 0, STYLE)]


def test_the_style_is_a_word_without_marks_where_there_is_one() -> None:
    for text, style in (("abc 'de' headache b", "abc"), ("ab' 'de' headache b", "'de'")):
        hand = Upright()
        write_manuscript(hand, text, lines=2)
        assert hand.calls[0][0] == [style], text


def test_a_style_goes_before_all_pieces() -> None:
    hand = Upright()
    write_manuscript(hand, LONG, style=STYLE)
    assert all(given is STYLE for *_, given in hand.calls)


@pytest.mark.parametrize("fails", [1, 3, 4])
def test_a_piece_of_which_no_writing_comes_is_drawn_anew(fails: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other seeds, alone, and four times in all; the others are drawn as ever."""
    hand, plainly, left = Upright(), Upright.write, [fails]

    def write(self: Upright, texts: list[str], **words: object) -> object:
        found = plainly(self, texts, **words)
        if "deed" in texts and left[0]:
            left[0] -= len(texts) == 1
            raise RunError("handwrite", "deed", "points", "none")
        return found

    monkeypatch.setattr(Upright, "write", write)
    if fails == 4:
        with pytest.raises(RunError, match="deed"):
            write_manuscript(hand, "headache deed", style=STYLE, lines=2)
        return
    assert write_manuscript(hand, "headache deed", style=STYLE, lines=2).texts == ["headache", "deed"]
    alone = [seed for texts, seed, _ in hand.calls if texts == ["deed"]]
    assert alone == [1 + 1_000_003 * attempt for attempt in range(4)][: fails + 1]
    assert [seed for texts, seed, _ in hand.calls if texts == ["headache"]] == [0]


def test_the_window_of_all_pieces() -> None:
    written = write_manuscript(Upright(), "abc de bad cab", lines=1, style=STYLE)
    weights, letters = written.window()
    assert letters == "abc debad cab" and weights.shape == (26, 13)
    assert (weights.argmax(axis=1) == np.repeat(np.arange(13), 2)).all() and (weights.sum(axis=1) == 1).all()


def test_texts_that_are_none() -> None:
    with pytest.raises(ArgumentError, match="handwrite: text: expected letters to write, got ' \\\\n'"):
        write_manuscript(Upright(), " \n")
    words = r"handwrite: text: expected characters that the model writes: .abcdeh', got 'x', 'é' \(U\+00E9 LATIN SMALL.*"
    with pytest.raises(DataError, match=words + "Write it without them"):
        check_known(CARD, "abc xé")
    with pytest.raises(ArgumentError, match="handwrite: lines: expected 1 to 2"):
        write_manuscript(Upright(), "abc de", lines=3)


def test_marks_of_printers() -> None:
    assert plain("\u201cit\u2019s\u2014so\u201d\u2026", CARD) == '"it\'s-so"...'
    knows = CARD._replace(alphabet=Characters("\u2019\u201cabc"))
    assert plain("\u201ca\u2019", knows) == "\u201ca\u2019"


def word(text: str, height: float = 100.0, slant: float = 0.3) -> Strokes:
    """Leaning strokes, 40 apart."""
    strokes = [[[40 * x + slant * height, -height], [40 * x, 0]] for x in range(1, len(text) + 1)]
    return Strokes.of_lines(text, strokes, origin=(0.0, 0.0))


def test_a_person_s_words_as_a_style() -> None:
    """Scaled by one factor, in their order, their slant kept, with points as far apart as the hand's."""
    words = [word("a"), word("xyz"), word("headache"), word("be"), word("dad", height=50.0), word("beaded c")]
    found = style_of(words, CARD._replace(letters=36))
    assert found.text == "headache be dad"  # no more than 16 letters
    left, top, right, low = found.box
    assert (left, top, low) == (pytest.approx(0, abs=1e-3), pytest.approx(-20), pytest.approx(0, abs=1e-3))
    assert right == pytest.approx((7 * 8 + 6) + 14 + (8 + 6) + 14 + (2 * 8 + 3), abs=0.01)
    ends = [line[0] - line[-1] for line in found.lines()]
    assert all(end == pytest.approx([6.0, -20.0], abs=1e-3) for end in ends[:-3])
    assert all(end == pytest.approx([3.0, -10.0], abs=1e-3) for end in ends[-3:])
    ways = found.points[1:][found.points[:-1, 2] == 0]
    assert np.hypot(ways[:, 0], ways[:, 1]).mean() == pytest.approx(CARD.step, rel=0.05)
    assert style_of([word("a"), word("dad"), word("be")], CARD).text == "dad"  # no more than 4 letters
    assert style_of([word("beaded"), word("headache")], CARD).text == "beaded"  # one there must be
    together = CARD._replace(alphabet=Characters("abcde"), letters=36)
    assert style_of([word("a"), word("dad"), word("be")], together).text == "dad"
    with pytest.raises(DataError, match=r"handwrite: style: expected words of characters that the model writes: .*2 words of"):
        style_of([word("x"), word("ay")], CARD)
