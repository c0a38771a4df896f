"""The workloads: they run, they are PyTorch's to the last digits that count, and what is said of them is so."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.bench.workload import INPUT_SETS, Workload
from minigrad.benchmarks import WORKLOADS, load, memory, profile, sizes_of
from minigrad.benchmarks.inputs import fill
from minigrad.benchmarks.peers import CHANNELS_LAST, ChannelsLast
from minigrad.benchmarks.steps import log_density
from minigrad.core.tape import mode
from minigrad.errors import ArgumentError

NAMES = list(WORKLOADS)
COUNTED = ("small-cnn", "resnet20", "dcgan", "dcgan-28", "efficientnet", "perceptron", "conv-16")  # PyTorch counts these too


def small(workload: Workload) -> dict[str, int]:
    return {**workload.sizes, **workload.small}


@pytest.mark.parametrize("name", NAMES)
def test_a_workload_trains(name: str) -> None:
    workload = load(name)
    step = workload.make(minigrad, **small(workload))
    losses = [step() for _ in range(INPUT_SETS + 1)]
    assert all(type(loss) is float and math.isfinite(loss) for loss in losses)
    assert len(set(losses[:INPUT_SETS])) == INPUT_SETS  # other inputs each time,
    trains = not name.startswith(("conv", "scalars", "beam", "efficientnet"))
    assert (losses[0] != losses[INPUT_SETS]) == trains  # and other weights when the first come again


@pytest.mark.parametrize("name", NAMES)
def test_a_workload_is_described(name: str) -> None:
    workload = load(name)
    assert workload.name == name
    assert set(workload.small) <= set(workload.sizes)
    assert workload.flops(**workload.sizes) > workload.flops(**small(workload)) > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_arithmetic_grows_with_the_batch(name: str) -> None:
    workload = load(name)
    size = "ops" if name == "scalars" else "batch"
    twice = {**workload.sizes, size: 2 * workload.sizes[size]}
    assert workload.flops(**twice) == 2 * workload.flops(**workload.sizes)


@pytest.mark.parametrize(
    ("name", "gflop"), [("small-cnn", 19.4), ("resnet20", 31.2), ("char-lstm-128", 4.0), ("char-lstm-512", 63.4)]
)
def test_the_arithmetic_of_the_networks(name: str, gflop: float) -> None:
    workload = load(name)
    assert abs(workload.flops(**workload.sizes) / 1e9 / gflop - 1) < 0.03


@pytest.mark.peer
@pytest.mark.parametrize("name", NAMES)
def test_a_workload_has_the_losses_of_pytorch(name: str) -> None:
    import torch

    workload = load(name)
    ours, theirs = (workload.make(m, **small(workload)) for m in (minigrad, torch))
    others = {peer: make(**small(workload)) for peer, make in workload.others.items() if peer.startswith("torch")}
    images = name in ("small-cnn", "resnet20", "dcgan", "dcgan-28", "detector") or name.startswith(("conv", "efficientnet"))
    assert (CHANNELS_LAST in others) == images
    for _ in range(3):
        loss = theirs()
        for found in (ours(), *[step() for step in others.values()]):
            assert abs(found - loss) <= 1e-4 * abs(loss)


@pytest.mark.peer
@pytest.mark.parametrize("name", ["perceptron", "small-cnn", "conv-16"])
def test_a_workload_has_the_losses_of_mygrad(name: str) -> None:
    workload = load(name)
    ours, theirs = workload.make(minigrad, **small(workload)), workload.others["mygrad"](**small(workload))
    for _ in range(3):
        loss = theirs()
        assert abs(ours() - loss) <= 1e-4 * abs(loss)


@pytest.mark.peer
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("perceptron", {"batch": 2, "inputs": 2, "hidden": 2}),
        ("small-cnn", {"batch": 2, "side": 4, "width": 2, "hidden": 3}),
        ("conv-16", {"batch": 1, "channels": 2, "side": 3}),
    ],
)
def test_a_workload_has_the_losses_of_tinygrad(name: str, sizes: dict[str, int]) -> None:
    """On its device that needs no compiler, a Python of its own for each, as it keeps its device for good."""
    code = (
        "import json, minigrad; from minigrad.benchmarks import load, others, tiny; tiny.STEPS = others.STEPS = 2; "
        f"w = load({name!r}); ours, theirs = w.make(minigrad, **{sizes}), w.others['tinygrad'](**{sizes}); "
        "print(json.dumps([(ours(), theirs()) for _ in range(4)]))"
    )
    environment = {**os.environ, "DEV": "PYTHON", "CACHELEVEL": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for ours, theirs in json.loads(done.stdout):
        assert abs(ours - theirs) <= 1e-4 * abs(theirs)


@pytest.mark.peer
@pytest.mark.parametrize("name", COUNTED)
def test_the_arithmetic_is_what_pytorch_counts(name: str) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    workload = load(name)
    step = workload.make(torch, **small(workload))
    step()
    with FlopCounterMode(display=False) as counter:
        step()
    counted = counter.get_total_flops()
    assert abs(workload.flops(**small(workload)) / counted - 1) < 0.02


@pytest.mark.peer
def test_the_other_layout_is_channels_last() -> None:
    import torch

    m = ChannelsLast()
    made = m.tensor(np.zeros((2, 3, 4, 4), np.float32))
    assert made.is_contiguous(memory_format=torch.channels_last) and not made.is_contiguous()
    layer = torch.nn.Conv2d(3, 4, 3)
    fill(m, 0, layer)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)


def test_filled_weights_are_the_same_each_time_and_scales_stay_one() -> None:
    layers = [minigrad.nn.Sequential(minigrad.nn.Conv2d(2, 3, 3), minigrad.nn.BatchNorm2d(3)) for _ in range(2)]
    for layer in layers:
        fill(minigrad, 5, layer)
    for a, b in zip(layers[0].parameters(), layers[1].parameters(), strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())
    assert np.array_equal(layers[0][1].weight.detach().numpy(), np.ones(3))
    assert layers[0][1].bias.detach().numpy().std() > 0


def test_the_mixture_is_a_density() -> None:
    """Its integral over the plane and the pen's two positions is 1."""
    given = np.random.default_rng(0).normal(0, 0.5, (1, 1, 1 + 6 * 2))
    grid = np.linspace(-12, 12, 161)
    points = np.stack(np.meshgrid(grid, grid, [0.0, 1.0]), -1).reshape(1, -1, 3)
    rows = minigrad.tensor(np.broadcast_to(given, (1, points.shape[1], given.shape[2])).copy())
    density = np.exp(log_density(minigrad, rows, minigrad.tensor(points), 2).numpy())
    assert abs(density.sum() * (grid[1] - grid[0]) ** 2 - 1) < 1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["batch"], "expected SIZE=NUMBER with a size of batch, side, depth, width, got 'batch'"),
        (["batch=two"], "got 'batch=two'"),
        (["batch=0"], "got 'batch=0'"),
        (["height=3"], "got 'height=3'"),
    ],
)
def test_a_wrong_size_is_told(settings: list[str], message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        sizes_of(load("resnet20"), settings)


def test_an_unknown_workload_is_told() -> None:
    with pytest.raises(ArgumentError, match=r"workload: expected one of small-cnn, .*, got 'resnet21'"):
        load("resnet21")


# ---------------------------------------------------------------------- the profile


def settings(name: str, **sizes: int) -> list[str]:
    return [part for size, number in {**load(name).small, **sizes}.items() for part in ("--set", f"{size}={number}")]


def test_a_profile_has_a_row_for_each_op_and_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    profile.main(["char-lstm-128", "--steps", "2", *settings("char-lstm-128")])
    head, columns, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("char-lstm-128: ") and columns.split() == ["op", "forward", "ms", "backward", "ms", "calls", "share"]
    *ops, whole, alone = rows
    found = {re.split(r"  +", row)[0]: [float(number.rstrip("%")) for number in row.split()[-4:]] for row in ops}
    assert {"Adam.step", "clip_grad_norm_", "CrossEntropy", "Embedding"} <= set(found)
    assert found["Adam.step"][2] == found["CrossEntropy"][2] == 1
    assert found["CrossEntropy"][0] > 0 and found["CrossEntropy"][1] > 0
    assert abs(sum(forward + backward for forward, backward, *_ in found.values()) - float(whole.split()[-1])) < 0.001 * len(
        ops
    )
    assert abs(sum(share for *_, share in found.values()) - 100) < 0.05 * len(ops) + 0.1
    assert alone.startswith("one step, not watched")
    assert mode.observers == ()


def test_a_profile_can_tell_shapes_apart(capsys: pytest.CaptureFixture[str]) -> None:
    profile.main(["small-cnn", "--steps", "1", "--shapes", *settings("small-cnn", batch=2)])
    told = capsys.readouterr().out
    assert "Conv2d 2 x 8 x 8 x 8 " in told and "Conv2d 2 x 16 x 4 x 4 " in told


def test_a_profile_counts_time_where_it_was_spent() -> None:
    """A slow op and a slow optimiser are found, each in its own row."""
    import time

    class Slow(minigrad.autograd.Function):
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            time.sleep(0.02)
            return x * 2

        def backward(ctx, dy):  # type: ignore[no-untyped-def]
            time.sleep(0.04)
            return dy * 2

    def make(m: Any) -> Any:
        weight = m.nn.Parameter(m.ones(3))
        optimizer = m.optim.SGD([weight], lr=0.1)

        def step() -> float:
            loss = Slow.apply(weight).sum()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    watch, _ = profile.profile(make, {}, 2)
    forward, backward = watch.seconds["Slow", "3"]
    assert 0.04 <= forward < 0.06 and 0.08 <= backward < 0.1
    assert watch.calls["Slow", "3"] == watch.calls["SGD.step", ""] == 2
    assert sum(sum(row) for key, row in watch.seconds.items() if key[0] != "Slow") < 0.04


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet21"], "expected one of small-cnn"),
        (["resnet20", "--steps", "0"], "--steps: expected at least 1, got 0"),
        (["resnet20", "--set", "batch"], "expected SIZE=NUMBER"),
    ],
)
def test_a_wrong_question_to_the_profile_is_told(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        profile.main(arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.peer
def test_the_peers_profile_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    profile.main(["perceptron", "--steps", "1", "--against", "torch"])
    assert "aten::addmm" in capsys.readouterr().out


# ---------------------------------------------------------------------- memory


def test_the_memory_of_steps_is_what_they_take() -> None:
    """A step that fills a known number of bytes, in a process of its own."""
    code = (
        "import numpy as np; from minigrad import benchmarks; from minigrad.bench.workload import Workload; "
        "from minigrad.benchmarks import memory; "
        "w = Workload('w', '', lambda m, size: lambda: float(np.ones(size << 17)[0]), {'size': 80}, lambda size: 1, "
        "small={'size': 1}); memory.load = lambda name: w; print(memory.here('w', 'minigrad', {'size': 80}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 60 << 20 < int(done.stdout) < 100 << 20


def test_memory_that_was_another_process_s_is_not_counted() -> None:
    """A child of a large process begins with its own figure."""
    large = np.ones(40 << 20)  # 320 MB
    code = "from minigrad.benchmarks.memory import _highest; print(_highest())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 0 < int(done.stdout) < large.nbytes / 2


def test_memory_where_the_system_has_no_account_of_processes(tmp_path: Path) -> None:
    own = memory._highest()
    assert memory._highest(tmp_path) > own - (4 << 20) > 0  # the system counts some pages of each thread later than others


def test_memory_is_measured_in_a_process_of_its_own() -> None:
    sizes = small(load("perceptron"))
    assert 0 <= memory.peak("perceptron", "minigrad", sizes) < 64 << 20


def test_a_library_that_is_not_there_is_told() -> None:
    with pytest.raises(ArgumentError, match="expected a_library_of_nobody, running perceptron, got"):
        memory.peak("perceptron", "a_library_of_nobody", {})


@pytest.mark.peer
def test_memory_of_pytorch_is_measured() -> None:
    assert 0 <= memory.peak("perceptron", "torch", small(load("perceptron"))) < 256 << 20


def test_memory_is_told_beside_pytorch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def peak(name: str, library: str, sizes: dict[str, int]) -> int:
        asked.append((name, sizes["batch"]))
        return {"minigrad": 50_000_000, "torch": 100_000_000}[library]

    monkeypatch.setattr(memory, "peak", peak)
    memory.main(["perceptron", "--set", "batch=16"])
    assert capsys.readouterr().out.split()[3:] == ["/", "PyTorch", "perceptron", "50.0", "MB", "100.0", "MB", "0.50"]
    assert asked == [("perceptron", 16)] * 2
    memory.main(["perceptron", "--json"])
    assert json.loads(capsys.readouterr().out) == {"perceptron": {"minigrad": 50_000_000, "torch": 100_000_000}}
