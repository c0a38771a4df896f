"""The likeliest classes of a linear layer as one op. Without a tape: tests/test_linear_leading.py."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, normal


def both(k, without=()):
    """PyTorch makes all logits, and puts them in order."""

    def call(m, x, w, b):
        if m.__name__ != "torch":
            return m.nn.functional.linear_topk(x, w, k, linear_bias=b, without=without)
        logits = m.nn.functional.linear(x, w, b)
        whole = logits.logsumexp(1, keepdim=True)
        hidden = m.zeros(len(w), dtype=m.bool)
        hidden[list(without)] = True
        found = logits.masked_fill(hidden, -m.inf).topk(k, 1)
        return found.values - whole, found.indices

    return call


X, W, B = normal(5, 2), normal(7, 2), normal(7)

CASES = [
    Case("linear_topk/some", both(3), X, W, B),
    Case("linear_topk/one", both(1), X, W, B),
    Case("linear_topk/all", both(7), X, W, B),
    Case("linear_topk/without", both(2, (0, 6)), X, W, B),
    Case("linear_topk/no rows", both(2), normal(0, 2), W, B),
]


def on(x=(5, 2), w=(7, 2), k=2, b=None, dtype="float32", **options):
    def call(m):
        bias = None if b is None else m.ones(*b)
        return m.nn.functional.linear_topk(m.ones(*x), m.ones(*w, dtype=getattr(m, dtype)), k, linear_bias=bias, **options)

    return call


ERRORS = [
    Refusal("linear_topk/features", on(x=(5, 4)), ShapeError, ("linear_topk", "input", "(N, 2)", "(5, 4)")),
    Refusal("linear_topk/one row", on(x=(2,)), ShapeError, ("input", "(N, 2)", "(2,)")),
    Refusal("linear_topk/linear_weight", on(w=(3,)), ShapeError, ("linear_weight", "(C, in_features)", "(3,)")),
    Refusal("linear_topk/no classes", on(w=(0, 2)), ShapeError, ("linear_weight", "at least 1", "(0, 2)")),
    Refusal("linear_topk/linear_bias", on(b=(4,)), ShapeError, ("linear_bias", "(7,)", "(4,)")),
    Refusal("linear_topk/dtypes", on(dtype="float64"), DTypeError, ("linear_weight", "float32", "float64")),
    Refusal("linear_topk/none", on(k=0), ArgumentError, ("k", "1 to 7", "0")),
    Refusal("linear_topk/too many", on(k=8), ArgumentError, ("k", "1 to 7", "8")),
    Refusal("linear_topk/a class that there is not", on(without=(7,)), IndexingError, ("without", "0 to 6", "7")),
]
