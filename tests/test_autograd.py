"""The tape and the walk: what is recorded, what is computed, what is kept and freed, and who shares memory with whom."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.autograd import Function, grad
from minigrad.core import tape, walk
from minigrad.core.device import array_module
from minigrad.errors import ArgumentError, DeviceError, DTypeError, GradError, ShapeError


def leaf(*data: float) -> Tensor:
    return minigrad.tensor(list(data), dtype=minigrad.float64, requires_grad=True)


def grad_of(x: Tensor) -> Any:
    assert x.grad is not None
    return x.grad.tolist()


class Spy(Function):
    """y = 2 x, which counts how often its backward runs."""

    runs = 0

    def forward(ctx: Any, x: Any) -> Any:
        return x * 2

    def backward(ctx: Any, dy: Tensor) -> Any:
        Spy.runs += 1
        return dy * 2


@pytest.fixture(autouse=True)
def _fresh_spy() -> None:
    Spy.runs = 0


# ---------------------------------------------------------------------- values by hand


def test_a_sum_of_products() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 5.0)
    y = (x * w + x).sum()
    y.backward()
    assert grad_of(x) == [4.0, 6.0] and grad_of(w) == [1.0, 2.0]
    y = x.sum() * 2
    y.backward()
    assert grad_of(x) == [6.0, 8.0]  # added


def test_gradients_of_what_was_broadcast_are_summed() -> None:
    a, b, c = minigrad.ones(2, 3, requires_grad=True), leaf(1.0, 2.0, 3.0), leaf(2.0)
    d = minigrad.ones(2, 1, requires_grad=True)
    ((a * b + c) * d).sum().backward()
    assert grad_of(a) == [[1, 2, 3]] * 2 and grad_of(b) == [2, 2, 2] and grad_of(c) == [6] and grad_of(d) == [[12], [12]]
    assert a.grad is not None and a.grad.dtype == minigrad.float32 and d.grad is not None and tuple(d.grad.shape) == (2, 1)


def test_dtypes_of_gradients_are_those_of_the_inputs() -> None:
    x = minigrad.ones(2, dtype=minigrad.float16, requires_grad=True)
    y = minigrad.ones(2, dtype=minigrad.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad is not None and x.grad.dtype == minigrad.float16
    assert y.grad is not None and y.grad.dtype == minigrad.float64


def test_backward_of_a_leaf_and_of_what_is_used_twice() -> None:
    x = leaf(2.0)
    x.backward()
    x.backward()
    assert grad_of(x) == [2.0]
    y = x * 3
    (y * y + y).backward()
    assert grad_of(x) == [2.0 + 2 * 6 * 3 + 3]


def test_a_loss_of_inf_starts_with_a_gradient_of_1() -> None:
    x = leaf(np.inf)
    (x * 2).backward()
    assert grad_of(x) == [2.0]


def test_several_roots() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    minigrad.autograd.backward([y, y.sum(), x], [minigrad.ones(2), None, minigrad.tensor([10.0, 20.0])], retain_graph=True)
    assert grad_of(x) == [14.0, 24.0]
    assert grad([y, y], [x], [minigrad.ones(2), minigrad.ones(2)])[0].tolist() == [4.0, 4.0]


def test_the_third_derivative() -> None:
    x = leaf(0.7)
    y = x**4 * x.exp()
    derivatives = []
    for _ in range(4):
        (y,) = grad(y.sum(), x, create_graph=True)
        derivatives.append(y.item())
    e, v = np.exp(0.7), 0.7
    expected = [
        e * (v**4 + 4 * v**3),
        e * (v**4 + 8 * v**3 + 12 * v**2),
        e * (v**4 + 12 * v**3 + 36 * v**2 + 24 * v),
        e * (v**4 + 16 * v**3 + 72 * v**2 + 96 * v + 24),
    ]
    np.testing.assert_allclose(derivatives, expected, rtol=1e-12)


def test_backward_with_create_graph() -> None:
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    assert x.grad is not None and x.grad.requires_grad
    first = x.grad
    x.grad = None
    first.backward()
    assert grad_of(x) == [18.0]
    x.grad = None
    (x**2).backward(create_graph=True)
    (x**2).backward(create_graph=True)
    assert grad_of(x) == [12.0] and x.grad.requires_grad


# ---------------------------------------------------------------------- switches


def test_what_is_recorded() -> None:
    x = leaf(1.0)
    assert (x * 2).requires_grad and not (minigrad.ones(1) * 2).requires_grad
    with minigrad.no_grad():
        assert not (x * 2).requires_grad and not minigrad.is_grad_enabled()
        with minigrad.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @minigrad.no_grad()
    def quiet(t: Tensor) -> bool:
        return (t * 2).requires_grad

    @minigrad.no_grad
    def bare(t: Tensor) -> bool:
        return (t * 2).requires_grad

    @minigrad.set_grad_enabled(False)
    def chosen(t: Tensor) -> bool:
        return (t * 2).requires_grad

    assert not quiet(x) and not bare(x) and not chosen(x) and (x * 2).requires_grad
    assert quiet.__name__ == "quiet"
    with minigrad.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    minigrad.set_grad_enabled(False)
    try:
        assert not minigrad.is_grad_enabled()
    finally:
        minigrad.set_grad_enabled(True)
    assert minigrad.is_grad_enabled()


def test_generators_run_inside_the_switch_and_their_callers_outside() -> None:
    closed = []

    @minigrad.no_grad()
    def count(n: int) -> Any:
        try:
            for i in range(n):
                got = yield i, minigrad.is_grad_enabled()
                assert got in (None, "sent") and not minigrad.is_grad_enabled()
        finally:
            closed.append(minigrad.is_grad_enabled())
        return "end"

    seen = []
    for i, inside in count(2):
        seen.append((i, inside, minigrad.is_grad_enabled()))
    assert seen == [(0, False, True), (1, False, True)] and closed == [False]
    running = count(5)
    next(running)
    assert running.send("sent") == (1, False)
    running.close()
    assert closed == [False, False] and minigrad.is_grad_enabled()


def test_switches_are_put_back_after_an_error_and_nest() -> None:
    switch = minigrad.no_grad()
    with pytest.raises(KeyError), switch, switch:
        raise KeyError
    assert minigrad.is_grad_enabled()
    with pytest.raises(KeyError):
        minigrad.no_grad(lambda: {}[0])()
    assert minigrad.is_grad_enabled()
    seen = []
    thread = threading.Thread(target=lambda: seen.append(minigrad.is_grad_enabled()))
    with minigrad.no_grad():
        thread.start()
        thread.join()
    assert seen == [True]


def test_inference_mode() -> None:
    x = leaf(1.0, 2.0)
    with minigrad.inference_mode():
        y = x * 2
        assert minigrad.is_inference_mode_enabled() and not y.requires_grad and y.is_inference()
        y.add_(1)
        assert (x * y).tolist() == [3.0, 10.0]
        with minigrad.inference_mode(False):
            assert not minigrad.is_inference_mode_enabled() and minigrad.is_grad_enabled()  # as in PyTorch
    assert not minigrad.is_inference_mode_enabled() and y.is_inference() and not x.is_inference()
    with pytest.raises(GradError, match=r"Mul: input: expected a tensor that can be saved.*inference_mode.*Clone"):
        x * y
    (x * y.clone()).sum().backward()
    assert grad_of(x) == [3.0, 5.0]
    (x + y).sum().backward()  # nothing of y is saved

    @minigrad.inference_mode()
    def decorated() -> Tensor:
        return x * 2

    @minigrad.inference_mode
    def bare() -> Tensor:
        return x * 2

    assert decorated().is_inference() and bare().is_inference() and not minigrad.is_inference_mode_enabled()
    z = (x * x).sum()
    x.grad = None
    with minigrad.inference_mode():
        z.backward(retain_graph=True)
        z.backward()
    assert grad_of(x) == [4.0, 8.0]


def test_requires_grad_and_detach() -> None:
    x = minigrad.tensor([1.0, 2.0])
    assert not x.requires_grad and x.is_leaf
    y = x.requires_grad_() * 2
    assert x.requires_grad and not y.is_leaf and y.grad_fn is not None and y.grad_fn.name() == "Mul"
    assert y.grad_fn.next_functions[0] == (x, 0) and y.grad_fn.next_functions[1] == (None, 0)
    d = y.detach()
    assert not d.requires_grad and d.is_leaf and d.data_ptr() == y.data_ptr()
    (y * d).sum().backward()
    assert grad_of(x) == [4.0, 8.0]
    x.requires_grad = False
    assert not (x * 2).requires_grad
    with pytest.raises(DTypeError, match=r"requires_grad_: tensor: expected a float dtype, got int64.*\.float\(\)"):
        minigrad.tensor([1]).requires_grad_()
    with pytest.raises(GradError, match=r"requires_grad_: tensor: expected a leaf"):
        y.requires_grad_(False)


def test_integer_results_are_not_recorded() -> None:
    x = leaf(1.0, 2.0)
    assert not x.long().requires_grad and not (x > 1).requires_grad and not x.argmax().requires_grad


# ---------------------------------------------------------------------- autograd.grad


def test_grad_touches_no_grad_and_computes_only_what_is_asked() -> None:
    a, b, c = leaf(1.0), leaf(2.0), leaf(3.0)
    left, right = Spy.apply(a * b), Spy.apply(Spy.apply(c))
    loss = (left * right).sum()
    (da,) = grad(loss, a, retain_graph=True)
    assert Spy.runs == 1 and da.item() == 2 * 2.0 * 12
    (dl,) = grad(loss, left, retain_graph=True)
    assert Spy.runs == 1 and dl.item() == 12
    (dc,) = grad(loss, c)
    assert Spy.runs == 3 and dc.item() == 4 * 4
    assert a.grad is None and b.grad is None and c.grad is None


def test_needs_input_grad_is_narrowed_to_what_is_asked() -> None:
    class Asked(Function):
        seen: list[tuple[bool, ...]] = []  # noqa: RUF012

        def forward(ctx: Any, a: Any, b: Any, number: float) -> Any:
            ctx.save_for_backward(a, b)
            return a * b * number

        def backward(ctx: Any, dy: Tensor) -> Any:
            Asked.seen.append(ctx.needs_input_grad)
            a, b = ctx.saved_tensors
            return dy * b, dy * a, None

    a, b = leaf(1.0), leaf(2.0)
    y = Asked.apply(a, b, 1.0)
    grad(y, a, retain_graph=True)
    grad(y, b, retain_graph=True)
    y.backward(retain_graph=True)
    y.backward(inputs=[b])
    Asked.apply(a, b.detach(), 1.0).backward()
    assert Asked.seen == [
        (True, False, False),
        (False, True, False),
        (True, True, False),
        (False, True, False),
        (True, False, False),
    ]
    assert grad_of(a) == [4.0] and grad_of(b) == [2.0]


def test_grad_of_results_of_roots_and_of_several() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y * y
    dz, dy, dx, dx_again = grad(z.sum(), [z, y, x, x])
    assert dz.tolist() == [1, 1] and dy.tolist() == [4, 8] and dx.tolist() == dx_again.tolist() == [8, 16]
    s = x.sum()
    assert grad(s, s)[0].item() == 1
    assert grad(x, x, minigrad.tensor([5.0, 6.0]))[0].tolist() == [5, 6]


def test_unused_inputs() -> None:
    x, w = leaf(1.0), leaf(2.0, 3.0)
    y = x * 2
    with pytest.raises(GradError, match=r"grad: inputs\[1\]: expected a tensor that the outputs depend on.*allow_unused=True"):
        grad(y, [x, w], retain_graph=True)
    dx, dw = grad(y, [x, w], retain_graph=True, allow_unused=True)
    assert dx.item() == 2 and dw is None
    dx, dw = grad(y, [x, w], materialize_grads=True)
    assert dw.tolist() == [0, 0] and dw.dtype == w.dtype


def test_backward_with_inputs() -> None:
    a, b = leaf(1.0), leaf(2.0)
    y = a * b
    z = y * 3
    z.backward(inputs=[a, y], retain_graph=True)
    assert grad_of(a) == [6.0] and grad_of(y) == [3.0] and b.grad is None
    minigrad.autograd.backward(z, inputs=b)
    assert grad_of(b) == [3.0] and grad_of(a) == [6.0]


REFUSED: list[tuple[str, Callable[[], Any], type[Exception], tuple[str, ...]]] = [
    ("no grad", lambda: minigrad.ones(1).backward(), GradError, ("backward", "requires grad", "requires_grad_()")),
    ("not one", lambda: (leaf(1.0, 2.0) * 1).backward(), GradError, ("backward: gradient", "(2,)", ".sum()")),
    ("shape", lambda: leaf(1.0, 2.0).backward(minigrad.ones(3)), ShapeError, ("gradient", "(2,)", "(3,)")),
    ("kind", lambda: leaf(1.0).backward(1.0), DTypeError, ("gradient", "float")),  # type: ignore[arg-type]
    ("count", lambda: minigrad.autograd.backward([leaf(1.0)], []), GradError, ("gradient", "1, one for each tensor", "0")),
    ("no tensor", lambda: minigrad.autograd.backward([3]), DTypeError, ("tensor", "int")),
    ("grad inputs", lambda: grad(leaf(1.0) * 1, minigrad.ones(1)), GradError, ("grad: inputs", "requires_grad_()")),
    ("grad kind", lambda: grad(leaf(1.0), 3), DTypeError, ("grad", "inputs")),
    ("numpy", lambda: leaf(1.0).numpy(), GradError, ("numpy", ".detach().numpy()")),
    ("shapes", lambda: leaf(1.0, 2.0) + leaf(1.0, 2.0, 3.0), ShapeError, ("add", "(2,) and (3,)")),
]


@pytest.mark.parametrize(("call", "error", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refusals(call: Callable[[], Any], error: type[Exception], words: tuple[str, ...]) -> None:
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


# ---------------------------------------------------------------------- Functions of the user's own


def test_static_methods_and_plain_ones() -> None:
    class Static(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, power: int) -> Any:
            ctx.save_for_backward(x)
            ctx.power = power
            return x**power

        @staticmethod
        def backward(ctx: Any, dy: Tensor) -> Any:
            (x,) = ctx.saved_tensors
            return ctx.power * x ** (ctx.power - 1) * dy, None

    class Plain(Function):
        def forward(ctx: Any, x: Any, power: int) -> Any:
            ctx.save_for_backward(x)
            ctx.power = power
            return x**power

        def backward(ctx: Any, dy: Tensor) -> Any:
            (x,) = ctx.saved_tensors
            return ctx.power * x ** (ctx.power - 1) * dy, None

    for kind in (Static, Plain):
        x = leaf(2.0)
        y = kind.apply(x, 3)
        (first,) = grad(y, x, create_graph=True)
        (second,) = grad(first, x)
        assert (y.item(), first.item(), second.item()) == (8.0, 12.0, 12.0)
        assert repr(y.grad_fn) == f"<{kind.__name__}Backward>"


def test_keyword_arguments_reach_forward() -> None:
    class Scale(Function):
        def forward(ctx: Any, x: Any, *, factor: float = 1.0) -> Any:
            ctx.factor = factor
            return x * factor

        def backward(ctx: Any, dy: Tensor) -> Any:
            return dy * ctx.factor

    x = leaf(2.0)
    Scale.apply(x, factor=3.0).backward()
    assert grad_of(x) == [3.0]


class Split(Function):
    """a = 2 x, b = 3 x, and the place of the largest."""

    def forward(ctx: Any, x: Any) -> Any:
        return x * 2, x * 3, array_module(x).asarray(x.argmax())

    def backward(ctx: Any, da: Tensor, db: Tensor, dc: Tensor) -> Any:
        Split.seen = (da, db, dc)
        return 2 * da + 3 * db


def test_several_outputs() -> None:
    x = leaf(1.0, 5.0)
    a, b, c = Split.apply(x)
    assert a.requires_grad and b.requires_grad and not c.requires_grad and (a.output_nr, b.output_nr) == (0, 1)
    (a.sum() + b.sum() * 10).backward()
    assert grad_of(x) == [32.0, 32.0]
    x.grad = None
    _, b, _ = Split.apply(x)
    b.sum().backward()
    assert grad_of(x) == [3.0, 3.0]
    assert Split.seen[0].tolist() == [0.0, 0.0] and Split.seen[0].dtype == minigrad.float64  # zeros for what was not used
    da, db = (
        grad((a * 1).sum() + b.sum(), [a, b], retain_graph=True) if False else grad(b.sum() * 2, [b], retain_graph=True) * 2
    )
    assert da.tolist() == db.tolist() == [2.0, 2.0]


def test_an_output_may_be_none() -> None:
    class Perhaps(Function):
        def forward(ctx: Any, x: Any, both: bool) -> Any:
            return x * 2, x * 3 if both else None

        def backward(ctx: Any, da: Tensor, db: Tensor | None) -> Any:
            return (2 * da if db is None else 2 * da + 3 * db), None

    x = leaf(1.0)
    a, b = Perhaps.apply(x, False)
    assert b is None
    a.backward()
    a, b = Perhaps.apply(x, True)
    b.backward()
    assert grad_of(x) == [5.0]


def test_gradients_that_are_not_materialised() -> None:
    class Lazy(Function):
        def forward(ctx: Any, x: Any) -> Any:
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        def backward(ctx: Any, da: Tensor | None, db: Tensor | None) -> Any:
            Lazy.seen = (da, db)
            return None if db is None else 3 * db

    x = leaf(1.0)
    a, b = Lazy.apply(x)
    a.backward(retain_graph=True)
    assert x.grad is None and Lazy.seen[1] is None
    b.backward()
    assert grad_of(x) == [3.0] and Lazy.seen[0] is None


def test_outputs_marked_not_differentiable() -> None:
    class Sort(Function):
        def forward(ctx: Any, x: Any) -> Any:
            order = np.argsort(x)
            copy = x.copy()
            ctx.mark_non_differentiable(copy)
            ctx.save_for_backward(order)
            return x[order], copy

        def backward(ctx: Any, dy: Tensor, dcopy: Tensor) -> Any:
            (order,) = ctx.saved_tensors
            return minigrad.zeros(3, dtype=dy.dtype).index_put((order,), dy)

    x = leaf(3.0, 1.0, 2.0)
    y, copy = Sort.apply(x)
    assert y.requires_grad and not copy.requires_grad
    (y * minigrad.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert grad_of(x) == [100.0, 1.0, 10.0]


def test_saved_numbers_none_inputs_outputs_and_scalars() -> None:
    class Saves(Function):
        def forward(ctx: Any, x: Any) -> Any:
            y = np.exp(x)  # a NumPy scalar for no dimensions
            ctx.save_for_backward(x, y, None, 2.5, np.int64(x.size))
            return y

        def backward(ctx: Any, dy: Tensor) -> Any:
            x, y, none, number, bare = ctx.saved_tensors
            assert none is None and number == 2.5 and isinstance(bare, Tensor) and not bare.requires_grad
            Saves.last = (x, y)
            return dy * y

    for shape in ((), (2,)):
        x = minigrad.full(shape, 0.5, dtype=minigrad.float64, requires_grad=True)
        y = Saves.apply(x)
        (first,) = grad(y.sum(), x, create_graph=True)
        assert Saves.last[0] is x and Saves.last[1].requires_grad  # an output keeps its history
        (second,) = grad(first.sum(), x)
        np.testing.assert_allclose(second.numpy(), np.exp(0.5))


def test_an_input_handed_back_is_a_copy() -> None:
    class Same(Function):
        def forward(ctx: Any, x: Any) -> Any:
            return x

        def backward(ctx: Any, dy: Tensor) -> Any:
            return dy

    x = leaf(1.0)
    y = Same.apply(x)
    with minigrad.no_grad():
        y.add_(1)
    assert x.item() == 1.0
    y.backward()
    assert grad_of(x) == [1.0]


def test_a_view_of_an_input_handed_back_is_a_copy() -> None:
    class Part(Function):
        def forward(ctx: Any, x: Any) -> Any:
            return x[1:], x.reshape(1, 2)

        def backward(ctx: Any, da: Tensor, db: Tensor) -> Any:
            return db.reshape(2)

    x = leaf(1.0, 2.0)
    with minigrad.no_grad():
        for part in Part.apply(x):
            part.zero_()
    assert x.tolist() == [1.0, 2.0]


def test_a_gradient_made_with_the_tape_on_leaves_no_graph_in_grad() -> None:
    class Recorded(Function):
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        def backward(ctx: Any, dy: Tensor) -> Any:
            with minigrad.enable_grad():
                return dy * ctx.saved_tensors[0] * 2

    x = leaf(3.0)
    Recorded.apply(x).backward()
    assert grad_of(x) == [6.0] and x.grad is not None and not x.grad.requires_grad


def test_other_mistakes_in_a_function() -> None:
    class NoBackward(Function):
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

    class SavesText(Function):
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward("text")
            return x * 2

    assert NoBackward.apply(minigrad.ones(1)).item() == 2
    with pytest.raises(GradError, match=r"NoBackward: backward: expected a method, got none. Define backward\(ctx, \*grads\)"):
        NoBackward.apply(leaf(1.0)).backward()
    with pytest.raises(DTypeError, match=r"SavesText: save_for_backward: expected arrays, numbers or None, got str"):
        SavesText.apply(leaf(1.0))


def test_what_breaks_the_contract_of_backward() -> None:
    def made(result: Any, inputs: int = 1) -> type[Function]:
        class Wrong(Function):
            def forward(ctx: Any, *arrays: Any) -> Any:
                return arrays[0] * 1

            def backward(ctx: Any, dy: Tensor) -> Any:
                return result

        return Wrong

    two = [leaf(1.0, 2.0), leaf(1.0, 2.0)]
    rows: list[tuple[Any, int, str]] = [
        (minigrad.ones(2), 2, r"Wrong: backward: expected 2 gradients, one for each argument of forward, got 1.*Return None"),
        ((minigrad.ones(2), None, minigrad.ones(2)), 2, r"Wrong: backward: expected 2 gradients, .* got 3"),
        (minigrad.ones(3), 1, r"Wrong: gradient 0 of backward: expected shape \(2,\), that of the input, got \(3,\)"),
        (minigrad.ones(()), 1, r"Wrong: gradient 0 of backward: expected shape \(2,\), that of the input, got \(\)"),
        (3.0, 1, r"Wrong: gradient 0 of backward: expected a Tensor or None, got float"),
        ((None, np.ones(2)), 2, r"Wrong: gradient 1 of backward: expected a Tensor or None, got ndarray"),
    ]
    for result, count, words in rows:
        with pytest.raises(GradError, match=words):
            made(result, count).apply(*two[:count]).sum().backward()
    made((minigrad.ones(2), None, None)).apply(two[0]).sum().backward()  # None may follow
    made(None).apply(two[1]).sum().backward()
    assert two[1].grad is None
    made((minigrad.ones(5, 2), None), 2).apply(*two).sum().backward()  # what broadcast is summed
    assert grad_of(two[0]) == [6.0, 6.0]


def test_what_forward_may_not_return() -> None:
    def made(result: Any) -> Any:
        class Wrong(Function):
            def forward(ctx: Any, x: Any) -> Any:
                return result

        return Wrong.apply(leaf(1.0))

    for result, got in ((None, "NoneType"), (2.0, "float"), (leaf(1.0), "Tensor"), ((np.ones(1), "a"), "str")):
        with pytest.raises(DTypeError, match=rf"Wrong: result of forward: expected an array or a tuple of arrays, got {got}"):
            made(result)
    assert [t.tolist() for t in made([np.ones(1), np.zeros(1)])] == [[1.0], [0.0]]


def test_a_failing_forward_or_backward_keeps_its_own_error() -> None:
    class Fails(Function):
        def forward(ctx: Any, x: Any, here: bool) -> Any:
            if here:
                raise ValueError("mine")
            return x * 1

        def backward(ctx: Any, dy: Tensor) -> Any:
            raise ZeroDivisionError("mine too")

    with pytest.raises(ValueError, match=r"^mine$"):
        Fails.apply(leaf(1.0), True)
    with pytest.raises(ZeroDivisionError, match="mine too"):
        Fails.apply(leaf(1.0), False).backward()
    assert minigrad.is_grad_enabled() and tape.mode.wanted is None
    x = leaf(1.0)
    (x * 2).backward()
    assert grad_of(x) == [2.0]


def test_devices_are_not_mixed_silently() -> None:
    with pytest.raises(DeviceError, match="cuda"):
        minigrad.ones(1, device="cuda")
    with pytest.raises(ArgumentError):
        minigrad.ones(1, device="moon")


# ---------------------------------------------------------------------- the walk


def _deep(code: str) -> None:
    """Run in a program of its own, as a crash would take the tests along."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0 and done.stdout.strip() == "done", done.stderr[-2000:]


