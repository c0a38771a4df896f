"""What a kernel asks of a GPU's memory, line by line: the records of the profile mode.

The model is the one that NVIDIA documents. The lanes of a warp that come to an instruction together make one request. Global
memory is moved in sectors of 32 bytes, of which a request needs at least as many as hold the bytes that it asks for. Shared
memory lies in 32 banks of 4 bytes, each of which gives one word in a turn (a wavefront), to all lanes that want this word: 32
lanes are served together where each wants up to 4 bytes, 16 where each wants 8, and 8 where each wants 16.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from minigrad.emulator import library
from minigrad.emulator.findings import Place, Sources

ACCESSES = ("", "read", "write", "atomic", "copy")
SPACES = ("", "global", "shared", "shared", "variable", "local")


class LineUse(NamedTuple):
    """What the accesses of one kind came to that a line makes to one array, as far as they fare alike.

    Attributes:
        place: the line.
        access: "read", "write", "atomic" or "copy" (an asynchronous one, which reads global and writes shared memory).
        space: "global", "shared", "variable" (of the program, such as a ``__constant__`` one), or "local" (a thread's own,
            which a GPU may keep in registers).
        array: the parameter or the shared array.
        width: bytes that each lane asks for.
        requests: how often a warp came.
        lanes: how many lanes came, in all.
        sectors: pieces of 32 bytes of global memory that were touched, summed over requests.
        ideal_sectors: how many would have held the bytes that were asked for.
        wavefronts: turns of shared memory, summed over requests.
        ideal_wavefronts: how many there would have been without a bank conflict.
    """

    place: Place
    access: str
    space: str
    array: str
    width: int
    requests: int
    lanes: int
    sectors: int
    ideal_sectors: int
    wavefronts: int
    ideal_wavefronts: int

    @property
    def text(self) -> str:
        """The line's text."""
        return self.place.text

    @property
    def worst(self) -> float:
        """How many times more sectors or wavefronts there are than need be; 1 where nothing is lost."""
        return max(self.sectors / max(1, self.ideal_sectors), self.wavefronts / max(1, self.ideal_wavefronts), 1.0)

    def per_request(self, count: int) -> float:
        """A count of this record, divided by its requests."""
        return count / self.requests


def read(handle: Any, sources: Sources, base: int, parameters: Sequence[str]) -> tuple[list[LineUse], int]:
    """The records of a launch in profile mode, by line, and how many accesses are in none of them."""
    found, left_out = library.recorded(handle, library.CLineUse)
    place = sources.places([one.site for one in found], base)
    merged: dict[tuple[Any, ...], LineUse] = {}
    for one in found:  # one instruction's; those of a line that fare alike are put together
        array = array_name(one.space, one.argument, one.array, parameters)
        counts = (one.requests, one.lanes, one.sectors, one.ideal_sectors, one.wavefronts, one.ideal_wavefronts)
        line = LineUse(place(one.site), ACCESSES[one.access], SPACES[one.space], array, one.width, *counts)
        key = (*line[:5], round(line.worst, 2))
        if key in merged:
            line = LineUse(*line[:5], *(a + b for a, b in zip(merged[key][5:], counts, strict=True)))
        merged[key] = line
    return sorted(merged.values()), left_out


def array_name(space: int, argument: int, name: bytes | None, parameters: Sequence[str]) -> str:
    """Of global memory the parameter that gives it, of shared memory the array's own name."""
    if SPACES[space] == "global":
        known = 0 <= argument < len(parameters)
        return parameters[argument] if known else f"array {argument - len(parameters)} of reachable"
    if SPACES[space] == "shared":
        return "dynamic" if name is None else name.decode()
    return SPACES[space]
