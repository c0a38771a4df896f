"""Devices and array modules: the one place that knows which array belongs where, and the only one that imports CuPy.

Nothing is probed at import. The array decides where an op runs: ``array_module(x)`` is NumPy for a NumPy array and CuPy for
a CuPy array, and every op and kernel is written against that module. Arrays of the device type ``"emulated"`` are those of
:mod:`minigrad.emulator.cupy`, which stands in for CuPy where there is no GPU.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import importlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DeviceError

Array = Any  # numpy.ndarray or cupy.ndarray: what lies under a Tensor

_MODULES: dict[type, ModuleType] = {np.ndarray: np}
_EMULATED: list[Any] = []  # the stand-in for CuPy, once it is loaded
TYPES = ("cpu", "cuda", "emulated")


def array_module(array: Array) -> Any:
    """The module that computes with this array: ``numpy``, or ``cupy`` for arrays on a GPU."""
    return _MODULES[type(array)]


def module_of(kind: type) -> Any:
    """The module that computes with arrays of this type."""
    return _MODULES[kind]


def special_functions(array: Array) -> Any:
    """The module of special functions (erf and its like) for this array: SciPy's, or CuPy's of the same names; loaded here."""
    if _MODULES[type(array)] in _EMULATED:
        return importlib.import_module("minigrad.emulator.cupyx").scipy.special
    return importlib.import_module("scipy.special" if type(array) is np.ndarray else "cupyx.scipy.special")


def empty_pinned(xp: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """A NumPy array in memory of the host of which a GPU of the module ``xp`` copies while the host goes on."""
    name = "minigrad.emulator.cupyx" if xp in _EMULATED else "cupyx"
    return importlib.import_module(name).empty_pinned(shape, dtype)


class quiet:  # noqa: N801 - it stands where np.errstate would
    """No NumPy warnings for inf and nan inside the block: an op gives them as silently as IEEE 754 does.

    What ``np.errstate(all="ignore")`` does, at a third of its cost: NumPy keeps the setting in a context variable, and the
    variable with its quiet value is looked up once. ``Function.apply`` does the same around every ``forward``.
    """

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = ERRORS.set(IGNORED)

    def __exit__(self, *_: Any) -> None:
        ERRORS.reset(self._token)


def _error_state() -> tuple[contextvars.ContextVar, Any]:
    """The context variable in which NumPy keeps its error handling, and the value that ignores all.

    A NumPy that keeps it elsewhere gets a variable that it does not know: then it warns, and all still works.
    """
    with np.errstate(all="ignore"):
        inside = contextvars.copy_context()
    known = [(variable, value) for variable, value in inside.items() if variable.name == "numpy.ufunc.extobj"]
    return known[0] if known else (contextvars.ContextVar("unknown"), None)


ERRORS, IGNORED = _error_state()


_NAME = re.compile(rf"({'|'.join(TYPES)})(?::(\d+))?")


class device:  # noqa: N801 - PyTorch's name
    """Where a tensor lives: ``device("cpu")``, ``device("cuda")``, ``device("cuda:1")``, ``device("cuda", 1)``.

    Args:
        type: ``"cpu"``, ``"cuda"`` or ``"emulated"``, with ``:index`` if wanted, or another device.
        index: which GPU, counted from 0.

    Raises:
        ArgumentError: the text names no device. (Whether the device is there is asked on its first use.)

    Example:
        >>> device("cuda:1").index
        1
        >>> device("cpu") == "cpu"
        True
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, type: str | device, index: int | None = None) -> None:
        if isinstance(type, device):
            index = type.index if index is None else index
            type = type.type
        match = _NAME.fullmatch(type) if isinstance(type, str) else None
        if match is None or (match[2] is not None and index is not None) or (index is not None and index < 0):
            got = repr(type) if index is None else f"{type!r}, index {index}"
            raise ArgumentError("device", "type", "'cpu', 'cuda', 'cuda:INDEX' or 'emulated'", got)
        self.type = match[1]
        self.index = int(match[2]) if match[2] is not None else index
        if self.type == "cpu" and self.index not in (None, 0):
            raise ArgumentError("device", "index", "none for 'cpu', which is one device", str(self.index))

    def _key(self) -> tuple[str, int]:
        return self.type, self.index or 0

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            try:
                other = device(other)
            except ArgumentError:
                return False
        return isinstance(other, device) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type={self.type!r})" if self.index is None else f"device(type={self.type!r}, index={self.index})"


