"""``minigrad.save`` and ``minigrad.load``: nested tensors and numbers in one safetensors file, which is data and never code.

Files of PyTorch's are read too, see ``torch_io.py``, and HDF5 files, see ``hdf5_io.py``.

Tensors lie in the file under flat names, which any safetensors reader sees: those of a ``state_dict`` are its own keys, and
``{"model": state_dict}`` gives ``model.KEY``. What containers they came from stands in the file's metadata as JSON, with a
SHA-256 digest of everything, so that a damaged file is refused and not misread.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from typing import Any

import numpy as np

from minigrad.core.device import device as _device
from minigrad.core.device import move
from minigrad.core.dtypes import DTYPES
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError, FileFormatError, MissingFileError
from minigrad.interop.atomic import write_atomically
from minigrad.interop.hdf5_io import is_hdf5
from minigrad.interop.structure import Misfit, put_together, take_apart

_ENTRY = "minigrad"  # of the metadata
_VERSION = 1
_NAMES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
OTHER_NUMBERS = (
    "Save it, where it was made, as float32 or int64 (.float() or .long() in PyTorch), complex numbers by torch.view_as_real()"
)
_CODES = {np.dtype(name): code for code, name in _NAMES.items()}
_WIDER = {"int8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int64"}  # as Tensors, which lack these


def save(obj: Any, f: Any) -> None:
    """Write tensors, and what they are nested in, to a safetensors file. See ``load``.

    The file appears whole under its name or not at all. Tensors are stored as they are, without gradient and without the
    graph; a tensor that stands in two places is stored twice.

    Args:
        obj: a Tensor, or dicts, lists and tuples of Tensors, NumPy arrays, numbers, strings, truth values and None, nested
            as deep as they are: a ``state_dict`` of a module, an optimiser, a schedule, or a dict of several.
        f: the file's name, or an object with ``write``.

    Raises:
        DTypeError: ``obj`` holds something else; the message says where.
        FileFormatError: the file cannot be written: no such folder, no right, a full disk.

    Example:
        >>> import minigrad, os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
        >>> minigrad.save({"weights": [minigrad.ones(2)], "epoch": 3}, path)
        >>> minigrad.load(path)
        {'weights': [tensor([1., 1.])], 'epoch': 3}
    """
    from safetensors.numpy import save as to_bytes

    arrays, structure = take_apart(obj)
    for name, array in arrays.items():
        if array.dtype not in _CODES:
            known = ", ".join(_NAMES.values())
            raise DTypeError("save", name, f"one of {known}", str(array.dtype), "Convert the array to one of these")
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        arrays[name] = native if native.flags.c_contiguous else native.copy(order="C")
    table = [(name, _CODES[array.dtype], array.shape, array) for name, array in arrays.items()]
    text = json.dumps(structure, allow_nan=False)
    entry = {"version": _VERSION, "sha256": _digest(table, text), "structure": text}
    data = to_bytes(arrays, metadata={_ENTRY: json.dumps(entry)})
    if hasattr(f, "write"):
        f.write(data)
    else:
        write_atomically("save", _path("save", f), data)


class NoSuchNumbers(Misfit):
    """A file that is sound, and whose numbers are of a dtype that Tensors do not have."""


def load(f: Any, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Read what ``save`` wrote, a file of ``torch.save``, or a safetensors or HDF5 file, which gives a dict of Tensors by name.

    Nothing in the file is run, and all of it is checked: sizes, dtypes and offsets, and in a file of ``save`` the digest.
    In files of others, PyTorch's among them, bfloat16 numbers become float32, which holds each exactly, and integers of
    widths that Tensors do not have become the next wider ones. HDF5 files, in which Keras keeps weights, need the extra
    ``hdf5``, and their names are paths; ``minigrad.interop.keras_io`` makes a network of them.

    Args:
        f: the file's name, or an object with ``read``.
        map_location: the device of the tensors; the CPU by default, wherever they lay when they were saved.
        weights_only: accepted for PyTorch's sake: a file can hold nothing but data.

    Raises:
        FileFormatError: the file is missing, damaged, hostile, or of another format; the message says which.

    Example:
        >>> import minigrad, io
        >>> file = io.BytesIO()
        >>> minigrad.save(minigrad.nn.Linear(2, 1).state_dict(), file)
        >>> list(minigrad.load(io.BytesIO(file.getvalue())))
        ['weight', 'bias']
    """
    where = _device("cpu") if map_location is None else _place(map_location)
    if hasattr(f, "read"):
        name, raw = getattr(f, "name", "the file"), f.read()
    else:
        name = _path("load", f)
        raw = _read(name)
    try:
        if _is_torch(raw):
            return _read_torch(name, raw, where)
        if is_hdf5(raw):
            return _read_hdf5(name, raw, where)
        table, metadata = _parse(name, raw)
        entry = _entry(metadata)
        if entry is None:
            return {key: _tensor(_array(*part), where) for key, *part in table}
        if entry["sha256"] != _digest(table, entry["structure"]):
            raise Misfit("its contents are not what was saved: the digest differs")
        arrays = {key: _array(*part) for key, *part in table}
        return put_together(json.loads(entry["structure"]), arrays, lambda array: _tensor(array, where))
    except (Misfit, json.JSONDecodeError, UnicodeError, RecursionError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, FileFormatError):
            raise
        if isinstance(error, NoSuchNumbers):
            raise FileFormatError("load", str(name), "numbers that minigrad has", f"{error}", OTHER_NUMBERS) from error
        reason = str(error) if isinstance(error, Misfit) else "its metadata are damaged"
        remedy = "Take another copy: the file was damaged or tampered with"
        raise FileFormatError("load", str(name), "a whole safetensors file", f"one that is not: {reason}", remedy) from error


