"""What goes on inside a model of text: gates and cells beside the kernels', units that track something, surprise."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad
from minigrad.data.characters import Characters
from minigrad.errors import ArgumentError, DataError
from minigrad.kernels import gru as gru_kernel
from minigrad.kernels import lstm as lstm_kernel
from minigrad.models import explained, inside, writer
from minigrad.models.explained import explain
from minigrad.models.inside import SIGNALS, SIGNED, pieces
from minigrad.models.tracking import Correlation, Tracking, features
from minigrad.models.writer import Writer
from tests import text_models

TEXT = 'A bad "cab".\n(Add)\n'
CELLS = ("lstm", "gru", "rnn")


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of a few letters come in several pieces."""
    monkeypatch.setattr(inside, "CHUNK", 4)
    monkeypatch.setattr(writer, "CHUNK", 4)


def signals(model: writer.Writer, text: str) -> list[dict[str, np.ndarray]]:
    """Of each layer every signal after every character of a text."""
    found = list(pieces(model, model.vocabulary.encode(text)))
    assert [piece.start for piece in found] == list(range(0, len(text), 4))
    layers = range(len(model.network.layers))
    return [
        {name: np.concatenate([piece.layers[layer][name] for piece in found]) for name in found[0].layers[layer]}
        for layer in layers
    ]


def weights(layer: object) -> list[np.ndarray]:
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return [getattr(layer, name).detach().numpy() for name in names]


@pytest.mark.parametrize("cell", CELLS)
def test_signals_are_what_the_kernels_keep(cell: str) -> None:
    model = text_models.writer(cell=cell, sharp=2.0)
    network, found = model.network, signals(model, TEXT)
    x = network.embedding(minigrad.tensor(model.vocabulary.encode(TEXT))).detach().numpy()
    for layer, by_name in zip(network.layers, found, strict=True):
        assert tuple(by_name) == SIGNALS[cell]
        zeros, steps = np.zeros((1, network.hidden)), [1] * len(TEXT)
        if cell == "lstm":
            h, c, gates = lstm_kernel.forward(x, steps, zeros, zeros, *weights(layer))
            i, f, g, o = np.split(gates, 4, axis=1)
            expected = [np.tanh(c), h, i, f, g, o]
        elif cell == "gru":
            h, gates = gru_kernel.forward(x, steps, zeros, *weights(layer))
            r, z, n, _ = np.split(gates, 4, axis=1)
            expected = [h, r, z, n]
        else:
            with minigrad.no_grad():
                h = layer(minigrad.tensor(x[:, None]))[0].numpy()[:, 0]
            expected = [h]
        for values, right in zip(by_name.values(), expected, strict=True):
            assert values == pytest.approx(right, abs=1e-10)
        x = h


def test_logits_of_pieces_are_those_of_the_text() -> None:
    model = text_models.writer()
    found = np.concatenate([piece.logits for piece in pieces(model, model.vocabulary.encode(TEXT))])
    with minigrad.no_grad():
        whole, _ = model.network(minigrad.tensor(model.vocabulary.encode(TEXT)[:, None]))
    assert found == pytest.approx(whole.numpy()[:, 0], abs=1e-10)


def test_no_hook_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    model = text_models.writer()
    signals(model, TEXT)
    monkeypatch.setattr(type(model), "forward", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        signals(model, TEXT)
    assert not any(layer._hooks and layer._hooks.forward for layer in model.network.layers)


# ---------------------------------------------------------------------- what a reader knows


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("inside quotes", 'a "b" c', "0011000"),
        ("inside quotes", "“a” «b»", "1100110"),
        ("inside quotes", 'a "b\nc\n\nd"e"', "001111100110"),
        ("inside single quotes", "it's 'a' b", "0000011000"),
        ("inside single quotes", "'tis\nso", "1111000"),
        ("inside brackets", "a (b [c]) d", "00111221000"),
        ("inside brackets", ")(a\n\nb)c", "01110000"),
        ("a line's end comes", "ab\n\nc", "01100"),
        ("a capital", "aBÉ\n", "0110"),
        ("place in the line", "ab\nc", "1201"),
        ("indentation", "  a b\n\tc", "12222011"),
        ("inside a word", "a-b 1", "10101"),
    ],
)  # fmt: skip
def test_what_a_reader_knows(name: str, text: str, expected: str) -> None:
    assert "".join(str(int(value)) for value in features(text)[name]) == expected


