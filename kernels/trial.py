"""An implementation on trial beside its reference: how a case of the family is turned into a call for either of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from minigrad.core.device import CPU, device, quiet
from minigrad.errors import KernelError
from minigrad.kernels.cases import Case, Result
from minigrad.kernels.comparison import (
    Call,
    Difference,
    bounds,
    difference_of_form,
    is_array,
    leaves,
    mapped,
    may_write,
    on_cpu,
    outcome,
    plain_of,
)  # fmt: skip
from minigrad.kernels.own_files import line_of
from minigrad.kernels.placement import PLAIN, Placed
from minigrad.kernels.registry import contract_of, functions_of
from minigrad.kernels.shuttle import shuttled

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


def cases_of(family: str) -> Any:
    """The module with a family's cases: see :mod:`minigrad.kernels.cases`.

    Raises:
        KernelError: the family has none.

    Example:
        >>> next(cases_of("conv2d").cases()).function
        'forward'
    """
    place = f"{contract_of(family).__name__}.cases"
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name != place:
            raise
        raise KernelError(
            "kernels check", family, f"cases in {place}", "no such file", "See minigrad/kernels/cases.py"
        ) from None


class Raised(Exception):
    """The implementation raised an exception; the text is what is told of it."""


class Lacking(Exception):
    """What is asked needs a function of an implementation that failed before; the text is its name."""


class Unmade(Raised):
    """A case cannot be made: the function that makes one of its arguments raised, or gave another thing than the reference.

    Args:
        case: that function's case.
        found: what it gave.
    """

    def __init__(self, case: Case, found: Difference) -> None:
        super().__init__(f"{case.function} failed")
        self.case, self.found = case, found


class Trial:
    """An implementation, its reference, its contract and its cases.

    Args:
        family, name: which implementation.
        where: the device whose arrays it shall be given.

    Raises:
        KernelError: an unknown family or name, one that cannot run there, or a family without cases.
        DeviceError: the device is not there.
    """

    def __init__(self, family: str, name: str, where: device = CPU) -> None:
        self.contract, self.where = contract_of(family), where
        self.own, self.reference = functions_of(family, name, where.type), functions_of(family, "reference")
        if where != CPU:
            self.own = shuttled(self.own, self.contract, where)
        self.module = cases_of(family)
        self.cases: list[Case] = [*self.module.cases()]
        self.cases += [each for case in self.cases for each in self._besides(case)]
        self._forms: dict[tuple[Case, np.dtype | None], list[Any]] = {}  # what the reference gives for arguments of other cases

    def _besides(self, case: Case) -> Iterator[Case]:
        """The same case for each of the contract's ``OPTIONAL`` that the implementation has, and that takes its arguments."""
        for function in getattr(self.contract, "OPTIONAL", ()):
            if plain_of(self.contract, function)[0] == case.function and hasattr(self.own, function):
                yield replace(case, function=function)

    def arguments(self, case: Case, dtype: np.dtype | None) -> tuple[Call, Call]:
        """What a case hands to the implementation, and what to the reference.

        Raises:
            Unmade: an argument that the implementation itself makes is not there, or is nothing to go on with.
        """

        def made(each: Any) -> Any:
            if not isinstance(each, Result):
                return as_dtype(each, dtype)
            call, beside = self.arguments(each.case, dtype)
            copies, function = on_cpu(call), each.case.function
            try:
                results = outcome(self.contract, function, self.run(each.case, copies), copies)
            except Raised as raised:
                raise Unmade(each.case, Difference("", "results", str(raised), True)) from raised
            if (each.case, dtype) not in self._forms:
                self._forms[each.case, dtype] = self.reference_outcome(each.case, beside)
            found = difference_of_form(self.contract, function, results, self._forms[each.case, dtype])
            if found is not None:
                raise Unmade(each.case, found)
            return numbered(results, each.number)

        call: Call = (mapped(case.args, made), mapped(dict(case.kwargs), made))
        return call, self.beside(case, call, dtype)

    def beside(self, case: Case, call: Call, dtype: np.dtype | None) -> Call:
        """A copy of a call for the reference: with what the reference itself keeps from function to function.

        The arrays are of the dtypes that the call has, but for a ``dtype`` of float64, in which all are.
        """
        wide = DOUBLE if dtype is DOUBLE else None

        def other(wish: Any, own: Any) -> Any:
            if isinstance(wish, (list, tuple)):
                return type(wish)([other(a, b) for a, b in zip(wish, own, strict=True)])
            if isinstance(wish, dict):
                return {key: other(each, own[key]) for key, each in wish.items()}
            if not isinstance(wish, Result):
                return as_dtype(on_cpu(own), wide)
            _, beside = self.arguments(wish.case, dtype)
            results = self.reference_outcome(wish.case, beside)
            return merged(own, numbered(results, wish.number), wide)

        return other(case.args, call[0]), other(dict(case.kwargs), call[1])

    def wanted(self, case: Case, beside: Call) -> tuple[list[Any], Any]:
        """What the reference gives, and how far from it a result may be."""
        allowed = bounds(self.own, self.contract, case.function, *beside)
        return self.reference_outcome(case, beside), allowed

    def reference_outcome(self, case: Case, call: Call) -> list[Any]:
        """What the reference gives; the call stays as it is."""
        copies: Call = on_cpu(call)
        plain, after = plain_of(self.contract, case.function)
        returned = getattr(self.reference, plain)(*copies[0], **copies[1])
        returned = returned if after is None else after(returned)
        return outcome(self.contract, case.function, returned, copies)

    def run(self, case: Case, call: Call) -> Any:
        """What the implementation returns.

        Raises:
            Raised: it raised an exception.
        """
        return guarded(getattr(self.own, case.function))(*call[0], **call[1])

    def placed(self, case: Case, call: Call, layout: str = PLAIN) -> Placed:
        """The call's arrays in memory of a layout, packed as the contract packs them."""
        placed = Placed(call, layout, may_write(self.contract, case.function))
        if hasattr(self.module, "prepare"):
            placed.call = self.module.prepare(plain_of(self.contract, case.function)[0], *placed.call)
        return placed


