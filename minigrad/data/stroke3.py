"""Stroke-3 files: rows of dx, dy and pen lifted, as sketch-rnn and many who wrote on handwriting publish them.

- ``NAME.npz`` with arrays ``train``, ``valid`` and ``test`` of items (n, 3), or with one array of them; and where it has texts,
  arrays of them called as the items with ``_text`` behind, or one called ``texts`` beside a single array of items. Without
  texts each item is a drawing of NAME.
- ``NAME.npy``, one array of items, its texts the lines of ``NAME.txt`` or ``sentences.txt`` beside it.
- ``NAME.json``, a list of items or an object with such a list for each part. An item is the rows themselves, or an object with
  ``text`` and ``points``, the rows, or ``strokes``: for each time that the pen is down a list of the places that it goes
  through, [x, y] or [x, y, t] with a time, which is not used.

Where the first number of all rows is 0 or 1 and the last is not, the pen is taken to stand first. Pickled arrays are read
without anything in them being run.
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
from minigrad.data.pickles import PickledArray, read_pickle
from minigrad.data.strokes import Strokes
from minigrad.data.words import counted, shown
from minigrad.errors import DataError

MOST_BYTES = 2 << 30  # of one array, unpacked
_INSTRUCTIONS = 1 << 22  # of a pickle with some hundred thousand items
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
    arrays: dict[str, list[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                if member.file_size > MOST_BYTES:
                    raise _damaged(file, f"arrays of at most {MOST_BYTES >> 30} GiB", f"{name} of {member.file_size:,} bytes")
                arrays[name] = _items(archive.read(member), f"{file}, {shown(name)}")
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise _damaged(file, "an .npz file", f"something else ({error})") from error
    texts = {name.removesuffix(_TEXT): arrays.pop(name) for name in list(arrays) if name.endswith(_TEXT)}
    beside = [name for name in _TEXTS if name in arrays]
    if len(arrays) == 2 and len(beside) == 1:
        of = arrays.pop(beside[0])
        texts = dict.fromkeys(arrays, of)
    if not arrays:
        raise _damaged(file, "arrays of items", "none")
    for name, items in arrays.items():
        yield from _entries(items, texts.get(name), file, f", {shown(name)}", part_of(name) or "")


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
            with open(place, encoding="utf-8") as lines:
                texts = lines.read().splitlines()
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
    first = _pen_is_first(items)
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
        item = item.get("points", [])
    try:
        rows = item.numbers() if isinstance(item, PickledArray) else np.asarray(item, np.float64)
    except (TypeError, ValueError) as error:
        remedy = f"Where an array holds texts, call it as that of the items with {_TEXT} behind; else write the file anew"
        raise DataError("strokes", name, "rows of dx, dy and pen lifted", f"something else ({error})", remedy) from None
    if rows.ndim == 2 and rows.shape[1] == 3:
        rows = rows[:, [1, 2, 0]] if first else rows
    return Strokes(text, rows, name).seated()


def _pen_is_first(items: Sequence[Any]) -> bool:
    """Whether in the first few items the first column holds pens, and the last does not."""
    pens = [True, True]
    for item in items[:20]:
        try:
            item = item.get("points", []) if isinstance(item, Mapping) else item
            rows = np.asarray(item.numbers() if isinstance(item, PickledArray) else item, np.float64)
        except (TypeError, ValueError):
            continue
        if rows.ndim == 2 and rows.shape[1] == 3:
            for which, column in enumerate((0, 2)):
                pens[which] &= bool(np.isin(rows[:, column], (0, 1)).all())
    return pens[0] and not pens[1]


def _items(content: bytes, name: str) -> list[Any]:
    """The elements of an array in an ``.npy`` file: rows of an (N, n, 3) array, or what an array of objects holds."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if dtype.hasobject:
            array = read_pickle(content[file.tell() :], name, _INSTRUCTIONS)
            return list(array.values()) if isinstance(array, PickledArray) else []
        if int(np.prod(shape, dtype=np.float64)) * dtype.itemsize > MOST_BYTES:
            raise ValueError(f"shape {shape}")
        return list(np.load(io.BytesIO(content), allow_pickle=False))
    except (ValueError, TypeError, EOFError) as error:
        raise _damaged(name, "an array", f"something else ({error})") from error


def _damaged(name: str, expected: str, got: str) -> DataError:
    return DataError("strokes", name, expected, got, _AGAIN)


__all__ = ["read_json", "read_npy", "read_npz"]