def test_what_never_changes_is_left_out() -> None:
    assert features("") == {}
    assert set(features("ab")) == {"place in the line"}


# ---------------------------------------------------------------------- correlation


def test_correlation_in_pieces_is_numpys() -> None:
    rng = np.random.default_rng(0)
    x, f = rng.normal(size=(50, 4)), rng.normal(size=(50, 3)) + 7
    x[:, 2], f[:, 1] = 0.3, 2.0  # which never change
    found = Correlation(4, 3)
    for start in range(0, 50, 7):
        found.add(x[start : start + 7], f[start : start + 7])
    moving = found.values()[np.ix_([0, 1, 3], [0, 2])]
    assert moving == pytest.approx(np.corrcoef(x[:, [0, 1, 3]].T, f[:, [0, 2]].T)[:3, 3:], abs=1e-9)
    assert not found.values()[2].any() and not found.values()[:, 1].any()


def test_the_unit_that_tracks_is_found_among_many() -> None:
    """A unit that is made of a feature and noise, among units of noise; and none where all are noise."""
    rng = np.random.default_rng(1)
    text = 'He said "no" (or so).\nThen "yes", and went Home.\n' * 40
    quotes = features(text)["inside quotes"]
    noise = np.tanh(rng.normal(size=(len(text), 60)))
    planted = noise.copy()
    planted[:, 37] = 1 - 2 * quotes + 0.3 * noise[:, 37]
    for units, right in ((planted, 37), (noise, None)):
        tracking = Tracking(features(text), 60)
        for start in range(0, len(text), 100):
            tracking.add(units[start : start + 100])
        found = [track for track in tracking.tracks() if track.feature == "inside quotes"]
        if right is None:
            assert all(abs(track.correlation) < 0.1 for track in found)
        else:
            assert (found[0].unit, found[0].correlation < -0.9) == (right, True)
            assert found[0].chance < 0.5


def test_a_text_that_says_nothing() -> None:
    for text in ("aaaa", "\n\n\n\n"):
        tracking = Tracking(features(text), 3)
        tracking.add(np.ones((4, 3)))
        assert tracking.tracks() == []


# ---------------------------------------------------------------------- all of it


@pytest.mark.parametrize("cell", CELLS)
def test_explained(cell: str) -> None:
    model = text_models.writer(cell=cell)
    seen: list[tuple[int, int]] = []
    found = explain(model, TEXT, progress=lambda *now: seen.append(now))
    assert found.surprise.nats[1:] == pytest.approx(model.score(TEXT).nats[1:], abs=1e-9)
    assert found.labels == list(TEXT) and found.signals == SIGNALS[cell] and seen[3:] and seen[-1] == (171, 171)
    assert found.values.shape == (2, len(SIGNALS[cell]), 6, 19)
    for layer, by_name in enumerate(signals(model, TEXT)):
        for place, name in enumerate(found.signals):
            told = found.values[layer, place].T.astype(float)
            exact = told / 127 - 1 if name in SIGNED else told / 254
            assert exact == pytest.approx(by_name[name], abs=0.0045)
    assert all(0 <= layer < 2 and 0 <= track.unit < 6 for layer, track in found.tracks)


def speech(lines: int, seed: int) -> str:
    """Lines of some words, with capitals, brackets, and what is said in quotes."""
    rng, marks = np.random.default_rng(seed), ("“{}”", "({})", "{}", "{}.")
    words = [
        [marks[rng.integers(4)].format("a dab bed cab face ade".title().split()[rng.integers(6)])] for _ in range(6 * lines)
    ]
    words = [[word[0] if rng.random() < 0.2 else word[0].lower()] for word in words]
    return "".join(word[0] + ("\n" if rng.random() < 0.15 else " ") for word in words)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("seed", [100, 101, 102])
