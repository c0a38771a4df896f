"""What ``minigrad bench`` times: every function of every contract, by arguments, pieces and peers that are right."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from minigrad import kernels
from minigrad.bench.families import ops, timed
from minigrad.bench.op import Op
from minigrad.bench.peers import load
from minigrad.kernels import comparison
from tests.bench.planted import MS, FakeClock, session

EVERY = [op for family in timed() for op in ops(family)]
# One of a kind: the first among those that differ by their sizes alone.
KINDS = list({(op.own, re.sub(r"\d+", "", f"{op.name} {op.shape}"), op.before is None): op for op in reversed(EVERY)}.values())
NOT_TIMED: dict[str, str] = {}  # function -> why its time means nothing: none so far


def untimed(family: str) -> set[str]:
    """Functions of a family, and what its implementations may have besides, that no op times."""
    contract = kernels.contract_of(family)
    wanted = {*contract.FUNCTIONS, *getattr(contract, "OPTIONAL", ())}
    return {f"{family}.{each}" for each in wanted - {op.own for op in ops(family)}} - set(NOT_TIMED)


@pytest.mark.parametrize("family", kernels.families())
def test_every_function_of_a_contract_is_timed(family: str) -> None:
    assert untimed(family) == set()


def test_a_function_that_is_new_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    contract = kernels.contract_of("conv2d")
    monkeypatch.setattr(contract, "FUNCTIONS", (*contract.FUNCTIONS, "grad_bias"))
    monkeypatch.setattr(contract, "OPTIONAL", {**contract.OPTIONAL, "forward_tanh": ("forward", np.tanh)})
    assert untimed("conv2d") == {"conv2d.grad_bias", "conv2d.forward_tanh"}


def test_what_is_not_timed_is_there() -> None:
    assert all(name.split(".")[1] in kernels.contract_of(name.split(".")[0]).FUNCTIONS for name in NOT_TIMED)


@pytest.mark.parametrize("op", KINDS, ids=[f"{op.name} {op.shape}" for op in KINDS])
def test_pieces_are_what_the_reference_gives_for_them(op: Op) -> None:
    """The small size is timed as if it were the large one."""
    name = [each for each in kernels.available(op.family, "cpu") if each != "reference"][-1]
    [row] = session(FakeClock(tick=MS), rounds=3).op(replace(op, draw=op.small), [name])
    assert row.refused == [] and row.samples


@pytest.mark.peer
@pytest.mark.parametrize("op", [op for op in KINDS if op.peers], ids=lambda op: f"{op.name} {op.shape}")
def test_a_peer_does_the_same_work(op: Op) -> None:
    beside = session(FakeClock(tick=MS), rounds=3)
    beside.peers = [load(name) for name in op.peers]
    rows = beside.op(replace(op, draw=op.small), [kernels.default_of(op.family)])
    assert len(rows) == 1 + len(op.peers)
    assert [row.refused for row in rows] == [[]] * len(rows)


def test_what_is_asked_reaches_the_contract() -> None:
    """ReLU, ReLU6, and C order: what the reference gives for the whole call."""
    from minigrad.bench.turns import reference_results

    contract, rng = kernels.contract_of("conv2d"), np.random.default_rng(0)
    for op in (op for op in ops("conv2d") if op.asked):
        call = op.small(rng, np.dtype(np.float64))
        [asked] = reference_results(op, contract, call)
        [plain] = reference_results(replace(op, asked={}), contract, call)
        if op.function == "forward":
            np.testing.assert_array_equal(asked, np.clip(plain, 0, {"forward_relu": None, "forward_relu6": 6}[op.joined]))
            assert (plain < 0).any() and (plain > 6).any()
        else:
            assert comparison.same_bits(np.ascontiguousarray(plain), asked) and asked.flags.c_contiguous
            assert not plain.flags.c_contiguous
