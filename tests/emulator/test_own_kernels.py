"""CUDA kernels from a file of one's own: checked, traced and profiled on the emulator by the commands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.cli.kernels import _chosen
from minigrad.core.device import device
from minigrad.emulator import compiler
from minigrad.errors import ArgumentError, KernelError
from minigrad.kernels import CudaKernel, emulation, own_files
from minigrad.kernels.emulation import EMULATED, launches
from minigrad.kernels.trial import cases_of, has_floats
from tests.shape_images import Commands

Command = Callable[[str], tuple[int, str, str]]
SUMS_CU = """\
extern "C" __global__ void row_sums(const float* x, float* sums, int rows, int columns) {
    __shared__ float part[64];
    float sum = 0;
    for (int column = threadIdx.x; column < columns; column += 64) sum += x[blockIdx.x * columns + column];
    part[threadIdx.x] = sum;
    __syncthreads();
    for (int half = 32; half > 0; half /= 2) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) sums[blockIdx.x] = part[0];
}
"""
SUMS = """\
import numpy as np
from minigrad.kernels import CudaKernel

def arguments(rng, rows, columns):
    x = rng.standard_normal((rows, columns), dtype=np.float32)
    return {"sums": np.empty(rows, np.float32), "x": x, "rows": rows, "columns": columns}

KERNEL = CudaKernel(
    "sums.cu", "row_sums",
    cases=[{"rows": 3, "columns": 70}, {"rows": 2, "columns": 1}, {"rows": 0, "columns": 4}],
    arguments=arguments,
    reference=lambda x: x.sum(1),
    grid=lambda rows, columns: rows, block=64,
)
"""
ADD_CU = """\
template <typename T>
__global__ void add(const T* x, const T* y, T* z, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) z[i] = x[i] + y[i];
}
"""
ADD = """\
from pathlib import Path
from minigrad import kernels
from minigrad.core.device import array_module
from minigrad.kernels.cuda import Program

PROGRAM = Program(str(Path(__file__).with_name("add.cu")))

def add(x, y):
    xp = array_module(x)
    z = xp.empty(x.shape, x.dtype)
    PROGRAM["add", x.dtype](xp.ascontiguousarray(x), xp.ascontiguousarray(y), z, z.size, work=z.size, tile=32, block=32)
    return z

kernels.register("elementwise", "mine", device="cuda", add=add)
"""


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    for name, text in (("sums.cu", SUMS_CU), ("sums.py", SUMS), ("add.cu", ADD_CU), ("add.py", ADD)):
        Path(name).write_text(text)
    commands = Commands(capsys)
    return lambda words: commands(*words.split())


@pytest.fixture(autouse=True)
def unloaded() -> Iterator[None]:
    yield
    for path in own_files.loaded_files():
        kernels.unload_file(path)


def test_a_kernel_with_its_own_contract(minigrad: Command) -> None:
    code, out, err = minigrad("kernels check sums.py --emulate")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:3] for line in out.splitlines()[2:5]}
    assert rows == {"values": ["3", "ok"], "orders": ["6", "ok"], "checked": ["3", "ok"]}
    code, out, err = minigrad("kernels check sums.py")
    assert code == 2 and "expected a GPU" in err and "--emulate" in err
    code, out, _ = minigrad("kernels check sums.py row_sums --emulate --json")
    (report,) = json.loads(out)
    assert code == 0 and report["ok"] and list(report["checks"]) == ["values", "orders", "checked"]
    code, _, err = minigrad("kernels check sums.py nobody --emulate")
    assert code == 2 and "'nobody'" in err


BROKEN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "no barrier": ("        __syncthreads();\n", "", ("checked: row_sums: rows=3,columns=70", "race: ", "sums.cu:8: if (threa",
                                                     "block (0, 0, 0), thread (1, 0, 0)", "Put a __syncthreads() between")),
    "an order": ("part[threadIdx.x] = sum;\n    __syncthreads();", "atomicAdd(&part[threadIdx.x / 64], sum);",
                 ("values: row_sums: rows=3", "sums[0]: expected")),
    "outside": ("column < columns", "column <= columns", ("out of bounds", "sums.cu:4", "Guard the access")),
    "a barrier for some": ("if (threadIdx.x < half) part", "if (threadIdx.x < half) __syncthreads(), part",
                           ("values: row_sums", "divergent barrier: ", "sums.cu:9")),
    "does not compile": ("float sum = 0;", "float sum = nothing;", ("'nothing' was not declared", "sums.cu:3")),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_faults_are_told_with_line_and_thread(minigrad: Command, name: str) -> None:
    before, after, told = BROKEN[name]
    assert before in SUMS_CU
    Path("sums.cu").write_text(SUMS_CU.replace(before, after))
    code, _, err = minigrad("kernels check sums.py --emulate")
    assert code == (2 if name == "does not compile" else 1)
    assert [words for words in told if words not in err] == [], err


def test_a_kernel_that_relies_on_the_order_of_threads(minigrad: Command) -> None:
    """Right as numbered, wrong backwards; the checked mode is not needed to see it."""
    Path("sums.cu").write_text("""\
