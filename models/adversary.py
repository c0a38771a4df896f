"""What the two networks of ``dcgan.py`` lose: by how much one takes real images for made ones, and the other is found out.

Scores are what the discriminator says, (N,), the larger the more real. D falls with ``loss_of_discriminator``, G with
``loss_of_generator``; both at once see to it that neither runs away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.errors import ArgumentError
from minigrad.nn.checks import check_choice

LOSSES = ("original", "hinge", "least-squares", "wasserstein")
PENALTIES = ("none", "gradient", "r1")


def loss_of_discriminator(real: Tensor, made: Tensor, kind: str = "original", *, smoothing: float = 0.0) -> Tensor:
    """How badly real and made images are told apart, the mean over both.

    Args:
        real, made: scores (N,) of real and of made images.
        kind: ``"original"``: -log D(x) - log (1 - D(G(z))), D = sigmoid(score) (Goodfellow et al. 2014, arXiv:1406.2661,
            equation 1); ``"hinge"`` (Lim, Ye 2017, arXiv:1705.02894); ``"least-squares"``, for targets 1 and 0 (Mao et al.
            2016, arXiv:1611.04076, equation 9); ``"wasserstein"``: the difference of the means, which asks for a penalty
            (Arjovsky, Chintala, Bottou 2017, arXiv:1701.07875).
        smoothing: of ``"original"``: real images are wanted to be so much less than surely real (Salimans et al. 2016,
            arXiv:1606.03498, section 3.4).

    Raises:
        ArgumentError: another kind, or smoothing with it.

    Example:
        >>> real, made = minigrad.tensor([0.0, 2.0]), minigrad.tensor([0.0, -2.0])
        >>> [round(float(loss_of_discriminator(real, made, kind)), 3) for kind in LOSSES]
        [0.82, 1.0, 1.5, -2.0]
    """
    check_choice("loss_of_discriminator", "kind", kind, LOSSES)
    if smoothing and kind != "original":
        raise ArgumentError("loss_of_discriminator", "smoothing", f"0 with the loss {kind}", str(smoothing))
    if kind == "original":  # -(1 - s) log D - s log (1 - D) of the real ones
        return (F.softplus(-real) + smoothing * real).mean() + F.softplus(made).mean()
    if kind == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + made).mean()
    if kind == "least-squares":
        return ((real - 1).square().mean() + made.square().mean()) / 2
    return made.mean() - real.mean()


def loss_of_generator(made: Tensor, kind: str = "original") -> Tensor:
    """How surely made images are found out.

    Args:
        made: scores (N,) of made images.
        kind: as for ``loss_of_discriminator``. ``"original"`` is -log D(G(z)), which does not fade where D is sure
            (Goodfellow et al., section 3).

    Raises:
        ArgumentError: another kind.

    Example:
        >>> made = minigrad.tensor([0.0, -2.0])
        >>> [round(float(loss_of_generator(made, kind)), 3) for kind in LOSSES]
        [1.41, 1.0, 2.5, 1.0]
    """
    check_choice("loss_of_generator", "kind", kind, LOSSES)
    if kind == "original":
        return F.softplus(-made).mean()
    if kind == "least-squares":
        return (made - 1).square().mean() / 2
    return -made.mean()


def gradient_penalty(discriminator: Any, real: Tensor, made: Tensor, labels: Tensor | None, share: Tensor) -> Tensor:
    """How far the slope of D is from 1 between real and made images: E (|∇D(x)| - 1)².

    Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1. Its gradient is a second derivative.

    Args:
        discriminator: called with images and, where they are given, labels.
        real, made: images (N, C, H, W).
        labels: (N,), or ``None``.
        share: (N,), from 0 to 1: how much of each real image is in the mixture that the slope is taken at.

    Example:
        >>> slope = lambda images: (3 * images).flatten(1).sum(1)
        >>> x = minigrad.zeros(2, 1, 1, 1)
        >>> gradient_penalty(slope, x, x + 1, None, minigrad.tensor([0.2, 0.7])).item()
        4.0
    """
    share = share.reshape(-1, 1, 1, 1)
    mixed = (share * real + (1 - share) * made).detach().requires_grad_()
    return (_slopes(discriminator, mixed, labels).norm(dim=1) - 1).square().mean()


def r1_penalty(discriminator: Any, real: Tensor, labels: Tensor | None) -> Tensor:
    """Half of the mean square of the slope of D at real images: Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406, equation 9.

    Example:
        >>> slope = lambda images: (3 * images).flatten(1).sum(1)
        >>> r1_penalty(slope, minigrad.zeros(2, 1, 1, 2), None).item()
        9.0
    """
    return _slopes(discriminator, real.detach().requires_grad_(), labels).square().sum(1).mean() / 2


def _slopes(discriminator: Any, images: Tensor, labels: Tensor | None) -> Tensor:
    """∇D at each image, (N, C H W), as part of a graph."""
    scores = discriminator(images) if labels is None else discriminator(images, labels)
    (slope,) = minigrad.autograd.grad(scores.sum(), images, create_graph=True)
    found: Tensor = slope.flatten(1)
    return found


@contextlib.contextmanager
def held(network: nn.Module) -> Iterator[None]:
    """Inside, no gradient of the network's weights is computed, though gradients go through it."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
