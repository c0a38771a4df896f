"""The state of a module: its tensors by name, read out and loaded.

PyTorch's ``load_state_dict`` copies what fits and then raises. Ours looks at everything first: when it raises, it has listed
every key that is missing, unexpected or misshapen, and has loaded nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError, StateError
from minigrad.nn.parameter import Parameter

EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict`` did not find, and what it found no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def _own_tensors(module: Any) -> Iterator[tuple[str, Tensor]]:
    """The parameters and persistent buffers of this module alone."""
    for name, tensor in module._parameters.items():
        if tensor is not None:
            yield name, tensor
    for name, tensor in module._buffers.items():
        if tensor is not None and name not in module._non_persistent:
            yield name, tensor


def _has_extra(module: Any, method: str) -> bool:
    return getattr(type(module), method) is not getattr(Stateful, method)


def _read(module: Any, destination: dict, prefix: str, keep_vars: bool) -> None:
    """Write the state of a module and of those below it into ``destination``."""
    for name, tensor in _own_tensors(module):
        destination[prefix + name] = tensor if keep_vars else tensor.detach()
    if _has_extra(module, "get_extra_state"):
        destination[prefix + EXTRA] = module.get_extra_state()
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)


class _Plan:
    """What is to be loaded where, and what is wrong."""

    def __init__(self) -> None:
        self.tensors: list[tuple[Any, str, Tensor, Tensor]] = []  # module, name, what it has, what comes
        self.extras: list[tuple[Any, Any]] = []
        self.missing: list[str] = []
        self.shapes: dict[str, tuple] = {}  # of the missing
        self.misshapen: list[str] = []
        self.known: set[str] = set()

    def add(self, module: Any, state: Mapping[str, Any], prefix: str) -> None:
        state = module._upgrade_state(state, prefix)
        for name, own in _own_tensors(module):
            key = prefix + name
            self.known.add(key)
            if key not in state:
                self.missing.append(key)
                self.shapes[key] = tuple(own.array.shape)
                continue
            value = state[key]
            if not isinstance(value, Tensor):
                self.misshapen.append(f"{key} is a {type(value).__name__}, not a Tensor")
                continue
            if own.array.ndim == 0 and value.array.shape == (1,):  # files that know no tensors without dimensions
                value = Tensor._wrap(value.array.reshape(()))
            if value.array.shape != own.array.shape:
                self.misshapen.append(f"{key} is {tuple(value.array.shape)}, the module has {tuple(own.array.shape)}")
                continue
            self.tensors.append((module, name, own, value))
        if _has_extra(module, "set_extra_state"):
            self.known.add(prefix + EXTRA)
            if prefix + EXTRA in state:
                self.extras.append((module, state[prefix + EXTRA]))
            else:
                self.missing.append(prefix + EXTRA)
        for name, child in module._modules.items():
            if child is not None:
                self.add(child, state, f"{prefix}{name}.")

    def check(self, module: Any, unexpected: list[str], state: Mapping[str, Any], strict: bool) -> None:
        missing, extra = (self.missing, unexpected) if strict else ([], [])
        if not (missing or extra or self.misshapen):
            return
        faults = []
        if missing:
            told = [f"{key} {self.shapes[key]}" if key in self.shapes else key for key in missing]
            faults.append(f"{len(missing)} missing: {', '.join(told)}")
        if extra:
            shapes = [getattr(state[key], "shape", None) for key in extra]
            told = [key if shape is None else f"{key} {tuple(shape)}" for key, shape in zip(extra, shapes, strict=True)]
            faults.append(f"{len(extra)} unexpected: {', '.join(told)}")
        if self.misshapen:
            faults.append(f"{len(self.misshapen)} misshapen: {', '.join(self.misshapen)}")
        raise StateError(
            "load_state_dict",
            type(module).__name__,
            f"its {len(self.known)} keys, each with its shape",
            "; ".join(faults),
            "Nothing was loaded"
            if self.misshapen
            else "Nothing was loaded; strict=False loads the keys that fit and leaves out the others",
        )

    def carry_out(self, assign: bool) -> None:
        with no_grad():
            for module, name, own, value in self.tensors:
                if not assign:
                    own.copy_(value)
                elif name in module._parameters:
                    made = value if isinstance(value, Parameter) else Parameter(value)
                    module._parameters[name] = made.requires_grad_(own.requires_grad)
                else:
                    module._buffers[name] = value
        for module, extra in self.extras:
            module.set_extra_state(extra)


def _load(module: Any, state: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """Load a state into a module: all of it, or nothing where something does not fit."""
    if not isinstance(state, Mapping):
        raise DTypeError("load_state_dict", "state_dict", "a mapping from names to Tensors", type(state).__name__)
    plan = _Plan()
    plan.add(module, state, "")
    unexpected = [key for key in state if key not in plan.known]
    plan.check(module, unexpected, state, strict)
    plan.carry_out(assign)
    return IncompatibleKeys(plan.missing, unexpected)


class Stateful:
    """The part of a Module that reads its state out and loads it."""

    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by path, sharing the module's memory.

        Args:
            destination: write into this mapping.
            prefix: what each key begins with.
            keep_vars: the tensors themselves, in place of detached ones.
        """
        destination = OrderedDict() if destination is None else destination
        _read(self, destination, prefix, keep_vars)
        return destination

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Copy a state into the parameters and buffers; all of it, or nothing where something does not fit.

        Args:
            state_dict: Tensors by path, as ``state_dict()`` gives them.
            strict: every key must be there and none besides.
            assign: take the given tensors in place of copying them (a dtype that differs is taken too).

        Returns:
            The keys that were missing and those that had no place (none where ``strict``).

        Raises:
            StateError: keys are missing, unexpected, or of another shape; all of them are listed, and nothing was loaded.
                (PyTorch has by then loaded what fits.)
        """
        return _load(self, state_dict, strict, assign)

    def get_extra_state(self) -> Any:
        """What else belongs to the state of this module; override it together with ``set_extra_state``."""
        raise NotImplementedError(f"{type(self).__name__} has set_extra_state and no get_extra_state: write both")

    def set_extra_state(self, state: Any) -> None:
        """Take up what ``get_extra_state`` gave."""
        raise NotImplementedError(f"{type(self).__name__} has get_extra_state and no set_extra_state: write both")

    def _upgrade_state(self, state: Mapping[str, Any], prefix: str) -> Mapping[str, Any]:
        """A state of older files as this module writes it today; overridden where layers changed."""
        return state
