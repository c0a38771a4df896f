"""Products of matrices to be timed: a decoder's head and a recurrent layer with both gradients, a square, and batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, Spot, normal

# Words; A's and B's sizes as they lie in memory; which of them is transposed; whether bias and ReLU follow.
SHAPES: tuple[tuple[str, tuple[int, ...], tuple[int, ...], str, bool], ...] = (
    ("1024 x 256 x 8000, head", (1024, 256), (8000, 256), "b", False),
    ("1024 x 8000 x 256, its input", (1024, 8000), (8000, 256), "", False),
    ("8000 x 1024 x 256, its weight", (1024, 8000), (1024, 256), "a", False),
    ("2500 x 512 x 2048, gates", (2500, 512), (2048, 512), "b", False),
    ("2500 x 2048 x 512, their input", (2500, 2048), (2048, 512), "", False),
    ("2048 x 2500 x 512, their weight", (2500, 2048), (2500, 512), "a", False),
    ("1024 x 1024 x 1024", (1024, 1024), (1024, 1024), "", False),
    ("64 x 512 x 256", (64, 512), (512, 256), "", False),
    ("128 x 8000 x 256", (128, 8000), (8000, 256), "", False),
    ("128 x 784 x 256, bias, ReLU", (128, 784), (256, 784), "b", True),
    ("64 of 16 x 256 x 16", (64, 16, 256), (64, 16, 256), "b", False),
    ("64 of 16 x 16 x 256", (64, 16, 16), (64, 16, 256), "", False),
)
# Words; A's and B's sizes as they lie in memory, B transposed.
INTO = (
    ("2500 x 128 x 512, gates", (2500, 128), (512, 128)),
    ("2500 x 512 x 2048, gates", (2500, 512), (2048, 512)),
)


def ops() -> Iterator[Op]:
    """Each shape; into memory that is given, what a recurrent layer begins with."""
    for words, a, b, transposed, joined in SHAPES:
        items = math.prod(a[:-2])
        (k, m) = a[-2:] if transposed == "a" else a[:-3:-1]
        n = b[-2] if transposed == "b" else b[-1]
        size = 4.0 * (math.prod(a) + math.prod(b) + items * m * n)
        small = (*[2] * (len(a) - 2), 7, 5), (*[2] * (len(a) - 2), 7, 5) if transposed != "" else (*[2] * (len(a) - 2), 5, 6)
        yield Op(
            "matmul", "product", words, 2.0 * items * m * n * k, size, _drawn(a, b, transposed, joined),
            _drawn(*small, transposed, joined), _spot(), {"torch": _torch(joined)},
            brief=words == SHAPES[0][0],
        )  # fmt: skip
    for words, a, b in INTO:
        m, k, n = a[0], a[1], b[0]
        yield Op(
            "matmul", "product_into", words, 2.0 * m * n * k, 4.0 * (m * k + n * k + m * n), _drawn_into(a, b),
            _drawn_into((7, 5), (6, 5)), _spot_into, {"torch": _torch_into},
        )  # fmt: skip


def _drawn(a: tuple[int, ...], b: tuple[int, ...], transposed: str, joined: bool) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x, y = normal(rng, a, dtype), normal(rng, b, dtype)
        x, y = x.swapaxes(-1, -2) if transposed == "a" else x, y.swapaxes(-1, -2) if transposed == "b" else y
        return Call((x, y, normal(rng, y.shape[-1:], dtype) if joined else None), {"relu": joined})

    return draw


def _spot() -> Spot:
    """Three rows and four columns."""

    def spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
        a, b, bias = call.args
        i, j = int(rng.integers(a.shape[-2])), int(rng.integers(b.shape[-1]))
        rows, columns = slice(i, i + 3), slice(j, j + 4)
        part = (a[..., rows, :], b[..., columns], None if bias is None else bias[columns])
        return Call(part, call.kwargs), [results[0][..., rows, columns]]

    return spot


def _drawn_into(a: tuple[int, int], b: tuple[int, int]) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x, y, out = (normal(rng, size, dtype) for size in (a, b, (a[0], b[0])))
        return Call((x, y.T, out, None), {"relu": False})

    return draw


def _spot_into(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    a, b, out, bias = call.args
    i, j = int(rng.integers(len(a))), int(rng.integers(b.shape[1]))
    rows, columns = slice(i, i + 3), slice(j, j + 4)
    return Call((a[rows], b[:, columns], out[rows, columns], bias), call.kwargs), [None, results[1][rows, columns]]


def _torch_into(torch: Any, call: Call) -> Callable[[], Any]:
    a, b, out = (torch.from_numpy(each) for each in call.args[:3])
    return lambda: (None, torch.matmul(a, b, out=out))


def _torch(joined: bool) -> Callable[[Any, Call], Callable[[], Any]]:
    def peer(torch: Any, call: Call) -> Callable[[], Any]:
        a, b = (torch.from_numpy(each) for each in call.args[:2])  # transposed views, as PyTorch's own layers give them
        if joined:
            bias = torch.from_numpy(call.args[2])
            return lambda: torch.addmm(bias, a, b).relu_()
        return lambda: torch.matmul(a, b)

    return peer
