"""The compiled loops of ``cpu.py``'s correlation, on the micro-kernel ``tile``: the forward pass and the gradient to the input.

Images lie N H W C in memory. A *panel* is ``panel`` output channels, so many as the micro-kernel makes at once. Weights are
packed by panels: for each, KH · KW · C rows of its channels, in the order in which the micro-kernel walks along them, and
filled up with zeros. The gradient to the weight is in ``weight_loops.py``.
"""

from __future__ import annotations

from minigrad.kernels.native import Real, helper, kernel, lanes, offset, panel, real, share, tile, tile_rows

INFINITY = float("inf")
NEAR = 1 << 13  # numbers of a panel that the first-level cache holds beside a tile's pixels: 32 KB of float32


@helper
def width_of(columns):
    """How wide a panel of so many columns is in memory: whole vectors."""
    return panel if columns > lanes else lanes


@kernel
def pack(
    w: Real, packed: Real, origin: int, at_group: int, at_f: int, at_c: int, at_r: int, at_s: int, groups: int,
    features: int, channels: int,
    rows: int, columns: int, part: int, parts: int,
) -> None:  # fmt: skip
    """Weights of any strides, from element ``origin`` on, into panels: (groups, panels, rows, columns, channels, width).

    A transposed or turned kernel is packed by its strides: negative ones turn it round.
    """
    panels = (features + panel - 1) // panel
    start, stop = share(groups * panels, part, parts)
    for item in range(start, stop):
        group = item // panels
        first = (item % panels) * panel
        count = min(panel, features - first)
        width = width_of(count)
        # All panels of a group but the last are `panel` wide.
        terms = rows * columns * channels
        last = features - (panels - 1) * panel
        out = group * terms * ((panels - 1) * panel + width_of(last)) + first * terms
        base = origin + group * at_group + first * at_f
        for r in range(rows):
            for s in range(columns):
                for c in range(channels):
                    source = base + c * at_c + r * at_r + s * at_s
                    for j in range(count):
                        packed[out + j] = w[source + j * at_f]
                    for j in range(count, width):
                        packed[out + j] = real(0.0)
                    out += width


@helper(apart=True)
def copy_window(src, at, out, top, left, rows, columns, height, width, channels):
    """Rows ``top`` and on, columns ``left`` and on, of an image into ``out``; what lies outside the image is zero."""
    for r in range(rows):
        y = top + r
        line = r * columns * channels
        if y < 0 or y >= height:
            for i in range(columns * channels):
                out[line + i] = real(0.0)
            continue
        before = min(max(-left, 0), columns)
        inside = max(min(columns, width - left) - before, 0)
        for i in range(before * channels):
            out[line + i] = real(0.0)
        source = at + (y * width + left + before) * channels
        line += before * channels
        for i in range(inside * channels):
            out[line + i] = src[source + i]
        line += inside * channels
        for i in range((columns - before - inside) * channels):
            out[line + i] = real(0.0)


@kernel
def correlate(
    src: Real, packed: Real, bias: Real, dst: Real, work: Real, work_size: int, n: int, height: int, width: int, channels: int,
    inner: int, features: int, groups: int, rows: int, columns: int, stride_h: int, stride_w: int, dilation_h: int,
    dilation_w: int,
    top: int, left: int, out_h: int, out_w: int, at_image: int, at_row: int, at_column: int, band: int, least: float,
    most: float, part: int, parts: int,
) -> None:  # fmt: skip
    """dst[n, i, j, f] = bias[f] + Σ_r,s,c w[r, s, c, f] · src[n, i·sh + r·dh − top, j·sw + s·dw − left, c], from least to most.

    A tile is a run of pixels of one row. ``band`` rows of an image at a time are laid with their border of zeros into
    ``work``, which then stays in the cache for all panels; with ``band`` 0 there is no border, and ``src`` is read where it
    is. ``inner`` and ``features`` are the channels of one group.
    """
    scratch = offset(work, part * work_size)
    bands = 1 if band == 0 else (out_h + band - 1) // band
    panels = (features + panel - 1) // panel
    terms = rows * columns * inner
    start, stop = share(n * bands, part, parts)
    blocks = (out_w + tile_rows - 1) // tile_rows
    for item in range(start, stop):
        image = item // bands
        first_row = (item % bands) * band
        count = out_h if band == 0 else min(band, out_h - first_row)
        if band == 0:
            source, line = offset(src, image * height * width * channels), width * channels
        else:
            span = (out_w - 1) * stride_w + (columns - 1) * dilation_w + 1
            line = span * channels
            copy_window(
                src, image * height * width * channels, scratch, first_row * stride_h - top, -left,
                (count - 1) * stride_h + (rows - 1) * dilation_h + 1, span, height, width, channels,
            )  # fmt: skip
            source = scratch
        b = packed
        for group in range(groups):
            for each in range(panels):
                first = group * features + each * panel
                wide = min(panel, features - each * panel)
                step = width_of(wide)
                init = offset(bias, first)
                # A run is a row of the window where it lies gapless, else a tap; all rows at once where the panel is small.
                # Pieces of it keep the panel's part in the first-level cache over all pixels of the band.
                merged = groups == 1 and dilation_w == 1
                at_once = merged and terms * step <= NEAR
                lines = rows if not at_once else 1
                run = columns * inner if merged else inner
                pieces = (run * step + NEAR - 1) // NEAR if merged and not at_once else 1
                for piece in range(lines * pieces):
                    r = piece // pieces
                    k, k_end = share(run, piece % pieces, pieces)
                    bb = offset(b, (r * columns * inner + k) * step)
                    is_first, is_last = piece == 0, piece == lines * pieces - 1
                    for i in range(count):
                        c_row = image * at_image + (first_row + i) * at_row + first
                        a_row = (i * stride_h + r * dilation_h) * line + group * inner + k
                        for block in range(blocks):
                            j, end = share(out_w, block, blocks)
                            c = offset(dst, c_row + j * at_column)
                            tile(
                                end - j, offset(source, a_row + j * stride_w * channels), stride_w * channels, 1,
                                dilation_h * line if at_once else dilation_w * channels, bb, step, init if is_first else c,
                                0 if is_first else at_column, c, at_column, k_end - k,
                                (rows if at_once else 1) if merged else columns,
                                wide, real(least) if is_last else real(-INFINITY), real(most) if is_last else real(INFINITY),
                            )  # fmt: skip
                b = offset(b, terms * step)


