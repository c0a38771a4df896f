"""Making a shipped model from a run: the two files that ``Trained.open("NAME")`` reads.

    python -m minigrad.train.ship RUN NAME --licence "MIT; the text is in the public domain"

Weights are written in half precision, which no model here notices and takes half the room (``--full`` keeps them as they are).
The card says all that making them again takes: the command with every setting, also those that were found from the data, the
seed, the digest of the data, and the figures of the evaluation that the weights are of. Of a training that began with a shipped
model, what that one's card tells of it is part of the new card: it may be replaced by the new one.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import minigrad
from minigrad import Tensor
from minigrad.errors import ArgumentError, MinigradError, RunError
from minigrad.interop.atomic import write_atomically
from minigrad.train.checkpoints import Checkpoints
from minigrad.train.runs import Run, digest
from minigrad.train.trained import FORMAT, Trained, shipped, shipped_folder

LARGEST = 4_000_000  # bytes of the weights of a shipped model
BEFORE = ("command", "seed", "data_digest", "figure", "sha256", "begun_with")  # of a card, that a later one keeps
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def ship(
    run: str | os.PathLike[str],
    name: str,
    licence: str,
    *,
    half: bool = True,
    told: str | None = None,
    figures: Mapping[str, float] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Path:
    """Write ``NAME.safetensors`` and ``NAME.json`` of a run's best weights, and give the path of the second.

    Args:
        run: the folder of a training on a named data set, so that others can repeat it.
        name: what the model is called: small letters, digits and dashes.
        licence: of the weights, and of the data that they were learned from.
        half: in float16.
        told: what the data are, in place of their path, where they are no named set but others can still get them.
        figures: measured on other data, in place of those of the evaluation: what a training holds out, the one that it began
            with may have learned.
        folder: where to; default: where minigrad looks for shipped models.

    Raises:
        ArgumentError: the name is none, the licence is empty, or the file becomes larger than 4 MB.
        RunError: the run has no model, was trained on files of one's own that nothing is told of, or has no finite weights in
            half precision.

    Example:
        >>> import tempfile
        >>> from minigrad.train import Run, fit
        >>> from minigrad.train.examples import Line
        >>> with Run(tempfile.mkdtemp()) as run:
        ...     outcome = fit(Line(), run, say=lambda text: None)
        >>> card = json.loads(ship(run.path, "a-line", "MIT", folder=run.path).read_text())
        >>> card["command"]
        'minigrad train line --set epochs=5 --set lr=0.1 --set patience=0 --set save_every=60.0 --set seed=0'
    """
    if not NAME.fullmatch(name):
        raise ArgumentError("ship", "name", "small letters, digits and dashes, such as shakespeare-lstm", repr(name))
    if not licence.strip():
        raise ArgumentError("ship", "licence", "that of the weights and the data", "nothing")
    made = Run(run)
    config, weights = made.config(), made.weights()
    own = next((data for data in _data(config) if os.path.isabs(data)), None)
    if own is not None and not (told or "").strip():
        remedy = "Others could not repeat it: say what the data are with told, or --data-are"
        raise RunError("ship", str(made.path), "a training on a named data set", f"one on {own}", remedy)
    if own is not None:
        config = {**config, "data": told}
    if half:
        weights = {key: _halved(key, tensor, made) for key, tensor in weights.items()}
    file = io.BytesIO()
    minigrad.save(weights, file)
    content = file.getvalue()
    if len(content) > LARGEST:
        expected = f"at most {LARGEST:,} bytes of weights"
        raise ArgumentError(
            "ship", "run", expected, f"{len(content):,}", "Train a smaller network" if half else "Take half=True"
        )
    settings = config.get("settings", {})
    card = {
        "format": FORMAT,
        "minigrad": minigrad.__version__,
        "command": command(config),
        "seed": settings.get("seed"),
        "data_digest": config.get("data_digest"),
        "licence": licence.strip(),
        "figure": {"step": figure(made)["step"], **figures} if figures else figure(made),
        **_before(config),
        "sha256": hashlib.sha256(content).hexdigest(),
        "config": config,
    }
    target = Path(folder) if folder is not None else shipped_folder()
    target.mkdir(parents=True, exist_ok=True)
    write_atomically("ship", target / f"{name}.safetensors", content)
    path = target / f"{name}.json"
    write_atomically("ship", path, (json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
    return path


def command(config: Mapping[str, Any]) -> str:
    """The command that trains a run of this config, every setting written out.

    Example:
        >>> command({"task": "text", "data": "shakespeare", "settings": {"seed": 1, "dropout": None, "bytes": False}})
        'minigrad train text --data shakespeare --set bytes=false --set seed=1'
    """
    words = ["minigrad", "train", config["task"]]
    for data in _data(config):
        words += ["--data", data]
    if isinstance(config.get("init_from"), dict):
        words += ["--init-from", str(config["init_from"].get("model"))]
    for key, value in sorted(config.get("settings", {}).items()):
        if value is not None:
            words += ["--set", f"{key}={json.dumps(value) if isinstance(value, bool) else value}"]
    return shlex.join(words)


def _before(config: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of the shipped model that a training began with, if it did."""
    begun = config.get("init_from")
    name = begun.get("model") if isinstance(begun, dict) else None
    card = Trained.open(name).card if name in shipped() else None
    return {"begun_with": {key: card[key] for key in BEFORE if key in card}} if card else {}


