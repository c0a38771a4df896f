"""How many blocks run at once, beside what NVIDIA's own header computes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from minigrad.emulator.cupy import cuda
from minigrad.errors import KernelError
from minigrad.kernels.cuda.occupancy import LIMITS, blocks_at_once, limits_of, resident, share_of_threads

# (threads, registers, bytes of shared memory, barriers): blocks on 7.5, 8.0, 8.6, 8.9, 9.0, 10.0, 12.0, by
# cudaOccMaxActiveBlocksPerMultiprocessor of cuda_occupancy.h, CUDA 13.0, with the largest carve-out of shared memory.
BY_THE_HEADER = {
    (32, 16, 0, 1): (16, 32, 16, 24, 32, 32, 24),
    (64, 32, 0, 1): (16, 32, 16, 24, 32, 32, 24),
    (128, 40, 4096, 1): (8, 12, 12, 12, 12, 12, 12),
    (128, 168, 0, 1): (3, 3, 3, 3, 3, 3, 3),
    (96, 57, 10000, 1): (6, 10, 9, 9, 10, 10, 9),
    (256, 64, 8448, 1): (4, 4, 4, 4, 4, 4, 4),
    (256, 127, 16640, 1): (2, 2, 2, 2, 2, 2, 2),
    (256, 155, 33792, 1): (1, 1, 1, 1, 1, 1, 1),
    (256, 255, 0, 1): (1, 1, 1, 1, 1, 1, 1),
    (384, 80, 49152, 1): (1, 2, 2, 2, 2, 2, 2),
    (512, 91, 65536, 1): (1, 1, 1, 1, 1, 1, 1),
    (512, 128, 0, 1): (1, 1, 1, 1, 1, 1, 1),
    (1000, 64, 0, 1): (1, 1, 1, 1, 1, 1, 1),
    (1024, 65, 0, 1): (0, 0, 0, 0, 0, 0, 0),
    (1024, 32, 101376, 1): (0, 1, 1, 1, 2, 2, 1),
    (288, 48, 101377, 1): (0, 1, 0, 0, 2, 2, 0),
    (64, 24, 166912, 1): (0, 1, 0, 0, 1, 1, 0),
    (128, 32, 232448, 1): (0, 0, 0, 0, 1, 1, 0),
    (32, 32, 0, 4): (16, 32, 16, 24, 16, 16, 6),
}


@pytest.mark.parametrize("asked", BY_THE_HEADER, ids=str)
def test_blocks_are_as_many_as_by_nvidias_header(asked: tuple[int, int, int, int]) -> None:
    assert tuple(blocks_at_once(limits, *asked) for limits in LIMITS.values()) == BY_THE_HEADER[asked]


def test_the_share_of_threads_counts_whole_warps() -> None:
    assert share_of_threads(LIMITS[86], 96, 16) == 1.0
    assert share_of_threads(LIMITS[86], 65, 2) == 2 * 96 / 1536


@pytest.mark.parametrize("arch", LIMITS)
def test_a_device_tells_the_limits_that_the_table_has(arch: int) -> None:
    limits = LIMITS[arch]
    attributes = {
        "MaxThreadsPerMultiProcessor": limits.threads,
        "MaxBlocksPerMultiprocessor": limits.blocks,
        "MaxSharedMemoryPerMultiprocessor": limits.shared,
        "MaxSharedMemoryPerBlockOptin": limits.shared_of_a_block,
        "MaxRegistersPerMultiprocessor": limits.registers,
        "ReservedSharedMemoryPerBlock": limits.kept_back,
    }
    assert limits_of(attributes) == limits._replace(barriers=0)


def _kernel(**attributes: int) -> Any:
    return SimpleNamespace(compiled=lambda like: SimpleNamespace(**attributes))


def test_resident_blocks_are_those_of_all_multiprocessors() -> None:
    chip = cuda.ATTRIBUTES  # as of 8.0, with few multiprocessors
    like: Any = SimpleNamespace(device=SimpleNamespace(attributes=chip))
    heavy = _kernel(num_regs=155, shared_size_bytes=1024)
    assert resident(heavy, like, 256) == chip["MultiProcessorCount"]
    assert resident(_kernel(num_regs=64, shared_size_bytes=0), like, 256) == 4 * chip["MultiProcessorCount"]
    assert resident(heavy, like, 256, shared=163 << 10) == 0
    assert resident(_kernel(), like, 128, shared=80 << 10) == 2 * chip["MultiProcessorCount"]


def test_resident_refuses_a_block_without_threads() -> None:
    with pytest.raises(KernelError, match="1 or more threads of a block, got 0"):
        resident(_kernel(), None, 0)
