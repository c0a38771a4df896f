"""Stroke files of the recorder are read as they were written, and what is damaged in one is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minigrad.data.recorded import Writing, is_recorded, recorded_words
from minigrad.errors import DataError, FileFormatError, MissingFileError

WORD = {
    "text": "Hi",
    "pad": {"width": 640, "height": 272.5, "baseline": 185},
    "pointer": "pen",
    "strokes": [[[12.5, 160.25, 0], [13, 158, 8.3]], [[40, 170, 900]]],
}
FILE = {"format": "minigrad-strokes", "version": 1, "words": [WORD, {**WORD, "text": "you"}]}

Damage = Callable[[dict[str, Any]], Any]


def written(folder: Path, content: Any) -> Path:
    path = folder / "mine.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def words_of(path: Path) -> list[Writing]:
    return [read() for _, read in recorded_words(path)]


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    one, two = words_of(path)
    assert (one.text, two.text, one.pointer, one.points) == ("Hi", "you", "pen", 3)
    assert (one.width, one.height, one.baseline) == (640, 272.5, 185)
    assert [stroke.tolist() for stroke in one.strokes] == WORD["strokes"]
    assert is_recorded(path) and not is_recorded(__file__) and not is_recorded(tmp_path)


def test_its_words_as_strokes(tmp_path: Path) -> None:
    one, _ = words_of(written(tmp_path, FILE))
    strokes = one.as_strokes("word 1")
    assert (strokes.text, strokes.name) == ("Hi", "word 1")
    assert strokes.points.tolist() == [[0, -24.75, 0], [0.5, -2.25, 1], [27, 12, 1]]  # from 12.5 on the line at 185
    leap = {**WORD, "strokes": [[*([5, y, y] for y in range(9)), [90000, 6, 9]]]}
    (far,) = words_of(written(tmp_path, {**FILE, "words": [leap]}))
    with pytest.raises(DataError, match=r"word 1: expected offsets that a pen makes, where 1 is usual, got one of"):
        far.as_strokes("word 1")


def put(keys: str, value: Any) -> Damage:
    """Damage of the second word: what lies under these keys becomes another value."""

    def damage(content: dict[str, Any]) -> None:
        inner: Any = content["words"][1]
        *path, last = [int(key) if key.isdigit() else key for key in keys.split(".")]
        for key in path:
            inner = inner[key]
        inner[last] = value

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (put("text", " "), "word 2: expected a text that is not empty, got ' '"),
        (put("text", 7), "word 2: expected a text that is not empty, got 7"),
        (put("pad", None), "word 2 (you): expected pad.width, a number of pixels above 0, got none"),
        (put("pad.height", 0), "word 2 (you): expected pad.height, a number of pixels above 0, got 0"),
        (put("pad.baseline", True), "word 2 (you): expected pad.baseline, a number of pixels above 0, got True"),
        (put("strokes", []), "word 2 (you): expected at least one stroke, got []. Leave out the word, or write it anew"),
        (put("strokes", [[[1, 2, 3]]]), "word 2 (you): expected points at two places at least, got a single one. Leave it out"),
        (put("strokes", [[[1, 2, 3], [1, 2, 4]]]), "word 2 (you): expected points at two places at least, got a single one"),
        (put("strokes.0", []), "word 2 (you), stroke 1: expected a list of points, got []"),
        (put("strokes.0.1", [1, 2]), "word 2 (you), stroke 1, point 2: expected x, y and t, three finite numbers, got [1, 2]"),
        (put("strokes.0.1.0", float("nan")), "stroke 1, point 2: expected x, y and t, three finite numbers, got [nan, 158"),
        (put("strokes.0.1.0", 10**400), "stroke 1, point 2: expected x, y and t, three finite numbers, got [1000000"),
        (put("strokes.1.0.1", "170"), "stroke 2, point 1: expected x, y and t, three finite numbers, got [40, '170', 900]"),
        (put("strokes.1.0.1", 2e5), "stroke 2, point 1: expected x and y of at most 100,000 pixels, got [40, 200000.0, 900]"),
        (put("strokes.0.1.2", -1), "stroke 1, point 2: expected t of at least 0, as time runs on, got -1"),
        (lambda content: content["words"].append(3), "word 3: expected an object with text, pad and strokes, got 3"),
        (lambda content: content.update(words=[]), "expected words with their strokes, got none. Write some on the page"),
        (lambda content: content.update(words="x"), "expected words with their strokes, got words = 'x'"),
        (lambda content: content.update(version=2), "expected version 1, got 2. Save it on a page of this version"),
        (lambda content: content.update(format="other"), "expected format 'minigrad-strokes', got format 'other'"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: Damage, words: str) -> None:
    content = json.loads(json.dumps(FILE))  # a copy in which the words share nothing
    damage(content)
    path = written(tmp_path, content)
    with pytest.raises(FileFormatError) as caught:
        words_of(path)
    assert str(caught.value).startswith(f"stroke file: {path}") and words in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileFormatError, match="expected a stroke file, which is JSON, got text that is none"):
        words_of(written(tmp_path, text))


def test_other_things_than_stroke_files(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"expected format 'minigrad-strokes', got list. Save it on the page"):
        words_of(written(tmp_path, [1]))
    with pytest.raises(FileFormatError, match="a file that can be read, got Is a directory"):
        words_of(tmp_path)
    with pytest.raises(MissingFileError, match="expected a stroke file, got no such file"):
        words_of(tmp_path / "none.json")
