"""Every kernel's machine code for NEON, AVX2 and AVX-512, read: vector instructions in its loops, and calls that can be met.

``make test`` reads the tiles and one kernel, ``make targets`` all that ``minigrad warmup`` compiles, which takes minutes.
"""

from __future__ import annotations

import functools
import re

import pytest

from minigrad.kernels.native import ahead
from minigrad.kernels.native.programs import assembly, tile_assembly
from minigrad.kernels.native.target import KNOWN, Target, tiled
from tests.test_native_targets import body, inner_loops

pytestmark = pytest.mark.native

TARGETS = {
    "NEON": ("aarch64-unknown-linux-gnu", "cortex-a76"),
    "AVX2": ("x86_64-unknown-linux-gnu", "haswell"),
    "AVX-512": ("x86_64-unknown-linux-gnu", "skylake-avx512"),
}
# What a register of several numbers is called (half of one, where int64 stand beside them), and what is done to all at once.
WHOLE = {"NEON": r"\bv\d+\.(?:4s|2d|2s)|\bq\d+", "AVX2": r"%[xy]mm", "AVX-512": r"%[xyz]mm"}
ON_ARM = {
    "move": r"st[rpu]\w*\s+q\d+|ld[rpu]\w*\s+q\d+",
    "multiply": r"fn?mul|fml[as]",
    "add": r"fadd|fsub|faddp|fml[as]",
    "divide": r"fdiv",
    "root": r"fsqrt",
    "compare": r"fcm\w\w|fmaxn?m?|fminn?m?|fac\w\w",
    "widen": r"fcvtl2?|fcvtn2?",
}
ON_X86 = {
    "move": r"vmovu?a?p[sd]|vmovdq\w+",
    "multiply": r"v(?:mul|fn?m(?:add|sub)\d+)p[sd]",
    "add": r"v(?:add|sub|fn?m(?:add|sub)\d+)p[sd]",
    "divide": r"vdivp[sd]",
    "root": r"vsqrtp[sd]",
    "compare": r"v(?:max|min)p[sd]|vcmp\w*p[sd]",
    "widen": r"vcvtps2pd|vcvtpd2ps",
}
CALLED = {"memset", "memcpy", "memmove", *(f"minigrad_tile_{dtype}" for dtype in ("float32", "float64"))}

# Kernels whose inner loops work on one number at a time, and why that is right.
ONE_BY_ONE = {
    "native.pool.serve": "words that threads share",
    "native.pool.divide": "words that threads share",
    "conv2d.weight_loops.gather": "it writes as a weight lies: neighbours in the sums are far apart there",
    "pool2d.loops.gather": "each number's place is read from memory",
    "pool2d.loops.scatter": "each number's place is read from memory, and two may be the same",
    "norm.passes.merge": "one group's sums after another's, each made of the last",
}
# What NEON does one by one where AVX2 has it in vectors. Two float64 fill its register, which does not pay for conversions.
NOT_ON_NEON = {
    "conv2d.loops.pack": {"move"},  # a panel is 8 wide there: a loop that is too short
    "norm.backward.write_gradient": {"widen"},  # once for a channel, not for a pixel
    "softmax.loops.cross_entropy": {"widen"},  # the sum of a smoothed label's weights
}
PIECES = 16  # into which the whole table is divided, for several processes


def processor(kind: str) -> Target:
    triple, cpu = TARGETS[kind]
    return tiled(triple, cpu, "", KNOWN.get(cpu, {}))


def code_of(job: ahead.Job, kind: str) -> str:
    kernel = job.kernel()
    return (
        tile_assembly(job.dtype or "float64", processor(kind))
        if kernel is None
        else assembly(kernel, job.dtype, processor(kind))
    )


def lines_of(code: str) -> list[str]:
    """Labels and instructions, without remarks and what is said to the assembler."""
    stripped = (re.split(r"//|##", line)[0].strip() for line in code.splitlines())
    return [line for line in stripped if line and (re.match(r"\.L\w+:", line) or not line.startswith((".", ";", "#")))]


def innermost(code: str) -> list[list[str]]:
    """The instructions of each loop that has no other inside: from a label to a jump back to it."""
    lines, at, spans = lines_of(code), dict[str, int](), set()
    for i, line in enumerate(lines):
        if label := re.match(r"(\.L\w+):", line):
            at[label[1]] = i
        elif (jump := re.match(r"(?:j\w+|b\.?\w*|cbn?z|tbn?z)\s.*?(\.L\w+)$", line)) and jump[1] in at:
            spans.add((at[jump[1]], i))
    inside = [one for one in spans if not any(one != other and one[0] <= other[0] and other[1] <= one[1] for other in spans)]
    return [[line for line in lines[first : last + 1] if not line.endswith(":")] for first, last in inside]


def operations(kind: str, code: str) -> set[str]:
    """What innermost loops do with whole registers."""
    known, whole = (ON_ARM if kind == "NEON" else ON_X86), WHOLE[kind]
    lines = [line for loop in innermost(code) for line in loop if re.search(whole, line)]
    return {name for name, pattern in known.items() if any(re.match(rf"(?:{pattern})\b", line) for line in lines)}


def called(kind: str, code: str) -> set[str]:
    """The functions that code calls by name, or whose address it takes to call them, and does not have itself."""
    taken = (
        r"\s(?:bl|b)\s+([A-Za-z_]\w*)$" if kind == "NEON" else r"\s(?:callq|jmp)\s+([A-Za-z_]\w*)$|movabsq\s+\$([A-Za-z_]\w*),"
    )
    names = {name for found in re.finditer(taken, code, re.M) for name in found.groups() if name}
    return names - set(re.findall(r"^(\w+):", code, re.M))


