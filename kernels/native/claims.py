"""Who is making which kernel: files in the store's folder, so that two processes do not make the same one.

A claim is a file beside the machine code that is to come. It names the process and the word by which its parent knows it, and
is gone when the code is there. Nobody depends on it: what cannot be claimed is made all the same, perhaps twice.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def path_of(folder: Path, file: str) -> Path:
    """Where the claim to a piece of machine code stands. It is swept away with what killed processes left.

    Example:
        >>> path_of(Path("kernels"), "minigrad_scale").name
        '.making-claim-minigrad_scale'
    """
    return folder / f".making-claim-{file}"


def holder(folder: Path, file: str) -> tuple[int, str] | None:
    """The process that claims a piece of machine code, and its word; ``None`` where nobody does."""
    try:
        pid, _, word = path_of(folder, file).read_text(encoding="ascii").partition(" ")
        return int(pid), word
    except (OSError, ValueError):
        return None


def is_free(folder: Path, file: str) -> bool:
    """Whether no process that lives claims a piece of machine code."""
    found = holder(folder, file)
    return found is None or not _lives(found[0])


def claim(folder: Path, file: str, word: str = "") -> bool:
    """Claim a piece of machine code, and tell whether that was possible: nobody who lives has, and there is room for it."""
    path = path_of(folder, file)
    for _ in range(2):
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            if not is_free(folder, file):
                return False
            _remove(path)  # of a process that was killed
            continue
        except OSError:
            return False
        try:
            with os.fdopen(handle, "w", encoding="ascii") as written:
                written.write(f"{os.getpid()} {word}")
        except OSError:
            _remove(path)
            return False
        return True
    return False


def release(folder: Path, file: str) -> None:
    """Give up a claim of this process's own."""
    found = holder(folder, file)
    if found is not None and found[0] == os.getpid():
        _remove(path_of(folder, file))


def release_all(folder: Path, word: str) -> None:
    """Give up what processes claimed that are known by a word and are gone."""
    with contextlib.suppress(OSError):
        for path in folder.glob(".making-claim-*"):
            found = holder(folder, path.name.removeprefix(".making-claim-"))
            if found is not None and found[1] == word:
                _remove(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's
    return True
