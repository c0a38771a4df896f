"""Machine code kept on disk, so that a kernel is compiled once for a processor and not once for a process.

Machine code is run, so nothing is read from a folder in which another user could have put it: the folder must belong to this
user or to the system, be writable by no one else, and stand in folders of which the same is true. Each file carries a digest
of its name and contents: what is damaged, cut short or another kernel's is not there, and is made anew. Files are written
whole or not at all, by any number of processes at once. What was not used for a season is thrown away when something new is
kept.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from minigrad.core.machine import cache_folder

MAGIC = b"minigrad kernel 3\n"
_HEAD = len(MAGIC) + hashlib.sha256().digest_size
SEASON = 90 * 24 * 3600  # seconds
SYSTEM = 0  # the user who may write everywhere


class Store(NamedTuple):
    """Where machine code is kept.

    Attributes:
        folder: where, or ``None`` where nothing can be read safely.
        trouble: why nothing is read or nothing is written, as words to follow the folder's name; ``""`` where all is well.
        remedy: what to do about it.
    """

    folder: Path | None
    trouble: str = ""
    remedy: str = ""


def store() -> Store:
    """The folder in the user's cache, made where it is missing, if what is in it can be trusted.

    Example:
        >>> isinstance(store().trouble, str)
        True
    """
    try:
        folder = cache_folder().absolute() / "kernels"
    except RuntimeError as error:
        return Store(None, f"there is no folder for caches ({error})", "Set MINIGRAD_CACHE to a folder of your own")
    return _examined(folder)


@functools.cache
def _examined(folder: Path) -> Store:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = folder.resolve()
        reason = next(filter(None, (_untrusted(place, place == folder) for place in (folder, *folder.parents))), "")
    except OSError as error:
        return Store(None, f"{folder} cannot be made ({error.strerror})", "Set MINIGRAD_CACHE to a folder that can be written")
    if reason:
        return Store(None, reason, "Set MINIGRAD_CACHE to a folder that only you can write")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Store(folder, f"{folder} cannot be written", "Set MINIGRAD_CACHE to a folder that can be written")
    return Store(folder)


def _untrusted(place: Path, last: bool) -> str:
    """Why others could put files of theirs below a folder, or ``""``."""
    if not hasattr(os, "getuid"):
        return ""  # Windows: a user's folders are the user's
    found = place.stat()
    if found.st_uid not in (SYSTEM, os.getuid()):
        return f"{place} belongs to another user"
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH if last else stat.S_IWOTH)
    if others and not (found.st_mode & stat.S_ISVTX and not last):  # in a sticky folder, nobody can rename what is another's
        return f"{place} can be written by other users"
    return ""


def read(folder: Path, name: str) -> bytes | None:
    """What was kept under a name, or ``None`` where it is missing, damaged, or not this user's or the system's."""
    path = folder / name
    try:
        with open(path, "rb", opener=_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return None
            if hasattr(os, "getuid") and found.st_uid not in (SYSTEM, os.getuid()):
                return None
            content = file.read()
        code = content[_HEAD:]
        if content[:_HEAD] != _head(name, code):
            return None
    except OSError:
        return None
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > SEASON / 10:
            os.utime(path)  # it is in use
    return code


def _at_once(path: str, flags: int) -> int:
    """Open a file, and do not wait for someone to write where it is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _head(name: str, code: bytes) -> bytes:
    """What stands before the code: by it a file is known to be whole, and to be the one that its name says."""
    return MAGIC + hashlib.sha256(name.encode() + b"\0" + code).digest()


def write(folder: Path, name: str, code: bytes) -> bool:
    """Keep something under a name, and tell whether that was possible. If not, the next process compiles again."""
    with contextlib.suppress(OSError):
        handle, made = tempfile.mkstemp(dir=folder, prefix=".making-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_head(name, code) + code)
            os.replace(made, folder / name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(made)
            raise
        _sweep(folder)
        return True
    return False


@functools.cache
def _sweep(folder: Path) -> None:
    """Once a process: throw away what nobody used for a season, and what was left by processes that were killed."""
    now = time.time()
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime > (3600 if path.name.startswith(".making-") else SEASON):
                path.unlink()


def kept(folder: Path) -> tuple[int, int]:
    """How many pieces of machine code a folder has, and their bytes."""
    sizes = [path.stat().st_size for path in folder.glob("*.o")]
    return len(sizes), sum(sizes)
