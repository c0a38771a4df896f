"""Recurrent networks over a whole packed batch, one layer and one direction at once: LSTM, GRU and the plain network.

The first derivative is the kernels' own. While a backward pass is recorded, the definitions of ``cells.py`` run on Tensors in
their place, for derivatives of any order. A batch of one step shares its weights with the graph's other steps: see
``step_weights.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad.core import tape
from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor
from minigrad.kernels import gru as gru_kernel
from minigrad.kernels import lstm as lstm_kernel
from minigrad.kernels import rnn as rnn_kernel
from minigrad.kernels.recurrence import all_before, last
from minigrad.ops.cells import State, Step, Weights, composed, gru_step, lstm_step, relu_step, tanh_step
from minigrad.ops.contraction import product
from minigrad.ops.named_rows import NamedRows, named_rows
from minigrad.ops.step_weights import Four, StepWeights, step_weights


class Plan:
    """What a call of a recurrent op is given besides Tensors."""

    __slots__ = ("batch_sizes", "named", "nonlinearity", "reverse", "shared", "single")

    def __init__(self, batch_sizes: Sequence[int], reverse: bool, nonlinearity: str = "tanh") -> None:
        self.batch_sizes, self.reverse, self.nonlinearity = batch_sizes, reverse, nonlinearity
        self.single = len(batch_sizes) == 1
        self.shared: StepWeights | None = None
        self.named: NamedRows | None = None

    def input(self, x: Array) -> tuple[Array, Array | None]:
        """The input as kernels take it: rows, or a table and which of its rows."""
        return (x, None) if self.named is None else (x[self.named.first], self.named.index)

    @property
    def memo(self) -> Any:
        return None if self.shared is None else self.shared.memo

    def last(self, values: Array, first: Array) -> Array:
        return last(values, first, self.batch_sizes, self.reverse)


class LSTM(Function):
    """i f o = σ(a), g = tanh(a) of a = W_ih x + b_ih + W_hh h + b_hh, c' = f c + i g, h' = o tanh c', over all steps.

    Back through them: dc += dh o (1 - tanh² c'), da = (dc g i (1 - i), dc c f (1 - f), dc i (1 - g²), dh tanh c' o (1 - o)),
    then dh = W_hhᵀ da, dc = dc f;  dx = W_ihᵀ da, dW_ih = Σ da xᵀ, dW_hh = Σ da hᵀ, db = Σ da.
    """

    def forward(
        ctx, x: Array, table: Any, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Any, b_hh: Any, ticket: Any, plan: Plan
    ) -> tuple:
        recorded, (rows, index) = any(ctx.edges), plan.input(x)
        y, cells, gates = lstm_kernel.forward(
            rows, plan.batch_sizes, h0, c0, w_ih, w_hh, b_ih, b_hh,
            reverse=plan.reverse, save=recorded, memo=plan.memo, index=index,
        )  # fmt: skip
        if recorded:
            ctx.plan, ctx._materialize = plan, False
            ctx.save_for_backward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, y, cells, gates)
        return (y, cells) if plan.single else (y, plan.last(y, h0), plan.last(cells, c0))

    def backward(ctx, *grads: Any) -> Any:
        x, h0, c0, w_ih, w_hh, b_ih, b_hh, y, cells, gates = ctx.saved_tensors
        plan, need, rows = ctx.plan, *_wanted(ctx)
        if mode.grad:
            return _by_definition(lstm_step, plan, [need[0], *need[2:]], (x, h0, c0, w_ih, w_hh, b_ih, b_hh), grads)
        dy, dh, dc = (grads[0], None, grads[1]) if plan.single else grads
        da, dh0, dc0, dx = lstm_kernel.backward(
            _array(dy), _array(dh), _array(dc), plan.batch_sizes, c0.array, w_ih.array, w_hh.array, cells.array, gates.array,
            reverse=plan.reverse, input_wanted=rows, memo=plan.memo,
        )  # fmt: skip
        dtable, weights = _weight_gradients(_lstm_products, plan, need[4:9], da, x, w_ih, h0, y, need[1])
        return _tensor(dx, rows), dtable, _tensor(dh0, need[2]), _tensor(dc0, need[3]), *weights, None


class GRU(Function):
    """r z = σ(W_i x + b_i + W_h h + b_h), m = W_hn h + b_hn, n = tanh(W_in x + b_in + r m), h' = n + z (h - n), over all steps.

    Back through them: da_n = dh (1 - z) (1 - n²), da_r = da_n m r (1 - r), da_z = dh (h - n) z (1 - z), dm = da_n r, then
    dh = dh z + W_hhᵀ (da_r, da_z, dm);  dx = W_ihᵀ da, dW_ih = Σ da xᵀ, dW_hh = Σ (da_r, da_z, dm) hᵀ, and so the biases.
    """

    def forward(
        ctx, x: Array, table: Any, h0: Array, w_ih: Array, w_hh: Array, b_ih: Any, b_hh: Any, ticket: Any, plan: Plan
    ) -> Any:
        recorded, (rows, index) = any(ctx.edges), plan.input(x)
        y, gates = gru_kernel.forward(
            rows, plan.batch_sizes, h0, w_ih, w_hh, b_ih, b_hh,
            reverse=plan.reverse, save=recorded, memo=plan.memo, index=index,
        )  # fmt: skip
        if recorded:
            ctx.plan, ctx._materialize = plan, False
            ctx.save_for_backward(x, h0, w_ih, w_hh, b_ih, b_hh, y, gates)
        return y if plan.single else (y, plan.last(y, h0))

    def backward(ctx, *grads: Any) -> Any:
        x, h0, w_ih, w_hh, b_ih, b_hh, y, gates = ctx.saved_tensors
        plan, need, rows = ctx.plan, *_wanted(ctx)
        if mode.grad:
            return _by_definition(gru_step, plan, [need[0], *need[2:]], (x, h0, w_ih, w_hh, b_ih, b_hh), grads)
        dy, dh = (*grads, None)[:2]
        da, dh0, dx = gru_kernel.backward(
            _array(dy), _array(dh), plan.batch_sizes, h0.array, w_ih.array, w_hh.array, y.array, gates.array,
            reverse=plan.reverse, input_wanted=rows, memo=plan.memo,
        )  # fmt: skip
        dtable, weights = _weight_gradients(_gru_products, plan, need[3:8], da, x, w_ih, h0, y, need[1])
        return _tensor(dx, rows), dtable, _tensor(dh0, need[2]), *weights, None


class RNN(Function):
    """h' = f(W_ih x + b_ih + W_hh h + b_hh), f = tanh or relu, over all steps.

    Back through them: da = dh f'(h'), dh = W_hhᵀ da;  dx = W_ihᵀ da, dW_ih = Σ da xᵀ, dW_hh = Σ da hᵀ, db = Σ da.
    """

    def forward(
        ctx, x: Array, table: Any, h0: Array, w_ih: Array, w_hh: Array, b_ih: Any, b_hh: Any, ticket: Any, plan: Plan
    ) -> Any:
        rows, index = plan.input(x)
        y = rnn_kernel.forward(
            rows, plan.batch_sizes, h0, w_ih, w_hh, b_ih, b_hh,
            nonlinearity=plan.nonlinearity, reverse=plan.reverse, memo=plan.memo, index=index,
        )  # fmt: skip
        if any(ctx.edges):
            ctx.plan, ctx._materialize = plan, False
            ctx.save_for_backward(x, h0, w_ih, w_hh, b_ih, b_hh, y)
        return y if plan.single else (y, plan.last(y, h0))

    def backward(ctx, *grads: Any) -> Any:
        x, h0, w_ih, w_hh, b_ih, b_hh, y = ctx.saved_tensors
        plan, need, rows = ctx.plan, *_wanted(ctx)
        if mode.grad:
            step = tanh_step if plan.nonlinearity == "tanh" else relu_step
            return _by_definition(step, plan, [need[0], *need[2:]], (x, h0, w_ih, w_hh, b_ih, b_hh), grads)
        dy, dh = (*grads, None)[:2]
        da, dh0, dx = rnn_kernel.backward(
            _array(dy), _array(dh), plan.batch_sizes, h0.array, w_ih.array, w_hh.array, y.array,
            nonlinearity=plan.nonlinearity, reverse=plan.reverse, input_wanted=rows, memo=plan.memo,
        )  # fmt: skip
        dtable, weights = _weight_gradients(_rnn_products, plan, need[3:8], da, x, w_ih, h0, y, need[1])
        return _tensor(dx, rows), dtable, _tensor(dh0, need[2]), *weights, None


def _array(grad: Tensor | None) -> Array | None:
    return None if grad is None else grad.array


def _tensor(array: Array | None, wanted: bool) -> Tensor | None:
    return Tensor._wrap(array) if wanted and array is not None else None


def _wanted(ctx: Any) -> tuple[list[bool], bool]:
    """What is wanted of a step back: of each argument, the table's with them; and whether the input's rows go that way at all.

    The gradient goes to the table at once, in place of its rows, which are what it would be summed from; unless somebody looks
    at the rows' gradient on its way, or records it.
    """
    need = list(ctx.needs_input_grad)
    direct = need[0] and need[1] and not mode.grad and not ctx.plan.named.watched
    need[1] = direct
    return need, need[0] and not direct


def _weight_gradients(
    products: Callable[..., Four], plan: Plan, need: Sequence[bool], da: Array, x: Tensor, w_ih: Tensor, h0: Tensor,
    y: Tensor, direct: bool,
) -> tuple[Any, tuple[Any, ...]]:  # fmt: skip
    """That of the table, and those of W_ih, W_hh, b_ih, b_hh and the ticket; or the ticket's alone, which stands for them."""
    if need[4] and plan.shared is not None and plan.shared.gathers:
        return None, (None, None, None, None, plan.shared.leave(da, x.array, h0.array))
    if plan.single:
        h = h0.array
    else:  # as good as any other where it is not wanted
        h = all_before(y.array, h0.array, plan.batch_sizes, plan.reverse) if need[1] else y.array
    if plan.named is None:
        return None, (*[_tensor(grad, True) for grad in products(need, da, x.array, h)], None)
    dtable = dw_ih = None
    if direct or need[0]:
        sums = plan.named.sums(da[:, : len(w_ih.array)])  # the input's columns of da come first
        dtable = _tensor(plan.named.gradient(sums, w_ih.array), True) if direct else None
        dw_ih = product(sums.T, x.array[plan.named.first]) if need[0] else None
    others = products((False, *need[1:4]), da, x.array, h)[1:]
    return dtable, (*[_tensor(grad, True) for grad in (dw_ih, *others)], None)


