"""Layers that compare two sets of vectors."""

from __future__ import annotations

from minigrad.core.tensor import Tensor
from minigrad.nn import functional as F
from minigrad.nn.module import Module


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along ``dim``: x1 . x2 / (|x1| |x2|), each norm at least ``eps``.

    Example:
        >>> import minigrad
        >>> round(CosineSimilarity(dim=0)(minigrad.tensor([1.0, 0.0]), minigrad.tensor([3.0, 4.0])).item(), 4)
        0.6
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps along the last dimension.

    Example:
        >>> import minigrad
        >>> round(PairwiseDistance()(minigrad.tensor([1.0, 0.0]), minigrad.tensor([4.0, 4.0])).item(), 4)
        5.0
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


__all__ = ["CosineSimilarity", "PairwiseDistance"]
