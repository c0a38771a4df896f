"""How much memory a text that is larger than the memory needs: it is read, and a few steps are trained on it.

    python -m minigrad.benchmarks.large_text [--size 1000000000] [--steps 20] [--json]

The text is Shakespeare's plays over and over, written to a temporary folder; its numbers, written to the cache, are removed
afterwards. The figure is the highest anonymous memory of the process: what is its own and no page of a file, which the system
may take back at any time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minigrad.benchmarks.memory import told
from minigrad.errors import ArgumentError

OFTEN = 0.005  # seconds between two looks at the memory


def anonymous(root: Path = Path("/")) -> int:
    """Bytes of this process that are no pages of files.

    Raises:
        ArgumentError: a system that does not tell.
    """
    found = told("RssAnon", root)
    if found is not None:
        return found
    raise ArgumentError("benchmarks.large_text", "system", "Linux, which tells a process's anonymous memory", sys.platform)


@contextmanager
def highest() -> Iterator[list[int]]:
    """A list of one number: the highest anonymous memory so far, looked at many times a second."""
    found, over = [anonymous()], threading.Event()

    def watch() -> None:
        while not over.wait(OFTEN):
            found[0] = max(found[0], anonymous())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()
        found[0] = max(found[0], anonymous())


def write_plays(path: Path, size: int) -> None:
    """A file of about that size: the plays over and over."""
    from minigrad.data.textsets import open_named

    plays = b"".join(play.content for play in open_named("shakespeare"))
    with open(path, "wb") as file:
        for start in range(0, size, len(plays)):
            file.write(plays[: size - start])


def measured(path: Path, steps: int, settings: dict[str, Any]) -> dict[str, Any]:
    """What it takes to open a text and train so many steps on it."""
    from minigrad.models.text import Text, TextSettings

    with highest() as memory:
        began = time.process_time()
        task = Text(str(path), TextSettings(**settings))
        opened = time.process_time() - began
        after_opening = memory[0]
        batches = task.batches()
        for _ in range(steps):
            task.step(next(batches))
    written = getattr(task.data.train.values, "filename", None)
    if written is not None:
        os.unlink(written)
    return {
        "size": path.stat().st_size,
        "characters": len(task.data.train) + len(task.data.validation),
        "opening_cpu_seconds": round(opened, 1),
        "opening_anonymous": after_opening,
        "steps": steps,
        "anonymous": memory[0],
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1_000_000_000, help="bytes of the text")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--json", action="store_true", help="print JSON, in bytes")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plays.txt"
        write_plays(path, given.size)
        found = measured(path, given.steps, {"hidden": given.hidden, "batch_size": 64})
    if given.json:
        print(json.dumps(found, indent=1))
        return
    print(f"a text of {found['size'] / 1e9:.3f} GB, {found['characters']:,} characters")
    opening = f"{found['opening_cpu_seconds']} processor seconds, {found['opening_anonymous'] / 1e6:.0f} MB of anonymous memory"
    print(f"read and written as numbers: {opening} at most")
    print(f"{found['steps']} steps trained on it: {found['anonymous'] / 1e6:.0f} MB at most")


if __name__ == "__main__":
    main()
