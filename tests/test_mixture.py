"""The density of pen strokes beside the paper's equations, written out as they stand, in float64 and number by number."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F

Numbers = tuple[np.ndarray, np.ndarray]


def by_the_paper(given: np.ndarray, point: np.ndarray) -> tuple[float, np.ndarray]:
    """Loss and derivative at one point: equations 18 to 37 of arXiv:1308.0850, the sign of the pen's logit turned."""
    count = len(given) // 6
    e = 1 / (1 + math.exp(-given[0]))  # 18
    pi = np.exp(given[1 : 1 + count])
    pi /= pi.sum()  # 19
    mu1, mu2, log1, log2, r = given[1 + count :].reshape(5, count)  # 20
    s1, s2, rho = np.exp(log1), np.exp(log2), np.tanh(r)  # 21, 22
    x1, x2, lifted = point
    z = (x1 - mu1) ** 2 / s1**2 + (x2 - mu2) ** 2 / s2**2 - 2 * rho * (x1 - mu1) * (x2 - mu2) / (s1 * s2)  # 25
    normal = np.exp(-z / (2 * (1 - rho**2))) / (2 * math.pi * s1 * s2 * np.sqrt(1 - rho**2))  # 24
    loss = -math.log((pi * normal).sum()) - math.log(e if lifted else 1 - e)  # 26
    gamma = pi * normal / (pi * normal).sum()  # 28, 29
    c = 1 / (1 - rho**2)  # 32
    slopes = np.array(
        [
            c / s1 * ((x1 - mu1) / s1 - rho * (x2 - mu2) / s2),  # 33
            c / s2 * ((x2 - mu2) / s2 - rho * (x1 - mu1) / s1),  # 34
            c * (x1 - mu1) / s1 * ((x1 - mu1) / s1 - rho * (x2 - mu2) / s2) - 1,  # 35
            c * (x2 - mu2) / s2 * ((x2 - mu2) / s2 - rho * (x1 - mu1) / s1) - 1,  # 36
            (x1 - mu1) * (x2 - mu2) / (s1 * s2) + rho * (1 - c * z),  # 37
        ]
    )
    return loss, np.concatenate(([e - lifted], pi - gamma, (-gamma * slopes).ravel()))  # 27, 30, 31


def drawn(rows: int, mixtures: int, dtype: type = np.float64) -> Numbers:
    rng = np.random.default_rng(3)
    given, points = rng.standard_normal((rows, 1 + 6 * mixtures)), rng.standard_normal((rows, 3))
    points[:, 2] = rng.random(rows) < 0.5
    return given.astype(dtype), points.astype(dtype)


def test_value_and_derivative_are_the_papers() -> None:
    given, points = drawn(6, 4)
    x = minigrad.tensor(given, requires_grad=True)
    losses = F.bivariate_mixture_nll(x, minigrad.tensor(points), reduction="none")
    losses.sum().backward()
    wanted = [by_the_paper(*row) for row in zip(given, points, strict=True)]
    np.testing.assert_allclose(losses.detach().numpy(), [loss for loss, _ in wanted], rtol=1e-13)
    np.testing.assert_allclose(x.grad.numpy(), [slope for _, slope in wanted], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_lower_precision_is_near(dtype: type) -> None:
    given, points = drawn(6, 4, dtype)
    found = F.bivariate_mixture_nll(minigrad.tensor(given), minigrad.tensor(points), reduction="none")
    wanted = [by_the_paper(*row)[0] for row in zip(given.astype(float), points.astype(float), strict=True)]
    assert found.dtype == minigrad.tensor(given).dtype
    np.testing.assert_allclose(found.numpy(), wanted, rtol=4 * np.finfo(dtype).eps * 8)


def test_a_density_sums_to_one() -> None:
    given = drawn(1, 3)[0] * 0.5
    side = np.linspace(-12, 12, 241)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    total = 0.0
    for lifted in (0.0, 1.0):
        points = np.concatenate((grid, np.full((len(grid), 1), lifted)), 1)
        rows = minigrad.tensor(given).expand(len(grid), -1)
        total += float((-F.bivariate_mixture_nll(rows, minigrad.tensor(points), reduction="none")).exp().sum()) * 0.1**2
    assert total == pytest.approx(1, abs=1e-6)


def test_a_scale_of_the_data_costs_its_logarithm() -> None:
    given, points = drawn(5, 2)
    scaled, wide = points.copy(), given.copy()
    scaled[:, :2] *= 3
    wide[:, 3:7] *= 3  # the means
    wide[:, 7:11] += math.log(3)  # the deviations
    one, other = (
        F.bivariate_mixture_nll(minigrad.tensor(g), minigrad.tensor(p)).item() for g, p in ((given, points), (wide, scaled))
    )
    assert other == pytest.approx(one + 2 * math.log(3), rel=1e-12)


def test_a_correlation_that_is_nearly_one_keeps_its_digits() -> None:
    """Points along the line that both offsets share; 1 - tanh(9)² has one digit left in float32."""
    given = np.zeros((1, 7))
    given[0, 6] = 9.0
    points = np.array([[0.5, 0.50001, 0.0]])
    x = minigrad.tensor(given.astype(np.float32), requires_grad=True)
    loss = F.bivariate_mixture_nll(x, minigrad.tensor(points.astype(np.float32)))
    loss.backward()
    value, slope = by_the_paper(given[0], points[0])
    assert loss.item() == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(x.grad.numpy()[0], slope, rtol=0.02, atol=1e-6)  # 0.50001 has this much


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("far", [1e4, -1e4, 1e30, -1e30])
def test_nothing_far_out_gives_nan(dtype: type, place: int, far: float) -> None:
    given = np.zeros((1, 13), dtype)
    given[0, 0 if place == 0 else 2 * place - 1] = far if place in (1, 4, 5, 6) or abs(far) < 1e5 else far / 1e25
    x = minigrad.tensor(given, requires_grad=True)
    loss = F.bivariate_mixture_nll(x, minigrad.tensor(np.array([[1.0, -2.0, 1.0]], dtype)))
    loss.backward()
    assert np.isfinite(loss.item()) and np.isfinite(x.grad.numpy()).all()


def test_what_is_held_passes_nothing_back() -> None:
    given = np.zeros((1, 7), np.float64)
    given[0, 4:] = -16.0, 16.0, 11.0
    x = minigrad.tensor(given, requires_grad=True)
    F.bivariate_mixture_nll(x, minigrad.tensor([[0.1, 0.2, 0.0]], dtype=minigrad.float64)).backward()
    assert x.grad.numpy()[0, 4:].tolist() == [0, 0, 0]
    assert (x.grad.numpy()[0, :1] != 0).all()


def test_a_floor_bounds_the_density_of_points_on_the_mean() -> None:
    given = minigrad.tensor([[0.0, 0.0, 0.0, 0.0, -9.0, -9.0, 0.0]])
    losses = [F.bivariate_mixture_nll(given, minigrad.zeros(1, 3), floor=floor).item() for floor in (-15, -2.0)]
    assert losses[1] - losses[0] == pytest.approx(14, rel=1e-6)  # two deviations, each e^7 times as wide
