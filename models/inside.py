"""What goes on inside a model of text: gates and cells of every unit, character by character.

A recurrent layer gives its hidden state alone. What stood behind it follows from its input, its state before and its weights,
by the formulas of ``minigrad.kernels.lstm`` and ``minigrad.kernels.gru``, for all characters at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from minigrad import Tensor
from minigrad.models.writer import CHUNK, Writer

SIGNALS = {
    "lstm": ("cell", "hidden", "input gate", "forget gate", "candidate", "output gate"),
    "gru": ("hidden", "reset gate", "update gate", "candidate"),
    "rnn": ("hidden",),
}  # of each kind of layer, that which remembers first; "cell" is tanh c
SIGNED = ("cell", "hidden", "candidate")  # from -1 to 1; the others from 0 to 1


class Piece(NamedTuple):
    """Some characters of a text, and what they did.

    Attributes:
        start: the number of the first.
        logits: float64 (T, V), of what comes after each.
        layers: of each layer every signal after each character, float32 (T, H) by name.
    """

    start: int
    logits: np.ndarray
    layers: list[dict[str, np.ndarray]]


def pieces(writer: Writer, ids: np.ndarray) -> Iterator[Piece]:
    """Go through a text of any length.

    Args:
        writer: the model.
        ids: int64 (n,), the numbers of the characters.

    Example:
        >>> from minigrad.data.characters import Characters
        >>> from minigrad.models.char_lstm import Card
        >>> options = {"cell": "gru", "hidden": 8, "layers": 2, "embedding": 0, "dropout": 0.0, "layer_norm": False}
        >>> card = Card(Characters("ab"), {**options, "tied": False}, 16)
        >>> piece, = pieces(Writer(card, card.build()), np.array([0, 1, 1]))
        >>> {name: values.shape for name, values in piece.layers[1].items()}
        {'hidden': (3, 8), 'reset gate': (3, 8), 'update gate': (3, 8), 'candidate': (3, 8)}
    """
    cell, layers, state = writer.network.cell, list(writer.network.layers), None
    for start in range(0, len(ids), CHUNK):
        seen: list[tuple[Any, Any]] = []
        with _watched(layers, seen):
            logits, state = writer.forward(ids[start : start + CHUNK, None], state)
        found = [
            _signals(cell, layer, inputs[0], inputs[1], output[0]) for layer, (inputs, output) in zip(layers, seen, strict=True)
        ]
        yield Piece(start, logits[:, 0], found)


@contextmanager
def _watched(layers: list[Any], seen: list[tuple[Any, Any]]) -> Iterator[None]:
    """Note what each layer is given and gives."""
    handles = [layer.register_forward_hook(lambda module, inputs, output: seen.append((inputs, output))) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _signals(cell: str, layer: Any, rows: Tensor, first: Any, outputs: Tensor) -> dict[str, np.ndarray]:
    """Every signal of a layer, from its input (T, 1, E), its first state and its outputs (T, 1, H)."""
    x, y = (_array(each)[:, 0] for each in (rows, outputs))
    if cell == "rnn":
        return {"hidden": y}
    states = [np.zeros_like(y[:1])] * 2 if first is None else [_array(each)[0] for each in _tuple(first)]
    before = np.concatenate([states[0], y[:-1]])
    of_input = x @ _array(layer.weight_ih_l0).T + _array(layer.bias_ih_l0)
    of_state = before @ _array(layer.weight_hh_l0).T + _array(layer.bias_hh_l0)
    if cell == "gru":
        (r_x, z_x, n_x), (r_h, z_h, n_h) = (np.split(each, 3, axis=1) for each in (of_input, of_state))
        reset, update = _sigmoid(r_x + r_h), _sigmoid(z_x + z_h)
        return dict(zip(SIGNALS["gru"], (y, reset, update, np.tanh(n_x + reset * n_h))))
    i, f, g, o = np.split(of_input + of_state, 4, axis=1)
    i, f, o, g = _sigmoid(i), _sigmoid(f), _sigmoid(o), np.tanh(g)
    cells, c = np.empty_like(y), states[1][0]
    for t in range(len(y)):
        c = cells[t] = f[t] * c + i[t] * g[t]
    return dict(zip(SIGNALS["lstm"], (np.tanh(cells), y, i, f, g, o)))


def _tuple(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return (1 + np.tanh(x / 2)) / 2  # without overflow
