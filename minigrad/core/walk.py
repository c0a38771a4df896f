"""The walk back over the tape.

It is short because of one fact: a node is younger than every node its edges lead to. So the youngest node whose gradient
has arrived has received all of it, and a heap ordered by age visits every node once, without recursion and without counting.

A gradient becomes the ``.grad`` of a leaf without being copied if nobody else holds it, which the reference counts tell.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from minigrad.core.device import ERRORS, IGNORED, SEVERAL, follow, quiet
from minigrad.core.large import add_to
from minigrad.core.shortage import shortage
from minigrad.core.sums import total
from minigrad.core.tape import Edge, Function, mode
from minigrad.core.tensor import Tensor
from minigrad.errors import GradError
from minigrad.kernels.layout import copy_like

_accumulating = threading.RLock()  # two threads may add to the same leaf


class _Walk:
    """One pass back: the gradients that are under way, and where they go."""

    def __init__(self, captured: dict[tuple[int, int], Any]) -> None:
        self.pending: dict[Function, list] = {}  # node -> the gradient of each output, as far as it has arrived
        self.heap: list[tuple[int, Function]] = []  # the youngest node first
        self.sums: set[int] = set()  # ids of Tensors under way that were summed here, so that they may be added to in place
        self.hooked: dict[int, tuple[Any, Any]] = {}  # leaves with hooks: they see their whole gradient, once, at the end
        self.left_behind: dict[Function, list] = {}  # node -> what younger ones left for it, see ops/step_weights.py
        self.captured = captured  # (id of a leaf or node, output) -> what autograd.grad was asked for

    def deliver(self, target: Any, nr: int, grad: Tensor) -> None:
        """Hand a gradient that others may hold to a node or a leaf."""
        if isinstance(target, Function):
            arrived = self.pending.get(target)
            if arrived is None:
                self.pending[target] = arrived = [None] * target._outputs
                heappush(self.heap, (-target._age, target))
            arrived[nr] = grad if arrived[nr] is None else self.add(arrived[nr], grad)
        elif (id(target), 0) in self.captured or target._hooks or target._post_hooks:
            before = self.hooked.get(id(target))
            self.hooked[id(target)] = (target, grad if before is None else self.add(before[1], grad))
        else:
            accumulate(target, grad)

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        if a is b and not a.array.size and not mode.grad:  # as for a ticket, see ops/step_weights.py
            return a
        if id(a) in self.sums:
            add_to(a.array, b.array)
            return a
        total = a + b
        if not mode.grad and not total.is_sparse:
            self.sums.add(id(total))
        return total

    def settle(self, node: Function, grads: list) -> None:
        """Show the whole gradients of a node's outputs to those who asked: hooks, ``retain_grad``, ``autograd.grad``."""
        for nr, grad in enumerate(grads):
            if grad is None:
                continue
            if node._hooks and nr in node._hooks:
                grads[nr] = grad = run_hooks(node._hooks[nr], grad)
            if node._retained and nr in node._retained and (tensor := node._retained[nr]()) is not None:
                accumulate(tensor, grad)
            if (id(node), nr) in self.captured:
                self.captured[id(node), nr] = grad

    def finish(self) -> None:
        """Give leaves with hooks their gradients."""
        for leaf, grad in self.hooked.values():
            if leaf._hooks:
                grad = run_hooks(leaf._hooks, grad)
            if (id(leaf), 0) in self.captured:
                self.captured[id(leaf), 0] = grad
                continue
            accumulate(leaf, grad)
            run_post_hooks(leaf)


def accumulate(leaf: Tensor, grad: Tensor, own: bool = False) -> None:
    """leaf.grad += grad, in place where nobody records it. ``own``: nobody else holds ``grad``.

    A new ``.grad`` has the memory layout of the leaf, so that what works on both at every step runs through both in order.
    """
    if SEVERAL:
        follow((grad.array,))
    with _accumulating:
        before = leaf._grad
        if before is None:
            if grad.is_sparse or (own and grad.array.strides == leaf.array.strides and not grad._requires_grad):
                leaf._grad = grad
            elif mode.grad:
                leaf._grad = grad.clone()
            else:
                leaf._grad = Tensor._wrap(copy_like(grad.array, leaf.array))
        elif mode.grad or before._requires_grad or before.is_sparse or grad.is_sparse:
            leaf._grad = before + grad
        else:
            with quiet():
                add_to(before.array, grad.array)
            if before._counter is not None:
                before._counter[0] += 1


