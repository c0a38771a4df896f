"""The profile mode counts requests, lanes, sectors and wavefronts as they are known for kernels that are written for it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.emulator import Program
from minigrad.emulator.profile import LineUse
from minigrad.errors import ShapeError
from tests.emulator.cuda_programs import F32, I32

TEXT = (Path(__file__).parent / "measured.cu").read_text()
TEMPLATES = ("transpose<32>", "transpose<33>", "half_before<false>", "half_before<true>",
             *(f"through_shared<{kind}>" for kind in ("float", "double", "float4")))  # fmt: skip


@functools.cache
def measured(mode: str) -> Program:
    return Program(TEXT, name="measured.cu", expressions=TEMPLATES, mode=mode)


def numbers(*shape: int, dtype: Any = F32) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def profile(name: str, grid: Any, block: Any, *arguments: Any, **more: Any) -> list[LineUse]:
    return measured("profile")[name].launch(grid, block, arguments, **more).lines


def one(lines: list[LineUse], mark: str, **wanted: Any) -> LineUse:
    """The record of the line that ends with ``// mark``, and of such an access, space or array."""
    found = [
        line for line in lines
        if line.text.endswith(mark) and all(getattr(line, name) == value for name, value in wanted.items())
    ]  # fmt: skip
    assert len(found) == 1, lines
    return found[0]


@pytest.mark.parametrize(("pitch", "wavefronts"), [(32, 32), (33, 1)])
def test_columns_of_a_tile(pitch: int, wavefronts: int) -> None:
    x, y = numbers(32, 32), np.zeros((32, 32), F32)
    lines = profile(f"transpose<{pitch}>", 1, (32, 8), x, y)
    np.testing.assert_array_equal(y, x.T)
    column = one(lines, "// column")
    assert (column.access, column.space, column.array, column.width) == ("read", "shared", "tile", 4)
    assert (column.requests, column.lanes) == (32, 1024)
    assert column.per_request(column.wavefronts) == wavefronts == column.worst
    assert column.ideal_wavefronts == 32
    assert {line.worst for line in lines if line != column} == {1}
    assert [line.place.line for line in lines] == sorted(line.place.line for line in lines)


@pytest.mark.parametrize(("kind", "dtype", "stride", "ideal", "wavefronts"), [
    ("float", F32, 1, 1, 1), ("float", F32, 2, 1, 2), ("float", F32, 3, 1, 1), ("float", F32, 0, 1, 1),
    ("double", np.float64, 1, 2, 2), ("double", np.float64, 2, 2, 4), ("double", np.float64, 0, 2, 2),
    ("float4", F32, 1, 4, 4), ("float4", F32, 3, 4, 4), ("float4", F32, 2, 4, 8),
])  # fmt: skip
def test_banks(kind: str, dtype: Any, stride: int, ideal: int, wavefronts: int) -> None:
    x = np.zeros(128, dtype)
    line = one(profile(f"through_shared<{kind}>", 1, 32, x, np.zeros_like(x), I32(stride)), "// out", space="shared")
    assert (line.requests, line.ideal_wavefronts, line.wavefronts) == (1, ideal, wavefronts)


@pytest.mark.parametrize(("stride", "sectors", "ideal"), [(8, 32, 4), (1, 4, 4), (2, 8, 4), (0, 1, 1)])
def test_sectors(stride: int, sectors: int, ideal: int) -> None:
    line = one(profile("strided", 1, 32, numbers(256), np.zeros(32, F32), I32(stride), I32(32)), "// apart")
    assert (line.sectors, line.ideal_sectors, line.wavefronts) == (sectors, ideal, 0)


def test_vectors_side_by_side() -> None:
    lines = profile("through_shared<float4>", 1, 32, numbers(128), np.zeros(128, F32), I32(1))
    line = one(lines, "// in", space="global")
    assert (line.width, line.requests, line.sectors, line.ideal_sectors) == (16, 1, 16, 16)


def test_the_last_warp_is_ragged() -> None:
    line = one(profile("strided", 2, 40, numbers(80), np.zeros(80, F32), I32(1), I32(70)), "// apart")
    assert (line.requests, line.lanes) == (3, 70)  # lanes 0-31 and 32-39 of the first block, 0-29 of the second
    assert line.sectors == line.ideal_sectors == 4 + 1 + 4


def test_where_an_array_begins() -> None:
    """Arrays of a GPU begin where a sector does; a view begins where it does in its array."""
    for shift in range(0, 20, 4):
        x = np.frombuffer(bytearray(4 * 32 + shift), F32, offset=shift)
        assert one(profile("strided", 1, 32, x, np.zeros(32, F32), I32(1), I32(32)), "// apart").sectors == 4
    whole = numbers(40)
    line = one(profile("strided", 1, 32, whole[3:], np.zeros(32, F32), I32(1), I32(32)), "// apart")
    assert (line.sectors, line.ideal_sectors) == (5, 4)


