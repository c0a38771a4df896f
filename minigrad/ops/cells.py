"""One step of each recurrent cell, and a cell over a whole packed batch, composed of other ops: what the kernels do at once.

The ops of ``recurrent.py`` are differentiated twice through these definitions. The formulas are PyTorch's, gates in its order.

Rows of a packed batch: ``batch_sizes[t]`` of them for step t, sequences that last longer first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minigrad.core.tensor import Tensor
from minigrad.ops.activation import relu
from minigrad.ops.dense import linear
from minigrad.ops.parts import cat

State = tuple[Tensor, ...]


class Weights(NamedTuple):
    """The parameters of one layer in one direction; H is the size of what goes round, G the gates times the cell's size."""

    weight_ih: Tensor  # (G, input size)
    weight_hh: Tensor  # (G, H)
    bias_ih: Tensor | None  # (G,)
    bias_hh: Tensor | None  # (G,)
    weight_hr: Tensor | None = None  # (H, cell's size): the projection of an LSTM's output


Step = Callable[[Tensor, State, Weights], State]


def lstm_step(projected: Tensor, state: State, weights: Weights) -> State:
    """h, c of the next step (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    ``projected`` (B, 4 H) is W_ih x + b_ih. i, f, o = sigmoid, g = tanh of their quarter of projected + W_hh h + b_hh, in the
    order i f g o; c' = f c + i g; h' = o tanh(c').
    """
    hidden, cell = state
    i, f, g, o = (projected + linear(hidden, weights.weight_hh, weights.bias_hh)).chunk(4, 1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    hidden = o.sigmoid() * cell.tanh()
    return (hidden if weights.weight_hr is None else linear(hidden, weights.weight_hr)), cell


def gru_step(projected: Tensor, state: State, weights: Weights) -> State:
    """h of the next step (Cho et al. 2014; the reset gate after the product, as in cuDNN and PyTorch).

    With x the thirds of ``projected`` (B, 3 H) and y those of W_hh h + b_hh, in the order r z n: r = sigmoid(x_r + y_r),
    z = sigmoid(x_z + y_z), n = tanh(x_n + r y_n), h' = n + z (h - n).
    """
    (hidden,) = state
    x_r, x_z, x_n = projected.chunk(3, 1)
    y_r, y_z, y_n = linear(hidden, weights.weight_hh, weights.bias_hh).chunk(3, 1)
    new = (x_n + (x_r + y_r).sigmoid() * y_n).tanh()
    return (new + (x_z + y_z).sigmoid() * (hidden - new),)


def tanh_step(projected: Tensor, state: State, weights: Weights) -> State:
    """h' = tanh(projected + W_hh h + b_hh) (Elman 1990)."""
    return ((projected + linear(state[0], weights.weight_hh, weights.bias_hh)).tanh(),)


def relu_step(projected: Tensor, state: State, weights: Weights) -> State:
    """h' = relu(projected + W_hh h + b_hh) (Le et al. 2015)."""
    return (relu(projected + linear(state[0], weights.weight_hh, weights.bias_hh)),)


def composed(
    step: Step, input: Tensor, batch_sizes: Sequence[int], state: State, weights: Weights, reverse: bool
) -> tuple[Tensor, State]:
    """A cell over all steps of a packed batch: (outputs (rows, H), last state)."""
    projected = linear(input, weights.weight_ih, weights.bias_ih).split(list(batch_sizes))  # all steps in one product
    return (_backward if reverse else _forward)(step, projected, batch_sizes, state, weights)


def _forward(step: Any, projected: Any, batch_sizes: Sequence[int], state: State, weights: Weights) -> tuple[Tensor, State]:
    outputs = []
    finished: list[State] = []  # the last state of sequences that have ended, the shortest first
    rows = batch_sizes[0]
    for size, rows_in in zip(batch_sizes, projected, strict=True):
        if size < rows:
            finished.append(tuple([part[size:] for part in state]))
            state = tuple([part[:size] for part in state])
            rows = size
        state = step(rows_in, state, weights)
        outputs.append(state[0])
    if finished:
        state = tuple([cat(parts) for parts in zip(state, *reversed(finished), strict=True)])
    return cat(outputs), state


def _backward(step: Any, projected: Any, batch_sizes: Sequence[int], state: State, weights: Weights) -> tuple[Tensor, State]:
    outputs = []
    first, rows = state, batch_sizes[-1]
    if rows < batch_sizes[0]:
        state = tuple([part[:rows] for part in first])
    for size, rows_in in zip(reversed(batch_sizes), reversed(projected), strict=True):
        if size > rows:  # shorter sequences begin here, at their own end
            state = tuple([cat((part, start[rows:size])) for part, start in zip(state, first, strict=True)])
            rows = size
        state = step(rows_in, state, weights)
        outputs.append(state[0])
    return cat(outputs[::-1]), state


__all__: list[str] = []
