"""Batches brought to a GPU while it computes with the one before."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Iterable, Mapping
from typing import Any

import numpy as np

from minigrad.core.device import device, empty_pinned, module_for
from minigrad.core.tensor import Tensor

_Held = tuple[Any, list[np.ndarray]]
"""Pinned memory, and the event after which no copy reads it any more."""

_left: list[_Held] = []  # by passes that are over, maybe before their last copies were
_leaving = threading.Lock()


def on_device(batches: Iterable[Any], where: str | device) -> Generator[Any, None, None]:
    """The batches with their Tensors on a device, in the same order.

    On a GPU the next batch is on its way while the loop computes with the current one: its numbers are laid into pinned memory
    and copied from there in a stream of their own. The loop's stream waits for the copy, the host does not. A batch that holds
    other things than Tensors, in tuples, lists and dicts, keeps them as they are. A loop may be left at any time: what its
    stream does from then on comes after the copies under way.

    So the next batch is also made before the loop computes with the current one. Where both draw from the process's generator,
    they get other numbers than on the CPU; ``DataLoader`` says what to do.

    Args:
        batches: a ``DataLoader``, or any iterable.
        where: the device.

    Raises:
        DeviceError: it is not there.

    Example:
        >>> import minigrad
        >>> [batch.tolist() for batch in on_device([minigrad.arange(2), minigrad.arange(3)], "emulated")]
        [[0, 1], [0, 1, 2]]
    """
    place = device(where)
    courier = None if place.type == "cpu" else _Courier(place)
    source = iter(batches)
    coming: list[tuple[Any, Any]] = []
    try:
        for batch in source:
            if courier is None:
                yield _mapped(batch, lambda tensor: tensor.to("cpu"))
                continue
            coming.append(courier.send(batch))
            del batch
            if len(coming) > 1:
                yield courier.arrived(*coming.pop(0))
        while courier is not None and coming:
            yield courier.arrived(*coming.pop(0))
    finally:
        try:
            if courier is not None:
                courier.leave()
        finally:
            if source is not batches and isinstance(source, Generator):  # not the caller's own, who may go on with it
                source.close()


class _Courier:
    """Copies Tensors to a GPU in a stream of their own."""

    def __init__(self, where: device) -> None:
        self.where, self.xp = where, module_for(where)
        with self.xp.cuda.Device(where.index or 0):
            self.stream = self.xp.cuda.Stream(non_blocking=True)
        self.held: list[_Held] = []
        self.home: Any = None  # the loop's stream

    def send(self, batch: Any) -> tuple[Any, Any]:
        """Begin to copy a batch: what it will be, and the event after which it is."""
        self.held = _in_use(self.held)
        memory: list[np.ndarray] = []
        with self.xp.cuda.Device(self.where.index or 0):
            # The arrays are those of the loop's stream, which may still compute in memory that they are given.
            self.home = self.xp.cuda.get_current_stream()
            self.stream.wait_event(self.home.record())
            try:
                there = _mapped(batch, lambda tensor: self._copy(tensor, memory))
            finally:
                event = self.stream.record()
                self.held.append((event, memory))
        return there, event

    def leave(self) -> None:
        """Let the loop's stream wait for all copies, as it may soon be given the memory they write; keep what they read."""
        if self.home is not None and not sys.is_finalizing():
            with self.xp.cuda.Device(self.where.index or 0):
                self.home.wait_event(self.stream.record())
            with _leaving:
                _left[:] = _in_use(_left + self.held)

    def arrived(self, batch: Any, event: Any) -> Any:
        """The batch, for what the loop's stream does from now on."""
        with self.xp.cuda.Device(self.where.index or 0):
            self.xp.cuda.get_current_stream().wait_event(event)
        return batch

    def _copy(self, tensor: Tensor, memory: list[np.ndarray]) -> Tensor:
        if not tensor.is_cpu:
            return tensor.to(self.where)
        laid = empty_pinned(self.xp, tensor.array.shape, tensor.array.dtype)
        np.copyto(laid, tensor.array)
        memory.append(laid)
        array = self.xp.empty(laid.shape, laid.dtype)
        array.set(laid, stream=self.stream)
        return Tensor._wrap(array)


def _in_use(held: list[_Held]) -> list[_Held]:
    return [(event, memory) for event, memory in held if not event.done]


def _mapped(batch: Any, change: Any) -> Any:
    """A batch of the same structure, its Tensors changed."""
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, Mapping):
        return {key: _mapped(value, change) for key, value in batch.items()}
    if isinstance(batch, (tuple, list)):
        parts = [_mapped(each, change) for each in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    return batch


__all__ = ["on_device"]
