"""What becomes a tensor, and in whose memory: arrays of every kind, lists with tensors, layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad.errors import DTypeError


def test_tensor_copies_and_as_tensor_shares() -> None:
    array = np.arange(3.0)
    copied, shared = minigrad.tensor(array), minigrad.as_tensor(array)
    array[0] = 7
    assert copied.tolist() == [0, 1, 2] and shared.tolist() == [7, 1, 2]
    assert not np.shares_memory(minigrad.as_tensor(array, dtype=minigrad.float32).numpy(), array)
    assert np.shares_memory(minigrad.from_numpy(array).numpy(), array)
    assert np.shares_memory(minigrad.asarray(array).numpy(), array)
    assert not np.shares_memory(minigrad.asarray(array, copy=True).numpy(), array)


def test_as_tensor_gives_the_tensor_itself() -> None:
    x = minigrad.ones(2, requires_grad=True)
    assert minigrad.as_tensor(x) is x
    assert not minigrad.tensor(x).requires_grad


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"])
def test_an_array_keeps_its_dtype(dtype: str) -> None:
    assert str(minigrad.tensor(np.ones(2, dtype)).dtype) == dtype


@pytest.mark.parametrize(
    "dtype", ["int8", "uint16", "uint32", "uint64", "complex64", "longdouble", "datetime64[s]", object, "U1"]
)
def test_an_array_of_a_dtype_that_we_lack_is_refused_in_words(dtype: object) -> None:
    array = np.zeros(2, dtype)
    for call in (minigrad.tensor, minigrad.as_tensor, minigrad.from_numpy):
        with pytest.raises(DTypeError, match=rf"{call.__name__}.*expected one of bool, uint8.*Convert it"):
            call(array)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "uint64", "longdouble"])
def test_an_array_of_numbers_is_converted_to_a_dtype_that_is_named(dtype: str) -> None:
    assert minigrad.tensor(np.full(2, 3, dtype), dtype=minigrad.float32).tolist() == [3, 3]


@pytest.mark.parametrize("dtype", ["complex64", object])
def test_an_array_of_no_numbers_is_not(dtype: object) -> None:
    with pytest.raises(DTypeError, match="tensor: data: expected numbers, got an array of dtype"):
        minigrad.tensor(np.zeros(2, dtype), dtype=minigrad.float32)


def test_bytes_in_foreign_order_are_put_right() -> None:
    for kind in (">f4", ">i8", ">f8"):
        made = minigrad.tensor(np.array([1, 2], kind))
        assert made.dtype == np.dtype(kind[1:]) and made.dtype.isnative and made.tolist() == [1, 2]
    with pytest.raises(DTypeError, match="from_numpy"):
        minigrad.from_numpy(np.array([1.0], ">f4"))


def test_subclasses_become_plain_arrays_in_the_same_memory(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "numbers", np.float32, "w+", shape=(3,))
    for call in (minigrad.as_tensor, minigrad.from_numpy):
        made = call(mapped)
        assert type(made.array) is np.ndarray and np.shares_memory(made.numpy(), mapped)
    assert type(minigrad.tensor(np.ones((2, 2)).view(np.recarray)).array) is np.ndarray


def test_anything_with_an_array_inside_is_read() -> None:
    class Picture:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.ones((2, 2), np.uint8)

    assert minigrad.tensor(Picture()).dtype == minigrad.uint8
    assert minigrad.tensor([Picture(), Picture()]).shape == (2, 2, 2)


def test_numpy_numbers_keep_their_dtype_and_python_numbers_take_the_default() -> None:
    assert minigrad.tensor(np.float64(1)).dtype == minigrad.float64
    assert minigrad.tensor([np.int32(1)]).dtype == minigrad.int32
    assert minigrad.tensor([np.ones(2), np.ones(2)]).dtype == minigrad.float64
    assert minigrad.tensor([1.0, np.float64(1)]).dtype == minigrad.float64
    minigrad.set_default_dtype(minigrad.float64)
    try:
        assert minigrad.tensor([1.0]).dtype == minigrad.zeros(1).dtype == minigrad.arange(1.0).dtype == minigrad.float64
    finally:
        minigrad.set_default_dtype(minigrad.float32)


def test_tensors_in_a_list_are_laid_beside_each_other() -> None:
    rows = [minigrad.tensor([1, 2]), minigrad.tensor([3.5, 4])]
    assert minigrad.tensor(rows).tolist() == [[1, 2], [3.5, 4]]
    assert minigrad.tensor([[minigrad.tensor(1.0, requires_grad=True)]]).requires_grad is False


def test_copies_and_likes_keep_the_order_of_memory() -> None:
    x = minigrad.from_numpy(np.zeros((2, 3, 4, 5), np.float32).transpose(0, 3, 1, 2))
    for made in (
        minigrad.tensor(x),
        minigrad.zeros_like(x),
        minigrad.ones_like(x, dtype=minigrad.float64),
        minigrad.full_like(x, 2),
        minigrad.empty_like(x),
    ):
        assert made.stride() == x.stride()


def test_a_leaf_is_made_where_it_is_asked_for() -> None:
    for made in (
        minigrad.zeros(2, requires_grad=True),
        minigrad.full((2,), 1.0, requires_grad=True),
        minigrad.arange(2.0, requires_grad=True),
        minigrad.eye(2, requires_grad=True),
        minigrad.zeros_like(minigrad.ones(2), requires_grad=True),
        minigrad.ones(2).new_full((1,), 2, requires_grad=True),
        minigrad.asarray([1.0], requires_grad=True),
    ):
        assert made.requires_grad and made.is_leaf and made.device == minigrad.get_default_device()


def test_limits_print_as_pytorchs() -> None:
    assert repr(minigrad.finfo()) == (
        "finfo(resolution=1e-06, min=-3.40282e+38, max=3.40282e+38, eps=1.19209e-07, "
        "smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=float32)"
    )
    assert repr(minigrad.iinfo(minigrad.int32)) == "iinfo(min=-2.14748e+09, max=2.14748e+09, dtype=int32)"
