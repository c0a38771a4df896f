"""A trained model of text, writing: characters drawn one by one, the likeliest continuation, and how a text surprises it.

    minigrad write MODEL --prime "ROMEO"

The network says how likely each character is to come next. To write is to draw one of them, let the network read it, and ask
again. What it remembers between two steps is its state alone, so that a text may be of any length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

import minigrad
from minigrad.errors import ArgumentError
from minigrad.models.char_lstm import Card, CharLSTM, State
from minigrad.models.figures import Figures
from minigrad.models.sampling import Sampling, drawn, log_softmax
from minigrad.nn.utils import Stepping
from minigrad.train.trained import Trained

CHUNK = 256  # characters of a given text that go through the network at once
WIDEST = 4096  # continuations that a beam follows
Progress = Callable[[int, int], None]


class Place(NamedTuple):
    """Where a text stands: all that what comes next depends on.

    Attributes:
        state: of the network; ``None`` before the first character.
        logits: float64 (lanes, V), of what comes next.
    """

    state: State | None
    logits: np.ndarray


class Surprise(NamedTuple):
    """How a text surprised a model.

    Attributes:
        ids: int64 (n,), the characters' numbers.
        nats: float64 (n,): minus the logarithm of the probability that each was given. The first, which nothing came before,
            has none: nan.
    """

    ids: np.ndarray
    nats: np.ndarray

    @property
    def mean(self) -> float:
        """Nats per character: the cross-entropy."""
        return float(self.nats[1:].mean())

    def figures(self, unit: str = "character") -> Figures:
        """The mean with its bits and its perplexity."""
        return Figures(self.mean, unit)


class Continuation(NamedTuple):
    """What a beam found: a text, and the logarithm of its probability, in nats."""

    text: str
    log_probability: float


class Writer:
    """A network with its vocabulary.

    Args:
        card: what it is.
        network: with its weights.

    Example:
        >>> from minigrad.data.characters import Characters
        >>> options = {"cell": "lstm", "hidden": 8, "layers": 1, "embedding": 0, "dropout": 0.0, "layer_norm": False}
        >>> card = Card(Characters("\\n ab"), {**options, "tied": False}, 16)
        >>> writer = Writer(card, card.build())
        >>> "".join(writer.stream("ab", length=5, seed=1)) == "".join(writer.stream("ab", length=5, seed=1))
        True
        >>> writer.score("abba").nats.shape
        (4,)
    """

    def __init__(self, card: Card, network: CharLSTM) -> None:
        self.card, self.network = card, network.eval()
        self.vocabulary = card.vocabulary
        self._device = next(network.parameters()).device
        self._stepping = Stepping()

    @classmethod
    def load(cls, model: str) -> Writer:
        """The writer of a run folder, or of the name of a shipped model.

        Raises:
            RunError: there is no trained model of text, or its weights belong to another network.
            FileFormatError: a damaged file.
        """
        trained = Trained.open(model)
        card = Card.of(trained.config("text").get("model"), trained.name)
        return cls(card, trained.network(card.build, lambda: card.parameters))  # type: ignore[arg-type]

    # ------------------------------------------------------------------ reading

    def read(
        self, text: str | bytes, place: Place | None = None, *, unknown: str = "refuse", progress: Progress | None = None
    ) -> Place:
        """Read a text of any length, and give the place after it.

        Args:
            text: what is read.
            place: where it goes on from; by default nothing came before.
            unknown: what becomes of characters that the model does not know: see ``Characters.encode``.
            progress: called as ``progress(read, all)``.

        Raises:
            DataError, ArgumentError: characters that it does not know.
        """
        ids = self.vocabulary.encode(text, unknown=unknown, where="prime")
        if not len(ids):
            return place or self.beginning()
        state, logits = None if place is None else place.state, np.empty(0)
        for start in range(0, len(ids), CHUNK):
            part = ids[start : start + CHUNK, None]
            logits, state = self.forward(part, state)
            if progress is not None:
                progress(start + len(part), len(ids))
        return Place(state, logits[-1])

    def beginning(self) -> Place:
        """The place where a text without a prime begins: after a line's end, if the model knows one, else nowhere at all."""
        if "\n" in self.vocabulary.symbols:
            return self.read("\n")
        return Place(None, np.zeros((1, len(self.vocabulary))))

    def forward(self, ids: np.ndarray, state: State | None) -> tuple[np.ndarray, State]:
        """Numbers of characters (T, B) to logits, float64 (T, B, V), and the state after the last."""
        tokens = minigrad.tensor(ids, device=self._device)
        with minigrad.no_grad(), self._stepping:
            logits, after = self.network(tokens, state)
        return logits.cpu().numpy().astype(np.float64), after

    # ------------------------------------------------------------------ writing

    def stream(
        self, prime: str | bytes = "", *, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0,
        seed: int | None = None, length: int | None = None, until: str | None = None, unknown: str = "refuse",
        place: Place | None = None,
    ) -> Stream:  # fmt: skip
        """Write on, character by character.

        Args:
            prime: what comes before; it is read, and not written again.
            temperature, top_k, top_p: see ``Sampling``.
            seed: of what is drawn; by default another each time, which ``Stream.seed`` tells.
            length: how many characters (of a model of bytes: bytes) are drawn at most; by default there is no end.
            until: the text after which it stops.
            unknown: what becomes of characters of the prime that the model does not know: see ``Characters.encode``.
            place: what came before the prime, as ``read`` gives it, or another stream's ``here``.

        Raises:
            ArgumentError: something is out of range, or ``until`` has characters that the model never writes.
            DataError: characters of the prime that it does not know.
        """
        if length is not None and length < 0:
            raise ArgumentError("write", "length", "at least 0", str(length))
        ending = self._ending(until)
        sampling = Sampling.of(temperature, top_k, top_p)
        generator = minigrad.Generator()
        seed = generator.seed() if seed is None else generator.manual_seed(seed).initial_seed()
        return Stream(self, self.read(prime, place, unknown=unknown), sampling, generator, seed, length, ending)

    def beam(
        self, prime: str | bytes = "", *, width: int = 8, length: int = 100, until: str | None = None,
        unknown: str = "refuse", place: Place | None = None,
    ) -> list[Continuation]:  # fmt: skip
        """The likeliest continuations that a beam search finds, the likeliest first.

        Of all texts that are one character longer the ``width`` likeliest are followed. What it finds need not be the likeliest
        of all, but with a width of all texts it is. The likeliest text is often a dull one: Holtzman et al. 2020,
        arXiv:1904.09751.

        Args:
            prime, unknown, place: as for ``stream``.
            width: how many are followed.
            length: of each, in characters, unless it comes to
            until: the text after which one is complete.

        Raises:
            ArgumentError: something is out of range, or ``until`` has characters that the model never writes.
            DataError: characters of the prime that it does not know.
        """
        if not 1 <= width <= WIDEST:
            raise ArgumentError("write", "width", f"1 to {WIDEST:,} continuations", str(width))
        if length < 1:
            raise ArgumentError("write", "length", "at least 1", str(length))
        ending = self._ending(until)
        state, logits = self.read(prime, place, unknown=unknown)
        totals, texts = np.zeros(1), np.empty((1, 0), np.int64)
        complete: list[tuple[float, np.ndarray]] = []
        for step in range(length):
            sums = totals[:, None] + log_softmax(self.writable(logits))
            best = np.argsort(-sums, axis=None, kind="stable")[:width]
            best = best[np.isfinite(sums.flat[best])]
            lanes, ids = np.divmod(best, sums.shape[1])
            totals, texts = sums.flat[best], np.concatenate([texts[lanes], ids[:, None]], axis=1)
            ended = np.array([ends(text, ending) for text in texts], bool)
            complete += zip(totals[ended], texts[ended])
            complete = sorted(complete, key=lambda one: -one[0])[:width]
            totals, texts, lanes, ids = totals[~ended], texts[~ended], lanes[~ended], ids[~ended]
            if not len(totals) or (len(complete) == width and totals.max() <= complete[-1][0]):
                break
            if step < length - 1:
                if state is not None:
                    chosen = minigrad.tensor(lanes, device=self._device)
                    state = tuple([part.index_select(1, chosen) for part in state])
                after, state = self.forward(ids[None], state)
                logits = after[0]
        found = sorted([*complete, *zip(totals, texts)], key=lambda one: -one[0])[:width]
        return [Continuation(self.vocabulary.decode(text), float(total)) for total, text in found]

    def writable(self, logits: np.ndarray) -> np.ndarray:
        """Logits without the character that rare ones were folded into, which is never written."""
        folded = self.vocabulary.unknown
        if folded is None or len(self.vocabulary) == 1:
            return logits
        logits = logits.copy()
        logits[..., folded] = -np.inf
        return logits

    def _ending(self, until: str | None) -> list[int]:
        if until is None:
            return []
        if not until:
            raise ArgumentError("write", "until", "a text", "none of any length")
        folded = self.vocabulary.unknown
        unseen = [*self.vocabulary.unseen(until), *(["\ufffd"] if folded is not None and "\ufffd" in until else [])]
        if unseen:
            expected = "characters that the model writes"
            raise ArgumentError("write", "until", expected, f"{until!r}, of which it never writes {unseen[0]!r}")
        return self.vocabulary.encode(until).tolist()

    # ------------------------------------------------------------------ judging

    def score(self, text: str | bytes, *, unknown: str = "refuse", progress: Progress | None = None) -> Surprise:
        """How surprising each character of a text is after those before it.

        Args:
            text, unknown, progress: as for ``read``.

        Raises:
            ArgumentError: the text has fewer than two characters.
            DataError: characters that it does not know.
        """
        ids = self.vocabulary.encode(text, unknown=unknown)
        if len(ids) < 2:
            expected = "at least two characters, the second of which can be expected after the first"
            raise ArgumentError("score", "text", expected, str(len(ids)))
        nats, state = np.full(len(ids), np.nan), None
        for start in range(0, len(ids) - 1, CHUNK):
            part = ids[start : start + CHUNK + 1]
            logits, state = self.forward(part[:-1, None], state)
            shares = log_softmax(logits[:, 0])
            nats[start + 1 : start + len(part)] = -shares[np.arange(len(shares)), part[1:]]
            if progress is not None:
                progress(start + len(part), len(ids))
        return Surprise(ids, nats)

    def perplexity(self, text: str | bytes, *, unknown: str = "refuse") -> float:
        """The exponential of a text's mean surprise. See ``score``."""
        return self.score(text, unknown=unknown).figures().perplexity


