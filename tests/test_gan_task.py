"""The task ``gan``: what it finds from images, what a step is, how it goes back and on, and what it refuses."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import minigrad
from minigrad.errors import ArgumentError, DataError, DivergedError, OutOfMemoryError, RunError, StateError
from minigrad.interop.structure import take_apart
from minigrad.models import gan, gan_report, gan_watch
from minigrad.models.adversary import LOSSES
from minigrad.models.gan import Gan, GanSettings
from minigrad.models.gan_cost import kept, work
from minigrad.models.imagined import labels_like
from minigrad.models.imaginer import Card, Imaginer
from minigrad.show.film import film_png
from minigrad.show.page import Page
from minigrad.train import Initial, Rollback, Run, fit
from minigrad.train.trained import Trained
from tests.small_galleries import TINY, bars, constant, gallery, quickly, steps, task


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quickly(monkeypatch)


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    return gallery(tmp_path / "grey")


@pytest.fixture
def sorted_bars(tmp_path: Path) -> Path:
    return gallery(tmp_path / "bars", 120, classes=True)


# ---------------------------------------------------------------------- what is found


def test_what_is_not_said_is_found_and_told(grey: Path) -> None:
    told: list[str] = []
    made = Gan(str(grey), GanSettings(width=1), told.append)
    found = made.settings
    assert (found.penalty, found.norm, found.critic, found.flip, found.augment) == ("none", "batch", 1, True, True)
    assert (found.noise, found.batch_size, found.lr, found.beta1, found.loss) == (100, 64, 5e-4, 0.5, "original")
    assert (made.card.shape, made.card.classes, made.total_steps, made.evaluate_every) == ((1, 8, 8), (), 100_000, 20_000)
    assert found.average == 0.999
    assert any(line.startswith("mirror images: mirroring is safe: ") for line in told)
    tail = told[[line.startswith("mirror") for line in told].index(True) :]
    assert told[0] == f"{grey}: 40 images" and any(line.startswith("FEW IMAGES: 40 different ones") for line in told)
    assert tail == [
        tail[0],
        "augmentation: real and made images are changed alike, as 40 are few (--set augment=false)",
        "ladder: 8x8 -> 4x4 (height x width)",
        "  8x8 <-> 4x4: kernel 4x4, stride 2x2, padding 1",
        f"networks: a generator of {made.card.parameters:,} parameters, a discriminator of {17 + 17:,}, for grey images of 8x8",
        "training: 100,000 steps with 40 images, original loss, 1 of the discriminator to one of the generator, adam at 0.0005",
        "judge: a small network that learns from the same images, to tell how each was turned; Fréchet distances are in its "
        "features",
    ]
    left = {"log_every", "image_size", "channels", "lr_discriminator"}
    assert None not in {value for key, value in found.to_dict().items() if key not in left}


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, {"penalty": "none", "norm": "batch", "critic": 1}),
        ({"loss": "wasserstein"}, {"penalty": "gradient", "norm": "none", "critic": 5}),
        ({"loss": "wasserstein", "penalty": "none", "norm": "spectral"}, {"penalty": "none", "norm": "spectral", "critic": 5}),
        ({"penalty": "r1"}, {"norm": "none", "critic": 1}),
        ({"width": None}, {"width": 64}),
        ({"width": None, "image_size": 33}, {"width": 32}),
        ({"augment": None}, {"augment": True}),
        ({"steps": 100}, {"average": 0.7}),
        ({"steps": 1}, {"average": 0.5}),
        ({"steps": None}, {"steps": 100_000, "average": 0.999}),
    ],
    ids=lambda given: "-".join(given),
)
def test_what_is_found(chosen: dict[str, Any], found: dict[str, Any], grey: Path) -> None:
    settings = task(grey, **chosen).settings.to_dict()
    assert {key: settings[key] for key in found} == found


@pytest.mark.parametrize(
    ("word", "shape"), [("12x9", (1, 12, 9)), ("9X256", (1, 9, 256)), ("16", (1, 16, 16)), ("auto", (1, 8, 8))]
)
def test_the_size_that_is_asked_for(word: str, shape: tuple[int, int, int], grey: Path) -> None:
    made = Gan(str(grey), GanSettings.parse([f"image_size={word}"], TINY))
    assert made.card.shape == shape and made.data.train.shape == shape
    assert Gan.of(made.config()).card == made.card


def test_the_work_decides_how_long(grey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a step with three of the discriminator 23 ways through a network are the work."""
    card = task(grey).card
    for share, count in ((2_000.0, 2_000), (2_049.0, 2_000), (10.0, 1_000), (1e9, 100_000)):
        monkeypatch.setattr(gan, "WORK", share * 8 * 23 * work(card))
        assert task(grey, steps=None, critic=3).settings.steps == count
    channels = [1, 2]  # by hand, of 8 x 8 images: 4 numbers to 2 x 4 x 4, then a kernel of 4 x 4 at 4 x 4 places
    assert work(card) == 4 * 2 * 16 + channels[0] * channels[1] * 16 * 16
    assert work(card._replace(up="resize")) == 4 * 2 * 16 + channels[0] * channels[1] * 64 * 9


