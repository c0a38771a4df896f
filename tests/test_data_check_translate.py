"""The check of sentence pairs: sound pairs yield nothing, and each thing that spoils them is found, with its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from minigrad.cli import main
from minigrad.data.check import Report, check_translate, translate
from minigrad.errors import DataError
from tests.pair_files import ROWS, parallel, tsv


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pairs are not too few here."""
    monkeypatch.setattr(translate, "LITTLE", 0)


def kinds(report: Report) -> dict[str, str]:
    return {finding.kind: finding.severity for finding in report.findings}


def test_sound_pairs_yield_nothing(tmp_path: Path) -> None:
    path = tmp_path / "spa.txt"
    path.write_text(tsv(ROWS))
    report = check_translate(path)
    assert kinds(report) == {} and (report.size, report.unit, report.counts) == (60, "pair", {"train": {"spa.txt": 60}})
    assert report.about == "5.0 words in a source, up to 5, and 4.0 in a target, up to 4"
    parallel(tmp_path / "two", "train", ROWS[:50], gz=True)
    parallel(tmp_path / "two", "val", ROWS[50:])
    report = check_translate(tmp_path / "two")
    assert kinds(report) == {} and report.counts == {"train": {"train.{en,de}": 50}, "validation": {"val.{en,de}": 10}}
    assert kinds(check_translate([str(tmp_path / f"two/val.{end}") for end in ("en", "de")])) == {}


@pytest.mark.parametrize(
    ("content", "kind", "severity", "words", "item"),
    [
        (tsv([("No target",)]), "missing", "warning", "1 pair (1.6%) with a missing side", "no target"),
        (tsv([("", "No source")]), "missing", "warning", "with a missing side", "no source"),
        (tsv([("Hub", "hub!")]), "copies", "note", "1 pair (1.6%) with the same sentence on both sides", "Hub"),
        (tsv([(f"Hub {i}", f"hub {i}") for i in range(9)]), "copies", "warning", "9 pairs (13%)", "Hub 0"),
        (
            tsv([("Turn on the kitchen light now", "Por favor turn on the kitchen light now")]),
            "untranslated",
            "warning",
            "1 pair (1.6%) of which the target has the words of the source",
            "75% of the words of 'Por favor turn on the kitchen light now'",
        ),
        (tsv([("Go.", "A " * 40)]), "unequal", "warning", "1 pair (1.6%) of very unequal lengths", "times the usual length"),
        (tsv([("a " * 5000, "b " * 5000)]), "long", "warning", "1 pair (1.6%) with a sentence of more than 150", "5,000 words"),
        (tsv(ROWS[:1]), "duplicate", "note", "1 pair there more than once", ROWS[0][0]),
        (tsv([(ROWS[i][0], f"Otra {i}") for i in range(9)]), "several", "note", "15.0% of the sources", "2 translations"),
        (tsv([("a\x07b", "c")]), "controls", "warning", "control characters, at 1 place", "1 place"),
        (tsv([("cafÃ©", "x")]), "misread", "warning", "UTF-8 that seems to have been read as another encoding", "1 place"),
        (tsv([("cafe\u0301", "x")]), "decomposed", "note", "1 file not in Unicode's normal form NFC", ""),
        (tsv([("a", "b")], "\r\n"), "crlf", "note", "1 file with line ends of CR and LF", ""),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)  # fmt: skip
def test_what_is_odd_is_found(tmp_path: Path, content: str, kind: str, severity: str, words: str, item: str) -> None:
    path = tmp_path / "odd.tsv"
    path.write_bytes((tsv(ROWS) + content).encode())
    report = check_translate(path)
    (found,) = [finding for finding in report.findings if finding.kind == kind]
    assert found.severity == severity and words in found.words and found.mend and "--set min_count" not in found.mend
    assert any(item in one.detail for one in found.items) and found.files[0].startswith(("odd.tsv", "Give me"))
    assert not report.errors


def test_sentences_that_are_trained_on_are_leaks(tmp_path: Path) -> None:
    parallel(tmp_path, "train", ROWS)
    parallel(
        tmp_path, "val", [(f"X {i}", f"Y {i}") for i in range(97)] + [("give me 1 of them", "?"), ("!", ROWS[2][1]), ROWS[3]]
    )
    parallel(tmp_path, "test", [(f"X {i}", f"Z {i}") for i in range(3)] + ROWS[:1])
    validation, test = [finding for finding in check_translate(tmp_path).findings if finding.kind == "leak"][::-1]
    assert (validation.severity, test.severity) == ("warning", "error")
    assert (
        "3.0% of the pairs of validation have a source or target that train has too (source 1, target 1, both 1)"
        in validation.words
    )
    assert validation.files == ("val.{en,de}, line 98", "val.{en,de}, line 99", "val.{en,de}, line 100")


def test_files_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    for name, content in (
        ("a.tsv", tsv(ROWS).encode()),
        ("b.tsv", b"caf\xe9\tx\n"),
        ("c.txt", b"no tabs"),
        ("d.txt.gz", b"\x1f\x8bx"),
    ):
        (tmp_path / name).write_bytes(content)
    report = check_translate(tmp_path)
    assert report.errors == 3 and report.size == 60
    said = {finding.files[0]: finding.items[0].detail for finding in report.findings if finding.kind == "unreadable"}
    assert said["b.tsv"] == "expected text in UTF-8, got byte 0xe9 in line 1" and "no tab in 1 line" in said["c.txt"]
    with pytest.raises(DataError, match="got byte 0xe9 in line 1"):
        check_translate(tmp_path / "b.tsv")


def test_few_pairs_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(tsv(ROWS).encode()))
    for few, severity in ((1000, "warning"), (10, "note")):
        monkeypatch.setattr(translate, "LITTLE", 10**6)
        monkeypatch.setattr(translate, "FEW", few)
        assert kinds(check_translate(path)) == {"little": severity}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parallel(tmp_path, "a", [*ROWS, ("Only English", "")])
    both = f"{tmp_path}/a.en,{tmp_path}/a.de"
    assert main(["data", "check", "translate", both]) == 0
    out = capsys.readouterr().out
    assert f"{both.replace(',', ', ')}: 60 pairs in 1 file, 5.0 words in a source" in out
    assert "warning: 1 pair (1.6%) with a missing side\n    a.{en,de}, line 61: no target\n" in out
    assert main(["data", "check", "translate", *both.split(","), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pairs"] == 60 and told["warnings"] == 1 and told["findings"][0]["kind"] == "missing"
    assert main(["data", "check", "translate", both, "--fix"]) == 0
    (tmp_path / "a.de").write_text("one\n")
    capsys.readouterr()
    assert main(["data", "check", "translate", both]) == 2
    assert "as many lines as in a.en, 61" in " ".join(capsys.readouterr().err.split())
    assert main(["data", "check", "translate", both, "--glob", "*.en"]) == 2