class Stream(Iterator[str]):
    """A text as it is written. Each item is what can be shown after one more character: of bytes it may be nothing yet.

    Attributes:
        seed: that gives the same text again.
        count: how many characters (bytes) were drawn.
        nats: how surprising they were, all together, to the model as it is, whatever the temperature.
        ended: why it has ended: ``"length"``, ``"until"``, or ``""`` as long as it goes on.
    """

    def __init__(
        self, writer: Writer, place: Place, sampling: Sampling, generator: minigrad.Generator, seed: int,
        length: int | None, ending: list[int],
    ) -> None:  # fmt: skip
        self.seed, self.count, self.nats, self.ended = seed, 0, 0.0, ""
        self._place = place
        self._writer, self._sampling, self._generator = writer, sampling, generator
        self._length, self._ending, self._last = length, ending, list[int]()
        self._decoder = writer.vocabulary.decoder()
        self._unread: int | None = None

    def __next__(self) -> str:
        if self.ended:
            raise StopIteration
        if self.count == self._length:
            return self._end("length")
        place = self.here()
        logits = self._writer.writable(place.logits[0])
        id = drawn(self._sampling.shares(logits), minigrad.rand(1, dtype=minigrad.float64, generator=self._generator).item())
        self.nats -= float(log_softmax(place.logits[0])[id])
        self.count, self._unread = self.count + 1, id
        text = self._decoder.feed(id)
        if self._ending:
            self._last = [*self._last, id][-len(self._ending) :]
            if self._last == self._ending:
                text += self._end("until")
        return text

    def here(self) -> Place:
        """The place that it has come to, for ``Writer.stream`` to go on from."""
        if self._unread is not None:  # a character that was drawn is read when more is asked for, and not before
            logits, state = self._writer.forward(np.array([[self._unread]]), self._place.state)
            self._place, self._unread = Place(state, logits[-1]), None
        return self._place

    def _end(self, why: str) -> str:
        self.ended = why
        return self._decoder.rest()


def ends(ids: np.ndarray, ending: list[int]) -> bool:
    """Whether numbers end in others.

    Example:
        >>> ends(np.array([1, 2, 3]), [2, 3]), ends(np.array([3]), [2, 3]), ends(np.array([3]), [])
        (True, False, False)
    """
    return bool(ending) and ids[-len(ending) :].tolist() == ending
