"""A text of any length by a trained hand: in pieces that it can write at once, side by side on lines, all in one style.

minigrad handwrite MODEL "TEXT" --style my.json
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from minigrad.data.characters import described
from minigrad.data.strokes import Strokes
from minigrad.data.words import counted, listed
from minigrad.errors import ArgumentError, DataError, RunError
from minigrad.models.scribe import Card, Scribe, Writing
from minigrad.show.lined import GAP, WIDEST, broken, levelled, placed

AT_ONCE = 16  # pieces that go through the network together, between two looks at how far it is
STYLE = 16  # letters of a style, which tell it well; but
SHARE = 0.5  # of as many as the hand writes at once, at most: it reads the style and writes the piece as one text
FEWEST = 3  # letters that tell a style
TRIES, APART = 4, 1_000_003  # times that a piece is drawn where what came was no writing, and how far apart their seeds are
# Quotation marks, dashes, the ellipsis and the blank that does not break, as printers have them
PLAIN = {
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"',
    "\u2013": "-", "\u2014": "-", "\u2026": "...", "\u00a0": " ",
}  # fmt: skip
Progress = Callable[[str, int, int], None]


class Manuscript(NamedTuple):
    """A text as it was written.

    Attributes:
        rows: of each line its pieces, in order.
        height: of the writing, in the units of the strokes.
    """

    rows: tuple[tuple[Writing, ...], ...]
    height: float

    @property
    def texts(self) -> list[str]:
        """The lines of the text."""
        return [" ".join(piece.strokes.text for piece in row) for row in self.rows]

    @property
    def points(self) -> int:
        """How many points the pen went through."""
        return sum(len(piece.strokes) for row in self.rows for piece in row)

    def lines(self) -> list[np.ndarray]:
        """What the pen drew, (k, 2) each, y down: on level lines, as ``show.ink`` takes it."""
        return placed([[piece.strokes for piece in row] for row in self.rows], self.height)

    def window(self) -> tuple[np.ndarray, str]:
        """Which letter the network looked at when: weights (T, U) of all pieces one after the other, and the U letters."""
        pieces = [piece for row in self.rows for piece in row]
        weights = np.zeros([sum(piece.window.shape[axis] for piece in pieces) for axis in (0, 1)], np.float32)
        point = letter = 0
        for piece in pieces:
            points, letters = piece.window.shape
            weights[point : point + points, letter : letter + letters] = piece.window
            point, letter = point + points, letter + letters
        return weights, "".join(piece.strokes.text for piece in pieces)


def write_manuscript(
    scribe: Scribe,
    text: str,
    *,
    lines: int | None = None,
    bias: float = 1.0,
    seed: int = 0,
    style: Strokes | None = None,
    progress: Progress = lambda doing, done, total: None,
) -> Manuscript:
    """Write a text on lines.

    Without a style the hand chooses its own for a short word, after which it writes the rest, so that all looks alike; where no
    word is short enough, each piece is as it comes.

    Args:
        scribe: the hand.
        text: of its alphabet; its own line ends stay, other lines are broken at blanks.
        lines: how many, where the text has no line ends; by default as few as 45 letters a line allow.
        bias, seed: as for ``Scribe.write``. A piece of which no writing comes is drawn anew, with other seeds.
        style: in the units of the model's data: see ``style_of``.
        progress: called as ``progress(doing, done, total)`` while it is written.

    Raises:
        ArgumentError, DataError, RunError: as ``Scribe.write`` and ``show.lined.broken``; or a text without letters.
    """
    rows = [broken(line, widest=scribe.card.letters) for line in broken(text, lines=lines, widest=WIDEST)]
    if not rows:
        raise ArgumentError("handwrite", "text", "letters to write", repr(text))
    check_known(scribe.card, text)
    first = None
    if style is None and sum(map(len, rows)) > 1:
        rows, first = _with_a_short_piece(rows, style_letters(scribe.card))
    pieces = [piece for row in rows for piece in row]
    written: dict[int, Writing] = {}
    if first is not None:
        (written[first],) = _drawn(scribe, [pieces[first]], bias, seed + first, None)
        style = written[first].strokes
    progress("writing", len(written), len(pieces))
    left = [number for number in range(len(pieces)) if number not in written]
    for start in range(0, len(left), AT_ONCE):
        some = left[start : start + AT_ONCE]
        for run in _runs(some):  # text i of a call is drawn with seed + i: a piece is the same whatever others are beside it
            found = _drawn(scribe, [pieces[number] for number in run], bias, seed + run[0], style)
            written.update(zip(run, found, strict=True))
        progress("writing", len(written), len(pieces))
    ordered = iter(sorted(written))
    return Manuscript(tuple(tuple(written[next(ordered)] for _ in row) for row in rows), scribe.card.height)


def _drawn(scribe: Scribe, texts: Sequence[str], bias: float, seed: int, style: Strokes | None) -> list[Writing]:
    """Texts written, the i-th drawn with ``seed + i``; of what is no writing, that text anew with other seeds, some times."""
    try:
        return scribe.write(texts, bias=bias, seed=seed, style=style)
    except RunError:
        if len(texts) > 1:
            return [_drawn(scribe, [text], bias, seed + number, style)[0] for number, text in enumerate(texts)]
        for attempt in range(1, TRIES):
            try:
                return scribe.write(texts, bias=bias, seed=seed + APART * attempt, style=style)
            except RunError:
                continue
        raise


def style_letters(card: Card) -> int:
    """How many letters the style of a hand has at most.

    Example:
        >>> from minigrad.data.characters import Characters
        >>> [style_letters(Card(Characters("a"), {}, 1.0, 1.0, 1.0, 0.0, letters)) for letters in (3, 11, 50)]
        [3, 5, 16]
    """
    return max(FEWEST, min(STYLE, int(SHARE * card.letters)))


def _with_a_short_piece(rows: Sequence[Sequence[str]], longest: int) -> tuple[list[list[str]], int | None]:
    """The rows of pieces with the longest word of at most so many letters as a piece, and the number of that; or no number.

    A word without marks is taken before one with them: what a hand leaves out of a style it writes first thing after it.
    """
    words = [
        (word.isalpha(), len(word), -line, -place, -at)
        for line, row in enumerate(rows)
        for place, piece in enumerate(row)
        for at, word in enumerate(piece.split())
        if FEWEST <= len(word) <= longest
    ]
    cut = [list(row) for row in rows]
    if not words:
        return cut, None
    line, place, at = (-number for number in max(words)[2:])
    found = cut[line][place].split()
    parts = [" ".join(found[:at]), found[at], " ".join(found[at + 1 :])]
    cut[line][place : place + 1] = [part for part in parts if part]
    return cut, sum(map(len, rows[:line])) + place + (at > 0)


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Rising numbers in runs without gaps."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def plain(text: str, card: Card) -> str:
    """A text with typographic marks as a typewriter has them, where the hand does not write them.

    Example:
        >>> from minigrad.data.characters import Characters
        >>> plain("a\u2026b", Card(Characters("ab."), {}, 1.0, 1.0, 1.0, 0.0, 9))
        'a...b'
    """
    known = set(card.alphabet.symbols)
    return "".join(PLAIN.get(letter, letter) if letter not in known else letter for letter in text)


def check_known(card: Card, text: str) -> None:
    """See that a hand can write a text.

    Raises:
        DataError: it has characters that the hand does not write.
    """
    unseen = card.alphabet.unseen("".join(text.split()))
    if unseen:
        expected = f"characters that the model writes: {''.join(card.alphabet.symbols).strip()}"
        raise DataError(
            "handwrite", "text", expected, listed([described(letter) for letter in unseen], 5), "Write it without them"
        )


def style_of(words: Sequence[Strokes], card: Card) -> Strokes:
    """What a person wrote as the style for a hand: some of the words one after the other, as high as what the hand learned from
    and with points as far apart. Their slant and the like stay.

    Args:
        words: with the line that they stand on as the origin's.
        card: the hand's.

    Raises:
        DataError: none of the words is of characters that the hand writes.

    Example:
        >>> from minigrad.data.characters import Characters
        >>> dash = Strokes.of_lines("a", [[[0, -50], [0, 0]]], origin=(0, 0))
        >>> card = Card(Characters(" a"), {}, scale=2.0, height=20.0, step=5.0, floor=-6.0, letters=9)
        >>> found = style_of([dash, dash], card)
        >>> found.text, len(found), found.box
        ('a a', 10, (0.0, -20.0, 14.0, 0.0))
    """
    known = [word for word in words if not card.alphabet.unseen(word.text)]
    if not known:
        expected = f"words of characters that the model writes: {''.join(card.alphabet.symbols).strip()}"
        raise DataError("handwrite", "style", expected, counted(len(words), "word") + " of others", "Write others")
    height = float(np.median([word.box[3] - word.box[1] for word in words]))
    free, most = style_letters(card), len(known) if " " in card.alphabet.symbols else 1
    chosen: list[int] = []
    for number in sorted(range(len(known)), key=lambda number: -len(known[number].text)):
        if len(known[number].text) <= free and len(chosen) < most:
            chosen.append(number)
            free -= len(known[number].text) + 1
    chosen = chosen or [min(range(len(known)), key=lambda number: len(known[number].text))]
    lines: list[np.ndarray] = []
    right = 0.0
    for number in sorted(chosen):
        word = known[number].scaled(card.height / max(height, 1e-6)).resampled(card.step)
        begin = right + GAP * card.height if lines else 0.0
        placed_word = [line + np.array([begin, 0.0]) for line in levelled(word, card.height)]
        lines += placed_word
        right = max(float(line[:, 0].max()) for line in placed_word)
    return Strokes.of_lines(" ".join(known[number].text for number in sorted(chosen)), lines, "style", (0.0, 0.0))
