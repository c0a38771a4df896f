"""Workloads for libraries whose names are not PyTorch's: MyGrad, and tinygrad.

They do the work that they have layers for, each in its own plain way. Weights and batches are those of the same workloads with
minigrad. Chainer is not among them: its last release, 7.8.1 of 2022, does not load with NumPy 2 (``np.sctypes``).
tinygrad compiles its kernels with Clang, which must be there.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import minigrad
from minigrad.bench.workload import INPUT_SETS, Step
from minigrad.benchmarks.inputs import arrays, fill, normal
from minigrad.benchmarks.source import network
from minigrad.benchmarks.tiny import STEPS, two_layers

MOMENTUM, DECAY = 0.9, 1e-4  # of the small network's optimiser
Batches = Iterator[Sequence[np.ndarray]]


def weights_of(model: Any) -> list[np.ndarray]:
    """The numbers that ``inputs.fill`` gives a model of minigrad's."""
    fill(minigrad, 0, model)
    return [parameter.detach().numpy().copy() for parameter in model.parameters()]


def _perceptron(batch: int, inputs: int, hidden: int) -> tuple[list[np.ndarray], Batches]:
    draw = arrays(1, lambda rng: (normal(rng, batch, inputs), normal(rng, batch, 1)))
    return weights_of(two_layers(minigrad, inputs, hidden)), draw


def _small_cnn(batch: int, side: int, width: int, hidden: int) -> tuple[list[np.ndarray], Batches]:
    model = network(minigrad, "cnn").PlainCNN(3, (side, side), 10, width, hidden, stages=2)
    return weights_of(model), arrays(1, lambda rng: (normal(rng, batch, 3, side, side), rng.integers(0, 10, batch)))


