"""Weights divided by their largest singular value (Miyato et al. 2018), for the discriminators of GANs."""

from __future__ import annotations

from typing import Any, TypeVar

from minigrad.core.hints import checked
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError
from minigrad.nn import functional as F
from minigrad.nn.checks import check_counts
from minigrad.nn.conv import ConvTranspose1d, ConvTranspose2d
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.ops.sampling import randn

M = TypeVar("M", bound=Module)


class SpectralNorm:
    """The hook before ``forward`` that computes the weight from ``weight_orig``, ``weight_u`` and ``weight_v``."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight with dimension ``dim`` as rows and all others as columns."""
        return weight.movedim(self.dim, 0).flatten(1)

    def compute(self, module: Module, iterate: bool) -> Tensor:
        """W / sigma, where sigma = u^T W v; ``iterate``: bring u and v closer first, in place."""
        weight, u, v = (getattr(module, f"{self.name}_{end}") for end in ("orig", "u", "v"))
        matrix = self.matrix(weight)
        if iterate:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix.mv(v), dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()  # the graph keeps these; the next call changes the buffers
        return weight / u.dot(matrix.mv(v))

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.compute(module, module.training))


def _hook(module: Module, name: str) -> tuple[int, SpectralNorm] | None:
    for number, hook in (module._hooks.forward_pre if module._hooks else {}).items():
        if isinstance(hook.call, SpectralNorm) and hook.call.name == name:
            return number, hook.call
    return None


@checked
def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> M:
    """Divide a weight by its largest singular value at each call, found by power iteration while training.

    The state has PyTorch's names: ``weight_orig`` is learnt; ``weight_u`` and ``weight_v`` are buffers.

    Args:
        module: the layer, which is changed and returned.
        name: its parameter.
        n_power_iterations: how many at each call in training.
        eps: the least norm to divide by.
        dim: which dimension counts the outputs (0; 1 for transposed convolutions).

    Raises:
        ArgumentError: there is no such parameter, or it has been normalised already.

    Example:
        >>> import minigrad
        >>> from minigrad import nn
        >>> layer = spectral_norm(nn.Linear(3, 4))
        >>> sorted(layer.state_dict())
        ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if not isinstance(module, Module):
        raise DTypeError("spectral_norm", "module", "a Module", type(module).__name__)
    if _hook(module, name) is not None:
        raise ArgumentError("spectral_norm", "name", "a weight without spectral norm", f"{name!r}, which has it already")
    weight = module._parameters.get(name)
    if weight is None:
        names = ", ".join(map(repr, module._parameters)) or "none"
        raise ArgumentError("spectral_norm", "name", f"a parameter of {type(module).__name__}: {names}", repr(name))
    check_counts("spectral_norm", 1, n_power_iterations=n_power_iterations)
    if dim is None:
        dim = 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d)) else 0
    hook = SpectralNorm(name, n_power_iterations, dim, eps)
    with no_grad():
        rows, columns = hook.matrix(weight).shape
        u, v = (F.normalize(randn(size, dtype=weight.dtype, device=weight.device), dim=0, eps=eps) for size in (rows, columns))
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())  # an attribute, so that code that reads it before the first call finds one
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    module.register_forward_pre_hook(hook)
    return module


@checked
def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Undo ``spectral_norm``: the weight becomes a parameter again, with the value it has now.

    Raises:
        ArgumentError: it has no spectral norm.

    Example:
        >>> from minigrad import nn
        >>> sorted(remove_spectral_norm(spectral_norm(nn.Linear(3, 4))).state_dict())
        ['bias', 'weight']
    """
    found = _hook(module, name)
    if found is None or module._hooks is None:
        raise ArgumentError("remove_spectral_norm", "name", "a weight with spectral norm", repr(name))
    number, hook = found
    with no_grad():
        weight = hook.compute(module, iterate=False)
    del module._hooks.forward_pre[number]
    for end in ("", "_orig", "_u", "_v"):
        delattr(module, name + end)
    module.register_parameter(name, Parameter(weight))
    return module


__all__ = ["SpectralNorm", "remove_spectral_norm", "spectral_norm"]
