"""Activation functions and softmax. At a kink the derivative is compared with PyTorch's alone."""

import numpy as np

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Input, Refusal, constant, integers, normal


def f(name, *args, **kwargs):
    """The function of ``nn.functional`` with these further arguments."""
    return lambda m, x: getattr(m.nn.functional, name)(x, *args, **kwargs)


def in_place(name, *args):
    """The same with inplace=True, on a copy."""

    def call(m, x):
        copy = x.clone()
        y = getattr(m.nn.functional, name)(copy, *args, inplace=True)
        return y, copy * 2

    return call


def smooth_at(*shape):
    """Numbers at least 0.2 from each other and 0.05 from all multiples of 1/10, where the kinks are."""

    def draw(rng):
        count = int(np.prod(shape))
        return (rng.permutation(count) - count // 2).reshape(shape) * 0.2 + 0.05

    return Input(draw)


def kinked(*values):
    return constant([float(value) for value in values])


FAR = (-1e4, -700.0, -30.0, 30.0, 700.0, 1e4)
ELEMENTWISE = {
    "relu": (),
    "relu6": (),
    "hardtanh": (),
    "leaky_relu": (),
    "hardsigmoid": (),
    "hardswish": (),
    "hardshrink": (),
    "softshrink": (),
    "rrelu": (),
    "threshold": (0.3, -2.0),
    "elu": (),
    "celu": (),
    "selu": (),
    "gelu": (),
    "silu": (),
    "mish": (),
    "softplus": (),
    "logsigmoid": (),
    "softsign": (),
    "tanhshrink": (),
}
IN_PLACE = (
    "relu",
    "relu6",
    "hardtanh",
    "leaky_relu",
    "hardsigmoid",
    "hardswish",
    "threshold",
    "elu",
    "celu",
    "selu",
    "silu",
    "mish",
)
# In PyTorch's derivatives a sixth (hardsigmoid) and alpha (celu) are rounded to float32.
LOOSE = {"hardsigmoid": 1e-7}

CASES = [
    *(
        Case(f"{name}/plain", f(name, *args), smooth_at(2, 20), tolerance=LOOSE.get(name, 1e-10))
        for name, args in ELEMENTWISE.items()
    ),
    *(Case(f"{name}/far", f(name, *args), constant(FAR), order=0) for name, args in ELEMENTWISE.items()),
    *(Case(f"{name}/empty", f(name, *args), normal(0, 3)) for name, args in ELEMENTWISE.items()),
    *(
        Case(f"{name}/no dimensions", f(name, *args), constant(0.7), tolerance=LOOSE.get(name, 1e-10))
        for name, args in ELEMENTWISE.items()
    ),
    *(
        Case(f"{name}/in place", in_place(name, *ELEMENTWISE[name]), smooth_at(2, 5), tolerance=LOOSE.get(name, 1e-10))
        for name in IN_PLACE
    ),
    Case("relu/at 0", f("relu"), kinked(-1, 0, 1), order=0),
    Case("relu/nan", f("relu"), kinked("nan", "inf", "-inf"), order=0),
    Case("relu/integers", f("relu"), integers(6, low=-3, high=3)),
    Case("relu/method", lambda m, x: x.relu() * m.relu(x), smooth_at(6)),
    Case("relu/with _", lambda m, x: m.relu_(x * 1) + (x * 1).relu_() + m.nn.functional.relu_(x * 1), smooth_at(6)),
    Case("relu6/kinks", f("relu6"), kinked(0, 6), order=0),
    Case("hardtanh/kinks", f("hardtanh"), kinked(-1, 1), order=0),
    Case("hardtanh/bounds", f("hardtanh", -0.7, 1.5), smooth_at(20)),
    Case("leaky_relu/slope", f("leaky_relu", 0.3), smooth_at(20)),
    Case("leaky_relu/steep", f("leaky_relu", 2.5), smooth_at(20)),
    Case("leaky_relu/negative slope", f("leaky_relu", -0.5), smooth_at(20)),
    Case("leaky_relu/at 0", f("leaky_relu", 0.3), kinked(0), order=0),
    Case("hardsigmoid/kinks", f("hardsigmoid"), kinked(-3, 3), order=0),
    Case("hardswish/kinks", f("hardswish"), kinked(-3, 3), order=0),
    Case("hardshrink/kinks", f("hardshrink"), kinked(-0.5, 0.5, 0), order=0),
    Case("hardshrink/lambd", f("hardshrink", 0.9), smooth_at(20)),
    Case("hardshrink/method", lambda m, x: x.hardshrink(0.9) + m.hardshrink(x), smooth_at(20)),
    Case("softshrink/kinks", f("softshrink"), kinked(-0.5, 0.5, 0), order=0),
    Case("softshrink/lambd", f("softshrink", 0.9), smooth_at(20)),
    Case("threshold/kink", f("threshold", 0.5, 7.0), kinked(0.5, 0.4, 0.6), order=0),
    Case("threshold/nan", f("threshold", 0.5, 7.0), kinked("nan"), order=0),
    Case("threshold/integers", f("threshold", 1, 7), integers(6, high=4)),
    Case("rrelu/bounds", f("rrelu", 0.1, 0.5), smooth_at(20)),
    Case("rrelu/equal bounds", f("rrelu", 0.25, 0.25, True), smooth_at(20)),
    Case("elu/alpha", f("elu", 0.3), smooth_at(20)),
    Case("elu/negative alpha", lambda m, x: m.nn.functional.elu(x, alpha=-1.5), smooth_at(20), peer=False),
    Case("elu/at 0", f("elu", 0.3), kinked(0), order=0),
    Case("celu/alpha", f("celu", 0.3), smooth_at(20), tolerance=1e-7),
    Case("celu/at 0", f("celu", 0.3), kinked(0), order=0, tolerance=1e-7),
    Case("celu/negative alpha", f("celu", -2.0), smooth_at(20), peer=False),
    Case("selu/at 0", f("selu"), kinked(0), order=0),
    Case("gelu/tanh", f("gelu", approximate="tanh"), smooth_at(20)),
    Case("gelu/tanh, far", f("gelu", approximate="tanh"), constant(FAR), order=0),
    Case("softplus/beta", f("softplus", 2.0), smooth_at(20)),
    Case("softplus/threshold", f("softplus", 2.0, 1.1), smooth_at(20)),
    Case("softplus/negative threshold", f("softplus", 1.0, -1.1), smooth_at(20)),
    Case("softplus/at the threshold", f("softplus", 2.0, 1.0), kinked(0.5), order=0),
    Case("softsign/at 0", f("softsign"), kinked(0), order=0),
    Case("silu/nan", f("silu"), kinked("nan", 0), order=0),
    Case("prelu/one slope", lambda m, x, w: m.prelu(x, w), smooth_at(2, 3, 2), normal(1)),
    Case("prelu/slopes", lambda m, x, w: x.prelu(w), smooth_at(2, 3, 2), normal(3)),
    Case("prelu/slopes of rows", lambda m, x, w: m.nn.functional.prelu(x, w), smooth_at(2, 3), normal(3)),
    Case("prelu/one dimension", lambda m, x, w: m.prelu(x, w), smooth_at(4), normal(1)),
    Case("prelu/no dimensions", lambda m, x, w: m.prelu(x, w), constant(-0.5), constant(0.25)),
    Case("prelu/at 0", lambda m, x, w: m.prelu(x, w), kinked(0, 0), normal(1), order=0),
    Case("glu/last", f("glu"), normal(2, 4)),
    Case("glu/dim", f("glu", 0), normal(4, 3)),
    Case("glu/of nothing", f("glu", 1), normal(2, 0)),
    Case("softmax/last", f("softmax", -1), normal(2, 4)),
    Case("softmax/first", lambda m, x: m.softmax(x, 0), normal(3, 2, 2)),
    Case("softmax/middle", lambda m, x: x.softmax(dim=1), normal(2, 3, 2)),
    Case("softmax/dtype", lambda m, x: m.softmax(x, 0, dtype=m.float32), normal(3), order=0, tolerance=1e-6),
    Case("softmax/integers to floats", lambda m, x: m.softmax(x, 0, dtype=m.float64), integers(3)),
    Case("softmax/far", f("softmax", 0), constant((-1e4, 3.0, 1e4, 1e4 - 1)), order=0),
    Case("softmax/infinite", f("softmax", 0), constant((-float("inf"), 3.0, 4.0)), order=0),
    Case("softmax/no dimensions", f("softmax", 0), constant(3.0)),
    Case("softmax/empty", f("softmax", 1), normal(2, 0)),
    Case("softmax/no rows", f("softmax", 1), normal(0, 2)),
    Case("softmin/last", f("softmin", -1), normal(2, 4)),
    Case("log_softmax/last", f("log_softmax", -1), normal(2, 4)),
    Case("log_softmax/first", lambda m, x: m.log_softmax(x, 0), normal(3, 2, 2)),
    Case("log_softmax/method", lambda m, x: x.log_softmax(-2), normal(2, 3, 2)),
    Case("log_softmax/far", f("log_softmax", 0), constant((-1e4, 3.0, 1e4, 1e4 - 1)), order=0),
    Case("log_softmax/infinite", f("log_softmax", 0), constant((-float("inf"), 3.0, 4.0)), order=0),
    Case("log_softmax/no dimensions", f("log_softmax", -1), constant(3.0)),
    Case("log_softmax/empty", f("log_softmax", 1), normal(2, 0)),
    Case("log_softmax/dtype", f("log_softmax", 0, dtype=None), normal(3)),
    *(
        Case(f"{name}/infinite", f(name, *ELEMENTWISE[name]), kinked("inf", 0.5), order=0)
        for name in ("elu", "celu", "selu", "hardswish", "relu6", "leaky_relu", "threshold")
    ),
    *(Case(f"{name}/small slope", f(name), constant(-50.0), order=0) for name in ("elu", "celu", "selu")),
    Case("relu6/integers", f("relu6"), integers(6, low=-3, high=9)),
    Case("hardtanh/integers", f("hardtanh", -2.5, 4.5), integers(9, low=-5, high=9)),
]

ERRORS = [
    Refusal("relu/list", lambda m: m.relu([1.0]), DTypeError, ("relu", "input", "list")),
    Refusal("elu/integers", lambda m: m.nn.functional.elu(m.ones(2).long()), DTypeError, ("elu", "int64", ".float()")),
    Refusal("celu/alpha", lambda m: m.celu(m.ones(2), alpha=0), ArgumentError, ("celu", "alpha", "0")),
    Refusal(
        "gelu/word", lambda m: m.nn.functional.gelu(m.ones(2), "exact"), ArgumentError, ("approximate", "'tanh'", "'exact'")
    ),
    Refusal(
        "hardtanh/bounds", lambda m: m.nn.functional.hardtanh(m.ones(2), 1, 0), ArgumentError, ("min_val", "max_val=0", "1")
    ),
    Refusal("softshrink/lambd", lambda m: m.nn.functional.softshrink(m.ones(2), -1), ArgumentError, ("lambd", "-1")),
    Refusal("rrelu/bounds", lambda m: m.rrelu(m.ones(2), 0.5, 0.1), ArgumentError, ("rrelu", "lower", "upper=0.1", "0.5")),
    Refusal("prelu/weight", lambda m: m.prelu(m.ones(2, 3), m.ones(2)), ShapeError, ("prelu", "weight", "3", "(2,)")),
    Refusal("prelu/dtypes", lambda m: m.prelu(m.ones(2, 3), m.ones(1).double()), DTypeError, ("weight", "float32", "float64")),
    Refusal("glu/odd", lambda m: m.nn.functional.glu(m.ones(2, 3)), ShapeError, ("glu", "even", "(2, 3)")),
    Refusal("glu/dim", lambda m: m.nn.functional.glu(m.ones(2, 4), 2), IndexingError, ("glu", "dim", "2")),
    Refusal("softmax/no dim", lambda m: m.nn.functional.softmax(m.ones(2, 3)), ArgumentError, ("softmax", "dim=-1")),
    Refusal("softmax/dim", lambda m: m.softmax(m.ones(2, 3), 2), IndexingError, ("softmax", "dim", "-2 to 1", "2")),
    Refusal("softmax/integers", lambda m: m.softmax(m.ones(2).long(), 0), DTypeError, ("softmax", "int64")),
    Refusal(
        "log_softmax/dtype", lambda m: m.log_softmax(m.ones(2), 0, dtype="text"), DTypeError, ("log_softmax", "dtype", "text")
    ),
    Refusal(
        "relu/in place on a leaf", lambda m: m.relu_(m.ones(2, requires_grad=True)), RuntimeError, ("relu_", "leaf", "no_grad")
    ),
    Refusal("relu/booleans", lambda m: m.relu(m.tensor([True])), DTypeError, ("relu", "bool")),
    Refusal("relu6/booleans", lambda m: m.nn.functional.relu6(m.tensor([True])), DTypeError, ("relu6", "bool")),
    Refusal(
        "hardtanh/uint8", lambda m: m.nn.functional.hardtanh(m.ones(2).to(m.uint8)), ArgumentError, ("min_val", "uint8", "-1")
    ),
]
