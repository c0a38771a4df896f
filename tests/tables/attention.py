"""Scaled dot-product attention."""

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import Case, Refusal, constant, normal


def attend(**options):
    return lambda m, *inputs: m.nn.functional.scaled_dot_product_attention(*inputs, **options)


def refused(*shapes, mask=None, **options):
    def call(m):
        extra = {} if mask is None else {"attn_mask": mask(m)}
        return attend(**extra, **options)(m, *[m.ones(*shape) for shape in shapes])

    return call


MASK = constant([[True, False, True], [False, True, True]])

CASES = [
    Case("attention/plain", attend(), normal(2, 3), normal(4, 3), normal(4, 2)),
    Case("attention/batch", attend(), normal(2, 2, 3), normal(2, 3, 3), normal(2, 3, 2)),
    Case("attention/heads", attend(scale=0.7), normal(1, 2, 2, 2), normal(1, 2, 3, 2), normal(1, 2, 3, 2)),
    Case("attention/causal", attend(is_causal=True), normal(3, 2), normal(3, 2), normal(3, 2)),
    Case("attention/causal, more keys", attend(is_causal=True), normal(2, 2), normal(4, 2), normal(4, 2)),
    Case("attention/causal, more queries", attend(is_causal=True), normal(4, 2), normal(2, 2), normal(2, 2)),
    Case("attention/truth mask", attend(), normal(2, 2), normal(3, 2), normal(3, 2), MASK),
    Case("attention/truth mask for all heads", attend(), normal(2, 2, 2), normal(2, 3, 2), normal(2, 3, 2), MASK),
    Case("attention/hidden row", attend(), normal(2, 2), normal(2, 2), normal(2, 2), constant([[False, False], [True, False]])),
    Case("attention/float mask", attend(), normal(2, 2), normal(3, 2), normal(3, 2), normal(2, 3)),
    Case("attention/float mask that broadcasts", attend(), normal(2, 2, 2), normal(2, 3, 2), normal(2, 3, 2), normal(1, 3)),
    Case(
        "attention/infinite mask",
        lambda m, q, k, v: attend(attn_mask=m.tensor([[0.0, -float("inf"), 0.5]], dtype=q.dtype))(m, q, k, v),
        normal(2, 2),
        normal(3, 2),
        normal(3, 2),
    ),
    Case("attention/shared heads", attend(enable_gqa=True), normal(1, 4, 2, 2), normal(1, 2, 3, 2), normal(1, 2, 3, 2)),
    Case("attention/one key", attend(), normal(2, 2), normal(1, 2), normal(1, 2)),
]

ERRORS = [
    Refusal("attention/features", refused((2, 3), (2, 4), (2, 4)), ShapeError, ("attention", "key", "3 features", "(2, 4)")),
    Refusal("attention/places", refused((2, 3), (2, 3), (4, 3)), ShapeError, ("attention", "value", "2 places", "(4, 3)")),
    Refusal("attention/rank", refused((3,), (2, 3), (2, 3)), ShapeError, ("query", "2 dimensions", "(3,)")),
    Refusal(
        "attention/mask and causal",
        refused((2, 3), (2, 3), (2, 3), mask=lambda m: m.ones(2, 2), is_causal=True),
        ArgumentError,
        ("attn_mask", "is_causal"),
    ),
    Refusal(
        "attention/mask shape",
        refused((2, 3), (2, 3), (2, 3), mask=lambda m: m.ones(3, 2)),
        ShapeError,
        ("attn_mask", "(2, 2)", "(3, 2)"),
    ),
    Refusal(
        "attention/mask dtype",
        refused((2, 3), (2, 3), (2, 3), mask=lambda m: m.ones(2, 2).long()),
        DTypeError,
        ("attn_mask", "int64"),
    ),
    Refusal("attention/dropout", refused((2, 3), (2, 3), (2, 3), dropout_p=1.5), ArgumentError, ("dropout_p", "1.5")),
    Refusal(
        "attention/dtypes",
        lambda m: attend()(m, m.ones(2, 3), m.ones(2, 3).double(), m.ones(2, 3)),
        DTypeError,
        ("key", "float32", "float64"),
    ),
    Refusal(
        "attention/heads",
        refused((3, 2, 2), (2, 2, 2), (2, 2, 2), enable_gqa=True),
        ShapeError,
        ("key", "(3, 2, 2)", "(2, 2, 2)"),
    ),
]
