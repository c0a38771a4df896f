"""What the contract sees to before an implementation is called: that sequences, settings and numbers of steps fit together.

Each function raises the errors that the contract's functions list, and names the argument as they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.device import SEVERAL, Array, device_of, follow
from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels.checks import integers
from minigrad.kernels.update.held import Held, check_array, check_writable, hold, plain

Arrays = Sequence[Array]


def ready(where: str, grads: Arrays, **sequences: Arrays) -> Sequence[Held]:
    """The sequences as what has been checked, and the gradients beside them."""
    held: Any = tuple(sequences.values())
    params = held[0]
    if type(params) is not Held or not all(map(params.goes_with, held)):
        held = hold(where, **sequences)
        params = held[0]
    kinds = set(map(type, grads))
    if kinds == {params.kind} and [g.shape for g in grads] == params.shapes and [g.dtype for g in grads] == params.dtypes:
        if params.kind is np.ndarray or all(device_of(g) == device_of(x) for g, x in zip(grads, params)):
            return held
    elif not kinds and not params:
        return held
    name = "currents" if where == "lerp" else "grads"
    if len(grads) != len(params):
        raise ShapeError(where, name, f"{len(params)} arrays, as there are {next(iter(sequences))}", str(len(grads)))
    for place, (g, x) in enumerate(zip(grads, params, strict=True)):
        check_array(where, f"{name}[{place}]", g, x)
        if g.shape != x.shape:
            raise ShapeError(
                where, f"{name}[{place}]", "the shape of its parameter", f"{g.shape} of a parameter of shape {x.shape}"
            )
    return held


def all_there(where: str, *, beside: Held, **states: Held) -> None:
    """See that states which may not be left away are there for each parameter."""
    for name, state in states.items():
        if len(state) != len(beside):
            raise ShapeError(where, name, f"{len(beside)} arrays, as there are parameters", str(len(state)))


def alike(where: str, name: str, arrays: Arrays, written: bool = False) -> str:
    """See that all are arrays of one dtype on one device, and may be written if they are to be; the device's type."""
    if plain(arrays):
        return "cpu"
    for place, array in enumerate(arrays):
        label = f"{name}[{place}]"
        check_array(where, label, array, arrays[0])
        if written:
            check_writable(where, label, array)
    if SEVERAL:
        follow(arrays)
    return device_of(arrays[0]).type if len(arrays) else "cpu"


def step_numbers(where: str, steps: Sequence[int], params: Held) -> tuple[int, ...]:
    """The numbers of the steps as Python's integers, one for each parameter."""
    expected = f"{len(params)} whole numbers, 1 or more: one for each parameter"
    found = integers(where, "steps", steps, expected, 1) if len(params) else ()
    if len(found) != len(params):
        raise ArgumentError(where, "steps", expected, str(list(steps)))
    return found
