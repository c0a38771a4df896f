"""Timing on a GPU. The emulator stands in for one where there is none: then times mean nothing, and all else is tried."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.bench.op import Op
from minigrad.bench.place import Gpu
from minigrad.bench.plan import Plan, plan
from minigrad.benchmarks import WORKLOADS
from minigrad.cli import main
from minigrad.cli.bench import columns, measure_on_gpu
from minigrad.core.device import device
from minigrad.errors import ArgumentError

DEVICES = [pytest.param("emulated", marks=pytest.mark.emulated), pytest.param("cuda", marks=pytest.mark.gpu)]
on_each = pytest.mark.parametrize("where", DEVICES)


def small(word: str, where: str) -> Plan:
    """An op's plan, with its small size in place of the full one, and no pieces of the result."""
    found = plan([word], WORKLOADS, device_type=device(where).type)
    op, names = found.ops[0]
    fields = {**vars(op), "draw": op.small, "spot": whole, "peers": {}}
    return Plan([(Op(**fields), names)])


def whole(call: Any, results: Any, rng: Any) -> Any:
    return call, results


@on_each
@pytest.mark.parametrize("word", ["random.uniform", "softmax.forward", "update.adam"])
def test_an_op(word: str, where: str) -> None:
    rows, session = measure_on_gpu(small(word, where), device(where), "float32", 0.0, [])
    assert [row.who for row in rows] == [kernels.default_of(word.split(".")[0], device(where).type)]
    assert math.isfinite(rows[0].seconds) and not any("wrong" in fault for fault in rows[0].refused), rows[0].refused
    assert session.peaks.best > 0 and session.peaks.by == "cuBLAS" and len(columns(rows, [], False)[1]) == 1


@on_each
def test_a_step(where: str) -> None:
    found = plan(["perceptron"], WORKLOADS, device_type=device(where).type)
    rows, _ = measure_on_gpu(found, device(where), "float32", 0.0, [])
    assert [row.what for row in rows] == ["perceptron"] and rows[0].median > 0


@on_each
def test_a_wrong_kernel_is_found(where: str) -> None:
    def forward(x: Any, *args: Any, **kwargs: Any) -> Any:
        return kernels.functions_of("softmax", "vectorised", device(where).type).forward(x, *args, **kwargs) * 1.01

    kernels.register("softmax", "mine", device="any", base="vectorised", forward=forward)
    try:
        found = small("softmax.forward", where)
        rows, _ = measure_on_gpu(Plan([(found.ops[0][0], ["mine"])]), device(where), "float32", 0.0, [])
        assert "wrong result" in rows[0].refused[0]
    finally:
        kernels.unregister("softmax", "mine")


@on_each
def test_the_clock_waits(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(device(where))
    waited = []
    clock = gpu.clock()
    monkeypatch.setattr(clock, "_gpu", type("Watched", (), {"synchronize": lambda self: waited.append(1)})())
    clock.now()
    assert waited == [1]


@on_each
def test_arrays_go_there_and_back(where: str) -> None:
    gpu, x = Gpu(device(where)), np.arange(3.0)
    there = gpu.there(([x, 1], {"xp": np}))  # type: ignore[arg-type]
    assert there[1]["xp"] is gpu.xp and type(there[0][0]) is gpu.xp.ndarray
    np.testing.assert_array_equal(gpu.here([there[0][0]])[0], x)


@pytest.mark.gpu
@pytest.mark.parametrize("word", ["conv2d.forward", "conv2d.grad_weight", "lstm.forward", "softmax.forward"])
def test_beside_cudnn(word: str) -> None:
    pytest.importorskip("torch", reason="nothing to be compared with")
    found = plan([word], WORKLOADS, device_type="cuda")
    rows, _ = measure_on_gpu(Plan(found.ops[:1]), device("cuda"), "float32", 0.0, ["torch"])
    assert [row.who for row in rows] == ["cuda", "torch"] and not any("wrong" in fault for row in rows for fault in row.refused)
    print("\n".join(f"{row.what}, {row.shape}: {row.who} {1e3 * row.seconds:.3f} ms {row.against}" for row in rows))


def test_the_emulator_is_not_timed() -> None:
    assert main(["bench", "softmax", "--device", "emulated"]) == 2


def test_other_libraries_are_not_timed_there() -> None:
    with pytest.raises(ArgumentError, match="torch, on a GPU"):
        measure_on_gpu(Plan(), device("emulated"), "float32", 0.0, ["chainer"])
