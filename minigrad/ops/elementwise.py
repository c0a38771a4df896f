"""Functions of one element: exponentials, roots, trigonometry, rounding."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
