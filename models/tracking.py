"""Units that track something that a reader sees in a text: quotes, brackets, line ends, capitals, the place in the line.

A unit tracks what its value goes along with: Pearson's correlation over the characters of a text. Of some hundred units one
always goes along with anything to some degree, for two reasons. By mere luck: the same is asked of the text shifted against
itself. And because any network, before it has learned anything, still has traces of the last characters in its units, of a line
end that was not long ago, or of a capital: the same is asked of untrained networks. Chance is the largest of these, and what is
told is clearly above it. (Karpathy, Johnson, Fei-Fei 2015, arXiv:1506.02078, found such units by looking.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

SHIFTS = 8  # by which a text is shifted against itself
MARGIN = (
    1.4  # of Fisher's z of a correlation over that of chance: of a hundred untrained networks some two have a unit above it
)
FARTHEST, DEEPEST = 200, 8  # characters of a line, and brackets, that are counted


def features(text: str) -> dict[str, np.ndarray]:
    """What a reader knows after each character of a text, as numbers (n,) by name; what never changes is left out.

    Quotes are closed and brackets forgotten where a paragraph ends, since a text may well leave one open; single quotes, which
    may be apostrophes, where a line ends. One after a letter opens nothing.

    Example:
        >>> found = features('Say "(hi)".\\nSo.')
        >>> [found[name].astype(int).tolist() for name in ("inside quotes", "inside brackets")]
        [[0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]]
        >>> found["place in the line"].astype(int).tolist(), found["a line's end comes"].astype(int).tolist()
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    """
    size = len(text)
    quotes, single, brackets, place, indent = (np.zeros(size, np.float32) for _ in range(5))
    quoted, marked, depth, column, blanks, before = False, False, 0, 0, 0, ""
    for i, sign in enumerate(text):
        if sign == "\n":
            column, blanks, marked = 0, 0, False
            if before == "\n":
                quoted, depth = False, 0
        else:
            blanks += sign in " \t" and blanks == column
            column += 1
        if sign == '"':
            quoted = not quoted
        elif sign == "'":
            marked = not marked and not before.isalnum()
        elif sign in "“”«»":
            quoted = sign in "“«"
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth = max(0, depth - 1)
        quotes[i], single[i], brackets[i] = quoted, marked, min(depth, DEEPEST)
        place[i], indent[i], before = min(column, FARTHEST), min(blanks, FARTHEST), sign
    ends = np.array([sign == "\n" for sign in [*text[1:], ""]], np.float32)[:size]
    found = {
        "inside quotes": quotes,
        "inside single quotes": single,
        "inside brackets": brackets,
        "a line's end comes": ends,
        "a capital": np.array([sign.isupper() for sign in text], np.float32),
        "place in the line": place,
        "indentation": indent,
        "inside a word": np.array([sign.isalnum() for sign in text], np.float32),
    }
    return changing(found)


def changing(known: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of the features that change somewhere.

    Example:
        >>> list(changing({"a": np.array([0, 1]), "b": np.array([1, 1])}))
        ['a']
    """
    return {name: values for name, values in known.items() if len(values) and values.min() < values.max()}


