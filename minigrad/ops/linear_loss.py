"""A linear layer and the cross entropy of its outputs as one op, which never has all the logits at once.

Of R rows and C classes the logits are R C numbers, and their gradient is as many: of a batch of sentences and a vocabulary of
words far more than all else. Both are made for some rows at a time, and are gone when these rows' losses and their share of
the gradients are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.core import tape
from minigrad.core.device import Array, array_module
from minigrad.core.refusals import refuse_mixed
from minigrad.core.sums import total
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels import softmax as kernel
from minigrad.ops.contraction import product
from minigrad.ops.dense import check_operands, linear
from minigrad.ops.loss import (
    CrossEntropy,
    check_reduction,
    class_numbers,
    class_weight,
    cross_entropy,
    left_out,
    over_weights,
    weighted_mean,
)
from minigrad.ops.operands import cast

LOGITS = 1 << 22  # that there are at a time: 16 MiB of float32

Given = tuple[Tensor, Tensor, Tensor | None]  # x, w, b


class _Rows:
    """How the rows go through, some at a time.

    Attributes:
        index: the class of each row; negative: the row counts for nothing.
        weight, smoothing: of ``cross_entropy``.
        step: rows at a time.
        counted: the numbers of the rows that count, where the others are passed over.
    """

    __slots__ = ("counted", "index", "smoothing", "step", "weight")

    def __init__(self, index: Array, weight: Array | None, smoothing: float, most: int, classes: int) -> None:
        self.index, self.weight, self.smoothing = index, weight, smoothing
        self.counted: np.ndarray | None = None
        if type(index) is np.ndarray and index.size and int(index.min()) < 0:  # a GPU would have to tell us how many they are
            self.counted = np.flatnonzero(index >= 0)
            self.index = index[self.counted]
        parts = -(-len(self.index) * classes // most) or 1
        self.step = max(1, -(-len(self.index) // parts))

    def taken(self, x: Array) -> Array:
        """The rows that go through."""
        return x if self.counted is None else x[self.counted]

    def put_back(self, rows: Array, count: int) -> Array:
        """What was made of them among zeros for the others, ``count`` rows in all."""
        if self.counted is None:
            return rows
        whole = np.zeros((count, *rows.shape[1:]), rows.dtype)
        whole[self.counted] = rows
        return whole

    def losses(self, x: Array, w: Array, b: Array | None) -> Iterator[tuple[slice, Array, Array, Array, Array]]:
        """Of each part: which rows, their logits, their losses, and greatest logit and log-sum for the way back."""
        for start in range(0, len(x), self.step):
            part = slice(start, start + self.step)
            logits = product(x[part], w.T, b)
            found = kernel.cross_entropy_forward(logits, self.index[part], self.weight, smoothing=self.smoothing)
            yield part, logits, *found


class _Gradients:
    """The gradients of x, w and b as they grow, part by part; ``None`` for one that is not wanted."""

    def __init__(self, need: Any, x: Array, w: Array, b: Array | None) -> None:
        xp = array_module(x)
        self.dx = xp.empty_like(x) if need[0] else None
        self.dw = xp.zeros_like(w) if need[1] else None
        self.db = xp.zeros_like(b) if need[2] else None

    def add(
        self, part: slice, dy: Array, logits: Array, rows: _Rows, x: Array, w: Array, greatest: Array, log_sum: Array
    ) -> None:
        d = kernel.cross_entropy_backward(
            dy, logits, rows.index[part], rows.weight, greatest, log_sum, smoothing=rows.smoothing
        )
        if self.dx is not None:
            self.dx[part] = product(d, w)
        if self.dw is not None:
            self.dw += product(d.T, x[part])
        if self.db is not None:
            self.db += total(d, (0,))


class LinearCrossEntropySum(Function):
    """y = Σ_r -log softmax(W x_r + b) at the class of r;  with d_r = p_r - [c = class]: dx_r = d_r W dy, dW = Σ d_r x_rᵀ dy,
    db = Σ d_r dy.

    With weights and label smoothing d is what ``CrossEntropy`` has. As dy is one number, the gradients are made on the way
    there, but for that factor, where each part's logits are at hand: no product is computed twice.
    """

    def forward(ctx, x: Array, w: Array, b: Array | None, rows: _Rows) -> Array:
        xp, need, count = array_module(x), [edge is not None for edge in ctx.edges[:3]], len(x)
        taken = rows.taken(x)
        made, losses = _Gradients(need, taken, w, b), xp.empty(len(taken), x.dtype)
        for part, logits, found, greatest, log_sum in rows.losses(taken, w, b):
            losses[part] = found
            if any(need):
                made.add(part, xp.ones(len(found), x.dtype), logits, rows, taken, w, greatest, log_sum)
        if any(need):
            ctx.rows = rows
            ctx.save_for_backward(x, w, b, None if made.dx is None else rows.put_back(made.dx, count), made.dw, made.db)
        return total(losses, (0,))

    def backward(ctx, dy: Tensor) -> Any:
        x, w, b, *made = ctx.saved_tensors
        if mode.grad:
            return *_by_definition((x, w, b), ctx.needs_input_grad, lambda losses: losses.sum(), dy, ctx.rows), None
        # 0 where no row counts: dy is infinite for the mean of none
        slope = array_module(dy.array).where((ctx.rows.index >= 0).any(), dy.array, 0).astype(dy.array.dtype)
        return *[Tensor._wrap(each.array * slope) if each is not None else None for each in made], None


class LinearCrossEntropy(Function):
    """y_r = -log softmax(W x_r + b) at the class of r, of each row;  with d_r = dy_r (p_r - [c = class]): dx_r = d_r W,
    dW = Σ d_r x_rᵀ, db = Σ d_r.

    With weights and label smoothing d is what ``CrossEntropy`` has. On the way back each part's logits are made anew.
    """

    def forward(ctx, x: Array, w: Array, b: Array | None, rows: _Rows) -> Array:
        xp, count = array_module(x), len(x)
        taken = rows.taken(x)
        losses, greatest, log_sum = (xp.empty(len(taken), x.dtype) for _ in range(3))
        for part, _, *found in rows.losses(taken, w, b):
            losses[part], greatest[part], log_sum[part] = found
        if any(ctx.edges):
            ctx.rows = rows
            ctx.save_for_backward(x, w, b, greatest, log_sum)
        return rows.put_back(losses, count)

    def backward(ctx, dy: Tensor) -> Any:
        x, w, b, greatest, log_sum = ctx.saved_tensors
        need, rows = ctx.needs_input_grad, ctx.rows
        if mode.grad:
            return *_by_definition((x, w, b), need, lambda losses: losses, dy, rows), None
        taken, slopes, bias = rows.taken(x.array), rows.taken(dy.array), None if b is None else b.array
        made = _Gradients(need, taken, w.array, bias)
        for start in range(0, len(taken), rows.step):
            part = slice(start, start + rows.step)
            logits = product(taken[part], w.array.T, bias)
            made.add(part, slopes[part], logits, rows, taken, w.array, greatest.array[part], log_sum.array[part])
        dx = None if made.dx is None else rows.put_back(made.dx, len(x.array))
        return *[None if each is None else Tensor._wrap(each) for each in (dx, made.dw, made.db)], None


def _by_definition(given: Given, need: Any, ending: Any, dy: Tensor, rows: _Rows) -> list[Tensor | None]:
    """The gradients through the ops that it consists of, recorded; each input is seen through an alias: see ``soft_window``."""
    inputs = [one.view_as(one) if one is not None and wanted else one for one, wanted in zip(given, need)]
    x, w, b = inputs
    index = rows.index
    if rows.counted is not None:
        index = np.full(len(x.array), -1)  # type: ignore[union-attr]
        index[rows.counted] = rows.index
    losses = CrossEntropy.apply(linear(x, w, b), index, rows.weight, rows.smoothing)  # type: ignore[arg-type]
    goals = [one for one, wanted in zip(inputs, need) if wanted]
    tape.backward([ending(losses)], [dy], retain_graph=True, create_graph=True, inputs=goals)
    return [one._grad if one is not None and wanted else None for one, wanted in zip(inputs, need)]


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    most: int = LOGITS,
) -> Tensor:
    """``cross_entropy(linear(input, linear_weight, linear_bias), target, ...)`` in bounded memory.

    No more than ``most`` logits are there at a time, however many rows and classes there are. Rows that are ignored cost
    nothing on the CPU. (PyTorch needs ``options=`` for that, and then takes neither label smoothing nor a second derivative.)

    Args:
        input: (N, in_features), or (in_features,) for one sample.
        linear_weight: (C, in_features).
        target: class numbers (N,); or probabilities (N, C), which are computed with all logits at once.
        linear_bias: (C,).
        weight, reduction, label_smoothing: see ``cross_entropy``.
        ignore_index: a class number that counts for nothing; ``None``: -100.
        most: logits at a time; a single row has all of its own.

    Raises:
        ShapeError, DTypeError, IndexingError: as ``linear`` and ``cross_entropy``.
        ArgumentError: as ``cross_entropy``, ``most`` below 1, or ``ignore_index`` with probabilities.

    Example:
        >>> import minigrad
        >>> x, w = minigrad.tensor([[1.0], [2.0], [0.0]]), minigrad.tensor([[0.0], [1000.0]])
        >>> minigrad.nn.functional.linear_cross_entropy(x, w, minigrad.tensor([1, 1, 0]), reduction="none")
        tensor([0.0000, 0.0000, 0.6931])
    """
    where = "linear_cross_entropy"
    check_operands(where, input, linear_weight, linear_bias, "linear_weight")
    x, w = input.array, linear_weight.array
    if w.ndim != 2 or not w.shape[0]:
        raise ShapeError(where, "linear_weight", "shape (C, in_features), C at least 1", f"shape {w.shape}")
    if x.ndim not in (1, 2) or x.shape[-1] != w.shape[1]:
        expected = f"shape (N, {w.shape[1]}) or ({w.shape[1]},), as linear_weight has {w.shape}"
        raise ShapeError(where, "input", expected, f"shape {x.shape}", "Flatten the dimensions before the last")
    if linear_bias is not None and linear_bias.array.shape != w.shape[:1]:
        raise ShapeError(where, "linear_bias", f"shape {w.shape[:1]}", f"shape {linear_bias.array.shape}")
    check_reduction(where, reduction)
    if isinstance(label_smoothing, bool) or not 0 <= label_smoothing <= 1:
        raise ArgumentError(where, "label_smoothing", "a number from 0 to 1", str(label_smoothing))
    if isinstance(most, bool) or not isinstance(most, (int, np.integer)) or most < 1:
        raise ArgumentError(where, "most", "how many logits there may be at a time, at least 1", repr(most))
    t = check_tensor(where, "target", target).array
    if t.dtype.kind == "f":
        if ignore_index is not None:
            raise ArgumentError(where, "ignore_index", "None with probabilities as target", str(ignore_index))
        logits = linear(input, linear_weight, linear_bias)
        return cross_entropy(logits, target, weight, reduction=reduction, label_smoothing=label_smoothing)
    if x.dtype == np.float16:  # sums of many numbers: in float32
        wide = linear_cross_entropy(
            input.float(), linear_weight.float(), target, linear_bias=None if linear_bias is None else linear_bias.float(),
            weight=weight, reduction=reduction, ignore_index=ignore_index, label_smoothing=label_smoothing, most=most,
        )  # fmt: skip
        return cast(wide, x.dtype)
    refuse_mixed(where, (input, linear_weight, linear_bias, target, weight))  # which of no rows would not be read
    class_weights = class_weight(where, weight, w.shape[0], x)
    single = x.ndim == 1
    if single:
        input, t = input.unsqueeze(0), t.reshape((1, *t.shape))
    index, kept = class_numbers(
        where, (len(t) if single else x.shape[0], w.shape[0]), t, -100 if ignore_index is None else ignore_index
    )
    rows = _Rows(left_out(index, kept), class_weights, float(label_smoothing), int(most), w.shape[0])
    if reduction == "none":
        losses = LinearCrossEntropy.apply(input, linear_weight, linear_bias, rows)
        return weighted_mean(losses, index, kept, class_weights, reduction, single)
    found: Tensor = LinearCrossEntropySum.apply(input, linear_weight, linear_bias, rows)
    return found if reduction == "sum" else over_weights(found, index, kept, class_weights)


__all__: list[str] = []
FUNCTIONAL = ("linear_cross_entropy",)
METHODS = ()
