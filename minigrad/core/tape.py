"""The tape: what remembers the forward pass, and the walk that goes back over it.

A ``Function`` is one op. Its ``forward`` works on raw arrays. While gradients are recorded, ``apply`` keeps the instance
as a *node*: it holds what the op saved and, for each input, an *edge* to where that input came from. ``backward`` is
written with ops on Tensors, so that it can itself be recorded, and derivatives of any order come from the same lines.

The walk (``run_backward``) is short because of one fact: a node is younger than every node its edges lead to. So the
youngest node whose gradient has arrived has received all of it, and a heap ordered by age visits every node once, without
recursion and without counting.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minigrad.core.device import Array, device_of
from minigrad.errors import DeviceError, DTypeError, GradError, ShapeError

Tensor: Any = None  # core.tensor hands its class in, so that this file need not know it
_sequence = itertools.count()


class _Mode(threading.local):
    """What this thread does while ops run: record gradients or not, and who watches."""

    grad = True
    inference = False
    observer: Callable[[Any, tuple, tuple], None] | None = None


mode = _Mode()


class Edge:
    """The way from a node back to where one of its inputs came from.

    ``target`` is the node that made the input (``nr``: which of its outputs), or the leaf Tensor itself. The gradient
    that passes must have the shape and dtype of the input.
    """

    __slots__ = ("dtype", "nr", "shape", "target")

    def __init__(self, tensor: Any) -> None:
        self.target = tensor.grad_fn or tensor
        self.nr = tensor.output_nr
        self.shape = tensor.array.shape
        self.dtype = tensor.array.dtype


_NO_EDGES = [(None,) * count for count in range(64)]


class Function:
    """One differentiable op. Derive from it, write ``forward`` and ``backward``, call ``apply``.

    ``forward(ctx, *args, **kwargs)`` receives raw arrays (NumPy's or CuPy's) in place of Tensors and returns an array or a
    tuple of arrays. ``backward(ctx, *grads)`` receives a Tensor for each output and returns one for each positional
    argument of ``forward``, or ``None`` where there is nothing to pass on. A gradient that was broadcast is summed back to
    its input's shape by the walk. ``@staticmethod`` may be written or left out.

    Example:
        >>> import minigrad
        >>> class Cube(Function):
        ...     '''y = x^3; dx = 3 x^2 dy.'''
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x ** 3
        ...     def backward(ctx, dy):
        ...         x, = ctx.saved_tensors
        ...         return 3 * x ** 2 * dy
        >>> x = minigrad.tensor([2.0], requires_grad=True)
        >>> Cube.apply(x).backward(); x.grad
        tensor([12.])
    """

    is_view = False  # the output may share memory with the first input
    edges: tuple[Edge | None, ...] = ()
    outputs = 1
    sequence = -1
    line: str | None = None  # where the user called, kept in anomaly and study modes
    _saved: Any = ()
    _wanted: tuple[bool, ...] | None = None
    _hooks: dict[int, dict[int, Callable]] | None = None
    _retained: dict[int, Any] | None = None
    _undifferentiable: tuple[Array, ...] = ()
    _materialize = True
    _meta: tuple[tuple[Any, Any, Any], ...] = ()

    forward: Callable[..., Any]
    backward: Callable[..., Any]

    # ------------------------------------------------------------------ forward

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` on the arrays of ``args`` and, if one of them requires grad, remember how."""
        node = cls()
        arrays = []
        record = False
        for arg in args:
            if isinstance(arg, Tensor):
                arrays.append(arg.array)
                if arg._base is not None and arg._seen != arg._counter[0]:
                    arg._refresh()  # a view whose memory was changed in place comes from elsewhere now
                if arg._requires_grad:
                    record = True
            else:
                arrays.append(arg)
        if record:
            if mode.grad:
                node.edges = tuple([Edge(arg) if isinstance(arg, Tensor) and arg._requires_grad else None for arg in args])
            else:
                record = False
        if not record:
            node.edges = _NO_EDGES[len(args)] if len(args) < 64 else (None,) * len(args)
        try:
            result = cls.forward(node, *arrays, **kwargs)
        except (ValueError, TypeError) as error:
            _explain(cls.__name__, args, error)
            raise
        if type(result) is tuple:
            outputs = tuple([Tensor._wrap(array) for array in result])
            if record:
                node._record_many(args, outputs)
        else:
            output = Tensor._wrap(result)
            if record and output.array.dtype.kind == "f":
                node.sequence = next(_sequence)
                output.grad_fn = node
                output._requires_grad = True
                if node._saved:
                    if output.array is not result:  # a NumPy scalar became an array: what was saved is that output
                        node._saved = tuple([output.array if kept is result else kept for kept in node._saved])
                    node._keep(args, (output,))
            if cls.is_view:
                output._share(args[0])
            outputs = output
        if mode.observer is not None:
            mode.observer(node, args, outputs if type(outputs) is tuple else (outputs,))
        return outputs

    def _record_many(self, args: tuple, outputs: tuple) -> None:
        self.sequence = next(_sequence)
        self.outputs = len(outputs)
        self._meta = tuple([(type(o.array), o.array.shape, o.array.dtype) for o in outputs])
        for nr, output in enumerate(outputs):
            if self.is_view:
                output._share(args[0])
            if output.array.dtype.kind == "f" and not any(output.array is fixed for fixed in self._undifferentiable):
                output.grad_fn, output.output_nr, output._requires_grad = self, nr, True
        if self._saved:
            self._keep(args, outputs)

    # ------------------------------------------------------------------ what forward may say to its node

    def save_for_backward(self, *arrays: Any) -> None:
        """Keep arrays (inputs, outputs or others) for ``backward``, where ``saved_tensors`` gives them back as Tensors.

        Numbers and ``None`` may stand among them and come back as they are.
        """
        self._saved = arrays

    def mark_non_differentiable(self, *arrays: Array) -> None:
        """Say that these outputs carry no gradient (integer outputs never do)."""
        self._undifferentiable = arrays

    def set_materialize_grads(self, value: bool) -> None:
        """Whether an output without gradient is given to ``backward`` as zeros (the default) or as ``None``."""
        self._materialize = value

    def _keep(self, args: tuple, outputs: tuple) -> None:
        """Turn saved arrays into what survives: the input Tensor itself, an output (by number), or a bare array."""
        kept = []
        for array in self._saved:
            for arg in args:
                if isinstance(arg, Tensor) and arg.array is array:
                    if arg._counter is None:
                        raise GradError(
                            type(self).__name__,
                            "input",
                            "a tensor that can be saved for backward",
                            "one made in inference_mode",
                            "Clone it outside inference_mode",
                        )
                    kept.append((arg, arg._counter, arg._counter[0], -1))
                    break
            else:
                for nr, output in enumerate(outputs):
                    if output.array is array:
                        kept.append((array, output._counter, output._counter[0], nr))
                        break
                else:
                    kept.append((array, None, 0, -1))
        self._saved = kept

    # ------------------------------------------------------------------ what backward may ask of its node

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What ``forward`` saved, as Tensors that know where they came from.

        Raises:
            GradError: it was freed by an earlier backward pass, or changed in place since.
        """
        if self._saved is None:
            raise GradError(
                type(self).__name__,
                "saved tensors",
                "those of the forward pass",
                "none: an earlier backward freed them",
                "Pass retain_graph=True to the first backward, or run the forward pass again",
            )
        tensors = []
        for kept, counter, version, nr in self._saved:
            if counter is not None and counter[0] != version:
                shape = tuple((kept.array if isinstance(kept, Tensor) else kept).shape)
                raise GradError(
                    type(self).__name__,
                    "a saved tensor" + (f" (op called at {self.line})" if self.line else ""),
                    f"version {version} of the tensor of shape {shape} that it needs",
                    f"version {counter[0]}: an in-place op changed it",
                    "Clone it before the change; anomaly mode (minigrad.autograd.detect_anomaly) names the line of the op",
                )
            if nr >= 0:
                tensor = Tensor._wrap(kept)
                tensor._counter = counter
                tensor.grad_fn, tensor.output_nr, tensor._requires_grad = self, nr, True
                tensors.append(tensor)
            else:
                tensors.append(kept if kept is None or isinstance(kept, (Tensor, int, float)) else Tensor._wrap(kept))
        return tuple(tensors)

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """For each positional argument of ``forward``: whether somebody asked for its gradient in this pass."""
        return self._wanted or tuple([edge is not None for edge in self.edges])

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes that made the inputs (``None`` for those without gradient), as PyTorch names them."""
        return tuple((edge.target, edge.nr) if edge else (None, 0) for edge in self.edges)

    def name(self) -> str:
        """The name of the op."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{type(self).__name__}Backward>"

    # ------------------------------------------------------------------ the walk's side

    def _gradients(self, grads: list) -> Sequence[Any]:
        """Call ``backward`` and hold it to its contract: one gradient for each edge."""
        if self.outputs > 1 and self._materialize and None in grads:
            grads = [Tensor._zeros(*meta) if grad is None else grad for grad, meta in zip(grads, self._meta, strict=True)]
        result = type(self).backward(self, *grads)
        if type(result) is not tuple:
            result = (result,)
        if len(result) < len(self.edges) or any(extra is not None for extra in result[len(self.edges) :]):
            raise GradError(
                type(self).__name__,
                "backward",
                f"{len(self.edges)} gradients, one for each argument of forward",
                str(len(result)),
                "Return None for an argument without gradient",
            )
        return result

    def _free(self) -> None:
        if self._saved:
            self._saved = None


def hang(node: Function, *inputs: Any) -> Function:
    """Make a node without running its ``forward``: its edges lead to ``inputs``, Tensors or ``None``."""
    node.edges = tuple([Edge(x) if x is not None and x._requires_grad else None for x in inputs])
    node.sequence = next(_sequence)
    return node


def _explain(op: str, args: tuple, error: Exception) -> None:
    """Raise our own words for what NumPy or CuPy refused, where we know better; built only on failure."""
    if getattr(error, "where", None) is not None:
        return
    tensors = [arg for arg in args if isinstance(arg, Tensor)]
    devices = sorted({str(device_of(t.array)) for t in tensors})
    if len(devices) > 1:
        shapes = ", ".join(f"{tuple(t.array.shape)} on {device_of(t.array)}" for t in tensors)
        raise DeviceError(
            op.lower(), "operands", "tensors of one device", shapes, f"Call .to({devices[-1]!r}) on the others"
        ) from error
    if "broadcast" in str(error) and len(tensors) > 1:
        shapes = " and ".join(str(tuple(t.array.shape)) for t in tensors)
        raise ShapeError(
            op.lower(),
            "operands",
            "shapes that broadcast: counted from the last, sizes equal or 1",
            shapes,
            "Reshape or expand one of them",
        ) from error


# ---------------------------------------------------------------------- the walk


class _Walk:
    """One pass back over the tape: the gradients that are under way, and where they go."""

    def __init__(self) -> None:
        self.pending: dict[Function, list] = {}  # node -> the gradient of each output, as far as it has arrived
        self.heap: list[tuple[int, Function]] = []  # the youngest node first
        self.sums: set[int] = set()  # ids of pending arrays that are sums made here, so that they may be added to in place
        self.hooked: dict[int, tuple[Any, Any]] = {}  # leaves with hooks: they see their whole gradient, once, at the end
        self.captured: dict[tuple[int, int], Any] = {}  # (id of a leaf or node, output) -> what autograd.grad was asked for

    def deliver(self, target: Any, nr: int, grad: Any, fresh: bool) -> None:
        """Hand a gradient to a node or a leaf. ``fresh``: nobody else holds its array."""
        if isinstance(target, Function):
            arrived = self.pending.get(target)
            if arrived is None:
                self.pending[target] = arrived = [None] * target.outputs
                heapq.heappush(self.heap, (-target.sequence, target))
            arrived[nr] = grad if arrived[nr] is None else self.add(arrived[nr], grad)
        elif (key := (id(target), 0)) in self.captured:
            before = self.captured[key]
            self.captured[key] = grad if before is None else self.add(before, grad)
        elif target._hooks or target._post_hooks:
            before = self.hooked.get(id(target))
            self.hooked[id(target)] = (target, grad if before is None else self.add(before[1], grad))
        else:
            accumulate(target, grad, fresh)

    def add(self, a: Any, b: Any) -> Any:
        if id(a.array) in self.sums:
            a.array += b.array
            return a
        total = a + b
        if not mode.grad:
            self.sums.add(id(total.array))
        return total

    def pop(self) -> tuple[Function, list]:
        """The next node, with the whole gradient of each of its outputs, after hooks."""
        node = heapq.heappop(self.heap)[1]
        grads = self.pending.pop(node)
        for nr, grad in enumerate(grads):
            if grad is None:
                continue
            self.sums.discard(id(grad.array))
            if node._hooks and nr in node._hooks:
                grads[nr] = grad = run_hooks(node._hooks[nr], grad)
            if node._retained and nr in node._retained and (tensor := node._retained[nr]()) is not None:
                accumulate(tensor, grad, fresh=False)
            if (id(node), nr) in self.captured:
                self.captured[id(node), nr] = grad
        return node, grads

    def finish(self) -> None:
        for leaf, grad in self.hooked.values():
            if leaf._hooks:
                grad = run_hooks(leaf._hooks, grad)
            accumulate(leaf, grad, fresh=False)
            for hook in list((leaf._post_hooks or {}).values()):
                hook(leaf)


def accumulate(leaf: Any, grad: Any, fresh: bool) -> None:
    """leaf.grad += grad, in place where nobody records it."""
    if leaf.grad is None:
        if mode.grad:
            leaf.grad = grad
        else:
            leaf.grad = Tensor._wrap(grad.array if fresh else grad.array.copy(order="K"))
    elif mode.grad:
        leaf.grad = leaf.grad + grad
    else:
        leaf.grad.array += grad.array
        leaf.grad._counter[0] += 1


def run_hooks(hooks: dict[int, Callable], grad: Any) -> Any:
    """Give the gradient to each hook in turn; what a hook returns takes its place."""
    for hook in list(hooks.values()):
        replaced = hook(grad)
        if replaced is not None:
            if not isinstance(replaced, Tensor) or replaced.array.shape != grad.array.shape:
                got = f"shape {tuple(replaced.array.shape)}" if isinstance(replaced, Tensor) else type(replaced).__name__
                raise GradError("hook", "return value", f"None or a tensor of shape {tuple(grad.array.shape)}", got)
            grad = replaced
    return grad


def fit(node: Function, position: int, grad: Any, edge: Edge) -> Any:
    """A gradient in the shape and dtype of the input it belongs to: what broadcasting repeated is summed."""
    if not isinstance(grad, Tensor):
        raise GradError(node.name(), f"gradient {position} of backward", "a Tensor or None", type(grad).__name__)
    if grad.array.shape != edge.shape:
        try:
            grad = grad.sum_to_size(edge.shape)
        except ShapeError as error:
            raise GradError(
                node.name(),
                f"gradient {position} of backward",
                f"shape {tuple(edge.shape)}, that of the input",
                str(tuple(grad.array.shape)),
            ) from error
    if grad.array.dtype is not edge.dtype and grad.array.dtype != edge.dtype:
        grad = grad.to(edge.dtype)
    return grad


def run_backward(
    roots: Iterable[tuple[Any, Any]],
    *,
    inputs: Sequence[Any] | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> list[Any]:
    """Walk back from ``roots`` (tensor, gradient).

    Without ``inputs`` every leaf that requires grad receives its gradient in ``.grad``; with ``inputs`` nothing is stored,
    only what leads to them is computed, and their gradients are returned (``None`` for one that was not reached).
    """
    walk = _Walk()
    roots = list(roots)
    wanted: set[int] | None = None
    if inputs is not None:
        walk.captured = {(id(tensor.grad_fn or tensor), tensor.output_nr): None for tensor in inputs}
        wanted = _leading_to({key[0] for key in walk.captured}, [tensor.grad_fn for tensor, _ in roots])
    before = mode.grad
    mode.grad = create_graph
    try:
        for tensor, grad in roots:
            walk.deliver(tensor.grad_fn or tensor, tensor.output_nr, grad, fresh=False)
        while walk.heap:
            node, grads = walk.pop()
            if wanted is not None:
                edges = tuple([edge if edge is not None and id(edge.target) in wanted else None for edge in node.edges])
                if not any(edges):
                    continue
                node._wanted = tuple([edge is not None for edge in edges])
            else:
                edges = node.edges
            try:
                results = node._gradients(grads)
            finally:
                if wanted is not None:
                    node._wanted = None
            if mode.observer is not None:
                mode.observer(node, tuple(grads), tuple(results))
            for position, (edge, grad) in enumerate(zip(edges, results, strict=False)):
                if edge is None or grad is None:
                    continue
                fitted = fit(node, position, grad, edge)
                target = edge.target
                fresh = not isinstance(target, Function) and _is_fresh(fitted, node, grads, results)
                walk.deliver(target, edge.nr, fitted, fresh)
            if not retain_graph:
                node._free()
        walk.finish()
    finally:
        mode.grad = before
    return [] if inputs is None else [walk.captured[id(t.grad_fn or t), t.output_nr] for t in inputs]


def _is_fresh(grad: Any, node: Function, incoming: Sequence[Any], results: Sequence[Any]) -> bool:
    """Whether ``backward`` made this array for this input alone: it may become ``.grad`` without a copy."""
    array = grad.array
    return (
        array.base is None
        and sum(other is not None and other.array is array for other in results) <= 1
        and not any(other is not None and other.array is array for other in incoming)
        and not any((kept.array if isinstance(kept, Tensor) else kept) is array for kept, *_ in node._saved or ())
    )


def _leading_to(goals: set[int], starts: Iterable[Function | None]) -> set[int]:
    """The ids of all nodes and leaves from which a gradient reaches one of the goals, the goals with them."""
    seen: dict[int, Function] = {}
    stack = [node for node in starts if node is not None]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen[id(node)] = node
            stack.extend([edge.target for edge in node.edges if edge is not None and isinstance(edge.target, Function)])
    found = set(goals)
    for node in sorted(seen.values(), key=lambda node: node.sequence):  # the oldest first: its inputs are settled
        if any(edge is not None and id(edge.target) in found for edge in node.edges):
            found.add(id(node))
    return found


# ---------------------------------------------------------------------- what the user calls


def _as_list(where: str, argument: str, value: Any) -> list[Any]:
    tensors = [value] if isinstance(value, Tensor) else list(value)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise DTypeError(where, argument, "a Tensor or a sequence of Tensors", type(tensor).__name__)
    return tensors


def _roots(where: str, tensors: Any, grads: Any, names: tuple[str, str]) -> list[tuple[Any, Any]]:
    """Pair each tensor with the gradient to start from, 1 where there is one element and none was given."""
    outputs = _as_list(where, names[0], tensors)
    starts = [None] * len(outputs) if grads is None else [grads] if isinstance(grads, Tensor) else list(grads)
    if len(starts) != len(outputs):
        raise GradError(where, names[1], f"{len(outputs)}, one for each tensor", str(len(starts)))
    roots = []
    for output, start in zip(outputs, starts, strict=True):
        if not output.requires_grad:
            raise GradError(
                where,
                names[0],
                "a tensor that requires grad",
                "one that does not",
                "Call requires_grad_() on what it is made from, and make it outside no_grad",
            )
        if start is None:
            if output.array.size != 1:
                raise GradError(
                    where,
                    names[1],
                    f"one of shape {tuple(output.array.shape)}, as the tensor has more than one element",
                    "none",
                    "Reduce the tensor with .sum() or .mean(), or pass the gradient",
                )
            start = Tensor._wrap(output.array * 0 + 1)
        elif start.array.shape != output.array.shape:
            raise ShapeError(
                where, names[1], f"shape {tuple(output.array.shape)}, that of the tensor", str(tuple(start.array.shape))
            )
        roots.append((output, start.to(output.array.dtype)))
    return roots


def backward(
    tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Add the derivative of ``tensors`` to ``.grad`` of the leaves they were made from. See ``Tensor.backward``.

    Args:
        tensors: one Tensor or several; their gradients are added.
        grad_tensors: the gradient of each to start from; ``None`` for 1 where it has one element.
        retain_graph: keep what the graph saved (default: as ``create_graph``).
        create_graph: record the pass, for derivatives of higher order.
        inputs: store ``.grad`` in these tensors only.

    Raises:
        GradError: a tensor does not require grad, or its gradient is missing, or the graph was freed.
        ShapeError: a gradient has another shape than its tensor.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([3.0], requires_grad=True)
        >>> minigrad.autograd.backward(x * x)
        >>> x.grad
        tensor([6.])
    """
    roots = _roots("backward", tensors, grad_tensors, ("tensor", "gradient"))
    retain = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        run_backward(roots, retain_graph=retain, create_graph=create_graph)
        return
    leaves = _as_list("backward", "inputs", inputs)
    for leaf, grad in zip(
        leaves, run_backward(roots, inputs=leaves, retain_graph=retain, create_graph=create_graph), strict=True
    ):
        if grad is not None:
            accumulate(leaf, grad, fresh=False)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The derivative of ``outputs`` with respect to ``inputs``, as a tuple; no ``.grad`` is touched.

    Only what leads from outputs to inputs is computed.

    Args:
        outputs: one Tensor or several; their derivatives are added.
        inputs: one Tensor or several, leaves or results.
        grad_outputs: the gradient of each output to start from; ``None`` for 1 where it has one element.
        retain_graph: keep what the graph saved (default: as ``create_graph``).
        create_graph: record the pass, so that the result can be differentiated again.
        allow_unused: give ``None`` for an input that the outputs do not depend on, in place of an error.
        materialize_grads: give zeros for such an input.

    Raises:
        GradError: an input does not require grad or was not used; an output does not require grad.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor(2.0, requires_grad=True)
        >>> dx, = minigrad.autograd.grad(x**3, x, create_graph=True)
        >>> minigrad.autograd.grad(dx, x)
        (tensor(12.),)
    """
    goals = _as_list("grad", "inputs", inputs)
    for tensor in goals:
        if not tensor.requires_grad:
            raise GradError(
                "grad", "inputs", "tensors that require grad", "one that does not", "Call requires_grad_() before the ops"
            )
    roots = _roots("grad", outputs, grad_outputs, ("outputs", "grad_outputs"))
    retain = create_graph if retain_graph is None else retain_graph
    found = run_backward(roots, inputs=goals, retain_graph=retain, create_graph=create_graph)
    if materialize_grads:
        found = [Tensor._wrap(g.array * 0) if f is None else f for f, g in zip(found, goals, strict=True)]
    elif not allow_unused and any(f is None for f in found):
        raise GradError(
            "grad",
            f"inputs[{found.index(None)}]",
            "a tensor that the outputs depend on",
            "one that was not used",
            "Pass allow_unused=True for None in its place, or materialize_grads=True for zeros",
        )
    return tuple(found)
