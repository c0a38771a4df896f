"""The compiled loops of ``cpu.py``. Each operation is rounded by itself, as the contract asks of overlaps and places.

Boxes come as ``geometry.with_areas`` gives them, a line of each number; images lie N H W C in memory.
"""

from __future__ import annotations

from minigrad.kernels.native import Doubles, Ints, Real, choose, helper, kernel, offset, real, share

INFINITY = float("inf")


@helper
def overlap(ax1, ay1, ax2, ay2, area, bx1, by1, bx2, by2, other):
    """Intersection over union of two boxes with their areas, 0 where there is none."""
    width = choose(ax2 < bx2, ax2, bx2) - choose(ax1 > bx1, ax1, bx1)
    height = choose(ay2 < by2, ay2, by2) - choose(ay1 > by1, ay1, by1)
    shared = width * height
    union = area + other - shared
    there = (width > 0.0) & (height > 0.0) & (area > 0.0) & (other > 0.0) & (union < INFINITY)
    return choose(there, shared / union, 0.0)


@kernel(exact=True)
def overlaps(a: Doubles, b: Doubles, y: Real, n: int, m: int, part: int, parts: int) -> None:
    """Each box of a beside each of b."""
    start, stop = share(n, part, parts)
    for i in range(start, stop):
        x1, y1, x2, y2, area = a[i], a[n + i], a[2 * n + i], a[3 * n + i], a[4 * n + i]
        for j in range(m):
            found = overlap(x1, y1, x2, y2, area, b[j], b[m + j], b[2 * m + j], b[3 * m + j], b[4 * m + j])
            y[i * m + j] = real(found)


@kernel(exact=True)
def suppress(boxes: Doubles, starts: Ints, alive: Ints, n: int, groups: int, threshold: float, part: int, parts: int) -> None:
    """Go over each group, the best box first; those that it overlaps by more than the threshold are not alive. All were."""
    start, stop = share(groups, part, parts)
    for group in range(start, stop):
        last = starts[group + 1]
        for i in range(starts[group], last):
            if alive[i] != 0:
                x1, y1, x2, y2, area = boxes[i], boxes[n + i], boxes[2 * n + i], boxes[3 * n + i], boxes[4 * n + i]
                for j in range(i + 1, last):
                    found = overlap(
                        x1, y1, x2, y2, area,
                        boxes[j], boxes[n + j], boxes[2 * n + j], boxes[3 * n + j], boxes[4 * n + j],
                    )  # fmt: skip
                    alive[j] = choose(found > threshold, 0, alive[j])


@helper(apart=True)
def weigh(start, side, samples, bins, size, count, dense, places, weights, found):
    """The pixels of each bin along one axis that have a share of its samples, and that share over ``count``.

    Bin i has found[i] of them, from i · size on. ``dense`` is ``size`` zeros, and is so again behind.
    """
    for i in range(bins):
        found[i] = 0
        if samples > 0:
            begin = start + i * side
            first, past = 0, samples
            apart = side / samples
            if apart >= 0.5:  # else there are few that lie outside; and a bin may have no side
                first = max(0, min(int((-1.0 - begin) / apart - 0.5) - 1, samples))
                past = max(first, min(int((size - begin) / apart - 0.5) + 3, samples))
            least, most = size, 0
            for k in range(first, past):
                place = begin + (k + 0.5) * side / samples
                if place >= -1.0 and place <= size:
                    place = choose(place > 0.0, place, 0.0)
                    low = int(place)
                    if low >= size - 1:
                        low = size - 1
                        dense[low] += 1.0
                        most = size
                    else:
                        beyond = place - low
                        dense[low] += 1.0 - beyond
                        dense[low + 1] += beyond
                        most = max(most, low + 2)
                    least = min(least, low)
            there = i * size
            for pixel in range(least, most):
                if dense[pixel] > 0.0:
                    places[there], weights[there] = pixel, dense[pixel] / count
                    there += 1
                dense[pixel] = 0.0
            found[i] = there - i * size


