"""Steps that nothing records keep what kernels derive from their weights, and never what is no longer theirs."""

from __future__ import annotations

import gc
import importlib
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.core.tape import mode
from minigrad.nn.utils import Stepping
from tests.devices import asked

KINDS = ("LSTM", "GRU", "RNN")
FAMILIES = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}


def make(kind: str, layers: int = 2) -> Any:
    return getattr(nn, kind)(3, 5, num_layers=layers).double()


def walked(layer: Any, steps: int, stepping: Stepping | None = None) -> np.ndarray:
    """The outputs of so many steps of a fixed input, one at a time."""
    xs = minigrad.tensor(np.random.default_rng(1).standard_normal((steps, 1, 2, 3)))
    state, outputs = None, []
    with minigrad.no_grad():
        for x in xs:
            if stepping is None:
                y, state = layer(x, state)
            else:
                with stepping:
                    y, state = layer(x, state)
            outputs.append(y.numpy())
    return np.concatenate(outputs)


@pytest.fixture
def packings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of weights as they are rearranged for a kernel of the CPU, whether kept or not."""
    made: list[str] = []
    for name in ("kept", *[f"{family}.cpu" for family in FAMILIES.values()]):
        module = importlib.import_module(f"minigrad.kernels.{name}")
        before = module.packed

        def noted(w: Any, transpose: bool, memo: Any = None, name: str = "", before: Any = before) -> Any:
            if memo is None or ("packed", name) not in memo:
                made.append(name)
            return before(w, transpose, memo, name)

        monkeypatch.setattr(module, "packed", noted)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_those_of_the_whole_sequence(kind: str) -> None:
    layer = make(kind)
    whole = walked(layer, 6)
    assert walked(layer, 6, Stepping()) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_rearranged_once(kind: str, packings: list[str]) -> None:
    layer, stepping = make(kind), Stepping()
    walked(layer, 6, stepping)
    once = 2 if kind == "LSTM" else 2 * 2  # of two layers W_ih and W_hh, which an LSTM has side by side
    assert len(packings) in ((0,) if asked() else (once,))
    walked(layer, 6, stepping)
    assert len(packings) in ((0,) if asked() else (once,))
    walked(layer, 6)
    assert len(packings) >= (0 if asked() else once + 6 * 2)


@pytest.mark.parametrize("kind", KINDS)
def test_changed_weights_are_seen(kind: str) -> None:
    layer, stepping = make(kind), Stepping()
    walked(layer, 3, stepping)
    with minigrad.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(2.0)
    assert walked(layer, 3, stepping) == pytest.approx(walked(layer, 3), abs=1e-12)
    layer.load_state_dict(make(kind).state_dict())
    assert walked(layer, 3, stepping) == pytest.approx(walked(layer, 3), abs=1e-12)


def test_another_weight_in_its_place_is_seen() -> None:
    layer, stepping = make("LSTM", layers=1), Stepping()
    walked(layer, 3, stepping)
    layer.weight_hh_l0 = nn.Parameter(layer.weight_hh_l0.detach() * 3)
    gc.collect()
    assert walked(layer, 3, stepping) == pytest.approx(walked(layer, 3), abs=1e-12)


def test_gradients_inside_are_those_outside() -> None:
    """A step that is recorded takes no notice of it."""
    layer, x = make("LSTM"), minigrad.ones(1, 2, 3, dtype=minigrad.float64)

    def gradient(stepping: Stepping) -> np.ndarray:
        with stepping:
            y, state = layer(x)
            y, _ = layer(x, state)
        return minigrad.autograd.grad(y.sum(), layer.weight_hh_l0)[0].numpy()

    stepping = Stepping()
    walked(layer, 2, stepping)
    assert np.array_equal(gradient(stepping), gradient(Stepping()))


def test_one_inside_another() -> None:
    layer, outer, inner = make("GRU"), Stepping(), Stepping()
    with outer:
        assert mode.stepping is outer
        with inner, inner:
            assert mode.stepping is inner
        assert mode.stepping is outer
        with pytest.raises(ValueError, match="on the way"), inner:
            raise ValueError("on the way")
        assert mode.stepping is outer
        assert walked(layer, 3, inner) == pytest.approx(walked(layer, 3), abs=1e-12)
    assert mode.stepping is None


def test_other_threads_have_nothing_of_it() -> None:
    seen: list[Any] = []
    with Stepping():
        thread = threading.Thread(target=lambda: seen.append(mode.stepping))
        thread.start()
        thread.join()
    assert seen == [None]


def test_what_is_kept_goes_with_it() -> None:
    layer, stepping = make("LSTM", layers=1), Stepping()
    walked(layer, 2, stepping)
    (kept,) = stepping._kept.values()
    seen = weakref.ref(kept)
    del kept, stepping
    gc.collect()
    assert seen() is None


CONVOLUTIONS: dict[str, Any] = {
    "direct": (lambda: nn.Conv2d(3, 5, 1), (2, 3, 6, 7)),
    "groups": (lambda: nn.Conv2d(4, 6, 3, groups=2), (2, 4, 6, 7)),
    "one channel a group": (lambda: nn.Conv2d(4, 4, 3, padding=1, groups=4), (2, 4, 6, 7)),
    "tiles": (lambda: nn.Conv2d(16, 16, 3, padding=1), (1, 16, 8, 8)),
    "sequences": (lambda: nn.Conv1d(3, 5, 3), (2, 3, 9)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_give_the_same_bits_and_rearrange_weights_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_layer, shape = CONVOLUTIONS[name]
    layer, stepping = make_layer(), Stepping()
    x = minigrad.tensor(np.random.default_rng(2).standard_normal(shape).astype(np.float32))
    made: list[str] = []
    for module, function in (("cpu", "_packed"), ("depthwise_cpu", "_taps"), ("winograd4", "_transformed")):
        there = importlib.import_module(f"minigrad.kernels.conv2d.{module}")
        before = getattr(there, function)
        noted = lambda *args, before=before, function=function: (made.append(function), before(*args))[1]  # noqa: E731
        monkeypatch.setattr(there, function, noted)
    with minigrad.no_grad():
        plain, each = layer(x).numpy(), len(made)
        assert each == (0 if asked() else 1)
        with stepping:
            first, second = (layer(x).numpy() for _ in range(2))
        assert plain.tobytes() == first.tobytes() == second.tobytes()
        assert len(made) == 2 * each
        layer.weight.mul_(2.0)
        with stepping:
            changed = layer(x).numpy()
        assert changed.tobytes() == layer(x).numpy().tobytes() != plain.tobytes()
    with stepping:
        layer(x).sum().backward()
    assert layer.weight.grad is not None
