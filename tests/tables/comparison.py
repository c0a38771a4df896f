"""Comparisons, logic and bits."""

from minigrad.errors import DTypeError, ShapeError
from tests.harness import Case, Refusal, booleans, constant, integers, normal

NAN, INF = float("nan"), float("inf")
ODD = constant([0.0, -0.0, 1.0, NAN, INF, -INF])
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
ALIASES = ("not_equal", "less", "less_equal", "greater", "greater_equal")
LOGIC = ("logical_and", "logical_or", "logical_xor")
BITS = ("bitwise_and", "bitwise_or", "bitwise_xor")


def no_gradient(name, call, *inputs, **options):
    return Case(name, call, *inputs, order=0, **options)


CASES = [
    *[
        no_gradient(f"{name}/{kind}", lambda m, x, y, name=name: getattr(m, name)(x, y), first, second)
        for name in (*COMPARISONS, *ALIASES)
        for kind, first, second in (
            ("floats", constant([1.0, 2.0, 3.0]), constant([[1.0], [2.0]])),
            ("odd", ODD, ODD),
            ("integers and floats", integers(3, high=3), constant([0.0, 1.0, 1.5])),
        )
    ],
    *[
        no_gradient(
            f"{name}/numbers", lambda m, x, name=name: (getattr(x, name)(1), getattr(x, name)(1.5)), integers(4, high=3)
        )
        for name in COMPARISONS
    ],
    *[
        no_gradient(f"{name}/booleans", lambda m, x, y, name=name: getattr(x, name)(y), booleans(4), booleans(4))
        for name in COMPARISONS
    ],
    no_gradient(
        "comparison/operators",
        lambda m, x: (x == 1, x != 1, x < 1, x <= 1, x > 1, x >= 1, 1 < x, 1 >= x),  # noqa: SIM300 - the reflected forms are meant
        integers(5, high=3),
    ),
    no_gradient("eq/operator beside others", lambda m, x: m.tensor([x == None, x != None, x == "a", x == [1]]), normal(2)),  # noqa: E711
    no_gradient("lt/uint8 and large", lambda m, x: (x.to(m.uint8) < 300, x.to(m.uint8) == 300), integers(4)),
    no_gradient("gt/uint8 and negative", lambda m, x: (x.to(m.uint8) > -1, x.int() > -(2**40)), integers(4), peer=False),
    *[
        no_gradient(f"{name}/{kind}", lambda m, x, y, name=name: getattr(m, name)(x, y), first, second)
        for name in LOGIC
        for kind, first, second in (
            ("booleans", booleans(2, 4), booleans(4)),
            ("floats", ODD, constant([1.0] * 6)),
            ("mixed", integers(4, high=2), constant([0.0, 1.0, 0.5, 0.0])),
        )
    ],
    no_gradient(
        "logical_not", lambda m, x, y, z: (m.logical_not(x), y.logical_not(), z.logical_not()), ODD, integers(4), booleans(4)
    ),
    *[
        no_gradient(f"{name}/{kind}", lambda m, x, y, name=name: getattr(m, name)(x, y), first, second)
        for name in BITS
        for kind, first, second in (
            ("integers", integers(2, 4, low=-9), integers(4)),
            ("booleans", booleans(4), booleans(4)),
            ("mixed", booleans(4), integers(4)),
        )
    ],
    no_gradient("bitwise/operators", lambda m, x, y: (x & y, x | y, x ^ y, x & 3, 3 | x, 5 ^ x), integers(4), integers(4)),
    no_gradient(
        "bitwise/boolean operators", lambda m, x, y: (x & y, x | y, x ^ y, ~x, x & True, x | 1), booleans(4), booleans(4)
    ),
    no_gradient("bitwise/uint8", lambda m, x: (x.to(m.uint8) & 3, ~x.to(m.uint8)), integers(4)),
    no_gradient("bitwise_not", lambda m, x: (m.bitwise_not(x), ~x), integers(4, low=-4)),
    no_gradient("shifts", lambda m, x, y: (x << y, x >> y, x << 2, x >> 1, 1 << y, 100 >> y), integers(4, low=-9), integers(4)),
    no_gradient(
        "shifts/functions", lambda m, x, y: (m.bitwise_left_shift(x, y), x.bitwise_right_shift(y)), integers(4), integers(4)
    ),
    *[
        no_gradient(f"{name}/{kind}", lambda m, x, name=name: getattr(m, name)(x), value)
        for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf")
        for kind, value in (("floats", ODD), ("integers", integers(3)), ("booleans", booleans(3)), ("none", normal(0)))
    ],
    no_gradient(
        "isclose",
        lambda m, x, y: m.isclose(x, y),
        constant([1.0, 1.0, NAN, INF, -INF]),
        constant([1.000001, 1.1, NAN, INF, INF]),
    ),
    no_gradient("isclose/nan", lambda m, x: x.isclose(x, equal_nan=True), ODD),
    no_gradient("isclose/tolerances", lambda m, x: m.isclose(x, x + 0.1, rtol=0.01, atol=0.05), constant([1.0, 4.0, 6.0])),
    no_gradient("isclose/integers", lambda m, x: m.isclose(x, x + 1, rtol=0.2), integers(4)),
    no_gradient(
        "allclose", lambda m, x: m.tensor([m.allclose(x, x), x.allclose(x + 1), m.allclose(x, x + 1, atol=2)]), normal(4)
    ),
    no_gradient("equal", lambda m, x: m.tensor([m.equal(x, x), x.equal(x[:1]), m.equal(x, x + 1)]), normal(4)),
    no_gradient(
        "isin",
        lambda m, x, y: (m.isin(x, y), m.isin(x, y, invert=True), m.isin(x, 2), m.isin(3, x)),
        integers(2, 4),
        integers(3),
    ),
    no_gradient("isin/floats", lambda m, x: m.isin(x, x[:2]), constant([1.0, 2.0, 1.0, 3.0])),
]

