"""Order: sorting, the k largest, medians, distinct values, counts and places in a sorted row."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, booleans, constant, distinct, integers, normal

NAN = float("nan")
WITH_NAN = constant([1.0, NAN, 3.0, NAN, -2.0])
TIES = constant([[3, 1, 3, 2], [1, 1, 1, 0]])
ROW = constant([1.0, 3.0, 3.0, 5.0])


def pair(result):  # type: ignore[no-untyped-def]
    """Values and indices as a plain tuple."""
    return result.values, result.indices


CASES = [
    Case("sort", lambda m, x: m.sort(x), distinct(3, 4)),
    Case("sort/dim, descending", lambda m, x: x.sort(0, descending=True), distinct(3, 4)),
    Case("sort/stable", lambda m, x: m.sort(x, stable=True, dim=1), TIES),
    Case("sort/stable, descending", lambda m, x: m.sort(x, stable=True, dim=-1, descending=True), TIES),
    Case("sort/nan", lambda m, x: m.sort(x, stable=True), WITH_NAN, order=0),
    Case("sort/nan, descending", lambda m, x: m.sort(x, stable=True, descending=True), WITH_NAN, order=0),
    Case("sort/truth values", lambda m, x: x.sort(stable=True), booleans(5)),
    Case("sort/uint8, descending", lambda m, x: m.sort(x, stable=True, descending=True), constant([3, 0, 255], "uint8")),
    Case("sort/of a number", lambda m, x: x.sort(), normal()),
    Case("sort/empty", lambda m, x: x.sort(), distinct(2, 0)),
    Case("sort/used", lambda m, x: pair(x.sort())[0] * m.arange(4.0, dtype=x.dtype), distinct(2, 4)),
    Case("argsort", lambda m, x: (m.argsort(x), x.argsort(0, True)), distinct(3, 4)),
    Case("argsort/stable", lambda m, x: m.argsort(x, dim=1, descending=True, stable=True), TIES),
    Case("msort", lambda m, x: m.msort(x), distinct(3, 2)),
    Case("topk", lambda m, x: m.topk(x, 2), distinct(3, 4)),
    Case("topk/smallest", lambda m, x: x.topk(3, dim=0, largest=False), distinct(4, 2)),
    Case("topk/all", lambda m, x: x.topk(4), distinct(2, 4)),
    Case("topk/none", lambda m, x: x.topk(0), distinct(2, 4)),
    Case("topk/of many", lambda m, x: x.topk(5), distinct(40)),
    Case("topk/few of long rows", lambda m, x: x.topk(3), distinct(2, 300), order=0),
    Case("topk/few of long rows, smallest", lambda m, x: x.topk(5, largest=False), distinct(2, 2, 259), order=0),
    Case("topk/one of a long row", lambda m, x: x.topk(1), distinct(1000), order=0),
    Case("topk/middle dimension", lambda m, x: x.topk(2, 1), distinct(2, 5, 2)),
    Case("topk/of a number", lambda m, x: x.topk(1), normal()),
    Case("topk/nan", lambda m, x: x.topk(3).values, WITH_NAN, order=0),
    Case("topk/nan, smallest", lambda m, x: x.topk(3, largest=False).values, constant([1.0, NAN, 3.0, -2.0]), order=0),
    Case("topk/integers", lambda m, x: x.topk(2).values, integers(3, 5)),
    Case("kthvalue", lambda m, x: m.kthvalue(x, 2), distinct(3, 4)),
    Case("kthvalue/keepdim", lambda m, x: x.kthvalue(3, 0, keepdim=True), distinct(3, 4)),
    Case("kthvalue/of a number", lambda m, x: x.kthvalue(1), normal()),
    Case("kthvalue/nan", lambda m, x: x.kthvalue(4).values, WITH_NAN, order=0),
    Case("median", lambda m, x: m.median(x), distinct(3, 5)),
    Case("median/even number", lambda m, x: x.median(), distinct(2, 2)),
    Case("median/dim", lambda m, x: m.median(x, 1), distinct(3, 4)),
    Case("median/keepdim", lambda m, x: x.median(dim=0, keepdim=True), distinct(3, 4)),
    Case("median/ties", lambda m, x: (x.median(), x.nanmedian()), constant([2.0, 1.0, 2.0, 3.0, 2.0]), order=0),
    Case("median/nan", lambda m, x: (x.median(), x.median(0).values), WITH_NAN, order=0),
    Case("median/nan in a row", lambda m, x: pair(x.median(1)), constant([[1.0, NAN, 3.0], [1.0, 2.0, 3.0]]), order=0),
    Case("median/of a number", lambda m, x: (x.median(), x.median(0).values), normal()),
    Case("median/empty", lambda m, x: x.median(), distinct(0), order=0),
    Case("median/integers", lambda m, x: x.median(), integers(6)),
    Case("nanmedian", lambda m, x: (m.nanmedian(x), x.nanmedian(0).values), WITH_NAN, order=0),
    Case("nanmedian/dim", lambda m, x: x.nanmedian(1), distinct(3, 4)),
    Case("mode", lambda m, x: m.mode(x, 1), constant([[3, 1, 3, 2], [2, 1, 1, 2], [4, 3, 2, 1]])),
    Case("mode/dim", lambda m, x: x.mode(0, keepdim=True).values, integers(5, 3, low=0, high=3)),
    Case("mode/floats", lambda m, x: x.mode().values, distinct(5)),
    Case("mode/of a number", lambda m, x: x.mode(), normal()),
    # distinct values
    Case("unique", lambda m, x: m.unique(x), integers(3, 4, high=5)),
    Case("unique/all", lambda m, x: x.unique(return_inverse=True, return_counts=True), integers(3, 4, high=5)),
    Case("unique/counts", lambda m, x: x.detach().unique(return_counts=True), constant([1.5, 0.5, 1.5]), order=0),
    Case("unique/rows", lambda m, x: m.unique(x, return_inverse=True, return_counts=True, dim=0), integers(6, 2, high=2)),
    Case("unique/columns", lambda m, x: m.unique(x, dim=1), integers(2, 6, high=2)),
    Case("unique/nan", lambda m, x: m.unique(x.detach(), return_counts=True), WITH_NAN, order=0),
    Case("unique/of a number", lambda m, x: x.unique(return_inverse=True), constant(3)),
    Case("unique/empty", lambda m, x: x.unique(return_counts=True), integers(0)),
    Case("unique/truth values", lambda m, x: x.unique(), booleans(5)),
    Case("unique_consecutive", lambda m, x: m.unique_consecutive(x), constant([1, 1, 2, 1])),
    Case(
        "unique_consecutive/all",
        lambda m, x: x.unique_consecutive(return_inverse=True, return_counts=True),
        constant([[1, 1], [2, 2], [2, 1]]),
    ),
    Case(
        "unique_consecutive/rows",
        lambda m, x: x.unique_consecutive(return_inverse=True, return_counts=True, dim=0),
        constant([[1, 2], [1, 2], [2, 1], [1, 2]]),
    ),
    Case("unique_consecutive/empty", lambda m, x: x.unique_consecutive(return_counts=True), integers(0)),
    # places and counts
    Case("searchsorted", lambda m, r, x: m.searchsorted(r, x), ROW, constant([[3.0, 4.0], [0.0, 9.0]]), order=0),
    Case("searchsorted/right", lambda m, r, x: m.searchsorted(r, x, right=True), ROW, constant([3.0, 5.0]), order=0),
    Case("searchsorted/side", lambda m, r, x: m.searchsorted(r, x, side="right"), ROW, constant([3.0, 5.0]), order=0),
    Case("searchsorted/number", lambda m, r: (m.searchsorted(r, 3), m.searchsorted(r, 3.5)), ROW, order=0),
    Case("searchsorted/tensor of no dimensions", lambda m, r, x: m.searchsorted(r, x), ROW, constant(4.0), order=0),
    Case("searchsorted/int32", lambda m, r, x: m.searchsorted(r, x, out_int32=True), ROW, constant([3.0]), order=0),
    Case(
        "searchsorted/rows",
        lambda m, r, x: m.searchsorted(r, x),
        constant([[[1.0, 3.0], [2.0, 4.0]]]),
        constant([[[2.0, 0.0, 9.0], [2.0, 3.0, 4.0]]]),
        order=0,
    ),
    Case(
        "searchsorted/sorter", lambda m, r, x: m.searchsorted(r, x, sorter=r.argsort()), constant([5, 1, 3]), constant([3, 2])
    ),
    Case("bucketize", lambda m, x, r: m.bucketize(x, r), constant([3.0, 4.0, 0.0]), ROW, order=0),
    Case("bucketize/right", lambda m, x, r: m.bucketize(x, r, right=True), constant([[3.0], [4.0]]), ROW, order=0),
    Case("bucketize/number", lambda m, r: m.bucketize(3, r), ROW, order=0),
    Case("bincount", lambda m, x: m.bincount(x), constant([1, 1, 3])),
    Case("bincount/minlength", lambda m, x: x.bincount(minlength=6), constant([1, 1, 3])),
    Case(
        "bincount/weights", lambda m, x, w: m.bincount(x, w.detach()), constant([1, 1, 3]), constant([0.5, 1.0, 2.0]), order=0
    ),
    Case("bincount/integer weights", lambda m, x: m.bincount(x, x), constant([1, 1, 3])),
    Case("bincount/empty", lambda m, x: (x.bincount(), x.bincount(minlength=2)), integers(0)),
    Case("bincount/uint8", lambda m, x: x.bincount(), constant([1, 2, 2], "uint8")),
    Case("histc", lambda m, x: m.histc(x.detach(), 4, 0, 3), constant([1.0, 2.0, 1.0, 3.0, 5.0]), order=0),
    Case("histc/bounds of the data", lambda m, x: m.histc(x.detach(), bins=3), constant([1.0, 2.0, 1.0, 4.0]), order=0),
    Case("histc/one value", lambda m, x: m.histc(x.detach(), bins=4), constant([1.0, 1.0]), order=0),
]

ERRORS = [
    Refusal("sort/dim", lambda m: m.ones(2, 3).sort(2), IndexingError, ("sort", "-2 to 1", "2")),
    Refusal("sort/array", lambda m: m.sort([1.0]), DTypeError, ("sort", "input", "list")),
    Refusal("topk/k", lambda m: m.ones(2, 3).topk(4), ArgumentError, ("topk", "0 to 3", "dimension 1", "4")),
    Refusal("topk/float", lambda m: m.ones(3).topk(1.0), DTypeError, ("topk", "k", "an integer")),
    Refusal("kthvalue/k", lambda m: m.ones(2, 3).kthvalue(0), ArgumentError, ("kthvalue", "1 to 3", "0")),
    Refusal("median/empty", lambda m: m.ones(0, 3).median(0), ShapeError, ("median", "dimension 0", "(0, 3)")),
    Refusal("median/no integers", lambda m: m.ones(0, dtype=m.int64).median(), ShapeError, ("median", "at least one")),
    Refusal("mode/empty", lambda m: m.ones(0, 3).mode(0), ShapeError, ("mode", "dimension 0")),
    Refusal("unique/dim", lambda m: m.ones(3).unique(dim=1), IndexingError, ("unique", "dim", "1")),
    Refusal("searchsorted/side", lambda m: m.searchsorted(m.ones(2), 1.0, side="up"), ArgumentError, ("side", "'up'")),
    Refusal(
        "searchsorted/contradiction",
        lambda m: m.searchsorted(m.ones(2), 1.0, side="left", right=True),
        ArgumentError,
        ("side",),
    ),
    Refusal(
        "searchsorted/rows", lambda m: m.searchsorted(m.ones(2, 3), m.ones(3, 1)), ShapeError, ("(2,)", "(2, 3)", "(3, 1)")
    ),
    Refusal(
        "searchsorted/sorter", lambda m: m.searchsorted(m.ones(2), 1.0, sorter=m.arange(3)), ShapeError, ("sorter", "(2,)")
    ),
    Refusal("bucketize/rank", lambda m: m.bucketize(1.0, m.ones(2, 2)), ShapeError, ("boundaries", "(2, 2)")),
    Refusal("bincount/float", lambda m: m.bincount(m.ones(2)), DTypeError, ("bincount", "float32", ".long()")),
    Refusal("bincount/negative", lambda m: m.bincount(m.tensor([1, -2])), ArgumentError, ("bincount", "negative", "-2")),
    Refusal("bincount/minlength", lambda m: m.bincount(m.tensor([1]), minlength=-1), ArgumentError, ("minlength", "-1")),
    Refusal("bincount/rank", lambda m: m.bincount(m.tensor([[1]])), ShapeError, ("bincount", "(1, 1)")),
    Refusal("bincount/weights", lambda m: m.bincount(m.tensor([1]), m.ones(2)), ShapeError, ("weights", "(1,)", "(2,)")),
    Refusal("histc/integers", lambda m: m.histc(m.tensor([1])), DTypeError, ("histc", "int64")),
    Refusal("histc/bins", lambda m: m.histc(m.ones(1), 0), ArgumentError, ("bins", "positive", "0")),
    Refusal("histc/bounds", lambda m: m.histc(m.ones(1), 2, 3, 1), ArgumentError, ("min, max", "3.0, 1.0")),
    Refusal("histc/nan", lambda m: m.histc(m.tensor([float("nan")])), ArgumentError, ("min, max", "finite")),
    Refusal("unique/no parts", lambda m: m.tensor(3).unique(dim=0), IndexingError, ("unique", "dim", "None")),
    Refusal(
        "unique_consecutive/no parts",
        lambda m: m.tensor(3).unique_consecutive(dim=-1),
        IndexingError,
        ("unique_consecutive", "dim", "-1"),
    ),
]
