"""Which ops of the tables copy between host and device or wait: those whose nature it is, and no other."""

from __future__ import annotations

import pytest

import minigrad
from minigrad.emulator import cupy as cp
from minigrad.emulator.cupy.traffic import Passage
from tests import harness
from tests.harness import Case

# The function that copies or waits, and why it must.
BY_NATURE = {
    "item": "a number is asked for",
    "settle": "what was in doubt is looked at where the host waits anyway",
    "allclose": "a truth value is asked for",
    "equal": "a truth value is asked for",
    "forward of cpu": "the tensor is moved",
    "as_array": "the data lies on the host",
    "_unwrap": "tensors among lists are read",
    "bincount": "the result is as long as the largest number says",
    "histc": "the bounds are those of the data, and what lies outside is left out",
    "unique": "the size of the result depends on the data",
    "unique_consecutive": "the size of the result depends on the data",
    "nonzero": "the size of the result depends on the data",
    "pick": "a mask: the size of the result depends on the data",
    "put": "a mask: how many places there are depends on the data",
    "<listcomp>": "masks beside index tensors: how many places there are depends on the data",
    "masked_scatter": "a mask: how many places there are depends on the data",
    "_part": "a list among the indices lies on the host; a tensor in a slice is asked for its number",
    "one_hot": "the number of classes is that of the data",
    "_shorten": "each row is shortened once: which are named?",
    "_spread_places": "the size of the result depends on the data",
    "remove_small_boxes": "the size of the result depends on the data",
    "ranks": "how many boxes there are of a group depends on the data",
    "kept": "how many boxes stay depends on the data",
    "_triangle_indices": "which places are in the triangle is found by nonzero",
    "mode": "where runs begin is found by nonzero",
    "forward of ScatterProd": "CuPy has no multiply.at: the product is made on the host",
    "<genexpr> of ScatterProd": "CuPy has no multiply.at: the product is made on the host",
    "beside": "tables of a map along one axis are copied when they are first used",
}


def reason(passage: Passage) -> str | None:
    """Why a copy or wait is right."""
    function = passage.place.partition("(")[2].rstrip(")")
    if "conversion.py" in passage.place:
        function += " of cpu"
    return BY_NATURE.get(f"{function} of {passage.op}") or BY_NATURE.get(function)


@pytest.mark.parametrize("family", harness.families(), ids=lambda each: each.__name__.rpartition(".")[2])
def test_no_op_copies_or_waits_but_by_its_nature(family: object) -> None:
    hidden: dict[str, str] = {}
    cases: list[Case] = family.CASES  # type: ignore[attr-defined]
    with minigrad.default_device("emulated"):
        for case in cases:
            inputs = harness.tensors(case.arrays())
            with cp.counted() as seen:
                outputs = [o for o in harness.outputs_of(case.call(minigrad, *inputs)) if isinstance(o, minigrad.Tensor)]
                roots = [o for o in outputs if o.requires_grad]
                if roots:
                    minigrad.autograd.backward(roots, [minigrad.ones_like(o) for o in roots])
            hidden |= {str(passage): case.name for passage in seen.passages if reason(passage) is None}
    assert not hidden, "\n".join(f"{name}: {passage}" for passage, name in hidden.items())
