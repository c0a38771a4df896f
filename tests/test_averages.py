"""Averages of weights: the rules, the buffers, and the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.optim import swa_utils
from minigrad.optim.swa_utils import AveragedModel, update_bn

RULES: dict[str, Any] = {
    "mean": lambda s: {},
    "mean, all at once": lambda s: {"multi_avg_fn": s.get_swa_multi_avg_fn()},
    "mean, one by one": lambda s: {"avg_fn": s.get_swa_avg_fn()},
    "moving, all at once": lambda s: {"multi_avg_fn": s.get_ema_multi_avg_fn(0.7)},
    "moving, one by one": lambda s: {"avg_fn": s.get_ema_avg_fn(0.7)},
    "the user's own": lambda s: {"avg_fn": lambda average, current, count: average * 0.5 + current * 0.25},
}


def model(m: Any) -> Any:
    return m.nn.Sequential(m.nn.Linear(2, 3), m.nn.BatchNorm1d(3))


def weights(step: int, value: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng([step, value.size])
    return (rng.standard_normal(value.shape) * 10).astype(value.dtype)


def run(m: Any, rule: Any, use_buffers: bool = False, steps: int = 5) -> tuple[Any, list[dict[str, np.ndarray]]]:
    """The average, and the model's tensors at each step."""
    net = model(m)
    average = AveragedModel(net, use_buffers=use_buffers, **rule) if m is minigrad else _torchs(m, net, rule, use_buffers)
    seen = []
    for step in range(steps):
        state = {name: weights(step, value.numpy()) for name, value in net.state_dict().items()}
        net.load_state_dict({name: m.tensor(value) for name, value in state.items()})
        average.update_parameters(net)
        seen.append(state)
    return average, seen


def _torchs(m: Any, net: Any, rule: Any, use_buffers: bool) -> Any:
    return m.optim.swa_utils.AveragedModel(net, use_buffers=use_buffers, **rule)


@pytest.mark.parametrize("name", list(RULES))
def test_rules(name: str) -> None:
    average, seen = run(minigrad, RULES[name](swa_utils))
    ours = average.module.state_dict()
    for key in ("0.weight", "0.bias", "1.weight"):
        expected = seen[0][key].astype(np.float64)
        for count, state in enumerate(seen[1:], 1):
            current = state[key]
            if name.startswith("mean"):
                expected = expected + (current - expected) / (count + 1)
            elif name.startswith("moving"):
                expected = 0.7 * expected + 0.3 * current
            else:
                expected = 0.5 * expected + 0.25 * current
        assert np.abs(ours[key].numpy() - expected).max() < 1e-5
    assert average.n_averaged.item() == 5
    for key in ("1.running_mean", "1.num_batches_tracked"):  # buffers are those of the model
        assert np.array_equal(ours[key].numpy(), seen[-1][key])


def test_buffers_are_averaged_where_asked() -> None:
    average, seen = run(minigrad, {}, use_buffers=True)
    mean = np.mean([state["1.running_mean"] for state in seen], axis=0)
    assert np.abs(average.module[1].running_mean.numpy() - mean).max() < 1e-5


@pytest.mark.peer
@pytest.mark.parametrize(
    ("name", "use_buffers"),
    # PyTorch's other rules cannot average the integer buffer of batch norm
    [*((name, False) for name in RULES), ("mean", True), ("moving, all at once", True), ("moving, one by one", True)],
)
def test_averages_are_pytorchs(name: str, use_buffers: bool) -> None:
    import torch

    ours, _ = run(minigrad, RULES[name](swa_utils), use_buffers)
    theirs, _ = run(torch, RULES[name](torch.optim.swa_utils), use_buffers)
    expected = theirs.state_dict()
    assert list(ours.state_dict()) == list(expected)
    for key, value in ours.state_dict().items():
        assert np.abs(value.numpy().astype(np.float64) - expected[key].numpy()).max() < 1e-5, key


def test_the_average_is_a_copy_and_a_model(tmp_path: Path) -> None:
    net = minigrad.nn.Linear(2, 1)
    average = AveragedModel(net, device=minigrad.get_default_device())
    x = minigrad.randn(3, 2)
    assert average(x).tolist() == net(x).tolist()
    average.update_parameters(net)
    with minigrad.no_grad():
        net.weight.add_(1)
    assert average.module.weight.tolist() != net.weight.tolist()
    average.update_parameters(net)
    minigrad.save(average.state_dict(), tmp_path / "average")
    again = AveragedModel(minigrad.nn.Linear(2, 1))
    again.load_state_dict(minigrad.load(tmp_path / "average"))
    assert list(again.state_dict()) == ["n_averaged", "module.weight", "module.bias"]
    assert again.n_averaged.item() == 2 and again(x).tolist() == average(x).tolist()
    for one in (average, again):
        one.update_parameters(net)
    assert again(x).tolist() == average(x).tolist()


def test_update_counts_as_a_change() -> None:
    net = minigrad.nn.Linear(2, 1)
    average = AveragedModel(net)
    before = average.module.weight._version
    average.update_parameters(net)
    assert average.module.weight._version == before + 1


def test_update_bn() -> None:
    data = minigrad.randn(12, 3) * 2 + 1
    net = minigrad.nn.Sequential(minigrad.nn.BatchNorm1d(3)).eval()
    update_bn([(data[:6], 0), [data[6:]]], net)
    assert not net.training and net[0].momentum == 0.1
    assert net[0].running_mean.numpy() == pytest.approx(data.numpy().mean(axis=0), abs=1e-6)
    update_bn([data], minigrad.nn.Linear(3, 1))  # nothing to do


def test_refusals() -> None:
    net = minigrad.nn.Linear(2, 1)
    with pytest.raises(ArgumentError, match="one of them, or none, got both"):
        AveragedModel(net, avg_fn=swa_utils.get_swa_avg_fn(), multi_avg_fn=swa_utils.get_swa_multi_avg_fn())
    with pytest.raises(ShapeError, match=r"got \[\(1, 3\)"):
        AveragedModel(net).update_parameters(minigrad.nn.Linear(3, 1))
    for make in (swa_utils.get_ema_avg_fn, swa_utils.get_ema_multi_avg_fn):
        for decay in (-0.1, 1.1):
            with pytest.raises(ArgumentError, match="decay"):
                make(decay)
        with pytest.raises(DTypeError, match="a number"):
            make("slow")
