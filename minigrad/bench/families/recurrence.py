"""What the recurrent families have in common: a batch of equal lengths, one layer, one direction; also of a single step."""

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


SHAPES = (
    Shape(50, 50, 128, 128, True),
    Shape(50, 50, 512, 512),
    Shape(16, 64, 256, 256),
    Shape(1, 64, 512, 256),  # a step of a decoder that is fed its attention
    Shape(1, 1, 128, 128),  # a letter more of a text
)


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
        blocks: columns of ``da`` for each unit: one more than gates where a gate's two sums have gradients of their own.
    """

    family: str
    gates: int
    states: int
    words: dict[str, Any]
    kept: Sequence[int]
    save: bool
    torch: str
    brief: bool = False
    blocks: int = 1


def ops(network: Network) -> Iterator[Op]:
    """Forward, backward and the weights' gradients at each shape.

    A single step is given what earlier ones left of the weights in ``memo``, as a cell is that goes through a sequence.
    """
    for shape in SHAPES:
        t, b, d, h, brief = shape
        name = f"T{t} B{b} D{d} H{h}"
        flops = 2.0 * t * b * network.gates * h * (d + h)
        weights = network.gates * h * (d + h)
        moved = 4.0 * (t * b * (d + (network.gates + 2) * h) + weights)
        small, before = Shape(min(t, 3), min(b, 17), min(d, 136), min(h, 128)), _after_another if t == 1 else None
        yield Op(
            network.family, "forward", name, flops, moved, _forward(network, shape), _forward(network, small),
            _steps(network), {"torch": _torch_of(network)}, brief=brief and network.brief,
            before=None if before is None else before("forward"),
        )  # fmt: skip
        # What forward found, and what it was given, belong together: only the gradient that arrives is moved round.
        yield Op(
            network.family, "backward", name, flops, moved, _backward(network, shape), _backward(network, small),
            _sequence(network), fixed=tuple(range(1, network.states + 5 + len(network.kept))),
            brief=brief and network.brief, before=None if before is None else before("backward"),
        )  # fmt: skip
        yield Op(
            network.family, "grad_weights", name, flops, 4.0 * (t * b * (d + (network.blocks + 1) * h) + weights),
            _grad_weights(network, shape), _grad_weights(network, small), _unit(network), {"torch": _torch_products(network)},
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


def _grad_weights(network: Network, shape: Shape) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        rows = shape.t * shape.b
        da, x, h = (normal(rng, (rows, size), dtype) for size in (network.blocks * shape.h, shape.d, shape.h))
        return Call((da, x, h), {"input_wanted": True, "state_wanted": True})

    return draw


def _after_another(function: str) -> Callable[[Any, Call], Call]:
    """The same call once before, so that the ``memo`` has what is derived from the weights."""

    def before(contract: Any, call: Call) -> Call:
        words = {**call.kwargs, "memo": {}}
        getattr(contract, function)(*call.args, **words)
        return Call(call.args, words)

    return before


def _steps(network: Network) -> Spot:
    """A few steps of one of the sequences, from the states that the result itself has before them.

    If each step is right, given those before it, all are.
    """

    def spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
        x, sizes, *rest = call.args
        t, b = len(sizes), sizes[0]
        states, weights = rest[: network.states], rest[network.states :]
        sequence, found = int(rng.integers(b)), results[: network.states]
        first = 0 if any(each is None for each in found) else int(rng.integers(t))
        count = min(STEPS, t - first)
        rows = slice(first * b + sequence, (first + count) * b, b)
        if first:
            states, sequence = found, rows.start - b
        states = [each[sequence : sequence + 1] for each in states]
        part = Call((x[rows], (1,) * count, *states, *weights), call.kwargs)
        return part, [None if each is None else each[rows] for each in results]

    return spot


def _sequence(network: Network) -> Spot:
    """The way back through one of the sequences: of what belongs to rows, every B-th."""
    kept = range(network.states + 5, network.states + 5 + len(network.kept))

    def spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
        sizes = call.args[network.states + 1]
        one = slice(int(rng.integers(sizes[0])), None, sizes[0])
        args = [each[one] if place in (0, network.states + 2, *kept) else each for place, each in enumerate(call.args)]
        args[network.states + 1] = (1,) * len(sizes)
        return Call(tuple(args), call.kwargs), [each[one] for each in results]

    return spot


def _unit(network: Network) -> Spot:
    """The weights of one unit, from some inputs and from itself."""

    def spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
        da, x, h = call.args
        unit, first = int(rng.integers(h.shape[1])), int(rng.integers(x.shape[1]))
        one, some = slice(unit, None, h.shape[1]), slice(first, first + 4)
        dw_ih, dw_hh, db = results
        part = (np.ascontiguousarray(da[:, one]), x[:, some], h[:, unit : unit + 1])
        return Call(part, call.kwargs), [dw_ih[one, some], dw_hh[one, unit : unit + 1], db[one]]

    return spot


def _torch_products(network: Network) -> Callable[[Any, Call], Callable[[], Any]]:
    """The products that the way back through PyTorch's layer ends with."""

    def peer(torch: Any, call: Call) -> Callable[[], Any]:
        da, x, h = (tensor(torch, each) for each in call.args)
        last = da.shape[1] // network.blocks
        of_input, of_state = da[:, : network.gates * last], da
        if network.blocks > network.gates:
            of_state = torch.cat((da[:, : (network.gates - 1) * last], da[:, network.gates * last :]), 1)
        return lambda: (of_input.T @ x, of_state.T @ h, da.sum(0))

    return peer


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
