"""The functions of compiled kernels: the bound of their error, their ends, and what loops over them become."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minigrad.kernels.native import Real, erf, exp, exp_below, expm1, kernel, log, maths, share, sigmoid, softplus, tanh
from minigrad.kernels.native.programs import assembly
from minigrad.kernels.native.target import KNOWN, tiled
from tests import fit_polynomials

pytestmark = pytest.mark.native


@kernel
def run_exp(x: Real, y: Real, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    for i in range(start, stop):
        y[i] = exp(x[i])


@kernel
def run_exp_below(x: Real, y: Real, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    for i in range(start, stop):
        y[i] = exp_below(-abs(x[i]))


@kernel
def run_expm1(x: Real, y: Real, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    for i in range(start, stop):
        y[i] = expm1(x[i])


@kernel
def run_log(x: Real, y: Real, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    for i in range(start, stop):
        y[i] = log(x[i])


@kernel
def run_softplus(x: Real, y: Real, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    for i in range(start, stop):
        y[i] = softplus(x[i])


@kernel
def run_sigmoid(x: Real, y: Real, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    for i in range(start, stop):
        y[i] = sigmoid(x[i])


@kernel
def run_tanh(x: Real, y: Real, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    for i in range(start, stop):
        y[i] = tanh(x[i])


@kernel
def run_erf(x: Real, y: Real, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    for i in range(start, stop):
        y[i] = erf(x[i])


@kernel(reassociate=True)
def run_all(x: Real, y: Real, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    for i in range(start, stop):
        y[i] = exp(x[i])
        y[i + count] = expm1(x[i])
        y[i + 2 * count] = log(x[i])
        y[i + 3 * count] = softplus(x[i])
        y[i + 4 * count] = sigmoid(x[i])
        y[i + 5 * count] = tanh(x[i])
        y[i + 6 * count] = erf(x[i])
        y[i + 7 * count] = exp_below(-abs(x[i]))


def exact_sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def exact_erf(x: np.ndarray) -> np.ndarray:
    """2/√π · exp(-x²) · Σ (2x²)ᵏ x / (1·3·…·(2k + 1)): all terms have one sign."""
    a = np.minimum(abs(x), 6)
    total = term = a
    for k in range(1, 130):
        term = term * (2 * a * a / (2 * k + 1))
        total = total + term
    pi = x.dtype.type("3.14159265358979323846264338327950288")
    return np.copysign(np.where(a < 6, 2 / np.sqrt(pi) * np.exp(-a * a) * total, a / 6), x)


# Each one's kernel, what it should be, the bound in ulp that maths.py states, and the range before its ends are reached.
FUNCTIONS: dict[str, tuple[Any, Callable[[np.ndarray], np.ndarray], float, float, float]] = {
    "exp": (run_exp, np.exp, 1.25, -750, 715),
    "expm1": (run_expm1, np.expm1, 2.5, -750, 715),
    "log": (run_log, np.log, 1.25, 0, 5),
    "softplus": (run_softplus, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x))), 2.5, -750, 40),
    "sigmoid": (run_sigmoid, exact_sigmoid, 2.75, -750, 40),
    "tanh": (run_tanh, np.tanh, 2.75, -22, 22),
    "erf": (run_erf, exact_erf, 1.5, -6.5, 6.5),
    "exp_below": (run_exp_below, lambda x: np.exp(-abs(x)), 1.25, -750, 0),
}
WIDER = {"float32": np.float64, "float64": np.longdouble}
# Where long double is float64, the right value is itself off by a rounding or two.
ORACLE_ULP = {"float32": 0.0, "float64": 0.0 if np.finfo(np.longdouble).eps < 1e-17 else 1.5}
SCALE = {"float32": 0.14, "float64": 1.0}  # float32's exponents end where x is so much smaller
EDGES = [
    0.0,
    1.0,
    0.5,
    2.0,
    4.0,
    6.0,
    2**-0.5,
    2**0.5,
    np.log(2) / 2,
    np.log(2),
    88.72284,
    87.33655,
    103.97208,
    709.782712893384,
    745.1332191,
]


def samples(dtype: str, low: float, high: float) -> np.ndarray:
    """All exponents and signs, subnormals, infinities and nan; then the run of low..high, and the neighbours of the edges."""
    kind = np.dtype(dtype)
    if dtype == "float32":
        every = np.arange(0, 1 << 32, 2039, dtype=np.uint64).astype(np.uint32).view(kind)  # 4,114 in each binade
        dense = 1 << 20
    else:
        every = (np.arange(1 << 20, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).view(kind)  # 512 in each binade
        dense = 1 << 18
    scale = SCALE[dtype]
    near = np.array(EDGES, kind)[:, None].view(kind.str.replace("f", "i")) + np.arange(-64, 65)
    near = near[near >= 0].astype(kind.str.replace("f", "i")).view(kind)
    ends = np.array([0, np.inf, np.nan, np.finfo(kind).max, np.finfo(kind).tiny, np.finfo(kind).smallest_subnormal], kind)
    runs = [np.linspace(low * scale, high * scale, dense), np.linspace(max(low, -2), 2, dense)]
    return np.concatenate([every, *[each.astype(kind) for each in runs], near, -near, ends, -ends])


def ulps(got: np.ndarray, right: np.ndarray) -> np.ndarray:
    """How many units of the right value's last place lie between the two; below normal numbers, units of the least one."""
    with np.errstate(all="ignore"):
        rounded = right.astype(got.dtype)
        unit = np.spacing(np.maximum(abs(rounded), np.finfo(got.dtype).tiny)).astype(right.dtype)
        distance = abs(got.astype(right.dtype) - right) / unit
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    distance = np.where(same & ~np.isfinite(rounded), 0, distance)
    return np.where(np.isnan(distance), np.inf, distance)


