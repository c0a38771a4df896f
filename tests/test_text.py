"""The task ``text``: what it finds from a text, what a step is, how it measures, and what it refuses."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad.core.machine import Memory
from minigrad.data import Characters, Ids
from minigrad.errors import ArgumentError, DataError, DivergedError, OutOfMemoryError, RunError, StateError
from minigrad.models import cost, text_report
from minigrad.models.char_lstm import Card, CharLSTM
from minigrad.models.text import RECIPES, Carried, Text, TextSettings
from minigrad.models.text_loss import measure
from minigrad.models.text_report import written
from minigrad.show.page import Page
from minigrad.train import Run, fit
from tests.texts import TINY, WORDS, poem


def task(data: Path, **settings: Any) -> Text:
    return Text(str(data), TextSettings.of({**TINY, **settings}))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return poem(tmp_path / "poem.txt")


# ---------------------------------------------------------------------- what is found


def test_what_is_not_said_is_found_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    made = Text(str(poem(tmp_path / "poem.txt", 300)), TextSettings(), told.append)
    found = made.settings
    assert (found.hidden, found.embedding, found.dropout, found.batch_size, found.lr) == (128, 64, 0.2, 4, 0.003)
    assert found.epochs == 50.0
    assert made.total_steps == 50 * len(made.loader) and made.evaluate_every == made.total_steps // 20
    assert told[-2] == f"network: 2 layers of 128 LSTM units, {made.card.parameters:,} parameters, for 23 different characters"
    assert told[-1].startswith(f"training: {made.total_steps:,} steps of 4 x 64 characters, 50 passes through the text, at a ")
    assert None not in {
        value for key, value in found.to_dict().items() if key not in ("log_every", "glob", "min_count", "holdout")
    }


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"tied": True, "embedding": None, "hidden": 12}, {"embedding": 12}),
        ({"embedding": 0}, {"embedding": 0}),
        ({"embedding": None, "hidden": 40}, {"embedding": 40}),
        ({"hidden": 300, "embedding": 2, "lr": None}, {"lr": 0.002}),
        ({"batch_size": None, "sequence": 16}, {"batch_size": 4}),
        ({"epochs": None}, {"epochs": 50.0}),
    ],
)
def test_what_is_found(chosen: dict[str, Any], found: dict[str, Any], text: Path) -> None:
    settings = task(text, **chosen).settings.to_dict()
    assert {key: settings[key] for key in found} == found


def test_the_work_decides_how_long(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also less than a pass; and of a long part that is held out less is looked at, not for ever."""
    monkeypatch.setattr("minigrad.models.text.WORK", 2e5)
    made = task(text, epochs=None)
    assert made.settings.epochs == float(f"{2e5 / (made.card.parameters * len(made.data.train)):.2g}") < 1
    assert made.total_steps == round(made.settings.epochs * len(made.loader))
    assert made.evaluate_every == made.total_steps


def test_the_recipes_are_settings() -> None:
    for recipe in RECIPES.values():
        TextSettings.of(recipe)


def test_a_folder_and_bytes(tmp_path: Path) -> None:
    for number in range(4):
        poem(tmp_path / "src" / f"{number}.py", 20, number)
    (tmp_path / "src" / "picture.bin").write_bytes(bytes(range(256)) * 20)
    assert len(task(tmp_path / "src", glob="*.py").card.vocabulary) == 23
    made = task(tmp_path / "src", bytes=True)
    assert len(made.card.vocabulary) == 256 and "src" in made.config()["data"]
    assert made.step(next(made.batches())).units == 32


# ---------------------------------------------------------------------- what a step is


def test_steps_go_on_from_the_state_of_the_step_before(text: Path) -> None:
    """Through a whole pass and into the next, at whose beginning the state is new; PyTorch's steps are tested beside these."""
    made = task(text, dropout=0.0, sequence=64, epochs=2)
    batches, state = made.batches(), None
    fresh_at = []
    for number in range(len(made.loader) + 2):
        tokens, fresh = next(batches)
        fresh_at += [number] if fresh else []
        net = copy.deepcopy(made.network)
        with minigrad.no_grad():
            here = tokens.to(made.device)
            logits, state = net(here[:-1], None if fresh else state)
        expected = F.cross_entropy(logits.flatten(0, 1), here[1:].flatten()).item()
        units, metrics = made.step((tokens, fresh))
        assert units == 4 * 64
        assert float(metrics["loss"]) == pytest.approx(expected, rel=1e-6)
        assert float(metrics["bits"]) == pytest.approx(expected / math.log(2), rel=1e-6)
        assert made.carried.state is not None and not any(part.requires_grad for part in made.carried.state)
    assert fresh_at == [0, len(made.loader)]


def test_an_evaluation_changes_nothing(text: Path) -> None:
    made = task(text)
    for batch, _ in zip(made.batches(), range(2), strict=False):
        made.step(batch)
    before = minigrad.interop.structure.take_apart({name: part.state_dict() for name, part in made.state().items()})[0]
    with minigrad.random.fork_rng():
        made.evaluate(iter)
        assert len(made.sample()) == 20
    after = minigrad.interop.structure.take_apart({name: part.state_dict() for name, part in made.state().items()})[0]
    assert before.keys() == after.keys() and all(np.array_equal(before[name], after[name]) for name in before)


