"""The transforms of Winograd's convolution, M X Mᵀ of small matrices of vectors, made straight in LLVM's terms. Loads Numba.

An entry of X is a vector of channels, so that the sums run over whole registers, and the matrices' zeros and ones cost nothing.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Matrix = tuple[tuple[float, ...], ...]

I64 = ir.IntType(64)


def sandwich(matrix: Matrix, real: Any, lanes: int) -> Any:
    """``word(src, src_row, src_column, dst, dst_row, dst_column)``: dst = M · src · Mᵀ, distances in elements."""
    pointer = types.CPointer(real)
    scalar = ir.FloatType() if real == types.float32 else ir.DoubleType()
    align = 4 if real == types.float32 else 8
    vector = ir.VectorType(scalar, lanes)
    size = len(matrix[0])

    def combined(b: Any, weights: tuple[float, ...], values: list[Any]) -> Any:
        """Σ weight · value, by additions where the weight is 1 or -1."""
        total = None
        for weight, value in sorted(zip(weights, values, strict=True), key=lambda pair: -pair[0]):  # what is added comes first
            if weight == 0:
                continue
            if abs(weight) != 1:
                value = b.fmul(value, ir.Constant(vector, [abs(weight)] * lanes))
            if total is None:
                total = value if weight > 0 else b.fneg(value)
            else:
                total = b.fadd(total, value) if weight > 0 else b.fsub(total, value)
        return total

    @intrinsic
    def word(context: Any, src: Any, src_row: Any, src_column: Any, dst: Any, dst_row: Any, dst_column: Any) -> Any:
        def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
            src, src_row, src_column, dst, dst_row, dst_column = args

            def at(base: Any, row: Any, column: Any, i: int, j: int) -> Any:
                there = b.add(b.mul(row, I64(i)), b.mul(column, I64(j)))
                return b.bitcast(b.gep(base, [there], source_etype=scalar), vector.as_pointer())

            x = [[b.load(at(src, src_row, src_column, i, j), align=align) for j in range(size)] for i in range(size)]
            down = [[combined(b, row, [x[k][j] for k in range(size)]) for j in range(size)] for row in matrix]
            for i, line in enumerate(down):
                for j, column in enumerate(matrix):
                    b.store(combined(b, column, line), at(dst, dst_row, dst_column, i, j), align=align)
            return _.get_dummy_value()

        return types.void(pointer, types.int64, types.int64, pointer, types.int64, types.int64), make

    return word


BT = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
AT = ((1, 1, 1, 0), (0, 1, -1, -1))
G = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def of_input(real: Any, lanes: int) -> Any:
    """Bᵀ d B: 4 x 4 to 4 x 4."""
    return sandwich(BT, real, lanes)


def of_output(real: Any, lanes: int) -> Any:
    """Aᵀ m A: 4 x 4 to 2 x 2."""
    return sandwich(AT, real, lanes)


def of_gradient(real: Any, lanes: int) -> Any:
    """A dy Aᵀ: 2 x 2 to 4 x 4."""
    return sandwich(_transposed(AT), real, lanes)


def of_weight(real: Any, lanes: int) -> Any:
    """G g Gᵀ: 3 x 3 to 4 x 4."""
    return sandwich(G, real, lanes)


def of_weight_gradient(real: Any, lanes: int) -> Any:
    """Gᵀ u G: 4 x 4 to 3 x 3."""
    return sandwich(_transposed(G), real, lanes)
