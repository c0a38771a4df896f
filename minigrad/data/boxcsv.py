"""Boxes in a table: ``path,x1,y1,x2,y2,class`` as RetinaNet's readers have it, or columns with names.

A box may stand in a single cell, ``"[x, y, width, height]"`` or ``"[x1, y1, x2, y2]"``. Which it is the column's name tells
(``bbox_xywh``, ``bbox_xyxy``), or else the rows: corners in the wrong order, or extents that reach out of the picture.
"""

from __future__ import annotations

import csv
import io
import math
import os
from typing import NamedTuple

from minigrad.data.boxlist import Drawn, Files, Listing, part_named
from minigrad.data.partnames import likely_part
from minigrad.data.words import shown
from minigrad.errors import DataError

LARGEST = 1 << 29  # bytes of a file
_NAMES = {  # what a column is called, in small letters, without blanks, _, - and brackets
    "image": ("imagepath", "path", "filename", "file", "image", "imagename", "img", "filepath", "imageid", "imagefile"),
    "x1": ("xmin", "x1", "left", "minx", "bboxxmin"),
    "y1": ("ymin", "y1", "top", "miny", "bboxymin"),
    "x2": ("xmax", "x2", "right", "maxx", "bboxxmax"),
    "y2": ("ymax", "y2", "bottom", "maxy", "bboxymax"),
    "label": ("label", "class", "classname", "name", "category", "celltype", "type", "labelname", "object"),
    "part": ("split", "part", "subset", "set"),
    "width": ("width", "imagewidth", "imgwidth"),
    "height": ("height", "imageheight", "imgheight"),
}
_CORNER: dict[str, tuple[str, ...]] = {"x1": ("x", "bboxx"), "y1": ("y", "bboxy")}  # where a width and a height are beside it
_EXTENT: dict[str, tuple[str, ...]] = {
    "x2": ("w", "width", "bboxw", "bboxwidth", "boxwidth"),
    "y2": ("h", "height", "bboxh", "bboxheight", "boxheight"),
}
_CELL = ("bbox", "box", "boundingbox")  # a column of whole boxes;
_FORMS = {"xywh": True, "xyxy": False}  # behind such a name or alone: whether the last two are a width and a height
_CLASS = "object"  # where a table of such boxes has no column of classes
_CLEAR = 20  # times as many rows must speak for one way to read a cell as for the other
_SAYS = "Give x1, y1, x2 and y2 a column each, or name the column bbox_xywh or bbox_xyxy"
_PLAIN = {"image": 0, "x1": 1, "y1": 2, "x2": 3, "y2": 4, "label": 5}
_NEEDED = tuple(_PLAIN)
_TRIED = 20  # rows
_SIDES = ("x1", "y1", "x2", "y2")


class Columns(NamedTuple):
    """Where what stands in a row, whether the first row says so, and whether x2 and y2 are a width and a height; of boxes in a
    single cell this is None where only the rows can tell."""

    at: dict[str, int]
    header: bool
    extent: bool | None = False


def columns_of(first: list[str]) -> Columns | None:
    """The columns of a table by its first row; None where it holds no boxes.

    Example:
        >>> columns_of("image_path,xmin,ymin,xmax,ymax,label".split(",")).at["label"]
        5
        >>> columns_of("a.jpg,1,2,30,40,cat".split(",")).header, columns_of(["Dead", "0"])
        (False, None)
    """
    plain = _plain(first)
    at = _found(plain, _NAMES)
    if all(what in at for what in _NEEDED):
        return Columns(at, True)
    extent = _found(plain, _CORNER | _EXTENT)
    if len(extent) == 4 and "image" in at and "label" in at:
        sizes = {what: place for what, place in at.items() if place not in extent.values()}
        return Columns(sizes | extent, True, True)
    cells = {name + form: says for name in ("", *_CELL) for form, says in _FORMS.items()} | dict.fromkeys(_CELL)
    cell = next((name for name in cells if name in plain), None)
    if cell is not None and "image" in at:
        return Columns(at | {"cell": plain.index(cell)}, True, cells[cell])
    if (
        len(first) == 6
        and first[0].strip()
        and (all(_is_number(cell) for cell in first[1:5]) or not any(map(str.strip, first[1:])))
    ):
        return Columns(_PLAIN, False)
    return None


