"""Sparse gradients of tables: what they hold, how they add up, and that nothing reads them wrongly."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.errors import ArgumentError, GradError, ShapeError
from minigrad.nn.functional import embedding
from minigrad.ops.sparse import SparseRows

ROWS, VALUES = np.array([3, 1, 3]), np.array([[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]])
DENSE = np.array([[0, 0], [3, 4], [0, 0], [11, 22], [0, 0]], float)


def sparse() -> SparseRows:
    return SparseRows(ROWS, VALUES, (5, 2))


def both(index: Any, **settings: Any) -> tuple[minigrad.Tensor, minigrad.Tensor]:
    """The gradient of the same loss with a sparse and with a dense embedding."""
    grads = []
    for kind in (True, False):
        table = minigrad.arange(10.0).reshape(5, 2).requires_grad_()
        y = embedding(minigrad.tensor(index), table, sparse=kind, **settings)
        (y * y).sum().backward()
        grads.append(table.grad)
    return grads[0], grads[1]


@pytest.mark.parametrize(
    ("index", "settings"),
    [
        ([1, 4], {}),
        ([[1, 1], [0, 1]], {}),
        ([], {}),
        (2, {}),
        ([1, 0, 1], {"padding_idx": 1}),
        ([1, 0, 1], {"scale_grad_by_freq": True}),
        ([1, 0, 1, 4], {"scale_grad_by_freq": True, "padding_idx": -1}),
    ],
    ids=str,
)
def test_gradient_is_the_dense_one(index: Any, settings: dict[str, Any]) -> None:
    if index == []:
        index = np.zeros(0, np.int64)
    ours, dense = both(index, **settings)
    assert ours.is_sparse and not dense.is_sparse
    assert ours.shape == dense.shape and ours.dtype == dense.dtype and ours.ndim == 2 and ours.numel() == 10
    assert np.array_equal(ours.to_dense().numpy(), dense.numpy())


def test_padding_is_left_out() -> None:
    ours, _ = both([1, 0, 1], padding_idx=1)
    assert ours.coalesce().indices().tolist() == [[0]]


def test_coalesce() -> None:
    x = sparse()
    assert not x.is_coalesced() and x._nnz() == 3
    y = x.coalesce()
    assert y.is_coalesced() and y._nnz() == 2 and y.sparse_dim() == 1
    assert y.indices().tolist() == [[1, 3]]
    assert y.values().tolist() == [[3, 4], [11, 22]]
    assert y.to_dense().tolist() == DENSE.tolist()


def test_gradients_add_up() -> None:
    table = minigrad.ones(5, 2, requires_grad=True)
    for _ in range(2):
        embedding(minigrad.tensor([1, 3]), table, sparse=True).sum().backward()
    assert table.grad.is_sparse and table.grad.to_dense().tolist() == [[0, 0], [2, 2], [0, 0], [2, 2], [0, 0]]
    # twice in one graph
    table.grad = None
    y = embedding(minigrad.tensor([1]), table, sparse=True) + embedding(minigrad.tensor([1]), table, sparse=True)
    y.sum().backward()
    assert table.grad.is_sparse and table.grad.to_dense().numpy()[1].tolist() == [2, 2]
    # with a dense one
    table.sum().backward()
    assert not table.grad.is_sparse and table.grad.numpy()[:, 0].tolist() == [1, 3, 1, 1, 1]
    embedding(minigrad.tensor([0]), table, sparse=True).sum().backward()
    assert not table.grad.is_sparse and table.grad.numpy()[:, 0].tolist() == [2, 3, 1, 1, 1]


def test_hooks_and_grad_see_it_whole() -> None:
    table, seen = minigrad.ones(5, 2, requires_grad=True), []
    table.register_hook(lambda grad: seen.append(grad) or grad * 2)
    y = embedding(minigrad.tensor([1]), table, sparse=True).sum() + embedding(minigrad.tensor([2]), table, sparse=True).sum()
    y.backward()
    assert len(seen) == 1 and seen[0].is_sparse
    assert table.grad.is_sparse and table.grad.to_dense().numpy()[:, 0].tolist() == [0, 2, 2, 0, 0]
    (grad,) = minigrad.autograd.grad(embedding(minigrad.tensor([1]), table, sparse=True).sum(), table)
    assert grad.is_sparse and grad.to_dense().numpy()[:, 0].tolist() == [0, 2, 0, 0, 0]


def test_a_table_that_is_a_result_gets_a_dense_one() -> None:
    w = minigrad.ones(5, 2, requires_grad=True)
    embedding(minigrad.tensor([1, 1]), w * 3, sparse=True).sum().backward()
    assert not w.grad.is_sparse and w.grad.numpy()[:, 0].tolist() == [0, 6, 0, 0, 0]


def test_second_derivative() -> None:
    w = minigrad.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
    y = embedding(minigrad.tensor([0, 2]), w, sparse=True)
    (dw,) = minigrad.autograd.grad((y**3).sum(), w, create_graph=True)
    (ddw,) = minigrad.autograd.grad(dw.sum(), w)
    assert ddw.to_dense().tolist() == [[6], [0], [18]] if ddw.is_sparse else ddw.tolist() == [[6], [0], [18]]


def test_other_ops_see_the_whole() -> None:
    x = sparse()
    assert (x + minigrad.ones(5, 2, dtype="float64")).tolist() == (DENSE + 1).tolist()
    assert x.sum().item() == 40 and x.mean().item() == 4
    assert x.abs().max().item() == 22
    assert np.array_equal((x * minigrad.tensor(DENSE)).numpy(), DENSE * DENSE)
    assert float(x.norm()) == pytest.approx(np.linalg.norm(DENSE))
    assert x.tolist() == DENSE.tolist()
    with pytest.raises(ValueError, match="read-only"):
        x.array[0] = 1
    with pytest.raises(ArgumentError):
        x.exp_()


def test_arithmetic_that_stays_sparse() -> None:
    x, y = sparse(), sparse()
    assert (x + y).is_sparse and np.array_equal((x + y).array, 2 * DENSE)
    assert (-x).is_sparse and np.array_equal((-x).array, -DENSE)
    assert (x * 3).is_sparse and (3 * x).is_sparse and np.array_equal((x * 3).array, 3 * DENSE)
    assert x.mul_(minigrad.tensor(2.0)) is x and np.array_equal(x.array, 2 * DENSE)
    assert np.array_equal(x.div_(4).array, DENSE / 2)
    assert np.array_equal(y.clamp_(-1, 11).array, DENSE.clip(-1, 11))
    assert np.array_equal(sparse().to(minigrad.float32).array, DENSE.astype(np.float32))
    twin = y.clone()
    assert not y.zero_().array.any() and twin.array.any()
    assert y.detach() is y


def test_copies() -> None:
    x = sparse()
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert twin.is_sparse and np.array_equal(twin.mul_(0).array, 0 * DENSE)
    assert np.array_equal(x.array, DENSE)
    assert "nnz=2" in repr(x) and "(5, 2)" in repr(x)


def test_the_caller_keeps_the_values() -> None:
    values = VALUES.copy()
    x = SparseRows(np.array([0, 1, 2]), values, (5, 2), coalesced=True)
    x.mul_(2)
    x.clamp_(-1, 1)
    x.zero_()
    assert np.array_equal(values, VALUES)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
def test_clipping(norm_type: float) -> None:
    tables = []
    for kind in (True, False):
        table = minigrad.arange(10.0).reshape(5, 2).requires_grad_()
        other = minigrad.ones(1, requires_grad=True)
        y = embedding(minigrad.tensor([1, 4, 1]), table, sparse=kind)
        ((y * y).sum() + other.sum()).backward()
        norm = minigrad.nn.utils.clip_grad_norm_([table, other], 1.0, norm_type)
        tables.append((float(norm), table.grad.to_dense() if kind else table.grad, other.grad.item()))
    assert tables[0][0] == pytest.approx(tables[1][0])
    assert tables[0][1].numpy() == pytest.approx(tables[1][1].numpy())
    assert tables[0][2] == pytest.approx(tables[1][2])


def test_clipping_by_value() -> None:
    table = minigrad.ones(3, 1, requires_grad=True)
    embedding(minigrad.tensor([1, 1, 2]), table, sparse=True).sum().backward()
    minigrad.nn.utils.clip_grad_value_([table], 1.5)
    assert table.grad.tolist() == [[0], [1.5], [1]]


def test_zero_grad_keeps_it_sparse() -> None:
    table = minigrad.ones(3, 1, requires_grad=True)
    embedding(minigrad.tensor([1]), table, sparse=True).sum().backward()
    minigrad.optim.SGD([table]).zero_grad(set_to_none=False)
    assert table.grad.is_sparse and table.grad._nnz() == 0


def test_refusals() -> None:
    with pytest.raises(ShapeError, match=r"shape \(3, 2\)"):
        SparseRows(ROWS, VALUES[:2], (5, 2))
    with pytest.raises(ShapeError, match="first sparse"):
        sparse() + SparseRows(ROWS, VALUES, (6, 2))
    with pytest.raises(GradError, match="to_dense"):
        sparse().requires_grad_()
    with pytest.raises(ArgumentError, match="0 between"):
        sparse().clamp_(1, 2)


def test_a_large_table_costs_what_its_rows_cost() -> None:
    import tracemalloc

    table = minigrad.zeros(100_000, 8, requires_grad=True)
    sgd = minigrad.optim.SGD([table], lr=0.1)
    index = minigrad.tensor([5, 70_000, 5])

    def step() -> None:
        table.grad = None
        embedding(index, table, sparse=True).sum().backward()
        minigrad.nn.utils.clip_grad_norm_([table], 1.0)
        sgd.step()

    step()  # imports what it needs
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000  # a dense gradient takes 3.2 million bytes
