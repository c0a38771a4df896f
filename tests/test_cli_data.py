"""``minigrad data list | get | check``: what people, programs and narrow terminals are shown, and the exit codes."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minigrad.cli import main
from minigrad.data import sources
from tests.checked_folders import EACH, clean_folder, clean_parts, copy_of, fill, save, scene


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean_folder(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve broken files, a leak, and a note."""
    folder = clean_parts(tmp_path_factory.mktemp("spoilt"))
    for number in range(12):
        (folder / f"train/cat/text {number}.jpg").write_text("no image")
    shutil.copy(folder / "test/dog/6.png", folder / "train/dog/leak.png")
    (folder / "train/cat/notes.txt").write_text("x")
    return folder


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_terminal(width: int, words: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The exit code, and what a terminal of so many columns shows, without its colours."""
    screen = Terminal()
    for name in ("CI", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", screen)
    code = main(words)
    assert "\x1b[" in screen.getvalue()
    return code, re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())


def test_a_clean_folder(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "classify", str(clean)]) == 0
    shown = capsys.readouterr()
    assert shown.out == (
        f"{clean}: {2 * EACH} images in 2 classes, 24x24 pixels, colour\n\n"
        f"class  train\ncat       {EACH}\ndog       {EACH}\n\nNothing was found: these data can be trained on.\n"
    )
    assert shown.err == ""


def test_findings_files_and_mends(spoilt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "classify", str(spoilt)]) == 1
    out = capsys.readouterr().out
    assert "error: 12 files cannot be decoded\n    train/cat/text 0.jpg: contents of no format" in out
    assert (
        "    train/cat/text 9.jpg: contents of no format that is read\n    and 2 more (--json has all)\n  Save them anew" in out
    )
    assert "    train/dog/leak.png = test/dog/6.png: the same bytes\n" in out
    assert (
        f"\n--fix would move 13 files to {spoilt}-set-aside, and delete nothing:\n    train/cat/text 0.jpg: undecodable" in out
    )
    assert out.endswith("    and 3 more (--json has all)\n\n2 errors, 1 note: mend the errors before you train.\n")
    assert "\x1b" not in out
    assert not Path(f"{spoilt}-set-aside").exists()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal(width: int, spoilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(spoilt.parent)
    code, out = on_terminal(width, ["data", "check", "classify", spoilt.name], monkeypatch)
    assert code == 1
    lines = out.splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.startswith("error: 12 files cannot be") for line in lines)
    words = " ".join(out.split())
    assert "train/cat/text 9.jpg: contents of no format that is read and 2 more (--json has all) Save them anew" in words
    assert "class train test cat 20 50 dog 21 50" in words


def test_json(spoilt: Path, clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "classify", str(spoilt), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["errors"], report["warnings"], report["notes"], report["fixed"]) == (2, 0, 1, None)
    assert len(report["findings"][0]["files"]) == 12
    assert len(report["set_aside"]) == 13
    assert report["counts"]["train"] == {"cat": EACH, "dog": EACH + 1}
    assert main(["data", "check", "classify", str(clean), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_fix(spoilt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "pets")
    assert main(["data", "check", "classify", str(folder), "--fix"]) == 0
    out = capsys.readouterr().out
    start = f"Moved 13 files to {folder}-set-aside; fix-log.txt there says which and why:\n    train/cat/text 0.jpg\n"
    assert out.startswith(start)
    assert "    and 3 more (--json has all)\n\nChecked again:\n" in out
    assert out.endswith("Nothing is left that --fix mends.\n1 note: these data can be trained on.\n")
    assert main(["data", "check", "classify", str(folder), "--fix", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fixed"] is None
    shutil.copy(folder / "train/cat/3.png", folder / "train/cat/again.png")
    assert main(["data", "check", "classify", str(folder), "--fix", "--json"]) == 0
    fixed = json.loads(capsys.readouterr().out)["fixed"]
    assert fixed == {"folder": f"{folder}-set-aside", "moved": {"train/cat/again.png": "train/cat/again.png"}}


def test_errors_that_fix_does_not_mend_keep_the_exit_code(clean: Path, tmp_path: Path) -> None:
    folder = copy_of(clean, tmp_path)
    (folder / "bird").mkdir()
    assert main(["data", "check", "classify", str(folder), "--fix"]) == 1
    assert not Path(f"{folder}-set-aside").exists()


def test_warnings_alone_are_no_failure(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy_of(clean, tmp_path)
    save(folder / "cat" / "blank.png", np.full((24, 24, 3), 9, np.uint8))
    save(folder / "cat" / "tiny.png", scene(1234, 20, 5))
    assert main(["data", "check", "classify", str(folder)]) == 0
    assert capsys.readouterr().out.endswith("\n2 warnings, 1 note: these data can be trained on.\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["clasify", "x"], "data check: task: expected one of classify, text, handwriting, translate, gan, detect, got 'clas"),
        (["classify", "no-such-folder"], "error: data: no-such-folder: expected a folder with one sub-folder of images"),
        (["classify"], "Missing argument"),
    ],
)
def test_what_cannot_be_checked_is_exit_code_2(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_full_disk_is_exit_code_2(
    spoilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "pets")
    Path(f"{folder}-set-aside").write_text("a file where the folder should be")
    assert main(["data", "check", "classify", str(folder), "--fix"]) == 2
    assert "Nothing was moved." in capsys.readouterr().err
    assert (folder / "train/dog/leak.png").exists()


def test_many_classes_are_a_short_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(40):
        fill(tmp_path / "many" / f"class {number}", 3 + (number == 7), 100 * number)
    assert main(["data", "check", "classify", str(tmp_path / "many")]) == 0
    out = capsys.readouterr().out
    table = out.split("\n\n")[1].splitlines()
    assert len(table) == 1 + 10 + 5 + 1
    assert table[-2].split() == ["class", "7", "4"]
    assert table[-1] == "The 10 smallest and 5 largest classes; --json has the 25 between."


def test_names_do_not_move_the_cursor(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy_of(clean, tmp_path)
    for name in ("a\x1b[2Jb.png", "two\nlines.png", "[bold]c.png", b"latin \xe9.png".decode("utf-8", "surrogateescape")):
        (folder / "cat" / name).write_text("no image")
    assert main(["data", "check", "classify", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "cat/[bold]c.png: contents" in out
    assert len([line for line in out.splitlines() if "contents of no format" in line]) == 8  # four found, four to be moved


# ---------------------------------------------------------------- list and get


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    assert re.match(r"mnist5k: 1\.1 MB, (on this machine|to be fetched)\n  5,000 handwritten digits .*\.\n  Licence: BSD", out)
    assert [line.split(":")[0] for line in out.splitlines() if not line.startswith(" ")] == list(sources.DATASETS)


def test_list_says_what_is_to_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path))
    assert main(["data", "list"]) == 0
    assert "mnist5k: 1.1 MB, to be fetched\n" in capsys.readouterr().out
    assert main(["data", "list", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["name"] for record in records] == list(sources.DATASETS)
    assert (records[0]["state"], records[0]["to_fetch"], records[0]["path"]) == ("absent", 1_106_785, None)


def test_list_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen = Terminal()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["data", "list"]) == 0
    assert max(map(len, screen.getvalue().splitlines())) <= 40


def test_get_prints_where_the_files_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "get", "mnist5k"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert Path(line) == sources.cached_path(sources.dataset("mnist5k").files[0])


def test_get_of_nothing_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "get", "mnist50k"]) == 2
    assert "expected one of mnist5k" in capsys.readouterr().err


def test_a_named_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "classify", "mnist5k", "--fix"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("mnist5k: 5,000 images in 10 classes, 28x28 pixels, grey\n")
    assert out.endswith("Nothing is left that --fix mends.\nNothing was found: these data can be trained on.\n")


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "Exit code: 0 where no errors were found" in words
    assert "minigrad data check classify photos --fix" in words


def test_commands_are_loaded_when_they_are_named() -> None:
    code = "import sys, minigrad.cli.data; print([n for n in ('PIL', 'scipy', 'numpy', 'rich.progress') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "PIL" not in done.stdout and "scipy" not in done.stdout
