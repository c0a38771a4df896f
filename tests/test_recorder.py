"""The recorder's page in a real browser: what mouse, finger and pen do on it is what its file says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from minigrad.data.recorded import Writing, recorded_words
from minigrad.show.recorder import WORDS, recorder_page
from tests.browser import Browser, Page

HOSTILE = ("</script><b>bold</b>", "<!--<script>", "\"quotes' & @TASK@", "größe 猫\u2028x")
REFUSING = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }"
Made = Callable[..., str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Writes a page of these words, and gives its address. What is kept is kept by words: each test has its own."""

    def write(*words: str) -> str:
        path = tmp_path / "recorder.html"
        path.write_text(recorder_page(words), encoding="utf-8")
        return path.as_uri()

    return write


def box(page: Page) -> tuple[float, float, float, float]:
    """Where the inside of the pad is: x, y, width, height."""
    code = "const e = document.getElementById('pad'), b = e.getBoundingClientRect();"
    return page.value(f"(() => {{ {code} return [b.x + e.clientLeft, b.y + e.clientTop, e.clientWidth, e.clientHeight]; }})()")


def draw(page: Page, *points: tuple[float, float], pointer: str = "mouse") -> None:
    """A stroke through points of the pad."""
    left, top, _, _ = box(page)
    kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1)]
    for kind, (x, y) in zip(kinds, points):
        page.mouse(kind, left + x, top + y, pointer)
    page.mouse("mouseReleased", left + points[-1][0], top + points[-1][1], pointer)


def drawn(page: Page) -> int:
    return page.value("document.querySelectorAll('#pad path').length")


def saved(page: Page, folder: Path) -> list[Writing]:
    """What the page saves."""
    behaviour = {"behavior": "allow", "downloadPath": str(folder), "eventsEnabled": True}
    page.browser.send("Browser.setDownloadBehavior", **behaviour)
    since = len(page.browser.events)
    page.click("#save")
    page.browser.wait("Browser.downloadProgress", since, state="completed")
    return [read() for _, read in recorded_words(folder / "handwriting.json")]


def test_what_the_mouse_writes_is_kept_and_saved(browser: Browser, made: Made, tmp_path: Path) -> None:
    address = made("one", "two", "three")
    page = browser.open(address)
    assert page.text("#word") == "one" and page.text("#count") == "0 of 3 written"
    draw(page, (50, 60), (70, 90), (90, 60))
    draw(page, (120, 40))  # a dot
    page.key("Enter", 13)
    draw(page, (10, 20), (30, 25))
    assert page.text("#word") == "two" and page.text("#count") == "2 of 3 written"
    page.go(address)
    assert page.text("#word") == "three" and page.text("#count") == "2 of 3 written"
    page.key("ArrowLeft", 37)
    assert page.text("#word") == "two" and drawn(page) == 1
    draw(page, (40, 20), (60, 25))
    width, height = box(page)[2:]
    one, two = saved(page, tmp_path)
    assert (one.text, two.text, one.pointer) == ("one", "two", "mouse")
    assert (one.width, one.height) == (width, height) and 0 < one.baseline < height
    assert np.abs(one.strokes[0][:, :2] - [(50, 60), (70, 90), (90, 60)]).max() < 0.02
    assert one.strokes[1][:, :2].round().tolist() == [[120, 40]]
    assert [stroke[:, :2].round().tolist() for stroke in two.strokes] == [[[10, 20], [30, 25]], [[40, 20], [60, 25]]]
    for word in (one, two):
        times = np.concatenate([stroke[:, 2] for stroke in word.strokes])
        assert times[0] == 0 and (np.diff(times) >= 0).all() and 0 < times[-1] < 60_000
    assert two.strokes[1][0, 2] - two.strokes[0][-1, 2] >= 500  # the page was opened anew between them
    assert page.complaints() == []


def test_undo_redo_and_writing_anew(browser: Browser, made: Made) -> None:
    page = browser.open(made("undone"))
    seen = []

    def after(act: Callable[[], None]) -> None:
        act()
        seen.append(drawn(page))

    for y in (30, 60):
        draw(page, (20, y), (60, y))
    for button in ("#undo", "#undo", "#undo", "#redo", "#redo", "#redo", "#again", "#undo", "#undo"):
        after(lambda button=button: page.click(button))
    assert seen == [1, 0, 0, 1, 2, 2, 0, 2, 1]  # what cannot be undone is not
    after(lambda: page.key("z", 90, modifiers=2 | 8))
    after(lambda: page.key("z", 90, modifiers=2))
    after(lambda: draw(page, (20, 90), (60, 90)))
    assert page.value("document.getElementById('redo').disabled")  # a new stroke takes the place of what was undone
    after(lambda: page.key("y", 89, modifiers=2))
    assert seen[9:] == [2, 1, 2, 2]
    left, top, _, _ = box(page)
    page.mouse("mousePressed", left + 50, top + 50, button="right", buttons=2)
    page.mouse("mouseReleased", left + 60, top + 60, button="right")
    assert drawn(page) == 2