def faults(title: str, codes: dict[str, str]) -> list[str]:
    """What is wrong with a kernel's code for each processor."""
    done = {kind: operations(kind, code) for kind, code in codes.items()}
    found = [f"{kind} calls {name}" for kind, code in codes.items() for name in sorted(called(kind, code) - CALLED)]
    if title in ONE_BY_ONE:
        # What it does in vectors now is no exception any more.
        return found + ["vectors where there should be none: take it from the list"] * bool(done["AVX2"] & {"add", "multiply"})
    for kind, less in (("NEON", NOT_ON_NEON.get(title, set())), ("AVX2", set()), ("AVX-512", set())):
        if not done[kind] and "move" not in less:
            found.append(f"{kind}: no vectors in any innermost loop")
        # Moving alone is not compared: what fills memory is a call on one processor and a loop on another.
        if missing := done["AVX2"] - done[kind] - less - {"move"}:
            found.append(f"{kind}: one by one what AVX2 does in vectors: {', '.join(sorted(missing))}")
    return found


def checked(job: ahead.Job) -> list[str]:
    return [f"{job.title}: {fault}" for fault in faults(job.title, {kind: code_of(job, kind) for kind in TARGETS})]


@functools.cache
def listed() -> dict[str, ahead.Job]:
    return {job.title: job for job in ahead.jobs()}


@pytest.mark.targets
@pytest.mark.parametrize("piece", range(PIECES))
def test_every_kernel_is_vector_code_on_each_processor(piece: int) -> None:
    assert [fault for job in list(listed().values())[piece::PIECES] for fault in checked(job)] == []


def test_the_lists_name_kernels_that_there_are() -> None:
    assert {*ONE_BY_ONE, *NOT_ON_NEON} <= set(listed())


@functools.cache
def sums_code(kind: str) -> str:
    return code_of(listed()["norm.passes.normalize"], kind)


def one_by_one(line: str) -> str:
    return re.sub(r"\.(?:4s|2d|2s)", "", line) if re.search(r"\bf(?:add|sub|ml[as])\s", line) else line


DAMAGES = {
    "no vectors": ("NEON", lambda line: re.sub(r"v(\d+)\.(?:4s|2d|2s)|\bq(\d+)", r"s\1", line), "NEON: no vectors"),
    "one operation": ("NEON", one_by_one, "NEON: one by one .*add"),
    "a function of Numba's": ("AVX2", lambda line: line.replace("retq", "callq numba_sinf\n\tretq"), "AVX2 calls numba_sinf"),
    "a jump into another": ("NEON", lambda line: re.sub(r"\bret$", "b expf", line), "NEON calls expf"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_fault_of_a_kernel_would_be_seen(name: str) -> None:
    kind, damage, words = DAMAGES[name]
    codes = {each: sums_code(each) for each in TARGETS}
    assert faults("norm.passes.normalize", codes) == []
    codes[kind] = "\n".join(damage(line) for line in codes[kind].splitlines())
    assert any(re.search(words, fault) for fault in faults("norm.passes.normalize", codes)), name


# ---------------------------------------------------------------------- the tile

FUSED = {
    "NEON": r"fmla\s+v(\d+)\.(?:4s|2d)",
    "AVX2": r"vfmadd\d+p[sd]\s.*%ymm(\d+)$",
    "AVX-512": r"vfmadd\d+p[sd]\s.*%zmm(\d+)$",
}
SPILLED = {"NEON": r"(?:ld|st)[rpu]\w*\s+q.*\[sp", "AVX2": r"v\w+\s.*\(%rsp", "AVX-512": r"v\w+\s.*\(%rsp"}


def tile_faults(kind: str, code: str) -> list[str]:
    """What is wrong with the loops of the tiles of all numbers of rows, of one vector and of two."""
    here, found = processor(kind), []
    for rows in range(1, here.rows + 1):
        for vectors in (1, here.vectors):
            loops = [
                (sum(bool(re.match(FUSED[kind], line)) for line in loop), loop)
                for loop in inner_loops(body(code, f"tile_{rows}_{vectors}"))
            ]
            steps, loop = max(loops, key=lambda each: each[0], default=(0, []))
            if not steps or steps % (rows * vectors):
                found.append(f"{rows} x {vectors}: {steps} multiply-adds of whole registers")
            found += [f"{rows} x {vectors}: a register on the stack: {line}" for line in loop if re.match(SPILLED[kind], line)]
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", TARGETS)
def test_tiles_of_all_rows_stay_in_registers(kind: str, dtype: str) -> None:
    assert processor(kind).kind == kind
    code = tile_assembly(dtype, processor(kind))
    assert tile_faults(kind, code) == []
    assert called(kind, code) == set()
    first = next(line for line in code.splitlines() if re.match(rf"\s+{FUSED[kind]}", line))
    spill = {"NEON": "\tstr\tq2, [sp, #16]", "AVX2": "\tvmovups\t%ymm2, 16(%rsp)", "AVX-512": "\tvmovups\t%zmm2, 16(%rsp)"}[
        kind
    ]
    assert any("on the stack" in fault for fault in tile_faults(kind, code.replace(first, f"{first}\n{spill}")))