def _plain(names: list[str]) -> list[str]:
    return ["".join(sign for sign in name.casefold() if sign not in " _-()") for name in names]


def _found(plain: list[str], names: dict[str, tuple[str, ...]]) -> dict[str, int]:
    """Where the columns are that have names."""
    places = {what: next((plain.index(name) for name in known if name in plain), -1) for what, known in names.items()}
    return {what: place for what, place in places.items() if place >= 0}


def _is_header(first: list[str]) -> bool:
    """Whether a row of six names columns that are not x1, y1, x2 and y2, so that the rows below cannot be told."""
    sides = [cell for cell in _plain(first[1:5]) if cell and not _is_number(cell)]
    return len(first) == 6 and len(sides) == 4 and any(name not in _NAMES[side] for name, side in zip(sides, _SIDES))


def read_csv(files: Files, names: list[str], asked: bool = False) -> Listing | None:
    """The boxes of tables; None where none of them holds any.

    Args:
        files: all files of the folder.
        names: of the tables, relative to it.
        asked: whether the user named the file, so that one without boxes is a fault.
    """
    listing = Listing("CSV", files.top)
    found, unfit = False, []
    for name in names:
        try:
            rows, header = _rows(os.path.join(files.top, name), name)
        except DataError as error:
            unfit.append((name, error.got))
            continue
        found = True
        listing.sources.append(name)
        _one(listing, files, name, rows, header)
        if header.extent:
            listing.notes.append(f"{shown(name)}: x and y are taken as the upper left corner, beside width and height")
        elif "cell" in header.at:
            listing.notes.append(f"{shown(name)}: boxes are taken as x1, y1, x2, y2")
        if "cell" in header.at and header.at["label"] > header.at["y2"]:
            listing.notes.append(f"{shown(name)}: no column of classes, so that all boxes are of one class, {_CLASS}")
    for name, got in unfit if found or asked else []:
        listing.fault("annotations", name, got)
    return listing if found or (asked and listing.faults) else None


