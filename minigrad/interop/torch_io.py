"""PyTorch's weight files, read without PyTorch and without running anything in them.

Since 1.6 ``torch.save`` writes a zip archive: ``data.pkl``, a pickle of what was saved, in which a tensor is a reference to
memory with an offset, a shape and strides, and each piece of memory as a file ``data/KEY``. Before, it wrote four pickles one
after the other (a number to know it by, the version, the byte order, what was saved) and then the pieces of memory. Both
pickles are read by ``pickles.py``: what they may name is written out below, and all else is refused by name.

Tensors that share memory in the file share it when they were read. No tensor takes more memory than the file has bytes,
and a pickle has two million instructions at most.
"""

from __future__ import annotations

import math
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from typing import Any, Literal

import numpy as np

from minigrad.interop.pickles import Call, PickledArray, Refused, unpickle

Order = Literal["<", ">"]
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MOST_PARTS = 1_000_000  # of what was saved
MOST_NESTED = 100
MOST_WORDS = 2_000_000  # of a pickle
SHOWN = 80  # letters of what a file says, in an error
LARGEST_PICKLE = 256 << 20  # bytes
BFLOAT16 = np.dtype([("bfloat16", "<u2")])  # a name for numbers of which NumPy has none
STORAGES: dict[str, np.dtype[Any]] = {
    "DoubleStorage": np.dtype("f8"), "FloatStorage": np.dtype("f4"), "HalfStorage": np.dtype("f2"),
    "LongStorage": np.dtype("i8"), "IntStorage": np.dtype("i4"), "ShortStorage": np.dtype("i2"), "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"), "BoolStorage": np.dtype("?"), "BFloat16Storage": BFLOAT16,
}  # fmt: skip
DTYPES: dict[str, np.dtype[Any]] = {
    "float64": np.dtype("f8"), "float32": np.dtype("f4"), "float16": np.dtype("f2"), "int64": np.dtype("i8"),
    "int32": np.dtype("i4"), "int16": np.dtype("i2"), "int8": np.dtype("i1"), "uint8": np.dtype("u1"), "bool": np.dtype("?"),
    "bfloat16": BFLOAT16,
}  # fmt: skip
OTHERS = {  # what a file of sound weights may name that is not read -> what that is, and what is to be saved in its place
    "ComplexFloatStorage": ("complex numbers", "torch.view_as_real() of such tensors"),
    "ComplexDoubleStorage": ("complex numbers", "torch.view_as_real() of such tensors"),
    "_rebuild_tensor_v3": (
        "numbers that minigrad has not, such as float8",
        "such tensors after .float(), integers after .long()",
    ),
    "_rebuild_qtensor": ("quantized numbers", "such tensors after .dequantize()"),
    "_rebuild_sparse_tensor": ("sparse tensors", "such tensors after .to_dense()"),
}
ORDERS: dict[str, Order] = {"little": "<", "big": ">"}


def shorten(said: Any) -> str:
    """What a file says, not longer than an error can show."""
    text = str(said)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


class _Kind:
    """A class of memory, or a dtype, that a file names."""

    def __init__(self, dtype: np.dtype[Any] | None) -> None:
        self.dtype = dtype


class _Memory:
    """A piece of memory that tensors refer to: how many numbers of which dtype, and, when it was found, its bytes."""

    def __init__(self, dtype: np.dtype[Any], count: int, order: Order) -> None:
        self.dtype, self.count, self.order = dtype, count, order
        self.numbers: np.ndarray | None = None

    def fill(self, raw: Any) -> None:
        """Take the bytes.

        Raises:
            Refused: they are not as many as was said.
        """
        if len(raw) != self.count * self.dtype.itemsize:
            got = f"{len(raw):,} bytes for {self.count:,} numbers of {self.dtype.itemsize}"
            raise Refused(f"memory of another size than it says: {got}", damaged=True)
        if self.dtype == bool:
            raw = np.frombuffer(raw, np.uint8) != 0
            self.numbers = raw.copy()
            return
        words: np.dtype[Any] = np.dtype("u2") if self.dtype is BFLOAT16 else self.dtype
        found = np.frombuffer(raw, words.newbyteorder(self.order))
        if self.dtype is BFLOAT16:
            self.numbers = (found.astype(np.uint32) << 16).view(np.float32)  # which holds each exactly
        else:
            self.numbers = found.astype(words)


