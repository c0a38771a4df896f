"""The compiled loops of ``cpu.py``: all steps of a part's rows, forward and backward.

The loops over units are many and simple: LLVM makes vector code of a loop only if few pairs of pointers may overlap.
"""

from __future__ import annotations

from minigrad.kernels.native import Ints, Real, helper, kernel, offset, real, share, sigmoid, tanh
from minigrad.kernels.recurrent_loops import GAP, PLAN, copy_row, own_rows, rows_times


@helper
def squash(a, hidden):
    """The gates i f g o of a row from their sums, in place."""
    for k in range(2 * hidden):
        a[k] = sigmoid(a[k])
    for k in range(2 * hidden, 3 * hidden):
        a[k] = tanh(a[k])
    for k in range(3 * hidden, 4 * hidden):
        a[k] = sigmoid(a[k])


@helper
def advance(gates, before, c, h, hidden):
    """c' and h' of a row from its gates and the c before."""
    f, g, o = offset(gates, hidden), offset(gates, 2 * hidden), offset(gates, 3 * hidden)
    for k in range(hidden):
        c[k] = f[k] * before[k] + gates[k] * g[k]
    for k in range(hidden):
        h[k] = o[k] * tanh(c[k])


@kernel
def forward(
    gates: Real, bias: Real, weights: Real, h: Real, c: Real, h0: Real, c0: Real, room: Real, room_size: int, bounds: Ints,
    most: int, plan: Ints, steps: int, hidden: int, x: Real, x_weights: Real, features: int, table: Real, index: Ints,
    named: int, part: int, parts: int,
) -> None:  # fmt: skip
    """All steps. ``gates`` holds W_ih x at first; or nothing where ``features`` is not negative, and x is multiplied here.

    With ``named`` it holds nothing either: W_ih x of row k is row ``index[k]`` of ``table``.

    ``room`` has the state of each of the part's sequences, ``most`` at most, their sums, and where it is wanted their x.
    """
    wide, at_state, at_sums, at_x = 4 * hidden, hidden + GAP, 4 * hidden + GAP, features + GAP
    lo, hi = bounds[part], bounds[part + 1]
    state = offset(room, part * room_size)
    sums = offset(state, most * at_state)
    from_x = offset(sums, most * at_sums)
    for row in range(lo, hi):
        copy_row(offset(h0, row * hidden), offset(state, (row - lo) * at_state), hidden)
    for t in range(steps):
        start, size, last, known = plan[PLAN * t], plan[PLAN * t + 1], plan[PLAN * t + 2], plan[PLAN * t + 3]
        rows = own_rows(size, lo, hi)
        if features >= 0:
            for r in range(rows):
                copy_row(offset(x, (start + lo + r) * features), offset(from_x, r * at_x), features)
            rows_times(rows, from_x, at_x, x_weights, features, wide, bias, 0, sums, at_sums)
            rows_times(rows, state, at_state, weights, hidden, wide, sums, at_sums, sums, at_sums)
        else:
            rows_times(rows, state, at_state, weights, hidden, wide, bias, 0, sums, at_sums)
        for r in range(rows):
            row = lo + r
            here, at = offset(gates, (start + row) * wide), (start + row) * hidden
            own = offset(sums, r * at_sums)
            if features >= 0:
                copy_row(own, here, wide)
            else:
                source = offset(table, index[start + row] * wide) if named else here
                for k in range(wide):
                    here[k] = source[k] + own[k]
            squash(here, hidden)
            before = offset(c, (last + row) * hidden) if row < known else offset(c0, row * hidden)
            advance(here, before, offset(c, at), offset(h, at), hidden)
            copy_row(offset(h, at), offset(state, r * at_state), hidden)


@kernel
def step(gates: Real, c0: Real, c: Real, h: Real, rows: int, pitch: int, hidden: int, part: int, parts: int) -> None:
    """One step from W_ih x + W_hh h and the biases of each row, which become its gates."""
    start, stop = share(rows, part, parts)
    for row in range(start, stop):
        here, at = offset(gates, row * pitch), row * hidden
        squash(here, hidden)
        advance(here, offset(c0, at), offset(c, at), offset(h, at), hidden)


@helper
def recede(gates, c, before, dh, dc, da, tanh_c, hidden):
    """da of a row, and the gradient of the c before in place of dc, that of c'."""
    f, g, o = offset(gates, hidden), offset(gates, 2 * hidden), offset(gates, 3 * hidden)
    da_f, da_g, da_o = offset(da, hidden), offset(da, 2 * hidden), offset(da, 3 * hidden)
    one = real(1.0)
    for k in range(hidden):
        tanh_c[k] = tanh(c[k])
    for k in range(hidden):
        da_o[k] = dh[k] * tanh_c[k] * o[k] * (one - o[k])
    for k in range(hidden):
        dc[k] += dh[k] * o[k] * (one - tanh_c[k] * tanh_c[k])
    for k in range(hidden):
        da[k] = dc[k] * g[k] * gates[k] * (one - gates[k])
    for k in range(hidden):
        da_f[k] = dc[k] * before[k] * f[k] * (one - f[k])
    for k in range(hidden):
        da_g[k] = dc[k] * gates[k] * (one - g[k] * g[k])
    for k in range(hidden):
        dc[k] *= f[k]


@kernel
def backward(
    gates: Real, c: Real, c0: Real, dy: Real, dh: Real, dc: Real, da: Real, weights: Real, zeros: Real, room: Real,
    room_size: int, bounds: Ints, plan: Ints, steps: int, hidden: int, has_dy: int, dx: Real, x_weights: Real, features: int,
    part: int, parts: int,
) -> None:  # fmt: skip
    """All steps, the last first. ``dh`` and ``dc`` hold the gradients of the last states, and those of the first at the end.

    ``room`` has tanh c' of a row, and da of a step's rows of this part.
    """
    wide, at_rows = 4 * hidden, 4 * hidden + GAP
    lo, hi = bounds[part], bounds[part + 1]
    tanh_c = offset(room, part * room_size)
    own_da = offset(tanh_c, hidden)
    for back in range(steps):
        t = steps - 1 - back
        start, size, last, known = plan[PLAN * t], plan[PLAN * t + 1], plan[PLAN * t + 2], plan[PLAN * t + 3]
        rows = own_rows(size, lo, hi)
        for r in range(rows):
            row = lo + r
            at, own = (start + row) * hidden, row * hidden
            dh_here = offset(dh, own)
            if has_dy:
                dy_here = offset(dy, at)
                for k in range(hidden):
                    dh_here[k] += dy_here[k]
            before = offset(c, (last + row) * hidden) if row < known else offset(c0, own)
            here, to = offset(gates, (start + row) * wide), offset(own_da, r * at_rows)
            recede(here, offset(c, at), before, dh_here, offset(dc, own), to, tanh_c, hidden)
            copy_row(to, offset(da, (start + row) * wide), wide)
        rows_times(rows, own_da, at_rows, weights, wide, hidden, zeros, 0, offset(dh, lo * hidden), hidden)
        if features >= 0:
            to = offset(dx, (start + lo) * features)
            rows_times(rows, own_da, at_rows, x_weights, wide, features, zeros, 0, to, features)
