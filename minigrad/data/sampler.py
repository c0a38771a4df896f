"""The order in which samples are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from minigrad.core.hints import checked
from minigrad.core.random import Generator, generator_or_default
from minigrad.data.dataset import size_of
from minigrad.data.order import load_generator, load_order, save_generator, save_order
from minigrad.errors import ArgumentError, DTypeError, ShapeError, StateError
from minigrad.ops.creation import tensor
from minigrad.ops.dims import count_of
from minigrad.ops.sampling import multinomial, randint, randperm


class Sampler:
    """Numbers of samples, in the order in which they are wanted. Derive from it and write ``__iter__`` (and ``__len__``).

    Write ``state_dict()`` and ``load_state_dict(state)`` too, and a ``DataLoader`` can save its place: they give and take
    what the next pass depends on, ``{}`` where it is always the same.
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__")


class SequentialSampler(Sampler):
    """All samples, from the first to the last."""

    @checked
    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source
        size_of("SequentialSampler", data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: each pass is the same."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what ``state_dict`` gave.

        Raises:
            StateError: it is the state of another order.
        """
        if state != {}:
            raise StateError("SequentialSampler", "state", "nothing, as its order is always the same", repr(state))


class DrawnSampler(Sampler):
    """A sampler whose order is a function of its generator's state when a pass begins."""

    generator: Generator | None

    def state_dict(self) -> dict[str, Any]:
        """The state of its generator.

        Raises:
            ArgumentError: it has none of its own.
        """
        return save_generator(type(self).__name__, self.generator)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set its generator to what ``state_dict`` gave.

        Raises:
            ArgumentError: it has none of its own.
            StateError: it is no such state.
        """
        load_generator(type(self).__name__, self.generator, state)


class RandomSampler(DrawnSampler):
    """All samples in random order, another at each pass.

    Args:
        data_source: the data set.
        replacement: draw each sample from all, so that some come again and some do not come.
        num_samples: how many; by default as many as there are.
        generator: the order is a function of its state when the pass begins; default: that of the process.

    Raises:
        ArgumentError: there are no samples, or ``num_samples`` is below 1.

    Example:
        >>> import minigrad
        >>> list(RandomSampler(range(4), generator=minigrad.Generator().manual_seed(0)))
        [0, 3, 2, 1]
    """

    @checked
    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not size_of("RandomSampler", data_source):
            raise ArgumentError("RandomSampler", "data_source", "at least one sample", "an empty data set")
        if not isinstance(replacement, bool):
            raise DTypeError("RandomSampler", "replacement", "True or False", repr(replacement))
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = None if num_samples is None else count_of("RandomSampler", "num_samples", num_samples)
        generator_or_default("RandomSampler", generator)

    @property
    def num_samples(self) -> int:
        """How many samples a pass has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        size, left = len(self.data_source), self.num_samples
        if self.replacement:
            yield from randint(size, (left,), generator=self.generator, device="cpu").tolist()
            return
        rounds = [randperm(size, generator=self.generator, device="cpu").tolist() for _ in range(-(-left // size))]
        for order in rounds:  # all drawn by now: the order depends on nothing that happens to the generator meanwhile
            yield from order[:left]
            left -= size

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(DrawnSampler):
    """The samples ``indices`` in random order, another at each pass."""

    @checked
    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for place in randperm(len(self.indices), generator=self.generator, device="cpu").tolist():
            yield self.indices[place]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(DrawnSampler):
    """Samples drawn with a weight for each, which need not sum to 1.

    Args:
        weights: a number of 0 or more for each sample.
        num_samples: how many.
        replacement: whether one may come again.
        generator: default: that of the process.

    Raises:
        ArgumentError: a weight that is negative or not finite, all 0, or too few of them without replacement.
        ShapeError: ``weights`` is no vector.

    Example:
        >>> list(WeightedRandomSampler([0.0, 1.0], 3))
        [1, 1, 1]
    """

    @checked
    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, generator: Generator | None = None) -> None:
        self.weights = tensor(weights, dtype="float64", device="cpu")
        self.num_samples = count_of("WeightedRandomSampler", "num_samples", num_samples)
        self.replacement, self.generator = replacement, generator
        if self.weights.ndim != 1:
            raise ShapeError("WeightedRandomSampler", "weights", "one dimension", f"shape {tuple(self.weights.shape)}")

    def __iter__(self) -> Iterator[int]:
        yield from multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Batches of the numbers that another sampler gives, as lists.

    Args:
        sampler: a sampler, or anything that numbers can be taken from.
        batch_size: the numbers in a batch.
        drop_last: leave out a last batch that is smaller.

    Raises:
        ArgumentError: ``batch_size`` is no number of at least 1.

    Example:
        >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    @checked
    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        self.batch_size = count_of("BatchSampler", "batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise DTypeError("BatchSampler", "drop_last", "True or False", repr(drop_last))
        if not hasattr(sampler, "__iter__") and not hasattr(sampler, "__getitem__"):
            raise DTypeError("BatchSampler", "sampler", "a sampler, or a sequence of numbers", repr(sampler))
        self.sampler, self.drop_last = sampler, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        size = size_of("BatchSampler", self.sampler)
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)

    def state_dict(self) -> dict[str, Any]:
        """The state of the sampler.

        Raises:
            ArgumentError: it has none that could be saved.
        """
        return save_order("BatchSampler", self.sampler)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Hand on to the sampler what ``state_dict`` gave.

        Raises:
            StateError: it is the state of another order.
        """
        load_order("BatchSampler", self.sampler, state)


__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]
