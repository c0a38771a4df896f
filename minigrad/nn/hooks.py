"""What runs around a module's forward and backward when hooks are registered; a module without hooks never comes here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minigrad.core.device import Array
from minigrad.core.tape import Function
from minigrad.core.tensor import RemovableHandle, Tensor
from minigrad.errors import GradError


class Hook(NamedTuple):
    """A hook and how it wants to be called."""

    call: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


class Hooks:
    """The hooks of one module, in order of their calls."""

    def __init__(self) -> None:
        self.forward_pre: dict[int, Hook] = {}
        self.forward: dict[int, Hook] = {}
        self.backward_pre: dict[int, Hook] = {}
        self.backward: dict[int, Hook] = {}

    @staticmethod
    def add(hooks: dict[int, Hook], hook: Hook, prepend: bool) -> RemovableHandle:
        """Register a hook as the last, or as the first."""
        others = dict(hooks)
        handle = RemovableHandle(hooks, hook)
        if prepend:
            for number, other in others.items():
                del hooks[number]
                hooks[number] = other
        return handle


def call_with_hooks(module: Any, args: tuple, kwargs: dict) -> Any:
    """``module.forward`` with the module's hooks around it, in PyTorch's order."""
    hooks: Hooks = module._hooks
    called: set[int] = set()
    result = None
    try:
        for hook in list(hooks.forward_pre.values()):
            args, kwargs = _before(module, hook, args, kwargs)
        passage = _Passage(module, hooks) if hooks.backward_pre or hooks.backward else None
        if passage is not None:
            args = passage.enter(args)
        result = module.forward(*args, **kwargs)
        for number, hook in list(hooks.forward.items()):
            called.add(number)
            result = _after(module, hook, args, kwargs, result)
        return result if passage is None else passage.leave(result)
    except Exception:
        for number, hook in list(hooks.forward.items()):
            if hook.always_call and number not in called:
                try:
                    result = _after(module, hook, args, kwargs, result)
                except Exception as error:
                    warnings.warn(f"a forward hook with always_call=True failed after forward had: {error}", stacklevel=3)
        raise


def _before(module: Any, hook: Hook, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    if hook.with_kwargs:
        changed = hook.call(module, args, kwargs)
        if changed is None:
            return args, kwargs
        if not (isinstance(changed, tuple) and len(changed) == 2):
            raise GradError("forward pre-hook", "return value", "None or a pair (args, kwargs)", repr(changed))
        return changed
    changed = hook.call(module, args)
    if changed is None:
        return args, kwargs
    return changed if isinstance(changed, tuple) else (changed,), kwargs


def _after(module: Any, hook: Hook, args: tuple, kwargs: dict, result: Any) -> Any:
    changed = hook.call(module, args, kwargs, result) if hook.with_kwargs else hook.call(module, args, result)
    return result if changed is None else changed


class Gate(Function):
    """y_i = x_i;  dx = gate(dy): what passes back may be seen and replaced, all of it at once.

    Where no gradient arrived the gate gets zeros if ``zeros``, else ``None``.
    """

    def forward(ctx, gate: Callable[[tuple], Sequence], zeros: bool, *xs: Array) -> tuple[Array, ...]:
        ctx.gate = gate
        ctx.set_materialize_grads(zeros)
        return xs

    def backward(ctx, *dys: Tensor) -> Any:
        return None, None, *ctx.gate(dys)


class _Passage:
    """One call of a module with backward hooks: a gate at its inputs and one at its outputs."""

    def __init__(self, module: Any, hooks: Hooks) -> None:
        self.module, self.hooks = module, hooks
        self.inputs: list[int] = []  # positions of the arguments that require grad
        self.outputs: list[int] = []
        self.args: tuple = ()  # outlines of the arguments
        self.count = 0  # of outputs
        self.grad_output: tuple = ()

    def enter(self, args: tuple) -> tuple:
        self.args = _outlines(args)
        self.inputs, args = _through(self.at_inputs, True, args)
        return args

    def leave(self, result: Any) -> Any:
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "backward hooks are called for modules that return a Tensor or a tuple of Tensors; "
                f"{type(self.module).__name__} returned a {type(result).__name__}",
                stacklevel=4,
            )
            return result
        parts = (result,) if isinstance(result, Tensor) else result
        self.count = len(parts)
        self.outputs, passed = _through(self.at_outputs, False, parts)
        if isinstance(result, Tensor):
            return passed[0]
        return type(result)(*passed) if hasattr(result, "_fields") else passed  # a named tuple keeps its names

    def at_outputs(self, grads: tuple) -> Sequence:
        full = _spread(grads, self.outputs, (None,) * self.count)
        for hook in list(self.hooks.backward_pre.values()):
            full = _replaced(hook.call(self.module, full), full, "full backward pre-hook")
        self.grad_output = full
        if not self.inputs:  # nothing goes on to the inputs: the hooks see the outputs' gradients only
            none = (None,) * len(self.args)
            for hook in list(self.hooks.backward.values()):
                changed = hook.call(self.module, none, full)
                if changed is not None and any(grad is not None for grad in _as_tuple(changed)):
                    raise GradError(
                        "full backward hook", "return value", "None, as no input of the module requires grad", repr(changed)
                    )
        return [full[position] for position in self.outputs]

    def at_inputs(self, grads: tuple) -> Sequence:
        full = _spread(grads, self.inputs, self.args)
        for hook in list(self.hooks.backward.values()):
            full = _replaced(hook.call(self.module, full, self.grad_output), full, "full backward hook")
        return [full[position] for position in self.inputs]


def _through(gate: Callable[[tuple], Sequence], zeros: bool, values: tuple) -> tuple[list[int], tuple]:
    """Pass the tensors that require grad through a gate; tell which they were."""
    positions = [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]
    if not positions:
        return positions, values
    passed = list(values)
    for position, output in zip(positions, Gate.apply(gate, zeros, *[values[i] for i in positions]), strict=True):
        output._counter = values[position]._counter  # the same memory: an in-place change of one counts for both
        passed[position] = output
    return positions, tuple(passed)


def _outlines(values: tuple) -> tuple:
    """Of each tensor what zeros of its sort are made from; ``None`` for what is no tensor."""
    return tuple([(type(v.array), v.array.shape, v.array.dtype) if isinstance(v, Tensor) else None for v in values])


def _spread(grads: tuple, positions: list[int], outlines: tuple) -> tuple:
    """The gradients at their positions, zeros for other tensors, ``None`` for what is no tensor."""
    full = dict(zip(positions, grads, strict=True))
    return tuple(
        [full.get(i) if i in full or outline is None else Tensor._zeros(*outline) for i, outline in enumerate(outlines)]
    )


def _as_tuple(value: Any) -> tuple:
    return value if isinstance(value, tuple) else (value,)


def _replaced(changed: Any, before: tuple, where: str) -> tuple:
    if changed is None:
        return before
    changed = _as_tuple(changed)
    if len(changed) != len(before):
        raise GradError(where, "return value", f"None or {len(before)} gradients", str(len(changed)))
    return changed


class Hookable:
    """The part of a Module that takes hooks up. Each handle that comes back takes its hook away: ``handle.remove()``."""

    _hooks: Hooks | None = None

    def _hooks_here(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``; arguments it returns take the place of the positional ones.

        With ``with_kwargs`` it is ``hook(module, args, kwargs)``, which may return both as a pair.
        """
        hooks = self._hooks_here()
        return hooks.add(hooks.forward_pre, Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after ``forward``; an output it returns takes the place of the first.

        With ``with_kwargs`` it is ``hook(module, args, kwargs, output)``. With ``always_call`` it is called also after an
        exception, then with the output so far.
        """
        hooks = self._hooks_here()
        return hooks.add(hooks.forward, Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the outputs are known; what it returns replaces them."""
        hooks = self._hooks_here()
        return hooks.add(hooks.backward_pre, Hook(hook), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are known.

        Both hold one entry for each positional argument or output. ``grad_output``: ``None`` where no gradient arrived;
        ``grad_input``: zeros for a tensor that requires no grad, ``None`` for what is no tensor, and only ``None`` if no
        argument requires grad. What the hook returns takes its place.
        """
        hooks = self._hooks_here()
        return hooks.add(hooks.backward, Hook(hook), prepend)
