"""Machine code as nvdisasm writes it, read: instructions, loops, and the one that does the work."""

from __future__ import annotations

import pytest

from minigrad.kernels.cuda.loops import hot_loop
from minigrad.kernels.cuda.machine_code import Instruction, Loop, kernels

# The form is nvdisasm's; the kernels are put together so that each kind of branch is there.
TEXT = """
\t.target\tsm_90
\t.section\t.text._Z5nested,"ax",@progbits
_Z5nested:
.text._Z5nested:
\t//## File "/tmp/kernels/a.cu", line 3
        /*0000*/                   LDC R1, c[0x0][0x28] ;
.L_x_0:
\t//## File "/tmp/kernels/a.cu", line 5
        /*0010*/                   LDG.E.CONSTANT R2, desc[UR4][R4.64] ;
        /*0020*/                   STS [R3], R2 ;
.L_x_1:
        /*0030*/                   LDS.128 R8, [R3] ;
        /*0040*/                   FFMA R2, R8, R9, R2 ;
        /*0050*/                   FFMA R2, R10, R11, R2 ;
        /*0060*/              @!P1 BRA P3, `(.L_x_4) ;
.L_x_2:
        /*0070*/                   ISETP.NE.AND P0, PT, R3, RZ, PT ;
\t//## File "/tmp/kernels/a.cu", line 7
        /*0080*/               @P0 BRA `(.L_x_1) ;
\t//## File "/tmp/kernels/a.cu", line 9
        /*0090*/               @P2 CALL.REL.NOINC `(.L_x_5) ;
        /*00a0*/                   BRA `(.L_x_0) ;
.L_x_5:
        /*00b0*/                   EXIT ;
.L_x_4:
        /*00c0*/                   FMUL R2, R2, R2 ;
        /*00d0*/                   BRA `(.L_x_2) ;
.L_x_6:
        /*00e0*/                   BRA `(.L_x_6);
        /*00f0*/                   NOP;
\t.section\t.text.divides,"ax",@progbits
divides:
.text.divides:
\t//## File "/tmp/kernels/a.cu", line 12
.L_x_7:
        /*0000*/                   I2F.U32.RP R3, UR16 ;
        /*0010*/              @!P0 BRA `(.L_x_8) ;
        /*0020*/                   CALL.REL.NOINC `($__internal_2_$__cuda_sm20_div_s64) ;
.L_x_8:
        /*0030*/                   STL [R1], R3 ;
        /*0040*/               @P0 BRA `(.L_x_7) ;
        /*0050*/                   EXIT ;
$__internal_2_$__cuda_sm20_div_s64:
        /*0060*/                   IMAD.WIDE.U32 R4, R5, R6, RZ ;
        /*0070*/                   RET.REL.NODEC R2 `(divides) ;
\t.section\t.text.straight,"ax",@progbits
straight:
        /*0000*/                   HFMA2 R3, -RZ, RZ, 0, 0 ;
        /*0010*/                   STG.E.64 desc[UR4][R4.64], R2 ;
        /*0020*/                   EXIT ;
.L_x_9:
        /*0030*/                   BRA `(.L_x_9);
\t.section\t.text.switches,"ax",@progbits
switches:
        /*0000*/                   BRX R2 -0x10     (*"BRANCH_TARGETS .L_x_10,.L_x_11"*);
.L_x_10:
        /*0010*/                   FADD R2, R2, R3 ;
        /*0020*/               @P0 BRA `(.L_x_10) ;
        /*0030*/                   EXIT ;
.L_x_11:
        /*0040*/                   FFMA R2, R2, R3, R4 ;
        /*0050*/               @P0 BRA `(.L_x_11) ;
        /*0060*/                   EXIT ;
"""


def test_every_kernel_is_found_with_its_instructions() -> None:
    found = kernels(TEXT)
    assert list(found) == ["_Z5nested", "divides", "straight", "switches"]
    first = found["_Z5nested"][0]
    assert (first.name, first.operands, first.line, first.file, first.always) == ("LDC", "R1, c[0x0][0x28]", 3, "a.cu", True)
    assert not found["_Z5nested"][8].always


def test_the_hot_loop_is_the_inner_one_with_the_code_set_aside() -> None:
    loop = hot_loop(kernels(TEXT)["_Z5nested"])
    assert loop.line == 7
    assert loop.counts == {"FFMA": 2, "branch": 3, "LDS.128": 1, "integer": 1, "FMUL": 1}
    assert loop.share("FFMA") == 0.25
    assert (loop.wide("LDS"), loop.wide("LDG")) == (1.0, None)


def test_a_call_of_a_label_is_a_branch_out_of_the_loop() -> None:
    code = [one for one in kernels(TEXT)["_Z5nested"] if one.base != "FFMA"]  # the loops then weigh by their size
    loop = hot_loop(code)
    assert loop.counts["branch"] == 3
    assert not loop.calls


def test_divisions_and_calls_are_told() -> None:
    loop = hot_loop(kernels(TEXT)["divides"])
    assert (loop.divisions, loop.calls) == (2, ("div_s64",))
    assert loop.counts == {"branch": 3, "convert": 1, "STL.32": 1}


def test_without_a_loop_all_of_a_kernel_counts_and_no_padding() -> None:
    loop = hot_loop(kernels(TEXT)["straight"])
    assert (loop.line, loop.counts) == (0, {"move": 1, "STG.64": 1, "branch": 1})


def test_a_switch_leads_to_the_loops_of_its_cases() -> None:
    assert hot_loop(kernels(TEXT)["switches"]).counts == {"FFMA": 1, "branch": 1}


def test_a_kernel_without_instructions_has_nothing() -> None:
    assert hot_loop([]).size == 0


@pytest.mark.parametrize(
    ("name", "operands", "word"),
    [
        ("LDG.E.128.CONSTANT", "R4, desc[UR4][R2.64]", "LDG.128"),
        ("LDG.E.U8", "R4, desc[UR4][R2.64]", "LDG.8"),
        ("LDGSTS.E.BYPASS.128", "[R3], desc[UR4][R2.64]", "LDGSTS.128"),
        ("LDSM.16.M88.4", "R4, [R2]", "LDSM.128"),
        ("LDSM.16.M88.2", "R4, [R2]", "LDSM.64"),
        ("STS", "[R3], R2", "STS.32"),
        ("IMAD.MOV.U32", "R3, RZ, RZ, R4", "move"),
        ("IMAD.WIDE", "R4, R2, 0x4, R6", "integer"),
        ("UIADD3", "UR4, UR4, 0x1, URZ", "integer"),
        ("HFMA2", "R3, -RZ, RZ, 0, 0", "move"),
        ("HFMA2", "R3, R4, R5, R6", "HFMA2"),
        ("HMMA.1688.F32.TF32", "R4, R8, R12, R4", "HMMA"),
        ("FFMA2", "R4, R8, R12, R4", "FFMA"),
        ("ULDC.64", "UR4, c[0x0][0x208]", "constant"),
        ("BAR.SYNC.DEFER_BLOCKING", "0x0", "barrier"),
        ("SHFL.BFLY", "PT, R3, R2, 0x10, 0x1f", "SHFL"),
    ],
)
def test_an_instruction_falls_under_its_word(name: str, operands: str, word: str) -> None:
    assert Instruction(name, operands).word == word


def test_half_of_the_bytes_may_be_wide() -> None:
    loop = Loop({"LDG.128": 1, "LDGSTS.128": 1, "LDG.64": 2, "LDG.32": 4, "LDS.32": 9})
    assert loop.wide("LDG", "LDGSTS") == 0.5
    assert loop.wide("LDS") == 0.0
