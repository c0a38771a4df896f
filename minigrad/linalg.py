"""Linear algebra, under PyTorch's names: norms, inverse, equations, determinant, Cholesky's factor, products."""

from minigrad.ops.linalg import matmul
from minigrad.ops.matrices import cholesky, cross, det, inv, matrix_norm, norm, solve, vector_norm

__all__ = ["cholesky", "cross", "det", "inv", "matmul", "matrix_norm", "norm", "solve", "vector_norm"]
