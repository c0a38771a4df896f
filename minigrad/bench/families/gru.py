"""The GRU over whole sequences and single steps, to be timed."""

from __future__ import annotations

from collections.abc import Iterator

from minigrad.bench.families import recurrence
from minigrad.bench.families.recurrence import Network
from minigrad.bench.op import Op

NETWORK = Network("gru", 3, 1, {"reverse": False}, (0, 1), True, "gru", blocks=4)


def ops() -> Iterator[Op]:
    """Forward, backward, and the weights' gradients."""
    return recurrence.ops(NETWORK)
