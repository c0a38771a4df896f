"""Kernels over elements and rows, on memory that the laboratory's cases have not: gaps, repeats, backwards, odd addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minigrad.core.device import CPU, device, module_for, move, quiet
from minigrad.kernels import functions_of
from minigrad.kernels.cuda import elements
from minigrad.kernels.row_update import gpu as rows_gpu

pytestmark = pytest.mark.emulated
EMULATED = device("emulated")
SHAPE = (3, 4, 6, 10)
VIEWS: dict[str, Callable[[Any], Any]] = {  # of an array of (3, 4, 6, 10), to the same shape
    "as it is": lambda x: x,
    "with gaps": lambda x: x.repeat(2, axis=3)[..., ::2],
    "backwards": lambda x: x[:, ::-1],
    "in another order": lambda x: x.transpose(1, 3, 0, 2).copy().transpose(2, 0, 3, 1),
    "repeated": lambda x: module_for(EMULATED).broadcast_to(x[:, :1], SHAPE),
}


@pytest.fixture(scope="module")
def xp() -> Any:
    return module_for(EMULATED)


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def host(x: Any) -> np.ndarray:
    return move(x, CPU)


def ours(family: str) -> Any:
    return functions_of(family, "cuda", "emulated")


@pytest.mark.parametrize("second", VIEWS)
@pytest.mark.parametrize("first", VIEWS)
def test_sums_of_arrays_of_any_strides(xp: Any, first: str, second: str) -> None:
    """Each access is watched; nothing is copied, and all is one launch."""
    x, y = VIEWS[first](move(drawn(*SHAPE), EMULATED)), VIEWS[second](move(drawn(*SHAPE, seed=1), EMULATED))
    with xp.launches("checked"), xp.counted() as seen:
        z = ours("elementwise").add(x, y)
    assert np.array_equal(host(z), host(x) + host(y))
    assert (seen.launches, seen.to_device, seen.to_host) == (1, 0, 0)


def test_a_repeated_operand_is_read_where_it_is(xp: Any) -> None:
    x, row = move(drawn(5, 6), EMULATED), move(drawn(6, seed=1), EMULATED)
    with xp.launches("checked"):
        z = ours("elementwise").multiply(x, xp.broadcast_to(row, x.shape))
        ours("elementwise").accumulate(x[:, ::2], xp.broadcast_to(row, (5, 6))[:, 1::2])
    before = drawn(5, 6)
    assert np.array_equal(host(z), before * drawn(6, seed=1))
    before[:, ::2] += drawn(6, seed=1)[1::2]
    assert np.array_equal(host(x), before)


@pytest.mark.parametrize("start", range(4))
def test_addresses_that_are_no_multiples_of_16_bytes(xp: Any, start: int) -> None:
    x, mask = move(drawn(40), EMULATED)[start : start + 35], move(drawn(40, seed=2) > 0, EMULATED)[start : start + 35]
    with xp.launches("checked"):
        y, gated = ours("activation").forward(x, "relu"), ours("activation").gate(x, mask, 2.0)
    assert np.array_equal(host(y), np.maximum(host(x), 0))
    assert np.array_equal(host(gated), 2 * host(x) * host(mask))


def test_a_gate_whose_mask_lies_in_another_order(xp: Any) -> None:
    x, mask = move(drawn(4, 6), EMULATED), move(drawn(6, 4, seed=2) > 0, EMULATED).T
    with xp.launches("checked"):
        assert np.array_equal(host(ours("activation").gate(x, mask, 1.0)), host(x) * host(mask))


def test_more_dimensions_than_a_launch_knows(xp: Any) -> None:
    """Nine that nothing joins are left to the array module's operators, nine that can be joined are not."""
    x = move(drawn(*[4] * 8, 2), EMULATED)[(slice(None, None, 2),) * 8]
    assert not elements.fits((x, x)) and elements.fits((xp.ascontiguousarray(x), xp.ascontiguousarray(x)))
    with quiet(), xp.counted() as seen:
        y = ours("activation").backward(x, x, "tanh")
        ours("elementwise").accumulate(x, y)
        z = ours("elementwise").add(x, x)
    assert seen.launches == 0
    assert np.allclose(host(z), 2 * host(x))


def test_more_elements_than_a_launch_counts(xp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "PIECE", 50)
    x, y = move(drawn(7, 30), EMULATED), move(drawn(30, 7), EMULATED).T
    with xp.counted() as seen:
        z = ours("elementwise").add(x, y)
    assert np.array_equal(host(z), host(x) + host(y))
    assert seen.launches > 4


@pytest.mark.parametrize("columns", [3, 700])
def test_rows_of_more_columns_and_launches(xp: Any, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_gpu, "GRID", (2**31 - 1, 1, 1))
    x, g, v = drawn(300, columns), drawn(150, columns, seed=1), abs(drawn(300, columns, seed=2))
    rows = np.arange(0, 300, 2)
    placed = [move(each, EMULATED) for each in (x, rows, g, v)]
    with xp.counted() as seen:
        ours("row_update").adagrad(*placed, lr=0.1, eps=1e-8, maximize=False)
    functions_of("row_update", "vectorised").adagrad(x, rows, g, v, lr=0.1, eps=1e-8, maximize=False)
    assert np.array_equal(host(placed[0]), x) and np.array_equal(host(placed[3]), v)
    assert seen.launches > 1


@pytest.mark.parametrize("shape", [(1, 70_001), (3, 20_000), (2, 9001, 3), (1, 5000, 64), (1, 4100, 70), (40, 90, 3)])
def test_long_sums_are_cut_into_parts(xp: Any, shape: tuple[int, ...]) -> None:
    """Rows and columns, in packs and one by one, in parts and whole; of the same bits each time, and the same in any order."""
    x = drawn(*shape)
    placed = move(x, EMULATED)
    found = []
    for order in (0, 1):
        with xp.launches("fast", order):
            found.append(host(ours("sums").total(placed, (1,))))
    assert np.array_equal(*found)
    assert np.abs(found[0] - x.sum(axis=1, dtype=np.float64)).max() < 1e-5 * np.sqrt(shape[1]) * 4


@pytest.mark.parametrize("number", [1, 2, 3, 7, 10, 641, 2**16, 2**20 + 1, 2**30 - 1, 2**31 - 1])
def test_divisors(number: int) -> None:
    _, multiplier, shift = elements.divisor(number)
    assert multiplier < 2**32
    for n in (0, 1, number - 1, number, number + 1, 2**30, 2**31 - 1):
        if n < 2**31:
            assert ((n * multiplier >> 32) + n) >> shift == n // number
