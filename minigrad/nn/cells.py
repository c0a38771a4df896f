"""What the recurrent layers and cells compute: a function for each kind of cell, from a packed batch to all its outputs.

The formulas of one step, and the same composed of other ops, stand in ``minigrad/ops/cells.py``; the ops that do all steps in
one call of a kernel in ``minigrad/ops/recurrent.py``. Another function may stand in a kind's place.
"""

from __future__ import annotations

from collections.abc import Callable

from minigrad.core.tensor import Tensor
from minigrad.ops.cells import State, Weights, gru_step, lstm_step, relu_step, tanh_step
from minigrad.ops.recurrent import gru as gru_sequence
from minigrad.ops.recurrent import lstm as lstm_sequence
from minigrad.ops.recurrent import rnn_relu as relu_sequence
from minigrad.ops.recurrent import rnn_tanh as tanh_sequence

SEQUENCES: dict[str, Callable[..., tuple[Tensor, State]]] = {
    "LSTM": lstm_sequence,
    "GRU": gru_sequence,
    "RNN_TANH": tanh_sequence,
    "RNN_RELU": relu_sequence,
}

__all__ = [
    "SEQUENCES",
    "State",
    "Weights",
    "gru_sequence",
    "gru_step",
    "lstm_sequence",
    "lstm_step",
    "relu_sequence",
    "relu_step",
    "tanh_sequence",
    "tanh_step",
]
