"""The device type ``emulated``: tensors, layers and kernels run on the stand-in for CuPy as they do on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.emulator import cupy as cp
from minigrad.errors import ArgumentError, DeviceError, KernelError
from minigrad.kernels import registry


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3)
    )


class Last(nn.Module):
    """A recurrent layer over the rows of an embedding, and its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.cells = nn.Embedding(9, 5), nn.LSTM(5, 6, batch_first=True)

    def forward(self, ids: Any) -> Any:
        return self.cells(self.embedding(ids))[0][:, -1]


NETWORKS: list[tuple[str, Callable[[], nn.Module], Callable[[], Any], int]] = [
    ("convolutional", convolutional, lambda: minigrad.randn(2, 1, 8, 8), 3),
    ("recurrent", Last, lambda: minigrad.randint(0, 9, (2, 4)), 6),
    ("perceptron", lambda: nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.LayerNorm(7)), lambda: minigrad.randn(2, 5), 7),
]


@pytest.mark.parametrize(("make", "draw", "classes"), [row[1:] for row in NETWORKS], ids=[row[0] for row in NETWORKS])
def test_a_step_is_the_cpus(make: Any, draw: Any, classes: int) -> None:
    near, far = make(), make()
    far.load_state_dict(near.state_dict())
    far.to("emulated")
    x, target = draw(), minigrad.tensor([0, classes - 1])
    loss = nn.functional.cross_entropy(near(x), target)
    loss.backward()
    there = nn.functional.cross_entropy(far(x.to("emulated")), target.to("emulated"))
    there.backward()
    assert there.device == "emulated" and there.item() == pytest.approx(loss.item(), rel=1e-5)
    for name, p in near.named_parameters():
        grad = dict(far.named_parameters())[name].grad
        assert grad is not None and grad.device == "emulated"
        want = p.grad.numpy()
        assert np.abs(want - grad.cpu().numpy()).max() <= 1e-5 * np.abs(want).max(), name
    for p in far.parameters():
        assert p.device == "emulated"
    assert all(value.device == "emulated" for value in far.state_dict().values())


def test_arithmetic_has_no_hidden_copy() -> None:
    x = minigrad.ones(2, 3, device="emulated").requires_grad_()
    w = minigrad.ones(3, 4, device="emulated")
    with cp.counted() as seen:
        ((x @ w).exp().sum() * 2).backward()
    assert (seen.to_device, seen.to_host, seen.synchronisations) == (0, 0, 0) and seen.calls > 0
    assert x.grad is not None and x.grad.cpu().numpy() == pytest.approx(np.full((2, 3), 8 * np.exp(3.0)), rel=1e-6)


@pytest.mark.parametrize("draw", [minigrad.randn, minigrad.rand])
def test_the_stream_is_the_cpus(draw: Any) -> None:
    minigrad.manual_seed(3)
    want = draw(11).numpy()
    minigrad.manual_seed(3)
    assert draw(11, device="emulated").cpu().numpy().tolist() == want.tolist()


def test_special_functions() -> None:
    x = minigrad.tensor([-1.0, 0.5])
    assert x.to("emulated").erf().cpu().numpy() == pytest.approx(x.erf().numpy(), rel=1e-6)


def test_one_of_several_is_followed() -> None:
    near, far = minigrad.ones(3, device="emulated"), minigrad.ones(3, device="emulated:1").requires_grad_()
    assert near.device == "emulated:0" and far.device == "emulated:1"
    assert (near * 2).device == "emulated:0" and (far * 2).device == "emulated:1"
    loss = (far * far).sum()
    near * 2  # the thread works on the first device when the way back begins
    loss.backward()
    assert far.grad is not None and far.grad.device == "emulated:1" and far.grad.tolist() == [2, 2, 2]
    here = near.clone().requires_grad_()
    for losses in ([here.square().sum(), far.square().sum()], [far.square().sum(), here.square().sum()]):
        minigrad.autograd.backward(losses)
    assert here.grad is not None and here.grad.device == "emulated:0" and here.grad.tolist() == [4, 4, 4]
    (zeros,) = minigrad.autograd.grad(here.sum(), [far], materialize_grads=True)
    assert zeros.device == "emulated:1" and zeros.tolist() == [0, 0, 0]
    assert far.detach().to("emulated:0").device == "emulated:0" and near.to("emulated:1").tolist() == [1, 1, 1]


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: minigrad.ones(2, 2, device="emulated") + minigrad.ones(2, 2),
        DeviceError,
        "add: operands: expected tensors of one device, got (2, 2) on emulated:0, (2, 2) on cpu. "
        "Call .to('emulated:0') on the others.",
    ),
    (
        lambda: minigrad.ones(2).to("emulated:2"),
        DeviceError,
        "device: emulated: expected an index below 2, the number of emulated devices, got emulated:2. Choose another index.",
    ),
    (
        lambda: minigrad.device("emulator"),
        ArgumentError,
        "device: type: expected 'cpu', 'cuda', 'cuda:INDEX' or 'emulated', got 'emulator'.",
    ),
    (
        lambda: minigrad.ones(2).to("cpux"),
        ArgumentError,
        "to: target: expected a device ('cpu', 'cuda', 'cuda:INDEX', 'emulated'), a dtype (minigrad.float64, 'float64', ...) "
        "or a Tensor, got 'cpux'.",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_what_is_made_for_cuda_runs_here() -> None:
    registry.register("elementwise", "mine", device="cuda", base="vectorised", add=lambda x, y: x + y)
    try:
        assert registry.runnable("elementwise", "mine", "emulated").device == "cuda"
        assert "mine" in registry.available("elementwise", "emulated") and "mine" not in registry.available("elementwise")
        with pytest.raises(KernelError, match="it takes arrays on cuda, and these are on cpu"):
            registry.runnable("elementwise", "mine", "cpu")
    finally:
        registry.unregister("elementwise", "mine")
