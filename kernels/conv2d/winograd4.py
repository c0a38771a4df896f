"""Winograd's convolution with tiles of 4 x 4 outputs, F(4 x 4, 3 x 3), and F(4 x 4, 2 x 2) for 4 x 4 windows of stride 2.

Why it is faster than ``winograd.py``: there 16 products make 4 outputs of 9 terms each, a saving of 2.25; here 36 products make
16 of them, a saving of 4. A tile's transforms cost more, but there are a quarter as many tiles. The formulas are the same
(Lavin and Gray, arXiv:1509.09308)::

    Y  = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A          dg = Gᵀ [Σ (Bᵀ d B) ⊙ (A dY Aᵀ)] G

A 4 x 4 window of stride 2, as DCGAN's are, sees the image as four *phases*, the pixels with even or odd rows and columns, each
through 2 x 2 taps of stride 1. Forward and in the gradient to the weight the phases are four times as many channels of one
convolution F(4 x 4, 2 x 2): 25 products in place of 64, a saving of 2.56. In the gradient to the input, the transposed
convolution, each phase of dx is a convolution of dy by itself.

Images in C order are read, and the gradient to the input is written, where they lie: a band of rows at a time is turned in the
cache (``bands.py``). To copy them before goes through memory three times more, which with few channels takes as long as half
of the arithmetic.

The points of the polynomials are 0, ±⅝, ±1½ and infinity, and ±⅜, ±1¼ and infinity for two taps: with the usual 0, ±1, ±2 the
error is nearly twice as large. Typically, in the mean over random data, it is 3 times the direct sum's at most
(tests/kernels/test_conv2d_compiled.py measures it), well within the contract's tolerance, as ``winograd.py``'s is.

At worst all signs agree: a tile's rounding errors then grow by the largest entry of |Aᵀ| (|G| 1 |Gᵀ| ⊙ |Bᵀ| 1 |B|) |A|, 1 being
all ones, where the direct sum has r² products of r x r taps: by a factor of 63 for three taps and of 38 for two; in the
gradient to the weight, |Gᵀ| (|Bᵀ| 1 |B| ⊙ |A| 1 |Aᵀ|) |G| beside 4², of 50 and of 22. Of L channels (times phases), or of L
tiles in the gradient to the weight, and with no more than 40 roundings besides the L of their sum, no error is larger than::

    factor · (L + 40) · eps/2 · r²L · max|g| · max|d|          4² for r² in the gradient to the weight, max|dY| for max|g|

The direct sum's worst case is r²L for factor · (L + 40), so that this one is 63/9 = 7 or 38/4 = 10 times as large for many
channels, and 3 or 1.4 times for many tiles. (Barabasz et al., arXiv:1803.10986, bound the factor by norms of the matrices:
‖Aᵀ‖²‖G‖²‖Bᵀ‖² / r², with the largest sums of rows, would be 405 and 130.) Signs that are aligned for it reach 0.3 to 0.4 of
the factor, as not all of |Bᵀ d B| can be large at once; tests/kernels/test_winograd_error.py tries them.

As in ``winograd.py`` a rounding error does not stay with its window: one pixel that is far larger than its neighbours, or
infinite or NaN, shows in all outputs of the tiles that read it. ``tolerance`` says how far. ``kernels.use(conv2d="cpu")`` or
``MINIGRAD_KERNELS=conv2d=cpu`` does without.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels import conv2d
from minigrad.kernels.conv2d import Padding, Pair, cpu, output_sizes, winograd
from minigrad.kernels.conv2d.winograd4_loops import CORRELATE, GATHER, TRANSFORM_WEIGHT, WEIGH
from minigrad.kernels.layout import channels_last, empty_channels_last, in_c_order, is_channels_last
from minigrad.kernels.native import parts_for
from minigrad.kernels.native.target import target
from minigrad.kernels.recurrence import Memo, kept

CACHE = 1 << 18  # bytes of transforms that a thread holds at a time, half of a small second-level cache,
WIDE_CACHE = 3 << 18  # and where it is larger, as in processors with AVX-512
FAR = 1 << 22  # bytes of weights, and of transforms, from which the weights come from memory for each lot: lots are larger then
DEPTH = 96  # tiles that are summed up at a time in the gradient to the weight: all its sums are read and written for each lot
FEWEST = 16  # channels in and out from which the saved products outweigh the transforms
FEWEST_PIXELS = (
    128  # terms of the gradient to a weight, below which the transforms' rounding is no longer small beside the sum's
)
SIDE = 4  # of a tile's outputs
OWN_CHANNELS = 64  # from so many for each thread on, threads share the channels of dw, not the tiles: one sum in the caches
PAGE = 4096  # bytes after which addresses compete for the same line of the first-level cache
KEEPS = True


class _Image(NamedTuple):
    """Pixels as (N, H, W, C), and how far apart the planes of channels are in C order; 0 in channels-last memory."""

    pixels: Array
    plane: int


class Taps(NamedTuple):
    """How many taps each phase has along an axis, and the stride, which is the phases' number along an axis."""

    taps: int
    stride: int

    @property
    def places(self) -> int:
        """n² for tiles of n x n pixels."""
        return (self.taps + SIDE - 1) ** 2

    @property
    def phases(self) -> int:
        return self.stride**2


