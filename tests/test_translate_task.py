"""The task ``translate``: what it finds from pairs, what a step is, how it goes on, and what it refuses."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core.machine import Memory
from minigrad.data.tokens import PAD
from minigrad.data.wordtokens import Words
from minigrad.errors import ArgumentError, DataError, DivergedError, OutOfMemoryError, RunError, StateError
from minigrad.interop.structure import take_apart
from minigrad.models import cost, translate_report
from minigrad.models.translate import RECIPES, Translate, TranslateSettings
from minigrad.models.translation import to_measure
from minigrad.models.translator_card import DIGEST, Card
from minigrad.show.page import Page
from minigrad.train import Run, fit
from tests.pair_files import tsv
from tests.small_translators import TINY, pairs, rows, two_files


def task(data: Path | str, say: Any = lambda text: None, like: Any = None, **settings: Any) -> Translate:
    own = {"min_count": None} if like is not None else {}  # the other model's vocabularies are kept
    return Translate(str(data), TranslateSettings.of({**TINY, **own, **settings}), say, like=like)


@pytest.fixture
def spa(tmp_path: Path) -> Path:
    return pairs(tmp_path / "spa.tsv")


# ---------------------------------------------------------------------- what is found


def test_what_is_not_said_is_found_and_told(spa: Path) -> None:
    told: list[str] = []
    made = Translate(str(spa), TranslateSettings(), told.append)
    found, card = made.settings, made.card
    assert (found.hidden, found.embedding, found.dropout, found.lr, found.feeding, found.residual, found.tied) == (
        256, 128, 0.3, 0.002, False, False, "none",
    )  # fmt: skip
    assert isinstance(card.source, Words) and card.source.case == "mark" and found.ways == 1 and card.languages == ("", "")
    assert int(made.train.sizes[:, 1].sum()) < 512 and made.total_steps == found.epochs == 2000  # a pass is one step
    assert made.evaluate_every % found.average == 0 and made.total_steps / made.evaluate_every <= 25
    assert told[0] == "pairs: 40 of spa.tsv, from source (5.4 words) into target (6.7); turn them by --set reverse=true"
    assert told[1].startswith("split: 4 of 40 pairs (10.0%) are held out for validation")
    assert re.fullmatch(r"words of target: \d+ of \d+, those that come 2 times or more; unknown: .* to train on, .*", told[-3])
    assert told[-2] == (f"network: 1 layer of 256 LSTM units each way, general attention, {made.card.parameters:,} parameters")
    assert told[-1] == (
        f"training: {made.total_steps:,} steps of up to 512 tokens, {found.epochs:,g} passes through 36 pairs, "
        "at a rate of up to 0.002"
    )
    left = {"log_every", "source", "target", "holdout", "vocabulary_size", "min_count", "joint"}
    assert None not in {value for key, value in found.to_dict().items() if key not in left}


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, {"tied": "none", "feeding": False, "residual": False}),
        ({"joint": True}, {"tied": "all"}),
        ({"layers": 3}, {"residual": True}),
        ({"dropout": None, "hidden": None}, {"dropout": 0.3, "hidden": 256}),
        ({"vocabulary": "subwords", "min_count": None}, {"tied": "all", "case": "keep", "ways": 32}),
        ({"tokens": None}, {"tokens": 512, "case": "mark", "ways": 1}),
    ],
)
def test_what_is_found(chosen: dict[str, Any], found: dict[str, Any], spa: Path) -> None:
    settings = task(spa, **chosen).settings.to_dict()
    assert {key: settings[key] for key in found} == found


def test_much_data_and_the_work_decide(spa: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables of words that are only looked up in are no work; for a first pass four times as much is done."""
    monkeypatch.setattr("minigrad.models.translate.LARGE", 100)
    found = task(spa, dropout=None, hidden=None).settings
    assert (found.hidden, found.dropout) == (256, 0.2)
    made = task(spa)
    whole = used(made) * int(made.train.sizes[:, 1].sum())  # of a pass
    for share, passes in ((7.0, 7.0), (1.2, 1.2), (0.3, 1.0), (0.1, 0.4)):
        monkeypatch.setattr("minigrad.models.translate.WORK", share * whole)
        made = task(spa, epochs=None, tokens=80)
        assert made.settings.epochs == passes and made.total_steps == max(1, round(passes * len(made.loader)))


