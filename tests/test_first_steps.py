"""The first step of a process: measured in fresh ones, with an empty cache of kernels and a full one."""

from __future__ import annotations

import pytest

from minigrad.benchmarks import first


def test_the_first_step_of_a_small_network() -> None:
    cold, warm = first.first_steps("perceptron")
    assert 0 < warm < cold  # the first process compiled


@pytest.mark.parametrize(
    ("times", "shown", "code"), [((9.9, 0.9), "", 0), ((10.1, 0.9), "missed", 1), ((9.9, 1.1), "missed", 1)]
)
def test_what_is_missed_is_told(
    times: tuple[float, float], shown: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(first, "first_steps", lambda name: times)
    assert first.main(["perceptron"]) == code
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row == ["perceptron", f"{times[0]:.2f}", f"{times[1]:.2f}", *filter(None, [shown])]


def test_a_step_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MINIGRAD_KERNELS", "conv2d=none")
    with pytest.raises(SystemExit) as stopped:
        first.main(["conv-16"])
    assert stopped.value.code == 2 and "conv2d" in capsys.readouterr().err


def test_an_unknown_workload_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        first.main(["resnet21"])
    assert stopped.value.code == 2 and "expected one of small-cnn" in capsys.readouterr().err
