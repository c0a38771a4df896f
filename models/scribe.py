"""A trained hand: texts in, pen strokes out, with what its window looked at; and how likely it thinks strokes of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad import Tensor
from minigrad.data import DataLoader
from minigrad.data.characters import Characters
from minigrad.data.strokes import Strokes, unfit
from minigrad.data.written import StrokeBatch, Written
from minigrad.errors import ArgumentError, RunError
from minigrad.models.handwriting import START, HandwritingLSTM, State, nats, parameters
from minigrad.models.stopping import arrived, has_left, is_over
from minigrad.nn.utils import Stepping
from minigrad.train.trained import Trained

BATCH = 64  # texts that are judged at once
LARGEST = 1_000_000  # more than anyone means of a size: a config that has one is damaged
BOLDEST = 100.0  # bias at most: beyond it nothing is drawn at random any more
LONGER = 4.0  # times the points that its letters take on average: as long as a text may get


class Card(NamedTuple):
    """All that makes a network's weights a hand; a run's config holds it.

    Attributes:
        alphabet: the characters it writes.
        options: what ``HandwritingLSTM`` was built with, but the number of letters.
        scale: by which offsets were divided, in the units of the data.
        height: of what it writes, in these units.
        step: from point to point where the pen is down, usually, in these units.
        floor: the least logarithm of a deviation: see ``F.bivariate_mixture_nll``.
        letters: of the longest texts that it learned from, but for a few: as many as it is sure to write at once.
    """

    alphabet: Characters
    options: Mapping[str, Any]
    scale: float
    height: float
    step: float
    floor: float
    letters: int

    @property
    def parameters(self) -> int:
        """How many numbers the network's weights are."""
        return parameters(len(self.alphabet), **self.options)

    def build(self) -> HandwritingLSTM:
        """The network, not trained."""
        return HandwritingLSTM(len(self.alphabet), **self.options)

    def to_config(self) -> dict[str, Any]:
        """What ``of`` takes, as plain data."""
        return {**self._asdict(), "alphabet": self.alphabet.to_config(), "options": dict(self.options)}

    @classmethod
    def of(cls, content: Any, where: str) -> Card:
        """The card in a run's config.

        Raises:
            RunError: it is none.
        """
        try:
            options = dict(content["options"])
            numbers = [content[name] for name in ("scale", "height", "step", "floor")]
            sizes = [content["letters"], *(options[name] for name in ("hidden", "windows", "mixtures"))]
            sound = (
                options.keys() == {"hidden", "windows", "mixtures", "pace", "dropout"}
                and all(type(size) is int and 1 <= size <= LARGEST for size in sizes)
                and all(type(one) in (int, float) and math.isfinite(one) for one in (*numbers, *options.values()))
                and min(numbers[:3]) > 0
                and -15 <= numbers[3] <= 15
                and 0 < options["pace"] <= 1
                and 0 <= options["dropout"] <= 1
            )
            alphabet = content["alphabet"]
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            expected, got = "what the network is, as minigrad train handwriting writes it", "nothing of that kind, or damaged"
            raise RunError("handwriting", where, expected, got, "Put back a copy of config.json, or train anew")
        scale, height, step, floor = map(float, numbers)
        return cls(Characters.of(alphabet, where), options, scale, height, step, floor, sizes[0])


class Writing(NamedTuple):
    """What a hand wrote.

    Attributes:
        strokes: in the units of the data, from the left end of the line that the text stands on.
        window: float32 (n, U): at each point the weight of each letter of the text in what the network saw.
    """

    strokes: Strokes
    window: np.ndarray


class Likelihood(NamedTuple):
    """How likely strokes are to a model, in nats: logarithms of densities of offsets divided by ``scale``.

    Attributes:
        nats: of all points together, the less the likelier.
        points, sequences: how many there were.
        scale: in the units of the data. Of offsets in these units a point costs 2 ln(scale) more.

    Example:
        >>> found = Likelihood(-300.0, 200, 4, 10.0)
        >>> found.per_point, found.per_sequence, round(found.per_point_unscaled, 3)
        (-1.5, -75.0, 3.105)
    """

    nats: float
    points: int
    sequences: int
    scale: float

    @property
    def per_point(self) -> float:
        """Nats for a point."""
        return self.nats / self.points

    @property
    def per_sequence(self) -> float:
        """Nats for a sequence: what Graves 2013 reports, whose offsets have a deviation of 1 too."""
        return self.nats / self.sequences

    @property
    def per_point_unscaled(self) -> float:
        """Nats for a point, of offsets in the units of the data."""
        return self.per_point + 2 * math.log(self.scale)


