"""The one training loop: progress, checkpoints, stopping and the report. It knows nothing of what is learned."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import minigrad
from minigrad import Tensor
from minigrad.errors import DivergedError, MinigradError, RunError
from minigrad.interop.atomic import write_atomically
from minigrad.show.progress import Progress
from minigrad.show.text import write_line
from minigrad.train.checkpoints import Checkpoints
from minigrad.train.initial import Initial
from minigrad.train.interrupt import Interrupt
from minigrad.train.place import Outcome, Place
from minigrad.train.runs import Run, differences, digest
from minigrad.train.samples import brief
from minigrad.train.task import Rollback, Step, Task
from minigrad.train.watch import REMEDY, Watch, not_finite

T = TypeVar("T")
ACCEPTED = "accepted"  # the checkpoint to which a rollback leads


class _Interrupted(Exception):
    pass


def fit(task: Task, run: Run, *, say: Callable[[str], None] | None = None, initial: Initial | None = None) -> Outcome:
    """Train a task in a run folder, from the newest checkpoint there or from the beginning, to the end or to a Ctrl-C.

    A training that was killed at any moment goes on by the same call, and its ``metrics.jsonl`` becomes byte for byte that of
    one that was never killed (on the same machine with as many threads; on another one, sums may be rounded otherwise).

    Args:
        task: what to learn.
        run: the folder, entered (``with Run(path) as run``). In a new one the task's config is written first.
        say: takes the sentences for the user instead of the progress display.
        initial: another model's weights, to begin a new run with.

    Raises:
        RunError: the folder is of another task or config, or cannot be written to; or the initial weights are of another
            network, or the run has begun already.
        DivergedError: a step gave nan or inf.

    Example:
        >>> import tempfile
        >>> from minigrad.train.examples import Line
        >>> with Run(tempfile.mkdtemp()) as run:
        ...     outcome = fit(Line(), run, say=lambda text: None)
        >>> outcome.status, outcome.step
        ('finished', 40)
    """
    config = {"task": task.name, **task.config()}
    if not run.held:
        raise RunError("fit", "run", "a run folder that is locked", "one that is not", "Write: with Run(path) as run")
    if not run.exists():
        if initial is not None:
            initial.into(task)
            initial.keep(run)
            config["init_from"] = initial.entry
        run.begin(config)
    elif initial is not None:
        expected, remedy = "a new run to begin with other weights", "Train into a new folder"
        raise RunError("train", str(run.path), expected, "one that was begun before", remedy)
    elif "init_from" in (begun := run.config()):
        config["init_from"] = begun["init_from"]
    if digest(run.config()) != digest(config):
        raise RunError(
            "resume", str(run.path), "the task, data and settings that the run began with",
            f"other {', '.join(differences(run.config(), config))}", "Put them back as they were, or train into a new folder",
        )  # fmt: skip
    with Interrupt() as interrupt:
        return _Loop(task, run, interrupt, config, say).run()


class _Loop:
    def __init__(
        self, task: Task, run: Run, interrupt: Interrupt, config: Mapping[str, Any], say: Callable[[str], None] | None
    ) -> None:
        self.task, self.folder, self.interrupt, self.config = task, run, interrupt, config
        self.place = Place()
        self.bar: Progress | None = None
        self._say = say
        self.checkpoints = Checkpoints(run.checkpoints, digest(config), self.say)
        self.watch = Watch(task.describe)
        self.log_every = task.settings.log_every or max(1, task.evaluate_every // 10)
        self.rolls_back = type(task).rolled_back is not Task.rolled_back
        self.given_up = False  # no way back is left
        self.meant: set[str] = set()  # tensors of the state that are not finite from the beginning, such as a mask
        self.shown: dict[str, float | str] = {}

    def say(self, text: str) -> None:
        """Tell the user something that stays on the screen."""
        if self._say is not None:
            self._say(text)
        elif self.bar is not None:
            self.bar.say(text)
        else:
            write_line(sys.stderr, text)

    # ------------------------------------------------------------------ from begin to end

    def run(self) -> Outcome:
        task, place = self.task, self.place
        self._restore()
        with self._display():
            self._began = self._saved = time.monotonic()
            batches = task.batches()
            try:
                while not self.interrupt.wanted:
                    try:
                        if self._due():
                            if self._evaluate():
                                batches = self._renewed(batches)
                        elif self._over():
                            break
                        else:
                            if time.monotonic() - self._saved >= task.settings.save_every:
                                self._save()
                            self._step(self._next(batches))
                    except DivergedError as error:
                        if self.given_up or not self.rolls_back or not place.evaluated:
                            raise
                        self.watch = Watch(task.describe)
                        place.sums, place.counts = {}, {}  # the broken numbers are among them
                        self._roll_back(f"{error.argument}: {error.got}", place.evaluated)
                        batches = self._renewed(batches)
            except _Interrupted:
                pass
            except DivergedError:
                if self.rolls_back and place.best is not None:
                    self._report()  # how it went, and the best of it
                raise
            finally:
                _close(batches)
            if self._due() or not self._over():
                self._save()
                number = int(self.interrupt.wanted or 0)
                return Outcome("interrupted", place.step, place.best, place.best_step, number)
            early = place.step < task.total_steps
            if early:
                self.say(f"Stopped early: {place.worse} evaluations in a row without a better {task.goal[0]}.")
            self._report()
        return Outcome("stopped early" if early else "finished", place.step, place.best, place.best_step)

    @contextlib.contextmanager
    def _display(self) -> Iterator[None]:
        if self._say is not None:
            yield
            return
        with Progress(self.task.total_steps, self.task.unit, start=self.place.step, describe=self.task.name) as self.bar:
            yield

    def _renewed(self, batches: Iterator[Any]) -> Iterator[Any]:
        _close(batches)
        return self.task.batches()

    def _next(self, batches: Iterator[Any]) -> Any:
        for batch in batches:
            return batch
        expected, got = "batches without end", f"an end of them after step {self.place.step}"
        raise RunError("train", self.task.name, expected, got, "Let batches() begin again at the end of each pass")

    # ------------------------------------------------------------------ a step

    def _step(self, batch: Any) -> None:
        place = self.place
        made = self.task.step(batch)
        if not isinstance(made, Step):
            raise RunError("train", self.task.name, "a Step(units, metrics) from its step", f"a {type(made).__name__}")
        units, metrics = made
        place.step += 1
        place.units += units
        numbers = {name: _number(value) for name, value in metrics.items()}
        self.watch.see(place.step, numbers, self.task.origin(batch))
        for name, number in numbers.items():
            place.sums[name] = place.sums.get(name, 0.0) + number
            place.counts[name] = place.counts.get(name, 0) + 1
        if place.step % self.log_every == 0:
            self._row()
        if self.bar is not None:
            self.bar.advance(place.step, place.units, self.shown)

    def _row(self) -> None:
        """Write the means of the steps since the last row."""
        place = self.place
        if not place.sums:
            return
        self.watch.look()
        means = {name: float(total) / place.counts[name] for name, total in place.sums.items()}
        self._append({**self._where(), **{f"train/{name}": value for name, value in means.items()}})
        self.shown = {**self.shown, **means}
        place.sums, place.counts = {}, {}

    def _where(self) -> dict[str, Any]:
        place, row = self.place, {"step": self.place.step}
        if self.task.steps_per_epoch:
            row["epoch"] = -(-place.step // self.task.steps_per_epoch)
        return {**row, self.task.unit: place.units}

    def _append(self, row: dict[str, Any]) -> None:
        with self.folder.explained("metrics.jsonl"):
            self.folder.metrics.append(row)

    # ------------------------------------------------------------------ an evaluation

    def _due(self) -> bool:
        place, task = self.place, self.task
        return place.step > place.evaluated and (place.step % task.evaluate_every == 0 or place.step >= task.total_steps)

    def _over(self) -> bool:
        place, patience = self.place, self.task.settings.patience
        return place.step >= self.task.total_steps or 0 < patience <= place.worse

    def _evaluate(self) -> bool:
        """Measure, keep the best, write a row and a checkpoint. True when the task was rolled back."""
        task, place = self.task, self.place
        self._check()
        try:
            # An evaluation, one that is interrupted too, leaves no trace in the random numbers of the steps.
            with minigrad.random.fork_rng(), self.bar.pause("evaluating") if self.bar else contextlib.nullcontext():
                measured = {name: float(value) for name, value in task.evaluate(self._track).items()}
                sample, picture = task.sample(), task.picture()
        except Rollback as wish:
            self._roll_back(str(wish))
            return True
        goals = [task.goal, *([task.tie] if task.tie else [])]
        broken = [name for name, value in measured.items() if not math.isfinite(value)]
        if broken:
            got = f"{broken[0]} = {measured[broken[0]]} at step {place.step}"
            raise DivergedError("train", "evaluation", "finite numbers", got, "Lower the learning rate (--set lr=...)")
        for goal, _ in goals:
            if goal not in measured:
                expected = f"a task whose evaluate gives its goal {goal!r}"
                raise RunError("train", task.name, expected, ", ".join(measured) or "nothing")
        self._row()
        value = measured[task.goal[0]]
        rank = [measured[goal] * (1 if way == "max" else -1) for goal, way in goals]
        better = not place.rank or rank > place.rank
        place.evaluated, place.worse = place.step, 0 if better else place.worse + 1
        if better:
            place.best, place.best_step, place.rank = value, place.step, rank
            with self.folder.explained("the best model"):
                minigrad.save(dict(task.weights()), self.folder.model)
        self._append({**self._where(), **{f"val/{name}": number for name, number in measured.items()}})
        self._clock()
        self.say(self._line(measured, better))
        if sample:
            with self.folder.explained("samples.txt"):
                self.folder.samples.add(place.step, f"{task.goal[0]} {value:.4f}", sample)
            self.say(brief(sample, task.shown))
        if picture:
            with self.folder.explained("samples.png"):
                write_atomically("train", self.folder.pictures, picture)
        self.shown.update({f"val {task.goal[0]}": value})
        self._save(*[ACCEPTED] * self.rolls_back, "")
        return False

    def _track(self, items: Iterable[T]) -> Iterator[T]:
        """Give one item after the other, unless the user wants to stop."""
        for item in items:
            if self.interrupt.wanted:
                raise _Interrupted
            yield item
            if self.bar is not None:
                self.bar.advance(self.place.step, self.place.units, self.shown)

    def _line(self, measured: Mapping[str, float], better: bool) -> str:
        place, task = self.place, self.task
        width = len(str(task.total_steps))
        head = f"step {place.step:{width}d}/{task.total_steps}"
        if task.steps_per_epoch:
            epochs = -(-task.total_steps // task.steps_per_epoch)
            head = f"epoch {-(-place.step // task.steps_per_epoch):{len(str(epochs))}d}/{epochs}"
        numbers = [f"train loss {self.shown['loss']:.4f}"] if "loss" in self.shown else []
        numbers += [f"val {name} {value:.4f}" for name, value in measured.items()]
        return f"{head}  {'  '.join(numbers)}{'  (best)' if better else ''}"

    def _roll_back(self, reason: str, told: int | None = None) -> None:
        """Go back to the accepted state; a row tells from which step: ``told``, where another run may notice at another one."""
        place = self.place
        self.given_up = True
        content = self.checkpoints.named(ACCEPTED) if place.evaluated else None
        if content is None:
            expected, remedy = "a state that can be gone back to", "Begin anew with a lower rate (--set lr=...)"
            raise DivergedError("train", self.task.name, expected, f"none yet ({reason})", remedy)
        if content["place"]["step"] != place.evaluated:
            expected, got = f"the accepted state of step {place.evaluated}", f"that of step {content['place']['step']}"
            raise RunError("train", str(self.folder.checkpoints), expected, got, "Train anew")
        self._row()
        times, step, seconds = place.rollbacks + 1, place.step, place.seconds
        self._take(content)
        place.rollbacks, place.seconds = times, seconds
        self._append({"step": step if told is None else told, "rollback": times, "to": place.step})
        self.task.rolled_back(times)
        self.given_up = False
        self.say(f"Rolled back from step {step} to step {place.step}: {reason}.")
        self._save()

    # ------------------------------------------------------------------ checkpoints

    def _state(self) -> dict[str, Any]:
        parts = self.task.state()
        for name, part in parts.items():
            if not hasattr(part, "state_dict") or not hasattr(part, "load_state_dict"):
                expected, got = "parts with state_dict and load_state_dict", f"a {type(part).__name__} as {name}"
                raise RunError("train", f"{self.task.name}.state()", expected, got, "Put it into a class that has both")
        return {name: dict(part.state_dict()) for name, part in parts.items()}

    def _check(self) -> None:
        """See that what the steps gave is finite, and what they made of the state too: a loss is the last to show it."""
        self.watch.look()
        broken = not_finite(self._state()) - self.meant
        if broken:
            got = f"nan or inf after step {self.place.step}, whose metrics are finite still"
            raise DivergedError("train", min(broken), "finite numbers", got, REMEDY)

    def _save(self, *names: str) -> None:
        """Write a checkpoint of all that the future depends on."""
        self._check()
        place, now = self.place, time.monotonic()
        place.seconds += now - self._began
        self._began = now
        place.sums = {name: float(total) for name, total in place.sums.items()}
        with self.folder.explained("a checkpoint"):
            content = {
                "place": asdict(place),
                "metrics": self.folder.metrics.place(),
                "samples": self.folder.samples.place(),
                "random": minigrad.get_rng_state(),
                "state": self._state(),
            }
            for name in names or ("",):
                self.checkpoints.save(content, name=name)
        self._saved = time.monotonic()

    def _restore(self) -> None:
        content = self.checkpoints.newest()
        if content is not None:
            self._take(content)
            self.say(f"Going on from step {self.place.step} of {self.task.total_steps}.")
        elif self.folder.metrics.path.exists():
            self.folder.check_unfinished()
            self.say("There is no checkpoint yet. Beginning anew.")
        if content is None and "init_from" in self.config:
            Initial.kept(self.folder, self.config["init_from"]).into(self.task)
        with self.folder.explained("metrics.jsonl"):
            self.folder.metrics.cut(content and content["metrics"])
            self.folder.samples.cut(content and content.get("samples"))  # of a version that wrote none it has none
            self.folder.timing.mend()
        self.meant = not_finite(self._state())

    def _take(self, content: dict[str, Any]) -> None:
        """Take the state of a checkpoint over."""
        state = self.task.state()
        try:
            vars(self.place).update(asdict(Place(**content["place"])))
            if content["state"].keys() != state.keys():
                raise KeyError(f"the parts {', '.join(content['state'])} in place of {', '.join(state)}")
            for name, part in state.items():
                part.load_state_dict(content["state"][name])
            minigrad.set_rng_state(content["random"])
        except (AttributeError, LookupError, TypeError, ValueError, MinigradError) as error:
            expected = "a checkpoint that fits the task"
            raise RunError(
                "resume", str(self.folder.checkpoints), expected, str(error), "Train anew into a new folder"
            ) from error

    # ------------------------------------------------------------------ the end

    def _clock(self) -> None:
        place, now = self.place, time.monotonic()
        seconds = max(1e-9, place.seconds + now - self._began)
        row = {
            "step": place.step,
            "seconds": round(seconds, 3),
            f"{self.task.unit}_per_second": round(place.units / seconds, 1),
        }
        with self.folder.explained("timing.jsonl"):
            self.folder.timing.append(row)

    def _report(self) -> None:
        from minigrad.train.report import write

        self.task.load_weights(minigrad.load(self.folder.model))
        with self.folder.explained("the report"):
            write(self.task, self.folder)


def _close(batches: Iterator[Any]) -> None:
    """Let a loader's threads go."""
    close = getattr(batches, "close", None)
    if close is not None:
        close()


def _number(value: Tensor | float) -> Tensor | float:
    """A metric, where it is, without its graph; in float64, so that sums are exact enough."""
    return value.detach().double().reshape(()) if isinstance(value, Tensor) else float(value)
