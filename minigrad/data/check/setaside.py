"""Moving files aside: nothing is deleted or overwritten, every move is on record, and a mend cut short is finished later.

What is to be moved is written to ``fix-plan.txt`` first, and to ``fix-log.txt`` when it was moved; then the plan goes. A plan
that is found tells that a mend was cut short. It is carried out to its end, since what is left of the files would tell too
little: of a picture under two labels that lost one of them, nobody would know any more.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from minigrad.data.words import shown
from minigrad.errors import ArgumentError, DataError, MinigradError
from minigrad.interop.atomic import write_atomically

LOG, PLAN = "fix-log.txt", "fix-plan.txt"
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
    ``path`` in the meantime is passed over. Called again after it was cut short, it does the rest of that, too.

    Args:
        path: the folder.
        moves: the files, relative to it, with the reason for each.

    Raises:
        ArgumentError: the folder has none beside it, or a file does not lie in it.
        DataError: a file cannot be moved: a folder that may not be written to, a full disk. What was moved before that stays
            on record, the rest is as it was.

    Example:
        >>> os.makedirs("pets/cat")
        >>> write_atomically("example", "pets/cat/1.jpg", b"no image")
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
        if not _is_inside(name) or _is_elsewhere(top, name):
            raise ArgumentError("data check", "--fix", f"files in {shown(top)}", shown(name))
    plan, log = os.path.join(folder, PLAN), os.path.join(folder, LOG)
    moved: dict[str, str] = {}
    with _explained(path, folder, moved, len(moves)):
        found = _read(plan)
        made = [record for record in found if _was_made(record, top, folder)]
        left = [record for record in found if record not in made and not _is_elsewhere(top, record.source)]
        wanted = {record.source: record.why for record in left} | dict(moves)
        present = {name: why for name, why in wanted.items() if os.path.lexists(os.path.join(top, name))}
        if not present and not found:
            return Aside(folder, moved)
        os.makedirs(folder, exist_ok=True)
        taken = {LOG, PLAN}
        planned = [_Record(name, _free(name, top, folder, taken), why) for name, why in present.items()]
        _write(plan, [*made, *planned])
        try:
            for record in planned:
                _move(os.path.join(top, record.source), os.path.join(folder, record.target))
                moved[record.source] = record.target
                made.append(record)
        except BaseException:
            with contextlib.suppress(MinigradError, OSError):  # the plan tells it too
                _add_to_log(log, made)
            raise
        _add_to_log(log, made)
        os.unlink(plan)
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
    """Whether a planned move was made, both halves of it."""
    return os.path.lexists(os.path.join(folder, record.target)) and not os.path.lexists(os.path.join(top, record.source))


def _add_to_log(log: str, made: Sequence[_Record]) -> None:
    before = _read(log)
    new = [record for record in made if record not in before]
    if new:
        _write(log, [*before, *new])


def _write(path: str, records: Sequence[_Record]) -> None:
    lines = ["\t".join(_quoted(part) for part in record) + "\n" for record in records]
    write_atomically("data check", path, (_HEAD + "".join(lines)).encode())


def _read(path: str) -> list[_Record]:
    """The records of the log or the plan; a line that is none of ours is passed over."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
            lines = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    records = [_Record(*map(_unquoted, parts)) for parts in lines if len(parts) == len(_Record._fields)]
    return [record for record in records if _is_inside(record.source) and _is_inside(record.target)]


def _is_inside(name: str) -> bool:
    """Whether a relative place stays in its folder."""
    return not (os.path.isabs(name) or os.path.splitdrive(name)[0] or ".." in name.split("/") or "\0" in name)


def _is_elsewhere(top: str, name: str) -> bool:
    """Whether a linked folder leads to a file: what is moved would be missed where it lies."""
    real = os.path.realpath(top)
    return os.path.realpath(os.path.dirname(os.path.join(top, name))) != os.path.dirname(os.path.join(real, name))


def _quoted(text: str) -> str:
    """Text as it is, or as a JSON string where a line of text does not hold it."""
    return text if text.isprintable() and not text.startswith(('"', "#")) else json.dumps(text)


def _unquoted(text: str) -> str:
    if text.startswith('"'):
        with contextlib.suppress(ValueError):
            return str(json.loads(text))
    return text