@pytest.mark.parametrize(
    ("work", "tokens"),
    [(1e13, 4096), (2000 * 1000, 1000), (1, 512)],
)
def test_of_much_data_batches_are_so_small_that_there_are_2000(
    work: float, tokens: int, spa: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minigrad.models.translate.BATCHES", 1 / 100)
    made = task(spa)
    monkeypatch.setattr("minigrad.models.translate.WORK", work * used(made))
    found = task(spa, tokens=None).settings
    assert found.tokens == tokens


def used(made: Translate) -> int:
    """The parameters that are work: the tables of words are only looked up in."""
    looked_up = (made.settings.embedding or 0) * (len(made.card.source) + len(made.card.target))
    return made.card.parameters - looked_up


@pytest.mark.parametrize(
    ("epochs", "words"), [(0.001, "1 step of up to 80 tokens, 0.001 passes"), (1, "5 steps of up to 80 tokens, 1 pass")]
)
def test_what_is_told_of_the_network(spa: Path, epochs: float, words: str) -> None:
    told: list[str] = []
    settings = task(spa).settings.to_dict()
    Translate(str(spa), TranslateSettings.of({**settings, "attention": "none", "epochs": epochs}), told.append)
    assert ", no attention, " in told[-2]
    assert told[-1].startswith(f"training: {words} through 36 pairs, ")


def test_the_recipes_are_settings() -> None:
    for recipe in RECIPES.values():
        TranslateSettings.of(recipe)


def test_both_directions_are_of_the_same_split(tmp_path: Path) -> None:
    there = task(two_files(tmp_path))
    back = task(two_files(tmp_path), reverse=True)
    assert (there.card.languages, back.card.languages) == (("en", "es"), ("es", "en"))
    assert [pair.turned() for pair in there.data.validation] == [*back.data.validation]
    assert there.data.digest == back.data.digest and there.card.source == back.card.target


# ---------------------------------------------------------------------- what a step is


def log_shares(logits: np.ndarray) -> np.ndarray:
    top = logits.max(-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_step_goes_down_the_nats_of_a_token(smoothing: float, spa: Path) -> None:
    made = task(spa, dropout=0.0, smoothing=smoothing, average=0, lr=0.01, schedule="constant")
    batch = next(made.batches())
    source, target = batch.source, batch.target.numpy()

    def loss() -> float:
        with minigrad.no_grad():
            logits = made.network(source, batch.source_lengths, batch.target[:-1]).numpy().astype(np.float64)
        total, count = 0.0, 0
        for step, lane in np.ndindex(*target[1:].shape):
            wanted = target[1 + step, lane]
            if wanted != PAD:
                shares = log_shares(logits[step, lane])
                total -= (1 - smoothing) * shares[wanted] + smoothing * shares.mean()
                count += 1
        assert count == int(batch.target_lengths.sum().item())
        return total / count

    before = loss()
    units, metrics = made.step(batch)
    assert units == int(batch.target_lengths.sum().item())
    assert float(metrics["loss"]) == pytest.approx(before, rel=1e-5)
    assert loss() < before - 1e-3
    numbers = [made.data.train[i].place for i in made.origin(batch).tolist()]
    assert made.describe(made.origin(batch)).startswith(f"{len(numbers)} pairs: {', '.join(numbers[:8])}")
    assert made.data.train[0].place.startswith("spa.tsv, line ")


def test_words_of_its_own_come_in_by_and_by(spa: Path) -> None:
    """At the first step none are drawn, at the last nearly all of the share that was asked for."""
    losses = {}
    for own in (0.0, 1.0):
        made = task(spa, own=own, dropout=0.0, epochs=2)
        losses[own] = [float(made.step(batch).metrics["loss"]) for batch, _ in zip(made.batches(), range(6))]
        assert made.count.steps == 6
    assert losses[0.0][0] == losses[1.0][0] and losses[0.0][3:] != losses[1.0][3:]


def run(made: Translate, steps: int) -> list[float]:
    return [float(made.step(batch).metrics["loss"]) for batch, _ in zip(made.batches(), range(steps))]


def test_the_seed_decides_all(spa: Path) -> None:
    one, again, other = (run(task(spa, seed=seed), 4) for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize(
    "chosen",
    [{"cell": "gru", "attention": "bahdanau"}, {"attention": "none"}, {"joint": True, "schedule": "onecycle", "layers": 2}],
    ids=lambda chosen: "-".join(chosen),
)
def test_it_learns_in_any_way(chosen: dict[str, Any], spa: Path) -> None:
    made = task(spa, epochs=4, dropout=0.0, lr=0.03, hidden=12, average=1, **chosen)
    first = made.judge(made.data.train, 4).loss
    run(made, made.total_steps)
    assert made.judge(made.data.train, 4).loss < first - 0.5


def test_an_evaluation_changes_nothing(spa: Path) -> None:
    made = task(spa)
    run(made, 3)
    before = take_apart({name: part.state_dict() for name, part in made.state().items()})[0]
    with minigrad.random.fork_rng():
        found = made.evaluate(iter)
        told = made.sample()
    assert found.keys() == {"bleu", "chrf", "loss", "bits"} and found["loss"] > 0
    assert re.fullmatch(r"source   \S.*\.\nperson   \S.*\.\nnetwork  .*", told.split("\n\n")[0])
    after = take_apart({name: part.state_dict() for name, part in made.state().items()})[0]
    assert before.keys() == after.keys() and all(np.array_equal(before[name], after[name]) for name in before)


def test_what_is_kept_is_the_mean_of_the_last_checkpoints(spa: Path) -> None:
    """Beside a training with the same steps whose states are looked at one by one."""
    made, plain = (task(spa, epochs=3, dropout=0.0, average=average) for average in (2, 0))
    every = made.evaluate_every // 2
    states = []
    for (one, other), step in zip(zip(made.batches(), plain.batches(), strict=True), range(1, 4 * every + 1)):
        made.step(one)
        plain.step(other)
        if step % every == 0:
            states.append({name: tensor.numpy().astype(np.float64) for name, tensor in plain.network.state_dict().items()})
    for name, tensor in made.weights().items():
        expected = states[-1][name] if name == DIGEST else (states[-2][name] + states[-1][name]) / 2
        np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-6, atol=1e-9, err_msg=name)
    assert [*made.weights()] == [*plain.weights()]


@pytest.mark.parametrize("attention", ["general", "none"])
def test_the_page(attention: str, spa: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate_report, "LOOKED", 1)
    monkeypatch.setattr(translate_report, "SHOWN", 2)
    made, page = task(spa, attention=attention), Page("spa")
    made.report(page)
    for words in ("held-out BLEU", "chrF", "perplexity of a token", "What it writes", "By length", "<h2>Data", "it a little"):
        assert words in page.html(), words
    assert ("Where it looks" in page.html()) == (attention != "none")
    assert "\uffed" not in page.html()


def test_the_page_of_a_test_part(tmp_path: Path) -> None:
    for name, part in (("train", rows(40)[:30]), ("val", rows(40)[30:34]), ("test", rows(40)[34:])):
        (tmp_path / f"{name}.tsv").write_text(tsv(list(part)))
    page, made = Page("parts"), task(tmp_path)
    made.report(page)
    assert "test BLEU" in page.html() and "Of 6 sentences" in page.html() and "flatters" not in page.html()
    found, what, _ = to_measure(made.config(), None)
    assert what == f"test part of {tmp_path}" and [*found] == [*(made.data.test or ())]


def test_a_loss_that_is_no_number_is_told_with_its_pairs(spa: Path, tmp_path: Path) -> None:
    made = task(spa, clip_norm=0.0)
    with minigrad.no_grad():
        made.descent.module.head.bias.fill_(float("nan"))  # type: ignore[operator, union-attr]
    words = r"whose batch was \d+ pairs: spa\.tsv, line \d+"
    with Run(tmp_path / "run") as folder, pytest.raises(DivergedError, match=words):
        fit(made, folder, say=lambda line: None)


# ---------------------------------------------------------------------- from another translator


def test_a_translator_learns_more_from_another(spa: Path, tmp_path: Path) -> None:
    """Its vocabularies stay, also where the new pairs have other words."""
    first = task(spa)
    (tmp_path / "new.tsv").write_text(tsv([*map(tuple, rows(20, 1)), ("A cow sleeps.", "Una vaca duerme.")] * 1))
    told: list[str] = []
    made = task(tmp_path / "new.tsv", told.append, first.card.to_config())
    assert made.card == first.card
    sizes = f"{len(first.card.source):,} and {len(first.card.target):,}"
    assert f"vocabularies: those of the model to begin from, {sizes} tokens" in told
    made.begin_from(first.weights())
    for name, tensor in made.weights().items():
        assert np.array_equal(tensor.numpy(), first.weights()[name].numpy()), name
    again = Translate.of({**made.config(), "init_from": {}})
    assert again.card == made.card and again.config() == made.config()


def other_words(card: Card) -> Card:
    """As many words, one of them another."""
    assert isinstance(card.target, Words)
    words = card.target.to_config()["words"]
    return card._replace(target=Words([*words[:-1], "otra"], "keep"))


def test_other_vocabularies_are_refused(spa: Path) -> None:
    first = task(spa)
    other = other_words(first.card)
    made = task(spa, like=other.to_config())
    assert len(other.target) == len(first.card.target) and other.digest != first.card.digest
    words = r"the model to begin from: expected weights that were trained with the vocabularies of config\.json, got weights of"
    before = {name: tensor.numpy().copy() for name, tensor in made.weights().items()}
    for weights in (first.weights(), {name: part for name, part in first.weights().items() if name != DIGEST}):
        with pytest.raises(RunError, match=words):
            made.begin_from(weights)
    assert all(np.array_equal(tensor.numpy(), before[name]) for name, tensor in made.weights().items())
    with pytest.raises(StateError):
        task(spa, hidden=8, like=first.card.to_config()).begin_from(first.weights())


@pytest.mark.parametrize(
    "settings", [{"vocabulary_size": 90}, {"min_count": 2}, {"joint": True}], ids=lambda given: next(iter(given))
)
def test_what_would_make_other_vocabularies_is_refused(spa: Path, settings: dict[str, Any]) -> None:
    ((name, value),) = settings.items()
    words = f"{name}: expected nothing, as the vocabularies of the model to begin from are kept, got {value}"
    with pytest.raises(ArgumentError, match=words):
        task(spa, like=task(spa).card.to_config(), **settings)


@pytest.mark.parametrize(("name", "own", "other"), [("vocabulary", "words", "subwords"), ("case", "mark", "lower")])
def test_another_kind_of_vocabulary_is_refused(name: str, own: str, other: str, spa: Path) -> None:
    first = task(spa, case="mark").card.to_config()
    with pytest.raises(ArgumentError, match=f"{name}: expected {own}, as the model to begin from has, got {other}"):
        task(spa, like=first, **{"case": None, name: other})


def test_other_languages_are_refused(tmp_path: Path) -> None:
    first = task(two_files(tmp_path / "es"))
    words = r"--init-from: data: expected pairs from en into es, .*, got from {} into {}\. Turn them by --set reverse=true"
    for data, options, languages in (
        (two_files(tmp_path / "de", ("en", "de")), {}, ("en", "de")),
        (two_files(tmp_path / "es"), {"reverse": True}, ("es", "en")),
    ):
        with pytest.raises(ArgumentError, match=words.format(*languages)):
            task(data, like=first.card.to_config(), **options)
    assert task(pairs(tmp_path / "a.tsv"), like=first.card.to_config()).card.languages == ("en", "es")


# ---------------------------------------------------------------------- what it refuses


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"tied": "all"}, ArgumentError, "tied: expected none or target, as each language has its own vocabulary, got all"),
    ({"attention": "none", "feeding": True}, ArgumentError, "feeding: expected false, as there is no attention, got true"),
    ({"hidden": 7}, ArgumentError, "hidden: expected an even number, half for each way of reading, got 7"),
    ({"dropout": 1.0}, ArgumentError, "dropout: expected a number from 0 to 0.9, or auto"),
    ({"cell": "rnn"}, ArgumentError, "cell: expected one of lstm, gru, got 'rnn'"),
    ({"epochs": 0}, ArgumentError, "epochs: expected a number from 1e-06"),
    ({"vocabulary": "subwords"}, ArgumentError, "min_count, case: expected none with subwords, got min_count=1"),
    ({"vocabulary": "subwords", "min_count": None, "vocabulary_size": 9}, DataError, r"expected room for \d+ subwords"),
    ({"min_count": 99}, DataError, r"source: expected at least two different words that come 99 times or more, got none of"),
    ({"longest": 3}, DataError, "expected sentence pairs in the train part, got left out: 40 pairs with a sentence of more"),
    ({"hidden": 10**6}, OutOfMemoryError, r"translate: a network of [\d,]+ parameters: expected .* ones of hidden, layers"),
]  # fmt: skip


