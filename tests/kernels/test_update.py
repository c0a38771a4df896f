"""Updates: implementations beside the reference, bit for bit, in any memory; threads, aliases, what is kept between steps."""

from __future__ import annotations

import copy
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import kernels
from minigrad.errors import ArgumentError, DTypeError, GradError, KernelError, MinigradError, ShapeError
from minigrad.kernels import update
from minigrad.kernels.cases import Case
from minigrad.kernels.comparison import leaves, on_cpu
from minigrad.kernels.native import thread_count
from minigrad.kernels.update import cases, reference, vectorised
from minigrad.optim import SGD, Adagrad, Adam, RMSprop
from tests.harness import RECORDED
from tests.optim_table import OPTIMISERS, run_dense

IMPLEMENTATIONS = [name for name in kernels.available("update", "cpu") if name != "reference"]
each_implementation = pytest.mark.parametrize("name", IMPLEMENTATIONS)
WAYS = [case for case in cases.cases() if case.function in update.WRITES]
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.function}, {way.name}")
INF, NAN = float("inf"), float("nan")


def laid(array: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers in other memory."""
    if layout == "F" and array.ndim:
        return np.asfortranarray(array)
    if layout == "gaps" and array.ndim:
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if layout == "backwards" and array.ndim:
        return np.ascontiguousarray(array[::-1])[::-1]
    if layout == "turned" and array.ndim > 1:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0)
    return array.copy()


def arguments(way: Case, dtype: Any, layouts: dict[int, str] | None = None) -> list[Any]:
    """The arguments of a case in a dtype, the sequences of some places in other memory."""

    def converted(place: int, value: Any) -> Any:
        layout = (layouts or {}).get(place, "C")
        if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
            return [laid(each.astype(dtype), layout) for each in value]
        return value.astype(dtype) if isinstance(value, np.ndarray) else copy.copy(value)

    return [converted(place, value) for place, value in enumerate(way.args)]


def run(name: str, way: Case, args: list[Any]) -> list[Any]:
    """What an implementation makes of arguments, called through the contract."""
    with kernels.use(update=name):
        getattr(update, way.function)(*args, **way.kwargs)
    return [array for place in update.WRITES[way.function] for array in args[place]]


def expected(way: Case, args: list[Any]) -> list[Any]:
    args = on_cpu(args)
    with np.errstate(all="ignore"):
        getattr(reference, way.function)(*args, **way.kwargs)
    return [array for place in update.WRITES[way.function] for array in args[place]]


def assert_bits(got: list[Any], want: list[Any]) -> None:
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype and g.shape == w.shape
        assert np.array_equal(g, w, equal_nan=True), np.abs(g - w).max()


# ---------------------------------------------------------------------- the same bits


@each_implementation
@each_way
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_of_the_reference(name: str, way: Case, dtype: Any) -> None:
    for layouts in (
        {},
        {0: "F", 1: "turned"},
        {0: "turned", 1: "turned", 2: "turned", 3: "turned"},
        {1: "gaps", 2: "backwards"},
    ):
        args = arguments(way, dtype, layouts)
        before, want = on_cpu(args), expected(way, args)
        assert_bits(run(name, way, args), want)
        if 1 not in update.WRITES[way.function]:  # gradients are the user's
            assert all(
                np.array_equal(a, b, equal_nan=True) for (_, a), (_, b) in zip(leaves(before[1]), leaves(args[1]), strict=True)
            )


@each_implementation
@each_way
def test_nan_and_infinity_pass_as_in_the_reference(name: str, way: Case) -> None:
    rng = np.random.default_rng(0)
    args = arguments(way, np.float32)
    for value in args:
        for array in value if isinstance(value, list) else ():
            if isinstance(array, np.ndarray) and array.size > 4:
                array.flat[rng.permutation(array.size)[:4]] = NAN, INF, -INF, 0.0
    want = expected(way, args)
    assert_bits(run(name, way, args), want)


@pytest.mark.parametrize("name", kernels.available("update", "cpu"))
@pytest.mark.parametrize("row", OPTIMISERS, ids=lambda row: row[0])
def test_optimisers_with_each_implementation(name: str, row: tuple[str, str, dict[str, Any]]) -> None:
    with np.load(RECORDED / "optim.npz") as recorded, kernels.use(update=name):
        for place, weights in enumerate(run_dense(minigrad, *row[1:])):
            want = recorded[f"optim/{row[0]}#{place}"]
            assert np.abs(weights - want).max() <= 1e-12 * max(1.0, np.abs(want).max())


@given(
    st.lists(st.lists(st.integers(0, 6), max_size=3).map(tuple), max_size=5),
    st.sampled_from(["C", "F", "gaps", "turned", "backwards"]),
    st.sampled_from(["C", "F", "gaps", "turned", "backwards"]),
    st.integers(1, 70),
)
@settings(deadline=None, derandomize=True, max_examples=60, database=None)
def test_drawn_shapes(shapes: list[tuple[int, ...]], of_params: str, of_grads: str, piece: int) -> None:
    rng = np.random.default_rng(len(shapes))
    args = [[laid(np.array(rng.standard_normal(shape), np.float32), of_params) for shape in shapes] for _ in range(3)]
    args[1] = [laid(each, of_grads) for each in args[1]]
    args[2] = [np.abs(each, out=each) for each in args[2]]
    settings_ = {"lr": 0.1, "lr_decay": 0.5, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}
    results = []
    before, vectorised.PIECE = vectorised.PIECE, piece
    try:
        for name in (*IMPLEMENTATIONS, "reference"):
            x, g, v = copy.deepcopy(args)
            with kernels.use(update=name):
                update.adagrad(x, g, v, range(1, len(x) + 1), **settings_)
                norm = update.norm(g)
                update.clip_norm(g, norm, 0.5)
                update.clip_value(x, 0.3)
            results.append(([*x, *v], g, norm))
    finally:
        vectorised.PIECE = before
    for arrays, _, norm in results[:-1]:
        assert all(np.array_equal(a, b) for a, b in zip(arrays, results[-1][0], strict=True))
        assert abs(norm - results[-1][2]) <= update.tolerance("norm", args[1], 2.0)[0]


@each_implementation
@pytest.mark.parametrize("count", [0, 2])
def test_adam_where_no_array_lies_without_gaps(name: str, count: int) -> None:
    """Steps that differ, and no array for the compiled loops: all have gaps, or there is none."""
    way = next(way for way in WAYS if way.function == "adam")
    rng = np.random.default_rng(2)
    args: list[Any] = [[np.abs(rng.standard_normal((3, 8)))[:, ::2] for _ in range(count)] for _ in range(4)]
    args += [(), range(1, count + 1)]
    want = expected(way, args)
    assert_bits(run(name, way, args), want)


# ---------------------------------------------------------------------- the norm


@each_implementation
@pytest.mark.parametrize("order", [2.0, 1.0, 3.0, 0.5, 0.0, -2.0, INF, -INF])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norm(name: str, order: float, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    grads = [rng.standard_normal(shape).astype(dtype) for shape in ((40_000,), (3, 5), (), (0, 4), (130, 130))]
    grads += [grads[-1].T, grads[-1][::2, 1::3]]
    flat = np.concatenate([np.abs(each.astype(np.float64)).reshape(-1) for each in grads])
    by_hand = {
        2.0: np.sqrt((flat**2).sum()), 0.0: float((flat != 0).sum()), INF: flat.max(), -INF: flat.min(),
    }.get(order)  # fmt: skip
    with kernels.use(update=name):
        found = update.norm(grads, order)
    assert found.dtype == np.float64 and found.shape == ()
    assert found == pytest.approx((flat**order).sum() ** (1 / order) if by_hand is None else by_hand, rel=1e-12)


@each_implementation
def test_norm_of_nothing_and_of_nan(name: str) -> None:
    with kernels.use(update=name):
        for order in (2.0, 0.0, 1.0, INF, -INF):
            assert update.norm([], order) == update.norm([np.zeros((0, 3))], order) == 0
        for order in (2.0, 1.0, INF):
            assert np.isnan(update.norm([np.array([1.0, NAN, 2.0]), np.ones(3)], order))
        assert update.norm([np.array([1.0, -INF])]) == INF
        assert update.norm([np.full(3, 1e30, np.float32)]) == pytest.approx(3**0.5 * 1e30, rel=1e-6)  # no float32 sum


# ---------------------------------------------------------------------- threads and memory

SIZES = (70_000, 5, 30_001, 16_384, 16_385)


def large(seed: int, count: int) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [[rng.standard_normal(size).astype(np.float32) for size in SIZES] for _ in range(count)]


def test_bits_do_not_depend_on_threads() -> None:
    found = []
    for threads in (1, 2, 3):
        x, g, m, v = large(0, 4)
        v = [np.abs(each) for each in v]
        with thread_count(threads), kernels.use(update="cpu"):
            update.adam(x, g, m, v, (), [3] * 5, lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8)
            norm = update.norm(g)
            update.clip_norm(g, norm, 0.5)
        found.append([*x, *g, *m, *v, norm])
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_arrays_that_overlap_are_changed_one_after_the_other() -> None:
    memory = np.arange(90_000, dtype=np.float32)
    want = memory.copy()
    for part in (want[:60_000], want[30_000:]):
        part *= np.float32(0.5)
    with thread_count(2), kernels.use(update="cpu"):
        update.clip_norm([memory[:60_000], memory[30_000:]], np.array(2.0 - 1e-6), 1.0)
    assert np.array_equal(memory, want)


def test_a_step_allocates_no_temporaries() -> None:
    x, g, m, v = ([np.ones((1000, 1000), np.float32)] for _ in range(4))
    held = update.hold("adam", params=x, exp_avgs=m, exp_avg_sqs=v)
    with kernels.use(update="cpu"):

        def steps() -> None:
            update.adam(held[0], g, held[1], held[2], (), [1], lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8)
            update.clip_norm(g, update.norm(g), 0.5)

        steps()
        tracemalloc.start()
        steps()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20_000


@each_implementation
def test_strided_arrays_take_scratch_of_one_piece(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectorised, "PIECE", 1 << 12)
    x, g = np.ones((1 << 10, 1 << 10), np.float32), np.ones((1 << 10, 1 << 11), np.float32)[:, ::2]
    with kernels.use(update=name):
        update.sgd([x], [g], (), (), lr=0.5)  # compiles
        tracemalloc.start()
        update.sgd([x], [g], (), (), lr=0.25, weight_decay=0.0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 200_000 and (x == 0.25).all()


# ---------------------------------------------------------------------- what is kept between steps


def weights(count: int = 3) -> list[Any]:
    rng = np.random.default_rng(5)
    return [minigrad.from_numpy(rng.standard_normal((4, 3))).requires_grad_() for _ in range(count)]


def pull(params: list[Any], step: int) -> None:
    for place, p in enumerate(params):
        p.grad = minigrad.from_numpy(np.cos(np.arange(12.0) * (step + place)).reshape(4, 3))


def new_state(optimiser: Any, params: list[Any]) -> None:
    optimiser.state[params[0]]["exp_avg"] = minigrad.ones(4, 3, dtype=minigrad.float64)


def new_array_of_state(optimiser: Any, params: list[Any]) -> None:
    optimiser.state[params[1]]["exp_avg_sq"].array = np.full((4, 3), 0.5)


def new_weights(optimiser: Any, params: list[Any]) -> None:
    params[0].data = minigrad.zeros(4, 3, dtype=minigrad.float64)


def no_state(optimiser: Any, params: list[Any]) -> None:
    optimiser.state.clear()


def one_without_state(optimiser: Any, params: list[Any]) -> None:
    del optimiser.state[params[1]]


def more(optimiser: Any, params: list[Any]) -> None:
    params.append(minigrad.ones(4, 3, dtype=minigrad.float64).requires_grad_())
    optimiser.add_param_group({"params": params[-1:], "lr": 0.5})


def fewer(optimiser: Any, params: list[Any]) -> None:
    optimiser.param_groups[0]["params"].pop(1)


def another_order(optimiser: Any, params: list[Any]) -> None:
    optimiser.param_groups[0]["params"].reverse()


def largest_squares(optimiser: Any, params: list[Any]) -> None:
    optimiser.param_groups[0]["amsgrad"] = True


def loaded(optimiser: Any, params: list[Any]) -> None:
    optimiser.load_state_dict(copy.deepcopy(optimiser.state_dict()))


def other_settings(optimiser: Any, params: list[Any]) -> None:
    optimiser.param_groups[0].update(lr=0.3, betas=[0.5, 0.5], weight_decay=0.1)


def in_place(optimiser: Any, params: list[Any]) -> None:
    with minigrad.no_grad():
        params[0].zero_()
        optimiser.state[params[0]]["exp_avg"].fill_(2.0)


CHANGES = [
    new_state, new_array_of_state, new_weights, no_state, one_without_state, more, fewer, another_order, largest_squares,
    loaded, other_settings, in_place,
]  # fmt: skip


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_is_kept_does_not_outlive_a_change(name: str, change: Callable[[Any, list[Any]], None]) -> None:
    """The same walk by an optimiser that is copied, and so remembers nothing, before each step."""
    ends = []
    for forgets in (False, True):
        params = weights()
        adam = Adam(params, lr=0.1)
        with kernels.use(update=name):
            for step in range(6):
                pull(params, step)
                if step == 3:
                    change(adam, params)
                if forgets:
                    adam._batches = copy.copy(adam._batches)
                    assert not adam._batches._kept
                adam.step()
        ends.append([p.detach().numpy().copy() for p in params] + [adam.state[p]["step"] for p in params if adam.state[p]])
    for kept, fresh in zip(*ends, strict=True):
        assert np.array_equal(kept, fresh)


def test_parameters_without_a_gradient_are_left_alone() -> None:
    params = weights()
    for kind, settings_ in ((SGD, {"momentum": 0.9}), (Adam, {}), (RMSprop, {}), (Adagrad, {})):
        optimiser = kind(params, lr=0.1, **settings_)
        for missing in (0, 1, 2, 1, None):
            pull(params, 1)
            if missing is not None:
                params[missing].grad = None
            before = [(p._version, p.detach().numpy().copy()) for p in params]
            optimiser.step()
            for place, (p, (version, array)) in enumerate(zip(params, before, strict=True)):
                assert np.array_equal(p.detach().numpy(), array) == (place == missing)
                assert p._version == version + (place != missing)
    for p in params:
        p.grad = None
    optimiser.step()  # nothing to do


def test_two_dtypes_in_one_group() -> None:
    single, double, half = (
        minigrad.ones(3, dtype=dtype).requires_grad_() for dtype in (minigrad.float32, minigrad.float64, minigrad.float16)
    )
    optimiser = SGD([single, double, half], lr=0.1, momentum=0.5)
    for _ in range(2):
        for p in (single, double, half):
            p.grad = minigrad.ones(3, dtype=p.dtype)
        optimiser.step()
    assert double.tolist() == pytest.approx([0.75] * 3)
    assert [str(p.dtype) for p in (single, double, half)] == ["float32", "float64", "float16"]
    assert np.allclose(half.detach().numpy(), 0.75, rtol=2e-3) and np.allclose(single.detach().numpy(), 0.75)


def test_clipping_by_groups_of_dtype() -> None:
    params = [
        minigrad.ones(2, dtype=dtype).requires_grad_() for dtype in (minigrad.float32, minigrad.float64, minigrad.float16)
    ]
    for p in params:
        p.grad = minigrad.full((2,), 2.0, dtype=p.dtype)
    versions = [p.grad._version for p in params]
    assert minigrad.nn.utils.clip_grad_norm_(params, 1.0).item() == pytest.approx(24**0.5)
    for p in params:
        assert np.allclose(p.grad.numpy(), 2 / 24**0.5, rtol=2e-3)
    minigrad.nn.utils.clip_grad_value_(params, 0.25)
    assert [p.grad.tolist() for p in params] == [[0.25, 0.25]] * 3
    assert [p.grad._version for p in params] == [version + 2 for version in versions]


# ---------------------------------------------------------------------- refusals

X = np.ones(3)
READ_ONLY = np.ones(3)
READ_ONLY.flags.writeable = False
REFUSALS: list[tuple[Callable[[], Any], type[MinigradError], str]] = [
    (lambda: update.sgd([X], [[1.0]], (), (), lr=1), DTypeError, "grads[0]: expected an array of NumPy or CuPy, got a list"),
    (lambda: update.sgd(["x"], [X], (), (), lr=1), DTypeError, "params[0]: expected an array"),
    (lambda: update.sgd([X], [X, X], (), (), lr=1), ShapeError, "grads: expected 1 arrays, as there are params, got 2"),
    (lambda: update.sgd([X], [np.ones(4)], (), (), lr=1), ShapeError, "(4,) of a parameter of shape (3,)"),
    (lambda: update.sgd([X], [X.astype("f")], (), (), lr=1), DTypeError, "grads[0]: expected float64, as the first has"),
    (lambda: update.sgd([X, X.astype("f")], [X, X], (), (), lr=1), DTypeError, "params[1]: expected float64"),
    (lambda: update.sgd([X.astype(int)], [X.astype(int)], (), (), lr=1), DTypeError, "expected float32 or float64, got int64"),
    (lambda: update.sgd([X.astype("e")], [X.astype("e")], (), (), lr=1), DTypeError, "got float16"),
    (lambda: update.sgd([READ_ONLY], [X], (), (), lr=1), ArgumentError, "params[0]: expected memory that may be written"),
    (lambda: update.sgd([np.broadcast_to(X, (2, 3))], [np.ones((2, 3))], (), (), lr=1), ArgumentError, "read-only or expanded"),
    (lambda: update.sgd([X], [X], (), (), lr="fast"), ArgumentError, "sgd: lr: expected a number, got 'fast'"),
    (lambda: update.sgd([X], [X], (), (), lr=1, nesterov=1), DTypeError, "nesterov: expected True or False"),
    (lambda: update.sgd([X], [X], (), (), lr=1, momentum=0.9), ArgumentError, "0 and 0 with momentum 0.9"),
    (lambda: update.sgd([X], [X], [X], (), lr=1, momentum=0.9), ArgumentError, "1 and 0 with momentum 0.9"),
    (lambda: update.sgd([X], [X], [X], [True], lr=1), ArgumentError, "one for each parameter if there is momentum"),
    (lambda: adam(exp_avgs=()), ShapeError, "exp_avgs: expected 1 arrays"),
    (lambda: adam(exp_avgs=[X, X]), ShapeError, "exp_avgs: expected 1 arrays, as there are parameters, or none, got 2"),
    (lambda: adam(exp_avgs=[np.ones(2)]), ShapeError, "exp_avgs[0]: expected shape (3,), as its parameter has, got shape (2,)"),
    (lambda: adam(exp_avgs=[np.ones(3, "f")]), DTypeError, "exp_avgs[0]: expected float64"),
    (lambda: adam(steps=[0]), ArgumentError, "steps: expected 1 whole numbers, 1 or more"),
    (lambda: adam(steps=[1, 2]), ArgumentError, "got [1, 2]"),
    (lambda: adam(steps=[1.5]), ArgumentError, "got [1.5]"),
    (lambda: update.lerp([X], [np.ones(2)], weight=0.5), ShapeError, "currents[0]"),
    (lambda: update.norm([X, X.astype("f")]), DTypeError, "grads[1]: expected float64"),
    (lambda: update.norm([X], "two"), ArgumentError, "norm: order: expected a number"),
    (lambda: update.clip_norm([READ_ONLY], np.array(1.0), 1.0), ArgumentError, "may be written"),
    (lambda: update.clip_norm([X], np.ones(1), 1.0), ShapeError, "no dimensions, got (1,)"),
    (lambda: update.clip_norm([X], 1.0, 1.0), ShapeError, "no dimensions, got 1.0"),
    (lambda: update.clip_value([X], -1), ArgumentError, "bound: expected 0 or more, got -1.0"),
    (lambda: update.clip_value([X], NAN), ArgumentError, "got nan"),
]


def adam(**changed: Any) -> None:
    args = {"exp_avgs": [X], "exp_avg_sqs": [X], "max_exp_avg_sqs": (), "steps": [1], **changed}
    update.adam([X], [X], *args.values(), lr=0.1, beta1=0.9, beta2=0.9, eps=0.1)


@pytest.mark.parametrize(("call", "error", "words"), REFUSALS, ids=[row[2] for row in REFUSALS])
def test_refusal(call: Callable[[], Any], error: type[MinigradError], words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)
    assert (X == 1).all()


def test_gradients_that_may_not_be_written_are_refused_by_clipping() -> None:
    w = minigrad.zeros(2, 3).requires_grad_()
    w.grad = minigrad.ones(3).expand(2, 3)
    with pytest.raises(ArgumentError, match="may be written"):
        minigrad.nn.utils.clip_grad_norm_(w, 0.1)
    SGD([w], lr=1.0).step()  # which only reads them
    assert (w.detach().numpy() == -1).all()


def test_a_wrong_kernel_is_found_in_training() -> None:
    def sgd(params: Any, grads: Any, momentum_buffers: Any, first: Any, **settings_: Any) -> None:
        for x, g in zip(params, grads, strict=True):
            x -= settings_["lr"] * g * 1.0001

    kernels.register("update", "mine", sgd=sgd)
    try:
        w = weights(1)
        pull(w, 1)
        with kernels.use(update="mine"):
            SGD(w, lr=0.1).step()  # unnoticed
            with kernels.checking(), pytest.raises(KernelError, match=r"argument 0, as written\[0\] at index \(0, 0\)"):
                SGD(w, lr=0.1).step()
    finally:
        kernels.unregister("update", "mine")


def test_sparse_gradients_keep_their_road() -> None:
    table = minigrad.ones(4, 2, dtype=minigrad.float64).requires_grad_()
    dense = minigrad.ones(3, dtype=minigrad.float64).requires_grad_()
    for kind in (SGD, Adagrad):
        optimiser = kind([table, dense], lr=0.5)
        minigrad.nn.functional.embedding(minigrad.tensor([1]), table, sparse=True).sum().backward()
        dense.grad = minigrad.ones(3, dtype=minigrad.float64)
        versions = table._version, dense._version
        optimiser.step()
        assert (table._version, dense._version) == (versions[0] + 1, versions[1] + 1)
        table.grad = None
    assert (table.detach().numpy()[[0, 2, 3]] == 1).all() and (table.detach().numpy()[1] < 0.5).all()
    assert (dense.detach().numpy() < 0.51).all()
    with pytest.raises(GradError, match="a sparse one"):
        minigrad.nn.functional.embedding(minigrad.tensor([1]), table, sparse=True).sum().backward()
        Adam([table]).step()
