"""Tree crowns on aerial photos: the same detector, from the same weights, trained for the same time by us and by PyTorch.

    python -m minigrad.benchmarks.crowns FOLDER [--minutes 15] [--seeds 0,1,2] [--set KEY=VALUE] [--json]

The data are DeepForest's four photos, of which some columns of tiles are held out to test by; ``--set split=photo`` holds out
whole photos. The code of the detector is that of ``minigrad.models.detector``, with the layers of either library; the batches,
AdamW, its schedule, the clipping and the average of the weights are the same. How many steps a library has in so many minutes
is measured before it begins. PyTorch has no ops on boxes: its side has those of ``minigrad.benchmarks.regions``, in its plain
ops, and not torchvision's, which are C++.

Told are, of the held-out part, the average precision at an overlap of 0.5 (AP50) and the recall of 100 proposals, after the
last step: medians over the seeds, and each.

A training that is done is noted in FOLDER; called again, the command goes on with those that are missing. Exit code: 0 where
the median of our AP50 is at least PyTorch's less 0.02, 1 where not, 2 for an error.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.benchmarks import beside
from minigrad.benchmarks.garments import whole_numbers
from minigrad.benchmarks.source import model_source, run_source
from minigrad.errors import ArgumentError, MinigradError, RunError
from minigrad.interop.atomic import write_atomically
from minigrad.models.detect import Detect, DetectSettings
from minigrad.models.finder import Finder
from minigrad.show.progress import track

WHERE = "benchmarks.crowns"
DATA = "deepforest"
LESS = 0.02  # of AP50, by which ours may be below PyTorch's


class PeerFinder(Finder):
    """A detector of PyTorch's with all that it takes to find objects."""

    def tensor(self, images: Sequence[np.ndarray]) -> Any:
        """Images on one canvas, a tensor of PyTorch's."""
        return importlib.import_module("torch").from_numpy(self.canvas(images))


class Peer:
    """A task's detector in PyTorch, from the same weights, by the same rule.

    Args:
        task: ours, before its first step.

    Attributes:
        net, learned: PyTorch's, and the average of its weights where the task has one.
    """

    def __init__(self, task: Detect) -> None:
        torch = importlib.import_module("torch")
        names = run_source(model_source("detector"), "torch")
        self.task, card = task, task.card
        self.net: Any = names["Detector"](len(card.classes), card.channels, **card.options)
        self.net.load_state_dict(beside.weights_of(task.descent.module.state_dict()))
        self.rule, self.average = beside.Rule(task, self.net), None
        if decay := task.settings.average:
            averages = importlib.import_module("torch.optim.swa_utils")

            def update(means: Any, now: Any, count: Any) -> None:
                averages.get_ema_multi_avg_fn(min(decay, (1 + int(count)) / (10 + int(count))))(means, now, count)

            self.average = averages.AveragedModel(self.net, multi_avg_fn=update, use_buffers=True)
        self.chance = np.random.default_rng(task.settings.seed)
        self.zero = torch.zeros(())

    @property
    def finder(self) -> PeerFinder:
        """The detector, as far as it is trained: its average where there is one."""
        return PeerFinder(self.task.card, self.net if self.average is None else self.average.module)

    def step(self, batch: Any) -> float:
        """One step; gives the loss."""
        images, targets, _ = batch
        x = PeerFinder(self.task.card, self.net).tensor(list(images))
        losses = self.net.train().losses(x, targets, [tuple(images.shape[2:])] * len(images), self.chance)
        found = self.rule.step(sum(losses.values(), self.zero))
        if self.average is not None:
            self.average.update_parameters(self.net)
        return found


def ours(task: Detect) -> tuple[Callable[[Any], Any], Callable[[], Finder]]:
    """A step of ours of a batch, and the detector that comes of it; draws are NumPy's, as they are for PyTorch."""
    task.chance = np.random.default_rng(task.settings.seed)
    return lambda batch: float(task.step(batch).metrics["loss"]), lambda: task.finder


def theirs(task: Detect) -> tuple[Callable[[Any], Any], Callable[[], Finder]]:
    """The same of PyTorch's."""
    peer = Peer(task)
    return peer.step, lambda: peer.finder


LIBRARIES = {"minigrad": ours, "torch": theirs}


def one(library: str, data: str, settings: DetectSettings, minutes: float, steps: int | None) -> dict[str, Any]:
    """A training by a library, and how good its detector is on the held-out part.

    Args:
        library: of ``LIBRARIES``.
        data: a named set or a path.
        settings: but for the steps.
        minutes: that it takes, about.
        steps: in place of minutes.

    Raises:
        MinigradError: what the task refuses.
    """
    if steps is None:
        task = Detect(data, settings)
        step, _ = LIBRARIES[library](task)
        batches = task.batches()
        steps = beside.steps_in(minutes, lambda: step(next(batches)))
    task = Detect(data, DetectSettings.of({**settings.to_dict(), "steps": steps}))
    step, finder = LIBRARIES[library](task)
    batches, losses = task.batches(), []
    began = time.perf_counter()
    for _ in track(range(steps), total=steps, describe=f"{library}, seed {settings.seed}", unit="steps"):
        losses.append(step(next(batches)))
    seconds = time.perf_counter() - began
    part = task.data.validation if task.data.test is None else task.data.test
    metrics = finder().judge(part).metrics
    return {
        "library": library, "seed": settings.seed, "steps": steps, "seconds": seconds, "loss": losses[-1],
        "images": len(part), "split": task.data.split, **metrics,
    }  # fmt: skip