@pytest.mark.parametrize(("chosen", "kind", "words"), REFUSED, ids=["-".join(row[0]) for row in REFUSED])
def test_settings_that_do_not_go(chosen: dict[str, Any], kind: type[Exception], words: str, spa: Path) -> None:
    with pytest.raises(kind, match=words):
        task(spa, **chosen)


def test_a_step_that_needs_too_much_memory(spa: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = task(spa).card.parameters
    monkeypatch.setattr(cost, "memory", lambda: Memory(4 * 8 * count, None, None))
    with pytest.raises(OutOfMemoryError, match=r"a step of 900 tokens: .* hidden, layers, embedding, vocabulary_size or"):
        task(spa, tokens=900)


def test_without_the_library_that_measures(spa: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(DataError, match=r"the library sacrebleu, .*, got none\. Run pip install 'minigrad-engine\[translate\]"):
        task(spa)


# ---------------------------------------------------------------------- what a config holds


def test_a_config_makes_the_task_again(spa: Path, tmp_path: Path) -> None:
    made = task(spa)
    again = Translate.of(made.config())
    assert again.config() == made.config() and again.total_steps == made.total_steps
    assert Card.of(made.config()["model"], "config.json") == made.card
    two = task(two_files(tmp_path / "two"))
    assert len(two.config()["data"]) == 2 and Translate.of(two.config()).config() == two.config()
    with pytest.raises(RunError, match="expected data, data_digest and settings, as minigrad train translate writes them"):
        Translate.of({**made.config(), "settings": None})
    pairs(spa, seed=1)
    with pytest.raises(DataError, match="expected the pairs that the run began with, got others"):
        Translate.of(made.config())
    spa.unlink()
    with pytest.raises(DataError, match="expected the pairs that the run began with, got nothing of that name"):
        Translate.of(made.config())


DAMAGED: dict[str, Any] = {
    "no card": lambda model: None,
    "one language": lambda model: {**model, "languages": ["en"]},
    "languages that are numbers": lambda model: {**model, "languages": [1, 2]},
    "no vocabulary": lambda model: {**model, "source": None},
    "a vocabulary of another kind": lambda model: {**model, "source": {**model["source"], "kind": "letters"}},
    "a word twice": lambda model: {**model, "target": {**model["target"], "words": ["a", "b", "a"]}},
    "words that are numbers": lambda model: {**model, "target": {**model["target"], "words": [1, 2]}},
    "no options": lambda model: {**model, "options": None},
    "an option too many": lambda model: {**model, "options": {**model["options"], "heads": 8}},
    "an odd hidden size": lambda model: {**model, "options": {**model["options"], "hidden": 7}},
    "a hidden size beyond measure": lambda model: {**model, "options": {**model["options"], "hidden": 10**12}},
    "feeding without attention": lambda model: {**model, "options": {**model["options"], "attention": "none", "feeding": True}},
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_card_that_is_damaged(case: str, spa: Path) -> None:
    model = task(spa).config()["model"]
    with pytest.raises(RunError, match=r"config\.json: expected (what the network is|the vocabulary of the model), as"):
        Card.of(DAMAGED[case](model), "config.json")
