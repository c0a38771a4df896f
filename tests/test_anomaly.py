"""Anomaly mode names the op and the user's line where the first NaN or Inf was born, and tells it from what came in."""

from __future__ import annotations

import inspect
import threading
import warnings
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.autograd import Function, detect_anomaly, is_anomaly_check_nan_enabled, is_anomaly_enabled, set_detect_anomaly
from minigrad.core import tape
from minigrad.errors import AnomalyError, GradError


def here(offset: int = 0) -> str:
    """FILE:LINE of the line that calls this, moved by some lines."""
    frame = inspect.currentframe().f_back  # type: ignore[union-attr]
    return f"{frame.f_code.co_filename}:{frame.f_lineno + offset}"  # type: ignore[union-attr]


def leaf(*data: float) -> Tensor:
    return minigrad.tensor(list(data), requires_grad=True)


def test_a_nan_born_in_forward() -> None:
    x = leaf(1.0, -2.0, 4.0)
    with pytest.raises(AnomalyError) as caught, detect_anomaly():
        y = x * 1
        line = here(1)
        y = y.sqrt()
        y = y * 2
    error = caught.value
    assert error.where == "Sqrt" and line in error.argument and "forward" in error.argument
    for word in ("finite numbers", "NaN in 1 of 3 elements", "(1,)", "shape (3,)", "inputs: (3,)", "All inputs were finite"):
        assert word in str(error)


def test_an_inf_born_in_forward() -> None:
    words = r"Log: result of forward called at .*Inf in 2 of 4 elements, the first at \(0, 1\)"
    with pytest.raises(AnomalyError, match=words), detect_anomaly():
        minigrad.tensor([[1.0, 0.0], [0.0, 3.0]]).log()  # not recorded either
    with pytest.raises(AnomalyError, match=r"Div: .*Inf in 1 of 1 elements, its only one, of shape \(\)"), detect_anomaly():
        minigrad.tensor(1.0) / 0
    with pytest.raises(AnomalyError, match="Exp"), detect_anomaly():
        minigrad.tensor([100.0]).exp()


def test_a_nan_born_in_backward_names_the_line_of_the_forward() -> None:
    x = leaf(0.0, 4.0)
    with pytest.raises(AnomalyError) as caught, detect_anomaly():
        line = here(1)
        y = x.sqrt()
        z = (y * 3).sum()
        z.backward()
    assert caught.value.where == "Sqrt" and f"gradient of backward of the op called at {line}" == caught.value.argument
    assert "Inf in 1 of 2 elements, the first at (0,)" in str(caught.value) and "(2,)" in str(caught.value)


def test_the_first_birth_is_named_and_not_what_follows() -> None:
    x = leaf(0.0, 4.0)
    with pytest.raises(AnomalyError) as caught, detect_anomaly():
        line = here(1)
        y = x.sqrt()
        ((y * x).exp() + x.sqrt().detach() * 0).sum().backward()
    assert caught.value.where == "Sqrt" and line in str(caught.value)


def test_the_usual_trap_of_where() -> None:
    x = leaf(0.0, 4.0)
    y = minigrad.where(x > 0, x.sqrt(), x)  # 0 times Inf, in the branch that was not taken
    y.sum().backward()
    assert x.grad is not None and x.grad[0].isnan().item()
    with pytest.raises(AnomalyError, match="Sqrt: gradient of backward"), detect_anomaly():
        minigrad.where(x > 0, x.sqrt(), x).sum().backward()


def test_what_came_in_with_the_data_is_carried() -> None:
    nan, inf = float("nan"), float("inf")
    with detect_anomaly():
        x = minigrad.tensor([1.0, nan, 3.0], requires_grad=True)
        (x * 2 + 1).sum().backward()
        x = minigrad.tensor([1.0, inf], requires_grad=True)
        y = x * 2
        y.sum().backward()
        (x * x).sum().backward()  # its derivative, 2 x, is Inf: x was
        scores = leaf(1.0, 2.0, 3.0).masked_fill(minigrad.tensor([False, True, False]), -inf)
        scores.softmax(0).sum().backward()
        minigrad.tensor([1.0]) * inf
        minigrad.full((2,), nan) + 1
        y = leaf(1.0, 2.0)
        (y * 1).backward(minigrad.tensor([inf, 1.0]))


def test_a_nan_born_from_an_inf_that_came_in() -> None:
    inf = float("inf")
    with (
        pytest.raises(AnomalyError, match=r"Sub: .*NaN in 1 of 2 elements.* The inputs held Inf, but no NaN"),
        detect_anomaly(),
    ):
        x = minigrad.tensor([1.0, inf])
        x - x
    with pytest.raises(AnomalyError, match="NaN in 2 of 2 elements"), detect_anomaly():
        minigrad.full((2,), -inf).softmax(0)


