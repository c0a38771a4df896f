"""What is found in files of handwriting: items, each sound or with what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from minigrad.data.strokes import Strokes
from minigrad.errors import MinigradError


class Entry(NamedTuple):
    """One item of a file.

    Attributes:
        name: the file and the item's place in it.
        file: the file, as it is named below what was given.
        found: the item; or the error that says what is wrong with it.
        group: what it is held out together with: items of one writer, one form or one text.
        part: ``"train"``, ``"validation"`` or ``"test"`` where the data say; else empty.
    """

    name: str
    file: str
    found: Strokes | MinigradError
    group: str
    part: str = ""


def entry(name: str, file: str, make: Callable[[], Strokes], group: str = "", part: str = "") -> Entry:
    """The entry of what ``make`` gives, or of the error that it raises. Without a group an item is grouped by its text.

    Example:
        >>> entry("a.json, item 0", "a.json", lambda: Strokes("a", [[0, 0, 1]])).found.got
        '1 point'
    """
    try:
        found = make()
    except MinigradError as error:
        return Entry(name, file, error, group or name, part)
    return Entry(name, file, found, group or f"text {found.text}", part)


__all__ = ["Entry", "entry"]
