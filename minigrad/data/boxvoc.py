"""Boxes in the form of Pascal VOC: an XML file to a photo, as LabelImg and others write them.

The files come from anywhere. They are read by a parser that knows elements and text and nothing else: a document type, and
with it every entity of the file's own, is refused before anything is expanded.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from minigrad.data.boxlist import Drawn, Files, Listing, Photo, part_named
from minigrad.data.words import shown
from minigrad.errors import DataError

LARGEST = 1 << 25  # bytes of a file
DEEPEST = 32  # elements inside each other
SIDES = ("xmin", "ymin", "xmax", "ymax")
_SETS = {"train": "train", "val": "validation", "valid": "validation", "test": "test"}


def read_xml(content: bytes, name: str) -> Element:
    """The root of an XML file that has no document type.

    Raises:
        DataError: it is no such file, is nested deeper than any annotation, or larger.

    Example:
        >>> read_xml(b"<annotation><object/></annotation>", "a.xml").tag
        'annotation'
    """
    if len(content) > LARGEST:
        raise DataError("data", name, f"an annotation of at most {LARGEST:,} bytes", f"{len(content):,}")
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> int:
        remedy = "Take its <!DOCTYPE ...> out"
        raise DataError("data", name, "an annotation without a document type", "one with entities or a DTD", remedy)

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise DataError("data", name, f"at most {DEEPEST} elements inside each other", f"more than {DEEPEST}")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    try:
        parser.Parse(content, True)
        return builder.close()
    except DataError:
        raise
    except (expat.ExpatError, LookupError, ValueError, UnicodeError, RecursionError, AssertionError) as error:
        raise DataError("data", name, "XML", shown(str(error)[:100])) from None


def read_voc(files: Files, names: list[str], ask_others: bool = True) -> Listing | None:
    """The boxes of XML files; None where none of them is an annotation.

    Args:
        files: all files of the folder.
        names: of the XML files, relative to it.
        ask_others: whether files that cannot be read are worth a fault where none can be.
    """
    listing, roots, others = Listing("Pascal VOC", files.top), 0, 0
    parts, from_one = _sets(files), 0
    for name in names:
        try:
            with open(os.path.join(files.top, name), "rb") as file:
                root = read_xml(file.read(LARGEST + 1), shown(name))
        except (DataError, OSError) as error:
            got = f"{error.got}" if isinstance(error, DataError) else error.strerror or str(error)
            listing.fault("annotations", name, got)
            continue
        if root.tag != "annotation":
            others += 1
            continue
        roots += 1
        listing.sources.append(name)
        from_one += _one(listing, files, name, root, parts)
    if not roots and not (listing.faults and ask_others):
        return None
    if others:
        listing.notes.append(f"{others:,} other XML files left alone: they are no annotations")
    if from_one:
        listing.notes.append(
            f"{from_one:,} files of published VOC count pixels from 1, the last one included: 1 is taken off xmin and ymin"
        )
    return listing


def _one(listing: Listing, files: Files, name: str, root: Element, parts: Mapping[str, str]) -> bool:
    """Put the boxes of one file into the listing; and tell whether they count from 1."""
    stem = os.path.splitext(os.path.basename(name))[0]
    given = (root.findtext("filename") or "").strip()
    path = files.find(given or stem, name)
    own = files.stem(stem, name)
    if own is not None and (isinstance(path, DataError) or os.path.splitext(os.path.basename(path))[0] != stem):
        path = own  # the name inside may be that of before the files were renamed or converted
    if isinstance(path, DataError):
        listing.fault("unknown-image", name, f"{given or stem}: {path.got}", given or stem)
        return False
    part = parts.get(stem) or part_named(name) or part_named(os.path.relpath(path, files.top).replace(os.sep, "/"))
    size = tuple(_number(root.findtext(f"size/{side}")) for side in ("width", "height"))
    whole = all(math.isfinite(side) and 1 <= side < 1 << 31 for side in size)
    photo = listing.photo(path, part, name, (int(size[0]), int(size[1])) if whole else None)
    return draw(listing, photo, name, root)


def draw(listing: Listing, photo: Photo, name: str, root: Element) -> bool:
    """Put the boxes of one file on its photo; and tell whether the file counts pixels from 1."""
    published = (root.findtext("folder") or "").startswith("VOC20")
    first = 1 if published else 0
    for number, item in enumerate(root.findall("object"), 1):
        place = f"{name}, object {number}"
        box, label = item.find("bndbox"), " ".join((item.findtext("name") or "").split())
        texts = [None if box is None else box.findtext(side) for side in SIDES]
        corners = [_number(text) for text in texts]
        if not all(map(math.isfinite, corners)):
            listing.fault("no-numbers", place, "no bndbox" if box is None else _short(texts), photo.name)
        elif not label:
            listing.fault("no-label", place, _short(texts), photo.name)
        else:
            x1, y1, x2, y2 = corners
            difficult = (item.findtext("difficult") or "").strip() == "1"
            photo.boxes.append(Drawn(place, (x1 - first, y1 - first, x2, y2), label, difficult))
    return published


def _sets(files: Files) -> dict[str, str]:
    """The parts that ImageSets/Main/train.txt and its like list: stem of an image -> part."""
    parts: dict[str, str] = {}
    for name in files.annotations[".txt"]:
        folder, _, file = name.rpartition("/")
        part = _SETS.get(file.removesuffix(".txt"))
        if part is None or folder.rpartition("/")[2] not in ("Main", "ImageSets"):
            continue
        try:
            with open(os.path.join(files.top, name), encoding="utf-8", errors="replace") as lines:
                stems = [line.split()[0] for line in lines if line.split()]
        except OSError:
            continue
        parts |= {os.path.splitext(stem)[0] if stem.endswith((".jpg", ".png", ".jpeg")) else stem: part for stem in stems}
    return parts


def _number(text: str | None) -> float:
    """The number that a text is; NaN where it is none."""
    try:
        return float(text or "nan")
    except (ValueError, OverflowError):
        return math.nan


def _short(texts: list[str | None]) -> str:
    return " ".join("?" if text is None else text.strip()[:20] or "?" for text in texts)


__all__ = ["draw", "read_voc", "read_xml"]
