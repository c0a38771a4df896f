"""The smallest whole task: a line through noisy points.

``with Run("runs/line") as run: fit(Line(), run)`` trains it (both are in ``minigrad.train``), and the same line of code goes on
with a training that was stopped or killed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import minigrad
from minigrad import Tensor, nn
from minigrad.data import DataLoader, TensorDataset
from minigrad.nn import functional as F
from minigrad.train.descent import Descent
from minigrad.train.settings import Settings, setting
from minigrad.train.task import Step, Task, Track


@dataclass(frozen=True)
class LineSettings(Settings):
    """What a user may choose for ``Line``."""

    lr: float = setting(0.1, "learning rate", least=0)
    epochs: int = setting(5, "passes through the points", least=1)


class Line(Task):
    """y = a x + b through 64 points, by gradient descent on the mean squared error.

    Example:
        >>> Line(LineSettings(epochs=3)).total_steps
        24
    """

    name = "line"
    unit = "points"

    def __init__(self, settings: LineSettings | None = None) -> None:
        self.settings: LineSettings = settings or LineSettings()
        minigrad.manual_seed(self.settings.seed)
        x = minigrad.linspace(-1, 1, 64).reshape(64, 1)
        self.data = TensorDataset(x, 3 * x - 1 + 0.1 * minigrad.randn(64, 1))
        order = minigrad.Generator().manual_seed(self.settings.seed)
        self.loader = DataLoader(self.data, batch_size=8, shuffle=True, generator=order)
        model = nn.Linear(1, 1)
        self.descent = Descent(model, minigrad.optim.SGD(model.parameters(), lr=self.settings.lr))
        self.steps_per_epoch = self.evaluate_every = len(self.loader)
        self.total_steps = self.settings.epochs * len(self.loader)

    def config(self) -> dict[str, Any]:
        """The settings are all there is."""
        return {"settings": self.settings.to_dict()}

    def state(self) -> Mapping[str, Any]:
        """The network with its optimiser, and the place in the data."""
        return {"descent": self.descent, "loader": self.loader}

    def batches(self) -> Iterator[Any]:
        """Pass after pass."""
        while True:
            yield from self.loader

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean squared error."""
        return F.mse_loss(self.descent.module(x), y)

    def step(self, batch: Any) -> Step:
        """One step down the gradient."""
        return Step(len(batch[0]), self.descent.step([self.loss(*batch)]))

    def evaluate(self, track: Track) -> Mapping[str, float]:
        """The error at all points."""
        with minigrad.no_grad():
            return {"loss": self.loss(*self.data.tensors).item()}

    def weights(self) -> Mapping[str, Tensor]:
        """The line."""
        return self.descent.module.state_dict()

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take a line."""
        self.descent.module.load_state_dict(weights)
