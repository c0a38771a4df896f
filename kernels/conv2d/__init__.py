"""Two-dimensional convolution as three linear maps: forward, gradient to the input, gradient to the weight.

With x of shape (N, C, H, W), w (F, C/groups, KH, KW), y (N, F, OH, OW), x̂ the zero-padded x, and c counted within f's group::

    forward      y[n,f,i,j]   = Σ_c,k,l   w[f,c,k,l] · x̂[n, c, i·sh + k·dh, j·sw + l·dw]   (+ bias[f])
    grad_input   dx̂[n,c,p,q]  = Σ_f,k,l   w[f,c,k,l] · dy[n, f, i, j]    where i·sh + k·dh = p and j·sw + l·dw = q
    grad_weight  dw[f,c,k,l]  = Σ_n,i,j   dy[n,f,i,j] · x̂[n, c, i·sh + k·dh, j·sw + l·dw]

dx is dx̂ without the padding. Each map's derivative is the other two: ⟨forward(x, w), dy⟩ = ⟨x, grad_input(dy, w)⟩ =
⟨w, grad_weight(x, dy)⟩. ``grad_input`` is also the transposed convolution.

Arguments of all three: ``stride`` (sh, sw) and ``dilation`` (dh, dw), 1 or more; ``padding`` ((top, bottom), (left, right)),
0 or more; ``groups`` divides C and F. Arrays are float32 or float64, all of one dtype, on one device, with any strides. They
are never written to. y and dx lie channels-last in memory (dx in
C order where that is asked for), dw as PyTorch's OIHW. N may be 0; no other size may. Errors name the
arguments as PyTorch does: ``input``, ``weight``, ``bias``,
``grad_output``. Whether a NaN or infinity that meets the padding, as 0 · NaN,
shows in the result is left open: an implementation may multiply by the padding's zeros, or leave them out.

An implementation is given arguments that this file has checked, every one of the signatures but for ``activation``, ``memo``
and ``c_order``, which this file sees to itself: ``forward(x, w, bias, *, stride, padding, dilation, groups)``, and with the
same four keywords ``grad_input(dy, w, input_size, ...)`` and ``grad_weight(x, dy, kernel_size, ...)``. A module that says
``KEEPS = True`` is given one more in ``forward`` and what takes its arguments: ``memo``, ``None`` or a dict in which it may
keep what it derives from the weights, under names of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, quiet
from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels.checks import check_arrays, check_rank, integers, pair
from minigrad.kernels.choice import find
from minigrad.kernels.layout import in_c_order
from minigrad.kernels.recurrence import Memo, check_memo

FUNCTIONS = ("forward", "grad_input", "grad_weight")
SAME_LAYOUT = FUNCTIONS
# What an implementation may have besides, registered ones too: whose arguments it takes, and what becomes of that one's result.
OPTIONAL = {
    "forward_relu": ("forward", lambda y: np.maximum(y, 0)),
    "forward_relu6": ("forward", lambda y: np.clip(y, 0, 6)),
    "grad_input_in_c_order": ("grad_input", in_c_order),
}
MOST = {"relu": None, "relu6": 6}  # of an activation that may follow at once; its least value is 0
QUESTIONS = ("reads_c_order",)  # and what it may answer
Pair = tuple[int, int]
Padding = tuple[tuple[int, int], tuple[int, int]]
NO_PADDING: Padding = ((0, 0), (0, 0))


def output_size(size: int, kernel: int, stride: int, padding: Pair, dilation: int) -> int:
    """How many times a window fits along one axis: ⌊(size + before + after − dilation·(kernel − 1) − 1) / stride⌋ + 1.

    It may come out below 1, where no window fits.

    Example:
        >>> output_size(32, 3, 2, (1, 1), 1)
        16
    """
    return (size + padding[0] + padding[1] - dilation * (kernel - 1) - 1) // stride + 1


def output_sizes(size: tuple[int, ...], kernel: tuple[int, ...], stride: Pair, padding: Padding, dilation: Pair) -> Pair:
    """(OH, OW), by :func:`output_size` of each axis."""
    return (
        output_size(size[0], kernel[0], stride[0], padding[0], dilation[0]),
        output_size(size[1], kernel[1], stride[1], padding[1], dilation[1]),
    )


def forward(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
    activation: str = "",
    memo: Memo | None = None,
) -> Array:
    """Convolve: (N, C, H, W) and (F, C/groups, KH, KW), and (F,) for the bias, to (N, F, OH, OW).

    Args:
        activation: ``"relu"`` to give max(y, 0), or ``"relu6"`` to give min(max(y, 0), 6). An implementation that has a
            function ``forward_relu`` or ``forward_relu6``, with ``forward``'s arguments, does it in the same pass; for others
            it is done afterwards.
        memo: a dict that belongs to these weights: who hands the same one again promises that they are unchanged.

    Raises:
        ShapeError: ranks or sizes that do not fit, or an image smaller than the window.
        ArgumentError: stride, padding, dilation or groups outside their range, or another activation.
        DTypeError: other than float32 or float64, or two dtypes, or a memo that is no dict.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
        >>> forward(x, np.ones((1, 1, 2, 2)))[0, 0]
        array([[ 8., 12.],
               [20., 24.]])
        >>> forward(x, np.ones((1, 1, 2, 2)), activation="relu6").max()
        np.float64(6.0)
    """
    arrays = (("input", x), ("weight", w)) if bias is None else (("input", x), ("weight", w), ("bias", bias))
    device_type = check_arrays("conv2d", arrays)
    stride, padding, dilation, groups = _check_geometry(stride, padding, dilation, groups)
    check_rank("conv2d", "input", x, "N, C, H, W")
    _check_weight(w, groups)
    if x.shape[1] != w.shape[1] * groups or 0 in x.shape[1:]:
        raise _channels_error(x.shape, w.shape, groups)
    if bias is not None and bias.shape != (w.shape[0],):
        raise ShapeError("conv2d", "bias", f"shape ({w.shape[0]},), one value for each output channel", f"shape {bias.shape}")
    _sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    if activation and activation not in MOST:
        raise ArgumentError("conv2d", "activation", f"one of {', '.join(map(repr, MOST))}, or '' for none", repr(activation))
    check_memo("conv2d", memo)
    run = find("conv2d", device_type)
    geometry: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if getattr(run, "KEEPS", False):
        geometry["memo"] = memo
    joined = getattr(run, f"forward_{activation}", None) if activation else run.forward
    with quiet():
        if joined is not None:
            return joined(x, w, bias, **geometry)
        y = run.forward(x, w, bias, **geometry)
        y = array_module(y).maximum(y, 0, out=y)
        return y if MOST[activation] is None else array_module(y).minimum(y, MOST[activation], out=y)


def grad_input(
    dy: Array,
    w: Array,
    input_size: Pair,
    *,
    stride: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
    c_order: bool = False,
) -> Array:
    """The gradient to the input, which is the transposed convolution: (N, F, OH, OW) and (F, C/groups, KH, KW) to (N, C, H, W).

    Args:
        input_size: (H, W) of the result. With a stride several sizes give the same (OH, OW), so it must be told.
        c_order: lay the result in C order. An implementation that has a function ``grad_input_in_c_order``, with
            ``grad_input``'s arguments, makes it so; what others give is copied.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`forward`.

    Example:
        >>> import numpy as np
        >>> grad_input(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), (3, 3))[0, 0]
        array([[1., 2., 1.],
               [2., 4., 2.],
               [1., 2., 1.]])
    """
    device_type = check_arrays("conv2d", (("grad_output", dy), ("weight", w)))
    stride, padding, dilation, groups = _check_geometry(stride, padding, dilation, groups)
    input_size = pair("conv2d", "input_size", input_size, 1)
    check_rank("conv2d", "grad_output", dy, "N, F, OH, OW")
    _check_weight(w, groups)
    _check_grad_output(dy, w.shape[0], _sizes(input_size, w.shape[2:], stride, padding, dilation), input_size)
    run = find("conv2d", device_type)
    geometry: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    with quiet():
        if c_order and hasattr(run, "grad_input_in_c_order"):
            return in_c_order(run.grad_input_in_c_order(dy, w, input_size, **geometry))  # no copy where it keeps its word
        dx = run.grad_input(dy, w, input_size, **geometry)
        return in_c_order(dx) if c_order else dx


def grad_weight(
    x: Array,
    dy: Array,
    kernel_size: Pair,
    *,
    stride: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """The gradient to the weight: (N, C, H, W) and (N, F, OH, OW) to (F, C/groups, KH, KW).

    Args:
        kernel_size: (KH, KW) of the result. With a stride several sizes give the same (OH, OW), so it must be told.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`forward`.

    Example:
        >>> import numpy as np
        >>> grad_weight(np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2)), (2, 2))[0, 0]
        array([[ 8., 12.],
               [20., 24.]])
    """
    device_type = check_arrays("conv2d", (("input", x), ("grad_output", dy)))
    stride, padding, dilation, groups = _check_geometry(stride, padding, dilation, groups)
    kernel_size = pair("conv2d", "kernel_size", kernel_size, 1)
    check_rank("conv2d", "input", x, "N, C, H, W")
    check_rank("conv2d", "grad_output", dy, "N, F, OH, OW")
    for name, array in (("input", x), ("grad_output", dy)):
        if array.shape[1] % groups or 0 in array.shape[1:]:
            expected = f"a number of channels that groups={groups} divides, and no size of 0 but the batch's"
            raise ShapeError("conv2d", name, expected, f"shape {array.shape}")
    if dy.shape[0] != x.shape[0]:
        raise ShapeError("conv2d", "grad_output", f"a batch of {x.shape[0]}, as input has", f"shape {dy.shape}")
    _check_grad_output(dy, dy.shape[1], _sizes(x.shape[2:], kernel_size, stride, padding, dilation), x.shape[2:])
    with quiet():
        return find("conv2d", device_type).grad_weight(
            x, dy, kernel_size, stride=stride, padding=padding, dilation=dilation, groups=groups
        )


def reads_c_order(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], device_type: str, *, stride: Pair, padding: Padding, dilation: Pair,
    groups: int,
) -> bool:  # fmt: skip
    """Whether images of these sizes may as well lie in C order, for all three maps: then nobody need copy them before.

    Any strides are right; but most implementations copy what does not lie channels-last, each time anew. One that does not has
    a function ``reads_c_order``, with these arguments but the device.

    Example:
        >>> geometry = {"stride": (1, 1), "padding": NO_PADDING, "dilation": (1, 1), "groups": 1}
        >>> reads_c_order((1, 3, 8, 8), (2, 3, 3, 3), "cpu", **geometry)
        False
    """
    reads = getattr(find("conv2d", device_type), "reads_c_order", None)
    return reads is not None and reads(x_shape, w_shape, stride=stride, padding=padding, dilation=dilation, groups=groups)


def tolerance(function: str, *args: Any, **geometry: Any) -> tuple[Array]:
    """How far an implementation may be from the reference: 4 · √K · eps · (|a| * |b|), with K terms in each sum.

    |a| * |b| is the same map of the absolute values, so the bound holds at each value whatever cancels in it.
    """
    from minigrad.kernels.conv2d import reference

    a, b, *rest = args
    if function == "forward":
        rest = [None if each is None else abs(each) for each in rest]
        terms = b[0].size
    elif function == "grad_input":
        terms = b[:, 0].size // geometry["groups"]
    else:
        terms = b[:, 0].size
    bound = getattr(reference, function)(abs(a), abs(b), *rest, **geometry)
    info = np.finfo(a.dtype)
    return (4 * (terms + 1) ** 0.5 * float(info.eps) * bound + float(info.tiny),)


def _check_geometry(stride: Any, padding: Any, dilation: Any, groups: Any) -> tuple[Pair, Padding, Pair, int]:
    stride = pair("conv2d", "stride", stride, 1)
    dilation = pair("conv2d", "dilation", dilation, 1)
    expected = "((top, bottom), (left, right)), whole numbers, 0 or more"
    try:
        (top, bottom), (left, right) = padding
    except (TypeError, ValueError):
        raise ArgumentError("conv2d", "padding", expected, repr(padding)) from None
    top, bottom, left, right = integers("conv2d", "padding", (top, bottom, left, right), expected, 0)
    (groups,) = integers("conv2d", "groups", (groups,), "a whole number, 1 or more", 1)
    return stride, ((top, bottom), (left, right)), dilation, groups


def _check_weight(w: Array, groups: int) -> None:
    check_rank("conv2d", "weight", w, "F, C/groups, KH, KW")
    if 0 in w.shape:
        raise ShapeError("conv2d", "weight", "no size of 0", f"shape {w.shape}")
    if w.shape[0] % groups:
        raise ShapeError("conv2d", "weight", f"a number of output channels that groups={groups} divides", f"shape {w.shape}")


def _check_grad_output(dy: Array, channels: int, size: Pair, input_size: tuple[int, ...]) -> None:
    if dy.shape[1:] != (channels, *size):
        expected = f"shape (N, {channels}, {size[0]}, {size[1]}), which an input of {tuple(input_size)} gives"
        raise ShapeError("conv2d", "grad_output", expected, f"shape {dy.shape}")


def _channels_error(x_shape: tuple[int, ...], w_shape: tuple[int, ...], groups: int) -> ShapeError:
    channels = w_shape[1] * groups
    remedy = "Images come as (N, C, H, W): x.permute(0, 3, 1, 2) makes that of (N, H, W, C)" if x_shape[3] == channels else ""
    if 0 in x_shape[1:]:
        return ShapeError("conv2d", "input", "no size of 0 but the batch's", f"shape {x_shape}")
    expected = f"{channels} channels, as weight has shape {w_shape} and groups={groups}"
    return ShapeError("conv2d", "input", expected, f"{x_shape[1]} channels in shape {x_shape}", remedy)


def _sizes(size: tuple[int, ...], kernel: tuple[int, ...], stride: Pair, padding: Padding, dilation: Pair) -> Pair:
    out = output_sizes(size, kernel, stride, padding, dilation)
    if out[0] < 1 or out[1] < 1:
        spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        padded = [s + sum(p) for s, p in zip(size, padding, strict=True)]
        raise ShapeError(
            "conv2d", "input", f"an image of at least {spans[0]} x {spans[1]} with its padding, for the kernel to fit in",
            f"{padded[0]} x {padded[1]} ({size[0]} x {size[1]} and padding {padding})", "Use a smaller kernel or more padding",
        )  # fmt: skip
    return out
