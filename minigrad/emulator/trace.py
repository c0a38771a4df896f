"""What each thread of a block did, one thing after another: the records of the trace mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.emulator import library
from minigrad.emulator.arguments import Parameter
from minigrad.emulator.findings import Place, Sources
from minigrad.emulator.profile import ACCESSES, SPACES, array_name

KINDS = ("access", "arrives", "barrier", "warp", "grid", "ends")
_NOBODY = -1


class Event(NamedTuple):
    """One thing that a thread did, or that threads did together.

    Attributes:
        kind: "access"; "arrives" at a meeting, whose name is ``array``; "barrier", "warp" and "grid": those who waited there go
            on; "ends": the thread has returned.
        place: the line; of a meeting that is over, and of an end, none.
        thread: its number in the block, or -1 where several met.
        access: "read", "write", "atomic", or "copy": an asynchronous one that comes in.
        space: "global", "shared" or "variable".
        array: the parameter or the shared array.
        element: where in the array: the number of the element, or one number for each dimension of a shared array.
        offset: in the array, in bytes.
        width: bytes.
        value: what was read, or is there afterwards: numbers, or nothing where they are not known.
        lanes: the lanes of the warp that met, a bit for each; of a warp, ``thread`` is its number.
    """

    kind: str
    place: Place
    thread: int
    access: str = ""
    space: str = ""
    array: str = ""
    element: tuple[int, ...] = ()
    offset: int = 0
    width: int = 0
    value: tuple[Any, ...] = ()
    lanes: int = 0


def read(handle: Any, sources: Sources, base: int, parameters: Sequence[Parameter]) -> tuple[list[Event], int]:
    """The events of a launch in trace mode, and how many there were beyond the limit."""
    found, left_out = library.recorded(handle, library.CEvent)
    place = sources.places({_key(one.site): one.site for one in found}.values(), base)
    names = [one.name for one in parameters]
    places: dict[tuple[int, int], Place] = {}
    events = []
    for one in _in_order(found):
        kind, key = KINDS[one.what], _key(one.site)
        if key not in places:
            places[key] = place(one.site) if one.site.where else Place("", 0, "")
        if kind == "access":
            dtype, inner = _element(one, parameters)
            array = array_name(one.space, one.argument, one.name, names)
            index = _index(one.offset // dtype.itemsize, inner) if array != "variable" else ()
            value = tuple(np.frombuffer(bytes(one.value)[: one.width], dtype).tolist()) if one.has_value else ()
            told = ACCESSES[one.access], SPACES[one.space], array, index, one.offset, one.width, value
            events.append(Event(kind, places[key], one.thread, *told))
        elif kind == "warp":
            events.append(Event(kind, places[key], one.thread // 32, lanes=one.lanes))
        else:
            thread = one.thread if kind in ("arrives", "ends") else _NOBODY
            events.append(Event(kind, places[key], thread, array=one.name.decode() if one.name else ""))
    return events, left_out


def _in_order(found: list[library.CEvent]) -> list[library.CEvent]:
    """g++ tells of a copied structure that it is written, then that it is read: it is read first."""
    ordered = list(found)
    for at in range(len(ordered) - 1):
        write, read = ordered[at : at + 2]
        if (KINDS[write.what], ACCESSES[write.access]) == ("access", "write") and ACCESSES[read.access] == "read":
            same = write.thread == read.thread and write.width == read.width > 4 and bytes(write.value) == bytes(read.value)
            if same:
                ordered[at : at + 2] = read, write
    return ordered


def _key(site: library.CSite) -> tuple[int, int]:
    return site.where or 0, site.line


def _element(one: library.CEvent, parameters: Sequence[Parameter]) -> tuple[np.dtype, tuple[int, ...]]:
    """The dtype of an array's elements, whole numbers where it is not known, and its sizes but the first."""
    dtype: np.dtype | None = None
    inner: tuple[int, ...] = ()
    if 0 <= one.argument < len(parameters):
        dtype = parameters[one.argument].dtype
    elif one.shape.size:
        kind = one.shape.kind.decode()
        dtype = np.dtype(f"{kind}{one.shape.size}") if kind in "fiu" else np.dtype(bool) if kind == "b" else None
        inner = tuple(size for size in one.shape.inner if size)
    if dtype is None or dtype.kind == "V" or one.width % dtype.itemsize:
        return np.dtype(f"u{one.width}") if one.width in (1, 2, 4, 8) else np.dtype(np.uint8), ()
    return dtype, inner


def _index(number: int, inner: tuple[int, ...]) -> tuple[int, ...]:
    """The number of an element as one for each dimension.

    Example:
        >>> _index(70, (33,))
        (2, 4)
    """
    index: tuple[int, ...] = ()
    for size in reversed(inner):
        number, last = divmod(number, size)
        index = (last, *index)
    return (number, *index)
