"""Recurrent kernels: every implementation beside the reference and in the layers, drawn shapes, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import minigrad
from minigrad import kernels, nn
from minigrad.errors import ArgumentError, DTypeError, IndexingError, KernelError, ShapeError
from minigrad.kernels import gru, lstm, recurrence, rnn
from tests import test_recurrent as layers

FAMILIES: dict[str, Any] = {"lstm": lstm, "gru": gru, "rnn": rnn}
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
EACH = [(family, name) for family in FAMILIES for name in kernels.available(family, "cpu") if name != "reference"]
each_implementation = pytest.mark.parametrize(("family", "name"), EACH)


def arrays(family: str, sizes: list[int], features: int, hidden: int, dtype: Any = np.float64, seed: int = 0) -> dict[str, Any]:
    """Inputs, weights and gradients of a packed batch."""
    rng = np.random.default_rng(seed)
    rows, batch, gates = sum(sizes), sizes[0], GATES[family] * hidden
    shapes = {
        "x": (rows, features), "h0": (batch, hidden), "c0": (batch, hidden), "w_ih": (gates, features), "w_hh": (gates, hidden),
        "b_ih": (gates,), "b_hh": (gates,), "dy": (rows, hidden), "dh": (batch, hidden), "dc": (batch, hidden),
    }  # fmt: skip
    return {name: (rng.standard_normal(shape) * 0.6).astype(dtype) for name, shape in shapes.items()}


def there_and_back(family: str, sizes: list[int], a: dict[str, Any], wanted: bool = True, **words: Any) -> list[Any]:
    """All that forward, backward and grad_weights give; what belongs to the input, which may be not wanted, last."""
    weights = (a["w_ih"], a["w_hh"])
    inputs = (a["x"], sizes, a["h0"])
    biases = (a["b_ih"], a["b_hh"])
    if family == "lstm":
        made: tuple[Any, ...] = lstm.forward(*inputs, a["c0"], *weights, *biases, **words)
        dy, dh, dc = a["dy"], a["dh"], a["dc"]
        da, *grads, dx = lstm.backward(dy, dh, dc, sizes, a["c0"], *weights, *made[1:], input_wanted=wanted, **words)
    elif family == "gru":
        made = gru.forward(*inputs, *weights, *biases, **words)
        da, *grads, dx = gru.backward(a["dy"], a["dh"], sizes, a["h0"], *weights, *made, input_wanted=wanted, **words)
    else:
        made = (rnn.forward(*inputs, *weights, *biases, **words),)
        da, *grads, dx = rnn.backward(a["dy"], a["dh"], sizes, a["h0"], *weights, *made, input_wanted=wanted, **words)
    h = recurrence.all_before(made[0], a["h0"], sizes, words.get("reverse", False))
    dw_ih, *of_state = FAMILIES[family].grad_weights(da, a["x"], h, input_wanted=wanted)
    return [*made, da, *grads, *of_state, dw_ih, dx]


def assert_close(found: list[Any], wanted: list[Any], limit: float) -> None:
    for place, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        assert (ours is None) == (theirs is None), place
        if theirs is not None:
            assert ours.shape == theirs.shape and ours.dtype == theirs.dtype, place
            np.testing.assert_allclose(ours, theirs, rtol=limit, atol=limit, err_msg=f"result {place}")


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[int], int, int, bool, int]:
    sizes = sorted(draw(st.lists(st.integers(0, 6), min_size=1, max_size=5)), reverse=True)
    return sizes, draw(st.integers(0, 6)), draw(st.integers(1, 40)), draw(st.booleans()), draw(st.integers(0, 3))


@each_implementation
@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@hypothesis.given(batch=batches())
def test_drawn_shapes_beside_the_reference(family: str, name: str, batch: Any) -> None:
    sizes, features, hidden, reverse, left_out = batch
    a = arrays(family, sizes, features, hidden, seed=hidden)
    for missing in ((), ("b_ih",), ("b_ih", "b_hh"), ("dy", "dc"))[left_out]:
        a[missing] = None
    with kernels.use(**{family: "vectorised" if name != "vectorised" else "reference"}):
        wanted = there_and_back(family, sizes, a, reverse=reverse)
    with kernels.use(**{family: name}):
        assert_close(there_and_back(family, sizes, a, reverse=reverse), wanted, 1e-11)
        assert there_and_back(family, sizes, a, wanted=False, reverse=reverse)[-2:] == [None, None]


LARGE = [
    ([9] * 3, 30, 140, "all terms of a sum do not fit a chunk"),
    ([20, 13, 13, 4, 1], 70, 48, "several lengths among threads"),
    ([40], 300, 130, "one step among threads"),
    ([3] * 4, 600, 40, "more features than units"),
]


@each_implementation
@pytest.mark.parametrize(("sizes", "features", "hidden"), [row[:3] for row in LARGE], ids=[row[3] for row in LARGE])
def test_large_shapes(family: str, name: str, sizes: list[int], features: int, hidden: int) -> None:
    a = {key: array if key[0] != "w" else array * 0.1 for key, array in arrays(family, sizes, features, hidden).items()}
    for reverse in (False, True):
        with kernels.use(**{family: "vectorised"}):
            wanted = there_and_back(family, sizes, a, reverse=reverse)
        for memo in (None, {}):
            with kernels.use(**{family: name}):
                found = there_and_back(family, sizes, a, reverse=reverse, memo=memo)
                assert_close(found, wanted, 1e-10)
                again = there_and_back(family, sizes, a, reverse=reverse, memo=memo)
            assert all(np.array_equal(one, other) for one, other in zip(found, again, strict=True))
            single = {key: array.astype(np.float32) for key, array in a.items()}
            with kernels.use(**{family: name}):
                found = there_and_back(family, sizes, single, reverse=reverse)
            assert_close(found, [array.astype(np.float32) for array in wanted], 1e-4)


@each_implementation
def test_a_memo_changes_nothing(family: str, name: str) -> None:
    with kernels.use(**{family: name}):
        memo: dict[Any, Any] = {}
        weights = arrays(family, [5], 3, 20, np.float32)
        for seed in range(3):
            a = {**arrays(family, [5], 3, 20, np.float32, seed), "w_ih": weights["w_ih"], "w_hh": weights["w_hh"]}
            for one, other in zip(there_and_back(family, [5], a, memo=memo), there_and_back(family, [5], a), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@each_implementation
def test_a_wrong_kernel_is_told(family: str, name: str) -> None:
    inner = kernels.registry.functions_of(family, name)

    def forward(*args: Any, **kwargs: Any) -> Any:
        result = inner.forward(*args, **kwargs)
        y = (result[0] if isinstance(result, tuple) else result) * np.float32(1 + 1e-4)
        return (y, *result[1:]) if isinstance(result, tuple) else y

    kernels.register(family, "wrong", base=name, forward=forward)
    try:
        a = arrays(family, [8] * 6, 10, 12, np.float32)
        with kernels.checking():
            with kernels.use(**{family: name}):
                there_and_back(family, [8] * 6, a)
            with kernels.use(**{family: "wrong"}), pytest.raises(KernelError, match="forward"):
                there_and_back(family, [8] * 6, a)
    finally:
        kernels.unregister(family, "wrong")


@each_implementation
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_layers_are_the_slow_loop(family: str, name: str, packed: bool) -> None:
    with kernels.use(**{family: name}):
        for kind, words in layers.VARIANTS:
            if kind == family.upper():
                layers.test_layer_is_the_slow_loop(kind, words, packed)


@each_implementation
def test_derivatives_are_the_numeric_ones(family: str, name: str) -> None:
    with kernels.use(**{family: name}):
        layers.test_derivatives_are_the_numeric_ones(family.upper())
        layers.test_second_derivatives_exist_and_are_the_numeric_ones(family.upper())


def test_layers_run_under_the_check() -> None:
    with kernels.checking():
        for kind in (nn.LSTM, nn.GRU, nn.RNN):
            layer = kind(3, 5, num_layers=2, bidirectional=True)
            output, _ = layer(minigrad.randn(4, 2, 3))
            (output * output).sum().backward()


# ---------------------------------------------------------------------- what is refused

X, H = np.ones((5, 3)), np.zeros((2, 4))
W4, U4, W3, U3, W1, U1 = (np.ones((gates * 4, size)) for gates in (4, 3, 1) for size in (3, 4))
SIZES, N = [2, 2, 1], np.arange(6)
C, G = np.ones((5, 4)), np.ones((5, 16))
REFUSED: list[tuple[str, Callable[[], Any], type[Exception], tuple[str, ...]]] = [
    ("dtype", lambda: lstm.forward(X.astype("i4"), SIZES, H, H, W4, U4), DTypeError, ("lstm", "input", "int32")),
    ("dtypes", lambda: gru.forward(X, SIZES, H, W3, U3.astype("f4")), DTypeError, ("gru", "weight_hh", "float64", "float32")),
    ("no array", lambda: rnn.forward([1.0], SIZES, H, W1, U1), DTypeError, ("rnn", "input", "list")),
    ("rank", lambda: lstm.forward(X[0], SIZES, H, H, W4, U4), ShapeError, ("input", "rows, D", "(3,)")),
    ("features", lambda: gru.forward(X[:, :2], SIZES, H, W3, U3), ShapeError, ("input", "3 features", "(5, 2)")),
    ("gates", lambda: lstm.forward(X, SIZES, H, H, W3, U3), ShapeError, ("weight_hh", "(4·H, H)", "(12, 4)")),
    ("weights", lambda: gru.forward(X, SIZES, H, W4, U3), ShapeError, ("weight_ih", "12 rows", "(16, 3)")),
    ("no units", lambda: rnn.forward(X, SIZES, H, W1, U1[:0, :0]), ShapeError, ("weight_hh", "H at least 1")),
    ("bias", lambda: lstm.forward(X, SIZES, H, H, W4, U4, np.ones(3)), ShapeError, ("bias_ih", "(16,)", "(3,)")),
    ("state", lambda: lstm.forward(X, SIZES, H, H[:1], W4, U4), ShapeError, ("c_0", "(2, 4)", "(1, 4)")),
    ("batch sizes grow", lambda: gru.forward(X, [1, 2, 2], H, W3, U3), ArgumentError, ("batch_sizes", "(1, 2, 2)", "Sort")),
    ("too few rows", lambda: gru.forward(X, [2, 2], H, W3, U3), ArgumentError, ("batch_sizes", "5 rows", "4, from (2, 2)")),
    ("no steps", lambda: rnn.forward(X, [], H, W1, U1), ArgumentError, ("batch_sizes", "[]")),
    ("batch sizes of floats", lambda: rnn.forward(X, [2.5, 2.5], H, W1, U1), ArgumentError, ("batch_sizes", "2.5")),
    ("batch sizes as array", lambda: rnn.forward(X, np.array(SIZES), H, W1, U1), ArgumentError, ("batch_sizes", "array")),
    ("reverse", lambda: lstm.forward(X, SIZES, H, H, W4, U4, reverse=1), DTypeError, ("reverse", "True or False", "int")),
    ("save", lambda: gru.forward(X, SIZES, H, W3, U3, save=None), DTypeError, ("save", "True or False", "NoneType")),
    ("memo", lambda: lstm.forward(X, SIZES, H, H, W4, U4, memo=[]), DTypeError, ("memo", "a dict or None", "list")),
    ("numbers of rows", lambda: lstm.forward(X, [2], H, H, W4, U4, index=N[:2] / 2), DTypeError, ("index", "int64", "float64")),
    ("a row that is not", lambda: gru.forward(X, [2], H, W3, U3, index=N[4:]), IndexingError, ("index", "0 to 4", "5 at 1")),
    ("rows of numbers", lambda: rnn.forward(X, [2], H, W1, U1, index=N[:2, None]), ShapeError, ("index", "rows", "(2, 1)")),
    ("too few numbers", lambda: rnn.forward(X, SIZES, H, W1, U1, index=N[:4]), ArgumentError, ("4 rows", "(2, 2, 1)")),
    ("nonlinearity", lambda: rnn.forward(X, SIZES, H, W1, U1, nonlinearity="a"), ArgumentError, ("'tanh' or 'relu'", "'a'")),
    ("grad", lambda: lstm.backward(H, None, None, SIZES, H, W4, U4, C, G), ShapeError, ("grad_output", "(5, 4)", "(2, 4)")),
    ("grad of state", lambda: gru.backward(C, C, SIZES, H, W3, U3, C, G), ShapeError, ("grad_h_n", "(2, 4)", "(5, 4)")),
    ("saved", lambda: gru.backward(C, None, SIZES, H, W3, U3, C, C), ShapeError, ("gates", "(5, 16)", "(5, 4)")),
    ("flag", lambda: rnn.backward(C, None, SIZES, H, W1, U1, C, input_wanted=0), DTypeError, ("input_wanted", "int")),
    ("gates of grads", lambda: gru.grad_weights(C, X, C), ShapeError, ("grad_gates", "(5, 16)", "(5, 4)")),
    ("inputs of grads", lambda: lstm.grad_weights(G, X[1:], C), ShapeError, ("input", "5 rows", "(4, 3)")),
    ("states of grads", lambda: rnn.grad_weights(C, X, C[0]), ShapeError, ("states", "rows, columns", "(4,)")),
    ("no states", lambda: rnn.grad_weights(C, X, C[:, :0]), ShapeError, ("states", "H at least 1")),
    ("rows of saved", lambda: rnn.backward(C, None, [2, 2], H, W1, U1, C), ArgumentError, ("batch_sizes", "5 rows")),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_does_not_fit_is_refused(call: Callable[[], Any], error: type[Exception], words: tuple[str, ...]) -> None:
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_states_before_and_last() -> None:
    values, first, sizes = np.arange(6.0)[:, None], np.array([[10.0], [11.0], [12.0]]), [3, 2, 1]
    assert recurrence.all_before(values, first, sizes, False).ravel().tolist() == [10, 11, 12, 0, 1, 3]
    assert recurrence.all_before(values, first, sizes, True).ravel().tolist() == [3, 4, 12, 5, 11, 10]
    assert recurrence.last(values, first, sizes, False).ravel().tolist() == [5, 4, 2]
    assert recurrence.last(values, first, sizes, True).ravel().tolist() == [0, 1, 2]
    assert recurrence.last(values[:3], first, [3, 0], False).ravel().tolist() == [0, 1, 2]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["cpu", "vectorised"])
def test_rows_of_a_table_are_told_to_save_arithmetic(family: str, name: str) -> None:
    functions, words = kernels.functions_of(family, name), {"x": np.zeros((2, 5)), "w_hh": np.zeros((4, 3))}
    assert functions.arithmetic("forward", **words, index=np.zeros(10, np.int64)) == (1 + 3) / (5 + 3)  # 2 of 10 rows
    assert functions.arithmetic("forward", **words, index=None) == functions.arithmetic("backward") == 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_the_check_keeps_to_the_memo_that_is_given(family: str) -> None:
    """What an implementation leaves in it is there at the next step, as without the check; the reference sees none of it."""
    contract, gates = FAMILIES[family], GATES[family]
    rng = np.random.default_rng(3)
    x, *states = (rng.standard_normal((3, 5)) for _ in range(3 if family == "lstm" else 2))
    weights = [rng.standard_normal((gates * 5, 5)) for _ in range(2)]
    plain: dict[Any, Any] = {}
    want = contract.forward(x, (3,), *states, *weights, memo=plain)
    memo: dict[Any, Any] = {}
    with kernels.checking():
        for _ in range(2):
            got = contract.forward(x, (3,), *states, *weights, memo=memo)
    assert memo.keys() == plain.keys()
    first, other = (each[0] if isinstance(each, tuple) else each for each in (got, want))
    np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("cell", ["LSTMCell", "GRUCell", "RNNCell"])
def test_a_cell_takes_steps_under_the_check(cell: str) -> None:
    layer, x = getattr(minigrad.nn, cell)(4, 5), minigrad.ones(2, 4)
    with kernels.checking():
        state = None
        for _ in range(3):
            state = layer(x, state)
        (state[0] if isinstance(state, tuple) else state).sum().backward()
    assert all(bool(weight.grad.isfinite().all()) for weight in layer.parameters())
