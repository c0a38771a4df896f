"""A translator, trained twice: by us and by PyTorch, with the same network, weights, batches and rule of the step.

    python -m minigrad.benchmarks.sentences [--data en-es] [--steps 3000] [--set hidden=128] [--json]

Each step is made by both, one after the other, in float32 and without dropout, whose draws are each library's own. Rounding
sets the two apart in the course of the steps, so what is compared is what came of them: the nats of a token of the held-out
pairs, which should be within 1 % of each other. The speeds are those of the steps alone; on a machine that does other things
they say little.

Exit code: 0 where the losses are that close, 1 where they are not, 2 for an error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from minigrad.benchmarks import beside
from minigrad.benchmarks.source import model_source, run_source
from minigrad.data.translated import LikeTokens, PairBatch, Translated
from minigrad.models.translate import Translate, TranslateSettings
from minigrad.models.translation import nats_of

CLOSE = 0.01  # share of the loss between the two


class Peer:
    """The training of a task in PyTorch, from the task's weights.

    Args:
        task: ours, before its first step.
        double: in float64.

    Attributes:
        net, rule: PyTorch's.
    """

    def __init__(self, task: Translate, *, double: bool = False) -> None:
        import torch

        self.torch, self.smoothing = torch, task.settings.smoothing
        names = run_source(model_source("seq2seq"), "torch")
        net: Any = names["Seq2Seq"](len(task.card.source), len(task.card.target), **task.card.options)
        self.net = net.double() if double else net
        own = self.net.state_dict()
        self.net.load_state_dict(beside.weights_of({k: v for k, v in task.network.state_dict().items() if k in own}))
        self.rule = beside.Rule(task, self.net)

    def _loss(self, batch: PairBatch, **options: Any) -> Any:
        there = [self.torch.from_numpy(part.numpy()) for part in (batch.source, batch.source_lengths, batch.target)]
        return self.net.loss(*there, **options)

    def step(self, batch: PairBatch) -> float:
        """One step; gives the loss."""
        self.net.train()
        return self.rule.step(self._loss(batch, smoothing=self.smoothing))

    def nats(self, batches: Iterable[PairBatch]) -> float:
        """The nats of all tokens of some pairs."""
        self.net.eval()
        with self.torch.no_grad():
            return float(sum(self._loss(batch, reduction="sum").item() for batch in batches))


def compare(data: str, steps: int, words: Sequence[str]) -> dict[str, Any]:
    """What ``beside.both`` gives, and the loss of what is held out by both, for data and settings as the command has them.

    Raises:
        ArgumentError: as ``beside.settings_of`` says; what ``Translate`` refuses.
    """
    settings = beside.settings_of("benchmarks.sentences", TranslateSettings, words, {"average": 0, "own": 0.0}, steps)
    pass_of = len(Translate(data, settings).loader)
    settings = TranslateSettings.of({**settings.to_dict(), "epochs": steps / pass_of})
    task = Translate(data, settings, lambda line: print(line, file=sys.stderr))
    peer = Peer(task)
    found = beside.both(task, peer, steps)
    held_out = Translated(task.data.validation, task.card.source, task.card.target)
    batches = list(LikeTokens(held_out.sizes, task.tokens))
    tokens = int(held_out.sizes[:, 1].sum())
    ours = sum(nats_of(task.translator, held_out, batch) for batch in batches) / tokens
    theirs = peer.nats(held_out.take_batch(batch) for batch in batches) / tokens
    return {**found, "validation": {"minigrad": ours, "torch": theirs}, "ratio": ours / theirs}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, compare and tell; the exit code."""

    def verdict(found: Any) -> tuple[list[str], bool]:
        lines = [f"{library:9} {loss:.4f} nats for each held-out token" for library, loss in found["validation"].items()]
        lines.append(f"ratio {found['ratio']:.4f}; between {1 - CLOSE} and {1 + CLOSE} is wanted")
        return lines, abs(found["ratio"] - 1) <= CLOSE

    return beside.run("sentences", __doc__ or "", "translate", "en-es", 3000, compare, verdict, arguments)


if __name__ == "__main__":
    sys.exit(main())
