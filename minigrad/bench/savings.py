"""Kernels that save arithmetic: the share of a direct sum's operations that they do.

Winograd's convolution does 16 multiplications in place of 36. Counted as a direct sum, it may be faster than the machine can
be, and its share of the peak says nothing. So it must tell: the module of an implementation by a function
``arithmetic(function, **arguments)`` that gives the share done for these arguments; a kernel of the user's own by a number,
``forward.arithmetic = 16 / 36``.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any

from minigrad.bench.op import Call
from minigrad.kernels import contract_of, default_of, families, functions_of


def of_call(functions: Any, function: str, call: Call) -> float:
    """The share that an implementation does of one call, given as the contract passes it on; 1 where it saves nothing.

    Example:
        >>> import types
        >>> def forward(x): ...
        >>> forward.arithmetic = 16 / 36
        >>> round(of_call(types.SimpleNamespace(forward=forward), "forward", Call((1,))), 3)
        0.444
    """
    run = getattr(functions, function)
    told = getattr(functions, "arithmetic", None)
    if told is None:
        return float(getattr(run, "arithmetic", 1.0))
    return float(told(function, **inspect.signature(run).bind(*call.args, **call.kwargs).arguments))


def of_step(step: Callable[[], Any], choice: Mapping[str, str], device_type: str = "cpu") -> float:
    """The least share that any kernel does in a step, which is run once with these kernels chosen; 1 where none saves any."""
    shares: list[float] = [1.0]
    telling: dict[CodeType, Callable[[dict[str, Any]], float]] = {}
    for family in families():
        functions = functions_of(family, choice.get(family) or default_of(family, device_type), device_type)
        for name in contract_of(family).FUNCTIONS:
            run = getattr(functions, name)
            code, told = getattr(run, "__code__", None), getattr(functions, "arithmetic", None)
            if code is None:
                continue
            if told is not None:
                telling[code] = _bound(told, name)
            elif hasattr(run, "arithmetic"):
                telling[code] = _constant(run.arithmetic)

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code in telling:
            shares.append(telling[frame.f_code](frame.f_locals))

    before = sys.getprofile()
    if telling:
        sys.setprofile(look)
    try:
        step()
    finally:
        sys.setprofile(before)
    return min(shares)


def _bound(told: Callable[..., float], name: str) -> Callable[[dict[str, Any]], float]:
    return lambda arguments: float(told(name, **arguments))


def _constant(share: float) -> Callable[[dict[str, Any]], float]:
    return lambda arguments: float(share)
