"""The training of ``text`` beside the same in PyTorch, step by step in float64: carried state, loss, clipping, rule, rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minigrad.benchmarks.source import model_source, run_source
from minigrad.models.text import Text, TextSettings
from minigrad.models.text_loss import measure
from tests.harness import difference
from tests.texts import poem

CASES: dict[str, dict[str, Any]] = {
    "lstm": {},
    "gru": {"cell": "gru", "schedule": "cosine", "clip_norm": 0.1},
    "rnn": {"cell": "rnn", "schedule": "constant", "clip_norm": 0.0},
    "one-hot, one layer": {"embedding": 0, "layers": 1, "weight_decay": 0.1},
    "tied, normalised": {"tied": True, "embedding": None, "layer_norm": True},
}


def peer(task: Text) -> tuple[Any, Any, Any]:
    """The network with the task's weights, its optimiser and its schedule in PyTorch, as its documentation would write them."""
    import torch

    settings = task.settings
    net = run_source(model_source("char_lstm"), "torch")["CharLSTM"](len(task.card.vocabulary), **task.card.options).double()
    net.load_state_dict({key: torch.tensor(tensor.numpy()) for key, tensor in task.network.state_dict().items()})
    rate = settings.lr or 0.0
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=settings.weight_decay)
    schedule: Any = None
    if settings.schedule == "onecycle":
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=task.total_steps)
    elif settings.schedule == "cosine":
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.total_steps)
    return net, optimizer, schedule


@pytest.mark.peer
@pytest.mark.parametrize("case", CASES)
def test_steps_are_pytorchs(case: str, tmp_path: Path) -> None:
    """Through a pass and into the next, each step from the state that the step before left: loss, norm, rate and weights."""
    import torch

    chosen = {"hidden": 6, "embedding": 4, "sequence": 32, "batch_size": 8, "epochs": 2.0, "dropout": 0.0, **CASES[case]}
    task = Text(str(poem(tmp_path / "poem.txt", 42)), TextSettings.of(chosen))
    task.descent = task._descent(task.card.build().double())
    net, optimizer, schedule = peer(task)
    state: Any = None
    batches = task.batches()
    for step in range(task.total_steps):
        tokens, fresh = next(batches)
        assert fresh == (step % len(task.loader) == 0)
        metrics = task.step((tokens, fresh)).metrics

        there = torch.tensor(tokens.numpy())
        optimizer.zero_grad()
        logits, state = net(there[:-1], None if fresh else tuple(part.detach() for part in state))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), there[1:].flatten())
        loss.backward()
        rate = optimizer.param_groups[0]["lr"]
        if task.settings.clip_norm:
            norm = torch.nn.utils.clip_grad_norm_(net.parameters(), task.settings.clip_norm)
            assert float(metrics["grad_norm"]) == pytest.approx(float(norm), rel=1e-9)
        optimizer.step()
        if schedule is not None:
            schedule.step()

        assert abs(float(metrics["loss"]) - loss.item()) <= 1e-10, step
        assert float(metrics["lr"]) == pytest.approx(rate, rel=1e-12)
        for (key, ours), theirs in zip(task.network.state_dict().items(), net.state_dict().values(), strict=True):
            assert difference(ours.numpy(), theirs.numpy()) <= 1e-8, (step, key)
        assert task.carried.state is not None
        for ours, theirs in zip(task.carried.state, state, strict=True):
            assert difference(ours.numpy(), theirs.detach().numpy()) <= 1e-8, step
    assert step + 1 > len(task.loader) > 1

    ids = task.data.validation
    whole = torch.tensor(ids[:])[:, None]
    with torch.no_grad():
        logits, _ = net.eval()(whole[:-1])
    surprise = torch.nn.functional.cross_entropy(logits.flatten(0, 1), whole[1:].flatten())
    assert measure(task.network, ids, 10, lanes=1).loss == pytest.approx(surprise.item(), rel=1e-8)
