"""Norms."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, constant, normal

INF = float("inf")
ORDERS = (2, 1, 3, 0.5, 1.5, 2.5, -1, INF, -INF, "fro", None, 4)

CASES = [
    *[Case(f"norm/{p}", lambda m, x, p=p: m.norm(x, p), normal(2, 3)) for p in ORDERS],
    *[
        Case(f"norm/{p} along", lambda m, x, p=p: (x.norm(p, 1), x.norm(p, dim=(0, 2), keepdim=True)), normal(2, 3, 2))
        for p in ORDERS
    ],
    *[
        Case(f"norm/{p} at 0", lambda m, x, p=p: m.norm(x, p, 1), constant([[0.0, -1.0], [0.0, 0.0]]), order=0)
        for p in (2, 1, 3, 2.5, "fro")
    ],
    *[Case(f"norm/{p} at one 0", lambda m, x, p=p: m.norm(x, p), constant([0.0, -1.0, 2.0]), order=0) for p in (0.5, 1.5, INF)],
    Case("norm/0", lambda m, x: (m.norm(x.detach(), 0), x.detach().norm(0, 1, True)), constant([[0.0, 2.0], [1.0, 3.0]])),
    Case("norm/ties", lambda m, x: (x.norm(INF), x.norm(-INF)), constant([1.0, -1.0, 1.0]), order=0),
    Case("norm/default", lambda m, x: (x.norm(), x.norm(dim=0), m.norm(x)), normal(2, 3)),
    Case("norm/no dimensions", lambda m, x: (x.norm(), x.norm(1), x.norm(3)), normal()),
    Case("norm/empty", lambda m, x: (x.norm(), x.norm(2, 0), x.norm(1, 0), x.norm(INF, 1)), normal(0, 3), order=0),
    Case("norm/dtype", lambda m, x: m.norm(x.float(), dtype=m.float64), normal(3), order=0, tolerance=1e-6),
]

ERRORS = [
    Refusal("norm/integers", lambda m: m.tensor([1]).norm(), DTypeError, ("norm", "int64", ".float()")),
    Refusal("norm/nuc", lambda m: m.ones(2, 2).norm("nuc"), ArgumentError, ("norm", "p", "'nuc'", "'fro'")),
    Refusal("norm/nan", lambda m: m.ones(2, 2).norm(float("nan")), ArgumentError, ("norm", "p", "nan")),
    Refusal("norm/dim", lambda m: m.ones(2).norm(2, 1), IndexingError, ("norm", "dim")),
    Refusal("norm/inf of nothing", lambda m: m.zeros(0).norm(INF), ShapeError, ("norm", "at least one element")),
]
