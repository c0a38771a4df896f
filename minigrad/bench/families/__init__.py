"""The ops of each kernel family that ``minigrad bench`` times, a file a family. :mod:`minigrad.bench.op` is the protocol.

A family without a file here is a family that is not timed alone.
"""

from __future__ import annotations

import importlib
import importlib.util

from minigrad.bench.op import Op
from minigrad.kernels import families


def timed() -> list[str]:
    """The kernel families that have ops to be timed.

    Example:
        >>> "conv2d" in timed()
        True
    """
    return [family for family in families() if importlib.util.find_spec(f"{__package__}.{family}") is not None]


def ops(family: str) -> list[Op]:
    """All ops of a family.

    Example:
        >>> ops("conv2d")[0].name
        'conv2d.forward'
    """
    return list(importlib.import_module(f"{__package__}.{family}").ops())
