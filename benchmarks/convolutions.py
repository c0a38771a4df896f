"""3x3 convolutions alone, padding 1: forward, and forward with both gradients.

The shapes are those of ResNet-20 and of VGG (Simonyan and Zisserman 2014): as the channels double, the map halves.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minigrad.bench.workload import INPUT_SETS, Step, Workload
from minigrad.benchmarks.inputs import normal
from minigrad.benchmarks.layouts import with_layouts


def forward(m: Any, *, batch: int, channels: int, side: int) -> Step:
    """y = conv(x, w), (N, C, H, H) -> (N, C, H, H)."""
    rng = np.random.default_rng(0)
    weight = m.tensor(normal(rng, channels, channels, 3, 3))
    turn = itertools.cycle([m.tensor(normal(rng, batch, channels, side, side)) for _ in range(INPUT_SETS)])

    def step() -> float:
        with m.no_grad():
            y = m.nn.functional.conv2d(next(turn), weight, padding=1)
            return y[-1].square().mean().item()

    return step


def both(m: Any, *, batch: int, channels: int, side: int) -> Step:
    """y, and the gradients of its product with dy: dx and dw."""
    rng = np.random.default_rng(0)
    weight = m.tensor(normal(rng, channels, channels, 3, 3), requires_grad=True)
    dy = m.tensor(normal(rng, batch, channels, side, side))
    images = [m.tensor(normal(rng, batch, channels, side, side), requires_grad=True) for _ in range(INPUT_SETS)]
    turn = itertools.cycle(images)

    def step() -> float:
        x = next(turn)
        x.grad = weight.grad = None
        y = m.nn.functional.conv2d(x, weight, padding=1)
        y.backward(dy)
        with m.no_grad():
            return sum(part[-1].square().mean().item() for part in (y, x.grad, weight.grad))

    return step


def _flops(batch: int, channels: int, side: int) -> float:
    return 2 * 9 * channels**2 * batch * side**2


def _bytes(batch: int, channels: int, side: int) -> float:
    return 4 * (2 * batch * channels * side**2 + 9 * channels**2)


def _pair(batch: int, channels: int, side: int) -> tuple[Workload, Workload]:
    """The two workloads of one shape."""
    sizes = {"batch": batch, "channels": channels, "side": side}
    small = {"batch": 2, "side": 5}
    about = f"3x3 convolution, {batch} images of {channels} x {side} x {side} -> {channels}"
    alone = Workload(
        f"conv-{channels}-forward", f"{about}, forward", forward, sizes, _flops, _bytes, small, others=with_layouts(forward)
    )
    return alone, Workload(
        f"conv-{channels}",
        f"{about}, forward and both gradients",
        both,
        sizes,
        lambda **sizes: 3 * _flops(**sizes),
        lambda **sizes: 3 * _bytes(**sizes),
        small,
        others=with_layouts(both),
    )


CONV_16_FORWARD, CONV_16 = _pair(128, 16, 32)
CONV_32_FORWARD, CONV_32 = _pair(128, 32, 32)
CONV_64_FORWARD, CONV_64 = _pair(128, 64, 16)
CONV_128_FORWARD, CONV_128 = _pair(64, 128, 16)
CONV_256_FORWARD, CONV_256 = _pair(32, 256, 16)
