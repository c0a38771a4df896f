"""Which implementation of a kernel family runs: the user's choice, and the check beside the reference.

Where nothing is chosen it is the family's default: see ``registry.py``. Others are chosen by name::

    with kernels.use(conv2d="reference"):
        ...
    MINIGRAD_KERNELS=conv2d=reference,pool2d=reference python train.py

A file of your own that calls :func:`register` is named there too, ``MINIGRAD_KERNELS=mine.py``: it is run once, before the
first kernel, and what it registers is chosen. A name that is unknown or cannot run here is an error that says why; nothing is
put in its place.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from minigrad.core.device import emulates
from minigrad.errors import KernelError
from minigrad.kernels.checks import truth
from minigrad.kernels.comparison import checked
from minigrad.kernels.own_files import load_file, loaded_files, unload_file
from minigrad.kernels.registry import contract_of, default_of, functions_of, implementations, lock, prepared, runnable

ENVIRONMENT = "MINIGRAD_KERNELS"
ENVIRONMENT_CHECK = "MINIGRAD_CHECK"


class _Choice(threading.local):
    """What this thread has chosen; ``None`` until its first kernel, or choice, when it is what the environment says."""

    names: dict[str, str] | None = None
    check = False


_choice = _Choice()


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
    functions = prepared.get(key)
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
        one = implementations(family).get(name) if isinstance(name, str) else None
        runnable(family, name, "emulated" if one is not None and one.device == "cuda" and emulates() else None)
    before = _names()
    _choice.names = {**before, **names}
    try:
        yield
    finally:
        _choice.names = before


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


def chosen() -> dict[str, str]:
    """The implementations that were chosen in this thread, by family; of the others the fastest runs.

    Example:
        >>> with use(random="reference"):
        ...     chosen()["random"]
        'reference'
    """
    return dict(_names())


def _names() -> dict[str, str]:
    if _choice.names is None:
        wish = os.environ.get(ENVIRONMENT_CHECK, "")
        if wish not in ("", "0", "1"):
            raise KernelError("kernels", ENVIRONMENT_CHECK, "0 or 1", repr(wish))
        _choice.names = _parse(os.environ.get(ENVIRONMENT, ""))
        _choice.check = wish == "1"
    return _choice.names


def _parse(text: str) -> dict[str, str]:
    """Families and names of a list of files and FAMILY=NAME; the files are run."""
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
        implementations(family)  # refuses a family that there is not
        names[family] = name
    chosen: dict[str, str] = {}
    for family, name in registered:
        if family not in names and family in chosen:
            expected, got = f"which to use, as in FILE.py,{family}={name}", f"files that register {chosen[family]} and {name}"
            raise KernelError("kernels", ENVIRONMENT, expected, got)
        chosen[family] = name
    return {**chosen, **names}


def _prepare(family: str, chosen: str | None, device_type: str, check: bool) -> Any:
    """The slow way of :func:`find`: import, look whether it runs, remember."""
    contract = contract_of(family)
    name = chosen or default_of(family, device_type)
    functions = functions_of(family, name, device_type)
    if check and name != "reference":
        reference = functions_of(family, "reference")
        optional = [each for each in getattr(contract, "OPTIONAL", ()) if hasattr(functions, each)]
        answers = {each: getattr(functions, each) for each in getattr(contract, "QUESTIONS", ()) if hasattr(functions, each)}
        functions = SimpleNamespace(
            __name__=f"{name} of {family}, checked",
            **{each: checked(family, name, each, functions, reference, contract) for each in (*contract.FUNCTIONS, *optional)},
            **answers,
        )
    with lock:
        prepared[family, chosen, device_type, check] = functions
    return functions
