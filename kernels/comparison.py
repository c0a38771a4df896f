"""A kernel beside its reference: run both, compare, and tell the first value that differs.

``checked`` does so in any program (``choice.py`` switches it on); the laboratory asks the same questions of its cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.device import CPU, array_module, move, quiet
from minigrad.errors import KernelError

Call = tuple[tuple[Any, ...], dict[str, Any]]  # positional and keyword arguments
LONGEST_SEARCH = 10_000  # steps of the exact search for shared memory
ANY_VALUE = object()  # in the place of a bound: shape and dtype alone are compared


class Difference(NamedTuple):
    """Where a result is not what the reference gives; ``of_value`` says that at least shape and dtype are."""

    place: str
    expected: str
    got: str
    of_value: bool = False


class Kept:
    """Something opaque that two implementations keep for a later function, each its own."""

    def __init__(self, own: Any, reference: Any) -> None:
        self.own, self.reference = own, reference


def is_array(value: Any) -> bool:
    """Whether it is an array of NumPy or CuPy, and of no class made from theirs.

    Example:
        >>> is_array(np.ones(2)), is_array(np.ma.ones(2)), is_array([1.0, 1.0])
        (True, False, False)
    """
    try:
        array_module(value)
    except KeyError:  # another library's, or no array at all
        return False
    return True


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same lists, tuples and dicts with each thing in them changed.

    Example:
        >>> mapped(([1, 2], {"a": 3}), lambda each: each * 2)
        ([2, 4], {'a': 6})
    """
    if isinstance(value, tuple):
        items = [mapped(each, change) for each in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, list):
        return [mapped(each, change) for each in value]
    if isinstance(value, dict):
        return {key: mapped(each, change) for key, each in value.items()}
    return change(value)


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Everything that is in lists, tuples and dicts, with its place: ``"[1]['a']"``.

    Example:
        >>> list(leaves([1, {"a": 2}]))
        [('[0]', 1), ("[1]['a']", 2)]
    """
    if isinstance(value, (tuple, list)):
        for number, each in enumerate(value):
            yield from leaves(each, f"{place}[{number}]")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{place}[{key!r}]")
    else:
        yield place, value


def on_cpu(value: Any) -> Any:
    """A copy of arrays on the CPU, in the order of their strides; anything else as it is."""

    def copy(each: Any) -> Any:
        if not is_array(each):
            return each
        return each.copy(order="K") if array_module(each) is np else move(each, CPU)

    return mapped(value, copy)


def plain_of(contract: Any, function: str) -> tuple[str, Callable[[Any], Any] | None]:
    """The function whose arguments one of the contract's ``OPTIONAL`` takes, and what becomes of its result; else itself.

    Example:
        >>> from types import SimpleNamespace
        >>> contract = SimpleNamespace(OPTIONAL={"forward_relu": ("forward", abs)})
        >>> plain_of(contract, "forward_relu"), plain_of(contract, "forward")
        (('forward', <built-in function abs>), ('forward', None))
    """
    found: tuple[str, Callable[[Any], Any] | None] = getattr(contract, "OPTIONAL", {}).get(function, (function, None))
    return found


def may_write(contract: Any, function: str) -> tuple[int | str, ...]:
    """The arguments that a function may write into, by position or keyword, as the contract's ``WRITES`` lists them."""
    return tuple(getattr(contract, "WRITES", {}).get(plain_of(contract, function)[0], ()))


def written(contract: Any, function: str, call: Call) -> list[Any]:
    """The arguments themselves that a function may write into."""
    args, kwargs = call
    found = []
    for key in may_write(contract, function):
        if isinstance(key, int) and key < len(args):
            found.append(args[key])
        elif key in kwargs:
            found.append(kwargs[key])
    return found


def changed_argument(contract: Any, function: str, before: Call, after: Call) -> str:
    """Which argument is not what it was, of those that the function may not write into; or nothing.

    A dict is a place where an implementation may keep what it likes.
    """
    allowed = may_write(contract, function)
    named = [*enumerate(before[0]), *before[1].items()]
    for (key, was), now in zip(named, [*after[0], *after[1].values()], strict=True):
        if key in allowed or isinstance(now, dict):
            continue
        for (place, old), (_, new) in zip(leaves(was), leaves(now), strict=True):
            if isinstance(old, np.ndarray) and not same_bits(old, move(new, CPU)):
                return f"argument {key}{place}"
    return ""


def shared_argument(contract: Any, function: str, results: Any, call: Call) -> str:
    """Which argument a result shares memory with, of those that the function may not write into; or nothing."""
    allowed = may_write(contract, function)
    for key, value in [*enumerate(call[0]), *call[1].items()]:
        for place, argument in leaves(value) if key not in allowed else ():
            if any(share_memory(result, argument) for _, result in leaves(results)):
                return f"argument {key}{place}"
    return ""


