"""Ways through a long text: many places of it side by side to learn from, and each character once to measure by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minigrad.core.hints import checked
from minigrad.core.tensor import Tensor
from minigrad.data.ids import Ids
from minigrad.errors import ArgumentError, DataError, StateError
from minigrad.ops.dims import count_of

_KEYS = ("epoch", "pieces", "size", "batch", "steps")
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: its multiples lie evenly among all numbers of 64 bits
_LONG = 8  # pieces of a lane, at least, that is measured: few characters are then predicted with little before them


class Lanes:
    """A loader for truncated backpropagation through time: goes through a text in ``batch`` lanes at once, from left to right.

    Each lane is a stretch of the text. A pass gives piece after piece: ``(tokens, fresh)``, with tokens an int64 Tensor
    (steps + 1, batch), of which the first ``steps`` rows are read and the last ``steps`` predicted, so that the last row comes
    again as the first of the next piece. ``fresh`` tells that the network's state must begin anew: at the beginning of a pass.

    A pass holds ``len(lanes)`` whole pieces. What is left over, fewer than ``steps * batch`` characters, is left out; it is
    another part of the text in each pass, as the lanes begin up to so many characters later: by no chance, as the number of
    the pass says. In memory is one piece.

    As with ``DataLoader``, ``iter()`` begins a pass, ``epoch`` is its number, and ``state_dict()`` is the place reached; loaded
    into lanes of the same text and sizes, the next ``iter()`` goes on with the piece after it (and ``fresh`` is ``False``, as
    the state of the network then is that of the piece before).

    Args:
        ids: the text.
        batch: lanes.
        steps: characters of a lane in a piece.

    Raises:
        ArgumentError: a size below 1.
        DataError: a text too short for one piece.

    Example:
        >>> lanes = Lanes(Ids(np.arange(8, dtype=np.uint8), [("a", 0, 8)]), batch=2, steps=3)
        >>> for tokens, fresh in lanes:
        ...     print(tokens.tolist(), fresh)
        [[0, 3], [1, 4], [2, 5], [3, 6]] True
    """

    @checked
    def __init__(self, ids: Ids, batch: int, steps: int) -> None:
        self.ids = ids
        self.batch, self.steps = count_of("Lanes", "batch", batch), count_of("Lanes", "steps", steps)
        self._count, self._spare = divmod(len(ids) - 1, self.batch * self.steps)
        if len(ids) - 1 < self.batch * self.steps:
            expected = f"at least {self.batch * self.steps + 1:,} characters: {steps:,} for each of {batch:,} lanes, and one"
            remedy = "Give more text, or take shorter sequences or fewer at once"
            raise DataError("data", "text", expected, f"{len(ids):,}", remedy)
        self.epoch, self._done, self._begun = 0, 0, False

    def __len__(self) -> int:
        """Pieces of a pass."""
        return self._count

    def state_dict(self) -> dict[str, Any]:
        """The place reached: passes that are over, pieces of the next handed out, and of what lanes it is.

        Example:
            >>> ids = Ids(np.arange(100, dtype=np.uint8), [("a", 0, 100)])
            >>> lanes, again = Lanes(ids, 2, 5), Lanes(ids, 2, 5)
            >>> _ = next(iter(lanes))
            >>> again.load_state_dict(lanes.state_dict())
            >>> tokens, fresh = next(iter(again))
            >>> tokens[0].tolist(), fresh
            ([5, 50], False)
        """
        return dict(zip(_KEYS, (self.epoch, self._done, len(self.ids), self.batch, self.steps), strict=True))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a place that ``state_dict`` gave.

        Raises:
            StateError: it is no such state, or that of another text or other sizes. The lanes are as they were.
        """
        where = "load_state_dict"
        if not isinstance(state, Mapping) or set(state) != set(_KEYS):
            got = f"the keys {sorted(map(str, state))}" if isinstance(state, Mapping) else f"a {type(state).__name__}"
            raise StateError(where, "state", f"a dict with the keys {', '.join(_KEYS)}, as state_dict gives", got)
        for key, value in state.items():
            if type(value) is not int or value < 0:
                raise StateError(where, key, "a whole number, 0 or more", repr(value))
        for key, ours in zip(_KEYS[2:], (len(self.ids), self.batch, self.steps), strict=True):
            if state[key] != ours:
                remedy = "Give the lanes the text and the sizes that they had when the state was saved"
                raise StateError(where, key, f"{ours:,}, as these lanes have", f"{state[key]:,}", remedy)
        if state["pieces"] > len(self):
            raise StateError(where, "pieces", f"at most {len(self)}, the pieces of a pass", str(state["pieces"]))
        self.epoch, self._done, self._begun = state["epoch"], state["pieces"], False

    def __iter__(self) -> Iterator[tuple[Tensor, bool]]:
        if self._begun:
            self.epoch, self._done = self.epoch + 1, 0
        self._begun = True
        return self._pieces(self.epoch)

    def _pieces(self, epoch: int) -> Iterator[tuple[Tensor, bool]]:
        length = self._count * self.steps
        first = self._first(epoch) + length * np.arange(self.batch)
        places = first + np.arange(self.steps + 1)[:, None]
        while self._done < self._count and self.epoch == epoch:
            number = self._done
            self._done += 1
            yield Tensor._wrap(self.ids[places + number * self.steps]), number == 0
        if self.epoch == epoch:
            self.epoch, self._done, self._begun = epoch + 1, 0, False

    def _first(self, epoch: int) -> int:
        """Where the first lane begins in a pass: at 0 in the first, then evenly among the characters that are to spare."""
        return (epoch * _GOLDEN % (1 << 64)) * (self._spare + 1) >> 64

    def start_of(self, piece: int, lane: int) -> int:
        """The place in the text where a lane begins in a piece of the pass under way: for one who wants to say where.

        Raises:
            ArgumentError: there is no such piece or lane.
        """
        if not (0 <= piece < self._count and 0 <= lane < self.batch):
            expected = f"a piece below {self._count} and a lane below {self.batch}"
            raise ArgumentError("Lanes", "piece, lane", expected, f"{piece}, {lane}")
        return self._first(self.epoch) + (lane * self._count + piece) * self.steps


