"""Whether there is a GPU, and the little that scripts ask of it, under PyTorch's names. All of it is safe without one."""

from __future__ import annotations

from typing import Any

from minigrad.core import random
from minigrad.core.device import device, module_for
from minigrad.errors import DeviceError
from minigrad.kernels.doubts import settle


def is_available() -> bool:
    """Whether tensors can be made on ``device("cuda")``. (What is missing, if not, is said when one is asked for.)

    Example:
        >>> import minigrad
        >>> where = minigrad.device("cuda" if minigrad.cuda.is_available() else "cpu")
    """
    return device_count() > 0


def device_count() -> int:
    """How many GPUs there are, as far as CuPy and the driver show them."""
    try:
        return int(module_for(device("cuda")).cuda.runtime.getDeviceCount())
    except DeviceError:
        return 0


def current_device() -> int:
    """The index of the GPU on which ``device("cuda")`` lies.

    Raises:
        DeviceError: there is none.
    """
    module_for(device("cuda"))
    return 0


def synchronize(where: Any = None) -> None:
    """Wait for what a GPU has been given to do.

    Raises:
        DeviceError: it is not there.
    """
    on = device("cuda", where) if isinstance(where, int) else device(where or "cuda")
    with module_for(on).cuda.Device(on.index or 0) as gpu:
        gpu.synchronize()
    settle()


def empty_cache() -> None:
    """Give memory that no tensor uses back to the GPU; nothing without one."""
    if is_available():
        module_for(device("cuda")).get_default_memory_pool().free_all_blocks()


def manual_seed(seed: int) -> None:
    """Begin the default generator, which is one for all devices, anew; nothing without a GPU, as in PyTorch."""
    if is_available():
        random.manual_seed(seed)


manual_seed_all = manual_seed

__all__ = ["current_device", "device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all", "synchronize"]
