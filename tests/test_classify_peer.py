"""The training of ``classify`` step by step beside the same in PyTorch, in float64: network, loss, clipping, rule and rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad.benchmarks.source import run_source
from minigrad.models.classify import Classify, ClassifySettings
from tests.harness import difference
from tests.shape_images import shapes
from tests.test_networks import CNN

CASES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "mix-up, smoothed": {"mixup": 0.4, "label_smoothing": 0.1},
    "sgd, clipped": {"optimizer": "sgd", "schedule": "cosine", "clip_norm": 0.5},
    "sgd without momentum": {"optimizer": "sgd", "schedule": "constant", "momentum": 0, "weight_decay": 0.1},
    "resnet20": {"network": "resnet20", "hidden": None, "dropout": None, "width": 2},
    "an average": {"average": 0.9, "schedule": "cosine"},
}
STEPS = 5


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(shapes(tmp_path_factory.mktemp("peer") / "shapes", 8, mixed=False))


def peer(task: Classify, names: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The network with the task's weights, its optimiser and its schedule in PyTorch, as its documentation would write them."""
    import torch

    settings, card = task.settings, task.card
    net = names["build"](card.network, card.shape, len(card.classes), **card.options).double()
    net.load_state_dict({key: torch.tensor(tensor.numpy()) for key, tensor in task.descent.module.state_dict().items()})
    rate, decay = settings.lr or 0.0, settings.weight_decay or 0.0
    optimizer: Any = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
    if settings.optimizer == "sgd":
        optimizer = torch.optim.SGD(
            net.parameters(), rate, momentum=settings.momentum, nesterov=settings.momentum > 0, weight_decay=decay
        )
    schedule: Any = None
    if settings.schedule == "onecycle":
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=task.total_steps)
    elif settings.schedule == "cosine":
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.total_steps)
    return net, optimizer, schedule


@pytest.mark.peer
@pytest.mark.parametrize("case", CASES)
def test_steps_are_pytorchs(case: str, data: str) -> None:
    import torch

    chosen = {"epochs": 2, "batch_size": 6, "image_size": 16, "width": 4, "hidden": 8, "dropout": 0.0, "crop": 2, **CASES[case]}
    task = Classify(data, ClassifySettings.of(chosen))
    task.descent = task._descent(task.card.build().double())
    net, optimizer, schedule = peer(task, run_source(CNN, "torch"))
    averaged = None
    if task.settings.average:
        averaged = {key: value.clone() for key, value in net.state_dict().items()}
    batches = task.batches()
    for step in range(STEPS):
        images, targets, numbers = next(batches)
        exact = targets if targets.ndim == 1 else targets.double()
        metrics = task.step((images.double(), exact, numbers)).metrics

        optimizer.zero_grad()
        logits = net(torch.tensor(images.numpy()).double())
        truth = torch.tensor(exact.numpy())
        loss = torch.nn.functional.cross_entropy(logits, truth, label_smoothing=task.settings.label_smoothing)
        loss.backward()
        rate = optimizer.param_groups[0]["lr"]
        if task.settings.clip_norm:
            norm = torch.nn.utils.clip_grad_norm_(net.parameters(), task.settings.clip_norm)
            assert float(metrics["grad_norm"]) == pytest.approx(float(norm), rel=1e-9)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        if averaged is not None:
            for key, value in net.state_dict().items():
                decay = min(task.settings.average, (1 + step) / (10 + step))
                whole = not value.is_floating_point()
                averaged[key] = value.clone() if step == 0 or whole else decay * averaged[key] + (1 - decay) * value

        plain = torch.nn.functional.cross_entropy(logits, truth)
        assert float(metrics["loss"]) == pytest.approx(plain.item(), rel=1e-9), step
        assert float(metrics["lr"]) == pytest.approx(rate, rel=1e-12)
        right = (logits.argmax(dim=1) == (truth if truth.ndim == 1 else truth.argmax(dim=1))).double().mean()
        assert float(metrics["accuracy"]) == pytest.approx(right.item())
        for (key, ours), theirs in zip(task.descent.module.state_dict().items(), net.state_dict().values(), strict=True):
            assert difference(ours.numpy(), theirs.numpy()) <= 1e-8, (step, key)
    for key, value in (averaged or {}).items():
        if value.is_floating_point():
            assert difference(task.weights()[key].numpy(), value.numpy()) <= 1e-8, key


@pytest.mark.peer
def test_what_it_says_is_what_pytorch_says(data: str) -> None:
    """Probabilities and the loss of a judgement, by the softmax and the cross-entropy of PyTorch."""
    import torch

    task = Classify(data, ClassifySettings.of({"epochs": 3, "batch_size": 6, "image_size": 16, "width": 4, "hidden": 8}))
    for batch, _ in zip(task.batches(), range(3), strict=False):
        task.step(batch)
    net = run_source(CNN, "torch")["build"]("cnn", task.card.shape, 3, **task.card.options)
    net.load_state_dict({key: torch.tensor(tensor.numpy()) for key, tensor in task.weights().items()})
    images = task.data.validation
    pixels = torch.tensor(images.pixels(range(len(images)))).float() / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (task.card.mean, task.card.std))
    with torch.no_grad():
        logits = net.eval()((pixels - mean) / std)
    judgement = task.judge(images)
    assert np.abs(judgement.probabilities - logits.softmax(dim=1).numpy()).max() < 1e-5
    assert judgement.loss == pytest.approx(
        torch.nn.functional.cross_entropy(logits, torch.tensor(images.labels)).item(), rel=1e-4
    )
