"""Every row of the tables: value beside the recorded answer, derivative beside central differences, and PyTorch beside both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.kernels import doubts
from tests import harness
from tests.harness import Case, Refusal, difference

ALL = harness.cases()
REFUSALS: list[Refusal] = [row for family in harness.families() for row in family.ERRORS]


def test_names_are_unique() -> None:
    for rows in (ALL, REFUSALS):
        names = [row.name for row in rows]
        assert sorted(set(names)) == sorted(names)


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    answers: dict[str, np.ndarray] = {}
    for path in sorted(harness.RECORDED.glob("*.npz")):
        with np.load(path) as file:
            answers.update(file)
    return answers


@pytest.mark.parametrize("case", harness.cases(peer=True), ids=repr)
def test_value_is_the_recorded_one(case: Case, recorded: dict[str, np.ndarray]) -> None:
    values, _ = harness.run(case, case.arrays())
    for position, value in enumerate(values):
        answer = recorded[f"{case.name}#{position}"]
        assert value.dtype == answer.dtype
        assert difference(value, answer) <= case.tolerance
    assert f"{case.name}#{len(values)}" not in recorded


@pytest.mark.parametrize("case", [case for case in ALL if case.order >= 1], ids=repr)
def test_derivative_is_the_numeric_one(case: Case) -> None:
    arrays = case.arrays()
    _, gradients = harness.run(case, arrays)
    numeric = harness.numeric_gradients(harness.weighted_sum(case), arrays)
    for ours, theirs in zip(gradients, numeric, strict=True):
        if theirs is not None:
            ours = np.zeros_like(theirs) if ours is None else ours
            assert np.abs(ours - theirs).max(initial=0) <= 1e-6 * max(1.0, np.abs(theirs).max(initial=0))


@pytest.mark.parametrize("case", [case for case in ALL if case.order >= 2], ids=repr)
def test_second_derivative_is_the_numeric_one(case: Case) -> None:
    arrays = case.arrays()
    inputs, gradients = harness.first_gradients(case, arrays, create_graph=True)
    rng = np.random.default_rng(7)
    weights = [rng.standard_normal(tuple(g.shape)) for g in gradients]

    def first(moved: list[np.ndarray]) -> float:
        _, again = harness.first_gradients(case, moved, create_graph=False)
        return float(sum((g.numpy() * w).sum() for g, w in zip(again, weights, strict=True)))

    numeric = harness.numeric_gradients(first, arrays)
    pairs = [(g, minigrad.tensor(w)) for g, w in zip(gradients, weights, strict=True) if g.requires_grad]
    floats = [t for t in inputs if t.requires_grad]
    if pairs:
        seconds = minigrad.autograd.grad([g for g, _ in pairs], floats, [w for _, w in pairs], materialize_grads=True)
    else:
        seconds = tuple(minigrad.zeros(*t.shape, dtype=t.dtype) for t in floats)
    for ours, theirs in zip(seconds, [n for n in numeric if n is not None], strict=True):
        assert np.abs(ours.numpy() - theirs).max(initial=0) <= 1e-6 * max(1.0, np.abs(theirs).max(initial=0))


def _scattered(array: np.ndarray) -> np.ndarray:
    """The same numbers in memory with gaps and the axes turned round."""
    wide = np.zeros(tuple(2 * size for size in array.shape[::-1]), array.dtype)
    view = wide[(..., *(slice(None, None, 2) for _ in array.shape))].transpose()  # with ... a view, also of no dimensions
    view[...] = array
    return view


@pytest.mark.parametrize("case", ALL, ids=repr)
def test_strides_do_not_matter_and_inputs_stay(case: Case) -> None:
    arrays = case.arrays()
    plain_values, plain_gradients = harness.run(case, arrays)
    views = [_scattered(array) for array in arrays]
    inputs = [minigrad.from_numpy(view) for view in views]
    for tensor in inputs:
        if tensor.is_floating_point():
            tensor.requires_grad_()
    outputs = harness.outputs_of(case.call(minigrad, *inputs))
    starts = harness.cotangents(case.name, outputs)
    pairs = [
        (o, minigrad.tensor(g, device=o.device).to(o.dtype))
        for o, g in zip(outputs, starts, strict=True)
        if g is not None and o.requires_grad
    ]
    if pairs:
        minigrad.autograd.backward([o for o, _ in pairs], [g for _, g in pairs])
    for ours, plain in zip(outputs, plain_values, strict=True):
        assert difference(ours.detach().numpy(), plain) <= 1e-12
    for tensor, plain in zip(inputs, plain_gradients, strict=True):
        assert (tensor.grad is None) == (plain is None)
        if plain is not None:
            assert difference(tensor.grad.numpy(), plain) <= 1e-12
    for view, array in zip(views, arrays, strict=True):
        assert np.array_equal(view, array, equal_nan=array.dtype.kind == "f")


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_refusal_says_what_to_do(refusal: Refusal) -> None:
    with pytest.raises(refusal.error) as caught:
        refusal.call(minigrad)
        doubts.settle()  # of numbers on a GPU it is told when the host waits
    for word in refusal.words:
        assert word in str(caught.value)


# ---------------------------------------------------------------------- PyTorch beside


def _torch_run(case: Case, arrays: list[np.ndarray]) -> tuple[list[Any], list[Any]]:
    import torch

    inputs = [torch.tensor(a, requires_grad=harness.is_float(a)) for a in arrays]
    outputs = harness.outputs_of(case.call(torch, *inputs))
    starts = harness.cotangents(case.name, outputs)
    pairs = [
        (o, torch.tensor(g).to(o.dtype)) for o, g in zip(outputs, starts, strict=True) if g is not None and o.requires_grad
    ]
    if pairs:
        torch.autograd.backward([o for o, _ in pairs], [g for _, g in pairs])
    return outputs, [t.grad for t in inputs]


@pytest.mark.peer
@pytest.mark.parametrize("case", harness.cases(peer=True), ids=repr)
def test_value_and_derivative_are_pytorchs(case: Case) -> None:
    arrays = case.arrays()
    values, gradients = harness.run(case, arrays)
    their_values, their_gradients = _torch_run(case, arrays)
    assert len(values) == len(their_values)
    for ours, theirs in zip(values, their_values, strict=True):
        assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
        assert difference(ours, theirs.detach().numpy()) <= case.tolerance
    for ours, theirs in zip(gradients, their_gradients, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert difference(ours, theirs.numpy()) <= case.tolerance


@pytest.mark.peer
@pytest.mark.parametrize("case", harness.cases(peer=True, dtype_peer=True), ids=repr)
def test_float32_result_has_pytorchs_dtype(case: Case) -> None:
    import torch

    arrays = [a.astype(np.float32) if harness.is_float(a) else a for a in case.arrays()]
    ours = harness.outputs_of(case.call(minigrad, *[minigrad.tensor(a) for a in arrays]))
    theirs = harness.outputs_of(case.call(torch, *[torch.tensor(a) for a in arrays]))
    for our, their in zip(ours, theirs, strict=True):
        assert str(our.dtype) == str(their.dtype).removeprefix("torch.")
        assert difference(our.numpy(), their.numpy()) <= 2e-4
