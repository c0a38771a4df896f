"""Moving files aside: nothing is deleted or overwritten, every move is on record, and a mend cut short can be done again.

The record, ``fix-log.txt``, is written before the files are moved, so that no file is ever moved without one; a mend that was
killed leaves records of moves that were not made, and the next one takes them out.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from minigrad.data.decode import shown
from minigrad.errors import ArgumentError, DataError, MinigradError
from minigrad.interop.atomic import write_atomically

LOG = "fix-log.txt"
_SUFFIX = "-set-aside"
_HEAD = """\
# What `minigrad data check ... --fix` moved here from the folder beside, one file a line, between tabs:
# its place there, its place here, and why. To take a move back, move the file to its place there.
"""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV, errno.EINVAL)


class Aside(NamedTuple):
    """What was moved: the folder that took the files, and from where to where, relative to the two folders."""

    folder: str
    moved: dict[str, str]


class _Record(NamedTuple):
    """A line of the log."""

    source: str
    target: str
    why: str


def aside_folder(path: str) -> str:
    """The folder that takes the files: beside the data, so that no training ever finds it.

    Example:
        >>> aside_folder(os.path.join("data", "pets")) == os.path.abspath(os.path.join("data", "pets-set-aside"))
        True
    """
    return os.path.abspath(os.path.expanduser(path)) + _SUFFIX


def set_aside(path: Any, moves: Mapping[str, str]) -> Aside:
    """Move files out of a folder into ``PATH-set-aside`` beside it, and write down what was moved and why.

    Relative places stay; a file that would meet another of its name there gets ``(2)`` behind its own. What has gone from
    ``path`` in the meantime is passed over. Called again after it was cut short, it does the rest.

    Args:
        path: the folder.
        moves: the files, relative to it, with the reason for each.

    Raises:
        ArgumentError: the folder has none beside it, or a file does not lie in it.
        DataError: a file cannot be moved: a folder that may not be written to, a full disk. What was moved before that stays
            on record, the rest is as it was.

    Example:
        >>> os.makedirs("pets/cat")
        >>> _ = open("pets/cat/1.jpg", "w").write("no image")
        >>> set_aside("pets", {"cat/1.jpg": "undecodable"}).moved
        {'cat/1.jpg': 'cat/1.jpg'}
        >>> sorted(os.listdir("pets-set-aside"))
        ['cat', 'fix-log.txt']
    """
    folder = aside_folder(os.fspath(path))
    top = folder.removesuffix(_SUFFIX)
    if os.path.dirname(top) == top:
        raise ArgumentError("data check", "--fix", "a folder with room for another beside it", shown(top))
    for name in moves:
        if os.path.isabs(name) or ".." in name.split("/"):
            raise ArgumentError("data check", "--fix", f"files in {shown(top)}", shown(name))
    present = {name: why for name, why in moves.items() if os.path.lexists(os.path.join(top, name))}
    if not present:
        return Aside(folder, {})
    log = os.path.join(folder, LOG)
    moved: dict[str, str] = {}
    with _explained(path, folder, moved, len(present)):
        os.makedirs(folder, exist_ok=True)
        before = [record for record in _read(log) if _was_made(record, top, folder)]
        taken: set[str] = {LOG}
        planned = [_Record(name, _free(name, top, folder, taken), why) for name, why in present.items()]
        _write(log, [*before, *planned])
        try:
            for record in planned:
                _move(os.path.join(top, record.source), os.path.join(folder, record.target))
                moved[record.source] = record.target
        except BaseException:
            with contextlib.suppress(MinigradError, OSError):  # a log with too much in it does no harm
                _write(log, [*before, *(record for record in planned if record.source in moved)])
            raise
    return Aside(folder, moved)


@contextlib.contextmanager
def _explained(path: Any, folder: str, moved: Mapping[str, str], total: int) -> Any:
    """Turn what the system says into an error that says how far it came and what to do."""
    try:
        yield
    except OSError as error:
        if isinstance(error, MinigradError):
            raise
        done = f"{len(moved):,} of {total:,} files were set aside before that" if moved else "Nothing was moved"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = (
            "a full disk" if full else f"{error.strerror or error}" + (f": {shown(error.filename)}" if error.filename else "")
        )
        how = "Free some space" if full else "Mend the permissions of both folders"
        expected = f"files moved to {shown(folder)}"
        raise DataError("data check", shown(path), expected, what, f"{done}. {how}, and run it again") from error


def _free(name: str, top: str, folder: str, taken: set[str]) -> str:
    """The place of a file in the folder: its own, or one with a number behind its name where that is taken."""
    stem, suffix = os.path.splitext(name)
    target, number = name, 1
    while target in taken or _is_other(os.path.join(folder, target), os.path.join(top, name)):
        number += 1
        target = f"{stem} ({number}){suffix}"
    taken.add(target)
    return target


def _is_other(target: str, source: str) -> bool:
    """Whether something else is there. The file itself is, where a move was cut short between its two halves."""
    if not os.path.lexists(target):
        return False
    here, there = os.lstat(source), os.lstat(target)
    return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)


def _move(source: str, target: str) -> None:
    """Move a file to a place where there is nothing. At every moment it is whole at one of the two places."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)  # fails where there is something; a rename would write over it
    except FileExistsError:
        if _is_other(target, source):
            raise
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LINKS:
            raise
        _move_without_links(source, target)
        return
    _unlink(source, target)


def _unlink(source: str, target: str) -> None:
    try:
        os.unlink(source)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(target)  # undo the first half: the file stays where it was
        raise


def _move_without_links(source: str, target: str) -> None:
    """The same where the file system has no links, or another one lies between."""
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        half = f"{target}.half"
        try:
            shutil.copy2(source, half, follow_symlinks=False)
            os.replace(half, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(half)
            raise
        _unlink(source, target)


def _was_made(record: _Record, top: str, folder: str) -> bool:
    """Whether a recorded move was made: if not, the file still lies where it was, and not here."""
    here, there = os.path.join(folder, record.target), os.path.join(top, record.source)
    return os.path.lexists(here) or not os.path.lexists(there)


def _write(log: str, records: Sequence[_Record]) -> None:
    lines = ["\t".join(_quoted(part) for part in record) + "\n" for record in records]
    write_atomically("data check", log, (_HEAD + "".join(lines)).encode())


def _read(log: str) -> list[_Record]:
    """The log's records; a line that is none of ours is passed over."""
    try:
        with open(log, encoding="utf-8", errors="replace", newline="\n") as file:
            lines = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    except FileNotFoundError:
        return []
    return [_Record(*map(_unquoted, parts)) for parts in lines if len(parts) == len(_Record._fields)]


def _quoted(text: str) -> str:
    """Text as it is, or as a JSON string where a line of text does not hold it."""
    return text if text.isprintable() and not text.startswith(('"', "#")) else json.dumps(text)


def _unquoted(text: str) -> str:
    if text.startswith('"'):
        with contextlib.suppress(ValueError):
            return str(json.loads(text))
    return text
