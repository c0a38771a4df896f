"""Handwriting in files of a user's own: which kind a file is, and its items split, ready to train on."""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
from collections.abc import Callable, Iterator

import numpy as np

from minigrad.data.catalogue import named
from minigrad.data.entries import Entry, entry
from minigrad.data.holdout import usual_share
from minigrad.data.iam import find_iam, read_iam
from minigrad.data.partnames import part_of
from minigrad.data.passed_over import is_passed_over
from minigrad.data.quickdraw import read_ndjson
from minigrad.data.recorded import Writing, is_recorded, recorded_words
from minigrad.data.sources import Progress
from minigrad.data.stroke3 import read_json, read_npy, read_npz
from minigrad.data.stroke_data import StrokeData, asked_for, held_out_groups, stroke_data
from minigrad.data.strokes import Strokes
from minigrad.data.words import counted, listed, shown
from minigrad.data.written import Recorded
from minigrad.errors import ArgumentError, DataError, MinigradError

KINDS = (
    "a stroke file of the recorder (minigrad data record), a folder of IAM-OnDB, stroke-3 files (.npz, .npy, .json) or"
    " QuickDraw's .ndjson"
)
_READERS: dict[str, Callable[[str, str], Iterator[Entry]]] = {
    ".npz": read_npz,
    ".npy": read_npy,
    ".ndjson": read_ndjson,
    ".json": read_json,
}

_PARTS = {"train": "to learn from", "validation": "for validation", "test": "to test"}


def read_entries(path: str, progress: Progress | None = None) -> Iterator[Entry]:
    """All items in a file, or in the files of a folder, sound or not.

    Args:
        path: the file or folder.
        progress: called as ``progress(doing, done, total)``; a folder of IAM-OnDB does not know its total.

    Raises:
        DataError: nothing is there, or no file of handwriting.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> _ = Path("two.json").write_text(json.dumps([[[1, 0, 0], [0, 2, 1]], [[3, 0, 1]]]))
        >>> for entry in read_entries("two.json"):
        ...     print(entry.name, type(entry.found).__name__)
        two.json, item 0 Strokes
        two.json, item 1 DataError
    """
    given = os.path.expanduser(path)
    if not os.path.exists(given):
        expected = f"the name of a set ({', '.join(named('handwriting'))}), or a path of handwriting"
        raise DataError("data", shown(path), expected, "nothing of that name", "Check the path")
    iam = find_iam(given)
    if iam is not None:
        for number, found in enumerate(read_iam(iam), 1):
            if progress and number % 50 == 0:
                progress("lines", number, number)
            yield found
        return
    files = _files(given)
    if not files:
        raise DataError("data", shown(path), KINDS, "none of these", "Name such a file, or a folder of them")
    for number, file in enumerate(files):
        if progress:
            progress(os.path.basename(file), number, len(files))
        yield from _read(file, shown(os.path.relpath(file, given) if file != given else os.path.basename(file)))


def beside_iam(path: str) -> list[str]:
    """Files of handwriting in a folder that are not read, as there is a copy of IAM-OnDB in it.

    Example:
        >>> beside_iam("/nowhere")
        []
    """
    given = os.path.expanduser(path)
    if not os.path.isdir(given) or find_iam(given) is None:
        return []
    return [shown(os.path.relpath(file, given)) for file in _files(given)]


def _files(path: str) -> list[str]:
    """The files of handwriting at a path or below it."""
    if os.path.isfile(path):
        return [path] if _ending(path) in _READERS else []
    found = []
    for where, inner, names in os.walk(path):
        inner[:] = sorted(name for name in inner if not is_passed_over(name))
        found += [os.path.join(where, name) for name in sorted(names) if not is_passed_over(name) and _ending(name) in _READERS]
    return [file for file in found if os.path.isfile(file) or not os.path.exists(file)]  # no pipe, which would never end


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].casefold()


def _read(path: str, file: str) -> Iterator[Entry]:
    """The items of one file; a file that is damaged as a whole is one entry, with what is wrong with it."""
    part = next((part for name in file.split(os.sep)[:-1] if (part := part_of(name))), "")
    reader = _recorded if is_recorded(path) else _READERS[_ending(path)]
    none = True
    try:
        for found in reader(path, file):
            none = False
            yield found._replace(part=found.part or part)
        if none:
            raise DataError("strokes", file, "items of handwriting", "none", "Leave the file out")
    except MinigradError as error:
        yield Entry(file, file, error, file, part)