def fault_of_memory(contract: Any, function: str, results: Any, call: Call) -> str:
    """What is wrong with the memory that results lie in, or nothing: it is an argument's, or cannot be written into.

    What is done in place later (``relu_``, ``+=``) writes into results.
    """
    shared = shared_argument(contract, function, results, call)
    if shared:
        return f"one in the memory of {shared}"
    arrays = [each for _, each in leaves(results) if type(each) is np.ndarray]
    if not all(each.flags.writeable for each in arrays):
        return "a read-only one"
    if any(each.size and stride == 0 and size > 1 for each in arrays for size, stride in zip(each.shape, each.strides)):
        return "a broadcast one, whose elements share their places"
    return ""


def share_memory(a: Any, b: Any) -> bool:
    """Whether two NumPy arrays have an element in common; ``False`` for all else, and where that is too hard to tell."""
    if not (type(a) is np.ndarray and type(b) is np.ndarray and np.may_share_memory(a, b)):
        return False
    try:
        return np.shares_memory(a, b, LONGEST_SEARCH)  # type: ignore[arg-type]  # NumPy's stubs know 0 and -1 alone
    except np.exceptions.TooHardError:
        return False


def outcome(contract: Any, function: str, returned: Any, call: Call) -> list[Any]:
    """What a function gave: its results, and behind them the arguments that it may write into."""
    results = list(returned) if isinstance(returned, tuple) else [returned]
    return results + written(contract, function, call)


def result_name(contract: Any, function: str, number: int, count: int) -> str:
    """What one of a function's outcomes is called in a message."""
    keys = may_write(contract, function)
    results = count - len(keys)
    if number >= results:
        return f"argument {keys[number - results]}, as written"
    return "" if results == 1 else f"result {number}"


class Reach(tuple[Any, ...]):
    """The bounds of an implementation that has its own: where they are not finite, it may give NaN or infinity for any number.

    An infinite or NaN number shows in more results than the formula says where a tile of them is computed from common sums.
    """


