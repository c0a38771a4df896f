"""The page of an image as a classifier sees it, and the pictures on it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigrad.errors import ShapeError
from minigrad.show.pictures import image_png
from minigrad.show.seen import ACROSS, TILE, Filters, Maps, View, filters_png, framed, heated, maps_png, seen_page
from tests.browser import Browser


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)


def content(**other: Any) -> dict[str, Any]:
    photo = np.full((3, 32, 32), 90, np.uint8)
    rng = np.random.default_rng(0)
    layers = [
        Maps("first <conv>", "Conv2d, ReLU", (12, 16, 16), list(range(8)), rng.random((8, 16, 16))),
        Maps("pool", "MaxPool2d", (3, 8, 8), [2, 0, 1], rng.random((3, 8, 8))),
        Maps("second", "Conv2d", (1, 8, 8), [0], np.zeros((1, 8, 8))),
    ]
    return {
        "top": [("a <cat>", 0.7), ("dog", 0.25)],
        "views": [View("a <cat>", 0.7, rng.random((32, 32))), View("dog", 0.00025, np.zeros((32, 32)))],
        "layer": "second", "photo": photo, "whole": image_png(photo), "fed": photo, "preparation": "Nothing <was> done.",
        "maps": layers, "filters": [Filters("first <conv>", rng.standard_normal((12, 3, 3, 3)))],
        "passed_over": ["second", "third"], **other,
    }  # fmt: skip


def test_everything_is_there_and_is_text(tmp_path: Path) -> None:
    seen_page("Photo <1>", "a network", **content()).write(tmp_path / "page.html")
    with Browser() as browser:
        page = browser.open((tmp_path / "page.html").as_uri())
        text = page.text("main")
        assert page.complaints() == []
        assert page.value("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    for words in (
        "a <cat>, 70.0 %", "dog, 0.03 %: nothing speaks for it", "of the layer second: a channel counts", "Nothing <was> done.",
        "16 × 16: 1 layer", "8 × 8: 2 layers", "first <conv> (Conv2d, ReLU): 12 channels of 16 × 16; shown: 0, 1, 2, 3,",
        "pool (MaxPool2d): 3 channels of 8 × 8", "second (Conv2d): 1 channel of 8 × 8",
        "first <conv>: 12 of 3 × 3, in the colours that they look for", "or too many, to be looked at: second, third.",
    ):  # fmt: skip
        assert words in text, words
    assert "3 channels of 8 × 8; shown" not in text


def test_many_layers_are_folded_away() -> None:
    layers = [Maps(f"conv{n}", "Conv2d", (1, 32 >> n // 5, 8), [0], np.zeros((1, 32 >> n // 5, 8))) for n in range(15)]
    html = seen_page("t", "", **content(maps=layers)).html()
    assert (html.count("<details open>"), html.count("<details>")) == (1, 2)
    assert seen_page("t", "", **content()).html().count("<details open>") == 2


def test_a_network_that_has_no_map_is_told_of() -> None:
    html = seen_page("t", "", **content(views=[], layer="It has no map.")).html()
    assert "<p>It has no map.</p>" in html and "Grad-CAM" not in html


def test_the_colours_of_a_map() -> None:
    """From blue to red, and the photo shines through."""
    photo = np.stack([np.full((1, 3), value, np.uint8) for value in (0, 100, 200)])
    found = heated(photo, np.array([[0.0, 0.5, 1.0]]))[:, 0].astype(int)
    assert found[2, 0] > found[0, 0] and found[0, 2] > found[0, 0]
    assert found[1, 1] > max(found[1, 0], found[1, 2])
    other = heated(photo // 2, np.array([[0.0, 0.5, 1.0]]))[:, 0].astype(int)
    assert (found[1:] > other[1:]).all()
    with pytest.raises(ShapeError, match=r"heated: map: expected \(H, W\) of a photo \(3, H, W\), \(3, 1, 3\)"):
        heated(photo, np.zeros((2, 3)))


def test_maps_go_from_their_least_to_their_largest() -> None:
    flat, rising = np.full((4, 4), 7.0), np.arange(16.0).reshape(4, 4) - 100
    found = pixels(maps_png(np.stack([flat, rising])))
    scale = TILE // 4
    assert found.shape == (TILE, 2 * TILE + 2, 3)
    assert set(found[:, :TILE].reshape(-1).tolist()) == {128}
    assert found[0, TILE + 2, 0] == 0 and found[-1, -1, 0] == 255 and found[scale, TILE + 2, 0] == round(255 * 4 / 15)


@pytest.mark.parametrize(("size", "shown"), [((300, 150), (112, 56)), ((5, 5), (110, 110)), ((1, 200), (1, 112))])
def test_maps_are_brought_to_one_size(size: tuple[int, int], shown: tuple[int, int]) -> None:
    found = pixels(maps_png(np.random.default_rng(0).random((ACROSS + 1, *size))))
    height, width = shown
    assert found.shape[:2] == (2 * height + 2, ACROSS * width + 2 * (ACROSS - 1))


def test_filters() -> None:
    """Nothing is grey, and each filter has its own largest weight; three inputs are colours, others lie in a row."""
    weights = np.zeros((2, 3, 1, 1))
    weights[0, 0], weights[1, 2] = 0.001, -5
    found = pixels(filters_png(weights))
    assert found[0, 0].tolist() == [255, 128, 128] and found[0, -1].tolist() == [128, 128, 0]
    rows = pixels(filters_png(np.eye(5).reshape(5, 5, 1, 1)))
    assert rows.shape[0] == rows.shape[1] == 5 * 18 + 4
    assert [int(rows[19 * n, 19 * n, 0]) for n in range(5)] == [255] * 5 and rows[0, 19, 0] == 128
    assert pixels(filters_png(np.zeros((4, 512, 3, 3)))).shape[1] <= 4 * 512


def test_the_piece_that_is_looked_at_stands_out() -> None:
    found = pixels(framed(np.zeros((3, 100, 200), np.uint8), (50.0, 0.0, 150.0, 100.0)))
    assert found.shape == (100, 200, 3)
    assert found[50, 100].max() < 20 and found[50, 20].min() > 150
    assert pixels(framed(np.zeros((3, 1000, 10), np.uint8), (0, 0, 10, 10))).shape == (448, 4, 3)