def test_classes_are_what_the_judge_tells_apart_and_may_be_asked_for(sorted_bars: Path) -> None:
    told: list[str] = []
    made = task(sorted_bars, told.append, flip=None)
    assert made.settings.flip and any(line.startswith("mirror images: mirroring is safe: ") for line in told)
    assert not made.card.classes and made.judge.classes == ("across", "down")
    assert "judge: a small network that learns from the same images, to tell 2 classes apart; " in told[-1]
    assert task(sorted_bars, classes=True).card.classes == ("across", "down")


def test_half_of_the_images_are_mirrored(tmp_path: Path) -> None:
    images, _ = bars(40)
    plain, flipped = (task(gallery(tmp_path / "a"), flip=flip, batch_size=40) for flip in (False, True))
    for made, mirrored in ((plain, False), (flipped, True)):
        real, _, numbers = next(made.batches())[0]
        shown = np.rint((real.numpy() + 1) * 127.5).astype(np.uint8)
        names = [int(re.sub(r"\D", "", made.data.train.names[int(i)])) for i in numbers]
        same = [np.array_equal(one, images[name]) for one, name in zip(shown, names)]
        turned = [np.array_equal(one[:, :, ::-1], images[name]) for one, name in zip(shown, names)]
        assert all(a or b for a, b in zip(same, turned)) and (not all(same)) == mirrored
        assert not mirrored or 8 <= sum(turned) <= 32


def test_the_networks_of_a_penalty_with_batch_norm_are_told_of(grey: Path) -> None:
    told: list[str] = []
    task(grey, told.append, penalty="r1", norm="batch")
    assert "penalty and batch norm: the slope at an image then depends on the others of its batch (--set norm=none)" in told


# ---------------------------------------------------------------------- what a step is

WAYS: list[dict[str, Any]] = [
    *({"loss": loss} for loss in LOSSES),
    {"loss": "wasserstein", "penalty": "gradient", "critic": 2, "classes": True},
    {"loss": "wasserstein", "penalty": "none", "norm": "spectral", "critic": 2},
    {"loss": "hinge", "norm": "spectral"},
    {"loss": "hinge", "norm": "spectral", "classes": True, "up": "resize"},
    {"penalty": "r1", "penalty_weight": 1.0, "augment": True},
    {"smoothing": 0.1, "clip_norm": 1.0, "lr_discriminator": 1e-4},
    {"average": None, "flip": True, "prefetch": 2},
    {"up": "resize", "augment": True},
]


