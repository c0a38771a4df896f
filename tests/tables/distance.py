"""Losses of probabilities and of distances."""

import warnings

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import Case, Input, Refusal, constant, distinct, normal, positive


def f(name, *args, **options):
    return lambda m, *inputs: getattr(m.nn.functional, name)(*inputs, *args, **options)


def quietly(name, **options):
    """PyTorch warns of its own default."""

    def call(m, *inputs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(m.nn.functional, name)(*inputs, **options)

    return call


def probabilities(*shape):
    return Input(lambda rng: rng.uniform(0.1, 0.9, shape))


def signs(*shape):
    return Input(lambda rng: rng.integers(0, 2, shape) * 2 - 1)


def float_signs(name, *args, **options):
    """With the signs as floats outside the graph, as PyTorch's derivative to them is not that of the formula."""
    return lambda m, *inputs: getattr(m.nn.functional, name)(*inputs[:-1], inputs[-1].to(inputs[0].dtype), *args, **options)


def yes(name, *args, **options):
    """With a constant of 0 and 1 as target."""

    def call(m, x):
        target = (m.arange(x.numel()) % 3 == 0).to(x.dtype).reshape(x.shape)
        return getattr(m.nn.functional, name)(x, target, *args, **options)

    return call


def with_pos_weight(m, x, t):
    pos_weight = m.tensor([0.5, 2.0, 3.0], dtype=x.dtype)
    weight = m.tensor([[1.0], [2.0]], dtype=x.dtype)
    return m.nn.functional.binary_cross_entropy_with_logits(x, t, weight, pos_weight=pos_weight, reduction="none")


def log_target(m, x, t, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return m.nn.functional.kl_div(x, m.log_softmax(t, -1), log_target=True, **options)


NUMBERS = ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")
REDUCTIONS = ("none", "mean", "sum")

CASES = [
    *(
        Case(f"{name}/{reduction}", f(name, reduction=reduction), distinct(3, 4), normal(3, 4))
        for name in NUMBERS
        for reduction in REDUCTIONS
    ),
    *(Case(f"{name}/nothing", f(name), normal(0), normal(0), order=0) for name in NUMBERS),
    *(Case(f"{name}/no dimensions", f(name), constant(1.5), constant(-0.25)) for name in NUMBERS),
    *(Case(f"{name}/equal", f(name), constant([1.0, 2.0]), constant([1.0, 3.5]), order=0) for name in NUMBERS),
    *(
        Case(
            f"{name}/weight, {reduction}",
            lambda m, x, y, w, n=name, r=reduction: f(n, reduction=r, weight=w)(m, x, y),
            normal(3),
            normal(3),
            positive(3),
        )
        for name in NUMBERS[:3]
        for reduction in REDUCTIONS
    ),
    Case("huber_loss/delta", f("huber_loss", delta=0.3), normal(10), normal(10)),
    Case("huber_loss/at delta", f("huber_loss", delta=0.5), constant([0.5, -0.5]), constant([0.0, 0.0]), order=0),
    Case("smooth_l1_loss/beta", f("smooth_l1_loss", beta=0.3), normal(10), normal(10)),
    Case("smooth_l1_loss/beta 0", f("smooth_l1_loss", beta=0.0), normal(10), normal(10)),
    *(
        Case(f"binary_cross_entropy/{r}", f("binary_cross_entropy", reduction=r), probabilities(2, 3), probabilities(2, 3))
        for r in REDUCTIONS
    ),
    Case(
        "binary_cross_entropy/weight",
        lambda m, x, t, w: m.nn.functional.binary_cross_entropy(x, t, w.detach()),
        probabilities(2, 3),
        probabilities(2, 3),
        constant([1.0, 2.0, 0.5]),
        order=0,
    ),
    # PyTorch rounds the smallest p (1 - p), 1e-12, to float32.
    Case(
        "binary_cross_entropy/sure",
        yes("binary_cross_entropy", reduction="none"),
        constant([0.0, 0.0, 1.0, 1.0]),
        order=0,
        tolerance=1e-7,
    ),
    Case("binary_cross_entropy/nothing", f("binary_cross_entropy"), normal(0), normal(0), order=0),
    *(
        Case(
            f"binary_cross_entropy_with_logits/{r}",
            f("binary_cross_entropy_with_logits", reduction=r),
            normal(2, 3),
            probabilities(2, 3),
        )
        for r in REDUCTIONS
    ),
    Case("binary_cross_entropy_with_logits/weights", with_pos_weight, normal(2, 3), probabilities(2, 3)),
    Case(
        "binary_cross_entropy_with_logits/far",
        yes("binary_cross_entropy_with_logits", reduction="none"),
        constant([-1e4, -1e4, 1e4, 1e4, 0.0]),
        order=0,
    ),
    *(
        Case(f"kl_div/{r}", quietly("kl_div", reduction=r), normal(2, 3), probabilities(2, 3))
        for r in (*REDUCTIONS, "batchmean")
    ),
    *(
        Case(f"kl_div/log_target, {r}", lambda m, x, t, r=r: log_target(m, x, t, reduction=r), normal(2, 3), normal(2, 3))
        for r in (*REDUCTIONS, "batchmean")
    ),
    Case(
        "kl_div/target of 0",
        lambda m, x: quietly("kl_div", reduction="sum")(m, x, m.tensor([0.0, 1.0], dtype=x.dtype)),
        normal(2),
    ),
    *(Case(f"poisson_nll_loss/{r}", f("poisson_nll_loss", reduction=r), normal(2, 3), positive(2, 3)) for r in REDUCTIONS),
    Case("poisson_nll_loss/rates", f("poisson_nll_loss", log_input=False, eps=1e-3), positive(2, 3), positive(2, 3)),
    Case(
        "poisson_nll_loss/full",
        lambda m, x: m.nn.functional.poisson_nll_loss(
            x, m.tensor([0.0, 1.0, 2.0, 7.0], dtype=x.dtype), full=True, reduction="none"
        ),
        normal(4),
    ),
    *(
        Case(f"gaussian_nll_loss/{r}", f("gaussian_nll_loss", reduction=r), normal(2, 3), normal(2, 3), positive(2, 3))
        for r in REDUCTIONS
    ),
    Case("gaussian_nll_loss/one variance a row", f("gaussian_nll_loss", full=True), normal(2, 3), normal(2, 3), positive(2)),
    Case("gaussian_nll_loss/kept dimension", f("gaussian_nll_loss"), normal(2, 3), normal(2, 3), positive(2, 1)),
    Case(
        "gaussian_nll_loss/a number", lambda m, x, y: m.nn.functional.gaussian_nll_loss(x, y, 0.5), normal(2, 3), normal(2, 3)
    ),
    Case("gaussian_nll_loss/held", f("gaussian_nll_loss", eps=0.7), normal(2), normal(2), constant([0.5, 1.0]), order=0),
    *(
        Case(f"margin_ranking_loss/{r}", f("margin_ranking_loss", margin=0.3, reduction=r), normal(6), normal(6), signs(6))
        for r in REDUCTIONS
    ),
    Case("margin_ranking_loss/float signs", float_signs("margin_ranking_loss"), normal(2, 3), normal(2, 3), signs(2, 3)),
    *(Case(f"hinge_embedding_loss/{r}", f("hinge_embedding_loss", reduction=r), positive(6), signs(6)) for r in REDUCTIONS),
    Case("hinge_embedding_loss/margin", float_signs("hinge_embedding_loss", margin=1.7), positive(2, 3), signs(2, 3)),
    *(
        Case(f"soft_margin_loss/{r}", float_signs("soft_margin_loss", reduction=r), normal(2, 3), signs(2, 3))
        for r in REDUCTIONS
    ),
    Case("pairwise_distance/2", lambda m, x, y: m.pairwise_distance(x, y), normal(3, 4), normal(3, 4)),
    Case(
        "pairwise_distance/1",
        lambda m, x, y: m.pairwise_distance(x, y, p=1.0, eps=0.1, keepdim=True),
        normal(3, 4),
        normal(3, 4),
    ),
    Case("pairwise_distance/3", lambda m, x, y: m.nn.functional.pairwise_distance(x, y, p=3), normal(2, 3), normal(3)),
    Case("pairwise_distance/one", lambda m, x, y: m.pairwise_distance(x, y), normal(4), normal(4)),
    Case("cosine_similarity/plain", lambda m, x, y: m.cosine_similarity(x, y), normal(3, 4), normal(3, 4)),
    Case("cosine_similarity/dim", lambda m, x, y: m.cosine_similarity(x, y, dim=0, eps=0.1), normal(3, 4), normal(3, 4)),
    Case(
        "cosine_similarity/broadcast",
        lambda m, x, y: m.nn.functional.cosine_similarity(x, y, dim=-1),
        normal(2, 1, 3),
        normal(4, 3),
    ),
    # PyTorch holds short lengths up without telling its derivative; ours is that of the value.
    Case(
        "cosine_similarity/short", lambda m, x, y: m.cosine_similarity(x, y, eps=100.0), normal(3, 4), normal(3, 4), peer=False
    ),
    Case(
        "cosine_similarity/value of short",
        lambda m, x, y: m.cosine_similarity(x.detach(), y.detach(), eps=100.0),
        normal(3, 4),
        normal(3, 4),
        order=0,
    ),
    *(
        Case(f"cosine_embedding_loss/{r}", f("cosine_embedding_loss", reduction=r), normal(4, 3), normal(4, 3), signs(4))
        for r in REDUCTIONS
    ),
    Case("cosine_embedding_loss/margin", f("cosine_embedding_loss", margin=-0.5), normal(4, 3), normal(4, 3), signs(4)),
    Case("cosine_embedding_loss/one", f("cosine_embedding_loss"), normal(3), normal(3), constant(1)),
    *(
        Case(f"triplet_margin_loss/{r}", f("triplet_margin_loss", reduction=r), normal(4, 3), normal(4, 3), normal(4, 3))
        for r in REDUCTIONS
    ),
    Case("triplet_margin_loss/swap", f("triplet_margin_loss", swap=True, margin=3.0), normal(4, 3), normal(4, 3), normal(4, 3)),
    Case("triplet_margin_loss/p", f("triplet_margin_loss", p=1, eps=0.01), normal(4, 3), normal(4, 3), normal(4, 3)),
    Case("triplet_margin_loss/one", f("triplet_margin_loss"), normal(3), normal(3), normal(3)),
    Case(
        "triplet_margin_with_distance_loss/own",
        f("triplet_margin_with_distance_loss", distance_function=lambda a, b: (a - b).abs().sum(-1), swap=True),
        normal(4, 3),
        normal(4, 3),
        normal(4, 3),
    ),
    Case(
        "triplet_margin_with_distance_loss/default",
        f("triplet_margin_with_distance_loss", reduction="none"),
        normal(4, 3),
        normal(4, 3),
        normal(4, 3),
    ),
    Case(
        "cosine_similarity/one component for all",
        lambda m, x, y: m.cosine_similarity(x, y.detach(), dim=-1),
        normal(2, 3),
        normal(2, 1),
    ),
]


def on_ones(name, *shapes, **options):
    return lambda m: getattr(m.nn.functional, name)(*[m.ones(*shape) for shape in shapes], **options)


ERRORS = [
    *(
        Refusal(f"{name}/shapes", on_ones(name, (2, 1), (2,)), ShapeError, (name, "target", "(2, 1)", "(2,)", "squeeze"))
        for name in (
            *NUMBERS,
            "binary_cross_entropy",
            "binary_cross_entropy_with_logits",
            "kl_div",
            "poisson_nll_loss",
            "soft_margin_loss",
            "hinge_embedding_loss",
        )
    ),
    *(
        Refusal(f"{name}/reduction", on_ones(name, (2,), (2,), reduction="avg"), ArgumentError, (name, "reduction", "'avg'"))
        for name in (
            *NUMBERS,
            "binary_cross_entropy",
            "binary_cross_entropy_with_logits",
            "kl_div",
            "poisson_nll_loss",
            "soft_margin_loss",
        )
    ),
    Refusal(
        "mse_loss/list", lambda m: m.nn.functional.mse_loss(m.ones(2), [1.0, 2.0]), DTypeError, ("mse_loss", "target", "list")
    ),
    Refusal(
        "mse_loss/weight",
        lambda m: m.nn.functional.mse_loss(m.ones(2), m.ones(2), weight=m.ones(3)),
        ShapeError,
        ("weight", "(2,)", "(3,)"),
    ),
    Refusal("huber_loss/delta of 0", on_ones("huber_loss", (2,), (2,), delta=0), ArgumentError, ("delta", "above 0", "0")),
    Refusal("smooth_l1_loss/beta below 0", on_ones("smooth_l1_loss", (2,), (2,), beta=-1), ArgumentError, ("beta", "-1")),
    Refusal(
        "binary_cross_entropy/logits",
        lambda m: m.nn.functional.binary_cross_entropy(m.tensor([0.5, 1.5]), m.ones(2)),
        ArgumentError,
        ("0.5 to 1.5", "binary_cross_entropy_with_logits"),
    ),
    Refusal(
        "binary_cross_entropy/nan",
        lambda m: m.nn.functional.binary_cross_entropy(m.tensor([float("nan")]), m.ones(1)),
        ArgumentError,
        ("nan",),
    ),
    Refusal(
        "binary_cross_entropy/integers",
        lambda m: m.nn.functional.binary_cross_entropy(m.tensor([1]), m.tensor([1])),
        DTypeError,
        ("int64",),
    ),
    Refusal(
        "gaussian_nll_loss/variance",
        lambda m: m.nn.functional.gaussian_nll_loss(m.ones(2), m.ones(2), m.tensor([1.0, -1.0])),
        ArgumentError,
        ("var", "-1"),
    ),
    Refusal(
        "gaussian_nll_loss/variance shape",
        on_ones("gaussian_nll_loss", (2, 3), (2, 3), (3,)),
        ShapeError,
        ("var", "(2, 3)", "(3,)"),
    ),
    Refusal(
        "margin_ranking_loss/shapes",
        on_ones("margin_ranking_loss", (2, 1), (2,), (2,)),
        ShapeError,
        ("input2", "(2, 1)", "(2,)"),
    ),
    Refusal(
        "cosine_embedding_loss/target", on_ones("cosine_embedding_loss", (2, 3), (2, 3), (3,)), ShapeError, ("(N, D)", "(3,)")
    ),
    Refusal(
        "cosine_embedding_loss/reduction",
        on_ones("cosine_embedding_loss", (2, 3), (2, 3), (2,), reduction="avg"),
        ArgumentError,
        ("'avg'",),
    ),
    Refusal(
        "triplet_margin_loss/margin",
        on_ones("triplet_margin_loss", (2,), (2,), (2,), margin=0),
        ArgumentError,
        ("margin", "above 0"),
    ),
    Refusal(
        "triplet_margin_loss/ranks", on_ones("triplet_margin_loss", (2,), (1, 2), (2,)), ShapeError, ("dimensions", "1, 2, 1")
    ),
    Refusal(
        "triplet_margin_loss/reduction",
        on_ones("triplet_margin_loss", (2,), (2,), (2,), reduction="avg"),
        ArgumentError,
        ("'avg'",),
    ),
    Refusal(
        "cosine_similarity/list",
        lambda m: m.cosine_similarity([1.0], m.ones(1)),
        DTypeError,
        ("cosine_similarity", "x1", "list"),
    ),
]
