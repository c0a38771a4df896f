"""The CUDA kernels, on the emulator: the contract's cases in every way, any order of threads, and the checked mode.

| test | what it runs |
|---|---|
| the laboratory | all its questions, on all cases |
| orders | the cases, threads and blocks backwards and shuffled |
| checked | the cases, every access watched: a race, a read of what nobody wrote, a wrong address is an error |
| instances | whether those cases launched each kernel of each ``.cu`` file with each of its templates' default parameters |
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.core.device import device, module_for, quiet
from minigrad.kernels import laboratory, registry
from minigrad.kernels.comparison import difference, outcome
from minigrad.kernels.cuda import Kernel
from minigrad.kernels.trial import DOUBLE, SINGLE, Trial, has_floats

pytestmark = pytest.mark.emulated

EMULATED = device("emulated")
IMPLEMENTATIONS = [  # a family's default, and what is chosen by its name
    pytest.param(family, name, id=family if name == "cuda" else f"{family}={name}")
    for family in kernels.families()
    for name, one in registry.TABLE[family].items()
    if one.device == "cuda"
]
ORDERS = (1, 7)  # backwards, shuffled
LARGER = {  # what is launched for larger sizes than the cases', by tests of its own
    "lstm/sequence.cu": {  # test_cuda_lstm.py
        *("forward<16, 16>", "forward<32, 16>", "forward<32, 32>"),
        *("backward<32, 16>", "backward<32, 32>", "backward<64, 32>", "backward<128, 32>"),
    },
}


@cache
def trial_of(family: str, name: str) -> Trial:
    return Trial(family, name, EMULATED)


def manners(mode: str, order: int = 0) -> Any:
    module_for(EMULATED)
    from minigrad.emulator.cupy.raw import launches

    return launches(mode, order)


def differences(family: str, name: str) -> Iterator[tuple[str, Any]]:
    """Each case of a family in both precisions, and how what the CUDA kernels give differs from the reference."""
    trial = trial_of(family, name)
    for case in trial.cases:
        for dtype in (SINGLE, DOUBLE) if has_floats(case) else (None,):
            call, beside = trial.arguments(case, dtype)
            want, allowed = trial.wanted(case, beside)
            placed = trial.placed(case, call)
            got = outcome(trial.contract, case.function, trial.run(case, placed.call), placed.call)
            yield f"{case.function}: {case.name}, {dtype}", difference(trial.contract, case.function, got, want, allowed)


@pytest.mark.parametrize("where", ["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize(("family", "name"), IMPLEMENTATIONS)
def test_the_laboratory(family: str, name: str, where: str) -> None:
    report = laboratory.check(family, name, where=where)
    assert report.ok, "\n".join(map(str, report.failures[:5]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("family", "name"), IMPLEMENTATIONS)
def test_orders(family: str, name: str, order: int) -> None:
    with quiet(), manners("fast", order):
        assert [each for each in differences(family, name) if each[1] is not None] == []


@pytest.mark.parametrize(("family", "name"), IMPLEMENTATIONS)
def test_checked(family: str, name: str) -> None:
    with quiet(), manners("checked"):
        assert [each for each in differences(family, name) if each[1] is not None] == []


@pytest.mark.parametrize(("family", "name"), IMPLEMENTATIONS)
def test_instances(family: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases reach each kernel that the implementation says it launches, and none besides."""
    launched, call = set(), Kernel.__call__

    def noted(kernel: Kernel, *arguments: Any, work: Any, **sizes: Any) -> None:
        if np.prod(work):
            launched.add((kernel.program.name, kernel.expression))
        call(kernel, *arguments, work=work, **sizes)

    monkeypatch.setattr(Kernel, "__call__", noted)
    with quiet():
        list(differences(family, name))

    def told(which: str) -> set[tuple[str, str]]:
        own = registry.functions_of(family, which, "emulated").instances()
        return {(program.name, program[key].expression) for program, key, _, _ in own}

    others = set() if name == "cuda" else told("cuda")  # which is asked where the other cannot
    larger = {each for each in told(name) if each[1] in LARGER.get(each[0], ())}
    assert launched - others == told(name) - larger
