"""What tests of the face detector share: its published weights, others that were drawn, and a photo with one face."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

import minigrad
from minigrad.data.places import DataSet, File, Wheel
from minigrad.data.sources import dataset, fetch
from minigrad.interop.npy import load_arrays
from tests.faces_reference import Weights, shapes

RECORDED = Path(__file__).parent / "recorded" / "faces.json"
ANOTHER = File(
    "facenet_pytorch-2.6.0-py3-none-any.whl",
    "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca",
    1_881_930,
    (Wheel("facenet-pytorch==2.6.0"),),
)
BOX = (179, 60, 89, 113)  # of the face: x, y, width, height, as the package mtcnn tells them (``faces_reference.detect``)


def astronaut() -> Path:
    """A photo of 512 x 512 pixels, in the public domain."""
    data = dataset("example-photos")
    return fetch(data, next(file for file in data.files if file.name == "astronaut.png"))


def copied(net: str) -> dict[str, minigrad.Tensor]:
    """Another copy of the weights, by their owner for PyTorch."""
    with zipfile.ZipFile(fetch(DataSet("facenet", (ANOTHER,), "MIT", "weights"), ANOTHER)) as wheel:
        return minigrad.load(io.BytesIO(wheel.read(f"facenet_pytorch/data/{net}.pt")))


def images() -> dict[str, np.ndarray]:
    """Of each network images that were drawn, as it takes them, float64."""
    drawn = np.random.default_rng(0)
    sizes = {"pnet": (1, 3, 17, 22), "rnet": (2, 3, 24, 24), "onet": (2, 3, 48, 48)}
    return {name: (drawn.integers(0, 256, size) - 127.5) / 128 for name, size in sizes.items()}


def published() -> Weights:
    """The arrays of the package."""
    data = dataset("mtcnn")
    arrays = load_arrays(fetch(data, data.files[0]))
    return {net: [arrays[f"{net}.{number}"] for number in range(len(of))] for net, of in shapes().items()}


def drawn(seed: int = 0) -> Weights:
    """Arrays of the same shapes, of random numbers that keep the size of what goes through."""
    random = np.random.default_rng(seed)

    def one(shape: tuple[int, ...]) -> np.ndarray:
        spread = 0.25 if len(shape) in (1, 3) else (2 / np.prod(shape[:-1])) ** 0.5
        return (random.standard_normal(shape) * spread).astype(np.float32)

    return {net: [one(shape) for shape in of] for net, of in shapes().items()}


def write(path: Path, weights: object) -> Path:
    """The file of the package with other contents."""
    whole = np.empty((), object)
    whole[()] = weights
    np.save(path, whole, allow_pickle=True)
    return path