def _rows(path: str, name: str) -> tuple[list[tuple[int, list[str]]], Columns]:
    """The rows of a table, each with its line, and what its columns are."""
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise DataError("data", name, f"a table of at most {LARGEST:,} bytes", "a larger one")
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8-sig")
        if "\0" in text:
            raise DataError("data", name, "a table of text", "zero bytes, which no text has")
        head = text[: text.find("\n") if "\n" in text else None]
        separator = max(",;\t", key=head.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        rows = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except OSError as error:
        raise DataError("data", name, "a file that can be read", error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise DataError("data", name, "a table in UTF-8", "bytes of another encoding, or no text at all") from None
    except csv.Error as error:
        raise DataError("data", name, "a table", str(error)) from None
    columns = next(filter(None, (columns_of(row) for _, row in rows[:_TRIED])), None)  # the first row may be a wrong one
    if columns is None or (not columns.header and _is_header(rows[0][1])):
        got = shown(",".join(rows[0][1])[:60]) if rows else "no rows"
        raise DataError("data", name, "path,x1,y1,x2,y2,class or columns of such names", f"the first row {got}")
    if "cell" in columns.at:
        return _spread(rows[columns.header :], columns, name)
    return rows[columns.header :], columns


def _spread(rows: list[tuple[int, list[str]]], columns: Columns, name: str) -> tuple[list[tuple[int, list[str]]], Columns]:
    """The rows with the four numbers of a cell in columns of their own, behind the others.

    Raises:
        DataError: neither the column's name nor the rows tell what the numbers are.
    """
    cell, width = columns.at["cell"], max(columns.at.values()) + 1
    spread = []
    for line, row in rows:
        if len(row) > cell:
            text = row[cell].strip()
            numbers = text.strip("[]()").replace(",", " ").split()
            four = numbers if len(numbers) == 4 else [text if numbers else "", "", "", ""]
            row = [*row[:width], *[""] * (width - len(row)), *four, _CLASS]
        spread.append((line, row))
    at = {"label": width + 4} | columns.at | {side: width + k for k, side in enumerate(_SIDES)}
    extent = _are_extents([row for _, row in spread if len(row) > width], at) if columns.extent is None else columns.extent
    if extent is None:
        expected = "a column whose rows tell whether its boxes are [x, y, width, height] or [x1, y1, x2, y2]"
        raise DataError("data", name, expected, f"boxes that could be either. {_SAYS}", _SAYS)
    return spread, Columns(at, True, extent)


def _are_extents(rows: list[list[str]], at: dict[str, int]) -> bool | None:
    """Whether the last two of four numbers are a width and a height, as far as the rows tell: None where they do not."""
    no_corners = no_extents = sized = boxes = 0
    for row in rows:
        x1, y1, x2, y2 = (_number(row[at[side]]) for side in _SIDES)
        if not all(map(math.isfinite, (x1, y1, x2, y2))) or min(x2, y2) <= 0:
            continue
        boxes += 1
        no_corners += x2 <= x1 or y2 <= y1
        size = _size(row, at)
        if size is not None:
            sized += 1
            no_extents += x1 + x2 > size[0] + 1 or y1 + y2 > size[1] + 1
    if no_corners > _CLEAR * no_extents and (sized == boxes or 2 * no_corners > boxes):
        return True
    return False if no_extents > _CLEAR * no_corners else None


def _one(listing: Listing, files: Files, name: str, rows: list[tuple[int, list[str]]], columns: Columns) -> None:
    known: dict[str, tuple[str, str] | None] = {}  # what a row calls an image -> its path and its part
    own = part_named(name)
    at = columns.at
    most = max(at[what] for what in _NEEDED)
    for line, row in rows:
        place = f"{name}, line {line}"
        if len(row) <= most:
            listing.fault("no-numbers", place, f"{len(row)} cells: {shown(','.join(row)[:60])}")
            continue
        called = row[at["image"]].strip()
        if called not in known:
            path = files.find(called, name, stems=True)
            if isinstance(path, DataError):
                known[called] = None
                listing.fault("unknown-image", place, f"{called}: {path.got}", called)
            else:
                known[called] = path, own or part_named(os.path.relpath(path, files.top).replace(os.sep, "/"))
        found = known[called]
        if found is None:
            continue
        part = (likely_part(row[at["part"]]) if "part" in at and at["part"] < len(row) else None) or found[1]
        photo = listing.photo(found[0], part, place, _size(row, at))
        texts, label = [row[at[side]].strip() for side in _SIDES], " ".join(row[at["label"]].split())
        if not any(texts):
            continue  # a photo without boxes
        corners = [_number(text) for text in texts]
        if corners == [0, 0, 0, 0]:
            continue  # so DeepForest writes one
        if not all(map(math.isfinite, corners)):
            listing.fault("no-numbers", place, " ".join(text[:20] or "?" for text in texts), photo.name)
        elif not label:
            listing.fault("no-label", place, " ".join(text[:20] for text in texts), photo.name)
        else:
            x1, y1, x2, y2 = corners
            if columns.extent:
                x2, y2 = x1 + x2, y1 + y2
            photo.boxes.append(Drawn(place, (x1, y1, x2, y2), label))


def _size(row: list[str], at: dict[str, int]) -> tuple[int, int] | None:
    """The size of the photo, where the row tells it."""
    if "width" not in at or "height" not in at or max(at["width"], at["height"]) >= len(row):
        return None
    sides = [_number(row[at[side]]) for side in ("width", "height")]
    return (int(sides[0]), int(sides[1])) if all(math.isfinite(side) and 1 <= side < 1 << 31 for side in sides) else None


def _number(text: str) -> float:
    try:
        return float(text)
    except (ValueError, OverflowError):
        return math.nan


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


__all__ = ["Columns", "columns_of", "read_csv"]
