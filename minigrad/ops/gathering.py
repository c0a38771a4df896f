"""Elements picked by an index tensor along a dimension, and put back."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
