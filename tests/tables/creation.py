"""New tensors: from data, and filled by rule."""

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import Case, Refusal, constant, integers, normal

CASES = [
    Case("tensor/numbers", lambda m: (m.tensor(3), m.tensor(2.5), m.tensor(True))),
    Case(
        "tensor/lists", lambda m: (m.tensor([[1, 2], [3, 4]]), m.tensor([1, 2.5]), m.tensor([True, 2]), m.tensor((1.5, True)))
    ),
    Case("tensor/nothing", lambda m: (m.tensor([]), m.tensor([[], []]))),
    Case("tensor/range", lambda m: m.tensor(range(3))),
    Case(
        "tensor/dtype",
        lambda m: (m.tensor([1.7, -1.7], dtype=m.int64), m.tensor([0, 2], dtype=m.bool), m.tensor(1, dtype=m.float16)),
    ),
    Case("tensor/tensors in lists", lambda m: m.tensor([m.tensor(1), 2, m.tensor(3.5, dtype=m.float64)])),
    Case("as_tensor", lambda m: (m.as_tensor([1, 2]), m.as_tensor([1, 2], dtype=m.float64), m.as_tensor(2.5))),
    Case("as_tensor/gradient", lambda m, x: m.as_tensor(x) * 2, normal(2)),
    Case("asarray", lambda m: (m.asarray([1, 2]), m.asarray(1.5, dtype=m.float64), m.asarray([1.0], copy=True))),
    Case(
        "zeros",
        lambda m: (m.zeros(2, 3), m.zeros((2,)), m.zeros([2, 0]), m.zeros(()), m.zeros(2, dtype=m.int32), m.zeros(size=(1,))),
    ),
    Case("ones", lambda m: (m.ones(2, 3), m.ones((2,), dtype=m.bool), m.ones(()))),
    Case("empty", lambda m: m.empty(2, 3) * 0 == 0, peer=False),
    Case("full", lambda m: (m.full((2,), 7), m.full((2, 1), 1.5), m.full((), True), m.full([2], 7, dtype=m.float64))),
    Case("full/tensor", lambda m: m.full((2,), m.tensor(3))),
    Case("scalar_tensor", lambda m: (m.scalar_tensor(3), m.scalar_tensor(2.5, dtype=m.int64))),
    Case("arange", lambda m: (m.arange(5), m.arange(2, 9, 3), m.arange(5, 1, -2), m.arange(3, 3), m.arange(end=2))),
    Case(
        "arange/floats",
        lambda m: (m.arange(3.0), m.arange(0, 1, 0.3), m.arange(1, 4, 0.1), m.arange(1.0, 0.0, -0.25)),
        tolerance=1e-7,
    ),
    Case("arange/dtype", lambda m: (m.arange(3, dtype=m.float64), m.arange(0.5, 3, dtype=m.int32), m.arange(4, dtype=m.uint8))),
    Case("arange/tensors", lambda m: (m.arange(m.tensor(3)), m.arange(m.tensor(1.0), 3))),
    Case(
        "linspace",
        lambda m: (m.linspace(0, 1, 5), m.linspace(3.0, -10, 4), m.linspace(0, 1, 1), m.linspace(0, 1, 0)),
        tolerance=1e-7,
    ),
    Case("linspace/dtype", lambda m: (m.linspace(0, 1, 7, dtype=m.float64), m.linspace(0, 10, 5, dtype=m.int64))),
    Case("linspace/tensors", lambda m: m.linspace(m.tensor(0.0), m.tensor(2.0), steps=3)),
    Case(
        "logspace",
        lambda m: (m.logspace(-1, 2, 4), m.logspace(0, 3, 4, base=2), m.logspace(0, 3, 4, 2, dtype=m.int64)),
        tolerance=1e-6,
    ),
    Case("eye", lambda m: (m.eye(3), m.eye(2, 3), m.eye(3, 1, dtype=m.int64), m.eye(2, dtype=m.bool), m.eye(0))),
    Case("zeros_like", lambda m, x: (m.zeros_like(x), m.zeros_like(x, dtype=m.float32)), integers(2, 3)),
    Case("ones_like", lambda m, x: (m.ones_like(x), m.ones_like(x.t(), dtype=m.float64)), integers(2, 3)),
    Case("full_like", lambda m, x: (m.full_like(x, 2.7), m.full_like(x, 7, dtype=m.float64)), integers(2, 3)),
    Case("empty_like", lambda m, x: m.empty_like(x) * 0, integers(2, 3)),
    Case("new_zeros", lambda m, x: (x.new_zeros(2), x.new_zeros((2, 1), dtype=m.int32)), constant([1.0]), order=0),
    Case("new_ones", lambda m, x: (x.new_ones(2), x.new_ones((2, 1), dtype=m.bool)), integers(1)),
    Case("new_empty", lambda m, x: x.new_empty((2, 1)) * 0, integers(1)),
    Case("new_full", lambda m, x: (x.new_full((2,), 3), x.new_full((), 3, dtype=m.float32)), constant([1.0]), order=0),
    Case("new_tensor", lambda m, x: (x.new_tensor([1, 2]), x.new_tensor([1.5], dtype=m.float64)), integers(1)),
    Case("is_tensor/and numel", lambda m, x: m.tensor([m.numel(x), int(m.is_tensor(x)), int(m.is_tensor(3))]), integers(2, 3)),
    Case("is_floating_point", lambda m, x: m.tensor([m.is_floating_point(x), m.is_floating_point(x.double())]), integers(2)),
    *[
        Case(
            f"finfo/{name}",
            lambda m, name=name: m.tensor(
                [getattr(m.finfo(getattr(m, name)), part) for part in ("eps", "max", "min", "tiny", "smallest_normal", "bits")],
                dtype=m.float64,
            ),
        )
        for name in ("float16", "float32", "float64")
    ],
    *[
        Case(
            f"iinfo/{name}",
            lambda m, name=name: m.tensor([getattr(m.iinfo(getattr(m, name)), p) for p in ("max", "min", "bits")]),
        )
        for name in ("uint8", "int32", "int64")
    ],
]

