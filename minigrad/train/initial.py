"""The weights of another model, with which a training begins (``--init-from``). Only they are taken: no optimiser, no place.

A run keeps its own copy of them in ``initial.safetensors``, so that one that is killed before its first checkpoint begins with
the same again, wherever the other model went.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from textwrap import shorten
from typing import Any

import minigrad
from minigrad.errors import FileFormatError, MinigradError, RunError
from minigrad.interop.atomic import write_atomically
from minigrad.train.runs import Run, differences
from minigrad.train.task import Task
from minigrad.train.trained import Trained, negative_variances
from minigrad.train.watch import not_finite

LONGEST = 600  # letters of what does not fit


class Initial:
    """Weights to begin with.

    Attributes:
        entry: what the config of the new run says of them: the model that they are of, and the sha256 of their file.
    """

    def __init__(self, model: str, data: bytes, task: str = "", card: Any = None) -> None:
        self.data, self._task, self._card = data, task, card
        self.entry = {"model": model, "sha256": hashlib.sha256(data).hexdigest()}

    @classmethod
    def of(cls, model: Trained) -> Initial:
        """The weights of a trained model.

        Raises:
            RunError: it has none yet, or they are not finite.
            FileFormatError: their file is damaged.
        """
        weights = model.weights()
        if broken := not_finite(weights):
            raise RunError("train", f"--init-from {model.name}", "finite weights", f"nan or inf in {min(broken)}")
        if below := negative_variances(weights):
            expected = "variances of batch norms that are not below 0"
            raise RunError("train", f"--init-from {model.name}", expected, f"such in {min(below)}")
        file = io.BytesIO()
        minigrad.save(weights, file)
        config = model.config()
        return cls(model.name, file.getvalue(), config["task"], config.get("model"))

    @classmethod
    def kept(cls, run: Run, entry: Mapping[str, Any]) -> Initial:
        """Those that a run began with.

        Raises:
            RunError: its copy is gone or damaged.
        """
        try:
            found = cls(str(entry.get("model")), run.initial.read_bytes())
        except OSError as error:
            found, got = None, error.strerror or str(error)
        if found is None or found.entry != dict(entry):
            got = got if found is None else "others"
            remedy = "Put back a copy of the file, or train anew into another folder"
            raise RunError("resume", str(run.initial), "the weights that the run began with", got, remedy)
        return found

    def keep(self, run: Run) -> None:
        """Write a run's copy."""
        with run.explained("initial.safetensors"):
            write_atomically("train", run.initial, self.data)

    def into(self, task: Task) -> None:
        """Have a task begin with them.

        Raises:
            RunError: they are those of another network; all that does not fit is named.
        """
        try:
            task.begin_from(minigrad.load(io.BytesIO(self.data)))
        except FileFormatError:
            raise
        except (MinigradError, TypeError) as error:
            remedy = "Choose what that model has"
            cards = [self._card, task.config().get("model")]
            same = self._task == task.name and all(isinstance(card, dict) for card in cards)
            if same and (names := differences(*cards)):
                remedy = f"The models differ in {', '.join(names)}: choose what that one has"
            got = shorten(getattr(error, "got", str(error)), LONGEST)
            raise RunError(
                "train", f"--init-from {self.entry['model']}", "weights of the network that is to be trained", got, remedy
            ) from error
