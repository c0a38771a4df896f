"""A model of a text, trained twice: by us and by PyTorch, with the same network, weights, batches and rule of the step.

    python -m minigrad.benchmarks.letters [--data shakespeare] [--steps 2000] [--set hidden=128] [--json]

Each step is made by both, one after the other, in float32 and without dropout, whose draws are each library's own. Rounding
sets the two apart in the course of the steps, so what is compared is the mean of the last tenth of the losses: they should be
within 0.01 nats of each other. The speeds are those of the steps alone; on a machine that does other things they say little.

Exit code: 0 where the means are that close, 1 where they are not, 2 for an error.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from minigrad.benchmarks import beside
from minigrad.benchmarks.source import model_source, run_source
from minigrad.models.text import Text, TextSettings

CLOSE = 0.01  # nats between the two means


class Peer:
    """The training of a task in PyTorch, from the task's weights.

    Args:
        task: ours, before its first step.
        double: in float64.

    Attributes:
        net, rule, state: PyTorch's.
    """

    def __init__(self, task: Text, *, double: bool = False) -> None:
        import torch

        self.torch = torch
        names = run_source(model_source("char_lstm"), "torch")
        net: Any = names["CharLSTM"](len(task.card.vocabulary), **task.card.options)
        self.net = net.double() if double else net
        self.net.load_state_dict(beside.weights_of(task.network.state_dict()))
        self.net.train()
        self.rule = beside.Rule(task, self.net)
        self.state: Any = None

    def step(self, batch: Any) -> float:
        """One step; gives the loss.

        Args:
            batch: tokens (T + 1, B), and whether the state begins anew.
        """
        tokens, fresh = batch
        there = self.torch.from_numpy(tokens.numpy())
        logits, state = self.net(there[:-1], None if fresh else self.state)
        loss = self.torch.nn.functional.cross_entropy(logits.flatten(0, 1), there[1:].flatten())
        self.state = tuple([part.detach() for part in state])
        return self.rule.step(loss)


def compare(data: str, steps: int, words: Sequence[str]) -> dict[str, Any]:
    """What ``beside.both`` gives, for data and settings as the command has them.

    Raises:
        ArgumentError: as ``beside.settings_of`` says; what ``Text`` refuses.
    """
    settings = beside.settings_of("benchmarks.letters", TextSettings, words, {"sample": 0}, steps)
    pass_of = len(Text(data, settings).loader)
    settings = TextSettings.of({**settings.to_dict(), "epochs": steps / pass_of})
    task = Text(data, settings, lambda line: print(line, file=sys.stderr))
    return beside.both(task, Peer(task), steps)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, compare and tell; the exit code."""

    def verdict(found: Any) -> tuple[list[str], bool]:
        return [f"apart by {found['apart']:.4f} nats; at most {CLOSE} is wanted"], found["apart"] <= CLOSE

    return beside.run("letters", __doc__ or "", "text", "shakespeare", 2000, compare, verdict, arguments)


if __name__ == "__main__":
    sys.exit(main())
