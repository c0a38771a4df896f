"""Stroke-3 files: rows of dx, dy and pen lifted, as sketch-rnn and many who wrote on handwriting publish them.

- ``NAME.npz`` with arrays ``train``, ``valid`` and ``test`` of items (n, 3), or with one array of them; and where it has texts,
  arrays of them called as the items with ``_text`` behind, or one called ``texts`` beside a single array of items. Without
  texts each item is a drawing of NAME.
- ``NAME.npy``, one array of items, its texts the lines of ``NAME.txt`` or ``sentences.txt`` beside it.
- ``NAME.json``, a list of items or an object with such a list for each part. An item is the rows themselves, or an object with
  ``text`` and ``points``, the rows, or ``strokes``: for each time that the pen is down a list of the places that it goes
  through, [x, y] or [x, y, t] with a time, which is not used.

Where the first number of all rows is 0 or 1 and the last is not, the pen is taken to stand first. Rows that are plainly places,
not offsets, are refused. Pickled arrays are read without anything in them being run.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.data.entries import Entry, entry
from minigrad.data.partnames import part_of
from minigrad.data.strokes import Strokes
from minigrad.data.words import counted, shown
from minigrad.errors import DataError, MinigradError
from minigrad.interop.npy import NO_ARRAY, elements, head
from minigrad.interop.pickles import PickledArray, Refused, refusal

MOST_BYTES = 2 << 30  # of all arrays, unpacked
PACKED = 200  # times as large as packed: rows of a pen's offsets are packed to no less than about a tenth
SMALL = 1 << 20  # bytes that are no harm
LOOKED_AT = 50  # items of each array, to tell what its columns are
ENOUGH = 10  # points of an item of which the direction can be told
A_TEXT, ALONG = 20, 3  # points, and letters, of an item of which can be told whether its first column goes along a line
STEADY = 0.8  # correlation of a row's number with x: of the places of a text about 0.95, of offsets about 0
ONE_WAY = 0.88  # of the way that offsets go, they go in one direction: for writing it is a third or less
_TEXT = "_text"
_TEXTS = ("texts", "text", "labels", "label", "sentences", "words", "transcriptions")  # of the only array of items beside it
_AGAIN = "Fetch the file again, or write it anew"


def read_npz(path: str, file: str) -> Iterator[Entry]:
    """The items of an ``.npz`` file.

    Args:
        path: the file.
        file: what errors and entries call it.

    Raises:
        DataError: it is damaged, or holds no items.
    """
    read = ((name, _items(content, f"{file}, {shown(name)}")) for name, content in _members(path, file))
    arrays = {name: items for name, items in read if items}
    texts = {name.removesuffix(_TEXT): arrays.pop(name) for name in list(arrays) if name.endswith(_TEXT)}
    beside = [name for name in _TEXTS if name in arrays]
    if len(arrays) == 2 and len(beside) == 1:
        of = arrays.pop(beside[0])
        texts = dict.fromkeys(arrays, of)
    if not arrays:
        raise _damaged(file, "arrays of items", "none")
    for name, items in arrays.items():
        yield from _entries(items, texts.get(name), file, f", {shown(name)}", part_of(name) or "")


def _members(path: str, file: str) -> Iterator[tuple[str, bytes]]:
    """The names and contents of the arrays in an archive, which may unpack to so much that a few bytes are no bomb."""
    try:
        room = min(MOST_BYTES, PACKED * os.path.getsize(path) + SMALL)
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                if name == member.filename:
                    continue
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise _damaged(file, "arrays as NumPy packs them", f"{shown(name)} packed in another way")
                room -= member.file_size
                if room < 0:
                    expected = f"arrays that unpack to at most {PACKED} times the file, and to {MOST_BYTES >> 30} GiB"
                    raise _damaged(file, expected, f"more: {shown(name)} alone of {member.file_size:,} bytes")
                yield name, archive.read(member)
    except MinigradError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        raise _damaged(file, "an .npz file", f"something else ({error})") from error


def read_npy(path: str, file: str) -> Iterator[Entry]:
    """The items of an ``.npy`` file, with the texts beside it; as ``read_npz``."""
    try:
        with open(path, "rb") as content:
            items = _items(content.read(MOST_BYTES), file)
    except OSError as error:
        raise _damaged(file, "a file that can be read", error.strerror or str(error)) from error
    beside = [os.path.splitext(path)[0] + ".txt", os.path.join(os.path.dirname(path), "sentences.txt")]
    texts: list[Any] | None = None
    for place in filter(os.path.isfile, beside):
        try:
            with open(place, encoding="utf-8-sig") as lines:
                texts = [line.removesuffix("\n") for line in lines]
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(shown(place), "texts in UTF-8, one a line", str(error)) from error
        break
    yield from _entries(items, texts, file, "", "")


def read_json(path: str, file: str) -> Iterator[Entry]:
    """The items of a ``.json`` file; as ``read_npz``."""
    try:
        with open(path, encoding="utf-8-sig") as text:
            content = json.load(text)
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(file, "JSON with items", f"something else ({error})") from error
    parts = content if isinstance(content, Mapping) else {"": content}
    if not parts or not all(isinstance(items, list) for items in parts.values()):
        raise _damaged(file, "a list of items, or one for each part", "something else")
    for name, items in parts.items():
        yield from _entries(items, None, file, f", {shown(name)}" if name else "", part_of(name) or "")


def _entries(items: Sequence[Any], texts: Sequence[Any] | None, file: str, within: str, part: str) -> Iterator[Entry]:
    """The entries of rows, or of objects with rows."""
    if texts is not None and len(texts) != len(items):
        expected = f"a text for each of {counted(len(items), 'item')}"
        raise _damaged(f"{file}{within}", expected, counted(len(texts), "text"))
    sample, letters = _sample(items, texts)
    first = _pen_is_first(sample)
    if _are_places([rows[:, [1, 2, 0]] for rows in sample] if first else sample, letters):
        expected, got = "offsets from point to point", "what seem to be places: as offsets they would be of no pen"
        remedy = "Write the difference of each point from the one before; a .json file may hold places as strokes"
        raise DataError("strokes", f"{file}{within}", expected, got, remedy)
    drawing = os.path.splitext(os.path.basename(file))[0]
    for number, item in enumerate(items):
        name = f"{file}{within}, item {number}"

        def one(item: Any = item, name: str = name, text: Any = drawing if texts is None else texts[number]) -> Strokes:
            return _strokes(item, text, name, first)

        known = texts is not None or isinstance(item, Mapping)
        yield entry(name, file, one, "" if known else name, part)


def _strokes(item: Any, text: Any, name: str, first: bool) -> Strokes:
    if isinstance(item, Mapping):
        text = item.get("text", text)
        if "strokes" in item:
            return Strokes.of_lines(text, item["strokes"] if isinstance(item["strokes"], list) else [], name).seated()
    try:
        rows = _rows(item)
    except ValueError as error:
        remedy = f"Where an array holds texts, call it as that of the items with {_TEXT} behind; else write the file anew"
        raise DataError("strokes", name, "rows of dx, dy and pen lifted", f"something else ({error})", remedy) from None
    if rows.ndim == 2 and rows.shape[1] == 3:
        rows = rows[:, [1, 2, 0]] if first else rows
    return Strokes(text, rows, name).seated()


def _rows(item: Any) -> np.ndarray:
    """The numbers of an item.

    Raises:
        ValueError: there is something else.
    """
    if isinstance(item, Mapping):
        item = item.get("points", [])
    if isinstance(item, PickledArray):
        return item.numbers()
    try:
        return np.asarray(item, np.float64)
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from None


def _sample(items: Sequence[Any], texts: Sequence[Any] | None) -> tuple[list[np.ndarray], list[int]]:
    """The rows (n, 3) of the first few items, of those that have such rows, and how many letters are known of each."""
    found, letters = [], []
    for number, item in enumerate(items[:LOOKED_AT]):
        text = texts[number] if texts is not None else item.get("text") if isinstance(item, Mapping) else ""
        try:
            rows = _rows(item)
        except ValueError:
            continue
        if rows.ndim == 2 and rows.shape[1] == 3:
            found.append(rows)
            letters.append(len(text) if isinstance(text, str) else 0)
    return found, letters


def _pen_is_first(items: Sequence[np.ndarray]) -> bool:
    """Whether the first column holds pens, and the last does not."""
    first, last = (all(np.isin(rows[:, column], (0, 1)).all() for rows in items) for column in (0, 2))
    return first and not last


def _are_places(items: Sequence[np.ndarray], letters: Sequence[int]) -> bool:
    """Whether rows are places and not offsets: a pen that made such offsets would go the same way all the time, or ever faster.

    Letters go up and down and back. Items of few points are not looked at, nor those of a single line, which may be a dash,
    where no two letters are known of it. Places around the middle of an item lead nowhere as offsets; but of a text they go
    from one side to the other.
    """
    shares, along = [], []
    for rows, known in zip(items, letters, strict=True):
        ways, several = rows[1:, :2].astype(np.float64), known > 1 or rows[:-1, 2].any()
        if len(rows) >= ENOUGH and several and np.isfinite(ways).all() and ways.any():
            shares.append(np.hypot(*ways.sum(axis=0)) / np.hypot(*ways.T).sum())
            if len(rows) >= A_TEXT and known >= ALONG and np.ptp(ways[:, 0]) > 0:
                along.append(abs(np.corrcoef(np.arange(len(ways)), ways[:, 0])[0, 1]))
    one_way, steady = (
        (len(found) > 0 and float(np.median(found)) > most) for found, most in ((shares, ONE_WAY), (along, STEADY))
    )
    return one_way or steady


def _items(content: bytes, name: str) -> list[Any]:
    """The elements of an array in an ``.npy`` file: rows of an (N, n, 3) array, or what an array of objects holds."""
    try:
        objects = elements(content)
        if objects is not None:
            return objects
        shape, dtype, _ = head(content)
        if shape == ():
            return []  # a number beside the items
        if dtype.kind not in "biufU":
            raise ValueError(f"an array of shape {shape} of {dtype}")
        if int(np.prod(shape, dtype=np.float64)) * dtype.itemsize > MOST_BYTES or shape[0] > len(content):
            raise ValueError(f"shape {shape}")
        return list(np.load(io.BytesIO(content), allow_pickle=False))
    except Refused as error:
        raise refusal(error, name) from error
    except NO_ARRAY as error:
        raise _damaged(name, "an array", f"something else ({error})") from error


def _damaged(name: str, expected: str, got: str) -> DataError:
    return DataError("strokes", name, expected, got, _AGAIN)


__all__ = ["read_json", "read_npy", "read_npz"]
