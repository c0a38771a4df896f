"""MultiheadAttention: beside a slow loop, beside central differences, and beside PyTorch over its arguments."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from tests import devices
from tests.harness import Refusal, difference, numeric_gradients


def make(**words: Any) -> Any:
    layer = nn.MultiheadAttention(4, 2, **words).double()
    rng = np.random.default_rng(3)
    for parameter in layer.parameters():
        devices.put(parameter, rng.standard_normal(parameter.shape) * 0.7)
    return layer


def test_layer_is_the_slow_loop() -> None:
    layer = make()
    rng = np.random.default_rng(1)
    query, key, value = rng.standard_normal((3, 2, 4)), rng.standard_normal((5, 2, 4)), rng.standard_normal((5, 2, 4))
    output, weights = layer(*[minigrad.tensor(a) for a in (query, key, value)], average_attn_weights=False)
    w, b = layer.in_proj_weight.detach().numpy(), layer.in_proj_bias.detach().numpy()
    for n in range(2):
        heads = []
        for head in range(2):
            rows = slice(2 * head, 2 * head + 2)
            q, k, v = (a[:, n] @ w[4 * i :][rows].T + b[4 * i :][rows] for i, a in enumerate((query, key, value)))
            scores = np.exp(q @ k.T / np.sqrt(2))
            scores /= scores.sum(1, keepdims=True)
            assert difference(weights[n, head].detach().numpy(), scores) <= 1e-12
            heads.append(scores @ v)
        joined = np.concatenate(heads, 1) @ layer.out_proj.weight.detach().numpy().T + layer.out_proj.bias.detach().numpy()
        assert difference(output[:, n].detach().numpy(), joined) <= 1e-12


@pytest.mark.parametrize("need_weights", [True, False])
def test_derivatives_are_the_numeric_ones(need_weights: bool) -> None:
    layer = make(add_bias_kv=True, batch_first=True)
    arrays = [np.random.default_rng(2).standard_normal((2, 3, 4)), *[p.detach().numpy().copy() for p in layer.parameters()]]
    mask = minigrad.tensor([[False, True, False], [False, False, True], [False, False, False]])

    def value(moved: list[np.ndarray], requires_grad: bool = False) -> Any:
        for parameter, source in zip(layer.parameters(), moved[1:], strict=True):
            devices.put(parameter, source)
        x = minigrad.tensor(moved[0], requires_grad=requires_grad)
        output, weights = layer(x, x, x, need_weights=need_weights, attn_mask=mask)
        return (output * output).sum() + (weights.square().sum() if need_weights else 0), x

    total, x = value(arrays, requires_grad=True)
    total.backward()
    ours = [x.grad, *[parameter.grad for parameter in layer.parameters()]]
    with minigrad.no_grad():
        numeric = numeric_gradients(lambda moved: value(moved)[0].item(), arrays)
    for gradient, other in zip(ours, numeric, strict=True):
        assert np.abs(gradient.numpy() - other).max() <= 1e-6 * max(1.0, np.abs(other).max())


def test_dropout_falls_on_weights_in_training() -> None:
    layer = make(dropout=0.5)
    x = minigrad.randn(6, 2, 4, dtype=minigrad.float64)
    _, weights = layer(x, x, x, average_attn_weights=False)
    assert 10 < (weights == 0).sum().item() < 110  # of 144
    assert layer(x, x, x, need_weights=False)[1] is None
    _, weights = layer.eval()(x, x, x, average_attn_weights=False)
    assert (weights > 0).all() and np.allclose(weights.sum(-1).detach().numpy(), 1)


REFUSALS = [
    Refusal("heads", lambda m: m.nn.MultiheadAttention(5, 2), ArgumentError, ("embed_dim", "num_heads=2", "5")),
    Refusal("no heads", lambda m: m.nn.MultiheadAttention(5, 0), ArgumentError, ("num_heads", "at least 1")),
    Refusal("dropout", lambda m: m.nn.MultiheadAttention(4, 2, 2.0), ArgumentError, ("dropout", "2.0")),
    Refusal("query size", lambda m: call(m, (3, 1, 5), (3, 1, 4), (3, 1, 4)), ShapeError, ("query", "4", "(3, 1, 5)")),
    Refusal("query dims", lambda m: call(m, (4,), (3, 1, 4), (3, 1, 4)), ShapeError, ("query", "2 or 3", "(4,)")),
    Refusal("key dims", lambda m: call(m, (3, 1, 4), (3, 4), (3, 4)), ShapeError, ("key", "3 dimensions", "(3, 4)")),
    Refusal(
        "value length", lambda m: call(m, (3, 1, 4), (3, 1, 4), (2, 1, 4)), ShapeError, ("value", "(3, 1, 4)", "(2, 1, 4)")
    ),
    Refusal("batch", lambda m: call(m, (3, 2, 4), (3, 1, 4), (3, 1, 4)), ShapeError, ("key", "(3, 2, 4)", "(3, 1, 4)")),
    Refusal("causal", lambda m: call(m, (3, 1, 4), (3, 1, 4), (3, 1, 4), is_causal=True), ArgumentError, ("attn_mask",)),
    Refusal(
        "mask shape",
        lambda m: call(m, (3, 1, 4), (5, 1, 4), (5, 1, 4), attn_mask=m.zeros(3, 3)),
        ShapeError,
        ("attn_mask", "(3, 5) or (2, 3, 5)", "(3, 3)"),
    ),
    Refusal(
        "padding shape",
        lambda m: call(m, (3, 1, 4), (5, 1, 4), (5, 1, 4), key_padding_mask=m.zeros(1, 3)),
        ShapeError,
        ("key_padding_mask", "(1, 5)", "(1, 3)"),
    ),
    Refusal(
        "mask dtype",
        lambda m: call(m, (3, 1, 4), (3, 1, 4), (3, 1, 4), attn_mask=m.zeros(3, 3).long()),
        DTypeError,
        ("attn_mask", "int64"),
    ),
]


def call(m: Any, *shapes: tuple[int, ...], **words: Any) -> Any:
    return m.nn.MultiheadAttention(4, 2)(*[m.ones(*shape) for shape in shapes], **words)


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_refusal_says_what_to_do(refusal: Refusal) -> None:
    with pytest.raises(refusal.error) as caught:
        refusal.call(minigrad)
    for word in refusal.words:
        assert word in str(caught.value)


WORDS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"add_bias_kv": True},
    {"add_zero_attn": True},
    {"kdim": 3, "vdim": 5},
    {"add_bias_kv": True, "add_zero_attn": True, "kdim": 3, "bias": False},
]
MASKS = ("none", "padding", "bool", "float", "heads", "both")


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")  # PyTorch's, for masks of two dtypes
@pytest.mark.parametrize("need_weights", [True, False], ids=["weights", "fused"])
@pytest.mark.parametrize(("batch_first", "batched"), [(False, True), (True, True), (False, False)])
@pytest.mark.parametrize(("words", "masks"), list(itertools.product(WORDS, MASKS)), ids=repr)
def test_layer_is_pytorchs(words: dict[str, Any], masks: str, batch_first: bool, batched: bool, need_weights: bool) -> None:
    import torch

    ours = make(**words, batch_first=batch_first)
    theirs = torch.nn.MultiheadAttention(4, 2, **words, batch_first=batch_first).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(tensor.numpy()) for name, tensor in ours.state_dict().items()})
    rng = np.random.default_rng(5)
    lead = (2,) if batched else ()
    shapes = [(3, *lead, 4), (5, *lead, ours.kdim), (5, *lead, ours.vdim)]
    arrays = [rng.standard_normal(shape) for shape in shapes]
    if batch_first:
        arrays = [a.swapaxes(0, 1) for a in arrays]
    padding = (
        np.array([[False, True, False, False, True], [False] * 5])[: 2 if batched else 0]
        if batched
        else np.eye(5, dtype=bool)[1]
    )
    barred = rng.integers(0, 2, (3, 5)).astype(bool)
    barred[:, 0] = False
    given = {
        "none": {},
        "padding": {"key_padding_mask": padding},
        "bool": {"attn_mask": barred},
        "float": {"attn_mask": rng.standard_normal((3, 5))},
        "heads": {"attn_mask": rng.standard_normal((4 if batched else 2, 3, 5))},
        "both": {"attn_mask": barred, "key_padding_mask": padding},
    }[masks]
    found = []
    for m, layer in ((minigrad, ours), (torch, theirs)):
        inputs = [m.tensor(a, requires_grad=True) for a in arrays]
        named = {name: m.tensor(mask) for name, mask in given.items()}
        output, weights = layer(*inputs, **named, need_weights=need_weights, average_attn_weights=batched)
        total = (output * output).sum()
        if weights is not None:
            total = total + (weights * weights).sum()
        total.backward()
        grads = [t.grad for t in (*inputs, *layer.parameters())]
        found.append([output.detach(), *([weights.detach()] if need_weights else []), *grads])
    for our, their in zip(*found, strict=True):
        assert difference(our.numpy(), their.numpy()) <= 1e-10


@pytest.mark.peer
def test_self_attention_is_pytorchs() -> None:
    import torch

    ours, theirs = make(), torch.nn.MultiheadAttention(4, 2).double()
    theirs.load_state_dict({name: torch.tensor(tensor.numpy()) for name, tensor in ours.state_dict().items()})
    array = np.random.default_rng(6).standard_normal((3, 2, 4))
    found = []
    for m, layer in ((minigrad, ours), (torch, theirs)):
        x = m.tensor(array, requires_grad=True)
        output, _ = layer(x, x, x)
        (output * output).sum().backward()
        found.append([output.detach(), x.grad, *[parameter.grad for parameter in layer.parameters()]])
    for our, their in zip(*found, strict=True):
        assert difference(our.numpy(), their.numpy()) <= 1e-10
