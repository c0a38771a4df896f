"""The error of large tiles at its worst: the factors that ``winograd4.py`` states, and inputs that go for them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from minigrad.kernels.conv2d import cpu, im2col, reference, transforms, winograd4

FUNCTIONS = ("forward", "grad_input", "grad_weight")
CHANNELS = 64
SIDE = winograd4.SIDE


def matrices(function: str, taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L, M and P of a function's tile, L [(M a Mᵀ) ⊙ (P b Pᵀ)] Lᵀ: a are pixels of the image, b the kernel's or those of dy."""
    down, g, back = map(np.array, transforms.toom_cook(SIDE, taps, transforms.POINTS[taps]))
    return (g.T, back, down.T) if function == "grad_weight" else (down, back, g)


def grown(left: np.ndarray, of_a: np.ndarray, of_b: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What rounding errors of size 1 in a tile's products are in its outputs, where they all go the same way."""
    return np.abs(left) @ (np.abs(of_a @ a @ of_a.T) * np.abs(of_b @ b @ of_b.T)) @ np.abs(left.T)


def worst_factor(function: str, taps: int) -> float:
    """By how much errors grow in a tile at most, beside the direct sum's products of 1."""
    left, of_a, of_b = map(np.abs, matrices(function, taps))
    a, b = np.ones((of_a.shape[1],) * 2), np.ones((of_b.shape[1],) * 2)
    return float(grown(left, of_a, of_b, a, b).max() / b.size)


def worst_error(function: str, taps: int, lots: int, size: float) -> float:
    """The bound of ``winograd4.py``: of ``lots`` tiles or channels that are summed, ``size`` the greatest product."""
    count = matrices(function, taps)[2].shape[1] ** 2
    eps = float(np.finfo(np.float32).eps)
    return worst_factor(function, taps) * (lots + 40) * eps / 2 * count * lots * size


@functools.cache
def aligned(function: str, taps: int) -> tuple[np.ndarray, np.ndarray]:
    """Signs of a tile's two inputs that make errors grow nearly as much as they can: flipped one by one as long as it helps."""
    left, of_a, of_b = matrices(function, taps)
    rng = np.random.default_rng(0)
    found, best = None, 0.0
    for _ in range(8):
        pair = [rng.choice([-1.0, 1.0], (each.shape[1],) * 2) for each in (of_a, of_b)]
        reached, before = 0.0, -1.0
        while reached > before:
            before = reached
            for each in pair:
                for place in np.ndindex(*each.shape):
                    each[place] *= -1
                    flipped = float(grown(left, of_a, of_b, *pair).max())
                    each[place] *= 1 if flipped > reached else -1
                    reached = max(reached, flipped)
        if reached > best:
            found, best = (pair[0].copy(), pair[1].copy()), reached
    assert found is not None and best >= 0.3 * worst_factor(function, taps) * found[1].size
    return found


def adversary(function: str, stride: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments whose every tile, channel and phase is aligned, of sizes between a half and 1: what the errors make adds up."""
    taps = 3 if stride == 1 else 2
    a, b = aligned(function, taps)
    rng = np.random.default_rng(1)
    back = function == "grad_input"
    if back:
        b = b[::-1, ::-1]  # the kernel is turned
    image = a if back else a.repeat(stride, 0).repeat(stride, 1)
    other = b if function == "grad_weight" else b.repeat(stride, 0).repeat(stride, 1)

    def filled(signs: np.ndarray, *counts: int) -> np.ndarray:
        return (signs * rng.uniform(0.5, 1, (*counts, *signs.shape))).astype(np.float32)

    pads = (2, 2) if back else (0, 0)
    geometry = {"stride": (stride,) * 2, "padding": (pads, pads), "dilation": (1, 1), "groups": 1}
    x, y = filled(image, CHANNELS, CHANNELS), filled(other, CHANNELS, CHANNELS)
    last: Any = {"forward": None, "grad_input": (SIDE * stride,) * 2, "grad_weight": (taps * stride,) * 2}[function]
    return (x, y, last), geometry


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("stride", [1, 2])
def test_the_worst_case_holds_for_aligned_signs(function: str, stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in FUNCTIONS:  # the tolerance is of the reference, whose loops would take seconds
        monkeypatch.setattr(reference, each, getattr(im2col, each))
    args, geometry = adversary(function, stride)
    taps = 3 if stride == 1 else 2
    kernel_size, size = (taps * stride,) * 2, (SIDE, SIDE)
    assert winograd4.taps_of(CHANNELS, CHANNELS, kernel_size, size, (stride, stride), (1, 1), 1, CHANNELS) is not None
    exact = [each.astype(np.float64) if isinstance(each, np.ndarray) else each for each in args]
    want = getattr(im2col, function)(*exact, **geometry)
    off, direct = (abs(getattr(one, function)(*args, **geometry) - want).max() for one in (winograd4, cpu))
    lots = CHANNELS * (stride**2 if function == "forward" else 1)
    assert direct < off < worst_error(function, taps, lots, 1.0)
    assert off <= winograd4.tolerance(function, *args, **geometry)[0].min()


def test_the_stated_factors_are_those_of_the_matrices() -> None:
    stated = " ".join(str(winograd4.__doc__).split())
    three, two = (f"{worst_factor('forward', taps):.0f}" for taps in (3, 2))
    assert f"by a factor of {three} for three taps and of {two} for two" in stated
    three, two = (f"{worst_factor('grad_weight', taps):.0f}" for taps in (3, 2))
    assert f"beside 4², of {three} and of {two}." in stated
    norms = []
    for taps in (3, 2):
        left, of_a, of_b = (float(np.abs(each).sum(1).max()) for each in matrices("forward", taps))
        norms.append(f"{(left * of_a * of_b) ** 2 / taps**2:.0f}")
    assert f"would be {norms[0]} and {norms[1]}." in stated
