"""The first step that gave no number, kept where the numbers are and asked for now and then."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import minigrad
from minigrad import Tensor
from minigrad.errors import DivergedError
from minigrad.interop.structure import take_apart

EVERY = 16  # steps between two looks: each makes the host wait for the device
REMEDY = "Lower the learning rate (--set lr=...), or look at these samples; the checkpoints are from before"


class Watch:
    """Looks at each step's numbers without waiting for them.

    Args:
        describe: an origin of a batch in words.

    Example:
        >>> watch = Watch(str)
        >>> watch.see(1, {"loss": minigrad.tensor(0.5)}, "samples 1, 2")
        >>> watch.see(2, {"loss": minigrad.tensor(float("nan"))}, "samples 3, 4")
        >>> watch.see(3, {"loss": minigrad.tensor(float("nan"))}, "samples 5, 6")
        >>> try:
        ...     watch.look()
        ... except DivergedError as error:
        ...     print(error.argument, error.got)
        loss nan at step 2, whose batch was samples 3, 4
    """

    def __init__(self, describe: Callable[[Any], str]) -> None:
        self.describe = describe
        self._seen: list[tuple[int, dict[str, Tensor | float], Any]] = []

    def see(self, step: int, numbers: Mapping[str, Tensor | float], origin: Any) -> None:
        """Take note of a step's numbers, and look when it is time.

        Args:
            step: its number.
            numbers: floats, and Tensors of no dimension that no graph hangs on.
            origin: what ``describe`` takes.

        Raises:
            DivergedError: see ``look``.
        """
        self._seen.append((step, dict(numbers), origin))
        if len(self._seen) >= EVERY:
            self.look()

    def look(self) -> None:
        """Wait for the numbers.

        Raises:
            DivergedError: one of the steps since the last look gave nan or inf; the message names the first, and its batch.
        """
        seen, self._seen = self._seen, []
        if _finite([number for _, numbers, _ in seen for number in numbers.values()]):
            return
        for step, numbers, origin in seen:
            for name, number in numbers.items():
                if not math.isfinite(number):
                    words = self.describe(origin) if origin is not None else ""
                    got = f"{float(number)} at step {step}" + (f", whose batch was {words}" if words else "")
                    raise DivergedError("train", name, "a finite number", got, REMEDY)


def _finite(numbers: list[Tensor | float]) -> bool:
    """Whether all are, at the price of one wait for each device."""
    tensors = [number for number in numbers if isinstance(number, Tensor)]
    for device in {tensor.device for tensor in tensors}:
        together = minigrad.stack([tensor for tensor in tensors if tensor.device == device])
        if not minigrad.isfinite(together).all():
            return False
    return all(math.isfinite(number) for number in numbers if not isinstance(number, Tensor))


def not_finite(state: Any) -> set[str]:
    """The names of those tensors and arrays in a state, however it is nested, that hold nan or inf.

    Example:
        >>> not_finite({"a": {"w": minigrad.tensor([1.0, float("nan")])}, "b": [minigrad.ones(2)]})
        {'a.w'}
    """
    arrays, _ = take_apart(state)
    return {name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()}
