"""The density of pen strokes, which PyTorch has not: its oracle stands in tests/test_mixture.py."""

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import Case, Input, Refusal, normal


def f(**options):
    return lambda m, *inputs: m.nn.functional.bivariate_mixture_nll(*inputs, **options)


def strokes(*shape):
    """Offsets, and chances between 0 and 1 that the pen is lifted, so that a derivative can be taken there too."""

    def draw(rng):
        points = rng.standard_normal((*shape, 3))
        points[..., 2] = rng.uniform(0.1, 0.9, shape)
        return points

    return Input(draw)


CASES = [
    *(
        Case(f"bivariate_mixture_nll/{r}", f(reduction=r), normal(3, 13), strokes(3), peer=False)
        for r in ("none", "mean", "sum")
    ),
    Case("bivariate_mixture_nll/one point, one distribution", f(), normal(7), strokes(), peer=False),
    Case("bivariate_mixture_nll/steps and rows", f(reduction="none"), normal(2, 2, 7), strokes(2, 2), peer=False),
    Case("bivariate_mixture_nll/floor", f(floor=0.3), normal(2, 13), strokes(2), peer=False),
    Case("bivariate_mixture_nll/nothing", f(reduction="sum"), normal(0, 7), strokes(0), peer=False, order=0),
]


def on(given, strokes, **options):
    return lambda m: m.nn.functional.bivariate_mixture_nll(given(m), strokes(m), **options)


ERRORS = [
    Refusal(
        "bivariate_mixture_nll/size",
        on(lambda m: m.ones(2, 12), lambda m: m.ones(2, 3)),
        ShapeError,
        ("bivariate_mixture_nll", "input", "1 + 6 M", "(2, 12)"),
    ),
    Refusal(
        "bivariate_mixture_nll/no distribution", on(lambda m: m.ones(2, 1), lambda m: m.ones(2, 3)), ShapeError, ("at least 1",)
    ),
    Refusal(
        "bivariate_mixture_nll/no size", on(lambda m: m.tensor(1.0), lambda m: m.ones(2, 3)), ShapeError, ("1 + 6 M", "()")
    ),
    Refusal(
        "bivariate_mixture_nll/points",
        on(lambda m: m.ones(2, 7), lambda m: m.ones(2, 2)),
        ShapeError,
        ("target", "(2, 3)", "(2, 2)"),
    ),
    Refusal(
        "bivariate_mixture_nll/pen",
        on(lambda m: m.ones(1, 7), lambda m: m.tensor([[0.0, 1.0, 2.0]])),
        ArgumentError,
        ("target", "lifted, 1", "2", "(dx, dy, lifted)"),
    ),
    Refusal(
        "bivariate_mixture_nll/not a number",
        on(lambda m: m.ones(1, 7), lambda m: m.tensor([[0.0, 1.0, float("nan")]])),
        ArgumentError,
        ("target", "nan"),
    ),
    Refusal(
        "bivariate_mixture_nll/integers",
        on(lambda m: m.ones(1, 7), lambda m: m.zeros(1, 3, dtype=m.int64)),
        DTypeError,
        ("target", "float", "int64"),
    ),
    Refusal(
        "bivariate_mixture_nll/floor",
        on(lambda m: m.ones(1, 7), lambda m: m.ones(1, 3), floor=-20),
        ArgumentError,
        ("floor", "-15 to 15", "-20"),
    ),
    Refusal(
        "bivariate_mixture_nll/reduction",
        on(lambda m: m.ones(1, 7), lambda m: m.ones(1, 3), reduction="average"),
        ArgumentError,
        ("reduction", "'average'"),
    ),
]
