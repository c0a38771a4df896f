"""How many blocks of a kernel a multiprocessor holds at once, from what the kernel asks for and what the chip has.

Registers are given to warps, in pieces, on each of the four parts of a multiprocessor; shared memory to blocks, in pieces, with
some kept back for the system. What is scarcest decides. The limits are those of the CUDA C++ Programming Guide, appendix
"Compute Capabilities", tables "Technical Specifications per Compute Capability"; the rules are those by which NVIDIA's header
``cuda_occupancy.h`` computes, with whose results a test compares these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from minigrad.core.device import Array
from minigrad.errors import KernelError

WARP = 32  # threads
PARTS = 4  # of a multiprocessor, with registers of their own
REGISTER_PIECE = 256  # registers, for a warp
THREADS_OF_A_BLOCK = 1024


class Limits(NamedTuple):
    """What a multiprocessor has.

    Attributes:
        threads, blocks: the most at once.
        shared: bytes of shared memory.
        shared_of_a_block: the most of them that a block may ask for.
        kept_back: bytes of shared memory that the system takes for each block.
        shared_piece: bytes by which shared memory is given.
        registers: of 32 bits.
        barriers: of all blocks together, 0 where they are no limit.
    """

    threads: int
    blocks: int
    shared: int
    shared_of_a_block: int
    kept_back: int = 1024
    shared_piece: int = 128
    registers: int = 65536
    barriers: int = 0


# By compute capability without its point.
LIMITS = {
    75: Limits(1024, 16, 64 << 10, 64 << 10, 0, 256),
    80: Limits(2048, 32, 164 << 10, 163 << 10),
    86: Limits(1536, 16, 100 << 10, 99 << 10),
    89: Limits(1536, 24, 100 << 10, 99 << 10),
    90: Limits(2048, 32, 228 << 10, 227 << 10, barriers=64),
    100: Limits(2048, 32, 228 << 10, 227 << 10, barriers=64),
    120: Limits(1536, 24, 100 << 10, 99 << 10, barriers=24),
}


def blocks_at_once(limits: Limits, threads: int, registers: int, shared: int = 0, barriers: int = 0) -> int:
    """How many blocks a multiprocessor holds; 0 where a block cannot be launched at all.

    Args:
        limits: what the multiprocessor has.
        threads: of a block.
        registers: of a thread.
        shared: bytes of shared memory of a block, static and dynamic together.
        barriers: that a block uses.

    Example:
        >>> blocks_at_once(LIMITS[80], 256, 64), blocks_at_once(LIMITS[80], 256, 155)
        (4, 1)
        >>> blocks_at_once(LIMITS[86], 128, 32, shared=48 << 10)
        2
    """
    if not 0 < threads <= THREADS_OF_A_BLOCK or registers > 255 or shared > limits.shared_of_a_block:
        return 0
    warps = -(-threads // WARP)
    of_a_warp = -(-registers * WARP // REGISTER_PIECE) * REGISTER_PIECE
    if of_a_warp * -(-warps // PARTS) * PARTS > limits.registers:  # a launch is checked as if all parts took the same
        return 0
    most = [limits.blocks, limits.threads // WARP // warps]
    if of_a_warp:
        most.append(limits.registers // PARTS // of_a_warp * PARTS // warps)
    if shared + limits.kept_back:
        most.append(limits.shared // (-(-(shared + limits.kept_back) // limits.shared_piece) * limits.shared_piece))
    if limits.barriers and barriers:
        most.append(limits.barriers // barriers)
    return min(most)


def share_of_threads(limits: Limits, threads: int, blocks: int) -> float:
    """The share of a multiprocessor's places for warps that so many blocks fill: the occupancy.

    Example:
        >>> share_of_threads(LIMITS[80], 256, 4)
        0.5
    """
    return blocks * -(-threads // WARP) * WARP / limits.threads


def limits_of(attributes: Mapping[str, Any]) -> Limits:
    """The limits of a device, from CuPy's ``Device.attributes``."""
    kept_back = attributes.get("ReservedSharedMemoryPerBlock", 1024)
    return Limits(
        threads=attributes["MaxThreadsPerMultiProcessor"],
        blocks=attributes["MaxBlocksPerMultiprocessor"],
        shared=attributes["MaxSharedMemoryPerMultiprocessor"],
        shared_of_a_block=attributes["MaxSharedMemoryPerBlockOptin"],
        kept_back=kept_back,
        shared_piece=128 if kept_back else 256,  # both came with compute capability 8.0
        registers=attributes["MaxRegistersPerMultiprocessor"],
    )


def resident(kernel: Any, like: Array, threads: int, shared: int = 0) -> int:
    """How many blocks of a kernel all multiprocessors of an array's device hold at once.

    So many may wait for each other, and no more: what a grid must not exceed whose blocks meet at ``grid.sync()``.

    Args:
        kernel: of a :class:`~minigrad.kernels.cuda.launch.Program`.
        like: an array on the device.
        threads: of a block.
        shared: bytes of dynamic shared memory of a block.

    Raises:
        KernelError: the kernel does not compile.
    """
    if threads < 1:
        raise KernelError("cuda", "threads", "1 or more threads of a block", str(threads))
    function, attributes = kernel.compiled(like), like.device.attributes
    registers = getattr(function, "num_regs", 0)  # the emulator's chip gives every thread as many as it likes
    static = getattr(function, "shared_size_bytes", 0)
    blocks = blocks_at_once(limits_of(attributes), threads, registers, static + shared)
    return blocks * attributes["MultiProcessorCount"]
