"""Powers, and logarithms of two operands."""

from minigrad.errors import ArgumentError, DTypeError
from tests.harness import Case, Refusal, booleans, constant, integers, normal, positive

NAN, INF = float("nan"), float("inf")
BASES = constant([0.0, 2.0, -3.0, INF, -INF, 0.0, -1.5])
EXPONENTS = constant([0.0, 3.0, 2.0, -1.0, 3.0, 2.0, -2.0])

CASES = [
    *[
        Case(f"pow/number {n}", lambda m, x, n=n: x**n, positive(2, 3))
        for n in (0, 1, 2, 3, 4, 5, -1, -2, 0.5, -0.5, 2.5, 2.0, 0.0)
    ],
    *[Case(f"pow/number {n} of negatives", lambda m, x, n=n: m.pow(x, n), normal(5)) for n in (0, 1, 2, 3, 4, 7, 3.0)],
    *[Case(f"pow/number {n} at 0", lambda m, x, n=n: x**n, constant([0.0, 1.0])) for n in (0, 1, 2, 3, 4)],
    Case("pow/number 0.5 at 0", lambda m, x: x**0.5, constant([0.0, 4.0]), order=0),
    Case("pow/number at odd places", lambda m, x: (x**-1, x**0, x**1.5, x**-2), BASES, order=0),
    Case("pow/no dimensions", lambda m, x: x**3 + x**2.5, positive()),
    Case("pow/integers", lambda m, x: (x**2, x**0, x**3, x**2.0, x**0.5), integers(5)),
    Case("pow/negative integers", lambda m, x: (x**2, x**3), integers(5, low=-4)),
    Case("pow/booleans and number", lambda m, x: x**2, booleans(4)),
    Case("pow/uint8", lambda m, x: x.to(m.uint8) ** 3, integers(5)),
    Case("pow/float16", lambda m, x: x.half() ** 2.5, positive(4), order=0, tolerance=2e-3),
    Case("pow/of a number", lambda m, x: 2**x, normal(2, 3)),
    Case("pow/of a number function", lambda m, x: m.pow(1.5, x), normal(2, 3)),
    Case("pow/of 0", lambda m, x: 0**x, constant([0.0, 1.0, -1.0]), order=0),
    Case("pow/of a number, integers", lambda m, x: (2**x, True**x, 2.5**x), integers(5)),
    Case("pow/tensors", lambda m, x, y: x**y, positive(2, 3), normal(3)),
    Case("pow/tensors broadcast", lambda m, x, y: x.pow(y), positive(2, 1), normal(3)),
    Case("pow/tensors at 0", lambda m, x, y: x ** y.detach(), constant([0.0, 0.0, 0.0]), constant([2.0, 3.0, 4.0])),
    Case("pow/tensors at odd places", lambda m, x, y: x**y, BASES, EXPONENTS, order=0),
    Case("pow/exponent 0, second derivative", lambda m, x, y: x**y, positive(3), constant([0.0, 0.0, 1.0])),
    Case("pow/integer tensors", lambda m, x, y: x**y, integers(5, low=-4), integers(5, low=0, high=5)),
    Case("pow/integers to negative tensors", lambda m, x, y: x**y, constant([2, 1, -1, -1, -3]), constant([-1, -2, -3, -2, 2])),
    Case("pow/integer and float tensors", lambda m, x, y: x**y, integers(5, low=1), normal(5)),
    Case("pow/float and integer tensors", lambda m, x, y: x**y, normal(5), integers(5, high=4)),
    Case("square", lambda m, x: m.square(x), normal(2, 3)),
    Case("square/integers", lambda m, x: x.square(), integers(4, low=-4)),
    Case("square/booleans", lambda m, x: x.square(), booleans(4)),
    Case("float_power", lambda m, x: (m.float_power(x, 3), x.float_power(0.5), m.float_power(2, x)), positive(3)),
    Case("float_power/integers", lambda m, x: m.float_power(x, 2), integers(3)),
    Case("xlogy", lambda m, x, y: m.xlogy(x, y), normal(2, 3), positive(3)),
    Case("xlogy/numbers", lambda m, x: (m.xlogy(x, 2), m.xlogy(2, x)), positive(3)),
    Case("xlogy/integers", lambda m, x: x.xlogy(x), integers(3, low=1)),
    Case("xlogy/at 0", lambda m, x, y: m.xlogy(x, y), constant([0.0, 0.0, 0.0, 1.0]), constant([0.0, -1.0, NAN, 0.0]), order=0),
    Case("logaddexp", lambda m, x, y: m.logaddexp(x, y), normal(2, 3), normal(3)),
    Case("logaddexp/large", lambda m, x, y: x.logaddexp(y), constant([1000.0, -1000.0]), constant([1001.0, -1000.0])),
    Case(
        "logaddexp/infinite",
        lambda m, x, y: m.logaddexp(x, y),
        constant([INF, -INF, -INF, NAN]),
        constant([1.0, 1.0, -INF, 0.0]),
        order=0,
    ),
    Case("logaddexp2", lambda m, x, y: m.logaddexp2(x, y), normal(2, 3), normal(3)),
    Case("hypot", lambda m, x, y: m.hypot(x, y), normal(2, 3), normal(3)),
    Case("hypot/large", lambda m, x, y: x.hypot(y), constant([3e200]), constant([4e200]), order=0, dtype_peer=False),
    Case("hypot/at 0", lambda m, x, y: m.hypot(x, y), constant([0.0]), constant([0.0]), order=0),
    Case("atan2", lambda m, x, y: m.atan2(x, y), normal(2, 3), normal(3)),
    Case("atan2/at 0", lambda m, x, y: m.arctan2(x, y), constant([0.0, -0.0, 1.0]), constant([0.0, -0.0, 0.0]), order=0),
    Case("atan2/integers", lambda m, x: m.atan2(x, x), integers(3, low=1), tolerance=1e-6),
    Case(
        "pow/exponent 0 of odd bases",
        lambda m, x, y: x ** y.detach(),
        constant([NAN, INF, 0.0, 5e-324, -1e-310, 2.0]),
        constant([0.0] * 6),
        order=0,
    ),
]

ERRORS = [
    Refusal("pow/negative", lambda m: m.tensor([2]) ** -1, ArgumentError, ("pow", "exponent", "-1", ".float()")),
    Refusal("pow/booleans", lambda m: m.tensor([True]) ** m.tensor([True]), DTypeError, ("pow", "bool")),
    Refusal("pow/text", lambda m: m.ones(2) ** "2", DTypeError, ("pow", "other", "str")),
    Refusal("float_power/numbers", lambda m: m.float_power(2, 3), DTypeError, ("float_power", "a Tensor")),
    Refusal("logaddexp/number", lambda m: m.logaddexp(m.ones(2), 1.0), DTypeError, ("logaddexp", "other", "float")),
    Refusal("logaddexp/integers", lambda m: m.logaddexp(m.tensor([1]), m.tensor([1])), DTypeError, ("logaddexp", "int64")),
    Refusal("hypot/integers", lambda m: m.hypot(m.tensor([1]), m.tensor([1])), DTypeError, ("hypot", "int64")),
    Refusal("atan2/number", lambda m: m.atan2(m.ones(2), 1), DTypeError, ("atan2", "int")),
]
