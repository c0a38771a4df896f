"""Long short-term memory over a whole packed batch: one layer, one direction.

(Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.)

For each row of step t, with x its input and h, c the state that it begins with (that of the same sequence after the step
before, or the first state)::

    a        = W_ih x + b_ih + W_hh h + b_hh         (4 H), in the order i f g o
    i, f, o  = 1 / (1 + e^-a) of their quarter;  g = tanh of its
    c'       = f c + i g
    h'       = o tanh c'

``forward`` gives h' and c' of all rows, and the gates i f g o. ``backward`` goes from the last step to the first, with dh and
dc the gradients of h' and c' that arrive from outputs, last states and the step after::

    dc += dh o (1 − tanh² c');  da = (dc g i (1 − i), dc c f (1 − f), dc i (1 − g²), dh tanh c' o (1 − o))
    dh  = W_hhᵀ da and dc = dc f go on to the step before;  dx = W_ihᵀ da

and gives da of all rows, from which the gradients to weights are single products: dW_ih = Σ da xᵀ, dW_hh = Σ da hᵀ, db = Σ da.
One step is a batch of one step.

Rows of a packed batch: ``batch_sizes[t]`` of them for step t, never more than for the step before (``recurrence.py``). With
``reverse`` each sequence is read from its end. Arrays are float32 or float64, all of one dtype, on one device, with any
strides. They are never written to. There may be no rows, or inputs of no features; H is 1 at least. ``memo`` is a dict in
which an implementation may keep what it derives from the weights; who hands the same dict again promises that they are
unchanged.

An implementation is given arguments that this file has checked, every keyword among them, and must keep to the same signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.device import Array, quiet
from minigrad.kernels.choice import find
from minigrad.kernels.recurrence import (
    ULPS,
    Memo,
    Spread,
    before,
    check_backward,
    check_forward,
    check_grad_weights,
    check_memo,
    walk,
    weights_tolerance,
)

FUNCTIONS = ("forward", "backward", "grad_weights")
GATES = 4


def forward(
    x: Array,
    batch_sizes: Sequence[int],
    h0: Array,
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
    *,
    reverse: bool = False,
    save: bool = True,
    memo: Memo | None = None,
    index: Array | None = None,
) -> tuple[Array, Array, Array | None]:
    """All steps: x (rows, D) to h', c' (rows, H) and the gates (rows, 4 H).

    Args:
        batch_sizes: how many rows each step has; the first is B.
        h0, c0: first states (B, H).
        w_ih, w_hh, b_ih, b_hh: (4 H, D), (4 H, H), and (4 H,) or ``None``.
        reverse: read each sequence from its end.
        save: give the gates, which ``backward`` needs; else ``None``.
        memo: see above.
        index: (rows,) int64: the input of row k is ``x[index[k]]``, and x (V, D) a table of few vectors, each multiplied once.

    Raises:
        ShapeError: ranks or sizes that do not fit.
        ArgumentError: batch sizes that grow, or do not make as many rows as ``x`` has.
        DTypeError: other than float32 or float64, or two dtypes.
        DeviceError: arrays on two devices.
        IndexingError: a number in ``index`` that names no row of x.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> h, c, gates = forward(np.ones((2, 1)), [1, 1], *np.zeros((2, 1, 1)), *np.zeros((2, 4, 1)), np.array([9.0, 9, 9, 0]))
        >>> h.round(2), c.round(2)
        (array([[0.38],
               [0.48]]), array([[1.],
               [2.]]))
    """
    check_memo("lstm", memo)
    states = (("h_0", h0), ("c_0", c0))
    device_type, sizes = check_forward(
        "lstm", x, batch_sizes, states, w_ih, w_hh, b_ih, b_hh, GATES, reverse=reverse, save=save, index=index
    )
    with quiet():
        return find("lstm", device_type).forward(
            x, sizes, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse=reverse, save=save, memo=memo, index=index
        )


def backward(
    dy: Array | None,
    dh: Array | None,
    dc: Array | None,
    batch_sizes: Sequence[int],
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    cells: Array,
    gates: Array,
    *,
    reverse: bool = False,
    input_wanted: bool = True,
    memo: Memo | None = None,
) -> tuple[Array, Array, Array, Array | None]:
    """The way back: da (rows, 4 H), the gradients (B, H) to h0 and c0, and dx (rows, D) or ``None``.

    Args:
        dy: gradient of all h' (rows, H); ``None`` for zeros.
        dh, dc: gradients of each sequence's last h' and c' (B, H); ``None`` for zeros.
        cells, gates: c' and the gates, as ``forward`` gave them.
        input_wanted: give dx.
        batch_sizes, c0, w_ih, w_hh, reverse, memo: as for ``forward``.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`forward`.

    Example:
        >>> import numpy as np
        >>> zeros, w = np.zeros((1, 1)), np.ones((4, 1))
        >>> h, c, gates = forward(np.ones((1, 1)), [1], zeros, zeros, w, w)
        >>> da, dh, dc, dx = backward(np.ones((1, 1)), None, None, [1], zeros, w, w, c, gates)
        >>> da.round(3), (dx == da.sum()).item()
        (array([[0.081, 0.   , 0.167, 0.099]]), True)
    """
    check_memo("lstm", memo)
    device_type, sizes = check_backward(
        "lstm",
        batch_sizes,
        (("grad_output", dy), ("grad_h_n", dh), ("grad_c_n", dc)),
        (("c_0", c0),),
        w_ih,
        w_hh,
        (("cells", cells, 1), ("gates", gates, GATES)),
        GATES,
        reverse=reverse,
        input_wanted=input_wanted,
    )
    with quiet():
        return find("lstm", device_type).backward(
            dy, dh, dc, sizes, c0, w_ih, w_hh, cells, gates, reverse=reverse, input_wanted=input_wanted, memo=memo
        )


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool = True, state_wanted: bool = True
) -> tuple[Array | None, Array | None, Array]:
    """The gradients to the weights: dW_ih (4 H, D), dW_hh (4 H, H), each ``None`` where it is not wanted, and Σ da (4 H,).

    Args:
        da: da of all rows (rows, 4 H), as ``backward`` gave it.
        x: the input of each row (rows, D).
        h: the state that each row began with (rows, H): see ``recurrence.all_before``.
        input_wanted, state_wanted: give dW_ih, dW_hh.

    Raises:
        ShapeError, DTypeError, DeviceError, KernelError: as :func:`forward`.

    Example:
        >>> import numpy as np
        >>> dw_ih, dw_hh, db = grad_weights(np.ones((3, 4)), np.ones((3, 2)), np.ones((3, 1)))
        >>> dw_ih.shape, dw_hh.ravel(), db
        ((4, 2), array([3., 3., 3., 3.]), array([3., 3., 3., 3.]))
    """
    device_type = check_grad_weights("lstm", da, x, h, GATES, input_wanted=input_wanted, state_wanted=state_wanted)
    with quiet():
        return find("lstm", device_type).grad_weights(da, x, h, input_wanted=input_wanted, state_wanted=state_wanted)


def tolerance(function: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """How far an implementation may be from the reference: a multiple of the rounding errors' standard deviation.

    It is carried through the recurrence as the values are, with the derivative of each function at hand
    (``recurrence.Spread``).
    """
    if function == "grad_weights":
        return weights_tolerance(*args, **kwargs)
    return _forward_tolerance(*args, **kwargs) if function == "forward" else _backward_tolerance(*args, **kwargs)


def _forward_tolerance(
    x: Array, batch_sizes: Any, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Any, b_hh: Any, **kwargs: Any
) -> tuple[Any, ...]:
    from minigrad.kernels.lstm import vectorised

    run: Any = vectorised
    reverse, x = kwargs["reverse"], x if kwargs["index"] is None else x[kwargs["index"]]
    h, c, gates = run.forward(x, batch_sizes, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse=reverse, save=True, memo=None, index=None)
    spread = Spread(x.dtype)
    of_input = spread.product(x, w_ih.T)
    for bias in (b_ih, b_hh):
        if bias is not None:
            of_input = of_input + spread.rounded(bias, 2.0)
    v_h, v_c, v_gates = (np.zeros(each.shape) for each in (h, c, gates))
    zeros = np.zeros(h0.shape)
    for step in walk(batch_sizes, reverse):
        v = of_input[step.rows] + spread.product(before(h, h0, step), w_hh.T, before(v_h, zeros, step))
        i, f, g, o = np.split(gates[step.rows].astype(np.float64), GATES, axis=1)
        v_i, v_f, v_g, v_o = np.split(v, GATES, axis=1)
        v_i, v_f, v_o = ((a * (1 - a)) ** 2 * v_a + spread.rounded(a, ULPS) for a, v_a in ((i, v_i), (f, v_f), (o, v_o)))
        v_g = (1 - g * g) ** 2 * v_g + spread.rounded(g, ULPS)
        cell, tanh = before(c, c0, step).astype(np.float64), np.tanh(c[step.rows].astype(np.float64))
        v_c[step.rows] = f * f * before(v_c, zeros, step) + cell**2 * v_f + i * i * v_g + g * g * v_i
        v_c[step.rows] += spread.rounded(f * cell) + spread.rounded(i * g) + spread.rounded(c[step.rows])
        v_h[step.rows] = (o * (1 - tanh**2)) ** 2 * v_c[step.rows] + tanh**2 * v_o + spread.rounded(o * tanh, ULPS)
        v_gates[step.rows] = np.concatenate((v_i, v_f, v_g, v_o), 1)
    return spread.bound(v_h), spread.bound(v_c), spread.bound(v_gates)


def _backward_tolerance(
    dy: Any, dh: Any, dc: Any, batch_sizes: Any, c0: Array, w_ih: Array, w_hh: Array, cells: Array, gates: Array, **kwargs: Any
) -> tuple[Any, ...]:
    from minigrad.kernels.lstm import vectorised

    run: Any = vectorised
    reverse = kwargs["reverse"]
    spread = Spread(cells.dtype)
    v_a, v_h, v_c = np.zeros(gates.shape), np.zeros(c0.shape), np.zeros(c0.shape)
    grad_h, grad_c = (np.zeros(c0.shape) if each is None else each.astype(np.float64) for each in (dh, dc))
    exact = [None if each is None else each.astype(np.float64) for each in (dy, dh, dc, c0, w_ih, w_hh, cells, gates)]
    da = run.backward(*exact[:3], batch_sizes, *exact[3:], reverse=reverse, input_wanted=False, memo=None)[0]
    for step in reversed(walk(batch_sizes, reverse)):
        rows, size = step.rows, step.size
        i, f, g, o = np.split(gates[rows].astype(np.float64), GATES, axis=1)
        tanh, cell = np.tanh(cells[rows].astype(np.float64)), before(cells, c0, step).astype(np.float64)
        dh_here = grad_h[:size] + (0 if dy is None else dy[rows])
        v_dh = v_h[:size] + spread.rounded(dh_here, 2.0)
        # 1 − y of an activation near 1 loses all but the last bits of y: its error is that of y, not of the difference.
        into = dh_here * o * (1 - tanh**2)
        v_dc = v_c[:size] + (o * (1 - tanh**2)) ** 2 * v_dh + spread.rounded(dh_here * o, ULPS) + spread.rounded(into, 2.0)
        dc_here = grad_c[:size] + into
        v_dc = v_dc + spread.rounded(dc_here, 2.0)
        slopes = (i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o))
        factors, parts = (g, cell, i, tanh), ((dc_here, v_dc), (dc_here, v_dc), (dc_here, v_dc), (dh_here, v_dh))
        found = [
            (factor * slope) ** 2 * v + spread.rounded(factor * part, ULPS)
            for slope, factor, (part, v) in zip(slopes, factors, parts, strict=True)
        ]
        v_a[rows] = np.concatenate(found, 1)
        grad_h[:size], grad_c[:size] = da[rows] @ w_hh, dc_here * f
        v_h[:size] = spread.product(da[rows], w_hh, v_a[rows])
        v_c[:size] = f * f * v_dc + spread.rounded(dc_here * f)
    v_x = spread.product(da, w_ih, v_a)
    return spread.bound(v_a), spread.bound(v_h), spread.bound(v_c), spread.bound(v_x)
