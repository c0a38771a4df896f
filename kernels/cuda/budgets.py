"""What each CUDA kernel may use of a chip, and what its hot loop must be made of: a table that a test holds.

A kernel that a change makes spill, or whose loop comes to divide, gives the same results as before and no test of results finds
it. Here it is found: each kernel that is launched, compiled for each architecture, must keep within its row. A row is the
promise and no record: where the figures of ``minigrad kernels report`` are better it can be tightened.

These are proxies. What they say of the use of registers and instruction slots is so; how fast a kernel is they do not say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from minigrad.kernels.cuda.occupancy import LIMITS
from minigrad.kernels.cuda.static import Figures

FFMA_SHARE = 0.5  # of the instructions of a hot loop: implicit products, and the recurrent sweep in float32
HMMA_SHARE = 0.25  # on tensor cores, of which one does the work of many


class Budget(NamedTuple):
    """A row: what holds on every chip where the kernel is launched. Spills, a stack and local memory are allowed to none.

    Attributes:
        registers: of a thread, the most.
        blocks: that a multiprocessor holds at once, the least.
        useful: the instruction that the hot loop is there for, ``"FFMA"``, ``"HMMA"`` or ``"DFMA"``; or nothing.
        share: of the hot loop's instructions, the least that are useful.
        wide_global, wide_shared: share of bytes that the hot loop loads by 128 bits at once from global and shared memory, the
            least.
        divides: whether its hot loop may divide whole numbers.
        narrow: why a kernel whose loop is held to a useful share need not load by 128 bits.
        shared: bytes of shared memory of a block, static and dynamic, the most.
        archs: the compute capabilities, without their points, of those chips on which it is launched.
    """

    registers: int
    blocks: int
    useful: str = ""
    share: float = 0.0
    wide_global: float = 0.0
    wide_shared: float = 0.0
    divides: bool = False
    narrow: str = ""
    shared: int = 0
    archs: tuple[int, ...] = tuple(LIMITS)


RAGGED = "channels that are not in fours do not begin at multiples of 16 bytes"
SINGLE = "float64 is read by single numbers"

OF_A_UNIT = "states come by 128 bits where rows allow it; a unit's sums and cell are single numbers"

LARGE = tuple(arch for arch, limits in LIMITS.items() if limits.shared_of_a_block > 128 << 10)  # chips for data centres
WITH_TF32 = tuple(arch for arch in LIMITS if arch >= 80)

# By file, then by kernel with its template's parameters.
BUDGETS: Mapping[str, Mapping[str, Budget]] = {
    "activation/functions.cu": {
        "forward<float>": Budget(registers=32, blocks=4),
        "forward<double>": Budget(registers=40, blocks=4),
        "backward<float>": Budget(registers=40, blocks=4),
        "backward<double>": Budget(registers=56, blocks=4),
        "gate<float>": Budget(registers=32, blocks=4),
        "gate<double>": Budget(registers=32, blocks=4),
    },
    "boxes/boxes.cu": {
        "overlaps<float>": Budget(registers=40, blocks=4),
        "overlaps<double>": Budget(registers=40, blocks=4),
        "suppress": Budget(registers=64, blocks=4, shared=4 << 10),
        "weigh<float>": Budget(registers=48, blocks=8),
        "weigh<double>": Budget(registers=48, blocks=8),
    },
    "boxes/regions.cu": {
        "align<float, 4>": Budget(registers=64, blocks=8),
        "align<float, 1>": Budget(registers=56, blocks=8),
        "align<double, 1>": Budget(registers=64, blocks=8),
        "spread<float, 4>": Budget(registers=64, blocks=8),
        "spread<float, 1>": Budget(registers=64, blocks=8),
        "spread<double, 1>": Budget(registers=64, blocks=8),
    },
    "conv2d/depthwise.cu": {
        "convolve<float, true>": Budget(registers=72, blocks=7),
        "convolve<float, false>": Budget(registers=80, blocks=6),
        "convolve<double, false>": Budget(registers=96, blocks=5),
        "correlate<float>": Budget(registers=64, blocks=4, shared=1 << 10),
        "correlate<double>": Budget(registers=64, blocks=4, shared=2 << 10),
    },
    "conv2d/product.cu": {
        "convolve<float, 128, 128, 8, 8, true>": Budget(
            128, 2, "FFMA", 0.75, wide_global=1.0, wide_shared=0.9, shared=17 << 10
        ),
        "convolve<float, 128, 32, 8, 4, true>": Budget(120, 4, "FFMA", 0.65, wide_global=1.0, wide_shared=0.9, shared=11 << 10),
        "convolve<float, 128, 32, 8, 4, false>": Budget(128, 4, "FFMA", 0.55, wide_shared=0.9, narrow=RAGGED, shared=11 << 10),
        "convolve<double, 128, 32, 8, 4, false>": Budget(200, 2, "DFMA", 0.5, wide_shared=0.9, narrow=SINGLE, shared=21 << 10),
        "pack<float>": Budget(registers=40, blocks=8, divides=True),  # once for each weight
        "pack<double>": Budget(registers=40, blocks=8, divides=True),
    },
    "conv2d/tensor.cu": {
        "convolve": Budget(240, 2, "HMMA", HMMA_SHARE, wide_global=1.0, wide_shared=0.9, archs=WITH_TF32, shared=41 << 10),
        "correlate": Budget(240, 2, "HMMA", HMMA_SHARE, wide_global=1.0, wide_shared=0.9, archs=WITH_TF32, shared=33 << 10),
        "pack": Budget(registers=40, blocks=8, divides=True, archs=WITH_TF32),  # once for each weight
        "pack_gradient": Budget(registers=32, blocks=8, divides=True, archs=WITH_TF32),
    },
    "conv2d/weight.cu": {
        "correlate<float, 128, 128, 8, 8, true>": Budget(
            128, 2, "FFMA", 0.75, wide_global=1.0, wide_shared=0.9, shared=17 << 10
        ),
        "correlate<float, 128, 32, 8, 4, true>": Budget(104, 4, "FFMA", 0.7, wide_global=1.0, wide_shared=0.9, shared=11 << 10),
        "correlate<float, 128, 32, 8, 4, false>": Budget(128, 4, "FFMA", 0.55, wide_shared=0.9, narrow=RAGGED, shared=11 << 10),
        "correlate<double, 128, 32, 8, 4, false>": Budget(192, 2, "DFMA", 0.5, wide_shared=0.9, narrow=SINGLE, shared=21 << 10),
        "sum_parts<float>": Budget(registers=40, blocks=8),
        "sum_parts<double>": Budget(registers=56, blocks=8),
    },
    "elementwise/arithmetic.cu": {
        "add<float>": Budget(registers=32, blocks=4),
        "add<double>": Budget(registers=32, blocks=4),
        "multiply<float>": Budget(registers=32, blocks=4),
        "multiply<double>": Budget(registers=32, blocks=4),
    },
    "embedding/embedding.cu": {
        "find_starts": Budget(registers=24, blocks=4),
        "gather<float, 4>": Budget(registers=16, blocks=4),
        "gather<float, 1>": Budget(registers=16, blocks=4),
        "gather<double, 1>": Budget(registers=16, blocks=4),
        "sum_rows<float, 4>": Budget(registers=40, blocks=4),
        "sum_rows<float, 1>": Budget(registers=40, blocks=4),
        "sum_rows<double, 1>": Budget(registers=32, blocks=4),
    },
    "gru/step.cu": {
        "forward<float>": Budget(registers=40, blocks=8),
        "forward<double>": Budget(registers=40, blocks=8),
        "backward<float>": Budget(registers=40, blocks=8),
        "backward<double>": Budget(registers=40, blocks=8),
    },
    "lstm/sequence.cu": {
        "forward<8, 16>": Budget(128, 2, "FFMA", FFMA_SHARE, wide_shared=0.9, narrow=OF_A_UNIT, shared=9 << 10),
        "forward<16, 16>": Budget(128, 2, "FFMA", FFMA_SHARE, wide_shared=0.9, narrow=OF_A_UNIT, shared=11 << 10),
        "forward<32, 16>": Budget(128, 2, "FFMA", FFMA_SHARE, wide_shared=0.9, narrow=OF_A_UNIT, shared=18 << 10),
        "forward<32, 32>": Budget(224, 1, "FFMA", FFMA_SHARE, wide_shared=0.9, narrow=OF_A_UNIT, shared=34 << 10),
        "backward<16, 16>": Budget(128, 2, "FFMA", FFMA_SHARE, wide_global=1.0, wide_shared=0.9, shared=11 << 10),
        "backward<32, 16>": Budget(128, 2, "FFMA", FFMA_SHARE, wide_global=1.0, wide_shared=0.9, shared=18 << 10),
        "backward<32, 32>": Budget(224, 1, "FFMA", FFMA_SHARE, wide_global=1.0, wide_shared=0.9, shared=34 << 10),
        "backward<64, 32>": Budget(224, 1, "FFMA", FFMA_SHARE, 1.0, 0.9, archs=tuple(LIMITS)[1:], shared=34 << 10),
        "backward<128, 32>": Budget(224, 1, "FFMA", FFMA_SHARE, 1.0, 0.9, archs=LARGE, shared=34 << 10),
    },
    "lstm/step.cu": {
        "forward<float>": Budget(registers=32, blocks=8),
        "forward<double>": Budget(registers=40, blocks=8),
        "backward<float>": Budget(registers=40, blocks=8),
        "backward<double>": Budget(registers=40, blocks=8),
    },
    "norm/channels.cu": {
        "normalize<float, 4>": Budget(registers=64, blocks=4, divides=True, shared=3 << 10),
        "normalize<float, 1>": Budget(registers=64, blocks=4, divides=True, shared=3 << 10),
        "normalize<double, 1>": Budget(registers=72, blocks=3, divides=True, shared=6 << 10),
        "sum_gradients<float, 4>": Budget(registers=96, blocks=2, shared=10 << 10),
        "sum_gradients<float, 1>": Budget(registers=56, blocks=4, divides=True, shared=10 << 10),
        "sum_gradients<double, 1>": Budget(registers=64, blocks=4, divides=True, shared=16 << 10),
        "grad_input<float, 4>": Budget(registers=72, blocks=3, shared=9 << 10),
        "grad_input<float, 1>": Budget(registers=56, blocks=4, divides=True, shared=9 << 10),
        "grad_input<double, 1>": Budget(registers=56, blocks=3, divides=True, shared=18 << 10),
    },
    "norm/layers.cu": {
        "layer_forward<float>": Budget(registers=64, blocks=4, shared=64),
        "layer_forward<double>": Budget(registers=88, blocks=2, shared=64),
        "layer_backward<float>": Budget(registers=64, blocks=4, shared=64),
        "layer_backward<double>": Budget(registers=96, blocks=2, shared=64),
        "layer_sums<float>": Budget(registers=64, blocks=4, shared=6 << 10),
        "layer_sums<double>": Budget(registers=88, blocks=2, shared=7 << 10),
    },
    "norm/moments.cu": {
        "moments_of_groups": Budget(registers=56, blocks=8, divides=True),
        "moments_of_strips<float, 4>": Budget(registers=96, blocks=2, shared=6 << 10),
        "moments_of_strips<float, 1>": Budget(registers=64, blocks=4, shared=6 << 10),
        "moments_of_strips<double, 1>": Budget(registers=64, blocks=4, shared=6 << 10),
        "sums_of_channels<float>": Budget(registers=32, blocks=8),
        "sums_of_channels<double>": Budget(registers=32, blocks=8),
        "means_of_groups<float>": Budget(registers=32, blocks=8),
        "means_of_groups<double>": Budget(registers=32, blocks=8),
        "grad_parameters<float>": Budget(registers=40, blocks=8),
        "grad_parameters<double>": Budget(registers=40, blocks=8),
    },
    "pool2d/pool2d.cu": {
        "max_forward<float, 4>": Budget(registers=64, blocks=8),
        "max_forward<float, 1>": Budget(registers=48, blocks=8),
        "max_forward<double, 1>": Budget(registers=48, blocks=8),
        "avg_forward<float, 4>": Budget(registers=56, blocks=8),
        "avg_forward<float, 1>": Budget(registers=56, blocks=8),
        "avg_forward<double, 1>": Budget(registers=56, blocks=8),
        "avg_backward<float, 4>": Budget(registers=64, blocks=8, divides=True),
        "avg_backward<float, 1>": Budget(registers=72, blocks=7, divides=True),
        "avg_backward<double, 1>": Budget(registers=72, blocks=7, divides=True),
        "max_backward<float>": Budget(registers=96, blocks=10),
        "max_backward<double>": Budget(registers=120, blocks=8),
        "max_gather<float>": Budget(registers=32, blocks=4, divides=True),
        "max_gather<double>": Budget(registers=32, blocks=4, divides=True),
    },
    "random/philox.cu": {
        "words": Budget(registers=40, blocks=8),
        "words_at": Budget(registers=40, blocks=8, divides=True),  # once a thread, for its row
        "uniform<float>": Budget(registers=40, blocks=8),
        "uniform<double>": Budget(registers=40, blocks=8),
        "normal<float>": Budget(registers=48, blocks=8),
        "normal<double>": Budget(registers=48, blocks=8),
    },
    "rnn/step.cu": {
        "forward<float>": Budget(registers=16, blocks=8),
        "forward<double>": Budget(registers=24, blocks=8),
        "backward<float>": Budget(registers=16, blocks=8),
        "backward<double>": Budget(registers=24, blocks=8),
    },
    "row_update/rows.cu": {
        "sgd<float>": Budget(registers=24, blocks=8),
        "sgd<double>": Budget(registers=24, blocks=8),
        "adagrad<float>": Budget(registers=32, blocks=8),
        "adagrad<double>": Budget(registers=40, blocks=8),
        "adam<float>": Budget(registers=40, blocks=8),
        "adam<double>": Budget(registers=48, blocks=8),
    },
    "softmax/cross_entropy.cu": {
        "cross_entropy_forward<float>": Budget(registers=48, blocks=4, shared=32),
        "cross_entropy_forward<double>": Budget(registers=112, blocks=2, shared=64),
        "cross_entropy_backward<float>": Budget(registers=72, blocks=3),
        "cross_entropy_backward<double>": Budget(registers=96, blocks=2),
    },
    "softmax/softmax.cu": {
        "forward_rows<float>": Budget(registers=48, blocks=4, shared=32),
        "forward_rows<double>": Budget(registers=112, blocks=2, shared=64),
        "forward_columns<float>": Budget(registers=48, blocks=4, shared=2 << 10),
        "forward_columns<double>": Budget(registers=96, blocks=2, shared=4 << 10),
        "backward_rows<float>": Budget(registers=56, blocks=4, shared=32),
        "backward_rows<double>": Budget(registers=120, blocks=2, shared=64),
        "backward_columns<float>": Budget(registers=56, blocks=4, shared=1 << 10),
        "backward_columns<double>": Budget(registers=56, blocks=4, shared=2 << 10),
    },
    "sums/sums.cu": {
        "add_rows<float>": Budget(registers=40, blocks=4, wide_global=1.0, shared=32),
        "add_rows<double>": Budget(registers=40, blocks=4, shared=64),
        "add_columns<float>": Budget(registers=48, blocks=4, wide_global=1.0, shared=4 << 10),
        "add_columns<double>": Budget(registers=48, blocks=4, wide_global=1.0, shared=4 << 10),
    },
    "update/gradients.cu": {
        "parts_of_norm<float>": Budget(registers=56, blocks=4, shared=64),
        "parts_of_norm<double>": Budget(registers=56, blocks=4, shared=64),
        "clip_norm<float>": Budget(registers=40, blocks=4),
        "clip_norm<double>": Budget(registers=32, blocks=4),
        "clip_value<float>": Budget(registers=24, blocks=4),
        "clip_value<double>": Budget(registers=32, blocks=4),
        "whole_norm": Budget(registers=40, blocks=4, shared=64),
    },
    "update/steps.cu": {
        "sgd<float>": Budget(registers=40, blocks=4, wide_global=1.0),
        "sgd<double>": Budget(registers=40, blocks=4, wide_global=1.0),
        "adam<float>": Budget(registers=56, blocks=4, wide_global=1.0),
        "adam<double>": Budget(registers=64, blocks=4, wide_global=1.0),
        "rmsprop<float>": Budget(registers=56, blocks=4, wide_global=1.0),
        "rmsprop<double>": Budget(registers=64, blocks=4, wide_global=1.0),
        "adagrad<float>": Budget(registers=40, blocks=4, wide_global=1.0),
        "adagrad<double>": Budget(registers=56, blocks=4, wide_global=1.0),
        "adadelta<float>": Budget(registers=48, blocks=4, wide_global=1.0),
        "adadelta<double>": Budget(registers=64, blocks=4, wide_global=1.0),
        "lerp<float>": Budget(registers=40, blocks=4, wide_global=1.0),
        "lerp<double>": Budget(registers=40, blocks=4, wide_global=1.0),
    },
}


def budget(file: str, kernel: str) -> Budget | None:
    """The row of a kernel, or ``None`` where there is none.

    Example:
        >>> budget("random/philox.cu", "words").blocks
        8
    """
    return BUDGETS.get(file, {}).get(kernel)


def faults(figures: Figures, threads: int, shared: int, row: Budget | None) -> list[str]:
    """In what a kernel is over its budget; without a row, what no kernel may do.

    Args:
        figures: of the kernel.
        threads: of a block.
        shared: bytes of dynamic shared memory of a block.
        row: its budget.
    """
    return list(_faults(figures, threads, shared, row))


def _faults(figures: Figures, threads: int, shared: int, row: Budget | None) -> Iterator[str]:
    if figures.spilled:
        yield f"spills {figures.spilled} bytes"
    if figures.stack:
        yield f"a stack of {figures.stack} bytes"
    if figures.local:
        yield f"{figures.local} accesses to local memory"
    blocks, loop = figures.blocks(threads, shared), figures.loop
    if not blocks:
        yield f"blocks of {threads} threads and {figures.shared + shared} bytes of shared memory cannot be launched"
    if row is None:
        return
    if figures.registers > row.registers:
        yield f"{figures.registers} registers, {row.registers} allowed"
    if figures.shared + shared > row.shared:
        yield f"{figures.shared + shared} bytes of shared memory, {row.shared} allowed"
    if blocks < row.blocks:
        yield f"{blocks} blocks at once, {row.blocks} wanted"
    if row.useful and loop.share(row.useful) < row.share:
        yield f"{row.useful} {loop.share(row.useful):.2f} of the hot loop, {row.share:.2f} wanted"
    for where, least, found in (
        ("global", row.wide_global, loop.wide("LDG", "LDGSTS")),
        ("shared", row.wide_shared, loop.wide("LDS", "LDSM")),
    ):
        if (found or 0.0) < least:
            yield f"{found or 0.0:.2f} of {where} bytes loaded by 128 bits, {least:.2f} wanted"
    if loop.divisions and not row.divides:
        yield f"{loop.divisions} integer divisions in the hot loop"
