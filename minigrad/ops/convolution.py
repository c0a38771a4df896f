"""Convolution: three linear maps that are each other's derivatives.

With y = conv(x, w), x the input, w the weight, and dy, dx, dw of the shapes of y, x, w::

    Conv2d       y  = conv(x, w)              its derivatives are ConvInput  and ConvWeight
    ConvInput    dx = conv to the input       its derivatives are Conv2d     and ConvWeight
    ConvWeight   dw = conv to the weight      its derivatives are Conv2d     and ConvInput

so that three kernels (``minigrad.kernels.conv2d`` has the formulas) give every order of derivative, and the transposed
convolution is ``ConvInput``. One-dimensional convolution is two-dimensional with a height of 1.
"""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, device_of
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import conv2d as kernel
from minigrad.kernels.layout import channels_last, is_channels_last
from minigrad.kernels.recurrence import Memo
from minigrad.ops.activation import behind
from minigrad.ops.dense import check_operands
from minigrad.ops.dims import whole
from minigrad.ops.geometry import numbers
from minigrad.ops.padding import pad
from minigrad.ops.reduction import Sum
from minigrad.ops.step_weights import kept_weights

Shapes = tuple[tuple[int, ...], tuple[int, ...]]  # of x and of w


class ChannelsLast(Function):
    """y = x, an image in channels-last memory;  dx = dy."""

    def forward(ctx, x: Array) -> Array:
        return channels_last(x)

    def backward(ctx, dy: Tensor) -> Tensor:
        return dy


def laid_out(x: Tensor, shapes: Shapes, geometry: dict[str, Any]) -> Tensor:
    """An image as the kernels take it in a convolution of these shapes, converted once for all that use it."""
    return x if is_channels_last(x.array) or lies_in_c_order(x.array, shapes, geometry) else ChannelsLast.apply(x)


def lies_in_c_order(x: Array, shapes: Shapes, geometry: dict[str, Any]) -> bool:
    """Whether an image lies so, and the kernels take it so: then its gradient shall lie so too."""
    if is_channels_last(x) or not x.flags.c_contiguous:
        return False
    return kernel.reads_c_order(*shapes, device_of(x).type, **geometry)


class Conv2d(Function):
    """y = conv(x, w) + b;  dx = ConvInput(dy, w), dw = ConvWeight(x, dy), db = Σ dy over all but the channels.

    With ``activation="relu"`` it is y = max(0, conv(x, w) + b), and dy counts only where y > 0; with ``"relu6"`` no value is
    above 6, and dy counts only where 0 < y < 6. With ``memo``, where nothing is recorded, what the kernel makes of the weights
    is kept.
    """

    def forward(
        ctx, x: Array, w: Array, b: Array | None, geometry: dict[str, Any], *, activation: str = "", memo: Memo | None = None
    ) -> Array:
        need_x, need_w, _, _ = ctx.edges
        ctx.geometry, ctx.shapes, ctx.activation = geometry, (x.shape, w.shape), activation
        ctx.c_order = lies_in_c_order(x, ctx.shapes, geometry)
        y = kernel.forward(x, w, b, **geometry, activation=activation, memo=memo)
        ctx.save_for_backward(x if need_w else None, w if need_x else None, y if activation else None)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, w, y = ctx.saved_tensors
        need_x, need_w, need_b, _ = ctx.needs_input_grad
        dy = laid_out(dy if y is None else behind(ctx.activation, dy, y.array), ctx.shapes, ctx.geometry)
        size, kernel_size = (shape[2:] for shape in ctx.shapes)
        return (
            ConvInput.apply(dy, w, None, size, ctx.geometry, c_order=ctx.c_order) if need_x else None,
            ConvWeight.apply(x, dy, kernel_size, ctx.geometry) if need_w else None,
            Sum.apply(dy, (0, 2, 3), False) if need_b else None,
            None,
        )


