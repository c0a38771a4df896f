"""The nonlinear functions between layers."""

from __future__ import annotations

__all__: list[str] = []
METHODS = ()