@kernel
def correlate_small(
    src: Real, packed: Real, bias: Real, dst: Real, work: Real, work_size: int, n: int, height: int, width: int, channels: int,
    inner: int, features: int, groups: int, rows: int, columns: int, stride_h: int, stride_w: int, dilation_h: int,
    dilation_w: int,
    top: int, left: int, out_h: int, out_w: int, at_image: int, at_row: int, at_column: int, group_size: int, least: float,
    most: float, part: int, parts: int,
) -> None:  # fmt: skip
    """The same as ``correlate``, for small images: a tile is one pixel of several images.

    A pixel's taps that fall outside the image are left out, so there is no border and no product with its zeros. ``group_size``
    images at a time are laid into ``work``, a line of the cache further apart than they are large: else all of them
    would compete for the same places of the cache.
    """
    scratch = offset(work, part * work_size)
    size = height * width * channels
    pitch = size + lanes
    panels = (features + panel - 1) // panel
    terms = rows * columns * inner
    batches = (n + group_size - 1) // group_size
    splits = max(1, min(panels * groups, parts // batches))  # few images: the panels are shared too
    start, stop = share(batches * splits, part, parts)
    for item in range(start, stop):
        first_image = (item // splits) * group_size
        count = min(group_size, n - first_image)
        for image in range(count):
            for i in range(size):
                scratch[image * pitch + i] = src[(first_image + image) * size + i]
        blocks = (count + tile_rows - 1) // tile_rows
        from_panel, to_panel = share(groups * panels, item % splits, splits)
        b = packed
        for each in range(groups * panels):
            group, within = each // panels, each % panels
            first = group * features + within * panel
            wide = min(panel, features - within * panel)
            step = width_of(wide)
            if each < from_panel or each >= to_panel:
                b = offset(b, terms * step)
                continue
            init = offset(bias, first)
            for i in range(out_h):
                y = i * stride_h - top
                r0 = 0 if y >= 0 else (-y + dilation_h - 1) // dilation_h
                r1 = min(rows, (height - y + dilation_h - 1) // dilation_h) if y < height else 0
                for j in range(out_w):
                    x = j * stride_w - left
                    s0 = 0 if x >= 0 else (-x + dilation_w - 1) // dilation_w
                    s1 = min(columns, (width - x + dilation_w - 1) // dilation_w) if x < width else 0
                    c_at = i * at_row + j * at_column + first
                    for block in range(blocks):
                        begin, end = share(count, block, blocks)
                        c = offset(dst, (first_image + begin) * at_image + c_at)
                        a_at = begin * pitch + (y * width + x) * channels + group * inner
                        if r1 <= r0 or s1 <= s0:
                            tile(
                                end - begin, scratch, 0, 0, 0, b, step, init, 0, c, at_image, 0, 0, wide, real(least),
                                real(most),
                            )  # fmt: skip
                            continue
                        for r in range(r0, r1):
                            a = offset(scratch, a_at + (r * dilation_h * width + s0 * dilation_w) * channels)
                            bb = offset(b, (r * columns + s0) * inner * step)
                            begin_c = init if r == r0 else c
                            pitch_c = 0 if r == r0 else at_image
                            floor = real(least) if r == r1 - 1 else real(-INFINITY)
                            ceiling = real(most) if r == r1 - 1 else real(INFINITY)
                            if groups == 1 and dilation_w == 1:
                                tile(
                                    end - begin, a, pitch, 1, 0, bb, step, begin_c, pitch_c, c, at_image, (s1 - s0) * inner, 1,
                                    wide, floor, ceiling,
                                )  # fmt: skip
                            else:
                                tile(
                                    end - begin, a, pitch, 1, dilation_w * channels, bb, step, begin_c, pitch_c, c,
                                    at_image, inner,
                                    s1 - s0, wide, floor, ceiling,
                                )  # fmt: skip
            b = offset(b, terms * step)
