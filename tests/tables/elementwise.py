"""Functions of one element: exponentials, logarithms, roots, the logistic and the error function."""

from minigrad.errors import DTypeError
from tests.harness import Case, Refusal, booleans, constant, distinct, integers, normal, positive, unit

NAN, INF = float("nan"), float("inf")
ODD = constant([0.0, -0.0, 1.0, -1.0, NAN, INF, -INF, 1000.0, -1000.0])
NAMES = ("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "sigmoid", "erf", "erfc")

CASES = [
    *[Case(name, lambda m, x, name=name: getattr(m, name)(x), positive(2, 3)) for name in NAMES],
    *[Case(f"{name}/no dimensions", lambda m, x, name=name: getattr(x, name)(), positive()) for name in NAMES],
    *[Case(f"{name}/odd", lambda m, x, name=name: getattr(m, name)(x), ODD, order=0) for name in NAMES],
    *[Case(f"{name}/integers", lambda m, x, name=name: getattr(m, name)(x), integers(4), tolerance=1e-6) for name in NAMES],
    *[Case(f"{name}/booleans", lambda m, x, name=name: getattr(m, name)(x), booleans(4), tolerance=1e-6) for name in NAMES],
    *[
        Case(
            f"{name}/float16",
            lambda m, x, name=name: getattr(m, name)(x.half()),
            positive(4),
            order=0,
            tolerance=2e-3,
            dtype_peer=False,
        )
        for name in NAMES
    ],
    *[
        Case(f"{name}/negatives", lambda m, x, name=name: getattr(m, name)(x), normal(2, 3))
        for name in ("exp", "exp2", "expm1", "sigmoid", "erf", "erfc")
    ],
    *[Case(f"{name}/empty", lambda m, x, name=name: getattr(m, name)(x), normal(0, 2)) for name in ("exp", "sigmoid", "erf")],
    Case("expm1/near 0", lambda m, x: m.expm1(x), constant([1e-12, -1e-9])),
    Case("log1p/near 0", lambda m, x: m.log1p(x), constant([1e-12, -1e-9])),
    Case("erfc/far", lambda m, x: m.erfc(x), constant([5.0, 10.0, 25.0]), order=0),
    Case("erfinv", lambda m, x: m.erfinv(x), unit(2, 3)),
    Case("erfinv/odd", lambda m, x: m.erfinv(x), constant([1.0, -1.0, 0.0, 2.0, NAN]), order=0),
    Case("reciprocal/negatives", lambda m, x: m.reciprocal(x), distinct(4)),
    Case("logit", lambda m, x: m.logit(x), constant([0.1, 0.5, 0.8])),
    Case("logit/eps", lambda m, x: x.logit(eps=0.1), constant([0.01, 0.3, 0.5, 0.97])),
    Case("logit/odd", lambda m, x: m.logit(x), constant([-1.0, 0.0, 1.0, 2.0, NAN]), order=0),
    Case("logit/eps at the bounds", lambda m, x: m.logit(x, 0.25), constant([0.0, 0.25, 0.75, 1.0]), order=0),
]

ERRORS = [
    Refusal("exp/list", lambda m: m.exp([1.0]), DTypeError, ("exp", "input", "list", "minigrad.tensor()")),
    Refusal("sqrt/number", lambda m: m.sqrt(2.0), DTypeError, ("sqrt", "input", "float")),
    Refusal("logit/none", lambda m: m.logit(None), DTypeError, ("logit", "input", "NoneType")),
]
