"""Optimisers' steps to be timed, averages of weights, and the bounds of gradients: over the parameters of networks."""

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
    "rmsprop": {"lr": 1e-2, "alpha": 0.95, "eps": 1e-4, "weight_decay": 0.0, "momentum": 0.9, "maximize": False},
    "adagrad": {"lr": 1e-2, "lr_decay": 0.0, "weight_decay": 0.0, "eps": 1e-10, "maximize": False},
    "adadelta": {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0, "maximize": False},
}  # fmt: skip
LERP, BOUND = 0.01, 0.5


def ops() -> Iterator[Op]:
    """Each optimiser as it is mostly used, averages, the norm and both bounds, for the parameters of each network."""
    for network, shapes in NETWORKS.items():
        bytes_each = 4.0 * sum(int(np.prod(shape)) for shape in shapes)
        name = f"{network}, {len(shapes)} arrays"
        for function, passes, make, before, spot, peers in (
            ("sgd", 5, _sgd, _held((0, 2)), _part, {"torch": _torch_sgd}),  # reads x, g and b; writes x and b
            ("adam", 7, _adam, _held((0, 2, 3)), _part, {"torch": _torch_adam}),
            # centered and with momentum, as Graves has it for handwriting; reads x, g and three states, writes x and these
            ("rmsprop", 9, _rmsprop, _held((0, 2, 3, 4)), _part, {"torch": _torch_rmsprop}),
            ("adagrad", 5, _adagrad, _held((0, 2)), _part, {"torch": _torch_adagrad}),
            ("adadelta", 7, _adadelta, _held((0, 2, 3)), _part, {"torch": _torch_adadelta}),
            ("lerp", 3, _lerp, _held((0,)), _part, {"torch": _torch_lerp}),
            ("norm", 1, _norm, None, _whole, {}),
            ("clip_norm", 2, _clip_norm, None, _part, {}),
            ("clip_value", 2, _clip_value, None, _part, {"torch": _torch_clip_value}),
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


def _with_squares(
    shapes: Shapes, rng: np.random.Generator, dtype: np.dtype, squares: int, others: int = 0
) -> tuple[list[np.ndarray], ...]:
    """Parameters, gradients, states that are never negative, and others."""
    params, grads = (_several(rng, shapes, dtype) for _ in range(2))
    never_negative = ([abs(each) for each in _several(rng, shapes, dtype)] for _ in range(squares))
    return params, grads, *never_negative, *(_several(rng, shapes, dtype) for _ in range(others))


def _rmsprop(shapes: Shapes) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        params, grads, squares, momentum = _with_squares(shapes, rng, dtype, 1, 1)
        # Means are what squares' roots exceed, wherever the numbers are moved to.
        means = [0.01 * each / (1 + abs(each)) for each in _several(rng, shapes, dtype)]
        return Call((params, grads, [1 + each for each in squares], means, momentum), WORDS["rmsprop"])

    return draw


def _adagrad(shapes: Shapes) -> Draw:
    return lambda rng, dtype: Call((*_with_squares(shapes, rng, dtype, 1), [7] * len(shapes)), WORDS["adagrad"])


def _adadelta(shapes: Shapes) -> Draw:
    return lambda rng, dtype: Call(_with_squares(shapes, rng, dtype, 2), WORDS["adadelta"])


def _lerp(shapes: Shapes) -> Draw:
    return lambda rng, dtype: Call(tuple(_several(rng, shapes, dtype) for _ in range(2)), {"weight": LERP})


def _clip_value(shapes: Shapes) -> Draw:
    return lambda rng, dtype: Call((_several(rng, shapes, dtype), BOUND))


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


def _torch_rmsprop(torch: Any, call: Call) -> Callable[[], Any]:
    params, grads, squares, means, momentum = (_tensors(torch, each) for each in call.args)
    words = {name: value for name, value in call.kwargs.items() if name != "maximize"}
    optimizer = torch.optim.RMSprop(_with_grads(params, grads), centered=True, **words)
    for parameter, *found in zip(params, squares, means, momentum, strict=True):
        names = ("square_avg", "grad_avg", "momentum_buffer")
        optimizer.state[parameter] = {"step": torch.tensor(6.0), **dict(zip(names, found, strict=True))}
    return _stepped(optimizer, [params, squares, means, momentum])


def _torch_adagrad(torch: Any, call: Call) -> Callable[[], Any]:
    params, grads, sums = (_tensors(torch, each) for each in call.args[:3])
    words, step = call.kwargs, call.args[3][0]
    settings = {"lr": words["lr"], "lr_decay": words["lr_decay"], "eps": words["eps"]}
    optimizer = torch.optim.Adagrad(_with_grads(params, grads), fused=True, **settings)
    for parameter, total in zip(params, sums, strict=True):
        optimizer.state[parameter] = {"step": torch.tensor(float(step - 1)), "sum": total}
    return _stepped(optimizer, [params, sums])


def _torch_adadelta(torch: Any, call: Call) -> Callable[[], Any]:
    params, grads, squares, deltas = (_tensors(torch, each) for each in call.args)
    words = {name: call.kwargs[name] for name in ("lr", "rho", "eps")}
    optimizer = torch.optim.Adadelta(_with_grads(params, grads), **words)
    for parameter, square, delta in zip(params, squares, deltas, strict=True):
        optimizer.state[parameter] = {"step": torch.tensor(6.0), "square_avg": square, "acc_delta": delta}
    return _stepped(optimizer, [params, squares, deltas])


def _torch_lerp(torch: Any, call: Call) -> Callable[[], Any]:
    averages, currents = (_tensors(torch, each) for each in call.args)

    def move() -> Any:
        torch._foreach_lerp_(averages, currents, LERP)
        return None, averages

    return move


def _torch_clip_value(torch: Any, call: Call) -> Callable[[], Any]:
    grads = _tensors(torch, call.args[0])

    def clip() -> Any:
        torch._foreach_clamp_min_(grads, -BOUND)
        torch._foreach_clamp_max_(grads, BOUND)
        return None, grads

    return clip


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
