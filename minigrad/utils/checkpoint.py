"""Gradient checkpointing: forget what a part of the network saved, and compute it again when the way back needs it.

(Chen, Xu, Zhang and Guestrin 2016, "Training deep nets with sublinear memory cost".)

The graph itself is recorded as ever. Only what its nodes save is replaced by a promise. When a node asks for what it saved, the
function runs once more, and each node of this second run hands what it saved to its twin of the first. Tensors come back with
the history they had, so ``backward``, ``autograd.grad`` and derivatives of higher order work as without a checkpoint.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minigrad.core import random
from minigrad.core.hints import checked
from minigrad.core.modes import enable_grad
from minigrad.core.tape import Function, hang, mode
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, GradError


@checked
def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool = False, preserve_rng_state: bool = True, **kwargs: Any
) -> Any:
    """``function(*args, **kwargs)``, which keeps its inputs and results only, and runs again on the way back.

    ``function`` must do the same thing both times; what it changes outside itself (running statistics of a batch norm, say)
    is changed twice. Parameters that it uses without naming them get their gradients as well.

    Args:
        function: takes and returns Tensors and anything else.
        args, kwargs: its arguments. Tensors among them must not be changed in place before the way back.
        use_reentrant: accepted for PyTorch's sake: both values do what ``False`` does there.
        preserve_rng_state: draw the same random numbers (dropout) both times.

    Raises:
        GradError: on the way back, if the second run differs from the first, or an input was changed in place.

    Example:
        >>> import minigrad
        >>> from minigrad.utils.checkpoint import checkpoint
        >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
        >>> checkpoint(lambda x: (x * x).exp().log(), x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """
    outer = mode.saver
    if not mode.grad or isinstance(outer, _Forget):
        return function(*args, **kwargs)
    if isinstance(outer, _Record):  # the second run of a checkpoint around this one
        outer.lay_by([arg.array if isinstance(arg, Tensor) else None for arg in args])
        with _saving(_Forget()):
            return function(*args, **kwargs)
    frame = _Frame(function, args, kwargs, random.get_rng_state() if preserve_rng_state else None, outer)
    with _saving(frame):
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool = False, preserve_rng_state: bool = True
) -> Any:
    """Functions one after the other in ``segments`` checkpoints; the last segment, which is needed first, keeps what it saves.

    Args:
        functions: a ``Sequential`` or a sequence of functions or modules.
        segments: how many checkpoints.
        input: what the first function takes.
        use_reentrant, preserve_rng_state: see ``checkpoint``.

    Raises:
        ArgumentError: ``segments`` lies outside 1 to the number of functions.

    Example:
        >>> import minigrad
        >>> from minigrad.utils.checkpoint import checkpoint_sequential
        >>> x = minigrad.tensor([0.5], requires_grad=True)
        >>> checkpoint_sequential([minigrad.exp, minigrad.log, minigrad.exp, minigrad.log], 2, x).backward()
        >>> x.grad
        tensor([1.])
    """
    chain = list(functions.children()) if hasattr(functions, "children") else list(functions)
    if not 1 <= segments <= max(len(chain), 1):
        raise ArgumentError("checkpoint_sequential", "segments", f"a number from 1 to {len(chain)}", str(segments))

    def part(first: int, end: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for function in chain[first:end]:
                value = function(value)
            return value

        return run

    size = len(chain) // segments
    for number in range(segments - 1):
        run = part(number * size, (number + 1) * size)
        input = checkpoint(run, input, use_reentrant=use_reentrant, preserve_rng_state=preserve_rng_state)
    return part((segments - 1) * size, len(chain))(input)


# ---------------------------------------------------------------------- what nodes do with what they save


@contextlib.contextmanager
def _saving(saver: Any) -> Iterator[None]:
    before, mode.saver = mode.saver, saver
    try:
        yield
    finally:
        mode.saver = before


class _Forget:
    """Nodes save nothing: this run is for its results only."""

    def keep(self, node: Function, args: tuple, outputs: tuple) -> None:
        node._saved = ()


class _Record:
    """The second run: what each node saves is laid by, in order."""

    def __init__(self) -> None:
        self.kept: list[tuple[type, Any]] = []

    def keep(self, node: Function, args: tuple, outputs: tuple) -> None:
        node._keep(args, outputs, now=True)
        self.kept.append((type(node), node._saved))

    def lay_by(self, arrays: list) -> None:
        """Keep the inputs of a checkpoint inside this one."""
        self.kept.append((_Frame, arrays))


class _Frame:
    """The first run of a checkpointed function: what is needed to run it again, and what the second run laid by."""

    def __init__(self, function: Callable[..., Any], args: tuple, kwargs: dict, state: Any, outer: _Frame | None) -> None:
        self.function, self.kwargs, self.state = function, kwargs, state
        self.count = 0
        self.laid_by: dict[int, tuple[type, Any]] | None = None
        self.lock = threading.RLock()
        self.outer = outer
        self.traits = [(arg.requires_grad, arg._node is None, arg._counter, arg._version) if _is(arg) else None for arg in args]
        self.args: tuple = args
        if outer is not None:  # the outer one gives the inputs when it runs again
            self.number = outer.next()
            self.args = tuple([None if _is(arg) and arg._node is not None else arg for arg in args])

    def next(self) -> int:
        self.count += 1
        return self.count - 1

    def keep(self, node: Function, args: tuple, outputs: tuple) -> None:
        """Leave a promise with the node, in place of what it wants to save."""
        node._keep(args, outputs, now=True)
        entries: list[Any] = []
        for entry in node._saved:
            kept, nr = entry[0], entry[3]
            if nr != -1:
                entries.append(None)  # a result or a bare array
            elif isinstance(kept, Tensor) and not (kept._requires_grad and kept._node is None):
                entries.append(next(position for position, arg in enumerate(args) if arg is kept))
            else:
                entries.append(entry)  # a parameter, which lives on anyway, or no array
        node._saved = _Promise(self, self.next(), entries)

    def take(self, number: int, kind: type) -> Any:
        """What the second run laid by under this number."""
        with self.lock:
            if self.laid_by is None or number not in self.laid_by:
                self.laid_by = dict(enumerate(self.run_again()))
            found, what = self.laid_by.pop(number, (None, None))
        if found is not kind:
            ours, theirs = ("nothing" if k is None else "a checkpoint" if k is _Frame else k.__name__ for k in (kind, found))
            raise GradError(
                "checkpoint",
                "function",
                f"one that does the same when it runs again: {ours} as step {number} that saves",
                theirs,
                "Let it depend on its arguments and parameters only; random numbers must come from the default generator",
            )
        return what

    def run_again(self) -> list[tuple[type, Any]]:
        args = list(self.args)
        arrays = self.outer.take(self.number, _Frame) if self.outer is not None else [None] * len(args)
        for position, (arg, array, trait) in enumerate(zip(args, arrays, self.traits, strict=True)):
            if trait is None:
                continue
            requires_grad, leaf, counter, version = trait
            if arg is not None:
                if counter is not None and counter[0] != version:
                    got = f"version {counter[0]}: an in-place op changed it"
                    raise GradError("checkpoint", f"args[{position}]", f"version {version} of it", got, "Clone it before")
                array = arg.array
            if not leaf or arg is None:
                args[position] = twin = Tensor._wrap(array)
                if requires_grad:
                    twin._adopt(hang(_Given()), 0)  # a result of something, as it was the first time
        record = _Record()
        with enable_grad(), _saving(record), random.fork_rng(enabled=self.state is not None):
            if self.state is not None:
                random.set_rng_state(self.state)
            self.function(*args, **self.kwargs)
        return record.kept


class _Given(Function):
    """Made the inputs of a second run. The way back ends here."""

    def backward(ctx, *grads: Tensor) -> tuple:
        return ()


class _Promise:
    """Stands for what a node saved. ``tape.Function.saved_tensors`` asks it to be fulfilled."""

    def __init__(self, frame: _Frame, number: int, entries: Sequence[Any]) -> None:
        self.frame, self.number, self.entries = frame, number, entries

    def fulfil(self, node: Function) -> list:
        found = []
        for entry, again in zip(self.entries, self.frame.take(self.number, type(node)), strict=True):
            kept, counter, version, nr = again
            if counter is not None and counter[0] != version:
                node._refuse_changed(kept, counter, version)
            if entry is None:
                found.append((kept, None, 0, nr))
            elif isinstance(entry, tuple):
                found.append(entry)
            else:  # an input: its values from the second run, its history from the first
                tensor = Tensor._wrap(kept.array)
                if (edge := node.edges[entry]) is not None:
                    tensor._adopt(edge[0], edge[1])
                found.append((tensor, None, 0, -1))
        return found


def _is(value: Any) -> bool:
    return isinstance(value, Tensor)


__all__ = ["checkpoint", "checkpoint_sequential"]
