"""Networks that are only applied, and no longer trained: each batch norm is folded into the convolution before it.

At rest a batch norm scales and shifts each channel, which the convolution's weights and bias can do: a pass over the images
less, and the activation behind it is done as the convolution's sums are written. A class tells its pairs in ``NORMED``; in a
``Sequential`` they are neighbours.
"""

from __future__ import annotations

import copy
from typing import TypeVar

from minigrad import nn
from minigrad.nn.utils.fusion import fuse_conv_bn_eval

M = TypeVar("M", bound=nn.Module)
CONVOLUTIONS, NORMS = (nn.Conv1d, nn.Conv2d), (nn.BatchNorm1d, nn.BatchNorm2d)


def folded(network: M) -> M:
    """A copy of a network in evaluation mode that has no batch norm behind a convolution.

    It gives what the network gives, but for rounding. Its weights are others: keep the network itself to train it, to save it,
    or to look into it. A batch norm without running statistics stays.

    Example:
        >>> import minigrad
        >>> network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()).eval()
        >>> folded(network)
        Sequential(
          (0): Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1))
          (1): ReLU()
        )
        >>> x = minigrad.randn(2, 3, 8, 8)
        >>> minigrad.allclose(folded(network)(x), network(x), atol=1e-5)
        True
    """
    network = copy.deepcopy(network).eval()
    for module in list(network.modules()):
        for conv, norm in getattr(type(module), "NORMED", {}).items():
            if _folds(getattr(module, conv), getattr(module, norm)):
                setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
                setattr(module, norm, nn.Identity())
        if type(module) is nn.Sequential:
            for place in reversed(range(1, len(module))):
                if _folds(module[place - 1], module[place]):
                    module[place - 1] = fuse_conv_bn_eval(module[place - 1], module[place])
                    del module[place]
    return network


def _folds(conv: nn.Module | None, norm: nn.Module | None) -> bool:
    return isinstance(conv, CONVOLUTIONS) and isinstance(norm, NORMS) and norm.running_mean is not None
