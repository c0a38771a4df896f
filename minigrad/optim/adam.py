"""Adam and AdamW: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minigrad.core.device import array_module
from minigrad.optim.optimizer import Optimizer, check_betas, check_number, zeros_like


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
        lr, eps, decay = float(group["lr"]), float(group["eps"]), float(group["weight_decay"])
        beta1, beta2 = map(float, group["betas"])
        amsgrad, maximize, decoupled = group["amsgrad"], group["maximize"], group["decoupled_weight_decay"]
        for p, grad, state in self.ready(group, sparse="Use SparseAdam, or an Embedding with sparse=False"):
            xp = array_module(p.array)
            if not state:
                state.update(step=0, exp_avg=zeros_like(p), exp_avg_sq=zeros_like(p))
            if amsgrad and "max_exp_avg_sq" not in state:
                state["max_exp_avg_sq"] = zeros_like(p)
            state["step"] = step = state["step"] + 1
            root = (1.0 - beta2**step) ** 0.5
            size = lr * root / (1.0 - beta1**step)  # lr m' / (sqrt(v') + eps) with both corrections taken out of the fraction
            arrays = [p.array, grad.array, state["exp_avg"].array, state["exp_avg_sq"].array]
            if amsgrad:
                arrays.append(state["max_exp_avg_sq"].array)
            for piece in self._work.pieces(2, *arrays):
                x, g, m, v, *largest, s, t = piece
                if maximize:
                    g = xp.negative(g, out=t)
                if decay != 0:
                    if decoupled:
                        x *= 1.0 - lr * decay
                    else:
                        xp.multiply(x, decay, out=s)
                        g = xp.add(s, g, out=t)
                xp.subtract(g, m, out=s)
                s *= 1.0 - beta1
                m += s
                xp.multiply(g, g, out=s)
                s *= 1.0 - beta2
                v *= beta2
                v += s
                if amsgrad:
                    v = xp.maximum(largest[0], v, out=largest[0])
                xp.sqrt(v, out=s)
                s += eps * root
                xp.divide(m, s, out=s)
                s *= size
                x -= s


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
