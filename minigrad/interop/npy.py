"""Arrays of objects in ``.npy`` files: NumPy writes their elements as a pickle, which is read here with nothing in it run."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from tokenize import TokenError
from typing import Any

import numpy as np

from minigrad.errors import FileFormatError, MinigradError, MissingFileError
from minigrad.interop.pickles import PickledArray, Refused, unpickle

NO_ARRAY = (  # what NumPy says of a damaged file
    *(ValueError, TypeError, EOFError, SyntaxError, OverflowError, MemoryError, SystemError, TokenError),
)
INSTRUCTIONS = 1 << 22  # of a pickle with some hundred thousand elements
REPEATED = 16  # times as many values as a pickle has bytes, where it names some of them more than once
SMALL = 1 << 20  # values that are no harm
MOST_NESTED = 20


def elements(content: bytes) -> list[Any] | None:
    """The elements of an array of objects; ``None`` where the array is one of numbers or of text.

    Args:
        content: the bytes of an ``.npy`` file.

    Returns:
        Plain values and ``PickledArray``, of all of which there are not many more than the file has bytes.

    Raises:
        Refused: the pickle is damaged, or asks for anything else than such values.
        ValueError, or another of ``NO_ARRAY``: the file is damaged.

    Example:
        >>> file = io.BytesIO()
        >>> np.save(file, np.array([{"a": 1}, None]), allow_pickle=True)
        >>> elements(file.getvalue())
        [{'a': 1}, None]
    """
    _, dtype, start = head(content)
    if not dtype.hasobject:
        return None
    array, _ = unpickle(content, start, most=INSTRUCTIONS)
    if not isinstance(array, PickledArray):
        raise ValueError("no array")
    found = array.values()
    _check_size(found, REPEATED * len(content) + SMALL)
    return found


def head(content: bytes) -> tuple[tuple[int, ...], np.dtype, int]:
    """Shape and dtype that an ``.npy`` file tells, and where its contents begin.

    Raises:
        ValueError, or another of ``NO_ARRAY``: it is none.

    Example:
        >>> file = io.BytesIO()
        >>> np.save(file, np.zeros((2, 3)))
        >>> head(file.getvalue())
        ((2, 3), dtype('float64'), 128)
    """
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype, file.tell()


def load_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays of numbers in an ``.npy`` file of objects, each by the way to it: keys of dicts and places in lists.

    Args:
        path: the file. Other values beside the arrays are left out.

    Returns:
        Arrays of memory of their own, in the machine's order of bytes.

    Raises:
        FileFormatError: it is missing, damaged, hostile, or of another format.

    Example:
        >>> weights = np.empty((), object)
        >>> weights[()] = {"net": [np.ones((2, 3), "f4"), np.zeros(3, "f4")]}
        >>> np.save("weights.npy", weights, allow_pickle=True)
        >>> {name: array.shape for name, array in load_arrays("weights.npy").items()}
        {'net.0': (2, 3), 'net.1': (3,)}
    """
    name, expected = os.fspath(path), "an .npy file of objects with arrays of numbers in them"
    remedy = "Take another copy of it"
    try:
        with open(path, "rb") as file:
            found = elements(file.read())
        if found is None:
            raise Refused("one of numbers alone")
        arrays: dict[str, np.ndarray] = {}
        for way, array in _arrays(found[0] if len(found) == 1 else found, (), MOST_NESTED):
            if way in arrays:
                raise Refused(f"two arrays called {way[:80]}")
            arrays[way] = array.astype(array.dtype.newbyteorder("="))
        if not arrays:
            raise Refused("one without any")
        return arrays
    except MinigradError:
        raise
    except OSError as error:
        kind = MissingFileError if isinstance(error, FileNotFoundError) else FileFormatError
        raise kind("load", name, "a file that can be read", error.strerror or str(error)) from error
    except Refused as error:
        got = f"a damaged one ({error})" if error.damaged else str(error)
        raise FileFormatError("load", name, expected, got, f"Nothing in it was run. {remedy}") from error
    except NO_ARRAY as error:
        raise FileFormatError("load", name, expected, f"a damaged one ({error})", remedy) from error


def _arrays(value: Any, way: tuple[str, ...], deeper: int) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays in nested values, and the ways to them."""
    if deeper < 0:
        raise Refused(f"values nested more than {MOST_NESTED} deep")
    if isinstance(value, PickledArray):
        if value.holds_objects:
            yield from _arrays(value.values(), way, deeper - 1)
        else:
            yield ".".join(way), value.numbers()
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _arrays(item, (*way, str(key)), deeper - 1)
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield from _arrays(item, (*way, str(place)), deeper - 1)


def _check_size(values: Any, most: int) -> None:
    """See that values hold no more others than a file can: a pickle may name the same one any number of times.

    Raises:
        ValueError: they do.
    """
    open_, count = [values], 0
    while open_:
        value = open_.pop()
        if isinstance(value, PickledArray):
            value = value.state[-1] if isinstance(value.state, tuple) and value.state else None
        elif isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, (list, tuple, bytes, str)):
            count += len(value)
        if isinstance(value, (list, tuple)):
            open_ += [inner for inner in value if isinstance(inner, (list, tuple, Mapping, PickledArray))]
        if count > most:
            raise ValueError("the same values again and again")
