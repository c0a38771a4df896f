"""``minigrad bench``: the words of its command line, the table, JSON, history, and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from minigrad.bench import clock as clocks
from minigrad.bench import machine, peers
from minigrad.bench import plan as plans
from minigrad.bench.families import ops, timed
from minigrad.bench.families.conv2d import Shape, ops_of
from minigrad.bench.peers import OnNumPy
from minigrad.bench.plan import plan
from minigrad.cli import main
from minigrad.errors import ArgumentError, KernelError
from minigrad.kernels import contract_of, families, unload_file
from minigrad.kernels.own_files import loaded_files
from minigrad.kernels.registry import default_of
from tests.bench.planted import MS, FakeClock, peaks
from tests.bench.test_session import workload

Bench = Callable[..., SimpleNamespace]
STEPS = {"line": "tests.bench.test_cli:LINE"}
LINE = workload()
ANSWER = """
from minigrad import kernels

kernels.register("conv2d", "answer", reads_c_order=lambda *shapes, **geometry: False, base="im2col")
"""
JOINED = """
from minigrad import kernels
from minigrad.kernels.conv2d import im2col

kernels.register("conv2d", "joined", base="im2col", forward_relu=lambda *args, **words: im2col.forward(*args, **words).clip(0))
"""
OWN = """
from minigrad import kernels
from minigrad.kernels.conv2d import im2col
kernels.register("conv2d", "mine", forward=lambda x, w, bias, **geometry: FACTOR * im2col.forward(x, w, bias, **geometry))
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[str]:
    """A file with a kernel of one's own."""
    path = tmp_path / "own.py"
    path.write_text(OWN.replace("FACTOR * ", ""))
    yield str(path)
    if str(path) in loaded_files():
        unload_file(path)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    """The command on a machine of dreams, with ops that take no time; gives code, what it says and what it complains of."""
    tiny = list(ops_of(Shape(4, 3, 8, 6, brief=True)))
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(plans, "timed", lambda: ["conv2d"])
    monkeypatch.setattr(plans, "ops", lambda family: tiny)
    monkeypatch.setattr(clocks, "WallClock", lambda: FakeClock(tick=MS))
    monkeypatch.setattr(machine, "recorded", lambda *args, **kwargs: peaks())
    monkeypatch.setattr("minigrad.benchmarks.WORKLOADS", STEPS)

    def run(*words: str) -> SimpleNamespace:
        code = main(["bench", "--impl", "conv2d=im2col", "--threads", "1", "--seconds", "0", *words])
        shown = capsys.readouterr()
        return SimpleNamespace(code=code, out=shown.out, err=shown.err)

    return run


def test_a_table_of_what_there_is(bench: Bench) -> None:
    done = bench()
    lines = done.out.splitlines()
    assert done.code == 0 and done.err == ""
    assert lines[0].split() == [
        "op",
        "shape",
        "kernel",
        "ms",
        "±",
        "GFLOP/s",
        "GB/s",
        "of",
        "peak",
        "cold",
        "ms",
        "first",
        "+ms",
    ]
    assert [line.split()[0] for line in lines[1:4]] == ["conv2d.forward", "conv2d.grad_input", "conv2d.grad_weight"]
    assert lines[1].split()[7:10] == ["im2col", "1.000", "0"]
    assert "best matrix product 1,000,000 GFLOP/s (a dream)" in done.out


def test_json(bench: Bench) -> None:
    done = bench("conv2d.forward", "--json")
    told = json.loads(done.out)
    assert done.code == 0 and told["refused"] == 0 and told["threads"] == 1
    [row] = told["rows"]
    assert row["seconds"] == 1e-3 and row["who"] == "im2col" and row["refused"] == [] and row["cold"] == 1e-3
    assert told["peak"]["by"] == "a dream" and told["machine"] == machine.machine_name()


