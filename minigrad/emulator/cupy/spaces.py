"""The modules inside CuPy's namespace: each name is looked up in what was recorded, and done by NumPy's or SciPy's."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import numpy as np

from minigrad.emulator.cupy import api
from minigrad.emulator.cupy.calls import function
from minigrad.emulator.cupy.ufuncs import ufunc


class Space(ModuleType):
    """A module of CuPy's.

    Args:
        place: its name, ``"cupy.linalg"`` say.
        does: NumPy's or SciPy's module of that kind, by name.
        own: what is written here.
    """

    def __init__(self, place: str, does: str = "", **own: Any) -> None:
        super().__init__(place)
        self._place, self._does = place, does
        self.__dict__.update(own)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = resolved(self._place, name, self._does)
        self.__dict__[name] = found
        return found


def resolved(place: str, name: str, module: str) -> Any:
    """What ``place.name`` is, made from what NumPy or SciPy have in ``module``.

    Raises:
        AttributeError: CuPy has no such name.
        NotImplementedError: the stand-in has nothing for it.
    """
    entry = api.lookup(place, name)
    does = getattr(importlib.import_module(module), name, None) if module else None
    if entry.kind == "ufunc":
        does = LIKE.get(name, does)
    if does is None or entry.kind == "module" or (entry.kind == "class" and not isinstance(does, type)):
        raise NotImplementedError(f"{place}.{name}: the stand-in for CuPy does not have it")
    if entry.kind == "ufunc":
        return ufunc(place, name, does)
    if entry.kind == "function":
        return function(place, name, does)
    return does  # a dtype, a number, an exception


LIKE: dict[str, Any] = {"clip": np.clip}


def from_main(name: str) -> Any:
    """A name of the namespace ``cupy`` itself."""
    return resolved("cupy", name, "numpy")


def methods() -> dict[str, Any]:
    """Methods of arrays that are functions of the same name: with an array first."""
    main = sys.modules["minigrad.emulator.cupy"]
    made: dict[str, Any] = {}
    for name in BY_FUNCTION:
        entry = api.lookup("cupy.ndarray", name)
        made[name] = _method(name, entry, main)
    for name, operation in OPERATORS.items():
        made[f"__{name}__"] = _operator(main, operation, False)
        made[f"__r{name}__"] = _operator(main, operation, True)
        made[f"__i{name}__"] = _in_place(main, operation)
    for name, operation in COMPARISONS.items():
        made[f"__{name}__"] = _operator(main, operation, False)
    for name, operation in UNARY.items():
        made[f"__{name}__"] = _unary(main, operation)
    return made


BY_FUNCTION = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argpartition",
    "argsort",
    "clip",
    "conj",
    "cumprod",
    "cumsum",
    "diagonal",
    "dot",
    "max",
    "mean",
    "min",
    "nonzero",
    "partition",
    "prod",
    "ravel",
    "repeat",
    "reshape",
    "round",
    "searchsorted",
    "sort",
    "squeeze",
    "std",
    "sum",
    "swapaxes",
    "take",
    "trace",
    "transpose",
    "var",
    "flatten",
]
OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "matmul": "matmul",
}
COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
UNARY = {"neg": "negative", "abs": "absolute", "invert": "invert"}


def _method(name: str, entry: api.Name, main: Any) -> Any:
    from minigrad.emulator.cupy.calls import run

    does = getattr(np.ndarray, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        api.check_call("cupy.ndarray", name, entry, (self, *args), kwargs)
        if name == "take":
            return main.take(self, *args, **kwargs)
        return run(name, does, (self, *args), kwargs)

    method.__name__ = name
    return method


def _operator(main: Any, operation: str, reflected: bool) -> Any:
    def operate(self: Any, other: Any) -> Any:
        does = getattr(main, operation)
        return does(other, self) if reflected else does(self, other)

    return operate


def _in_place(main: Any, operation: str) -> Any:
    def operate(self: Any, other: Any) -> Any:
        return getattr(main, operation)(self, other, out=self)

    return operate


def _unary(main: Any, operation: str) -> Any:
    def operate(self: Any) -> Any:
        return getattr(main, operation)(self)

    return operate
