"""What the type hints of public functions and constructors promise is kept, by name and without a cost to what is right."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core.hints import checked, hints_of
from minigrad.errors import DTypeError, MinigradError, OutOfMemoryError

F, nn = minigrad.nn.functional, minigrad.nn
x = minigrad.ones(2, 3)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: x.sum(0, keepdim="False"), "sum: keepdim: expected True or False, got 'False'."),
        (lambda: x.sum(0, keepdim=1), "sum: keepdim: expected True or False, got 1."),
        (lambda: x.sum(0, np.bool_(True)), "sum: keepdim: expected True or False, got numpy.bool. Call bool() on it."),
        (lambda: x.mean(0, None), "mean: keepdim: expected True or False, got None."),
        (lambda: F.dropout(x, "0.5"), "dropout: p: expected a number, got '0.5'."),
        (lambda: F.dropout(x, training="no"), "dropout: training: expected True or False, got 'no'."),
        (lambda: F.elu(x, minigrad.ones(1)), "got a Tensor of shape (1,). Call .item() to get a number."),
        (lambda: F.mse_loss(x, 1.5), "mse_loss: target: expected a Tensor, got float. Wrap it in minigrad.tensor()."),
        (lambda: F.mse_loss(x, x.numpy()), "target: expected a Tensor, got numpy.ndarray. Wrap it in minigrad.tensor()."),
        (lambda: F.mse_loss(x, x, reduction=None), "mse_loss: reduction: expected a string, got None."),
        (lambda: x.topk(True), "topk: k: expected an integer, got True."),
        (lambda: x.topk(1.0), "topk: k: expected an integer, got 1.0."),
        (lambda: x.view_as(3), "view_as: other: expected a Tensor, got int."),
        (lambda: F.cross_entropy(x, x, weight=0.5), "cross_entropy: weight: expected a Tensor or None, got float."),
        (lambda: minigrad.rand(2, generator=3), "rand: generator: expected a minigrad.Generator or None, got int."),
        (lambda: nn.Linear(2, "3"), "Linear: out_features: expected an integer, got '3'."),
        (lambda: nn.Linear(2, 3, bias="no"), "Linear: bias: expected True or False, got 'no'."),
        (lambda: nn.LSTM(3, 4, True), "LSTM: num_layers: expected an integer, got True."),
        (lambda: nn.LSTM(3, 4, bidirectional=None), "LSTM: bidirectional: expected True or False, got None."),
        (lambda: nn.init.uniform_([1.0]), "uniform_: tensor: expected a Tensor, got list."),
        (lambda: nn.init.uniform_(x, "a"), "uniform_: a: expected a number, got 'a'."),
        (lambda: minigrad.optim.SGD([x], lr="fast"), "SGD: lr: expected a number, got 'fast'."),
        (lambda: minigrad.optim.lr_scheduler.StepLR(3, 1), "StepLR: optimizer: expected an Optimizer, got int."),
        (lambda: minigrad.data.DataLoader([1], batch_size="2"), "batch_size: expected an integer or None, got '2'."),
        (lambda: minigrad.nn.utils.clip_grad_value_(x, "a"), "clip_grad_value_: clip_value: expected a number, got 'a'."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_kind_is_refused_by_name(call: Callable[[], Any], text: str) -> None:
    with pytest.raises(DTypeError) as caught:
        call()
    assert text in str(caught.value)


def test_what_counts_as_the_kind_passes() -> None:
    """NumPy's numbers, integers for floats, Parameters for Tensors, and 0 and 1 for truth values of layers, as in PyTorch."""
    assert x.topk(np.int64(2))[0].shape == (2, 2)
    assert x.topk(minigrad.tensor(2))[0].shape == (2, 2)
    assert F.dropout(x, 0).tolist() == F.dropout(x, np.float32(0)).tolist() == x.tolist()
    assert F.linear(x, nn.Parameter(minigrad.ones(4, 3)), nn.Parameter(minigrad.ones(4))).shape == (2, 4)
    assert nn.Linear(3, 4, bias=0).bias is None


@pytest.mark.parametrize("call", [lambda: minigrad.zeros(10**13, 3), lambda: x.repeat(2**62, 1), lambda: nn.Linear(10**13, 3)])
def test_sizes_beyond_all_memory(call: Callable[[], Any]) -> None:
    with pytest.raises(OutOfMemoryError, match="expected sizes that memory holds") as caught:
        call()
    assert isinstance(caught.value, MemoryError)


def test_functions_stay_what_they_are() -> None:
    assert pickle.loads(pickle.dumps(F.dropout)) is F.dropout is minigrad.ops.dropout.dropout
    assert list(inspect.signature(F.dropout).parameters) == ["input", "p", "training", "inplace"]
    assert list(inspect.signature(nn.Linear).parameters)[:3] == ["in_features", "out_features", "bias"]
    assert F.dropout.__doc__ and F.dropout.__name__ == "dropout"


def test_errors_of_the_user_pass_unchanged() -> None:
    def distance(a: Any, b: Any) -> Any:
        raise MemoryError("mine")

    with pytest.raises(MemoryError, match=r"^mine$") as caught:
        F.triplet_margin_with_distance_loss(x, x, x, distance_function=distance)
    assert not isinstance(caught.value, MinigradError)
    with pytest.raises(TypeError, match="unexpected keyword"):
        F.dropout(x, rate=0.5)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        F.mse_loss(x)


def test_classes_of_the_user_are_not_checked() -> None:
    class Mine(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.size = size

    assert Mine("any").size == "any"  # type: ignore[arg-type]


def test_hints_are_read() -> None:
    def function(a: int | None, b: Callable[[int], str] | None, c: list[int], d: Any, *e: int, f: np.ndarray) -> None:
        pass

    hints = hints_of(function)
    assert {name: hint.words for name, hint in hints.items()} == {"a": "an integer or None", "b": "a function or None"}
    with pytest.raises(DTypeError, match=r"function: b: expected a function or None, got 3\."):
        checked(function)(1, 3, [], None)  # type: ignore[arg-type]
