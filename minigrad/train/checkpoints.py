"""The checkpoints of a run: numbered files, the newest two kept, a damaged one passed over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import minigrad
from minigrad.errors import FileFormatError, RunError

FORMAT = 1
KEPT = 2


class Checkpoints:
    """The checkpoints in a folder, that belong to one config.

    Args:
        folder: where they lie.
        config: the digest of the run's config.
        say: takes a sentence for the user.
    """

    def __init__(self, folder: Path, config: str, say: Callable[[str], None]) -> None:
        self.folder, self.config, self.say = folder, config, say

    def numbered(self) -> list[Path]:
        """The files from the oldest to the newest."""
        return sorted((path for path in self.folder.glob("*.safetensors") if path.stem.isdecimal()), key=lambda p: int(p.stem))

    def save(self, content: dict[str, Any], *, name: str = "") -> None:
        """Write a checkpoint, under the next number or a name, and drop numbered ones that are no longer needed.

        Raises:
            FileFormatError: it cannot be written; those that are there stay.
        """
        there = self.numbered()
        if not name:
            name = f"{int(there[-1].stem) + 1 if there else 1:08d}"
        minigrad.save({"format": FORMAT, "config": self.config, **content}, self.folder / f"{name}.safetensors")
        for path in self.numbered()[:-KEPT]:
            path.unlink(missing_ok=True)

    def newest(self) -> dict[str, Any] | None:
        """The newest checkpoint that is whole, or ``None`` where there is none at all.

        Damaged ones that are newer are told and renamed, so that nothing is lost.

        Raises:
            RunError: it belongs to another run, or none is whole.
        """
        damaged: dict[Path, str] = {}
        for path in reversed(self.numbered()):
            try:
                content = self.read(path)
            except FileFormatError as error:
                damaged[path] = error.got
                continue
            for other, reason in damaged.items():
                with contextlib.suppress(OSError):
                    other.replace(other.with_suffix(".damaged"))
                self.say(f"The checkpoint {other.name} is damaged: {reason}. Going on from the one before.")
            return content
        if damaged:
            got = f"{len(damaged)}, all damaged ({'; '.join(f'{path.name}: {reason}' for path, reason in damaged.items())})"
            raise RunError("resume", str(self.folder), "one whole checkpoint", got, "Put back a copy of one, or train anew")
        return None

    def named(self, name: str) -> dict[str, Any] | None:
        """The checkpoint of that name, or ``None``."""
        path = self.folder / f"{name}.safetensors"
        return self.read(path) if path.exists() else None

    def read(self, path: Path) -> dict[str, Any]:
        """The content of one.

        Raises:
            FileFormatError: it is damaged, or another program's.
            RunError: it is of a later format, or of another run.
        """
        content = minigrad.load(path)
        if not isinstance(content, dict) or not isinstance(content.get("format"), int):
            raise FileFormatError("load", str(path), "a checkpoint of a run", "a safetensors file that is none")
        if content["format"] != FORMAT:
            got = f"format {content['format']}"
            raise RunError("resume", str(path), f"format {FORMAT}", got, "Take the version of minigrad that wrote it")
        if content.get("config") != self.config:
            expected = "a checkpoint that belongs to this run's config.json"
            got = "one of another task, architecture, data or settings"
            raise RunError("resume", str(path), expected, got, "Put back the right file, or train anew")
        return content