extern "C" __global__ void row_sums(const float* x, float* sums, int rows, int columns) {
    __shared__ int came;
    if (threadIdx.x == 0) came = 0;
    __syncthreads();
    if (atomicExch(&came, 1)) return;
    float sum = threadIdx.x;
    for (int i = 0; i < columns; i++) sum += x[blockIdx.x * columns + i];
    sums[blockIdx.x] = sum;
}""")
    code, _, err = minigrad("kernels check sums.py --emulate")
    assert code == 1 and "values: " not in err and "checked: " not in err
    assert "orders: row_sums: rows=3,columns=70, backwards" in err


def test_a_registered_implementation(minigrad: Command) -> None:
    code, out, err = minigrad("kernels check add.py --emulate --json")
    (report,) = json.loads(out)
    assert code == 0 and report["ok"], err
    calls = report["runs"]
    assert calls["orders"] == 2 * calls["checked"] > 0 and calls["values"] > 0 and "large" not in calls
    own = [case for case in cases_of("elementwise").cases() if case.function == "add"]
    assert calls["checked"] == sum(2 if has_floats(case) else 1 for case in own)
    code, out, err = minigrad("kernels check add.py")
    assert "it runs on a GPU" in out + err and "--emulate" in out + err
    Path("wrong.cu").write_text(ADD_CU.replace("if (i < n) ", ""))
    Path("wrong.py").write_text(ADD.replace("add.cu", "wrong.cu"))
    code, out, err = minigrad("kernels check wrong.py --emulate")
    assert code == 1 and "checked: add of mine" in err and "out of bounds" in err and "Guard the access" in err


def own(**changed: Any) -> CudaKernel:
    """A kernel with a contract that is changed in one way or another."""

    def arguments(rng: np.random.Generator, n: int) -> dict[str, Any]:
        return {"x": rng.standard_normal(n), "y": np.empty(n), "by": 2.0, "n": n}

    made: dict[str, Any] = {
        "cases": [{"n": 40}],
        "arguments": arguments,
        "reference": lambda x, by: x * by,
        "grid": 2,
        "block": 32,
    }
    return CudaKernel("own.cu", ("scale", "float64"), **{**made, **changed})


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., CudaKernel]:
    text = """
    template <typename T> __global__ void scale(const T* x, T* y, T by, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) y[i] = x[i] * by;
    }"""
    monkeypatch.setitem(globals(), "__file__", str(tmp_path / "here.py"))
    (tmp_path / "own.cu").write_text(text)
    return own


def test_what_a_contract_may_say(scale: Callable[..., CudaKernel]) -> None:
    check_own = emulation.check_own
    assert check_own(scale()).ok
    assert check_own(scale(grid=(2,), block=(16, 2), shared=lambda n: 8, reference=lambda x: {"y": x * 2})).ok is False
    report = check_own(scale(reference=lambda x, by: x * by + 1e-9))
    assert [(each.check, each.function) for each in report.failures] == [
        (kind, "scale") for kind in ("values", "orders", "checked")
    ]
    assert report.failures[0].words.startswith("y[0]: expected ") and "40 of 40 differ" in report.failures[0].words
    assert check_own(scale(reference=lambda x, by: x * by + 1e-9, tolerance=1e-6)).ok
    assert not check_own(scale(reference=lambda x, by: x[:3] * by)).ok
    for changed, told in (
        ({"cases": []}, "sizes to ask it at"),
        ({"arguments": lambda rng, n: {"x": np.ones(n)}}, "values for x, y, by, n"),
        ({"reference": lambda x: {"x": x}}, r"arrays that it writes \(y\)"),
    ):
        with pytest.raises(KernelError, match=told):
            check_own(scale(**changed))


def test_what_must_stay_as_it_was(scale: Callable[..., CudaKernel], tmp_path: Path) -> None:
    text = (tmp_path / "own.cu").read_text()
    (tmp_path / "own.cu").write_text(text.replace("int i =", "const_cast<T*>(x)[3] = 7; int i ="))
    failures = {each.check: each.words for each in emulation.check_own(scale(reference=lambda x, by: {})).failures}
    assert failures["values"].startswith("x[3]: expected ") and "got 7" in failures["values"]
    assert "write through const" in failures["checked"]


def test_differences(scale: Callable[..., CudaKernel]) -> None:
    """As a part of the largest number; NaN is NaN, infinity itself."""
    kernel = scale(tolerance=1e-5)
    want = {"y": np.array([1000.0, np.nan, np.inf, 0.0])}
    assert kernel.difference({"y": np.array([1000.009, np.nan, np.inf, 0.009])}, want) is None
    for at, value, told in ((0, 1000.02, "1000 within 0.01"), (1, 0.0, "nan"), (2, np.nan, "inf"), (3, np.nan, "0 within")):
        got = want["y"].copy()
        got[at] = value
        found = kernel.difference({"y": got}, want)
        assert found is not None and found.place == f"y[{at}]" and found.expected.startswith(told)


def test_large_launches_are_not_watched(scale: Callable[..., CudaKernel], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulation, "MOST_WATCHED", 63)
    assert emulation.check_own(scale()).runs == {"values": 1, "orders": 2}
    monkeypatch.setattr(emulation, "MOST_WATCHED", 64)
    assert emulation.check_own(scale()).runs == {"values": 1, "orders": 2, "checked": 1}


def test_without_names_all_cuda_kernels_are_emulated() -> None:
    with _chosen([], True) as (chosen, own):
        assert own == [] and ("random", "cuda") in chosen
        assert {kernels.implementations(family)[name].device for family, name in chosen} == {"cuda"}


def test_what_a_result_holds_before_is_nothing(scale: Callable[..., CudaKernel]) -> None:
    """Unless the reference asks for it."""
    kernel = scale(grid=1)  # the last 8 are left out
    case = kernel.cases[0]
    given = kernel.given(case) | {"y": np.ones(40)}
    assert np.isnan(kernel.launch(case, given, EMULATED)["y"][32:]).all()
    kernel = scale(grid=1, reference=lambda x, y, by: np.concatenate([x[:32] * by, y[32:]]))
    assert (kernel.launch(case, given, EMULATED)["y"][32:] == 1).all()


def test_launches_are_noted(scale: Callable[..., CudaKernel]) -> None:
    kernel = scale()
    case = kernel.cases[0]
    with launches("trace", only=2, watched=1, most_events=3) as made:
        for _ in range(3):
            kernel.launch(case, kernel.given(case), device("emulated"))
    assert [(one.name, one.grid, one.block, len(one.report.events)) for one in made] == [
        ("scale<double>", (2,), (32,), count) for count in (0, 3, 0)
    ]
    assert [event.element for event in made[1].report.events][:1] == [(32,)]
    with launches("fast") as made:
        kernel.launch(case, kernel.given(case), device("emulated"))
    assert made == []


def test_trace(minigrad: Command) -> None:
    code, out, err = minigrad("kernels trace sums.py --threads 0-1,33")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [
        "row_sums of sums.cu: rows=3,columns=70",
        "launch 1: row_sums, grid (3,), block (64,) threads, block (0,)",
    ]
    at = next(number for number, line in enumerate(lines) if line.startswith("sums.cu:5: part[threadIdx.x] = sum;"))
    assert lines[3].split() == ["thread", "0", "1", "33"]
    assert [word for word in lines[at + 1].split() if word.startswith("[")] == ["[0]", "[1]", "[33]"]
    assert lines[at + 2].startswith("---- __syncthreads() sums.cu:6: 64 threads ---")
    assert len([line for line in lines if line.startswith("----")]) == 7
    assert max(map(len, lines)) <= 80
    code, out, _ = minigrad("kernels trace sums.py --block 1 --case rows=2 --limit 12 --json")
    told = json.loads(out)
    assert told["grid"] == [2] and len(told["events"]) == 12 and told["left_out"] > 100
    code, _, err = minigrad("kernels trace sums.py --limit 12")
    assert code == 0 and "cut at 12 events" in err and "--limit 8" in err
    for words, told in (("--threads 64", "from 0 to 63"), ("--block 3", "a block of the grid (3, 1, 1)"),
                        ("--block x", "like 0"),
                        ("--launch 2", "one of 1 row_sums"), ("--case 9", "one of 1 rows=3,columns=70; 2"),
                        ("--case 3", "which launches none"), ("nobody", "one of row_sums")):  # fmt: skip
        code, _, err = minigrad(f"kernels trace sums.py {words}")
        assert code == 2 and told in err, (words, err)


def test_a_drawn_trace(minigrad: Command) -> None:
    Path("sums.cu").write_text(SUMS_CU.replace("part[64]", "part[2048]").replace("part[threadIdx.x] = sum;",
                               "part[threadIdx.x] = sum, part[32 * threadIdx.x] = 0, __syncwarp();"))  # fmt: skip
    code, out, err = minigrad("kernels trace sums.py --out drawn.html --threads 0-39")
    assert code == 0 and out.rstrip().endswith("Drawn: drawn.html"), err
    page = Path("drawn.html").read_text()
    assert page.count("<circle") == 40 and "script" not in page
    assert "thread 39: read x [39] " in page and "thread 40" not in page
    assert page.count("__syncthreads()  64 threads") == 7
    assert page.count("; all together 64 wavefronts, and 2 would do") == page.count('stroke="var(--wrong)"') == 40
    assert "sums.cu:5: write part: 64 wavefronts, and 2 would do" in out
    code, out, _ = minigrad("kernels trace sums.py --out drawn.html --limit 30")
    assert "Not drawn: " in (page := Path("drawn.html").read_text()) and "events that were not recorded" in page


def test_a_trace_shows_what_came_before_a_fault(minigrad: Command) -> None:
    Path("sums.cu").write_text(SUMS_CU.replace("if (threadIdx.x < half) part", "if (threadIdx.x < half) __syncthreads(), part"))
    code, out, err = minigrad("kernels trace sums.py --threads 0,40")
    assert code == 1 and "divergent barrier" in err and "[40] " in out and "sums.cu:5: part[threadIdx.x] = sum;" in out
    code, out, err = minigrad("kernels profile sums.py --json")
    assert code == 1 and "divergent barrier" in err and {line["array"] for line in json.loads(out)[0]["lines"]} == {"x", "part"}


def test_json_of_a_trace(minigrad: Command) -> None:
    """NaN is text, and what the file prints goes elsewhere."""
    Path("sums.py").write_text(SUMS.replace("    return {", "    x[0, 0] = np.nan\n    print('made')\n    return {"))
    code, out, err = minigrad("kernels trace sums.py --json --threads 0")
    assert code == 0 and "made" in err
    first = json.loads(out)["events"][0]
    assert (first["array"], first["element"], first["value"]) == ("x", [0], ["nan"]) and first["place"]["line"] == 4


def test_a_registered_implementation_is_traced(minigrad: Command) -> None:
    code, out, err = minigrad("kernels trace add.py --threads 0-1")
    assert (code, err) == (0, "") and out.startswith("mine of elementwise: add: ")
    assert "\nadd.cu:4: if (i < n) z[i] = x[i] + y[i];\n" in out and "read x" in out
    code, _, err = minigrad("kernels trace add.py --case none")
    assert code == 2 and "1 add: " in err and "multiply: " not in err
    for words in ("trace sums.cu", "profile sums.cu", "check sums.cu --emulate"):
        code, _, err = minigrad(f"kernels {words}")
        assert code == 2 and "a Python file, got 'sums.cu'. Name it in a CudaKernel there" in err


def test_profile(minigrad: Command) -> None:
    code, out, err = minigrad("kernels profile sums.py")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["sums.cu:5", "write", "part", "shared", "4", "6", "32.00", "1.000", "1.000"] in rows
    code, out, _ = minigrad("kernels profile add.py --launch 1 --json")
    (launch,) = json.loads(out)
    assert {(line["access"], line["array"]) for line in launch["lines"]} == {("read", "x"), ("read", "y"), ("write", "z")}
    code, _, err = minigrad("kernels profile sums.py --launch 2")
    assert code == 2 and "one of 1 row_sums" in err
    Path("none.py").write_text("from minigrad import kernels\nkernels.register('elementwise', 'none', add=print)")
    code, _, err = minigrad("kernels profile none.py")
    assert code == 2 and "a CudaKernel, or a registration with device='cuda'" in err


def test_the_commands_run_in_a_process_of_their_own(minigrad: Command) -> None:
    done = subprocess.run([sys.executable, "-m", "minigrad", "kernels", "trace", "sums.py", "--case", "2"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "thread" in done.stdout and done.stdout.startswith("row_sums of sums.cu: rows=2,columns=1")
    Path("sums.py").write_text("import os\nos._exit(0)")
    done = subprocess.run([sys.executable, "-m", "minigrad", "kernels", "profile", "sums.py"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 2 and "it ended itself" in done.stderr


@pytest.mark.parametrize("words", ["check sums.py --emulate", "check add.py --emulate", "trace add.py", "profile sums.py"])
def test_without_a_compiler(minigrad: Command, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """What is missing is told, and what to do; no kernel is blamed for it."""
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    code, _, err = minigrad(f"kernels {words}")
    assert code == 2 and "g++: expected the GNU C++ compiler on the PATH, got none" in err and "apt install g++" in err
    monkeypatch.setattr(sys, "platform", "win32")
    code, _, err = minigrad(f"kernels {words}")
    assert code == 2 and "system: expected Linux, got " in err and "a virtual machine or a container" in err


def test_an_emulated_device_without_a_compiler(scale: Callable[..., CudaKernel], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    kernel = scale(options=["-DNEVER_COMPILED"])
    with pytest.raises(KernelError, match="the GNU C\\+\\+ compiler on the PATH"):
        kernel.launch(kernel.cases[0], kernel.given(kernel.cases[0]), EMULATED)


def test_a_file_has_a_kernel_or_is_refused(minigrad: Command) -> None:
    Path("empty.py").write_text("x = 1")
    with pytest.raises(KernelError, match="or a CudaKernel, got neither"):
        kernels.cuda_kernels("empty.py")
    (kernel,) = kernels.cuda_kernels("sums.py")
    assert kernel.name == "row_sums of sums.cu" and kernels.load_file("sums.py") == ()
    with pytest.raises(ArgumentError):
        from minigrad.cli.traced import chosen_threads

        chosen_threads("3-1", 8)
