"""The gradient checker passes what is right and finds what is wrong, by a little, at one place, or in second order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.autograd import Function
from minigrad.errors import DTypeError, GradError
from minigrad.study import gradcheck, gradgradcheck


def leaf(*shape: int, dtype: str = "float64", seed: int = 0, low: float = 0.2, high: float = 2.0) -> Tensor:
    array = np.random.default_rng(seed).uniform(low, high, shape)
    return minigrad.tensor(array, dtype=getattr(minigrad, dtype), requires_grad=True)


def planted(factor: Any) -> Any:
    """x^2 whose derivative is multiplied by ``factor``."""

    class Square(Function):
        """y = x^2;  dx = 2 x dy, wrongly."""

        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        def backward(ctx: Any, dy: Tensor) -> Any:
            (x,) = ctx.saved_tensors
            return 2 * x * dy * (factor if isinstance(factor, Tensor) else minigrad.tensor(factor, dtype=dy.dtype))

    return Square.apply


def at(shape: tuple[int, ...], index: tuple[int, ...], value: float, dtype: Any = None) -> Tensor:
    factor = np.ones(shape)
    factor[index] = value
    return minigrad.tensor(factor, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_right_derivatives_pass(dtype: str) -> None:
    x, w = leaf(2, 3, dtype=dtype), leaf(3, 2, dtype=dtype, seed=1)
    for function, inputs in [
        (lambda x: x.exp() * x.sin() / x, (x,)),
        (lambda x, w: (x @ w).log(), (x, w)),
        (lambda x: x.sum(0, keepdim=True) - x, (x,)),
        (lambda x, w: (x.t() * w, x.prod(), (x > 1)), (x, w)),
        (lambda x, i, text: x[i] ** 2 if text == "square" else x, (x, minigrad.tensor([1, 1, 0]), "square")),
    ]:
        found = gradcheck(function, inputs)
        assert found and found.shadow and found.skipped == 0 and found.error is None
        assert found.checked == sum(i.numel() for i in inputs if isinstance(i, Tensor) and i.is_floating_point())
        assert found.worst < 1e-5


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_derivative_wrong_by_a_20th_of_a_percent_is_found(dtype: str) -> None:
    with pytest.raises(GradError) as caught:
        gradcheck(planted(1.0005), leaf(2, 3, dtype=dtype))
    for word in ("gradcheck: Square", "derivative to inputs[0][0, 0]", "differ by 0.0005"):
        assert word in str(caught.value)
    assert gradcheck(planted(1.0), leaf(2, 3, dtype=dtype))


def test_the_values_in_the_message_are_those_of_the_element() -> None:
    x = minigrad.tensor([1.0, 3.0], dtype=minigrad.float64, requires_grad=True)
    with pytest.raises(GradError) as caught:
        gradcheck(lambda x: planted(at((2,), (1,), 0.5))(x).sum(), x)
    ours, numeric = float(caught.value.got), float(caught.value.expected.split(",")[0])
    assert "inputs[0][1]" in str(caught.value) and "Sum" in caught.value.where
    assert numeric == pytest.approx(2 * ours, rel=1e-6) and 0.5 * 3 <= abs(ours) <= 1.5 * 3  # a weight from 0.5 to 1.5, times 3


@pytest.mark.parametrize("index", [(0, 0), (1, 2)])
def test_a_forgotten_element_is_found_and_named(index: tuple[int, int]) -> None:
    with pytest.raises(GradError, match=rf"inputs\[0\]\[{index[0]}, {index[1]}\].*got -?0\."):
        gradcheck(planted(at((2, 3), index, 0.0)), leaf(2, 3))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_one_wrong_sign_in_a_large_tensor_is_found_and_named(seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    index = (int(rng.integers(50)), int(rng.integers(400)))
    factor = at((50, 400), index, -1.0)
    with pytest.raises(GradError, match=rf"inputs\[0\]\[{index[0]}, {index[1]}\]"):
        gradcheck(planted(factor.to(getattr(minigrad, dtype))), leaf(50, 400, dtype=dtype, seed=seed))


def test_a_large_tensor_wrong_everywhere_by_a_20th_of_a_percent() -> None:
    with pytest.raises(GradError, match=r"inputs\[0\]\[\d+, \d+\].*differ by 0\.0005"):
        gradcheck(planted(1.0005), leaf(50, 400))
    found = gradcheck(planted(1.0), leaf(50, 400))
    assert found and found.checked == 20_000 and found.directions == 4


def test_several_wrong_elements_of_a_large_tensor() -> None:
    factor = np.ones(5000)
    factor[[7, 4000]] = 0.99
    with pytest.raises(GradError, match=r"inputs\[0\]\[(7|4000)\]"):
        gradcheck(planted(minigrad.tensor(factor)), leaf(5000))


def test_kinks_are_skipped_and_counted() -> None:
    x = minigrad.tensor([0.0, 1.0, -1.0, 0.0, 1e-7], dtype=minigrad.float64, requires_grad=True)
    found = gradcheck(lambda x: x.relu(), x)
    assert found and (found.checked, found.skipped) == (3, 2)  # the last lies near a kink, and smaller steps see past it
    assert gradcheck(lambda x: x.abs() + x.relu() * 3, x).skipped == 2
    with pytest.raises(GradError, match=r"expected some to check, got 2 at kinks"):
        gradcheck(lambda x: x.relu(), minigrad.zeros(2, dtype=minigrad.float64, requires_grad=True))


def test_kinks_in_a_large_tensor() -> None:
    array = np.random.default_rng(0).normal(size=3000)
    array[[5, 77, 1234]] = 0
    found = gradcheck(lambda x: x.relu() * x.exp() + x.abs(), minigrad.tensor(array, requires_grad=True))
    assert found and found.skipped in (0, 3)  # abs' is 0 there, as the central difference
    found = gradcheck(lambda x: x.relu(), minigrad.tensor(array, requires_grad=True))
    assert found and found.skipped == 3 and found.checked >= 2997
    with pytest.raises(GradError, match="few kinks"):
        gradcheck(lambda x: x.relu(), minigrad.zeros(300, dtype=minigrad.float64, requires_grad=True))


def test_a_wrong_derivative_is_no_kink() -> None:
    class Steep(Function):
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**2

        def backward(ctx: Any, dy: Tensor) -> Any:
            return dy * 0.3  # a derivative of 0 at 0 by the differences

    with pytest.raises(GradError, match=r"inputs\[0\]\[0\]"):
        gradcheck(Steep.apply, minigrad.zeros(1, dtype=minigrad.float64, requires_grad=True))

    class WrongSide(Function):
        def forward(ctx: Any, x: Any) -> Any:
            return np.maximum(x, 0)

        def backward(ctx: Any, dy: Tensor) -> Any:
            return dy * 1.5  # beyond both one-sided derivatives

    with pytest.raises(GradError, match=r"inputs\[0\]\[0\]"):
        gradcheck(WrongSide.apply, minigrad.zeros(1, dtype=minigrad.float64, requires_grad=True))


def test_second_order() -> None:
    x, w = leaf(2, 3), leaf(3, 2, seed=1)
    assert gradgradcheck(lambda x: x.exp() * x.sin(), x)
    assert gradgradcheck(lambda x, w: ((x @ w) ** 2, x.sum()), (x, w))
    assert gradgradcheck(lambda x: x * 3, x)  # no second derivative
    assert gradgradcheck(lambda x: x**3, x, minigrad.ones(2, 3, dtype=minigrad.float64, requires_grad=True))

    class Cube(Function):
        """The first derivative is right, its own derivative is not."""

        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**3

        def backward(ctx: Any, dy: Tensor) -> Any:
            (x,) = ctx.saved_tensors
            return 3 * x.detach() * x * dy

    assert gradcheck(Cube.apply, x)
    with pytest.raises(GradError, match=r"derivative to inputs\[0\]\[0, 0\].*differ by 0\.5 "):
        gradgradcheck(Cube.apply, x)
    assert gradgradcheck(lambda x: x.exp(), leaf(2, dtype="float32"))


def test_lower_precision_is_compared_with_its_shadow() -> None:
    class OnlySingle(Function):
        """Right in float64, wrong in float32."""

        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        def backward(ctx: Any, dy: Tensor) -> Any:
            return dy * (2 if dy.dtype == minigrad.float64 else 2.001)

    assert gradcheck(OnlySingle.apply, leaf(3))
    with pytest.raises(GradError, match=r"inputs\[0\]\[0\].*the same in float64, beside float32"):
        gradcheck(OnlySingle.apply, leaf(3, dtype="float32"))


def test_a_function_that_stays_in_its_own_precision_is_checked_there() -> None:
    weight = leaf(3, 2, dtype="float32", seed=1).detach()
    found = gradcheck(lambda x: x @ weight, leaf(2, 3, dtype="float32"))
    assert found and not found.shadow
    with pytest.raises(GradError, match=r"inputs\[0\]"):
        gradcheck(lambda x: planted(1.05)(x) @ weight, leaf(2, 3, dtype="float32"))


def test_a_function_that_gives_other_values_each_time_is_found() -> None:
    with pytest.raises(GradError, match="value: expected the same in two runs"):
        gradcheck(lambda x: x * minigrad.rand(3, dtype=minigrad.float64), leaf(3))

    class Restless(Function):
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        def backward(ctx: Any, dy: Tensor) -> Any:
            return dy + minigrad.rand(3, dtype=minigrad.float64) * 1e-9

    with pytest.raises(GradError, match="derivative: expected the same in two runs"):
        gradcheck(Restless.apply, leaf(3))
    assert gradcheck(Restless.apply, leaf(3), nondet_tol=1e-6)


def test_other_refusals() -> None:
    with pytest.raises(GradError, match="expected a Tensor that requires grad"):
        gradcheck(lambda x: x, minigrad.ones(2))
    with pytest.raises(DTypeError, match="result of func"):
        gradcheck(lambda x: 3, leaf(2))

    def changes(x: Tensor, y: Tensor) -> Tensor:
        y.add_(1)
        return x * 2

    with pytest.raises(GradError, match=r"inputs\[1\]: expected a function that leaves it"):
        gradcheck(changes, (leaf(2), minigrad.ones(2)))
    found = gradcheck(planted(1.1), leaf(2), raise_exception=False)
    assert not found and "Square" in str(found.error)
    with pytest.raises(GradError, match="Mul: a saved tensor"):  # an error of the function's own is not swallowed

        def broken(x: Tensor) -> Tensor:
            y = x * 1
            z = y * x
            y.add_(1)
            return z

        gradcheck(broken, leaf(2), raise_exception=False)


def test_tolerances_and_step_can_be_chosen() -> None:
    assert gradcheck(planted(1.0005), leaf(3), rtol=1e-3)
    assert gradcheck(planted(1.0005), leaf(3), atol=1e-3)
    assert gradcheck(lambda x: x**2, leaf(3), eps=1e-3)
    with pytest.raises(GradError):
        gradcheck(lambda x: (x * 50).sin(), leaf(3), eps=0.3)


def test_the_callers_tensors_are_left_alone() -> None:
    x = leaf(3)
    x.grad = None
    gradcheck(lambda x: x**2, x)
    gradgradcheck(lambda x: x**2, x)
    assert x.grad is None and x.is_leaf and x.requires_grad
    assert minigrad.autograd.gradcheck is gradcheck


def test_the_second_order_check_finds_a_wrong_first_derivative_too() -> None:
    class Wrong(minigrad.autograd.Function):
        """y = x^2; dx is said to be 3 x dy, whose own derivative is right."""

        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        def backward(ctx: Any, dy: Any) -> Any:
            (x,) = ctx.saved_tensors
            return 3 * x * dy

    x = minigrad.tensor([0.5, 2.0], dtype=minigrad.float64, requires_grad=True)
    with pytest.raises(GradError, match="Wrong"):
        minigrad.study.gradgradcheck(Wrong.apply, x)
