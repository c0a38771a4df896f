"""Normalization. Far-off means, running statistics and layouts are in tests/test_normalization.py."""

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Refusal, constant, normal, positive


def batch(m, x, w=None, b=None, mean=None, var=None, **kwargs):
    return m.nn.functional.batch_norm(x, mean, var, w, b, **kwargs)


def by_running(m, x, w=None, b=None):
    mean, var = m.tensor([0.5, -1.0], dtype=x.dtype), m.tensor([1.5, 0.5], dtype=x.dtype)
    return m.nn.functional.batch_norm(x, mean, var, w, b)


def with_running(m, x, w=None, b=None):
    """In training, with the running statistics that come of it."""
    mean, var = m.tensor([0.5, -1.0], dtype=x.dtype), m.tensor([1.0, 2.0], dtype=x.dtype)
    y = m.nn.functional.batch_norm(x, mean, var, w, b, training=True, momentum=0.3, eps=1e-3)
    return y, mean, var


def instance(m, x, *args, **kwargs):
    return m.nn.functional.instance_norm(x, None, None, *args, **kwargs)


def instance_with_running(m, x, use_input_stats):
    mean, var = m.tensor([0.5, -1.0], dtype=x.dtype), m.tensor([1.0, 2.0], dtype=x.dtype)
    y = m.nn.functional.instance_norm(x, mean, var, use_input_stats=use_input_stats, momentum=0.3)
    return y, mean, var


CASES = [
    Case("batch_norm/rows", lambda m, x, w, b: batch(m, x, w, b, training=True), normal(4, 2), normal(2), normal(2)),
    Case("batch_norm/sequences", lambda m, x, w, b: batch(m, x, w, b, training=True), normal(2, 2, 3), normal(2), normal(2)),
    Case("batch_norm/images", lambda m, x, w, b: batch(m, x, w, b, training=True), normal(2, 2, 2, 2), normal(2), normal(2)),
    Case("batch_norm/volumes", lambda m, x: batch(m, x, training=True), normal(1, 2, 2, 2, 2)),
    Case("batch_norm/no affine", lambda m, x: batch(m, x, training=True, eps=0.1), normal(2, 2, 3)),
    Case("batch_norm/bias only", lambda m, x, b: batch(m, x, None, b, training=True), normal(4, 2), normal(2)),
    Case("batch_norm/weight only", lambda m, x, w: batch(m, x, w, training=True), normal(4, 2), normal(2)),
    Case("batch_norm/running", with_running, normal(3, 2, 2), normal(2), normal(2), order=0),
    Case("batch_norm/one image", lambda m, x: batch(m, x, training=True), normal(1, 2, 2, 2)),
    Case("batch_norm/evaluation", by_running, normal(3, 2, 2), normal(2), normal(2)),
    Case("batch_norm/evaluation of rows", by_running, normal(3, 2), normal(2), normal(2)),
    Case("batch_norm/evaluation, no affine", by_running, normal(3, 2, 1, 2)),
    Case("batch_norm/evaluation of one", by_running, normal(1, 2)),
    Case("layer_norm/last", lambda m, x, w, b: m.layer_norm(x, (4,), w, b), normal(3, 4), normal(4), normal(4)),
    Case("layer_norm/int", lambda m, x: m.nn.functional.layer_norm(x, x.shape[-1:], eps=0.1), normal(2, 2, 4)),
    Case("layer_norm/two", lambda m, x, w, b: m.layer_norm(x, [2, 3], w, b), normal(2, 2, 3), normal(2, 3), normal(2, 3)),
    Case("layer_norm/all", lambda m, x, w, b: m.layer_norm(x, (2, 3), w, b), normal(2, 3), normal(2, 3), normal(2, 3)),
    Case("layer_norm/weight only", lambda m, x, w: m.layer_norm(x, (4,), w), normal(3, 4), normal(4)),
    Case("layer_norm/bias only", lambda m, x, b: m.layer_norm(x, (4,), None, b), normal(3, 4), normal(4)),
    Case("layer_norm/no samples", lambda m, x, w, b: m.layer_norm(x, (4,), w, b), normal(0, 4), normal(4), normal(4)),
    Case("group_norm/images", lambda m, x, w, b: m.group_norm(x, 2, w, b), normal(2, 4, 2, 2), normal(4), normal(4)),
    Case("group_norm/rows", lambda m, x, w, b: m.group_norm(x, 2, w, b, 0.1), normal(3, 6), normal(6), normal(6)),
    Case("group_norm/one group", lambda m, x: m.group_norm(x, 1), normal(2, 3, 3)),
    Case("group_norm/each channel", lambda m, x, w: m.group_norm(x, 2, w), normal(2, 2, 4), normal(2)),
    # PyTorch crashes in the backward pass of this one.
    Case("group_norm/bias only", lambda m, x, b: m.group_norm(x, 2, None, b), normal(2, 4, 3), normal(4), peer=False),
    Case("instance_norm/images", instance, normal(2, 2, 2, 3), normal(2), normal(2)),
    Case("instance_norm/sequences", lambda m, x: instance(m, x, eps=0.1), normal(2, 2, 4)),
    Case("instance_norm/running", lambda m, x: instance_with_running(m, x, True), normal(2, 2, 4), order=0),
    Case("instance_norm/by running", lambda m, x: instance_with_running(m, x, False), normal(2, 2, 4)),
    Case("rms_norm/last", lambda m, x, w: m.rms_norm(x, (4,), w), normal(3, 4), normal(4)),
    Case("rms_norm/two, eps", lambda m, x: m.nn.functional.rms_norm(x, (2, 3), eps=0.1), normal(2, 2, 3)),
    Case(
        "local_response_norm/sequences",
        lambda m, x: m.nn.functional.local_response_norm(x, 3, 0.5, 0.75, 2.0),
        normal(2, 4, 2),
    ),
    Case("local_response_norm/images", lambda m, x: m.nn.functional.local_response_norm(x, 2, 1.0), normal(1, 5, 2, 2)),
    Case("normalize/plain", lambda m, x: m.nn.functional.normalize(x), normal(3, 4)),
    Case("normalize/dim", lambda m, x: m.nn.functional.normalize(x, dim=-3), normal(2, 2, 3)),
    Case("normalize/dims", lambda m, x: m.nn.functional.normalize(x, dim=(0, 2)), normal(2, 2, 3)),
    Case("normalize/p", lambda m, x: m.nn.functional.normalize(x, p=3.0, dim=0), normal(4)),
    Case("normalize/1", lambda m, x: m.nn.functional.normalize(x, p=1), positive(2, 3)),
    Case("normalize/short", lambda m, x: m.nn.functional.normalize(x, eps=100.0), normal(2, 3)),
    Case("normalize/0", lambda m, x: m.nn.functional.normalize(x), constant([[0.0, 0.0], [3.0, 4.0]]), order=0),
]

