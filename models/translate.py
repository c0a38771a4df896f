"""The system ``translate``: from pairs of sentences to a network that turns those of one language into the other.

    minigrad train translate --data en-es

Adam, a learning rate that falls as half a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983), gradients clipped (Pascanu,
Mikolov, Bengio 2013, arXiv:1211.5063), smoothed labels (Szegedy et al. 2016, arXiv:1512.00567), and the mean of the last
checkpoints (Vaswani et al. 2017, arXiv:1706.03762). The best state is that of the highest BLEU of greedy translations of what
is held out. What is not set is found from the data, and every finding is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad
from minigrad import Tensor, optim
from minigrad.data import DataLoader
from minigrad.data.pair import LONGEST, Pair
from minigrad.data.pairfiles import places
from minigrad.data.pairs import PairData, open_pairs
from minigrad.data.pairtokens import KINDS, learn_tokens
from minigrad.data.translated import LikeTokens, PairBatch, Translated
from minigrad.data.words import counted
from minigrad.data.wordtokens import CASES
from minigrad.errors import ArgumentError
from minigrad.models.begun import check_same, check_there, chosen, source, sources
from minigrad.models.bleu import check_library
from minigrad.models.cost import COPIES, check_memory
from minigrad.models.seq2seq import ATTENTION, GATES, LARGEST, MOST_LAYERS, TIED, Seq2Seq, own_share
from minigrad.models.translation import Judged, judge
from minigrad.models.translator import Translator
from minigrad.models.translator_card import Card
from minigrad.train import SCHEDULES, Descent, Settings, Step, Task, Track, schedule_of, setting
from minigrad.train.latest import Latest

WORK = 2.5e13  # multiplications that the forward passes of a training may take where nothing is said,
PATIENCE = 4  # times as much, if it is for the first pass,
PASSES, STEPS = 60, 2000  # passes through the data, at most, or as many as make so many steps
SMALL, LARGE = 200_000, 1_000_000  # target tokens of the training part: below, few numbers learn more; above, hardly by heart
BATCHES = 300  # of a pass, where nothing is said, or more, so that there are STEPS of them in all; each of
LEAST, MOST = 512, 4096  # tokens: fewer make steps that are hardly cheaper, more make too few steps
WAYS, MANY = 32, 50_000  # ways of splitting a sentence into subwords, of which one is drawn, up to so many pairs
LOOKS = 25  # evaluations, at most
OPTIONS = ("cell", "hidden", "layers", "embedding", "attention", "feeding", "residual", "dropout", "tied")
KNOBS = "hidden, layers, embedding, vocabulary_size or tokens"
LOOKED_AT = 64  # words of a long sentence, each of which has a weight, and a number that it is made of
SAMPLED = 4  # held-out sentences that are shown with each evaluation


@dataclass(frozen=True)
class TranslateSettings(Settings):
    """What a user may choose."""

    source: str | None = setting(None, "the language that is read, where the data tell which are there")
    target: str | None = setting(None, "the language that is written, likewise")
    reverse: bool = setting(False, "translate from the second into the first")
    longest: int = setting(LONGEST, "words of a sentence; pairs with longer ones are left out", least=1, most=LARGEST)
    holdout: float | None = setting(
        None, "share held out to choose by; auto: a tenth, at most 2,000 pairs", least=0.001, most=0.5
    )
    vocabulary: str = setting("words", "what sentences are made of", choices=KINDS)
    vocabulary_size: int | None = setting(
        None, "tokens that are kept; auto: words that come often enough, 30,000 at most; 4,000 subwords, of little data fewer",
        least=6, most=LARGEST,
    )  # fmt: skip
    min_count: int | None = setting(None, "words that come less often are unknown; auto: 2", least=1, most=LARGEST)
    case: str | None = setting(None, "capital letters of words: kept, marked, or lower for good; auto: marked", choices=CASES)
    ways: int | None = setting(
        None, "of splitting a sentence into subwords, of which each pass draws another; auto: 32, of much data 1",
        least=1, most=1024,
    )  # fmt: skip
    joint: bool | None = setting(None, "one vocabulary for both languages; auto: of subwords")
    cell: str = setting("lstm", "the recurrent layers", choices=GATES)
    hidden: int | None = setting(None, "units of each layer; auto: 256", least=2, most=LARGEST)
    layers: int = setting(1, "recurrent layers of the encoder, and of the decoder", least=1, most=MOST_LAYERS)
    embedding: int | None = setting(
        None, "numbers that stand for a token; auto: 256, of little data 128", least=1, most=LARGEST
    )
    attention: str = setting("general", "how the decoder looks at the source", choices=ATTENTION)
    feeding: bool = setting(False, "what was looked at is fed in with the next word: input feeding")
    residual: bool | None = setting(None, "a layer's input is added to its output; auto: of 3 layers and more")
    dropout: float | None = setting(None, "share that is zeroed in training; auto: 0.3, of much data 0.2", least=0, most=0.9)
    tied: str | None = setting(
        None, "which embeddings the logits' weight is; auto: all where the vocabulary is one", choices=TIED
    )
    epochs: float | None = setting(
        None, "passes through the pairs, may be less than 1; auto: by the work", least=1e-6, most=LARGEST
    )
    tokens: int | None = setting(
        None,
        "of a batch, padded, in the language that has more; auto: by how many there are, 512 to 4,096",
        least=1,
        most=LARGEST,
    )
    lr: float | None = setting(None, "largest learning rate of Adam; auto: 0.002", least=0)
    weight_decay: float = setting(0.0, "of the weights, decoupled from the gradient", least=0)
    schedule: str = setting("cosine", "how the rate goes", choices=SCHEDULES)
    clip_norm: float = setting(1.0, "largest norm of the gradients; 0: not clipped", least=0)
    smoothing: float = setting(0.1, "share of what is wanted that is spread over all tokens", least=0, most=0.9)
    own: float = setting(0.0, "chance at the end that a word is the network's own: scheduled sampling", least=0, most=1)
    average: int = setting(5, "checkpoints since the last evaluation whose mean is the model; 0: the last", least=0, most=100)
    judged: int = setting(1000, "held-out sentences that are translated at an evaluation, at most", least=1, most=LARGEST)
    prefetch: int = setting(1, "threads that prepare batches ahead", least=0, most=16)


RECIPES: dict[str, dict[str, Any]] = {}
# What is known of the named sets, in place of what would be found.


class Count:
    """Steps that were made, as a part of the training's state.

    Example:
        >>> count = Count()
        >>> count.load_state_dict({"steps": 3})
        >>> count.steps
        3
    """

    def __init__(self) -> None:
        self.steps = 0

    def state_dict(self) -> dict[str, int]:
        """The number."""
        return {"steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` gave."""
        self.steps = int(state["steps"])


