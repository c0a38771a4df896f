"""A model of a text, trained twice: by us and by PyTorch, with the same network, weights, batches and rule of the step.

    python -m minigrad.benchmarks.letters [--data shakespeare] [--steps 2000] [--set hidden=128] [--json]

Each step is made by both, one after the other, in float32 and without dropout, whose draws are each library's own. Rounding
sets the two apart in the course of the steps, so what is compared is the mean of the last tenth of the losses: they should be
within 0.01 nats of each other. The speeds are those of the steps alone; on a machine that does other things they say little.

Exit code: 0 where the means are that close, 1 where they are not, 2 for an error.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from minigrad.benchmarks.source import model_source, run_source
from minigrad.errors import ArgumentError, MinigradError
from minigrad.models.text import Text, TextSettings
from minigrad.show.progress import Progress

CLOSE = 0.01  # nats between the two means


class Peer:
    """The training of a task in PyTorch, as its documentation would write it, from the task's weights.

    Args:
        task: ours, before its first step.
        double: in float64.

    Attributes:
        net, optimizer, state: PyTorch's.
        norm: of the last step's gradients, before they were clipped.
    """

    def __init__(self, task: Text, *, double: bool = False) -> None:
        import torch

        settings = task.settings
        self.torch, self.clip_norm = torch, settings.clip_norm
        names = run_source(model_source("char_lstm"), "torch")
        self.net: Any = names["CharLSTM"](len(task.card.vocabulary), **task.card.options)
        self.net = self.net.double() if double else self.net
        self.net.load_state_dict({key: torch.tensor(tensor.numpy()) for key, tensor in task.network.state_dict().items()})
        self.net.train()
        rate = settings.lr or 0.0
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=rate, weight_decay=settings.weight_decay or 0.0)
        self.schedule: Any = None
        if settings.schedule == "onecycle":
            self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, rate, total_steps=task.total_steps)
        elif settings.schedule == "cosine":
            self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, task.total_steps)
        self.state: Any = None
        self.norm = 0.0

    def step(self, tokens: Any, fresh: bool) -> float:
        """One step; gives the loss.

        Args:
            tokens: int64 (T + 1, B), of NumPy.
            fresh: whether the state begins anew.
        """
        torch = self.torch
        there = torch.from_numpy(tokens)
        self.optimizer.zero_grad()
        logits, state = self.net(there[:-1], None if fresh else self.state)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), there[1:].flatten())
        loss.backward()
        if self.clip_norm:
            self.norm = float(torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip_norm))
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        self.state = tuple([part.detach() for part in state])
        return float(loss.detach())


def both(task: Text, peer: Peer, steps: int) -> dict[str, Any]:
    """Make the steps by both, and compare.

    Args:
        task, peer: before their first step.
        steps: how many.
    """
    losses: dict[str, list[float]] = {"minigrad": [], "torch": []}
    seconds = dict.fromkeys(losses, 0.0)
    batches = task.batches()
    with Progress(steps, "steps", describe="minigrad and torch", keep=False) as bar:
        for done in range(1, steps + 1):
            tokens, fresh = next(batches)
            made = {
                "minigrad": lambda tokens=tokens, fresh=fresh: float(task.step((tokens, fresh)).metrics["loss"]),
                "torch": lambda tokens=tokens, fresh=fresh: peer.step(tokens.numpy(), fresh),
            }
            for library, step in made.items():
                began = time.perf_counter()
                losses[library].append(step())
                seconds[library] += time.perf_counter() - began
            bar.advance(done, done, {library: row[-1] for library, row in losses.items()})
    last = max(1, steps // 10)
    means = {library: sum(row[-last:]) / last for library, row in losses.items()}
    return {
        "steps": steps,
        "averaged": last,
        "first": {library: row[0] for library, row in losses.items()},
        "means": means,
        "apart": abs(means["minigrad"] - means["torch"]),
        "steps_per_second": {library: steps / max(1e-9, spent) for library, spent in seconds.items()},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, compare and tell; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m minigrad.benchmarks.letters", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", default="shakespeare", help="a named set of text, or a path")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of minigrad train text")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        found = compare(chosen.data, chosen.steps, chosen.set)
    except MinigradError as error:
        parser.error(str(error))
    if chosen.json:
        print(json.dumps(found, indent=1))
    else:
        for library, mean in found["means"].items():
            rate = found["steps_per_second"][library]
            print(f"{library:9} mean of the last {found['averaged']:,} losses {mean:.4f} nats, {rate:.2f} steps/s")
        print(f"apart by {found['apart']:.4f} nats; at most {CLOSE} is wanted")
    return 0 if found["apart"] <= CLOSE else 1


def compare(data: str, steps: int, words: Sequence[str]) -> dict[str, Any]:
    """What ``both`` gives, for data and settings as the command has them.

    Raises:
        ArgumentError: fewer than one step, dropout, or no PyTorch; what ``Text`` refuses.
    """
    if steps < 1:
        raise ArgumentError("benchmarks.letters", "--steps", "at least 1", str(steps))
    if importlib.util.find_spec("torch") is None:
        raise ArgumentError("benchmarks.letters", "torch", "PyTorch, to compare with", "none", "Install the extra peer")
    settings = TextSettings.parse(words, {"dropout": 0.0, "sample": 0})
    if settings.dropout:
        raise ArgumentError("benchmarks.letters", "dropout", "0: its draws are each library's own", str(settings.dropout))
    pass_of = len(Text(data, settings).loader)
    settings = TextSettings.of({**settings.to_dict(), "epochs": steps / pass_of})
    task = Text(data, settings, lambda line: print(line, file=sys.stderr))
    return both(task, Peer(task), steps)


if __name__ == "__main__":
    sys.exit(main())
