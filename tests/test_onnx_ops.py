"""Each op that is written in ONNX, as onnxruntime computes it and as it is computed here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from minigrad.core.tensor import Tensor
from minigrad.interop.onnx_export import compare, export
from minigrad.interop.onnx_graph import Input
from minigrad.interop.onnx_table import OPS
from minigrad.interop.tracing import trace
from tests.harness import outputs_of
from tests.onnx_rows import ROWS, TOGETHER, Drawn, Row

SIZES = st.integers(1, 5)
DRAWN = st.builds(Drawn, SIZES, SIZES, SIZES, st.integers(0, 3))


def flat(call: Callable[..., Any]) -> Callable[..., Any]:
    """A call whose results are a flat tuple."""
    return lambda *given: tuple(named(call(*given)).values())


def named(results: Any) -> dict[str, Any]:
    """Results by name: the first, second, ... of a row."""
    several = results if isinstance(results, dict) else {"y": results}
    return {f"{name} {at}": each for name, row in several.items() for at, each in enumerate(outputs_of(row))}


def state_of(call: Any) -> dict[str, Any]:
    return dict(call.state_dict()) if hasattr(call, "state_dict") else {}


def arrays(given: list[Input], seed: int = 0) -> list[np.ndarray]:
    return [each.draw({"N": 2, "T": 3, "U": 4}, np.random.default_rng(seed)) for each in given]


@pytest.mark.parametrize("row", [*TOGETHER, *ROWS], ids=[row.name for row in [*TOGETHER, *ROWS]])
@hypothesis.settings(max_examples=4, deadline=None, derandomize=True)
@hypothesis.given(drawn=DRAWN)
def test_an_op_is_what_it_is_here(row: Row, drawn: Drawn) -> None:
    call, given = row.called(drawn), row.given(drawn)
    outputs = [*named(call(*map(Tensor._wrap, arrays(given))))]
    made = export(flat(call), given, outputs, weights=state_of(call))
    free = dict.fromkeys(size for each in given for size in each.shape if isinstance(size, str))
    assert (made.sizes, made.fixed) == (tuple(free), {})
    found = compare(flat(call), made)
    assert len(found.sizes) == (3 if free else 1)


def test_every_op_of_the_table_has_a_row() -> None:
    seen = set()
    for row in [*TOGETHER, *ROWS]:
        for choice in (0, 1):
            drawn = Drawn(2, 3, 2, choice)
            call, given = row.called(drawn), row.given(drawn)
            names = [each.name for each in given]
            program = trace(flat(call), names, lambda sizes, run, given=given: arrays(given, run), (), state_of(call))  # type: ignore[misc]
            seen |= {step.kind for step in program.steps}
    assert {kind.__name__ for kind in OPS.keys() - seen} == set()
