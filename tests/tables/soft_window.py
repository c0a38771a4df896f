"""The soft window over letters, which PyTorch has not: beside it, in its own ops, tests/test_soft_window.py."""

from minigrad.errors import DTypeError, ShapeError
from tests.harness import Case, Refusal, normal, positive


def window(m, *inputs):
    return m.nn.functional.soft_window(*inputs)


def on(input, kappa, text, dtype="float32"):
    return lambda m: window(m, m.ones(*input), m.ones(*kappa), m.ones(*text, dtype=getattr(m, dtype)))


CASES = [
    Case("soft_window/two bells", window, normal(2, 6), positive(2, 2), normal(2, 4, 3), peer=False),
    Case("soft_window/one letter", window, normal(1, 3), positive(1, 1), normal(1, 1, 1), peer=False),
    Case(
        "soft_window/the blend alone", lambda m, *x: window(m, *x)[0], normal(2, 3), normal(2, 1), normal(2, 3, 2), peer=False
    ),
    Case(
        "soft_window/the places alone", lambda m, *x: window(m, *x)[1], normal(2, 3), normal(2, 1), normal(2, 3, 2), peer=False
    ),
    Case(
        "soft_window/the weights alone", lambda m, *x: window(m, *x)[2], normal(2, 3), normal(2, 1), normal(2, 3, 2), peer=False
    ),
    Case("soft_window/no letters", window, normal(2, 3), normal(2, 1), normal(2, 0, 3), peer=False, order=1),
    Case(
        "soft_window/one input in all parts",
        lambda m, x: window(m, x, x[:, :1] * 2, x.unsqueeze(2)),
        positive(2, 3),
        peer=False,
    ),
]

ERRORS = [
    Refusal("soft_window/input", on((2, 4), (2, 1), (2, 5, 3)), ShapeError, ("soft_window", "input", "(B, 3 K)", "(2, 4)")),
    Refusal("soft_window/kappa", on((2, 6), (2, 3), (2, 5, 3)), ShapeError, ("kappa", "(2, 2)", "(2, 3)")),
    Refusal("soft_window/text", on((2, 3), (2, 1), (3, 5, 3)), ShapeError, ("text", "B = 2", "(3, 5, 3)")),
    Refusal("soft_window/dtypes", on((2, 3), (2, 1), (2, 5, 3), "int64"), DTypeError, ("one float dtype", "int64")),
]
