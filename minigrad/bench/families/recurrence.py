"""What the recurrent families have in common: a batch of equal lengths, one layer, one direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, Spot, normal, tensor
from minigrad.kernels import contract_of

STEPS = 3  # that are looked at at a time


class Shape(NamedTuple):
    """T steps of B sequences with D features, into H units."""

    t: int
    b: int
    d: int
    h: int
    brief: bool = False


SHAPES = (Shape(50, 50, 128, 128, True), Shape(50, 50, 512, 512), Shape(16, 64, 256, 256))


class Network(NamedTuple):
    """How a family differs from the others.

    Attributes:
        gates: rows of the weights for each unit.
        states: that each sequence begins with.
        words: keywords of both functions.
        kept: which of the forward's results its backward takes.
        save: whether the forward has gates to save.
        torch: PyTorch's function of the whole sequence, which gives the outputs first.
        brief: whether it belongs to the short table.
    """

    family: str
    gates: int
    states: int
    words: dict[str, Any]
    kept: Sequence[int]
    save: bool
    torch: str
    brief: bool = False


def ops(network: Network) -> Iterator[Op]:
    """Forward and backward at each shape. The weights' gradients are products of their own, and not counted."""
    for shape in SHAPES:
        t, b, d, h, brief = shape
        name = f"T{t} B{b} D{d} H{h}"
        flops = 2.0 * t * b * network.gates * h * (d + h)
        weights = network.gates * h * (d + h)
        moved = 4.0 * (t * b * (d + (network.gates + 2) * h) + weights)
        small = Shape(3, min(b, 17), d, h)
        yield Op(
            network.family, "forward", name, flops, moved, _forward(network, shape), _forward(network, small),
            _steps(network, shape), {"torch": _torch_of(network)}, brief=brief and network.brief,
        )  # fmt: skip
        # What forward found, and what it was given, belong together: only the gradient that arrives is moved round.
        yield Op(
            network.family, "backward", name, flops, moved, _backward(network, shape), _backward(network, small),
            _sequence(network, shape), fixed=tuple(range(1, network.states + 5 + len(network.kept))),
            brief=brief and network.brief,
        )  # fmt: skip


def _arrays(network: Network, shape: Shape, rng: np.random.Generator, dtype: np.dtype) -> tuple[list[np.ndarray], ...]:
    """Input and first states; weights and biases."""
    t, b, d, h, _ = shape
    rows = network.gates * h
    x, *states = (normal(rng, size, dtype) for size in ((t * b, d), *[(b, h)] * network.states))
    scale = dtype.type(1 / np.sqrt(h))
    weights = [scale * normal(rng, size, dtype) for size in ((rows, d), (rows, h), (rows,), (rows,))]
    return [x, *states], weights


def _forward(network: Network, shape: Shape) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        (x, *states), weights = _arrays(network, shape, rng, dtype)
        words = {**network.words, **({"save": True} if network.save else {}), "memo": None, "index": None}
        return Call((x, (shape.b,) * shape.t, *states, *weights), words)

    return draw


def _backward(network: Network, shape: Shape) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        call = _forward(network, shape)(rng, dtype)
        found = contract_of(network.family).forward(*call.args, **call.kwargs)
        kept = [(found if isinstance(found, tuple) else (found,))[place] for place in network.kept]
        (_, sizes, *rest), dy = call.args, normal(rng, (shape.t * shape.b, shape.h), dtype)
        first = rest[network.states - 1]  # of several states, the last one is what the way back needs
        missing = [None] * network.states
        args = (dy, *missing, sizes, first, *rest[network.states : network.states + 2], *kept)
        return Call(args, {**network.words, "input_wanted": True, "memo": None})

    return draw


def _steps(network: Network, shape: Shape) -> Spot:
    """A few steps of one of the sequences, from the states that the result itself has before them.

    If each step is right, given those before it, all are.
    """

    def spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
        x, _, *rest = call.args
        states, weights = rest[: network.states], rest[network.states :]
        sequence, found = int(rng.integers(shape.b)), results[: network.states]
        first = 0 if any(each is None for each in found) else int(rng.integers(shape.t))
        count = min(STEPS, shape.t - first)
        rows = slice(first * shape.b + sequence, (first + count) * shape.b, shape.b)
        if first:
            states, sequence = found, rows.start - shape.b
        states = [each[sequence : sequence + 1] for each in states]
        part = Call((x[rows], (1,) * count, *states, *weights), call.kwargs)
        return part, [None if each is None else each[rows] for each in results]

    return spot


def _sequence(network: Network, shape: Shape) -> Spot:
    """The way back through one of the sequences: of what belongs to rows, every B-th."""
    kept = range(network.states + 5, network.states + 5 + len(network.kept))

    def spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
        one = slice(int(rng.integers(shape.b)), None, shape.b)
        args = [each[one] if place in (0, network.states + 2, *kept) else each for place, each in enumerate(call.args)]
        args[network.states + 1] = (1,) * shape.t
        return Call(tuple(args), call.kwargs), [each[one] for each in results]

    return spot


def _torch_of(network: Network) -> Callable[[Any, Call], Callable[[], Any]]:
    def peer(torch: Any, call: Call) -> Callable[[], Any]:
        x, sizes, *rest = call.args
        states = [tensor(torch, each)[None] for each in rest[: network.states]]
        weights = [tensor(torch, each) for each in rest[network.states :]]
        steps = tensor(torch, x).reshape(len(sizes), sizes[0], -1)
        run = getattr(torch._VF, network.torch)
        first = states if network.states > 1 else states[0]
        rows = (len(x), weights[1].shape[1])

        def whole() -> Any:
            with torch.no_grad():
                y = run(steps, first, weights, True, 1, 0.0, False, False, False)[0].reshape(rows)
            return (y, *[None] * (network.states - 1 + network.save))

        return whole

    return peer
