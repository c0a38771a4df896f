"""``samples.txt``: what a model wrote after each evaluation, from its first attempts on, for people to read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minigrad.show.text import printable
from minigrad.train.journal import Journal

HEAD = re.compile(r"^---- (step [\d,]+: .*) ----$", re.MULTILINE)
SHOWN = (6, 240)  # lines and letters of a sample on the terminal


class Samples:
    """A file of samples, each under a line that says when it was drawn.

    Args:
        path: the file, which need not be there.

    Example:
        >>> import tempfile
        >>> samples = Samples(Path(tempfile.mkdtemp()) / "samples.txt")
        >>> samples.add(1200, "loss 1.5012", "ROMEO:\\nWhat say you?")
        >>> print(samples.path.read_text())
        ---- step 1,200: loss 1.5012 ----
        ROMEO:
        What say you?
        <BLANKLINE>
        <BLANKLINE>
        >>> samples.last(3)
        [('step 1,200: loss 1.5012', 'ROMEO:\\nWhat say you?')]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = Journal(path)

    def add(self, step: int, figure: str, text: str) -> None:
        """Write a sample at the end.

        Args:
            step: after which it was drawn.
            figure: how good the model was then.
            text: the sample.

        Raises:
            OSError: it cannot be written.
        """
        self._journal.write(f"---- step {step:,}: {figure} ----\n{text}\n\n".encode("utf-8", "replace"))

    def place(self) -> dict[str, Any]:
        """Where the end is; see ``Journal.place``."""
        return self._journal.place()

    def cut(self, place: Mapping[str, Any] | None = None) -> None:
        """Forget all after a place; see ``Journal.cut``."""
        self._journal.cut(place)

    def last(self, count: int) -> list[tuple[str, str]]:
        """When the newest were drawn, and what they are; fewer where there are fewer."""
        try:
            parts = HEAD.split(self.path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return []
        return [(head, text.strip("\n")) for head, text in zip(parts[1::2], parts[2::2], strict=True)][-count:]


def brief(text: str, most: tuple[int, int] = SHOWN) -> str:
    """The beginning of a sample, as a terminal may show it while a training goes on.

    Args:
        text: the sample.
        most: lines and letters of it.

    Example:
        >>> brief("ROMEO:\\nWhat say\\tyou?" + chr(27))
        '    ROMEO:\\n    What say    you?�'
    """
    lines = [printable(line.expandtabs(4)) for line in text[: most[1]].split("\n")[: most[0]]]
    return "\n".join(f"    {line}".rstrip() for line in lines).strip("\n")
