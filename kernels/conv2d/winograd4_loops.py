"""The compiled loops of ``winograd4.py``. Images lie N H W C in memory; a tile is 4 x 4 pixels of the output.

``taps`` is 3 or 2: a tile of the input has n x n pixels, n = taps + 3, and its transform n x n *places*. With a stride of 2 the
input's pixels of one remainder each are a *phase*, an image by itself that 2 x 2 taps meet; the phases lie side by side as more
channels, which one product sums over.

The batch's tiles are taken ``chunk`` at a time. Their transforms lie in ``work`` as one matrix for each place: (tiles, phases,
channels), channels filled up with zeros to whole vectors. A place's matrix begins ``pitch`` after the last one's: not a power
of two, lest all places compete for the same lines of the cache.

Images may lie in C order too, in planes that are ``..._plane`` apart (0 says channels-last): of these a band of rows, as many
as a row of tiles meets, is turned to channels-last memory when its tiles come, and from it when they are done.
"""

from __future__ import annotations

from minigrad.kernels.conv2d.bands import lay_band, put_band, span
from minigrad.kernels.conv2d.loops import width_of
from minigrad.kernels.native import Real, helper, kernel, lanes, offset, panel, real, share, tile, tile_rows
from minigrad.kernels.native.language import Kernel, Word

HERE = "minigrad.kernels.conv2d.transforms"
SIX = "(src, src_row, src_column, dst, dst_row, dst_column)"
GUARD = f"{SIX[:-1]}, y, x, step, height, width, zeros)"
BOUND = f"{SIX[:-1]}, bias, least)"
MEANINGS = {
    "input": f"{SIX}: Bᵀ d B",
    "guarded_input": f"{GUARD}: Bᵀ d B at an image's edge",
    "output": f"{BOUND}: max(least, Aᵀ m A + bias)",
    "gradient": f"{SIX}: A dy Aᵀ",
    "weight": f"{SIX}: G g Gᵀ",
    "weight_gradient": f"{SIX}: Gᵀ u G",
}
TRANSFORMS = {
    taps: [Word(f"{name}_of_{taps}", f"{name}_of_{taps}{said}", f"{HERE}:{name}_of_{taps}") for name, said in MEANINGS.items()]
    for taps in (3, 2)
}

INFINITY = float("inf")


@helper(apart=True)
def fill_patch(src, y, x, height, width, channels, count, padded, n, stride, patch):
    """``count`` channels of n x n pixels, filled up with zeros to ``padded``; zeros too for pixels outside the image."""
    for i in range(n):
        for j in range(n):
            q = (i * n + j) * padded
            row, column = y + i * stride, x + j * stride
            inside = count if row >= 0 and row < height and column >= 0 and column < width else 0
            source = (row * width + column) * channels
            for c in range(inside):
                patch[q + c] = src[source + c]
            for c in range(inside, padded):
                patch[q + c] = real(0.0)


