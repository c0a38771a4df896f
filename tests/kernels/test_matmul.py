"""Products of matrices: drawn shapes beside float64, any strides, blocks of every kind, threads, the ops, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import minigrad
from minigrad import kernels
from minigrad.errors import DTypeError, ShapeError
from minigrad.kernels import matmul, products
from minigrad.kernels.native.budget import divided, thread_count

IMPLEMENTATIONS = [name for name in kernels.available("matmul", "cpu") if name != "reference"]
LAYOUTS = ("C", "transposed", "gaps", "rows apart", "backwards", "one value")


def laid(x: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers in another order of memory; ``one value`` has the first row everywhere."""
    if layout == "transposed":
        return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    if layout == "gaps":
        return np.repeat(x, 2, axis=-1)[..., ::2]
    if layout == "rows apart":
        return np.concatenate([x, np.full((*x.shape[:-1], 3), np.nan, x.dtype)], axis=-1)[..., : x.shape[-1]]
    if layout == "backwards":
        return np.ascontiguousarray(x[..., ::-1, ::-1])[..., ::-1, ::-1]
    if layout == "one value" and x.shape[-2]:
        return np.broadcast_to(x[..., :1, :], x.shape)
    return x


def assert_right(c: np.ndarray, a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None, relu: bool = False) -> None:
    """Near the float64 product, by the contract's tolerance."""
    wanted = np.matmul(a.astype(np.float64), b.astype(np.float64)) + (0 if bias is None else bias)
    wanted = np.maximum(wanted, 0) if relu else wanted
    assert (c.shape, c.dtype) == (wanted.shape, a.dtype)
    allowed = matmul.tolerance("product", a.astype(np.float64), b.astype(np.float64), bias)[0]
    assert (np.abs(c - wanted) <= allowed / np.finfo(np.float64).eps * np.finfo(a.dtype).eps).all()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@hypothesis.settings(max_examples=200, deadline=None, derandomize=True)
