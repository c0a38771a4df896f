"""The tape: what remembers the forward pass.

A ``Function`` is one op. Its ``forward`` works on raw arrays. While gradients are recorded, ``apply`` keeps the instance
as a *node*: it holds what the op saved and, for each input, an *edge* to where that input came from. ``backward`` is
written with ops on Tensors, so that it can itself be recorded, and derivatives of any order come from the same lines.

The way back over the nodes is in ``minigrad/core/walk.py``.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import asarray, ndarray

from minigrad.core.device import ERRORS, IGNORED, IN_USE, SEVERAL, Array, follow, places_of
from minigrad.core.refusals import explain, refuse_mixed
from minigrad.errors import DTypeError, GradError

Tensor: Any = None  # core.tensor hands its class in, so that this file need not know it,
backward: Any = None  # and core.autograd this function, which Tensor.backward calls
_ages = itertools.count()


class Observer:
    """Watches ops as they run, for anomaly mode and the study tools. Derive from it and add it to ``mode.observers``."""

    def forward(self, node: Function, args: tuple, outputs: tuple) -> None:
        """``node`` turned ``args`` (of ``apply``) into the Tensors ``outputs``. Its ``edges`` are set if it is recorded.

        What ``apply`` was given by name is ``node._options``.
        """

    def before_backward(self, node: Function, grads: tuple) -> None:
        """``node.backward`` is about to run. The ops that it calls are seen as any other."""

    def backward(self, node: Function, grads: tuple, results: tuple | None) -> None:
        """``node.backward`` turned the gradients of its outputs into those of its inputs, or raised: then ``None``."""


class _Mode(threading.local):
    """What this thread does while ops run: record gradients or not, who watches, and what the running walk wants."""

    grad = True
    inference = False
    observers: tuple[Observer, ...] = ()
    saver: Any = None  # a checkpoint, which decides what becomes of the arrays that nodes save
    wanted: tuple[Any, tuple[bool, ...]] | None = None  # a node, and for each of its inputs whether its gradient is wanted
    stepping: Any = None  # keeps what kernels derive from weights, for steps that are not recorded: see ops/step_weights.py
    direct = False  # a pass back runs that is neither recorded nor watched: ``backward`` may work on arrays, without ops
    walk: Any = None  # the pass back that runs, with whom nodes may leave something for an older one: ``left_behind``


mode = _Mode()


Edge = tuple[Any, int, tuple[int, ...], Any]
"""The way from a node back to where one of its inputs came from: (target, nr, shape, dtype).

