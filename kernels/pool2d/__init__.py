"""Two-dimensional pooling, in PyTorch's semantics: maximum and average, over sliding windows and over an adaptive grid.

With x of shape (N, C, H, W), y (N, C, OH, OW), and W(i, j) the pixels of the image that the window of (i, j) holds::

    max_forward   y[n,c,i,j] = max over W(i,j) of x[n,c,·],  indices[n,c,i,j] = h·W + w of that pixel in the unpadded image
    max_backward  dx[n,c,h,w] = Σ dy[n,c,i,j]  over the (i, j) whose index is h·W + w
    max_gather    y[n,c,i,j] = x[n,c] at indices[n,c,i,j]: the transposed map, which the second derivative needs
    avg_forward   y[n,c,i,j] = Σ over W(i,j) of x[n,c,·] / D(i,j)
    avg_backward  dx[n,c,h,w] = Σ dy[n,c,i,j] / D(i,j)  over the (i, j) with (h, w) in W(i,j)

Sliding windows hold the pixels i·sh − ph + k·dh (k < KH) by j·sw − pw + l·dw (l < KW) that lie in the image. D is the number
of pixels in the window, padding included where ``count_include_pad`` says so, or ``divisor_override``. With ``ceil_mode`` a
last window may hang over the edge if it starts in the image or in the padding before it. An adaptive window (i, j) holds the
rows from ⌊i·H/OH⌋ to ⌈(i+1)·H/OH⌉ and such columns. Of equal maxima the first counts; a NaN counts as the greatest, and of
several the last.

``stride``, ``padding``, ``dilation``, ``kernel_size`` and sizes are pairs (vertical, horizontal). Arrays are float32 or float64
with any strides, and are never written to; indices are int64. Results lie channels-last in memory. N may be 0, no other size.

An implementation is given arguments that this file has checked, every keyword among them, and must keep to the same signatures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, device_of, quiet
from minigrad.errors import ArgumentError, DeviceError, DTypeError, IndexingError, ShapeError
from minigrad.kernels.checks import check_arrays, check_rank, pair, truth
from minigrad.kernels.choice import find

FUNCTIONS = (
    "max_forward",
    "max_backward",
    "max_gather",
    "avg_forward",
    "avg_backward",
    "adaptive_max_forward",
    "adaptive_avg_forward",
    "adaptive_avg_backward",
)
SAME_LAYOUT = FUNCTIONS
Pair = tuple[int, int]


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows there are along one axis.

    Example:
        >>> output_size(5, 2, 2, 0, 1, False), output_size(5, 2, 2, 0, 1, True)
        (2, 3)
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def adaptive_ranges(size: int, count: int) -> list[Pair]:
    """(first, past the last) of each adaptive window along one axis.

    Example:
        >>> adaptive_ranges(5, 3)
        [(0, 2), (1, 4), (3, 5)]
    """
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def max_forward(
    x: Array,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """The maximum of each window and where it lies: (N, C, H, W) to y and indices, both (N, C, OH, OW).

    Args:
        stride: by default ``kernel_size``.

    Raises:
        ShapeError: other than four dimensions, a size of 0, or an image in which no window fits.
        ArgumentError: a window's geometry outside its range; padding may be half of ``kernel_size``.
        DTypeError: other than float32 or float64.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> y, indices = max_forward(np.array([[[[1.0, 2.0, 0.0, 0.0], [3.0, 0.0, 0.0, 5.0]]]]), (2, 2))
        >>> y[0, 0], indices[0, 0]
        (array([[3., 5.]]), array([[4, 7]]))
    """
    where = "max_pool2d"
    device_type = _check_image(where, x)
    kernel_size, stride, padding, dilation = _check_windows(
        where, x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode
    )
    with quiet():
        return find("pool2d", device_type).max_forward(
            x, kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=bool(ceil_mode)
        )


def max_backward(dy: Array, indices: Array, input_size: Pair) -> Array:
    """Bring each dy to the pixel that its index names: two arrays (N, C, OH, OW) to (N, C, H, W).

    Raises:
        ShapeError: two shapes, or other than four dimensions.
        IndexingError: an index outside H·W.
        DTypeError: indices other than int64, or dy other than float32 or float64.
        DeviceError: arrays on two devices.

    Example:
        >>> import numpy as np
        >>> max_backward(np.array([[[[6.0, 7.0]]]]), np.array([[[[4, 7]]]]), (2, 4))[0, 0]
        array([[0., 0., 0., 0.],
               [6., 0., 0., 7.]])
    """
    where = "max_pool2d"
    device_type = _check_image(where, dy, "grad_output")
    input_size = pair(where, "input_size", input_size, 1)
    if dy.shape != getattr(indices, "shape", None):
        raise ShapeError(where, "indices", f"shape {dy.shape}, as grad_output has", f"shape {getattr(indices, 'shape', None)}")
    _check_indices(where, indices, dy, input_size)
    with quiet():
        return find("pool2d", device_type).max_backward(dy, indices, input_size)


def max_gather(x: Array, indices: Array) -> Array:
    """The pixels that the indices name: (N, C, H, W) and (N, C, OH, OW) to (N, C, OH, OW).

    Raises:
        ShapeError: a batch or channels that differ, or other than four dimensions.
        IndexingError, DTypeError, DeviceError: as :func:`max_backward`.

    Example:
        >>> import numpy as np
        >>> max_gather(np.arange(8.0).reshape(1, 1, 2, 4), np.array([[[[4, 7]]]]))[0, 0]
        array([[4., 7.]])
    """
    where = "max_pool2d"
    device_type = _check_image(where, x)
    shape = getattr(indices, "shape", ())
    if len(shape) != 4 or shape[:2] != x.shape[:2]:
        raise ShapeError(
            where, "indices", f"shape ({x.shape[0]}, {x.shape[1]}, OH, OW), as input has {x.shape}", f"shape {shape}"
        )
    _check_indices(where, indices, x, x.shape[2:])
    with quiet():
        return find("pool2d", device_type).max_gather(x, indices)


def avg_forward(
    x: Array,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The average of each window: (N, C, H, W) to (N, C, OH, OW).

    Args:
        stride: by default ``kernel_size``.
        divisor_override: divides each sum in place of the number of pixels.

    Raises:
        ShapeError, ArgumentError, DTypeError, KernelError: as :func:`max_forward`; a divisor of 0.

    Example:
        >>> import numpy as np
        >>> avg_forward(np.arange(8.0).reshape(1, 1, 2, 4), (2, 2))[0, 0]
        array([[2.5, 4.5]])
    """
    where = "avg_pool2d"
    device_type = _check_image(where, x)
    kernel_size, stride, padding, _ = _check_windows(where, x.shape[2:], kernel_size, stride, padding, (1, 1), ceil_mode)
    truth(where, count_include_pad=count_include_pad)
    _check_divisor(divisor_override)
    with quiet():
        return find("pool2d", device_type).avg_forward(
            x, kernel_size, stride=stride, padding=padding, ceil_mode=bool(ceil_mode),
            count_include_pad=bool(count_include_pad), divisor_override=divisor_override,
        )  # fmt: skip


