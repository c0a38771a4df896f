"""Memory of the emulated devices: a pool that keeps what is freed and can have a limit, and counters of what costs time there.

A block is NumPy's memory, aligned to 512 bytes and filled with 0xFF (NaN, -1), as nothing is known of fresh device memory.
"""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

GRAIN = 512  # CuPy rounds sizes up to this, and aligns to it
CAPACITY = 16 * 2**30  # bytes of memory that an emulated device says it has


class OutOfMemoryError(MemoryError):
    """As ``cupy.cuda.memory.OutOfMemoryError``.

    Args:
        size: bytes that were asked for.
        total: bytes that the pool held.
        limit: bytes that it may hold; 0 for the whole device.
    """

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        self.size, self.total, self.limit = size, total, limit
        bound = f", limit set to: {limit:,} bytes" if limit else ""
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes{bound}).")


class Block:
    """Memory of one device, given back when nothing refers to it any more.

    Attributes:
        unwritten: whether it was taken for an empty array, and nothing has been written there yet as far as is known.
    """

    __slots__ = ("__weakref__", "bytes", "device", "pool", "size", "unwritten")

    def __init__(self, size: int, device: int) -> None:
        self.unwritten = False
        self.size, self.device, self.pool = 0, device, default_pool  # which the last arrays of a program outlive by its name
        rounded = -(-size // GRAIN) * GRAIN
        default_pool.take(rounded, device)
        self.size = rounded
        raw = np.empty(self.size + GRAIN, np.uint8)
        start = -raw.ctypes.data % GRAIN
        self.bytes = raw[start : start + size]
        with _births:
            _living.add(self)

    def __del__(self) -> None:
        self.pool.give_back(self.size, self.device)


_living: weakref.WeakSet[Block] = weakref.WeakSet()
_births = threading.Lock()  # held while a block is added, and while they are counted: several threads may compute


def _living_blocks() -> list[Block]:
    with _births:
        return list(_living)


def all_may_be_written() -> None:
    """Forget which blocks are unwritten: a kernel got addresses by which it can write anywhere."""
    for block in _living_blocks():
        block.unwritten = False


def memory_at(addresses: Iterable[int]) -> list[np.ndarray]:
    """The bytes of the living blocks in which addresses lie, each block once; an address that lies in none is left out.

    Example:
        >>> block = Block(8, 0)
        >>> start = block.bytes.ctypes.data
        >>> [each.nbytes for each in memory_at([start, start + 7, start + 8])]
        [8]
    """
    blocks = sorted((block.bytes.ctypes.data, block) for block in _living_blocks() if block.bytes.nbytes)
    starts = np.array([start for start, _ in blocks], np.uint64)
    asked = np.unique(np.fromiter(addresses, np.uint64))
    places = np.searchsorted(starts, asked, side="right").tolist()
    found = {}
    for address, place in zip(asked.tolist(), places):
        if place and address < blocks[place - 1][0] + blocks[place - 1][1].bytes.nbytes:
            found[place - 1] = blocks[place - 1][1].bytes
    return list(found.values())


@dataclass(frozen=True)
class DeviceMemory:
    """Memory of a device that belongs to no pool, as a program's variables do."""

    bytes: np.ndarray
    device: int
    unwritten = False


class MemoryPool:
    """As ``cupy.cuda.MemoryPool``: what is freed stays with the pool until ``free_all_blocks``.

    Example:
        >>> pool = MemoryPool()
        >>> pool.set_limit(size=2048)
        >>> pool.get_limit()
        2048
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a block may be given back by the garbage collector inside of take
        self._used: dict[int, int] = {}
        self._kept: dict[int, int] = {}
        self._limits: dict[int, int] = {}
        self._usual = _limit_by_environment()

    def take(self, size: int, device: int) -> None:
        """Count ``size`` bytes as used.

        Raises:
            OutOfMemoryError: there are not as many.
        """
        with self._lock:
            limit = self._limits.get(device, self._usual)
            if self._used.get(device, 0) + size > (limit or CAPACITY):
                gc.collect()  # before it gives up, CuPy gives back what it keeps and what only cycles hold
                self._kept[device] = 0
            used, kept = self._used.get(device, 0), self._kept.get(device, 0)
            if used + size > (limit or CAPACITY):
                raise OutOfMemoryError(size, used + kept, limit)
            self._used[device] = used + size
            kept = max(0, kept - size)
            self._kept[device] = max(0, min(kept, (limit or CAPACITY) - used - size))

    def give_back(self, size: int, device: int) -> None:
        """Count ``size`` bytes as free, and keep them."""
        with self._lock:
            self._used[device] = self._used.get(device, 0) - size  # 0 of a device that never had any
            self._kept[device] = self._kept.get(device, 0) + size

    def used_bytes(self) -> int:
        """Bytes of the arrays on the current device."""
        return self._used.get(current_device(), 0)

    def free_bytes(self) -> int:
        """Bytes that the pool keeps and no array has."""
        return self._kept.get(current_device(), 0)

    def total_bytes(self) -> int:
        """Both."""
        return self.used_bytes() + self.free_bytes()

    def free_all_blocks(self, stream: object = None) -> None:
        """Give what no array has back to the device."""
        with self._lock:
            self._kept[current_device()] = 0

    def n_free_blocks(self) -> int:
        """Whether something is kept; the pieces are not told apart here."""
        return int(self.free_bytes() > 0)

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Let the pool hold no more on the current device than ``size`` bytes, or that part of its memory; 0 for no limit."""
        if (size is None) == (fraction is None):
            raise ValueError(f"expected size or fraction, one of them, got {size} and {fraction}")
        self._limits[current_device()] = int(CAPACITY * fraction) if fraction is not None else int(size or 0)

    def get_limit(self) -> int:
        """The limit on the current device; 0 for none."""
        return self._limits.get(current_device(), self._usual)


def _limit_by_environment() -> int:
    text = os.environ.get("CUPY_GPU_MEMORY_LIMIT", "0")
    return int(CAPACITY * float(text[:-1]) / 100) if text.endswith("%") else int(text)


class _Current(threading.local):
    device = 0


_current = _Current()


def current_device() -> int:
    """The index of the device on which this thread works."""
    return _current.device


def set_current_device(index: int) -> None:
    """Work on another device from now on, in this thread."""
    _current.device = index


default_pool = MemoryPool()
