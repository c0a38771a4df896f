"""HDF5 files, and the networks that Keras keeps in them: what is read, beside loops in Keras' order, and what is refused."""

from __future__ import annotations

import contextlib
import io
import json
import math
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import minigrad
from minigrad.errors import FileFormatError
from minigrad.interop import hdf5_apart, hdf5_io
from minigrad.interop.keras_io import KINDS, Pooled, read_network

Fill = Callable[[h5py.File], Any]
APART = hdf5_io.apart


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, as starting another for each file takes long."""
    monkeypatch.setattr(hdf5_io, "apart", lambda raw: (0, hdf5_apart.answer(raw)))


def file(fill: Fill) -> io.BytesIO:
    """The file that is made by a function."""
    out = io.BytesIO()
    with h5py.File(out, "w") as made:
        fill(made)
    return io.BytesIO(out.getvalue())


# ---------------------------------------------------------------------- any HDF5 file


@pytest.mark.parametrize("kind", ["f8", "f4", "f2", "i8", "i4", "u1", ">f4", ">i2", "?"])
def test_numbers_come_back_under_their_paths(kind: str) -> None:
    array = np.array([[0, 1, 1], [1, 0, 1]], kind)

    def fill(made: h5py.File) -> None:
        made["a"], made["b/c/kernel:0"], made["b/none"], made["one"] = array, array, np.zeros((0, 2), kind), array[0, 1]

    found = minigrad.load(file(fill))
    assert sorted(found) == ["a", "b/c/kernel:0", "b/none", "one"]
    assert all(isinstance(value, minigrad.Tensor) for value in found.values())
    assert np.array_equal(found["b/c/kernel:0"].numpy(), array) and found["b/none"].shape == (0, 2) and found["one"].item() == 1


PACKED: dict[str, dict[str, Any]] = {
    "chunks": {"chunks": (3, 4)}, "gzip": {"compression": "gzip", "chunks": (3, 4)}, "all": {
        "compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (4, 3)
    }, "checksum": {"fletcher32": True, "chunks": (7, 1)}, "growing": {"chunks": (5, 5), "maxshape": (None, None)},
}  # fmt: skip


@pytest.mark.parametrize("options", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("kind", ["f4", ">i2", "u1"])
def test_what_is_packed_is_unpacked(options: dict[str, Any], kind: str) -> None:
    array = np.random.default_rng(0).integers(0, 99, (7, 10)).astype(kind)
    found = minigrad.load(file(lambda made: made.create_dataset("x", data=array, **options)))["x"].numpy()
    assert np.array_equal(found, array)


def test_chunks_that_nobody_wrote_hold_the_fill_value() -> None:
    def fill(made: h5py.File) -> None:
        made.create_dataset("x", (4, 4), "f4", chunks=(2, 2), fillvalue=7)[:2, :2] = 1

    assert minigrad.load(file(fill))["x"].tolist() == [[1, 1, 7, 7], [1, 1, 7, 7], [7] * 4, [7] * 4]


def _link(link: Any) -> Fill:
    return lambda made: made.__setitem__("away", link)


def _virtual(made: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    made.create_virtual_dataset("x", layout)


def _round(made: h5py.File) -> None:
    made["a/b"] = np.zeros(1)
    made["a/again"] = made["a"]


def _doubled(made: h5py.File) -> None:
    made["x0"] = np.zeros(40_000)
    for number in range(1, 40):
        made[f"x{number}"] = made["x0"]


HOSTILE: dict[str, tuple[Fill, str]] = {
    "another file": (_link(h5py.ExternalLink("/etc/passwd", "/x")), "away, a link to elsewhere"),
    "a name": (_link(h5py.SoftLink("/x")), "away, a link to elsewhere"),
    "virtual": (_virtual, "x, whose numbers are kept in another file"),
    "outside": (
        lambda made: made.create_dataset("x", (4,), "f4", external=[("other.raw", 0, 16)]), "x, whose numbers are kept in"
    ),
    "text": (lambda made: made.create_dataset("x", data="words"), "x, which is no array of numbers"),
    "records": (lambda made: made.create_dataset("x", data=np.zeros(2, "i4,f4")), "x, which is no array of numbers"),
    "a type": (lambda made: made.__setitem__("x", np.dtype("f4")), "x, which is no data"),
    "huge, not there": (lambda made: made.create_dataset("x", (1 << 40,), "f4"), "x, which declares 4,398,046,511,104 bytes"),
    "huge, in chunks": (
        lambda made: made.create_dataset("x", (1 << 40,), "f4", chunks=(1024,)), "x, which declares 4,398,046,511,104 bytes"
    ),
    "huge chunks": (
        lambda made: made.create_dataset("x", (2,), "f4", chunks=(1 << 28,), maxshape=(None,)), "chunks are of 1,073,741,824"
    ),
    "swells": (
        lambda made: made.create_dataset("x", data=np.zeros(1 << 22), compression="gzip"), "which declares 33,554,432 bytes"
    ),
    "another filter": (lambda made: made.create_dataset("x", data=np.zeros(99), compression="lzf"), "by the filter 32000"),
    "round and round": (_round, "groups nested more than 64 deep"),
    "the same again and again": (_doubled, "which declares 320,000 bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("fill", "text"), HOSTILE.values(), ids=HOSTILE)
def test_what_leads_elsewhere_or_asks_for_too_much_is_refused(fill: Fill, text: str) -> None:
    made = file(fill)
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="expected an HDF5 file that holds numbers, got one with ") as told:
        minigrad.load(made)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert text in str(told.value) and peak < 32 << 20


def test_a_chunk_that_swells_is_unpacked_no_further_than_it_may() -> None:
    """Two layers of deflate would make of a few bytes as many as one likes; each chunk ends at its declared size."""
    bomb = zlib.compress(bytes(1 << 28), 9)

    def fill(made: h5py.File) -> None:
        made.create_dataset("x", (1000,), "u1", chunks=(1000,), compression="gzip").id.write_direct_chunk((0,), bomb)

    made = file(fill)
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="a chunk of another size than 1,000 bytes"):
        minigrad.load(made)
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_checksums_are_looked_at() -> None:
    def fill(made: h5py.File) -> None:
        data = made.create_dataset("x", data=np.arange(5, dtype="u1"), chunks=(5,), fletcher32=True).id
        _, packed = data.read_direct_chunk((0,))
        data.write_direct_chunk((0,), b"\x01" + packed[1:])

    with pytest.raises(FileFormatError, match="a chunk whose checksum differs"):
        minigrad.load(file(fill))


@pytest.mark.parametrize("size", [8, 60, 0.5, 0.95])
def test_files_that_were_cut_short(size: float) -> None:
    whole = file(lambda made: made.create_dataset("a/x", data=np.arange(600.0), chunks=(200,), compression="gzip")).getvalue()
    with pytest.raises(FileFormatError, match="expected an HDF5 file that holds numbers, got a damaged one"):
        minigrad.load(io.BytesIO(whole[: int(size if size > 1 else size * len(whole))]))


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(
        FileFormatError, match=r"load: h5py: expected the library h5py, .*pip install 'minigrad-engine\[hdf5\]'"
    ):
        minigrad.load(io.BytesIO(hdf5_io.MAGIC))


def test_a_library_that_cannot_be_loaded_is_no_damage_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hdf5_io, "apart", APART)
    (tmp_path / "h5py.py").write_text("raise ImportError('made for another NumPy')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FileFormatError, match=r"h5py: .* cannot be loaded \(ImportError: made for another NumPy\)"):
        minigrad.load(io.BytesIO(hdf5_io.MAGIC))


def test_numbers_that_there_is_no_tensor_of() -> None:
    with pytest.raises(FileFormatError, match=r"expected numbers that minigrad has, got .* uint64\. Save it, .* int64"):
        minigrad.load(file(lambda made: made.__setitem__("x", np.zeros(2, "u8"))))


def test_the_reader_is_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What brings it down, or lasts, is an error."""
    monkeypatch.setattr(hdf5_io, "apart", APART)
    made = file(lambda made: made.create_dataset("x", data=np.arange(3.0)))
    assert minigrad.load(io.BytesIO(made.getvalue()))["x"].tolist() == [0, 1, 2]
    (tmp_path / "falls.py").write_text("import os\nos.abort()\n")
    (tmp_path / "lasts.py").write_text("import time\ntime.sleep(600)\n")
    beside = tmp_path / "beside"
    beside.mkdir()
    for name in ("h5py.py", "json.py", "random.py"):  # of another's, beside weights that were fetched
        (beside / name).write_text("open('ran', 'w').close()\n")
    with contextlib.chdir(beside):
        assert minigrad.load(io.BytesIO(made.getvalue()))["x"].tolist() == [0, 1, 2]
    assert not (beside / "ran").exists()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(hdf5_io, "READER", "falls")
    with pytest.raises(FileFormatError, match="it brought its reader down, with -"):
        minigrad.load(io.BytesIO(made.getvalue()))
    monkeypatch.setattr(hdf5_io, "READER", "lasts")
    monkeypatch.setattr(hdf5_io, "SECONDS", 0.1)
    with pytest.raises(FileFormatError, match=r"it takes longer than 0\.1 seconds to read"):
        minigrad.load(io.BytesIO(made.getvalue()))