def noted(place: Path) -> dict[str, Any] | None:
    """What is noted of a training; ``None``: nothing.

    Raises:
        RunError: something else.
    """
    if not place.exists():
        return None
    try:
        row = json.loads(place.read_text(encoding="utf-8"))
        sound = isinstance(row, dict) and {"library", "seed", "steps", "seconds", "ap50"} <= row.keys()
    except (OSError, ValueError):
        sound = False
    if not sound:
        expected, got = "figures of a training that is done", "nothing of that kind, or damaged"
        raise RunError(WHERE, str(place), expected, got, "Remove it, and call this again")
    return row


def compare(
    folder: str,
    data: str,
    minutes: float,
    seeds: Sequence[int],
    words: Sequence[str] = (),
    steps: int | None = None,
) -> dict[str, Any]:
    """Both trainings for each seed.

    Args:
        folder: where it is noted which are done.
        data: a named set or a path.
        minutes: for each, about.
        seeds: of both.
        words: settings of both, ``key=value``.
        steps: in place of minutes.

    Raises:
        ArgumentError: numbers out of range, or no PyTorch.
        MinigradError: as ``one`` and ``noted`` say.
    """
    if not minutes > 0:
        raise ArgumentError(WHERE, "--minutes", "more than 0", f"{minutes:g}")
    if steps is not None and steps < 1:
        raise ArgumentError(WHERE, "--steps", "at least 1", str(steps))
    if importlib.util.find_spec("torch") is None:
        raise ArgumentError(WHERE, "torch", "PyTorch, to compare with", "none", "Install the extra peer")
    given, home = DetectSettings.parse(words).to_dict(), Path(os.path.expanduser(folder))
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        for library in LIBRARIES:
            place = home / f"{library}-{seed}.json"
            row = noted(place)
            if row is None:
                row = one(library, data, DetectSettings.of({**given, "seed": seed}), minutes, steps)
                try:
                    home.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    got = error.strerror or str(error)
                    raise RunError(WHERE, folder, "a folder that can be made", got, "Name another") from error
                write_atomically(WHERE, place, json.dumps(row, indent=1).encode())
            rows.append(row)
            print(line(f"seed {seed}, {library}", row), file=sys.stderr, flush=True)
    medians = {
        library: {
            key: statistics.median(row[key] for row in rows if row["library"] == library)
            for key in ("steps", "seconds", "ap50", "proposals")
            if all(key in row for row in rows)
        }
        for library in LIBRARIES
    }
    return {"runs": rows, "medians": medians, "apart": medians["minigrad"]["ap50"] - medians["torch"]["ap50"]}


def line(name: str, row: dict[str, Any]) -> str:
    """A row of the table.

    Example:
        >>> line("seed 0, torch", {"steps": 1200, "seconds": 900.4, "ap50": 0.5, "proposals": 0.75})
        'seed 0, torch           1,200     900     0.500     0.750'
    """
    numbers = [f"{row[key]:9.3f}" if key in row else " " * 9 for key in ("ap50", "proposals")]
    return f"{name:20} {round(row['steps']):8,} {row['seconds']:7.0f} {' '.join(numbers)}".rstrip()


def table(found: dict[str, Any]) -> list[str]:
    """What was found, as lines."""
    rows = found["runs"]
    return [
        f"{rows[0]['images']:,} images held out ({rows[0]['split']})",
        f"{'':20} {'steps':>8} {'seconds':>7} {'AP50':>9} {'proposals':>9}",
        *(line(f"seed {row['seed']}, {row['library']}", row) for row in rows),
        *(line(f"median, {library}", row) for library, row in found["medians"].items()),
        f"ours is apart from PyTorch's by {found['apart']:+.3f}; at least {-LESS:+.3f} is wanted",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, train and tell; the exit code."""
    about = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m minigrad.benchmarks.crowns", description=about)
    parser.add_argument("folder", metavar="FOLDER", help="for notes of what is done")
    parser.add_argument("--data", default=DATA, help="a named set, or a path")
    parser.add_argument("--minutes", type=float, default=15.0, help="of each training, about")
    parser.add_argument("--steps", type=int, help="of each training, in place of minutes")
    parser.add_argument("--seeds", type=whole_numbers, default=[0, 1, 2], help="with commas between them")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of minigrad train detect")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        found = compare(chosen.folder, chosen.data, chosen.minutes, chosen.seeds, chosen.set, chosen.steps)
    except MinigradError as error:
        parser.error(str(error))
    print(json.dumps(found, indent=1) if chosen.json else "\n".join(table(found)))
    return 0 if found["apart"] >= -LESS else 1


if __name__ == "__main__":
    sys.exit(main())