def _recorded(path: str, file: str) -> Iterator[Entry]:
    """The words of a recorder's file, the origin at the left end of the line that was written on."""
    for number, (text, read) in enumerate(recorded_words(path), 1):
        name = f"{file}, word {number} ({shown(text)})"
        yield entry(name, file, functools.partial(_as_strokes, read, name))


def _as_strokes(read: Callable[[], Writing], name: str) -> Strokes:
    return read().as_strokes(name)


def open_files(
    data: str, holdout: float | None, seed: int, level: bool, step: float | None, progress: Progress | None
) -> StrokeData:
    """Handwriting in files: ``open_strokes`` with a path, with its arguments and errors."""
    check = f"`minigrad data check handwriting {shlex.quote(data)}` lists all that is wrong"
    items, groups, parts = [], [], []
    digest = hashlib.sha256()
    for found in read_entries(data, progress):
        if isinstance(found.found, MinigradError):
            error = found.found
            remedy = f"{error.remedy}; {check}" if error.remedy else check[0].upper() + check[1:]
            raise type(error)(error.where, error.argument, error.expected, error.got, remedy) from error
        digest.update(f"{found.found.text}\0{found.name}\0{found.part}\0".encode("utf-8", "surrogatepass"))
        digest.update(found.found.points.tobytes())
        strokes = found.found.levelled() if level else found.found
        items.append(strokes if step is None else _resampled(strokes, step))
        groups.append(found.group)
        parts.append(found.part)
    which = np.array([part or "train" for part in parts], object)
    learn = np.flatnonzero(which == "train")
    policy = [f"data: {counted(len(items), 'written text')} in {shown(data)}"]
    if beside := beside_iam(data):
        policy.append(f"passed over: {counted(len(beside), 'file')} beside a copy of IAM-OnDB: {listed(beside)}")
    if level:
        policy.append("each was turned level and upright")
    if any(parts):
        named_parts = ", ".join(f"{parts.count(part):,} {words}" for part, words in _PARTS.items() if part in parts)
        more = f"; {counted(parts.count(''), 'text')} of none of them, to learn from" if "" in parts else ""
        policy.append(f"parts: as the files have them: {named_parts}{more}")
    if not (which == "validation").any():
        share = usual_share(len(learn)) if holdout is None else holdout
        out, line = _held_out(data, [groups[i] for i in learn], [items[i].text for i in learn], share, seed)
        which[learn[out]] = "validation"
        policy.append(line)
    sources = {part: [items[i] for i in np.flatnonzero(which == part)] for part in ("train", "validation", "test")}
    if not sources["train"]:
        raise DataError("data", shown(data), "texts to learn from", "none", "Add some, or a folder train/")
    test = Recorded(sources["test"]) if sources["test"] else None
    learned = sources["train"]
    return stroke_data(Recorded(learned), Recorded(sources["validation"]), test, learned, policy, digest.hexdigest())


def _resampled(strokes: Strokes, step: float) -> Strokes:
    try:
        return strokes.resampled(step)
    except DataError as error:  # far smaller than the way of a lifted pen, or larger than a letter
        usual = float(np.median(np.hypot(strokes.points[1:, 0], strokes.points[1:, 1])))
        expected = f"a distance near that between points, which is about {usual:.3g} in {shown(strokes.name)}"
        raise ArgumentError("open_strokes", "step", expected, f"{step:g}", "Take one nearer to it") from error


def _held_out(data: str, groups: list[str], texts: list[str], share: float, seed: int) -> tuple[np.ndarray, str]:
    """Which items are held out, and the line that says so."""
    there = len(set(groups))
    if there < 2:
        expected = "at least 2 groups of texts (by writer's form, or different texts), so that one can be held out"
        raise DataError("data", shown(data), expected, counted(there, "group"), "Add more handwriting")
    out = held_out_groups(groups, share, seed, texts)
    count = len({groups[i] for i in np.flatnonzero(out)})
    line = f"held out: {counted(int(out.sum()), 'text')} ({count / there:.0%} of the groups), chosen with seed {seed}"
    if count < asked_for(share, there):
        line += f"; no {share:.0%}, as characters of other texts are in no second one"
    return out, line


__all__ = ["KINDS", "beside_iam", "open_files", "read_entries"]
