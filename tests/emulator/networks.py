"""Small networks of each architecture, with a loss, for tests that train on the device type ``emulated``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn


class Convolutional(nn.Module):
    """Images to classes: convolutions, batch norm, pooling, dropout, cross entropy."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2),
        )  # fmt: skip
        self.head = nn.Linear(6, 3)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        return F.cross_entropy(self.head(self.body(images)), classes, label_smoothing=0.1)

    @staticmethod
    def batch() -> tuple[Tensor, ...]:
        return minigrad.randn(4, 2, 8, 8), minigrad.randint(0, 3, (4,))


class Characters(nn.Module):
    """The next character: embedding, two LSTM layers with dropout between, cross entropy."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.cells = nn.LSTM(4, 6, num_layers=2, dropout=0.3, batch_first=True)
        self.head = nn.Linear(6, 7)

    def forward(self, ids: Tensor) -> Tensor:
        outputs, _ = self.cells(self.embedding(ids[:, :-1]))
        return F.cross_entropy(self.head(outputs).flatten(0, 1), ids[:, 1:].flatten())

    @staticmethod
    def batch() -> tuple[Tensor, ...]:
        return (minigrad.randint(0, 7, (3, 6)),)


class Translation(nn.Module):
    """Encoder and decoder with attention over padded sentences; the decoder goes step by step and is fed its last context."""

    PAD = 0

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 5, padding_idx=self.PAD)
        self.encoder = nn.LSTM(5, 4, bidirectional=True, batch_first=True)
        self.start = nn.Linear(8, 6)
        self.decoder = nn.LSTMCell(5 + 8, 6)
        self.score = nn.Linear(6, 8, bias=False)
        self.head = nn.Linear(14, 9)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        keys, _ = self.encoder(self.words(source))
        hidden = self.start(keys.mean(1)).tanh()
        cell, context = minigrad.zeros_like(hidden), keys.new_zeros(len(keys), 8)
        hidden_at = source.eq(self.PAD)
        logits = []
        for word in self.words(target[:, :-1]).unbind(1):
            hidden, cell = self.decoder(minigrad.cat([word, context], 1), (hidden, cell))
            scores = (keys @ self.score(hidden).unsqueeze(2)).squeeze(2).masked_fill(hidden_at, float("-inf"))
            context = (scores.softmax(1).unsqueeze(1) @ keys).squeeze(1)
            logits.append(self.head(minigrad.cat([hidden, context], 1)))
        wanted = target[:, 1:]
        return F.cross_entropy(minigrad.stack(logits, 1).transpose(1, 2), wanted, ignore_index=self.PAD)

    @staticmethod
    def batch() -> tuple[Tensor, ...]:
        source, target = minigrad.randint(1, 9, (3, 5)), minigrad.randint(1, 9, (3, 4))
        source[0, 3:], target[1, 3:] = 0, 0
        return source, target


class Adversaries(nn.Module):
    """A generator of transposed convolutions and a discriminator of convolutions: both losses in one step."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(
            nn.ConvTranspose2d(5, 4, 4, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1), nn.Tanh(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Conv2d(2, 4, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(4, 4, 2, stride=2, bias=False),
            nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 2), nn.Flatten(0),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        noise = minigrad.randn(len(images), 5, 1, 1, device=images.device)
        made = self.generator(noise)
        real, false = self.discriminator(images), self.discriminator(made.detach())
        judged = F.binary_cross_entropy_with_logits(real, minigrad.ones_like(real))
        judged = judged + F.binary_cross_entropy_with_logits(false, minigrad.zeros_like(false))
        fooled = self.discriminator(made)
        return judged + F.binary_cross_entropy_with_logits(fooled, minigrad.ones_like(fooled))

    @staticmethod
    def batch() -> tuple[Tensor, ...]:
        return (minigrad.randn(3, 2, 8, 8),)


class Row(NamedTuple):
    """A network by its name, and how to make it and a batch for it."""

    name: str
    make: Callable[[], nn.Module]
    batch: Callable[[], tuple[Tensor, ...]]

    def __repr__(self) -> str:
        return self.name


NETWORKS = [Row(each.__name__.lower(), each, each.batch) for each in (Convolutional, Characters, Translation, Adversaries)]


def moved(batch: tuple[Tensor, ...], where: str) -> tuple[Any, ...]:
    """A batch on a device."""
    return tuple(tensor.to(where) for tensor in batch)
