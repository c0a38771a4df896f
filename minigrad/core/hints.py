"""What the type hints of public functions and constructors promise is kept: arguments of another kind are refused by name.

``F.dropout(x, "0.5")`` or ``x.sum(0, keepdim="False")`` would else be misread, or end in an error from deep inside. The hints
that count are those of one word or several joined by ``|``: ``bool``, ``int``, ``float``, ``str``, ``Tensor``, ``None``,
``Callable``, ``Sequence[...]`` and classes. An argument whose hint says less (``Any``) is checked by the
function itself.
"""

from __future__ import annotations

import functools
import inspect
import numbers
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import numpy as np

from minigrad.core import tape
from minigrad.core.device import IN_USE
from minigrad.core.refusals import refuse_mixed, refuse_size
from minigrad.errors import DTypeError, MinigradError

_SHOWN = (bool, int, float, complex, str, bytes, tuple, list)  # by their value, if it is short
_F = TypeVar("_F", bound=Callable[..., Any])
_WORDS = {
    "bool": "True or False",
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "Tensor": "a Tensor",
    "None": "None",
    "Callable": "a function",
    "Sequence": "a sequence",
    "Generator": "a minigrad.Generator",
}
_CHECKS = set(_WORDS) - {"Generator"}
_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "None": (type(None),),
}


class Hint:
    """What one parameter takes.

    Attributes:
        types: those known to be right; grows as others pass, so that the usual argument costs one look-up.
    """

    __slots__ = ("argument", "kinds", "lenient", "types", "words")

    def __init__(self, argument: str, kinds: list[Any], lenient: bool) -> None:
        self.argument, self.kinds, self.lenient = argument, kinds, lenient
        self.types = {t for kind in kinds if isinstance(kind, str) for t in _TYPES.get(kind, ())}
        names = [kind if isinstance(kind, str) else kind.__name__ for kind in dict.fromkeys(kinds)]
        self.words = " or ".join(_WORDS.get(name, f"{'an' if name[0] in 'AEIOU' else 'a'} {name}") for name in names)

    def check(self, where: str, value: Any) -> None:
        """Refuse ``value`` if none of the kinds takes it.

        Raises:
            DTypeError: so.
        """
        for kind in self.kinds:
            if _takes(kind, value, self.lenient):
                if not isinstance(value, tape.Tensor) or kind == "Tensor":
                    self.types.add(type(value))
                return
        words = {kind for kind in self.kinds if isinstance(kind, str)}
        what = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
        remedy = ""
        if isinstance(value, tape.Tensor):
            what = f"a Tensor of shape {tuple(value.array.shape)}"
            remedy = "Call .item() to get a number" if words & {"float", "int"} else ""
        elif isinstance(value, np.bool_):
            remedy = "Call bool() on it"
        elif "Tensor" in words:
            remedy = "Wrap it in minigrad.tensor()"
        elif value is None or (words - {"None"} and isinstance(value, _SHOWN)):
            text = repr(value)
            what = text if len(text) <= 60 else what
        raise DTypeError(where, self.argument, self.words, what, remedy)


def _takes(kind: Any, value: Any, lenient: bool) -> bool:
    """Whether a kind takes ``value``. Truth values are no integers; ``lenient`` takes 0 and 1 for them, as PyTorch."""
    if kind == "bool":
        return isinstance(value, bool) or (lenient and isinstance(value, int) and value in (0, 1))
    if kind == "int":
        if isinstance(value, (bool, np.bool_)) or (isinstance(value, tape.Tensor) and value.array.dtype.kind not in "iu"):
            return False
        try:
            operator.index(value)
        except (TypeError, ValueError, IndexError):  # what is no number; a tensor or array of several
            return False
        return True
    if kind == "float":
        return isinstance(value, (numbers.Real, np.bool_))
    if kind == "str":
        return isinstance(value, str)
    if kind == "Tensor":
        return isinstance(value, tape.Tensor)
    if kind == "None":
        return value is None
    if kind == "Callable":
        return callable(value)
    if kind == "Sequence":
        return not isinstance(value, (str, bytes, dict)) and (hasattr(value, "__iter__") or hasattr(value, "__getitem__"))
    return isinstance(value, kind)


