"""Recurrent layers: a slow NumPy loop beside them always, PyTorch beside them over all their arguments."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import Refusal, difference, numeric_gradients

KINDS = ("RNN", "LSTM", "GRU")
LENGTHS = [3, 5, 1]


# ---------------------------------------------------------------------- the slow loop


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def step(kind: str, x: np.ndarray, h: np.ndarray, c: np.ndarray, w: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """One step of one sequence, written from the formulas and element by element where gates are concerned."""
    size = len(c)
    a = w["weight_ih"] @ x + w.get("bias_ih", 0)
    b = w["weight_hh"] @ h + w.get("bias_hh", 0)
    new_h, new_c = np.empty(size), np.empty(size)
    for k in range(size):
        if kind == "LSTM":
            i, f, g, o = (a[part * size + k] + b[part * size + k] for part in range(4))
            new_c[k] = sigmoid(f) * c[k] + sigmoid(i) * np.tanh(g)
            new_h[k] = sigmoid(o) * np.tanh(new_c[k])
        elif kind == "GRU":
            r, z = (sigmoid(a[part * size + k] + b[part * size + k]) for part in range(2))
            n = np.tanh(a[2 * size + k] + r * b[2 * size + k])
            new_h[k] = (1 - z) * n + z * h[k]
        else:
            new_h[k] = np.tanh(a[k] + b[k]) if kind == "RNN" else max(0.0, a[k] + b[k])
    return (w["weight_hr"] @ new_h if "weight_hr" in w else new_h), new_c


def slow(
    kind: str, layer: Any, sequence: np.ndarray, hs: np.ndarray, cs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All layers and directions over one sequence (T, D): outputs, last h and c."""
    weights = {name: parameter.detach().numpy() for name, parameter in layer.named_parameters()}
    hs, cs = hs.copy(), cs.copy()
    directions = 2 if layer.bidirectional else 1
    for number in range(layer.num_layers):
        outputs = []
        for direction in range(directions):
            suffix = f"_l{number}" + "_reverse" * direction
            own = {name.removesuffix(suffix): w for name, w in weights.items() if name.endswith(suffix)}
            place = number * directions + direction
            made = []
            for x in sequence[:: -1 if direction else 1]:
                hs[place], cs[place] = step(kind, x, hs[place], cs[place], own)
                made.append(hs[place].copy())
            outputs.append(np.array(made[:: -1 if direction else 1]))
        sequence = np.concatenate(outputs, 1)
    return sequence, hs, cs


def make(kind: str, **words: Any) -> Any:
    layer = getattr(nn, kind)(2, 3, **words).double()
    rng = np.random.default_rng(3)
    for parameter in layer.parameters():
        parameter.data.copy_(minigrad.tensor(rng.standard_normal(parameter.shape) * 0.7))
    return layer


def states(layer: Any, batch: int, rng: np.random.Generator) -> list[np.ndarray]:
    count = layer.num_layers * (1 + layer.bidirectional)
    sizes = [layer.proj_size or layer.hidden_size, layer.hidden_size][: 1 + (layer.mode == "LSTM")]
    return [rng.standard_normal((count, batch, size)) for size in sizes]


def as_hx(m: Any, arrays: list[np.ndarray], requires_grad: bool = False) -> Any:
    tensors = tuple(m.tensor(a, requires_grad=requires_grad) for a in arrays)
    return tensors if len(tensors) == 2 else tensors[0]


