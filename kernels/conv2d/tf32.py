"""Convolution on tensor cores, in TF32: by ``kernels.use(conv2d="tf32")`` or ``MINIGRAD_KERNELS=conv2d=tf32``, never by itself.

It is what PyTorch calls ``torch.backends.cudnn.allow_tf32``. Numbers of the images and of the weights keep 10 bits of mantissa
of float32's 23, each rounded to the nearest; their products are exact, and sums are float32's. Each factor of a term is off by
2^-11 of itself at most, where the other kernels round by 2^-24; ``tolerance`` says what that makes of a sum. The range is
float32's: no scaling of the loss is needed.

Why it is faster than ``gpu.py``: an instruction of the tensor cores multiplies and adds 1024 numbers, where one of the usual
units does 32 for a warp. The kernels of ``tensor.cu`` are the same implicit products otherwise, with larger tiles for a warp.
Where channels are not in fours, for one channel a group, for float64, and on a GPU before compute capability 8.0, which has no
TF32, ``gpu.py`` does it.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels import conv2d
from minigrad.kernels.conv2d import Padding, Pair, gpu
from minigrad.kernels.cuda import Program

TENSOR = Program("conv2d/tensor.cu")
ROWS, COLUMNS, THREADS, DEPTH = 128, 128, 128, 16  # as in tensor.cu
CAPABILITY = 80  # the compute capability, without its point, from which on there is TF32


def instances() -> list[tuple[Program, Any, int, int]]:
    """What is launched from here besides ``gpu.py``'s: program, kernel, threads of a block, bytes of dynamic shared memory."""
    packs = [(TENSOR, name, gpu.BLOCK, 0) for name in ("pack", "pack_gradient")]
    return [*packs, (TENSOR, "convolve", THREADS, 0), (TENSOR, "correlate", THREADS, 0)]


def forward(x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    return gpu.forward_by(product, False, x, w, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def forward_relu(
    x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract. The sums are bounded while they are in registers."""
    return gpu.forward_by(product, True, x, w, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def grad_input(dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    return gpu.grad_input_by(product, dy, w, input_size, stride=stride, padding=padding, dilation=dilation, groups=groups)


def grad_weight(
    x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract."""
    geometry: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return gpu.grad_weight_by(correlation, x, dy, kernel_size, **geometry)


def tolerance(function: str, *args: Any, **geometry: Any) -> tuple[Array]:
    """The contract's; and in float32 what rounding adds, 2^-11 · (|a| * |b|) for each factor, and a little for both at once."""
    (bound,) = conv2d.tolerance(function, *args, **geometry)
    a, b, *rest = args
    if a.dtype != np.float32:
        return (bound,)
    from minigrad.kernels.conv2d import reference

    if function == "forward":
        rest = [None]
    return (bound + 1.001 * 2.0**-10 * getattr(reference, function)(abs(a), abs(b), *rest, **geometry),)


def product(x: Array, w: Array, bias: Array | None, y: Array, geometry: np.ndarray, back: bool, relu: bool) -> None:
    """As ``gpu.product``."""
    g, xp = gpu.numbers(geometry), array_module(x)
    if not _suits(g, x):
        gpu.product(x, w, bias, y, geometry, back, relu)
        return
    phases, pixels = gpu.phases_of(g, back)
    taps = _most_taps(g, "y", back) * _most_taps(g, "x", back)
    rounds, padded = -(-taps * g["read"] // DEPTH), -(-g["written"] // COLUMNS) * COLUMNS
    packed = xp.empty((g["groups"] * phases, rounds, padded, DEPTH), np.uint32)
    TENSOR["pack"](
        *(xp.ascontiguousarray(w), packed, geometry, back, rounds, padded, packed.size),
        work=packed.size, tile=gpu.BLOCK, block=gpu.BLOCK,
    )  # fmt: skip
    for first, slices in gpu.launches_of(g["groups"] * phases):
        TENSOR["convolve"](
            *(x, packed, bias, y, geometry, back, relu, first, rounds, padded),
            work=(pixels, g["written"], slices), tile=(ROWS, COLUMNS, 1), block=THREADS,
        )  # fmt: skip


def correlation(x: Array, dy: Array, geometry: np.ndarray) -> gpu.Launch:
    """As ``gpu.correlation``."""
    g = gpu.numbers(geometry)
    if not _suits(g, x):
        return gpu.correlation(x, dy, geometry)
    pixels = g["images"] * g["out_height"] * g["out_width"]
    numbers = g["out_channels"] * -(-pixels // DEPTH) * DEPTH + COLUMNS * 2  # hardly more than dy has
    packed = array_module(x).empty(numbers, np.uint32)
    squares = packed.size // 4
    TENSOR["pack_gradient"](dy, packed, geometry, squares, work=squares, tile=gpu.BLOCK, block=gpu.BLOCK)
    work = (g["kernel_height"] * g["kernel_width"] * g["read"], g["written"])
    return gpu.Launch(TENSOR["correlate"], packed, work, (ROWS, COLUMNS), g["groups"], THREADS)


def _suits(g: dict[str, int], x: Array) -> bool:
    """Whether the tensor cores can do it."""
    in_fours = g["read"] % 4 == g["written"] % 4 == 0
    return x.dtype == np.float32 and in_fours and gpu.aligned(x) and int(x.device.compute_capability) >= CAPABILITY


def _most_taps(g: dict[str, int], axis: str, back: bool) -> int:
    """The taps along an axis of the phase that has most."""
    kernel = g["kernel_height" if axis == "y" else "kernel_width"]
    if not back:
        return kernel
    stride, dilation = g[f"stride_{axis}"], g[f"dilation_{axis}"]
    return -(-kernel // (stride // gcd(stride, dilation)))
