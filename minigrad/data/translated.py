"""Sentence pairs as a network takes them: batches of numbers, padded, with their lengths, of about as many tokens each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from minigrad.core.random import Generator
from minigrad.core.tensor import Tensor
from minigrad.data.dataset import Dataset, whole_index, whole_indices
from minigrad.data.pair import Pair
from minigrad.data.sampler import DrawnSampler
from minigrad.data.tokens import BOS, EOS, PAD, Tokens
from minigrad.errors import ArgumentError, DataError, ShapeError
from minigrad.kernels import random
from minigrad.kernels.random.vectorised import uniform64
from minigrad.ops.dims import count_of
from minigrad.ops.sampling import randperm

GROWTH = 1.1  # lengths whose ratio is below this are alike,
FINE = 10  # and up to this one each length is a bucket of its own
ALPHA = 0.2  # how much more often a likelier way to split a sentence is drawn


class PairBatch(NamedTuple):
    """Some sentence pairs.

    Attributes:
        source: int64 (S, B), the numbers of its tokens and of the end; those of padding from there on.
        source_lengths: int64 (B,), with the end.
        target: int64 (T + 1, B), the numbers of the beginning, of its tokens and of the end, then of padding. A decoder reads
            ``target[:-1]`` and foretells ``target[1:]``.
        target_lengths: int64 (B,), how many it foretells: the tokens with the end.
        numbers: int64 (B,), of the pairs.
    """

    source: Tensor
    source_lengths: Tensor
    target: Tensor
    target_lengths: Tensor
    numbers: Tensor


class Translated(Dataset):
    """Sentence pairs by number, in tokens.

    Args:
        pairs: at least one.
        source, target: the vocabularies of the two languages.
        ways: of splitting a sentence into subwords, the likeliest, of which another is drawn in each pass; 1: always the
            likeliest. A way of probability P is drawn with a chance that goes as P^α, α being 0.2: subword regularization,
            Kudo 2018, arXiv:1804.10959, equation 8. What is drawn is a function of ``(seed, epoch, number)``.
        seed: from 0 to 2**64 - 1.

    Attributes:
        pairs, source, target: as given.
        sizes: int64 (N, 2), tokens of source and target, with the end of each, split the likeliest way.
        epoch: passes that were made before, as ``DataLoader`` tells.

    Raises:
        DataError: no pairs.
        ArgumentError: ``ways`` below 1.

    Example:
        >>> from minigrad.data.wordtokens import Words
        >>> data = Translated([Pair("on", "an"), Pair("light on", "Licht an")], Words(["on"]), Words(["an", "Licht"]))
        >>> batch = data.take_batch([0, 1])
        >>> batch.source.T.tolist(), batch.target.T.tolist()
        ([[4, 3, 0], [1, 4, 3]], [[2, 4, 3, 0], [2, 5, 4, 3]])
    """

    def __init__(self, pairs: Sequence[Pair], source: Tokens, target: Tokens, *, ways: int = 1, seed: int = 0) -> None:
        if not pairs:
            raise DataError("data", "pairs", "at least one", "none", "Give some")
        self.pairs, self.source, self.target, self.seed, self.epoch = pairs, source, target, seed, 0
        self._ways = count_of("Translated", "ways", ways)
        self._sides = (
            _Rows(source, (pair.source for pair in pairs), ways),
            _Rows(target, (pair.target for pair in pairs), ways),
        )
        self.sizes = np.stack([side.lengths[side.first[:-1]] for side in self._sides], 1) + 1

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of source and target, int64, without beginning and end."""
        number = whole_index("Translated", index, len(self))
        source, target = self._drawn(np.array([number]))
        return self._sides[0].row(source[0]), self._sides[1].row(target[0])

    def set_epoch(self, epoch: int) -> None:
        """Draw the ways of this pass from now on, from 0, as ``DataLoader`` counts."""
        self.epoch = epoch

    def _drawn(self, numbers: np.ndarray) -> list[np.ndarray]:
        """Which rows of either side are those of these pairs."""
        if self._ways == 1:
            return [numbers, numbers]
        places = uniform64(random.words_at((self.seed, 1 + self.epoch), numbers.astype(np.uint64), 2))
        return [side.drawn(numbers, places[:, which]) for which, side in enumerate(self._sides)]

    def take_batch(self, indices: Iterable[int]) -> PairBatch:
        """The pairs of these numbers, on the CPU.

        Raises:
            ShapeError: no number.
            DTypeError, IndexingError: something that is no pair's number.
        """
        numbers = whole_indices("Translated", indices, len(self))
        if not len(numbers):
            raise ShapeError("Translated", "indices", "at least one pair's number", "none")
        rows = self._drawn(numbers)
        lengths = [side.lengths[some] + 1 for side, some in zip(self._sides, rows)]
        source, target = (side.padded(some, begun=begun) for side, some, begun in zip(self._sides, rows, (False, True)))
        return PairBatch(*map(Tensor._wrap, (source, lengths[0], target, lengths[1], numbers)))

    def unknown(self) -> tuple[float, float]:
        """The shares of tokens without a number, of the sources and of the targets.

        Example:
            >>> from minigrad.data.wordtokens import Words
            >>> Translated([Pair("on and off", "an und aus")], Words(["on", "and"]), Words(["an", "und", "aus"])).unknown()
            (0.3333333333333333, 0.0)
        """
        return self._sides[0].unknown(), self._sides[1].unknown()

    def __repr__(self) -> str:
        return f"Translated({len(self):,} pairs, {self.source!r} to {self.target!r})"


