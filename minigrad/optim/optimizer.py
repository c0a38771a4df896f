"""What all optimisers share: groups of parameters with their settings, state for each parameter, and both as data."""

from __future__ import annotations

import copy
import functools
import numbers
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from minigrad.core.device import SEVERAL, array_module, device_of, follow, move, quiet
from minigrad.core.hints import check_constructor
from minigrad.core.modes import enable_grad
from minigrad.core.refusals import refuse_size
from minigrad.core.tensor import RemovableHandle, Tensor
from minigrad.errors import ArgumentError, DTypeError, GradError, StateError
from minigrad.ops.sparse import SparseRows
from minigrad.optim.batches import Batch, Batches

REQUIRED = object()  # the default of a setting that a group must give itself


class Optimizer:
    """The base of all optimisers. Derive from it, write ``step``, and keep what the steps remember in ``self.state[p]``.

    Args:
        params: Tensors, or pairs of a name and a Tensor, or dicts: groups with ``"params"`` and settings of their own.
        defaults: the settings of groups that do not say otherwise.

    Attributes:
        param_groups: a list of dicts, each with ``"params"`` and every setting.
        state: what is remembered of each parameter, a dict by name.

    Raises:
        DTypeError: something that is no Tensor stands among ``params``.
        ArgumentError: no parameters, one of them twice, or a setting outside its range.
        GradError: a parameter is the result of an op, not a leaf.

    Example:
        >>> import minigrad
        >>> class Descent(Optimizer):
        ...     def __init__(self, params, lr):
        ...         super().__init__(params, {"lr": lr})
        ...     def step(self, closure=None):
        ...         with minigrad.no_grad():
        ...             for group in self.param_groups:
        ...                 for p in group["params"]:
        ...                     p.sub_(group["lr"] * p.grad)
        >>> w = minigrad.tensor([1.0], requires_grad=True)
        >>> (w * w).sum().backward(); Descent([w], lr=0.25).step(); w
        tensor([0.5000], requires_grad=True)
    """

    STATE: tuple[str, ...] | None = None  # names of state of a parameter's shape; None: not known, and not checked
    NUMBERS: tuple[str, ...] = ()  # names of state that is one number
    OPTIONAL: tuple[str, ...] = ()  # those of both that some settings do without

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        name = type(self).__name__
        if isinstance(params, (Tensor, Mapping)) or not isinstance(params, Iterable):
            got = f"a {type(params).__name__}"
            raise DTypeError(name, "params", "an iterable of Tensors or of dicts", got, "Put it into a list")
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._batches = Batches()
        self._hooks_before: dict[int, Callable] = {}
        self._hooks_after: dict[int, Callable] = {}
        self._steps = 0  # steps since it was made: schedules look whether there was one
        groups = list(params)
        if not groups:
            raise ArgumentError(name, "params", "at least one parameter", "none", "Has the model any? See model.parameters()")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_constructor(cls)
        if "step" in cls.__dict__:
            cls.step = _hooked(cls.__dict__["step"])  # type: ignore[method-assign]

    # ------------------------------------------------------------------ groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters to be updated too, with settings of their own.

        Args:
            param_group: ``{"params": ..., "lr": ..., ...}``; what is left out has the default.

        Raises:
            DTypeError, ArgumentError, GradError: as for the optimiser itself.
        """
        name = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise DTypeError(name, "param_group", "a dict with 'params'", repr(param_group)[:80])
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set):
            raise DTypeError(name, "params", "an ordered collection", "a set", "Its order changes from run to run: use a list")
        members = [params] if isinstance(params, Tensor) else list(params)
        if members and all(isinstance(member, tuple) and len(member) == 2 for member in members):
            group["param_names"] = [label for label, _ in members]
            members = [member for _, member in members]
        seen = {id(p) for other in self.param_groups for p in other["params"]}
        for place, p in enumerate(members):
            if not isinstance(p, Tensor):
                raise DTypeError(name, f"params[{place}]", "a Tensor", type(p).__name__)
            if not p.is_leaf:
                raise GradError(name, f"params[{place}]", "a leaf", f"the result of {p.grad_fn!r}", "Use what it is made from")
            if not getattr(p.array.flags, "writeable", True):
                got = "read-only or expanded memory"
                raise ArgumentError(name, f"params[{place}]", "memory that may be written", got, "Clone the tensor first")
            if id(p) in seen:
                raise ArgumentError(name, f"params[{place}]", "each parameter once", "one that came before")
            seen.add(id(p))
        group["params"] = members
        for setting, value in self.defaults.items():
            if value is REQUIRED and setting not in group:
                raise ArgumentError(name, setting, "a value in each group, as there is no default", "none")
            group.setdefault(setting, copy.copy(value))
        self.check_group(group)
        self.param_groups.append(group)

    def check_group(self, group: dict[str, Any]) -> None:
        """See that the settings of a group have a meaning. Derived classes say how.

        Raises:
            ArgumentError: a setting outside its range.
            DTypeError: a setting that is no number.
        """

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or make them zero, which takes more time and memory."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if set_to_none:
                    p.grad = None
                elif p.grad.is_sparse:
                    p.grad.zero_()
                else:
                    p.grad.detach_()
                    p.grad.array.fill(0)
                    _count(p.grad)

    # ------------------------------------------------------------------ the step

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change all parameters that have a gradient, once.

        Args:
            closure: computes the loss and its gradients anew; called first.

        Returns:
            What ``closure`` gave, or ``None``.

        Raises:
            ShapeError: a gradient has another shape than its parameter.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with quiet():
            for group in self.param_groups:
                self.update(group)
        return loss

    def update(self, group: dict[str, Any]) -> None:
        """Change the parameters of a group: what derived classes write that keep the base's ``step``."""
        raise NotImplementedError(f"{type(self).__name__} has neither step nor update")

    def batches(
        self, group: dict[str, Any], states: tuple[str, ...] = (), *, sparse: str | None = None, rows: bool = False
    ) -> Iterator[Batch]:
        """The parameters of a group that have a gradient, as the kernels of an update take them, mostly in one batch.

        The change is counted in the parameters' versions.

        Args:
            states: names of states of a parameter's shape. What a parameter does not have yet is made by ``begin``.
            sparse: what to use in place of this optimiser where a gradient is sparse; ``None`` if it takes them.
            rows: leave those with a sparse gradient to ``sparse_ones``; else they are taken as dense.

        Raises:
            GradError: a sparse gradient that is not taken.
        """
        grads = {p: grad for p in group["params"] if (grad := p._grad) is not None}
        if any(grad.is_sparse for grad in grads.values()):
            if sparse is not None:
                raise GradError(type(self).__name__, "gradient", "a dense one", "a sparse one", sparse)
            if rows:
                grads = {p: grad for p, grad in grads.items() if not grad.is_sparse}
        for batch in self._batches.of(group, grads, self.state, states, lambda p, state: self.begin(group, p, state, states)):
            yield batch
            for p in batch.members:
                _count(p)

    def begin(self, group: dict[str, Any], p: Tensor, state: dict[str, Any], names: tuple[str, ...]) -> bool:
        """Make those of a parameter's states that are not there yet, and say whether there were any."""
        if not state and "step" in self.NUMBERS:
            state["step"] = 0
        _bring_along(p, state)
        missing = [name for name in names if state.get(name) is None]
        for name in missing:
            state[name] = self.zeros(group, p)
        return bool(missing)

    def zeros(self, group: dict[str, Any], p: Tensor) -> Tensor:
        """What a state of a parameter's shape is before the first step."""
        return zeros_like(p)

    def sparse_ones(self, group: dict[str, Any]) -> Iterator[tuple[Tensor, SparseRows, dict[str, Any]]]:
        """The parameters of a group that have a sparse gradient, with it and their state; the change is counted."""
        for p in group["params"]:
            if p._grad is not None and p._grad.is_sparse:
                _bring_along(p, self.state[p])
                yield p, p._grad, self.state[p]
                _count(p)

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; a pair that it returns takes the arguments' place."""
        return RemovableHandle(self._hooks_before, hook)

    def register_step_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return RemovableHandle(self._hooks_after, hook)

    # ------------------------------------------------------------------ as data

    def state_dict(self) -> dict[str, Any]:
        """The state of each parameter, by its number over all groups, and the groups with such numbers for parameters.

        The tensors are the optimiser's own, not copies.

        Example:
            >>> import minigrad
            >>> sgd = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=0.1)
            >>> sgd.state_dict()["param_groups"][0]["params"]
            [0]
        """
        number = {id(p): i for i, p in enumerate(self._all())}
        groups = []
        for group in self.param_groups:
            packed = {name: value for name, value in group.items() if name != "params"}
            packed["params"] = [number[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {number[id(p)]: dict(values) for p, values in self.state.items() if values}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the state and settings of a ``state_dict``, PyTorch's included. Its tensors are copied.

        Args:
            state_dict: from an optimiser of this class over the same parameters in the same order.

        Raises:
            StateError: it does not fit. All that does not is listed, and nothing has been changed.
        """
        name = type(self).__name__
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            got = f"the keys {sorted(map(str, state_dict))}" if isinstance(state_dict, Mapping) else type(state_dict).__name__
            raise StateError(name, "state_dict", "a dict with 'state' and 'param_groups'", got)
        faults = self._group_faults(state_dict["param_groups"])
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        if not faults:
            numbers = [number for group in state_dict["param_groups"] for number in group["params"]]
            places = {str(number): (i, p) for i, (number, p) in enumerate(zip(numbers, self._all(), strict=True))}
            states = state_dict["state"]
            if not isinstance(states, Mapping) or not all(isinstance(values, Mapping) for values in states.values()):
                faults, states = ["state, which is no dict of dicts"], {}
            for number, values in states.items():
                if str(number) not in places:
                    faults.append(f"state of parameter {number}, which is in no group")
                    continue
                place, p = places[str(number)]
                faults += self._state_faults(place, p, values)
                if not faults:
                    state[p] = {key: self._loaded(p, key, value) for key, value in values.items()}
        if faults:
            listed = "\n    ".join(["", *faults])
            raise StateError(
                name, "state_dict", "the state of this optimiser's parameters", f"one with these faults:{listed}\n"
            )
        self.state = state
        for own, loaded in zip(self.param_groups, state_dict["param_groups"], strict=True):
            settings = {key: copy.deepcopy(value) for key, value in loaded.items() if key != "params"}
            own.update({key: _like(own.get(key), value) for key, value in settings.items()})

    def _group_faults(self, groups: Any) -> list[str]:
        if not isinstance(groups, (list, tuple)) or not all(isinstance(group, Mapping) for group in groups):
            return ["param_groups, which is no list of dicts"]
        if len(groups) != len(self.param_groups):
            return [f"{len(groups)} parameter groups, where the optimiser has {len(self.param_groups)}"]
        faults = []
        for i, (own, loaded) in enumerate(zip(self.param_groups, groups, strict=True)):
            numbers = loaded.get("params", ())
            got = len(numbers) if isinstance(numbers, (list, tuple)) else 0
            if got != len(own["params"]):
                faults.append(f"group {i} with {got} parameters, where the optimiser has {len(own['params'])}")
            missing = [setting for setting in self.defaults if setting not in loaded]
            if missing:
                faults.append(f"group {i} without {', '.join(missing)}")
            for key, value in loaded.items():
                if key != "params" and not same_kind(own.get(key), value):
                    faults.append(f"{key} of group {i}, {value!r}, where the optimiser has {own[key]!r}")
        return faults

    def _state_faults(self, place: int, p: Tensor, values: Any) -> list[str]:
        if self.STATE is None:
            return []
        faults = []
        for key, value in values.items():
            if key in self.STATE:
                shape = None if value is None else tuple(getattr(value, "shape", ()))
                if shape not in (None, tuple(p.array.shape)):
                    faults.append(
                        f"{key} of parameter {place} of shape {shape}, where the parameter has {tuple(p.array.shape)}"
                    )
            elif key in self.NUMBERS:
                if not same_kind(0.0, value):
                    faults.append(f"{key} of parameter {place}, {value!r}, which is no number")
            else:
                faults.append(f"{key} of parameter {place}, which {type(self).__name__} does not have")
        for key in (*self.STATE, *self.NUMBERS) if values else ():
            if key not in values and key not in self.OPTIONAL:
                faults.append(f"no {key} of parameter {place}")
        return faults

    def _loaded(self, p: Tensor, key: str, value: Any) -> Any:
        """A value as this optimiser keeps it: numbers as Python's, tensors in the parameter's dtype, device and layout."""
        if key in self.NUMBERS:
            number = value.item() if hasattr(value, "item") else value
            return int(number) if key == "step" else float(number)
        if not isinstance(value, (Tensor, np.ndarray)) and not hasattr(value, "__array__"):
            return copy.deepcopy(value)
        array = value.array if isinstance(value, Tensor) else np.asarray(value)
        if self.STATE is None or key not in self.STATE:
            return Tensor._wrap(array.copy())
        own = array_module(p.array).empty_like(p.array)
        own[...] = move(array.astype(p.array.dtype), p.device)
        return Tensor._wrap(own)

    def _all(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def _hooked(step: Callable) -> Callable:
    """A ``step`` with the hooks around it."""

    @functools.wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        for hook in list(self._hooks_before.values()):
            changed = hook(self, args, kwargs)
            if changed is not None:
                args, kwargs = changed
        try:
            result = step(self, *args, **kwargs)
        except MemoryError as error:
            refuse_size(f"{type(self).__name__}.step", error, self._all())
            raise
        self._steps += 1
        for hook in list(self._hooks_after.values()):
            hook(self, args, kwargs)
        return result

    return hooked


Optimizer.step = _hooked(Optimizer.step)  # type: ignore[method-assign]


def _bring_along(p: Tensor, state: dict[str, Any]) -> None:
    """Move the states of a parameter's shape to where it lies, if it was moved or converted after they were made."""
    if SEVERAL:
        follow((p.array,))
    for name, value in state.items():
        if not isinstance(value, Tensor) or value.array.shape != p.array.shape:
            continue
        if value.array.dtype != p.array.dtype or device_of(value.array) != device_of(p.array):
            own = array_module(p.array).empty_like(p.array)
            own[...] = move(value.array, device_of(p.array)).astype(p.array.dtype)
            state[name] = Tensor._wrap(own)


def _count(p: Tensor) -> None:
    if p._counter is not None:
        p._counter[0] += 1


def _like(own: Any, value: Any) -> Any:
    """A setting in the type it has here: a file turns tuples into lists."""
    return tuple(value) if isinstance(own, tuple) and isinstance(value, list) else value


def zeros_like(p: Tensor, value: float = 0.0) -> Tensor:
    """State of a parameter's shape, dtype, device and memory layout."""
    state = array_module(p.array).empty_like(p.array)
    state.fill(value)
    return Tensor._wrap(state)


def same_kind(own: Any, loaded: Any) -> bool:
    """Whether a loaded setting can stand in the place of ``own``: a number for a number, several for several."""
    if isinstance(own, (tuple, list)):
        fits = isinstance(loaded, (tuple, list)) and len(loaded) == len(own)
        return fits and all(same_kind(one, other) for one, other in zip(own, loaded, strict=True))
    if isinstance(own, (int, float)) and not isinstance(own, bool):
        return isinstance(loaded, numbers.Real) or hasattr(loaded, "item")  # PyTorch keeps steps as tensors
    return True


def check_number(where: str, name: str, value: Any, low: float = 0.0, high: float | None = None, above: bool = False) -> None:
    """That a setting is a number of at least ``low`` (more than that if ``above``) and below ``high``.

    Raises:
        DTypeError: it is no number.
        ArgumentError: it is out of range.
    """
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise DTypeError(where, name, "a number", repr(value)) from None
    if not (number > low if above else number >= low) or (high is not None and not number < high):
        least = f"above {low:g}" if above else f"{low:g} or more"
        raise ArgumentError(where, name, least if high is None else f"{least} and below {high:g}", str(value))


def check_betas(where: str, betas: Any) -> None:
    """That ``betas`` are two numbers from 0 to below 1.

    Raises:
        DTypeError, ArgumentError: they are not.
    """
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise DTypeError(where, "betas", "two numbers", repr(betas))
    for i, beta in enumerate(betas):
        check_number(where, f"betas[{i}]", beta, high=1.0)
