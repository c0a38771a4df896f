"""Run folders: whose they are, what is damaged in them, and what is refused, in words."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import minigrad
from minigrad.errors import FileFormatError, RunError, StateError
from minigrad.train import Run, fit
from minigrad.train.checkpoints import Checkpoints
from minigrad.train.journal import Journal
from minigrad.train.lock import Lock
from minigrad.train.runs import differences, digest, free_name
from tests.train_tasks import Countdown, Duel, DuelSettings, traces, train

SETTINGS = DuelSettings(steps=6, evaluate_every=3, save_every=1e9)


class Broken(BaseException):
    pass


def break_off() -> None:
    raise Broken


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole")
    train(folder, Duel(SETTINGS))
    return traces(folder)


def finished(folder: Path) -> list[Path]:
    """A run that is finished, and its checkpoints, the older first."""
    train(folder, Duel(SETTINGS))
    return sorted((folder / "checkpoints").glob("0*.safetensors"))


def refusal(folder: Path, task: Duel | None = None) -> str:
    """The words with which going on is refused; nothing is changed by it."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "run.lock"}
    with pytest.raises(RunError) as caught:
        train(folder, task or Duel(SETTINGS))
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "run.lock"}
    assert before == after
    return str(caught.value)


# ---------------------------------------------------------------------- damaged checkpoints


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(share: float) -> Callable[[Path], None]:
    def flipped(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[int(share * (len(content) - 1))] ^= 0x10
        path.write_bytes(content)

    return flipped


def foreign(path: Path) -> None:
    save_file({"format": np.ones(3, np.float32)}, path)


def of_another_kind(path: Path) -> None:
    minigrad.save(minigrad.nn.Linear(2, 2).state_dict(), path)


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"format": 1}))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


DAMAGES = {
    "cut in half": cut,
    "emptied": empty,
    **{f"a bit flipped at {share:.0%}": flip(share) for share in (0, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 1)},
    "a file of others": foreign,
    "a file of another kind": of_another_kind,
    "a pickle": pickled,
    "noise": noise,
    "a folder": folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over(damage: str, tmp_path: Path, expected: dict[str, Any]) -> None:
    _, newest = finished(tmp_path)
    DAMAGES[damage](newest)
    heard: list[str] = []
    outcome = train(tmp_path, Duel(SETTINGS), say=heard.append)
    assert heard[0].startswith(f"The checkpoint {newest.name} is damaged: ")
    assert heard[0].endswith(". Going on from the one before.")
    assert heard[1] == "Going on from step 3 of 6."
    assert outcome.status == "finished"
    assert traces(tmp_path) == expected
    assert newest.with_suffix(".damaged").exists()  # nothing is lost, not even this


def test_all_damaged(tmp_path: Path) -> None:
    for path in finished(tmp_path):
        cut(path)
    for _ in range(2):  # asked again it says the same, and does not begin anew
        words = refusal(tmp_path)
        assert "expected one whole checkpoint, got 2, all damaged (00000002.safetensors: " in words
        assert words.endswith("Put back a copy of one, or train anew.")


def test_files_that_only_look_like_checkpoints(tmp_path: Path, expected: dict[str, Any]) -> None:
    finished(tmp_path)
    for name in ("x.safetensors", "\u00b2.safetensors", "-1.safetensors", "00000009.txt", "00000009.damaged"):
        (tmp_path / "checkpoints" / name).write_text("nothing")
    train(tmp_path, Duel(SETTINGS))
    (tmp_path / "checkpoints" / "\u00b2.safetensors").unlink()
    assert traces(tmp_path) == expected


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = minigrad.load(path)
    change(content)
    minigrad.save(content, path)


def test_the_checkpoint_of_another_run(tmp_path: Path) -> None:
    _, newest = finished(tmp_path / "a")
    train(tmp_path / "b", Duel(DuelSettings(steps=6, evaluate_every=3, lr=0.1)))
    newest.write_bytes((tmp_path / "b" / "checkpoints" / newest.name).read_bytes())
    words = refusal(tmp_path / "a")
    assert "expected a checkpoint that belongs to this run's config.json, got one of another task, architecture" in words


def test_the_checkpoint_of_a_later_minigrad(tmp_path: Path) -> None:
    _, newest = finished(tmp_path)
    rewritten(newest, lambda content: content.update(format=7))
    assert "expected format 1, got format 7. Take the version of minigrad that wrote it." in refusal(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content["state"].pop("carried"), "the parts up, down, loader, ballast in place of up, down, loader"),
        (lambda content: content["state"]["up"].pop("schedule"), "expected the parts module, optimizer, schedule"),
        (lambda content: content["state"]["up"]["module"].pop("0.weight"), "0.weight"),
        (lambda content: content["place"].update(steps=3), "unexpected keyword argument 'steps'"),
        (lambda content: content.update(place=3), "expected a checkpoint that fits the task"),
        (lambda content: content.update(random=3), "expected 24 numbers of dtype uint8"),
        (lambda content: content.update(state=None), "expected a checkpoint that fits the task"),
    ],
)
def test_a_state_that_does_not_fit(change: Any, words: str, tmp_path: Path) -> None:
    """As one of a task whose code has changed since."""
    _, newest = finished(tmp_path)
    rewritten(newest, change)
    assert words in refusal(tmp_path)


