"""First values of parameters. Every function fills its tensor in place, outside the graph, and returns it.

Each takes ``generator=``; without it the default generator is drawn from.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.core.device import CPU, array_module, device_of, move
from minigrad.core.hints import checked
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.nn.checks import check_probability
from minigrad.ops.creation import zeros

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
_GAINS |= {f"conv{'_transpose' * t}{d}d": 1.0 for t in (0, 1) for d in (1, 2, 3)}


@checked
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much the scale of weights must grow to make up for what a nonlinearity takes away.

    Args:
        nonlinearity: the name of a function of ``nn.functional``.
        param: the negative slope of ``"leaky_relu"`` (0.01).

    Raises:
        ArgumentError: there is no such nonlinearity, or ``param`` is no number.

    Example:
        >>> round(calculate_gain("leaky_relu", 0.2), 4)
        1.3868
    """
    if nonlinearity in _GAINS:
        return _GAINS[nonlinearity]
    if nonlinearity != "leaky_relu":
        raise ArgumentError(
            "calculate_gain", "nonlinearity", f"one of {', '.join([*_GAINS, 'leaky_relu'])}", repr(nonlinearity)
        )
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, (int, float)):
        raise ArgumentError("calculate_gain", "param", "a number, the negative slope", repr(param))
    return math.sqrt(2 / (1 + slope**2))


