"""``cupy.cuda`` of the stand-in: devices, streams, events, the memory pool, and what a driver would say of the chip.

Everything runs at once and in order, but for copies from pinned memory in a stream of their own: these wait until they are
waited for. An event notes the host's clock. The chip is made up; its limits are those of compute capability 8.0.
"""

from __future__ import annotations

import threading
import time
import weakref
from types import SimpleNamespace, TracebackType
from typing import Any

import numpy as np

from minigrad.emulator.cupy import memory
from minigrad.emulator.cupy.memory import MemoryPool
from minigrad.emulator.cupy.traffic import waited

DEVICES = 2

PROPERTIES: dict[str, Any] = {
    "name": b"emulated on the CPU",
    "totalGlobalMem": memory.CAPACITY,
    "sharedMemPerBlock": 48 * 1024,
    "sharedMemPerBlockOptin": 163 * 1024,
    "sharedMemPerMultiprocessor": 164 * 1024,
    "reservedSharedMemPerBlock": 1024,
    "regsPerBlock": 65536,
    "regsPerMultiprocessor": 65536,
    "warpSize": 32,
    "maxThreadsPerBlock": 1024,
    "maxThreadsPerMultiProcessor": 2048,
    "maxBlocksPerMultiProcessor": 32,
    "multiProcessorCount": 4,
    "l2CacheSize": 4 * 1024 * 1024,
    "cooperativeLaunch": 1,
    "major": 8,
    "minor": 0,
}
ATTRIBUTES = {
    "MultiProcessorCount": PROPERTIES["multiProcessorCount"],
    "MaxThreadsPerBlock": PROPERTIES["maxThreadsPerBlock"],
    "MaxThreadsPerMultiProcessor": PROPERTIES["maxThreadsPerMultiProcessor"],
    "MaxBlocksPerMultiprocessor": PROPERTIES["maxBlocksPerMultiProcessor"],
    "MaxRegistersPerMultiprocessor": PROPERTIES["regsPerMultiprocessor"],
    "MaxSharedMemoryPerBlock": PROPERTIES["sharedMemPerBlock"],
    "MaxSharedMemoryPerBlockOptin": PROPERTIES["sharedMemPerBlockOptin"],
    "MaxSharedMemoryPerMultiprocessor": PROPERTIES["sharedMemPerMultiprocessor"],
    "WarpSize": PROPERTIES["warpSize"],
    "CooperativeLaunch": 1,
    "L2CacheSize": PROPERTIES["l2CacheSize"],
}


class CUDARuntimeError(RuntimeError):
    """As ``cupy.cuda.runtime.CUDARuntimeError``."""


class CUDADriverError(RuntimeError):
    """As ``cupy.cuda.driver.CUDADriverError``."""


class CompileException(Exception):
    """As ``cupy.cuda.compiler.CompileException``: CUDA C++ that does not compile."""

    def __init__(self, msg: str, source: str, name: str, options: tuple[str, ...], backend: str = "nvrtc") -> None:
        super().__init__(msg)
        self.source, self.name, self.options, self.backend = source, name, options, backend

    def get_message(self) -> str:
        """What the compiler says."""
        return str(self)


class Device:
    """As ``cupy.cuda.Device``: inside a ``with`` block this thread works on it.

    Args:
        device: its index, or another Device; the current one by default.

    Example:
        >>> with Device(1):
        ...     Device().id
        1
    """

    def __init__(self, device: Any = None) -> None:
        self.id = memory.current_device() if device is None else int(device)
        self._before: list[int] = []

    def use(self) -> None:
        """Work on it from now on."""
        _check_index(self.id)
        memory.set_current_device(self.id)

    def __enter__(self) -> Device:
        self._before.append(memory.current_device())
        self.use()
        return self

    def __exit__(self, *_: Any) -> None:
        memory.set_current_device(self._before.pop())

    def synchronize(self) -> None:
        """Wait for what it has to do."""
        waited(copied=False)

    @property
    def compute_capability(self) -> str:
        """Its generation, as two figures."""
        return f"{PROPERTIES['major']}{PROPERTIES['minor']}"

    @property
    def attributes(self) -> dict[str, Any]:
        """What the driver says of the chip."""
        return dict(ATTRIBUTES)

    @property
    def mem_info(self) -> tuple[int, int]:
        """Bytes that are free and that there are."""
        with self:
            return memory.CAPACITY - memory.default_pool.total_bytes(), memory.CAPACITY

    @property
    def pci_bus_id(self) -> str:
        """Where a real one would be plugged in."""
        return f"0000:{self.id:02}:00.0"

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"


def _check_index(index: int) -> None:
    if not 0 <= index < DEVICES:
        raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")


