"""Steps on some rows of a table: equal bits by every implementation, in the optimisers, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import kernels
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.kernels import native, row_update

OTHERS = [name for name in kernels.available("row_update", "cpu") if name != "reference"]
SETTINGS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1},
    "adagrad": {"lr": 0.1, "eps": 1e-10},
    "adam": {"size": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
}
STATES = {"sgd": 0, "adagrad": 1, "adam": 2}
TINY = 1e-15  # an eps that does not show: SparseAdam adds its own elsewhere
OPTIMIZERS: dict[str, Any] = {
    "SGD": lambda params: minigrad.optim.SGD(params, lr=0.1),
    "Adagrad": lambda params: minigrad.optim.Adagrad(params, lr=0.1, lr_decay=0.01),
    "SparseAdam": lambda params: minigrad.optim.SparseAdam(params, lr=0.1, eps=TINY),
}


def arrays(function: str, v: int = 50, d: int = 33, k: int = 20, dtype: Any = np.float32) -> list[Any]:
    """Table, rows, gradients and states."""
    rng = np.random.default_rng(v)
    x, *states = (rng.standard_normal((v, d)).astype(dtype) for _ in range(1 + STATES[function]))
    rows = np.sort(rng.permutation(v)[:k])
    return [x, rows, rng.standard_normal((k, d)).astype(dtype), *map(abs, states)]


@pytest.mark.parametrize("function", SETTINGS)
@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("threads", [1, 3])
def test_equal_bits_whatever_runs(function: str, name: str, threads: int) -> None:
    want, got = arrays(function), arrays(function)
    with kernels.use(row_update="reference"):
        getattr(row_update, function)(*want, **SETTINGS[function])
    with kernels.use(row_update=name), native.thread_count(threads):
        getattr(row_update, function)(*got, **SETTINGS[function])
    for one, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(one, other)
    others = np.setdiff1d(np.arange(50), got[1])
    np.testing.assert_array_equal(got[0][others], arrays(function)[0][others])


@pytest.mark.parametrize("name", kernels.available("row_update", "cpu"))
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_optimisers_step_on_named_rows_alone(optimizer: str, name: str) -> None:
    """What a dense gradient does to the named rows, from the same state, is done to them by a sparse one."""
    table, index = np.random.default_rng(0).standard_normal((6, 3)), minigrad.tensor([4, 1, 4])
    sparse, same = (minigrad.tensor(table, requires_grad=True) for _ in range(2))
    with kernels.use(row_update=name):
        step = OPTIMIZERS[optimizer]([sparse])
        for _ in range(2):
            sparse.grad = None
            minigrad.nn.functional.embedding(index, sparse, sparse=True).square().sum().backward()
            step.step()
    dense = minigrad.optim.Adam([same], lr=0.1, eps=TINY) if optimizer == "SparseAdam" else OPTIMIZERS[optimizer]([same])
    for _ in range(2):
        same.grad = None
        minigrad.nn.functional.embedding(index, same).square().sum().backward()
        dense.step()
    np.testing.assert_allclose(sparse.detach().numpy()[[1, 4]], same.detach().numpy()[[1, 4]], rtol=1e-6)
    np.testing.assert_array_equal(sparse.detach().numpy()[[0, 2, 3, 5]], table[[0, 2, 3, 5]])


def test_a_table_in_any_memory_is_changed_where_it_lies() -> None:
    for function, settings in SETTINGS.items():
        want = arrays(function)
        placed = [np.asfortranarray(each) if each.shape == (50, 33) else each for each in arrays(function)]
        getattr(row_update, function)(*want, **settings)
        getattr(row_update, function)(*placed, **settings)
        np.testing.assert_array_equal(placed[0], want[0])


def read_only() -> np.ndarray:
    x = np.ones((3, 2))
    x.flags.writeable = False
    return x


X, G = np.ones((3, 2)), np.ones((2, 2))


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((X, np.array([0, 3]), G), IndexingError, "row numbers from 0 to 2, got 3 at 1"),
        ((X, np.array([1, 1]), G), ArgumentError, "rising row numbers, each once, got some that do not rise"),
        ((X, np.array([[0, 1]]), G), ArgumentError, r"got shape \(1, 2\)"),
        ((X, np.array([0, 1], np.int32), G), DTypeError, "row numbers, int64, got int32"),
        ((X, np.array([0]), G), ShapeError, r"shape \(1, 2\), a row for each of the numbers, got shape \(2, 2\)"),
        ((X, np.array([0, 1]), G.astype(np.float32)), DTypeError, "float64, as param has"),
        ((read_only(), np.array([0, 1]), G), ArgumentError, "memory that may be written"),
        ((np.array(1.0), np.array([0, 1]), G), ShapeError, "a table of rows"),
    ],
)
def test_what_does_not_fit_is_refused(args: tuple[Any, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        row_update.sgd(*args, lr=0.1)


def test_states_and_settings_that_do_not_fit_are_refused() -> None:
    rows = np.array([0, 1])
    with pytest.raises(ShapeError, match=r"sums: expected shape \(3, 2\), as the table has, got shape \(2, 2\)"):
        row_update.adagrad(X.copy(), rows, G, np.ones((2, 2)), lr=0.1, eps=0.0)
    with pytest.raises(ArgumentError, match="lr: expected a number, got None"):
        row_update.sgd(X.copy(), rows, G, lr=None)  # type: ignore[arg-type]
