"""The runtime's side of a launch, in Python's terms: structures mirrored from ``runtime/launch.hpp``, and its functions."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from minigrad.emulator import compiler
from minigrad.errors import KernelError

THREE = ctypes.c_uint32 * 3


class CParameter(ctypes.Structure):
    _fields_ = (
        *(("kind", ctypes.c_char), ("pointee", ctypes.c_char), ("constant", ctypes.c_bool)),
        *(("size", ctypes.c_uint32), ("alignment", ctypes.c_uint32)),
    )


class CEntry(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("call", ctypes.c_void_p),
        ("parameters", ctypes.POINTER(CParameter)),
        ("count", ctypes.c_int),
    )


class CBuffer(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_void_p),
        ("bytes", ctypes.c_uint64),
        ("argument", ctypes.c_int32),
        ("constant", ctypes.c_int32),
        ("uninitialised", ctypes.c_int32),
        ("piece", ctypes.c_int32),
    )


class CRequest(ctypes.Structure):
    _fields_ = (
        ("entry", ctypes.c_void_p),
        ("arguments", ctypes.c_void_p),
        ("buffers", ctypes.c_void_p),
        ("buffer_count", ctypes.c_int32),
        ("mode", ctypes.c_int32),
        ("grid", THREE),
        ("block", THREE),
        ("dynamic_shared", ctypes.c_uint64),
        ("most_shared", ctypes.c_uint64),
        ("order", ctypes.c_uint64),
        ("cooperative", ctypes.c_int32),
        ("workers", ctypes.c_int32),
        ("watched_block", ctypes.c_uint64),
        ("most_events", ctypes.c_uint64),
    )


class CSite(ctypes.Structure):
    _fields_ = (("where", ctypes.c_void_p), ("line", ctypes.c_int64))


class CSide(ctypes.Structure):
    _fields_ = (("site", CSite), ("block", THREE), ("thread", THREE), ("access", ctypes.c_int32), ("known", ctypes.c_int32))


class CFinding(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int32),
        ("space", ctypes.c_int32),
        ("here", CSide),
        ("there", CSide),
        ("argument", ctypes.c_int32),
        ("bytes", ctypes.c_int32),
        ("offset", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("name", ctypes.c_char_p),
        ("mask", ctypes.c_uint64),
        ("lanes", ctypes.c_uint64),
        ("count", ctypes.c_uint64),
    )


class CLineUse(ctypes.Structure):
    _fields_ = (
        ("site", CSite),
        ("access", ctypes.c_int32),
        ("space", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("argument", ctypes.c_int32),
        ("array", ctypes.c_char_p),
        ("requests", ctypes.c_uint64),
        ("lanes", ctypes.c_uint64),
        ("sectors", ctypes.c_uint64),
        ("ideal_sectors", ctypes.c_uint64),
        ("wavefronts", ctypes.c_uint64),
        ("ideal_wavefronts", ctypes.c_uint64),
    )


class CShape(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_char), ("size", ctypes.c_uint32), ("inner", ctypes.c_uint32 * 2))


class CEvent(ctypes.Structure):
    _fields_ = (
        ("site", CSite),
        ("what", ctypes.c_int32),
        ("access", ctypes.c_int32),
        ("space", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("argument", ctypes.c_int32),
        ("thread", ctypes.c_uint32),
        ("offset", ctypes.c_int64),
        ("name", ctypes.c_char_p),
        ("lanes", ctypes.c_uint64),
        ("shape", CShape),
        ("has_value", ctypes.c_int32),
        ("value", ctypes.c_uint8 * 16),
    )


_WEIGHTS = ((CRequest, 10**9), (CFinding, 10**6), (CLineUse, 1000), (CEvent, 1), (CBuffer, 7))
_LAYOUT = sum(ctypes.sizeof(one) * weight for one, weight in _WEIGHTS)


@functools.cache
def runtime() -> Any:
    """The runtime, compiled and loaded at the first call.

    Raises:
        KernelError: there is no g++, or it does not compile the runtime.
    """
    try:
        path = compiler.runtime_library()
    except compiler.CompileError as error:
        raise KernelError("emulator", "runtime", "that g++ compiles it", str(error), "Install a newer g++") from None
    library = ctypes.CDLL(str(path))
    handle, integer = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("new", handle, [ctypes.POINTER(CRequest)]),
        ("start", integer, [handle]),
        ("wait", integer, [handle, integer]),
        ("stop", None, [handle]),
        ("finding_count", integer, [handle]),
        ("findings", ctypes.POINTER(CFinding), [handle]),
        ("failed", integer, [handle]),
        ("recorded", ctypes.c_uint64, [handle, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_uint64)]),
        ("free", None, [handle]),
        ("layout", ctypes.c_uint64, []),
    ):
        function = getattr(library, f"emulator_{name}")
        function.restype, function.argtypes = result, arguments
    if library.emulator_layout() != _LAYOUT:
        raise KernelError("emulator", "runtime", "structures as in launch.hpp", "others", "Install minigrad anew")
    return library


def run(request: CRequest) -> Any:
    """Run a launch to its end, and hand back the runtime's handle of it, to be freed by the caller.

    Ctrl-C and whatever else Python raises while it waits end the launch first.
    """
    library = runtime()
    handle = library.emulator_new(ctypes.byref(request))
    try:
        if library.emulator_start(handle):
            raise KernelError(
                "emulator", "threads", "a thread to run the kernel on", "none from the system", "End other programs"
            )
        while not library.emulator_wait(handle, 100):
            pass
    except BaseException:
        _end(handle)
        raise
    return handle


def recorded(handle: Any, kind: type[ctypes.Structure]) -> tuple[list[Any], int]:
    """What a profile or a trace recorded: its records, good until the launch is freed, and how many are left out."""
    records, left_out = ctypes.c_void_p(), ctypes.c_uint64()
    count = runtime().emulator_recorded(handle, ctypes.byref(records), ctypes.byref(left_out))
    found = ctypes.cast(records, ctypes.POINTER(kind))
    return [found[at] for at in range(count)], left_out.value


def _end(handle: Any) -> None:
    library = runtime()
    while True:
        try:
            library.emulator_stop(handle)
            if library.emulator_wait(handle, 20):
                break
        except KeyboardInterrupt:  # once more: it is ending already
            continue
    library.emulator_free(handle)
