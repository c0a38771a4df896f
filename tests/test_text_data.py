"""Text from files and folders: vocabularies, encodings, splits, the numbers in memory and in the cache."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.data import Characters, Ids, TextData, ids, open_text, textread
from minigrad.errors import ArgumentError, DataError, IndexingError, MinigradError, RunError, ShapeError

POEM = "Roses are red,\nviolets are blue.\n" * 40


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def text_of(data: TextData, part: Ids | None) -> str:
    assert part is not None
    return data.vocabulary.decode(part[:])


def refused(call: Any, kind: type[MinigradError] = DataError) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


# ---------------------------------------------------------------------- vocabularies


def test_text_goes_to_numbers_and_back() -> None:
    vocabulary = Characters("a-é€😀")
    numbers = vocabulary.encode("€é😀a")
    assert numbers.dtype == np.int64 and numbers.tolist() == [3, 2, 4, 0]
    assert vocabulary.decode(numbers) == vocabulary.decode(iter(numbers)) == "€é😀a"
    assert vocabulary.encode("").shape == (0,) and vocabulary.decode([]) == ""
    assert vocabulary.encode("é".encode()).tolist() == [2]
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary and len({vocabulary, Characters("a-é€😀")}) == 1


def test_bytes_of_any_kind() -> None:
    vocabulary = Characters(kind="bytes")
    assert len(vocabulary) == 256 and vocabulary.symbols[0xE9] == "é" and vocabulary.unknown is None
    assert vocabulary.encode(bytes(range(256))).tolist() == list(range(256))
    assert vocabulary.encode("é\udce9\ud800".replace("\ud800", "")).tolist() == [0xC3, 0xA9, 0xE9]
    assert vocabulary.encode("\ud800").tolist() == [0xED, 0xA0, 0x80]
    assert vocabulary.decode([0xC3, 0xA9, 0xFF]) == "é\ufffd"
    decoder = vocabulary.decoder()
    assert [decoder.feed(byte) for byte in "a€".encode() + b"\xc3a\xe2"] == ["a", "", "", "€", "", "\ufffda", ""]
    assert decoder.rest() == "\ufffd" and decoder.rest() == ""
    plain = Characters("ab").decoder()
    assert plain.feed(1) + plain.rest() == "b"


def test_unseen_characters() -> None:
    plain, folding = Characters("abc"), Characters("abc\ufffd")
    assert plain.unseen("cat tab\n") == {"t": 2, "\n": 1, " ": 1} and plain.unseen("cab") == {}
    assert plain.encode("cat", "skip").tolist() == [2, 0]
    assert folding.unknown == 3 and folding.encode("a-€b", "fold").tolist() == [0, 3, 3, 1]
    words = refused(lambda: plain.encode("naïve\x07", where="write"))
    assert "write: characters: expected the 3 characters that the vocabulary has" in words
    assert "'ï' (U+00EF LATIN SMALL LETTER I WITH DIAERESIS) 1 time" in words and "U+0007 1 time" in words
    assert "(--unseen skip)" in words and "fold)" not in words
    assert "(--unseen fold)" in refused(lambda: folding.encode("é"))
    assert "without U+FFFD" in refused(lambda: plain.encode("é", "fold"), ArgumentError)
    assert "one of refuse, fold, skip" in refused(lambda: plain.encode("a", "drop"), ArgumentError)
    assert "byte 0xff at place 1" in refused(lambda: plain.encode(b"a\xff"))


def test_wrong_vocabularies_and_numbers_are_refused() -> None:
    plain: list[Any] = [["ab"], [""], [3], "", "aba"]
    for symbols, kind in [*((symbols, "characters") for symbols in plain), ("a", "bytes"), ("a", "words")]:
        refused(lambda symbols=symbols, kind=kind: Characters(symbols, kind), ArgumentError)
    for wrong in ([3], [-1], [0.5], [[0, 7]]):
        assert "expected numbers from 0 to 2" in refused(lambda wrong=wrong: Characters("abc").decode(wrong), IndexingError)
    refused(lambda: Characters("abc").decoder().feed(3), IndexingError)


def test_a_config_holds_a_vocabulary() -> None:
    for vocabulary in (Characters("ab\n\ufffd😀"), Characters(kind="bytes")):
        assert Characters.of(vocabulary.to_config(), "config.json") == vocabulary
    kind = "characters"
    broken: list[Any] = [None, [], {}, {"kind": "bytes", "more": 1}, {"kind": kind}, {"kind": [], "symbols": "a"}]
    broken += [{"kind": kind, "symbols": symbols} for symbols in (3, "", "aa")]
    for config in broken:
        assert "text: config.json: expected the characters" in refused(
            lambda c=config: Characters.of(c, "config.json"), RunError
        )


def test_vocabularies_that_differ_are_told_apart() -> None:
    ours = Characters("abc")
    ours.check_same(Characters("abc"), "m")
    words = refused(lambda: ours.check_same(Characters("bcd"), "m"), RunError)
    assert "text: m: expected 3 characters, got 1 more ('d') and 1 fewer ('a')." in words
    assert "another order" in refused(lambda: ours.check_same(Characters("cba"), "m"), RunError)
    assert "one of bytes" in refused(lambda: ours.check_same(Characters(kind="bytes"), "m"), RunError)


# ---------------------------------------------------------------------- one file


def test_the_end_of_one_file_is_held_out(tmp_path: Path) -> None:
    data = open_text(write(tmp_path / "poem.txt", POEM))
    train, validation = text_of(data, data.train), text_of(data, data.validation)
    assert train + validation == POEM and train.endswith("\n") and 0.08 < len(validation) / len(POEM) < 0.12
    assert data.test is None and data.names == ("poem.txt",) and data.vocabulary == Characters(sorted(set(POEM)))
    assert data.train.files == (("poem.txt", 0, len(train)),)
    half = open_text(tmp_path / "poem.txt", holdout=0.5)
    assert abs(len(half.validation) / len(POEM) - 0.5) < 0.02 and half.digest == data.digest
    assert any(line.startswith("split: the end of the file, 132 characters (10.0%)") for line in data.policy)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1 << 20])
def test_a_file_is_read_in_pieces_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(textread, "PIECE", piece)
    text = "\r\r\n\n\ré€😀\r\n" * 5 + "é" * 9 + "\r"
    data = open_text(write(tmp_path / "a.txt", text.encode()), holdout=0.2)
    assert text_of(data, data.train) + text_of(data, data.validation) == text.replace("\r\n", "\n")
    assert "line ends: 10 of CR and LF, in 1 file, are read as LF" in data.policy


def test_a_mark_and_no_line_ends(tmp_path: Path) -> None:
    if_marked = open_text(write(tmp_path / "a.txt", b"\xef\xbb\xbf" + "é".encode() * 100))
    assert text_of(if_marked, if_marked.train) + text_of(if_marked, if_marked.validation) == "é" * 100
    assert "encoding: the mark of UTF-8 (BOM) at the beginning of 1 file left out" in if_marked.policy
    raw = open_text(tmp_path / "a.txt", bytes=True)
    assert len(raw.train) + len(raw.validation) == 203 and raw.vocabulary.kind == "bytes"
    assert raw.train[:3].tolist() == [0xEF, 0xBB, 0xBF] and raw.policy[0] == "text: 1 file, 203 bytes as they are"


def test_rare_characters_are_folded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "ab" * 50 + "é" * 3 + "ü" + "ab" * 50 + "\n" + "ab" * 10 + "ñ")
    data = open_text(path, min_count=4)
    assert data.vocabulary.symbols == ("a", "b", "\ufffd") and text_of(data, data.train).count("\ufffd") == 5
    assert "folded: 3 characters that come fewer than 4 times, at 5 places, read as U+FFFD: 'é' (U+00E9 LATIN" in data.policy[1]
    assert "folded: 1 character that only the parts to measure by have, at 1 place, read as U+FFFD: 'ñ'" in data.policy[2]
    assert set("éü\n\ufffd") < set(open_text(path).vocabulary.symbols)
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 300)))
    wide = open_text(write(tmp_path / "b.txt", (many * 10 + "é") * 2))
    assert len(wide.vocabulary) == 301 and wide.train.values.dtype == np.uint16 and "at 1 place" in wide.policy[1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected a file of text, got an empty file."),
        (
            b"PK\x03\x04\0\0" + b"a" * 100,
            "got a binary file (it holds bytes of 0). Name a file of text; to learn from the bytes",
        ),
        ("né\nà la\n".encode("latin-1") * 9, "a.txt: expected text in UTF-8, got byte 0xe9 at byte 1 (line 1)."),
        (b"ok\n" * 30 + b"\xc3", "got byte 0xc3 at byte 90 (line 31)."),
        (("text" * 9).encode("utf-16"), "got UTF-16. Save it as UTF-8: iconv -f UTF-16"),
        (("text" * 9).encode("utf-32"), "got UTF-32. Save it as UTF-8: iconv -f UTF-32"),
        ("no mark\r\n".encode("utf-16-le") * 900, "got UTF-16LE. Save it as UTF-8: iconv -f UTF-16LE"),
        ("и без знака\n".encode("utf-16-be") * 900, "got UTF-16BE. Save it as UTF-8: iconv -f UTF-16BE"),
        ("no mark\n".encode("utf-32-be") * 900, "got UTF-32BE. Save it as UTF-8: iconv -f UTF-32BE"),
        (np.arange(99, dtype="<i2").tobytes(), "got a binary file"),
        (b"\xef\xbb\xbf", "a.txt: expected text, got files that hold no character. Give more text."),
        (b"a", "expected at least 2 characters in the train part"),
        (b"abc", "expected at least 2 characters in the validation part"),
    ],
    ids=["empty", "binary", "latin-1", "cut off", "utf-16", "utf-32", "16-le", "16-be", "32-be", "int16", "bom", "1", "3"],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = write(tmp_path / "a.txt", content)
    assert words in refused(lambda: open_text(path))
    if len(content) > 3:
        assert len(open_text(path, bytes=True).train)


def test_a_wrong_path_or_argument_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "poem.txt", POEM)
    near = refused(lambda: open_text(tmp_path / "poem.tx"))
    assert "got nothing of that name" in near and f"The name closest to it is {tmp_path / 'poem.txt'}" in near
    assert "Leave the glob out" in refused(lambda: open_text(tmp_path / "poem.txt", glob="*"))
    for share in (0, 1, -0.1):
        assert "a share between 0 and 1" in refused(lambda s=share: open_text(tmp_path, holdout=s), ArgumentError)
    for count, words in ((0, "1 or more"), (300, "at most 216: so often comes the most frequent character")):
        assert words in refused(lambda n=count: open_text(tmp_path, min_count=n), ArgumentError)
    assert "none with bytes" in refused(lambda: open_text(tmp_path, min_count=2, bytes=True), ArgumentError)
    os.mkfifo(tmp_path / "pipe")
    assert "Write what it gives to a file" in refused(lambda: open_text(tmp_path / "pipe"))
    refused(lambda: open_text("a\0b"))


# ---------------------------------------------------------------------- several files


def corpus(folder: Path) -> Path:
    for number in range(10):
        write(folder / "code" / f"f{number}.py", f"x = {number}\n" * 20)
    write(folder / "notes.md", "# Notes\n")
    write(folder / "picture.png", b"\x89PNG\0\0")
    write(folder / "empty.py", "")
    write(folder / ".git/config", "[core]\n")
    (folder / "gone.py").symlink_to(folder / "nowhere")
    (folder / "code" / "again").symlink_to(folder)
    (folder / "circle.py").symlink_to("circle.py")
    (folder / "code" / "up").symlink_to(folder.parent)
    (folder.parent / "no part of it.py").write_text("x = 1\n")
    os.mkfifo(folder / "pipe.py")
    return folder


def test_a_folder_is_split_by_file(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "src")
    data = open_text(folder, glob="*.py")
    assert len(data.names) == 10 and len(data.validation.files) == 1
    everything = sorted(file.name for part in (data.train, data.validation) for file in part.files)
    assert everything == [f"code/f{number}.py" for number in range(10)]
    assert any("split: 1 of 10 files" in line for line in data.policy) and "left out: 1 empty file: empty.py" in data.policy
    for file in data.train.files:
        text = data.vocabulary.decode(data.train[file.start : file.end])
        assert text == (folder / file.name).read_text()
    assert data.train.place(data.train.files[1].start + 3) == f"{data.train.files[1].name}, character 3"
    moved = tmp_path / "moved"
    folder.rename(moved)
    again = open_text(moved, glob="*.py")
    assert (again.digest, again.names) == (data.digest, data.names)
    other = {open_text(moved, glob="*.py", seed=seed).validation.files[0].name for seed in range(8)}
    assert len(other) > 2
    assert "notes.md" in open_text(moved).names and "picture.png" in open_text(moved).policy[-2]
    assert "notes.md" in open_text(moved, glob="code/*.py, *.md").names


def test_equal_files_stay_on_one_side(tmp_path: Path) -> None:
    for number in range(8):
        write(tmp_path / f"{number}.txt", "the same\n" if number < 4 else f"{number} another\n")
    for seed in range(6):
        data = open_text(tmp_path, holdout=0.4, seed=seed)
        copies = {file.name in {f"{n}.txt" for n in range(4)} for file in data.validation.files}
        assert len(data.validation.files) == 4 or copies == {False}
    for number in range(8):
        write(tmp_path / f"{number}.txt", "the same\n")
    assert "got 8 files of the same contents" in refused(lambda: open_text(tmp_path))


def test_beside_a_huge_file_its_end_is_held_out(tmp_path: Path) -> None:
    """Where the others are next to nothing; and half of them, at most, where they are enough."""
    write(tmp_path / "book.txt", POEM * 10)
    write(tmp_path / "note.txt", "hi\n")
    data = open_text(tmp_path)
    (end,) = data.validation.files
    assert end.name == "book.txt" and 0.08 < len(data.validation) / (len(POEM) * 10) < 0.12
    assert sorted(file.name for file in data.train.files) == ["book.txt", "note.txt"]
    assert text_of(data, data.train).endswith("\n") and (POEM * 10).endswith(text_of(data, data.validation))
    assert text_of(data, data.train) + text_of(data, data.validation) == "hi\n" + POEM * 10
    assert "split: the end of the longest of 2 files, book.txt, 1,320 characters" in data.policy[1]
    assert data.digest == open_text(tmp_path, holdout=0.3).digest
    for number in range(9):
        write(tmp_path / f"{number}.txt", f"{number}" * 300)
    some = open_text(tmp_path)
    assert len(some.validation.files) in (3, 4, 5) and "book.txt" not in {file.name for file in some.validation.files}
    write(tmp_path / "copy.txt", POEM * 10)  # what is there twice tells its own end
    assert not {"book.txt", "copy.txt"} & {file.name for file in open_text(tmp_path, seed=1).validation.files}


@pytest.mark.parametrize(
    ("content", "begins", "place"),
    [
        ("Title\n" + "a" * 5000, "character", 4505),
        (">seq\n" + "ACGT" * 1200, "character", 4324),
        ("line\n" * 10 + "a" * 6000, "character", 5445),
        ("a" * 10000 + "\nend", "character", 9003),
        ("é" * 5000, "character", 9000),
        ("€" * 5001, "character", 13503),
        ("to be or not " * 500 + "\n" + "x" * 9, "word", 5859),
        ("line\n" * 100, "line", 450),
        ("a" * 899 + " " * 81 + "\n" + "b" * 19, "word", 900),
    ],
    ids=["title", "sequence", "short lines first", "a line at the end", "two bytes", "three bytes", "one line", "lines", "end"],
)
def test_what_is_held_out_is_about_what_is_asked_for(tmp_path: Path, content: str, begins: str, place: int) -> None:
    data = open_text(write(tmp_path / "a.txt", content))
    assert 0.05 < len(data.validation) / len(content) < 0.16 and len(data.train) + len(data.validation) == len(content)
    assert text_of(data, data.train).encode() == content.encode()[:place]
    assert any(f"from the beginning of a {begins}, is held out" in line for line in data.policy)


def test_of_two_books_no_whole_one_is_held_out(tmp_path: Path) -> None:
    write(tmp_path / "books/1.txt", POEM * 8)
    write(tmp_path / "books/2.txt", POEM.upper() * 8)
    for share, held, words in (
        (None, 2112, "the end of the longest"),
        (0.1, 2112, "the end of the longest"),
        (0.3, 10560, "1"),
    ):
        data = open_text(tmp_path / "books", holdout=share)
        assert abs(len(data.validation) - held) < 40 and len(data.train) + len(data.validation) == 21120
        assert any(f"split: {words} of 2 files, " in line for line in data.policy)


def test_little_to_choose_by_is_told(tmp_path: Path) -> None:
    few = [line for line in open_text(write(tmp_path / "a.txt", POEM)).policy if line.startswith("few: ")]
    assert few == ["few: by 132 characters no model is chosen well; hold out more (--set holdout=0.3), or give more text"]
    assert not any(line.startswith("few: ") for line in open_text(write(tmp_path / "a.txt", POEM * 8)).policy)
    told = open_text(write(tmp_path / "a.txt", POEM), bytes=True).policy
    assert " bytes (" in told[1] and told[2].startswith("few: by 132 bytes no model")


def test_parts_of_their_own(tmp_path: Path) -> None:
    for part, text in (("train", "aab\n"), ("valid", "abc\n"), ("test", "b\n")):
        write(tmp_path / "folders" / part / "1.txt", text * 4)
        write(tmp_path / "files" / f"ptb.{part}.txt", text * 4)
    for name in ("folders", "files"):
        write(tmp_path / name / "README", "about\n")
        data = open_text(tmp_path / name)
        assert text_of(data, data.train) == "aab\n" * 4 and text_of(data, data.test) == "b\n" * 4
        assert text_of(data, data.validation) == "ab\ufffd\n" * 4
        assert data.policy[2].startswith("split: the data's own parts: 16 characters to train on, 16 for validation (")
        assert "left out: of no part: README" in data.policy
    (tmp_path / "folders/valid/1.txt").unlink()
    (tmp_path / "files/ptb.valid.txt").unlink()
    cut = open_text(tmp_path / "folders")
    assert text_of(cut, cut.train) + text_of(cut, cut.validation) == "aab\n" * 4 and text_of(cut, cut.test) == "b\n" * 4
    write(tmp_path / "folders/train/2.txt", "ba\n")
    split = open_text(tmp_path / "folders")
    assert text_of(split, split.validation) == "ba\n" and text_of(split, split.test) == "b\n" * 4
    assert "held out for validation: train/2.txt; 8 characters of the data's own test part" in split.policy[1]


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "src")
    assert "expected files that match *.c, got none of that name among" in refused(lambda: open_text(folder, glob="*.c"))
    assert "picture.png: expected text, got a binary file" in refused(lambda: open_text(folder, glob="*.png"))
    assert "got 1 empty file" in refused(lambda: open_text(folder, glob="empty*"))
    (tmp_path / "none").mkdir()
    assert "expected files of text in the folder, got none" in refused(lambda: open_text(tmp_path / "none"))
    write(folder / "code/latin.py", "# é\n".encode("latin-1"))
    assert "code/latin.py: expected text in UTF-8, got byte 0xe9 at byte 2" in refused(lambda: open_text(folder))


# ---------------------------------------------------------------------- the numbers


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ids, "IN_MEMORY", 100)
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/text"


def test_many_numbers_lie_in_the_cache(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "poem.txt", POEM)
    data = open_text(path)
    assert isinstance(data.train.values, np.memmap) and text_of(data, data.train) + text_of(data, data.validation) == POEM
    (file,) = cache.iterdir()
    assert data.policy[-1] == f"memory: the numbers of the characters are in {file}, and mapped into memory"
    written = file.stat().st_mtime_ns
    assert open_text(path, holdout=0.3).train.values[:10].tolist() == data.train.values[:10].tolist()
    open_text(path)
    assert file.stat().st_mtime_ns == written and list(cache.iterdir()) == [file]
    for damage in (file.read_bytes()[:-1], b"", file.read_bytes()[:-1] + b"\xff"):
        file.write_bytes(damage)
        again = open_text(path)
        assert text_of(again, again.train) + text_of(again, again.validation) == POEM
        assert [left.suffix for left in cache.iterdir() if left != file] in ([], [".ids"])


def test_half_a_file_is_never_taken(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "poem.txt", POEM)

    def stop(doing: str, done: int, total: int) -> None:
        if doing == "encoding":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_text(path, progress=stop)
    assert list(cache.iterdir()) == []
    left = write(cache / "0.half", "x")
    os.utime(left, (0, 0))
    open_text(path)
    assert [file.suffix for file in cache.iterdir()] == [".ids"]


def test_a_file_that_changes_meanwhile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for before, after in ((POEM, POEM.replace("e", "x", 1)), (POEM, POEM[:-1] + "!"), (POEM, POEM[:-9])):
        path = write(tmp_path / "poem.txt", before)

        def change(doing: str, done: int, total: int, path: Path = path, after: str = after) -> None:
            if doing == "reading" and done == total:
                write(path, after)

        assert "one that changed while it was read" in refused(lambda p=path, c=change: open_text(p, progress=c))


def test_a_cache_that_takes_nothing_is_told(tmp_path: Path, cache: Path) -> None:
    cache.parent.write_text("a file")
    path = write(tmp_path / "poem.txt", POEM)
    assert "expected a cache folder that can be written" in refused(lambda: open_text(path))


def test_a_full_disk_is_told(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write(tmp_path / "poem.txt", POEM)
    monkeypatch.setattr(os, "fsync", full)
    words = refused(lambda: open_text(path))
    assert "expected room for 1,320 bytes, got a full disk. Free some space, or set MINIGRAD_CACHE" in words
    assert list(cache.iterdir()) == []


def test_a_known_vocabulary_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "poem.txt", POEM)
    known = Characters([*sorted(set(POEM)), "z"])
    assert open_text(path, vocabulary=known).vocabulary is known
    assert "got 1 other: 'R' 40 times" in refused(lambda: open_text(path, vocabulary=Characters(set(POEM) - {"R"})))
    folding = open_text(path, vocabulary=Characters([*(set(POEM) - {"R"}), "\ufffd"]))
    assert text_of(folding, folding.train).startswith("\ufffdoses") and "folded: 1 character that" in folding.policy[1]
    assert len(open_text(path, vocabulary=Characters(kind="bytes")).vocabulary) == 256
    other = refused(lambda: open_text(path, vocabulary=Characters("xyz\ufffd\n ")))
    assert "most of which the model knows, got 1,080 of 1,320 that it does not know. Train a new model" in other


def test_numbers_and_their_files() -> None:
    some = Ids(np.array([5, 6, 7], np.uint8), [("a", 0, 1), ("b", 1, 3)])
    assert some[np.array([[0, 2]])].tolist() == [[5, 7]] and some[0].dtype == np.int64 and repr(some) == "Ids(3 of 2 files)"
    some[:][0] = 9
    assert some[:].tolist() == [5, 6, 7] and some.place(0) == "a, character 0"
    refused(lambda: some[3], IndexingError)
    refused(lambda: some.place(3), IndexingError)
    refused(lambda: Ids(np.zeros((1, 1), np.uint8), [("a", 0, 1)]), ShapeError)
    refused(lambda: Ids(np.zeros(2, np.uint8), [("a", 0, 1)]), ShapeError)
    for count, symbols in ((2, 3), (4, 3)):
        refused(lambda c=count, s=symbols: ids.stored("0", c, s, lambda: iter([np.arange(3)])))
