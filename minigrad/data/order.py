"""What must be known about a sampler to take its numbers again in the same order."""

from __future__ import annotations

import copy
from typing import Any

from minigrad.core.random import Generator, default_generator
from minigrad.errors import ArgumentError, StateError


def save_order(where: str, order: Any) -> dict[str, Any]:
    """The state from which ``order`` gives the numbers that it is about to give: what its ``state_dict`` says; of a sequence,
    which always gives the same, nothing.

    Raises:
        ArgumentError: nothing says how it can be had again.

    Example:
        >>> save_order("state_dict", [3, 1, 2])
        {}
    """
    if hasattr(order, "state_dict"):
        return copy.deepcopy(order.state_dict())
    if hasattr(order, "__getitem__") and hasattr(order, "__len__"):
        return {}
    raise ArgumentError(
        where,
        "the order of the samples",
        "one that can be had again: a sequence, or something with state_dict() and load_state_dict(state)",
        f"a {type(order).__name__}",
        "Write both methods; where each pass is the same, they give and take {}",
    )


def load_order(where: str, order: Any, state: Any) -> None:
    """Take ``order`` to a state that ``save_order`` gave.

    Raises:
        StateError: the state is that of something else.
    """
    if hasattr(order, "load_state_dict"):
        order.load_state_dict(copy.deepcopy(state))
    elif state != {}:
        raise StateError(where, "order", f"nothing, as a {type(order).__name__} always gives the same", repr(state))


def save_generator(where: str, generator: Generator | None) -> dict[str, Any]:
    """The state of a sampler whose order is a function of its generator's.

    Raises:
        ArgumentError: it is the process's, from which others draw too.
    """
    if generator is None or generator is default_generator:
        remedy = "Pass generator=minigrad.Generator().manual_seed(seed)"
        raise ArgumentError(
            where, "generator", "one for the order alone, so that its place can be saved", "that of the process", remedy
        )
    return {"generator": generator.get_state()}


def load_generator(where: str, generator: Generator | None, state: Any) -> None:
    """Take the generator of a sampler to a state that ``save_generator`` gave.

    Raises:
        ArgumentError: it is the process's, from which others draw too.
        StateError: it is no such state.
    """
    save_generator(where, generator)
    if not isinstance(state, dict) or state.keys() != {"generator"}:
        raise StateError(where, "order", "a dict with the key 'generator', as of a random order", repr(state))
    if generator is not None:
        generator.set_state(state["generator"])


__all__ = ["load_generator", "load_order", "save_generator", "save_order"]
