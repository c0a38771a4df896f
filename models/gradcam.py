"""Where in an image a convolutional network sees a class: gradient-weighted class activation maps.

Paper: Grad-CAM, Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra 2017, arXiv:1610.02391. Of the maps A^k of the last
convolution, Z places each, those count that make the logit y^c of a class larger (its equations 1 and 2):

    α_k^c = 1/Z Σ_i Σ_j ∂y^c / ∂A^k_ij            how much a channel speaks for the class
    L^c   = relu(Σ_k α_k^c A^k)                   where what speaks for it is

The network need not be made for it: hooks see what each of its layers gives, and the last map of more than one place is taken.
A layer that only shrinks a map, a pooling, is passed over, as the map in front of it is the finer one. What is computed between
layers, by functions, no hook sees: a network whose last activation is a function is looked at in front of it.

Shapes are written in one alphabet: N images, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, ShapeError

WHERE = "grad_cam"


class Layer(NamedTuple):
    """What a layer gave.

    Attributes:
        name: of the module in the network.
        kinds: its class, and those of norms and activations that its output went straight through: the output is theirs.
        output: (N, C, H, W).
        shrinks: it has no parameters and changes the size of the map: a pooling, or a padding.
    """

    name: str
    kinds: tuple[str, ...]
    output: minigrad.Tensor
    shrinks: bool


class Record(NamedTuple):
    """A pass of images through a network.

    Attributes:
        logits: (N, K).
        layers: those that gave maps, in the order in which they did.
    """

    logits: minigrad.Tensor
    layers: list[Layer]


class Cam(NamedTuple):
    """Class activation maps.

    Attributes:
        maps: float64 (N, H, W), none below 0: how much what is there speaks for the class, in the unit of logits.
        weights: float64 (N, C), α of each channel.
        layer: whose maps were weighted.
    """

    maps: np.ndarray
    weights: np.ndarray
    layer: Layer


def record(network: nn.Module, images: minigrad.Tensor) -> Record:
    """Send images through a network, and keep what each layer gives; the network stays as it was.

    Args:
        network: gives logits (N, K).
        images: (N, C, H, W), as it takes them.

    Raises:
        ShapeError: it gives something else.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3))
        >>> [(layer.name, layer.kinds, layer.shrinks) for layer in record(net, minigrad.zeros(1, 1, 6, 6)).layers]
        [('0', ('Conv2d', 'ReLU'), False), ('2', ('MaxPool2d',), True)]
    """
    found = _Recorder()
    hooks = [module.register_forward_hook(found.hook(name)) for name, module in network.named_modules() if name]
    was = network.training
    network.eval()
    try:
        with minigrad.enable_grad():  # in which each layer is called by itself
            logits = network(images.detach().requires_grad_())
    finally:
        network.train(was)
        for hook in hooks:
            hook.remove()
    if not isinstance(logits, minigrad.Tensor) or logits.ndim != 2 or len(logits) != len(images):
        got = f"shape {tuple(logits.shape)}" if isinstance(logits, minigrad.Tensor) else f"a {type(logits).__name__}"
        raise ShapeError(WHERE, "network", f"logits (N, K) for N = {len(images)} images", got, "Give it a classifier")
    return Record(logits, found.layers)


def kind_of(module: nn.Module) -> str:
    """The name of a module's class; of one derived from a layer of ``minigrad.nn``, the layer's.

    Example:
        >>> class Mine(nn.Conv2d):
        ...     pass
        >>> kind_of(Mine(1, 1, 3)), kind_of(nn.ReLU())
        ('Conv2d', 'ReLU')
    """
    known = next(kind for kind in type(module).__mro__ if kind.__module__.startswith(nn.__name__))
    return type(module).__name__ if known is nn.Module else known.__name__


class _Recorder:
    """Collects what modules give. A norm or an activation goes with the layer whose output it takes."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self._of: dict[int, int | None] = {}  # a tensor's identity -> its layer, which a block's output has not for itself
        self._kept: list[Any] = []  # as long as they live no other tensor takes their identity

    def hook(self, name: str) -> Any:
        """What is to be called behind the module of a name."""

        def keep(module: nn.Module, args: Any, output: Any) -> None:
            given = args[0] if args else None
            if not isinstance(output, minigrad.Tensor) or output.ndim != 4 or id(output) in self._of:
                return
            self._kept.append(output)
            own, kind = next(iter(module.parameters()), None) is not None, kind_of(module)
            leaf = next(iter(module.children()), None) is None
            shape = given.shape if isinstance(given, minigrad.Tensor) and given.ndim == 4 else output.shape
            before = self._of.get(id(given)) if leaf else None
            if before is not None and output.shape == shape and not isinstance(module, nn.Conv2d):
                at = self.layers[before]
                self.layers[before] = at._replace(kinds=(*at.kinds, kind), output=output)
                self._of[id(output)] = before
                return
            shrinks = leaf and not own and output.shape[2:] != shape[2:]
            self._of[id(output)] = len(self.layers) if leaf else None
            self.layers.append(Layer(name, (kind,), output, shrinks))

        return keep


