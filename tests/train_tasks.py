"""A training that is nothing like a classifier's, for the tests of the loop; and ways to break it off.

As a script, in a process of its own::

    python -m tests.train_tasks train FOLDER [key=value ...]    train, telling what is said
    python -m tests.train_tasks kill FOLDER SEED KILLS TASK     kill a task of KILLED at random moments
    python -m tests.train_tasks inject FOLDER                   kill it at each step of each write
    python -m tests.train_tasks limited FOLDER BYTES [...]      train where no file may be larger
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import minigrad
from minigrad import Tensor, nn
from minigrad.data import DataLoader, TensorDataset
from minigrad.errors import RunError
from minigrad.interop import atomic
from minigrad.nn import functional as F
from minigrad.train import (
    Descent,
    Initial,
    Outcome,
    Rollback,
    Run,
    Settings,
    Step,
    Task,
    Track,
    ema,
    fit,
    journal,
    parts,
    report,
    setting,
)

WORDS, WIDTH, LENGTH = 8, 6, 4


@dataclass(frozen=True)
class DuelSettings(Settings):
    """What a test may choose."""

    steps: int = setting(20, "steps", least=0)
    evaluate_every: int = setting(7, "steps between evaluations", least=1)
    lr: float = setting(0.05, "learning rate", least=0)
    accumulate: int = setting(2, "parts of a batch", least=1)
    workers: int = setting(0, "threads of the loader", least=0)
    ballast: int = setting(0, "numbers that lie in the state and do nothing", least=0)
    roll_back: str = setting("", "steps at whose first evaluation it wants to go back, such as 14,21")
    gaps: str = setting("", "what the evaluations give in place of the truth, such as 3,1,2")


class Carried:
    """What is carried from batch to batch: a vector, and counts."""

    def __init__(self) -> None:
        self.hidden = minigrad.zeros(WIDTH)
        self.steps = self.evaluations = self.rollbacks = 0

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)


class Duel(Task):
    """A maker of sentences and a critic that tells them from true ones, who learn in turns.

    Two optimisers, one with a schedule, the other with an average; dropout and noise from the default generator; a vector that
    is carried on; a loader with threads; batches in parts; tokens in place of examples; and now and then a wish to go back.

    Attributes:
        hook: called at each moment that matters, as ``hook(what, step)``.
    """

    name = "duel"
    unit = "tokens"
    goal = ("gap", "min")

    def __init__(self, settings: DuelSettings | None = None) -> None:
        self.settings: DuelSettings = settings or DuelSettings()
        self.total_steps, self.evaluate_every = self.settings.steps, self.settings.evaluate_every
        self.hook: Callable[[str, int], None] = lambda what, step: None
        minigrad.manual_seed(self.settings.seed)
        self.data = TensorDataset(minigrad.randint(0, WORDS, (18, LENGTH)), minigrad.arange(18))
        order = minigrad.Generator().manual_seed(self.settings.seed + 1)
        self.loader = DataLoader(self.data, batch_size=4, shuffle=True, generator=order, num_workers=self.settings.workers)
        self.maker = nn.Sequential(nn.Linear(2 * WIDTH, 8), nn.Tanh(), nn.Linear(8, LENGTH * WORDS))
        self.critic = nn.Sequential(nn.Linear(LENGTH * WORDS, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1))
        adam = minigrad.optim.Adam(self.critic.parameters(), lr=self.settings.lr)
        sgd = minigrad.optim.SGD(self.maker.parameters(), lr=self.settings.lr, momentum=0.5)
        rate = minigrad.optim.lr_scheduler.StepLR(adam, step_size=4, gamma=0.5)
        self.up = Descent(self.critic, adam, schedule=rate)
        self.down = Descent(self.maker, sgd, clip_norm=1.0, average=ema(self.maker, 0.9))
        self.carried = Carried()
        self.ballast = nn.ParameterList([nn.Parameter(minigrad.rand(self.settings.ballast))])

    def config(self) -> dict[str, Any]:
        return {"settings": self.settings.to_dict()}

    def state(self) -> Mapping[str, Any]:
        return {
            "up": self.up,
            "down": self.down,
            "loader": self.loader,
            "carried": self.carried,
            "ballast": self.ballast,
        }

    def batches(self) -> Iterator[Any]:
        while True:
            yield from self.loader

    def make(self, maker: nn.Module, count: int) -> Tensor:
        noise = minigrad.randn(count, WIDTH)
        logits = maker(minigrad.cat([noise, self.carried.hidden.expand(count, WIDTH)], dim=1))
        return F.softmax(logits.reshape(count, LENGTH, WORDS), dim=2).reshape(count, -1)

    def true(self, words: Tensor) -> Tensor:
        return F.one_hot(words, WORDS).float().reshape(len(words), -1)

    def step(self, batch: Any) -> Step:
        words, _ = batch
        self.hook("batch", self.carried.steps)
        self.critic.train()
        metrics = self.criticise(words) if self.carried.steps % 2 == 0 else self.deceive(words)
        self.carried.hidden = 0.9 * self.carried.hidden + 0.1 * self.make(self.maker, 2).detach().mean(dim=0)[:WIDTH]
        self.carried.steps += 1
        self.hook("step", self.carried.steps)
        return Step(words.numel(), metrics)

    def criticise(self, words: Tensor) -> dict[str, Tensor | float]:
        def losses() -> Iterator[Tensor]:
            for share, (some,) in parts([words], self.settings.accumulate):
                true, made = self.critic(self.true(some)), self.critic(self.make(self.maker, len(some)).detach())
                yield share * (F.softplus(-true).mean() + F.softplus(made).mean())

        return {f"critic {name}": value for name, value in self.up.step(losses()).items()}

    def deceive(self, words: Tensor) -> dict[str, Tensor | float]:
        def losses() -> Iterator[Tensor]:
            for share, (some,) in parts([words], self.settings.accumulate):
                yield share * F.softplus(-self.critic(self.make(self.maker, len(some)))).mean()

        return self.down.step(losses())

    def evaluate(self, track: Track) -> Mapping[str, float]:
        self.critic.eval()
        gaps = []
        with minigrad.no_grad():
            for words, _ in track(DataLoader(self.data, batch_size=6)):
                self.hook("evaluate", self.carried.steps)
                made = self.make(self.down.learned, len(words))
                gaps.append((self.critic(self.true(words)).mean() - self.critic(made).mean()).abs().item())
        wishes = [int(wish) for wish in self.settings.roll_back.split(",") if wish]
        if wishes[self.carried.rollbacks : self.carried.rollbacks + 1] == [self.carried.steps]:
            raise Rollback("the test wants it")
        planned = self.settings.gaps.split(",")
        number = -(-self.carried.steps // self.evaluate_every) - 1
        gap = float(planned[number]) if self.settings.gaps and number < len(planned) else sum(gaps) / len(gaps)
        return {"gap": gap, "noise": minigrad.rand(1).item()}

    def weights(self) -> Mapping[str, Tensor]:
        self.hook("weights", self.carried.steps)
        return self.down.learned.state_dict()

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        self.hook("report", self.carried.steps)
        self.down.learned.load_state_dict(weights)

    def rolled_back(self, times: int) -> None:
        self.hook("rolled back", self.carried.steps)
        self.carried.rollbacks = times
        for descent in (self.up, self.down):
            for group in descent.optimizer.param_groups:
                group["lr"] *= 0.5

    def origin(self, batch: Any) -> Any:
        return batch[1]

    def describe(self, origin: Any) -> str:
        return f"sentences {', '.join(map(str, origin.tolist()))}"


def silent(text: str) -> None:
    """What to do with the sentences for the user."""


def train(folder: Path, task: Task, say: Callable[[str], None] = silent, initial: Initial | None = None) -> Outcome:
    """Train in a folder, to the end or to what stops it. The page of the run is left out: it has tests of its own."""
    kept, report.write = report.write, lambda task, run: atomic.write_atomically("report", run.report, b"the page")
    try:
        with Run(folder) as run:
            return fit(task, run, say=say, initial=initial)
    finally:
        report.write = kept


def traces(folder: Path) -> dict[str, Any]:
    """All that equal runs have in common: the files without clocks, and the state at the end."""
    last = sorted((folder / "checkpoints").glob("0*.safetensors"))[-1]
    state = minigrad.load(last)
    del state["place"]["seconds"]
    whole = io.BytesIO()
    minigrad.save(state, whole)
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.tmp"))
    names = ["metrics.jsonl", "config.json", "model.safetensors", *(path.name for path in folder.glob("samples.*"))]
    return {**{name: (folder / name).read_bytes() for name in names}, "state": whole.getvalue(), "half-written": left}


# ---------------------------------------------------------------------- breaking off


@contextlib.contextmanager
def at_each_write(event: Callable[[str], None]) -> Iterator[None]:
    """Call ``event`` before each step of each write of minigrad, and when half of a file is written."""

    def told(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            event(name)
            return function(*args, **options)

        return called

    def opened(path: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        file = builtins.open(path, mode, *rest, **options)  # noqa: SIM115 - the caller closes it
        if mode in ("xb", "ab"):
            write = file.write

            def halves(data: bytes) -> int:
                write(data[: len(data) // 2])
                file.flush()
                event("half written")
                return len(data) // 2 + write(data[len(data) // 2 :])

            return Written(file, halves)
        return file

    kept = {name: getattr(os, name) for name in ("fsync", "replace")}
    try:
        for name, function in kept.items():
            setattr(os, name, told(name, function))
        for module in (atomic, journal):
            vars(module)["open"] = opened
        yield
    finally:
        for name, function in kept.items():
            setattr(os, name, function)
        for module in (atomic, journal):
            del vars(module)["open"]


class Written:
    """A file with another ``write``."""

    def __init__(self, file: Any, write: Callable[[bytes], int]) -> None:
        self.file, self.write = file, write

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *_: Any) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


class Countdown:
    """An event that does something at its n-th call, counted from 0, and counts on."""

    def __init__(self, at: int, do: Callable[[], None]) -> None:
        self.at, self.do, self.calls = at, do, 0

    def __call__(self, *_: Any) -> None:
        self.calls += 1
        if self.calls - 1 == self.at:
            self.do()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fork(work: Callable[[], None]) -> int:
    """A child that does some work, and its number. It has what this process has loaded, and begins at once."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def ended(child: int) -> bool:
    """Whether a child came to its end, and was not killed."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status not in (0, -signal.SIGKILL):
        raise SystemExit(f"the child ended with {status}")
    return status == 0


# ---------------------------------------------------------------------- as a script

LARGE = DuelSettings(save_every=0, ballast=200_000, workers=1, roll_back="14")  # each step writes, and that takes its time
SHORT = DuelSettings(steps=4, evaluate_every=2, log_every=2, roll_back="4")


def text(folder: Path) -> Task:
    """A model of a text, whose state is carried from step to step, and that writes samples."""
    from minigrad.models.text import Text, TextSettings

    poem = folder / "poem.txt"
    if not poem.exists():
        poem.write_text("".join(f"{number} bottles of beer on the wall\n" for number in range(40)))
    settings = TextSettings(hidden=6, embedding=4, epochs=1.4, batch_size=8, sequence=8, dropout=0.1, sample=9, save_every=0)
    return Text(str(poem), settings)


def handwriting(folder: Path) -> Task:
    """A hand, whose batches are drawn anew by size, and that writes samples in dots."""
    from minigrad.models.handwriting_task import Handwriting, HandwritingSettings
    from tests.small_hands import hand

    mine = folder / "mine.json"
    if not mine.exists():
        hand(mine, 20)
    settings = HandwritingSettings(
        hidden=4, windows=2, mixtures=2, batch_size=4, epochs=5.5, dropout=0.1, average=0.9, save_every=0
    )
    return Handwriting(str(mine), settings)


def translate(folder: Path) -> Task:
    """A translator that is the mean of its last checkpoints, with words of its own in training, and that writes samples."""
    from minigrad.models.translate import Translate, TranslateSettings
    from tests.small_translators import TINY, pairs

    mine = folder / "spa.tsv"
    if not mine.exists():
        pairs(mine)
    return Translate(str(mine), TranslateSettings.of({**TINY, "epochs": 3.2, "own": 0.5, "prefetch": 1, "save_every": 0}))


def gan(folder: Path) -> Task:
    """Two networks with a judge, a watch and a film, who go back once; the discriminator makes two steps at a time."""
    from minigrad.models.gan import Gan, GanSettings
    from tests.small_galleries import TINY, gallery

    class Once(Gan):
        """Wants to go back at its third evaluation, unless it has."""

        def measure(self, track: Track = iter) -> dict[str, float]:
            with mock.patch("minigrad.models.gan.JUDGED", 64):
                found = super().measure(track)
            if self.watch.steps == 3 and not self.watch.reason:
                self.watch.reason = "the test wants it"
                raise Rollback(self.watch.reason)
            return found

    mine = folder / "bars"
    if not mine.exists():
        gallery(mine, 120, classes=True)
    chosen = {"steps": 11, "critic": 2, "classes": True, "augment": True, "norm": "spectral", "prefetch": 1, "save_every": 0}
    return Once(str(mine), GanSettings.of({**TINY, **chosen}))


def detect(folder: Path) -> Task:
    """A detector with masks that is an average of its weights, whose regions are drawn, and that draws what it finds."""
    from minigrad.models.detect import Detect, DetectSettings
    from tests.box_files import BIRDS, coco, outlines_of

    mine = folder / "birds"
    if not mine.exists():
        coco(mine, BIRDS, masks=outlines_of(BIRDS))
    chosen = {"width": 2, "maps": 4, "hidden": 8, "image_size": 48, "batch_size": 2, "holdout": 0.3, "levels": 2}
    return Detect(str(mine), DetectSettings.of({**chosen, "steps": 15, "average": 0.9, "save_every": 0}))


KILLED: dict[str, Callable[[Path], Task]] = {
    "duel": lambda folder: Duel(LARGE),
    "text": text,
    "handwriting": handwriting,
    "translate": translate,
    "gan": gan,
    "detect": detect,
}


def kill(folder: Path, seed: int, kills: int, make: Callable[[Path], Task]) -> None:
    """Train in ``folder/0``, ``folder/1``, ... until so many trainings were killed, and finish all."""
    draw = random.Random(seed)
    began = time.monotonic()
    if not ended(fork(lambda: train(folder / "whole", make(folder)) and None)):
        raise SystemExit("not killed, and yet it is dead")
    life = time.monotonic() - began
    number = done = 0
    while done < kills:
        child = fork(lambda number=number: train(folder / str(number), make(folder)) and None)  # type: ignore[misc]
        time.sleep(draw.uniform(0, life / 4))
        os.kill(child, signal.SIGKILL)
        if ended(child):
            number += 1
        else:
            done += 1
    for left in range(number + 1):
        ended(fork(lambda left=left: train(folder / str(left), make(folder)) and None))  # type: ignore[misc]
    print(json.dumps({"kills": done, "runs": number + 1, "seconds": life}))


def inject(folder: Path) -> None:
    """Train in ``folder/n`` and die at the n-th event of writing, for each n that there is; go on in a second process."""
    for number in range(10_000):
        place = folder / str(number)

        def work(number: int = number, place: Path = place) -> None:
            with at_each_write(Countdown(number, die)):
                train(place, Duel(SHORT))

        if ended(fork(work)):
            print(json.dumps({"events": number}))
            return
        ended(fork(lambda place=place: train(place, Duel(SHORT)) and None))  # type: ignore[misc]


def limited(folder: Path, size: int, words: Iterable[str]) -> None:
    """Train where no file may become larger than ``size`` bytes."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        train(folder, Duel(DuelSettings.parse(words)))
    except RunError as error:
        print(json.dumps({"error": str(error)}))
    else:
        print(json.dumps({"error": ""}))


def main(command: str, folder: str, *words: str) -> None:
    path = Path(folder)
    if command in ("kill", "inject"):
        with tempfile.TemporaryDirectory() as aside:
            train(Path(aside, "run"), Duel(SHORT))  # what it loads, kernels too, all children have
            if command == "kill":
                train(Path(aside, words[2]), KILLED[words[2]](Path(aside)))
    if command == "kill":
        kill(path, int(words[0]), int(words[1]), KILLED[words[2]])
    elif command == "inject":
        inject(path)
    elif command == "limited":
        limited(path, int(words[0]), words[1:])
    else:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's & may have switched off
        outcome = train(path, Duel(DuelSettings.parse(words)), say=lambda text: print(text, flush=True))
        print(json.dumps(outcome))


if __name__ == "__main__":
    main(*sys.argv[1:])
