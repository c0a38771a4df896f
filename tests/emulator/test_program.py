"""CUDA C++ on the CPU, in the mode that computes: results, what is refused, and faults that show by themselves."""

from __future__ import annotations

import _thread
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.emulator import Program, compiler
from minigrad.errors import ArgumentError, CudaFault, DTypeError, KernelError, MinigradError, ShapeError
from tests.emulator.cuda_programs import CLEAN, F32, I32, U32, clean, draw, planted, run, told_lines


@pytest.mark.parametrize("order", [0, 1, 7])
@pytest.mark.parametrize("name", CLEAN)
def test_results(name: str, order: int) -> None:
    kernel, case = CLEAN[name]
    launch, got, wanted = case()
    report = run(clean()[kernel], launch, order=order)
    assert report.findings == []
    np.testing.assert_allclose(got(), wanted, rtol=1e-5, atol=1e-5)


def test_several_workers_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGRAD_THREADS", "3")
    a, b, c = draw(40000), draw(40000), np.empty(40000, F32)
    program = Program(
        """extern "C" __global__ void add(const float* a, const float* b, float* c) {
            __shared__ float s[64];
            s[threadIdx.x ^ 1] = a[blockIdx.x * 64 + threadIdx.x];
            __syncthreads();
            c[blockIdx.x * 64 + threadIdx.x] = s[threadIdx.x ^ 1] + b[blockIdx.x * 64 + threadIdx.x];
        }"""
    )
    for _ in range(3):
        program["add"].launch(625, 64, (a, b, c))
        np.testing.assert_array_equal(c, a + b)


def test_shared_memory_holds_nothing_at_the_start() -> None:
    """What a kernel reads there without having written it is NaN, in each block anew."""
    program = Program(
        """extern "C" __global__ void f(float* y) {
            __shared__ float s[32]; extern __shared__ float d[];
            y[blockIdx.x] = s[0] + 0 * d[0];
            s[0] = 1, d[0] = 1;
        }"""
    )
    y = np.zeros(2, F32)
    program["f"].launch(2, 1, (y,), shared=4)
    assert np.isnan(y).all()