def _calculate_fan_in_and_fan_out(tensor: Tensor, where: str = "init") -> tuple[int, int]:
    """How many inputs each output of a weight sees, and how many outputs each input reaches."""
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ShapeError(where, "tensor", "at least 2 dimensions, (out, in, ...)", f"shape {tuple(shape)}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _fan(tensor: Tensor, mode: str, where: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(where, "mode", "'fan_in' or 'fan_out'", repr(mode))
    return _calculate_fan_in_and_fan_out(tensor, where)[mode == "fan_out"]


@checked
@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform between ``a`` and ``b``.

    Example:
        >>> import minigrad
        >>> w = uniform_(minigrad.zeros(2, 3), -1, 1)
        >>> bool((w.abs() <= 1).all())
        True
    """
    return tensor.uniform_(a, b, generator=generator)


@checked
@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal of the given mean and standard deviation.

    Example:
        >>> import minigrad
        >>> w = normal_(minigrad.zeros(1000), 3.0, 0.1)
        >>> 2.9 < w.mean().item() < 3.1
        True
    """
    return tensor.normal_(mean, std, generator=generator)


@checked
@no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Tensor:
    """Normal, of which only what lies between ``a`` and ``b`` is drawn (exactly: by the inverse of its distribution).

    Raises:
        ArgumentError: ``a`` is not below ``b``, or ``std`` is not positive.

    Example:
        >>> import minigrad
        >>> w = trunc_normal_(minigrad.zeros(100), std=2.0)
        >>> bool((w.abs() <= 2).all())
        True
    """
    if not (a < b and std > 0 and math.isfinite(mean) and math.isfinite(std)):
        got = f"{a}, {b}, {std} and mean {mean}"
        raise ArgumentError("trunc_normal_", "a, b, std", "a < b, std > 0, and finite numbers for std and mean", got)
    from scipy.special import ndtr, ndtri

    low, high = ndtr((a - mean) / std), ndtr((b - mean) / std)
    draws = zeros(*tensor.shape, dtype="float64", device=tensor.device).uniform_(0, 1, generator=generator)
    numbers = mean + std * ndtri(low + (high - low) * move(draws.array, CPU))
    return tensor.copy_(Tensor._wrap(numbers.clip(a, b)).to(tensor.device))


@checked
@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """The same number everywhere.

    Example:
        >>> import minigrad
        >>> constant_(minigrad.zeros(2), 3.0)
        tensor([3., 3.])
    """
    return tensor.fill_(val)


@checked
@no_grad()
def ones_(tensor: Tensor) -> Tensor:
    """One everywhere.

    Example:
        >>> import minigrad
        >>> ones_(minigrad.zeros(2))
        tensor([1., 1.])
    """
    return tensor.fill_(1.0)


@checked
@no_grad()
def zeros_(tensor: Tensor) -> Tensor:
    """Zero everywhere.

    Example:
        >>> import minigrad
        >>> zeros_(minigrad.ones(2))
        tensor([0., 0.])
    """
    return tensor.zero_()


@checked
@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: a linear layer hands its input on.

    Raises:
        ShapeError: the tensor is no matrix.

    Example:
        >>> import minigrad
        >>> eye_(minigrad.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    if tensor.array.ndim != 2:
        raise ShapeError("eye_", "tensor", "2 dimensions", f"shape {tuple(tensor.array.shape)}")
    return tensor.copy_(Tensor._wrap(array_module(tensor.array).eye(*tensor.array.shape, dtype=tensor.array.dtype)))


@checked
@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The weight of a convolution that hands as many channels on as it can: one in the middle of the window.

    Raises:
        ShapeError: the tensor has not 3 to 5 dimensions, or its output channels are no multiple of ``groups``.

    Example:
        >>> import minigrad
        >>> dirac_(minigrad.zeros(1, 1, 3))
        tensor([[[0., 1., 0.]]])
    """
    shape = tensor.array.shape
    if len(shape) not in (3, 4, 5):
        raise ShapeError("dirac_", "tensor", "3, 4 or 5 dimensions", f"shape {tuple(shape)}")
    if 0 in shape[2:]:
        raise ShapeError("dirac_", "tensor", "a kernel with a middle", f"shape {tuple(shape)}")
    if shape[0] % groups:
        raise ShapeError("dirac_", "tensor", f"output channels that {groups} groups divide", str(shape[0]))
    values = array_module(tensor.array).zeros(shape, dtype=tensor.array.dtype)
    middle = tuple([size // 2 for size in shape[2:]])
    per_group = shape[0] // groups
    for group in range(groups):
        for channel in range(min(per_group, shape[1])):
            values[(group * per_group + channel, channel, *middle)] = 1
    return tensor.copy_(Tensor._wrap(values))


@checked
@no_grad()
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform with variance 2 gain^2 / (fan_in + fan_out) (Glorot and Bengio 2010, equation 16).

    Raises:
        ShapeError: fewer than 2 dimensions.

    Example:
        >>> import minigrad
        >>> w = xavier_uniform_(minigrad.zeros(4, 2))
        >>> bool((w.abs() <= 1).all())
        True
    """
    bound = gain * math.sqrt(6 / max(1, sum(_calculate_fan_in_and_fan_out(tensor, "xavier_uniform_"))))
    return tensor.uniform_(-bound, bound, generator=generator)


@checked
@no_grad()
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with variance 2 gain^2 / (fan_in + fan_out) (Glorot and Bengio 2010).

    Raises:
        ShapeError: fewer than 2 dimensions.

    Example:
        >>> import minigrad
        >>> w = xavier_normal_(minigrad.zeros(100, 100))
        >>> 0.09 < w.std().item() < 0.11
        True
    """
    std = gain * math.sqrt(2 / max(1, sum(_calculate_fan_in_and_fan_out(tensor, "xavier_normal_"))))
    return tensor.normal_(0, std, generator=generator)


@checked
@no_grad()
def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Uniform with variance gain^2 / fan (He et al. 2015, equation 14).

    Args:
        tensor: the weight, (out, in, ...).
        a: the negative slope of ``"leaky_relu"``.
        mode: ``"fan_in"`` keeps the scale forward, ``"fan_out"`` backward.
        nonlinearity: what follows the layer: see ``calculate_gain``.
        generator: where the numbers come from.

    Raises:
        ShapeError: fewer than 2 dimensions.
        ArgumentError: no such mode or nonlinearity.

    Example:
        >>> import minigrad
        >>> w = kaiming_uniform_(minigrad.zeros(4, 6))
        >>> bool((w.abs() <= 1).all())
        True
    """
    if not tensor.array.size:
        return tensor
    fan = _fan(tensor, mode, "kaiming_uniform_")
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / fan)
    return tensor.uniform_(-bound, bound, generator=generator)


@checked
@no_grad()
def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Normal with variance gain^2 / fan (He et al. 2015, equation 14). See ``kaiming_uniform_``.

    Raises:
        ShapeError: fewer than 2 dimensions.
        ArgumentError: no such mode or nonlinearity.

    Example:
        >>> import minigrad
        >>> w = kaiming_normal_(minigrad.zeros(100, 200))
        >>> 0.09 < w.std().item() < 0.11
        True
    """
    if not tensor.array.size:
        return tensor
    fan = _fan(tensor, mode, "kaiming_normal_")
    return tensor.normal_(0, calculate_gain(nonlinearity, a) / math.sqrt(fan), generator=generator)


@checked
@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """Rows (or columns, whichever are fewer) of length ``gain`` at right angles (Saxe et al. 2014).

    Raises:
        ShapeError: fewer than 2 dimensions.

    Example:
        >>> import minigrad
        >>> w = orthogonal_(minigrad.zeros(2, 5))
        >>> bool(((w.mm(w.t()) - minigrad.tensor([[1.0, 0.0], [0.0, 1.0]])).abs() < 1e-6).all())
        True
    """
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ShapeError("orthogonal_", "tensor", "at least 2 dimensions", f"shape {tuple(shape)}")
    if not tensor.array.size:
        return tensor
    rows, columns = shape[0], math.prod(shape[1:])
    draws = zeros(rows, columns, dtype="float64", device=device_of(tensor.array)).normal_(generator=generator).array
    xp = array_module(draws)
    q, r = xp.linalg.qr(draws.T if rows < columns else draws)
    q = q * xp.sign(xp.diagonal(r))  # without it the distribution leans to one side
    return tensor.copy_(Tensor._wrap((gain * (q.T if rows < columns else q)).reshape(shape)))


@checked
@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normal, with a share of each column set to zero (Martens 2010).

    Raises:
        ShapeError: the tensor is no matrix.

    Example:
        >>> import minigrad
        >>> w = sparse_(minigrad.zeros(4, 3), sparsity=0.5)
        >>> (w == 0).sum(0)
        tensor([2, 2, 2])
    """
    if tensor.array.ndim != 2:
        raise ShapeError("sparse_", "tensor", "2 dimensions", f"shape {tuple(tensor.array.shape)}")
    check_probability("sparse_", sparsity, "sparsity")
    rows, columns = tensor.array.shape
    tensor.normal_(0, std, generator=generator)
    order = zeros(rows, columns, device=device_of(tensor.array)).uniform_(0, 1, generator=generator).array.argsort(0)
    values = tensor.array.copy()
    values[order[: math.ceil(sparsity * rows)], array_module(order).arange(columns)] = 0
    return tensor.copy_(Tensor._wrap(values))


__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]
