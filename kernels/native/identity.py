"""What a kernel's machine code depends on, told without a compiler: its code, and all that the code refers to.

Two kernels of one name may differ in a constant that they find around them, as those that a function makes do; a kernel may
use helpers of other files, which use others. So a kernel is read here as the compiler reads it: its instructions, and what
its global names and closure stand for. The text of the file does not count: a comment may change, and what is compiled is the
function that is in memory, even if its file has changed since.
"""

from __future__ import annotations

import dis
import enum
import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from minigrad.errors import KernelError
from minigrad.kernels.native.language import Helper, Kernel, Word


class Identity:
    """All that a function's machine code depends on, as ``text``, and the ``words`` of the language that it uses.

    Raises:
        KernelError: the function refers to something that cannot become a part of machine code, such as a list.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.words: set[str] = set()
        self._name = name
        self._seen: dict[Any, int] = {}
        self.text = repr(self._function(function))

    def _function(self, function: Any) -> Any:
        if function in self._seen:  # helpers may call themselves
            return "again", self._seen[function]
        self._seen[function] = len(self._seen)
        bound = bindings(function)
        referred = [(name, self._global(function, name, value)) for name, value in sorted(bound.items())]
        defaults = [self._value(value) for value in function.__defaults__ or ()]
        return "function", self._code(function.__code__), referred, defaults

    def _code(self, code: CodeType) -> Any:
        constants = [self._code(each) if isinstance(each, CodeType) else self._value(each) for each in code.co_consts]
        names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
        counts = code.co_flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
        return code.co_code, code.co_exceptiontable, counts, names, constants

    def _global(self, function: Any, name: str, value: Any) -> Any:
        if isinstance(value, ModuleType):
            return "module", value.__name__, self._attributes(function, name, value)
        try:
            return self._value(value)
        except _UnknownError:
            if name in _loaded(function.__code__):
                expected = "numbers, strings, tuples, arrays, modules and helpers, which can become a part of machine code"
                remedy = "Make it a @helper" if isinstance(value, FunctionType) else ""
                raise KernelError(self._name, name, expected, f"a {type(value).__name__}", remedy) from None
            return type(value).__name__  # an attribute that happens to have a global's name

    def _attributes(self, function: Any, name: str, module: ModuleType) -> list[Any]:
        found = []
        for attribute in sorted(set(_names(function.__code__))):
            value = vars(module).get(attribute)
            if isinstance(value, (Word, Helper)):
                remedy = f"Write: from {module.__name__} import {attribute}"
                raise KernelError(
                    self._name, f"{name}.{attribute}", "a word or helper under a name of its own", "an attribute", remedy
                )
            if isinstance(value, (bool, int, float, complex, str, bytes, tuple, np.generic, np.ndarray)):
                found.append((attribute, self._value(value)))
        return found

    def _value(self, value: Any) -> Any:
        if isinstance(value, Word):
            self.words.add(value.name)
            return "word", value.name, value.made and _source(value.made.partition(":")[0])
        if isinstance(value, Helper):
            return self._function(value.function), value.apart
        if isinstance(value, Kernel):
            raise KernelError(self._name, value.__name__, "a @helper: kernels are called from Python", "a @kernel")
        if isinstance(value, enum.Enum):
            return type(value).__qualname__, value.name, self._value(value.value)
        if value is None or value is Ellipsis or isinstance(value, (bool, int, float, complex, str, bytes)):
            return type(value).__name__, repr(value)
        if isinstance(value, (tuple, frozenset)):
            return type(value).__name__, [
                self._value(each) for each in (sorted(value, key=repr) if isinstance(value, frozenset) else value)
            ]
        if isinstance(value, (np.generic, np.ndarray)):
            return value.dtype.str, value.shape, value.tobytes()
        if hasattr(value, "py_func"):  # a function of Numba's own
            return "numba", self._function(value.py_func), repr(sorted(getattr(value, "targetoptions", {}).items()))
        if isinstance(value, (type, BuiltinFunctionType, np.ufunc)):
            return getattr(value, "__module__", ""), getattr(value, "__qualname__", value.__name__)
        if type(value).__module__.split(".")[0] == "numba":  # its types, by their names
            return "numba", str(value)
        raise _UnknownError


def _source(module: str) -> str:
    """A digest of a module's file, without importing it."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        return module
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()


class _UnknownError(Exception):
    """A value whose meaning to the compiler cannot be told."""


def bindings(function: Any) -> dict[str, Any]:
    """What the names mean that a function's code uses: its globals and its closure.

    Example:
        >>> def scaled(factor):
        ...     return lambda x: abs(x) * factor
        >>> bindings(scaled(3))
        {'factor': 3}
    """
    found = {name: function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not yet assigned
            continue
    return found


def _names(code: CodeType) -> Iterator[str]:
    """Names of globals and attributes, those in inner functions too."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)


def _loaded(code: CodeType) -> set[str]:
    """Names that are read as globals or from the closure: no mere attributes."""
    own = {each.argval for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")}
    return own.union(*[_loaded(each) for each in code.co_consts if isinstance(each, CodeType)])