def test_a_kernel_of_ones_own_beside_those_that_are_wished(bench: Bench, own: str) -> None:
    done = bench(own, "--impl", "im2col,reference", "--json")
    assert [row["who"] for row in json.loads(done.out)["rows"]] == ["mine", "im2col", "reference"]
    assert {row["what"] for row in json.loads(done.out)["rows"]} == {"conv2d.forward"}


def test_a_kernel_that_is_wrong_is_marked_and_the_exit_code_is_1(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "twice.py"
    path.write_text(OWN.replace("FACTOR", "2"))
    try:
        done = bench(str(path), "--picture", str(tmp_path / "roof.svg"))
    finally:
        unload_file(path)
    assert done.code == 1
    mine, default = done.out.splitlines()[1:3]
    assert mine.split()[7:] == ["mine:", "refused", *"–––––––"] and default.split()[7:9] == ["im2col", "1.000"]
    assert done.err.startswith(
        "error: refused: conv2d.forward, N4 C3 H8 -> 6, 3x3, mine: wrong result: mine of conv2d: forward"
    )
    assert "im2col" in (tmp_path / "roof.svg").read_text() and "mine" not in (tmp_path / "roof.svg").read_text()


def test_libraries_that_are_not_in_the_table_are_told_with_the_reason(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(OnNumPy):
        alike = False

        def __init__(self) -> None:
            self.module, self.name = SimpleNamespace(), "mygrad"

        def threads(self, count: int) -> Any:
            return nullcontext()

    monkeypatch.setattr(peers, "load", lambda name: Mine())
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    told = [line for line in bench("conv2d.forward", "--against", "mygrad").out.splitlines() if line.startswith("not timed: ")]
    assert [line.split(": ")[1] for line in told] == ["mygrad", "torch", "chainer", "tinygrad"]
    assert told[0].endswith("nobody has written it for conv2d.forward") and "does not load with NumPy 2" in told[2]
    assert told[3].endswith("this Python does not have it. Install it: pip install tinygrad")
    assert json.loads(bench("conv2d.forward", "--against", "mygrad", "--json").out)["absent"].keys() == {
        "mygrad", "torch", "chainer", "tinygrad",
    }  # fmt: skip
    assert json.loads(bench("conv2d.forward", "--json").out)["absent"] == {}


def test_a_step(bench: Bench) -> None:
    done = bench("line", "--set", "size=7")
    assert done.code == 0 and "line  size 7  conv2d=im2col  1.000  0 %" in done.out


def test_history(bench: Bench, tmp_path: Path) -> None:
    assert "Begin with: minigrad bench" in bench("--history").out
    kept = ["--history-file", str(tmp_path / "mine.jsonl")]
    bench("conv2d.forward", *kept)
    shown = bench("--history", *kept).out.splitlines()
    assert shown[0].split()[:5] == ["op", "shape", "kernel", "threads", "commit"] and "im2col" in shown[1]
    [entry] = json.loads(bench("--history", "--json", "conv2d", *kept).out)
    assert entry["what"] == "conv2d.forward" and entry["seconds"] == 1e-3 and entry["faster"] is None
    assert "No number" in bench("--history", "pool2d", *kept).out
    assert not (tmp_path / "cache/bench/history.jsonl").exists()


def test_a_history_that_cannot_be_kept_is_a_warning(bench: Bench, tmp_path: Path) -> None:
    done = bench("conv2d.forward", "--history-file", str(tmp_path))
    assert done.code == 0 and "warning: the history is not kept" in done.err and "conv2d.forward" in done.out


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["conv3d"], "what: expected a kernel family or function (conv2d; conv2d.forward), a step (line) or a file.py"),
        (["nowhere.py"], "nowhere.py"),
        (["conv2d", "--shape", "C5"], "--shape: expected a part of one of the shapes N4 C3 H8 -> 6, 3x3, got 'C5'"),
        (["conv2d", "--impl", "quick"], "--impl: expected one of"),
        (["conv2d", "--impl", "conv9=quick"], "--impl: expected NAME or FAMILY=NAME"),
        (["line", "--impl", "im2col"], "--impl: expected FAMILY=NAME for a step"),
        (["line", "--impl", "conv2d=quick"], "--impl: expected one of"),
        (["line", "--set", "width=3"], "--set: expected one of size, got 'width'"),
        (["conv2d", "--set", "width=3"], "--set: expected a step to set sizes of, got 'width'"),
        (["line", "--set", "size=0"], "--set: expected size to be 1 or more, got 0"),
        (["line", "--set", "size"], "--set: expected SIZE=NUMBER, as in batch=16, got 'size'"),
        (["line", "--dtype", "float64"], "--dtype: expected float32 for a training step"),
        (["--dtype", "float16"], "--dtype: expected float32 or float64"),
        (["--picture", "roof.jpg"], "--picture: expected a file that ends with .png or .svg"),
        (["--against", "tensorsmith"], "--against: expected one of torch"),
    ],
)
def test_a_wrong_command_line(bench: Bench, words: list[str], fault: str) -> None:
    done = bench(*words)
    assert done.code == 2 and done.out == ""
    assert fault in " ".join(done.err.split())