@hypothesis.given(data=st.data())
def test_drawn_shapes_beside_float64(name: str, data: Any) -> None:
    sizes = st.integers(1, 70)
    m, k, n = data.draw(st.tuples(sizes, st.integers(0, 70), sizes))
    leads = data.draw(st.sampled_from([((), ()), ((2,), ()), ((3,), (3,)), ((2, 1), (1, 3)), ((), (2,))]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    a, b = (
        laid(rng.standard_normal((*lead, *shape)).astype(dtype), data.draw(st.sampled_from(LAYOUTS)))
        for lead, shape in zip(leads, ((m, k), (k, n)), strict=True)
    )
    bias = rng.standard_normal(n).astype(dtype) if data.draw(st.booleans()) else None
    relu = data.draw(st.booleans())
    with kernels.use(matmul=name), divided(data.draw(st.integers(1, 5))):
        c = matmul.product(a, b, bias, relu=relu)
        assert_right(c, a, b, bias, relu)
        out = laid(np.full(c.shape, np.nan, dtype), data.draw(st.sampled_from(LAYOUTS[:3])))
        matmul.product_into(a, b, out, bias, relu=relu)
        assert_right(out, a, b, bias, relu)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks so small that a product of some hundreds has several of each."""
    products._plan.cache_clear()
    for name, size in (("PANEL", 24 * 64), ("BLOCK_OF_A", 1 << 12), ("BLOCK_OF_B", 1 << 13), ("COLUMNS", 64)):
        monkeypatch.setattr(products, name, size)
    yield
    products._plan.cache_clear()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(150, 100, 190), (61, 24, 65), (13, 49, 301), (301, 25, 40), (29, 120, 129)])
def test_several_blocks_in_every_direction(small_blocks: None, shape: tuple[int, int, int], dtype: Any) -> None:
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b, bias = (rng.standard_normal(each).astype(dtype) for each in ((m, k), (k, n), n))
    for layout_a in LAYOUTS[:4]:
        for layout_b in LAYOUTS[:4]:
            for parts in (1, 2, 3, 4):
                with divided(parts):
                    assert_right(matmul.product(laid(a, layout_a), laid(b, layout_b), bias, relu=True), a, b, bias, True)


@pytest.mark.parametrize("shape", [(400, 900, 300), (5, 700, 2300), (1024, 256, 1100)])
def test_sizes_of_real_blocks(shape: tuple[int, int, int]) -> None:
    """And the bits do not depend on how many threads there are."""
    m, k, n = shape
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((n, k)).astype(np.float32).T
    found = []
    for count in (1, 2, 3):
        with thread_count(count):
            found.append(matmul.product(a, b))
    assert_right(found[0], a, b)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_a_plan_cuts_the_result_whole() -> None:
    """Each value is in one rectangle, and so many rectangles are there that all parts have as many."""
    for m, k, n, parts in ((1024, 256, 8000, 2), (7, 3, 7, 4), (100, 700, 33, 3), (6, 5, 37, 1)):
        a, b, c = np.zeros((m, k)), np.zeros((k, n)), np.zeros((m, n))
        plan, _, _ = products._plan((m, k, n), (), (), a.strides, b.strides, c.strides, c.dtype, parts)
        head, words = len(products.loops.HEAD), products.loops.WORDS
        assert plan[0] == (len(plan) - head) // words
        for _, _, at, left, rows, columns, padded, _ in plan[head:].reshape(-1, words):
            up = (at - left) // n
            assert padded >= columns
            c[up : up + rows, left : left + columns] += 1
        assert (c == 1).all()


def test_relu_keeps_nan_and_infinity() -> None:
    a = np.array([[np.nan, 1.0], [np.inf, 1.0], [-np.inf, 1.0]], np.float32)
    c = matmul.product(a, np.ones((2, 3), np.float32), relu=True)
    np.testing.assert_array_equal(c, np.array([[np.nan] * 3, [np.inf] * 3, [0] * 3], np.float32))


def test_linear_and_matmul_take_the_kernel_where_it_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []
    plain = matmul.product

    def counted(a: Any, b: Any, bias: Any = None, **options: Any) -> Any:
        calls.append((*a.shape, b.shape[-1]))
        return plain(a, b, bias, **options)

    monkeypatch.setattr(matmul, "product", counted)
    x, w = minigrad.randn(96, 64, requires_grad=True), minigrad.randn(80, 64, requires_grad=True)
    y = minigrad.nn.functional.linear(x, w, minigrad.randn(80))
    assert calls == [(96, 64, 80)]
    y.sum().backward()
    assert calls[1:] == [(96, 80, 64), (80, 96, 64)]
    np.testing.assert_allclose(w.grad.numpy(), np.broadcast_to(x.detach().numpy().sum(axis=0), (80, 64)), rtol=1e-4, atol=1e-4)
    calls.clear()
    assert (x[:4] @ w[:4].T).shape == (4, 4) and calls == []
    assert matmul.SMALL < 96 * 64 * 80


def test_refusals() -> None:
    a, b = np.ones((2, 3)), np.ones((3, 4))
    with pytest.raises(ShapeError, match=r"product: a: expected two dimensions at least, got shape \(3,\)"):
        matmul.product(a[0], b)
    with pytest.raises(ShapeError, match=r"product: b: expected 3 rows, as a has columns, got shape \(4, 3\)"):
        matmul.product(a, b.T)
    with pytest.raises(ShapeError, match=r"product: bias: expected shape \(4,\), one value for each column, got shape \(3,\)"):
        matmul.product(a, b, a[0])
    with pytest.raises(ShapeError, match=r"product: b: expected sizes that broadcast with \(2,\) before the last two"):
        matmul.product(np.ones((2, 2, 3)), np.ones((3, 3, 4)))
    with pytest.raises(ShapeError, match=r"product_into: out: expected shape \(2, 4\), as the product has, got shape \(4, 2\)"):
        matmul.product_into(a, b, np.ones((4, 2)))
    with pytest.raises(DTypeError, match="product: b: expected float64, as a has, got float32"):
        matmul.product(a, b.astype(np.float32))
    with pytest.raises(DTypeError, match="product: relu: expected True or False, got int"):
        matmul.product(a, b, relu=1)  # type: ignore[arg-type]
