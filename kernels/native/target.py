"""The processor that kernels are compiled for, and the tile that suits it.

``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES``, which Numba obeys, choose another: ``NUMBA_CPU_NAME=haswell`` gives the AVX2 code
on a machine that has AVX-512.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
from typing import NamedTuple

from minigrad.kernels.native.patience import finished_first


class Target(NamedTuple):
    """A processor as the compiler sees it. The tile of ``microkernel.py`` is ``rows`` x (``vectors`` registers of ``bits``)."""

    triple: str
    cpu: str
    features: str
    kind: str
    bits: int
    rows: int
    vectors: int
    matrix: bool = False  # whether it has the matrix unit of ``matrix_unit.py``

    def lanes(self, dtype: str) -> int:
        """How many numbers of a dtype fill a register."""
        return self.bits // (32 if dtype == "float32" else 64)


# Registers x width of the instruction sets: a tile's accumulators, one row of B and one of A must fit in the registers.
# AVX-512 and NEON have 32, AVX2 and SSE have 16: 14 x 2 + 2 + 1 and 6 x 2 + 2 + 1.
TILES = {"AVX-512": (512, 14, 2), "AVX2": (256, 6, 2), "NEON": (128, 12, 2), "SSE": (128, 6, 2)}


def tiled(triple: str, cpu: str, features: str, has: dict[str, bool]) -> Target:
    """A target with the tile of its widest instruction set."""
    if triple.startswith(("aarch64", "arm64")):
        kind = "NEON"
    elif has.get("avx512f") and has.get("avx512vl"):
        kind = "AVX-512"
    elif has.get("avx2") and has.get("fma"):
        kind = "AVX2"
    else:
        kind = "SSE"
    matrix = kind == "AVX-512" and bool(has.get("amx-tile")) and bool(has.get("amx-bf16"))
    return Target(triple, cpu, features, kind, *TILES[kind], matrix)


@functools.cache
def target() -> Target:
    """The processor of this machine, or the one that the environment names."""
    with finished_first():
        import llvmlite.binding as llvm

    triple = llvm.get_process_triple()
    cpu = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    given = os.environ.get("NUMBA_CPU_FEATURES")
    if given is None and "NUMBA_CPU_NAME" in os.environ:
        return tiled(triple, cpu, "", KNOWN.get(cpu, {}))
    if given is not None:
        return tiled(triple, cpu, given, {each[1:]: each[0] == "+" for each in given.split(",") if each})
    has = dict(llvm.get_host_cpu_features())
    return tiled(triple, cpu, llvm.get_host_cpu_features().flatten(), has)


PERMISSION, OF_TILES = 0x1023, 18  # Linux: ARCH_REQ_XCOMP_PERM, XTILEDATA
ARCH_PRCTL = 158  # the number of this call on x86-64


@functools.cache
def matrix_unit() -> bool:
    """Whether this process may use the processor's matrix unit: Linux asks that one requests it, once for all threads."""
    if not (target().matrix and sys.platform == "linux" and platform.machine() == "x86_64"):
        return False
    return ctypes.CDLL(None).syscall(ARCH_PRCTL, PERMISSION, OF_TILES) == 0


_AVX2 = {"avx2": True, "fma": True}
_AVX512 = {**_AVX2, "avx512f": True, "avx512vl": True}
# What processors have that are named without their features.
KNOWN: dict[str, dict[str, bool]] = {
    **dict.fromkeys(("haswell", "broadwell", "skylake", "znver1", "znver2", "znver3", "alderlake", "x86-64-v3"), _AVX2),
    **dict.fromkeys(("skylake-avx512", "icelake-server", "cascadelake", "sapphirerapids", "znver4", "x86-64-v4"), _AVX512),
}
