"""All calculus: one file a family of ops, value and derivative side by side.

Each file ends with literal tables: ``__all__``, its functions in ``minigrad``; ``FUNCTIONAL``, those in
``minigrad.nn.functional``; ``METHODS``, those that are methods of Tensor; and ``OPERATORS``. The last two are bound here.

``boxes.py`` has what ``torchvision.ops`` has and PyTorch has not: it is a public module by itself, ``minigrad.ops.boxes``.
"""

from __future__ import annotations

from importlib import import_module

from minigrad.core.hints import check_functions
from minigrad.core.tensor import Tensor

FAMILIES = (
    "activation",
    "adaptive",
    "arithmetic",
    "attention",
    "batchnorm",
    "choice",
    "comparison",
    "conversion",
    "convolution",
    "counting",
    "creation",
    "dense",
    "dimensions",
    "distance",
    "dropout",
    "einsum",
    "elementwise",
    "embedding",
    "extrema",
    "filling",
    "gathering",
    "indexing",
    "inplace",
    "inspection",
    "likelihood",
    "linalg",
    "linear_leading",
    "linear_loss",
    "logic",
    "loss",
    "matrices",
    "mixture",
    "normalization",
    "norms",
    "padding",
    "parts",
    "pooling",
    "power",
    "promotion",
    "rearranging",
    "reduction",
    "resize",
    "rounding",
    "sampling",
    "scan",
    "selecting",
    "shape",
    "smooth",
    "soft_window",
    "softmax",
    "sorting",
    "special",
    "statistics",
    "strided",
    "triangles",
    "trigonometry",
    "windows",
    "writing",
)


def _bind() -> None:
    for family_name in FAMILIES:
        family = import_module(f"minigrad.ops.{family_name}")
        check_functions(family, dict.fromkeys([*family.__all__, *getattr(family, "FUNCTIONAL", ()), *family.METHODS]))
        for name in family.METHODS:
            setattr(Tensor, name, getattr(family, name))
        for name, function in getattr(family, "OPERATORS", {}).items():
            setattr(Tensor, name, function)


_bind()
import_module("minigrad.ops.boxes")  # so that it is there by this name
