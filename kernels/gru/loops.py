"""The compiled loops of ``cpu.py``: all steps of a part's rows, forward and backward. See ``minigrad.kernels.lstm``'s.

The loops over units are many and simple: LLVM makes vector code of a loop only if few pairs of pointers may overlap.
"""

from __future__ import annotations

from minigrad.kernels.native import Ints, Real, helper, kernel, offset, real, sigmoid, tanh
from minigrad.kernels.recurrent_loops import GAP, PLAN, copy_row, own_rows, rows_times


@helper
def advance(gates, state, h, hidden):
    """h' of a row from its gates, of which r, z and n are still sums, in place; ``state`` holds h, and h' afterwards."""
    z, n, m = offset(gates, hidden), offset(gates, 2 * hidden), offset(gates, 3 * hidden)
    for k in range(2 * hidden):
        gates[k] = sigmoid(gates[k])
    for k in range(hidden):
        n[k] = tanh(n[k] + gates[k] * m[k])
    for k in range(hidden):
        state[k] = n[k] + z[k] * (state[k] - n[k])
    for k in range(hidden):
        h[k] = state[k]


@kernel
def forward(
    gates: Real, of_input: Real, of_state: Real, weights: Real, h: Real, h0: Real, room: Real, room_size: int, bounds: Ints,
    most: int, plan: Ints, steps: int, hidden: int, x: Real, x_weights: Real, features: int, table: Real, index: Ints,
    named: int, part: int, parts: int,
) -> None:  # fmt: skip
    """All steps. ``gates`` holds W_ih x at first; or nothing where ``features`` is not negative, and x is multiplied here.

    With ``named`` it holds nothing either: W_ih x of row k is row ``index[k]`` of ``table``.

    ``of_input`` and ``of_state`` are the biases. ``room`` has the state of each of the part's sequences, ``most`` at most, and
    W_hh h of them; then W_ih x and x, where they are wanted.
    """
    three, at_state, at_sums, at_x = 3 * hidden, hidden + GAP, 3 * hidden + GAP, features + GAP
    lo, hi = bounds[part], bounds[part + 1]
    state = offset(room, part * room_size)
    sums = offset(state, most * at_state)
    products = offset(sums, most * at_sums)
    from_x = offset(products, most * at_sums)
    for row in range(lo, hi):
        copy_row(offset(h0, row * hidden), offset(state, (row - lo) * at_state), hidden)
    for t in range(steps):
        start, size = plan[PLAN * t], plan[PLAN * t + 1]
        rows = own_rows(size, lo, hi)
        rows_times(rows, state, at_state, weights, hidden, three, of_state, 0, sums, at_sums)
        if features >= 0:
            for r in range(rows):
                copy_row(offset(x, (start + lo + r) * features), offset(from_x, r * at_x), features)
            rows_times(rows, from_x, at_x, x_weights, features, three, of_input, 0, products, at_sums)
        for r in range(rows):
            row = start + lo + r
            here, own = offset(gates, row * 4 * hidden), offset(sums, r * at_sums)
            if features >= 0:
                copy_row(offset(products, r * at_sums), here, three)
            else:
                source = offset(table, index[row] * three) if named else here
                for k in range(three):
                    here[k] = source[k] + of_input[k]
            for k in range(2 * hidden):
                here[k] += own[k]
            copy_row(offset(own, 2 * hidden), offset(here, three), hidden)
            advance(here, offset(state, r * at_state), offset(h, row * hidden), hidden)


@helper
def recede(gates, before, dh, da, hidden):
    """da_r, da_z, da_n and dm of a row; in place of dh, the gradient of h', what of it passes through z."""
    z, n, m = offset(gates, hidden), offset(gates, 2 * hidden), offset(gates, 3 * hidden)
    da_z, da_n, dm = offset(da, hidden), offset(da, 2 * hidden), offset(da, 3 * hidden)
    one = real(1.0)
    for k in range(hidden):
        da_n[k] = dh[k] * (one - z[k]) * (one - n[k] * n[k])
    for k in range(hidden):
        da_z[k] = dh[k] * (before[k] - n[k]) * z[k] * (one - z[k])
    for k in range(hidden):
        da[k] = da_n[k] * m[k] * gates[k] * (one - gates[k])
    for k in range(hidden):
        dm[k] = da_n[k] * gates[k]
    for k in range(hidden):
        dh[k] *= z[k]


@kernel
def backward(
    gates: Real, y: Real, h0: Real, dy: Real, dh: Real, da: Real, weights: Real, more_weights: Real, zeros: Real, room: Real,
    room_size: int, bounds: Ints, plan: Ints, steps: int, hidden: int, has_dy: int, dx: Real, x_weights: Real, features: int,
    part: int, parts: int,
) -> None:  # fmt: skip
    """All steps, the last first. ``dh`` holds the gradient of the last state, and that of the first at the end.

    ``weights`` are those of r and z, ``more_weights`` those of n. ``room`` has da of a step's rows of this part.
    """
    wide, at_rows = 4 * hidden, 4 * hidden + GAP
    lo, hi = bounds[part], bounds[part + 1]
    own_da = offset(room, part * room_size)
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
            before = offset(y, (last + row) * hidden) if row < known else offset(h0, own)
            to = offset(own_da, r * at_rows)
            recede(offset(gates, (start + row) * wide), before, dh_here, to, hidden)
            copy_row(to, offset(da, (start + row) * wide), wide)
        next_dh = offset(dh, lo * hidden)
        rows_times(rows, own_da, at_rows, weights, 2 * hidden, hidden, next_dh, hidden, next_dh, hidden)
        of_m = offset(own_da, 3 * hidden)
        rows_times(rows, of_m, at_rows, more_weights, hidden, hidden, next_dh, hidden, next_dh, hidden)
        if features >= 0:
            to = offset(dx, (start + lo) * features)
            rows_times(rows, own_da, at_rows, x_weights, 3 * hidden, features, zeros, 0, to, features)