def _data(config: Mapping[str, Any]) -> list[str]:
    """The data that a run was trained on, one or several."""
    data = config.get("data")
    return list(data) if isinstance(data, list) else [] if data is None else [data]


def figure(run: Run) -> dict[str, float]:
    """What the evaluation of the weights measured, and the step that it was at."""
    newest = Checkpoints(run.checkpoints, digest(run.config()), lambda text: None).newest()
    if newest is None:
        raise RunError("ship", str(run.checkpoints), "the checkpoints of the training", "none", "Put back a copy of the folder")
    step = newest["place"]["best_step"]
    rows = [row for row in run.metrics.rows() if row["step"] == step and any(key.startswith("val/") for key in row)]
    if not rows:
        raise RunError("ship", str(run.metrics.path), f"the evaluation of step {step}", "none", "Put back a copy of the folder")
    return {"step": step, **{key: value for key, value in rows[-1].items() if key.startswith("val/")}}


def _halved(key: str, tensor: Tensor, run: Run) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    half = tensor.to(minigrad.float16)
    if not minigrad.isfinite(half).all():
        raise RunError("ship", str(run.model), "weights that half precision holds", f"larger ones in {key}", "Take half=False")
    return half


def _figure(text: str) -> tuple[str, float]:
    key, equals, value = text.partition("=")
    if not equals or not math.isfinite(float(value)):
        raise ValueError(text)
    return key, float(value)


def main(arguments: list[str] | None = None) -> int:
    """The command, and its exit code."""
    parser = argparse.ArgumentParser("python -m minigrad.train.ship", description="Make a shipped model from a run.")
    parser.add_argument("run", help="the run folder")
    parser.add_argument("name", help="what the model is called")
    parser.add_argument("--licence", required=True, help="of the weights and the data")
    parser.add_argument("--data-are", metavar="TEXT", help="what they are, where they are no named set")
    parser.add_argument(
        "--figure", action="append", default=[], metavar="KEY=VALUE", type=_figure, help="measured apart; may be repeated"
    )
    parser.add_argument("--full", action="store_true", help="keep the weights' precision")
    parser.add_argument("--folder", help="where to write the two files; default: where minigrad looks for them")
    given = parser.parse_args(arguments)
    try:
        path = ship(
            given.run, given.name, given.licence, half=not given.full, told=given.data_are, figures=dict(given.figure),
            folder=given.folder,
        )  # fmt: skip
    except MinigradError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    size = path.with_suffix(".safetensors").stat().st_size
    sys.stdout.write(f"{path}\n{path.with_suffix('.safetensors')}: {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
