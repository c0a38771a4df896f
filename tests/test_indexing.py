"""Random indices and random sums of products, beside PyTorch and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.errors import IndexingError
from minigrad.ops import indexing


def random_index(rng: np.random.Generator, shape: tuple[int, ...]) -> list[Any]:
    """Anything that may stand in the brackets, arrays for index tensors and masks."""
    parts: list[Any] = []
    many = tuple(rng.integers(1, 4, rng.integers(1, 3)))  # the shape of all index arrays, but for sizes of 1
    axis, company = 0, True
    while axis < len(shape):
        size, kind = shape[axis], rng.integers(0, 6)
        if kind == 0:
            parts.append(int(rng.integers(-size, size)))
        elif kind == 1:
            low, high = rng.integers(-size - 1, size + 2, 2).tolist()
            parts.append(slice(low, high, int(rng.integers(1, 3))))
        elif kind == 2 and company and not any(isinstance(part, np.ndarray) for part in parts):
            width = int(rng.integers(1, len(shape) - axis + 1))
            parts.append(rng.random(shape[axis : axis + width]) < 0.6)
            axis += width - 1
            company = False  # how many a mask picks is left to chance, so that it goes with no other
        elif kind > 2 and company:
            parts.append(rng.integers(-size, size, tuple(1 if rng.random() < 0.2 else n for n in many)))
        else:
            parts.append(slice(None))
        axis += 1
    start, end = sorted(rng.integers(0, len(parts) + 1, 2).tolist())
    if rng.random() < 0.3:
        parts[start:end] = [...]
    elif rng.random() < 0.3:
        del parts[end:]
    for _ in range(rng.integers(0, 3)):
        parts.insert(int(rng.integers(0, len(parts) + 1)), None)
    return parts


def _as(module: Any, parts: list[Any]) -> tuple[Any, ...]:
    return tuple([module.from_numpy(part) if isinstance(part, np.ndarray) else part for part in parts])


@pytest.mark.peer
def test_random_indices_give_pytorchs_values_gradients_and_writes() -> None:
    import torch

    rng = np.random.default_rng(0)
    fancy = 0
    for _ in range(1500):
        shape = tuple(rng.integers(1, 5, rng.integers(1, 5)).tolist())
        parts = random_index(rng, shape)
        fancy += any(isinstance(part, np.ndarray) for part in parts)
        data = rng.standard_normal(shape)
        x, t = minigrad.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
        y, u = x[_as(minigrad, parts)], t[_as(torch, parts)]
        assert y.shape == tuple(u.shape), (shape, parts)
        weights = rng.standard_normal(tuple(y.shape))
        (y * minigrad.tensor(weights)).sum().backward()
        (u * torch.tensor(weights)).sum().backward()
        np.testing.assert_array_equal(y.detach().numpy(), u.detach().numpy())
        np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-12, atol=1e-12)
        a, b = x.detach().clone(), t.detach().clone()
        a[_as(minigrad, parts)] = 7.0
        b[_as(torch, parts)] = 7.0
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert fancy > 400


def test_random_sums_of_products_agree_with_numpys_and_with_differences() -> None:
    rng = np.random.default_rng(1)
    for _ in range(150):
        sizes = dict(zip("abcdef", rng.integers(1, 4, 6).tolist()))
        terms = ["".join(rng.choice(list(sizes), rng.integers(0, 4))) for _ in range(rng.integers(1, 5))]
        letters = sorted(set("".join(terms)))
        result = "".join(rng.permutation(letters)[: rng.integers(0, len(letters) + 1)]) if letters else ""
        equation = f"{','.join(terms)}->{result}"
        arrays = [rng.standard_normal([sizes[letter] for letter in term]) for term in terms]
        tensors = [minigrad.tensor(np.asarray(array), requires_grad=True) for array in arrays]
        ours, theirs = minigrad.einsum(equation, *tensors), np.einsum(equation, *arrays)
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-11, atol=1e-11, err_msg=equation)
        weights = rng.standard_normal(theirs.shape)
        (ours * minigrad.tensor(np.asarray(weights))).sum().backward()
        step = [rng.standard_normal(array.shape) for array in arrays]
        for tensor, array, direction in zip(tensors, arrays, step):  # linear in each operand: one difference is exact
            moved = [array + direction if other is array else other for other in arrays]
            change = float(((np.einsum(equation, *moved) - theirs) * weights).sum())
            np.testing.assert_allclose(float((tensor.grad.numpy() * direction).sum()), change, rtol=1e-8, atol=1e-9)


DISTINCT: dict[str, tuple[tuple[int, ...], list[int], bool]] = {  # shape, places along dimension 0, whether none is named twice
    "a permutation": ((5, 3), [3, 0, 4, 1, 2], True),
    "some": ((5, 3), [4, 1], True),
    "from the end": ((5, 3), [-1, 0, 2], True),
    "one": ((5,), [2], True),
    "none": ((5, 3), [], True),
    "twice": ((5, 3), [1, 4, 1], False),
    "twice, once from the end": ((5, 3), [4, -1], False),
    "more than there are": ((2, 3), [0, 1, 1, 0, 0], False),
}


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("case", DISTINCT)
def test_places_named_once_are_added_to_as_rows_with_the_same_bits(
    case: str, contiguous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, places, distinct = DISTINCT[case]
    rng = np.random.default_rng(0)
    values = rng.standard_normal((len(places), *shape[1:])).astype(np.float32)
    values[:1] = -0.0
    start = rng.standard_normal(shape).astype(np.float32, order="C" if contiguous else "F")
    index = np.array(places, np.int64)
    assert indexing._are_distinct(index, shape[0]) == distinct
    expected, found, one_by_one = (start.copy(order="K") for _ in range(3))
    np.add.at(expected, index, values)
    indexing.put(found, (indexing.HOLE,), (index,), values, accumulate=True)
    monkeypatch.setattr(indexing, "_are_distinct", lambda *_: False)
    indexing.put(one_by_one, (indexing.HOLE,), (index,), values, accumulate=True)
    assert expected.tobytes() == found.tobytes() == one_by_one.tobytes()


def test_the_gradient_of_rows_named_once_asks_for_no_list_of_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding one number after the other takes four times as long."""
    asked = []
    places = indexing._places
    monkeypatch.setattr(indexing, "_places", lambda *given: asked.append(given) or places(*given))
    for named in ([2, 0], [2, 2]):
        x = minigrad.ones(3, 2, requires_grad=True, device="cpu")
        rows = x.index_select(0, minigrad.tensor(named, device="cpu"))
        (rows * minigrad.tensor([1.0, 3.0], device="cpu")).sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == [[named.count(row), 3.0 * named.count(row)] for row in range(3)]
        assert len(asked) == (named == [2, 2])


def test_a_place_outside_that_is_named_once() -> None:
    with pytest.raises(IndexingError, match=r"indices from -3 to 2, as dimension 0 has size 3.* got 3"):
        places = minigrad.tensor([0, 3], device="cpu")
        minigrad.ones(3, device="cpu").index_put((places,), minigrad.ones(2, device="cpu"), accumulate=True)
