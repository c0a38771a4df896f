"""The tests of ops once more with every tensor on another device: ``MINIGRAD_DEVICE=emulated``, as ``make devices`` sets it.

Tensors are made on the default device, so that the same tests run there. What they read with ``numpy()`` is brought back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

import minigrad

# Tests that have no meaning there, by the beginning of their name, and why.
LEFT_OUT = {
    "tests/test_elementwise_layout.py": "the layout of results in memory: CuPy's elementwise results lie in C order",
    "tests/test_image_layout.py": "the layout of results in memory: CuPy's elementwise results lie in C order",
    "tests/test_sums.py::test_many_rows_are_summed_more_exactly": "the stand-in sums as NumPy does, not as a GPU would",
    "tests/test_sums.py::test_a_bias_gets_the_exact_sum_too": "the stand-in sums as NumPy does, not as a GPU would",
    "tests/test_convolution.py::test_a_bias_has_the_exact_sum": "the stand-in sums as NumPy does, not as a GPU would",
    "tests/test_optim.py::test_refusal_says_what_to_do[Clone the tensor first]": "no memory of a GPU is read-only",
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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minigrad.Tensor, "numpy", lambda tensor, *, force=False: numpy(tensor.cpu(), force=force))
        patch.setattr(minigrad, "from_numpy", lambda array: from_numpy(array).to(where))
        yield
