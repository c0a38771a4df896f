"""The gated recurrent unit over a whole packed batch: one layer, one direction (Cho et al. 2014, as in cuDNN and PyTorch).

For each row of step t, with x its input and h the state that it begins with::

    r, z = 1 / (1 + e^-a) of a = W_i x + b_i + W_h h + b_h, of their third of the weights
    m    = W_hn h + b_hn
    n    = tanh(W_in x + b_in + r m)
    h'   = n + z (h − n)

with the thirds of W_ih and W_hh in the order r z n. ``forward`` gives h' of all rows, and r z n m, the gates. ``backward`` goes
from the last step to the first, with dh the gradient of h' that arrives from outputs, last states and the step after::

    da_n = dh (1 − z) (1 − n²);  da_r = da_n m r (1 − r);  da_z = dh (h − n) z (1 − z);  dm = da_n r
    dh z + W_hhᵀ (da_r, da_z, dm) goes on to the step before;  dx = W_ihᵀ (da_r, da_z, da_n)

and gives da_r, da_z, da_n and dm of all rows, from which the gradients to weights are single products: dW_ih = Σ (da_r, da_z,
da_n) xᵀ, dW_hh = Σ (da_r, da_z, dm) hᵀ. One step is a batch of one step.

Packed batches, dtypes, memory, sizes of 0 and ``memo`` are as in ``minigrad.kernels.lstm``. An implementation is given
arguments that this file has checked, every keyword among them, and must keep to the same signatures.
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
GATES = 3  # of the weights; the saved ones are four, with m


def forward(
    x: Array,
    batch_sizes: Sequence[int],
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
    *,
    reverse: bool = False,
    save: bool = True,
    memo: Memo | None = None,
    index: Array | None = None,
) -> tuple[Array, Array | None]:
    """All steps: x (rows, D) to h' (rows, H) and the gates (rows, 4 H).

    Args:
        batch_sizes: how many rows each step has; the first is B.
        h0: first states (B, H).
        w_ih, w_hh, b_ih, b_hh: (3 H, D), (3 H, H), and (3 H,) or ``None``.
        reverse: read each sequence from its end.
        save: give the gates, which ``backward`` needs; else ``None``.
        memo: see ``minigrad.kernels.lstm``.
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
        >>> h, gates = forward(np.ones((2, 1)), [1, 1], np.zeros((1, 1)), np.ones((3, 1)), np.zeros((3, 1)))
        >>> h.round(3), gates.shape
        (array([[0.205],
               [0.355]]), (2, 4))
    """
    check_memo("gru", memo)
    device_type, sizes = check_forward(
        "gru", x, batch_sizes, (("h_0", h0),), w_ih, w_hh, b_ih, b_hh, GATES, reverse=reverse, save=save, index=index
    )
    with quiet():
        return find("gru", device_type).forward(
            x, sizes, h0, w_ih, w_hh, b_ih, b_hh, reverse=reverse, save=save, memo=memo, index=index
        )


def backward(
    dy: Array | None,
    dh: Array | None,
    batch_sizes: Sequence[int],
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    y: Array,
    gates: Array,
    *,
    reverse: bool = False,
    input_wanted: bool = True,
    memo: Memo | None = None,
) -> tuple[Array, Array, Array | None]:
    """The way back: da_r, da_z, da_n, dm together (rows, 4 H), the gradient (B, H) to h0, and dx (rows, D) or ``None``.

    Args:
        dy: gradient of all h' (rows, H); ``None`` for zeros.
        dh: gradient of each sequence's last h' (B, H); ``None`` for zeros.
        y, gates: h' and the gates, as ``forward`` gave them.
        input_wanted: give dx.
        batch_sizes, h0, w_ih, w_hh, reverse, memo: as for ``forward``.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`forward`.

    Example:
        >>> import numpy as np
        >>> zeros, w = np.zeros((1, 1)), np.ones((3, 1))
        >>> y, gates = forward(np.ones((1, 1)), [1], zeros, w, w)
        >>> da, dh, dx = backward(np.ones((1, 1)), None, [1], zeros, w, w, y, gates)
        >>> da.round(3), (dx == da[:, :3].sum()).item()
        (array([[ 0.   , -0.15 ,  0.113,  0.083]]), True)
    """
    check_memo("gru", memo)
    device_type, sizes = check_backward(
        "gru",
        batch_sizes,
        (("grad_output", dy), ("grad_h_n", dh)),
        (("h_0", h0),),
        w_ih,
        w_hh,
        (("outputs", y, 1), ("gates", gates, GATES + 1)),
        GATES,
        reverse=reverse,
        input_wanted=input_wanted,
    )
    with quiet():
        return find("gru", device_type).backward(
            dy, dh, sizes, h0, w_ih, w_hh, y, gates, reverse=reverse, input_wanted=input_wanted, memo=memo
        )


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool = True, state_wanted: bool = True
) -> tuple[Array | None, Array | None, Array]:
    """The gradients to the weights: dW_ih (3 H, D), dW_hh (3 H, H), each ``None`` where it is not wanted, and Σ da (4 H,).

    Args:
        da: da_r, da_z, da_n and dm of all rows (rows, 4 H), as ``backward`` gave it.
        x: the input of each row (rows, D).
        h: the state that each row began with (rows, H): see ``recurrence.all_before``.
        input_wanted, state_wanted: give dW_ih, dW_hh.

    Raises:
        ShapeError, DTypeError, DeviceError, KernelError: as :func:`forward`.

    Example:
        >>> import numpy as np
        >>> dw_ih, dw_hh, db = grad_weights(np.array([[1.0, 2.0, 3.0, 4.0]]), np.ones((1, 2)), np.ones((1, 1)))
        >>> dw_ih[:, 0], dw_hh[:, 0], db
        (array([1., 2., 3.]), array([1., 2., 4.]), array([1., 2., 3., 4.]))
    """
    device_type = check_grad_weights("gru", da, x, h, GATES + 1, input_wanted=input_wanted, state_wanted=state_wanted)
    with quiet():
        return find("gru", device_type).grad_weights(da, x, h, input_wanted=input_wanted, state_wanted=state_wanted)


def tolerance(function: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """How far an implementation may be from the reference: a multiple of the rounding errors' standard deviation.

    It is carried through the recurrence as the values are, with the derivative of each function at hand
    (``recurrence.Spread``).
    """
    if function == "grad_weights":
        return weights_tolerance(*args, **kwargs, of_input=_of_input, of_state=_of_state)
    return _forward_tolerance(*args, **kwargs) if function == "forward" else _backward_tolerance(*args, **kwargs)


def _of_input(da: Array) -> Array:
    return da[:, : da.shape[1] // 4 * 3]


def _of_state(da: Array) -> Array:
    return np.concatenate((da[:, : da.shape[1] // 2], da[:, da.shape[1] // 4 * 3 :]), axis=1)


def _quarters(gates: Array) -> tuple[Array, ...]:
    return tuple(np.split(gates.astype(np.float64), GATES + 1, axis=1))


def _forward_tolerance(
    x: Array, batch_sizes: Any, h0: Array, w_ih: Array, w_hh: Array, b_ih: Any, b_hh: Any, **kwargs: Any
) -> tuple[Any, ...]:
    from minigrad.kernels.gru import vectorised

    run: Any = vectorised
    reverse, x = kwargs["reverse"], x if kwargs["index"] is None else x[kwargs["index"]]
    y, gates = run.forward(x, batch_sizes, h0, w_ih, w_hh, b_ih, b_hh, reverse=reverse, save=True, memo=None, index=None)
    spread, hidden = Spread(x.dtype), h0.shape[1]
    of_input = spread.product(x, w_ih.T) + (0 if b_ih is None else spread.rounded(b_ih, 2.0))
    of_bias = 0 if b_hh is None else spread.rounded(b_hh, 2.0)
    v_y, v_gates, zeros = np.zeros(y.shape), np.zeros(gates.shape), np.zeros(h0.shape)
    for step in walk(batch_sizes, reverse):
        rows, start, v_start = step.rows, before(y, h0, step).astype(np.float64), before(v_y, zeros, step)
        v_hidden = spread.product(start, w_hh.T, v_start) + of_bias
        v_rz = of_input[rows, : 2 * hidden] + v_hidden[:, : 2 * hidden]
        r, z, n, m = _quarters(gates[rows])
        v_r, v_z, v_m = v_rz[:, :hidden], v_rz[:, hidden:], v_hidden[:, 2 * hidden :]
        v_r, v_z = ((a * (1 - a)) ** 2 * v + spread.rounded(a, ULPS) for a, v in ((r, v_r), (z, v_z)))
        v_n = of_input[rows, 2 * hidden :] + r * r * v_m + m * m * v_r + spread.rounded(r * m, 2.0)
        v_n = (1 - n * n) ** 2 * v_n + spread.rounded(n, ULPS)
        v_y[rows] = (1 - z) ** 2 * v_n + z * z * v_start + (start - n) ** 2 * v_z
        v_y[rows] += spread.rounded(n) + spread.rounded(z * start, 2.0) + spread.rounded(z * n, 2.0)
        v_gates[rows] = np.concatenate((v_r, v_z, v_n, v_m), 1)
    return spread.bound(v_y), spread.bound(v_gates)


def _backward_tolerance(
    dy: Any, dh: Any, batch_sizes: Any, h0: Array, w_ih: Array, w_hh: Array, y: Array, gates: Array, **kwargs: Any
) -> tuple[Any, ...]:
    from minigrad.kernels.gru import vectorised

    run: Any = vectorised
    reverse = kwargs["reverse"]
    spread, hidden = Spread(y.dtype), h0.shape[1]
    exact = [None if each is None else each.astype(np.float64) for each in (dy, dh, h0, w_ih, w_hh, y, gates)]
    da = run.backward(*exact[:2], batch_sizes, *exact[2:], reverse=reverse, input_wanted=False, memo=None)[0]
    side = [*range(2 * hidden), *range(3 * hidden, 4 * hidden)]  # r z m, the columns of the hidden state's side
    v_a, v_h = np.zeros(gates.shape), np.zeros(h0.shape)
    grad = np.zeros(h0.shape) if dh is None else dh.astype(np.float64)
    for step in reversed(walk(batch_sizes, reverse)):
        rows, size = step.rows, step.size
        r, z, n, m = _quarters(gates[rows])
        start = before(y, h0, step).astype(np.float64)
        here = grad[:size] + (0 if dy is None else dy[rows])
        v = v_h[:size] + spread.rounded(here, 2.0)
        slope = (1 - z) * (1 - n * n)
        v_n = slope**2 * v + spread.rounded(here, ULPS) * (1 - n * n) ** 2 + spread.rounded(here * (1 - z), ULPS)
        factor = m * r * (1 - r)
        v_r = factor**2 * v_n + spread.rounded(here * slope * m * r, ULPS)
        v_z = ((start - n) * z * (1 - z)) ** 2 * v + spread.rounded(here * z * (abs(start) + abs(n)), ULPS)
        v_m = r * r * v_n + spread.rounded(here * slope * r)
        v_a[rows] = np.concatenate((v_r, v_z, v_n, v_m), 1)
        grad[:size] = here * z + da[rows][:, side] @ w_hh
        v_h[:size] = z * z * v + spread.rounded(here * z, 2.0) + spread.rounded(grad[:size])
        v_h[:size] += spread.product(da[rows][:, side], w_hh, v_a[rows][:, side])
    v_x = spread.product(da[:, : 3 * hidden], w_ih, v_a[:, : 3 * hidden])
    return spread.bound(v_a), spread.bound(v_h), spread.bound(v_x)
