"""The files of text that a name or a path leads to, or several of them together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from minigrad.data.catalogue import DATASETS, named
from minigrad.data.scan import Progress
from minigrad.data.textfiles import Found, TextFile, find_text, in_parts
from minigrad.data.textsets import open_named
from minigrad.data.words import listed, shown
from minigrad.errors import ArgumentError, DataError

Place = str | os.PathLike[str]


def several(data: Place | Sequence[Place]) -> tuple[str, ...]:
    """One name or path, or several, as a tuple.

    Raises:
        ArgumentError: there is none.

    Example:
        >>> several("book.txt"), several(["a.txt", "b"])
        (('book.txt',), ('a.txt', 'b'))
    """
    given = [data] if isinstance(data, (str, bytes, os.PathLike)) else list(data)
    if not given:
        raise ArgumentError("data", "data", "a name or a path, at least one", "none")
    return tuple([os.fsdecode(place) for place in given])


def called(places: Sequence[str]) -> str:
    """What a message calls names and paths.

    Example:
        >>> called(["a.txt"]), called(["a.txt", "b"])
        ('a.txt', 'a.txt, b')
    """
    return listed([shown(place) for place in places])


def files_of(
    data: Place | Sequence[Place], glob: str | None, bytes: bool, progress: Progress | None, *, tolerant: bool = False
) -> Found:
    """The files of named sets and of paths; other arguments as for ``open_text`` and ``find_text``.

    Of several places, a file is called by the last names of its place, as many as tell the places apart, and its path below.
    One that two of them lead to is taken once. Where no place has parts of its own, places called train and valid are parts.

    Raises:
        DataError, ArgumentError: as ``open_text`` says.

    Example:
        >>> from pathlib import Path
        >>> os.makedirs("songs")
        >>> for name in ("songs/b.txt", "a.txt"):
        ...     _ = Path(name).write_text("la la la")
        >>> [file.name for file in files_of(["a.txt", "songs"], None, False, None).files]
        ['a.txt', 'songs/b.txt']
    """
    places = several(data)
    founds = _of_each(places, glob, bytes, progress, tolerant)
    if len(founds) == 1:
        return founds[0]
    gathered = _in_parts(_together(founds))
    if not gathered.files and not gathered.binary:
        raise DataError("data", called(places), "files of text", "empty ones", "Name others")
    return gathered


def files_to_measure(
    data: Place | Sequence[Place], glob: str | None, bytes: bool, progress: Progress | None
) -> tuple[Found, list[str]]:
    """Of each place the files of its test part, where it has one, else all; and a line that says so where one has.

    Arguments and errors are those of ``files_of``. No place is a part of another, whatever it is called.

    Example:
        >>> from pathlib import Path
        >>> for name in ("songs/train/a.txt", "songs/test/b.txt", "c.txt"):
        ...     os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        ...     _ = Path(name).write_text("la la la")
        >>> found, lines = files_to_measure(["songs", "c.txt"], None, False, None)
        >>> [file.name for file in found.files], lines
        (['songs/test/b.txt', 'c.txt'], ['taken: the test part of songs, all of c.txt'])
    """
    places = several(data)
    founds = _of_each(places, glob, bytes, progress, False)
    tests = [[file for file in found.files if file.part == "test"] for found in founds]
    chosen = [found._replace(files=test or found.files) for found, test in zip(founds, tests, strict=True)]
    found = chosen[0] if len(chosen) == 1 else _together(chosen)
    in_part, whole = ([place for place, test in zip(places, tests, strict=True) if bool(test) is has] for has in (True, False))
    return found, taken(in_part, whole)


def taken(in_part: Sequence[str], whole: Sequence[str]) -> list[str]:
    """A line that says of which places the test part is taken, and of which all; none where no place has one.

    Example:
        >>> taken(["songs"], ["c.txt"]), taken([], ["c.txt"])
        (['taken: the test part of songs, all of c.txt'], [])
    """
    if not in_part:
        return []
    rest = f", all of {called(whole)}" if whole else ""
    return [f"taken: the test part of {called(in_part)}{rest}"]


def _of_each(places: Sequence[str], glob: str | None, bytes: bool, progress: Progress | None, tolerant: bool) -> list[Found]:
    """What each place leads to; of several, each file is called after its place."""
    if len(places) == 1:
        return [_of_one(places[0], glob, bytes, progress, tolerant)]
    folders = [place for place in places if _is_folder(place)]
    if glob is not None and not folders:
        remedy = "Leave the glob out, or name a folder"
        raise DataError("data", called(places), "a folder among them, as a glob is given", "none", remedy)
    founds = []
    for place, label in zip(places, _labels(places), strict=True):
        if tolerant and _is_empty(place):
            founds.append(Found([], empty=(label,)))
        else:
            found = _of_one(place, glob if place in folders else None, bytes, progress, tolerant)
            founds.append(_renamed(found, label, place in folders or place in DATASETS))
    return founds


def _of_one(place: str, glob: str | None, bytes: bool, progress: Progress | None, tolerant: bool) -> Found:
    if place not in DATASETS:
        return find_text(place, glob, bytes=bytes, named=named("text"), tolerant=tolerant)
    if glob is not None:
        raise ArgumentError("data", "glob", "none with a named set, whose files are known", repr(glob), "Leave it out")
    return Found(open_named(place, progress))


def _is_folder(place: str) -> bool:
    return place not in DATASETS and os.path.isdir(os.path.expanduser(place))


def _is_empty(place: str) -> bool:
    path = os.path.expanduser(place)
    return place not in DATASETS and os.path.isfile(path) and not os.path.getsize(path)


def _labels(places: Sequence[str]) -> Iterator[str]:
    """What each place is called."""
    ways = [(place,) if place in DATASETS else _names(place) for place in places]
    for way in ways:
        others = [other for other in ways if other != way]
        size = next((n for n in range(1, len(way)) if all(other[-n:] != way[-n:] for other in others)), len(way))
        yield shown("/".join(way[-size:]))


def _names(path: str) -> tuple[str, ...]:
    names = os.path.abspath(os.path.expanduser(path)).split(os.sep)
    return tuple([name for name in names if name]) or (os.sep,)


def _renamed(found: Found, label: str, holds_files: bool) -> Found:
    """The files as they are called beside those of other places."""

    def new(name: str) -> str:
        return f"{label}/{name}" if holds_files else label

    def each(files: Sequence[TextFile]) -> list[TextFile]:
        return [file._replace(name=new(file.name)) for file in files]

    outside, empty = (tuple(map(new, names)) for names in (found.outside, found.empty))
    return Found(each(found.files), outside, tuple(each(found.binary)), empty)


def _together(founds: Sequence[Found]) -> Found:
    """What was found in all places, each file once."""
    files: list[TextFile] = []
    again: list[str] = []
    seen: set[str] = set()
    for found in founds:
        new = set()
        for file in found.files:
            real = os.path.realpath(file.path) if file.path else file.name
            if real in seen:
                again.append(file.name)
            else:
                files.append(file)
                new.add(real)
        seen |= new
    outside = [name for found in founds for name in found.outside]
    binary = {file.path: file for found in founds for file in found.binary}
    empty = [name for found in founds for name in found.empty]
    return Found(files, tuple(outside), tuple(binary.values()), tuple(dict.fromkeys(empty)), tuple(dict.fromkeys(again)))


def _in_parts(found: Found) -> Found:
    """The same, places called train and valid being parts where no place has its own."""
    if any(file.part for file in found.files):
        return found
    files, others = in_parts(found.files)
    return found._replace(files=files, outside=(*found.outside, *others))


__all__ = ["Place", "called", "files_of", "files_to_measure", "several", "taken"]
