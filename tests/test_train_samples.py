"""``samples.txt``: what a model writes after each evaluation, through stops and goings-on, on the terminal and on the page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import minigrad
from minigrad.errors import RunError
from minigrad.train import Outcome, Run, report
from minigrad.train.examples import Line, LineSettings
from minigrad.train.samples import Samples, brief
from tests import train_tasks


class Writing(Line):
    """A line through points that says what it is, with a draw of its own."""

    name = "writing"
    stop_at = -1

    def sample(self) -> str:
        return f"a = {self.descent.module.weight.item():.4f}\nand {minigrad.rand(1).item():.4f}\x1b"

    def step(self, batch: Any) -> Any:
        made = super().step(batch)
        self.stop_at -= 1
        if self.stop_at == 0:
            raise KeyboardInterrupt
        return made


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def train(folder: Path, stop_at: int = -1) -> tuple[Outcome, list[str]]:
    """Train, and give what was told; the page is left out."""
    task, told = Writing(LineSettings(epochs=6)), []
    task.stop_at = stop_at
    return train_tasks.train(folder, task, told.append), told


def test_each_evaluation_has_one(tmp_path: Path) -> None:
    _, told = train(tmp_path)
    with Run(tmp_path) as run:
        report.write(Writing(LineSettings(epochs=6)), run)
    found = Samples(tmp_path / "samples.txt").last(100)
    assert [head.split(":")[0] for head, _ in found] == [f"step {step}" for step in (8, 16, 24, 32, 40, 48)]
    assert found[-1][0].startswith("step 48: loss 0.0")
    assert found[-1][1].startswith("a = 2.8898\nand 0.")
    shown = [line for line in told if line.startswith("    a = ")]
    assert len(shown) == 6 and all(line.endswith("�") and line.count("\n    and 0.") == 1 for line in shown)
    page = (tmp_path / "report.html").read_text()
    assert page.count('<pre class="sample">') == 4 and "What it wrote while it learned" in page
    assert found[1][1].split("\n")[0] not in page and found[2][1].split("\n")[0] in page


def test_a_draw_leaves_no_trace_in_the_training(tmp_path: Path) -> None:
    train(tmp_path / "with")
    train_tasks.train(tmp_path / "without", Line(LineSettings(epochs=6)))
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("with", "without"))
    assert one == other
    assert not (tmp_path / "without" / "samples.txt").exists()


@pytest.mark.parametrize("stop_at", [4, 30])
def test_a_training_that_was_broken_off_has_the_same_samples(stop_at: int, tmp_path: Path) -> None:
    """What came after the last checkpoint is cut off and written again."""
    train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", stop_at)
    with open(tmp_path / "broken" / "samples.txt", "a") as file:
        file.write("---- step 99: loss 0 ----\nhalf a sam")
    train(tmp_path / "broken")
    for name in ("samples.txt", "metrics.jsonl", "model.safetensors"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_samples_that_were_changed_are_told(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, 12)
    (tmp_path / "samples.txt").write_text("mine")
    with pytest.raises(RunError, match=r"samples\.txt: expected the \d+ bytes that stood there .*, got others"):
        train(tmp_path)


def test_a_checkpoint_of_a_version_without_samples(tmp_path: Path) -> None:
    """Goes on, and has the samples from there on."""
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, 12)
    for path in (tmp_path / "checkpoints").glob("*.safetensors"):
        content = minigrad.load(path)
        del content["samples"]
        minigrad.save(content, path)
    train(tmp_path)
    assert Samples(tmp_path / "samples.txt").last(9)[0][0].startswith("step 16: ")


def test_the_beginning_for_a_terminal() -> None:
    long = "x" * 1000
    assert brief(long) == "    " + "x" * 240
    assert brief("\n\none\n\ntwo\n" + "more\n" * 9) == "    one\n\n    two\n    more"
    assert Samples(Path("nowhere.txt")).last(3) == []
