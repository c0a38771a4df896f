"""Saving and loading: what goes in comes out, files of others are read, and damaged or hostile ones are refused."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad.errors import ArgumentError, DTypeError, FileFormatError, MissingFileError
from minigrad.interop import atomic

DTYPES = ("bool", "uint8", "int32", "int64", "float16", "float32", "float64")


def through_bytes(obj: Any) -> Any:
    file = io.BytesIO()
    minigrad.save(obj, file)
    return minigrad.load(io.BytesIO(file.getvalue()))


def assert_same(ours: Any, theirs: Any) -> None:
    """The same types, the same nesting, the same bits."""
    assert type(ours) is type(theirs)
    if isinstance(theirs, minigrad.Tensor):
        assert_same(ours.numpy(), theirs.detach().numpy())
    elif isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        assert ours.tobytes() == theirs.tobytes()
        assert ours.flags.writeable and ours.flags.owndata | (ours.base is not None)
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs) and [type(key) for key in ours] == [type(key) for key in theirs]
        for a, b in zip(ours.values(), theirs.values(), strict=True):
            assert_same(a, b)
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
    else:
        assert ours == theirs or (ours != ours and theirs != theirs)
        assert repr(ours) == repr(theirs)  # -0.0 is not 0.0


# ---------------------------------------------------------------------- what goes in comes out


@pytest.mark.parametrize(
    "obj",
    [
        {},
        [],
        (),
        None,
        3,
        -(2**70),
        True,
        "tëxt\n\u2028\x00",
        1e-320,
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        minigrad.tensor([1.0, math.nan, math.inf, -0.0]),
        minigrad.zeros(0, 3),
        minigrad.tensor(2.5),
        np.arange(3, dtype=np.uint16),
        [np.array(1, np.int8), np.zeros((2, 0)), np.array([2**63], np.uint64)],
        {"a.b": minigrad.ones(1), "a": {"b": minigrad.zeros(1)}, "a.b#2": minigrad.full((1,), 3.0)},
        {"__metadata__": minigrad.ones(1), "": minigrad.ones(2), "minigrad": [minigrad.ones(3)]},
        {0: {"step": 3}, 1: None, "0": (1, [2, (3,)], {}), None: 2.5, -1.5: "x", math.inf: 0},
        {True: 1, False: None, 5: 1},
        OrderedDict([("z", minigrad.ones(1)), ("a", OrderedDict())]),
        {"tensor": {"tensor": "weight"}, "dict": [["a", 1]], "list": {"list": 3}},
    ],
    ids=lambda obj: repr(obj)[:40],
)
def test_what_goes_in_comes_out(obj: Any) -> None:
    assert_same(through_bytes(obj), obj)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_in_every_layout(dtype: str, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (3, 4, 2)).astype(dtype)
    views = {"plain": array, "turned": array.T, "gaps": array[::2, ::-1], "row": array[1]}
    minigrad.save({name: minigrad.from_numpy(view) for name, view in views.items()}, tmp_path / "file")
    loaded = minigrad.load(tmp_path / "file")
    for name, view in views.items():
        assert loaded[name].dtype == dtype and np.array_equal(loaded[name].numpy(), view)


KEYS = st.one_of(st.text(max_size=4), st.integers(-5, 5), st.none(), st.booleans())
ARRAYS = st.builds(
    lambda dtype, shape, seed: np.random.default_rng(seed).integers(0, 2, shape).astype(dtype),
    st.sampled_from(DTYPES),
    st.lists(st.integers(0, 3), max_size=3),
    st.integers(0, 9),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), ARRAYS, ARRAYS.map(minigrad.tensor)
)
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(NESTED)
def test_anything_nested_comes_back(obj: Any) -> None:
    assert_same(through_bytes(obj), obj)


def test_headers_of_every_length() -> None:
    """Of 640, 896, 1152 and 1408 bytes too, which begin as pickles do."""
    lengths = set()
    for count in range(0, 1500, 8):
        file = io.BytesIO()
        minigrad.save({"x": "a" * count}, file)
        lengths.add(int.from_bytes(file.getvalue()[:8], "little"))
        assert minigrad.load(io.BytesIO(file.getvalue())) == {"x": "a" * count}
    assert {640, 896, 1152, 1408} <= lengths


def test_numpys_numbers_come_back_as_pythons() -> None:
    assert_same(through_bytes({np.int64(3): np.float32(0.5), "a": np.bool_(True)}), {3: 0.5, "a": True})


def test_loaded_tensors_are_leaves_of_their_own() -> None:
    x = minigrad.ones(2, requires_grad=True)
    loaded = through_bytes({"leaf": x, "result": x * 2, "parameter": minigrad.nn.Parameter(x.detach())})
    for tensor in loaded.values():
        assert type(tensor) is minigrad.Tensor and not tensor.requires_grad and tensor.is_leaf
        tensor.add_(1)
    assert x.tolist() == [1, 1]


def test_training_goes_on_from_a_file(tmp_path: Path) -> None:
    """A module, an optimiser with its integer keys, a schedule and a generator in one file, plain Python's open included."""
    generator = minigrad.Generator().manual_seed(3)

    def build() -> tuple[Any, Any, Any]:
        model = minigrad.nn.Linear(3, 2)
        adam = minigrad.optim.Adam(model.parameters(), lr=0.1)
        return model, adam, minigrad.optim.lr_scheduler.ExponentialLR(adam, 0.9)

    def train(model: Any, adam: Any, schedule: Any) -> None:
        for _ in range(3):
            adam.zero_grad()
            (model(minigrad.randn(4, 3, generator=generator)) ** 2).sum().backward()
            adam.step()
            schedule.step()

    parts = build()
    train(*parts)
    path = tmp_path / "run.safetensors"
    minigrad.save({"parts": [part.state_dict() for part in parts], "rng": generator.get_state(), "epoch": 3}, path)
    train(*parts)
    expected = [parameter.tolist() for parameter in parts[0].parameters()]
    state, again = minigrad.load(path), build()
    for part, saved in zip(again, state["parts"], strict=True):
        part.load_state_dict(saved)
    generator.set_state(state["rng"])
    assert state["epoch"] == 3
    train(*again)
    assert [parameter.tolist() for parameter in again[0].parameters()] == expected


