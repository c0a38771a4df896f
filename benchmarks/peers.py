"""Whom a workload is timed beside, other than PyTorch as it is: PyTorch with channels-last memory, and other libraries."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from minigrad.bench.workload import Step

CHANNELS_LAST = "torch channels-last"
OTHERS = ("mygrad", "tinygrad")


class ChannelsLast:
    """PyTorch's names, with every tensor of four dimensions made channels-last."""

    __name__ = "torch"

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("torch"), name)

    def tensor(self, data: Any, requires_grad: bool = False) -> Any:
        torch = importlib.import_module("torch")
        made = torch.tensor(data)
        if made.ndim == 4:
            made = made.contiguous(memory_format=torch.channels_last)
        return made.requires_grad_(requires_grad)

    def lay_out(self, module: Any) -> None:
        """Lay a module's weights out in the same way."""
        module.to(memory_format=self.channels_last)


def _channels_last(make: Callable[..., Step], **sizes: int) -> Step:
    return make(ChannelsLast(), **sizes)


def _other(name: str, **sizes: int) -> Step:
    return getattr(importlib.import_module("minigrad.benchmarks.others"), name)(**sizes)


def of_images(make: Callable[..., Step]) -> Mapping[str, Callable[..., Step]]:
    """PyTorch's other memory layout, for a workload of images."""
    return {CHANNELS_LAST: partial(_channels_last, make)}


def others(name: str) -> Mapping[str, Callable[..., Step]]:
    """The libraries that a workload was written anew for, as ``others.LIBRARY_name``."""
    return {library: partial(_other, f"{library}_{name}") for library in OTHERS}
