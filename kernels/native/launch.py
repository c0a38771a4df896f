"""From Python to compiled code: addresses of arrays, and the pool of threads that shares a kernel's parts."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.errors import KernelError
from minigrad.kernels.native.budget import MOST, WORTH_A_THREAD, threads

PATIENCE = 40_000  # looks at the board before a thread sleeps: about a millisecond, so that it is awake for the next kernel

_word = ctypes.c_void_p.from_address
# Where the address of its memory stands in a NumPy array: after the head of every Python object.
_DATA = object.__basicsize__
# Where the contents of a bytes object begin: its size counts the zero at the end.
_CONTENTS = bytes.__basicsize__ - 1


def _quick_address(array: np.ndarray) -> int:
    return _word(id(array) + _DATA).value or 0


def _slow_address(array: np.ndarray) -> int:
    return array.ctypes.data


def _quick_contents(data: bytes) -> int:
    return id(data) + _CONTENTS


def _slow_contents(data: bytes) -> int:
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


def _first_of(quick: Callable[[Any], int], slow: Callable[[Any], int], *probes: Any) -> Callable[[Any], int]:
    """The quick way where it gives what the slow one does: an interpreter may lay out its objects in another way."""
    return quick if all(quick(probe) == slow(probe) for probe in probes) else slow


_zeros = np.zeros(3)
# An array's address is had four times as fast as by `array.ctypes.data`.
address = _first_of(_quick_address, _slow_address, _zeros, _zeros[1:], np.zeros((0, 2), np.uint8))
contents = _first_of(_quick_contents, _slow_contents, b"12345678", b"123456789abcdefg")


def packer(kinds: str) -> Callable[..., bytes]:
    """Makes the block of 8-byte words in which a kernel finds its arguments; ``kinds`` are letters of :mod:`struct`.

    Example:
        >>> packer("qd")(1, 0.0)[:8]
        b'\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00'
    """
    return struct.Struct(f"={kinds}").pack


# ---------------------------------------------------------------------- the pool


class _Pool:
    """The helpers, the board that they share with callers, and the compiled functions that they live in."""

    def __init__(self) -> None:
        from minigrad.kernels.native import pool

        self._words = pool
        self._serve, self._life = pool.serve.prepare(), packer("qq")
        self._divide, self._job = _releasing(pool.divide.prepare()), packer("qqqq")
        self._board = np.zeros(pool.board_size(MOST - 1), np.int64)
        # Helpers look at the board until the process is gone, past the end of all Python objects: it is never freed.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._board))
        self._at = address(self._board)
        self._board[pool.PATIENCE] = PATIENCE
        for place, function in ((pool.ACQUIRE, "PyThread_acquire_lock"), (pool.RELEASE, "PyThread_release_lock")):
            self._board[place] = ctypes.cast(getattr(ctypes.pythonapi, function), ctypes.c_void_p).value or 0
        self._board[pool.MAIN + pool.LOCK] = _closed_lock()
        self._size = 1  # threads in use, the caller's among them
        self._helpers: list[threading.Thread] = []
        self._core = -1  # the one that helpers keep off

    def _resize(self, count: int) -> None:
        """Use so many threads from now on. More of them are started; those that are too many sleep."""
        words = self._words
        for worker in range(len(self._helpers), count - 1):
            self._board[words.WORKERS + words.WORKER_SIZE * worker + words.LOCK] = _closed_lock()
            life = self._life(self._at, worker)
            helper = threading.Thread(target=_outside, args=(self._serve, life), name="minigrad helper", daemon=True)
            try:
                helper.start()
            except RuntimeError:  # the system gives no more threads, or the interpreter is about to end
                break
            self._helpers.append(helper)
        self._core = -1
        # One store of one word: helpers and callers see the old number or the new one.
        self._board[words.HELPERS] = min(count - 1, len(self._helpers))
        self._size = count

    def _keep_off(self, core: int) -> None:
        """Let helpers run on any core of this process's but the caller's.

        Linux wakes a thread on the core of the one who wakes it, though that one goes on computing and another core is free,
        and moves it only milliseconds later: kernels of a few milliseconds then ran at one thread's speed every other time.
        """
        others = os.sched_getaffinity(0) - {core}
        for helper in self._helpers if others else ():
            if helper.native_id is not None:
                with contextlib.suppress(OSError):  # a system may not let a process choose its cores
                    os.sched_setaffinity(helper.native_id, others)
        self._core = core

    def run(self, code: int, arguments: bytes, parts: int) -> None:
        """Run a compiled kernel's parts; ``arguments`` lives until the call is over."""
        count = threads()
        if count != self._size:
            with making:
                self._resize(count)
        if not 0 < parts <= self._words.MOST_PARTS:
            raise KernelError("kernel", "parts", f"1 to {self._words.MOST_PARTS}", str(parts))
        if _core_of_caller is not None and (core := _core_of_caller()) != self._core:
            self._keep_off(core)
        self._divide(self._job(self._at, code, contents(arguments), parts), 0, 1)