def test_a_chain_of_100_000_ops() -> None:
    _deep(
        """
import sys, minigrad
x = minigrad.tensor(1.0, dtype=minigrad.float64, requires_grad=True)
y = x
for _ in range(100_000):
    y = y + 1.0
y.backward()
assert x.grad.item() == 1.0
y = x
for _ in range(100_000):
    y = y * 1.0
del y  # never walked
y = x
for _ in range(100_000):
    y = -y
z, = minigrad.autograd.grad(y, x, create_graph=True)
assert z.item() == 1.0
del y, z
b = x * 1
v = b.view(1)
for _ in range(20_000):
    v.add_(1)
v.sum().backward()
del b, v
print("done")
"""
    )


def test_each_node_is_visited_once() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(200):  # 2^200 paths
        y = Spy.apply(y) + y * 0
    y.backward()
    assert Spy.runs == 200 and grad_of(x) == [2.0**200]
    Spy.runs = 0
    wide = [Spy.apply(x) for _ in range(50)]
    total = sum(a * b for a, b in itertools.product(wide, wide))
    grad(total, x)  # type: ignore[arg-type]
    assert Spy.runs == 50


def test_random_graphs_beside_central_differences() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        plan = [(int(rng.integers(4)), *rng.integers(0, 3 + i, 2).tolist()) for i in range(12)]

        def run(data: Any, plan: list[Any] = plan) -> Tensor:
            values = [data[i] for i in range(3)]
            for kind, i, j in plan:
                a, b = values[i], values[j]
                values.append((a * b, a + b, a.sin(), a - b.tanh())[kind])
            return values[-1] * values[-2] + values[-3]

        x = leaf(0.3, -0.4, 0.9)
        result = run(x)
        if not result.requires_grad:
            continue
        (found,) = grad(result, x, materialize_grads=True)
        for i in range(3):
            moved = [x.detach().clone() for _ in range(2)]
            moved[0][i] += 1e-6
            moved[1][i] -= 1e-6
            numeric = (run(moved[0]) - run(moved[1])).item() / 2e-6
            assert found[i].item() == pytest.approx(numeric, rel=1e-6, abs=1e-7)


