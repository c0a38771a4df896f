"""What is trained: a task owns the step, the loop owns everything around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar

from minigrad import Tensor
from minigrad.train.descent import Descent
from minigrad.train.samples import SHOWN
from minigrad.train.settings import Settings

if TYPE_CHECKING:
    from minigrad.show.page import Page

T = TypeVar("T")
Track = Callable[[Iterable[T]], Iterator[T]]


class Stateful(Protocol):
    """Anything whose state can be taken and put back: a module, an optimiser, a schedule, a loader, or a user's own."""

    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state_dict: Any, /) -> Any: ...


class Step(NamedTuple):
    """What a step hands to the loop.

    Attributes:
        units: how much was learned from, in the task's unit (examples, tokens, ...).
        metrics: numbers by name, Python's or Tensors of one element. The loop adds them up where they are, and takes them
            to the host only when it writes a line: the means over the steps that gave them.
    """

    units: int
    metrics: Mapping[str, Tensor | float]


class Rollback(Exception):
    """Raised by a task's ``evaluate`` to go back to the state of the last evaluation that it accepted.

    Numbers that are not finite do the same, of a task that has a ``rolled_back``, once there is such a state.

    The loop loads that state, then calls the task's ``rolled_back``, which changes what has to change (a lower rate), since
    the same state would else end in the same place.
    """


class Task:
    """Derive from it, set the attributes, and write the methods. Nothing here knows what is learned.

    Everything that the future of the training depends on must be found in ``state()``, or be a function of the settings, or
    be drawn from the default generator, which the loop saves itself.

    Attributes:
        name: the task word.
        unit: what progress counts.
        inherits: the settings that the shapes of the weights depend on. A training that begins with another model's weights
            takes them from there, where the user does not choose.
        begins_with: the words of other tasks whose models' weights it can begin with too.
        goal: the metric of ``evaluate`` by which the best state is chosen, and ``"max"`` or ``"min"``.
        tie: another metric of ``evaluate``, and ``"max"`` or ``"min"``, that decides between states whose goal is equal: with
            few images to judge by many are. ``None``: the first of them stays the best.
        shown: lines and letters of a sample that a terminal shows.
        settings: the settings, with nothing left open.
        total_steps: steps in all.
        evaluate_every: steps between evaluations; there is one at the end as well.
        steps_per_epoch: steps in a pass through the data, if there is such a thing.
    """

    name: ClassVar[str] = "task"
    unit: ClassVar[str] = "examples"
    inherits: ClassVar[tuple[str, ...]] = ()
    begins_with: ClassVar[tuple[str, ...]] = ()
    goal: ClassVar[tuple[str, str]] = ("loss", "min")
    tie: ClassVar[tuple[str, str] | None] = None
    shown: ClassVar[tuple[int, int]] = SHOWN
    settings: Settings
    total_steps: int
    evaluate_every: int
    steps_per_epoch: int | None = None

    @classmethod
    def usual_start(cls, data: str, settings: Any) -> str | None:
        """The model whose weights a training begins with where nothing is said.

        Args:
            data: a named set or a path.
            settings: what the user chose.

        Returns:
            Its name; ``None``: it begins with weights that know nothing.
        """
        return None

    def config(self) -> dict[str, Any]:
        """All that making this task again takes, and all that applying its model takes, as plain data (JSON)."""
        raise NotImplementedError(f"{type(self).__name__} has no config")

    def state(self) -> Mapping[str, Stateful]:
        """By name, every part whose state a checkpoint must hold: modules, optimisers, schedules, loaders, carried state."""
        raise NotImplementedError(f"{type(self).__name__} has no state")

    def batches(self) -> Iterator[Any]:
        """Batches without end, from the place that the loader in ``state()`` has."""
        raise NotImplementedError(f"{type(self).__name__} has no batches")

    def step(self, batch: Any) -> Step:
        """Learn from one batch."""
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def evaluate(self, track: Track) -> Mapping[str, float]:
        """Measure the model on data that it does not learn from. Changes nothing in ``state()``.

        It may be broken off at each item of ``track``, so ``step`` sets what it needs itself, such as ``module.train()``. What
        it draws from the default generator leaves no trace in what the steps draw.

        Args:
            track: to be put around what is gone through, ``for batch in track(loader)``: shows progress and lets a user
                interrupt.

        Raises:
            Rollback: the state is worse than useless.
        """
        raise NotImplementedError(f"{type(self).__name__} has no evaluate")

    def sample(self) -> str:
        """What the model makes as it is now, for people to read; empty: nothing. Kept in ``samples.txt``.

        Asked for after each evaluation. Like it, it leaves no trace in what the steps draw.
        """
        return ""

    def picture(self) -> bytes:
        """What the model makes as it is now, for people to look at, as a PNG file; empty: nothing. Kept in ``samples.png``.

        Asked for after each evaluation, as ``sample`` is; the newest one is kept.
        """
        return b""

    def weights(self) -> Mapping[str, Tensor]:
        """What applying the model takes, as a ``state_dict``; kept in ``model.safetensors`` for the best evaluation."""
        raise NotImplementedError(f"{type(self).__name__} has no weights")

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take what ``weights`` gave, for the report of the best state; training does not go on after this."""
        raise NotImplementedError(f"{type(self).__name__} has no load_weights")

    def begin_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of another model, before the first step: all of them, or none where some do not fit.

        As it stands it is for tasks whose state has one ``Descent``; others write their own.

        Raises:
            StateError: they are another network's; all that does not fit is named.
        """
        descents = [part for part in self.state().values() if isinstance(part, Descent)]
        if len(descents) != 1:
            raise NotImplementedError(f"{type(self).__name__} has {len(descents)} descents and no begin_from of its own")
        descents[0].begin_from(weights)

    def origin(self, batch: Any) -> Any:
        """What a stop names when this batch gave no number: small, since some are kept. See ``describe``."""
        return None

    def describe(self, origin: Any) -> str:
        """``origin`` in words: which samples they were."""
        return ""

    def rolled_back(self, times: int) -> None:
        """Change what has to change after a rollback, the ``times``-th."""
        raise NotImplementedError(f"{type(self).__name__} asks for a rollback and has no rolled_back")

    def report(self, page: Page) -> None:
        """Add the sections of this task to the page of a run, with the best weights loaded."""
