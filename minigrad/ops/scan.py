"""Running sums and products along a dimension."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
