"""``make bench``: what its tables say of numbers that were reached, missed or refused."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import numpy as np
import pytest

from minigrad.bench.row import Row
from minigrad.benchmarks import REQUIRED, WORKLOADS, __main__, load
from minigrad.benchmarks.threads import Gain


def rows(name: str, ratio: float, refused: list[str] | None = None) -> list[dict[str, Any]]:
    """What ``minigrad bench NAME --against torch --json`` has in ``rows``."""
    common = {"what": name, "shape": "batch 128", "spread": 0.031, "share": 0.5, "refused": []}
    ours = {**common, "ours": True, "seconds": 0.1, "against": {"torch": ratio}, "refused": refused or []}
    if refused:
        ours["seconds"] = None
    way = "torch channels-last, 2 threads"
    return [ours, {**common, "ours": False, "seconds": 0.1 * ratio, "against": {}, "spread": 0.012, "way": way}]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """What each call of ``bench`` gives; calls that nobody foresaw fail."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    monkeypatch.setattr(__main__, "bench", lambda *arguments, **_: found[arguments])
    return found


def table(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_what_is_reached_is_shown(answers: dict[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    answers["small-cnn",] = rows("small-cnn", 1.512)
    assert __main__.main(["small-cnn"]) == 0
    said = capsys.readouterr()
    assert (
        said.err == "small-cnn  1.4  1.51  2  3 % / 1 %  100  151 (channels-last, 2 threads)  50 %\n"
    )  # as soon as it is there
    print(said.out)
    header, row = table(capsys)
    assert header == ["workload", "required", "measured", "goal", "spread", "ms", "PyTorch's ms", "of peak"]
    assert row == ["small-cnn", "1.4", "1.51", "2", "3 % / 1 %", "100", "151 (channels-last, 2 threads)", "50 %"]


@pytest.mark.parametrize(
    ("name", "found", "shown"),
    [
        ("small-cnn", rows("small-cnn", 1.399), "1.40, missed"),
        ("conv-256", rows("conv-256", 0.94), "0.94, missed"),
        ("resnet20", rows("resnet20", 2.0, ["busy machine: other programs keep 0.8 of 2 cores busy"]), "refused: busy machine"),
        ("resnet20", [{**rows("resnet20", 2.0)[0], "against": {}}], "refused: no ratio"),
    ],
)
def test_what_is_missed_or_refused_is_told(
    name: str, found: list[Any], shown: str, answers: dict[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    answers[name,] = found
    assert __main__.main([name]) == 1
    said = capsys.readouterr().out
    assert shown in said and "could not be trusted: see above" in said


def test_other_batches_need_at_least_the_peers_time(answers: dict[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    answers["dcgan", "--set", "batch=16"] = rows("dcgan", 1.01)
    answers["dcgan", "--set", "batch=256"] = rows("dcgan", 0.99)
    assert __main__.main(["dcgan", "conv-64", "--parts", "batches"]) == 1
    _, sixteen, many = table(capsys)
    assert sixteen[:4] == ["dcgan", "16", "1", "1.01"] and many[:4] == ["dcgan", "256", "1", "0.99, missed"]
    assert __main__.main(["dcgan", "--parts", "batches", "--batch", "64"]) == 0  # its own
    assert table(capsys) == []


def test_the_shapes_are_reported_with_their_share(answers: dict[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    convolutions = [f"conv2d.{function}" for function in ("forward", "grad_input", "grad_weight")]
    for shape in __main__.LEAST_SHAPES:
        answers["conv2d", "--shape", f"{shape}, 3x3", "--impl", "cpu"] = [
            row for each in convolutions for row in rows(each, 0.5)
        ]
    answers["lstm", "--shape", __main__.LSTM] = [*rows("lstm.forward", 0.5), rows("lstm.backward", 0.5)[0]]
    assert __main__.main(["--parts", "shapes"]) == 0  # goals, not required
    _, *found = table(capsys)
    assert len(found) == 3 * len(__main__.LEAST_SHAPES) + 2
    assert found[0][:5] == ["batch 128", "conv2d.forward", "50 %", "75 %", "0.50"]
    assert found[-1][1:6] == ["lstm.backward", "50 %", "70 %", "", "3 %"]  # which no peer does


def test_the_rung_that_is_asked_for_its_share_multiplies_every_term() -> None:
    from minigrad import kernels
    from minigrad.bench.families import ops

    rung: Any = kernels.functions_of("conv2d", "cpu")
    share = getattr(rung, "arithmetic", None)
    for op in ops("conv2d"):
        if any(f"{shape}, 3x3" in op.shape for shape in __main__.LEAST_SHAPES):
            assert op.name in __main__.SHARES
            call = op.small(np.random.default_rng(0), np.dtype(np.float32))
            assert share is None or share(op.function, *call.args, **call.kwargs) == 1.0


@pytest.mark.parametrize(
    ("times", "counted", "shown", "code"),
    [
        (2.0, 7, "2.00", 0),
        (1.6, 7, "1.60, missed", 1),
        (0.0, 2, "refused: the control gained 1.30, and 1.85 in 2 of 9 rounds", 1),
    ],
)
def test_two_threads_gain_what_is_required(
    times: float, counted: int, shown: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(__main__, "gains", lambda what, shape: [Gain(what, shape, 0.2, 0.1, times, 1.3, counted, 9)])
    assert __main__.main(["--parts", "threads"]) == code
    times_shown = ["", ""] if counted < 3 else ["200", "100"]
    want = ["1.7", shown, *times_shown, "1.30", f"{counted} of 9"]
    assert [row[2:] for row in table(capsys)[1:]] == [want] * len(__main__.DIVIDED)


@pytest.mark.parametrize(("ours", "shown", "code"), [(90 << 20, "0.90", 0), (110 << 20, "1.10, missed", 1)])
def test_memory_is_at_most_the_peers(
    ours: int, shown: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(__main__, "peak", lambda name, library, sizes: {"minigrad": ours, "torch": 100 << 20}[library])
    assert __main__.main(["perceptron", "--parts", "memory"]) == code
    assert table(capsys)[1] == ["perceptron", f"{ours / 1e6:.0f} MB", "105 MB", shown, "1"]


def test_json_is_for_a_program(answers: dict[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    answers["small-cnn",] = rows("small-cnn", 1.5)
    assert __main__.main(["small-cnn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"small-cnn": rows("small-cnn", 1.5)}


def test_libraries_that_are_in_no_table_are_told_below(answers: dict[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    answers["small-cnn",] = rows("small-cnn", 1.5)
    assert __main__.main(["small-cnn"]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Not in these tables: ")]
    assert [line.split(": ")[1] for line in told] == ["chainer", "mygrad", "tinygrad"]


def test_a_bench_that_ends_early_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess([], 2, stdout="")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: done)
    (row,) = __main__.bench("small-cnn")
    assert row["refused"] == ["minigrad bench ended with code 2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["resnet21"], "expected one of small-cnn"), (["--parts", "steps,step"], "--parts: expected some of steps,batches")],
)
def test_a_wrong_question_is_told(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        __main__.main(arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


def test_what_is_required_is_of_workloads_that_exist() -> None:
    assert set(REQUIRED) <= set(WORKLOADS)
    assert all(required < goal for required, goal in REQUIRED.values())


def test_the_shapes_are_those_of_the_convolution_workloads() -> None:
    sizes = [load(name).sizes for name in WORKLOADS if name.startswith("conv-")]
    assert [f"C{s['channels']} H{s['side']} -> {s['channels']}" for s in sizes] == list(__main__.LEAST_SHAPES)


def test_bench_knows_the_shapes() -> None:
    from minigrad.bench.families import ops

    for family, shape in (*__main__.DIVIDED, ("lstm", __main__.LSTM)):
        assert any(shape in op.shape for op in ops(family))


def test_bench_tells_what_the_tables_show() -> None:
    row = Row("small-cnn", "batch 128", "minigrad", True, "float32", 2, seconds=0.1, spread=0.031, share=0.5).as_json()
    assert set(rows("small-cnn", 1.5)[0]) | set(rows("small-cnn", 1.5)[1]) <= set(row)
