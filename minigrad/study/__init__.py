"""Tools for looking into what the engine does."""

from minigrad.study.gradcheck import Gradcheck, gradcheck, gradgradcheck
from minigrad.study.layers import Row, describe

__all__ = ["Gradcheck", "Row", "describe", "gradcheck", "gradgradcheck"]
