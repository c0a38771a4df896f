"""The training of ``text`` beside the same in PyTorch, step by step in float64: carried state, loss, clipping, rule, rate."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from minigrad.benchmarks.letters import Peer, main
from minigrad.models.text import Text, TextSettings
from minigrad.models.text_loss import measure
from tests.harness import difference
from tests.texts import TINY, poem

CASES: dict[str, dict[str, Any]] = {
    "lstm": {},
    "gru": {"cell": "gru", "schedule": "cosine", "clip_norm": 0.1},
    "rnn": {"cell": "rnn", "schedule": "constant", "clip_norm": 0.0},
    "one-hot, one layer": {"embedding": 0, "layers": 1, "weight_decay": 0.1},
    "tied, normalised": {"tied": True, "embedding": None, "layer_norm": True},
}


@pytest.mark.peer
@pytest.mark.parametrize("case", CASES)
def test_steps_are_pytorchs(case: str, tmp_path: Path) -> None:
    """Through a pass and into the next, each step from the state that the step before left: loss, norm, rate and weights."""
    import torch

    chosen = {"hidden": 6, "embedding": 4, "sequence": 32, "batch_size": 8, "epochs": 2.0, "dropout": 0.0, **CASES[case]}
    task = Text(str(poem(tmp_path / "poem.txt", 42)), TextSettings.of(chosen))
    task.descent = task._descent(task.card.build().double())
    peer = Peer(task, double=True)
    batches = task.batches()
    for step in range(task.total_steps):
        tokens, fresh = next(batches)
        assert fresh == (step % len(task.loader) == 0)
        rate = peer.rule.optimizer.param_groups[0]["lr"]
        metrics = task.step((tokens, fresh)).metrics
        loss = peer.step((tokens, fresh))
        assert abs(float(metrics["loss"]) - loss) <= 1e-10, step
        assert float(metrics["lr"]) == pytest.approx(rate, rel=1e-12)
        if task.settings.clip_norm:
            assert float(metrics["grad_norm"]) == pytest.approx(peer.rule.norm, rel=1e-9)
        for (key, ours), theirs in zip(task.network.state_dict().items(), peer.net.state_dict().values(), strict=True):
            assert difference(ours.numpy(), theirs.numpy()) <= 1e-8, (step, key)
        assert task.carried.state is not None
        for ours, theirs in zip(task.carried.state, peer.state, strict=True):
            assert difference(ours.numpy(), theirs.numpy()) <= 1e-8, step
    assert step + 1 > len(task.loader) > 1

    ids = task.data.validation
    whole = torch.tensor(ids[:])[:, None]
    with torch.no_grad():
        logits, _ = peer.net.eval()(whole[:-1])
    surprise = torch.nn.functional.cross_entropy(logits.flatten(0, 1), whole[1:].flatten())
    assert measure(task.network, ids, 10, lanes=1).loss == pytest.approx(surprise.item(), rel=1e-8)


@pytest.mark.peer
def test_the_benchmark_compares_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for key, value in {**TINY, "epochs": "auto"}.items() for word in ("--set", f"{key}={value}")]
    path = str(poem(tmp_path / "poem.txt"))
    assert main(["--data", path, "--steps", "12", *words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["steps"], told["averaged"]) == (12, 1)
    assert told["first"]["minigrad"] == pytest.approx(told["first"]["torch"], rel=1e-5)
    assert told["apart"] == abs(told["means"]["minigrad"] - told["means"]["torch"]) < 1e-4
    assert main(["--data", path, "--steps", "2", *words]) == 0
    line = r"^torch +mean of the last 1 losses \d\.\d{4} nats, \d+\.\d\d steps/s$"
    assert re.search(line, capsys.readouterr().out, re.MULTILINE)
    for wrong, told_of in (
        (["--steps", "0"], "--steps: expected at least 1, got 0"),
        (["--set", "dropout=0.1"], "dropout: expected 0: its draws are each library's own, got 0.1"),
        (["--data", "/nowhere"], "got nothing of that name"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["--data", path, *wrong])
        assert caught.value.code == 2 and told_of in " ".join(capsys.readouterr().err.split())