def test_the_graph_is_freed_and_a_second_backward_refuses() -> None:
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(GradError, match=r"Mul: saved tensors: .*an earlier backward freed them.*retain_graph=True"):
        y.backward()
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    grad(y, x)
    with pytest.raises(GradError, match="freed"):
        grad(y, x)
    y = (x + x).sum()  # nothing was saved: nothing is missing
    y.backward()
    y.backward()


def test_backward_frees_as_it_goes() -> None:
    size = 1 << 16  # float32: a quarter of a million bytes
    x = minigrad.ones(size, requires_grad=True)
    x.sin().sum().backward()  # what is loaded at the first use
    x.grad = None
    tracemalloc.start()
    try:
        y = x
        for _ in range(40):
            y = y.sin()
        loss = y.sum()
        del y
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        loss.backward()
        peak = tracemalloc.get_traced_memory()[1]
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held > 38 * 4 * size  # what the chain saved
    assert peak < held + 5 * 4 * size  # a few gradients, never a second chain
    assert after < 3 * 4 * size  # x.grad


def test_results_that_nobody_needs_are_freed_at_once() -> None:
    x = minigrad.ones(1000, requires_grad=True)
    y = x + 1
    array = weakref.ref(y.array)
    z = y + 1  # the sum saves nothing
    del y
    assert array() is None
    node = weakref.ref(z._node)
    del z
    assert node() is None  # by counting references: the garbage collector is not needed
    gc.disable()
    try:
        w = (x * x).sum()
        node = weakref.ref(w._node)
        w.backward()
        del w
        assert node() is None
    finally:
        gc.enable()


