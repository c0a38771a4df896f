"""Attention with several heads (Vaswani et al. 2017)."""

from __future__ import annotations

import math
from typing import Any

from minigrad.core.device import device_of
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.checks import check_counts, check_probability
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, empty_parameter
from minigrad.ops.creation import zeros
from minigrad.ops.parts import cat


class MultiheadAttention(Module):
    """Each query looks at all keys and takes a mean of their values, by ``num_heads`` measures side by side.

    head_i = softmax(Q_i K_i^T / sqrt(head_dim)) V_i, with Q, K, V projections of query, key and value; the heads, side by side,
    are projected once more (Vaswani et al. 2017, section 3.2.2).

    Args:
        embed_dim: E, of queries and output; ``num_heads`` divides it.
        num_heads: how many.
        dropout: of the attention weights, while training.
        bias: whether the projections have one.
        add_bias_kv: a learnt key and value more.
        add_zero_attn: a key and value of zeros more.
        kdim, vdim: the sizes of keys and values (default: E).
        batch_first: inputs and output are (N, L, E) in place of (L, N, E).

    Shapes: query (L, N, E), key (S, N, kdim), value (S, N, vdim), or all without N; output as query; attention weights
    (N, L, S), or (N, num_heads, L, S) where they are not averaged. Masks: ``key_padding_mask`` (N, S), ``attn_mask`` (L, S) or
    (N num_heads, L, S); True: do not look; floats are added before the softmax.

    Raises:
        ArgumentError, DTypeError: an argument out of range.
        ShapeError, DTypeError: when called, inputs or masks that do not fit.

    Example:
        >>> import minigrad
        >>> x = minigrad.ones(2, 5, 8)
        >>> output, weights = MultiheadAttention(8, 2, batch_first=True)(x, x, x)
        >>> output.shape, weights.shape
        (minigrad.Size([2, 5, 8]), minigrad.Size([2, 5, 5]))
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None
    out_proj: Linear

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        where = "MultiheadAttention"
        check_counts(where, 1, embed_dim=embed_dim, num_heads=num_heads)
        check_probability(where, dropout, "dropout")
        if embed_dim % num_heads:
            raise ArgumentError(where, "embed_dim", f"a multiple of num_heads={num_heads}", str(embed_dim))
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        alike = self.kdim == embed_dim == self.vdim
        shapes = {
            "in_proj_weight": (3 * embed_dim, embed_dim) if alike else None,
            "q_proj_weight": None if alike else (embed_dim, embed_dim),
            "k_proj_weight": None if alike else (embed_dim, self.kdim),
            "v_proj_weight": None if alike else (embed_dim, self.vdim),
            "in_proj_bias": (3 * embed_dim,) if bias else None,
            "bias_k": (1, 1, embed_dim) if add_bias_kv else None,
            "bias_v": (1, 1, embed_dim) if add_bias_kv else None,
        }
        for name, shape in shapes.items():
            self.register_parameter(name, None if shape is None else empty_parameter(*shape, device=device, dtype=dtype))
        self.out_proj = Linear(embed_dim, embed_dim, bias, device=device, dtype=dtype)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if self._parameters[name] is not None:
                init.xavier_uniform_(self._parameters[name])
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    # ------------------------------------------------------------------ forward

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        where, ndim = "MultiheadAttention", 0
        for name, tensor, size in (("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim)):
            shape = tuple(check_tensor(where, name, tensor).array.shape)
            if len(shape) not in (2, 3) or (ndim and len(shape) != ndim):
                raise ShapeError(where, name, f"{ndim or '2 or 3'} dimensions", f"shape {shape}")
            ndim = len(shape)
            if shape[-1] != size:
                raise ShapeError(where, name, f"a last dimension of {size}", f"shape {shape}")
        if key.array.shape[:-1] != value.array.shape[:-1]:
            wanted = f"as many as key, whose shape is {tuple(key.array.shape)}"
            raise ShapeError(where, "value", wanted, f"shape {tuple(value.array.shape)}")
        if ndim == 3 and query.array.shape[1 - self.batch_first] != key.array.shape[1 - self.batch_first]:
            wanted = f"as many examples as query, whose shape is {tuple(query.array.shape)}"
            raise ShapeError(where, "key", wanted, f"shape {tuple(key.array.shape)}")

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        if self.in_proj_weight is not None:
            if query is key and key is value:
                return F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
            weights = self.in_proj_weight.chunk(3)
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        biases = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        return tuple(map(F.linear, (query, key, value), weights, biases))

    def _mask(self, name: str, mask: Tensor | None, shapes: tuple[tuple, ...], like: Tensor) -> Tensor | None:
        """A mask as floats to be added: True is minus infinity."""
        if mask is None:
            return None
        shape = tuple(check_tensor("MultiheadAttention", name, mask).array.shape)
        if shape not in shapes:
            raise ShapeError("MultiheadAttention", name, f"shape {' or '.join(map(str, shapes))}", f"shape {shape}")
        if mask.array.dtype.kind == "f":
            return mask
        if mask.array.dtype.kind != "b":
            raise DTypeError("MultiheadAttention", name, "truth values or floats", str(mask.array.dtype))
        return zeros(*shape, dtype=like.dtype, device=device_of(like.array)).masked_fill(mask, -math.inf)

    def _batch_first(self, x: Tensor) -> Tensor:
        """(N, L, E), whatever came."""
        if x.array.ndim == 2:
            return x.unsqueeze(0)
        return x if self.batch_first else x.transpose(0, 1)

    def _heads(self, x: Tensor) -> Tensor:
        """(N, L, E) -> (N, heads, L, head_dim)."""
        return x.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        self._check(query, key, value)
        if is_causal and attn_mask is None:
            raise ArgumentError("MultiheadAttention", "attn_mask", "a mask, as is_causal only says of what kind it is", "none")
        batched = query.array.ndim == 3
        q = self._batch_first(query)
        k = q if key is query else self._batch_first(key)
        v = k if value is key else self._batch_first(value)
        q, k, v = self._project(q, k, v)
        batch, length, count = q.array.shape[0], q.array.shape[1], k.array.shape[1]
        padding_shape = (batch, count) if batched else (count,)
        padding = self._mask("key_padding_mask", key_padding_mask, (padding_shape,), q)
        shapes = ((length, count), (batch * self.num_heads, length, count))
        mask = self._mask("attn_mask", attn_mask, shapes, q)
        extra: list[tuple[Tensor, Tensor]] = []
        if self.bias_k is not None and self.bias_v is not None:
            extra.append((self.bias_k.expand(batch, 1, -1), self.bias_v.expand(batch, 1, -1)))
        if self.add_zero_attn:
            nothing = zeros(batch, 1, self.embed_dim, dtype=q.dtype, device=device_of(q.array))
            extra.append((nothing, nothing))
        if extra:
            k, v = cat([k, *[pair[0] for pair in extra]], 1), cat([v, *[pair[1] for pair in extra]], 1)
            padding, mask = (None if m is None else F.pad(m, (0, len(extra))) for m in (padding, mask))
        if mask is not None and mask.array.ndim == 3:
            mask = mask.unflatten(0, (batch, self.num_heads))
        if padding is not None:
            padding = padding.reshape(batch, 1, 1, -1)
            mask = padding if mask is None else mask + padding
        output, weights = self._attend(self._heads(q), self._heads(k), self._heads(v), mask, need_weights)
        output = self.out_proj(output.transpose(1, 2).flatten(2))
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            return output.squeeze(0), None if weights is None else weights.squeeze(0)
        return output if self.batch_first else output.transpose(0, 1), weights

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        dropout = self.dropout if self.training else 0.0
        if not need_weights:
            return F.scaled_dot_product_attention(q, k, v, mask, dropout), None
        scores = (q * math.sqrt(1 / self.head_dim)).matmul(k.transpose(-2, -1))
        weights = F.softmax(scores if mask is None else scores + mask, dim=-1)
        if dropout:
            weights = F.dropout(weights, dropout)
        return weights.matmul(v), weights


__all__ = ["MultiheadAttention"]
