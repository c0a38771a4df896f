"""Sequences of different lengths in one tensor: padded to the longest, or packed without gaps.

A packed batch holds, for each time step, the rows of the sequences that still last, the longest sequence first. Both forms,
and the lists of single sequences, turn into each other by looking up rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from minigrad.core.device import device_of
from minigrad.core.hints import checked
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DeviceError, DTypeError, ShapeError
from minigrad.nn.checks import check_choice
from minigrad.ops.creation import from_numpy
from minigrad.ops.parts import cat


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """A packed batch. Make one with ``pack_padded_sequence`` or ``pack_sequence``.

    Attributes:
        data: (sum of lengths, *): the rows of step 0, then those of step 1, and so on.
        batch_sizes: (longest length,), int64 on the CPU: how many sequences last at each step.
        sorted_indices: the place in the user's batch of each sequence, the longest first; ``None`` if they came so.
        unsorted_indices: the inverse.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:
            data, batch_sizes = data
        if batch_sizes.device.type != "cpu":
            raise DeviceError("PackedSequence", "batch_sizes", "a tensor on the CPU", f"one on {batch_sizes.device}")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *target: Any, **named: Any) -> Self:
        """The data in another dtype or on another device, the indices on that device."""
        data = self.data.to(*target, **named)
        if data is self.data:
            return self
        moved = [None if index is None else _moved(index, data) for index in self[2:]]
        return type(self)(data, self.batch_sizes, *moved)

    def float(self) -> Self:
        """The data as float32."""
        return self.to("float32")

    def double(self) -> Self:
        """The data as float64."""
        return self.to("float64")

    def cpu(self) -> Self:
        """Everything on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = "cuda") -> Self:
        """Everything on a GPU but ``batch_sizes``."""
        return self.to(device)


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    """Numbers on the device of another tensor. The host keeps them, as it would wait for a GPU to read them there."""
    numbers = array.astype(np.int64)
    tensor = from_numpy(numbers).to(device_of(like.array))
    if not tensor.is_cpu:
        tensor._known = (numbers, tensor.array, tensor._version)
    return tensor


def _moved(indices: Tensor, like: Tensor) -> Tensor:
    return indices if indices.device == like.device else _tensor(_host(indices), like)


def _host(indices: Tensor) -> np.ndarray:
    if indices._known is not None:
        numbers, array, version = indices._known
        if array is indices.array and version == indices._version:
            return numbers
    return indices.detach().cpu().numpy()


@checked
def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another.

    Example:
        >>> import minigrad
        >>> invert_permutation(minigrad.tensor([2, 0, 1]))
        tensor([1, 2, 0])
    """
    return None if permutation is None else _tensor(np.argsort(_host(permutation), kind="stable"), permutation)


def _lengths(where: str, lengths: Any, count: int, longest: int | None) -> np.ndarray:
    """Lengths as a NumPy array, one of at least 1 for each of ``count`` sequences."""
    try:
        array = np.asarray(_host(lengths) if isinstance(lengths, Tensor) else lengths)
    except ValueError as error:  # nested sequences of different lengths
        raise DTypeError(where, "lengths", "integers, one for each sequence", repr(lengths)) from error
    if array.dtype.kind not in "iu":
        raise DTypeError(where, "lengths", "integers", f"{array.dtype}")
    if array.shape != (count,):
        raise ShapeError(where, "lengths", f"{count}, one for each sequence", f"shape {array.shape}")
    if count and array.min() < 1:
        raise ArgumentError(where, "lengths", "lengths of at least 1", str(array.tolist()), "Leave empty sequences out")
    if longest is not None and count and array.max() > longest:
        raise ArgumentError(where, "lengths", f"at most {longest}, the length of the input", str(array.tolist()))
    return array


