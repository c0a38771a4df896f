"""The trace mode tells what each thread of a block did: what, where, with which value, and in which order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad.emulator import Place, Report
from minigrad.emulator.steps import Rule, Step, arranged
from minigrad.emulator.trace import Event
from tests.emulator.cuda_programs import F32, I32
from tests.emulator.test_profile import measured, numbers


def trace(name: str, grid: Any, block: Any, *arguments: Any, **more: Any) -> Report:
    return measured("trace")[name].launch(grid, block, arguments, **more)


def told(event: Event) -> str:
    """An event in a few words."""
    who = "all" if event.thread < 0 else str(event.thread)
    if event.kind != "access":
        return f"{who} {event.kind} {event.array}".rstrip()
    element = "".join(f"[{at}]" for at in event.element)
    return f"{who} {event.access} {event.array}{element} {' '.join(f'{value:g}' for value in event.value)}".rstrip()


@pytest.mark.parametrize("order", [0, 1])
def test_all_that_happens_in_the_order_in_which_it_ran(order: int) -> None:
    x = np.array([1, 2, 3, 4], I32)
    report = trace("reverse", 1, 4, x, order=order)
    np.testing.assert_array_equal(x, [40, 30, 20, 10])
    threads = (3, 2, 1, 0) if order else (0, 1, 2, 3)
    wanted = []
    for t in threads:
        wanted += [f"{t} read x[{t}] {t + 1}", f"{t} write s[{t}] {10 * (t + 1)}", f"{t} arrives __syncthreads"]
    wanted.append("all barrier")
    for t in threads:
        wanted += [f"{t} read s[{3 - t}] {10 * (4 - t)}", f"{t} write x[{t}] {10 * (4 - t)}", f"{t} ends"]
    assert [told(event) for event in report.events] == wanted
    assert report.left_out == 0
    read, write, arrives = report.events[:3]
    assert (read.space, write.space, read.width) == ("global", "shared", 4)
    assert read.place == write.place and read.place.text == "s[threadIdx.x] = 10 * x[threadIdx.x];"
    assert arrives.place.line == read.place.line + 1


def test_values_after_each_write_and_meetings_of_a_warp() -> None:
    y = np.zeros(1, F32)
    events = trace("warp_sums", 1, 32, numbers(32), y, shared=128).events
    of_three = [told(event) for event in events if event.thread == 3 and event.kind != "warp"]
    assert of_three == [
        "3 read x[3] 3", "3 arrives a shuffle", "3 write y[0] 5", "3 write sums[3] 5", "3 write y[0] 4", "3 ends",
    ]  # fmt: skip
    (met,) = [event for event in events if event.kind == "warp"]
    assert (met.thread, met.lanes) == (0, 2**32 - 1)


def test_vectors_tiles_copies_and_atomics() -> None:
    events = trace("through_shared<float4>", 1, 32, numbers(128), np.zeros(128, F32), I32(2)).events
    assert [told(event) for event in events if event.thread == 1 and event.kind == "access"] == [
        "1 read x[4] 4 5 6 7", "1 write s[2][0] 4 5 6 7", "1 read s[2][0] 4 5 6 7", "1 write y[4] 4 5 6 7",
    ]  # fmt: skip
    events = trace("transpose<33>", 1, (32, 8), numbers(32, 32), np.zeros((32, 32), F32)).events
    assert "69 write tile[2][5] 69" in {told(event) for event in events}
    events = trace("other_memory", 1, 32, numbers(128), np.zeros(32, F32), I32(1)).events
    of_two = [told(event) for event in events if event.thread == 2 and event.kind == "access"]
    assert of_two[:3] == ["2 read x[8] 8 9 10 11", "2 copy tile[2][0] 8 9 10 11", "2 atomic count[0] 3"]
    assert [event.space for event in events if event.thread == 2].count("local") == 0
    assert [event.value for event in events if event.space == "variable"] == [()] * 32


def test_another_block_and_a_limit() -> None:
    arguments = numbers(96), np.zeros(96, F32), I32(1), I32(70)
    whole = trace("strided", 3, 32, *arguments, watched=2)
    assert [told(event) for event in whole.events][:2] == ["0 read x[64] 64", "0 read x[0] 0"]
    assert len(whole.events) == 6 * 3 + 32 and whole.left_out == 0
    cut = trace("strided", 3, 32, *arguments, watched=2, most_events=5)
    assert cut.events == whole.events[:5] and cut.left_out == 45
    assert {event.thread for event in trace("strided", 3, 32, *arguments).events} == set(range(32))


def test_what_was_done_before_a_fault_is_told() -> None:
    with_null = trace("in_place", 1, 2, None, numbers(2), raise_findings=False)
    assert [finding.kind for finding in with_null.findings] == ["crash"]
    assert [told(event) for event in with_null.events] == ["0 read x[0] 0", "0 write variable"]


def test_a_barrier_of_the_grid() -> None:
    from tests.emulator.cuda_programs import CLEAN, clean, run

    kernel, case = CLEAN["rotate"]
    launch, _, _ = case()
    events = run(clean("trace")[kernel], launch).events
    assert [told(event) for event in events if event.thread in (0, -1)][:8] == [
        "0 read x[1] -0.132105", "0 write kept[0] -0.132105", "0 arrives grid_sync", "all grid", "0 read kept[0] -0.132105",
        "0 write x[0] 0.867895", "0 arrives grid_sync", "all grid",
    ]  # fmt: skip


MEASURED: dict[str, tuple[str, Any, Any, tuple[Any, ...]]] = {
    "columns": ("transpose<32>", 1, (32, 8), (numbers(32, 32), np.zeros((32, 32), F32))),
    "padded columns": ("transpose<33>", 1, (32, 8), (numbers(32, 32), np.zeros((32, 32), F32))),
    "doubles": ("through_shared<double>", 1, 32, (np.zeros(128), np.zeros(128), I32(2))),
    "vectors": ("through_shared<float4>", 1, 32, (numbers(128), np.zeros(128, F32), I32(2))),
    "apart": ("strided", 1, 70, (numbers(560), np.zeros(70, F32), I32(8), I32(70))),
    "loops of their own length": ("as_many_as_lanes", 1, 32, (numbers(1024), np.zeros(32, F32))),
    "before a meeting": ("half_before<true>", 1, 32, (numbers(32), np.zeros(32, F32))),
}


@pytest.mark.parametrize("name", MEASURED)
def test_steps_cost_what_the_profile_counts(name: str) -> None:
    kernel, grid, block, arguments = MEASURED[name]
    steps = [step for step in arranged(trace(kernel, grid, block, *arguments).events) if isinstance(step, Step)]
    found: dict[tuple[Any, ...], list[int]] = {}
    for step in steps:
        if step.access == "meets":
            continue
        total = found.setdefault((step.place, step.access, step.array), [0, 0])
        total[:] = [a + b for a, b in zip(total, step.cost(), strict=True)]
    wanted: dict[tuple[Any, ...], list[int]] = {}
    for line in measured("profile")[kernel].launch(grid, block, arguments).lines:
        total = wanted.setdefault((line.place, line.access, line.array), [0, 0])
        total[0] += line.sectors + line.wavefronts
        total[1] += line.ideal_sectors + line.ideal_wavefronts
    assert found == wanted


def test_steps_stand_in_every_threads_own_order() -> None:
    events = trace("transpose<33>", 1, (32, 8), numbers(32, 32), np.zeros((32, 32), F32)).events
    steps = arranged(events)
    (barrier,) = [at for at, step in enumerate(steps) if isinstance(step, Rule)]
    assert steps[barrier] == Rule("__syncthreads", (steps[barrier].places[0],), 256)
    assert [step.array for step in steps[:barrier]] == ["x", "tile"] * 4
    assert [step.array for step in steps[barrier + 1 :]] == ["tile", "y"] * 4
    for thread in (0, 37, 255):
        own = [event for event in events if event.thread == thread and event.kind == "access"]
        assert [step.events[thread] for step in steps if isinstance(step, Step)] == own


def test_threads_that_went_other_ways_and_meetings_of_a_warp() -> None:
    place = [Place("a.cu", line, "") for line in range(5)]

    def went(thread: int, *lines: int) -> list[Event]:
        return [Event("access", place[line], thread, "read", "global", "x", width=4) for line in lines]

    met = Event("arrives", place[4], 2, array="a vote")
    steps = arranged([*went(0, 1, 2, 3), *went(1, 1, 3, 2), *went(2, 2, 2), met])
    told = [(step.place.line, step.access, sorted(step.events)) for step in steps if isinstance(step, Step)]
    assert told == [(1, "read", [0, 1]), (2, "read", [0, 2]), (2, "read", [2]), (4, "meets", [2]), (3, "read", [0, 1]),
                    (2, "read", [1])]  # fmt: skip
