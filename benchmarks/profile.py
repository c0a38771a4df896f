"""Where the time of a training step goes, op by op.

    python -m minigrad.benchmarks.profile small-cnn [--steps 5] [--shapes] [--set batch=16] [--against torch]

A row is an op, its time in the forward and in the backward pass, and how often it ran, all for one step. ``--shapes`` tells
one op's shapes apart. The time between two events belongs to the one that ends it, so that the rows add up to the whole step:
an op's row holds the Python that led to it.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import minigrad
from minigrad.bench.workload import Step
from minigrad.benchmarks import load, sizes_of
from minigrad.core.tape import Function, Observer, mode
from minigrad.errors import MinigradError

BETWEEN = "(Python, the walk)"
Key = tuple[str, str]  # op, shape of its output


class Stopwatch(Observer):
    """Adds up the time between events, by op.

    Attributes:
        seconds: (op, shape) -> [forward, backward].
        calls: (op, shape) -> how often its forward ran.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.seconds: dict[Key, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.calls: dict[Key, int] = defaultdict(int)
        self.inside = 0  # what is under way, and has a row: ops inside belong to it
        self.last = time.perf_counter()

    def mark(self, key: Key, backward: bool = False) -> None:
        """What ends now has taken the time since the last event."""
        now = time.perf_counter()
        self.seconds[key][backward] += now - self.last
        self.last = time.perf_counter()

    def forward(self, node: Function, args: tuple, outputs: tuple) -> None:
        if not self.inside:
            key = node.name(), _shape(outputs)
            self.calls[key] += 1
            self.mark(key)

    def before_backward(self, node: Function, grads: tuple) -> None:
        if not self.inside:
            self.mark((BETWEEN, ""), True)
        self.inside += 1

    def backward(self, node: Function, grads: tuple, results: tuple | None) -> None:
        self.inside -= 1
        if not self.inside:
            self.mark((node.name(), _shape(grads)), True)

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """``work``, with its time, and that of the ops in it, in a row of its own."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            self.mark((BETWEEN, ""))
            self.inside += 1
            result = work(*args, **kwargs)
            self.inside -= 1
            self.calls[name, ""] += 1
            self.mark((name, ""))
            return result

        return timed


def _shape(tensors: tuple) -> str:
    return next((" x ".join(map(str, tensor.shape)) for tensor in tensors if tensor is not None), "")


class _Watched:
    """A module of minigrad's in which some names are another thing."""

    def __init__(self, module: Any, **others: Any) -> None:
        self.__name__ = module.__name__
        self.__dict__.update(others, _module=module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _Optimizers:
    """``minigrad.optim``, whose optimisers tell how long a step takes."""

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        def make(*args: Any, **kwargs: Any) -> Any:
            optimizer = getattr(minigrad.optim, name)(*args, **kwargs)
            optimizer.step = self._watch.around(f"{name}.step", optimizer.step)
            return optimizer

        return make


def watched(watch: Stopwatch) -> Any:
    """minigrad for a workload's ``make``, in which optimisers and clipping have rows of their own."""
    clip = watch.around("clip_grad_norm_", minigrad.nn.utils.clip_grad_norm_)
    utils = _Watched(minigrad.nn.utils, clip_grad_norm_=clip)
    return _Watched(minigrad, optim=_Optimizers(watch), nn=_Watched(minigrad.nn, utils=utils))


def profile(make: Callable[..., Step], sizes: dict[str, int], steps: int) -> tuple[Stopwatch, float]:
    """Run a workload and take times.

    Returns:
        The times of all steps together, and the seconds of one step without a watch.
    """
    watch = Stopwatch()
    step = make(watched(watch), **sizes)
    for _ in range(2):
        step()
    alone = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        alone.append(time.perf_counter() - start)
    before, mode.observers = mode.observers, (*mode.observers, watch)
    watch.reset()
    try:
        for _ in range(steps):
            step()
        watch.mark((BETWEEN, ""))
    finally:
        mode.observers = before
    return watch, sorted(alone)[steps // 2]


def table(watch: Stopwatch, steps: int, shapes: bool) -> str:
    """The rows, the slowest op first, in milliseconds of one step."""
    rows: dict[Key, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for (op, shape), (forward, backward) in watch.seconds.items():
        row = rows[op, shape if shapes else ""]
        row[0] += 1e3 * forward / steps
        row[1] += 1e3 * backward / steps
        row[2] += watch.calls.get((op, shape), 0) / steps
    whole = sum(forward + backward for forward, backward, _ in rows.values())
    lines = [f"{'op':<44}{'forward ms':>12}{'backward ms':>13}{'calls':>8}{'share':>8}"]
    for (op, shape), (forward, backward, calls) in sorted(rows.items(), key=lambda item: -sum(item[1][:2])):
        share = (forward + backward) / whole
        lines.append(f"{f'{op} {shape}'.strip():<44}{forward:12.3f}{backward:13.3f}{calls:8.0f}{share:8.1%}")
    lines.append(f"{'one step, watched':<44}{whole:12.3f}")
    return "\n".join(lines)


def peer_table(make: Callable[..., Step], sizes: dict[str, int], steps: int) -> str:
    """PyTorch's own profile of the same step."""
    import torch

    step = make(torch, **sizes)
    for _ in range(2):
        step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiled:
        for _ in range(steps):
            step()
    rows = sorted(profiled.key_averages(), key=lambda row: -row.self_cpu_time_total)[:20]
    lines = [f"{'op of PyTorch':<60}{'own ms':>10}{'calls':>8}"]
    lines += [f"{row.key[:58]:<60}{row.self_cpu_time_total / 1e3 / steps:10.3f}{row.count / steps:8.0f}" for row in rows]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--shapes", action="store_true", help="a row for each shape of an op")
    parser.add_argument("--set", action="append", default=[], metavar="SIZE=NUMBER", help="another size: batch=16")
    parser.add_argument("--against", choices=["torch"], help="PyTorch's profile below ours")
    options = parser.parse_args(arguments)
    if options.steps < 1:
        parser.error(f"--steps: expected at least 1, got {options.steps}")
    try:
        workload = load(options.workload)
        sizes = sizes_of(workload, options.set)
    except MinigradError as error:
        parser.error(str(error))
    watch, seconds = profile(workload.make, sizes, options.steps)
    print(f"{workload.name}: {workload.about}; {', '.join(f'{name} {size}' for name, size in sizes.items())}")
    print(table(watch, options.steps, options.shapes))
    print(f"{'one step, not watched (median)':<44}{1e3 * seconds:12.3f}")
    if options.against:
        print(peer_table(workload.make, sizes, options.steps))


if __name__ == "__main__":
    main()