``target`` is the node that made the input (``nr``: which of its outputs), or the leaf Tensor itself. The gradient that
passes must have the shape and dtype of the input. (A plain tuple, because one is made for each input of each op.)
"""

_new = object.__new__
_NO_OPTIONS: dict[str, Any] = {}
_NO_EDGES = [(None,) * count for count in range(16)]  # made once for the ops of few arguments, which are nearly all


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
    _age = -1  # counts up: a node is younger than every node its edges lead to
    _outputs = 1
    _line: str | None = None  # where the user called, kept in anomaly and study modes
    _saved: Any = ()
    _hooks: dict[int, dict[int, Callable]] | None = None
    _retained: dict[int, Any] | None = None  # output -> weak reference to the Tensor whose .grad is wanted
    _undifferentiable: tuple[Array, ...] = ()
    _materialize = True
    _meta: tuple[tuple[Any, Any, Any] | None, ...] = ()
    _guarded = False  # written by the user: what forward returns is looked at
    _options: dict[str, Any] = _NO_OPTIONS  # what apply was given by name, where somebody watches

    forward: Callable[..., Any]
    backward: Callable[..., Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._guarded = not cls.__module__.startswith("minigrad.")

    # ------------------------------------------------------------------ forward

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` on the arrays of ``args`` and, if one of them requires grad, remember how."""
        node = _new(cls)
        arrays = [node]
        record = False
        if mode.grad:
            edges: list[Edge | None] = []
            for arg in args:
                if isinstance(arg, Tensor):
                    if arg._base is not None and arg._seen != arg._counter[0]:
                        arg._refresh()  # a view whose memory was changed in place comes from elsewhere now
                    array = arg.array
                    arrays.append(array)
                    if arg._requires_grad:
                        edges.append((arg._node or arg, arg.output_nr, array.shape, array.dtype))
                        record = True
                    else:
                        edges.append(None)
                else:
                    arrays.append(arg)
                    edges.append(None)
            node.edges = tuple(edges)
        else:
            for arg in args:
                arrays.append(arg.array if isinstance(arg, Tensor) else arg)
            count = len(args)
            node.edges = _NO_EDGES[count] if count < 16 else (None,) * count
        if IN_USE:
            cls._meet(arrays)
        token = None if ERRORS.get() is IGNORED else ERRORS.set(IGNORED)  # inf and nan come silently, as inside quiet()
        try:
            result = cls.forward(*arrays, **kwargs) if kwargs else cls.forward(*arrays)
        except (ValueError, TypeError, IndexError, MemoryError, OverflowError) as error:
            explain(cls, args, error)
            raise
        finally:
            if token is not None:
                ERRORS.reset(token)
        if cls._guarded:
            result = node._checked(result, arrays)
        if type(result) is not ndarray:
            if type(result) is tuple:
                return node._many(args, kwargs, result, record)
            if isinstance(result, np.generic):  # what NumPy's ufuncs give for 0 dimensions
                result = node._as_array(result) if node._saved else asarray(result)
        output = _new(Tensor)
        output.array = result
        output._counter = None if mode.inference else [0]
        if cls.is_view:
            output._share(args[0])
        if record and result.dtype.kind == "f":
            node._age = next(_ages)
            output._node = node
            output._requires_grad = True
            if node._saved:
                node._keep(args, (output,))
        if mode.observers:
            node._show(args, kwargs, (output,))
        return output

    @classmethod
    def _meet(cls, arrays: list) -> None:
        """See that all arrays lie on one device, and let the thread work on it; asked only where not all is on the CPU."""
        if len(places_of(arrays)) > 1 and not cls._guarded:
            refuse_mixed(cls.__name__.lower(), arrays)
        if SEVERAL:
            follow(arrays)

    def _as_array(self, scalar: Any) -> Array:
        """A NumPy scalar as an array, also where it was saved."""
        array = asarray(scalar)
        if self._saved:
            self._saved = tuple([array if kept is scalar else kept for kept in self._saved])
        return array

    def _show(self, args: tuple, options: dict[str, Any], outputs: tuple) -> None:
        self._options = options
        for observer in mode.observers:
            observer.forward(self, args, outputs)

    def _many(self, args: tuple, options: dict[str, Any], results: tuple, record: bool) -> tuple:
        """The Tensors of several outputs, of which some may be ``None``."""
        arrays = [self._as_array(result) if isinstance(result, np.generic) else result for result in results]
        outputs = tuple([None if array is None else Tensor._wrap(array) for array in arrays])
        if self.is_view:
            for output in outputs:
                if output is not None:
                    output._share(args[0])
        if record:
            self._age = next(_ages)
            self._outputs = len(outputs)
            self._meta = tuple([None if a is None else (type(a), a.shape, a.dtype) for a in arrays])
            for nr, (output, result) in enumerate(zip(outputs, results, strict=True)):
                if output is not None and output.array.dtype.kind == "f" and not _among(result, self._undifferentiable):
                    output._node, output.output_nr, output._requires_grad = self, nr, True
            if self._saved:
                self._keep(args, outputs)
        if mode.observers:
            self._show(args, options, outputs)
        return outputs

    def _checked(self, result: Any, arrays: list) -> Any:
        """What a user's ``forward`` returned: arrays, or a refusal that names the Function.

        An input, or a view of one, comes back as a copy: nothing told us that they share memory (``is_view`` would).
        """
        if type(result) is ndarray and result.base is None:
            return result if self.is_view or not _among(result, arrays) else result.copy()
        several = type(result) in (tuple, list)
        checked: list[Any] = []
        for item in result if several else (result,):
            if item is None and several:
                checked.append(item)
                continue
            if not hasattr(item, "dtype") or not hasattr(item, "shape") or isinstance(item, Tensor):
                raise DTypeError(
                    type(self).__name__,
                    "result of forward",
                    "an array or a tuple of arrays",
                    type(item).__name__,
                    "forward receives arrays and returns arrays; ops on Tensors belong in backward",
                )
            shared = not self.is_view and (_among(item, arrays) or _lies_in(item, arrays))
            checked.append(item.copy() if shared else item)
        return tuple(checked) if several else checked[0]

    # ------------------------------------------------------------------ what forward may say to its node

    def save_for_backward(self, *arrays: Any) -> None:
        """Keep arrays (inputs, outputs or others) for ``backward``, where ``saved_tensors`` gives them back as Tensors.

        Numbers and ``None`` may stand among them and come back as they are. Inputs and outputs come back with their history;
        another float array comes back without, which a backward pass with ``create_graph`` refuses: PyTorch goes on there,
        and gives a second derivative that lacks a term.
        """
        self._saved = arrays

    def mark_non_differentiable(self, *arrays: Array) -> None:
        """Say that these outputs carry no gradient (integer outputs never do)."""
        self._undifferentiable = arrays

    def set_materialize_grads(self, value: bool) -> None:
        """Whether an output without gradient is given to ``backward`` as zeros (the default) or as ``None``."""
        self._materialize = value

    def _keep(self, args: tuple, outputs: tuple, now: bool = False) -> None:
        """Turn saved arrays into what survives, with the version that must still hold when it is asked for.

        Each becomes (what, counter, version, nr): an input Tensor, or an output's array with its number ``nr``, or a bare
        array (``nr`` -2), or what is no array. A checkpoint does something else with them (``mode.saver``), unless ``now``.
        """
        if mode.saver is not None and not now:
            mode.saver.keep(self, args, outputs)
            return
        kept: list[tuple[Any, list[int] | None, int, int]] = []
        inputs = {id(arg.array): arg for arg in reversed(args) if isinstance(arg, Tensor)}
        for array in self._saved:
            if type(array) is not ndarray:
                if isinstance(array, np.generic):  # of which float64 is a float too
                    array = asarray(array)
                elif array is None or isinstance(array, (int, float)):
                    kept.append((array, None, 0, -1))
                    continue
            arg = inputs.get(id(array))
            if arg is not None:
                counter = arg._counter
                if counter is None:
                    raise GradError(
                        type(self).__name__,
                        "input",
                        "a tensor that can be saved for backward",
                        "one made in inference_mode",
                        "Clone it outside inference_mode",
                    )
                kept.append((arg, counter, counter[0], -1))
                continue
            for nr, output in enumerate(outputs):
                if output is not None and output.array is array:
                    kept.append((array, output._counter, output._counter[0], nr))
                    break
            else:
                if not hasattr(array, "dtype") or isinstance(array, Tensor):
                    what, got = "arrays, numbers or None", type(array).__name__
                    raise DTypeError(type(self).__name__, "save_for_backward", what, got, "Keep others as ctx attributes")
                counter = None if array.base is None else _counter_of_base(array.base, args)
                kept.append((array, counter, 0 if counter is None else counter[0], -2))
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
        if type(self._saved) is not list:
            self._saved = self._saved.fulfil(self) if self._saved else []
        tensors = []
        for kept, counter, version, nr in self._saved:
            if counter is not None and counter[0] != version:
                self._refuse_changed(kept, counter, version)
            if nr != -1:
                if nr == -2 and self._guarded and mode.grad and kept.dtype.kind == "f":
                    self._refuse_lost(kept)
                array, kept = kept, _new(Tensor)
                kept.array, kept._counter = array, counter if counter is not None else [0]
                if nr >= 0:
                    kept._node, kept.output_nr, kept._requires_grad = self, nr, True
            tensors.append(kept)
        return tuple(tensors)

    def _refuse_lost(self, array: Array) -> None:
        raise GradError(
            type(self).__name__,
            "saved tensors",
            "inputs and outputs of forward, where the derivative is to be differentiated again (create_graph)",
            f"an array of shape {tuple(array.shape)} that is neither: how it depends on the inputs is not known",
            "Save the inputs and compute it again in backward; keep what depends on no input as an attribute of ctx",
        )

    def _refuse_changed(self, kept: Any, counter: list[int], version: int) -> None:
        shape = tuple((kept.array if isinstance(kept, Tensor) else kept).shape)
        raise GradError(
            type(self).__name__,
            "a saved tensor" + (f" (op called at {self._line})" if self._line else ""),
            f"version {version} of the tensor of shape {shape} that it needs",
            f"version {counter[0]}: an in-place op changed it",
            "Clone it before the change; anomaly mode (minigrad.autograd.detect_anomaly) names the line of the op",
        )

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """For each positional argument of ``forward``: whether its gradient is wanted, in this pass if one is running."""
        wanted = mode.wanted
        if wanted is not None and wanted[0] is self:
            return wanted[1]
        return tuple([edge is not None for edge in self.edges])

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes that made the inputs, or the leaves (``None`` for those without gradient), as PyTorch names them."""
        return tuple([edge[:2] if edge else (None, 0) for edge in self.edges])

    def name(self) -> str:
        """The name of the op."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{type(self).__name__}Backward>"


def hang(node: Function, *inputs: Any) -> Function:
    """Make a node without running its ``forward``: its edges lead to ``inputs``, Tensors or ``None``."""
    edges: list[Edge | None] = []
    for x in inputs:
        if x is not None and x.requires_grad:  # asked of the property, which gives a changed view its new history
            edges.append((x._node or x, x.output_nr, x.array.shape, x.array.dtype))
        else:
            edges.append(None)
    node.edges = tuple(edges)
    node._age = next(_ages)
    return node


def _among(array: Any, others: Sequence[Any]) -> bool:
    return any(array is other for other in others)


def _lies_in(item: Array, arrays: Sequence[Any]) -> bool:
    """Whether an array is a view of one of the others."""
    base = getattr(item, "base", None)
    return base is not None and any(base is a or base is getattr(a, "base", None) for a in arrays)


def _counter_of_base(base: Any, args: Sequence[Any]) -> list[int] | None:
    """The version counter of the input in whose memory a saved array lies, if it lies in one."""
    for arg in args:
        if isinstance(arg, Tensor) and (arg.array is base or arg.array.base is base):
            return arg._counter
    return None
