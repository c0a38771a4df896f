"""A kernel beside its reference: run both, compare, and stop at the first value that differs. The registry switches it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core.device import CPU, Array, array_module, move, quiet
from minigrad.errors import KernelError


def checked(family: str, name: str, function: str, fast: Any, reference: Any, contract: Any) -> Callable[..., Any]:
    """A function of an implementation that compares each of its results with the reference's."""
    run, oracle = getattr(fast, function), getattr(reference, function)
    where = f"{name} of {family}"

    def run_both(*args: Any, **kwargs: Any) -> Any:
        copies = [_on_cpu(each) for each in args]
        copied = {key: _on_cpu(each) for key, each in kwargs.items()}
        got = run(*args, **kwargs)
        for position, (copy, given) in enumerate(zip([*copies, *copied.values()], [*args, *kwargs.values()], strict=True)):
            if isinstance(copy, np.ndarray) and not np.array_equal(copy, move(given, CPU), equal_nan=copy.dtype.kind == "f"):
                raise KernelError(where, function, "arguments left as they were", f"a changed argument {position}")
        want = oracle(*copies, **copied)
        with quiet():
            allowed = contract.tolerance(function, *copies, **copied)
        single = not isinstance(want, tuple)
        if isinstance(got, tuple) is single or not (single or len(got) == len(want)):
            count = 1 if single else len(want)
            raise KernelError(
                where, function, f"{count} result{'s' * (count > 1)}, as the reference gives", f"a {type(got).__name__}"
            )
        for number, (g, e, a) in enumerate(zip((got,) if single else got, (want,) if single else want, allowed, strict=True)):
            _compare(where, function if single else f"{function}, result {number}", g, e, a)
        return got

    return run_both


def _on_cpu(value: Any) -> Any:
    """A copy of an array on the CPU, with the array's strides order; anything else as it is."""
    if not hasattr(value, "__array_interface__") and not hasattr(value, "__cuda_array_interface__"):
        return value
    if isinstance(value, np.generic):
        return value
    return move(value, CPU).copy(order="K") if array_module(value) is np else move(value, CPU)


def _compare(where: str, function: str, got: Array, want: Array, allowed: Any) -> None:
    """Stop at the first value whose error is beyond what the contract allows; whole numbers must be equal."""
    found = getattr(got, "shape", None), getattr(got, "dtype", type(got).__name__)
    if found != (want.shape, want.dtype):
        expected = f"shape {want.shape} of {want.dtype}, as the reference gives"
        raise KernelError(where, function, expected, f"{found[0]} of {found[1]}")
    got = move(got, CPU)
    with quiet():
        same = (got == want) | ((got != got) & (want != want))
        error = np.abs(np.subtract(got, want, dtype=np.float64))
        wrong = ~same & ~(error <= allowed) if want.dtype.kind == "f" else ~same
    if not wrong.any():
        return
    index = tuple(int(each) for each in np.argwhere(wrong)[0])
    limit = np.broadcast_to(allowed, want.shape)[index]
    off = abs(got[index].item() - want[index].item())
    raise KernelError(
        where, f"{function} at index {index}", f"{want[index]!s} within {limit:.3g}, as the reference gives",
        f"{got[index]!s}, off by {off:.3g}; {int(wrong.sum())} of {wrong.size} values differ",
        f"The kernel is wrong, or its contract's tolerance; kernels.use({where.split(' of ')[1]}='reference') does without it",
    )  # fmt: skip
