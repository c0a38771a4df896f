"""Optimisers: beside PyTorch's recorded answers and PyTorch itself, and beside formulas for one number at a time."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.errors import ArgumentError, DTypeError, GradError, MinigradError, ShapeError, StateError
from minigrad.kernels.update import vectorised
from minigrad.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, SparseAdam
from tests import harness, optim_table
from tests.optim_table import OPTIMISERS, SPARSE, STEPS, gradient, numbers, parameters, run_dense, run_sparse, walk

ROWS = pytest.mark.parametrize(("name", "kind", "settings"), OPTIMISERS, ids=[row[0] for row in OPTIMISERS])
SPARSE_ROWS = pytest.mark.parametrize(("name", "kind", "settings"), SPARSE, ids=[row[0] for row in SPARSE])


def assert_near(ours: list[np.ndarray], theirs: list[np.ndarray], bound: float = 1e-12) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= bound * max(1.0, np.abs(b).max())


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    with np.load(harness.RECORDED / "optim.npz") as file:
        return dict(file)


@ROWS
def test_weights_are_the_recorded_ones(name: str, kind: str, settings: dict, recorded: dict[str, np.ndarray]) -> None:
    ours = run_dense(minigrad, kind, settings)
    assert_near(ours, [recorded[f"optim/{name}#{place}"] for place in range(len(ours))])


@SPARSE_ROWS
def test_sparse_weights_are_the_recorded_ones(name: str, kind: str, settings: dict, recorded: dict[str, np.ndarray]) -> None:
    assert_near(run_sparse(minigrad, kind, settings), [recorded[f"optim/{name}#0"]])


@pytest.mark.peer
@ROWS
def test_weights_are_pytorchs(name: str, kind: str, settings: dict) -> None:
    import torch

    assert_near(run_dense(minigrad, kind, settings), run_dense(torch, kind, settings))


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@SPARSE_ROWS
def test_sparse_weights_are_pytorchs(name: str, kind: str, settings: dict) -> None:
    import torch

    assert_near(run_sparse(minigrad, kind, settings), run_sparse(torch, kind, settings))


# ---------------------------------------------------------------------- formulas for one number


def slow_sgd(p: float, s: dict, g: float, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False) -> float:
    g += weight_decay * p
    if momentum:
        s["b"] = g if "b" not in s else momentum * s["b"] + (1 - dampening) * g
        g = g + momentum * s["b"] if nesterov else s["b"]
    return p - lr * g


def slow_adam(
    p: float, s: dict, g: float, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, decoupled=False
) -> float:
    s["t"] = s.get("t", 0) + 1
    if decoupled:
        p -= lr * weight_decay * p
    else:
        g += weight_decay * p
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g * g
    s["top"] = max(s.get("top", 0), s["v"])
    m = s["m"] / (1 - betas[0] ** s["t"])
    v = (s["top"] if amsgrad else s["v"]) / (1 - betas[1] ** s["t"])
    return p - lr * m / (math.sqrt(v) + eps)


def slow_adamw(p: float, s: dict, g: float, weight_decay: float = 1e-2, **settings: Any) -> float:
    return slow_adam(p, s, g, weight_decay=weight_decay, decoupled=True, **settings)


def slow_rmsprop(
    p: float, s: dict, g: float, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False
) -> float:
    g += weight_decay * p
    s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g * g
    s["a"] = alpha * s.get("a", 0) + (1 - alpha) * g
    s["b"] = momentum * s.get("b", 0) + g / (math.sqrt(s["v"] - (s["a"] ** 2 if centered else 0)) + eps)
    return p - lr * s["b"]


def slow_adagrad(
    p: float, s: dict, g: float, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10
) -> float:
    s["t"] = s.get("t", 0) + 1
    g += weight_decay * p
    s["v"] = s.get("v", initial_accumulator_value) + g * g
    return p - lr / (1 + (s["t"] - 1) * lr_decay) * g / (math.sqrt(s["v"]) + eps)


def slow_adadelta(p: float, s: dict, g: float, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0.0) -> float:
    g += weight_decay * p
    s["v"] = rho * s.get("v", 0) + (1 - rho) * g * g
    d = math.sqrt(s.get("u", 0) + eps) / math.sqrt(s["v"] + eps) * g
    s["u"] = rho * s.get("u", 0) + (1 - rho) * d * d
    return p - lr * d


SLOW: dict[str, Callable[..., float]] = {
    "SGD": slow_sgd,
    "Adam": slow_adam,
    "AdamW": slow_adamw,
    "RMSprop": slow_rmsprop,
    "Adagrad": slow_adagrad,
    "Adadelta": slow_adadelta,
}


@ROWS
def test_weights_are_those_of_the_formula(name: str, kind: str, settings: dict) -> None:
    settings = dict(settings)
    sign = -1 if settings.pop("maximize", False) else 1
    slow = SLOW["AdamW" if settings.pop("decoupled_weight_decay", False) else kind]
    values = optim_table.beginning()
    memory = [[{} for _ in value.flat] for value in values]
    for step in range(STEPS):
        for place, value in enumerate(values):
            grad = gradient(step, place, value)
            if grad is not None:
                pairs = zip(value.flat, memory[place], grad.flat, strict=True)
                moved = [slow(float(p), state, sign * float(g), **settings) for p, state, g in pairs]
                values[place] = np.array(moved).reshape(value.shape)
    maximize = {"maximize": True} if sign < 0 else {}
    decoupled = {"decoupled_weight_decay": True} if slow is slow_adamw and kind == "Adam" else {}
    assert_near(run_dense(minigrad, kind, {**settings, **maximize, **decoupled}), values)


@SPARSE_ROWS
def test_a_sparse_gradient_moves_only_its_rows(name: str, kind: str, settings: dict) -> None:
    table = minigrad.ones(6, 2, dtype=minigrad.float64).requires_grad_()
    optimiser = getattr(minigrad.optim, kind)([table], **settings)
    minigrad.nn.functional.embedding(minigrad.tensor([1, 4, 1]), table, sparse=True).sum().backward()
    version = table._version
    optimiser.step()
    moved = (table.detach().numpy() != 1).any(axis=1)
    assert moved.tolist() == [False, True, False, False, True, False]
    assert table._version == version + 1


# ---------------------------------------------------------------------- memory


@pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop", "Adagrad", "Adadelta"])
def test_pieces_and_layout_change_no_bit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    start, grads = rng.standard_normal((4, 3, 5, 7)), rng.standard_normal((5, 4, 3, 5, 7))
    settings = {"lr": 0.1, "weight_decay": 0.1}

    def run(layout: str, piece: int) -> np.ndarray:
        monkeypatch.setattr(vectorised, "PIECE", piece)

        def laid(array: np.ndarray) -> np.ndarray:
            if layout == "channels last":
                return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
            return np.repeat(array, 2, axis=-1)[..., ::2] if layout == "gaps" else array.copy()

        p = minigrad.from_numpy(laid(start)).requires_grad_()
        address = p.data_ptr()
        optimiser = getattr(minigrad.optim, kind)([p], **settings)
        for step, grad in enumerate(grads):
            p.grad = minigrad.from_numpy(laid(grad) if step else grad.copy())
            before = p.grad.numpy().copy()
            optimiser.step()
            assert np.array_equal(p.grad.numpy(), before)  # the gradient is the user's
        assert p.data_ptr() == address
        return p.detach().numpy()

    whole = run("plain", 10**9)
    for layout in ("plain", "channels last", "gaps"):
        assert np.array_equal(run(layout, 64), whole), layout


def test_state_has_the_layout_of_its_parameter() -> None:
    p = minigrad.from_numpy(np.ones((2, 4, 4, 3), np.float32).transpose(0, 3, 1, 2)).requires_grad_()
    adam = Adam([p])
    p.grad = minigrad.ones(2, 3, 4, 4)
    adam.step()
    assert adam.state[p]["exp_avg"].stride() == p.stride()


def test_a_step_allocates_little() -> None:
    import tracemalloc

    p = minigrad.zeros(1000, 1000).requires_grad_()
    p.grad = minigrad.ones(1000, 1000)
    adam = Adam([p])
    adam.step()
    tracemalloc.start()
    adam.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000  # of 4 million bytes of weights: scratch is kept from the step before


@pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop", "Adagrad", "Adadelta"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_dtype_stays(kind: str, dtype: str) -> None:
    p = minigrad.ones(3, dtype=dtype).requires_grad_()
    optimiser = getattr(minigrad.optim, kind)([p], lr=np.float64(0.1))  # a NumPy number must not widen the arithmetic
    p.grad = minigrad.ones(3, dtype=dtype)
    optimiser.step()
    state = [value.dtype for value in optimiser.state[p].values() if isinstance(value, minigrad.Tensor)]
    assert {p.dtype, *state} == {np.dtype(dtype)}
    assert (p.detach().numpy() < 1).all()


def test_a_step_counts_as_a_change() -> None:
    w = minigrad.ones(2, requires_grad=True)
    y = (w * w).sum()
    y.backward(retain_graph=True)
    SGD([w], lr=0.1).step()
    with pytest.raises(GradError, match="in-place"):
        y.backward()


def test_no_warning_from_wild_numbers() -> None:
    w = minigrad.tensor([1e30, 1.0, 0.0], requires_grad=True)
    w.grad = minigrad.tensor([1e30, float("nan"), float("inf")])
    Adam([w], lr=1.0, eps=0.0).step()
    assert w.isfinite().tolist()[1:] == [False, False]


def test_centered_rmsprop_survives_rounding() -> None:
    w = minigrad.ones(1000, requires_grad=True)
    w.grad = minigrad.rand(1000) * 1e-3 + 1  # a variance far below the squares' rounding
    optimiser = RMSprop([w], lr=1e-3, centered=True, alpha=0.5)
    for _ in range(60):
        optimiser.step()
    assert bool(w.isfinite().all())


# ---------------------------------------------------------------------- groups, closures, hooks


def test_groups_have_settings_of_their_own() -> None:
    a, b, c = (minigrad.zeros(1, requires_grad=True) for _ in range(3))
    sgd = SGD([{"params": [a]}, {"params": b, "lr": 0.5, "label": "mine"}], lr=0.1)
    sgd.add_param_group({"params": [c], "lr": 2.0})
    for p in (a, b, c):
        p.grad = minigrad.ones(1)
    sgd.step()
    assert [round(p.item(), 6) for p in (a, b, c)] == [-0.1, -0.5, -2.0]
    assert sgd.param_groups[1]["label"] == "mine"
    assert [group["momentum"] for group in sgd.param_groups] == [0, 0, 0]
    assert "Parameter Group 2" in repr(sgd) and "lr: 2.0" in repr(sgd)


def test_named_parameters() -> None:
    layer = minigrad.nn.Linear(2, 1)
    sgd = SGD(layer.named_parameters(), lr=0.1)
    assert sgd.param_groups[0]["param_names"] == ["weight", "bias"]
    assert sgd.param_groups[0]["params"][0] is layer.weight


def test_settings_are_read_at_each_step() -> None:
    w = minigrad.zeros(1, requires_grad=True)
    sgd = SGD([w], lr=1.0)
    w.grad = minigrad.ones(1)
    sgd.param_groups[0]["lr"] = 0.25
    sgd.step()
    assert w.item() == -0.25


def test_zero_grad() -> None:
    w = minigrad.ones(2, requires_grad=True)
    sgd = SGD([w], lr=0.1)
    (w * 3).sum().backward()
    grad = w.grad
    sgd.zero_grad(set_to_none=False)
    assert w.grad is grad and grad.tolist() == [0, 0]
    sgd.zero_grad()
    assert w.grad is None


def test_closure_is_run_with_gradients_on() -> None:
    w = minigrad.ones(1, requires_grad=True)
    sgd = SGD([w], lr=0.25)

    def closure() -> minigrad.Tensor:
        sgd.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with minigrad.no_grad():
        assert sgd.step(closure).item() == 1
    assert w.item() == 0.5


def test_hooks_of_steps() -> None:
    w = minigrad.ones(1, requires_grad=True)
    w.grad = minigrad.ones(1)
    sgd, seen = SGD([w], lr=1.0), []
    before = sgd.register_step_pre_hook(lambda o, args, kwargs: seen.append(("before", w.item())))
    sgd.register_step_post_hook(lambda o, args, kwargs: seen.append(("after", w.item())))
    sgd.step()
    before.remove()
    sgd.step()
    assert seen == [("before", 1.0), ("after", 0.0), ("after", -1.0)]


def test_an_optimiser_of_the_users_own() -> None:
    class Signs(Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        def step(self, closure: Any = None) -> None:
            with minigrad.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        self.state[p]["count"] = self.state[p].get("count", 0) + 1
                        p.add_(p.grad.sign(), alpha=-group["lr"])

    w = minigrad.tensor([1.0, -1.0], requires_grad=True)
    (w * w).sum().backward()
    signs, seen = Signs([w], lr=0.5), []
    signs.register_step_post_hook(lambda *_: seen.append(1))
    signs.step()
    assert w.tolist() == [0.5, -0.5] and seen == [1]
    twin = Signs([w], lr=9.0)
    twin.load_state_dict(signs.state_dict())
    assert twin.state[w] == {"count": 1} and twin.param_groups[0]["lr"] == 0.5


# ---------------------------------------------------------------------- state


@ROWS
def test_a_saved_state_goes_on_bit_for_bit(name: str, kind: str, settings: dict, tmp_path: Path) -> None:
    make = getattr(minigrad.optim, kind)
    params = parameters(minigrad)
    optimiser = make(params, **settings)
    walk(minigrad, optimiser, params, range(11))
    minigrad.save({"weights": params, "optimiser": optimiser.state_dict()}, tmp_path / "state")
    walk(minigrad, optimiser, params, range(11, STEPS))

    loaded = minigrad.load(tmp_path / "state")
    again = [weights.to(params[0].device).requires_grad_() for weights in loaded["weights"]]
    other = make(again, **{**settings, "lr": 123.0})
    other.load_state_dict(loaded["optimiser"])
    assert other.param_groups[0] == {**optimiser.param_groups[0], "params": again}
    walk(minigrad, other, again, range(11, STEPS))
    for ours, theirs in zip(numbers(again), numbers(params), strict=True):
        assert np.array_equal(ours, theirs)


def test_state_dict_has_pytorchs_structure() -> None:
    a, b, c = (minigrad.zeros(2, requires_grad=True) for _ in range(3))
    adam = Adam([{"params": [a, b]}, {"params": [c], "lr": 0.5}], lr=0.1)
    b.grad = minigrad.ones(2)
    adam.step()
    state = adam.state_dict()
    assert list(state) == ["state", "param_groups"]
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2]]
    assert list(state["state"]) == [1]
    assert sorted(state["state"][1]) == ["exp_avg", "exp_avg_sq", "step"]
    assert state["state"][1]["step"] == 1
    assert state["param_groups"][1]["lr"] == 0.5


def test_a_loaded_state_is_a_copy() -> None:
    a, b = minigrad.zeros(2, requires_grad=True), minigrad.zeros(2, requires_grad=True)
    first, second = SGD([a], lr=0.1, momentum=0.9), SGD([b], lr=0.1, momentum=0.9)
    a.grad = b.grad = minigrad.ones(2)
    first.step()
    second.load_state_dict(first.state_dict())
    first.step()
    assert second.state[b]["momentum_buffer"].tolist() == [1, 1]


def test_state_of_another_precision_and_with_strings_for_numbers() -> None:
    w = minigrad.zeros(2, requires_grad=True)
    adam = Adam([w])
    entry = {"step": np.float32(4), "exp_avg": np.ones(2), "exp_avg_sq": minigrad.ones(2, dtype=minigrad.float64)}
    adam.load_state_dict({"state": {"0": entry}, "param_groups": [{**adam.state_dict()["param_groups"][0], "fused": None}]})
    assert adam.state[w]["step"] == 4 and type(adam.state[w]["step"]) is int
    assert adam.state[w]["exp_avg"].dtype == adam.state[w]["exp_avg_sq"].dtype == minigrad.float32


def test_all_that_does_not_fit_is_listed() -> None:
    def adam(*shapes: tuple[int, ...]) -> Adam:
        params = [minigrad.zeros(*shape).requires_grad_() for shape in shapes]
        made = Adam(params)
        for p in params:
            p.grad = minigrad.ones(*p.shape)
        made.step()
        return made

    ours = adam((2, 3), (4,))
    before = copy.deepcopy(ours.state_dict())
    theirs = adam((3, 2), (4,)).state_dict()
    del theirs["state"][1]["exp_avg"]
    theirs["state"][1]["extra"] = 1
    theirs["state"][7] = {}
    with pytest.raises(StateError) as caught:
        ours.load_state_dict(theirs)
    for words in (
        "exp_avg of parameter 0 of shape (3, 2), where the parameter has (2, 3)",
        "exp_avg_sq of parameter 0",
        "no exp_avg of parameter 1",
        "extra of parameter 1, which Adam does not have",
        "parameter 7, which is in no group",
    ):
        assert words in str(caught.value)
    after = ours.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for number, values in before["state"].items():
        assert all(np.array_equal(values[key], after["state"][number][key]) for key in values)


def test_deepcopy_and_pickle_keep_the_pair_of_weights_and_state() -> None:
    import pickle

    params = parameters(minigrad)
    adam = Adam(params, lr=0.1)
    walk(minigrad, adam, params, range(3))
    for again, twin in (copy.deepcopy((params, adam)), pickle.loads(pickle.dumps((params, adam)))):
        walk(minigrad, twin, again, range(3, 6))
        assert twin.param_groups[0]["params"][0] is again[0]
        reference = copy.deepcopy((params, adam))
        walk(minigrad, reference[1], reference[0], range(3, 6))
        assert all(np.array_equal(a, b) for a, b in zip(numbers(again), numbers(reference[0]), strict=True))


@pytest.mark.peer
@pytest.mark.parametrize("there", [True, False], ids=["from PyTorch", "to PyTorch"])
@ROWS
def test_states_go_over_to_pytorch_and_back(name: str, kind: str, settings: dict, there: bool) -> None:
    import torch

    source, target = (torch, minigrad) if there else (minigrad, torch)
    params = parameters(source)
    optimiser = getattr(source.optim, kind)(params, **settings)
    walk(source, optimiser, params, range(11))
    again = [target.tensor(array, requires_grad=True) for array in numbers(params)]
    state = copy.deepcopy(optimiser.state_dict())
    other = getattr(target.optim, kind)(again, **settings)
    if not there:
        for values in state["state"].values():
            values.update({key: torch.tensor(v.numpy()) for key, v in values.items() if isinstance(v, minigrad.Tensor)})
        state["param_groups"] = other.state_dict()["param_groups"]  # PyTorch wants its own further settings there
    other.load_state_dict(state)
    for m, o, p in ((source, optimiser, params), (target, other, again)):
        walk(m, o, p, range(11, STEPS))
    assert_near(numbers(again), numbers(params))


# ---------------------------------------------------------------------- errors


def _one() -> minigrad.Tensor:
    return minigrad.zeros(2, requires_grad=True)


def _with_grad(grad: minigrad.Tensor) -> minigrad.Tensor:
    p = _one()
    p.data = grad * 0
    p.grad = grad
    p.data = _one().detach()  # of another shape, perhaps
    return p


def _sparse() -> minigrad.Tensor:
    table = minigrad.ones(4, 2, requires_grad=True)
    minigrad.nn.functional.embedding(minigrad.tensor([1]), table, sparse=True).sum().backward()
    return table


def _twice(p: minigrad.Tensor) -> None:
    SGD([p]).add_param_group({"params": [p]})


REFUSALS: list[tuple[Callable[[], Any], type[MinigradError], str]] = [
    (lambda: SGD(_one(), lr=0.1), DTypeError, "SGD: params: expected an iterable of Tensors or of dicts, got a Tensor"),
    (lambda: SGD({"params": [_one()]}, lr=0.1), DTypeError, "got a dict"),
    (lambda: SGD(3, lr=0.1), DTypeError, "got a int"),
    (lambda: SGD([], lr=0.1), ArgumentError, "at least one parameter"),
    (lambda: SGD([np.zeros(2)]), DTypeError, "params[0]: expected a Tensor, got ndarray"),
    (lambda: SGD([_one() * 2]), GradError, "params[0]: expected a leaf, got the result of"),
    (lambda: SGD([minigrad.zeros(1).expand(3).requires_grad_()]), ArgumentError, "Clone the tensor first"),
    (lambda: SGD([{"params": {_one()}}]), DTypeError, "a set"),
    (lambda: SGD([{"lr": 1}]), DTypeError, "a dict with 'params'"),
    (lambda: _twice(_one()), ArgumentError, "each parameter once"),
    (lambda: SGD([_one()] * 2 and [(p := _one()), p]), ArgumentError, "params[1]: expected each parameter once"),
    (lambda: SGD([_one()], lr=-1), ArgumentError, "SGD: lr: expected 0 or more, got -1"),
    (lambda: SGD([_one()], lr=float("nan")), ArgumentError, "nan"),
    (lambda: SGD([_one()], lr="fast"), DTypeError, "a number, got 'fast'"),
    (lambda: SGD([{"params": [_one()], "lr": -2}], lr=1), ArgumentError, "got -2"),
    (lambda: SGD([_one()], momentum=-0.1), ArgumentError, "momentum"),
    (lambda: SGD([_one()], weight_decay=-0.1), ArgumentError, "weight_decay"),
    (lambda: SGD([_one()], nesterov=True), ArgumentError, "a momentum above 0 and no dampening"),
    (lambda: Adam([_one()], betas=(0.9, 1.0)), ArgumentError, "Adam: betas[1]: expected 0 or more and below 1"),
    (lambda: Adam([_one()], betas=0.9), DTypeError, "two numbers"),
    (lambda: AdamW([_one()], eps=-1), ArgumentError, "AdamW: eps"),
    (lambda: SparseAdam([_one()], lr=0), ArgumentError, "above 0"),
    (lambda: RMSprop([_one()], alpha=-1), ArgumentError, "alpha"),
    (lambda: Adagrad([_one()], lr_decay=-1), ArgumentError, "lr_decay"),
    (lambda: minigrad.optim.Adadelta([_one()], rho=1.5), ArgumentError, "rho"),
    (lambda: SGD([_with_grad(minigrad.ones(3))]).step(), ShapeError, "(3,) of a parameter of shape (2,)"),
    (lambda: Adam([_sparse()]).step(), GradError, "Use SparseAdam"),
    (lambda: RMSprop([_sparse()]).step(), GradError, "a sparse one"),
    (lambda: minigrad.optim.Adadelta([_sparse()]).step(), GradError, "a sparse one"),
    (lambda: Adagrad([_sparse()], weight_decay=0.1).step(), GradError, "0 with sparse gradients"),
    (lambda: SparseAdam([_with_grad(minigrad.ones(2))]).step(), GradError, "Use Adam"),
    (lambda: SGD([_one()]).load_state_dict({"state": {}}), StateError, "'param_groups'"),
    (lambda: SGD([_one()]).load_state_dict([]), StateError, "got list"),
    (
        lambda: SGD([_one()]).load_state_dict({"state": {}, "param_groups": []}),
        StateError,
        "0 parameter groups, where the optimiser has 1",
    ),
    (
        lambda: SGD([_one()]).load_state_dict(SGD([_one(), _one()]).state_dict()),
        StateError,
        "group 0 with 2 parameters, where the optimiser has 1",
    ),
    (lambda: Adam([_one()]).load_state_dict(SGD([_one()]).state_dict()), StateError, "group 0 without betas, eps, amsgrad"),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSALS, ids=[row[2] for row in REFUSALS])
def test_refusal_says_what_to_do(call: Callable[[], Any], error: type[MinigradError], words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)


def test_a_group_must_give_what_has_no_default() -> None:
    from minigrad.optim.optimizer import REQUIRED

    with pytest.raises(ArgumentError, match="speed"):
        Optimizer([_one()], {"speed": REQUIRED})
    Optimizer([{"params": [_one()], "speed": 1}], {"speed": REQUIRED})


def test_an_optimiser_without_a_rule_says_so() -> None:
    with pytest.raises(NotImplementedError, match="neither step nor update"):
        Optimizer([_one()], {}).step()
