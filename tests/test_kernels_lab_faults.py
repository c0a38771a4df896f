"""Each check of the laboratory finds the fault it is for, and so does the check inside a program."""

from __future__ import annotations

import ctypes
import itertools
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.errors import KernelError
from minigrad.kernels import conv2d, laboratory, pool2d, threads_on_trial
from minigrad.kernels.comparison import bounds, difference
from minigrad.kernels.conv2d import im2col, tolerance
from minigrad.kernels.conv2d import reference as conv2d_reference
from minigrad.kernels.native import parts_for
from minigrad.kernels.pool2d import vectorised
from minigrad.kernels.verdict import CHECKS, Report

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
    time.sleep(1e-3)
    return right(there, w, bias, **geometry)


def wrong_in_parts(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    y = right(x, w, bias, **geometry)
    return y if parts_for(x.nbytes) == 1 else wrong_at_one_place(x, w, bias, **geometry)


def raises(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    raise ValueError("not today")


def leaves_the_program(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    sys.exit("gone")


def read_only(*args: Any, **geometry: Any) -> Any:
    return np.asarray(memoryview(right(*args, **geometry)).toreadonly())


def broadcast(*args: Any, **geometry: Any) -> Any:
    y = right(*args, **geometry)
    return np.lib.stride_tricks.as_strided(y, y.shape, (0, *y.strides[1:]))


def returns_its_argument(x: Any, kernel_size: Any, **settings: Any) -> Any:
    return (
        x if kernel_size == (1, 1) and not settings["divisor_override"] else vectorised.avg_forward(x, kernel_size, **settings)
    )


def doubled(dy: Any, w: Any, input_size: Any, **geometry: Any) -> Any:
    return 2 * im2col.grad_input(dy, w, input_size, **geometry)


# The fault, the checks that find it (all others pass), and words of the first that is told.
FAULTS: list[tuple[Callable[..., Any], set[str], list[str]]] = [
    (read_only, {"aliases"}, ["memory of their own", "got a read-only one"]),
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
    (raises, {"values", "float64", "empty"}, ["ValueError: not today (line "]),
    (leaves_the_program, {"values", "float64", "empty"}, ["SystemExit: gone (line "]),
]


# What a fault may cause besides: by what the memory happens to hold, or where arrays happen to lie.
MAY_FOLLOW: dict[Callable[..., Any], set[str]] = {
    forgotten_row: set(CHECKS),
    sum_into_what_was_there: set(CHECKS),
    last_result: {"not finite", "threads", "parts"},
    one_buffer: {"threads"},
    another_order_each_time: {"parts"},
    as_far_as_allowed: {"strides", "threads", "not finite"},
}


def report_of(family: str, **functions: Any) -> Report:
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
    assert report.ok and set(report.runs) == set(CHECKS) - {"answers"}


def relu_at_once(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    return right(x, w, bias, **geometry).clip(0)


def no_relu_of_the_last_channel(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    y = relu_at_once(x, w, bias, **geometry)
    y[:, -1] = right(x, w, bias, **geometry)[:, -1]
    return y


def nan_made_zero(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
    return np.fmax(right(x, w, bias, **geometry), 0)


def in_c_order(dy: Any, w: Any, input_size: Any, **geometry: Any) -> Any:
    return np.ascontiguousarray(im2col.grad_input(dy, w, input_size, **geometry))


def channels_last(dy: Any, w: Any, input_size: Any, **geometry: Any) -> Any:
    return im2col.grad_input(dy, w, input_size, **geometry)


def of_the_last(dy: Any, w: Any, input_size: Any, **geometry: Any) -> Any:
    dx = in_c_order(dy, w, input_size, **geometry)
    return dx if len(dx) < 2 else np.repeat(dx[-1:], len(dx), 0)


# What an implementation may have besides, and what is wrong with it.
BESIDES: list[tuple[str, Callable[..., Any], set[str]]] = [
    ("forward_relu", relu_at_once, set()),
    ("forward_relu", no_relu_of_the_last_channel, {"values", "float64"}),
    ("forward_relu", nan_made_zero, {"not finite"}),
    ("forward_relu", in_place, {"values", "float64", "arguments"}),
    ("grad_input_in_c_order", in_c_order, set()),
    ("grad_input_in_c_order", channels_last, {"layout"}),
    ("grad_input_in_c_order", of_the_last, {"values", "float64"}),
    ("reads_c_order", lambda x, w, **geometry: x[1] < 4, set()),
    ("reads_c_order", lambda x, w, **geometry: None, {"answers"}),
    ("reads_c_order", lambda x, w, **geometry: next(calls) % 2 == 0, {"answers"}),
]


@pytest.mark.usefixtures("few_cases")
@pytest.mark.parametrize(("name", "function", "found"), BESIDES)
def test_what_an_implementation_has_besides_is_held_to_the_reference(name: str, function: Any, found: set[str]) -> None:
    report = report_of("conv2d", **{name: function})
    assert {failure.function for failure in report.failures} <= {name}
    named = {failure.check for failure in report.failures}
    assert found <= named and bool(named) == bool(found), report.failures


@pytest.mark.usefixtures("few_cases")
@pytest.mark.parametrize("forward", [read_only, broadcast])
def test_checking_finds_results_that_cannot_be_written_into(forward: Any) -> None:
    kernels.register("conv2d", "planted", forward=forward)
    try:
        with kernels.use(conv2d="planted"), kernels.checking(), pytest.raises(KernelError, match="of their own, got a "):
            conv2d.forward(np.ones((2, 2, 3, 3)), np.ones((2, 2, 3, 3)))
    finally:
        kernels.unregister("conv2d", "planted")


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


@pytest.mark.usefixtures("few_cases")
def test_a_thread_that_is_stuck_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    main, done = threading.main_thread(), threading.Event()

    def stuck(*args: Any, **geometry: Any) -> Any:
        if threading.current_thread() is not main:
            done.wait()
        return right(*args, **geometry)

    monkeypatch.setattr(threads_on_trial, "PATIENCE", 0.2)
    report = report_of("conv2d", forward=stuck)
    done.set()
    assert [(failure.check, failure.words) for failure in report.failures] == [
        ("threads", "expected results within 0 s, got none: a thread is stuck")
    ]


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
