"""Normalization to be timed: after a convolution, and of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, images, normal, rows_of, tensor
from minigrad.kernels import contract_of

IMAGES = ((128, 16, 32), (128, 64, 16))  # N, C, H
GROUPS = ((32, 64, 32, 8),)  # N, C, H, and groups of channels
ROWS = ((1024, 256), (1024, 1024))  # R, K
EPS = 1e-5


def ops() -> Iterator[Op]:
    """Batch norm's functions over images, the same over groups of each image's channels, layer norm's over rows."""
    for n, c, h in IMAGES:
        values, small = 4.0 * n * c * h * h, (3, c, 5)
        for function, moved, make, spot, fixed in (
            ("statistics", values, _image, _statistics_spot, ()),
            ("normalize", 2 * values, _normalize, _one_channel, ()),
            ("gradients", 3 * values, _gradients, _one_channel, (1, 2, 3)),
            ("residual_gradients", 5 * values, _residual_gradients, _one_channel, (1, 2, 3, 4)),
        ):
            brief = (n, c, h) == IMAGES[0] and function in ("normalize", "gradients")
            shape = f"N{n} C{c} H{h}" + (", relu" if function == "normalize" else "")
            yield Op("norm", function, shape, 0.0, moved, make(n, c, h), make(*small), spot, fixed=fixed, brief=brief)
    for n, c, h, groups in GROUPS:
        values = 4.0 * n * c * h * h
        for function, moved, of_groups in (
            ("statistics", values, _group_statistics),
            ("normalize", 2 * values, _group_normalize),
            ("gradients", 3 * values, _group_gradients),
        ):
            yield Op(
                "norm", function, f"N{n} C{c} H{h}, {groups} groups", 0.0, moved, of_groups(n, c, h, groups),
                of_groups(3, c, 5, groups), _one_group, fixed=(1, 2, 3) if function == "gradients" else (),
            )  # fmt: skip
    for rows, size in ROWS:
        values = 4.0 * rows * size
        yield Op(
            "norm", "layer_forward", f"{rows} x {size}", 0.0, 2 * values, _layer(rows, size), _layer(5, size), rows_of((0,)),
            {"torch": _torch_layer},
        )  # fmt: skip
        yield Op(
            "norm", "layer_backward", f"{rows} x {size}", 0.0, 3 * values, _layer_gradients(rows, size),
            _layer_gradients(5, size), _layer_spot, fixed=(1, 2, 3),
        )  # fmt: skip


def _image(n: int, c: int, h: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        return Call((images(rng, (n, c, h, h), dtype), c), {"own": False})

    return draw


def _of_channels(rng: np.random.Generator, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """The statistics, a scale and a shift."""
    mean, var = contract_of("norm").statistics(x, x.shape[1])
    return mean, var, normal(rng, x.shape[1:2], x.dtype), normal(rng, x.shape[1:2], x.dtype)


def _normalize(n: int, c: int, h: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x = images(rng, (n, c, h, h), dtype)
        return Call((x, *_of_channels(rng, x), None), {"eps": EPS, "relu": True})

    return draw


def _gradients(n: int, c: int, h: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        dy, x = (images(rng, (n, c, h, h), dtype) for _ in range(2))
        return Call((dy, x, *_of_channels(rng, x)), {"eps": EPS, "relu": False})

    return draw


def _residual_gradients(n: int, c: int, h: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        dy, x, residual = (images(rng, (n, c, h, h), dtype) for _ in range(3))
        mean, var, w, b = _of_channels(rng, x)
        y = contract_of("norm").normalize(x, mean, var, w, b, residual, eps=EPS, relu=True)
        return Call((dy, y, x, mean, var, w), {"eps": EPS})

    return draw


def _group_statistics(n: int, c: int, h: int, groups: int) -> Draw:
    return lambda rng, dtype: Call((images(rng, (n, c, h, h), dtype), groups), {"own": True})


def _of_groups(rng: np.random.Generator, x: np.ndarray, groups: int) -> tuple[np.ndarray, ...]:
    """The statistics of each image's groups, a scale and a shift."""
    mean, var = contract_of("norm").statistics(x, groups, own=True)
    return mean, var, normal(rng, x.shape[1:2], x.dtype), normal(rng, x.shape[1:2], x.dtype)


def _group_normalize(n: int, c: int, h: int, groups: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x = images(rng, (n, c, h, h), dtype)
        return Call((x, *_of_groups(rng, x, groups), None), {"eps": EPS, "relu": False})

    return draw


def _group_gradients(n: int, c: int, h: int, groups: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        dy, x = (images(rng, (n, c, h, h), dtype) for _ in range(2))
        return Call((dy, x, *_of_groups(rng, x, groups)), {"eps": EPS, "relu": False})

    return draw


def _one_group(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """One group over the whole batch: of images, of statistics (N, G), and of what there is one number of for each channel."""
    x, groups = call.args[0], next((each for each in call.args if isinstance(each, int)), 0)
    groups = groups or next(each.shape[1] for each in call.args if each.ndim == 2)
    size, group = x.shape[1] // groups, int(rng.integers(groups))
    channels = slice(group * size, (group + 1) * size)

    def cut(each: Any) -> Any:
        if each is None:
            return None
        if isinstance(each, int):
            return 1
        return each[channels] if each.ndim == 1 else each[:, group : group + 1] if each.ndim == 2 else each[:, channels]

    return Call(tuple(map(cut, call.args)), call.kwargs), [cut(each) for each in results]


def _one_channel(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """One channel over the whole batch: of images, of statistics, and of what there is one number of for each channel."""
    c = int(rng.integers(call.args[0].shape[1]))
    one = slice(c, c + 1)

    def cut(each: Any) -> Any:
        return None if each is None else each[one] if each.ndim == 1 else each[:, one]

    return Call(tuple(map(cut, call.args)), call.kwargs), [cut(each) for each in results]


def _statistics_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    c = int(rng.integers(call.args[0].shape[1]))
    return Call((call.args[0][:, c : c + 1], 1), call.kwargs), [each[:, c : c + 1] for each in results]


def _layer(rows: int, size: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        return Call(tuple(normal(rng, shape, dtype) for shape in ((rows, size), (size,), (size,))), {"eps": EPS})

    return draw


def _layer_gradients(rows: int, size: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        (x, w, b), words = _layer(rows, size)(rng, dtype)
        _, mean, var = contract_of("norm").layer_forward(x, w, b, **words)
        return Call((normal(rng, (rows, size), dtype), x, mean, var, w), words)

    return draw


def _layer_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """All of it: each of dw and db is a sum over all rows, and the reference is quick enough."""
    return call, results


def _torch_layer(torch: Any, call: Call) -> Callable[[], Any]:
    x, w, b = (tensor(torch, each) for each in call.args)
    return lambda: (torch.nn.functional.layer_norm(x, w.shape, w, b, EPS), None, None)
