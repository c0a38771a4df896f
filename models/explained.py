"""A text as a model of text sees it: what surprised it, what every unit did, and which units track what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad.data.characters import Characters
from minigrad.errors import ArgumentError
from minigrad.models.inside import SIGNALS, SIGNED, pieces
from minigrad.models.sampling import log_softmax
from minigrad.models.tracking import Track, Tracking, changing, features
from minigrad.models.writer import Surprise, Writer

SHOWN = 4_000  # characters that are kept with all that units did, at most,
ROOM = 12_000_000  # and numbers of it
EXPECTED = 3  # likeliest characters that are told at each
UNTRAINED = 8  # networks that tell what chance does,
CONTROL, STRETCHES = 20_000, 20  # by so many characters at most, in so many stretches of a longer text


class Explained(NamedTuple):
    """What was found of n characters, and of the first N of them in every detail.

    Attributes:
        surprise: of all n.
        labels: the N characters, as they are shown.
        expected: at each of the N, the likeliest characters in its place and their probabilities; at the first none.
        signals: the names of what is told of each unit.
        values: uint8 (layers, signals, H, N): each signal after each character, from 0 to 1 as 0 to 254, or from -1 to 1.
        tracks: the layer of each unit that tracks something, and what; the unit's number is that in its layer.
        unjudged: what no unit can be said to track, as it changes in the text, but nowhere that untrained networks read.
    """

    surprise: Surprise
    labels: list[str]
    expected: list[list[tuple[str, float]]]
    signals: tuple[str, ...]
    values: np.ndarray
    tracks: list[tuple[int, Track]]
    unjudged: list[str]


def explain(
    writer: Writer, text: str | bytes, *, unknown: str = "refuse", shown: int = SHOWN,
    progress: Callable[[int, int], None] | None = None,
) -> Explained:  # fmt: skip
    """Look at a text of any length as a model reads it.

    What untrained networks do, which is chance, is told by all of a text of up to 20,000 characters, and of a longer one by
    as many, in stretches from all over it.

    Args:
        writer: the model.
        text: what it reads.
        unknown: what becomes of characters that it does not know: see ``Characters.encode``.
        shown: how many characters are kept in every detail; of a large network fewer.
        progress: called as ``progress(read, all)``.

    Raises:
        ArgumentError: the text has fewer than two characters.
        DataError: characters that the model does not know.

    Example:
        >>> from minigrad.models.char_lstm import Card
        >>> options = {"cell": "lstm", "hidden": 8, "layers": 2, "embedding": 0, "dropout": 0.0, "layer_norm": False}
        >>> card = Card(Characters("ab"), {**options, "tied": False}, 16)
        >>> explain(Writer(card, card.build()), "abba").values.shape
        (2, 6, 8, 4)
    """
    vocabulary, network = writer.vocabulary, writer.network
    ids = vocabulary.encode(text, unknown=unknown)
    if len(ids) < 2:
        expected = "at least two characters, the second of which can be expected after the first"
        raise ArgumentError("explain", "text", expected, str(len(ids)))
    signals, layers, hidden = SIGNALS[network.cell], len(network.layers), network.hidden
    kept = min(len(ids), shown, max(1, ROOM // (layers * len(signals) * hidden)))
    values = np.empty((layers, len(signals), hidden, kept), np.uint8)
    nats, likeliest = np.full(len(ids), np.nan), [list[tuple[str, float]]()]
    names = [vocabulary.decode([id]) if vocabulary.kind == "characters" else _of_byte(id) for id in range(len(vocabulary))]
    known, places = features("".join([vocabulary.symbols[id] for id in ids])), spread(len(ids), CONTROL)
    tracking = Tracking(known, layers * hidden)
    total = len(ids) + UNTRAINED * len(places)
    for start, logits, found in pieces(writer, ids):
        after = ids[start + 1 : start + len(logits) + 1]
        shares = log_softmax(logits[: len(after)])
        nats[start + 1 : start + 1 + len(after)] = -shares[np.arange(len(after)), after]
        for row in shares[: max(0, kept - len(likeliest))]:
            best = np.argsort(-row, kind="stable")[:EXPECTED]
            likeliest.append([(names[id], float(np.exp(row[id]))) for id in best])
        for layer, by_name in enumerate(found):
            for place, name in enumerate(signals):
                told = by_name[name][: max(0, kept - start)]
                scaled = 127 + 127 * told if name in SIGNED else 254 * told
                values[layer, place, :, start : start + len(told)] = np.rint(scaled.clip(0, 254)).T
        tracking.add(np.concatenate([by_name[signals[0]] for by_name in found], axis=1))
        if progress is not None:
            progress(start + len(logits), total)
    there = changing({name: values[places] for name, values in known.items()})
    chance = _of_untrained(writer, ids[places], there, lambda done: progress and progress(len(ids) + done, total))
    tracks = [(track.unit // hidden, track._replace(unit=track.unit % hidden)) for track in tracking.tracks(untrained=chance)]
    unjudged = [name for name in known if name not in there]
    return Explained(Surprise(ids, nats), labels(vocabulary, ids[:kept]), likeliest, signals, values, tracks, unjudged)


def spread(size: int, most: int) -> np.ndarray:
    """Places int64 (n,) all over a text of ``size`` characters: all, or some ``most``, in stretches far apart.

    Example:
        >>> spread(3, 40).tolist(), spread(80, 40)[:6].tolist(), spread(80, 40)[-2:].tolist()
        ([0, 1, 2], [0, 1, 4, 5, 8, 9], [78, 79])
    """
    if size <= most:
        return np.arange(size)
    length = max(1, most // STRETCHES)
    starts = np.linspace(0, size - length, STRETCHES).astype(np.int64)
    return (starts[:, None] + np.arange(length)).reshape(-1)


def _of_untrained(
    writer: Writer, ids: np.ndarray, known: Mapping[str, np.ndarray], progress: Callable[[int], Any]
) -> dict[str, float]:
    """How closely any unit of networks like the writer's that learned nothing goes along with each feature of a text."""
    signal, done = SIGNALS[writer.network.cell][0], 0
    found: dict[str, float] = {}
    for seed in range(UNTRAINED):
        with minigrad.random.fork_rng(), minigrad.default_device(next(writer.network.parameters()).device):
            minigrad.manual_seed(seed)
            network = writer.card.build()
        tracking = Tracking(known, len(network.layers) * network.hidden)
        for piece in pieces(Writer(writer.card, network), ids):
            tracking.add(np.concatenate([by_name[signal] for by_name in piece.layers], axis=1))
            done += len(piece.logits)
            progress(done)
        found = {name: max(found.get(name, 0.0), value) for name, value in tracking.largest().items()}
    return found


def labels(vocabulary: Characters, ids: np.ndarray) -> list[str]:
    """The characters of numbers, as they are shown one by one: a character of several bytes stands at the last of them.

    Example:
        >>> labels(Characters(kind="bytes"), np.frombuffer("né\\xff".encode("latin-1"), np.uint8))
        ['n', 'e9', 'ff']
        >>> labels(Characters(kind="bytes"), np.frombuffer("né".encode(), np.uint8))
        ['n', 'c3', 'é']
    """
    if vocabulary.kind == "characters":
        return [vocabulary.symbols[id] for id in ids]
    decoder, found = vocabulary.decoder(), []
    for id in ids:
        text = decoder.feed(int(id))
        found.append(text if text and "\ufffd" not in text else _of_byte(int(id)))
    return found


def _of_byte(id: int) -> str:
    return chr(id) if id < 128 else f"{id:02x}"
