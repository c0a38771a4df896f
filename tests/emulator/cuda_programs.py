"""The CUDA programs of the tests, compiled once for each mode, and the launches of the clean ones with what they give."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.emulator import Kernel, Program

FOLDER = Path(__file__).parent
TEMPLATES = ("matmul<float, 8>", "matmul<double, 4>", "total<64>")
F32, I32, U32 = np.float32, np.int32, np.uint32

Launch = tuple[Any, Any, tuple[Any, ...], dict[str, Any]]  # grid, block, arguments, keywords
Clean = Callable[[], tuple[Launch, Callable[[], Any], Any]]  # the launch, what it gave, what it should have given


@functools.cache
def clean(mode: str = "fast") -> Program:
    """The kernels without faults."""
    program = Program((FOLDER / "clean.cu").read_text(), name="clean.cu", expressions=TEMPLATES, mode=mode)
    program.variable("factors").view(F32)[:] = [2, -1]
    return program


def run(kernel: Kernel, launch: Launch, **more: Any) -> Any:
    """Launch a kernel; its report."""
    grid, block, arguments, keywords = launch
    return kernel.launch(grid, block, arguments, **{**keywords, **more})


def draw(*shape: int, dtype: Any = F32) -> np.ndarray:
    """The same random numbers each time."""
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def _add(n: int) -> Clean:
    def case() -> Any:
        a, b, c = draw(n), draw(n)[::-1].copy(), np.full(n, 9, F32)
        return (-(-n // 64), 64, (a, b, c, I32(n)), {"uninitialised": ["c"]}), lambda: c, 2 * a - b

    return case


def _matmul(dtype: Any, tile: int, m: int, n: int, k: int) -> Clean:
    def case() -> Any:
        a, b, c = draw(m, k, dtype=dtype), draw(k, n, dtype=dtype), np.empty((m, n), dtype)
        launch = (-(-n // tile), -(-m // tile)), (tile, tile), (a, b, c, I32(m), I32(n), I32(k)), {"uninitialised": ["c"]}
        return launch, lambda: c, a.astype(float) @ b.astype(float)

    return case


def _total() -> Any:
    x, result = draw(400), np.zeros(1, F32)
    return (2, 64, (x, result, I32(100)), {}), lambda: result[0], x.astype(float).sum()


def _last_block() -> Any:
    x, result = np.arange(160, dtype=I32), np.zeros(1, I32)
    arguments = (x, np.empty(5, I32), np.zeros(1, U32), result)
    return (5, 32, arguments, {"uninitialised": ["partial", "sum"]}), lambda: result[0], x.sum()


def _rotate() -> Any:
    x = draw(96)
    wanted = np.roll(x, -4) + F32(4)
    return (3, 32, (x, np.zeros(1, U32), I32(4)), {"shared": 128, "cooperative": True}), lambda: x, wanted


def _sums_of_eight() -> Any:
    x, sums = np.arange(128, dtype=I32), np.empty(16, I32)
    return (2, 64, (x, sums), {"uninitialised": [1]}), lambda: sums, x.reshape(16, 8).sum(1)


def _warp_sum() -> Any:
    x, result = draw(32), np.empty(1, F32)
    return (1, 32, (x, result), {"uninitialised": ["sum"]}), lambda: result[0], x.astype(float).sum()


def _lanes() -> Any:
    x, out = np.arange(32, dtype=I32) % 4, np.empty((32, 8), U32)
    lane = np.arange(32)
    up, swapped = np.where(lane < 3, x, x[(lane - 3) % 32]), x[lane ^ 5]
    same = np.array([(x == value).astype(np.uint64) @ (1 << lane.astype(np.uint64)) for value in x])
    columns = [0xCCCCCCCC, 3, same, x.sum(), 3, up, swapped, np.where(lane < 5, 0b11011, 0)]
    wanted = np.stack([np.broadcast_to(column, 32) for column in columns], axis=1).astype(U32)
    return (1, 32, (x, out), {"uninitialised": ["out"]}), lambda: out, wanted


def _tensor_core() -> Any:
    a, b, d = np.round(draw(16, 8) * 64) / 64, np.round(draw(8, 8) * 64) / 64, np.empty((16, 8), F32)
    return (1, 32, (a, b, d), {"uninitialised": ["d"]}), lambda: d, a @ b  # few bits: nothing is rounded


def _locked() -> Any:
    count = np.zeros(1, I32)
    return (2, 32, (np.zeros(1, I32), count), {}), lambda: count[0], 64


def _patient(how: int) -> Clean:
    def case() -> Any:
        counted = np.zeros(1, I32)
        return (1, 32, (np.zeros(1, I32), counted, I32(400_000), I32(how)), {}), lambda: counted[0], 400_000

    return case


def _late_block() -> Any:
    x = np.full(1, 7, I32)
    return (3, 32, (np.zeros(1, U32), x, I32(10_000)), {"cooperative": True}), lambda: x[0], 7 + 64


def _maths() -> Any:
    x, out = np.array([0.5, 1, 2.5, 3.75, 20], F32), np.empty((5, 8), F32)
    bits = [number.bit_count() for number in x.view(U32).tolist()]
    rounded = [0, 1, 2, 4, 20]
    leading = [32, 31, 30, 30, 27]
    wanted = np.stack([np.exp(x), 1 / np.sqrt(x), 1 / x, np.log(x), bits, rounded, np.maximum(x, 1.5), leading], axis=1)
    return (1, 32, (x, out, I32(5)), {"uninitialised": ["out"]}), lambda: out, wanted


CLEAN: dict[str, tuple[str, Clean]] = {
    "add": ("add", _add(150)),
    "matmul float": ("matmul<float, 8>", _matmul(F32, 8, 19, 10, 21)),
    "matmul double": ("matmul<double, 4>", _matmul(float, 4, 7, 9, 4)),
    "total": ("total<64>", _total),
    "last_block": ("last_block", _last_block),
    "rotate": ("rotate", _rotate),
    "sums_of_eight": ("sums_of_eight", _sums_of_eight),
    "warp_sum": ("warp_sum", _warp_sum),
    "lanes": ("lanes", _lanes),
    "tensor_core": ("tensor_core", _tensor_core),
    "locked": ("locked", _locked),
    "patient with a count": ("patient", _patient(0)),
    "patient with a word": ("patient", _patient(1)),
    "patient with a variable": ("patient", _patient(2)),
    "patient with a clock": ("patient", _patient(3)),
    "late_block": ("late_block", _late_block),
    "maths": ("maths", _maths),
}


@functools.cache
def planted(mode: str = "fast") -> Program:
    """The kernels with faults."""
    return Program((FOLDER / "planted.cu").read_text(), name="planted.cu", mode=mode)


@functools.cache
def unsound() -> Program:
    """The kernels with faults that only the checked mode finds."""
    return Program((FOLDER / "unsound.cu").read_text(), name="unsound.cu", mode="checked")


def told_lines(kernel: str, file: str = "planted.cu") -> list[int | None]:
    """The numbers of the lines in a planted kernel that say "here" and "there"."""
    lines = (FOLDER / file).read_text().splitlines()
    first = next(at for at, line in enumerate(lines) if f"void {kernel}(" in line)
    end = next(at for at in range(first, len(lines)) if lines[at].startswith("}") or lines[at].endswith("; }"))
    found = [[at + 1 for at in range(first, end) if lines[at].endswith(word)] for word in ("// here", "// there")]
    return [numbers[0] if numbers else None for numbers in found]
