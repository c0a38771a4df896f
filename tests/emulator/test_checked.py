"""The checked mode finds each planted fault, tells its line and thread, and finds nothing in kernels without faults."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from minigrad.emulator import Program
from minigrad.errors import CudaFault, ShapeError
from tests.emulator.cuda_programs import CLEAN, F32, I32, U32, clean, run, told_lines, unsound


@pytest.mark.parametrize("order", [0, 1, 5])
@pytest.mark.parametrize("name", CLEAN)
def test_clean_kernels_are_clean(name: str, order: int) -> None:
    kernel, case = CLEAN[name]
    launch, got, wanted = case()
    report = run(clean("checked")[kernel], launch, order=order)
    assert report.findings == []
    np.testing.assert_allclose(got(), wanted, rtol=1e-5, atol=1e-5)


def f(n: int) -> np.ndarray:
    return np.zeros(n, F32)


def i(n: int) -> np.ndarray:
    return np.zeros(n, I32)


RACE, OUTSIDE, UNSET = "race", "out of bounds", "uninitialised read"
# Of each: the kind, arguments, words of the explanation and of the remedy, and what else the launch has.
FAULTS: dict[str, tuple[str, tuple[Any, ...], str, str, dict[str, Any]]] = {
    "no_barrier": (RACE, (f(64), f(64)), "another reads it", r"__syncthreads\(\) between", {"block": 64}),
    "early_overwrite": (RACE, (f(64), I32(3)), "writes the shared array tile", "", {"block": 64}),
    "warp_in_step": (RACE, (f(64),), "the shared array s", "__syncwarp", {"block": 64}),
    "counts": (RACE, (i(1),), "another writes it", "__sync", {"block": 64}),
    "two_blocks": (RACE, (i(4),), "writes x, byte", "Blocks run in any order", {"grid": 4, "block": 2}),
    "half_atomic": (RACE, (i(1),), "changes by an atomic operation x, byte 0 of 4, another writes it", "__syncwarp", {}),
    "atomic_then_plain": (RACE, (i(1),), "atomic operation", "__syncwarp", {}),
    "swaps": (RACE, (np.zeros(1),), "^a plain read beside atomics: .* sum, byte", "^If any .* a volatile or atomic", {}),
    "reader_not_waited_for": (RACE, (i(1), i(1), i(2)), "writes x, byte 0 of 4, another reads", "", {"block": 64}),
    "no_fence": (RACE, (i(1), i(1), i(1)), "reads data", "__syncthreads", {"block": 64}),
    "only_this_block": (RACE, (f(64), f(64)), "writes x", "Blocks run in any order", {"grid": 2}),
    "bytes": (RACE, (np.zeros(16, np.uint8),), "writes x, byte 0 of 16", "__syncwarp", {}),
    "past_the_end": (OUTSIDE, (f(40), f(40), I32(40)), "4 bytes at y, byte 160 of 160: 0 bytes past", "Guard", {"grid": 2}),
    "before_the_start": (OUTSIDE, (f(32), f(32)), "reads 4 bytes at x, byte -4 of 128: 4 bytes before its start", "Guard", {}),
    "past_shared": (OUTSIDE, (f(32),), "the shared array s, byte 64 of 64: 0 bytes past", "Guard", {}),
    "past_dynamic": (OUTSIDE, (f(32),), "dynamic shared memory, byte 100 of 100", "Guard", {"shared": 100}),
    "half_outside": (OUTSIDE, (f(10), f(32)), "reads 16 bytes at x, byte 32 of 40", "Guard", {}),
    "null_pointer": (OUTSIDE, (None, f(32)), "reads 4 bytes at a null pointer", "Guard", {}),
    "unset_global": (UNSET, (f(32), f(32)), "reads y, byte 8 of 128", "Write it first", {"uninitialised": ["y"]}),
    "unset_shared": (UNSET, (f(8),), "the shared array s, byte 0 of 32", "Write it first", {"block": 8}),
    "last_blocks_values": (UNSET, (f(8),), "dynamic shared memory", "Write it first", {"grid": 2, "block": 4, "shared": 16}),
    "skewed_vector": ("misaligned access", (f(8), f(8)), "reads 16 bytes at once at x, byte 4", "single", {"block": 1}),
    "writes_const": ("write through const", (f(32),), "writes x, byte 0 of 128, which is a const", "const", {}),
    "returned_early": ("exited at barrier", (f(32), I32(20)), "12 of their block have returned", "every thread", {}),
    "absent_source": ("exited lanes", (f(32),), "from lanes 16-31", "only from lanes", {}),
    "early_read": ("pending copy", (f(4), f(4)), "the shared array tile, byte 0 of 16", "Wait for the copy", {"block": 4}),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_found(name: str) -> None:
    kind, arguments, explanation, remedy, launch = FAULTS[name]
    given = {"grid": 1, "block": 32, "arguments": arguments, **launch}
    for order in (0, 1, 5):
        report = unsound()[name].launch(**given, order=order, raise_findings=False)
        kinds = {finding.kind for finding in report.findings}
        assert kind in kinds and kinds <= {kind, "race"} | (
            {"uninitialised read"} if kind in ("race", "pending copy") else set()
        )
        if order == 0:
            first = next(finding for finding in report.findings if finding.kind == kind)
            assert re.search(explanation, first.explanation) and re.search(remedy, first.remedy)
            here, there = told_lines(name, "unsound.cu")
            lines = {(place.file, place.line) for place in (first.place, first.other_place) if place and place.line}
            assert lines == {("unsound.cu", line) for line in (here, there) if line}
            assert (first.other_block, first.other_thread) != (first.block, first.thread)


def test_the_same_without_the_fault() -> None:
    """The barrier, fence or guard put in, nothing is found any more: it was that which was missing."""
    text = """
    extern "C" __global__ void overwrite(float* x, int steps) {
        __shared__ float tile[64];
        for (int step = 0; step < steps; step++) {
            tile[threadIdx.x] = x[threadIdx.x];
            __syncthreads();
            x[threadIdx.x] = tile[(threadIdx.x + 1) % 64];
            __syncthreads();
        }
    }
    extern "C" __global__ void fenced(int* data, volatile int* flag, int* y) {
        if (threadIdx.x == 0) {
            *data = 5;
            __threadfence();
            *flag = 1;
        } else if (threadIdx.x == 32) {
            while (*flag == 0) {}
            __threadfence();
            *y = *data;
        }
    }
    extern "C" __global__ void bytes(unsigned char* x) { x[threadIdx.x] = threadIdx.x; }
    extern "C" __global__ void handed_on(float* x, unsigned* came, float* sum) {
        __shared__ bool last;
        x[blockIdx.x * 64 + threadIdx.x] = 1;
        __threadfence();
        __syncthreads();
        if (threadIdx.x == 0) last = atomicAdd(came, 1u) == gridDim.x - 1;
        __syncthreads();
        if (last && threadIdx.x < 32) {
            float all = 0;
            for (int i = threadIdx.x; i < 64 * gridDim.x; i += 32) all += x[i];
            for (int d = 16; d; d /= 2) all += __shfl_xor_sync(0xffffffffu, all, d);
            if (threadIdx.x == 0) *sum = all;
        }
    }
    template <bool by_warps> __device__ void last_one_sums(float* x, unsigned* came, float* sum) {
        x[blockIdx.x * 64 + threadIdx.x] = 1;
        by_warps ? __syncwarp() : __syncthreads();
        if (threadIdx.x % (by_warps ? 32 : 64) == 0) {
            __threadfence();
            if (atomicAdd(came, 1u) == gridDim.x * (by_warps ? 2 : 1) - 1) {
                float all = 0;
                for (int i = 0; i < 64 * gridDim.x; i++) all += x[i];
                *sum = all;
            }
        }
    }
    extern "C" __global__ void fenced_for_block(float* x, unsigned* came, float* sum) { last_one_sums<false>(x, came, sum); }
    extern "C" __global__ void fenced_for_warp(float* x, unsigned* came, float* sum) { last_one_sums<true>(x, came, sum); }
    extern "C" __global__ void swaps(double* sum) {
        unsigned long long* word = reinterpret_cast<unsigned long long*>(sum);
        unsigned long long old = *static_cast<volatile unsigned long long*>(word), assumed;
        do {
            assumed = old;
            old = atomicCAS(word, assumed, __double_as_longlong(__longlong_as_double(assumed) + 1));
        } while (assumed != old);
    }
    __device__ int kept[32];
    extern "C" __global__ void keeps(int* x) {
        static const int table[4] = {1, 2, 3, 4};
        kept[threadIdx.x] = table[x[threadIdx.x] % 4];
        __syncwarp();
        x[threadIdx.x] = kept[31 - threadIdx.x];
    }
    extern "C" __global__ void in_place(const float* x, float* y, const float* z, int n) {
        const int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) y[i] = x[i] + z[i];
    }
    """
    program = Program(text, mode="checked")
    y, total, x = np.zeros(1, I32), np.zeros(1, F32), np.arange(40, dtype=F32)
    for order in (0, 1, 5):
        program["overwrite"].launch(1, 64, (f(64), I32(3)), order=order)
        program["fenced"].launch(1, 64, (np.zeros(1, I32), np.zeros(1, I32), y), order=order)
        program["bytes"].launch(1, 32, (np.zeros(32, np.uint8),), order=order)
        for name in ("handed_on", "fenced_for_block", "fenced_for_warp"):
            program[name].launch(5, 64, (f(320), np.zeros(1, U32), total), order=order, uninitialised=["x", "sum"])
            assert total[0] == 320
            total[0] = 0
        added = np.zeros(1)
        program["swaps"].launch(3, 64, (added,), order=order)
        assert added[0] == 192
        program["keeps"].launch(1, 32, (np.zeros(32, I32),), order=order)
    assert y[0] == 5
    program["in_place"].launch(2, 32, (x, x, x, I32(40)))  # one array by three names: it is const by two of them
    np.testing.assert_array_equal(x, 2 * np.arange(40))


def test_arrays_reached_through_memory() -> None:
    text = """extern "C" __global__ void fill(float* const* rows, int n) {
        for (int i = 0; i < 2; i++) if (threadIdx.x < n) rows[i][threadIdx.x] = i + 1;
    }"""
    fill = Program(text, mode="checked")["fill"]
    rows = [f(8), f(8)]
    table = np.array([row.ctypes.data for row in rows], np.uint64)
    fill.launch(1, 32, (table, I32(8)), reachable=rows)
    assert (rows[0] == 1).all() and (rows[1] == 2).all()
    with pytest.raises(CudaFault, match=r"array 0 of reachable, byte 32 of 32|array 1 of reachable"):
        fill.launch(1, 32, (table, I32(9)), reachable=rows)
    with pytest.raises(CudaFault, match="belongs to no array"):
        fill.launch(1, 32, (table, I32(8)))


def test_a_cooperative_launch_is_checked_too() -> None:
    report = unsound()["two_blocks"].launch(4, 2, (i(4),), cooperative=True, raise_findings=False)
    assert {finding.kind for finding in report.findings} == {"race"}


def test_findings_are_told_and_counted() -> None:
    with pytest.raises(CudaFault) as caught:
        unsound()["counts"].launch(1, 8, (i(1),))
    said = str(caught.value)
    assert said.startswith("launch of counts: 2 faults")
    assert "count[0] += 1;" in said and "block (0, 0, 0), thread (1, 0, 0)" in said and "found 7 times" in said
    writes = [finding.explanation for finding in caught.value.findings]
    assert "one thread reads count" in writes[0] and "one thread writes count" in writes[1]


def test_what_a_kernel_writes_comes_back_and_const_stays() -> None:
    x = f(32)
    unsound()["writes_const"].launch(1, 32, (x,), raise_findings=False)
    assert (x == 0).all()


def test_more_threads_than_can_be_told_apart() -> None:
    with pytest.raises(ShapeError, match="fewer than 4 billion threads"):
        unsound()["counts"].launch(2**22, 1024, (i(1),))
