"""The pages of ``docs``: their files are written, their commands run, and what they print is what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from minigrad.cli import main
from tests import readme

FOLDER = readme.README.parent / "docs"
PAGES = sorted(FOLDER.glob("*.md"))
MARKS = {"machine-code": pytest.mark.static}  # it needs NVIDIA's compiler
NAMED = re.compile(r"`([\w.-]+\.\w+)`:\s*$")  # what stands before the text of a file
EXIT_CODE = re.compile(r"exit code (\d+)")


def differs(page: list[str], printed: list[str]) -> str:
    """The first line of a page that was not printed. ``...`` stands for lines, or at the end of one for the rest of it."""
    at, skipping = 0, False
    for line in page:
        if line == "...":
            skipping = True
            continue
        start, _, rest = line.partition(" ...")
        while skipping and at < len(printed) and not (printed[at].startswith(start) if not rest and " ..." in line
                                                      else printed[at] == line):  # fmt: skip
            at += 1
        if at == len(printed) or not (printed[at] == line or (line.endswith(" ...") and printed[at].startswith(start))):
            return f"{line!r} of the page; printed was {printed[at] if at < len(printed) else 'nothing more'!r}"
        at, skipping = at + 1, False
    return "" if skipping or at == len(printed) else f"nothing more on the page; printed was {printed[at]!r}"


@pytest.mark.parametrize("path", [pytest.param(page, id=page.stem, marks=MARKS.get(page.stem, ())) for page in PAGES])
def test_a_page_does_what_it_says(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    printed: list[str] | None = None
    ran = compared = 0
    for block in readme.blocks(text):
        before = "\n".join(lines[: block.line - 2]).rstrip()
        if named := NAMED.search(before):
            (tmp_path / named[1]).write_text(block.code, encoding="utf-8")
        elif block.language == "sh":
            printed = []
            for line in block.code.splitlines():
                command, _, remark = line.partition("#")
                words = shlex.split(command)
                assert words[0] == "minigrad", line
                capsys.readouterr()
                code, (out, err) = main(words[1:]), capsys.readouterr()
                wanted = EXIT_CODE.search(remark)
                assert code == (int(wanted[1]) if wanted else 0), out + err
                printed += (out + err).rstrip().split("\n")
                ran += 1
        elif block.language == "text":
            assert printed is not None and differs(block.code.rstrip("\n").split("\n"), printed) == ""
            compared += 1
        else:
            raise AssertionError(
                f"{path.name}:{block.line}: a block of {block.language or 'no language'} without a file's name"
            )
    assert ran >= compared > 0


def test_what_differs_is_seen() -> None:
    assert differs(["a", "...", "d"], ["a", "b", "c", "d"]) == "" == differs(["a ...", "b"], ["a lot", "b"])
    assert differs(["...", "b ..."], ["a", "b and c"]) == "" == differs(["a", "..."], ["a", "b"])
    assert "'c'" in differs(["a", "c"], ["a", "b"]) and "'b'" in differs(["a"], ["a", "b"])
    assert differs(["...", "e"], ["a", "b"]) and differs(["a", "b"], ["a"]) and differs(["c ..."], ["a lot"])


def test_pages_are_linked_and_shipped() -> None:
    linked = readme.README.read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"(docs/{page.name})" not in linked] == []
    manifest = (readme.README.parent / "MANIFEST.in").read_text(encoding="utf-8")
    assert "graft docs" in manifest
