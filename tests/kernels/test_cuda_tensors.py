"""One launch over many tensors: more than a table takes, more than a block takes, in any place and order of memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad.core.device import CPU, device, module_for, move
from minigrad.errors import CudaFault
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.tensors import CHUNK, PIECE, TENSORS, Tables, alike
from minigrad.kernels.update import gpu, hold, vectorised

pytestmark = pytest.mark.emulated
EMULATED = device("emulated")
SGD = {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.2, "nesterov": True, "maximize": False}
SIZES = (CHUNK - 1, 0, 2 * CHUNK + 6, *range(1, TENSORS + 4))


@pytest.fixture(scope="module")
def xp() -> Any:
    return module_for(EMULATED)


def drawn(seed: int, sizes: Any = SIZES) -> list[np.ndarray]:
    source = np.random.default_rng(seed)
    return [source.standard_normal(size).astype(np.float32) for size in sizes]


def there(arrays: list[np.ndarray]) -> list[Any]:
    return [move(each, EMULATED) for each in arrays]


def same(ours: list[Any], wanted: list[np.ndarray]) -> bool:
    return all(np.array_equal(move(one, CPU), other) for one, other in zip(ours, wanted, strict=True))


def test_more_tensors_than_a_table_takes(xp: Any) -> None:
    x, g, b = drawn(0), drawn(1), drawn(2)
    ours = [there(each) for each in (x, g, b)]
    fresh = [k % 3 == 0 for k in range(len(x))]
    with xp.counted() as seen:
        gpu.sgd(*ours, fresh, **SGD)
    vectorised.sgd(x, g, b, fresh, **SGD)
    assert same(ours[0], x) and same(ours[2], b)
    assert (seen.launches, seen.calls, seen.to_device, seen.to_host, seen.synchronisations) == (2, 0, 0, 0, 0)


def test_gradients_are_new_at_each_step(xp: Any) -> None:
    """The table that is kept has the parameters' addresses; the gradients', their alignment too, are written each time."""
    x, b = drawn(3, (40, 7)), drawn(4, (40, 7))
    params, buffers = hold("sgd", params=there(x), momentum_buffers=there(b))
    for step in range(3):
        g = drawn(5 + step, (41, 8))
        shifted = [each[step % 2 :][: len(one)] for each, one in zip(g, x)]  # from a multiple of 16 bytes on, or not
        with xp.counted() as seen:
            gpu.sgd(params, [each[step % 2 :][: len(one)] for each, one in zip(there(g), x)], buffers, (False, False), **SGD)
        vectorised.sgd(x, shifted, b, (False, False), **SGD)
        assert same(params, x) and same(buffers, b), step
        assert seen.launches == 1
    assert len(params.memo) == 1


def test_orders_of_memory(xp: Any) -> None:
    """A parameter in any gapless order, a gradient in another, and one whose parameter has gaps."""
    x, g = (np.random.default_rng(seed).standard_normal((6, 4, 10)).astype(np.float32) for seed in (1, 2))
    wanted = [x.copy(), x[:, :, ::2].copy()]
    ours = [move(x, EMULATED).transpose(2, 0, 1).copy(order="C").transpose(1, 2, 0), move(x, EMULATED)[:, :, ::2]]
    assert [alike([each]) for each in ours] == [True, False]
    given = [g, g[:, :, ::2].copy()]
    settings = {**SGD, "momentum": 0.0, "nesterov": False}
    gpu.sgd(ours, there(given), (), (), **settings)
    vectorised.sgd(wanted, given, (), (), **settings)
    assert same(ours, wanted)


def test_a_norm_over_several_tables_and_blocks_clips(xp: Any) -> None:
    g = drawn(9)
    ours = there(g)
    with xp.counted() as seen:
        found = gpu.norm(ours, 2.0)
        gpu.clip_norm(ours, found, 1.0)
    assert (seen.launches, seen.to_host, seen.to_device, seen.synchronisations) == (5, 0, 0, 0)
    assert float(found) == pytest.approx(float(vectorised.norm(g, 2.0)), rel=1e-12)
    assert float(gpu.norm(ours, 2.0)) == pytest.approx(1.0, rel=1e-5)


def test_what_is_within_the_bound_stays_as_it_is(xp: Any) -> None:
    g = drawn(10, (9,))
    ours = there(g)
    gpu.clip_norm(ours, move(np.array(0.5), EMULATED), 1.0)
    assert same(ours, g)


def test_a_tensor_beyond_what_a_row_counts_has_several_rows() -> None:
    tables = Tables([5, PIECE + 2], np.dtype("float64"))
    tables.place(0, [1 << 20, 1 << 40])
    tables.settle(flags=[4, 2], factors=[(1.0, 2.0), (3.0, 4.0)])
    ((rows, _, _),) = tables._pieces
    assert rows["array"][:, 0].tolist() == [1 << 20, 1 << 40, (1 << 40) + 8 * PIECE]
    assert rows["size"].tolist() == [5, PIECE, 2]
    assert rows["first_block"].tolist() == [0, 1, 1 + PIECE // CHUNK]
    assert tables.blocks == [2 + PIECE // CHUNK]
    assert rows["flags"].tolist() == [5, 3, 3]
    assert rows["factor"].tolist() == [[1, 2], [3, 4], [3, 4]]


TOO_FAR = """
#include "tensors.cuh"
struct Shifted {
    static const int arrays = 2, written = 1;
    __device__ void operator()(float (&of)[2], const Tensor<float>& tensor) const { of[0] = tensor.array[1][tensor.size]; }
};
template <typename Real>
__global__ void shifted(const __grid_constant__ Tensors<Real> tensors) {
    Shifted rule;
    for_each_element(tensors, rule);
}
"""


def test_an_access_past_an_array_of_a_table_is_found(tmp_path: Any, xp: Any) -> None:
    """Also where other arrays lie behind it."""
    from minigrad.emulator.cupy.raw import launches

    (tmp_path / "far.cu").write_text(TOO_FAR)
    x, y, z = xp.zeros(128, "float32"), xp.zeros(128, "float32"), xp.zeros(128, "float32")
    tables = Tables([128], np.dtype("float32"))
    for place, each in enumerate((x, y)):
        tables.place(place, [each.data.ptr])
    tables.settle()
    with launches("checked"), pytest.raises(CudaFault, match=r"reads 4 bytes.*byte 512 of 512") as caught:
        tables.launch(Program(str(tmp_path / "far.cu"))["shifted", "float32"], like=z)
    assert caught.value.findings[0].place.text.endswith("of[0] = tensor.array[1][tensor.size]; }")
