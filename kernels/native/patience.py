"""Ctrl-C heard at a place where a program can go on: not in the middle of making machine code.

A package whose import was broken off cannot be imported again: its parts are there, and it does not know them. Numba's import
takes a second, and what a compiler has half made is worth nothing. So both are finished first.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def finished_first() -> Iterator[None]:
    """Inside the ``with`` block a first SIGINT waits for its end; a second one is heard at once.

    Only the main thread hears signals, so nothing is changed in others; nor where Python does not handle the signal.

    Raises:
        KeyboardInterrupt: at the end of the block, if a SIGINT came in it and is handled as Python does.

    Example:
        >>> try:
        ...     with finished_first():
        ...         signal.raise_signal(signal.SIGINT)
        ...         print("finished")
        ... except KeyboardInterrupt:
        ...     print("interrupted")
        finished
        interrupted
    """
    handler = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
    if not callable(handler):
        yield
        return
    came: list[tuple[int, FrameType | None]] = []

    def hear(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))
        if len(came) > 1:
            handler(number, frame)

    try:
        signal.signal(signal.SIGINT, hear)
    except ValueError:  # an interpreter inside another has no signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if len(came) == 1:
            handler(*came[0])
