"""The transforms of Winograd's convolutions, M X Mᵀ of small matrices of vectors, made straight in LLVM's terms. Loads Numba.

An entry of X is a vector of channels, so that the sums run over whole registers, and the matrices' zeros and ones cost nothing.
Where two rows of M differ in signs only, as those of the points p and −p do, they are e + o and e − o of one e and one o; two
such columns meet x + x' and x − x'. That saves a third of the operations.

The matrices of F(m, r), m outputs of r taps, are Toom and Cook's for m + r − 2 points and infinity: polynomials are evaluated
at the points, multiplied, and put together again (Blahut, "Fast Algorithms for Digital Signal Processing", 1985). The points
decide about the error; these are small and lie apart (Barabasz et al., arXiv:1803.10986, have the analysis).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Matrix = tuple[tuple[float, ...], ...]

I64 = ir.IntType(64)
CONTRACT = ("contract",)  # a product and a sum may become one operation of one rounding


def sandwich(matrix: Matrix, real: Any, lanes: int, bounded: bool = False, guarded: bool = False) -> Any:
    """``word(src, src_row, src_column, dst, dst_row, dst_column)``: dst = M · src · Mᵀ, distances in elements.

    With ``bounded`` two more arguments follow, ``bias`` and ``least``: dst = max(least, M · src · Mᵀ + bias). With ``guarded``
    six: ``y``, ``x``, ``step``, ``height``, ``width`` and ``zeros``: entry (i, j) of src is pixel (y + i step, x + j step) of
    an image, and one outside of it is read from ``zeros``.
    """
    pointer = types.CPointer(real)
    scalar = ir.FloatType() if real == types.float32 else ir.DoubleType()
    align = 4 if real == types.float32 else 8
    vector = ir.VectorType(scalar, lanes)
    size = len(matrix[0])

    def spread(b: Any, value: Any) -> Any:
        undefined = ir.Constant(vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        return b.shuffle_vector(b.insert_element(undefined, value, ir.IntType(32)(0)), undefined, zeros)

    def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
        src, src_row, src_column, dst, dst_row, dst_column, *rest = args

        def at(base: Any, row: Any, column: Any, i: int, j: int) -> Any:
            there = b.add(b.mul(row, I64(i)), b.mul(column, I64(j)))
            return b.bitcast(b.gep(base, [there], source_etype=scalar), vector.as_pointer())

        def within(begin: Any, step: Any, end: Any) -> list[Any]:  # what is negative is larger than all as an unsigned number
            return [b.icmp_unsigned("<", b.add(begin, b.mul(step, I64(i))), end) for i in range(size)]

        if guarded:
            y, x, step, height, width, zeros = rest
            rows, columns = within(y, step, height), within(x, step, width)
            nothing = b.bitcast(zeros, vector.as_pointer())
        down = []  # by columns, each of which is done before the next is read
        for j in range(size):
            where = [at(src, src_row, src_column, i, j) for i in range(size)]
            if guarded:
                where = [b.select(b.and_(row, columns[j]), each, nothing) for row, each in zip(rows, where, strict=True)]
            down.append(times(b, vector, lanes, matrix, [b.load(each, align=align) for each in where]))
        if bounded:
            bias = b.load(b.bitcast(rest[0], vector.as_pointer()), align=align)
            least = spread(b, rest[1])
        for i in range(len(matrix)):
            for j, value in enumerate(times(b, vector, lanes, matrix, [column[i] for column in down])):
                if bounded:
                    value = b.fadd(value, bias)
                    value = b.select(b.fcmp_ordered("<", value, least), least, value)
                b.store(value, at(dst, dst_row, dst_column, i, j), align=align)
        return _.get_dummy_value()

    arguments = (pointer, types.int64, types.int64) * 2
    if bounded:

        @intrinsic
        def with_bounds(context: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, bias: Any, least: Any) -> Any:
            return types.void(*arguments, pointer, real), make

        return with_bounds
    if guarded:

        @intrinsic
        def with_guard(
            context: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, y: Any, x: Any, g: Any, h: Any, w: Any, zeros: Any
        ) -> Any:
            return types.void(*arguments, *[types.int64] * 5, pointer), make

        return with_guard

    @intrinsic
    def word(context: Any, src: Any, src_row: Any, src_column: Any, dst: Any, dst_row: Any, dst_column: Any) -> Any:
        return types.void(*arguments), make

    return word


def times(b: Any, vector: Any, lanes: int, matrix: Matrix, values: list[Any]) -> list[Any]:
    """The matrix times a column of vectors."""
    turned = tuple(zip(*matrix, strict=True))
    for k, other in _pairs(turned):  # two columns that differ in signs become their sum and their difference
        values = [*values]
        values[k], values[other] = b.fadd(values[k], values[other]), b.fsub(values[k], values[other])
        sums, differences = _split(turned[k], turned[other])
        turned = tuple(sums if i == k else differences if i == other else column for i, column in enumerate(turned))
    matrix = tuple(zip(*turned, strict=True))
    results: list[Any] = [None] * len(matrix)
    for i, other in _pairs(matrix):
        even, odd = (combined(b, vector, lanes, row, values) for row in _split(matrix[i], matrix[other]))
        results[i], results[other] = b.fadd(even, odd), b.fsub(even, odd)
    return [combined(b, vector, lanes, row, values) if y is None else y for row, y in zip(matrix, results, strict=True)]


def _pairs(rows: Matrix) -> list[tuple[int, int]]:
    """Rows that differ in the signs of some of their entries, and share the others."""
    found: list[tuple[int, int]] = []
    for i, row in enumerate(rows):
        for k in range(i + 1, len(rows)):
            taken = any(i in pair or k in pair for pair in found)
            if not taken and [*map(abs, row)] == [*map(abs, rows[k])] and row != rows[k] and any(
                x == y != 0 for x, y in zip(row, rows[k], strict=True)
            ):  # fmt: skip
                found.append((i, k))
    return found


def _split(row: tuple[float, ...], other: tuple[float, ...]) -> Matrix:
    """A row's entries that another has too, and those that it has with the other sign; zeros in place of the rest."""
    pairs = list(zip(row, other, strict=True))
    return tuple(x if x == y else 0.0 for x, y in pairs), tuple(0.0 if x == y else x for x, y in pairs)


