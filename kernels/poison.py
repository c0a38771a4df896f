"""Memory that holds a known byte when a kernel gets it: what a kernel forgets to write is then seen.

NumPy lets its allocator be replaced (PyDataMem_SetHandler, NEP 49). Inside :func:`poisoned` every array that NumPy makes in
this thread without filling it (``np.empty``, ``np.empty_like``, results of ufuncs) holds the byte everywhere. 0xFF makes a NaN
of every float and -1 of every whole number, 0x7F large finite ones. Memory that others allocate, such as an array that is made
inside a function compiled by Numba, is beyond its reach; :func:`spread` fills and frees memory of like sizes, which the
system's allocator may then hand out again.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
from collections.abc import Iterable, Iterator
from typing import Any

NAN, LARGE = 0xFF, 0x7F
SET_HANDLER, GET_HANDLER = 304, 305  # places in NumPy's C API, the same in all versions from 1.22 on
CAPSULE = b"mem_handler"
SPREAD = 16  # sizes around each that are filled: allocators put a head before their blocks

_malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class _Handler(ctypes.Structure):
    """PyDataMem_Handler of NumPy's ``ndarraytypes.h``."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("ctx", ctypes.c_void_p),
        ("malloc", _malloc),
        ("calloc", ctypes.c_void_p),
        ("realloc", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
    )


@contextlib.contextmanager
def poisoned(byte: int) -> Iterator[None]:
    """Fill with ``byte`` what NumPy allocates in this thread inside a ``with`` block.

    Example:
        >>> import numpy as np
        >>> with poisoned(NAN):
        ...     np.empty(2)
        array([nan, nan])
    """
    change = _function(SET_HANDLER, ctypes.py_object)
    before = change(_capsule(byte))
    try:
        yield
    finally:
        change(before)


def spread(sizes: Iterable[int], byte: int) -> None:
    """Fill memory of about these sizes in bytes, and free it."""
    api = ctypes.pythonapi
    api.PyMem_RawMalloc.restype, api.PyMem_RawMalloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    api.PyMem_RawFree.restype, api.PyMem_RawFree.argtypes = None, (ctypes.c_void_p,)
    blocks = []
    for size in sizes:
        for more in range(SPREAD):
            block = api.PyMem_RawMalloc(size + 16 * more)
            if block:
                ctypes.memset(block, byte, size + 16 * more)
                blocks.append(block)
    for block in reversed(blocks):
        api.PyMem_RawFree(block)


def _function(place: int, *arguments: Any) -> Any:
    """A function of NumPy's C API that takes and gives Python objects."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    table = ctypes.cast(
        pointer(importlib.import_module("numpy._core._multiarray_umath")._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p)
    )
    return ctypes.PYFUNCTYPE(ctypes.py_object, *arguments)(table[place])


@functools.cache
def _capsule(byte: int) -> Any:
    """NumPy's own allocator with memory filled, as the object that NumPy wants. It lives as long as the process."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    own = _function(GET_HANDLER)()
    handler = _Handler()
    ctypes.memmove(ctypes.addressof(handler), pointer(own, CAPSULE), ctypes.sizeof(_Handler))
    allocate = _malloc(ctypes.cast(handler.malloc, ctypes.c_void_p).value or 0)

    def malloc(context: Any, size: int) -> int | None:
        block = allocate(context, size)
        if block:
            ctypes.memset(block, byte, size)
        return block

    handler.name, handler.malloc = b"minigrad_poison", _malloc(malloc)
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    capsule = new(ctypes.addressof(handler), CAPSULE, None)
    _forever.append((handler, own, capsule))
    return capsule


_forever: list[Any] = []  # arrays that were made with a handler are freed with it
