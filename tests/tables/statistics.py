"""Variance and standard deviation."""

from minigrad.errors import DTypeError, IndexingError
from tests.harness import Case, Refusal, constant, normal

OPTIONS = (
    {},
    {"dim": 0},
    {"dim": (0, -1), "keepdim": True},
    {"dim": None, "correction": 0},
    {"dim": 1, "correction": 2},
    {"dim": (1, 2), "unbiased": False},
    {"dim": [0], "unbiased": True, "keepdim": True},
    {"dim": -2, "correction": 0, "keepdim": True},
)

CASES = [
    *[
        Case(f"{name}/{options}", lambda m, x, name=name, options=options: getattr(m, name)(x, **options), normal(2, 3, 2))
        for name in ("var", "std", "var_mean", "std_mean")
        for options in OPTIONS
    ],
    Case(
        "var/unbiased alone",
        lambda m, x: (x.var(False), x.std(True), m.var(x, 0, False), m.std(x, 1, True, True)),
        normal(3, 3),
    ),
    Case("var/float16", lambda m, x: x.half().var(), normal(8), order=0, tolerance=5e-3, dtype_peer=False),
    Case("std/of equal numbers", lambda m, x: m.std(x), constant([2.0, 2.0]), order=0),
    Case("var/far from 0", lambda m, x: m.var(x), constant([1e8, 1e8 + 1, 1e8 + 2]), order=0),
]

ERRORS = [
    Refusal("var/integers", lambda m: m.tensor([1, 2]).var(), DTypeError, ("var", "int64", ".float()")),
    Refusal("std/dim", lambda m: m.ones(2).std(1), IndexingError, ("std", "dim")),
    Refusal("var_mean/list", lambda m: m.var_mean([1.0]), DTypeError, ("var_mean", "list")),
]