class _Rows:
    """The numbers of many sentences: a row for each way to split each.

    Attributes:
        first: int64 (N + 1,), the row that the ways of each sentence begin with, the likeliest of them.
        lengths: int64 (rows,), tokens of each.
    """

    def __init__(self, tokens: Tokens, sentences: Iterable[str], ways: int) -> None:
        found = [tokens.ways(sentence, ways) for sentence in sentences]
        rows = [row.astype(np.int32) for some, _ in found for row in some]
        self.first = np.cumsum([0, *(len(some) for some, _ in found)])
        self.lengths = np.array([len(row) for row in rows], np.int64)
        self.ends = np.cumsum(self.lengths)
        self.values = np.concatenate(rows)
        several = len(rows) > len(found)
        self.bounds = np.concatenate([_bounds(chances) for _, chances in found]) if several else np.ones(len(rows))

    def drawn(self, numbers: np.ndarray, at: np.ndarray) -> np.ndarray:
        """A row of each sentence, where ``at``, from 0 to 1, falls among the chances of its ways."""
        some = zip(self.first[numbers].tolist(), self.first[numbers + 1].tolist(), at.tolist(), strict=True)
        rows = [start + int(np.searchsorted(self.bounds[start : end - 1], place, "right")) for start, end, place in some]
        return np.array(rows, np.int64)

    def row(self, number: int) -> np.ndarray:
        end = int(self.ends[number])
        return self.values[end - int(self.lengths[number]) : end].astype(np.int64)

    def padded(self, rows: np.ndarray, *, begun: bool) -> np.ndarray:
        """int64 (T, B), with the end and, if asked for, the beginning."""
        longest = int(self.lengths[rows].max())
        found = np.full((longest + 1 + begun, len(rows)), PAD, np.int64)
        for column, number in enumerate(rows.tolist()):
            row = self.row(number)
            found[begun : begun + len(row), column] = row
            found[begun + len(row), column] = EOS
        if begun:
            found[0] = BOS
        return found

    def unknown(self) -> float:
        return float((self.values == Tokens.unknown).mean()) if len(self.values) else 0.0


def _bounds(chances: np.ndarray) -> np.ndarray:
    """Where the chances of ways end, from 0 to 1, of log P of each."""
    weights = np.exp(ALPHA * (chances - chances.max()))
    bounds: np.ndarray = np.cumsum(weights / weights.sum())
    return bounds


