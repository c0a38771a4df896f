"""Steps on some rows of an embedding's table, to be timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, normal

SHAPES = ((8000, 256, 2000), (50000, 256, 1000))  # V rows of D numbers, K of them named
BRIEF = SHAPES[0]
SETTINGS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1, "maximize": False},
    "adagrad": {"lr": 0.01, "eps": 1e-10, "maximize": False},
    "adam": {"size": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "maximize": False},
}
STATES = {"sgd": 0, "adagrad": 1, "adam": 2}


def ops() -> Iterator[Op]:
    """Each optimiser at each shape."""
    for v, d, k in SHAPES:
        for function, states in STATES.items():
            peer = {} if function == "adam" else {"torch": _torch(function)}  # its SparseAdam corrects for its own count
            yield Op(
                "row_update", function, f"{k} of {v} x {d}", 0.0, 4.0 * k * d * (3 + 2 * states), _draw(function, v, d, k),
                _draw(function, 50, d, 20), _rows, peer, brief=(v, d, k) == BRIEF and function == "adam",
            )  # fmt: skip


def _draw(function: str, v: int, d: int, k: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x, *states = (normal(rng, (v, d), dtype) for _ in range(1 + STATES[function]))
        states = [*states[:-1], *[abs(each) for each in states[-1:]]]  # the last one is of squares
        rows = np.sort(rng.permutation(v)[:k]).astype(np.int64)
        return Call((x, rows, normal(rng, (k, d), dtype), *states), SETTINGS[function])

    return draw


def _rows(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """A part of the table with the rows named there, and some that are not."""
    x, rows, grads, *states = call.args
    first = int(rng.integers(len(rows)))
    named = slice(first, first + 3)
    low, high = int(rows[first]), min(int(rows[named][-1]) + 2, len(x))
    named = slice(first, int(np.searchsorted(rows, high)))
    part = slice(low, high)
    args = (x[part], rows[named] - low, grads[named], *[each[part] for each in states])
    return Call(args, call.kwargs), [None, *[each[part] for each in results[1:]]]


def _torch(function: str) -> Callable[[Any, Call], Callable[[], Any]]:
    def peer(torch: Any, call: Call) -> Callable[[], Any]:
        x, rows, grads, *states = (torch.from_numpy(each.copy()) for each in call.args)
        torch.sparse.check_sparse_tensor_invariants.disable()  # as it is by itself, with a warning
        x.requires_grad_(True)
        x.grad = torch.sparse_coo_tensor(rows[None], grads, x.shape, is_coalesced=True, check_invariants=False)
        words = {name: value for name, value in call.kwargs.items() if name != "maximize"}
        optimizer = {"sgd": torch.optim.SGD, "adagrad": torch.optim.Adagrad}[function]([x], **words)
        if states:
            optimizer.state[x] = {"step": torch.tensor(0.0), "sum": states[0]}

        def step() -> Any:
            optimizer.step()
            return (None, x, *states)

        return step

    return peer
