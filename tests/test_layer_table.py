"""Every row of the layers' table: state, derivatives, copies; and PyTorch's layer with the same weights beside it."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

import minigrad
from tests import devices, harness
from tests.harness import difference, numeric_gradients
from tests.layer_table import LAYERS, RECORDED, Layer, keys_and_shapes


def make(row: Layer) -> Any:
    """The layer of a row, in float64, with random weights that no default of ours or of PyTorch explains."""
    layer = row.build(minigrad).double()
    rng = np.random.default_rng(5)
    for parameter in layer.parameters():
        devices.put(parameter, rng.standard_normal(parameter.shape))
    for buffer in layer.buffers():
        if buffer.is_floating_point():
            devices.put(buffer, rng.uniform(0.5, 2.0, tuple(buffer.shape)))
    return layer


def run(row: Layer, module: Any, layer: Any, arrays: list[np.ndarray]) -> tuple[list[Any], list[Any]]:
    """The outputs, and the gradients of inputs and parameters, in ``minigrad`` or ``torch``."""
    inputs = [module.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    outputs = harness.outputs_of(row.call(module, layer, *inputs))
    starts = harness.cotangents(row.name, outputs)
    pairs = [(o, module.tensor(g)) for o, g in zip(outputs, starts, strict=True) if g is not None and o.requires_grad]
    if pairs:
        module.autograd.backward([o for o, _ in pairs], [g for _, g in pairs])
    return [o.detach().numpy() for o in outputs], [t.grad for t in (*inputs, *layer.parameters())]


def test_names_are_unique() -> None:
    names = [row.name for row in LAYERS]
    assert sorted(set(names)) == sorted(names)


def test_every_layer_has_a_row() -> None:
    tested = {row.name.split("(")[0] for row in LAYERS}
    elsewhere = {"Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "MultiheadAttention"}
    elsewhere |= {"RNNBase", "RNN", "LSTM", "GRU", "RNNCellBase", "RNNCell", "LSTMCell", "GRUCell"}
    layers = {
        name
        for name, value in vars(minigrad.nn).items()
        if isinstance(value, type) and issubclass(value, minigrad.nn.Module) and not name.startswith("_")
    }
    assert layers - tested == elsewhere


@pytest.mark.parametrize("row", LAYERS, ids=repr)
def test_state_and_repr_are_the_recorded_ones(row: Layer) -> None:
    said = json.loads(RECORDED.read_text(encoding="utf-8"))[row.name]
    layer = row.build(minigrad)
    assert keys_and_shapes(layer) == said["state"]
    assert list(keys_and_shapes(layer)) == list(said["state"])
    if row.same_repr:
        assert repr(layer) == said["repr"]


@pytest.mark.parametrize("row", [row for row in LAYERS if row.numeric], ids=repr)
def test_derivatives_are_the_numeric_ones(row: Layer) -> None:
    layer, arrays = make(row), row.arrays()
    buffers = {name: buffer.numpy().copy() for name, buffer in layer.named_buffers()}
    parameters = list(layer.parameters())

    def value(moved: list[np.ndarray]) -> float:
        for name, buffer in layer.named_buffers():
            devices.put(buffer, buffers[name])
        for target, source in zip(parameters, moved[len(arrays) :], strict=True):
            devices.put(target, source)
        with minigrad.no_grad():
            outputs = harness.outputs_of(row.call(minigrad, layer, *harness.tensors(moved[: len(arrays)], requires_grad=False)))
        starts = harness.cotangents(row.name, outputs)
        return float(sum((o.numpy() * w).sum() for o, w in zip(outputs, starts, strict=True) if w is not None))

    _, gradients = run(row, minigrad, layer, arrays)
    numeric = numeric_gradients(value, [*arrays, *[p.detach().numpy().copy() for p in parameters]])
    for ours, theirs in zip(gradients, numeric, strict=True):
        if theirs is not None:
            found = np.zeros_like(theirs) if ours is None else ours.numpy()
            assert np.abs(found - theirs).max(initial=0) <= 1e-6 * max(1.0, np.abs(theirs).max(initial=0))


@pytest.mark.parametrize("row", LAYERS, ids=repr)
def test_copies_compute_the_same_and_share_nothing(row: Layer) -> None:
    layer = make(row).eval()
    arrays = row.arrays()
    before, _ = run(row, minigrad, layer, arrays)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(twin) == repr(layer) and not twin.training
        values, _ = run(row, minigrad, twin, arrays)
        for ours, first in zip(values, before, strict=True):
            assert np.array_equal(ours, first, equal_nan=ours.dtype.kind == "f")
        for tensor, other in zip(twin.state_dict().values(), layer.state_dict().values(), strict=True):
            assert not devices.share_memory(tensor, other)


@pytest.mark.parametrize("row", LAYERS, ids=repr)
def test_float32_stays_float32(row: Layer) -> None:
    layer = row.build(minigrad)
    arrays = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in row.arrays()]
    if any("double" in name for name in row.call.__code__.co_names):
        layer.double()
        arrays = row.arrays()
    wanted = next((a.dtype for a in arrays if a.dtype.kind == "f"), np.dtype(np.float32))
    outputs = harness.outputs_of(row.call(minigrad, layer, *[minigrad.tensor(a) for a in arrays]))
    assert {o.dtype for o in outputs if o.is_floating_point()} == {wanted}


# ---------------------------------------------------------------------- PyTorch beside


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's, about its own speed
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("row", LAYERS, ids=repr)
def test_layer_is_pytorchs(row: Layer, training: bool) -> None:
    import torch

    ours, theirs = make(row), row.build(torch).double()
    assert keys_and_shapes(ours) == keys_and_shapes(theirs)
    assert not row.same_repr or repr(ours) == repr(theirs)
    theirs.load_state_dict({name: torch.tensor(tensor.numpy()) for name, tensor in ours.state_dict().items()})
    ours.train(training)
    theirs.train(training)
    arrays = row.arrays()
    values, gradients = run(row, minigrad, ours, arrays)
    their_values, their_gradients = run(row, torch, theirs, arrays)
    for value, other in zip(values, their_values, strict=True):
        assert value.shape == other.shape and str(value.dtype) == str(other.dtype)
        if not (training and row.draws):
            assert difference(value, other) <= row.tolerance
    for gradient, other in zip(gradients, their_gradients, strict=True):
        assert (gradient is None) == (other is None)
        if gradient is not None and not (training and row.draws):
            assert difference(gradient.numpy(), other.numpy()) <= row.tolerance
    for tensor, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert difference(tensor.numpy(), other.numpy()) <= row.tolerance


@pytest.mark.peer
def test_record_is_up_to_date() -> None:
    import torch

    said = json.loads(RECORDED.read_text(encoding="utf-8"))
    assert list(said) == [row.name for row in LAYERS]
    for row in LAYERS:
        assert said[row.name]["state"] == keys_and_shapes(row.build(torch))
