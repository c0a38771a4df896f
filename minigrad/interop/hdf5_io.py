"""HDF5 files, as Keras keeps weights in: tensors by their paths, and nothing that a file could do beyond that.

They are read by h5py in a process of its own, see ``hdf5_apart.py``, as a damaged file can bring down the library that it
stands on: that is an error here, and no more.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import FileFormatError
from minigrad.interop.pickles import Refused

MAGIC = b"\x89HDF\r\n\x1a\n"
SECONDS, SPEED = 60, 1 << 20  # that reading may take, and one more for so many bytes
READER = "minigrad.interop.hdf5_apart"


class Contents(NamedTuple):
    """What an HDF5 file holds: arrays by their paths, and the text of Keras' that describes a network, where there is one."""

    arrays: dict[str, np.ndarray]
    text: str | None


def is_hdf5(raw: bytes) -> bool:
    """Whether bytes are those of an HDF5 file.

    Example:
        >>> is_hdf5(MAGIC), is_hdf5(b"PK")
        (True, False)
    """
    return raw.startswith(MAGIC)


def contents(raw: bytes) -> Contents:
    """What an HDF5 file holds.

    Args:
        raw: the bytes of the file.

    Raises:
        Refused: it is damaged, or holds more than numbers.
        FileFormatError: h5py is not installed, or cannot be loaded.
    """
    library, remedy = "the library h5py, which reads HDF5 files", "Run pip install 'minigrad-engine[hdf5]'"
    if importlib.util.find_spec("h5py") is None:
        raise FileFormatError("load", "h5py", library, "none", remedy)
    code, out = apart(raw)
    size = int.from_bytes(out[:8], "little")
    if code or len(out) < 8 + size:
        raise Refused(f"it brought its reader down, with {code}", damaged=True)
    told = json.loads(out[8 : 8 + size])
    if "library" in told:
        got, remedy = f"one that cannot be loaded ({told['library']})", "Run pip install --force-reinstall h5py"
        raise FileFormatError("load", "h5py", library, got, remedy)
    if "refused" in told:
        raise Refused(told["refused"], damaged=told["damaged"])
    found, at = {}, 8 + size
    for path, kind, shape in told["arrays"]:
        count = math.prod(shape)
        found[path] = np.frombuffer(out, kind, count, at).reshape(shape).copy()
        at += count * found[path].itemsize
    return Contents(found, told["text"])


def apart(raw: bytes) -> tuple[int, bytes]:
    """Run the reader on a file.

    Returns:
        its exit code, and what it wrote.

    Raises:
        Refused: it does not come to an end.
    """
    # What this process imports from, and not the folder it is in: a file json.py that lies beside the weights is not run.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-P", "-m", READER]
    limit = SECONDS + len(raw) / SPEED
    try:
        done = subprocess.run(command, input=raw, capture_output=True, timeout=limit, check=False, env=environment)
    except subprocess.TimeoutExpired as error:
        raise Refused(f"it takes longer than {SECONDS} seconds to read", damaged=True) from error
    return done.returncode, done.stdout


def read_hdf5(raw: bytes, tensor: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    """All data of an HDF5 file as Tensors, by their paths.

    Args:
        raw: the bytes of the file.
        tensor: makes a Tensor of an array.

    Raises:
        Refused, FileFormatError: as of ``contents``.
    """
    return {path: tensor(array) for path, array in contents(raw).arrays.items()}