class _Lying:
    """A tensor before its memory was found."""

    def __init__(self, memory: Any, offset: Any, shape: Any, strides: Any) -> None:
        whole = all(
            isinstance(sizes, (tuple, list)) and all(type(size) is int and size >= 0 for size in sizes)
            for sizes in (shape, strides, (offset,))
        )
        if not isinstance(memory, _Memory) or not whole or len(shape) != len(strides) or len(shape) > 32:
            raise Refused("a tensor that is none")
        count = math.prod(shape)
        last = offset + sum((size - 1) * step for size, step in zip(shape, strides)) if count else offset
        if (count and last >= memory.count) or count > max(memory.count, 1):
            raise Refused(f"a tensor of shape {shorten(tuple(shape))} in memory of {memory.count:,} numbers")
        self.memory, self.offset, self.shape, self.strides = memory, offset, tuple(shape), tuple(strides)

    def array(self) -> np.ndarray:
        """The tensor's numbers, a view of its memory."""
        numbers = self.memory.numbers
        if numbers is None:
            raise Refused("a tensor without memory")
        if not math.prod(self.shape):
            return np.empty(self.shape, numbers.dtype)
        steps = [step * numbers.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps)


def _tensor(memory: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Lying:
    return _Lying(memory, offset, shape, strides)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _ordered(pairs: Any = ()) -> OrderedDict[Any, Any]:
    found: OrderedDict[Any, Any] = OrderedDict()
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], (str, int, float)):
            raise Refused("a dict that is none")
        found[pair[0]] = pair[1]
    return found


def _size(sizes: Any = ()) -> tuple[Any, ...]:
    return tuple(sizes) if isinstance(sizes, (tuple, list)) else ()


def _table() -> dict[str, Any]:
    """What a file may name, and what stands for it."""
    table: dict[str, Any] = {"collections OrderedDict": Call(_ordered), "torch Size": Call(_size)}
    for name, function in (
        ("_rebuild_tensor", _tensor), ("_rebuild_tensor_v2", _tensor), ("_rebuild_parameter", _parameter),
        ("_rebuild_parameter_with_state", _parameter),
    ):  # fmt: skip
        table[f"torch._utils {name}"] = Call(function)
    for name, dtype in STORAGES.items():
        table[f"torch {name}"] = table[f"torch.cuda {name}"] = _Kind(dtype)
    for name, dtype in DTYPES.items():
        table[f"torch {name}"] = _Kind(dtype)
    return table


TABLE = _table()


def read_torch(raw: bytes, tensor: Callable[[np.ndarray], Any]) -> Any:
    """What a file of ``torch.save`` holds.

    Args:
        raw: the bytes of the file.
        tensor: makes a Tensor of an array.

    Raises:
        Refused: it is damaged, or asks for more than data.
    """
    value = _from_zip(raw) if raw[:2] == b"PK" else _from_pickles(raw)
    _parts(value, 0, {})
    return _Unfolding(tensor).unfold(value, 0)


def _parts(value: Any, depth: int, known: dict[int, int]) -> int:
    """How many values there are in one, itself included; what stands in several places counts at each, and is looked at once.

    Raises:
        Refused: too many.
    """
    if depth > MOST_NESTED:
        raise Refused(f"values nested more than {MOST_NESTED} deep")
    if not isinstance(value, (dict, list, tuple)):
        return 1
    if id(value) not in known:
        inside = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_parts(item, depth + 1, known) for item in inside)
        if known[id(value)] > MOST_PARTS:
            raise Refused(f"more than {MOST_PARTS:,} values, or the same ones again and again")
    return known[id(value)]


class _Unfolding:
    """From what a pickle made to containers of Tensors."""

    def __init__(self, tensor: Callable[[np.ndarray], Any]) -> None:
        self.tensor = tensor

    def unfold(self, value: Any, depth: int) -> Any:
        if depth > MOST_NESTED:
            raise Refused(f"values nested more than {MOST_NESTED} deep")
        if isinstance(value, _Lying):
            return self.tensor(value.array())
        if isinstance(value, dict):
            return type(value)((key, self.unfold(item, depth + 1)) for key, item in value.items())
        if isinstance(value, (list, tuple)):
            return type(value)(self.unfold(item, depth + 1) for item in value)
        if isinstance(value, _Kind):
            return None if value.dtype is None else value.dtype.name
        if isinstance(value, PickledArray):
            return value.numbers().copy()
        if value is None or isinstance(value, (bool, int, float, str, bytes)):
            return value
        raise Refused("memory that is no tensor, or a name")


