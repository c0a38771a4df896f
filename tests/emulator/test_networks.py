"""Small versions of the benchmarks' networks, trained with the CUDA kernels, on the emulator or a GPU, beside the CPU.

From the same weights and inputs: the first step's losses and gradients agree; in ten steps the two drift apart no further than
four times what two implementations on the CPU do; and a step copies nothing to or from the device but the loss it returns.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad
from minigrad import kernels, optim
from minigrad.bench.workload import Workload
from minigrad.benchmarks import WORKLOADS
from minigrad.core.device import device, module_for
from minigrad.kernels import registry
from minigrad.models.char_lstm import CELLS
from minigrad.models.gan import Gan, GanSettings
from minigrad.models.handwriting_task import Handwriting, HandwritingSettings
from minigrad.models.text import Text, TextSettings
from minigrad.models.translate import Translate, TranslateSettings
from tests import small_galleries, small_hands, small_translators
from tests.texts import TINY, poem

NAMES = ["small-cnn", "resnet20", "dcgan", "dcgan-28", "char-lstm-128", "seq2seq", "input-feeding", "handwriting", "perceptron"]
STEPS = 10
APART = 4.0  # times the distance between two implementations on the CPU


class Run(NamedTuple):
    """What a training gave.

    Attributes:
        losses: of each step.
        gradients: of each parameter of each optimiser, at the first update.
        weights: of all of them after each step, as one vector.
    """

    losses: list[float]
    gradients: list[np.ndarray]
    weights: list[np.ndarray]


def workload(name: str) -> Workload:
    module, _, attribute = WORKLOADS[name].partition(":")
    found: Workload = getattr(importlib.import_module(module), attribute)
    return found


def trained(name: str, where: str, steps: int = STEPS) -> Run:
    """A network's training on a device, all of it watched at the optimisers."""
    made: list[optim.Optimizer] = []
    gradients: dict[int, list[np.ndarray]] = {}
    begin, update = optim.Optimizer.__init__, optim.Optimizer.step

    def watched(self: optim.Optimizer, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        made.append(self)

    def parameters(one: optim.Optimizer) -> list[Any]:
        return [p for group in one.param_groups for p in group["params"]]

    def noted(one: optim.Optimizer, *args: Any) -> Any:
        found = [p.grad.cpu().numpy().copy() for p in parameters(one) if p.grad is not None]
        gradients.setdefault(made.index(one), found)
        return update(one, *args)

    with pytest.MonkeyPatch.context() as patch, minigrad.default_device(where):
        patch.setattr(optim.Optimizer, "__init__", watched)
        patch.setattr(optim.Optimizer, "step", noted)
        minigrad.manual_seed(0)
        one = workload(name)
        step = one.make(minigrad, **{**one.sizes, **one.small})
        losses, weights = [], []
        for _ in range(steps):
            losses.append(step())
            weights.append(np.concatenate([p.detach().cpu().numpy().ravel() for o in made for p in parameters(o)]))
    return Run(losses, [each for number in sorted(gradients) for each in gradients[number]], weights)


WHERE = [pytest.param((name, "emulated"), id=name) for name in NAMES]
WHERE += [pytest.param((name, "cuda"), id=f"{name}-cuda", marks=pytest.mark.gpu) for name in NAMES]


@pytest.fixture(scope="module", params=WHERE)
def runs(request: pytest.FixtureRequest) -> Iterator[tuple[Run, Run, Run]]:
    """A network's training on the emulator or a GPU, on the CPU, and on the CPU in array arithmetic."""
    name, where = request.param
    plain = dict.fromkeys(registry.families(), "vectorised")
    with kernels.use(**plain):
        other = trained(name, "cpu")
    yield trained(name, where), trained(name, "cpu"), other


def test_the_first_step_is_the_cpus(runs: tuple[Run, Run, Run]) -> None:
    there, here, _ = runs
    assert there.losses[0] == pytest.approx(here.losses[0], rel=1e-5)
    assert len(there.gradients) == len(here.gradients) > 0
    for number, (got, want) in enumerate(zip(there.gradients, here.gradients, strict=True)):
        assert np.linalg.norm(got - want) <= 1e-4 * np.linalg.norm(want), f"gradient {number}, shape {want.shape}"


def test_ten_steps_drift_as_two_on_the_cpu_do(runs: tuple[Run, Run, Run]) -> None:
    there, here, other = runs
    moved = np.linalg.norm(here.weights[-1] - here.weights[0])
    distances = [np.linalg.norm(each.weights[-1] - here.weights[-1]) for each in (there, other)]
    assert moved > 1000 * distances[1], "ten steps go further than rounding does"
    assert distances[0] <= APART * distances[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_step_copies_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = workload(name)
    cp: Any = module_for(device("emulated"))
    with minigrad.default_device("emulated"):
        step = one.make(minigrad, **{**one.sizes, **one.small})
        step()
        monkeypatch.setattr(minigrad.Tensor, "item", lambda self: 0.0)  # the step's loss, which alone is wanted on the CPU
        with cp.counted() as seen:
            step()
    assert (seen.to_device, seen.to_host, seen.synchronisations) == (0, 0, 0), seen.told()
    assert seen.launches > 0


@pytest.mark.parametrize("where", ["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("cell", CELLS)
def test_the_task_text_is_the_cpus(cell: str, where: str, tmp_path: Path) -> None:
    """Three steps, the state carried on there, what they make of the weights, and a measure; a checkpoint changes sides."""
    path = str(poem(tmp_path / "poem.txt"))
    settings = TextSettings.of({**TINY, "cell": cell, "dropout": 0.0, "lr": 0.01, "schedule": "constant"})

    def made(place: str) -> Text:
        with minigrad.default_device(place):
            return Text(path, settings)

    here, there = made("cpu"), made(where)
    here.begin_from({name: tensor.cpu() for name, tensor in there.weights().items()})
    texts = here.batches(), there.batches()
    for step in range(3):
        losses = [float(one.step(next(text)).metrics["loss"]) for one, text in zip((here, there), texts, strict=True)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5), step
    assert there.carried.state is not None and {part.device.type for part in there.carried.state} == {where}
    for (name, one), other in zip(here.weights().items(), there.weights().values(), strict=True):
        assert np.abs(one.numpy() - other.cpu().numpy()).max() <= 1e-3 * np.abs(one.numpy()).max(), name
    losses = [one.evaluate(iter)["loss"] for one in (here, there)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    with minigrad.default_device(where):
        assert len(there.sample()) == TINY["sample"]
    file = tmp_path / "state.safetensors"
    minigrad.save({name: dict(part.state_dict()) for name, part in there.state().items()}, file)
    again = made("cpu")
    for name, part in again.state().items():
        part.load_state_dict(minigrad.load(file)[name])
    texts = again.batches(), texts[1]
    losses = [float(one.step(next(text)).metrics["loss"]) for one, text in zip((again, there), texts, strict=True)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_step_of_text_sends_its_characters_and_nothing_else(tmp_path: Path) -> None:
    cp: Any = module_for(device("emulated"))
    with minigrad.default_device("emulated"):
        task = Text(str(poem(tmp_path / "poem.txt")), TextSettings.of({**TINY, "clip_norm": 1.0}))
        batches = task.batches()
        task.step(next(batches))
        batch = next(batches)
        with cp.counted() as seen:
            task.step(batch)
    assert (seen.to_device, seen.to_host) == (1, 0), seen.told()


@pytest.mark.parametrize("where", ["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_the_task_handwriting_is_the_cpus(where: str, tmp_path: Path) -> None:
    """Two steps, what they make of the weights, a measure, and what it writes; a checkpoint changes sides."""
    path = str(small_hands.hand(tmp_path / "mine.json", 12))
    settings = HandwritingSettings.of({**small_hands.TINY, "dropout": 0.0, "lr": 0.01, "schedule": "constant"})

    def made(place: str) -> Handwriting:
        with minigrad.default_device(place):
            return Handwriting(path, settings)

    here, there = made("cpu"), made(where)
    here.begin_from({name: tensor.cpu() for name, tensor in there.weights().items()})
    batches = here.batches(), there.batches()
    for step in range(2):
        losses = [float(one.step(next(some)).metrics["loss"]) for one, some in zip((here, there), batches, strict=True)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5), step
    for (name, one), other in zip(here.weights().items(), there.weights().values(), strict=True):
        assert other.device.type == where
        assert np.abs(one.numpy() - other.cpu().numpy()).max() <= 1e-3 * np.abs(one.numpy()).max(), name
    losses = [one.evaluate(iter)["loss"] for one in (here, there)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    with minigrad.default_device(where):
        writings = [one.scribe.write(["l"], seed=1)[0].strokes.points[:3] for one in (here, there)]
    np.testing.assert_allclose(*writings, rtol=1e-2, atol=1e-2)
    file = tmp_path / "state.safetensors"
    minigrad.save({name: dict(part.state_dict()) for name, part in there.state().items()}, file)
    again = made("cpu")
    for name, part in again.state().items():
        part.load_state_dict(minigrad.load(file)[name])
    batches = again.batches(), batches[1]
    losses = [float(one.step(next(some)).metrics["loss"]) for one, some in zip((again, there), batches, strict=True)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_step_of_handwriting_brings_nothing_back(tmp_path: Path) -> None:
    """Points, texts and lengths are sent, and which rows belong together; the lengths are read where they were made."""
    cp: Any = module_for(device("emulated"))
    with minigrad.default_device("emulated"):
        task = Handwriting(str(small_hands.hand(tmp_path / "mine.json", 12)), HandwritingSettings.of(small_hands.TINY))
        batches = task.batches()
        task.step(next(batches))
        batch = next(batches)
        with cp.counted() as seen:
            task.step(batch)
    assert seen.to_host == 0 and seen.to_device <= 12, seen.told()


@pytest.mark.parametrize("where", ["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize(
    "chosen",
    [{}, {"cell": "gru", "attention": "normed"}, {"attention": "none"}],
    ids=lambda one: "-".join(one.values()) or "usual",
)
def test_the_task_translate_is_the_cpus(chosen: dict[str, Any], where: str, tmp_path: Path) -> None:
    """Two steps, the mean of what they make of the weights, a measure, and translations; a checkpoint changes sides."""
    path = str(small_translators.pairs(tmp_path / "spa.tsv", 24))
    words = {"dropout": 0.0, "lr": 0.01, "schedule": "constant", "judged": 2, **chosen}
    settings = TranslateSettings.of({**small_translators.TINY, **words})

    def made(place: str) -> Translate:
        with minigrad.default_device(place):
            return Translate(path, settings)

    here, there = made("cpu"), made(where)
    here.begin_from({name: tensor.cpu() for name, tensor in there.weights().items()})
    batches = here.batches(), there.batches()
    for step in range(2):
        losses = [float(one.step(next(some)).metrics["loss"]) for one, some in zip((here, there), batches, strict=True)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5), step
    for (name, one), other in zip(here.weights().items(), there.weights().values(), strict=True):
        assert other.device.type == where
        assert np.abs(one.numpy() - other.cpu().numpy()).max() <= 1e-3 * np.abs(one.numpy()).max(), name
    losses = [one.evaluate(iter)["loss"] for one in (here, there)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    texts = [pair.source for pair in here.data.validation]
    both = [one.translator.search(texts[:1], width=2)[0][0] for one in (here, there)]
    assert both[0].text == both[1].text and both[0].score == pytest.approx(both[1].score, rel=1e-4)
    file = tmp_path / "state.safetensors"
    minigrad.save({name: dict(part.state_dict()) for name, part in there.state().items()}, file)
    again = made("cpu")
    for name, part in again.state().items():
        part.load_state_dict(minigrad.load(file)[name])
    batches = again.batches(), batches[1]
    losses = [float(one.step(next(some)).metrics["loss"]) for one, some in zip((again, there), batches, strict=True)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("where", ["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize(
    "chosen",
    [{"classes": True, "norm": "spectral"}, {"loss": "wasserstein", "critic": 2, "up": "resize"}, {"penalty": "r1"}],
    ids=lambda chosen: next(iter(chosen)),
)
def test_the_task_gan_is_the_cpus(chosen: dict[str, Any], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps from the same draws, the judge, a measure, and images; a checkpoint changes sides."""
    small_galleries.quickly(monkeypatch)
    path = small_galleries.gallery(tmp_path / "bars", 120, classes=True)
    settings = GanSettings.of({**small_galleries.TINY, "augment": True, "lr": 0.003, **chosen})

    def made(place: str) -> tuple[Gan, list[dict[str, float]]]:
        with minigrad.default_device(place):
            one = Gan(str(path), settings)
            return one, small_galleries.steps(one, 3)

    (here, rows), (there, others) = made("cpu"), made(where)
    parts = (there.generator.module, there.generator.learned, there.discriminator.module)
    assert {tensor.device.type for part in parts for tensor in part.state_dict().values()} == {where}
    for row, other in zip(rows, others, strict=True):
        assert row == pytest.approx(other, rel=2e-3, abs=1e-5)
    with minigrad.default_device(where):
        assert there.evaluate(iter) == pytest.approx(here.evaluate(iter), rel=2e-3)
    assert np.abs(here.film.last.astype(int) - there.film.last).max() <= 1
    file = tmp_path / "state.safetensors"
    minigrad.save({name: dict(part.state_dict()) for name, part in there.state().items()}, file)
    again, _ = made("cpu")
    for name, part in again.state().items():
        part.load_state_dict(minigrad.load(file)[name])
    assert again.sample() == there.sample()
    assert again.measure() == pytest.approx(here.measure(), rel=2e-3)


def test_a_step_of_gan_brings_three_numbers_back(tmp_path: Path) -> None:
    """D(x) and D(G(z)), which the watch sees, and how often the average was taken; the images are sent."""
    cp: Any = module_for(device("emulated"))
    with minigrad.default_device("emulated"):
        path = small_galleries.gallery(tmp_path / "bars", 120, classes=True)
        task = Gan(str(path), GanSettings.of({**small_galleries.TINY, "classes": True, "norm": "spectral"}))
        batches = task.batches()
        task.step(next(batches))
        batch = next(batches)
        with cp.counted() as seen:
            task.step(batch)
    assert seen.to_device == 0 and seen.to_host <= 4, seen.told()  # one is whether a label was out of range
