"""Images in C order (N C H W) for loops that walk channels-last memory: a band of pixels at a time, there and back, compiled.

A whole image that is copied first goes through memory three times more than one whose rows are turned when they are needed: a
band of a few rows stays in the cache between the copy and the sums. Squares of numbers are turned in registers, as
``minigrad/kernels/rearranging.py`` says.
"""

from __future__ import annotations

from minigrad.kernels.native import helper, offset
from minigrad.kernels.rearranging import turn_pixels


@helper
def span(begin, count, size):
    """Where ``count`` rows or columns from ``begin`` on lie inside of an image: start and stop."""
    start = min(max(begin, 0), size)
    return start, max(start, min(begin + count, size))


@helper
def lay_band(src, plane, width, row, rows, column, columns, channels, band):
    """``rows`` x ``columns`` pixels from (row, column) on of planes ``plane`` apart, as (rows, columns, channels)."""
    whole = columns == width  # then rows follow one another without a gap
    run = rows * columns if whole else columns
    for r in range(1 if whole else rows):
        source = offset(src, (row + r) * width + column)
        turn_pixels(source, plane, 1, offset(band, r * columns * channels), 1, channels, channels, run)


@helper
def put_band(band, rows, columns, channels, dst, plane, width, row, column):
    """The other way: (rows, columns, channels) into planes."""
    whole = columns == width
    run = rows * columns if whole else columns
    for r in range(1 if whole else rows):
        to = offset(dst, (row + r) * width + column)
        turn_pixels(offset(band, r * columns * channels), 1, channels, to, plane, 1, channels, run)