class Guarded:
    """An implementation whose functions raise nothing but :class:`Raised`, and which has not all of them.

    Args:
        functions: the implementation.
        broken: those that it is without; ``last`` is set to their name, as to that of any other.
    """

    def __init__(self, functions: Any, broken: Collection[str] = ()) -> None:
        self._functions, self._broken, self.last = functions, broken, ""

    def __getattr__(self, name: str) -> Any:
        self.last = name
        if name in self._broken:
            raise Lacking(name)
        return guarded(getattr(self._functions, name))


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, raising :class:`Raised` in place of anything, with the line of its file."""

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (Exception, SystemExit) as error:
            code = getattr(function, "__code__", None)
            line = line_of(error, code.co_filename) if code is not None else 0
            place = f" (line {line} of {code.co_filename})" if code is not None and line else ""
            raise Raised(f"{type(error).__name__}: {error}{place}") from error

    return run


def rounded(exact: Any, got: Any) -> Any:
    """Exact results in the dtypes of those that an implementation gave."""
    if isinstance(exact, (list, tuple)) and isinstance(got, (list, tuple)) and len(exact) == len(got):
        return [rounded(one, other) for one, other in zip(exact, got, strict=True)]
    return as_dtype(exact, got.dtype if is_array(got) and got.dtype.kind == "f" else SINGLE)


def own_floats(wish: Any, given: Any) -> Iterator[np.ndarray]:
    """The floating arrays of a call that the case itself hands over, not the implementation."""
    if isinstance(wish, (list, tuple)):
        for each, there in zip(wish, given, strict=True):
            yield from own_floats(each, there)
    elif isinstance(wish, dict):
        for key, each in wish.items():
            yield from own_floats(each, given[key])
    elif is_array(wish) and wish.dtype.kind == "f" and wish.size:
        yield given


def has_floats(case: Case) -> bool:
    """Whether a case is one of float64, of which there is another of float32."""
    for _, each in leaves([case.args, dict(case.kwargs)]):
        if isinstance(each, Result) and has_floats(each.case):
            return True
        if (is_array(each) and each.dtype == DOUBLE) or (isinstance(each, np.dtype) and each == DOUBLE):
            return True
    return False


def as_dtype(value: Any, dtype: np.dtype | None) -> Any:
    """Arrays of float32 and float64, and dtypes among the arguments, in a dtype; anything else as it is."""
    if dtype is not None and isinstance(value, np.dtype) and value.kind == "f":
        return dtype
    if dtype is not None and is_array(value) and value.dtype in (SINGLE, DOUBLE):
        return value.astype(dtype, order="K")
    return value


def numbered(results: list[Any], number: int | None) -> Any:
    """One of a function's results, or all of them as it returns them."""
    if number is not None:
        return results[number]
    return results[0] if len(results) == 1 else tuple(results)


def merged(own: Any, kept: Any, dtype: np.dtype | None) -> Any:
    """Arrays that the implementation made, as both see them; what is opaque, as the reference made it."""
    if isinstance(own, (list, tuple)) and isinstance(kept, (list, tuple)):
        return type(kept)([merged(a, b, dtype) for a, b in zip(own, kept, strict=True)])
    return as_dtype(on_cpu(own), dtype) if is_array(own) and is_array(kept) else kept


def call_of(family: str, name: str, case: Case, dtype: np.dtype = DOUBLE) -> Call:
    """What an implementation is called with in a case: positional and keyword arguments, made anew at each call.

    Raises:
        KernelError: an unknown family or name, or one that cannot run here.

    Example:
        >>> case = next(cases_of("conv2d").cases())
        >>> args, kwargs = call_of("conv2d", "reference", case, SINGLE)
        >>> args[0].dtype, kwargs["groups"]
        (dtype('float32'), 1)
    """
    with quiet():
        trial = Trial(family, name)
        return trial.placed(case, trial.arguments(case, dtype)[0]).call
