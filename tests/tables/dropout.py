"""Dropout where nothing is left to chance; the rest is in tests/test_dropout.py."""

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import Case, Refusal, integers, normal


def f(name, **options):
    return lambda m, x: getattr(m.nn.functional, name)(x, **options)


def in_place(name, **options):
    def call(m, x):
        copy = x.clone()
        return getattr(m.nn.functional, name)(copy, inplace=True, **options), copy * 2

    return call


KINDS = ("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout")
SHAPES = {"dropout2d": (2, 3, 2, 2)}

CASES = [
    *(Case(f"{name}/not training", f(name, training=False), normal(*SHAPES.get(name, (2, 3, 2)))) for name in KINDS),
    *(Case(f"{name}/p of 0", f(name, p=0.0, training=True), normal(*SHAPES.get(name, (2, 3, 2)))) for name in KINDS),
    *(Case(f"{name}/p of 1", f(name, p=1.0, training=True), normal(*SHAPES.get(name, (2, 3, 2)))) for name in KINDS),
    *(
        Case(f"{name}/in place, p of 1", in_place(name, p=1.0, training=True), normal(*SHAPES.get(name, (2, 3, 2))))
        for name in KINDS
    ),
    Case("dropout/nothing", f("dropout"), normal(0, 3)),
    Case("dropout/integers, not training", f("dropout", training=False), integers(3)),
    Case("dropout1d/no batch", f("dropout1d", p=1.0), normal(2, 3)),
    Case("dropout2d/in place, not training", in_place("dropout2d", training=False), normal(2, 3, 2, 2)),
]

ERRORS = [
    *(
        Refusal(f"{name}/p", lambda m, name=name: f(name, p=1.5)(m, m.ones(2, 3, 2)), ArgumentError, (name, "0 to 1", "1.5"))
        for name in KINDS
    ),
    Refusal("dropout/negative p", lambda m: f("dropout", p=-0.1)(m, m.ones(2)), ArgumentError, ("p", "-0.1")),
    Refusal("dropout/integers", lambda m: f("dropout")(m, m.ones(2).long()), DTypeError, ("dropout", "int64")),
    Refusal("dropout/list", lambda m: f("dropout")(m, [1.0]), DTypeError, ("dropout", "list")),
    Refusal("dropout1d/rank", lambda m: f("dropout1d")(m, m.ones(2)), ShapeError, ("dropout1d", "2 or 3", "(2,)")),
    Refusal("dropout2d/rank", lambda m: f("dropout2d")(m, m.ones(2, 3)), ShapeError, ("dropout2d", "3 or 4", "(2, 3)")),
]
