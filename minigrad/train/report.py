"""The page of a run: what it was, how it went, and what its task has to show."""

from __future__ import annotations

from typing import Any, Literal

from minigrad.show.page import Page
from minigrad.show.pictures import curves
from minigrad.train.runs import Run
from minigrad.train.task import Task

SHOWN = 4  # samples on the page


def series(rows: list[dict[str, Any]], along: str) -> dict[str, dict[str, tuple[list[float], list[float]]]]:
    """Rows of ``metrics.jsonl`` as panels of curves: ``train/loss`` and ``val/loss`` share the panel ``loss``.

    Args:
        rows: the rows.
        along: the name of the number to draw them over.

    Example:
        >>> series([{"step": 1, "train/loss": 2.0}, {"step": 2, "val/loss": 1.0}], "step")
        {'loss': {'train': ([1], [2.0]), 'val': ([2], [1.0])}}
    """
    panels: dict[str, dict[str, tuple[list[float], list[float]]]] = {}
    for row in rows:
        for name, value in row.items():
            kind, slash, metric = name.partition("/")
            if slash:
                xs, ys = panels.setdefault(metric, {}).setdefault(kind, ([], []))
                xs.append(row[along])
                ys.append(value)
    return panels


def write(task: Task, run: Run) -> None:
    """Write ``report.html``.

    Raises:
        FileFormatError: it cannot be written.
    """
    rows, times = list(run.metrics.rows()), list(run.timing.rows())
    page = Page(f"{task.name}: {run.path.resolve().name}", subtitle=_subtitle(task, rows, times))
    task.report(page)
    page.section("How it went")
    page.picture(history(task, rows), caption="Over the steps of the training", alt="curves of the training")
    if samples := run.samples.last(SHOWN):
        page.section("What it wrote while it learned", "samples.txt in the folder of the run has all.")
        for head, text in samples:
            page.sample(text, head)
    page.section("Settings")
    page.facts({name: "auto" if value is None else value for name, value in task.settings.to_dict().items()})
    page.write(run.report)


def history(task: Task, rows: list[dict[str, Any]]) -> str:
    """The curves of a training, with the best point of what it aims at marked, for ``Page.picture``.

    Args:
        task: what was trained.
        rows: the rows of its ``metrics.jsonl``.
    """
    goal, direction = task.goal
    panels = series(rows, "step")
    end: Literal["highest", "lowest"] = "highest" if direction == "max" else "lowest"
    return curves(panels, x="step", best={goal: end} if "val" in panels.get(goal, {}) else {})


def _subtitle(task: Task, rows: list[dict[str, Any]], times: list[dict[str, Any]]) -> str:
    goal, direction = task.goal
    values = [row[f"val/{goal}"] for row in rows if f"val/{goal}" in row]
    best = f"best {goal} {(max if direction == 'max' else min)(values):.4g}" if values else ""
    seconds = f"{times[-1]['seconds'] / 60:.1f} minutes" if times else ""
    return ", ".join(part for part in (f"{task.total_steps} steps", seconds, best) if part)
