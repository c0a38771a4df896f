"""A process of its own that reads an HDF5 file from its standard input, and writes what is in it to its standard output.

h5py stands on a library in C that a damaged file can bring down; ``hdf5_io.py`` starts this for each file. Refused by name
are links that are not to the file's own data, data kept in other files, virtual ones, kinds that are no numbers, and filters
other than deflate, shuffle and checksums, which libraries of others would be loaded for. Of what is compressed each chunk is
unpacked here, to its declared size and no further, and all data together may be ``SWELL`` times as large as the file: what
declares more is refused before memory is taken.
"""

from __future__ import annotations

import io
import json
import math
import sys
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.interop.pickles import Refused

SWELL = 20  # times its size, by which a file may grow when it is unpacked,
FREE = 1 << 20  # beyond a few bytes
MOST_OBJECTS, MOST_NESTED = 100_000, 64
LONGEST = 64 << 20  # bytes of a text
DEFLATE, SHUFFLE, CHECKSUM = 1, 2, 3  # numbers of filters
SHOWN = 80  # letters of a name, in an error
ROOM = 512 << 20  # bytes that the libraries may take
TEXT = "model_config"  # the attribute that is read


class Hdf5:
    """An HDF5 file that lies in memory.

    Args:
        raw: its bytes.

    Raises:
        Refused: it is none, or is damaged.
    """

    def __init__(self, raw: bytes) -> None:
        import h5py

        self.h5py, self.size = h5py, len(raw)
        self.budget = SWELL * len(raw) + FREE
        self.file = _trying(lambda: self.h5py.File(io.BytesIO(raw), "r"))

    def arrays(self) -> dict[str, np.ndarray]:
        """All data, by their paths.

        Raises:
            Refused: there is more than numbers in it, or it is damaged.
        """
        return _trying(self._arrays)

    def text(self, name: str) -> str | None:
        """The text that is kept as an attribute of the file; ``None`` where there is none.

        Raises:
            Refused: it is none.
        """
        return _trying(lambda: self._text(name))

    def _text(self, name: str) -> str | None:
        if name not in self.file.attrs:
            return None
        kept = self.file.attrs.get_id(name)
        if kept.shape != () or kept.get_storage_size() > min(LONGEST, self.size):
            raise Refused(f"an attribute {name} that is no text, or too long")
        if self.h5py.check_string_dtype(kept.dtype) is None:
            raise Refused(f"an attribute {name} that is no text")
        value = self.file.attrs[name]
        return value.decode("utf-8") if isinstance(value, bytes) else str(value)

    def _arrays(self) -> dict[str, np.ndarray]:
        h5py, found = self.h5py, {}
        left, groups = MOST_OBJECTS, deque([(self.file["/"], "", 0)])
        while groups:
            group, path, depth = groups.popleft()
            if depth > MOST_NESTED:
                raise Refused(f"groups nested more than {MOST_NESTED} deep")
            for name in group:
                left -= 1
                if left < 0:
                    raise Refused(f"more than {MOST_OBJECTS:,} data")
                inner = f"{path}{name}"
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise Refused(f"{_short(inner)}, a link to elsewhere")
                item = group[name]
                if isinstance(item, h5py.Group):
                    groups.append((item, f"{inner}/", depth + 1))
                elif isinstance(item, h5py.Dataset):
                    found[inner] = self._array(inner, item)
                else:
                    raise Refused(f"{_short(inner)}, which is no data")
        return found

    def _array(self, path: str, data: Any) -> np.ndarray:
        name, dtype, shape = _short(path), data.dtype, data.shape
        if shape is None or dtype.kind not in "fiub" or dtype.itemsize > 8 or dtype.hasobject:
            raise Refused(f"{name}, which is no array of numbers ({dtype})")
        if data.is_virtual or data.external:
            raise Refused(f"{name}, whose numbers are kept in another file")
        size = math.prod(shape) * dtype.itemsize
        there = data.id.get_storage_size()
        self.budget -= size
        if self.budget < 0 or there > self.size or (data.chunks is None and size > there):
            raise Refused(f"{name}, which declares {size:,} bytes, in a file of {self.size:,}")
        if data.chunks is None:
            array = np.empty(shape, dtype)
            if size:
                data.read_direct(array)
            return array
        return self._unpacked(name, data, size)

    def _unpacked(self, name: str, data: Any, size: int) -> np.ndarray:
        """What lies in chunks, each unpacked here."""
        plan = data.id.get_create_plist()
        filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
        if others := [code for code in filters if code not in (DEFLATE, SHUFFLE, CHECKSUM)]:
            raise Refused(f"{name}, packed by the filter {others[0]}, of which deflate, shuffle and checksums are known")
        dtype, chunk = data.dtype, data.chunks
        whole = math.prod(chunk) * dtype.itemsize
        if whole > self.size * SWELL + FREE:
            raise Refused(f"{name}, whose chunks are of {whole:,} bytes each, in a file of {self.size:,}")
        count = data.id.get_num_chunks()
        if count > math.prod(-(-length // step) for length, step in zip(data.shape, chunk)):
            raise Refused(f"{name}, which has more chunks than numbers", damaged=True)
        fill = np.zeros((), dtype)
        plan.get_fill_value(fill)
        array = np.full(data.shape, fill, dtype)
        for number in range(count):
            place = data.id.get_chunk_info(number)
            if place.size > self.size:
                raise Refused(f"{name}, with a chunk of {place.size:,} bytes, in a file of {self.size:,}")
            mask, packed = data.id.read_direct_chunk(place.chunk_offset)
            kept = [code for at, code in enumerate(filters) if not mask >> at & 1]
            part = np.frombuffer(unpacked(packed, kept, dtype.itemsize, whole), dtype).reshape(chunk)
            inside = tuple(slice(start, start + step) for start, step in zip(place.chunk_offset, chunk))
            target = array[inside]
            target[...] = part[tuple(slice(0, length) for length in target.shape)]
        return array


def unpacked(packed: bytes, filters: list[int], width: int, size: int) -> bytes:
    """A chunk's bytes, as they were before filters packed them.

    Args:
        packed: what the file has.
        filters: their numbers, in the order in which they packed.
        width: bytes of a number.
        size: of the chunk, in bytes.

    Raises:
        Refused: it is of another size, or a checksum differs.

    Example:
        >>> unpacked(zlib.compress(b"abcABC"), [SHUFFLE, DEFLATE], 2, 6)
        b'aAbBcC'
    """
    for code in reversed(filters):
        if code == CHECKSUM:
            if len(packed) < 4 or fletcher32(packed[:-4]) != int.from_bytes(packed[-4:], "little"):
                raise Refused("a chunk whose checksum differs", damaged=True)
            packed = packed[:-4]
        elif code == DEFLATE:
            inflate = zlib.decompressobj()
            packed = inflate.decompress(packed, size + 5)  # a checksum may follow; more is too much
        elif code == SHUFFLE:
            whole = len(packed) // width * width
            turned = np.frombuffer(packed[:whole], np.uint8).reshape(width, -1).T.tobytes()
            packed = turned + packed[whole:]
    if len(packed) != size:
        raise Refused(f"a chunk of another size than {size:,} bytes", damaged=True)
    return packed


def fletcher32(data: bytes) -> int:
    """The checksum of HDF5: Fletcher's of 16-bit words, the higher byte first (Fletcher 1982), a last odd byte as a high one.

    Example:
        >>> hex(fletcher32(b"abcde"))
        '0x4ff029c7'
    """
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2").astype(np.int64)
    if not words.any():
        return 0
    times = np.arange(len(words), 0, -1) % 65535
    first, second = int(words.sum()) % 65535, int((words * times % 65535).sum()) % 65535
    return (second or 65535) << 16 | (first or 65535)


def _short(path: str) -> str:
    return path if len(path) <= SHOWN else f"...{path[-SHOWN:]}"


def _trying(read: Callable[[], Any]) -> Any:
    """What a reader finds; what a damaged file brings h5py to is one error."""
    try:
        return read()
    except Refused:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, UnicodeError, zlib.error) as error:
        raise Refused(f"{str(error)[:SHOWN]}", damaged=True) from error


def limit_memory(size: int) -> None:
    """Let this process take no more memory than reading a file of ``size`` bytes may, where the system can hold it to that."""
    try:
        import resource

        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        most = now + ROOM + 3 * (SWELL * size + FREE)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (ImportError, OSError, ValueError):
        pass


def answer(raw: bytes) -> bytes:
    """What is written of a file: 8 bytes of length, a JSON text that says what there is, and the numbers of all arrays."""
    arrays: dict[str, np.ndarray] = {}
    try:
        file = Hdf5(raw)
        text = file.text(TEXT)
        arrays = file.arrays()
        told: dict[str, Any] = {
            "arrays": [(path, array.dtype.newbyteorder("=").str, array.shape) for path, array in arrays.items()],
            "text": text,
        }
    except Refused as error:
        told = {"refused": str(error), "damaged": error.damaged}
    except MemoryError:
        told = {"refused": "more than memory is given for", "damaged": False}
    numbers = [array.astype(array.dtype.newbyteorder("="), order="C", copy=False).tobytes() for array in arrays.values()]
    return _written(told, numbers)


def _written(told: dict[str, Any], numbers: Sequence[bytes] = ()) -> bytes:
    head = json.dumps(told).encode()
    return b"".join([len(head).to_bytes(8, "little"), head, *numbers])


def main() -> None:
    """Read, and write."""
    raw = sys.stdin.buffer.read()
    try:
        import h5py  # noqa: F401  before the limit
    except Exception as error:  # a library of another version, or made for another NumPy
        out = _written({"library": f"{type(error).__name__}: {error}"[: 2 * SHOWN]})
    else:
        limit_memory(len(raw))
        out = answer(raw)
    sys.stdout.buffer.write(out)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
