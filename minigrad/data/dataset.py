"""Data sets: samples by number, and what is made of data sets."""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from minigrad.core.hints import checked
from minigrad.core.random import Generator
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.ops.creation import number_of
from minigrad.ops.dims import several
from minigrad.ops.sampling import randperm


class Dataset:
    """Samples by number. Derive from it and write ``__getitem__(index)`` and ``__len__()``.

    A data set that can gather a whole batch at once may have ``take_batch(indices)`` too, which gives what ``default_collate``
    would make of these samples; ``DataLoader`` prefers it.

    Example:
        >>> class Squares(Dataset):
        ...     def __getitem__(self, index):
        ...         return index, index**2
        ...     def __len__(self):
        ...         return 10
        >>> Squares()[3]
        (3, 9)
    """

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Samples one after the other, as from a stream. Derive from it and write ``__iter__()``."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__")


def size_of(where: str, dataset: Any) -> int:
    """``len(dataset)``.

    Raises:
        DTypeError: it has none.
    """
    try:
        return len(dataset)
    except TypeError as error:
        remedy = "Write __len__, or derive from IterableDataset"
        raise DTypeError(where, "dataset", "a data set with a length", f"a {type(dataset).__name__}", remedy) from error


def whole_index(where: str, index: Any, size: int) -> int:
    """A sample's number counted from 0.

    Raises:
        IndexingError: there is no such sample.
        DTypeError: it is no integer.
    """
    try:
        number = operator.index(index)
    except TypeError:
        raise DTypeError(where, "index", "an integer", repr(index)) from None
    if not -size <= number < size:
        raise IndexingError(where, "index", f"a number from {-size} to {size - 1}", str(number))
    return number % size


def whole_indices(where: str, indices: Iterable[Any], size: int) -> np.ndarray:
    """Samples' numbers counted from 0, int64 (n,).

    Raises:
        IndexingError: there is no such sample.
        DTypeError: they are no integers.
    """
    numbers = np.asarray(indices if isinstance(indices, np.ndarray) else list(indices))
    if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and numbers.size):
        raise DTypeError(where, "indices", "a list of whole numbers", f"{numbers.dtype} of shape {numbers.shape}")
    outside = numbers[(numbers < -size) | (numbers >= size)]
    if len(outside):
        whole_index(where, int(outside[0]), size)
    return numbers.astype(np.int64) % max(size, 1)


class TensorDataset(Dataset):
    """Samples that are the rows of several tensors: ``dataset[i] == (a[i], b[i], ...)``.

    Args:
        tensors: Tensors of equal first size.

    Raises:
        ShapeError: different first sizes, or a tensor without dimensions.
        DTypeError: something that is no Tensor.

    Example:
        >>> import minigrad
        >>> from minigrad.utils.data import TensorDataset
        >>> TensorDataset(minigrad.tensor([[1.0], [2.0]]), minigrad.tensor([0, 1]))[1]
        (tensor([2.]), tensor(1))
    """

    @checked
    def __init__(self, *tensors: Tensor) -> None:
        for place, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                got = f"a {type(tensor).__name__}"
                raise DTypeError("TensorDataset", f"tensors[{place}]", "a Tensor", got, "Wrap it in minigrad.tensor()")
        shapes = [tuple(tensor.array.shape) for tensor in tensors]
        if not shapes or any(not shape or shape[0] != shapes[0][0] for shape in shapes):
            raise ShapeError("TensorDataset", "tensors", "Tensors of equal first size", str(shapes))
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple([tensor[index] for tensor in self.tensors])

    def __len__(self) -> int:
        return len(self.tensors[0].array)

    def take_batch(self, indices: Sequence[int]) -> list[Tensor]:
        """The rows ``indices`` of each tensor, copied in one call."""
        first, count = indices[0], len(indices)
        if indices[-1] - first == count - 1 and list(indices) == list(range(first, first + count)):
            return [self._rows(tensor, slice(first, first + count)) for tensor in self.tensors]
        rows = np.asarray(indices)
        return [self._rows(tensor, rows) for tensor in self.tensors]

    def _rows(self, tensor: Tensor, rows: Any) -> Tensor:
        if tensor.requires_grad:
            return tensor[rows].clone()
        found = tensor.array[rows]
        return Tensor._wrap(found.copy(order="K") if isinstance(rows, slice) else found)


