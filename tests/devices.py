"""The tests of the engine once more, every tensor on another device: ``MINIGRAD_DEVICE=emulated``, as ``make devices`` sets it.

Tensors are made on the default device, so that the same tests run there. What they read with ``numpy()`` is brought back.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

import minigrad
from minigrad.core.device import array_module, module_for

# Tests that have no meaning there, by the beginning of their name, and why.
LEFT_OUT = {
    "tests/test_elementwise_layout.py": "the layout of results in memory: CuPy's elementwise results lie in C order",
    "tests/test_image_layout.py": "the layout of results in memory: CuPy's elementwise results lie in C order",
    "tests/test_sums.py::test_many_rows_are_summed_more_exactly": "the stand-in sums as NumPy does, not as a GPU would",
    "tests/test_sums.py::test_a_bias_gets_the_exact_sum_too": "the stand-in sums as NumPy does, not as a GPU would",
    "tests/test_convolution.py::test_a_bias_has_the_exact_sum": "the stand-in sums as NumPy does, not as a GPU would",
    "tests/test_optim.py::test_refusal_says_what_to_do[Clone the tensor first]": "no memory of a GPU is read-only",
    "tests/test_autograd.py::test_a_chain_of_100_000_ops": "the walk is the CPU's too, and the stand-in takes over a minute",
    "tests/test_inplace.py::test_refusals[read-only]": "no memory of a GPU is read-only",
    "tests/test_creation.py::test_tensor_copies_and_as_tensor_shares": "no array of NumPy's shares memory with a GPU's",
    "tests/test_creation.py::test_subclasses_become_plain_arrays": "no array of NumPy's shares memory with a GPU's",
    "tests/test_views.py::test_joins_and_slices_of_images": "the layout of results in memory: CuPy's lie in C order",
    "tests/test_sparse.py::test_other_ops_see_the_whole": "its rows are made of NumPy arrays",
}


def asked() -> str:
    """The device on which the tests are to run; empty for the CPU."""
    where = os.environ.get("MINIGRAD_DEVICE", "cpu")
    return "" if where == "cpu" else where


def reason(test: str) -> str:
    """Why a test is left out; empty for the others."""
    return next((why for name, why in LEFT_OUT.items() if test.startswith(name)), "")


@contextlib.contextmanager
def read_back() -> Iterator[None]:
    """Let ``Tensor.numpy`` copy from the device, and ``from_numpy`` to it."""
    where = asked()
    if not where:
        yield
        return
    numpy, from_numpy = minigrad.Tensor.numpy, minigrad.from_numpy

    @functools.wraps(from_numpy)
    def sent(array: np.ndarray) -> minigrad.Tensor:
        return from_numpy(array).to(where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minigrad.Tensor, "numpy", lambda tensor, *, force=False: numpy(tensor.cpu(), force=force))
        patch.setattr(minigrad, "from_numpy", sent)
        yield


def put(tensor: minigrad.Tensor, numbers: np.ndarray) -> None:
    """Write NumPy's numbers into the memory of a tensor, wherever it lies, behind the tape's back."""
    tensor.array[...] = array_module(tensor.array).asarray(numbers, dtype=tensor.array.dtype)


def share_memory(one: minigrad.Tensor, other: minigrad.Tensor) -> bool:
    """Whether two tensors of one device have memory in common."""
    return bool(array_module(one.array).shares_memory(one.array, other.array))


@contextlib.contextmanager
def at_most(count: int) -> Iterator[None]:
    """Fail the test whose block takes as many bytes at a time: counted on the CPU, not to be had on another device."""
    where = minigrad.get_default_device()
    if where.type == "cpu":
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            yield
            assert tracemalloc.get_traced_memory()[1] - before < count
        finally:
            tracemalloc.stop()
        return
    pool = module_for(where).get_default_memory_pool()
    gc.collect()
    pool.free_all_blocks()
    limit = pool.get_limit()
    pool.set_limit(size=pool.total_bytes() + count)
    try:
        yield
    finally:
        pool.set_limit(size=limit)
