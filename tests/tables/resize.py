"""Padding, interpolation, sliding windows, pixel shuffle. All linear: the second derivative is 0, and tested."""

import warnings

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import Case, Refusal, integers, normal


def pad(*args, **options):
    return lambda m, x: m.nn.functional.pad(x, *args, **options)


def interpolate(**options):
    return lambda m, x: m.nn.functional.interpolate(x, **options)


def quietly(name, *args, **options):
    """PyTorch warns that the name is old."""

    def call(m, x):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(m.nn.functional, name)(x, *args, **options)

    return call


def f(name, *args, **options):
    return lambda m, x: getattr(m.nn.functional, name)(x, *args, **options)


SIZES = {"up": {"size": (5, 4)}, "down": {"size": (2, 3)}, "to one": {"size": 1}, "by": {"scale_factor": (1.7, 0.6)}}

CASES = [
    Case("pad/last", pad((1, 2)), normal(2, 3)),
    Case("pad/value", pad((1, 2, 0, 1), value=-1.5), normal(2, 3)),
    Case("pad/all", pad((1, 0, 0, 1, 2, 1)), normal(2, 1, 2)),
    Case("pad/cut", pad((-1, 1, 2, -1), value=3.0), normal(3, 4)),
    Case("pad/cut all", pad((-2, -1)), normal(2, 3)),
    Case("pad/cut only", pad((-1, -1)), normal(2, 4)),
    Case("pad/none", pad(()), normal(2, 3)),
    Case("pad/zeros", pad((0, 0)), normal(2, 3)),
    Case("pad/integers", pad((1, 1), value=7), integers(3)),
    Case("pad/truth values", lambda m, x: m.nn.functional.pad(x > 4, (1, 1), value=True), integers(3)),
    Case("pad/nothing", pad((1, 1)), normal(0)),
    Case("pad/reflect", pad((2, 1), mode="reflect"), normal(1, 2, 4)),
    Case("pad/reflect, images", pad((1, 2, 3, 0), "reflect"), normal(1, 1, 4, 3)),
    Case("pad/reflect, one image", pad((1, 1, 1, 1), "reflect"), normal(2, 3, 3)),
    Case("pad/replicate", pad((3, 5), mode="replicate"), normal(2, 3)),
    Case("pad/replicate, images", pad((1, 2, 3, 0), "replicate"), normal(2, 1, 2, 3)),
    Case("pad/circular", pad((3, 1), mode="circular"), normal(1, 2, 3)),
    Case("pad/circular, images", pad((1, 2, 3, 0), "circular"), normal(1, 1, 3, 2)),
    *(Case(f"interpolate/nearest, {name}", interpolate(**how), normal(1, 2, 3, 4)) for name, how in SIZES.items()),
    *(
        Case(f"interpolate/nearest-exact, {name}", interpolate(mode="nearest-exact", **how), normal(1, 2, 3, 4))
        for name, how in SIZES.items()
    ),
    *(Case(f"interpolate/area, {name}", interpolate(mode="area", **how), normal(1, 2, 3, 4)) for name, how in SIZES.items()),
    *(
        Case(f"interpolate/{mode}, {name}, {align}", interpolate(mode=mode, align_corners=align, **how), normal(1, 1, 4, 5))
        for mode in ("bilinear", "bicubic")
        for name, how in SIZES.items()
        for align in (None, True)
    ),
    Case("interpolate/twice", interpolate(scale_factor=2), normal(1, 2, 2, 3)),
    Case(
        "interpolate/recomputed",
        interpolate(scale_factor=1.7, mode="bilinear", recompute_scale_factor=True),
        normal(1, 1, 4, 5),
    ),
    Case("interpolate/same size", interpolate(size=(3, 3), mode="bilinear"), normal(1, 1, 3, 3)),
    Case("interpolate/same size, other scale", interpolate(scale_factor=1.3, mode="bilinear"), normal(1, 1, 3, 3)),
    Case("interpolate/double size, other scale", interpolate(scale_factor=2.3), normal(1, 1, 3, 3)),
    *(
        Case(f"interpolate/same size, other scale, {mode}", interpolate(scale_factor=1.3, mode=mode), normal(1, 1, 3, 3))
        for mode in ("nearest", "nearest-exact", "area")
    ),
    # Here PyTorch's derivative is that of the identity, which its value is not.
    Case(
        "interpolate/same size, other scale, bicubic",
        interpolate(scale_factor=1.3, mode="bicubic"),
        normal(1, 1, 3, 3),
        peer=False,
    ),
    Case(
        "interpolate/value at same size, other scale, bicubic",
        lambda m, x: m.nn.functional.interpolate(x.detach(), scale_factor=1.3, mode="bicubic"),
        normal(1, 1, 3, 3),
        order=0,
    ),
    Case("interpolate/sequences", interpolate(size=7), normal(2, 2, 3)),
    Case("interpolate/sequences, linear", interpolate(scale_factor=2.5, mode="linear"), normal(2, 2, 3)),
    Case("interpolate/sequences, aligned", interpolate(size=(7,), mode="linear", align_corners=True), normal(2, 2, 3)),
    Case("interpolate/sequences, exact", interpolate(size=7, mode="nearest-exact"), normal(2, 2, 3)),
    Case("interpolate/sequences, area", interpolate(size=2, mode="area"), normal(2, 2, 5)),
    Case("interpolate/no images", interpolate(size=2), normal(0, 2, 3, 3)),
    Case("upsample/nearest", quietly("upsample", scale_factor=2), normal(1, 1, 2, 2)),
    Case("upsample_nearest/size", quietly("upsample_nearest", (3, 4)), normal(1, 1, 2, 2)),
    Case("upsample_bilinear/scale", quietly("upsample_bilinear", scale_factor=2), normal(1, 1, 2, 2)),
    Case("pixel_shuffle/2", lambda m, x: m.pixel_shuffle(x, 2), normal(2, 4, 2, 2)),
    Case("pixel_shuffle/3", f("pixel_shuffle", 3), normal(1, 18, 1, 2)),
    Case("pixel_shuffle/no batch", lambda m, x: m.pixel_shuffle(x, 2), normal(4, 2, 3)),
    Case("pixel_shuffle/two batches", lambda m, x: m.pixel_shuffle(x, 2), normal(2, 1, 4, 1, 2)),
    Case("pixel_unshuffle/2", lambda m, x: m.pixel_unshuffle(x, 2), normal(2, 1, 4, 2)),
    Case("pixel_unshuffle/no batch", f("pixel_unshuffle", 3), normal(1, 3, 6)),
    Case("channel_shuffle/2", lambda m, x: m.channel_shuffle(x, 2), normal(1, 6, 2, 2)),
    Case("channel_shuffle/sequences", lambda m, x: m.channel_shuffle(x, 3), normal(2, 6, 2)),
    Case("unfold/plain", f("unfold", 2), normal(2, 2, 3, 3)),
    Case("unfold/one image", f("unfold", (1, 2)), normal(2, 3, 3)),
    Case("unfold/all at once", f("unfold", (2, 3), 2, (1, 2), (1, 2)), normal(1, 2, 4, 4)),
    Case("fold/plain", f("fold", (3, 3), 2), normal(1, 8, 4)),
    Case("fold/one image", f("fold", (2, 3), (1, 2)), normal(4, 4)),
    Case("fold/all at once", f("fold", (4, 4), (2, 3), 2, (1, 2), (1, 2)), normal(1, 6, 8)),
    Case("pad/reflect, volumes", pad((1, 0, 0, 1, 1, 1), "reflect"), normal(1, 2, 2, 2)),
    Case("pad/replicate, volumes", pad((1, 0, 0, 2, 1, 0), "replicate"), normal(1, 1, 2, 1, 2)),
    Case("pad/circular, volumes", pad((1, 0, 0, 1, 1, 1), "circular"), normal(1, 1, 2, 2, 2)),
    *(
        Case(f"interpolate/antialias {mode} {name}", interpolate(mode=mode, antialias=True, **arguments), normal(1, 1, 5, 4))
        for mode in ("bilinear", "bicubic")
        for name, arguments in {
            "smaller": {"size": (2, 3)},
            "larger": {"size": (7, 4)},
            "corners": {"size": (2, 3), "align_corners": True},
            "factor": {"scale_factor": (0.5, 0.7)},
        }.items()
    ),
    *(Case(f"pad/{mode}, integers", pad((1, 2), mode), integers(2, 4)) for mode in ("reflect", "replicate", "circular")),
    Case("pad/circular, cut and filled", pad((-1, 2), "circular"), normal(1, 4)),
    Case("pad/circular, filled and cut", pad((2, -1), "circular"), normal(1, 4)),
]

