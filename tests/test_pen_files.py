"""Handwriting from files: what each kind becomes, how it is split, and what is said of files that are damaged."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.data import sources
from minigrad.data.check import check_handwriting
from minigrad.data.iam import find_iam
from minigrad.data.pen import open_strokes
from minigrad.data.pen_files import read_entries
from minigrad.data.strokes import Strokes
from minigrad.errors import ArgumentError, DataError, FileFormatError, MinigradError
from tests import stroke_files as made

A = [[0, 0, 0], [3, -8, 0], [3, 8, 1], [-5, -3, 0], [4, 0, 1]]  # as offsets; the way to the first point is from the baseline


def found(path: Path) -> list[Strokes]:
    entries = list(read_entries(str(path)))
    assert all(isinstance(each.found, Strokes) for each in entries), entries
    return [each.found for each in entries if isinstance(each.found, Strokes)]


def is_a(strokes: Strokes, size: float = 1) -> bool:
    return np.array_equal(strokes.points[1:] / [size, size, 1], A[1:])


def faults(path: Path) -> list[MinigradError]:
    return [each.found for each in read_entries(str(path)) if isinstance(each.found, MinigradError)]


# ---------------------------------------------------------------- what the files become


def test_iam(tmp_path: Path) -> None:
    folder = made.iam(tmp_path / "iam", {"a01-000u": ["By A", "and B"], "a01-000x": ["C"], "b02-017z": ["D, E."]})
    entries = list(read_entries(str(folder)))
    texts = [each.found.text for each in entries if isinstance(each.found, Strokes)]
    assert texts == ["By A", "and B", "C", "D, E."]
    assert [each.group for each in entries] == ["form a01-000", "form a01-000", "form a01-000", "form b02-017"]
    assert entries[1].name == "lineStrokes/a01/a01-000/a01-000u-02.xml"
    for strokes in found(folder):
        assert is_a(strokes)
        assert strokes.absolute()[:, 1].max() == pytest.approx(0, abs=1.5) and strokes.box[0] == 0
    for place in (tmp_path, folder, folder / "lineStrokes"):
        assert find_iam(str(place)) == str(folder)
    data = open_strokes(str(folder), holdout=0.5)
    assert {tuple(data.train.texts), tuple(data.validation.texts)} == {("By A", "and B", "C"), ("D, E.",)}
    assert data.test is None and data.alphabet.symbols == tuple(sorted(set("By Aand BCD, E.")))


FORMS = {"a01-000u": ["A"], "a01-000x": ["A2"], "b02-017z": ["B"], "c03-001a": ["C"], "d04-002b": ["D"]}


@pytest.mark.parametrize("place", [".", "task1"])
@pytest.mark.parametrize(
    ("lists", "parts"),
    [
        ({"trainset": "a01-000u\n", "testset_v": "b02-017z", "testset_f": "c03-001a"}, [["A", "A2", "D"], ["B"], ["C"]]),
        ({"trainset": "\ufeffd04-002\r\n", "testset_v": "a01-000\r\nb02-017\r\n"}, [["C", "D"], ["A", "A2", "B"], []]),
        (
            {"trainset": "a01-000", "testset_t": "a01-000x\n", "testset_f": "b02-017z d04-002b"},
            [["A", "C"], ["A2"], ["B", "D"]],
        ),
        ({"testset_v": "a01-000", "testset_f": "a01-000u"}, [["B", "C", "D"], ["A2"], ["A"]]),
    ],
)
def test_the_parts_of_iam_that_are_published(tmp_path: Path, place: str, lists: dict[str, str], parts: list[list[str]]) -> None:
    folder = made.iam(tmp_path, FORMS)
    (folder / place).mkdir(exist_ok=True)
    for name, forms in lists.items():
        (folder / place / f"{name}.txt").write_text(forms, encoding="utf-8", newline="")
    data = open_strokes(folder)
    test = [] if data.test is None else list(data.test.texts)
    assert [list(data.train.texts), list(data.validation.texts), test] == parts
    assert any(line.startswith("parts: as the files have them: ") for line in data.policy)


def test_what_lies_beside_a_copy_of_iam(tmp_path: Path) -> None:
    made.iam(tmp_path, FORMS)
    mine = made.recorded(tmp_path / "my.json", ["x", "y"])
    (tmp_path / "ours").mkdir()
    made.recorded(tmp_path / "ours" / "our.json", ["v", "w"])
    assert [strokes.text for strokes in found(mine)] == ["x", "y"]
    assert [strokes.text for strokes in found(tmp_path / "ours")] == ["v", "w"]
    assert [strokes.text for strokes in found(tmp_path / "lineStrokes")] == ["A", "A2", "B", "C", "D"]
    assert open_strokes(tmp_path).policy[1] == "passed over: 2 files beside a copy of IAM-OnDB: my.json, ours/our.json"
    (finding,) = [each for each in check_handwriting(tmp_path).findings if each.kind == "beside"]
    assert finding.files == ("my.json", "ours/our.json")


def test_what_is_said_of_the_parts_of_iam(tmp_path: Path) -> None:
    folder = made.iam(tmp_path, FORMS)
    (folder / "trainset.txt").write_text("a01-000u b02-017z")
    (folder / "testset_v.txt").write_text("d04-002b")
    assert open_strokes(folder).policy[1:] == (
        "parts: as the files have them: 2 to learn from, 1 for validation; 2 texts of none of them, to learn from",
        "never shown: 1 character is in no text to learn from, and will not be learned: 'D'",
    )
    for name in ("trainset", "testset_v"):
        (folder / f"{name}.txt").write_text(f"t99-00{len(name)}a")
    with pytest.raises(
        DataError, match="expected names of forms that are there, such as a01-000u, got 2 other names, such as t9"
    ):
        open_strokes(folder)
    (folder / "trainset.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"trainset\.txt: expected a list of forms"):
        open_strokes(folder)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, ">f8"])
def test_sketches(tmp_path: Path, dtype: Any) -> None:
    np.savez(tmp_path / "cat.npz", train=made.sketches(3, dtype), valid=made.sketches(1, dtype), test=made.sketches(2, dtype))
    data = open_strokes(tmp_path / "cat.npz")
    assert data.test is not None and (len(data.train), len(data.validation), len(data.test)) == (3, 1, 2)
    assert is_a(data.train[1], 2) and set(data.train.texts) == {"cat"} and data.train.names[2] == "cat.npz, train, item 2"


def test_texts_beside_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", train=made.sketches(2), train_text=np.array(["one", "two"]))
    assert [strokes.text for strokes in found(tmp_path / "two.npz")] == ["one", "two"]
    np.savez(tmp_path / "even.npz", items=np.array([A, A]), items_text=made.objects(["a", "b"]))
    assert [(strokes.text, is_a(strokes)) for strokes in found(tmp_path / "even.npz")] == [("a", True), ("b", True)]
    for texts in ("texts", "labels"):
        np.savez(tmp_path / "own.npz", **{"strokes": made.sketches(2), texts: np.array(["one", "two"])})
        assert [strokes.text for strokes in found(tmp_path / "own.npz")] == ["one", "two"]
    np.savez(tmp_path / "own.npz", strokes=made.sketches(2), notes=np.array(["one", "two"]))
    assert [fault.remedy for fault in faults(tmp_path / "own.npz")] == [
        "Where an array holds texts, call it as that of the items with _text behind; else write the file anew"
    ] * 2
    first = [np.array(item, np.float32)[:, [2, 0, 1]] for item in (made.rows(0), made.rows(1))]
    np.save(tmp_path / "strokes.npy", made.objects(first), allow_pickle=True)
    (tmp_path / "sentences.txt").write_text("A first\nAnd then\n")
    pens_first = found(tmp_path / "strokes.npy")
    assert [strokes.text for strokes in pens_first] == ["A first", "And then"] and is_a(pens_first[1], 2)


def test_json(tmp_path: Path) -> None:
    (tmp_path / "dog.json").write_text(
        json.dumps([made.rows(0), {"text": "a", "points": A}, {"text": "b", "strokes": made.LINES}])
    )
    strokes = found(tmp_path / "dog.json")
    assert [each.text for each in strokes] == ["dog", "a", "b"] and all(map(is_a, strokes))
    (tmp_path / "dog.json").write_text(json.dumps({"train": [made.rows(0)], "valid": [made.rows(1)]}))
    data = open_strokes(tmp_path / "dog.json")
    assert (len(data.train), len(data.validation)) == (1, 1)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_json_with_times(tmp_path: Path, count: int) -> None:
    """Points of x, y and t: the time is no place, whatever their number."""
    line = [[10 + 2 * number, 20 + 5 * number, 8 * number] for number in range(count)]
    (tmp_path / "my.json").write_text(json.dumps([{"text": "a", "strokes": [line, [], [[3, 4, 90]]]}]))
    (strokes,) = found(tmp_path / "my.json")
    ways = [[2, 5, 0]] * (count - 2) + [[2, 5, 1], [3 - line[-1][0], 4 - line[-1][1], 1]]
    assert strokes.points[1:].tolist() == ways


def test_quickdraw_and_recorder(tmp_path: Path) -> None:
    assert all(map(is_a, found(made.quickdraw(tmp_path / "A.ndjson", 3))))
    words = found(made.recorded(tmp_path / "my.json", ["hello", "you"]))
    assert [word.text for word in words] == ["hello", "you"] and all(map(is_a, words))
    assert words[0].points[0].tolist() == [0, 2, 0]  # the first point is 2 below the line, where the word begins
    assert words[1].name == "my.json, word 2 (you)"


def test_a_folder_of_all_kinds_with_parts(tmp_path: Path) -> None:
    for part in ("train", "val"):
        (tmp_path / part / "inner").mkdir(parents=True)
        made.quickdraw(tmp_path / part / "inner" / "A.ndjson", 2)
        made.recorded(tmp_path / part / "my.json", ["hello"])
    (tmp_path / ".hidden.json").write_text("[")
    (tmp_path / "readme.txt").write_text("no strokes")
    data = open_strokes(tmp_path)
    assert sorted(data.train.texts) == sorted(data.validation.texts) == ["A", "A", "hello"]
    assert data.train.names[0] == "train/my.json, word 1 (hello)"


def test_split_scale_step_and_level(tmp_path: Path) -> None:
    path = made.recorded(tmp_path / "my.json", [f"word {number // 2}" for number in range(40)])
    data = open_strokes(path)
    assert len(data.validation) == 8 and not set(data.train.texts) & set(data.validation.texts)
    assert data.height == 8 and data.scale == pytest.approx(np.sqrt(np.mean(np.var(np.array(A)[1:, :2], axis=0))))
    assert open_strokes(path, seed=1).validation.texts != data.validation.texts
    assert "held out: 8 texts (20% of the groups), chosen with seed 0" in data.policy
    fine = open_strokes(path, step=0.5, level=True)
    assert len(fine.train[0]) > 20 and fine.digest == data.digest and "each was turned level and upright" in fine.policy
    made.recorded(path, [f"word {number // 2}" for number in range(1, 41)])
    assert open_strokes(path).digest != data.digest
    for step, words in (
        (1e-6, "expected a distance that leaves at most 1,000,000 points of a way of"),
        (0.001, "expected a dis"),
    ):
        with pytest.raises(ArgumentError, match=f"step: {words}"):
            open_strokes(path, step=step)


def test_no_character_is_held_out_that_is_nowhere_else(tmp_path: Path) -> None:
    path = made.recorded(tmp_path / "my.json", list("abcdefghij"))
    data = open_strokes(path, holdout=0.3)
    (lost,) = data.validation.texts
    assert data.policy[1:] == (
        "held out: 1 text (10% of the groups), chosen with seed 0; no 30%, as characters of other texts are in no second one",
        f"never shown: 1 character is in no text to learn from, and will not be learned: '{lost}'",
    )
    made.recorded(path, [*"abcdefghij", "abc", "cab", "bac"])
    for seed in range(9):
        data = open_strokes(path, holdout=0.3, seed=seed)
        assert set("".join(data.train.texts)) == set("abcdefghij") and len(data.validation) == 4
        assert not any(line.startswith("never") for line in data.policy) and "no 30%" not in data.policy[1]


# ---------------------------------------------------------------- what is refused


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"nowhere: expected the name of a set \(hershey, .*\), or a path of handwriting, got nothing"
    ):
        open_strokes(tmp_path / "nowhere")
    for name in ("empty", "photo.jpg"):
        with pytest.raises(DataError, match=f"{name}: expected a stroke file of the recorder .*, got none of these"):
            path = tmp_path / name
            path.write_text("") if "." in name else path.mkdir()
            open_strokes(path)


NAN, ONE, LEAP = [[0, 0, 0], [1, float("nan"), 1]], [[0, 0, 1]], [*A, [90_000, 0, 1]]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (NAN, "expected finite offsets, got nan in point 1"),
        (ONE, "expected at least 2 points, got 1 point"),
        (LEAP, "expected offsets that a pen makes"),
        ([], r"expected rows of dx, dy and pen lifted, \(n, 3\), got shape \(0,\)"),
        ("no", "expected rows of dx, dy and pen lifted, got something else"),
        ({"text": "", "points": A}, "expected the text that is written, got ''"),
        ({"text": "a", "strokes": [[1, 2, 3, 4]]}, r"expected x and y of each point, .*, got a line of shape \(4,\)"),
        ({"text": "a", "strokes": [[[1, 2, 3, 4]] * 2]}, r"expected x and y of each point, .*, got a line of shape \(2, 4\)"),
        ({"text": "a", "strokes": [[[1, 2], [3, 4, 5]]]}, "expected x and y of each point, .*, got something else"),
        ({"text": "a", "strokes": "no"}, "expected at least 2 points, got none"),
    ],
)
def test_an_item_that_is_no_handwriting(tmp_path: Path, item: Any, words: str) -> None:
    (tmp_path / "my.json").write_text(json.dumps([A, A, item]))
    with pytest.raises(DataError, match=rf"^strokes: my\.json, item 2: {words}.*`minigrad data check handwriting ") as caught:
        open_strokes(tmp_path / "my.json")
    assert str(tmp_path / "my.json") in caught.value.remedy
    if isinstance(item, list) and item:
        np.savez(tmp_path / "x.npz", train=made.objects([np.array(each) for each in (A, item)]))
        with pytest.raises(DataError, match=rf"^strokes: x\.npz, train, item 1: {words}"):
            open_strokes(tmp_path / "x.npz")


def saved(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def zipped(array: Any, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("train.npy", saved(array))
    return out.getvalue()


def damaged(content: bytes) -> bytes:
    return content[:90] + bytes(byte ^ 85 for byte in content[90:120]) + content[120:]


def laughs() -> np.ndarray:
    """A little pickle of 2^40 rows, which names each list twice."""
    rows: Any = [1, 2, 0]
    for _ in range(40):
        rows = [rows, rows]
    return made.objects([rows])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b"{", "expected JSON with items"),
        ("a.json", b"3", "expected a list of items, or one for each part"),
        ("a.json", b'{"a": 3}', "expected a list of items, or one for each part"),
        ("a.npz", b"PK", "expected an .npz file"),
        ("a.npy", b"numbers", "expected an array, got something else"),
        ("a.ndjson", b"\xff\xfe", "expected lines of JSON in UTF-8"),
        ("a.ndjson", b"{}\n", "line 1: expected an object with word and drawing"),
        ("a.ndjson", b'{"word": "a", "drawing": [[[1]]]}\n', "line 1: expected an object with word and drawing"),
        ("a.ndjson", b'{"word": "a", "drawing": []}\n', "line 1: expected at least 2 points, got none"),
        (
            "a.ndjson",
            b'{"word": "a", "drawing": [[[1, 1' + b"0" * 400 + b"], [1, 2]]]}",
            "line 1: expected an object with word",
        ),
        ("a.ndjson", b'{"word": "a", "drawing": [[[1, 1e39], [1, 2]]]}', "line 1: expected finite offsets, got inf"),
        (
            "a.ndjson",
            b'\xef\xbb\xbf{"word": "a", "drawing": [[[1, 2], [1, 2]]]}\n{"word": "a", "dra',
            "line 2: expected an object",
        ),
        ("a.ndjson", b"\n \n", "expected items of handwriting, got none"),
        ("a.json", b"[]", "expected items of handwriting, got none"),
        ("a.json", b'[{"text": "\\ud800", "points": [[0, 0, 0], [1, 2, 1]]}]', r"the text that is written, got '.ud800'"),
        ("a.json", b"[" * 100_000, "expected JSON with items, got something else"),
        ("a.json", b"[[[0, 0, 0], [1e30, 1, 1]]]", "item 0: expected offsets that a pen makes"),
        ("a.json", b"[[[0, 0, 0], [1e300, 1, 1]]]", "item 0: expected finite offsets, got inf in point 1"),
        ("a.json", b"[[[0, 0, 0], [1" + b"0" * 400 + b", 1, 1]]]", "item 0: expected rows of dx, .* got something else"),
        ("a.json", b'[{"text": "a", "strokes": [[[1' + b"0" * 400 + b", 1], [2, 3]]]}]", "item 0: expected x and y of each"),
        ("a.json", b'[{"text": "a", "strokes": [[[Infinity, 1], [Infinity, 3]]]}]', "item 0: expected finite offsets"),
        ("a.json", b'[{"text": "a", "strokes": [[[1e308, 1], [-1e308, 3]]]}]', "item 0: expected finite offsets, got -inf"),
        ("a.npy", saved(np.ones((2, 5, 3)))[:-9], "expected an array, got something else"),
        ("a.npy", saved(np.ones((2, 5, 3)))[:30], "expected an array, got something else"),
        ("a.npy", saved(np.ones((2, 5, 3))).replace(b"(2, 5, 3)", b"(2, 5, 3 "), "expected an array, got something else"),
        ("a.npy", saved(np.ones((2, 5, 3))).replace(b"(2, 5, 3)", b"(9**9**9)"), "expected an array, got something else"),
        ("a.npy", saved(np.ones((9, 0, 3))).replace(b"(9, 0, 3), } ", b"(90**9,0, 3),}"), "expected an array, got something"),
        ("a.npy", saved(np.ones((9, 0, 3))).replace(b"(9, 0, 3), }   ", b"(9999, 0, 3), }"), "expected an array, got .*shape"),
        ("a.npy", saved(np.ones((2, 5, 3), complex)), "expected an array, got something else .* of complex128"),
        ("a.npy", saved(np.zeros((0, 5, 3))), "expected items of handwriting, got none"),
        ("a.npy", saved(np.array("a")), "expected items of handwriting, got none"),
        ("a.npy", saved(np.array(["a"])).replace(b"a\0\0\0", b"\xff" * 4), "expected an array, got something else"),
        ("a.npy", saved(made.sketches(5))[:-20], "expected a whole pickle, got a damaged one"),
        ("a.npy", saved(laughs()), "expected an array, got something else .the same values again and again"),
        ("a.npz", zipped(made.sketches(5))[:60], "expected an .npz file, got something else"),
        ("a.npz", damaged(zipped(made.sketches(5))), "expected an .npz file, got something else"),
        ("a.npz", zipped(made.sketches(5), zipfile.ZIP_BZIP2), "expected arrays as NumPy packs them, got train packed in an"),
        ("a.npz", zipped(np.zeros((2, 10**6, 3), np.int8)), "expected arrays that unpack to at most 200 times the file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_damaged(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"^(strokes|data): {name}.*{words}"):
        open_strokes(tmp_path / name)


def test_a_recorder_file_that_is_damaged(tmp_path: Path) -> None:
    path = made.recorded(tmp_path / "my.json", ["a"])
    path.write_text(path.read_text().replace("640", "-1"))
    with pytest.raises(FileFormatError, match=r"my\.json, word 1 \(a\): expected pad\.width.*data check handwriting"):
        open_strokes(path)
    words = json.loads(made.recorded(path, list("abcd")).read_text())
    words["words"][1]["strokes"] = [[[5, 5, 0]]]
    words["words"][2] = 7
    path.write_text(json.dumps(words))
    names = [each.name for each in read_entries(str(path)) if isinstance(each.found, MinigradError)]
    assert names == ["my.json, word 2 (b)", "my.json, word 3 ()"]  # and the others are there


def test_archives_that_are_odd(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, train=made.sketches(2), train_text=np.array(["one"]))
    with pytest.raises(DataError, match=r"x\.npz, train: expected a text for each of 2 items, got 1 text"):
        open_strokes(path)
    np.savez(path)
    with pytest.raises(DataError, match=r"x\.npz: expected arrays of items, got none"):
        open_strokes(path)
    np.savez(path, train=np.zeros((2, 5, 4)))
    with pytest.raises(
        DataError, match=r"x\.npz, train, item 0: expected rows of dx, dy and pen lifted, \(n, 3\), got shape \(5, 4\)"
    ):
        open_strokes(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.npy", b"\x93NUMPY\x01\x00")
    with pytest.raises(DataError, match=r"x\.npz, train: expected an array"):
        open_strokes(path)


class Call:
    """What runs a command when Python's own pickle opens it."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch opened",)