def test_unused_branches_do_not_hold_what_was_saved_in_no_grad() -> None:
    x = minigrad.ones(10, requires_grad=True)
    with minigrad.no_grad():
        y = x.exp()
    assert y._node is None


def test_two_threads_walk_at_once() -> None:
    shared = leaf(1.0, 2.0)
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def work(seed: int) -> None:
        try:
            start.wait()
            for turn in range(60):
                own = leaf(0.1 * seed, 0.2)
                y = own
                for _ in range(20):
                    y = y.sin() * shared
                (d_own,) = grad(y.sum(), own, retain_graph=True)
                with minigrad.no_grad():
                    assert not minigrad.is_grad_enabled()
                y.sum().backward()
                np.testing.assert_array_equal(own.grad.numpy(), d_own.numpy())  # type: ignore[union-attr]
                assert minigrad.is_grad_enabled() and turn >= 0
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert shared.grad is not None


def test_one_graph_walked_by_two_threads() -> None:
    """``needs_input_grad`` belongs to a pass, not to the node."""
    a, b = leaf(*range(1, 200)), leaf(*range(2, 201))
    y = (a * b).sum()
    wrong: list[Any] = []
    start = threading.Barrier(2)

    def work(x: Tensor, other: Tensor) -> None:
        start.wait()
        for _ in range(200):
            (found,) = grad(y, x, retain_graph=True)
            if not np.array_equal(found.numpy(), other.detach().numpy()):
                wrong.append(found)

    threads = [threading.Thread(target=work, args=pair) for pair in ((a, b), (b, a))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_walk_inside_a_backward() -> None:
    class Inner(Function):
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**2

        def backward(ctx: Any, dy: Tensor) -> Any:
            (x,) = ctx.saved_tensors
            with minigrad.enable_grad():
                t = x.detach().requires_grad_()
                (d,) = grad((t**2).sum(), t)
            assert ctx.needs_input_grad == (True,)
            return d * dy

    x = leaf(3.0)
    (dx,) = grad(Inner.apply(x), x)
    assert dx.item() == 6.0


# ---------------------------------------------------------------------- who shares memory with whom


def _apart(*tensors: Tensor | None) -> None:
    for one, other in itertools.combinations(tensors, 2):
        assert one is not None and other is not None and not np.shares_memory(one.array, other.array)


def test_no_two_grads_share_memory() -> None:
    a, b, c = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0, 6.0)
    start = minigrad.tensor([1.0, 1.0], dtype=minigrad.float64)
    (a + b + c).backward(start)
    _apart(a.grad, b.grad, c.grad, start)
    (a + b).backward(start)
    _apart(a.grad, b.grad, c.grad, start)
    assert grad_of(a) == [2.0, 2.0] and grad_of(c) == [1.0, 1.0] and start.tolist() == [1.0, 1.0]


