"""Type promotion beside PyTorch's, over all pairs of dtypes, dimensions and Python numbers, in ``result_type`` and in ops."""

from __future__ import annotations

import pytest

import minigrad
from minigrad.errors import DTypeError
from tests import promotion

# Where we differ with intent: PyTorch computes truth values to the power True alone of all powers of truth values,
# does not clamp truth values by True, and does not take them in addcmul though they can be added and multiplied.
OURS = {
    ("pow", "bool row", "True"): "refused",
    ("pow", "bool none", "True"): "refused",
    ("clamp", "bool row", "True"): "bool",
    ("clamp", "bool none", "True"): "bool",
    **{("addcmul", f"bool {a}", f"bool {b}"): "bool" for a in ("row", "none") for b in ("row", "none")},
}


@pytest.fixture(scope="module")
def ours() -> dict[tuple[str, str, str], str]:
    return promotion.answers(minigrad)


@pytest.mark.parametrize("rule", promotion.RULES)
def test_dtype_is_the_recorded_one(rule: str, ours: dict[tuple[str, str, str], str]) -> None:
    expected = {key: dtype for key, dtype in (promotion.recorded() | OURS).items() if key[0] == rule}
    assert {key: dtype for key, dtype in ours.items() if key[0] == rule} == expected


@pytest.mark.peer
def test_dtype_is_pytorchs(ours: dict[tuple[str, str, str], str]) -> None:
    import torch

    assert ours == promotion.answers(torch) | OURS


def test_promotion_by_hand() -> None:
    row, single = minigrad.tensor([1], dtype=minigrad.uint8), minigrad.tensor(1.0, dtype=minigrad.float64)
    assert minigrad.result_type(row, 300) == minigrad.uint8  # a number of the same kind changes nothing
    assert minigrad.result_type(row, 1.0) == minigrad.get_default_dtype()
    assert minigrad.result_type(row, single) == minigrad.float64  # no dimensions, but a higher kind
    assert minigrad.result_type(minigrad.ones(1), single) == minigrad.float32  # of the same kind: dimensions win
    assert minigrad.promote_types(minigrad.int64, minigrad.float16) == minigrad.float16
    assert (row + single).dtype == minigrad.float64


def test_result_type_follows_the_default_dtype() -> None:
    minigrad.set_default_dtype(minigrad.float64)
    try:
        assert minigrad.result_type(minigrad.tensor([1]), 1.0) == minigrad.float64
        assert (minigrad.tensor([1]) / 2).dtype == minigrad.float64
        assert minigrad.exp(minigrad.tensor([1])).dtype == minigrad.float64
    finally:
        minigrad.set_default_dtype(minigrad.float32)


@pytest.mark.parametrize("source", promotion.DTYPES)
def test_can_cast_goes_up_in_kind_only(source: str) -> None:
    kinds = {"bool": 0, "uint8": 1, "int32": 1, "int64": 1, "float16": 2, "float32": 2, "float64": 2}
    for target in promotion.DTYPES:
        allowed = kinds[source] <= kinds[target]
        assert minigrad.can_cast(getattr(minigrad, source), getattr(minigrad, target)) is allowed


@pytest.mark.peer
def test_can_cast_and_promote_types_are_pytorchs() -> None:
    import torch

    for a in promotion.DTYPES:
        for b in promotion.DTYPES:
            ours, theirs = [[getattr(m, a), getattr(m, b)] for m in (minigrad, torch)]
            assert minigrad.can_cast(*ours) == torch.can_cast(*theirs)
            assert str(minigrad.promote_types(*ours)) == str(torch.promote_types(*theirs)).removeprefix("torch.")


def test_what_is_no_operand_is_refused() -> None:
    with pytest.raises(DTypeError, match="result_type: operand: expected a tensor or a number, got str"):
        minigrad.result_type(minigrad.ones(1), "1")
    with pytest.raises(DTypeError, match="can_cast: dtype"):
        minigrad.can_cast("complex64", minigrad.float32)
