"""The plain recurrent network over whole sequences and single steps, to be timed."""

from __future__ import annotations

from collections.abc import Iterator

from minigrad.bench.families import recurrence
from minigrad.bench.families.recurrence import Network
from minigrad.bench.op import Op

NETWORK = Network("rnn", 1, 1, {"nonlinearity": "tanh", "reverse": False}, (0,), False, "rnn_tanh")


def ops() -> Iterator[Op]:
    """Forward, backward, and the weights' gradients."""
    return recurrence.ops(NETWORK)
