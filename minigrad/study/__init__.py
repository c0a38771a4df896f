"""Tools for looking into what the engine does."""

from minigrad.study.gradcheck import Gradcheck, gradcheck, gradgradcheck

__all__ = ["Gradcheck", "gradcheck", "gradgradcheck"]