COMMON: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "batch_first": True},
]
VARIANTS = [(kind, words) for kind in KINDS for words in COMMON]
VARIANTS += [("RNN", {"nonlinearity": "relu"}), ("LSTM", {"proj_size": 2, "bidirectional": True, "num_layers": 2})]


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize(("kind", "words"), VARIANTS, ids=repr)
def test_layer_is_the_slow_loop(kind: str, words: dict[str, Any], packed: bool) -> None:
    layer = make(kind, **words)
    rng = np.random.default_rng(4)
    x = rng.standard_normal((5, 3, 2))
    first = states(layer, 3, rng)
    lengths = LENGTHS if packed else [5, 5, 5]
    given: Any = minigrad.tensor(x).transpose(0, 1) if layer.batch_first else minigrad.tensor(x)
    if packed:
        given = nn.utils.rnn.pack_padded_sequence(given, lengths, layer.batch_first, enforce_sorted=False)
    output, last = layer(given, as_hx(minigrad, first))
    if packed:
        output, told = nn.utils.rnn.pad_packed_sequence(output, layer.batch_first)
        assert told.tolist() == lengths
    if layer.batch_first:
        output = output.transpose(0, 1)
    lasts = [part.detach().numpy() for part in (last if isinstance(last, tuple) else (last,))]
    name = "RELU" if words.get("nonlinearity") else kind
    for position, length in enumerate(lengths):
        hs = first[0][:, position]
        cs = first[1][:, position] if len(first) == 2 else np.zeros((len(hs), layer.hidden_size))
        expected, h, c = slow(name, layer, x[:length, position], hs, cs)
        assert difference(output[:length, position].detach().numpy(), expected) <= 1e-12
        assert (output[length:, position] == 0).all()
        for ours, theirs in zip(lasts, (h, c), strict=False):
            assert difference(ours[:, position], theirs) <= 1e-12


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "RELU"])
def test_cell_is_the_slow_step(kind: str) -> None:
    cell = nn.RNNCell(2, 3, nonlinearity="relu") if kind == "RELU" else getattr(nn, f"{kind}Cell")(2, 3)
    cell.double()
    rng = np.random.default_rng(6)
    x, h, c = rng.standard_normal((4, 2)), rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    hx = as_hx(minigrad, [h, c] if kind == "LSTM" else [h])
    result = cell(minigrad.tensor(x), hx)
    found = [part.detach().numpy() for part in (result if isinstance(result, tuple) else (result,))]
    weights = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    for row in range(4):
        expected = step(kind, x[row], h[row], c[row], weights)
        for ours, theirs in zip(found, expected, strict=False):
            assert difference(ours[row], theirs) <= 1e-12
        single = cell(minigrad.tensor(x[row]), tuple(p[row] for p in hx) if kind == "LSTM" else hx[row])
        for ours, part in zip(found, single if kind == "LSTM" else (single,), strict=True):
            assert difference(part.detach().numpy(), ours[row]) <= 1e-12
    assert cell(minigrad.tensor(x))[0].shape[-1] == 3  # a state of zeros


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_are_the_numeric_ones(kind: str) -> None:
    layer = make(kind, num_layers=2, bidirectional=True)
    rng = np.random.default_rng(8)
    arrays = [rng.standard_normal((3, 2, 2)), *states(layer, 2, rng)]
    weights = [parameter.detach() for parameter in layer.parameters()]
    cotangent = rng.standard_normal((2, 3, 6))

    def value(moved: list[Any], requires_grad: bool = False) -> Any:
        tensors = [minigrad.tensor(a, requires_grad=requires_grad) for a in moved]
        hx = tuple(tensors[1:]) if kind == "LSTM" else tensors[1]
        packed = nn.utils.rnn.pack_padded_sequence(tensors[0], [3, 2])
        output, last = layer(packed, hx)
        padded, _ = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
        total = (padded * minigrad.tensor(cotangent)).sum() + (last[0] * last[0]).sum() + (last[-1] * 0.5).sum()
        return total, tensors

    def number(moved: list[np.ndarray]) -> float:
        for target, source in zip(weights, moved[len(arrays) :], strict=True):
            target.copy_(minigrad.tensor(source))
        with minigrad.no_grad():
            return value(moved[: len(arrays)])[0].item()

    total, tensors = value(arrays, requires_grad=True)
    total.backward()
    gradients = [tensor.grad.numpy() for tensor in (*tensors, *layer.parameters())]
    for _ in range(6):  # along random directions, all inputs and weights at once
        direction = [rng.standard_normal(g.shape) for g in gradients]
        before = [*arrays, *[w.numpy().copy() for w in weights]]
        up = number([a + 1e-5 * d for a, d in zip(before, direction, strict=True)])
        down = number([a - 1e-5 * d for a, d in zip(before, direction, strict=True)])
        number(before)
        along = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True))
        assert abs((up - down) / 2e-5 - along) <= 1e-7 * max(1.0, abs(along))


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives_exist_and_are_the_numeric_ones(kind: str) -> None:
    layer = make(kind)
    rng = np.random.default_rng(10)
    x = rng.standard_normal((3, 2, 2))
    weight = rng.standard_normal((3, 2, 2))

    def first(array: np.ndarray, create_graph: bool) -> tuple[Any, Any]:
        given = minigrad.tensor(array, requires_grad=True)
        output, _ = layer(given)
        (gradient,) = minigrad.autograd.grad((output * output).sum(), given, create_graph=create_graph)
        return (gradient * minigrad.tensor(weight)).sum(), given

    total, given = first(x, True)
    (second,) = minigrad.autograd.grad(total, given)
    (numeric,) = numeric_gradients(lambda moved: first(moved[0], False)[0].item(), [x])
    assert difference(second.numpy(), numeric) <= 1e-6


