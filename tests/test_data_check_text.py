"""The check of text: clean text yields nothing, and each thing that spoils it is found, by file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from minigrad.cli import main
from minigrad.data.check import Report, check_text, lookthrough, passages, text
from minigrad.data.check.passages import Passages
from minigrad.errors import DataError
from minigrad.models.text import Text, TextSettings


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small texts are not too small here."""
    monkeypatch.setattr(text, "SMALL", 0)


def prose(start: int, lines: int = 12) -> str:
    """Lines of which none comes twice, in characters that come often."""
    return "".join(
        f"{i:07} the quick brown fox jumps over the lazy dog {i * i:014} 0123456789\n" for i in range(start, start + lines)
    )


SIZE = len(prose(0))


def corpus(folder: Path, files: dict[str, str | bytes]) -> Path:
    for number, (name, content) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else (content + prose(1000 * number)).encode())
    return folder


def kinds(report: Report) -> dict[str, str]:
    return {finding.kind: finding.severity for finding in report.findings}


def test_clean_text_yields_nothing(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "clean", {"a.txt": "", "b/c.txt": ""})
    report = check_text(folder)
    assert kinds(report) == {} and report.counts == {"train": {"a.txt": SIZE, "b/c.txt": SIZE}}
    assert (report.size, report.unit, report.group, report.groups) == (2 * SIZE, "character", "file", ("a.txt", "b/c.txt"))
    assert report.about == "24 lines, a vocabulary of 38" and report.as_json()["characters"] == 2 * SIZE
    assert kinds(check_text(folder / "a.txt")) == {}
    parts = corpus(tmp_path / "parts", {"train/a": "", "valid/b": "", "test/c": ""})
    assert check_text(parts).counts == {"train": {"train/a": SIZE}, "validation": {"valid/b": SIZE}, "test": {"test/c": SIZE}}


