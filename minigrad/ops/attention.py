"""Attention: values averaged by how well their keys answer a query."""

from __future__ import annotations

import math
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import softmax as kernel
from minigrad.ops.beside import constant
from minigrad.ops.dropout import dropout
from minigrad.ops.softmax import SoftmaxInput


class MaskedSoftmax(Function):
    """y = e^(x + bias) / Σ e^(x + bias) along the last dimension, and 0 where the whole row is -inf;  dx = y (dy - Σ y dy).

    ``hidden`` names what takes no part. The gradient of bias, if it has one, is that of x.
    """

    def forward(ctx, x: Array, bias: Array | None, hidden: Array | None) -> Array:
        xp = array_module(x)
        if bias is not None:
            x = x + bias
        if hidden is not None:
            x = xp.where(hidden, constant(-math.inf, x.dtype, x), x)
        y = kernel.forward(x, x.ndim - 1, zeros=True)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        need_x, need_bias, _ = ctx.needs_input_grad
        dx = SoftmaxInput.apply(dy, y, y.array.ndim - 1)
        return dx if need_x else None, dx if need_bias else None, None


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(query keyᵀ scale + mask) value``.

    Args:
        query: (..., L, E).
        key: (..., S, E).
        value: (..., S, V).
        attn_mask: broadcasts to (..., L, S): truth values, true where a key takes part; or numbers, which are added. A row
            in which none takes part gives zeros.
        dropout_p: the probability with which an attention weight is left out. It is applied whenever it is above 0.
        is_causal: hide from each query the keys behind its own place. Not with ``attn_mask``.
        scale: ``1 / sqrt(E)`` by default.
        enable_gqa: key and value may have fewer heads (dimension -3), each of which serves several of the query's.

    Raises:
        ShapeError: shapes that do not fit.
        ArgumentError: ``attn_mask`` with ``is_causal``, or a ``dropout_p`` outside 0 to 1.
        DTypeError: several dtypes, or integers.

    Source: Vaswani and others, "Attention Is All You Need", equation 1.

    Example:
        >>> import minigrad
        >>> keys = minigrad.tensor([[100.0, 0.0], [0.0, 100.0]])
        >>> values = minigrad.tensor([[1.0], [2.0]])
        >>> minigrad.nn.functional.scaled_dot_product_attention(keys, keys, values)
        tensor([[1.],
                [2.]])
    """
    where = "scaled_dot_product_attention"
    q, k, v = (check_tensor(where, name, t).array for name, t in (("query", query), ("key", key), ("value", value)))
    for name, array in (("query", q), ("key", k), ("value", v)):
        if array.ndim < 2:
            raise ShapeError(where, name, "at least 2 dimensions (..., places, features)", f"shape {array.shape}")
        if array.dtype != q.dtype or q.dtype.kind != "f":
            expected = "a float dtype" if q.dtype.kind != "f" else f"{q.dtype}, as query has"
            raise DTypeError(where, name, expected, str(array.dtype), "Convert it with .to()")
    if k.shape[-1] != q.shape[-1] or v.shape[-2] != k.shape[-2]:
        name, expected = ("key", f"{q.shape[-1]} features, as query has {q.shape}")
        got = k.shape
        if k.shape[-1] == q.shape[-1]:
            name, expected, got = "value", f"{k.shape[-2]} places, as key has {k.shape}", v.shape
        raise ShapeError(where, name, expected, f"shape {got}")
    if is_causal and attn_mask is not None:
        raise ArgumentError(where, "attn_mask", "None with is_causal=True", "a mask", "Put both into the mask")
    if not 0 <= dropout_p <= 1:
        raise ArgumentError(where, "dropout_p", "a probability from 0 to 1", str(dropout_p))
    if enable_gqa:
        key, value = (_spread_heads(where, name, t, q) for name, t in (("key", key), ("value", value)))
    xp = array_module(q)
    bias = hidden = None
    if is_causal:
        hidden = xp.arange(k.shape[-2]) > xp.arange(q.shape[-2])[:, None]
    elif attn_mask is not None:
        mask = check_tensor(where, "attn_mask", attn_mask).array
        if mask.dtype.kind == "b":
            hidden = ~mask
        elif mask.dtype.kind == "f":
            bias = attn_mask
        else:
            raise DTypeError(where, "attn_mask", "truth values or floats", str(mask.dtype), "Convert it with .bool()")
    scores = (query * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)) @ key.transpose(-2, -1)
    if attn_mask is not None:
        _check_mask(where, mask.shape, scores.array.shape)
    weights = MaskedSoftmax.apply(scores, bias, hidden)
    if dropout_p > 0:
        weights = dropout(weights, dropout_p)
    return weights @ value


def _check_mask(where: str, mask: tuple[int, ...], scores: tuple[int, ...]) -> None:
    lead = len(scores) - len(mask)
    if lead < 0 or any(have not in (1, want) for have, want in zip(mask, scores[lead:], strict=True)):
        raise ShapeError(where, "attn_mask", f"a shape that broadcasts to {scores}", f"shape {mask}")


def _spread_heads(where: str, name: str, t: Tensor, q: Array) -> Tensor:
    """Repeat each head of key or value for the query's heads that it serves."""
    shape = t.array.shape
    if len(shape) < 3 or q.ndim < 3 or q.shape[-3] % shape[-3]:
        raise ShapeError(where, name, f"heads that divide those of query {q.shape}", f"shape {shape}")
    times = q.shape[-3] // shape[-3]
    if times == 1:
        return t
    wide = t.unsqueeze(-3).expand(*shape[:-2], times, *shape[-2:])
    return wide.reshape(*shape[:-3], q.shape[-3], *shape[-2:])


__all__: list[str] = []
FUNCTIONAL = ("scaled_dot_product_attention",)
METHODS = ()
