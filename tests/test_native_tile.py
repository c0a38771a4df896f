"""The micro-kernel against NumPy: all rows and columns, any strides, with this processor's instructions and lesser ones."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minigrad.kernels.native import Real, kernel, real, tile
from minigrad.kernels.native.target import target

pytestmark = pytest.mark.native

ROOT = Path(__file__).parent.parent
UNTOUCHED = 12345.0
HERE = target()


@kernel
def run_tile(
    rows: int, a: Real, a_pitch: int, a_step: int, a_run: int, b: Real, b_step: int, init: Real, init_pitch: int, c: Real,
    c_pitch: int, length: int, runs: int, columns: int, least: float, most: float, part: int, parts: int,
) -> None:  # fmt: skip
    tile(
        rows, a, a_pitch, a_step, a_run, b, b_step, init, init_pitch, c, c_pitch, length, runs, columns, real(least),
        real(most),
    )  # fmt: skip


def strided(data: np.ndarray, shape: tuple[int, ...], *steps: int) -> np.ndarray:
    """A view of a line of numbers, with distances in elements."""
    return np.lib.stride_tricks.as_strided(data, shape, tuple(step * data.itemsize for step in steps))


def padded(columns: int, dtype: str) -> int:
    lanes = HERE.lanes(dtype)
    return -(-columns // lanes) * lanes


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    dtype = draw(st.sampled_from(["float32", "float64"]))
    lanes = HERE.lanes(dtype)
    columns = draw(st.integers(1, HERE.vectors * lanes))
    return {
        "dtype": dtype,
        "rows": draw(st.integers(1, HERE.rows)),
        "columns": columns,
        "length": draw(st.integers(0, 9)),
        "runs": draw(st.integers(0, 3)),
        "order": draw(st.permutations(["row", "run", "step"])),  # how A lies in memory
        "gap": draw(st.integers(0, 3)),
        "b_step": padded(columns, dtype) + draw(st.sampled_from([0, 1, lanes])),
        "init": draw(st.sampled_from(["zeros", "bias", "itself", "matrix"])),
        "c_pitch": columns + draw(st.integers(0, 5)),
        "least": draw(st.sampled_from([-np.inf, 0.0, 0.5])),
        "most": draw(st.sampled_from([np.inf, 1.0, 0.5])),
        "special": draw(st.sampled_from([None, np.nan, np.inf])),
        "seed": draw(st.integers(0, 100)),
    }


def check(
    dtype: str, rows: int, columns: int, length: int, runs: int, order: list[str], gap: int, b_step: int, init: str,
    c_pitch: int, least: float, most: float, special: float | None, seed: int,
) -> None:  # fmt: skip
    random = np.random.default_rng(seed)

    def numbers(count: int) -> np.ndarray:
        return random.standard_normal(count).astype(dtype)

    # A's strides: any order of its three dimensions in memory, with gaps.
    sizes, steps, distance = {"row": rows, "run": runs, "step": length}, {}, 1 + gap
    for name in order:
        steps[name] = distance
        distance = distance * max(1, sizes[name]) + gap
    a_data = numbers(distance + 1)
    a = strided(a_data, (rows, runs, length), steps["row"], steps["run"], steps["step"])
    if special is not None and a.size:
        a[0, -1, 0] = special
    # B's padding is readable and holds what would be seen if it were used.
    depth = runs * length
    b_data = np.full(max(1, depth * b_step), np.nan, dtype)
    b = strided(b_data, (depth, columns), b_step, 1)
    b[...] = numbers(depth * columns).reshape(depth, columns)
    # C has guards around it.
    before, size = 7, (rows - 1) * c_pitch + columns
    c_data = np.full(before + size + 40, UNTOUCHED, dtype)
    c = strided(c_data[before:], (rows, columns), c_pitch, 1)
    if init == "itself":
        c[...] = numbers(rows * columns).reshape(rows, columns)
        start, init_data, init_pitch = c.copy(), c_data[before:], c_pitch
    else:
        init_pitch = columns + 2 if init == "matrix" else 0
        init_data = np.zeros(columns, dtype) if init == "zeros" else numbers((rows - 1) * init_pitch + columns)
        start = strided(init_data, (rows, columns), init_pitch, 1).copy()

    exact_a, exact_b = a.reshape(rows, depth).astype(np.float64), b.astype(np.float64)
    with np.errstate(invalid="ignore"):
        expected = start + exact_a @ exact_b
        expected = np.where(expected < least, least, expected)
        expected = np.where(expected > most, most, expected)
        bound = (np.abs(start) + np.abs(exact_a) @ np.abs(exact_b)) * np.finfo(dtype).eps * (depth + 2)
    run_tile(
        rows, a_data, steps["row"], steps["step"], steps["run"], b_data, b_step, init_data, init_pitch, c_data[before:],
        c_pitch, length, runs, columns, least, most,
    )  # fmt: skip

    finite = np.isfinite(expected)
    np.testing.assert_array_equal(c[~finite], expected[~finite].astype(dtype))
    assert (np.abs(c - np.where(finite, expected, 0))[finite] <= bound[finite]).all()
    c[...] = UNTOUCHED
    assert (c_data == UNTOUCHED).all(), "written outside of C"


PLAIN = {
    "length": 5,
    "runs": 2,
    "order": ["step", "run", "row"],
    "gap": 0,
    "init": "bias",
    "least": 0.0,
    "most": 1.0,
    "special": None,
    "seed": 0,
}
WIDEST = HERE.vectors * HERE.lanes("float32")


@settings(max_examples=300, deadline=None)
@given(problem=problems())
@example(problem={**PLAIN, "dtype": "float32", "rows": HERE.rows, "columns": WIDEST, "b_step": WIDEST, "c_pitch": WIDEST})
@example(problem={**PLAIN, "dtype": "float64", "rows": 1, "columns": 1, "b_step": WIDEST, "c_pitch": 1})
def test_any_tile(problem: dict[str, Any]) -> None:
    check(**problem)


def every_size() -> None:
    for dtype in ("float32", "float64"):
        for rows in range(1, HERE.rows + 1):
            for columns in range(1, HERE.vectors * HERE.lanes(dtype) + 1):
                check(dtype=dtype, rows=rows, columns=columns, b_step=padded(columns, dtype), c_pitch=columns, **PLAIN)


def test_every_number_of_rows_and_columns() -> None:
    every_size()


def no_byte_beyond() -> None:
    """Put each operand before a page that cannot be touched: reading or writing behind it ends the process."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 4 * page)
    no_access = 0
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    library = ctypes.CDLL(None, use_errno=True)
    for guard in (1, 3):
        if library.mprotect(ctypes.c_void_p(base + guard * page), page, no_access):
            raise OSError(ctypes.get_errno(), "mprotect")

    def before(guard: int, count: int, dtype: str) -> np.ndarray:
        size = count * np.dtype(dtype).itemsize
        found = np.frombuffer(memory, dtype, count, guard * page - size)
        found[...] = 1
        return found

    rows, depth = HERE.rows, 3
    for dtype in ("float32", "float64"):
        for columns in range(1, HERE.vectors * HERE.lanes(dtype) + 1):
            step = padded(columns, dtype)
            plain = {name: np.ones(rows * 64 * depth, dtype) for name in "abci"}
            for name, count in (("a", rows * depth), ("b", depth * step), ("c", rows * columns), ("i", columns)):
                put = {**plain, name: before(1 if name == "a" else 3, count, dtype)}
                run_tile(
                    rows,
                    put["a"],
                    depth,
                    1,
                    0,
                    put["b"],
                    step,
                    put["i"],
                    0,
                    put["c"],
                    columns,
                    depth,
                    1,
                    columns,
                    -np.inf,
                    np.inf,
                )
                assert (put["c"][: rows * columns] == depth + 1).all()


def run_with(processor: str, call: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"NUMBA_CPU_NAME": processor} if processor else {})}
    program = f"from tests.test_native_tile import *; {call}(); print(HERE.kind)"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("processor", "kind", "call"),
    [("", HERE.kind, "no_byte_beyond"), ("haswell", "AVX2", "every_size"), ("haswell", "AVX2", "no_byte_beyond"),
     ("x86-64", "SSE", "every_size")],
)  # fmt: skip
def test_in_a_process_of_its_own(processor: str, kind: str, call: str) -> None:
    done = run_with(processor, call)
    assert (done.returncode, done.stdout) == (0, f"{kind}\n"), done.stderr
