"""Devices: names, defaults, and what the error says when a GPU is asked for and cannot be had."""

from __future__ import annotations

import importlib.metadata
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core import device as devices
from minigrad.errors import ArgumentError, DeviceError


@pytest.mark.parametrize(
    ("name", "index", "kind", "number", "text"),
    [
        ("cpu", None, "cpu", None, "cpu"),
        ("cuda", None, "cuda", None, "cuda"),
        ("cuda:3", None, "cuda", 3, "cuda:3"),
        ("cuda", 1, "cuda", 1, "cuda:1"),
        (minigrad.device("cuda:2"), None, "cuda", 2, "cuda:2"),
        (minigrad.device("cuda"), 2, "cuda", 2, "cuda:2"),
    ],
)
def test_names(name: Any, index: int | None, kind: str, number: int | None, text: str) -> None:
    found = minigrad.device(name, index)
    assert (found.type, found.index, str(found)) == (kind, number, text)


@pytest.mark.parametrize(
    ("name", "index"),
    [("gpu", None), ("cuda:", None), ("cuda:-1", None), ("cuda:0", 1), ("cuda", -1), ("cpu:1", None), (7, None)],
)
def test_what_is_no_device(name: Any, index: int | None) -> None:
    with pytest.raises(ArgumentError, match=r"^device: "):
        minigrad.device(name, index)


def test_equality_is_of_the_place() -> None:
    assert minigrad.device("cuda") == minigrad.device("cuda:0") == "cuda:0"
    assert hash(minigrad.device("cuda")) == hash(minigrad.device("cuda:0"))
    assert minigrad.device("cpu") != minigrad.device("cuda")
    assert minigrad.device("cpu") != "nonsense"
    assert repr(minigrad.device("cuda:1")) == "device(type='cuda', index=1)"


def test_default_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert minigrad.get_default_device() == "cpu"
    monkeypatch.setenv("MINIGRAD_DEVICE", "cuda:1")
    assert minigrad.get_default_device() == "cuda:1"
    with minigrad.default_device("cpu"):
        assert minigrad.get_default_device() == "cpu"
        assert minigrad.zeros(2).device == "cpu"
        seen = []
        thread = threading.Thread(target=lambda: seen.append(minigrad.get_default_device()))
        thread.start()
        thread.join()
        assert seen == ["cuda:1"], "the choice belongs to one thread"
    monkeypatch.setenv("MINIGRAD_DEVICE", "tpu")
    with pytest.raises(ArgumentError, match="'tpu'"):
        minigrad.zeros(2)


def _pretend(monkeypatch: pytest.MonkeyPatch, wheels: dict[str, str], cupy: Any = None) -> None:
    """Make this Python look as if these CuPy packages were installed, and ``import cupy`` gave ``cupy``."""
    found = [SimpleNamespace(metadata={"Name": name}, version=version) for name, version in wheels.items()]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: found)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(devices, "_MODULES", dict(devices._MODULES))


def _cupy(count: int | None, driver: int, runtime: int) -> ModuleType:
    """A CuPy that sees ``count`` GPUs (``None``: asking fails), with these versions of driver and runtime."""

    def get_device_count() -> int:
        if count is None:
            raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version")
        return count

    module = ModuleType("cupy")
    module.ndarray = type("ndarray", (), {})  # type: ignore[attr-defined]
    module.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        runtime=SimpleNamespace(
            getDeviceCount=get_device_count, driverGetVersion=lambda: driver, runtimeGetVersion=lambda: runtime
        )
    )
    return module


@pytest.mark.parametrize(
    ("wheels", "cupy", "words"),
    [
        ({}, None, ("no CuPy", "pip install 'minigrad-engine[cuda12]'", "nvidia-smi")),
        (
            {"cupy-cuda12x": "14.2.0", "cupy-cuda13x": "14.2.0"},
            None,
            ("2 CuPy packages", "cupy-cuda12x, cupy-cuda13x", "pip uninstall"),
        ),
        ({"cupy-cuda13x": "14.2.0"}, None, ("cupy-cuda13x 14.2.0 that does not load", "Reinstall")),
        ({"cupy-cuda13x": "14.2.0"}, _cupy(None, 0, 13020), ("no NVIDIA driver", "device='cpu'")),
        (
            {"cupy-cuda13x": "14.2.0"},
            _cupy(None, 12040, 13020),
            ("a driver for CUDA 12.4", "built for CUDA 13.2", "install cupy-cuda12x in place of cupy-cuda13x"),
        ),
        ({"cupy-cuda13x": "14.2.0"}, _cupy(None, 13020, 13020), ("none that the driver shows", "nvidia-smi")),
        ({"cupy-cuda13x": "14.2.0"}, _cupy(1, 13020, 13020), ("an index below 1", "cuda:3")),
    ],
    ids=["no CuPy", "both wheels", "does not load", "no driver", "driver too old", "no GPU", "index"],
)
def test_why_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch, wheels: dict[str, str], cupy: Any, words: tuple[str, ...]
) -> None:
    _pretend(monkeypatch, wheels, cupy)
    for ask in (
        lambda: minigrad.zeros(2, device="cuda:3"),
        lambda: minigrad.ones(2).to("cuda:3"),
        lambda: minigrad.ones(2).cuda(3),
        lambda: minigrad.set_default_device("cuda:3"),
    ):
        with pytest.raises(DeviceError) as caught:
            ask()
        for word in words:
            assert word in str(caught.value)


def test_mixed_devices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere:
        """As much of a GPU array as the error needs."""

        ndim, shape, dtype, base, device = 1, (2,), np.dtype(np.float32), None, SimpleNamespace(id=1)
        __array_ufunc__ = None

        def __add__(self, other: Any) -> Any:
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")

        __radd__ = __add__

    monkeypatch.setattr(devices, "_MODULES", {**devices._MODULES, Elsewhere: ModuleType("cupy")})
    far = minigrad.Tensor._wrap(Elsewhere())
    with pytest.raises(DeviceError) as caught:
        minigrad.ones(2) + far
    for word in ("add", "(2,) on cpu", "(2,) on cuda:1", ".to('cuda:1')"):
        assert word in str(caught.value)


def test_quiet_is_as_quiet_as_errstate() -> None:
    zero = np.zeros(2, np.float32)
    before = np.geterr()
    with devices.quiet():
        assert np.geterr() == dict.fromkeys(("divide", "over", "under", "invalid"), "ignore")
        with devices.quiet():
            assert np.isnan(zero / zero).all()
        assert np.isinf(1 / zero).all()
    assert np.geterr() == before
    with pytest.warns(RuntimeWarning):
        zero / zero


def test_an_array_of_a_device_is_data_there() -> None:
    x = minigrad.tensor([1.0, 2.0], device="emulated")
    shared, copied = minigrad.as_tensor(x.array), minigrad.tensor(x.array)
    assert shared.array is x.array and copied.device == x.device
    x.add_(1)
    assert shared.tolist() == [2, 3] and copied.tolist() == [1, 2]
    assert minigrad.as_tensor(x.array, dtype=minigrad.int64, device="cpu").numpy().tolist() == [2, 3]
    joined = minigrad.tensor([x.array, [x.array[0], 7]], device="cpu")
    assert joined.dtype == minigrad.float32 and joined.tolist() == [[2, 3], [2, 7]]
