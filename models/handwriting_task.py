"""The system ``handwriting``: from strokes of a pen and their texts to a hand that writes any text.

    minigrad train handwriting --data hershey

Graves 2013, arXiv:1308.0850, section 5: the nats of each next point, by its RMSprop or by Adam with one cycle of the learning
rate (Smith 2018, arXiv:1803.09820). What is not set is found from the data, and every finding is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad
from minigrad import Tensor, nn, optim
from minigrad.data import DataLoader
from minigrad.data.pen import StrokeData
from minigrad.data.words import counted
from minigrad.data.written import LikeSizes, Written
from minigrad.models.begun import check_same, check_there, recipe, source
from minigrad.models.cost import COPIES, check_memory
from minigrad.models.handwriting_data import FAIR, in_its_terms, manner, opened, spacing_like, sparser
from minigrad.models.scribe import LARGEST, Card, Likelihood, Scribe, nats_of
from minigrad.train import SCHEDULES, Descent, Settings, Step, Task, Track, ema, schedule_of, setting

WORK = 1.2e13  # multiplications of the forward passes where nothing is said: less than an hour on two cores
STEP, ITEMS = 2_500, (8, 64)  # points in a step where nothing is said, of at least and at most so many items
PASSES = 200  # through the data, at most, where nothing is said
SMALL = 50_000  # points: fewer are learned by heart
LOOKS = 20  # evaluations, at most, but no more than
LOOKING = 0.1  # of the work of the training goes into them, where one is not more
SURE = 0.99  # of the texts are no longer than what the hand writes at once
SAMPLED = 3  # texts that are written after an evaluation
KNOBS = "hidden, batch_size, windows or mixtures"


@dataclass(frozen=True)
class HandwritingSettings(Settings):
    """What a user may choose."""

    hidden: int | None = setting(None, "units of each layer; auto: 256, of few points 128", least=1, most=LARGEST)
    windows: int = setting(10, "bells of the window over the text", least=1, most=LARGEST)
    mixtures: int = setting(20, "normal distributions of the next point", least=1, most=LARGEST)
    dropout: float | None = setting(
        None,
        "share of the layers' outputs that is zeroed in training; auto: 0.2, of many points 0",
        least=0,
        most=0.9,
    )
    floor: float = setting(-6.0, "least logarithm of a deviation, for data on a grid", least=-15, most=15)
    fonts: str | None = setting(None, "of hershey, with commas between them; auto: futural")
    strength: float = setting(1.0, "how much the variants of fonts differ: 0 not at all", least=0, most=10)
    spacing: float | None = setting(None, "distance between points, in the units of the data; auto: by the data", least=1e-6)
    only: str | None = setting(None, "learn from texts of these characters alone; auto: from all")
    level: bool = setting(False, "turn recorded writing level and upright")
    holdout: float | None = setting(None, "share held out to choose by; auto: by the number of items", least=0.001, most=0.5)
    epochs: float | None = setting(
        None, "passes through the data, may be less than 1; auto: by the work", least=1e-6, most=LARGEST
    )
    batch_size: int | None = setting(
        None, "items in a step; auto: as many as have about 2,500 points, 8 to 64", least=1, most=LARGEST
    )
    optimizer: str = setting("adam", "the rule of the step; rmsprop is that of the paper", choices=("adam", "rmsprop"))
    lr: float | None = setting(None, "largest learning rate; auto: 0.002 for adam, 0.0001 for rmsprop", least=0)
    schedule: str = setting("onecycle", "how the rate goes", choices=SCHEDULES)
    clip: bool = setting(True, "clip derivatives as in the paper: at 100 into the outputs, at 10 into the layers")
    clip_norm: float = setting(1.0, "largest norm of the gradients of the nats of a point; 0: not clipped", least=0)
    average: float = setting(
        0.0, "decay of an exponential average of the weights, which is then the model; 0: none", least=0, most=0.9999
    )
    prefetch: int = setting(1, "threads that prepare batches ahead", least=0, most=16)


RECIPES: dict[str, dict[str, Any]] = {
    "hershey": {"hidden": 192, "dropout": 0.0, "spacing": 4.0, "lr": 4e-3},
}  # what is known of the named sets, in place of what would be found


class Handwriting(Task):
    """Trains a hand.

    Args:
        data: a named set, a file of strokes, or a folder of them: see ``minigrad.data.pen.open_strokes``.
        settings: what the user chose; a run's config holds all of them, found ones too.
        say: takes lines for the user: what was found and decided.
        progress: called as ``progress(doing, done, total)`` while the data are read.
        like: the card of a hand whose weights are to be begun with: the strokes are brought to the height of what it learned
            from, with points as far apart, and its alphabet is kept.

    Raises:
        DataError: the data cannot be had or are not fit, or have characters that ``like`` does not write.
        ArgumentError: settings that do not go with the data or with each other.
        OutOfMemoryError: the network, or a step, needs more memory than there is.
    """

    name = "handwriting"
    unit = "points"
    inherits = ("hidden", "windows", "mixtures", "floor")
    goal = ("loss", "min")
    Settings = HandwritingSettings
    settings: HandwritingSettings

    def __init__(
        self,
        data: str,
        settings: HandwritingSettings,
        say: Callable[[str], None] = lambda text: None,
        progress: Callable[[str, int, int], None] | None = None,
        like: Mapping[str, Any] | None = None,
    ) -> None:
        self.source = source(data)
        settings = settings.decide(**_recipe(data, settings, like))
        self.data: StrokeData = opened(data, settings, progress)
        if like is not None:
            begun = Card.of(like, "the model to begin from")
            if settings.spacing is None:
                settings = settings.decide(spacing=spacing_like(self.data, begun))
                self.data = opened(data, settings, progress)
            self.data = in_its_terms(self.data, begun)
        elif settings.spacing is None and (spacing := sparser(self.data.train)) is not None:
            dense = self.data.train.sizes.sum() / sum(map(len, self.data.train.texts))
            settings = settings.decide(spacing=spacing)
            self.data = opened(data, settings, progress)
            say(
                f"points: {dense:.0f} to a letter take long to learn; they are set {spacing:g} apart, about {FAIR} to a letter "
                "(--set spacing=... sets them otherwise)"
            )
        for line in self.data.policy:
            say(line)
        train = self.data.train
        points = int(train.sizes.sum())
        settings = settings.decide(hidden=256 if points >= SMALL else 128, dropout=0.0 if points >= 10 * SMALL else 0.2)
        self.card = self._card(settings)
        count = self.card.parameters
        check_memory(COPIES * count, f"a network of {count:,} parameters", self.name, KNOBS)
        self.settings = settings = self._training_settings(settings, points)
        batch = min(settings.batch_size or 1, len(train))
        longest = int(np.sort(train.sizes)[-batch:].sum())
        check_memory(longest * numbers_per_point(self.card), f"a step with {batch:,} of the longest items", self.name, KNOBS)
        minigrad.manual_seed(settings.seed)
        network = self.card.build()
        order = LikeSizes(train.sizes, batch, minigrad.Generator().manual_seed(settings.seed))
        self.loader = DataLoader(train, batch_sampler=order, num_workers=settings.prefetch, device="cpu")
        self.total_steps = max(1, round((settings.epochs or 1) * len(self.loader)))
        looking = int(self.data.validation.sizes.sum()) / (3 * points / len(self.loader))  # of one, in steps: those go back too
        looks = int(np.clip(LOOKING * self.total_steps / looking, 1, LOOKS))
        self.evaluate_every = -(-self.total_steps // looks)
        self.descent = self._descent(network)
        say(
            f"network: 3 layers of {settings.hidden:,} LSTM units, a window of {settings.windows} bells over "
            f"{len(self.card.alphabet)} different characters, {settings.mixtures} distributions; {count:,} parameters"
        )
        say(
            f"training: {counted(self.total_steps, 'step')} of {counted(batch, 'item')}, "
            f"{counted(settings.epochs or 1, 'pass')} through {counted(len(train), 'item')} with about {points:,} points, "
            f"{settings.optimizer} at up to {settings.lr:g}"
        )
        say(f"scale: offsets are divided by {self.card.scale:.4g}; nats are those of offsets so divided")

    @classmethod
    def of(cls, config: Mapping[str, Any], say: Callable[[str], None] = lambda text: None, progress: Any = None) -> Handwriting:
        """The task that a run's config describes.

        Raises:
            DataError: its data have changed, or are gone.
            RunError: the config is damaged.
        """
        data, settings = recipe(config, cls.name, HandwritingSettings)
        check_there(data, "strokes")
        task = cls(data, settings, say, progress, like=config.get("model") if "init_from" in config else None)
        check_same(task.data.digest, config, "strokes")
        return task

    # ------------------------------------------------------------------ what is found from the data

    def _card(self, settings: HandwritingSettings) -> Card:
        """What makes the network a hand: the step and the pace are those of some items of the data."""
        data, found = self.data, manner(self.data.train, self.data.scale)
        options = {name: getattr(settings, name) for name in ("hidden", "windows", "mixtures", "dropout")}
        letters = int(np.quantile([len(text) for text in data.train.texts], SURE))
        made_of = {**options, "pace": found.pace}
        return Card(data.alphabet, made_of, data.scale, data.height, found.step, settings.floor, letters)

    def _training_settings(self, settings: HandwritingSettings, points: int) -> HandwritingSettings:
        passes = min(WORK / (self.card.parameters * points), PASSES)
        items = int(np.clip(STEP * len(self.data.train) // points, *ITEMS))
        return settings.decide(
            epochs=float(f"{passes:.2g}"), batch_size=items, lr=2e-3 if settings.optimizer == "adam" else 1e-4
        )

    def _descent(self, network: nn.Module) -> Descent:
        settings = self.settings
        rate = settings.lr or 0.0
        optimizer: Any
        if settings.optimizer == "adam":
            optimizer = optim.Adam(network.parameters(), lr=rate)
        else:  # equations 38 to 45
            optimizer = optim.RMSprop(network.parameters(), lr=rate, alpha=0.95, eps=1e-4, momentum=0.9, centered=True)
        schedule = schedule_of(settings.schedule, optimizer, self.total_steps, cycle_momentum=settings.optimizer == "adam")
        average = ema(network, settings.average) if settings.average else None
        return Descent(network, optimizer, schedule=schedule, clip_norm=settings.clip_norm, average=average)

    # ------------------------------------------------------------------ what the loop asks for

    def config(self) -> dict[str, Any]:
        """The data, the settings, and what makes the weights a hand."""
        digest, settings = self.data.digest, self.settings.to_dict()
        return {"data": self.source, "data_digest": digest, "settings": settings, "model": self.card.to_config()}

    def state(self) -> Mapping[str, Any]:
        """The network with all that moves it, and the place in the data."""
        return {"descent": self.descent, "loader": self.loader}

    def batches(self) -> Iterator[Any]:
        """Batch after batch, pass after pass."""
        while True:
            yield from self.loader

    def step(self, batch: Any) -> Step:
        """One step down the nats of a point and of the ends, on average over all points of the batch."""
        network: Any = self.descent.module.train()
        points = int(batch.lengths.sum().item())
        share = 1 / points
        strokes, ends = nats_of(network, batch, self.card.floor, share if self.settings.clip else 0.0)
        metrics = self.descent.step([(strokes + ends) * share])
        items = 1 / len(batch.lengths)
        nats = {"loss": strokes.detach() * share, "sequence": strokes.detach() * items, "ends": ends.detach() * items}
        return Step(points, {**metrics, **nats})

    def evaluate(self, track: Track) -> Mapping[str, float]:
        """Nats of a point and of a sequence, of what is held out."""
        found = self.judge(self.data.validation, track)
        return {"loss": found.per_point, "sequence": found.per_sequence}

    @property
    def scribe(self) -> Scribe:
        """The hand, as far as it is trained."""
        network: Any = self.descent.learned
        return Scribe(self.card, network)

    def judge(self, written: Written, track: Track = iter) -> Likelihood:
        """How likely the hand, as far as it is trained, thinks strokes."""
        return self.scribe.judge(written, track=track)

    def sample(self) -> str:
        """Some held-out texts as it writes them, in dots."""
        from minigrad.models.handwriting_report import in_dots

        return in_dots(self.scribe, self.held_out(SAMPLED))

    def held_out(self, most: int) -> list[str]:
        """Some of the texts that are held out, spread over all, the longest left out."""
        texts = sorted(dict.fromkeys(self.data.validation.texts), key=len)
        short = texts[: max(1, 9 * len(texts) // 10)]
        return [short[i] for i in np.unique(np.linspace(0, len(short) - 1, min(most, len(short))).astype(int))]

    def weights(self) -> Mapping[str, Tensor]:
        """Those of the network, or of its average."""
        return self.descent.learned.state_dict()

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of the best evaluation."""
        self.descent.learned.load_state_dict(weights)

    def origin(self, batch: Any) -> Tensor:
        """The numbers of its items."""
        return batch.numbers

    def describe(self, origin: Tensor) -> str:
        """The first few names of a batch's items."""
        names = [self.data.train.names[int(i)] for i in origin]
        return f"{len(names)} items: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"

    def report(self, page: Any) -> None:
        """How likely the hand thinks what is held out, and what it writes."""
        from minigrad.models.handwriting_report import add_hand

        add_hand(page, self)


def _recipe(data: str, settings: HandwritingSettings, like: Any) -> dict[str, Any]:
    """What is known of a named set, but for what another choice decides: the rate by the rule, the spacing by another hand."""
    known = dict(RECIPES.get(data, {}))
    if settings.optimizer != "adam":
        known.pop("lr", None)
    if like is not None:
        known.pop("spacing", None)
    return known


def numbers_per_point(card: Card) -> int:
    """About how many numbers a step keeps for each point, for the way back."""
    hidden = card.options["hidden"]
    outer = 3 + len(card.alphabet)
    return 3 * outer + 3 * 6 * hidden + 5 * hidden + 3 * card.options["windows"] + 3 * (1 + 6 * card.options["mixtures"])
