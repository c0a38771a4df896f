"""What a companion does: it compiles what its parent will need, the last first, until the two meet. See ``companions.py``."""

from __future__ import annotations

import gc
import itertools
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from minigrad.errors import KernelError
from minigrad.kernels.native import claims, programs
from minigrad.kernels.native.ahead import Job
from minigrad.kernels.native.store import read, store
from minigrad.kernels.native.usual import USUAL

QUIET = 10.0  # seconds: a parent that has missed nothing for so long has what it needs


class Told:
    """What the parent says: a line for each piece of machine code that it makes. When it says no more, this process ends.

    Args:
        stream: where it says so.
        folder: where claims are, of which this process leaves none behind.
    """

    def __init__(self, stream: Any, folder: Path) -> None:
        self.files: list[str] = []
        self.last = time.monotonic()
        self.making = ""
        self._stream, self._folder, self._first = stream, folder, threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def wait(self) -> None:
        """Until the first line is there."""
        self._first.wait()

    def _listen(self) -> None:
        for line in self._stream:
            self.files.append(line.decode().strip())
            self.last = time.monotonic()
            self._first.set()
        if self.making:
            claims.release(self._folder, self.making)
        os._exit(0)


def following(told: list[str], usual: list[list[tuple[Job, str]]]) -> list[tuple[Job, str]]:
    """What is worth making, best first: kernels of the sequences that what was told suits best, from their ends.

    Sequences suit in which most of it is found, and of these those that begin as it does. Where several suit alike, what more
    of them have is worth more.

    Example:
        >>> a, b, c, d = (Job("m", name, "float32") for name in "abcd")
        >>> [file for _, file in following(["1"], [[(a, "1"), (b, "2"), (c, "3")], [(d, "4"), (a, "1")]])]
        ['3', '2']
    """
    suits = [(len({file for _, file in sequence}.intersection(told)), _alike(told, sequence)) for sequence in usual]
    most = max(suits, default=(0, 0))
    best = [sequence for sequence, suit in zip(usual, suits) if most[0] and suit == most]
    places: dict[tuple[Job, str], list[int]] = {}
    for sequence in best:
        for place, each in enumerate(reversed(sequence)):
            places.setdefault(each, []).append(place)
    ordered = sorted(places, key=lambda each: (-len(places[each]), min(places[each])))
    return [each for each in ordered if each[1] not in told]


def _alike(told: list[str], sequence: list[tuple[Job, str]]) -> int:
    """How many were told as the sequence begins."""
    pairs = zip(told, (file for _, file in sequence))
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def accompany(word: str, folder: str) -> None:
    """Compile until there is nothing more to do, and end the process.

    Args:
        word: how the parent knows this process's claims.
        folder: where the parent looks for what is made.
    """
    there = store()
    if there.folder != Path(folder) or there.trouble:
        os._exit(0)
    told = Told(sys.stdin.buffer, there.folder)
    files = {job: programs.file_of(job.kernel(), job.dtype) for jobs in USUAL.values() for job in jobs}
    usual = [[(job, files[job]) for job in jobs] for jobs in USUAL.values()]
    programs.load_compiler()
    gc.disable()  # this process ends before its garbage matters
    told.wait()
    while time.monotonic() - told.last < QUIET and _make_one(told, usual, there.folder, word):
        pass
    os._exit(0)


def _make_one(told: Told, usual: list[list[tuple[Job, str]]], folder: Path, word: str) -> bool:
    """Make the next one that nobody has made or is making, and tell whether there was one."""
    for job, file in following(told.files, usual):
        if read(folder, f"{file}.o") is None and claims.claim(folder, file, word):
            told.making = file
            try:
                kept = read(folder, f"{file}.o") is not None or programs.keep(job.kernel(), job.dtype, folder)
            except KernelError:  # the parent will meet it, and say so
                kept = False
            claims.release(folder, file)
            told.making = ""
            return kept
    return False
