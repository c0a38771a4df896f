"""Every CUDA kernel, compiled for every architecture by NVIDIA's compiler, within its budget; and the command that shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from minigrad.cli import main
from minigrad.errors import KernelError
from minigrad.kernels.cuda import static
from minigrad.kernels.cuda.budgets import BUDGETS, Budget, budget, faults
from minigrad.kernels.cuda.families import Instance, families, instances
from minigrad.kernels.cuda.static import ARCHS, Request

pytestmark = pytest.mark.static
PLANTED = Path(__file__).with_name("planted.cu")
FILES: dict[str, list[Instance]] = {}
for _each in (each for family in families() for each in instances(family)):
    FILES.setdefault(_each.program.name, []).append(_each)


@pytest.mark.parametrize("file", FILES)
def test_every_kernel_that_is_launched_has_a_budget(file: str) -> None:
    assert {each.kernel for each in FILES[file]} == set(BUDGETS.get(file, {}))


def test_every_budget_is_of_a_file_that_is_launched() -> None:
    assert set(BUDGETS) <= set(FILES)


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("file", FILES)
def test_kernels_keep_their_budgets(file: str, arch: int) -> None:
    program = FILES[file][0].program
    wanted = [each for each in FILES[file] if (row := budget(file, each.kernel)) is None or arch in row.archs]
    names = tuple(dict.fromkeys(each.kernel for each in wanted))
    (found,) = static.examine([Request(file, program.text, names, program.options, arch)]) if names else ([],)
    by_kernel = {figures.kernel: figures for figures in found}
    over = {
        each.kernel: wrong
        for each in wanted
        if (wrong := faults(by_kernel[each.kernel], each.threads, each.shared, budget(file, each.kernel)))
    }
    assert over == {}


ROW = Budget(registers=128, blocks=1, useful="FFMA", share=0.5, wide_global=1.0)
THREADS = {"spills": 1024}
RULES = {
    "sound": [],
    "narrow": ["0.00 of global bytes loaded by 128 bits"],
    "divides": ["integer division"],
    "spills": ["spills", "accesses to local memory"],
    "stacks": ["a stack of 256 bytes", "accesses to local memory"],
    "hoards": ["16384 bytes of shared memory, 0 allowed"],
    "slow": ["of the hot loop, 0.50 wanted"],
}


@pytest.mark.parametrize("arch", ARCHS)
def test_planted_kernels_break_their_rules_on_every_architecture(arch: int) -> None:
    (found,) = static.examine([Request(PLANTED.name, PLANTED.read_text("utf-8"), tuple(RULES), ("--std=c++17",), arch)])
    assert [figures.kernel for figures in found] == list(RULES)
    for figures in found:
        told = faults(figures, THREADS.get(figures.kernel, 256), 0, ROW)
        wanted = RULES[figures.kernel]
        assert bool(told) == bool(wanted), figures
        assert all(any(fault in each for each in told) for fault in wanted), (figures, told)


def test_figures_are_kept_and_a_damaged_file_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path))
    text = 'extern "C" __global__ void fill(int* x, int value) { x[threadIdx.x] = value; }'
    request = Request("fill.cu", text, ("fill",), (), 90)
    (first,) = static.examine([request])
    (kept,) = (tmp_path / "cuda").iterdir()
    monkeypatch.setattr(static, "figures", lambda request: pytest.fail("compiled again"))
    assert list(static.examine([request])) == [first]
    monkeypatch.undo()
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path))
    kept.write_text(kept.read_text()[:40])
    assert list(static.examine([request])) == [first]
    assert json.loads(kept.read_text())[0]["kernel"] == "fill"


def test_a_text_that_does_not_compile_is_told_with_its_line() -> None:
    with pytest.raises(KernelError, match=r"bad\.cu\(2\): error"):
        list(static.examine([Request("bad.cu", '\nextern "C" __global__ void bad() { nothing(); }', ("bad",), (), 80)]))


def report(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any, str]:
    code = main(["kernels", "report", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_report_of_a_family_shows_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = report(capsys, "random", "--arch", "9.0,sm_120")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "random/philox.cu: words, blocks of 128 threads"
    assert lines[1].split() == ["arch", "regs", "spilled", "shared", "blocks", "filled", "useful", "share", "verdict"]
    assert [line.split()[0] for line in lines[2:4]] == ["sm_90", "sm_120"]
    assert lines[2].endswith("ok")
    assert out.endswith("none over budget.\n")


def test_the_report_of_a_users_file_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = report(capsys, str(PLANTED), "--arch", "80", "--instance", "spills", "--block", "1024")
    assert code == 1
    assert "planted.cu: spills, blocks of 1,024 threads" in out
    assert "OVER" in out
    assert "spills for sm_80: spills" in err


def test_the_report_is_json_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = report(capsys, str(PLANTED), "--arch", "80", "--instance", "sound", "--json")
    (row,) = json.loads(out)
    assert code == 0
    assert (row["file"], row["kernel"], row["arch"], row["spilled"], row["faults"]) == ("planted.cu", "sound", 80, 0, [])
    assert row["useful"]["instruction"] == "FFMA"
    assert row["useful"]["share"] > 0.5
    assert row["wide_global"] == 1.0


def test_the_report_of_a_module_takes_what_it_lists(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(f"from minigrad.kernels.cuda import Program\nINSTANCES = [(Program({str(PLANTED)!r}), 'slow', 64, 1024)]\n")
    code, out, _ = report(capsys, str(mine), "--arch", "86")
    assert code == 0
    assert "planted.cu: slow, blocks of 64 threads with 1,024 bytes of dynamic shared memory" in out


def test_the_report_of_a_kernel_with_a_contract_takes_the_blocks_of_its_cases(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from minigrad.kernels import CudaKernel\n"
        f"KERNEL = CudaKernel({str(PLANTED)!r}, 'slow', cases=[{{'n': 1}}, {{'n': 2}}, {{'n': 3}}],\n"
        "    arguments=dict, reference=len, grid=1, block=lambda n: (32, 1 + n // 2))\n"
    )
    code, out, _ = report(capsys, str(mine), "--arch", "86")
    assert code == 0
    assert "planted.cu: slow, blocks of 32 threads\n" in out
    assert "planted.cu: slow, blocks of 64 threads\n" in out
    assert out.endswith("2 kernels, 2 compilations: none over budget.\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "expected FILE.cu, FILE.py, or a family with CUDA kernels: "),
        (["random", "--arch", "70"], "--arch: expected some of 75,80,86,89,90,100,120, got '70'"),
        (["random", "--block", "64"], "expected a FILE.cu that they are about"),
        ([str(PLANTED), "--instance", "fast"], "expected a kernel of "),
        (["template.cu"], "expected an --instance for its templates, got none for scale. Say which to report, as in"),
        (["empty.cu"], "expected a __global__ function, got none"),
        (["missing.cu"], "expected a file of CUDA C++ text"),
    ],
)
def test_what_cannot_be_reported_is_told(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("template.cu").write_text("template <typename T> __global__ void scale(T* x) { x[threadIdx.x] *= 2; }")
    Path("empty.cu").write_text("// nothing yet\n")
    code, _, err = report(capsys, *words)
    assert code == 2
    assert message in " ".join(err.split())
