"""A linear layer and its cross entropy as one op. Its memory, and long parts, are in tests/test_linear_loss.py."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, constant, integers, normal


def both(**options):
    """PyTorch makes all logits at once; here ``most`` of them are there at a time."""

    def call(m, x, w, b, t):
        own = {} if m.__name__ == "torch" else {"most": options.get("most", 7)}
        given = {name: value for name, value in options.items() if name != "most"}
        if given.get("weight"):
            given["weight"] = m.tensor([0.5, 2.0, 1.5], dtype=x.dtype)
        return m.nn.functional.linear_cross_entropy(x, w, t, linear_bias=b, **given, **own)

    return call


def without_bias(m, x, w, t, **options):
    return m.nn.functional.linear_cross_entropy(x, w, t, **options)


X, W, B, T = normal(5, 2), normal(3, 2), normal(3), integers(5, high=3)
IGNORED = constant([2, -100, 0, -100, 1])

CASES = [
    *(Case(f"linear_cross_entropy/{r}", both(reduction=r), X, W, B, T) for r in ("mean", "sum", "none")),
    *(Case(f"linear_cross_entropy/ignored, {r}", both(reduction=r), X, W, B, IGNORED) for r in ("mean", "sum", "none")),
    Case("linear_cross_entropy/without bias", without_bias, X, W, T),
    Case("linear_cross_entropy/one sample", both(), normal(2), W, B, constant(1)),
    Case("linear_cross_entropy/one sample, none", both(reduction="none"), normal(2), W, B, constant(1)),
    Case("linear_cross_entropy/one row at a time", both(most=1, reduction="none"), X, W, B, T),
    Case("linear_cross_entropy/all rows at once", both(most=1000), X, W, B, T),
    Case("linear_cross_entropy/ignored class", both(ignore_index=0), X, W, B, constant([0, 1, 2, 0, 1])),
    Case("linear_cross_entropy/smoothed", both(label_smoothing=0.3), X, W, B, T),
    Case("linear_cross_entropy/weight", both(weight=True), X, W, B, T),
    Case("linear_cross_entropy/all at once", both(weight=True, label_smoothing=0.1, ignore_index=2), X, W, B, T),
    Case(
        "linear_cross_entropy/all at once, none",
        both(weight=True, label_smoothing=0.1, ignore_index=2, reduction="none"), X, W, B, T,
    ),
    Case("linear_cross_entropy/probabilities", lambda m, x, w, t: without_bias(m, x, w, m.softmax(t, 1)), X, W, normal(5, 3)),
    Case("linear_cross_entropy/all ignored", both(), X, W, B, constant([-100] * 5), order=0),
    Case("linear_cross_entropy/all ignored, sum", both(reduction="sum"), X, W, B, constant([-100] * 5)),
    Case("linear_cross_entropy/no rows, sum", both(reduction="sum"), normal(0, 2), W, B, integers(0, high=3)),
    Case("linear_cross_entropy/no rows, none", both(reduction="none"), normal(0, 2), W, B, integers(0, high=3)),
    Case("linear_cross_entropy/one for both", lambda m, w, t: without_bias(m, w, w, t), normal(3, 2), integers(3, high=3)),
]  # fmt: skip


def on(x=(5, 2), w=(3, 2), t=(0, 1, 2, 0, 1), b=None, dtype="float32", **options):
    def call(m):
        bias = None if b is None else m.ones(*b)
        return m.nn.functional.linear_cross_entropy(
            m.ones(*x), m.ones(*w, dtype=getattr(m, dtype)), m.tensor(t), linear_bias=bias, **options
        )

    return call


ERRORS = [
    Refusal("linear_cross_entropy/features", on(x=(5, 4)), ShapeError, ("linear_cross_entropy", "input", "(N, 2)", "(5, 4)")),
    Refusal("linear_cross_entropy/images", on(x=(5, 4, 2)), ShapeError, ("input", "(5, 4, 2)", "Flatten")),
    Refusal("linear_cross_entropy/linear_weight", on(w=(3,)), ShapeError, ("linear_weight", "(C, in_features)", "(3,)")),
    Refusal("linear_cross_entropy/no classes", on(w=(0, 2)), ShapeError, ("linear_weight", "at least 1", "(0, 2)")),
    Refusal("linear_cross_entropy/linear_bias", on(b=(4,)), ShapeError, ("linear_bias", "(3,)", "(4,)")),
    Refusal("linear_cross_entropy/rows", on(t=(0, 1)), ShapeError, ("target", "(5,)", "(2,)")),
    Refusal("linear_cross_entropy/dtypes", on(dtype="float64"), DTypeError, ("linear_weight", "float32", "float64")),
    Refusal("linear_cross_entropy/class", on(t=(0, 1, 3, 0, 1)), IndexingError, ("target", "0 to 2", "3 at 2")),
    Refusal("linear_cross_entropy/reduction", on(reduction="average"), ArgumentError, ("reduction", "'average'")),
    Refusal("linear_cross_entropy/smoothing", on(label_smoothing=1.5), ArgumentError, ("label_smoothing", "1.5")),
    Refusal("linear_cross_entropy/most", on(most=0), ArgumentError, ("most", "at least 1", "0")),
    Refusal(
        "linear_cross_entropy/probabilities, ignored", on(t=[[0.1, 0.2, 0.7]] * 5, ignore_index=0), ArgumentError,
        ("ignore_index", "None", "0"),
    ),
]  # fmt: skip
