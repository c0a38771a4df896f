"""The mean of the weights at the last few checkpoints of a training."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Mapping
from typing import Any

import minigrad
from minigrad import Tensor
from minigrad.errors import ArgumentError, StateError
from minigrad.nn import Module

WHERE = "Latest.load_state_dict"


class Latest:
    """Keeps a module's last few states, and their mean, as an ``average`` of ``Descent``.

    Vaswani et al. 2017, arXiv:1706.03762, section 6.1: translation is better by the mean of the last 5 checkpoints. Where the
    weights jump about a place where the loss is low, the mean is nearer to it (Izmailov et al. 2018, arXiv:1803.05407).

    Args:
        module: whose states are kept.
        count: how many, at least 1.
        every: steps from one to the next, at least 1.

    Raises:
        ArgumentError: a number below 1.

    Example:
        >>> layer = minigrad.nn.Linear(1, 1)
        >>> latest = Latest(layer, count=2, every=1)
        >>> for value in (1.0, 2.0, 4.0):
        ...     _ = minigrad.nn.init.constant_(layer.weight, value)
        ...     latest.update_parameters(layer)
        >>> latest.module.weight.item()
        3.0
    """

    def __init__(self, module: Module, count: int, every: int) -> None:
        for name, number in (("count", count), ("every", every)):
            if type(number) is not int or number < 1:
                raise ArgumentError("Latest", name, "a whole number, at least 1", repr(number))
        self.count, self.every, self.steps = count, every, 0
        self._of, self._mean, self._made = module, copy.deepcopy(module), -1
        self._kept: deque[dict[str, Tensor]] = deque(maxlen=count)

    def update_parameters(self, module: Module) -> None:
        """A step was made: keep the state where it is time to."""
        self._of = module
        self.steps += 1
        if self.steps % self.every == 0:
            self._kept.append({name: tensor.detach().clone() for name, tensor in module.state_dict().items()})

    @property
    def module(self) -> Module:
        """A module with the mean; of the state as it is where none is kept yet."""
        if self._made != self.steps:
            kept = self._kept or [dict(self._of.state_dict())]
            self._mean.load_state_dict({name: _mean([state[name] for state in kept]) for name in kept[-1]})
            self._made = self.steps if self._kept else -1
        return self._mean

    def state_dict(self) -> dict[str, Any]:
        """The states, and how many steps were made."""
        return {"steps": self.steps, "kept": list(self._kept)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` gave.

        Raises:
            StateError: it is of another kind, or of another module.
        """
        try:
            steps, kept = state["steps"], list(state["kept"])
        except (KeyError, TypeError) as error:
            raise StateError(WHERE, "state", "steps and kept states", type(state).__name__) from error
        if type(steps) is not int or steps < 0 or len(kept) > self.count:
            raise StateError(WHERE, "state", f"steps, and at most {self.count} states", f"{steps!r} and {len(kept)}")
        own = self._of.state_dict()
        for one in kept:
            if not isinstance(one, Mapping) or {key: part.shape for key, part in one.items()} != {
                key: part.shape for key, part in own.items()
            }:
                raise StateError(WHERE, "kept", "states of this module", "another's")
        places = {name: part.device for name, part in own.items()}
        self._kept = deque(({name: part.to(places[name]) for name, part in one.items()} for one in kept), maxlen=self.count)
        self.steps, self._made = steps, -1


def _mean(parts: list[Tensor]) -> Tensor:
    """Of numbers that are counted, the last."""
    if not parts[-1].is_floating_point():
        return parts[-1]
    with minigrad.no_grad():
        total = parts[0].to(minigrad.float64)
        for part in parts[1:]:
            total = total + part.to(minigrad.float64)
        return (total / len(parts)).to(parts[-1].dtype)
