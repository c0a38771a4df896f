"""Convolution as three linear maps: forward, gradient to input, gradient to weight."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