def _path(where: str, f: Any) -> str:
    if not isinstance(f, (str, os.PathLike)):
        raise DTypeError(where, "f", "the name of a file, or an open one", type(f).__name__)
    path = os.fsdecode(f)
    if "\0" in path:
        raise FileFormatError(where, "f", "the name of a file", repr(path))
    return path


def _place(map_location: Any) -> _device:
    if not isinstance(map_location, (str, _device)):
        raise ArgumentError("load", "map_location", "a device, such as 'cpu' or 'cuda:0'", repr(map_location))
    return _device(map_location)


def _digest(table: list, structure: str) -> str:
    """SHA-256 of all that a file says: names, dtypes, shapes and contents of the tensors, and the structure."""
    digest = hashlib.sha256(structure.encode("utf-8", "surrogatepass"))
    for name, code, shape, data in sorted(table, key=lambda part: part[0]):
        digest.update(f"\n{json.dumps(name)} {code} {list(shape)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


# ---------------------------------------------------------------------- reading


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        got = "none of that name" if missing else error.strerror or str(error)
        remedy = f"The folder looked in is {os.getcwd()}" if not os.path.isabs(path) else ""
        kind = MissingFileError if missing else FileFormatError
        raise kind("load", path, "a file that can be read", got, remedy) from error


def _parse(name: Any, raw: bytes) -> tuple[list, dict[str, str]]:
    """The tensors (name, dtype, shape, bytes) and the metadata, from the bytes of a file."""
    from safetensors import SafetensorError, deserialize

    foreign = _foreign(raw)
    if foreign:
        raise FileFormatError("load", str(name), "a safetensors file", *foreign)
    try:
        parts = deserialize(raw)
    except SafetensorError as error:
        got = "an empty one" if not raw else f"one that is none, or was cut short or damaged ({error})"
        raise FileFormatError("load", str(name), "a whole safetensors file", got, "Take another copy of it") from error
    table = [(key, part["dtype"], tuple(part["shape"]), part["data"]) for key, part in parts]
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return table, header.get("__metadata__") or {}


def _foreign(raw: bytes) -> tuple[str, str] | None:
    """What a file of another kind is, and what to do with it."""
    if raw[8:9] == b"{" and int.from_bytes(raw[:8], "little") <= len(raw) - 8:
        return None  # a header of 640 bytes gives the file the first two bytes of a pickle, 80 02
    if raw[:4] == b"PK\x03\x04":
        if any(name.endswith(".npy") for name in _members(raw)):
            return "a NumPy archive (.npz)", "Open it with numpy.load, and make tensors with minigrad.tensor"
        return "a zip file", "Unpack it"
    for mark, what in ((b"\x1f\x8b", "a gzip file"), (b"\x93NUMPY", "a NumPy array (.npy)")):
        if raw.startswith(mark):
            return what, "Open it with what wrote it, and save its arrays with minigrad.save"
    return None


def _is_torch(raw: bytes) -> bool:
    """Whether a file is one of ``torch.save``, or a pickle of something else."""
    if raw[8:9] == b"{" and int.from_bytes(raw[:8], "little") <= len(raw) - 8:
        return False  # a header of 640 bytes gives a safetensors file the first two bytes of a pickle, 80 02
    if raw[:4] == b"PK\x03\x04":
        return any(name.rpartition("/")[2] == "data.pkl" for name in _members(raw)) or b"/data.pkl" in raw[:4096]
    return len(raw) > 1 and raw[0] == 0x80 and 2 <= raw[1] <= 5


def _read_torch(name: Any, raw: bytes, where: _device) -> Any:
    from minigrad.interop.pickles import Refused
    from minigrad.interop.torch_io import OTHERS, read_torch

    try:
        return read_torch(raw, lambda array: _tensor(array, where))
    except Refused as error:
        known = next((words for name, words in OTHERS.items() if f"{name}'" in str(error)), None)
        if error.damaged:
            got, remedy = f"a damaged one ({error})", "Take another copy of it"
        elif known is not None:
            got, remedy = f"{known[0]} ({error})", f"In PyTorch, save {known[1]}"
        else:
            got, remedy = str(error), "Nothing in it was run. In PyTorch, save the state_dict() of a model, not the model"
        expected = "a file of torch.save that holds weights and plain data"
        raise FileFormatError("load", str(name), expected, got, remedy) from error


def _read_hdf5(name: Any, raw: bytes, where: _device) -> dict[str, Tensor]:
    from minigrad.interop.hdf5_io import read_hdf5
    from minigrad.interop.pickles import Refused

    expected = "an HDF5 file that holds numbers"
    try:
        return read_hdf5(raw, lambda array: _tensor(array, where))
    except Refused as error:
        got = f"a damaged one ({error})" if error.damaged else f"one with {error}"
        raise FileFormatError("load", str(name), expected, got, "Nothing in it was run. Take another copy of it") from error


def _members(raw: bytes) -> list[str]:
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _entry(metadata: dict[str, str]) -> dict[str, Any] | None:
    """What ``save`` wrote into the metadata; ``None`` in a file of others."""
    if _ENTRY not in metadata:
        if any('"sha256"' in value or '"structure"' in value for value in metadata.values()):
            raise Misfit("its metadata are damaged")
        return None
    entry = json.loads(metadata[_ENTRY])
    if not isinstance(entry, dict):
        raise Misfit("its metadata are damaged")
    if entry.get("version") != _VERSION:
        raise Misfit(f"it has version {entry.get('version')!r} of our format, and this minigrad reads {_VERSION}")
    if not isinstance(entry["structure"], str) or not isinstance(entry["sha256"], str):
        raise Misfit("its metadata are damaged")
    return entry


def _array(code: str, shape: tuple[int, ...], data: Any) -> np.ndarray:
    """Bytes as an array of their own memory; bfloat16 as float32, of which it is the upper half."""
    if code == "BF16":
        words = np.frombuffer(data, "<u2").astype(np.uint32)
        return (words << 16).view(np.float32).reshape(shape)
    if code not in _NAMES:
        raise NoSuchNumbers(f"a tensor of the dtype {code}")
    array = np.frombuffer(data, np.dtype(_NAMES[code]).newbyteorder("<"))
    if code == "BOOL" and array.size and array.view(np.uint8).max() > 1:
        raise Misfit("it has truth values that are neither 0 nor 1")
    return array.astype(array.dtype.newbyteorder("="), copy=True).reshape(shape)


def _tensor(array: np.ndarray, where: _device) -> Tensor:
    kind = np.dtype(_WIDER.get(array.dtype.name, array.dtype.name))
    if kind not in DTYPES:
        raise NoSuchNumbers(f"a tensor of the dtype {kind}")
    return Tensor._wrap(move(array.astype(kind, copy=False), where))