def bounds(functions: Any, contract: Any, function: str, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """How far an implementation's results may be from the reference's: by its own word, or by the contract's."""
    own = getattr(functions, "tolerance", None)
    plain, _ = plain_of(contract, function)
    if own is None or function in getattr(functions, "registered", ()):
        found: tuple[Any, ...] = contract.tolerance(plain, *args, **kwargs)
        return found
    return Reach(own(plain, *args, **kwargs))


def difference(
    contract: Any, function: str, got: Sequence[Any], want: Sequence[Any], allowed: Sequence[Any]
) -> Difference | None:
    """The first place where outcomes are not those of the reference, within what the contract allows; or ``None``."""
    if len(got) != len(want):
        few, count = len(want) == 1, len(want)
        return Difference("", f"{count} result{'' if few else 's'}, as the reference gives", f"{len(got)}")
    for number, (g, w, a) in enumerate(zip(got, want, allowed, strict=True)):
        name = result_name(contract, function, number, len(want))
        found = _difference_of_one(name, g, w, a, isinstance(allowed, Reach))
        if found is not None:
            return found
    return None


def difference_of_form(contract: Any, function: str, got: Sequence[Any], want: Sequence[Any]) -> Difference | None:
    """The first place where outcomes are other things than those of the reference, or of another shape or dtype; or ``None``.

    Nothing can be computed from such a result.
    """
    return difference(contract, function, got, want, [ANY_VALUE] * len(want))


def _difference_of_one(name: str, got: Any, want: Any, allowed: Any, reaches: bool) -> Difference | None:
    if isinstance(want, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(want):
            return Difference(name, f"{len(want)} arrays, as the reference gives", _kind(got))
        several = list(allowed) if isinstance(allowed, (list, tuple)) else [allowed] * len(want)
        for place, (g, w, a) in enumerate(zip(got, want, several, strict=True)):
            found = _difference_of_one(f"{name or 'result'}[{place}]", g, w, a, reaches)
            if found is not None:
                return found
        return None
    if want is None or got is None:
        return None if want is got else Difference(name, f"{_kind(want)}, as the reference gives", _kind(got))
    if isinstance(want, (bool, int, float, np.generic)):
        if not isinstance(got, (bool, int, float, np.generic)):
            return Difference(name, f"{_kind(want)}, as the reference gives", _kind(got))
        got, want = np.asarray(got), np.asarray(want)
    if not is_array(want):
        return None  # what an implementation keeps for itself
    return _difference_of_arrays(name, got, want, allowed, reaches)


def _difference_of_arrays(name: str, got: Any, want: Any, allowed: Any, reaches: bool) -> Difference | None:
    if not is_array(got):
        return Difference(name, f"an array, shape {want.shape} of {want.dtype}, as the reference gives", _kind(got))
    if (got.shape, got.dtype) != (want.shape, want.dtype):
        expected = f"shape {want.shape} of {want.dtype}, as the reference gives"
        return Difference(name, expected, f"{got.shape} of {got.dtype}")
    if allowed is ANY_VALUE:
        return None
    got = move(got, CPU)
    with quiet():
        wrong = ~((got == want) | ((got != got) & (want != want)))
        if want.dtype.kind == "f":
            error = np.abs(np.subtract(got, want, dtype=np.float64))
            wrong &= ~np.isfinite(got) | ~np.isfinite(want) | (error > allowed)
            if reaches:
                wrong &= np.isfinite(got) | np.isfinite(allowed)
    if not wrong.any():
        return None
    index = tuple(int(each) for each in np.argwhere(wrong)[0])
    limit = np.broadcast_to(allowed, want.shape)[index]
    off = abs(got[index].item() - want[index].item())
    words = f"{got[index]!s}, off by {off:.3g}; {int(wrong.sum())} of {wrong.size} values differ"
    place = f"at index {index}" if not name else f"{name} at index {index}"
    return Difference(place, f"{want[index]!s} within {limit:.3g}, as the reference gives", words, True)


def _kind(value: Any) -> str:
    """What a result is, in words."""
    if is_array(value):
        return f"an array, shape {value.shape} of {value.dtype}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays hold the same bits, NaN's included, in one shape and dtype."""
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return False
    if a.dtype.kind == "f":
        as_bits = f"u{a.dtype.itemsize}"
        a, b = a.view(as_bits), b.view(as_bits)
    return np.array_equal(a, b)


def first_unlike(contract: Any, function: str, a: list[Any], b: list[Any]) -> tuple[str, str, str] | None:
    """The first place where two outcomes differ in a bit, and what they hold there."""
    for number, (one, other) in enumerate(zip(a, b, strict=False)):
        for (place, x), (_, y) in zip(leaves(one), leaves(other), strict=False):
            if not (is_array(x) and is_array(y)) or same_bits(x, y):
                continue
            name = result_name(contract, function, number, len(a)) + place
            if (x.shape, x.dtype) != (y.shape, y.dtype):
                return name, f"shape {x.shape} of {x.dtype}", f"shape {y.shape} of {y.dtype}"
            bits = f"u{x.dtype.itemsize}"
            wrong = x.view(bits) != y.view(bits) if x.dtype.kind == "f" else x != y
            index = tuple(int(each) for each in np.argwhere(wrong)[0])
            return f"{name} at index {index}".strip(), str(x[index]), str(y[index])
    return None


def checked(family: str, name: str, function: str, fast: Any, reference: Any, contract: Any) -> Callable[..., Any]:
    """A function of an implementation that compares each of its results with the reference's.

    One of the contract's ``OPTIONAL``, which does at once what one of its functions and another do, is compared with both.
    Where a dict is given to keep things in, the implementation gets that dict itself, and the reference an empty one.
    """
    plain, after = plain_of(contract, function)
    run, first = getattr(fast, function), getattr(reference, plain)
    where = f"{name} of {family}"

    def oracle(*args: Any, **kwargs: Any) -> Any:
        result = first(*args, **kwargs)
        return result if after is None else after(result)

    def own(value: Any) -> Any:
        return mapped(value, lambda each: each.own if isinstance(each, Kept) else each)

    def others(value: Any) -> Any:
        return on_cpu(mapped(value, lambda each: each.reference if isinstance(each, Kept) else each))

    def run_both(*args: Any, **kwargs: Any) -> Any:
        given = (own(args), {key: each if isinstance(each, dict) else own(each) for key, each in kwargs.items()})
        plainly = {key: {} if isinstance(each, dict) else each for key, each in kwargs.items()}
        before, copies = others((args, plainly)), others((args, plainly))
        returned = run(*given[0], **given[1])
        changed = changed_argument(contract, function, before, given)
        if changed:
            raise KernelError(where, function, "arguments left as they were", f"a changed {changed}")
        fault = fault_of_memory(contract, function, returned, given)
        if fault:
            raise KernelError(where, function, "results in memory of their own", fault)
        wanted = oracle(*copies[0], **copies[1])
        with quiet():
            allowed = bounds(fast, contract, function, *before)
        got = outcome(contract, function, returned, given)
        found = difference(contract, function, got, outcome(contract, function, wanted, copies), allowed)
        if found is not None:
            place = (
                f"{function} {found.place}"
                if found.place.startswith("at ")
                else ", ".join(filter(None, (function, found.place)))
            )
            raise KernelError(
                where, place, found.expected, found.got,
                f"The kernel is wrong, or its contract's tolerance; kernels.use({family}='reference') does without it",
            )  # fmt: skip
        return _kept(returned, wanted)

    return run_both


def _kept(returned: Any, wanted: Any) -> Any:
    """The results, with the reference's own beside what an implementation keeps for itself."""
    if isinstance(returned, (tuple, list)) and isinstance(wanted, (tuple, list)) and len(returned) == len(wanted):
        pairs = [_kept(own, other) for own, other in zip(returned, wanted, strict=True)]
        return type(returned)(*pairs) if hasattr(returned, "_fields") else type(returned)(pairs)
    plain = returned is None or is_array(returned) or isinstance(returned, (bool, int, float, np.generic))
    return returned if plain else Kept(returned, wanted)
