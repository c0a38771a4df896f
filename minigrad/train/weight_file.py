"""A file of weights that was made elsewhere, taken as a model: which network they are of is told by their names and sizes.

Known are the residual networks for photos in torchvision's layout, ResNet-18, 34 and 50 (He et al. 2015, arXiv:1512.03385), of
any width and number of classes. Such a file holds numbers alone; what else it takes to use them is assumed: images are prepared
as torchvision's weights want them, and 1,000 classes are those of ImageNet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import minigrad
from minigrad.data.sources import dataset, fetch
from minigrad.errors import RunError
from minigrad.train.runs import Run
from minigrad.train.trained import Trained

RESIDUAL: dict[tuple[tuple[int, ...], bool], str] = {  # blocks of each stage, and whether they are bottlenecks
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), False): "resnet34",
    ((3, 4, 6, 3), True): "resnet50",
}
NESTED = ("state_dict", "model", "model_state_dict")  # where programs that train put the weights in what they save
AROUND = ("module.", "_orig_mod.", "model.")  # in front of all names where something was put around the network
VARIANCE = ".running_var"
SIDE, SMALL_SIDE, CROP = 224, 32, 0.875  # pixels of images, of networks that begin at full size, and what is looked at
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels, from 0 to 1
GREY_MEAN, GREY_STD = (0.449,), (0.226,)
NAMES, NAMED = "efficientnet-lite0", 1000  # the data set that has the names of ImageNet's classes, and how many they are
BY_HAND = "Build the network in Python, and give its load_state_dict what minigrad.load has of the file"


class WeightFile(Trained):
    """A model of which there is a file of weights, and nothing else.

    Args:
        name: its path.

    Raises:
        RunError: the weights are of no network that is known.
        FileFormatError: the file is damaged, or holds something else than numbers.

    Example:
        >>> import tempfile
        >>> from minigrad.models.resnet import ResNet18
        >>> path = f"{tempfile.mkdtemp()}/mine.safetensors"
        >>> minigrad.save(ResNet18(num_classes=3, width=4).state_dict(), path)
        >>> model = WeightFile(path).config("classify")["model"]
        >>> model["network"], model["classes"]
        ('resnet18', ['class 0', 'class 1', 'class 2'])
    """

    CARD: ClassVar = "a network with this first and this last layer"
    EXPECTED: ClassVar = "the weights of one whole network"
    REMEDY: ClassVar = "Fetch the file anew from where it was made"

    def __init__(self, name: str) -> None:
        path = Path(name)
        self._weights = unwrapped(minigrad.load(path))
        found = residual({key: tuple(tensor.shape) for key, tensor in self._weights.items()})
        if found is None:
            expected = f"weights of {', '.join(RESIDUAL.values())} under torchvision's names"
            some = ", ".join(list(self._weights)[:3])
            got = f"others ({some}, ...)" if some else "no tensors by name"
            remedy = f"It lies in a run folder: name that, {path.parent}" if Run(path.parent).exists() else BY_HAND
            raise RunError("run", name, expected, got, remedy)
        if len(found["classes"]) < 2:
            got = f"fc.weight {tuple(self._weights['fc.weight'].shape)}, of a network with a single output"
            raise RunError("run", name, "a network of two classes or more", got, BY_HAND)
        config = {"task": "classify", "model": found, "settings": {"network": found["network"]}}
        super().__init__(name, path, Path(), config, None)

    def config(self, *tasks: str) -> dict[str, Any]:
        """As of ``Trained``; the names of ImageNet's classes are fetched where there are as many.

        Raises:
            RunError: it is of another task.
            DataError: the names cannot be had.
        """
        config = super().config(*tasks)
        if len(config["model"]["classes"]) == NAMED:
            known = dataset(NAMES, "weights")
            [file] = (file for file in known.files if file.name.endswith(".json"))
            config["model"]["classes"] = json.loads(fetch(known, file).read_text(encoding="utf-8"))
        return config

    def weights(self) -> Any:
        """Those of the file."""
        return dict(self._weights)


def unwrapped(content: Any) -> dict[str, minigrad.Tensor]:
    """The tensors by name in what a program saved, empty where there are none: inside of ``state_dict`` and the like, and
    without the ``module.`` of a network that was trained on several devices. Files of PyTorch before 0.4.1 do not tell how
    many batches a batch norm has seen; that is 0 then.

    Example:
        >>> list(unwrapped({"epoch": 3, "state_dict": {"module.fc.bias": minigrad.zeros(2)}}))
        ['fc.bias']
    """
    for name in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping):
        return {}
    found = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, minigrad.Tensor)}
    for around in AROUND:
        if found and all(key.startswith(around) for key in found):
            found = {key.removeprefix(around): value for key, value in found.items()}
    for key in [key for key in found if key.endswith(VARIANCE)]:
        found.setdefault(f"{key.removesuffix(VARIANCE)}.num_batches_tracked", minigrad.tensor(0))
    return found


def residual(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
    """What a residual network in torchvision's layout is, as a run's config says it; ``None`` if it is none.

    Args:
        shapes: of its weights, by name.
    """
    first, last = shapes.get("conv1.weight", ()), shapes.get("fc.weight", ())
    blocks = [
        len({match[1] for name in shapes if (match := re.match(rf"layer{stage}\.(\d+)\.conv1\.weight$", name))})
        for stage in (1, 2, 3, 4)
    ]
    network = RESIDUAL.get((tuple(blocks), "layer1.0.conv3.weight" in shapes))
    if network is None or len(first) != 4 or len(last) != 2 or first[1] not in (1, 3) or first[2] not in (3, 7):
        return None
    if min(*first, *last) < 1:  # a tensor without numbers may claim any other size, for which it has no room
        return None
    small = first[2] == 3
    side = SMALL_SIDE if small else SIDE
    mean, std = (MEAN, STD) if first[1] == 3 else (GREY_MEAN, GREY_STD)
    return {
        "network": network,
        "options": {"width": first[0], "small_images": small},
        "shape": [first[1], side, side],
        "classes": [f"class {number}" for number in range(last[0])],
        "mean": list(mean),
        "std": list(std),
        "crop": 1.0 if small else CROP,
    }
