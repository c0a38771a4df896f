"""``RawKernel`` and ``RawModule`` of the stand-in for CuPy: what they run, and what they refuse."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minigrad.emulator import cupy as cp
from minigrad.emulator.cupy import api
from minigrad.emulator.cupy.raw import launches
from minigrad.errors import ArgumentError, CudaFault, DTypeError, ShapeError

CODE = """
__constant__ float factor[2];
extern "C" __global__ void scale(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = factor[1] * x[i];
}
extern "C" __global__ void numbers(long long* whole, double* real, bool* truth, long long a, double b, bool c) {
    *whole = a, *real = b, *truth = c;
}
extern "C" __global__ void backwards(const float* x, float* y) {
    extern __shared__ float s[];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}
extern "C" __global__ void both(float* y) {
    __shared__ float some[8192];
    extern __shared__ float more[];
    some[threadIdx.x] = 1, more[threadIdx.x] = 2;
    y[threadIdx.x] = some[threadIdx.x] + more[threadIdx.x];
}
constexpr int THREADS = 32, WARPS = 2, MORE = 32 * WARPS;
extern "C" __global__ void __launch_bounds__(MORE) computed(float* y) { y[threadIdx.x] = 2; }
extern "C" __global__ void __launch_bounds__(THREADS) bound(float* y) { y[threadIdx.x] = 2; }
extern "C" __global__ void racing(int* x) { x[0] += 1; }
template <typename T, int N> __global__ void fill(T* x, unsigned* arrived) {
    x[blockIdx.x] = N;
    grid_sync(arrived);
    if (blockIdx.x == 0) x[0] = x[1] + 1;
}
"""
FILL = "fill<double, 3>"


@pytest.fixture(scope="module")
def module() -> Any:
    made = cp.RawModule(code=CODE, options=("-DUNUSED=1",), name_expressions=[FILL])
    cp.ndarray((2,), "float32", made.get_global("factor"))[...] = 3
    return made


def test_a_kernel_of_a_module(module: Any) -> None:
    x, y = cp.arange(100, dtype="float32"), cp.empty(100, "float32")
    with cp.counted() as seen:
        module.get_function("scale")((4,), (32,), (x, y, np.int32(100)))
    assert (seen.launches, seen.synchronisations, seen.to_host) == (1, 0, 0)
    np.testing.assert_array_equal(y.get(), 3 * x.get())


def test_plain_numbers_pass_as_cupy_passes_them(module: Any) -> None:
    whole, real, truth = cp.zeros(1, "int64"), cp.zeros(1), cp.zeros(1, "bool")
    module.get_function("numbers")((1,), (1,), (whole, real, truth, 2**40, 0.1, True))
    assert (whole.item(), real.item(), truth.item()) == (2**40, 0.1, True)


def test_a_cooperative_launch_of_a_template() -> None:
    together = cp.RawModule(code=CODE, options=("-DUNUSED=1",), name_expressions=(FILL,), enable_cooperative_groups=True)
    x = cp.zeros(8)
    fill = together.get_function(FILL)
    fill((8,), (1,), (x, cp.zeros(1, "uint32")))
    assert x.tolist() == [4, *[3] * 7]
    with pytest.raises(cp.cuda.driver.CUDADriverError, match=r"COOPERATIVE_LAUNCH_TOO_LARGE.*: 9, and 8 of this size"):
        fill((9,), (1024,), (cp.zeros(9), cp.zeros(1, "uint32")))


def test_shared_memory_is_asked_for(module: Any) -> None:
    backwards, x, y = module.get_function("backwards"), cp.arange(8, dtype="float32"), cp.empty(8, "float32")
    backwards((1,), (8,), (x, y), shared_mem=32)
    assert y.tolist() == list(range(7, -1, -1))
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="max_dynamic_shared_size_bytes, which is 49152"):
        backwards((1,), (8,), (x, y), shared_mem=50000)
    backwards.max_dynamic_shared_size_bytes = 50000
    backwards((1,), (8,), (x, y), shared_mem=50000)
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="200000 bytes, of 166912"):
        backwards.max_dynamic_shared_size_bytes = 200000


def test_static_shared_memory_counts_too(module: Any) -> None:
    both, y = module.get_function("both"), cp.zeros(32, "float32")
    both((1,), (32,), (y,), shared_mem=16 << 10)
    with pytest.raises(CudaFault, match="32768 bytes of shared memory, and 40960 more are dynamic; 49152 are allowed"):
        both((1,), (32,), (y,), shared_mem=40 << 10)
    both.max_dynamic_shared_size_bytes = 40 << 10
    both((1,), (32,), (y,), shared_mem=40 << 10)
    assert y.tolist() == [3] * 32
    both.max_dynamic_shared_size_bytes = 160 << 10
    with pytest.raises(CudaFault, match="166912 are allowed"):
        both((1,), (32,), (y,), shared_mem=160 << 10)


def test_a_block_keeps_to_the_launch_bounds(module: Any) -> None:
    bound, y = module.get_function("bound"), cp.zeros(64, "float32")
    assert (bound.max_threads_per_block, module.get_function("scale").max_threads_per_block) == (32, 1024)
    bound((1,), (32,), (y,))
    module.get_function("computed")((1,), (64,), (y,))
    with pytest.raises(cp.cuda.driver.CUDADriverError, match=r"64 threads of a block.*__launch_bounds__ say 32"):
        bound((1,), (64,), (y,))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_profile_knows_where_arrays_of_a_device_begin(dtype: str) -> None:
    """At a multiple of 512; a view where it lies."""
    kind = {"uint8": "unsigned char", "float32": "float"}[dtype]
    text = f'extern "C" __global__ void copy(const {kind}* x, {kind}* y) {{ y[threadIdx.x] = x[threadIdx.x]; }}'
    copy, least = cp.RawKernel(text, "copy"), np.dtype(dtype).itemsize
    with launches("profile") as made:
        for _ in range(4):
            x = cp.zeros(40, dtype)
            copy((1,), (32,), (x[3:35], x))
            copy((1,), (32,), (x, cp.zeros(32, dtype)))
    found = [[line.sectors for line in one.report.lines if line.access == "read"] for one in made]
    assert found == [[least + 1], [least]] * 4
    assert made[0].name == "copy" and made[0].grid == (1,) and made[0].block == (32,)


def test_launches_can_be_checked(module: Any) -> None:
    racing, x = module.get_function("racing"), cp.zeros(1, "int32")
    racing((1,), (4,), (x,))
    with cp.launches("checked", order=1):
        with pytest.raises(CudaFault, match="race"):
            racing((1,), (4,), (x,))
        racing((1,), (1,), (x,))
    racing((1,), (4,), (x,))


X = np.zeros(8, np.float32)
N = np.int32(8)
Call = Callable[[Any, Any, Any], Any]
REFUSED: dict[str, tuple[Call, type[Exception], str]] = {
    "a number for the grid": (lambda f, x, y: f(1, (8,), (x, y, N)), TypeError, "'grid' has incorrect type"),
    "a list for the block": (lambda f, x, y: f((1,), [8], (x, y, N)), TypeError, "'block'"),
    "a NumPy array": (lambda f, x, y: f((1,), (8,), (X, y, N)), TypeError, "Unsupported type <class 'numpy.ndarray'>"),
    "a text": (lambda f, x, y: f((1,), (8,), (x, y, "8")), TypeError, "Unsupported type <class 'str'>"),
    "a plain number for an int": (lambda f, x, y: f((1,), (8,), (x, y, 8)), DTypeError, r"Pass np.int32\(value\)"),
    "an array of doubles": (lambda f, x, y: f((1,), (8,), (x, y.astype(float), N)), DTypeError, "float64"),
    "one argument too few": (lambda f, x, y: f((1,), (8,), (x, y)), ArgumentError, "3: const float32"),
    "a view with strides": (lambda f, x, y: f((1,), (4,), (x[::2], y, N)), ArgumentError, "ascontiguousarray"),
    "columns before rows": (lambda f, x, y: f((1,), (4,), (x.reshape(2, 4).T, y, N)), ArgumentError, "C-contiguous"),
    "an empty grid": (lambda f, x, y: f((0,), (8,), (x, y, N)), ShapeError, "Launch nothing"),
    "four sizes": (lambda f, x, y: f((1, 1, 1, 1), (8,), (x, y, N)), ShapeError, "one to three"),
    "a large block": (lambda f, x, y: f((1,), (2048,), (x, y, N)), ShapeError, "1024"),
    "another keyword": (lambda f, x, y: f((1,), (8,), (x, y, N), stream=None), TypeError, "stream"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(module: Any, call: Call, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(module.get_function("scale"), cp.zeros(8, "float32"), cp.zeros(8, "float32"))


def test_an_array_of_another_device_is_refused(module: Any) -> None:
    with cp.cuda.Device(1):
        far = cp.zeros(8, "float32")
    with pytest.raises(ValueError, match="current device"):
        module.get_function("scale")((1,), (8,), (far, far, N))


NEVER_MADE: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "neither code nor path": (lambda: cp.RawModule(), TypeError, "Exactly one of"),
    "code by its place": (lambda: cp.RawModule(CODE), TypeError, "positional"),
    "a list of options": (lambda: cp.RawModule(code=CODE, options=["-DA"]), TypeError, "expected tuple, got list"),
    "bytes": (lambda: cp.RawModule(code=b"text"), TypeError, "expected str, got bytes"),
    "expressions without code": (lambda: cp.RawModule(path="x", name_expressions=["f"]), ValueError, "need CUDA C"),
    "expressions for nvcc": (lambda: cp.RawModule(code="", backend="nvcc", name_expressions=["f"]), ValueError, "only nvrtc"),
    "compiled code": (lambda: cp.RawModule(path="x.cubin"), NotImplementedError, "CUDA C"),
    "a name that is none": (lambda: cp.RawKernel(CODE, 3), TypeError, "'name'"),
    "an unknown kernel": (lambda: cp.RawKernel(CODE, "f", ("-DUNUSED=1",))((1,), (1,), ()), RuntimeError, "NOT_FOUND"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "error", "words"), NEVER_MADE.values(), ids=NEVER_MADE)
def test_refused_at_once(make: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_unknown_names(module: Any) -> None:
    with pytest.raises(cp.cuda.driver.CUDADriverError, match=r"'fall'; the module has scale, .*fill<double, 3>"):
        module.get_function("fall")
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="'factors'"):
        module.get_global("factors")
    with pytest.raises(ValueError, match="at most 8 bytes"):
        cp.ndarray((3,), "float32", module.get_global("factor"))


def test_what_does_not_compile() -> None:
    broken = cp.RawKernel('extern "C" __global__ void f(int* x) {\n  *x = y;\n}', "f")
    with pytest.raises(cp.cuda.compiler.CompileException, match=r"kernel.cu:2: error: 'y' was not declared"):
        broken((1,), (1,), (cp.zeros(1, "int32"),))


@pytest.mark.parametrize("name", ["RawKernel", "RawModule"])
def test_nothing_that_cupy_has_not(name: str) -> None:
    ours = getattr(cp, name)
    made = ours("", "f") if name == "RawKernel" else ours(code="")
    assert {one for one in dir(made) if not one.startswith("_")} <= set(api.names(f"cupy.{name}"))
    parameters = list(inspect.signature(ours).parameters)
    for version in api.VERSIONS:
        written = api.recorded(version)["cupy"][name]["parameters"]
        assert parameters == [part.split("=")[0].strip() for part in written.split(",") if part.strip() != "*"]


ADDRESSES = """
struct Rows { float* row[2]; int n; };
extern "C" __global__ void by_structure(Rows rows, int beyond) {
    for (int i = 0; i < 2; i++) if (threadIdx.x < rows.n + beyond) rows.row[i][threadIdx.x] = i + 1;
}
extern "C" __global__ void by_table(float* const* rows, int n) {
    for (int i = 0; i < 2; i++) if (threadIdx.x < n) rows[i][threadIdx.x] = i + 1;
}
"""


def test_what_addresses_lead_to_is_watched() -> None:
    """Addresses in a structure and in a table in memory: right ones pass the checked mode, and one past an array is found."""
    rows = [cp.zeros(8, "float32"), cp.zeros(8, "float32")]
    addresses = [row.data.ptr for row in rows]
    structure = np.array([(addresses, 8)], np.dtype([("row", "u8", 2), ("n", "i4")], align=True))
    by_structure, by_table = (cp.RawKernel(ADDRESSES, name) for name in ("by_structure", "by_table"))
    with cp.launches("checked"):
        by_structure((1,), (32,), (structure, np.int32(0)))
        assert [row.get().tolist() for row in rows] == [[1] * 8, [2] * 8]
        with pytest.raises(CudaFault, match=r"array \d of reachable, byte 32 of 32"):
            by_structure((1,), (32,), (structure, np.int32(1)))
        rows[0][...] = 0
        by_table((1,), (32,), (cp.asarray(np.array(addresses, np.uint64)), np.int32(8)))
        assert rows[0].get().tolist() == [1] * 8
        with pytest.raises(CudaFault, match=r"of reachable, byte 32 of 32"):
            by_table((1,), (32,), (cp.asarray(np.array(addresses, np.uint64)), np.int32(9)))


READS = """
extern "C" __global__ void twice(const float* x, float* y) { y[threadIdx.x] = 2 * x[threadIdx.x]; }
extern "C" __global__ void grow(float* y) { y[threadIdx.x] += 1; }
"""


def test_an_empty_array_holds_nothing_until_something_writes_to_it() -> None:
    module = cp.RawModule(code=READS)
    with cp.launches("checked"):
        twice, grow = module.get_function("twice"), module.get_function("grow")
        for kernel, arguments, name in ((twice, lambda e: (e, cp.zeros(8, "f4")), "x"), (grow, lambda e: (e,), "y")):
            for make in (lambda: cp.empty(8, "f4"), lambda: cp.empty_like(cp.zeros(8, "f4")), lambda: cp.empty(16, "f4")[8:]):
                with pytest.raises(CudaFault) as caught:
                    kernel((1,), (8,), arguments(make()))
                assert caught.value.findings[0].kind == "uninitialised read" and name in str(caught.value)
        given = cp.empty(8, "f4")
        twice((1,), (8,), (cp.ones(8, "f4"), given))  # written by a kernel, and may be read
        grow((1,), (8,), (given,))
        assert given.tolist() == [3] * 8
        for write in (
            lambda a: a.fill(0),
            lambda a: cp.add(a, 1, out=a),
            lambda a: a.set(np.ones(8, "f4")),
            lambda a: a[2:].fill(1),
        ):
            given = cp.empty(8, "f4")
            write(given)
            grow((1,), (8,), (given,))


def test_what_is_written_through_a_structure_is_written() -> None:
    """A kernel that gets the array itself may then read it."""
    rows = [cp.empty(8, "float32"), cp.empty(8, "float32")]
    structure = np.array([([row.data.ptr for row in rows], 8)], np.dtype([("row", "u8", 2), ("n", "i4")], align=True))
    double = cp.RawKernel('extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2; }', "twice")
    with cp.launches("checked"):
        cp.RawKernel(ADDRESSES, "by_structure")((1,), (32,), (structure, np.int32(0)))
        double((1,), (8,), (rows[1],))
    assert rows[1].get().tolist() == [4] * 8
