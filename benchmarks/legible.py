"""How well a hand is read by a program that is not ours: tesseract, which reads what the hand wrote and the true strokes alike.

    python -m minigrad.benchmarks.legible MODEL [--words 200] [--bias 1] [--seed 0] [--keep FOLDER] [--json]

The words are of the part of the hand's data that it was not trained on, words of letters only. Each is written by the hand and
taken from the data, drawn with the same pen at the same size, and read as one word. Told are

- words: the share of them read right, capitals and signs aside,
- letters: 1 less the edits that lead from what was read to the word, over its letters,
- ends: the share of words that stop where they should, with the last letter read right. A word stops early where its last
  letters are not read or its ink ends far before the true strokes', late where more is read behind it or its ink goes on far
  beyond them: by a letter and a quarter of the word. Hands differ in width by about that.

The exit code is 0 where the hand's share of words is at least 0.9 of the true strokes', 1 where it is less or no true word is
read, 2 where nothing could be measured.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from minigrad.data.strokes import Strokes
from minigrad.data.words import counted
from minigrad.data.written import Written
from minigrad.errors import ArgumentError, DataError, MinigradError, RunError
from minigrad.models.handwriting_data import to_measure
from minigrad.models.scribe import Scribe
from minigrad.show.ink import ink_png
from minigrad.train.trained import Trained

PROGRAM = "tesseract"
HEIGHT, THICKNESS, MARGIN = 60.0, 4.0, 24.0  # pixels: of the writing as it is usual in the data, of the pen, around a word
AT_ONCE = 16  # words that the hand writes together
ONE_WORD = "8"  # tesseract's way of reading a picture of one word
ENOUGH = 0.9  # of the share of true words that is read
DOTS = ".,:;'\"\u2018\u2019\u201c\u201d"  # tesseract sees one behind every fifth true word: they tell nothing
LETTER, WIDER = 1.0, 0.25  # ink ends far from where it should: by so many letters and such a share of the word more


class Rate(NamedTuple):
    """The shares of words and of letters that were read right, and of words that stop right, too early and too late."""

    words: float
    letters: float
    ends: float
    early: float
    late: float


class Found(NamedTuple):
    """What was measured: of how many words, of what data, and the rates of the true strokes and of the hand."""

    number: int
    what: str
    true: Rate
    written: Rate

    @property
    def share(self) -> float:
        """The hand's share of words over the true strokes'; NaN where none of those is read.

        Example:
            >>> Found(4, "", Rate(1.0, 1.0, 1, 0, 0), Rate(0.75, 0.8, 1, 0, 0)).share
            0.75
        """
        return self.written.words / self.true.words if self.true.words else math.nan


def edits(read: str, word: str) -> int:
    """How many letters must be put in, left out or exchanged to make the one of the other (Levenshtein 1966).

    Example:
        >>> edits("kitten", "sitting"), edits("", "abc")
        (3, 3)
    """
    row = list(range(len(word) + 1))
    for i, letter in enumerate(read, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(word, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != other))
    return row[-1]


def end_of(read: str, word: str, beyond: float = 0.0) -> str:
    """How a word stops: ``"right"``, ``"early"``, ``"late"``, or ``"misread"`` where only its last letter is not read right.

    Args:
        read: what was read; full stops and their like behind it count for nothing.
        word: the word.
        beyond: by how much its ink goes on beyond the true strokes', 1 being far; below 0 where it ends before them.

    Example:
        >>> [end_of(read, "letter") for read in ("Letter", "lefter", "lette", "letterl", "letter-", "letten")]
        ['right', 'right', 'early', 'late', 'late', 'misread']
        >>> [end_of("letter", "letter", beyond) for beyond in (-1.5, 0.5, 1.5)]
        ['early', 'right', 'late']
    """
    read, word = "".join(read.split()).casefold(), word.casefold()
    letters = "".join(filter(str.isalpha, read))
    least = edits(letters, word)
    if beyond < -1 or any(edits(letters, word[:-cut]) + cut == least for cut in range(1, len(word) + 1)):
        return "early"
    more = any(edits(letters[:-cut], word) + cut == least for cut in range(1, len(letters) + 1))
    if beyond > 1 or more or not read.rstrip(DOTS)[-1].isalpha():
        return "late"
    return "right" if letters[-1] == word[-1] else "misread"


def rate(read: Sequence[str], words: Sequence[str], far: Sequence[float] | None = None) -> Rate:
    """What of words was read right: letters only, capitals or not; and how they stop.

    Args:
        read: what was read of each.
        words: the words.
        far: by how much each goes on beyond the true one; by default not at all.

    Example:
        >>> rate(["Abacus", "ab le"], ["abacus", "table"])
        Rate(words=0.5, letters=0.9, ends=1.0, early=0.0, late=0.0)
    """
    pairs = [("".join(filter(str.isalpha, text)).casefold(), word.casefold()) for text, word in zip(read, words, strict=True)]
    right = sum(text == word for text, word in pairs) / len(pairs)
    letters = sum(max(0.0, 1 - edits(text, word) / len(word)) for text, word in pairs) / len(pairs)
    ends = [end_of(*each) for each in zip(read, words, far or [0.0] * len(words), strict=True)]
    return Rate(right, letters, *(ends.count(kind) / len(ends) for kind in ("right", "early", "late")))


def beyond(own: Strokes | None, true: Strokes) -> float:
    """By how much ink goes on beyond that of the true strokes, as ``end_of`` takes it.

    Example:
        >>> beyond(Strokes("ab", [[0, 0, 0], [35, 0, 1]]), Strokes("ab", [[0, 0, 0], [20, 0, 1]]))
        1.0
    """
    if own is None:
        return -math.inf
    width = true.box[2] - true.box[0]
    return (own.box[2] - true.box[2]) / max(LETTER * width / len(true.text) + WIDER * width, 1e-6)


def held_out_words(parts: Sequence[Written], count: int) -> list[Strokes]:
    """At most so many words of letters only, from all over the parts; each text once.

    Raises:
        DataError: there are none.
    """
    found = {text: (part, number) for part in parts for number, text in enumerate(part.texts) if text.isalpha()}
    if not found:
        raise DataError("benchmarks.legible", "data", "words of letters among what is held out", "none")
    step = max(1, len(found) // count)
    return [part[number] for part, number in list(found.values())[::step][:count]]


def written(scribe: Scribe, words: Sequence[str], bias: float, seed: int) -> list[Strokes | None]:
    """What the hand writes; ``None`` where that is no writing."""
    found: list[Strokes | None] = []
    for start in range(0, len(words), AT_ONCE):
        some = list(words[start : start + AT_ONCE])
        try:
            found += [writing.strokes for writing in scribe.write(some, bias=bias, seed=seed + start)]
        except RunError:
            found += [_one(scribe, word, bias, seed + start + number) for number, word in enumerate(some)]
    return found


def _one(scribe: Scribe, word: str, bias: float, seed: int) -> Strokes | None:
    try:
        return scribe.write([word], bias=bias, seed=seed)[0].strokes
    except RunError:
        return None


def read(items: Sequence[Strokes | None], height: float, folder: Path) -> list[str]:
    """What tesseract reads of each; nothing where there is nothing.

    Args:
        items: what was written.
        height: of usual writing, in its units.
        folder: for the pictures.

    Raises:
        ArgumentError: there is no tesseract, or it failed.
    """
    if shutil.which(PROGRAM) is None:
        expected, remedy = "the program tesseract on the path", "Install it: apt install tesseract-ocr"
        raise ArgumentError("benchmarks.legible", PROGRAM, expected, "none", remedy)
    folder.mkdir(parents=True, exist_ok=True)
    return ["" if item is None else _read(item, height, folder / f"{number:04}.png") for number, item in enumerate(items)]


def _read(item: Strokes, height: float, path: Path) -> str:
    """What is read of one: of several at once, tesseract leaves out the pages of which it reads nothing."""
    path.write_bytes(ink_png(item, scale=HEIGHT / height, thickness=THICKNESS, margin=MARGIN))
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}  # its threads make it slower
    command = [PROGRAM, str(path), "-", "--psm", ONE_WORD]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ArgumentError("benchmarks.legible", PROGRAM, f"what it reads of {path.name}", said)
    return done.stdout.strip()


def measure(model: str, count: int, bias: float, seed: int, folder: Path) -> Found:
    """How well what a hand writes is read, and the true strokes of the same words.

    Raises:
        RunError: there is no such hand.
        DataError: its data are gone, or hold no words.
        ArgumentError: as ``read``; or a bias out of range.
    """
    parts, what = to_measure(Trained.open(model).config("handwriting"), None)
    true = held_out_words(parts, count)
    words = [item.text for item in true]
    scribe = Scribe.load(model)
    height = scribe.card.height
    own = written(scribe, words, bias, seed)
    far = [beyond(*each) for each in zip(own, true, strict=True)]
    of_true = rate(read(true, height, folder / "true"), words)
    return Found(len(words), what, of_true, rate(read(own, height, folder / "written"), words, far))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a run of minigrad train handwriting, or the name of a hand that comes with minigrad")
    parser.add_argument("--words", type=int, default=200, help="how many at most (default: 200)")
    parser.add_argument("--bias", type=float, default=1.0, help="how neatly the hand writes, from 0 (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the writing (default: 0)")
    parser.add_argument("--keep", metavar="FOLDER", help="leave the pictures there")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if options.words < 1:
        parser.error(f"--words: expected a number of at least 1, got {options.words}")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(options.keep or scratch)
            found = measure(options.model, options.words, options.bias, options.seed, folder)
    except (MinigradError, OSError) as error:
        parser.error(str(error))
    enough = found.share >= ENOUGH - 1e-9  # 0.72 / 0.8 is a little less
    if options.json:
        shares = {name: getattr(found, name)._asdict() for name in ("true", "written")}
        print(json.dumps({"count": found.number, "data": found.what, **shares, "enough": enough}))
        return 0 if enough else 1
    print(f"{counted(found.number, 'word')} of letters only from the {found.what}, bias {options.bias:g}")
    print(f"{'share':24}{'words':>8}{'letters':>10}{'ends':>8}{'early':>8}{'late':>8}")
    for name, value in (("true strokes", found.true), ("written by the hand", found.written)):
        print(f"{name:24}{value.words:8.1%}{value.letters:10.1%}{value.ends:8.1%}{value.early:8.1%}{value.late:8.1%}")
    verdict = f"at least {ENOUGH:.0%}, as it should be" if enough else f"less than {ENOUGH:.0%}"
    print(f"of the words of true strokes that are read, the hand's are {found.share:.1%}: {verdict}")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
