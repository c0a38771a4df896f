"""What tests of gathered weight gradients share: what is gathered, gradients as arrays, and two lists of them compared."""

from __future__ import annotations

from typing import Any

import pytest

from minigrad.ops import step_weights
from tests.harness import difference


def pieces_gathered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pieces are made one gradient, each time: a list that grows."""
    made: list[int] = []
    before = step_weights.gathered

    def watched(node: Any, pieces: list[Any], need: Any) -> Any:
        made.append(len(pieces))
        return before(node, pieces, need)

    monkeypatch.setattr(step_weights, "gathered", watched)
    return made


def grads(*tensors: Any) -> list[Any]:
    """Copies of the gradients that Tensors hold, ``None`` where there is none."""
    return [None if each.grad is None else each.grad.numpy().copy() for each in tensors]


def assert_alike(found: list[Any], wanted: list[Any], within: float = 1e-12) -> None:
    """As many of both, ``None`` in the same places, and no relative difference above ``within``."""
    assert len(found) == len(wanted) and found
    for place, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        assert (ours is None) == (theirs is None), place
        if ours is not None:
            assert difference(ours, theirs) <= within, place
