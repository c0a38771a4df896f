"""Arrays of objects in ``.npy`` files: what NumPy wrote comes back, and what is damaged or hostile is refused."""

from __future__ import annotations

import io
import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.errors import FileFormatError, MissingFileError
from minigrad.interop.npy import elements, load_arrays
from tests.faces import write

WEIGHTS = {"net": [np.arange(6, dtype="f4").reshape(2, 3), np.zeros(0, "i8")], "other": {"w": np.float64([0.5])}}


def written(value: Any) -> bytes:
    file = io.BytesIO()
    array = np.empty((), object)
    array[()] = value
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def with_pickle(content: bytes) -> bytes:
    """An array of one object whose pickle is another."""
    whole = written(None)
    return whole[: whole.index(b"\x80")] + content


def same_again() -> bytes:
    """Lists, each of a thousand times the one before: 10^12 values."""
    value: Any = [np.zeros(1, "f4")]
    for _ in range(4):
        value = [value] * 1000
    return written(value)


def nested() -> bytes:
    value: Any = np.zeros(1, "f4")
    for _ in range(50):
        value = [value]
    return written(value)


def as_large() -> bytes:
    """An array that says that it has 2^60 numbers."""
    whole = written({"w": np.zeros(3, "f4")})
    return whole.replace(b"K\x03\x85", b"\x8a\x08" + (1 << 60).to_bytes(8, "little") + b"\x85", 1)


class Call:
    """What runs a command when Python's own pickle opens it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch opened",)


def test_arrays_come_back_by_the_way_to_them(tmp_path: Path) -> None:
    found = load_arrays(write(tmp_path / "w.npy", WEIGHTS))
    assert list(found) == ["net.0", "net.1", "other.w"]
    for name, array in zip(found, (*WEIGHTS["net"], WEIGHTS["other"]["w"])):
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)
    found["net.0"][0] = 7  # they have memory of their own


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"a": np.array([np.ones(1), None], object), 3: (np.ones(2),)}, ["a.0", "3.0"]),  # arrays of objects within
        ({"name": "net", "epoch": 3, "w": np.ones(2, ">f8"), "none": None}, ["w"]),  # other values are left out
        ([np.asarray(np.ones((2, 3)), order="F")], ["0"]),
    ],
)
def test_what_else_may_lie_there(value: Any, names: list[str], tmp_path: Path) -> None:
    found = load_arrays(write(tmp_path / "w.npy", value))
    assert list(found) == names
    assert all(array.dtype.isnative and (array == 1).all() for array in found.values())


def test_several_elements(tmp_path: Path) -> None:
    several = np.empty(2, object)
    several[:] = [np.ones(1), [np.ones(2)]]
    np.save(tmp_path / "w.npy", several, allow_pickle=True)
    assert list(load_arrays(tmp_path / "w.npy")) == ["0", "1.0"]
    np.save(tmp_path / "n.npy", np.ones(3))
    assert elements((tmp_path / "n.npy").read_bytes()) is None


REFUSED = {
    "a call": (lambda: written({"w": [Call()]}), r"got a reference to '\w+\.system'\. Nothing in it was run"),
    "cut short": (lambda: written(WEIGHTS)[:-40], "got a damaged one"),
    "cut in its head": (lambda: written(WEIGHTS)[:40], "got a damaged one"),
    "nothing": (lambda: b"", "got a damaged one"),
    "no pickle": (lambda: with_pickle(b"hello"), "got a damaged one"),
    "no array": (lambda: with_pickle(b"\x80\x02]."), r"got a damaged one \(no array\)"),
    "the same again": (same_again, r"got a damaged one \(the same values again and again\)"),
    "deep": (nested, "got values nested more than 20 deep"),
    "a size that it has not": (as_large, r"got a damaged one \(contents that do not fill the shape"),
    "numbers alone": (lambda: saved(np.ones(3)), "got one of numbers alone"),
    "no numbers": (lambda: written({"a": "b"}), "got one without any"),
    "text": (lambda: written({"a": np.array(["b"])}), r"got a damaged one \(an array that is not of numbers\)"),
    "one name twice": (lambda: written({"a": [np.ones(1)], "a.0": np.ones(1)}), r"got two arrays called a\.0"),
    "another format": (lambda: b"PK\x03\x04" + bytes(40), "got a damaged one"),
}


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_refused(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make, words = REFUSED[case]
    content = make()
    Path("w.npy").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(FileFormatError) as caught:
        load_arrays("w.npy")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(caught.value).startswith("load: w.npy: expected an .npy file of objects with arrays of numbers in them, got")
    assert re.search(words, str(caught.value))
    assert most < 20_000_000 and os.listdir() == ["w.npy"]


def test_the_call_is_a_hostile_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.load(io.BytesIO(written([Call()])), allow_pickle=True)
    assert os.listdir() == ["opened"]


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="expected a file that can be read, got No such file"):
        load_arrays(tmp_path / "w.npy")
    with pytest.raises(FileFormatError, match="expected a file that can be read, got Is a directory"):
        load_arrays(tmp_path)
