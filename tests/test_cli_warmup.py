"""``minigrad warmup``: what it compiles, what it says, and that nothing is left for the first step."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minigrad.benchmarks import WORKLOADS
from minigrad.cli import main
from minigrad.core.machine import Cores
from minigrad.errors import KernelError
from minigrad.kernels.native import ahead, programs, store
from minigrad.kernels.native.language import Kernel

FEW = [
    ahead.Job("minigrad.kernels.native.pool", "divide", None),
    ahead.Job("minigrad.kernels.update.loops", "scale_step", "float64"),
]


@pytest.fixture(autouse=True)
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty cache, and two kernels in place of all."""
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path))
    monkeypatch.setattr(ahead, "jobs", lambda dtypes: FEW)
    monkeypatch.setattr(programs, "_said", True)
    yield
    store._examined.cache_clear()


def test_kernels_are_compiled_and_then_they_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warmup"]) == 0
    first = capsys.readouterr()
    assert first.out.startswith("2 kernels for float32: 2 compiled in 0:0") and first.err == ""
    assert f"They are kept in {tmp_path / 'kernels'}." in first.out.replace("\n  ", " ")
    assert len(list((tmp_path / "kernels").iterdir())) == 2
    assert main(["warmup"]) == 0
    assert capsys.readouterr().out.startswith("2 kernels for float32: all were there. They are kept in")


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warmup", "--all", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["folder"], told["dtypes"], told["kernels"]) == (str(tmp_path / "kernels"), ["float32", "float64"], 2)
    assert told["seconds"] > 0
    rows = sorted((row["kernel"], row["dtype"]) for row in told["compiled"])
    assert rows == [("native.pool.divide", None), ("update.loops.scale_step", "float64")]
    assert all(row["seconds"] > 0 for row in told["compiled"])


def test_nothing_to_keep_it_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o777)
    assert main(["warmup"]) == 1
    errors = " ".join(capsys.readouterr().err.split())
    assert "compiled kernels cannot be kept:" in errors and "can be written by other users. Set MINIGRAD_CACHE" in errors


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_disk_that_is_full_before_the_end_is_told(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ahead, "compiled", lambda missing: ((job, 0.1) for job in missing))  # and nothing is kept
    assert main(["warmup", *options]) == 1
    told = capsys.readouterr()
    words = " ".join(told.err.split())
    assert "2 of 2 compiled kernels could not be kept in" in words and "Is there room on its disk?" in words
    if options:
        assert json.loads(told.out)["not_kept"] == ["native.pool.divide", "update.loops.scale_step"]
    else:
        assert told.out == ""


def test_a_kernel_that_cannot_be_compiled_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(job: ahead.Job) -> None:
        raise KernelError(job.title, "function", "one that Numba compiles", "another")

    monkeypatch.setattr(ahead, "_compile", refuse)
    monkeypatch.setattr(ahead, "cores", lambda: Cores(1, 1, None))  # all in this process
    assert main(["warmup"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and "native.pool.divide: function: expected one that Numba compiles" in " ".join(told.err.split())


def test_one_process_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(ahead, "_compile", lambda job: made.append(job) or (job, 0.0))
    assert list(ahead.compiled(FEW, processes=1)) == [(job, 0.0) for job in FEW]
    assert made == FEW


def test_every_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = ahead.jobs(("float32", "float64"))
    assert len(found) == len(set(found))
    kernels = {job: job.kernel() for job in found}
    assert all(isinstance(kernel, Kernel) for job, kernel in kernels.items() if job.module)
    assert [job.dtype for job in found[:2]] == ["float32", "float64"] and kernels[found[0]] is None
    titles = {job.title for job in found}
    assert {"tile", "native.pool.serve", "conv2d.loops.correlate", "activation.loops.FORWARD['relu']"} <= titles
    assert {job.dtype for job in found if job.name == "serve"} == {None}  # no dtype makes a difference to it


STEP = """
import sys
import minigrad
from minigrad.benchmarks import load
from minigrad.kernels.native import ahead, programs

there = {programs._symbol_of(job.kernel(), programs.identity(job.kernel()), job.dtype) for job in ahead.jobs() if job.module}
workload = load(sys.argv[1])
workload.make(minigrad, **workload.sizes)()
loaded = set(programs._loaded) - {"minigrad_tile_float32"}
print(len(loaded), sorted(loaded - there))
"""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("resnet20", "seq2seq") else pytest.mark.targets)
        for name in WORKLOADS
        if name != "scalars" and not name.startswith("conv-")
    ],
)
def test_a_training_step_finds_all_that_it_needs(name: str) -> None:
    """What a step loads is among what is compiled ahead."""
    environment = {name: value for name, value in os.environ.items() if name != "MINIGRAD_CACHE"}
    done = subprocess.run([sys.executable, "-c", STEP, name], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    number, _, rest = done.stdout.partition(" ")
    assert int(number) > 1 and rest == "[]\n"


def test_the_words_of_the_first_kernel_stand_above_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from minigrad.show.progress import Progress
    from minigrad.show.text import open_console

    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("CI", raising=False)  # where no bar is drawn
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(programs, "_said", False)
    terminal = sys.stderr
    with Progress(2, "steps", describe="training", console=open_console(stderr=True)) as progress:
        progress.advance(1, 1, {})
        FEW[0].kernel().prepare()  # type: ignore[union-attr]
        programs._say_once(store.store())
    written = terminal.getvalue()  # type: ignore[attr-defined]
    before, _, after = written.partition("minigrad: compiling kernels for this processor (once: kept in")
    assert before.endswith("\r\x1b[J") and "training" in after  # on the bar's line, which is drawn again below
