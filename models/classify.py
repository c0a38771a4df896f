"""The system ``classify``: from labelled images to a trained classifier.

    minigrad train classify --data FOLDER

Adam with decoupled weight decay (Loshchilov and Hutter 2017, arXiv:1711.05101), one cycle of the learning rate (Smith 2018,
arXiv:1803.09820) and random shifts and mirror images, where they do not change the class. What is not set is found from the
data: the network's input, how long to train, whether to mirror; every finding is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn, optim
from minigrad.data import ClassificationData, DataLoader, LabelledImages
from minigrad.data.augment import Augmented
from minigrad.data.labelled import open_images
from minigrad.data.mirror import mirror_is_safe
from minigrad.data.words import counted
from minigrad.errors import ArgumentError, DataError
from minigrad.models.begun import check_same, check_there, is_elsewhere, recipe, source
from minigrad.models.classifier import Card, Classifier, Judgement, device_of, statistics
from minigrad.models.cnn import NETWORKS, options_of
from minigrad.models.cost import COPIES, activations, check_memory, multiplications, parameters
from minigrad.models.whitening import whiten
from minigrad.train import SCHEDULES, Descent, Settings, Step, Task, Track, ema, parts, schedule_of, setting

WORK = 1.2e12  # multiplications that the forward passes of a training may take where nothing is said: some minutes on two cores
PASSES = (8, 60)  # through the data, at least and at most, but
PRESENTED = 30_000  # images are shown at least, where fewer than 200 passes do it
FEW, MANY = 5_000, 10_000  # images: below the one a network learns them by heart, above the other it hardly can
LOOKS = 30  # evaluations, at most
LARGE = 1_000_000  # more than anyone means of width, passes, or images in a batch
OPTIONS = ("width", "hidden", "dropout")  # of networks, which have some of them
SMALLEST = 4  # pixels a side of images: the least that the networks take


@dataclass(frozen=True)
class ClassifySettings(Settings):
    """What a user may choose."""

    network: str = setting("cnn", "the network", choices=NETWORKS)
    width: int | None = setting(
        None, "channels of its first stage; auto: with cnn 16, for 5,000 colour images or more 32", least=1, most=LARGE
    )
    hidden: int | None = setting(None, "size of the layer before the last, of cnn; auto: 128", least=1, most=LARGE)
    dropout: float | None = setting(
        None, "share of its inputs that is zeroed in training, of cnn; auto: 0.1, of many images 0", least=0, most=0.9
    )
    image_size: int | None = setting(
        None, "pixels a side that images are brought to; auto: by the sizes found", least=8, most=512
    )
    channels: int | None = setting(None, "1 for grey, 3 for colour; auto: as the images are", choices=(1, 3))
    holdout: float | None = setting(None, "share held out to choose by; auto: 0.1, of few images 0.2", least=0.01, most=0.5)
    epochs: int | None = setting(None, "passes through the images; auto: by the work that one is", least=1, most=LARGE)
    batch_size: int | None = setting(None, "images in a step; auto: 32 to 128, by their number", least=2, most=LARGE)
    accumulate: int = setting(1, "parts in which a batch is worked through, to save memory", least=1, most=LARGE)
    optimizer: str = setting("adamw", "the rule of the step", choices=("adamw", "sgd"))
    lr: float | None = setting(None, "largest learning rate; auto: 0.003 for adamw, 0.1 for sgd", least=0)
    momentum: float = setting(0.9, "of sgd", least=0, most=0.999)
    weight_decay: float | None = setting(None, "auto: 0.01 for adamw, of few images 0.1; 0.0005 for sgd", least=0)
    schedule: str = setting("onecycle", "how the rate goes", choices=SCHEDULES)
    label_smoothing: float | None = setting(
        None, "share of a label that all classes get alike; auto: 0.1 of few images, else 0", least=0, most=0.9
    )
    clip_norm: float = setting(0.0, "largest norm of the gradients; 0: not clipped", least=0)
    average: float = setting(
        0.0, "decay of an exponential average of the weights, which is then the model; 0: none", least=0, most=0.9999
    )
    crop: int | None = setting(
        None, "pixels by which images are shifted at most; auto: an eighth of their side", least=0, most=128
    )
    flip: bool | None = setting(None, "mirror half of the images; auto: if classes look the same in a mirror")
    cutout: int = setting(0, "side of a square that is blanked", least=0, most=512)
    colour: float = setting(0.0, "strength of changes of brightness, contrast and saturation", least=0, most=1)
    mixup: float = setting(0.0, "alpha of the mixing of pairs of images; 0: none", least=0, most=10)
    whiten: bool = setting(False, "begin the first convolution with the directions in which patches of the images vary")
    mirror: bool = setting(False, "name an image by it and its mirror image together: twice the time, a few mistakes less")
    new_head: bool | None = setting(
        None, "begin the last layer anew, with --init-from; auto: where the classes are others than that model's"
    )
    backbone: float | None = setting(
        None,
        "how fast all other layers learn, as a share of lr; 0: not at all; auto: 0.1 with a new head, else 1",
        least=0,
        most=1,
    )
    prefetch: int = setting(1, "threads that prepare batches ahead", least=0, most=16)


RECIPES: dict[str, dict[str, Any]] = {
    "mnist5k": {"epochs": 15, "batch_size": 50, "crop": 2, "flip": False, "label_smoothing": 0.0},
    "fashion-mnist": {"epochs": 10, "width": 32, "crop": 2, "flip": True, "batch_size": 128},
    "cifar10": {"epochs": 10, "width": 32, "crop": 4, "flip": True, "batch_size": 128},
}  # what is known of the named sets, in place of what would be found


class Classify(Task):
    """Trains a classifier on labelled images.

    Args:
        data: a named set, or a path: see ``minigrad.data.open_images``.
        settings: what the user chose; a run's config holds all of them, found ones too.
        say: takes lines for the user: what was found and decided.
        progress: called as ``progress(doing, done, total)`` while images are read.
        like: the card of a classifier whose weights are to be begun with: images are brought to what it takes.

    Raises:
        DataError: the data cannot be had or are not fit.
        ArgumentError: settings that do not go with the data or with each other.
    """

    name = "classify"
    unit = "images"
    goal = ("accuracy", "max")
    tie = ("loss", "min")
    inherits = ("network", "width", "hidden", "image_size", "channels")
    Settings = ClassifySettings
    settings: ClassifySettings

    def __init__(
        self,
        data: str,
        settings: ClassifySettings,
        say: Callable[[str], None] = lambda text: None,
        progress: Callable[[str, int, int], None] | None = None,
        like: Mapping[str, Any] | None = None,
    ) -> None:
        self.source = source(data)
        settings = settings.decide(**RECIPES.get(data, {}))
        begun = None if like is None else Card.of(like, "the model to begin from")
        self.data: ClassificationData = open_images(
            data, image_size=settings.image_size or (begun and begun.shape[1:]),
            channels=settings.channels or (begun and begun.shape[0]), holdout=settings.holdout, seed=settings.seed,
            progress=progress,
        )  # fmt: skip
        for line in self.data.policy:
            say(line)
        train = self.data.train
        channels, height, width = train.shape
        if min(height, width) < SMALLEST:
            expected, got = f"images of at least {SMALLEST} pixels a side", f"{width}x{height} (width x height)"
            raise DataError("data", data, expected, got, "Have them enlarged: --set image_size=32")
        settings = self._network_settings(settings, train)
        others = begun is not None and begun.classes != train.classes
        settings = settings.decide(new_head=others)
        settings = settings.decide(backbone=0.1 if settings.new_head and begun is not None else 1.0)
        scale = (begun.mean, begun.std) if begun is not None and begun.shape[0] == channels else statistics(train)
        options = self._options(settings)
        if begun is not None and begun.network == settings.network:  # how it begins goes by its images' size, not by ours
            options |= {name: value for name, value in begun.options.items() if name not in OPTIONS}
        self.card = Card(settings.network, options, train.shape, train.classes, *scale, mirror=settings.mirror)
        count = parameters(self.card.network, train.shape, len(train.classes), **self.card.options)
        check_memory(COPIES * count, f"a network of {count:,} parameters")
        minigrad.manual_seed(settings.seed)
        network = self.card.build()
        if settings.whiten:
            if begun is not None:
                expected = "false with --init-from, as what the first convolution has learned would be lost"
                raise ArgumentError("--set", "whiten", expected, "true")
            whiten(network, train, self.card.mean, self.card.std)
        self.settings = settings = self._training_settings(settings, train, network, say)
        augmented = Augmented(
            train, settings.seed, mean=self.card.mean, std=self.card.std, crop=settings.crop or 0,
            flip=0.5 if settings.flip else 0.0, cutout=settings.cutout, colour=settings.colour, mixup=settings.mixup,
        )  # fmt: skip
        batch = min(settings.batch_size or 1, len(train))
        if settings.accumulate > batch // 2:  # batch norm needs two
            expected = f"at most {batch // 2} parts, so that each of a batch of {batch} has two images"
            raise ArgumentError("--set", "accumulate", expected, f"{settings.accumulate:,}")
        at_once = -(-batch // settings.accumulate)
        check_memory(at_once * activations(network, train.shape), f"a step with {at_once:,} images at once")
        order = minigrad.Generator().manual_seed(settings.seed)
        self.loader = DataLoader(
            augmented, batch_size=batch, shuffle=True, drop_last=True, generator=order, num_workers=settings.prefetch,
            device=device_of(network),
        )  # fmt: skip
        self.steps_per_epoch = len(self.loader)
        self.total_steps = (settings.epochs or 1) * self.steps_per_epoch
        self.evaluate_every = -(-(settings.epochs or 1) // LOOKS) * self.steps_per_epoch
        self.head = last_linear(network)
        self.descent = self._descent(network)
        colours = "grey" if channels == 1 else "colour"
        say(f"network: {settings.network} with {count:,} parameters, for {colours} images of {height}x{width}")
        say(
            f"training: {counted(settings.epochs or 1, 'pass')} in batches of {batch}, {settings.optimizer} "
            f"at a rate of up to {settings.lr:g}"
        )

    @classmethod
    def of(cls, config: Mapping[str, Any], say: Callable[[str], None] = lambda text: None, progress: Any = None) -> Classify:
        """The task that a run's config describes.

        Raises:
            DataError: its data have changed, or are gone.
            RunError: the config is damaged.
        """
        data, settings = recipe(config, cls.name, ClassifySettings)
        check_there(data, "images")
        task = cls(data, settings, say, progress, like=config.get("model") if "init_from" in config else None)
        check_same(task.data.digest, config, "images and classes")
        return task

    # ------------------------------------------------------------------ what is found from the data

    @staticmethod
    def _options(settings: ClassifySettings) -> dict[str, Any]:
        """The options of the network, those that it has."""
        known = options_of(settings.network)
        return {name: value for name in OPTIONS if (value := getattr(settings, name)) is not None and name in known}

    @staticmethod
    def _network_settings(settings: ClassifySettings, train: LabelledImages) -> ClassifySettings:
        if settings.network == "cnn":
            wide = train.shape[0] == 3 and len(train) >= FEW
            return settings.decide(width=32 if wide else 16, hidden=128, dropout=0.0 if len(train) >= MANY else 0.1)
        for name in OPTIONS:
            if getattr(settings, name) is not None and name not in options_of(settings.network):
                expected = f"no value, as network={settings.network} has no such thing"
                others = ", ".join(other for other in NETWORKS if name in options_of(other))
                raise ArgumentError("--set", name, expected, str(getattr(settings, name)), f"It belongs to network={others}")
        return settings

    @staticmethod
    def _training_settings(
        settings: ClassifySettings, train: LabelledImages, network: nn.Module, say: Callable[[str], None]
    ) -> ClassifySettings:
        if settings.flip is None:
            safe, words = mirror_is_safe(train)
            say(f"mirror images: {words}")
            settings = settings.decide(flip=safe)
        adam, few = settings.optimizer == "adamw", len(train) < FEW
        if settings.epochs is None:
            passes = WORK / multiplications(network, train.shape) / len(train)
            most = np.clip(PRESENTED // len(train), PASSES[1], 200)
            settings = settings.decide(epochs=int(np.clip(round(passes), PASSES[0], most)))
        return settings.decide(
            batch_size=32 if len(train) < 1500 else 64 if len(train) < 20_000 else 128,
            lr=3e-3 if adam else 0.1,
            weight_decay=(1e-1 if few else 1e-2) if adam else 5e-4,
            label_smoothing=0.1 if few else 0.0,
            crop=min(train.shape[1:]) // 8,
        )

    def _descent(self, network: nn.Module) -> Descent:
        settings = self.settings
        rate, decay, share = settings.lr or 0.0, settings.weight_decay or 0.0, settings.backbone
        weights: Any = network.parameters()
        if share != 1:
            head = [p for name, p in network.named_parameters() if name.startswith(f"{self.head}.")]
            others = [p for name, p in network.named_parameters() if not name.startswith(f"{self.head}.")]
            weights = [{"params": head}]
            if share:
                weights.append({"params": others, "lr": rate * share})
            for parameter in others if not share else ():
                parameter.requires_grad_(False)
        optimizer: Any
        if settings.optimizer == "adamw":
            optimizer = optim.AdamW(weights, lr=rate, weight_decay=decay)
        else:
            optimizer = optim.SGD(
                weights, lr=rate, momentum=settings.momentum, nesterov=settings.momentum > 0, weight_decay=decay
            )
        schedule = schedule_of(settings.schedule, optimizer, self.total_steps)
        average = ema(network, settings.average) if settings.average else None
        return Descent(network, optimizer, schedule=schedule, clip_norm=settings.clip_norm, average=average)

    # ------------------------------------------------------------------ what the loop asks for

    def config(self) -> dict[str, Any]:
        """The data, the settings, and what makes the weights a classifier."""
        card = {**self.card._asdict(), **{name: list(getattr(self.card, name)) for name in ("shape", "classes", "mean", "std")}}
        return {"data": self.source, "data_digest": self.data.digest, "settings": self.settings.to_dict(), "model": card}

    def state(self) -> Mapping[str, Any]:
        """The network with all that moves it, and the place in the data."""
        return {"descent": self.descent, "loader": self.loader}

    def batches(self) -> Iterator[Any]:
        """Batch after batch, pass after pass."""
        while True:
            yield from self.loader

    def step(self, batch: Any) -> Step:
        """One step down the cross-entropy. The loss that is told is that of the labels as they are, not smoothed."""
        images, targets, _ = batch
        network = self.descent.module.train(bool(self.settings.backbone))  # frozen layers keep their running means
        smoothing = self.settings.label_smoothing or 0.0
        right: list[Tensor] = []
        plain: list[Tensor] = []

        def losses() -> Iterator[Tensor]:
            for share, (x, y) in parts((images, targets), self.settings.accumulate):
                logits = network(x)
                truth = y if y.ndim == 1 else y.argmax(dim=1)
                right.append((logits.detach().argmax(dim=1) == truth).sum())
                if smoothing:
                    plain.append(F.cross_entropy(logits.detach(), y) * share)
                yield F.cross_entropy(logits, y, label_smoothing=smoothing) * share

        metrics = self.descent.step(losses())
        if plain:
            metrics["loss"] = sum(plain[1:], plain[0])
        return Step(len(images), {**metrics, "accuracy": sum(right[1:], right[0]).double() / len(images)})

    def evaluate(self, track: Track) -> Mapping[str, float]:
        """Loss and accuracy on the images held out."""
        judgement = self.judge(self.data.validation, track)
        return {"loss": judgement.loss, "accuracy": judgement.accuracy}

    def judge(self, images: LabelledImages, track: Track = iter) -> Judgement:
        """What the classifier, as far as it is trained, says of images."""
        return Classifier(self.card, self.descent.learned).judge(images, track, trained=False)

    def weights(self) -> Mapping[str, Tensor]:
        """Those of the network, or of its average."""
        return self.descent.learned.state_dict()

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of the best evaluation."""
        self.descent.learned.load_state_dict(weights)

    def begin_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of another classifier; the last layer's too, unless it begins anew.

        Raises:
            StateError: they are another network's; nothing was taken.
        """
        if self.settings.new_head:
            own = self.descent.module.state_dict()
            weights = {**weights, **{name: value for name, value in own.items() if name.startswith(f"{self.head}.")}}
        super().begin_from(weights)

    def origin(self, batch: Any) -> Tensor:
        """The numbers of its images."""
        return batch[2]

    def describe(self, origin: Tensor) -> str:
        """The first few names of a batch's images."""
        names = [self.data.train.names[int(i)] for i in origin]
        return f"{len(names)} images: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"

    def report(self, page: Any) -> None:
        """How good the best classifier is, what it takes for what, and its surest mistakes."""
        from minigrad.models.classify_report import add_judgement

        test = self.data.test
        images, part = (self.data.validation, "held-out") if test is None else (test, "test")
        add_judgement(page, self.judge(images), images, part)
        page.section("Data")
        for line in self.data.policy:
            page.text(line)


