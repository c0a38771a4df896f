"""Losses: from outputs and targets to one number."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