class ConvInput(Function):
    """dx = convᵀ(dy, w) + b;  with g the gradient of dx: ddy = conv(g, w), dw = ConvWeight(g, dy), db = Σ g."""

    def forward(
        ctx, dy: Array, w: Array, b: Array | None, size: tuple[int, int], geometry: dict[str, Any], *, c_order: bool = False
    ) -> Array:
        need_dy, need_w, *_ = ctx.edges
        ctx.save_for_backward(dy if need_w else None, w if need_dy else None)
        dx = kernel.grad_input(dy, w, size, **geometry, c_order=c_order)
        ctx.geometry, ctx.shapes = geometry, (dx.shape, w.shape)
        if b is not None:
            dx += b[:, None, None]
        return dx

    def backward(ctx, g: Tensor) -> Any:
        dy, w = ctx.saved_tensors
        need_dy, need_w, need_b, *_ = ctx.needs_input_grad
        g = laid_out(g, ctx.shapes, ctx.geometry)
        return (
            Conv2d.apply(g, w, None, ctx.geometry) if need_dy else None,
            ConvWeight.apply(g, dy, ctx.shapes[1][2:], ctx.geometry) if need_w else None,
            Sum.apply(g, (0, 2, 3), False) if need_b else None,
            None,
            None,
        )


class ConvWeight(Function):
    """dw = Σ x ⊗ dy;  with g the gradient of dw: dx = ConvInput(dy, g), ddy = conv(x, g)."""

    def forward(ctx, x: Array, dy: Array, kernel_size: tuple[int, int], geometry: dict[str, Any]) -> Array:
        need_x, need_dy, *_ = ctx.edges
        ctx.save_for_backward(x if need_dy else None, dy if need_x else None)
        ctx.geometry, ctx.input_size = geometry, x.shape[2:]
        ctx.c_order = lies_in_c_order(x, (x.shape, (dy.shape[1], x.shape[1] // geometry["groups"], *kernel_size)), geometry)
        return kernel.grad_weight(x, dy, kernel_size, **geometry)

    def backward(ctx, g: Tensor) -> Any:
        x, dy = ctx.saved_tensors
        need_x, need_dy, *_ = ctx.needs_input_grad
        return (
            ConvInput.apply(dy, g, None, ctx.input_size, ctx.geometry, c_order=ctx.c_order) if need_x else None,
            Conv2d.apply(x, g, None, ctx.geometry) if need_dy else None,
            None,
            None,
        )


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Slide the kernels of ``weight`` over images; each output value is a weighted sum of what one of them covers.

    Args:
        input: (N, C, H, W), or (C, H, W) for one image.
        weight: (F, C/groups, KH, KW), F kernels.
        bias: (F,).
        stride: step of the window, an int or (vertical, horizontal).
        padding: zeros around the image, an int or (vertical, horizontal), or, beyond PyTorch, ((top, bottom), (left, right));
            ``"same"`` for an output as large as the input (stride 1 only), ``"valid"`` for none.
        dilation: distance of the kernel's taps, an int or (vertical, horizontal).
        groups: channels are split into so many groups that do not see each other.

    Raises:
        ShapeError: ranks, channels or sizes that do not fit, or an image smaller than the kernel.
        ArgumentError: stride, padding, dilation or groups outside their range.
        DTypeError: other than float32 or float64, or two dtypes.

    Example:
        >>> import minigrad
        >>> minigrad.conv2d(minigrad.ones(1, 1, 2, 3), minigrad.ones(1, 1, 2, 2), padding=(0, 1))
        tensor([[[[2., 4., 4., 2.]]]])
    """
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv2d_activated(
    activation: str, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    """``relu(conv2d(...))``, or ``relu6`` of it, as one op: what ``nn.Sequential`` makes of the two layers."""
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups, activation)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Slide the kernels of ``weight`` along sequences. See ``conv2d``.

    Args:
        input: (N, C, L), or (C, L) for one sequence.
        weight: (F, C/groups, K).
        bias: (F,).
        stride, padding, dilation: ints, or tuples of one.

    Example:
        >>> import minigrad
        >>> minigrad.conv1d(minigrad.tensor([[[1.0, 2.0, 4.0]]]), minigrad.tensor([[[-1.0, 1.0]]]))
        tensor([[[1., 2.]]])
    """
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def _conv(
    where: str, spatial: int, x: Tensor, w: Tensor, b: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int,
    activation: str = "",
) -> Tensor:  # fmt: skip
    batched = _check_ranks(where, spatial, x, w, b)
    kernel_size = w.array.shape[2:]
    steps = numbers(where, "stride", stride, spatial, 1)
    spread = numbers(where, "dilation", dilation, spatial, 1)
    if isinstance(padding, str) and padding == "valid":
        pads = ((0, 0),) * spatial
    elif isinstance(padding, str) and padding == "same":
        if any(step != 1 for step in steps):
            raise ArgumentError(where, "padding", "a number where stride is not 1", "'same'", "Give the padding in numbers")
        reach = [d * (k - 1) for d, k in zip(spread, kernel_size, strict=True)]
        pads = tuple((r // 2, r - r // 2) for r in reach)
    elif isinstance(padding, str):
        raise ArgumentError(where, "padding", "a number, a tuple, 'same' or 'valid'", repr(padding))
    elif isinstance(padding, (tuple, list)) and padding and isinstance(padding[0], (tuple, list)):
        pads = _uneven(where, padding, spatial)
    else:
        pads = tuple((p, p) for p in numbers(where, "padding", padding, spatial, 0))
    groups = _check_groups(where, "output channels", w.array.shape, groups)
    shape = x.array.shape
    channels = shape[-spatial - 1]
    if channels != w.array.shape[1] * groups:
        raise ShapeError(
            where,
            "input",
            f"{w.array.shape[1] * groups} channels, as weight has shape {w.array.shape} and groups={groups}",
            f"{channels} channels in shape {shape}",
        )
    _check_bias(where, b, w.array.shape[0])
    spans = tuple(d * (k - 1) + 1 for d, k in zip(spread, kernel_size, strict=True))
    padded = tuple(s + p[0] + p[1] for s, p in zip(shape[-spatial:], pads, strict=True))
    if any(size < span for size, span in zip(padded, spans, strict=True)):
        raise ShapeError(
            where,
            "input",
            f"at least {spans} with its padding, for the kernel to fit in",
            f"{padded}, from shape {shape} and padding {pads}",
            "Use a smaller kernel or more padding",
        )
    if spatial == 1:
        geometry = _geometry((1, *steps), ((0, 0), *pads), (1, *spread), groups)
        lines = (x if batched else x.unsqueeze(0)).unsqueeze(2)
        y = Conv2d.apply(lines, w.unsqueeze(2), b, geometry, activation=activation, memo=kept_weights(w)).squeeze(2)
    else:
        geometry = _geometry(steps, pads, spread, groups)
        image = x if batched else x.unsqueeze(0)
        image = laid_out(image, (image.array.shape, w.array.shape), geometry)
        y = Conv2d.apply(image, w, b, geometry, activation=activation, memo=kept_weights(w))
    return y if batched else y.squeeze(0)


def _uneven(where: str, padding: Any, spatial: int) -> tuple[Any, ...]:
    """Padding that is told for each end of each axis."""
    if len(padding) != spatial or not all(isinstance(each, (tuple, list)) and len(each) == 2 for each in padding):
        axes = "((top, bottom), (left, right))" if spatial == 2 else "((before, behind),)"
        raise ArgumentError(where, "padding", f"a number, one for each axis, or {axes}", repr(padding))
    return tuple(numbers(where, "padding", each, 2, 0) for each in padding)


def _geometry(stride: Any, padding: Any, dilation: Any, groups: int) -> dict[str, Any]:
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transposed convolution: what ``conv2d`` of the same arguments does to a gradient on its way back. It enlarges.

    The output is of size ``(H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1``.

    Args:
        input: (N, C, H, W), or (C, H, W).
        weight: (C, F/groups, KH, KW).
        bias: (F,).
        stride, dilation: as in ``conv2d``.
        padding: how much is cut off at each side of the output.
        output_padding: how much is added below and to the right; smaller than stride or dilation.
        groups: channels are split into so many groups that do not see each other.

    Raises:
        ShapeError: ranks, channels or sizes that do not fit.
        ArgumentError: stride, padding, output_padding, dilation or groups outside their range.
        DTypeError: other than float32 or float64, or two dtypes.

    Example:
        >>> import minigrad
        >>> minigrad.conv_transpose2d(minigrad.ones(1, 1, 1, 2), minigrad.ones(1, 1, 1, 2))
        tensor([[[[1., 2., 1.]]]])
    """
    return _conv_transpose("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transposed convolution of sequences. See ``conv_transpose2d``.

    Args:
        input: (N, C, L), or (C, L).
        weight: (C, F/groups, K).
        bias: (F,).

    Example:
        >>> import minigrad
        >>> minigrad.conv_transpose1d(minigrad.ones(1, 1, 2), minigrad.ones(1, 1, 2), stride=2)
        tensor([[[1., 1., 1., 1.]]])
    """
    return _conv_transpose("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def _conv_transpose(
    where: str,
    spatial: int,
    x: Tensor,
    w: Tensor,
    b: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    batched = _check_ranks(where, spatial, x, w, b)
    shape, w_shape = x.array.shape, w.array.shape
    steps = numbers(where, "stride", stride, spatial, 1)
    pads = numbers(where, "padding", padding, spatial, 0)
    extra = numbers(where, "output_padding", output_padding, spatial, 0)
    spread = numbers(where, "dilation", dilation, spatial, 1)
    groups = _check_groups(where, "input channels", w_shape, groups)
    if shape[-spatial - 1] != w_shape[0]:
        expected = f"{w_shape[0]} channels, as weight has shape {w_shape}"
        raise ShapeError(where, "input", expected, f"{shape[-spatial - 1]} channels in shape {shape}")
    _check_bias(where, b, w_shape[1] * groups)
    if any(e >= max(s, d) for e, s, d in zip(extra, steps, spread, strict=True)):
        raise ArgumentError(where, "output_padding", f"less than stride {steps} or dilation {spread}", str(extra))
    # The kernel's padding at the end is cut by what output_padding adds; what exceeds it makes the output larger.
    full = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(shape[-spatial:], steps, spread, w_shape[2:], strict=True)]
    ends = [(p, max(p - e, 0)) for p, e in zip(pads, extra, strict=True)]
    beyond = [max(e - p, 0) for p, e in zip(pads, extra, strict=True)]
    size = [f - p[0] - p[1] + e for f, p, e in zip(full, ends, beyond, strict=True)]
    if any(each < 1 for each in size):
        raise ShapeError(
            where, "input", "an output of at least 1", f"size {tuple(size)} from shape {shape}, padding {pads}", "Pad less"
        )
    blank = [e if e >= s else 0 for e, s in zip(beyond, steps, strict=True)]  # rows that no window reaches
    size = [each - e for each, e in zip(size, blank, strict=True)]
    bias = None if any(blank) else b
    if spatial == 1:
        geometry = _geometry((1, *steps), ((0, 0), *ends), (1, *spread), groups)
        lines = (x if batched else x.unsqueeze(0)).unsqueeze(2)
        y = ConvInput.apply(lines, w.unsqueeze(2), bias, (1, *size), geometry).squeeze(2)
    else:
        geometry = _geometry(steps, tuple(ends), spread, groups)
        image = x if batched else x.unsqueeze(0)
        shapes = (image.array.shape[0], w_shape[1] * groups, *size), w_shape
        y = ConvInput.apply(laid_out(image, shapes, geometry), w, bias, tuple(size), geometry)
    if any(blank):
        y = pad(y, [end for e in reversed(blank) for end in (0, e)])
        if b is not None:
            y = y + b.reshape(-1, *[1] * spatial)
    return y if batched else y.squeeze(0)


# ---------------------------------------------------------------------- arguments


def _check_ranks(where: str, spatial: int, x: Tensor, w: Tensor, b: Tensor | None) -> bool:
    """Whether there is a batch dimension; all else about ranks and dtypes is refused."""
    check_operands(where, x, w, b)
    if x.array.dtype.itemsize < 4:
        raise DTypeError(where, "input", "float32 or float64", "float16, which is for storage", "Convert it with .float()")
    axes = "C, H, W" if spatial == 2 else "C, L"
    if w.array.ndim != spatial + 2:
        raise ShapeError(where, "weight", f"{spatial + 2} dimensions", f"shape {w.array.shape}")
    if x.array.ndim not in (spatial + 1, spatial + 2):
        got = f"shape {x.array.shape}"
        raise ShapeError(where, "input", f"{spatial + 2} dimensions (N, {axes}), or {spatial + 1} ({axes})", got)
    return x.array.ndim == spatial + 2


def _check_groups(where: str, channels: str, shape: tuple[int, ...], groups: Any) -> int:
    groups = whole(where, "groups", groups)
    if groups < 1:
        raise ArgumentError(where, "groups", "a whole number of at least 1", str(groups))
    if shape[0] % groups:
        raise ShapeError(where, "weight", f"a number of {channels} that groups={groups} divides", f"shape {shape}")
    return groups


def _check_bias(where: str, b: Tensor | None, channels: int) -> None:
    if b is not None and b.array.shape != (channels,):
        expected = f"shape ({channels},), one value for each output channel"
        raise ShapeError(where, "bias", expected, f"shape {b.array.shape}")


__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"]
FUNCTIONAL = ("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d")
METHODS = ()