def test_map_location_and_weights_only(tmp_path: Path) -> None:
    minigrad.save([minigrad.ones(1)], tmp_path / "file")
    for place in (None, "cpu", minigrad.device("cpu")):
        assert minigrad.load(tmp_path / "file", map_location=place, weights_only=True)[0].device == "cpu"


def test_names_as_text_path_and_open_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    minigrad.save({"a": 1}, str(path))
    with path.open("rb") as file:
        assert minigrad.load(file) == minigrad.load(str(path)) == minigrad.load(path) == {"a": 1}


# ---------------------------------------------------------------------- other readers and writers


def test_any_reader_finds_a_state_dict_under_its_own_keys(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    state = minigrad.nn.Linear(3, 2).state_dict()
    minigrad.save(state, tmp_path / "file")
    read = load_file(tmp_path / "file")
    assert sorted(read) == ["bias", "weight"]
    assert all(np.array_equal(read[key], state[key].numpy()) for key in read)
    minigrad.save({"model": state, "epoch": 1}, tmp_path / "file")
    assert sorted(load_file(tmp_path / "file")) == ["model.bias", "model.weight"]


def test_files_of_others_are_read(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    arrays = {"w": np.ones((2, 3), np.float32), "n": np.array([-3], np.int16), "m": np.array([7], np.uint32)}
    save_file(arrays, tmp_path / "file", metadata={"format": "pt"})
    loaded = minigrad.load(tmp_path / "file")
    assert {key: value.tolist() for key, value in loaded.items()} == {key: value.tolist() for key, value in arrays.items()}
    assert [loaded[key].dtype for key in ("w", "n", "m")] == ["float32", "int32", "int64"]
    loaded["w"].add_(1)


def raw_file(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_bfloat16_becomes_float32() -> None:
    words = np.array([0x3F80, 0xC020, 0x7F80, 0x0001], "<u2")  # 1, -2.5, inf, the smallest
    header = {"x": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}
    x = minigrad.load(io.BytesIO(raw_file(header, words.tobytes())))["x"]
    assert x.dtype == minigrad.float32
    assert x.tolist() == [[1.0, -2.5], [math.inf, 2.0**-133]]


@pytest.mark.peer
def test_pytorch_reads_ours_and_we_its(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    minigrad.save({"a": minigrad.arange(6.0).reshape(2, 3), "b": minigrad.tensor([True])}, tmp_path / "ours")
    assert load_file(tmp_path / "ours")["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    theirs = {"x": torch.randn(5).bfloat16(), "y": torch.arange(3), "z": torch.randn(2, 2).double()}
    save_file(theirs, tmp_path / "theirs")
    loaded = minigrad.load(tmp_path / "theirs")
    assert all(loaded[key].tolist() == value.tolist() for key, value in theirs.items())


# ---------------------------------------------------------------------- files that are none


def refusal(raw: bytes, tmp_path: Path) -> str:
    path = tmp_path / "odd"
    path.write_bytes(raw)
    with pytest.raises(FileFormatError) as caught:
        minigrad.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def _zip(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"x")
    return file.getvalue()


def _entry(**other: Any) -> dict[str, Any]:
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **other}}


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.putenv, ("MINIGRAD_BOMB", "1")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "an empty one"),
        (b"\x01", "cut short"),
        (b"plain text, long enough to be a header", "none, or was cut short or damaged"),
        (_zip("archive/data.pkl"), "a file of torch.save"),
        (_zip("a.npy"), "a NumPy archive"),
        (_zip("readme"), "a zip file"),
        (b"PK\x03\x04 broken", "a zip file"),
        (pickle.dumps(Bomb(), protocol=2), "a reference to 'posix.putenv'"),
        (pickle.dumps(Bomb(), protocol=5), "Nothing in it was run"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "a damaged one"),
        (b"\x1f\x8b" + bytes(20), "a gzip file"),
        (b"\x93NUMPY" + bytes(20), "a NumPy array"),
        ((2**63 - 1).to_bytes(8, "little") + b"{}", "damaged"),
        ((2**64 - 1).to_bytes(8, "little") + b"{}", "damaged"),
        (raw_file(b"[]"), "damaged"),
        (raw_file(b"{"), "damaged"),
        (raw_file(b'{"a":' * 100_000), "damaged"),
        (raw_file(b"\xff\xfe{}"), "damaged"),
        (raw_file({"x": 3}), "damaged"),
        (raw_file(_entry(), bytes(7)), "damaged"),
        (raw_file(_entry(), bytes(9)), "damaged"),
        (raw_file(_entry(shape=[3]), bytes(8)), "damaged"),
        (raw_file(_entry(shape=[-2]), bytes(8)), "damaged"),
        (raw_file(_entry(shape=[2**62, 4]), bytes(8)), "damaged"),
        (raw_file(_entry(data_offsets=[8, 0]), bytes(8)), "damaged"),
        (raw_file(_entry(data_offsets=[-8, 0]), bytes(8)), "damaged"),
        (raw_file(_entry(data_offsets=[0, 2**64]), bytes(8)), "damaged"),
        (raw_file({**_entry(), "y": _entry()["x"]}, bytes(8)), "damaged"),  # two tensors in the same bytes
        (raw_file(_entry(dtype="F33"), bytes(8)), "damaged"),
        (raw_file(_entry(dtype="F8_E4M3", shape=[8]), bytes(8)), "has, got a tensor of the dtype F8_E4M3. Save it, where"),
        (raw_file(_entry(dtype="C64", shape=[1]), bytes(8)), "numbers that minigrad has, got a tensor of the dtype C64."),
        (
            raw_file(_entry(dtype="U64", shape=[1]), bytes(8)),
            "numbers that minigrad has, got a tensor of the dtype uint64. Save",
        ),
        (raw_file(_entry(dtype="BOOL", shape=[8]), b"\x02" * 8), "truth values that are neither"),
        (raw_file(_entry(shape=[1] * 100 + [2]), bytes(8)), "a whole safetensors file"),
        (raw_file({**_entry(), "__metadata__": {"minigrad": "{}"}}, bytes(8)), "version None of our format"),
        (raw_file({**_entry(), "__metadata__": {"minigrad": "["}}, bytes(8)), "its metadata are damaged"),
        (raw_file({**_entry(), "__metadata__": {"minigrad": "3"}}, bytes(8)), "a whole safetensors file"),
        (raw_file({**_entry(), "__metadata__": {"minigrad": '{"version":1}'}}, bytes(8)), "its metadata are damaged"),
        (raw_file({**_entry(), "__metadata__": {"minigrad": 3}}, bytes(8)), "damaged"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value,
)
def test_hostile_files_are_refused(raw: bytes, words: str, tmp_path: Path) -> None:
    assert words in refusal(raw, tmp_path)
    assert "MINIGRAD_BOMB" not in os.environ


def forged(structure: str) -> bytes:
    """A file with one tensor "x" whose digest is right and whose structure is not ours."""
    from minigrad.interop import safetensors_io

    digest = safetensors_io._digest([("x", "F32", (2,), bytes(8))], structure)
    entry = json.dumps({"version": 1, "sha256": digest, "structure": structure})
    return raw_file({**_entry(), "__metadata__": {"minigrad": entry}}, bytes(8))


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        ("null", "'x' has no place"),
        ('{"list": [{"tensor": "x"}, {"tensor": "x"}]}', "is asked for twice"),
        ('{"tensor": "y"}', "'y' is missing"),
        ('{"tensor": ["x"]}', "unknown kind 'tensor'"),
        ('{"module": "os"}', "unknown kind 'module'"),
        ("[1]", "means nothing"),
        ('{"list": [], "tuple": []}', "means nothing"),
        ('{"dict": [["a"]]}', "no pairs"),
        ('{"dict": [[{"list": []}, 1]]}', "a container for a key"),
        ('{"dict": [[{"tensor": "x"}, 1]]}', "'x' is missing"),
        ('{"float": "1e5"}', "unknown kind 'float'"),
        ('{"list": [' * 300 + "]}" * 300, "nested too deep"),
        ('{"list": [' * 200_000 + "]}" * 200_000, "a whole safetensors file"),
        ("{", "its metadata are damaged"),
    ],
    ids=lambda text: text[:30],
)
def test_hostile_structures_are_refused(structure: str, words: str, tmp_path: Path) -> None:
    assert words in refusal(forged(structure), tmp_path)