def test_nothing_in_an_array_of_objects_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", made.objects([Call()]), allow_pickle=True)
    with pytest.raises(DataError, match=r"x\.npy: expected a pickle of numbers, text and arrays only, got a reference to"):
        open_strokes("x.npy")
    assert not Path("opened").exists()
    np.load("x.npy", allow_pickle=True)
    assert Path("opened").exists()  # the file does what it is feared to
    assert pickle.dumps(1)


def test_what_lies_beside_the_items(tmp_path: Path) -> None:
    """A text and a number in an archive, and a pipe in a folder, of which nothing would come."""
    np.savez(tmp_path / "two.npz", train=made.sketches(2), scale=np.float32(3))
    with zipfile.ZipFile(tmp_path / "two.npz", "a") as archive:
        archive.writestr("licence.txt", "free")
    os.mkfifo(tmp_path / "a.json")
    assert len(found(tmp_path)) == 2


@pytest.mark.parametrize(
    ("x", "words"),
    [("nan", "expected finite"), ("1e400", "expected finite"), ("1e39", "expected finite"), ("1e30", "expected offsets that")],
)
def test_iam_with_numbers_that_are_none(tmp_path: Path, x: str, words: str) -> None:
    folder = made.iam(tmp_path, {"a01-000u": ["A"]})
    place = folder / "lineStrokes/a01/a01-000/a01-000u-01.xml"
    place.write_text(made.xml([[[x, 1], [x, 5], [7, 9]]]))
    assert words in str(faults(folder)[0])
    place.write_text(place.read_text()[:90])
    assert "expected XML with strokes" in str(faults(folder)[0])
    place.write_text('<?xml version="1.0" encoding="none"?><a/>')
    assert "expected XML with strokes, got something else (unknown encoding: none)" in str(faults(folder)[0])


