"""Random indices and random sums of products, beside PyTorch and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad


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
