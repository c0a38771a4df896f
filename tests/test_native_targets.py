"""Processors other than this one: AVX2 and SSE code is run here beside the reference, NEON code is made and looked at.

No machine with NEON has run any of this: its machine code is read, as far as a test can read it. What the kernels make of the
tiles of AVX-512 and NEON, their registers' widths and counts, is run here all the same, compiled for this processor: LLVM makes
two registers of one that is too wide.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from minigrad.kernels import registry
from minigrad.kernels.native.programs import assembly, tile_assembly
from minigrad.kernels.native.target import KNOWN, Target, tiled
from minigrad.kernels.update import loops

pytestmark = pytest.mark.native

ROOT = Path(__file__).parent.parent
X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"

# What the processor is, its instruction set, and of its assembly: a multiply-add of a whole register with the register that it
# adds to, and a word of memory on the stack.
ON_X86 = r"vfmadd231p[sd]\s.*%{}(\d+)$", r"\(%rsp"
PROCESSORS = {
    "znver4": (X86, "AVX-512", *ON_X86),
    "haswell": (X86, "AVX2", *ON_X86),
    "cortex-a76": (ARM, "NEON", r"fmla\s+v(\d+)\.{}, v\d+\.\w+, v\d+\.\w+", r"\[sp"),
    "apple-m1": ("arm64-apple-macosx", "NEON", r"fmla\.{}\s+v(\d+), v\d+, v\d+", r"\[sp"),
}
REGISTERS = {"AVX-512": ("zmm", "zmm"), "AVX2": ("ymm", "ymm"), "NEON": ("4s", "2d")}


def processor(cpu: str, triple: str) -> Target:
    return tiled(triple, cpu, "", KNOWN.get(cpu, {}))


@functools.cache
def tile_code(cpu: str, dtype: str) -> str:
    return tile_assembly(dtype, processor(cpu, PROCESSORS[cpu][0]))


def body(text: str, name: str) -> str:
    """The code of one function, up to the next."""
    start = re.search(rf"^_?{name}:", text, re.M)
    assert start is not None, f"there is no {name}"
    rest = text[start.end() :]
    following = re.search(r"^_?(?:tile_\d|minigrad_)\w*:", rest, re.M)
    return rest[: following.start()] if following else rest


def inner_loops(code: str) -> list[list[str]]:
    """The instructions of each loop that has no other inside: from a label to a jump back to it, without a label between."""
    loops_, label, lines = [], "", list[str]()
    for line in code.splitlines():
        line = line.split("##")[0].strip()
        found = re.match(r"(\.?LBB\w+):", line)
        if found:
            label, lines = found[1], []
        elif line and not line.startswith((".", ";", "#", "/")):
            lines.append(line)
            if re.match(r"(?:j\w+|b\.?\w*|cbn?z|tbn?z)\s", line) and re.search(rf"{re.escape(label)}$", line) and label:
                loops_.append(lines.copy())
    return loops_


def faults(cpu: str, dtype: str, code: str) -> list[str]:
    """What is wrong with the loop of the widest tile."""
    triple, kind, fused, stack = PROCESSORS[cpu]
    here = processor(cpu, triple)
    fused = fused.format(REGISTERS[kind][dtype == "float64"])
    steps = here.rows * here.vectors

    def fused_of(loop: list[str]) -> list[str]:
        return [found[1] for line in loop if (found := re.match(fused, line))]

    loop = max(inner_loops(body(code, f"tile_{here.rows}_{here.vectors}")), key=lambda loop: len(fused_of(loop)), default=[])
    sums, found = fused_of(loop), []
    if len(sums) != steps:
        found.append(f"{len(sums)} multiply-adds of whole registers, where {steps} make a step")
    if len(set(sums)) != steps:
        found.append(f"{len(set(sums))} registers that are added to, where the tile has {steps}")
    found += [f"the stack in the loop: {line}" for line in loop if re.search(stack, line)]
    found += [f"a call in the loop: {line}" for line in loop if re.match(r"(?:callq?|blr?)\s", line)]
    if len(loop) > 2.5 * steps:
        found.append(f"{len(loop)} instructions for {steps} multiply-adds")
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cpu", PROCESSORS)
def test_the_tile_stays_in_registers(cpu: str, dtype: str) -> None:
    assert processor(cpu, PROCESSORS[cpu][0]).kind == PROCESSORS[cpu][1]
    assert faults(cpu, dtype, tile_code(cpu, dtype)) == []


@pytest.mark.parametrize(
    ("cpu", "damage", "words"),
    [
        ("cortex-a76", lambda line: line + "\n\tstr\tq2, [sp, #16]" if "fmla" in line else line, "the stack in the loop"),
        ("haswell", lambda line: line.replace("ymm", "xmm"), "0 multiply-adds"),
        ("znver4", lambda line: re.sub(r"(vfmadd231ps.*)%zmm\d+$", r"\1%zmm4", line), "1 registers that are added to"),
        ("haswell", lambda line: line + "\n\tcallq\tfmaf" if "vfmadd" in line else line, "a call in the loop"),
    ],
)  # fmt: skip
def test_a_fault_of_the_tile_would_be_seen(cpu: str, damage: object, words: str) -> None:
    damaged = "\n".join(damage(line) for line in tile_code(cpu, "float32").splitlines())  # type: ignore[operator]
    assert any(words in fault for fault in faults(cpu, "float32", damaged))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_fused_multiply_adds_the_tile_calls_nothing(dtype: str) -> None:
    code = tile_assembly(dtype, processor("x86-64", X86))
    assert "fma" not in code
    assert len(re.findall(r"^\s+mulp[sd]\s", body(code, "tile_6_2"), re.M)) >= 12


ROOTS_AND_QUOTIENTS = {
    "haswell": (r"vsqrtp[sd]\s.*%ymm", r"vdivp[sd]\s.*%ymm"),
    "cortex-a76": (r"fsqrt\s+v\d+\.(4s|2d)", r"fdiv\s+v\d+\.(4s|2d)"),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cpu", ROOTS_AND_QUOTIENTS)
def test_a_loop_of_numba_is_vector_code_too(cpu: str, dtype: str) -> None:
    """Adam's step: square roots and quotients of whole registers, and, as it is exact, no product that is fused with a sum."""
    code = assembly(loops.adam_step, dtype, processor(cpu, PROCESSORS[cpu][0]))
    for operation in ROOTS_AND_QUOTIENTS[cpu]:
        assert re.search(operation, code), operation
    assert not re.search(r"\b(?:vfmadd|vfnmadd|fmla|fmls|fmadd|fmsub)", code)