def test_functions_of_the_users_own() -> None:
    class Mine(Function):
        """y = x;  dx = dy / 0."""

        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        def backward(ctx: Any, dy: Tensor) -> Any:
            unused = dy / 0  # an op inside a backward is not judged: the whole is
            return unused * 0 if ctx.harmful else minigrad.where(dy > 0, dy, unused)

    Mine.harmful = False  # type: ignore[attr-defined]
    with detect_anomaly():
        Mine.apply(leaf(1.0)).sum().backward()
        Mine.harmful = True  # type: ignore[attr-defined]
        line = here(1)
        y = Mine.apply(leaf(1.0)).sum()
        with pytest.raises(AnomalyError) as caught:
            y.backward()
    assert caught.value.where == "Mine" and line in str(caught.value) and "NaN" in str(caught.value)


def test_an_error_of_a_backward_tells_the_line_and_leaves_the_mode_usable() -> None:
    class Breaks(Function):
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        def backward(ctx: Any, dy: Tensor) -> Any:
            raise KeyError("mine")

    with detect_anomaly():
        line = here(1)
        y = Breaks.apply(leaf(1.0))
        with pytest.raises(KeyError, match="mine") as caught:
            y.sum().backward()
        assert caught.value.__notes__ == [f"In the backward of Breaks, called at {line}"]
        with pytest.raises(AnomalyError, match="forward"):  # the next op is no part of that backward
            minigrad.tensor([-1.0]).log()


def test_a_change_in_place_tells_the_line_of_the_op_that_saved() -> None:
    x, w = leaf(1.0) * 1, leaf(2.0)
    with detect_anomaly():
        line = here(1)
        y = x * w
        x.add_(1)
        with pytest.raises(GradError) as caught:
            y.sum().backward()
    assert f"a saved tensor (op called at {line})" in str(caught.value)


def test_second_order() -> None:
    x = minigrad.tensor([0.0], requires_grad=True)
    with detect_anomaly():
        line = here(1)
        y = (x**1.5).sum()  # its first derivative at 0 is 0, its second is Inf
        (first,) = minigrad.autograd.grad(y, x, create_graph=True)
        with pytest.raises(AnomalyError) as caught:
            first.sum().backward()
    assert line in str(caught.value) and "in the backward of Pow" in str(caught.value)


def test_line_numbers_look_through_layers_and_calls() -> None:
    layer = minigrad.nn.Sequential(minigrad.nn.Identity(), minigrad.nn.Softmax(0))

    def model(x: Tensor) -> Tensor:
        return layer(x)

    line = here(-2)
    with pytest.raises(AnomalyError) as caught, detect_anomaly():
        model(minigrad.full((2,), -np.inf))
    assert line in str(caught.value)


def test_switches() -> None:
    assert not is_anomaly_enabled()
    with detect_anomaly():
        assert is_anomaly_enabled() and is_anomaly_check_nan_enabled()
        with set_detect_anomaly(False):
            assert not is_anomaly_enabled()
            minigrad.tensor([0.0]).log()
        with detect_anomaly(check_nan=False):
            assert is_anomaly_enabled() and not is_anomaly_check_nan_enabled()
            line = here(1)
            y = leaf(0.0).log()
            assert y._node is not None and y._node._line == line
        assert is_anomaly_check_nan_enabled()
    assert not is_anomaly_enabled() and tape.mode.observers == ()
    set_detect_anomaly(True)
    try:
        assert is_anomaly_enabled()
        again = detect_anomaly()
        with again, again:
            assert len(tape.mode.observers) == 1
    finally:
        set_detect_anomaly(False)
    assert not is_anomaly_enabled()


def test_it_belongs_to_its_thread() -> None:
    seen = []
    with detect_anomaly():
        thread = threading.Thread(target=lambda: seen.append((is_anomaly_enabled(), minigrad.tensor([0.0]).log().item())))
        thread.start()
        thread.join()
    assert seen == [(False, -np.inf)]


def test_nothing_is_noted_or_judged_while_it_is_off() -> None:
    y = leaf(0.0).log()
    assert y._node is not None and y._node._line is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y.sum().backward()


def test_other_observers_go_on() -> None:
    class Count(tape.Observer):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def forward(self, node: Function, args: tuple, outputs: tuple) -> None:
            self.seen.append(node.name())

        def before_backward(self, node: Function, grads: tuple) -> None:
            self.seen.append(f"before {node.name()}")

        def backward(self, node: Function, grads: tuple, results: tuple | None) -> None:
            self.seen.append(f"after {node.name()} {[None if r is None else r.tolist() for r in results or ()]}")

    count = Count()
    before = tape.mode.observers
    tape.mode.observers = (*before, count)
    try:
        with detect_anomaly():
            (leaf(2.0) * 3).backward()
    finally:
        tape.mode.observers = before
    assert count.seen == ["Mul", "before Mul", "Mul", "after Mul [[3.0], None]"]
