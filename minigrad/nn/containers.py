"""Modules that hold modules: in order, by number, by name."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from minigrad.core.tape import mode
from minigrad.errors import ArgumentError, DTypeError, IndexingError
from minigrad.nn.activation import ReLU, ReLU6
from minigrad.nn.module import Module

JOINED: dict[type[Module], str] = {ReLU: "forward_relu", ReLU6: "forward_relu6"}
"""Activation -> the method of a layer that does it in the same pass."""


def place_in_list(where: str, index: Any, count: int, past_end: bool = False) -> int:
    """``index`` counted from 0; ``past_end``: one behind the last is a place too."""
    try:
        number = operator.index(index)
    except TypeError as error:
        raise DTypeError(where, "index", "an integer or a slice", repr(index)) from error
    if not -count <= number < count + past_end:
        raise IndexingError(where, "index", f"a number from {-count} to {count - 1 + past_end}", str(number))
    return number + count if number < 0 else number


def _check_module(where: str, value: Any) -> Module:
    if not isinstance(value, Module):
        raise DTypeError(where, "module", "a Module", type(value).__name__)
    return value


class _ModulesByNumber(Module):
    """What Sequential and ModuleList share: a list of modules, named "0", "1", ..."""

    def _fill(self, modules: Iterable[Module | None]) -> None:
        """Hold these modules, numbered from 0."""
        self._modules = OrderedDict((str(number), module) for number, module in enumerate(modules))

    def _list(self) -> list[Any]:
        return list(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def _key(self, index: Any) -> str:
        return list(self._modules)[place_in_list(type(self).__name__, index, len(self))]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._key(index), _check_module(type(self).__name__, module))

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        return self.insert(len(self), module)

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before place ``index``."""
        modules = self._list()
        place = place_in_list(type(self).__name__, index, len(modules), past_end=True)
        self._check_no_circle(str(place), _check_module(type(self).__name__, module))
        modules.insert(place, module)
        self._fill(modules)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        if not isinstance(modules, Iterable):
            raise DTypeError(f"{type(self).__name__}.extend", "modules", "an iterable of Modules", type(modules).__name__)
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, index: int) -> Any:
        """Take a module out and return it."""
        module = self._modules[self._key(index)]
        del self[index]
        return module

    def __delitem__(self, index: int | slice) -> None:
        modules = self._list()
        del modules[index if isinstance(index, slice) else place_in_list(type(self).__name__, index, len(modules))]
        self._fill(modules)

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)


class Sequential(_ModulesByNumber):
    """Modules one after the other: each takes the output of the one before.

    Args:
        args: modules, named "0", "1", ...; or one OrderedDict of modules by name.

    Example:
        >>> import minigrad
        >>> from minigrad import nn
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> net
        Sequential(
          (0): Linear(in_features=2, out_features=3, bias=True)
          (1): ReLU()
        )
        >>> net(minigrad.ones(1, 2)).shape, len(net[:1])
        (minigrad.Size([1, 3]), 1)
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], OrderedDict) else enumerate(args)
        for name, module in named:
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        """Each module of the one before. Where a layer can do the ``ReLU`` or ``ReLU6`` behind it in its own pass, the two are
        one op."""
        waiting: Any = None
        for module in self._modules.values():
            if waiting is not None:
                joined = JOINED.get(type(module)) if module._hooks is None else None  # type: ignore[arg-type, union-attr]
                if joined not in type(waiting).__dict__:
                    joined = None
                input = waiting(input) if joined is None else getattr(waiting, joined)(input)
                waiting = None
                if joined is not None:
                    continue
            if "forward_relu" in type(module).__dict__ and module._hooks is None and not mode.observers:  # type: ignore[union-attr]
                waiting = module
            else:
                input = module(input)  # type: ignore[misc]
        return input if waiting is None else waiting(input)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def append(self, module: Module) -> Self:
        """Add a module at the end, named by its number."""
        self.add_module(str(len(self)), _check_module("Sequential.append", module))
        return self

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        if not isinstance(times, int):
            return NotImplemented
        if times <= 0:
            raise ArgumentError("Sequential *", "number", "at least 1", str(times))
        return Sequential(*self._list() * times)

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        modules = list(self * times)
        self._fill(modules)
        return self


class ModuleList(_ModulesByNumber):
    """A list of modules that belong to the module which holds it. It has no ``forward``.

    Args:
        modules: what it holds at first.

    Example:
        >>> from minigrad import nn
        >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        >>> layers
        ModuleList(
          (0-2): 3 x Linear(in_features=4, out_features=4, bias=True)
        )
        >>> len(layers), list(layers.state_dict())[:2]
        (3, ['0.weight', '0.bias'])
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(self._list()[index])
        return self._modules[self._key(index)]

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        texts = [repr(module) for module in self]
        if not texts:
            return f"{self._get_name()}()"
        lines, start = [], 0
        for place in range(1, len(texts) + 1):
            if place == len(texts) or texts[place] != texts[start]:
                text = texts[start].replace("\n", "\n  ")
                run = place - start
                lines.append(f"({start}): {text}" if run == 1 else f"({start}-{place - 1}): {run} x {text}")
                start = place
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


def named_pairs(where: str, items: Any) -> list[tuple[str, Any]]:
    """Names and values of a mapping, or of pairs."""
    if isinstance(items, Mapping) or hasattr(items, "items"):
        return list(items.items())
    if not isinstance(items, Iterable):
        raise DTypeError(where, "items", "a mapping or pairs (name, value)", type(items).__name__)
    pairs = list(items)
    for position, item in enumerate(pairs):
        if not (isinstance(item, (tuple, list)) and len(item) == 2):
            raise ArgumentError(where, f"item {position}", "a pair (name, value)", repr(item))
    return pairs


class ModuleDict(Module):
    """Modules by name, which belong to the module that holds it. It has no ``forward``.

    Args:
        modules: a mapping, or pairs (name, module).

    Example:
        >>> from minigrad import nn
        >>> heads = nn.ModuleDict({"digit": nn.Linear(8, 10), "parity": nn.Linear(8, 2)})
        >>> heads["parity"].out_features, "colour" in heads
        (2, False)
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        if key not in self._modules:
            names = ", ".join(map(repr, self._modules)) or "none, as it is empty"
            raise IndexingError("ModuleDict", "key", f"one of {names}", repr(key))
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Take a module out and return it."""
        module = self[key]
        del self._modules[key]
        return module

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Add modules from a mapping or from pairs; a name that is there is replaced."""
        for key, module in named_pairs("ModuleDict.update", modules):
            self[key] = module


__all__ = ["ModuleDict", "ModuleList", "Sequential"]
