"""Setting files aside: what is moved and written down, and that nothing is lost, overwritten or done twice."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minigrad.data.check import check_images, set_aside, setaside
from minigrad.errors import ArgumentError, DataError, MinigradError
from tests.checked_folders import clean_folder, clean_parts, save, scene, told


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that is mended by moving files, and a few things that are not."""
    folder = clean_parts(tmp_path_factory.mktemp("spoilt"))
    (folder / "train/cat/text.jpg").write_text("no image")
    (folder / "train/dog/empty.png").write_bytes(b"")
    (folder / "train/cat/notes.txt").write_text("left alone")
    (folder / "train/.DS_Store").write_text("left alone")
    shutil.copy(folder / "train/cat/3.png", folder / "train/cat/copy of 3.png")
    (folder / "train/cat/link.png").symlink_to("4.png")
    shutil.copy(folder / "train/cat/5.png", folder / "train/dog/cat 5.png")
    shutil.copy(folder / "test/dog/6.png", folder / "train/dog/leak.png")
    return folder


MOVED = {
    "train/cat/text.jpg": "undecodable: contents of no format that is read",
    "train/dog/empty.png": "undecodable: ",
    "train/cat/5.png": "two-labels: the same bytes as train/dog/cat 5.png",
    "train/dog/cat 5.png": "two-labels: the same bytes as train/cat/5.png",
    "train/dog/leak.png": "leak: the same bytes as test/dog/6.png",
    "train/cat/copy of 3.png": "duplicate: the same bytes as train/cat/3.png",
    "train/cat/link.png": "duplicate: the same bytes as train/cat/4.png",
}


def mend(folder: Path) -> setaside.Aside:
    return set_aside(folder, check_images(folder).set_aside)


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}


def contents(*folders: Path) -> Counter[str]:
    """What all files hold, the records apart."""
    found: Counter[str] = Counter()
    for folder in folders:
        for name in tree(folder) - {setaside.LOG, setaside.PLAN}:
            path = folder / name
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            found[hashlib.sha256(content).hexdigest()] += 1
    return found


def log_of(aside: Path) -> list[list[str]]:
    text = (aside / setaside.LOG).read_text(encoding="utf-8")
    assert text.startswith("# What `minigrad data check")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def test_files_are_moved_and_written_down(spoilt: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "pets", symlinks=True)
    before, aside = tree(folder), tmp_path / "pets-set-aside"
    done = mend(folder)
    assert done == (str(aside), {name: name for name in MOVED})
    assert tree(folder) == before - MOVED.keys()
    assert tree(aside) == MOVED.keys() | {setaside.LOG}
    assert contents(folder, aside) == contents(spoilt)
    records = {source: (target, why) for source, target, why in log_of(aside)}
    assert records.keys() == MOVED.keys()
    assert all(records[name][0] == name and records[name][1].startswith(why) for name, why in MOVED.items())
    report = check_images(folder)
    assert (report.errors, report.set_aside) == (0, {})


def test_a_second_time_there_is_nothing_to_do(spoilt: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "pets", symlinks=True)
    mend(folder)
    log = (tmp_path / "pets-set-aside" / setaside.LOG).read_bytes()
    trees = tree(tmp_path)
    assert mend(folder).moved == {}
    assert tree(tmp_path) == trees
    assert (tmp_path / "pets-set-aside" / setaside.LOG).read_bytes() == log


def test_a_clean_folder_gets_no_folder_beside_it(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path)
    assert mend(folder).moved == {}
    assert os.listdir(tmp_path) == ["pets"]


def test_nothing_is_overwritten_and_the_log_goes_on(tmp_path: Path) -> None:
    folder, aside = clean_folder(tmp_path), tmp_path / "pets-set-aside"
    for content in ("first", "second", "third"):
        (folder / "cat" / "x.jpg").write_text(content)
        (folder / setaside.LOG).write_text(content)
        set_aside(folder, {"cat/x.jpg": "undecodable", setaside.LOG: "of that name"})
    kept = [(aside / "cat" / name).read_text() for name in ("x.jpg", "x (2).jpg", "x (3).jpg")]
    assert kept == ["first", "second", "third"]
    assert [(aside / f"fix-log ({number}).txt").read_text() for number in (2, 3, 4)] == kept
    assert [record[:2] for record in log_of(aside)[2:4]] == [
        ["cat/x.jpg", "cat/x (2).jpg"],
        ["fix-log.txt", "fix-log (3).txt"],
    ]
    assert len(log_of(aside)) == 6


