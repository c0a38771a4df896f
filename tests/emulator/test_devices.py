"""Tensors, modules, optimisers and checkpoints on several devices: what moves along, what is refused, where each op runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.emulator import cupy as cp
from minigrad.errors import DeviceError
from tests import harness
from tests.emulator.networks import NETWORKS, Row, moved
from tests.harness import Case
from tests.optim_table import OPTIMISERS

NEAR, FAR = "emulated:0", "emulated:1"
REAL = [pytest.param(*pair, marks=pytest.mark.gpu) for pair in (("cpu", "cuda:0"), ("cuda:0", "cpu"))]
PAIRS = [("cpu", NEAR), (NEAR, "cpu"), (NEAR, FAR), *REAL]
# Cases whose inputs do not meet in one op; in the last, one of the inputs is not read.
APART = {
    *("logical_not", "to/other", "type_as", "getitem/tensor numbers", "reshape_as", "view_as", "t", "broadcast_tensors"),
    *(f"{name}/kinds" for name in ("max", "min", "amax", "amin", "any", "all", "cumsum", "cumprod", "prod")),
    *(f"{name}/kinds" for name in ("cummax", "cummin", "diff")),
    *("atleast_1d", "atleast_2d", "atleast_3d", "meshgrid/ij", "meshgrid/xy", "meshgrid/number"),
    *("repeat_interleave/tensor of one", "addmm/beta 0 reads nothing"),
}


def elsewhere() -> None:
    """Let the thread work on another device than the tensors lie on."""
    cp.cuda.Device(0).use()


@pytest.mark.emulated
@pytest.mark.parametrize(("here", "there"), [("cpu", NEAR), (NEAR, FAR)])
@pytest.mark.parametrize("family", harness.families(), ids=lambda each: each.__name__.rpartition(".")[2])
def test_no_op_takes_tensors_of_two_devices(family: Any, here: str, there: str) -> None:
    cases: list[Case] = [case for case in family.CASES if len(case.inputs) > 1 and case.name not in APART]
    for case in cases:
        for odd in range(len(case.inputs)):
            arrays = [minigrad.tensor(array) for array in case.arrays()]
            inputs = [tensor.to(there if place == odd else here) for place, tensor in enumerate(arrays)]
            for tensor in inputs:
                tensor.requires_grad_(tensor.is_floating_point())
            with pytest.raises(DeviceError) as caught:
                case.call(minigrad, *inputs)
                pytest.fail(f"{case.name}, input {odd}: nothing was refused")
            message = str(caught.value)
            assert ".to('" in message and " on emulated:" in message and message.count(" on ") >= 2, (case.name, message)


@pytest.mark.emulated
@pytest.mark.parametrize("family", harness.families(), ids=lambda each: each.__name__.rpartition(".")[2])
def test_each_op_runs_where_its_tensors_lie(family: Any) -> None:
    for case in family.CASES:
        with minigrad.default_device(FAR):
            inputs = harness.tensors(case.arrays())
            elsewhere()
            outputs = [o for o in harness.outputs_of(case.call(minigrad, *inputs)) if isinstance(o, minigrad.Tensor)]
            assert all(o.device == FAR for o in outputs) or case.name in ("cpu", "to/device and dtype"), case.name
            roots = [o for o in outputs if o.requires_grad and o.device == FAR]
            starts = [minigrad.ones_like(o) for o in roots]
            elsewhere()
            if roots:
                minigrad.autograd.backward(roots, starts)
            assert all(t.grad is None or t.grad.device == FAR for t in inputs), case.name


MIXED = [
    ("add", lambda a, b: a + b),
    ("linear", lambda a, b: nn.functional.linear(a, b)),
    ("in place", lambda a, b: a.mul_(b)),
    ("index", lambda a, b: a[b.long()]),
    ("mask", lambda a, b: a[b > 0]),
    ("written at an index", lambda a, b: a.index_add(0, b[0].long(), b)),
    ("gather", lambda a, b: a.gather(0, b.long())),
    ("where", lambda a, b: minigrad.where(b > 0, a, a)),
    ("cat", lambda a, b: minigrad.cat([a, b])),
    ("loss", lambda a, b: nn.functional.cross_entropy(a, b[:, 0].long())),
    ("no tape", lambda a, b: minigrad.isin(a, b)),
    ("sorted", lambda a, b: minigrad.searchsorted(a, b)),
]


@pytest.mark.parametrize(("name", "call"), MIXED, ids=[row[0] for row in MIXED])
@pytest.mark.parametrize(("here", "there"), PAIRS)
def test_mixing_names_both_and_the_call_that_mends_it(name: str, call: Any, here: str, there: str) -> None:
    a, b = minigrad.ones(2, 2, device=here), minigrad.ones(2, 2, device=there)
    with pytest.raises(DeviceError) as caught, minigrad.no_grad():
        call(a, b)
    message = str(caught.value)
    assert f"on {here}" in message and f"on {there}" in message
    assert any(f".to('{where}')" in message for where in (here, there) if where != "cpu")
    call(a, b.to(here))


def train(net: nn.Module, batch: Any, optimizer: Any, steps: int = 2) -> None:
    for _ in range(steps):
        elsewhere()
        optimizer.zero_grad()
        net(*batch).backward()
        elsewhere()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        elsewhere()
        optimizer.step()


def numbers(net: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy().copy() for name, value in net.state_dict().items()}


@pytest.mark.parametrize("row", NETWORKS, ids=repr)
def test_training_on_another_device_is_the_same_to_the_bit(row: Row) -> None:
    found = []
    for where in (NEAR, FAR):
        minigrad.manual_seed(5)
        net, batch = row.make().to(where), moved(row.batch(), where)
        train(net, batch, minigrad.optim.Adam(net.parameters(), lr=0.01))
        assert all(p.device == where and p.grad.device == where for p in net.parameters())
        found.append(numbers(net))
    for name, value in found[0].items():
        assert np.array_equal(value, found[1][name]), name


@pytest.mark.parametrize("places", [(NEAR, FAR), pytest.param(("cuda:0",), marks=pytest.mark.gpu)], ids=" ".join)
@pytest.mark.parametrize(("name", "kind", "settings"), OPTIMISERS, ids=[row[0] for row in OPTIMISERS])
def test_the_optimisers_state_follows_the_module(
    name: str, kind: str, settings: dict[str, Any], places: tuple[str, ...]
) -> None:
    net, still = nn.Linear(3, 2), nn.Linear(3, 2)
    still.load_state_dict(net.state_dict())
    x = minigrad.randn(4, 3)
    optimizers = [getattr(minigrad.optim, kind)(each.parameters(), **settings) for each in (net, still)]
    for where in ("cpu", *places, "cpu"):
        net.to(where)
        for each, optimizer in zip((net, still), optimizers, strict=True):
            elsewhere()
            optimizer.zero_grad()
            each(x.to(each.weight.device)).square().mean().backward()
            optimizer.step()
        for p, state in optimizers[0].state.items():
            assert all(value.device == where for value in state.values() if isinstance(value, minigrad.Tensor)), p
        for ours, theirs in zip(net.parameters(), still.parameters(), strict=True):
            assert np.allclose(ours.detach().cpu().numpy(), theirs.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_converted_modules_state_is_converted_too() -> None:
    net = nn.Linear(3, 2)
    optimizer = minigrad.optim.Adam(net.parameters())
    x = minigrad.randn(4, 3)
    for where, dtype in (("cpu", minigrad.float32), (NEAR, minigrad.float64), (NEAR, minigrad.float32)):
        net.to(where, dtype)
        net(x.to(where, dtype)).sum().backward()
        optimizer.step()
        assert {value.dtype for state in optimizer.state.values() for value in state.values() if hasattr(value, "dtype")} == {
            np.dtype(dtype)
        }


def test_a_checkpoint_knows_no_device(tmp_path: Path) -> None:
    row = NETWORKS[1]  # with dropout, so that the random stream counts
    minigrad.manual_seed(1)
    net, batch = row.make().to(FAR), row.batch()
    optimizer = minigrad.optim.Adam(net.parameters(), lr=0.01)
    train(net, moved(batch, FAR), optimizer)
    state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "random": minigrad.get_rng_state()}
    minigrad.save(state, tmp_path / "far.safetensors")
    train(net, moved(batch, FAR), optimizer)
    ended = numbers(net)

    other = row.make()
    again = minigrad.optim.Adam(other.parameters(), lr=0.5)
    loaded = minigrad.load(tmp_path / "far.safetensors")
    assert all(value.device == "cpu" for value in loaded["net"].values())
    other.load_state_dict(loaded["net"])
    again.load_state_dict(loaded["optimizer"])
    minigrad.set_rng_state(loaded["random"])
    here = {"net": other.state_dict(), "optimizer": again.state_dict(), "random": minigrad.get_rng_state()}
    minigrad.save(here, tmp_path / "here.safetensors")
    assert (tmp_path / "here.safetensors").read_bytes() == (tmp_path / "far.safetensors").read_bytes()

    back = row.make().to(FAR)
    third = minigrad.optim.Adam(back.parameters())
    returned = minigrad.load(tmp_path / "here.safetensors")
    back.load_state_dict(returned["net"])
    third.load_state_dict(returned["optimizer"])
    minigrad.set_rng_state(returned["random"])
    train(back, moved(batch, FAR), third)
    for name, value in numbers(back).items():
        assert np.array_equal(value, ended[name]), name


def test_what_there_is_not_says_how_many_there_are() -> None:
    for call in (
        lambda: minigrad.ones(2).to("emulated:2"),
        lambda: nn.Linear(1, 1).to("emulated:7"),
        lambda: minigrad.set_default_device("emulated:2"),
        lambda: minigrad.zeros(1, device="emulated:2"),
    ):
        with pytest.raises(DeviceError, match="an index below 2, the number of emulated devices, got emulated:"):
            call()


def test_hooks_and_changes_in_place_run_where_the_tensor_lies() -> None:
    seen = []
    x = minigrad.ones(3, device=FAR).requires_grad_()
    minigrad.zeros(2, device=NEAR)
    y = x * 2
    y.register_hook(lambda grad: seen.append(grad.device) or grad * 2)  # type: ignore[func-returns-value]
    elsewhere()
    y.sum().backward()
    elsewhere()
    with minigrad.no_grad():
        x.add_(x.grad, alpha=0.5)
        x[0] = 7
        x.clamp_(max=5).copy_(x + 1)
    assert seen == [minigrad.device(FAR)] and x.tolist() == [6, 4, 4] and x.device == FAR
    assert np.array_equal(x.to(NEAR).cpu().detach().numpy(), x.detach().cpu().numpy())


@pytest.mark.parametrize(("here", "there"), PAIRS)
def test_a_gradient_to_start_from_lies_with_its_tensor(here: str, there: str) -> None:
    x = minigrad.ones(3, device=here, requires_grad=True)
    start = minigrad.ones(3, device=there)
    calls = [
        lambda: (x * 2).backward(start),
        lambda: minigrad.autograd.backward([x * 2], [start]),
        lambda: minigrad.autograd.grad(x * 2, x, start),
    ]
    for call in calls:
        with pytest.raises(DeviceError) as caught:
            call()
        words = str(caught.value)
        assert f"on {here}, as the tensor of shape (3,)" in words and f"got one on {there}" in words, words
        assert f"Call .to('{here}')" in words, words
        assert x.grad is None
    (x * 2).backward(start.to(here))
    assert x.grad is not None and x.grad.device == here


@pytest.mark.parametrize(("here", "there"), [("cpu", NEAR), (NEAR, "cpu"), (NEAR, FAR), (FAR, NEAR)])
def test_a_value_set_at_an_index_is_brought_along(here: str, there: str) -> None:
    for index in (slice(0, 2), minigrad.tensor([0, 1], device=here)):
        for recorded in (False, True):
            x, value = minigrad.zeros(3, device=here), minigrad.ones(2, device=there, requires_grad=recorded)
            x[index] = value
            assert x.device == here and x.tolist() == [1, 1, 0]
            if recorded:
                x.sum().backward()
                assert value.grad is not None and value.grad.device == there
