"""What a kernel with a contract of its own is held to: its results unwritten before, and errors of the contract told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.errors import KernelError
from minigrad.kernels import CudaKernel, emulation
from tests.shape_images import Commands


def kernel(folder: Path, text: str, **changed: Any) -> CudaKernel:
    """One of 40 numbers, a thread for each."""
    (folder / "own.cu").write_text(text)

    def arguments(rng: np.random.Generator, n: int) -> dict[str, Any]:
        return {"x": np.ones(n, "float32"), "y": np.empty(n, "float32")}

    made: dict[str, Any] = {"cases": [{"n": 40}], "arguments": arguments, "reference": lambda x: x, "grid": 1, "block": 40}
    return CudaKernel(str(folder / "own.cu"), "own", **{**made, **changed})


@pytest.mark.parametrize("type_", ["float", "int"])
def test_a_result_is_not_read_before_it_is_written(tmp_path: Path, type_: str) -> None:
    """Whatever comes of it."""
    dtype = {"float": "float32", "int": "int32"}[type_]
    own = kernel(
        tmp_path,
        f'extern "C" __global__ void own(const {type_}* x, {type_}* y) {{ y[threadIdx.x] = y[threadIdx.x] == 9 ? 9 : *x; }}',
        arguments=lambda rng, n: {"x": np.ones(n, dtype), "y": np.empty(n, dtype)},
    )
    (failure,) = emulation.check_own(own).failures
    assert failure.check == "checked" and "the thread reads y, byte 0 of 160" in failure.words


COPY = 'extern "C" __global__ void own(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }'


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"reference": lambda x: 1 / 0}, r"reference.* got ZeroDivisionError: division by zero .*test_own_contracts\.py, line"),
        ({"grid": lambda m: 1}, "grid.* got TypeError: .*unexpected keyword argument 'n'"),
        ({"arguments": lambda rng, n: [n]}, "arguments: expected a dict by names of parameters, got a list"),
    ],
)
def test_functions_of_a_contract_that_fail(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(KernelError, match=words):
        emulation.check_own(kernel(tmp_path, COPY, **changed))


def test_one_wrong_contract_does_not_end_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.cu").write_text(COPY)
    (tmp_path / "own.py").write_text("""\
import numpy as np
from minigrad.kernels import CudaKernel

def kernel(reference, name="own"):
    arguments = lambda rng, n: {"x": np.ones(n, "float32"), "y": np.empty(n, "float32")}
    return CudaKernel("own.cu", name, cases=[{"n": 3}], arguments=arguments, reference=reference, grid=1, block=3)

A, B, C, D = kernel(lambda x: 1 / 0), kernel(lambda x: x), kernel(lambda x: x + 1), kernel(len, "none")
""")
    code, out, err = Commands(capsys)("kernels", "check", str(tmp_path / "own.py"), "--emulate")
    assert code == 2 and "ZeroDivisionError: division by zero (own.py, line 8)" in err and "'none'" in err
    assert out.count("own of own.cu: 1 case") == 2 and "y[0]: expected 2" in err