@pytest.mark.parametrize("dtype", WIDER)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_value_is_further_off_than_stated(name: str, dtype: str) -> None:
    run, exact, bound, low, high = FUNCTIONS[name]
    assert re.search(rf"^\| ``{name}\(x\)`` \| {bound} ulp ", maths.__doc__ or "", re.MULTILINE), (
        "the table of maths.py says otherwise"
    )
    x = samples(dtype, low, high)
    if name == "erf":
        x = x[::4].copy()  # its series takes long
    y = np.full_like(x, 7)
    run(x, y, x.size, parts=2)
    with np.errstate(all="ignore"):
        distance = ulps(y, exact(x.astype(WIDER[dtype])))
    worst = int(distance.argmax())
    assert distance[worst] <= bound + ORACLE_ULP[dtype], (x[worst], y[worst])


@pytest.mark.parametrize("dtype", WIDER)
@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("exp", [0, -0.0, np.inf, -np.inf, np.nan, 1000, -1000], [1, 1, np.inf, 0, np.nan, np.inf, 0]),
        ("exp_below", [0, -0.0, np.inf, -np.inf, np.nan, -1000], [1, 1, 0, 0, np.nan, 0]),
        ("expm1", [0, -0.0, np.inf, -np.inf, np.nan, 1000, -1000], [0, -0.0, np.inf, -1, np.nan, np.inf, -1]),
        ("log", [1, 0, -0.0, np.inf, -np.inf, np.nan, -1], [0, -np.inf, -np.inf, np.inf, np.nan, np.nan, np.nan]),
        ("softplus", [np.inf, -np.inf, np.nan, 1000, -1000], [np.inf, 0, np.nan, 1000, 0]),
        ("sigmoid", [0, -0.0, np.inf, -np.inf, np.nan, 1000, -1000], [0.5, 0.5, 1, 0, np.nan, 1, 0]),
        ("tanh", [0, -0.0, np.inf, -np.inf, np.nan, 30, -30], [0, -0.0, 1, -1, np.nan, 1, -1]),
        ("erf", [0, -0.0, np.inf, -np.inf, np.nan, 30, -30], [0, -0.0, 1, -1, np.nan, 1, -1]),
    ],
)
def test_the_ends_are_exact(name: str, x: list[float], y: list[float], dtype: str) -> None:
    given, got = np.array(x, dtype), np.full(len(x), 7, dtype)
    FUNCTIONS[name][0](given, got, len(x))
    np.testing.assert_array_equal(got, np.array(y, dtype))
    assert (np.signbit(got) == np.signbit(y))[~np.isnan(y)].all()


