"""Adam for gradients that touch few rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minigrad.errors import GradError
from minigrad.kernels import row_update
from minigrad.optim.optimizer import Optimizer, check_betas, check_number


class SparseAdam(Optimizer):
    """Adam that moves only the rows in a sparse gradient, and only their running means.

    The formulas are those of ``Adam``, with one difference that PyTorch makes too: eps is added to sqrt(v) as it is, before
    the correction for the start.

    Args:
        params: Tensors whose gradients are sparse, as those of ``Embedding(sparse=True)``; or groups: see ``Optimizer``.
        lr: learning rate, above 0.
        betas: how much of the two means is kept at each step.
        eps: added to the divisor, above 0.
        maximize: go up instead of down.

    Raises:
        ArgumentError: a setting out of range.
        GradError: in ``step``, a dense gradient.

    Example:
        >>> import minigrad
        >>> table = minigrad.ones(3, 2, requires_grad=True)
        >>> adam = minigrad.optim.SparseAdam([table], lr=0.1)
        >>> minigrad.nn.functional.embedding(minigrad.tensor([1]), table, sparse=True).sum().backward()
        >>> adam.step(); table[:, 0].tolist() == [1, table[1, 0].item(), 1]
        True
    """

    STATE = ("exp_avg", "exp_avg_sq")
    NUMBERS = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def check_group(self, group: dict[str, Any]) -> None:
        check_number("SparseAdam", "lr", group["lr"], above=True)
        check_number("SparseAdam", "eps", group["eps"], above=True)
        check_betas("SparseAdam", group["betas"])

    def update(self, group: dict[str, Any]) -> None:
        lr, eps = float(group["lr"]), float(group["eps"])
        beta1, beta2 = map(float, group["betas"])
        if not all(p.grad.is_sparse for p in group["params"] if p.grad is not None):
            raise GradError("SparseAdam", "gradient", "a sparse one", "a dense one", "Use Adam for this parameter")
        for p, grad, state in self.sparse_ones(group):
            self.begin(group, p, state, ("exp_avg", "exp_avg_sq"))
            state["step"] = step = state["step"] + 1
            rows, g = grad.coalesced_arrays()
            size = lr * (1.0 - beta2**step) ** 0.5 / (1.0 - beta1**step)
            row_update.adam(
                p.array, rows, g, state["exp_avg"].array, state["exp_avg_sq"].array,
                size=size, beta1=beta1, beta2=beta2, eps=eps, maximize=bool(group["maximize"]),
            )  # fmt: skip
