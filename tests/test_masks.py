"""Run lengths and polygons: COCO's own answers, a slow oracle, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data.masks import (
    LONGEST,
    extent,
    extents,
    polygon_pixels,
    read_polygon,
    read_run_lengths,
    run_lengths,
)
from minigrad.errors import DataError, DTypeError, ShapeError

# Polygon, height, width -> the packed code that pycocotools 2.0.11 gives; tests/record_masks.py recorded them.
POLYGONS: list[tuple[list[float], int, int, str]] = [
    ([-6.0, -7.0, 23.0, 27.0, 15.0, 20.0, 13.0, 28.0, 23.0, -8.0], 20, 16, "d02b01O1O1O1O2N1O1O1O1O1O2N1O1O1N_O"),
    ([0.7, 14.6, 3.5, 17.3, 10.8, 6.0, 8.5, 0.6, 2.5, 13.4, 12.9, 12.3], 8, 11, "_1152N2N22N2LM"),
    ([24.0, 16.0, 15.0, 16.0, 8.0, 2.0, 17.0, 12.0], 19, 11, "j41d00O1I"),
    ([10.5, 25.8, 27.5, 5.6, 13.7, 4.2, 14.6, 4.8], 23, 10, "V7"),
    ([5.0, 12.0, 2.0, 17.0, 16.0, 5.0, 18.0, 1.0], 18, 11, "T22?0O11O00000001I"),
    ([1.9, 9.7, 18.7, 4.0, -0.6, 8.5, 3.2, 0.4], 21, 17, "62a02N0CNa0O01000O10O10O10d00\\O0j1"),
    (
        [18.0, -0.0, 28.0, 6.0, -4.0, 16.0, 27.0, 9.0, 28.0, 11.0, 8.0, 16.0],
        16,
        15,
        "n01?0?0A000O010C0:0E1:OF1:OG180G171IO61KN0",
    ),
    ([19.0, 9.2, 15.2, 9.9, 10.6, 15.7, 8.3, 14.7, 14.2, 18.6, 2.3, 14.6], 9, 10, "j2"),
    (
        [-2.0, 20.0, 24.0, 23.0, 2.0, 23.0, 21.0, 19.0, 10.0, 4.0],
        23,
        22,
        "a03b02O1O2M2DG9:GF8;HE6=JC5>KB4a0001MKB6=JC8;HE99HG98GH;6EJ<5DK=4CL?1BO?09",
    ),
    (
        [27.1, 2.1, 12.5, 8.8, 27.4, -6.5, 19.8, 15.3, -6.9, 19.3, -7.4, 20.8],
        23,
        21,
        "a01e0100O1O100O010O100O100O010MKC6<JD7;JE6:4OGG6840GH39",
    ),
    ([1.0, 17.0, 1.0, 7.0, 9.0, 19.0, 11.0, 5.0, 5.0, 18.0, 5.0, 2.0], 6, 13, "l02`1"),
    ([13.2, 12.4, 19.1, 12.6, 5.5, 8.7, 19.3, 14.3], 22, 19, "S51R20cN010O001f0OZO000D"),
    ([13.0, 15.0, 24.0, -2.0, 7.0, 27.0, -6.0, 23.0, 8.0, 24.0], 17, 23, "l61>10O010O00`00@0`00B"),
    ([7.3, 1.6, 13.1, 5.5, 14.1, 18.9], 10, 5, "b1"),
    ([-0.0, 8.0, 9.0, 11.0, 23.0, 18.0], 19, 5, "k01i10`N"),
    ([2.3, 24.8, 25.5, 11.4, 5.1, 29.8, 4.0, -1.1], 21, 3, "o1"),
    ([13.0, 19.0, 19.0, 15.0, 17.0, 5.0, 3.0, 13.0], 8, 21, "_316100O12Na0"),
    ([2.3, 8.3, 21.7, 12.6, 13.0, 3.0, 11.7, 11.6, 0.3, 23.5], 20, 3, "S1587"),
    ([21.0, 29.0, 14.0, 4.0, -1.0, 18.0, -1.0, 14.0], 3, 14, "Z1"),
    ([19.2, 1.4, 10.0, 14.9, 3.5, 7.8, 1.3, 14.5, 1.8, 7.9], 3, 22, "b1120:"),
    ([22.0, 18.0, 22.0, 1.0, -0.0, -0.0], 23, 21, "g01f01O1O1O001O1O1O1O10O01O1O1O1O001O1O1O1N"),
    ([16.1, 10.9, -1.8, 17.6, 4.1, 19.0, 9.5, 11.3, 22.0, -4.5, 14.0, -0.5], 12, 7, "d2"),
    ([20.0, 4.0, 19.0, 16.0, 10.0, 16.0, 12.0, 13.0, 18.0, 1.0, 17.0, 8.0], 18, 19, "S61`01N2N2N2N2N2NFO751J"),
    ([23.8, 18.3, 10.6, 9.0, 20.8, 0.3, 16.4, 18.5], 13, 13, "g42:1I"),
]


@pytest.mark.parametrize("row", range(len(POLYGONS)))
def test_polygons_are_those_of_coco(row: int) -> None:
    polygon, height, width, code = POLYGONS[row]
    mask = polygon_pixels([polygon], height, width)
    assert run_lengths(mask).packed() == code
    assert np.array_equal(read_run_lengths({"size": [height, width], "counts": code}, height, width).pixels(), mask)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_run_lengths_come_back(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    runs = run_lengths(mask)
    assert runs.counts.sum() == mask.size and runs.area == mask.sum() and (runs.counts[1:] > 0).all()
    for counts in (runs.counts.tolist(), runs.packed(), runs.packed().encode()):
        back = read_run_lengths({"size": [height, width], "counts": counts}, height, width)
        assert np.array_equal(back.pixels(), mask) and back.pixels().shape == (height, width)


def test_long_runs_are_packed() -> None:
    mask = np.zeros((3000, 2000), bool)
    mask[100:2900, 50:1900] = True
    runs = run_lengths(mask)
    back = read_run_lengths({"size": [3000, 2000], "counts": runs.packed()}, 3000, 2000)
    assert np.array_equal(back.counts, runs.counts)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 20), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_rectangles_on_whole_pixels_are_their_boxes(x: int, y: int, across: int, down: int) -> None:
    mask = polygon_pixels([[x, y, x + across, y, x + across, y + down, x, y + down]], 40, 40)
    assert mask.sum() == across * down
    assert np.array_equal(extent(mask), [x, y, x + across, y + down])  # type: ignore[arg-type]


def test_polygons_have_about_the_area_that_they_have() -> None:
    turns = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    circle = np.stack([50 + 30 * np.cos(turns), 60 + 30 * np.sin(turns)], 1)
    mask = polygon_pixels([circle.ravel().tolist()], 100, 100)
    assert mask.sum() == pytest.approx(np.pi * 30**2, rel=0.01)
    both = polygon_pixels([circle.ravel().tolist(), (circle + 5).ravel().tolist()], 100, 100)
    assert mask.sum() < both.sum() < 2 * mask.sum() and (both | mask == both).all()


def test_extents() -> None:
    masks = np.zeros((3, 4, 5), bool)
    masks[0, 1:3, 2:5] = masks[1, 3, 0] = True
    assert extents(masks).tolist() == [[2, 1, 5, 3], [0, 3, 1, 4], [0, 0, 0, 0]] and extent(masks[2]) is None
    with pytest.raises(ShapeError, match=r"\(n, H, W\)"):
        extents(masks[0])
    with pytest.raises(DTypeError, match="bool"):
        extents(masks.astype(int))
    with pytest.raises(ShapeError, match=r"\(H, W\)"):
        run_lengths(masks)


CODES: dict[str, tuple[Any, str]] = {
    "no code": (7, "a run-length code of size"),
    "of another size": ({"size": [3, 3], "counts": [9]}, "a run-length code of size"),
    "no counts": ({"size": [4, 5]}, "counts that fill 4 x 5"),
    "too few": ({"size": [4, 5], "counts": [19]}, "counts that fill 4 x 5"),
    "below 0": ({"size": [4, 5], "counts": [-1, 21]}, "counts that fill 4 x 5"),
    "huge": ({"size": [4, 5], "counts": [10**30]}, "counts that fill 4 x 5"),
    "halves": ({"size": [4, 5], "counts": [0.5, 19.5]}, "a list of counts"),
    "other signs": ({"size": [4, 5], "counts": "d\n"}, "a packed run-length code"),
    "cut short": ({"size": [4, 5], "counts": "T"}, "cut short"),
    "without end": ({"size": [4, 5], "counts": "o" * 1000}, "a packed run-length code"),
}


@pytest.mark.parametrize("case", CODES)
def test_other_codes_are_refused(case: str) -> None:
    code, words = CODES[case]
    with pytest.raises(DataError) as caught:
        read_run_lengths(code, 4, 5)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        ("abc", "a polygon of numbers"),
        ([1, 2, 3, 4], "at least 3 corners"),
        ([1, 2, 3, 4, 5, 6, 7], "at least 3 corners"),
        ([1, 2, 3, 4, 5, float("nan")], "finite corners"),
        ([1, 2, 3, 4, 5, 10**400], "a polygon of numbers|finite corners"),
        ([1, 2, 3, 4, 5, 1e9], "finite corners"),
        ([0, 0, 1e6, 1e6] * 10, f"at most {LONGEST:,} pixels"),
        ([[1, 2], [3, 4], [5, 6]], "at least 3 corners"),
    ],
)
def test_other_polygons_are_refused(polygon: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_polygon(polygon)
