"""The laboratory: each check finds the fault it is for, and every implementation passes with every case of its family."""

from __future__ import annotations

import ctypes
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.core.device import quiet
from minigrad.errors import KernelError
from minigrad.kernels import conv2d, laboratory, pool2d, trial
from minigrad.kernels.cases import Case, Result, drawn
from minigrad.kernels.comparison import Kept, bounds, checked, difference, is_array, leaves, outcome
from minigrad.kernels.conv2d import cases as conv2d_cases
from minigrad.kernels.conv2d import im2col, tolerance
from minigrad.kernels.conv2d import reference as conv2d_reference
from minigrad.kernels.native import parts_for
from minigrad.kernels.poison import LARGE, NAN, poisoned, spread
from minigrad.kernels.pool2d import cases as pool2d_cases
from minigrad.kernels.pool2d import vectorised

FAMILIES = kernels.families()
# A reference beside itself is right by definition.
IMPLEMENTATIONS = [(family, name) for family in FAMILIES for name in kernels.available(family, "cpu") if name != "reference"]


# ---------------------------------------------------------------------- every family has cases


def test_every_family_has_cases() -> None:
    missing = {}
    for family in FAMILIES:
        try:
            covered = {case.function for case in trial.cases_of(family).cases()}
        except KernelError as error:
            missing[family] = error.expected
        else:
            if lacking := sorted(set(kernels.contract_of(family).FUNCTIONS) - covered):
                missing[family] = f"cases for {', '.join(lacking)}"
    assert not missing


@pytest.mark.parametrize("family", FAMILIES)
def test_cases_are_told_apart_and_bounded(family: str) -> None:
    """Each has a name of its own, and a tolerance for each outcome that is a number where the outcome is one."""
    contract, reference = kernels.contract_of(family), kernels.functions_of(family, "reference")
    names = [(case.function, case.name) for case in trial.cases_of(family).cases()]
    assert sorted(set(names)) == sorted(names)
    for case in trial.cases_of(family).cases():
        args, kwargs = trial.call_of(family, "reference", case)
        with quiet():
            allowed = contract.tolerance(case.function, *args, **kwargs)
            given = outcome(contract, case.function, getattr(reference, case.function)(*args, **kwargs), (args, kwargs))
        assert len(allowed) == len(given), case.name
        if not all(np.isfinite(each).all() for _, each in leaves([args, kwargs]) if is_array(each) and each.dtype.kind == "f"):
            continue
        for (_, bound), one in zip(leaves(list(allowed)), given, strict=False):
            if is_array(one) and np.isfinite(one).all():
                assert np.isfinite(bound).all() and np.min(bound, initial=0) >= 0, (case.function, case.name)


@pytest.mark.parametrize(("family", "name"), IMPLEMENTATIONS)
def test_every_implementation_keeps_its_contract(family: str, name: str) -> None:
    report = laboratory.check(family, name)
    assert report.failures == []
    assert report.ok and report.cases > 0
    assert {"shapes", "values", "memory", "arguments", "aliases", "repeats", "threads"} <= report.runs.keys()


def test_a_family_without_cases_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minigrad.kernels.conv2d.cases", None)
    with pytest.raises(KernelError, match=r"expected cases in minigrad.kernels.conv2d.cases, got no such file. See"):
        laboratory.check("conv2d", "im2col")


def test_what_cannot_run_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    one = kernels.Implementation("minigrad.kernels.none", needs=("no_such_package",))
    monkeypatch.setitem(kernels.registry.TABLE["conv2d"], "tuned", one)
    report = laboratory.check("conv2d", "tuned")
    assert not report.ok and "needs no_such_package" in report.reason and report.failures == []


# ---------------------------------------------------------------------- planted faults

scratch = np.zeros(10_000)
calls = itertools.count()


