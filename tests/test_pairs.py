"""Sentence pairs of the user's own: which files are read and how, what is left out, and that no sentence is on two sides."""

from __future__ import annotations

import gzip
import random
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from minigrad.data import Pair, open_known_pairs, open_pairs, pair
from minigrad.data.pair import cleaned, same_key
from minigrad.data.pairfiles import find_pairs, places
from minigrad.data.pairsplit import families, held_out_pairs
from minigrad.errors import ArgumentError, DataError
from tests.pair_files import ROWS, parallel, tsv


def sides(pairs: Any) -> list[tuple[str, str]]:
    return [tuple(pair[:2]) for pair in pairs]


def every(data: Any) -> set[tuple[str, str]]:
    return {pair for part in (data.train, data.validation, data.test or []) for pair in sides(part)}


# ---------------------------------------------------------------------- forms of files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tsv(ROWS).encode(), ""),
        (tsv([(*row, "CC-BY 2.0 (France) Attribution: tatoeba.org #1 (a) & #2 (b)") for row in ROWS]).encode(), ""),
        (tsv([(str(i), a, str(10 * i), b) for i, (a, b) in enumerate(ROWS)]).encode(), ""),
        (tsv(ROWS, "\r\n").encode("utf-8-sig"), "line ends: 60 of CR and LF, in 1 file, are read as LF"),
        (b"\xef\xbb\xbf" + tsv(ROWS).encode(), "encoding: the mark of UTF-8 (BOM) at the beginning of 1 file left out"),
        (gzip.compress(tsv(ROWS).encode(), mtime=0), ""),
        (tsv(ROWS).encode().rstrip(b"\n"), ""),
        (tsv([(f"  {a.replace(' ', '  ')}", f"{b}\xa0") for a, b in ROWS]).encode(), ""),
        (b"\n" + tsv(ROWS).encode() + b"\t\n\n", ""),
    ],
    ids=["two", "anki", "tatoeba", "crlf", "bom", "gz", "no end", "blanks", "blank lines"],
)
def test_files_with_tabs(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "spa.txt"
    path.write_bytes(content)
    data = open_pairs(path)
    assert every(data) == set(ROWS) and (len(data.train), len(data.validation), data.test) == (54, 6, None)
    assert data.languages == ("", "") and data.names == ("spa.txt",)
    assert data.policy[0] == "pairs: 60 of spa.txt, from source (5.0 words) into target (4.0); turn them by --set reverse=true"
    assert not words or words in data.policy
    assert data.digest == open_pairs(path, holdout=0.5, seed=3, reverse=True).digest


@pytest.mark.parametrize("gz", [False, True])
def test_two_files_and_folders_of_them(tmp_path: Path, gz: bool) -> None:
    parallel(tmp_path / "two", "talks.de-en", ROWS, gz=gz)
    end = ".gz" if gz else ""
    paths = [str(tmp_path / f"two/talks.de-en.{language}{end}") for language in ("de", "en")]
    german = open_pairs(paths)
    assert german.languages == ("de", "en") and german.names == (f"talks.de-en.{{de{end},en{end}}}",)
    assert every(german) == {(b, a) for a, b in ROWS} == every(open_pairs(",".join(paths)))
    english = open_pairs(tmp_path / "two")
    assert english.languages == ("en", "de") and every(english) == set(ROWS) and english.digest == german.digest
    assert english.train[0].place == "talks.de-en.{en,de}, line 1"
    assert (
        open_pairs(tmp_path / "two", source="de").languages
        == ("de", "en")
        == open_pairs(tmp_path / "two", target="en").languages
    )
    assert open_pairs(tmp_path / "two", reverse=True).train[0] == english.train[0].turned()


def test_parts_as_multi30k_has_them(tmp_path: Path) -> None:
    for stem, rows in (("train", ROWS[:40]), ("val", ROWS[40:50]), ("test_2016_flickr", ROWS[50:55]), ("test_2017", ROWS[55:])):
        parallel(tmp_path, stem, rows, gz=stem == "val")
    (tmp_path / "README.md").write_text("about")
    (tmp_path / "extra.en").write_text("x\n")
    (tmp_path / "extra.de").write_text("x\n")
    data = open_pairs(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test or [])) == (40, 10, 10) and data.languages == ("en", "de")
    assert data.policy[1:] == (
        "left out: of no part: extra.{en,de}",
        "split: the data's own parts: 40 pairs to train on, 10 for validation, 10 for test",
        "few: by 10 pairs no model is chosen well; give more pairs",  # the share that is held out would change nothing
    )
    pairs, lines = open_known_pairs(tmp_path)
    assert sides(pairs) == ROWS[50:] and lines[0] == "pairs: 10, of 4 files"


