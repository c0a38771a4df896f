"""The first step that gave no number, kept where the numbers are and asked for now and then."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import minigrad
from minigrad import Tensor
from minigrad.errors import DivergedError

EVERY = 16  # steps between two looks: each makes the host wait for the device
_NEVER = 2**62


class Watch:
    """Looks at each step's numbers without waiting for them.

    Args:
        describe: an origin of a batch in words.

    Example:
        >>> watch = Watch(str)
        >>> watch.see(1, [minigrad.tensor(0.5)], "samples 1, 2")
        >>> watch.see(2, [minigrad.tensor(float("nan"))], "samples 3, 4")
        >>> watch.see(3, [minigrad.tensor(float("nan"))], "samples 5, 6")
        >>> try:
        ...     watch.look()
        ... except DivergedError as error:
        ...     print(error.got)
        nan or inf at step 2, whose batch was samples 3, 4
    """

    def __init__(self, describe: Callable[[Any], str]) -> None:
        self.describe = describe
        self._first: Any = None
        self._origins: deque[tuple[int, Any]] = deque(maxlen=EVERY)
        self._seen = 0

    def see(self, step: int, numbers: Iterable[Tensor | float], origin: Any) -> None:
        """Take note of a step's numbers, and look when it is time.

        Raises:
            DivergedError: see ``look``.
        """
        self._origins.append((step, origin))
        total: Any = sum(number.detach().sum() if isinstance(number, Tensor) else number for number in numbers)
        total = minigrad.as_tensor(total)  # a sum of numbers is finite only if each is; two infinities make a nan
        here = minigrad.where(minigrad.isfinite(total), _NEVER, step)
        self._first = here if self._first is None else minigrad.minimum(self._first, here)
        self._seen += 1
        if self._seen >= EVERY:
            self.look()

    def look(self) -> None:
        """Wait for the numbers.

        Raises:
            DivergedError: one of the steps since the last look gave nan or inf; the message names the first, and its batch.
        """
        first = _NEVER if self._first is None else int(self._first)
        self._first, self._seen = None, 0
        if first == _NEVER:
            return
        origin = next((origin for step, origin in self._origins if step == first), None)
        words = self.describe(origin) if origin is not None else ""
        raise DivergedError(
            "train", "loss", "a finite number",
            f"nan or inf at step {first}" + (f", whose batch was {words}" if words else ""),
            "Lower the learning rate (--set lr=...), or look at these samples; the checkpoints are from before",
        )  # fmt: skip