def test_a_grad_shares_nothing_with_the_users_gradient_or_with_what_was_saved() -> None:
    for op in (
        lambda x: x * 1,
        lambda x: x + 0,
        lambda x: x.clone(),
        lambda x: x.view(2, 1),
        lambda x: x.t(),
        lambda x: x[None],
    ):
        x = leaf(1.0, 2.0)
        y = op(x)
        start = minigrad.ones(*y.shape, dtype=minigrad.float64)
        y.backward(start)
        _apart(x.grad, start)
        y = op(x)
        y.backward(start)
        assert start.tolist() == minigrad.ones(*y.shape).tolist() and grad_of(x) == [2.0, 2.0]
    x = leaf(1.0, 2.0)
    x.backward(start := minigrad.ones(2, dtype=minigrad.float64))
    _apart(x.grad, start)
    w = leaf(3.0, 4.0)
    (x * w).sum().backward()
    _apart(w.grad, x, x.grad, w)


def test_a_transposed_gradient_is_not_shared_with_the_plain_one() -> None:
    class Both(Function):
        """Hands one array to one input and its transpose to the other."""

        def forward(ctx: Any, a: Any, b: Any) -> Any:
            return a + b.T

        def backward(ctx: Any, dy: Tensor) -> Any:
            g = dy * 2
            return g, g.t()

    a, b = minigrad.ones(2, 2, requires_grad=True), minigrad.ones(2, 2, requires_grad=True)
    y = Both.apply(a, b * 1)  # b is reached later: a.grad must not change under its way
    (y * minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    _apart(a.grad, b.grad)
    (Both.apply(a, b) * minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]) + a).sum().backward()
    _apart(a.grad, b.grad)
    assert grad_of(a) == [[5.0, 9.0], [13.0, 17.0]] and grad_of(b) == [[4.0, 12.0], [8.0, 16.0]]


