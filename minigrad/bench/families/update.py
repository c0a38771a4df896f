"""Optimisers' steps to be timed, and the norm of gradients: over the parameters of networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, normal

Shapes = tuple[tuple[int, ...], ...]

PERCEPTRON: Shapes = ((64, 32), (64,), (64, 64), (64,), (1, 64), (1,))
LSTM: Shapes = ((65, 128), *[(512, 128), (512, 128), (512,), (512,)] * 2, (65, 128), (65,))
TRANSLATION: Shapes = ((8000, 256), *[(1024, 256), (1024, 256), (1024,), (1024,)] * 2, (8000, 256), (8000,))
NETWORKS = {"perceptron": PERCEPTRON, "char LSTM": LSTM, "translation": TRANSLATION}
BRIEF = "char LSTM"
LARGEST = 4e6  # bytes of which the reference takes the norm in a second
WORDS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "weight_decay": 1e-4, "nesterov": False, "maximize": False},
    "adam": {
        "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "decoupled_weight_decay": False,
        "maximize": False,
    },
}  # fmt: skip


def ops() -> Iterator[Op]:
    """SGD with momentum, Adam, and the norm and its bound, for the parameters of each network."""
    for network, shapes in NETWORKS.items():
        bytes_each = 4.0 * sum(int(np.prod(shape)) for shape in shapes)
        name = f"{network}, {len(shapes)} arrays"
        for function, passes, make, before, spot, peers in (
            ("sgd", 5, _sgd, _held((0, 2)), _part, {"torch": _torch_sgd}),  # reads x, g and b; writes x and b
            ("adam", 7, _adam, _held((0, 2, 3)), _part, {"torch": _torch_adam}),
            ("norm", 1, _norm, None, _whole, {}),
            ("clip_norm", 2, _clip_norm, None, _part, {}),
        ):
            if spot is _whole and bytes_each > LARGEST:
                continue
            yield Op(
                "update", function, name, 0.0, passes * bytes_each, make(shapes), make(((5, 7), (3,), (17, 33))), spot, peers,
                before=before, brief=network == BRIEF and function == "adam",
            )  # fmt: skip


def _several(rng: np.random.Generator, shapes: Shapes, dtype: np.dtype) -> list[np.ndarray]:
    return [normal(rng, shape, dtype) for shape in shapes]


def _sgd(shapes: Shapes) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        params, grads, momentum = (_several(rng, shapes, dtype) for _ in range(3))
        return Call((params, grads, momentum, [False] * len(shapes)), WORDS["sgd"])

    return draw


def _adam(shapes: Shapes) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        params, grads, means, squares = (_several(rng, shapes, dtype) for _ in range(4))
        return Call((params, grads, means, [abs(each) for each in squares], [], [7] * len(shapes)), WORDS["adam"])

    return draw


def _norm(shapes: Shapes) -> Draw:
    return lambda rng, dtype: Call((_several(rng, shapes, dtype), 2.0))


def _clip_norm(shapes: Shapes) -> Draw:
    return lambda rng, dtype: Call((_several(rng, shapes, dtype), np.array(1e3), 1.0))


def _held(places: tuple[int, ...]) -> Callable[[Any, Call], Call]:
    """What an optimiser does once for all steps: its parameters and states are checked, and then known to be."""

    def before(contract: Any, call: Call) -> Call:
        held = contract.hold("bench", **{f"argument {place}": call.args[place] for place in places})
        args = list(call.args)
        for place, each in zip(places, held, strict=True):
            args[place] = each
        return Call(tuple(args), call.kwargs)

    return before


def _part(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """The first rows of one of the arrays, wherever it stands."""
    place = int(rng.integers(len(call.args[0])))

    def cut(each: Any) -> Any:
        if not isinstance(each, (list, tuple)) or not each:
            return each
        return [each[place][:9] if isinstance(each[place], np.ndarray) else each[place]]

    return Call(tuple(map(cut, call.args)), call.kwargs), [cut(each) for each in results]


def _whole(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    return call, results


def _tensors(torch: Any, arrays: list[np.ndarray]) -> list[Any]:
    return [torch.from_numpy(each.copy()) for each in arrays]


def _torch_sgd(torch: Any, call: Call) -> Callable[[], Any]:
    params, grads, momentum = (_tensors(torch, each) for each in call.args[:3])
    words = call.kwargs
    optimizer = torch.optim.SGD(
        _with_grads(params, grads), lr=words["lr"], momentum=words["momentum"], weight_decay=words["weight_decay"]
    )
    for parameter, buffer in zip(params, momentum, strict=True):
        optimizer.state[parameter] = {"momentum_buffer": buffer}
    return _stepped(optimizer, [params, momentum])


def _torch_adam(torch: Any, call: Call) -> Callable[[], Any]:
    params, grads, means, squares = (_tensors(torch, each) for each in call.args[:4])
    words, step = call.kwargs, call.args[5][0]
    optimizer = torch.optim.Adam(
        _with_grads(params, grads), lr=words["lr"], betas=(words["beta1"], words["beta2"]), eps=words["eps"], fused=True
    )
    for parameter, mean, square in zip(params, means, squares, strict=True):
        count = torch.tensor(float(step - 1))
        optimizer.state[parameter] = {"step": count, "exp_avg": mean, "exp_avg_sq": square}
    return _stepped(optimizer, [params, means, squares, []])


def _with_grads(params: list[Any], grads: list[Any]) -> list[Any]:
    for parameter, grad in zip(params, grads, strict=True):
        parameter.requires_grad_(True)
        parameter.grad = grad
    return params


def _stepped(optimizer: Any, changed: list[list[Any]]) -> Callable[[], Any]:
    def step() -> Any:
        optimizer.step()
        return (None, *changed)

    return step
