"""Networks that Keras saved in HDF5 files: a sequential stack of layers, made of ours, with its weights.

Keras keeps a network's description as JSON beside its weights. Of that only the numbers that a layer is made with are read; a
layer that is not in the table below is refused by name, a ``Lambda`` with its program among them, and nothing is run.

Keras' images are N H W C, its filters H W in out, its dense weights in x out; what becomes of them here is N C H W, out in H W,
and out x in. ``Flatten`` goes through a map in another order there, so that the rows of the dense layer behind it are moved.
"""

from __future__ import annotations

import json
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

import minigrad.nn.functional as F
from minigrad import nn
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import FileFormatError
from minigrad.interop.hdf5_io import contents, is_hdf5
from minigrad.interop.pickles import Refused
from minigrad.interop.safetensors_io import _path, _read

WHERE = "keras"
LARGEST = 1 << 16  # pixels a side that a map may have
SPATIAL = 3  # dimensions of a map, C H W
ACTIVATIONS: dict[str, Callable[[], nn.Module | None]] = {
    "linear": lambda: None, "relu": nn.ReLU, "relu6": nn.ReLU6, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "elu": nn.ELU,
    "selu": nn.SELU, "softplus": nn.Softplus, "softsign": nn.Softsign, "silu": nn.SiLU, "swish": nn.SiLU,
    "softmax": lambda: nn.Softmax(dim=1),
}  # fmt: skip


class Pooled(nn.Module):
    """A pooling with a border that may be uneven: for a maximum of what cannot be one, for a mean of what is not counted.

    Args:
        largest: the maximum, else the mean.
        size, stride: (height, width).
        border: left, right, top, bottom.

    Example:
        >>> import minigrad
        >>> Pooled(False, (2, 2), (2, 2), (0, 1, 0, 1))(minigrad.ones(1, 1, 3, 3)).tolist()
        [[[[1.0, 1.0], [1.0, 1.0]]]]
    """

    def __init__(
        self, largest: bool, size: tuple[int, int], stride: tuple[int, int], border: tuple[int, int, int, int]
    ) -> None:
        super().__init__()
        self.largest, self.size, self.stride, self.border = largest, size, stride, border

    def forward(self, x: Tensor) -> Tensor:
        if self.largest:
            return F.max_pool2d(F.pad(x, self.border, value=-math.inf), self.size, self.stride)
        share = F.avg_pool2d(F.pad(x * 0 + 1, self.border), self.size, self.stride)
        return F.avg_pool2d(F.pad(x, self.border), self.size, self.stride) / share


def read_network(f: Any, *, logits: bool = False) -> nn.Sequential:
    """The network in an HDF5 file of ``model.save``, in evaluation mode; its modules have the names of Keras' layers.

    Args:
        f: the file's name, or an object with ``read``.
        logits: leave out a softmax at its end.

    Raises:
        FileFormatError: the file is missing, damaged or hostile, has weights alone, or a layer that is not known here; or h5py
            is not installed.

    Example:
        >>> try:
        ...     read_network("none.h5")
        ... except FileFormatError as error:
        ...     print(error.got)
        none of that name
    """
    if hasattr(f, "read"):
        name, raw = str(getattr(f, "name", "the file")), f.read()
    else:
        name = os.fsdecode(_path(WHERE, f))
        raw = _read(name)
    expected = "an HDF5 file of Keras with a sequential network"
    try:
        if not is_hdf5(raw):
            raise Refused("a file of another format")
        file = contents(raw)
        return _Stack(_layers(file.text), file.arrays).build(logits)
    except Refused as error:
        got = f"a damaged one ({error})" if error.damaged else str(error)
        raise FileFormatError(WHERE, name, expected, got, "Nothing in it was run") from error


