"""Sums, means, truth values, sums of exponentials."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError
from tests.harness import Case, Refusal, booleans, constant, integers, normal

NAN, INF = float("nan"), float("inf")
DIMS = (
    {},
    {"dim": 0},
    {"dim": -1},
    {"dim": (0, 2)},
    {"dim": (2, -2), "keepdim": True},
    {"dim": 1, "keepdim": True},
    {"dim": None},
    {"dim": ()},
    {"dim": [1]},
    {"dim": (0, 1, 2), "keepdim": True},
)


def over_dims(name, *, without=(), order=2):
    """The op over every way of naming dimensions."""
    return [
        Case(f"{name}/{options}", lambda m, x, options=options: getattr(m, name)(x, **options), normal(2, 3, 2), order=order)
        for options in DIMS
        if options not in without
    ]


CASES = [
    *over_dims("sum"),
    *over_dims("mean"),
    *over_dims("nansum"),
    *over_dims("nanmean"),
    *over_dims("logsumexp", without=({}, {"dim": None}, {"dim": ()})),
    *over_dims("any", without=({"dim": ()},), order=0),
    *over_dims("all", without=({"dim": ()},), order=0),
    *[
        Case(
            f"{name}/no dimensions",
            lambda m, x, name=name: (getattr(x, name)(), getattr(x, name)(0), getattr(x, name)(-1)),
            normal(),
        )
        for name in ("sum", "mean", "nansum", "nanmean")
    ],
    *[
        Case(
            f"{name}/empty",
            lambda m, x, name=name: (getattr(x, name)(), getattr(x, name)(0), getattr(x, name)(1)),
            normal(0, 3),
            order=0,
        )
        for name in ("sum", "mean", "nansum", "nanmean", "any", "all")
    ],
    Case("sum/integers", lambda m, x: (x.sum(), x.sum(0), x.int().sum(1), x.to(m.uint8).sum()), integers(2, 3)),
    Case("sum/booleans", lambda m, x: (x.sum(), x.sum(0, keepdim=True)), booleans(2, 3)),
    Case(
        "sum/dtype",
        lambda m, x: (x.sum(dtype=m.float32), x.detach().sum(0, dtype=m.int64)),
        constant([[1.5, 2.5], [3.5, 4.5]]),
        order=0,
    ),
    Case("sum/dtype of integers", lambda m, x: (m.sum(x, dtype=m.float64), x.sum(dtype=m.int32)), integers(2, 3)),
    Case("sum/positional", lambda m, x: m.sum(x, 1, True), normal(2, 3)),
    Case("sum/float16", lambda m, x: x.half().sum(), normal(2, 3), order=0, tolerance=2e-3),
    Case("sum/infinities", lambda m, x: x.sum(), constant([INF, -INF]), order=0),
    Case("sum_to_size", lambda m, x: x.sum_to_size(1, 3), normal(2, 2, 3)),
    Case("sum_to_size/to none", lambda m, x: x.sum_to_size(()), normal(2, 3)),
    Case("mean/dtype", lambda m, x: (x.mean(dtype=m.float32), x.mean(0, dtype=m.float64)), integers(2, 3)),
    Case("mean/float16 of large", lambda m, x: x.half().mean(), constant([60000.0, 60000.0, 50000.0]), order=0, tolerance=1e-3),
    Case("mean/positional", lambda m, x: x.mean((0, 1), True), normal(2, 3)),
    Case(
        "nansum/nan",
        lambda m, x: (x.nansum(), m.nansum(x, 0), x.nansum(dtype=m.float32)),
        constant([[1.0, NAN], [2.0, 3.0]]),
        order=0,
    ),
    Case("nansum/integers", lambda m, x: x.nansum(), integers(4)),
    Case(
        "nanmean/nan",
        lambda m, x: (x.nanmean(), m.nanmean(x, 1), m.nanmean(x.detach(), 0, True)),
        constant([[1.0, NAN], [2.0, NAN]]),
        order=0,
    ),
    Case(
        "any/kinds",
        lambda m, x, y: (x.any(), x.any(0), x.to(m.uint8).any(), x.to(m.uint8).any(1), y.any(0)),
        integers(2, 3, high=2),
        booleans(2, 3),
    ),
    Case(
        "all/kinds",
        lambda m, x, y: (x.all(), x.all(0), x.to(m.uint8).all(), x.to(m.uint8).all(1), y.all(0)),
        integers(2, 3, high=2),
        booleans(2, 3),
    ),
    Case("any/nan", lambda m, x: (x.any(), x.all()), constant([NAN, 0.0]), order=0),
    Case(
        "count_nonzero",
        lambda m, x: (m.count_nonzero(x), m.count_nonzero(x, 0), x.count_nonzero((0, 1))),
        integers(2, 3, high=2),
    ),
    Case("count_nonzero/floats", lambda m, x: m.count_nonzero(x, dim=-1), constant([[0.0, 1.0], [NAN, -0.0]]), order=0),
    Case("logsumexp/large", lambda m, x: m.logsumexp(x, 0), constant([1000.0, 1001.0, -1000.0])),
    Case(
        "logsumexp/infinities",
        lambda m, x: m.logsumexp(x.detach(), 1),
        constant([[-INF, -INF], [INF, 1.0], [NAN, 1.0], [-INF, 1.0]]),
        order=0,
    ),
    Case("logsumexp/partly -inf", lambda m, x: m.logsumexp(x, 0), constant([-INF, 1.0, 2.0]), order=0),
    Case("logsumexp/all -inf", lambda m, x: m.logsumexp(x, 0), constant([-INF, -INF]), order=0, peer=False),
    Case("logsumexp/integers", lambda m, x: x.logsumexp(0), integers(2, 3)),
    Case("logsumexp/no dimensions", lambda m, x: x.logsumexp(0), normal()),
    Case("logsumexp/empty", lambda m, x: (m.logsumexp(x, 0), m.logsumexp(x, 1)), normal(0, 3), order=0),
    Case("numel/function", lambda m, x: m.tensor([m.numel(x), x.numel()]), normal(2, 3), order=0),
    Case("any/no dimensions", lambda m, x: (x.any(dim=()), x.all(dim=[], keepdim=True)), integers(2, 3, high=2)),
]

ERRORS = [
    Refusal("sum/dim", lambda m: m.ones(2, 3).sum(2), IndexingError, ("sum", "dim", "from -2 to 1", "2")),
    Refusal("sum/dim of none", lambda m: m.tensor(1.0).sum(1), IndexingError, ("sum", "dim", "0 dimensions")),
    Refusal("sum/twice", lambda m: m.ones(2, 3).sum((0, -2)), ArgumentError, ("sum", "dim", "each dimension once")),
    Refusal("sum/float dim", lambda m: m.ones(2, 3).sum(0.5), DTypeError, ("sum", "dim", "0.5")),
    Refusal("sum/dtype", lambda m: m.ones(2).sum(dtype="complex64"), DTypeError, ("sum", "dtype", "complex64")),
    Refusal("sum/list", lambda m: m.sum([1.0]), DTypeError, ("sum", "input", "list")),
    Refusal("mean/integers", lambda m: m.tensor([1, 2]).mean(), DTypeError, ("mean", "int64", ".float()", "dtype=")),
    Refusal("mean/booleans", lambda m: m.tensor([True]).mean(), DTypeError, ("mean", "bool")),
    Refusal("nanmean/integers", lambda m: m.tensor([1]).nanmean(), DTypeError, ("nanmean", "int64")),
    Refusal("any/dim", lambda m: m.ones(2).any(1), IndexingError, ("any", "dim")),
    Refusal("logsumexp/dim", lambda m: m.ones(2).logsumexp(1), IndexingError, ("logsumexp", "dim")),
    Refusal("logsumexp/list", lambda m: m.logsumexp([1.0], 0), DTypeError, ("logsumexp", "list")),
    Refusal("count_nonzero/dim", lambda m: m.count_nonzero(m.ones(2), 3), IndexingError, ("count_nonzero", "dim")),
    Refusal("numel/list", lambda m: m.numel([1.0]), DTypeError, ("numel", "list")),
]
