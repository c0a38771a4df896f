"""The loop itself: numbers that are none, when it stops and what it keeps, how often it waits for the device, what it says."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import minigrad
from minigrad import Tensor
from minigrad.errors import DivergedError, MinigradError, RunError, ShapeError
from minigrad.train import Outcome, Rollback, Run, Settings, Step, Task, fit
from minigrad.train.examples import Line, LineSettings
from minigrad.train.journal import Journal
from minigrad.train.report import series
from minigrad.train.watch import EVERY, Watch, not_finite
from tests.train_tasks import Duel, DuelSettings, silent, traces, train

NAN, INF = math.nan, math.inf


class Plain(Task):
    """Steps that give what a test wants, and evaluations too.

    Args:
        metrics: of each step, from the first; or what makes them of a step's number.
        values: of the goal, at each evaluation.
    """

    name = "plain"

    def __init__(
        self,
        metrics: Callable[[int], Mapping[str, Any]] = lambda step: {"loss": 1.0},
        values: tuple[Any, ...] = (),
        steps: int = 6,
        every: int = 2,
        **settings: Any,
    ) -> None:
        self.metrics, self.values = metrics, values
        self.settings = Settings(**settings)
        self.total_steps, self.evaluate_every = steps, every
        self.weight = minigrad.nn.Parameter(minigrad.zeros(2))
        self.module = minigrad.nn.ParameterList([self.weight])
        self.module.register_buffer("mask", minigrad.tensor([0.0, -INF]))
        self.steps = self.evaluations = 0

    def config(self) -> dict[str, Any]:
        return {"settings": self.settings.to_dict()}

    def state(self) -> Mapping[str, Any]:
        return {"module": self.module, "counts": self}

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "evaluations": self.evaluations}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)

    def batches(self) -> Iterator[Any]:
        number = self.steps
        while True:
            number += 1
            yield number

    def step(self, batch: int) -> Step:
        self.steps += 1
        return Step(1, self.metrics(batch))

    def evaluate(self, track: Any) -> Mapping[str, float]:
        value = self.values[self.steps // self.evaluate_every - 1] if self.values else float(self.steps)
        return value if isinstance(value, dict) else {"loss": value}

    def weights(self) -> Mapping[str, Tensor]:
        return {"steps": minigrad.tensor(self.steps)}

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        self.reported = weights["steps"].item()

    def origin(self, batch: int) -> Any:
        return batch

    def describe(self, origin: int) -> str:
        return f"the sample {origin}"


def rows(folder: Path) -> list[dict[str, Any]]:
    return list(Journal(folder / "metrics.jsonl").rows())


# ---------------------------------------------------------------------- numbers that are none


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("as_tensor", [True, False])
@pytest.mark.parametrize(("at", "every"), [(1, 100), (5, 100), (16, 100), (17, 100), (40, 100), (5, 7), (7, 7), (8, 7)])
def test_the_first_step_that_gives_none_is_named(bad: float, as_tensor: bool, at: int, every: int, tmp_path: Path) -> None:
    """With its batch, whichever step it is when it is looked for; all later ones are none too."""

    def metrics(step: int) -> dict[str, Any]:
        value = bad if step >= at else 0.5
        return {"fine": 1.0, "loss": minigrad.tensor(value) if as_tensor else value}

    words = rf"^train: loss: expected a finite number, got {bad} at step {at}, whose batch was the sample {at}\. Lower the"
    with pytest.raises(DivergedError, match=words):
        train(tmp_path, Plain(metrics, steps=50, every=every, log_every=10))
    assert all(math.isfinite(value) for row in rows(tmp_path) for value in row.values())
    assert all(row["step"] < at for row in rows(tmp_path))


def test_a_metric_that_is_none_only_once(tmp_path: Path) -> None:
    """The loss stays fine, another metric was none at one step among many."""
    task = Plain(lambda step: {"loss": 1.0, "norm": minigrad.tensor(INF if step == 3 else 1.0)}, steps=9, every=9)
    with pytest.raises(DivergedError, match=r"train: norm: expected a finite number, got inf at step 3, whose batch was"):
        train(tmp_path, task)


def test_large_numbers_are_no_alarm(tmp_path: Path) -> None:
    """Sums of float32 numbers that float32 does not hold, and metrics of one element in each shape."""
    task = Plain(lambda step: {"loss": minigrad.full((1,) * (step % 3), 3e38), "other": 1e300}, steps=20, every=20)
    assert train(tmp_path, task).status == "finished"
    last = rows(tmp_path)[-2]
    assert last["train/loss"] == minigrad.tensor(3e38).item()


def test_a_metric_of_several_elements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError):
        train(tmp_path, Plain(lambda step: {"loss": minigrad.ones(2)}))


def test_weights_that_are_none_reach_no_checkpoint(tmp_path: Path) -> None:
    """A gradient that is none spoils the weights while the loss is fine: what was saved before stays, and is gone on with."""

    def metrics(step: int) -> dict[str, Any]:
        if step == spoiled:
            task.weight.array[1] = NAN
        return {"loss": 1.0}

    task, spoiled = Plain(metrics, steps=9, every=3, save_every=0), 5
    words = r"train: module\.0: expected finite numbers, got nan or inf after step 5, whose metrics are finite still\. Lower"
    with pytest.raises(DivergedError, match=words):
        train(tmp_path, task)
    spoiled = -1
    heard: list[str] = []
    task = Plain(metrics, steps=9, every=3, save_every=0)
    assert train(tmp_path, task, say=heard.append).status == "finished"
    assert heard[0] == "Going on from step 4 of 9."


def test_weights_that_are_none_are_not_kept_as_the_best(tmp_path: Path) -> None:
    def metrics(step: int) -> dict[str, Any]:
        if step == 4:
            task.weight.array[0] = -INF
        return {"loss": 1.0}

    task = Plain(metrics, values=(2.0, 1.0, 0.0))
    with pytest.raises(DivergedError, match=r"nan or inf after step 4"):
        train(tmp_path, task)
    assert minigrad.load(tmp_path / "model.safetensors")["steps"].item() == 2


def test_what_is_infinite_from_the_beginning_is_meant(tmp_path: Path) -> None:
    """A mask, in the state of ``Plain``; a run that is gone on with knows it too."""
    assert not_finite(Plain().module.state_dict()) == {"mask"}
    task = Plain(lambda step: {"loss": 1.0}, save_every=0)
    assert train(tmp_path, task).status == "finished"
    assert train(tmp_path, Plain(save_every=0)).status == "finished"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (NAN, r"train: evaluation: expected finite numbers, got loss = nan at step 2\. Lower the learning rate"),
        ({"loss": 1.0, "other": -INF}, r"got other = -inf at step 2"),
    ],
)
def test_an_evaluation_that_gives_none(value: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=words):
        train(tmp_path, Plain(values=(value,)))
    assert not (tmp_path / "model.safetensors").exists()
    assert [row["step"] for row in rows(tmp_path)] == [1, 2]


def test_an_evaluation_without_the_goal(tmp_path: Path) -> None:
    words = "train: plain: expected a task whose evaluate gives its goal 'loss', got accuracy, speed"
    with pytest.raises(RunError, match=words):
        train(tmp_path, Plain(values=({"accuracy": 1.0, "speed": 2.0},)))
    with pytest.raises(RunError, match="got nothing"):
        train(tmp_path, Plain(values=({},)))


def test_a_watch_remembers_no_more_than_it_must() -> None:
    """And asks nobody what it does not need."""

    def describe(origin: Any) -> str:
        raise AssertionError("not asked")

    watch = Watch(describe)
    for step in range(1, 100):
        watch.see(step, {"loss": minigrad.tensor(1.0)}, object())
        assert len(watch._seen) < EVERY
    watch.look()
    assert watch._seen == []
    watch.see(100, {"loss": NAN}, None)
    with pytest.raises(DivergedError, match=r"got nan at step 100\. "):
        watch.look()


# ---------------------------------------------------------------------- waiting for the device


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that a Tensor's number is taken to the host."""
    taken: list[str] = []
    inside: list[str] = []  # one may call another

    def counted(name: str, method: Any) -> Any:
        def called(self: Tensor, *rest: Any) -> Any:
            if not inside:
                taken.append(name)
            inside.append(name)
            try:
                return method(self, *rest)
            finally:
                inside.pop()

        return called

    for name in ("item", "tolist", "numpy", "__float__", "__int__", "__bool__", "__index__", "__array__"):
        monkeypatch.setattr(Tensor, name, counted(name, getattr(Tensor, name)))
    return taken


