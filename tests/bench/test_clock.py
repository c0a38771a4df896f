"""Taking time in turn, by a clock whose time is planted."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from minigrad.bench.clock import TURN, Contender, Load, WallClock, interleave
from tests.bench.planted import MS, FakeClock, contender, samples


def test_contenders_take_turns_and_every_second_round_is_the_other_way_round() -> None:
    clock, log = FakeClock(), []
    measured = interleave([contender(name, clock, lambda: 500.0, log) for name in "ab"], clock, rounds=4, seconds=0.0)
    assert log[2:] == [*"ab", *"ba", *"ab", *"ba"]  # behind a call each that tells the length
    assert {name: each.rounds for name, each in measured.samples.items()} == {"a": [[0.5]] * 4, "b": [[0.5]] * 4}
    assert measured.seconds == pytest.approx(8 * 0.5)
    assert len(measured.canaries) == 5


def test_rounds_go_on_until_the_time_is_spent_or_there_are_ten_times_as_many() -> None:
    for seconds, rounds in ((0.0, 3), (1.9, 10), (1e9, 30)):
        clock, log = FakeClock(), []
        measured = interleave([contender("a", clock, lambda: 200.0, log)], clock, rounds=3, seconds=seconds)
        assert len(measured.samples["a"].rounds) == rounds


def test_a_short_call_is_repeated_in_a_sample_and_the_first_sample_of_a_turn_does_not_count() -> None:
    clock, counts = FakeClock(), []
    first = iter([0.01, 0.01, 0.01])  # by which the length is found

    def prepare(count: int) -> list:
        counts.append(count)
        slow = len(counts) == 2  # the first sample of the first turn

        def call() -> None:
            clock.time += round((next(first, None) or (5.0 if slow else 0.02)) * MS)

        return [call] * count

    measured = interleave([Contender("a", prepare, lambda results: "")], clock, rounds=1, seconds=0.0)
    assert counts[0] == 3
    assert set(counts[1:]) == {20}  # 0.2 ms of 0.01 ms calls
    assert measured.samples["a"].rounds == [[pytest.approx(2e-5)] * 20]


def test_a_turn_of_calls_that_are_not_short_has_as_many_samples_as_fit() -> None:
    for milliseconds, count in ((4.0, 5), (1000 * TURN, 1), (30.0, 1)):
        clock, log = FakeClock(), []
        measured = interleave([contender("a", clock, lambda ms=milliseconds: ms, log)], clock, rounds=2, seconds=0.0)
        assert [len(turn) for turn in measured.samples["a"].rounds] == [count, count]
    clock, log = FakeClock(), []
    measured = interleave([contender("a", clock, lambda: 1.0, log)], clock, rounds=1, seconds=0.0, inner=False, most=3)
    assert [len(turn) for turn in measured.samples["a"].rounds] == [3]


def test_what_a_contender_left_to_the_next_does_not_count() -> None:
    """A call that follows another contender's takes longer: its threads still hold a core, and the cache has other data."""
    clock, log = FakeClock(), []

    def follower(name: str) -> Contender:
        return contender(name, clock, lambda: 45.0 if log[-2:-1] != [name] else 30.0, log)

    measured = interleave([follower("a"), follower("b")], clock, rounds=4, seconds=0.0)
    assert {name: each.rounds for name, each in measured.samples.items()} == {
        "a": [[pytest.approx(0.03)]] * 4,
        "b": [[pytest.approx(0.03)]] * 4,
    }


def test_what_is_very_slow_has_three_turns() -> None:
    clock, log = FakeClock(), []
    both = [contender("slow", clock, lambda: 1500.0, log), contender("a", clock, lambda: 30.0, log)]
    measured = interleave(both, clock, rounds=7, seconds=0.0)
    assert [len(each.rounds) for each in measured.samples.values()] == [3, 7]


def test_preparing_flushing_and_checking_are_off_the_clock_and_nothing_is_collected_on_it() -> None:
    clock, seen = FakeClock(), []

    def prepare(count: int) -> list:
        clock.time += 1000 * MS

        def call() -> str:
            seen.append(gc.isenabled())
            clock.time += 30 * MS
            clock.switches += 2
            return "result"

        return [call] * count

    def check(results: list) -> str:
        assert results == ["result"] and gc.isenabled()
        clock.time += 1000 * MS
        return ""

    def before() -> None:
        clock.time += 1000 * MS

    measured = interleave([Contender("a", prepare, check)], clock, rounds=2, seconds=0.0, before=before)
    assert measured.samples["a"].each == [pytest.approx(0.03)] * 2
    assert measured.samples["a"].interruptions == 8  # in each of two turns a call that does not count, and one that does
    assert seen == [True, True, True, False, False, False, False]  # the first three are no samples


def test_a_wrong_result_ends_the_turns_of_the_one_who_gave_it() -> None:
    clock, log = FakeClock(), []
    good = contender("good", clock, lambda: 30.0, log)
    bad = Contender("bad", good.prepare, lambda results: "wrong")
    measured = interleave([good, bad], clock, rounds=7, seconds=0.0)
    assert measured.samples["bad"].wrong == ["wrong"] and measured.samples["good"].wrong == []
    assert [len(each.rounds) for each in measured.samples.values()] == [7, 1]
    assert len(interleave([bad], clock, rounds=7, seconds=0.0).canaries) == 2


def test_what_other_programs_took() -> None:
    for others, length, expected in ((0.7, 100.0, 0.7), (0.7, 10.0, None)):  # the second is too short to tell
        clock, log = FakeClock(others=others), []
        measured = interleave([contender("a", clock, lambda ms=length: ms, log)], clock, rounds=10, seconds=0.0)
        assert measured.others == (None if expected is None else pytest.approx(expected, rel=1e-6))


def test_progress_is_told_after_each_turn() -> None:
    clock, log, told = FakeClock(), [], []
    both = [contender(name, clock, lambda: 30.0, log) for name in "ab"]
    interleave(both, clock, rounds=3, seconds=0.0, progress=lambda: told.append(len(log)))
    assert len(told) == 6


def test_figures() -> None:
    long = samples(0.010, 0.012, 0.011, 0.014)
    assert (long.median, long.least, long.figure) == (pytest.approx(0.0115), 0.010, pytest.approx(0.0115))
    assert long.repeat == pytest.approx(0.013 / 0.0105 - 1)
    short = samples(0.0010, 0.0022, 0.0011, 0.0020)
    assert short.figure == 0.0010
    assert short.repeat == pytest.approx(1.0)  # least of each half: 0.0010 and 0.0020
    assert samples().each == [] and samples().median != samples().median and samples().spread != samples().spread


def test_the_wall_clock(tmp_path: Path) -> None:
    clock = WallClock()
    start = clock.now()
    assert clock.canary() > 0 and clock.interruptions() >= 0
    assert clock.now() > start
    (tmp_path / "proc").mkdir()
    assert WallClock(tmp_path).load().machine is None
    (tmp_path / "proc/stat").write_text("cpu  100 20 30 999 50 4 5 41 0 0\ncpu0 1 2 3\n")
    load = WallClock(tmp_path).load()
    assert isinstance(load, Load) and load.machine == pytest.approx(2.0)  # 200 steps of 10 ms; idle and waiting left out
    (tmp_path / "proc/stat").write_text("something else\n")
    assert WallClock(tmp_path).load().machine is None
