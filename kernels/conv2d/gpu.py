"""Convolution by CUDA kernels of ours: implicit products, of which each block keeps a tile of the sums in registers.

| file | what it has |
|---|---|
| ``product.cu`` | forward and back to the input: pixels by channels, summed over the taps |
| ``weight.cu`` | the gradient to the weight: taps by channels, summed over the pixels |
| ``depthwise.cu`` | all three for one channel a group |
| ``geometry.cuh`` | the sizes, and the phases of a stride |
| ``window.cuh`` | how a thread of a product reads the images |

Numbers are float32's or float64's throughout; ``tf32.py`` rounds them for the tensor cores, where that is asked for.

Why it is faster than ``im2col.py`` and ``vectorised.py``: there the columns, KH·KW times as large as the images, are written to
the GPU's memory and read again by the product, or, tap by tap, all of y is read and written KH·KW times. Here no columns exist:
what a tile of the product wants of them is read from the images where they lie. A number of the images that is read serves 128
sums (32 where channels are few), of which each thread has 64 or 32 in registers: the units for arithmetic set the pace, not the
memory.

Images lie channels-last, as everywhere in this engine, and not N C H W, because the terms of a sum are then side by side
whatever the stride, the padding and the tap: 128 bits at a time for all of them, where of a row in N C H W the pixels of one
tap in four are aligned. Weights, small beside images, are laid out anew for each call, by a kernel of their own.

With a stride of s the gradient to the input falls into s·s phases, each a convolution of its own with those taps that reach its
pixels: nothing is multiplied with zeros between the pixels of dy, and nothing is added to memory twice, as ``im2col.py`` must.
The gradient to the weight has few sums of many terms: parts of the pixels go to several blocks, and a second kernel adds up
their sums in a fixed order, so that the same call gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.conv2d import Padding, Pair, output_sizes
from minigrad.kernels.conv2d.taps import nhwc
from minigrad.kernels.cuda import Kernel, Program, launch
from minigrad.kernels.layout import empty_channels_last

Multiply = Callable[[Array, Array, "Array | None", Array, np.ndarray, bool, bool], None]  # as product
Correlate = Callable[[Array, Array, np.ndarray], "Launch"]  # as correlation

PRODUCT = Program("conv2d/product.cu")
WEIGHT = Program("conv2d/weight.cu")
DEPTHWISE = Program("conv2d/depthwise.cu")

FIELDS = (
    *("images", "height", "width", "channels", "out_height", "out_width", "out_channels", "groups", "read", "written"),
    *("kernel_height", "kernel_width", "stride_y", "stride_x", "dilation_y", "dilation_x", "top", "left"),
    *("step_x", "step_y", "step_image"),
)
GEOMETRY = np.dtype([(name, np.int32) for name in FIELDS])

# Rows and columns of a block's tile, and of a thread's share: as the kernels' templates have them.
WIDE, NARROW = (128, 128, 8, 8), (128, 32, 8, 4)
BLOCK = 128  # threads, of kernels without a tile
DEPTH, ROUND = 8, 16  # pixels of a round of weight.cu and depthwise.cu, and of tensor.cu
STRIP, LANES, LINES, TAPS = 4, 32, DEPTH, 9  # as in depthwise.cu
FEWEST_PIXELS = 128  # of a part of the gradient to the weight
BLOCKS_EACH = 4  # for each multiprocessor, when pixels are split
LARGEST = 2**31 - 2**20  # elements of an array that one launch can count


class Launch(NamedTuple):
    """How parts of a gradient to the weight are made.

    Attributes:
        kernel: it is given x, dy, the parts, the geometry and the pixels of a part.
        dy: as the kernel wants it.
        work, tile: numbers of a part along two axes, and of a block.
        slices: how many blocks along the third axis a part takes.
        threads: of a block.
    """

    kernel: Kernel
    dy: Array
    work: Pair
    tile: Pair
    slices: int
    threads: int


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    tiles = (("float32", WIDE, True), ("float32", NARROW, True), ("float32", NARROW, False), ("float64", NARROW, False))
    products = [
        (program, (name, dtype, *tile, vector), _threads(tile), 0)
        for program, name in ((PRODUCT, "convolve"), (WEIGHT, "correlate"))
        for dtype, tile, vector in tiles
    ]
    flat = [(PRODUCT, "pack"), (WEIGHT, "sum_parts")]
    others = [(program, (name, dtype), BLOCK, 0) for program, name in flat for dtype in ("float32", "float64")]
    by_vectors = (("float32", True), ("float32", False), ("float64", False))
    depthwise = [(DEPTHWISE, ("convolve", dtype, vector), BLOCK, 0) for dtype, vector in by_vectors]
    weights = [(DEPTHWISE, ("correlate", dtype), LANES * LINES, 0) for dtype in ("float32", "float64")]
    return [*products, *others, *depthwise, *weights]


def forward(x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    return forward_by(product, False, x, w, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def forward_relu(
    x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract. The sums are bounded while they are in registers."""
    return forward_by(product, True, x, w, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def grad_input(dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    return grad_input_by(product, dy, w, input_size, stride=stride, padding=padding, dilation=dilation, groups=groups)


def grad_weight(
    x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract."""
    geometry: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return grad_weight_by(correlation, x, dy, kernel_size, **geometry)


def forward_by(
    multiply: Multiply, relu: bool, x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair,
    groups: int,
) -> Array:  # fmt: skip
    """The forward pass, bounded below by 0 or not, with one kernel or another for products."""
    size = output_sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = empty_channels_last(array_module(x), (x.shape[0], w.shape[0], *size), x.dtype)
    bias = None if bias is None else array_module(x).ascontiguousarray(bias)
    run = _depthwise if groups > 1 and w.shape[1] == 1 else multiply
    for images in _batches(x, y):
        geometry = _geometry(x[images], y.shape, w.shape[2:], stride, padding, dilation, groups)
        run(nhwc(x[images]), w, bias, nhwc(y[images]), geometry, False, relu)
    return y


def grad_input_by(
    multiply: Multiply, dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """The gradient to the input, with one kernel or another for products."""
    dx = empty_channels_last(array_module(dy), (dy.shape[0], w.shape[1] * groups, *input_size), dy.dtype)
    run = _depthwise if groups > 1 and w.shape[1] == 1 else multiply
    for images in _batches(dy, dx):
        geometry = _geometry(dy[images], dx.shape, w.shape[2:], stride, padding, dilation, groups)
        run(nhwc(dy[images]), w, None, nhwc(dx[images]), geometry, True, False)
    return dx


def grad_weight_by(
    correlate: Correlate, x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """The gradient to the weight, with one kernel or another for products."""
    xp, (f, c) = array_module(x), (dy.shape[1], x.shape[1] // groups)
    if not x.shape[0]:
        return xp.zeros((f, c, *kernel_size), x.dtype)
    dw = None
    for images in _batches(x, dy):
        geometry = _geometry(x[images], dy.shape, kernel_size, stride, padding, dilation, groups)
        here, there = nhwc(x[images]), nhwc(dy[images])
        part = _weigh(_depthwise_correlation if groups > 1 and c == 1 else correlate, here, there, geometry)
        dw = part if dw is None else dw + part
    return dw


def product(x: Array, w: Array, bias: Array | None, y: Array, geometry: np.ndarray, back: bool, relu: bool) -> None:
    """``y`` from ``x``, forward or back, both (N, H, W, C)."""
    g, xp = numbers(geometry), array_module(x)
    written, padded = g["written"], -(-g["written"] // 4) * 4
    packed = xp.empty((g["groups"], *w.shape[2:], g["read"], padded), x.dtype)
    pack = PRODUCT["pack", x.dtype]
    pack(xp.ascontiguousarray(w), packed, geometry, back, padded, packed.size, work=packed.size, tile=BLOCK, block=BLOCK)
    tile, vector = _tile(x.dtype, written, g["read"] % 4 == 0 and aligned(x))
    phases, pixels = phases_of(g, back)
    PRODUCT["convolve", x.dtype, *tile, vector](
        *(x, packed, bias, y, geometry, back, relu),
        work=(pixels, written, g["groups"] * phases), tile=(*tile[:2], 1), block=_threads(tile),
    )  # fmt: skip


def _depthwise(x: Array, w: Array, bias: Array | None, y: Array, geometry: np.ndarray, back: bool, relu: bool) -> None:
    g = numbers(geometry)
    one_each = g["channels"] == g["out_channels"]
    vector = x.dtype == np.float32 and one_each and g["channels"] % 4 == 0 and aligned(x)
    phases = (g["stride_y"], g["stride_x"]) if back else (1, 1)
    rows, columns = -(-g["out_height"] // phases[0]), -(-g["out_width"] // phases[1])  # of the largest phase
    work = g["images"] * rows * -(-columns // STRIP) * g["out_channels"] // (4 if vector else 1)
    w = array_module(x).ascontiguousarray(w)
    for first, slices in launches_of(phases[0] * phases[1]):
        DEPTHWISE["convolve", x.dtype, vector](
            x, w, bias, y, geometry, back, relu, first, work=(work, slices), tile=(BLOCK, 1), block=BLOCK
        )


def correlation(x: Array, dy: Array, geometry: np.ndarray) -> Launch:
    """The kernel that sums over pixels, for x and dy (N, H, W, C)."""
    g = numbers(geometry)
    tile, vector = _tile(x.dtype, g["written"], g["read"] % 4 == g["written"] % 4 == 0 and aligned(x) and aligned(dy))
    work = (g["kernel_height"] * g["kernel_width"] * g["read"], g["written"])
    return Launch(WEIGHT["correlate", x.dtype, *tile, vector], dy, work, tile[:2], g["groups"], _threads(tile))


def _depthwise_correlation(x: Array, dy: Array, geometry: np.ndarray) -> Launch:
    g = numbers(geometry)
    work = (g["kernel_height"] * g["kernel_width"], g["out_channels"])
    return Launch(DEPTHWISE["correlate", x.dtype], dy, work, (TAPS, LANES), 1, LANES * LINES)


def _weigh(correlate: Correlate, x: Array, dy: Array, geometry: np.ndarray) -> Array:
    g, xp = numbers(geometry), array_module(x)
    kernel, dy, work, tile, slices, threads = correlate(x, dy, geometry)
    pixels = g["images"] * g["out_height"] * g["out_width"]
    each = _pixels_each(x, pixels, -(-work[0] // tile[0]) * -(-work[1] // tile[1]) * slices)
    splits, taps = -(-pixels // each), g["kernel_height"] * g["kernel_width"]
    dw = xp.empty((g["out_channels"], g["read"], g["kernel_height"], g["kernel_width"]), x.dtype)
    parts = xp.empty((splits, dw.size), x.dtype)
    kernel(x, dy, parts, geometry, each, work=(*work, splits * slices), tile=(*tile, 1), block=threads)
    sizes = (splits, taps, g["read"], g["written"], dw.size)
    WEIGHT["sum_parts", x.dtype](parts, dw, *sizes, work=dw.size, tile=BLOCK, block=BLOCK)
    return dw


def launches_of(slices: int) -> Iterator[tuple[int, int]]:
    """The first slice, and how many, of each launch of as many as a grid has room for along y or z."""
    most = min(launch.GRID[1:])
    return ((first, min(most, slices - first)) for first in range(0, slices, most))


def phases_of(g: dict[str, int], back: bool) -> tuple[int, int]:
    """How many phases a product has, and how many pixels the largest of them."""
    rows, columns = (g["stride_y"], g["stride_x"]) if back else (1, 1)
    return rows * columns, g["images"] * -(-g["out_height"] // rows) * -(-g["out_width"] // columns)


def _pixels_each(x: Array, pixels: int, blocks: int) -> int:
    """How many pixels a part of the gradient to the weight has, so that all multiprocessors have work."""
    wanted = -(-BLOCKS_EACH * x.device.attributes["MultiProcessorCount"] // blocks)
    each = max(FEWEST_PIXELS, -(-pixels // wanted))
    return -(-each // ROUND) * ROUND


def _tile(dtype: np.dtype, columns: int, vector: bool) -> tuple[tuple[int, int, int, int], bool]:
    """The tile of a product with so many columns, and whether its operands are read 128 bits at a time.

    Numbers are read one by one where channels are not in fours, and those of float64 always: their arithmetic takes longer.
    """
    vector = vector and dtype == np.float32
    return (WIDE if vector and columns > 64 else NARROW), vector


def _threads(tile: tuple[int, int, int, int]) -> int:
    rows, columns, high, wide = tile
    return rows // high * (columns // wide)


def _geometry(
    x: Array, y_shape: tuple[int, ...], kernel_size: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> np.ndarray:
    """The kernels' Geometry: images that are read, and the shape of those that are written."""
    n, c, h, w = x.shape
    f, out_h, out_w = y_shape[1:]
    sizes = (
        n,
        h,
        w,
        c,
        out_h,
        out_w,
        f,
        groups,
        c // groups,
        f // groups,
        *kernel_size,
        *stride,
        *dilation,
        padding[0][0],
        padding[1][0],
    )
    step = (DEPTH % out_w, DEPTH // out_w % out_h, DEPTH // out_w // out_h)
    return np.array([(*sizes, *step)], GEOMETRY)


def numbers(geometry: np.ndarray) -> dict[str, int]:
    """A geometry's numbers by name."""
    return dict(zip(FIELDS, geometry[0].item(), strict=True))


def aligned(x: Array) -> bool:
    """Whether 128 bits at a time can be read from the beginning of an array on."""
    return x.data.ptr % 16 == 0


def _batches(x: Array, y: Array) -> Iterator[slice]:
    """The images in parts whose elements an int can count."""
    most = max(1, LARGEST // max(x[:1].size, y[:1].size, 1))
    return (slice(start, start + most) for start in range(0, x.shape[0], most))
