"""The plain recurrent network over a whole packed batch: one layer, one direction (Elman 1990; with relu, Le et al. 2015).

For each row of step t, with x its input and h the state that it begins with::

    h' = f(W_ih x + b_ih + W_hh h + b_hh),  f = tanh or relu

``forward`` gives h' of all rows. ``backward`` goes from the last step to the first, with dh the gradient of h' that arrives
from outputs, last states and the step after::

    da = dh (1 − h'²) for tanh, dh where h' is not 0 for relu;  dh = W_hhᵀ da goes on to the step before;  dx = W_ihᵀ da

and gives da of all rows, from which the gradients to weights are single products: dW_ih = Σ da xᵀ, dW_hh = Σ da hᵀ, db = Σ da.
One step is a batch of one step.

Packed batches, dtypes, memory, sizes of 0 and ``memo`` are as in ``minigrad.kernels.lstm``. An implementation is given
arguments that this file has checked, every keyword among them, and must keep to the same signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.device import Array, quiet
from minigrad.errors import ArgumentError
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
NONLINEARITIES = ("tanh", "relu")


def forward(
    x: Array,
    batch_sizes: Sequence[int],
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None = None,
    b_hh: Array | None = None,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    memo: Memo | None = None,
    index: Array | None = None,
) -> Array:
    """All steps: x (rows, D) to h' (rows, H).

    Args:
        batch_sizes: how many rows each step has; the first is B.
        h0: first states (B, H).
        w_ih, w_hh, b_ih, b_hh: (H, D), (H, H), and (H,) or ``None``.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        reverse: read each sequence from its end.
        memo: see ``minigrad.kernels.lstm``.
        index: (rows,) int64: the input of row k is ``x[index[k]]``, and x (V, D) a table of few vectors, each multiplied once.

    Raises:
        ShapeError: ranks or sizes that do not fit.
        ArgumentError: another nonlinearity, or batch sizes that grow, or do not make as many rows as ``x`` has.
        DTypeError: other than float32 or float64, or two dtypes.
        DeviceError: arrays on two devices.
        IndexingError: a number in ``index`` that names no row of x.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> ones = np.ones((1, 1))
        >>> forward(np.ones((3, 1)), [1, 1, 1], ones, ones, ones, nonlinearity="relu").ravel()
        array([2., 3., 4.])
    """
    check_memo("rnn", memo)
    _check_nonlinearity(nonlinearity)
    device_type, sizes = check_forward(
        "rnn", x, batch_sizes, (("h_0", h0),), w_ih, w_hh, b_ih, b_hh, 1, reverse=reverse, index=index
    )
    with quiet():
        return find("rnn", device_type).forward(
            x, sizes, h0, w_ih, w_hh, b_ih, b_hh, nonlinearity=nonlinearity, reverse=reverse, memo=memo, index=index
        )


def backward(
    dy: Array | None,
    dh: Array | None,
    batch_sizes: Sequence[int],
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    y: Array,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    input_wanted: bool = True,
    memo: Memo | None = None,
) -> tuple[Array, Array, Array | None]:
    """The way back: da (rows, H), the gradient (B, H) to h0, and dx (rows, D) or ``None``.

    Args:
        dy: gradient of all h' (rows, H); ``None`` for zeros.
        dh: gradient of each sequence's last h' (B, H); ``None`` for zeros.
        y: h', as ``forward`` gave it.
        input_wanted: give dx.
        batch_sizes, h0, w_ih, w_hh, nonlinearity, reverse, memo: as for ``forward``.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`forward`.

    Example:
        >>> import numpy as np
        >>> ones = np.ones((1, 1))
        >>> y = forward(np.ones((3, 1)), [1, 1, 1], ones, ones, ones, nonlinearity="relu")
        >>> da, dh, dx = backward(np.ones((3, 1)), None, [1, 1, 1], ones, ones, ones, y, nonlinearity="relu")
        >>> da.ravel(), dh.item()
        (array([3., 2., 1.]), 3.0)
    """
    check_memo("rnn", memo)
    _check_nonlinearity(nonlinearity)
    device_type, sizes = check_backward(
        "rnn",
        batch_sizes,
        (("grad_output", dy), ("grad_h_n", dh)),
        (("h_0", h0),),
        w_ih,
        w_hh,
        (("outputs", y, 1),),
        1,
        reverse=reverse,
        input_wanted=input_wanted,
    )
    with quiet():
        return find("rnn", device_type).backward(
            dy, dh, sizes, h0, w_ih, w_hh, y,
            nonlinearity=nonlinearity, reverse=reverse, input_wanted=input_wanted, memo=memo,
        )  # fmt: skip


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool = True, state_wanted: bool = True
) -> tuple[Array | None, Array | None, Array]:
    """The gradients to the weights: dW_ih (H, D), dW_hh (H, H), each ``None`` where it is not wanted, and Σ da (H,).

    Args:
        da: da of all rows (rows, H), as ``backward`` gave it.
        x: the input of each row (rows, D).
        h: the state that each row began with (rows, H): see ``recurrence.all_before``.
        input_wanted, state_wanted: give dW_ih, dW_hh.

    Raises:
        ShapeError, DTypeError, DeviceError, KernelError: as :func:`forward`.

    Example:
        >>> import numpy as np
        >>> dw_ih, dw_hh, db = grad_weights(np.ones((3, 1)), np.ones((3, 2)), np.ones((3, 1)))
        >>> dw_ih, dw_hh, db
        (array([[3., 3.]]), array([[3.]]), array([3.]))
    """
    device_type = check_grad_weights("rnn", da, x, h, 1, input_wanted=input_wanted, state_wanted=state_wanted)
    with quiet():
        return find("rnn", device_type).grad_weights(da, x, h, input_wanted=input_wanted, state_wanted=state_wanted)


def _check_nonlinearity(nonlinearity: Any) -> None:
    if nonlinearity not in NONLINEARITIES:
        raise ArgumentError("rnn", "nonlinearity", "'tanh' or 'relu'", repr(nonlinearity))


def tolerance(function: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """How far an implementation may be from the reference: a multiple of the rounding errors' standard deviation.

    It is carried through the recurrence as the values are, with the derivative of each function at hand
    (``recurrence.Spread``). A sum near 0 that relu makes 0 in one implementation and not in the other is within the bound of
    forward.
    """
    if function == "grad_weights":
        return weights_tolerance(*args, **kwargs)
    return _forward_tolerance(*args, **kwargs) if function == "forward" else _backward_tolerance(*args, **kwargs)


def _slope(y: Array, nonlinearity: str) -> Array:
    return 1 - y.astype(np.float64) ** 2 if nonlinearity == "tanh" else (y != 0).astype(np.float64)


def _forward_tolerance(
    x: Array, batch_sizes: Any, h0: Array, w_ih: Array, w_hh: Array, b_ih: Any, b_hh: Any, **kwargs: Any
) -> tuple[Any, ...]:
    from minigrad.kernels.rnn import vectorised

    run: Any = vectorised
    x = x if kwargs["index"] is None else x[kwargs["index"]]
    y = run.forward(x, batch_sizes, h0, w_ih, w_hh, b_ih, b_hh, **{**kwargs, "memo": None, "index": None})
    spread, zeros = Spread(x.dtype), np.zeros(h0.shape)
    of_input = spread.product(x, w_ih.T)
    for bias in (b_ih, b_hh):
        if bias is not None:
            of_input = of_input + spread.rounded(bias, 2.0)
    v_y = np.zeros(y.shape)
    for step in walk(batch_sizes, kwargs["reverse"]):
        v = of_input[step.rows] + spread.product(before(y, h0, step), w_hh.T, before(v_y, zeros, step))
        if kwargs["nonlinearity"] == "tanh":
            v = _slope(y[step.rows], "tanh") ** 2 * v + spread.rounded(y[step.rows], ULPS)
        v_y[step.rows] = v
    return (spread.bound(v_y),)


def _backward_tolerance(
    dy: Any, dh: Any, batch_sizes: Any, h0: Array, w_ih: Array, w_hh: Array, y: Array, **kwargs: Any
) -> tuple[Any, ...]:
    from minigrad.kernels.rnn import vectorised

    run: Any = vectorised
    spread = Spread(y.dtype)
    exact = [None if each is None else each.astype(np.float64) for each in (dy, dh, h0, w_ih, w_hh, y)]
    words = {**kwargs, "memo": None, "input_wanted": False}
    da = run.backward(*exact[:2], batch_sizes, *exact[2:], **words)[0]
    v_a, v_h = np.zeros(y.shape), np.zeros(h0.shape)
    grad = np.zeros(h0.shape) if dh is None else dh.astype(np.float64)
    for step in reversed(walk(batch_sizes, kwargs["reverse"])):
        rows, size = step.rows, step.size
        here = grad[:size] + (0 if dy is None else dy[rows])
        slope = _slope(y[rows], kwargs["nonlinearity"])
        v_a[rows] = slope**2 * (v_h[:size] + spread.rounded(here, 2.0)) + spread.rounded(here, ULPS) * (slope != 0)
        grad[:size] = da[rows] @ w_hh
        v_h[:size] = spread.product(da[rows], w_hh, v_a[rows])
    return spread.bound(v_a), spread.bound(v_h), spread.bound(spread.product(da, w_ih, v_a))