def test_the_forgery_is_well_made(tmp_path: Path) -> None:
    assert minigrad.load(io.BytesIO(forged('{"tensor": "x"}'))).tolist() == [0, 0]


OBJ = {"w": minigrad.arange(6.0).reshape(2, 3), "deep": {0: [minigrad.tensor([1, 2]), 2.5, "text", None]}, "n": np.arange(3)}


def _whole() -> bytes:
    file = io.BytesIO()
    minigrad.save(OBJ, file)
    return file.getvalue()


WHOLE = _whole()


def assert_right_or_refused(raw: bytes) -> None:
    try:
        loaded = minigrad.load(io.BytesIO(raw))
    except FileFormatError:
        return
    assert_same(loaded, OBJ)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 255)), min_size=1, max_size=3))
def test_flipped_bytes_never_give_wrong_data(flips: list[tuple[int, int]]) -> None:
    raw = bytearray(WHOLE)
    for place, change in flips:
        raw[place] ^= change
    assert_right_or_refused(bytes(raw))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=20))
def test_cut_files_never_give_wrong_data(end: int, tail: bytes) -> None:
    assert_right_or_refused(WHOLE[:end] + tail)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=200), st.booleans())
def test_noise_is_refused(noise: bytes, as_header: bool) -> None:
    try:
        loaded = minigrad.load(io.BytesIO(raw_file(noise) if as_header else noise))
    except FileFormatError:
        return
    assert loaded == {}  # "{}" is a file, if an empty one