class Correlation:
    """Pearson's correlation of every unit with every feature, of a text that comes in pieces.

    Args:
        units, features: how many.

    Example:
        >>> correlation = Correlation(2, 1)
        >>> correlation.add(np.array([[0.0, 1], [1, 0]]), np.array([[0.0], [1]]))
        >>> correlation.add(np.array([[2.0, 0]]), np.array([[2.0]]))
        >>> correlation.values().round(3).tolist()
        [[1.0], [-0.866]]
    """

    def __init__(self, units: int, features: int) -> None:
        self._count = 0
        self._x, self._xx = np.zeros((2, units))
        self._f, self._ff = np.zeros((2, features))
        self._xf = np.zeros((units, features))

    def add(self, units: np.ndarray, features: np.ndarray) -> None:
        """A piece: (T, units) and (T, features)."""
        x, f = units.astype(np.float64), features.astype(np.float64)
        self._count += len(x)
        self._x += x.sum(0)
        self._xx += (x * x).sum(0)
        self._f += f.sum(0)
        self._ff += (f * f).sum(0)
        self._xf += x.T @ f

    def values(self) -> np.ndarray:
        """(units, features), each from -1 to 1; 0 where one of the two does not change."""
        count = max(1, self._count)
        spread_x = np.sqrt(np.maximum(self._xx - self._x**2 / count, 0))
        spread_f = np.sqrt(np.maximum(self._ff - self._f**2 / count, 0))
        spread = spread_x[:, None] * spread_f
        still = (spread_x[:, None] < 1e-6 * np.sqrt(count)) | (spread_f < 1e-6 * np.sqrt(count))
        shared = self._xf - self._x[:, None] * self._f / count
        return np.where(still, 0, np.clip(shared / np.where(still, 1, spread), -1, 1))


class Track(NamedTuple):
    """A unit and what it goes along with.

    Attributes:
        feature: its name in ``features``.
        unit: its number.
        correlation: from -1 to 1.
        chance: the largest, without its sign, that any unit has with the same feature of the text shifted against itself, or
            any unit of an untrained network with the feature.
    """

    feature: str
    unit: int
    correlation: float
    chance: float


class Tracking:
    """Finds the units that track something, of a text that comes in pieces.

    Args:
        known: the features (n,) of all of it, as ``features`` finds them.
        units: how many there are.
    """

    def __init__(self, known: Mapping[str, np.ndarray], units: int) -> None:
        self.features = dict(known)
        self._columns = np.stack(list(known.values()), axis=1) if known else np.empty((0, 0), np.float32)
        self._place, self._size = 0, len(self._columns)
        self._shifts = [self._size * shift // (1 + SHIFTS) for shift in range(1 + SHIFTS)]
        self._found = Correlation(units, len(known) * len(self._shifts))

    def add(self, units: np.ndarray) -> None:
        """The values (T, units) after the next T characters."""
        if not self.features:
            return
        places = self._place + np.arange(len(units))
        shifted = [self._columns[(places + shift) % self._size] for shift in self._shifts]
        self._found.add(units, np.concatenate(shifted, axis=1))
        self._place += len(units)

    def largest(self) -> dict[str, float]:
        """Of each feature the largest correlation, without its sign, that any unit has with it.

        Example:
            >>> tracking = Tracking(features("ab\\n"), 1)
            >>> tracking.add(np.array([[1.0], [2], [0]]))
            >>> round(tracking.largest()["place in the line"], 6)
            1.0
        """
        found = np.abs(self._found.values()[:, : len(self.features)])
        return dict(zip(self.features, found.max(0, initial=0).tolist(), strict=True))

    def tracks(self, most: int = 3, untrained: Mapping[str, float] | None = None) -> list[Track]:
        """Of each feature the units that go along with it clearly more than chance explains, the closest first.

        Args:
            most: of each feature, at most so many.
            untrained: what ``largest`` found of untrained networks; a feature that it has not is not told of.
        """
        found, *shifted = np.split(self._found.values(), len(self._shifts), axis=1)
        told = []
        for column, name in enumerate(self.features):
            chance = max(float(np.abs(each[:, column]).max()) for each in shifted)
            chance = max(chance, 0.0 if untrained is None else untrained.get(name, 1.0))
            order = np.argsort(-np.abs(found[:, column]), kind="stable")[:most]
            told += [
                Track(name, int(unit), float(found[unit, column]), chance)
                for unit in order
                if _z(found[unit, column]) > MARGIN * _z(chance)
            ]
        return told


def _z(correlation: float) -> float:
    """Fisher's z of a correlation without its sign: its error is about the same wherever it is."""
    return float(np.arctanh(min(abs(correlation), 1 - 1e-12)))
