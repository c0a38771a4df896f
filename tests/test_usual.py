"""The recorded order of kernels by which companions compile: it is what a step asks for, and a table that is not is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from minigrad.benchmarks import usual as recorder
from minigrad.errors import ArgumentError
from minigrad.kernels.native import ahead, usual


def test_a_step_asks_for_what_was_recorded_whatever_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that takes the same kernels on all processors."""
    monkeypatch.setenv("MINIGRAD_THREADS", "1")
    monkeypatch.setenv("MINIGRAD_KERNELS", "lstm=reference")
    assert recorder.recorded("characters") == recorder.kept("characters")


def test_a_step_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGRAD_DEVICE", "nowhere")
    with pytest.raises(ArgumentError, match=r"workload: expected char-lstm-128, running, got"):
        recorder.recorded("characters")


def test_each_kind_has_a_step() -> None:
    assert list(recorder.STEPS) == list(usual.USUAL)


def test_each_row_is_of_kernels_that_there_are_with_the_dtype_that_makes_a_difference_to_them() -> None:
    known = set(ahead.jobs())
    assert not [job for jobs in usual.USUAL.values() for job in jobs if job not in known]


def test_writing_what_is_there_changes_nothing_that_counts() -> None:
    source = Path(usual.__file__).read_text(encoding="utf-8")
    table = {kind: recorder.kept(kind) for kind in usual.USUAL}
    again = recorder.written(source, table)
    assert again.split() == source.split()
    assert max(map(len, again.splitlines())) <= 128
    assert recorder.written(again, {"one": ["tile"]}).count("tile") == 1


def test_a_source_without_a_table_is_told() -> None:
    with pytest.raises(ArgumentError, match="expected a table between"):
        recorder.written("USUAL = {}", {})


@pytest.mark.parametrize("check", [True, False])
def test_what_differs_is_told_or_written(
    check: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(usual.__file__).read_text(encoding="utf-8")
    copy = tmp_path / "usual.py"
    copy.write_text(source, encoding="utf-8")
    monkeypatch.setattr(usual, "__file__", str(copy))
    monkeypatch.setattr(recorder, "recorded", lambda kind: ["tile"] if kind == "images" else recorder.kept(kind))
    with pytest.raises(SystemExit) as ended:
        recorder.main(["--check"] if check else [])
    assert ended.value.code == (1 if check else 0)
    assert capsys.readouterr().out.startswith("images (small-cnn): 1 kernels, in the table ")
    assert (copy.read_text(encoding="utf-8") == source) == check
