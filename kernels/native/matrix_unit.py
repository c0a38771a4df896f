"""The matrix unit of Intel's server processors (AMX), and how it multiplies numbers of float32.

The unit multiplies tiles of bfloat16, 8 significant bits, and adds in float32, 16 times as many products in a cycle as
the vector unit. A number of float32 has 24 significant bits: x = x₁ + x₂ + x₃, each piece the next 8 of them, exactly. Of the
nine products of pieces six matter, x₁y₁, x₁y₂, x₂y₁, x₂y₂, x₁y₃ and x₃y₁; the others are below half a unit of the last place of
x y. So a product of float32 takes six of the unit's, and still less than half the time, with no more error than the vector
unit's (Henry, Tang, Heinecke 2019, arXiv:1904.06376). What is not finite becomes NaN, and numbers below 2^-100 lose digits, as
the unit takes what is below 2^-126 for 0.

A block has 32 x 32 sums, in four of the unit's eight registers; two hold rows of A and two columns of B. A chunk is 32 terms of
each: for every piece two tiles of 16 rows of A, then of 16 columns of B, each 16 x 16 words of two terms. How chunks are made
of matrices stands in ``kernels/split.py``.

On other processors the words mean nothing: who uses them asks ``target.matrix_unit()`` first.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minigrad.kernels.native.target import Target

PIECES = ((0, 2), (0, 1), (1, 1), (1, 0), (2, 0), (0, 0))  # of A and of B, so that each is loaded as seldom as can be
TILE = 256  # words of a tile
SETTING = (1, 0, 0x0040004000400040, 0x0040004000400040, 0, 0, 0x1010101010101010, 0)  # 8 tiles of 16 rows of 64 bytes
I8, I64, NOTHING, PLACE = ir.IntType(8), ir.IntType(64), ir.VoidType(), ir.PointerType()


def words(target: Target, real: Any) -> dict[str, Any]:
    """What stands for the words of this file in a kernel of a dtype on a processor."""
    pointer = types.CPointer(real)
    return {
        "matrix_begin": _word(target, (), _begin),
        "matrix_load": _word(target, (pointer, types.int64), lambda b, args: _move(b, args, "tileloadd64")),
        "matrix_step": _word(target, (pointer, pointer), _step),
        "matrix_store": _word(target, (pointer, types.int64), lambda b, args: _move(b, args, "tilestored64")),
        "matrix_end": _word(target, (), lambda b, args: _call(b, "tilerelease")),
    }


def _word(target: Target, kinds: tuple[Any, ...], emit: Any) -> Any:
    def make(context: Any, b: Any, sig: Any, args: Any) -> Any:
        if target.matrix:
            emit(b, args)
        return context.get_dummy_value()

    if not kinds:

        @intrinsic
        def none(context: Any) -> Any:
            return types.void(), make

        return none

    @intrinsic
    def two(context: Any, first: Any, second: Any) -> Any:
        return types.void(*kinds), make

    return two


def _call(b: Any, name: str, *args: Any) -> None:
    name = f"llvm.x86.{name}"
    there = b.module.globals.get(name)
    if there is None:
        there = ir.Function(b.module, ir.FunctionType(NOTHING, [each.type for each in args]), name)
    b.call(there, args)


def _at(b: Any, pointer: Any, elements: Any) -> Any:
    return b.gep(pointer, [elements], source_etype=ir.FloatType())


def _begin(b: Any, args: Any) -> None:
    setting = b.alloca(I64, len(SETTING))
    for place, word in enumerate(SETTING):
        b.store(I64(word), b.gep(setting, [I64(place)], source_etype=I64))
    _call(b, "ldtilecfg", b.bitcast(setting, PLACE))


def _step(b: Any, args: Any) -> None:
    held = [-1, -1]
    for pieces in PIECES:
        for side, piece in enumerate(pieces):
            if held[side] != piece:
                for half in (0, 1):
                    where = _at(b, args[side], I64((2 * piece + half) * TILE))
                    _call(b, "tileloadd64", I8(4 + 2 * side + half), b.bitcast(where, PLACE), I64(64))
                held[side] = piece
        for tile in range(4):
            _call(b, "tdpbf16ps", I8(tile), I8(4 + tile // 2), I8(6 + tile % 2))


def _move(b: Any, args: Any, way: str) -> None:
    """The block to or from c."""
    c, pitch = args
    for tile in range(4):
        where = _at(b, c, b.add(b.mul(pitch, I64(16 * (tile // 2))), I64(16 * (tile % 2))))
        _call(b, way, I8(tile), b.bitcast(where, PLACE), b.mul(pitch, I64(4)))


__all__: list[str] = []
