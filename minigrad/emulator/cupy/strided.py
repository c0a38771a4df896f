"""Views with strides of their own."""

from __future__ import annotations

from typing import Any

from numpy.lib import stride_tricks

from minigrad.emulator.cupy.array import ndarray, view


def as_strided(x: ndarray, shape: Any = None, strides: Any = None) -> ndarray:
    """A view of other sizes and strides; that it stays inside the memory is not checked, as in CuPy."""
    return view(x, stride_tricks.as_strided(x._numpy, shape, strides))


def sliding_window_view(
    x: ndarray, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> ndarray:
    """Every window of a size, as a view.

    Raises:
        NotImplementedError: ``writeable``, which CuPy lacks.
    """
    if writeable:
        raise NotImplementedError("Writeable views are not supported.")
    return view(x, stride_tricks.sliding_window_view(x._numpy, window_shape, axis))
