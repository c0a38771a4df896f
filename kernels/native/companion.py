"""What a companion does: it compiles what its parent will need, the last first, until the two meet. See ``companions.py``."""

from __future__ import annotations

import gc
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
    """What is worth making, best first: kernels of the sequences in which most of what was told is found, from their ends.

    Example:
        >>> a, b, c = (Job("m", name, "float32") for name in "abc")
        >>> [file for _, file in following(["1"], [[(a, "1"), (b, "2"), (c, "3")], [(b, "2")]])]
        ['3', '2']
    """
    counts = [len({file for _, file in sequence}.intersection(told)) for sequence in usual]
    most = max(counts, default=0)
    best = [sequence for sequence, count in zip(usual, counts) if most and count == most]
    return [(job, file) for sequence in best for job, file in reversed(sequence) if file not in told]


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
