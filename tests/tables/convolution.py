"""The dense layer and convolution. The third derivative and larger shapes are in tests/test_convolution.py."""

import warnings

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import Case, Refusal, normal


def linear(m, *args):
    return m.nn.functional.linear(*args)


def bilinear(m, *args):
    return m.bilinear(*args)


def same(m, *args, **kwargs):
    """Padding that is one longer at the end, of which PyTorch warns that it copies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return m.conv2d(*args, padding="same", **kwargs)


CASES = [
    Case("conv2d/padding same, uneven", same, normal(1, 1, 3, 4), normal(2, 1, 2, 4), normal(2)),
    Case("linear/bias", linear, normal(2, 3), normal(4, 3), normal(4)),
    Case("linear/no bias", linear, normal(2, 3), normal(4, 3)),
    Case("linear/one row", linear, normal(3), normal(4, 3), normal(4)),
    Case("linear/more dimensions", linear, normal(2, 2, 2, 3), normal(2, 3), normal(2)),
    Case("linear/no rows", linear, normal(0, 3), normal(4, 3), normal(4)),
    Case("linear/no features", linear, normal(2, 0), normal(4, 0), normal(4)),
    Case("bilinear/bias", bilinear, normal(2, 3), normal(2, 2), normal(4, 3, 2), normal(4)),
    Case("bilinear/no bias", bilinear, normal(2, 2, 3), normal(2, 2, 2), normal(2, 3, 2)),
    Case("bilinear/one row", bilinear, normal(3), normal(2), normal(2, 3, 2), normal(2)),
    Case("linear/no outputs", linear, normal(2, 3), normal(0, 3), normal(0)),
    Case("conv2d/plain", lambda m, x, w: m.conv2d(x, w), normal(1, 2, 3, 4), normal(2, 2, 2, 2)),
    Case("conv2d/bias", lambda m, x, w, b: m.conv2d(x, w, b), normal(2, 1, 3, 3), normal(2, 1, 2, 3), normal(2)),
    Case("conv2d/one image", lambda m, x, w, b: m.conv2d(x, w, b), normal(2, 3, 3), normal(2, 2, 2, 2), normal(2)),
    Case("conv2d/stride", lambda m, x, w: m.conv2d(x, w, stride=(2, 1)), normal(1, 2, 5, 3), normal(2, 2, 2, 2)),
    Case(
        "conv2d/stride that leaves rows over", lambda m, x, w: m.conv2d(x, w, stride=3), normal(1, 1, 6, 5), normal(2, 1, 2, 2)
    ),
    Case(
        "conv2d/padding",
        lambda m, x, w, b: m.conv2d(x, w, b, padding=(2, 1)),
        normal(1, 1, 3, 3),
        normal(1, 1, 2, 3),
        normal(1),
    ),
    Case("conv2d/padding beyond the kernel", lambda m, x, w: m.conv2d(x, w, padding=3), normal(1, 1, 2, 2), normal(1, 1, 2, 2)),
    Case(
        "conv2d/padding same",
        lambda m, x, w: m.nn.functional.conv2d(x, w, padding="same"),
        normal(1, 2, 3, 4),
        normal(1, 2, 3, 3),
    ),
    Case(
        "conv2d/padding same, dilated",
        lambda m, x, w: m.conv2d(x, w, padding="same", dilation=2),
        normal(1, 1, 4, 4),
        normal(1, 1, 2, 3),
    ),
    Case(
        "conv2d/padding valid",
        lambda m, x, w: m.conv2d(x, w, padding="valid", stride=2),
        normal(1, 1, 4, 4),
        normal(1, 1, 2, 2),
    ),
    Case("conv2d/dilation", lambda m, x, w: m.conv2d(x, w, dilation=(2, 1)), normal(1, 1, 5, 3), normal(2, 1, 2, 2)),
    Case("conv2d/groups", lambda m, x, w, b: m.conv2d(x, w, b, groups=2), normal(1, 4, 3, 2), normal(4, 2, 2, 2), normal(4)),
    Case("conv2d/depthwise", lambda m, x, w: m.conv2d(x, w, padding=1, groups=3), normal(1, 3, 3, 3), normal(6, 1, 2, 2)),
    Case("conv2d/1 by 1", lambda m, x, w, b: m.conv2d(x, w, b), normal(2, 3, 2, 2), normal(2, 3, 1, 1), normal(2)),
    Case(
        "conv2d/all at once",
        lambda m, x, w, b: m.conv2d(x, w, b, (2, 1), (1, 2), (1, 2), 2),
        normal(1, 2, 4, 4),
        normal(2, 1, 3, 2),
        normal(2),
    ),
    Case("conv2d/no images", lambda m, x, w: m.conv2d(x, w), normal(0, 1, 3, 3), normal(2, 1, 2, 2)),
    Case("conv1d/bias", lambda m, x, w, b: m.conv1d(x, w, b), normal(2, 2, 5), normal(3, 2, 2), normal(3)),
    Case("conv1d/one sequence", lambda m, x, w: m.conv1d(x, w), normal(2, 5), normal(3, 2, 2)),
    Case(
        "conv1d/all at once",
        lambda m, x, w, b: m.conv1d(x, w, b, stride=2, padding=2, dilation=(2,), groups=2),
        normal(1, 4, 6),
        normal(2, 2, 3),
        normal(2),
    ),
    Case("conv1d/padding same", lambda m, x, w: m.conv1d(x, w, padding="same"), normal(1, 2, 5), normal(1, 2, 3)),
    Case("conv_transpose2d/plain", lambda m, x, w: m.conv_transpose2d(x, w), normal(1, 2, 2, 3), normal(2, 2, 2, 2)),
    Case(
        "conv_transpose2d/one image",
        lambda m, x, w, b: m.conv_transpose2d(x, w, b),
        normal(2, 2, 2),
        normal(2, 2, 2, 2),
        normal(2),
    ),
    Case(
        "conv_transpose2d/as in a generator",
        lambda m, x, w, b: m.conv_transpose2d(x, w, b, stride=2, padding=1),
        normal(1, 2, 2, 2),
        normal(2, 1, 4, 4),
        normal(1),
    ),
    Case(
        "conv_transpose2d/output_padding",
        lambda m, x, w, b: m.conv_transpose2d(x, w, b, stride=(3, 2), padding=1, output_padding=(2, 1)),
        normal(1, 1, 2, 3),
        normal(1, 2, 2, 3),
        normal(2),
    ),
    Case(
        "conv_transpose2d/output_padding beyond the stride",
        lambda m, x, w, b: m.conv_transpose2d(x, w, b, dilation=3, output_padding=(2, 1)),
        normal(1, 1, 2, 2),
        normal(1, 1, 2, 2),
        normal(1),
    ),
    Case(
        "conv_transpose2d/output_padding under the padding",
        lambda m, x, w: m.conv_transpose2d(x, w, stride=3, padding=2, output_padding=1),
        normal(1, 1, 3, 2),
        normal(1, 1, 3, 4),
    ),
    Case("conv_transpose2d/groups", lambda m, x, w: m.conv_transpose2d(x, w, groups=2), normal(1, 4, 2, 2), normal(4, 1, 2, 2)),
    Case(
        "conv_transpose2d/all at once",
        lambda m, x, w, b: m.conv_transpose2d(x, w, b, (2, 3), (1, 0), (1, 2), 2, (2, 1)),
        normal(1, 2, 2, 2),
        normal(2, 1, 2, 3),
        normal(2),
    ),
    Case("conv_transpose2d/no images", lambda m, x, w: m.conv_transpose2d(x, w), normal(0, 2, 2, 2), normal(2, 1, 2, 2)),
    Case(
        "conv_transpose1d/all at once",
        lambda m, x, w, b: m.conv_transpose1d(x, w, b, 2, 1, 1, 2, 2),
        normal(2, 2, 3),
        normal(2, 2, 2),
        normal(4),
    ),
    Case("conv_transpose1d/one sequence", lambda m, x, w: m.conv_transpose1d(x, w), normal(2, 3), normal(2, 1, 2)),
    Case("linear/vector", linear, normal(2, 2, 3), normal(3)),
    Case("linear/vectors", linear, normal(3), normal(3), normal()),
]


ERRORS = [
    Refusal(
        "linear/features",
        lambda m: linear(m, m.ones(2, 3), m.ones(4, 5)),
        ShapeError,
        ("linear", "input", "5 features", "(2, 3)"),
    ),
    Refusal("linear/no dimensions", lambda m: linear(m, m.tensor(1.0), m.ones(4, 5)), ShapeError, ("linear", "input", "()")),
    Refusal("linear/weight", lambda m: linear(m, m.ones(2, 3), m.ones(1, 2, 3)), ShapeError, ("linear", "weight", "(1, 2, 3)")),
    Refusal(
        "linear/bias",
        lambda m: linear(m, m.ones(2, 3), m.ones(4, 3), m.ones(3)),
        ShapeError,
        ("linear", "bias", "(4,)", "(3,)"),
    ),
    Refusal(
        "linear/array", lambda m: linear(m, m.ones(2, 3).numpy(), m.ones(4, 3)), DTypeError, ("linear", "input", "ndarray")
    ),
    Refusal(
        "linear/dtypes", lambda m: linear(m, m.ones(2, 3), m.ones(4, 3).double()), DTypeError, ("weight", "float32", "float64")
    ),
    Refusal("linear/integers", lambda m: linear(m, m.ones(2, 3).long(), m.ones(4, 3).long()), DTypeError, ("linear", "int64")),
    Refusal(
        "bilinear/weight",
        lambda m: bilinear(m, m.ones(2, 3), m.ones(2, 2), m.ones(3, 2)),
        ShapeError,
        ("3 dimensions", "(3, 2)"),
    ),
    Refusal(
        "bilinear/features",
        lambda m: bilinear(m, m.ones(2, 3), m.ones(2, 2), m.ones(4, 3, 3)),
        ShapeError,
        ("input2", "3 features"),
    ),
    Refusal(
        "bilinear/rows",
        lambda m: bilinear(m, m.ones(2, 3), m.ones(3, 2), m.ones(4, 3, 2)),
        ShapeError,
        ("input2", "(2,)", "(3, 2)"),
    ),
    Refusal(
        "bilinear/bias shape",
        lambda m: bilinear(m, m.ones(2, 3), m.ones(2, 2), m.ones(4, 3, 2), m.ones(3)),
        ShapeError,
        ("bias", "(4,)"),
    ),
    Refusal(
        "bilinear/dtypes",
        lambda m: bilinear(m, m.ones(2, 3), m.ones(2, 2).double(), m.ones(4, 3, 2)),
        DTypeError,
        ("input2", "float64"),
    ),
    Refusal(
        "conv2d/channels",
        lambda m: m.conv2d(m.ones(1, 3, 8, 8), m.ones(4, 2, 3, 3)),
        ShapeError,
        ("conv2d", "input", "2 channels", "3 channels", "(1, 3, 8, 8)"),
    ),
    Refusal(
        "conv2d/groups and channels",
        lambda m: m.conv2d(m.ones(1, 3, 8, 8), m.ones(4, 2, 3, 3), groups=2),
        ShapeError,
        ("4 channels", "groups=2"),
    ),
    Refusal(
        "conv2d/groups and outputs",
        lambda m: m.conv2d(m.ones(1, 4, 8, 8), m.ones(3, 2, 3, 3), groups=2),
        ShapeError,
        ("conv2d", "weight", "groups=2", "(3, 2, 3, 3)"),
    ),
    Refusal(
        "conv2d/groups", lambda m: m.conv2d(m.ones(1, 4, 8, 8), m.ones(4, 4, 3, 3), groups=0), ArgumentError, ("groups", "0")
    ),
    Refusal(
        "conv2d/kernel too large",
        lambda m: m.conv2d(m.ones(1, 1, 3, 3), m.ones(1, 1, 6, 2), padding=1),
        ShapeError,
        ("conv2d", "(6, 2)", "(5, 5)", "(1, 1, 3, 3)", "padding"),
    ),
    Refusal(
        "conv2d/rank",
        lambda m: m.conv2d(m.ones(3, 3), m.ones(1, 1, 2, 2)),
        ShapeError,
        ("conv2d", "input", "4 dimensions", "(3, 3)"),
    ),
    Refusal(
        "conv2d/weight rank", lambda m: m.conv2d(m.ones(1, 1, 3, 3), m.ones(1, 1, 2)), ShapeError, ("weight", "4 dimensions")
    ),
    Refusal(
        "conv2d/bias",
        lambda m: m.conv2d(m.ones(1, 1, 3, 3), m.ones(2, 1, 2, 2), m.ones(3)),
        ShapeError,
        ("conv2d", "bias", "(2,)", "(3,)"),
    ),
    Refusal(
        "conv2d/stride",
        lambda m: m.conv2d(m.ones(1, 1, 3, 3), m.ones(1, 1, 2, 2), stride=0),
        ArgumentError,
        ("stride", "at least 1"),
    ),
    Refusal(
        "conv2d/padding",
        lambda m: m.conv2d(m.ones(1, 1, 3, 3), m.ones(1, 1, 2, 2), padding=-1),
        ArgumentError,
        ("padding", "-1"),
    ),
    Refusal(
        "conv2d/padding tuple",
        lambda m: m.conv2d(m.ones(1, 1, 3, 3), m.ones(1, 1, 2, 2), padding=(1, 2, 3)),
        ArgumentError,
        ("padding", "(1, 2, 3)"),
    ),
    Refusal(
        "conv2d/dilation",
        lambda m: m.conv2d(m.ones(1, 1, 3, 3), m.ones(1, 1, 2, 2), dilation=1.5),
        ArgumentError,
        ("conv2d", "dilation", "1.5"),
    ),
    Refusal(
        "conv2d/padding word",
        lambda m: m.conv2d(m.ones(1, 1, 3, 3), m.ones(1, 1, 2, 2), padding="full"),
        ArgumentError,
        ("padding", "'same'", "'full'"),
    ),
    Refusal(
        "conv2d/padding same with a stride",
        lambda m: m.conv2d(m.ones(1, 1, 3, 3), m.ones(1, 1, 2, 2), padding="same", stride=2),
        ArgumentError,
        ("padding", "stride", "'same'"),
    ),
    Refusal(
        "conv2d/dtypes",
        lambda m: m.conv2d(m.ones(1, 1, 3, 3), m.ones(1, 1, 2, 2).double()),
        DTypeError,
        ("conv2d", "weight", "float32", "float64"),
    ),
    Refusal(
        "conv2d/float16",
        lambda m: m.conv2d(m.ones(1, 1, 3, 3).half(), m.ones(1, 1, 2, 2).half()),
        DTypeError,
        ("conv2d", "float16", "storage", ".float()"),
    ),
    Refusal(
        "conv1d/rank", lambda m: m.conv1d(m.ones(1, 1, 3, 3), m.ones(1, 1, 2)), ShapeError, ("conv1d", "3 dimensions (N, C, L)")
    ),
    Refusal(
        "conv1d/channels",
        lambda m: m.conv1d(m.ones(1, 3, 8), m.ones(4, 2, 3)),
        ShapeError,
        ("conv1d", "2 channels", "3 channels"),
    ),
    Refusal(
        "conv1d/kernel too large", lambda m: m.conv1d(m.ones(1, 1, 3), m.ones(1, 1, 4)), ShapeError, ("conv1d", "(4,)", "(3,)")
    ),
    Refusal(
        "conv_transpose2d/channels",
        lambda m: m.conv_transpose2d(m.ones(1, 3, 8, 8), m.ones(4, 2, 3, 3)),
        ShapeError,
        ("conv_transpose2d", "4 channels", "3 channels"),
    ),
    Refusal(
        "conv_transpose2d/output_padding",
        lambda m: m.conv_transpose2d(m.ones(1, 1, 3, 3), m.ones(1, 1, 2, 2), stride=2, output_padding=2),
        ArgumentError,
        ("conv_transpose2d", "output_padding", "stride (2, 2)", "(2, 2)"),
    ),
    Refusal(
        "conv_transpose2d/nothing left",
        lambda m: m.conv_transpose2d(m.ones(1, 1, 1, 1), m.ones(1, 1, 2, 2), padding=1),
        ShapeError,
        ("conv_transpose2d", "input", "(0, 0)"),
    ),
    Refusal(
        "conv_transpose2d/bias",
        lambda m: m.conv_transpose2d(m.ones(1, 2, 3, 3), m.ones(2, 3, 2, 2), m.ones(2)),
        ShapeError,
        ("bias", "(3,)", "(2,)"),
    ),
]
