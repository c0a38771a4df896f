"""The micro-kernel on which convolution, recurrence and matrix product are built: a small outer-product accumulation.

    tile(rows, a, a_pitch, a_step, a_run, b, b_step, init, init_pitch, c, c_pitch, length, runs, columns, least, most)

    C[r, j] = I[r, j] + Σ_run Σ_l A[r, run, l] · B[run · length + l, j], held between least and most      r < rows, j < columns

with A[r, run, l] at a + r·a_pitch + run·a_run + l·a_step, B[k, j] at b + k·b_step + j, I[r, j] at init + r·init_pitch + j and
C[r, j] at c + r·c_pitch + j; all distances are in elements. ``rows`` is 1 to ``tile_rows``, ``columns`` 1 to ``panel``.

The free strides make one micro-kernel serve all products. A walks the channels of a pixel in a convolution, and its pixels in
the gradient to the weight; a packed panel of B is walked from begin to end. ``runs`` are the rows of a convolution's window,
each of which lies gapless in channels-last memory. ``init`` is C itself to add to it, a bias with a pitch of 0, or zeros.
``least`` is 0 and ``most`` inf for a ReLU in the same store, -inf and inf for none (nan stays nan).

B is read in whole vectors: it must be readable, though its values do not matter, up to the next multiple of ``lanes`` after
``columns`` (panels are packed so). C and init are read and written at their ``columns`` only.

Why it is fast: C stays in registers, rows x 2 vectors of them, over the whole sum, so that each step of l costs two loads of
B, one broadcast of A for each row, and rows x 2 fused multiply-adds, which are then what the processor has to wait for and
nothing else. (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008.) What B holds some rows further
on, 2 KB in a packed panel, is asked for meanwhile: a panel that lies in memory, or in the third-level cache, comes as fast as
it is used. The function is made straight in LLVM's terms: the compiler would not keep an array of accumulators in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.kernels.native.target import Target

AHEAD, LINE = 2048, 64  # bytes
ARGUMENTS = (
    *("rows", "a", "a_pitch", "a_step", "a_run", "b", "b_step", "init", "init_pitch", "c", "c_pitch"),
    *("length", "runs", "columns", "least", "most"),
)


def name(dtype: str) -> str:
    """What the micro-kernel is called in machine code."""
    return f"minigrad_tile_{dtype}"


def module(target: Target, dtype: str) -> str:
    """LLVM's text of the micro-kernel for a processor and dtype."""
    from llvmlite import ir

    made = ir.Module(name(dtype))
    made.triple = target.triple
    build = _Builder(target, dtype, made)
    build.entry()
    return str(made)


