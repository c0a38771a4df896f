"""The same elements turned round, repeated, or only some of them."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