def test_lines_whose_instructions_fare_otherwise() -> None:
    both = [line for line in profile("strided", 1, 32, numbers(256), np.zeros(32, F32), I32(8), I32(32)) if line.array == "x"]
    assert [(line.requests, line.sectors) for line in both] == [(1, 32), (1, 1)]


def test_bytes_and_structures() -> None:
    lines = profile("words", 1, 32, numbers(32, dtype=np.uint8), numbers(96), np.zeros(32, F32))
    near = one(lines, "// bytes", space="shared")
    assert (near.width, near.wavefronts, one(lines, "// bytes", space="global").sectors) == (1, 1, 1)
    triple = one(lines, "// triple")
    assert (triple.width, triple.requests, triple.sectors, triple.ideal_sectors) == (4, 3, 36, 12)


def test_the_nth_time_of_each_lane() -> None:
    line = one(profile("as_many_as_lanes", 1, 32, numbers(1024), np.zeros(32, F32)), "// more and more")
    assert (line.requests, line.lanes) == (31, 31 * 32 // 2)


@pytest.mark.parametrize(("name", "lanes", "sectors"), [
    ("half_before<false>", 48, 2 + 4), ("half_before<true>", 48, 2 + 4), ("half_a_warp_meets", 24, 1 + 2),
])  # fmt: skip
def test_what_comes_after_a_meeting_is_not_what_was_before(name: str, lanes: int, sectors: int) -> None:
    line = one(profile(name, 1, 32, numbers(32), np.zeros(32, F32)), "// called")
    assert (line.requests, line.lanes, line.sectors) == (2, lanes, sectors)


def test_copies_atomics_and_memory_of_other_kinds() -> None:
    program = measured("profile")
    program.variable("factor").view(F32)[:] = [0, 10, 20, 30]
    y = np.zeros(32, F32)
    lines = program["other_memory"].launch(1, 32, (numbers(128), y, I32(1))).lines
    lane = np.arange(32)
    np.testing.assert_array_equal(y, (lane ^ 1) * 4 + 1 + 10 + 2 + lane + 32)
    into, out_of = (one(lines, "// copy", space=space) for space in ("shared", "global"))
    assert (into.access, into.width, into.wavefronts, out_of.access, out_of.sectors) == ("copy", 16, 4, "copy", 16)
    assert one(lines, "// atomic").access == "atomic"
    variable = next(line for line in lines if line.space == "variable")
    local = next(line for line in lines if line.space == "local" and line.text.endswith("// called"))
    assert [(line.lanes, line.sectors, line.wavefronts) for line in (variable, local)] == [(32, 0, 0)] * 2


def test_one_block_or_all() -> None:
    arguments = numbers(96), np.zeros(96, F32), I32(1), I32(70)
    for watched, lanes in ((None, 70), (0, 32), (2, 6), ((1,), 32), ((1, 0), 32)):
        assert one(profile("strided", 3, 32, *arguments, watched=watched), "// apart").lanes == lanes
    for watched in (3, -1, (0, 1), (0, 0, 0, 0), 0.5):
        with pytest.raises(ShapeError, match=r"watched.*a block of the grid \(3, 1, 1\)"):
            profile("strided", 3, 32, *arguments, watched=watched)


@pytest.mark.parametrize(("threads", "times", "meeting", "counted", "left_out"), [
    (1, 2**18 + 100, 0, 2**18, 101),  # one that writes the result
    (64, 2**17 + 100, 0, 2**18 + 200, 0),
    (1, 2**18 + 100, 1, 2**18 + 100, 0),
    (1, 2**18 + 100, 2, 2**18 + 100, 0),
])  # fmt: skip
def test_no_more_is_remembered_than_must_be(threads: int, times: int, meeting: int, counted: int, left_out: int) -> None:
    """What comes to an end, at a meeting or with a warp, makes room."""
    report = measured("profile")["very_often"].launch(1, threads, (numbers(4), np.zeros(2, F32), I32(times), I32(meeting)))
    assert (one(report.lines, "// again").requests, report.left_out) == (counted, left_out)


def test_an_array_by_two_names_is_named_by_the_one_that_may_be_written() -> None:
    x = numbers(32)
    assert {line.array for line in profile("in_place", 1, 32, x, x)} == {"y"}
    np.testing.assert_array_equal(x, numbers(32) + 1)