def _plain_products(kernel: Any, need: Sequence[bool], da: Array, x: Array, h: Array) -> Four:
    """The gradients of W_ih, W_hh, b_ih, b_hh where all gates see the same sum of input and state."""
    dw_ih, dw_hh, db = kernel.grad_weights(da, x, h, input_wanted=need[0], state_wanted=need[1])
    return dw_ih, dw_hh, db if need[2] else None, (db.copy() if need[2] else db) if need[3] else None


def _lstm_products(need: Sequence[bool], da: Array, x: Array, h: Array) -> Four:
    return _plain_products(lstm_kernel, need, da, x, h)


def _rnn_products(need: Sequence[bool], da: Array, x: Array, h: Array) -> Four:
    return _plain_products(rnn_kernel, need, da, x, h)


def _gru_products(need: Sequence[bool], da: Array, x: Array, h: Array) -> Four:
    """The same, where the columns of da are da_r, da_z, da_n for the input's side, and da_r, da_z, dm for the state's."""
    size = h.shape[1]
    dw_ih, dw_hh, db = gru_kernel.grad_weights(da, x, h, input_wanted=need[0], state_wanted=need[1])
    of_state = array_module(db).concatenate((db[: 2 * size], db[3 * size :])) if need[3] else None
    return dw_ih, dw_hh, db[: 3 * size].copy() if need[2] else None, of_state


