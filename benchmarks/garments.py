"""Images that are made, by us and by PyTorch's DCGAN example: the same layers, steps and data, seen by one classifier of ours.

    python -m minigrad.benchmarks.garments [--judge RUN] [--steps 10000] [--seeds 0,1,2] [--width 64] [--set KEY=VALUE] [--json]

RUN is the folder of a classifier that was trained on the training set, ``minigrad train classify --data fashion-mnist --out
RUN``; where there is none it is trained there first. For each seed two generators are trained: ours as ``minigrad train gan``
does, its settings those of ``--set``, without a look at it on the way; and one as PyTorch's example of a DCGAN is:
binary cross-entropy, Adam at 2e-4 with betas 0.5 and 0.999, batches of 64, weights from a normal law of deviation 0.02, no
average of the weights. Each then makes ``--samples`` images. Told are

- the Fréchet distance of their features from those of the training set, features being what the classifier's last layer sees,
  beside that of the test set from the training set. PyTorch's generator has the better of batch norm by running means and
  by those of each batch, which the example itself uses;
- the least share that a class has among the images, as the classifier sees them.

Exit code: 0 where the median of our distances is at most 1.1 times PyTorch's, each class has 3 % of our images for every seed,
and the judge has 92 % of the test set right; 1 where not, 2 for an error.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad import nn
from minigrad.data import DataLoader, LabelledImages
from minigrad.data.augment import Augmented
from minigrad.data.images import load
from minigrad.errors import ArgumentError, MinigradError, RunError
from minigrad.models.classifier import Classifier
from minigrad.models.classify import RECIPES, Classify, ClassifySettings
from minigrad.models.frechet import Law, distance
from minigrad.models.gan import Gan, GanSettings
from minigrad.models.imaginer import Imaginer
from minigrad.show.pictures import image_grid
from minigrad.show.progress import track
from minigrad.train import Run, fit

WHERE = "benchmarks.garments"
JUDGE = "runs/garments-judge"
RATE, BETAS, BATCH = 2e-4, (0.5, 0.999), 64  # of PyTorch's example
RATIO, SHARE, RIGHT = 1.1, 0.03, 0.92  # wanted: of the distances at most, of each class and of the judge's answers at least
PART = 250  # images that are looked at, or made by PyTorch, at once
GRID = 64  # images of a picture


class Seen(NamedTuple):
    """What the judge says of images: their law, and how often it takes them for each class, of 1."""

    law: Law
    shares: list[float]


class Eye:
    """A classifier, of which the features in front of its last layer are looked at.

    Args:
        classifier: ours.

    Raises:
        ArgumentError: it has no linear layer.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        layers = [layer for layer in classifier.network.modules() if isinstance(layer, nn.Linear)]
        if not layers:
            raise ArgumentError(WHERE, "--judge", "a network whose last layer is linear", classifier.card.network)
        self.last = layers[-1]

    def look(self, images: np.ndarray) -> Seen:
        """What it sees of images, uint8 (N, C, H, W)."""
        features, answers = [], []
        handle = self.last.register_forward_pre_hook(lambda _, given: features.append(given[0].detach().cpu().numpy()))
        try:
            for start in range(0, len(images), PART):
                answers.append(self.classifier(images[start : start + PART]).argmax(1))
        finally:
            handle.remove()
        counts = np.bincount(np.concatenate(answers), minlength=len(self.classifier.card.classes))
        return Seen(Law.of(np.concatenate(features)), (counts / len(images)).tolist())


