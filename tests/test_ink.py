"""Pictures of what a pen wrote: every line is there, in its place and time."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigrad.data.strokes import Strokes
from minigrad.errors import ArgumentError, MinigradError, ShapeError
from minigrad.show.ink import ink_png, ink_svg
from minigrad.show.page import Page
from minigrad.show.window import window_png, window_svg

SVG = "{http://www.w3.org/2000/svg}"
TEE = [np.array([[0.0, 0], [40, 0]]), np.array([[20.0, 0], [20, 60]]), np.array([[50.0, 60]])]


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L"))


def paths(svg: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(f"{SVG}path"))


def test_svg() -> None:
    svg = ink_svg(TEE, scale=2, thickness=4, margin=3, label='<"T">')
    root = ElementTree.fromstring(svg)
    assert (root.get("width"), root.get("height")) == ("110", "130")  # 50 x 60 twice as large, 3 + 2 on each side
    assert root.get("aria-label") == '<"T">'
    assert [path.get("d", "").split("C")[0] for path in paths(svg)] == ["M5.00 5.00", "M45.00 5.00", "M105.00 125.00h0"]
    assert ink_svg(Strokes.of_lines("T.", TEE), scale=2, thickness=4, margin=3, label='<"T">') == svg
    assert "<svg" in Page("T").picture(svg).html()


def test_straight_lines_and_corners_stay_and_curves_are_round() -> None:
    (path,) = paths(ink_svg([[[0, 0], [30, 0], [30, 30]]], margin=0, thickness=2))
    assert path.get("d") == "M1.00 1.00C11.00 1.00 21.00 1.00 31.00 1.00C31.00 11.00 31.00 21.00 31.00 31.00"
    turns = np.linspace(0, 2 * np.pi, 17)
    ring = pixels(ink_png([50 * np.stack([np.cos(turns), np.sin(turns)], 1)], margin=5, thickness=2))
    y, x = np.nonzero(ring < 128)
    away = np.hypot(y - y.mean(), x - x.mean())
    assert away.min() > 48 and away.max() < 52  # sixteen straight pieces would come as near as 49 less half the pen


def test_written_in_time() -> None:
    first, second, dot = paths(ink_svg(TEE, seconds=3))
    assert first.find(f"{SVG}set") is None
    assert [path.find(f"{SVG}animate") is None for path in (first, second, dot)] == [False, False, True]
    times = [path.find(f"{SVG}animate") for path in (first, second)]
    begins, lasts = zip(*[(float(time.get("begin")[:-1]), float(time.get("dur")[:-1])) for time in times], strict=True)  # type: ignore[union-attr, index]
    hidden = [path.find(f"{SVG}set").get("end") for path in (second, dot)]  # type: ignore[union-attr]
    assert begins[0] == 0 and begins[1] > lasts[0] and lasts[1] == pytest.approx(1.5 * lasts[0], abs=0.01)
    assert float(hidden[0][:-1]) == begins[1] and begins[1] + lasts[1] < float(hidden[1][:-1]) < 3  # type: ignore[index]
    assert [path.get("d") for path in paths(ink_svg(TEE))] == [path.get("d") for path in (first, second, dot)]
    assert "animate" not in ink_svg([[[1, 1]]], seconds=1)


def test_png() -> None:
    image = pixels(ink_png(TEE, scale=2, thickness=4, margin=3))
    assert image.shape == (130, 110)
    assert image[5, 5:85].max() < 30 and image[5:125, 45].max() < 30 and image[125, 105] < 30
    assert image[20:, :35].min() == 255 and image[:3].min() == 255


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"lines": []}, ShapeError, r"lines \(k, 2\) of x and y, at least one point in all, got none"),
        ({"lines": [[]]}, ShapeError, r"got shape \(0,\)"),
        ({"lines": [[[1, 2, 3]]]}, ShapeError, r"got shape \(1, 3\)"),
        ({"lines": 3}, ShapeError, "got something else"),
        ({"lines": [["a"]]}, ShapeError, "got something else"),
        ({"lines": [[[0, np.nan]]]}, ArgumentError, "finite numbers, got NaN or infinity"),
        ({"lines": [[[-1.7e308, 0], [1.7e308, 0]]]}, ArgumentError, "expected a picture that has a size, got one wider"),
        ({"scale": "a"}, ArgumentError, "scale: expected a number above 0, got 'a'"),
        ({"margin": "a"}, ArgumentError, "margin: expected a number of pixels, 0 or more, got 'a'"),
        ({"scale": 0}, ArgumentError, "scale: expected a number above 0, got 0"),
        ({"thickness": -1}, ArgumentError, "thickness: expected a number above 0, got -1"),
        ({"margin": float("inf")}, ArgumentError, "margin: expected a number of pixels, 0 or more, got inf"),
    ],
)
def test_what_cannot_be_drawn(given: dict[str, Any], error: type[MinigradError], words: str) -> None:
    for draw in (ink_svg, ink_png):
        with pytest.raises(error, match=words):
            draw(**{"lines": TEE, **given})


def test_what_is_too_large_or_takes_no_time() -> None:
    with pytest.raises(ArgumentError, match=r"at most 100,000,000 pixels, got one of .* at 1000\. Take a smaller scale"):
        ink_png(TEE, scale=1000)
    with pytest.raises(ArgumentError, match="seconds: expected a number above 0, got 0"):
        ink_svg(TEE, seconds=0)


# ---------------------------------------------------------------- the window


def test_the_window() -> None:
    weights = np.zeros((30, 3))
    for letter in range(3):
        weights[10 * letter : 10 * letter + 10, letter] = 0.5
    svg = window_svg(weights, "<é ")
    labels = [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert labels == ["<", "é", "␣", "30 points of the pen →"]
    assert "<svg" in Page("window").picture(svg).html()
    image = pixels(window_png(weights, "abc")).astype(int)
    dark = image < 180
    rows = [np.nonzero(dark[32 + 36 * letter + 18, 100:])[0].mean() for letter in range(3)]
    assert rows[0] < rows[1] - 300 < rows[2] - 600


@pytest.mark.parametrize(
    ("weights", "error", "words"),
    [
        ([[1, 0, 0]], ShapeError, r"weights: expected \(T, 2\), one for each letter of the text, got shape \(1, 3\)"),
        ([1, 0], ShapeError, r"got shape \(2,\)"),
        (np.zeros((0, 2)), ShapeError, r"got shape \(0, 2\)"),
        ([[1, np.nan]], ArgumentError, "finite numbers of 0 or more"),
        ([[1, -1]], ArgumentError, "finite numbers of 0 or more"),
    ],
)
def test_weights_that_are_none(weights: Any, error: type[MinigradError], words: str) -> None:
    for draw in (window_svg, window_png):
        with pytest.raises(error, match=words):
            draw(weights, "hi")
