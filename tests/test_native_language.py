"""How kernels are declared and called: dtypes, pointers, numbers, and what is said of a wrong call."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import numpy as np
import pytest
from numba.core.postproc import PostProcessor
from numba.core.types.functions import BaseFunction

from minigrad.errors import DTypeError, KernelError
from minigrad.kernels.native import (
    Bytes,
    Doubles,
    Int32s,
    Ints,
    Real,
    choose,
    fma,
    helper,
    is_single,
    kernel,
    lanes,
    launch,
    move,
    offset,
    panel,
    real,
    real_at,
    share,
    square_root,
    tile_rows,
    turn,
)
from minigrad.kernels.native.programs import assembly
from minigrad.kernels.native.target import KNOWN, target, tiled

pytestmark = pytest.mark.native


@kernel
def everything(
    x: Real, doubles: Doubles, ints: Ints, int32s: Int32s, flags: Bytes, f: float, n: int, part: int, parts: int
) -> None:
    x[0] = real(f) + real(n)
    doubles[0], ints[0], int32s[0], flags[0] = f, n, n, n


@kernel
def sizes(x: Real, found: Ints, part: int, parts: int) -> None:
    found[0], found[1], found[2], found[3] = lanes, panel, tile_rows, is_single


@kernel
def turned(x: Real, pitch: int, count: int, y: Real, step: int, part: int, parts: int) -> None:
    turn(x, pitch, count, y, step)


@kernel
def moved(x: Real, count: int, y: Real, part: int, parts: int) -> None:
    move(x, count, y)
    move(x, lanes, offset(y, lanes))


def call(dtype: Any = np.float32, **changed: Any) -> list[np.ndarray]:
    arrays = {
        "x": np.zeros(1, dtype), "doubles": np.zeros(1), "ints": np.zeros(1, np.int64), "int32s": np.zeros(1, np.int32),
        "flags": np.zeros(1, np.uint8), "f": 0.5, "n": 7,
    }  # fmt: skip
    values = list((arrays | changed).values())
    everything(*values)
    return values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_turn_and_move(dtype: Any) -> None:
    """A square of numbers with rows as columns, or some rows of it; some numbers or a whole vector."""
    width = target().lanes(np.dtype(dtype).name)
    x = np.arange(width * (width + 3), dtype=dtype).reshape(width, width + 3)
    for count in range(1, width + 1):
        y = np.full((width, width + 1), -1, dtype)
        turned(x, width + 3, count, y, width + 1)
        rows = x[np.minimum(np.arange(width), count - 1), :width]
        np.testing.assert_array_equal(y[:, :width], rows.T)
        assert (y[:, width] == -1).all()
        z = np.full(3 * width, -1, dtype)
        moved(x, count, z)
        np.testing.assert_array_equal(z, [*x[0, :count], *[0] * (width - count), *x[0, :width], *[-1] * width])


@helper
def grown(x, by):
    return x * real(by) + real(1.0)


@helper(apart=True)
def grown_apart(x, by):
    return x * real(by) + real(1.0)


@kernel
def grow(x: Real, count: int, part: int, parts: int) -> None:
    for i in range(count):
        x[i] = grown(x[i], 2)


@kernel
def grow_apart(x: Real, count: int, part: int, parts: int) -> None:
    for i in range(count):
        x[i] = grown_apart(grown_apart(x[i], 1), 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_helper_may_stay_a_function_apart(dtype: Any) -> None:
    """It does the same; once, whatever numbers it is called with."""
    x = np.arange(5, dtype=dtype)
    grow(x, 5)
    grow_apart(x, 5)
    np.testing.assert_array_equal(x, [2 * (2 * k + 1 + 1) + 1 for k in range(5)])
    for made, functions in ((grow, 0), (grow_apart, 1)):
        code = assembly(made, np.dtype(dtype).name, target())
        assert len(re.findall(r"^[^.\s][^:]*grown[^:]*:", code, re.MULTILINE)) == functions


def test_compiling_leaves_numba_as_it_was() -> None:
    before = BaseFunction.get_call_type, PostProcessor.run
    assembly(grow, "float64", target())
    with pytest.raises(KernelError):
        assembly(kernel(uncompilable), "float64", target())
    assert (BaseFunction.get_call_type, PostProcessor.run) == before


def uncompilable(x: Real, part: int, parts: int) -> None:
    x[0] = x + x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_kind_of_argument(dtype: Any) -> None:
    assert [float(value[0]) for value in call(dtype)[:5]] == [7.5, 0.5, 7.0, 7.0, 7.0]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.bool_])
def test_bytes_are_bytes_or_truth(dtype: Any) -> None:
    assert call(flags=np.zeros(1, dtype), n=1)[4][0] == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes_are_those_of_the_processor(dtype: str) -> None:
    found = np.zeros(4, np.int64)
    sizes(np.zeros(1, dtype), found)
    here = target()
    assert found.tolist() == [here.lanes(dtype), here.vectors * here.lanes(dtype), here.rows, dtype == "float32"]


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"doubles": np.zeros(1, np.float32)}, DTypeError, "everything: argument 1: expected float64, got float32"),
        ({"ints": np.zeros(1, np.int32)}, DTypeError, "argument 2: expected int64, got int32"),
        ({"int32s": np.zeros(1, np.int64)}, DTypeError, "argument 3: expected int32, got int64"),
        ({"flags": np.zeros(1, np.int64)}, DTypeError, "argument 4: expected uint8 or bool or int8, got int64"),
        ({"x": np.zeros(1, np.float16)}, DTypeError, "dtype: expected float32 or float64, got float16"),
        ({"x": np.zeros(1, ">f4")}, DTypeError, "dtype: expected float32 or float64, got >f4"),
        ({"x": np.float32(1)}, KernelError, "argument 0 is no array"),  # a NumPy number has a dtype, and no memory to write to
        ({"x": [1.0]}, KernelError, "argument 0 is no array"),
        (
            {"f": "1"},
            KernelError,
            "arguments: expected Real, Doubles, Ints, Int32s, Bytes, float, int, got ndarray, .*, str, int",
        ),
        ({"n": 1.5}, KernelError, "float, float .*required argument is not an integer"),
        ({"n": 2**70}, KernelError, "arguments: expected Real, .* int"),
    ],
)
def test_a_wrong_argument_is_told(changed: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(**changed)


def test_a_wrong_number_of_arguments_is_told() -> None:
    for arguments in ([], [np.zeros(1)], [np.zeros(1)] * 3):
        with pytest.raises(KernelError, match=f"sizes: arguments: expected 2 of them, got {len(arguments)}"):
            sizes(*arguments)


def test_two_dtypes_at_once_are_told() -> None:
    @kernel
    def both(x: Real, y: Real, part: int, parts: int) -> None:
        x[0] = y[0]

    with pytest.raises(DTypeError, match="both: argument 1: expected float32, got float64"):
        both(np.zeros(1, np.float32), np.zeros(1))
    with pytest.raises(DTypeError, match="both: argument 0: expected float64, got float32"):
        both(np.zeros(1, np.float32), np.zeros(1, np.float32), dtype=np.float64)


def test_none_is_the_address_0() -> None:
    call(f=1.0, n=2)
    with_none = np.full(4, 9)
    sizes(None, with_none, dtype=np.float32)
    assert with_none[3] == 1


def test_a_table_of_addresses() -> None:
    @kernel
    def add_up(table: Ints, count: int, out: Real, part: int, parts: int) -> None:
        total = real(0.0)
        for i in range(count):
            total += real_at(table[i])[0]
        out[0] = total

    arrays = [np.full(1, value, np.float32) for value in (1, 2, 4)]
    table, out = np.array([launch.address(array) for array in arrays], np.int64), np.zeros(1, np.float32)
    add_up(table, 3, out)
    assert out[0] == 7


def test_dtype_may_be_named_in_any_way() -> None:
    @kernel
    def write(table: Ints, part: int, parts: int) -> None:
        real_at(table[0])[0] = real(3.0)

    for dtype in (np.float32, "float32", np.dtype(np.float32)):
        x = np.zeros(2, np.float32)
        write(np.array([launch.address(x)]), dtype=dtype)
        assert x.tolist() == [3.0, 0.0]
    with pytest.raises(DTypeError, match="write: dtype: expected float32 or float64, got int32"):
        write(np.zeros(1, np.int64), dtype=np.int32)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("x: Real", r"parameters: expected part: int and parts: int at the end, got \(x: 'Real'\)"),
        ("x: Real, parts: int, part: int", "parameters: expected part: int and parts: int at the end"),
        ("x: Real, part: int, parts: float", "parameters: expected part: int and parts: int at the end"),
        ("x: list, part: int, parts: int", "annotation: expected one of Real, Doubles, .*, int, float, got 'list'"),
        ("x, part: int, parts: int", "annotation: expected one of Real, .* got '_empty'"),
    ],
)
def test_a_wrong_declaration_is_told(parameters: str, words: str) -> None:
    names = {"Real": Real}
    exec(f"from __future__ import annotations\ndef f({parameters}): ...", names)
    with pytest.raises(KernelError, match=f"@kernel f: {words}"):
        kernel(names["f"])


def test_annotations_may_be_objects_or_strings() -> None:
    names: dict[str, Any] = {"Real": Real}
    text = "def f(x: {}, n: {}, part: {}, parts: {}): ..."
    for future in ("", "from __future__ import annotations\n"):
        for quote in ("", "'", '"'):
            kinds = [f"{quote}{kind}{quote}" for kind in ("Real", "int", "int", "int")]
            exec(compile(future + text.format(*kinds), "mine.py", "exec", dont_inherit=True), names)
            assert kernel(names["f"]).kinds == ("Real", "int")


def test_words_and_helpers_are_not_called_from_python() -> None:
    @helper
    def double(x):
        return x + x

    for word, name in ((real, "real"), (share, "share"), (double, "double")):
        with pytest.raises(
            KernelError, match=f"{name}: call: expected one inside a @kernel or @helper, .* got one in plain Python"
        ):
            word(1)


def test_names_say_what_they_are() -> None:
    assert repr(everything) == "<kernel tests.test_native_language.everything>"
    assert repr(square_root) == "<square_root: square_root(v).>"


def test_rounding_is_chosen_by_the_kernel() -> None:
    """a · b + c with one rounding where that is faster, or each by itself, as NumPy does it."""

    def body(a: Real, out: Real, part: int, parts: int) -> None:
        out[0] = a[0] * a[0] - a[1]
        out[1] = fma(a[0], a[0], -a[1])
        out[2] = choose(a[0] > a[1], a[0], a[1])

    a = np.array([1 + 2.0**-12, 1 + 2.0**-11], np.float32)
    once, each = np.zeros(3, np.float32), np.zeros(3, np.float32)
    kernel(body)(a, once)
    kernel(exact=True)(body)(a, each)
    assert once.tolist() == [2.0**-24, 2.0**-24, a[1]]
    assert each.tolist() == [0.0, 2.0**-24, a[1]]


def test_a_quick_way_is_taken_only_where_it_tells_the_same() -> None:
    x = np.arange(10.0)
    assert launch.address(x[3:]) == x.ctypes.data + 24
    data = b"some bytes of data"
    assert ctypes.string_at(launch.contents(data), len(data)) == data
    assert launch._first_of(lambda array: 1, launch._slow_address, x) is launch._slow_address
    assert launch._first_of(lambda data: 1, launch._slow_contents, data) is launch._slow_contents
    assert launch._slow_contents(data) == launch.contents(data)


@pytest.mark.parametrize(
    ("triple", "has", "kind", "lanes"),
    [
        ("x86_64-unknown-linux-gnu", KNOWN["znver4"], "AVX-512", 16),
        ("x86_64-unknown-linux-gnu", KNOWN["haswell"], "AVX2", 8),
        ("x86_64-unknown-linux-gnu", {"avx2": True}, "SSE", 4),
        ("x86_64-unknown-linux-gnu", {}, "SSE", 4),
        ("aarch64-unknown-linux-gnu", {}, "NEON", 4),
        ("arm64-apple-darwin23", {}, "NEON", 4),
    ],
)
def test_the_tile_fits_the_registers(triple: str, has: dict[str, bool], kind: str, lanes: int) -> None:
    made = tiled(triple, "", "", has)
    assert (made.kind, made.lanes("float32"), made.lanes("float64")) == (kind, lanes, lanes // 2)
    registers = 32 if kind in ("AVX-512", "NEON") else 16
    assert made.rows * made.vectors + made.vectors + 1 <= registers


def test_the_environment_names_another_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = (
        ("NUMBA_CPU_NAME", "haswell", "AVX2"),
        ("NUMBA_CPU_NAME", "unheard-of", "SSE"),
        ("NUMBA_CPU_FEATURES", "+avx2,+fma", "AVX2"),
        ("NUMBA_CPU_FEATURES", "+avx2,-fma", "SSE"),
    )
    for name, value, kind in chosen:
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            assert target.__wrapped__().kind == kind


@kernel
def ranges(x: Ints, start: int, stop: int, step: int, part: int, parts: int) -> None:
    """Which numbers each range gives: how many, their sum, and the last."""
    for place in range(7 * 3):
        x[place] = 0
    for i in range(stop):
        x[0], x[1], x[2] = x[0] + 1, x[1] + i, i
    for i in range(start, stop):
        x[3], x[4], x[5] = x[3] + 1, x[4] + i, i
    for i in range(start, stop, 3):
        x[6], x[7], x[8] = x[6] + 1, x[7] + i, i
    for i in range(start, stop, -2):
        x[9], x[10], x[11] = x[9] + 1, x[10] + i, i
    for i in range(start, stop, step):
        x[12], x[13], x[14] = x[12] + 1, x[13] + i, i
    chosen = range(start) if step > 0 else range(stop, start)
    for i in chosen:
        x[15], x[16], x[17] = x[15] + 1, x[16] + i, i
    for i in range(start, stop, 9223372036854775807):
        x[18], x[19], x[20] = x[18] + 1, x[19] + i, i


@pytest.mark.parametrize("start", [-7, 0, 3, 11])
@pytest.mark.parametrize("stop", [-8, -1, 0, 2, 3, 4, 5, 6, 12])
@pytest.mark.parametrize("step", [-3, -1, 1, 2, 50])
def test_ranges_are_python_s(start: int, stop: int, step: int) -> None:
    x = np.empty(21, np.int64)
    ranges(x, start, stop, step)
    chosen = range(start) if step > 0 else range(stop, start)
    written = range(start, stop, 3), range(start, stop, -2), range(start, stop, step), chosen, range(start, stop, 2**63 - 1)
    for place, numbers in enumerate([range(stop), range(start, stop), *written]):
        count, total, last = x[3 * place : 3 * place + 3]
        assert (count, total, last) == (len(numbers), sum(numbers), numbers[-1] if numbers else 0), numbers


@kernel
def renamed(x: Ints, y: Doubles, count: int, part: int, parts: int) -> None:
    """Variables that change their meaning, in branches and in loops within loops."""
    found = 0
    for i in range(count):
        found = found * 2 + i
        for k in range(i):
            if k % 2 == 0:
                found = found - k
            else:
                other = found + k
                found = other
        x[i] = found
    found = 0.5 * found
    place = x
    place = offset(place, 1)
    y[0], y[1] = found, place[0]


def test_variables_that_are_assigned_again() -> None:
    x, y = np.zeros(6, np.int64), np.zeros(2)
    renamed(x, y, 6)
    found, wanted = 0, []
    for i in range(6):
        found = found * 2 + i
        for k in range(i):
            found += k if k % 2 else -k
        wanted.append(found)
    assert x.tolist() == wanted
    assert y.tolist() == [found / 2, wanted[1]]
