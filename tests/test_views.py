"""Which results share memory with their input, what cutting and joining costs, and what layouts products meet."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core.device import array_module
from minigrad.kernels.layout import channels_last, is_channels_last
from minigrad.kernels.matmul import vectorised
from minigrad.ops.shape import can_view
from tests import devices

VIEWS: dict[str, Callable[[Any], Any]] = {
    "reshape": lambda x: x.reshape(6, 4),
    "view": lambda x: x.view(-1),
    "flatten": lambda x: x.flatten(1),
    "ravel": lambda x: x.ravel(),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "squeeze": lambda x: x.squeeze(),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "permute": lambda x: x.permute(2, 0, 1),
    "transpose": lambda x: x.transpose(0, 1),
    "mT": lambda x: x.mT,
    "movedim": lambda x: x.movedim(0, 2),
    "expand": lambda x: x.expand(5, 2, 3, 4),
    "broadcast_to": lambda x: x.broadcast_to((1, 2, 3, 4)),
    "select": lambda x: x.select(1, 2),
    "narrow": lambda x: x.narrow(2, 1, 2),
    "number": lambda x: x[1],
    "numbers": lambda x: x[1, 2, 3],
    "slices": lambda x: x[:, ::2, None, ..., 1:3],
    "split": lambda x: x.split(2, dim=2)[1],
    "chunk": lambda x: x.chunk(3, dim=1)[2],
    "tensor_split": lambda x: x.tensor_split((1, 3), dim=2)[1],
    "unbind": lambda x: x.unbind(1)[0],
    "iteration": lambda x: next(iter(x)),
    "diagonal": lambda x: x.diagonal(1, 1, 2),
    "unfold": lambda x: x.unfold(2, 2, 1),
    "meshgrid": lambda x: minigrad.meshgrid(x[0, 0], x[0, 1])[0],
    "atleast": lambda x: minigrad.atleast_3d(x[0, 0]),
}
COPIES: dict[str, Callable[[Any], Any]] = {
    "reshape of a transpose": lambda x: x.transpose(0, 1).reshape(-1),
    "flip": lambda x: x.flip(0),
    "roll": lambda x: x.roll(0, 0),
    "rot90": lambda x: x.rot90(0),
    "repeat": lambda x: x.repeat(1, 1, 1),
    "tril": lambda x: x.tril(9),
    "diag": lambda x: x[0].diag(),
    "index tensor": lambda x: x[minigrad.arange(2)],
    "mask": lambda x: x[x == x],
    "index_select": lambda x: x.index_select(0, minigrad.arange(2)),
    "cat": lambda x: minigrad.cat([x]),
    "stack": lambda x: minigrad.stack([x]),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shares_memory_and_version(name: str) -> None:
    x = minigrad.from_numpy(np.arange(24.0).reshape(2, 3, 4).copy())
    view = VIEWS[name](x)
    assert devices.share_memory(view, x)
    x.add_(1)
    assert view._version == x._version > 0


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_shares_neither(name: str) -> None:
    x = minigrad.from_numpy(np.arange(24.0).reshape(2, 3, 4).copy())
    copy = COPIES[name](x)
    assert not devices.share_memory(copy, x)
    x.add_(1)
    assert copy._version == 0


def test_views_can_be_written_to() -> None:
    x = minigrad.zeros(3, 3)
    x.diagonal().fill_(1)
    x[0].add_(2)
    x.unbind(1)[2][1] = 7
    assert x.tolist() == [[3, 2, 2], [0, 1, 7], [0, 0, 1]]


def test_whether_a_shape_can_be_viewed_agrees_with_numpy() -> None:
    rng = np.random.default_rng(0)
    shapes = [(2, 3, 4), (6, 4), (24,), (2, 12), (4, 6), (1, 24, 1), (2, 1, 3, 4), (3, 8), (2, 2, 6), (4, 3, 2)]
    views = 0
    for _ in range(400):
        array = np.arange(48.0).reshape(2, 2, 3, 4)[:, rng.integers(0, 2)].transpose(rng.permutation(3))
        if rng.random() < 0.3:
            array = np.broadcast_to(array[:1], (2, *array.shape[1:]))
        for shape in shapes:
            if int(np.prod(shape)) != array.size:
                continue
            shared = np.shares_memory(array.reshape(shape), array)
            assert can_view(array.shape, array.strides, shape) == shared
            views += shared
    assert 0 < views < 400 * len(shapes)


def _peak(function: Callable[[], Any]) -> int:
    function()
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "cut", [lambda x: x.unbind(0), lambda x: x.split(1), lambda x: x.chunk(64), list], ids=["unbind", "split", "chunk", "list"]
)
def test_the_gradient_of_cutting_costs_as_much_as_the_tensor_not_times_the_parts(cut: Callable[[Any], Any]) -> None:
    x = minigrad.ones(64, 4096, requires_grad=True)

    def run() -> None:
        x.grad = None
        parts = [part * 2 for part in cut(x)]
        total = parts[0].sum()
        for part in parts[1:]:
            total = total + part.sum()
        total.backward()

    assert _peak(run) < 8 * x.nbytes  # 64 arrays of zeros would be 64
    assert x.grad.tolist()[63][4095] == 2


def test_joins_and_slices_of_images_stay_channels_last() -> None:
    x = minigrad.from_numpy(channels_last(np.ones((2, 3, 4, 5), np.float32))).requires_grad_()
    for y in (
        minigrad.cat([x, x], 1),
        minigrad.cat([x, x], 0),
        x[:, 1:],
        x[..., 1:3],
        x[:, :, ::2],
        x.split(1, 1)[1],
        x.flip(3),
    ):
        (dx,) = minigrad.autograd.grad((y * y).sum(), x)
        assert is_channels_last(dx.array)
    assert is_channels_last(minigrad.cat([x, x], 1).array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_hand_blas_nothing_else_than_rows_or_columns_without_gaps(monkeypatch: pytest.MonkeyPatch, dtype: Any) -> None:
    met = []

    class Watch:
        def __init__(self, array: Any) -> None:
            self.xp = array_module(array)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.xp, name)

        def matmul(self, a: Any, b: Any, out: Any = None) -> Any:
            for x in (a, b):
                rows, columns = x.shape[-2:]
                down, right = (step // x.itemsize for step in x.strides[-2:])
                met.append((right == 1 and down >= columns) or (down == 1 and right >= rows))
            return self.xp.matmul(a, b, out=out)

    monkeypatch.setattr(vectorised, "array_module", Watch)
    rng = np.random.default_rng(0)
    a = minigrad.from_numpy(rng.standard_normal((8, 6, 4, 2)).astype(dtype)[:, ::2, :, 0]).requires_grad_()  # gaps everywhere
    b = minigrad.from_numpy(rng.standard_normal((4, 5)).astype(dtype)).requires_grad_()
    (a @ b).sum().backward()  # the gradient of sum has strides of 0
    minigrad.einsum("bij,jk->kbi", a, b).sum().backward()
    minigrad.einsum("bij,bkj->bik", a, a.flip(1)).sum().backward()
    (b.t() @ a.mT).sum().backward()
    assert len(met) > 16 and all(met)


def test_float16_products_are_summed_in_float32() -> None:
    x = minigrad.ones(1, 4096, dtype=minigrad.float16)
    assert (x @ x.t()).item() == 4096 and (x @ x.t()).dtype == minigrad.float16


def test_an_index_tensor_that_changed_since_is_noticed() -> None:
    x, i = minigrad.ones(3, requires_grad=True), minigrad.tensor([0, 2])
    y = x[i].sum()
    i.add_(-1)
    with pytest.raises(minigrad.errors.GradError, match="in-place"):
        y.backward()


def test_gradients_of_repeated_places_add_up_for_many_indices() -> None:
    rng = np.random.default_rng(0)
    for shape, index in (
        ((50, 3), (rng.integers(-50, 50, 200),)),
        ((4, 5, 6), (slice(None), rng.integers(0, 5, (7, 2)))),
        ((4, 5, 6), (rng.integers(0, 4, 9), slice(None), rng.integers(-6, 6, 9))),
        ((4, 5, 6), (rng.integers(0, 4, (3, 1)), rng.integers(0, 5, 4))),
        ((4, 5, 6, 2), (slice(None), rng.integers(0, 5, 4), rng.integers(0, 6, (2, 4)))),
        ((4, 5, 6), (rng.random((4, 5)) < 0.5, slice(None))),
        ((3, 4, 5), (rng.integers(0, 3, 6), slice(None), np.array([True, False, True, True, True, True]).nonzero()[0][:1])),
    ):
        x = minigrad.from_numpy(rng.standard_normal(shape)).requires_grad_()
        y = x[tuple(minigrad.from_numpy(part) if isinstance(part, np.ndarray) else part for part in index)]
        dy = rng.standard_normal(tuple(y.shape))
        y.backward(minigrad.from_numpy(dy))
        slow = np.zeros(shape)
        np.add.at(slow, index, dy)
        np.testing.assert_allclose(x.grad.numpy(), slow, rtol=1e-12, atol=1e-12)
