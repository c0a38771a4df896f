"""Batches of a data set, made in the foreground or ahead of time by threads; and the place in them, which can be saved."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Generator as Batches
from dataclasses import dataclass
from typing import Any

from minigrad.core.device import CPU, default_device, get_default_device, module_for, set_default_device
from minigrad.core.device import device as Device
from minigrad.core.dtypes import get_default_dtype, set_default_dtype
from minigrad.core.hints import checked
from minigrad.core.random import Generator
from minigrad.data import prefetch
from minigrad.data.collate import default_collate, default_convert
from minigrad.data.dataset import IterableDataset, size_of
from minigrad.data.order import load_order, save_order
from minigrad.data.sampler import BatchSampler, DrawnSampler, RandomSampler, SequentialSampler
from minigrad.data.transfer import on_device
from minigrad.errors import ArgumentError, StateError
from minigrad.ops.dims import count_of

_KEYS = ("epoch", "batches", "order", "size", "batch_size")


@dataclass
class _Place:
    """A place in the passes of a loader.

    Attributes:
        epoch: passes before this one.
        batches: handed out in this one.
        order: what gives the order, as it was when this pass began; ``None`` before that, or where it cannot be saved.
    """

    epoch: int = 0
    batches: int = 0
    order: dict[str, Any] | None = None


class DataLoader:
    """Goes through a data set in batches, again at each ``for``.

    Each ``iter()`` begins a pass. ``epoch`` is its number, from 0; a data set that has ``set_epoch(epoch)`` is told it when the
    pass begins, so that what it makes of a sample can be another in each. ``state_dict()`` is the place reached: the batch that
    the loop is working on counts as handed out, what threads have made ahead does not. Loaded into a loader of the same data
    and arguments (another ``num_workers`` does no harm), the next ``iter()`` goes on with the batch after it, and the passes
    after that are those that would have come. A pass that is left (``break``) is over when the next begins. Of several passes
    at the same time the place is that of the one begun last.

    With threads, and with a ``device`` that is a GPU, a batch is made before the loop is done with the one before it. Samples
    that draw from the process's generator then draw at another time than without: where the loop draws from it too, both get
    other numbers, and a pass that is taken up at a saved place others than one that was not left. Let such samples draw from a
    generator of their own, made from a seed, the epoch and the number of the sample: they are then equal with any
    ``num_workers`` and ``device``, and after any stop. ``minigrad.data.Augmented`` makes its choices so.

    Args:
        dataset: samples by number (``dataset[i]``, ``len(dataset)``), or an ``IterableDataset``.
        batch_size: samples in a batch; ``None`` gives single samples.
        shuffle: take them in random order, another at each pass.
        sampler: gives the numbers of the samples instead.
        batch_sampler: gives lists of numbers, the batches, instead.
        num_workers: threads that make batches ahead of time; their order stays. With 0 each is made when it is asked for, or,
            for a GPU, one ahead. Threads help where samples wait for the disk or spend their time in NumPy. Of an
            ``IterableDataset`` one thread reads ahead, so that no sample comes twice. At most ``num_workers * prefetch_factor``
            batches wait in memory, beside the loop's own. When the loop is left, the batches being made are waited for, up to
            five seconds.
        collate_fn: makes a batch of a list of samples; default: ``default_collate``.
        pin_memory: accepted for PyTorch's sake: with ``device``, batches go through pinned memory.
        drop_last: leave out a last batch that is smaller.
        worker_init_fn: called in each thread, with its number, before it works.
        generator: of the random order, which is a function of its state when a pass begins; default: that of the process. For a
            place that can be saved it must be one that nothing else draws from.
        prefetch_factor: batches that each thread is ahead; default 2.
        persistent_workers: accepted for PyTorch's sake: threads cost nothing to start.
        device: where the batches' Tensors shall lie. They are made on the CPU, and on a GPU the next is on its way while the
            loop computes with its own (above, what this means for samples that draw random numbers): see
            ``minigrad.data.on_device``. ``None`` leaves them where the samples make them.

    Raises:
        ArgumentError: arguments that exclude each other, sizes below 1, an empty data set with ``shuffle``.
        DTypeError: a data set without a length.
        DeviceError: the device is not there.

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
        device: str | Device | None = None,
    ) -> None:
        self.dataset, self.drop_last, self.generator, self.worker_init_fn = dataset, drop_last, generator, worker_init_fn
        self.device = None if device is None else Device(device)
        if self.device is not None:
            module_for(self.device)
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
        self._place, self._begun = _Place(), False  # where the pass begun last is, or the next begins
        batched = batch_sampler is not None or batch_size is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)

    def __len__(self) -> int:
        if self.streams:
            size = size_of("DataLoader", self.dataset)
            if self.batch_size is None:
                return size
            return size // self.batch_size if self.drop_last else -(-size // self.batch_size)
        return size_of("DataLoader", self.sampler if self.batch_sampler is None else self.batch_sampler)

    @property
    def epoch(self) -> int:
        """How many passes are over: the number of the pass under way, or of the next."""
        return self._place.epoch

    def state_dict(self) -> dict[str, Any]:
        """The place reached, as numbers and arrays that ``minigrad.save`` writes.

        ``epoch`` passes are over and ``batches`` batches of the next one handed out; ``order`` is what gives the order (the
        generator, or the ``state_dict()`` of a sampler or stream of the user's own) as it was when that pass began. ``size``
        and ``batch_size`` say of what loader it is.

        Raises:
            ArgumentError: the order cannot be had again: it is drawn from the process's generator, or it is that of a sampler
                or stream that has no ``state_dict()``.

        Example:
            >>> import minigrad
            >>> def loader():
            ...     return DataLoader(range(6), shuffle=True, generator=minigrad.Generator().manual_seed(1))
            >>> first, again = loader(), loader()
            >>> batches = iter(first)
            >>> _ = next(batches), next(batches)
            >>> again.load_state_dict(first.state_dict())
            >>> [batch.item() for batch in again] == [batch.item() for batch in batches]
            True
        """
        place = self._place
        order = save_order("state_dict", self._order) if place.order is None else copy.deepcopy(place.order)
        return dict(zip(_KEYS, (place.epoch, place.batches, order, self._size(), self.batch_size), strict=True))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a place that ``state_dict`` gave: the next ``iter()`` goes on with the batch after it.

        Where all batches of a pass had been handed out, the rest of it is empty, and the ``iter()`` after that begins the next.

        Raises:
            StateError: it is no such state, or that of a loader of other data or batches. The loader is as it was.
            ArgumentError: the order cannot be had again, as with ``state_dict``.
        """
        where = "load_state_dict"
        if not isinstance(state, Mapping) or set(state) != set(_KEYS):
            got = f"the keys {sorted(map(str, state))}" if isinstance(state, Mapping) else f"a {type(state).__name__}"
            raise StateError(where, "state", f"a dict with the keys {', '.join(_KEYS)}, as state_dict gives", got)
        save_order(where, self._order)
        epoch, batches = (_count(where, key, state[key]) for key in ("epoch", "batches"))
        for key, ours, words in (("size", self._size(), "samples"), ("batch_size", self.batch_size, "samples a batch")):
            if type(state[key]) is not type(ours) or state[key] != ours:
                remedy = "Give the loader the data and arguments that it had when the state was saved"
                raise StateError(where, key, f"{ours} {words}, as this loader has", repr(state[key]), remedy)
        if self._size() is not None and batches > len(self):
            raise StateError(where, "batches", f"at most {len(self)}, the batches of a pass", str(batches))
        if not isinstance(state["order"], dict):
            raise StateError(where, "order", "a dict", f"a {type(state['order']).__name__}")
        load_order(where, self._order, state["order"])
        self._place, self._begun = _Place(epoch, batches, copy.deepcopy(state["order"])), False

    @property
    def _order(self) -> Any:
        """What the order of the samples comes from."""
        if self.streams:
            return self.dataset
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _size(self) -> int | None:
        """The samples of a pass (of a batch sampler of the user's own: the batches), where each pass has as many."""
        return _fixed_size(self.sampler if self.sampler is not None else self.batch_sampler)

    def _begin(self) -> _Place:
        """The place at which the pass that now begins takes up."""
        place = self._place
        if self._begun:
            place = _Place(place.epoch + 1)
        if place.order is not None:  # loaded; others may have drawn from the generator since
            load_order("DataLoader", self._order, place.order)
        else:
            with contextlib.suppress(ArgumentError):  # which state_dict raises, if it is ever asked for
                place.order = save_order("DataLoader", self._order)
        self._place, self._begun = place, True
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(place.epoch)
        return place

    def __iter__(self) -> Iterator[Any]:
        place = self._begin()
        done = place.batches
        make: Callable[[Any], Any]
        orders: Iterator[Any]
        workers = self.num_workers
        if self.streams:
            stream = self._stream(done)
            make, orders, workers = (lambda _: next(stream, prefetch.END)), itertools.repeat(None), min(workers, 1)
        else:
            make = self._sample if self.batch_sampler is None else self._batch
            orders = iter(self._order)
            skipped = sum(1 for _ in itertools.islice(orders, done))
            _check_skipped(skipped, done)
            # The first is taken now, so that a random order is drawn when the pass begins and not at some later time.
            orders = itertools.chain(list(itertools.islice(orders, 1)), orders)
        if workers:
            depth = workers * self.prefetch_factor
            return self._hand_out(place, prefetch.ahead(workers, depth, make, orders, self._thread_start()))
        return self._hand_out(place, stream if self.streams else (make(order) for order in orders))

    def _hand_out(self, place: _Place, batches: Batches[Any, None, None]) -> Iterator[Any]:
        """The batches, counted."""
        made = batches if self.device is None else _made_on_cpu(batches)
        sent = made if self.device in (None, CPU) else on_device(made, self.device)
        with contextlib.closing(made), contextlib.closing(sent):
            for batch in sent:
                place.batches += 1
                yield batch
                del batch  # while the next is made, memory holds the loop's own and no other
        if self._place is place:
            self._place, self._begun = _Place(place.epoch + 1), False

    def _sample(self, index: int) -> Any:
        return self.collate_fn(self.dataset[index])

    def _batch(self, indices: list[int]) -> Any:
        if self.collate_fn is default_collate and hasattr(self.dataset, "take_batch"):
            return self.dataset.take_batch(indices)
        if hasattr(self.dataset, "__getitems__"):
            return self.collate_fn(self.dataset.__getitems__(indices))
        return self.collate_fn([self.dataset[index] for index in indices])

    def _stream(self, done: int) -> Batches[Any, None, None]:
        """The batches of a stream after ``done`` of them, which are read and dropped."""
        samples = iter(self.dataset)
        if self.batch_size is None:
            _check_skipped(sum(1 for _ in itertools.islice(samples, done)), done)
            for sample in samples:
                yield self.collate_fn(sample)
            return
        for number in itertools.count():
            batch = list(itertools.islice(samples, self.batch_size))
            if not batch or (len(batch) < self.batch_size and self.drop_last):
                _check_skipped(min(number, done), done)
                return
            if number >= done:
                yield self.collate_fn(batch)

    def _thread_start(self) -> Callable[[], None]:
        """What each thread does first."""
        dtype, place, numbers = get_default_dtype(), CPU if self.device is not None else get_default_device(), itertools.count()

        def begin() -> None:
            set_default_dtype(dtype)  # these belong to a thread
            set_default_device(place)
            if self.worker_init_fn is not None:
                self.worker_init_fn(next(numbers))

        return begin


def _made_on_cpu(batches: Batches[Any, None, None]) -> Batches[Any, None, None]:
    """The same, each made with the CPU for its device."""
    try:
        while True:
            with default_device(CPU):
                batch = next(batches, prefetch.END)
            if batch is prefetch.END:
                return
            yield batch
            del batch
    finally:
        batches.close()


def _fixed_size(order: Any) -> int | None:
    if isinstance(order, BatchSampler):
        return None if _fixed_size(order.sampler) is None else len(order)
    fixed = isinstance(order, (DrawnSampler, SequentialSampler)) or not hasattr(order, "load_state_dict")
    return len(order) if fixed and hasattr(order, "__len__") else None


def _check_skipped(skipped: int, done: int) -> None:
    if skipped < done:
        remedy = "Give the loader the data that it had when the state was saved"
        raise StateError("DataLoader", "batches", f"at most {skipped}, the batches of this pass", str(done), remedy)


def _count(where: str, key: str, value: Any) -> int:
    """A count in a state.

    Raises:
        StateError: it is none.
    """
    try:
        return count_of(where, key, value, 0)
    except ArgumentError as error:
        raise StateError(where, key, error.expected, error.got) from None


__all__ = ["DataLoader"]
