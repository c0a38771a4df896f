"""Changes in place: what is refused, what a backward pass notices, and gradients through views beside two oracles.

Random programs of views and in-place ops run three times: here, as pure functions on a flat memory (always), and in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import Tensor
from minigrad.errors import ArgumentError, DTypeError, GradError, IndexingError, ShapeError
from minigrad.ops import inplace
from tests import devices

# ---------------------------------------------------------------------- random programs

VIEWS: list[Callable[[Any], Any]] = [
    lambda x: x.t() if x.ndim == 2 else x,
    lambda x: x[1:] if x.ndim else x,
    lambda x: x[..., ::2] if x.ndim else x,
    lambda x: x[0] if x.ndim and x.shape[0] else x,
    lambda x: x[..., -1] if x.ndim and x.shape[-1] else x,
    lambda x: x.unsqueeze(0),
    lambda x: x.unbind(0)[-1] if x.ndim and x.shape[0] else x,
    lambda x: x.narrow(0, 0, 2) if x.ndim and x.shape[0] >= 2 else x,
    lambda x: x.diagonal() if x.ndim == 2 else x,
]


def _same(x: Any, y: Any) -> bool:
    return tuple(x.shape) == tuple(y.shape)


# (x, y) -> the new value of x, as a pure function; and the same in place
CHANGES: list[tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = [
    (lambda x, y: x * 2, lambda x, y: x.mul_(2)),
    (lambda x, y: x - 0.5, lambda x, y: x.sub_(0.5)),
    (lambda x, y: x.sin(), lambda x, y: x.sin_()),
    (lambda x, y: x.tanh(), lambda x, y: x.tanh_()),
    (lambda x, y: x * 0, lambda x, y: x.zero_()),
    (lambda x, y: x * 0 + 3, lambda x, y: x.fill_(3)),
    (lambda x, y: x * x, lambda x, y: x.mul_(x)),
    (lambda x, y: x + y if _same(x, y) else x * 1, lambda x, y: x.add_(y) if _same(x, y) else x.mul_(1)),
    (lambda x, y: x * y if _same(x, y) else x * 1, lambda x, y: x.mul_(y) if _same(x, y) else x.mul_(1)),
    (lambda x, y: y + 0 * x if _same(x, y) else x * 1, lambda x, y: x.copy_(y) if _same(x, y) else x.mul_(1)),
    (lambda x, y: x + y.sum(), lambda x, y: x.add_(y.sum())),
    (lambda x, y: minigrad.where(x > 0.1, y.sum(), x), lambda x, y: x.__setitem__(x > 0.1, y.sum())),
    (lambda x, y: minigrad.where(x > 0.1, y.sum(), x), lambda x, y: x.masked_fill_((x > 0.1).detach(), y.sum())),
]


class Flat:
    """A tensor of the pure program: places in a memory that is never changed, only replaced."""

    def __init__(self, memory: list[Tensor], places: np.ndarray) -> None:
        self.memory, self.places = memory, places

    def value(self) -> Tensor:
        return self.memory[0][minigrad.tensor(self.places.reshape(-1))].reshape(*self.places.shape)

    def replace(self, new: Tensor) -> None:
        index = (minigrad.tensor(self.places.reshape(-1)),)
        self.memory[0] = self.memory[0].index_put(index, new.reshape(self.places.size))


class Places(np.ndarray):
    """An array of places with the few methods of a tensor that VIEWS needs."""

    def t(self) -> Any:
        return self.T

    def unsqueeze(self, dim: int) -> Any:
        return self[None]

    def unbind(self, dim: int) -> Any:
        return list(self)

    def narrow(self, dim: int, start: int, length: int) -> Any:
        return self[start : start + length]


Step = tuple[int, int, int, int]
PROGRAMS = st.lists(st.tuples(*[st.integers(0, 40)] * 4), min_size=1, max_size=9)
LEAVES = np.random.default_rng(3).uniform(-1, 1, (2, 3, 4))


def run_in_place(m: Any, program: list[Step]) -> tuple[list[Any], list[Any]]:
    """Values of all variables and gradients of the leaves."""
    leaves = [m.tensor(a, requires_grad=True) for a in LEAVES]
    variables = [leaves[0] * 1, leaves[1] + 0, m.zeros(3, 4, dtype=m.float64)]
    for kind, i, j, which in program:
        x, y = variables[i % len(variables)], variables[j % len(variables)]
        if kind % 3 == 0:
            variables.append(VIEWS[which % len(VIEWS)](x))
        elif kind % 9 == 1:
            variables.append((x * y if _same(x, y) else x) * 1.5)
        elif kind % 9 == 2:
            x[(..., slice(None, 2)) if x.ndim else ...] = y.sum()
        else:
            CHANGES[which % len(CHANGES)][1](x, y)
    loss = 0
    for number, x in enumerate(variables):
        loss = loss + (x * (number + 1.5)).sin().sum()
    loss.backward()
    return [x.detach() for x in variables], [leaf.grad for leaf in leaves]


def run_pure(program: list[Step]) -> tuple[list[Any], list[Any]]:
    leaves = [minigrad.tensor(a, requires_grad=True) for a in LEAVES]

    def own(x: Tensor) -> Flat:
        places = np.arange(x.numel()).reshape(tuple(x.shape)).view(Places)
        return Flat([x.reshape(x.numel())], places)

    variables = [own(leaves[0] * 1), own(leaves[1] + 0), own(minigrad.zeros(3, 4, dtype=minigrad.float64))]
    for kind, i, j, which in program:
        x, y = variables[i % len(variables)], variables[j % len(variables)]
        if kind % 3 == 0:
            places = np.asarray(VIEWS[which % len(VIEWS)](x.places)).view(Places)
            variables.append(Flat(x.memory, places))
        elif kind % 9 == 1:
            a, b = x.value(), y.value()
            variables.append(own((a * b if _same(a, b) else a) * 1.5))
        elif kind % 9 == 2:
            place = Flat(x.memory, x.places[..., :2]) if x.places.ndim else x
            place.replace(place.value() * 0 + y.value().sum())
        else:
            x.replace(CHANGES[which % len(CHANGES)][0](x.value(), y.value()))
    loss = minigrad.tensor(0.0, dtype=minigrad.float64)
    for number, x in enumerate(variables):
        loss = loss + (x.value() * (number + 1.5)).sin().sum()
    loss.backward()
    return [x.value().detach() for x in variables], [leaf.grad for leaf in leaves]


def _agree(ours: tuple[list[Any], list[Any]], theirs: tuple[list[Any], list[Any]]) -> None:
    for mine, other in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-12, atol=1e-12)
    for mine, other in zip(ours[1], theirs[1], strict=True):
        a, b = [np.zeros((3, 4)) if g is None else g.numpy() for g in (mine, other)]
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * (1 + np.abs(b).max()))


@settings(max_examples=250, deadline=None, derandomize=True)
@given(PROGRAMS)
def test_programs_of_views_and_changes_equal_pure_functions(program: list[Step]) -> None:
    try:
        ours = run_in_place(minigrad, program)
    except GradError as error:
        assert "an in-place op changed it" in str(error)  # noticed, not misread
        return
    _agree(ours, run_pure(program))


@pytest.mark.peer
@settings(max_examples=250, deadline=None, derandomize=True)
@given(PROGRAMS)
def test_programs_of_views_and_changes_equal_pytorchs(program: list[Step]) -> None:
    import torch

    try:
        theirs = run_in_place(torch, program)
    except RuntimeError:
        return  # PyTorch refuses what we do: fewer of our ops need what was there before
    _agree(run_in_place(minigrad, program), theirs)


# ---------------------------------------------------------------------- every op_


X, Y = np.random.default_rng(5).uniform(0.2, 0.8, (2, 2, 3))
ARGUMENTS: dict[str, Callable[[Any, Any], tuple]] = {  # (module, tensor of X's shape) -> what stands behind x in the call
    **dict.fromkeys(
        ("add", "sub", "mul", "div", "divide", "true_divide", "subtract", "multiply", "pow", "copysign", "fmod", "remainder"),
        lambda m, y: (y,),
    ),
    **dict.fromkeys(("atan2", "arctan2", "hypot", "xlogy", "floor_divide", "heaviside"), lambda m, y: (y,)),
    **dict.fromkeys(
        ("eq", "ne", "lt", "le", "gt", "ge", "less", "less_equal", "greater", "greater_equal", "not_equal"), lambda m, y: (y,)
    ),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor"), lambda m, y: (y,)),
    **dict.fromkeys(("addcmul", "addcdiv"), lambda m, y: (y, y + 1)),
    **dict.fromkeys(("cumsum", "cumprod"), lambda m, y: (1,)),
    **dict.fromkeys(("clamp", "clip"), lambda m, y: (0.3, 0.6)),
    **dict.fromkeys(("clamp_min", "clamp_max"), lambda m, y: (0.5,)),
    **dict.fromkeys(("addmm", "baddbmm", "addbmm"), lambda m, y: (m.ones(2, 2, dtype=y.dtype), y)),
    "addr": lambda m, y: (y[:, 0], y[0]),
    "lerp": lambda m, y: (y, 0.3),
    "masked_fill": lambda m, y: (y > 0.5, 7.0),
    "masked_scatter": lambda m, y: (y > 0.5, y + 1),
    "index_add": lambda m, y: (0, m.tensor([1, 1]), y),
    "index_copy": lambda m, y: (0, m.tensor([1, 0]), y),
    "index_fill": lambda m, y: (1, m.tensor([0, 2]), 5.0),
    "scatter": lambda m, y: (1, m.tensor([[2], [0]]), y[:, 1:2]),
    "scatter_add": lambda m, y: (1, m.tensor([[2], [0]]), y[:, 1:2]),
    "scatter_reduce": lambda m, y: (1, m.tensor([[2], [0]]), y, "amax"),
    "logit": lambda m, y: (),
    "put": lambda m, y: (m.tensor([4, 0]), y[0, :2]),
}
INTEGER_OPS = [name for name in inplace._OPS if name.startswith("bitwise")]
FLOAT_OPS = [name for name in inplace._OPS if name not in INTEGER_OPS]


def _operands(m: Any, name: str, requires_grad: bool = True) -> tuple[Any, Any, tuple]:
    """A leaf, what is changed (no leaf), and the other arguments."""
    first, second = (X + 1.5, Y + 1) if "acosh" in name or "arccosh" in name else (X, Y)
    if name == "baddbmm":
        first = first[None].repeat(2, 0)
    leaf = m.tensor(first, requires_grad=requires_grad)
    y = m.tensor(second, requires_grad=requires_grad)
    arguments = ARGUMENTS.get(name, lambda m, y: ())(m, y)
    if name == "addmv":
        return (leaf, y), leaf[0] * 1, (y.t(), m.ones(2, dtype=y.dtype))
    if name in ("baddbmm", "addbmm"):
        arguments = (m.ones(2, 2, 2, dtype=y.dtype), y * m.ones(2, 1, 1, dtype=y.dtype))
    return (leaf, y), leaf * 1, arguments


@pytest.mark.parametrize("name", FLOAT_OPS)
def test_in_place_gives_what_the_op_gives(name: str) -> None:
    results = []
    for form in (name, name + "_"):
        leaves, x, arguments = _operands(minigrad, name)
        result = getattr(x, form)(*arguments)
        if form.endswith("_"):
            assert result is x
        out = result.to(minigrad.float64) if not result.is_floating_point() else result
        if out.requires_grad:
            (out * out).sum().backward()
        zeros = np.zeros(2)
        results.append((out.detach().numpy(), [zeros if leaf.grad is None else leaf.grad.numpy() for leaf in leaves]))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    for plain, changed in zip(results[0][1], results[1][1], strict=True):
        assert np.allclose(plain.sum() - changed.sum(), 0) and (plain.shape != changed.shape or np.allclose(plain, changed))


@pytest.mark.parametrize("name", FLOAT_OPS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_in_place_without_recording_gives_what_the_op_gives(name: str, dtype: str) -> None:
    _, x, arguments = _operands(minigrad, name, requires_grad=False)
    x = x.to(getattr(minigrad, dtype))
    if name not in ("mul", "div", "pow", "atan2", "eq"):  # those also show that a float64 operand does not change the dtype
        arguments = tuple([a.to(x.dtype) if isinstance(a, Tensor) and a.is_floating_point() else a for a in arguments])
    plain = getattr(x, name)(*arguments)
    memory, version = x.array, x._version
    assert getattr(x, name + "_")(*arguments) is x
    assert x.array is memory and x._version > version and x.dtype == getattr(minigrad, dtype)
    np.testing.assert_array_equal(x.numpy(), plain.to(x.dtype).numpy())


@pytest.mark.parametrize("name", INTEGER_OPS)
def test_in_place_on_integers(name: str) -> None:
    for dtype in (minigrad.int64, minigrad.uint8, minigrad.bool):
        if "shift" in name and dtype == minigrad.bool:
            continue
        x, y = minigrad.tensor([1, 0, 1], dtype=dtype), minigrad.tensor([1, 1, 0], dtype=dtype)
        arguments = () if name == "bitwise_not" else (y,)
        plain = getattr(x, name)(*arguments)
        assert getattr(x, name + "_")(*arguments) is x and x.tolist() == plain.tolist() and x.dtype == dtype


def test_operators_change_the_same_tensor() -> None:
    x = minigrad.tensor([7.0, -8.0])
    same = x
    x += 1
    x -= minigrad.tensor([1.0, 2.0])
    x *= 3
    x /= 2
    x //= 2
    x **= 2
    x %= 7
    assert x is same and x.tolist() == [(((7 * 3 / 2) // 2) ** 2) % 7, (((-9 * 3 / 2) // 2) ** 2) % 7]
    n = minigrad.tensor([6, 5])
    same = n
    n &= 4
    n |= 1
    n ^= 2
    n <<= 3
    n >>= 1
    assert n is same and n.tolist() == [28, 28]


def test_add_and_sub_take_alpha() -> None:
    for dtype in (minigrad.float32, minigrad.float64):
        x, y = minigrad.tensor([1.0, 2.0], dtype=dtype), minigrad.tensor([3.0, 4.0], dtype=dtype)
        assert x.add_(y, alpha=0.5).tolist() == [2.5, 4.0] and x.sub_(y, alpha=0.5).tolist() == [1.0, 2.0]
        assert x.add_(x, alpha=0.5).tolist() == [1.5, 3.0]
    leaf = minigrad.tensor([3.0], requires_grad=True)
    minigrad.zeros(1).add_(leaf, alpha=0.5).backward()
    assert leaf.grad is not None and leaf.grad.tolist() == [0.5]
    assert minigrad.tensor([1, 2]).add_(minigrad.tensor([1, 1]), alpha=3).tolist() == [4, 5]


def test_overlapping_operands_are_read_before_they_are_written() -> None:
    x = minigrad.arange(4, dtype=minigrad.float32)
    x[1:] += x[:-1]
    assert x.tolist() == [0, 1, 3, 5]
    x = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    x += x.t()
    assert x.tolist() == [[2, 5], [5, 8]]
    x.copy_(x.t())
    x[0] = x[1]
    assert x.tolist() == [[5, 8], [5, 8]]


def test_shape_only_forms() -> None:
    leaf = minigrad.tensor(X, requires_grad=True)
    x = leaf * 2
    x.t_().unsqueeze_(0)
    assert tuple(x.shape) == (1, 3, 2)
    x.squeeze_(0).transpose_(0, 1).mul_(3)
    assert tuple(x.shape) == (2, 3)
    (x * minigrad.tensor(Y)).sum().backward()
    np.testing.assert_allclose(leaf.grad.numpy(), 6 * Y)
    base = leaf * 1
    view = base[0]
    view.unsqueeze_(0)
    base.mul_(2)
    assert view.tolist() == (2 * X[:1]).tolist()
    view.sum().backward()
    np.testing.assert_allclose(leaf.grad.numpy() - 6 * Y, [[2, 2, 2], [0, 0, 0]])


def test_unrecorded_changes_take_no_memory() -> None:
    x, y = minigrad.zeros(1 << 18), minigrad.ones(1 << 18)
    for call in (
        lambda: x.add_(y),
        lambda: x.mul_(2),
        lambda: x.zero_(),
        lambda: x.fill_(3),
        lambda: x.copy_(y),
        lambda: x.sqrt_(),
        lambda: x.__setitem__(slice(1, None), 2),
    ):
        with devices.at_most(10_000):  # x takes a million bytes
            call()


# ---------------------------------------------------------------------- x[index] = value

INDICES: list[Any] = [
    0,
    -1,
    (1, 2),
    slice(None),
    slice(1, None),
    (slice(None), slice(0, 3, 2)),
    ...,
    (..., 1),
    (None, 1),
    (slice(None), [0, 2]),
    ([1, 0], [2, 2]),
    (1, [0, 2]),
    ([[1, 0]], slice(1, None)),
    [True, False],
    (slice(None), [True, False, True]),
    "mask",
    "all masked",
]


def _index(m: Any, index: Any) -> Any:
    if index == "mask":
        return m.tensor(X) > 0.5
    if index == "all masked":
        return m.tensor(X) > 5
    parts = index if isinstance(index, tuple) else (index,)
    return tuple([m.tensor(part) if isinstance(part, list) else part for part in parts])


def _assigned(m: Any, index: Any, scalar: bool) -> list[np.ndarray]:
    leaf, buffer = m.tensor(X, requires_grad=True), m.tensor(X)
    place = _index(m, index)
    shape = tuple(buffer[place].shape)
    value = m.tensor(np.random.default_rng(1).uniform(-1, 1, () if scalar else shape), requires_grad=True)
    x = leaf * 2
    x[place] = value
    (x * m.tensor(Y)).sum().backward()
    buffer[place] = 5
    assigned = leaf.detach() * 1
    assigned[place] = value  # a buffer comes into the graph
    (assigned * assigned).sum().backward()
    return [t.detach().numpy() for t in (x, leaf.grad, value.grad, buffer, assigned)]


@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_assigning_to_items(index: Any, scalar: bool) -> None:
    x, leaf_grad, value_grad, buffer, assigned = _assigned(minigrad, index, scalar)
    place = tuple([np.array(p) if isinstance(p, list) else p for p in (index if isinstance(index, tuple) else (index,))])
    place = X > 0.5 if index == "mask" else X > 5 if index == "all masked" else place
    value = np.random.default_rng(1).uniform(-1, 1, () if scalar else X[place].shape)
    expected = X * 2
    expected[place] = value
    np.testing.assert_array_equal(x, expected)
    gradient = 2 * Y
    gradient[place] = 0
    np.testing.assert_allclose(leaf_grad, gradient)
    expected = X.copy()
    expected[place] = value
    np.testing.assert_array_equal(assigned, expected)
    expected[place] = 5
    np.testing.assert_array_equal(buffer, expected)
    both = (Y[place] + 2 * np.broadcast_to(value, X[place].shape)) if index != ([1, 0], [2, 2]) else None
    if both is not None:
        np.testing.assert_allclose(value_grad, both.sum() if scalar else both)


@pytest.mark.peer
@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_assigning_to_items_as_pytorch(index: Any, scalar: bool) -> None:
    import torch

    for ours, theirs in zip(_assigned(minigrad, index, scalar), _assigned(torch, index, scalar), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_assigned_values_broadcast_and_convert() -> None:
    x = minigrad.zeros(2, 3, dtype=minigrad.int64)
    x[1] = minigrad.tensor(2.7)
    x[0] = minigrad.tensor([[1, 2, 3]])
    assert x.tolist() == [[1, 2, 3], [2, 2, 2]]
    x[x == 2] = -1
    assert x.tolist() == [[1, -1, 3], [-1, -1, -1]]
    leaf = minigrad.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    y = minigrad.zeros(3, 3)
    y[1] = leaf
    y[:, 0] = 4
    (y * y).sum().backward()
    assert leaf.grad is not None and leaf.grad.tolist() == [[0.0, 4.0, 6.0]]
    bytes_ = minigrad.zeros(2, dtype=minigrad.uint8)
    bytes_[0] = 300
    bytes_[1] = -1
    assert bytes_.tolist() == [44, 255]
    bytes_[bytes_ > 100] = 259
    assert bytes_.tolist() == [44, 3] and bytes_.fill_(257)[0].item() == 1


# ---------------------------------------------------------------------- what the tape notices


def _leaf(*data: float) -> Tensor:
    return minigrad.tensor(list(data), requires_grad=True)


def test_a_backward_that_needs_the_old_numbers_refuses() -> None:
    for change in (
        lambda x: x.add_(1),
        lambda x: x.zero_(),
        lambda x: x[:1].mul_(2),
        lambda x: x.__setitem__(0, 3.0),
        lambda x: x.detach().add_(1),
        lambda x: x.t_().sub_(1) if x.ndim == 2 else x.neg_(),
        lambda x: setattr(x, "data", x.detach() + 1),
    ):
        w = _leaf(1.0, 2.0)
        x = minigrad.tensor([3.0, 4.0])
        y = (w * x).sum()
        change(x)
        with pytest.raises(GradError, match=r"Mul: a saved tensor: expected version 0 .*\(2,\).*changed it") as caught:
            y.backward()
        assert "Clone" in str(caught.value)
    w = _leaf(1.0, 2.0)
    y = (w * 2).exp()
    y.mul_(2)  # exp keeps its result
    with pytest.raises(GradError, match=r"Exp: a saved tensor: .*an in-place op changed it"):
        y.sum().backward()


def test_a_saved_view_notices_a_change_of_its_base() -> None:
    w, base = _leaf(1.0, 2.0), minigrad.tensor([[3.0, 4.0], [5.0, 6.0]])
    y = (w * base[0]).sum()
    base.add_(1)
    with pytest.raises(GradError, match="an in-place op changed it"):
        y.backward()


def test_what_the_change_itself_saved_is_kept_apart() -> None:
    w, factor = _leaf(1.0, 2.0), _leaf(3.0, 4.0)
    x = w * 1
    x.mul_(factor)
    x.mul_(factor)
    x.sum().backward()
    assert w.grad is not None and factor.grad is not None
    assert w.grad.tolist() == [9.0, 16.0] and factor.grad.tolist() == [6.0, 16.0]
    w = _leaf(1.0, 2.0)
    x = w * 1
    x.mul_(x).sin_().exp_()
    x.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), [2 * v * np.cos(v * v) * np.exp(np.sin(v * v)) for v in (1.0, 2.0)], rtol=1e-5)


def test_second_derivative_through_a_change() -> None:
    w = minigrad.tensor([0.3, 0.7], dtype=minigrad.float64, requires_grad=True)
    x = w * w
    v = x[1:]
    v.mul_(w[:1]).sin_()
    x[0] = x[0].clone() * w[1]
    loss = (x * x).sum()
    (first,) = minigrad.autograd.grad(loss, w, create_graph=True)

    def value(a: float, b: float) -> float:
        return (a * a * b) ** 2 + np.sin(b * b * a) ** 2

    step = 1e-4
    a, b = 0.3, 0.7
    numeric = [
        (value(a + step, b) - value(a - step, b)) / (2 * step),
        (value(a, b + step) - value(a, b - step)) / (2 * step),
    ]
    np.testing.assert_allclose(first.detach().numpy(), numeric, rtol=1e-6)
    (second,) = minigrad.autograd.grad(first[0], w)
    mixed = value(a + step, b + step) - value(a + step, b - step) - value(a - step, b + step) + value(a - step, b - step)
    np.testing.assert_allclose(
        second.numpy(),
        [(value(a + step, b) - 2 * value(a, b) + value(a - step, b)) / step**2, mixed / (4 * step**2)],
        rtol=1e-5,
    )


def test_views_that_repeat_memory_pass_all_their_gradients_on() -> None:
    leaf = minigrad.tensor([[1.0], [2.0]], requires_grad=True)
    x = leaf * 1
    wide, windows = x.expand(2, 3), x.squeeze(1).unfold(0, 1, 1)
    x.mul_(2)
    (wide * minigrad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).sum().backward(retain_graph=True)
    assert leaf.grad is not None and leaf.grad.tolist() == [[12.0], [30.0]]
    leaf.grad = None
    windows.sum().backward()
    assert leaf.grad is not None and leaf.grad.tolist() == [[2.0], [2.0]]
    row = minigrad.arange(5.0).requires_grad_()
    y = row * 1
    overlapping = y.unfold(0, 3, 1)
    y.mul_(10)
    overlapping.sum().backward()
    assert row.grad is not None and row.grad.tolist() == [10.0, 20.0, 30.0, 20.0, 10.0]


def test_a_base_with_gaps_and_turned_axes() -> None:
    memory = np.arange(48.0).reshape(4, 12)[::-1, ::2]
    buffer = minigrad.from_numpy(memory)
    w = minigrad.tensor(2.0, dtype=minigrad.float64, requires_grad=True)
    part = buffer.t()[1:3]
    part.mul_(w)
    weights = minigrad.tensor(np.random.default_rng(0).normal(size=memory.shape))
    (buffer * weights).sum().backward()
    old = np.arange(48.0).reshape(4, 12)[::-1, ::2]
    assert w.grad is not None
    np.testing.assert_allclose(w.grad.item(), (old * weights.numpy())[:, 1:3].sum())


def test_a_retained_gradient_moves_to_the_new_value() -> None:
    w = _leaf(1.0, 2.0)
    x = w * 3
    x.retain_grad()
    x.mul_(2)
    (x * x).sum().backward()
    assert x.retains_grad and x.grad is not None and x.grad.tolist() == [12.0, 24.0]
    x = w * 3
    v = x[0]
    v.retain_grad()
    v.mul_(2)
    (x * x).sum().backward()
    assert v.grad is None  # x was used, not the view
    v = (w * 3)[0]
    v.retain_grad()
    v.mul_(2)
    (v * v).backward()
    assert v.grad is not None and v.grad.item() == 12.0


def test_hooks_see_the_value_on_which_they_were_hung() -> None:
    w, seen = _leaf(1.0), []
    x = w * 1
    x.register_hook(lambda g: seen.append(("old", g.item())))
    x.mul_(5)
    x.register_hook(lambda g: seen.append(("new", g.item())))
    (x * 2).sum().backward()
    assert seen == [("new", 2.0), ("old", 10.0)]


def test_a_view_shows_its_new_history() -> None:
    x = _leaf(1.0, 2.0) * 1
    v = x[0]
    before = v.grad_fn
    x.mul_(2)
    assert v.grad_fn is not before and "Region" in repr(v)
    buffer = minigrad.zeros(2)
    view = buffer[1]
    buffer[1] = _leaf(3.0)[0]
    assert view.requires_grad and not view.is_leaf and view.item() == 3.0
    plain = minigrad.zeros(2)
    view = plain[0]
    plain.add_(1)
    assert not view.requires_grad and view.is_leaf and view.grad_fn is None


def test_a_view_that_became_a_leaf_stays_one() -> None:
    flat = minigrad.zeros(4)
    part = flat[:2].requires_grad_()
    with minigrad.no_grad():
        flat.add_(1)
    assert part.requires_grad and part.is_leaf
    (part * 2).sum().backward()
    assert part.grad is not None and part.grad.tolist() == [2.0, 2.0]


def test_a_change_inside_no_grad_leaves_history_alone() -> None:
    w = _leaf(1.0, 2.0)
    x = w * 3
    v = x[0]
    with minigrad.no_grad():
        x.add_(1)
        v.mul_(2)
    assert x.tolist() == [8.0, 7.0]
    (x.sum() + v).backward()
    assert w.grad is not None and w.grad.tolist() == [6.0, 3.0]


def test_overwriting_cuts_the_past_off() -> None:
    w = _leaf(1.0, 2.0)
    x = w * 3
    x.zero_()
    assert x.requires_grad
    x.sum().backward()
    assert w.grad is not None and w.grad.tolist() == [0.0, 0.0]
    x = w * 3
    x.normal_()
    x.sum().backward()
    assert w.grad.tolist() == [0.0, 0.0]
    source = minigrad.tensor(2.0, requires_grad=True)
    x = (w * 3).copy_(source)
    x.sum().backward()
    assert source.grad is not None and source.grad.item() == 2.0
    filled = (w * 3).fill_(source)
    filled.sum().backward()
    assert source.grad.item() == 4.0
    x = w * 3
    x.eq_(x)
    assert x.tolist() == [1.0, 1.0] and x.requires_grad
    x.sum().backward()
    assert w.grad.tolist() == [0.0, 0.0]


def test_data_and_detach_() -> None:
    w = _leaf(1.0, 2.0)
    w.data = minigrad.tensor([5.0, 6.0])
    assert w.requires_grad and w.tolist() == [5.0, 6.0]
    w.data.mul_(2)
    assert w.tolist() == [10.0, 12.0]
    with pytest.raises(DTypeError, match="data: value: expected a float dtype"):
        w.data = minigrad.tensor([1, 2])
    x = w * 2
    view = x[0]
    with pytest.raises(GradError, match="detach_: tensor: expected one that is no view"):
        view.detach_()
    x.detach_()
    assert not x.requires_grad and x.is_leaf


def test_views_of_memory_that_was_replaced() -> None:
    w = _leaf(1.0, 2.0)
    x = w * 3
    view, other = x[:1], x[1:]
    x.data = minigrad.tensor([[7.0, 8.0, 9.0]])
    view.mul_(2)
    assert view.tolist() == [6.0] and x.tolist() == [[7.0, 8.0, 9.0]]
    view.sum().backward(retain_graph=True)
    assert w.grad is not None and w.grad.tolist() == [6.0, 0.0]
    other.sum().backward()
    assert w.grad.tolist() == [6.0, 3.0]
    parameter = _leaf(1.0, 2.0)
    part = parameter[0]
    parameter.array = minigrad.zeros(1000).array  # as Module.to does
    assert parameter._counter is not None
    parameter._counter[0] += 1
    assert part.requires_grad and part.item() == 1.0  # and nothing was read outside its memory


REFUSED: list[tuple[str, Callable[[], Any], type[Exception], tuple[str, ...]]] = [
    ("leaf", lambda: _leaf(1.0).add_(1), GradError, ("add_", "leaf that requires grad", "no_grad")),
    ("leaf by operator", lambda: _leaf(1.0).__imul__(2), GradError, ("mul_", "leaf")),
    ("leaf item", lambda: _leaf(1.0).__setitem__(0, 2.0), GradError, ("setitem", "leaf", "no_grad")),
    ("leaf fill", lambda: _leaf(1.0).zero_(), GradError, ("zero_", "leaf")),
    ("leaf draw", lambda: _leaf(1.0).normal_(), GradError, ("normal_", "leaf")),
    ("view of a leaf", lambda: _leaf(1.0, 2.0)[:1].mul_(2), GradError, ("mul_", "view of a leaf")),
    ("shape of a leaf", lambda: _leaf(1.0).unsqueeze_(0), GradError, ("unsqueeze_", "leaf")),
    ("no Tensor", lambda: minigrad.Tensor.zero_(3), DTypeError, ("zero_", "a Tensor", "int")),  # type: ignore[arg-type]
    ("shape grows", lambda: minigrad.zeros(3).add_(minigrad.zeros(2, 3)), ShapeError, ("add_", "(3,)", "(2, 3)")),
    ("shapes", lambda: minigrad.zeros(3).mul_(minigrad.zeros(2)), ShapeError, ("mul", "(3,)", "(2,)")),
    ("float into int", lambda: minigrad.tensor([1, 2]).add_(0.5), DTypeError, ("add_", "int64", "float32")),
    ("div of int", lambda: minigrad.tensor([1, 2]).div_(2), DTypeError, ("div_", "int64", "float32")),
    ("int into bool", lambda: minigrad.tensor([True]).add_(1), DTypeError, ("add_", "bool", "int64")),
    ("expanded", lambda: minigrad.zeros(1, 3).expand(2, 3).add_(1), ArgumentError, ("add_", "(2, 3)", "Clone")),
    ("expanded item", lambda: minigrad.zeros(3).expand(2, 3).__setitem__(0, 1), ArgumentError, ("setitem", "Clone")),
    ("read-only", lambda: minigrad.from_numpy(_read_only()).fill_(1), ArgumentError, ("fill_", "read-only", "Clone")),
    ("copy shape", lambda: minigrad.zeros(3).copy_(minigrad.zeros(2)), ShapeError, ("copy_", "(3,)", "(2,)")),
    ("copy grows", lambda: minigrad.zeros(3).copy_(minigrad.zeros(1, 3)), ShapeError, ("copy_", "(1, 3)")),
    ("copy number", lambda: minigrad.zeros(3).copy_(1), DTypeError, ("copy_", "src", "int")),  # type: ignore[attr-defined]
    ("fill tensor", lambda: minigrad.zeros(3).fill_(minigrad.zeros(3)), ShapeError, ("fill_", "(3,)")),
    ("fill nan", lambda: minigrad.zeros(3, dtype=minigrad.int64).fill_(float("nan")), DTypeError, ("fill_", "int64", "nan")),
    ("fill huge", lambda: minigrad.zeros(3, dtype=minigrad.int64).fill_(2**70), DTypeError, ("fill_", "int64")),
    ("fill text", lambda: minigrad.zeros(3).fill_("a"), DTypeError, ("fill_", "value", "'a'")),
    ("item shape", lambda: minigrad.zeros(3).__setitem__(slice(2), minigrad.zeros(3)), ShapeError, ("setitem", "(2,)", "(3,)")),
    ("item text", lambda: minigrad.zeros(3).__setitem__(0, "a"), DTypeError, ("setitem", "value", "str")),
    ("item array", lambda: minigrad.zeros(3).__setitem__(0, np.ones(1)), DTypeError, ("setitem", "ndarray", "minigrad.tensor")),
    ("item range", lambda: minigrad.zeros(3).__setitem__(3, 1.0), IndexingError, ("setitem", "from -3 to 2", "3")),
    ("mask nan", lambda: _masked(float("nan"), minigrad.int64), DTypeError, ("setitem", "int64", "nan")),
    ("mask huge", lambda: _masked(2**70, minigrad.int64), DTypeError, ("setitem", "int64")),
    ("mask values", lambda: _masked(), ShapeError, ("setitem", "(3,)")),
    ("diagonal", lambda: minigrad.zeros(3).fill_diagonal_(1), ShapeError, ("fill_diagonal_", "2 dimensions")),
    ("inference", lambda: _inference(), GradError, ("add_", "inference_mode")),
    ("hidden view", lambda: _hidden(), GradError, ("mul_", "no_grad")),
]


def _read_only() -> np.ndarray:
    array = np.zeros(3)
    array.flags.writeable = False
    return array


def _masked(value: Any = None, dtype: Any = None) -> None:
    x = minigrad.zeros(4, dtype=dtype)
    x[minigrad.tensor([True, True, False, False])] = minigrad.ones(3) if value is None else value


def _inference() -> None:
    with minigrad.inference_mode():
        x = minigrad.ones(2).add_(1)
    x.add_(1)


def _hidden() -> None:
    x = _leaf(1.0, 2.0) * 1
    with minigrad.no_grad():
        view = x[:1].mul_(1)
    view.mul_(2)


@pytest.mark.parametrize(("call", "error", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refusals(call: Callable[[], Any], error: type[Exception], words: tuple[str, ...]) -> None:
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_a_refused_change_changes_nothing() -> None:
    x = minigrad.tensor([1, 2])
    for call in (
        lambda: x.add_(0.5),
        lambda: x.add_(minigrad.zeros(2, 2, dtype=minigrad.int64)),
        lambda: x.copy_(minigrad.zeros(3)),
    ):
        with pytest.raises((DTypeError, ShapeError)):
            call()
    assert x.tolist() == [1, 2] and x._version == 0


def test_a_parameter_is_changed_inside_no_grad() -> None:
    w = _leaf(1.0, 2.0)
    with minigrad.no_grad():
        w.add_(1).mul_(2)
        w -= 1
        w[0] = 7
        w[1:].fill_(8)
    assert w.tolist() == [7.0, 8.0] and w.requires_grad and w.is_leaf and w.grad_fn is None
    with minigrad.inference_mode():
        w.zero_()
    assert w.tolist() == [0.0, 0.0] and w._version >= 5


NO_DERIVATIVE_THERE = (  # PyTorch does not differentiate these in place, or differentiates what was there before
    *("acosh", "arccosh", "asinh", "arcsinh", "atanh", "arctanh", "floor_divide", "heaviside"),
    *("logical_and", "logical_or", "logical_xor", "logical_not", "sgn"),
)


@pytest.mark.peer
@pytest.mark.parametrize("name", [name for name in FLOAT_OPS if name not in NO_DERIVATIVE_THERE])
def test_every_form_is_pytorchs(name: str) -> None:
    import torch

    results = []
    for m in (minigrad, torch):
        leaves, x, arguments = _operands(m, name)
        getattr(x, name + "_")(*arguments)
        (x * x).sum().backward()
        results.append([x.detach().numpy(), *[np.zeros(1) if leaf.grad is None else leaf.grad.numpy() for leaf in leaves]])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours + 0 * theirs, theirs, rtol=1e-11, atol=1e-12)
