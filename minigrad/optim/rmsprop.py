"""RMSprop: steps scaled by a running mean of the gradient's square."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minigrad.kernels import update as kernels
from minigrad.optim.optimizer import Optimizer, check_number


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012, lecture 6.5; ``centered`` after Graves 2013, https://arxiv.org/abs/1308.0850).

    With the gradient g (its opposite if ``maximize``)::

        g <- g + weight_decay p
        v <- alpha v + (1 - alpha) g^2
        a <- alpha a + (1 - alpha) g               if ``centered``, and v - a^2 stands for v below
        b <- momentum b + g / (sqrt(v) + eps)
        p <- p - lr b

    Rounding can make v - a^2 slightly negative; it counts as 0 then. (PyTorch's root gives NaN there.)

    Args:
        params: Tensors, or groups: see ``Optimizer``.
        lr: learning rate.
        alpha: how much of the means is kept at each step.
        eps: added to the divisor.
        weight_decay: the factor of the L2 penalty's gradient.
        momentum: the share of the last direction that is kept.
        centered: divide by the standard deviation in place of the root mean square.
        maximize: go up instead of down.
        foreach: accepted for PyTorch's sake; there is one implementation.

    Raises:
        ArgumentError: a negative setting.
        GradError: in ``step``, a sparse gradient.

    Example:
        >>> import minigrad
        >>> w = minigrad.tensor([1.0], requires_grad=True)
        >>> rmsprop = minigrad.optim.RMSprop([w], lr=0.01)
        >>> (w * w).sum().backward(); rmsprop.step(); w
        tensor([0.9000], requires_grad=True)
    """

    STATE = ("square_avg", "momentum_buffer", "grad_avg")
    NUMBERS = ("step",)
    OPTIONAL = ("momentum_buffer", "grad_avg")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
        )

    def check_group(self, group: dict[str, Any]) -> None:
        for name in ("lr", "eps", "momentum", "weight_decay", "alpha"):
            check_number("RMSprop", name, group[name])

    def update(self, group: dict[str, Any]) -> None:
        momentum = float(group["momentum"])
        wanted = {"square_avg": True, "grad_avg": bool(group["centered"]), "momentum_buffer": momentum > 0}
        states = tuple([name for name, needed in wanted.items() if needed])
        for batch in self.batches(group, states, sparse="Use SGD, Adagrad or SparseAdam"):
            batch.count()
            given = iter(batch.states)
            kernels.rmsprop(
                batch.params, batch.grads, *[next(given) if needed else () for needed in wanted.values()],
                lr=group["lr"], alpha=group["alpha"], eps=group["eps"], weight_decay=group["weight_decay"],
                momentum=momentum, maximize=bool(group["maximize"]),
            )  # fmt: skip
