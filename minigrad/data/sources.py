"""Named data sets: what is where, and the cache that keeps what was fetched.

A data set is a few files. Each file has its size, its whole sha256 and one or more sources. ``fetch`` hands over the path
of a file only after size and digest have been verified, wherever it lies: where a system package put it, in the cache, or
fresh from a source. ``catalogue`` holds the table, ``places`` the kinds of places.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from minigrad.core import machine
from minigrad.data.catalogue import DATASETS, named
from minigrad.data.places import NO_SPACE, DataSet, File, Progress, Source, SystemFile, Upstream, Wheel
from minigrad.errors import DataError

__all__ = [
    "DATASETS",
    "DataSet",
    "File",
    "Overview",
    "Progress",
    "Source",
    "SystemFile",
    "Upstream",
    "Wheel",
    "cache_folder",
    "cached_path",
    "dataset",
    "fetch",
    "get",
    "overview",
    "read",
]

_TASKS = {  # who learns from what
    "images": "classify", "pictures": "gan", "text": "text", "handwriting": "handwriting", "pairs": "translate",
    "boxes": "detect",
}  # fmt: skip


def dataset(name: str, *kinds: str) -> DataSet:
    """The data set of that name, and of one of these kinds where any are given.

    Raises:
        DataError: there is none.

    Example:
        >>> dataset("mnist5k").licence
        'BSD-3-Clause'
    """
    names = named(*kinds) if kinds else tuple(DATASETS)
    if name not in names:
        other = DATASETS[name].kind if name in DATASETS else ""
        remedy = f"{name} holds {other}: minigrad train {_TASKS[other]} takes it" if other in _TASKS else ""
        if other == "weights":
            remedy = f"{name} is a trained network, and named where a command asks for a MODEL"
        if other == "photos":
            remedy = f"{name} are for trained networks to look at: minigrad data get {name} says where they lie"
        raise DataError("data", "name", f"one of {', '.join(names)}", repr(name), remedy)
    return DATASETS[name]


def cache_folder() -> Path:
    """Where downloads are kept: ``MINIGRAD_CACHE``, else ``minigrad`` in the platform's cache folder of the user.

    Raises:
        DataError: the platform names no such folder.

    Example:
        >>> cache_folder().is_absolute() or "MINIGRAD_CACHE" in os.environ
        True
    """
    try:
        return machine.cache_folder()
    except RuntimeError as error:
        raise DataError("data", "cache", "a home folder", str(error), "Set MINIGRAD_CACHE to a folder") from error


def cached_path(file: File) -> Path:
    """Where the cache keeps a file. The digest in the name lets two releases of one file lie side by side.

    Example:
        >>> cached_path(dataset("mnist5k").files[0]).name
        '846f6cad587fea38-mnist_5k.csv.gz'
    """
    return cache_folder() / f"{file.sha256[:16]}-{file.name}"


def fetch(data: DataSet, file: File, progress: Progress | None = None) -> Path:
    """The path of a file whose size and digest have just been verified.

    It is looked for where a system package puts it, then in the cache; else the first source that has it is asked, and the
    file kept in the cache for the next time. What is damaged is fetched anew, with a warning that says so.

    Args:
        data: the data set.
        file: one of its files.
        progress: called with the file's name, the bytes that are there and the bytes in all while it comes in.

    Raises:
        DataError: no source can be reached, what came has another digest, or the cache cannot be written.

    Example:
        >>> data = dataset("mnist5k")
        >>> fetch(data, data.files[0]) == cached_path(data.files[0])
        True
    """
    refusals: list[DataError] = []
    if file.system:
        place = Path(file.system.path)
        try:
            found = _difference(place, file.system.sha256, file.system.size)
        except OSError as error:
            found = error.strerror or str(error)
        if found == "":
            return place
        if found:
            warnings.warn(f"{file.system} is passed over: expected the file that is known, got {found}", stacklevel=2)
        refusals.append(file.system.refusal(data.name, found or "no such file"))
    path = cached_path(file)
    try:
        found = _difference(path, file.sha256, file.size)
    except OSError as error:
        remedy = "Mend its permissions or remove it"
        raise DataError("data", data.name, f"a readable file {path}", str(error), remedy) from error
    if found == "":
        return path
    if found:
        warnings.warn(f"{path} is damaged: expected {_whole(file)}, got {found}; it is fetched anew", stacklevel=2)
    with _scratch(data, file) as scratch:
        os.replace(_fetched(data, file, scratch, progress, refusals), path)  # atomic: no reader ever meets half a file
    return path


def read(data: DataSet, file: File) -> bytes:
    """The verified bytes of a file, as ``fetch`` finds it.

    Raises:
        DataError: as in ``fetch``.

    Example:
        >>> data = dataset("mnist5k")
        >>> len(read(data, data.files[0]))
        1106785
    """
    return fetch(data, file).read_bytes()


def get(name: str, progress: Progress | None = None) -> tuple[Path, ...]:
    """Make sure that all files of a data set are on this machine, verified, and say where; of one that always is, its folder.

    Args:
        name: the data set.
        progress: as in ``fetch``.

    Raises:
        DataError: there is no such data set, or one of its files cannot be had.

    Example:
        >>> len(get("mnist5k"))
        1
    """
    data = dataset(name)
    if data.folder:
        return (Path(data.folder),)
    return tuple(fetch(data, file, progress) for file in data.files)


@dataclass(frozen=True)
class Overview:
    """What there is to say of a data set in a list.

    ``state`` is ``"cached"``, ``"system"`` (a system package, or Python, has it) or ``"absent"`` (to be fetched, wholly or in
    part); ``path`` is the file, or the folder of several; ``size`` counts all files' bytes, ``to_fetch`` of those not here;
    ``packages`` are those of the system to install, where nothing else brings what is not here.
    """

    name: str
    about: str
    licence: str
    size: int
    to_fetch: int
    state: str
    path: str | None
    packages: tuple[str, ...] = ()


def overview() -> list[Overview]:
    """All named data sets, and which of them are on this machine, judged by their files' names and sizes alone.

    Raises:
        DataError: the platform names no cache folder.

    Example:
        >>> [record.name for record in overview()][:3]
        ['mnist5k', 'fashion-mnist', 'cifar10']
    """
    records = []
    for data in DATASETS.values():
        if data.folder:
            size = sum(path.stat().st_size for path in Path(data.folder).glob("*.py"))
            records.append(Overview(data.name, data.about, data.licence, size, 0, "system", data.folder))
            continue
        found = [_place(file) for file in data.files]
        to_fetch = sum(file.size for file, (state, _) in zip(data.files, found) if state == "absent")
        state = next(state for state in ("absent", "cached", "system") if state in {each for each, _ in found})
        first = found[0][1]
        path = None if state == "absent" else str(first if len(found) == 1 else first.parent)
        size = sum(file.size for file in data.files)
        here = {file for file, (state_of, _) in zip(data.files, found) if state_of != "absent"}
        needed = [file.system.package for file in data.files if file.system and not file.sources and file not in here]
        packages = tuple(dict.fromkeys(needed))
        records.append(Overview(data.name, data.about, data.licence, size, to_fetch, state, path, packages))
    return records


def _place(file: File) -> tuple[str, Path]:
    """Where a file of that name and size is, or would be."""
    cached = cached_path(file)
    candidates = [("cached", cached, file.size)]
    if file.system:
        candidates.insert(0, ("system", Path(file.system.path), file.system.size))
    for state, path, size in candidates:
        try:
            if path.stat().st_size == size:
                return state, path
        except OSError:
            continue  # not here, as far as this user can see
    return "absent", cached


def _whole(file: File) -> str:
    return f"{file.size} bytes with sha256 {file.sha256}"


def _difference(path: Path, sha256: str, size: int) -> str | None:
    """What is there in place of the right file: empty if it is the right one, None if there is none.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with open(path, "rb") as content:
            there = os.fstat(content.fileno()).st_size
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return "" if (there, digest) == (size, sha256) else f"{there} bytes with sha256 {digest}"


