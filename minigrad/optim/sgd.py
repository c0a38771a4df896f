"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.kernels import row_update
from minigrad.kernels import update as kernels
from minigrad.optim.optimizer import Optimizer, check_number


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted (Sutskever et al. 2013, in PyTorch's form).

    With the gradient g (its opposite if ``maximize``)::

        g <- g + weight_decay p
        b <- momentum b + (1 - dampening) g        b = g at the first step
        p <- p - lr b                              g + momentum b in place of b if ``nesterov``; g without momentum

    A sparse gradient changes its own rows only, unless momentum or weight decay ask for all.

    Args:
        params: Tensors, or groups: see ``Optimizer``.
        lr: learning rate.
        momentum: the share of the last direction that is kept.
        dampening: the share of the gradient that does not enter the direction.
        weight_decay: the factor of the L2 penalty's gradient.
        nesterov: look ahead along the direction.
        maximize: go up instead of down.
        foreach, fused: accepted for PyTorch's sake; there is one implementation.

    Raises:
        ArgumentError: a negative setting, or ``nesterov`` without momentum or with dampening.

    Example:
        >>> import minigrad
        >>> w = minigrad.tensor([1.0], requires_grad=True)
        >>> sgd = minigrad.optim.SGD([w], lr=0.1)
        >>> (w * w).sum().backward(); sgd.step(); w
        tensor([0.8000], requires_grad=True)
    """

    STATE = OPTIONAL = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def check_group(self, group: dict[str, Any]) -> None:
        for name in ("lr", "momentum", "weight_decay"):
            check_number("SGD", name, group[name])
        check_number("SGD", "dampening", group["dampening"], low=-float("inf"))
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            got = f"momentum {group['momentum']} and dampening {group['dampening']}"
            raise ArgumentError("SGD", "nesterov", "a momentum above 0 and no dampening with it", got)

    def update(self, group: dict[str, Any]) -> None:
        lr, momentum, decay = float(group["lr"]), float(group["momentum"]), float(group["weight_decay"])
        by_rows = momentum == 0 and decay == 0
        for batch in self.batches(group, ("momentum_buffer",) if momentum != 0 else (), rows=by_rows):
            buffers = batch.states[0] if momentum != 0 else ()
            kernels.sgd(
                batch.params, batch.grads, buffers, batch.fresh if momentum != 0 else (),
                lr=lr, momentum=momentum, dampening=float(group["dampening"]), weight_decay=decay,
                nesterov=bool(group["nesterov"]), maximize=bool(group["maximize"]),
            )  # fmt: skip
        for p, grad, _ in self.sparse_ones(group) if by_rows else ():
            rows, values = grad.coalesced_arrays()
            row_update.sgd(p.array, rows, values, lr=lr, maximize=bool(group["maximize"]))