class Example:
    """PyTorch's example of a DCGAN, with the layers of ``minigrad.models.dcgan``.

    Args:
        images: to learn from.
        width, noise: of the networks.
        seed: of all that is drawn.

    Raises:
        ArgumentError: no PyTorch.
    """

    def __init__(self, images: LabelledImages, width: int, noise: int, seed: int) -> None:
        from minigrad.benchmarks.source import model_source, run_source

        if importlib.util.find_spec("torch") is None:
            raise ArgumentError(WHERE, "torch", "PyTorch, to compare with", "none", "Install the extra peer")
        import torch

        self.torch, self.noise, self.seed = torch, noise, seed
        torch.manual_seed(seed)
        names = run_source(model_source("dcgan"), "torch")
        channels, height, side = images.shape
        self.generator: Any = names["Generator"]((height, side), channels, noise=noise, width=width)
        self.discriminator: Any = names["Discriminator"]((height, side), channels, width=width)
        self.rules = [torch.optim.Adam(net.parameters(), lr=RATE, betas=BETAS) for net in (self.generator, self.discriminator)]
        order = minigrad.Generator().manual_seed(seed)
        self.loader = DataLoader(
            Augmented(images, seed, mean=0.5, std=0.5), batch_size=min(BATCH, len(images)), shuffle=True, drop_last=True,
            generator=order, num_workers=1,
        )  # fmt: skip

    def train(self, steps: int) -> None:
        """So many steps of both networks."""
        torch = self.torch
        cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
        generator, discriminator = self.generator.train(), self.discriminator.train()
        batches = itertools.chain.from_iterable(self.loader for _ in itertools.count())
        for x, *_ in track(itertools.islice(batches, steps), total=steps, describe="torch", unit="steps"):
            real = torch.from_numpy(x.numpy())
            ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
            self.rules[1].zero_grad()
            cross_entropy(discriminator(real), ones).backward()
            made = generator(torch.randn(len(real), self.noise))
            cross_entropy(discriminator(made.detach()), zeros).backward()
            self.rules[1].step()
            self.rules[0].zero_grad()
            cross_entropy(discriminator(made), ones).backward()
            self.rules[0].step()

    def make(self, count: int, *, running: bool) -> np.ndarray:
        """So many images, uint8; by running means of batch norm, or by those of each batch of 64."""
        torch = self.torch
        torch.manual_seed(self.seed)
        state = {name: value.clone() for name, value in self.generator.state_dict().items()}
        self.generator.train(not running)
        with torch.no_grad():
            parts = [self.generator(torch.randn(BATCH, self.noise)).numpy() for _ in range(-(-count // BATCH))]
        self.generator.load_state_dict(state)
        return np.rint(np.clip((np.concatenate(parts)[:count] + 1) * 127.5, 0, 255)).astype(np.uint8)


def judge_of(folder: str, data: str, words: Sequence[str] = ()) -> Classifier:
    """The classifier of a run folder; it is trained there where there is none, or gone on with where it was broken off.

    Args:
        folder: of the run.
        data: that it learns from.
        words: settings of a new one.

    Raises:
        MinigradError: what training and reading it raise.
    """
    if not os.path.exists(os.path.join(folder, "report.html")):
        with Run(folder) as run:
            if run.exists():
                task = Classify.of(run.config())
            else:
                task = Classify(data, ClassifySettings.parse(words, RECIPES.get(data)), _tell)
            if fit(task, run).status == "interrupted":
                raise RunError(WHERE, folder, "a classifier that is trained", "one that was interrupted", "Begin again")
    return Classifier.load(folder)


def ours(data: str, seed: int, steps: int, width: int, words: Sequence[str]) -> tuple[Gan, Imaginer]:
    """The task and what its generator has become after so many steps.

    Raises:
        MinigradError: what the task refuses.
    """
    settings = GanSettings.parse(words, {"width": width, "steps": steps, "seed": seed})
    task = Gan(data, settings, _tell if not seed else lambda line: None)
    for batch in track(itertools.islice(task.batches(), steps), total=steps, describe=f"minigrad, seed {seed}", unit="steps"):
        task.step(batch)
    return task, task.imaginer


def compare(
    judge: str, data: str, steps: int, seeds: Sequence[int], width: int, samples: int, words: Sequence[str] = (),
    keep: str | None = None, judge_words: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Both trainings for each seed, and what the judge sees of what they make.

    Args:
        judge: the run folder of the classifier.
        data: a named set that has a test part.
        steps, seeds, width: of both trainings.
        samples: images that each makes.
        words: settings of ours, ``key=value``.
        keep: a folder for a picture of what each makes.
        judge_words: settings of a judge that is to be trained.

    Raises:
        ArgumentError: numbers out of range, no PyTorch, or a judge of other images.
        MinigradError: what training and reading raise.
    """
    for option, value, least in (("--steps", steps, 1), ("--samples", samples, 2), ("--width", width, 1)):
        if value < least:
            raise ArgumentError(WHERE, option, f"at least {least}", str(value))
    if importlib.util.find_spec("torch") is None:
        raise ArgumentError(WHERE, "torch", "PyTorch, to compare with", "none", "Install the extra peer")
    eye, arrays = Eye(judge_of(judge, data, judge_words)), load(data)
    if eye.classifier.card.shape != arrays.train_images.shape[1:]:
        raise ArgumentError(
            WHERE, "--judge", f"one of images of {arrays.train_images.shape[1:]}", f"of {eye.classifier.card.shape}"
        )
    train, test = eye.look(arrays.train_images), eye.look(arrays.test_images)
    right = float((_answers(eye, arrays.test_images) == arrays.test_labels).mean())
    found: dict[str, Any] = {"steps": steps, "samples": samples, "classes": list(eye.classifier.card.classes), "seeds": {}}
    found |= {"judge": right, "test": distance(test.law, train.law)}
    for seed in seeds:
        began = time.perf_counter()
        task, imaginer = ours(data, seed, steps, width, words)
        middle = time.perf_counter()
        example = Example(task.data.train, width, task.settings.noise, seed)
        example.train(steps)
        ended = time.perf_counter()
        images = {
            "minigrad": imaginer.make(imaginer.noise(samples, seed=seed), imaginer.labels(samples)),
            "running": example.make(samples, running=True),
            "batches": example.make(samples, running=False),
        }
        row: dict[str, Any] = {"seconds": {"minigrad": middle - began, "torch": ended - middle}}
        seen = {name: eye.look(made) for name, made in images.items()}
        far = {name: distance(one.law, train.law) for name, one in seen.items()}
        better = min(("running", "batches"), key=far.__getitem__)
        row["norm"] = better
        for name, key in (("minigrad", "minigrad"), ("torch", better)):
            row[name] = {"frechet": far[key], "shares": seen[key].shares}
            if keep:
                Path(keep).mkdir(parents=True, exist_ok=True)
                Path(keep, f"{name}-{seed}.png").write_bytes(image_grid(images[key][:GRID], columns=8, scale=2))
        row["ratio"] = far["minigrad"] / max(far[better], 1e-12)
        found["seeds"][seed] = row
        _tell(_line(seed, row))
    for name in ("minigrad", "torch"):
        found[name] = statistics.median(row[name]["frechet"] for row in found["seeds"].values())
    found["ratio"] = found["minigrad"] / max(found["torch"], 1e-12)
    found["least"] = min(min(row["minigrad"]["shares"]) for row in found["seeds"].values())
    return found


def _answers(eye: Eye, images: np.ndarray) -> np.ndarray:
    return np.concatenate([eye.classifier(images[start : start + PART]).argmax(1) for start in range(0, len(images), PART)])


def _line(seed: int, row: dict[str, Any]) -> str:
    least = " ".join(f"{100 * min(row[name]['shares']):8.1f} %" for name in ("minigrad", "torch"))
    far = " ".join(f"{row[name]['frechet']:10.3f}" for name in ("minigrad", "torch"))
    return f"{seed:6d} {far} {row['ratio']:7.3f} {least}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def table(found: dict[str, Any]) -> list[str]:
    """What was found, as lines."""
    lines = [
        f"the judge has {100 * found['judge']:.2f} % of the test set right",
        f"Fréchet distances from the training set; that of the test set is {found['test']:.3f}",
        f"after {found['steps']:,} steps, of {found['samples']:,} images: distances, and the least share of a class",
        f"{'seed':>6} {'minigrad':>10} {'torch':>10} {'ratio':>7} {'minigrad':>10} {'torch':>10}",
    ]
    lines += [_line(seed, row) for seed, row in found["seeds"].items()]
    lines.append(f"median {found['minigrad']:10.3f} {found['torch']:10.3f} {found['ratio']:7.3f} {100 * found['least']:8.1f} %")
    for number, name in enumerate(found["classes"]):
        shares = " ".join(f"{100 * row['minigrad']['shares'][number]:5.1f}" for row in found["seeds"].values())
        lines.append(f"  % of our images that are taken for {name}: {shares}")
    return lines


def whole_numbers(text: str) -> list[int]:
    """Numbers with commas between them.

    Example:
        >>> whole_numbers("0,1,2")
        [0, 1, 2]
    """
    return [int(part) for part in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, compare and tell; the exit code."""
    about = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m minigrad.benchmarks.garments", description=about)
    parser.add_argument(
        "--judge", default=JUDGE, metavar="RUN", help="the folder of a classifier; one is trained there if there is none"
    )
    parser.add_argument("--data", default="fashion-mnist", help="a named set with a test part")
    parser.add_argument("--steps", type=int, default=10_000, help="of each training")
    parser.add_argument("--seeds", type=whole_numbers, default=[0, 1, 2], help="with commas between them")
    parser.add_argument("--width", type=int, default=64, help="filters next to the image")
    parser.add_argument("--samples", type=int, default=5_000, help="images that each makes")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of minigrad train gan")
    parser.add_argument(
        "--judge-set", action="append", default=[], metavar="KEY=VALUE", help="a setting of minigrad train classify"
    )
    parser.add_argument("--keep", metavar="FOLDER", help="for a picture of what each makes")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        found = compare(
            chosen.judge, chosen.data, chosen.steps, chosen.seeds, chosen.width, chosen.samples, chosen.set, chosen.keep,
            chosen.judge_set,
        )  # fmt: skip
    except MinigradError as error:
        parser.error(str(error))
    print(json.dumps(found, indent=1) if chosen.json else "\n".join(table(found)))
    return 0 if found["ratio"] <= RATIO and found["least"] >= SHARE and found["judge"] >= RIGHT else 1


if __name__ == "__main__":
    sys.exit(main())
