"""Normalisation over the batch, layers, groups and vectors."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