@pytest.mark.parametrize(("log_every", "most"), [(1000, 6), (50, 6 + 2 * 4), (10, 6 + 10 * 4)])
def test_how_often_it_waits_for_the_device(log_every: int, most: int, tmp_path: Path, reads: list[str]) -> None:
    """Every 16 steps once, and for each row once for each metric and once for all."""
    before = [0]

    def metrics(step: int) -> dict[str, Any]:
        if step in (2, 102):
            before.append(len(reads))
        return {name: minigrad.tensor(1.0) for name in ("loss", "accuracy", "norm")}

    train(tmp_path, Plain(metrics, steps=103, every=1000, log_every=log_every))
    _, first, last = before
    assert 100 // EVERY <= last - first <= most


# ---------------------------------------------------------------------- the best, and early stops


@pytest.mark.parametrize(
    ("goal", "tie", "values", "best"),
    [
        ("min", None, (3.0, 1.0, 2.0), (1.0, 4)),
        ("max", None, (3.0, 1.0, 4.0), (4.0, 6)),
        ("max", None, (3.0, 3.0, 3.0), (3.0, 2)),  # equal ones: the first
        ("min", None, (-1.0, -2.0, -2.0), (-2.0, 4)),
        ("max", ("other", "min"), ((3.0, 9.0), (3.0, 8.0), (3.0, 8.0)), (3.0, 4)),
        ("max", ("other", "max"), ((3.0, 9.0), (3.0, 8.0), (2.0, 10.0)), (3.0, 2)),
        ("min", ("other", "min"), ((3.0, 9.0), (2.0, 10.0), (2.0, 10.0)), (2.0, 4)),
    ],
)
def test_the_best_is_kept(goal: str, tie: Any, values: tuple[Any, ...], best: tuple[float, int], tmp_path: Path) -> None:
    class Aims(Plain):
        pass

    Aims.goal, Aims.tie = ("loss", goal), tie
    measured = tuple({"loss": value[0], "other": value[1]} if isinstance(value, tuple) else value for value in values)
    task = Aims(values=measured)
    outcome = train(tmp_path, task)
    assert outcome == Outcome("finished", 6, *best)
    assert task.reported == best[1]
    assert minigrad.load(tmp_path / "model.safetensors")["steps"].item() == best[1]


