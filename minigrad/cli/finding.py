"""One line of what ``minigrad doctor`` reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, what was found, ``ok``, ``note`` or ``problem``, and what to do."""

    topic: str
    name: str
    value: str
    state: str = OK
    mend: str = ""


Found = Iterator[Finding]