ERRORS = [
    Refusal("eq/none", lambda m: m.eq(m.ones(1), None), DTypeError, ("eq", "other", "NoneType")),
    Refusal("lt/text", lambda m: m.ones(1) < "a", DTypeError, ("lt", "other", "str")),
    Refusal("lt/shapes", lambda m: m.ones(2) < m.ones(3), ShapeError, ("lt", "(2,)", "(3,)")),
    Refusal("logical_and/number", lambda m: m.logical_and(m.ones(1), 1), DTypeError, ("logical_and", "other", "int")),
    Refusal("bitwise_and/floats", lambda m: m.ones(1) & m.ones(1), DTypeError, ("bitwise_and", "float32", ".long()")),
    Refusal("bitwise_not/floats", lambda m: ~m.ones(1), DTypeError, ("bitwise_not", "float32")),
    Refusal("shift/floats", lambda m: m.tensor([1]) << 0.5, DTypeError, ("bitwise_left_shift", "float32")),
    Refusal("shift/booleans", lambda m: m.tensor([True]) >> m.tensor([True]), DTypeError, ("bitwise_right_shift", "bool")),
    Refusal("isclose/dtypes", lambda m: m.isclose(m.ones(1), m.tensor([1])), DTypeError, ("isclose", "other", "int64")),
    Refusal("isclose/number", lambda m: m.allclose(m.ones(1), 1.0), DTypeError, ("allclose", "other", "float")),
    Refusal("isnan/list", lambda m: m.isnan([1.0]), DTypeError, ("isnan", "input", "list")),
    Refusal("equal/array", lambda m: m.equal(m.ones(1), m.ones(1).numpy()), DTypeError, ("equal", "other", "ndarray")),
    Refusal("isin/list", lambda m: m.isin(m.ones(1), [1.0]), DTypeError, ("isin", "other", "list")),
]