@pytest.mark.parametrize("chosen", WAYS, ids=lambda chosen: "-".join(map(str, [*chosen, *chosen.values()])))
def test_it_trains_in_any_way(chosen: dict[str, Any], sorted_bars: Path) -> None:
    """Both networks move, every number is finite, D(x) and D(G(z)) are chances, and the average follows."""
    made = task(sorted_bars, **{"lr": 0.01, **chosen})
    before = [{name: p.detach().numpy().copy() for name, p in descent.module.named_parameters()} for descent in networks(made)]
    average = {name: value.numpy().copy() for name, value in made.weights().items()}
    found = steps(made, 3)
    for row in found:
        assert row.keys() == {"d_loss", "d_norm", "D(x)", "D(G(z))", "g_loss", "g_norm"}
        assert all(np.isfinite(value) for value in row.values()) and row["d_norm"] > 0 and row["g_norm"] > 0
        assert 0 < row["D(x)"] < 1 and 0 < row["D(G(z))"] < 1
    for descent, was in zip(networks(made), before):
        still = [name for name, p in descent.module.named_parameters() if np.array_equal(p.detach().numpy(), was[name])]
        assert set(still) <= {"last.bias"}  # what all scores have in common, a difference of them has not
    assert any(not np.array_equal(value.numpy(), average[name]) for name, value in made.weights().items())
    assert made.watch.steps == 3


def networks(made: Gan) -> tuple[Any, Any]:
    return made.generator, made.discriminator


def test_the_discriminator_makes_as_many_steps_as_are_asked_for(grey: Path) -> None:
    """Each with other images, the generator one; and the images of all of them count."""
    made = task(grey, loss="wasserstein", batch_size=10)
    counts = {id(made.generator): 0, id(made.discriminator): 0}
    for descent in networks(made):
        real = descent.step

        def counted(losses: Any, descent: Any = descent, real: Any = real) -> Any:
            counts[id(descent)] += 1
            return real(losses)

        descent.step = counted
    batch = next(made.batches())
    units, _ = made.step(batch)
    assert (units, counts[id(made.generator)], counts[id(made.discriminator)]) == (50, 1, 5)
    seen = made.origin(batch).tolist()
    assert len(seen) == 50 and sorted(seen[:40]) == list(range(40))
    names = [made.data.train.names[i] for i in seen]
    assert made.describe(made.origin(batch)) == f"50 images: {', '.join(names[:8])}, ..."


def test_the_real_ones_are_of_the_class_that_is_asked_for(sorted_bars: Path) -> None:
    """The generator is given the labels of the batch, and the discriminator both times."""
    made, asked = task(sorted_bars, classes=True), []
    for descent in networks(made):
        network, real = descent.module, descent.module.forward

        def forward(first: Any, labels: Any = None, real: Any = real) -> Any:
            asked.append(labels.tolist())
            return real(first, labels)

        network.forward = forward
    batch = next(made.batches())
    made.step(batch)
    assert asked == [batch[0][1].tolist()] * 4


@pytest.mark.parametrize(
    ("shape", "ladder"),
    [((31, 47, 1), "31x47 -> 16x24 -> 8x12 -> 4x6"), ((96, 64, 3), "96x64 -> 48x32 -> 24x16 -> 12x8 -> 6x4")],
    ids=str,
)
def test_images_that_are_not_square(shape: tuple[int, int, int], ladder: str, tmp_path: Path) -> None:
    height, width, channels = shape
    told: list[str] = []
    made = task(gallery(tmp_path / "a", 16, height=height, width=width, channels=channels), told.append)
    assert f"ladder: {ladder} (height x width)" in told and made.card.shape == (channels, height, width)
    colours = "grey" if channels == 1 else "colour"
    assert any(line.endswith(f"for {colours} images of {height}x{width}") for line in told)
    assert all(np.isfinite(value) for row in steps(made, 2) for value in row.values())
    found = made.evaluate(iter)
    assert found.keys() == {"frechet", "diversity"}
    assert made.film.last.shape == (16 if height < 65 else 4, channels, height, width)
    assert len(made.sample().splitlines()) == 7