def _convolution(batch: int, channels: int, side: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    weight, dy = normal(rng, channels, channels, 3, 3), normal(rng, batch, channels, side, side)
    return weight, dy, [normal(rng, batch, channels, side, side) for _ in range(INPUT_SETS)]


# ---------------------------------------------------------------------- MyGrad


def mygrad_perceptron(*, batch: int, inputs: int, hidden: int) -> Step:
    """See ``tiny.perceptron``."""
    mg = importlib.import_module("mygrad")
    relu = importlib.import_module("mygrad.nnet.activations").relu
    weights, turn = _perceptron(batch, inputs, hidden)
    parameters = [mg.tensor(weight) for weight in weights]
    w1, b1, w2, b2, w3, b3 = parameters

    def step() -> float:
        for _ in range(STEPS):
            x, y = next(turn)
            z = relu(relu(x @ w1.T + b1) @ w2.T + b2) @ w3.T + b3
            loss = mg.mean((z - y) ** 2)
            loss.backward()
            for parameter in parameters:
                parameter.data -= 0.01 * parameter.grad
        return loss.item()

    return step


def mygrad_small_cnn(*, batch: int, side: int, width: int, hidden: int) -> Step:
    """See ``images.small_cnn``."""
    mg = importlib.import_module("mygrad")
    layers, relu = importlib.import_module("mygrad.nnet.layers"), importlib.import_module("mygrad.nnet.activations").relu
    cross_entropy = importlib.import_module("mygrad.nnet.losses").softmax_crossentropy
    weights, turn = _small_cnn(batch, side, width, hidden)
    parameters = [mg.tensor(weight) for weight in weights]
    velocities = [np.zeros_like(weight) for weight in weights]

    def step() -> float:
        x, labels = next(turn)
        for number, (w, b) in enumerate(zip(parameters[:8:2], parameters[1:8:2])):
            x = relu(layers.conv_nd(x, w, stride=1, padding=1) + b.reshape(1, -1, 1, 1))
            if number % 2:
                x = layers.max_pool(x, (2, 2), 2)
        w1, b1, w2, b2 = parameters[8:]
        loss = cross_entropy(relu(x.reshape(batch, -1) @ w1.T + b1) @ w2.T + b2, labels)
        loss.backward()
        for parameter, velocity in zip(parameters, velocities):
            velocity *= MOMENTUM
            velocity += parameter.grad + DECAY * parameter.data
            parameter.data -= 0.01 * velocity
        return loss.item()

    return step


def mygrad_convolution(*, batch: int, channels: int, side: int) -> Step:
    """See ``convolutions.both``."""
    mg, conv = importlib.import_module("mygrad"), importlib.import_module("mygrad.nnet.layers").conv_nd
    weight, dy, images = _convolution(batch, channels, side)
    turn = itertools.cycle(images)

    def step() -> float:
        w, x = mg.tensor(weight), mg.tensor(next(turn))
        y = conv(x, w, stride=1, padding=1)
        y.backward(dy)
        return float(sum(np.square(part[-1]).mean() for part in (y.data, x.grad, w.grad)))

    return step


# ---------------------------------------------------------------------- tinygrad


def tinygrad_perceptron(*, batch: int, inputs: int, hidden: int) -> Step:
    """See ``tiny.perceptron``; compiled as a whole by ``TinyJit``."""
    weights, turn = _perceptron(batch, inputs, hidden)
    train = _tinygrad_training(weights, lambda p, x, y: ((_dense(p, x) - y) ** 2).mean(), momentum=0.0, decay=0.0)

    def step() -> float:
        for _ in range(STEPS):
            loss = train(*next(turn))
        return loss.item()

    return step


def tinygrad_small_cnn(*, batch: int, side: int, width: int, hidden: int) -> Step:
    """See ``images.small_cnn``; compiled as a whole by ``TinyJit``."""
    weights, turn = _small_cnn(batch, side, width, hidden)

    def loss_of(p: list[Any], x: Any, labels: Any) -> Any:
        for number in range(4):
            x = x.conv2d(p[2 * number], p[2 * number + 1], padding=1).relu()
            if number % 2:
                x = x.max_pool2d((2, 2))
        return _dense(p[8:], x.reshape(batch, -1)).sparse_categorical_crossentropy(labels)

    train = _tinygrad_training(weights, loss_of, momentum=MOMENTUM, decay=DECAY)
    return lambda: train(*next(turn)).item()


def tinygrad_convolution(*, batch: int, channels: int, side: int) -> Step:
    """See ``convolutions.both``; compiled as a whole by ``TinyJit``."""
    tinygrad = importlib.import_module("tinygrad")
    weight, dy, images = _convolution(batch, channels, side)
    w, dy = tinygrad.Tensor(weight).realize(), tinygrad.Tensor(dy).realize()
    turn = itertools.cycle([tinygrad.Tensor(image).realize() for image in images])

    @tinygrad.TinyJit
    def all_three(x: Any) -> Any:
        y = x.conv2d(w, padding=1)
        dx, dw = (y * dy).sum().gradient(x, w)
        y.realize(dx, dw)
        return y, dx, dw

    def step() -> float:
        return sum(part[-1].square().mean().item() for part in all_three(next(turn)))

    return step


def _dense(parameters: Sequence[Any], x: Any) -> Any:
    """Linear layers with ReLU between them."""
    pairs = list(zip(parameters[::2], parameters[1::2]))
    for number, (w, b) in enumerate(pairs):
        x = x.linear(w.transpose(), b)
        x = x.relu() if number < len(pairs) - 1 else x
    return x


def _tinygrad_training(weights: Sequence[np.ndarray], loss_of: Any, momentum: float, decay: float) -> Any:
    """A step of SGD, as a function of a batch of NumPy arrays."""
    tinygrad, nn = importlib.import_module("tinygrad"), importlib.import_module("tinygrad.nn")
    parameters = [tinygrad.Tensor(weight).realize() for weight in weights]
    optimizer = nn.optim.SGD(parameters, lr=0.01, momentum=momentum, weight_decay=decay)

    @tinygrad.TinyJit
    def train(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(parameters, x, y).backward()
        return loss.realize(*optimizer.schedule_step())

    def step(x: np.ndarray, y: np.ndarray) -> Any:
        with tinygrad.Context(TRAINING=1):
            return train(tinygrad.Tensor(x).realize(), tinygrad.Tensor(y).realize())

    return step
