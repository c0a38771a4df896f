"""The compiled passes of ``cpu.py``: over images, a table of pixels with channels innermost, and over rows.

A pass works on *lines* of up to ``LANES`` numbers: several pixels where channels are few, a slice of one pixel where they are
many. What is the same for all pixels of a channel stands in memory as a line too, so that the inner loop is one of whole
vectors. Such lines are ``LANES`` apart: the compiler then sees at a glance that they do not overlap.

Sums are in float64, of differences from a number near the mean: that of the part's first pixel, or the mean itself.
"""

from __future__ import annotations

from minigrad.kernels.native import Doubles, Real, choose, fma, helper, kernel, offset, real, share, square_root

LANES = 256
CHUNK = 64  # lines of a second pass that are worked on at a time, those first that the first pass came to last
PLACES = 6  # lines of a part's scratch memory


@helper
def repeats_of(channels):
    """How many pixels make a line."""
    return LANES // channels if channels <= LANES else 1


@helper
def whole_lines(width, pitch):
    """Whether lines have ``LANES`` numbers and no gaps: several are then worked on at once."""
    return width == LANES and pitch == LANES


@helper
def tiled(line, count, width):
    """Repeat a line's first ``count`` numbers up to ``width``."""
    for i in range(count, width):
        line[i] = line[i - count]


@helper
def folded(line, count, width, at):
    """The sum of every ``count``-th number from ``at`` on."""
    total = 0.0
    for i in range(at, width, count):
        total += line[i]
    return total


@helper
def finite_or_0(v):
    return choose(v - v == real(0.0), v, real(0.0))


