"""Modules that hold parameters: by number and by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError, IndexingError
from minigrad.nn.containers import named_pairs, place_in_list
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter


def _learnt(value: Any) -> Any:
    """Plain tensors become parameters; all else stays what it is."""
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _describe(name: str, value: Any) -> str:
    if isinstance(value, Tensor):
        place = "" if value.device.type == "cpu" else f" ({value.device})"
        kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
        return f"  ({name}): {kind} containing: [minigrad.{value.dtype} of size {'x'.join(map(str, value.shape))}{place}]"
    return f"  ({name}): Object of type: {type(value).__name__}"


class ParameterList(Module):
    """A list of parameters that belong to the module which holds it.

    Args:
        values: what it holds at first; tensors become parameters, other things are held as they are.

    Example:
        >>> import minigrad
        >>> from minigrad import nn
        >>> scales = nn.ParameterList([minigrad.ones(2), minigrad.ones(3)])
        >>> len(scales), list(scales.state_dict())
        (2, ['0', '1'])
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter(self[number] for number in range(self._size))

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, str(place_in_list("ParameterList", index, self._size)))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(place_in_list("ParameterList", index, self._size)), _learnt(value))

    def append(self, value: Any) -> Self:
        """Add a parameter at the end."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add parameters at the end."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise DTypeError("ParameterList.extend", "values", "an iterable of Tensors", type(values).__name__)
        for value in list(values):
            self.append(value)
        return self

    def pop(self, index: int = -1) -> Any:
        """Take a parameter out and return it."""
        values = list(self)
        taken = values.pop(place_in_list("ParameterList", index, self._size))
        for number in range(self._size):
            delattr(self, str(number))
        self._size = 0
        self.extend(values)
        return taken

    def __iadd__(self, other: Iterable[Any]) -> Self:
        return self.extend(other)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("a ParameterList cannot be called: it holds parameters and computes nothing")

    def __repr__(self) -> str:
        return "\n".join([f"{self._get_name()}(", *(_describe(str(i), v) for i, v in enumerate(self)), ")"])


class ParameterDict(Module):
    """Parameters by name, which belong to the module that holds it.

    Args:
        parameters: a mapping, or pairs (name, value); tensors become parameters, other things are held as they are.

    Example:
        >>> import minigrad
        >>> from minigrad import nn
        >>> scales = nn.ParameterDict({"left": minigrad.ones(2)})
        >>> scales["left"].requires_grad, list(scales.state_dict())
        (True, ['left'])
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            names = ", ".join(map(repr, self._keys)) or "none, as it is empty"
            raise IndexingError("ParameterDict", "key", f"one of {names}", repr(key))
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._keys:
            self._check_name("ParameterDict", key, {})
        self._keys[key] = None
        setattr(self, key, _learnt(value))

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def clear(self) -> None:
        """Take all parameters out."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key: str) -> Any:
        """Take a parameter out and return it."""
        value = self[key]
        del self._keys[key]
        delattr(self, key)
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the parameter that came last out and return it with its name."""
        key = next(reversed(self._keys), "")
        return key, self.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter of a name, or ``default``."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The parameter of a name, which is ``default`` from now on if there was none."""
        if key not in self._keys:
            self[key] = default
        return self[key]

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A new one with these names, and ``default`` under each."""
        return ParameterDict((key, default) for key in keys)

    def copy(self) -> ParameterDict:
        """Another one with the same parameters."""
        return ParameterDict(self)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._keys.keys()

    def values(self) -> Iterable[Any]:
        """The parameters."""
        return [self[key] for key in self._keys]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and parameters."""
        return [(key, self[key]) for key in self._keys]

    def update(self, parameters: Any) -> None:
        """Add parameters from a mapping or from pairs; a name that is there is replaced."""
        for key, value in named_pairs("ParameterDict.update", parameters):
            self[key] = value

    def __or__(self, other: ParameterDict) -> ParameterDict:
        return ParameterDict([*self.items(), *other.items()])

    def __ior__(self, other: ParameterDict) -> Self:
        self.update(other)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("a ParameterDict cannot be called: it holds parameters and computes nothing")

    def __repr__(self) -> str:
        return "\n".join([f"{self._get_name()}(", *(_describe(str(k), v) for k, v in self.items()), ")"])


__all__ = ["ParameterDict", "ParameterList"]
