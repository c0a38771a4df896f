"""The compiled loops of ``winograd.py``. Images lie N H W C in memory; a tile of the image is 4 x 4 pixels, 2 x 2 of the
output.

The batch's tiles are taken ``chunk`` at a time. Their transforms lie in ``work`` as 16 matrices, one for each of the 4 x 4
places: (tiles, channels), where channels are filled up with zeros to whole vectors.
"""

from __future__ import annotations

from minigrad.kernels.conv2d.loops import width_of
from minigrad.kernels.native import Real, helper, kernel, lanes, offset, panel, real, share, tile, tile_rows
from minigrad.kernels.native.language import Word

HERE = "minigrad.kernels.conv2d.transforms"
SIX = "(src, src_row, src_column, dst, dst_row, dst_column)"
of_input = Word("of_input", f"of_input{SIX}: Bᵀ d B", f"{HERE}:of_input")
of_output = Word("of_output", f"of_output{SIX}: Aᵀ m A", f"{HERE}:of_output")
of_gradient = Word("of_gradient", f"of_gradient{SIX}: A dy Aᵀ", f"{HERE}:of_gradient")
of_weight = Word("of_weight", f"of_weight{SIX}: G g Gᵀ", f"{HERE}:of_weight")
of_weight_gradient = Word("of_weight_gradient", f"of_weight_gradient{SIX}: Gᵀ u G", f"{HERE}:of_weight_gradient")

INFINITY = float("inf")


