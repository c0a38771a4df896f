"""A trained model, wherever it lies: a run folder, one of the models that are shipped with minigrad, or one of others.

What is shipped lies beside the architectures, as two files for each model: ``NAME.safetensors`` has the weights, and
``NAME.json``, its card, says what they are and how they were made (``ship.py`` writes both). Of weights that others have
published there is the card alone: it names the entry of the table of data sets by which they are fetched, and says what the
network is, what becomes of an image in front of it, and how their names become ours. Where their axes lie in another order than
ours, ``axes`` has, for each number of dimensions, which of theirs are ours one after the other; what is left out has length 1.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any, ClassVar

import minigrad
from minigrad import nn
from minigrad.data.sources import cached_path, dataset, fetch
from minigrad.errors import MinigradError, RunError, StateError
from minigrad.interop.npy import load_arrays
from minigrad.train.runs import Run, neighbours
from minigrad.train.watch import not_finite

FORMAT = 1  # of cards
ENTRIES = ("config", "command", "seed", "data_digest", "licence", "figure", "sha256")  # of a card, and
THEIRS = ("config", "data", "licence", "keys")  # of one of weights that are fetched
WEIGHTS = (".pth", ".pt", ".bin", ".safetensors")  # endings of files of weights that were made elsewhere
KERAS = (".h5", ".hdf5")  # files whose weights lie as Keras has them
VARIANCE = "running_var"  # of a batch norm, the end of its name
LONGEST = 300  # letters of a reason that is quoted in another
REINSTALL = "Install minigrad anew: its files were damaged"


def shipped_folder() -> Path:
    """Where the models lie that are shipped with minigrad.

    Example:
        >>> shipped_folder().name
        'pretrained'
    """
    spec = importlib.util.find_spec("minigrad.models")
    if spec is None or not spec.submodule_search_locations:
        raise RunError("run", "minigrad.models", "the folder of the architectures", "none", REINSTALL)
    return Path(next(iter(spec.submodule_search_locations))) / "pretrained"


def shipped() -> list[str]:
    """The names of the models that are shipped.

    Example:
        >>> all((shipped_folder() / f"{name}.safetensors").exists() for name in shipped())
        True
    """
    return sorted(card.stem for card in shipped_folder().glob("*.json") if card.with_suffix(".safetensors").exists())


def published() -> list[str]:
    """The names of models whose weights others have published, which are fetched when they are asked for.

    Example:
        >>> "efficientnet-lite0" in published()
        True
    """
    return sorted(card.stem for card in shipped_folder().glob("*.json") if not card.with_suffix(".safetensors").exists())


class Trained:
    """A trained model: all that applying it takes. Made by ``Trained.open``.

    Attributes:
        name: what it was called by.
        path: the file of its weights.
        folder: where pictures of it go: a run's own folder, or the current one.
        card: what is known of a shipped model (its command, licence, figure, ...); ``None`` for a run.
    """

    CARD: ClassVar = "the config.json"
    EXPECTED: ClassVar = "weights and a config.json of one network"
    REMEDY: ClassVar = "Put back the files that belong together, or train anew"

    def __init__(self, name: str, path: Path, folder: Path, config: Mapping[str, Any], card: Mapping[str, Any] | None) -> None:
        self.name, self.path, self.folder, self.card = name, path, folder, card
        self._config = config

    @classmethod
    def open(cls, model: str | os.PathLike[str], *tasks: str) -> Trained:
        """The model of a run folder, of a shipped name, or of a file of weights that was made elsewhere.

        A folder that is called as a shipped model is ``./NAME``. Which files are taken says ``WeightFile``.

        Args:
            model: the folder, name or file.
            tasks: of these are the models that are offered where there is none of that name; by default of any.

        Raises:
            RunError: there is none, or its config is damaged or of a later format.
            FileFormatError: a file of weights that is damaged.

        Example:
            >>> import tempfile
            >>> from minigrad.train import Run
            >>> with Run(tempfile.mkdtemp()) as run:
            ...     run.begin({"task": "line", "settings": {}})
            >>> Trained.open(run.path).config()
            {'task': 'line', 'settings': {}}
        """
        name = os.fspath(model)
        known = shipped()
        theirs = published()
        if name in known or name in theirs:
            card = _card(name)
            if "data" in card:
                return Published(name, card)
            return cls(name, shipped_folder() / f"{name}.safetensors", Path(), card["config"], card)
        if os.path.isfile(name) and name.lower().endswith(WEIGHTS):
            from minigrad.train.weight_file import WeightFile

            return WeightFile(name)
        run = Run(name)
        if os.path.isfile(name) and not (run.path.parent / "config.json").exists():
            expected = f"a run folder, or a file of weights that ends in {', '.join(WEIGHTS)}"
            in_python = name.lower().endswith(KERAS)
            remedy = "minigrad.load reads HDF5 files, in Python" if in_python else neighbours(run.path)
            raise RunError("run", name, expected, "a file with another ending", remedy)
        if known and not run.path.exists() and os.path.basename(name) == name:
            known, theirs = ([one for one in names if _is_of(one, tasks)] for names in (known, theirs))
            near = difflib.get_close_matches(name, [*known, *theirs], 1)
            told = [f"These are {how}: {', '.join(names)}" for how, names in (("shipped", known), ("fetched", theirs)) if names]
            told.append(neighbours(run.path))
            remedy = f"Did you mean {near[0]}?" if near else ". ".join(filter(None, told))
            raise RunError(
                "run", name, "a run folder, or the name of a shipped model", "no such folder, and no such name", remedy
            )
        return cls(name, run.model, run.path, run.config(), None)

    def config(self, *tasks: str) -> dict[str, Any]:
        """What the task wrote of it: ``task``, ``data``, ``settings``, ``model`` and so on.

        Args:
            tasks: of one of these it must be; of any where there are none.

        Raises:
            RunError: it is of another.
        """
        config = json.loads(json.dumps(self._config))  # a copy, which may be changed
        if tasks and config["task"] not in tasks:
            expected = f"a model of the task {' or '.join(tasks)}"
            raise RunError(tasks[0], self.name, expected, f"one of the task {config['task']}")
        return config

    def weights(self) -> Any:
        """Its weights, on the CPU: of a whole model a dict of Tensors by name.

        Raises:
            RunError: a run that has none yet; a shipped file that is not the one of its card.
            FileFormatError: the file is damaged.
        """
        if self.card is None:
            return Run(self.folder).weights()
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise RunError(
                "run", str(self.path), "the weights that are shipped", error.strerror or "none", REINSTALL
            ) from error
        if hashlib.sha256(data).hexdigest() != self.card["sha256"]:
            raise RunError("run", str(self.path), "the weights that its card has the digest of", "others", REINSTALL)
        return minigrad.load(io.BytesIO(data))

    def network(self, build: Callable[[], nn.Module], size: Callable[[], int]) -> nn.Module:
        """The network that the config describes, with its weights, in float32 whatever they are stored in.

        Args:
            build: makes it, untrained.
            size: how many parameters ``build`` would make, told without the memory for them.

        Raises:
            RunError: the weights are another network's, or not finite.
            FileFormatError: the file is damaged.
        """
        config, weights = self.config(), self.weights()
        try:
            if not isinstance(weights, dict) or not all(isinstance(tensor, minigrad.Tensor) for tensor in weights.values()):
                raise StateError("load", "weights", "tensors by name", "something else")
            there, needed = sum(tensor.numel() for tensor in weights.values()), size()
            if needed > there:  # before memory is taken for them
                raise StateError("load", "weights", f"{needed:,} numbers, as {self.CARD} has it", f"{there:,}")
            network = build()
            network.load_state_dict(weights)
        except (MinigradError, TypeError) as error:
            expected, got = self.EXPECTED, f"others ({shorten(str(error), LONGEST)})"
            raise RunError(config["task"], str(self.path), expected, got, self.REMEDY) from error
        if broken := not_finite(weights):
            raise RunError(config["task"], str(self.path), "finite weights", f"nan or inf in {min(broken)}", self.REMEDY)
        if below := negative_variances(weights):
            expected, got = "variances of batch norms that are not below 0", f"such in {min(below)}"
            raise RunError(config["task"], str(self.path), expected, got, self.REMEDY)
        return network


class Published(Trained):
    """A model whose weights others have published. They are fetched when they are first asked for, and verified each time.

    Args:
        name: of the model.
        card: what is known of it.
    """

    def __init__(self, name: str, card: Mapping[str, Any]) -> None:
        self.set = dataset(card["data"], "weights")
        super().__init__(name, cached_path(self.set.files[0]), Path(), card["config"], card)
        self._classes: list[str] | None = None

    def config(self, *tasks: str) -> dict[str, Any]:
        """As of ``Trained``; where the names of classes are a file of their own, it is fetched.

        Raises:
            RunError: it is of another task.
            DataError: the names cannot be had.
        """
        config = super().config(*tasks)
        file = next((file for file in self.set.files if file.name == (self.card or {}).get("classes")), None)
        if file is not None:
            if self._classes is None:
                self._classes = json.loads(fetch(self.set, file).read_text(encoding="utf-8"))
            config["model"]["classes"] = self._classes
        return config

    def weights(self) -> Any:
        """Its weights under our names.

        Raises:
            DataError: they cannot be had.
            FileFormatError: the file is damaged.
        """
        path, card = fetch(self.set, self.set.files[0]), self.card or {}
        if path.suffix in KERAS:
            from minigrad.interop.keras_io import read_network

            found = dict(read_network(path, logits=True).state_dict())
        elif path.suffix == ".npy":
            found = {key: minigrad.tensor(array) for key, array in load_arrays(path).items()}
        else:
            found = minigrad.load(path)
        for theirs, ours in card["keys"]:
            found = {re.sub(theirs, ours, key): value for key, value in found.items()}
        if "axes" in card:
            found = {key: _turned(tensor, card["axes"].get(str(tensor.dim()))) for key, tensor in found.items()}
        return found


def negative_variances(weights: Mapping[str, minigrad.Tensor]) -> list[str]:
    """The names of running variances that are below 0.

    Example:
        >>> negative_variances({"norm.running_var": minigrad.tensor([1.0, -1.0]), "norm.weight": minigrad.tensor([-1.0])})
        ['norm.running_var']
    """
    return [name for name, tensor in weights.items() if name.endswith(VARIANCE) and (tensor < 0).any()]


def _turned(tensor: minigrad.Tensor, axes: Sequence[int] | None) -> minigrad.Tensor:
    """A tensor with its axes in another order, without those that are left out."""
    if axes is None:
        return tensor
    left_out = [axis for axis in range(tensor.dim()) if axis not in axes]
    return tensor.permute(*left_out, *axes).reshape([tensor.shape[axis] for axis in axes])


def _is_of(name: str, tasks: tuple[str, ...]) -> bool:
    """Whether a model of that name is of one of these tasks; any is where there are none."""
    return not tasks or _card(name).get("config", {}).get("task") in tasks


def _card(name: str) -> dict[str, Any]:
    """The card of a shipped model, or of one that is fetched, checked."""
    path = shipped_folder() / f"{name}.json"
    expected = "the card of a shipped model"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError("run", str(path), expected, f"a file that cannot be read ({error})", REINSTALL) from error
    entries = THEIRS if isinstance(card, dict) and "data" in card else ENTRIES
    if not isinstance(card, dict) or card.get("format") != FORMAT or not all(entry in card for entry in entries):
        raise RunError("run", str(path), expected, "something else, or one of another format", REINSTALL)
    if not isinstance(card["config"], dict) or not isinstance(card["config"].get("task"), str):
        raise RunError("run", str(path), f"{expected}, with a config", "one without", REINSTALL)
    return card
