"""Processes that compile ahead of this one, on cores that would be idle: the first step of a training waits half as long.

Numba compiles on one core. A process that has to compile a kernel of minigrad's starts others (``companion.py``), which compile
what a training usually needs (``usual.py``), the last kernel first, and keep it in the same folder: the two meet in the middle.
They are told through a pipe which kernels this process misses, and end when they have nothing more to do or the pipe is closed.

There are none where nothing can be kept, in the budget of one thread, on one core, with little memory, in a process that is
itself one of many, or with ``MINIGRAD_COMPANIONS=0``. What goes wrong with them only means that this process does it itself.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from minigrad.core.machine import cores, memory
from minigrad.kernels.native import claims
from minigrad.kernels.native.budget import threads
from minigrad.kernels.native.store import Store, read

ENVIRONMENT = "MINIGRAD_COMPANIONS"
MOST = 3
ROOM = 1 << 30  # bytes that must be free for each
PATIENCE = 30.0  # seconds: what is not there by then is made here
LOOK = 0.003  # seconds between two looks at a claim
# What a companion runs: this process's modules, found where it found them, and nothing of the current folder's.
PROGRAM = (
    "import json, sys; asked = json.loads(sys.stdin.buffer.readline()); sys.path[:] = asked['path']; "
    "from minigrad.kernels.native.companion import accompany; accompany(asked['word'], asked['folder'])"
)


class Companion:
    """A process that compiles ahead, and the thread that waits for its end.

    Args:
        folder: where it keeps what it makes.
        word: how its claims are known.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, folder: Path, word: str) -> None:
        left_out = ("MINIGRAD_KERNELS", "MINIGRAD_CHECK", "PYTHONINSPECT")
        environment = {name: value for name, value in os.environ.items() if name not in left_out}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM], env=environment | {ENVIRONMENT: "0"}, bufsize=0, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._waiting = threading.Thread(target=self.process.wait, name="minigrad companion", daemon=True)
        self._waiting.start()
        self._write(json.dumps({"word": word, "folder": str(folder), "path": sys.path}))
        if self.process.stdin is not None:
            os.set_blocking(self.process.stdin.fileno(), False)

    @property
    def lives(self) -> bool:
        """Whether it is at work."""
        return self.process.returncode is None

    def tell(self, file: str) -> None:
        """Let it know that this process needs a piece of machine code, and makes it."""
        self._write(file)

    def end(self) -> None:
        """End it now, and wait until it has ended."""
        self._close()
        self._waiting.join(0.5)
        if self.lives:
            self.process.kill()
            self._waiting.join(5)

    def forget(self) -> None:
        """In a forked child: it is the parent's."""
        self._close()
        self.process.returncode = 0

    def _write(self, line: str) -> None:
        if self.process.stdin is not None and not self.process.stdin.closed:
            with contextlib.suppress(OSError):
                self.process.stdin.write(line.encode() + b"\n")

    def _close(self) -> None:
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()


class _Party:
    companions: tuple[Companion, ...] = ()
    folder: Path | None = None
    word = ""
    begun = False  # once a process


_party = _Party()


def start_none() -> None:
    """Let this process compile alone from now on: it is one of many, or someone counts what it makes."""
    _party.begun = True


def count() -> int:
    """How many companions this process may have.

    Example:
        >>> 0 <= count() <= MOST
        True
    """
    if os.environ.get(ENVIRONMENT, "").strip() == "0" or os.name != "posix":
        return 0
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        return 0
    # Another program that has Python inside would start itself.
    if getattr(sys, "frozen", False) or not Path(sys.executable or "").name.startswith("python"):
        return 0
    try:
        found = memory()
    except OSError:
        return 0
    room = min(each for each in (found.total, found.available, found.limit) if each is not None) // ROOM
    return max(0, min(threads() - 1, cores().usable - 1, MOST, room))


@contextlib.contextmanager
def shared(there: Store, file: str, ours: bool) -> Iterator[bytes | None]:
    """Around the making of a piece of machine code: what a companion has made of it meanwhile, or ``None``.

    Args:
        there: where it will be kept.
        file: its name there.
        ours: whether it is one of minigrad's own.
    """
    if ours and not _party.begun and there.folder is not None and not there.trouble:
        _begin(there.folder)
    folder = _party.folder
    if folder is None or folder != there.folder or not any(each.lives for each in _party.companions):
        yield None
        return
    mine = claims.claim(folder, file)
    for each in _party.companions:
        each.tell(file)
    try:
        if not mine:
            _await(folder, file)
        yield read(folder, f"{file}.o")  # a companion may have made it since this process looked for it
    finally:
        if mine:
            claims.release(folder, file)


def _await(folder: Path, file: str) -> None:
    """Wait while a companion of ours is making it: not where it ended without, nor where someone else is making it."""
    end = time.monotonic() + PATIENCE
    while (found := claims.holder(folder, file)) is not None and found[1] == _party.word:
        if time.monotonic() > end or not any(each.lives for each in _party.companions):
            break
        time.sleep(LOOK)


def _begin(folder: Path) -> None:
    _party.begun = True
    wanted = count()
    if not wanted:
        return
    _party.folder, _party.word = folder, os.urandom(8).hex()
    with contextlib.suppress(OSError, RuntimeError):
        for _ in range(wanted):
            _party.companions += (Companion(folder, _party.word),)
    atexit.register(_end)


def _end() -> None:
    for each in _party.companions:
        each.end()
    if _party.companions and _party.folder is not None:
        claims.release_all(_party.folder, _party.word)
    _party.companions = ()


def _in_child() -> None:
    """A forked child has no companions, and starts none: its parent's are at work."""
    for each in _party.companions:
        each.forget()
    _party.companions, _party.begun = (), True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
