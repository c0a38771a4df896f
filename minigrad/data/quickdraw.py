"""QuickDraw's drawings, one to a line of an ``.ndjson`` file: the word that was asked for, and the strokes.

https://github.com/googlecreativelab/quickdraw-dataset describes the files. A stroke is a list of x, a list of y and, in the raw
ones, a list of times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.data.entries import Entry, entry
from minigrad.data.strokes import Strokes
from minigrad.errors import DataError

_REMEDY = "Fetch the file again, or leave the line out"


def read_ndjson(path: str, file: str) -> Iterator[Entry]:
    """The drawings of a file, a group each: many are of one word.

    Args:
        path: the file.
        file: what errors and entries call it.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    name = f"{file}, line {number}"

                    def drawing(line: str = line, name: str = name) -> Strokes:
                        return _drawing(line, name)

                    yield entry(name, file, drawing, name)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("strokes", file, "lines of JSON in UTF-8", str(error), "Fetch the file again") from error


def _drawing(line: str, name: str) -> Strokes:
    try:
        content: Any = json.loads(line)
        word, strokes = content["word"], content["drawing"]
        lines = [np.array([stroke[0], stroke[1]], np.float64).T for stroke in strokes]
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError) as error:
        expected = "an object with word and drawing, the drawing lists of x and of y"
        raise DataError("strokes", name, expected, f"something else ({error!r})", _REMEDY) from None
    return Strokes.of_lines(word, lines, name).seated()


__all__ = ["read_ndjson"]