def right(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    return im2col.forward(x, w, bias, **geometry)


def wrong_at_one_place(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    y = right(x, w, bias, **geometry)
    if y.size:
        y[-1, -1, -1, -1] *= 1.001
    return y


def single_precision(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    narrow = (None if each is None else each.astype(np.float32) for each in (x, w, bias))
    return right(*narrow, **geometry).astype(x.dtype, order="K")


def rounded(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    """Single precision with 16 bits of it lost, as bfloat16 has."""
    y = right(x, w, bias, **geometry)
    if y.dtype == np.float32:
        y.transpose(0, 2, 3, 1).view(np.uint32)[...] &= 0xFFFF0000
    return y


def as_far_as_allowed(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    """As far from the reference as the contract allows, away from the exact result."""
    if x.dtype == np.float64:
        return right(x, w, bias, **geometry)
    y = conv2d_reference.forward(x, w, bias, **geometry)
    wide = (None if each is None else each.astype(np.float64) for each in (x, w, bias))
    exact = conv2d_reference.forward(*wide, **geometry)
    (bound,) = tolerance("forward", x, w, bias, **geometry)
    y += np.where(y > exact, 0.9, -0.9) * bound
    return y


def another_dtype(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    return right(x, w, bias, **geometry).astype(np.float32, order="K")


def another_shape(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    return right(x, w, bias, **geometry)[..., :1]


def one_result_more(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    return right(x, w, bias, **geometry), x


def a_list(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    return right(x, w, bias, **geometry).tolist()


def in_place(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    y = right(x, w, bias, **geometry)
    if w.flags.writeable:
        w *= 0.5
    return y


def past_the_end(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    y = right(x, w, bias, **geometry)
    if x.flags.c_contiguous and x.size:
        ctypes.memset(x.ctypes.data + x.nbytes, 0, 4)
    return y


def forgotten_row(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    y = right(x, w, bias, **geometry)
    out = np.empty(y.transpose(0, 2, 3, 1).shape, y.dtype).transpose(0, 3, 1, 2)
    out[:, :, :-1] = y[:, :, :-1]
    return out


def sum_into_what_was_there(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    y = right(x, w, bias, **geometry)
    out = np.empty(y.transpose(0, 2, 3, 1).shape, y.dtype).transpose(0, 3, 1, 2)
    out += y
    return out


def another_order_each_time(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    y = right(x, w, bias, **geometry)
    y *= 1 + np.finfo(y.dtype).eps * (next(calls) % 2)
    return y


def one_buffer(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    y = right(x, w, bias, **geometry)
    n, c, h, width = y.shape
    out = scratch.view(y.dtype)[: y.size].reshape(n, h, width, c).transpose(0, 3, 1, 2)
    out[...] = y
    return out


remembered: dict[Any, Any] = {}


def last_result(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    key = (x.ctypes.data, w.ctypes.data, x.shape, w.shape, x.dtype)
    if key not in remembered:
        remembered.clear()
        remembered[key] = right(x, w, bias, **geometry)
    return remembered[key].copy(order="K")


def no_nan(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    return right(np.nan_to_num(x, posinf=np.inf, neginf=-np.inf), w, bias, **geometry)


def only_c_order(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    kind = ctypes.c_float if x.dtype == np.float32 else ctypes.c_double
    flat = np.ctypeslib.as_array((kind * x.size).from_address(x.ctypes.data))
    return right(flat.reshape(x.shape), w, bias, **geometry)


def only_writable(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    x[...] = x
    return right(x, w, bias, **geometry)


def no_batch(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    x[0]
    return right(x, w, bias, **geometry)


def c_order(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    return np.ascontiguousarray(right(x, w, bias, **geometry))


def shared_scratch(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    there = scratch.view(x.dtype)[: x.size].reshape(x.shape)
    there[...] = x
    time.sleep(1e-4)
    return right(there, w, bias, **geometry)


def wrong_in_parts(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    y = right(x, w, bias, **geometry)
    return y if parts_for(x.nbytes) == 1 else wrong_at_one_place(x, w, bias, **geometry)


def raises(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    raise ValueError("not today")


def leaves_the_program(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    sys.exit("gone")


def returns_its_argument(x: Any, kernel_size: Any, **settings: Any) -> Any:
    return (
        x if kernel_size == (1, 1) and not settings["divisor_override"] else vectorised.avg_forward(x, kernel_size, **settings)
    )


def doubled(dy: Any, w: Any, input_size: Any, **geometry: Any) -> Any:
    return 2 * im2col.grad_input(dy, w, input_size, **geometry)


# The fault, the checks that find it (all others pass), and words of the first that is told.
FAULTS: list[tuple[Callable[..., Any], set[str], list[str]]] = [
    (wrong_at_one_place, {"values", "float64"}, ["at index (1, 3, 2, 3)", "off by", "1 of 96 values differ"]),
    (single_precision, {"float64"}, ["as the reference gives", "off by"]),
    (rounded, {"values"}, ["as the reference gives"]),
    (as_far_as_allowed, {"precision"}, ["as the reference gives"]),
    (another_dtype, {"shapes"}, ["shape (2, 4, 3, 4) of float64", "of float32"]),
    (another_shape, {"shapes"}, ["shape (2, 4, 3, 4)", "(2, 4, 3, 1)"]),
    (one_result_more, {"shapes"}, ["1 result, as the reference gives", "got 2"]),
    (a_list, {"shapes"}, ["an array, shape (2, 4, 3, 4) of float64", "a list of 2"]),
    (in_place, {"arguments"}, ["a changed argument 1"]),
    (past_the_end, {"arguments"}, ["a changed memory beside argument 0"]),
    (forgotten_row, {"memory"}, ["whatever the memory held", "at index (0, 0, 2, 0)", "nan where it held NaN, else 1.38"]),
    (sum_into_what_was_there, {"memory"}, ["nan where it held NaN, else 1.38"]),
    (another_order_each_time, {"repeats"}, ["as the first time"]),
    (one_buffer, {"aliases", "fresh"}, ["one in the memory of an earlier result"]),
    (last_result, {"fresh"}, ["as the reference gives"]),
    (no_nan, {"not finite"}, ["expected nan"]),
    (only_c_order, {"strides"}, ["as the reference gives"]),
    (only_writable, {"strides"}, ["ValueError", "read-only"]),
    (no_batch, {"empty"}, ["IndexError: index 0 is out of bounds", "(line "]),
    (c_order, {"layout"}, ["strides"]),
    (shared_scratch, {"threads"}, ["as the reference gives"]),
    (wrong_in_parts, {"parts"}, ["1 of 96 values differ"]),
    (raises, {"values", "float64", "empty", "identities"}, ["ValueError: not today (line "]),
    (leaves_the_program, {"values", "float64", "empty", "identities"}, ["SystemExit: gone (line "]),
]


# What a fault may cause besides: by what the memory happens to hold, or where arrays happen to lie.
MAY_FOLLOW: dict[Callable[..., Any], set[str]] = {
    forgotten_row: set(laboratory.CHECKS),
    sum_into_what_was_there: set(laboratory.CHECKS),
    last_result: {"not finite", "threads", "parts"},
    one_buffer: {"threads"},
    another_order_each_time: {"parts"},
    as_far_as_allowed: {"strides", "threads", "not finite"},
}


@pytest.fixture
def few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of convolution three shapes, of pooling two."""
    shapes = [shape for shape in conv2d_cases.SHAPES if shape.name in ("3x3", "1x1", "no images")]
    monkeypatch.setattr(conv2d_cases, "SHAPES", tuple(shapes))
    windows = [window for window in pool2d_cases.WINDOWS if window.name in ("2x2", "one pixel")]
    monkeypatch.setattr(pool2d_cases, "WINDOWS", tuple(windows))


def report_of(family: str, **functions: Any) -> laboratory.Report:
    kernels.register(family, "planted", base="im2col" if family == "conv2d" else "vectorised", **functions)
    try:
        return laboratory.check(family, "planted")
    finally:
        kernels.unregister(family, "planted")


@pytest.mark.usefixtures("few_cases")
@pytest.mark.parametrize(("fault", "found", "words"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
def test_a_planted_fault_is_found_by_its_check(fault: Any, found: set[str], words: list[str]) -> None:
    report = report_of("conv2d", forward=fault)
    assert {failure.function for failure in report.failures} <= {"forward", "grad_input", "grad_weight"}
    named = {failure.check for failure in report.failures}
    assert found <= named <= found | MAY_FOLLOW.get(fault, set()) | {"identities"}, report.failures
    told = next(failure for failure in report.failures if failure.check in found)
    assert all(word in told.words for word in words), told.words
    assert told.function == "forward" and told.case


@pytest.mark.usefixtures("few_cases")
def test_what_is_right_passes() -> None:
    report = report_of("conv2d", forward=right)
    assert report.ok and set(report.runs) == set(laboratory.CHECKS)


@pytest.mark.usefixtures("few_cases")
def test_an_argument_that_is_handed_back_is_found() -> None:
    report = report_of("pool2d", avg_forward=returns_its_argument)
    assert {"aliases"} <= {failure.check for failure in report.failures} <= {"aliases", "fresh"}
    told = next(failure for failure in report.failures if failure.check == "aliases")
    assert "one in the memory of argument 0" in told.words and told.function == "avg_forward"


@pytest.mark.usefixtures("few_cases")
def test_an_identity_that_does_not_hold_is_found() -> None:
    report = report_of("conv2d", grad_input=doubled)
    told = next(failure for failure in report.failures if failure.check == "identities")
    assert told.function == "grad_input" and "⟨forward(x, w), dy⟩ = ⟨x, grad_input(dy, w)⟩, 3x3" in told.case


def test_a_thread_that_is_stuck_is_told(monkeypatch: pytest.MonkeyPatch, few_cases: None) -> None:
    import threading

    main, done = threading.main_thread(), threading.Event()

    def stuck(*args: Any, **geometry: Any) -> Any:
        if threading.current_thread() is not main:
            done.wait()
        return right(*args, **geometry)

    monkeypatch.setattr(laboratory, "PATIENCE", 0.2)
    report = report_of("conv2d", forward=stuck)
    done.set()
    assert [(failure.check, failure.words) for failure in report.failures] == [
        ("threads", "expected results within 0 s, got none: a thread is stuck")
    ]


# ---------------------------------------------------------------------- contracts of other kinds


class Cache:
    """What an implementation keeps for itself from forward to backward."""

    def __init__(self, x: Any) -> None:
        self.x = x.copy()


def forward(x: Any, *, scale: float) -> Any:
    return x * scale, [x + 1, x - 1], Cache(x), None


def backward(dy: Any, cache: Any) -> Any:
    return dy * cache.x


def step(params: Any, rate: float) -> None:
    for each in params:
        each -= rate


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A family with nested and opaque results, and arguments that are written."""
    (x,) = drawn((3, 4))
    first = Case("forward", "3 x 4", (x,), {"scale": 2.0})
    cases = [first, Case("backward", "3 x 4", (x, Result(first, 2))), Case("step", "two", ([x, x[:2]], 0.5))]
    contract = SimpleNamespace(
        FUNCTIONS=("forward", "backward", "step"), WRITES={"step": (0,)}, __name__="minigrad.kernels.made_up",
        tolerance=lambda function, *args, **kwargs: (1e-6, [1e-6, 1e-6], 0.0, 0.0) if function == "forward" else (1e-6,) * 2
        if function == "step" else (1e-6,),
    )  # fmt: skip
    functions = SimpleNamespace(forward=forward, backward=backward, step=step)
    reference = SimpleNamespace(forward=forward, backward=backward, step=step)
    family = SimpleNamespace(
        contract=contract, functions=functions, reference=reference, module=SimpleNamespace(cases=lambda: cases)
    )
    monkeypatch.setattr(trial, "contract_of", lambda _: contract)
    monkeypatch.setattr(trial, "functions_of", lambda _, name: reference if name == "reference" else functions)
    monkeypatch.setattr(laboratory, "reason_not_available", lambda family, name: "")
    monkeypatch.setattr(trial, "cases_of", lambda _: family.module)
    yield family


def test_nested_opaque_and_written_results(made_up: SimpleNamespace) -> None:
    report = laboratory.check("made_up", "own")
    assert report.failures == [] and report.runs["values"] == 3 and report.runs["float64"] == 3


def test_faults_in_nested_and_written_results(made_up: SimpleNamespace) -> None:
    made_up.functions.forward = lambda x, scale: (x * scale, [x + 1, x - 1.5], Cache(x), None)
    made_up.functions.step = lambda params, rate: step(params[:1], rate)
    made_up.functions.backward = lambda dy, cache: dy * cache.x + (0 if isinstance(cache, Cache) else 1)
    told = {failure.function: failure for failure in laboratory.check("made_up", "own").failures if failure.check == "values"}
    assert told.keys() == {"forward", "step"}
    assert "result 1[1] at index (0, 0)" in told["forward"].words
    assert "argument 0, as written[1] at index (0, 0)" in told["step"].words


def test_what_a_contract_packs(made_up: SimpleNamespace) -> None:
    """``prepare`` packs the arrays of each call to the implementation, as the contract does."""
    kinds = []

    class Packed(list):
        pass

    def packed_step(params: Any, rate: float) -> None:
        kinds.append(type(params))
        step(params, rate)

    made_up.functions.step = packed_step
    made_up.module.prepare = lambda function, args, kwargs: (
        (Packed(args[0]), *args[1:]) if function == "step" else args, kwargs,
    )  # fmt: skip
    assert laboratory.check("made_up", "own").failures == []
    assert set(kinds) == {Packed}


def test_checking_hands_each_implementation_its_own(made_up: SimpleNamespace) -> None:
    """What MINIGRAD_CHECK wraps a function in: opaque results go with the reference's own beside them."""
    made_up.reference.forward = lambda x, scale: (x * scale, [x + 1, x - 1], Cache(x), None)
    checks = {
        each: checked("made_up", "own", each, made_up.functions, made_up.reference, made_up.contract)
        for each in made_up.contract.FUNCTIONS
    }
    x = np.arange(3.0)
    _, pair, cache, nothing = checks["forward"](x, scale=2.0)
    assert isinstance(cache, Kept) and cache.own is not cache.reference and nothing is None and len(pair) == 2
    np.testing.assert_array_equal(checks["backward"](x, cache), x * x)
    params = [x.copy(), x.copy()]
    checks["step"](params, 1.0)
    np.testing.assert_array_equal(params, [x - 1, x - 1])
    made_up.functions.step = lambda params, rate: step(params[1:], rate)
    wrong = checked("made_up", "own", "step", made_up.functions, made_up.reference, made_up.contract)
    with pytest.raises(KernelError, match=r"own of made_up: step, argument 0, as written\[0\] at index \(0,\)"):
        wrong(params, 1.0)


# ---------------------------------------------------------------------- the check inside a program


def test_checking_finds_results_in_an_arguments_memory() -> None:
    kernels.register("pool2d", "planted", avg_forward=returns_its_argument)
    try:
        x = np.ones((1, 2, 3, 3))
        with kernels.use(pool2d="planted"), kernels.checking(), pytest.raises(KernelError) as caught:
            pool2d.avg_forward(x, (1, 1))
        assert "avg_forward: expected results in memory of their own, got one in the memory of argument 0" in str(caught.value)
    finally:
        kernels.unregister("pool2d", "planted")


def test_checking_wants_infinity_where_the_reference_has_it() -> None:
    """A bound that is infinite, as it is beside an infinite value, allows nothing finite in its place."""

    def finite(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
        return np.nan_to_num(right(x, w, bias, **geometry), posinf=1e30)

    kernels.register("conv2d", "planted", forward=finite)
    try:
        x = np.full((1, 1, 2, 2), np.inf)
        with kernels.use(conv2d="planted"), kernels.checking(), pytest.raises(KernelError, match="expected inf within"):
            conv2d.forward(x, np.ones((1, 1, 1, 1)))
    finally:
        kernels.unregister("conv2d", "planted")


# ---------------------------------------------------------------------- poisoned memory


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_poisoned_memory(size: int, dtype: Any) -> None:
    for byte in (NAN, LARGE):
        with poisoned(byte):
            a, b = np.empty(size, dtype), np.empty_like(np.zeros(size, dtype))
            zeros, full = np.zeros(size, dtype), np.full(size, 3, dtype)
        assert (a.view(np.uint8) == byte).all() and (b.view(np.uint8) == byte).all()
        assert not zeros.any() and (full == 3).all()
    with poisoned(LARGE), pytest.raises(ZeroDivisionError), poisoned(NAN):
        raise ZeroDivisionError
    assert not np.zeros(size, dtype).any()


def test_memory_is_clean_behind_the_block() -> None:
    with poisoned(NAN):
        inside = np.empty(5000)
    outside = [np.full(5000, 1.0) for _ in range(3)]
    del inside
    assert all((each == 1).all() for each in outside)


def test_memory_that_others_allocate_is_mostly_filled() -> None:
    """What the C library hands out next is what was spread: here a block of its own, as compiled code takes it."""
    api = ctypes.pythonapi
    found = set()
    for byte in (NAN, LARGE):
        spread([4000], byte)
        block = api.PyMem_RawMalloc(4000)
        found.add(ctypes.string_at(block + 2000, 1)[0])
        api.PyMem_RawFree(block)
    assert found == {NAN, LARGE}


def test_nan_reaches_as_far_as_an_implementations_own_bound_says() -> None:
    contract = SimpleNamespace(tolerance=lambda function, x: (np.where(np.isnan(x), np.nan, 0.0),))
    x, want, got = np.array([1.0, np.nan, 1.0]), [np.array([1.0, 2.0, 1.0])], [np.array([1.0, np.nan, 1.0])]
    tiled, plain = SimpleNamespace(tolerance=contract.tolerance), SimpleNamespace()
    mixed = SimpleNamespace(tolerance=contract.tolerance, registered=frozenset({"forward"}))
    for functions, found in ((tiled, False), (plain, True), (mixed, True)):
        allowed = bounds(functions, contract, "forward", (x,), {})
        assert (difference(contract, "forward", got, want, allowed) is not None) == found
    elsewhere = [np.array([np.nan, 2.0, 1.0])]
    assert difference(contract, "forward", elsewhere, want, bounds(tiled, contract, "forward", (x,), {})) is not None
