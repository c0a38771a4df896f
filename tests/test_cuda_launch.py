"""The launcher of CUDA kernels: what it launches, and everything that it refuses, by what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.core.device import device, module_for
from minigrad.errors import CudaFault, KernelError
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.signature import heads
from minigrad.kernels.cuda.source import line_of, source

TEXT = """
typedef unsigned long long Word;
struct Pair { float a, b; };
template <typename T, int N, bool twice>
__global__ void __launch_bounds__(N) scale(const T* __restrict__ x, T* __restrict__ y, float by, int n, Word unused) {
    const int i = blockIdx.x * N + threadIdx.x;
    if (i < n) y[i] = x[i] * by * (twice ? 2 : 1);
}
__global__ void numbers(float* y, float real, bool truth, long long large, Pair pair) {
    y[0] = real, y[1] = truth, y[2] = float(large), y[3] = pair.a, y[4] = pair.b;
}
__global__ void outside(float* y, int n) {
    y[threadIdx.x] = 0;
}
__global__ void large(float* y) {
    extern __shared__ float s[];
    __shared__ float t[8192];
    s[threadIdx.x] = t[threadIdx.x] = 1, y[threadIdx.x] = s[threadIdx.x] * t[threadIdx.x];
}
"""
KEY = ("scale", "float32", 32, True)


@pytest.fixture(scope="module")
def xp() -> Any:
    return module_for(device("emulated"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    path = tmp_path_factory.mktemp("programs") / "own.cu"
    path.write_text(TEXT)
    return Program(str(path))


def launch(program: Program, *arguments: Any, key: Any = KEY, **sizes: Any) -> None:
    program[key](*arguments, **{"work": 5, "tile": 32, "block": 32, **sizes})


def test_launches_what_covers_the_work(program: Program, xp: Any) -> None:
    x, y = xp.arange(70, dtype="float32"), xp.zeros(70, "float32")
    with xp.counted() as seen:
        launch(program, x, y, 3, 70, 0, work=70)
    np.testing.assert_array_equal(y.get(), 6 * np.arange(70, dtype="float32"))
    assert (seen.launches, seen.to_host, seen.to_device, seen.synchronisations) == (1, 0, 0, 0)


def test_numbers_come_as_they_are_declared(program: Program, xp: Any) -> None:
    y = xp.zeros(5, "float32")
    pair = np.array([(4, 5)], np.dtype([("a", "f4"), ("b", "f4")]))
    launch(program, y, 0.1, True, 2**40, pair, key="numbers", tile=5)
    np.testing.assert_array_equal(y.get(), np.float32([0.1, 1, 2**40, 4, 5]))


def test_no_work_launches_nothing(program: Program, xp: Any) -> None:
    empty = xp.zeros(0, "float32")
    with xp.counted() as seen:
        launch(program, empty, empty, 1, 0, 0, work=0)
    assert seen.launches == 0


X, Y = np.zeros(4, "float32"), np.zeros(4, "float32")
LAUNCHES = [  # what is changed of a right launch: (x, y, by, n, unused), sizes; and what is told
    ({"arguments": (None, None, 1, 4, 0)}, "an array on a GPU, got none"),
    ({"arguments": ("x", "y", 1, 4)}, r"expected 5 \(x, y, by, n, unused\), got 4"),
    ({"arguments": (X, "y", 1, 4, 0)}, "x: expected an array on a GPU, for a pointer, got a ndarray"),
    ({"arguments": ("wide", "y", 1, 4, 0)}, "x: expected float32, as the pointer is declared, got float64"),
    ({"arguments": ("x", "strided", 1, 4, 0)}, "y: expected gapless memory in C order, got strides"),
    ({"arguments": ("x", "other", 1, 4, 0)}, "y: expected an array on emulated:0, as the first, got one on emulated:1"),
    ({"arguments": ("x", "y", "1", 4, 0)}, "by: expected a number for float32, got '1', a str"),
    ({"arguments": ("x", "y", 1, 4.0, 0)}, "n: expected a number for int32, got 4.0, a float"),
    ({"arguments": ("x", "y", 1, True, 0)}, "n: expected a number for int32, got True, a bool"),
    ({"arguments": ("x", "y", 1, 2**31, 0)}, "n: expected a whole number from -2147483648 to 2147483647"),
    ({"arguments": ("x", "y", 1, 4, -1)}, "unused: expected a whole number from 0 to"),
    ({"work": (4, 4)}, "as many tiles as axes of work"),
    ({"work": -1}, "as many tiles as axes of work"),
    ({"tile": 0}, "as many tiles as axes of work"),
    ({"block": 2048}, "blocks of 1 to 1024 threads"),
    ({"work": (1, 70_000), "tile": (1, 1)}, "grid: expected at most"),
    ({"block": 64}, "block: expected at most 32 threads, as the kernel is compiled, got 64"),
    ({"shared": 1 << 20}, "shared: expected at most 166912 bytes"),
]


@pytest.mark.parametrize(("change", "words"), LAUNCHES, ids=[words for _, words in LAUNCHES])
def test_refuses(program: Program, xp: Any, change: dict[str, Any], words: str) -> None:
    named = {"x": xp.zeros(4, "float32"), "y": xp.zeros(4, "float32"), "wide": xp.zeros(4)}
    named["strided"] = xp.zeros(8, "float32")[::2]
    with xp.cuda.Device(1):
        named["other"] = xp.zeros(4, "float32")
    wished = change.get("arguments", ("x", "y", 1, 4, 0))
    arguments = [named.get(each, each) if isinstance(each, str) else each for each in wished]
    sizes = {name: size for name, size in change.items() if name != "arguments"}
    with pytest.raises(KernelError, match=words):
        launch(program, *arguments, **sizes)


KEYS = [
    ("none", "one of the kernels scale, numbers, outside, large"),
    (("scale", "float32"), r"3 template parameters \(typename T, int N, bool twice\)"),
    (("numbers", 3), "no template parameters"),
    (("scale", "complex64", 32, True), "a dtype among float32"),
    (("scale", "float32", 32.0, True), "a Python int for N"),
    (("scale", "float32", 32, 1), "a Python bool for twice"),
]


@pytest.mark.parametrize(("key", "words"), KEYS)
def test_refuses_a_kernel(program: Program, key: Any, words: str) -> None:
    with pytest.raises(KernelError, match=words):
        program[key]


def test_more_shared_memory_is_asked_for(program: Program, xp: Any) -> None:
    y = xp.zeros(32, "float32")
    launch(program, y, key="large", shared=100 << 10)
    assert float(y.sum()) == 32


def test_static_shared_memory_is_not_forgotten(tmp_path: Path, program: Program, xp: Any) -> None:
    """40 KB are few, and with the 32 that the kernel declares too many for what needs no asking."""
    y = xp.zeros(32, "float32")
    launch(Program(program.name), y, key="large", shared=40 << 10)
    assert float(y.sum()) == 32


def test_a_fault_names_file_and_line(program: Program, xp: Any) -> None:
    from minigrad.emulator.cupy.raw import launches

    with launches("checked"), pytest.raises(CudaFault) as caught:
        launch(program, xp.zeros(4, "float32"), 4, key="outside")
    place = caught.value.findings[0].place
    assert str(place) == f"{program.name}:13"
    assert place.text == "y[threadIdx.x] = 0;"


def test_what_does_not_compile_is_told_with_its_line(tmp_path: Path, xp: Any) -> None:
    path = tmp_path / "wrong.cu"
    path.write_text("template <int N>\n__global__ void f(float* y) {\n    y[N] = nothing;\n}\n")
    with pytest.raises(KernelError) as caught:
        Program(str(path))["f", 3](xp.zeros(1, "float32"), work=1, tile=1, block=1)
    assert "f<3>" in str(caught.value)
    assert "wrong.cu:3" in str(caught.value) and "y[N] = nothing;" in str(caught.value)


WRONG_HEADS = [
    ("__global__ void f(float** x) {}", "parameters like"),
    ("__global__ void f(float) {}", "parameters like"),
    ("__global__ void f(float (*x)[4]) {}", "parameters like"),
    ("__global__ void f(float x[4]) {}", "parameters like"),
    ("__global__ void f(float& x) {}", "parameters like"),
    ("template <float F> __global__ void f(int n) {}", "template parameters that are a typename"),
    ("__global__ void f(int n) {} __global__ void f(float n) {}", "kernels of different names"),
]


@pytest.mark.parametrize(("text", "words"), WRONG_HEADS)
def test_refuses_a_head(text: str, words: str) -> None:
    with pytest.raises(KernelError, match=words):
        heads(text, "own.cu")


PARAMETERS = [  # as a head has it; and its dtype, pointer, read_only
    ("float* const y", ("float32", True, False)),
    ("const float* const __restrict__ y", ("float32", True, True)),
    ("float const* y", ("float32", True, True)),
    ("const int n", ("int32", False, False)),
    ("size_t n", ("uint64", False, False)),
    ("std::size_t n", ("uint64", False, False)),
    ("long n", ("int64", False, False)),
    ("unsigned long n", ("uint64", False, False)),
    ("long long int n", ("int64", False, False)),
    ("short int n = 3", ("int16", False, False)),
    ("int64_t n", ("int64", False, False)),
    ("const uint8_t* x", ("uint8", True, True)),
    ("long long unsigned* x", ("uint64", True, False)),
    ("float2* x", ("float32", True, False)),
    ("const ulonglong2* x", ("uint64", True, True)),
    ("uint4* x", ("uint32", True, False)),
    ("Index n", ("int64", False, False)),
    ("Pair* x", (None, True, False)),
    ("const __grid_constant__ Pair<Real> x", (None, False, False)),
]


@pytest.mark.parametrize(("text", "found"), PARAMETERS)
def test_parameters(text: str, found: tuple[str | None, bool, bool]) -> None:
    (one,) = heads(f"using Index = long long; __global__ void f({text}) {{}}", "own.cu")["f"].parameters
    dtype = one.dtype({})
    assert (None if dtype is None else dtype.name, one.pointer, one.read_only) == found


def test_templates_and_places_of_static() -> None:
    text = """template <class T, unsigned N = 4, typename U = float> static __global__ void f(T* x, U y) {}
    __global__ static void g(int n) {}"""
    found = heads(text, "own.cu")
    assert found["f"].template == (("T", "typename"), ("N", "unsigned"), ("U", "typename")) and "g" in found


def test_a_whole_number_of_a_template_without_sign(tmp_path: Path) -> None:
    path = tmp_path / "own.cu"
    path.write_text("template <unsigned N> __global__ void f(float* y) {}")
    program = Program(str(path))
    assert program["f", 4].expression == "f<4>"
    with pytest.raises(KernelError, match="0 or more for N, got -1"):
        program["f", -1]
    path = tmp_path / "other.cu"
    path.write_text("#define KERNEL __global__\nKERNEL void f(float* y) {}")
    with pytest.raises(KernelError, match="Write __global__ out"):
        Program(str(path))["f"]


def test_heads_do_not_hide_in_comments() -> None:
    assert heads("// __global__ void a(int n)\n/* __global__ void b(int n) */ __global__ void c(int n);", "own.cu").keys() == {
        "c"
    }


def test_includes_are_put_in_place_once(tmp_path: Path) -> None:
    path = tmp_path / "own.cu"
    path.write_text('#include "primitives.cuh"\n#include "primitives.cuh"\nint here;\n')
    text = source(str(path))
    assert text.count("mma_m16n8k8_tf32(float") == 1
    assert line_of(text, str(path), 3) == "int here;"
    assert line_of(text, "primitives.cuh", 1).startswith("// What a GPU does")


def test_a_family_includes_files_of_its_own() -> None:
    text = source("conv2d/product.cu")
    assert text.count("struct Geometry {") == 1
    assert line_of(text, "conv2d/geometry.cuh", 1).startswith("// Sizes of a convolution")


@pytest.mark.parametrize("include", ['"none.cuh"', "<cuda_fp16.h>", '"../launch.py"'])
def test_refuses_an_include(tmp_path: Path, include: str) -> None:
    path = tmp_path / "own.cu"
    path.write_text(f"\n#include {include}\n")
    with pytest.raises(KernelError, match=r"own\.cu:2.*an include of a file of kernels/cuda \(.*primitives\.cuh"):
        source(str(path))


def test_the_one_header_of_cuda_may_be_included(tmp_path: Path) -> None:
    path = tmp_path / "own.cu"
    path.write_text("#include <cooperative_groups.h>\nint here;\n")
    assert source(str(path)).splitlines()[1:] == ["#include <cooperative_groups.h>", "int here;"]


def test_a_kernel_that_is_switched_off(tmp_path: Path) -> None:
    path = tmp_path / "own.cu"
    path.write_text("#if 0\n__global__ void old(int n) {}\n#else\n__global__ void f(int n) {}\n#endif\n__global__ void g();")
    program = Program(str(path))
    assert list(program.heads) == ["f", "g"] and line_of(program.text, str(path), 4) == "__global__ void f(int n) {}"


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(KernelError, match="none that can be read"):
        source("random/none.cu")
