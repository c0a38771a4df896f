"""Small texts that models of text are trained on in tests, and settings that make a training take no time."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "said", "to", "the", "dog", "come", "in"]
TINY: dict[str, Any] = {"hidden": 8, "embedding": 4, "sequence": 8, "batch_size": 4, "epochs": 0.2, "sample": 20}


def poem(path: Path, lines: int = 60, seed: int = 0) -> Path:
    """A file of lines of eight words each, from twelve, about 31 characters a line, 23 distinct ones."""
    draw = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(" ".join(draw.choices(WORDS, k=8)).capitalize() + ".\n" for _ in range(lines)))
    return path
