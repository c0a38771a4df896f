"""The workloads that minigrad's speed is measured by, each beside PyTorch in one run: ``minigrad bench NAME --against torch``.

Each is a training step (or a convolution alone, a beam search, or a network applied) written once, by PyTorch's names: the same
lines run with both, with the same weights and the same batches, and their losses are compared before anything is timed.
``make bench`` prints them all.

Sizes are those of the papers that the models come from, or of the usual examples; any can be asked for: ``--set batch=16``.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence

from minigrad.bench.workload import Workload
from minigrad.errors import ArgumentError

WORKLOADS = {
    "small-cnn": "minigrad.benchmarks.images:SMALL_CNN",
    "resnet20": "minigrad.benchmarks.images:RESNET20",
    "dcgan": "minigrad.benchmarks.images:DCGAN",
    "dcgan-28": "minigrad.benchmarks.images:DCGAN_28",
    "detector": "minigrad.benchmarks.detection:DETECTOR",
    "efficientnet": "minigrad.benchmarks.images:EFFICIENTNET",
    "efficientnet-1": "minigrad.benchmarks.images:EFFICIENTNET_1",
    "char-lstm-128": "minigrad.benchmarks.texts:CHAR_LSTM_128",
    "char-lstm-512": "minigrad.benchmarks.texts:CHAR_LSTM_512",
    "seq2seq": "minigrad.benchmarks.texts:SEQ2SEQ",
    "input-feeding": "minigrad.benchmarks.steps:INPUT_FEEDING",
    "handwriting": "minigrad.benchmarks.steps:HANDWRITING",
    "beam": "minigrad.benchmarks.decoding:BEAM",
    "perceptron": "minigrad.benchmarks.tiny:PERCEPTRON",
    "scalars": "minigrad.benchmarks.tiny:SCALARS",
    "conv-16": "minigrad.benchmarks.convolutions:CONV_16",
    "conv-32": "minigrad.benchmarks.convolutions:CONV_32",
    "conv-64": "minigrad.benchmarks.convolutions:CONV_64",
    "conv-128": "minigrad.benchmarks.convolutions:CONV_128",
    "conv-256": "minigrad.benchmarks.convolutions:CONV_256",
}
"""Name -> where its ``minigrad.bench.workload.Workload`` stands."""

REQUIRED = {
    "small-cnn": (1.4, 2.0),
    "resnet20": (1.3, 1.8),
    "dcgan": (1.1, 1.5),
    "efficientnet": (1.0, 1.5),
    "efficientnet-1": (1.0, 1.3),
    "char-lstm-128": (1.2, 1.5),
    "char-lstm-512": (1.1, 1.4),
    "seq2seq": (1.3, 2.0),
    "input-feeding": (1.5, 2.5),
    "handwriting": (1.5, 2.5),
    "beam": (2.0, 2.5),
    "perceptron": (1.0, 1.3),
    "conv-16": (1.3, 1.8),
    "conv-32": (1.3, 1.8),
    "conv-64": (1.3, 1.8),
    "conv-128": (1.1, 1.4),
    "conv-256": (0.95, 1.2),
}
"""Name -> PyTorch's time over ours that is required of us, and that is the goal."""


def load(name: str) -> Workload:
    """A workload by its name.

    Raises:
        ArgumentError: there is none of that name.

    Example:
        >>> load("resnet20").sizes["batch"]
        128
    """
    if name not in WORKLOADS:
        raise ArgumentError("benchmarks", "workload", f"one of {', '.join(WORKLOADS)}", repr(name))
    return pkgutil.resolve_name(WORKLOADS[name])


def sizes_of(workload: Workload, settings: Sequence[str]) -> dict[str, int]:
    """A workload's sizes, some of them set by ``"size=number"``.

    Raises:
        ArgumentError: a setting of another form, or of a size that the workload does not have.

    Example:
        >>> sizes_of(load("resnet20"), ["batch=16"])
        {'batch': 16, 'side': 32, 'depth': 20, 'width': 16}
    """
    sizes = dict(workload.sizes)
    for setting in settings:
        name, _, number = setting.partition("=")
        if name not in sizes or not number.isdecimal() or not int(number):
            raise ArgumentError("benchmarks", "--set", f"SIZE=NUMBER with a size of {', '.join(sizes)}", repr(setting))
        sizes[name] = int(number)
    return sizes
