"""The compiled loops of ``cpu.py``'s gradient to the weight, on the micro-kernel ``tile``, and the sum of the threads' parts.

Memory and *panels* are as in ``loops.py``: here dy is packed by panels, a row for each pixel.
"""

from __future__ import annotations

from minigrad.kernels.conv2d.loops import INFINITY, copy_window, width_of
from minigrad.kernels.native import Real, helper, kernel, lanes, offset, panel, real, share, tile, tile_rows


@helper(apart=True)
def pack_panel(dy, first, count, pitch, at, wide, step, out):
    """``wide`` features from ``at`` on of ``count`` pixels, filled up with zeros to ``step``."""
    for pixel in range(count):
        source = (first + pixel) * pitch + at
        for f in range(wide):
            out[pixel * step + f] = dy[source + f]
        for f in range(wide, step):
            out[pixel * step + f] = real(0.0)


@kernel
def weigh(
    x: Real, dy: Real, sums: Real, work: Real, work_size: int, n: int, height: int, width: int, channels: int, inner: int,
    features: int, groups: int, rows: int, columns: int, stride_h: int, stride_w: int, dilation_h: int, dilation_w: int,
    top: int,
    left: int, out_h: int, out_w: int, images: int, by_channel: int, part: int, parts: int,
) -> None:  # fmt: skip
    """sums[(part,) group, r, s, c, f] = Σ_n,i,j x̂[n, i·sh + r·dh − top, j·sw + s·dw − left, c] · dy[n, i, j, f].

    A tile is a run of channels (of a whole row of the window, where it lies gapless) by a panel of features; its sum runs over
    the pixels. With ``by_channel`` a part takes some channels of all images, and there is one sum; else some of the images,
    and a sum of its own. ``images`` at a time are laid into ``work``: x with its border of zeros, and dy in panels.
    """
    span_h = (out_h - 1) * stride_h + (rows - 1) * dilation_h + 1
    span_w = (out_w - 1) * stride_w + (columns - 1) * dilation_w + 1
    panels = (features + panel - 1) // panel
    last = width_of(features - (panels - 1) * panel)
    padded = (panels - 1) * panel + last
    size = groups * rows * columns * inner * padded
    pixels = out_h * out_w
    first_image, end_image = (0, n) if by_channel else share(n, part, parts)
    c0, c1 = share(inner, part, parts) if by_channel else (0, inner)
    out = sums if by_channel else offset(sums, part * size)
    held = (c1 - c0) * groups  # channels of a pixel that this part has
    # A whole row of the window lies gapless where all channels are copied; one of one column has nothing to gain.
    merged = not by_channel and groups == 1 and dilation_w == 1 and columns > 1
    pitch = held if merged else held + lanes
    scratch_x = offset(work, part * work_size)
    scratch_y = offset(scratch_x, images * span_h * span_w * pitch + panel)
    if not by_channel:
        for i in range(size):
            out[i] = real(0.0)
    elif c1 > c0:
        for tap in range(groups * rows * columns):
            for i in range(c0 * padded, c1 * padded):
                out[tap * inner * padded + i] = real(0.0)
    if c1 <= c0:
        return
    for begin in range(first_image, end_image, images):
        count = min(images, end_image - begin)
        for image in range(count):
            if merged:
                copy_window(
                    x, (begin + image) * height * width * channels, offset(scratch_x, image * span_h * span_w * pitch),
                    -top, -left,
                    span_h, span_w, height, width, channels,
                )  # fmt: skip
                continue
            for i in range(span_h):
                y = i - top
                for j in range(span_w):
                    q = j - left
                    at = ((image * span_h + i) * span_w + j) * pitch
                    if y < 0 or y >= height or q < 0 or q >= width:
                        for c in range(held):
                            scratch_x[at + c] = real(0.0)
                        continue
                    for group in range(groups):
                        source = (((begin + image) * height + y) * width + q) * channels + group * inner + c0
                        for c in range(c1 - c0):
                            scratch_x[at + group * (c1 - c0) + c] = x[source + c]
        for group in range(groups):
            for each in range(panels):
                wide = min(panel, features - each * panel)
                step = width_of(wide)
                panel_of_dy = scratch_y
                if groups == 1 and features == step:  # dy is a panel as it lies
                    panel_of_dy = offset(dy, begin * pixels * features)
                else:
                    pack_panel(
                        dy,
                        begin * pixels,
                        count * pixels,
                        groups * features,
                        group * features + each * panel,
                        wide,
                        step,
                        scratch_y,
                    )
                for r in range(rows):
                    for s in range(1 if merged else columns):
                        run = columns * inner if merged else c1 - c0
                        blocks = (run + tile_rows - 1) // tile_rows
                        a_at = (r * dilation_h * span_w + s * dilation_w) * pitch + group * (c1 - c0)
                        c_at = ((group * rows + r) * columns + s) * inner * padded + c0 * padded + each * panel
                        for block in range(blocks):
                            k, end = share(run, block, blocks)
                            c = offset(out, c_at + k * padded)
                            for image in range(count):
                                a = offset(scratch_x, image * span_h * span_w * pitch + a_at + k)
                                b = offset(panel_of_dy, image * pixels * step)
                                tile(
                                    end - k, a, 1, stride_w * pitch, stride_h * span_w * pitch, b, step, c, padded, c,
                                    padded, out_w,
                                    out_h, wide, real(-INFINITY), real(INFINITY),
                                )  # fmt: skip