def test_a_gradient_that_a_backward_keeps_is_not_taken_over() -> None:
    class Keeps(Function):
        kept: Any = None

        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        def backward(ctx: Any, dy: Tensor) -> Any:
            Keeps.kept = dy * 3 if Keeps.kept is None else Keeps.kept
            return Keeps.kept

    class KeepsArray(Keeps):
        def backward(ctx: Any, dy: Tensor) -> Any:
            made = dy * 3
            KeepsArray.kept = made.array
            return made

    x = leaf(1.0)
    Keeps.apply(x).backward()
    Keeps.apply(x).backward()
    assert grad_of(x) == [6.0] and Keeps.kept.tolist() == [3.0]
    x = leaf(1.0)
    KeepsArray.apply(x).backward()
    held = KeepsArray.kept
    (x * 1).backward()
    assert grad_of(x) == [4.0] and held.tolist() == [3.0]


def test_a_gradient_that_nobody_else_holds_is_taken_over_without_a_copy() -> None:
    seen = []

    class Makes(Function):
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        def backward(ctx: Any, dy: Tensor) -> Any:
            made = dy * 3
            seen.append(made.data_ptr())
            return made

    x = minigrad.ones(1000, requires_grad=True)
    Makes.apply(x).sum().backward()
    assert x.grad is not None and x.grad.data_ptr() == seen[0]
    before = x.grad
    Makes.apply(x).sum().backward()
    assert x.grad is before and grad_of(x)[0] == 6.0  # added in place


