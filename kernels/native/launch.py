"""From Python to compiled code: addresses of arrays, how many threads, and the pool that shares a kernel's parts among them."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.core.machine import cores
from minigrad.errors import ArgumentError

ENVIRONMENT = "MINIGRAD_THREADS"
WORTH_A_THREAD = 1 << 17  # bytes: below, waking another thread costs more than it saves (measured: 5 microseconds)
PATIENCE = 2000  # looks at the board before a thread sleeps: about 50 microseconds

_DATA = object.__basicsize__  # where the address of its memory stands in a NumPy array: after the head of every Python object
_word = ctypes.c_void_p.from_address


def _quick(array: np.ndarray) -> int:
    return _word(id(array) + _DATA).value or 0


def _slow(array: np.ndarray) -> int:
    return array.ctypes.data


_probe = np.zeros(3)
address: Callable[[Any], int] = _quick if _quick(_probe[1:]) == _slow(_probe[1:]) else _slow
"""The address of an array's first element (four times as fast as ``array.ctypes.data`` where the array's head is as usual)."""


def packer(kinds: str) -> Callable[..., bytes]:
    """Makes the block of 8-byte words in which a kernel finds its arguments."""
    return struct.Struct(f"={kinds}").pack


# ---------------------------------------------------------------------- how many threads


class _Budget:
    count: int | None = None


_budget = _Budget()


def threads() -> int:
    """How many threads kernels and BLAS may use: ``set_threads``, else ``MINIGRAD_THREADS``, else the cores of this process.

    Raises:
        ArgumentError: ``MINIGRAD_THREADS`` is no whole number above 0.

    Example:
        >>> threads() >= 1
        True
    """
    if _budget.count is None:
        wish = os.environ.get(ENVIRONMENT, "").strip()
        if wish and not (wish.isdigit() and 0 < int(wish) < 4096):
            raise ArgumentError("kernels", ENVIRONMENT, "a whole number, 1 or more", repr(wish))
        _budget.count = int(wish) if wish else cores().usable
        _tell_blas(_budget.count)
    return _budget.count


def set_threads(count: int) -> None:
    """Let kernels and BLAS use so many threads, in the whole process.

    Raises:
        ArgumentError: ``count`` is no whole number above 0.

    Example:
        >>> before = threads()
        >>> set_threads(1); threads()
        1
        >>> set_threads(before)
    """
    if type(count) is not int or not 0 < count < 4096:
        raise ArgumentError("set_threads", "count", "a whole number, 1 or more", repr(count))
    _budget.count = count
    _tell_blas(count)
    _stop()


@contextlib.contextmanager
def thread_count(count: int) -> Iterator[None]:
    """:func:`set_threads` inside a ``with`` block."""
    before = threads()
    set_threads(count)
    try:
        yield
    finally:
        set_threads(before)


def _tell_blas(count: int) -> None:
    if count == cores().present and not any(os.environ.get(f"{each}_NUM_THREADS") for each in ("OPENBLAS", "OMP", "MKL")):
        return  # what BLAS does anyhow
    from threadpoolctl import threadpool_limits

    threadpool_limits(count, user_api="blas")


def parts_for(work: int) -> int:
    """Into how many parts to divide a kernel that moves so many bytes, or the like: 1 where it is not worth a thread."""
    return 1 if work < WORTH_A_THREAD else threads()


# ---------------------------------------------------------------------- the pool


class _Pool:
    """The helpers, the board that they share with callers, and the compiled functions that they live in."""

    def __init__(self, count: int) -> None:
        from minigrad.kernels.native import pool

        self.helpers = count - 1
        self.board = np.zeros(pool.board_size(self.helpers), np.int64)
        python = ctypes.pythonapi
        python.PyThread_allocate_lock.restype = ctypes.c_void_p
        for name, place in (("PyThread_acquire_lock", pool.ACQUIRE), ("PyThread_release_lock", pool.RELEASE)):
            self.board[place] = ctypes.cast(getattr(python, name), ctypes.c_void_p).value
        self.board[pool.PATIENCE], self.board[pool.HELPERS] = PATIENCE, self.helpers
        places = [pool.MAIN, *[pool.WORKERS + pool.WORKER_SIZE * worker for worker in range(self.helpers)]]
        for place in places:
            lock = python.PyThread_allocate_lock()
            python.PyThread_acquire_lock(ctypes.c_void_p(lock), 0)
            self.board[place + pool.LOCK] = lock
        # Threads may still look at the board while the interpreter takes everything down: it is never freed.
        python.Py_IncRef(ctypes.py_object(self.board))
        self.at = self.board.ctypes.data
        self.divide = pool.divide.prepare()
        self.pack = packer("qqqq")
        serve, life = pool.serve.prepare(), packer("qq")
        self.threads = [
            threading.Thread(target=_outside, args=(serve, life(self.at, worker)), name=f"minigrad-{worker + 1}", daemon=True)
            for worker in range(self.helpers)
        ]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        from minigrad.kernels.native import pool

        self.board[pool.TICKET] = pool.STOP
        for worker in range(self.helpers):
            mine = pool.WORKERS + pool.WORKER_SIZE * worker
            for _ in range(200):
                if not self.threads[worker].is_alive():
                    break
                if self.board[mine + pool.SLEEPING]:
                    self.board[mine + pool.SLEEPING] = 0
                    ctypes.pythonapi.PyThread_release_lock(ctypes.c_void_p(int(self.board[mine + pool.LOCK])))
                self.threads[worker].join(0.005)


# A compiled kernel: void (*)(const int64 *arguments, int64 part, int64 parts).
_kinds = (None, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64)
_releasing = ctypes.CFUNCTYPE(*_kinds)  # lets Python's other threads run meanwhile
_holding = ctypes.PYFUNCTYPE(*_kinds)  # does not: a thread that gives the interpreter up for a microsecond may wait 5 ms for it
_inside: dict[int, Callable[..., None]] = {}
_pool: _Pool | None = None
_pool_lock = threading.Lock()


def _outside(code: int, arguments: bytes) -> None:
    _releasing(code)(arguments, 0, 1)


def run(code: int, arguments: bytes, parts: int) -> None:
    """Run a compiled kernel in ``parts`` parts."""
    if parts == 1 and (_budget.count or threads()) > 1:  # little work
        function = _inside.get(code)
        if function is None:
            function = _inside[code] = _holding(code)
        function(arguments, 0, 1)
    elif parts == 1:
        _outside(code, arguments)
    else:
        pool = _pool or _start()
        # `arguments` lives until the call is over: the board holds the address of its bytes.
        where = ctypes.cast(ctypes.c_char_p(arguments), ctypes.c_void_p).value
        _outside(pool.divide, pool.pack(pool.at, code, where, parts))


def _start() -> _Pool:
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = _Pool(threads())
        return _pool


def _stop() -> None:
    global _pool
    with _pool_lock:
        if _pool is not None:
            _pool.stop()
            _pool = None


def _after_fork() -> None:
    """A forked child has no helpers: it starts its own when it needs them."""
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


atexit.register(_stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
