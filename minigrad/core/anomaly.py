"""Anomaly mode: where the first NaN or Inf was born, in the forward or the backward pass.

It is an observer of ops (``tape.Observer``), so it costs nothing while it is off. An op gives birth if its result holds a NaN
and none of its inputs does, or an Inf and its inputs are all finite; what came in with the user's own data is carried, not
born. For a backward pass the inputs are the gradients that arrive and what the op saved.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function, Observer, mode
from minigrad.core.tensor import Tensor
from minigrad.errors import AnomalyError


def user_line() -> str:
    """FILE:LINE of the innermost running line that stands outside minigrad (its models are inside no more than the user's)."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith("minigrad.") or name.startswith("minigrad.models"):
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Anomaly(Observer):
    """Notes the user's line on each node, and raises where NaN or Inf is born.

    Raises:
        AnomalyError: from within the op, or from within ``backward()``.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        self.running: list[Function] = []  # nodes whose backward runs now

    def forward(self, node: Function, args: tuple, outputs: tuple) -> None:
        if self.running:  # an op of a backward: the whole backward is judged when it is done
            outer = self.running[-1]
            node._line = f"{outer._line or user_line()}, in the backward of {outer.name()}"
            return
        node._line = user_line()
        if self.check_nan:
            inputs = [arg.array if isinstance(arg, Tensor) else arg for arg in args]
            results = [output.array for output in outputs if output is not None]
            self.judge(node, "forward", f"called at {node._line}", inputs, results)

    def before_backward(self, node: Function, grads: tuple) -> None:
        self.running.append(node)

    def backward(self, node: Function, grads: tuple, results: tuple | None) -> None:
        self.running.pop()
        if results is None or not self.check_nan:
            return
        arrived = [grad.array for grad in grads if grad is not None]
        held = (
            node._saved if isinstance(node._saved, list) else []
        )  # a checkpoint's promise was fulfilled by backward, or not asked
        saved = [kept.array if isinstance(kept, Tensor) else kept for kept, *_ in held]
        made = [result.array for result in results if isinstance(result, Tensor)]
        where = f"of the op called at {node._line}" if node._line else "of an op called outside anomaly mode"
        self.judge(node, "backward", where, [*arrived, *saved], made)

    def judge(self, node: Function, phase: str, where: str, inputs: list, results: list[Array]) -> None:
        for position, array in enumerate(results):
            if array.dtype.kind != "f" or array_module(array).isfinite(array).all():
                continue
            nan_in, inf_in = _kinds(inputs)
            nan_out, inf_out = _kinds([array])
            if (nan_out and not nan_in) or (inf_out and not inf_in and not nan_in):
                raise _born(node, phase, where, position, array, inputs, nan_out and not nan_in, inf_in)


def _kinds(values: Iterable[Any]) -> tuple[bool, bool]:
    """Whether there is a NaN among the values, and an Inf."""
    nan = inf = False
    for value in values:
        if isinstance(value, float):
            nan, inf = nan or value != value, inf or value in (float("inf"), -float("inf"))
        elif getattr(getattr(value, "dtype", None), "kind", "") == "f":
            xp = array_module(value)
            nan, inf = nan or bool(xp.isnan(value).any()), inf or bool(xp.isinf(value).any())
    return nan, inf


def _born(
    node: Function, phase: str, where: str, position: int, array: Array, inputs: list, nan: bool, inf_in: bool
) -> AnomalyError:
    xp = array_module(array)
    odd = xp.isnan(array) if nan else xp.isinf(array)
    first = tuple([int(i[0]) for i in xp.nonzero(odd)]) if array.ndim else ()
    kind = "NaN" if nan else "Inf"
    shapes = ", ".join([str(tuple(value.shape)) for value in inputs if hasattr(value, "shape")]) or "none"
    number = f" {position}" if position else ""
    what = ("result" if phase == "forward" else "gradient") + number
    place = f"the first at {first}" if array.ndim else "its only one"
    got = f"{kind} in {int(odd.sum())} of {array.size} elements, {place}, of shape {tuple(array.shape)}; inputs: {shapes}"
    before = "The inputs held Inf, but no NaN" if inf_in else "All inputs were finite"
    return AnomalyError(node.name(), f"{what} of {phase} {where}", "finite numbers", got, f"{before}: look at them there")


class set_detect_anomaly:  # noqa: N801 - PyTorch's name
    """Switch anomaly mode of this thread on or off: from now on when called, or inside the block in a ``with`` statement.

    Args:
        mode: on or off.
        check_nan: raise where NaN or Inf is born. Else the user's lines are noted only, for other errors to show.

    Example:
        >>> import minigrad
        >>> with minigrad.autograd.set_detect_anomaly(True):
        ...     minigrad.autograd.is_anomaly_enabled()
        True
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = _observers()
        kept = tuple([observer for observer in self._before if not isinstance(observer, Anomaly)])
        _set_observers((*kept, Anomaly(check_nan)) if mode else kept)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: Any) -> None:
        _set_observers(self._before)


class detect_anomaly:  # noqa: N801
    """Inside the block, raise ``AnomalyError`` where the first NaN or Inf is born: it names the op and the user's line.

    Everything runs slower: each result is looked at.

    Args:
        check_nan: as in ``set_detect_anomaly``.

    Raises:
        AnomalyError: from the op, or from ``backward()``.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([0.0, 1.0], requires_grad=True)
        >>> with minigrad.autograd.detect_anomaly():
        ...     x.sqrt().sum().backward()  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        minigrad.errors.AnomalyError: Sqrt: gradient of backward of the op called at ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._check_nan = check_nan
        self._switches: list[set_detect_anomaly] = []

    def __enter__(self) -> None:
        self._switches.append(set_detect_anomaly(True, self._check_nan))

    def __exit__(self, *_: Any) -> None:
        self._switches.pop().__exit__()


def _observers() -> tuple[Observer, ...]:
    return mode.observers


def _set_observers(observers: tuple[Observer, ...]) -> None:
    mode.observers = observers


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on in this thread. See ``set_detect_anomaly``."""
    return any(isinstance(observer, Anomaly) for observer in mode.observers)


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode is on and looks for NaN and Inf. See ``set_detect_anomaly``."""
    return any(isinstance(observer, Anomaly) and observer.check_nan for observer in mode.observers)
