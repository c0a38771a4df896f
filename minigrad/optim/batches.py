"""The parameters of a group with their gradients and states, as the kernels of an update take them: all in one call.

Finding and checking hundreds of arrays at each step would cost small models more than the arithmetic. What was found is kept,
and at the next step it is only seen whether each array is still the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import is_
from typing import Any

import numpy as np

from minigrad.core.device import SEVERAL, Array, device_of, follow
from minigrad.core.tensor import Tensor
from minigrad.kernels.update import Held, hold

Begin = Callable[[Tensor, dict[str, Any]], bool]


class Batch:
    """Parameters of one dtype on one device, with what belongs to them in the same order.

    Attributes:
        members: the parameters.
        params, grads: their arrays, and those of their gradients.
        states: the arrays of each state that was asked for.
        fresh: for each parameter whether one of its states was made now.
    """

    __slots__ = ("_dicts", "_owned", "fresh", "grads", "members", "params", "states")
    params: Held
    states: Sequence[Held]
    grads: Sequence[Array]

    def __init__(self, members: list[Tensor], dicts: list[dict[str, Any]], names: Sequence[str], begin: Begin) -> None:
        self.fresh = tuple([begin(p, state) for p, state in zip(members, dicts, strict=True)])
        self.members, self._dicts = members, dicts
        self._owned = [[p.array for p in members], *[[state[name].array for state in dicts] for name in names]]
        if self._owned[0][0].dtype != np.float16:
            self._hold(self._owned)

    def _hold(self, arrays: list[list[Array]]) -> None:
        self.params, *self.states = hold("step", **{f"state {i}" if i else "params": each for i, each in enumerate(arrays)})

    def count(self) -> list[int]:
        """One step more for each parameter; their numbers."""
        steps = []
        for state in self._dicts:
            state["step"] = step = state["step"] + 1
            steps.append(step)
        return steps

    def still(self, dicts: list[dict[str, Any]], names: Sequence[str]) -> bool:
        """Whether these are the parameters' states still, and all arrays those that were held."""
        own = self._owned
        if not all(map(is_, [p.array for p in self.members], own[0])) or not all(map(is_, dicts, self._dicts)):
            return False
        try:
            for name, arrays in zip(names, own[1:]):
                if not all(map(is_, [state[name].array for state in dicts], arrays)):
                    return False
        except (KeyError, AttributeError):  # a state was taken away, or is None
            return False
        return True

    def given(self, grads: list[Tensor]) -> Iterator[Batch]:
        """Itself with these gradients. Parameters of float16, which is for storage, are computed in float32 copies."""
        self.grads = [grad.array for grad in grads]
        half = self._owned[0][0].dtype == np.float16
        if half:
            self.grads = [grad.astype(np.float32) for grad in self.grads]
            self._hold([[array.astype(np.float32) for array in arrays] for arrays in self._owned])
        if SEVERAL:
            follow(self._owned[0])
        yield self
        self.grads = ()
        if half:
            for arrays, wide in zip(self._owned, (self.params, *self.states), strict=True):
                for array, result in zip(arrays, wide, strict=True):
                    array[...] = result
            self.params, self.states = Held(), ()


class Batches:
    """The batches of an optimiser's groups, kept from step to step. A copy of the optimiser finds its own."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Any, Sequence[str], list[int], Batch]] = {}  # by the id of the group

    def of(
        self, group: dict[str, Any], grads: dict[Tensor, Tensor], states: dict[Tensor, dict[str, Any]], names: Sequence[str],
        begin: Begin,
    ) -> Iterator[Batch]:  # fmt: skip
        """The parameters of a group that have a gradient, in batches.

        Args:
            group: one of the optimiser's.
            grads: the gradients, all dense, by parameter.
            states: the optimiser's, of all parameters.
            names: the states that are wanted.
            begin: makes the states that a parameter does not have yet, and says whether there were any.
        """
        if not grads:
            return
        members = list(grads)
        ids, dicts = list(map(id, members)), [states[p] for p in members]
        kept = self._kept.get(id(group))
        if kept is not None and kept[0] is group and kept[1] == names and kept[2] == ids and kept[3].still(dicts, names):
            kept[3].fresh = (False,) * len(ids)
            yield from kept[3].given(list(grads.values()))
            return
        alike: dict[Any, list[Tensor]] = {}
        for p in members:
            alike.setdefault((p.array.dtype, device_of(p.array)), []).append(p)
        for some in alike.values():
            batch = Batch(some, [states[p] for p in some], names, begin)
            if len(alike) == 1:
                self._kept[id(group)] = (group, names, ids, batch)
            yield from batch.given([grads[p] for p in some])

    def __deepcopy__(self, memo: dict) -> Batches:
        return Batches()

    def __reduce__(self) -> tuple:
        return Batches, ()
