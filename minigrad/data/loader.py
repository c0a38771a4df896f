"""Batches of a data set, made in the foreground or ahead of time by threads."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from minigrad.core.device import get_default_device, set_default_device
from minigrad.core.dtypes import get_default_dtype, set_default_dtype
from minigrad.core.hints import checked
from minigrad.core.random import Generator
from minigrad.data.collate import default_collate, default_convert
from minigrad.data.dataset import IterableDataset, size_of
from minigrad.data.sampler import BatchSampler, RandomSampler, SequentialSampler, count_of
from minigrad.errors import ArgumentError

_END = object()


class DataLoader:
    """Goes through a data set in batches, again at each ``for``.

    Args:
        dataset: samples by number (``dataset[i]``, ``len(dataset)``), or an ``IterableDataset``.
        batch_size: samples in a batch; ``None`` gives single samples.
        shuffle: take them in random order, another at each pass.
        sampler: gives the numbers of the samples instead.
        batch_sampler: gives lists of numbers, the batches, instead.
        num_workers: threads that make batches ahead of time; their order stays. With 0 each is made when it is asked for.
            Threads help where samples wait for the disk or spend their time in NumPy. Of an ``IterableDataset`` one thread
            reads ahead, so that no sample comes twice.
        collate_fn: makes a batch of a list of samples; default: ``default_collate``.
        pin_memory: accepted for PyTorch's sake.
        drop_last: leave out a last batch that is smaller.
        worker_init_fn: called in each thread, with its number, before it works.
        generator: of the random order, which is a function of its state when a pass begins; default: that of the process.
        prefetch_factor: batches that each thread is ahead; default 2.
        persistent_workers: accepted for PyTorch's sake: threads cost nothing to start.

    Raises:
        ArgumentError: arguments that exclude each other, sizes below 1, an empty data set with ``shuffle``.
        DTypeError: a data set without a length.

    Example:
        >>> import minigrad
        >>> from minigrad.utils.data import DataLoader, TensorDataset
        >>> loader = DataLoader(TensorDataset(minigrad.arange(5)), batch_size=2)
        >>> [batch.tolist() for batch, in loader]
        [[0, 1], [2, 3], [4]]
    """

    @checked
    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        worker_init_fn: Callable[[int], None] | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
    ) -> None:
        self.dataset, self.drop_last, self.generator, self.worker_init_fn = dataset, drop_last, generator, worker_init_fn
        self.num_workers = count_of("DataLoader", "num_workers", num_workers, 0)
        self.prefetch_factor = count_of("DataLoader", "prefetch_factor", 2 if prefetch_factor is None else prefetch_factor)
        self.streams = isinstance(dataset, IterableDataset)
        if self.streams and (shuffle or sampler is not None or batch_sampler is not None):
            raise ArgumentError(
                "DataLoader",
                "shuffle, sampler, batch_sampler",
                "none with an IterableDataset, which has an order of its own",
                "one of them",
            )
        if sampler is not None and shuffle:
            raise ArgumentError("DataLoader", "shuffle", "no shuffle beside a sampler, which gives the order", "True")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                others = "batch_size, shuffle, sampler and drop_last"
                raise ArgumentError("DataLoader", "batch_sampler", f"no {others} beside it", "one of them")
            batch_size = None
        elif batch_size is not None:
            batch_size = count_of("DataLoader", "batch_size", batch_size)
        elif drop_last:
            raise ArgumentError("DataLoader", "drop_last", "False without batch_size", "True")
        self.batch_size = batch_size
        if sampler is None and not self.streams and batch_sampler is None:
            size_of("DataLoader", dataset)
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        if batch_size is not None and sampler is not None:
            batch_sampler = BatchSampler(sampler, batch_size, bool(drop_last))
        self.batch_sampler = batch_sampler
        batched = batch_sampler is not None or batch_size is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)

    def __len__(self) -> int:
        if self.streams:
            size = size_of("DataLoader", self.dataset)
            if self.batch_size is None:
                return size
            return size // self.batch_size if self.drop_last else -(-size // self.batch_size)
        return size_of("DataLoader", self.sampler if self.batch_sampler is None else self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        if self.streams:
            batches = self._stream()
            return batches if not self.num_workers else self._ahead(1, lambda _: next(batches, _END), itertools.repeat(None))
        make: Callable[[Any], Any] = self._sample if self.batch_sampler is None else self._batch
        orders: Iterator[Any] = iter((self.sampler or ()) if self.batch_sampler is None else self.batch_sampler)
        # a generator, because map would take a StopIteration that the data set raises for the end of the data
        return (make(order) for order in orders) if not self.num_workers else self._ahead(self.num_workers, make, orders)

    def _sample(self, index: int) -> Any:
        return self.collate_fn(self.dataset[index])

    def _batch(self, indices: list[int]) -> Any:
        if self.collate_fn is default_collate and hasattr(self.dataset, "take_batch"):
            return self.dataset.take_batch(indices)
        if hasattr(self.dataset, "__getitems__"):
            return self.collate_fn(self.dataset.__getitems__(indices))
        return self.collate_fn([self.dataset[index] for index in indices])

    def _stream(self) -> Iterator[Any]:
        samples = iter(self.dataset)
        if self.batch_size is None:
            for sample in samples:
                yield self.collate_fn(sample)
            return
        while batch := list(itertools.islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)

    def _ahead(self, workers: int, make: Callable[[Any], Any], orders: Iterator[Any]) -> Iterator[Any]:
        """``map(make, orders)`` until ``_END``, by threads that are a few steps ahead. What a thread raises is raised here."""
        dtype, place, numbers = get_default_dtype(), get_default_device(), itertools.count()

        def begin() -> None:
            set_default_dtype(dtype)  # these belong to a thread
            set_default_device(place)
            if self.worker_init_fn is not None:
                self.worker_init_fn(next(numbers))

        pool = ThreadPoolExecutor(workers, thread_name_prefix="minigrad-loader", initializer=begin)
        try:
            coming = deque(pool.submit(make, order) for order in itertools.islice(orders, workers * self.prefetch_factor))
            while coming:
                made = coming.popleft().result()
                if made is _END:
                    break
                for order in itertools.islice(orders, 1):
                    coming.append(pool.submit(make, order))
                yield made
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


__all__ = ["DataLoader"]
