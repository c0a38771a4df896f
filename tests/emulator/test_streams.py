"""The same random numbers on every device, and the stream at the same place behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import nn

CUDA = pytest.param("cuda", marks=pytest.mark.gpu)
INITS = ["uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"]
# name, draw on a device, and how many ulps normals may be apart: none for what sums, products and comparisons make.
DRAWS: list[tuple[str, Callable[[str], Any], int]] = [
    ("rand", lambda d: minigrad.rand(3, 5, device=d), 0),
    ("rand in float64", lambda d: minigrad.rand(7, dtype=minigrad.float64, device=d), 0),
    ("randn", lambda d: minigrad.randn(33, device=d), 2),
    ("randn in float64", lambda d: minigrad.randn(9, dtype=minigrad.float64, device=d), 2),
    ("randint", lambda d: minigrad.randint(-3, 1000, (17,), device=d), 0),
    ("randperm", lambda d: minigrad.randperm(19, device=d), 0),
    ("rand_like", lambda d: minigrad.rand_like(minigrad.zeros(4, device=d)), 0),
    ("normal", lambda d: minigrad.normal(minigrad.arange(4.0, device=d), 0.5), 2),
    ("bernoulli", lambda d: minigrad.bernoulli(minigrad.full((40,), 0.3, device=d)), 0),
    ("multinomial", lambda d: minigrad.multinomial(minigrad.arange(1.0, 8.0, device=d), 4), 0),
    ("multinomial with replacement", lambda d: minigrad.multinomial(minigrad.arange(1.0, 8.0, device=d), 9, True), 0),
    ("uniform_", lambda d: minigrad.zeros(6, device=d).uniform_(-2, 5), 0),
    ("random_", lambda d: minigrad.zeros(6, device=d).random_(100), 0),
    ("exponential_", lambda d: minigrad.zeros(6, device=d).exponential_(), 4),
    ("dropout", lambda d: F.dropout(minigrad.ones(50, device=d), 0.4), 0),
    ("dropout2d", lambda d: F.dropout2d(minigrad.ones(3, 5, 2, 2, device=d), 0.4), 0),
    ("alpha dropout", lambda d: F.alpha_dropout(minigrad.ones(50, device=d), 0.4), 1),
    ("rrelu", lambda d: F.rrelu(-minigrad.ones(20, device=d), training=True), 0),
    ("gumbel", lambda d: F.gumbel_softmax(minigrad.zeros(4, 5, device=d), hard=True), 0),
    *[(name, lambda d, name=name: getattr(nn.init, name)(minigrad.zeros(4, 6, device=d)), 2) for name in INITS],
    ("orthogonal_", lambda d: nn.init.orthogonal_(minigrad.zeros(4, 6, device=d)), 64),
    ("sparse_", lambda d: nn.init.sparse_(minigrad.zeros(4, 6, device=d), 0.5), 2),
]


@pytest.mark.parametrize("where", ["emulated", "emulated:1", CUDA])
@pytest.mark.parametrize(("name", "draw", "ulps"), DRAWS, ids=[row[0] for row in DRAWS])
def test_numbers_and_stream_are_the_cpus(name: str, draw: Callable[[str], Any], ulps: int, where: str) -> None:
    found = []
    for device in ("cpu", where):
        minigrad.manual_seed(11)
        drawn = draw(device)
        assert drawn.device == device
        found.append((drawn.cpu().numpy(), minigrad.rand(2).tolist()))
    (near, after), (far, later) = found
    assert near.dtype == far.dtype and near.shape == far.shape and after == later
    if ulps:
        assert np.allclose(near, far, rtol=ulps * np.finfo(near.dtype).eps, atol=ulps * np.finfo(near.dtype).eps)
    else:
        assert np.array_equal(near, far)


@pytest.mark.parametrize("where", ["emulated", CUDA])
def test_a_generators_state_goes_on_elsewhere(where: str) -> None:
    generator = minigrad.Generator().manual_seed(4)
    minigrad.rand(5, generator=generator, device=where)
    other = minigrad.Generator()
    other.set_state(generator.get_state())
    here = minigrad.randn(6, generator=generator)
    assert np.array_equal(minigrad.randn(6, generator=other, device=where).cpu().numpy(), here.numpy())
