"""Dropout: elements zeroed at random while training."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
