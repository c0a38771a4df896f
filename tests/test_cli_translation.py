"""From pairs to a translator that is measured: ``minigrad train translate``, ``resume``, ``eval``."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minigrad.cli import main
from minigrad.models import translate_report
from minigrad.models.translate import Translate
from tests.pair_files import tsv
from tests.shape_images import Commands, rows, setting_words, tree
from tests.small_translators import TINY, pairs, two_files
from tests.small_translators import rows as sentences


@pytest.fixture(scope="module", autouse=True)
def little_is_drawn() -> Iterator[None]:
    """On the pages of the runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translate_report, "LOOKED", 1)
        patch.setattr(translate_report, "SHOWN", 2)
        yield


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs of two languages, and a run of them."""
    folder = tmp_path_factory.mktemp("trained")
    data = two_files(folder)
    assert main(["train", "translate", "--data", data, "--out", str(folder / "run"), *setting_words(TINY)]) == 0
    return folder


def test_train_and_measure(minigrad: Commands, tmp_path: Path) -> None:
    pairs(tmp_path / "my pairs.tsv")
    code, out, err = minigrad("train", "translate", "--data", "my pairs.tsv", *setting_words(TINY))
    assert code == 0
    heads = ("pairs: 40 of my pairs.tsv, ", "split: 4 of 40 pairs", "words of source: ", "network: 1 layer of 6 LSTM units ")
    for line in (*heads, "training: "):
        assert f"\n{line}" in f"\n{out}"
    path = "runs/translate-my-pairs.tsv-1"
    assert f'To use it:\n  minigrad translate {path} "Good morning"' in out
    shown = r"^epoch 1/1  train loss .*  val bleu \S+  val chrf \S+  val loss \S+  val bits \S+  \(best\)\n"
    sample = r"    source   \S.*\n    person   \S.*\n    network .*\n"
    assert re.search(rf"{shown}{sample}\n{sample}", err, re.MULTILINE)
    assert {file.name for file in Path(path).iterdir()} >= {"samples.txt", "report.html", "model.safetensors"}
    assert minigrad("translate", path, "Mary sees the dog.").code == 0
    code, out, _ = minigrad("eval", path)
    best = max(row["val/bleu"] for row in rows(Path(path)) if "val/bleu" in row)
    lines = out.splitlines()
    assert code == 0 and lines[0] == f"held-out part of {tmp_path / 'my pairs.tsv'}: 4 sentences, translated greedily"
    assert lines[1].startswith(f"BLEU {best:.2f} (#:1|c:mixed|") and "chrF" in lines[1]
    assert re.fullmatch(r"loss \S+ nats per token, \S+ bits, perplexity \S+, of the right translations", lines[2])
    assert lines[3].split() == ["words", "sentences", "BLEU"]


def test_eval_in_json_by_beams_and_without_capitals(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    told = {
        words: json.loads(minigrad("eval", trained / "run", "--json", *words).out)
        for words in ((), ("--beam", "1"), ("--beam", "4"), ("--lowercase",))
    }
    plain = told[()]
    assert plain["data"].startswith("held-out part of ") and plain["sentences"] == sum(
        row["sentences"] for row in plain["by_length"]
    )
    assert told[("--beam", "1")] == plain and plain["beam"] == 1 and told[("--beam", "4")]["beam"] == 4
    assert {one["loss"] for one in told.values()} == {plain["loss"]}
    assert plain["signatures"][0].startswith("#:1|c:mixed|")
    assert told[("--lowercase",)]["lowercase"] and told[("--lowercase",)]["signatures"][0].startswith("#:1|c:lc|")
    assert "translated by a beam of 3" in minigrad("eval", trained / "run", "--beam", 3).out
    assert "eval: --beam: expected a whole number, at least 1, got 0" in minigrad.refused("eval", trained / "run", "--beam", 0)
    config = json.loads((trained / "run/config.json").read_text())
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text(json.dumps({**config, "task": "text"}))
    for words in (("--beam", 2), ("--lowercase",)):
        error = minigrad.refused("eval", "other", *words)
        assert f"eval: {words[0]}: expected a translator, got a model of the task text. Leave it out" in error
    assert "eval: --unseen: expected a model of text" in minigrad.refused("eval", trained / "run", "--unseen", "skip")


def test_eval_on_other_data_takes_each_test_part(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    for name, some in (("one/train.tsv", sentences(9)), ("one/test.tsv", sentences(12)[9:]), ("all.tsv", sentences(20)[12:])):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(tsv([*some, ("left out", "")]))
    code, out, _ = minigrad("eval", trained / "run", "--data", "one", "--data", "all.tsv")
    assert code == 0
    for line in (
        "pairs: 11, of 3 files",
        "taken: the test part of one, all of all.tsv",
        "left out: 2 pairs with a missing side (one/test.tsv, line 4; all.tsv, line 9)",
        "one, all.tsv: 11 sentences, translated greedily",
    ):
        assert f"\n{line}\n" in f"\n{out}"
    error = minigrad.refused("eval", trained / "run", "--data", two_files(tmp_path / "de", ("en", "de")))
    assert "target: expected one of the languages en, de, got 'es'" in error


def test_a_run_that_is_stopped_goes_on(
    minigrad: Commands, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    step, seen = Translate.step, [0]

    def counted(self: Any, batch: Any) -> Any:
        seen[0] += 1
        if seen[0] == 3:
            signal.raise_signal(signal.SIGINT)
        return step(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Translate, "step", counted)
        data = f"{trained}/talks.en,{trained}/talks.es"
        code, _, err = minigrad("train", "translate", "--data", data, "--out", "run", *setting_words(TINY))
    assert code == 130 and "stopped at step 3 of " in err and "  minigrad resume run" in err
    assert minigrad("resume", "run").code == 0
    here, whole = tree(tmp_path / "run"), tree(trained / "run")
    for name in ("metrics.jsonl", "model.safetensors", "samples.txt", "config.json"):
        assert here[name] == whole[name], name


def test_a_translator_that_begins_with_another(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    pairs(tmp_path / "more.tsv", 20, seed=1)
    words = setting_words(
        {key: value for key, value in TINY.items() if key not in ("hidden", "embedding", "vocabulary", "min_count")}
    )
    code, out, _ = minigrad("train", "translate", "--data", "more.tsv", "--init-from", trained / "run", *words)
    assert code == 0 and "beginning with the weights of" in out and "1 layer of 6 LSTM units each way" in out
    assert "vocabularies: those of the model to begin from, " in out
    run = Path("runs/translate-more.tsv-1")
    assert minigrad("eval", run).code == 0
    before = tree(run)
    code, _, _ = minigrad("resume", run)
    assert code == 0 and tree(run)["metrics.jsonl"] == before["metrics.jsonl"]
    error = minigrad.refused("train", "translate", "--data", two_files(tmp_path, ("en", "de")), "--init-from", trained / "run")
    assert (
        "--init-from: data: expected pairs from en into es, as the model to begin from translates, got from en into de" in error
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a.tsv: expected a file of text, got an empty file"),
        (b"caf\xe9\tx\n", "a.tsv: expected text in UTF-8, got byte 0xe9 in line 1. Save it as UTF-8"),
        ("a\tb\n".encode("utf-16"), "a.tsv: expected text in UTF-8, got UTF-16. Save it as UTF-8: iconv -f UTF-16"),
        (b"one\ntwo\n", "a.tsv: expected lines of a sentence, a tab and its translation, got no tab in 2 lines"),
        (b"a\t\n\tb\n", "expected sentence pairs in the train part, got left out: 2 pairs with a missing side"),
        (b"yes\tja\nyes!\tJa\nyes?\tJa.\nno\tja?\n", "got 4 pairs that all hang together by shared sentences"),
        (tsv([("yes " * n, f"ja {n}") for n in range(1, 20)]).encode(), "source: expected at least two different words that"),
        (tsv([("yes " * 5000, f"ja {n}") for n in range(9)]).encode(), "got left out: 9 pairs with a sentence of more than"),
    ],
    ids=["empty", "latin", "utf-16", "no tabs", "missing sides", "one family", "a vocabulary of one", "too long"],
)  # fmt: skip
def test_pairs_that_are_none(minigrad: Commands, tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.tsv").write_bytes(content)
    told = minigrad.refused("train", "translate", "--data", "a.tsv", *setting_words(TINY))
    assert words in told and "minigrad data check translate a.tsv" in told
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("library", "chosen"), [("sacrebleu", []), ("sentencepiece", ["--set", "vocabulary=subwords"])])
def test_the_check_of_data_says_nothing_of_a_missing_library(
    library: str, chosen: list[str], minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    told = minigrad.refused("train", "translate", "--data", pairs(tmp_path / "pairs.tsv"), *chosen)
    assert f"expected the library {library}, which " in told and "Run pip install 'minigrad-engine[translate]'" in told
    assert "data check" not in told


def test_bad_pairs_among_good_ones_are_counted_and_told(minigrad: Commands, tmp_path: Path) -> None:
    wide = " ".join(["word"] * 5000)
    (tmp_path / "a.tsv").write_text(tsv([*sentences(30), ("No target", ""), (wide, "short"), sentences(1)[0]]))
    code, out, _ = minigrad("train", "translate", "--data", "a.tsv", *setting_words(TINY))
    assert code == 0
    assert (
        "left out: 1 pair with a missing side (a.tsv, line 31), 1 pair with a sentence of more than 150 words (a.tsv, line 32)"
        in out
    )


DAMAGED: dict[str, tuple[Any, str]] = {
    "no model": (lambda config: config.pop("model"), "expected what the network is, as minigrad train translate writes it"),
    "no settings": (lambda config: config.pop("settings"), "expected data, data_digest and settings, as minigrad train"),
    "another digest": (lambda config: config.update(data_digest="0"), "expected the pairs that the run began with, got others"),
    "data that are gone": (
        lambda config: config.update(data="/nowhere"),
        "expected the pairs that the run began with, got nothing of that name",
    ),
    "another size": (lambda config: config["model"]["options"].update(hidden=8), "as the config.json has it, got"),
    "another word": (
        lambda config: config["model"]["target"]["words"].__setitem__(0, "otra"),
        "expected weights that were trained with the vocabularies of config.json, got weights of other vocabularies",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_a_config_that_was_damaged(case: str, minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    change, words = DAMAGED[case]
    run = Path(shutil.copytree(trained / "run", tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    change(config)
    (run / "config.json").write_text(json.dumps(config))
    before = tree(run)
    assert words in minigrad.refused("eval", run)
    code, _, err = minigrad("resume", run)
    assert (code, err.count("error: ")) == (2, 1) and "Traceback" not in err
    assert tree(run) == before
