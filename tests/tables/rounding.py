"""Sign, size and rounding."""

from minigrad.errors import DTypeError
from tests.harness import Case, Refusal, booleans, constant, distinct, integers

NAN, INF = float("nan"), float("inf")
ODD = constant([0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, NAN, INF, -INF])
BETWEEN = constant([0.3, -0.3, 1.7, -1.7, 2.4, -2.4])  # away from the steps
NAMES = ("floor", "ceil", "round", "trunc")

CASES = [
    Case("abs", lambda m, x: m.abs(x), distinct(2, 3)),
    Case("abs/operator", lambda m, x: abs(x), distinct(2, 3)),
    Case("abs/at 0", lambda m, x: m.absolute(x), ODD, order=0),
    Case("abs/no dimensions", lambda m, x: x.abs(), constant(-0.5)),
    Case("abs/integers", lambda m, x: x.abs(), integers(5, low=-5)),
    Case("abs/uint8", lambda m, x: x.to(m.uint8).abs(), integers(5)),
    Case("sign", lambda m, x: m.sign(x), distinct(2, 3)),
    Case("sign/odd", lambda m, x: m.sign(x), ODD, order=0),
    Case("sgn", lambda m, x: x.detach().sgn(), distinct(2, 3), order=0),
    Case("sign/integers", lambda m, x: x.sign(), integers(5, low=-5)),
    Case("sign/booleans", lambda m, x: x.sign(), booleans(5)),
    *[Case(name, lambda m, x, name=name: getattr(m, name)(x), BETWEEN) for name in NAMES],
    *[Case(f"{name}/odd", lambda m, x, name=name: getattr(x, name)(), ODD, order=0) for name in NAMES],
    *[Case(f"{name}/integers", lambda m, x, name=name: getattr(x, name)(), integers(5, low=-5)) for name in NAMES],
    Case("round/decimals", lambda m, x: (m.round(x, decimals=1), x.round(decimals=2)), constant([1.234, -5.678, 12.3456])),
    Case("round/negative decimals", lambda m, x: m.round(x, decimals=-1), constant([1.234, -57.8, 126.0])),
    Case("fix", lambda m, x: m.fix(x), BETWEEN),
    Case("frac", lambda m, x: m.frac(x), BETWEEN),
    Case("frac/odd", lambda m, x: x.frac(), ODD, order=0),
    Case("nan_to_num", lambda m, x: m.nan_to_num(x), ODD, order=0),
    Case("nan_to_num/smooth", lambda m, x: m.nan_to_num(x), distinct(4)),
    Case("nan_to_num/values", lambda m, x: x.nan_to_num(nan=1.0, posinf=2.0, neginf=-3.0), ODD, order=0),
    Case("nan_to_num/float32", lambda m, x: m.nan_to_num(x.float()), ODD, order=0),
    Case("nan_to_num/integers", lambda m, x: m.nan_to_num(x), integers(3)),
]

ERRORS = [
    Refusal("abs/booleans", lambda m: abs(m.tensor([True])), DTypeError, ("abs", "input", "bool")),
    Refusal("abs/number", lambda m: m.abs(-1), DTypeError, ("abs", "input", "int")),
    Refusal("floor/booleans", lambda m: m.tensor([True]).floor(), DTypeError, ("floor", "input", "bool")),
    Refusal("round/integers", lambda m: m.round(m.tensor([1]), decimals=1), DTypeError, ("round", "int64", ".float()")),
    Refusal("round/decimals", lambda m: m.round(m.ones(1), decimals=0.5), DTypeError, ("round", "decimals", "0.5")),
    Refusal("frac/integers", lambda m: m.tensor([1]).frac(), DTypeError, ("frac", "int64")),
    Refusal("sign/list", lambda m: m.sign([1.0]), DTypeError, ("sign", "input", "list")),
]