# ---------------------------------------------------------------------- what the arguments mean


def test_weights_have_pytorchs_names_and_shapes() -> None:
    layer = nn.LSTM(2, 3, 2, bidirectional=True, proj_size=1)
    names = list(layer.state_dict())
    assert names[:5] == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0"]
    assert names[5] == "weight_ih_l0_reverse" and len(names) == 20
    shapes = {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}
    assert shapes["weight_ih_l0"] == (12, 2) and shapes["weight_ih_l1_reverse"] == (12, 2)
    assert shapes["weight_hh_l1"] == (12, 1) and shapes["weight_hr_l1"] == (1, 3)
    assert [len(weights) for weights in layer.all_weights] == [5] * 4
    assert len(nn.GRU(2, 3, bias=False).all_weights[0]) == 2
    for parameter in nn.GRU(2, 16).parameters():
        assert parameter.abs().max() <= 0.25 and parameter.abs().max() > 0.15
    assert layer.flatten_parameters() is None


def test_dropout_acts_between_layers_in_training_only() -> None:
    layer = make("LSTM", num_layers=2, dropout=1.0)
    x = minigrad.randn(4, 2, 2, dtype=minigrad.float64)
    dropped, _ = layer(x)
    layer.eval()
    full, _ = layer(x)
    assert not np.allclose(dropped.detach().numpy(), full.detach().numpy())
    alone = make("LSTM", num_layers=2).eval()
    assert np.array_equal(alone(x)[0].detach().numpy(), full.detach().numpy())
    top = {name.replace("l1", "l0"): p for name, p in layer.state_dict().items() if "l1" in name}
    second = nn.LSTM(3, 3).double()
    second.load_state_dict(top)
    zeros, _ = second(minigrad.zeros(4, 2, 3, dtype=minigrad.float64))
    assert np.allclose(dropped.detach().numpy(), zeros.detach().numpy())  # the second layer saw nothing
    with pytest.warns(UserWarning, match="num_layers is 1"):
        nn.GRU(2, 3, dropout=0.5)


def packed(m: Any, lengths: list[int]) -> Any:
    return m.nn.utils.rnn.pack_padded_sequence(m.ones(5, 3, 2), lengths)


