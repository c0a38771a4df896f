"""Random tensors, from the streams of the generators."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
