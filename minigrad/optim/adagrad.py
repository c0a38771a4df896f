"""Adagrad and Adadelta: steps scaled by what each parameter has moved on so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.errors import GradError
from minigrad.kernels import row_update
from minigrad.kernels import update as kernels
from minigrad.optim.optimizer import Optimizer, check_number, zeros_like


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer 2011).

    With the gradient g (its opposite if ``maximize``), at step t::

        g <- g + weight_decay p
        v <- v + g^2                               from ``initial_accumulator_value``
        p <- p - lr / (1 + (t - 1) lr_decay) g / (sqrt(v) + eps)

    A sparse gradient changes its own rows only.

    Args:
        params: Tensors, or groups: see ``Optimizer``.
        lr: learning rate.
        lr_decay: how fast it falls.
        weight_decay: the factor of the L2 penalty's gradient.
        initial_accumulator_value: v before the first step.
        eps: added to the divisor.
        maximize: go up instead of down.
        foreach, fused: accepted for PyTorch's sake; there is one implementation.

    Raises:
        ArgumentError: a negative setting.
        GradError: in ``step``, a sparse gradient together with weight decay.

    Example:
        >>> import minigrad
        >>> w = minigrad.tensor([1.0], requires_grad=True)
        >>> adagrad = minigrad.optim.Adagrad([w], lr=0.1)
        >>> (w * w).sum().backward(); adagrad.step(); w
        tensor([0.9000], requires_grad=True)
    """

    STATE = ("sum",)
    NUMBERS = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "maximize": maximize,
            },
        )

    def check_group(self, group: dict[str, Any]) -> None:
        for name in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"):
            check_number("Adagrad", name, group[name])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for p in group["params"]:
            self.state[p].update(step=0, sum=zeros_like(p, group["initial_accumulator_value"]))

    def zeros(self, group: dict[str, Any], p: Tensor) -> Tensor:
        return zeros_like(p, group["initial_accumulator_value"])

    def update(self, group: dict[str, Any]) -> None:
        eps, decay = float(group["eps"]), float(group["weight_decay"])
        for batch in self.batches(group, ("sum",), rows=True):
            kernels.adagrad(
                batch.params, batch.grads, batch.states[0], batch.count(),
                lr=group["lr"], lr_decay=group["lr_decay"], weight_decay=decay, eps=eps, maximize=bool(group["maximize"]),
            )  # fmt: skip
        for p, grad, state in self.sparse_ones(group):
            if decay != 0:
                raise GradError("Adagrad", "weight_decay", "0 with sparse gradients", str(decay))
            self.begin(group, p, state, ("sum",))
            state["step"] = step = state["step"] + 1
            lr = float(group["lr"]) / (1.0 + (step - 1) * float(group["lr_decay"]))
            rows, values = grad.coalesced_arrays()
            row_update.adagrad(p.array, rows, values, state["sum"].array, lr=lr, eps=eps, maximize=bool(group["maximize"]))


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012, https://arxiv.org/abs/1212.5701).

    With the gradient g (its opposite if ``maximize``)::

        g <- g + weight_decay p
        v <- rho v + (1 - rho) g^2
        d  = g sqrt(u + eps) / sqrt(v + eps)
        u <- rho u + (1 - rho) d^2
        p <- p - lr d

    Args:
        params: Tensors, or groups: see ``Optimizer``.
        lr: a factor of the step that the method finds itself.
        rho: how much of the two means is kept at each step.
        eps: added below the roots.
        weight_decay: the factor of the L2 penalty's gradient.
        maximize: go up instead of down.
        foreach: accepted for PyTorch's sake; there is one implementation.

    Raises:
        ArgumentError: a setting out of range.
        GradError: in ``step``, a sparse gradient.

    Example:
        >>> import minigrad
        >>> w = minigrad.tensor([1.0], requires_grad=True)
        >>> adadelta = minigrad.optim.Adadelta([w])
        >>> (w * w).sum().backward(); adadelta.step(); w
        tensor([0.9968], requires_grad=True)
    """

    STATE = ("square_avg", "acc_delta")
    NUMBERS = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def check_group(self, group: dict[str, Any]) -> None:
        for name in ("lr", "eps", "weight_decay"):
            check_number("Adadelta", name, group[name])
        check_number("Adadelta", "rho", group["rho"], high=1.0)

    def update(self, group: dict[str, Any]) -> None:
        for batch in self.batches(group, ("square_avg", "acc_delta"), sparse="Use SGD, Adagrad or SparseAdam"):
            batch.count()
            kernels.adadelta(
                batch.params, batch.grads, *batch.states,
                lr=group["lr"], rho=group["rho"], eps=group["eps"], weight_decay=group["weight_decay"],
                maximize=bool(group["maximize"]),
            )  # fmt: skip