REFUSALS = [
    Refusal("hidden_size", lambda m: m.nn.LSTM(2, 0), ArgumentError, ("LSTM", "hidden_size", "at least 1", "0")),
    Refusal("num_layers", lambda m: m.nn.GRU(2, 3, 0), ArgumentError, ("GRU", "num_layers", "0")),
    Refusal("bias", lambda m: m.nn.LSTM(2, 3, 1, 2), DTypeError, ("LSTM", "bias", "2")),
    Refusal("batch_first", lambda m: m.nn.LSTM(2, 3, 1, True, 1), DTypeError, ("LSTM", "batch_first", "1")),
    Refusal("dropout", lambda m: m.nn.RNN(2, 3, 2, dropout=2), ArgumentError, ("RNN", "dropout", "2")),
    Refusal("nonlinearity", lambda m: m.nn.RNN(2, 3, nonlinearity="gelu"), ArgumentError, ("RNN", "nonlinearity", "'gelu'")),
    Refusal("cell nonlinearity", lambda m: m.nn.RNNCell(2, 3, nonlinearity="gelu"), ArgumentError, ("RNNCell", "'gelu'")),
    Refusal("proj_size", lambda m: m.nn.LSTM(2, 3, proj_size=3), ArgumentError, ("proj_size", "hidden_size=3", "3")),
    Refusal("input dims", lambda m: m.nn.LSTM(2, 3)(m.ones(2)), ShapeError, ("LSTM", "2 or 3 dimensions", "(2,)")),
    Refusal("input size", lambda m: m.nn.LSTM(2, 3)(m.ones(5, 1, 4)), ShapeError, ("input_size=2", "(5, 1, 4)")),
    Refusal("input dtype", lambda m: m.nn.LSTM(2, 3)(m.ones(5, 1, 2).double()), DTypeError, ("float32", "float64")),
    Refusal("no steps", lambda m: m.nn.LSTM(2, 3)(m.ones(0, 1, 2)), ShapeError, ("at least one step",)),
    Refusal("input is none", lambda m: m.nn.LSTM(2, 3)([1.0]), DTypeError, ("LSTM", "input", "list")),
    Refusal("hx is no pair", lambda m: m.nn.LSTM(2, 3)(m.ones(5, 1, 2), m.ones(1, 1, 3)), DTypeError, ("hx", "(h_0, c_0)")),
    Refusal(
        "hx shape", lambda m: m.nn.GRU(2, 3)(m.ones(5, 4, 2), m.ones(1, 3, 3)), ShapeError, ("h_0", "(1, 4, 3)", "(1, 3, 3)")
    ),
    Refusal(
        "c shape",
        lambda m: m.nn.LSTM(2, 3)(m.ones(5, 4, 2), (m.ones(1, 4, 3), m.ones(1, 4, 2))),
        ShapeError,
        ("c_0", "(1, 4, 3)", "(1, 4, 2)"),
    ),
    Refusal("hx unbatched", lambda m: m.nn.GRU(2, 3)(m.ones(5, 2), m.ones(1, 1, 3)), ShapeError, ("(1, 3)", "(1, 1, 3)")),
    Refusal("packed size", lambda m: m.nn.GRU(4, 3)(packed(m, [5, 5, 2])), ShapeError, ("GRU", "input_size=4", "(12, 2)")),
    Refusal("cell input", lambda m: m.nn.LSTMCell(2, 3)(m.ones(4, 3)), ShapeError, ("LSTMCell", "(B, 2)", "(4, 3)")),
    Refusal("cell hx", lambda m: m.nn.LSTMCell(2, 3)(m.ones(4, 2), m.ones(4, 3)), DTypeError, ("LSTMCell", "hx", "Tensor")),
    Refusal("cell hx shape", lambda m: m.nn.GRUCell(2, 3)(m.ones(4, 2), m.ones(3, 3)), ShapeError, ("h_0", "(4, 3)", "(3, 3)")),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_refusal_says_what_to_do(refusal: Refusal) -> None:
    with pytest.raises(refusal.error) as caught:
        refusal.call(minigrad)
    for word in refusal.words:
        assert word in str(caught.value)


# ---------------------------------------------------------------------- PyTorch beside


def run(m: Any, layer: Any, form: str, arrays: list[np.ndarray], with_hx: bool) -> tuple[list[Any], list[Any]]:
    """Outputs and gradients of a layer on padded, packed, sorted or unbatched input."""
    x = m.tensor(arrays[0], requires_grad=True)
    hx = tuple(m.tensor(a, requires_grad=True) for a in arrays[1:])
    inputs = [x, *(hx if with_hx else ())]
    rnn = m.nn.utils.rnn
    given: Any = x
    if form in ("packed", "sorted"):
        lengths = [5, 3, 1] if form == "sorted" else LENGTHS
        given = rnn.pack_padded_sequence(x, lengths, layer.batch_first, enforce_sorted=form == "sorted")
    elif form == "unbatched":
        given = x[0] if layer.batch_first else x[:, 0]
    parts = tuple(part[:, 0] for part in hx) if form == "unbatched" else hx
    state = (parts if len(parts) == 2 else parts[0]) if with_hx else None
    output, last = layer(given, state)
    if form in ("packed", "sorted"):
        output = output.data
    results = [output, *(last if isinstance(last, tuple) else (last,))]
    rng = np.random.default_rng(11)
    m.autograd.backward(results, [m.tensor(rng.standard_normal(tuple(r.shape))) for r in results])
    return [r.detach().numpy() for r in results], [t.grad for t in (*inputs, *layer.parameters())]


GRID = list(itertools.product(KINDS, ((1, False), (2, True), (3, False)), (False, True), (False, True), (False, True)))


@pytest.mark.peer
@pytest.mark.parametrize("form", ["padded", "packed", "sorted", "unbatched"])
@pytest.mark.parametrize(("kind", "depth", "batch_first", "bias", "with_hx"), GRID)
def test_layer_is_pytorchs(kind: str, depth: tuple[int, bool], batch_first: bool, bias: bool, with_hx: bool, form: str) -> None:
    import torch

    words = {"num_layers": depth[0], "bidirectional": depth[1], "batch_first": batch_first, "bias": bias}
    compare(kind, words, form, with_hx, torch)


@pytest.mark.peer
@pytest.mark.parametrize("form", ["padded", "packed", "unbatched"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
        ("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
        ("LSTM", {"proj_size": 1, "bias": False, "batch_first": True}),
        ("GRU", {"num_layers": 2, "dropout": 0.0}),
    ],
)
def test_rarer_arguments_are_pytorchs(kind: str, words: dict[str, Any], form: str) -> None:
    import torch

    compare(kind, words, form, True, torch)


def compare(kind: str, words: dict[str, Any], form: str, with_hx: bool, torch: Any) -> None:
    ours, theirs = make(kind, **words), getattr(torch.nn, kind)(2, 3, **words).double()
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(tensor.numpy()) for name, tensor in ours.state_dict().items()})
    rng = np.random.default_rng(12)
    arrays = [rng.standard_normal((3, 5, 2) if words.get("batch_first") else (5, 3, 2)), *states(ours, 3, rng)]
    results, gradients = run(minigrad, ours, form, arrays, with_hx)
    their_results, their_gradients = run(torch, theirs, form, arrays, with_hx)
    for our, their in zip(results, their_results, strict=True):
        assert our.shape == their.shape
        assert difference(our, their) <= 1e-10
    for our, their in zip(gradients, their_gradients, strict=True):
        assert (our is None) == (their is None)
        if our is not None:
            assert difference(our.numpy(), their.numpy()) <= 1e-10


