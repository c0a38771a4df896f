"""The machine's peaks: kept, read back, damaged, bettered; memory's rate between two sizes; the roofline and the history."""

from __future__ import annotations

import json
import math
import re
import subprocess
from pathlib import Path

import pytest

from minigrad.bench import history, machine, roofline
from minigrad.bench.history import Entry, append, compared, read, version
from minigrad.bench.machine import Peaks, cache_size, keep, machine_name, measure, memory_rates, recorded
from minigrad.bench.row import Row
from minigrad.errors import ArgumentError, FileFormatError
from tests.bench.planted import MS, FakeClock, peaks


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products and memory that take no time."""
    monkeypatch.setattr(machine, "SIZES", (32, 16))
    monkeypatch.setattr(machine, "FOOTPRINTS", (1 << 12, 1 << 14))
    monkeypatch.setattr(machine, "PASSES", 1 << 14)
    monkeypatch.setattr(machine, "OTHER_SHAPE", (8, 8, 8))


def test_peaks_are_measured() -> None:
    found = measure(1, "float64", FakeClock(tick=MS), {"other": lambda a, b: a @ b})
    assert (found.size, found.product, found.best, found.by) == (32, 2 * 32**3 / 1e-3, 2 * 32**3 / 1e-3, "NumPy")
    clock = FakeClock(tick=MS)

    def quick(a: object, b: object) -> None:
        clock.time -= MS // 2

    assert measure(1, "float64", clock, {"other": quick}).by == "other"


def test_a_slow_machine_has_a_smaller_product() -> None:
    assert measure(1, "float32", FakeClock(tick=10**15)).size == 16


def test_memory_is_read_and_copied_by_every_thread() -> None:
    rates = memory_rates(2, FakeClock(tick=MS), (1 << 12, 1 << 14))
    assert rates == {1 << 12: (1 << 12) * 16 / 1e-3, 1 << 14: (1 << 14) * 4 / 1e-3}


def test_peaks_are_kept_and_found_again(tmp_path: Path) -> None:
    clock = FakeClock(tick=MS)
    first = recorded(1, "float32", clock, folder=tmp_path)
    clock.tick = 5 * MS
    assert recorded(1, "float32", clock, folder=tmp_path) == first
    assert recorded(1, "float64", clock, folder=tmp_path) != first
    assert recorded(2, "float32", clock, folder=tmp_path) != first
    assert recorded(1, "float32", clock, folder=tmp_path, anew=True).best == first.best / 5
    content = json.loads((tmp_path / "machine.json").read_text())
    assert f"{machine_name()}, 1 thread, float32" in content["peaks"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 0}', '{"format": 2, "peaks": {"x": {"threads": 1}}}', "\xff"])
def test_damaged_peaks_are_measured_anew(tmp_path: Path, damage: str) -> None:
    (tmp_path / "machine.json").write_text(damage, encoding="latin-1")
    assert recorded(1, "float32", FakeClock(tick=MS), folder=tmp_path).best == 2 * 32**3 / 1e-3


def test_peaks_that_cannot_be_kept_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    keep(peaks(), tmp_path / "file" / "folder")


def test_the_machine_now_beside_its_best() -> None:
    found, clock = Peaks(1, "float32", 32, 2 * 32**3 / 1e-3, 1.0, "x"), FakeClock(tick=2 * MS)
    assert found.share_now(clock) == pytest.approx(0.5)
    clock.tick = MS // 2
    assert found.share_now(clock) == pytest.approx(2.0)
    assert (found.product, found.best, found.by) == (2 * 32**3 / 0.5e-3, 2 * 32**3 / 0.5e-3, "NumPy")


def test_memory_between_two_sizes() -> None:
    found = Peaks(1, "float32", 32, 1.0, 7.0, "x", {1 << 20: 100.0, 1 << 24: 20.0})
    assert [found.limits(float(1 << power)).bytes for power in (10, 20, 22, 24, 30)] == pytest.approx(
        [math.inf, 100, 60, 20, 20]
    )
    assert found.limits(1.0).flops == 7.0
    assert Peaks(1, "float32", 32, 1.0, 7.0, "x").limits(1e9).bytes == math.inf


def test_the_largest_cache(tmp_path: Path) -> None:
    assert cache_size(tmp_path) == 32 << 20
    for number, size in enumerate(("48K", "2048K", "what")):
        folder = tmp_path / f"sys/devices/system/cpu/cpu0/cache/index{number}"
        folder.mkdir(parents=True)
        (folder / "size").write_text(size + "\n")
    assert cache_size(tmp_path) == 2 << 20


# ---------------------------------------------------------------------- roofline


def row(who: str = "cpu", seconds: float = 0.01, **more: object) -> Row:
    made = Row("conv2d.forward", "3x3 <small>", who, True, "float32", 2, flops=2e9, bytes=3e7)
    made.seconds = made.median = made.least = seconds
    for name, value in more.items():
        setattr(made, name, value)
    return made


def test_the_roofline_shows_each_trusted_row(tmp_path: Path) -> None:
    rows = [row(), row("reference", 2.0), row("bad", refused=["busy"]), row("uncounted", bytes=0.0), row("untimed", math.nan)]
    roofs = Peaks(2, "float32", 32, 1.0, 3e11, "NumPy", {1 << 20: 1e11, 1 << 27: 3e10})
    roofline.save(tmp_path / "roof.svg", rows, roofs)
    text = (tmp_path / "roof.svg").read_text(encoding="utf-8")
    for words in (
        "best product, 300 GFLOP/s (NumPy)",
        "1 MB at 100 GB/s",
        "128 MB at 30 GB/s",
        "200 GFLOP/s",
        "3x3 &lt;small&gt;",
    ):
        assert words in text
    assert not re.search("bad|uncounted|untimed", text)
    roofline.save(tmp_path / "roof.PNG", rows, roofs)
    assert (tmp_path / "roof.PNG").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize("memory", [{}, {1 << 20: 1e13}, {1 << 20: 1e5}])
def test_a_roofline_of_nothing_or_of_odd_machines(memory: dict[int, float], tmp_path: Path) -> None:
    for rows in ([], [row()] * 30):
        roofline.save(tmp_path / "roof.svg", rows, Peaks(1, "float32", 32, 1.0, 1e11, "NumPy", memory))
        assert ("no op has a number that is trusted" in (tmp_path / "roof.svg").read_text(encoding="utf-8")) == (not rows)


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"--picture: expected a file that ends with \.png or \.svg, got .*roof\.jpg"):
        roofline.save(tmp_path / "roof.jpg", [], peaks())


# ---------------------------------------------------------------------- history


def test_commits_are_compared_on_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history.jsonl"
    assert read(path) == []
    assert append([row(), row("bad", refused=["busy"]), row("untimed", math.nan)], "aaa", False, path, now=1.0) == 1
    assert append([row(seconds=0.005)], "bbb", True, path, now=2.0) == 1
    assert append([row("bad", refused=["busy"])], "ccc", False, path) == 0
    other = {"format": 1, **vars(read(path)[0]), "machine": "another"}
    with path.open("a") as file:
        file.write(json.dumps(other) + "\n\n" + '{"format": 1, "machi')
    entries = read(path)
    assert [(entry.state, entry.seconds) for entry in entries] == [("aaa", 0.01), ("bbb*", 0.005)]
    assert [(entry.commit, faster) for entry, faster in compared(entries)] == [("aaa", None), ("bbb", 2.0)]


def test_only_the_last_commits_are_shown_with_the_ratio_to_the_one_before() -> None:
    def entry(commit: str, seconds: float) -> Entry:
        return Entry("m", commit, False, 0.0, "what", "shape", "who", "float32", 1, seconds)

    entries = [entry(commit, seconds) for commit, seconds in zip("abcda", (8.0, 4.0, 2.0, 1.0, 0.5), strict=True)]
    assert [(each.commit, faster) for each, faster in compared(entries, 2)] == [("d", 2.0), ("a", 2.0)]


@pytest.mark.parametrize("content", [b"not a history\n", b"\xff\xfe\x00", b'{"format": 2}\n'])
def test_a_file_that_is_no_history(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a history that minigrad bench wrote, got something else.*--history-file"):
        read(path)


def test_the_commit_of_a_checkout_or_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "minigrad"
    package.mkdir()
    assert version(package, "1.2") == ("1.2", False)
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(history, "_git", lambda root, *words: {"rev-parse": "abc", "status": ""}[words[0]])
    assert version(package, "1.2") == ("abc", False)
    monkeypatch.setattr(history, "_git", lambda root, *words: {"rev-parse": "abc", "status": " M x"}[words[0]])
    assert version(package, "1.2") == ("abc", True)

    def fail(root: Path, *words: str) -> str:
        raise subprocess.CalledProcessError(128, "git")

    monkeypatch.setattr(history, "_git", fail)
    assert version(package, "1.2") == ("1.2", False)
