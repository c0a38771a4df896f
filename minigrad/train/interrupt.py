"""Ctrl-C and a polite kill: taken as a wish, granted between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupt:
    """While entered, the first SIGINT or SIGTERM only sets ``wanted``; a second one stops at once, as without this.

    Attributes:
        wanted: the signal that came, or ``None``.

    Example:
        >>> with Interrupt() as interrupt:
        ...     signal.raise_signal(signal.SIGINT)
        ...     print(interrupt.wanted.name)
        SIGINT
    """

    def __init__(self) -> None:
        self.wanted: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():  # Python hands signals to no other
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):  # as nohup and a shell's & want it
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.wanted is not None:
            self.__exit__()
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            signal.raise_signal(number)
        self.wanted = signal.Signals(number)
