"""Drawn sizes, 0 too, float32 and float64 in any memory: each implementation beside its reference, by the contract's bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from minigrad import kernels
from minigrad.kernels import activation, elementwise, layout, sums, update
from minigrad.kernels.activation.cases import WAYS as KINDS
from minigrad.kernels.native.budget import divided
from minigrad.kernels.sums import cpu as sums_cpu
from minigrad.kernels.sums import vectorised as sums_vectorised
from minigrad.kernels.update import vectorised as update_vectorised
from minigrad.kernels.update.cases import NUMBERS, PLACES, SQUARES, SWITCHES, WAYS

FAMILIES = ("elementwise", "sums", "activation", "update")
RUNGS = [(family, name) for family in FAMILIES for name in kernels.available(family, "cpu") if name != "reference"]

shapes = st.lists(st.integers(0, 9), max_size=4).map(tuple).filter(lambda shape: math.prod(shape) <= 150)  # references are slow
sides = st.sampled_from([0, 1, 2, 3, 17, 33, 40])
long_shapes = st.integers(1, 3).flatmap(lambda rank: st.tuples(*[sides] * rank))
dtypes = st.sampled_from([np.float32, np.float64])


@st.composite
def memories(draw: st.DrawFn) -> Callable[[np.ndarray], np.ndarray]:
    """A way to lay an array: axes in another order, gaps between the elements, some axes backwards; NaN in the gaps."""
    seed, step = draw(st.integers(0, 99)), draw(st.integers(1, 3))
    plain = draw(st.booleans())

    def laid(x: np.ndarray) -> np.ndarray:
        if plain or not x.ndim:
            return x.copy()
        rng = np.random.default_rng(seed)
        order = rng.permutation(x.ndim)
        sizes = [x.shape[axis] for axis in order]
        memory = np.full((*sizes[:-1], sizes[-1] * step), np.nan, x.dtype)[..., ::step]
        memory = memory[tuple(slice(None, None, rng.choice([-1, 1])) for _ in sizes)]
        view = memory.transpose(np.argsort(order))
        view[...] = x
        return view

    return laid


def numbers(shape: tuple[int, ...], dtype: Any, seed: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape) * 2).astype(dtype)


def lies_like(y: np.ndarray, x: np.ndarray) -> None:
    """See that a result's axes lie in memory in the order of x's, as those contracts promise."""
    want = layout.empty_like_layout(x)
    steps, wanted = ([step for step, count in zip(each.strides, x.shape, strict=True) if count > 1] for each in (y, want))
    assert steps == wanted or not x.size


def try_elementwise(data: st.DataObject) -> None:
    shape, dtype = data.draw(shapes), data.draw(dtypes)
    x, y = (data.draw(memories())(numbers(shape, dtype, seed)) for seed in range(2))
    lies_like(elementwise.add(x, y), x)
    lies_like(elementwise.multiply(x, y), x)
    elementwise.accumulate(x, y)


def try_sums(data: st.DataObject) -> None:
    shape, dtype = data.draw(long_shapes), data.draw(dtypes)
    axes = data.draw(st.sets(st.sampled_from(range(len(shape))), min_size=1))
    sums.total(data.draw(memories())(numbers(shape, dtype, 0)), tuple(axes))


def try_activation(data: st.DataObject) -> None:
    """Every kind in each of its ways; of few elements, as the reference takes them one by one."""
    shape, dtype = data.draw(shapes.filter(lambda shape: math.prod(shape) <= 40)), data.draw(dtypes)
    lay = data.draw(memories())
    x, dy, other = (data.draw(memories())(numbers(shape, dtype, seed)) for seed in range(3))
    for kind, ways in KINDS.items():
        for way in ways:
            y = activation.forward(x, kind, *way)
            lies_like(y, x)
            saved = x if activation.SAVES[kind] == "input" else lay(y)
            lies_like(activation.backward(dy, saved, kind, *way), saved)
    lies_like(activation.gate(x, np.asarray(other > 0), data.draw(st.sampled_from([1.0, 2.0]))), x)


def try_update(data: st.DataObject) -> None:
    """A step of several arrays by every optimiser in each of its ways, then the bounds of their gradients."""
    several, dtype = data.draw(st.lists(shapes, max_size=3)), data.draw(dtypes)
    of_params, of_grads, of_states = (data.draw(memories()) for _ in range(3))
    params, grads = ([lay(numbers(shape, dtype, seed)) for shape in several] for seed, lay in enumerate((of_params, of_grads)))

    def state(squares: bool, seed: int) -> list[np.ndarray]:
        drawn = [numbers(shape, dtype, seed) for shape in several]
        return [of_states(np.abs(each, out=each) if squares else each) for each in drawn]

    for function, _, present, other in WAYS:
        of_squares = SQUARES.get(function, ())
        states = [state(place in of_squares, place) if place in present else [] for place in range(PLACES[function])]
        last: tuple[Any, ...] = ()
        if function == "sgd":
            last = ([place % 2 == 0 for place in range(len(several))] if present else (),)
        elif function in ("adam", "adagrad"):
            last = (range(1, len(several) + 1),)
        settings = {**NUMBERS[function], **dict.fromkeys(SWITCHES.get(function, ("maximize",)), False), **other}
        getattr(update, function)(params, grads, *states, *last, **settings)
    update.lerp(params, grads, weight=0.25)
    total = update.norm(grads, data.draw(st.sampled_from([2.0, 1.0, 0.5, float("inf"), 0.0])))
    update.clip_norm(grads, np.asarray(total), 0.5)
    update.clip_value(grads, 0.3)


TRIALS: dict[str, Callable[[st.DataObject], None]] = {
    "elementwise": try_elementwise,
    "sums": try_sums,
    "activation": try_activation,
    "update": try_update,
}


@pytest.mark.parametrize(("family", "name"), RUNGS)
def test_beside_the_reference(family: str, name: str) -> None:
    """Work is divided into parts and blocks that are small, so that small arrays meet the ends of all of them."""

    @hypothesis.given(data=st.data(), parts=st.integers(1, 3))
    @hypothesis.settings(
        max_examples=100 if family in ("elementwise", "sums") else 25, deadline=None, derandomize=True, database=None
    )
    def tried(data: st.DataObject, parts: int) -> None:
        with kernels.use(**{family: name}), kernels.checking(), divided(parts):  # each call is compared with the reference's
            TRIALS[family](data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums_vectorised, "BLOCK", 24)
        for constant, value in (("RUN", 32), ("BLOCK", 64), ("WIDTH", 16), ("NARROW", 8)):
            patch.setattr(sums_cpu, constant, value)
        patch.setattr(update_vectorised, "PIECE", 5)
        tried()