ERRORS = [
    Refusal("pad/odd", lambda m: pad((1,))(m, m.ones(2)), ArgumentError, ("pad", "even", "(1,)")),
    Refusal("pad/too many", lambda m: pad((1, 1, 1, 1))(m, m.ones(2)), ArgumentError, ("at most 2", "1 dimensions")),
    Refusal("pad/fractions", lambda m: pad((1.5, 1))(m, m.ones(2)), ArgumentError, ("whole numbers", "1.5")),
    Refusal("pad/mode", lambda m: pad((1, 1), "mirror")(m, m.ones(2)), ArgumentError, ("mode", "'reflect'", "'mirror'")),
    Refusal("pad/value", lambda m: pad((1, 1), "reflect", 2)(m, m.ones(1, 3)), ArgumentError, ("value", "'reflect'", "2")),
    Refusal("pad/reflect too far", lambda m: pad((3, 0), "reflect")(m, m.ones(1, 3)), ShapeError, ("at most 2", "(3, 0)")),
    Refusal("pad/circular too far", lambda m: pad((4, 0), "circular")(m, m.ones(1, 3)), ShapeError, ("at most 3", "(4, 0)")),
    Refusal("pad/replicate nothing", lambda m: pad((1, 0), "replicate")(m, m.ones(1, 0)), ShapeError, ("at most 0", "(1, 0)")),
    Refusal("pad/cut too much", lambda m: pad((-2, -2))(m, m.ones(3)), ShapeError, ("at most 3", "(-2, -2)")),
    Refusal("pad/rank", lambda m: pad((1, 1), "reflect")(m, m.ones(2)), ArgumentError, ("(C, L)", "(2,)")),
    Refusal(
        "interpolate/neither", lambda m: interpolate()(m, m.ones(1, 1, 2)), ArgumentError, ("size, scale_factor", "neither")
    ),
    Refusal("interpolate/both", lambda m: interpolate(size=2, scale_factor=2)(m, m.ones(1, 1, 2)), ArgumentError, ("both",)),
    Refusal(
        "interpolate/mode",
        lambda m: interpolate(size=2, mode="bilinear")(m, m.ones(1, 1, 2)),
        ArgumentError,
        ("mode", "linear"),
    ),
    Refusal(
        "interpolate/align", lambda m: interpolate(size=2, align_corners=True)(m, m.ones(1, 1, 2)), ArgumentError, ("nearest",)
    ),
    Refusal(
        "interpolate/rank", lambda m: interpolate(size=2)(m, m.ones(1, 2)), ShapeError, ("interpolate", "(N, C, L)", "(1, 2)")
    ),
    Refusal(
        "interpolate/sizes", lambda m: interpolate(size=(2, 2, 2))(m, m.ones(1, 1, 2)), ArgumentError, ("size", "(2, 2, 2)")
    ),
    Refusal(
        "interpolate/size of 0", lambda m: interpolate(scale_factor=0.1)(m, m.ones(1, 1, 2)), ShapeError, ("at least 1", "(0,)")
    ),
    Refusal("interpolate/fraction", lambda m: interpolate(size=1.5)(m, m.ones(1, 1, 2)), ArgumentError, ("size", "1.5")),
    Refusal(
        "interpolate/antialias",
        lambda m: interpolate(size=1, antialias=True)(m, m.ones(1, 1, 2)),
        ArgumentError,
        ("antialias",),
    ),
    Refusal("interpolate/integers", lambda m: interpolate(size=1)(m, m.ones(1, 1, 2).long()), DTypeError, ("int64",)),
    Refusal(
        "interpolate/recompute",
        lambda m: interpolate(size=1, recompute_scale_factor=True)(m, m.ones(1, 1, 2)),
        ArgumentError,
        ("recompute_scale_factor",),
    ),
    Refusal("pixel_shuffle/channels", lambda m: m.pixel_shuffle(m.ones(3, 2, 2), 2), ShapeError, ("4 divides", "(3, 2, 2)")),
    Refusal("pixel_shuffle/factor", lambda m: m.pixel_shuffle(m.ones(3, 2, 2), 0), ArgumentError, ("upscale_factor", "0")),
    Refusal("pixel_shuffle/rank", lambda m: m.pixel_shuffle(m.ones(4, 2), 2), ShapeError, ("(..., C, H, W)", "(4, 2)")),
    Refusal("pixel_unshuffle/size", lambda m: m.pixel_unshuffle(m.ones(1, 3, 2), 2), ShapeError, ("2 divides", "(1, 3, 2)")),
    Refusal("channel_shuffle/groups", lambda m: m.channel_shuffle(m.ones(1, 3, 2), 2), ShapeError, ("groups=2", "(1, 3, 2)")),
    Refusal("unfold/rank", lambda m: f("unfold", 2)(m, m.ones(3, 3)), ShapeError, ("unfold", "(N, C, H, W)", "(3, 3)")),
    Refusal("unfold/too large", lambda m: f("unfold", 4)(m, m.ones(1, 3, 3)), ShapeError, ("unfold", "(4, 4)", "(3, 3)")),
    Refusal("unfold/kernel_size", lambda m: f("unfold", 0)(m, m.ones(1, 3, 3)), ArgumentError, ("kernel_size", "0")),
    Refusal(
        "fold/rows", lambda m: f("fold", (3, 3), 2)(m, m.ones(1, 6, 4)), ShapeError, ("multiple of 4", "4 columns", "(1, 6, 4)")
    ),
    Refusal("fold/columns", lambda m: f("fold", (3, 3), 2)(m, m.ones(1, 8, 5)), ShapeError, ("4 columns", "(1, 8, 5)")),
    Refusal("fold/rank", lambda m: f("fold", (3, 3), 2)(m, m.ones(8)), ShapeError, ("fold", "(8,)")),
    Refusal(
        "pad/value of uint8", lambda m: pad((1, 1), "constant", -2)(m, m.ones(3).to(m.uint8)), ArgumentError, ("uint8", "-2")
    ),
    Refusal("pad/infinite integer", lambda m: pad((1, 1), "constant", 1e30)(m, m.ones(3).long()), ArgumentError, ("1e+30",)),
]