class _Pieces:
    """The pieces of memory that a pickle refers to."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.found: dict[Any, _Memory] = {}

    def __call__(self, reference: Any) -> _Memory:
        """The memory that a persistent id refers to, with a view into it where the old format has one."""
        if not isinstance(reference, tuple) or len(reference) not in (5, 6) or reference[0] != "storage":
            raise Refused("a reference to what is no memory")
        _, kind, key, _, count, *view = reference
        if not isinstance(kind, _Kind) or kind.dtype is None or type(key) is not str or type(count) is not int or count < 0:
            raise Refused("a reference to memory of an unknown kind")
        if view not in ([], [None]):
            raise Refused("views of memory, as PyTorch before 0.4 wrote them")
        memory = self.found.setdefault(key, _Memory(kind.dtype, count, self.order))
        if (memory.dtype, memory.count) != (kind.dtype, count):
            raise Refused(f"two sizes of the memory {shorten(key)}")
        return memory


def _from_zip(raw: bytes) -> Any:
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            return _from_archive(archive)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, OverflowError) as error:
        raise Refused(f"{shorten(error)}", damaged=True) from error


def _from_archive(archive: zipfile.ZipFile) -> Any:
    records = {info.filename: info for info in archive.infolist()}
    roots = [name[: -len("data.pkl")] for name in records if name.rpartition("/")[2] == "data.pkl"]
    if not roots:
        raise Refused("a zip archive without data.pkl")
    root = min(roots, key=len)

    def read(name: str, most: int | None = None) -> bytes:
        info = records.get(root + name)
        if info is None:
            raise Refused(f"no {shorten(name)} in it", damaged=True)
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise Refused(f"a {shorten(name)} that is compressed or locked, which torch.save never does")
        if most is not None and info.file_size > most:
            raise Refused(f"a {shorten(name)} of {info.file_size:,} bytes, where {most:,} would do")
        return archive.read(info)

    if any(name.startswith(f"{root}code/") or name == f"{root}constants.pkl" for name in records):
        raise Refused("a program of TorchScript")
    order = ORDERS.get(read("byteorder", 16).decode("latin1").strip() if f"{root}byteorder" in records else "little")
    if order is None:
        raise Refused("an unknown order of bytes")
    pieces = _Pieces(order)
    value, _ = _next(read("data.pkl", LARGEST_PICKLE), 0, pieces)
    for key, memory in pieces.found.items():
        memory.fill(read(f"data/{key}", memory.count * memory.dtype.itemsize))
    return value


def _next(raw: bytes, at: int, pieces: _Pieces | None = None) -> tuple[Any, int]:
    return unpickle(raw, at, most=MOST_WORDS, names=TABLE, persistent=pieces)


def _from_pickles(raw: bytes) -> Any:
    magic, at = _next(raw, 0)
    if magic != MAGIC:
        raise Refused("a pickle of something else, not of torch.save")
    version, at = _next(raw, at)
    system, at = _next(raw, at)
    if version != PROTOCOL or not isinstance(system, dict):
        raise Refused(f"version {shorten(version)} of the old format, of which {PROTOCOL} is known")
    order: Order = "<" if system.get("little_endian", True) else ">"
    pieces = _Pieces(order)
    value, at = _next(raw, at, pieces)
    keys, at = _next(raw, at)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(pieces.found):
        raise Refused("other memory than its tensors lie in", damaged=True)
    view = memoryview(raw)
    for key in keys:
        memory = pieces.found[key]
        count, begin = int.from_bytes(view[at : at + 8], "little" if order == "<" else "big", signed=True), at + 8
        if count != memory.count:
            raise Refused(f"cut short, or of two sizes: the memory {shorten(key)}", damaged=True)
        at = begin + count * memory.dtype.itemsize
        memory.fill(view[begin:at])
    return value