@pytest.mark.parametrize(
    ("patience", "values", "step"),
    [
        (1, (1, 2, 3, 4, 5, 6), 4),
        (2, (3, 4, 2, 3, 4, 1), 10),
        (2, (6, 5, 4, 3, 2, 1), 12),
        (1, (1, 1, 0, 0, 0, 0), 4),  # an equal one is no better one
        (3, (1, 2, 3, 0, 2, 3), 12),
        (5, (1, 2, 3, 4, 5, 6), 12),  # at the very end: finished
        (0, (1, 2, 3, 4, 5, 6), 12),
    ],
)
def test_an_early_stop(patience: int, values: tuple[float, ...], step: int, tmp_path: Path) -> None:
    heard: list[str] = []
    outcome = train(tmp_path, Plain(values=values, steps=12, patience=patience), say=heard.append)
    assert outcome.step == step
    assert outcome.status == ("finished" if step == 12 else "stopped early")
    assert outcome.best_step == 2 * (1 + min(range(step // 2), key=lambda place: values[place]))
    told = f"Stopped early: {patience} evaluations in a row without a better loss."
    assert (told in heard) == (step < 12)
    again = train(tmp_path, Plain(values=values, steps=12, patience=patience))
    assert again == outcome  # it stays stopped


def test_when_it_evaluates(tmp_path: Path) -> None:
    """At every so manieth step and at the end, once each."""
    for number, (steps, every, expected) in enumerate([(6, 2, [2, 4, 6]), (7, 3, [3, 6, 7]), (2, 5, [2]), (3, 1, [1, 2, 3])]):
        train(tmp_path / str(number), Plain(steps=steps, every=every))
        assert [row["step"] for row in rows(tmp_path / str(number)) if "val/loss" in row] == expected


# ---------------------------------------------------------------------- rows


def test_rows_are_means_over_the_steps_that_gave_a_metric(tmp_path: Path) -> None:
    def metrics(step: int) -> dict[str, Any]:
        return {"loss": minigrad.tensor(float(step))} if step % 3 else {"rare": step, "loss": float(step)}

    train(tmp_path, Plain(metrics, steps=8, every=8, log_every=4))
    first, second, _ = rows(tmp_path)
    assert first == {"step": 4, "examples": 4, "train/loss": 2.5, "train/rare": 3.0}
    assert second == {"step": 8, "examples": 8, "train/loss": 6.5, "train/rare": 6.0}


def test_how_often_rows_come(tmp_path: Path) -> None:
    cases: list[tuple[int, int | None, list[int]]] = [
        (20, None, list(range(2, 21, 2))),
        (3, None, list(range(1, 21))),
        (20, 7, [7, 14, 20]),
        (6, 4, [4, 6, 8, 12, 16, 18, 20]),
    ]
    for number, (every, log_every, expected) in enumerate(cases):
        train(tmp_path / str(number), Plain(steps=20, every=every, log_every=log_every))
        assert [row["step"] for row in rows(tmp_path / str(number)) if "train/loss" in row] == expected


def test_numbers_are_written_so_that_they_come_back(tmp_path: Path) -> None:
    values = [0.1, 1 / 3, 1e-300, 123456789.123456789, 5e-324, 2.0**60]
    train(tmp_path, Plain(lambda step: {"loss": values[step - 1]}, steps=6, every=6, log_every=1))
    assert [row["train/loss"] for row in rows(tmp_path) if "train/loss" in row] == values


def test_epochs_are_counted_from_1(tmp_path: Path) -> None:
    settings = LineSettings(epochs=2, log_every=3)
    heard: list[str] = []
    with Run(tmp_path) as run:
        fit(Line(settings), run, say=heard.append)
    assert [(row["step"], row["epoch"], row["points"]) for row in rows(tmp_path) if "train/loss" in row] == [
        *[(3, 1, 24), (6, 1, 48), (8, 1, 64), (9, 2, 72), (12, 2, 96), (15, 2, 120), (16, 2, 128)]
    ]
    assert [line[:9] for line in heard] == ["epoch 1/2", "epoch 2/2"]
    assert heard[0].endswith("(best)")


# ---------------------------------------------------------------------- going back


def test_a_wish_to_go_back_before_there_is_where(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"duel: expected a state that can be gone back to, got none yet \(the test"):
        train(tmp_path, Duel(DuelSettings(steps=6, evaluate_every=3, roll_back="3")))


def test_going_back(tmp_path: Path) -> None:
    heard: list[str] = []
    train(tmp_path, Duel(DuelSettings(steps=9, evaluate_every=3, roll_back="6,9")), say=heard.append)
    assert [line for line in heard if "Rolled" in line] == [
        "Rolled back from step 6 to step 3: the test wants it.",
        "Rolled back from step 9 to step 6: the test wants it.",
    ]
    found = [(row["step"], row.get("rollback"), row.get("to")) for row in rows(tmp_path) if not row.keys() & {"train/loss"}]
    assert [row for row in found if row[1]] == [(6, 1, 3), (9, 2, 6)]
    rates = [row["train/lr"] for row in rows(tmp_path) if "train/lr" in row]
    assert sorted(set(rates)) == [0.0125, 0.025, 0.05]
    seen = Duel(DuelSettings(steps=9, evaluate_every=3, roll_back="6,9"))
    train(tmp_path, seen)
    assert seen.carried.rollbacks == 2


def test_numbers_that_are_not_finite_go_back_too(tmp_path: Path) -> None:
    """To the last accepted state, of a task that can go on in another way; the broken numbers are in no row."""
    heard: list[str] = []
    task = Duel(DuelSettings(steps=9, evaluate_every=3))
    real = task.step

    def step(batch: Any) -> Step:
        found = real(batch)
        broken = task.carried.steps == 5 and not task.carried.rollbacks
        return Step(found.units, {**found.metrics, "loss": math.nan}) if broken else found

    task.step = step  # type: ignore[method-assign]
    outcome = train(tmp_path, task, say=heard.append)
    assert outcome.status == "finished" and task.carried.rollbacks == 1
    (told,) = [line for line in heard if line.startswith("Rolled back")]
    assert re.fullmatch(r"Rolled back from step \d to step 3: loss: nan at step 5, whose batch was .*\.", told), told
    found = [(row["step"], row["to"]) for row in rows(tmp_path) if "rollback" in row]
    assert found == [(3, 3)] and all(math.isfinite(value) for row in rows(tmp_path) for value in row.values())


def test_numbers_that_are_not_finite_before_a_first_state_end_it(tmp_path: Path) -> None:
    task = Duel(DuelSettings(steps=9, evaluate_every=3))
    real = task.step
    task.step = lambda batch: real(batch)._replace(metrics={"loss": math.nan})  # type: ignore[method-assign]
    with pytest.raises(DivergedError, match="loss: expected a finite number, got nan at step 1"):
        train(tmp_path, task)


def test_a_task_that_cannot_go_back(tmp_path: Path) -> None:
    class Wishes(Plain):
        def evaluate(self, track: Any) -> Mapping[str, float]:
            if self.steps == 4:
                raise Rollback("no use")
            return super().evaluate(track)

    with pytest.raises(DivergedError, match=r"got none yet \(no use\)"):
        train(tmp_path, Wishes())


# ---------------------------------------------------------------------- tasks that are not finished


def test_batches_that_end(tmp_path: Path) -> None:
    class Ends(Plain):
        def batches(self) -> Iterator[Any]:
            yield from (1, 2, 3)

    with pytest.raises(RunError, match="train: plain: expected batches without end, got an end of them after step 3"):
        train(tmp_path, Ends())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda task: task.config(), "Task has no config"),
        (lambda task: task.state(), "Task has no state"),
        (lambda task: task.batches(), "Task has no batches"),
        (lambda task: task.step(1), "Task has no step"),
        (lambda task: task.evaluate(iter), "Task has no evaluate"),
        (lambda task: task.weights(), "Task has no weights"),
        (lambda task: task.load_weights({}), "Task has no load_weights"),
        (lambda task: task.rolled_back(1), "Task asks for a rollback and has no rolled_back"),
    ],
)
def test_what_a_task_must_have(call: Callable[[Task], Any], words: str) -> None:
    with pytest.raises(NotImplementedError, match=words):
        call(Task())