def run_hooks(hooks: dict[int, Callable], grad: Tensor) -> Tensor:
    """Give the gradient to each hook in turn; what a hook returns takes its place."""
    for hook in list(hooks.values()):
        replaced = hook(grad)
        if replaced is not None:
            if not isinstance(replaced, Tensor) or replaced.array.shape != grad.array.shape:
                got = f"shape {tuple(replaced.array.shape)}" if isinstance(replaced, Tensor) else type(replaced).__name__
                raise GradError("hook", "return value", f"None or a tensor of shape {tuple(grad.array.shape)}", got)
            grad = replaced.to(grad.array.dtype)
    return grad


def run_post_hooks(leaf: Tensor) -> None:
    """Tell those who wait for ``leaf.grad``."""
    for hook in list((leaf._post_hooks or {}).values()):
        hook(leaf)


def fit(node: Function, position: int, grad: Any, edge: Edge) -> Tensor:
    """A gradient in the shape and dtype of the input it belongs to: what broadcasting repeated is summed."""
    if not isinstance(grad, Tensor):
        raise GradError(node.name(), f"gradient {position} of backward", "a Tensor or None", type(grad).__name__)
    if grad.is_sparse:
        if not isinstance(edge[0], Function):
            return grad  # a leaf keeps it as it is; ops know dense gradients alone
        grad = grad.to_dense()
    shape, (_, _, target, dtype) = grad.array.shape, edge
    if shape != target:
        lead = len(shape) - len(target)
        if lead < 0 or any(want != have and want != 1 for want, have in zip(target, shape[lead:])):
            what = f"gradient {position} of backward"
            raise GradError(node.name(), what, f"shape {tuple(target)}, that of the input", str(tuple(shape)))
        grad = grad.sum_to_size(target) if mode.grad else Tensor._wrap(_summed(grad.array, target, lead))
    return grad if grad.array.dtype == dtype else grad.to(dtype)


def _summed(array: Any, target: tuple[int, ...], lead: int) -> Any:
    """What ``sum_to_size`` gives, at less cost: this happens to every bias in every step."""
    axes = [lead + axis for axis, size in enumerate(target) if size == 1 != array.shape[lead + axis]]
    summed = total(array, (*range(lead), *axes), dtype="float32" if array.itemsize == 2 else None)
    return summed.reshape(target) if axes else summed