@pytest.mark.parametrize(
    ("content", "kind", "severity", "words"),
    [
        (b"caf\xe9\n" * 9, "encoding", "error", "1 file is no UTF-8"),
        ("text".encode("utf-16") * 9, "encoding", "error", "1 file is no UTF-8"),
        (b"\xef\xbb\xbfa\n" * 1, "bom", "note", "1 file with the mark of UTF-8 (BOM) at the beginning"),
        (b"one\r\ntwo\r\n", "crlf", "note", "1 file with line ends of CR and LF"),
        (b"one\rtwo\r", "lone-cr", "warning", "CR without LF, at 2 places"),
        (b"a\x07\x1b\n", "controls", "warning", "control characters, at 2 places: U+0007 1 time, U+001B 1 time"),
        ("a\u200bb\n".encode(), "unseen", "warning", "U+200B ZERO WIDTH SPACE 1 time"),
        ("a\ufffdb\n".encode(), "replaced", "warning", "characters that stand for others which were lost, at 1 place"),
        (
            "\ue000\n".encode(),
            "unassigned",
            "warning",
            "characters that Unicode leaves to others, or to the future, at 1 place",
        ),
        ("cafÃ© donâ€™t\n".encode(), "misread", "warning", "read as another encoding and saved so ('Ã©' for 'é'), at 2 places"),
        ("cafe\u0301\n".encode(), "decomposed", "warning", "1 file not in Unicode's normal form NFC"),
        ("é\n".encode(), "rare", "note", "'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE) 1 time"),
        (b"x" * 2001 + b"\n", "wide", "note", "1 file with lines of more than 2,000 characters"),
        (b"no end", "unended", "note", "1 file without an end of the last line"),
        (b"", "empty", "note", "1 file is empty"),
        (b"GIF89a\0", "binary", "note", "1 file is binary"),
        (prose(0).encode(), "duplicate", "note", "1 text is there more than once"),
        (prose(0)[:800].encode(), "repeated-lines", "note", "% of the lines with 40 characters or more come more than once"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_what_is_odd_is_found(tmp_path: Path, content: bytes, kind: str, severity: str, words: str) -> None:
    folder = corpus(tmp_path / "odd", {"b.txt": "", "a.txt": content, "c.txt": ""})
    report = check_text(folder)
    (found,) = [finding for finding in report.findings if finding.kind == kind]
    assert found.severity == severity and words in found.words and found.mend
    assert kind == "repeated-lines" or any("a.txt" in item.files for item in found.items)
    assert report.errors == (severity == "error")
    if kind != "binary":
        assert kind not in kinds(check_text(folder, bytes=True)) or kind in (
            "wide",
            "unended",
            "empty",
            "duplicate",
            "repeated-lines",
        )


def test_lines_of_a_file_that_is_not_read_do_not_count(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "odd", {"a.txt": "", "b.txt": prose(0).encode() + b"caf\xe9"})
    assert kinds(check_text(folder)) == {"encoding": "error"}


def test_binary_files_that_were_asked_for_are_errors(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "odd", {"a.txt": "", "b.bin": b"\0"})
    assert kinds(check_text(folder, glob="*.bin")) == {"binary": "error"}
    assert kinds(check_text(folder / "b.bin"))["binary"] == "error"
    assert "binary" not in kinds(check_text(folder, bytes=True))


def test_copies_in_two_parts_are_leaks(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "parts", {"train/a": "", "train/b": "", "valid/c": "", "test/d": "", "README": b"about\n"})
    (folder / "train/copy").write_bytes((folder / "test/d").read_bytes())
    (folder / "valid/copy").write_bytes((folder / "test/d").read_bytes())
    report = check_text(folder)
    leak = next(finding for finding in report.findings if finding.kind == "leak")
    assert leak.items[0].files == ("test/d", "valid/copy", "train/copy") and leak.set_aside == ("valid/copy", "train/copy")
    assert report.set_aside["train/copy"] == "leak: the same bytes as test/d, valid/copy"
    shared = [finding.words for finding in report.findings if finding.kind == "shared-lines"]
    assert shared[0].startswith("50.0% of the lines of validation") and shared[1].startswith("100.0% of the lines of test")
    assert kinds(report)["outside"] == "warning"
    for name in ("valid/copy", "train/copy"):
        (folder / name).unlink()
    assert kinds(check_text(folder)) == {"outside": "warning"}


def test_all_of_the_same_contents(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "same", {"a": prose(0).encode(), "b": prose(0).encode()})
    assert kinds(check_text(folder))["one-content"] == "error"


def test_links_are_set_aside_before_what_they_lead_to(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "links", {"b/one": "", "two": ""})
    (folder / "a").symlink_to("b/one")
    outside = corpus(tmp_path / "outside", {"three": prose(0).encode()})
    (folder / "linked").symlink_to(outside)
    (found,) = [finding for finding in check_text(folder).findings if finding.kind == "duplicate"]
    assert found.items[0].files == ("b/one", "linked/three", "a") and found.set_aside == ("a",)


def test_little_text_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = corpus(tmp_path / "little", {"a": ""})
    for limit, severity in ((10**6, "warning"), (500, "note")):
        monkeypatch.setattr(text, "SMALL", 10**6)
        monkeypatch.setattr(text, "LITTLE", limit)
        assert kinds(check_text(folder))["little"] == severity


@pytest.mark.parametrize(
    ("content", "severity"), [("\ufeff", "error"), ("a", "error"), ("a\n" * 36, "error"), ("a\n" * 37, "")]
)
def test_text_that_training_refuses_for_its_length(tmp_path: Path, content: str, severity: str) -> None:
    (tmp_path / "a.txt").write_text(content)
    assert kinds(check_text(tmp_path / "a.txt")).get("short", "") == severity


@pytest.mark.parametrize("size", [64, 65])
def test_no_text_is_held_out_beside_a_part_for_validation(tmp_path: Path, size: int) -> None:
    folder = tmp_path / "parts"
    for part, length in (("train", size), ("validation", 30)):
        (folder / part).mkdir(parents=True)
        (folder / part / "a.txt").write_text("ab\n" * (length // 3) + "a" * (length % 3))
    short = kinds(check_text(folder)).get("short", "")
    assert short == ("" if trains(folder) else "error")


def trains(folder: Path) -> bool:
    try:
        Text(str(folder), TextSettings.of({"hidden": 4}))
    except DataError:
        return False
    return True


def test_a_sample_of_lines_tells_the_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "KEPT", 500)
    ours, theirs = Passages(), Passages()
    for start in range(0, 8000, 100):
        ours.add(f"{i:08}" * 6 for i in range(start, start + 100))
    theirs.add(f"{i:08}" * 6 for i in range(4000, 6000))
    ours.add(f"{i:08}" * 6 for i in range(4000))
    assert len(ours.counts) <= 500 and abs(ours.lines / 12_000 - 1) < 0.3
    assert abs(ours.repeated() - 2 / 3) < 0.15 and abs(ours.also_in(theirs) - 1 / 6) < 0.1
    both = Passages()
    both.update(ours)
    both.update(theirs)
    assert len(both.counts) <= 500 and abs(both.lines / 14_000 - 1) < 0.3 and abs(both.repeated() - 12 / 14) < 0.15
    assert theirs.also_in(ours) == 1.0 and Passages().also_in(ours) == 0.0 == Passages().repeated()


def test_lines_are_whole_over_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minigrad.data.textread.PIECE", 7)
    folder = corpus(tmp_path / "pieces", {"a": "x" * 50 + "\n"})
    (file,) = text.files_of(str(folder), None, False, None).files
    kept = Passages()
    found = lookthrough.look(file, bytes=False, passages=kept)
    monkeypatch.setattr(lookthrough, "KNOWN", 45)
    short = Passages()
    lookthrough.look(file, bytes=False, passages=short)
    assert short.lines == 13
    assert (found.lines, found.longest, kept.lines, found.unended) == (13, SIZE // 12 - 1, 13, False)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = corpus(tmp_path / "src", {"a.py": "", "b.py": "", "c.py": b"caf\xe9\n", "d.md": "Ünderscore\n"})
    assert main(["data", "check", "text", str(folder), "--glob", "*.py"]) == 1
    out = capsys.readouterr().out
    assert f"{folder}: {2 * SIZE:,} characters in 2 files, 24 lines, a vocabulary of 38\n" in out and f"a.py    {SIZE}" in out
    assert "error: 1 file is no UTF-8\n    c.py: byte 0xe9 at byte 3 (line 1)\n" in out and "d.md" not in out
    assert main(["data", "check", "text", str(folder), "--glob", "*.py", "--fix", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fixed"]["moved"] == {"c.py": "c.py"} and told["characters"] == 2 * SIZE and told["errors"] == 0
    assert (tmp_path / "src-set-aside/c.py").read_bytes() == b"caf\xe9\n"
    assert main(["data", "check", "text", str(folder), "--bytes"]) == 0
    assert f"{3 * SIZE + 12:,} bytes in 3 files" in capsys.readouterr().out


def test_what_cannot_be_checked_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").write_bytes(b"")
    for path in ("empty", "nowhere", "."):
        os.chdir(tmp_path)
        assert main(["data", "check", "text", path]) == 2
    assert "got 1 empty file" in capsys.readouterr().err
    assert main(["data", "check", "classify", ".", "--glob", "*"]) == 2
    assert "data check: --glob: expected none with classify, got '*'. It belongs to text." in capsys.readouterr().err
    assert main(["data", "check", "texts", "."]) == 2
    with pytest.raises(DataError, match="mnist5k holds images"):
        check_text("mnist5k")
