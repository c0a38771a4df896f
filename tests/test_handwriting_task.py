"""The task ``handwriting``: what it finds from strokes, what a step is, how it goes on, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core.machine import Memory
from minigrad.errors import ArgumentError, DataError, DivergedError, OutOfMemoryError, RunError
from minigrad.interop.structure import take_apart
from minigrad.models import cost, handwriting_report
from minigrad.models.handwriting_data import in_its_terms, to_measure
from minigrad.models.handwriting_task import RECIPES, Handwriting, HandwritingSettings, _recipe
from minigrad.models.scribe import Card, nats_of
from minigrad.show.page import Page
from minigrad.train import Run, fit
from tests.small_hands import TINY, hand


def task(data: Path, say: Any = lambda text: None, **settings: Any) -> Handwriting:
    return Handwriting(str(data), HandwritingSettings.of({**TINY, **settings}), say)


@pytest.fixture
def strokes(tmp_path: Path) -> Path:
    return hand(tmp_path / "mine.json")


# ---------------------------------------------------------------------- what is found


def test_what_is_not_said_is_found_and_told(strokes: Path) -> None:
    told: list[str] = []
    made = Handwriting(str(strokes), HandwritingSettings(), told.append)
    found = made.settings
    assert (found.hidden, found.dropout, found.lr, found.epochs, found.batch_size) == (128, 0.2, 0.002, 200.0, 64)
    assert made.total_steps == 200 * len(made.loader) and made.evaluate_every <= made.total_steps // 10
    points = int(made.data.train.sizes.sum())
    assert told[-3] == (
        "network: 3 layers of 128 LSTM units, a window of 10 bells over 4 different characters, 20 distributions; "
        f"{made.card.parameters:,} parameters"
    )
    assert told[-2] == (
        f"training: {made.total_steps:,} steps of {len(made.data.train)} items, 200 passes through "
        f"{len(made.data.train)} items with about {points:,} points, adam at up to 0.002"
    )
    assert told[-1] == f"scale: offsets are divided by {made.data.scale:.4g}; nats are those of offsets so divided"
    assert (made.card.scale, made.card.height) == (made.data.scale, made.data.height)
    items = [made.data.train[i] for i in range(len(made.data.train))]
    letters = sum(len(item.text) for item in items)
    assert made.card.options["pace"] == pytest.approx(letters / points, rel=1e-3)
    assert 5 < made.card.step < 12
    left = {"log_every", "fonts", "spacing", "holdout", "only"}
    assert None not in {value for key, value in found.to_dict().items() if key not in left}


def test_the_work_decides_how_long(strokes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minigrad.models.handwriting_task.WORK", 1e5)
    made = task(strokes, epochs=None)
    assert made.settings.epochs == float(f"{1e5 / (made.card.parameters * made.data.train.sizes.sum()):.2g}") < 1
    assert made.total_steps == max(1, round(made.settings.epochs * len(made.loader)))


def test_points_that_are_too_many_are_set_farther_apart(tmp_path: Path) -> None:
    """As a pad gives them: thirty to a letter become a dozen; the same spacing is kept for those who choose it."""
    words = json.loads(hand(tmp_path / "few.json").read_text())
    for word in words["words"]:
        strokes = []
        for stroke in word["strokes"]:
            line = np.array(stroke)
            at = np.linspace(0, len(line) - 1, 12 * len(line))
            strokes.append(np.stack([np.interp(at, np.arange(len(line)), column) for column in line.T], 1).tolist())
        word["strokes"] = strokes
    (tmp_path / "pad.json").write_text(json.dumps(words))
    told: list[str] = []
    made = task(tmp_path / "pad.json", told.append)
    letters = sum(map(len, made.data.train.texts))
    spacing = made.settings.spacing
    assert spacing is not None and 9 < made.data.train.sizes.sum() / letters < 15
    line = rf"points: \d\d to a letter take long to learn; they are set {spacing:g} apart, about 12 to a letter "
    assert any(re.match(line, one) for one in told)
    own = task(tmp_path / "pad.json", spacing=spacing / 2)
    assert own.data.train.sizes.sum() > 1.6 * made.data.train.sizes.sum()
    assert task(hand(tmp_path / "few.json")).settings.spacing is None


def test_only_some_texts(strokes: Path) -> None:
    told: list[str] = []
    made, every = task(strokes, told.append, only="lvo", holdout=0.4), task(strokes, holdout=0.4)
    for some, of in ((made.data.train, every.data.train), (made.data.validation, every.data.validation)):
        there = [number for number, text in enumerate(of.texts) if set(text) <= set("lvo")]
        assert [*some.texts] == [of.texts[number] for number in there] and len(there) < len(of)
        assert [some[0].points.tolist()] == [of[there[0]].points.tolist()]
    assert set(made.card.alphabet.symbols) == set("lvo") and made.data.digest == every.data.digest
    assert f"only texts of 'lvo': {len(made.data.train)} to learn from, {len(made.data.validation)} held out" in told
    with pytest.raises(DataError, match=r"expected texts of 'x' alone, got none in the part for training\. Name more"):
        task(strokes, only="x")


def test_the_recipes_are_settings() -> None:
    for recipe in RECIPES.values():
        HandwritingSettings.of(recipe)


# ---------------------------------------------------------------------- what a step is


def test_a_step_goes_down_the_nats_of_a_point(strokes: Path) -> None:
    made = task(strokes, dropout=0.0, clip=False)
    batch = next(made.batches())
    network: Any = made.descent.module
    with minigrad.no_grad():
        nats, ends = (each.item() for each in nats_of(network, batch, made.card.floor))
    units, metrics = made.step(batch)
    assert units == int(batch.lengths.sum().item())
    assert float(metrics["loss"]) == pytest.approx(nats / units, rel=1e-5)
    assert float(metrics["sequence"]) == pytest.approx(nats / len(batch.lengths), rel=1e-5)
    assert float(metrics["ends"]) == pytest.approx(ends / len(batch.lengths), rel=1e-5)
    with minigrad.no_grad():
        assert sum(nats_of(network, batch, made.card.floor)).item() < nats + ends
    assert made.describe(made.origin(batch)).startswith(f"{len(batch.lengths)} items: mine.json, word ")


@pytest.mark.parametrize(
    "chosen",
    [{"optimizer": "rmsprop"}, {"schedule": "cosine"}, {"schedule": "constant", "average": 0.5, "clip": False}],
    ids=lambda chosen: next(iter(chosen)),
)
def test_it_learns_in_any_way(chosen: dict[str, Any], strokes: Path) -> None:
    made = task(strokes, epochs=2, dropout=0.0, lr=0.002 if "optimizer" in chosen else 0.02, **chosen)
    first = made.judge(made.data.train).per_point
    for batch, _ in zip(made.batches(), range(made.total_steps), strict=False):
        made.step(batch)
    assert made.judge(made.data.train).per_point < first - 0.05


def test_an_evaluation_changes_nothing(strokes: Path) -> None:
    made = task(strokes)
    for batch, _ in zip(made.batches(), range(2), strict=False):
        made.step(batch)
    before = take_apart({name: part.state_dict() for name, part in made.state().items()})[0]
    with minigrad.random.fork_rng():
        found = made.evaluate(iter)
        told = made.sample()
    assert found["sequence"] / found["loss"] == pytest.approx(made.data.validation.sizes.mean())
    assert told.split("\n")[0] in made.data.validation.texts
    after = take_apart({name: part.state_dict() for name, part in made.state().items()})[0]
    assert before.keys() == after.keys() and all(np.array_equal(before[name], after[name]) for name in before)


def test_the_page(strokes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handwriting_report, "BIASES", (0.5,))
    monkeypatch.setattr(handwriting_report, "SHOWN", 2)
    page = Page("hand")
    task(strokes).report(page)
    for words in ("held-out nats per point", "nats per sequence", "What it writes", "Bias 0.5", "Where it looks", "<h2>Data"):
        assert words in page.html()


def test_a_loss_that_is_no_number_is_told_with_its_items(strokes: Path, tmp_path: Path) -> None:
    made = task(strokes, clip_norm=0.0)
    head: Any = made.descent.module
    with minigrad.no_grad():
        head.head.bias.fill_(float("nan"))
    with Run(tmp_path / "run") as run, pytest.raises(DivergedError, match=r"whose batch was \d items: mine\.json, word"):
        fit(made, run, say=lambda line: None)


# ---------------------------------------------------------------------- from another hand


def test_a_hand_learns_more_of_another(strokes: Path, tmp_path: Path) -> None:
    """Whose writing is three times as large and has fewer letters: it is brought to the size that the hand knows."""
    first = task(strokes)
    hand(tmp_path / "large.json", 8, letters="lo", size=3.0)
    made = Handwriting(str(tmp_path / "large.json"), HandwritingSettings.of(TINY), like=first.card.to_config())
    assert made.card.alphabet == first.card.alphabet
    assert made.card.scale / first.card.scale == pytest.approx(made.card.height / first.card.height)
    assert 2.5 < made.card.scale / first.card.scale < 3.5
    assert 2 < made.card.step / first.card.step < 4
    made.begin_from(first.weights())
    again = Handwriting.of({**made.config(), "init_from": {}})
    assert again.card == made.card and again.data.digest == made.data.digest
    with pytest.raises(DataError, match=r"word 1 .*: characters: expected the 2 characters") as caught:
        Handwriting(str(strokes), HandwritingSettings.of(TINY), like=made_of(tmp_path, "lo").card.to_config())
    assert caught.value.remedy == "Leave those texts out, or train a new hand without --init-from"


def made_of(folder: Path, letters: str) -> Handwriting:
    return task(hand(folder / f"{letters}.json", 8, letters=letters))


def test_data_brought_to_the_terms_of_their_own_card_stay_as_they_are(strokes: Path) -> None:
    """To the last bit, whatever scale and height: a run that began with another hand would else not go on."""
    made, draw = task(strokes), np.random.default_rng(0)
    for scale, height in draw.uniform(0.1, 100, (200, 2)).tolist():
        card, data = made.card._replace(scale=scale, height=height), made.data._replace(height=height)
        assert in_its_terms(data, card).scale == scale


def test_a_recipe_gives_way_to_what_decides_it() -> None:
    usual = HandwritingSettings()
    recipe = _recipe("hershey", usual, None)
    assert recipe == RECIPES["hershey"] and {"lr", "spacing"} < recipe.keys() and not _recipe("mine.json", usual, None)
    assert "lr" not in _recipe("hershey", HandwritingSettings.of({"optimizer": "rmsprop"}), None)
    assert "spacing" not in _recipe("hershey", usual, {})


def test_measuring_other_data(strokes: Path, tmp_path: Path) -> None:
    made = task(strokes)
    config = made.config()
    parts, what = to_measure(config, None)
    assert what == f"held-out part of {strokes}" and [*parts[0].texts] == [*made.data.validation.texts]
    assert made.scribe.judge(*parts).nats == pytest.approx(made.judge(made.data.validation).nats)
    hand(tmp_path / "large.json", 8, letters="lo", size=3.0)
    parts, what = to_measure(config, str(tmp_path / "large.json"))
    assert what == str(tmp_path / "large.json") and sum(map(len, parts)) == 8
    assert 2.5 < parts[0].scale / made.card.scale < 3.5


# ---------------------------------------------------------------------- what it refuses


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"optimizer": "sgd"}, ArgumentError, "optimizer: expected one of adam, rmsprop, got 'sgd'"),
    ({"dropout": 1.0}, ArgumentError, "dropout: expected a number from 0 to 0.9, or auto"),
    ({"floor": 20.0}, ArgumentError, "floor: expected a number from -15 to 15, got 20.0"),
    ({"epochs": 0}, ArgumentError, "epochs: expected a number from 1e-06"),
    (
        {"hidden": 10**6},
        OutOfMemoryError,
        r"handwriting: a network of [\d,]+ parameters: expected .* Try smaller ones of hidden",
    ),
]


@pytest.mark.parametrize(("chosen", "kind", "words"), REFUSED, ids=[next(iter(row[0])) for row in REFUSED])
def test_settings_that_do_not_go(chosen: dict[str, Any], kind: type[Exception], words: str, strokes: Path) -> None:
    with pytest.raises(kind, match=words):
        task(strokes, **chosen)


def test_a_step_that_needs_too_much_memory(strokes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "memory", lambda: Memory(60_000, None, None))
    with pytest.raises(OutOfMemoryError, match=r"a step with 19 of the longest items: .* hidden, batch_size"):
        task(strokes, hidden=2, windows=1, mixtures=40, batch_size=100)


# ---------------------------------------------------------------------- what a config holds


def test_a_config_makes_the_task_again(strokes: Path) -> None:
    made = task(strokes)
    again = Handwriting.of(made.config())
    assert again.config() == made.config() and again.total_steps == made.total_steps
    assert Card.of(made.config()["model"], "config.json") == made.card
    with pytest.raises(RunError, match="expected data, data_digest and settings, as minigrad train handwriting writes them"):
        Handwriting.of({**made.config(), "settings": None})
    hand(strokes, seed=1)
    with pytest.raises(DataError, match="expected the strokes that the run began with, got others"):
        Handwriting.of(made.config())
    strokes.unlink()
    with pytest.raises(DataError, match="expected the strokes that the run began with, got nothing of that name"):
        Handwriting.of(made.config())