def test_a_network_that_learned_nothing_tracks_nothing(cell: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "CHUNK", 256)
    text = speech(80, seed)
    model = text_models.writer("".join(sorted(set(text))), seed=seed, sharp=1.0, cell=cell, hidden=24, embedding=12)
    state = minigrad.get_rng_state()
    assert explain(model, text).tracks == []
    assert (minigrad.get_rng_state() == state).all()


def planted(text: str) -> Writer:
    """A cell that opens at an opening quote and is cleared at a closing one, in a network that learned nothing else."""
    symbols = "".join(sorted(set(text)))
    model = text_models.writer(symbols, sharp=1.0, hidden=24, layers=1, embedding=0)
    layer = model.network.layers[0]
    with minigrad.no_grad():
        for row, other, sign, strength in ((5, -10.0, "“", 20.0), (29, 10.0, "”", -20.0), (53, 10.0, "“", 0.0)):  # i f g
            layer.weight_ih_l0[row] = 0
            layer.weight_hh_l0[row] = 0
            layer.bias_ih_l0[row] = 0
            layer.bias_hh_l0[row] = other
            layer.weight_ih_l0[row, symbols.index(sign)] = strength
    return model


@pytest.mark.parametrize("preface", [0, 80], ids=["quotes from the beginning", "a long preface without quotes"])
def test_a_planted_unit_is_told(preface: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "CHUNK", 256)
    before = speech(preface, 1).replace("“", "").replace("”", "")
    text = before + speech(80, 0)
    if before:
        monkeypatch.setattr(explained, "CONTROL", len(before))
    found = explain(planted(text), text)
    (layer_number, track), *others = [one for one in found.tracks if one[1].feature == "inside quotes"]
    assert (layer_number, track.unit) == (0, 5) and track.correlation > 0.99 and track.chance < 0.8 and not others
    assert not found.unjudged


def test_a_feature_of_which_nothing_is_known_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes only where untrained networks do not read: how far they would come is not known."""
    monkeypatch.setattr(explained, "CONTROL", 100)
    text = "a bed " * 19 + "a “b” " + "a bed " * 19
    assert not {"“", "”"} & {text[place] for place in explained.spread(len(text), 100)}
    found = explain(planted(text), text)
    assert not [track for _, track in found.tracks if track.feature == "inside quotes"]
    assert found.unjudged == ["inside quotes"]


def test_the_likeliest_are_told() -> None:
    found = explain(text_models.cycling("abc"), "abca")
    assert found.expected[0] == []
    assert [likely[0][0] for likely in found.expected[1:]] == ["b", "c", "a"]
    assert [likely[0][1] for likely in found.expected[1:]] == pytest.approx([1, 1, 1])
    assert len(found.expected[1]) == 3


def test_a_long_text_is_shown_in_part_and_measured_whole() -> None:
    model = text_models.writer()
    found = explain(model, TEXT, shown=6)
    assert (len(found.labels), len(found.expected), found.values.shape[-1]) == (6, 6, 6)
    assert found.surprise.nats.shape == (19,)
    assert found.tracks == explain(model, TEXT).tracks


def test_bytes_are_labelled() -> None:
    model = text_models.writer(Characters(kind="bytes"), sharp=0.0)
    found = explain(model, "né\n")
    assert found.labels == ["n", "c3", "é", "\n"]
    assert found.surprise.nats[1:] == pytest.approx([math.log(256)] * 3)


def test_what_is_refused() -> None:
    model = text_models.writer()
    with pytest.raises(ArgumentError, match="explain: text: expected at least two characters"):
        explain(model, "a")
    with pytest.raises(DataError, match="got 1 other: 'X' 1 time"):
        explain(model, "aXb")
    assert explain(model, "aXb", unknown="skip").labels == ["a", "b"]
