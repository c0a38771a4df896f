"""How tensors print: beside recorded lines, and beside PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad

SHOWN = [
    (1.5, "tensor(1.5000)"),
    (3, "tensor(3)"),
    (True, "tensor(True)"),
    ([1.0, 2.0], "tensor([1., 2.])"),
    ([0.25, 1.0], "tensor([0.2500, 1.0000])"),
    ([-1, 20], "tensor([-1, 20])"),
    ([True, False], "tensor([ True, False])"),
    ([], "tensor([])"),
    ([float("nan"), 1.0, float("inf")], "tensor([nan, 1., inf])"),
    ([float("nan"), 0.5, -float("inf")], "tensor([   nan, 0.5000,   -inf])"),
    ([1e-5, 1.0], "tensor([1.0000e-05, 1.0000e+00])"),
    ([1e9], "tensor([1.0000e+09])"),
    ([1000.5, 1.0], "tensor([1.0005e+03, 1.0000e+00])"),
    ([0.0, -0.0], "tensor([0., -0.])"),
    ([[1.0, 2.5], [-3.0, 4.0]], "tensor([[ 1.0000,  2.5000],\n        [-3.0000,  4.0000]])"),
    ([[[1], [2]], [[3], [4]]], "tensor([[[1],\n         [2]],\n\n        [[3],\n         [4]]])"),
]


def shown(x: minigrad.Tensor) -> str:
    """What it prints, less its device, which stands there for all but the CPU."""
    text, where = repr(x), f", device={str(x.device)!r}"
    assert (where in text) == (x.device.type != "cpu")
    return text.replace(where, "")


@pytest.mark.parametrize("data, text", SHOWN)
def test_small_tensors_print_as_recorded(data: object, text: str) -> None:
    assert shown(minigrad.tensor(data)) == text


def test_notes_stand_behind_the_numbers() -> None:
    assert shown(minigrad.ones(2, dtype=minigrad.float64)) == "tensor([1., 1.], dtype=float64)"
    assert shown(minigrad.zeros(0, 3)) == "tensor([], size=(0, 3))"
    assert shown(minigrad.zeros(0, dtype=minigrad.int64)) == "tensor([], dtype=int64)"
    x = minigrad.ones(2, requires_grad=True)
    assert shown(x) == "tensor([1., 1.], requires_grad=True)"
    assert shown(x * 2) == "tensor([2., 2.], grad_fn=<MulBackward>)"


def _arrays() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    arrays: list[np.ndarray] = []
    for shape in ((), (1,), (7,), (40,), (3, 4), (2, 3, 4), (1, 1, 2, 2), (1200,), (3, 500), (40, 40), (0,), (2, 0), (8, 130)):
        for scale in (1.0, 1e-3, 1e4, 1e-6):
            arrays.append((rng.standard_normal(shape) * scale).astype(np.float32))
        arrays += [np.asarray(rng.integers(-100, 100, shape)), np.asarray(rng.integers(0, 5, shape)).astype(np.float32)]
        arrays += [np.asarray(rng.integers(0, 2, shape)).astype(bool), np.asarray(rng.integers(0, 9, shape)).astype(np.uint8)]
        arrays += [np.asarray(rng.standard_normal(shape)), np.asarray(rng.standard_normal(shape)).astype(np.float16)]
    return arrays


@pytest.mark.peer
def test_tensors_print_as_pytorchs() -> None:
    import torch

    for array in _arrays():
        for grad in (False, True) if array.dtype.kind == "f" else (False,):
            ours = repr(minigrad.tensor(array, requires_grad=grad))
            theirs = repr(torch.tensor(array, requires_grad=grad)).replace("torch.", "")
            assert ours.split() == theirs.split()
            if "dtype" not in ours:
                assert ours == theirs
