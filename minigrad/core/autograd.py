"""What the user calls to differentiate: ``backward`` and ``grad``. Their way back is in ``minigrad/core/walk.py``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minigrad.core import tape
from minigrad.core.device import SEVERAL, array_module, follow
from minigrad.core.tensor import Tensor
from minigrad.core.walk import accumulate, run_backward, run_post_hooks
from minigrad.errors import ArgumentError, DeviceError, DTypeError, GradError, ShapeError


def _as_list(where: str, argument: str, value: Any) -> list[Any]:
    tensors = [value] if isinstance(value, Tensor) or not isinstance(value, Iterable) else list(value)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise DTypeError(where, argument, "a Tensor or a sequence of Tensors", type(tensor).__name__)
    return tensors


def _roots(where: str, tensors: Any, grads: Any, names: tuple[str, str]) -> list[tuple[Any, Any]]:
    """Pair each tensor with the gradient to start from, 1 where there is one element and none was given."""
    outputs = _as_list(where, names[0], tensors)
    starts = [None] * len(outputs) if grads is None else list(grads) if isinstance(grads, (list, tuple)) else [grads]
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
            if SEVERAL:
                follow([output.array])
            start = Tensor._wrap(array_module(output.array).ones(output.array.shape, output.array.dtype))
        elif not isinstance(start, Tensor):
            raise DTypeError(where, names[1], "a Tensor or None", type(start).__name__)
        elif start.array.shape != output.array.shape:
            raise ShapeError(
                where, names[1], f"shape {tuple(output.array.shape)}, that of the tensor", str(tuple(start.array.shape))
            )
        elif type(start.array) is not type(output.array) or (SEVERAL and start.device != output.device):
            tensor = f"the tensor of shape {tuple(output.array.shape)}"
            raise DeviceError(
                where,
                names[1],
                f"a tensor on {output.device}, as {tensor}",
                f"one on {start.device}",
                f"Call .to('{output.device}') on it",
            )
        elif start.array.dtype != output.array.dtype:
            start = start.to(output.array.dtype)
        roots.append((output, start))
    return roots


def _zeros_like(tensor: Tensor) -> Tensor:
    if SEVERAL:
        follow([tensor.array])
    return Tensor._zeros(type(tensor.array), tensor.array.shape, tensor.array.dtype)


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
        DeviceError: it lies on another device.

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
            accumulate(leaf, grad)
            run_post_hooks(leaf)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
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
        only_inputs: accepted for PyTorch's sake, which takes no notice of it any more.
        allow_unused: give ``None`` for an input that the outputs do not depend on, in place of an error.
        is_grads_batched: not to be had.
        materialize_grads: give zeros for such an input.

    Raises:
        GradError: an input does not require grad or was not used; an output does not require grad.
        ShapeError, DeviceError: a gradient in ``grad_outputs`` has another shape than its output, or lies on another device.
        ArgumentError: ``is_grads_batched``.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor(2.0, requires_grad=True)
        >>> dx, = minigrad.autograd.grad(x**3, x, create_graph=True)
        >>> minigrad.autograd.grad(dx, x)
        (tensor(12.),)
    """
    if is_grads_batched:
        raise ArgumentError("grad", "is_grads_batched", "False", "True", "Call grad once for each of grad_outputs")
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
        found = [_zeros_like(goal) if got is None else got for got, goal in zip(found, goals, strict=True)]
    elif not allow_unused and any(f is None for f in found):
        raise GradError(
            "grad",
            f"inputs[{found.index(None)}]",
            "a tensor that the outputs depend on",
            "one that was not used",
            "Pass allow_unused=True for None in its place, or materialize_grads=True for zeros",
        )
    return tuple(found)


tape.backward = backward