def test_names_of_every_kind_come_back_from_the_log(tmp_path: Path) -> None:
    folder, aside = clean_folder(tmp_path), tmp_path / "pets-set-aside"
    names = ["a\tb.png", "new\nline.png", '"quoted.png', "#hash.png", os.fsdecode(b"latin \xe9.png"), "café.png", "\u2028.png"]
    for name in names:
        (folder / "cat" / name).write_text(name, errors="surrogateescape")
    moves = {f"cat/{name}": "undecodable" for name in names}
    assert set(set_aside(folder, moves).moved) == moves.keys()
    assert [record.source for record in setaside._read(str(aside / setaside.LOG))] == list(moves)
    (folder / "cat" / "one.png").write_text("more")
    set_aside(folder, {"cat/one.png": "undecodable"})
    assert [record.target for record in setaside._read(str(aside / setaside.LOG))] == [*moves, "cat/one.png"]


def test_a_path_with_a_slash_or_through_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = clean_folder(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (f"{folder}/", "~/pets", f"{folder}/cat/.."):
        (folder / "cat" / "x.jpg").write_text("no image")
        assert set_aside(given, check_images(given).set_aside).folder == f"{folder}-set-aside"
    assert len(log_of(tmp_path / "pets-set-aside")) == 3


@pytest.mark.parametrize("name", ["../other/x.png", "/etc/passwd", "cat/../../x.png"])
def test_files_elsewhere_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="data check: --fix: expected files in "):
        set_aside(tmp_path, {name: "why"})
    with pytest.raises(ArgumentError, match="room for another beside it"):
        set_aside("/", {"etc/passwd": "why"})


# ---------------------------------------------------------------- cut short


class Killed(BaseException):
    """What no code handles, as if the process were gone."""


def dying(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """The process dies at the ``number``-th call of an ``os`` function: nothing is tidied up afterwards."""
    real, calls, dead = getattr(os, name), 0, False
    write = setaside._write

    def call(*args: Any, **options: Any) -> Any:
        nonlocal calls, dead
        calls += 1
        if calls == number:
            dead = True
            raise Killed
        return real(*args, **options)

    monkeypatch.setattr(setaside.os, name, call)
    monkeypatch.setattr(setaside, "_write", lambda *args: None if dead else write(*args))


@pytest.mark.parametrize("number", range(1, len(MOVED) + 1))
@pytest.mark.parametrize("name", ["link", "unlink"])
def test_a_mend_that_was_killed_is_done_again(
    name: str, number: int, spoilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "pets", symlinks=True)
    aside = tmp_path / "pets-set-aside"
    with monkeypatch.context() as patch:
        dying(patch, name, number)
        with contextlib.suppress(Killed):
            mend(folder)
            pytest.fail("was not killed")
    gone = tree(spoilt) - tree(folder)
    assert gone == set(list(MOVED)[: number - 1])
    assert all((aside / file).is_symlink() or (aside / file).exists() for file in gone)
    assert set(contents(folder, aside)) == set(contents(spoilt))  # nothing is lost; one file may be at both places
    mend(folder)
    assert tree(folder) == tree(spoilt) - MOVED.keys()
    assert tree(aside) == MOVED.keys() | {setaside.LOG}
    assert sorted(record[0] for record in log_of(aside)) == sorted(MOVED)
    assert contents(folder, aside) == contents(spoilt)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.EACCES, "Permission denied")])