def test_what_a_task_need_not_have() -> None:
    task = Task()
    assert task.origin(1) is None
    assert task.describe(None) == ""
    assert task.report(None) is None  # type: ignore[arg-type, func-returns-value]


def test_a_state_that_cannot_be_saved_is_told_before_the_first_step(tmp_path: Path) -> None:
    class Odd(Plain):
        def state_dict(self) -> dict[str, Any]:
            return {"odd": object()}

    task = Odd()
    with pytest.raises(MinigradError, match="got a object"):
        train(tmp_path, task)
    assert task.steps == 0


def test_a_step_that_raises_lets_the_loader_go(tmp_path: Path) -> None:
    task = Duel(DuelSettings(workers=2))

    def hook(what: str, step: int) -> None:
        if step == 3:
            raise KeyError("mine")

    task.hook = hook
    closed = []
    kept = task.batches

    def batches() -> Iterator[Any]:
        try:
            yield from kept()
        finally:
            closed.append(True)

    task.batches = batches  # type: ignore[method-assign]
    with pytest.raises(KeyError, match="mine"):
        train(tmp_path, task)
    assert closed == [True]


# ---------------------------------------------------------------------- what is said and shown


def test_without_a_listener_it_speaks_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Run(tmp_path) as run:
        fit(Line(LineSettings(epochs=1)), run)
    told = capsys.readouterr()
    assert told.out == ""
    assert "epoch 1/1  train loss " in told.err
    with Run(tmp_path) as run:
        fit(Line(LineSettings(epochs=1)), run)
    assert "Going on from step 8 of 8." in capsys.readouterr().err