def test_it_learns_bars(tmp_path: Path) -> None:
    """What is made comes nearer to the data by far, and is as diverse."""
    made = task(gallery(tmp_path / "a", 64), steps=150, width=8, noise=8, lr=0.004, batch_size=32, judge_images=2000)
    first = made.measure()
    steps(made, 150)
    found = made.measure()
    assert found["frechet"] < first["frechet"] / 2 and found["diversity"] > 0.5 > 10 * first["diversity"], (first, found)


def test_the_seed_decides_all(grey: Path) -> None:
    one, again, other = (steps(task(grey, seed=seed, augment=True), 3) for seed in (1, 1, 2))
    assert one == again != other


# ---------------------------------------------------------------------- evaluations


def test_an_evaluation_leaves_what_is_learned_alone(grey: Path) -> None:
    """Only the judge learns, once; the film gets a frame, and the watch knows the best distance. Twice it is the same."""
    made = task(grey)
    steps(made, 2)
    before = state(made, "generator", "discriminator", "loader")
    with minigrad.random.fork_rng():
        found = made.evaluate(iter)
        judge = state(made, "judge")
        again = made.evaluate(iter)
    assert found == again and set(found) == {"frechet", "diversity"}
    assert same(before, state(made, "generator", "discriminator", "loader")) and same(judge, state(made, "judge"))
    assert made.watch.best == found["frechet"] and list(made.film.frames) == [2]
    lines = made.sample().splitlines()
    assert len(lines) == 7 and all(set(line) <= {" ", *map(chr, range(0x2800, 0x2900))} for line in lines)
    assert len(made.sample().split()) == 7 * gan.SAMPLES


