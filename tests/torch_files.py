"""Files as ``torch.save`` writes them, put together byte by byte: whole ones, and ones that nobody should write."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
VERSION = b"\x80\x02M\xe9\x03."
SYSTEM = b"\x80\x02}" + b"X\x0d\x00\x00\x00little_endian" + b"\x88s."
KINDS = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long", "i4": "Int", "u1": "Byte", "b1": "Bool", "u2": "BFloat16"}


def text(words: str) -> bytes:
    """The instruction that pushes a text."""
    raw = words.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    """The instruction that pushes a whole number."""
    return b"\x8a\x08" + struct.pack("<q", value)


def sizes(values: Sequence[int]) -> bytes:
    """The instructions that push a tuple of whole numbers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def named(module: str, name: str) -> bytes:
    """The instruction that pushes what has a name."""
    return f"c{module}\n{name}\n".encode()


def tensor(
    key: str, kind: str, count: int, shape: Sequence[int], strides: Sequence[int], offset: int = 0, old: bool = False
) -> bytes:
    """The instructions that push a tensor in the memory ``key`` of so many numbers."""
    memory = b"(" + text("storage") + named("torch", f"{kind}Storage") + text(key) + text("cpu") + number(count)
    memory += (b"N" if old else b"") + b"tQ"
    rest = number(offset) + sizes(shape) + sizes(strides) + b"\x89" + named("collections", "OrderedDict") + b")R"
    return named("torch._utils", "_rebuild_tensor_v2") + b"(" + memory + rest + b"tR"


def program(values: Mapping[str, bytes]) -> bytes:
    """The pickle of a dict of values by name."""
    return b"\x80\x02}(" + b"".join(text(name) + value for name, value in values.items()) + b"u."


def strides_of(shape: Sequence[int]) -> list[int]:
    """Those of an array in C order, in numbers."""
    return [int(np.prod(shape[place + 1 :], dtype=np.int64)) for place in range(len(shape))]


def archive(pickled: bytes, memory: Mapping[str, bytes], method: int = zipfile.ZIP_STORED, **more: bytes) -> bytes:
    """A file of PyTorch since 1.6."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        made.writestr("archive/data.pkl", pickled)
        for name, content in more.items():
            made.writestr(f"archive/{name}", content)
        for key, content in memory.items():
            made.writestr(f"archive/data/{key}", content)
        made.writestr("archive/version", b"3\n")
    return file.getvalue()


def pickles(pickled: bytes, memory: Mapping[str, tuple[int, bytes]]) -> bytes:
    """A file of PyTorch before 1.6: of each piece of memory how many numbers it has, and its bytes."""
    keys = b"\x80\x02](" + b"".join(map(text, memory)) + b"e."
    return b"".join(
        [MAGIC, VERSION, SYSTEM, pickled, keys, *(struct.pack("<q", count) + raw for count, raw in memory.values())]
    )


def whole(arrays: Mapping[str, Any], form: str) -> bytes:
    """A file of arrays by name, in the ``zip`` or the ``old`` format."""
    values, memory = {}, {}
    for number_, (name, array) in enumerate(arrays.items()):
        key, kind = str(number_), KINDS[array.dtype.str[1:]]
        values[name] = tensor(key, kind, array.size, array.shape, strides_of(array.shape), old=form == "old")
        memory[key] = (array.size, array.tobytes())
    pickled = program(values)
    return pickles(pickled, memory) if form == "old" else archive(pickled, {key: raw for key, (_, raw) in memory.items()})