X, Y, N = np.zeros(8, F32), np.zeros(8, F32), I32(8)
ADD = (X, X, Y, N)
REFUSED: dict[str, tuple[str, Any, type[MinigradError], str]] = {
    "few arguments": ("add", (1, 8, (X, Y)), ArgumentError, r"4: const float32\* a, .*, int32 n, got 2"),
    "dtype of an array": ("add", (1, 8, (X, X.astype(float), Y, N)), DTypeError, r"x.astype\(np.float32\)"),
    "a Python number": ("add", (1, 8, (X, X, Y, 8)), DTypeError, r"Pass np.int32\(value\)"),
    "width of a number": ("add", (1, 8, (X, X, Y, np.int64(8))), DTypeError, "int64"),
    "a number for an array": ("add", (1, 8, (X, 1.0, Y, N)), DTypeError, "a NumPy array or None"),
    "an array for a number": ("add", (1, 8, (X, X, Y, np.zeros(1, I32))), DTypeError, "shape"),
    "strides": ("add", (1, 4, (X[::2], X, Y, N)), ArgumentError, "C-contiguous"),
    "a start that float4 cannot have": ("total<64>", (1, 64, (X[1:5], Y, I32(1))), ArgumentError, "a multiple of 16"),
    "an empty grid": ("add", ((0, 1), 8, ADD), ShapeError, "Launch nothing"),
    "a large block": ("add", (1, (64, 32), ADD), ShapeError, "at most 1024 threads"),
    "a deep block": ("add", (1, (1, 1, 65), ADD), ShapeError, "block.z"),
    "no sizes": ("add", (1, (), ADD), ShapeError, "one to three"),
    "half a thread": ("add", (1, 0.5, ADD), ShapeError, "whole numbers"),
    "shared memory": ("rotate", (1, 8, (X, np.zeros(1, U32), N), 2**20), ArgumentError, "232448 bytes"),
    "too many at once": (
        "rotate", (200, 1024, (X, np.zeros(1, U32), N), 4096, 0, True), ArgumentError, "at most 65536 threads",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kernel", "given", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(kernel: str, given: Any, error: type[MinigradError], words: str) -> None:
    with pytest.raises(error, match=words):
        clean()[kernel].launch(*given)


def test_an_array_that_must_not_be_written() -> None:
    y = np.zeros(8, F32)
    y.flags.writeable = False
    with pytest.raises(ArgumentError, match="c: expected an array that the kernel may write"):
        clean()["add"].launch(1, 8, (X, X, y, N))
    clean()["add"].launch(1, 8, (y, y, np.zeros(8, F32), N))


NEVER_COMPILED: dict[str, tuple[Callable[[], Any], type[MinigradError], str]] = {
    "no kernel": (lambda: Program("__device__ int f() { return 1; }"), KernelError, 'extern "C"'),
    "an unknown mode": (lambda: Program("", mode="slow"), ArgumentError, "'fast'"),
    "an unknown kernel": (lambda: clean()["sub"], KernelError, "one of its kernels .'add'"),
    "an unknown variable": (lambda: clean().variable("factor"), KernelError, "__constant__"),
    "a strange __shared__": (
        lambda: Program('extern "C" __global__ void f() {\n __shared__ int (*p)[3]; }', name="f.cu"), KernelError, "f.cu:2",
    ),
    "__shared__ outside": (lambda: Program('__shared__ int s[2]; extern "C" __global__ void f() {}'), KernelError, "outside"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "error", "words"), NEVER_COMPILED.values(), ids=NEVER_COMPILED)
def test_refused_before_it_runs(make: Callable[[], Any], error: type[MinigradError], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_a_text_that_does_not_compile() -> None:
    """The error tells the line, its text, and the template's values; a ``#line`` names another file."""
    text = '#line 7 "tiles.cuh"\ntemplate <int N> __device__ int half() {\n  static_assert(N % 2 == 0, "odd"); return 1; }\n'
    text += '#line 1 "f.cu"\ntemplate <int N> __global__ void f(int* x) {\n  *x = half<N>();\n}'
    with pytest.raises(KernelError) as caught:
        Program(text, name="f.cu", expressions=("f<3>",))
    said = str(caught.value)
    assert "tiles.cuh:8: error: static assertion failed: odd" in said
    assert 'static_assert(N % 2 == 0, "odd"); return 1; }' in said
    assert "with int N = 3" in said


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("#include <cuda_fp16.h>\nKERNEL {}", "Include nothing but <cooperative_groups.h>"),
        ("#define TILE __shared__ float s[8]\nKERNEL { TILE; }", "where no macro hides them"),
        ('KERNEL { asm volatile("bar.sync 0;"); }', "behind #ifndef MINIGRAD_EMULATOR"),
    ],
)
def test_what_the_emulator_has_not(text: str, remedy: str) -> None:
    with pytest.raises(KernelError, match=remedy):
        Program(text.replace("KERNEL", 'extern "C" __global__ void f()'))


def test_definitions_come_from_the_options() -> None:
    program = Program('extern "C" __global__ void f(int* x) { *x = A + B; }', options=("-DA=4", "-DB", "--use_fast_math"))
    x = np.zeros(1, I32)
    program["f"].launch(1, 1, (x,))
    assert x[0] == 5


FAULTS: dict[str, tuple[str, Any, str, str, dict[str, Any]]] = {
    "two_barriers": ("divergent barrier", (X.copy(),), "wait at different calls", "outside of conditions", {}),
    "barrier_and_warp": ("deadlock", (np.zeros(32, F32),), "lanes 3 did not come", "all lanes of the mask", {}),
    "absent_lanes": ("deadlock", (np.zeros(32, I32),), "lanes 16-31 did not come", "name in the mask", {}),
    "other_mask": ("lane not in mask", (np.zeros(32, I32),), "lane 16 calls with the mask 0x0000ffff", "__ballot_sync", {}),
    "lonely_grid": ("grid barrier", (np.zeros(1, U32),), "not cooperative", "cooperative=True", {}),
    "half_a_grid": (
        "deadlock", (np.zeros(1, U32),), "others have returned", "every thread of", {"grid": 2, "cooperative": True},
    ),
    "nobody_sets_it": ("deadlock", (np.zeros(1, I32), np.zeros(32, I32)), "is left to change the answer$", "set it", {}),
    "each_for_the_other": ("deadlock", (np.zeros(3, I32),), "asks again", "", {}),
    "before_the_barrier": ("deadlock", (np.zeros(1, I32),), "asks again", "", {}),
    "for_a_later_block": ("deadlock", (np.zeros(1, I32),), "8 blocks begin only when others", "cooperative", {"grid": 9}),
    "half_a_warp": ("partial warp", (X, Y), "lanes 8-31", "whole warps", {"block": 8}),
    "copy_between": ("bad copy", (X, Y), "not shared", "global to shared", {"block": 1}),
    "skewed_copy": ("bad copy", (X, Y), "16 bytes from or to", "smaller pieces", {"block": 1}),
    "wide_shared": ("shared memory", (np.zeros(8, F32),), "52000 bytes of shared memory", "dynamic", {}),
    "asserted": ("assertion", (np.arange(8, dtype=I32),), r"x\[threadIdx.x\] < 7", "condition", {"block": 8}),
    "trapped": ("trap", (np.arange(8, dtype=I32),), "__trap", "", {"block": 8}),
    "nothing_there": ("crash", (None,), "the address 0x", "null pointer", {}),
    "deep": ("stack overflow", (np.zeros(1, I32),), "128 KB", "recursion", {"block": 1}),
    "divided": ("division by zero", (np.arange(8, dtype=I32), np.zeros(8, I32)), "divided by zero", "divisor", {"block": 8}),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_that_show(name: str) -> None:
    check_planted(name, "fast")


@pytest.mark.parametrize("name", ["nobody_sets_it", "each_for_the_other", "before_the_barrier", "for_a_later_block"])
def test_waiting_for_ever_shows_in_the_checked_mode(name: str) -> None:
    check_planted(name, "checked")


def test_a_volatile_read_in_vain_shows_in_the_checked_mode() -> None:
    with pytest.raises(CudaFault, match="asks again and again") as caught:
        planted("checked")["without_end"].launch(2, 1, (np.zeros(1, I32),))
    assert caught.value.findings[0].place.text == "while (*x == 0) {"


def check_planted(name: str, mode: str) -> None:
    kind, arguments, explanation, remedy, launch = FAULTS[name]
    with pytest.raises(CudaFault) as caught:
        planted(mode)[name].launch(**{"grid": 1, "block": 32, "arguments": arguments, **launch})
    (finding,) = caught.value.findings
    assert finding.kind == kind
    assert re.search(explanation, finding.explanation) and re.search(remedy, finding.remedy)
    here, there = told_lines(name)
    if here:
        assert (finding.place.file, finding.place.line) == ("planted.cu", here)
        assert "here" in finding.place.text and finding.place.text in str(caught.value)
    if there:
        assert finding.other_place is not None and finding.other_place.line == there


def test_the_thread_of_a_fault_is_told() -> None:
    x = np.array([1, 1, 0, 1], I32)
    with pytest.raises(CudaFault) as caught:
        planted()["divided"].launch(1, 4, (x, np.zeros(4, I32)))
    assert (caught.value.findings[0].block, caught.value.findings[0].thread) == ((0, 0, 0), (2, 0, 0))
    planted()["divided"].launch(1, 2, (x, np.zeros(4, I32)))  # and after a fault, launches go on


def test_a_kernel_without_end_is_interrupted() -> None:
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        planted()["without_end"].launch(1, 1, (np.zeros(1, I32),))
    timer.join()
    run(clean()["add"], CLEAN["add"][1]()[0])


def test_two_threads_of_python_launch_at_once() -> None:
    failures: list[BaseException] = []

    def launch() -> None:
        try:
            for _ in range(20):
                case = CLEAN["matmul float"][1]()
                run(clean()["matmul<float, 8>"], case[0])
                np.testing.assert_allclose(case[1](), case[2], rtol=1e-5, atol=1e-5)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=launch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(KernelError, match=r"g\+\+: expected the GNU C\+\+ compiler on the PATH, got none.*apt install g\+\+"):
        compiler.compiler()


def test_an_old_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "g++"
    old.write_text("#!/bin/sh\necho 9.4.0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KernelError, match=r"g\+\+: expected version 11 or newer, got 9.4.0. Install a newer one"):
        compiler.compiler()


def test_elsewhere_than_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(KernelError, match="expected Linux"):
        compiler.compiler()


def test_a_damaged_library_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def run_compiler(arguments: Any, what: str, cwd: Path | None = None) -> None:
        calls.append(what)
        assert cwd is not None
        (cwd / "made.so").write_bytes(b"made")

    monkeypatch.setattr(compiler, "folder", lambda: tmp_path)
    monkeypatch.setattr(compiler, "_run", run_compiler)
    for _ in range(2):
        path = compiler._kept("program-1.so", "text", [], "it")
    assert calls == ["it"] and path.read_bytes().startswith(b"made")
    path.write_bytes(b"mad" + path.read_bytes()[3:])
    path.write_bytes(b"x" + path.read_bytes()[1:])
    compiler._kept("program-1.so", "text", [], "it")
    assert calls == ["it", "it"] and path.read_bytes().startswith(b"made")
    assert [one.name for one in tmp_path.glob("[!.]*")] == ["program-1.so"]
    assert not list(tmp_path.glob(".making-*"))


def test_a_forked_child_launches() -> None:
    clean()
    code = """if True:
        import os, sys
        from tests.emulator.cuda_programs import CLEAN, clean, run
        run(clean()["add"], CLEAN["add"][1]()[0])
        child = os.fork()
        launch, got, wanted = CLEAN["add"][1]()
        run(clean()["add"], launch)
        good = bool(abs(got() - wanted).max() < 1e-5)
        if child == 0:
            os._exit(0 if good else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not good)
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


def test_compilers_are_there() -> None:
    """The tests of this folder need g++ and the tools that come with it."""
    assert shutil.which("g++") and shutil.which("addr2line"), "Install them: apt install g++ (Debian, Ubuntu)"
