"""Other dtypes and memory for the same numbers."""

from minigrad.errors import ArgumentError, DTypeError
from tests.harness import Case, Refusal, booleans, integers, normal

CASES = [
    Case("to/dtype", lambda m, x: x.to(m.float64) * 2, normal(2, 3)),
    Case("to/down and up", lambda m, x: x.to(m.float32).to(m.float64), normal(2, 3), order=0, tolerance=1e-6),
    Case("to/dtype by name", lambda m, x: x.to(dtype=m.int64), normal(2, 3), order=0),
    Case("to/other", lambda m, x, y: x.to(y), integers(3), normal(2)),
    Case("to/copy", lambda m, x: x.to(x.dtype, copy=True), normal(3)),
    Case("to/device and dtype", lambda m, x: x.to("cpu", m.float64), integers(3)),
    Case("half", lambda m, x: x.half(), normal(3), order=0, tolerance=1e-3),
    Case("float", lambda m, x: x.float(), integers(3)),
    Case("double", lambda m, x: x.double(), booleans(3)),
    Case("int", lambda m, x: x.int(), normal(3), order=0),
    Case("long", lambda m, x: x.long(), normal(3), order=0),
    Case("bool", lambda m, x: x.bool(), integers(5, high=2)),
    Case("type_as", lambda m, x, y: x.type_as(y), integers(3), normal(3)),
    Case("clone", lambda m, x: m.clone(x).mul(x), normal(2, 3)),
    Case("contiguous", lambda m, x: x.t().contiguous() * x.t(), normal(2, 3)),
    Case("cpu", lambda m, x: x.cpu(), normal(3)),
]

ERRORS = [
    Refusal("to/no dtype", lambda m: m.ones(2).to(dtype="float31"), DTypeError, ("to", "float32", "'float31'")),
    Refusal("to/no target", lambda m: m.ones(2).to("mps"), ArgumentError, ("to", "'cuda:INDEX'", "'mps'")),
    Refusal("to/complex", lambda m: m.ones(2).to("complex64"), DTypeError, ("to", "'complex64'")),
    Refusal("to/no device", lambda m: m.ones(2).to(device="gpu"), ArgumentError, ("device", "'cuda:INDEX'", "'gpu'")),
]
