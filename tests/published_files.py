"""Small files in the forms in which MNIST and CIFAR-10 are published, made without the code that reads them."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np

ROWS = 3  # images in a batch
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def random_bytes(shape: tuple[int, ...], seed: int, below: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, below, shape, np.uint8)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx_arrays(train: int = 7, test: int = 4, height: int = 5, width: int = 6) -> dict[str, np.ndarray]:
    return {
        IDX[0]: random_bytes((train, height, width), 0),
        IDX[1]: random_bytes((train,), 1, 10),
        IDX[2]: random_bytes((test, height, width), 2),
        IDX[3]: random_bytes((test,), 3, 10),
    }


def write_idx(folder: Path, arrays: dict[str, np.ndarray], packed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = idx(array)
        (folder / f"{name}{'.gz' if packed else ''}").write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return folder


def cifar_arrays(rows: int = ROWS) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pixels (rows, 3072) and labels of each batch."""
    return {
        name: (random_bytes((rows, 3072), 10 + number), random_bytes((rows,), 20 + number, 10))
        for number, name in enumerate(BATCHES)
    }


def binary_batch(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    return np.concatenate([labels[:, None], pixels], axis=1).tobytes()


def python2_batch(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    """The instructions that Python 2's cPickle writes at protocol 2 for the published dictionary."""
    out = b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05("
    out += b"".join(b"K" + bytes([label]) for label in labels.tolist())
    out += b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85q\tU\x01bq\n\x87Rq\x0b"
    out += b"(K\x01M" + struct.pack("<H", len(pixels)) + b"M\x00\x0c\x86cnumpy\ndtype\nq\x0cU\x02u1K\x00K\x01\x87Rq\r"
    out += b"(K\x03U\x01|q\x0eNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<I", pixels.size)
    out += pixels.tobytes() + b"tbU\tfilenamesq\x0f]q\x10("
    out += b"".join(b"U\x05%d.pngr" % (row % 10) + struct.pack("<I", 300 + row) for row in range(len(pixels)))
    return out + b"eu."


def batch_files(arrays: dict[str, tuple[np.ndarray, np.ndarray]], form: str) -> dict[str, bytes]:
    """The published files of one form, ``"bin"`` or ``"py"``, by name."""
    make, end = (binary_batch, ".bin") if form == "bin" else (python2_batch, "")
    files = {f"{name}{end}": make(*batch) for name, batch in arrays.items()}
    return {"readme.html": b"<html></html>", "batches.meta" + (".txt" if end else ""): b"airplane\n", **files}


def write_batches(folder: Path, arrays: dict[str, tuple[np.ndarray, np.ndarray]], form: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in batch_files(arrays, form).items():
        (folder / name).write_bytes(content)
    return folder


def archive(members: list[tuple[tarfile.TarInfo | str, bytes]]) -> bytes:
    """A tar of files by name, or of headers that a test has made itself."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            if info.isreg():
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return out.getvalue()


def cifar_archive(arrays: dict[str, tuple[np.ndarray, np.ndarray]], form: str) -> bytes:
    """The published archive: its members out of order, in a folder of their own."""
    files = batch_files(arrays, form)
    names = sorted(files, key=lambda name: name[::-1])
    return gzip.compress(archive([(f"cifar-10-batches-{form}/{name}", files[name]) for name in names]), mtime=0)