def test_iam_with_files_missing(tmp_path: Path) -> None:
    folder = made.iam(tmp_path, {"a01-000u": ["A", "B"], "b02-017z": ["C"]})
    (folder / "ascii/a01/a01-000/a01-000u.txt").write_text("CSR:\n\nA\n")
    (folder / "lineStrokes/b02/b02-017/b02-017z-01.xml").write_text("<a>")
    first, second = faults(folder)
    assert str(first).startswith("strokes: lineStrokes/a01/a01-000/a01-000u-02.xml: expected its text, line 02 of a01-000u.txt")
    assert str(second).startswith("strokes: lineStrokes/b02/b02-017/b02-017z-01.xml: expected XML with strokes")
    (folder / "ascii/a01/a01-000/a01-000u.txt").unlink()
    assert "expected its text in a01-000u.txt, got No such file" in str(faults(folder)[0])
    (folder / "lineStrokes/b02/b02-017/b02-017z-01.xml").write_text('<a><Stroke><Point x="1"/></Stroke></a>')
    assert "expected x and y of each point, got one without" in str(faults(folder)[-1])


def test_too_little_to_hold_something_out(tmp_path: Path) -> None:
    path = made.recorded(tmp_path / "my.json", ["a", "a"])
    with pytest.raises(DataError, match=r"my\.json: expected at least 2 groups of texts .*, got 1 group"):
        open_strokes(path)
    (tmp_path / "val").mkdir()
    path.rename(tmp_path / "val" / "my.json")
    with pytest.raises(DataError, match="expected texts to learn from, got none"):
        open_strokes(tmp_path)


# ---------------------------------------------------------------- Chinese characters


def test_hanzi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = made.hanzi(tmp_path / "set.tgz", 20)
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path))
    known = dataclasses.replace(sources.DATASETS["hanzi-writer-data"], files=(file,))
    monkeypatch.setitem(sources.DATASETS, "hanzi-writer-data", known)
    (tmp_path / "set.tgz").rename(sources.cached_path(file))
    data = open_strokes("hanzi-writer-data", strength=0)
    assert len(data.train) == 20 and len(data.validation) == 4 and set(data.validation.texts) < set(data.train.texts)
    cross = data.train[3]
    assert cross.text == chr(0x4E03) and len(cross.lines()) == 2
    unit = 1.2 * 21 / 1024
    assert cross.lines()[0][[0, -1]].tolist() == [
        pytest.approx([0, -500 * unit], abs=1e-4),
        pytest.approx([1000 * unit, -500 * unit], abs=1e-4),
    ]
    lively = open_strokes("hanzi-writer-data")
    first, held = lively.train[0].points, lively.validation[0].points
    lively.train.set_epoch(1)
    lively.validation.set_epoch(1)
    assert not np.array_equal(lively.train[0].points, first) and np.array_equal(lively.validation[0].points, held)
