"""The check of handwriting: each fault is found, named, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.cli import main
from minigrad.data.check import Finding, Report, check_handwriting
from minigrad.data.pen import open_strokes
from minigrad.data.strokes import Strokes
from minigrad.errors import DataError
from tests import stroke_files as made

LINE = [[0, 0], [4, -9], [8, 0], [12, -9], [16, 0], [20, -9], [24, 0]]


def items(count: int = 24) -> list[dict[str, Any]]:
    """Texts of four letters of like size, none equal to another."""
    rng = np.random.default_rng(0)
    return [{"text": "wavy", "strokes": [[[x + rng.normal() / 9, y] for x, y in LINE]]} for _ in range(count)]


def checked(path: Path, content: Any) -> Report:
    path.write_text(json.dumps(content))
    return check_handwriting(path)


def kinds(report: Report) -> dict[str, str]:
    return {finding.kind: finding.severity for finding in report.findings}


def only(report: Report, kind: str) -> Finding:
    (finding,) = report.findings
    assert finding.kind == kind
    return finding


def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path) -> None:
    report = checked(tmp_path / "my.json", {"train": items(24), "valid": items(30)[24:]})
    assert not report.findings
    assert (report.size, report.unit, report.group) == (30, "text", "character")
    assert report.counts == {"train": dict.fromkeys("avwy", 24), "validation": dict.fromkeys("avwy", 6)}
    assert report.about == "210 points, 2 to a character, 9 units high"


def test_items_that_cannot_be_read(tmp_path: Path) -> None:
    bad = [{"text": "", "points": made.ROWS}, {"text": "wavy", "points": [[0, 0, 1]]}]
    finding = only(checked(tmp_path / "my.json", items() + bad), "unreadable")
    assert (finding.severity, finding.words) == ("error", "2 items are no handwriting that can be learnt from")
    assert finding.files == ("my.json, item 24", "my.json, item 25") and finding.set_aside == ()
    assert finding.items[1].detail == "expected at least 2 points, got 1 point"


def test_the_same_strokes_twice_and_in_two_parts(tmp_path: Path) -> None:
    some = items()
    report = checked(tmp_path / "my.json", {"train": [*some, some[0]], "valid": [some[3]]})
    assert kinds(report) == {"leak": "error", "duplicate": "warning"}
    leak, copy = report.findings
    assert leak.files == ("my.json, train, item 3", "my.json, valid, item 0")
    assert copy.files == ("my.json, train, item 0", "my.json, train, item 24")


def turned(line: list[list[float]], rise: float) -> list[list[float]]:
    return [[x, y + rise * x] for x, y in line]


@pytest.mark.parametrize(
    ("change", "kind", "words", "detail"),
    [
        (lambda some: some[5].update(text="wavx"), "rare", "1 character fewer than 5 times: 'x' 1", None),
        (
            lambda some: some[5].update(text="wavy way wavy way"),
            "text",
            "1 text far from the length",
            "0.2 times the usual way for 'wavy way wavy way'",
        ),
        (
            lambda some: some[5]["strokes"].append([[0, 0], [2000, 0]]),
            "leap",
            "1 text with a leap of the pen",
            "20",
        ),
        (
            lambda some: [one.update(strokes=[turned(one["strokes"][0], 0.3)]) for one in some],
            "tilted",
            "24 texts of 24 not level",
            "+0.3",
        ),
        (
            lambda some: [one.update(strokes=[dense(one["strokes"][0])]) for one in some],
            "dense",
            "90 points to a character take long",
            None,
        ),
    ],
)
def test_what_is_odd(tmp_path: Path, change: Callable[[Any], Any], kind: str, words: str, detail: str | None) -> None:
    some = items()
    change(some)
    report = checked(tmp_path / "my.json", some)
    (finding,) = [finding for finding in report.findings if finding.kind == kind]
    assert finding.words.startswith(words) and finding.severity in ("warning", "note") and report.errors == 0
    if detail is not None:
        assert any(item.detail.startswith(detail) for item in finding.items)
    else:
        assert not finding.items


def dense(line: list[list[float]]) -> list[list[float]]:
    strokes = Strokes.of_lines("wavy", [line])
    return strokes.resampled(sum(np.hypot(*strokes.points[1:, :2].T)) / 360).lines()[0].tolist()


def test_a_pen_of_which_1_says_that_it_is_down(tmp_path: Path) -> None:
    """Strokes-3 files of others: the pen would be lifted nearly everywhere."""
    some = [Strokes.of_lines("wavy", one["strokes"]).resampled(4).points.tolist() for one in items()]
    turned_round = [{"text": "wavy", "points": [[dx, dy, 1 - pen] for dx, dy, pen in points]} for points in some]
    finding = next(each for each in checked(tmp_path / "my.json", turned_round).findings if each.kind == "pen")
    assert finding.severity == "warning" and finding.words == "24 texts of 24 with the pen up"
    assert not any(
        each.kind == "pen" for each in checked(tmp_path / "my.json", [{"text": "wavy", "points": x} for x in some]).findings
    )


@pytest.mark.parametrize("centred", [False, True])
def test_places_in_place_of_offsets(tmp_path: Path, centred: bool) -> None:
    path = tmp_path / "my.json"
    line = dense([[float(x), float(y)] for x, y in LINE])
    middle = np.mean(line, axis=0) if centred else np.array([-20.0, -90.0])
    places: list[Any] = [[[*(place - middle).tolist(), int(n % 90 == 89)] for n, place in enumerate(np.array(line))]] * 3
    if centred:
        places = [{"text": "wavy", "points": rows} for rows in places]
    finding = only(checked(path, places), "unreadable")
    assert finding.items[0].detail.startswith("expected offsets from point to point, got what seem to be places")
    assert main(["data", "check", "handwriting", str(path)]) == 1
    with pytest.raises(
        DataError, match=r"my\.json: expected offsets .* Write the difference of each point from the one before"
    ):
        open_strokes(path)


def test_characters_that_are_only_to_be_tested(tmp_path: Path) -> None:
    some = items(30)
    some[29]["text"] = "wavz"
    finding = only(checked(tmp_path / "my.json", {"train": some[:24], "test": some[24:]}), "unlearnt")
    assert finding.words == "1 character in validation or test only: 'z'"


def test_a_named_set() -> None:
    report = check_handwriting("hershey")
    assert report.size > 9000 and report.counts["train"]["e"] > 1000 and not report.errors and not report.count("warning")


# ---------------------------------------------------------------- the command


def database(folder: Path) -> Path:
    """A database with a line that is damaged and another that is there twice, once in validation."""
    texts = {f"a01-{number:03}u": ["An A"] for number in range(24)}
    made.iam(folder, texts)
    for number, path in enumerate(sorted(folder.glob("lineStrokes/*/*/*.xml"))):
        path.write_text(made.xml([[[x * (20 + number), y] for x, y in line] for line in made.LINES]))
    (folder / "trainset.txt").write_text("\n".join(list(texts)[:20]))
    (folder / "testset_v.txt").write_text("\n".join(list(texts)[20:]))
    place = folder / "lineStrokes/a01"
    (place / "a01-007/a01-007u-01.xml").write_text("<a><Stroke>")
    (place / "a01-003/a01-003u-01.xml").write_text((place / "a01-021/a01-021u-01.xml").read_text())
    return folder


def test_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = database(tmp_path / "iam")
    assert main(["data", "check", "handwriting", str(folder)]) == 1
    out = capsys.readouterr().out
    assert f"{folder}: 23 texts in 3 characters, " in out and "--fix would move 2 files" in out
    assert "lineStrokes/a01/a01-007/a01-007u-01.xml: expected XML with strokes" in out
    assert main(["data", "check", "handwriting", str(folder), "--fix"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Moved 2 files to {folder}-set-aside;") and "22 texts" in out
    assert sorted(path.name for path in Path(f"{folder}-set-aside").glob("**/*.xml")) == ["a01-003u-01.xml", "a01-007u-01.xml"]
    assert main(["data", "check", "handwriting", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["texts"] == 22


def test_what_cannot_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="got nothing of that name"):
        check_handwriting(tmp_path / "no")
    assert main(["data", "check", "handwriting", str(tmp_path)]) == 2
    assert "expected a stroke file of the recorder" in " ".join(capsys.readouterr().err.split())
