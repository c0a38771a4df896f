"""How well a hand is read by a program that is not ours: tesseract, which reads what the hand wrote and the true strokes alike.

    python -m minigrad.benchmarks.legible MODEL [--words 200] [--bias 1] [--seed 0] [--keep FOLDER] [--json]

The words are of the part of the hand's data that it was not trained on, words of letters only. Each is written by the hand and
taken from the data, drawn with the same pen at the same size, and read as one word. Told are the share of words read right,
capitals and signs aside, and the share of letters: 1 less the edits that lead from what was read to the word, over its letters.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from minigrad.data.strokes import Strokes
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


class Rate(NamedTuple):
    """The shares of words and of letters that were read right."""

    words: float
    letters: float


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


def rate(read: Sequence[str], words: Sequence[str]) -> Rate:
    """What of words was read right: letters only, capitals or not.

    Example:
        >>> rate(["Abacus.", "ab le"], ["abacus", "table"])
        Rate(words=0.5, letters=0.9)
    """
    pairs = [("".join(filter(str.isalpha, text)).casefold(), word.casefold()) for text, word in zip(read, words, strict=True)]
    right = sum(text == word for text, word in pairs) / len(pairs)
    letters = sum(max(0.0, 1 - edits(text, word) / len(word)) for text, word in pairs) / len(pairs)
    return Rate(right, letters)


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


def measure(model: str, count: int, bias: float, seed: int, folder: Path) -> dict[str, Rate]:
    """How well what a hand writes is read, and the true strokes of the same words.

    Raises:
        RunError: there is no such hand.
        DataError: its data are gone, or hold no words.
        ArgumentError: as ``read``; or a bias out of range.
    """
    parts, _ = to_measure(Trained.open(model).config("handwriting"), None)
    true = held_out_words(parts, count)
    words = [item.text for item in true]
    scribe = Scribe.load(model)
    height = scribe.card.height
    own = written(scribe, words, bias, seed)
    return {
        "written": rate(read(own, height, folder / "written"), words),
        "true": rate(read(true, height, folder / "true"), words),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a run of minigrad train handwriting, or the name of a hand that comes with minigrad")
    parser.add_argument("--words", type=int, default=200, help="how many")
    parser.add_argument("--bias", type=float, default=1.0, help="how neatly the hand writes")
    parser.add_argument("--seed", type=int, default=0, help="of the writing")
    parser.add_argument("--keep", metavar="FOLDER", help="leave the pictures there")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if options.words < 1:
        parser.error(f"--words: expected a number of at least 1, got {options.words}")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(options.keep or scratch)
            found = measure(options.model, options.words, options.bias, options.seed, folder)
    except MinigradError as error:
        parser.error(str(error))
    if options.json:
        print(json.dumps({name: value._asdict() for name, value in found.items()}))
        return
    print(f"{'':24}{'words read right':>18}{'letters':>10}")
    for name, value in (("true strokes", found["true"]), ("written by the hand", found["written"])):
        print(f"{name:24}{value.words:18.1%}{value.letters:10.1%}")
    shares = [own / true if true else float("nan") for own, true in zip(found["written"], found["true"], strict=True)]
    print(f"{'the hand over the true':24}{shares[0]:18.1%}{shares[1]:10.1%}")


if __name__ == "__main__":
    main()