class LikeTokens(DrawnSampler):
    """Batches of samples of about the same lengths, and of about as many tokens each, in random order, another at each pass.

    Samples of like lengths are in one bucket, first of the last column of ``sizes``, then of the others. Those of a bucket are
    shuffled, the buckets put one after another from short to long, and the row is cut where a batch, padded, would have more
    than ``tokens`` tokens in its largest column. The cuts are the same at each pass, which thus has as many batches; the
    batches are shuffled. Each sample comes once. A sample that is longer than ``tokens`` is a batch of its own.

    Args:
        sizes: (N,), tokens of each sample, or (N, 2), those of source and target.
        tokens: of a padded batch, at most.
        generator: the order is a function of its state when the pass begins: of its seed and the number of passes before.
        most: samples in a batch, at most; ``None``: as many as the tokens allow.

    Raises:
        ArgumentError: ``tokens`` or ``most`` is below 1, or there are no samples.
        ShapeError: ``sizes`` has other dimensions.

    Example:
        >>> import minigrad
        >>> batches = list(LikeTokens([3, 9, 4, 8, 2], 12, minigrad.Generator().manual_seed(0)))
        >>> sorted(map(sorted, batches))
        [[0, 2, 4], [1], [3]]
    """

    def __init__(
        self,
        sizes: Sequence[int] | np.ndarray,
        tokens: int,
        generator: Generator | None = None,
        most: int | None = None,
    ) -> None:
        self.sizes, self.generator = np.asarray(sizes), generator
        self.tokens = count_of("LikeTokens", "tokens", tokens)
        self.most = len(self.sizes) if most is None else count_of("LikeTokens", "most", most)
        if self.sizes.ndim not in (1, 2):
            raise ShapeError("LikeTokens", "sizes", "one dimension, or two", f"shape {self.sizes.shape}")
        if not self.sizes.size:
            raise ArgumentError("LikeTokens", "sizes", "those of at least one sample", "none")
        rows = self.sizes.reshape(len(self.sizes), -1)
        bounds = _bucket_ends(int(rows.max()))
        places = np.searchsorted(bounds, rows)
        self._bucket = np.zeros(len(rows), np.int64)
        for column in range(rows.shape[1] - 1, -1, -1):
            self._bucket = self._bucket * len(bounds) + places[:, column]
        order = np.argsort(self._bucket, kind="stable")
        self._cuts = self._cut(np.minimum(bounds[places[order]], rows.max(0)))

    def _cut(self, rows: np.ndarray) -> list[int]:
        """Where batches end, in the row of all buckets; of each sample the largest that is in its bucket counts."""
        cuts, start, longest = [], 0, np.zeros(rows.shape[1], np.int64)
        for at, row in enumerate(rows):
            grown = np.maximum(longest, row)
            if at > start and ((at + 1 - start) * int(grown.max()) > self.tokens or at - start >= self.most):
                cuts.append(at)
                start, grown = at, row
            longest = grown
        return [*cuts, len(rows)]

    def __iter__(self) -> Iterator[list[int]]:
        order = np.asarray(randperm(len(self.sizes), generator=self.generator, device="cpu").tolist(), np.int64)
        places = randperm(len(self._cuts), generator=self.generator, device="cpu").tolist()
        order = order[np.argsort(self._bucket[order], kind="stable")]
        for place in places:
            yield order[self._cuts[place - 1] if place else 0 : self._cuts[place]].tolist()

    def __len__(self) -> int:
        return len(self._cuts)


def _bucket_ends(longest: int) -> np.ndarray:
    """The largest length of each bucket."""
    ends = list(range(min(FINE, longest) + 1))
    while ends[-1] < longest:
        ends.append(max(ends[-1] + 1, int(ends[-1] * GROWTH)))
    return np.array(ends, np.int64)


__all__ = ["LikeTokens", "PairBatch", "Translated"]
