"""The system ``detect``: from photos with boxes to a detector.

    minigrad train detect --data FOLDER

Ren et al. 2015, arXiv:1506.01497, and He et al. 2017, arXiv:1703.06870, trained in one go, from nothing or from
the weights of a classifier. How large images are looked at, which levels and anchors there are, how long it trains and whether
it mirrors are found from the boxes; every finding is printed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad
from minigrad import Tensor, optim
from minigrad.data import DataLoader
from minigrad.data.boxaugment import AugmentedBoxes
from minigrad.data.boxed import Boxed, BoxedImage
from minigrad.data.boxknown import open_known_boxes
from minigrad.data.detection import TREES, DetectionData, open_boxes
from minigrad.data.scenes import SCENES
from minigrad.data.words import counted
from minigrad.errors import ArgumentError, DataError
from minigrad.models.begun import check_same, check_there, recipe, source
from minigrad.models.classifier import Card as ClassifierCard
from minigrad.models.cost import COPIES, activations, check_memory
from minigrad.models.detect_begun import WIDEST, begun_with, taught_by, width_of
from minigrad.models.detect_levels import levels_of
from minigrad.models.detector import POOLING, RESIDUAL, Detector, Target
from minigrad.models.detector_cost import multiplications_of
from minigrad.models.detector_layers import STRIDES
from minigrad.models.finder import Card, Finder, Judgement, target_of
from minigrad.models.precision import check_library
from minigrad.models.trunk import classifier_of
from minigrad.train import SCHEDULES, Descent, Settings, Step, Task, Track, ema, schedule_of, setting

WORK = 3e13  # multiplications of a training where nothing is said: 20 to 30 minutes on two cores
STEPS = (300, 30_000)  # where nothing is said, at least and at most
LOOKS = 10  # evaluations
JUDGED = 200  # images at each, at most; the report looks at all
ZOOM, COLOUR = 1.4, 0.2  # where nothing is said
WIDTH = 32  # channels of the first stage of a backbone of its own, where nothing is said
LARGE = 1_000_000
NAMED_SETS = (TREES, *SCENES)
PHOTOS = "efficientnet-lite0"  # the classifier of photos whose layers a detector begins with where nothing is said
KNOBS = "image_size, width, channels or batch_size"


@dataclass(frozen=True)
class DetectSettings(Settings):
    """What a user may choose."""

    image_size: int | None = setting(
        None, "pixels that the longer side of an image is brought to; auto: by those found", least=32, most=2048
    )
    channels: int = setting(3, "1 for grey, 3 for colour", choices=(1, 3))
    split: str | None = setting(None, "how photos are held out; auto: columns of few large ones", choices=("photo", "column"))
    tile: int | None = setting(
        None, "side of tiles that photos are cut into; 0: none; auto: where they are split by columns", least=0, most=2048
    )
    holdout: float | None = setting(None, "share held out to choose by; auto: 0.1, of few photos 0.2", least=0.01, most=0.5)
    width: int | None = setting(
        None, "channels of the backbone's first stage; auto: 32, or as the model begun with has", least=1, most=WIDEST
    )
    maps: int = setting(64, "channels of the pyramid's maps", least=1, most=1024)
    hidden: int = setting(256, "size of the layers that tell classes", least=1, most=8192)
    blocks: int = setting(1, "residual blocks of each stage of the backbone", least=1, most=16)
    levels: int | None = setting(None, "maps of different finenesses; auto: by the sizes of boxes", least=1, most=len(STRIDES))
    stages: int = setting(2, "1: anchors are told apart by class, and nothing comes after that", choices=(1, 2))
    pooling: str = setting("aligned", "how regions are cut out of maps", choices=POOLING)
    masks: bool | None = setting(None, "a head for masks; auto: where the data have some")
    backbone: float | None = setting(
        None,
        "how fast the backbone learns, as a share of lr; 0: not at all; auto: 0.1 of a classifier's, else 1",
        least=0,
        most=1,
    )
    steps: int | None = setting(None, "steps in all; auto: by the work", least=1, most=LARGE)
    batch_size: int = setting(8, "images in a step", least=1, most=LARGE)
    lr: float = setting(4e-3, "largest learning rate, of adamw", least=0)
    weight_decay: float = setting(0.02, "of adamw", least=0)
    schedule: str = setting("onecycle", "how the rate goes", choices=SCHEDULES)
    clip_norm: float = setting(5.0, "largest norm of the gradients; 0: not clipped", least=0)
    average: float = setting(
        0.99, "decay of an exponential average of the weights, which is then the model; 0: none", least=0, most=0.9999
    )
    flip: bool | None = setting(None, "mirror half of the images; auto: but not digits")
    flip_down: bool = setting(False, "turn half of the images upside down, as photos from above may be")
    zoom: float | None = setting(
        None, "images become so many times larger or smaller at most; auto: 1.4, of composed scenes 1", least=1, most=4
    )
    colour: float | None = setting(
        None, "strength of changes of brightness, contrast and saturation; auto: 0.2, of composed scenes 0", least=0, most=1
    )
    prefetch: int = setting(1, "threads that prepare batches ahead", least=0, most=16)


class Batch(tuple[Any, ...]):
    """Images of one canvas, uint8 (N, C, H, W), what is on each, and their numbers."""


class Numbered:
    """A data set whose samples know their number."""

    def __init__(self, images: AugmentedBoxes) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def set_epoch(self, epoch: int) -> None:
        self.images.set_epoch(epoch)

    def __getitem__(self, index: int) -> tuple[BoxedImage, int]:
        return self.images[index], index


def together(samples: Sequence[tuple[BoxedImage, int]]) -> tuple[np.ndarray, list[Target], list[int]]:
    """A batch of samples of one size."""
    images = np.stack([sample.image for sample, _ in samples])
    return images, [target_of(sample) for sample, _ in samples], [number for _, number in samples]


class Detect(Task):
    """Trains a detector on photos with boxes.

    Args:
        data: a named set, or a path: see ``minigrad.data.detection.open_boxes``.
        settings: what the user chose; a run's config holds all of them, found ones too.
        say: takes lines for the user: what was found and decided.
        progress: called as ``progress(doing, done, total)`` while photos are read.
        like: the card of a detector whose weights are to be begun with: its levels and sizes are taken. Or that of a classifier
            of photos, whose layers become the backbone.

    Raises:
        DataError: the data cannot be had or are not fit.
        ArgumentError: settings that do not go with the data or with each other; pycocotools is missing.
        OutOfMemoryError: the network needs more memory than there is.
    """

    name = "detect"
    unit = "images"
    goal = ("ap50", "max")
    tie = ("ap", "max")
    inherits = ("image_size", "channels", "width", "maps", "hidden", "blocks", "levels", "stages", "masks")
    begins_with = ("classify",)
    Settings = DetectSettings
    settings: DetectSettings

    def __init__(
        self,
        data: str,
        settings: DetectSettings,
        say: Callable[[str], None] = lambda text: None,
        progress: Callable[[str, int, int], None] | None = None,
        like: Mapping[str, Any] | None = None,
    ) -> None:
        check_library()
        self.source = source(data)
        taught = taught_by(like, settings.width, settings.channels) if isinstance(like, Mapping) and "shape" in like else None
        begun = None if like is None or taught else begun_with(like, settings.width)
        self.data: DetectionData = open_boxes(
            data, split=settings.split, tile=settings.tile, holdout=settings.holdout, channels=settings.channels,
            seed=settings.seed, progress=progress,
        )  # fmt: skip
        for line in self.data.policy:
            say(line)
        train = self.data.train
        settings = settings.decide(masks=train.has_masks and settings.stages == 2, flip=self.source != "scenes-digits")
        composed = self.source in SCENES  # there are as many as are asked for, and each is other than the others
        settings = settings.decide(zoom=1.0 if composed else ZOOM, colour=0.0 if composed else COLOUR)
        if settings.masks and not train.has_masks:
            raise ArgumentError("--set", "masks=true", "data that have masks", "boxes alone", "Leave it out")
        if settings.masks and settings.stages == 1:
            expected = "stages=2, as masks belong to the second stage"
            raise ArgumentError("--set", "masks=true", expected, "stages=1", "Leave one of them out")
        side, sizes, strides = (
            (begun.side, tuple(begun.options["sizes"]), tuple(begun.options["strides"]))
            if begun
            else levels_of(train, settings.image_size, settings.levels)
        )
        settings = settings.decide(image_size=side, levels=len(sizes))
        known = taught or begun
        mean, std = (known.mean, known.std) if known else brightness(train)
        settings, options = self._network_settings(settings, taught, begun)
        options |= {"sizes": sizes, "strides": strides}
        tile = settings.tile or 0
        if settings.tile is None and self.source not in SCENES:
            tile = max(max(train[0].image.shape[1:]), 16) if "tile" in self.data.split else 0
        self.card = Card(self.data.classes, settings.image_size or 0, tile, settings.channels, mean, std, options)
        count = self.card.parameters
        check_memory(COPIES * count, f"a network of {count:,} parameters", self.name, KNOBS)
        minigrad.manual_seed(settings.seed)
        network = self.card.build()
        for part in network.pyramid.backbone.taught() if not settings.backbone else ():
            part.requires_grad_(False)
        side = -(-(settings.image_size or 0) // network.multiple) * network.multiple
        shape = (settings.channels, side, side)
        batch = min(settings.batch_size, len(train))
        pyramid: Any = network.pyramid
        check_memory(batch * activations(pyramid, shape), f"a step with {batch:,} images", self.name, KNOBS)
        if settings.steps is None:
            steps = int(np.clip(WORK / (batch * multiplications_of(network, shape)), *STEPS))
            settings = settings.decide(steps=round(steps, -2) if steps > 1000 else steps)
        self.settings = settings
        augmented = AugmentedBoxes(
            train, settings.seed, size=(side, side), scale=(1 / (settings.zoom or 1), settings.zoom or 1),
            flip=0.5 if settings.flip else 0.0, flip_down=0.5 if settings.flip_down else 0.0, colour=settings.colour or 0.0,
            least=2.0,
        )  # fmt: skip
        order = minigrad.Generator().manual_seed(settings.seed)
        self.chance: minigrad.Generator | np.random.Generator = minigrad.Generator().manual_seed(settings.seed + 1)
        self.loader = DataLoader(
            Numbered(augmented), batch_size=batch, shuffle=True, drop_last=True, generator=order,
            num_workers=settings.prefetch, collate_fn=together,
        )  # fmt: skip
        self.total_steps = settings.steps or 1
        self.evaluate_every = -(-self.total_steps // LOOKS)
        self.descent = self._descent(network)
        self.last: list[tuple[BoxedImage, Any]] = []
        say(
            f"levels: anchors of {', '.join(f'{size:.0f}' for size in sizes)} pixels on maps of every "
            f"{', '.join(map(str, strides))} pixels, of images of {settings.image_size} pixels"
        )
        parts = "boxes" if settings.stages == 1 else "regions, boxes and masks" if settings.masks else "regions and boxes"
        say(f"network: {count:,} parameters, for {parts} of {counted(len(self.card.classes), 'class')}")
        if options["network"] != RESIDUAL:
            share = f"learns at {settings.backbone:g} of the rate" if settings.backbone else "does not learn"
            say(f"backbone: the layers of {options['network']}, a classifier of photos; it {share}")
        say(
            f"training: {counted(self.total_steps, 'step')} with {counted(batch, 'image')}, adamw at a rate of up to "
            f"{settings.lr:g}"
        )

    @classmethod
    def of(cls, config: Mapping[str, Any], say: Callable[[str], None] = lambda text: None, progress: Any = None) -> Detect:
        """The task that a run's config describes.

        Raises:
            DataError: its data have changed, or are gone.
            RunError: the config is damaged.
        """
        data, settings = recipe(config, cls.name, DetectSettings)
        check_there(data, "photos and boxes")
        task = cls(data, settings, say, progress, like=config.get("model") if "init_from" in config else None)
        check_same(task.data.digest, config, "photos and boxes")
        return task

    @classmethod
    def usual_start(cls, data: str, settings: DetectSettings) -> str | None:
        """``PHOTOS`` for all but composed scenes, and what is not there, unless a setting asks for a backbone of its own."""
        own, place = settings.width is not None or settings.channels != 3, source(data)
        return None if own or place in SCENES or not (place in NAMED_SETS or os.path.exists(place)) else PHOTOS

    # ------------------------------------------------------------------ what is found from the data

    @staticmethod
    def _network_settings(
        settings: DetectSettings, taught: ClassifierCard | None, begun: Card | None
    ) -> tuple[DetectSettings, dict[str, Any]]:
        """The options of the network that do not go by the boxes."""
        name = taught.network if taught else begun.options["network"] if begun else RESIDUAL
        settings = settings.decide(width=width_of(taught) if taught else WIDTH, backbone=1.0 if name == RESIDUAL else 0.1)
        chosen = {key: getattr(settings, key) for key in ("width", "hidden", "blocks", "stages", "pooling")}
        return settings, {**chosen, "network": name, "channels": settings.maps, "masks": bool(settings.masks)}

    def _descent(self, network: Detector) -> Descent:
        settings = self.settings
        taught = [p for part in network.pyramid.backbone.taught() for p in part.parameters()]
        known = {id(p) for p in taught}
        groups: list[dict[str, Any]] = [{"params": [p for p in network.parameters() if id(p) not in known]}]
        if further := [p for p in taught if p.requires_grad]:
            groups.append({"params": further, "lr": settings.lr * (settings.backbone or 0)})
        optimizer = optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay)
        schedule = schedule_of(settings.schedule, optimizer, self.total_steps)
        average = ema(network, settings.average) if settings.average else None
        return Descent(network, optimizer, schedule=schedule, clip_norm=settings.clip_norm, average=average)

    # ------------------------------------------------------------------ what the loop asks for

    def config(self) -> dict[str, Any]:
        """The data, the settings, and what makes the weights a detector."""
        settings, digest = self.settings.to_dict(), self.data.digest
        return {"data": self.source, "data_digest": digest, "settings": settings, "model": self.card.to_config()}

    def state(self) -> Mapping[str, Any]:
        """The network with all that moves it, what is drawn, and the place in the data."""
        return {"descent": self.descent, "chance": _Chance(self.chance), "loader": self.loader}

    def batches(self) -> Iterator[Any]:
        """Batch after batch, pass after pass."""
        while True:
            yield from self.loader

    def step(self, batch: Any) -> Step:
        """One step down the sum of all losses."""
        images, targets, _ = batch
        network: Any = self.descent.module.train()
        for part in network.pyramid.backbone.taught():
            part.train(bool(self.settings.backbone))  # what does not learn keeps its running means
        finder = Finder(self.card, network)
        x = finder.tensor(list(images))
        losses = network.losses(x, targets, [tuple(images.shape[2:])] * len(images), self.chance)
        metrics = self.descent.step([sum(losses.values(), minigrad.zeros((), device=x.device))])
        return Step(len(images), {**metrics, **{name: loss.detach() for name, loss in losses.items()}})

    @property
    def finder(self) -> Finder:
        """The detector, as far as it is trained: its average where there is one."""
        network: Any = self.descent.learned
        return Finder(self.card, network)

    def evaluate(self, track: Track) -> Mapping[str, float]:
        """Average precisions on some of the images held out."""
        judgement = self.judge(self.data.validation, JUDGED, track)
        count = min(4, len(judgement.found))
        self.last = [(self.data.validation[number], judgement.found[number]) for number in range(count)]
        return judgement.metrics

    def judge(self, images: Boxed, most: int | None = None, track: Track = iter) -> Judgement:
        """What the detector, as far as it is trained, finds on images, at most so many."""
        chosen = images if most is None or len(images) <= most else images.subset(range(most))
        return self.finder.judge(chosen, track)

    def picture(self) -> bytes:
        """Some of the images held out, with what is found on them."""
        from minigrad.models.detect_report import drawn
        from minigrad.show.boxes import side_by_side

        return side_by_side([drawn(sample, found, self.card.classes) for sample, found in self.last], columns=2)

    def weights(self) -> Mapping[str, Tensor]:
        """Those of the network, or of its average."""
        return self.descent.learned.state_dict()

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of the best evaluation."""
        self.descent.learned.load_state_dict(weights)

    def begin_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of another detector; layers that tell classes begin anew where there are others. Or those of a
        classifier, for the backbone.

        Raises:
            StateError: they are another network's; nothing was taken.
        """
        own = self.descent.module.state_dict()
        if "fc.weight" in weights and self.card.options["network"] != RESIDUAL:
            options = self.card.options
            classifier = classifier_of(options["network"], self.card.channels, options["width"])
            head = {name: value for name, value in classifier.state_dict().items() if name.startswith("fc.")}
            classifier.load_state_dict({**weights, **head})
            trunk: Any = self.descent.module.pyramid.backbone
            trunk.begin_from(classifier)
            super().begin_from(own)
            return
        heads = ("box_head.label.", "mask_head.mask.", "proposer.score.")
        theirs = {
            name: own[name] if name.startswith(heads) and name in own and own[name].shape != value.shape else value
            for name, value in weights.items()
        }
        super().begin_from(theirs)

    def origin(self, batch: Any) -> Tensor:
        """The numbers of its images."""
        return minigrad.tensor(batch[2])

    def describe(self, origin: Tensor) -> str:
        """The first few names of a batch's images."""
        names = [self.data.train.names[int(i)] for i in origin]
        return f"{len(names)} images: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"

    def report(self, page: Any) -> None:
        """How good the best detector is, class by class, and what it finds."""
        from minigrad.models.detect_report import add_findings

        add_findings(page, self)


