"""Each rule of a budget finds a kernel that breaks it, and the packages that read machine code are asked for by name."""

from __future__ import annotations

import dataclasses
import importlib.util
from types import SimpleNamespace
from typing import Any

import pytest

from minigrad.errors import KernelError
from minigrad.kernels.cuda import nvrtc
from minigrad.kernels.cuda.budgets import BUDGETS, FFMA_SHARE, HMMA_SHARE, Budget, faults
from minigrad.kernels.cuda.families import listed
from minigrad.kernels.cuda.launch import Program
from minigrad.kernels.cuda.machine_code import Loop
from minigrad.kernels.cuda.occupancy import LIMITS
from minigrad.kernels.cuda.static import Figures

LOOP = Loop({"FFMA": 64, "LDG.128": 4, "LDS.128": 8, "integer": 24})
GOOD = Figures("product<float>", 80, 64, 0, 0, 8448, 1, 0, 900, LOOP)
ROW = Budget(registers=64, blocks=4, useful="FFMA", share=0.5, wide_global=1.0, wide_shared=1.0, shared=9000)


def test_a_kernel_within_its_budget_has_no_fault() -> None:
    assert faults(GOOD, 256, 0, ROW) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"spilled": 96}, "spills 96 bytes"),
        ({"stack": 40}, "a stack of 40 bytes"),
        ({"local": 3}, "3 accesses to local memory"),
        ({"registers": 65}, "65 registers, 64 allowed"),
        ({"shared": 9001}, "9001 bytes of shared memory, 9000 allowed"),
        ({"shared": 60000}, "2 blocks at once, 4 wanted"),
        ({"shared": 200_000}, "cannot be launched"),
        ({"loop": Loop({**LOOP.counts, "integer": 90})}, "FFMA 0.39 of the hot loop, 0.50 wanted"),
        ({"loop": Loop({**LOOP.counts, "LDG.128": 3, "LDG.32": 4})}, "0.75 of global bytes loaded by 128 bits, 1.00 wanted"),
        ({"loop": Loop({**LOOP.counts, "LDS.128": 0, "LDS.32": 9})}, "0.00 of shared bytes loaded by 128 bits, 1.00 wanted"),
        ({"loop": Loop({"FFMA": 64, "LDS.128": 8})}, "0.00 of global bytes loaded by 128 bits, 1.00 wanted"),
        ({"loop": Loop(LOOP.counts, divisions=2)}, "2 integer divisions in the hot loop"),
    ],
)
def test_a_planted_fault_is_found(change: dict[str, Any], fault: str) -> None:
    found = faults(dataclasses.replace(GOOD, **change), 256, 0, ROW)
    assert any(fault in each for each in found), found


def test_without_a_row_only_what_no_kernel_may_do_is_a_fault() -> None:
    poor = dataclasses.replace(GOOD, registers=200, loop=Loop({"integer": 9}, divisions=3))
    assert faults(poor, 256, 0, None) == []
    assert faults(dataclasses.replace(poor, spilled=8), 256, 0, None) == ["spills 8 bytes"]


def test_a_row_of_a_useful_share_asks_for_as_much_as_is_promised() -> None:
    least = {"FFMA": FFMA_SHARE, "HMMA": HMMA_SHARE, "DFMA": FFMA_SHARE}
    for file, rows in BUDGETS.items():
        for kernel, row in rows.items():
            assert row.archs and set(row.archs) <= set(LIMITS), (file, kernel)
            assert row.share == 0 or row.share >= least[row.useful], (file, kernel)
            assert bool(row.useful) == bool(row.share), (file, kernel)
            wide = row.wide_global >= 0.5 and row.wide_shared >= 0.5
            assert not row.useful or wide != bool(row.narrow), f"{file}: {kernel} loads by 128 bits, or says why it need not"


def test_a_module_lists_its_kernels() -> None:
    program = Program("random/philox.cu")
    rows = [(program, "words", 128, 0), (program, ("uniform", "float32"), 128, 64), (program, "words", 128, 0)]
    for module in (SimpleNamespace(INSTANCES=rows), SimpleNamespace(instances=lambda: rows)):
        found = listed(module, "mine.py")
        assert [(each.kernel, each.threads, each.shared) for each in found] == [("words", 128, 0), ("uniform<float>", 128, 64)]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (SimpleNamespace(), r"expected a function instances\(\) or a list INSTANCES of its kernels, got neither"),
        (SimpleNamespace(INSTANCES=[("words", 128)]), r"expected rows \(Program, key, .*got \('words', 128\)"),
    ],
)
def test_a_module_without_a_list_of_kernels_is_told(module: Any, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        listed(module, "mine.py")


def test_without_the_packages_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for each in (nvrtc.versions, nvrtc._library, nvrtc._packaged):
        monkeypatch.setattr(nvrtc, each.__name__, each.__wrapped__)
    with pytest.raises(
        KernelError, match=r"got no nvidia-cuda-nvrtc\. Install them: pip install 'minigrad-engine\[cuda-check\]'"
    ):
        nvrtc.versions()