def test_the_page_of_a_run(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        fit(Duel(DuelSettings(roll_back="14")), run, say=silent)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "duel" in text and "roll_back" in text and "<svg" in text
    expected = traces(tmp_path)
    train(tmp_path, Duel(DuelSettings(roll_back="14")))
    assert traces(tmp_path) == expected


def test_the_panels_of_a_page() -> None:
    found = series([{"step": 1, "train/a": 1.0}, {"step": 2, "rollback": 1, "to": 1}, {"step": 3, "val/a": 2.0}], "step")
    assert found == {"a": {"train": ([1], [1.0]), "val": ([3], [2.0])}}


class Odd(Plain):
    """Hands over a number in place of a step, or a part that has no state."""

    def __init__(self, handed: Any = None, part: Any = None) -> None:
        super().__init__()
        self.handed, self.part = handed, part

    def step(self, batch: Any) -> Any:
        return self.handed if self.handed is not None else super().step(batch)

    def state(self) -> Mapping[str, Any]:
        return {**super().state(), **({"rate": self.part} if self.part is not None else {})}


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (Odd(handed=0.5), "train: plain: expected a Step(units, metrics) from its step, got a float"),
        (Odd(part=0.1), "train: plain.state(): expected parts with state_dict and load_state_dict, got a float as rate"),
    ],
)
def test_a_task_that_hands_over_something_else_is_told(task: Task, words: str, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught, Run(tmp_path / "run") as run:
        fit(task, run, say=silent)
    assert words in str(caught.value)
