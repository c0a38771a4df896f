"""Arithmetic of two operands."""

from minigrad.errors import DTypeError, ShapeError
from tests.harness import Case, Refusal, booleans, integers, normal, positive

CASES = [
    Case("add/same", lambda m, x, y: m.add(x, y), normal(2, 3), normal(2, 3)),
    Case("add/broadcast", lambda m, x, y: x + y, normal(2, 3), normal(3)),
    Case("add/alpha", lambda m, x, y: m.add(x, y, alpha=0.5), normal(2, 3), normal(2, 1)),
    Case("add/number", lambda m, x: 2 + x + 1.5, normal(3)),
    Case("add/integer and float", lambda m, x, y: x + y, integers(3), normal(3)),
    Case("add/booleans", lambda m, x, y: x + y, booleans(4), booleans(4)),
    Case("sub/broadcast", lambda m, x, y: x - y, normal(4, 1, 3), normal(2, 1)),
    Case("sub/reflected", lambda m, x: 1 - x, normal(3)),
    Case("mul/broadcast", lambda m, x, y: m.mul(x, y), normal(2, 3), normal(3)),
    Case("mul/itself", lambda m, x: x * x * x, normal(3)),
    Case("div/broadcast", lambda m, x, y: x / y, normal(2, 3), positive(2, 1)),
    Case("div/integers", lambda m, x, y: x / y, integers(3), integers(3, low=1)),
    Case("div/reflected", lambda m, x: 1 / x, positive(3)),
    Case("neg", lambda m, x: -x, normal(3)),
]

ERRORS = [
    Refusal("add/shapes", lambda m: m.ones(2, 3) + m.ones(4), ShapeError, ("add", "(2, 3)", "(4,)")),
    Refusal(
        "add/array", lambda m: m.ones(2) + m.ones(2).numpy(), DTypeError, ("add", "other", "numpy.ndarray", "minigrad.tensor()")
    ),
    Refusal("mul/text", lambda m: m.ones(2) * "2", DTypeError, ("mul", "other", "str")),
]
