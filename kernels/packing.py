"""How the right side of a product lies for the micro-kernel: the one definition of a packed panel.

B (K, N) is packed into panels of ``panel`` columns, so many as the micro-kernel makes at once: for each its K rows, one after
the other, the last one filled up with zeros to whole vectors.
"""

from __future__ import annotations

from minigrad.kernels.native import Real, helper, kernel, lanes, move, offset, panel, real, share, turn


@helper
def width_of(columns):
    """How wide a panel of so many columns is in memory: whole vectors."""
    return panel if columns > lanes else lanes


@helper(apart=True)
def pack_lines(source, at_line, at_term, lines, width, count, to):
    """to[k · width + r] = source[r · at_line + k · at_term] for ``count`` terms of some lines; zeros, or the like, up to width.

    Whole vectors are written, and what they write too much is written again with the next terms: the last ones go one by one.
    """
    done = 0
    last = (lines - 1) // lanes * lanes
    beyond = last + lanes - width
    exact = count  # terms behind which there is room for what is beyond
    if beyond > 0:
        exact -= 1 if beyond <= width else lanes
    if at_term == 1:
        for k in range(0, exact - lanes + 1, lanes):
            for r in range(last, -1, -lanes):
                turn(offset(source, r * at_line + k), at_line, lines - r, offset(to, k * width + r), width)
            done = k + lanes
    elif at_line == 1:
        rest = lines % lanes
        for k in range(exact):
            line, out = offset(source, k * at_term), offset(to, k * width)
            for r in range(0, lines - rest, lanes):
                move(offset(line, r), lanes, offset(out, r))
            if rest:
                move(offset(line, lines - rest), rest, offset(out, lines - rest))
        done = max(exact, 0)
    for k in range(done, count):
        for r in range(lines):
            to[k * width + r] = source[r * at_line + k * at_term]
        for r in range(lines, width):
            to[k * width + r] = real(0.0)


@kernel
def pack(w: Real, out: Real, rows: int, columns: int, at_row: int, at_column: int, part: int, parts: int) -> None:
    """B[k, n] = w[k · at_row + n · at_column] into panels."""
    start, stop = share((columns + panel - 1) // panel, part, parts)
    for each in range(start, stop):
        first = each * panel
        count = min(panel, columns - first)
        pack_lines(offset(w, first * at_column), at_column, at_row, count, width_of(count), rows, offset(out, first * rows))