@kernel(exact=True)
def align(
    x: Real, y: Real, image: Ints, regions: Doubles, samples: Ints, dense: Doubles, weights: Doubles, places: Ints, found: Ints,
    count: int, bins_h: int, bins_w: int, height: int, width: int, channels: int, part: int, parts: int,
) -> None:  # fmt: skip
    """The bins of this part's regions. ``dense``, ``weights``, ``places`` and ``found`` are scratch memory, a piece of each."""
    start, stop = share(count, part, parts)
    tall, wide = bins_h * height, bins_w * width
    zeros = offset(dense, part * max(height, width))
    of_rows, of_columns = offset(weights, part * (tall + wide)), offset(weights, part * (tall + wide) + tall)
    rows, columns = offset(places, part * (tall + wide)), offset(places, part * (tall + wide) + tall)
    down, across = offset(found, part * (bins_h + bins_w)), offset(found, part * (bins_h + bins_w) + bins_h)
    for i in range(max(height, width)):
        zeros[i] = 0.0
    for r in range(start, stop):
        weigh(regions[r], regions[count + r], samples[r], bins_h, height, regions[4 * count + r], zeros, rows, of_rows, down)
        weigh(
            regions[2 * count + r], regions[3 * count + r], samples[count + r], bins_w, width, 1.0, zeros, columns, of_columns,
            across,
        )  # fmt: skip
        for i in range(bins_h):
            for j in range(bins_w):
                out = ((r * bins_h + i) * bins_w + j) * channels
                for c in range(channels):
                    y[out + c] = real(0.0)
                for k in range(i * height, i * height + down[i]):
                    line = (image[r] * height + rows[k]) * width
                    last = j * width + across[j]
                    for m in range(j * width, last - 1, 2):
                        one, two = (line + columns[m]) * channels, (line + columns[m + 1]) * channels
                        weight, other = real(of_rows[k] * of_columns[m]), real(of_rows[k] * of_columns[m + 1])
                        for c in range(channels):
                            y[out + c] += weight * x[one + c] + other * x[two + c]
                    if across[j] % 2 == 1:
                        one, weight = (line + columns[last - 1]) * channels, real(of_rows[k] * of_columns[last - 1])
                        for c in range(channels):
                            y[out + c] += weight * x[one + c]


@kernel(exact=True)
def spread(
    dy: Real, dx: Real, image: Ints, regions: Doubles, samples: Ints, dense: Doubles, weights: Doubles, places: Ints,
    found: Ints, images: int, count: int, bins_h: int, bins_w: int, height: int, width: int, channels: int, part: int,
    parts: int,
) -> None:  # fmt: skip
    """The gradient of this part's rows of pixels: each of its pixels takes from all regions, in their order."""
    start, stop = share(images * height, part, parts)
    tall, wide = bins_h * height, bins_w * width
    zeros = offset(dense, part * max(height, width))
    of_rows, of_columns = offset(weights, part * (tall + wide)), offset(weights, part * (tall + wide) + tall)
    rows, columns = offset(places, part * (tall + wide)), offset(places, part * (tall + wide) + tall)
    down, across = offset(found, part * (bins_h + bins_w)), offset(found, part * (bins_h + bins_w) + bins_h)
    for i in range(max(height, width)):
        zeros[i] = 0.0
    for i in range(start * width * channels, stop * width * channels):
        dx[i] = real(0.0)
    for r in range(count):
        top = image[r] * height
        if top < stop and top + height > start:
            weigh(
                regions[r], regions[count + r], samples[r], bins_h, height, regions[4 * count + r], zeros, rows, of_rows, down
            )
            weigh(
                regions[2 * count + r], regions[3 * count + r], samples[count + r], bins_w, width, 1.0, zeros, columns,
                of_columns, across,
            )  # fmt: skip
            for i in range(bins_h):
                for k in range(i * height, i * height + down[i]):
                    row = top + rows[k]
                    if row >= start and row < stop:
                        for j in range(bins_w):
                            source = ((r * bins_h + i) * bins_w + j) * channels
                            for m in range(j * width, j * width + across[j]):
                                out, weight = (row * width + columns[m]) * channels, real(of_rows[k] * of_columns[m])
                                for c in range(channels):
                                    dx[out + c] += weight * dy[source + c]
