"""The stand-in for CuPy refuses what CuPy refuses, and gives what CuPy gives."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minigrad.emulator import cupy as cp
from minigrad.emulator.cupy import memory
from minigrad.emulator.cupyx import scipy as cupy_scipy

windows = cp.lib.stride_tricks.sliding_window_view
X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def x() -> Any:
    return cp.asarray(X)


REFUSED: list[tuple[str, Callable[[Any], Any], type[Exception], str]] = [
    ("np.asarray", lambda x: np.asarray(x), TypeError, "Implicit conversion"),
    ("math with a NumPy array", lambda x: x + X, TypeError, "Unsupported type <class 'numpy.ndarray'>"),
    ("math of a NumPy array", lambda x: X + x, TypeError, "Unsupported type"),
    ("ufunc of a list", lambda x: cp.add(x, [1, 2, 3]), TypeError, "Unsupported type <class 'list'>"),
    ("function of a NumPy array", lambda x: cp.sum(X), TypeError, "Unsupported type"),
    ("concatenate with a NumPy array", lambda x: cp.concatenate([x, X]), TypeError, "Unsupported type"),
    ("sum(where=)", lambda x: cp.sum(x, where=x > 0), TypeError, "where"),
    ("max(initial=)", lambda x: x.max(initial=0), TypeError, "initial"),
    ("sum(where=) as a method", lambda x: x.sum(where=x > 0), TypeError, "where"),
    ("take(mode=)", lambda x: cp.take(x, cp.asarray([0]), mode="clip"), TypeError, "mode"),
    ("clip(min=)", lambda x: cp.clip(x, min=0, max=1), TypeError, "max, min"),
    ("clip of five", lambda x: cp.clip(x, 0, 1, None, None), TypeError, "takes 4 positional arguments in CuPy, and 5 came"),
    ("argsort(stable=)", lambda x: cp.argsort(x, stable=True), TypeError, "stable"),
    ("ufunc(where=)", lambda x: cp.exp(x, where=x > 0), TypeError, "where"),
    ("no insert", lambda x: cp.insert, AttributeError, "no attribute 'insert' in CuPy 13 and 14"),
    ("no errstate", lambda x: cp.errstate, AttributeError, "errstate"),
    ("no einsum_path", lambda x: cp.einsum_path, AttributeError, "einsum_path"),
    ("put_along_axis of 14 only", lambda x: cp.put_along_axis, AttributeError, "in CuPy 13"),
    ("no ctypes", lambda x: x.ctypes, AttributeError, "ctypes"),
    ("no setflags", lambda x: x.setflags(write=False), AttributeError, "setflags"),
    ("write a NumPy array", lambda x: x.__setitem__(0, X[0]), ValueError, "non-scalar numpy.ndarray"),
    ("one place twice", lambda x: x.__setitem__(cp.asarray([0, 0]), x), RuntimeError, "same place twice"),
    ("out of another size", lambda x: cp.exp(x, out=cp.empty((2, 2, 3), "f4")), ValueError, "mismatched"),
    ("out of NumPy", lambda x: cp.exp(x, out=np.empty((2, 3))), TypeError, "Output arguments"),
    ("out of a lower kind", lambda x: cp.exp(x, out=cp.empty((2, 3), "i4")), TypeError, "could not be coerced"),
    ("iadd of a higher kind", lambda x: cp.arange(3).__iadd__(0.5), TypeError, "could not be coerced"),
    ("add.at of int64", lambda x: cp.add.at(cp.zeros(3, "i8"), cp.asarray([0]), 1), TypeError, "int64"),
    ("multiply.at", lambda x: cp.multiply.at(x, 0, 2), NotImplementedError, "multiply.at"),
    ("hash", lambda x: hash(x), TypeError, "unhashable"),
    ("objects", lambda x: cp.array(["a"]), ValueError, "Unsupported dtype"),
    (
        "writeable windows",
        lambda x: windows(x, 2, 0, writeable=True),
        NotImplementedError,
        "Writeable views",
    ),
    ("item(index)", lambda x: x.item(0), TypeError, "item"),
]


@pytest.mark.parametrize(("call", "error", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(x: Any, call: Callable[[Any], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words.replace("(", r"\(").replace(".", r"\.")):
        call(x)


def test_reductions_give_arrays_without_dimensions(x: Any) -> None:
    for result in (
        x.sum(),
        cp.max(x),
        x.mean(),
        x.argmax(),
        cp.count_nonzero(x),
        cp.array_equal(x, x),
        cp.allclose(x, x),
        x[0, 0],
    ):
        assert type(result) is cp.ndarray and result.shape == ()


def test_results_lie_in_c_order(x: Any) -> None:
    turned = x.T
    assert not turned.flags.c_contiguous and turned.base is x
    for result in (turned + 1, cp.exp(turned), cp.where(turned > 1, turned, 0), turned.copy(), turned.cumsum(0)):
        assert result.flags.c_contiguous and result.base is None
    assert turned.copy("K").flags.f_contiguous and turned.astype("f8").flags.f_contiguous
    assert cp.empty_like(turned).flags.f_contiguous and cp.zeros_like(turned).strides == turned.strides


def test_views_share_memory_and_copies_do_not(x: Any) -> None:
    for part in (
        x[0],
        x[:, 1:],
        x.reshape(3, 2),
        x.T,
        x.ravel(),
        cp.expand_dims(x, 0),
        x.swapaxes(0, 1),
        x[None],
        x.view("i4"),
    ):
        assert part.base is x and cp.may_share_memory(part, x)
    for part in (x[cp.asarray([0])], x[x > 1], x.T.ravel(), x.copy(), x.take(cp.asarray([0])), x.flatten(), x + 0):
        assert part.base is None and not cp.may_share_memory(part, x)
    x[0][1] = 7
    assert x[0, 1] == 7


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda x: x + 1.0, "float32"),
        (lambda x: x + np.float64(1), "float64"),
        (lambda x: x * np.int64(2), "float64"),
        (lambda x: cp.arange(3) + 1.5, "float64"),
        (lambda x: cp.arange(3, dtype="i4") + 1, "int32"),
        (lambda x: cp.arange(3, dtype="i4") / 2, "float64"),
        (lambda x: cp.exp(cp.ones(2, "i1")), "float16"),
        (lambda x: x > 1, "bool"),
        (lambda x: cp.ones(3, bool).sum(), "int64"),
        (lambda x: x.mean(), "float32"),
        (lambda x: x.argmax(0), "int64"),
        (lambda x: cp.add(cp.arange(2), 1, dtype="f4"), "float32"),
        (lambda x: cupy_scipy.special.erf(x), "float32"),
        (lambda x: cupy_scipy.special.erf(x.astype("f2")), "float64"),
    ],
)
def test_dtypes_of_results(x: Any, make: Callable[[Any], Any], dtype: str) -> None:
    assert make(x).dtype == dtype


def test_integers_outside_go_round(x: Any) -> None:
    y = cp.arange(4)
    assert y[cp.asarray([5, -6])].tolist() == [1, 2]
    assert y.take(cp.asarray([7])).tolist() == [3]
    cp.add.at(z := cp.zeros(3, "f4"), cp.asarray([4, 1, 1]), cp.ones(3, "f4"))
    assert z.tolist() == [0, 3, 0]
    with pytest.raises(IndexError):
        y[5]


def test_memory_that_nothing_was_written_to_holds_nan() -> None:
    assert cp.isnan(cp.empty((3, 2))).all() and cp.isnan(cp.empty_like(cp.ones(3, "f4"))).all()
    assert (cp.empty(3, "i4") == -1).all()


def test_functions_of_numpy_come_here(x: Any) -> None:
    for result in (np.exp(x), np.sum(x), np.add(x, x), np.concatenate([x, x]), np.linalg.norm(x), np.zeros_like(x)):
        assert type(result) is cp.ndarray
    y = cp.zeros(2)
    np.add.at(y, cp.asarray([0, 0]), 1.0)
    assert y.tolist() == [2, 0]
    assert type(np.float32(2) * x) is cp.ndarray


def test_what_costs_time_is_counted(x: Any) -> None:
    with cp.counted() as seen:
        y = (x + 1).sum() * 2
    assert (seen.to_device, seen.to_host, seen.synchronisations) == (0, 0, 0) and seen.calls == 3
    for wait in (float, bool, int, lambda y: y.item(), lambda y: y.get(), lambda y: y.tolist(), repr):
        with cp.counted() as seen:
            wait(y)
        assert (seen.to_host, seen.synchronisations) == (1, 1)
    with cp.counted() as seen:
        x[x > 1], cp.nonzero(x), cp.cuda.Device().synchronize(), cp.cuda.Stream.null.synchronize()
    assert (seen.to_host, seen.synchronisations) == (0, 4)
    with cp.counted() as seen:
        cp.asarray(X), x[np.asarray([0])], x[[0, 1]], x.set(X)
    assert seen.to_device == 4


def test_memory_has_a_limit() -> None:
    pool = cp.get_default_memory_pool()
    used = pool.used_bytes()
    x = cp.ones(1024, "f4")
    assert pool.used_bytes() == used + 4096
    del x
    assert pool.used_bytes() == used and pool.free_bytes() >= 4096
    pool.free_all_blocks()
    assert pool.free_bytes() == 0
    pool.set_limit(size=used + (1 << 20))
    try:
        with pytest.raises(memory.OutOfMemoryError, match=r"Out of memory allocating 67,108,864 bytes .*limit set to"):
            cp.empty(1 << 24, "f4")
        assert isinstance(memory.OutOfMemoryError(1, 2), MemoryError)
    finally:
        pool.set_limit(size=0)
    cp.empty(1 << 20, "f4")


@pytest.mark.parametrize(("text", "limit"), [("1024", 1024), ("50%", memory.CAPACITY // 2), (None, 0)])
def test_a_limit_by_environment(text: str | None, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUPY_GPU_MEMORY_LIMIT", raising=False)
    if text is not None:
        monkeypatch.setenv("CUPY_GPU_MEMORY_LIMIT", text)
    assert memory.MemoryPool().get_limit() == limit


def test_a_limit_is_a_size_or_a_part() -> None:
    pool = memory.MemoryPool()
    pool.set_limit(fraction=0.25)
    assert pool.get_limit() == memory.CAPACITY // 4
    for both in ({}, {"size": 1, "fraction": 0.5}):
        with pytest.raises(ValueError, match="expected size or fraction, one of them, got"):
            pool.set_limit(**both)


def test_a_device_beyond_the_last_is_none() -> None:
    for use in (cp.cuda.Device(2).use, lambda: cp.cuda.runtime.setDevice(2), lambda: cp.cuda.runtime.getDeviceProperties(2)):
        with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorInvalidDevice"):
            use()


def test_time_between_events() -> None:
    start, end = cp.cuda.Event(), cp.cuda.Event()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="never recorded"):
        cp.cuda.get_elapsed_time(start, end)
    with cp.cuda.Stream() as stream:
        assert cp.cuda.get_current_stream() is stream
        start.record(), stream.record(end)
    assert cp.cuda.get_current_stream() is cp.cuda.Stream.null
    assert 0 <= cp.cuda.get_elapsed_time(start, end) < 1000


def test_what_the_stand_in_lacks_is_told(x: Any) -> None:
    with pytest.raises(NotImplementedError, match=r"cupy\.ElementwiseKernel: the stand-in for CuPy does not have it"):
        cp.ElementwiseKernel("T x", "T y", "y = x", "f")
    with pytest.raises(NotImplementedError, match="makes no array of given strides"):
        cp.ndarray((2,), memptr=x.data, strides=(8,))


def test_devices_do_not_mix() -> None:
    with cp.cuda.Device(1):
        far = cp.ones(3)
        assert far.device.id == 1 and (far + 1).device == cp.cuda.Device(1)
    near = cp.ones(3)
    for mix in (lambda: near + far, lambda: far + 1, lambda: cp.concatenate([near, far]), lambda: near.take(far)):
        with pytest.raises(ValueError, match="array device = 1 while current = 0"):
            mix()
    assert far.get().tolist() == [1, 1, 1]


def test_copies_of_python(x: Any) -> None:
    for twin in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert type(twin) is cp.ndarray and (twin == x).all() and not cp.may_share_memory(twin, x)


def test_importing_minigrad_does_not_load_it() -> None:
    code = "import minigrad, sys; print([name for name in sys.modules if 'emulator' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_threads_make_arrays_while_others_look_for_some() -> None:
    faults: list[BaseException] = []
    busy = threading.Event()

    def make() -> None:
        while not busy.is_set():
            kept = [cp.empty(3) for _ in range(50)]
            assert kept

    def look() -> None:
        try:
            for _ in range(300):
                assert memory.memory_at([1, 2]) == []
        except BaseException as fault:
            faults.append(fault)
        busy.set()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for work in (make, make, look)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert faults == []
