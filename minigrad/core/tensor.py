"""The Tensor: an array, its gradient, and the node that made it. READ FIRST.

    x = minigrad.tensor([1.0, 2.0], requires_grad=True)     a leaf: the user made it
    y = (x * x).sum()                                        y.grad_fn is the node of sum, whose edge leads to that of mul
    y.backward()                                             the walk goes back along the edges; x.grad is [2., 4.]

A Tensor computes nothing itself. Every op lives in ``minigrad.ops``, value and derivative side by side, and
``minigrad/ops/__init__.py`` lists which of them are methods and operators here. How the way back is remembered is in
``minigrad/core/tape.py``, how it is walked in ``minigrad/core/walk.py``.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.core import refusals, tape
from minigrad.core.device import IN_USE, SEVERAL, Array, array_module, device, device_of, follow, module_of, move, number
from minigrad.core.dtypes import DType, get_default_dtype
from minigrad.core.printing import tensor_text
from minigrad.core.tape import mode
from minigrad.errors import DeviceError, DTypeError, GradError, IndexingError, ShapeError


class Size(tuple):
    """The sizes of a tensor's dimensions: a tuple that prints and counts as PyTorch's does.

    Example:
        >>> Size((2, 3)).numel()
        6
    """

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements: the product of the sizes."""
        count = 1
        for size in self:
            count *= size
        return count

    def __repr__(self) -> str:
        return f"minigrad.Size({list(self)})"


