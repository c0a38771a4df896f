"""The page of a text as a model sees it, in a real browser: what is chosen and pointed at is what is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.show.inside import Unit, inside_page
from tests.browser import Browser, Page

LABELS = ["a", "\n", "</script>"[0], "\t", "é", "\x00", "\ud800", "&"]
SIGNALS, SIGNED = ("cell", "hidden", "gate"), ("cell", "hidden")
SIZE, HIDDEN = len(LABELS), 5


def content() -> dict[str, Any]:
    """Two layers of five units: the cell of unit u of layer l rises along the text, another unit's falls."""
    values = np.full((2, 3, HIDDEN, SIZE), 127, np.uint8)
    values[0, 0, 2] = np.linspace(0, 254, SIZE).round()
    values[1, 2, 3] = np.arange(SIZE) * 10
    values[1, 1, 4] = 254
    nats = np.array([np.nan, 0.1, 3.0, 9.0, 0.5, 1.0, 2.0, 0.0, 1.0])  # of one more than is shown
    expected = [[], *[[("\n", 0.5), (" ", 0.25), ("<", 0.1)]] * (SIZE - 1)]
    units = [
        Unit("inside <quotes>", 0, 2, 0.91234, 0.2),
        Unit("inside <quotes>", 1, 1, 0.5, 0.2),
        Unit("a capital", 1, 3, -0.4, 0.1),
    ]
    return {
        "figures": {"bits per byte": "1.25"},
        "nats": nats, "labels": LABELS, "expected": expected, "signals": SIGNALS, "signed": SIGNED, "values": values,
        "units": units,
    }  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = tmp_path_factory.mktemp("page") / "explain.html"
    inside_page("A <model>", "two layers", **content()).write(path)
    with Browser() as browser:
        yield browser.open(path.as_uri())


def background(page: Page, place: int) -> str:
    return page.value(f"document.querySelectorAll('#reading span')[{place}].style.background")


def test_it_runs_under_its_policy(page: Page) -> None:
    assert page.complaints() == []
    policy = page.value("document.querySelector('meta[http-equiv]').content")
    assert policy.startswith("default-src 'none'; ") and policy.count("script-src 'sha256-") == 1
    assert page.value("document.querySelectorAll('script').length") == 2  # the data, and the one that runs


def test_every_character_is_there(page: Page) -> None:
    assert page.text("#reading") == "a↵\n<⇥\té␀\ufffd&"
    assert page.value("document.querySelector('[aria-label=\"The text by surprise\"]').textContent") == "a↵\n<⇥\té␀\ufffd&"
    assert (
        page.value("document.querySelector('.reading .s6').title")
        == "3.00 nats, probability 0.05; likely here: ↵ 50 %, blank 25 %, < 10 %"
    )
    assert page.value("document.querySelectorAll('.s12').length") == 2  # the one of 9 nats, and the legend's
    assert "Shown are the first 8 characters; all figures are of the whole text" in page.text("main")


def test_the_closest_unit_is_chosen_and_any_other_can_be(page: Page) -> None:
    assert page.value("[layer.value, unit.value, slide.value, signal.value]") == ["0", "2", "2", "0"]
    assert "--series-2) 58%" in background(page, 0) and "--series-1) 58%" in background(page, SIZE - 1)
    buttons = page.value("[...document.querySelectorAll('#units button')].map(b => [b.textContent, b.ariaPressed])")
    assert buttons == [["inside <quotes>: layer 0, unit 2 (0.91)", "true"], ["a capital: layer 1, unit 3 (−0.40)", "false"]]
    page.click("#units button:last-child")
    assert page.value("[layer.value, unit.value]") == ["1", "3"]
    assert background(page, 0) == ""
    page.value("signal.value = '2', signal.dispatchEvent(new Event('change'))")
    assert "--series-1) 16%" in background(page, SIZE - 1)  # 70 of 254, of 58 %
    assert page.text("#scale") == "gate: 00.250.50.751"
    page.value("unit.value = '99', unit.dispatchEvent(new Event('change'))")
    assert page.value("[unit.value, slide.value]") == ["4", "4"]  # the last that there is
    page.value("slide.value = '3', slide.dispatchEvent(new Event('input'))")
    assert page.value("unit.value") == "3"


def test_what_is_pointed_at_is_told(page: Page) -> None:
    page.value("layer.value = '1', layer.dispatchEvent(new Event('change'))")
    page.value("unit.value = '3', unit.dispatchEvent(new Event('change'))")
    page.click("#reading span:nth-child(5)")
    assert page.text("#told") == "After character 4, é (surprise 0.50 nats): cell 0.00, hidden 0.00, gate 0.16"
    assert page.text("#strongest").startswith("Strongest of layer 1 here: unit 4 (1.00)")
    page.value("reading.focus()")
    page.key("ArrowLeft", 37)
    assert page.text("#told").startswith("After character 3, ⇥ (surprise 9.00 nats)")
    for _ in range(5):
        page.key("ArrowLeft", 37)
    assert page.text("#told") == "After character 0, a: cell 0.00, hidden 0.00, gate 0.00"
    assert page.value("document.querySelectorAll('#reading .here').length") == 1
    page.click("#strongest button")
    assert page.value("unit.value") == "4"


def test_a_script_that_is_not_ours_does_not_run(page: Page) -> None:
    before = len(page.complaints())
    page.value("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.foreign = 1'}))")
    assert page.value("window.foreign === undefined")
    assert len(page.complaints()) == before + 1


def test_without_units_that_track(tmp_path: Path) -> None:
    page = inside_page("A model", "", **{**content(), "units": []})
    assert "None goes along with quotes" in page.html()
