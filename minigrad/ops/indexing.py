"""Picking elements out, and putting them back: slices, masks, gather and scatter."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
