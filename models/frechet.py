"""How far two sets of images are apart in the features of a network: the Fréchet distance of the normal laws that fit them.

Heusel et al. 2017, arXiv:1706.08500, equation 6; after Dowson and Landau 1982. With the features of another network than the
paper's it is another scale: only distances in the same features compare.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigrad.errors import ShapeError


class Law(NamedTuple):
    """A normal law.

    Attributes:
        mean: float64 (D,).
        covariance: float64 (D, D).
    """

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Law:
        """The law that fits features (N, D), N at least 2.

        Raises:
            ShapeError: fewer, or another shape.

        Example:
            >>> Law.of(np.array([[0.0], [2.0]]))
            Law(mean=array([1.]), covariance=array([[2.]]))
        """
        rows = np.asarray(features, np.float64)
        if rows.ndim != 2 or len(rows) < 2:
            raise ShapeError("Law.of", "features", "(N, D), N at least 2", f"shape {rows.shape}")
        return cls(rows.mean(0), np.atleast_2d(np.cov(rows, rowvar=False)))


def distance(one: Law, other: Law) -> float:
    """|m - m'|² + tr(C + C' - 2 (C C')^½), at least 0, and 0 where both are the same.

    C C' has the eigenvalues of the symmetric C^½ C' C^½, of which none is below 0: the trace of its root is the sum of their
    roots, also where a covariance has none of full rank, as that of fewer images than features.

    Raises:
        ShapeError: laws of different D.

    Example:
        >>> distance(Law(np.zeros(1), np.eye(1)), Law(np.ones(1), 9 * np.eye(1)))  # 1² + (3 - 1)²
        5.0
    """
    if one.mean.shape != other.mean.shape:
        raise ShapeError("distance", "other", f"features of size {len(one.mean)}", f"features of size {len(other.mean)}")
    values, vectors = np.linalg.eigh(one.covariance)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    both = np.linalg.eigvalsh(root @ other.covariance @ root)
    shift = one.mean - other.mean
    trace = np.trace(one.covariance) + np.trace(other.covariance) - 2 * np.sqrt(np.clip(both, 0, None)).sum()
    return float(shift @ shift + max(trace, 0.0))


__all__ = ["Law", "distance"]