def test_a_missing_model_is_told_at_the_end(tmp_path: Path) -> None:
    finished(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileFormatError, match=r"model\.safetensors"):
        train(tmp_path, Duel(SETTINGS))


# ---------------------------------------------------------------------- rollbacks and damage


def test_a_rollback_after_going_on_from_an_older_checkpoint(tmp_path: Path) -> None:
    """It leads to the state that was accepted, whichever checkpoint the process began with."""
    settings = DuelSettings(steps=9, evaluate_every=3, save_every=0, roll_back="6")
    train(tmp_path / "whole", Duel(settings))
    moments = Countdown(-1, break_off)
    task = Duel(settings)
    task.hook = moments
    train(tmp_path / "count", task)
    for moment in range(moments.calls // 3, moments.calls, 3):
        place = tmp_path / str(moment)
        task = Duel(settings)
        task.hook = Countdown(moment, break_off)
        with pytest.raises(Broken):
            train(place, task)
        cut(max((place / "checkpoints").glob("0*.safetensors")))
        train(place, Duel(settings))
        assert traces(place) == traces(tmp_path / "whole"), moment


def test_a_damaged_state_to_go_back_to(tmp_path: Path) -> None:
    settings = DuelSettings(steps=6, evaluate_every=3, roll_back="6")
    task = Duel(settings)
    task.hook = lambda what, step: cut(tmp_path / "checkpoints" / "accepted.safetensors") if step == 5 else None
    with pytest.raises(FileFormatError, match=r"accepted\.safetensors: expected a whole safetensors file"):
        train(tmp_path, task)


# ---------------------------------------------------------------------- the journal


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_text(""), "others"),
        (lambda path: path.write_text(path.read_text().replace("1", "2", 1)), "others"),
        (lambda path: path.write_text(path.read_text()[:-1]), "others"),
        (lambda path: path.write_text("\n" + path.read_text()), "others"),
    ],
)
def test_metrics_that_were_changed(change: Callable[[Path], Any], got: str, tmp_path: Path) -> None:
    finished(tmp_path)
    change(tmp_path / "metrics.jsonl")
    words = refusal(tmp_path)
    assert "metrics.jsonl: expected the " in words
    assert words.endswith(f" written, got {got}. Put back a copy; the file must not be changed while the run goes on.")


def test_rows_after_the_checkpoint_go(tmp_path: Path, expected: dict[str, Any]) -> None:
    finished(tmp_path)
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 7}\n{"st')
    train(tmp_path, Duel(SETTINGS))
    assert traces(tmp_path) == expected


def test_a_line_of_timing_that_was_cut_short(tmp_path: Path) -> None:
    task = Duel(SETTINGS)
    task.hook = Countdown(13, break_off)
    with pytest.raises(Broken):
        train(tmp_path, task)
    with open(tmp_path / "timing.jsonl", "a") as file:
        file.write('{"step": 6, "sec')
    train(tmp_path, Duel(SETTINGS))
    assert [row["step"] for row in Run(tmp_path).timing.rows()] == [3, 6]


def test_without_a_checkpoint_it_begins_anew_and_says_so(tmp_path: Path, expected: dict[str, Any]) -> None:
    task = Duel(SETTINGS)
    task.hook = Countdown(3, break_off)
    with pytest.raises(Broken):
        train(tmp_path, task)
    heard: list[str] = []
    train(tmp_path, Duel(SETTINGS), say=heard.append)
    assert heard[0] == "There is no checkpoint yet. Beginning anew."
    assert traces(tmp_path) == expected


@pytest.mark.parametrize("reported", [True, False])
def test_a_run_whose_checkpoints_were_removed_is_not_written_over(reported: bool, tmp_path: Path) -> None:
    for path in finished(tmp_path):
        path.unlink()
    (tmp_path / "checkpoints/accepted.safetensors").unlink(missing_ok=True)
    if not reported:
        (tmp_path / "report.html").unlink()
    assert "expected the checkpoints that were there, got none, after 2 evaluations. Put back a copy" in refusal(tmp_path)


@pytest.mark.parametrize("line", ["nonsense", "[1]", "1", "[" * 100_000, ""])
def test_a_row_that_is_none(line: str, tmp_path: Path) -> None:
    (tmp_path / "rows").write_text('{"step": 1}\n' + line + "\n")
    with pytest.raises(RunError, match="expected a JSON object in line 2, got "):
        list(Journal(tmp_path / "rows").rows())


def test_a_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "rows")
    assert list(journal.rows()) == []
    journal.cut()
    journal.mend()
    assert not journal.path.exists()
    first = journal.place()
    journal.append({"a": 0.1, "b": "\u00e9", "c": None})
    second = journal.place()
    journal.append({"a": 1e-300})
    with open(tmp_path / "rows", "ab") as file:
        file.write(b'{"a": ')
    assert list(journal.rows()) == [{"a": 0.1, "b": "\u00e9", "c": None}, {"a": 1e-300}]
    other = Journal(tmp_path / "rows")
    other.cut(second)
    other.append({"a": 2})
    assert (tmp_path / "rows").read_text().splitlines() == ['{"a": 0.1, "b": "\\u00e9", "c": null}', '{"a": 2}']
    other.cut(first)
    assert (tmp_path / "rows").read_bytes() == b""
    assert other.place() == first
    with pytest.raises(ValueError, match="not JSON compliant"):
        other.append({"a": float("nan")})


