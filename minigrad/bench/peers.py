"""Libraries that are timed beside minigrad: how each is loaded, told its number of threads, and read."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from minigrad.bench.row import Row
from minigrad.errors import ArgumentError
from minigrad.kernels.comparison import mapped


class Peer(Protocol):
    """A library beside us.

    Attributes:
        name: by which it is asked for.
        module: it.
        alike: whether it has PyTorch's names, so that our steps run with it as they are.
    """

    name: str
    module: Any
    alike: bool

    @property
    def version(self) -> str:
        """Which release it is."""

    def threads(self, count: int) -> contextlib.AbstractContextManager[None]:
        """So many threads inside a ``with`` block."""

    def arrays(self, value: Any) -> list[Any]:
        """A result, or several, as NumPy arrays."""

    def product(self, a: np.ndarray, b: np.ndarray) -> Any:
        """Its matrix product of two NumPy arrays."""


class Torch:
    """PyTorch on the CPU."""

    name = "torch"
    alike = True

    def __init__(self, module: Any) -> None:
        self.module = module

    @property
    def version(self) -> str:
        """See :class:`Peer`."""
        return str(self.module.__version__)

    @contextlib.contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """See :class:`Peer`."""
        before = self.module.get_num_threads()
        self.module.set_num_threads(count)
        try:
            yield
        finally:
            self.module.set_num_threads(before)

    def arrays(self, value: Any) -> list[Any]:
        """See :class:`Peer`."""
        several = list(value) if isinstance(value, (tuple, list)) else [value]
        return mapped(several, lambda each: each.detach().numpy() if hasattr(each, "detach") else each)

    def product(self, a: np.ndarray, b: np.ndarray) -> Any:
        """See :class:`Peer`."""
        return self.module.matmul(self.module.from_numpy(a), self.module.from_numpy(b))


class OnNumPy:
    """A library that computes through NumPy, and has names of its own: a workload says how its step is written with it."""

    alike = False

    def __init__(self, module: Any) -> None:
        self.module, self.name = module, module.__name__

    @property
    def version(self) -> str:
        """See :class:`Peer`."""
        return str(getattr(self.module, "__version__", "of unknown version"))

    def threads(self, count: int) -> contextlib.AbstractContextManager[None]:
        """See :class:`Peer`."""
        from threadpoolctl import threadpool_limits

        return threadpool_limits(count, user_api="blas")

    def arrays(self, value: Any) -> list[Any]:
        """See :class:`Peer`."""
        return [np.asarray(getattr(each, "data", each)) for each in (value if isinstance(value, (tuple, list)) else (value,))]

    def product(self, a: np.ndarray, b: np.ndarray) -> Any:
        """See :class:`Peer`."""
        return np.matmul(a, b)


KNOWN: dict[str, Callable[[Any], Peer]] = {"torch": Torch, "chainer": OnNumPy, "mygrad": OnNumPy, "tinygrad": OnNumPy}
INSTALL = {"torch": "Install it: pip install 'minigrad-engine[peer]'"}


def absent(asked: Collection[str]) -> dict[str, str]:
    """Why each library that is known is not among those asked for.

    Example:
        >>> "chainer" in absent(["torch"]), "torch" in absent(["torch"])
        (True, False)
    """
    return {name: _reason(name) for name in KNOWN if name not in asked}


def _reason(name: str) -> str:
    if name == "chainer" and int(np.__version__.split(".")[0]) >= 2:
        return "its last release, 7.8.1, does not load with NumPy 2"
    if importlib.util.find_spec(name) is None:
        return f"this Python does not have it. {INSTALL.get(name, f'Install it: pip install {name}')}"
    if name == "tinygrad" and shutil.which("clang") is None:
        return "it compiles with Clang, which is not here"
    return f"not asked for: --against {name}"


def without_a_row(rows: Sequence[Row], asked: Collection[str]) -> dict[str, str]:
    """What of ours a library that was asked for is not timed beside, as nobody has written it with that library.

    Example:
        >>> without_a_row([Row("update.norm", "char LSTM", "cpu", True, "float32", 2)], ["torch"])
        {'torch': 'nobody has written it for update.norm'}
    """
    found = {}
    for name in asked:
        there = {(row.what, row.shape) for row in rows if row.who == name}
        alone = dict.fromkeys(row.what for row in rows if row.ours and not row.refused and (row.what, row.shape) not in there)
        if alone:
            found[name] = f"nobody has written it for {', '.join(alone)}"
    return found


def load(name: str) -> Peer:
    """A peer by its name.

    Raises:
        ArgumentError: a name that is not known, or a library that is not installed or does not load.

    Example:
        >>> load("tensorsmith")
        Traceback (most recent call last):
            ...
        minigrad.errors.ArgumentError: bench: --against: expected one of torch, chainer, mygrad, tinygrad, got 'tensorsmith'.
    """
    if name not in KNOWN:
        raise ArgumentError("bench", "--against", f"one of {', '.join(KNOWN)}", repr(name))
    remedy = INSTALL.get(name, f"Install it: pip install {name}")
    if importlib.util.find_spec(name) is None:
        expected = f"a library that this Python has, to be timed beside minigrad: {name}"
        raise ArgumentError("bench", "--against", expected, "a Python without it", remedy)
    try:
        return KNOWN[name](importlib.import_module(name))
    except Exception as error:  # a library of another kind may fail to load in any way
        got = f"{type(error).__name__}: {error}"
        raise ArgumentError("bench", "--against", f"{name} that loads", got, remedy) from error
