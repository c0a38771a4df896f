"""How many threads work: one budget for our kernels and for BLAS.

It is what :func:`set_num_threads` says, else the environment's ``MINIGRAD_THREADS``, else as many as this process has cores,
by its affinity and by what its container pays for. A choice made for BLAS alone (``OPENBLAS_NUM_THREADS``,
``OMP_NUM_THREADS``, ``MKL_NUM_THREADS``) is left to BLAS as long as nobody chooses for all.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from minigrad.core.machine import cores
from minigrad.errors import ArgumentError

ENVIRONMENT = "MINIGRAD_THREADS"
MOST = 1024
BLAS_ENVIRONMENTS = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                     "VECLIB_MAXIMUM_THREADS")  # fmt: skip
WORTH_A_THREAD = 1 << 17  # bytes: below, waking another thread costs more than it saves (measured: 5 microseconds)
_EXPECTED = f"a whole number from 1 to {MOST}"


class _Budget:
    count: int | None = None  # until it is first asked for
    worth = WORTH_A_THREAD


_budget = _Budget()


def get_num_threads() -> int:
    """How many threads kernels and BLAS may use.

    Raises:
        ArgumentError: ``MINIGRAD_THREADS`` is no whole number above 0.

    Example:
        >>> get_num_threads() >= 1
        True
    """
    if _budget.count is None:
        wish = os.environ.get(ENVIRONMENT, "").strip()
        if wish:
            if not (wish.isascii() and wish.isdigit() and 0 < int(wish) <= MOST):
                raise ArgumentError("threads", ENVIRONMENT, _EXPECTED, repr(wish), f"Unset {ENVIRONMENT} to use all cores")
            _use(int(wish))
        else:
            found = cores()
            if found.usable != found.allowed and not any(os.environ.get(name) for name in BLAS_ENVIRONMENTS):
                _use(found.usable)  # BLAS knows the affinity, but not what a container pays for
            _budget.count = found.usable
    return _budget.count  # type: ignore[return-value]


def set_num_threads(count: int) -> None:
    """Let kernels and BLAS use so many threads, in the whole process, from their next call on.

    Raises:
        ArgumentError: ``count`` is no whole number above 0.

    Example:
        >>> before = get_num_threads()
        >>> set_num_threads(1); get_num_threads()
        1
        >>> set_num_threads(before)
    """
    if type(count) is not int or not 0 < count <= MOST:
        raise ArgumentError("set_num_threads", "count", _EXPECTED, repr(count))
    _use(count)


threads, set_threads = get_num_threads, set_num_threads  # as kernels call them: the other names are PyTorch's


@contextlib.contextmanager
def thread_count(count: int) -> Iterator[None]:
    """:func:`set_threads` inside a ``with`` block.

    Raises:
        ArgumentError: ``count`` is no whole number above 0.

    Example:
        >>> with thread_count(1):
        ...     threads()
        1
    """
    before = threads()
    set_threads(count)
    try:
        yield
    finally:
        set_threads(before)


def parts_for(work: int) -> int:
    """Into how many parts to divide a kernel that moves so many bytes, or the like: 1 where it is not worth a thread.

    Example:
        >>> parts_for(1000)
        1
        >>> parts_for(10**9) == threads()
        True
    """
    return 1 if work < _budget.worth else _budget.count or threads()


def grid_for(work: int, across: int, down: int) -> tuple[int, int]:
    """Into how many columns of parts to divide a matrix, and how many parts in all: see ``across`` and ``down``, the most.

    A column has ``down`` parts at most. Columns come first: what multiplies a few rows waits for the weights, of which each
    column of parts reads its own.

    Example:
        >>> grid_for(1000, 8, 10)
        (1, 1)
    """
    parts = parts_for(work)
    columns = max(each for each in range(1, parts + 1) if parts % each == 0 and each <= max(1, across))
    return columns, columns * max(1, min(parts // columns, down))


@contextlib.contextmanager
def divided(count: int) -> Iterator[None]:
    """Divide all work into ``count`` parts inside a ``with`` block, however little it is: so that small cases try it.

    Raises:
        ArgumentError: ``count`` is no whole number above 0.

    Example:
        >>> with divided(3):
        ...     parts_for(1000)
        3
    """
    before = _budget.worth
    with thread_count(count):
        _budget.worth = 1
        try:
            yield
        finally:
            _budget.worth = before


def _use(count: int) -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(count, user_api="blas")
    _budget.count = count