@pytest.mark.parametrize("names", [("train.tsv", "val.tsv", "test.tsv"), ("train/a.txt", "valid/b.txt", "test/c.txt.gz")])
def test_parts_with_tabs(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name, rows in zip(names, (ROWS[:40], ROWS[40:50], ROWS[50:]), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        content = tsv(rows).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    data = open_pairs(tmp_path)
    assert [sides(part) for part in (data.train, data.validation, data.test)] == [ROWS[:40], ROWS[40:50], ROWS[50:]]


def test_a_folder_as_anki_packs_it(tmp_path: Path) -> None:
    (tmp_path / "spa.txt").write_text(tsv(ROWS))
    (tmp_path / "_about.txt").write_text("no tabs here")
    (tmp_path / "cover.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "nothing.txt").touch()
    data = open_pairs(tmp_path)
    assert every(data) == set(ROWS)
    assert data.policy[1:3] == ("left out: 1 empty file: nothing.txt", "left out: binary: cover.png")


def test_a_part_to_test_alone_leaves_the_rest_to_be_split(tmp_path: Path) -> None:
    parallel(tmp_path, "train", ROWS[:50])
    parallel(tmp_path, "test", [*ROWS[50:], ("Give me 0 of  them", "Nichts")])
    data = open_pairs(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test or [])) == (45, 5, 11)
    assert any(
        line.startswith("split: 5 of 50 pairs (10.0%)") and line.endswith("11 of the data's own test part")
        for line in data.policy
    )
    in_train = "Give me 0 of them." in [pair.source for pair in data.train]
    assert any(line.startswith("seen: of the pairs for test 1 (9.1%)") for line in data.policy) == in_train


# ---------------------------------------------------------------------- what is left out, and what is refused


def test_what_is_left_out_is_counted_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    wide = " ".join(["word"] * 5000)
    path.write_text(
        tsv([*ROWS, ("No target",), ("", "No source"), ("Empty", " "), (wide, "short"), ("short", "x" * 1501), ROWS[0]])
    )
    data = open_pairs(path)
    assert every(data) == set(ROWS)
    assert data.policy[1] == (
        "left out: 3 pairs with a missing side (a.tsv, line 61; a.tsv, line 62; a.tsv, line 63), 2 pairs with a sentence of"
        " more than 150 words (a.tsv, line 64; a.tsv, line 65), 1 pair that was there already"
    )
    assert (wide, "short") in every(open_pairs(path, longest=5000))
    path.write_text(tsv([*ROWS, ("Hub", "hub"), ("OK", "OK")]))
    assert open_pairs(path).policy[1] == ("copies: 2 pairs to train on (3.6%) have the same sentence on both sides: Hub, OK")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"a\.tsv: expected a file of text, got an empty file"),
        (b"one\ntwo\n", r"a\.tsv: expected lines of a sentence, a tab and its translation, got no tab in 2 lines\. Put a tab"),
        (b"\n\n", "got no tab in 2 lines"),
        (b"caf\xe9\tx\n", r"a\.tsv: expected text in UTF-8, got byte 0xe9 in line 1\. Save it as UTF-8"),
        (b"a\tb\nx\ty\xff\n", "got byte 0xff in line 2"),
        ("a\tb\n".encode("utf-16-le"), r"expected text in UTF-8, got UTF-16LE\. .*iconv -f UTF-16LE"),
        ("a\tb\n".encode("utf-16"), r"expected text in UTF-8, got UTF-16\. .*iconv -f UTF-16"),
        (b"a\tb\0\n", r"a binary file \(it holds bytes of 0\)\. Name a file of text\.$"),
        (b"PK\x03\x04abc", r"got a packed archive\. Unpack it"),
        (
            gzip.compress(b"a\tb\n", mtime=0)[:-6],
            r"expected a whole gzip file, got a damaged one \(.+\)\. Fetch or pack it anew",
        ),
        (b"a\t\n\tb\n", r"expected sentence pairs in the train part, got left out: 2 pairs with a missing side .*both sides"),
        (b"a " * 200 + b"\tb\n", "Give pairs of shorter sentences, or a larger longest="),
        (b"a\tb\n", r"expected at least two pairs that have no sentence in common, one of them to choose by, got 1 pair\."),
        (b"a\tb\na\tc\nd\tc\n", "got 3 pairs that all hang together by shared sentences"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        open_pairs(path)


def test_paths_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parallel(tmp_path, "a", ROWS)
    cases: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
        ("a.en", {}, DataError, r"Name both of two files whose lines belong together: a\.en,a\.de"),
        (
            "nowhere",
            {},
            DataError,
            r"or one of the named sets en-es, en-de, en-it, en-fr, bible-en-es, got nothing of that name",
        ),
        ("es-en", {}, DataError, r"It is en-es, read in the other direction \(reverse=True; --set reverse=true\)"),
        ("shakespeare", {}, DataError, "expected pairs of sentences, such as en-es, got text"),
        ([], {}, ArgumentError, "expected a name or a path, at least one, got none"),
        (["a.en", "a.de", "a.fr"], {}, DataError, r"a\.fr: expected .*, got nothing of that name"),
        (["a.en", "."], {}, DataError, r"data: a\.en: expected lines of a sentence, a tab"),
        (".", {"source": "fr"}, ArgumentError, "expected one of the languages de, en, got 'fr'"),
        (".", {"source": "en", "target": "en"}, ArgumentError, "expected another language than en, got 'en'"),
        (".", {"holdout": 1.0}, ArgumentError, "expected a share between 0 and 1"),
        (".", {"longest": 0}, ArgumentError, "longest"),
        ("en-es", {"source": "fr"}, ArgumentError, "expected one of the languages en and es, got 'fr'"),
        ("en-es", {"source": "es", "target": "es"}, ArgumentError, "expected another language than es"),
    ]
    for data, options, error, words in cases:
        with pytest.raises(error, match=words):
            open_pairs(data, **options)
    (tmp_path / "a.de").write_text("one line\n")
    with pytest.raises(DataError, match=r"data: a\.de: expected as many lines as in a\.en, 60: .* got 1\."):
        open_pairs(".")
    (tmp_path / "a.fr").write_text("une\n")
    with pytest.raises(DataError, match=r"expected files in two languages in \., got files in de, en, fr\. Say which: source="):
        open_pairs(".")
    assert open_known_pairs(".", source="de", target="fr")[0][0][:2] == ("one line", "une")
    (tmp_path / "b.en").write_text("x\n")
    with pytest.raises(DataError, match=r"expected b\.de beside b\.en, got no such file\. Put its translation beside it"):
        open_pairs(".", source="en", target="de")
    (tmp_path / "b.de").touch()
    with pytest.raises(DataError, match=r"expected b\.de beside b\.en, got an empty file"):
        open_pairs(".", source="en", target="de")
    (tmp_path / "a.en.gz").write_bytes(gzip.compress(b"x\n"))
    with pytest.raises(DataError, match=r"expected one file a\.en, got"):
        open_pairs(".", source="en", target="de")
    folder = tmp_path / "tabs"
    folder.mkdir()
    (folder / "a.tsv").write_text(tsv(ROWS))
    with pytest.raises(ArgumentError, match="expected none where no file is named after a language, got en, None"):
        open_pairs(folder, source="en")
    (folder / "a.tsv").rename(folder / "README.tsv")
    with pytest.raises(DataError, match=r"expected a file of tab-separated pairs, or two such as train\.en and train\.de"):
        open_pairs(folder)
    (tmp_path / "one").mkdir()
    (tmp_path / "one/a.en").write_text("x\n")
    with pytest.raises(DataError, match=r"got files in en\. Add the other"):
        open_pairs(tmp_path / "one")
    (tmp_path / "one/a.de").touch()
    with pytest.raises(DataError, match=r"got files in en \(and empty: a\.de\)\. Add the other"):
        open_pairs(tmp_path / "one")


def test_several_places_are_taken_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, rows in (("a.tsv", ROWS[:20]), ("b.tsv", ROWS[20:40])):
        (tmp_path / name).write_text(tsv(rows))
    parallel(tmp_path / "c", "train", ROWS[40:50])
    parallel(tmp_path / "c", "val", ROWS[50:])
    two = open_pairs(["a.tsv", "b.tsv"])
    assert every(two) == set(ROWS[:40]) == every(open_pairs("a.tsv,b.tsv")) and two.names == ("a.tsv", "b.tsv")
    three = open_pairs(["a.tsv", "b.tsv", "c"])
    assert every(three) == set(ROWS) and sides(three.validation) == ROWS[50:] and three.languages == ("en", "de")
    assert three.names == ("a.tsv", "b.tsv", "c/train.{en,de}", "c/val.{en,de}")
    with pytest.raises(DataError, match=r"data: c, d: expected pairs in the same two languages, got en to de and src to de"):
        parallel(tmp_path / "d", "x", ROWS)
        (tmp_path / "d/x.en").rename(tmp_path / "d/x.src")
        find_pairs(["c", "d"])


def test_of_each_place_its_own_test_part_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And all of a place that has none, which is no reason to leave it out; each pair once."""
    monkeypatch.chdir(tmp_path)
    parallel(tmp_path / "c", "train", ROWS[:40])
    parallel(tmp_path / "c", "test", ROWS[40:45])
    parallel(tmp_path / "d", "train", ROWS[:9])
    parallel(tmp_path / "d", "test", ROWS[44:50])
    (tmp_path / "a.tsv").write_text(tsv(ROWS[50:]))
    (tmp_path / "b.tsv").write_text(tsv([*ROWS[:2], ("x", "")]))
    for data, rows, line in (
        (["c", "a.tsv"], [*ROWS[40:45], *ROWS[50:]], "taken: the test part of c, all of a.tsv"),
        (["b.tsv", "c", "d"], [*ROWS[:2], *ROWS[40:50]], "taken: the test part of c, d, all of b.tsv"),
        ("c", ROWS[40:45], "taken: the test part of c"),
        ("a.tsv,b.tsv", [*ROWS[50:], *ROWS[:2]], "left out: 1 pair with a missing side (b.tsv, line 3)"),
    ):
        pairs, lines = open_known_pairs(data)
        assert sides(pairs) == rows and lines[1] == line
        assert sides(open_known_pairs(data, reverse=True)[0]) == [row[::-1] for row in rows]
    pairs, _ = open_known_pairs(["a.tsv", "c"], source="de", target="en")
    assert sides(pairs) == [*ROWS[50:], *((b, a) for a, b in ROWS[40:45])]
    assert find_pairs(["c", "a.tsv"]).languages == ("en", "de")


def test_two_files_in_the_languages_that_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parallel(tmp_path, "a", ROWS)
    for data in ("a.en,a.de", "a.de,a.en"):
        for options in ({"source": "de"}, {"target": "en"}, {"source": "de", "target": "en"}):
            data_of = open_pairs(data, **options)
            assert data_of.languages == ("de", "en") and every(data_of) == {row[::-1] for row in ROWS}
        with pytest.raises(ArgumentError, match=r"source: expected one of the languages (en, de|de, en), got 'fr'"):
            open_pairs(data, source="fr")
    for side, end in (("en", "src"), ("de", "tgt")):
        (tmp_path / f"a.{side}").rename(tmp_path / f"b.{end}")
    for data in ("b.src,b.tgt", "."):  # any languages
        assert every(open_pairs(data, source="en", target="de")) == set(ROWS)
    assert every(open_pairs("b.src,b.tgt", source="tgt")) == {row[::-1] for row in ROWS}


def test_a_name_with_a_comma_is_one_path(tmp_path: Path) -> None:
    path = tmp_path / "a,b.tsv"
    path.write_text(tsv(ROWS))
    assert places(str(path)) == (str(path),) and every(open_pairs(str(path))) == set(ROWS)
    assert [file.part for file in find_pairs(str(path)).files] == [""]


# ---------------------------------------------------------------------- no sentence on two sides


def test_families_by_hand() -> None:
    pairs = [Pair("a", "1"), Pair("b", "1"), Pair("B!", "2"), Pair("c", "3"), Pair("d", "4"), Pair("e", "4")]
    assert families(pairs).tolist() == [0, 0, 0, 1, 2, 2] and families([]).tolist() == []
    assert families([Pair("same", "x"), Pair("x", "same")]).tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(4))
def test_no_sentence_is_on_both_sides(seed: int) -> None:
    draw = random.Random(seed)

    def sentence(language: str) -> str:
        return draw.choice(["{}", "{}!", " {}", "¡{}!"]).format(
            draw.choice([str.upper, str.lower])(f"{language} {draw.randrange(300)}")
        )

    pairs = [Pair(sentence("s"), sentence("t")) for _ in range(250)]
    out = held_out_pairs(pairs, 0.2, seed, "x")
    assert 30 <= out.sum() <= 50
    for side in (0, 1):
        keys = [{same_key(pair[side]) for pair, held in zip(pairs, out, strict=True) if held == part} for part in (True, False)]
        assert keys[0] and not keys[0] & keys[1]
    order = draw.sample(range(len(pairs)), len(pairs))
    again = held_out_pairs([pairs[i] for i in order], 0.2, seed, "x")
    assert [bool(out[i]) for i in order] == again.tolist()
    assert held_out_pairs([pair.turned() for pair in pairs], 0.2, seed, "x").tolist() == out.tolist()
    assert held_out_pairs(pairs, 0.2, seed + 9, "x").tolist() != out.tolist()


def test_no_more_than_enough_are_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minigrad.data.pairsplit.MOST", 7)
    assert held_out_pairs([Pair(str(i), str(i)) for i in range(200)], None, 0, "x").sum() == 7


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("cafe\u0301", "café"),
        ("a\u00a0b\u202f!", "a b !"),
        ("\ufeffa\u200bb\x07", "ab"),
        ("a\x1cb\u2028c\vd", "a b c d"),
        (" a  b ", "a b"),
        ("a\u200db", "a\u200db"),
    ],
)
def test_cleaned(text: str, clean: str) -> None:
    assert cleaned(text) == clean == cleaned(clean)


def test_every_character_is_cleaned_and_compared_as_the_slow_way_does() -> None:
    """Printable texts, and those in ASCII, go a shorter way."""
    for character in map(chr, range(0x3100)):
        text = unicodedata.normalize("NFC", f" A{character}b{character} ")
        assert cleaned(text) == pair._BLANKS.sub(" ", pair._CONTROLS.sub("", text)).strip(), ascii(character)
        key = pair._MARKS.sub("", unicodedata.normalize("NFKC", text).casefold())
        assert same_key(text) == key, ascii(character)
