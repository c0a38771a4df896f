"""IAM-OnDB, lines of English that people wrote on a whiteboard, as it is published: the user's own copy.

M. Liwicki and H. Bunke, "IAM-OnDB - an On-Line English Sentence Database Acquired from Handwritten Text on a Whiteboard",
ICDAR 2005. The strokes of a line are in ``lineStrokes/a01/a01-000/a01-000u-01.xml``, the texts of a form's lines in
``ascii/a01/a01-000/a01-000u.txt``, after the line ``CSR:``. ``trainset.txt``, ``testset_v.txt``, ``testset_t.txt`` and
``testset_f.txt`` name the forms of each part of the task that is published with it, where they are there: as ``a01-000u``, or
as ``a01-000`` for all whose names begin so. What is in none of the lists is learned from.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np

from minigrad.data.entries import Entry, entry
from minigrad.data.strokes import Strokes
from minigrad.data.words import counted, shown
from minigrad.errors import DataError

STROKES, TEXTS = "lineStrokes", "ascii"
PARTS = {"trainset": "train", "testset_v": "validation", "testset_t": "validation", "testset_f": "test"}
_HEAD = "CSR:"


def find_iam(path: str) -> str | None:
    """The folder with ``lineStrokes`` and ``ascii`` in it: the one given, one in it, or the one around that which is given.

    Example:
        >>> find_iam("/nowhere") is None
        True
    """
    inside, given = [path], os.path.abspath(path)
    if os.path.basename(given) in (STROKES, TEXTS):
        inside.append(os.path.dirname(given))
    if os.path.isdir(path):
        inside += sorted(os.path.join(path, name) for name in os.listdir(path))
    return next(
        (folder for folder in inside if all(os.path.isdir(os.path.join(folder, name)) for name in (STROKES, TEXTS))), None
    )


def read_iam(folder: str) -> Iterator[Entry]:
    """Each line of the database, by form and number; lines of one form are one group.

    Args:
        folder: as ``find_iam`` finds it.

    Raises:
        DataError: a list of parts that cannot be read, or lists that name no form that is there.
    """
    parts = _parts(folder)
    top = os.path.join(folder, STROKES)
    _check_parts(parts, top)
    for where, inner, names in os.walk(top):
        inner.sort()
        for name in sorted(names):
            stem, ending = os.path.splitext(name)
            if ending.casefold() != ".xml" or name.startswith("."):
                continue
            file = shown(os.path.relpath(os.path.join(where, name), folder))
            form, _, number = stem.rpartition("-")
            texts = os.path.join(folder, TEXTS, os.path.relpath(where, top), f"{form}.txt")

            def line(
                path: str = os.path.join(where, name), file: str = file, texts: str = texts, number: str = number
            ) -> Strokes:
                return Strokes.of_lines(_text(texts, number, file), read_lines(path, file), file).seated()

            yield entry(file, file, line, f"form {_sheet(form)}", parts.get(form, parts.get(_sheet(form), "")))


def read_lines(path: str, file: str) -> list[np.ndarray]:
    """The strokes in an XML file, (k, 2) each, y down.

    Args:
        path: the file.
        file: what errors call it.

    Raises:
        DataError: it cannot be read, or holds no strokes.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:  # the last of an encoding
        raise DataError("strokes", file, "XML with strokes", f"something else ({error})", "Fetch the file again") from error
    try:
        lines = [
            [(float(point.attrib["x"]), float(point.attrib["y"])) for point in stroke.iter("Point")]
            for stroke in root.iter("Stroke")
        ]
    except (KeyError, ValueError) as error:
        raise DataError("strokes", file, "x and y of each point", f"one without ({error})", "Fetch the file again") from error
    return [np.array(line) for line in lines if line]


def _text(path: str, number: str, file: str) -> str:
    """The text of a form's line: the file has them after a head, one a line."""
    name = os.path.basename(path)
    remedy = "Put the file where it is published, in ascii/, or set the line's file aside"
    try:
        with open(path, encoding="utf-8", errors="replace") as texts:
            lines = texts.read().partition(_HEAD)[2].strip("\r\n ").splitlines()
        text = lines[int(number) - 1].strip() if int(number) > 0 else ""
    except OSError as error:
        raise DataError("strokes", file, f"its text in {shown(name)}", error.strerror or str(error), remedy) from error
    except (IndexError, ValueError) as error:
        raise DataError("strokes", file, f"its text, line {number} of {shown(name)}", "none", remedy) from error
    return text


def _sheet(form: str) -> str:
    """The form without the letter of its writing: a01-000 of a01-000u."""
    return form.rstrip("abcdefghijklmnopqrstuvwxyz")


def _parts(folder: str) -> dict[str, str]:
    """The part of each form that the lists of parts name; of one that is in several, the last of train, validation and test."""
    found: dict[str, str] = {}
    for name, part in PARTS.items():
        for path in (os.path.join(folder, f"{name}.txt"), os.path.join(folder, "task1", f"{name}.txt")):
            try:
                with open(path, encoding="utf-8-sig") as forms:
                    found |= dict.fromkeys(forms.read().split(), part)
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as error:
                raise DataError("strokes", shown(path), "a list of forms", str(error), "Fetch the file again") from error
    return found


def _check_parts(parts: dict[str, str], top: str) -> None:
    """See that the lists are of these forms: else all would be learned from, and nothing said."""
    if not parts:
        return
    forms = {name.rpartition("-")[0] for _, _, names in os.walk(top) for name in names if name.casefold().endswith(".xml")}
    if forms and not any(form in parts or _sheet(form) in parts for form in forms):
        expected = f"names of forms that are there, such as {shown(min(forms))}"
        got = f"{counted(len(parts), 'other name')}, such as {shown(min(parts))}"
        remedy = "Put the lists that belong to it there, or take them away"
        raise DataError("strokes", " and ".join(f"{name}.txt" for name in ("trainset", "testset_*")), expected, got, remedy)


__all__ = ["find_iam", "read_iam", "read_lines"]
