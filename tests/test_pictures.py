"""The pictures of a report: what they show, in whose colours, the same each time, and what they do with odd input."""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from minigrad.errors import ArgumentError, DTypeError, MinigradError, ShapeError
from minigrad.show import pictures
from minigrad.show.matrix import cell_opacity
from minigrad.show.page import Page
from minigrad.show.sheet import Sheet, shortened, width_of
from minigrad.show.stylesheet import DARK, LIGHT, SERIES
from tests.test_page import HOSTILE, contrast

SVG = "{http://www.w3.org/2000/svg}"
LOSS = {"train": ([1, 2, 3], [2.0, 1.0, 0.5]), "validation": ([1, 2, 3], [2.1, 0.9, 1.4])}


def read(drawing: str) -> list[ElementTree.Element]:
    """The ``<svg>`` elements of a drawing, which must be well formed."""
    return list(ElementTree.fromstring(f"<all>{drawing}</all>"))


def texts(drawing: str) -> list[str]:
    return [element.text or "" for root in read(drawing) for element in root.iter(f"{SVG}text")]


def lines(root: ElementTree.Element, name: str) -> list[np.ndarray]:
    """The open paths drawn in a colour, each as points (n, 2) in units of the sheet."""
    found = []
    for path in root.iter(f"{SVG}path"):
        if f"stroke: var(--{name}," in path.get("style", "") and "clip-path" not in path.attrib:
            steps = re.findall(r"([ML]) ([\d.e+-]+) ([\d.e+-]+)", path.get("d", ""))
            found.append(np.array([[float(x), float(y)] for _, x, y in steps]))
    return found


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


# Curves


def test_each_panel_is_a_drawing_with_its_names_beside_the_lines() -> None:
    roots = read(drawing := pictures.curves({"loss": LOSS, "rate": {"rate": ([0, 3], [0.1, 0.0])}}))
    assert len(roots) == 2
    assert {"loss", "rate", "train", "validation", "epoch"} <= set(texts(drawing))
    assert texts(drawing).count("rate") == 1  # the only line of a panel of its name needs no other
    assert [root.get("aria-label") for root in roots] == ["loss: train, validation", "rate: rate"]


def test_values_lie_where_the_ticks_say() -> None:
    [root] = read(pictures.curves({"loss": {"train": ([0, 10], [100.0, 500.0])}}))
    [line] = lines(root, "series-1")
    ticks = {text.text: text for text in root.iter(f"{SVG}text")}
    xs = [float(ticks[name].get("x", "")) for name in ("0", "10")]
    ys = [float(ticks[name].get("y", "")) - 4 for name in ("100", "500")]  # the letters stand 4 below their line
    np.testing.assert_allclose(line, np.transpose([xs, ys]), atol=0.01)


def test_a_name_has_one_colour_in_all_panels_and_the_colours_come_round_dashed() -> None:
    many = {f"line {number}": ([1, 2], [number, number]) for number in range(SERIES + 1)}
    first, second = read(pictures.curves({"a": many, "b": {"line 2": ([1, 2], [1, 2])}}))
    assert len(lines(first, "series-3")) == len(lines(second, "series-3")) == 1
    dashed = [path for path in first.iter(f"{SVG}path") if "stroke-dasharray" in path.get("style", "")]
    assert len(dashed) == 1 and "var(--series-1," in dashed[0].get("style", "")


@pytest.mark.parametrize(("best", "words"), [("lowest", "lowest 0.9 at epoch 2"), ("highest", "highest 2.1 at epoch 1")])
def test_the_best_point_of_the_last_line_is_named_and_ringed(best: Any, words: str) -> None:
    drawing = pictures.curves({"loss": LOSS}, best={"loss": best})
    assert words in texts(drawing)
    assert words in (read(drawing)[0].get("aria-label") or "")
    assert pictures.curves({"loss": LOSS}).count("<use") == drawing.count("<use") - 1


def test_gaps_break_the_line_and_leave_single_points_visible() -> None:
    ys = [1.0, 2.0, math.nan, 3.0, math.inf, 1e200, 2.0, 1.0] + [1.0] * 30
    [root] = read(pictures.curves({"loss": {"train": (range(len(ys)), ys)}}))
    [path] = [path for path in root.iter(f"{SVG}path") if "stroke: var(--series-1" in path.get("style", "")]
    assert path.get("d", "").count("M") == 3  # (1, 2), (3) and the rest
    assert len(list(root.iter(f"{SVG}use"))) == 1


