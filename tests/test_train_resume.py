"""A training that is broken off, at whatever moment and however, goes on as if nothing had happened: byte for byte."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import minigrad
from minigrad.train import Outcome
from tests.train_tasks import Countdown, Duel, DuelSettings, traces, train

NEVER = 1e9
SHORT = {"steps": 7, "evaluate_every": 3}
CASES: dict[str, dict[str, Any]] = {
    "checkpoints at evaluations": {**SHORT, "save_every": NEVER},
    "rollbacks": {**SHORT, "save_every": NEVER, "roll_back": "6,7"},
    "an early stop": {**SHORT, "save_every": NEVER, "patience": 1, "gaps": "1,2"},
    "rows over several steps": {**SHORT, "save_every": 0, "log_every": 2},
}


class Broken(BaseException):
    """Stands for a death of the process: nothing that follows is done."""


def break_off() -> None:
    raise Broken


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def make(settings: dict[str, Any], hook: Callable[..., None] = lambda what, step: None, kind: type[Duel] = Duel) -> Duel:
    task = kind(DuelSettings(**settings))
    task.hook = hook
    return task


def whole(folder: Path, settings: dict[str, Any], kind: type[Duel] = Duel) -> tuple[dict[str, Any], int]:
    """What a training leaves that is not broken off, and how many moments it has at which it could have been."""
    moments = Countdown(-1, break_off)
    train(folder, make(settings, moments, kind))
    return traces(folder), moments.calls


def differing_after_breaks(folder: Path, settings: dict[str, Any], stride: int = 1) -> dict[int, list[str]]:
    """Break a training off at each moment that it has, or at every so manieth; by moment, what then came out otherwise."""
    expected, moments = whole(folder / "whole", settings)
    found = {}
    for moment in range(0, moments, stride):
        place = folder / str(moment)
        with pytest.raises(Broken):
            train(place, make(settings, Countdown(moment, break_off)))
        train(place, make(settings))
        got = traces(place)
        if got != expected:
            found[moment] = [name for name in expected if got[name] != expected[name]]
    return found


@pytest.mark.parametrize("case", CASES)
def test_broken_off_at_any_moment(case: str, tmp_path: Path) -> None:
    assert differing_after_breaks(tmp_path, CASES[case]) == {}


def test_the_cases_are_what_they_say(tmp_path: Path) -> None:
    """Rollbacks, an early stop, and rows of more than one step: else the test above shows less than it says."""
    rows = {}
    for case, settings in CASES.items():
        outcome = train(tmp_path / case, make(settings))
        rows[case] = [json.loads(line) for line in (tmp_path / case / "metrics.jsonl").read_text().splitlines()]
        assert outcome.status == ("stopped early" if "patience" in settings else "finished")
    assert [row["to"] for row in rows["rollbacks"] if "rollback" in row] == [3, 6]
    assert [row["step"] for row in rows["an early stop"] if "val/gap" in row] == [3, 6]
    assert [row["step"] for row in rows["rows over several steps"] if "val/gap" not in row] == [2, 3, 4, 6, 7]


def test_broken_off_again_and_again(tmp_path: Path) -> None:
    """After a few moments of each life, with threads that read ahead."""
    settings = {"steps": 12, "evaluate_every": 5, "save_every": 0, "roll_back": "10", "workers": 2}
    expected, _ = whole(tmp_path / "whole", settings)
    draw, lives = random.Random(1), 0
    while True:
        lives += 1
        try:
            train(tmp_path / "run", make(settings, Countdown(draw.randrange(2, 9), break_off)))
            break
        except Broken:
            continue
    assert lives > 5
    assert traces(tmp_path / "run") == expected


# ---------------------------------------------------------------------- Ctrl-C and a polite kill


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment(number: signal.Signals, tmp_path: Path) -> None:
    settings = {**SHORT, "save_every": NEVER, "roll_back": "6", "log_every": 2}
    expected, moments = whole(tmp_path / "whole", settings)
    statuses = set()
    for moment in range(moments) if number == signal.SIGINT else range(moments - 1, 0, -5):
        place = tmp_path / str(moment)
        before = [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)]
        outcome = train(place, make(settings, Countdown(moment, lambda: signal.raise_signal(number))))
        assert before == [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)]
        statuses.add(outcome.status)
        if outcome.status == "interrupted":
            assert outcome.signal == number
            heard: list[str] = []
            outcome = train(place, make(settings), say=heard.append)
            assert heard[0].startswith("Going on from step ")
        assert outcome == Outcome("finished", 7, outcome.best, outcome.best_step)
        assert traces(place) == expected
    assert statuses == {"interrupted", "finished"}  # one that comes after the last evaluation lets it finish


def test_a_signal_is_granted_after_the_step(tmp_path: Path) -> None:
    task = make({**SHORT, "save_every": NEVER})
    task.hook = lambda what, step: signal.raise_signal(signal.SIGINT) if (what, step) == ("batch", 2) else None
    outcome = train(tmp_path / "run", task)
    assert outcome == Outcome("interrupted", 3, None, 0, signal.SIGINT)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["00000001.safetensors"]


def test_an_evaluation_is_not_begun_after_a_signal(tmp_path: Path) -> None:
    seen: list[str] = []

    def hook(what: str, step: int) -> None:
        seen.append(what)
        if (what, step) == ("step", 3):
            signal.raise_signal(signal.SIGTERM)

    assert train(tmp_path / "run", make(SHORT, hook)).status == "interrupted"
    assert "evaluate" not in seen


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    task = make({**SHORT, "save_every": NEVER})

    def twice(what: str, step: int) -> None:
        if (what, step) == ("batch", 5):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    task.hook = twice
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", task)
    expected, _ = whole(tmp_path / "whole", {**SHORT, "save_every": NEVER})
    train(tmp_path / "run", make({**SHORT, "save_every": NEVER}))
    assert traces(tmp_path / "run") == expected


def test_a_signal_that_was_ignored_stays_ignored(tmp_path: Path) -> None:
    kept = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        outcome = train(tmp_path, make(SHORT, Countdown(3, lambda: signal.raise_signal(signal.SIGINT))))
    finally:
        signal.signal(signal.SIGINT, kept)
    assert outcome.status == "finished"


def test_in_another_thread(tmp_path: Path) -> None:
    """Where Python hands signals to the main thread only, and the numbers are the same."""
    expected, _ = whole(tmp_path / "whole", SHORT)
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(train(tmp_path / "run", make(SHORT))))
    thread.start()
    thread.join()
    assert outcomes[0].status == "finished"
    assert traces(tmp_path / "run") == expected


# ---------------------------------------------------------------------- equal runs


def test_two_runs_are_equal_and_threads_change_nothing(tmp_path: Path) -> None:
    first, _ = whole(tmp_path / "a", SHORT)
    again, _ = whole(tmp_path / "b", SHORT)
    assert first == again
    threads, _ = whole(tmp_path / "c", {**SHORT, "workers": 3})
    differ = {name for name in first if first[name] != threads[name]}
    assert differ == {"config.json", "state"}  # which name the setting, and its digest
    assert whole(tmp_path / "d", {**SHORT, "seed": 1})[0]["metrics.jsonl"] != first["metrics.jsonl"]


def test_how_often_is_saved_changes_nothing(tmp_path: Path) -> None:
    seldom, _ = whole(tmp_path / "a", {**SHORT, "save_every": NEVER, "log_every": 3})
    often, _ = whole(tmp_path / "b", {**SHORT, "save_every": 0, "log_every": 3})
    assert seldom["metrics.jsonl"] == often["metrics.jsonl"]
    assert seldom["model.safetensors"] == often["model.safetensors"]


def test_a_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    expected, _ = whole(tmp_path, SHORT)
    (tmp_path / "report.html").unlink()
    outcome = train(tmp_path, make(SHORT))
    assert outcome.status == "finished"
    assert traces(tmp_path) == expected
    assert (tmp_path / "report.html").exists()


def test_only_timing_has_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a world in which time runs otherwise, all else is equal."""
    expected, _ = whole(tmp_path / "a", {**SHORT, "save_every": NEVER})
    ticks = iter(range(0, 1_000_000, 7))
    monkeypatch.setattr("minigrad.train.loop.time.monotonic", lambda: float(next(ticks)))
    got, _ = whole(tmp_path / "b", {**SHORT, "save_every": NEVER})
    assert got == expected
    assert (tmp_path / "a" / "timing.jsonl").read_text() != (tmp_path / "b" / "timing.jsonl").read_text()
    rows = [json.loads(line) for line in (tmp_path / "b" / "timing.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [3, 6, 7]
    assert all(row.keys() == {"step", "seconds", "tokens_per_second"} for row in rows)
    assert rows[0]["tokens_per_second"] == round(48 / rows[0]["seconds"], 1)


# ---------------------------------------------------------------------- the check is checked


class ForgetsAPart(Duel):
    """Has a part that is not in its state."""

    forgotten = ""

    def state(self) -> Any:
        return {name: part for name, part in super().state().items() if name != self.forgotten}


class ForgetsTheNetworks(ForgetsAPart):
    forgotten = "up"


class ForgetsThePlace(ForgetsAPart):
    forgotten = "loader"


class ForgetsWhatIsCarried(ForgetsAPart):
    forgotten = "carried"


class ForgetsTheSchedule(Duel):
    def __init__(self, settings: DuelSettings) -> None:
        super().__init__(settings)
        self.up._parts = lambda: {"module": self.critic, "optimizer": self.up.optimizer}  # type: ignore[method-assign]


class ForgetsTheAverage(Duel):
    def __init__(self, settings: DuelSettings) -> None:
        super().__init__(settings)
        self.down._parts = lambda: {"module": self.maker, "optimizer": self.down.optimizer}  # type: ignore[method-assign]


class DrawsElsewhere(Duel):
    """Noise from a generator that nobody saves."""

    def __init__(self, settings: DuelSettings) -> None:
        super().__init__(settings)
        self.own = minigrad.Generator().manual_seed(0)

    def make(self, maker: Any, count: int) -> Any:
        return super().make(maker, count) + 0.01 * minigrad.rand(1, generator=self.own)


class ChangesInEvaluation(Duel):
    """Learns a little where it must not."""

    def evaluate(self, track: Any) -> Any:
        self.carried.hidden = self.carried.hidden + 0.1
        return super().evaluate(track)


PLANTED = (
    *(ForgetsTheNetworks, ForgetsThePlace, ForgetsWhatIsCarried, ForgetsTheSchedule, ForgetsTheAverage),
    *(DrawsElsewhere, ChangesInEvaluation),
)


@pytest.mark.parametrize("kind", (Duel, *PLANTED), ids=lambda kind: kind.__name__)
def test_a_forgotten_part_is_found(kind: type[Duel], tmp_path: Path) -> None:
    """By signals in the midst of the first evaluation and after it."""
    settings = {"steps": 12, "evaluate_every": 6, "save_every": NEVER}
    expected, _ = whole(tmp_path / "whole", settings, kind)
    found = False
    for what, step in (("evaluate", 6), ("batch", 6)):
        task = make(settings, kind=kind)
        task.hook = lambda *now, moment=(what, step): signal.raise_signal(signal.SIGINT) if now == moment else None
        assert train(tmp_path / what, task).status == "interrupted"
        train(tmp_path / what, make(settings, kind=kind))
        found = found or traces(tmp_path / what)["metrics.jsonl"] != expected["metrics.jsonl"]
    assert found == (kind is not Duel)


def test_the_loop_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random numbers that are not put back are found, as are sums that are not."""
    settings = CASES["rows over several steps"]
    with monkeypatch.context() as patched:
        patched.setattr(minigrad, "set_rng_state", lambda state: None)
        assert differing_after_breaks(tmp_path / "random", settings, stride=5)
    with monkeypatch.context() as patched:
        real = minigrad.load

        def forgetful(path: Any) -> Any:
            content = real(path)
            if "place" in content:
                content["place"] |= {"sums": {}, "counts": {}}
            return content

        patched.setattr(minigrad, "load", forgetful)
        assert differing_after_breaks(tmp_path / "sums", settings, stride=5)


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        yield json.loads(line)


def test_no_row_is_lost_or_doubled(tmp_path: Path) -> None:
    whole(tmp_path, {"steps": 30, "evaluate_every": 10, "log_every": 4})
    rows = list(lines(tmp_path))
    steps = [row["step"] for row in rows if any(name.startswith("train/") for name in row)]
    assert steps == [4, 8, 10, 12, 16, 20, 24, 28, 30]
    assert [row["step"] for row in rows if "val/gap" in row] == [10, 20, 30]
    assert all(row.keys() >= {"step", "tokens"} for row in rows)
