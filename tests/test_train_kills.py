"""A training that is killed without warning, at random and in the midst of each write, and that runs out of disk."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from minigrad.errors import RunError
from minigrad.train import Run
from tests.small_disk import small_disk
from tests.train_tasks import LARGE, SHORT, Countdown, Duel, DuelSettings, at_each_write, traces, train

ROOT = Path(__file__).resolve().parents[1]


def script(*words: Any) -> dict[str, Any]:
    """What a process of its own tells at its end."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.train_tasks", *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


KILLS = {"duel": 20, "text": 4, "handwriting": 3, "translate": 3, "gan": 3, "detect": 3}
SAMPLES = {"duel": [], "detect": ["samples.png"], "gan": ["samples.png", "samples.txt"]}  # of the others one of text


@pytest.mark.parametrize(("task", "kills"), KILLS.items())
def test_killed_at_random_moments(task: str, kills: int, tmp_path: Path) -> None:
    """Where each step writes a checkpoint that takes its time."""
    told = script("kill", tmp_path, 1, kills, task)
    assert told["kills"] == kills
    expected = traces(tmp_path / "whole")
    assert len(expected["metrics.jsonl"].splitlines()) > LARGE.steps
    assert sorted(name for name in expected if name.startswith("samples")) == SAMPLES.get(task, ["samples.txt"])
    for number in range(told["runs"]):
        assert traces(tmp_path / str(number)) == expected


def test_killed_at_each_event_of_writing(tmp_path: Path) -> None:
    """With half of each file written, before each flush to the disk and before each renaming."""
    events = script("inject", tmp_path)["events"]
    expected = traces(tmp_path / str(events))
    for number in range(events):
        assert traces(tmp_path / str(number)) == expected, number
    seen: list[str] = []
    with at_each_write(seen.append):
        train(tmp_path / "here", Duel(SHORT))
    assert len(seen) == events
    assert set(seen) == {"half written", "fsync", "replace"}
    assert traces(tmp_path / "here") == expected


@contextmanager
def started(*words: Any) -> Iterator[subprocess.Popen]:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.train_tasks", "train", *map(str, words)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


ENDLESS = ("steps=1000000", "evaluate_every=5", "save_every=1000000")


def evaluated(child: subprocess.Popen) -> str:
    """Wait for a child's first evaluation."""
    return child.stdout.readline()  # type: ignore[union-attr]


def test_a_process_of_its_own(tmp_path: Path) -> None:
    """Interrupted by Ctrl-C it tells so; while it runs no second one may; one that is killed leaves no lock."""
    task = Duel(DuelSettings.parse(ENDLESS))
    with started(tmp_path / "run", *ENDLESS) as child:
        assert evaluated(child).startswith("step       5/1000000")
        with pytest.raises(RunError, match=f"expected a folder in which no other process trains, got process {child.pid}"):
            train(tmp_path / "run", task)
        child.send_signal(signal.SIGINT)
        told, errors = child.communicate()
        assert (child.returncode, errors) == (0, "")
    status, step, _, best_step, number = json.loads(told.splitlines()[-1])
    assert (status, number) == ("interrupted", signal.SIGINT)
    assert step >= 5 and best_step % 5 == 0
    with started(tmp_path / "run", *ENDLESS) as child:
        assert evaluated(child) == f"Going on from step {step} of 1000000.\n"
        evaluated(child)
        child.kill()
        child.communicate()
    with Run(tmp_path / "run") as run:
        assert run.held
    assert not [path for path in (tmp_path / "run").rglob("*") if path.name.endswith(".tmp")]


def test_two_signals_to_a_process(tmp_path: Path) -> None:
    with started(tmp_path / "run", *ENDLESS) as child:
        evaluated(child)
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGTERM)
        child.communicate()
        assert child.returncode in (0, -signal.SIGTERM)  # 0: it was done with the first before the second came


# ---------------------------------------------------------------------- no room, no leave


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_each_write_that_fails_is_told(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step of each write in turn; whatever it is, nothing is half-written, and the run goes on when there is room."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    train(tmp_path / "whole", Duel(SHORT))
    expected = traces(tmp_path / "whole")
    told = set()
    for event in range(1000):
        place = tmp_path / str(event)
        refused = Countdown(event, lambda: refuse(number))
        try:
            with at_each_write(refused):
                train(place, Duel(SHORT))
        except RunError as error:
            told.add(error.expected)
            assert error.got == os.strerror(number)
            begun = (place / "config.json").exists()
            assert error.remedy.endswith(f"minigrad resume {place}" if begun else "Choose another folder with --out")
            assert begun or not place.exists()
            assert not list(tmp_path.rglob("*.tmp"))
        if refused.calls <= event:
            break
        train(place, Duel(SHORT))
        assert traces(place) == expected
    writes = ("config.json", "metrics.jsonl", "timing.jsonl", "the best model", "a checkpoint", "the report")
    assert told == {f"room and leave to write {what}" for what in writes}


def refuse(number: int) -> None:
    raise OSError(number, os.strerror(number))


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """A small one, where one may be mounted, else a limit on the size of files; there is room for less, then for more."""
    settings = DuelSettings(steps=6, evaluate_every=3, ballast=1000)
    train(tmp_path / "whole", Duel(settings))
    expected = traces(tmp_path / "whole")
    told = set()
    with small_disk(tmp_path / "disk", 400) as there:
        for room in range(4, 80, 8):
            place = tmp_path / "disk" / str(room)
            if there:
                (tmp_path / "disk" / "others").write_bytes(bytes((400 - room) * 1024))
                try:
                    train(place, Duel(settings))
                except RunError as error:
                    told.add(str(error))
                (tmp_path / "disk" / "others").unlink()
            else:
                told.add(script("limited", place, room * 256, *settings_words(settings))["error"])
            train(place, Duel(settings))
            assert traces(place) == expected
            shutil.rmtree(place)
    told -= {""}
    assert len(told) > 3
    assert all("No space left on device" in words or "File too large" in words for words in told)


def settings_words(settings: DuelSettings) -> list[str]:
    return [f"{name}={value}" for name, value in settings.to_dict().items() if value not in (None, "")]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_may_not_be_written_to(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a superuser no rights bind, so that the system's answer is given in its place."""
    (tmp_path / "there").mkdir()

    def mkdir(path: Path, *rest: Any, **options: Any) -> None:
        refuse(number)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", mkdir)
        words = f"expected a folder that can be written to, got {os.strerror(number)}. Choose another folder with --out"
        for place in (tmp_path / "a" / "b", tmp_path / "there"):
            with pytest.raises(RunError, match=words):
                train(place, Duel(SHORT))
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_disk_that_is_read_only(tmp_path: Path) -> None:
    """A run on one is neither begun nor gone on with, where one can be mounted; nor in a file in place of a folder."""
    with small_disk(tmp_path / "disk", 400) as there:
        run = tmp_path / "disk" / "run"
        train(run, Duel(SHORT))
        expected = traces(run)
        if there:
            subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "disk")], check=True)
            for place in (run, tmp_path / "disk" / "new"):
                with pytest.raises(RunError, match="Read-only file system"):
                    train(place, Duel(SHORT))
        assert traces(run) == expected
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(RunError, match=r"expected a folder that can be written to, got (File exists|Not a directory)"):
            train(place, Duel(SHORT))
