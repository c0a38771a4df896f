"""Checks of numbers that lie on a GPU, made without waiting for it.

Whether a class number is inside its range is known on the CPU at once. On a GPU the host would have to wait for the answer, in
each step. So the answer stays there as a truth value, and is asked for when the host waits anyway: at ``item()``, ``cpu()``,
``print``, ``synchronize``, or after ``MOST`` such checks. The error that is raised then tells the line that called the op.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, before_waiting, device_of
from minigrad.errors import MinigradError

MOST = 256


class _Open(threading.local):
    def __init__(self) -> None:
        self.doubts: dict[Any, tuple[Array, Callable[[], MinigradError], str]] = {}


_open = _Open()


def doubt(wrong: Array, error: Callable[[], MinigradError], key: Any = None) -> None:
    """Raise an error if something is wrong: now on the CPU, on a GPU when the host waits for it the next time.

    Args:
        wrong: a truth value without dimensions.
        error: makes the error; it may look at arrays, which must not have been changed until then.
        key: two doubts of one key are one; the arrays that it names by their ``id`` must be held by ``error``.

    Raises:
        MinigradError: on the CPU, if it is wrong.

    Example:
        >>> from minigrad.errors import IndexingError
        >>> doubt(np.array([1, 7]).max() > 5, lambda: IndexingError("look-up", "index", "5 at most", "7"))
        Traceback (most recent call last):
        minigrad.errors.IndexingError: look-up: index: expected 5 at most, got 7.
    """
    if isinstance(wrong, (bool, np.bool_, np.ndarray)):
        if wrong:
            raise error()
        return
    if key is None or key not in _open.doubts:
        _open.doubts[object() if key is None else key] = wrong, error, _caller()
    if len(_open.doubts) >= MOST:
        settle()


def settle() -> None:
    """Ask for all answers that are still open in this thread.

    Raises:
        MinigradError: the first of those that are wrong.
    """
    if not _open.doubts:
        return
    asked = list(_open.doubts.values())
    _open.doubts.clear()
    places: dict[Any, list[tuple[Array, Callable[[], MinigradError], str]]] = {}
    for each in asked:
        places.setdefault(device_of(each[0]), []).append(each)
    for some in places.values():
        xp = array_module(some[0][0])
        with some[0][0].device:
            answers = xp.stack([wrong for wrong, _, _ in some]).get()
            if answers.any():
                _, error, line = some[int(answers.argmax())]
                raised = error()
                if line:
                    raised.add_note(f"The op was called at {line}; a GPU's numbers are looked at when the host waits for it.")
                raise raised


def drop() -> None:
    """Forget what is open in this thread."""
    _open.doubts.clear()


def _caller() -> str:
    """The line outside minigrad from which an op was called."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "minigrad":
        frame = frame.f_back  # type: ignore[assignment]
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


before_waiting.append(settle)