def taps_of(
    channels: int,
    features: int,
    kernel_size: tuple[int, ...],
    out: Pair,
    stride: Pair,
    dilation: Pair,
    groups: int,
    batch: int | None = None,
) -> Taps | None:
    """How the tiles cover the convolution: ``None`` where they cannot, or where it does not pay.

    With ``batch`` it is the gradient to the weight that is asked for, whose sums are over the pixels of so many images.
    """
    if batch is not None and batch * out[0] * out[1] < FEWEST_PIXELS:
        return None
    if groups != 1 or dilation != (1, 1) or min(channels, features) < FEWEST:
        return None
    if (kernel_size, stride) not in (((3, 3), (1, 1)), ((4, 4), (2, 2))) or min(out) < SIDE - 1:
        return None
    return Taps(kernel_size[0] // stride[0], stride[0])


def forward(
    x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    memo: Memo | None = None,
) -> Array:  # fmt: skip
    """See the contract."""
    return _bounded(x, w, bias, -np.inf, np.inf, stride=stride, padding=padding, dilation=dilation, groups=groups, memo=memo)


def forward_relu(
    x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    memo: Memo | None = None,
) -> Array:  # fmt: skip
    """See the contract."""
    return _bounded(x, w, bias, 0.0, np.inf, stride=stride, padding=padding, dilation=dilation, groups=groups, memo=memo)


def forward_relu6(
    x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    memo: Memo | None = None,
) -> Array:  # fmt: skip
    """See the contract."""
    return _bounded(x, w, bias, 0.0, 6.0, stride=stride, padding=padding, dilation=dilation, groups=groups, memo=memo)


def _bounded(
    x: Array, w: Array, bias: Array | None, least: float, most: float, *, stride: Pair, padding: Padding, dilation: Pair,
    groups: int, memo: Memo | None,
) -> Array:  # fmt: skip
    f, c = w.shape[:2]
    size = output_sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    taps = taps_of(c, f, w.shape[2:], size, stride, dilation, groups)
    if taps is None:
        return winograd.bounded(
            x, w, bias, least, most, stride=stride, padding=padding, dilation=dilation, groups=groups, memo=memo
        )
    y = empty_channels_last(np, (x.shape[0], f, *size), x.dtype)
    steps = tuple(step // w.itemsize for step in w.strides)
    packed = kept(memo, ("winograd4", taps), lambda: _transformed(w, f, c, 0, steps, taps))
    _correlate(_image(x), packed, bias, _image(y), (padding[0][0], padding[1][0]), taps, least)
    return y if most == np.inf else np.minimum(y, most, out=y)


def grad_input(dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    f, c = w.shape[:2]
    taps = taps_of(c, f, w.shape[2:], (input_size[0] // stride[0], input_size[1] // stride[1]), stride, dilation, groups)
    if taps is None:
        return winograd.grad_input(dy, w, input_size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    dx = empty_channels_last(np, (dy.shape[0], c, *input_size), dy.dtype)
    _transposed(_image(dy), w, _image(dx), stride, padding, taps)
    return dx


def grad_input_in_c_order(
    dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract."""
    f, c = w.shape[:2]
    taps = taps_of(c, f, w.shape[2:], input_size, stride, dilation, groups)
    if taps is None or stride != (1, 1):
        given: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return in_c_order(grad_input(dy, w, input_size, **given))
    dx = np.empty((dy.shape[0], c, *input_size), dy.dtype)
    _transposed(_image(dy), w, _image(dx), stride, padding, taps)
    return dx


def reads_c_order(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> bool:
    """See the contract."""
    n, c = x_shape[:2]
    f = w_shape[0]
    size = output_sizes(x_shape[2:], w_shape[2:], stride, padding, dilation)
    whole = (x_shape[2] // stride[0], x_shape[3] // stride[1])
    asked = ((size, None), (whole, None), (size, n))
    return all(taps_of(c, f, w_shape[2:], out, stride, dilation, groups, batch) is not None for out, batch in asked)


def _transposed(source: _Image, w: Array, out: _Image, stride: Pair, padding: Padding, taps: Taps) -> None:
    """The gradient to the input, phase by phase."""
    f, c = w.shape[:2]
    at_f, at_c, at_r, at_s = (step // w.itemsize for step in w.strides)
    kernel_h, kernel_w = w.shape[2:]
    for rows in cpu.phases_of(kernel_h, stride[0], 1, padding[0][0], out.pixels.shape[1]):
        for columns in cpu.phases_of(kernel_w, stride[1], 1, padding[1][0], out.pixels.shape[2]):
            # The last tap comes first: the kernel is turned.
            last = at_r * rows.last + at_s * columns.last
            steps = (at_c, at_f, -at_r * rows.step, -at_s * columns.step)
            turned = _transformed(w, c, f, last, steps, Taps(taps.taps, 1))
            phase = _Image(out.pixels[:, rows.start :: stride[0], columns.start :: stride[1]], out.plane)
            _correlate(source, turned, None, phase, (rows.before, columns.before), Taps(taps.taps, 1))


def grad_weight(
    x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract."""
    n, f, out_h, out_w = dy.shape
    c, h, w = x.shape[1:]
    taps = taps_of(c, f, kernel_size, (out_h, out_w), stride, dilation, groups, n)
    if taps is None:
        return winograd.grad_weight(x, dy, kernel_size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    lanes = _lanes(x.itemsize)
    padded_f = _whole(f, lanes)
    tiles = n * _tiles(out_h) * _tiles(out_w)
    parts = parts_for(n * out_h * out_w * c * f)
    by_channel = c >= OWN_CHANNELS * parts and c % (parts * lanes) == 0
    held = c // parts if by_channel else _whole(c, lanes)
    share = tiles if by_channel else -(-tiles // parts)
    chunk = max(1, min(DEPTH, share))
    pitch_v, pitch_g = (_pitch(chunk * width, x.itemsize) for width in (taps.phases * held, padded_f))
    image, gradient = _image(x), _image(dy)
    bands = _band(image, taps) // (parts if by_channel else 1) + (SIDE * out_w * f if gradient.plane else 0)
    work_size = taps.places * (pitch_v + pitch_g + max(held, padded_f)) + 4 * lanes + bands
    pitch_s = _pitch(taps.phases * c * padded_f, x.itemsize)
    sums = np.empty((1 if by_channel else parts, taps.places * pitch_s), x.dtype)
    WEIGH[taps.taps](
        image.pixels, gradient.pixels, sums, np.empty(parts * work_size, x.dtype), work_size, n, h, w, c, f, padded_f,
        taps.stride, padding[0][0], padding[1][0], out_h, out_w, chunk, pitch_v, pitch_g, pitch_s, image.plane, gradient.plane,
        int(by_channel), parts=parts,
    )  # fmt: skip
    dw = np.empty((f, c, *kernel_size), x.dtype)
    parts = parts_for(sums.shape[0] * taps.places * taps.phases * c * padded_f * x.itemsize)
    work = np.empty(parts * (taps.places + taps.phases * taps.taps**2) * target().vectors * lanes, x.dtype)
    GATHER[taps.taps](sums, dw, work, sums.shape[0], c, f, padded_f, taps.stride, pitch_s, parts=parts)
    return dw


def arithmetic(function: str, **arguments: Any) -> float:
    """The share of the direct sum's multiplications that a function does. ``minigrad bench`` asks."""
    stride, padding, dilation, groups = (arguments[name] for name in ("stride", "padding", "dilation", "groups"))
    batch = arguments["dy"].shape[0] if function == "grad_weight" else None
    if function == "grad_weight":
        features, channels = arguments["dy"].shape[1], arguments["x"].shape[1]
        kernel_size, out = tuple(arguments["kernel_size"]), arguments["dy"].shape[2:]
    else:
        features, channels, *kernel = arguments["w"].shape
        kernel_size = tuple(kernel)
        if function == "forward":
            out = output_sizes(arguments["x"].shape[2:], kernel_size, stride, padding, dilation)
        else:
            height, width = arguments["input_size"]
            out = height // stride[0], width // stride[1]
    taps = taps_of(channels, features, kernel_size, out, stride, dilation, groups, batch)
    if taps is None:
        return winograd.arithmetic(function, **arguments)
    return taps.places / (SIDE * taps.taps) ** 2


def tolerance(function: str, *args: Any, **geometry: Any) -> tuple[Array]:
    """The contract's bound, over a whole tile: of the largest tap in place of each, and of the neighbouring outputs."""
    a, b, third = args
    stride, padding = geometry["stride"], geometry["padding"]
    if function == "forward":
        size = output_sizes(a.shape[2:], b.shape[2:], stride, padding, geometry["dilation"])
        features, channels, kernel = b.shape[0], b.shape[1], b.shape[2:]
    elif function == "grad_input":
        size, features, channels, kernel = tuple(n // s for n, s in zip(third, stride)), b.shape[1], b.shape[0], b.shape[2:]
    else:
        size, features, channels, kernel = b.shape[2:], b.shape[1], a.shape[1], third
    batch = b.shape[0] if function == "grad_weight" else None
    if taps_of(channels, features, tuple(kernel), size, stride, geometry["dilation"], geometry["groups"], batch) is None:
        return winograd.tolerance(function, *args, **geometry)
    if function == "grad_weight":  # any of a tile's pixels of x with any of its 4 x 4 of dy: taps up to 3 pixels away
        reach = (SIDE - 1) * stride[0]
        wider = {**geometry, "padding": tuple((p + reach, q + reach) for p, q in padding)}
        (bound,) = conv2d.tolerance(function, a, b, tuple(k + 2 * reach for k in kernel), **wider)
        return (np.broadcast_to(bound.max((2, 3), keepdims=True), (*bound.shape[:2], *kernel)),)
    largest = np.broadcast_to(abs(b).max((2, 3), keepdims=True), b.shape)
    (bound,) = conv2d.tolerance(function, a, largest, third, **geometry)
    reach = (SIDE - 1) * (stride[0] if function == "grad_input" else 1)
    padded = np.pad(bound, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    return (np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1,) * 2, (2, 3)).max((4, 5)),)


def _correlate(
    source: _Image, packed: Array, bias: Array | None, out: _Image, before: Pair, taps: Taps, least: float = -np.inf
) -> None:
    """Correlate ``source`` into ``out``, whose pixels may lie apart in channels-last memory."""
    x, y = source.pixels, out.pixels
    n, h, w, c = x.shape
    out_h, out_w, features = y.shape[1:]
    item = x.itemsize
    lanes = _lanes(item)
    padded_c, padded_f = _whole(c, lanes), _whole(features, lanes)
    filled = np.zeros(padded_f, x.dtype)
    if bias is not None:
        filled[:features] = bias
    pitches = [step // item for step in y.strides[:3]]
    parts = parts_for(n * out_h * out_w * c * features)
    tiles = n * _tiles(out_h) * _tiles(out_w)
    terms = taps.phases * padded_c
    chunk = _chunk(taps.places * (terms + padded_f) * item, -(-tiles // parts), packed.nbytes)
    pitch_v, pitch_m = _pitch(chunk * terms, item), _pitch(chunk * padded_f, item)
    bands = _band(source, taps) + (SIDE * out_w * features if out.plane else 0)
    work_size = taps.places * (pitch_v + pitch_m + max(padded_c, padded_f)) + 4 * lanes + bands
    CORRELATE[taps.taps](
        x, packed, filled, y, np.empty(parts * work_size, x.dtype), work_size, n, h, w, c, padded_c, features, padded_f,
        taps.stride, *before, out_h, out_w, *pitches, chunk, packed.size // taps.places, pitch_v, pitch_m, source.plane,
        out.plane, least, parts=parts,
    )  # fmt: skip


def _transformed(w: Array, features: int, channels: int, origin: int, strides: tuple[int, ...], taps: Taps) -> Array:
    """G g Gᵀ in panels; distances are in elements."""
    lanes = _lanes(w.itemsize)
    panel = target().vectors * lanes
    padded_c, padded_f = _whole(channels, lanes), _whole(features, lanes)
    pitch = _pitch(taps.phases * padded_c * padded_f, w.itemsize)
    packed = np.empty(taps.places * pitch, w.dtype)
    parts = parts_for(taps.places * taps.phases * padded_c * padded_f * w.itemsize)
    TRANSFORM_WEIGHT[taps.taps](
        w, packed, np.empty(parts * 9 * panel, w.dtype), origin, *strides, features, channels, padded_c, taps.stride, pitch,
        parts=parts,
    )  # fmt: skip
    return packed


def _tiles(size: int) -> int:
    return -(-size // SIDE)


def _chunk(width: int, tiles: int, weights: int) -> int:
    """How many tiles of so many bytes to hold at a time: as many as the cache takes, in whole rows of the micro-kernel's."""
    here = target()
    cache = FAR if weights > FAR else WIDE_CACHE if here.kind == "AVX-512" else CACHE
    count = cache // width // here.rows * here.rows
    return max(1, min(max(count, here.rows), tiles))


def _pitch(size: int, item: int) -> int:
    """How far apart the places' matrices of so many numbers are: whole pages and a line of the cache more."""
    page = PAGE // item
    return -(-size // page) * page + 64 // item


def _lanes(item: int) -> int:
    """How many numbers of so many bytes fill a register."""
    return target().bits // (8 * item)


def _whole(count: int, lanes: int) -> int:
    return -(-count // lanes) * lanes


def _image(x: Array) -> _Image:
    """An (N, C, H, W) array as the loops read it: where it lies, or where they cannot, a copy."""
    if x.flags.c_contiguous and not is_channels_last(x):
        return _Image(x.transpose(0, 2, 3, 1), x.shape[2] * x.shape[3])
    return _Image(channels_last(x).transpose(0, 2, 3, 1), 0)


def _band(image: _Image, taps: Taps) -> int:
    """How many numbers the pixels have that a row of tiles meets, where they must be turned."""
    return (taps.taps + SIDE - 1) * taps.stride * image.pixels.shape[2] * image.pixels.shape[3] if image.plane else 0