class _Chance:
    """A generator's state, for a checkpoint."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator

    def state_dict(self) -> dict[str, Any]:
        return {"state": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.generator.set_state(state["state"])


def brightness(images: Boxed) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the pixels of some images, from 0 to 1; of all channels together, for each of them."""
    rows = [images[number].image for number in range(0, len(images), -(-len(images) // 64))]
    pixels = np.concatenate([row.reshape(-1) for row in rows]).astype(np.float64) / 255
    mean, std = round(float(pixels.mean()), 4), round(max(float(pixels.std()), 1 / 255), 4)
    return (mean,) * len(rows[0]), (std,) * len(rows[0])


def boxed(config: Mapping[str, Any], data: str | None, progress: Any = None) -> tuple[Boxed, str]:
    """Images to measure a run's detector on, and what they are.

    Args:
        config: the run's.
        data: a named set or a path; ``None`` for the run's own data: the test part, else what was held out. Of other photos
            the test part where they have one, else all; some of the classes are enough.
        progress: as for ``Detect``.

    Raises:
        DataError: the data cannot be had, or have classes that the detector does not know.
        RunError: the config is damaged.
    """
    card = Card.of(config.get("model"), "config.json")
    own, settings = recipe(config, Detect.name, DetectSettings)
    if data is None:
        check_there(own, "photos and boxes")
    elif data not in NAMED_SETS:
        known = open_known_boxes(
            data, card.classes, channels=card.channels, tile=card.tile, but=str(config.get("data_digest")), progress=progress
        )
        if known is not None:
            return known
    given = own if data is None else data
    found = open_boxes(
        given, split=settings.split, tile=settings.tile, holdout=settings.holdout, channels=card.channels, seed=settings.seed,
        progress=progress,
    )  # fmt: skip
    if data is None:
        check_same(found.digest, config, "photos and boxes")
    if found.classes != card.classes:
        expected, got = f"the classes {', '.join(card.classes)}", ", ".join(found.classes)
        raise DataError("eval", given, expected, got, "Name data of the classes that it knows")
    if found.test is not None:
        return found.test, f"test part of {given}"
    return found.validation, f"held-out part of {given}"