def grad_cam(seen: Record, classes: Sequence[int] | np.ndarray) -> Cam:
    """Where each image has what speaks for a class.

    Args:
        seen: the pass of N images, which may be asked for one class after another.
        classes: the class of each image, N numbers from 0 to K - 1.

    Raises:
        ArgumentError: the network has no map of more than one place on the way to its logits; or no such class.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
        >>> _ = net[0].weight.data.fill_(1.0), net[3].weight.data.copy_(minigrad.tensor([[1.0], [-1.0]]))
        >>> seen = record(net, minigrad.tensor([[[[0.0, 4.0], [0.0, 0.0]]]]))
        >>> grad_cam(seen, [0]).maps.tolist(), grad_cam(seen, [1]).maps.tolist()
        ([[[0.0, 1.0], [0.0, 0.0]]], [[[0.0, 0.0], [0.0, 0.0]]])
    """
    count, most = seen.logits.shape
    chosen = np.asarray(classes)
    if chosen.shape != (count,) or chosen.dtype.kind not in "iu" or (chosen < 0).any() or (chosen >= most).any():
        raise ArgumentError(WHERE, "classes", f"{count} whole numbers from 0 to {most - 1}, one for each image", f"{classes!r}")
    y = seen.logits[minigrad.arange(count), minigrad.tensor(chosen.astype(np.int64))].sum()
    for layer in reversed(seen.layers):
        if layer.shrinks or layer.output.shape[2] * layer.output.shape[3] < 2:
            continue
        (slope,) = minigrad.autograd.grad(y, layer.output, retain_graph=True, allow_unused=True)
        if slope is None:  # not on the way to the logits
            continue
        weights = slope.double().mean(dim=(2, 3))  # α
        maps = F.relu((weights[:, :, None, None] * layer.output.detach().double()).sum(dim=1))
        return Cam(maps.cpu().numpy(), weights.cpu().numpy(), layer)
    raise ArgumentError(
        WHERE, "network", "a layer whose output is a map of more than one place, (N, C, H, W), on the way to the logits",
        "none",
        "What has no map cannot be pointed at: use a convolutional network, or larger images",
    )  # fmt: skip


def enlarged(map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map (H, W) in the size of an image, from 0 to 1 of its largest value; all 0 where there is none above 0.

    Each place of the map is taken for an equal part of the image, and between their middles a line is drawn.

    Example:
        >>> enlarged(np.array([[0.0, 2.0]]), (1, 4)).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    largest = float(map.max())
    scaled = np.asarray(map, np.float64) / largest if largest > 0 else np.zeros_like(map, np.float64)
    grown = F.interpolate(minigrad.tensor(scaled[None, None]), size=size, mode="bilinear", align_corners=False)
    return grown.numpy()[0, 0].clip(0, 1)
