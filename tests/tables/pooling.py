"""Pooling. Maxima have no second derivative but 0, which is tested all the same."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, distinct, normal, positive


def unpooled(m, x, size=2, stride=None, padding=0, output_size=None, name="max_pool2d"):
    pool, unpool = getattr(m.nn.functional, name), getattr(m.nn.functional, name.replace("pool", "unpool"))
    y, indices = pool(x, size, stride, padding, return_indices=True)
    return unpool(y * y, indices, size, stride, padding, output_size)


CASES = [
    Case("max_pool2d/plain", lambda m, x: m.max_pool2d(x, 2), distinct(1, 2, 4, 4)),
    Case("max_pool2d/one image", lambda m, x: m.max_pool2d(x, (2, 1)), distinct(2, 4, 3)),
    Case("max_pool2d/rows left over", lambda m, x: m.max_pool2d(x, 2), distinct(1, 1, 5, 5)),
    Case("max_pool2d/stride", lambda m, x: m.max_pool2d(x, 3, stride=(1, 2)), distinct(1, 1, 5, 6)),
    Case("max_pool2d/padding", lambda m, x: m.max_pool2d(x, 3, 2, 1), distinct(1, 2, 4, 4)),
    Case("max_pool2d/dilation", lambda m, x: m.max_pool2d(x, 2, 1, 0, (2, 3)), distinct(1, 1, 5, 5)),
    Case("max_pool2d/ceil_mode", lambda m, x: m.max_pool2d(x, 2, ceil_mode=True), distinct(1, 1, 5, 3)),
    Case("max_pool2d/ceil_mode and padding", lambda m, x: m.max_pool2d(x, 3, 2, 1, ceil_mode=True), distinct(1, 1, 4, 6)),
    Case("max_pool2d/indices", lambda m, x: m.nn.functional.max_pool2d(x, 3, 2, 1, return_indices=True), distinct(1, 2, 4, 4)),
    Case("max_pool2d/of a product", lambda m, x: m.max_pool2d(x * x * x, 2, 1), distinct(1, 1, 3, 3)),
    Case("max_pool2d/no images", lambda m, x: m.max_pool2d(x, 2), distinct(0, 2, 4, 4)),
    Case("max_pool1d/plain", lambda m, x: m.max_pool1d(x, 2), distinct(2, 2, 5)),
    Case("max_pool1d/one sequence", lambda m, x: m.max_pool1d(x, 2, stride=1), distinct(2, 5)),
    Case(
        "max_pool1d/all at once",
        lambda m, x: m.nn.functional.max_pool1d(x, 3, 2, 1, 2, True, True),
        distinct(2, 2, 8),
    ),
    Case("avg_pool2d/plain", lambda m, x: m.nn.functional.avg_pool2d(x, 2), normal(1, 2, 4, 4)),
    Case("avg_pool2d/one image", lambda m, x: m.nn.functional.avg_pool2d(x, (1, 3)), normal(2, 3, 4)),
    Case("avg_pool2d/stride and padding", lambda m, x: m.nn.functional.avg_pool2d(x, 3, (1, 2), 1), normal(1, 1, 4, 5)),
    Case(
        "avg_pool2d/padding not counted",
        lambda m, x: m.nn.functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        normal(1, 2, 4, 5),
    ),
    Case("avg_pool2d/ceil_mode", lambda m, x: m.nn.functional.avg_pool2d(x, 2, ceil_mode=True), normal(1, 1, 5, 3)),
    Case(
        "avg_pool2d/ceil_mode, padding not counted",
        lambda m, x: m.nn.functional.avg_pool2d(x, (3, 2), 2, 1, True, False),
        normal(1, 1, 5, 4),
    ),
    Case("avg_pool2d/ceil_mode and padding", lambda m, x: m.nn.functional.avg_pool2d(x, 3, 2, 1, True), normal(1, 1, 4, 6)),
    Case("avg_pool2d/divisor", lambda m, x: m.nn.functional.avg_pool2d(x, 2, 1, 1, divisor_override=-3), normal(1, 1, 3, 3)),
    Case("avg_pool2d/of a product", lambda m, x: m.nn.functional.avg_pool2d(x * x * x, 2, 1), normal(1, 1, 3, 3)),
    Case("avg_pool2d/no images", lambda m, x: m.nn.functional.avg_pool2d(x, 2), normal(0, 1, 3, 3)),
    Case("avg_pool1d/plain", lambda m, x: m.avg_pool1d(x, 2), normal(2, 2, 5)),
    Case("avg_pool1d/one sequence", lambda m, x: m.avg_pool1d(x, (3,), (1,), (1,)), normal(2, 5)),
    Case("avg_pool1d/all at once", lambda m, x: m.avg_pool1d(x, 3, 2, 1, True, False), normal(1, 2, 6)),
    Case("adaptive_avg_pool2d/one", lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, 1), normal(2, 2, 3, 2)),
    Case("adaptive_avg_pool2d/uneven", lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, (3, 2)), normal(1, 1, 5, 7)),
    Case("adaptive_avg_pool2d/kept size", lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, (None, 2)), normal(2, 3, 5)),
    Case("adaptive_avg_pool2d/larger", lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, 5), normal(1, 1, 3, 4)),
    Case("adaptive_avg_pool1d/uneven", lambda m, x: m.adaptive_avg_pool1d(x, 3), normal(2, 2, 5)),
    Case("adaptive_avg_pool1d/one sequence", lambda m, x: m.adaptive_avg_pool1d(x, 2), normal(2, 5)),
    Case("adaptive_max_pool2d/one", lambda m, x: m.nn.functional.adaptive_max_pool2d(x, 1), distinct(2, 2, 3, 2)),
    Case("adaptive_max_pool2d/uneven", lambda m, x: m.nn.functional.adaptive_max_pool2d(x, (3, 2)), distinct(1, 1, 5, 7)),
    Case(
        "adaptive_max_pool2d/indices",
        lambda m, x: m.nn.functional.adaptive_max_pool2d(x, (None, 2), return_indices=True),
        distinct(2, 3, 5),
    ),
    Case("adaptive_max_pool1d/uneven", lambda m, x: m.nn.functional.adaptive_max_pool1d(x, 3), distinct(2, 2, 5)),
    Case(
        "adaptive_max_pool1d/indices",
        lambda m, x: m.nn.functional.adaptive_max_pool1d(x, 2, return_indices=True),
        distinct(2, 5),
    ),
    Case("max_unpool2d/plain", unpooled, distinct(1, 2, 4, 4)),
    Case("max_unpool2d/one image", unpooled, distinct(2, 4, 4)),
    Case("max_unpool2d/stride", lambda m, x: unpooled(m, x, (1, 2), 2), distinct(1, 1, 5, 6)),
    Case("max_unpool2d/output_size", lambda m, x: unpooled(m, x, 2, output_size=(5, 4)), distinct(1, 1, 5, 4)),
    Case("max_unpool2d/whole output_size", lambda m, x: unpooled(m, x, 2, output_size=x.shape), distinct(1, 1, 5, 4)),
    Case("max_unpool1d/plain", lambda m, x: unpooled(m, x, 2, name="max_pool1d"), distinct(2, 2, 6)),
    Case("max_unpool1d/one sequence", lambda m, x: unpooled(m, x, 2, None, 0, (7,), "max_pool1d"), distinct(2, 7)),
    Case("lp_pool2d/2", lambda m, x: m.nn.functional.lp_pool2d(x, 2, 2), normal(1, 1, 4, 4)),
    Case("lp_pool2d/3", lambda m, x: m.nn.functional.lp_pool2d(x, 3.0, (2, 3), 1, True), positive(1, 1, 3, 4)),
    Case("lp_pool1d/2", lambda m, x: m.nn.functional.lp_pool1d(x, 2, 3, 2), normal(2, 2, 5)),
    Case("lp_pool2d/inf", lambda m, x: m.nn.functional.lp_pool2d(x, float("inf"), 2, 1), positive(1, 1, 3, 4)),
    Case("lp_pool1d/inf", lambda m, x: m.nn.functional.lp_pool1d(x, float("inf"), 3, 2, True), positive(2, 6)),
    Case("lp_pool1d/-inf", lambda m, x: m.nn.functional.lp_pool1d(x, float("-inf"), 3, 2), positive(2, 6)),
    Case("lp_pool2d/-inf", lambda m, x: m.nn.functional.lp_pool2d(x, float("-inf"), 2), positive(1, 4, 4)),
]

ERRORS = [
    Refusal("max_pool2d/rank", lambda m: m.max_pool2d(m.ones(3, 3), 2), ShapeError, ("max_pool2d", "4 dimensions", "(3, 3)")),
    Refusal("max_pool2d/window too large", lambda m: m.max_pool2d(m.ones(1, 3, 3), 4), ShapeError, ("(4, 4)", "(3, 3)")),
    Refusal(
        "max_pool2d/padding",
        lambda m: m.max_pool2d(m.ones(1, 3, 3), 2, padding=2),
        ArgumentError,
        ("padding", "half", "(2, 2)"),
    ),
    Refusal("max_pool2d/kernel_size", lambda m: m.max_pool2d(m.ones(1, 3, 3), 0), ArgumentError, ("kernel_size", "at least 1")),
    Refusal("max_pool2d/stride", lambda m: m.max_pool2d(m.ones(1, 3, 3), 2, stride=0), ArgumentError, ("stride", "at least 1")),
    Refusal(
        "max_pool2d/dilation", lambda m: m.max_pool2d(m.ones(1, 3, 3), 2, dilation="2"), ArgumentError, ("dilation", "'2'")
    ),
    Refusal("max_pool2d/integers", lambda m: m.max_pool2d(m.ones(1, 3, 3).long(), 2), DTypeError, ("max_pool2d", "int64")),
    Refusal("max_pool2d/float16", lambda m: m.max_pool2d(m.ones(1, 3, 3).half(), 2), DTypeError, ("float16", ".float()")),
    Refusal("max_pool2d/no channels", lambda m: m.max_pool2d(m.ones(1, 0, 3, 3), 2), ShapeError, ("size of 0", "(1, 0, 3, 3)")),
    Refusal("max_pool2d/list", lambda m: m.max_pool2d([[1.0]], 2), DTypeError, ("max_pool2d", "input", "list")),
    Refusal("max_pool1d/rank", lambda m: m.max_pool1d(m.ones(3), 2), ShapeError, ("max_pool1d", "3 dimensions (N, C, L)")),
    Refusal("max_pool1d/window too large", lambda m: m.max_pool1d(m.ones(1, 3), 4), ShapeError, ("max_pool1d", "(4,)", "(3,)")),
    Refusal(
        "avg_pool2d/divisor",
        lambda m: m.nn.functional.avg_pool2d(m.ones(1, 3, 3), 2, divisor_override=0),
        ArgumentError,
        ("avg_pool2d", "divisor_override", "0"),
    ),
    Refusal(
        "avg_pool1d/pair", lambda m: m.avg_pool1d(m.ones(1, 3), (2, 2)), ArgumentError, ("avg_pool1d", "kernel_size", "(2, 2)")
    ),
    Refusal(
        "adaptive_avg_pool2d/size",
        lambda m: m.nn.functional.adaptive_avg_pool2d(m.ones(1, 3, 3), (2, 2, 2)),
        ArgumentError,
        ("adaptive_avg_pool2d", "output_size", "(2, 2, 2)"),
    ),
    Refusal(
        "adaptive_max_pool1d/size",
        lambda m: m.nn.functional.adaptive_max_pool1d(m.ones(1, 3), 0),
        ArgumentError,
        ("adaptive_max_pool1d", "output_size", "0"),
    ),
    Refusal(
        "max_unpool2d/shapes",
        lambda m: m.nn.functional.max_unpool2d(m.ones(1, 2, 2), m.zeros(1, 2, 1).long(), 2),
        ShapeError,
        ("max_unpool2d", "indices", "(1, 2, 2)", "(1, 2, 1)"),
    ),
    Refusal(
        "max_unpool2d/dtype",
        lambda m: m.nn.functional.max_unpool2d(m.ones(1, 2, 2), m.zeros(1, 2, 2), 2),
        DTypeError,
        ("indices", "int64", "return_indices"),
    ),
    Refusal(
        "max_unpool2d/index",
        lambda m: m.nn.functional.max_unpool2d(m.ones(1, 1, 1), m.tensor([[[4]]]), 2),
        IndexingError,
        ("max_unpool2d", "0 to 3", "4", "output_size"),
    ),
    Refusal(
        "max_unpool2d/output_size",
        lambda m: m.nn.functional.max_unpool2d(m.ones(1, 1, 1), m.tensor([[[0]]]), 2, output_size=(4, 2)),
        ShapeError,
        ("output_size", "(2, 2)", "(4, 2)"),
    ),
]
