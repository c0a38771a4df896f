"""nn.init: distributions against their formulas, exact matrices, generators; PyTorch beside where nothing is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import truncnorm

import minigrad
from minigrad import nn
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.nn import init
from tests.harness import Refusal

SHAPE = (60, 40, 3, 3)  # fan_in 360, fan_out 540
MANY = 60 * 40 * 9


def filled(function: Callable[..., Any], *args: Any, shape: tuple[int, ...] = SHAPE, **words: Any) -> np.ndarray:
    """The numbers that a function fills in; it must return its tensor, and ask for no gradient on the way."""
    tensor = minigrad.zeros(*shape, dtype=minigrad.float64, requires_grad=True)
    generator = minigrad.Generator().manual_seed(5)
    assert function(tensor, *args, **words, generator=generator) is tensor
    assert tensor.is_leaf
    return tensor.detach().numpy()


UNIFORM = [
    (init.uniform_, (), {}, 0.0, 1.0),
    (init.uniform_, (-3.0, 5.0), {}, -3.0, 5.0),
    (init.xavier_uniform_, (), {}, -math.sqrt(6 / 900), math.sqrt(6 / 900)),
    (init.xavier_uniform_, (2.0,), {}, -2 * math.sqrt(6 / 900), 2 * math.sqrt(6 / 900)),
    (init.kaiming_uniform_, (), {}, -math.sqrt(6 / 360), math.sqrt(6 / 360)),
    (init.kaiming_uniform_, (), {"mode": "fan_out", "nonlinearity": "relu"}, -math.sqrt(6 / 540), math.sqrt(6 / 540)),
    (init.kaiming_uniform_, (math.sqrt(5),), {}, -1 / math.sqrt(360), 1 / math.sqrt(360)),
    (init.kaiming_uniform_, (), {"nonlinearity": "tanh"}, -5 / math.sqrt(3 * 360), 5 / math.sqrt(3 * 360)),
]


@pytest.mark.parametrize(("function", "args", "words", "low", "high"), UNIFORM)
def test_uniform(function: Any, args: tuple, words: dict[str, Any], low: float, high: float) -> None:
    numbers = filled(function, *args, **words)
    width = high - low
    assert low <= numbers.min() < low + width / 500 and high - width / 500 < numbers.max() <= high
    counts, _ = np.histogram(numbers, bins=10, range=(low, high))
    assert np.abs(counts - MANY / 10).max() < 5 * math.sqrt(MANY / 10)


NORMAL = [
    (init.normal_, (), {}, 0.0, 1.0),
    (init.normal_, (3.0, 0.5), {}, 3.0, 0.5),
    (init.xavier_normal_, (), {}, 0.0, math.sqrt(2 / 900)),
    (init.xavier_normal_, (0.5,), {}, 0.0, 0.5 * math.sqrt(2 / 900)),
    (init.kaiming_normal_, (), {}, 0.0, math.sqrt(2 / 360)),
    (init.kaiming_normal_, (), {"mode": "fan_out"}, 0.0, math.sqrt(2 / 540)),
    (init.kaiming_normal_, (0.5,), {}, 0.0, math.sqrt(2 / 1.25 / 360)),
]


@pytest.mark.parametrize(("function", "args", "words", "mean", "std"), NORMAL)
def test_normal(function: Any, args: tuple, words: dict[str, Any], mean: float, std: float) -> None:
    numbers = (filled(function, *args, **words) - mean) / std
    assert abs(numbers.mean()) < 5 / math.sqrt(MANY)
    assert abs(numbers.std() - 1) < 5 / math.sqrt(2 * MANY)
    for bound, share in ((1, 0.6827), (2, 0.9545)):
        assert abs((np.abs(numbers) < bound).mean() - share) < 5 * math.sqrt(share * (1 - share) / MANY)


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0.0, 1.0, -2.0, 2.0), (1.0, 2.0, 0.5, 2.0), (0.0, 1.0, 1.0, 3.0)])
def test_truncated_normal(mean: float, std: float, a: float, b: float) -> None:
    numbers = filled(init.trunc_normal_, mean, std, a, b)
    assert numbers.min() >= a and numbers.max() <= b
    true = truncnorm((a - mean) / std, (b - mean) / std, loc=mean, scale=std)
    assert abs(numbers.mean() - true.mean()) < 5 * true.std() / math.sqrt(MANY)
    for share in (0.1, 0.5, 0.9):
        assert abs((numbers < true.ppf(share)).mean() - share) < 5 * math.sqrt(share * (1 - share) / MANY)


def test_truncated_normal_of_a_single_number() -> None:
    assert abs(filled(init.trunc_normal_, shape=())) <= 2


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (4, 2, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    numbers = filled(init.orthogonal_, 1.5, shape=shape).reshape(shape[0], -1)
    product = numbers @ numbers.T if len(numbers) <= numbers.shape[1] else numbers.T @ numbers
    assert np.allclose(product, 2.25 * np.eye(len(product)))


def test_orthogonal_leans_to_no_side() -> None:
    generator = minigrad.Generator().manual_seed(1)
    signs = [init.orthogonal_(minigrad.zeros(3, 3), generator=generator)[0, 0].item() > 0 for _ in range(200)]
    assert 60 < sum(signs) < 140


def test_sparse() -> None:
    numbers = filled(init.sparse_, 0.3, 2.0, shape=(10, 400))
    assert ((numbers == 0).sum(0) == 3).all()
    assert len({tuple(np.nonzero(column == 0)[0]) for column in numbers.T}) > 50
    assert abs(numbers[numbers != 0].std() - 2) < 0.2


@pytest.mark.parametrize(
    ("function", "args", "wanted"),
    [
        (init.constant_, (2.5,), np.full((2, 3), 2.5)),
        (init.ones_, (), np.ones((2, 3))),
        (init.zeros_, (), np.zeros((2, 3))),
        (init.eye_, (), np.eye(2, 3)),
    ],
)
def test_fixed(function: Any, args: tuple, wanted: np.ndarray) -> None:
    tensor = minigrad.full((2, 3), 9.0, requires_grad=True)
    assert function(tensor, *args) is tensor and np.array_equal(tensor.detach().numpy(), wanted)


@pytest.mark.parametrize("groups", [1, 2])
def test_dirac_hands_channels_on(groups: int) -> None:
    layer = nn.Conv2d(4, 6, 3, padding=1, groups=groups, bias=False)
    init.dirac_(layer.weight, groups)
    x = np.random.default_rng(0).standard_normal((1, 4, 5, 5)).astype(np.float32)
    y = layer(minigrad.tensor(x)).detach().numpy()
    if groups == 1:
        assert np.array_equal(y[:, :4], x) and (y[:, 4:] == 0).all()
    else:
        assert np.array_equal(y[:, :2], x[:, :2]) and np.array_equal(y[:, 3:5], x[:, 2:])


def test_generators_decide() -> None:
    for function in (init.uniform_, init.normal_, init.kaiming_normal_, init.orthogonal_, init.trunc_normal_):
        assert np.array_equal(filled(function), filled(function))
        again = function(minigrad.zeros(*SHAPE, dtype=minigrad.float64), generator=minigrad.Generator().manual_seed(6))
        assert not np.array_equal(again.numpy(), filled(function))
    first, second = (nn.Linear(3, 3) for _ in range(2) if minigrad.manual_seed(0))
    assert first.weight.tolist() == second.weight.tolist()


def test_empty_weights_are_left_alone() -> None:
    for function in (init.kaiming_uniform_, init.kaiming_normal_, init.orthogonal_, init.uniform_):
        assert function(minigrad.zeros(0, 3)).shape == (0, 3)
    assert nn.Linear(0, 2)(minigrad.zeros(1, 0)).shape == (1, 2)


@pytest.mark.parametrize(
    ("layer", "bound"),
    [
        (lambda: nn.Linear(64, 200), 1 / 8),
        (lambda: nn.Conv2d(8, 100, (4, 2)), 1 / 8),
        (lambda: nn.Conv1d(32, 100, 4, groups=2), 1 / 8),
        (lambda: nn.ConvTranspose2d(8, 16, 2, groups=1), 1 / 8),
        (lambda: nn.Bilinear(64, 3, 50), 1 / 8),
        (lambda: nn.LSTM(5, 64), 1 / 8),
        (lambda: nn.GRUCell(5, 64), 1 / 8),
    ],
)
def test_layers_begin_as_pytorchs(layer: Callable[[], Any], bound: float) -> None:
    minigrad.manual_seed(3)
    for parameter in layer().parameters():
        numbers = parameter.detach().numpy()
        assert np.abs(numbers).max() <= bound
        if numbers.size >= 100:
            assert np.abs(numbers).max() > 0.9 * bound and abs(numbers.mean()) < 5 * bound / math.sqrt(3 * numbers.size)


def test_embedding_and_norms_begin_as_pytorchs() -> None:
    table = nn.Embedding(200, 50, padding_idx=3).weight.detach().numpy()
    assert (table[3] == 0).all() and abs(table.std() - 1) < 0.05
    norm = nn.BatchNorm2d(3)
    assert norm.weight.tolist() == [1] * 3 == norm.running_var.tolist() and norm.bias.tolist() == [0] * 3
    norm(minigrad.randn(4, 3, 2, 2))
    assert norm.num_batches_tracked.item() == 1 and norm.running_mean.tolist() != [0] * 3
    norm.reset_running_stats()
    assert norm.num_batches_tracked.item() == 0 and norm.running_mean.tolist() == [0] * 3


REFUSALS = [
    Refusal("gain", lambda m: init.calculate_gain("swish"), ArgumentError, ("nonlinearity", "leaky_relu", "'swish'")),
    Refusal("gain of a text", lambda m: init.calculate_gain("leaky_relu", "x"), DTypeError, ("param", "'x'")),
    Refusal("gain of a truth", lambda m: init.calculate_gain("leaky_relu", True), ArgumentError, ("param", "True")),
    Refusal("fan", lambda m: init.xavier_uniform_(m.zeros(3)), ShapeError, ("xavier_uniform_", "at least 2", "(3,)")),
    Refusal(
        "mode", lambda m: init.kaiming_normal_(m.zeros(3, 3), mode="in"), ArgumentError, ("kaiming_normal_", "mode", "'in'")
    ),
    Refusal("trunc", lambda m: init.trunc_normal_(m.zeros(3), a=2.0, b=1.0), ArgumentError, ("a < b", "2.0, 1.0")),
    Refusal("trunc std", lambda m: init.trunc_normal_(m.zeros(3), std=0.0), ArgumentError, ("std > 0", "0.0")),
    Refusal("eye", lambda m: init.eye_(m.zeros(3)), ShapeError, ("eye_", "2 dimensions", "(3,)")),
    Refusal("dirac", lambda m: init.dirac_(m.zeros(3, 3)), ShapeError, ("dirac_", "3, 4 or 5", "(3, 3)")),
    Refusal("dirac groups", lambda m: init.dirac_(m.zeros(3, 3, 3), 2), ShapeError, ("2 groups", "3")),
    Refusal("orthogonal", lambda m: init.orthogonal_(m.zeros(3)), ShapeError, ("orthogonal_", "(3,)")),
    Refusal("sparse", lambda m: init.sparse_(m.zeros(3), 0.1), ShapeError, ("sparse_", "(3,)")),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_refusal_says_what_to_do(refusal: Refusal) -> None:
    with pytest.raises(refusal.error) as caught:
        refusal.call(minigrad)
    for word in refusal.words:
        assert word in str(caught.value)


@pytest.mark.peer
def test_what_has_no_chance_is_pytorchs() -> None:
    import torch

    for name, param in [(n, None) for n in ("linear", "conv2d", "conv_transpose1d", "sigmoid", "tanh", "relu", "selu")] + [
        ("leaky_relu", None),
        ("leaky_relu", 0.2),
        ("leaky_relu", 1),
    ]:
        assert init.calculate_gain(name, param) == pytest.approx(torch.nn.init.calculate_gain(name, param), rel=1e-15)
    for shape in ((4, 3, 3), (6, 4, 2, 3), (4, 4, 3, 2, 2)):
        for groups in (1, 2):
            ours, theirs = init.dirac_(minigrad.zeros(*shape), groups), torch.nn.init.dirac_(torch.zeros(*shape), groups)
            assert np.array_equal(ours.numpy(), theirs.numpy())
    for shape in ((5, 3), (5, 3, 2), (5, 3, 2, 4)):
        ours = init._calculate_fan_in_and_fan_out(minigrad.zeros(*shape))
        assert ours == torch.nn.init._calculate_fan_in_and_fan_out(torch.zeros(*shape))