@checked
def pieces(ids: Ids, batch: int, steps: int) -> Iterator[tuple[Tensor, bool]]:
    """A text in pieces as ``Lanes`` gives them, to measure by: each character but the first is predicted exactly once.

    There are fewer lanes than ``batch`` where the text is short, so that each is at least eight pieces long: of every lane but
    one, the first characters are predicted without those before them. The last piece has fewer steps; the fewer than ``batch``
    characters that are then left over come in one lane, ``fresh``.

    Args:
        ids: the text.
        batch: lanes, at most.
        steps: characters of a lane in a piece, at most.

    Yields:
        ``(tokens, fresh)``: int64 (steps + 1, lanes), and whether the network's state must begin anew.

    Raises:
        ArgumentError: a size below 1.
        DataError: a text of fewer than 2 characters.

    Example:
        >>> ids = Ids(np.arange(6, dtype=np.uint8), [("a", 0, 6)])
        >>> [(tokens.tolist(), fresh) for tokens, fresh in pieces(ids, batch=1, steps=3)]
        [([[0], [1], [2], [3]], True), ([[3], [4], [5]], False)]
    """
    batch, steps = count_of("pieces", "batch", batch), count_of("pieces", "steps", steps)
    count = len(ids) - 1
    if count < 1:
        raise DataError("data", "text", "at least 2 characters: the first is read, the second predicted", str(len(ids)))
    return _once(ids, max(1, min(batch, count // (_LONG * steps))), steps, count)


def _once(ids: Ids, lanes: int, steps: int, count: int) -> Iterator[tuple[Tensor, bool]]:
    length = count // lanes
    first = length * np.arange(lanes)
    for start in range(0, length, steps):
        rows = np.arange(min(steps, length - start) + 1)[:, None]
        yield Tensor._wrap(ids[first + start + rows]), start == 0
    if lanes * length < count:
        yield Tensor._wrap(ids[lanes * length :][:, None]), True


__all__ = ["Lanes", "pieces"]
