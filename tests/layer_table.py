"""The rows of the layers' table: how a layer is made, in minigrad and in PyTorch alike, and what it is called with.

``python -m tests.layer_table`` (needs the peer extra) records PyTorch's keys, shapes and reprs for runs without it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.harness import Input, booleans, constant, distinct, integers, normal, positive

RECORDED = Path(__file__).parent / "recorded" / "layers.json"


class Layer:
    """A row.

    Args:
        name: of the row.
        build: makes the layer, given ``minigrad`` or ``torch``.
        inputs: what it is called with.
        call: how, given module, layer and inputs, where it is not ``layer(*inputs)``.
        numeric: also compare its derivatives with central differences.
        draws: it draws random numbers in training, so that there only its shape is compared.
        same_repr: its repr is PyTorch's.
        note: tells apart rows that make the same layer.
        tolerance: beside PyTorch, relative to the largest element.
    """

    def __init__(
        self,
        name: str,
        build: Callable[[Any], Any],
        *inputs: Input,
        call: Callable[..., Any] | None = None,
        numeric: bool = True,
        draws: bool = False,
        same_repr: bool = True,
        note: str = "",
        tolerance: float = 1e-10,
    ) -> None:
        self.name, self.build, self.inputs = f"{name} {note}".strip(), build, inputs
        self.call = call or (lambda m, layer, *given: layer(*given))
        self.numeric, self.draws, self.same_repr, self.tolerance = numeric, draws, same_repr, tolerance

    def arrays(self) -> list[np.ndarray]:
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [item.draw(rng) for item in self.inputs]

    def __repr__(self) -> str:
        return self.name


def rows(layer: str, *variants: Any) -> list[Layer]:
    """Rows of one layer: (text of its arguments, inputs..., {keywords of Layer})."""
    made = []
    for arguments, *rest in variants:
        words = rest.pop() if rest and isinstance(rest[-1], dict) else {}
        build = eval(f"lambda m: m.nn.{layer}({arguments})")
        made.append(Layer(f"{layer}({arguments})", build, *rest, **words))
    return made


def on_copy(m: Any, layer: Any, x: Any) -> Any:
    return layer(x * 1)


DRAWS = {"draws": True, "numeric": False}
PADDED = [f"padding=2, padding_mode={mode!r}" for mode in ("zeros", "reflect", "replicate", "circular")]

LAYERS = [
    # linear
    *rows("Identity", ("", normal(2, 3)), ("54, unused=True", normal(3))),
    *rows("Linear", ("3, 4", normal(2, 3)), ("3, 4, bias=False", normal(2, 2, 3)), ("3, 2", normal(3))),
    *rows("Bilinear", ("2, 3, 4", normal(2, 2), normal(2, 3)), ("2, 3, 2, bias=False", normal(2, 2), normal(2, 3))),
    *rows("Flatten", ("", normal(2, 3, 2)), ("0, 1", normal(2, 3, 2))),
    *rows("Unflatten", ("1, (2, 3)", normal(2, 6)), ("-1, (2, -1)", normal(2, 6))),
    # convolution
    *rows(
        "Conv1d",
        ("2, 3, 3", normal(2, 2, 5)),
        ("2, 4, 3, stride=2, padding=1, groups=2, bias=False", normal(1, 2, 6)),
        ("2, 2, 2, padding='same', dilation=2", normal(1, 2, 5)),
        ("2, 2, 2, padding='valid'", normal(2, 5)),
        *[(f"2, 2, 3, {edge}", normal(1, 2, 4)) for edge in PADDED],
        ("1, 2, 4, padding='same', padding_mode='circular'", normal(1, 1, 5)),
    ),
    *rows(
        "Conv2d",
        ("2, 3, 3", normal(2, 2, 4, 3)),
        ("2, 2, (3, 2), stride=(2, 1), padding=(1, 0)", normal(1, 2, 5, 3)),
        ("2, 4, 2, dilation=2, groups=2, bias=False", normal(1, 2, 4, 4)),
        ("2, 2, 1", normal(2, 3, 3)),
        ("1, 2, (3, 2), padding='same'", normal(1, 1, 3, 4)),
        ("1, 2, 3, padding='valid', dilation=(1, 2)", normal(1, 1, 3, 6)),
        *[(f"1, 1, 3, {edge}", normal(1, 1, 4, 3)) for edge in PADDED],
        ("1, 1, (2, 3), padding=(1, 2), padding_mode='reflect'", normal(1, 1, 3, 4)),
        ("1, 1, (2, 4), padding='same', padding_mode='replicate'", normal(1, 1, 3, 4)),
    ),
    *rows(
        "ConvTranspose1d",
        ("2, 3, 3", normal(2, 2, 4)),
        ("2, 4, 3, stride=3, padding=1, output_padding=2, groups=2, bias=False", normal(1, 2, 3)),
        ("2, 2, 2, dilation=2", normal(2, 4)),
        ("2, 2, 3, stride=2", normal(1, 2, 4), {"call": lambda m, layer, x: layer(x, output_size=(10,))}),
    ),
    *rows(
        "ConvTranspose2d",
        ("2, 3, 2", normal(2, 2, 3, 2)),
        ("2, 2, (3, 2), stride=(2, 1), padding=(1, 0), output_padding=(1, 0)", normal(1, 2, 2, 3)),
        ("2, 4, 2, dilation=2, groups=2, bias=False", normal(1, 2, 2, 2)),
        ("2, 1, 2, stride=2", normal(2, 2, 2)),
        ("1, 1, 3, 2, 1", normal(1, 1, 3, 3), {"call": lambda m, layer, x: layer(x, output_size=(1, 1, 6, 5))}),
    ),
    # pooling
    *rows(
        "MaxPool1d", ("2", distinct(2, 2, 5)), ("3, 1, 1, ceil_mode=True", distinct(2, 6)), ("2, dilation=2", distinct(1, 6))
    ),
    *rows(
        "MaxPool2d",
        ("2", distinct(1, 2, 4, 4)),
        ("(3, 2), stride=(2, 1), padding=1", distinct(2, 4, 4)),
        ("2, return_indices=True, ceil_mode=True", distinct(1, 1, 5, 4)),
    ),
    *rows("AvgPool1d", ("2", normal(2, 2, 5)), ("3, 2, 1, count_include_pad=False", normal(2, 6))),
    *rows(
        "AvgPool2d",
        ("2", normal(1, 2, 4, 4)),
        ("(3, 2), stride=1, padding=1, ceil_mode=True", normal(1, 1, 4, 4)),
        ("2, divisor_override=3", normal(1, 4, 4)),
    ),
    *rows("AdaptiveAvgPool1d", ("3", normal(2, 2, 5))),
    *rows("AdaptiveAvgPool2d", ("1", normal(1, 2, 3, 4)), ("(2, None)", normal(2, 5, 3)), ("(3, 2)", normal(1, 1, 4, 5))),
    *rows("AdaptiveMaxPool1d", ("3", distinct(2, 2, 5))),
    *rows("AdaptiveMaxPool2d", ("(2, 3)", distinct(1, 2, 4, 4)), ("2, return_indices=True", distinct(1, 1, 4, 5))),
    *rows("LPPool1d", ("2, 3", positive(1, 2, 6)), ("1.5, 2, stride=1", positive(1, 2, 4))),
    *rows("LPPool2d", ("2, 2, ceil_mode=True", positive(1, 1, 4, 5))),
    *rows("MaxUnpool1d", ("2", normal(1, 1, 2), constant([[[1, 2]]]))),
    *rows("MaxUnpool2d", ("2", normal(1, 1, 2, 2), constant([[[[0, 3], [9, 14]]]]))),
    # normalisation
    *rows(
        "BatchNorm1d",
        ("3", normal(4, 3)),
        ("2, eps=1e-3, momentum=None", normal(3, 2, 3)),
        ("2, affine=False", normal(4, 2)),
        ("2, track_running_stats=False", normal(4, 2)),
        ("2, momentum=0.5, bias=False", normal(4, 2)),
    ),
    *rows("BatchNorm2d", ("2", normal(2, 2, 3, 2)), ("2, affine=False, track_running_stats=False", normal(2, 2, 2, 2))),
    *rows(
        "InstanceNorm1d",
        ("2", normal(2, 2, 4)),
        ("2, affine=True, track_running_stats=True", normal(2, 2, 3)),
        ("3", normal(3, 4)),
    ),
    *rows(
        "InstanceNorm2d",
        ("2, affine=True", normal(2, 2, 2, 3)),
        ("2, momentum=0.3, track_running_stats=True", normal(2, 2, 2, 2)),
    ),
    *rows(
        "LayerNorm",
        ("4", normal(2, 3, 4)),
        ("(3, 4), eps=1e-2", normal(2, 3, 4)),
        ("4, elementwise_affine=False", normal(2, 4)),
        ("4, bias=False", normal(2, 4)),
    ),
    *rows(
        "RMSNorm", ("4", normal(2, 3, 4)), ("(3, 4), eps=1e-2", normal(2, 3, 4)), ("4, elementwise_affine=False", normal(2, 4))
    ),
    *rows(
        "GroupNorm",
        ("2, 4", normal(2, 4, 3)),
        ("1, 2, affine=False", normal(2, 2, 2, 2)),
        ("2, 2, bias=False", normal(2, 2, 3)),
    ),
    # activation
    *[
        row
        for name in ("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Softsign", "LogSigmoid", "Sigmoid")
        for row in rows(name, ("", distinct(3, 5)))
    ],
    *[
        row
        for name in ("Tanh", "Tanhshrink", "GELU", "ELU", "CELU", "LeakyReLU", "Softplus", "Hardtanh")
        for row in rows(name, ("", distinct(3, 5)))
    ],
    *rows("Hardsigmoid", ("", distinct(3, 5), {"tolerance": 1e-7})),  # PyTorch rounds its 1/6 to float32
    *rows("ReLU", ("inplace=True", distinct(3, 5), {"call": on_copy})),
    *rows("LeakyReLU", ("0.2, inplace=True", distinct(3, 5), {"call": on_copy})),
    *rows("ELU", ("1.5", distinct(3, 5))),
    *rows("CELU", ("0.5", distinct(3, 5))),
    *rows("GELU", ("approximate='tanh'", distinct(3, 5))),
    *rows("Softplus", ("2.0, 1.5", distinct(3, 5))),
    *rows("Hardtanh", ("-0.55, 0.75", distinct(3, 5))),
    *rows("Hardshrink", ("", normal(3, 4)), ("0.35", distinct(3, 4))),
    *rows("Softshrink", ("", normal(3, 4)), ("0.35", distinct(3, 4))),
    *rows("Threshold", ("0.15, 20", distinct(3, 5))),
    *rows("PReLU", ("", distinct(2, 3, 2)), ("3, init=0.1", distinct(2, 3, 2))),
    *rows("RReLU", ("", distinct(3, 4), DRAWS), ("0.1, 0.2", distinct(3, 4), DRAWS)),
    *rows("GLU", ("", normal(2, 4)), ("0", normal(4, 3))),
    *rows("Softmax", ("1", normal(2, 3)), ("dim=0", normal(3, 2))),
    *rows("LogSoftmax", ("-1", normal(2, 3))),
    *rows("Softmin", ("1", normal(2, 3))),
    *rows("Softmax2d", ("", normal(2, 3, 2, 2))),
    # dropout
    *rows(
        "Dropout",
        ("", normal(4, 5), DRAWS),
        ("0.0", normal(4, 5)),
        ("1.0", normal(4, 5)),
        ("0.2, inplace=True", normal(3), {**DRAWS, "call": on_copy}),
    ),
    *rows("Dropout1d", ("0.3", normal(2, 3, 4), DRAWS)),
    *rows("Dropout2d", ("", normal(2, 3, 2, 2), DRAWS)),
    *rows("AlphaDropout", ("0.2", normal(4, 5), DRAWS)),
    *rows("FeatureAlphaDropout", ("0.2", normal(2, 3, 4), DRAWS)),
    # embedding and distance
    *rows(
        "Embedding",
        ("5, 3", integers(2, 4, high=5)),
        ("5, 3, padding_idx=-2", constant([[0, 3, 3], [1, 2, 3]]), {"numeric": False}),
        ("5, 2, scale_grad_by_freq=True", constant([0, 1, 1, 4]), {"numeric": False}),
        ("5, 2, max_norm=1.0, norm_type=1.5", constant([0, 1, 1, 4]), {"numeric": False}),
    ),
    *rows("CosineSimilarity", ("", normal(2, 3), normal(2, 3)), ("dim=0, eps=1e-2", normal(3, 2), normal(3, 2))),
    *rows("PairwiseDistance", ("", normal(2, 3), normal(2, 3)), ("p=3.0, keepdim=True", distinct(2, 3), positive(2, 3))),
    # losses
    *rows(
        "CrossEntropyLoss",
        ("", normal(3, 4), integers(3, high=4)),
        ("reduction='sum', label_smoothing=0.1, ignore_index=2", normal(3, 4), constant([0, 2, 3])),
        ("m.tensor([0.5, 1.0, 2.0])", normal(2, 3, 2), integers(2, 2, high=3)),
        ("", normal(2, 3), normal(2, 3), {"call": lambda m, layer, x, t: layer(x, t.softmax(1)), "note": "probabilities"}),
    ),
    *rows(
        "NLLLoss",
        ("", normal(3, 4), integers(3, high=4)),
        ("m.tensor([0.5, 1.0, 2.0]), reduction='none'", normal(4, 3), constant([0, 1, 2, 2])),
    ),
    *rows(
        "BCELoss",
        (
            "",
            Input(lambda rng: rng.uniform(0.1, 0.9, (2, 3))),
            booleans(2, 3),
            {"call": lambda m, layer, x, t: layer(x, t.double())},
        ),
    ),
    *rows(
        "BCEWithLogitsLoss",
        ("", normal(2, 3), booleans(2, 3), {"call": lambda m, layer, x, t: layer(x, t.double())}),
        (
            "m.tensor([1.0, 2.0, 0.5]), pos_weight=m.tensor([3.0])",
            normal(2, 3),
            booleans(2, 3),
            {"call": lambda m, layer, x, t: layer(x, t.double())},
        ),
    ),
    *rows("MSELoss", ("", normal(2, 3), normal(2, 3)), ("reduction='sum'", normal(2, 3), normal(2, 3))),
    *rows("L1Loss", ("", distinct(2, 3), positive(2, 3))),
    *rows(
        "SmoothL1Loss",
        ("", distinct(2, 3), constant(np.zeros((2, 3)))),
        ("beta=0.6, reduction='none'", distinct(2, 3), constant(np.zeros((2, 3)))),
    ),
    *rows("HuberLoss", ("delta=0.55", distinct(2, 3), constant(np.zeros((2, 3))))),
    *rows(
        "KLDivLoss",
        ("reduction='batchmean'", normal(2, 3), positive(2, 3)),
        ("reduction='sum', log_target=True", normal(2, 3), normal(2, 3)),
    ),
    *rows(
        "TripletMarginLoss",
        ("", normal(2, 3), normal(2, 3), normal(2, 3)),
        ("margin=5.0, p=3.0, swap=True", normal(2, 3), normal(2, 3), normal(2, 3)),
    ),
    *rows("TripletMarginWithDistanceLoss", ("margin=5.0", normal(2, 3), normal(2, 3), normal(2, 3), {"same_repr": False})),
    *rows(
        "PoissonNLLLoss",
        ("", normal(2, 3), positive(2, 3)),
        ("log_input=False, full=True", positive(2, 3), constant([[1.5, 2.0, 3.0]] * 2)),
    ),
    *rows("GaussianNLLLoss", ("full=True", normal(2, 3), normal(2, 3), positive(2, 3))),
    *rows(
        "SoftMarginLoss", ("", normal(2, 3), constant([[1, -1, 1]] * 2), {"call": lambda m, layer, x, t: layer(x, t.double())})
    ),
    *rows("HingeEmbeddingLoss", ("0.75", distinct(2, 3), constant([[1, -1, 1]] * 2))),
    *rows("CosineEmbeddingLoss", ("0.1", normal(3, 3), normal(3, 3), constant([1, -1, 1]))),
    *rows("MarginRankingLoss", ("0.3", normal(3), normal(3), constant([1, -1, 1]))),
    # size
    *rows(
        "Upsample",
        ("scale_factor=2", normal(1, 2, 3)),
        ("size=(5, 3), mode='nearest'", normal(1, 1, 2, 3)),
        ("scale_factor=(2, 3), mode='bilinear'", normal(1, 1, 2, 3)),
        ("size=7, mode='linear', align_corners=True", normal(1, 2, 3)),
    ),
    *rows("UpsamplingNearest2d", ("scale_factor=2", normal(1, 1, 2, 3))),
    *rows("UpsamplingBilinear2d", ("size=(3, 4)", normal(1, 1, 2, 3))),
    *rows("PixelShuffle", ("2", normal(1, 8, 2, 2))),
    *rows("PixelUnshuffle", ("2", normal(1, 1, 4, 4))),
    *rows("ZeroPad1d", ("1", normal(1, 2, 3))),
    *rows("ZeroPad2d", ("1", normal(1, 2, 3, 2)), ("(1, 0, 2, -1)", normal(1, 3, 2))),
    *rows("ConstantPad1d", ("(2, 1), 3.5", normal(1, 2, 3))),
    *rows("ConstantPad2d", ("(1, 0, 2, 0), 7", normal(1, 2, 2, 3))),
    *[
        row
        for kind in ("Reflection", "Replication", "Circular")
        for row in rows(f"{kind}Pad1d", ("(2, 1)", normal(1, 2, 3)))
        + rows(f"{kind}Pad2d", ("1", normal(1, 3, 3)), ("(1, 2, 0, 1)", normal(1, 2, 3, 3)))
    ],
    *rows("Unfold", ("2", normal(1, 2, 3, 4)), ("(2, 3), dilation=1, padding=1, stride=2", normal(1, 1, 4, 4))),
    *rows("Fold", ("(3, 4), 2", normal(1, 8, 6)), ("(4, 4), (2, 3), padding=1, stride=2", normal(1, 6, 6))),
]


def keys_and_shapes(layer: Any) -> dict[str, list[int]]:
    """The state of a layer: names and shapes, in order."""
    return {name: list(tensor.shape) for name, tensor in layer.state_dict().items()}


def record() -> None:
    """Write what PyTorch says of each row."""
    import torch

    said = {}
    for row in LAYERS:
        layer = row.build(torch)
        said[row.name] = {"state": keys_and_shapes(layer), "repr": repr(layer) if row.same_repr else None}
    RECORDED.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record()
