"""Images in another size: interpolation, padding, windows, pixel shuffle."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