def test_fingers_on_a_phone(browser: Browser, made: Made, tmp_path: Path) -> None:
    page = browser.open(made("finger", "next"), 390, 844, phone=True)
    assert page.value("document.documentElement.scrollWidth") == 390
    assert page.value("document.getElementById('next').getBoundingClientRect().bottom") < 844
    small = "[...document.querySelectorAll('button, .button')].map((b) => b.getBoundingClientRect().height)"
    assert min(page.value(f"{small}.filter((height) => height)")) >= 44
    left, top, _, _ = box(page)
    page.touch("touchStart", (left + 50, top + 100))
    page.touch("touchMove", (left + 80, top + 40))
    page.touch("touchStart", (left + 80, top + 40), (left + 200, top + 90))  # a second finger
    page.touch("touchMove", (left + 90, top + 30), (left + 220, top + 20))
    page.touch("touchEnd")
    page.touch("touchStart", (left + 60, top + 60))
    page.touch("touchCancel")
    assert page.value("scrollY") == 0 and drawn(page) == 1
    assert page.value("getComputedStyle(document.getElementById('pad')).touchAction") == "none"
    [word] = saved(page, tmp_path)
    [stroke] = word.strokes
    assert word.pointer == "touch"
    assert np.abs(stroke[0, :2] - (50, 100)).max() < 1 and np.abs(stroke[-1, :2] - (90, 30)).max() < 1
    assert stroke[:, 0].max() < 100


def test_the_hand_that_holds_a_pen_writes_nothing(browser: Browser, made: Made, tmp_path: Path) -> None:
    page = browser.open(made("pen"))
    draw(page, (30, 50), (60, 70), pointer="pen")
    page.send("Emulation.setTouchEmulationEnabled", enabled=True)
    left, top, _, _ = box(page)
    page.touch("touchStart", (left + 200, top + 120))
    page.touch("touchMove", (left + 230, top + 130))
    page.touch("touchEnd")
    [word] = saved(page, tmp_path)
    assert word.pointer == "pen" and len(word.strokes) == 1


def test_no_place_of_a_fast_pointer_is_lost(browser: Browser, made: Made, tmp_path: Path) -> None:
    page = browser.open(made("fast"))
    left, top, _, _ = box(page)
    places = [(20 + 3 * x, 40 + x % 7) for x in range(60)]
    page.mouse("mousePressed", left + 20, top + 40)
    page.sweep(*[(left + x, top + y) for x, y in places[1:]])
    page.mouse("mouseReleased", left + places[-1][0], top + places[-1][1])
    [word] = saved(page, tmp_path)
    assert word.strokes[0][:, :2].round().tolist() == [list(place) for place in places]


def test_a_pointer_that_is_taken_away_ends_its_stroke(browser: Browser, made: Made) -> None:
    page = browser.open(made("taken"))
    left, top, _, _ = box(page)
    page.mouse("mousePressed", left + 30, top + 30)
    page.mouse("mouseMoved", left + 60, top + 60)
    page.value("document.getElementById('pad').releasePointerCapture(pad.id)")
    page.mouse("mouseMoved", left + 60, top - 40)
    page.mouse("mouseReleased", left + 60, top - 40)  # outside
    draw(page, (10, 10), (20, 20))
    assert drawn(page) == 2 and page.complaints() == []


def test_a_pad_of_another_size_shows_and_takes_what_was_begun(browser: Browser, made: Made, tmp_path: Path) -> None:
    page = browser.open(made("turned"), 900, 800)
    width, height = box(page)[2:]
    draw(page, (100, 50), (400, 120))
    page.send("Emulation.setDeviceMetricsOverride", width=500, height=800, deviceScaleFactor=2, mobile=False)
    page.until("document.documentElement.clientWidth === 500")
    narrow, low = box(page)[2:]
    scale = min(narrow / width, low / height)
    assert scale < 0.7
    draw(page, (narrow / 2, low / 2), (narrow / 2 + 30 * scale, low / 2))
    [word] = saved(page, tmp_path)
    assert (word.width, word.height) == (width, height)
    expected = [(width / 2, height / 2), (width / 2 + 30, height / 2)]
    assert np.abs(word.strokes[1][:, :2] - expected).max() < 2  # a pixel of the smaller pad
    assert page.complaints() == []