def _fetched(data: DataSet, file: File, scratch: Path, progress: Progress | None, refusals: list[DataError]) -> Path:
    """The file from the first source that has the right one; else one error with what was tried and what can be done."""
    for number, source in enumerate(file.sources):
        folder = scratch / str(number)
        folder.mkdir()
        try:
            path = source.fetch(data.name, file, folder, progress)
            found = _difference(path, file.sha256, file.size)
            if found == "":
                return path
            raise DataError(
                "data", data.name, _whole(file), f"{found} from {source}",
                "Nothing was kept. Try again; if it stays so, the file was replaced at its source",
            )  # fmt: skip
        except DataError as error:
            refusals.append(error)
    if not file.sources:
        packages = list(dict.fromkeys(each.system.package for each in data.files if each.system))
        expected = f"{file.system}" if file.system else file.name
        remedy = f"On Debian or Ubuntu, run apt-get install {' '.join(packages)}; elsewhere, put there what is in that package"
        raise DataError("data", data.name, expected, refusals[-1].got if refusals else "none", remedy)
    by_hand = ", ".join(
        f"{each.name} with sha256 {each.sha256} as {cached_path(each)}" for each in data.files if _place(each)[0] == "absent"
    )
    remedies = ". ".join(dict.fromkeys(error.remedy for error in refusals))
    raise DataError(
        "data", data.name, " or ".join(error.expected for error in refusals),
        "; ".join(dict.fromkeys(error.got for error in refusals)), f"{remedies}. Or save a copy by hand: {by_hand}",
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
        if error.errno in NO_SPACE:
            expected, got, remedy = f"room for {file.size} bytes in {folder}", "a full disk", "Free some space, or set"
        else:
            expected, got, remedy = f"a cache folder {folder} that can be written", str(error), "Mend its permissions, or set"
        raise DataError("data", data.name, expected, got, f"{remedy} MINIGRAD_CACHE to another folder") from error
