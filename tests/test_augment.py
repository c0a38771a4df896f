"""Augmented images: beside a slow version of one sample, as draws of the right distributions, the same however they come."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betaincinv

import minigrad
from minigrad.data import DataLoader, Subset, augment, default_collate
from minigrad.data.augment import Augmented
from minigrad.data.labelled import LabelledImages
from minigrad.errors import ArgumentError, DTypeError, IndexingError, MinigradError, ShapeError
from minigrad.kernels import layout, random
from minigrad.kernels.conv2d import forward

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.3)
ALL: dict[str, Any] = {"crop": 2, "flip": 0.5, "cutout": 3, "colour": 0.4, "mixup": 0.3}
SWITCHES: list[dict[str, Any]] = [{}, *({name: value} for name, value in ALL.items()), ALL]
each_switch = pytest.mark.parametrize("switches", SWITCHES, ids=lambda row: "+".join(row) or "none")


def images(n: int = 23, channels: int = 3, height: int = 7, width: int = 10, seed: int = 0, k: int = 4) -> LabelledImages:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, channels, height, width), dtype=np.uint8)
    return LabelledImages(pixels, rng.integers(0, k, n), [f"class {i}" for i in range(k)])


def made(data: LabelledImages, seed: int = 5, epoch: int = 0, **switches: Any) -> Augmented:
    channels = data.shape[0]
    augmented = Augmented(data, seed, mean=MEAN[:channels], std=STD[:channels], **switches)
    augmented.set_epoch(epoch)
    return augmented


def batch(augmented: Augmented, indices: Any) -> list[np.ndarray]:
    return [part.numpy() for part in augmented.take_batch(indices)]


# ---------------------------------------------------------------------- one sample, slowly


def slow(data: LabelledImages, index: int, seed: int, epoch: int, **switches: Any) -> tuple[np.ndarray, Any]:
    """One sample by the steps of the docstring, pixel by pixel, and its target."""
    x = slow_image(data, index, seed, epoch, **switches)
    label = int(data.labels[index])
    if not switches.get("mixup"):
        return x, label
    a, words = switches["mixup"], slow_words(index, seed, epoch)
    partner = words[9] % len(data)
    share = np.float32(betaincinv(a, a, uniform(words[8])))
    x = x * share + slow_image(data, partner, seed, epoch, **switches) * (1 - share)
    target = np.zeros(len(data.classes), np.float32)
    target[label] = share
    target[data.labels[partner]] += 1 - share
    return x, target


def slow_words(index: int, seed: int, epoch: int) -> list[int]:
    return random.words((seed, epoch + 1), 4 * index, 10).tolist()


def uniform(word: int) -> float:
    return (word >> 11) * 2.0**-53


def slow_image(
    data: LabelledImages, index: int, seed: int, epoch: int, crop: int = 0, flip: float = 0, cutout: int = 0, colour: float = 0,
    mixup: float = 0,
) -> np.ndarray:  # fmt: skip
    row, column, mirror, cut_row, cut_column, *factors = slow_words(index, seed, epoch)[:8]
    x = data.pixels([index])[0].astype(np.float32) / np.float32(255)
    channels, height, width = x.shape
    if colour:
        x = slow_colour(x, *(np.float32(1 + colour * (2 * uniform(word) - 1)) for word in factors))
    top, left = row % (2 * crop + 1) - crop, column % (2 * crop + 1) - crop
    out = np.zeros_like(x)
    for c in range(channels):
        mean, std = np.float32(MEAN[c]), np.float32(STD[c])
        for i in range(height):
            for j in range(width):
                source_row, source_column = i + top, (width - 1 - j if uniform(mirror) < flip else j) + left
                hole = cut_row % height - cutout // 2, cut_column % width - cutout // 2
                inside = 0 <= i - hole[0] < cutout and 0 <= j - hole[1] < cutout
                if 0 <= source_row < height and 0 <= source_column < width and not inside:
                    out[c, i, j] = (x[c, source_row, source_column] - mean) / std
    return out


def slow_colour(x: np.ndarray, brightness: np.float32, contrast: np.float32, saturation: np.float32) -> np.ndarray:
    """As torchvision.transforms.v2.functional: adjust_brightness, adjust_contrast, adjust_saturation of float images."""

    def blend(one: np.ndarray, other: Any, ratio: np.float32) -> np.ndarray:
        return np.clip(one * ratio + (1 - ratio) * other, np.float32(0), np.float32(1))

    def grey(x: np.ndarray) -> np.ndarray:
        weights = np.float32(0.2989), np.float32(0.587), np.float32(0.114)
        return x[0] if len(x) == 1 else x[0] * weights[0] + x[1] * weights[1] + x[2] * weights[2]

    x = blend(x, np.zeros_like(x), brightness)
    x = blend(x, grey(x).mean(), contrast)
    return x if len(x) == 1 else blend(x, grey(x), saturation)


@each_switch
@pytest.mark.parametrize("channels", [1, 3])
def test_beside_the_slow_version(switches: dict[str, Any], channels: int) -> None:
    data = images(channels=channels)
    got, target, numbers = batch(made(data, epoch=2, **switches), range(len(data)))
    assert got.dtype == np.float32 and numbers.dtype == np.int64 and numbers.tolist() == list(range(len(data)))
    assert target.dtype == (np.float32 if switches.get("mixup") else np.int64)
    for index in range(len(data)):
        x, wanted = slow(data, index, 5, 2, **switches)
        np.testing.assert_array_equal(got[index], x)
        np.testing.assert_array_equal(target[index], wanted)


@hypothesis.given(
    st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9), st.integers(1, 6), st.integers(0, (1 << 64) - 1),
    st.integers(0, 1 << 40), st.integers(0, 8), st.floats(0, 1), st.integers(0, 20), st.floats(0, 1),
    st.one_of(st.just(0.0), st.floats(0.001, 10)),
)  # fmt: skip
@hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
def test_any_size_and_setting_beside_the_slow_version(
    channels: int, height: int, width: int, n: int, seed: int, epoch: int, crop: int, flip: float, cutout: int, colour: float,
    mixup: float,
) -> None:  # fmt: skip
    data = images(n, channels, height, width, seed % 100)
    switches = {"crop": min(crop, height - 1, width - 1), "flip": flip, "cutout": cutout, "colour": colour, "mixup": mixup}
    got, target, _ = batch(made(data, seed, epoch, **switches), range(n))
    for index in range(n):
        x, wanted = slow(data, index, seed, epoch, **switches)
        np.testing.assert_array_equal(got[index], x)
        np.testing.assert_array_equal(target[index], wanted)


def test_the_steps_by_hand() -> None:
    """An image of one bright column: where it goes, what is 0, and what a factor does."""
    pixels = np.zeros((64, 1, 4, 4), np.uint8)
    pixels[:, :, :, 0] = 255
    data = LabelledImages(pixels, [0] * 64, ["a"])
    plain = Augmented(data, 0, mean=0.2, std=0.4)
    assert plain[0][0].numpy()[0, 0] == pytest.approx([2.0, -0.5, -0.5, -0.5])
    mirrored = Augmented(data, 0, mean=0.2, std=0.4, flip=1.0)
    assert mirrored[0][0].numpy()[0, 0] == pytest.approx([-0.5, -0.5, -0.5, 2.0])
    shifted = Augmented(data, 0, mean=0.2, std=0.4, crop=1).take_batch(range(64))[0].numpy()
    rows = {tuple(np.round(row, 3)) for row in shifted[:, 0, 1]}
    assert rows == {(2.0, -0.5, -0.5, -0.5), (0.0, 2.0, -0.5, -0.5), (-0.5, -0.5, -0.5, 0.0)}
    hole = Augmented(data, 0, mean=0.2, std=0.4, cutout=1).take_batch(range(64))[0].numpy()
    assert ((hole == 0).sum((1, 2, 3)) == 1).all()
    everything = Augmented(data, 0, mean=0.2, std=0.4, cutout=8).take_batch(range(64))[0].numpy()
    assert (everything == 0).all()


@pytest.mark.parametrize(
    ("factors", "want"),
    [
        ((1.5, 1.0, 1.0), (0.6, 0.3, 0.9)),
        ((3.0, 1.0, 1.0), (1.0, 0.6, 1.0)),  # cut off at white
        ((1.0, 0.0, 1.0), (0.30536, 0.30536, 0.30536)),  # all grey: 0.2989 * 0.4 + 0.587 * 0.2 + 0.114 * 0.6
        ((1.0, 1.0, 0.0), (0.30536, 0.30536, 0.30536)),
        ((1.0, 1.0, 0.5), (0.35268, 0.25268, 0.45268)),
        ((1.0, 2.0, 1.0), (0.49464, 0.09464, 0.89464)),
        ((0.0, 2.0, 1.5), (0.0, 0.0, 0.0)),
    ],
)
def test_colours_by_hand(factors: tuple[float, ...], want: tuple[float, ...]) -> None:
    x = np.empty((1, 3, 2, 5), np.float32)
    x[:] = np.array([0.4, 0.2, 0.6], np.float32).reshape(3, 1, 1)
    augment.recolour(x, np.array([factors]))
    np.testing.assert_allclose(x[0, :, 1, 3], want, atol=1e-6)


# ---------------------------------------------------------------------- a function of (seed, epoch, number)


@each_switch
@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_in_any_batch_and_order(switches: dict[str, Any], channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = images(40, channels, 33, 35)
    augmented = made(data, **switches)
    whole, targets, _ = batch(augmented, range(40))
    for indices in ([7], [39, 0, 7], [3, 3], list(range(39, -1, -1)), [-1, -40]):
        for chunk in (1, 5000, 1 << 30):
            monkeypatch.setattr(augment, "CHUNK", chunk)
            got, target, numbers = batch(augmented, indices)
            bits, wanted = (np.ascontiguousarray(each).view(np.uint32) for each in (got, whole[indices]))
            np.testing.assert_array_equal(bits, wanted)
            np.testing.assert_array_equal(target, targets[indices])
            assert numbers.tolist() == [index % 40 for index in indices]


def test_the_same_in_any_thread_and_by_any_loader() -> None:
    data = images(30)
    want = {e: batch(made(data, epoch=e, **ALL), range(30))[0] for e in range(3)}
    generator = minigrad.Generator().manual_seed(1)
    for workers in (0, 3):
        loader = DataLoader(made(data, **ALL), 4, shuffle=True, generator=generator.manual_seed(1), num_workers=workers)
        for epoch in range(3):
            for x, _, numbers in loader:
                np.testing.assert_array_equal(x.numpy(), want[epoch][numbers.numpy()])
    single = [list(made(data, **ALL)[i]) for i in (4, 9)]
    both = default_collate(single)
    for one, other in zip(both, made(data, **ALL).take_batch([4, 9]), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
        assert one.dtype == other.dtype
    part = DataLoader(Subset(made(data, **ALL), [9, 4]), batch_size=2)
    np.testing.assert_array_equal(next(iter(part))[0].numpy(), want[0][[9, 4]])
    list(part)
    np.testing.assert_array_equal(next(iter(part))[0].numpy(), want[2][[9, 4]])


@pytest.mark.parametrize("switches", SWITCHES[1:], ids=lambda row: "+".join(row))
def test_another_epoch_seed_and_number_are_other_choices(switches: dict[str, Any]) -> None:
    pixels = images(1).pixels([0]).repeat(40, 0)  # all alike, so that only the choices differ
    data = LabelledImages(pixels, [0] * 40, ["a"])
    if "mixup" in switches:
        data = images(40)
    first = batch(made(data, **switches), range(40))[0]
    for other in (made(data, epoch=1, **switches), made(data, 6, **switches)):
        second = batch(other, range(40))[0]
        differs = (first != second).any((1, 2, 3))
        assert differs.mean() > 0.3
    assert len(np.unique(first.reshape(40, -1), axis=0)) >= 2


def test_epochs_of_one_seed_share_no_words_with_each_other_or_with_a_generator() -> None:
    data = images(8)
    epochs = [made(data)._words(epoch, np.arange(8)) for epoch in (0, 1, 5)]
    key, block = minigrad.Generator().manual_seed(5).reserve(1)
    drawn = np.concatenate([*(words.ravel() for words in epochs), random.words(key, block, 200)])
    assert len(np.unique(drawn)) == len(drawn)


def test_nothing_is_drawn_from_the_process_generator() -> None:
    state = minigrad.get_rng_state()
    batch(made(images(), **ALL), [1, 2, 3])
    assert (minigrad.get_rng_state() == state).all()


def test_without_augmentation_epochs_are_alike() -> None:
    data = images()
    mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in (MEAN, STD))
    want = (data.pixels(range(23)).astype(np.float32) / np.float32(255) - mean) / std
    for epoch in range(2):
        np.testing.assert_array_equal(batch(made(data, epoch=epoch), range(23))[0], want)


def test_one_number_serves_all_channels() -> None:
    data = images()
    one, three = (Augmented(data, 0, mean=m, std=s) for m, s in ((0.5, 0.2), ([0.5] * 3, [0.2] * 3)))
    np.testing.assert_array_equal(batch(one, range(5))[0], batch(three, range(5))[0])


def test_the_images_stay_as_they_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3, 5, 5), dtype=np.uint8)
    before = pixels.copy()
    augmented = made(LabelledImages(pixels, [0] * 6, ["a"]), **ALL)
    x, target, _ = augmented.take_batch(range(6))
    x.fill_(7)
    target.fill_(7)
    np.testing.assert_array_equal(pixels, before)
    assert augmented.dataset.labels.tolist() == [0] * 6
    plain = made(LabelledImages(pixels, [0] * 6, ["a"])).take_batch(range(6))
    plain[1].fill_(7)
    assert augmented.dataset.labels.tolist() == [0] * 6


@each_switch
@pytest.mark.parametrize("channels", [1, 3])
def test_a_convolution_converts_nothing(switches: dict[str, Any], channels: int) -> None:
    augmented = made(images(channels=channels), **switches)
    for x in (augmented.take_batch([3, 1, 2])[0], augmented.take_batch([3])[0]):
        assert layout.is_channels_last(x.array) and x.array.dtype == np.float32
        layout.reset_conversions()
        forward(x.array, np.ones((2, channels, 3, 3), np.float32))
        assert layout.conversions() == 0


# ---------------------------------------------------------------------- the draws are what they should be

N = 20_000  # samples, of which the tests' bounds hold with probability above 0.999


def words(column: int, epoch: int = 0) -> np.ndarray:
    return made(images(1))._words(epoch, np.arange(N))[:, column]


def dots(**switches: Any) -> np.ndarray:
    """Where the one bright pixel of a 5x5 image goes; (N, 5, 5)."""
    pixels = np.zeros((N, 1, 5, 5), np.uint8)
    pixels[:, 0, 2, 1] = 255
    augmented = Augmented(LabelledImages(pixels, [0] * N, ["a"]), 3, mean=0.5, std=0.5, **switches)
    return batch(augmented, range(N))[0][:, 0]


def test_windows_are_uniform_and_rows_know_nothing_of_columns() -> None:
    bright = dots(crop=1) == 1
    counts = bright.sum(0)
    assert counts[1:4, 0:3].sum() == N and (counts[1:4, 0:3] > 0).all()
    assert stats.chisquare(counts[1:4, 0:3].ravel()).pvalue > 1e-3


@pytest.mark.parametrize("flip", [0.0, 0.2, 0.5, 1.0])
def test_the_share_that_is_mirrored(flip: float) -> None:
    bright = dots(flip=flip)[:, 2] == 1
    mirrored = int(bright[:, 3].sum())
    assert mirrored + bright[:, 1].sum() == N
    assert stats.binomtest(mirrored, N, flip).pvalue > 1e-3 if 0 < flip < 1 else mirrored == flip * N


def test_holes_are_centred_anywhere() -> None:
    holes = dots(cutout=1) == 0
    assert stats.chisquare(holes.sum(0).ravel()).pvalue > 1e-3
    assert (holes.sum((1, 2)) == 1).all()
    sizes = (dots(cutout=3) == 0).sum((1, 2))
    expected = np.array([4, 12, 9]) / 25 * N  # corners, edges, inner centres
    assert stats.chisquare([(sizes == size).sum() for size in (4, 6, 9)], expected).pvalue > 1e-3


def test_factors_of_colour_are_uniform_and_independent() -> None:
    drawn = [augment._uniforms(words(column)) for column in (augment.BRIGHTNESS, augment.CONTRAST, augment.SATURATION)]
    for one in drawn:
        assert stats.kstest(one, "uniform").pvalue > 1e-3
    for i, one in enumerate(drawn):
        for other in drawn[:i]:
            assert abs(np.corrcoef(one, other)[0, 1]) < 3.5 / N**0.5
    pixels = np.full((N, 1, 1, 1), 102, np.uint8)
    x = batch(Augmented(LabelledImages(pixels, [0] * N, ["a"]), 3, mean=0, std=1, colour=0.5), range(N))[0].ravel()
    assert stats.kstest(x, stats.uniform(0.2, 0.4).cdf).pvalue > 1e-3  # 0.4 times 0.5 to 1.5; contrast changes nothing here


@pytest.mark.parametrize("a", [0.001, 0.1, 0.4, 1.0, 3.0, 1000.0])
def test_shares_are_beta_distributed(a: float) -> None:
    share = augment._beta(a, words(augment.WEIGHT))
    assert (share >= 0).all() and (share <= 1).all()
    assert abs(share.mean() - 0.5) < 3.5 * (share.std() / N**0.5)
    variance = 1 / (4 * (2 * a + 1))
    second, third, fourth = (stats.beta(a, a).moment(order) for order in (2, 3, 4))
    about_half = fourth - 2 * third + 1.5 * second - 3 / 16
    assert abs(share.var() - variance) < 3.5 * ((about_half - variance**2) / N) ** 0.5 + 1e-3 * variance
    if a >= 0.1:
        assert stats.kstest(share, stats.beta(a, a).cdf).pvalue > 1e-3


def test_partners_are_uniform_and_targets_are_probabilities() -> None:
    data = LabelledImages(np.zeros((N, 1, 1, 1), np.uint8), np.arange(N) % 5, list("abcde"))
    target = batch(Augmented(data, 9, mean=0, std=1, mixup=1.0), range(N))[1]
    assert target.shape == (N, 5) and (target >= 0).all()
    np.testing.assert_allclose(target.sum(1), 1, atol=1e-6)
    own = target[np.arange(N), np.arange(N) % 5].astype(float)
    assert abs(own.mean() - (0.5 + 0.5 / 5)) < 0.01
    partner = np.argmax(np.where(np.arange(5) == (np.arange(N) % 5)[:, None], -1, target), 1)
    mixed = own < 1
    counts = np.bincount((partner - np.arange(N))[mixed] % 5, minlength=5)
    assert counts[0] == 0 and stats.chisquare(counts[1:]).pvalue > 1e-3


def test_partners_are_augmented_as_themselves() -> None:
    data = images(9)
    rest = {name: value for name, value in ALL.items() if name != "mixup"}
    apart, labels, _ = batch(made(data, **rest), range(9))
    mixed, target, _ = batch(made(data, **ALL), range(9))
    drawn = made(data)._words(0, np.arange(9))
    for i in range(9):
        other = int(drawn[i, augment.PARTNER] % np.uint64(9))
        share = np.float32(betaincinv(0.3, 0.3, uniform(int(drawn[i, augment.WEIGHT]))))
        np.testing.assert_array_equal(mixed[i], apart[i] * share + apart[other] * (1 - share))
        assert target[i, labels[i]] == (1 if labels[i] == labels[other] else share)


def test_a_switch_changes_no_other_choice() -> None:
    data = images(50, height=9, width=9)
    alone = batch(made(data, flip=0.5), range(50))[0]
    beside = batch(made(data, flip=0.5, cutout=1), range(50))[0]
    assert (((alone != beside).any(1)).sum((1, 2)) == 1).all()


def test_scipy_is_loaded_for_mixup_only() -> None:
    code = (
        "import sys, numpy as np, minigrad.data.augment as a, minigrad.data.labelled as l\n"
        "data = l.LabelledImages(np.zeros((2, 1, 3, 3), np.uint8), [0, 1], ['a', 'b'])\n"
        "a.Augmented(data, 0, mean=0, std=1, crop=1, flip=1, cutout=1, colour=1).take_batch([0])\n"
        "assert 'scipy' not in sys.modules\n"
        "a.Augmented(data, 0, mean=0, std=1, mixup=1).take_batch([0])\n"
        "assert 'scipy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_epoch_set_while_a_batch_is_made_is_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    data = images(6)
    augmented = made(data, **ALL)
    want = batch(augmented, range(6))[0]
    read, inside, go = data.pixels, threading.Event(), threading.Event()

    def pixels(indices: Any) -> np.ndarray:
        inside.set()
        assert go.wait(10)
        return read(indices)

    monkeypatch.setattr(data, "pixels", pixels)
    found: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: found.append(batch(augmented, range(6))[0]))
    thread.start()
    assert inside.wait(10)
    augmented.set_epoch(1)
    go.set()
    thread.join()
    np.testing.assert_array_equal(found[0], want)


# ---------------------------------------------------------------------- errors


def refused(**changed: Any) -> Any:
    given: dict[str, Any] = {"dataset": images(), "seed": 0, "mean": 0.5, "std": 0.5, **changed}
    return lambda: Augmented(given.pop("dataset"), given.pop("seed"), **given)


REFUSALS: list[tuple[Any, type[MinigradError], str]] = [
    (refused(dataset=[1, 2]), DTypeError, "Augmented: dataset: expected LabelledImages, got a list"),
    (refused(dataset=images().subset([])), ArgumentError, "dataset: expected at least one image, got none"),
    (refused(seed=-1), ArgumentError, "seed: expected a whole number from 0 to 2**64 - 1, got -1"),
    (refused(seed=1 << 64), ArgumentError, "seed"),
    (refused(seed=0.5), ArgumentError, "got 0.5"),
    (refused(seed=True), ArgumentError, "got True"),
    (refused(mean="a"), DTypeError, "mean: expected a number, or one for each channel, got 'a'"),
    (refused(mean=[0.5, 0.5]), ShapeError, "mean: expected one number, or 3, one for each channel, got 2 of them"),
    (refused(mean=[[0.5] * 3]), ShapeError, "got shape (1, 3)"),
    (refused(mean=float("nan")), ArgumentError, "mean: expected finite numbers, got nan"),
    (refused(std=[0.5, 0.0, 0.5]), ArgumentError, "std: expected numbers above 0, got [0.5, 0.0, 0.5]"),
    (refused(std=float("inf")), ArgumentError, "std: expected finite numbers"),
    (refused(crop=-1), ArgumentError, "crop: expected a whole number, 0 or more, got -1"),
    (refused(crop=1.5), ArgumentError, "crop: expected a whole number"),
    (refused(crop=7), ArgumentError, "sides have, at most 6, got 7 for images of 7 x 10"),
    (refused(cutout=-2), ArgumentError, "cutout: expected a whole number, 0 or more, got -2"),
    (refused(flip=1.5), ArgumentError, "flip: expected a number from 0 to 1, got 1.5"),
    (refused(flip=-0.5), ArgumentError, "flip: expected 0 or more, got -0.5"),
    (refused(flip="no"), DTypeError, "flip: expected a number, got 'no'"),
    (refused(flip=float("nan")), ArgumentError, "flip"),
    (refused(colour=1.01), ArgumentError, "colour: expected a number from 0 to 1, got 1.01"),
    (refused(mixup=-1), ArgumentError, "mixup: expected 0 or more, got -1"),
    (refused(mixup=0.0001), ArgumentError, "mixup: expected 0 for none, or a finite number, 0.001 or more, got 0.0001"),
    (refused(mixup=float("inf")), ArgumentError, "mixup: expected 0 for none, or a finite number"),
    (lambda: made(images()).take_batch([]), ShapeError, "indices: expected at least one sample's number, got none"),
    (lambda: made(images()).take_batch([23]), IndexingError, "index: expected a number from -23 to 22, got 23"),
    (lambda: made(images()).take_batch([0, -24]), IndexingError, "got -24"),
    (lambda: made(images()).take_batch([0.5]), DTypeError, "expected a list of whole numbers, got float64 of shape (1,)"),
    (lambda: made(images()).take_batch([[1], [2]]), DTypeError, "got int64 of shape (2, 1)"),
    (lambda: made(images())[23], IndexingError, "Augmented: index"),
    (lambda: made(images())["a"], DTypeError, "an integer, got 'a'"),
    (lambda: made(images(), epoch=-1), ArgumentError, "set_epoch: epoch: expected a whole number from 0"),
    (lambda: made(images(), epoch=(1 << 64) - 1), ArgumentError, "set_epoch: epoch"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), REFUSALS, ids=[row[2] for row in REFUSALS])
def test_refusal_says_what_to_do(call: Any, error: type[MinigradError], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
