"""Which implementation of a kernel family runs: the table, the user's choice, and the check beside the reference.

A family is a folder (``conv2d``) whose ``__init__.py`` is the contract: it checks the arguments and calls the functions of one
implementation. An implementation is anything with the functions that the contract lists in ``FUNCTIONS``: a module of the
family's folder, or functions that a user registers from a file of their own. Nothing is imported before its first use.

The first of a family's implementations that runs on the arrays' device is the default. Others are chosen by name::

    with kernels.use(conv2d="reference"):
        ...
    MINIGRAD_KERNELS=conv2d=reference,pool2d=reference python train.py

A file of your own that calls :func:`register` is named there too, ``MINIGRAD_KERNELS=mine.py``: it is run once, before the
first kernel, and what it registers is chosen. A name that is unknown or cannot run here is an error that says why; nothing is
put in its place.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from minigrad.core.device import device, module_for
from minigrad.errors import DeviceError, KernelError
from minigrad.kernels.checks import truth
from minigrad.kernels.comparison import checked

ENVIRONMENT = "MINIGRAD_KERNELS"
ENVIRONMENT_CHECK = "MINIGRAD_CHECK"


@dataclass(frozen=True)
class Implementation:
    """One way to do what a family's contract asks.

    Attributes:
        module: where its functions are, or ``""`` for one that a user registered.
        device: ``"cpu"``, ``"cuda"``, or ``"any"`` for code written against the arrays' module.
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
        return self.device in ("any", device_type)


# Families and their implementations, the default first. Every family has a reference.
TABLE: dict[str, dict[str, Implementation]] = {
    "conv2d": {
        "winograd4": Implementation("minigrad.kernels.conv2d.winograd4", "cpu", ("numba",)),
        "winograd": Implementation("minigrad.kernels.conv2d.winograd", "cpu", ("numba",)),
        "cpu": Implementation("minigrad.kernels.conv2d.cpu", "cpu", ("numba",)),
        "im2col": Implementation("minigrad.kernels.conv2d.im2col", "any"),
        "reference": Implementation("minigrad.kernels.conv2d.reference"),
    },
    "pool2d": {
        "cpu": Implementation("minigrad.kernels.pool2d.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.pool2d.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.pool2d.reference"),
    },
    "activation": {
        "cpu": Implementation("minigrad.kernels.activation.cpu", "cpu", ("numba",)),
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
        "vectorised": Implementation("minigrad.kernels.elementwise.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.elementwise.reference"),
    },
    "sums": {
        "cpu": Implementation("minigrad.kernels.sums.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.sums.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.sums.reference"),
    },
    "norm": {
        "cpu": Implementation("minigrad.kernels.norm.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.norm.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.norm.reference"),
    },
    "softmax": {
        "cpu": Implementation("minigrad.kernels.softmax.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.softmax.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.softmax.reference"),
    },
    "embedding": {
        "cpu": Implementation("minigrad.kernels.embedding.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.embedding.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.embedding.reference"),
    },
    "lstm": {
        "cpu": Implementation("minigrad.kernels.lstm.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.lstm.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.lstm.reference"),
    },
    "gru": {
        "cpu": Implementation("minigrad.kernels.gru.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.gru.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.gru.reference"),
    },
    "rnn": {
        "cpu": Implementation("minigrad.kernels.rnn.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.rnn.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.rnn.reference"),
    },
    "random": {
        "numpy": Implementation("minigrad.kernels.random.numpy_engine"),
        "vectorised": Implementation("minigrad.kernels.random.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.random.reference"),
    },
    "update": {
        "cpu": Implementation("minigrad.kernels.update.cpu", "cpu", ("numba",)),
        "vectorised": Implementation("minigrad.kernels.update.vectorised", "any"),
        "reference": Implementation("minigrad.kernels.update.reference"),
    },
}

_lock = threading.Lock()  # guards _registered and the emptying of _ready
_registered: dict[str, dict[str, Implementation]] = {}
_ready: dict[tuple[str, str | None, str, bool], Any] = {}  # (family, chosen name, device, checked) -> its functions