def _by_definition(
    step: Step, plan: Plan, need: Sequence[bool], given: tuple[Tensor | None, ...], grads: tuple[Tensor | None, ...]
) -> tuple[Any, ...]:
    """The gradients of all that was given, through the composed definition, recorded for derivatives of higher order.

    A table takes no part: the gradient goes to its rows. Each input is seen through an alias, as one of them may have been made
    from another: what leads from one to the other is not this op's to follow.
    """
    inputs = [one.view_as(one) if one is not None and need[place] else one for place, one in enumerate(given)]
    x, *rest = inputs
    state, weights = tuple(rest[:-4]), Weights(*rest[-4:])  # type: ignore[arg-type]
    y, last_state = composed(step, x, plan.batch_sizes, state, weights, plan.reverse)  # type: ignore[arg-type]
    outputs = last_state if plan.single else (y, *last_state)
    roots = [(output, grad) for output, grad in zip(outputs, grads, strict=True) if grad is not None and output.requires_grad]
    goals = [one for place, one in enumerate(inputs) if one is not None and need[place]]
    tape.backward(*(list(each) for each in zip(*roots)), retain_graph=True, create_graph=True, inputs=goals)
    results = [one._grad if one is not None and need[place] else None for place, one in enumerate(inputs)]
    return results[0], None, *results[1:], None, None


