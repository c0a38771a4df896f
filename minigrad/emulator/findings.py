"""What the runtime finds wrong with a kernel, in words: what happened, where, between which threads, and what to do."""

from __future__ import annotations

import ctypes
import functools
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from minigrad.emulator.library import CFinding, CSite

KINDS = (
    *("", "race", "out of bounds", "uninitialised read", "misaligned access", "write through const", "divergent barrier"),
    *("exited at barrier", "deadlock", "exited lanes", "lane not in mask", "partial warp", "pending copy", "bad copy"),
    *("shared memory", "assertion", "trap", "crash", "stack overflow", "division by zero", "no memory", "grid barrier"),
)

Index = tuple[int, int, int]


class Place(NamedTuple):
    """A line of the source: file, number from 1, and its text."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Finding(NamedTuple):
    """One fault of a kernel.

    Attributes:
        kind: one of ``KINDS``: "race", "out of bounds", ...
        place: where it came to light.
        block: the block, and
        thread: the thread in it that was there.
        explanation: what happened, in plain words.
        remedy: what to do about it.
        other_place: where the other thread of a race or barrier was, or ``None``.
        other_block: its block.
        other_thread: its index.
        times: how often the same was found.
    """

    kind: str
    place: Place
    block: Index
    thread: Index
    explanation: str
    remedy: str
    other_place: Place | None = None
    other_block: Index | None = None
    other_thread: Index | None = None
    times: int = 1

    def __str__(self) -> str:
        lines = [f"{self.kind}: {self.explanation}", f"  {self.place}: {self.place.text}".rstrip(": ")]
        lines.append(f"    block {self.block}, thread {self.thread}")
        if self.other_place is not None:
            lines.append(f"  {self.other_place}: {self.other_place.text}".rstrip(": "))
        if self.other_thread is not None:
            lines.append(f"    block {self.other_block}, thread {self.other_thread}")
        if self.times > 1:
            lines.append(f"  found {self.times} times")
        lines.append(f"  {self.remedy}.")
        return "\n".join(lines)


class Sources:
    """The texts of a program, and which line of them stands behind an address of its code.

    Args:
        name: the file's name.
        text: its text; ``#line`` in it name other files.
        library: the compiled program.
    """

    def __init__(self, name: str, text: str, library: Path) -> None:
        self._name, self._text, self._library = name, text, library

    @functools.cached_property
    def lines(self) -> dict[tuple[str, int], str]:
        """The text of each line by file and number."""
        found, file, number = {}, self._name, 0
        for line in self._text.split("\n"):
            number += 1
            if told := re.match(r'\s*#\s*line\s+(\d+)(?:\s+"([^"]*)")?', line):
                file, number = told[2] or file, int(told[1]) - 1
            else:
                found[file, number] = line.strip()
        return found

    def place(self, file: str, line: int) -> Place:
        return Place(file, line, self.lines.get((file, line), ""))

    def behind(self, addresses: Sequence[int]) -> dict[int, Place]:
        """The lines behind addresses of code, relative to where the program is loaded.

        Of a call that was made part of another function, it is the innermost line that is in the program's own text.
        """
        asked = sorted(set(addresses))
        if not asked:
            return {}
        command = ["addr2line", "-e", str(self._library), "-i", "-a", *(hex(one) for one in asked)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found: dict[int, Place] = {}
        address = 0
        for answer in done.stdout.splitlines():
            if answer.startswith("0x"):
                address = int(answer, 16)
            elif told := re.match(r"(.*):(\d+)", answer):
                place = self.place(told[1].removeprefix("./"), int(told[2]))
                if address not in found and (place.file, place.line) in self.lines:
                    found[address] = place
        return {one: found.get(one, Place("an unknown line", 0, "")) for one in asked}

    def places(self, sites: Iterable[CSite], base: int) -> Callable[[CSite], Place]:
        """A function that gives the line of each of these sites of a program that is loaded at ``base``."""
        # A call's return address lies behind it: the byte before belongs to it.
        behind = self.behind([site.where - base - 1 for site in sites if site.where and not site.line])

        def place(site: CSite) -> Place:
            if not site.where:
                return Place("its end", 0, "")
            if site.line:
                return self.place(ctypes.string_at(site.where).decode(), site.line)
            return behind[site.where - base - 1]

        return place


def told(found: Sequence[CFinding], sources: Sources, base: int, parameters: Sequence[str]) -> list[Finding]:
    """The runtime's records in words.

    Args:
        found: the records.
        sources: of the program.
        base: where the program is loaded.
        parameters: the names of the kernel's parameters.
    """
    place = sources.places([side.site for one in found for side in (one.here, one.there) if side.known], base)

    def finding(one: CFinding) -> Finding:
        explanation, remedy = _words(one, parameters)
        here, other = one.here, one.there
        found = Finding(KINDS[one.kind], place(here.site), _index(here.block), _index(here.thread), explanation, remedy)
        found = found._replace(times=int(one.count))
        if not other.known:
            return found
        return found._replace(other_place=place(other.site), other_block=_index(other.block), other_thread=_index(other.thread))

    return [finding(one) for one in found]


def _index(three: ctypes.Array) -> Index:
    x, y, z = three
    return x, y, z


def _lanes(mask: int) -> str:
    """Lanes of a mask, ranges joined: ``0-15, 20``."""
    lanes = [lane for lane in range(32) if mask >> lane & 1]
    runs: list[list[int]] = []
    for lane in lanes:
        if runs and runs[-1][-1] == lane - 1:
            runs[-1].append(lane)
        else:
            runs.append([lane])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _words(one: CFinding, parameters: Sequence[str]) -> tuple[str, str]:
    """Explanation and remedy of a finding."""
    from minigrad.emulator import explanations

    return explanations.of(KINDS[one.kind], one, parameters, _lanes)
