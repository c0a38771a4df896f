"""CUDA kernels where a grid has room for few blocks along y and z: what can be many must lie along x, or be split.

The true limit, 65,535 blocks, is met only by sizes that take long to emulate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.core.device import device, module_for
from minigrad.kernels import conv2d
from minigrad.kernels.conv2d import gpu, reference, tf32
from minigrad.kernels.cuda import launch

pytestmark = pytest.mark.emulated
EMULATED = device("emulated")


@pytest.fixture(autouse=True)
def small_grids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "GRID", (2**31 - 1, 2, 2))


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_a_step_takes_any_number_of_rows(kind: str) -> None:
    minigrad.manual_seed(0)
    cell = getattr(nn, kind)(2, 3)
    x = np.random.default_rng(0).standard_normal((13, 2)).astype("float32")  # rows of four blocks
    found = []
    for where in ("cpu", EMULATED):
        here, leaf = cell.to(where), minigrad.tensor(x, device=where, requires_grad=True)
        state = here(leaf)
        (state[0] if isinstance(state, tuple) else state).sum().backward()
        found.append(leaf.grad.to("cpu").numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("run", "channels"), [(gpu, 1), (tf32, 4)])
def test_a_convolution_has_any_number_of_groups_and_phases(run: Any, channels: int) -> None:
    """Groups of ``channels``; both are six slices, with room for two in a launch, and 20 taps take three blocks."""
    xp, rng = module_for(EMULATED), np.random.default_rng(0)
    x, w = (rng.standard_normal(size).astype("float32") for size in ((1, 3 * channels, 9, 8), (3 * channels, channels, 5, 4)))
    geometry: dict[str, Any] = {"stride": (2, 3), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 3}
    y = reference.forward(x, w, None, **geometry)
    calls = {"forward": (x, w, None), "grad_input": (y, w, x.shape[2:])}
    if channels == 1:
        calls["grad_weight"] = (x, y, w.shape[2:])
    for name, call in calls.items():
        (allowed,) = run.tolerance(name, *call, **geometry) if run is tf32 else conv2d.tolerance(name, *call, **geometry)
        there = [xp.asarray(each) if isinstance(each, np.ndarray) else each for each in call]
        got = getattr(run, name)(*there, **geometry).get()
        assert (abs(got - getattr(reference, name)(*call, **geometry)) <= allowed).all(), name