def test_sums_on_the_way_do_not_change_what_others_hold() -> None:
    x = leaf(1.0, 2.0)
    kept = []
    y = x * 1
    a, b, c = y * 1, y * 1, y * 1
    for t in (a, b, c):
        t.register_hook(kept.append)
    (a + b + c + y).backward(start := minigrad.ones(2, dtype=minigrad.float64))
    assert grad_of(x) == [4.0, 4.0] and [g.tolist() for g in kept] == [[1.0, 1.0]] * 3 and start.tolist() == [1.0, 1.0]
    found = grad((x * 2).sum() + (x * 3).sum() + (x * 4).sum(), [x])[0]
    assert found.tolist() == [9.0, 9.0]


def test_a_held_grad_is_added_to_in_place_and_counted() -> None:
    x = leaf(1.0)
    (x * 2).backward()
    g = x.grad
    assert g is not None
    version = g._version
    (x * 3).backward()
    assert x.grad is g and g.item() == 5.0 and g._version > version
    x.grad = None
    (x * 3).backward()
    assert g.item() == 5.0 and grad_of(x) == [3.0]


def test_what_may_be_assigned_to_grad() -> None:
    x = leaf(1.0, 2.0)
    x.grad = minigrad.tensor([5.0, 6.0], dtype=minigrad.float64)
    (x * 2).sum().backward()
    assert grad_of(x) == [7.0, 8.0]
    rows: list[tuple[Any, str]] = [
        (3.0, "float"),
        (np.zeros(2), "ndarray"),
        (minigrad.zeros(3, dtype=minigrad.float64), r"shape \(3,\) and dtype float64"),
        (minigrad.zeros(2), r"shape \(2,\) and dtype float32"),
    ]
    for value, got in rows:
        with pytest.raises(GradError, match=rf"grad: value: expected None or a Tensor of shape \(2,\).*got {got}"):
            x.grad = value
    x.grad = None
    assert x.grad is None


def test_adding_to_a_grad_with_a_history() -> None:
    x = leaf(3.0)
    (x**2).backward(create_graph=True)
    first = x.grad
    (x**2).backward()
    assert first is not None and first.tolist() == [6.0] and grad_of(x) == [12.0]


def test_the_layout_of_a_gradient_is_that_of_its_value() -> None:
    array = np.zeros((2, 4, 4, 3), np.float32).transpose(0, 3, 1, 2)  # channels last in memory
    x = minigrad.from_numpy(array).requires_grad_()
    ((x * 2).relu() + x).sum().backward()
    assert x.grad is not None and x.grad.array.transpose(0, 2, 3, 1).flags.c_contiguous


# ---------------------------------------------------------------------- copies and pickles


def test_copies_and_pickles_of_leaves() -> None:
    import copy
    import pickle

    x = leaf(1.0, 2.0)
    (x * 2).sum().backward()
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert twin.requires_grad and twin.tolist() == x.tolist() and not np.shares_memory(twin.array, x.array)
    assert grad_of(copy.deepcopy(x)) == [2.0, 2.0]
    for call, word in ((copy.deepcopy, "deepcopy"), (pickle.dumps, "pickle")):
        with pytest.raises(GradError, match=rf"{word}: tensor: expected a leaf"):
            call(x * 2)


# ---------------------------------------------------------------------- autograd.functional

F = minigrad.autograd.functional


def _cases(m: Any) -> list[tuple[str, Callable[[], Any]]]:
    x = m.tensor([[0.3, 0.7, -0.2], [1.1, -0.6, 0.4]], dtype=m.float64)
    w = m.tensor([0.5, -1.5, 2.0], dtype=m.float64)
    f = m.autograd.functional

    def two(x: Any, w: Any) -> Any:
        return (x @ w).sin(), x.exp() * w[0]

    def loss(x: Any, w: Any) -> Any:
        return ((x @ w).sin() ** 2).sum() + w.prod()

    v2 = (m.tensor([1.0, -2.0], dtype=m.float64), x * 3)
    return [
        ("jacobian", lambda: f.jacobian(lambda x: x.sum(0) ** 2, x)),
        ("jacobian of two", lambda: f.jacobian(two, (x, w))),
        ("jacobian of a number", lambda: f.jacobian(lambda x: x.sum(), x)),
        ("jacobian of nothing", lambda: f.jacobian(lambda x: m.ones(2, dtype=m.float64), x)),
        ("hessian", lambda: f.hessian(lambda w: (w**3).sum() * w[0], w)),
        ("hessian of two", lambda: f.hessian(loss, (x, w))),
        ("vjp", lambda: f.vjp(lambda x: x.sum(), x)),
        ("vjp of two", lambda: f.vjp(two, (x, w), v2)),
        ("jvp", lambda: f.jvp(lambda x: x.exp() @ w, x, x * 2)),
        ("jvp of two", lambda: f.jvp(two, (x, w), (x * 2, w + 1))),
        ("jvp linear", lambda: f.jvp(lambda x: x * 2, x, x)),
        ("vhp", lambda: f.vhp(loss, (x, w), (x * 2, w + 1))),
        ("hvp", lambda: f.hvp(lambda w: (w**3).sum() * w[0], w, w * 2)),
    ]


