"""One of several values at each place."""

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import Case, Refusal, booleans, constant, distinct, integers, normal

NAN, INF = float("nan"), float("inf")
TIES_A = constant([1.0, 2.0, 3.0, NAN, 1.0])
TIES_B = constant([1.0, 3.0, 2.0, 1.0, NAN])

CASES = [
    Case("where", lambda m, c, x, y: m.where(c, x, y), booleans(2, 3), normal(2, 3), normal(3)),
    Case("where/broadcast condition", lambda m, c, x, y: m.where(c, x, y), booleans(2, 1), normal(3), normal()),
    Case("where/method", lambda m, c, x, y: x.where(c, y), booleans(2, 3), normal(2, 3), normal(2, 3)),
    Case("where/numbers", lambda m, c: (m.where(c, 1, 2), m.where(c, 1, 2.5), m.where(c, True, False)), booleans(4)),
    Case("where/tensor and number", lambda m, c, x: (m.where(c, x, 0), m.where(c, 1.5, x)), booleans(4), normal(4)),
    Case("where/integers", lambda m, c, x: (m.where(c, x, 0), m.where(c, x, 0.5)), booleans(4), integers(4)),
    Case(
        "where/dtypes", lambda m, c, x, y: m.where(c, x.half(), y), booleans(4), normal(4), normal(4), order=0, tolerance=1e-3
    ),
    Case("where/nan on the other side", lambda m, x: m.where(x > 0, x, x * NAN), constant([1.0, 2.0]), order=0),
    *[
        Case(f"{name}/{kind}", lambda m, x, y, name=name: getattr(m, name)(x, y), first, second)
        for name in ("maximum", "minimum", "fmax", "fmin")
        for kind, first, second in (
            ("same", distinct(2, 3), constant([[0.0, 0.05, -0.05], [0.04, -0.04, 0.02]])),
            ("broadcast", distinct(2, 3), constant([0.0, 0.05, -0.05])),
            ("integers", integers(5), integers(5)),
            ("booleans", booleans(5), booleans(5)),
            ("integers and floats", integers(3), constant([2.5, 3.5, 4.5])),
            ("no dimensions", constant(0.5), constant(0.25)),
        )
    ],
    *[
        Case(f"{name}/ties and nan", lambda m, x, y, name=name: getattr(x, name)(y), TIES_A, TIES_B, order=0)
        for name in ("maximum", "minimum", "fmax", "fmin")
    ],
    Case("clamp/numbers", lambda m, x: m.clamp(x, -0.35, 0.45), distinct(2, 3)),
    Case("clamp/min", lambda m, x: (x.clamp(min=0), m.clamp_min(x, 0.05)), distinct(2, 3)),
    Case("clamp/max", lambda m, x: (x.clamp(max=0), m.clamp_max(x, 0.05)), distinct(2, 3)),
    Case("clamp/at the bounds", lambda m, x: m.clip(x, 0, 1), constant([0.0, 0.5, 1.0, 2.0, NAN]), order=0),
    Case("clamp/bounds crossed", lambda m, x: m.clamp(x, 1, 0), constant([-1.0, 0.5, 2.0]), order=0),
    Case("clamp/no dimensions", lambda m, x: x.clamp(0, 1), constant(0.5)),
    Case("clamp/tensors", lambda m, x, a, b: m.clamp(x, a, b), distinct(2, 3), constant([-0.33, -0.35, -0.31]), constant(0.33)),
    Case("clamp/min tensor", lambda m, x, a: x.clip(min=a), distinct(2, 3), constant([0.02, 0.03, 0.04])),
    Case("clamp/max tensor", lambda m, x, a: x.clamp_max(a), distinct(2, 3), constant([0.02, 0.03, 0.04])),
    Case(
        "clamp/tensors at the bounds",
        lambda m, x, a, b: m.clamp(x, a, b),
        constant([0.0, 0.5, 1.0, 2.0, NAN, 0.5, 0.5]),
        constant([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, NAN]),
        constant([1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0]),
        order=0,
    ),
    Case("clamp/integers", lambda m, x: (x.clamp(2, 5), x.clamp(0.5), x.clamp(max=3)), integers(8)),
    Case("clamp/booleans", lambda m, x: x.clamp(0, 1), booleans(4)),
    Case("copysign", lambda m, x, y: m.copysign(x, y), distinct(2, 3), distinct(3)),
    Case("copysign/number", lambda m, x: x.copysign(-1), distinct(4)),
    Case(
        "copysign/zeros",
        lambda m, x, y: m.copysign(x, y),
        constant([0.0, 1.0, -1.0, NAN]),
        constant([-1.0, -0.0, 0.0, 1.0]),
        order=0,
    ),
    Case("copysign/integers", lambda m, x: m.copysign(x, -1), integers(4)),
    Case(
        "heaviside", lambda m, x, y: m.heaviside(x.detach(), y.detach()), constant([-1.0, 0.0, 2.0]), constant([0.5]), order=0
    ),
    Case("where/alone", lambda m, x: (m.where(x), m.where(x > 0)), constant([[0.0, 1.0], [-2.0, 0.0]]), order=0),
]

ERRORS = [
    Refusal("where/condition", lambda m: m.where(m.ones(2), 1, 2), DTypeError, ("where", "condition", "float32", ".bool()")),
    Refusal("where/python", lambda m: m.where(True, m.ones(2), 2), DTypeError, ("where", "condition", "bool")),
    Refusal("where/one", lambda m: m.where(m.tensor([True]), 2), ArgumentError, ("where", "both or neither")),
    Refusal("where/shapes", lambda m: m.where(m.tensor([True, False]), m.ones(2), m.ones(3)), ShapeError, ("where", "(3,)")),
    Refusal("maximum/number", lambda m: m.maximum(m.ones(2), 1), DTypeError, ("maximum", "other", "int", "clamp")),
    Refusal("fmin/number", lambda m: m.fmin(1, m.ones(2)), DTypeError, ("fmin", "input", "int")),
    Refusal("clamp/none", lambda m: m.ones(2).clamp(), ArgumentError, ("clamp", "at least one")),
    Refusal("clamp/text", lambda m: m.ones(2).clamp("a"), DTypeError, ("clamp", "str")),
    Refusal("clamp/list", lambda m: m.clamp([1.0], 0), DTypeError, ("clamp", "input", "list")),
    Refusal("copysign/list", lambda m: m.copysign([1.0], 0), DTypeError, ("copysign", "input", "list")),
    Refusal("heaviside/dtypes", lambda m: m.heaviside(m.ones(1), m.tensor([1])), DTypeError, ("heaviside", "values", "int64")),
]