def test_hostile_words_are_text(browser: Browser, made: Made, tmp_path: Path) -> None:
    page = browser.open(made(*HOSTILE))
    for text in HOSTILE:
        assert page.text("#word") == text
        draw(page, (30, 50), (60, 70))
        page.click("#next")
    assert page.text("#told") == "All is written. Save the file."
    assert page.value("document.querySelectorAll('b').length") == 0
    assert [word.text for word in saved(page, tmp_path)] == list(HOSTILE)
    assert page.complaints() == []


def test_a_saved_file_is_opened_again(browser: Browser, made: Made, tmp_path: Path) -> None:
    page = browser.open(made("saved", "again"))
    draw(page, (30, 50), (60, 70))
    saved(page, tmp_path)
    page.value("window.confirm = () => true")
    page.click("#erase")
    assert page.text("#count") == "0 of 2 written"
    field = page.send("Runtime.evaluate", expression="document.getElementById('open')")["result"]["objectId"]
    later = (tmp_path / "handwriting.json").read_text().replace('"version":1', '"version":2')
    for name, content in (("broken.json", "{}"), ("cut.json", later[:99]), ("later.json", later)):
        (tmp_path / name).write_text(content)
        page.send("DOM.setFileInputFiles", files=[str(tmp_path / name)], objectId=field)
        page.until(f"document.getElementById('told').textContent.startsWith('{name} is no file')")
    page.send("DOM.setFileInputFiles", files=[str(tmp_path / "handwriting.json")], objectId=field)
    page.until("document.getElementById('count').textContent === '1 of 2 written'")
    assert page.text("#word") == "again"
    page.click("#back")
    draw(page, (30, 90), (60, 90))
    page.value("window.confirm = (text) => { window.asked = text; return false; }")
    page.send("DOM.setFileInputFiles", files=[str(tmp_path / "handwriting.json")], objectId=field)
    page.until("document.getElementById('told').textContent === 'Opened handwriting.json: 0 words.'")
    assert page.value("asked") == "Replace a word that is written here by what the file has?"
    assert [len(word.strokes) for word in saved(page, tmp_path)] == [2]
    assert page.complaints() == []


def test_a_page_that_is_open_twice_loses_nothing(browser: Browser, made: Made, tmp_path: Path) -> None:
    first = browser.open(address := made("open", "twice"))
    second = browser.open(address)
    draw(first, (30, 50), (60, 70))
    second.until("document.getElementById('count').textContent === '1 of 2 written'")
    assert drawn(second) == 1
    draw(second, (30, 90), (60, 90))
    first.until("document.querySelectorAll('#pad path').length === 2")
    second.click("#next")
    draw(second, (30, 50), (60, 70))
    first.until("document.getElementById('count').textContent === '2 of 2 written'")
    assert [len(word.strokes) for word in saved(first, tmp_path)] == [2, 1]


def test_a_dot_alone_is_no_word(browser: Browser, made: Made, tmp_path: Path) -> None:
    page = browser.open(made("dot", "line"))
    draw(page, (30, 50))
    assert page.text("#count") == "0 of 2 written" and page.value("document.getElementById('save').disabled")
    page.click("#next")
    draw(page, (30, 50), (60, 70))
    assert [word.text for word in saved(page, tmp_path)] == ["line"]
    assert page.text("#told").endswith("Left out: a word of a dot alone.")
    page.click("#next")
    assert page.text("#word") == "dot" and drawn(page) == 1
    assert page.complaints() == []


def test_a_browser_that_keeps_nothing_says_so(browser: Browser, made: Made, tmp_path: Path) -> None:
    page = browser.open("about:blank#")
    page.send("Page.addScriptToEvaluateOnNewDocument", source=REFUSING)
    page.go(made("refused"))
    draw(page, (30, 50), (60, 70))
    assert "keeps nothing" in page.text("#told")
    assert len(saved(page, tmp_path)) == 1


def test_the_words_have_every_letter() -> None:
    text = "".join(WORDS)
    assert len(set(WORDS)) == len(WORDS) == 80
    assert all(text.count(letter) >= 4 for letter in "abcdefghijklmnopqrstuvwxyz")
    assert set(text) == set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,;:!?'\"()-")
    assert all(text.count(digit) >= 2 for digit in "0123456789")
