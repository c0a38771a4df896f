"""The training of ``translate`` beside the same in PyTorch, step by step in float64: loss, clipping, rule, rate."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from minigrad.benchmarks.sentences import Peer, main
from minigrad.models.translate import Translate, TranslateSettings
from tests.harness import difference
from tests.pair_files import ROWS, tsv

TINY: dict[str, Any] = {"vocabulary": "words", "hidden": 6, "embedding": 4, "tokens": 60, "min_count": 1, "dropout": 0.0}
CASES: dict[str, dict[str, Any]] = {
    "lstm": {},
    "gru, one cycle": {"cell": "gru", "schedule": "onecycle", "clip_norm": 0.1, "attention": "normed"},
    "no attention, constant": {"attention": "none", "schedule": "constant", "clip_norm": 0.0, "weight_decay": 0.1},
    "tied, two layers": {"joint": True, "layers": 2, "residual": True, "smoothing": 0.0},
}


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    path = tmp_path / "pairs.tsv"
    path.write_text(tsv([*ROWS]), encoding="utf-8")
    return str(path)


@pytest.mark.peer
@pytest.mark.parametrize("case", CASES)
def test_steps_are_pytorchs(case: str, pairs: str) -> None:
    """Through a pass and into the next: loss, norm, rate and weights."""
    task = Translate(pairs, TranslateSettings.of({**TINY, "epochs": 2.0, "average": 0, **CASES[case]}))
    task.descent = task._descent(task.card.build().double())
    peer = Peer(task, double=True)
    batches = task.batches()
    for step in range(task.total_steps):
        batch = next(batches)
        rate = peer.rule.optimizer.param_groups[0]["lr"]
        metrics = task.step(batch).metrics
        loss = peer.step(batch)
        assert abs(float(metrics["loss"]) - loss) <= 1e-10, step
        assert float(metrics["lr"]) == pytest.approx(rate, rel=1e-12)
        if task.settings.clip_norm:
            assert float(metrics["grad_norm"]) == pytest.approx(peer.rule.norm, rel=1e-9)
        own = task.network.state_dict()
        for key, theirs in peer.net.state_dict().items():
            assert difference(own[key].numpy(), theirs.numpy()) <= 1e-8, (step, key)
    assert step + 1 > len(task.loader) > 1


@pytest.mark.peer
def test_the_benchmark_compares_both(pairs: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    assert main(["--data", pairs, "--steps", "12", *words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["first"]["minigrad"] == pytest.approx(told["first"]["torch"], rel=1e-5)
    assert told["ratio"] == pytest.approx(told["validation"]["minigrad"] / told["validation"]["torch"])
    assert told["ratio"] == pytest.approx(1, abs=1e-4)
    assert main(["--data", pairs, "--steps", "2", *words]) == 0
    assert re.search(r"^torch +\d\.\d{4} nats for each held-out token$", capsys.readouterr().out, re.MULTILINE)
    with pytest.raises(SystemExit) as caught:
        main(["--data", pairs, "--set", "dropout=0.1"])
    assert caught.value.code == 2
    assert "dropout: expected 0: its draws are each library's own" in " ".join(capsys.readouterr().err.split())