def run_backward(
    roots: Iterable[tuple[Tensor, Tensor]],
    *,
    inputs: Sequence[Tensor] | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> list[Any]:
    """Walk back from ``roots`` (tensor, gradient).

    Without ``inputs`` every leaf that requires grad receives its gradient in ``.grad``; with ``inputs`` nothing is stored,
    only what leads to them is computed, and their gradients are returned (``None`` for one that was not reached).
    """
    roots = list(roots)
    captured: dict[tuple[int, int], Any] = {}
    wanted: set[int] | None = None
    if inputs is not None:
        captured = {(id(tensor._node or tensor), tensor.output_nr): None for tensor in inputs}
        wanted = _leading_to({key[0] for key in captured}, [tensor._node for tensor, _ in roots])
    walk = _Walk(captured)
    before = mode.grad, mode.wanted, mode.walk, mode.direct
    mode.grad, mode.walk, mode.direct = create_graph, walk, not create_graph and not mode.observers
    errors = ERRORS.set(IGNORED)  # once for all ops of the walk
    try:
        for tensor, start in roots:
            if wanted is None or tensor._node is not None or id(tensor) in wanted:
                walk.deliver(tensor._node or tensor, tensor.output_nr, start)
        _visit(walk, wanted, retain_graph)
        walk.finish()
    finally:
        mode.grad, mode.wanted, mode.walk, mode.direct = before
        ERRORS.reset(errors)
    return [] if inputs is None else [captured[id(t._node or t), t.output_nr] for t in inputs]


def _visit(walk: _Walk, wanted: set[int] | None, retain_graph: bool) -> None:
    """Call ``backward`` of each node when its gradients are complete, and hand on what it returns."""
    heap, pending, sums, captured, recording = walk.heap, walk.pending, walk.sums, walk.captured, mode.grad
    observers = mode.observers
    while heap:
        node = heappop(heap)[1]
        grads = pending.pop(node)
        if sums:
            sums.difference_update([id(grad) for grad in grads])
        if captured or node._hooks or node._retained:
            walk.settle(node, grads)
        edges = node.edges
        if wanted is not None:
            edges = tuple([edge if edge is not None and id(edge[0]) in wanted else None for edge in edges])
            if not any(edges):
                continue
            mode.wanted = node, tuple([edge is not None for edge in edges])
        if SEVERAL:
            follow([grad.array for grad in grads if grad is not None])
        if node._outputs > 1 and node._materialize and None in grads:
            pairs = zip(grads, node._meta, strict=True)
            grads = [Tensor._zeros(*meta) if grad is None and meta is not None else grad for grad, meta in pairs]
        for observer in observers:
            observer.before_backward(node, tuple(grads))
        try:
            results = type(node).backward(node, *grads)
        except Exception as error:
            for observer in observers:
                observer.backward(node, tuple(grads), None)
            if not hasattr(node, "backward"):
                raise GradError(node.name(), "backward", "a method", "none", "Define backward(ctx, *grads)") from None
            if isinstance(error, MemoryError):
                told = shortage(f"the backward of {node.name().lower()}", error, grads)
                if told is not None:
                    raise told from error
            if node._line:
                error.add_note(f"In the backward of {node.name()}, called at {node._line}")
            raise
        if type(results) is not tuple:
            results = (results,)
        if len(results) != len(edges):
            results = _counted(node, results)
        for observer in observers:
            observer.backward(node, tuple(grads), results)
        if not retain_graph and node._saved:
            node._saved = None
        position = 0
        for grad in results:
            edge = edges[position]
            position += 1
            if edge is None or grad is None:
                continue
            target, nr, shape, dtype = edge
            if type(grad) is not Tensor or grad.array.shape != shape or grad.array.dtype is not dtype:
                grad = fit(node, position - 1, grad, edge)
            if isinstance(target, Function):
                arrived = pending.get(target)
                if arrived is None:
                    if target._outputs == 1:
                        pending[target] = [grad]
                    else:
                        pending[target] = arrived = [None] * target._outputs
                        arrived[nr] = grad
                    heappush(heap, (-target._age, target))
                else:
                    arrived[nr] = grad if arrived[nr] is None else walk.add(arrived[nr], grad)
            elif captured or recording or target._hooks or target._post_hooks or target._grad is not None:
                walk.deliver(target, nr, grad)
            else:
                own = grad.is_sparse or _is_alone(grad)  # counted before the call, which would hold it too
                accumulate(target, grad, own)
        # nothing of this node's may outlive it while the next one works
        grads = results = grad = None  # type: ignore[assignment]


def _counted(node: Function, results: tuple) -> tuple:
    """The results of ``backward`` as one for each edge: ``None`` may follow them, but none may be missing."""
    count = len(node.edges)
    if len(results) < count or any(extra is not None for extra in results[count:]):
        raise GradError(
            node.name(),
            "backward",
            f"{count} gradients, one for each argument of forward",
            str(len(results)),
            "Return None for an argument without gradient",
        )
    return results[:count]


def _leading_to(goals: set[int], starts: Iterable[Function | None]) -> set[int]:
    """The ids of all nodes and leaves from which a gradient reaches one of the goals, the goals with them."""
    seen: dict[int, Function] = {}
    stack = [node for node in starts if node is not None]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen[id(node)] = node
            stack.extend([edge[0] for edge in node.edges if edge is not None and isinstance(edge[0], Function)])
    found = set(goals)
    for node in sorted(seen.values(), key=lambda node: node._age):  # the oldest first: its inputs are settled
        for edge in node.edges:
            if edge is not None and id(edge[0]) in found:
                found.add(id(node))
                break
    return found


def _holders(tensor: Tensor) -> tuple[int, int]:
    """How many references there are to a Tensor and to its array, counted here."""
    return sys.getrefcount(tensor), sys.getrefcount(tensor.array)


def _is_alone(tensor: Tensor) -> bool:
    """Whether only the walk holds this result of ``backward``, and no view of its array is held either."""
    owners, array_owners = _holders(tensor)
    return owners <= _ALONE[0] and array_owners <= _ALONE[1] and tensor.array.base is None


def _count_alone() -> tuple[int, int]:
    """What is counted for a result that only the walk holds: Python versions differ in it."""
    for grad in (Tensor._wrap(np.zeros(1)),):
        return _seen_from_walk(grad)
    raise AssertionError


def _seen_from_walk(tensor: Tensor) -> tuple[int, int]:
    return _holders(tensor)


_ALONE = _count_alone()
