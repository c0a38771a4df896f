"""Gradients of tables of which few rows were used: the rows that have one, and their values."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, device, device_of, move
from minigrad.core.dtypes import DType
from minigrad.core.tensor import Size, Tensor
from minigrad.errors import ArgumentError, GradError, ShapeError
from minigrad.kernels import embedding as kernel

_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)


def add_rows(values: Array, index: Array, rows: int, factor: Array | None = None) -> Array:
    """Vectors (..., D) summed into (rows, D) by the row that each number of ``index`` names; float16 is summed in float32."""
    if values.dtype == _HALF:
        wide = None if factor is None else factor.astype(_SINGLE)
        return kernel.scatter(values.astype(_SINGLE), index, rows, wide).astype(_HALF)
    return kernel.scatter(values, index, rows, factor)


class SparseRows(Tensor):
    """A Tensor that is 0 but for some of its rows: the gradient of ``embedding(..., sparse=True)``.

    A row may be named several times; its values are then summed (``coalesce`` does so once). ``SGD``, ``Adagrad`` and
    ``SparseAdam`` read the rows alone. Every other op sees the whole table, made on the spot and not to be written to.

    Args:
        rows: K row numbers, an integer array.
        values: (K, ...), what stands in each.
        size: the shape of the whole.
        coalesced: whether ``rows`` rise, each named once.

    Raises:
        ShapeError: the shapes do not fit together.

    Example:
        >>> import numpy as np
        >>> x = SparseRows(np.array([2, 0, 2]), np.ones((3, 1)), (3, 1))
        >>> x.coalesce().values()
        tensor([[1.],
                [2.]], dtype=float64)
        >>> x.to_dense().tolist()
        [[1.0], [0.0], [2.0]]
    """

    is_sparse = True

    def __init__(self, rows: Array, values: Array, size: tuple[int, ...], coalesced: bool = False) -> None:
        if values.shape != (len(rows), *size[1:]):
            raise ShapeError("SparseRows", "values", f"shape {(len(rows), *size[1:])}", str(tuple(values.shape)))
        self._rows, self._kept, self._size, self._coalesced = rows, values, tuple(size), coalesced
        self._counter = [0]

    def coalesced_arrays(self) -> tuple[Array, Array]:
        """The rows, rising and each once, and their values, as arrays."""
        if not self._coalesced:
            xp = array_module(self._kept)
            rows, places = xp.unique(self._rows, return_inverse=True)
            flat = self._kept.reshape(len(self._rows), prod(self._size[1:]))
            summed = add_rows(flat, places.reshape(-1), len(rows))
            self._rows, self._kept = rows, summed.reshape(len(rows), *self._size[1:])
            self._coalesced = True
        return self._rows, self._kept

    @property
    def array(self) -> Array:
        """The whole, dense; a new array at each call, which must not be written to."""
        rows, values = self.coalesced_arrays()
        whole = array_module(values).zeros(self._size, values.dtype)
        whole[rows] = values
        if isinstance(whole, np.ndarray):
            whole.flags.writeable = False  # a change of it would be lost
        return whole

    # ------------------------------------------------------------------ PyTorch's names

    def coalesce(self) -> SparseRows:
        """The same with each row named once, in rising order."""
        return SparseRows(*self.coalesced_arrays(), self._size, coalesced=True)

    def is_coalesced(self) -> bool:
        """Whether each row is named once, in rising order."""
        return self._coalesced

    def indices(self) -> Tensor:
        """The row numbers, int64 of shape (1, K)."""
        return Tensor._wrap(self._rows.astype(np.int64, copy=False)[None])

    def values(self) -> Tensor:
        """What stands in each row, of shape (K, ...), sharing its memory."""
        return Tensor._wrap(self._kept)

    _indices, _values = indices, values

    def _nnz(self) -> int:
        return len(self._rows)

    def sparse_dim(self) -> int:
        """The number of dimensions along which it is sparse: 1."""
        return 1

    def to_dense(self) -> Tensor:
        """The whole, as an ordinary Tensor."""
        rows, values = self.coalesced_arrays()
        whole = array_module(values).zeros(self._size, values.dtype)
        whole[rows] = values
        return Tensor._wrap(whole)

    # ------------------------------------------------------------------ what need not see the whole

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self._size)

    @property
    def dtype(self) -> DType:
        """The dtype of its elements."""
        return self._kept.dtype

    @property
    def device(self) -> device:
        """Where it lies."""
        return device_of(self._kept)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._size)

    def dim(self) -> int:
        """The number of dimensions."""
        return len(self._size)

    def numel(self) -> int:
        """The number of elements of the whole."""
        return prod(self._size)

    def is_floating_point(self) -> bool:
        """Whether the dtype is a float dtype."""
        return self._kept.dtype.kind == "f"

    def to(self, *target: Any, **named: Any) -> SparseRows:
        """The same in another dtype, on another device: see ``Tensor.to``."""
        values = Tensor._wrap(self._kept).to(*target, **named).array
        return SparseRows(move(self._rows, device_of(values)), values, self._size, self._coalesced)

    def clone(self, *, memory_format: Any = None) -> SparseRows:
        """A copy in memory of its own."""
        return SparseRows(self._rows.copy(), self._kept.copy(), self._size, self._coalesced)

    def detach(self) -> SparseRows:
        """Itself: it is never part of a graph."""
        return self

    def norm(self, p: Any = 2.0) -> Tensor:
        """The norm of all elements. See ``Tensor.norm``."""
        return Tensor._wrap(self.coalesced_arrays()[1]).norm(p)

    def mul_(self, other: float) -> SparseRows:
        """Multiply all elements by a number, in place."""
        if isinstance(other, Tensor):
            other = other.item()
        self._kept = self._kept * float(other)
        return self

    def div_(self, other: float) -> SparseRows:
        """Divide all elements by a number, in place."""
        return self.mul_(1.0 / float(other))

    def clamp_(self, min: float, max: float) -> SparseRows:
        """Bring all elements between ``min`` and ``max``, in place; 0 must lie there.

        Raises:
            ArgumentError: it does not.
        """
        if not min <= 0 <= max:
            raise ArgumentError("clamp_", "min, max", "bounds with 0 between them, for a sparse tensor", f"{min}, {max}")
        self._kept = self.coalesced_arrays()[1].clip(min, max)
        return self

    def neg(self) -> SparseRows:
        """The opposite."""
        return SparseRows(self._rows, -self._kept, self._size, self._coalesced)

    __neg__ = neg

    def zero_(self) -> SparseRows:
        """Forget all rows."""
        self._rows, self._kept, self._coalesced = self._rows[:0], self._kept[:0], True
        return self

    def __mul__(self, other: Any) -> Tensor:
        if isinstance(other, (int, float)):
            return SparseRows(self._rows, self._kept * other, self._size, self._coalesced)
        return self.to_dense() * other

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Tensor:
        if not isinstance(other, SparseRows):
            return self.to_dense() + other
        if other._size != self._size:
            raise ShapeError("add", "other", f"shape {self._size}, as the first sparse tensor has", str(other._size))
        xp = array_module(self._kept)
        rows = xp.concatenate([self._rows, other._rows])
        return SparseRows(rows, xp.concatenate([self._kept, other._kept]), self._size)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sparse tensors carry no gradient.

        Raises:
            GradError: one is asked for.
        """
        if requires_grad:
            raise GradError("requires_grad_", "tensor", "a dense one", "a sparse one", "Use .to_dense()")
        return self

    def __repr__(self) -> str:
        parts = f"indices={self.indices()!r}, values={self.values()!r}"
        return f"sparse_rows({parts}, size={self._size}, nnz={self._nnz()})"

    def __deepcopy__(self, memo: dict) -> SparseRows:
        twin = self.clone()
        memo[id(self)] = twin
        return twin

    def __reduce__(self) -> tuple:
        return SparseRows, (self._rows, self._kept, self._size, self._coalesced)