ERRORS = [
    Refusal(
        "batch_norm/one value", lambda m: batch(m, m.ones(1, 2), training=True), ShapeError, ("batch_norm", "(1, 2)", ".eval()")
    ),
    Refusal("batch_norm/rank", lambda m: batch(m, m.ones(2), training=True), ShapeError, ("batch_norm", "(N, C)", "(2,)")),
    Refusal("batch_norm/no running", lambda m: batch(m, m.ones(3, 2)), ArgumentError, ("running_mean", "training=True")),
    Refusal(
        "batch_norm/weight",
        lambda m: batch(m, m.ones(3, 2), m.ones(3), training=True),
        ShapeError,
        ("batch_norm", "weight", "(2,)", "(3,)"),
    ),
    Refusal(
        "batch_norm/running shape",
        lambda m: batch(m, m.ones(3, 2), None, None, m.ones(3), m.ones(3)),
        ShapeError,
        ("running_mean", "(2,)", "(3,)"),
    ),
    Refusal("batch_norm/integers", lambda m: batch(m, m.ones(3, 2).long(), training=True), DTypeError, ("batch_norm", "int64")),
    Refusal(
        "batch_norm/dtypes",
        lambda m: batch(m, m.ones(3, 2), m.ones(2).double(), training=True),
        DTypeError,
        ("weight", "float32", "float64"),
    ),
    Refusal(
        "batch_norm/running that requires grad",
        lambda m: batch(m, m.ones(3, 2), None, None, m.ones(2, requires_grad=True), m.ones(2), training=True),
        RuntimeError,
        ("batch_norm", "leaf"),
    ),
    Refusal("layer_norm/shape", lambda m: m.layer_norm(m.ones(2, 3), (4,)), ShapeError, ("layer_norm", "(4,)", "(2, 3)")),
    Refusal("layer_norm/no sizes", lambda m: m.layer_norm(m.ones(2, 3), ()), ShapeError, ("layer_norm", "()", "(2, 3)")),
    Refusal(
        "layer_norm/bias", lambda m: m.layer_norm(m.ones(2, 3), (3,), None, m.ones(2)), ShapeError, ("bias", "(3,)", "(2,)")
    ),
    Refusal(
        "group_norm/groups", lambda m: m.group_norm(m.ones(2, 3, 4), 2), ShapeError, ("group_norm", "num_groups=2", "(2, 3, 4)")
    ),
    Refusal("group_norm/no groups", lambda m: m.group_norm(m.ones(2, 3, 4), 0), ArgumentError, ("num_groups", "0")),
    Refusal("group_norm/one value", lambda m: m.group_norm(m.ones(1, 2), 2), ShapeError, ("group_norm", "more than one value")),
    Refusal("group_norm/rank", lambda m: m.group_norm(m.ones(2), 2), ShapeError, ("group_norm", "(2,)")),
    Refusal("group_norm/weight", lambda m: m.group_norm(m.ones(2, 4), 2, m.ones(2)), ShapeError, ("weight", "(4,)", "(2,)")),
    Refusal("instance_norm/one value", lambda m: instance(m, m.ones(2, 2, 1)), ShapeError, ("instance_norm", "(2, 2, 1)")),
    Refusal("instance_norm/rank", lambda m: instance(m, m.ones(2, 2)), ShapeError, ("instance_norm", "(N, C, L)")),
    Refusal(
        "instance_norm/no running",
        lambda m: instance(m, m.ones(2, 2, 3), use_input_stats=False),
        ArgumentError,
        ("running_mean",),
    ),
    Refusal("rms_norm/weight", lambda m: m.rms_norm(m.ones(2, 3), (3,), m.ones(2)), ShapeError, ("rms_norm", "weight", "(3,)")),
    Refusal(
        "local_response_norm/rank", lambda m: m.nn.functional.local_response_norm(m.ones(2, 3), 2), ShapeError, ("(2, 3)",)
    ),
    Refusal("normalize/dim", lambda m: m.nn.functional.normalize(m.ones(2, 3), dim=2), IndexingError, ("-2 to 1", "2")),
    Refusal("normalize/list", lambda m: m.nn.functional.normalize([1.0]), DTypeError, ("normalize", "list")),
]
