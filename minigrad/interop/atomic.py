"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from typing import Any

from minigrad.errors import FileFormatError


def write_atomically(where: str, path: Any, data: bytes) -> None:
    """Write a file so that at every moment its name stands for the old contents or for the new ones, and never for a part.

    The data go to a new file in the same folder, to the disk itself, and only then under the name. What is no file, such as a
    pipe or ``/dev/null``, is written into and stays what it is.

    Args:
        where: who writes, for errors.
        path: the file; a symbolic link is followed.
        data: its contents.

    Raises:
        FileFormatError: the folder is missing or may not be written to, the disk is full, and the like. Nothing is left
            behind, and an older file of that name stays as it was.
    """
    if _takes_bytes(path):
        try:
            with open(path, "wb") as stream:
                stream.write(data)
        except OSError as error:
            raise FileFormatError(where, str(path), f"{len(data)} bytes written", error.strerror or str(error)) from error
        return
    folder, name = _place(where, path)
    target = os.path.join(folder, name)
    beside = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        try:
            with open(beside, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
        _settle(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileFormatError(
            where, str(path), f"{len(data)} bytes written", reason, "Nothing was written, and nothing was lost"
        ) from error


def _takes_bytes(path: Any) -> bool:
    """Whether there is something of that name that is neither a file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def check_place(where: str, path: Any) -> None:
    """See that a file can be made there, before the work whose result it will hold.

    Raises:
        FileFormatError: the folder is missing, or a folder of that name is there.

    Example:
        >>> check_place("example", "new.txt")
    """
    if not _takes_bytes(path):
        _place(where, path)


def _place(where: str, path: Any) -> tuple[str, str]:
    """The folder and name of a file, links followed."""
    target = os.path.realpath(os.fspath(path))
    folder, name = os.path.split(target)
    if os.path.isdir(target):
        raise FileFormatError(where, str(path), "the name of a file", "a folder", "Add a file name, such as model.safetensors")
    if not os.path.isdir(folder):
        raise FileFormatError(where, str(path), "a folder that exists", f"none at {folder}", f"Make it: mkdir -p '{folder}'")
    return folder, name


def _settle(folder: str) -> None:
    """Put the folder's own list of names on the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no such thing; the file itself is safe
            os.fsync(handle)
    finally:
        os.close(handle)
