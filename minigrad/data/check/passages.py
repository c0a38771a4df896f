"""Long lines that come more than once: a sample of the lines of a corpus, small enough for a corpus of any size."""

from __future__ import annotations

from collections.abc import Iterable

LONG = 40  # characters of a line that counts: of shorter ones, equal ones are no wonder
KEPT = 200_000  # lines that are remembered


class Passages:
    """How often each long line of a text comes, of a sample of the lines: those whose hash a power of two divides.

    Equal lines are all in the sample, or none is, so that the shares are those of the whole text, as far as a sample tells.

    Example:
        >>> said = Passages()
        >>> said.add(["It was the best of times, it was the worst of times,"] * 2)
        >>> said.repeated(), said.lines
        (1.0, 2)
    """

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.mask = 0

    def add(self, lines: Iterable[str]) -> None:
        """Take note of lines; short ones do not count."""
        counts, mask = self.counts, self.mask
        for line in lines:
            if len(line) >= LONG and not (key := hash(line)) & mask:
                counts[key] = counts.get(key, 0) + 1
        self._keep_few()

    def update(self, other: Passages) -> None:
        """Take note of the lines of another text.

        Example:
            >>> said, more = Passages(), Passages()
            >>> more.add(["It was the best of times, it was the worst of times,"])
            >>> said.update(more)
            >>> said.update(more)
            >>> said.repeated(), said.lines
            (1.0, 2)
        """
        mask = max(self.mask, other.mask)
        self._thin(mask)
        for key, count in other.counts.items():
            if not key & mask:
                self.counts[key] = self.counts.get(key, 0) + count
        self._keep_few()

    @property
    def lines(self) -> int:
        """About how many long lines there were."""
        return sum(self.counts.values()) * (self.mask + 1)

    def repeated(self) -> float:
        """The share of the long lines that come more than once."""
        total = sum(self.counts.values())
        return sum(count for count in self.counts.values() if count > 1) / total if total else 0.0

    def also_in(self, other: Passages) -> float:
        """The share of the long lines that another text has too."""
        mask = max(self.mask, other.mask)
        self._thin(mask)
        other._thin(mask)
        total = sum(self.counts.values())
        return sum(count for key, count in self.counts.items() if key in other.counts) / total if total else 0.0

    def _keep_few(self) -> None:
        while len(self.counts) > KEPT:
            self._thin(2 * self.mask + 1)

    def _thin(self, mask: int) -> None:
        self.mask = mask
        self.counts = {key: count for key, count in self.counts.items() if not key & mask}


__all__ = ["LONG", "Passages"]