class Vectors:
    """What functions made straight in LLVM's terms are built of: loops whose values stay in registers, vectors, memory.

    Args:
        made: LLVM's module, which may have functions already.
        dtype: of the numbers, ``"float32"`` or ``"float64"``.
        lanes: numbers of a vector.
        fused: whether the processor multiplies and adds with one rounding. Where it does not, LLVM would call a function for
            each number: there it may round twice.
    """

    def __init__(self, made: Any, dtype: str, lanes: int, fused: bool) -> None:
        from llvmlite import ir

        self.ir, self.dtype, self.module, self.lanes = ir, dtype, made, lanes
        self.scalar = ir.FloatType() if dtype == "float32" else ir.DoubleType()
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.mask = ir.VectorType(ir.IntType(1), self.lanes)
        self.i64, self.i32, self.pointer = ir.IntType(64), ir.IntType(32), ir.PointerType()
        short = f"v{self.lanes}f{32 if dtype == 'float32' else 64}"
        of_fma = [self.vector] * 3
        self.fma = self.declared(f"llvm.{'fma' if fused else 'fmuladd'}.{short}", self.vector, of_fma)
        arguments = [self.pointer, self.i32, self.mask, self.vector]
        self.load_some = self.declared(f"llvm.masked.load.{short}.p0", self.vector, arguments)
        arguments = [self.vector, self.pointer, self.i32, self.mask]
        self.store_some = self.declared(f"llvm.masked.store.{short}.p0", ir.VoidType(), arguments)
        arguments = [self.pointer, self.i32, self.i32, self.i32]
        self.prefetch = self.declared("llvm.prefetch.p0", ir.VoidType(), arguments)

    def declared(self, name: str, result: Any, arguments: list[Any]) -> Any:
        """A function that the module has, or that is defined elsewhere."""
        there = self.module.globals.get(name)
        return self.ir.Function(self.module, self.ir.FunctionType(result, arguments), name) if there is None else there

    def _within(self, b: Any, sums: list[Any], least: Any, most: Any) -> list[Any]:
        """Vectors held between two numbers; nan stays."""
        least, most = self._spread(b, least), self._spread(b, most)
        sums = [b.select(b.fcmp_ordered("<", each, least), least, each) for each in sums]
        return [b.select(b.fcmp_ordered(">", each, most), most, each) for each in sums]

    # ------------------------------------------------------------------ control

    def _loop(self, b: Any, count: Any, state: list[Any], body: Callable[[Any, Any, list[Any]], list[Any]]) -> list[Any]:
        """``for index in range(count): state = body(index, state)``; the builder stands behind it afterwards."""
        before = b.block
        head, inside, after = (b.append_basic_block() for _ in range(3))
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(self.i64)
        held = [b.phi(each.type) for each in state]
        index.add_incoming(self.i64(0), before)
        for phi, value in zip(held, state, strict=True):
            phi.add_incoming(value, before)
        b.cbranch(b.icmp_signed("<", index, count), inside, after)
        b.position_at_end(inside)
        results = body(b, index, held)
        index.add_incoming(b.add(index, self.i64(1)), b.block)
        for phi, value in zip(held, results, strict=True):
            phi.add_incoming(value, b.block)
        b.branch(head)
        b.position_at_end(after)
        return held

    def _either(self, b: Any, condition: Any, yes: Callable[[Any], list[Any]], no: Callable[[Any], list[Any]]) -> list[Any]:
        """The values of ``yes`` or those of ``no``."""
        blocks = [b.append_basic_block() for _ in range(3)]
        b.cbranch(condition, blocks[0], blocks[1])
        results, ends = [], []
        for block, way in zip(blocks, (yes, no)):
            b.position_at_end(block)
            results.append(way(b))
            ends.append(b.block)
            b.branch(blocks[2])
        b.position_at_end(blocks[2])
        merged = []
        for pair in zip(*results, strict=True):
            phi = b.phi(pair[0].type)
            for value, block in zip(pair, ends, strict=True):
                phi.add_incoming(value, block)
            merged.append(phi)
        return merged

    # ------------------------------------------------------------------ memory

    def _at(self, b: Any, pointer: Any, elements: Any) -> Any:
        return b.gep(pointer, [elements], source_etype=self.scalar)

    def _matrix(self, b: Any, pointer: Any, pitch: Any, rows: int, vectors: int, get: Callable[..., Any]) -> list[Any]:
        begins = [self._at(b, pointer, b.mul(pitch, self.i64(r))) for r in range(rows)]
        return [get(b, row, v) for row in begins for v in range(vectors)]

    def _ask_for(self, b: Any, place: Any) -> None:
        """Let the line of memory come into the first-level cache, to be read; an address of no memory is none the worse."""
        b.call(self.prefetch, [place, self.i32(0), self.i32(3), self.i32(1)])

    def _align(self) -> int:
        return 4 if self.dtype == "float32" else 8

    def _load(self, b: Any, row: Any, v: int) -> Any:
        return b.load(self._at(b, row, self.i64(v * self.lanes)), typ=self.vector, align=self._align())

    def _load_some(self, b: Any, row: Any, v: int, mask: Any) -> Any:
        where = self._at(b, row, self.i64(v * self.lanes))
        return b.call(self.load_some, [where, self.i32(self._align()), mask, self.ir.Constant(self.vector, None)])

    def _store(self, b: Any, row: Any, value: Any, v: int) -> None:
        b.store(value, self._at(b, row, self.i64(v * self.lanes)), align=self._align())

    def _store_some(self, b: Any, row: Any, value: Any, v: int, mask: Any) -> None:
        where = self._at(b, row, self.i64(v * self.lanes))
        b.call(self.store_some, [value, where, self.i32(self._align()), mask])

    def _mask(self, b: Any, columns: Any, v: int) -> Any:
        """Which lanes of vector ``v`` lie before ``columns``."""
        ints = self.ir.VectorType(self.i64, self.lanes)
        lanes = self.ir.Constant(ints, [v * self.lanes + lane for lane in range(self.lanes)])
        return b.icmp_signed("<", lanes, self._spread(b, columns))

    def _spread(self, b: Any, value: Any) -> Any:
        """A scalar in all lanes."""
        vector = self.ir.VectorType(value.type, self.lanes)
        first = b.insert_element(self.ir.Constant(vector, self.ir.Undefined), value, self.i32(0))
        zeros = self.ir.Constant(self.ir.VectorType(self.i32, self.lanes), [0] * self.lanes)
        return b.shuffle_vector(first, self.ir.Constant(vector, self.ir.Undefined), zeros)