class Tensor:
    """An array of one dtype on one device, with a place in the graph of ops.

    Make one with ``minigrad.tensor(data)``, ``minigrad.zeros(...)`` and their like; ``Tensor(data)`` itself, as in PyTorch,
    always gives the default float dtype, and takes whole numbers, ``Tensor(2, 3)``, for sizes of a tensor to be filled.

    Attributes:
        array: the numbers, a NumPy or CuPy array. Writing to it is invisible to the tape.
        grad: the gradient accumulated here by ``backward``.
        grad_fn: the node that made this tensor; ``None`` for a leaf.
        output_nr: which of the node's outputs this is.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    array: Array
    _grad: Tensor | None = None  # behind grad
    output_nr: int = 0
    _node: tape.Function | None = None  # behind grad_fn; of a view whose memory was changed, the one of before
    is_sparse: bool = False  # whether it is a SparseRows, see ops/sparse.py
    _requires_grad: bool = False
    _counter: Any = None  # [version]: counts in-place changes of the memory, and is shared with its views
    _base: Tensor | None = None  # of a view made while gradients are recorded: the tensor whose memory it lies in
    _seen: int = 0  # of a view: the version at which _node was right
    _hidden_view: bool = False  # made inside no_grad, of a tensor that requires grad
    _hooks: dict[int, Callable] | None = None
    _post_hooks: dict[int, Callable] | None = None
    _known: Any = None  # numbers that the host still has of an array on a GPU, see nn/utils/rnn.py

    __array_priority__ = 1000  # NumPy leaves `array * tensor` to us
    __hash__ = object.__hash__

    def __init__(self, *data: Any, device: Any = None, requires_grad: bool = False) -> None:
        from minigrad.ops.creation import sized_or_filled

        self.array = sized_or_filled("Tensor", data or ((),), get_default_dtype(), device)
        self._counter = [0]
        if requires_grad:
            self.requires_grad = True

    if TYPE_CHECKING:  # the methods that minigrad.ops gives: see METHODS and OPERATORS there

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __iter__(self) -> Any: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __rfloordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __rmod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __rand__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __ror__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __rxor__(self, other: Any) -> Tensor: ...
        def __lshift__(self, other: Any) -> Tensor: ...
        def __rlshift__(self, other: Any) -> Tensor: ...
        def __rshift__(self, other: Any) -> Tensor: ...
        def __rrshift__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __eq__(self, other: object) -> Any: ...
        def __ne__(self, other: object) -> Any: ...

    # ------------------------------------------------------------------ made by ops

    @classmethod
    def _wrap(cls, array: Array) -> Tensor:
        """A Tensor around an array, as it is. NumPy's scalars, which its ufuncs give for 0 dimensions, become arrays."""
        tensor = _new(Tensor)
        tensor.array = array if isinstance(array, np.ndarray) or not isinstance(array, np.generic) else np.asarray(array)
        tensor._counter = None if mode.inference else [0]
        return tensor

    @staticmethod
    def _zeros(kind: type, shape: tuple, dtype: DType) -> Tensor:
        """Zeros for an output that got no gradient."""
        return Tensor._wrap(module_of(kind).zeros(shape, dtype))

    def _share(self, source: Tensor) -> None:
        """Say that this tensor may lie in the memory of ``source``: one version counter counts for both."""
        mine, theirs = self.array, source.array
        if (
            mine is theirs
            or mine.base is theirs
            or (mine.base is not None and mine.base is theirs.base)
            or array_module(mine).may_share_memory(mine, theirs)
        ):
            self._counter = source._counter
            if self._counter is None:
                pass
            elif mode.grad:
                self._base = source._base if source._base is not None else source
                self._seen = self._counter[0]
            elif source._requires_grad or source._hidden_view:
                self._hidden_view = True

    def _adopt(self, node: tape.Function, nr: int) -> None:
        """Go on as output ``nr`` of ``node``: the memory was changed in place. A retained gradient moves along."""
        before = self._node
        if before is not None and before._retained and self.output_nr in before._retained:
            node._retained = node._retained or {}
            node._retained[nr] = before._retained.pop(self.output_nr)
        self._node, self.output_nr, self._requires_grad = node, nr, True

    def _refresh(self) -> None:
        """Give a view whose memory was changed in place since it was made the history that it has now."""
        from minigrad.ops.regions import refresh

        refresh(self)

    # ------------------------------------------------------------------ what it is

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self.array.shape)

    @property
    def dtype(self) -> DType:
        """The dtype of its elements."""
        return self.array.dtype

    @property
    def device(self) -> device:
        """Where it lies."""
        return device_of(self.array)

    @property
    def is_cuda(self) -> bool:
        """Whether it lies on a GPU."""
        return device_of(self.array).type == "cuda"

    @property
    def is_cpu(self) -> bool:
        """Whether it lies in the memory of the CPU."""
        return device_of(self.array).type == "cpu"

    def get_device(self) -> int:
        """The index of its GPU; -1 on the CPU."""
        where = device_of(self.array)
        return -1 if where.type == "cpu" else where.index or 0

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.array.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all its elements."""
        return self.array.nbytes

    def size(self, dim: int | None = None) -> Any:
        """The sizes, or that of dimension ``dim``.

        Raises:
            IndexingError: there is no such dimension.
        """
        if dim is None:
            return self.shape
        from minigrad.ops.dims import one_dim

        return self.array.shape[one_dim("size", dim, self.array.ndim)] if self.array.ndim else self._no_dim("size", dim)

    def _no_dim(self, where: str, dim: Any) -> Any:
        raise IndexingError(where, "dim", "none, as the tensor has no dimensions", repr(dim))

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    nelement = numel
    ndimension = dim

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.array.dtype.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """How many elements of memory lie between neighbours along each dimension, or along ``dim``."""
        steps = tuple(step // self.array.dtype.itemsize for step in self.array.strides)
        if dim is None:
            return steps
        from minigrad.ops.dims import one_dim

        return steps[one_dim("stride", dim, len(steps))] if steps else self._no_dim("stride", dim)

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self.array.ctypes.data if device_of(self.array).type == "cpu" else self.array.data.ptr

    def is_contiguous(self) -> bool:
        """Whether memory holds the elements in the order of the indices, the last running fastest."""
        return bool(self.array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        """Whether the dtype is a float dtype."""
        return self.array.dtype.kind == "f"

    def is_inference(self) -> bool:
        """Whether it was made in ``inference_mode`` and can be no part of a graph."""
        return self._counter is None

    # ------------------------------------------------------------------ its place in the graph

    @property
    def requires_grad(self) -> bool:
        """Whether ops on it are remembered."""
        if self._base is not None and self._seen != self._counter[0]:
            self._refresh()
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Say whether ops on this leaf shall be remembered.

        Raises:
            DTypeError: gradients are asked of integers or truth values.
            GradError: the tensor is the result of an op that requires grad.
        """
        if requires_grad and self.array.dtype.kind != "f":
            raise DTypeError("requires_grad_", "tensor", "a float dtype", str(self.array.dtype), "Convert it with .float()")
        if not requires_grad and self.grad_fn is not None:
            raise GradError("requires_grad_", "tensor", "a leaf", f"the result of {self.grad_fn!r}", "Use .detach()")
        self._requires_grad = bool(requires_grad)
        if self._node is None:
            self._base = None  # a view that becomes a leaf of its own
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient accumulated here by ``backward``: ``None``, or a Tensor of the same shape and dtype.

        Raises:
            GradError, DeviceError: something else is assigned, or a Tensor on another device.
        """
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            shape, dtype = self.array.shape, self.array.dtype
            if not isinstance(value, Tensor) or value.shape != shape or value.dtype != dtype:
                fit = isinstance(value, Tensor)
                got = f"shape {tuple(value.shape)} and dtype {value.dtype}" if fit else type(value).__name__
                expected = f"None or a Tensor of shape {tuple(shape)} and dtype {dtype}, as the tensor has"
                raise GradError("grad", "value", expected, got)
            if IN_USE and device_of(value.array) != device_of(self.array):
                here, there = device_of(self.array), device_of(value.array)
                remedy = f"Move it there: .to('{here}')"
                raise DeviceError("grad", "value", f"a Tensor on {here}, where the tensor lies", f"one on {there}", remedy)
        self._grad = value

    @property
    def grad_fn(self) -> tape.Function | None:
        """The node that made this tensor; ``None`` for a leaf."""
        if self._base is not None and self._seen != self._counter[0]:
            self._refresh()
        return self._node

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made it."""
        return self.grad_fn is None

    @property
    def _version(self) -> int:
        return self._counter[0] if self._counter is not None else 0

    @property
    def data(self) -> Tensor:
        """The same memory outside the graph. Changes through it are not noticed; ``detach`` is safer."""
        return Tensor._wrap(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise DTypeError("data", "value", "a Tensor", type(value).__name__)
        if self._requires_grad and value.array.dtype.kind != "f":
            raise DTypeError("data", "value", "a float dtype, as the tensor requires grad", str(value.array.dtype))
        self.array = value.array
        if self._counter is not None:
            self._counter[0] += 1  # what was saved of the tensor is gone
            self._counter = [0]

    def detach(self) -> Tensor:
        """The same memory outside the graph. In-place changes of either count for both."""
        tensor = Tensor._wrap(self.array)
        tensor._counter = self._counter
        return tensor

    def detach_(self) -> Tensor:
        """Cut this tensor from the graph that made it.

        Raises:
            GradError: it is a view, whose base would still be changed through it.
        """
        if self._base is not None:
            raise GradError("detach_", "tensor", "one that is no view", "a view of another tensor", "Use .detach()")
        self._node, self.output_nr, self._requires_grad = None, 0, False
        return self

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Sequence[Tensor] | Tensor | None = None,
    ) -> None:
        """Add the derivative of this tensor to ``.grad`` of every leaf it was made from, or of ``inputs`` only.

        Args:
            gradient: the derivative of what follows to this tensor, of its shape; 1 if it has one element.
            retain_graph: keep what the graph saved, for another backward (default: as ``create_graph``).
            create_graph: record the backward pass too, for derivatives of higher order.
            inputs: leaves or tensors whose ``.grad`` is wanted; no other is touched.

        Raises:
            GradError: nothing requires grad, or more than one element and no ``gradient``, or the graph was freed.
            ShapeError, DeviceError: ``gradient`` has another shape, or lies on another device.
        """
        tape.backward(self, gradient, retain_graph, create_graph, inputs)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call ``hook(grad)`` when the gradient of this tensor is complete; a Tensor it returns takes its place.

        Raises:
            GradError: the tensor does not require grad.
        """
        if not self.requires_grad:
            raise GradError(
                "register_hook", "tensor", "one that requires grad", "one that does not", "Call requires_grad_() first"
            )
        if self.grad_fn is None:
            self._hooks = self._hooks or {}
            return RemovableHandle(self._hooks, hook)
        self.grad_fn._hooks = self.grad_fn._hooks or {}
        return RemovableHandle(self.grad_fn._hooks.setdefault(self.output_nr, {}), hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Call ``hook(tensor)`` after ``backward`` has added to the ``.grad`` of this leaf.

        Raises:
            GradError: the tensor is no leaf that requires grad.
        """
        if not self.requires_grad or self.grad_fn is not None:
            raise GradError("register_post_accumulate_grad_hook", "tensor", "a leaf that requires grad", repr(self.grad_fn))
        self._post_hooks = self._post_hooks or {}
        return RemovableHandle(self._post_hooks, hook)

    def retain_grad(self) -> None:
        """Keep ``.grad`` of this result too, as a leaf does.

        Raises:
            GradError: the tensor does not require grad.
        """
        if not self.requires_grad:
            raise GradError(
                "retain_grad", "tensor", "one that requires grad", "one that does not", "Call requires_grad_() first"
            )
        if self.grad_fn is not None:
            self.grad_fn._retained = self.grad_fn._retained or {}
            self.grad_fn._retained[self.output_nr] = weakref.ref(self)

    @property
    def retains_grad(self) -> bool:
        """Whether ``retain_grad`` was called on this result of an op."""
        return self.grad_fn is not None and self.output_nr in (self.grad_fn._retained or {})

    # ------------------------------------------------------------------ out into Python and NumPy

    def item(self) -> Any:
        """The one element, as a Python number.

        Raises:
            ShapeError: there is not exactly one.
        """
        if self.array.size != 1:
            raise ShapeError("item", "tensor", "one element", f"shape {tuple(self.array.shape)}", "Use .tolist()")
        return number(self.array)

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return move(self.array, device("cpu")).tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The NumPy array of a CPU tensor, sharing its memory. ``force`` detaches and copies to the CPU where needed.

        Raises:
            GradError: the tensor requires grad.
            DeviceError: the tensor lies on a GPU.
        """
        if force:
            return move(self.array, device("cpu"))
        if self.requires_grad:
            raise GradError("numpy", "tensor", "one outside the graph", "one that requires grad", "Use .detach().numpy()")
        if device_of(self.array).type != "cpu":
            raise DeviceError("numpy", "tensor", "one on the CPU", f"one on {self.device}", "Use .cpu().numpy()")
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise ShapeError("len", "tensor", "at least one dimension", "none", "Use .item() for the one element")
        return len(self.array)

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ShapeError("bool", "tensor", "one element", f"shape {tuple(self.array.shape)}", "Use .any() or .all()")
        return bool(number(self.array))

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind == "f":
            raise DTypeError("index", "tensor", "an integer", str(self.array.dtype), "Convert it with .long()")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.array.ndim == 0 else object.__format__(self, spec)

    def __contains__(self, element: Any) -> bool:
        if not isinstance(element, (Tensor, bool, int, float, np.generic)):
            raise DTypeError("in", "element", "a number or a Tensor", type(element).__name__)
        return bool((self == element).any())

    def __repr__(self) -> str:
        array = move(self.array, device("cpu"))
        notes = []
        if device_of(self.array).type != "cpu":
            notes.append(f"device='{self.device}'")
        if array.size == 0 and array.ndim != 1:
            notes.append(f"size={tuple(array.shape)}")
        if array.dtype != get_default_dtype() and (array.size == 0 or array.dtype not in (np.int64, np.bool_)):
            notes.append(f"dtype={array.dtype}")
        if self.grad_fn is not None:
            notes.append(f"grad_fn={self.grad_fn!r}")
        elif self._requires_grad:
            notes.append("requires_grad=True")
        return tensor_text(array, notes)

    # ------------------------------------------------------------------ copies

    def __deepcopy__(self, memo: dict) -> Tensor:
        if self.grad_fn is not None:
            raise GradError("deepcopy", "tensor", "a leaf", f"the result of {self.grad_fn!r}", "Use .detach().clone()")
        twin = _new(type(self))
        memo[id(self)] = twin
        twin.__dict__.update({name: value for name, value in self.__dict__.items() if name not in _OWN})
        twin.array = self.array.copy(order="K")
        twin._counter = [0]
        if self.grad is not None:
            twin.grad = Tensor._wrap(self.grad.array.copy(order="K"))
        return twin

    def __reduce__(self) -> tuple:
        if self.grad_fn is not None:
            raise GradError("pickle", "tensor", "a leaf", f"the result of {self.grad_fn!r}", "Use .detach()")
        return _rebuild, (type(self), self.array, self._requires_grad)


_new = object.__new__
_OWN = {"array", "_grad", "_counter", "_base", "_seen", "_hidden_view", "_hooks", "_post_hooks", "_known"}


def _rebuild(kind: type, array: Array, requires_grad: bool) -> Tensor:
    tensor: Tensor = _new(kind)
    tensor.array, tensor._counter, tensor._requires_grad = array, [0], requires_grad
    return tensor


class RemovableHandle:
    """What registering a hook gives back: ``remove()`` takes the hook away. Usable in a ``with`` block."""

    _ids = itertools.count()  # never used twice: removing a hook again must not take a later one away

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self._hooks = hooks
        self.id = next(self._ids)
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; twice does no harm."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: Any) -> None:
        self.remove()


def check_tensor(where: str, argument: str, value: Any) -> Tensor:
    """``value``, if it is a Tensor.

    Raises:
        DTypeError: it is not.
    """
    if not isinstance(value, Tensor):
        raise DTypeError(where, argument, "a Tensor", type(value).__name__, "Make one with minigrad.tensor()")
    if SEVERAL:
        follow((value.array,))  # what an op does before its Function runs is done on the same device
    return value


tape.Tensor = refusals.Tensor = Tensor
__all__ = ["RemovableHandle", "Size", "Tensor", "check_tensor"]
