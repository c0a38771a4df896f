"""A strip of pixels of a convolution with one channel a group, made straight in LLVM's terms. Loads Numba.

    strip(pixels, x, x_pitch, x_row, x_column, w, w_row, w_column, bias, y, y_pitch, rows, columns, count, least, most)

    Y[p, c] = bias[c] + Σ_r,s X[p, r, s, c] · W[r, s, c], held between least and most      p < pixels, c < count

with X[p, r, s, c] at x + p·x_pitch + r·x_row + s·x_column + c, W[r, s, c] at w + r·w_row + s·w_column + c and Y[p, c] at
y + p·y_pitch + c; all distances are in elements. ``pixels`` is 1 to ``PIXELS``, ``count`` two whole vectors of channels, or one
and less. Nothing beside these channels is read or written.

Why it is fast: sums stay in registers, two vectors for each pixel, over all taps of the kernel, and the weights of a tap are
loaded once for all pixels of the strip: a multiply-add costs 7 / 6 of a load, where sums in memory cost three and a store.
It is the micro-kernel of ``native/microkernel.py`` with a vector of pixels' channels in place of one number.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minigrad.kernels.native.microkernel import Vectors

PIXELS = 6  # sums of twice as many vectors, two of weights, and one that is read: they fit where there are 16 registers
ARGUMENTS = (
    *("pixels", "x", "x_pitch", "x_row", "x_column", "w", "w_row", "w_column", "bias", "y", "y_pitch"),
    *("rows", "columns", "count", "least", "most"),
)
POINTERS, BOUNDS = ("x", "w", "bias", "y"), ("least", "most")


def strip(real: Any, lanes: int) -> Any:
    """The word, for a dtype and a register of so many numbers."""

    @intrinsic
    def strip(
        context: Any, pixels: Any, x: Any, x_pitch: Any, x_row: Any, x_column: Any, w: Any, w_row: Any, w_column: Any,
        bias: Any, y: Any, y_pitch: Any, rows: Any, columns: Any, count: Any, least: Any, most: Any,
    ) -> Any:  # fmt: skip
        pointer = types.CPointer(real)
        kinds = [pointer if n in POINTERS else real if n in BOUNDS else types.int64 for n in ARGUMENTS]

        def make(_: Any, builder: Any, sig: Any, args: Any) -> Any:
            made = _Strip(builder.module, "float32" if real == types.float32 else "float64", lanes)
            given = [builder.bitcast(a, made.pointer) if n in POINTERS else a for n, a in zip(ARGUMENTS, args, strict=True)]
            builder.call(made.entry(), given)
            return _.get_dummy_value()

        return types.void(*kinds), make

    return strip


class _Strip(Vectors):
    """Makes one function for each number of pixels, of two vectors or a part of one, and ``entry``, which chooses."""

    def __init__(self, made: Any, dtype: str, lanes: int) -> None:
        super().__init__(made, dtype, lanes, fused=False)
        kinds = {**dict.fromkeys(POINTERS, self.pointer), **dict.fromkeys(BOUNDS, self.scalar)}
        self.kinds = [kinds.get(each, self.i64) for each in ARGUMENTS]

    def entry(self) -> Any:
        """``switch`` on the number of pixels."""
        name = f"strip_{self.dtype}"
        if (there := self.module.globals.get(name)) is not None:
            return there
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), self.kinds), name)
        function.linkage = "internal"
        block = ir.IRBuilder(function.append_basic_block())
        end = function.append_basic_block("end")
        ir.IRBuilder(end).ret_void()
        at = dict(zip(ARGUMENTS, function.args, strict=True))
        two = block.icmp_signed(">", at["count"], self.i64(self.lanes))
        ways = [function.append_basic_block(each) for each in ("wide", "narrow")]
        block.cbranch(two, *ways)
        for vectors, way in zip((2, 1), ways, strict=True):
            switch = ir.IRBuilder(way).switch(at["pixels"], end)
            for pixels in range(1, PIXELS + 1):
                case = function.append_basic_block()
                inside = ir.IRBuilder(case)
                inside.call(self.pixels_by_vectors(pixels, vectors), function.args[1:], tail=True)
                inside.ret_void()
                switch.add_case(self.i64(pixels), case)
        return function

    def pixels_by_vectors(self, pixels: int, vectors: int) -> Any:
        """The accumulation with ``pixels`` x ``vectors`` registers; a single vector need not be whole."""
        name = f"strip_{self.dtype}_{pixels}_{vectors}"
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), self.kinds[1:]), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        at = dict(zip(ARGUMENTS[1:], function.args, strict=True))
        b = ir.IRBuilder(function.append_basic_block("begin"))
        mask = self._mask(b, at["count"], 0)

        def read(b: Any, pointer: Any, elements: Any) -> list[Any]:
            place = self._at(b, pointer, elements)
            return [self._load(b, place, v) for v in range(2)] if vectors == 2 else [self._load_some(b, place, 0, mask)]

        begins = [self._at(b, at["x"], b.mul(at["x_pitch"], self.i64(p))) for p in range(pixels)]
        sums = read(b, at["bias"], self.i64(0)) * pixels

        def row(b: Any, index: Any, state: list[Any]) -> list[Any]:
            where = [b.mul(index, at["x_row"]), b.mul(index, at["w_row"])]
            return self._loop(b, at["columns"], [*where, *state], tap)[2:]

        def tap(b: Any, index: Any, state: list[Any]) -> list[Any]:
            of_x, of_w, *sums = state
            weights = read(b, at["w"], of_w)
            for p in range(pixels):
                for v, value in enumerate(read(b, begins[p], of_x)):
                    k = p * vectors + v
                    sums[k] = b.call(self.fma, [value, weights[v], sums[k]])
            return [b.add(of_x, at["x_column"]), b.add(of_w, at["w_column"]), *sums]

        sums = self._within(b, self._loop(b, at["rows"], sums, row), at["least"], at["most"])
        for p in range(pixels):
            place = self._at(b, at["y"], b.mul(at["y_pitch"], self.i64(p)))
            for v in range(vectors):
                value = sums[p * vectors + v]
                if vectors == 2:
                    self._store(b, place, value, v)
                else:
                    self._store_some(b, place, value, v, mask)
        b.ret_void()
        return function