def _layers(text: str | None) -> list[tuple[str, Mapping[str, Any]]]:
    """Kind and settings of each layer."""
    if text is None:
        raise Refused("one without model_config: weights alone. minigrad.load reads them")
    try:
        config = json.loads(text)
        kind, config = config["class_name"], config["config"]
        layers = config["layers"] if isinstance(config, dict) else config
        found = [(layer["class_name"], layer["config"]) for layer in layers]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused("a model_config that is none", damaged=True) from error
    if kind != "Sequential":
        raise Refused(f"a network of the kind {str(kind)[:40]}")
    if not all(isinstance(kind, str) and isinstance(settings, dict) for kind, settings in found):
        raise Refused("a model_config that is none", damaged=True)
    return found


class _Stack:
    """Layers of Keras on their way to ours; the shape of what leaves the last of them is known."""

    def __init__(self, layers: list[tuple[str, Mapping[str, Any]]], arrays: Mapping[str, np.ndarray]) -> None:
        self.layers, self.arrays = layers, arrays
        self.modules: OrderedDict[str, nn.Module] = OrderedDict()
        self.shape: tuple[int, ...] = ()  # (C, H, W) or (features,)
        self.moved: np.ndarray | None = None  # behind Flatten: Keras' number of each of our features

    def build(self, logits: bool) -> nn.Sequential:
        for number, (kind, config) in enumerate(self.layers):
            self.kind, self.config, self.name = kind, config, str(config.get("name", f"{kind.lower()}_{number}"))
            make = getattr(self, f"_{kind.lower()}", None) if kind in KINDS else None
            if make is None:
                raise Refused(f"a layer {self.name[:40]} of the kind {kind[:40]}; known are {', '.join(KINDS)}")
            if not self.shape:
                self.shape = self._input()
            make()
        if self.moved is not None:
            raise Refused("a Flatten without a Dense layer behind it")
        if logits and self.modules and isinstance(self.modules[last := next(reversed(self.modules))], nn.Softmax):
            del self.modules[last]
        return nn.Sequential(self.modules).eval()

    # ------------------------------------------------------------------ what is read

    def _input(self) -> tuple[int, ...]:
        shape = self.config.get("batch_input_shape", self.config.get("batch_shape"))
        if not isinstance(shape, list) or len(shape) not in (2, 4) or not all(_is_count(size) for size in shape[1:]):
            raise Refused(f"a network for inputs of the shape {str(shape)[:40]}, where numbers are needed")
        return (shape[3], shape[1], shape[2]) if len(shape) == 4 else (shape[1],)

    def _pair(self, key: str, default: Any = None) -> tuple[int, int]:
        value = self.config.get(key)
        value = default if value is None else value
        pair = [value, value] if isinstance(value, int) else value
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(_is_count(size) for size in pair):
            raise self._wrong(key)
        return pair[0], pair[1]

    def _count(self, key: str, default: int | None = None) -> int:
        value = self.config.get(key, default)
        if not _is_count(value):
            raise self._wrong(key)
        return int(value)

    def _wrong(self, key: str) -> Refused:
        return Refused(f"the layer {self.name[:40]} with {key} {str(self.config.get(key))[:40]}, which is not known")

    def _plain(self, **settings: Any) -> None:
        """Settings of which one value is known."""
        for key, value in settings.items():
            if self.config.get(key, value) != value:
                raise self._wrong(key)

    def _map(self) -> tuple[int, int, int]:
        self._plain(data_format="channels_last")
        if len(self.shape) != SPATIAL:
            raise Refused(f"the layer {self.name[:40]}, for maps, behind one that gives none")
        return self.shape[0], self.shape[1], self.shape[2]

    def _weight(self, word: str, shape: tuple[int, ...]) -> np.ndarray:
        """The layer's weight of that name, of that shape."""
        found = [
            array
            for path, array in self.arrays.items()
            if path.split("/")[-1].split(":")[0] == word
            and path.split("/")[:1] != ["optimizer_weights"]
            and self.name in path.removeprefix("model_weights/").split("/")[:1]
        ]
        if len(found) != 1 or found[0].shape != shape or found[0].dtype.kind != "f":
            there = f"{len(found)}" if len(found) != 1 else f"{found[0].dtype} {found[0].shape}"
            raise Refused(f"the layer {self.name[:40]}, whose {word} is {there} where numbers {shape} are needed", damaged=True)
        return found[0].astype(np.float32)

    def _add(self, module: nn.Module | None, tail: str = "", values: Mapping[str, np.ndarray] = MappingProxyType({})) -> None:
        if module is None:
            return
        with no_grad():
            state = module.state_dict()
            for key, value in values.items():
                state[key].copy_(Tensor(np.ascontiguousarray(value)))
        name = f"{self.name}{tail}".replace(".", "_").replace("/", "_")
        if name in self.modules:
            raise Refused(f"two layers of the name {name[:40]}", damaged=True)
        self.modules[name] = module

    def _activate(self) -> None:
        name = self.config.get("activation") or "linear"
        if not isinstance(name, str) or name not in ACTIVATIONS:
            raise self._wrong("activation")
        if name == "softmax" and len(self.shape) == SPATIAL:
            raise self._wrong("activation")
        self._add(ACTIVATIONS[name](), "" if self.kind == "Activation" else f"_{name}")

    def _border(self, size: tuple[int, int], stride: tuple[int, int]) -> tuple[int, int, int, int]:
        """What is laid around a map for it: left, right, top, bottom; TensorFlow's "same" has an odd pixel behind."""
        padding = self.config.get("padding", "valid")
        _, height, width = self._map()
        if padding == "valid":
            return 0, 0, 0, 0
        if padding != "same":
            raise self._wrong("padding")
        around: list[int] = []
        for length, side, step in ((width, size[1], stride[1]), (height, size[0], stride[0])):
            lacking = max(0, (-(-length // step) - 1) * step + side - length)
            around += [lacking // 2, lacking - lacking // 2]
        return around[0], around[1], around[2], around[3]

    def _slid(self, channels: int, size: tuple[int, int], stride: tuple[int, int], border: tuple[int, int, int, int]) -> None:
        """The shape behind a window that slides over the map."""
        _, height, width = self._map()
        high = (height + border[2] + border[3] - size[0]) // stride[0] + 1
        wide = (width + border[0] + border[1] - size[1]) // stride[1] + 1
        if not (0 < high <= LARGEST and 0 < wide <= LARGEST):
            raise Refused(f"the layer {self.name[:40]}, which leaves a map of {high} x {wide}")
        self.shape = (channels, high, wide)

    # ------------------------------------------------------------------ the layers, by Keras' names

    def _inputlayer(self) -> None:
        pass

    def _conv2d(self) -> None:
        channels, _, _ = self._map()
        size, stride, dilation = self._pair("kernel_size"), self._pair("strides", 1), self._pair("dilation_rate", 1)
        filters, groups = self._count("filters"), self._count("groups", 1)
        if channels % groups or filters % groups:
            raise self._wrong("groups")
        kernel = self._weight("kernel", (*size, channels // groups, filters))
        values = {"weight": kernel.transpose(3, 2, 0, 1)}
        if self.config.get("use_bias", True):
            values["bias"] = self._weight("bias", (filters,))
        seen = tuple((side - 1) * apart + 1 for side, apart in zip(size, dilation))
        border = self._border((seen[0], seen[1]), stride)
        even = border[0] == border[1] and border[2] == border[3]
        if not even:
            self._add(nn.ZeroPad2d(border), "_border")
        padding = (border[2], border[0]) if even else (0, 0)
        self._add(nn.Conv2d(channels, filters, size, stride, padding, dilation, groups, "bias" in values), values=values)
        self._slid(filters, (seen[0], seen[1]), stride, border)
        self._activate()

    def _pooling(self, largest: bool) -> None:
        channels, _, _ = self._map()
        size = self._pair("pool_size", 2)
        stride = self._pair("strides", size)
        border = self._border(size, stride)
        self._add(
            (nn.MaxPool2d if largest else nn.AvgPool2d)(size, stride)
            if not any(border)
            else Pooled(largest, size, stride, border)
        )
        self._slid(channels, size, stride, border)

    def _maxpooling2d(self) -> None:
        self._pooling(largest=True)

    def _averagepooling2d(self) -> None:
        self._pooling(largest=False)

    def _globalaveragepooling2d(self) -> None:
        channels, _, _ = self._map()
        self._plain(keepdims=False)
        self._add(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        self.shape = (channels,)

    def _zeropadding2d(self) -> None:
        channels, _, _ = self._map()
        given = self.config.get("padding", 1)
        rows, columns = (given, given) if isinstance(given, int) else given if isinstance(given, list) else (None, None)
        sides = [[side, side] if isinstance(side, int) else side for side in (rows, columns)]
        if not all(isinstance(side, list) and len(side) == 2 and all(_is_count(n + 1) for n in side) for side in sides):
            raise self._wrong("padding")
        (top, bottom), (left, right) = sides  # type: ignore[misc]
        self._add(nn.ZeroPad2d((left, right, top, bottom)))
        self._slid(channels, (1, 1), (1, 1), (left, right, top, bottom))

    def _batchnormalization(self) -> None:
        axis = self.config.get("axis", -1)
        last = len(self.shape)
        if axis not in (-1, last, [-1], [last]):
            raise self._wrong("axis")
        epsilon, momentum = self.config.get("epsilon", 1e-3), self.config.get("momentum", 0.99)
        if not all(isinstance(value, (int, float)) and 0 <= value <= 1 for value in (epsilon, momentum)):
            raise self._wrong("epsilon")
        size = self.shape[0]
        names = {"running_mean": "moving_mean", "running_var": "moving_variance"}
        names |= {"weight": "gamma"} if self.config.get("scale", True) else {}
        names |= {"bias": "beta"} if self.config.get("center", True) else {}
        values = {ours: self._weight(theirs, (size,)) for ours, theirs in names.items()}
        if self.moved is not None:
            values = {key: value[self.moved] for key, value in values.items()}
        layer = nn.BatchNorm2d if last == SPATIAL else nn.BatchNorm1d
        self._add(layer(size, eps=float(epsilon), momentum=1 - float(momentum)), values=values)

    def _dropout(self) -> None:
        rate = self.config.get("rate", 0.5)
        if not isinstance(rate, (int, float)) or not 0 <= rate < 1:
            raise self._wrong("rate")
        self._add(nn.Dropout(float(rate)))

    def _flatten(self) -> None:
        self._plain(data_format="channels_last")
        if len(self.shape) == SPATIAL:
            channels, *places = self.shape
            count = math.prod(self.shape)
            if math.prod(places) > 1:
                self.moved = np.arange(count).reshape(*places, channels).transpose(2, 0, 1).reshape(-1)
            self.shape = (count,)
        self._add(nn.Flatten())

    def _dense(self) -> None:
        if len(self.shape) != 1:
            raise Refused(f"the layer {self.name[:40]}, a Dense one on maps")
        units = self._count("units")
        kernel = self._weight("kernel", (self.shape[0], units))
        values = {"weight": (kernel if self.moved is None else kernel[self.moved]).T}
        if self.config.get("use_bias", True):
            values["bias"] = self._weight("bias", (units,))
        self._add(nn.Linear(self.shape[0], units, "bias" in values), values=values)
        self.shape, self.moved = (units,), None
        self._activate()

    def _activation(self) -> None:
        self._activate()

    def _relu(self) -> None:
        self._plain(threshold=0)
        most, slope = self.config.get("max_value"), self.config.get("negative_slope") or 0
        if most not in (None, 6) or not isinstance(slope, (int, float)) or (most and slope):
            raise self._wrong("max_value")
        self._add(nn.ReLU6() if most else nn.LeakyReLU(float(slope)) if slope else nn.ReLU())


KINDS = (
    "InputLayer", "Conv2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "ZeroPadding2D",
    "BatchNormalization", "Dropout", "Flatten", "Dense", "Activation", "ReLU",
)  # fmt: skip


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= LARGEST
