"""3x3 convolutions alone, padding 1: forward and both gradients. (``minigrad bench conv2d`` times the three apart.)

The shapes are those of ResNet-20 and of VGG (Simonyan and Zisserman 2014): as the channels double, the map halves.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minigrad.bench.workload import INPUT_SETS, Step, Workload
from minigrad.benchmarks.inputs import normal
from minigrad.benchmarks.peers import of_images, others


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
    return 3 * 2 * 9 * channels**2 * batch * side**2


def _bytes(batch: int, channels: int, side: int) -> float:
    return 3 * 4 * (2 * batch * channels * side**2 + 9 * channels**2)


def _shape(batch: int, channels: int, side: int) -> Workload:
    return Workload(
        f"conv-{channels}",
        f"3x3 convolution, {batch} images of {channels} x {side} x {side} -> {channels}, forward and both gradients",
        both,
        {"batch": batch, "channels": channels, "side": side},
        _flops,
        _bytes,
        small={"batch": 2, "side": 5},
        others={**of_images(both), **others("convolution")},
    )


CONV_16, CONV_32, CONV_64 = _shape(128, 16, 32), _shape(128, 32, 32), _shape(128, 64, 16)
CONV_128, CONV_256 = _shape(64, 128, 16), _shape(32, 256, 16)