def loops_of(taps: int) -> tuple[Kernel, ...]:
    """The kernels for 3 or 2 taps along an axis, of which a network mostly needs one: each is compiled by itself."""
    side = taps + 3
    of_input, of_guarded_input, of_output, of_gradient, of_weight, of_weight_gradient = TRANSFORMS[taps]

    @kernel
    def transform_weight(
        w: Real, packed: Real, work: Real, origin: int, at_f: int, at_c: int, at_r: int, at_s: int, features: int,
        channels: int, padded_c: int, stride: int, pitch: int, part: int, parts: int,
    ) -> None:  # fmt: skip
        """U = G g Gᵀ of weights of any strides, packed: (places, panels, phases, padded_c, width), zeros where there is no
        channel or feature."""
        some = offset(work, part * 9 * panel)
        panels = (features + panel - 1) // panel
        terms = stride * stride * padded_c
        start, stop = share(panels * terms, part, parts)
        for item in range(start, stop):
            first, term = (item // terms) * panel, item % terms
            phase, c = term // padded_c, term % padded_c
            count = min(panel, features - first)
            width = width_of(count)
            for i in range(9 * panel):
                some[i] = real(0.0)
            if c < channels:
                base = origin + first * at_f + c * at_c + (phase // stride) * at_r + (phase % stride) * at_s
                for j in range(count):  # the taps of a feature lie side by side
                    for r in range(taps):
                        for s in range(taps):
                            some[(r * taps + s) * panel + j] = w[base + j * at_f + (r * at_r + s * at_s) * stride]
            out = first * terms + term * width
            for j in range(0, width, lanes):
                of_weight(offset(some, j), taps * panel, panel, offset(packed, out + j), side * pitch, pitch)

    @helper(apart=True)
    def transform_input(src, at, y, x, height, width, channels, from_c, to_c, padded, stride, patch, zeros, out, pitch):
        """Bᵀ d B of n x n pixels ``stride`` apart from (y, x) on, channels ``from_c`` to ``to_c``; pixels outside are zeros."""
        count = to_c - from_c
        reach = (side - 1) * stride
        source = offset(src, at + (y * width + x) * channels + from_c)
        line, step = stride * width * channels, stride * channels
        if count != padded:
            fill_patch(offset(src, at + from_c), y, x, height, width, channels, count, padded, side, stride, patch)
            source, line, step = patch, side * padded, padded
        elif y < 0 or x < 0 or y + reach >= height or x + reach >= width:
            for c in range(0, padded, lanes):
                d, to = offset(source, c), offset(out, c)
                of_guarded_input(d, line, step, to, side * pitch, pitch, y, x, stride, height, width, zeros)
            return
        for c in range(0, padded, lanes):
            of_input(offset(source, c), line, step, offset(out, c), side * pitch, pitch)

    @helper(apart=True)
    def write_tile(source, pitch, to, line, step, rows, columns, features, padded, bias, floor, patch):
        """max(floor, Aᵀ m A + bias) of 4 x 4 pixels, of which ``rows`` x ``columns`` lie in the image."""
        whole = rows == 4 and columns == 4 and features == padded
        out, row, column = patch, 4 * padded, padded
        if whole:
            out, row, column = to, line, step
        for f in range(0, padded, lanes):
            of_output(offset(source, f), side * pitch, pitch, offset(out, f), row, column, offset(bias, f), floor)
        if not whole:
            for i in range(rows):
                for j in range(columns):
                    for f in range(features):
                        to[i * line + j * step + f] = patch[(i * 4 + j) * padded + f]

    @kernel
    def correlate(
        src: Real, packed: Real, bias: Real, dst: Real, work: Real, work_size: int, n: int, height: int, width: int,
        channels: int, padded_c: int, features: int, padded_f: int, stride: int, top: int, left: int, out_h: int, out_w: int,
        at_image: int, at_row: int, at_column: int, chunk: int, pitch_u: int, pitch_v: int, pitch_m: int, src_plane: int,
        dst_plane: int, least: float, part: int, parts: int,
    ) -> None:  # fmt: skip
        """dst[n, i, j, f] = max(least, bias[f] + Σ_r,s,c w[r, s, c, f] · src[n, i·stride + r − top, j·stride + s − left, c])"""
        tiles_h, tiles_w = (out_h + 3) // 4, (out_w + 3) // 4
        tiles = tiles_h * tiles_w
        places = side * side
        terms = stride * stride * padded_c
        v = offset(work, part * work_size)
        m = offset(v, places * pitch_v)
        patch = offset(m, places * pitch_m)
        zeros = offset(patch, places * max(padded_c, padded_f))
        for i in range(panel):
            zeros[i] = real(0.0)
        band = offset(zeros, 4 * lanes)
        out_band = offset(band, side * stride * width * channels if src_plane else 0)
        y0, y1, x0, x1 = 0, height, 0, width
        panels = (features + panel - 1) // panel
        floor = real(least)
        start, stop = share((n * tiles + chunk - 1) // chunk, part, parts)
        for item in range(start, stop):
            first = item * chunk
            count = min(chunk, n * tiles - first)
            for k in range(count):
                image, within = (first + k) // tiles, (first + k) % tiles
                i, j = within // tiles_w * 4, within % tiles_w * 4
                source = offset(src, image * height * width * channels)
                if src_plane:
                    if k == 0 or j == 0:
                        y0, y1 = span(i * stride - top, side * stride, height)
                        x0, x1 = span(j * stride - left, (min(tiles_w * 4 - j, (count - k) * 4) + taps - 1) * stride, width)
                        lay_band(source, src_plane, width, y0, y1 - y0, x0, x1 - x0, channels, band)
                    source = band
                for phase in range(stride * stride):
                    y, x = i * stride + phase // stride - top - y0, j * stride + phase % stride - left - x0
                    transform_input(
                        source, 0, y, x, y1 - y0, x1 - x0, channels, 0, channels, padded_c, stride, patch, zeros,
                        offset(v, k * terms + phase * padded_c), pitch_v,
                    )  # fmt: skip
            blocks = (count + tile_rows - 1) // tile_rows
            for place in range(places):
                for each in range(panels):
                    at_f = each * panel
                    step = width_of(min(panel, features - at_f))
                    b = offset(packed, place * pitch_u + at_f * terms)
                    for block in range(blocks):
                        begin, end = share(count, block, blocks)
                        a = offset(v, place * pitch_v + begin * terms)
                        c = offset(m, place * pitch_m + begin * padded_f + at_f)
                        tile(
                            end - begin, a, terms, 1, 0, b, step, zeros, 0, c, padded_f, terms, 1, step, real(-INFINITY),
                            real(INFINITY),
                        )  # fmt: skip
            from_j, to_j = 0, out_w
            for k in range(count):
                image, within = (first + k) // tiles, (first + k) % tiles
                i, j = within // tiles_w * 4, within % tiles_w * 4
                to, line, step = offset(dst, image * at_image + i * at_row + j * at_column), at_row, at_column
                if dst_plane:
                    if k == 0 or j == 0:
                        from_j, to_j = j, min(out_w, j + (count - k) * 4)
                    to, line, step = offset(out_band, (j - from_j) * features), (to_j - from_j) * features, features
                write_tile(
                    offset(m, k * padded_f), pitch_m, to, line, step, min(4, out_h - i), min(4, out_w - j), features, padded_f,
                    bias, floor, patch,
                )  # fmt: skip
                if dst_plane and (j + 4 >= to_j):
                    all_planes = offset(dst, image * features * dst_plane)
                    put_band(out_band, min(4, out_h - i), to_j - from_j, features, all_planes, dst_plane, out_w, i, from_j)

    @helper(apart=True)
    def transform_gradient(dy, i, j, out_h, out_w, features, padded_f, patch, out, pitch):
        """A dy Aᵀ of the 4 x 4 pixels from (i, j) on; pixels outside are zeros."""
        at = (i * out_w + j) * features
        source, line, step = offset(dy, at), out_w * features, features
        if i + 4 > out_h or j + 4 > out_w or features != padded_f:
            for di in range(4):
                for dj in range(4):
                    q = (di * 4 + dj) * padded_f
                    if i + di < out_h and j + dj < out_w:
                        for f in range(features):
                            patch[q + f] = dy[at + (di * out_w + dj) * features + f]
                        for f in range(features, padded_f):
                            patch[q + f] = real(0.0)
                    else:
                        for f in range(padded_f):
                            patch[q + f] = real(0.0)
            source, line, step = patch, 4 * padded_f, padded_f
        for f in range(0, padded_f, lanes):
            of_gradient(offset(source, f), line, step, offset(out, f), side * pitch, pitch)

    @kernel
    def weigh(
        x: Real, dy: Real, sums: Real, work: Real, work_size: int, n: int, height: int, width: int, channels: int,
        features: int, padded_f: int, stride: int, top: int, left: int, out_h: int, out_w: int, chunk: int, pitch_v: int,
        pitch_g: int, pitch_s: int, x_plane: int, dy_plane: int, by_channel: int, part: int, parts: int,
    ) -> None:  # fmt: skip
        """sums[(part,) places, phase, c, f] = Σ over tiles of (Bᵀ x B)[phase, c] · (A dy Aᵀ)[f] at each place.

        With ``by_channel`` a part takes some channels of all tiles, and there is one sum; else some of the tiles, and a sum of
        its own.
        """
        tiles_h, tiles_w = (out_h + 3) // 4, (out_w + 3) // 4
        tiles = tiles_h * tiles_w
        total = n * tiles
        c0, c1 = share(channels, part, parts) if by_channel else (0, channels)
        if c1 <= c0:
            return
        places, phases = side * side, stride * stride
        held = (c1 - c0 + lanes - 1) // lanes * lanes
        v = offset(work, part * work_size)
        g = offset(v, places * pitch_v)
        patch = offset(g, places * pitch_g)
        zeros = offset(patch, places * max(held, padded_f))
        for i in range(panel):
            zeros[i] = real(0.0)
        band = offset(zeros, 4 * lanes)
        dy_band = offset(band, side * stride * width * (c1 - c0) if x_plane else 0)
        y0, y1, x0, x1, from_j, to_j = 0, height, 0, width, 0, out_w
        apart, from_c = (c1 - c0, 0) if x_plane else (channels, c0)
        out = sums if by_channel else offset(sums, part * places * pitch_s)
        panels = (features + panel - 1) // panel
        begin_tile, stop = (0, total) if by_channel else share(total, part, parts)
        blocks = (c1 - c0 + tile_rows - 1) // tile_rows
        first = begin_tile
        while first < stop or first == begin_tile:  # once without any tile, for the sums to become 0
            count = min(chunk, stop - first)
            for k in range(count):
                image, within = (first + k) // tiles, (first + k) % tiles
                i, j = within // tiles_w * 4, within % tiles_w * 4
                source = offset(x, image * height * width * channels)
                if x_plane:
                    if k == 0 or j == 0:
                        y0, y1 = span(i * stride - top, side * stride, height)
                        x0, x1 = span(j * stride - left, (min(tiles_w * 4 - j, (count - k) * 4) + taps - 1) * stride, width)
                        lay_band(offset(source, c0 * x_plane), x_plane, width, y0, y1 - y0, x0, x1 - x0, apart, band)
                    source = band
                for phase in range(phases):
                    y, left_of = i * stride + phase // stride - top - y0, j * stride + phase % stride - left - x0
                    transform_input(
                        source, 0, y, left_of, y1 - y0, x1 - x0, apart, from_c, from_c + c1 - c0, held, stride, patch, zeros,
                        offset(v, (k * phases + phase) * held), pitch_v,
                    )  # fmt: skip
                source, row, rows = offset(dy, image * out_h * out_w * features), i, out_h
                if dy_plane:
                    if k == 0 or j == 0:
                        from_j, to_j = j, min(out_w, j + (count - k) * 4)
                        lay_band(source, dy_plane, out_w, i, min(4, out_h - i), from_j, to_j - from_j, features, dy_band)
                    source, row, rows = dy_band, 0, min(4, out_h - i)
                transform_gradient(
                    source, row, j - from_j, rows, to_j - from_j, features, padded_f, patch, offset(g, k * padded_f), pitch_g
                )
            for place in range(places):
                for each in range(panels):
                    at_f = each * panel
                    wide = width_of(min(panel, features - at_f))
                    b = offset(g, place * pitch_g + at_f)
                    for phase in range(phases):
                        for block in range(blocks):
                            begin, end = share(c1 - c0, block, blocks)
                            a = offset(v, place * pitch_v + phase * held + begin)
                            c = offset(out, place * pitch_s + (phase * channels + c0 + begin) * padded_f + at_f)
                            init, pitch = (zeros, 0) if first == begin_tile else (c, padded_f)
                            tile(
                                end - begin, a, 1, phases * held, 0, b, padded_f, init, pitch, c, padded_f, count, 1, wide,
                                real(-INFINITY), real(INFINITY),
                            )  # fmt: skip
            first += chunk

    @kernel
    def gather(
        sums: Real, dw: Real, work: Real, count: int, channels: int, features: int, padded_f: int, stride: int,
        pitch: int, part: int, parts: int,
    ) -> None:  # fmt: skip
        """dw[f, c, r, s] = Gᵀ (Σ of ``count`` sums) G of the phase of (r, s)."""
        places, phases, taken = side * side, stride * stride, taps * taps
        total = offset(work, part * (places + phases * taken) * panel)
        some = offset(total, places * panel)
        start, stop = share(channels, part, parts)
        for c in range(start, stop):
            for first in range(0, features, panel):
                width = min(panel, padded_f - first)
                for phase in range(phases):
                    for place in range(places):
                        source = place * pitch + (phase * channels + c) * padded_f + first
                        for f in range(width):
                            value = sums[source + f]
                            for k in range(1, count):
                                value += sums[k * places * pitch + source + f]
                            total[place * panel + f] = value
                    found = offset(some, phase * taken * panel)
                    for f in range(0, width, lanes):
                        of_weight_gradient(offset(total, f), side * panel, panel, offset(found, f), taps * panel, panel)
                for f in range(min(panel, features - first)):  # the taps of a feature lie side by side
                    to = ((first + f) * channels + c) * phases * taken
                    for phase in range(phases):
                        here = to + phase // stride * taps * stride + phase % stride
                        for r in range(taps):
                            for s in range(taps):
                                tap = (phase * taps + r) * taps + s
                                dw[here + (r * taps * stride + s) * stride] = some[tap * panel + f]

    return transform_weight, correlate, weigh, gather


_BY_TAPS = {taps: loops_of(taps) for taps in TRANSFORMS}
TRANSFORM_WEIGHT, CORRELATE, WEIGH, GATHER = ({taps: each[place] for taps, each in _BY_TAPS.items()} for place in range(4))
"""Taps -> the kernel."""
