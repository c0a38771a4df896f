"""Layers that silence a part of their input while training (Srivastava et al. 2014)."""

from __future__ import annotations

from minigrad.core.tensor import Tensor
from minigrad.nn import functional as F
from minigrad.nn.checks import check_probability
from minigrad.nn.module import Module


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(type(self).__name__, p)
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training, each element is zero with probability ``p`` and else divided by ``1 - p``.

    Args:
        p: the probability.
        inplace: write into the input.

    Raises:
        ArgumentError: ``p`` is no probability.

    Example:
        >>> import minigrad
        >>> Dropout(0.5).eval()(minigrad.ones(3))
        tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """As ``Dropout``, but whole channels of (N, C, L) at once (Tompson et al. 2015)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """As ``Dropout``, but whole channels of (N, C, H, W) at once (Tompson et al. 2015)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean and variance, to go with ``SELU`` (Klambauer et al. 2017)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_Dropout):
    """As ``AlphaDropout``, but whole channels at once."""

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)


__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "FeatureAlphaDropout"]
