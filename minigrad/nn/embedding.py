"""The table of vectors that stand for words, characters or other numbered things."""

from __future__ import annotations

from typing import Any, Self

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.checks import check_counts
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, empty_parameter


class Embedding(Module):
    """Looks up rows of a table: numbers (*) give vectors (*, embedding_dim).

    Args:
        num_embeddings: how many rows.
        embedding_dim: how long each is.
        padding_idx: a row that is zero at first and gets no gradient.
        max_norm: rows that are looked up are shortened to this norm, in place.
        norm_type: which norm.
        scale_grad_by_freq: divide the gradient of a row by how often it was looked up.
        sparse: give the gradient as rows and their numbers, for ``optim.SparseAdam``.

    Attributes:
        weight: (num_embeddings, embedding_dim), at first standard normal.

    Raises:
        ArgumentError, DTypeError: a size is negative or no integer, or ``padding_idx`` no row.

    Example:
        >>> import minigrad
        >>> Embedding(10, 4)(minigrad.tensor([[1, 2, 9]])).shape
        minigrad.Size([1, 3, 4])
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_counts("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                bounds = f"from {-num_embeddings} to {num_embeddings - 1}, a row"
                raise ArgumentError("Embedding", "padding_idx", bounds, str(padding_idx))
            padding_idx %= num_embeddings
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            self.weight = empty_parameter(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                wanted = f"shape {(num_embeddings, embedding_dim)}"
                raise ShapeError("Embedding", "_weight", wanted, f"shape {tuple(_weight.shape)}")
            self.weight = Parameter(_weight)
        self.weight.requires_grad_(not _freeze)

    def reset_parameters(self) -> None:
        """Draw the rows anew; that of ``padding_idx`` is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].zero_()

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        return f"{text}, sparse=True" if self.sparse else text

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """A layer around vectors that exist.

        Args:
            embeddings: (num_embeddings, embedding_dim), whose memory is shared.
            freeze: do not learn them.
            padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse: as in the constructor; no row is set to zero.

        Raises:
            ShapeError: ``embeddings`` is no matrix.

        Example:
            >>> import minigrad
            >>> table = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
            >>> Embedding.from_pretrained(table)(minigrad.tensor([1]))
            tensor([[3., 4.]])
        """
        check_tensor("Embedding.from_pretrained", "embeddings", embeddings)
        if embeddings.ndim != 2:
            shape = f"shape {tuple(embeddings.shape)}"
            raise ShapeError("Embedding.from_pretrained", "embeddings", "2 dimensions, (num, dim)", shape)
        rows, columns = embeddings.array.shape
        return cls(
            rows,
            columns,
            padding_idx=padding_idx,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            sparse=sparse,
            _weight=embeddings,
            _freeze=freeze,
        )


__all__ = ["Embedding"]