@pytest.mark.parametrize("dtype", WIDER)
def test_a_kernel_that_reorders_sums_gets_the_same_bits(dtype: str) -> None:
    x = samples(dtype, -100, 100)[::7].copy()
    together = np.empty((len(FUNCTIONS), x.size), dtype)
    run_all(x, together, x.size)
    for row, (run, *_) in zip(together, FUNCTIONS.values(), strict=True):
        alone = np.empty_like(x)
        run(x, alone, x.size)
        np.testing.assert_array_equal(row, alone)


PROCESSORS = {
    # Fused multiply-adds on whole registers, as the processor's assembly writes them, and a call.
    "AVX-512": ("x86_64-unknown-linux-gnu", "znver4", r"\bvfn?m(?:add|sub)\d+p[sd]\s.*%zmm", r"\bcallq?\s"),
    "AVX2": ("x86_64-unknown-linux-gnu", "haswell", r"\bvfn?m(?:add|sub)\d+p[sd]\s.*%ymm", r"\bcallq?\s"),
    "NEON": ("aarch64-unknown-linux-gnu", "neoverse-n1", r"\bfml[as]\s+v\d+\.(?:4s|2d)", r"\bblr?\s"),
}


@pytest.mark.parametrize("dtype", WIDER)
@pytest.mark.parametrize("kind", PROCESSORS)
def test_a_loop_becomes_vector_code_without_calls(kind: str, dtype: str) -> None:
    triple, cpu, fused, call = PROCESSORS[kind]
    here = tiled(triple, cpu, "", KNOWN.get(cpu, {}))
    assert here.kind == kind
    text = assembly(run_all, dtype, here)
    assert len(re.findall(fused, text)) >= 30
    assert not re.findall(call, text)


@pytest.mark.parametrize(
    ("dtype", "arithmetic", "least"), [("float32", r"\s(?:mul|add)[ps]d\s", 60), ("float64", r"\$fma\b", 1)]
)
def test_without_fused_multiply_adds_no_sum_is_reordered(dtype: str, arithmetic: str, least: int) -> None:
    """There exp(x) was 2 to a whole number: LLVM made products and sums of ``fma``, and left out what cancels out."""
    text = assembly(run_all, dtype, tiled("x86_64-unknown-linux-gnu", "x86-64", "", {}))
    assert len(re.findall(arithmetic, text)) >= least
    assert ("$fma" in text) is (dtype == "float64")


def test_the_polynomials_are_those_of_the_method() -> None:
    fits = fit_polynomials.fits()
    assert {name: getattr(maths, name) for name in fits} == fits
    assert fit_polynomials.two_parts_of_ln2(15) == maths.LN2_SINGLE
    assert fit_polynomials.two_parts_of_ln2(42) == maths.LN2_DOUBLE


@pytest.mark.parametrize(("places", "digits", "largest"), [(15, 24, 150), (42, 53, 1075)])
def test_the_first_part_of_ln2_is_short_enough(places: int, digits: int, largest: int) -> None:
    """n times it is exact: its digits and those of n fit in the dtype's."""
    assert fit_polynomials.two_parts_of_ln2(places)[0] * 2**places == round(
        fit_polynomials.two_parts_of_ln2(places)[0] * 2**places
    )
    assert places + largest.bit_length() <= digits
