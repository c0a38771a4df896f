"""Names that scripts of PyTorch's earlier days use, and ``cuda``'s questions on a machine without a GPU."""

from __future__ import annotations

from typing import Any

import pytest

import minigrad
from minigrad.errors import ArgumentError, DeviceError, DTypeError

KINDS = {
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "ByteTensor": "uint8",
    "BoolTensor": "bool",
}


def _programs(m: Any) -> list[Any]:
    """What one line each gives, as text without the module's name."""
    x = m.arange(6.0).reshape(2, 3)
    lines = []
    for name, dtype in KINDS.items():
        kind = getattr(m, name)
        made = kind([[1, 0]])
        lines += [made.tolist(), str(made.dtype).rpartition(".")[2], tuple(kind(2, 0, 3).shape), tuple(kind().shape)]
        lines += [
            isinstance(made, kind),
            isinstance(x, kind),
            made.type(),
            x.type(kind).type(),
            x.type(getattr(m, dtype)).type(),
        ]
    lines += [tuple(m.Tensor(2, 3).shape), tuple(m.Tensor(0).shape), tuple(m.Tensor().shape), m.Tensor([5]).tolist()]
    lines += [tuple(m.Tensor(x.size()).shape), m.Tensor(m.tensor([2, 3])).tolist(), m.LongTensor(x.long()).tolist()]
    lines += [x.type(f"{m.__name__}.LongTensor").tolist(), x.is_cuda, x.is_cpu, x.get_device()]
    lines += [x.element_size(), x.nelement(), x.ndimension(), x.is_contiguous(), x.t().is_contiguous()]
    leaf = m.autograd.Variable(x, requires_grad=True)
    (grad,) = m.autograd.grad(outputs=(leaf * leaf).sum(), inputs=leaf, create_graph=True, retain_graph=True, only_inputs=True)
    lines += [grad.tolist(), x.requires_grad, leaf.data_ptr() == x.data_ptr(), m.cuda.is_available(), m.cuda.device_count()]
    m.manual_seed(3)
    m.cuda.manual_seed_all(5)
    m.cuda.manual_seed(5)
    m.cuda.empty_cache()
    lines += [m.initial_seed(), str(m.device("cuda" if m.cuda.is_available() else "cpu"))]
    return [line.replace(m.__name__, "m") if isinstance(line, str) else line for line in lines]


def test_older_names_give_what_the_new_ones_do() -> None:
    lines = _programs(minigrad)
    for at, (name, dtype) in enumerate(KINDS.items()):
        made = [[True, False]] if dtype == "bool" else [[1, 0]]
        same = dtype == "float32"
        assert lines[9 * at : 9 * at + 9] == [made, dtype, (2, 0, 3), (0,), True, same, f"m.{name}", f"m.{name}", f"m.{name}"]
    shapes = [(2, 3), (0,), (0,), [5.0], (2, 3), [2.0, 3.0], [[0, 1, 2], [3, 4, 5]], [[0, 1, 2], [3, 4, 5]]]
    where = minigrad.get_default_device()
    on_cpu = where.type == "cpu"
    rest: list[Any] = [where.type == "cuda", on_cpu, -1 if on_cpu else where.index or 0, 4, 6, 2, True, False]
    rest += [[[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]], False, True, False, 0, 3, "cpu"]
    assert lines[9 * len(KINDS) :] == shapes + rest


def test_what_is_not_there_is_said() -> None:
    x = minigrad.ones(2, requires_grad=True)
    with pytest.raises(ArgumentError, match="is_grads_batched"):
        minigrad.autograd.grad(x.sum(), x, is_grads_batched=True)
    with pytest.raises(DTypeError, match=r"type: dtype: .* 'CharTensor'"):
        x.type("CharTensor")
    for ask in (minigrad.cuda.current_device, minigrad.cuda.synchronize):
        with pytest.raises(DeviceError, match="cuda"):
            ask()


@pytest.mark.peer
def test_pytorch_gives_the_same() -> None:
    import torch

    ours, theirs = _programs(minigrad), _programs(torch)
    assert ours == theirs
