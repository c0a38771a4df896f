"""PyTorch's weight files, read without PyTorch: what was saved comes back, and what is damaged or hostile is refused."""

from __future__ import annotations

import contextlib
import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad.errors import FileFormatError
from tests import torch_files as made

FORMS = ("zip", "old")
FLOATS = np.arange(6, dtype="f4")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["f8", "f4", "f2", "i8", "i4", "u1", "b1"])
def test_tensors_come_back(form: str, kind: str) -> None:
    arrays = {"a": np.array([[0, 1, 0], [1, 1, 0]], kind), "of.none": np.zeros((0, 3), kind), "one": np.array(1, kind)}
    found = minigrad.load(io.BytesIO(made.whole(arrays, form)))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert isinstance(found[name], minigrad.Tensor) and found[name].numpy().dtype == array.dtype
        assert np.array_equal(found[name].numpy(), array)


@pytest.mark.parametrize("form", FORMS)
def test_bfloat16_becomes_float32(form: str) -> None:
    found = minigrad.load(io.BytesIO(made.whole({"x": np.array([0x3F80, 0xC020], "<u2")}, form)))["x"]
    assert found.dtype == minigrad.float32 and found.tolist() == [1.0, -2.5]


def test_strides_offsets_and_memory_that_is_shared() -> None:
    values = {
        "turned": made.tensor("0", "Float", 6, (3, 2), (1, 3)),
        "tail": made.tensor("0", "Float", 6, (2,), (1,), offset=4),
        "again": made.tensor("0", "Float", 6, (6,), (1,)),
    }
    found = minigrad.load(io.BytesIO(made.archive(made.program(values), {"0": FLOATS.tobytes()})))
    assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]] and found["tail"].tolist() == [4, 5]
    found["again"][4] = 9.0
    assert found["tail"].tolist() == [9, 5]


def test_the_order_of_bytes() -> None:
    pickled = made.program({"x": made.tensor("0", "Float", 6, (6,), (1,))})
    raw = made.archive(pickled, {"0": FLOATS.astype(">f4").tobytes()}, byteorder=b"big")
    assert minigrad.load(io.BytesIO(raw))["x"].tolist() == FLOATS.tolist()


def test_what_is_beside_tensors_comes_back_too(tmp_path: Path) -> None:
    x = made.tensor("0", "Float", 6, (6,), (1,))
    parameter = made.named("torch._utils", "_rebuild_parameter") + b"(" + x + b"\x88" + made.named("collections", "OrderedDict")
    parameter += b")RtR"
    inner = made.named("collections", "OrderedDict") + b")R(" + made.text("w") + parameter + b"u}" + made.text("_metadata")
    inner += b"}sb"
    number = made.named("numpy.core.multiarray", "scalar") + made.named("numpy", "dtype") + made.text("f8") + b"\x89\x88\x87R("
    number += b"K\x03" + made.text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbC\x08" + np.float64(0.5).tobytes()
    number += b"\x86R"
    size = made.named("torch", "Size") + made.sizes((2, 3)) + b"\x85R"
    values = {"model": inner, "epoch": made.number(3), "best": number, "size": size, "state": b"}K\x00Ns"}
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(made.archive(made.program(values), {"0": FLOATS.tobytes()}))
    found = minigrad.load(path)
    assert found["model"]["w"].tolist() == FLOATS.tolist()
    assert (found["epoch"], found["best"], found["size"], found["state"]) == (3, 0.5, (2, 3), {0: None})


@pytest.mark.peer
@pytest.mark.parametrize("old", [False, True])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_pytorchs_own_files(old: bool, data: st.DataObject) -> None:
    import torch

    kinds = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool]
    tensors: dict[str, Any] = {}
    for name in data.draw(st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=4)):
        shape = data.draw(st.lists(st.integers(0, 4), max_size=4))
        x = torch.randint(-3, 3, shape).to(data.draw(st.sampled_from(kinds)))
        tensors[name] = x.permute(*data.draw(st.permutations(range(len(shape)))))[::2] if shape else x
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), torch.nn.BatchNorm2d(3))
    adam = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 2, 4, 4)).sum().backward()
    adam.step()
    file = io.BytesIO()
    saved = {"tensors": tensors, "net": net.state_dict(), "adam": adam.state_dict(), "epoch": 2}
    torch.save(saved, file, _use_new_zipfile_serialization=not old)
    found = minigrad.load(io.BytesIO(file.getvalue()))
    assert found["epoch"] == 2 and list(found["tensors"]) == list(tensors)
    pairs = [*zip(tensors.values(), found["tensors"].values(), strict=True)]
    pairs += zip(net.state_dict().values(), found["net"].values(), strict=True)
    for theirs, ours in pairs:
        assert tuple(ours.shape) == tuple(theirs.shape) and ours.tolist() == theirs.tolist()
    assert found["adam"]["state"][0]["exp_avg"].tolist() == adam.state_dict()["state"][0]["exp_avg"].tolist()


# ---------------------------------------------------------------------- files that are refused