class Translate(Task):
    """Trains a translator.

    Args:
        data: named sets, files, or folders of pairs: see ``minigrad.data.pairs.open_pairs``.
        settings: what the user chose; a run's config holds all of them, found ones too.
        say: takes lines for the user: what was found and decided.
        progress: called as ``progress(doing, done, total)`` while the data are read.
        like: the card of a translator whose weights are to be begun with: its vocabularies are kept.

    Raises:
        DataError: the data cannot be had or are not fit; or sacrebleu, or the library of subwords, is not installed.
        ArgumentError: settings that do not go with the data or with each other.
        OutOfMemoryError: the network, or a step, needs more memory than there is.
    """

    name = "translate"
    unit = "tokens"
    goal = ("bleu", "max")
    tie = ("loss", "min")
    inherits = ("vocabulary", "case", *OPTIONS)
    shown = (7, 900)
    Settings = TranslateSettings
    settings: TranslateSettings

    def __init__(
        self,
        data: str | Sequence[str],
        settings: TranslateSettings,
        say: Callable[[str], None] = lambda text: None,
        progress: Callable[[str, int, int], None] | None = None,
        like: Mapping[str, Any] | None = None,
    ) -> None:
        check_library()
        given = places(data)
        self.sources = [source(place) for place in given]
        settings = settings.decide(**(RECIPES.get(given[0], {}) if len(given) == 1 else {}))
        settings = settings.decide(case="mark" if settings.vocabulary == "words" else "keep")
        self.data = opened(given, settings, progress)
        for line in self.data.policy:
            say(line)
        self.card, settings = self._card(settings, say, like)
        several = self.card.source.kind == "subwords" and len(self.data.train) <= MANY
        settings = settings.decide(ways=WAYS if several else 1)
        train = Translated(self.data.train, self.card.source, self.card.target, ways=settings.ways or 1, seed=settings.seed)
        settings = self._network_settings(settings, int(train.sizes[:, 1].sum()))
        self.card = self.card._replace(options={name: getattr(settings, name) for name in OPTIONS})
        count = self.card.parameters
        kept = settings.average + 1 if settings.average else 0  # states, and their mean
        check_memory((COPIES + kept) * count, f"a network of {count:,} parameters", self.name, KNOBS)
        self.settings = settings = self._training_settings(settings, train)
        numbers = max(self.tokens, int(train.sizes.max())) * numbers_per_token(self.card)
        check_memory(numbers, f"a step of {self.tokens:,} tokens", self.name, KNOBS)
        minigrad.manual_seed(settings.seed)
        network = self.card.build()
        self.device = network.head.weight.device
        order = LikeTokens(train.sizes, self.tokens, minigrad.Generator().manual_seed(settings.seed))
        self.train = train
        self.loader = DataLoader(train, batch_sampler=order, num_workers=settings.prefetch, device="cpu")
        self.steps_per_epoch = len(self.loader)
        self.total_steps = max(1, round((settings.epochs or 1) * len(self.loader)))
        spacing = max(1, settings.average)  # steps between evaluations are so many times those between checkpoints
        self.evaluate_every = spacing * max(1, -(-self.total_steps // (LOOKS * spacing)))
        self.count = Count()
        self.descent = self._descent(network)
        layers = f"{counted(settings.layers, 'layer')} of {settings.hidden:,} {settings.cell.upper()} units each way"
        looks = "no" if settings.attention == "none" else settings.attention
        say(f"network: {layers}, {looks} attention, {count:,} parameters")
        say(
            f"training: {counted(self.total_steps, 'step')} of up to {self.tokens:,} tokens, "
            f"{counted(settings.epochs or 1, 'pass')} through {counted(len(train), 'pair')}, at a rate of up to {settings.lr:g}"
        )

    @classmethod
    def of(cls, config: Mapping[str, Any], say: Callable[[str], None] = lambda text: None, progress: Any = None) -> Translate:
        """The task that a run's config describes.

        Raises:
            DataError: its data have changed, or are gone.
            RunError: the config is damaged.
        """
        data, settings = sources(config, cls.name), chosen(config, cls.name, TranslateSettings)
        for place in data:
            check_there(place, "pairs")
        task = cls(data, settings, say, progress, like=config.get("model") if "init_from" in config else None)
        check_same(task.data.digest, config, "pairs")
        return task

    @property
    def tokens(self) -> int:
        """Of a batch, at most, padded."""
        return self.settings.tokens or LEAST

    @property
    def network(self) -> Seq2Seq:
        """What is measured and kept: the network, or the mean of its last checkpoints."""
        network: Any = self.descent.learned
        return network

    # ------------------------------------------------------------------ what is found from the data

    def _card(
        self, settings: TranslateSettings, say: Callable[[str], None], like: Mapping[str, Any] | None
    ) -> tuple[Card, TranslateSettings]:
        """The vocabularies, of the training part or of the model that is begun from; the options are not found yet."""
        if like is not None:
            begun = Card.of(like, "the model to begin from")
            for name in ("vocabulary_size", "min_count", "joint"):
                if getattr(settings, name) is not None:
                    expected, got = (
                        "nothing, as the vocabularies of the model to begin from are kept",
                        str(getattr(settings, name)),
                    )
                    raise ArgumentError("--set", name, expected, got, "Leave it out, or train a new model")
            for name, own in (("vocabulary", begun.source.kind), ("case", getattr(begun.source, "case", "keep"))):
                if getattr(settings, name) != own:
                    got = str(getattr(settings, name))
                    raise ArgumentError("--set", name, f"{own}, as the model to begin from has", got, "Leave it out")
            known = [language for language in self.data.languages if language]
            if known and any(begun.languages) and begun.languages != self.data.languages:
                expected = f"pairs from {begun.languages[0]} into {begun.languages[1]}, as the model to begin from translates"
                got = f"from {self.data.languages[0]} into {self.data.languages[1]}"
                remedy = "Turn them by --set reverse=true, or train a new model"
                raise ArgumentError("--init-from", "data", expected, got, remedy)
            say(f"vocabularies: those of the model to begin from, {len(begun.source):,} and {len(begun.target):,} tokens")
            return begun, settings
        found = learn_tokens(
            self.data, settings.vocabulary, size=settings.vocabulary_size, min_count=settings.min_count,
            case=settings.case or "keep", joint=settings.joint,
        )  # fmt: skip
        for line in found.policy:
            say(line)
        return Card(self.data.languages, found.source, found.target, {}), settings

    def _network_settings(self, settings: TranslateSettings, tokens: int) -> TranslateSettings:
        much = tokens >= LARGE
        one = self.card.source == self.card.target
        if settings.tied == "all" and not one:
            remedy = "Ask for one by joint=true, or take tied=target"
            raise ArgumentError("--set", "tied", "none or target, as each language has its own vocabulary", "all", remedy)
        if settings.attention == "none" and settings.feeding:
            raise ArgumentError("--set", "feeding", "false, as there is no attention", "true", "Leave it out")
        if settings.hidden is not None and settings.hidden % 2:
            raise ArgumentError("--set", "hidden", "an even number, half for each way of reading", str(settings.hidden))
        return settings.decide(
            hidden=256, embedding=128 if tokens < SMALL else 256, residual=settings.layers >= 3,
            dropout=0.2 if much else 0.3, tied="all" if one else "none",
        )  # fmt: skip

    def _training_settings(self, settings: TranslateSettings, train: Translated) -> TranslateSettings:
        tokens = int(train.sizes[:, 1].sum())
        looked_up = (settings.tied != "all") * len(self.card.source) + (settings.tied == "none") * len(self.card.target)
        used = self.card.parameters - (settings.embedding or 0) * looked_up
        within = WORK / used  # tokens, in all passes
        batch = min(max(LEAST, min(tokens // BATCHES, int(within) // STEPS)), MOST)
        most = max(PASSES, STEPS * min(1.0, batch / tokens))  # of few tokens a pass is one step
        passes = max(min(within / tokens, most), min(1.0, PATIENCE * within / tokens))
        return settings.decide(epochs=float(f"{passes:.2g}"), lr=0.002, tokens=batch)

    def _descent(self, network: Seq2Seq) -> Descent:
        settings = self.settings
        optimizer = optim.AdamW(network.parameters(), lr=settings.lr or 0.0, weight_decay=settings.weight_decay)
        schedule = schedule_of(settings.schedule, optimizer, self.total_steps)
        every = self.evaluate_every // max(1, settings.average)
        average: Any = Latest(network, settings.average, every) if settings.average else None
        return Descent(network, optimizer, schedule=schedule, clip_norm=settings.clip_norm, average=average)

    # ------------------------------------------------------------------ what the loop asks for

    def config(self) -> dict[str, Any]:
        """The data, the settings, and what makes the weights a translator."""
        digest, settings = self.data.digest, self.settings.to_dict()
        data = self.sources if len(self.sources) > 1 else self.sources[0]
        return {"data": data, "data_digest": digest, "settings": settings, "model": self.card.to_config()}

    def state(self) -> Mapping[str, Any]:
        """The network with all that moves it, the place in the data, and how many steps were made."""
        return {"descent": self.descent, "loader": self.loader, "count": self.count}

    def batches(self) -> Iterator[Any]:
        """Batch after batch, pass after pass."""
        while True:
            yield from self.loader

    def step(self, batch: PairBatch) -> Step:
        """One step down the mean nats of the tokens that are to be written."""
        settings = self.settings
        network: Any = self.descent.module.train()
        pace = max(1.0, self.total_steps / 2)
        own = own_share(self.count.steps, pace=pace, most=settings.own, schedule="linear") if settings.own else 0.0
        source, target = batch.source.to(self.device), batch.target.to(self.device)
        loss = network.loss(source, batch.source_lengths, target, smoothing=settings.smoothing, own=own)
        metrics = self.descent.step([loss])
        self.count.steps += 1
        return Step(int(batch.target_lengths.sum().item()), metrics)

    @property
    def translator(self) -> Translator:
        """The translator, as far as it is trained."""
        return Translator(self.network, self.card.source, self.card.target)

    def evaluate(self, track: Track) -> Mapping[str, float]:
        """BLEU and chrF of greedy translations of what is held out, and nats of each right token."""
        found = self.judge(self.data.validation, self.settings.judged, track)
        return {"bleu": found.scores.bleu, "chrf": found.scores.chrf, "loss": found.loss, "bits": found.figures.bits}

    def judge(self, pairs: Sequence[Pair], most: int, track: Track = iter) -> Judged:
        """How well the translator, as far as it is trained, does with the first pairs."""
        return judge(self.translator, pairs[:most], track=track, tokens=self.tokens)

    def sample(self) -> str:
        """Some held-out sentences, what people made of them, and what the network makes of them."""
        from minigrad.models.translate_report import side_by_side

        return side_by_side(self.translator, self.held_out(SAMPLED))

    def held_out(self, most: int) -> list[Pair]:
        """Some of the pairs that are held out, from short to long, the longest left out."""
        pairs = sorted(self.data.validation, key=lambda pair: len(pair.source))
        pairs = pairs[: max(1, 9 * len(pairs) // 10)]
        return [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, min(most + 1, len(pairs))).astype(int))][-most:]

    def weights(self) -> Mapping[str, Tensor]:
        """Those of the network, or of the mean of its last checkpoints."""
        return self.network.state_dict()

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of the best evaluation."""
        self.network.load_state_dict(weights)

    def begin_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of another translator, which has the same vocabularies.

        Raises:
            RunError: it has others.
            StateError: the weights do not fit.
        """
        self.card.check_vocabularies(weights, "the model to begin from")
        super().begin_from(weights)

    def origin(self, batch: PairBatch) -> Tensor:
        """The numbers of its pairs."""
        return batch.numbers

    def describe(self, origin: Tensor) -> str:
        """Where the first few pairs of a batch stand."""
        places = [self.data.train[int(i)].place for i in origin]
        return f"{len(places)} pairs: {', '.join(places[:8])}{', ...' if len(places) > 8 else ''}"

    def report(self, page: Any) -> None:
        """How well it translates, and where it looks."""
        from minigrad.models.translate_report import add_translator

        add_translator(page, self)


def opened(data: Sequence[str], settings: TranslateSettings, progress: Any = None) -> PairData:
    """The pairs that a training with these settings is of; errors as ``open_pairs``."""
    return open_pairs(
        data, source=settings.source, target=settings.target, reverse=settings.reverse, longest=settings.longest,
        holdout=settings.holdout, seed=settings.seed, progress=progress,
    )  # fmt: skip


def numbers_per_token(card: Card) -> int:
    """About how many numbers a step keeps for each token of the target and of the source, for the way back."""
    options = card.options
    hidden, embedding, layers = (options[name] for name in ("hidden", "embedding", "layers"))
    recurrent = 2 * layers * (2 * hidden * GATES[options["cell"]] + 4 * hidden)
    return 3 * embedding + recurrent + 6 * hidden + 2 * LOOKED_AT