def _places(batch_sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each packed row, its time step and its sequence."""
    starts = np.cumsum(batch_sizes) - batch_sizes
    steps = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    return steps, np.arange(len(steps)) - starts[steps]


@checked
def pack_padded_sequence(input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences that were padded to one length.

    Args:
        input: (T, B, *), or (B, T, *) with ``batch_first``.
        lengths: (B,), the true length of each.
        batch_first: see ``input``.
        enforce_sorted: the longest sequence comes first, or an error; ``False`` sorts them, and remembers the order.

    Raises:
        ShapeError, ArgumentError, DTypeError: lengths that do not fit the input, are below 1, or are not sorted.

    Example:
        >>> import minigrad
        >>> padded = minigrad.tensor([[1, 2, 3], [4, 5, 0]])
        >>> packed = pack_padded_sequence(padded, [3, 2], batch_first=True)
        >>> packed.data, packed.batch_sizes
        (tensor([1, 4, 2, 5, 3]), tensor([2, 2, 1]))
    """
    where = "pack_padded_sequence"
    check_tensor(where, "input", input)
    if input.array.ndim < 2:
        shape = f"shape {tuple(input.array.shape)}"
        raise ShapeError(where, "input", "at least 2 dimensions, time and batch", shape)
    count, longest = input.array.shape[:2] if batch_first else input.array.shape[1::-1]
    if not count:
        raise ShapeError(where, "input", "at least one sequence", f"shape {tuple(input.array.shape)}")
    sizes = _lengths(where, lengths, count, longest)
    order = None
    if enforce_sorted:
        if (np.diff(sizes) > 0).any():
            remedy = "Sort the sequences, or pass enforce_sorted=False"
            raise ArgumentError(where, "lengths", "the longest first", str(sizes.tolist()), remedy)
    else:
        order = np.argsort(-sizes, kind="stable")
        sizes = sizes[order]
    batch_sizes = (sizes[None, :] > np.arange(sizes.max())[:, None]).sum(1)
    steps, sequences = _places(batch_sizes)
    if order is not None:
        sequences = order[sequences]
    rows = sequences * longest + steps if batch_first else steps * count + sequences
    data = input.flatten(0, 1).index_select(0, _tensor(rows, input))
    sorted_indices = None if order is None else _tensor(order, input)
    return PackedSequence(data, from_numpy(batch_sizes.astype(np.int64)), sorted_indices)


def _laid_out(rows: Tensor, table: np.ndarray, padding_value: float) -> Tensor:
    """Rows at the places of a table of their numbers, ``padding_value`` where it has -1."""
    result = rows.index_select(0, _tensor(table.clip(0).ravel(), rows)).unflatten(0, table.shape)
    empty = table < 0
    if empty.any():
        mask = from_numpy(empty.reshape(table.shape + (1,) * (rows.array.ndim - 1))).to(device_of(rows.array))
        result = result.masked_fill(mask, padding_value)
    return result


@checked
def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Undo ``pack_padded_sequence``: the padded tensor, in the user's order, and the lengths.

    Args:
        sequence: the packed batch.
        batch_first: give (B, T, *) in place of (T, B, *).
        padding_value: what stands behind the end of shorter sequences.
        total_length: pad to this length, in place of the longest.

    Raises:
        ArgumentError: ``total_length`` is below the longest length.

    Example:
        >>> import minigrad
        >>> packed = pack_sequence([minigrad.tensor([1, 2, 3]), minigrad.tensor([4, 5])])
        >>> pad_packed_sequence(packed, batch_first=True)
        (tensor([[1, 2, 3],
                [4, 5, 0]]), tensor([3, 2]))
    """
    if not isinstance(sequence, PackedSequence):
        raise DTypeError("pad_packed_sequence", "sequence", "a PackedSequence", type(sequence).__name__)
    batch_sizes = _host(sequence.batch_sizes)
    longest = len(batch_sizes)
    if total_length is not None:
        if total_length < longest:
            bound = f"at least {longest}, the longest length"
            raise ArgumentError("pad_packed_sequence", "total_length", bound, str(total_length))
        longest = total_length
    steps, sequences = _places(batch_sizes)
    table = np.full((longest, batch_sizes[0]), -1)
    table[steps, sequences] = np.arange(len(steps))
    if sequence.unsorted_indices is not None:
        table = table[:, _host(sequence.unsorted_indices)]
    lengths = from_numpy((table >= 0).sum(0).astype(np.int64))
    return _laid_out(sequence.data, table.T if batch_first else table, padding_value), lengths


def _sequences(where: str, sequences: Any) -> list[Tensor]:
    if isinstance(sequences, Tensor) or not isinstance(sequences, Iterable):
        raise DTypeError(where, "sequences", "a list of Tensors", type(sequences).__name__)
    found = [check_tensor(where, f"sequences[{position}]", item) for position, item in enumerate(sequences)]
    if not found:
        raise ArgumentError(where, "sequences", "at least one", "none")
    for position, item in enumerate(found):
        if not item.array.ndim or item.array.shape[1:] != found[0].array.shape[1:]:
            wanted = f"shape (length, {', '.join(map(str, found[0].array.shape[1:]))}) as the first"
            raise ShapeError(where, f"sequences[{position}]", wanted, f"shape {tuple(item.array.shape)}")
    return found


@checked
def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences (length, *) in one tensor (longest length, number, *), or (number, longest length, *).

    Args:
        sequences: the tensors; all but their lengths are equal.
        batch_first: which of the two.
        padding_value: what fills the gaps.
        padding_side: ``"right"`` or ``"left"``: whether the gaps come after or before.

    Raises:
        ShapeError, DTypeError, ArgumentError: no sequences, or of different shapes beyond their lengths.

    Example:
        >>> import minigrad
        >>> pad_sequence([minigrad.tensor([1, 2, 3]), minigrad.tensor([4, 5])], batch_first=True)
        tensor([[1, 2, 3],
                [4, 5, 0]])
    """
    check_choice("pad_sequence", "padding_side", padding_side, ("right", "left"))
    found = _sequences("pad_sequence", sequences)
    lengths = np.array([len(item.array) for item in found])
    places = np.arange(lengths.max())[None, :]
    if padding_side == "left":
        places = places - (lengths.max() - lengths)[:, None]
    inside = (places >= 0) & (places < lengths[:, None])
    table = np.where(inside, places + (np.cumsum(lengths) - lengths)[:, None], -1)
    return _laid_out(cat(found), table if batch_first else table.T, padding_value)


@checked
def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """Undo ``pad_sequence``: the list of sequences. (PyTorch's transposes the caller's tensor in place; this one does not.)

    Args:
        padded_sequences: (T, B, *), or (B, T, *) with ``batch_first``.
        lengths: (B,).
        batch_first: see above.

    Raises:
        ShapeError, ArgumentError: lengths that do not fit.

    Example:
        >>> import minigrad
        >>> unpad_sequence(minigrad.tensor([[1, 2, 3], [4, 5, 0]]), [3, 2], batch_first=True)
        [tensor([1, 2, 3]), tensor([4, 5])]
    """
    check_tensor("unpad_sequence", "padded_sequences", padded_sequences)
    by_sequence = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    count, longest = by_sequence.array.shape[:2]
    sizes = _lengths("unpad_sequence", lengths, count, longest)
    return [by_sequence[position, : int(size)] for position, size in enumerate(sizes)]


@checked
def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (length, *). See ``pack_padded_sequence``.

    Raises:
        ShapeError, DTypeError, ArgumentError: no sequences, empty ones, or (``enforce_sorted``) not the longest first.

    Example:
        >>> import minigrad
        >>> pack_sequence([minigrad.tensor([1, 2]), minigrad.tensor([3])]).data
        tensor([1, 3, 2])
    """
    found = _sequences("pack_sequence", sequences)
    return pack_padded_sequence(pad_sequence(found), [len(item.array) for item in found], enforce_sorted=enforce_sorted)


@checked
def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Undo ``pack_sequence``.

    Example:
        >>> import minigrad
        >>> unpack_sequence(pack_sequence([minigrad.tensor([1, 2]), minigrad.tensor([3])]))
        [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]
