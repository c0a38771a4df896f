"""Which ops hand on the memory of their input, and which never do: by hand, and beside PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad

# name, call, whether the result lies in the memory of the input (an array of shape (2, 1, 3), every other column of six)
ROWS: list[tuple[str, Callable[[Any, Any], Any], bool]] = [
    ("reshape", lambda m, x: x.reshape(3, 2), True),
    ("view", lambda m, x: x.view(6), True),
    ("flatten", lambda m, x: x.flatten(), True),
    ("unflatten", lambda m, x: x.unflatten(2, (3, 1)), True),
    ("squeeze", lambda m, x: x.squeeze(1), True),
    ("unsqueeze", lambda m, x: x.unsqueeze(0), True),
    ("permute", lambda m, x: x.permute(2, 0, 1), True),
    ("transpose", lambda m, x: x.transpose(0, 2), True),
    ("movedim", lambda m, x: m.movedim(x, 0, 2), True),
    ("expand", lambda m, x: x.expand(2, 4, 3), True),
    ("narrow", lambda m, x: x.narrow(2, 1, 2), True),
    ("select", lambda m, x: x.select(0, 1), True),
    ("slice", lambda m, x: x[..., ::2], True),
    ("none", lambda m, x: x[:, None], True),
    ("split", lambda m, x: x.split(2, 2)[1], True),
    ("chunk", lambda m, x: x.chunk(2)[1], True),
    ("unbind", lambda m, x: x.unbind(2)[2], True),
    ("unfold", lambda m, x: x.unfold(2, 2, 1), True),
    ("diagonal", lambda m, x: x.diagonal(0, 0, 2), True),
    ("detach", lambda m, x: x.detach(), True),
    ("meshgrid", lambda m, x: m.meshgrid(x[0, 0], x[0, 0], indexing="ij")[0], True),
    ("ravel", lambda m, x: x.ravel(), False),
    ("contiguous", lambda m, x: x.contiguous(), False),
    ("clone", lambda m, x: x.clone(), False),
    ("index by list", lambda m, x: x[[0, 1]], False),
    ("repeat", lambda m, x: x.repeat(1, 2, 1), False),
    ("repeat/in front", lambda m, x: x.repeat(2, 1, 1, 1), False),
    ("repeat/once", lambda m, x: x.repeat(1, 1, 1), False),
    ("tile", lambda m, x: m.tile(x, (2, 1, 1, 1)), False),
    ("repeat_interleave", lambda m, x: x.repeat_interleave(1, 2), False),
    ("repeat_interleave/of size 1", lambda m, x: x.repeat_interleave(3, 1), False),
    ("flip", lambda m, x: x.flip(0), False),
    ("roll", lambda m, x: x.roll(0, 0), False),
    ("tril", lambda m, x: x.tril(5), False),
    ("cat", lambda m, x: m.cat([x]), False),
    ("stack", lambda m, x: m.stack([x]), False),
    ("copy of dtype", lambda m, x: x.to(m.float32, copy=True), False),
    ("sum of one", lambda m, x: x.sum(1), False),
    ("amax of one", lambda m, x: x.amax(1), False),
    ("cumsum of one", lambda m, x: x.cumsum(1), False),
    ("add 0", lambda m, x: x + 0, False),
    ("pow 1", lambda m, x: x**1, False),
    ("relu", lambda m, x: m.relu(x), False),
    ("round", lambda m, x: m.round(x), False),
    ("clamp", lambda m, x: x.clamp(min=-9), False),
    ("where", lambda m, x: m.where(x > -9, x, x), False),
    ("gather", lambda m, x: x.gather(0, m.zeros(2, 1, 3, dtype=m.int64)), False),
    ("pad", lambda m, x: m.nn.functional.pad(x, (0, 0)), False),
]


def _array() -> np.ndarray:
    return np.arange(12, dtype=np.float32).reshape(2, 1, 6)[..., ::2]


@pytest.mark.parametrize(("name", "call", "shares"), ROWS, ids=[row[0] for row in ROWS])
def test_memory_is_handed_on_or_not(name: str, call: Callable, shares: bool) -> None:
    array = _array()
    result = call(minigrad, minigrad.from_numpy(array))
    assert np.shares_memory(result.array, array) == shares
    if not shares:
        result.zero_()  # and may be written
        assert array.ravel().tolist() == [0, 2, 4, 6, 8, 10]


@pytest.mark.peer
@pytest.mark.parametrize(("name", "call", "shares"), ROWS, ids=[row[0] for row in ROWS])
def test_so_does_pytorch(name: str, call: Callable, shares: bool) -> None:
    import torch

    x = torch.from_numpy(_array())
    assert (call(torch, x).untyped_storage().data_ptr() == x.untyped_storage().data_ptr()) == shares