class Scribe:
    """A network with all that it takes to write.

    Args:
        card: what it is.
        network: with its weights.

    Example:
        >>> options = {"hidden": 8, "windows": 2, "mixtures": 3, "pace": 0.5, "dropout": 0.0}
        >>> card = Card(Characters(" ab"), options, scale=2.0, height=20.0, step=3.0, floor=-15.0, letters=9)
        >>> (writing,) = Scribe(card, card.build()).write(["ab"], seed=1)
        >>> writing.strokes.text, writing.window.shape == (len(writing.strokes), 2)
        ('ab', True)
    """

    def __init__(self, card: Card, network: HandwritingLSTM) -> None:
        self.card, self.network = card, network
        self._stepping = Stepping()

    @classmethod
    def load(cls, model: str) -> Scribe:
        """The hand of a run folder, or of a shipped model.

        Raises:
            RunError: there is no trained hand, or its weights belong to another network.
            FileFormatError: a damaged file.
        """
        trained = Trained.open(model)
        card = Card.of(trained.config("handwriting").get("model"), model)
        network: Any = trained.network(card.build, lambda: card.parameters)
        return cls(card, network)

    # ------------------------------------------------------------------ writing

    def write(self, texts: Sequence[str], *, bias: float = 0.0, seed: int = 0, style: Strokes | None = None) -> list[Writing]:
        """Write texts, all at once.

        Points are drawn from the mixture until the window has come to the last letter, the pen is lifted, and either what is
        drawn is that nothing follows, or the window then sees no letter and the network has not ruled out that it was the end;
        or until the window is well beyond it. In Graves 2013, arXiv:1308.0850, section 5.3, the window alone decides.

        Args:
            texts: each of characters of the alphabet.
            bias: how much the likely is preferred: deviations are divided by its exponential, and the logits of the weights are
                multiplied by 1 more than it (equations 61 and 62), as is the logit of the end. 0 writes as the data do, 1
                neatly. The pen is lifted as likely as ever: a lift that may come at one of several points would else come at
                none.
            seed: text ``i`` is what it would be alone with ``seed + i``.
            style: strokes with their text, in the units of the model's data (see ``fitted``). The texts are written as if they
                went on from it; it is not among what is given back.

        Raises:
            ArgumentError: a bias or seed out of range, no texts, or one without letters.
            DataError: characters that the model does not write.
            RunError: what came is no writing: the model has not learned enough.
        """
        if isinstance(bias, bool) or not isinstance(bias, (int, float)) or not 0 <= bias <= BOLDEST:
            raise ArgumentError("handwrite", "bias", f"a number from 0 to {BOLDEST:.0f}", repr(bias))
        texts = list(texts)
        if not texts:
            raise ArgumentError("handwrite", "texts", "at least one", "none")
        for text in texts:
            if not isinstance(text, str) or not text.strip():
                raise ArgumentError("handwrite", "text", "letters to write", repr(text))
        gap = " " if " " in self.card.alphabet.symbols else ""
        before = "" if style is None else style.text + gap
        remedy = "Write it without them"
        rows = [self.card.alphabet.encode(before + text, where="handwrite", remedy=remedy) for text in texts]
        noise = [_noise(seed + number, self._most(text)) for number, text in enumerate(texts)]
        points, windows = self._draw(rows, noise, float(bias), style)
        found = []
        for text, row, window in zip(texts, points, windows, strict=True):
            row[:, :2] *= self.card.scale
            if style is not None:
                row[0, 1] += style.absolute()[-1, 1]  # the line that the text stands on is the style's
            row[-1, 2] = 1
            if wrong := unfit(row):
                raise RunError("handwrite", repr(text), *wrong, "Train the model for longer, or write with another seed")
            found.append(Writing(Strokes(text, row), window[:, len(before) : len(before) + len(text)]))
        return found

    def fitted(self, strokes: Strokes) -> Strokes:
        """Strokes of another source as those of the model's data are: level, upright, as high, with points as far apart."""
        level = strokes.levelled()
        _, top, _, bottom = level.box
        return level.scaled(self.card.height / max(bottom - top, 1e-6)).resampled(self.card.step)

    def _most(self, text: str) -> int:
        """The most points that a text may take."""
        return 20 + math.ceil(LONGER * len(text) / self.card.options["pace"])

    def _draw(
        self, rows: list[np.ndarray], noise: list[np.ndarray], bias: float, style: Strokes | None
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Points (n, 3) and weights of letters (n, U) for each of the texts, given as letters' numbers."""
        count = len(rows)
        ends = np.array([len(row) for row in rows])
        steps = max(map(len, noise))
        points, seen, lengths = (
            np.zeros((steps, count, 3)),
            np.zeros((steps, count, ends.max()), np.float32),
            np.zeros(count, int),
        )
        going, strongest, unheard = np.ones(count, bool), np.zeros(count), np.ones(count)
        was = self.network.training
        self.network.eval()
        try:
            with minigrad.no_grad(), self._stepping:
                text = self._text(rows)
                point, state = self._begun(style, text)
                for step in range(steps):
                    outputs, state, weights = self.network(point, text, state)
                    seen[step] = weights[0].cpu().numpy() * (np.arange(seen.shape[2]) < ends[:, None])
                    strongest = np.maximum(strongest, seen[step].max(axis=1))
                    going &= ~has_left(seen, ends, strongest, points[step - 1, :, 2], unheard, step)
                    if not going.any():
                        break
                    row = outputs[0].cpu().numpy()
                    drawn = drawn_points(row, _row(noise, step), bias, self.card.floor)
                    points[step] = drawn[:, :3]
                    unheard *= np.where((drawn[:, 2] > 0) & arrived(seen[step], ends), _chance(-row[:, -1]), 1.0)
                    lengths[going] = step + 1
                    going &= ~is_over(seen[step], ends, state, drawn[:, 3], step)
                    going &= step + 1 < np.array([len(each) for each in noise])
                    point = minigrad.tensor(drawn[None, :, :3].astype(np.float32)).to(text)
        finally:
            self.network.train(was)
        return [points[:n, b] for b, n in enumerate(lengths)], [seen[:n, b] for b, n in enumerate(lengths)]

    def _text(self, rows: list[np.ndarray]) -> Tensor:
        """The texts as the network takes them."""
        numbers = np.zeros((len(rows), max(map(len, rows))), np.int64)
        for place, row in enumerate(rows):
            numbers[place, : len(row)] = row
        lengths, where = np.array(list(map(len, rows))), self.network.head.weight.device
        return self.network.letters(minigrad.tensor(numbers, device=where), minigrad.tensor(lengths, device=where))

    def _begun(self, style: Strokes | None, text: Tensor) -> tuple[Tensor, State | None]:
        """The point that comes before the first, and the state before it is read: after a style, or at rest."""
        known = np.array([START], np.float32)
        if style is not None:
            known = np.concatenate((known, style.points / np.array([self.card.scale, self.card.scale, 1], np.float32)))
        rows = minigrad.tensor(known).to(text).unsqueeze(1).expand(-1, len(text), -1)
        state = self.network(rows[:-1], text)[1] if len(known) > 1 else None
        return rows[-1:], state

    # ------------------------------------------------------------------ judging

    def judge(self, *parts: Written, track: Callable[[Iterable[Any]], Iterator[Any]] = iter) -> Likelihood:
        """How likely the strokes of others are.

        Args:
            parts: with the model's alphabet, all of one scale.
            track: put around the batches of each, to show progress.
        """
        total, points = 0.0, 0
        was = self.network.training
        self.network.eval()
        try:
            with minigrad.no_grad():
                for part in parts:
                    for batch in track(self._batches(part)):
                        total += nats_of(self.network, batch, self.card.floor)[0].item()
                        points += int(batch.lengths.sum().item())
        finally:
            self.network.train(was)
        return Likelihood(total, points, sum(map(len, parts)), parts[0].scale)

    def _batches(self, written: Written) -> DataLoader:
        """Items of about the same size together."""
        order = np.argsort(written.sizes, kind="stable")
        batches = [order[start : start + BATCH].tolist() for start in range(0, len(order), BATCH)]
        return DataLoader(written, batch_sampler=batches, device="cpu")


def nats_of(network: HandwritingLSTM, batch: StrokeBatch, floor: float, share: float = 0.0) -> tuple[Tensor, Tensor]:
    """The nats of all points of a batch together: of the strokes, and of which lifts of the pen are the last.

    Args:
        network: in training or not.
        batch: on the CPU, where its lengths are needed; the rest is brought to the network.
        floor: see ``F.bivariate_mixture_nll``.
        share: see ``HandwritingLSTM.packed``.
    """
    where = network.head.weight.device
    text = network.letters(batch.text.to(where), batch.text_lengths.to(where))
    outputs, target = network.packed(batch.points.to(where), batch.lengths, text, share)
    return nats(outputs, target, floor)


def drawn_points(outputs: np.ndarray, noise: np.ndarray, bias: float, floor: float) -> np.ndarray:
    """Points drawn from what a network gave: Graves 2013, arXiv:1308.0850, equations 18 to 23, 61 and 62.

    Args:
        outputs: (B, 1 + 6 M + 1), of ``HandwritingLSTM``.
        noise: (B, 5), three numbers uniform in [0, 1), two normal.
        bias: see ``Scribe.write``.
        floor: the least logarithm of a deviation.

    Returns:
        float64 (B, 4): two offsets, 1 where the pen is lifted, and 1 where it is and nothing follows.

    Example:
        >>> sure = np.array([[9.0, 0.0, 5.0, 6.0, -9.0, -9.0, 0.0, -9.0]])  # one distribution, close around (5, 6)
        >>> drawn_points(sure, np.array([[0.5, 0.5, 0.5, 1.0, -1.0]]), 1.0, -15.0).round(2).tolist()
        [[5.0, 6.0, 1.0, 0.0]]
    """
    count = outputs.shape[1] // 6
    outputs = outputs.astype(np.float64)
    weights, mu1, mu2, log1, log2, r = outputs[:, 1:-1].reshape(len(outputs), 6, count).transpose(1, 0, 2)
    weights = np.exp((weights - weights.max(axis=1, keepdims=True)) * (1 + bias)).cumsum(axis=1)
    chosen = np.minimum((weights <= noise[:, :1] * weights[:, -1:]).sum(axis=1), count - 1)[:, None]
    mu1, mu2, log1, log2, r = (np.take_along_axis(each, chosen, 1)[:, 0] for each in (mu1, mu2, log1, log2, r))
    sigma1, sigma2 = (np.exp(np.clip(each, floor, 15) - bias) for each in (log1, log2))
    rho = np.tanh(r)
    one, other = noise[:, 3], rho * noise[:, 3] + np.sqrt(1 - rho * rho) * noise[:, 4]
    lifted = noise[:, 1] < _chance(outputs[:, 0])
    last = lifted & (noise[:, 2] < _chance(outputs[:, -1] * (1 + bias)))
    return np.stack((mu1 + sigma1 * one, mu2 + sigma2 * other, lifted, last), axis=1)


def _chance(logits: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-logits.astype(np.float64)))


def _noise(seed: int, points: int) -> np.ndarray:
    """What a text's points are drawn by, float64 (points, 5)."""
    generator = minigrad.Generator().manual_seed(seed)
    kinds = ((minigrad.rand, 3), (minigrad.randn, 2))
    parts = [kind(points, n, generator=generator, dtype=minigrad.float64, device="cpu").numpy() for kind, n in kinds]
    return np.concatenate(parts, axis=1)


def _row(noise: list[np.ndarray], step: int) -> np.ndarray:
    """Of each text the numbers of a step; a shorter one's last."""
    return np.stack([each[min(step, len(each) - 1)] for each in noise])
