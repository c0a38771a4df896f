"""Indexing with brackets, masks and index tensors; gathering and scattering."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, booleans, constant, integers, normal, positive

ROWS = constant([1, 0, 1])
MASK = constant([True, False, True])
GRID = constant([[0, 2], [2, 1]])
ALONG = constant([[0, 1, 0], [1, 1, 0]])  # an index for gather along dimension 0 of (2, 3)

# peer=False: PyTorch's derivative asks for an index as large as the source; its scatter with reduce has none, or is going away.
CASES = [
    # views
    Case("getitem/number", lambda m, x: x[1] * x[-1], normal(3, 2)),
    Case("getitem/numbers", lambda m, x: x[1, -1], normal(2, 3)),
    Case("getitem/of a vector", lambda m, x: x[2] ** 3, normal(3)),
    Case("getitem/slice", lambda m, x: x[1:], normal(3, 2)),
    Case("getitem/slices with steps", lambda m, x: x[::2, 1:4:2], normal(3, 5)),
    Case("getitem/slices beyond the end", lambda m, x: (x[-9:2], x[2:9], x[3:1]), normal(4)),
    Case("getitem/none", lambda m, x: x[None, :, None], normal(2, 3)),
    Case("getitem/ellipsis", lambda m, x: (x[..., 0], x[1, ...], x[...]), normal(2, 3, 2)),
    Case("getitem/ellipsis between", lambda m, x: x[0, ..., 1:, None], normal(2, 3, 2)),
    Case("getitem/empty tuple", lambda m, x: x[()], normal(2)),
    Case("getitem/number beside none", lambda m, x: x[None, 1, ..., None, 0], normal(2, 3, 2)),
    Case("getitem/tensor numbers", lambda m, x, i: x[i, i : i + 1], normal(3, 4), constant(1)),
    Case("getitem/overlapping uses", lambda m, x: x[:2] * x[1:], normal(3)),
    # index tensors
    Case("getitem/index tensor", lambda m, x, i: x[i], normal(2, 3), ROWS),
    Case("getitem/of two dimensions", lambda m, x, i: x[i], normal(3, 2), GRID),
    Case("getitem/negative indices", lambda m, x, i: x[i], normal(3, 2), constant([-1, 0, -3])),
    Case("getitem/int32", lambda m, x, i: x[i.int()], normal(2, 3), ROWS),
    Case("getitem/list", lambda m, x: x[[0, 1, 0]], normal(2, 3)),
    Case("getitem/empty list", lambda m, x: x[[]], normal(2, 3)),
    Case("getitem/list beside slice", lambda m, x: x[:, [2, 0]], normal(2, 3)),
    Case("getitem/range", lambda m, x: x[range(2)], normal(3, 2)),
    Case("getitem/two together", lambda m, x, i, j: x[i, j], normal(2, 3), ROWS, constant([2, 2, 0])),
    Case("getitem/two that broadcast", lambda m, x, i, j: x[i[:, None], j], normal(2, 3), ROWS, constant([2, 0])),
    Case("getitem/two behind a slice", lambda m, x, i, j: x[:, i, j], normal(2, 3, 4), ROWS, constant([3, 0, 0])),
    Case("getitem/two apart", lambda m, x, i, j: x[i, :, j], normal(2, 3, 4), ROWS, constant([3, 0, 3])),
    Case("getitem/two apart, behind", lambda m, x, i, j: x[:, i, :, j], normal(2, 3, 2, 2), GRID, constant([[0, 1], [1, 0]])),
    Case("getitem/number before a slice", lambda m, x, i: x[0, :, i], normal(2, 3, 4), ROWS),
    Case("getitem/number between", lambda m, x, i: x[i, 1, i], normal(2, 3, 2), ROWS),
    Case("getitem/none between", lambda m, x, i: x[i, None, i], normal(2, 3), ROWS),
    Case("getitem/slice with step and tensor", lambda m, x, i: x[::2, i, 1:], normal(3, 2, 3), ROWS),
    Case("getitem/ellipsis and tensor", lambda m, x, i: x[..., i], normal(2, 2, 3), GRID),
    Case("getitem/tensor of one", lambda m, x, i: x[i], normal(3), constant([2])),
    Case("getitem/of an integer tensor", lambda m, x, i: x[i], integers(3), ROWS),
    # masks
    Case("getitem/mask", lambda m, x, b: x[b], normal(2, 3), constant([[True, False, True], [False, True, True]])),
    Case("getitem/mask of rows", lambda m, x, b: x[b], normal(3, 2), MASK),
    Case("getitem/mask of columns", lambda m, x, b: x[:, b], normal(2, 3), MASK),
    Case("getitem/mask of two behind", lambda m, x, b: x[:, b], normal(2, 2, 2), constant([[True, False], [True, True]])),
    Case("getitem/mask and tensor", lambda m, x, b, i: x[b, i], normal(3, 2), MASK, constant([1, 1])),
    Case(
        "getitem/tensor and mask of two",
        lambda m, x, i, b: x[i, b],
        normal(2, 2, 2),
        constant([0]),
        constant([[1, 0], [1, 1]], bool),
    ),
    Case("getitem/mask of nothing", lambda m, x, b: x[b], normal(3, 2), constant([False, False, False])),
    Case("getitem/list of truth values", lambda m, x: x[[True, False, True]], normal(3, 2)),
    Case("getitem/truth value", lambda m, x: (x[True], x[False]), normal(2, 3)),
    Case("getitem/truth value of a number", lambda m, x: x[m.tensor(True)], normal()),
    # put
    Case("index_put", lambda m, x, i, v: x.index_put((i,), v), normal(4, 2), constant([3, 0]), normal(2, 2)),
    Case("index_put/broadcast", lambda m, x, i, v: m.index_put(x, (i,), v), normal(4, 2), constant([3, 0]), normal(2)),
    Case(
        "index_put/two",
        lambda m, x, i, j, v: x.index_put((i, j), v),
        normal(3, 2),
        constant([2, 0]),
        constant([1, 0]),
        normal(),
    ),
    Case("index_put/accumulate", lambda m, x, i, v: x.index_put((i,), v, accumulate=True), normal(2, 3), ROWS, normal(3, 3)),
    Case(
        "index_put/accumulate, two",
        lambda m, x, i, j, v: x.index_put((i, j), v, True),
        normal(2, 3),
        ROWS,
        constant([2, 1, 2]),
        normal(3),
    ),
    Case("index_put/mask", lambda m, x, b, v: x.index_put((b,), v), normal(3, 2), MASK, normal(2, 2)),
    Case("index_put/mask, accumulate", lambda m, x, b, v: x.index_put((b,), v, True), normal(3, 2), MASK, normal()),
    # along a dimension
    Case("index_select", lambda m, x, i: m.index_select(x, 1, i), normal(2, 3), constant([2, 0, 2, 1])),
    Case("index_select/number as index", lambda m, x: x.index_select(0, m.tensor(1)), normal(2, 3)),
    Case("index_select/of a number", lambda m, x: x.index_select(0, m.tensor([0])), normal()),
    Case("index_add", lambda m, x, i, s: m.index_add(x, 0, i, s), normal(2, 3), ROWS, normal(3, 3)),
    Case("index_add/alpha", lambda m, x, i, s: x.index_add(-1, i, s, alpha=-0.5), normal(3, 2), ROWS, normal(3, 3)),
    Case("index_copy", lambda m, x, i, s: m.index_copy(x, 1, i, s), normal(2, 3), constant([2, 0]), normal(2, 2)),
    Case("index_fill", lambda m, x, i: m.index_fill(x, 1, i, 2.5), normal(2, 3), constant([2, -3])),
    Case("index_fill/tensor", lambda m, x, i, v: x.index_fill(0, i, v), normal(2, 3), constant([1]), normal()),
    Case("take", lambda m, x, i: m.take(x, i), normal(2, 3), constant([[5, 0], [-1, 5]])),
    Case("put", lambda m, x, i, s: m.put(x, i, s), normal(2, 3), constant([5, 0, -2]), normal(3)),
    Case(
        "put/accumulate",
        lambda m, x, i, s: x.put(i, s, accumulate=True),
        normal(2, 3),
        constant([[5, 0], [5, -1]]),
        normal(2, 2),
    ),
    Case("gather/0", lambda m, x, i: m.gather(x, 0, i), normal(2, 3), ALONG),
    Case("gather/1, fewer", lambda m, x, i: x.gather(-1, i), normal(2, 3), constant([[2, 2, 0, 1]])),
    Case("gather/three dimensions", lambda m, x, i: x.gather(1, i), normal(2, 3, 2), constant([[[0, 2]], [[1, 1]]])),
    Case("gather/int32", lambda m, x, i: x.gather(0, i.int()), normal(2, 3), ALONG),
    Case("gather/of a number", lambda m, x: x.gather(0, m.tensor(0)), normal()),
    Case("gather/vector of a number", lambda m, x: x.gather(0, m.tensor([0, 0])), normal()),
    Case("gather/nothing", lambda m, x: x.gather(0, m.zeros(0, 3, dtype=m.int64)), normal(2, 3)),
    Case("take_along_dim", lambda m, x, i: m.take_along_dim(x, i, dim=1), normal(2, 3), constant([[2, 0], [1, 1]])),
    Case("take_along_dim/broadcast", lambda m, x, i: x.take_along_dim(i, 0), normal(2, 3), constant([[1], [-2], [1]])),
    Case("take_along_dim/flat", lambda m, x, i: x.take_along_dim(i), normal(2, 3), constant([5, 0, 5])),
    Case("scatter", lambda m, x, i, s: m.scatter(x, 1, i, s), normal(2, 3), constant([[2, 0], [1, 2]]), normal(2, 2)),
    Case(
        "scatter/larger source",
        lambda m, x, i, s: x.scatter(0, i, s),
        normal(3, 3),
        constant([[2, 0], [1, 2]]),
        normal(3, 3),
        peer=False,
    ),
    Case("scatter/number", lambda m, x, i: x.scatter(1, i, 2.5), normal(2, 3), constant([[2], [0]])),
    Case("scatter/value", lambda m, x, i: m.scatter(x, 1, i, value=7), integers(2, 3), constant([[2], [0]])),
    Case("scatter/add", lambda m, x, i: x.scatter(0, i, 5, reduce="add"), integers(2, 3), ALONG),
    Case(
        "scatter/add a tensor",
        lambda m, x, i, s: x.scatter(0, i, s, reduce="add"),
        normal(2, 3),
        ALONG,
        normal(2, 3),
        peer=False,
    ),
    Case(
        "scatter/multiply", lambda m, x, i: x.scatter(0, i, 3.0, reduce="multiply"), integers(2, 3), ALONG, peer=False, order=0
    ),
    Case(
        "scatter/nothing", lambda m, x, s: x.scatter(0, m.zeros(0, 3, dtype=m.int64), s), normal(2, 3), normal(2, 3), peer=False
    ),
    Case("scatter_add", lambda m, x, i, s: m.scatter_add(x, 0, i, s), normal(2, 3), ALONG, normal(2, 3)),
    Case(
        "scatter_add/larger source",
        lambda m, x, i, s: x.scatter_add(1, i, s),
        normal(2, 3),
        constant([[2, 2]]),
        normal(2, 4),
        peer=False,
    ),
    Case("scatter_add/integers", lambda m, x, i: x.scatter_add(0, i, x), integers(2, 3), ALONG),
    *[
        Case(
            f"scatter_reduce/{how}/{whole}",
            lambda m, x, i, s, how=how, whole=whole: x.scatter_reduce(0, i, s, how, include_self=whole),
            normal(2, 3) if how in ("amax", "amin") else positive(2, 3),
            ALONG,
            normal(2, 3) if how in ("amax", "amin") else positive(2, 3),
            order=1 if how in ("amax", "amin") else 2,
        )
        for how in ("sum", "prod", "mean", "amax", "amin")
        for whole in (True, False)
    ],
    Case("scatter_reduce/prod, a zero", lambda m, x, i: x.scatter_reduce(0, i, m.zeros_like(x), "prod"), positive(2, 3), ALONG),
    Case(
        "scatter_reduce/prod, zeros among the factors",
        lambda m, x, i, s: x.scatter_reduce(0, i, s, "prod"),
        positive(2),
        constant([0, 0, 1, 1]),
        constant([0.0, 2.0, 0.0, 0.0]),
        order=1,
    ),
    Case("scatter_reduce/mean of integers", lambda m, x, i: x.scatter_reduce(0, i, x, "mean"), integers(2, 3), ALONG),
    Case("scatter_reduce/largest of integers", lambda m, x, i: x.scatter_reduce(0, i, x, "amax"), integers(2, 3), ALONG),
    # masks and places
    Case("masked_fill", lambda m, x, b: x.masked_fill(b, 2.5), normal(2, 3), MASK),
    Case("masked_fill/grows", lambda m, x, b: m.masked_fill(x, b, -2), normal(3), constant([[True, False, False]] * 2)),
    Case("masked_fill/infinity", lambda m, x, b: x.masked_fill(b, -float("inf")).exp(), normal(2, 3), MASK),
    Case("masked_fill/tensor", lambda m, x, b, v: x.masked_fill(b, v), normal(2, 3), MASK, normal()),
    Case("masked_fill/integers", lambda m, x, b: x.masked_fill(b, 2.7), integers(2, 3), MASK),
    Case("masked_fill/truth values", lambda m, x, b: x.masked_fill(b, True), booleans(2, 3), MASK),
    Case("masked_select", lambda m, x, b: m.masked_select(x, b), normal(2, 3), MASK),
    Case("masked_select/of a number", lambda m, x, b: x.masked_select(b), normal(), MASK),
    Case("masked_scatter", lambda m, x, b, s: x.masked_scatter(b, s), normal(2, 3), MASK, normal(3, 2)),
    Case("nonzero", lambda m, x: (m.nonzero(x), x.nonzero(as_tuple=True)), constant([[0.0, 2.0], [-1.0, 0.0]])),
    Case("nonzero/of a number", lambda m, x: (x.nonzero(), (x * 0).nonzero(), x.nonzero(as_tuple=True)), constant(2.0)),
    Case("nonzero/nothing", lambda m, x: x.nonzero(), constant([[0, 0]])),
    Case("argwhere", lambda m, x: m.argwhere(x), booleans(3, 2)),
    Case("where/places", lambda m, x: m.where(x > 0), normal(3, 2), order=0),
    Case(
        "index_add/truth values",
        lambda m, x, i, s: x.index_add(0, i, s, alpha=2),
        booleans(3, 2),
        constant([0, 2, 0]),
        booleans(3, 2),
    ),
]

ERRORS = [
    Refusal("getitem/outside", lambda m: m.ones(2, 3)[2], IndexingError, ("getitem", "-2 to 1", "dimension 0", "2")),
    Refusal("getitem/outside second", lambda m: m.ones(2, 3)[0, -4], IndexingError, ("-3 to 2", "dimension 1", "-4")),
    Refusal("getitem/too many", lambda m: m.ones(2, 3)[0, 0, 0], IndexingError, ("at most 2", "(2, 3)", "3")),
    Refusal("getitem/of a number", lambda m: m.ones(())[0], IndexingError, ("no dimensions", ".item()")),
    Refusal("getitem/float", lambda m: m.ones(2)[1.0], DTypeError, ("getitem", "integers, slices", "float 1.0")),
    Refusal("getitem/text", lambda m: m.ones(2)["a"], DTypeError, ("getitem", "str 'a'")),
    Refusal("getitem/slice of floats", lambda m: m.ones(2)[0.0:1], DTypeError, ("getitem", "float 0.0")),
    Refusal("getitem/negative step", lambda m: m.ones(3)[::-1], ArgumentError, ("step", "positive", "-1", ".flip()")),
    Refusal("getitem/step zero", lambda m: m.ones(3)[::0], ArgumentError, ("step", "positive", "0")),
    Refusal("getitem/ellipses", lambda m: m.ones(2, 3)[..., ...], ArgumentError, ("one ellipsis", "2")),
    Refusal("getitem/float tensor", lambda m: m.ones(2)[m.ones(1)], DTypeError, ("float32", ".long()")),
    Refusal("getitem/uint8", lambda m: m.ones(2)[m.ones(2, dtype=m.uint8)], DTypeError, ("uint8", ".bool()", ".long()")),
    Refusal(
        "getitem/index outside", lambda m: m.ones(2, 3)[:, m.tensor([0, 3])], IndexingError, ("-3 to 2", "dimension 1", "3")
    ),
    Refusal("getitem/index outside, taken", lambda m: m.ones(2)[m.tensor([-3])], IndexingError, ("-2 to 1", "-3")),
    Refusal("getitem/mask", lambda m: m.ones(2, 3)[m.ones(3) > 0], IndexingError, ("mask of shape (2,)", "(3,)")),
    Refusal("getitem/mask behind", lambda m: m.ones(2, 3)[:, m.ones(2, 2) > 0], IndexingError, ("at most 2", "3")),
    Refusal("getitem/do not broadcast", lambda m: m.ones(4, 4)[[0, 1], [0, 1, 2]], ShapeError, ("(2,)", "(3,)")),
    Refusal("getitem/gradient", lambda m: m.ones(4, 4, requires_grad=True)[[0, 1], [0, 1, 2]], ShapeError, ("(2,)", "(3,)")),
    Refusal("index_put/no tuple", lambda m: m.ones(2).index_put(m.tensor([0]), m.ones(1)), DTypeError, ("indices", "a tuple")),
    Refusal("index_put/dtype", lambda m: m.ones(2).index_put((m.tensor([0]),), m.tensor([1])), DTypeError, ("values", "int64")),
    Refusal(
        "index_put/values", lambda m: m.ones(3).index_put((m.tensor([0]),), m.ones(2)), ShapeError, ("values", "(1,)", "(2,)")
    ),
    Refusal("index_put/outside", lambda m: m.ones(3).index_put((m.tensor([3]),), m.ones(1)), IndexingError, ("-3 to 2", "3")),
    Refusal(
        "index_put/outside, accumulate",
        lambda m: m.ones(3).index_put((m.tensor([-4]),), m.ones(1), True),
        IndexingError,
        ("-3 to 2", "-4"),
    ),
    Refusal("index_put/nothing", lambda m: m.ones(3).index_put((), m.ones(1)), ArgumentError, ("at least one index",)),
    Refusal("index_select/negative", lambda m: m.ones(2).index_select(0, m.tensor([-1])), IndexingError, ("0 to 1", "-1")),
    Refusal("index_select/float", lambda m: m.ones(2).index_select(0, m.ones(1)), DTypeError, ("index", "float32")),
    Refusal("index_select/rank", lambda m: m.ones(2).index_select(0, m.tensor([[0]])), ShapeError, ("index", "(1, 1)")),
    Refusal(
        "index_add/shape", lambda m: m.ones(2, 3).index_add(0, m.tensor([0]), m.ones(1, 2)), ShapeError, ("(1, 3)", "(1, 2)")
    ),
    Refusal("index_add/dtype", lambda m: m.ones(2).index_add(0, m.tensor([0]), m.tensor([1])), DTypeError, ("source", "int64")),
    Refusal("index_fill/value", lambda m: m.ones(2).index_fill(0, m.tensor([0]), m.ones(1)), ShapeError, ("value", "(1,)")),
    Refusal("index_fill/text", lambda m: m.ones(2).index_fill(0, m.tensor([0]), "a"), DTypeError, ("value", "str")),
    Refusal("take/outside", lambda m: m.ones(2, 2).take(m.tensor([4])), IndexingError, ("-4 to 3", "4")),
    Refusal("take/float", lambda m: m.ones(2).take(m.ones(1)), DTypeError, ("take", "float32")),
    Refusal("put/outside", lambda m: m.ones(2).put(m.tensor([2]), m.ones(1)), IndexingError, ("-2 to 1", "2")),
    Refusal("put/source", lambda m: m.ones(2).put(m.tensor([0]), m.ones(2)), ShapeError, ("put", "1 elements", "2")),
    Refusal("put/dtype", lambda m: m.ones(2).put(m.tensor([0]), m.tensor([1])), DTypeError, ("put", "source", "int64")),
    Refusal("gather/outside", lambda m: m.ones(2, 3).gather(1, m.tensor([[3]])), IndexingError, ("0 to 2", "dimension 1", "3")),
    Refusal("gather/negative", lambda m: m.ones(2).gather(0, m.tensor([-1])), IndexingError, ("0 to 1", "-1")),
    Refusal("gather/rank", lambda m: m.ones(2, 3).gather(0, m.tensor([0])), ShapeError, ("2 dimensions", "(1,)")),
    Refusal("gather/size", lambda m: m.ones(2, 3).gather(1, m.tensor([[0]] * 3)), ShapeError, ("(2, 3)", "(3, 1)")),
    Refusal("gather/float", lambda m: m.ones(2).gather(0, m.ones(1)), DTypeError, ("gather", "float32", ".long()")),
    Refusal(
        "take_along_dim/rank", lambda m: m.take_along_dim(m.ones(2, 3), m.tensor([0]), 0), ShapeError, ("2 dimensions", "1")
    ),
    Refusal("take_along_dim/outside", lambda m: m.take_along_dim(m.ones(2), m.tensor([2]), 0), IndexingError, ("-2 to 1", "2")),
    Refusal("scatter/neither", lambda m: m.ones(2).scatter(0, m.tensor([0])), ArgumentError, ("src, value", "none")),
    Refusal("scatter/both", lambda m: m.ones(2).scatter(0, m.tensor([0]), 1.0, value=2), ArgumentError, ("src, value", "both")),
    Refusal(
        "scatter/reduce", lambda m: m.ones(2).scatter(0, m.tensor([0]), 1.0, reduce="max"), ArgumentError, ("reduce", "'max'")
    ),
    Refusal("scatter/source", lambda m: m.ones(2).scatter(0, m.tensor([0, 1]), m.ones(1)), ShapeError, ("src", "(1,)", "(2,)")),
    Refusal("scatter/dtype", lambda m: m.ones(2).scatter(0, m.tensor([0]), m.tensor([1])), DTypeError, ("src", "int64")),
    Refusal("scatter/text", lambda m: m.ones(2).scatter(0, m.tensor([0]), "a"), DTypeError, ("src", "str")),
    Refusal("scatter_add/number", lambda m: m.ones(2).scatter_add(0, m.tensor([0]), 1.0), DTypeError, ("src", "float")),
    Refusal(
        "scatter_reduce/how", lambda m: m.ones(2).scatter_reduce(0, m.tensor([0]), m.ones(1), "max"), ArgumentError, ("amax",)
    ),
    Refusal("masked_fill/mask", lambda m: m.ones(2).masked_fill(m.ones(2), 0), DTypeError, ("mask", "float32", ".bool()")),
    Refusal("masked_fill/value", lambda m: m.ones(2).masked_fill(m.ones(2) > 0, m.ones(1)), ShapeError, ("value", "(1,)")),
    Refusal("masked_fill/text", lambda m: m.ones(2).masked_fill(m.ones(2) > 0, "a"), DTypeError, ("value", "str")),
    Refusal("masked_fill/shapes", lambda m: m.ones(2).masked_fill(m.ones(3) > 0, 0.0), ShapeError, ("(2,)", "(3,)")),
    Refusal("masked_select/shapes", lambda m: m.ones(2).masked_select(m.ones(3) > 0), ShapeError, ("(2,)", "(3,)")),
    Refusal(
        "masked_scatter/few", lambda m: m.ones(2).masked_scatter(m.ones(2) > 0, m.ones(1)), ShapeError, ("at least 2", "1")
    ),
    Refusal(
        "masked_scatter/dtype",
        lambda m: m.ones(1).masked_scatter(m.ones(1) > 0, m.tensor([1])),
        DTypeError,
        ("source", "int64"),
    ),
    Refusal(
        "index_add/alpha",
        lambda m: m.tensor([1]).index_add(0, m.tensor([0]), m.tensor([1]), alpha=0.5),
        DTypeError,
        ("index_add", "alpha", "int64", "0.5"),
    ),
    Refusal(
        "getitem/masks of other counts",
        lambda m: m.ones(3, 2)[m.tensor([True, True, True]), m.tensor([True, True])],
        ShapeError,
        ("(3,)", "(2,)"),
    ),
    Refusal(
        "getitem/mask and places", lambda m: m.ones(3, 2)[m.tensor([True, False, False]), [0, 1, 1]][9], IndexError, ("9",)
    ),
    Refusal(
        "setitem/mask and places",
        lambda m: m.ones(3, 2).__setitem__((m.tensor([True, False, True]), [0, 1, 1]), 1),
        ShapeError,
        ("(2,)", "(3,)"),
    ),
]
