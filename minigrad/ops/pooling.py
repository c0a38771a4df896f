"""Pooling: the largest, or the mean, of windows."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
