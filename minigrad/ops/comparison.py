"""Comparisons and logic: truth values, without derivative."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
