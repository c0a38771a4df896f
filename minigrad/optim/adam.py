"""Adam and AdamW: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minigrad.kernels import update as kernels
from minigrad.optim.optimizer import Optimizer, check_betas, check_number


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1).

    With the gradient g (its opposite if ``maximize``), at step t::

        g <- g + weight_decay p                    p <- (1 - lr weight_decay) p in its place if ``decoupled_weight_decay``
        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g^2
        p <- p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    With ``amsgrad`` (Reddi et al. 2018) the largest v so far stands for v in the last line.

    Args:
        params: Tensors, or groups: see ``Optimizer``.
        lr: learning rate.
        betas: how much of the two means is kept at each step.
        eps: added to the divisor.
        weight_decay: the factor of the L2 penalty's gradient.
        amsgrad: use the largest mean square so far.
        maximize: go up instead of down.
        decoupled_weight_decay: shrink the parameters outside the means, as ``AdamW`` does.
        foreach, fused: accepted for PyTorch's sake; there is one implementation.

    Raises:
        ArgumentError: a setting out of range.
        GradError: in ``step``, a sparse gradient.

    Example:
        >>> import minigrad
        >>> w = minigrad.tensor([1.0], requires_grad=True)
        >>> adam = minigrad.optim.Adam([w], lr=0.1)
        >>> (w * w).sum().backward(); adam.step(); w
        tensor([0.9000], requires_grad=True)
    """

    STATE = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    NUMBERS = ("step",)
    OPTIONAL = ("max_exp_avg_sq",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def check_group(self, group: dict[str, Any]) -> None:
        for name in ("lr", "eps", "weight_decay"):
            check_number(type(self).__name__, name, group[name])
        check_betas(type(self).__name__, group["betas"])

    def update(self, group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        states = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")
        for batch in self.batches(group, states, sparse="Use SparseAdam, or an Embedding with sparse=False"):
            means, squares, largest = (*batch.states, ())[:3]
            kernels.adam(
                batch.params, batch.grads, means, squares, largest, batch.count(),
                lr=group["lr"], beta1=beta1, beta2=beta2, eps=group["eps"], weight_decay=group["weight_decay"],
                decoupled_weight_decay=bool(group["decoupled_weight_decay"]), maximize=bool(group["maximize"]),
            )  # fmt: skip


class AdamW(Adam):
    """Adam with weight decay outside the means (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101). See ``Adam``.

    Example:
        >>> import minigrad
        >>> w = minigrad.tensor([1.0], requires_grad=True)
        >>> adamw = minigrad.optim.AdamW([w], lr=0.1, weight_decay=0.5)
        >>> (w * w).sum().backward(); adamw.step(); w
        tensor([0.8500], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)
