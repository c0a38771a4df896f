"""The compiled passes over images of ``cpu.py``, tables of pixels with channels innermost: statistics, and forward.

A pass works on *lines* of up to ``LANES`` numbers: several pixels where channels are few, a slice of one pixel where they are
many. What is the same for all pixels of a channel stands in memory as a line too, so that the inner loop is one of whole
vectors. Such lines are ``LANES`` apart: the compiler then sees at a glance that they do not overlap.

Sums are in float64, of differences from a number near the mean: the mean of the part's first pixels, or that of all. Up to
four differences, squares or products are added in the dtype of x before, since conversion takes as long as all else: their
rounding is that of a few terms, whatever their number is.
"""

from __future__ import annotations

from minigrad.kernels.native import Doubles, Real, choose, fma, helper, kernel, offset, real, share, square_root

LANES = 256
CHUNK = 64  # lines of a second pass that are worked on at a time, those first that the first pass came to last
FIRST = 16  # pixels whose mean is near that of all
PLACES = 6  # lines of a part's scratch memory


@helper
def repeats_of(channels):
    """How many pixels make a line."""
    return LANES // channels if channels <= LANES else 1


@helper
def whole_lines(width, pitch):
    """Whether lines have ``LANES`` numbers and no gaps: several are then worked on at once."""
    return width == LANES and pitch == LANES


@helper(apart=True)
def tiled(line, count, width):
    """Repeat a line's first ``count`` numbers up to ``width``."""
    for i in range(count, width):
        line[i] = line[i - count]


@helper(apart=True)
def folded(line, count, width, at):
    """The sum of every ``count``-th number from ``at`` on."""
    total = 0.0
    for i in range(at, width, count):
        total += line[i]
    return total


@helper
def finite_or_0(v):
    return choose(v - v == real(0.0), v, real(0.0))


@helper(apart=True)
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


@helper(apart=True)
def add_four(x, origins, sums):
    """Four whole lines into the sums."""
    for i in range(LANES):
        origin = origins[i]
        a, b = x[i] - origin, x[LANES + i] - origin
        c, d = x[2 * LANES + i] - origin, x[3 * LANES + i] - origin
        sums[i] += 0.0 + ((a + b) + (c + d))
        sums[LANES + i] += 0.0 + (fma(a, a, b * b) + fma(c, c, d * d))


@helper(apart=True)
def add_one(x, origins, sums, width):
    for i in range(width):
        a = x[i] - origins[i]
        sums[i] += 0.0 + a
        sums[LANES + i] += 0.0 + a * a


@helper
def near_mean(x, pixels, channels):
    """The mean of a channel's first pixels; 0 if that is not finite."""
    count = min(pixels, FIRST)
    total = 0.0
    for pixel in range(count):
        total += x[pixel * channels]
    return finite_or_0(real(total / max(count, 1)))


@helper(apart=True)
def moments_of(x, pixels, channels, origins, sums, out):
    """An origin, Σ (x − origin) and Σ (x − origin)² of each channel over some pixels."""
    repeats = repeats_of(channels)
    pitch = repeats * channels
    lines = pixels // repeats
    for first in range(0, channels, LANES):
        count = min(LANES, channels - first)
        width = count * repeats
        for i in range(count):
            origins[i] = near_mean(offset(x, first + i), pixels, channels)
        tiled(origins, count, width)
        for i in range(2 * LANES):
            sums[i] = 0.0
        line = 0
        while whole_lines(width, pitch) and line + 3 < lines:
            add_four(offset(x, line * LANES), origins, sums)
            line += 4
        while line < lines:
            add_one(offset(x, line * pitch + first), origins, sums, width)
            line += 1
        add_one(offset(x, lines * pitch + first), origins, sums, (pixels - lines * repeats) * count)
        for i in range(count):
            out[first + i] = origins[i]
            out[channels + first + i] = folded(sums, count, width, i)
            out[2 * channels + first + i] = folded(offset(sums, LANES), count, width, i)


@helper(apart=True)
def merge_units(found, mean, var, units, pixels, channels, groups):
    """Mean and variance of a sample's groups, from the moments of the ``units`` shares of its pixels.

    The variance of all is the mean of the units' and channels' own variances and of their means' squared distances.
    """
    size = channels // groups
    whole = float(pixels * size)
    for group in range(groups):
        total = 0.0
        for unit in range(units):
            start, stop = share(pixels, unit, units)
            for c in range(group * size, (group + 1) * size):
                at = unit * 3 * channels + c
                total += found[at] * (stop - start) + found[at + channels]
        middle = total / whole
        total = 0.0
        for unit in range(units):
            start, stop = share(pixels, unit, units)
            count = float(stop - start)
            for c in range(group * size, (group + 1) * size):
                at = unit * 3 * channels + c
                if stop > start:
                    distance = found[at + channels] / count
                    inside = found[at + 2 * channels] - found[at + channels] * distance
                    distance = (found[at] - middle) + distance
                    total += inside + count * distance * distance
        mean[group] = middle
        total = total / whole
        var[group] = choose(total < 0.0, 0.0, total)


@kernel
def moments(
    x: Real, work: Real, sums: Doubles, found: Doubles, mean: Doubles, var: Doubles, samples: int, pixels: int, channels: int,
    groups: int, part: int, parts: int,
) -> None:  # fmt: skip
    """Mean and variance of each sample's groups; of one sample that parts share, its parts' moments: (parts, 3, C)."""
    origins, sums, found = (
        offset(work, part * PLACES * LANES),
        offset(sums, part * PLACES * LANES),
        offset(found, part * 3 * channels),
    )
    if samples == 1 and parts > 1:
        start, stop = share(pixels, part, parts)
        moments_of(offset(x, start * channels), stop - start, channels, origins, sums, found)
        return
    begin, end = share(samples, part, parts)
    for sample in range(begin, end):
        moments_of(offset(x, sample * pixels * channels), pixels, channels, origins, sums, found)
        at = sample * groups
        merge_units(found, offset(mean, at), offset(var, at), 1, pixels, channels, groups)


@kernel
def merge(
    found: Doubles, mean: Doubles, var: Doubles, units: int, pixels: int, channels: int, groups: int, part: int, parts: int
) -> None:
    """Mean and variance of a sample that parts shared."""
    merge_units(found, mean, var, units, pixels, channels, groups)


# ---------------------------------------------------------------------- forward


@helper
def rectified(v, relu):
    """v, or with ``relu`` 0 where v <= 0; NaN stays."""
    return choose((v <= real(0.0)) & (relu != 0), real(0.0), v)


@helper(apart=True)
def apply_line(x, residual, y, lines, width, add, relu):
    if add:
        for i in range(width):
            y[i] = rectified(fma(x[i] - lines[i], lines[LANES + i], lines[2 * LANES + i]) + residual[i], relu)
    else:
        for i in range(width):
            y[i] = rectified(fma(x[i] - lines[i], lines[LANES + i], lines[2 * LANES + i]), relu)


@helper(apart=True)
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