def avg_backward(
    dy: Array,
    input_size: Pair,
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Spread each dy over its window: (N, C, OH, OW) to (N, C, H, W). The other arguments are :func:`avg_forward`'s.

    Raises:
        ShapeError, ArgumentError, DTypeError, KernelError: as :func:`avg_forward`.

    Example:
        >>> import numpy as np
        >>> avg_backward(np.array([[[[4.0, 8.0]]]]), (2, 4), (2, 2))[0, 0]
        array([[1., 1., 2., 2.],
               [1., 1., 2., 2.]])
    """
    where = "avg_pool2d"
    device_type = _check_image(where, dy, "grad_output")
    input_size = pair(where, "input_size", input_size, 1)
    kernel_size, stride, padding, _ = _check_windows(where, input_size, kernel_size, stride, padding, (1, 1), ceil_mode)
    truth(where, count_include_pad=count_include_pad)
    _check_divisor(divisor_override)
    size = tuple(map(output_size, input_size, kernel_size, stride, padding, (1, 1), (ceil_mode, ceil_mode)))
    _check_grad_output(where, dy, size, input_size)
    with quiet():
        return find("pool2d", device_type).avg_backward(
            dy, input_size, kernel_size, stride=stride, padding=padding, ceil_mode=bool(ceil_mode),
            count_include_pad=bool(count_include_pad), divisor_override=divisor_override,
        )  # fmt: skip


def adaptive_max_forward(x: Array, output_size: Pair) -> tuple[Array, Array]:
    """The maximum of each adaptive window and where it lies: (N, C, H, W) to y and indices, both (N, C, OH, OW).

    Its backward is :func:`max_backward`.

    Raises:
        ShapeError, ArgumentError, DTypeError, KernelError: as :func:`max_forward`.

    Example:
        >>> import numpy as np
        >>> adaptive_max_forward(np.arange(8.0).reshape(1, 1, 2, 4), (1, 2))[0][0, 0]
        array([[5., 7.]])
    """
    device_type = _check_image("adaptive_max_pool2d", x)
    output_size = pair("adaptive_max_pool2d", "output_size", output_size, 1)
    with quiet():
        return find("pool2d", device_type).adaptive_max_forward(x, output_size)


def adaptive_avg_forward(x: Array, output_size: Pair) -> Array:
    """The average of each adaptive window: (N, C, H, W) to (N, C, OH, OW).

    Raises:
        ShapeError, ArgumentError, DTypeError, KernelError: as :func:`max_forward`.

    Example:
        >>> import numpy as np
        >>> adaptive_avg_forward(np.arange(8.0).reshape(1, 1, 2, 4), (1, 2))[0, 0]
        array([[2.5, 4.5]])
    """
    device_type = _check_image("adaptive_avg_pool2d", x)
    output_size = pair("adaptive_avg_pool2d", "output_size", output_size, 1)
    with quiet():
        return find("pool2d", device_type).adaptive_avg_forward(x, output_size)


def adaptive_avg_backward(dy: Array, input_size: Pair) -> Array:
    """Spread each dy over its adaptive window: (N, C, OH, OW) to (N, C, H, W).

    Raises:
        ShapeError, ArgumentError, DTypeError, KernelError: as :func:`max_forward`.

    Example:
        >>> import numpy as np
        >>> adaptive_avg_backward(np.array([[[[4.0, 8.0]]]]), (2, 4))[0, 0]
        array([[1., 1., 2., 2.],
               [1., 1., 2., 2.]])
    """
    device_type = _check_image("adaptive_avg_pool2d", dy, "grad_output")
    input_size = pair("adaptive_avg_pool2d", "input_size", input_size, 1)
    with quiet():
        return find("pool2d", device_type).adaptive_avg_backward(dy, input_size)


def tolerance(function: str, a: Array, *args: Any, **geometry: Any) -> tuple[Any, ...]:
    """How far an implementation may be from the reference: not at all for maxima, 4 · √K · eps · Σ|a| for sums of K terms."""
    from minigrad.kernels.pool2d import reference

    if function in ("max_forward", "adaptive_max_forward"):
        return 0.0, 0.0
    if function == "max_gather":
        return (0.0,)
    bound = abs(getattr(reference, function)(abs(a), *args, **geometry))
    terms = max(a.shape[2] * a.shape[3], bound.shape[2] * bound.shape[3])
    info = np.finfo(a.dtype)
    return (4 * (terms + 1) ** 0.5 * float(info.eps) * bound + float(info.tiny),)


def _check_image(where: str, x: Array, name: str = "input") -> str:
    device_type = check_arrays(where, ((name, x),))
    check_rank(where, name, x, "N, C, H, W")
    if 0 in x.shape[1:]:
        raise ShapeError(where, name, "no size of 0 but the batch's", f"shape {x.shape}")
    return device_type


def _check_windows(
    where: str, size: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Pair, Pair, Pair, Pair]:
    truth(where, ceil_mode=ceil_mode)
    kernel_size = pair(where, "kernel_size", kernel_size, 1)
    stride = kernel_size if stride is None else pair(where, "stride", stride, 1)
    padding = pair(where, "padding", padding, 0)
    dilation = pair(where, "dilation", dilation, 1)
    if padding[0] > kernel_size[0] // 2 or padding[1] > kernel_size[1] // 2:
        expected = f"at most half of kernel_size {kernel_size}"
        raise ArgumentError(
            where, "padding", expected, str(padding), "Pad the image first: a window of padding alone has no value"
        )
    for length, kernel, step, pad, spread in zip(size, kernel_size, stride, padding, dilation, strict=True):
        count = output_size(length, kernel, step, pad, spread, ceil_mode)
        starts = (i * step - pad for i in range(count) if i * step < pad)  # the windows that begin in the padding
        if count < 1 or (spread > 1 and any(start + -(start // spread) * spread >= length for start in starts)):
            expected = f"an image in which each window of kernel_size {kernel_size} with dilation {dilation} meets a pixel"
            got = f"{size[0]} x {size[1]} and padding {padding}"
            raise ShapeError(where, "input", expected, got, "Use a smaller window or a larger image")
    return kernel_size, stride, padding, dilation


def _check_divisor(divisor: int | None) -> None:
    if divisor is not None and (not isinstance(divisor, int) or divisor == 0):
        raise ArgumentError("avg_pool2d", "divisor_override", "a whole number that is not 0, or None", repr(divisor))


def _check_grad_output(where: str, dy: Array, size: tuple[int, ...], input_size: Pair) -> None:
    if dy.shape[2:] != size:
        expected = f"shape (N, C, {size[0]}, {size[1]}), which an input of {input_size} gives"
        raise ShapeError(where, "grad_output", expected, f"shape {dy.shape}")


def _check_indices(where: str, indices: Array, beside: Array, size: tuple[int, ...]) -> None:
    if indices.dtype != np.int64:
        raise DTypeError(where, "indices", "int64", str(indices.dtype), "Take them from the forward pass")
    if device_of(indices) != device_of(beside):
        there, got = device_of(beside), device_of(indices)
        raise DeviceError(where, "indices", f"an array on {there}", f"one on {got}", f"Move it there: .to('{there}')")
    if type(indices) is not np.ndarray:
        return  # to look at them would wait for the GPU
    if indices.size and int(indices.view(np.uint64).max()) >= size[0] * size[1]:  # one below 0 is a huge one there
        expected = f"0 to {size[0] * size[1] - 1} for an image of {size[0]} x {size[1]}"
        raise IndexingError(where, "indices", expected, f"{int(indices.min())} to {int(indices.max())}")