RUN = """
    import sys
    from collections import Counter
    from minigrad.kernels import registry
    from minigrad.kernels.comparison import difference, outcome
    from minigrad.kernels.native.target import TILES, target
    from minigrad.kernels.trial import SINGLE, Trial

    kind, tile, most, *families = sys.argv[1:]
    if tile:
        own = target().kind
        TILES[own] = TILES[tile]
        target.cache_clear()
    assert tile or target().kind == kind, target()
    assert not tile or target()[4:7] == TILES[tile], target()
    for family in families:
        trial, asked = Trial(family, "cpu"), Counter()
        for case in trial.cases:
            asked[case.function] += 1
            if asked[case.function] > int(most):
                continue
            call, beside = trial.arguments(case, SINGLE)
            want, allowed = trial.wanted(case, beside)
            got = outcome(trial.contract, case.function, trial.run(case, call), call)
            found = difference(trial.contract, case.function, got, want, allowed)
            assert found is None, (family, case.function, case.name, found)
        print(family, *sorted(asked))
"""
COMPILED = [family for family in registry.families() if "cpu" in registry.implementations(family)]


def run_beside_the_reference(kind: str, tile: str, most: int, families: list[str], **environment: str) -> None:
    """The first ``most`` cases of each function of these families, compiled in another process and held to the reference."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(RUN), kind, tile, str(most), *families],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == families
    assert all({*registry.contract_of(line[0]).FUNCTIONS} <= {*line[1:]} for line in lines)


@pytest.mark.parametrize(
    ("cpu", "kind", "most", "families"),
    [
        ("haswell", "AVX2", 1, ["conv2d", "lstm", "softmax"]),
        pytest.param("haswell", "AVX2", 3, COMPILED, marks=pytest.mark.targets),
        ("x86-64", "SSE", 1, ["conv2d", "softmax", "leading", "update"]),
        pytest.param("x86-64", "SSE", 3, COMPILED, marks=pytest.mark.targets),
    ],
)
def test_kernels_for_older_processors_give_what_the_reference_gives(
    cpu: str, kind: str, most: int, families: list[str]
) -> None:
    run_beside_the_reference(kind, "", most, families, NUMBA_CPU_NAME=cpu)


@pytest.mark.targets
@pytest.mark.parametrize("tile", ["AVX-512", "NEON"])
def test_kernels_with_the_tiles_of_other_processors_give_what_the_reference_gives(tile: str, tmp_path: Path) -> None:
    run_beside_the_reference("", tile, 3, COMPILED, MINIGRAD_CACHE=str(tmp_path))
