"""What the parts of a detector are worth: all of it, and all but one, trained for the same time on composed scenes.

    python -m minigrad.benchmarks.scenes FOLDER [--data scenes] [--minutes 30] [--seeds 0,1,2] [--variants A,B]
                                                [--set KEY=VALUE] [--json]

For each seed detectors are trained by ``minigrad train detect``, each in a folder of its own under FOLDER, the first four of
these where nothing is said:

- whole: two stages, a pyramid of several levels, regions cut out between the cells of a map (RoIAlign), masks;
- rounded: regions are cut out by whole cells (``pooling=rounded``);
- one level: one map for objects of all sizes (``levels=1``);
- one stage: anchors are told apart by class, and nothing comes after that (``stages=1``), so that there are no masks either;
- begun: it begins with the layers of a classifier of photos (``--init-from efficientnet-lite0``).

How many steps each has in so many minutes, is measured before it begins. Told are, of the test part, the means of average
precisions over classes at an overlap of 0.5 (AP50) and over ten overlaps (mAP), the recall of 100 proposals at 0.5, and AP50 of
masks: medians over the seeds, and each.

Called again, the command goes on with what is in FOLDER. Exit code: 0, or 2 for an error.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minigrad.benchmarks.beside import steps_in
from minigrad.benchmarks.garments import whole_numbers
from minigrad.errors import ArgumentError, MinigradError, RunError
from minigrad.models.detect import Detect, DetectSettings, boxed
from minigrad.models.finder import Finder
from minigrad.show.progress import track
from minigrad.train import Run, fit
from minigrad.train.initial import Initial
from minigrad.train.trained import Trained

WHERE = "benchmarks.scenes"
VARIANTS: dict[str, dict[str, Any]] = {
    "whole": {},
    "rounded": {"pooling": "rounded"},
    "one level": {"levels": 1},
    "one stage": {"stages": 1},
}
"""Name -> the settings that differ."""
INITIAL = {"begun": "efficientnet-lite0"}
"""Further ones -> the model whose weights they begin with."""
COLUMNS = ("ap50", "ap", "proposals", "mask_ap50")


def steps_of(minutes: float, data: str, settings: DetectSettings, like: Any) -> int:
    """How many steps there are in so many minutes.

    Raises:
        MinigradError: what the task refuses.
    """
    task = Detect(data, settings, like=like)
    batches = task.batches()
    return steps_in(minutes, lambda: task.step(next(batches)))


def one(
    folder: Path, data: str, settings: DetectSettings, minutes: float, steps: int | None, begin: str | None = None
) -> dict[str, Any]:
    """A training in a folder, gone on with if it was begun there, and how good the detector is.

    Args:
        folder: of the run.
        data: a named set or a path.
        settings: of a new run, but for its steps.
        minutes: that a new run takes, about.
        steps: of a new run, in place of minutes.
        begin: the model whose weights a new run begins with.

    Raises:
        MinigradError: what the task and the training refuse.
    """
    initial = like = None
    with Run(folder) as run:
        if run.exists():
            task = Detect.of(run.config())
        else:
            if begin is not None:
                model = Trained.open(begin)
                initial, like = Initial.of(model), model.config(Detect.name, *Detect.begins_with)["model"]
            steps = steps_of(minutes, data, settings, like) if steps is None else steps
            task = Detect(data, DetectSettings.of({**settings.to_dict(), "steps": steps}), like=like)
        outcome = fit(task, run, say=lambda line: None, initial=initial)
        if outcome.status == "interrupted":
            raise RunError(WHERE, str(folder), "a training that comes to its end", "one that was interrupted", "Call it again")
        config = run.config()
    images, what = boxed(config, None)
    judgement = Finder.load(str(folder)).judge(images, lambda rows: track(rows, describe="evaluating", unit="images"))
    return {"steps": task.total_steps, "data": what, "images": len(images), **judgement.metrics}


def compare(
    folder: str,
    data: str,
    minutes: float,
    seeds: Sequence[int],
    words: Sequence[str] = (),
    steps: int | None = None,
    variants: Sequence[str] = tuple(VARIANTS),
) -> dict[str, Any]:
    """All trainings.

    Args:
        folder: where their runs lie.
        data: a named set or a path.
        minutes: for each, about.
        seeds: of each variant.
        words: settings of all, ``key=value``.
        steps: in place of minutes.
        variants: which, keys of ``VARIANTS`` and of ``INITIAL``.

    Raises:
        ArgumentError: minutes or steps below what there is, or no such variant.
        MinigradError: as ``one`` says.
    """
    if not minutes > 0:
        raise ArgumentError(WHERE, "--minutes", "more than 0", f"{minutes:g}")
    if steps is not None and steps < 1:
        raise ArgumentError(WHERE, "--steps", "at least 1", str(steps))
    for variant in variants:
        if variant not in (*VARIANTS, *INITIAL):
            raise ArgumentError(WHERE, "--variants", f"some of {', '.join((*VARIANTS, *INITIAL))}", repr(variant))
    given = DetectSettings.parse(words).to_dict()
    if given["width"] is not None and any(variant in INITIAL for variant in variants):
        raise ArgumentError(WHERE, "--set width", f"none with {', '.join(INITIAL)}, which has its own", str(given["width"]))
    rows: dict[str, dict[str, Any]] = {}
    for seed in seeds:
        for variant in variants:
            name = f"{variant}, seed {seed}"
            settings = DetectSettings.of({**given, **VARIANTS.get(variant, {}), "seed": seed})
            place = Path(os.path.expanduser(folder), f"{variant.replace(' ', '-')}-{seed}")
            rows[name] = {"variant": variant, "seed": seed, **one(place, data, settings, minutes, steps, INITIAL.get(variant))}
            print(line(name, rows[name]), file=sys.stderr, flush=True)
    return {"runs": rows, "medians": {variant: median(rows, variant) for variant in variants}}


def median(rows: dict[str, dict[str, Any]], variant: str) -> dict[str, float]:
    """Of each figure that a variant's runs have, and of their steps.

    Example:
        >>> median({"a": {"variant": "whole", "ap50": 0.5, "steps": 7}, "b": {"variant": "one stage"}}, "whole")
        {'steps': 7, 'ap50': 0.5}
    """
    own = [row for row in rows.values() if row["variant"] == variant]
    return {key: statistics.median(row[key] for row in own) for key in ("steps", *COLUMNS) if all(key in row for row in own)}


def line(name: str, row: dict[str, Any]) -> str:
    """A row of the table.

    Example:
        >>> line("one stage", {"steps": 1200, "ap50": 0.5, "ap": 0.25})
        'one stage             1,200     0.500     0.250'
    """
    numbers = [f"{row[key]:9.3f}" if key in row else " " * 9 for key in COLUMNS]
    return f"{name:18} {round(row['steps']):8,} {' '.join(numbers)}".rstrip()


def table(found: dict[str, Any]) -> list[str]:
    """What was found, as lines."""
    rows = [*found["runs"].values()]
    heads = " ".join(f"{name:>9}" for name in ("AP50", "mAP", "proposals", "mask AP50"))
    return [
        f"{rows[0]['images']:,} images, {rows[0]['data']}",
        f"{'':18} {'steps':>8} {heads}",
        *(line(name, row) for name, row in found["runs"].items()),
        *(line(f"median, {variant}", row) for variant, row in found["medians"].items()),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, train and tell; the exit code."""
    about = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m minigrad.benchmarks.scenes", description=about)
    parser.add_argument("folder", metavar="FOLDER", help="for the runs")
    parser.add_argument("--data", default="scenes", help="a named set, or a path")
    parser.add_argument("--minutes", type=float, default=30.0, help="of each run, about")
    parser.add_argument("--steps", type=int, help="of each run, in place of minutes")
    parser.add_argument("--seeds", type=whole_numbers, default=[0], help="with commas between them")
    parser.add_argument(
        "--variants", type=lambda text: text.split(","), default=list(VARIANTS), help="which, with commas between them"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of minigrad train detect")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        found = compare(chosen.folder, chosen.data, chosen.minutes, chosen.seeds, chosen.set, chosen.steps, chosen.variants)
    except MinigradError as error:
        parser.error(str(error))
    print(json.dumps(found, indent=1) if chosen.json else "\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