def test_an_interrupted_mend_has_a_true_log(error: Any, spoilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "pets", symlinks=True)
    real, calls = os.unlink, 0

    def unlink(path: Any, *rest: Any, **options: Any) -> None:
        nonlocal calls
        calls += str(path).startswith(f"{folder}/")
        if calls == 3:
            raise error
        real(path, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(setaside.os, "unlink", unlink)
        with pytest.raises((KeyboardInterrupt, DataError)) as caught:
            mend(folder)
    assert [record[0] for record in log_of(tmp_path / "pets-set-aside")] == list(MOVED)[:2]
    if isinstance(caught.value, DataError):
        assert caught.value.got == "Permission denied"
        assert caught.value.remedy.startswith("2 of 7 files were set aside before that. Mend the permissions of both folders")
        assert tree(folder) == tree(spoilt) - set(list(MOVED)[:2])
    mend(folder)
    assert tree(tmp_path / "pets-set-aside") == MOVED.keys() | {setaside.LOG}


# ---------------------------------------------------------------- disks and file systems


def failing(number: int) -> Callable[..., Any]:
    def fail(*args: Any, **options: Any) -> Any:
        raise OSError(number, os.strerror(number), str(args[0]) if args else None)

    return fail


@pytest.mark.parametrize(
    ("number", "got", "remedy"),
    [
        (errno.ENOSPC, "a full disk", "Free some space, and run it again"),
        (errno.EDQUOT, "a full disk", "Free some space"),
        (errno.EROFS, "Read-only file system", "Mend the permissions of both folders, and run it again"),
        (errno.EACCES, "Permission denied", "Mend the permissions of both folders"),
    ],
)
@pytest.mark.parametrize("function", ["makedirs", "link"])
def test_a_disk_that_refuses(
    function: str, number: int, got: str, remedy: str, spoilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "pets", symlinks=True)
    moves = check_images(folder).set_aside
    with monkeypatch.context() as patch:
        patch.setattr(setaside.os, function, failing(number))
        with pytest.raises(DataError) as caught:
            set_aside(folder, moves)
    error = caught.value
    assert (error.where, error.argument, error.expected) == ("data check", str(folder), f"files moved to {folder}-set-aside")
    assert error.got.startswith(got)
    assert error.remedy.startswith(f"Nothing was moved. {remedy}")
    assert tree(folder) == tree(spoilt)
    mend(folder)
    assert len(log_of(tmp_path / "pets-set-aside")) == len(MOVED)


def test_a_log_that_cannot_be_written_moves_nothing(spoilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "pets", symlinks=True)
    moves = check_images(folder).set_aside
    monkeypatch.setattr("minigrad.interop.atomic.os.fsync", failing(errno.ENOSPC))
    with pytest.raises(MinigradError, match="No space left"):
        set_aside(folder, moves)
    assert tree(folder) == tree(spoilt)
    assert tree(tmp_path / "pets-set-aside") == set()


@pytest.mark.parametrize("links", [errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV])
@pytest.mark.parametrize("rename", [None, errno.EXDEV])
def test_where_there_are_no_links(
    links: int, rename: int | None, spoilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "pets", symlinks=True)
    monkeypatch.setattr(setaside.os, "link", failing(links))
    if rename is not None:
        monkeypatch.setattr(setaside.os, "rename", failing(rename))
    mend(folder)
    aside = tmp_path / "pets-set-aside"
    assert tree(aside) == MOVED.keys() | {setaside.LOG}
    assert contents(folder, aside) == contents(spoilt)


def test_a_disk_that_fills_while_a_file_is_copied_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = clean_folder(tmp_path)
    save(folder / "cat" / "x.jpg", scene(1))

    def half(source: str, target: str, **options: Any) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", target)

    monkeypatch.setattr(setaside.os, "link", failing(errno.EXDEV))
    monkeypatch.setattr(setaside.os, "rename", failing(errno.EXDEV))
    monkeypatch.setattr(setaside.shutil, "copy2", half)
    with pytest.raises(DataError, match=r"got a full disk\. Nothing was moved"):
        set_aside(folder, {"cat/x.jpg": "why"})
    assert (folder / "cat" / "x.jpg").stat().st_size > 4
    assert tree(tmp_path / "pets-set-aside") == {setaside.PLAN}
    monkeypatch.undo()
    assert set_aside(folder, {}).moved == {"cat/x.jpg": "cat/x.jpg"}
    assert tree(tmp_path / "pets-set-aside") == {setaside.LOG, "cat/x.jpg"}


def test_a_file_in_the_way(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path)
    (tmp_path / "pets-set-aside").write_text("a file")
    with pytest.raises(DataError, match="File exists"):
        set_aside(folder, {"cat/1.png": "why"})
    assert (folder / "cat" / "1.png").exists()


def test_a_file_that_has_gone_is_passed_over(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path)
    assert set_aside(folder, {"cat/none.png": "why"}).moved == {}
    assert not (tmp_path / "pets-set-aside").exists()


def test_a_plan_reaches_no_file_elsewhere(tmp_path: Path) -> None:
    folder, other = clean_folder(tmp_path), tmp_path / "other.png"
    other.write_text("not of these data")
    aside = tmp_path / "pets-set-aside"
    aside.mkdir()
    (aside / setaside.PLAN).write_text(f"../other.png\tx.png\twhy\n{other}\ty.png\twhy\ncat/1.png\t../z.png\twhy\n")
    assert set_aside(folder, {}).moved == {}
    assert other.exists() and (folder / "cat/1.png").exists()


def test_a_broken_log_is_no_hindrance(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path)
    (tmp_path / "pets-set-aside").mkdir()
    (tmp_path / "pets-set-aside" / setaside.LOG).write_bytes(b'half a line\n\xff\xfe\tb\n"bad json\tx\ty\n')
    set_aside(folder, {"cat/1.png": "why"})
    assert log_of(tmp_path / "pets-set-aside")[-1] == ["cat/1.png", "cat/1.png", "why"]


def test_after_the_mend_the_copies_that_stayed_are_the_right_ones(spoilt: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "pets", symlinks=True)
    mend(folder)
    assert (folder / "test/dog/6.png").exists() and (folder / "train/cat/3.png").exists()
    assert told(check_images(folder)) == "warning little-data, note not-images, note junk"


def test_links_that_stay_lead_to_files_that_stay(tmp_path: Path) -> None:
    folder = clean_parts(tmp_path / "pets")
    (folder / "train/cat/00.png").symlink_to("5.png")  # comes before what it is a link to
    (folder / "test/dog/linked.png").symlink_to("../../train/dog/2.png")  # of the part whose images are kept
    pictures = {path.read_bytes() for path in folder.rglob("*.png")}
    assert mend(folder).moved == {name: name for name in ("train/cat/00.png", "test/dog/linked.png")}
    assert {path.read_bytes() for path in folder.rglob("*.png")} == pictures
    assert check_images(folder).findings == ()


def test_what_lies_in_linked_folders_is_left_alone(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "pets")
    elsewhere = tmp_path / "originals"
    for number in range(12):
        save(elsewhere / f"{number}.png", scene(8000 + number))
    (elsewhere / "text.png").write_text("no image")
    shutil.copy(elsewhere / "0.png", elsewhere / "copy.png")
    shutil.copy(elsewhere / "1.png", folder / "cat/a copy.png")
    (folder / "cat/linked").symlink_to(elsewhere)
    (folder / "dog/cats").symlink_to(folder / "cat")  # a picture of both: it would be gone, were it moved once
    before = tree(folder), tree(elsewhere)
    report = check_images(folder)
    assert {finding.kind for finding in report.findings} >= {"undecodable", "two-labels"}
    assert all("It leaves alone what lies in linked folders." in finding.mend for finding in report.findings if finding.items)
    assert (report.set_aside, mend(folder).moved) == ({}, {})
    assert (tree(folder), tree(elsewhere)) == before
    (folder / "dog/cats").unlink()
    assert mend(folder).moved == {}  # the copy in the linked folder may go at any time; the other one stays
    with pytest.raises(ArgumentError, match=r"linked/text\.png"):
        set_aside(folder, {"cat/linked/text.png": "undecodable"})
    assert tree(elsewhere) == before[1]