# ---------------------------------------------------------------------- config.json


def test_a_config_comes_back_as_it_was(tmp_path: Path) -> None:
    """A name of a file that is no text too."""
    config = {"task": "t", "data": "caf\u00e9 \udcff \u732b", "n": [1, 2.5, None, True], "settings": {"lr": 1e-05}}
    with Run(tmp_path / "run") as run:
        run.begin(config)
        assert run.config() == config
    assert Run(tmp_path / "run").config() == config
    assert "caf\u00e9 \\udcff \u732b" in (tmp_path / "run" / "config.json").read_text(encoding="utf-8")
    assert digest(config) == digest(dict(reversed(config.items())))


NESTED = '{"format": 1, "task": "t", "a": ' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "a config.json that cannot be read"),
        (b'{"format": 1, "task": "t', "a config.json that cannot be read"),
        (b"\xff\xfe\x00", "a config.json that cannot be read"),
        (NESTED.encode(), "a config.json that cannot be read"),
        (b'{"format": 1, "task": "t", "a": NaN}', "a config.json that cannot be read"),
        (b'{"format": 1, "task": "t", "a": ' + b"9" * 10_000 + b"}", "a config.json that cannot be read"),
        (b"[1, 2]", "a config.json of another program"),
        (b'"task"', "a config.json of another program"),
        (b'{"format": 1}', "a config.json of another program"),
        (b'{"format": 1, "task": 3}', "a config.json of another program"),
        (b'{"task": "t"}', "expected a run of format 1, got one of format None, by minigrad None"),
        (b'{"format": 2, "minigrad": "9.0", "task": "t"}', "expected a run of format 1, got one of format 2, by minigrad 9.0"),
        (b'{"format": [1], "task": "t"}', "got one of format [1]"),
        (b'{"format": true, "task": "t"}', "got one of format True"),
    ],
)
def test_a_config_that_is_none(text: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(RunError) as caught:
        Run(tmp_path).config()
    assert words in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))
    if "another program" not in words:
        assert words in refusal(tmp_path)


def test_a_config_that_was_edited(tmp_path: Path) -> None:
    finished(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"lr": 0.05', '"lr": 0.5').replace('"seed": 0', '"seed": 1'))
    words = refusal(tmp_path)
    assert "expected the task, data and settings that the run began with, got other settings.lr, settings.seed." in words


def test_a_task_with_other_settings(tmp_path: Path) -> None:
    finished(tmp_path)
    assert "got other settings.steps." in refusal(tmp_path, Duel(DuelSettings(steps=7, evaluate_every=3, save_every=1e9)))


def test_where_configs_differ() -> None:
    assert differences({}, {}) == []
    assert differences({"a": 1}, {"b": {"c": 1}}) == ["a", "b"]
    assert differences({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 2, "d": 2}}}) == ["a.b.c"]
    assert differences({"a": {}}, {"a": None}) == ["a"]


def test_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    cases = {"none": "no such folder", "file": "a file", "file/run": "no such folder", "empty": "a folder without config.json"}
    for name, words in cases.items():
        with pytest.raises(RunError, match=f"expected a run folder, as minigrad train makes it, got {words}"):
            Run(tmp_path / name).config()
    with Run(tmp_path / "runs" / "a") as run:
        run.begin({"task": "t"})
        with pytest.raises(RunError, match=r"one that has not been evaluated yet\. .*minigrad resume"):
            run.weights()
    with pytest.raises(RunError, match=r"Runs there: .*a"):
        Run(tmp_path / "runs").config()
    with pytest.raises(RunError, match=r"Runs there: .*a"):
        Run(tmp_path / "runs" / "b").config()


