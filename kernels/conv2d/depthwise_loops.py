"""The compiled loops of ``depthwise_cpu.py``. Images lie N H W C in memory, weights (taps, F) with F = C · multiplier.

The inner loop runs over channels, which lie side by side. Forward, with one output a channel, a strip of pixels has the sums of
two vectors of channels in registers, over all taps (``strip.py``); else each output pixel is a run of F sums in the first-level
cache.
"""

from __future__ import annotations

from minigrad.kernels.native import Real, choose, helper, kernel, lanes, offset, real, share
from minigrad.kernels.native.language import Word

PIXELS = 6  # of a strip, as strip.py has it
strip = Word("strip", "A strip of pixels: see minigrad/kernels/conv2d/strip.py.", "minigrad.kernels.conv2d.strip:strip")
APART = 64  # numbers between the sums of two parts: a cache line that both write would go to and fro between the cores


@helper
def first_tap(start, dilation):
    """The first tap whose pixel ``start + tap · dilation`` is not before the image."""
    return 0 if start >= 0 else (-start + dilation - 1) // dilation


@helper
def past_tap(start, size, dilation, taps):
    """One past the last tap whose pixel is in the image."""
    return min(taps, (size - start + dilation - 1) // dilation) if start < size else 0


@kernel
def forward(
    x: Real, w: Real, bias: Real, y: Real, n: int, height: int, width: int, channels: int, rows: int, columns: int,
    stride_h: int, stride_w: int, dilation_h: int, dilation_w: int, top: int, left: int, out_h: int, out_w: int, least: float,
    most: float, part: int, parts: int,
) -> None:  # fmt: skip
    """y[c] = bias[c] + Σ over taps of w[tap, c] · x[pixel, c], from least to most."""
    start, stop = share(n * out_h, part, parts)
    low, high = real(least), real(most)
    pitch, line, column = stride_w * channels, dilation_h * width * channels, dilation_w * channels
    # The pixels of a row that see all columns of the kernel.
    begin = min((left + stride_w - 1) // stride_w, out_w)
    end = max(begin, min(out_w, (width + left - (columns - 1) * dilation_w - 1) // stride_w + 1))
    blocks = (end - begin + PIXELS - 1) // PIXELS
    for item in range(start, stop):
        image, i = item // out_h, item % out_h
        h = i * stride_h - top
        r0, r1 = first_tap(h, dilation_h), past_tap(h, height, dilation_h, rows)
        c = 0
        while c < channels:
            count = 2 * lanes if channels - c >= 2 * lanes else min(lanes, channels - c)
            source = offset(x, ((image * height + h + r0 * dilation_h) * width - left) * channels + c)
            taps, out = offset(w, r0 * columns * channels + c), offset(y, item * out_w * channels + c)
            for side in range(2):  # the pixels before those, and behind them
                for j in range(end if side else 0, out_w if side else begin):
                    v = j * stride_w - left
                    s0, s1 = first_tap(v, dilation_w), past_tap(v, width, dilation_w, columns)
                    strip(
                        1, offset(source, j * pitch + s0 * column), pitch, line, column, offset(taps, s0 * channels),
                        columns * channels, channels, offset(bias, c), offset(out, j * channels), channels, r1 - r0, s1 - s0,
                        count, low, high,
                    )  # fmt: skip
            for block in range(blocks):
                k, k_end = share(end - begin, block, blocks)
                strip(
                    k_end - k, offset(source, (begin + k) * pitch), pitch, line, column, taps, columns * channels, channels,
                    offset(bias, c), offset(out, (begin + k) * channels), channels, r1 - r0, columns, count, low, high,
                )  # fmt: skip
            c += count


@kernel
def forward_several(
    x: Real, w: Real, bias: Real, y: Real, n: int, height: int, width: int, channels: int, multiplier: int, rows: int,
    columns: int,
    stride_h: int, stride_w: int, dilation_h: int, dilation_w: int, top: int, left: int, out_h: int, out_w: int, least: float,
    most: float, part: int, parts: int,
) -> None:  # fmt: skip
    """y[f] = bias[f] + Σ over taps of w[tap, f] · x[pixel, f // multiplier], from least to most."""
    features = channels * multiplier
    start, stop = share(n * out_h, part, parts)
    low, high = real(least), real(most)
    for item in range(start, stop):
        image, i = item // out_h, item % out_h
        h = i * stride_h - top
        r0, r1 = first_tap(h, dilation_h), past_tap(h, height, dilation_h, rows)
        for j in range(out_w):
            v = j * stride_w - left
            s0, s1 = first_tap(v, dilation_w), past_tap(v, width, dilation_w, columns)
            out = (item * out_w + j) * features
            for f in range(features):
                y[out + f] = bias[f]
            for r in range(r0, r1):
                for s in range(s0, s1):
                    source = ((image * height + h + r * dilation_h) * width + v + s * dilation_w) * channels
                    tap = (r * columns + s) * features
                    for c in range(channels):
                        for m in range(multiplier):
                            f = c * multiplier + m
                            y[out + f] = y[out + f] + x[source + c] * w[tap + f]
            for f in range(features):
                value = choose(y[out + f] < low, low, y[out + f])
                y[out + f] = choose(value > high, high, value)


@kernel
def grad_input(
    dy: Real, w: Real, dx: Real, n: int, height: int, width: int, channels: int, multiplier: int, rows: int, columns: int,
    stride_h: int, stride_w: int, dilation_h: int, dilation_w: int, top: int, left: int, out_h: int, out_w: int, part: int,
    parts: int,
) -> None:  # fmt: skip
    """dx[pixel, c] = Σ w[tap, f] · dy[f] over the outputs and features that saw it. A part has whole images."""
    features = channels * multiplier
    start, stop = share(n, part, parts)
    for image in range(start, stop):
        base = image * height * width * channels
        for i in range(height * width * channels):
            dx[base + i] = real(0.0)
        for i in range(out_h):
            h = i * stride_h - top
            r0, r1 = first_tap(h, dilation_h), past_tap(h, height, dilation_h, rows)
            for j in range(out_w):
                v = j * stride_w - left
                s0, s1 = first_tap(v, dilation_w), past_tap(v, width, dilation_w, columns)
                source = ((image * out_h + i) * out_w + j) * features
                for r in range(r0, r1):
                    for s in range(s0, s1):
                        out = base + ((h + r * dilation_h) * width + v + s * dilation_w) * channels
                        tap = (r * columns + s) * features
                        if multiplier == 1:
                            for c in range(channels):
                                dx[out + c] = dx[out + c] + dy[source + c] * w[tap + c]
                        else:
                            for c in range(channels):
                                total = dx[out + c]
                                for m in range(multiplier):
                                    f = c * multiplier + m
                                    total += dy[source + f] * w[tap + f]
                                dx[out + c] = total


@kernel
def grad_weight(
    x: Real, dy: Real, sums: Real, work: Real, n: int, height: int, width: int, channels: int, multiplier: int, rows: int,
    columns: int, stride_h: int, stride_w: int, dilation_h: int, dilation_w: int, top: int, left: int, out_h: int, out_w: int,
    part: int, parts: int,
) -> None:  # fmt: skip
    """sums[part, tap, f] = Σ x[pixel, f // multiplier] · dy[f] over the part's images, and ``APART`` numbers behind each part.

    Each row of outputs is summed by itself first.
    """
    features = channels * multiplier
    size = rows * columns * features
    total, here = part * (size + APART), part * (size + APART)
    for i in range(size):
        sums[total + i] = real(0.0)
    start, stop = share(n * out_h, part, parts)
    for item in range(start, stop):
        image, i = item // out_h, item % out_h
        h = i * stride_h - top
        r0, r1 = first_tap(h, dilation_h), past_tap(h, height, dilation_h, rows)
        for k in range(size):
            work[here + k] = real(0.0)
        for j in range(out_w):
            v = j * stride_w - left
            s0, s1 = first_tap(v, dilation_w), past_tap(v, width, dilation_w, columns)
            at = (item * out_w + j) * features
            for r in range(r0, r1):
                for s in range(s0, s1):
                    source = ((image * height + h + r * dilation_h) * width + v + s * dilation_w) * channels
                    tap = here + (r * columns + s) * features
                    if multiplier == 1:
                        for c in range(channels):
                            work[tap + c] = work[tap + c] + x[source + c] * dy[at + c]
                    else:
                        for c in range(channels):
                            for m in range(multiplier):
                                f = c * multiplier + m
                                work[tap + f] = work[tap + f] + x[source + c] * dy[at + f]
        for k in range(size):
            sums[total + k] = sums[total + k] + work[here + k]
