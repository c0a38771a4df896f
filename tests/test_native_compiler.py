"""What compiling loads of Numba and SciPy, and that Numba is as it was afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.native

ROOT = Path(__file__).parent.parent
PROGRAM = """
import sys
import numpy as np
from minigrad.kernels.elementwise.cpu import increase

increase.prepare("float32")
print("numba" in sys.modules, "scipy.linalg" in sys.modules)

import numba
from numba.np import arraymath, linalg

a = np.arange(6.0).reshape(2, 3)
print(arraymath.ensure_blas is linalg.ensure_blas, linalg.ensure_blas.__name__)
print((numba.njit(lambda x, y: x @ y)(a, a.T.copy()) == a @ a.T).all(), "scipy.linalg" in sys.modules)
"""


def test_compiling_loads_no_linear_algebra_and_leaves_numba_s_as_it_was(tmp_path: Path) -> None:
    environment = os.environ | {"MINIGRAD_CACHE": str(tmp_path), "MINIGRAD_COMPANIONS": "0"}
    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split("\n") == ["True False", "True ensure_blas", "True True", ""], done.stderr


BRIEF = """
import numba
import numpy as np
from numba.core import base, byteflow, interpreter, ir, lowering, ssa, transforms, typeinfer

def all_of():
    modules = (base, byteflow, interpreter, ir, lowering, ssa, transforms, typeinfer)
    return [{name: id(value) for name, value in vars(module).items()} for module in modules] + [
        id(ir.Inst._rec_list_vars), id(base.BaseContext.refresh), id(base.BaseContext.get_abi_sizeof)]

from minigrad.kernels.native import Ints, kernel
from minigrad.errors import KernelError

@kernel
def empty(x: Ints, part: int, parts: int) -> None:
    x[0] = 1

@kernel
def wrong(x: Ints, part: int, parts: int) -> None:
    for i in range(3):
        x[i] = x[i] + "one"

empty.prepare("float32")
before = all_of()
try:
    wrong.prepare("float32")
except KernelError as error:
    print("wrong" in str(error), 'x[i] + "one"' in str(error))
print(all_of() == before)
"""


def test_numba_is_as_it_was_after_a_kernel_that_it_refuses_and_the_place_is_named(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(BRIEF, encoding="utf-8")
    environment = os.environ | {"MINIGRAD_CACHE": str(tmp_path), "MINIGRAD_COMPANIONS": "0"}
    done = subprocess.run([sys.executable, str(file)], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split("\n") == ["True True", "True", ""], done.stderr
