"""nn.utils: clipping, vectors of parameters, packing beside a slow loop, spectral norm."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import nn
from minigrad.errors import ArgumentError, DTypeError, GradError, ShapeError
from minigrad.nn.utils import rnn
from tests.harness import Refusal, difference

INF = float("inf")


# ---------------------------------------------------------------------- clipping


def with_grads(m: Any, *grads: Any) -> list[Any]:
    parameters = []
    for grad in grads:
        parameter = m.nn.Parameter(m.zeros(np.shape(grad), dtype=m.float64))
        parameter.grad = m.tensor(np.array(grad, dtype=np.float64))
        parameters.append(parameter)
    return parameters


@pytest.mark.parametrize(
    ("norm_type", "total", "first"),
    [
        (2.0, 13.0, [3 / 13, 4 / 13]),
        (1, 19.0, [3 / 19, 4 / 19]),
        (INF, 12.0, [3 / 12, 4 / 12]),
        ("inf", 12.0, [3 / 12, 4 / 12]),
        (3.0, (27 + 64 + 1728) ** (1 / 3), [3 / 1819 ** (1 / 3), 4 / 1819 ** (1 / 3)]),
    ],
)
def test_clip_by_norm(norm_type: Any, total: float, first: list[float]) -> None:
    parameters = with_grads(minigrad, [3.0, -4.0], [[12.0]])
    parameters.append(nn.Parameter(minigrad.zeros(3)))  # has no gradient
    grad = parameters[0].grad
    found = nn.utils.clip_grad_norm_(parameters, 1.0, norm_type)
    assert found.item() == pytest.approx(total, rel=1e-12)
    assert parameters[0].grad is grad  # in place
    assert np.allclose(grad.numpy(), [first[0], -first[1]], rtol=1e-6)
    assert parameters[2].grad is None
    before = grad.numpy().copy()
    nn.utils.clip_grad_norm_(iter(parameters), 5.0, norm_type)  # within bounds: left alone
    assert np.array_equal(grad.numpy(), before)


def test_clip_of_odd_gradients() -> None:
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0
    assert nn.utils.clip_grad_norm_(nn.Parameter(minigrad.ones(2)), 1.0).item() == 0
    parameters = with_grads(minigrad, [np.nan, 1.0])
    with pytest.raises(GradError, match=r"finite norm of order 2\.0, got nan"):
        nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert parameters[0].grad.numpy()[1] == 1  # refused before it was spoilt
    assert np.isnan(nn.utils.clip_grad_norm_(parameters, 1.0).item())
    assert nn.utils.get_total_norm([minigrad.tensor([3.0]), minigrad.tensor([4.0])], 0).item() == 2
    assert nn.utils.get_total_norm([minigrad.tensor([3.0, -9.0]), minigrad.tensor([4.0])], -INF).item() == 3
    nn.utils.clip_grads_with_norm_(parameters, 1.0, minigrad.tensor(4.0))
    assert not parameters[0].grad.requires_grad


def test_clip_of_sparse_gradients_leaves_them_sparse() -> None:
    table, twin = (nn.Embedding(50, 2, sparse=sparse, _weight=minigrad.ones(50, 2)) for sparse in (True, False))
    for layer in (table, twin):
        layer(minigrad.tensor([0, 1, 1])).sum().backward()
    kind = type(table.weight.grad)
    assert kind is not minigrad.Tensor
    for clip in (lambda p: nn.utils.clip_grad_norm_(p, 0.5), lambda p: nn.utils.clip_grad_value_(p, 0.2)):
        first, second = clip(table.parameters()), clip(twin.parameters())
        assert first is second is None or first.item() == pytest.approx(second.item())
        assert type(table.weight.grad) is kind
        assert np.allclose(table.weight.grad.to_dense().numpy(), twin.weight.grad.numpy())
    table.double()
    assert type(table.weight.grad) is kind and table.weight.grad.dtype == minigrad.float64


def test_clip_by_value() -> None:
    parameters = with_grads(minigrad, [3.0, -0.5], [[-12.0]])
    nn.utils.clip_grad_value_(parameters, 1)
    assert [p.grad.tolist() for p in parameters] == [[1.0, -0.5], [[-1.0]]]


@pytest.mark.peer
@pytest.mark.parametrize("norm_type", [0.5, 1, 2.0, 2.5, INF, -INF, 0])
@pytest.mark.parametrize("max_norm", [0.1, 3.0, 1e3])
def test_clip_is_pytorchs(norm_type: float, max_norm: float) -> None:
    import torch

    rng = np.random.default_rng(1)
    grads = [rng.standard_normal((3, 4)), rng.standard_normal(5), rng.standard_normal(())]
    ours, theirs = with_grads(minigrad, *grads), with_grads(torch, *grads)
    found, their = (m.nn.utils.clip_grad_norm_(p, max_norm, norm_type) for m, p in ((minigrad, ours), (torch, theirs)))
    assert difference(found.numpy(), their.numpy()) <= 1e-14
    for a, b in zip(ours, theirs, strict=True):
        assert difference(a.grad.numpy(), b.grad.numpy()) <= 1e-14
    assert (
        difference(
            nn.utils.get_total_norm([p.grad for p in ours], norm_type).numpy(),
            torch.nn.utils.get_total_norm([p.grad for p in theirs], norm_type).numpy(),
        )
        <= 1e-14
    )


# ---------------------------------------------------------------------- vectors


def test_parameters_as_a_vector_and_back() -> None:
    layer = nn.Linear(3, 2)
    vector = nn.utils.parameters_to_vector(layer.parameters())
    assert vector.tolist() == [*layer.weight.flatten().tolist(), *layer.bias.tolist()] and vector.requires_grad
    kept = layer.weight
    nn.utils.vector_to_parameters(minigrad.arange(8).float(), layer.parameters())
    assert layer.weight is kept and layer.weight.tolist() == [[0, 1, 2], [3, 4, 5]] and layer.bias.tolist() == [6, 7]


# ---------------------------------------------------------------------- packing


def slow_pack(sequences: list[np.ndarray]) -> tuple[list[Any], list[int], list[int]]:
    """Rows, batch sizes and order, from the definition: step by step over the sequences, the longest first."""
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    rows, sizes = [], []
    for step in range(max(map(len, sequences))):
        lasting = [i for i in order if len(sequences[i]) > step]
        rows += [sequences[i][step] for i in lasting]
        sizes.append(len(lasting))
    return rows, sizes, order


@settings(deadline=None, max_examples=40, database=None, derandomize=True)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.booleans(),
    st.sampled_from([(), (2,), (2, 1)]),
    st.integers(0, 2),
)
def test_packing_is_the_slow_loop(lengths: list[int], batch_first: bool, trailing: tuple[int, ...], more: int) -> None:
    rng = np.random.default_rng(sum(lengths))
    arrays = [rng.standard_normal((length, *trailing)) for length in lengths]
    rows, sizes, order = slow_pack(arrays)
    sequences = [minigrad.tensor(a, requires_grad=True) for a in arrays]
    padded = rnn.pad_sequence(sequences, batch_first, padding_value=9.0)
    packed = rnn.pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
    assert np.array_equal(packed.data.detach().numpy(), np.array(rows))
    assert packed.batch_sizes.tolist() == sizes and packed.sorted_indices.tolist() == order
    assert [packed.unsorted_indices.tolist()[i] for i in order] == list(range(len(lengths)))
    total = max(lengths) + more
    back, told = rnn.pad_packed_sequence(packed, batch_first, padding_value=-1.0, total_length=total)
    assert told.tolist() == lengths
    for position, array in enumerate(arrays):
        row = back[position] if batch_first else back[:, position]
        assert row.shape == (total, *trailing)
        assert np.array_equal(row[: len(array)].detach().numpy(), array) and (row[len(array) :] == -1).all()
    for made in (rnn.unpad_sequence(padded, lengths, batch_first), rnn.unpack_sequence(packed)):
        assert all(np.array_equal(one.detach().numpy(), array) for one, array in zip(made, arrays, strict=True))
    (back * back).sum().backward()
    for sequence, array in zip(sequences, arrays, strict=True):
        assert np.allclose(sequence.grad.numpy(), 2 * array)


def test_packing_by_hand() -> None:
    a, b, c = minigrad.tensor([1, 2]), minigrad.tensor([3, 4, 5]), minigrad.tensor([6])
    packed = rnn.pack_sequence([a, b, c], enforce_sorted=False)
    assert packed.data.tolist() == [3, 1, 6, 4, 2, 5]
    assert packed.batch_sizes.tolist() == [3, 2, 1] and packed.sorted_indices.tolist() == [1, 0, 2]
    assert rnn.pack_sequence([b, a, c]).sorted_indices is None
    assert rnn.pad_sequence([a, b], padding_side="left", batch_first=True).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert rnn.invert_permutation(None) is None
    assert packed.to(minigrad.int64) is packed
    assert packed.double().data.dtype == minigrad.float64 and packed.float().cpu().data.dtype == minigrad.float32
    assert packed.to(minigrad.float64).sorted_indices is packed.sorted_indices
    again = rnn.PackedSequence((packed.data, packed.batch_sizes))
    assert again.batch_sizes is packed.batch_sizes and again.unsorted_indices is None
    padded = minigrad.tensor([[1, 4], [2, 5], [3, 0]])
    rnn.unpad_sequence(padded, minigrad.tensor([3, 2]))
    assert padded.shape == (3, 2)  # PyTorch's turns the caller's tensor round


@pytest.mark.peer
@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_packing_is_pytorchs(batch_first: bool, enforce_sorted: bool) -> None:
    import torch

    lengths = [5, 5, 2, 1] if enforce_sorted else [2, 5, 1, 5]
    array = np.random.default_rng(2).standard_normal((4, 5, 3) if batch_first else (5, 4, 3))
    found: list[list[Any]] = []
    for m in (minigrad, torch):
        utils = m.nn.utils.rnn
        packed = utils.pack_padded_sequence(m.tensor(array), m.tensor(lengths), batch_first, enforce_sorted)
        padded = utils.pad_packed_sequence(packed, batch_first, 0.5, 7)
        several = [m.tensor(array[i]) for i in range(2)]
        found.append([*packed, *padded, utils.pad_sequence(several, batch_first, 2.0), *utils.pack_sequence(several)])
    for ours, theirs in zip(*found, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
            assert np.array_equal(ours.numpy(), theirs.numpy())


# ---------------------------------------------------------------------- spectral norm


def test_spectral_norm_divides_by_the_largest_singular_value() -> None:
    minigrad.manual_seed(3)
    layer = nn.utils.spectral_norm(nn.Linear(5, 4, dtype=minigrad.float64), n_power_iterations=50)
    assert list(layer.state_dict()) == ["bias", "weight_orig", "weight_u", "weight_v"]
    assert [name for name, _ in layer.named_parameters()] == ["bias", "weight_orig"]
    layer(minigrad.ones(1, 5, dtype=minigrad.float64))
    weight = layer.weight_orig.detach().numpy()
    assert np.allclose(layer.weight.detach().numpy(), weight / np.linalg.svd(weight)[1][0], rtol=1e-6)
    layer.eval()
    u = layer.weight_u.tolist()
    layer(minigrad.ones(1, 5, dtype=minigrad.float64))
    assert layer.weight_u.tolist() == u  # iterates in training only
    value = layer.weight.detach().numpy().copy()
    nn.utils.remove_spectral_norm(layer)
    assert sorted(layer.state_dict()) == ["bias", "weight"] and np.allclose(layer.weight.detach().numpy(), value)
    assert not layer._hooks.forward_pre and isinstance(layer.weight, nn.Parameter)


def test_spectral_norm_can_run_twice_before_backward_and_be_copied() -> None:
    layer = nn.utils.spectral_norm(nn.Conv2d(2, 3, 3))
    x = minigrad.randn(1, 2, 5, 5)
    (layer(x).sum() + layer(x).sum()).backward()  # as a discriminator on real and drawn images
    assert layer.weight_orig.grad is not None
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert np.allclose(twin.eval()(x).detach().numpy(), copy.deepcopy(layer).eval()(x).detach().numpy())
        assert twin.weight_orig is not layer.weight_orig


BUILDS: list[Callable[[Any], Any]] = [
    lambda m: m.nn.Linear(5, 4),
    lambda m: m.nn.Conv2d(2, 3, 2),
    lambda m: m.nn.ConvTranspose2d(2, 3, 2),
    lambda m: m.nn.Conv1d(2, 3, 2),
]
SHAPES = [(2, 5), (1, 2, 4, 4), (1, 2, 3, 3), (1, 2, 4)]


@pytest.mark.peer
@pytest.mark.parametrize(("build", "shape"), list(zip(BUILDS, SHAPES, strict=True)))
def test_spectral_norm_is_pytorchs(build: Callable[[Any], Any], shape: tuple[int, ...]) -> None:
    import torch

    ours = minigrad.nn.utils.spectral_norm(build(minigrad), n_power_iterations=2).double()
    theirs = torch.nn.utils.spectral_norm(build(torch), n_power_iterations=2).double()
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(tensor.numpy()) for name, tensor in ours.state_dict().items()})
    array = np.random.default_rng(4).standard_normal(shape)
    for training in (True, True, False):
        found = []
        for m, layer in ((minigrad, ours), (torch, theirs)):
            layer.train(training)
            layer.zero_grad()
            x = m.tensor(array, requires_grad=True)
            (layer(x) ** 2).sum().backward()
            parts = [layer.weight.detach(), x.grad, layer.weight_orig.grad, layer.weight_u, layer.weight_v]
            found.append([part.numpy() for part in parts])
        for our, their in zip(*found, strict=True):
            assert difference(our, their) <= 1e-10


# ---------------------------------------------------------------------- errors

REFUSALS = [
    Refusal("clip of numbers", lambda m: nn.utils.clip_grad_norm_([1.0], 1), DTypeError, ("parameters[0]", "float")),
    Refusal("clip below 0", lambda m: nn.utils.clip_grad_value_([], -1), ArgumentError, ("clip_value", "-1")),
    Refusal("vector of nothing", lambda m: nn.utils.parameters_to_vector([]), ArgumentError, ("at least one",)),
    Refusal(
        "vector too short",
        lambda m: nn.utils.vector_to_parameters(m.ones(3), [m.ones(2, 2)]),
        ShapeError,
        ("vector_to_parameters", "(4,)", "(3,)"),
    ),
    Refusal(
        "lengths not sorted",
        lambda m: rnn.pack_padded_sequence(m.ones(3, 2), [1, 3]),
        ArgumentError,
        ("the longest first", "[1, 3]", "enforce_sorted=False"),
    ),
    Refusal("lengths of 0", lambda m: rnn.pack_padded_sequence(m.ones(3, 2), [1, 0]), ArgumentError, ("at least 1", "[1, 0]")),
    Refusal(
        "lengths too long", lambda m: rnn.pack_padded_sequence(m.ones(3, 2), [4, 1]), ArgumentError, ("at most 3", "[4, 1]")
    ),
    Refusal("lengths too few", lambda m: rnn.pack_padded_sequence(m.ones(3, 2), [3]), ShapeError, ("2, one for each", "(1,)")),
    Refusal("lengths of floats", lambda m: rnn.pack_padded_sequence(m.ones(3, 2), [3.0, 1.0]), DTypeError, ("float64",)),
    Refusal("pack without batch", lambda m: rnn.pack_padded_sequence(m.ones(3), [3]), ShapeError, ("2 dimensions", "(3,)")),
    Refusal("pack of none", lambda m: rnn.pack_padded_sequence(m.ones(3, 0), []), ShapeError, ("at least one sequence",)),
    Refusal("pack of a list", lambda m: rnn.pack_padded_sequence([1], [1]), DTypeError, ("input", "list")),
    Refusal(
        "total_length",
        lambda m: rnn.pad_packed_sequence(rnn.pack_sequence([m.ones(3)]), total_length=2),
        ArgumentError,
        ("total_length", "at least 3", "2"),
    ),
    Refusal("pad of a tensor", lambda m: rnn.pad_packed_sequence(m.ones(3)), DTypeError, ("PackedSequence", "Tensor")),
    Refusal("pad of no list", lambda m: rnn.pad_sequence(m.ones(3)), DTypeError, ("a list of Tensors", "Tensor")),
    Refusal("pad of nothing", lambda m: rnn.pad_sequence([]), ArgumentError, ("at least one", "none")),
    Refusal("padding_side", lambda m: rnn.pad_sequence([m.ones(1)], padding_side="up"), ArgumentError, ("'left'", "'up'")),
    Refusal(
        "pad of two widths",
        lambda m: rnn.pad_sequence([m.ones(3, 2), m.ones(3, 3)]),
        ShapeError,
        ("sequences[1]", "(length, 2)", "(3, 3)"),
    ),
    Refusal("spectral norm of what is not", lambda m: nn.utils.spectral_norm(nn.ReLU()), ArgumentError, ("ReLU", "'weight'")),
    Refusal(
        "spectral norm twice",
        lambda m: nn.utils.spectral_norm(nn.utils.spectral_norm(nn.Linear(2, 2))),
        ArgumentError,
        ("'weight'", "has it already"),
    ),
    Refusal(
        "iterations", lambda m: nn.utils.spectral_norm(nn.Linear(2, 2), n_power_iterations=0), ArgumentError, ("at least 1",)
    ),
    Refusal("remove nothing", lambda m: nn.utils.remove_spectral_norm(nn.Linear(2, 2)), ArgumentError, ("'weight'",)),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_refusal_says_what_to_do(refusal: Refusal) -> None:
    with pytest.raises(refusal.error) as caught:
        refusal.call(minigrad)
    for word in refusal.words:
        assert word in str(caught.value)


# ---------------------------------------------------------------------- fusion


def normed(m: Any, conv: str, kind: str, *sizes: int, bias: bool, affine: bool, **options: Any) -> tuple[Any, Any]:
    """A convolution and a batch norm of drawn numbers, in evaluation mode."""
    layer = getattr(m.nn, conv)(*sizes, bias=bias, **options).double().eval()
    norm = getattr(m.nn, kind)(sizes[1], eps=1e-3, affine=affine).double().eval()
    rng = np.random.default_rng(4)
    with m.no_grad():
        for _, numbers in [*layer.named_parameters(), *norm.named_parameters(), *norm.named_buffers()]:
            if numbers.dtype == m.float64:
                numbers.copy_(m.tensor(rng.uniform(0.5, 2.0, tuple(numbers.shape)) * rng.choice([-1, 1], 1)))
        norm.running_var.copy_(norm.running_var.abs())
    return layer, norm


FUSED = {
    "images": (("Conv2d", "BatchNorm2d", 3, 4, 3), {"stride": 2, "padding": 1}, (2, 3, 7, 6)),
    "a channel a group": (("Conv2d", "BatchNorm2d", 4, 4, 3), {"groups": 4}, (2, 4, 5, 6)),
    "sequences": (("Conv1d", "BatchNorm1d", 3, 4, 3), {}, (2, 3, 7)),
    "transposed": (("ConvTranspose2d", "BatchNorm2d", 3, 4, 3), {"stride": 2}, (2, 3, 4, 5)),
}


@pytest.mark.parametrize(("bias", "affine"), [(True, True), (False, False)])
@pytest.mark.parametrize("name", FUSED)
def test_a_batch_norm_is_folded_into_a_convolution(name: str, bias: bool, affine: bool) -> None:
    layers, options, shape = FUSED[name]
    conv, norm = normed(minigrad, *layers, bias=bias, affine=affine, **options)
    before = {key: value.numpy().copy() for key, value in conv.state_dict().items()}
    fused = nn.utils.fuse_conv_bn_eval(conv, norm, name == "transposed")
    x = minigrad.tensor(np.random.default_rng(5).standard_normal(shape))
    assert fused(x).detach().numpy() == pytest.approx(norm(conv(x)).detach().numpy(), abs=1e-12)
    assert type(fused) is type(conv) and fused.weight.requires_grad and not fused.training
    assert fused.bias.requires_grad == bias
    assert all(np.array_equal(before[key], value.numpy()) for key, value in conv.state_dict().items())


@pytest.mark.peer
@pytest.mark.parametrize(("bias", "affine"), [(True, True), (False, False)])
@pytest.mark.parametrize("name", FUSED)
def test_folding_gives_what_pytorch_gives(name: str, bias: bool, affine: bool) -> None:
    import torch

    layers, options, _ = FUSED[name]
    ours, theirs = (
        m.nn.utils.fuse_conv_bn_eval(*normed(m, *layers, bias=bias, affine=affine, **options), name == "transposed")
        for m in (minigrad, torch)
    )
    for one, other in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
        assert one.requires_grad == other.requires_grad
        assert one.detach().numpy() == pytest.approx(other.detach().numpy(), abs=1e-12)


def test_what_cannot_be_folded_is_refused() -> None:
    conv, norm = nn.Conv2d(3, 4, 3).eval(), nn.BatchNorm2d(4).eval()
    fuse = nn.utils.fuse_conv_bn_eval
    for layers, words in (
        ((nn.Conv2d(3, 4, 3), norm), r"conv: expected a layer in evaluation mode, got one in training\. Call \.eval\(\)"),
        ((conv, nn.BatchNorm2d(4)), "bn: expected a layer in evaluation mode"),
        ((conv, nn.BatchNorm2d(4, track_running_stats=False).eval()), "bn: expected a batch norm with running statistics"),
        ((conv, nn.BatchNorm2d(5).eval()), "bn: expected 4 channels, as many as the convolution gives, got 5 of them"),
    ):
        with pytest.raises(ArgumentError, match=words):
            fuse(*layers)