# ---------------------------------------------------------------------- the plan


def test_without_words_the_short_table() -> None:
    found = plan([], {})
    assert {op.family for op, _ in found.ops} == set(timed()) - {"gru", "rnn"}
    assert all(op.brief for op, _ in found.ops) and found.steps == []


def test_all_implementations_that_run_here() -> None:
    [(_, names), *_] = plan(["conv2d.forward"], {}, impl=["all"]).ops
    assert {"im2col", "reference"} <= set(names)


def test_a_file_alone_and_with_a_step(own: str) -> None:
    found = plan([own], {})
    assert [(op.name, names) for op, names in found.ops] == [("conv2d.forward", ["mine", default_of("conv2d")])]
    [(_, choices)] = plan([own, "line"], STEPS, impl=["pool2d=reference"]).steps
    assert choices == [{"pool2d": "reference", "conv2d": "mine"}, {"pool2d": "reference"}]
    assert len(plan([own], {}, shape="1x1").ops) == 1


def test_every_family_is_timed() -> None:
    assert timed() == families()


def test_a_file_of_functions_that_are_not_timed(tmp_path: Path) -> None:
    path = tmp_path / "answer.py"
    path.write_text(ANSWER)
    try:
        with pytest.raises(ArgumentError, match=r"a function of conv2d that is timed \(forward, .*\), got reads_c_order alone"):
            plan([str(path)], {})
    finally:
        unload_file(path)


def test_a_file_of_what_an_implementation_may_have_besides(tmp_path: Path) -> None:
    path = tmp_path / "joined.py"
    path.write_text(JOINED)
    try:
        [(op, names)] = plan([str(path)], {}).ops
    finally:
        unload_file(path)
    assert (op.joined, op.asked, names) == ("forward_relu", {"activation": "relu"}, ["joined", default_of("conv2d")])


def test_a_file_of_another_family_and_an_implementation_that_cannot_run(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "timed", lambda: ["pool2d"])
    with pytest.raises(ArgumentError, match=r"a kernel of a family that is timed \(pool2d\), got one of conv2d"):
        plan([own], {})
    monkeypatch.setattr(plans, "reason_not_available", lambda family, name, device_type: "it needs a moon")
    with pytest.raises(ArgumentError, match="it needs a moon"):
        plan(["pool2d"], {}, impl=["reference"])
    with pytest.raises(KernelError):
        plan([str(tmp_path / "none.py")], {})


# ---------------------------------------------------------------------- the families


@pytest.mark.parametrize("family", timed())
def test_the_ops_of_a_family_are_whole(family: str) -> None:
    every = ops(family)
    assert len({(op.name, op.shape) for op in every}) == len(every)
    for op in every:
        assert op.family == family and op.function in contract_of(family).FUNCTIONS
        assert op.bytes > 0 and op.flops >= 0
