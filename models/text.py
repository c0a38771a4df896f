"""The system ``text``: from any text to a model that foretells it letter by letter, and so can write like it.

    minigrad train text --data shakespeare

Truncated backpropagation through time (Williams and Peng 1990): lanes through the text, from each of which the network's state
is carried on from step to step. Adam, a learning rate that falls as half a cosine (Loshchilov and Hutter 2017,
arXiv:1608.03983), gradients clipped (Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063). What is not set is found from the data,
and every finding is printed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, optim
from minigrad.data.catalogue import DATASETS
from minigrad.data.corpus import TextData, open_text
from minigrad.data.gathered import called, several
from minigrad.data.ids import Ids
from minigrad.data.knowntext import open_known
from minigrad.data.lanes import Lanes
from minigrad.data.words import counted
from minigrad.errors import ArgumentError, DataError, StateError
from minigrad.models.begun import check_same, check_there, chosen, source, sources
from minigrad.models.char_lstm import CELLS, GATES, LARGEST, MOST_LAYERS, Card, CharLSTM, State, detached
from minigrad.models.cost import COPIES, check_memory
from minigrad.models.figures import BIT
from minigrad.models.text_loss import Measured, measure
from minigrad.train import SCHEDULES, Descent, Settings, Step, Task, Track, schedule_of, setting

WORK = (
    4e12  # multiplications that the forward passes of a training may take where nothing is said: some ten minutes on two cores
)
PASSES = 50  # through the text, at most, where nothing is said
SHORT, LONG = 300_000, 3_000_000  # characters: below the one a smaller network does, above the other none learns them by heart
LOOKS = 20  # evaluations, at most, but no more than
LOOKING = 0.1  # of the work of the training goes into them, where one is not more
PIECES = 20  # that a lane has in a pass, at least, where the text allows it
SEQUENCE = 64  # characters through which gradients go back, where nothing is said,
SHORTER = 16  # and where a text has too few for it, if it has so many
LANES = 32  # at most, where nothing is said
OPTIONS = ("cell", "hidden", "layers", "embedding", "dropout", "layer_norm", "tied")  # settings that the network is made of
KNOBS = "hidden, layers, embedding, sequence or batch_size"


@dataclass(frozen=True)
class TextSettings(Settings):
    """What a user may choose."""

    cell: str = setting("lstm", "the recurrent layers", choices=CELLS)
    hidden: int | None = setting(None, "units of each layer; auto: 256, of a short text 128", least=1, most=LARGEST)
    layers: int = setting(2, "recurrent layers", least=1, most=MOST_LAYERS)
    embedding: int | None = setting(
        None, "numbers that stand for a character; 0: one-hot; auto: 64, of over 256 characters 128", least=0, most=LARGEST
    )
    dropout: float | None = setting(
        None, "share of the layers' outputs that is zeroed in training; auto: 0.2, of a long text 0", least=0, most=0.9
    )
    layer_norm: bool = setting(False, "normalise the layers' outputs")
    tied: bool = setting(False, "one weight for the embedding and the logits, which then are of one size")
    bytes: bool = setting(False, "learn from bytes, in place of the characters of UTF-8")
    glob: str | None = setting(None, "which files of a folder, such as *.py or *.py,*.pyi; auto: all that are text")
    min_count: int | None = setting(
        None, "characters that come less often are folded into one; auto: none of few characters", least=1, most=LARGEST
    )
    holdout: float | None = setting(None, "share held out to choose by; auto: by the length", least=0.001, most=0.5)
    epochs: float | None = setting(
        None, "passes through the text, may be less than 1; auto: by the work", least=1e-6, most=LARGEST
    )
    batch_size: int | None = setting(
        None, "lanes, places of the text in a step; auto: 32, fewer of a short one", least=1, most=LARGEST
    )
    sequence: int | None = setting(None, "characters through which gradients go back; auto: 64", least=1, most=LARGEST)
    lr: float | None = setting(None, "largest learning rate of Adam; auto: 0.003, for more than 256 units 0.002", least=0)
    weight_decay: float | None = setting(None, "of the weights, decoupled from the gradient; auto: 0", least=0)
    schedule: str = setting("cosine", "how the rate goes", choices=SCHEDULES)
    clip_norm: float = setting(1.0, "largest norm of the gradients; 0: not clipped", least=0)
    sample: int = setting(400, "characters that are written after each evaluation; 0: none", least=0, most=LARGEST)


RECIPES: dict[str, dict[str, Any]] = {
    "shakespeare": {
        "hidden": 256, "epochs": 10.0, "dropout": 0.2, "batch_size": 32, "sequence": 64, "lr": 0.004, "weight_decay": 0.02,
    },
    "python-stdlib": {"hidden": 256, "epochs": 2.0, "dropout": 0.0, "batch_size": 32},
}  # fmt: skip
# What is known of the named sets, in place of what would be found.


class Carried:
    """The network's state between two steps of truncated backpropagation, as a part of the training's state.

    Example:
        >>> carried = Carried()
        >>> carried.state = (minigrad.ones(1, 2, 3),)
        >>> again = Carried()
        >>> again.load_state_dict(carried.state_dict())
        >>> again.state[0].shape
        minigrad.Size([1, 2, 3])
    """

    def __init__(self, device: Any = "cpu") -> None:
        self.state: State | None = None
        self.device = device

    def state_dict(self) -> dict[str, Any]:
        """The parts of the state, if there is one."""
        return {"parts": list(self.state or ())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` gave.

        Raises:
            StateError: it is none.
        """
        parts = state.get("parts") if isinstance(state, Mapping) else None
        if not isinstance(parts, (list, tuple)) or not all(isinstance(part, Tensor) for part in parts):
            raise StateError("Carried.load_state_dict", "state", "parts, a list of Tensors", type(parts).__name__)
        self.state = tuple([part.to(self.device) for part in parts]) or None


