"""Generators: who holds a random stream and how far it has been read. ``minigrad.kernels.random`` makes the numbers.

There is one stream definition for every device: the words of Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers:
as easy as 1, 2, 3"), four 64-bit words to a block. A stream is a *key*, and a place in it is the number of a *block*, so a
generator is two integers. Whoever draws calls ``reserve``, which gives the key and the first of so many blocks and moves on
past them; nobody else is given those blocks, in whatever thread they ask.

The key is the seed itself: ``manual_seed(s)`` gives the Philox key with the low word ``s mod 2**64`` and the high word 0,
and the place becomes block 0.
"""

from __future__ import annotations

import contextlib
import operator
import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.core.device import device as _device
from minigrad.errors import ArgumentError, DTypeError, StateError

DEFAULT_SEED = 67280421310721  # of Generator(), as in PyTorch
_WORD = 1 << 64
_MAGIC = int.from_bytes(b"philox64", "little")  # the first word of a state
_STATE_BYTES = 24


def _entropy() -> int:
    """53 bits from the operating system: a float64 holds such a seed exactly, and so does JSON."""
    return int.from_bytes(os.urandom(8), "little") >> 11


class Generator:
    """A random stream and the place reached in it. Draws from several threads at once get different numbers.

    Args:
        device: kept for PyTorch's sake; the stream is the same on every device, and serves tensors on any.

    Example:
        >>> import minigrad
        >>> g = minigrad.Generator().manual_seed(0)
        >>> state = g.get_state()
        >>> a = minigrad.rand(3, generator=g)
        >>> b = minigrad.rand(3, generator=g.set_state(state))
        >>> a.tolist() == b.tolist()
        True
    """

    def __init__(self, device: Any = "cpu") -> None:
        self._device = _device(device)
        self._lock = threading.Lock()
        self._seed = DEFAULT_SEED
        self._block = 0

    # ------------------------------------------------------------------ for those who draw

    def reserve(self, blocks: int) -> tuple[tuple[int, int], int]:
        """The key and the number of the first of ``blocks`` blocks that from now on belong to the caller.

        Example:
            >>> g = Generator().manual_seed(7)
            >>> g.reserve(10), g.reserve(1)
            (((7, 0), 0), ((7, 0), 10))
        """
        with self._lock:
            first = self._block
            self._block = (first + blocks) % _WORD
            return (self._seed, 0), first

    # ------------------------------------------------------------------ PyTorch's

    @property
    def device(self) -> _device:
        """The device it was made for."""
        return self._device

    def manual_seed(self, seed: int) -> Generator:
        """Go to the beginning of the stream of ``seed``, and return the generator.

        Args:
            seed: from -2**63 to 2**64 - 1; a negative one stands for ``2**64 + seed``.

        Raises:
            DTypeError: it is no integer.
            ArgumentError: it does not fit into 64 bits.
        """
        self._restart(_seed_word(seed))
        return self

    def seed(self) -> int:
        """Go to the beginning of a stream that the operating system's entropy chooses, and return its seed."""
        return self._restart(_entropy())

    def _restart(self, seed: int) -> int:
        with self._lock:
            self._seed, self._block = seed, 0
        return seed

    def initial_seed(self) -> int:
        """The seed at which the stream began, from 0 to 2**64 - 1."""
        return self._seed

    def get_state(self) -> np.ndarray:
        """Stream and place as 24 bytes (uint8): a mark, the seed and the number of the next block, 8 each, lowest first."""
        with self._lock:
            words = (_MAGIC, self._seed, self._block)
        return np.frombuffer(b"".join(word.to_bytes(8, "little") for word in words), dtype=np.uint8).copy()

    def set_state(self, new_state: Any) -> Generator:
        """Go to the stream and place of a state, and return the generator.

        Args:
            new_state: what ``get_state`` gave, as an array, a Tensor or bytes.

        Raises:
            StateError: it is no such thing.
        """
        mark, seed, block = _state_words(new_state)
        if mark != _MAGIC:
            raise StateError(
                "set_state", "new_state", "the state of a minigrad generator", "24 bytes that do not begin as one does"
            )
        with self._lock:
            self._seed, self._block = seed, block
        return self

    def clone_state(self) -> Generator:
        """Another generator at the same place of the same stream."""
        return Generator(self._device).set_state(self.get_state())

    # ------------------------------------------------------------------ copies: a lock cannot be copied

    def __getstate__(self) -> dict[str, Any]:
        return {"device": str(self._device), "state": self.get_state()}

    def __setstate__(self, data: dict[str, Any]) -> None:
        Generator.__init__(self, data["device"])
        self.set_state(data["state"])

    def __repr__(self) -> str:
        return f"<Generator device={self._device} seed={self._seed} block={self._block}>"