CPU = device("cpu")


def device_of(array: Array) -> device:
    """The device on which an array lies."""
    if type(array) is np.ndarray:
        return CPU
    return _numbered(type_of(_MODULES.get(type(array))), array.device.id)


@functools.cache
def _numbered(kind: str, index: int) -> device:
    return device(kind, index)


def type_of(module: Any) -> str:
    """The type of device whose arrays a module computes with: ``"cpu"`` for NumPy."""
    return "cpu" if module is np else "emulated" if module in _EMULATED else "cuda"


def emulates() -> bool:
    """Whether the emulator has been asked for as a device."""
    return bool(_EMULATED)


def names_device(text: Any) -> bool:
    """Whether this is a device or the name of one, not a dtype."""
    return isinstance(text, device) or (isinstance(text, str) and text.partition(":")[0] in TYPES)


def module_for(where: device) -> Any:
    """The array module of a device.

    Of several GPUs this thread works on that one from then on, until it meets an array of another: :func:`follow`.

    Raises:
        DeviceError: it is asked for where it cannot run; the message says what is missing and how to get it.
    """
    if where.type == "cpu":
        return np
    module = _module_without_move(where)
    if not IN_USE:
        IN_USE.append(where)
    if where.index and not SEVERAL:
        SEVERAL.append(where)
    if SEVERAL:
        module.cuda.Device(where.index or 0).use()
    return module


def _module_without_move(where: device) -> Any:
    return _cupy(where) if where.type == "cuda" else _emulated(where)


IN_USE: list[device] = []  # the first device other than the CPU that was asked for; without one, nothing can be mixed
SEVERAL: list[device] = []  # the first GPU other than that of index 0 that was asked for; without one, all are on one


def follow(arrays: Iterable[Any]) -> None:
    """Let this thread work on the GPU of the first array that lies on one; asked only where there are ``SEVERAL``."""
    for array in arrays:
        module = _MODULES.get(type(array))
        if module is not None and module is not np:
            module.cuda.Device(array.device.id).use()
            return


def working_on() -> device:
    """The GPU on which this thread works; asked only where one is ``IN_USE``."""
    return _numbered(IN_USE[0].type, int(_module_without_move(IN_USE[0]).cuda.Device().id))


def on_device(value: Any) -> bool:
    """Whether this is an array of another device than the CPU, one that has been used."""
    return _MODULES.get(type(value), np) is not np


def places_of(arrays: Iterable[Any]) -> list[device]:
    """The devices on which those of the things given lie that are arrays, each once."""
    return list(dict.fromkeys(device_of(array) for array in arrays if type(array) in _MODULES))


def move(array: Array, where: device) -> Array:
    """The same numbers on another device; the array itself if it lies there already."""
    if device_of(array) == where:
        return array
    if where.type == "cpu":
        return to_host(array)
    if type(array) is not np.ndarray:
        array = to_host(array)
    module = module_for(where)
    with module.cuda.Device(where.index or 0):
        return module.asarray(array)


before_waiting: list[Callable[[], None]] = []  # done where the host is about to wait for a GPU: see kernels/doubts.py


def to_host(array: Array) -> np.ndarray:
    """The numbers of an array on a GPU as a NumPy array: the host waits for them."""
    for each in before_waiting:
        each()
    with array.device:
        return array.get()


def number(array: Array) -> Any:
    """The one number of an array as Python's: on a GPU the host waits for it."""
    return array.item() if type(array) is np.ndarray else to_host(array).item()


def _emulated(where: device) -> Any:
    """The stand-in for CuPy, loaded at its first use."""
    module = importlib.import_module("minigrad.emulator.cupy")
    count = module.cuda.runtime.getDeviceCount()
    if (where.index or 0) >= count:
        expected = f"an index below {count}, the number of emulated devices"
        raise DeviceError("device", "emulated", expected, str(where), "Choose another index")
    if module not in _EMULATED:
        _EMULATED.append(module)
        _MODULES[module.ndarray] = module
    return module