@pytest.mark.peer
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cell_is_pytorchs(kind: str, bias: bool) -> None:
    import torch

    ours, theirs = getattr(nn, kind)(2, 3, bias=bias).double(), getattr(torch.nn, kind)(2, 3, bias=bias).double()
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(tensor.numpy()) for name, tensor in ours.state_dict().items()})
    rng = np.random.default_rng(13)
    arrays = [rng.standard_normal((4, 2)), *[rng.standard_normal((4, 3)) for _ in range(1 + (kind == "LSTMCell"))]]
    found = []
    for m, cell in ((minigrad, ours), (torch, theirs)):
        inputs = [m.tensor(a, requires_grad=True) for a in arrays]
        result = cell(inputs[0], tuple(inputs[1:]) if kind == "LSTMCell" else inputs[1])
        parts = result if isinstance(result, tuple) else (result,)
        sum((part * part).sum() for part in parts).backward()
        found.append([part.detach().numpy() for part in parts] + [t.grad.numpy() for t in (*inputs, *cell.parameters())])
    for our, their in zip(*found, strict=True):
        assert difference(our, their) <= 1e-10


SEQUENCE: Callable[..., Any] = minigrad.nn.cells.lstm_sequence


def test_a_kernel_can_take_the_place_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def instead(*args: Any) -> Any:
        told.append((args[0].shape, args[1], args[4]))
        return SEQUENCE(*args)

    monkeypatch.setitem(minigrad.nn.cells.SEQUENCES, "LSTM", instead)
    make("LSTM", bidirectional=True)(minigrad.ones(4, 3, 2, dtype=minigrad.float64))
    assert told == [((12, 2), [3] * 4, False), ((12, 2), [3] * 4, True)]
