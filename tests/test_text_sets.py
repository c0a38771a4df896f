"""The named sets of text, and text for a model that knows its characters already."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import numpy as np
import pytest

from minigrad.data import Characters, load, open_text, sources
from minigrad.data.knowntext import open_known
from minigrad.data.textsets import open_named, plain
from minigrad.errors import ArgumentError, DataError


def test_shakespeare() -> None:
    data = open_text("shakespeare")
    assert [file.name for file in data.validation.files] == ["macbeth", "richard-ii", "twelfth-night"]
    assert data.test is not None and [file.name for file in data.test.files] == ["julius-caesar", "king-john", "the-tempest"]
    assert len(data.names) == 37 and "edward-iii" not in data.names and len(data.vocabulary) == 78
    assert (len(data.train), len(data.validation), len(data.test)) == (4_167_607, 344_507, 327_579)
    assert data.digest == "66a0bf4001e42eb716839721189f841b8c1cf706a1730a2e92f9d2acc88e8d18"
    assert data.policy[1].endswith("327,579 for test (julius-caesar, king-john, the-tempest)")
    play = next(file for file in data.train.files if file.name == "hamlet")
    text = data.vocabulary.decode(data.train[play.start : play.end])
    assert text.startswith("Hamlet\n\nACT I\n\nSCENE I. Elsinore. A platform before the castle.\n\nFRANCISCO at his post.")
    assert "\n\nHAMLET\nTo be, or not to be: that is the question:\nWhether 'tis nobler in the mind to suffer\n" in text
    whole = data.vocabulary.decode(data.train[:])
    assert not set("*_#\\\t\r") & set(whole) and "\n\n\n" not in whole and not re.search(" $", whole, re.MULTILINE)


def test_the_plays_lose_their_marks_and_nothing_else() -> None:
    text = "# A\n\n\n\n_Enter B,\nand C_  \n\n**B & c**  \n\\[To C\\] 1\\. *x*  \ny \\- z\n"
    assert plain(text) == "A\n\nEnter B,\nand C\n\nB & C\n[To C] 1. x\ny - z\n\n"


def test_the_sources_of_python() -> None:
    data = open_text("python-stdlib")
    folder = Path(os.__file__).parent
    assert {"random.py", "os.py"} < set(data.names) == {path.name for path in folder.glob("*.py") if path.stat().st_size}
    file = data.train.files[0]
    text = data.vocabulary.decode(data.train[file.start : file.end])
    assert text == (folder / file.name).read_text(encoding="utf-8") or data.vocabulary.unknown is not None
    assert sources.get("python-stdlib") == (folder,)


def test_a_python_without_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = sources.DATASETS["python-stdlib"]
    monkeypatch.setitem(sources.DATASETS, known.name, dataclasses.replace(known, folder=str(tmp_path)))
    with pytest.raises(DataError, match="expected the sources of the standard library in"):
        open_named("python-stdlib")


def test_names_of_other_kinds_and_globs_are_refused() -> None:
    with pytest.raises(DataError, match="expected one of shakespeare, python-stdlib, got 'mnist5k'"):
        open_named("mnist5k")
    with pytest.raises(
        DataError, match=r"named sets shakespeare, python-stdlib, got nothing .* closest to it is shakespeare\."
    ):
        open_text("Shakespear")
    with pytest.raises(DataError, match="expected one of mnist5k, fashion-mnist, cifar10, got 'shakespeare'"):
        load("shakespeare")
    with pytest.raises(ArgumentError, match="none with a named set"):
        open_text("shakespeare", glob="*.md")


# ---------------------------------------------------------------------- in characters that are known


def test_text_in_known_characters(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abcab")
    (tmp_path / "b.txt").write_text("bad")
    ids, lines = open_known(tmp_path, Characters("abcd"))
    assert ids[:].tolist() == [0, 1, 2, 0, 1, 1, 0, 3] and ids.files == (("a.txt", 0, 5), ("b.txt", 5, 8))
    assert lines == ("text: 2 files, 8 characters",)
    ids, lines = open_known(tmp_path, Characters("ab"), unknown="skip", glob="*.txt")
    assert ids[:].tolist() == [0, 1, 0, 1, 1, 0] and ids.files == (("a.txt", 0, 4), ("b.txt", 4, 6))
    assert lines[1] == "left out: 2 characters that the model does not know, at 2 places"
    ids, lines = open_known(tmp_path, Characters("ab\ufffd"), unknown="fold")
    assert ids[:].tolist() == [0, 1, 2, 0, 1, 1, 0, 2] and lines[1].startswith("folded: 2 characters")
    ids, _ = open_known(tmp_path / "a.txt", Characters(kind="bytes"))
    assert ids[:].tolist() == list(b"abcab") and ids.values.dtype == np.uint8


def test_the_test_part_is_taken_where_there_is_one(tmp_path: Path) -> None:
    for part, text in (("train", "aa"), ("test", "b")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "x.txt").write_text(text)
    ids, lines = open_known(tmp_path, Characters("ab"))
    assert ids[:].tolist() == [1] and lines == ("text: 1 file, 1 character", f"taken: the test part of {tmp_path}")


def test_of_each_place_its_own_test_part_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "parts/train/x": "aa",
        "parts/test/x": "b",
        "test/x": "c",
        "train/x": "a",
        "notes/x": "d",
        "one": "e",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for places, expected, taken in (
        (["parts", "one"], "be", ["taken: the test part of parts, all of one"]),
        (["one", "parts", "notes"], "ebd", ["taken: the test part of parts, all of one, notes"]),
        (["train", "test", "notes"], "acd", []),  # what is named is measured, whatever it is called
        (["parts", "parts/train/x"], "baa", ["taken: the test part of parts, all of parts/train/x"]),
        (["parts", "parts/test"], "b", ["taken: the test part of parts, all of parts/test"]),
    ):
        ids, lines = open_known(places, Characters("abcde"))
        assert ("".join("abcde"[id] for id in ids[:]), [line for line in lines if "taken" in line]) == (expected, taken)


def test_unknown_characters_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("na\u00efve\n")
    with pytest.raises(DataError) as caught:
        open_known(path, Characters("aenv"))
    assert str(caught.value).startswith(
        f"data: {path}: characters: expected the 4 characters that the vocabulary has, got 2 others"
    )
    with pytest.raises(ArgumentError, match="without U\\+FFFD"):
        open_known(path, Characters("aenv"), unknown="fold")
