"""Changes to real and made images alike: shapes, gradients, and each part beside a slow loop that draws the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import minigrad
from minigrad.autograd import gradcheck
from minigrad.models import diffaugment
from minigrad.models.diffaugment import CUT, SHIFT, _coloured, _cut, _shifted, differentiable

SIDES = st.integers(2, 30)
PARTS = [differentiable, _coloured, _shifted, _cut]


def images(count: int, channels: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, channels, height, width))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.sampled_from([1, 3]), SIDES, SIDES, st.sampled_from([np.float32, np.float64]))
def test_images_of_any_shape(count: int, channels: int, height: int, width: int, dtype: Any) -> None:
    """Shape, dtype and place stay, and the images themselves are left as they are."""
    plain = images(count, channels, height, width).astype(dtype)
    x = minigrad.tensor(plain.copy())
    found = differentiable(x)
    assert found.shape == x.shape and found.dtype == x.dtype and np.isfinite(found.numpy()).all()
    assert np.array_equal(x.numpy(), plain)


def fixed(change: Callable[[Any], Any], seed: int = 3) -> Callable[[Any], Any]:
    """The change with the same numbers each time."""

    def called(x: Any) -> Any:
        minigrad.manual_seed(seed)
        return change(x)

    return called


@pytest.mark.parametrize("change", PARTS, ids=lambda change: change.__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_gradients(change: Callable[[Any], Any], channels: int) -> None:
    x = minigrad.tensor(images(2, channels, 9, 8), requires_grad=True)
    assert gradcheck(fixed(change), (x,))


def test_each_image_has_numbers_of_its_own() -> None:
    """From the default generator: the same seed gives the same, and two equal images come out unlike."""
    x = minigrad.tensor(np.repeat(images(1, 3, 16, 16), 2, 0))
    for change in PARTS:
        one, again, other = (fixed(change, seed)(x).numpy() for seed in (1, 1, 2))
        assert np.array_equal(one, again) and not np.array_equal(one, other)
        assert not np.array_equal(one[0], one[1])


# ---------------------------------------------------------------------- each part


def drawn(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """Let all chances be one number."""
    monkeypatch.setattr(minigrad, "rand", lambda *shape, **options: minigrad.full(shape, value, **options))


def whole(monkeypatch: pytest.MonkeyPatch, *values: int) -> None:
    """Let whole numbers be these, one call after the other."""
    plain = iter(values)
    monkeypatch.setattr(
        minigrad, "randint", lambda low, high, size, **options: minigrad.full(size, next(plain), dtype=minigrad.int64)
    )


def test_colours_that_are_drawn_in_the_middle_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn(monkeypatch, 0.5)
    for channels in (1, 3):
        x = images(3, channels, 5, 4)
        np.testing.assert_allclose(_coloured(minigrad.tensor(x)).numpy(), x, atol=1e-12)


@pytest.mark.parametrize("chance", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_colours_by_hand(chance: float, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brightness is added, then what differs from grey is stretched, then what differs from the mean."""
    drawn(monkeypatch, chance)
    plain = images(2, channels, 3, 4)
    found = _coloured(minigrad.tensor(plain)).numpy()
    for image, changed in zip(plain, found):
        wanted = image + (chance - 0.5)
        if channels == 3:
            for place in np.ndindex(3, 4):
                grey = sum(wanted[(channel, *place)] for channel in range(3)) / 3
                for channel in range(3):
                    wanted[(channel, *place)] = (wanted[(channel, *place)] - grey) * 2 * chance + grey
        wanted = (wanted - wanted.mean()) * (chance + 0.5) + wanted.mean()
        np.testing.assert_allclose(changed, wanted, atol=1e-12)


@pytest.mark.parametrize(("down", "across"), [(0, 0), (2, 0), (0, -3), (-1, 2), (2, 3)])
def test_images_are_moved(down: int, across: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole(monkeypatch, down, across)
    plain = images(2, 3, 17, 24)
    wanted = np.zeros_like(plain)
    for y, x in np.ndindex(17, 24):
        if 0 <= y + down < 17 and 0 <= x + across < 24:
            wanted[:, :, y, x] = plain[:, :, y + down, x + across]
    assert np.array_equal(_shifted(minigrad.tensor(plain)).numpy(), wanted)


def test_how_far_images_are_moved() -> None:
    """By any whole number up to the eighth part of the side, either way; a side below eight stays where it is."""
    count, height, width = 2000, 24, 7
    rows = np.arange(1.0, height + 1)[None, None, :, None] * np.ones((count, 1, 1, width))
    found = _shifted(minigrad.tensor(rows)).numpy()
    middle = found[:, 0, height // 2, :]
    shifts = middle[:, 0] - (height // 2 + 1)
    assert (middle == middle[:, :1]).all() and set(shifts) == set(range(-(height // SHIFT), height // SHIFT + 1))
    counts = np.unique(shifts, return_counts=True)[1]
    assert counts.min() > 0.75 * count / len(counts)


@pytest.mark.parametrize(("start", "side"), [(0, 9), (-2, 9), (7, 9), (3, 8)])
def test_a_square_is_blanked(start: int, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole(monkeypatch, start, start)
    plain = images(2, 3, side, side) + 2
    found = _cut(minigrad.tensor(plain)).numpy()
    inside = range(start, start + side // CUT)
    for y, x in np.ndindex(side, side):
        assert np.array_equal(found[:, :, y, x], plain[:, :, y, x] * (not (y in inside and x in inside)))


def test_where_squares_lie() -> None:
    """Anywhere, also partly outside: of 8 rows 4 at most are hidden, by the edges 2 or more, each of them as often."""
    found = _cut(minigrad.ones(4000, 1, 8, 8)).numpy()[:, 0] == 0
    rows, columns = found.any(2).sum(1), found.any(1).sum(1)
    assert {*rows} == {*columns} == {2, 3, 4}
    starts = np.where(rows == 4, found.any(2).argmax(1), -1)
    assert {*starts} - {-1} == set(range(5))


def test_what_is_hidden_has_no_gradient() -> None:
    minigrad.manual_seed(0)
    x = minigrad.ones(4, 3, 16, 16, requires_grad=True)
    found = diffaugment._cut(x)
    found.sum().backward()
    assert np.array_equal(x.grad.numpy(), found.detach().numpy())