def _cupy(where: device) -> Any:
    """CuPy, if it is installed once, loads, sees a driver and a GPU of that index. All else is told apart here."""
    import importlib.metadata  # only here, since it costs more than all else of this file

    asked = f"a GPU for {str(where)!r}"
    wheels = {
        name: dist.version
        for dist in importlib.metadata.distributions()
        if (name := (dist.metadata["Name"] or "").lower()) in ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x")
    }
    if not wheels:
        raise DeviceError(
            "device",
            "cuda",
            asked,
            "no CuPy in this Python",
            "Install it for the driver's CUDA: pip install 'minigrad-engine[cuda12]' or '[cuda13]'; nvidia-smi names it",
        )
    if len(wheels) > 1:
        raise DeviceError(
            "device",
            "cuda",
            asked,
            f"{len(wheels)} CuPy packages that overwrite each other: {', '.join(sorted(wheels))}",
            f"pip uninstall {' '.join(sorted(wheels))}, then install the one for the driver's CUDA",
        )
    name = next(iter(wheels))
    try:
        import cupy
    except Exception as error:
        raise DeviceError(
            "device", "cuda", asked, f"{name} {wheels[name]} that does not load ({error})", "Reinstall it"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise _driver_error(cupy, asked, name, error) from error
    if (where.index or 0) >= count:
        raise DeviceError(
            "device", "cuda", f"an index below {count}, the number of GPUs here", str(where), "Choose another index"
        )
    _MODULES[cupy.ndarray] = cupy
    return cupy


def _driver_error(cupy: Any, asked: str, wheel: str, error: Exception) -> DeviceError:
    """Tell 'no driver' from 'a driver too old for this CuPy' from 'no GPU'."""
    needs = cupy.cuda.runtime.runtimeGetVersion()
    try:
        has = cupy.cuda.runtime.driverGetVersion()
    except Exception:
        has = 0

    def version(number: int) -> str:
        return f"{number // 1000}.{number % 1000 // 10}"

    if has == 0:
        return DeviceError("device", "cuda", asked, "no NVIDIA driver", "Install the driver, or use device='cpu'")
    if has // 1000 < needs // 1000:
        return DeviceError(
            "device",
            "cuda",
            asked,
            f"a driver for CUDA {version(has)} under {wheel}, which was built for CUDA {version(needs)}",
            f"Update the driver, or install cupy-cuda{has // 1000}x in place of {wheel}",
        )
    return DeviceError(
        "device", "cuda", asked, f"none that the driver shows ({error})", "See what nvidia-smi says, or use device='cpu'"
    )


class _Default(threading.local):
    device: device | None = None


_default = _Default()


def get_default_device() -> device:
    """The device on which new tensors are made: ``set_default_device``, else ``MINIGRAD_DEVICE``, else the CPU.

    Example:
        >>> import minigrad
        >>> with minigrad.default_device("cpu"):
        ...     minigrad.get_default_device()
        device(type='cpu')
    """
    if _default.device is not None:
        return _default.device
    name = os.environ.get("MINIGRAD_DEVICE")
    if not name:
        return CPU
    try:
        return device(name)
    except ArgumentError as error:
        raise ArgumentError("MINIGRAD_DEVICE", error.argument, error.expected, error.got, error.remedy) from error


def set_default_device(where: str | device | None) -> None:
    """Make new tensors of this thread on ``where``; ``None`` goes back to ``MINIGRAD_DEVICE`` or the CPU.

    Raises:
        DeviceError: the device is not there.

    Example:
        >>> set_default_device("cpu")
        >>> set_default_device(None)
    """
    chosen = None if where is None else device(where)
    if chosen is not None:
        module_for(chosen)
    _default.device = chosen


@contextlib.contextmanager
def default_device(where: str | device) -> Iterator[None]:
    """Make new tensors on ``where`` inside a ``with`` block.

    Raises:
        DeviceError: the device is not there.

    Example:
        >>> with default_device("cpu"):
        ...     get_default_device()
        device(type='cpu')
    """
    before = _default.device
    set_default_device(where)
    try:
        yield
    finally:
        _default.device = before
