"""Nested containers of tensors as a flat table of arrays and a description in JSON, and back.

The description of a value is::

    null, true, 3, 1.5, "text"           itself
    {"float": "inf"}                     a float that JSON has no word for: inf, -inf, nan
    {"tensor": KEY}  {"array": KEY}      an entry of the table, as a Tensor or as a NumPy array
    {"list": [...]}  {"tuple": [...]}
    {"dict": [[key, value], ...]}        keys are strings, numbers, truth values or None; {"ordered": ...} an OrderedDict
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minigrad.core.device import device, move
from minigrad.core.random import Generator
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError

MOST_NESTED = 200


def take_apart(obj: Any) -> tuple[dict[str, np.ndarray], Any]:
    """The arrays of ``obj`` under names that say where they stand, and the description.

    Raises:
        DTypeError: it holds something other than containers, tensors, arrays, numbers, strings, truth values and None, or
            contains itself.
    """
    arrays: dict[str, np.ndarray] = {}
    return arrays, _describe(obj, (), arrays)


def _where(path: tuple) -> str:
    return "obj" + "".join([f"[{step!r}]" for step in path])


def _describe(value: Any, path: tuple, arrays: dict[str, np.ndarray]) -> Any:
    if len(path) > MOST_NESTED:
        got = "more, or one that holds itself"
        raise DTypeError("save", _where(path[:3]) + "...", f"containers nested at most {MOST_NESTED} deep", got)
    if isinstance(value, Tensor):
        return {"tensor": _enter(move(value.array, device("cpu")), path, arrays)}
    if isinstance(value, np.ndarray):
        return {"array": _enter(value, path, arrays)}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, Mapping):
        pairs = [[_key(key, path), _describe(item, (*path, key), arrays)] for key, item in value.items()]
        return {"ordered" if isinstance(value, OrderedDict) else "dict": pairs}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_describe(item, (*path, i), arrays) for i, item in enumerate(value)]}
    got = f"a {type(value).__module__}.{type(value).__qualname__}".replace("a builtins.", "a ")
    remedy = "Save its get_state()" if isinstance(value, Generator) else "Save what it is made of, such as its state_dict()"
    raise DTypeError(
        "save", _where(path), "tensors, arrays, numbers, strings, None, and dicts, lists, tuples of them", got, remedy
    )


def _key(key: Any, path: tuple) -> Any:
    if isinstance(key, np.generic):
        key = key.item()
    if key is None or isinstance(key, (str, bool, int)):
        return key
    if isinstance(key, float):
        return _describe(key, path, {})
    raise DTypeError("save", f"a key of {_where(path)}", "a string, number, truth value or None", repr(key))


def _enter(array: np.ndarray, path: tuple, arrays: dict[str, np.ndarray]) -> str:
    name = plain = ".".join([str(step) for step in path]) or "tensor"
    count = 1
    while name in arrays or name == "__metadata__":  # {"a.b": x, "a": {"b": y}}
        count += 1
        name = f"{plain}#{count}"
    arrays[name] = array
    return name


class Misfit(ValueError):
    """A description that does not fit its table, or that nobody here wrote."""


def put_together(description: Any, arrays: dict[str, np.ndarray], tensor: Callable[[np.ndarray], Tensor]) -> Any:
    """The value that ``take_apart`` took apart.

    Args:
        description: as above, from a file that may be damaged or hostile.
        arrays: the table; each entry must be used once, and leaves it.
        tensor: makes a Tensor of an array.

    Raises:
        Misfit: it is no description, or another table's.
    """
    value = _build(description, arrays, tensor, 0)
    if arrays:
        raise Misfit(f"the tensor {next(iter(arrays))!r} has no place in the structure")
    return value


def _build(node: Any, arrays: dict[str, np.ndarray], tensor: Callable[[np.ndarray], Tensor], depth: int) -> Any:
    if depth > MOST_NESTED + 1:
        raise Misfit("containers are nested too deep")
    if node is None or isinstance(node, (bool, int, float, str)):
        return node
    if not isinstance(node, dict) or len(node) != 1:
        raise Misfit("the structure has a part that means nothing")
    ((kind, content),) = node.items()
    if kind in ("tensor", "array") and isinstance(content, str):
        if content not in arrays:
            raise Misfit(f"the tensor {content!r} is missing, or is asked for twice")
        array = arrays.pop(content)
        return tensor(array) if kind == "tensor" else array
    if kind == "float" and content in ("inf", "-inf", "nan"):
        return float(content)
    if kind in ("list", "tuple") and isinstance(content, list):
        items = [_build(item, arrays, tensor, depth + 1) for item in content]
        return items if kind == "list" else tuple(items)
    if kind in ("dict", "ordered") and isinstance(content, list):
        made: dict[Any, Any] = OrderedDict() if kind == "ordered" else {}
        for pair in content:
            if not isinstance(pair, list) or len(pair) != 2:
                raise Misfit("the structure has a dict whose entries are no pairs")
            key = _build(pair[0], {}, tensor, depth + 1)
            if isinstance(key, (list, tuple, dict)):
                raise Misfit("the structure has a dict with a container for a key")
            made[key] = _build(pair[1], arrays, tensor, depth + 1)
        return made
    raise Misfit(f"the structure has a part of the unknown kind {kind[:40]!r}")