class Event:
    """As ``cupy.cuda.Event``: a point in a stream, here the time at which it was recorded."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.time: float | None = None
        self._stream: Stream | None = None
        self._place = 0

    def record(self, stream: Any = None) -> None:
        """Note the time, and how far the stream is filled."""
        self.time = time.perf_counter()
        self._stream = get_current_stream() if stream is None else stream
        self._place = self._stream._filled

    def synchronize(self) -> None:
        """Wait until the stream is past it."""
        waited(copied=False)
        self._reach()

    def _reach(self) -> None:
        if self._stream is not None:
            self._stream._run(self._place)

    @property
    def done(self) -> bool:
        """Whether the stream is past it."""
        return self._stream is None or self._stream._ran >= self._place


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two events."""
    if start_event.time is None or end_event.time is None:
        raise CUDARuntimeError("cudaErrorInvalidResourceHandle: an event that was never recorded")
    return 1000 * (end_event.time - start_event.time)


class _Streams(threading.local):
    current: Stream | None = None


_streams = _Streams()


class Stream:
    """As ``cupy.cuda.Stream``. Work in it is done at once, but for copies from pinned memory into arrays.

    A GPU does these whenever it comes to it. Here they wait until someone waits for them: the host for the stream or for an
    event after them, or another stream for such an event. Who waits for neither reads what stood there before, and who
    fills the pinned memory anew too soon finds that copied.
    """

    null: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False) -> None:
        self.ptr = 0 if null else id(self)
        self.device_id = memory.current_device()
        self._before: list[Stream | None] = []
        self._waiting: list[Any] = []
        self._filled = self._ran = 0  # copies that were given to it, and done

    def _put(self, work: Any) -> None:
        self._waiting.append(work)
        self._filled += 1

    def _run(self, until: int) -> None:
        while self._ran < until and self._waiting:
            self._waiting.pop(0)()
            self._ran += 1

    def use(self) -> Stream:
        """Work in it from now on."""
        _streams.current = self
        return self

    def __enter__(self) -> Stream:
        self._before.append(_streams.current)
        return self.use()

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _streams.current = self._before.pop()

    def synchronize(self) -> None:
        """Wait for what stands in it."""
        waited(copied=False)
        self._run(self._filled)

    def record(self, event: Event | None = None) -> Event:
        """Put an event into it."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Go on after an event of another stream."""
        event._reach()

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return not self._waiting


Stream.null = Stream(null=True)


def get_current_stream(device_id: int = -1) -> Stream:
    """The stream in which this thread works."""
    return _streams.current or Stream.null


def do_in(stream: Stream | None, source: np.ndarray, copy: Any) -> None:
    """Copy from the host in a stream: when it is waited for, if the memory is pinned and the stream is not the usual one."""
    stream = get_current_stream() if stream is None else stream
    if stream.ptr and is_pinned(source):
        stream._put(copy)
    else:
        stream._run(stream._filled)
        copy()


_pinned: dict[int, weakref.ref[np.ndarray]] = {}


def pinned(array: np.ndarray) -> np.ndarray:
    """An array of the host whose memory counts as pinned from now on."""
    key = id(array)
    _pinned[key] = weakref.ref(array, lambda _: _pinned.pop(key, None))
    return array


def is_pinned(array: Any) -> bool:
    """Whether an array lies in pinned memory."""
    while isinstance(array, np.ndarray):
        if id(array) in _pinned:
            return True
        array = array.base
    return False


class PinnedMemoryPool:
    """As ``cupy.cuda.PinnedMemoryPool``; nothing is pinned here."""

    def free_all_blocks(self) -> None:
        """Give back what is not used."""

    def n_free_blocks(self) -> int:
        """How much is kept."""
        return 0


class PinnedMemoryPointer(bytearray):
    """Memory of the host of which the device can copy while the host goes on."""

    @property
    def ptr(self) -> int:
        """Its address."""
        return np.frombuffer(self, np.uint8).ctypes.data if self else 0


def alloc_pinned_memory(size: int) -> PinnedMemoryPointer:
    """Memory of that many bytes, a buffer."""
    return PinnedMemoryPointer(size)


def is_available() -> bool:
    """Whether there is a device."""
    return True


def _set_device(device: int) -> None:
    Device(device).use()


def _properties(device: int) -> dict[str, Any]:
    _check_index(device)
    return dict(PROPERTIES)


runtime = SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    deviceSynchronize=lambda: waited(copied=False),
    driverGetVersion=lambda: 13000,
    getDevice=memory.current_device,
    getDeviceCount=lambda: DEVICES,
    getDeviceProperties=_properties,
    is_hip=False,
    memGetInfo=lambda: Device().mem_info,
    runtimeGetVersion=lambda: 13000,
    setDevice=_set_device,
)

driver = SimpleNamespace(CUDADriverError=CUDADriverError)
compiler = SimpleNamespace(CompileException=CompileException)

__all__ = [
    "Device",
    "Event",
    "MemoryPool",
    "PinnedMemoryPool",
    "Stream",
    "alloc_pinned_memory",
    "compiler",
    "driver",
    "get_current_stream",
    "get_elapsed_time",
    "is_available",
    "runtime",
]
