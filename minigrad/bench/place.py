"""Where contenders compute: on the processor, or on a GPU, which takes work and gives control back before it is done."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.clock import Clock, WallClock
from minigrad.bench.machine import Peaks, cache_size
from minigrad.bench.op import Call
from minigrad.bench.peers import Torch
from minigrad.core.device import CPU, default_device, device, module_for, move
from minigrad.kernels.comparison import is_array, mapped

SMALLEST, LARGEST = 256, 4096  # of the square product on a GPU: the largest that is sure to take less than LONGEST
LONGEST = 0.05  # seconds
FOOTPRINTS = (32 << 20, 256 << 20)  # bytes
SAMPLES = 5


class Host:
    """The processor: NumPy's arrays are where they are wanted."""

    device = CPU

    def clock(self) -> Clock:
        """What gives the time."""
        return WallClock()

    def there(self, call: Call) -> Call:
        """A call with its arrays where the contenders compute."""
        return call

    def here(self, results: list[Any]) -> list[Any]:
        """Results as NumPy arrays."""
        return results

    def flush(self) -> Callable[[], Any]:
        """A call that leaves nothing of earlier ones in the caches."""
        data = np.zeros(2 * min(cache_size(), 128 << 20) // 8)
        return lambda: np.add(data, 1.0, out=data)


HOST = Host()


class Gpu:
    """A GPU, or the emulator, on which times mean nothing and all else is tried.

    Args:
        where: the device.

    Raises:
        DeviceError: it is not there.
    """

    def __init__(self, where: device) -> None:
        self.device, self.xp = where, module_for(where)

    def clock(self) -> Clock:
        """What gives the time: the time now is that at which all work has been done."""
        return GpuClock(self.xp.cuda.Device(self.device.index or 0))

    def there(self, call: Call) -> Call:
        """See :class:`Host`."""
        moved: Call = mapped(call, self._there)
        return moved

    def here(self, results: list[Any]) -> list[Any]:
        """See :class:`Host`."""
        back: list[Any] = mapped(results, lambda each: move(each, CPU) if is_array(each) else each)
        return back

    def flush(self) -> Callable[[], Any]:
        """See :class:`Host`."""
        data = self.xp.zeros(64 << 20, "float32")
        return lambda: self.xp.add(data, 1.0, out=data)

    def name(self) -> str:
        """Which GPU it is."""
        found = self.xp.cuda.runtime.getDeviceProperties(self.device.index or 0)["name"]
        return found.decode() if isinstance(found, bytes) else str(found)

    def default(self) -> contextlib.AbstractContextManager[None]:
        """New tensors are made here inside a ``with`` block."""
        return default_device(self.device)

    def peaks(self, dtype: str, clock: Clock) -> GpuPeaks:
        """What it can do, measured now: cuBLAS's best square product, and how fast its memory is copied."""
        size = SMALLEST
        while size < LARGEST and 8 * self._product(size, dtype, clock) < LONGEST:
            size *= 2
        rate = 2 * size**3 / self._product(size, dtype, clock)
        memory = {footprint: footprint / self._copy(footprint, clock) for footprint in FOOTPRINTS}
        return GpuPeaks(1, dtype, size, rate, rate, "cuBLAS", memory, self)

    def _product(self, size: int, dtype: str, clock: Clock) -> float:
        a = self.xp.ones((size, size), dtype)
        return _fastest(lambda: self.xp.matmul(a, a), clock)

    def _copy(self, footprint: int, clock: Clock) -> float:
        source = self.xp.zeros(footprint // 8, "float32")
        target = self.xp.empty_like(source)
        return _fastest(lambda: self.xp.add(source, 1.0, out=target), clock)

    def _there(self, each: Any) -> Any:
        if each is np:
            return self.xp
        return move(each, self.device) if is_array(each) else each


class GpuPeaks(Peaks):
    """The best that was seen of a GPU in this run."""

    def __init__(self, *figures: Any) -> None:
        *plain, self.gpu = figures
        super().__init__(*plain)

    def share_now(self, clock: Clock, repeats: int = 3) -> float:
        """See :class:`~minigrad.bench.machine.Peaks`."""
        rate = 2 * self.size**3 / self.gpu._product(self.size, self.dtype, clock)
        share = rate / self.product
        self.product, self.best = max(rate, self.product), max(rate, self.best)
        return float(share)


class GpuClock(WallClock):
    """The processor's clock, looked at when the GPU has done all that it was given."""

    def __init__(self, gpu: Any) -> None:
        super().__init__()
        self._gpu = gpu

    def now(self) -> int:
        """See :class:`~minigrad.bench.clock.Clock`."""
        self._gpu.synchronize()
        return time.perf_counter_ns()


class TorchOnGpu(Torch):
    """PyTorch on a GPU, with cuDNN: what is made with its names is made there."""

    def __init__(self, module: Any) -> None:
        super().__init__(_OnGpu(module))

    @contextlib.contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """A GPU has no number of threads to choose; new tensors are made on it."""
        with self.module.device("cuda"):
            yield

    def arrays(self, value: Any) -> list[Any]:
        """See :class:`~minigrad.bench.peers.Peer`."""
        several = list(value) if isinstance(value, (tuple, list)) else [value]
        return mapped(several, lambda each: each.detach().cpu().numpy() if hasattr(each, "detach") else each)


class _OnGpu:
    """PyTorch, whose tensors made of NumPy arrays lie on the GPU."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def from_numpy(self, array: np.ndarray) -> Any:
        return self._module.from_numpy(array).to("cuda")


def _fastest(call: Callable[[], Any], clock: Clock) -> float:
    least = math.inf
    for _ in range(SAMPLES):
        start = clock.now()
        call()
        least = min(least, max(1, clock.now() - start) * 1e-9)
    return least