# ---------------------------------------------------------------------- Keras' networks

RNG = np.random.default_rng


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


def keras_file(layers: list[dict[str, Any]], weights: dict[str, np.ndarray], **attributes: Any) -> io.BytesIO:
    """A file as ``model.save`` writes it; weights by ``layer/word``."""

    def fill(made: h5py.File) -> None:
        made.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
        for key, value in attributes.items():
            made.attrs[key] = value
        for path, array in weights.items():
            name, word = path.split("/")
            made[f"model_weights/{name}/{name}/{word}:0"] = array
        made["optimizer_weights/Adam/conv/kernel/m:0"] = np.zeros(3)

    return file(fill)


def windows(x: np.ndarray, size: int, step: int, same: bool, empty: float) -> Iterator[tuple[int, int, np.ndarray]]:
    """Each place of a window that slides over N H W C, as TensorFlow has it: row, column, and what it sees."""
    _, height, width, _ = x.shape
    if same:
        around = [max(0, (math.ceil(side / step) - 1) * step + size - side) for side in (height, width)]
        x = np.pad(x, [(0, 0), *[(lacking // 2, lacking - lacking // 2) for lacking in around], (0, 0)], constant_values=empty)
    for row, top in enumerate(range(0, x.shape[1] - size + 1, step)):
        for column, left in enumerate(range(0, x.shape[2] - size + 1, step)):
            yield row, column, x[:, top : top + size, left : left + size]


def slid(
    x: np.ndarray, size: int, step: int, same: bool, see: Callable[[np.ndarray], np.ndarray], empty: float = 0
) -> np.ndarray:
    seen = {(row, column): see(part) for row, column, part in windows(x, size, step, same, empty)}
    rows, columns = (max(place[axis] for place in seen) + 1 for axis in (0, 1))
    return np.stack([np.stack([seen[row, column] for column in range(columns)], 1) for row in range(rows)], 1)


@pytest.mark.parametrize("same", [True, False], ids=["same", "valid"])
@pytest.mark.parametrize("average", [True, False], ids=["average", "largest"])
def test_a_network_gives_what_keras_layers_give(same: bool, average: bool) -> None:
    """Every layer, uneven borders and the other order of Flatten, beside loops over N H W C in float64."""
    rng = RNG(0)
    draw = {
        "conv/kernel": (3, 3, 2, 4), "conv/bias": (4,), "norm/gamma": (4,), "norm/beta": (4,), "norm/moving_mean": (4,),
        "flatnorm/beta": (36 if same else 16,), "flatnorm/moving_mean": (36 if same else 16,),
        "dense/kernel": (36 if same else 16, 5), "dense/bias": (5,), "last/kernel": (5, 3),
    }  # fmt: skip
    weights = {path: rng.standard_normal(shape).astype("f4") for path, shape in draw.items()}
    weights["norm/moving_variance"] = rng.uniform(0.5, 2, 4).astype("f4")
    weights["flatnorm/moving_variance"] = rng.uniform(0.5, 2, draw["flatnorm/beta"]).astype("f4")
    padding = "same" if same else "valid"
    made = keras_file(
        [
            layer("InputLayer", "in", batch_input_shape=[None, 9, 9, 2]),
            layer("ZeroPadding2D", "border", padding=[[1, 0], [0, 1]], data_format="channels_last"),
            layer("Conv2D", "conv", filters=4, kernel_size=[3, 3], strides=[2, 2], padding=padding, activation="relu"),
            layer("BatchNormalization", "norm", axis=[3], epsilon=0.01, momentum=0.9),
            layer("AveragePooling2D" if average else "MaxPooling2D", "pool", pool_size=[2, 2], strides=None, padding=padding),
            layer("Activation", "act", activation="tanh"), layer("Dropout", "drop", rate=0.5), layer("Flatten", "flat"),
            layer("BatchNormalization", "flatnorm", axis=-1, scale=False),
            layer("Dense", "dense", units=5, activation="linear"), layer("ReLU", "relu", negative_slope=0.1),
            layer("Dense", "last", units=3, use_bias=False, activation="softmax"),
        ],
        weights,
    )  # fmt: skip
    raw = made.getvalue()
    w = {path: array.astype(np.float64) for path, array in weights.items()}
    images = rng.standard_normal((2, 9, 9, 2))
    x = np.pad(images, [(0, 0), (1, 0), (0, 1), (0, 0)])
    x = np.maximum(slid(x, 3, 2, same, lambda part: np.einsum("nrsc,rscf->nf", part, w["conv/kernel"])) + w["conv/bias"], 0)
    x = (x - w["norm/moving_mean"]) / np.sqrt(w["norm/moving_variance"] + 0.01) * w["norm/gamma"] + w["norm/beta"]
    if average:
        x = slid(x, 2, 2, same, lambda part: np.nanmean(part, axis=(1, 2)), empty=np.nan)
    else:
        x = slid(x, 2, 2, same, lambda part: part.max(axis=(1, 2)), empty=-np.inf)
    x = np.tanh(x).reshape(2, -1)
    x = (x - w["flatnorm/moving_mean"]) / np.sqrt(w["flatnorm/moving_variance"] + 1e-3) + w["flatnorm/beta"]
    x = x @ w["dense/kernel"] + w["dense/bias"]
    logits = np.where(x > 0, x, 0.1 * x) @ w["last/kernel"]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = minigrad.tensor(images.transpose(0, 3, 1, 2).astype("f4"))
    with minigrad.no_grad():
        assert np.abs(read_network(io.BytesIO(raw), logits=True)(given).numpy() - logits).max() < 1e-4
        assert np.abs(read_network(io.BytesIO(raw))(given).numpy() - shares).max() < 1e-5


def test_a_mean_over_the_map_and_files_of_keras_3(tmp_path: Path) -> None:
    layers = [
        layer("InputLayer", "in", batch_shape=[None, 4, 4, 1], dtype={"class_name": "DTypePolicy", "config": {}}),
        layer("Conv2D", "conv", filters=2, kernel_size=1, use_bias=False, activation="relu6"),
        layer("GlobalAveragePooling2D", "mean"), layer("ReLU", "cut", max_value=6.0),
    ]  # fmt: skip
    path = tmp_path / "model.keras.h5"
    path.write_bytes(keras_file(layers, {"conv/kernel": np.array([[[[1, -1]]]], "f4")}).getvalue())
    network = read_network(path)
    assert list(dict(network.named_children())) == ["conv", "conv_relu6", "mean", "cut"] and not network.training
    assert network(minigrad.ones(1, 1, 4, 4)).tolist() == [[1.0, 0.0]]


def test_an_uneven_border_counts_for_nothing() -> None:
    assert Pooled(True, (2, 2), (2, 2), (0, 1, 0, 1))(-minigrad.ones(1, 1, 3, 3)).tolist() == [[[[-1.0, -1.0]] * 2]]


FUNCTIONAL = '{"class_name": "Functional", "config": {"layers": []}}'
IN = layer("InputLayer", "in", batch_input_shape=[None, 8, 8, 1])
KERNEL = {"conv/kernel": np.zeros((3, 3, 1, 2), "f4"), "conv/bias": np.zeros(2, "f4")}
REFUSED: dict[str, tuple[list[Any], dict[str, np.ndarray], str]] = {
    "a program": ([IN, layer("Lambda", "l", function="evil")], {}, f"of the kind Lambda; known are {', '.join(KINDS)}"),
    "an own layer": ([IN, layer("build", "b")], {}, "a layer b of the kind build"),
    "no weights": ([IN, layer("Conv2D", "conv", filters=2, kernel_size=3)], {}, "whose kernel is 0 where numbers (3, 3, 1, 2)"),
    "other weights": ([IN, layer("Conv2D", "conv", filters=9, kernel_size=3)], KERNEL, "whose kernel is float32 (3, 3, 1, 2)"),
    "without end": ([IN, layer("Conv2D", "conv", filters=1 << 60, kernel_size=3)], KERNEL, "with filters 1152921"),
    "an own activation": ([IN, layer("Activation", "a", activation="os.system")], {}, "with activation os.system"),
    "channels first": ([IN, layer("MaxPooling2D", "p", data_format="channels_first")], {}, "with data_format channels_first"),
    "causal": ([IN, layer("MaxPooling2D", "p", padding="causal")], {}, "with padding causal"),
    "too small": ([IN, layer("MaxPooling2D", "p", pool_size=9)], {}, "which leaves a map of 0 x 0"),
    "too large": ([IN, layer("ZeroPadding2D", "p", padding=60_000)], {}, "which leaves a map of 120008 x 120008"),
    "another axis": ([IN, layer("BatchNormalization", "n", axis=[1])], {}, "with axis [1]"),
    "dense on maps": ([IN, layer("Dense", "d", units=3)], {}, "a Dense one on maps"),
    "maps behind flat": ([IN, layer("Flatten", "f"), layer("MaxPooling2D", "p")], {}, "for maps, behind one that gives none"),
    "flat at the end": ([IN, layer("Flatten", "f")], {}, "a Flatten without a Dense layer behind it"),
    "no size": ([layer("InputLayer", "in", batch_input_shape=[None, None, None, 3])], {}, "where numbers are needed"),
    "all dropped": ([IN, layer("Dropout", "d", rate=1)], {}, "with rate 1"),
    "no layer": (["words"], {}, "a model_config that is none"),
}  # fmt: skip


@pytest.mark.parametrize(("layers", "weights", "text"), REFUSED.values(), ids=REFUSED)
def test_layers_that_are_refused(layers: list[Any], weights: dict[str, np.ndarray], text: str) -> None:
    with pytest.raises(FileFormatError, match="expected an HDF5 file of Keras with a sequential network") as told:
        read_network(keras_file(layers, weights))
    assert text in str(told.value)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: file(lambda made: made.__setitem__("x", np.zeros(1))), "without model_config: weights alone"),
        (lambda: file(lambda made: made.attrs.__setitem__("model_config", "{")), "a model_config that is none"),
        (lambda: file(lambda made: made.attrs.__setitem__("model_config", np.zeros(3))), "an attribute model_config"),
        (lambda: file(lambda made: made.attrs.__setitem__("model_config", FUNCTIONAL)),
         "a network of the kind Functional"),
        (lambda: io.BytesIO(b"words"), "a file of another format"),
    ],
)  # fmt: skip
def test_files_without_a_network(made: Callable[[], io.BytesIO], text: str) -> None:
    with pytest.raises(FileFormatError) as told:
        read_network(made())
    assert text in str(told.value)
