"""Activation functions to be timed: of images, and of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, images, normal, rows_of, tensor
from minigrad.kernels import contract_of

SHAPES = ((128, 32, 32, 32), (1024, 1024), (50, 512))
BRIEF = ("relu", SHAPES[0])
NUMBERS = {"hardtanh": (0.0, 6.0), "leaky_relu": (0.2,), "elu": (1.0, 1.0, 1.0), "softplus": (1.0, 20.0)}


def ops() -> Iterator[Op]:
    """Each kind at each shape, both ways, and the gate."""
    for kind in contract_of("activation").NUMBERS:
        for shape in SHAPES:
            words = f"{kind}, {' x '.join(map(str, shape))}"
            size, small, brief = 4.0 * float(np.prod(shape)), (5, 3, *shape[2:3]), (kind, shape) == BRIEF
            yield Op(
                "activation", "forward", words, 0.0, 2 * size, _argument(shape, kind), _argument(small, kind), rows_of((0,), 1),
                {"torch": _torch_forward}, brief=brief,
            )  # fmt: skip
            yield Op(
                "activation", "backward", words, 0.0, 3 * size, _gradient(shape, kind), _gradient(small, kind), _part,
                {"torch": _torch_backward}, fixed=(1,), brief=brief,
            )  # fmt: skip
    for shape in SHAPES:
        size, words = 4.0 * float(np.prod(shape)), " x ".join(map(str, shape))
        yield Op("activation", "gate", words, 0.0, 2.25 * size, _gated(shape), _gated((5, 7)), _part, {"torch": _torch_gate})


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    n, *rest = shape
    return images(rng, (n, rest[0], rest[1], rest[2]), dtype) if len(shape) == 4 else normal(rng, shape, dtype)


def _argument(shape: tuple[int, ...], kind: str) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        return Call((_drawn(rng, shape, dtype), kind, *NUMBERS.get(kind, ())))

    return draw


def _gradient(shape: tuple[int, ...], kind: str) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        contract, numbers = contract_of("activation"), NUMBERS.get(kind, ())
        x, dy = (_drawn(rng, shape, dtype) for _ in range(2))
        return Call((dy, contract.forward(x, kind, *numbers) if contract.SAVES[kind] == "output" else x, kind, *numbers))

    return draw


def _gated(shape: tuple[int, ...]) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x, other = (_drawn(rng, shape, dtype) for _ in range(2))
        return Call((x, other > 0, 2.0))

    return draw


def _part(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    return rows_of((0, 1), 1)(call, results, rng)


def _torch_forward(torch: Any, call: Call) -> Callable[[], Any]:
    given, kind, *numbers = call.args
    x, f = tensor(torch, given), torch.nn.functional
    calls: dict[str, Callable[[], Any]] = {
        "relu": lambda: torch.relu(x),
        "hardtanh": lambda: f.hardtanh(x, *numbers),
        "leaky_relu": lambda: f.leaky_relu(x, *numbers),
        "elu": lambda: f.elu(x, numbers[0]),
        "softplus": lambda: f.softplus(x, *numbers),
        "sigmoid": lambda: torch.sigmoid(x),
        "tanh": lambda: torch.tanh(x),
        "silu": lambda: f.silu(x),
        "gelu": lambda: f.gelu(x),
        "gelu_tanh": lambda: f.gelu(x, approximate="tanh"),
    }
    return calls[kind]


def _torch_backward(torch: Any, call: Call) -> Callable[[], Any]:
    dy, saved = (tensor(torch, each) for each in call.args[:2])
    kind, *numbers = call.args[2:]
    aten = torch.ops.aten
    calls: dict[str, Callable[[], Any]] = {
        "relu": lambda: aten.threshold_backward(dy, saved, 0),
        "hardtanh": lambda: aten.hardtanh_backward(dy, saved, *numbers),
        "leaky_relu": lambda: aten.leaky_relu_backward(dy, saved, *numbers, False),
        "elu": lambda: aten.elu_backward(dy, *numbers, False, saved),
        "softplus": lambda: aten.softplus_backward(dy, saved, *numbers),
        "sigmoid": lambda: aten.sigmoid_backward(dy, saved),
        "tanh": lambda: aten.tanh_backward(dy, saved),
        "silu": lambda: aten.silu_backward(dy, saved),
        "gelu": lambda: aten.gelu_backward(dy, saved),
        "gelu_tanh": lambda: aten.gelu_backward(dy, saved, approximate="tanh"),
    }
    return calls[kind]


def _torch_gate(torch: Any, call: Call) -> Callable[[], Any]:
    x, mask = (tensor(torch, each) for each in call.args[:2])
    return lambda: torch.ops.aten.native_dropout_backward(x, mask, call.args[2])