def test_it_learns_words(tmp_path: Path) -> None:
    """Far beyond how often each letter comes, and what it writes is mostly words of the text."""
    made = task(poem(tmp_path / "poem.txt", 240), hidden=24, sequence=24, batch_size=8, epochs=4, dropout=0.0, lr=0.03)
    for batch, _ in zip(made.batches(), range(made.total_steps), strict=False):
        made.step(batch)
    measured = made.measure(made.data.validation)
    chance = np.bincount(made.data.train[:], minlength=23) / len(made.data.train)
    assert measured.loss < 0.5 * -np.log(chance[made.data.validation[1:]]).mean()
    minigrad.manual_seed(0)
    found = written(made.card, made.network, 200).lower().replace(".", "").split()[1:-1]
    assert sum(word in WORDS for word in found) > 0.6 * len(found)


def test_the_page(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_report, "WRITTEN", 30)
    page = Page("poem")
    task(text).report(page)
    for words in ("held-out loss, nats per character", "What it writes", "What it finds hard", "U+0020 SPACE", "<h2>Data"):
        assert words in page.html()


def test_a_loss_that_is_no_number_is_told_with_its_text(text: Path, tmp_path: Path) -> None:
    made = task(text, clip_norm=0.0)
    with minigrad.no_grad():
        made.network.head.bias.fill_(float("nan"))
    with Run(tmp_path / "run") as run, pytest.raises(DivergedError, match=r"whose batch was lanes that begin with '[\w .]+"):
        fit(made, run, say=lambda line: None)


# ---------------------------------------------------------------------- how it measures


def ids_of(numbers: Any) -> Ids:
    return Ids(np.asarray(numbers, np.uint8), [("a", 0, len(numbers))])


def test_a_measure_is_the_cross_entropy_of_the_whole(text: Path) -> None:
    """Of one lane exactly that of the text read at once, character by character; of many about that."""
    made = task(text)
    ids = made.data.validation
    whole = minigrad.tensor(ids[:])[:, None]
    with minigrad.no_grad():
        logits, _ = made.network.eval()(whole[:-1])
        surprise = F.cross_entropy(logits.flatten(0, 1), whole[1:].flatten(), reduction="none").numpy()
    measured = measure(made.network, ids, 7, lanes=1)
    assert measured.characters == len(ids) - 1
    assert measured.loss == pytest.approx(float(surprise.mean()), rel=1e-5)
    assert measured.counts.tolist() == np.bincount(ids[1:], minlength=23).tolist()
    assert measured.nats == pytest.approx(np.bincount(ids[1:], surprise, minlength=23), rel=1e-4)
    assert measured.figures().bits == pytest.approx(
        measured.loss / math.log(2)
    ) and measured.figures().perplexity == pytest.approx(math.exp(measured.loss))
    rows = measured.costliest(100)
    assert sum(count for _, count, _, _ in rows) == measured.characters
    assert sum(share for *_, share in rows) == pytest.approx(1)
    assert [mean * count for _, count, mean, _ in rows] == sorted((mean * count for _, count, mean, _ in rows), reverse=True)
    assert measure(made.network, ids, 7).loss == pytest.approx(measured.loss, rel=0.02)


def test_perplexity_beyond_all_floats(text: Path) -> None:
    net = CharLSTM(2, hidden=2, embedding=2)
    with minigrad.no_grad():
        net.head.bias.copy_(minigrad.tensor([0.0, 3000.0]))
    measured = measure(net, ids_of([0, 0, 0]), 2)
    assert measured.loss > 2000 and measured.figures().perplexity == math.inf


def test_what_is_written_is_drawn_by_the_default_generator(text: Path) -> None:
    made = task(text)
    found = []
    for seed in (1, 1, 2):
        minigrad.manual_seed(seed)
        found.append(written(made.card, made.network, 50))
    assert found[0] == found[1] != found[2] and set(found[0]) <= set(made.card.vocabulary.symbols)


def test_a_model_learns_more_of_another_text(text: Path, tmp_path: Path) -> None:
    """With its weights, and in the characters that it knows, whatever others the text has or has not."""
    first = task(text, min_count=20)
    assert first.card.vocabulary.unknown is not None
    (tmp_path / "other.txt").write_text("the cat, the mat; and the dog\n" * 20)
    told: list[str] = []
    chosen = {**TINY, "min_count": None, "hidden": 8}
    made = Text(str(tmp_path / "other.txt"), TextSettings.of(chosen), told.append, like=first.card.to_config())
    assert made.card.vocabulary == first.card.vocabulary
    assert "folded: 2 characters that the model does not know, at 40 places, read as U+FFFD: ',', ';'" in told
    made.begin_from(first.weights())
    again = Text.of({**made.config(), "init_from": {}})
    assert again.card == made.card
    with pytest.raises(
        DataError, match=r"expected the 23 characters that the vocabulary has, got 2 others: ',' .* without --init-from"
    ):
        Text(str(tmp_path / "other.txt"), TextSettings.of(chosen), like=task(text).card.to_config())
    for changed, words in (
        ({"bytes": True}, "bytes: expected false, as the model to begin from is one of characters, got true"),
        ({"min_count": 2}, "min_count: expected none with a model to begin from, whose characters are known, got 2"),
    ):
        with pytest.raises(ArgumentError, match=words):
            Text(str(text), TextSettings.of({**chosen, **changed}), like=first.card.to_config())


