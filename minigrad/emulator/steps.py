"""A trace put in order for a reader: what the threads of a block did side by side, step for step, between two barriers.

Each thread runs by itself to the next meeting, so that in the trace one stands behind the other. On a GPU the lanes of a warp
go through a line together: here the n-th time of a thread in a line stands beside the n-th time of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from minigrad.emulator.findings import Place
from minigrad.emulator.trace import Event

LANES, BANKS, WORD, SECTOR = 32, 32, 4, 32


class Step(NamedTuple):
    """What threads did at one line at one time.

    Attributes:
        place: the line.
        access: "read", "write", "atomic", "copy"; or "meets", where lanes of a warp come together.
        space: "global", "shared", "variable", or nothing where no memory is touched.
        array: the array, or the name of the meeting.
        events: of each thread that was there.
    """

    place: Place
    access: str
    space: str
    array: str
    events: dict[int, Event]

    def cost(self) -> tuple[int, int]:
        """Wavefronts of shared memory or sectors of global memory that the step takes, and how many need be.

        Example:
            >>> def column(pitch):
            ...     there = {t: Event("access", Place("", 1, ""), t, offset=4 * pitch * t, width=4) for t in range(32)}
            ...     return Step(Place("", 1, ""), "read", "shared", "tile", there).cost()
            >>> column(32), column(33)
            ((32, 1), (1, 1))
        """
        warps: dict[int, dict[int, Event]] = {}
        for thread, event in self.events.items():
            warps.setdefault(thread // LANES, {})[thread % LANES] = event
        count = {"shared": _wavefronts, "global": _sectors}.get(self.space)
        costs = [count(lanes) for lanes in warps.values()] if count else []
        return sum(cost for cost, _ in costs), sum(least for _, least in costs)


class Rule(NamedTuple):
    """A barrier: what stands above it was done before what stands below.

    Attributes:
        name: "__syncthreads" or "grid_sync".
        places: the lines where threads waited.
        threads: how many did.
    """

    name: str
    places: tuple[Place, ...]
    threads: int


def arranged(events: Sequence[Event]) -> list[Step | Rule]:
    """The steps of a trace, and the barriers between them.

    Args:
        events: of :func:`minigrad.emulator.trace.read`.
    """
    found: list[Step | Rule] = []
    since: list[Event] = []
    for event in events:
        if event.kind in ("barrier", "grid"):
            name = "grid_sync" if event.kind == "grid" else "__syncthreads"
            waiting = [one for one in since if one.kind == "arrives" and one.array == name]
            found += _side_by_side(since)
            found.append(Rule(name, tuple(dict.fromkeys(one.place for one in waiting)), len(waiting)))
            since = []
        else:
            since.append(event)
    return found + _side_by_side(since)


def _side_by_side(events: Sequence[Event]) -> list[Step]:
    """The steps of all threads between two barriers, none of which has them in another order than any thread."""
    of_thread: dict[int, list[Event]] = {}
    for event in events:
        if event.kind == "access" or (event.kind == "arrives" and event.array not in ("__syncthreads", "grid_sync")):
            of_thread.setdefault(event.thread, []).append(event)
    rows: list[tuple[tuple, Step]] = []
    for thread in sorted(of_thread):
        places: dict[tuple, list[int]] = {}
        for at, (key, _) in enumerate(rows):
            places.setdefault(key, []).append(at)
        times: Counter[tuple] = Counter()
        merged: list[tuple[tuple, Step]] = []
        copied = 0
        for event in of_thread[thread]:
            access = event.access or "meets"
            what = (event.place, access, event.space, event.array, event.width)
            times[what] += 1
            further = [at for at in places.get((what, times[what]), ()) if at >= copied]
            if further:
                merged += rows[copied : further[0] + 1]
                copied = further[0] + 1
            else:  # no other thread was there, or it was in another order
                merged.append(((what, times[what]), Step(event.place, access, event.space, event.array, {})))
            merged[-1][1].events[thread] = event
        rows = merged + rows[copied:]
    return [step for _, step in rows]


def _wavefronts(lanes: dict[int, Event]) -> tuple[int, int]:
    width = next(iter(lanes.values())).width
    together = LANES if width <= WORD else LANES // 2 if width <= 2 * WORD else LANES // 4
    parts: dict[int, set[int]] = {}
    for lane, event in lanes.items():
        words = range(event.offset // WORD, (event.offset + event.width - 1) // WORD + 1)
        parts.setdefault(lane // together, set()).update(words)
    return sum(max(Counter(word % BANKS for word in words).values()) for words in parts.values()), len(parts)


def _sectors(lanes: dict[int, Event]) -> tuple[int, int]:
    touched = {byte for event in lanes.values() for byte in range(event.offset, event.offset + event.width)}
    return len({byte // SECTOR for byte in touched}), -(-len(touched) // SECTOR)