def combined(b: Any, vector: Any, lanes: int, weights: tuple[float, ...], values: list[Any]) -> Any:
    """Σ weight · value, by additions where the weight is 1 or -1."""
    total = None
    for weight, value in sorted(zip(weights, values, strict=True), key=lambda pair: -pair[0]):  # what is added comes first
        if weight == 0:
            continue
        if abs(weight) != 1:
            value = b.fmul(value, ir.Constant(vector, [abs(weight)] * lanes), flags=CONTRACT)
        if total is None:
            total = value if weight > 0 else b.fneg(value)
        else:
            total = b.fadd(total, value, flags=CONTRACT) if weight > 0 else b.fsub(total, value, flags=CONTRACT)
    return total


def toom_cook(outputs: int, taps: int, points: tuple[Fraction, ...]) -> tuple[Matrix, Matrix, Matrix]:
    """Aᵀ, G and Bᵀ of F(outputs, taps)."""
    size = outputs + taps - 1
    down: list[list[Fraction]] = [[Fraction(0)] * size for _ in range(outputs)]
    g, back = [], []
    for j, point in enumerate(points):
        others = [other for k, other in enumerate(points) if k != j]
        scale = Fraction(1)
        for other in others:
            scale *= point - other
        for i in range(outputs):
            down[i][j] = point**i
        g.append([point**k / scale for k in range(taps)])
        back.append([*_polynomial(others), Fraction(0)])
    down[outputs - 1][size - 1] = Fraction(1)
    g.append([Fraction(0)] * (taps - 1) + [Fraction(1)])
    back.append(_polynomial(list(points)))
    return _floats(down), _floats(g), _floats(back)


