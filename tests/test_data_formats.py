"""Readers of MNIST's idx files and CIFAR-10's batches and archives: what they give, and what they refuse in words."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minigrad.data import formats
from minigrad.errors import DataError
from tests import published_files as made

ARRAYS = made.cifar_arrays()
ONE_PIXEL = struct.pack(">BBBBI", 0, 0, 8, 1, 1) + b"\7"


def written(folder: Path, content: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal_of_idx(folder: Path, content: bytes, dims: int = 1) -> DataError:
    path = written(folder, content)
    with pytest.raises(DataError) as caught:
        formats.read_idx(path, dims)
    assert (caught.value.where, caught.value.argument) == ("data", str(path))
    return caught.value


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("shape", [(5,), (4, 3, 2)])
def test_idx(packed: bool, shape: tuple[int, ...], tmp_path: Path) -> None:
    array = made.random_bytes(shape, 5)
    content = made.idx(array)
    path = written(tmp_path, gzip.compress(content) if packed else content)
    assert np.array_equal(formats.read_idx(path, len(shape)), array)


@pytest.mark.parametrize(
    ("content", "expected", "got"),
    [
        (b"", "an idx file of bytes in 1 dimension, which begins with 00000801", "begins with nothing"),
        (b"\0\0\x08", "which begins with 00000801", "begins with 000008"),
        (b"\x89PNG....", "which begins with 00000801", "begins with 89504e47"),
        (made.idx(np.zeros((2, 2, 2), np.uint8)), "in 1 dimension,", "begins with 00000803"),
        (b"\0\0\x0d\1" + ONE_PIXEL[4:], "idx file of bytes", "begins with 00000d01"),
        (ONE_PIXEL[:6], "a whole file", "cut short"),
        (ONE_PIXEL[:-1], "1 bytes, as its shape (1,) states", "got 0."),
        (ONE_PIXEL + b"\0", "1 bytes, as its shape (1,) states", "got more"),
        (struct.pack(">BBBBI", 0, 0, 8, 1, 0), "at least one entry", "the shape (0,)"),
        (struct.pack(">BBBBI", 0, 0, 8, 1, 2**32 - 1) + b"\7", "4294967295 bytes", "a file of 9 bytes"),
        (gzip.compress(ONE_PIXEL, mtime=0)[:-9], "a whole file", "cut short"),
        (gzip.compress(ONE_PIXEL, mtime=0)[:-8] + bytes(8), "a whole file", "a damaged one (CRC check failed"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\3\xff\xff\xff", "a whole file", "a damaged one (Error -3"),
        (b"\x1f\x8b\x07", "a whole file", "cut short"),
    ],
)
def test_idx_that_is_none(content: bytes, expected: str, got: str, tmp_path: Path) -> None:
    error = refusal_of_idx(tmp_path, content)
    assert expected in error.expected
    assert got in str(error)
    assert error.remedy


def test_a_gzip_bomb_of_an_idx_is_read_no_further_than_it_states(tmp_path: Path) -> None:
    bomb = gzip.compress(ONE_PIXEL + bytes(1 << 26))
    assert refusal_of_idx(tmp_path, bomb).got == "more"
    vast = struct.pack(">BBBB3I", 0, 0, 8, 3, *(2**32 - 1,) * 3)
    assert "a file of" in refusal_of_idx(tmp_path, gzip.compress(vast + bytes(1 << 20)), 3).got


def test_places_that_are_no_files(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # opening it would wait for a writer
    for path, got in ((tmp_path / "nowhere", "none"), (tmp_path, "a folder or device"), (pipe, "a folder or device")):
        with pytest.raises(DataError, match=f"expected a file, got {got}"):
            formats.read_idx(path, 1)


def test_a_file_that_must_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, ONE_PIXEL)
    monkeypatch.setattr(formats, "open", refuse, raising=False)
    with pytest.raises(DataError, match=r"a readable file or folder, got Permission denied\. Mend its name or permissions"):
        formats.read_idx(path, 1)


def test_idx_images(tmp_path: Path) -> None:
    arrays = made.idx_arrays()
    folder = made.write_idx(tmp_path, arrays)
    images, labels = formats.read_idx_images(folder / f"{made.IDX[0]}.gz", folder / f"{made.IDX[1]}.gz")
    assert (images.dtype, images.shape, labels.dtype) == (np.uint8, (7, 1, 5, 6), np.int64)
    assert np.array_equal(images[:, 0], arrays[made.IDX[0]]) and np.array_equal(labels, arrays[made.IDX[1]])


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([1, 2], r"labels: expected 3 labels, one for each image of images, got 2\. Take both files from one data set"),
        ([9, 10, 3], r"labels: expected labels from 0 to 9, got 10 in row 1\. "),
        ([0, 200, 11], r"labels: expected labels from 0 to 9, got 200 in row 1 \(and 1 more rows out of range\)\. "),
    ],
)
def test_labels_that_do_not_fit(labels: list[int], words: str, tmp_path: Path) -> None:
    images = written(tmp_path, made.idx(np.zeros((3, 2, 2), np.uint8)), "images")
    with pytest.raises(DataError, match=words):
        formats.read_idx_images(images, written(tmp_path, made.idx(np.array(labels, np.uint8)), "labels"))


def test_batches() -> None:
    for make, read in ((made.binary_batch, formats.binary_batch), (made.python2_batch, formats.pickled_batch)):
        pixels, numbers = ARRAYS["data_batch_1"]
        images, labels = read(make(pixels, numbers), "batch")
        assert (images.dtype, images.shape, labels.dtype) == (np.uint8, (made.ROWS, 3, 32, 32), np.int64)
        assert np.array_equal(labels, numbers)
        for row, channel, y, x in ((0, 0, 0, 0), (1, 2, 31, 30), (2, 1, 7, 19)):
            assert images[row, channel, y, x] == pixels[row, 1024 * channel + 32 * y + x]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"expected records of 3073 bytes, got 0 of them and 0 bytes"),
        (bytes(3072), r"got 0 of them and 3072 bytes"),
        (bytes(2 * 3073 + 5), r"got 2 of them and 5 bytes"),
        (bytes(3073) + b"\x0a" + bytes(3072), r"labels from 0 to 9, got 10 in row 1"),
    ],
)
def test_binary_batches_that_are_none(content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=f"data: data_batch_3.bin: .*{words}"):
        formats.binary_batch(content, "data_batch_3.bin")


def expect(split: formats.Split) -> None:
    train_images, train_labels, test_images, test_labels = split
    pixels = np.concatenate([ARRAYS[name][0] for name in made.BATCHES])
    labels = np.concatenate([ARRAYS[name][1] for name in made.BATCHES])
    assert np.array_equal(np.concatenate([train_images, test_images]).reshape(-1, 3072), pixels)
    assert np.array_equal(np.concatenate([train_labels, test_labels]), labels)
    assert len(train_labels) == 5 * made.ROWS and len(test_labels) == made.ROWS
    assert train_images.flags.writeable and test_images.flags.writeable and train_images.flags.c_contiguous


@pytest.mark.parametrize("form", ["bin", "py"])
def test_cifar10_in_a_folder_and_in_its_archive(form: str, tmp_path: Path) -> None:
    expect(formats.read_cifar10_folder(made.write_batches(tmp_path / "folder", ARRAYS, form)))
    packed = made.cifar_archive(ARRAYS, form)
    expect(formats.read_cifar10_archive(written(tmp_path, packed)))
    expect(formats.read_cifar10_archive(written(tmp_path, gzip.decompress(packed))))
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]  # nothing was unpacked


def without(*names: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {name: batch for name, batch in ARRAYS.items() if name not in names}


def test_batches_that_do_not_fit_together(tmp_path: Path) -> None:
    folder = made.write_batches(tmp_path / "a", without("data_batch_2", "test_batch"), "bin")
    with pytest.raises(DataError, match=r"got no data_batch_2, test_batch\. Unpack the whole archive"):
        formats.read_cifar10_folder(folder)
    shorter = {**ARRAYS, "data_batch_4": (ARRAYS["data_batch_4"][0][:2], ARRAYS["data_batch_4"][1][:2])}
    folder = made.write_batches(tmp_path / "b", shorter, "bin")
    with pytest.raises(DataError, match=r"data_batch_4\.bin: expected 3 images, as in data_batch_1, got 2"):
        formats.read_cifar10_folder(folder)
    with open(folder / "data_batch_1.bin", "wb") as file:
        file.truncate(1 << 30)  # sparse: no byte of it is on the disk
    with pytest.raises(DataError, match=r"data_batch_1\.bin: expected a batch of at most 67108864 bytes, got more"):
        formats.read_cifar10_folder(folder)


def link(kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def huge() -> bytes:
    """An archive whose one member says that it has 2^40 bytes."""
    info = tarfile.TarInfo("data_batch_1.bin")
    info.size = 1 << 40
    return info.tobuf()


GOOD = [(f"x/{name}", content) for name, content in made.batch_files(ARRAYS, "bin").items()]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (made.archive([(link(tarfile.SYMTYPE), b"")]), r"a plain file, got a link, folder or device\. Do not unpack this"),
        (made.archive([(link(tarfile.LNKTYPE), b"")]), r"a plain file, got a link, folder or device"),
        (made.archive([(link(tarfile.DIRTYPE), b"")]), r"a plain file, got a link, folder or device"),
        (made.archive([(link(tarfile.FIFOTYPE), b"")]), r"a plain file, got a link, folder or device"),
        (huge(), r"a batch of at most 67108864 bytes, got 1099511627776"),
        (made.archive([*GOOD, GOOD[-1]]), r"one test_batch, got .*test_batch\.bin as well"),
        (made.archive([*GOOD, ("y/test_batch", b"")]), r"one test_batch, got .*test_batch\.bin as well"),
        (made.archive([("x/cat.png", b"...")]), r"all of data_batch_1, .*test_batch, got none of them\. Choose"),
        (made.archive(GOOD)[:20_000], r"a whole file, got a damaged one \(unexpected end of data"),
        (gzip.compress(made.archive(GOOD), mtime=0)[:20_000], r"a whole file, got one that is cut short"),
        (gzip.compress(made.archive(GOOD), mtime=0)[:-8] + bytes(8), r"a whole file, got a damaged one \(CRC check failed"),
        (b"no archive at all" * 100, r"a whole file, got a damaged one \(invalid header"),
        (b"", r"a whole file, got a damaged one \(empty file"),
    ],
)
def test_archives_that_are_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, content, "cifar-10-binary.tar.gz")
    with pytest.raises(DataError, match=f"data: .*cifar-10-binary.tar.gz.*: expected .*{words}"):
        formats.read_cifar10_archive(path)
    assert os.listdir(tmp_path) == [path.name]


def test_a_name_that_climbs_out_is_only_read(tmp_path: Path) -> None:
    climbing = [(f"../../{name}", content) for name, content in made.batch_files(ARRAYS, "bin").items()]
    expect(formats.read_cifar10_archive(written(tmp_path, made.archive(climbing))))
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("where", ["member", "tail"])
def test_an_archive_that_unpacks_to_too_much(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_MOST_ARCHIVE", 1 << 20)
    zeros = bytes(1 << 21)
    plain = made.archive([("padding", zeros), *GOOD]) if where == "member" else made.archive(GOOD) + zeros
    with pytest.raises(DataError, match="an archive of at most 1048576 bytes, got more when it is unpacked"):
        formats.read_cifar10_archive(written(tmp_path, gzip.compress(plain)))


ONE_ROW = made.cifar_arrays(1)
FILES = {
    "idx": made.idx(made.random_bytes((9,), 1, 10)),
    "idx.gz": gzip.compress(made.idx(made.random_bytes((9,), 1, 10)), mtime=0),
    "bin": made.binary_batch(*ONE_ROW["test_batch"]),
    "pickle": made.python2_batch(*ONE_ROW["test_batch"]),
    "tar": gzip.decompress(made.cifar_archive(ONE_ROW, "bin")),
    "tar.gz": made.cifar_archive(ONE_ROW, "py"),
}


def read_as(form: str, content: bytes, folder: Path) -> None:
    if form == "bin":
        formats.binary_batch(content, "batch")
    elif form == "pickle":
        formats.pickled_batch(content, "batch")
    elif form.startswith("idx"):
        formats.read_idx(written(folder, content), 1)
    else:
        formats.read_cifar10_archive(written(folder, content))


@pytest.mark.parametrize("form", FILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_is_refused_or_read_but_never_a_crash(form: str, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(FILES[form])
    read_as(form, bytes(content), tmp_path)
    early = st.integers(0, min(len(content), 600) - 1)  # headers are where damage does most
    for place in data.draw(st.lists(st.one_of(early, st.integers(0, len(content) - 1)), max_size=4)):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    size = data.draw(st.one_of(st.just(len(content)), early, st.integers(0, len(content))))
    try:
        read_as(form, bytes(content[:size]), tmp_path)
    except DataError as error:
        assert error.expected and error.got and error.remedy


@pytest.mark.parametrize("form", FILES)
def test_every_cut_is_noticed(form: str, tmp_path: Path) -> None:
    content = FILES[form]
    noticed = content.rstrip(b"\0") if form == "tar" else content  # the zeros at the end of a tar may be missing
    for size in sorted({*range(0, len(noticed), max(1, len(noticed) // 40)), len(noticed) - 1}):
        with pytest.raises(DataError):
            read_as(form, content[:size], tmp_path)


def test_a_tar_header_that_asks_for_all_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("long name")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    content = io.BytesIO(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)).getvalue()
    with pytest.raises(DataError):
        formats.read_cifar10_archive(written(tmp_path, content))