class Text(Task):
    """Trains a model of a text.

    Args:
        data: a named set, a file of text, or a folder of them; or several: see ``minigrad.data.corpus.open_text``.
        settings: what the user chose; a run's config holds all of them, found ones too.
        say: takes lines for the user: what was found and decided.
        progress: called as ``progress(doing, done, total)`` while the text is read.
        like: the card of a model whose weights are to be begun with: the text is read in the characters that it knows.

    Raises:
        DataError: the data cannot be had or are not fit.
        ArgumentError: settings that do not go with the data or with each other.
        OutOfMemoryError: the network, or a step, needs more memory than there is.
    """

    name = "text"
    unit = "characters"
    goal = ("loss", "min")
    inherits = (*OPTIONS, "bytes", "sequence")
    Settings = TextSettings
    settings: TextSettings

    def __init__(
        self,
        data: str | Sequence[str],
        settings: TextSettings,
        say: Callable[[str], None] = lambda text: None,
        progress: Callable[[str, int, int], None] | None = None,
        like: Mapping[str, Any] | None = None,
    ) -> None:
        places = several(data)
        self.sources = [source(place) for place in places]
        settings = settings.decide(**(RECIPES.get(places[0], {}) if len(places) == 1 else {}))
        known = None if like is None else Card.of(like, "the model to begin from").vocabulary
        if known is not None and settings.bytes != (known.kind == "bytes"):
            expected = f"{str(not settings.bytes).lower()}, as the model to begin from is one of {known.kind}"
            raise ArgumentError("--set", "bytes", expected, str(settings.bytes).lower(), "Leave it out, or train a new model")
        self.data: TextData = open_text(
            places, bytes=settings.bytes, glob=settings.glob, min_count=settings.min_count, holdout=settings.holdout,
            seed=settings.seed, progress=progress,
            vocabulary=known,
        )  # fmt: skip
        for line in self.data.policy:
            say(line)
        settings = self._network_settings(settings, len(self.data.vocabulary), len(self.data.train))
        options = {name: getattr(settings, name) for name in OPTIONS}
        steps = settings.sequence or SEQUENCE
        self.card = Card(self.data.vocabulary, options, steps)
        check_memory(COPIES * self.card.parameters, f"a network of {self.card.parameters:,} parameters", self.name, KNOBS)
        self.settings = settings = self._training_settings(settings)
        batch = settings.batch_size or 1
        numbers = batch * steps * numbers_per_character(self.card)
        check_memory(numbers, f"a step of {batch:,} lanes with {steps:,} characters each", self.name, KNOBS)
        minigrad.manual_seed(settings.seed)
        network = self.card.build()
        self.device = network.head.weight.device
        self.loader = Lanes(self.data.train, batch, steps)
        self.carried = Carried(self.device)
        self.total_steps = max(1, round((settings.epochs or 1) * len(self.loader)))
        looking = len(self.data.validation) / (3 * batch * steps)  # of one, in steps: those also go back
        looks = int(np.clip(LOOKING * self.total_steps / looking, 1, LOOKS))
        self.evaluate_every = -(-self.total_steps // looks)
        self.descent = self._descent(network)
        unit = self.data.vocabulary.unit
        layers = f"{counted(settings.layers, 'layer')} of {settings.hidden:,} {settings.cell.upper()} units"
        say(f"network: {layers}, {self.card.parameters:,} parameters, for {len(self.data.vocabulary)} different {unit}s")
        say(
            f"training: {counted(self.total_steps, 'step')} of {batch} x {steps} {unit}s, "
            f"{counted(settings.epochs or 1, 'pass')} through the text, at a rate of up to {settings.lr:g}"
        )

    @classmethod
    def of(cls, config: Mapping[str, Any], say: Callable[[str], None] = lambda text: None, progress: Any = None) -> Text:
        """The task that a run's config describes.

        Raises:
            DataError: its data have changed, or are gone.
            RunError: the config is damaged.
        """
        data, settings = sources(config, cls.name), chosen(config, cls.name, TextSettings)
        for place in data:
            check_there(place, "text")
        task = cls(data, settings, say, progress, like=config.get("model") if "init_from" in config else None)
        check_same(task.data.digest, config, "text")
        return task

    @property
    def network(self) -> CharLSTM:
        """The network, as far as it is trained."""
        network: Any = self.descent.module
        return network

    # ------------------------------------------------------------------ what is found from the data

    @staticmethod
    def _network_settings(settings: TextSettings, symbols: int, characters: int) -> TextSettings:
        settings = settings.decide(hidden=128 if characters < SHORT else 256, dropout=0.0 if characters >= LONG else 0.2)
        usual = settings.hidden if settings.tied else min(settings.hidden or 1, 64 if symbols <= 256 else 128)
        settings = settings.decide(embedding=usual)
        if settings.tied and settings.embedding != settings.hidden:
            expected = f"hidden, {settings.hidden}, as tied=true asks"
            raise ArgumentError("--set", "embedding", expected, str(settings.embedding), "Leave it out")
        return settings

    def _training_settings(self, settings: TextSettings) -> TextSettings:
        """What is found from the length of the text and the size of the network, and whether they go together."""
        characters = len(self.data.train)
        steps = self.card.steps
        most = (characters - 1) // steps  # lanes that have one whole piece
        if most < 1:
            expected = f"more than sequence={steps} {self.data.vocabulary.unit}s to learn from"
            remedy = f"Give more text, or shorter sequences: --set sequence={min(SHORTER, max(1, characters // 2))}"
            raise DataError("data", called(self.sources), expected, f"{characters:,}", remedy)
        if (settings.batch_size or 1) > most:
            expected = f"at most {most:,}, as the text has {characters:,} characters to learn from and sequence={steps}"
            raise ArgumentError("--set", "batch_size", expected, f"{settings.batch_size:,}")
        wide = min(LANES, max(1, most // PIECES))
        passes = WORK / (self.card.parameters * characters)
        return settings.decide(
            sequence=steps,
            batch_size=1 << (wide.bit_length() - 1),
            epochs=float(f"{min(passes, PASSES):.2g}"),
            lr=0.003 if (settings.hidden or 0) <= 256 else 0.002,
            weight_decay=0.0,
        )

    def _descent(self, network: CharLSTM) -> Descent:
        settings = self.settings
        rate = settings.lr or 0.0
        optimizer = optim.AdamW(network.parameters(), lr=rate, weight_decay=settings.weight_decay or 0.0)
        schedule = schedule_of(settings.schedule, optimizer, self.total_steps)
        return Descent(network, optimizer, schedule=schedule, clip_norm=settings.clip_norm)

    # ------------------------------------------------------------------ what the loop asks for

    def config(self) -> dict[str, Any]:
        """The data, the settings, and what makes the weights a model of the text."""
        digest, settings = self.data.digest, self.settings.to_dict()
        data = self.sources if len(self.sources) > 1 else self.sources[0]
        return {"data": data, "data_digest": digest, "settings": settings, "model": self.card.to_config()}

    def state(self) -> Mapping[str, Any]:
        """The network with all that moves it, the place in the text, and what the network remembers of what is before it."""
        return {"descent": self.descent, "loader": self.loader, "carried": self.carried}

    def batches(self) -> Iterator[Any]:
        """Piece after piece, pass after pass."""
        while True:
            yield from self.loader

    def step(self, batch: Any) -> Step:
        """One step down the cross-entropy of the next characters, from the state that the step before left."""
        tokens, fresh = batch
        here = tokens.to(self.device)
        logits, state = self.network.train()(here[:-1], None if fresh else self.carried.state)
        metrics = self.descent.step([F.cross_entropy(logits.flatten(0, 1), here[1:].flatten())])
        self.carried.state = detached(state)
        return Step(here[1:].numel(), {**metrics, "bits": metrics["loss"] / BIT})

    def evaluate(self, track: Track) -> Mapping[str, float]:
        """Nats and bits per character of the text held out."""
        measured = self.measure(self.data.validation, track)
        return {"loss": measured.loss, "bits": measured.figures().bits}

    def measure(self, ids: Ids, track: Track = iter) -> Measured:
        """How well the model, as far as it is trained, foretells a text."""
        return measure(self.network, ids, self.card.steps, track)

    def sample(self) -> str:
        """What it writes from the beginning of a line; other letters after each evaluation."""
        from minigrad.models.text_report import written

        length = self.settings.sample
        return written(self.card, self.network, length) if length else ""

    def weights(self) -> Mapping[str, Tensor]:
        """Those of the network."""
        return self.network.state_dict()

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of the best evaluation."""
        self.network.load_state_dict(weights)

    def origin(self, batch: Any) -> np.ndarray:
        """The first characters of its lanes."""
        return batch[0].numpy()[:60, :4].copy()

    def describe(self, origin: np.ndarray) -> str:
        """What stands in the first lanes of a batch."""
        lanes = [repr(self.data.vocabulary.decode(lane)) for lane in origin.T]
        return f"lanes that begin with {', '.join(lanes)}"

    def report(self, page: Any) -> None:
        """How good the best model is, what it writes, and what it finds hard."""
        from minigrad.models.text_report import add_model

        add_model(page, self)


def to_measure(
    config: Mapping[str, Any], data: Sequence[str] | None, unseen: str = "refuse", progress: Any = None,
    *, glob: str | None = None,
) -> tuple[Ids, str, tuple[str, ...]]:  # fmt: skip
    """A text to measure a run's model by, what it is, and lines about it.

    Args:
        config: the run's.
        data: named sets and paths, of each its test part where it has one; ``None`` for the run's own data: the test part, else
            what was held out.
        unseen: of other data, what becomes of characters that the model does not know: see ``Characters.encode``.
        progress: as for ``Text``.
        glob: of other data, which files of the folders; by default the run's, where there are folders.

    Raises:
        DataError: the data cannot be had, or have characters that the model does not know.
        RunError: the config is damaged.
    """
    card = Card.of(config.get("model"), "config.json")
    own, settings = sources(config, Text.name), chosen(config, Text.name, TextSettings)
    if data is not None:
        folders = any(os.path.isdir(os.path.expanduser(place)) and place not in DATASETS for place in data)
        glob = settings.glob if glob is None and folders else glob
        ids, lines = open_known(data, card.vocabulary, unknown=unseen, glob=glob, progress=progress)
        if len(ids) < 2:
            expected = "at least 2 characters: the first is read, the second predicted"
            raise DataError("data", called(data), expected, f"{len(ids)} that the model knows", "Give more text")
        return ids, called(data), lines
    for place in own:
        check_there(place, "text")
    opened = open_text(
        own, bytes=settings.bytes, glob=settings.glob, min_count=settings.min_count, holdout=settings.holdout,
        seed=settings.seed, progress=progress, vocabulary=card.vocabulary if "init_from" in config else None,
    )  # fmt: skip
    check_same(opened.digest, config, "text")
    card.vocabulary.check_same(opened.vocabulary, "config.json")
    if opened.test is not None:
        return opened.test, f"test part of {called(own)}", ()
    return opened.validation, f"held-out part of {called(own)}", ()


def numbers_per_character(card: Card) -> int:
    """How many numbers training keeps for each character of a step: what each layer computes, and the logits.

    Example:
        >>> from minigrad.data.characters import Characters
        >>> options = {"cell": "gru", "hidden": 8, "layers": 2, "embedding": 4}
        >>> numbers_per_character(Card(Characters("abc"), options, 64))
        93
    """
    options, symbols = card.options, len(card.vocabulary)
    layer = (GATES[options["cell"]] + 2) * options["hidden"]
    return (options["embedding"] or symbols) + options["layers"] * layer + 3 * symbols
