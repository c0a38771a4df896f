"""``minigrad data record``: the page that it writes, the words that it takes, and the files that it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from minigrad.cli import main
from minigrad.show.recorder import WORDS, recorder_page


def test_a_page_is_made_and_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert main(["data", "record", "--out", str(page), "--title", "Ours & theirs"]) == 0
    said = capsys.readouterr().out
    assert f"a page with {len(WORDS)} words to write" in said and f"\n  {page.as_uri()}\n" in said
    assert page.read_text(encoding="utf-8") == recorder_page(WORDS, "Ours & theirs")
    assert "<h1>Ours &amp; theirs</h1>" in page.read_text(encoding="utf-8")
    words = tmp_path / "words.txt"
    words.write_text("\ufeffone\r\n\r\n  größer  \n", encoding="utf-8")
    assert main(["data", "record", "--out", str(page), "--words", str(words)]) == 0
    assert "a page with 2 words to write" in capsys.readouterr().out
    assert page.read_text(encoding="utf-8") == recorder_page(["one", "größer"])


def test_a_page_is_whole_in_itself() -> None:
    page = recorder_page(["one"])
    assert page.count("<script") == 2 and "unsafe" not in page
    assert "http:" not in page.replace("http://www.w3.org/2000/svg", "") and "https:" not in page and "src=" not in page


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected 1 to 2,000 lines that are not blank, got 0"),
        (b" \n\n", "expected 1 to 2,000 lines that are not blank, got 0"),
        (b"a\n" * 2001, "expected 1 to 2,000 lines that are not blank, got 2,001"),
        (b"one\nth\xe9\n", "expected a file of words in UTF-8, a line for each, got byte 0xe9 at 6. Save it as UTF-8"),
        (b"one\nt\x07o\n", "line 2: expected letters and signs, got control characters in 't\\x07o'. Is it text?"),
        (b"one\n" + b"a" * 41, "line 2: expected at most 40 letters, as more have no room on a screen, got 41. Break it"),
    ],
)
def test_words_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    assert main(["data", "record", "--out", str(tmp_path / "page.html"), "--words", str(path)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"data record: --words {path}" in said and words in said
    assert not (tmp_path / "page.html").exists()


def test_files_that_cannot_be_read_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*options: str) -> str:
        assert main(["data", "record", *options]) == 2
        return " ".join(capsys.readouterr().err.split())

    page = tmp_path / "page.html"
    for title in (" ", "a\nb", "x" * 101, "\udcff"):
        assert "data record: --title: expected 1 to 100 letters and signs, got" in refused("--title", title, "--out", str(page))
    assert "a line for each, got no such file" in refused("--words", str(tmp_path / "none"), "--out", str(page))
    assert "a line for each, got Is a directory" in refused("--words", str(tmp_path), "--out", str(page))
    assert "expected the name of a file, got a folder" in refused("--out", str(tmp_path))
    assert "expected a folder that exists, got none" in refused("--out", str(tmp_path / "none" / "page.html"))
    page.write_text("<p>another</p>")
    said = refused("--out", str(page))
    assert "a new file, or a page of this command to write over, got a file that is neither. Name another file" in said
    assert page.read_text() == "<p>another</p>"