def _asks_for_core() -> Callable[[], int] | None:
    """What tells the core that the calling thread is on, where helpers can be told to keep off it."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    function = getattr(ctypes.PyDLL(None), "sched_getcpu", None)
    if function is not None:
        function.argtypes, function.restype = (), ctypes.c_int
    return function


_core_of_caller = _asks_for_core()


def _closed_lock() -> int:
    """A lock of Python's that is held: who acquires it waits until someone releases it."""
    python = ctypes.pythonapi
    python.PyThread_allocate_lock.restype = ctypes.c_void_p
    lock = python.PyThread_allocate_lock()
    python.PyThread_acquire_lock(ctypes.c_void_p(lock), 0)
    return lock


# A compiled kernel: void (*)(const int64 *arguments, int64 part, int64 parts).
_KINDS = (None, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64)
_releasing = ctypes.CFUNCTYPE(*_KINDS)  # lets Python's other threads run meanwhile
_holding = ctypes.PYFUNCTYPE(*_KINDS)  # does not: who gives the interpreter up for a microsecond may wait 5 ms to have it back
_pool: _Pool | None = None
# Held while machine code is loaded or made and while threads are started: one lock, since the pool's own code is loaded too.
making = threading.RLock()


def _outside(code: int, arguments: bytes) -> None:
    _releasing(code)(arguments, 0, 1)


class Program:
    """A kernel's machine code, ready to be called.

    Args:
        code: its address.
    """

    def __init__(self, code: int) -> None:
        self.code = code
        self._holding, self._releasing = _holding(code), _releasing(code)

    def run(self, arguments: bytes, parts: int, size: int) -> None:
        """Call the code in ``parts`` parts.

        Little work (arrays of less than ``WORTH_A_THREAD`` bytes) in one part keeps the interpreter; all else lets Python's
        other threads run meanwhile.

        Args:
            arguments: 8-byte words.
            parts: into how many parts the work is divided.
            size: bytes of all arrays.

        Raises:
            KernelError: ``parts`` is below 1, or more than a ticket of the pool counts.
        """
        if parts == 1:
            (self._holding if size < WORTH_A_THREAD else self._releasing)(arguments, 0, 1)
        else:
            (_pool or _start()).run(self.code, arguments, parts)


def _start() -> _Pool:
    global _pool
    with making:
        if _pool is None:
            _pool = _Pool()
        return _pool


def _in_child() -> None:
    """A forked child has none of its parent's threads: it starts helpers of its own when it needs them."""
    global _pool
    _pool = None
    making.release()


if hasattr(os, "register_at_fork"):  # a fork waits until no other thread is compiling: the child could not go on with it
    os.register_at_fork(before=making.acquire, after_in_parent=making.release, after_in_child=_in_child)