class Subset(Dataset):
    """Some samples of a data set.

    Args:
        dataset: the data set.
        indices: their numbers there.

    Example:
        >>> Subset("abcd", [2, 0])[0]
        'c'
    """

    @checked
    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[self.indices[whole_index("Subset", index, len(self.indices))]]

    def __len__(self) -> int:
        return len(self.indices)

    def __getattr__(self, name: str) -> Any:
        if name == "take_batch" and hasattr(self.dataset, "take_batch"):
            return self._take_batch
        if name == "set_epoch":
            return self.dataset.set_epoch
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _take_batch(self, indices: Sequence[int]) -> Any:
        return self.dataset.take_batch([self.indices[index] for index in indices])

    def __reduce__(self) -> tuple:
        return type(self), (self.dataset, self.indices)


class ConcatDataset(Dataset):
    """Several data sets one after the other.

    Raises:
        ArgumentError: none.
        DTypeError: one has no length.

    Example:
        >>> ConcatDataset(["ab", "cd"])[2]
        'c'
    """

    @checked
    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = several("ConcatDataset", "datasets", datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset", "datasets", "at least one", "none")
        self.cumulative_sizes = list(accumulate(size_of("ConcatDataset", dataset) for dataset in self.datasets))

    def __getitem__(self, index: Any) -> Any:
        number = whole_index("ConcatDataset", index, len(self))
        place = bisect_right(self.cumulative_sizes, number)
        return self.datasets[place][number - (self.cumulative_sizes[place - 1] if place else 0)]

    def set_epoch(self, epoch: int) -> None:
        """Tell it to those that want to know. See ``DataLoader``."""
        for dataset in self.datasets:
            if hasattr(dataset, "set_epoch"):
                dataset.set_epoch(epoch)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


@checked
def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Parts of a data set, of given sizes, that have no sample in common.

    Args:
        dataset: the data set.
        lengths: the number of samples of each, which make up the whole; or shares that sum to 1, of which the first parts
            get one more sample each until none is left over.
        generator: default: that of the process.

    Raises:
        ArgumentError: the numbers or shares do not make up the whole, or one is negative.

    Example:
        >>> import minigrad
        >>> parts = random_split("abcdef", [4, 2], minigrad.Generator().manual_seed(0))
        >>> [len(part) for part in parts]
        [4, 2]
    """
    size = size_of("random_split", dataset)
    lengths = [number_of("random_split", "lengths", length) for length in several("random_split", "lengths", lengths)]
    if not all(math.isfinite(length) for length in lengths):
        raise ArgumentError("random_split", "lengths", "finite numbers", str(lengths))
    if any(isinstance(length, float) for length in lengths) and math.isclose(sum(lengths), 1) and sum(lengths) <= 1 + 1e-6:
        if any(not 0 <= share <= 1 for share in lengths):
            raise ArgumentError("random_split", "lengths", "shares from 0 to 1", str(list(lengths)))
        counts = [math.floor(size * share) for share in lengths]
        for place in range(size - sum(counts)):
            counts[place % len(counts)] += 1
    else:
        counts = [int(length) for length in lengths]
        if sum(counts) != size or any(count != length or count < 0 for count, length in zip(counts, lengths, strict=True)):
            expected = f"numbers that sum to {size}, the size of the data set, or shares that sum to 1"
            raise ArgumentError("random_split", "lengths", expected, str(list(lengths)))
    order = randperm(size, generator=generator, device="cpu").tolist()
    ends = list(accumulate(counts))
    return [Subset(dataset, order[end - count : end]) for end, count in zip(ends, counts, strict=True)]


__all__ = ["ConcatDataset", "Dataset", "IterableDataset", "Subset", "TensorDataset", "random_split"]
