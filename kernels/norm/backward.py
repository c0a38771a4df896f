"""The compiled passes over images of ``cpu.py`` on the way back: the sums of each channel, then dx. See ``passes.py``."""

from __future__ import annotations

from minigrad.kernels.native import Doubles, Real, choose, fma, helper, kernel, offset, real, share, square_root
from minigrad.kernels.norm.passes import CHUNK, LANES, PLACES, folded, forward_line, repeats_of, tiled, whole_lines


@helper
def gated(g, far, lines, i):
    """g where relu let w·n + b pass, else 0; ``far`` is x − origin."""
    return choose(fma(far, lines[LANES + i], lines[2 * LANES + i]) <= real(0.0), real(0.0), g)


@helper(apart=True)
def add_products(dy, x, y, kept, lines, sums, width, gate):
    """One line into Σ g and Σ g·(x − origin). The gate: 0 is open, 1 is computed from x, 2 is read from y, and g is kept."""
    if gate == 0:
        for i in range(width):
            sums[i] += 0.0 + dy[i]
            sums[LANES + i] += 0.0 + dy[i] * (x[i] - lines[i])
    elif gate == 1:
        for i in range(width):
            far = x[i] - lines[i]
            g = gated(dy[i], far, lines, i)
            sums[i] += 0.0 + g
            sums[LANES + i] += 0.0 + g * far
    else:
        for i in range(width):
            g = choose(y[i] <= real(0.0), real(0.0), dy[i])
            kept[i] = g
            sums[i] += 0.0 + g
            sums[LANES + i] += 0.0 + g * (x[i] - lines[i])


@helper(apart=True)
def add_four_products(dy, x, lines, sums, gate):
    """Four whole lines, where no g is kept."""
    if gate == 0:
        for i in range(LANES):
            origin = lines[i]
            e, f, g, h = dy[i], dy[LANES + i], dy[2 * LANES + i], dy[3 * LANES + i]
            a, b = x[i] - origin, x[LANES + i] - origin
            c, d = x[2 * LANES + i] - origin, x[3 * LANES + i] - origin
            sums[i] += 0.0 + ((e + f) + (g + h))
            sums[LANES + i] += 0.0 + (fma(e, a, f * b) + fma(g, c, h * d))
    else:
        for i in range(LANES):
            origin = lines[i]
            a, b = x[i] - origin, x[LANES + i] - origin
            c, d = x[2 * LANES + i] - origin, x[3 * LANES + i] - origin
            e, f = gated(dy[i], a, lines, i), gated(dy[LANES + i], b, lines, i)
            g, h = gated(dy[2 * LANES + i], c, lines, i), gated(dy[3 * LANES + i], d, lines, i)
            sums[i] += 0.0 + ((e + f) + (g + h))
            sums[LANES + i] += 0.0 + (fma(e, a, f * b) + fma(g, c, h * d))


@kernel
def products(
    dy: Real, x: Real, y: Real, kept: Real, mean: Doubles, var: Doubles, w: Real, b: Real, work: Real, sums: Doubles,
    out: Doubles, eps: float, samples: int, pixels: int, channels: int, groups: int, has_w: int, has_b: int, gate: int,
    part: int, parts: int,
) -> None:  # fmt: skip
    """Σ g and Σ g·(x − high) of each channel, of each sample's pixels, or of each part's where there is one sample."""
    repeats = repeats_of(channels)
    pitch = repeats * channels
    lines, sums = offset(work, part * PLACES * LANES), offset(sums, part * PLACES * LANES)
    begin, end = 0, 1
    start, stop = share(pixels, part, parts)
    if samples != 1:
        begin, end = share(samples, part, parts)
        start, stop = 0, pixels
    whole = (stop - start) // repeats
    for sample in range(begin, end):
        for first in range(0, channels, LANES):
            count = min(LANES, channels - first)
            width = count * repeats
            at = sample * groups
            forward_line(
                lines, offset(mean, at), offset(var, at), w, b, has_w, has_b, eps, first, count, width, channels // groups
            )
            for i in range(2 * LANES):
                sums[i] = 0.0
            at = (sample * pixels + start) * channels + first
            line = 0
            while gate < 2 and whole_lines(width, pitch) and line + 3 < whole:
                here = at + line * LANES
                add_four_products(offset(dy, here), offset(x, here), lines, sums, gate)
                line += 4
            while line <= whole:
                here = at + line * pitch
                size = width if line < whole else (stop - start - whole * repeats) * count
                add_products(offset(dy, here), offset(x, here), offset(y, here), offset(kept, here), lines, sums, size, gate)
                line += 1
            to = (part if samples == 1 else sample) * 2 * channels + first
            for i in range(count):
                out[to + i] = folded(sums, count, width, i)
                out[to + channels + i] = folded(offset(sums, LANES), count, width, i)


@helper
def rest_of(m):
    """What is beyond the first of the two numbers that a mean is split in."""
    rest = m - real(m)
    return choose(rest == rest, rest, 0.0)


@helper(apart=True)
def along_of(found, mean, var, eps, units, channels, size, pixels, c):
    """Σ g and Σ g·n of a sample's channel; of no values, whose deviation is NaN, 0."""
    total, product = 0.0, 0.0
    for unit in range(units):
        total += found[unit * 2 * channels + c]
        product += found[unit * 2 * channels + channels + c]
    if pixels == 0:
        return total, 0.0
    group = c // size
    return total, (product - rest_of(mean[group]) * total) / square_root(var[group] + eps)


