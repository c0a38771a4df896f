"""Which implementations of a kernel family there are: the table, and what is registered from a user's own file.

A family is a folder (``conv2d``) whose ``__init__.py`` is the contract: it checks the arguments and calls the functions of one
implementation. An implementation is anything with the functions that the contract lists in ``FUNCTIONS``: a module of the
family's folder, or functions that a user registers from a file of their own. Nothing is imported before its first use.

The first of a family's implementations that runs on the arrays' device is the default; ``choice.py`` has how another is chosen.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from minigrad.core.device import device, module_for
from minigrad.errors import DeviceError, KernelError


@dataclass(frozen=True)
class Implementation:
    """One way to do what a family's contract asks.

    Attributes:
        module: where its functions are, or ``""`` for one that a user registered.
        device: ``"cpu"``, ``"cuda"``, or ``"any"`` for code written against the arrays' module. What runs on ``"cuda"`` runs on
            ``"emulated"`` too.
        needs: packages that must be importable.
        functions: what a user registered.
        base: the implementation that gives the functions which the user did not.
    """

    module: str
    device: str = "cpu"
    needs: tuple[str, ...] = ()
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    base: str | None = None

    def runs_on(self, device_type: str) -> bool:
        """Whether arrays of this kind of device can be given to it."""
        return self.device in ("any", device_type) or (self.device == "cuda" and device_type == "emulated")


# Families and their implementations, the default first. Every family has a reference.
TABLE: dict[str, dict[str, Implementation]] = {
    "conv2d": {
        "winograd4": Implementation("minigrad.kernels.conv2d.winograd4", "cpu", ("numba",)),
        "winograd": Implementation("minigrad.kernels.conv2d.winograd", "cpu", ("numba",)),
        "cpu": Implementation("minigrad.kernels.conv2d.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.conv2d.gpu", "cuda"),
        "tf32": Implementation("minigrad.kernels.conv2d.tf32", "cuda"),
        "im2col": Implementation("minigrad.kernels.conv2d.im2col", "any"),
        "vectorised": Implementation("minigrad.kernels.conv2d.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.conv2d.reference"),
    },
    "pool2d": {
        "cpu": Implementation("minigrad.kernels.pool2d.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.pool2d.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.pool2d.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.pool2d.reference"),
    },
    "activation": {
        "cpu": Implementation("minigrad.kernels.activation.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.activation.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.activation.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.activation.reference"),
    },
    "matmul": {
        "cpu": Implementation("minigrad.kernels.matmul.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.matmul.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.matmul.reference"),
    },
    "elementwise": {
        "cpu": Implementation("minigrad.kernels.elementwise.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.elementwise.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.elementwise.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.elementwise.reference"),
    },
    "sums": {
        "cpu": Implementation("minigrad.kernels.sums.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.sums.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.sums.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.sums.reference"),
    },
    "norm": {
        "cpu": Implementation("minigrad.kernels.norm.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.norm.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.norm.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.norm.reference"),
    },
    "softmax": {
        "cpu": Implementation("minigrad.kernels.softmax.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.softmax.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.softmax.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.softmax.reference"),
    },
    "leading": {
        "cpu": Implementation("minigrad.kernels.leading.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.leading.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.leading.reference"),
    },
    "embedding": {
        "cpu": Implementation("minigrad.kernels.embedding.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.embedding.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.embedding.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.embedding.reference"),
    },
    "lstm": {
        "cpu": Implementation("minigrad.kernels.lstm.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.lstm.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.lstm.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.lstm.reference"),
    },
    "gru": {
        "cpu": Implementation("minigrad.kernels.gru.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.gru.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.gru.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.gru.reference"),
    },
    "rnn": {
        "cpu": Implementation("minigrad.kernels.rnn.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.rnn.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.rnn.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.rnn.reference"),
    },
    "random": {
        "numpy": Implementation("minigrad.kernels.random.numpy_engine"),
        "cuda": Implementation("minigrad.kernels.random.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.random.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.random.reference"),
    },
    "update": {
        "cpu": Implementation("minigrad.kernels.update.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.update.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.update.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.update.reference"),
    },
    "row_update": {
        "cpu": Implementation("minigrad.kernels.row_update.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.row_update.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.row_update.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.row_update.reference"),
    },
    "boxes": {
        "cpu": Implementation("minigrad.kernels.boxes.cpu", "cpu", ("numba",)),
        "cuda": Implementation("minigrad.kernels.boxes.gpu", "cuda"),
        "vectorised": Implementation("minigrad.kernels.boxes.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.boxes.reference"),
    },
}

lock = threading.Lock()  # guards what is registered and prepared
registered: dict[str, dict[str, Implementation]] = {}
prepared: dict[tuple[str, str | None, str, bool], Any] = {}  # what ``choice.find`` has at hand of what stands here


class _Recording(threading.local):
    """What this thread registers, while :func:`recorded` asks for it."""

    into: list[tuple[str, str]] | None = None


_recording = _Recording()


def register(family: str, name: str, *, device: str = "cpu", base: str | None = None, **functions: Callable[..., Any]) -> None:
    """Add an implementation from a file of your own; choose it with ``kernels.use``.

    Args:
        family: ``"conv2d"`` and so on: see :func:`families`.
        name: a name that the family does not have yet.
        device: ``"cpu"``, ``"cuda"`` or ``"any"``: the arrays that your functions take.
        base: the implementation that gives the functions you do not; by default the family's default for that device.
        functions: functions of the family's contract, with the contract's arguments.

    Raises:
        KernelError: an unknown family, base or function, or a name that is taken.

    Example:
        >>> def forward(x, w, bias=None, **geometry):
        ...     raise NotImplementedError("to be written")
        >>> register("conv2d", "mine", forward=forward)
        >>> "mine" in available("conv2d")
        True
        >>> unregister("conv2d", "mine")
    """
    contract = contract_of(family)
    if device not in ("cpu", "cuda", "any"):
        raise KernelError("kernels.register", "device", "'cpu', 'cuda' or 'any'", repr(device))
    besides = (*getattr(contract, "OPTIONAL", ()), *getattr(contract, "QUESTIONS", ()))
    unknown = sorted(set(functions) - {*contract.FUNCTIONS, *besides})
    if unknown or not functions:
        known, got = ", ".join((*contract.FUNCTIONS, *besides)), ", ".join(unknown) or "none"
        raise KernelError("kernels.register", "functions", f"some of {known}", got)
    if base is not None:
        _named(family, base)
    with lock:
        if name in _all(family):
            expected = f"one that {family} does not have yet"
            raise KernelError("kernels.register", "name", expected, repr(name), "Unregister it first")
        registered.setdefault(family, {})[name] = Implementation("", device, (), dict(functions), base)
        prepared.clear()
    if _recording.into is not None:
        _recording.into.append((family, name))


def unregister(family: str, name: str) -> None:
    """Take away an implementation that :func:`register` added.

    Raises:
        KernelError: nothing was registered under that name.

    Example:
        >>> register("random", "mine", base="reference", words=lambda key, block, n, xp: xp.zeros(n, "uint64"))
        >>> unregister("random", "mine")
    """
    with lock:
        if name not in registered.get(family, {}):
            there = ", ".join(registered.get(family, {})) or "none"
            raise KernelError("kernels.unregister", "name", f"one registered for {family} ({there})", repr(name))
        del registered[family][name]
        prepared.clear()


@contextlib.contextmanager
def recorded() -> Iterator[list[tuple[str, str]]]:
    """The (family, name) of all that this thread registers inside a ``with`` block, as a list that grows."""
    before, found = _recording.into, list[tuple[str, str]]()
    _recording.into = found
    try:
        yield found
    finally:
        _recording.into = before


def functions_of(family: str, name: str, device_type: str = "cpu") -> Any:
    """The functions of a named implementation as they are, without choice and check: attributes named as in ``FUNCTIONS``.

    Raises:
        KernelError: an unknown family or name, or an implementation that cannot run here, with the reason.

    Example:
        >>> functions_of("conv2d", "reference").forward.__module__
        'minigrad.kernels.conv2d.reference'
    """
    one = runnable(family, name, device_type)
    if one.module:
        return importlib.import_module(one.module)
    rest = functions_of(family, one.base or default_of(family, device_type), device_type)
    contract = contract_of(family)
    merged = {each: getattr(rest, each) for each in contract.FUNCTIONS}
    for each, (plain, _) in getattr(contract, "OPTIONAL", {}).items():
        if plain not in one.functions and hasattr(rest, each):  # the base's own two things at once
            merged[each] = getattr(rest, each)
    merged |= one.functions
    if hasattr(rest, "tolerance"):  # it holds for what is the base's
        merged |= {"tolerance": rest.tolerance, "registered": frozenset(one.functions)}
    return SimpleNamespace(__name__=f"registered for {family}", **merged)


def runnable(family: str, name: str, device_type: str | None = None) -> Implementation:
    """A named implementation, where it can run here: on one kind of device if that is named.

    Raises:
        KernelError: an unknown family or name, or an implementation that cannot run here, with the reason.

    Example:
        >>> runnable("conv2d", "reference").device
        'cpu'
    """
    one = _named(family, name)
    if device_type is not None and not one.runs_on(device_type):
        reason = f"it takes arrays on {one.device}, and these are on {device_type}"
    else:
        reason = _reason(one, device_type)
    if reason:
        expected = f"one that runs here ({', '.join(available(family, device_type)) or 'there is none'})"
        raise KernelError("kernels", family, expected, f"{name!r}, which does not: {reason}")
    return one


def contract_of(family: str) -> Any:
    """A family's contract: the module with ``FUNCTIONS``, ``tolerance`` and the checked functions.

    Raises:
        KernelError: an unknown family.

    Example:
        >>> contract_of("conv2d").FUNCTIONS
        ('forward', 'grad_input', 'grad_weight')
    """
    return importlib.import_module(_contract_name(family))


def default_of(family: str, device_type: str = "cpu") -> str:
    """The name of the implementation that runs a family on a device where none is chosen.

    Raises:
        KernelError: an unknown family, or none for that device.

    Example:
        >>> default_of("random")
        'numpy'
    """
    _contract_name(family)
    for name, one in TABLE[family].items():
        if one.runs_on(device_type):
            return name
    raise KernelError("kernels", family, f"an implementation for {device_type}", "none", "Move the arrays to another device")


def families() -> list[str]:
    """The names of all kernel families.

    Example:
        >>> "conv2d" in families()
        True
    """
    return list(TABLE)


def implementations(family: str) -> dict[str, Implementation]:
    """All implementations of a family by name, whether they can run here or not; defaults first.

    Raises:
        KernelError: an unknown family.

    Example:
        >>> implementations("conv2d")["reference"].module
        'minigrad.kernels.conv2d.reference'
    """
    _contract_name(family)
    return _all(family)


def available(family: str, device_type: str | None = None) -> list[str]:
    """The names of a family's implementations that can run here, on one kind of device if it is named.

    Raises:
        KernelError: an unknown family.

    Example:
        >>> available("random", "cpu")
        ['numpy', 'vectorised', 'reference']
    """
    return [
        name
        for name, one in implementations(family).items()
        if (device_type is None or one.runs_on(device_type)) and not _reason(one, device_type)
    ]


def reason_not_available(family: str, name: str, device_type: str | None = None) -> str:
    """Why an implementation cannot run here, on one kind of device if that is named; or ``""`` where it can.

    Raises:
        KernelError: an unknown family or name.

    Example:
        >>> reason_not_available("conv2d", "reference")
        ''
    """
    return _reason(_named(family, name), device_type)


def _contract_name(family: str) -> str:
    if not isinstance(family, str) or family not in TABLE:
        raise KernelError("kernels", "family", f"one of {', '.join(TABLE)}", repr(family))
    return f"{__package__}.{family}"


def _all(family: str) -> dict[str, Implementation]:
    return {**TABLE[family], **registered.get(family, {})}


def _named(family: str, name: str) -> Implementation:
    one = implementations(family).get(name) if isinstance(name, str) else None
    if one is None:
        raise KernelError("kernels", family, f"one of {', '.join(available(family))}", repr(name))
    return one


def _reason(one: Implementation, device_type: str | None = None) -> str:
    missing = [name for name in one.needs if importlib.util.find_spec(name) is None]
    if missing:
        return f"it needs {', '.join(missing)}, which this Python does not have"
    if one.device == "cuda" and device_type != "emulated":
        try:
            module_for(device("cuda"))
        except DeviceError as error:
            return f"it runs on a GPU, and {error.got} was found"
    return ""