def hint_of(argument: str, text: Any, names: dict[str, Any], lenient: bool = False) -> Hint | None:
    """The hint of a parameter, or ``None`` where it says nothing that can be checked.

    Args:
        argument: its name.
        text: what is written behind it.
        names: the globals of its module, in which classes are found.
        lenient: 0 and 1 are truth values.
    """
    if text == "Any" or not isinstance(text, str):
        return None
    kinds: list[Any] = []
    for part in _INNER.sub("", text).split(" | "):
        kind = part if part in _CHECKS else names.get(part)
        if kind in _UNSAID or not isinstance(kind, (str, type)):  # what is left is an alias
            return None
        kinds.append("Tensor" if kind is tape.Tensor else kind)
    return Hint(argument, kinds, lenient)


_UNSAID = (Any, Iterable)  # checked by the functions themselves: from 3.11 on Any is a class
_INNER = re.compile(r"\[.*?\](?= \||$)")  # what stands in brackets: Callable[[Tensor], Tensor]


def hints_of(function: Callable[..., Any]) -> dict[str, Hint]:
    """The hints of a function's parameters that can be checked, by name."""
    plain = inspect.unwrap(function)
    code, texts = plain.__code__, plain.__annotations__
    hints = {}
    for argument in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        hint = hint_of(argument, texts.get(argument), plain.__globals__, plain.__name__ == "__init__")
        if hint is not None:
            hints[argument] = hint
    return hints


def checked(function: _F) -> _F:
    """``function``, refusing arguments that its hints do not allow.

    Args:
        function: a public function, or an ``__init__``: errors then name the class of the object.

    Example:
        >>> @checked
        ... def scaled(x: float, by: float = 2.0) -> float:
        ...     return x * by
        >>> scaled("a")
        Traceback (most recent call last):
        minigrad.errors.DTypeError: scaled: x: expected a number, got 'a'.
    """
    by_name = hints_of(function)
    code = inspect.unwrap(function).__code__
    order = tuple([(place, by_name[n]) for place, n in enumerate(code.co_varnames[: code.co_argcount]) if n in by_name])
    name, owner = function.__name__, function.__name__ == "__init__"
    calls_user = any("Callable" in hint.kinds for hint in by_name.values())
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    also = {numpys: ours for numpys, ours in _NUMPYS_WORDS.items() if ours in known and numpys not in known}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        count = len(args)
        for place, hint in order:
            if place >= count:
                break
            if type(args[place]) not in hint.types:
                hint.check(type(args[0]).__name__ if owner else name, args[place])
        if kwargs:
            if also and not also.keys().isdisjoint(kwargs):
                kwargs = _in_our_words(name, kwargs, also)
            for word in kwargs:
                if word in by_name and type(kwargs[word]) not in by_name[word].types:
                    by_name[word].check(type(args[0]).__name__ if owner else name, kwargs[word])
        try:
            return function(*args, **kwargs)
        except (MemoryError, OverflowError, ValueError, TypeError, AttributeError) as error:
            if not calls_user:
                if IN_USE and not isinstance(error, MinigradError):
                    refuse_mixed(type(args[0]).__name__ if owner else name, (*args, *kwargs.values()), error)
                refuse_size(type(args[0]).__name__ if owner else name, error, (*args, *kwargs.values()))
            raise

    return cast(_F, call)


_NUMPYS_WORDS = {"axis": "dim", "keepdims": "keepdim"}  # which PyTorch takes too


def _in_our_words(name: str, kwargs: dict[str, Any], also: dict[str, str]) -> dict[str, Any]:
    """The arguments with NumPy's words for ``dim`` and ``keepdim`` replaced."""
    ours = {also.get(word, word): value for word, value in kwargs.items()}
    if len(ours) < len(kwargs):
        raise TypeError(f"{name}() got one argument twice: {', '.join(kwargs)}")
    return ours


def check_functions(module: Any, names: Iterable[str]) -> None:
    """Put ``checked`` functions in the place of those that a module shows under ``names``.

    Those that take Tensors alone are left as they are: they look at them themselves, and are called most.
    """
    for name in names:
        function = getattr(module, name)
        if inspect.isfunction(function) and any(hint.kinds != ["Tensor"] for hint in hints_of(function).values()):
            setattr(module, name, checked(function))


def check_constructor(cls: type) -> None:
    """Let a class of ours check what it is made from. (A class of the user's own is not touched.)"""
    if cls.__module__.startswith("minigrad.") and "__init__" in vars(cls):
        cls.__init__ = checked(cls.__init__)  # type: ignore[misc]
