"""A font written as by a hand: each time a little different in slant, size, spacing and in the way of the pen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from minigrad.data.hershey import HEIGHT, Font
from minigrad.data.polyline import evenly
from minigrad.data.strokes import Strokes
from minigrad.errors import ArgumentError
from minigrad.kernels import random

STEP = 3.0  # between points, a seventh of a capital's height: a word of six letters has about a hundred points

# Deviations from one text to the next at strength 1
SLANT = 0.12  # to the side for each unit of height
SIZE = 0.07  # as a share
WIDTH = 0.06  # against the height
TURN = 0.015  # radians
SPACING = 1.2  # of the fonts' units, between letters that are not joined
PACE = 0.08  # of the step, as a share
# and within a text
LETTER = 0.35  # units by which a letter is out of place,
LETTER_SIZE = 0.035  # and its size as a share
WAVE, WAVES = 0.45, (23.0, 41.0)  # units by which the paper is warped, and over how many
TREMOR = 0.12  # units by which each point is out of place
JOINED = 1.6  # units: a letter that begins so near the end of the one before is written on without lifting the pen

_BLOCKS = 1 << 20  # of the random stream, to a sample
_LATER = 1 << 12  # the blocks from which on points are shaken; those before are for the text and its letters
_OF_TEXT, _OF_LETTER = 12, 4  # random numbers
_NOWHERE = (math.inf, math.inf)


def write_by_hand(
    text: str,
    fonts: Sequence[Font],
    key: tuple[int, int] = (0, 0),
    number: int = 0,
    *,
    strength: float = 1.0,
    step: float = STEP,
    name: str = "",
) -> Strokes:
    """A text in one of the fonts, the origin at the left end of its baseline.

    Slant, size, width, turn, spacing and pace differ from text to text, the place and size of letters within it; the paper is a
    little warped, and the pen trembles. All of it is a function of ``(key, number)`` and of nothing else. Letters that meet,
    as in script, are written without lifting the pen.

    Args:
        text: printable characters of ASCII.
        fonts: which of them is taken is drawn too.
        key, number: of the random numbers.
        strength: times the deviations; 0 is the font as it is.
        step: the distance between points in the fonts' units, of which a capital letter is 21 high.
        name: for messages.

    Raises:
        KeyError: a character that the font does not have.
        ArgumentError: a text of blanks, or a step out of range.

    Example:
        >>> from minigrad.data.hershey import read_fonts
        >>> font = read_fonts(["futural"])["futural"]
        >>> write_by_hand("l", [font], strength=0).points[:2].tolist()
        [[4.0, -21.0, 0.0], [0.0, 3.0, 0.0]]
        >>> len(write_by_hand("letter", [font]))
        91
    """
    if not text.strip():
        raise ArgumentError("write_by_hand", "text", "letters to write", repr(text))
    base = number * _BLOCKS
    drawn = random.normal(key, base, (_OF_TEXT + _OF_LETTER * len(text),), np.float64) * strength
    letters = drawn[_OF_TEXT:].reshape(len(text), _OF_LETTER)
    choice = int(random.words(key, base + _LATER - 1, 1)[0]) % len(fonts) if len(fonts) > 1 else 0
    lines = _joined(text, fonts[choice], SPACING * drawn[1], letters)
    return _written(text, lines, drawn, (key, base + _LATER), strength, step, name)


def draw_by_hand(
    text: str,
    lines: Sequence[np.ndarray],
    key: tuple[int, int] = (0, 0),
    number: int = 0,
    *,
    strength: float = 1.0,
    step: float = STEP,
    name: str = "",
) -> Strokes:
    """Lines as a hand draws them: ``write_by_hand`` for what is no letter of a font, about as high as one.

    Args:
        text: what they are.
        lines: (k, 2) of x and y, y down, in units of which a capital letter is 21 high.
        key, number, strength, step, name: as of ``write_by_hand``.

    Example:
        >>> cross = [np.array([[0.0, -10], [20, -10]]), np.array([[10.0, -20], [10, 0]])]
        >>> len(draw_by_hand("+", cross, step=5)), len(draw_by_hand("+", cross, strength=0, step=5))
        (10, 10)
    """
    base = number * _BLOCKS
    drawn = random.normal(key, base, (_OF_TEXT,), np.float64) * strength
    return _written(text, lines, drawn, (key, base + _LATER), strength, step, name)


def _written(
    text: str,
    lines: Sequence[np.ndarray],
    drawn: np.ndarray,
    place: tuple[tuple[int, int], int],
    strength: float,
    step: float,
    name: str,
) -> Strokes:
    """Lines through points at a pace of their own, warped, slanted, sized, turned and shaken by random numbers."""
    spaced = evenly(lines, step * float(np.exp(PACE * drawn[0])))
    ends = np.cumsum([len(line) for line in spaced])[:-1]
    places = np.concatenate(spaced)
    if strength:
        _warp(places, strength, drawn[2:8])
        places = places @ _matrix(*drawn[8:12])
        places += TREMOR * strength * random.normal(*place, places.shape, np.float64)
    return Strokes.of_lines(text, np.split(places, ends), name, (0.0, 0.0))


def _joined(text: str, font: Font, spacing: float, letters: np.ndarray) -> list[np.ndarray]:
    """The lines of a text, letter beside letter, each a little out of its place and size (random numbers (n, 4))."""
    strokes: list[np.ndarray] = []
    follows: list[bool] = []  # of each stroke, whether it goes on from the one before
    places: list[int] = []  # in the text
    edges: list[float] = []
    edge, exit_ = 0.0, _NOWHERE
    for place, character in enumerate(text):
        width, own = font[character]
        edges.append(edge)
        for number, stroke in enumerate(own):
            strokes.append(stroke)
            follows.append(not number and math.dist(stroke[0], exit_) < JOINED)
            places.append(place)
        exit_ = (own[-1][-1, 0] - width, own[-1][-1, 1]) if own else _NOWHERE
        edge += width + (0.0 if abs(exit_[0]) < JOINED else spacing)
    sizes = np.exp(LETTER_SIZE * np.stack([letters[:, 2] + letters[:, 3], letters[:, 2]], axis=1))
    moves = LETTER * letters[:, :2] + np.stack([edges, np.zeros(len(edges))], axis=1)
    lengths = [len(stroke) for stroke in strokes]
    owner = np.repeat(places, lengths)
    points = np.concatenate(strokes) * sizes[owner] + moves[owner]
    begins = np.cumsum([0, *lengths[:-1]])
    return np.split(points, begins[~np.array(follows)][1:])


def _warp(places: np.ndarray, strength: float, drawn: np.ndarray) -> None:
    """Shift places by waves across the paper, in place; what touches still touches."""
    for wave, (phase, other, height) in zip(WAVES, drawn.reshape(2, 3).tolist(), strict=True):
        x, y = places.T
        turn = 2 * np.pi / wave
        amount = WAVE * (1 + 0.3 * np.tanh(height)) * strength
        shift = amount * np.sin(turn * np.stack([y + 0.5 * x, x + 0.5 * y]) + np.pi * np.array([[3 * phase], [3 * other]]))
        places += shift.T


def _matrix(slant: float, size: float, width: float, turn: float) -> np.ndarray:
    """(2, 2), to be multiplied from the left by rows of x and y: size and width, then slant, then turn."""
    height = np.exp(SIZE * size)
    sized = np.diag([height * np.exp(WIDTH * width), height])
    leaning = np.array([[1, 0], [-SLANT * slant, 1]])
    cos, sin = np.cos(TURN * turn), np.sin(TURN * turn)
    return sized @ leaning @ np.array([[cos, sin], [-sin, cos]])


__all__ = ["HEIGHT", "STEP", "draw_by_hand", "write_by_hand"]