# ---------------------------------------------------------------------- what it refuses


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"sequence": 4000},
        DataError,
        r"expected more than sequence=4000 characters to learn from, got 1,6\d\d\. Give more text, or shorter sequences",
    ),
    (
        {"batch_size": 500},
        ArgumentError,
        r"--set: batch_size: expected at most 212, as the text has 1,6\d\d characters .* got 500",
    ),
    (
        {"tied": True},
        ArgumentError,
        r"--set: embedding: expected hidden, 8, as tied=true asks, got 4\. Leave it out",
    ),
    ({"cell": "peephole"}, ArgumentError, "cell: expected one of lstm, gru, rnn, got 'peephole'"),
    ({"dropout": 1.0}, ArgumentError, "dropout: expected a number from 0 to 0.9, or auto"),
    ({"epochs": 0}, ArgumentError, "epochs: expected a number from 1e-06"),
    (
        {"hidden": 10**6, "layers": 100},
        OutOfMemoryError,
        r"text: a network of [\d,]+ parameters: expected .* Try smaller ones of hidden",
    ),
]


@pytest.mark.parametrize(("chosen", "kind", "words"), REFUSED, ids=[next(iter(row[0])) for row in REFUSED])
def test_settings_that_do_not_go(chosen: dict[str, Any], kind: type[Exception], words: str, text: Path) -> None:
    with pytest.raises(kind, match=words):
        task(text, **chosen)


def test_a_step_that_needs_too_much_memory(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "memory", lambda: Memory(100_000, None, None))
    with pytest.raises(OutOfMemoryError, match=r"a step of 100 lanes with 16 characters each: .* sequence or batch_size"):
        task(text, batch_size=100, sequence=16)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a file of text, got an empty file"),
        (b"\0\1\2" * 999, "binary file"),
        (b"caf\xe9 " * 99, r"text in UTF-8, got byte 0xe9 at byte 3 \(line 1\)"),
        (b"ab", "expected"),
        (b"hello\nyou\n", "more than sequence=8 characters to learn from, got 6.* or shorter sequences: --set sequence=3"),
    ],
    ids=["empty", "binary", "latin-1", "two letters", "two lines"],
)
def test_texts_that_do_not_go(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(DataError, match=words):
        task(tmp_path / "text.txt", holdout=0.4)


# ---------------------------------------------------------------------- what a config holds


def test_a_config_makes_the_task_again(text: Path) -> None:
    made = task(text)
    again = Text.of(made.config())
    assert again.config() == made.config() and again.total_steps == made.total_steps
    assert Card.of(made.config()["model"], "config.json") == made.card
    poem(text, seed=1)
    with pytest.raises(DataError, match="expected the text that the run began with, got others"):
        Text.of(made.config())
    text.unlink()
    with pytest.raises(DataError, match="expected the text that the run began with, got nothing of that name"):
        Text.of(made.config())


def changed(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(card: dict[str, Any]) -> None:
        *folders, name = path.split(".")
        for folder in folders:
            card = card[folder]
        if value is KeyError:
            del card[name]
        else:
            card[name] = value

    return change


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("options.cell", "peephole"), ("options.cell", []), ("options.hidden", 0), ("options.hidden", 2.0),
        ("options.layers", 101), ("options.embedding", True), ("options.dropout", float("nan")), ("options.tied", True),
        ("options.layer_norm", 1), ("options.width", 3), ("options.hidden", KeyError), ("options", None), ("steps", 0),
        ("steps", KeyError), ("vocabulary", KeyError), ("vocabulary", None), ("vocabulary.symbols", "aa"),
        ("vocabulary.kind", "words"),
    ],
)  # fmt: skip
def test_a_damaged_card_is_told(path: str, value: Any) -> None:
    options = {"cell": "gru", "hidden": 4, "layers": 1, "embedding": 2, "dropout": 0, "layer_norm": False, "tied": False}
    card = Card(Characters("ab"), options, 8).to_config()
    assert Card.of(card, "here").build()
    changed(path, value)(card)
    with pytest.raises(RunError, match="here: expected"):
        Card.of(card, "here")
    with pytest.raises(RunError, match="here: expected"):
        Card.of(None, "here")


def test_a_carried_state_that_is_none() -> None:
    carried = Carried()
    assert carried.state_dict() == {"parts": []}
    carried.load_state_dict({"parts": []})
    assert carried.state is None
    for wrong in (None, {}, {"parts": [1]}, {"parts": "ab"}):
        with pytest.raises(StateError, match="expected parts, a list of Tensors"):
            carried.load_state_dict(wrong)  # type: ignore[arg-type]
