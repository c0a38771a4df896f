"""Strokes: what is refused, and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad.data.polyline import evenly, simplified
from minigrad.data.strokes import Strokes, baseline, offset_scale, slant_of
from minigrad.errors import DataError

SOUND = [[0, 0, 0], [3, 1, 0], [2, -1, 1], [5, 0, 0], [1, 1, 1]]


def test_lines_and_back() -> None:
    lines = [[[1, 2], [3, 4], [5, 4]], [[9, 9]], [], [[0, 1], [0, 2]]]
    strokes = Strokes.of_lines("abc", lines, origin=(1, 1))
    assert strokes.points.dtype == np.float32 and not strokes.points.flags.writeable
    assert strokes.points[:, 2].tolist() == [0, 0, 1, 1, 0, 1]
    back = [(line + 1).tolist() for line in strokes.lines()]
    assert back == [line for line in lines if line]
    assert Strokes.of_lines("abc", lines).points[0].tolist() == [0, 0, 0]
    assert strokes.box == (-1.0, 0.0, 8.0, 8.0) and len(strokes) == 6


@pytest.mark.parametrize(
    ("text", "points", "expected"),
    [
        ("", SOUND, "expected the text that is written, got ''"),
        (" ", SOUND, "expected the text that is written, got ' '"),
        (None, SOUND, "expected the text that is written, got None"),
        ("a", [], r"expected rows of dx, dy and pen lifted, \(n, 3\), got shape \(0,\)"),
        ("a", np.zeros((0, 3)), "expected at least 2 points, got none"),
        ("a", SOUND[:1], "expected at least 2 points, got 1 point"),
        ("a", [[1, 2]], r"expected rows of dx, dy and pen lifted, \(n, 3\), got shape \(1, 2\)"),
        ("a", [[1, 2, 3], [1]], "expected rows of dx, dy and pen lifted, .* got something else"),
        ("a", [[0, 0, 0], [1, np.nan, 1]], "expected finite offsets, got nan in point 1"),
        ("a", [[0, 0, 0], [np.inf, 0, 1]], "expected finite offsets, got inf in point 1"),
        ("a", [[0, 0, 0], [1, 0, 2]], "expected a pen that is 0 or, lifted, 1, got 2 in point 1"),
        ("a", [[0, 0, 0], [0, 0, 1]], "expected a pen that moves, got one place"),
        ("a", [[2e6, 0, 0], *SOUND[1:]], "expected offsets that a pen makes, where .* is usual, got one of 2e.06 to point 0"),
        ("a", [[0, 0, 0], [3e38, 3e38, 0], [1, 1, 1]], "expected offsets that a pen makes"),
        ("a", [*SOUND, [9000, 0, 1]], "expected offsets that a pen makes, where .* is usual, got one of 9e.03 to point 5"),
    ],
)
def test_what_is_refused(text: Any, points: Any, expected: str) -> None:
    with pytest.raises(DataError, match=f"^strokes: my.json, item 3: {expected}") as caught:
        Strokes(text, points, "my.json, item 3")
    assert caught.value.remedy
    if not text:
        return
    with pytest.raises(DataError, match=r"^strokes: points: "):
        Strokes(text, points)


def test_the_way_to_the_first_point_may_be_far() -> None:
    assert len(Strokes("a", [[9000, 9000, 0], *SOUND[1:]])) == 5


def test_lines_that_are_none() -> None:
    with pytest.raises(DataError, match=r"my.json: expected x and y of each point, .*, got a line of shape"):
        Strokes.of_lines("a", [[1, 2, 3]], "my.json")
    with pytest.raises(DataError, match="at least 2 points, got none"):
        Strokes.of_lines("a", [[]])


@pytest.mark.parametrize("step", [0.7, 3.0, 1000.0])
def test_points_evenly(step: float) -> None:
    turns = np.linspace(0, np.pi, 30)
    arc = 10 * np.stack([np.cos(turns), np.sin(turns)], 1)
    lines = [arc, np.array([[5.0, 5.0]]), np.array([[0, 0], [0, 0], [9, 0], [9, 9.0]]), np.array([[1.0, 1], [1, 1]])]
    out = evenly(lines, step)
    assert [len(line) > 1 for line in out] == [True, False, True, False]
    for line, made in zip(lines, out, strict=True):
        assert made[0].tolist() == line[0].tolist() and np.allclose(made[-1], line[-1])
    ways = np.hypot(*np.diff(out[0], axis=0).T)
    assert len(ways) == max(1, round(10 * np.pi / step))
    assert np.ptp(ways) < 0.02 * ways.mean()
    assert [9.0, 0.0] in out[2].tolist()  # the corner
    together = evenly(lines, step)
    assert all((a == evenly([b], step)[0]).all() for a, b in zip(together, lines, strict=True) if len(a) == 1)
    assert np.allclose(together[2], evenly([lines[2]], step)[0])


def test_resampling_keeps_text_pen_and_places() -> None:
    strokes = Strokes("ab", SOUND, "x")
    fine = strokes.resampled(0.5)
    assert (fine.text, fine.name, fine.points[:, 2].sum()) == ("ab", "x", 2)
    assert np.allclose(fine.absolute()[-1], strokes.absolute()[-1]) and len(fine) > len(strokes)
    whole = strokes.resampled(0.5, corner=10)
    assert np.allclose(whole.simplified(1e-3).points, strokes.points, atol=1e-5)
    assert np.allclose(strokes.scaled(2).scaled(0.5).points, strokes.points)
    assert np.allclose(strokes.sheared(0.3).sheared(-0.3).points, strokes.points, atol=1e-6)


def test_simplified_leaves_nothing_out_that_is_farther() -> None:
    rng = np.random.default_rng(0)
    line = np.cumsum(rng.normal(size=(200, 2)), axis=0)
    few = simplified(line, 1.0)
    assert 2 < len(few) < 200
    dense = evenly([few], 0.01)[0]
    far = [np.hypot(*(dense - point).T).min() for point in line]
    assert max(far) < 1.0 + 0.01
    assert simplified(np.array([[0.0, 0], [3, 0], [0, 0]]), 1).tolist() == [[0, 0], [3, 0], [0, 0]]


def written(rise: float, slant: float) -> Strokes:
    """Stems of two heights and one with a descender, tilted and slanted."""
    lines = []
    for number, top in enumerate([9, 5, 5, 9, 5, 9, 5, 5]):
        x, bottom = 6.0 * number, 4 if number == 4 else 0
        stem = np.array([[x, -top], [x, bottom], [x + 3, bottom]], float)
        stem[:, 0] -= slant * stem[:, 1]
        angle = np.arctan(rise)
        lines.append(stem @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + [20, 50])
    return Strokes.of_lines("hneigmna", lines).resampled(0.5)


@pytest.mark.parametrize(("rise", "slant"), [(0.0, 0.0), (0.1, 0.0), (-0.1, 0.3), (0.05, -0.25)])
def test_levelled(rise: float, slant: float) -> None:
    tilted = written(rise, slant)
    assert baseline(tilted.absolute())[0] == pytest.approx(rise, abs=0.03)
    level = tilted.levelled()
    assert baseline(level.absolute()) == pytest.approx((0.0, 0.0), abs=0.03 * 50)
    assert abs(slant_of(level.absolute())) < 0.08
    left, top, _, bottom = level.box
    assert left == pytest.approx(0, abs=1e-4) and top == pytest.approx(-9, abs=1) and bottom == pytest.approx(4, abs=1)


def test_the_scale() -> None:
    rng = np.random.default_rng(0)
    items = [Strokes("a", np.concatenate([rng.normal(2, 3, (4000, 2)), np.zeros((4000, 1))], axis=1)) for _ in range(2)]
    assert offset_scale(items) == pytest.approx(3, rel=0.02)
    far = Strokes("a", np.concatenate([[[500, 500, 0]], items[0].points[1:]]))
    assert offset_scale([far]) == pytest.approx(offset_scale(items[:1]))  # where it begins counts for nothing
    with pytest.raises(DataError, match="at least one, got none"):
        offset_scale([])
