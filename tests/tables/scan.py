"""Running sums, products and extremes, and differences."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, booleans, constant, distinct, integers, normal, positive

NAN = float("nan")
ZEROS = constant([[2.0, 0.0, 3.0], [0.0, 1.5, 0.0], [1.0, 2.0, -1.0], [0.5, 0.0, 2.0]])

CASES = [
    Case("cumsum", lambda m, x: (m.cumsum(x, 0), x.cumsum(dim=-1)), normal(2, 3)),
    Case(
        "cumsum/kinds",
        lambda m, x, y: (x.cumsum(1), x.int().cumsum(0), y.cumsum(0), x.cumsum(0, dtype=m.float32)),
        integers(2, 3),
        booleans(4),
    ),
    Case("cumsum/no dimensions", lambda m, x: x.cumsum(0), normal()),
    Case("cumsum/empty", lambda m, x: (x.cumsum(0), x.cumsum(1)), normal(0, 3)),
    Case("cumprod", lambda m, x: (m.cumprod(x, 0), x.cumprod(dim=-1)), positive(3, 3)),
    Case("cumprod/zeros", lambda m, x: (m.cumprod(x, 0), x.cumprod(1)), ZEROS),
    Case("cumprod/long with zeros", lambda m, x: x.cumprod(0), constant([2.0, 0.0, 3.0, 0.0, 4.0])),
    Case(
        "cumprod/kinds",
        lambda m, x, y: (x.cumprod(1), y.cumprod(0), x.cumprod(0, dtype=m.float32)),
        integers(2, 3),
        booleans(4),
    ),
    Case("cumprod/no dimensions", lambda m, x: x.cumprod(0), normal()),
    Case("prod", lambda m, x: m.prod(x), normal(2, 3)),
    Case("prod/dims", lambda m, x: (x.prod(0), x.prod(-1, keepdim=True), m.prod(x, 1, True)), normal(2, 3)),
    Case("prod/one zero", lambda m, x: (x.prod(), x.prod(0), x.prod(1)), constant([[2.0, 0.0, 3.0], [1.0, 1.5, -1.0]])),
    Case("prod/zeros", lambda m, x: (x.prod(), x.prod(0), x.prod(1, keepdim=True)), ZEROS),
    Case(
        "prod/kinds",
        lambda m, x, y: (x.prod(), x.to(m.uint8).prod(1), y.prod(), x.prod(dtype=m.float32)),
        integers(2, 3, low=1),
        booleans(4),
    ),
    Case("prod/no dimensions", lambda m, x: (x.prod(), x.prod(0)), normal()),
    Case("prod/empty", lambda m, x: (x.prod(), x.prod(0), x.prod(1)), normal(0, 3)),
    *[
        Case(name, lambda m, x, name=name: (*getattr(m, name)(x, 0), getattr(x, name)(-1).values), distinct(3, 4))
        for name in ("cummax", "cummin")
    ],
    *[
        Case(
            f"{name}/ties",
            lambda m, x, name=name: tuple(getattr(x, name)(0)),
            constant([2.0, 0.0, 2.0, 3.0, 0.0, 3.0]),
            order=0,
        )
        for name in ("cummax", "cummin")
    ],
    *[
        Case(f"{name}/nan", lambda m, x, name=name: tuple(getattr(x, name)(0)), constant([2.0, 3.0, NAN, 4.0, 1.0]), order=0)
        for name in ("cummax", "cummin")
    ],
    *[
        Case(
            f"{name}/kinds",
            lambda m, x, y, name=name: (*getattr(x, name)(1), *getattr(y, name)(0)),
            integers(2, 4),
            booleans(4),
        )
        for name in ("cummax", "cummin")
    ],
    *[
        Case(f"{name}/no dimensions", lambda m, x, name=name: tuple(getattr(x, name)(0)), normal())
        for name in ("cummax", "cummin")
    ],
    Case("diff", lambda m, x: (m.diff(x), x.diff(dim=0)), normal(3, 4)),
    Case("diff/n", lambda m, x: (x.diff(n=2), x.diff(3, 0), x.diff(n=5), x.diff(n=0)), normal(4, 4)),
    Case(
        "diff/prepend and append",
        lambda m, x, y, z: (x.diff(prepend=y), x.diff(append=z), m.diff(x, 2, 1, y, z)),
        normal(2, 3),
        normal(2, 1),
        normal(2, 2),
    ),
    Case("diff/kinds", lambda m, x, y: (x.diff(), y.diff(), x.to(m.uint8).diff(dim=0)), integers(2, 4), booleans(5)),
    Case("diff/prepend promotes", lambda m, x, y: x.diff(prepend=y), integers(3), normal(2)),
]

ERRORS = [
    Refusal("cumsum/dim", lambda m: m.ones(2).cumsum(1), IndexingError, ("cumsum", "dim")),
    Refusal("cumsum/list", lambda m: m.cumsum([1.0], 0), DTypeError, ("cumsum", "input", "list")),
    Refusal("cumprod/dim", lambda m: m.ones(2).cumprod(-2), IndexingError, ("cumprod", "dim")),
    Refusal("prod/dim", lambda m: m.ones(2).prod(1), IndexingError, ("prod", "dim")),
    Refusal("prod/dims", lambda m: m.ones(2, 2).prod((0, 1)), DTypeError, ("prod", "dim", "(0, 1)")),
    Refusal("cummax/dim", lambda m: m.ones(2).cummax(1), IndexingError, ("cummax", "dim")),
    Refusal("diff/n", lambda m: m.ones(2).diff(n=-1), ArgumentError, ("diff", "n", "-1")),
    Refusal("diff/number", lambda m: m.tensor(1.0).diff(), ShapeError, ("diff", "input", "at least one dimension")),
    Refusal("diff/prepend", lambda m: m.ones(2).diff(prepend=m.tensor(1.0)), ShapeError, ("diff", "prepend", "1 dimensions")),
]