def _flat(value: Any) -> list[np.ndarray]:
    return [a for item in value for a in _flat(item)] if isinstance(value, tuple) else [value.detach().numpy()]


@pytest.mark.peer
@pytest.mark.parametrize("number", range(13))
def test_functional_is_pytorchs(number: int) -> None:
    import torch

    (_, ours), (_, theirs) = _cases(minigrad)[number], _cases(torch)[number]
    for one, other in zip(_flat(ours()), _flat(theirs()), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_functional_by_hand() -> None:
    x, w = minigrad.tensor([1.0, 2.0]), minigrad.tensor([3.0])
    assert F.jacobian(lambda x: x * x[0], x).tolist() == [[2.0, 0.0], [2.0, 1.0]]
    of_x, of_w = F.jacobian(lambda x, w: x * w, (x, w))
    assert of_x.tolist() == [[3.0, 0.0], [0.0, 3.0]] and of_w.tolist() == [[1.0], [2.0]]
    assert F.hessian(lambda x: x[0] ** 2 * x[1], x).tolist() == [[4.0, 2.0], [2.0, 0.0]]
    value, product = F.jvp(lambda x: x * x[0], x, minigrad.tensor([1.0, 10.0]))
    assert value.tolist() == [1.0, 2.0] and product.tolist() == [2.0, 12.0]
    value, product = F.hvp(lambda x: x[0] ** 2 * x[1], x, minigrad.tensor([1.0, 10.0]))
    assert value.item() == 2.0 and product.tolist() == [24.0, 2.0]
    assert not x.requires_grad and not product.requires_grad


def test_functional_with_create_graph() -> None:
    x = leaf(1.0, 2.0)
    jacobian = F.jacobian(lambda x: x**3, x, create_graph=True)
    jacobian.sum().backward()
    assert grad_of(x) == [6.0, 12.0]
    x.grad = None
    _, product = F.jvp(lambda x: x**3, x, minigrad.ones(2, dtype=minigrad.float64), create_graph=True)
    product.sum().backward()
    assert grad_of(x) == [6.0, 12.0]


def test_functional_refusals() -> None:
    x = minigrad.tensor([1.0, 2.0])
    rows: list[tuple[Callable[[], Any], type[Exception], str]] = [
        (lambda: F.jacobian(lambda x: 3, x), DTypeError, "jacobian: result of func"),
        (lambda: F.jacobian(lambda x: x, 3), DTypeError, "jacobian: inputs"),
        (lambda: F.jacobian(lambda x: minigrad.ones(1), x, strict=True), GradError, r"inputs\[0\].*without effect"),
        (lambda: F.jacobian(lambda x: x, x, strategy="forward-mode"), ArgumentError, "strategy.*'forward-mode'"),
        (lambda: F.hessian(lambda x: x, x), ShapeError, r"hessian: result of func: expected one element, got shape \(2,\)"),
        (lambda: F.vjp(lambda x: x, x), ShapeError, r"vjp: v: .*\(2,\), got none"),
        (lambda: F.jvp(lambda x: x, x, minigrad.ones(3)), ShapeError, r"jvp: v: expected shapes \(2,\), got \(3,\)"),
    ]
    for call, error, words in rows:
        with pytest.raises(error, match=words):
            call()


# ---------------------------------------------------------------------- beside PyTorch


@pytest.mark.peer
def test_random_graphs_beside_pytorch() -> None:
    import torch

    rng = np.random.default_rng(1)
    for _ in range(60):
        plan = [(int(rng.integers(8)), *rng.integers(0, 2 + i, 2).tolist()) for i in range(14)]
        results = []
        for m in (minigrad, torch):
            leaves = [m.tensor(np.random.default_rng(i).uniform(0.3, 1, (3, 3)), requires_grad=True) for i in range(2)]
            values: list[Any] = list(leaves)
            for kind, i, j in plan:
                a, b = values[i], values[j]
                values.append(
                    (
                        a * b,
                        a + b[0],
                        a.sin(),
                        a @ b * 0.3,
                        a.t() - b,
                        a.exp() / (b * b + 1),
                        a.sum(0, keepdim=True) + b,
                        a.detach() * b,
                    )[kind]
                )
            total = sum((v * v).sum() for v in values[-4:]) + (values[0] * values[1]).sum()
            found = m.autograd.grad(total, leaves, create_graph=True)
            second = m.autograd.grad(sum((g * g).sum() for g in found), leaves, retain_graph=True)
            total.backward()
            results.append([*found, *second, *[x.grad for x in leaves]])
        for ours, theirs in zip(*results, strict=True):
            a, b = ours.detach().numpy(), theirs.detach().numpy()
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())


def test_the_walk_knows_who_holds_a_result() -> None:
    """Python versions differ in what they count: the calibration must see one more holder."""
    (alone,) = (Tensor._wrap(np.zeros(1)) for _ in range(1))
    held = [alone]
    for result in (alone,):
        assert not walk._is_alone(result) and held


@pytest.mark.parametrize("switch", [minigrad.enable_grad, minigrad.no_grad, minigrad.inference_mode])
def test_an_op_takes_thousands_of_tensors(switch: Callable[[], Any]) -> None:
    with switch():
        assert minigrad.cat([minigrad.ones(2)] * 3000).sum().item() == 6000
