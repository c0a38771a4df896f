"""Changes in place, and what they do to the tape."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
