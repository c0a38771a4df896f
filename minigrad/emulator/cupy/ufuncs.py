"""Elementwise functions: the loop is chosen from CuPy's own table of types, NumPy does the work, the result lies in C order."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from minigrad.emulator.cupy import api
from minigrad.emulator.cupy.array import fresh, ndarray, touched
from minigrad.emulator.cupy.calls import run
from minigrad.emulator.cupy.indexing import NUMBERS, check_device, scatter
from minigrad.emulator.cupy.traffic import counters


class ufunc:  # noqa: N801 - CuPy's name
    """A ufunc as ``cupy.ufunc``.

    Args:
        place: the module, ``"cupy"`` say.
        name: its name there.
        does: NumPy's or SciPy's function.
    """

    def __init__(self, place: str, name: str, does: Any) -> None:
        self._entry = api.lookup(place, name)
        self.place, self.__name__, self.name, self._does = place, name, f"{place}_{name}".replace(".", "_"), does
        self.nin = self._entry.inputs
        self.nout = len(self._entry.types[0].partition("->")[2])
        self.nargs, self.types = self.nin + self.nout, list(self._entry.types)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        api.check_call(self.place, self.__name__, self._entry, args, kwargs)
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(f"Wrong number of arguments for '{self.name}'. It must be either {self.nin} or {self.nargs}")
        out = kwargs.get("out")
        outs = args[self.nin :] or (out if isinstance(out, tuple) else (out,) if out is not None else ())
        inputs = args[: self.nin]
        for each in inputs:
            if not isinstance(each, (ndarray, *NUMBERS)):
                raise TypeError(f"Unsupported type {type(each)}")
        for each in outs:
            if not isinstance(each, ndarray):
                raise TypeError("Output arguments type must be cupy.ndarray")
        check_device(*inputs, *outs)
        counters.calls += 1
        loop_in, loop_out = self._loop(inputs, kwargs.get("dtype"))
        plain = [_as(each, kind) for each, kind in zip(inputs, loop_in)]
        with np.errstate(all="ignore"):
            results = self._does(*plain)
        results = results if isinstance(results, tuple) else (results,)
        if outs:
            given = [_into(each, result, kwargs.get("casting", "same_kind"), self.name) for each, result in zip(outs, results)]
        else:
            given = [fresh(np.asarray(result, dtype=kind)) for result, kind in zip(results, loop_out)]
        return given[0] if self.nout == 1 else tuple(given)

    def _loop(self, inputs: tuple[Any, ...], dtype: Any) -> tuple[tuple[np.dtype, ...], tuple[np.dtype, ...]]:
        if dtype is not None:
            return _chosen_by_result(self.types_key, self.name, np.dtype(dtype))
        return _chosen(self.types_key, self.name, dtypes_of(inputs))

    @property
    def types_key(self) -> tuple[str, ...]:
        """The loops, as a key."""
        return self._entry.types

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        """Do the operation at the places named, as often as they are named."""
        if self.__name__ not in ("add", "subtract", "maximum", "minimum"):
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        scatter(self._does, a, indices, b)

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Reduce dimensions; of add, multiply, maximum and minimum."""
        if self.__name__ not in ("add", "multiply", "maximum", "minimum", "logical_and", "logical_or"):
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return run("reduce", self._does.reduce, (array,), {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims})

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        """The operation on every pair."""
        return self(A.reshape(A.shape + (1,) * B.ndim), B, **kwargs)

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"


def dtypes_of(inputs: tuple[Any, ...]) -> tuple[np.dtype, ...]:
    """The dtype of each operand: a Python number takes that of the arrays where its kind is no higher."""
    known = [each.dtype for each in inputs if isinstance(each, (ndarray, np.generic))]
    if len(known) == len(inputs):
        return tuple(known)
    arrays = tuple(known)
    return tuple(each.dtype if isinstance(each, (ndarray, np.generic)) else _weak(_kind(each), arrays) for each in inputs)


def _kind(number: Any) -> int:
    return next(place for place, kind in enumerate((bool, int, float, complex)) if isinstance(number, kind))


@functools.cache
def _weak(kind: int, known: tuple[np.dtype, ...]) -> np.dtype:
    return np.result_type(*known, (True, 1, 1.0, 1j)[kind])


@functools.cache
def _chosen(types: tuple[str, ...], name: str, dtypes: tuple[np.dtype, ...]) -> tuple[Any, Any]:
    """The first loop to which the dtypes can be cast safely."""
    for text in types:
        takes, gives = (tuple(map(np.dtype, part)) for part in text.split("->"))
        if all(np.can_cast(dtype, wanted) for dtype, wanted in zip(dtypes, takes)):
            return takes, gives
    raise TypeError(f"{name} has no loop for {', '.join(map(str, dtypes))} in CuPy")


@functools.cache
def _chosen_by_result(types: tuple[str, ...], name: str, dtype: np.dtype) -> tuple[Any, Any]:
    for text in types:
        takes, gives = (tuple(map(np.dtype, part)) for part in text.split("->"))
        if gives[0] == dtype:
            return takes, gives
    raise TypeError(f"No loop for {name} that gives {dtype} in CuPy")


def _as(operand: Any, dtype: np.dtype) -> Any:
    if isinstance(operand, ndarray):
        return operand._numpy if operand._numpy.dtype == dtype else operand._numpy.astype(dtype)
    with np.errstate(all="ignore"):
        return np.asarray(operand, dtype=dtype)


def _into(out: ndarray, result: Any, casting: Any, name: str) -> ndarray:
    """Write a result into the array that the caller gave."""
    result = np.asarray(result)
    if out.shape != result.shape:
        raise ValueError(f"Out shape is mismatched: {name} gives {result.shape}, and out has {out.shape}")
    if not np.can_cast(result.dtype, out.dtype, casting):
        raise TypeError(f"output (typecode '{result.dtype.char}') could not be coerced to '{out.dtype.char}' by {casting!r}")
    touched(out)
    with np.errstate(all="ignore"):
        out._numpy[...] = result
    return out
