"""Whole networks: the same source text runs with minigrad and with PyTorch, and gradients and training are the same.

The convolutional networks are ``models/cnn.py`` and ``models/resnet.py`` themselves; the recurrent classifier stands here.
They import ``minigrad``, ``minigrad.nn`` and what is below it, and run with PyTorch when these imports give ``torch``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.optim
from minigrad.benchmarks.source import model_source, run_source
from tests import devices
from tests.harness import check_gradients, difference

NEAR = 1e-9  # of the steps of a numeric derivative: deep networks have a kink of a ReLU6 within 1e-8
CNN, EFFICIENT = model_source("cnn"), model_source("efficientnet")
CLASSIFIER = '''
import minigrad
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Classifier(nn.Module):
    """Embedded tokens through a two-layer bidirectional LSTM; classes from its last states and the mean of its outputs."""

    def __init__(self, tokens: int = 11, width: int = 6, hidden: int = 8, classes: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width, padding_idx=0)
        self.lstm = nn.LSTM(width, hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(4 * hidden)
        self.head = nn.Sequential(nn.Linear(4 * hidden, 10), nn.Tanh(), nn.Linear(10, classes))

    def forward(self, tokens: minigrad.Tensor, lengths: minigrad.Tensor) -> minigrad.Tensor:
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        output, (hidden, _) = self.lstm(packed)
        padded, lengths = pad_packed_sequence(output, batch_first=True)
        mean = padded.sum(1) / lengths.to(padded).unsqueeze(1)
        return self.head(self.norm(minigrad.cat([hidden[-2], hidden[-1], mean], dim=1)))
'''
STEPS, RATE = 30, 0.01


def images(batch: int, side: int = 16) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(batch)
    return rng.standard_normal((4, 3, side, side)), rng.integers(0, 10, 4)


def photos(batch: int) -> tuple[np.ndarray, ...]:
    """So large that the last batch norm sees more than one pixel of each image: over four numbers, rounding errors grow."""
    return images(batch, 64)


def sentences(batch: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(batch)
    lengths = rng.integers(1, 8, 5)
    lengths[2] = 7
    tokens = rng.integers(1, 11, (5, 7))
    tokens[np.arange(7) >= lengths[:, None]] = 0
    return tokens, lengths, rng.integers(0, 4, 5)


NETWORKS: list[tuple[str, str, Callable[[dict[str, Any]], Any], Callable[[int], tuple[np.ndarray, ...]]]] = [
    ("resnet20", CNN, lambda names: names["ResNet"](depth=20), images),
    ("plain", CNN, lambda names: names["PlainCNN"](image_size=(16, 16), width=8, hidden=20), images),
    ("plain-norm", CNN, lambda names: names["PlainCNN"](image_size=(16, 16), width=4, hidden=9, norm=True, stages=3), images),
    ("resnet8-odd", CNN, lambda names: names["ResNet"](depth=8, width=3), images),
    ("resnet18", CNN, lambda names: names["ResNet18"](10, width=3), photos),
    ("resnet18-small", CNN, lambda names: names["ResNet18"](10, width=3, small_images=True), images),
    ("bottlenecks", CNN, lambda names: names["ResNet18"](10, layers=(1, 2, 1, 1), width=2, bottleneck=True), photos),
    ("efficientnet", EFFICIENT, lambda names: names["EfficientNetLite"](10, dropout=0.0), photos),
    ("lstm", CLASSIFIER, lambda names: names["Classifier"](), sentences),
]


def build(text: str, make: Callable[[dict[str, Any]], Any]) -> Any:
    """The network in minigrad, in float64, from a fixed seed."""
    minigrad.manual_seed(0)
    return make(run_source(text, "minigrad")).double()


def logits_of(m: Any, net: Any, batch: tuple[np.ndarray, ...]) -> np.ndarray:
    return net(*[m.tensor(array) for array in batch[:-1]]).detach().numpy()


def loss_of(m: Any, net: Any, batch: tuple[np.ndarray, ...]) -> Any:
    *inputs, labels = [m.tensor(array) for array in batch]
    return m.nn.functional.cross_entropy(net(*inputs), labels)


def train(
    m: Any, net: Any, batches: Callable[[int], tuple[np.ndarray, ...]], optimizer: Any, steps: int = STEPS
) -> list[float]:
    losses = []
    for step in range(steps):
        loss = loss_of(m, net, batches(step % 6))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(("name", "text", "make", "batches"), NETWORKS, ids=[row[0] for row in NETWORKS])
def test_gradient_is_the_numeric_one(name: str, text: str, make: Any, batches: Any) -> None:
    """Along random directions in the space of all parameters."""
    net = build(text, make)
    batch = batches(0)
    loss_of(minigrad, net, batch).backward()
    parameters = list(net.parameters())
    start = [parameter.detach().numpy().copy() for parameter in parameters]
    rng = np.random.default_rng(1)
    for _ in range(2):
        direction = [rng.standard_normal(parameter.shape) for parameter in parameters]
        values = []
        for sign in (1, -1):
            for parameter, array, way in zip(parameters, start, direction, strict=True):
                devices.put(parameter, array + sign * NEAR * way)
            with minigrad.no_grad():
                values.append(loss_of(minigrad, net, batch).item())
        along = sum(float((p.grad.numpy() * way).sum()) for p, way in zip(parameters, direction, strict=True))
        assert abs((values[0] - values[1]) / (2 * NEAR) - along) <= 1e-5 * abs(along)


def test_training_brings_the_loss_down() -> None:
    _, text, make, batches = NETWORKS[-1]
    net = build(text, make)
    losses = train(minigrad, net, lambda _: batches(0), minigrad.optim.Adam(net.parameters(), lr=0.03))
    assert losses[-1] < 0.05 * losses[0]


@pytest.mark.parametrize(("name", "text", "make", "batches"), NETWORKS, ids=[row[0] for row in NETWORKS])
def test_state_of_a_network_makes_another_the_same(name: str, text: str, make: Any, batches: Any) -> None:
    net, other = build(text, make), make(run_source(text, "minigrad")).double()
    other.load_state_dict(net.state_dict())
    net.eval()
    other.eval()
    assert loss_of(minigrad, net, batches(0)).item() == loss_of(minigrad, other, batches(0)).item()


@pytest.mark.peer
@pytest.mark.parametrize(("name", "text", "make", "batches"), NETWORKS, ids=[row[0] for row in NETWORKS])
def test_same_source_same_gradients_same_training(name: str, text: str, make: Any, batches: Any) -> None:
    """Per parameter max|g - g'| <= 1e-10 max|g'|, before and after 30 steps of SGD, whose losses are equal to 1e-10.

    Of the deepest network to 1e-8, and after two steps: what rounding leaves grows tenfold in each. What is but rounding,
    such as a shift and its gradient in front of a batch norm, is not compared.

    The gradients also in evaluation; the running statistics and all else in the state after the steps; the logits each time.
    """
    import torch

    ours, theirs = build(text, make), make(run_source(text, "torch")).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    theirs.load_state_dict({key: torch.tensor(tensor.numpy()) for key, tensor in ours.state_dict().items()})

    steps, within = (2, 1e-8) if name == "efficientnet" else (STEPS, 1e-10)

    def compare_gradients() -> None:
        for m, net in ((minigrad, ours), (torch, theirs)):
            net.zero_grad()
            loss_of(m, net, batches(9)).backward()
        assert difference(logits_of(minigrad, ours, batches(8)), logits_of(torch, theirs, batches(8))) <= 1e-10
        check_gradients(ours, theirs, within=within, nothing=1e-12)

    compare_gradients()
    losses = train(minigrad, ours, batches, minigrad.optim.SGD(ours.parameters(), lr=RATE), steps)
    their_losses = train(torch, theirs, batches, torch.optim.SGD(theirs.parameters(), lr=RATE), steps)
    assert np.abs(np.array(losses) - np.array(their_losses)).max() <= 1e-10
    compare_gradients()
    for our, their in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        pair = our.numpy(), their.numpy()
        assert difference(*pair) <= 1e-10 or max(float(np.abs(each).max()) for each in pair) < 1e-14
    ours.eval()
    theirs.eval()
    compare_gradients()
