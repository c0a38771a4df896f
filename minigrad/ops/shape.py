"""The same elements in another shape or order: views, joins, splits, turns."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
