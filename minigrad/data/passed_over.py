"""What lies in a folder of data and is none: what systems leave behind, and runs."""

from __future__ import annotations

import os

_IGNORED = frozenset(("__macosx", "thumbs.db", "desktop.ini", "@eadir", "lost+found", "$recycle.bin"))
_RUN = "run.lock"  # a file that each run folder has


def is_passed_over(name: str) -> bool:
    """Whether a file or folder of that name is hidden, or one of those that systems leave behind.

    Example:
        >>> is_passed_over("Thumbs.db"), is_passed_over(".DS_Store"), is_passed_over("cat.png")
        (True, True, False)
    """
    return name.startswith(".") or name.casefold() in _IGNORED


def holds_runs(path: str) -> bool:
    """Whether a folder is that of a run, or the one called runs that holds some. A run has its lock before its data are read.

    Example:
        >>> os.makedirs("runs/classify-pets-1")
        >>> before = holds_runs("runs")
        >>> open("runs/classify-pets-1/run.lock", "w").close()
        >>> before, holds_runs("runs"), holds_runs("runs/classify-pets-1")
        (False, True, True)
    """
    if os.path.exists(os.path.join(path, _RUN)):
        return True
    try:
        inside = os.listdir(path) if os.path.basename(path) == "runs" else []
    except OSError:
        return False
    return any(os.path.exists(os.path.join(path, name, _RUN)) for name in inside)