@helper
def forward_line(lines, mean, var, w, b, has_w, has_b, eps, first, count, width, size):
    """Origin, slope and offset of channels ``first`` and on: w·n + b = (x − origin)·slope + offset."""
    for i in range(count):
        m = mean[(first + i) // size]
        slope = 1.0 / square_root(var[(first + i) // size] + eps)
        if has_w:
            slope = slope * w[first + i]
        high = real(m)
        rest = m - high
        shift = choose(rest == rest, -rest, 0.0) * slope
        if has_b:
            shift = shift + b[first + i]
        lines[i] = high
        lines[LANES + i] = real(slope)
        lines[2 * LANES + i] = real(shift)
    for place in range(3):
        tiled(offset(lines, place * LANES), count, width)


# ---------------------------------------------------------------------- statistics


@helper
def add_four(x, work):
    """Four whole lines into the sums."""
    for i in range(LANES):
        origin = work[i]
        a, b = x[i] - origin, x[LANES + i] - origin
        c, d = x[2 * LANES + i] - origin, x[3 * LANES + i] - origin
        work[LANES + i] += (a + b) + (c + d)
        work[2 * LANES + i] += (a * a + b * b) + (c * c + d * d)


@helper
def add_one(x, work, width):
    for i in range(width):
        a = x[i] - work[i]
        work[LANES + i] += a
        work[2 * LANES + i] += a * a


@helper
def moments_of(x, pixels, channels, work, out):
    """An origin, Σ (x − origin) and Σ (x − origin)² of each channel over some pixels."""
    repeats = repeats_of(channels)
    pitch = repeats * channels
    lines = pixels // repeats
    for first in range(0, channels, LANES):
        count = min(LANES, channels - first)
        width = count * repeats
        for i in range(count):
            work[i] = finite_or_0(x[first + i]) if pixels > 0 else real(0.0)
        tiled(work, count, width)
        for i in range(LANES, 3 * LANES):
            work[i] = 0.0
        line = 0
        while whole_lines(width, pitch) and line + 3 < lines:
            add_four(offset(x, line * LANES), work)
            line += 4
        while line < lines:
            add_one(offset(x, line * pitch + first), work, width)
            line += 1
        add_one(offset(x, lines * pitch + first), work, (pixels - lines * repeats) * count)
        for i in range(count):
            out[first + i] = work[i]
            out[channels + first + i] = folded(offset(work, LANES), count, width, i)
            out[2 * channels + first + i] = folded(offset(work, 2 * LANES), count, width, i)


@kernel
def moments(x: Real, work: Doubles, out: Doubles, samples: int, pixels: int, channels: int, part: int, parts: int) -> None:
    """Of each sample's pixels, or of each part's where there is one sample: (units, 3, C)."""
    if samples == 1:
        start, stop = share(pixels, part, parts)
        moments_of(
            offset(x, start * channels), stop - start, channels, offset(work, part * PLACES * LANES),
            offset(out, part * 3 * channels),
        )  # fmt: skip
    else:
        begin, end = share(samples, part, parts)
        for sample in range(begin, end):
            moments_of(
                offset(x, sample * pixels * channels), pixels, channels, offset(work, part * PLACES * LANES),
                offset(out, sample * 3 * channels),
            )  # fmt: skip


@kernel
def merge(
    found: Doubles, mean: Doubles, var: Doubles, samples: int, units: int, pixels: int, channels: int, groups: int, part: int,
    parts: int,
) -> None:  # fmt: skip
    """Mean and variance of each sample's groups, from the moments of the ``units`` shares of its pixels.

    The variance of all is the mean of the units' and channels' own variances and of their means' squared distances.
    """
    size = channels // groups
    whole = float(pixels * size)
    for sample in range(samples):
        for group in range(groups):
            total = 0.0
            for unit in range(units):
                start, stop = share(pixels, unit, units)
                for c in range(group * size, (group + 1) * size):
                    at = (sample * units + unit) * 3 * channels + c
                    total += found[at] * (stop - start) + found[at + channels]
            middle = total / whole
            total = 0.0
            for unit in range(units):
                start, stop = share(pixels, unit, units)
                count = float(stop - start)
                for c in range(group * size, (group + 1) * size):
                    at = (sample * units + unit) * 3 * channels + c
                    if stop > start:
                        distance = found[at + channels] / count
                        inside = found[at + 2 * channels] - found[at + channels] * distance
                        distance = (found[at] - middle) + distance
                        total += inside + count * distance * distance
            mean[sample * groups + group] = middle
            total = total / whole
            var[sample * groups + group] = choose(total < 0.0, 0.0, total)


# ---------------------------------------------------------------------- forward


@helper
def rectified(v, relu):
    """v, or with ``relu`` 0 where v <= 0; NaN stays."""
    return choose((v <= real(0.0)) & (relu != 0), real(0.0), v)


@helper
def apply_line(x, residual, y, lines, width, add, relu):
    if add:
        for i in range(width):
            y[i] = rectified(fma(x[i] - lines[i], lines[LANES + i], lines[2 * LANES + i]) + residual[i], relu)
    else:
        for i in range(width):
            y[i] = rectified(fma(x[i] - lines[i], lines[LANES + i], lines[2 * LANES + i]), relu)


@helper
def apply_four(x, residual, y, lines, add, relu):
    """Four whole lines, which share what is read of ``lines``."""
    if add:
        for i in range(LANES):
            origin, slope, shift = lines[i], lines[LANES + i], lines[2 * LANES + i]
            a = fma(x[i] - origin, slope, shift) + residual[i]
            b = fma(x[LANES + i] - origin, slope, shift) + residual[LANES + i]
            c = fma(x[2 * LANES + i] - origin, slope, shift) + residual[2 * LANES + i]
            d = fma(x[3 * LANES + i] - origin, slope, shift) + residual[3 * LANES + i]
            y[i] = rectified(a, relu)
            y[LANES + i] = rectified(b, relu)
            y[2 * LANES + i] = rectified(c, relu)
            y[3 * LANES + i] = rectified(d, relu)
    else:
        for i in range(LANES):
            origin, slope, shift = lines[i], lines[LANES + i], lines[2 * LANES + i]
            y[i] = rectified(fma(x[i] - origin, slope, shift), relu)
            y[LANES + i] = rectified(fma(x[LANES + i] - origin, slope, shift), relu)
            y[2 * LANES + i] = rectified(fma(x[2 * LANES + i] - origin, slope, shift), relu)
            y[3 * LANES + i] = rectified(fma(x[3 * LANES + i] - origin, slope, shift), relu)


@kernel
def normalize(
    x: Real, mean: Doubles, var: Doubles, w: Real, b: Real, residual: Real, y: Real, work: Real, eps: float, samples: int,
    pixels: int, channels: int, groups: int, has_w: int, has_b: int, add: int, relu: int, part: int, parts: int,
) -> None:  # fmt: skip
    """y = w·n + b, with what follows."""
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
        for first in range(0, channels, LANES):
            count = min(LANES, channels - first)
            width = count * repeats
            at = sample * groups
            forward_line(
                lines, offset(mean, at), offset(var, at), w, b, has_w, has_b, eps, first, count, width, channels // groups
            )
            at = (sample * pixels + start) * channels + first
            for back in range(whole // CHUNK + 1):
                line = (whole // CHUNK - back) * CHUNK
                last = min(line + CHUNK, whole + 1)
                while whole_lines(width, pitch) and line + 3 < last and line + 3 < whole:
                    here = at + line * LANES
                    apply_four(offset(x, here), offset(residual, here), offset(y, here), lines, add, relu)
                    line += 4
                while line < last:
                    here = at + line * pitch
                    size = width if line < whole else (stop - start - whole * repeats) * count
                    apply_line(offset(x, here), offset(residual, here), offset(y, here), lines, size, add, relu)
                    line += 1


# ---------------------------------------------------------------------- backward


@helper
def add_products(dy, x, y, kept, lines, sums, width, gate):
    """One line into Σ g and Σ g·(x − origin). The gate: 0 is open, 1 is computed from x, 2 is read from y, and g is kept."""
    if gate == 0:
        for i in range(width):
            g = 0.0 + dy[i]
            sums[i] += g
            sums[LANES + i] += g * (x[i] - lines[i])
    elif gate == 1:
        for i in range(width):
            far = x[i] - lines[i]
            z = fma(far, lines[LANES + i], lines[2 * LANES + i])
            g = 0.0 + choose(z <= real(0.0), real(0.0), dy[i])
            sums[i] += g
            sums[LANES + i] += g * far
    else:
        for i in range(width):
            v = choose(y[i] <= real(0.0), real(0.0), dy[i])
            kept[i] = v
            g = 0.0 + v
            sums[i] += g
            sums[LANES + i] += g * (x[i] - lines[i])


@helper
def add_two_products(dy, x, lines, sums, gate):
    """Two whole lines, where no g is kept."""
    if gate == 0:
        for i in range(LANES):
            origin = lines[i]
            g, h = 0.0 + dy[i], 0.0 + dy[LANES + i]
            sums[i] += g + h
            sums[LANES + i] += g * (x[i] - origin) + h * (x[LANES + i] - origin)
    else:
        for i in range(LANES):
            origin, slope, shift = lines[i], lines[LANES + i], lines[2 * LANES + i]
            a, b = x[i] - origin, x[LANES + i] - origin
            g = 0.0 + choose(fma(a, slope, shift) <= real(0.0), real(0.0), dy[i])
            h = 0.0 + choose(fma(b, slope, shift) <= real(0.0), real(0.0), dy[LANES + i])
            sums[i] += g + h
            sums[LANES + i] += g * a + h * b


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
            while gate < 2 and whole_lines(width, pitch) and line + 1 < whole:
                here = at + line * LANES
                add_two_products(offset(dy, here), offset(x, here), lines, sums, gate)
                line += 2
            while line <= whole:
                here = at + line * pitch
                size = width if line < whole else (stop - start - whole * repeats) * count
                add_products(offset(dy, here), offset(x, here), offset(y, here), offset(kept, here), lines, sums, size, gate)
                line += 1
            to = (part if samples == 1 else sample) * 2 * channels + first
            for i in range(count):
                out[to + i] = folded(sums, count, width, i)
                out[to + channels + i] = folded(offset(sums, LANES), count, width, i)


@kernel
def factors(
    found: Doubles, mean: Doubles, var: Doubles, w: Real, dw: Real, db: Real, slopes: Real, work: Doubles, eps: float,
    samples: int, units: int, pixels: int, channels: int, groups: int, has_w: int, part: int, parts: int,
) -> None:  # fmt: skip
    """dw and db, and dx = g·scale − (x − high)·slope + offset of each sample's channels: (S, 3, C)."""
    size = channels // groups
    sums, along = work, offset(work, channels)
    for c in range(channels):
        work[2 * channels + c] = 0.0
        work[3 * channels + c] = 0.0
    for sample in range(samples):
        for c in range(channels):
            at = sample * groups + c // size
            total, product = 0.0, 0.0
            for unit in range(units):
                place = (sample * units + unit) * 2 * channels + c
                total += found[place]
                product += found[place + channels]
            m = mean[at]
            rest = m - real(m)
            rest = choose(rest == rest, rest, 0.0)
            sums[c] = total
            along[c] = 0.0  # of no values, whose deviation is NaN
            if pixels > 0:
                along[c] = (product - rest * total) / square_root(var[at] + eps)
            work[2 * channels + c] += along[c]
            work[3 * channels + c] += total
        for group in range(groups):
            level, slope = 0.0, 0.0
            for c in range(group * size, (group + 1) * size):
                scale = 1.0
                if has_w:
                    scale = 0.0 + w[c]
                level += sums[c] * scale
                slope += along[c] * scale
            at = sample * groups + group
            rstd = 1.0 / square_root(var[at] + eps)
            slope = slope / float(pixels * size) * rstd * rstd
            m = mean[at]
            rest = m - real(m)
            back = choose(rest * rest > 0.0, slope * rest, 0.0)  # 0 also where the slope is infinite
            back = back - level / float(pixels * size) * rstd
            for c in range(group * size, (group + 1) * size):
                scale = rstd
                if has_w:
                    scale = rstd * w[c]
                to = sample * 3 * channels + c
                slopes[to] = real(scale)
                slopes[to + channels] = real(slope)
                slopes[to + 2 * channels] = real(back)
    for c in range(channels):
        dw[c] = real(work[2 * channels + c])
        db[c] = real(work[3 * channels + c])


@helper
def gradient_at(g, far, lines, i, gate):
    """dx of one number."""
    if gate == 1:
        g = choose(fma(far, lines[LANES + i], lines[2 * LANES + i]) <= real(0.0), real(0.0), g)
    return fma(g, lines[3 * LANES + i], fma(far, -lines[4 * LANES + i], lines[5 * LANES + i]))


@helper
def write_line(dy, x, dx, lines, width, gate):
    if gate == 1:
        for i in range(width):
            dx[i] = gradient_at(dy[i], x[i] - lines[i], lines, i, 1)
    else:
        for i in range(width):
            dx[i] = gradient_at(dy[i], x[i] - lines[i], lines, i, 0)


@helper
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
    dy: Real, x: Real, dx: Real, mean: Doubles, var: Doubles, w: Real, b: Real, slopes: Real, work: Real, eps: float,
    samples: int, pixels: int, channels: int, groups: int, has_w: int, has_b: int, gate: int, part: int, parts: int,
) -> None:  # fmt: skip
    """dx."""
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
                    line[i] = slopes[(sample * 3 + place) * channels + first + i]
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