def last_linear(network: nn.Module) -> str:
    """The name of the last linear layer of a classifier, which says what the class is.

    Example:
        >>> last_linear(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)))
        '2'
    """
    return [name for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]


def labelled(config: Mapping[str, Any], data: str | None, progress: Any = None) -> tuple[LabelledImages, str]:
    """Images to measure a run's classifier on, and what they are.

    Args:
        config: the run's.
        data: a named set or a path; ``None`` for the run's own data: the test part, else what was held out.
        progress: as for ``Classify``.

    Raises:
        DataError: the data cannot be had, or have classes that the classifier does not know.
        ArgumentError: what it was trained on is told in words or not at all, so that data must be named.
        RunError: the config is damaged.
    """
    card = Card.of(config.get("model"), "config.json")
    if data is not None:
        from minigrad.data.unseen import open_labelled

        return open_labelled(data, card.shape, card.classes, progress, crop=card.crop), data
    if is_elsewhere(config):
        expected = "images to measure it on, as those that it was trained on are not here"
        raise ArgumentError("eval", "--data", expected, "none", "Name a folder with one sub-folder of images for each class")
    own, settings = recipe(config, Classify.name, ClassifySettings)
    check_there(own, "images")
    found = open_images(
        own, image_size=card.shape[1:], channels=card.shape[0], holdout=settings.holdout, seed=settings.seed,
        progress=progress,
    )  # fmt: skip
    check_same(found.digest, config, "images and classes")
    if found.test is not None:
        return found.test, f"test part of {own}"
    return found.validation, f"held-out part of {own}"
