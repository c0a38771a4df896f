"""A training that begins with another model's weights, by whatever it is broken off; and weights that do not fit."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest

import minigrad
from minigrad import nn
from minigrad.errors import RunError, StateError
from minigrad.models.classifier import Card
from minigrad.models.classify import Classify
from minigrad.train import Descent, Initial, Run, ema, fit
from minigrad.train.examples import Line, LineSettings
from minigrad.train.ship import command
from minigrad.train.trained import Trained
from tests.shape_images import COLOUR, Commands, made_run, shapes
from tests.train_tasks import Countdown, Duel, at_each_write, silent, traces, train

SHORT = LineSettings(epochs=1, log_every=8)


class Broken(Exception):
    """What breaks a training off."""


def break_off() -> None:
    raise Broken


@pytest.fixture
def first(tmp_path: Path) -> Initial:
    """The weights of a line that was trained before."""
    train(tmp_path / "first", Line(LineSettings(seed=1)))
    return Initial.of(Trained.open(tmp_path / "first"))


def test_it_begins_with_the_weights_and_nothing_else(tmp_path: Path, first: Initial) -> None:
    theirs = Run(tmp_path / "first").weights()
    run = tmp_path / "run"
    still = LineSettings(epochs=1, lr=0.0)
    outcome = train(run, Line(still), initial=first)
    assert (outcome.status, outcome.step) == ("finished", 8)
    for name, tensor in Run(run).weights().items():
        assert (tensor == theirs[name]).all()
    config = Run(run).config()
    assert config["init_from"] == {"model": str(tmp_path / "first"), "sha256": first.entry["sha256"]}
    assert config["settings"] == still.to_dict()
    assert f"--init-from {tmp_path / 'first'}" in command(config)
    train(tmp_path / "plain", Line(SHORT))
    assert "init_from" not in Run(tmp_path / "plain").config()
    assert Run(tmp_path / "plain").weights()["weight"].item() != theirs["weight"].item()


def test_broken_off_at_each_write_it_goes_on_as_if_it_had_not_been(tmp_path: Path, first: Initial) -> None:
    """Up to where it has begun: from then on it is a training like others, which have tests of their own."""
    train(tmp_path / "whole", Line(SHORT), initial=first)
    expected = traces(tmp_path / "whole")
    shutil.move(tmp_path / "first", tmp_path / "elsewhere")  # the copy in the run is all that it takes
    begun = 0
    for event in itertools.count():
        place = tmp_path / str(event)
        with at_each_write(Countdown(event, break_off)), pytest.raises(Broken):
            train(place, Line(SHORT), initial=first)
        begun += (place / "config.json").exists()
        assert begun or not place.exists()
        train(place, Line(SHORT), initial=None if begun else first)
        assert traces(place) == expected, event
        if begun == 3:
            break
    assert event >= 7  # three for each of two files before it had begun


def test_killed_before_the_config_is_written(tmp_path: Path, first: Initial) -> None:
    """What a killed process leaves is no reason to refuse the same command."""
    with Run(tmp_path / "run") as run:
        first.keep(run)
        (run.path / "config.json").touch()  # so that it is left, as by SIGKILL
    (tmp_path / "run" / "config.json").unlink()
    assert train(tmp_path / "run", Line(SHORT), initial=first).status == "finished"


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_copy_that_is_gone_or_changed(tmp_path: Path, first: Initial, damage: str) -> None:
    with Run(tmp_path / "run") as run:
        run.begin({"task": "line", **Line(SHORT).config(), "init_from": first.entry})
        if damage == "changed":
            minigrad.save({"weight": minigrad.zeros(1, 1), "bias": minigrad.zeros(1)}, run.initial)
    got = "others" if damage == "changed" else "No such file or directory"
    with pytest.raises(RunError, match=f"expected the weights that the run began with, got {got}. Put back a copy"):
        train(tmp_path / "run", Line(SHORT))


def test_weights_that_do_not_fit_are_named_and_nothing_is_begun(tmp_path: Path) -> None:
    with Run(tmp_path / "wide") as run:
        run.begin({"task": "line", "model": {"inputs": 2}})
        minigrad.save({"weight": minigrad.zeros(1, 2), "slope": minigrad.zeros(1)}, run.model)
    wide = Initial.of(Trained.open(tmp_path / "wide"))
    words = (
        r"train: --init-from .*wide: expected weights of the network that is to be trained, got 1 missing: bias \(1,\); "
        r"1 unexpected: slope \(1,\); 1 misshapen: weight is \(1, 2\), the module has \(1, 1\). Choose what that model has."
    )
    with pytest.raises(RunError, match=words):
        train(tmp_path / "run", Line(SHORT), initial=wide)
    assert not (tmp_path / "run").exists()


def test_other_things_that_cannot_be_begun_with(tmp_path: Path, first: Initial) -> None:
    train(tmp_path / "run", Line(SHORT))
    with pytest.raises(RunError, match="expected a new run to begin with other weights, got one that was begun before"):
        train(tmp_path / "run", Line(SHORT), initial=first)
    with Run(tmp_path / "nan") as run:
        run.begin({"task": "line"})
        minigrad.save({"weight": minigrad.tensor([[float("nan")]])}, run.model)
    with pytest.raises(RunError, match=r"--init-from .*nan: expected finite weights, got nan or inf in weight"):
        Initial.of(Trained.open(tmp_path / "nan"))
    with pytest.raises(NotImplementedError, match="Duel has 2 descents and no begin_from of its own"):
        Duel().begin_from({})


def test_an_average_begins_there_too() -> None:
    module, theirs = nn.Linear(2, 1), nn.Linear(2, 1).state_dict()
    descent = Descent(module, minigrad.optim.SGD(module.parameters(), lr=0.1), average=ema(module, 0.9))
    descent.begin_from(theirs)
    for part in (descent.module, descent.learned):
        assert all((part.state_dict()[name] == tensor).all() for name, tensor in theirs.items())
    with pytest.raises(StateError, match="1 missing: bias"):
        descent.begin_from({"weight": theirs["weight"]})


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The network is the model's where nothing is said, and images are brought to what it takes; resume knows both."""
    minigrad = Commands(capsys)
    others = shapes(tmp_path / "others", 5)
    card = COLOUR._replace(classes=("circle", "cross", "square"))
    begun = made_run(tmp_path / "begun", card, settings={"width": 2, "hidden": 4, "epochs": 7})
    options = ("--data", others, "--init-from", begun, "--set", "epochs=1", "--set", "lr=0")
    code, out, _ = minigrad("train", "classify", *options, "--out", tmp_path / "run")
    assert code == 0 and f"beginning with the weights of {begun}\n" in out
    one, two = (json.loads((run / "config.json").read_text()) for run in (begun, tmp_path / "run"))
    assert {**two["model"], "options": 0} == {**one["model"], "options": 0} and two["settings"]["hidden"] == 4
    assert two["data"] == str(others) and two["init_from"]["model"] == str(begun)
    again = Classify.of(Run(tmp_path / "run").config())
    assert again.card == Card.of(two["model"], "config.json")
    told = minigrad.refused("train", "classify", *options, "--set", "width=6", "--out", tmp_path / "no")
    assert "misshapen: " in told and "The models differ in options.dropout, options.width: choose what" in told
    assert not (tmp_path / "no").exists()
    assert "no such folder" in minigrad.refused("train", "classify", "--data", others, "--init-from", tmp_path / "none")
    with Run(tmp_path / "line") as run:
        fit(Line(SHORT), run, say=silent)
    told = minigrad.refused("train", "classify", "--data", others, "--init-from", tmp_path / "line")
    assert "expected a model of the task classify, got one of the task line" in told