def _parse(text: str) -> dict[str, str]:
    """Families and names of a list of files and FAMILY=NAME; the files are run."""
    from minigrad.kernels.own_files import load_file

    names: dict[str, str] = {}
    registered: list[tuple[str, str]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        family, equals, name = (piece.strip() for piece in part.partition("="))
        if part.endswith(".py"):
            registered += load_file(part)
            continue
        if not (family and equals and name):
            expected = "FAMILY=NAME or FILE.py, or several with commas between, as in conv2d=reference"
            raise KernelError("kernels", ENVIRONMENT, expected, repr(text))
        _contract_name(family)
        names[family] = name
    chosen: dict[str, str] = {}
    for family, name in registered:
        if family not in names and family in chosen:
            expected, got = f"which to use, as in FILE.py,{family}={name}", f"files that register {chosen[family]} and {name}"
            raise KernelError("kernels", ENVIRONMENT, expected, got)
        chosen[family] = name
    return {**chosen, **names}


class _Choice(threading.local):
    """What this thread has chosen; ``None`` until its first kernel, or choice, when it is what the environment says."""

    names: dict[str, str] | None = None
    check = False
    registering: list[tuple[str, str]] | None = None  # what :func:`recorded` records


_choice = _Choice()


def _names() -> dict[str, str]:
    if _choice.names is None:
        wish = os.environ.get(ENVIRONMENT_CHECK, "")
        if wish not in ("", "0", "1"):
            raise KernelError("kernels", ENVIRONMENT_CHECK, "0 or 1", repr(wish))
        _choice.names = _parse(os.environ.get(ENVIRONMENT, ""))
        _choice.check = wish == "1"
    return _choice.names


@contextlib.contextmanager
def wished(text: str) -> Iterator[None]:
    """What ``MINIGRAD_KERNELS=text`` does for a program, in a ``with`` block: in this thread and those that begin in it.

    Args:
        text: ``FAMILY=NAME`` and files of your own, with commas between.

    Raises:
        KernelError: it names what is unknown or cannot run here, or a file that cannot be run.

    Example:
        >>> with wished("conv2d=reference"):
        ...     find("conv2d").__name__
        'minigrad.kernels.conv2d.reference'
    """
    from minigrad.kernels.own_files import loaded_files, unload_file

    names, environment, files = _names(), os.environ.get(ENVIRONMENT), loaded_files()
    os.environ[ENVIRONMENT] = text
    try:
        _choice.names = wish = _parse(text)
        for family, name in wish.items():
            functions_of(family, name)
        yield
    finally:
        _choice.names = names
        del os.environ[ENVIRONMENT]
        if environment is not None:
            os.environ[ENVIRONMENT] = environment
        for path in loaded_files():
            if path not in files:
                unload_file(path)


@contextlib.contextmanager
def recorded() -> Iterator[list[tuple[str, str]]]:
    """The (family, name) of all that this thread registers inside a ``with`` block, as a list that grows."""
    before, registered = _choice.registering, list[tuple[str, str]]()
    _choice.registering = registered
    try:
        yield registered
    finally:
        _choice.registering = before


def find(family: str, device_type: str = "cpu") -> Any:
    """The functions of the implementation that runs ``family`` on a device now, in this thread.

    Raises:
        KernelError: the chosen implementation is unknown or cannot run.

    Example:
        >>> find("random").__name__
        'minigrad.kernels.random.numpy_engine'
    """
    names = _choice.names
    if names is None:
        names = _names()
    if not isinstance(family, str) or not isinstance(device_type, str):
        got = f"{type(family).__name__} and {type(device_type).__name__}"
        raise KernelError("kernels", "family, device_type", "two names, such as 'conv2d' and 'cpu'", got)
    key = (family, names.get(family), device_type, _choice.check)
    functions = _ready.get(key)
    return _prepare(*key) if functions is None else functions


@contextlib.contextmanager
def use(**names: str) -> Iterator[None]:
    """Choose implementations by family inside a ``with`` block, in this thread only. Blocks nest.

    Raises:
        KernelError: a family or name that does not exist, or an implementation that cannot run here, with the reason.

    Example:
        >>> with use(conv2d="reference"):
        ...     find("conv2d").__name__
        'minigrad.kernels.conv2d.reference'
    """
    for family, name in names.items():
        reason = _reason(_named(family, name))
        if reason:
            raise _unavailable(family, name, reason)
    before = _names()
    _choice.names = {**before, **names}
    try:
        yield
    finally:
        _choice.names = before


@contextlib.contextmanager
def checking(on: bool = True) -> Iterator[None]:
    """Run each kernel beside its reference inside a ``with`` block, as ``MINIGRAD_CHECK=1`` does for a whole program.

    Raises:
        KernelError: from the first kernel that differs by more than its contract allows, or that writes into an argument. It
            names the family, the function, the index, both values and the error.

    Example:
        >>> import numpy as np
        >>> from minigrad.kernels import conv2d
        >>> with checking():
        ...     y = conv2d.forward(np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3)))
        >>> y.item()
        9.0
    """
    truth("checking", on=on)
    _names()  # the environment's say comes first
    before = _choice.check
    _choice.check = on
    try:
        yield
    finally:
        _choice.check = before


def register(family: str, name: str, *, device: str = "cpu", base: str | None = None, **functions: Callable[..., Any]) -> None:
    """Add an implementation from a file of your own; choose it with :func:`use`.

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
    unknown = sorted(set(functions) - set(contract.FUNCTIONS))
    if unknown or not functions:
        known, got = ", ".join(contract.FUNCTIONS), ", ".join(unknown) or "none"
        raise KernelError("kernels.register", "functions", f"some of {known}", got)
    if base is not None:
        _named(family, base)
    with _lock:
        if name in _all(family):
            expected = f"one that {family} does not have yet"
            raise KernelError("kernels.register", "name", expected, repr(name), "Unregister it first")
        _registered.setdefault(family, {})[name] = Implementation("", device, (), dict(functions), base)
        _ready.clear()
    if _choice.registering is not None:
        _choice.registering.append((family, name))


def unregister(family: str, name: str) -> None:
    """Take away an implementation that :func:`register` added.

    Raises:
        KernelError: nothing was registered under that name.

    Example:
        >>> register("random", "mine", base="reference", words=lambda key, block, n, xp: xp.zeros(n, "uint64"))
        >>> unregister("random", "mine")
    """
    with _lock:
        if name not in _registered.get(family, {}):
            there = ", ".join(_registered.get(family, {})) or "none"
            raise KernelError("kernels.unregister", "name", f"one registered for {family} ({there})", repr(name))
        del _registered[family][name]
        _ready.clear()


def functions_of(family: str, name: str, device_type: str = "cpu") -> Any:
    """The functions of a named implementation as they are, without choice and check: attributes named as in ``FUNCTIONS``.

    Raises:
        KernelError: an unknown family or name, or an implementation that cannot run here, with the reason.

    Example:
        >>> functions_of("conv2d", "reference").forward.__module__
        'minigrad.kernels.conv2d.reference'
    """
    one = _named(family, name)
    if not one.runs_on(device_type):
        raise _unavailable(family, name, f"it takes arrays on {one.device}, and these are on {device_type}", device_type)
    reason = _reason(one)
    if reason:
        raise _unavailable(family, name, reason, device_type)
    return _load(family, one, device_type, contract_of(family))


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
    return _default(family, device_type)


def selected(family: str, device_type: str = "cpu") -> str:
    """The name of the implementation that runs a family on a device now, in this thread, chosen or default.

    Raises:
        KernelError: an unknown family, or none for that device.

    Example:
        >>> with use(random="reference"):
        ...     selected("random")
        'reference'
    """
    return _names().get(family) or default_of(family, device_type)


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
        if (device_type is None or one.runs_on(device_type)) and not _reason(one)
    ]


def reason_not_available(family: str, name: str) -> str:
    """Why an implementation cannot run here, or ``""`` where it can.

    Raises:
        KernelError: an unknown family or name.

    Example:
        >>> reason_not_available("conv2d", "reference")
        ''
    """
    return _reason(_named(family, name))


def _contract_name(family: str) -> str:
    if not isinstance(family, str) or family not in TABLE:
        raise KernelError("kernels", "family", f"one of {', '.join(TABLE)}", repr(family))
    return f"{__package__}.{family}"


def _all(family: str) -> dict[str, Implementation]:
    return {**TABLE[family], **_registered.get(family, {})}


def _named(family: str, name: str) -> Implementation:
    one = implementations(family).get(name) if isinstance(name, str) else None
    if one is None:
        raise KernelError("kernels", family, f"one of {', '.join(available(family))}", repr(name))
    return one


def _reason(one: Implementation) -> str:
    missing = [name for name in one.needs if importlib.util.find_spec(name) is None]
    if missing:
        return f"it needs {', '.join(missing)}, which this Python does not have"
    if one.device == "cuda":
        try:
            module_for(device("cuda"))
        except DeviceError as error:
            return f"it runs on a GPU, and {error.got} was found"
    return ""


def _unavailable(family: str, name: str, reason: str, device_type: str | None = None) -> KernelError:
    return KernelError(
        "kernels", family, f"one that runs here ({', '.join(available(family, device_type)) or 'there is none'})",
        f"{name!r}, which does not: {reason}",
    )  # fmt: skip


def _prepare(family: str, chosen: str | None, device_type: str, check: bool) -> Any:
    """The slow way of :func:`find`: import, look whether it runs, remember."""
    contract = contract_of(family)
    name = chosen or _default(family, device_type)
    functions = functions_of(family, name, device_type)
    if check and name != "reference":
        reference = _load(family, TABLE[family]["reference"], "cpu", contract)
        functions = SimpleNamespace(
            __name__=f"{name} of {family}, checked",
            **{each: checked(family, name, each, functions, reference, contract) for each in contract.FUNCTIONS},
        )
    with _lock:
        _ready[family, chosen, device_type, check] = functions
    return functions


def _default(family: str, device_type: str) -> str:
    for name, one in TABLE[family].items():
        if one.runs_on(device_type):
            return name
    raise KernelError("kernels", family, f"an implementation for {device_type}", "none", "Move the arrays to another device")


def _load(family: str, one: Implementation, device_type: str, contract: Any) -> Any:
    if one.module:
        return importlib.import_module(one.module)
    base_name = one.base or _default(family, device_type)
    base = _named(family, base_name)
    if not base.runs_on(device_type) or _reason(base):
        reason = _reason(base) or f"it takes arrays on {base.device}, and these are on {device_type}"
        raise _unavailable(family, base_name, reason, device_type)
    rest = _load(family, base, device_type, contract)
    merged = {name: one.functions.get(name) or getattr(rest, name) for name in contract.FUNCTIONS}
    if hasattr(rest, "tolerance"):  # it holds for what is the base's
        merged |= {"tolerance": rest.tolerance, "registered": frozenset(one.functions)}
    return SimpleNamespace(__name__=f"registered for {family}", **merged)
