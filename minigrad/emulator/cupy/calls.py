"""Functions of CuPy's namespace: NumPy's of the same name, called with CuPy's parameters on arrays of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.emulator.cupy import api
from minigrad.emulator.cupy.array import fresh, ndarray, touched, view
from minigrad.emulator.cupy.indexing import check_device
from minigrad.emulator.cupy.traffic import counters, waited

# The size of the result depends on the numbers, or a number is asked for: the host waits.
WAITS = frozenset(
    [
        "argwhere",
        "bincount",
        "compress",
        "extract",
        "flatnonzero",
        "histogram",
        "in1d",
        "intersect1d",
        "nonzero",
        "setdiff1d",
        "trim_zeros",
        "unique",
    ]
)
# What NumPy gives as a Python object, CuPy as an array without dimensions.
ARRAYS = frozenset(["allclose", "array_equal", "array_equiv", "count_nonzero"])
FREE = frozenset(
    [
        "can_cast",
        "common_type",
        "iscomplexobj",
        "isrealobj",
        "isscalar",
        "may_share_memory",
        "ndim",
        "result_type",
        "shape",
        "size",
    ]
)
SORTS = frozenset(["argsort", "sort"])


def function(place: str, name: str, does: Callable[..., Any]) -> Callable[..., Any]:
    """A function of CuPy's: it checks the parameters, and lets NumPy's ``does`` do the work.

    Args:
        place: the module, ``"cupy"`` say.
        name: its name there.
        does: a function of NumPy or SciPy.
    """
    entry = api.lookup(place, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        api.check_call(place, name, entry, args, kwargs)
        return run(name, does, args, kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"``{place}.{name}``, done by NumPy."
    return call


def run(name: str, does: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call NumPy's function on the numbers of our arrays, and make its results ours."""
    arrays: list[ndarray] = []
    plain = [unwrapped(each, arrays) for each in args]
    named = {key: unwrapped(each, arrays) for key, each in kwargs.items()}
    if name in SORTS:
        named["kind"] = "stable"
    if name not in FREE:
        check_device(*arrays)
        counters.calls += 1
    if name in WAITS or (name == "where" and len(args) == 1):
        waited(copied=name in ("bincount",))
    with np.errstate(all="ignore"):
        result = does(*plain, **named)
    out = kwargs.get("out")
    if out is not None:
        return out[0] if isinstance(out, tuple) and len(out) == 1 else out
    if name in FREE:
        return result
    if name in ARRAYS:
        return fresh(np.asarray(result))
    return wrapped(result, arrays)


def unwrapped(value: Any, arrays: list[ndarray]) -> Any:
    """NumPy's array for one of ours, also in lists and tuples; ``arrays`` grows by ours.

    Raises:
        TypeError: it is, or holds, a NumPy array.
    """
    if isinstance(value, ndarray):
        arrays.append(value)
        touched(value)  # by what functions write to, or read, which gives NaN
        return value._numpy
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if type(value) in (list, tuple):
        return type(value)([unwrapped(each, arrays) for each in value])
    return value


def wrapped(result: Any, arrays: list[ndarray]) -> Any:
    """NumPy's results as ours: a view where NumPy gave one, else in memory of the device."""
    if isinstance(result, np.ndarray):
        for array in arrays:
            if result is array._numpy:
                return array
            if (result.base is not None or array._numpy.base is result) and np.may_share_memory(result, array._block.bytes):
                return view(array, result)
        return fresh(result)
    if isinstance(result, np.generic):
        return fresh(np.asarray(result))
    if isinstance(result, (list, tuple)):
        parts = [wrapped(each, arrays) for each in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    return result