@kernel
def weigh_small(
    x: Real, dy: Real, sums: Real, work: Real, work_size: int, n: int, height: int, width: int, channels: int, inner: int,
    features: int, groups: int, rows: int, columns: int, stride_h: int, stride_w: int, dilation_h: int, dilation_w: int,
    top: int,
    left: int, out_h: int, out_w: int, images: int, by_channel: int, part: int, parts: int,
) -> None:  # fmt: skip
    """The same as ``weigh``, for small outputs: the pixels of several images are one sum.

    For each tap the pixels that it meets, of ``images`` images, are laid side by side: (pixels, channels), zeros for those
    outside.
    """
    panels = (features + panel - 1) // panel
    last = width_of(features - (panels - 1) * panel)
    padded = (panels - 1) * panel + last
    size = groups * rows * columns * inner * padded
    pixels = out_h * out_w
    first_image, end_image = (0, n) if by_channel else share(n, part, parts)
    c0, c1 = share(inner, part, parts) if by_channel else (0, inner)
    if c1 <= c0:
        return
    out = sums if by_channel else offset(sums, part * size)
    pitch = c1 - c0 + lanes
    scratch_x = offset(work, part * work_size)
    scratch_y = offset(scratch_x, images * pixels * pitch)
    blocks = (c1 - c0 + tile_rows - 1) // tile_rows
    for tap in range(groups * rows * columns):
        for i in range(c0 * padded, c1 * padded):
            out[tap * inner * padded + i] = real(0.0)
    for begin in range(first_image, end_image, images):
        count = min(images, end_image - begin)
        depth = count * pixels
        for group in range(groups):
            for each in range(panels):
                wide = min(panel, features - each * panel)
                pack_panel(
                    dy, begin * pixels, depth, groups * features, group * features + each * panel, wide, width_of(wide),
                    offset(scratch_y, each * panel * depth),
                )  # fmt: skip
            for r in range(rows):
                for s in range(columns):
                    for image in range(count):
                        for i in range(out_h):
                            y = i * stride_h + r * dilation_h - top
                            for j in range(out_w):
                                q = j * stride_w + s * dilation_w - left
                                at = ((image * out_h + i) * out_w + j) * pitch
                                if y < 0 or y >= height or q < 0 or q >= width:
                                    for c in range(c1 - c0):
                                        scratch_x[at + c] = real(0.0)
                                else:
                                    source = (((begin + image) * height + y) * width + q) * channels + group * inner + c0
                                    for c in range(c1 - c0):
                                        scratch_x[at + c] = x[source + c]
                    c_at = (((group * rows + r) * columns + s) * inner + c0) * padded
                    for each in range(panels):
                        step = width_of(min(panel, features - each * panel))
                        b = offset(scratch_y, each * panel * depth)
                        for block in range(blocks):
                            k, end = share(c1 - c0, block, blocks)
                            c = offset(out, c_at + k * padded + each * panel)
                            tile(
                                end - k, offset(scratch_x, k), 1, pitch, 0, b, step, c, padded, c, padded, depth, 1, step,
                                real(-INFINITY), real(INFINITY),
                            )  # fmt: skip


@kernel
def gather(
    sums: Real, dw: Real, count: int, groups: int, rows: int, columns: int, inner: int, features: int, padded: int, part: int,
    parts: int,
) -> None:  # fmt: skip
    """dw[group · features + f, c, r, s] = Σ of ``count`` sums, in order."""
    size = groups * rows * columns * inner * padded
    start, stop = share(groups * inner, part, parts)
    for item in range(start, stop):
        group, c = item // inner, item % inner
        for r in range(rows):
            for s in range(columns):
                source = (((group * rows + r) * columns + s) * inner + c) * padded
                for f in range(features):
                    total = sums[source + f]
                    for k in range(1, count):
                        total += sums[k * size + source + f]
                    dw[(((group * features + f) * inner + c) * rows + r) * columns + s] = total