PRODUCTS: dict[type[Function], Callable[..., Four]] = {LSTM: _lstm_products, GRU: _gru_products, RNN: _rnn_products}

# ---------------------------------------------------------------------- what the layers call


def _run(
    kind: type[Function],
    step: Step,
    input: Tensor,
    batch_sizes: Sequence[int],
    state: State,
    weights: Weights,
    reverse: bool,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, State]:
    if weights.weight_hr is not None or input.array.dtype.itemsize < 4:  # what the kernels do not take
        return composed(step, input, batch_sizes, state, weights, reverse)
    plan = Plan(batch_sizes, reverse, nonlinearity)
    four: Four = weights[:4]
    ticket = table = None
    if plan.single:
        plan.shared = shared = step_weights(four, PRODUCTS[kind])
        if shared is not None:
            four, ticket = shared.weights, shared.ticket
    elif (found := named_rows(input)) is not None:
        plan.named, table = found
    results = kind.apply(input, table, *state, *four, ticket, plan)
    if not plan.single:
        return results[0], results[1:]
    return (results[0], results) if type(results) is tuple else (results, (results,))


def lstm(
    input: Tensor, batch_sizes: Sequence[int], state: State, weights: Weights, reverse: bool = False
) -> tuple[Tensor, State]:
    """An LSTM over a packed batch.

    A projection of its output (``weights.weight_hr``) is composed of other ops, and so is float16.

    Args:
        input: (rows, input size).
        batch_sizes: how many rows each step has; never more than the step before.
        state: h (B, H) and c (B, cell's size) to begin with.
        weights: of this layer and direction.
        reverse: go from each sequence's end to its beginning.

    Returns:
        The outputs (rows, H), in the order of the input's rows, and the last (h, c). After one step h is the outputs' Tensor.
    """
    return _run(LSTM, lstm_step, input, batch_sizes, state, weights, reverse)


def gru(
    input: Tensor, batch_sizes: Sequence[int], state: State, weights: Weights, reverse: bool = False
) -> tuple[Tensor, State]:
    """A GRU over a packed batch. See ``lstm``; the state is (h,)."""
    return _run(GRU, gru_step, input, batch_sizes, state, weights, reverse)


def rnn_tanh(
    input: Tensor, batch_sizes: Sequence[int], state: State, weights: Weights, reverse: bool = False
) -> tuple[Tensor, State]:
    """A plain recurrent network with tanh over a packed batch. See ``lstm``; the state is (h,)."""
    return _run(RNN, tanh_step, input, batch_sizes, state, weights, reverse)


def rnn_relu(
    input: Tensor, batch_sizes: Sequence[int], state: State, weights: Weights, reverse: bool = False
) -> tuple[Tensor, State]:
    """A plain recurrent network with relu over a packed batch. See ``lstm``; the state is (h,)."""
    return _run(RNN, relu_step, input, batch_sizes, state, weights, reverse, "relu")


__all__: list[str] = []
