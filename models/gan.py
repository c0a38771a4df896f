"""The system ``gan``: from images to a generator that makes more of them.

    minigrad train gan --data FOLDER

Radford, Metz, Chintala 2015, arXiv:1511.06434: two networks with Adam each, learning in turns. What is made for people and
measured is an exponential average of the generator (arXiv:1806.04498). What is not set is found from the data, and every
finding is printed. ``gan_watch.py`` tells when the two have run apart.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

import numpy as np

import minigrad
from minigrad import Tensor, nn, optim
from minigrad.data import DataLoader
from minigrad.data.augment import Augmented
from minigrad.data.gallery import Gallery, open_gallery
from minigrad.data.mirror import mirror_is_alike
from minigrad.data.words import counted
from minigrad.errors import ArgumentError, DivergedError
from minigrad.models.adversary import (
    LOSSES,
    PENALTIES,
    gradient_penalty,
    held,
    loss_of_discriminator,
    loss_of_generator,
    r1_penalty,
)
from minigrad.models.begun import check_same, check_there, recipe, source
from minigrad.models.classifier import device_of
from minigrad.models.cost import COPIES, check_memory
from minigrad.models.dcgan import LARGEST, NORMS, SMALLEST, UP, Discriminator, Stage, ladder
from minigrad.models.diffaugment import differentiable
from minigrad.models.film import Film
from minigrad.models.gan_cost import kept, weights_of_discriminator, work
from minigrad.models.gan_watch import Watch
from minigrad.models.imagined import look
from minigrad.models.imaginer import MOST, Card, Imaginer, begun_card
from minigrad.models.judge import Judge
from minigrad.show.dots import in_dots
from minigrad.show.tiles import image_grid
from minigrad.train import Descent, Rollback, Settings, Step, Task, Track, ema, setting

WORK = 1e14  # multiplications of the forward passes where nothing is said: half an hour on two cores
STEPS = (1_000, 100_000)  # where nothing is said, at least and at most
LOOKS = 20  # evaluations, and pictures of the film
JUDGED = 2_048  # images that are made and measured at each
FEW = 5_000  # images: fewer are learned by heart by a discriminator that sees them unchanged
SHOWN = 96  # pixels a side, about, of an image in samples.png
SAMPLES, FRAME = 4, 16  # images in dots, and in each picture of the film
ROLLBACKS = 3  # at most: then it ends
SLOWER = 0.5  # the rates after each
SMALL = 32  # pixels a side: of larger images the networks are thinner, and the film has fewer beyond twice that
FORGET = 30  # times in the training that the average of the generator forgets, where nothing is said
LONGEST = 80  # letters of what came, in an error
KNOBS = "width, noise, image_size or batch_size"


@dataclass(frozen=True)
class GanSettings(Settings):
    """What a user may choose."""

    image_size: int | str | None = setting(
        None, "pixels a side that images are brought to, or height x width such as 96x64; auto: by those found"
    )
    channels: int | None = setting(None, "1 for grey, 3 for colour; auto: as the images are", choices=(1, 3))
    noise: int = setting(100, "numbers that an image is made of", least=1, most=MOST)
    width: int | None = setting(None, "channels next to the image; auto: 64, of larger images 32", least=1, most=MOST)
    up: str = setting("transposed", "how maps grow; resize leaves no checkerboard", choices=UP)
    norm: str | None = setting(None, "of the discriminator; auto: batch, with a penalty none", choices=NORMS)
    classes: bool = setting(False, "make images of a class that is asked for; the data have to have some")
    loss: str = setting("original", "what the two lose", choices=LOSSES)
    penalty: str | None = setting(
        None, "on the slope of the discriminator; auto: none, wasserstein: gradient", choices=PENALTIES
    )
    penalty_weight: float = setting(10.0, "of the penalty", least=0)
    smoothing: float = setting(0.0, "so much less than surely real real images are wanted; of original", least=0, most=0.5)
    critic: int | None = setting(
        None, "steps of the discriminator to one of the generator; auto: 1, wasserstein: 5", least=1, most=100
    )
    steps: int | None = setting(None, "steps of the generator; auto: by the work", least=1, most=10 * MOST)
    batch_size: int = setting(64, "images in a step", least=2, most=MOST)
    lr: float = setting(5e-4, "learning rate of the generator", least=0)
    lr_discriminator: float | None = setting(None, "learning rate of the discriminator; auto: as lr", least=0)
    beta1: float = setting(0.5, "of Adam: how long gradients are remembered", least=0, most=0.999)
    clip_norm: float = setting(0.0, "largest norm of the gradients of each; 0: not clipped", least=0)
    average: float | None = setting(
        None, "decay of the average of the generator; auto: 0.999, of few steps less", least=0.5, most=0.99999
    )
    flip: bool | None = setting(None, "mirror half of the images; auto: if they look the same in a mirror")
    augment: bool | None = setting(None, "change real and made images alike; auto: of fewer than 5,000 images")
    judge_images: int = setting(40_000, "images that the judge learns from, each time counted", least=1, most=100 * MOST)
    prefetch: int = setting(1, "threads that prepare batches ahead", least=0, most=16)

    def __post_init__(self) -> None:
        super().__post_init__()
        sides(self.image_size)


class Gan(Task):
    """Trains a generator, against a discriminator.

    Args:
        data: a named set, or a path: see ``minigrad.data.gallery.open_gallery``.
        settings: what the user chose; a run's config holds all of them, found ones too.
        say: takes lines for the user: what was found and decided.
        progress: called as ``progress(doing, done, total)`` while images are read.
        like: the card of a generator whose weights are to be begun with: images are brought to what it makes.

    Raises:
        DataError: the data cannot be had or are not fit.
        ArgumentError: settings that do not go with the data or with each other.
        OutOfMemoryError: the networks need more memory than there is.
    """

    name = "gan"
    unit = "images"
    goal = ("frechet", "min")
    inherits = ("noise", "width", "up")
    shown = (7, 1000)
    Settings = GanSettings
    settings: GanSettings

    def __init__(
        self,
        data: str,
        settings: GanSettings,
        say: Callable[[str], None] = lambda text: None,
        progress: Callable[[str, int, int], None] | None = None,
        like: Mapping[str, Any] | None = None,
    ) -> None:
        self.source = source(data)
        begun = begun_card(like)
        size = sides(settings.image_size)
        if size is None and begun is not None:
            size = begun.shape[1:]
        channels = settings.channels or (None if begun is None else begun.shape[0])
        self.data: Gallery = open_gallery(data, image_size=size, channels=channels, progress=progress, seed=settings.seed)
        for line in self.data.policy:
            say(line)
        train = self.data.train
        settings = self._network_settings(settings, say)
        kinds = self.data.classes if settings.classes else ()
        self.card = Card(train.shape, kinds, settings.noise, settings.width or 1, settings.up)
        count = self.card.parameters + weights_of_discriminator(self.card)
        check_memory(COPIES * count, f"two networks of {count:,} weights", self.name, KNOBS)
        minigrad.manual_seed(settings.seed)
        generator = self.card.build()
        discriminator = Discriminator(
            self.card.shape[1:],
            self.card.shape[0],
            width=settings.width or 1,
            classes=len(kinds),
            norm=settings.norm or "batch",
        )
        batch = min(settings.batch_size, len(train))
        check_memory(batch * kept(self.card), f"a step with {batch:,} images", self.name, KNOBS)
        self.settings = settings = self._training_settings(settings, batch, say)
        self.judge = Judge(train, self.data.classes, settings.judge_images)
        self.watch, self.film = Watch(), Film()
        order = minigrad.Generator().manual_seed(settings.seed)
        self.loader = DataLoader(
            Augmented(train, settings.seed, mean=0.5, std=0.5, flip=0.5 if settings.flip else 0.0), batch_size=batch,
            shuffle=True, drop_last=True, generator=order, num_workers=settings.prefetch, device=device_of(generator),
        )  # fmt: skip
        self.total_steps = settings.steps or 1
        self.evaluate_every = -(-self.total_steps // LOOKS)
        self.generator = self._descent(generator, ema(generator, settings.average or 0.0))
        self.discriminator = self._descent(discriminator)
        self._set_rates(1.0)
        self._tell(say, batch)

    @classmethod
    def of(cls, config: Mapping[str, Any], say: Callable[[str], None] = lambda text: None, progress: Any = None) -> Gan:
        """The task that a run's config describes.

        Raises:
            DataError: its data have changed, or are gone.
            RunError: the config is damaged.
        """
        data, settings = recipe(config, cls.name, GanSettings)
        check_there(data, "images")
        task = cls(data, settings, say, progress, like=config.get("model") if "init_from" in config else None)
        check_same(task.data.digest, config, "images")
        return task

    # ------------------------------------------------------------------ what is found from the data

    def _network_settings(self, settings: GanSettings, say: Callable[[str], None]) -> GanSettings:
        """The choices that the networks depend on."""
        train = self.data.train
        if settings.classes and not self.data.classes:
            expected = "data with classes: a folder with a sub-folder of images for each, or a labelled set"
            raise ArgumentError("--set", "classes=true", expected, "images without classes", "Leave it out")
        if settings.smoothing and settings.loss != "original":
            raise ArgumentError("--set", "smoothing", f"0 with loss={settings.loss}", f"{settings.smoothing:g}", "Leave it out")
        wasserstein = settings.loss == "wasserstein"
        settings = settings.decide(penalty="gradient" if wasserstein else "none")
        settings = settings.decide(
            width=64 if max(train.shape[1:]) <= SMALL else 32,
            norm="none" if settings.penalty != "none" else "batch",
            critic=5 if wasserstein else 1,
        )
        if settings.penalty != "none" and settings.norm == "batch":
            say("penalty and batch norm: the slope at an image then depends on the others of its batch (--set norm=none)")
        return settings

    def _training_settings(self, settings: GanSettings, batch: int, say: Callable[[str], None]) -> GanSettings:
        """How long, and in which way."""
        train = self.data.train
        if settings.flip is None:
            safe, words = mirror_is_alike(train)
            say(f"mirror images: {words}")
            settings = settings.decide(flip=safe)
        if settings.augment is None:
            settings = settings.decide(augment=len(train) < FEW)
            if settings.augment:
                say(f"augmentation: real and made images are changed alike, as {len(train):,} are few (--set augment=false)")
        # A step takes a generator's way forward and back, and of the discriminator's as many as it has steps, twice, and one.
        ways = 3 * (1 + 2 * (settings.critic or 1)) + 2
        steps = int(np.clip(WORK / (ways * batch * work(self.card)), *STEPS))
        if steps > 1000:
            steps = round(steps, -2)
        settings = settings.decide(steps=steps)
        return settings.decide(average=float(f"{min(0.999, max(0.5, 1 - FORGET / max(1, settings.steps or 1))):.4g}"))

    def _descent(self, network: nn.Module, average: Any = None) -> Descent:
        settings = self.settings
        optimizer = optim.Adam(network.parameters(), lr=settings.lr, betas=(settings.beta1, 0.999))
        return Descent(network, optimizer, clip_norm=settings.clip_norm or math.inf, average=average)

    def _set_rates(self, share: float) -> None:
        settings = self.settings
        theirs = settings.lr if settings.lr_discriminator is None else settings.lr_discriminator
        for descent, rate in ((self.generator, settings.lr), (self.discriminator, theirs)):
            for group in descent.optimizer.param_groups:
                group["lr"] = rate * share

    def _tell(self, say: Callable[[str], None], batch: int) -> None:
        settings, (channels, height, width) = self.settings, self.card.shape
        way = " -> ".join(f"{h}x{w}" for h, w in [ladder(height, width)[0].large, *(s.small for s in ladder(height, width))])
        for line in (f"ladder: {way} (height x width)", *map(_stage, ladder(height, width))):
            say(line)
        colours = "grey" if channels == 1 else "colour"
        theirs = sum(p.numel() for p in self.discriminator.module.parameters())
        say(
            f"networks: a generator of {self.card.parameters:,} parameters, a discriminator of {theirs:,}, for {colours} images"
            f" of {height}x{width}"
        )
        say(
            f"training: {counted(self.total_steps, 'step')} with {batch} images, {settings.loss} loss, "
            f"{settings.critic} of the discriminator to one of the generator, adam at {settings.lr:g}"
        )
        say(
            f"judge: a small network that learns from the same images, {self.judge.kind}; Fréchet distances are in its features"
        )

    # ------------------------------------------------------------------ what the loop asks for

    def config(self) -> dict[str, Any]:
        """The data, the settings, and what makes the weights a generator."""
        digest, settings = self.data.digest, self.settings.to_dict()
        return {"data": self.source, "data_digest": digest, "settings": settings, "model": self.card.to_config()}

    def state(self) -> Mapping[str, Any]:
        """Both networks with all that moves them, the judge, what was seen so far, and the place in the data."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "judge": self.judge,
            "watch": self.watch,
            "film": self.film,
            "loader": self.loader,
        }

    def batches(self) -> Iterator[list[Any]]:
        """So many batches as the discriminator makes steps, again and again, pass after pass."""
        batches = itertools.chain.from_iterable(self.loader for _ in itertools.count())
        while True:
            yield list(itertools.islice(batches, self.settings.critic or 1))

    def step(self, batch: list[Any]) -> Step:
        """The discriminator's steps, then one of the generator, whose images are those that the last of them saw."""
        generator: Any = self.generator.module.train()
        discriminator: Any = self.discriminator.module.train()
        settings, units, told = self.settings, 0, []
        for number, (real, labels, _) in enumerate(batch):
            asked = labels if self.card.classes else None
            last = number == len(batch) - 1
            with contextlib.nullcontext() if last else minigrad.no_grad():
                made = generator(minigrad.randn(len(real), settings.noise, device=real.device), asked)
            told.append(self._tell_apart(discriminator, real, made.detach(), asked))
            units += len(real)
        with held(discriminator):
            scores = self._scores(discriminator, made, asked)
            found = self.generator.step([loss_of_generator(scores, settings.loss)])
        chances = settings.loss != "wasserstein"  # whose scores have no bound
        self.watch.see(*(float(told[-1][name]) if chances else 0.5 for name in ("D(x)", "D(G(z))")))
        metrics = {name: sum(each[name] for each in told) / len(told) for name in told[0]}
        return Step(units, {**metrics, "g_loss": found["loss"], "g_norm": found["grad_norm"]})

    def _tell_apart(self, discriminator: Any, real: Tensor, made: Tensor, labels: Tensor | None) -> dict[str, Any]:
        """A step of the discriminator. D(x) and D(G(z)) are chances as in the paper, whatever the loss."""
        settings = self.settings
        theirs, ours = self._scores(discriminator, real, labels), self._scores(discriminator, made, labels)
        loss = loss_of_discriminator(theirs, ours, settings.loss, smoothing=settings.smoothing)
        total = loss
        if settings.penalty == "gradient":
            share = minigrad.rand(len(real), device=real.device)
            real, made = (differentiable(each) if settings.augment else each for each in (real, made))
            total = loss + settings.penalty_weight * gradient_penalty(discriminator, real, made, labels, share)
        elif settings.penalty == "r1":
            seen = differentiable(real) if settings.augment else real
            total = loss + settings.penalty_weight * r1_penalty(discriminator, seen, labels)
        found = self.discriminator.step([total])
        real_chance, made_chance = (scores.detach().sigmoid().mean() for scores in (theirs, ours))
        return {"d_loss": loss.detach(), "d_norm": found["grad_norm"], "D(x)": real_chance, "D(G(z))": made_chance}

    def _scores(self, discriminator: Any, images: Tensor, labels: Tensor | None) -> Tensor:
        seen = differentiable(images) if self.settings.augment else images
        return discriminator(seen) if labels is None else discriminator(seen, labels)

    @property
    def imaginer(self) -> Imaginer:
        """The generator, as far as it is trained: its average where there is one."""
        network: Any = self.generator.learned
        return Imaginer(self.card, network)

    def evaluate(self, track: Track) -> Mapping[str, float]:
        """How far what is made is from the data, and how many kinds of images there are.

        Raises:
            Rollback: the two have run apart.
        """
        found = self.measure(track)
        wrong = self.watch.wrong(found, self.judge.own(track).kinds if self.judge.classes else 0.0)
        if wrong:
            raise Rollback(wrong)
        self.film.add(self.watch.steps, self.pictures(self.imaginer))
        return found

    def measure(self, track: Track = iter) -> dict[str, float]:
        """``frechet``, ``diversity``, and where the judge knows classes ``kinds``: see ``imagined.Seen``."""
        self.judge.learn(track)
        seen = look(self.imaginer, self.judge, self.data, JUDGED, track)
        found = {"frechet": seen.frechet, "diversity": seen.diversity}
        return {**found, "kinds": seen.kinds} if self.judge.classes else found

    def pictures(self, imaginer: Imaginer) -> np.ndarray:
        """The images of the film, always of the same noise: uint8 (N, C, H, W)."""
        count = FRAME if max(self.card.shape[1:]) <= 2 * SMALL else FRAME // 4
        return imaginer.make(imaginer.noise(count), imaginer.labels(count))

    def sample(self) -> str:
        """Some images, in dots."""
        return in_dots(self.film.last[:SAMPLES])

    def picture(self) -> bytes:
        """The newest images of the film, side by side."""
        return image_grid(self.film.last, scale=max(1, SHOWN // max(self.card.shape[1:])))

    def weights(self) -> Mapping[str, Tensor]:
        """Those of the generator, or of its average."""
        return self.generator.learned.state_dict()

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of the best evaluation."""
        self.generator.learned.load_state_dict(weights)

    def begin_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of another generator; the discriminator begins anew.

        Raises:
            StateError: they are another network's; nothing was taken.
        """
        self.generator.begin_from(weights)

    def origin(self, batch: Any) -> Tensor:
        """The numbers of its images."""
        return minigrad.cat([numbers for _, _, numbers in batch])

    def describe(self, origin: Tensor) -> str:
        """The first few names of a batch's images."""
        names = [self.data.train.names[int(i)] for i in origin]
        return f"{len(names)} images: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"

    def rolled_back(self, times: int) -> None:
        """Halve the rates; after the third time, end.

        Raises:
            DivergedError: it has been tried often enough.
        """
        if times > ROLLBACKS:
            expected = "two networks that learn at the same speed"
            why = self.watch.reason or "numbers that are not finite"
            got = f"{ROLLBACKS} times the same end, each time with half the rates ({why})"
            remedy = (
                "The best generator so far is kept. Begin anew with a lower rate (--set lr=...), norm=spectral, or another loss"
            )
            raise DivergedError("train", self.name, expected, got, remedy)
        self._set_rates(SLOWER**times)

    def report(self, page: Any) -> None:
        """What the best generator makes, beside what it learned from, and how it came to it."""
        from minigrad.models.gan_report import add_generator

        add_generator(page, self)


def sides(size: int | str | None) -> tuple[int, int] | None:
    """Height and width that a setting of the size of images stands for.

    Raises:
        ArgumentError: it is neither one side nor two, or one is out of range.

    Example:
        >>> sides(32), sides("96x64"), sides(None)
        ((32, 32), (96, 64), None)
    """
    if size is None:
        return None
    found = [int(word) for word in re.findall(r"[0-9]{1,4}", str(size))]
    if not re.fullmatch(r"[0-9]+(x[0-9]+)?", str(size).lower()) or not all(SMALLEST <= side <= LARGEST for side in found):
        expected = f"pixels a side from {SMALLEST} to {LARGEST}, height x width such as 96x64, or auto"
        raise ArgumentError("settings", "image_size", expected, shorten(repr(size), LONGEST))
    return found[0], found[-1]


def _stage(stage: Stage) -> str:
    return (
        f"  {stage.large[0]}x{stage.large[1]} <-> {stage.small[0]}x{stage.small[1]}: "
        f"kernel {stage.kernel[0]}x{stage.kernel[1]}, stride {stage.stride[0]}x{stage.stride[1]}, padding 1"
    )