# ---------------------------------------------------------------------- beginning


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    (tmp_path / ".model.txt.tmp").touch()  # of another program
    words = refusal(tmp_path)
    assert "expected a new folder, or an empty one, got one that holds .model.txt.tmp, photo.jpg." in words
    assert sorted(path.name for path in tmp_path.iterdir()) == [".model.txt.tmp", "photo.jpg"]


def test_a_folder_with_checkpoints_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "00000001.safetensors").touch()
    assert "got one that holds checkpoints/00000001.safetensors." in refusal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_a_run_is_not_begun_twice(tmp_path: Path) -> None:
    finished(tmp_path / "my run")
    with Run(tmp_path / "my run") as run:
        with pytest.raises(RunError, match="got a run that was begun before") as caught:
            run.begin({"task": "t"})
        assert f"minigrad resume '{tmp_path}/my run'" in caught.value.remedy
        with pytest.raises(RunError, match="got a run that was begun before"):
            run.check_new()


def test_nothing_is_left_where_the_beginning_fails(tmp_path: Path) -> None:
    class Unfit(Duel):
        def config(self) -> dict[str, Any]:
            raise StateError("config", "model", "a model", "none")

    for place in (tmp_path / "a" / "b", tmp_path / "c"):
        with pytest.raises(StateError):
            train(place, Unfit(SETTINGS))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with pytest.raises(StateError):
        train(tmp_path / "mine", Unfit(SETTINGS))
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_what_a_killed_process_left_half_written_goes(tmp_path: Path, expected: dict[str, Any]) -> None:
    finished(tmp_path)
    mine = [tmp_path / ".config.json.0123456789ab.tmp", tmp_path / "checkpoints" / ".00000003.safetensors.0123456789ab.tmp"]
    others = [tmp_path / ".config.json.tmp", tmp_path / "notes.0123456789ab.tmp"]
    for path in (*mine, *others):
        path.touch()
    train(tmp_path, Duel(SETTINGS))
    assert [path.exists() for path in (*mine, *others)] == [False, False, True, True]


def test_a_killed_beginning_can_be_made_again(tmp_path: Path, expected: dict[str, Any]) -> None:
    """One that was killed while it wrote its config."""
    (tmp_path / "checkpoints").mkdir()
    for name in ("run.lock", ".config.json.0123456789ab.tmp"):
        (tmp_path / name).touch()
    train(tmp_path, Duel(SETTINGS))
    assert traces(tmp_path) == expected


def test_a_run_must_be_entered(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"expected a run folder that is locked, got one that is not. Write: with Run"):
        fit(Duel(SETTINGS), Run(tmp_path))


def test_names_that_no_system_has(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a folder that can be written to, got File name too long"):
        train(tmp_path / ("a" * 300), Duel(SETTINGS))
    with pytest.raises(RunError, match="expected a run folder"):
        Run(tmp_path / ("a" * 300)).config()


def test_free_names(tmp_path: Path) -> None:
    (tmp_path / "x-1").mkdir()
    (tmp_path / "x-3").touch()
    assert free_name(tmp_path, "x").name == "x-2"


# ---------------------------------------------------------------------- the lock


def test_two_on_one_folder(tmp_path: Path) -> None:
    """Within a process too; the second changes nothing, and the first goes on."""
    task = Duel(SETTINGS)
    second = Duel(SETTINGS)
    words = []

    def hook(what: str, step: int) -> None:
        if (what, step) == ("step", 2):
            words.append(refusal(tmp_path / "run", second))

    task.hook = hook
    assert train(tmp_path / "run", task).status == "finished"
    assert f"expected a folder in which no other process trains, got process {os.getpid()}, which does." in words[0]
    train(tmp_path / "run", Duel(SETTINGS))


def test_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    first.release()
    first.acquire()
    assert first.held and not second.held
    (tmp_path / "lock").write_text("nonsense")
    with pytest.raises(RunError, match="got one that does"):
        second.acquire()
    first.release()
    second.acquire()
    assert (tmp_path / "lock").read_text() == str(os.getpid())
    second.release()

    def unknown(handle: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("minigrad.train.lock._take", unknown)
    with pytest.raises(RunError, match="got Operation not supported"), Run(tmp_path / "run"):
        pass
    assert not (tmp_path / "run").exists()


def test_checkpoints_are_numbered_and_dropped(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "me", lambda text: None)
    assert kept.newest() is None
    assert kept.named("accepted") is None
    for number in (98, 99_999_998):
        (tmp_path / f"{number:08d}.safetensors").touch()
    for place in range(4):
        kept.save({"place": place})
    assert [path.stem for path in kept.numbered()] == ["100000001", "100000002"]
    newest = kept.newest()
    assert newest is not None and newest["place"] == 3
    assert json.dumps(newest) == '{"format": 1, "config": "me", "place": 3}'