@helper(apart=True)
def affine_gradients(found, mean, var, dw, db, eps, samples, units, pixels, channels, groups):
    """dw and db: the sums over all samples."""
    for c in range(channels):
        by_w, by_b = 0.0, 0.0
        for sample in range(samples):
            at = sample * groups
            total, along = along_of(
                offset(found, sample * units * 2 * channels), offset(mean, at), offset(var, at), eps, units, channels,
                channels // groups, pixels, c,
            )  # fmt: skip
            by_w += along
            by_b += total
        dw[c], db[c] = real(by_w), real(by_b)


@helper(apart=True)
def slopes_of(found, mean, var, w, slopes, eps, units, pixels, channels, groups, has_w):
    """dx = g·scale − (x − high)·slope + offset of a sample's channels: (3, C)."""
    size = channels // groups
    count = float(pixels * size)
    for group in range(groups):
        level, slope = 0.0, 0.0
        for c in range(group * size, (group + 1) * size):
            total, along = along_of(found, mean, var, eps, units, channels, size, pixels, c)
            scale = 1.0
            if has_w:
                scale = 0.0 + w[c]
            level += total * scale
            slope += along * scale
        rstd = 1.0 / square_root(var[group] + eps)
        slope = slope / count * rstd * rstd
        rest = rest_of(mean[group])
        back = choose(rest * rest > 0.0, slope * rest, 0.0)  # 0 also where the slope is infinite
        back = back - level / count * rstd
        for c in range(group * size, (group + 1) * size):
            scale = rstd
            if has_w:
                scale = rstd * w[c]
            slopes[c] = real(scale)
            slopes[channels + c] = real(slope)
            slopes[2 * channels + c] = real(back)


@helper
def gradient_at(g, far, lines, i, gate):
    """dx of one number."""
    if gate == 1:
        g = gated(g, far, lines, i)
    return fma(g, lines[3 * LANES + i], fma(far, -lines[4 * LANES + i], lines[5 * LANES + i]))


@helper(apart=True)
def write_line(dy, x, dx, lines, width, gate):
    if gate == 1:
        for i in range(width):
            dx[i] = gradient_at(dy[i], x[i] - lines[i], lines, i, 1)
    else:
        for i in range(width):
            dx[i] = gradient_at(dy[i], x[i] - lines[i], lines, i, 0)


@helper(apart=True)
def write_four(dy, x, dx, lines, gate):
    """Four whole lines, which share what is read of ``lines``."""
    if gate == 1:
        for i in range(LANES):
            origin = lines[i]
            dx[i] = gradient_at(dy[i], x[i] - origin, lines, i, 1)
            dx[LANES + i] = gradient_at(dy[LANES + i], x[LANES + i] - origin, lines, i, 1)
            dx[2 * LANES + i] = gradient_at(dy[2 * LANES + i], x[2 * LANES + i] - origin, lines, i, 1)
            dx[3 * LANES + i] = gradient_at(dy[3 * LANES + i], x[3 * LANES + i] - origin, lines, i, 1)
    else:
        for i in range(LANES):
            origin = lines[i]
            dx[i] = gradient_at(dy[i], x[i] - origin, lines, i, 0)
            dx[LANES + i] = gradient_at(dy[LANES + i], x[LANES + i] - origin, lines, i, 0)
            dx[2 * LANES + i] = gradient_at(dy[2 * LANES + i], x[2 * LANES + i] - origin, lines, i, 0)
            dx[3 * LANES + i] = gradient_at(dy[3 * LANES + i], x[3 * LANES + i] - origin, lines, i, 0)


@kernel
def write_gradient(
    dy: Real, x: Real, dx: Real, dw: Real, db: Real, mean: Doubles, var: Doubles, w: Real, b: Real, found: Doubles,
    slopes: Real, work: Real, eps: float, samples: int, units: int, pixels: int, channels: int, groups: int, has_w: int,
    has_b: int, gate: int, part: int, parts: int,
) -> None:  # fmt: skip
    """dx, and by the first part dw and db."""
    if part == 0:
        affine_gradients(found, mean, var, dw, db, eps, samples, units, pixels, channels, groups)
    slopes = offset(slopes, part * 3 * channels)
    repeats = repeats_of(channels)
    pitch = repeats * channels
    lines = offset(work, part * PLACES * LANES)
    begin, end = 0, 1
    start, stop = share(pixels, part, parts)
    if samples != 1:
        begin, end = share(samples, part, parts)
        start, stop = 0, pixels
    whole = (stop - start) // repeats
    for sample in range(begin, end):
        at = sample * groups
        slopes_of(
            offset(found, sample * units * 2 * channels), offset(mean, at), offset(var, at), w, slopes, eps, units, pixels,
            channels, groups, has_w,
        )  # fmt: skip
        for first in range(0, channels, LANES):
            count = min(LANES, channels - first)
            width = count * repeats
            at = sample * groups
            forward_line(
                lines, offset(mean, at), offset(var, at), w, b, has_w, has_b, eps, first, count, width, channels // groups
            )
            for place in range(3):
                line = offset(lines, (3 + place) * LANES)
                for i in range(count):
                    line[i] = slopes[place * channels + first + i]
                tiled(line, count, width)
            at = (sample * pixels + start) * channels + first
            for back in range(whole // CHUNK + 1):
                line = (whole // CHUNK - back) * CHUNK
                last = min(line + CHUNK, whole + 1)
                while whole_lines(width, pitch) and line + 3 < last and line + 3 < whole:
                    here = at + line * LANES
                    write_four(offset(dy, here), offset(x, here), offset(dx, here), lines, gate)
                    line += 4
                while line < last:
                    here = at + line * pitch
                    size = width if line < whole else (stop - start - whole * repeats) * count
                    write_line(offset(dy, here), offset(x, here), offset(dx, here), lines, size, gate)
                    line += 1
