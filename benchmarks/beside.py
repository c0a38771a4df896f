"""A training made twice, by us and by PyTorch: each step by both, one after the other, and what came of it."""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from minigrad.errors import ArgumentError, MinigradError
from minigrad.show.progress import Progress
from minigrad.train import Settings, Task

FIRST, TIMED = 3, 12  # steps that compile and warm, and steps whose time is taken


def steps_in(minutes: float, step: Callable[[], Any]) -> int:
    """How many steps there are in so many minutes, by the time that some take; one at least."""
    for _ in range(FIRST):
        step()
    began = time.perf_counter()
    for _ in range(TIMED):
        step()
    return max(1, round(60 * minutes * TIMED / (time.perf_counter() - began)))


class Peer(Protocol):
    """A training in another library, from the weights of a task of ours."""

    def step(self, batch: Any) -> float: ...


class Rule:
    """The rule of a task's step in PyTorch, as its documentation would write it: AdamW, clipping, a schedule.

    Args:
        task: ours, before its first step; its settings say all.
        net: PyTorch's.

    Attributes:
        optimizer: PyTorch's.
        norm: of the last step's gradients, before they were clipped.
    """

    def __init__(self, task: Task, net: Any) -> None:
        import torch

        settings: Any = task.settings
        self.torch, self.clip_norm, self.net, self.norm = torch, settings.clip_norm, net, 0.0
        rate = settings.lr or 0.0
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=settings.weight_decay or 0.0)
        self.schedule: Any = None
        if settings.schedule == "onecycle":
            self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, rate, total_steps=task.total_steps)
        elif settings.schedule == "cosine":
            self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, task.total_steps)

    def step(self, loss: Any) -> float:
        """One step down a loss, of which it gives the number."""
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip_norm:
            self.norm = float(self.torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip_norm))
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        return float(loss.detach())


def both(task: Task, peer: Peer, steps: int) -> dict[str, Any]:
    """Make the steps by both, and compare the means of the last tenth of the losses.

    Args:
        task, peer: before their first step.
        steps: how many.
    """
    losses: dict[str, list[float]] = {"minigrad": [], "torch": []}
    seconds = dict.fromkeys(losses, 0.0)
    batches = task.batches()
    with Progress(steps, "steps", describe="minigrad and torch", keep=False) as bar:
        for done in range(1, steps + 1):
            batch = next(batches)
            made = {
                "minigrad": lambda batch=batch: float(task.step(batch).metrics["loss"]),
                "torch": lambda batch=batch: peer.step(batch),
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


def weights_of(state: Mapping[str, Any], double: bool = False) -> dict[str, Any]:
    """A state of ours as PyTorch's tensors."""
    import torch

    made = {key: torch.tensor(tensor.numpy()) for key, tensor in state.items()}
    return {key: tensor.double() if double and tensor.is_floating_point() else tensor for key, tensor in made.items()}


def settings_of(where: str, kind: type[Settings], words: Sequence[str], usual: Mapping[str, Any], steps: int) -> Any:
    """The settings of a task for a comparison, as the command has them.

    Args:
        where: the benchmark, for errors.
        kind: the class of the settings, which has ``dropout``.
        words: ``key=value`` each.
        usual: where they say nothing.
        steps: of the comparison.

    Raises:
        ArgumentError: fewer than one step, dropout, or no PyTorch.
    """
    if steps < 1:
        raise ArgumentError(where, "--steps", "at least 1", str(steps))
    if importlib.util.find_spec("torch") is None:
        raise ArgumentError(where, "torch", "PyTorch, to compare with", "none", "Install the extra peer")
    settings: Any = kind.parse(list(words), {"dropout": 0.0, **usual})
    if settings.dropout:
        raise ArgumentError(where, "dropout", "0: its draws are each library's own", str(settings.dropout))
    return settings


def run(
    name: str, about: str, task: str, data: str, steps: int, compare: Callable[[str, int, Sequence[str]], dict[str, Any]],
    verdict: Callable[[Mapping[str, Any]], tuple[list[str], bool]], arguments: Sequence[str] | None,
) -> int:  # fmt: skip
    """Read the arguments of a comparison, make it and tell; the exit code.

    Args:
        name: of the benchmark.
        about: its documentation.
        task: whose settings it takes.
        data, steps: where nothing is said.
        compare: makes it, of data, steps and settings.
        verdict: lines about what was found, which follow those about the losses, and whether it is good.
        arguments: of the command.
    """
    parser = argparse.ArgumentParser(prog=f"python -m minigrad.benchmarks.{name}", description=about.split("\n\n")[0])
    parser.add_argument("--data", default=data, help="a named set, or a path")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=f"a setting of minigrad train {task}")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        found = compare(chosen.data, chosen.steps, chosen.set)
    except MinigradError as error:
        parser.error(str(error))
    lines, good = verdict(found)
    if chosen.json:
        print(json.dumps(found, indent=1))
    else:
        for library, mean in found["means"].items():
            rate = found["steps_per_second"][library]
            print(f"{library:9} mean of the last {found['averaged']:,} losses {mean:.4f} nats, {rate:.2f} steps/s")
        print("\n".join(lines))
    return 0 if good else 1
