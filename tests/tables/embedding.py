"""Lookup tables. Sparse gradients are in tests/test_sparse.py, shortened rows in tests/test_embedding.py."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, constant, integers, normal


def lookup(*args, **options):
    return lambda m, i, w: m.nn.functional.embedding(i, w, *args, **options)


def refused(index, *shape, **options):
    return lambda m: m.nn.functional.embedding(m.tensor(index), m.ones(*shape), **options)


CASES = [
    Case("embedding/plain", lookup(), integers(5, high=4), normal(4, 3)),
    Case("embedding/named again and again", lookup(), constant([2, 2, 2, 0]), normal(4, 3)),
    Case("embedding/two dimensions", lookup(), integers(2, 3, high=4), normal(4, 2)),
    Case("embedding/one number", lookup(), constant(2), normal(4, 2)),
    Case("embedding/no numbers", lookup(), integers(0, 2, high=4), normal(4, 2)),
    Case("embedding/no features", lookup(), integers(2, high=4), normal(4, 0)),
    Case("embedding/int32", lambda m, i, w: m.nn.functional.embedding(i.to(m.int32), w), integers(5, high=4), normal(4, 3)),
    # PyTorch's and our gradient of padding and of frequencies is not that of the value, as asked.
    Case("embedding/padding_idx", lookup(padding_idx=2), constant([0, 2, 2, 3]), normal(4, 3), order=0),
    Case("embedding/padding_idx from the end", lookup(-1), constant([0, 2, 3, 3]), normal(4, 3), order=0),
    Case("embedding/frequencies", lookup(scale_grad_by_freq=True), constant([[0, 2], [2, 2]]), normal(4, 3), order=0),
    Case(
        "embedding/frequencies and padding", lookup(0, scale_grad_by_freq=True), constant([0, 0, 2, 2]), normal(4, 3), order=0
    ),
    Case("embedding/long rows left alone", lookup(max_norm=100.0), constant([0, 1]), normal(4, 3), order=0),
    Case("one_hot/plain", lambda m, i: m.nn.functional.one_hot(i), constant([2, 0, 1, 2])),
    Case("one_hot/classes", lambda m, i: m.nn.functional.one_hot(i, num_classes=5), integers(2, 3, high=5)),
    Case("one_hot/one number", lambda m, i: m.nn.functional.one_hot(i), constant(3)),
    Case("one_hot/no numbers", lambda m, i: m.nn.functional.one_hot(i, 3), integers(0, 2)),
]

ERRORS = [
    Refusal("embedding/number", refused([0, 4, 1], 4, 2), IndexingError, ("embedding", "input", "0 to 3", "4 at 1")),
    Refusal("embedding/negative", refused([[0], [-1]], 4, 2), IndexingError, ("embedding", "-1 at (1, 0)")),
    Refusal("embedding/floats", refused([0.0], 4, 2), DTypeError, ("embedding", "input", "float32", ".long()")),
    Refusal("embedding/weight", refused([0], 4), ShapeError, ("embedding", "weight", "(4,)")),
    Refusal("embedding/padding_idx", refused([0], 4, 2, padding_idx=4), IndexingError, ("padding_idx", "-4 to 3", "4")),
    Refusal("embedding/list", lambda m: m.nn.functional.embedding([0], m.ones(4, 2)), DTypeError, ("input", "list")),
    Refusal("one_hot/floats", lambda m: m.nn.functional.one_hot(m.ones(2)), DTypeError, ("one_hot", "float32")),
    Refusal("one_hot/too large", lambda m: m.nn.functional.one_hot(m.tensor([0, 3]), 3), IndexingError, ("0 to 2", "3")),
    Refusal("one_hot/negative", lambda m: m.nn.functional.one_hot(m.tensor([0, -2])), IndexingError, ("one_hot", "-2")),
    Refusal("one_hot/nothing", lambda m: m.nn.functional.one_hot(m.zeros(0).long()), ArgumentError, ("num_classes", "-1")),
    Refusal("one_hot/classes", lambda m: m.nn.functional.one_hot(m.tensor([0]), 0), ArgumentError, ("num_classes", "0")),
]