class _Builder(Vectors):
    """Makes one function for each number of rows and vectors, and ``entry``, which chooses among them."""

    def __init__(self, target: Target, dtype: str, made: Any) -> None:
        super().__init__(made, dtype, target.lanes(dtype), target.kind != "SSE")
        self.target = target
        kinds = {"a": self.pointer, "b": self.pointer, "init": self.pointer, "c": self.pointer}
        kinds |= {"least": self.scalar, "most": self.scalar}
        self.kinds = [kinds.get(each, self.i64) for each in ARGUMENTS]

    def entry(self) -> None:
        """``switch`` on the number of rows, for one vector of columns or two."""
        ir = self.ir
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), self.kinds), name(self.dtype))
        block = ir.IRBuilder(function.append_basic_block())
        arguments = dict(zip(ARGUMENTS, function.args, strict=True))
        end = function.append_basic_block("end")
        ir.IRBuilder(end).ret_void()
        narrow = block.icmp_signed("<=", arguments["columns"], self.i64(self.lanes))
        ways = [function.append_basic_block("wide"), function.append_basic_block("narrow")]
        block.cbranch(narrow, ways[1], ways[0])
        for vectors, way in zip((self.target.vectors, 1), ways, strict=True):
            switch = ir.IRBuilder(way).switch(arguments["rows"], end)
            for rows in range(1, self.target.rows + 1):
                case = function.append_basic_block()
                inside = ir.IRBuilder(case)
                inside.call(self.rows_by_vectors(rows, vectors), function.args[1:], tail=True)
                inside.ret_void()
                switch.add_case(self.i64(rows), case)

    def rows_by_vectors(self, rows: int, vectors: int) -> Any:
        """The accumulation with ``rows`` x ``vectors`` registers."""
        ir = self.ir
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), self.kinds[1:]), f"tile_{rows}_{vectors}")
        function.linkage = "internal"
        function.attributes.add("noinline")
        at = dict(zip(ARGUMENTS[1:], function.args, strict=True))
        b = ir.IRBuilder(function.append_basic_block("begin"))
        whole = b.icmp_signed("==", at["columns"], self.i64(vectors * self.lanes))
        masks = [self._mask(b, at["columns"], v) for v in range(vectors)]
        loaded = self._either(
            b, whole,
            lambda b: self._matrix(b, at["init"], at["init_pitch"], rows, vectors, self._load),
            lambda b: self._matrix(
                b, at["init"], at["init_pitch"], rows, vectors, lambda b, p, v: self._load_some(b, p, v, masks[v])
            ),
        )  # fmt: skip
        begin_a = [self._at(b, at["a"], b.mul(at["a_pitch"], self.i64(r))) for r in range(rows)]
        zero = self.i64(0)
        row_bytes = vectors * self.target.bits // 8
        ahead = b.mul(at["b_step"], self.i64(AHEAD // row_bytes))

        def run(b: Any, index: Any, state: list[Any]) -> list[Any]:
            inner = self._loop(b, at["length"], [b.mul(index, at["a_run"]), *state], step)
            return inner[1:]

        def step(b: Any, index: Any, state: list[Any]) -> list[Any]:
            where, b_at, *sums = state
            row = [self._load(b, self._at(b, b_at, zero), v) for v in range(vectors)]
            for line in range(0, row_bytes, LINE):
                self._ask_for(b, self._at(b, self._at(b, b_at, ahead), self.i64(line // self._align())))
            for r in range(rows):
                value = b.load(self._at(b, begin_a[r], where), typ=self.scalar)
                spread = self._spread(b, value)
                for v in range(vectors):
                    k = r * vectors + v
                    sums[k] = b.call(self.fma, [spread, row[v], sums[k]])
            return [b.add(where, at["a_step"]), self._at(b, b_at, at["b_step"]), *sums]

        _, *sums = self._loop(b, at["runs"], [at["b"], *loaded], run)
        sums = self._within(b, sums, at["least"], at["most"])

        def store(b: Any, put: Callable[[Any, Any, Any, int], None]) -> list[Any]:
            for r in range(rows):
                row = self._at(b, at["c"], b.mul(at["c_pitch"], self.i64(r)))
                for v in range(vectors):
                    put(b, row, sums[r * vectors + v], v)
            return []

        self._either(
            b, whole,
            lambda b: store(b, self._store),
            lambda b: store(b, lambda b, p, value, v: self._store_some(b, p, value, v, masks[v])),
        )  # fmt: skip
        b.ret_void()
        return function