def test_many_points_are_thinned_and_keep_their_extremes() -> None:
    ys = np.sin(np.arange(50_000) / 9)
    ys[31_337], ys[40_404] = 7.0, -5.0
    drawing = pictures.curves({"loss": {"train": (np.arange(50_000), ys)}}, best={"loss": "highest"})
    [line] = lines(read(drawing)[0], "series-1")
    assert 300 < len(line) < 700 and len(drawing) < 60_000
    assert "highest 7 at epoch 31,337" in texts(drawing)
    assert lines(read(drawing)[0], "series-1")[0][:, 1].min() < 70


def test_a_logarithmic_panel_has_even_steps_and_gaps_where_nothing_is_above_zero() -> None:
    drawing = pictures.curves({"loss": {"train": ([1, 2, 3, 4, 5], [100, 10, 1, 0, -1])}}, log=["loss"])
    [line] = lines(read(drawing)[0], "series-1")
    assert len(line) == 3
    np.testing.assert_allclose(np.diff(line[:, 1], n=2), 0, atol=0.01)
    assert set(texts(drawing)) >= {"1", "10", "100"}


@pytest.mark.parametrize(
    ("xs", "ys"),
    [
        ([], []), ([1], [0.5]), ([1], [math.nan]), ([math.nan, 1], [1, 2]), ([1, 2], [math.inf, -math.inf]), ([0, 1], [0, 0]),
        ([1, 1], [2, 3]), ([3, 2, 1], [1, 2, 3]), ([1, 2], [1e-320, 1e-310]), ([1, 2], [1e99, -1e99]), ([1, 2], [1e300, 1]),
        ([1e99, -1e99], [1, 2]), ([1, 2], [5.0, 5.0 + 1e-15]), ([10**12, 10**12 + 1], [1, 2]), ([1, 2], [None, 3]),
        ([True, False], [1, 2]), ([0.1, 0.2], [123456.789, 123456.790]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("log", [False, True])
def test_any_series_of_numbers_can_be_drawn(xs: list[Any], ys: list[Any], log: bool) -> None:
    drawing = pictures.curves({"loss": {"train": (xs, ys)}}, best={"loss": "lowest"}, log=["loss"] if log else [])
    [root] = read(drawing)
    assert "nan" not in " ".join(path.get("d", "") for path in root.iter(f"{SVG}path"))
    for element in root.iter(f"{SVG}text"):
        assert -5 <= float(element.get("x", "")) <= 365 and 0 <= float(element.get("y", "")) <= 245
    assert pictures.panel_png("loss", {"train": (xs, ys)}, log=log).startswith(b"\x89PNG")


@given(st.lists(st.floats(width=32), max_size=12), st.booleans())
@settings(max_examples=15, deadline=None)
def test_any_floats_can_be_drawn(ys: list[float], log: bool) -> None:
    read(pictures.curves({"loss": {"train": (range(len(ys)), ys)}}, log=["loss"] if log else []))


def test_empty_panels_say_so() -> None:
    drawing = pictures.curves({"loss": {}, "other": {"train": ([], [])}})
    assert texts(drawing).count("nothing to draw yet") == 2
    assert pictures.curves({}) == ""


def test_many_names_at_one_level_lie_apart_on_the_sheet() -> None:
    drawing = pictures.curves({"loss": {f"line {number}": ([1, 2], [1, 2]) for number in range(40)}})
    levels = [
        float(element.get("y", "")) for element in read(drawing)[0].iter(f"{SVG}text") if (element.text or "")[:4] == "line"
    ]
    assert 8 <= len(levels) <= 13
    assert np.diff(sorted(levels)).min() >= 13.99
    assert min(levels) > 30 and max(levels) < 230


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: pictures.curves({"a": {"b": ([1], [1, 2])}}), ShapeError, "curves: 'a', 'b': expected as many xs as ys"),
        (lambda: pictures.curves({"a": {"b": ([[1]], [[1]])}}), ShapeError, "got shapes (1, 1) and (1, 1)"),
        (lambda: pictures.curves({"a": {"b": ([1], ["x"])}}), DTypeError, "curves: 'a', 'b': expected numbers, got ['x']"),
        (lambda: pictures.curves({"a": {}}, best={"c": "lowest"}), ArgumentError, "best: expected one of the panels 'a', got"),
        (lambda: pictures.curves({"a": {}}, log=["c"]), ArgumentError, "log: expected one of the panels 'a', got 'c'"),
        (lambda: pictures.curves({"a": {}}, best={"a": "min"}), ArgumentError, "or 'highest', got 'min'"),  # type: ignore[dict-item]
        (lambda: pictures.confusion([[1, 2]], ["a"]), ShapeError, "as many rows as columns, one or more, got shape (1, 2)"),
        (lambda: pictures.confusion(np.zeros((0, 0)), []), ShapeError, "one or more, got shape (0, 0)"),
        (lambda: pictures.confusion([[1]], ["a", "b"]), ShapeError, "classes: expected 1 names, one a row of counts, got 2"),
        (lambda: pictures.confusion([[-1]], ["a"]), ArgumentError, "expected numbers from 0 on, got some that are negative"),
        (lambda: pictures.confusion([[math.nan]], ["a"]), ArgumentError, "negative or not finite"),
        (lambda: pictures.confusion([["x"]], ["a"]), DTypeError, "expected a table of numbers, got [['x']]"),
        (lambda: pictures.bars({"a": "x"}), DTypeError, "bars: values: expected numbers, got ['x']"),  # type: ignore[dict-item]
        (lambda: pictures.image_png(np.zeros((1, 2, 2))), DTypeError, "images: expected bytes, numpy.uint8, got float64"),
        (lambda: pictures.image_png(np.zeros((2, 2), np.uint8)), ShapeError, "expected (C, H, W) with 1, 3 or 4 channels"),
        (lambda: pictures.image_png(np.zeros((2, 5, 5), np.uint8)), ShapeError, "got shape (2, 5, 5)"),
        (lambda: pictures.image_grid(np.zeros((0, 3, 5, 5), np.uint8)), ShapeError, "not empty, got shape (0, 3, 5, 5)"),
        (lambda: pictures.image_grid(np.zeros((1, 3, 5, 5), np.uint8), columns=0), ArgumentError, "columns: expected a whole"),
        (lambda: pictures.image_grid(np.zeros((1, 3, 5, 5), np.uint8), scale=0), ArgumentError, "scale: expected a whole"),
        (lambda: pictures.image_grid(np.zeros((1, 3, 5, 5), np.uint8), scale=2.5), ArgumentError, "1 or more, got 2.5"),  # type: ignore[arg-type]
        (lambda: pictures.image_grid(np.zeros((1, 3, 5, 5), np.uint8), gap=-1), ArgumentError, "gap: expected a whole number"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_in_words(call: Callable[[], object], kind: type[MinigradError], words: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert words in str(caught.value)


# Confusion matrices


def counts(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(0.4, (size, size)) + 9 * np.eye(size, dtype=np.int64)


def test_cells_bear_their_counts_row_by_row() -> None:
    table = [[90, 10, 0], [0, 0, 0], [7, 1, 12345]]
    drawing = pictures.confusion(table, ["cat", "dog", "horse"])
    seen = texts(drawing)
    assert [word for word in seen if word in ("90", "10", "7", "1", "12,345")] == ["90", "10", "7", "1", "12,345"]
    assert "0" not in seen
    assert [word for word in seen if "%" in word or word == "–"] == ["90.0 %", "–", "99.9 %", "99.9 % right: 12,435 of 12,453"]
    place = {element.text: element for element in read(drawing)[0].iter(f"{SVG}text")}
    assert float(place["10"].get("x", "")) > float(place["90"].get("x", ""))  # answers go across
    assert float(place["7"].get("y", "")) > float(place["90"].get("y", ""))  # true classes go down
    assert drawing.count("fill: var(--right") == 2 and drawing.count("fill: var(--wrong") == 3


@pytest.mark.parametrize("size", [1, 2, 5, 20, 21, 100, 200])
@pytest.mark.parametrize("name", ["{}", "a rather long name of class number {}"])
def test_a_matrix_of_any_size_lies_within_its_sheet(size: int, name: str) -> None:
    names = [name.format(number) for number in range(size)]
    drawing = pictures.confusion(counts(size), names)
    [root] = read(drawing)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    assert width < 1000 and len(drawing) < 400_000
    sizes = []
    for element in root.iter(f"{SVG}text"):
        letters = float(re.findall(r"font-size: ([\d.]+)px", element.get("style", ""))[0])
        room = width_of(element.text or "", letters)
        x, y = float(element.get("x", "")), float(element.get("y", ""))
        anchor = re.findall(r"text-anchor: (\w+)", element.get("style", ""))[0]
        turn = math.radians(-float((re.findall(r"rotate\(([\d.-]+)", element.get("transform", "")) or ["0"])[0]))
        start, end = {"start": (0.0, room), "middle": (-room / 2, room / 2), "end": (-room, 0.0)}[anchor]
        for along in (start, end):
            assert -1 <= x + along * math.cos(turn) <= width + 1, element.text
            assert -1 <= y - along * math.sin(turn) <= height + 1, element.text
        sizes.append(letters)
    assert min(sizes) >= 5
    assert sum(size == 9.0 for size in sizes) <= 2 * 80
    assert ("<image" in drawing) == (size > 20)


def test_a_matrix_of_nothing_says_so() -> None:
    assert "no answers yet" in texts(pictures.confusion(np.zeros((3, 3), int), ["a", "b", "c"]))


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("kind", ["right", "wrong"])
def test_every_count_can_be_read_on_its_cell(scheme: dict[str, str], kind: str) -> None:
    for share in np.linspace(0, 1, 201):
        opacity, letters = cell_opacity(float(share))
        assert 0 <= opacity <= 1
        mixed = "#" + "".join(
            f"{round(opacity * int(scheme[kind][at : at + 2], 16) + (1 - opacity) * int(scheme['wash'][at : at + 2], 16)):02x}"
            for at in (1, 3, 5)
        )
        assert contrast(scheme[letters], mixed) >= 4.5, (share, opacity)


def test_the_png_is_the_same_matrix_in_the_light_colours() -> None:
    image = pixels(pictures.confusion_png([[4, 0], [0, 4]], ["cat", "dog"]))
    colours = {f"#{r:02x}{g:02x}{b:02x}" for r, g, b in image.reshape(-1, 3)}
    assert {LIGHT["paper"], LIGHT["right"], LIGHT["wash"]} <= colours
    assert (image[0] == image[0, 0]).all()  # a margin
    large = pixels(pictures.confusion_png(counts(30), [str(number) for number in range(30)]))
    assert large.shape[0] > 1000


def test_the_most_frequent_mistakes_come_first() -> None:
    table = [[5, 3, 0], [0, 0, 0], [3, 4, 13]]
    assert pictures.confused(table, ["a", "b", "c"]) == [("c", "b", 4, 0.2), ("a", "b", 3, 0.375), ("c", "a", 3, 0.15)]
    assert pictures.confused(table, ["a", "b", "c"], limit=1) == [("c", "b", 4, 0.2)]
    assert pictures.confused([[1]], ["a"]) == []


# Bars


def test_bars_are_as_long_as_their_values() -> None:
    drawing = pictures.bars({"a": 1.0, "b": 0.5, "gap": math.nan}, label="recall")
    widths = []
    for path in read(drawing)[0].iter(f"{SVG}path"):
        if "var(--right" in path.get("style", ""):
            xs = [float(x) for x in re.findall(r"[ML] ([\d.]+) ", path.get("d", ""))]
            widths.append(max(xs) - min(xs))
    np.testing.assert_allclose(widths, [300, 150, 0], atol=0.01)
    assert read(drawing)[0].get("aria-label") == "recall: a 1, b 0.5, gap nan"


@pytest.mark.parametrize("values", [{}, {"a": 0}, {"a": -1, "b": 1}, {"a": math.inf}, {str(n): n for n in range(200)}])
def test_any_values_make_bars(values: dict[str, float]) -> None:
    read(pictures.bars(values))
    read(pictures.bars(values, highest=100))


# Images


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_image_keeps_its_pixels(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 255, (channels, 5, 7), np.uint8)  # below 255: never quite opaque
    back = pixels(pictures.image_png(image))
    np.testing.assert_array_equal(back if channels > 1 else back[..., None], image.transpose(1, 2, 0))
    large = pixels(pictures.image_png(image, scale=3))
    np.testing.assert_array_equal(large, back.repeat(3, 0).repeat(3, 1))


def test_a_grid_goes_along_the_rows_with_clear_gaps() -> None:
    images = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(2, 2).repeat(3, 3) + 10
    grid = pixels(pictures.image_grid(images, columns=3, gap=1, scale=2))
    assert grid.shape == (9, 20, 2)  # grey and opacity
    assert [int(grid[0, x, 0]) for x in (0, 7, 14)] == [10, 11, 12]
    assert [int(grid[5, x, 0]) for x in (0, 7)] == [13, 14]
    assert not grid[4, :, 1].any() and not grid[:, 6, 1].any() and not grid[5:, 14:, 1].any()
    assert pixels(pictures.image_grid(images[:1], columns=9, gap=4)).shape == (2, 3)


# All of them


def drawings(word: str) -> dict[str, str]:
    return {
        "curves": pictures.curves(
            {word: {word + " 1": ([1, 2], [1, 2]), word: ([1, 2], [2, 1])}}, x=word, best={word: "lowest"}
        ),
        "confusion": pictures.confusion([[2, 1], [0, 4]], [word, word]),
        "many classes": pictures.confusion(counts(30), [word] * 30),
        "bars": pictures.bars({word: 1.0}, label=word),
    }


@pytest.mark.parametrize("word", ["word", *HOSTILE])
def test_every_name_is_shown_as_text(word: str) -> None:
    seen = "".join("\ufffd" if character in "\x00\x07\ud800" else character for character in word)
    for kind, drawing in drawings(word).items():
        drawing.encode("utf-8")
        assert any(seen[:16] in text for text in texts(drawing)), kind  # a long one is cut
        assert {element.tag.removeprefix(SVG) for root in read(drawing) for element in root.iter()} <= {
            "svg", "g", "path", "text", "use", "defs", "image", "clipPath", "rect",
        }  # fmt: skip
    assert pictures.confusion_png([[2, 1], [0, 4]], [word, "b"]).startswith(b"\x89PNG")
    assert pictures.panel_png(word, {word: ([1], [1])}).startswith(b"\x89PNG")


def test_drawings_follow_the_page_in_colours_and_fonts() -> None:
    for kind, drawing in drawings("word").items():
        bare = re.sub(r"var\(--([\w-]+), (#\w+)\)", lambda found: "" if LIGHT[found[1]] == found[2] else found[0], drawing)
        assert re.findall(r"#[0-9a-f]{6}|rgb|DejaVu", bare) == [], kind
        assert "<style" not in drawing and "<metadata" not in drawing and "<!" not in drawing


def test_the_same_input_gives_the_same_bytes_in_another_process_too(tmp_path: Path) -> None:
    code = (
        "import hashlib; from minigrad.show import pictures as p; from tests.test_pictures import drawings, counts;"
        "names = [str(n) for n in range(30)];"
        "made = [*map(str.encode, drawings('word').values()), p.confusion_png(counts(30), names),"
        "p.panel_png('a', {'b': ([1, 2], [3, 4])}), p.image_grid(counts(4).astype('uint8')[None, None])];"
        "print([hashlib.sha256(data).hexdigest() for data in made])"
    )
    said = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-W", "error", "-c", code]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1] and len(said[0]) > 400


def test_matplotlib_is_left_as_it_was_and_its_settings_do_not_matter() -> None:
    import matplotlib

    plain = drawings("word")
    with matplotlib.rc_context({"font.size": 40, "lines.linewidth": 9, "text.usetex": True, "axes.grid": True, "svg.id": "x"}):
        before = dict(matplotlib.rcParams)
        changed = drawings("word")
        assert dict(matplotlib.rcParams) == before
    assert changed == plain
    code = "import sys; from minigrad.show import pictures as p; p.curves({'a': {'b': ([1], [1])}});"
    code += "print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_two_matrices_on_a_page_keep_to_their_own_parts() -> None:
    names = [str(number) for number in range(30)]
    page = Page("t").picture(pictures.confusion(counts(30), names)).picture(pictures.confusion(counts(30, 1), names)).html()
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids)) >= 2
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(ids)


# The sheet


def test_a_text_that_is_too_long_ends_in_an_ellipsis() -> None:
    assert shortened("one\ntwo  three", 10, 1000) == "one two three"
    for text in ("x" * 99, "猫" * 99, "e\u0301" * 99, "\U0001f469\u200d" * 99):
        short = shortened(text, 10, 80)
        assert short.endswith("…") and 40 < width_of(short, 10) <= 80


def test_a_name_that_the_font_of_a_png_lacks_has_another_in_its_place() -> None:
    def drawn(text: str, instead: str = "") -> bytes:
        sheet = Sheet(100, 20)
        sheet.text(0, 15, text, instead=instead)
        return sheet.png()

    assert drawn("猫", "class 3") == drawn("class 3")
    assert drawn("猫x") == drawn("?x")
    assert drawn("what?", "class 3") == drawn("what?")
