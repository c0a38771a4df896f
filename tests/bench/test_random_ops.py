"""Random numbers to be timed: their pieces, and arguments without arrays, which are drawn for each call."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad.bench.families.random import FEW, ops
from minigrad.bench.op import Op
from minigrad.bench.turns import Inputs, reference_results
from minigrad.kernels import contract_of

OPS = list(ops())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", OPS, ids=[op.name for op in OPS])
def test_a_piece_is_what_the_reference_gives_for_it(op: Op, dtype: type) -> None:
    rng, contract = np.random.default_rng(1), contract_of("random")
    for _ in range(4):
        call = op.small(rng, np.dtype(dtype))
        results = [getattr(contract, op.function)(*call.args)]
        assert results[0].shape[0] == FEW
        part, got = op.spot(call, results, rng)
        whole = op.function == "permutation"  # each place depends on all
        assert 0 < got[0].size < results[0].size or (whole and got[0].size == FEW)
        np.testing.assert_array_equal(got[0], reference_results(op, contract, part)[0])


def test_no_call_comes_twice() -> None:
    inputs = Inputs(OPS[0], np.dtype(np.float32), np.random.default_rng(2))
    calls = [call.args[:2] for _ in range(3) for call in inputs.fresh(5)]
    assert len(set(calls)) == 15