def _polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Coefficients of Π (x − root), the constant first."""
    found = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *found]
        found = [high - root * low for high, low in zip(shifted, [*found, Fraction(0)], strict=True)]
    return found


def _floats(rows: list[list[Fraction]]) -> Matrix:
    return tuple(tuple(map(float, row)) for row in rows)


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


# ---------------------------------------------------------------------- F(2 x 2, 3 x 3): tiles of 4 x 4

BT = ((1.0, 0.0, -1.0, 0.0), (0.0, 1.0, 1.0, 0.0), (0.0, -1.0, 1.0, 0.0), (0.0, 1.0, 0.0, -1.0))
AT = ((1.0, 1.0, 1.0, 0.0), (0.0, 1.0, -1.0, -1.0))
G = ((1.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.0, 0.0, 1.0))


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


# ---------------------------------------------------------------------- F(4 x 4, 3 x 3) and F(4 x 4, 2 x 2)

POINTS = {
    3: (Fraction(0), Fraction(5, 8), Fraction(-5, 8), Fraction(3, 2), Fraction(-3, 2)),
    2: (Fraction(3, 8), Fraction(-3, 8), Fraction(5, 4), Fraction(-5, 4)),
}


def input_of_3(real: Any, lanes: int) -> Any:
    """Bᵀ d B: 6 x 6 to 6 x 6."""
    return sandwich(toom_cook(4, 3, POINTS[3])[2], real, lanes)


def guarded_input_of_3(real: Any, lanes: int) -> Any:
    """The same, of pixels at an image's edge."""
    return sandwich(toom_cook(4, 3, POINTS[3])[2], real, lanes, guarded=True)


def output_of_3(real: Any, lanes: int) -> Any:
    """max(least, Aᵀ m A + bias): 6 x 6 to 4 x 4."""
    return sandwich(toom_cook(4, 3, POINTS[3])[0], real, lanes, bounded=True)


def gradient_of_3(real: Any, lanes: int) -> Any:
    """A dy Aᵀ: 4 x 4 to 6 x 6."""
    return sandwich(_transposed(toom_cook(4, 3, POINTS[3])[0]), real, lanes)


def weight_of_3(real: Any, lanes: int) -> Any:
    """G g Gᵀ: 3 x 3 to 6 x 6."""
    return sandwich(toom_cook(4, 3, POINTS[3])[1], real, lanes)


def weight_gradient_of_3(real: Any, lanes: int) -> Any:
    """Gᵀ u G: 6 x 6 to 3 x 3."""
    return sandwich(_transposed(toom_cook(4, 3, POINTS[3])[1]), real, lanes)


def input_of_2(real: Any, lanes: int) -> Any:
    """Bᵀ d B: 5 x 5 to 5 x 5."""
    return sandwich(toom_cook(4, 2, POINTS[2])[2], real, lanes)


def guarded_input_of_2(real: Any, lanes: int) -> Any:
    """The same, of pixels at an image's edge."""
    return sandwich(toom_cook(4, 2, POINTS[2])[2], real, lanes, guarded=True)


def output_of_2(real: Any, lanes: int) -> Any:
    """max(least, Aᵀ m A + bias): 5 x 5 to 4 x 4."""
    return sandwich(toom_cook(4, 2, POINTS[2])[0], real, lanes, bounded=True)


def gradient_of_2(real: Any, lanes: int) -> Any:
    """A dy Aᵀ: 4 x 4 to 5 x 5."""
    return sandwich(_transposed(toom_cook(4, 2, POINTS[2])[0]), real, lanes)


def weight_of_2(real: Any, lanes: int) -> Any:
    """G g Gᵀ: 2 x 2 to 5 x 5."""
    return sandwich(toom_cook(4, 2, POINTS[2])[1], real, lanes)


def weight_gradient_of_2(real: Any, lanes: int) -> Any:
    """Gᵀ u G: 5 x 5 to 2 x 2."""
    return sandwich(_transposed(toom_cook(4, 2, POINTS[2])[1]), real, lanes)
