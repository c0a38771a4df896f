"""What compiling loads of Numba and SciPy, and that Numba is as it was afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
