"""Angles and hyperbolas."""

from minigrad.errors import DTypeError
from tests.harness import Case, Refusal, constant, integers, normal, unit

NAN, INF = float("nan"), float("inf")
ODD = constant([0.0, -0.0, 1.0, -1.0, NAN, INF, -INF, 1000.0, -1000.0])
NAMES = ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh")
ABOVE_1 = constant([[1.2, 2.0, 3.0], [1.5, 4.0, 1.1]])

CASES = [
    *[Case(name, lambda m, x, name=name: getattr(m, name)(x), unit(2, 3)) for name in NAMES if name != "acosh"],
    Case("acosh", lambda m, x: m.acosh(x), ABOVE_1),
    *[Case(f"{name}/no dimensions", lambda m, x, name=name: getattr(x, name)(), unit()) for name in NAMES if name != "acosh"],
    *[Case(f"{name}/odd", lambda m, x, name=name: getattr(m, name)(x), ODD, order=0) for name in NAMES],
    *[
        Case(f"{name}/integers", lambda m, x, name=name: getattr(m, name)(x), integers(3, high=2), tolerance=1e-6)
        for name in NAMES
    ],
    *[
        Case(f"{name}/float16", lambda m, x, name=name: getattr(m, name)(x.half()), unit(4), order=0, tolerance=4e-3)
        for name in NAMES
        if name != "acosh"
    ],
    *[
        Case(f"{name}/normal", lambda m, x, name=name: getattr(m, name)(x), normal(2, 3))
        for name in ("sin", "cos", "atan", "sinh", "cosh", "tanh", "asinh")
    ],
    *[
        Case(f"arc{name}", lambda m, x, name=name: getattr(m, f"arc{name}")(x), unit(3))
        for name in ("sin", "cos", "tan", "sinh", "tanh")
    ],
    Case("arccosh", lambda m, x: x.arccosh(), ABOVE_1),
]

ERRORS = [Refusal("sin/list", lambda m: m.sin([1.0]), DTypeError, ("sin", "input", "list", "minigrad.tensor()"))]