def test_every_single_bit_of_the_header_counts() -> None:
    end = 8 + int.from_bytes(WHOLE[:8], "little")
    for place in range(end):
        raw = bytearray(WHOLE)
        raw[place] ^= 1 << (place % 8)
        assert_right_or_refused(bytes(raw))


# ---------------------------------------------------------------------- writing


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFileError, match="none of that name"):
        minigrad.load(tmp_path / "nothing")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileFormatError, match="The folder looked in is"):
        minigrad.load("nothing")
    with pytest.raises(FileFormatError, match=r"[Dd]irectory"):
        minigrad.load(tmp_path)


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        ({"a": [1, {2: object()}]}, "obj['a'][1][2]: expected tensors, arrays, numbers"),
        ({"a": {1, 2}}, "got a set. Save what it is made of"),
        ({"m": minigrad.Generator()}, "Save its get_state()"),
        ({(1, 2): 3}, "a key of obj: expected a string, number, truth value or None, got (1, 2)"),
        ({"z": np.zeros(2, complex)}, "save: z: expected one of float64"),
        ({"z": np.array(["a"])}, "got <U1"),
        ({"z": 1j}, "got a complex"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_saved_is_named(obj: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(DTypeError) as caught:
        minigrad.save(obj, tmp_path / "file")
    assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(DTypeError, match="holds itself"):
        through_bytes(loop)


def test_odd_arguments(tmp_path: Path) -> None:
    with pytest.raises(DTypeError, match="the name of a file"):
        minigrad.save({}, 3)
    with pytest.raises(DTypeError, match="the name of a file"):
        minigrad.load(None)
    minigrad.save({}, tmp_path / "file")
    with pytest.raises(ArgumentError, match="map_location"):
        minigrad.load(tmp_path / "file", map_location={"cuda": "cpu"})


class FullDisk:
    """What ``open`` gives on a disk that is full after some bytes."""

    def __init__(self, path: str, mode: str) -> None:
        self.file = Path(path).open(mode)  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: Any) -> None:
        self.file.close()

    def write(self, data: bytes) -> int:
        self.file.write(data[:100])
        self.file.flush()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _no(*_: Any) -> Any:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize(
    ("name", "fault", "words"),
    [("open", FullDisk, "No space left"), ("os.fsync", _no, "Input/output error"), ("os.replace", _no, "Input/output error")],
    ids=["full disk", "broken disk", "no replacement"],
)
@pytest.mark.parametrize("before", [True, False], ids=["over an older file", "new"])
def test_a_failed_save_leaves_what_was(
    name: str, fault: Any, words: str, before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    if before:
        minigrad.save({"old": 1}, path)
    with monkeypatch.context() as patch:
        if name == "open":
            patch.setattr(atomic, "open", fault, raising=False)
        else:
            patch.setattr(atomic.os, name.removeprefix("os."), fault)
        with pytest.raises(FileFormatError, match=words) as caught:
            minigrad.save({"new": minigrad.zeros(1000)}, path)
    assert str(path) in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == (["model"] if before else [])
    if before:
        assert minigrad.load(path) == {"old": 1}
    minigrad.save({"new": 2}, path)
    assert minigrad.load(path) == {"new": 2}


def test_an_interrupted_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        minigrad.save({}, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileFormatError, match="Make it: mkdir -p"):
        minigrad.save({}, tmp_path / "none" / "model")
    with pytest.raises(FileFormatError, match="Add a file name"):
        minigrad.save({}, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(FileFormatError, match="a folder that exists"):
        minigrad.save({}, tmp_path / "file" / "model")

    def forbidden(*_: Any) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(atomic, "open", forbidden, raising=False)
    with pytest.raises(FileFormatError, match="Permission denied"):
        minigrad.save({}, tmp_path / "model")


def test_a_link_is_followed_and_rights_are_the_usual_ones(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    minigrad.save({"a": 1}, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and minigrad.load(tmp_path / "real") == {"a": 1}
    minigrad.save({}, tmp_path / "new")
    (tmp_path / "usual").touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_import_does_not_load_safetensors() -> None:
    code = "import sys, minigrad; minigrad.save, minigrad.load; print('safetensors' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_is_no_file_is_written_into_and_stays(tmp_path: Path) -> None:
    """A pipe gets the bytes, a full device is told of; neither becomes a file."""
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    atomic.write_atomically("save", pipe, b"the page")
    reader.join(10)
    assert got == [b"the page"] and pipe.is_fifo() and [*tmp_path.iterdir()] == [pipe]
    atomic.write_atomically("save", os.devnull, b"the page")
    assert not Path(os.devnull).is_file()
    if Path("/dev/full").exists():
        with pytest.raises(FileFormatError, match="expected 8 bytes written, got No space left on device"):
            atomic.write_atomically("save", "/dev/full", b"the page")
        assert not Path("/dev/full").is_file()
