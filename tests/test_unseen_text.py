"""Text for a model that is trained already: characters that it knows, and others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minigrad.data import Characters, ids
from minigrad.data.unseen_text import open_unseen
from minigrad.errors import ArgumentError, DataError

KNOWN = Characters("\n abc\ufffd")
PLAIN = Characters("\n abc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text("a b\n")
    (tmp_path / "texts" / "two.txt").write_text("xbéx\n")
    return tmp_path / "texts"


@pytest.mark.parametrize("limit", [ids.IN_MEMORY, 0], ids=["in memory", "mapped"])
def test_what_becomes_of_unknown_characters(limit: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the numbers lie in the cache, from which the second call takes them."""
    monkeypatch.setattr(ids, "IN_MEMORY", limit)
    monkeypatch.setenv("MINIGRAD_CACHE", str(folder.parent / "cache"))
    for _ in range(2):
        skipped = open_unseen(folder, KNOWN, unknown="skip")
        assert KNOWN.decode(skipped.ids[:]) == "a b\nb\n"
        assert [tuple(span) for span in skipped.ids.files] == [("one.txt", 0, 4), ("two.txt", 4, 6)]
        folded = open_unseen(folder, KNOWN, unknown="fold")
        assert KNOWN.decode(folded.ids[:]) == "a b\n\ufffdb\ufffd\ufffd\n"
        assert [tuple(span) for span in folded.ids.files] == [("one.txt", 0, 4), ("two.txt", 4, 9)]
    assert skipped.unseen == folded.unseen == {"x": 2, "é": 1}
    words = "2 characters that the model does not know ('x' 2 times, 'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE) 1 time)"
    assert skipped.policy == ("text: 2 files, 9 characters", f"left out: {words}, at 3 places")
    assert folded.policy[1] == f"read as U+FFFD: {words}, at 3 places"


def test_they_are_refused_if_nothing_is_said(folder: Path) -> None:
    words = r"expected the 5 characters that the model knows, got 2 characters that .* Have them left out: --unseen skip\.$"
    with pytest.raises(DataError, match=words):
        open_unseen(folder, PLAIN)
    with pytest.raises(DataError, match=r"--unseen skip; or read as the rare characters were .*: --unseen fold"):
        open_unseen(folder, KNOWN)
    assert open_unseen(folder, PLAIN, glob="one.*").policy == ("text: 1 file, 4 characters",)


def test_arguments_that_do_not_go(folder: Path) -> None:
    with pytest.raises(ArgumentError, match="data: unseen: expected one of refuse, fold, skip, got 'drop'"):
        open_unseen(folder, KNOWN, unknown="drop")
    with pytest.raises(ArgumentError, match=r"expected a model with a place for characters .*, got one of 5 characters"):
        open_unseen(folder, PLAIN, unknown="fold")
    with pytest.raises(DataError, match=r"expected at least 2 characters that the model knows: .* got 1"):
        open_unseen(folder, Characters("é"), unknown="skip")


def test_bytes_know_everything(folder: Path) -> None:
    (folder / "two.txt").write_bytes(bytes(range(256)))
    found = open_unseen(folder, Characters(kind="bytes"), glob="two.txt")
    assert np.array_equal(found.ids[:], np.arange(256)) and found.policy == ("text: 1 file, 256 bytes",)


def test_the_test_part_is_measured_where_there_is_one(folder: Path) -> None:
    for part in ("train", "test"):
        (folder / part).mkdir()
        (folder / part / "a.txt").write_text(f"{'ab' if part == 'test' else 'cc'}\n")
    assert KNOWN.decode(open_unseen(folder, KNOWN).ids[:]) == "ab\n"
