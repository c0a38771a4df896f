"""The largest and the smallest."""

from minigrad.errors import DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, booleans, constant, distinct, integers, normal

NAN = float("nan")
TIES = constant([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])

CASES = [
    *[
        Case(f"{name}/{options}", lambda m, x, name=name, options=options: getattr(m, name)(x, **options), distinct(2, 3, 2))
        for name in ("amax", "amin")
        for options in (
            {},
            {"dim": 0},
            {"dim": -1, "keepdim": True},
            {"dim": (0, 2)},
            {"dim": (2, 0), "keepdim": True},
            {"dim": ()},
        )
    ],
    *[
        Case(f"{name}/{kind}", lambda m, x, name=name, call=call: call(getattr(x, name)), distinct(2, 3, 2))
        for name in ("max", "min")
        for kind, call in (
            ("all", lambda f: f()),
            ("dim", lambda f: tuple(f(1))),
            ("keepdim", lambda f: tuple(f(dim=-1, keepdim=True))),
            ("positional", lambda f: tuple(f(0, True))),
            ("fields", lambda f: (f(1).values, f(1).indices, f(1)[0])),
        )
    ],
    *[
        Case(
            f"{name}/other",
            lambda m, x, y, name=name: (getattr(m, name)(x, y), getattr(m, name)(x, other=y)),
            distinct(2, 3),
            constant([0.0, 0.05, -0.05]),
        )
        for name in ("max", "min")
    ],
    *[
        Case(f"{name}/ties", lambda m, x, name=name: (getattr(m, name)(x), *getattr(m, name)(x, 1)), TIES, order=0)
        for name in ("max", "min")
    ],
    *[
        Case(f"{name}/ties", lambda m, x, name=name: (getattr(m, name)(x), getattr(m, name)(x, 1)), TIES, order=0)
        for name in ("amax", "amin")
    ],
    *[
        Case(
            f"{name}/nan",
            lambda m, x, name=name: (getattr(m, name)(x), *getattr(m, name)(x, 0)),
            constant([1.0, NAN, 3.0, NAN]),
            order=0,
        )
        for name in ("max", "min")
    ],
    *[
        Case(
            f"{name}/kinds",
            lambda m, x, y, name=name: (
                getattr(x, name)(),
                getattr(x.to(m.uint8), name)(),
                getattr(y, name)(),
                *getattr(x, name)(1),
                getattr(y, name)(0).values,
            ),
            integers(2, 3),
            booleans(2, 3),
        )
        for name in ("max", "min")
    ],
    *[
        Case(
            f"{name}/kinds",
            lambda m, x, y, name=name: (getattr(x, name)(), getattr(x.int(), name)(1), getattr(y, name)(0)),
            integers(2, 3),
            booleans(2, 3),
        )
        for name in ("amax", "amin")
    ],
    *[
        Case(
            f"{name}/no dimensions",
            lambda m, x, name=name: (getattr(x, name)(), *getattr(x, name)(0), *getattr(x, name)(-1, True)),
            normal(),
        )
        for name in ("max", "min")
    ],
    *[
        Case(f"{name}/empty elsewhere", lambda m, x, name=name: tuple(getattr(x, name)(1)), normal(0, 3))
        for name in ("max", "min")
    ],
    Case("aminmax", lambda m, x: (*m.aminmax(x), m.aminmax(x).min, *x.aminmax(dim=1, keepdim=True)), distinct(2, 3)),
    *[
        Case(
            f"{name}/floats",
            lambda m, x, name=name: (
                getattr(m, name)(x),
                getattr(x, name)(1),
                getattr(x, name)(0, keepdim=True),
                getattr(x, name)(keepdim=True),
            ),
            distinct(2, 3),
            order=0,
        )
        for name in ("argmax", "argmin")
    ],
    *[
        Case(f"{name}/first of equal", lambda m, x, name=name: (getattr(x, name)(), getattr(x, name)(1)), TIES, order=0)
        for name in ("argmax", "argmin")
    ],
    *[
        Case(f"{name}/nan", lambda m, x, name=name: getattr(x, name)(), constant([1.0, NAN, 3.0, NAN]), order=0)
        for name in ("argmax", "argmin")
    ],
    *[
        Case(f"{name}/integers", lambda m, x, name=name: (getattr(x, name)(), getattr(x.to(m.uint8), name)(0)), integers(2, 3))
        for name in ("argmax", "argmin")
    ],
    *[
        Case(f"{name}/no dimensions", lambda m, x, name=name: (getattr(x, name)(), getattr(x, name)(0)), normal(), order=0)
        for name in ("argmax", "argmin")
    ],
]

ERRORS = [
    Refusal("max/empty", lambda m: m.zeros(0, 3).max(), ShapeError, ("max", "at least one element", "(0, 3)")),
    Refusal("max/empty dim", lambda m: m.zeros(0, 3).max(0), ShapeError, ("max", "dimension 0", "(0, 3)", "another dim")),
    Refusal("amin/empty", lambda m: m.zeros(0).amin(), ShapeError, ("amin", "at least one element")),
    Refusal("argmax/empty", lambda m: m.zeros(0).argmax(), ShapeError, ("argmax", "at least one element")),
    Refusal("argmin/empty dim", lambda m: m.zeros(2, 0).argmin(1), ShapeError, ("argmin", "dimension 1")),
    Refusal("max/dim", lambda m: m.ones(2).max(1), IndexingError, ("max", "dim")),
    Refusal("max/none", lambda m: m.ones(2).max(None), DTypeError, ("max", "dim", "None")),
    Refusal("max/number", lambda m: m.max(m.ones(2), 2.0), DTypeError, ("max", "dim", "2.0")),
    Refusal("argmax/booleans", lambda m: m.tensor([True]).argmax(), DTypeError, ("argmax", "bool", ".int()")),
    Refusal("amax/list", lambda m: m.amax([1.0]), DTypeError, ("amax", "list")),
    Refusal("max/other", lambda m: m.max(m.ones(2), other=1), DTypeError, ("maximum", "other", "int")),
]
