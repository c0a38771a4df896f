"""``models/frechet.py``: hand numbers, the matrix root of scipy beside, and what must hold of any distance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from minigrad.errors import ShapeError
from minigrad.models.frechet import Law, distance


def law(seed: int, count: int = 50, size: int = 6) -> Law:
    rng = np.random.default_rng(seed)
    return Law.of(rng.standard_normal((count, size)) @ rng.standard_normal((size, size)) + rng.standard_normal(size))


def test_laws_whose_distance_is_known() -> None:
    """Of independent features it is the sum over them of (m - m')² + (s - s')²."""
    rng = np.random.default_rng(0)
    m, n, s, t = rng.standard_normal((4, 5))
    one, other = Law(m, np.diag(s**2)), Law(n, np.diag(t**2))
    assert distance(one, other) == pytest.approx(((m - n) ** 2 + (np.abs(s) - np.abs(t)) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_root_of_the_product_is_scipys(seed: int) -> None:
    one, other = law(seed), law(seed + 10)
    root = sqrtm(one.covariance @ other.covariance).real
    expected = ((one.mean - other.mean) ** 2).sum() + np.trace(one.covariance + other.covariance - 2 * root)
    assert distance(one, other) == pytest.approx(expected, rel=1e-9)
    assert distance(one, other) == pytest.approx(distance(other, one), rel=1e-9)
    assert distance(one, one) == pytest.approx(0, abs=1e-9)


def test_fewer_images_than_features_and_features_that_never_change() -> None:
    few = law(0, count=3)
    assert np.linalg.matrix_rank(few.covariance) == 2
    assert 0 < distance(few, law(1)) < np.inf and distance(few, few) == pytest.approx(0, abs=1e-6)
    still = Law.of(np.ones((4, 3)))
    assert distance(still, Law.of(np.zeros((4, 3)))) == 3.0


def test_what_is_refused() -> None:
    for wrong in (np.zeros((1, 3)), np.zeros(4)):
        with pytest.raises(ShapeError, match=r"features: expected \(N, D\), N at least 2"):
            Law.of(wrong)
    with pytest.raises(ShapeError, match="expected features of size 6, got features of size 2"):
        distance(law(0), law(0, size=2))