@kernel
def transform_weight(
    w: Real, packed: Real, work: Real, origin: int, at_f: int, at_c: int, at_r: int, at_s: int, features: int, channels: int,
    padded_c: int, padded_f: int, part: int, parts: int,
) -> None:  # fmt: skip
    """U = G g Gᵀ of weights of any strides, packed: (16, panels, padded_c, width), zeros where there is no channel or
    feature."""
    nine = offset(work, part * 9 * panel)
    panels = (features + panel - 1) // panel
    start, stop = share(panels * padded_c, part, parts)
    size = padded_c * padded_f
    for item in range(start, stop):
        first, c = (item // padded_c) * panel, item % padded_c
        count = min(panel, features - first)
        width = width_of(count)
        for i in range(9 * panel):
            nine[i] = real(0.0)
        if c < channels:
            for r in range(3):
                for s in range(3):
                    source = origin + first * at_f + c * at_c + r * at_r + s * at_s
                    for j in range(count):
                        nine[(r * 3 + s) * panel + j] = w[source + j * at_f]
        out = first * padded_c + c * width
        for j in range(0, width, lanes):
            of_weight(offset(nine, j), 3 * panel, panel, offset(packed, out + j), 4 * size, size)


@helper
def transform_input(src, at, y, x, height, width, channels, from_c, to_c, padded, patch, out, step):
    """Bᵀ d B of the 4 x 4 pixels from (y, x) on, channels ``from_c`` to ``to_c``; pixels outside the image are zeros."""
    count = to_c - from_c
    if y >= 0 and x >= 0 and y + 4 <= height and x + 4 <= width and count == padded:
        source = offset(src, at + (y * width + x) * channels + from_c)
        for c in range(0, padded, lanes):
            of_input(offset(source, c), width * channels, channels, offset(out, c), 4 * step, step)
        return
    for i in range(4):
        for j in range(4):
            q = (i * 4 + j) * padded
            if y + i < 0 or y + i >= height or x + j < 0 or x + j >= width:
                for c in range(padded):
                    patch[q + c] = real(0.0)
            else:
                source_at = at + ((y + i) * width + x + j) * channels + from_c
                for c in range(count):
                    patch[q + c] = src[source_at + c]
                for c in range(count, padded):
                    patch[q + c] = real(0.0)
    for c in range(0, padded, lanes):
        of_input(offset(patch, c), 4 * padded, padded, offset(out, c), 4 * step, step)


@kernel
def correlate(
    src: Real, packed: Real, bias: Real, dst: Real, work: Real, work_size: int, n: int, height: int, width: int, channels: int,
    padded_c: int, features: int, padded_f: int, top: int, left: int, out_h: int, out_w: int, chunk: int, least: float,
    part: int,
    parts: int,
) -> None:  # fmt: skip
    """dst[n, i, j, f] = max(least, bias[f] + Σ_r,s,c w[r, s, c, f] · src[n, i + r − top, j + s − left, c])."""
    tiles_h, tiles_w = (out_h + 1) // 2, (out_w + 1) // 2
    v = offset(work, part * work_size)
    m = offset(v, 16 * chunk * padded_c)
    patch = offset(m, 16 * chunk * padded_f)  # 16 x channels, or 4 x features
    zeros = offset(patch, 16 * max(padded_c, padded_f))
    for i in range(panel):
        zeros[i] = real(0.0)
    panels = (features + panel - 1) // panel
    size = padded_c * padded_f
    start, stop = share((n * tiles_h * tiles_w + chunk - 1) // chunk, part, parts)
    for item in range(start, stop):
        first = item * chunk
        count = min(chunk, n * tiles_h * tiles_w - first)
        for k in range(count):
            image, within = (first + k) // (tiles_h * tiles_w), (first + k) % (tiles_h * tiles_w)
            i, j = within // tiles_w * 2, within % tiles_w * 2
            transform_input(
                src, image * height * width * channels, i - top, j - left, height, width, channels, 0, channels, padded_c,
                patch,
                offset(v, k * padded_c), chunk * padded_c,
            )  # fmt: skip
        blocks = (count + tile_rows - 1) // tile_rows
        for place in range(16):
            for each in range(panels):
                at_f = each * panel
                step = width_of(min(panel, features - at_f))
                b = offset(packed, place * size + at_f * padded_c)
                for block in range(blocks):
                    begin, end = share(count, block, blocks)
                    a = offset(v, (place * chunk + begin) * padded_c)
                    c = offset(m, (place * chunk + begin) * padded_f + at_f)
                    tile(
                        end - begin, a, padded_c, 1, 0, b, step, zeros, 0, c, padded_f, padded_c, 1, step, real(-INFINITY),
                        real(INFINITY),
                    )  # fmt: skip
        floor = real(least)
        for k in range(count):
            image, within = (first + k) // (tiles_h * tiles_w), (first + k) % (tiles_h * tiles_w)
            i, j = within // tiles_w * 2, within % tiles_w * 2
            for f in range(0, padded_f, lanes):
                of_output(
                    offset(m, k * padded_f + f),
                    4 * chunk * padded_f,
                    chunk * padded_f,
                    offset(patch, f),
                    2 * padded_f,
                    padded_f,
                )
            for di in range(min(2, out_h - i)):
                for dj in range(min(2, out_w - j)):
                    q = (di * 2 + dj) * padded_f
                    out = ((image * out_h + i + di) * out_w + j + dj) * features
                    for f in range(features):
                        value = patch[q + f] + bias[f]
                        dst[out + f] = floor if value < floor else value


@kernel
def weigh(
    x: Real, dy: Real, sums: Real, work: Real, work_size: int, n: int, height: int, width: int, channels: int, features: int,
    padded_f: int, top: int, left: int, out_h: int, out_w: int, chunk: int, by_channel: int, part: int, parts: int,
) -> None:  # fmt: skip
    """sums[(part,) 16, c, f] = Σ over tiles of (Bᵀ x B)[c] · (A dy Aᵀ)[f], at each of the 16 places.

    With ``by_channel`` a part takes some channels of all tiles, and there is one sum; else some of the tiles, and a sum of its
    own.
    """
    tiles_h, tiles_w = (out_h + 1) // 2, (out_w + 1) // 2
    total = n * tiles_h * tiles_w
    c0, c1 = share(channels, part, parts) if by_channel else (0, channels)
    if c1 <= c0:
        return
    held = (c1 - c0 + lanes - 1) // lanes * lanes
    v = offset(work, part * work_size)
    g = offset(v, 16 * chunk * held)
    patch = offset(g, 16 * chunk * padded_f)
    out = sums if by_channel else offset(sums, part * 16 * channels * padded_f)
    for place in range(16):
        for i in range((place * channels + c0) * padded_f, (place * channels + c1) * padded_f):
            out[i] = real(0.0)
    panels = (features + panel - 1) // panel
    first, stop = (0, total) if by_channel else share(total, part, parts)
    blocks = (c1 - c0 + tile_rows - 1) // tile_rows
    while first < stop:
        count = min(chunk, stop - first)
        for k in range(count):
            image, within = (first + k) // (tiles_h * tiles_w), (first + k) % (tiles_h * tiles_w)
            i, j = within // tiles_w * 2, within % tiles_w * 2
            transform_input(
                x, image * height * width * channels, i - top, j - left, height, width, channels, c0, c1, held, patch,
                offset(v, k * held), chunk * held,
            )  # fmt: skip
            at = ((image * out_h + i) * out_w + j) * features
            if i + 2 <= out_h and j + 2 <= out_w and features == padded_f:
                for f in range(0, padded_f, lanes):
                    of_gradient(
                        offset(dy, at + f), out_w * features, features, offset(g, k * padded_f + f), 4 * chunk * padded_f,
                        chunk * padded_f,
                    )  # fmt: skip
                continue
            for di in range(2):
                for dj in range(2):
                    q = (di * 2 + dj) * padded_f
                    there = i + di < out_h and j + dj < out_w
                    for f in range(features):
                        patch[q + f] = dy[at + (di * out_w + dj) * features + f] if there else real(0.0)
                    for f in range(features, padded_f):
                        patch[q + f] = real(0.0)
            for f in range(0, padded_f, lanes):
                of_gradient(
                    offset(patch, f),
                    2 * padded_f,
                    padded_f,
                    offset(g, k * padded_f + f),
                    4 * chunk * padded_f,
                    chunk * padded_f,
                )
        for place in range(16):
            for each in range(panels):
                at_f = each * panel
                wide = width_of(min(panel, features - at_f))
                b = offset(g, place * chunk * padded_f + at_f)
                for block in range(blocks):
                    begin, end = share(c1 - c0, block, blocks)
                    a = offset(v, place * chunk * held + begin)
                    c = offset(out, (place * channels + c0 + begin) * padded_f + at_f)
                    tile(
                        end - begin, a, 1, held, 0, b, padded_f, c, padded_f, c, padded_f, count, 1, wide, real(-INFINITY),
                        real(INFINITY),
                    )  # fmt: skip
        first += count


@kernel
def gather(
    sums: Real, dw: Real, work: Real, count: int, channels: int, features: int, padded_f: int, part: int, parts: int
) -> None:
    """dw[f, c, r, s] = Gᵀ (Σ of ``count`` sums) G."""
    nine = offset(work, part * 25 * padded_f)
    total = offset(nine, 9 * padded_f)
    size = channels * padded_f
    start, stop = share(channels, part, parts)
    for c in range(start, stop):
        for place in range(16):
            source = place * size + c * padded_f
            for f in range(padded_f):
                value = sums[source + f]
                for k in range(1, count):
                    value += sums[k * 16 * size + source + f]
                total[place * padded_f + f] = value
        for f in range(0, padded_f, lanes):
            of_weight_gradient(offset(total, f), 4 * padded_f, padded_f, offset(nine, f), 3 * padded_f, padded_f)
        for tap in range(9):
            for f in range(features):
                dw[(f * channels + c) * 9 + tap] = nine[tap * padded_f + f]
