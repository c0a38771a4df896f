"""The compiled loops of ``cpu.py``: all steps of a part's rows, forward and backward. See ``minigrad.kernels.lstm``'s."""

from __future__ import annotations

from minigrad.kernels.native import Ints, Real, choose, kernel, offset, real, tanh
from minigrad.kernels.recurrent_loops import GAP, PLAN, copy_row, own_rows, rows_times


@kernel
def forward(
    y: Real, bias: Real, weights: Real, h0: Real, room: Real, room_size: int, bounds: Ints, most: int, plan: Ints, steps: int,
    hidden: int, is_tanh: int, x: Real, x_weights: Real, features: int, table: Real, index: Ints, named: int, part: int,
    parts: int,
) -> None:  # fmt: skip
    """All steps. ``y`` holds W_ih x at first; or nothing where ``features`` is not negative, and x is multiplied here.

    With ``named`` it holds nothing either: W_ih x of row k is row ``index[k]`` of ``table``.

    ``room`` has the state of each of the part's sequences, ``most`` at most, their sums, and where it is wanted their x.
    """
    at_rows, at_x = hidden + GAP, features + GAP
    lo, hi = bounds[part], bounds[part + 1]
    state = offset(room, part * room_size)
    sums = offset(state, most * at_rows)
    from_x = offset(sums, most * at_rows)
    for row in range(lo, hi):
        copy_row(offset(h0, row * hidden), offset(state, (row - lo) * at_rows), hidden)
    for t in range(steps):
        start, size = plan[PLAN * t], plan[PLAN * t + 1]
        rows = own_rows(size, lo, hi)
        if features >= 0:
            for r in range(rows):
                copy_row(offset(x, (start + lo + r) * features), offset(from_x, r * at_x), features)
            rows_times(rows, from_x, at_x, x_weights, features, hidden, bias, 0, sums, at_rows)
            rows_times(rows, state, at_rows, weights, hidden, hidden, sums, at_rows, sums, at_rows)
        else:
            rows_times(rows, state, at_rows, weights, hidden, hidden, bias, 0, sums, at_rows)
        for r in range(rows):
            here, own = offset(y, (start + lo + r) * hidden), offset(sums, r * at_rows)
            if features >= 0:
                copy_row(own, here, hidden)
            else:
                source = offset(table, index[start + lo + r] * hidden) if named else here
                for k in range(hidden):
                    here[k] = source[k] + own[k]
            if is_tanh:
                for k in range(hidden):
                    here[k] = tanh(here[k])
            else:
                for k in range(hidden):
                    here[k] = choose(here[k] < real(0.0), real(0.0), here[k])
            copy_row(here, offset(state, r * at_rows), hidden)


@kernel
def backward(
    y: Real, dy: Real, dh: Real, da: Real, weights: Real, zeros: Real, room: Real, room_size: int, bounds: Ints, plan: Ints,
    steps: int, hidden: int, is_tanh: int, has_dy: int, dx: Real, x_weights: Real, features: int, part: int, parts: int,
) -> None:  # fmt: skip
    """All steps, the last first. ``dh`` holds the gradient of the last state, and that of the first at the end.

    ``room`` has da of a step's rows of this part.
    """
    at_rows = hidden + GAP
    lo, hi = bounds[part], bounds[part + 1]
    own_da = offset(room, part * room_size)
    for back in range(steps):
        t = steps - 1 - back
        start, size = plan[PLAN * t], plan[PLAN * t + 1]
        rows = own_rows(size, lo, hi)
        for r in range(rows):
            at = (start + lo + r) * hidden
            dh_here, here, to = offset(dh, (lo + r) * hidden), offset(y, at), offset(own_da, r * at_rows)
            if has_dy:
                dy_here = offset(dy, at)
                for k in range(hidden):
                    dh_here[k] += dy_here[k]
            if is_tanh:
                for k in range(hidden):
                    to[k] = dh_here[k] * (real(1.0) - here[k] * here[k])
            else:
                for k in range(hidden):
                    to[k] = choose(here[k] == real(0.0), real(0.0), dh_here[k])
            copy_row(to, offset(da, at), hidden)
        rows_times(rows, own_da, at_rows, weights, hidden, hidden, zeros, 0, offset(dh, lo * hidden), hidden)
        if features >= 0:
            to = offset(dx, (start + lo) * features)
            rows_times(rows, own_da, at_rows, x_weights, hidden, features, zeros, 0, to, features)
