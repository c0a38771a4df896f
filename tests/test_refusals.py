"""Mistakes of every kind that once ended in an error of Python's or NumPy's, were misread, or went on for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.errors import (
    ArgumentError,
    DTypeError,
    IndexingError,
    MinigradError,
    OutOfMemoryError,
    ShapeError,
)
from minigrad.utils import data

F, m = nn.functional, minigrad
x = m.ones(2, 3)
images = m.ones(1, 1, 4, 4)
indices = m.zeros(1, 1, 2, 2, dtype="int64")


def _sgd() -> Any:
    return m.optim.SGD([m.ones(2, requires_grad=True)], lr=0.1)


LR = m.optim.lr_scheduler
Row = tuple[Callable[[], Any], type[MinigradError], str]

ROWS: list[Row] = [
    # truth values are no dimensions and no sizes, and one-element lists no numbers
    (lambda: x.sum(True), DTypeError, "sum: dim: expected an integer, got True."),
    (lambda: x.transpose(False, True), DTypeError, "transpose: dim0: expected an integer, got False."),
    (lambda: m.zeros(2, True), DTypeError, "zeros: size: expected integers, got (2, True)."),
    (lambda: F.max_pool2d(images, True), ArgumentError, "max_pool2d: kernel_size: expected a whole number"),
    (lambda: nn.Conv2d(1, 1, True), DTypeError, "Conv2d: kernel_size: expected an integer, got True."),
    (lambda: F.pad(x, (True, 1)), ArgumentError, "pad: pad: expected an even count of whole numbers"),
    (lambda: F.pad(x, {}), DTypeError, "pad: pad: expected a sequence of integers, got {}."),
    (lambda: x.unflatten(1, 3), DTypeError, "unflatten: sizes: expected a sequence, got 3."),
    (lambda: x.unflatten(1, (None, 3)), DTypeError, "unflatten: sizes: expected integers, got (None, 3)."),
    (lambda: x.rot90(1, 0), DTypeError, "rot90: dims: expected a sequence, got 0."),
    (lambda: x.roll(np.array(1), np.array([])), DTypeError, "roll: dims: expected integers"),
    (lambda: x.stride("a"), DTypeError, "stride: dim: expected an integer, got 'a'."),
    (lambda: x.stride(2), IndexingError, "stride: dim: expected a number from -2 to 1, got 2."),
    (lambda: m.tensor(1.0).size(0), IndexingError, "size: dim: expected none, as the tensor has no dimensions, got 0."),
    # what is no Tensor, no number and no dtype
    (lambda: x == np.ones((2, 3)), DTypeError, "eq: other: expected a Tensor or a number, got numpy.ndarray."),
    (lambda: x != np.ones(2), DTypeError, "ne: other: expected a Tensor or a number, got numpy.ndarray."),
    (lambda: "a" in x, DTypeError, "in: element: expected a number or a Tensor, got str."),
    (lambda: m.clone(None), DTypeError, "clone: input: expected a Tensor, got NoneType."),
    (lambda: m.tensor([1.0, None], dtype="float32"), DTypeError, "tensor: data: expected numbers"),
    (lambda: m.tensor([1.0, {}]), DTypeError, "tensor: data: expected numbers"),
    (lambda: m.tensor(["1.5"], dtype="float32"), DTypeError, "tensor: data: expected numbers"),
    (lambda: x.cumsum(0, dtype=x), DTypeError, "cumsum: dtype: expected one of"),
    (lambda: m.set_default_dtype(None), DTypeError, "set_default_dtype: dtype: expected one of"),
    (lambda: m.promote_types(m.float32, None), DTypeError, "promote_types: dtype: expected one of"),
    (lambda: m.float_power(x, "2"), DTypeError, "float_power: exponent: expected a number, got str."),
    (lambda: m.normal(x, "1"), DTypeError, "normal: std: expected a number, got str."),
    (lambda: x.clone().bernoulli_("a"), DTypeError, "bernoulli_: p: expected a number, got str."),
    (lambda: x.clone().fill_(None), DTypeError, "fill_: value: expected a number that float32 holds, got None."),
    (lambda: x.clone().fill_("1.5"), DTypeError, "fill_: value: expected a number that float32 holds, got '1.5'."),
    (lambda: x.clone().__setitem__(0, None), DTypeError, "setitem: value: expected"),
    (lambda: nn.init.dirac_(m.ones(2, 2, 0)), ShapeError, "dirac_: tensor: expected a kernel with a middle"),
    (lambda: nn.init.trunc_normal_(x, float("inf")), ArgumentError, "trunc_normal_: a, b, std: expected a < b, std > 0"),
    (lambda: LR.OneCycleLR(_sgd(), "0.5", 10), DTypeError, "OneCycleLR: max_lr: expected a number, got '0.5'."),
    (lambda: F.gaussian_nll_loss(x, x, None), DTypeError, "gaussian_nll_loss: var: expected a number, got NoneType."),
    (lambda: F.interpolate(images, scale_factor="2"), DTypeError, "interpolate: scale_factor: expected a number, got str."),
    (lambda: nn.Upsample(scale_factor=[2, None]), DTypeError, "Upsample: scale_factor: expected a number, got NoneType."),
    (lambda: F.max_unpool2d(m.ones(1, 1, 2, 2), indices, 2, output_size=5), DTypeError, "output_size: expected a sequence"),
    (lambda: nn.utils.parameters_to_vector(None), DTypeError, "parameters_to_vector: parameters: expected a sequence"),
    (lambda: nn.utils.parameters_to_vector(["a"]), DTypeError, "parameters[0]: expected a Tensor, got str."),
    (lambda: nn.utils.vector_to_parameters(x, [3]), DTypeError, "parameters[0]: expected a Tensor, got int."),
    (lambda: nn.utils.clip_grad_norm_(3, 1.0), DTypeError, "clip_grad_norm_: parameters: expected a sequence, got 3."),
    (lambda: nn.utils.get_total_norm([x], "two"), ArgumentError, "norm_type: expected a number or 'inf', got 'two'."),
    (lambda: nn.utils.spectral_norm(x), DTypeError, "spectral_norm: module: expected a Module, got Tensor."),
    (lambda: nn.BatchNorm2d(3)(None), DTypeError, "BatchNorm2d: input: expected a Tensor, got NoneType."),
    (lambda: nn.ReflectionPad2d(1)([1.0]), DTypeError, "ReflectionPad2d: input: expected a Tensor, got list."),
    (lambda: nn.Bilinear(2, 3, 1)(None, x), DTypeError, "Bilinear: input1: expected a Tensor, got NoneType."),
    *[
        (lambda layer=layer: layer(None), DTypeError, "input: expected a Tensor, got NoneType.")
        for layer in (nn.Sigmoid(), nn.Tanh(), nn.Tanhshrink(), nn.Softmin(0), nn.Flatten(), nn.Unflatten(0, (1, 2)))
    ],
    (lambda: nn.Softmax2d()(x), ShapeError, "Softmax2d: input: expected (N, C, H, W) or (C, H, W), got shape (2, 3)."),
    (lambda: LR.MultiStepLR(_sgd(), 3), DTypeError, "MultiStepLR: milestones: expected a list of integers, got 3."),
    (lambda: LR.OneCycleLR(_sgd(), "a", 10), DTypeError, "OneCycleLR: max_lr: expected a number, got 'a'."),
    (lambda: LR.ReduceLROnPlateau(_sgd(), min_lr="a"), DTypeError, "ReduceLROnPlateau: min_lr: expected a number, got 'a'."),
    (lambda: data.BatchSampler(3, 2, False), DTypeError, "BatchSampler: sampler: expected a sampler"),
    (lambda: data.ConcatDataset(3), DTypeError, "ConcatDataset: datasets: expected a sequence, got 3."),
    (lambda: data.random_split([1, 2], ["a", 1]), DTypeError, "random_split: lengths: expected a number, got str."),
    (lambda: data.random_split([1, 2], [float("nan"), 1]), ArgumentError, "random_split: lengths: expected finite numbers"),
    (lambda: data.default_collate(3), DTypeError, "default_collate: batch: expected a list of samples, got a int."),
    (lambda: data.default_collate([]), ShapeError, "default_collate: batch: expected at least one sample, got none."),
    (lambda: data.default_collate([(1, 2), 3]), DTypeError, "the first holds a tuple, got a int in number 1."),
    (lambda: data.default_collate([{"a": 1}, {"b": 1}]), DTypeError, "keys of the first sample: 'a', got 'b' in number 1."),
    (lambda: nn.utils.rnn.pack_padded_sequence(m.ones(2, 1, 1), [[1], []]), DTypeError, "lengths: expected integers, one for"),
    # numbers out of range, not finite, or beyond all memory
    (lambda: m.allclose(x, x, atol=-1.0), ArgumentError, "isclose: atol: expected 0 or more, got -1.0."),
    (lambda: m.cosine_similarity(x, x, eps=float("nan")), ArgumentError, "cosine_similarity: eps: expected 0 or more"),
    (lambda: F.batch_norm(x, None, x[0], training=True), ArgumentError, "batch_norm: running_mean, running_var: expected both"),
    (lambda: F.batch_norm(x, x[0].long(), x[0].clone()), DTypeError, "batch_norm: running_mean: expected a float dtype"),
    (lambda: F.batch_norm(x, None, None, training=True, eps=-1.0), ArgumentError, "batch_norm: eps: expected 0 or more"),
    (lambda: F.lp_pool1d(x, 0, 2), ArgumentError, "lp_pool1d: norm_type: expected a number other than 0, got 0."),
    (lambda: F.softshrink(x, float("inf")), ArgumentError, "softshrink: lambd: expected a finite number of at least 0"),
    (lambda: F.rrelu(x, float("nan")), ArgumentError, "rrelu: lower: expected a finite number"),
    (lambda: nn.init.sparse_(m.ones(2, 2), float("nan")), ArgumentError, "sparse_: sparsity: expected a number from 0 to 1"),
    (lambda: LR.PolynomialLR(_sgd(), 5, -1.0), ArgumentError, "PolynomialLR: power: expected 0 or more"),
    (lambda: m.arange(0, 3, float("nan")), ArgumentError, "arange: step: expected a finite range"),
    (lambda: m.linspace(0, 1, 2**63), ArgumentError, "linspace: steps: expected a number from 0 to 2^40"),
    (lambda: F.interpolate(images, size=2**63), ArgumentError, "interpolate: size: expected sizes that memory holds"),
    (lambda: F.adaptive_avg_pool2d(images, 2**63), ArgumentError, "adaptive_avg_pool2d: output_size"),
    (lambda: x.tensor_split(2**63), ArgumentError, "tensor_split: indices_or_sections"),
    (lambda: x.chunk(2**63), ArgumentError, "chunk: chunks: expected at most 2^31"),
    (lambda: x.expand(10**13, 2, 3).clone(), OutOfMemoryError, "clone: sizes: expected sizes that memory holds"),
    (lambda: F.threshold(m.ones(2, dtype="uint8"), 0, -2), DTypeError, "threshold: operands: expected numbers that the dtype"),
    (lambda: m.index_put(x, (m.tensor([5]),), m.ones(3)), IndexingError, "index: expected indices from -2 to 1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), ROWS, ids=[row[2][:50] for row in ROWS])
def test_refusal_says_what_to_do(call: Callable[[], Any], error: type[MinigradError], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    refusal = caught.value
    assert all((refusal.where, refusal.argument, refusal.expected, refusal.got))


def test_what_looks_like_a_mistake_and_is_none() -> None:
    """As in PyTorch: difference upon difference of nothing, an empty batch, no samples to gather, decimals without end."""
    assert x.diff(2**62).shape == (2, 0)
    assert F.group_norm(m.ones(0, 4, 2), 2).shape == (0, 4, 2)
    assert m.gather(x, 1, m.zeros(0, 0, dtype="int64")).shape == (0, 0)
    assert x.round(decimals=400).tolist() == x.tolist()
    assert x.masked_fill(x > 0, 3).sum() == 18
    assert m.ones(300, dtype="uint8").sum_to_size(1).tolist() == [300]
    assert m.ones(2, dtype="uint8").masked_fill(m.tensor([True, False]), -2).tolist() == [254, 1]
    assert data.default_collate([("a", 1), ("b", 2)])[0] == ("a", "b")
    assert m.tensor([1, 2], dtype=float).tolist() == [1.0, 2.0]
