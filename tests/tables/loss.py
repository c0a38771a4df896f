"""Losses of classes. Large vocabularies and hand-made numbers are in tests/test_loss.py."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, constant, integers, normal, positive


def cross(**options):
    return lambda m, x, t: m.nn.functional.cross_entropy(x, t, **options)


def nll(**options):
    return lambda m, x, t: m.nn.functional.nll_loss(x, t, **options)


def smoothed_targets(m, x, t, **options):
    return m.nn.functional.cross_entropy(x, m.softmax(t, 1), **options)


IGNORED = constant([2, -100, 0, -100])


def with_weight(name, **options):
    def call(m, x, t):
        w = m.tensor([0.5, 2.0, 1.5], dtype=x.dtype)
        return getattr(m.nn.functional, name)(x, t, weight=w, **options)

    return call


CASES = [
    Case("cross_entropy/plain", cross(), normal(4, 3), integers(4, high=3)),
    Case("cross_entropy/sum", cross(reduction="sum"), normal(4, 3), integers(4, high=3)),
    Case("cross_entropy/none", cross(reduction="none"), normal(4, 3), integers(4, high=3)),
    Case("cross_entropy/one sample", cross(), normal(3), constant(2)),
    Case("cross_entropy/one sample, none", cross(reduction="none"), normal(3), constant(2)),
    Case("cross_entropy/images", cross(), normal(2, 3, 2, 2), integers(2, 2, 2, high=3)),
    Case("cross_entropy/images, none", cross(reduction="none"), normal(2, 3, 2, 2), integers(2, 2, 2, high=3)),
    Case("cross_entropy/sequences, smoothed", cross(label_smoothing=0.3), normal(2, 3, 4), integers(2, 4, high=3)),
    Case("cross_entropy/ignored", cross(), normal(4, 3), IGNORED),
    Case("cross_entropy/ignored, none", cross(reduction="none"), normal(4, 3), IGNORED),
    Case("cross_entropy/ignored class", cross(ignore_index=1), normal(6, 3), constant([0, 1, 2, 1, 0, 2])),
    Case("cross_entropy/ignored, smoothed", cross(label_smoothing=0.2), normal(4, 3), IGNORED),
    Case("cross_entropy/ignored, smoothed, none", cross(label_smoothing=0.2, reduction="none"), normal(4, 3), IGNORED),
    Case("cross_entropy/all ignored", cross(), normal(2, 3), constant([-100, -100]), order=0),
    Case("cross_entropy/all ignored, sum", cross(reduction="sum"), normal(2, 3), constant([-100, -100])),
    Case("cross_entropy/no samples", cross(), normal(0, 3), integers(0), order=0),
    Case("cross_entropy/no samples, sum", cross(reduction="sum"), normal(0, 3), integers(0)),
    Case("cross_entropy/no samples, none", cross(reduction="none"), normal(0, 3), integers(0)),
    Case("cross_entropy/weight", with_weight("cross_entropy"), normal(4, 3), integers(4, high=3)),
    Case("cross_entropy/weight, none", with_weight("cross_entropy", reduction="none"), normal(4, 3), integers(4, high=3)),
    Case("cross_entropy/weight, images", with_weight("cross_entropy"), normal(2, 3, 2), integers(2, 2, high=3)),
    Case(
        "cross_entropy/all at once",
        with_weight("cross_entropy", label_smoothing=0.1, ignore_index=-100),
        normal(4, 3),
        IGNORED,
    ),
    Case(
        "cross_entropy/all at once, sum",
        with_weight("cross_entropy", label_smoothing=0.1, ignore_index=2, reduction="sum"),
        normal(2, 3, 2),
        integers(2, 2, high=3),
    ),
    Case("cross_entropy/smoothed to the full", cross(label_smoothing=1.0), normal(4, 3), integers(4, high=3)),
    Case("cross_entropy/one class", cross(), normal(4, 1), constant([0, 0, 0, 0])),
    Case(
        "cross_entropy/far", cross(reduction="none"), constant([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]]), constant([1, 2]), order=0
    ),
    Case(
        "cross_entropy/uint8",
        lambda m, x, t: m.nn.functional.cross_entropy(x, t.to(m.uint8)),
        normal(4, 3),
        integers(4, high=3),
    ),
    Case("cross_entropy/probabilities", smoothed_targets, normal(3, 4), normal(3, 4)),
    Case(
        "cross_entropy/probabilities, none",
        lambda m, x, t: smoothed_targets(m, x, t, reduction="none"),
        normal(2, 3, 2),
        normal(2, 3, 2),
    ),
    Case(
        "cross_entropy/probabilities, sum",
        lambda m, x, t: smoothed_targets(m, x, t, reduction="sum"),
        normal(2, 3),
        normal(2, 3),
    ),
    Case("cross_entropy/probabilities of one", lambda m, x, t: m.nn.functional.cross_entropy(x, t), normal(3), positive(3)),
    Case(
        "cross_entropy/probabilities, smoothed",
        lambda m, x, t: smoothed_targets(m, x, t, label_smoothing=0.3),
        normal(2, 3),
        normal(2, 3),
    ),
    Case("cross_entropy/probabilities, weight", with_weight("cross_entropy"), normal(2, 3, 2), positive(2, 3, 2)),
    Case("cross_entropy/probabilities, weight, one", with_weight("cross_entropy", label_smoothing=0.1), normal(3), positive(3)),
    Case("nll_loss/plain", nll(), normal(4, 3), integers(4, high=3)),
    Case("nll_loss/sum", nll(reduction="sum"), normal(4, 3), integers(4, high=3)),
    Case("nll_loss/none", nll(reduction="none"), normal(2, 3, 2), integers(2, 2, high=3)),
    Case("nll_loss/one sample", nll(), normal(3), constant(2)),
    Case("nll_loss/images", nll(), normal(2, 3, 2, 2), integers(2, 2, 2, high=3)),
    Case("nll_loss/ignored", nll(), normal(4, 3), IGNORED),
    Case("nll_loss/ignored infinity", nll(reduction="sum"), constant([[-float("inf"), 1.0]]), constant([-100]), order=0),
    Case("nll_loss/all ignored", nll(), normal(2, 3), constant([-100, -100]), order=0),
    Case("nll_loss/weight", with_weight("nll_loss"), normal(4, 3), IGNORED),
    Case("nll_loss/weight, none", with_weight("nll_loss", reduction="none"), normal(4, 3), integers(4, high=3)),
    Case("nll_loss/weight, one sample", with_weight("nll_loss"), normal(3), constant(1)),
    Case(
        "nll_loss/of log_softmax",
        lambda m, x, t: m.nn.functional.nll_loss(m.log_softmax(x, 1), t),
        normal(4, 3),
        integers(4, high=3),
    ),
    Case(
        "binary_cross_entropy_with_logits/no dimensions",
        lambda m, x, t: m.nn.functional.binary_cross_entropy_with_logits(x, t),
        normal(),
        positive(),
    ),
]


def refused(*shape, target, **options):
    return lambda m: m.nn.functional.cross_entropy(m.ones(*shape), target(m), **options)


ERRORS = [
    Refusal(
        "cross_entropy/class numbers as floats",
        lambda m: m.nn.functional.cross_entropy(m.ones(4, 3), m.zeros(4)),
        ShapeError,
        ("cross_entropy", "target", "(4, 3)", "(4,)", "target.long()"),
    ),
    Refusal(
        "cross_entropy/class",
        refused(3, 4, target=lambda m: m.tensor([0, 4, 1])),
        IndexingError,
        ("cross_entropy", "target", "0 to 3", "4 at 1"),
    ),
    Refusal(
        "cross_entropy/class of a pixel",
        refused(1, 4, 2, 2, target=lambda m: m.tensor([[[0, 1], [-1, 0]]])),
        IndexingError,
        ("-1 at (0, 1, 0)", "ignore_index=-100"),
    ),
    Refusal(
        "cross_entropy/target shape",
        refused(3, 4, target=lambda m: m.tensor([0, 1])),
        ShapeError,
        ("cross_entropy", "target", "(3,)", "(2,)"),
    ),
    Refusal(
        "cross_entropy/probabilities shape",
        refused(3, 4, target=lambda m: m.ones(3)),
        ShapeError,
        ("cross_entropy", "target", "(3, 4)", "(3,)"),
    ),
    Refusal("cross_entropy/no classes", refused(target=lambda m: m.tensor(1)), ShapeError, ("cross_entropy", "input", "(C)")),
    Refusal(
        "cross_entropy/truth values",
        refused(2, 2, target=lambda m: m.tensor([True, False])),
        DTypeError,
        ("target", "int64", "bool"),
    ),
    Refusal(
        "cross_entropy/integers",
        lambda m: m.nn.functional.cross_entropy(m.ones(2, 2).long(), m.tensor([0, 1])),
        DTypeError,
        ("cross_entropy", "input", "int64"),
    ),
    Refusal(
        "cross_entropy/weight shape",
        lambda m: m.nn.functional.cross_entropy(m.ones(2, 3), m.tensor([0, 1]), m.ones(2)),
        ShapeError,
        ("weight", "(3,)", "(2,)"),
    ),
    Refusal(
        "cross_entropy/reduction",
        refused(2, 3, target=lambda m: m.tensor([0, 1]), reduction="average"),
        ArgumentError,
        ("reduction", "'mean'", "'average'"),
    ),
    Refusal(
        "cross_entropy/smoothing",
        refused(2, 3, target=lambda m: m.tensor([0, 1]), label_smoothing=1.5),
        ArgumentError,
        ("label_smoothing", "1.5"),
    ),
    Refusal("cross_entropy/list", refused(2, 3, target=lambda m: [0, 1]), DTypeError, ("target", "Tensor", "list")),
    Refusal(
        "nll_loss/class",
        lambda m: m.nn.functional.nll_loss(m.ones(2, 3), m.tensor([0, 3])),
        IndexingError,
        ("nll_loss", "0 to 2", "3 at 1"),
    ),
    Refusal(
        "nll_loss/reduction",
        lambda m: m.nn.functional.nll_loss(m.ones(2, 3), m.tensor([0, 1]), reduction="batchmean"),
        ArgumentError,
        ("nll_loss", "'batchmean'"),
    ),
]
