"""Data: named sets and where they come from, as plain arrays."""

from minigrad.data.images import ImageArrays, load

__all__ = ["ImageArrays", "load"]
