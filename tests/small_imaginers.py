"""Run folders with generators of images that nobody trained, and the small galleries that they would have learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import minigrad
from minigrad.train import Run
from tests.small_galleries import gallery, task


def imaginer_run(folder: Path, data: Path | None = None, *, images: int = 40, classes: bool = False, **settings: Any) -> Path:
    """Such a run.

    Args:
        folder: of the run.
        data: of the images; ``None``: a new folder of bars beside it.
        images: how many of them.
        classes: whether they are in folders, and are made by class.
        settings: of the task.
    """
    data = gallery(folder.parent / f"{folder.name}-bars", images, classes=classes) if data is None else data
    made = task(data, classes=classes, **settings)
    with Run(folder) as run:
        run.begin({"task": "gan", **made.config()})
        minigrad.save(dict(made.imaginer.network.state_dict()), run.model)
    return folder