class Runs:
    """A pickle of this one runs a command when Python's own pickle, or PyTorch before 2.6, opens it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (self.command,)


WHOLE = made.tensor("0", "Float", 6, (6,), (1,))
MEMORY = {"0": FLOATS.tobytes()}


def one(value: bytes, memory: Any = None, **more: Any) -> bytes:
    """An archive of one value."""
    return made.archive(made.program({"x": value}), MEMORY if memory is None else memory, **more)


NESTED = b"N" + b"\x85" * 200
DOUBLED = b")q\x00" + b"".join(b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(60))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            one(made.named("posix", "system") + made.text("exit") + b"\x85R"),
            "got a reference to 'posix.system'. Nothing in it was",
        ),
        (one(made.named("torch.nn.modules.linear", "Linear") + b")\x81"), "a reference to 'torch.nn.modules.linear.Linear'"),
        (one(made.named("torch", "load") + made.text("x") + b"\x85R"), "a reference to 'torch.load'"),
        (one(made.named("collections", "OrderedDict") + b"]" + b"\x85R"), None),
        (one(made.named("collections", "OrderedDict") + b"](K\x01e\x85R"), "a dict that is none"),
        (one(WHOLE, {"0": FLOATS.tobytes()[:-1]}), "memory of another size than it says: 23 bytes for 6 numbers of 4"),
        (one(WHOLE, {"0": FLOATS.tobytes() + b"\0"}), "a data/0 of 25 bytes, where 24 would do"),
        (one(WHOLE, {"1": FLOATS.tobytes()}), "a damaged one (no data/0 in it)"),
        (one(WHOLE, method=zipfile.ZIP_DEFLATED), "compressed or locked"),
        (one(made.tensor("0", "Float", 6, (7,), (1,))), "a tensor of shape (7,) in memory of 6 numbers"),
        (one(made.tensor("0", "Float", 6, (2,), (1,), offset=5)), "a tensor of shape (2,) in memory of 6"),
        (one(made.tensor("0", "Float", 6, (1 << 40,), (0,))), "a tensor of shape (1099511627776,) in memory of 6"),
        (one(made.tensor("0", "Float", 6, (2,), (-1,))), "a tensor that is none"),
        (one(made.tensor("0", "Float", 6, (2, 2), (1,))), "a tensor that is none"),
        (one(made.tensor("0", "Float", 1 << 50, (1 << 50,), (1,))), "memory of another size than it says"),
        (one(made.tensor("0", "Float", -1, (0,), (1,))), "a reference to memory of an unknown kind"),
        (one(made.tensor("0", "Quint8", 6, (6,), (1,))), "a reference to 'torch.Quint8Storage'"),
        (
            one(made.tensor("0", "ComplexFloat", 3, (3,), (1,))),
            "complex numbers (a reference to 'torch.ComplexFloatStorage'). In PyTorch, save torch.view_as_real() of",
        ),
        (one(made.named("torch._utils", "_rebuild_tensor_v3") + b")R"), "such as float8 (a reference to"),
        (one(made.named("torch._utils", "_rebuild_qtensor") + b")R"), "save such tensors after .dequantize()."),
        (one(made.named("torch._utils", "_rebuild_sparse_tensor") + b")R"), "save such tensors after .to_dense()."),
        (one(b"(" + WHOLE + made.tensor("0", "Long", 6, (6,), (1,)) + b"t"), "two sizes of the memory 0"),
        (one(WHOLE, byteorder=b"middle"), "an unknown order of bytes"),
        (one(WHOLE, **{"constants.pkl": b"x"}), "a program of TorchScript"),
        (one(NESTED), "values nested more than 100 deep"),
        (one(DOUBLED), "more than 1,000,000 values, or the same ones again and again"),
        (one(WHOLE)[:-40], "a damaged one (File is not a zip file)"),
        (one(WHOLE)[: len(one(WHOLE)) // 2], "a damaged one (File is not a zip file)"),
        (made.pickles(made.program({"x": WHOLE}), {"0": (6, FLOATS.tobytes())})[:-1], "a damaged one (memory of"),
        (made.pickles(made.program({"x": WHOLE}), {"0": (7, FLOATS.tobytes() + bytes(4))}), "cut short, or of two sizes"),
        (made.pickles(made.program({"x": WHOLE}), {"1": (6, FLOATS.tobytes())}), "other memory than its tensors lie in"),
        (made.MAGIC + made.VERSION, "a damaged one"),
        (made.MAGIC + b"\x80\x02K\x07." + made.SYSTEM, "version 7 of the old format"),
        (pickle.dumps({"w": np.ones(2)}), "a pickle of something else, not of torch.save"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_damaged_and_hostile_files(raw: bytes, words: str | None, tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(raw)
    if words is None:
        minigrad.load(path)
        return
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError) as caught:
            minigrad.load(path)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()
    assert words in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("form", ["zip", "pickle", "old"])
def test_a_file_that_runs_a_command(form: str, protocol: int, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    evil = pickle.dumps({"x": Runs(f"echo > {mark}")}, protocol)
    raw = {"zip": lambda: made.archive(evil, {}), "pickle": lambda: evil, "old": lambda: made.pickles(evil, {})}[form]()
    with pytest.raises(FileFormatError, match=r"a reference to 'posix\.system'"):
        minigrad.load(io.BytesIO(raw))
    assert not mark.exists()
    pickle.loads(evil)
    assert mark.exists()  # the pickle was a hostile one


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FORMS), st.data())
def test_no_damage_gives_another_error(form: str, data: st.DataObject) -> None:
    raw = bytearray(made.whole({"a": FLOATS.reshape(2, 3), "b": np.arange(4)}, form))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FileFormatError):
        minigrad.load(io.BytesIO(bytes(raw)))
