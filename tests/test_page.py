"""The report page: whole, escaped, the same each time, legible in both schemes, and free of anything from outside."""

from __future__ import annotations

import base64
import itertools
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.errors import ArgumentError, FileFormatError, MinigradError, ShapeError
from minigrad.show.page import Page, escaped, shown
from minigrad.show.pictures import bars, confusion, curves, image_png
from minigrad.show.stylesheet import DARK, LIGHT, RULES, stylesheet

HOSTILE = (
    "<script>alert(1)</script>",
    "\"&'<>",
    "</title></style>",
    "--><b>",
    "猫\U0001f600\u05e2\u05d1",
    "a\x00\x07\ud800b",
    "{x}@0@ $y$ \\",
)
VOID = {"meta", "img", "br"}
SQUARE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect id="a" width="10" height="10"/><use href="#a"/></svg>'
)
PNG = image_png(np.zeros((1, 2, 3), np.uint8))


class Reader(HTMLParser):
    """Reads a page strictly: every tag is closed in its turn; keeps tags, attributes and the text of each element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        self.tags.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pytest.fail(f"<{tag}/> closes itself")

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, *tags: str) -> list[str]:
        return [text for tag, text in self.texts if tag in tags]


def full(word: str = "word", sections: int = 6) -> Page:
    """A page with everything that there is, ``word`` in every place that takes text."""
    page = Page(word, word).headline({word: word}).text(f"{word}\n\n{word}\n{word}")
    for number in range(sections):
        page.section(f"{word} {number}", word)
    page.subsection(word, word).facts({word: word, "long": word * 40, "nothing": None})
    page.table([word, "n"], [[word, 1], [word, 2.5]], word).table(["empty"], [])
    page.picture(SQUARE, word, word).picture(SQUARE * 2, word).picture(PNG, word, word)
    page.picture(curves({word: {word: ([1, 2], [1, 2]), f"{word} 2": ([1, 2], [3, 1])}}, x=word, best={word: "lowest"}), word)
    page.picture(confusion([[3, 1], [0, 2]], [word, f"{word} 2"])).picture(bars({word: 1.0}, label=word))
    page.gallery([(PNG, word), (PNG, word, True), (PNG, word, False), (PNG, "")])
    page.code(word, word).sample(word, word)
    with page.details(word):
        page.text(word)
        with page.details(word, opened=True):
            page.facts({word: word})
    return page


@pytest.mark.parametrize("word", ["word", *HOSTILE])
def test_the_page_is_whole_and_every_text_is_text(word: str) -> None:
    reader = Reader(full(word).html())
    tags = {tag for tag, _ in reader.tags}
    assert not tags & {"script", "b", "iframe", "link", "object", "embed", "base", "form"}
    assert {name for _, attributes in reader.tags for name in attributes if name.startswith("on")} == set()
    assert len(reader.all("title")) == len(reader.all("h1")) == len(reader.all("style")) == 1
    seen = "".join("\ufffd" if character in "\x00\x07\ud800" else character for character in word)
    for place in ("title", "h1", "h2", "h3", "p", "dt", "dd", "th", "summary", "code", "pre", "figcaption", "text"):
        assert any(seen in text for text in reader.text(place)), place
    assert any(attributes["alt"] == seen for attributes in reader.all("img"))
    assert all(attributes["aria-label"] for attributes in reader.all("svg"))


def test_nothing_comes_from_outside_and_no_script_may_run() -> None:
    text = full().html()
    assert re.findall(r"https?:|//\w", re.sub(r'base64,[^"]*', "", text)) == []
    reader = Reader(text)
    for tag, attributes in reader.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            if name in attributes:
                assert attributes[name].startswith("#" if tag != "img" else "data:image/"), (tag, attributes)
    assert not re.search(r"@import|url\((?!#)", text)
    [policy] = [attributes["content"] for attributes in reader.all("meta") if "http-equiv" in attributes]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_headings_language_and_pictures_are_as_readers_need_them() -> None:
    reader = Reader(full().html())
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert reader.all("html")[0]["lang"] == "en"
    assert all("alt" in attributes for attributes in reader.all("img"))
    assert all(attributes["role"] == "img" for attributes in reader.all("svg"))
    regions = [attributes for attributes in reader.all("div") if attributes.get("class") == "scroll"]
    assert regions and all(attributes["tabindex"] == "0" and attributes["aria-label"] for attributes in regions)
    assert {attributes["scope"] for attributes in reader.all("th")} == {"row", "col"}


def test_ids_are_unique_and_every_reference_finds_one() -> None:
    text = full().html()
    ids = [attributes["id"] for _, attributes in Reader(text).tags if "id" in attributes]
    assert len(ids) == len(set(ids)) > 8  # sections, and three times the same drawing
    references = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', text))
    assert {name for pair in references for name in pair if name} <= set(ids)


def test_the_same_calls_give_the_same_bytes() -> None:
    assert full().html() == full().html()


@pytest.mark.parametrize(("sections", "contents"), [(0, 0), (4, 0), (5, 5), (12, 12)])
def test_a_long_page_has_contents_after_its_introduction(sections: int, contents: int) -> None:
    page = Page("title").text("introduction")
    for number in range(sections):
        page.section(f"same {number // 2}")
    text = page.html()
    assert len(Reader(text).all("a")) == contents
    if contents:
        assert text.index("introduction") < text.index("<nav") < text.index("<section")


def test_an_open_details_block_is_closed_on_a_page_written_meanwhile() -> None:
    page = Page("title").section("one")
    with page.details("more"):
        Reader(page.html())
    with pytest.raises(ZeroDivisionError), page.details("again"):
        _ = 1 / 0
    Reader(page.section("two").html())


def test_numbers_are_flush_right_with_as_many_decimals_as_each_other() -> None:
    rows = [["a", 1, 0.5, "97.0 %", None, np.float32(0.25), "1e-5"], ["b", 20000, -0.125, "100 %", 3, np.nan, "-2"]]
    reader = Reader(Page("t").table(["name", "int", "float", "text", "gap", "nan", "small"], rows).html())
    assert reader.text("td") == ["1", "0.500", "97.0 %", "–", "0.25", "1e-5", "20,000", "−0.125", "100 %", "3", "nan", "-2"]
    assert all(attributes.get("class") == "number" for attributes in reader.all("td"))
    assert "class" not in next(attributes for attributes in reader.all("th") if attributes["scope"] == "row")
    words = Reader(Page("t").table(["name", "mixed"], [["a", "1"], ["b", "one"]]).html())
    assert all("class" not in attributes for attributes in words.all("td"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-3, "−3"), (1234567, "1,234,567"), (0.1, "0.1"), (1e-4, "0.0001"), (-2.5e-7, "−2.5e-7"), (1e12, "1e12"),
        (123456.7, "123,457"), (math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan"), (False, "no"),
        (np.bool_(True), "yes"),
        (np.int64(5000), "5,000"), (np.float32(0.1), "0.1"), (np.array(3), "3"), ([], "–"), ((1, (2, 0.5)), "1, 2, 0.5"),
        ("1e-05", "1e-05"), (Path("a/b"), "a/b"),
    ],
)  # fmt: skip
def test_values_are_shown_as_a_reader_wants_them(value: object, text: str) -> None:
    assert shown(value) == text


@given(st.text())
@settings(max_examples=60, deadline=None)
def test_any_text_is_shown_as_written(text: str) -> None:
    reader = Reader(f"<p>{escaped(text)}</p>")
    assert [tag for tag, _ in reader.tags] == ["p"]
    kept = "".join(character for character in text if character.isprintable())
    assert kept == "".join(
        character
        for character in "".join(reader.text("p"))
        if character.isprintable() and (character != "\ufffd" or "\ufffd" in text)
    )
    escaped(text).encode("utf-8")


def test_small_images_are_magnified_with_sharp_pixels_and_keep_their_bytes() -> None:
    large = image_png(np.zeros((3, 4, 250), np.uint8))
    small_tag, large_tag = Reader(Page("t").picture(PNG, alt="a").gallery([(large, "b\nc")], size=64).html()).all("img")
    assert small_tag["class"] == "pixels" and "class" not in large_tag
    assert (small_tag["width"], small_tag["height"], large_tag["width"]) == ("3", "2", "250")
    assert base64.b64decode(small_tag["src"].removeprefix("data:image/png;base64,")) == PNG
    assert large_tag["alt"] == "b, c"


@pytest.mark.parametrize("data", [b"\xff\xd8\xff\xe0 a JPEG", b"GIF89a", b"\x89PNG\r\n\x1a\n cut"])
def test_files_of_the_known_kinds_are_shown_even_when_cut(data: bytes) -> None:
    assert len(Reader(Page("t").picture(data).html()).all("img")) == 1


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda page: page.picture(b"BM a bitmap"), "expected SVG text, or the bytes of a PNG, JPEG or GIF file, got bytes b"),
        (lambda page: page.gallery([(b"", "x")]), "expected SVG text, or the bytes of a PNG"),
        (lambda page: page.picture("plain"), "expected <svg> elements, got 'plain'. Give plain text to page.text(...)."),
        (lambda page: page.picture(""), "expected <svg> elements"),
        (lambda page: page.picture("<p>x</p>"), "expected <svg> elements"),
        (lambda page: page.picture("<svg><rect></svg>"), "expected SVG that can be read"),
        (lambda page: page.picture("<svg><script>alert(1)</script></svg>"), "<script>"),
        (lambda page: page.picture("<svg><style>p {color: red}</style></svg>"), "got <style>. Write styles as attributes."),
        (lambda page: page.picture('<svg onload="x()"/>'), "got <svg onload='x()'>"),
        (lambda page: page.picture('<svg><image href="photo.png"/></svg>'), "got <image href='photo.png'>"),
        (lambda page: page.picture('<svg><rect fill="url(other.svg#a)"/></svg>'), "expected a drawing that needs nothing else"),
        (lambda page: page.picture('<svg><a href="javascript:x"/></svg>'), "got <a href='javascript:x'>"),
        (lambda page: page.subsection("x"), "expected a section before it, got none"),
        (lambda page: page.table(["a", "b"], [["1", "2"], ["1"]]), "page.table: row 1: expected 2 cells, one a column, got 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused_in_words(add: Callable[[Page], Page], words: str) -> None:
    page = Page("t")
    before = page.html()
    with pytest.raises(MinigradError) as caught:
        add(page)
    assert words in str(caught.value)
    assert isinstance(caught.value, (ArgumentError, ShapeError))
    assert page.html() == before  # the page is as it was


def test_a_section_inside_details_is_refused() -> None:
    page = Page("t").section("one")
    with page.details("more"), pytest.raises(ArgumentError, match="expected a section outside of details"):
        page.section("two")


def test_the_page_is_written_whole_as_utf8(tmp_path: Path) -> None:
    page = full("猫")
    page.write(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == page.html().encode("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(FileFormatError, match="report page"):
        page.write(tmp_path / "missing" / "page.html")


# WCAG 2: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_of_text_can_be_read(scheme: dict[str, str]) -> None:
    letters = [name for name in scheme if name not in ("paper", "wash", "rule")]
    assert {
        name: value for name in letters if (value := min(contrast(scheme[name], scheme[on]) for on in ("paper", "wash"))) < 4.5
    } == {}


def test_both_schemes_have_every_colour_that_the_rules_name() -> None:
    assert LIGHT.keys() == DARK.keys()
    used = set(re.findall(r"var\(--([\w-]+)\)", RULES)) - {"size"}
    assert used <= LIGHT.keys()
    assert "prefers-color-scheme: dark" in stylesheet() and "color-scheme: light dark" in stylesheet()
    assert stylesheet().count("{") == stylesheet().count("}")
