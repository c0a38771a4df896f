"""How the right side of a product lies for the micro-kernel: the one definition of a packed panel.

B (K, N) is packed into panels of ``panel`` columns, so many as the micro-kernel makes at once: for each its K rows, one after
the other, the last one filled up with zeros to whole vectors.
"""

from __future__ import annotations

from minigrad.kernels.native import Real, helper, kernel, lanes, offset, panel, real, share

BLOCK = 16  # rows of B that are packed at a time: a line of the cache of a transposed float32 one


@helper
def width_of(columns):
    """How wide a panel of so many columns is in memory: whole vectors."""
    return panel if columns > lanes else lanes


@helper
def pack_lines(source, at_line, at_term, lines, width, count, to):
    """to[k · width + r] = source[r · at_line + k · at_term] for ``count`` terms of some lines; zeros up to ``width``."""
    for k in range(0, count, BLOCK):
        end = min(k + BLOCK, count)
        for r in range(lines):
            for i in range(k, end):
                to[i * width + r] = source[r * at_line + i * at_term]
        for r in range(lines, width):
            for i in range(k, end):
                to[i * width + r] = real(0.0)


@helper
def pack_panel(source, at_row, at_column, rows, columns, to):
    """One panel: some rows of at most ``panel`` columns of B, B[k, n] at ``source[k · at_row + n · at_column]``."""
    if at_column == 1 and columns == panel:
        for k in range(rows):
            for j in range(panel):
                to[k * panel + j] = source[k * at_row + j]
    else:
        pack_lines(source, at_column, at_row, columns, width_of(columns), rows, to)


@kernel
def pack(w: Real, out: Real, rows: int, columns: int, at_row: int, at_column: int, part: int, parts: int) -> None:
    """B[k, n] = w[k · at_row + n · at_column] into panels."""
    start, stop = share((columns + panel - 1) // panel, part, parts)
    for each in range(start, stop):
        first = each * panel
        count = min(panel, columns - first)
        pack_panel(offset(w, first * at_column), at_row, at_column, rows, count, offset(out, first * rows))
