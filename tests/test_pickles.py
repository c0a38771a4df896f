"""Plain values out of pickles: what Python's own pickle wrote comes back, and nothing that a file asks for is run."""

from __future__ import annotations

import os
import pickle
import pickletools
import struct
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minigrad.data import formats
from minigrad.errors import DataError
from minigrad.interop.pickles import PickledArray, read_pickle
from tests import published_files as made

PIXELS, LABELS = made.cifar_arrays()["data_batch_1"]


@settings(max_examples=80, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8) | st.floats(allow_nan=False),
        lambda inner: (
            st.lists(inner, max_size=5)
            | st.dictionaries(st.text(max_size=4), inner, max_size=4)
            | st.lists(inner, max_size=5).map(tuple)
        ),
        max_leaves=20,
    ),
    st.integers(2, pickle.HIGHEST_PROTOCOL),
)
def test_plain_values_come_back(value: Any, protocol: int) -> None:
    assert read_pickle(pickle.dumps(value, protocol), "here") == value


@pytest.mark.parametrize("protocol", [1, 2, 3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(protocol: int, order: Any) -> None:
    array = np.asarray(made.random_bytes((3, 5), 0), order=order)
    back = read_pickle(pickle.dumps({"data": array}, protocol), "here")["data"]
    assert isinstance(back, PickledArray)
    assert np.array_equal(back.bytes_of(None, 5), array)


def test_a_batch_of_python_2_is_what_pythons_own_pickle_makes_of_it() -> None:
    content = made.python2_batch(PIXELS, LABELS)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # NumPy's, for the name of long ago
        theirs = pickle.loads(content, encoding="bytes")
    assert np.array_equal(theirs[b"data"], PIXELS) and theirs[b"labels"] == LABELS.tolist()
    assert theirs[b"filenames"] == [b"0.png", b"1.png", b"2.png"]
    images, labels = formats.pickled_batch(content, "data_batch_1")
    assert np.array_equal(images.reshape(-1, 3072), PIXELS) and np.array_equal(labels, LABELS)


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("kind", [str, bytes])
def test_a_batch_that_was_pickled_anew(kind: type, protocol: int) -> None:
    batch = {"data": PIXELS, "labels": LABELS.tolist(), "filenames": ["a.png"] * 3}
    again = {key.encode() if kind is bytes else key: value for key, value in batch.items()}
    images, labels = formats.pickled_batch(pickle.dumps(again, protocol), "data_batch_1")
    assert np.array_equal(images.reshape(-1, 3072), PIXELS) and np.array_equal(labels, LABELS)


class Runs:
    """A pickle of this one runs a command when Python's own pickle opens it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_runs_a_command(protocol: int, tmp_path: Path) -> None:
    content = pickle.dumps({"data": Runs(tmp_path / "made"), "labels": [1]}, protocol)
    with pytest.raises(DataError, match=r"a pickle of numbers, text and arrays only, got a reference to '\w+\.mkdir'\. Do not"):
        formats.pickled_batch(content, "data_batch_1")
    assert os.listdir(tmp_path) == []
    pickle.loads(content)
    assert os.listdir(tmp_path) == ["made"]  # the pickle was a hostile one


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
LARGE_MEMO = b"\x80\x02}r" + struct.pack("<I", 2**32 - 1) + b"0."
NESTED = b"\x80\x02}" + b")" + b"\x85" * 100_000 + b"K\x01s."  # Python's own pickle hashes the key and falls off the stack


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"\x80\x02cbuiltins\neval\n.", "a reference to 'builtins.eval'"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "a reference to 'os.system'"),
        (b"\x80\x02cnumpy\nload\n.", "a reference to 'numpy.load'"),
        (b"\x80\x02(ios\nsystem\n.", "the instruction INST at byte 3"),
        (b"\x80\x02P1\n.", "the instruction PERSID at byte 2"),
        (b"\x80\x02\x82\x01.", "the instruction EXT1 at byte 2"),
        (b"\x80\x05\x96" + struct.pack("<Q", 3) + b"abc.", "the instruction BYTEARRAY8 at byte 2"),
        (b"\x80\x02" + RECONSTRUCT + b")\x81.", "the instruction NEWOBJ"),
        (b"\x80\x02K\x01)R.", "a call of something unknown"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "a call of ndarray that arrays do not need"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8\x86R.", "a call of encode that arrays do not"),
        (b"\x80\x02" + RECONSTRUCT + b"}b.", "a state for something other than an array"),
        (LARGE_MEMO, "the instruction POP at byte 8"),
        (NESTED, "a key that is tuple, not text"),
        (b"\x80\x02" + b"]" * (1 << 18) + b".", "more than 262144 instructions"),
        (b"\x80\x02h\x07.", "a damaged one (7)"),
        (b"\x80\x02", "a damaged one"),
        (b"", "a damaged one"),
    ],
)
def test_hostile_pickles(content: bytes, got: str) -> None:
    with pytest.raises(DataError, match=r"data: evil: expected a (whole )?pickle") as caught:
        read_pickle(content, "evil")
    assert got in caught.value.got
    assert caught.value.remedy


def test_text_that_is_encoded_again_and_again_takes_no_memory() -> None:
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20)
    again = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    content = b"\x80\x02](" + text + b"q\x00" + again * 1000 + b"e."
    tracemalloc.start()
    with pytest.raises(DataError, match="more encoded text than the file has"):
        read_pickle(content, "evil")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ([1, 2], "a dictionary with data and labels, got a list without them"),
        ({"data": PIXELS}, "a dictionary with data and labels, got a dict without them"),
        ({"data": [1], "labels": [1]}, r"data as bytes of shape \(N, 3072\), got a list"),
        (
            {"data": PIXELS.astype(np.int16), "labels": [1]},
            r"data as bytes of shape \(N, 3072\), got an array that is not of bytes",
        ),
        ({"data": np.array([None]), "labels": [1]}, r"got an array that is not of bytes"),
        ({"data": PIXELS[:, :-1], "labels": [1, 2, 3]}, r"got an array of shape \(3, 3071\)"),
        ({"data": PIXELS[0], "labels": [1]}, r"got an array of shape \(3072,\)"),
        ({"data": PIXELS, "labels": (1, 2, 3)}, "labels as a list of integers, got a tuple"),
        ({"data": PIXELS, "labels": [1, 2, True]}, "labels as a list of integers, got a list of something else"),
        ({"data": PIXELS, "labels": [1, 2]}, "3 labels, one for each image, got 2"),
        ({"data": PIXELS[:0], "labels": []}, "some labels, one for each image, got 0"),
        ({"data": PIXELS, "labels": [1, 2, 10]}, "labels from 0 to 9, got 10 in row 2"),
        ({"data": PIXELS, "labels": [1, -1, 2]}, "labels from 0 to 9, got -1 in row 1"),
        ({"data": PIXELS, "labels": [1, 2**80, 2]}, "labels from 0 to 9, got one of 81 bits in row 1"),
    ],
)
def test_pickles_that_are_no_batch(batch: Any, words: str) -> None:
    with pytest.raises(DataError, match=f"data: data_batch_1: expected .*{words}"):
        formats.pickled_batch(pickle.dumps(batch, 3), "data_batch_1")


@pytest.mark.parametrize(
    ("before", "after", "got"),
    [
        (
            struct.pack("<I", PIXELS.size) + PIXELS.tobytes(),
            struct.pack("<I", 2) + b"ab",
            "contents that do not fill the shape",
        ),
        (b"M\x00\x0c\x86", b"M\x00\x0c\x85", "a damaged one|an array without"),
        (b"U\x02u1", b"U\x02O8", "an array that is not of bytes"),
        (b"tbU\x09", b"t0U\x09", "POP"),
    ],
)
def test_an_array_with_another_state(before: bytes, after: bytes, got: str) -> None:
    content = made.python2_batch(PIXELS, LABELS)
    assert content.count(before) == 1
    with pytest.raises(DataError, match=got):
        formats.pickled_batch(content.replace(before, after), "data_batch_1")


def test_an_array_whose_state_never_came() -> None:
    with pytest.raises(ValueError, match="an array without its contents"):
        PickledArray().bytes_of(None, 3)


CODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]


@settings(max_examples=300, deadline=None)
@example([b"c", b"\\", b"c\n\n"])  # an escape that is none: Python warns of it
@given(st.lists(st.one_of(st.sampled_from(CODES), st.binary(max_size=5), st.just(RECONSTRUCT)), max_size=30))
def test_any_instructions_in_any_order_are_refused_or_read(parts: list[bytes]) -> None:
    try:
        read_pickle(b"\x80\x02" + b"".join(parts) + b".", "noise")
    except DataError as error:
        assert error.expected.startswith("a ") and error.got and error.remedy
