"""Written texts as a network takes them: batches of strokes and of texts, padded, with their lengths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from minigrad.core.random import Generator
from minigrad.core.tensor import Tensor
from minigrad.data.characters import Characters
from minigrad.data.dataset import Dataset, size_of, whole_index, whole_indices
from minigrad.data.sampler import DrawnSampler
from minigrad.data.strokes import Strokes
from minigrad.errors import ShapeError
from minigrad.ops.dims import count_of
from minigrad.ops.sampling import randperm

AT_ONCE = 32  # batches among which samples of like length are looked for
_REMEDY = "Leave those texts out, or train a new hand without --init-from"


class Source(Protocol):
    """Where written texts come from.

    Attributes:
        texts: of each item.
        names: what a person calls each.
        sizes: int64 (N,), about how many points each has.
    """

    texts: Sequence[str]
    names: Sequence[str]
    sizes: np.ndarray

    def item(self, number: int, epoch: int) -> Strokes:
        """What a pen writes of that text in that epoch: a function of these two numbers."""


class StrokeBatch(NamedTuple):
    """Some written texts.

    Attributes:
        points: float32 (T, B, 3), dx and dy divided by the scale, and 1 where the pen is lifted; 0 from an item's end on.
        lengths: int64 (B,), how many points each has.
        text: int64 (B, U), the numbers of its characters in the alphabet; 0 from its end on.
        text_lengths: int64 (B,).
        numbers: int64 (B,), of the items.
    """

    points: Tensor
    lengths: Tensor
    text: Tensor
    text_lengths: Tensor
    numbers: Tensor


class Written(Dataset):
    """Written texts by number, another variant in each epoch where the source makes them anew.

    Args:
        source: where they come from.
        alphabet: the characters that there are, with their numbers.
        scale: by which offsets are divided in batches.

    Attributes:
        texts, names, sizes: those of the source.

    Raises:
        DataError: a text with a character that is not in the alphabet.

    Example:
        >>> dash = Strokes("-", [[0, 0, 0], [4, 0, 1]])
        >>> batch = Written(Recorded([dash, dash]), Characters("-"), 2.0).take_batch([0, 1])
        >>> batch.points.shape, batch.points[:, 0].tolist()
        (minigrad.Size([2, 2, 3]), [[0.0, 0.0, 0.0], [2.0, 0.0, 1.0]])
    """

    def __init__(self, source: Source, alphabet: Characters, scale: float) -> None:
        self.source, self.alphabet, self.scale, self.epoch = source, alphabet, float(scale), 0
        self.texts, self.names, self.sizes = source.texts, source.names, source.sizes
        known = set(alphabet.symbols)
        for text, name in zip(self.texts, self.names, strict=True):
            if not known.issuperset(text):
                alphabet.encode(text, where=name, remedy=_REMEDY)  # refuses it

    def __len__(self) -> int:
        return len(self.texts)

    def set_epoch(self, epoch: int) -> None:
        """Give the variants of this epoch from now on."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> Strokes:
        return self.source.item(whole_index("Written", index, len(self)), self.epoch)

    def take_batch(self, indices: Iterable[int]) -> StrokeBatch:
        """The items of these numbers, on the CPU.

        Raises:
            ShapeError: no number.
            DTypeError, IndexingError: something that is no item's number.
        """
        numbers, epoch = whole_indices("Written", indices, len(self)), self.epoch
        if not len(numbers):
            raise ShapeError("Written", "indices", "at least one item's number", "none")
        items = [self.source.item(number, epoch) for number in numbers.tolist()]
        lengths = np.array([len(item) for item in items], np.int64)
        points = np.zeros((int(lengths.max()), len(items), 3), np.float32)
        for column, item in enumerate(items):
            points[: len(item), column] = item.points
        points[:, :, :2] /= np.float32(self.scale)
        texts = [self.alphabet.encode(item.text, where=item.name) for item in items]
        text_lengths = np.array(list(map(len, texts)), np.int64)
        text = np.zeros((len(items), int(text_lengths.max())), np.int64)
        for row, symbols in enumerate(texts):
            text[row, : len(symbols)] = symbols
        return StrokeBatch(*map(Tensor._wrap, (points, lengths, text, text_lengths, numbers)))

    def __repr__(self) -> str:
        return f"Written({len(self)} texts, {len(self.alphabet)} characters)"


class Recorded:
    """Written texts that are what they are: the ``Source`` of data that a person wrote.

    Args:
        items: at least one.
    """

    def __init__(self, items: Sequence[Strokes]) -> None:
        self.items = list(items)
        self.texts: Sequence[str] = [item.text for item in self.items]
        self.names: Sequence[str] = [item.name or f"item {number}" for number, item in enumerate(self.items)]
        self.sizes = np.array([len(item) for item in self.items], np.int64)

    def item(self, number: int, epoch: int) -> Strokes:
        """The item of that number, in every epoch."""
        return self.items[number]


class LikeSizes(DrawnSampler):
    """Batches of samples of about the same size in random order, another at each pass: little of a padded batch is padding.

    Samples are shuffled, those of 32 batches at a time sorted by size, and the batches shuffled. Each sample comes once.

    Args:
        sizes: of each sample.
        batch_size: samples in a batch.
        generator: the order is a function of its state when the pass begins.

    Raises:
        ArgumentError: ``batch_size`` is below 1.

    Example:
        >>> import minigrad
        >>> batches = list(LikeSizes([3, 9, 4, 8, 2], 2, minigrad.Generator().manual_seed(0)))
        >>> sorted(map(sorted, batches))
        [[0, 4], [1], [2, 3]]
    """

    def __init__(self, sizes: Sequence[int] | np.ndarray, batch_size: int, generator: Generator | None = None) -> None:
        self.sizes, self.generator = np.asarray(sizes), generator
        self.batch_size = count_of("LikeSizes", "batch_size", batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        count, size = len(self.sizes), self.batch_size
        order = np.asarray(randperm(count, generator=self.generator, device="cpu").tolist(), np.int64)
        batches: list[list[int]] = []
        for start in range(0, count, AT_ONCE * size):
            some = order[start : start + AT_ONCE * size]
            some = some[np.argsort(self.sizes[some], kind="stable")]
            batches += [some[first : first + size].tolist() for first in range(0, len(some), size)]
        for place in randperm(len(batches), generator=self.generator, device="cpu").tolist():
            yield batches[place]

    def __len__(self) -> int:
        return -(-size_of("LikeSizes", self.sizes) // self.batch_size)


__all__ = ["LikeSizes", "Recorded", "Source", "StrokeBatch", "Written"]