def state(made: Gan, *names: str) -> dict[str, Any]:
    arrays = take_apart({name: made.state()[name].state_dict() for name in names})[0]
    return {name: array.copy() for name, array in arrays.items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_labels_are_as_often_as_in_the_data(tmp_path: Path) -> None:
    made = task(gallery(tmp_path / "a", 120, classes=True), classes=True)
    made.data.train.labels[:] = np.repeat([0, 1], [90, 30])
    labels = labels_like(made.imaginer, made.data, 64)
    assert labels is not None and np.bincount(labels).tolist() == [48, 16] and len(set(labels[:8].tolist())) == 2
    plain = task(tmp_path / "a")
    assert labels_like(plain.imaginer, plain.data, 64) is None
    assert made.evaluate(iter).keys() == {"frechet", "diversity", "kinds"}


def test_a_training_and_its_film(grey: Path, tmp_path: Path) -> None:
    """A frame for each evaluation, of the same noise; samples in dots; the best weights are kept and imagine images."""
    made = task(grey, steps=13, lr=0.02)
    with Run(tmp_path / "run") as run:
        outcome = fit(made, run, say=lambda line: None)
    evaluations = [row for row in rows_of(tmp_path / "run") if "val/frechet" in row]
    assert [row["step"] for row in evaluations] == list(made.film.frames) == [3, 6, 9, 12, 13]
    means = [row for row in rows_of(tmp_path / "run") if "train/d_loss" in row]
    assert len(means) == 13 and all({"train/D(x)", "train/d_norm", "train/g_norm"} <= row.keys() for row in means)
    assert outcome.status == "finished" and outcome.best == min(row["val/frechet"] for row in evaluations)
    shown = Image.open(io.BytesIO(film_png(list(made.film.frames.values()))))
    assert getattr(shown, "n_frames", 1) == 5
    assert (tmp_path / "run" / "samples.txt").read_text().count("frechet") == 5
    with Image.open(tmp_path / "run" / "samples.png") as picture:
        assert picture.size == (4 * 8 * 12 + 3 * 2, 4 * 8 * 12 + 3 * 2)
    best = Imaginer.load(str(tmp_path / "run"))
    assert best.card == made.card
    noise = best.noise(gan.FRAME)
    assert np.array_equal(best.make(noise), made.film.frames[outcome.best_step])


@pytest.mark.parametrize("classes", [False, True])
def test_the_page(classes: bool, sorted_bars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the best weights, which are not the last: the film stays as it was."""
    for name in ("GRID", "EACH", "ROWS", "STEPS", "BESIDE"):
        monkeypatch.setattr(gan_report, name, 3)
    made, page = task(sorted_bars, classes=classes, lr=0.02), Page("bars")
    steps(made, 1)
    best = {name: value.detach().clone() for name, value in made.weights().items()}
    made.evaluate(iter)
    steps(made, 3)
    made.evaluate(iter)
    frames = {step: frame.copy() for step, frame in made.film.frames.items()}
    made.load_weights(best)
    made.report(page)
    for words in (
        "Fréchet distance",
        "two halves of the data",
        "What it makes",
        "From one to another",
        "Learned by heart?",
        "film",
    ):
        assert words in page.html(), words
    assert "to tell 2 classes apart: distances" in page.html() and "of 2 classes" in page.html()
    assert ("A row for each class: across, down" in page.html()) == classes
    assert [*frames] == [*made.film.frames] == [1, 4]
    assert all(np.array_equal(frames[step], frame) for step, frame in made.film.frames.items())


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("stop", range(4))
def test_an_evaluation_that_is_broken_off(stop: int, grey: Path) -> None:
    """In the midst of the judge's two batches nothing changes; later at most the judge, which is the same each time."""
    made, whole = task(grey), task(grey)
    for each in (made, whole):
        minigrad.manual_seed(0)
        steps(each, 1)
    before = state(made, *made.state())

    def track(items: Any) -> Any:
        nonlocal stop
        for item in items:
            if not stop:
                raise KeyboardInterrupt
            stop -= 1
            yield item

    in_the_judge = stop < 2
    with pytest.raises(KeyboardInterrupt):
        made.evaluate(track)
    assert not made.film.frames and made.watch.best is None
    assert same(before, state(made, *made.state())) == in_the_judge
    assert made.evaluate(iter) == whole.evaluate(iter)
    assert same(state(made, *made.state()), state(whole, *whole.state()))


# ---------------------------------------------------------------------- going back


class Planned(Gan):
    """A task whose evaluations at given steps want to go back."""

    at: tuple[int, ...] = ()

    def measure(self, track: Any = iter) -> dict[str, float]:
        found = super().measure(track)
        if self.watch.steps in self.at:
            self.watch.reason = "the test wants it"
            raise Rollback("the test wants it")
        return found


def planned(data: Path, at: tuple[int, ...], **settings: Any) -> Planned:
    made = Planned(str(data), task(data, **settings).settings)
    made.at = at
    return made


def rates(made: Gan) -> list[float]:
    return [descent.optimizer.param_groups[0]["lr"] for descent in networks(made)]


def train(made: Gan, folder: Path) -> tuple[Any, list[str]]:
    """How a training ended, or the error that did; and what was said of going back."""
    told: list[str] = []
    with Run(folder) as run:
        try:
            end: Any = fit(made, run, say=told.append)
        except DivergedError as error:
            end = error
    return end, [line for line in told if line.startswith("Rolled back")]


def test_the_rates_are_halves_of_those_at_the_beginning(grey: Path) -> None:
    """Absolute: the state that it goes back to has the whole rates again, or halves, and all three times it is the same."""
    made = task(grey, lr=0.004, lr_discriminator=0.001)
    assert rates(made) == [0.004, 0.001]
    for times in (1, 1, 2, 2, 3, 1):
        made.rolled_back(times)
        assert rates(made) == [0.004 / 2**times, 0.001 / 2**times]
    made.rolled_back(0)
    assert rates(made) == [0.004, 0.001] and rates(task(grey, lr=0.004)) == [0.004, 0.004]


def test_after_the_third_time_it_ends_with_the_reason(grey: Path, tmp_path: Path) -> None:
    """What is kept is the best of the states that were accepted."""
    made = planned(grey, (6,), steps=10, lr=0.01)
    end, back = train(made, tmp_path / "run")
    assert end.expected == "two networks that learn at the same speed"
    assert end.got == "3 times the same end, each time with half the rates (the test wants it)"
    assert "The best generator so far is kept" in end.remedy
    assert back == ["Rolled back from step 6 to step 4: the test wants it."] * 3
    rows = rows_of(tmp_path / "run")
    assert [row["rollback"] for row in rows if "rollback" in row] == [1, 2, 3, 4]
    evaluated = {row["val/frechet"]: row["step"] for row in rows if "val/frechet" in row}
    assert [*evaluated.values()] == [2, 4]
    assert "frechet" in (tmp_path / "run" / "report.html").read_text()  # how it went, though it came to no end
    kept, twin = Imaginer.load(str(tmp_path / "run")), task(grey, steps=10, lr=0.01)
    steps(twin, evaluated[min(evaluated)])
    noise = kept.noise(8, seed=3)
    assert np.array_equal(kept.make(noise), twin.imaginer.make(noise))


def test_broken_numbers_end_it_after_the_third_time_too(grey: Path, tmp_path: Path) -> None:
    made = task(grey, steps=10, lr=0.01)
    real = made.step

    def step(batch: Any) -> Any:
        found = real(batch)
        return found._replace(metrics={**found.metrics, "g_loss": math.nan}) if made.watch.steps == 5 else found

    made.step = step  # type: ignore[method-assign]
    end, back = train(made, tmp_path / "run")
    assert end.got == "3 times the same end, each time with half the rates (numbers that are not finite)"
    assert len(back) == 3 and all("to step 4: g_loss: nan at step 5, whose batch was 8 images: " in line for line in back)
    assert (tmp_path / "run" / "report.html").exists()


def test_the_memory_of_a_step_is_seen_to(grey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the images of a batch, at least what a step really keeps of each: its own maps."""
    asked: list[tuple[int, str]] = []
    monkeypatch.setattr(gan, "check_memory", lambda numbers, what, *_: asked.append((numbers, what)))
    made = task(grey)
    assert asked[1] == (8 * kept(made.card), "a step with 8 images")
    held: list[int] = []
    for network in (made.generator.module, made.discriminator.module):
        for layer in network.modules():
            if not any(layer.children()):
                layer.register_forward_hook(lambda _, given, out: held.append(out[0].numel()))
    steps(made, 1)
    assert kept(made.card) <= sum(held)


def test_with_lower_rates_it_goes_on_to_the_end(grey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is read again has them, and knows why."""
    made, real = planned(grey, (6,), steps=10, lr=0.004), Planned.rolled_back

    def rolled_back(self: Planned, times: int) -> None:
        real(self, times)
        self.at = ()

    monkeypatch.setattr(Planned, "rolled_back", rolled_back)
    end, back = train(made, tmp_path / "run")
    assert (end.status, end.step, len(back)) == ("finished", 10, 1)
    again = planned(grey, (), steps=10, lr=0.004)
    assert train(again, tmp_path / "run")[0] == end
    for each in (made, again):
        assert rates(each) == [0.002, 0.002] and each.watch.reason == "the test wants it"
        assert each.watch.steps == 10 and list(each.film.frames) == [2, 4, 6, 8, 10]


@pytest.mark.parametrize("classes", [False, True])
def test_a_planted_collapse_is_caught(classes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a step on the generator makes one image only: it goes back, and again and again, and ends with the reason.

    The bounds are of a generator that has learned next to nothing: it makes fog, of few kinds, and yet not all alike.
    """
    for name, value in (("GRACE", 3), ("ALIKE", 1e-3), ("FEW_KINDS", 0.0), ("HARDLY_ANY", 0.0)):
        monkeypatch.setattr(gan_watch, name, value)
    made = task(gallery(tmp_path / "a", 120, classes=True), steps=20, classes=classes)
    real = made.step

    def step(batch: Any) -> Any:
        found = real(batch)
        if made.watch.steps > 10:
            network: Any = made.generator
            constant(network.module)
            constant(network.learned)
        return found

    made.step = step  # type: ignore[method-assign]
    end, back = train(made, tmp_path / "run")
    reason = "collapse: what the generator makes is nearly all alike, 0.00 times as diverse as the data"
    assert reason in end.got and back == [f"Rolled back from step 12 to step 8: {reason}."] * 3
    kept = Imaginer.load(str(tmp_path / "run"))
    assert gan_watch.spread(kept.make(kept.noise(20), kept.labels(20))) > 1e-4


def test_a_state_that_is_worse_at_the_first_evaluation_ends_it(grey: Path, tmp_path: Path) -> None:
    made = planned(grey, (2,), steps=10)
    with Run(tmp_path / "run") as run, pytest.raises(DivergedError, match=r"none yet \(the test wants it\)"):
        fit(made, run, say=lambda line: None)


def test_a_loss_that_is_no_number_is_told_with_its_images(grey: Path, tmp_path: Path) -> None:
    made = task(grey)
    with minigrad.no_grad():
        made.discriminator.module.last.bias.fill_(float("nan"))  # type: ignore[operator, union-attr]
    with Run(tmp_path / "run") as run, pytest.raises(DivergedError, match=r"whose batch was 8 images: \d+\.png, "):
        fit(made, run, say=lambda line: None)


# ---------------------------------------------------------------------- from another generator


def test_it_begins_with_another_generator(grey: Path, tmp_path: Path) -> None:
    """Its size and colours are kept, and its shape of weights by what the command inherits; the discriminator is new."""
    with Run(tmp_path / "first") as run:
        fit(task(grey, width=3, noise=5, up="resize"), run, say=lambda line: None)
    initial = Initial.of(Trained.open(str(tmp_path / "first")))
    like = Trained.open(str(tmp_path / "first")).config("gan")["model"]
    other = gallery(tmp_path / "large", 20, height=12, width=20, channels=3, seed=1)
    assert set(Gan.inherits) == {"noise", "width", "up"}
    made = task(other, like=like, width=3, noise=5, up="resize")
    assert made.card.shape == (1, 8, 8)
    fresh = {name: value.numpy().copy() for name, value in made.discriminator.module.state_dict().items()}
    with Run(tmp_path / "second") as run:
        fit(made, run, say=lambda line: None, initial=initial)
        config = run.config()
    again = Gan.of(config)
    assert again.card == made.card and again.config() == {key: config[key] for key in again.config()}
    made = task(other, like=like, width=3, noise=5, up="resize")
    kept = minigrad.load(tmp_path / "first" / "model.safetensors")
    made.begin_from(kept)
    assert all(np.array_equal(value.numpy(), kept[name].numpy()) for name, value in made.weights().items())
    now = made.discriminator.module.state_dict()
    assert all(np.array_equal(value.numpy(), fresh[name]) for name, value in now.items())
    first = made.imaginer.make(made.imaginer.noise(4))
    assert np.array_equal(first, Imaginer.load(str(tmp_path / "first")).make(made.imaginer.noise(4)))


def test_another_network_is_refused(grey: Path) -> None:
    first, made = task(grey), task(grey, width=3)
    before = {name: value.numpy().copy() for name, value in made.weights().items()}
    with pytest.raises(StateError):
        made.begin_from(first.weights())
    assert all(np.array_equal(value.numpy(), before[name]) for name, value in made.weights().items())
    with pytest.raises(RunError, match="the model to begin from: expected what the network is"):
        task(grey, like={"classes": ["a"]})


# ---------------------------------------------------------------------- what it refuses

REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"classes": True}, ArgumentError, "classes=true: expected data with classes: a folder .*, got images without classes"),
    ({"loss": "hinge", "smoothing": 0.1}, ArgumentError, "smoothing: expected 0 with loss=hinge, got 0.1. Leave it out"),
    ({"loss": "wasserstein", "smoothing": 0.1}, ArgumentError, "smoothing: expected 0 with loss=wasserstein, got 0.1"),
    ({"smoothing": 0.6}, ArgumentError, "smoothing: expected a number from 0 to 0.5, got 0.6"),
    ({"loss": "l1"}, ArgumentError, "loss: expected one of original, hinge, least-squares, wasserstein, got 'l1'"),
    ({"penalty": "r2"}, ArgumentError, "penalty: expected one of none, gradient, r1, or auto, got 'r2'"),
    ({"norm": "layer"}, ArgumentError, "norm: expected one of batch, spectral, none, or auto, got 'layer'"),
    ({"up": "bicubic"}, ArgumentError, "up: expected one of transposed, resize, got 'bicubic'"),
    ({"channels": 2}, ArgumentError, "channels: expected one of 1, 3, or auto, got 2"),
    *(
        ({"image_size": size}, ArgumentError, f"image_size: expected pixels a side .* 8 to 256, height x width .* got {size!r}")
        for size in (7, 257, -8, "7x9", "300x31", "31x", "x31", "31x47x3", "31.5", "31 x 47", "large", "", "٣١", "9" * 50)
    ),
    ({"batch_size": 1}, ArgumentError, "batch_size: expected a whole number from 2 to 1000000, got 1"),
    ({"beta1": 1.0}, ArgumentError, "beta1: expected a number from 0 to 0.999, got 1.0"),
    ({"average": 1.0}, ArgumentError, "average: expected a number from 0.5 to 0.99999, or auto, got 1.0"),
    ({"critic": 0}, ArgumentError, "critic: expected a whole number from 1 to 100, or auto, got 0"),
    ({"steps": 0}, ArgumentError, "steps: expected a whole number from 1 "),
    ({"width": 10**6, "noise": 10**6}, OutOfMemoryError, r"two networks of [\d,]+ weights: .* width, noise, image_"),
]  # fmt: skip


@pytest.mark.parametrize(("chosen", "kind", "words"), REFUSED, ids=[f"{row[0]}" for row in REFUSED])
def test_settings_that_do_not_go(chosen: dict[str, Any], kind: type[Exception], words: str, grey: Path) -> None:
    with pytest.raises(kind, match=words):
        task(grey, **chosen)


def test_too_few_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected at least 16 different images to learn from, got 15 images"):
        task(gallery(tmp_path / "a", 15))


# ---------------------------------------------------------------------- what a config holds


def test_a_config_makes_the_task_again(grey: Path) -> None:
    made = task(grey, loss="wasserstein", up="resize", image_size=16, channels=3, steps=None)
    first = steps(made, 2)
    again = Gan.of(made.config())
    assert steps(again, 2) == first
    assert again.config() == made.config() and again.total_steps == made.total_steps == 100_000
    assert Card.of(made.config()["model"], "config.json") == made.card == again.card
    assert json.loads(json.dumps(made.config())) == made.config()
    with pytest.raises(RunError, match="expected data, data_digest and settings, as minigrad train gan writes them"):
        Gan.of({**made.config(), "settings": {"loss": "l1"}})
    gallery(grey, seed=1)
    with pytest.raises(DataError, match="expected the images that the run began with, got others"):
        Gan.of(made.config())
    for path in grey.iterdir():
        path.unlink()
    grey.rmdir()
    with pytest.raises(DataError, match="expected the images that the run began with, got nothing of that name"):
        Gan.of(made.config())
