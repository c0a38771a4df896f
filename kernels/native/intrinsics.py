"""What the words of ``language.py`` mean to Numba: the only file, with ``matrix_unit.py``, that extends its compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minigrad.kernels.native import matrix_unit
from minigrad.kernels.native import microkernel as micro
from minigrad.kernels.native.target import Target

POINTEES = {"Doubles": types.float64, "Ints": types.int64, "Int32s": types.int32, "Bytes": types.uint8}
NUMBERS = {"int": types.int64, "float": types.float64}
I32, I64 = ir.IntType(32), ir.IntType(64)


def signature(kinds: tuple[str, ...], dtype: str | None) -> Any:
    """The types of a kernel's parameters, ``part`` and ``parts`` among them."""
    real = None if dtype is None else getattr(types, dtype)
    listed: list[Any] = []
    for kind in kinds:
        if kind in NUMBERS:
            listed.append(NUMBERS[kind])
        else:
            pointee = POINTEES.get(kind, real)
            listed.append(types.CPointer(types.uint8 if pointee is None else pointee))
    return types.void(*listed, types.int64, types.int64)


def environment(target: Target, dtype: str | None) -> dict[str, Any]:
    """What stands for each word in a kernel of this dtype on this processor."""
    real = getattr(types, dtype or "float64")
    width = types.int32 if dtype == "float32" else types.int64
    lanes = target.lanes(dtype or "float64")
    return {
        "real": real,
        "whole": width,
        "number": real,
        "offset": offset,
        "real_at": _real_at(real),
        "share": share,
        "tile": _tile(dtype or "float64"),
        "turn": _turn(real, lanes),
        "move": _move(real, lanes),
        **matrix_unit.words(target, real),
        "bits": _reinterpret(width),
        "from_bits": _reinterpret(real),
        "fma": _unfused() if target.kind == "SSE" else _floating("llvm.fma", 3),
        "nearest": _floating("llvm.rint", 1),
        "square_root": _floating("llvm.sqrt", 1),
        "choose": choose,
        "is_single": dtype == "float32",
        "lanes": lanes,
        "tile_rows": target.rows,
        "panel": target.vectors * lanes,
        "atomic_add": atomic_add,
        "atomic_swap": atomic_swap,
        "atomic_load": atomic_load,
        "atomic_store": atomic_store,
        "breathe": _breathe(target),
        "invoke": invoke,
        "wait_for": wait_for,
        "wake": wake,
    }


@intrinsic
def share(context: Any, count: Any, part: Any, parts: Any) -> Any:
    def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
        count, part, parts = args  # of which none is negative: a quotient is rounded to zero as well as down
        ends = [b.sdiv(b.mul(count, each), parts) for each in (part, b.add(part, I64(1)))]
        return _.make_tuple(b, sig.return_type, ends)

    return types.UniTuple(types.int64, 2)(types.int64, types.int64, types.int64), make


@intrinsic
def offset(context: Any, x: Any, n: Any) -> Any:
    def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
        return b.gep(args[0], [args[1]], source_etype=_.get_data_type(sig.args[0].dtype))

    return x(x, types.int64), make


def _real_at(real: Any) -> Any:
    pointer = types.CPointer(real)

    @intrinsic
    def real_at(context: Any, address: Any) -> Any:
        def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
            return b.inttoptr(args[0], _.get_value_type(pointer))

        return pointer(types.int64), make

    return real_at


