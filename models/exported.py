"""Trained models as other programs run them: what goes into each one's ONNX file, what comes out, and what else they must know.

    minigrad export MODEL --onnx FILE

A classifier takes images as they are decoded, a generator noise. What goes on step by step (a text, a translation, handwriting)
is written as one step, with the state that goes in and comes out: the loop and the choice of what comes next are the caller's.
A translator is two files, an encoder that runs once for a sentence and a step of the decoder, as they run at different times;
so is a detector: what says of each anchor whether something is there, and what looks at the regions that come of it.
All that a caller needs beside the numbers, such as classes and vocabularies, stands in the file's metadata as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.errors import RunError
from minigrad.interop.onnx_export import Comparison, Exported, compare, export
from minigrad.interop.onnx_graph import Input
from minigrad.models.anchors import LARGEST_STEP
from minigrad.models.classifier import Classifier
from minigrad.models.detector import FINAL, Detector
from minigrad.models.detector_layers import MASK_SIDE, SIDE
from minigrad.models.finder import Finder
from minigrad.models.imaginer import Imaginer
from minigrad.models.scribe import Scribe
from minigrad.models.seq2seq import BOS, EOS, PAD, UNKNOWN, Encoded
from minigrad.models.seq2seq import State as Decoding
from minigrad.models.translator import Translator
from minigrad.models.translator_card import Card as TranslatorCard
from minigrad.models.writer import Writer
from minigrad.train.trained import Trained

WHERE = "export"


class Piece(NamedTuple):
    """What becomes one file.

    Attributes:
        part: what is added to the file's name where a model has several: ``"encoder"``, ``"decoder"``; else empty.
        call: Tensors in, Tensors out.
        network: whose weights it has, under the names of its ``state_dict``.
        inputs, outputs: in order.
        about: metadata, by name.
    """

    part: str
    call: Callable[..., Any]
    network: nn.Module
    inputs: list[Input]
    outputs: list[str]
    about: dict[str, str]

    def export(self) -> Exported:
        """The model.

        Raises:
            ExportError: an op has no mapping.
            DataError: onnx is not installed.
        """
        weights = dict(self.network.state_dict())
        return export(self.call, self.inputs, self.outputs, weights=weights, about=self.about, title=self.part or "network")

    def compare(self, exported: Exported) -> Comparison:
        """The model in onnxruntime beside the network.

        Raises:
            ExportError: it gives other results.
            DataError: onnxruntime is not installed.
        """
        return compare(self.call, exported)


def pieces(model: str) -> list[Piece]:
    """The files that a trained model becomes.

    Args:
        model: a run folder, or the name of a model.

    Raises:
        RunError: there is none, or none of its task can be exported.
        FileFormatError: a damaged file.
    """
    task = Trained.open(model).config()["task"]
    if task not in TASKS:
        raise RunError(WHERE, model, f"a model of one of the tasks {', '.join(TASKS)}", f"one of the task {task}")
    return TASKS[task](model)


def _about(task: str, what: Mapping[str, Any]) -> dict[str, str]:
    return {"minigrad.task": task, **{f"minigrad.{key}": json.dumps(value) for key, value in what.items()}}


def _eval(network: nn.Module) -> nn.Module:
    return network.cpu().eval()


# ---------------------------------------------------------------------- images


def classifier(model: str) -> list[Piece]:
    """Images as they are decoded, uint8 (N, C, H, W), to logits (N, K). What is done to the pixels first is part of it."""
    card, network = (loaded := Classifier.load(model, whole=True)).card, _eval(loaded.network)
    mean, std = (minigrad.tensor(row, device="cpu").reshape(1, -1, 1, 1) for row in (card.mean, card.std))

    def call(images: Tensor) -> Any:
        return card.logits(network, (images.float() / 255 - mean) / std)

    about = {"classes": card.classes, "shape": card.shape, "crop": card.crop}
    return [
        Piece("", call, network, [Input("images", ("N", *card.shape), np.uint8, 256)], ["logits"], _about("classify", about))
    ]


def generator(model: str) -> list[Piece]:
    """Noise (N, Z), and labels (N,) where there are classes, to images (N, C, H, W) from -1 to 1."""
    card, network = (loaded := Imaginer.load(model)).card, _eval(loaded.network)
    inputs = [Input("noise", ("N", card.noise))]
    if card.classes:
        inputs.append(Input("labels", ("N",), np.int64, len(card.classes)))
    return [Piece("", network, network, inputs, ["images"], _about("gan", {"classes": card.classes, "shape": card.shape}))]


# ---------------------------------------------------------------------- a step at a time


def text(model: str) -> list[Piece]:
    """One character (B,) and the state, to logits (B, V) of the next and the state; it begins with zeros."""
    card, net = (loaded := Writer.load(model)).card, loaded.network
    _eval(net)
    shape, names = (len(net.layers), "B", net.hidden), ["h", "c"] if net.cell == "lstm" else ["h"]

    def call(token: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        logits, after = net(token.unsqueeze(0), state)
        return (logits.squeeze(0), *after)

    inputs = [Input("token", ("B",), np.int64, net.vocabulary), *(Input(name, shape) for name in names)]
    outputs = ["logits", *(f"{name}_after" for name in names)]
    return [Piece("", call, net, inputs, outputs, _about("text", {"vocabulary": card.vocabulary.to_config()}))]


def translator(model: str) -> list[Piece]:
    """An encoder, and a step of the decoder.

    The encoder reads sentences of one length, int64 (S, B), each with its end; it gives what stands for each word, and the
    state in which the decoder begins. A step takes the word before, (B,), first ``BOS``, and the state, and gives logits (B, V)
    and the state after it; with attention also the weight of each of the source's words (B, S).
    """
    net = Translator.load(model).network
    card = TranslatorCard.of(Trained.open(model).config("translate").get("model"), model)
    _eval(net)
    states, looks, layers = (2 if net.cell == "lstm" else 1), net.attention is not None, len(net.decoder)
    keyed = net.attention is not None and net.attention.score != "dot"
    shapes: dict[str, tuple[int | str, ...]] = dict.fromkeys(("h", "c")[:states], (layers, "B", net.hidden))
    if net.feeding:
        shapes["fed"] = ("B", net.head.in_features)
    read: dict[str, tuple[int | str, ...]] = {}
    if looks:
        read = {"memory": ("B", "S", net.hidden), **({"keys": ("B", "S", net.hidden)} if keyed else {})} if looks else {}

    def stacked(state: Decoding) -> list[Tensor]:
        parts = [minigrad.stack(each) for each in zip(*state.layers)]
        return parts if state.fed is None else [*parts, state.fed]

    def encode(source: Tensor) -> tuple[Tensor, ...]:
        found = net.encode(source)
        memory = [found.memory, found.keys][: len(read)]
        return (*[part for part in memory if part is not None], *stacked(found.state))

    def step(word: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        known, state = given[: len(read)], given[len(read) :]
        begun = Decoding(tuple(zip(*[part.unbind(0) for part in state[:states]])), state[states] if net.feeding else None)
        memory = known[0] if looks else state[0].new_zeros((word.shape[0], 1, net.hidden))
        encoded = Encoded(memory, known[1] if keyed else memory, None, begun)
        features, after, weights = net.step(word, begun, encoded)
        found = [net.head(features), *stacked(after)]
        return tuple(found if weights is None else [*found, weights])

    special = {"pad": PAD, "unknown": UNKNOWN, "begin": BOS, "end": EOS}
    words = {"languages": card.languages, "special": special}
    source = _about("translate", {**words, "vocabulary": card.source.to_config()})
    target = _about("translate", {**words, "vocabulary": card.target.to_config()})
    known = [Input(name, shape) for name, shape in {**read, **shapes}.items()]
    after = ["logits", *(f"{name}_after" for name in shapes), *(["weights"] if looks else [])]
    return [
        Piece("encoder", encode, net, [Input("source", ("S", "B"), np.int64, net.source_words)], [*read, *shapes], source),
        Piece("decoder", step, net, [Input("word", ("B",), np.int64, net.target_words), *known], after, target),
    ]


def handwriting(model: str) -> list[Piece]:
    """One point (B, 3), a text as its letters' numbers (B, U), and the state, to outputs, the state and the letters' weights.

    The state begins with zeros, and the first point is ``(0, 0, 1)``. Outputs are those of ``F.bivariate_mixture_nll``, and
    last the logit of the chance that nothing follows.
    """
    from minigrad.models.handwriting import State

    card, network = (loaded := Scribe.load(model)).card, loaded.network
    _eval(network)
    net: Any = network

    def call(point: Tensor, text: Tensor, h: Tensor, c: Tensor, shown: Tensor, kappa: Tensor) -> tuple[Tensor, ...]:
        first, second, third = zip(h.unbind(0), c.unbind(0))
        outputs, after, weights = net(point.unsqueeze(0), net.letters(text), State(first, second, third, shown, kappa))
        lasts = [minigrad.stack(parts) for parts in zip(after.first, after.second, after.third)]
        return outputs.squeeze(0), *lasts, after.shown, after.kappa, weights.squeeze(0)

    hidden = net.first.hidden_size
    state = [Input("h", (3, "B", hidden)), Input("c", (3, "B", hidden)), Input("shown", ("B", net.alphabet))]
    state.append(Input("kappa", ("B", net.windows)))
    inputs = [Input("point", ("B", 3)), Input("text", ("B", "U"), np.int64, net.alphabet), *state]
    outputs = ["outputs", *(f"{given.name}_after" for given in state), "weights"]
    kept = {key: value for key, value in card.to_config().items() if key != "options"}
    return [Piece("", call, net, inputs, outputs, _about("handwriting", {**kept, "mixtures": net.mixtures}))]


# ---------------------------------------------------------------------- regions of images


def finder(model: str) -> list[Piece]:
    """A detector of the task, for a square canvas whose side is what the longer side of a photo is brought to.

    See ``detector``; images are bytes, and what is beside the photo is filled with the mean of the metadata.
    """
    known = Trained.open(model).config("detect").get("model")
    if isinstance(known, dict) and known.get("network") == "mtcnn":
        got = "mtcnn, a cascade that cuts images between its three networks"
        raise RunError(WHERE, model, "a detector that minigrad train detect made", got)
    card, net = (loaded := Finder.load(model)).card, loaded.network
    side = -(-card.side // net.multiple) * net.multiple
    about = {"classes": card.classes, "side": card.side, "tile": card.tile}
    return detector(net, (side, side), pixels=(card.mean, card.std), about=about)


def detector(
    net: Detector,
    shape: tuple[int, int],
    *,
    pixels: Sequence[Sequence[float]] | None = None,
    about: Mapping[str, Any] | None = None,
) -> list[Piece]:
    """A detector up to where its boxes are many, and those that overlap go: that is the caller's.

    The first file takes images (N, C, H, W) of one size, and gives of each of A anchors the chances (N, A, K) and the box in
    pixels (N, A, 4); of two stages the chance is that of any object, and the maps of the pyramid are given too. Regions that
    RoIAlign cuts out of these maps then go through ``boxes``, (R, C, 7, 7) to the chances (R, K + 1), the first that of
    nothing, and steps to a better box (R, 4); and through ``masks``, (R, C, 14, 14) to (R, K, 28, 28).

    Args:
        net: with its weights.
        shape: (H, W), multiples of ``net.multiple``.
        pixels: mean and deviation of the pixels of each channel, from 0 to 1: images are bytes then, else as the network takes
            them.
        about: metadata.

    Example:
        >>> net = Detector(3, sizes=(16, 32), strides=(4, 8), width=8, channels=8, hidden=16)
        >>> [(piece.part, piece.outputs) for piece in detector(net, (32, 48))]
        [('anchors', ['chances', 'boxes', 'map_4', 'map_8']), ('boxes', ['chances', 'steps'])]
    """
    _eval(net)
    height, width = shape
    anchors = minigrad.tensor(np.concatenate(net.anchors(shape)), device="cpu")
    middle, size = (anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:] - anchors[:, :2]
    end = minigrad.tensor([float(width), float(height)], device="cpu")
    scale = [minigrad.tensor(list(row), device="cpu").reshape(1, -1, 1, 1) for row in pixels or ()]

    def find(images: Tensor) -> tuple[Tensor, ...]:
        if scale:
            images = (images.float() / 255 - scale[0]) / scale[1]
        maps = net.pyramid(images)
        scores, steps = net.proposer(maps)
        centre, half = middle + steps[:, :, :2] * size, size * steps[:, :, 2:].clamp(max=LARGEST_STEP).exp() / 2
        corners = [minigrad.minimum(corner.clamp(min=0), end) for corner in (centre - half, centre + half)]
        found = scores.sigmoid(), minigrad.cat(corners, 2)
        return (*found, *maps) if net.stages == 2 else found

    told = _about(
        "detect",
        {
            **(about or {}),
            "mean": pixels and pixels[0],
            "shape": shape,
            "strides": net.strides,
            "sizes": net.sizes,
            "weights": FINAL,
        },
    )
    channels = net.pyramid.backbone.in_channels
    maps = [f"map_{stride}" for stride in net.strides] if net.stages == 2 else []
    outputs = ["chances", "boxes", *maps]
    size_of = ("N", channels, height, width)
    given = Input("images", size_of) if pixels is None else Input("images", size_of, np.uint8, 256)
    made = [Piece("anchors", find, net, [given], outputs, told)]
    wide = net.proposer.conv.in_channels
    if net.box_head is not None:
        head: Any = net.box_head

        def judge(regions: Tensor) -> tuple[Tensor, Tensor]:
            logits, steps = head(regions)
            return F.softmax(logits, dim=1), steps

        regions = [Input("regions", ("R", wide, SIDE, SIDE))]
        made.append(Piece("boxes", judge, net, regions, ["chances", "steps"], told))
    if net.mask_head is not None:
        mask_head: Any = net.mask_head
        regions = [Input("regions", ("R", wide, MASK_SIDE, MASK_SIDE))]
        made.append(Piece("masks", lambda regions: mask_head(regions).sigmoid(), net, regions, ["chances"], told))
    return made


TASKS: dict[str, Callable[[str], list[Piece]]] = {
    "classify": classifier,
    "gan": generator,
    "text": text,
    "translate": translator,
    "handwriting": handwriting,
    "detect": finder,
}
