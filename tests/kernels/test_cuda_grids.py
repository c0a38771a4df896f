"""CUDA kernels where a grid has room for few blocks along y and z: what can be many must lie along x, or be split.

The true limit, 65,535 blocks, is met only by sizes that take long to emulate.
"""

from __future__ import annotations

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.core.device import device
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