def _seed_word(seed: Any) -> int:
    try:
        if isinstance(seed, (bool, np.bool_)):
            raise TypeError
        number = operator.index(seed)
    except TypeError:
        raise DTypeError("manual_seed", "seed", "an integer", repr(seed)) from None
    if not -(_WORD // 2) <= number < _WORD:
        raise ArgumentError("manual_seed", "seed", "an integer from -2**63 to 2**64 - 1", str(number))
    return number % _WORD


def _state_words(state: Any) -> tuple[int, ...]:
    expected = f"{_STATE_BYTES} numbers of dtype uint8, as get_state gives"
    if isinstance(state, (bytes, bytearray)):
        raw = bytes(state)
    else:
        if not hasattr(state, "__array__"):
            raise StateError("set_state", "new_state", expected, type(state).__name__)
        array = np.asarray(state)
        if array.dtype != np.uint8 or array.ndim != 1:
            raise StateError("set_state", "new_state", expected, f"shape {array.shape} of {array.dtype}")
        raw = array.tobytes()
    if len(raw) != _STATE_BYTES:
        raise StateError("set_state", "new_state", expected, f"{len(raw)} of them")
    return tuple(int.from_bytes(raw[start : start + 8], "little") for start in range(0, _STATE_BYTES, 8))


# ---------------------------------------------------------------------- the generator of the process

default_generator = Generator()  # one for all threads, which take turns at its lock
default_generator.seed()


def generator_or_default(where: str, generator: Any) -> Generator:
    """``generator``, or the process's own for ``None``.

    Raises:
        DTypeError: it is neither.
    """
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise DTypeError(where, "generator", "a minigrad.Generator or None", type(generator).__name__)
    return generator


def manual_seed(seed: int) -> Generator:
    """Seed the default generator and return it. See ``Generator.manual_seed``.

    Example:
        >>> import minigrad
        >>> minigrad.manual_seed(0).initial_seed()
        0
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the operating system's entropy, and return the seed.

    Example:
        >>> import minigrad
        >>> minigrad.seed() == minigrad.initial_seed()
        True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator.

    Example:
        >>> import minigrad
        >>> minigrad.manual_seed(3).initial_seed() == minigrad.initial_seed() == 3
        True
    """
    return default_generator.initial_seed()


def get_rng_state() -> np.ndarray:
    """The state of the default generator, 24 bytes. See ``set_rng_state``."""
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Set the state of the default generator.

    Raises:
        StateError: it is no state that ``get_rng_state`` gave.

    Example:
        >>> import minigrad
        >>> state = minigrad.get_rng_state()
        >>> first = minigrad.rand(3)
        >>> minigrad.set_rng_state(state)
        >>> minigrad.rand(3).tolist() == first.tolist()
        True
    """
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True) -> Iterator[None]:
    """Leave the default generator after the block as it was before.

    Args:
        devices: accepted for PyTorch's sake: one stream serves all devices.
        enabled: ``False`` for a block without effect.

    Example:
        >>> import minigrad
        >>> g = minigrad.manual_seed(0)
        >>> with minigrad.random.fork_rng():
        ...     inside = minigrad.rand(2)
        >>> inside.tolist() == minigrad.rand(2).tolist()
        True
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)
