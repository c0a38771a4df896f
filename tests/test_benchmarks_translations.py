"""The comparison of translators: its BLEU is sacrebleu's, its bootstrap is paired, and its tables name what they hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.benchmarks.translations import Counts, drawn, intervals, main
from minigrad.models.bleu import scores
from minigrad.models.translate import Translate, TranslateSettings
from minigrad.train import Run
from tests.pair_files import ROWS, tsv

RIGHT = [
    "the cat sat on the mat today",
    "a small bird sang in the old tree",
    "no one knew",
    "we ate bread and cheese and went home",
]
MADE = [
    "the cat sat on a mat today",
    "a small bird sang in an old tree",
    "no one knew",
    "we ate bread with cheese and went home",
]


def test_bleu_is_sacrebleus() -> None:
    counts = Counts.of(MADE, RIGHT)
    assert counts.bleu(np.ones(4, np.int64)) == pytest.approx(scores(MADE, RIGHT).bleu, abs=1e-9)
    twice, right = [MADE[0], MADE[0], MADE[3]], [RIGHT[0], RIGHT[0], RIGHT[3]]
    assert counts.bleu(np.array([2, 0, 0, 1])) == pytest.approx(scores(twice, right).bleu, abs=1e-9)
    large = [text.upper() for text in MADE]
    same = Counts.of(large, RIGHT, lowercase=True)
    assert same.bleu(np.ones(4, np.int64)) == pytest.approx(scores(MADE, RIGHT).bleu, abs=1e-9)
    assert Counts.of(large, RIGHT).bleu(np.ones(4, np.int64)) < 10


def test_the_bootstrap_is_paired() -> None:
    """What is the same for all sentences has an interval of no width, however wide the scores' own are; a gap shows."""
    good, bad = Counts.of(RIGHT * 8, RIGHT * 8), Counts.of(MADE * 8, RIGHT * 8)
    same = intervals({"a": bad, "b": bad}, 50)
    assert same["b"]["apart"] == (0.0, 0.0, 0.0) and same["a"]["interval"] == same["b"]["interval"]
    assert same["a"]["interval"][0] < same["a"]["bleu"] < same["a"]["interval"][1]
    apart, low, high = intervals({"a": bad, "b": good}, 200)["b"]["apart"]
    assert 0 < low < apart < high
    times = drawn(7, 20)
    assert (
        times.shape == (20, 7)
        and (times.sum(1) == 7).all()
        and (times == drawn(7, 20)).all()
        and (times != drawn(7, 20, 1)).any()
    )


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    """A translator with attention and one without, both untrained, of one file of pairs."""
    (tmp_path / "pairs.tsv").write_text(tsv([*ROWS]), encoding="utf-8")
    made = []
    for name, attention in (("with", "dot"), ("without", "none")):
        settings: dict[str, Any] = {"vocabulary": "words", "hidden": 6, "embedding": 4, "min_count": 1, "attention": attention}
        task = Translate(str(tmp_path / "pairs.tsv"), TranslateSettings.of(settings))
        with Run(tmp_path / name) as run:
            run.begin({"task": "translate", **task.config()})
            minigrad.save(dict(task.weights()), run.model)
        made.append(str(tmp_path / name))
    return made


def test_the_tables(models: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*models, "--samples", "5", "--beam", "2"]) == 0
    out = capsys.readouterr().out
    for name in models:
        for way in ("greedy", "beam 2"):
            assert re.search(
                rf"^{re.escape(name)}, {way} +\d+\.\d\d +\d+\.\d\d to +\d+\.\d\d +[+-]\d+\.\d\d ", out, re.MULTILINE
            )
    assert re.search(r"^words of the source +5 to 8\n", out, re.MULTILINE)
    assert main([models[0], "--samples", "5", "--data", str(tmp_path / "pairs.tsv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [*told["systems"]] == [f"{models[0]}, {way}" for way in ("greedy", "beam 5")]
    assert told["lengths"][f"{models[0]}, greedy"][0][:2] == ["5 to 8", 60] and "c:mixed" in told["signature"]
    assert main([models[0], "--samples", "2", "--beam", "2", "--lowercase"]) == 0 and "c:lc" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--beam", "1"], "--beam: expected at least 2, got 1"),
        (["--samples", "0"], "--samples: expected at least 1, got 0"),
        (["nowhere"], "expected a run folder, or the name of a shipped model"),
    ],
)
def test_errors(words: list[str], told: str, models: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*models, *words])
    assert caught.value.code == 2 and told in " ".join(capsys.readouterr().err.split())
