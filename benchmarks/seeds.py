"""Whether a training of two networks against each other stays alive, and whether it is told where it does not: many seeds.

    python -m minigrad.benchmarks.seeds FOLDER [--data fashion-mnist] [--minutes 3] [--seeds 0,1,...,9] [--wild 0.01] [--json]

Each seed is a run of ``minigrad train gan`` with 16 filters, in a folder of its own under FOLDER, for about so many minutes:
how many steps that is, is measured once. Two more runs have rates at which two networks may run apart: both at ``--wild``; and
that of the generator alone, the discriminator's at a thousandth of it, so that it cannot follow. The table has of each how it
ended and after how many steps, how often it was rolled back, and of the best generator, which is kept, the Fréchet distance,
the diversity as a share of the data's, and among how many classes its images are spread.

A run that ended well and whose best generator is less diverse, or of fewer kinds, than the watch lets pass collapsed unnoticed.
Called again, the command goes on with what is in FOLDER. Exit code: 0 where no run collapsed unnoticed and the uneven one,
which cannot go well, was caught, 1 where not, 2 for an error.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import minigrad
from minigrad.benchmarks.garments import whole_numbers
from minigrad.errors import ArgumentError, DivergedError, MinigradError, RunError
from minigrad.models.gan import Gan, GanSettings
from minigrad.models.gan_watch import ALIKE, FEW_KINDS
from minigrad.train import Run, fit

WHERE = "benchmarks.seeds"
WIDTH = 16  # filters, where nothing is said
UNEVEN = 1000  # times the discriminator's rate the generator's is, of the run that cannot go well
FIRST, TIMED = 3, 12  # steps that compile and warm, and steps whose time is taken


def steps_in(minutes: float, data: str, words: Sequence[str]) -> int:
    """How many steps there are in so many minutes.

    Raises:
        MinigradError: what the task refuses.
    """
    task = Gan(data, GanSettings.parse(words, {"width": WIDTH, "steps": FIRST + TIMED}))
    batches = task.batches()
    for batch in itertools.islice(batches, FIRST):
        task.step(batch)
    began = time.perf_counter()
    for batch in itertools.islice(batches, TIMED):
        task.step(batch)
    return max(1, round(60 * minutes * TIMED / (time.perf_counter() - began)))


def one(folder: Path, data: str, settings: GanSettings) -> dict[str, Any]:
    """A training in a folder, gone on with if it was begun there, and what came of it.

    Raises:
        MinigradError: what the task and the training refuse; that the two ran apart is no error here.
    """
    with Run(folder) as run:
        task = Gan.of(run.config()) if run.exists() else Gan(data, settings)
        try:
            end = fit(task, run, say=lambda line: None).status
        except DivergedError as error:
            end = f"{error.expected}: {error.got}"
        if end == "interrupted":
            raise RunError(WHERE, str(folder), "a training that comes to its end", "one that was interrupted", "Call it again")
        weights = minigrad.load(run.model) if run.model.exists() else None
    found: dict[str, Any] = {"seed": task.settings.seed, "lr": task.settings.lr, "end": end, "steps": 0, "rollbacks": 0}
    metrics = folder / "metrics.jsonl"
    for line in metrics.read_text(encoding="utf-8").splitlines() if metrics.exists() else []:
        row = json.loads(line)
        found["steps"], found["rollbacks"] = max(found["steps"], row["step"]), max(found["rollbacks"], row.get("rollback", 0))
    if weights is not None:
        task.load_weights(weights)
        found |= task.measure()
        few = 1 + FEW_KINDS * (task.judge.own().kinds - 1)
        collapsed = found["diversity"] < ALIKE or found.get("kinds", few) < few
        found["unnoticed"] = bool(collapsed and end in ("finished", "stopped early"))
    return found


def compare(
    folder: str, data: str, minutes: float, seeds: Sequence[int], wild: float, words: Sequence[str] = (),
    steps: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """All trainings.

    Args:
        folder: where their runs lie.
        data: a named set or a path.
        minutes: for each, about.
        seeds: of those that should stay alive.
        wild: both rates of one that may not, and the generator's of one that cannot; 0: neither is made.
        words: settings of all, ``key=value``.
        steps: in place of minutes.

    Raises:
        ArgumentError: minutes, steps or rates below what there is.
        MinigradError: as ``one`` says.
    """
    if not minutes > 0:
        raise ArgumentError(WHERE, "--minutes", "more than 0", f"{minutes:g}")
    if wild < 0:
        raise ArgumentError(WHERE, "--wild", "a rate, or 0", f"{wild:g}")
    steps = steps_in(minutes, data, words) if steps is None else steps
    planned: dict[str, dict[str, Any]] = {f"seed-{seed}": {"seed": seed} for seed in seeds}
    if wild:
        planned[f"wild-{wild:g}"] = {"lr": wild, "lr_discriminator": wild}
        planned[f"uneven-{wild:g}"] = {"lr": wild, "lr_discriminator": wild / UNEVEN, "augment": False}
    rows: dict[str, dict[str, Any]] = {}
    for name, own in planned.items():
        settings = GanSettings.of({**GanSettings.parse(words, {"width": WIDTH, "steps": steps}).to_dict(), **own})
        rows[name] = one(Path(os.path.expanduser(folder), name), data, settings)
        print(line(name, rows[name]), file=sys.stderr, flush=True)
    last = [*rows.values()][-1]
    caught = None if not wild else last["rollbacks"] > 0 or last["end"] not in ("finished", "stopped early")
    return {"runs": rows, "unnoticed": sum(row.get("unnoticed", False) for row in rows.values()), "caught": caught}


def line(name: str, row: dict[str, Any]) -> str:
    """A row of the table.

    Example:
        >>> line("seed-3", {"steps": 90, "rollbacks": 1, "frechet": 2.5, "diversity": 0.9, "kinds": 8.25, "end": "finished"})
        'seed-3           90      1       2.50       0.90    8.2  finished'
    """
    numbers = [f"{row[key]:{width}.{digits}f}" if key in row else " " * width for key, width, digits in COLUMNS]
    return f"{name:11} {row['steps']:7,} {row['rollbacks']:6d} {' '.join(numbers)}  {row['end']}"


COLUMNS = (("frechet", 10, 2), ("diversity", 10, 2), ("kinds", 6, 1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, train and tell; the exit code."""
    about = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m minigrad.benchmarks.seeds", description=about)
    parser.add_argument("folder", metavar="FOLDER", help="for the runs")
    parser.add_argument("--data", default="fashion-mnist", help="a named set, or a path")
    parser.add_argument("--minutes", type=float, default=3.0, help="of each run, about")
    parser.add_argument("--steps", type=int, help="of each run, in place of minutes")
    parser.add_argument("--seeds", type=whole_numbers, default=list(range(10)), help="with commas between them")
    parser.add_argument("--wild", type=float, default=0.01, help="rates that may be too large; 0: no such runs")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of minigrad train gan")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        found = compare(chosen.folder, chosen.data, chosen.minutes, chosen.seeds, chosen.wild, chosen.set, steps=chosen.steps)
    except MinigradError as error:
        parser.error(str(error))
    if chosen.json:
        print(json.dumps(found, indent=1))
    else:
        heads = " ".join(f"{key:>{width}}" for key, width, _ in COLUMNS)
        print(f"{'run':11} {'steps':>7} {'back':>6} {heads}  end")
        for name, row in found["runs"].items():
            print(line(name, row))
        caught = {None: "", True: "; the uneven run was caught", False: "; the uneven run was let pass"}[found["caught"]]
        print(f"collapsed unnoticed: {found['unnoticed']} of {len(found['runs'])}{caught}")
    return 0 if not found["unnoticed"] and found["caught"] is not False else 1


if __name__ == "__main__":
    sys.exit(main())