def _declared(b: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    there = b.module.globals.get(name)
    return there if there is not None else ir.Function(b.module, ir.FunctionType(result, arguments), name)


def _tile(dtype: str) -> Any:
    real = getattr(types, dtype)

    @intrinsic
    def tile(
        context: Any, rows: Any, a: Any, a_pitch: Any, a_step: Any, a_run: Any, b: Any, b_step: Any, init: Any,
        init_pitch: Any, c: Any, c_pitch: Any, length: Any, runs: Any, columns: Any, least: Any, most: Any,
    ) -> Any:  # fmt: skip
        pointers = ("a", "b", "init", "c")
        kinds = [
            types.CPointer(real) if n in pointers else real if n in ("least", "most") else types.int64 for n in micro.ARGUMENTS
        ]

        def make(_: Any, builder: Any, sig: Any, args: Any) -> Any:
            function = _declared(builder, micro.name(dtype), ir.VoidType(), [each.type for each in args])
            builder.call(function, args)
            return _.get_dummy_value()

        return types.void(*kinds), make

    return tile


def _turn(real: Any, lanes: int) -> Any:
    pointer, wide = types.CPointer(real), 128 // real.bitwidth  # numbers of 16 bytes: inside of them shuffles cost the least

    @intrinsic
    def turn(context: Any, source: Any, pitch: Any, count: Any, to: Any, step: Any) -> Any:
        def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
            at, pitch, count, to, step = args
            kind = _.get_data_type(real)
            vector, last = ir.VectorType(kind, lanes), b.sub(count, I64(1))

            def mixed(x: Any, y: Any, order: list[int]) -> Any:
                return b.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, lanes), order))

            rows = []
            for r in range(lanes):
                index = b.select(b.icmp_signed("<", I64(r), last), I64(r), last)
                line = b.gep(at, [b.mul(index, pitch)], source_etype=kind)
                rows.append(b.load(b.bitcast(line, vector.as_pointer()), typ=vector, align=real.bitwidth // 8))
            for done in (2**n for n in range(wide.bit_length() - 1)):  # inside of 16 bytes: pairs, then pairs of pairs
                made = list(rows)
                for r in (r for r in range(lanes) if not r & done):
                    # Where bytes lie: from each 16 of both rows the first half of them, then the second half.
                    for half in (0, 1):
                        order = [
                            block + half * wide // 2 + piece * done + k + side * lanes
                            for block in range(0, lanes, wide)
                            for piece in range(wide // 2 // done)
                            for side in (0, 1)
                            for k in range(done)
                        ]  # fmt: skip
                        made[r + half * done] = mixed(rows[r], rows[r + done], order)
                rows = made
            if wide == 4:  # column 1 has come out third
                rows = [rows[r ^ 3 if r % 4 in (1, 2) else r] for r in range(lanes)]
            for done in (wide * 2**n for n in range((lanes // wide).bit_length() - 1)):  # then the 16 bytes as a whole
                made = list(rows)
                for r in (r for r in range(lanes) if not r & done):
                    for side in (0, done):
                        order = [lanes + k - done + side if k & done else k + side for k in range(lanes)]
                        made[r + side] = mixed(rows[r], rows[r + done], order)
                rows = made
            for k in range(lanes):
                out = b.gep(to, [b.mul(step, I64(k))], source_etype=kind)
                b.store(rows[k], b.bitcast(out, vector.as_pointer()), align=real.bitwidth // 8)
            return _.get_dummy_value()

        return types.void(pointer, types.int64, types.int64, pointer, types.int64), make

    return turn


def _move(real: Any, lanes: int) -> Any:
    pointer, short = types.CPointer(real), f"v{lanes}f{real.bitwidth}"

    @intrinsic
    def move(context: Any, source: Any, count: Any, to: Any) -> Any:
        def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
            vector, ints = ir.VectorType(_.get_data_type(real), lanes), ir.VectorType(I64, lanes)
            most = b.insert_element(ir.Constant(ints, ir.Undefined), args[1], I32(0))
            zeros = ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
            most = b.shuffle_vector(most, ir.Constant(ints, ir.Undefined), zeros)
            mask = b.icmp_signed("<", ir.Constant(ints, list(range(lanes))), most)
            place, align = vector.as_pointer(), real.bitwidth // 8
            load = _declared(b, f"llvm.masked.load.{short}.p0", vector, [place, I32, mask.type, vector])
            found = b.call(load, [b.bitcast(args[0], place), I32(align), mask, ir.Constant(vector, None)])
            b.store(found, b.bitcast(args[2], place), align=align)
            return _.get_dummy_value()

        return types.void(pointer, types.int64, pointer), make

    return move


def _floating(name: str, count: int) -> Any:
    """An operation of LLVM's on ``count`` real numbers of one dtype."""

    def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
        suffix = "f32" if sig.return_type == types.float32 else "f64"
        return b.call(_declared(b, f"{name}.{suffix}", args[0].type, [args[0].type] * count), args)

    if count == 1:

        @intrinsic
        def one(context: Any, a: Any) -> Any:
            return (a(a), make) if isinstance(a, types.Float) else None

        return one

    @intrinsic
    def three(context: Any, a: Any, b: Any, c: Any) -> Any:
        return (a(a, a, a), make) if isinstance(a, types.Float) else None

    return three


class _Unmarked(set[str]):
    """The liberties of a call whose sum is not to be taken in another order: Numba would add the kernel's."""

    def add(self, flag: str) -> None:
        pass


def _unfused() -> Any:
    """``fma`` where the processor has none: LLVM would make a product and a sum of it, and take that sum in another order.

    The product of two float32 is exact in float64, in which it is added: the sum is rounded there, which hardly counts, and
    then to float32. For float64 the C library's function is called.
    """

    @intrinsic
    def three(context: Any, a: Any, b: Any, c: Any) -> Any:
        def make(_: Any, builder: Any, sig: Any, args: Any) -> Any:
            if sig.return_type == types.float64:
                kind = args[0].type
                called = builder.call(_declared(builder, "llvm.fma.f64", kind, [kind] * 3), args)
                called.fastmath = _Unmarked()
                return called
            x, y, z = (builder.fpext(each, ir.DoubleType()) for each in args)
            # A flag that says nothing of products and sums: Numba adds the kernel's only where there is none.
            product = builder.fmul(x, y, flags=("arcp",))
            return builder.fptrunc(builder.fadd(product, z, flags=("arcp",)), ir.FloatType())

        return (a(a, a, a), make) if isinstance(a, types.Float) else None

    return three


def _reinterpret(result: Any) -> Any:
    @intrinsic
    def cast(context: Any, value: Any) -> Any:
        def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
            return b.bitcast(args[0], _.get_value_type(result))

        given = {types.int32: types.float32, types.int64: types.float64, types.float32: types.int32, types.float64: types.int64}
        return result(given[result]), make

    return cast


@intrinsic
def choose(context: Any, condition: Any, a: Any, b: Any) -> Any:
    def make(_: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(args[0], args[1], args[2])

    return a(types.boolean, a, a), make


# ---------------------------------------------------------------------- threads

_WORD = types.CPointer(types.int64)


@intrinsic
def atomic_add(context: Any, p: Any, n: Any) -> Any:
    def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
        return b.atomic_rmw("add", args[0], args[1], "seq_cst")

    return types.int64(_WORD, types.int64), make


@intrinsic
def atomic_swap(context: Any, p: Any, old: Any, new: Any) -> Any:
    def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
        return b.extract_value(b.cmpxchg(*args, "seq_cst", "seq_cst"), 1)

    return types.boolean(_WORD, types.int64, types.int64), make


@intrinsic
def atomic_load(context: Any, p: Any) -> Any:
    def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
        return b.load_atomic(args[0], "seq_cst", 8, typ=I64)

    return types.int64(_WORD), make


@intrinsic
def atomic_store(context: Any, p: Any, n: Any) -> Any:
    def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
        b.store_atomic(args[1], args[0], "seq_cst", 8)
        return _.get_dummy_value()

    return types.void(_WORD, types.int64), make


def _breathe(target: Target) -> Any:
    @intrinsic
    def breathe(context: Any) -> Any:
        def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
            if target.triple.startswith(("aarch64", "arm64")):
                b.call(_declared(b, "llvm.aarch64.hint", ir.VoidType(), [I32]), [I32(1)])
            elif target.triple.startswith(("x86", "i686")):
                b.call(_declared(b, "llvm.x86.sse2.pause", ir.VoidType(), []), [])
            return _.get_dummy_value()

        return types.void(), make

    return breathe


def _through(arguments: Callable[[Any], list[Any]], result: Any) -> Callable[..., Any]:
    """A call through an address, the first argument."""

    def make(_: Any, b: Any, sig: Any, args: Any) -> Any:
        given = arguments(args)
        kind = ir.FunctionType(result, [each.type for each in given])
        b.call(b.inttoptr(args[0], kind.as_pointer()), given)
        return _.get_dummy_value()

    return make


@intrinsic
def invoke(context: Any, address: Any, arguments: Any, part: Any, parts: Any) -> Any:
    return types.void(types.int64, types.int64, types.int64, types.int64), _through(lambda args: list(args[1:]), ir.VoidType())


@intrinsic
def wait_for(context: Any, function: Any, lock: Any) -> Any:
    return types.void(types.int64, types.int64), _through(lambda args: [args[1], I32(1)], I32)


@intrinsic
def wake(context: Any, function: Any, lock: Any) -> Any:
    return types.void(types.int64, types.int64), _through(lambda args: [args[1]], ir.VoidType())
