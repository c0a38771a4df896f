"""Order: sort, topk, argmax and their like."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
