"""What this machine can do: its best matrix product and how fast its memory is, measured, kept, and held against each run.

The peaks are kept in the user's cache folder under the processor's name, the number of threads and the dtype. A run first looks
whether the machine still reaches them (:meth:`Peaks.share_now`); where it does better than ever, the better figure is kept.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.bench.clock import Clock
from minigrad.bench.trust import Limits
from minigrad.core.machine import cores, processor
from minigrad.data.sources import cache_folder

FORMAT = 2
SIZES = (2048, 1024, 512, 256, 128)  # of the square product: the largest that takes less than LONGEST
OTHER_SHAPE = (2500, 512, 2048)  # rows, terms, columns: a library may do better on it than on a square
LONGEST = 0.5
FOOTPRINTS = (1 << 20, 8 << 20, 32 << 20, 128 << 20)  # bytes; of less, Python's own time is most of what is measured
PASSES = 512 << 20  # bytes that one timing of a small footprint walks through


def machine_name() -> str:
    """The processor and the number of cores, as numbers of two machines must not be compared.

    Example:
        >>> machine_name().endswith(("core", "cores"))
        True
    """
    count = cores().usable
    return f"{processor()[0]} ({platform.machine()}), {count} core{'s' * (count > 1)}"


def cache_size(root: Path = Path("/")) -> int:
    """Bytes of the processor's largest cache, or 32 MB where the system does not tell."""
    sizes = []
    for path in (root / "sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        with contextlib.suppress(OSError, ValueError):
            sizes.append(int(path.read_text(encoding="ascii").strip().removesuffix("K")) << 10)
    return max(sizes, default=32 << 20)


@dataclass
class Peaks:
    """The best that was seen of a machine, at a number of threads and in a dtype.

    Attributes:
        threads: how many threads worked.
        dtype: ``"float32"`` or ``"float64"``.
        size: rows of the square product that is taken again beside each measurement.
        product: operations a second of NumPy's product of that size.
        best: operations a second of the best product of any library and shape.
        by: whose that was.
        memory: footprint in bytes -> bytes a second: read, copied or changed in place, whichever is the fastest.
    """

    threads: int
    dtype: str
    size: int
    product: float
    best: float
    by: str
    memory: dict[int, float] = field(default_factory=dict)

    def limits(self, footprint: float) -> Limits:
        """What can be reached by an op whose data have so many bytes: memory's rate lies between those of the sizes around it.

        Of data that fit in the first caches nobody knows here how fast they can be moved.
        """
        sizes = sorted(self.memory)
        if not sizes or footprint < sizes[0]:
            return Limits(self.best, math.inf)
        rates = [self.memory[size] for size in sizes]
        return Limits(self.best, float(np.interp(math.log(footprint), np.log(sizes), rates)))

    def share_now(self, clock: Clock, repeats: int = 3) -> float:
        """The square product now, as a share of the best that was seen; where it is better, it becomes the best."""
        rate = product_rate(np.matmul, (self.size,) * 3, np.dtype(self.dtype), clock, repeats)
        share = rate / self.product
        self.product = max(rate, self.product)
        if rate > self.best:
            self.best, self.by = rate, "NumPy"
        return share


Product = Callable[[Any, Any], Any]


def product_rate(product: Product, shape: tuple[int, ...], dtype: np.dtype, clock: Clock, repeats: int) -> float:
    """Operations a second of the fastest of some matrix products."""
    rows, terms, columns = shape
    rng = np.random.default_rng(0)
    a, b = (rng.random(size, np.float32).astype(dtype) for size in ((rows, terms), (terms, columns)))
    return 2 * rows * terms * columns / _fastest(lambda: product(a, b), clock, repeats)


def measure(threads: int, dtype: str, clock: Clock, products: Mapping[str, Product] | None = None) -> Peaks:
    """Measure a machine: a few seconds.

    Args:
        threads: how many threads the products have already been set to use.
        dtype: ``"float32"`` or ``"float64"``.
        clock: what gives the time.
        products: other libraries' matrix products of two NumPy arrays, by their names.
    """
    number = np.dtype(dtype)
    size = _affordable(number, clock)
    square = product_rate(np.matmul, (size,) * 3, number, clock, 12)
    rates = {"NumPy": square}
    every: dict[str, Product] = {"NumPy": np.matmul, **(products or {})}
    for name, product in every.items():
        for shape in ((size,) * 3, OTHER_SHAPE if size == SIZES[0] else (size,) * 3):
            rates[name] = max(rates.get(name, 0.0), product_rate(product, shape, number, clock, 8))
    by = max(rates, key=lambda name: rates[name])
    return Peaks(threads, dtype, size, square, rates[by], by, memory_rates(threads, clock))


def memory_rates(threads: int, clock: Clock, footprints: tuple[int, ...] = FOOTPRINTS) -> dict[int, float]:
    """Bytes a second for data of each size, walked through again and again by so many threads."""
    rates = {}
    with ThreadPoolExecutor(threads) as pool:
        for footprint in footprints:
            pieces = [_Piece(footprint // threads) for _ in range(threads)]
            copied = footprint / _fastest(lambda: list(pool.map(_Piece.copy, pieces)), clock, 5)  # noqa: B023 - called at once
            read = footprint / _fastest(lambda: list(pool.map(_Piece.read, pieces)), clock, 5)  # noqa: B023 - called at once
            changed = 2 * footprint / _fastest(lambda: list(pool.map(_Piece.change, pieces)), clock, 5)  # noqa: B023 - as above
            rates[footprint] = max(copied, read, changed) * pieces[0].passes
    return rates


class _Piece:
    """A thread's share of some memory, to be copied or read in many passes with one call each.

    The passes are an axis of stride 0, so that Python's own time does not count.
    """

    def __init__(self, size: int) -> None:
        count = size // 4
        self.passes = max(1, PASSES // size)
        self.data = np.ones(count, np.float32)
        half = count // 2
        shape, strides = (self.passes, half), (0, 4)
        self.source = np.lib.stride_tricks.as_strided(self.data[:half], shape, strides)
        self.target = np.lib.stride_tricks.as_strided(self.data[half:], shape, strides)

    def copy(self) -> None:
        np.copyto(self.target, self.source)

    def read(self) -> None:
        for _ in range(self.passes):
            self.data.max()

    def change(self) -> None:
        for _ in range(self.passes):
            np.negative(self.data, out=self.data)


def recorded(threads: int, dtype: str, clock: Clock, *, folder: Path | None = None, anew: bool = False,
             products: Mapping[str, Product] | None = None) -> Peaks:  # fmt: skip
    """The machine's peaks: those that are kept, or where there are none, measured now and kept.

    Args:
        threads: how many threads.
        dtype: ``"float32"`` or ``"float64"``.
        clock: what gives the time.
        folder: where they are kept; by default ``bench`` in the user's cache folder.
        anew: measure even where there are some.
        products: other libraries' matrix products.
    """
    known = None if anew else _read(folder).get(_key(threads, dtype))
    peaks = measure(threads, dtype, clock, products) if known is None else known
    if known is None:
        keep(peaks, folder)
    return peaks


def keep(peaks: Peaks, folder: Path | None = None) -> None:
    """Write peaks down for the next run; a folder that cannot be written is no fault of this run."""
    path = _path(folder)
    everything = {key: asdict(each) for key, each in {**_read(folder), _key(peaks.threads, peaks.dtype): peaks}.items()}
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, "peaks": everything}, file, indent=1)
        os.replace(name, path)


def _path(folder: Path | None) -> Path:
    return (cache_folder() / "bench" if folder is None else folder) / "machine.json"


def _key(threads: int, dtype: str) -> str:
    return f"{machine_name()}, {threads} thread{'s' * (threads > 1)}, {dtype}"


def _read(folder: Path | None) -> dict[str, Peaks]:
    """What is kept; a damaged file is as good as none, and is written anew."""
    try:
        content = json.loads(_path(folder).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return {}
        return {key: _peaks(each) for key, each in content["peaks"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _peaks(each: dict[str, Any]) -> Peaks:
    memory = {int(size): float(rate) for size, rate in each["memory"].items()}
    peaks = Peaks(**{**each, "memory": memory})
    if not (peaks.product > 0 and peaks.best > 0 and peaks.size > 0):
        raise ValueError("no peak")
    return peaks


def _affordable(dtype: np.dtype, clock: Clock) -> int:
    """The largest square product that does not take too long."""
    rate = product_rate(np.matmul, (256,) * 3, dtype, clock, 3)
    return next((size for size in SIZES if 2 * size**3 / rate < LONGEST), SIZES[-1])


def _fastest(call: Callable[[], Any], clock: Clock, repeats: int) -> float:
    return min(_times(call, clock, repeats + 1))


def _times(call: Callable[[], Any], clock: Clock, repeats: int) -> Iterator[float]:
    for _ in range(repeats):
        start = clock.now()
        call()
        yield max(1, clock.now() - start) * 1e-9