ERRORS = [
    Refusal("ones/too many dimensions", lambda m: m.ones(*[1] * 70), ShapeError, ("ones", "size", "64 dimensions", "70")),
    Refusal("tensor/ragged", lambda m: m.tensor([[1], [2, 3]]), ShapeError, ("tensor", "equal lengths", "Pad them")),
    Refusal("tensor/text", lambda m: m.tensor("abc"), DTypeError, ("tensor", "numbers", "str")),
    Refusal("tensor/list of text", lambda m: m.tensor([1, "a"]), DTypeError, ("tensor", "list with int, str")),
    Refusal("tensor/none", lambda m: m.tensor(None), DTypeError, ("tensor", "NoneType")),
    Refusal("tensor/dictionary", lambda m: m.tensor({1: 2}), DTypeError, ("tensor", "dict")),
    Refusal("tensor/complex", lambda m: m.tensor(1j), DTypeError, ("tensor", "complex")),
    Refusal("tensor/large", lambda m: m.tensor(2**70), ArgumentError, ("tensor", "int64")),
    Refusal("tensor/does not fit", lambda m: m.tensor([300], dtype=m.uint8), ArgumentError, ("tensor", "uint8", "300")),
    Refusal("tensor/nan as integer", lambda m: m.tensor([float("nan")], dtype=m.int64), DTypeError, ("tensor", "int64", "NaN")),
    Refusal("tensor/dtype", lambda m: m.tensor([1], dtype="int16"), DTypeError, ("tensor", "dtype", "int16")),
    Refusal("tensor/gradient", lambda m: m.tensor([1], requires_grad=True), DTypeError, ("float dtype", "int64")),
    Refusal("tensor/device", lambda m: m.tensor([1], device="gpu"), ArgumentError, ("device", "'gpu'")),
    Refusal("asarray/copy", lambda m: m.asarray([1], copy=False), ArgumentError, ("asarray", "copy", "must be copied")),
    Refusal("from_numpy/list", lambda m: m.from_numpy([1]), DTypeError, ("from_numpy", "a NumPy array", "list")),
    Refusal("zeros/negative", lambda m: m.zeros(2, -1), ShapeError, ("zeros", "at least 0", "(2, -1)")),
    Refusal("zeros/float", lambda m: m.zeros(2.0), DTypeError, ("zeros", "integers", "2.0")),
    Refusal("zeros/dtype", lambda m: m.zeros(2, dtype="complex64"), DTypeError, ("zeros", "dtype", "complex64")),
    Refusal("full/text", lambda m: m.full((2,), "a"), DTypeError, ("full", "fill_value", "str")),
    Refusal("full/does not fit", lambda m: m.full((2,), -1, dtype=m.uint8), ArgumentError, ("full", "0 to 255", "-1")),
    Refusal("full_like/nan", lambda m: m.full_like(m.arange(2), float("nan")), ArgumentError, ("full_like", "int64", "nan")),
    Refusal("arange/step", lambda m: m.arange(0, 5, 0), ArgumentError, ("arange", "step", "0, 5, step 0")),
    Refusal("arange/away", lambda m: m.arange(5, 0), ArgumentError, ("arange", "from start to end", "5, 0, step 1")),
    Refusal("arange/infinite", lambda m: m.arange(float("inf")), ArgumentError, ("arange", "finite", "inf")),
    Refusal("arange/truth values", lambda m: m.arange(2, dtype=m.bool), DTypeError, ("arange", "bool")),
    Refusal("linspace/steps", lambda m: m.linspace(0, 1, -1), ArgumentError, ("linspace", "steps", "-1")),
    Refusal("eye/negative", lambda m: m.eye(-1), ShapeError, ("eye", "(-1, -1)")),
    Refusal("zeros_like/number", lambda m: m.zeros_like(3), DTypeError, ("zeros_like", "input", "int")),
    Refusal("finfo/integers", lambda m: m.finfo(m.int64), DTypeError, ("finfo", "int64", "iinfo")),
    Refusal("iinfo/floats", lambda m: m.iinfo(m.float32), DTypeError, ("iinfo", "float32", "finfo")),
]
