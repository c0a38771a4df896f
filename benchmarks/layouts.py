"""PyTorch with images and weights channels-last in memory: the peer has its choice of layouts."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from minigrad.bench.workload import Step

CHANNELS_LAST = "torch channels-last"


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


def _make(make: Callable[..., Step], **sizes: int) -> Step:
    return make(ChannelsLast(), **sizes)


def with_layouts(make: Callable[..., Step]) -> Mapping[str, Callable[..., Step]]:
    """The peers of a workload of images beside PyTorch in its default layout."""
    return {CHANNELS_LAST: partial(_make, make)}
