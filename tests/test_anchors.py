"""Anchors and boxes: where they stand, how far apart they are, which stands for which, and which are asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.models.anchors import NOBODY, UNSURE, differences, grid, matched, moved, sampled

NUMBER = st.floats(-50, 50, width=32)
SIDE = st.floats(1.5, 60, width=32)
BOX = st.tuples(NUMBER, NUMBER, SIDE, SIDE).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


def boxes(draw: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(draw, np.float32).reshape(-1, 4)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """IoU, number by number."""
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = float(wide) * float(high)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 1)])
@pytest.mark.parametrize("ratios", [(1.0,), (0.5, 2.0), (0.25, 1.0, 4.0)])
def test_where_anchors_stand(shape: tuple[int, int], ratios: tuple[float, ...]) -> None:
    found = grid(shape, 8, 12.0, ratios).reshape(*shape, len(ratios), 4)
    for y in range(shape[0]):
        for x in range(shape[1]):
            for ratio, (x1, y1, x2, y2) in zip(ratios, found[y, x], strict=True):
                assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((8 * x + 4, 8 * y + 4))
                assert (y2 - y1) / (x2 - x1) == pytest.approx(ratio)
                assert (y2 - y1) * (x2 - x1) == pytest.approx(144)


def test_differences_by_hand() -> None:
    anchor = boxes([(0, 0, 10, 20)])
    found = differences(boxes([(10, 5, 30, 15)]), anchor, (10, 10, 5, 5))
    assert found[0] == pytest.approx([10 * 1.5, 0, 5 * np.log(2), 5 * np.log(0.5)], abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(BOX, BOX), max_size=5))
def test_what_is_taken_apart_comes_together(pairs: list[tuple[tuple[float, ...], tuple[float, ...]]]) -> None:
    ours, anchors = boxes([a for a, _ in pairs]), boxes([b for _, b in pairs])
    assert np.abs(moved(anchors, differences(ours, anchors, (10, 10, 5, 5)), (10, 10, 5, 5)) - ours).max(initial=0) < 2e-3


def test_no_step_makes_a_box_that_is_not_finite() -> None:
    found = moved(boxes([(0, 0, 10, 10)] * 2), np.array([[0, 0, 1e30, 1e30], [0, 0, -1e30, 0]], np.float32), (1, 1, 1, 1))
    assert np.isfinite(found).all() and found[0, 2] - found[0, 0] == pytest.approx(625)


@settings(max_examples=60, deadline=None)
@given(st.lists(BOX, max_size=4), st.lists(BOX, max_size=8), st.booleans())
def test_which_stands_for_which(truth: list[tuple[float, ...]], anchors: list[tuple[float, ...]], all_boxes: bool) -> None:
    """Beside loops; overlaps within rounding of a bound are left out."""
    there, own = boxes(truth), boxes(anchors)
    found = matched(there, own, 0.6, 0.3, all_boxes=all_boxes)
    table = np.array([[overlap(b, a) for a in own] for b in there]).reshape(len(there), len(own))
    if np.abs(table - 0.6).min(initial=1) < 1e-4 or np.abs(table - 0.3).min(initial=1) < 1e-4:
        return
    for column, answer in enumerate(found):
        best = table[:, column].max(initial=0)
        chosen = all_boxes and any(
            0 < table[row, column] >= table[row].max() - 1e-6 for row in range(len(there))
        )  # fmt: skip
        if best >= 0.6 or (chosen and answer >= 0):
            assert table[answer, column] >= best - 1e-5
        else:
            assert answer == (UNSURE if best >= 0.3 else NOBODY) or chosen
    if all_boxes and len(own):
        for row in range(len(there)):
            if table[row].max() > 1e-3:
                assert found[table[row].argmax()] >= 0


def test_nobody_learns_from_what_is_ignored() -> None:
    anchors = boxes([(0, 0, 10, 10), (100, 0, 110, 10), (94, 0, 104, 10), (97, 0, 107, 10)])
    found = matched(boxes([(0, 0, 10, 10)]), anchors, 0.6, 0.3, ignored=boxes([(100, 0, 200, 50)]))
    assert found.tolist() == [0, UNSURE, NOBODY, UNSURE]
    assert matched(boxes([]), anchors, 0.6, 0.3, ignored=boxes([])).tolist() == [NOBODY] * 4


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-2, 3), max_size=30), st.integers(0, 20), st.floats(0, 1), st.randoms())
def test_which_are_asked(match: list[int], count: int, share: float, random: object) -> None:
    order = np.random.default_rng(random.randrange(2**32)).permutation(len(match))  # type: ignore[attr-defined]
    some, none = sampled(np.array(match, np.int64), count, share, order)
    assert all(match[i] >= 0 for i in some) and all(match[i] == NOBODY for i in none)
    assert len(some) <= count * share and len(some) + len(none) <= count
    assert len({*some, *none}) == len(some) + len(none)
    assert len(some) == min(int(count * share), sum(m >= 0 for m in match))
    assert len(none) == min(count - len(some), sum(m == NOBODY for m in match))
