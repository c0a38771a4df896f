"""The compiled loops of ``cpu.py``. Images lie N H W C in memory; a window is (first row, rows) by (first column, columns).

``rows`` and ``columns`` hold these pairs for each row and column of the output, so that sliding and adaptive windows are the
same; ``step_h`` and ``step_w`` are the distances of a window's pixels.
"""

from __future__ import annotations

from minigrad.kernels.native import Doubles, Ints, Real, choose, kernel, real, share


@kernel
def greatest(
    x: Real, y: Real, indices: Ints, rows: Ints, columns: Ints, step_h: int, step_w: int, n: int, height: int, width: int,
    channels: int, out_h: int, out_w: int, part: int, parts: int,
) -> None:  # fmt: skip
    """The maximum of each window and the number of its pixel; of equal ones the first, of nan the last."""
    start, stop = share(n * out_h, part, parts)
    for item in range(start, stop):
        image, i = item // out_h, item % out_h
        top, down = rows[2 * i], rows[2 * i + 1]
        for j in range(out_w):
            left, right = columns[2 * j], columns[2 * j + 1]
            out = (item * out_w + j) * channels
            for k in range(down):
                for m in range(right):
                    place = (top + k * step_h) * width + left + m * step_w
                    source = (image * height * width + place) * channels
                    if k == 0 and m == 0:
                        for c in range(channels):
                            y[out + c] = x[source + c]
                            indices[out + c] = place
                    else:
                        for c in range(channels):
                            value, best = x[source + c], y[out + c]
                            more = (value > best) | (value != value)
                            y[out + c] = choose(more, value, best)
                            indices[out + c] = choose(more, place, indices[out + c])


@kernel
def scatter(
    dy: Real, indices: Ints, dx: Real, n: int, pixels: int, out_pixels: int, channels: int, part: int, parts: int
) -> None:
    """dx at each index += dy, and 0 elsewhere. A part has whole images."""
    start, stop = share(n, part, parts)
    for image in range(start, stop):
        base = image * pixels * channels
        for i in range(pixels * channels):
            dx[base + i] = real(0.0)
        for j in range(out_pixels):
            source = (image * out_pixels + j) * channels
            for c in range(channels):
                place = base + indices[source + c] * channels + c
                dx[place] = dx[place] + dy[source + c]


@kernel
def gather(x: Real, indices: Ints, y: Real, n: int, pixels: int, out_pixels: int, channels: int, part: int, parts: int) -> None:
    """y = x at each index."""
    start, stop = share(n * out_pixels, part, parts)
    for item in range(start, stop):
        base = item // out_pixels * pixels * channels
        for c in range(channels):
            y[item * channels + c] = x[base + indices[item * channels + c] * channels + c]


@kernel
def average(
    x: Real, y: Real, divisors: Doubles, rows: Ints, columns: Ints, n: int, height: int, width: int, channels: int, out_h: int,
    out_w: int, part: int, parts: int,
) -> None:  # fmt: skip
    """The sum of each window over its divisor."""
    start, stop = share(n * out_h, part, parts)
    for item in range(start, stop):
        image, i = item // out_h, item % out_h
        top, down = rows[2 * i], rows[2 * i + 1]
        for j in range(out_w):
            left, right = columns[2 * j], columns[2 * j + 1]
            divisor = real(divisors[i * out_w + j])
            out = (item * out_w + j) * channels
            for c in range(channels):
                y[out + c] = real(0.0)
            for k in range(down):
                for m in range(right):
                    source = ((image * height + top + k) * width + left + m) * channels
                    for c in range(channels):
                        y[out + c] = y[out + c] + x[source + c]
            for c in range(channels):
                y[out + c] = y[out + c] / divisor


@kernel
def spread(
    dy: Real, dx: Real, divisors: Doubles, rows: Ints, columns: Ints, n: int, height: int, width: int, channels: int,
    out_h: int,
    out_w: int, part: int, parts: int,
) -> None:  # fmt: skip
    """dx = Σ dy / divisor of the windows that hold a pixel. A part has whole images."""
    start, stop = share(n, part, parts)
    for image in range(start, stop):
        base = image * height * width * channels
        for i in range(height * width * channels):
            dx[base + i] = real(0.0)
        for i in range(out_h):
            top, down = rows[2 * i], rows[2 * i + 1]
            for j in range(out_w):
                left, right = columns[2 * j], columns[2 * j + 1]
                divisor = real(divisors[i * out_w + j])
                source = ((image * out_h + i) * out_w + j) * channels
                for k in range(down):
                    for m in range(right):
                        out = base + ((top + k) * width + left + m) * channels
                        for c in range(channels):
                            dx[out + c] = dx[out + c] + dy[source + c] / divisor
