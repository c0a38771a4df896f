"""Which part of the data a folder's name says that it holds."""

from __future__ import annotations

import re

PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
PARTS |= dict.fromkeys(("val", "valid", "validation"), "validation")
_LIKELY = PARTS | {"dev": "validation", "eval": "test", "evaluation": "test", "holdout": "test"}
_WORD = re.compile(r"[^\W\d_]+")


def part_of(name: str) -> str | None:
    """The part that a folder of that name holds, or ``None``.

    Example:
        >>> part_of("Train"), part_of("valid"), part_of("cat")
        ('train', 'validation', None)
    """
    return PARTS.get(name.casefold())


def likely_part(name: str) -> str | None:
    """The part that a longer name speaks of, or ``None``: a guess, as trains and test tubes are classes too.

    Example:
        >>> likely_part("training_set"), likely_part("seg-test"), likely_part("Valset"), likely_part("dev"), likely_part("cat")
        ('train', 'test', 'validation', 'validation', None)
    """
    words = [word.removesuffix("set") for word in _WORD.findall(name.casefold())]
    parts = {_LIKELY[word] for word in words if word in _LIKELY}
    return parts.pop() if len(parts) == 1 else None
