"""A translator of sentences: recurrent layers that read one from both ends, and others that write it in another language.

    minigrad train translate --data en-es

Sutskever, Vinyals, Le 2014, arXiv:1409.3215; Bahdanau, Cho, Bengio 2015, arXiv:1409.0473; Luong, Pham, Manning 2015,
arXiv:1508.04025. The encoder's outputs stand for the source's words, and its last state begins the decoder's. The decoder says,
after each word, how likely every next one is; attention tells it what to look at. With input feeding (Luong, section 3.3) it
also learns at each word what came of the last look, and so goes word by word; without it the whole sentence goes through in one
call of each layer.

Sequences are T B: time, then the sentences of a batch; the source has S words. E numbers stand for a word, H are a layer's
units, F go into the last layer, V words are in a language.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any, NamedTuple

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.models.attention import SCORES, Attention
from minigrad.models.attention import parameters as attention_parameters
from minigrad.nn.checks import check_choice, check_counts, check_probability
from minigrad.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

PAD, UNKNOWN, BOS, EOS = range(4)  # the first words of every vocabulary
GATES = {"lstm": 4, "gru": 3}  # blocks of H rows in a layer's weights
STATES = {"lstm": 2, "gru": 1}  # h and c, or h alone
ATTENTION = ("none", *SCORES)
TIED = ("none", "target", "all")
LARGEST, MOST_LAYERS = 1_000_000, 100  # more than anyone means of a size, and of layers: a config that has it is damaged
STEPPING = getattr(nn.utils, "Stepping", contextlib.nullcontext)  # PyTorch, with which this source also runs, has none

Layer = tuple[Tensor, ...]  # (h, c) of an LSTM, (h,) of a GRU; each (N, H)


class State(NamedTuple):
    """What goes on from word to word, of N lanes.

    Attributes:
        layers: of the decoder.
        fed: (N, F), what the last look gave; ``None`` without input feeding.
    """

    layers: tuple[Layer, ...]
    fed: Tensor | None

    def select(self, lanes: Tensor) -> State:
        """The state of some of the lanes, by number, int64."""
        layers = tuple([tuple([part.index_select(0, lanes) for part in layer]) for layer in self.layers])
        return State(layers, None if self.fed is None else self.fed.index_select(0, lanes))


class Encoded(NamedTuple):
    """Sentences as the encoder read them.

    Attributes:
        memory: (B, S, H), what stands for each word; zeros behind the end of a shorter sentence.
        keys: (B, S, H), what queries are held against; ``None`` without attention.
        beyond: (B, 1, S), true behind the end; ``None`` if all are of one length.
        state: where the decoder begins.
    """

    memory: Tensor
    keys: Tensor | None
    beyond: Tensor | None
    state: State

    def select(self, sentences: Tensor) -> Encoded:
        """Some of the sentences, by number, int64."""
        keys, beyond = (None if part is None else part.index_select(0, sentences) for part in (self.keys, self.beyond))
        return Encoded(self.memory.index_select(0, sentences), keys, beyond, self.state.select(sentences))


class Seq2Seq(nn.Module):
    """An encoder, a bridge between the states of both, and a decoder with attention.

    Args:
        source_words, target_words: V of each language. The first four are ``PAD``, ``UNKNOWN``, ``BOS`` and ``EOS``.
        cell: ``"lstm"`` or ``"gru"``.
        hidden: H, which is even: each direction of the encoder has half.
        layers: of the encoder, and of the decoder.
        embedding: E.
        attention: ``"none"``, or a score of ``models.attention``: ``"dot"``, ``"general"``, ``"scaled"``, ``"bahdanau"`` or
            ``"normed"``.
        feeding: input feeding, which asks for attention.
        residual: from the second layer on the input of a layer is added to its output (Wu et al. 2016, arXiv:1609.08144,
            section 3.1): for deep stacks.
        dropout: share that is zeroed in training of embeddings, of what goes up between layers, and of what goes into the
            last layer; never on the way on in time (Zaremba et al. 2014, arXiv:1409.2329).
        tied: ``"target"``: the logits' weight is that of the target's embedding (Press and Wolf 2017, arXiv:1608.05859), and
            F is E; ``"all"``: and so is the source's embedding, where both languages share a vocabulary. Tied embeddings come
            to the layers multiplied by √E (Vaswani et al. 2017, arXiv:1706.03762, section 3.4). ``"none"``: F is H.

    An LSTM's forget gates begin open, with a bias of 1 (Gers, Schmidhuber, Cummins 2000).

    Shapes: source (S, B) and target (T, B) of int64, filled up with ``PAD``; lengths (B,) of int64 on the CPU, how many words
    each source has; logits (T, B, V), of the word after each.

    Raises:
        ArgumentError, DTypeError: an argument out of range, or two that do not go together.
        ShapeError: when called, words or lengths of other shapes.

    Example:
        >>> net = Seq2Seq(20, 30, hidden=8, embedding=6, attention="bahdanau", feeding=True)
        >>> source, lengths = minigrad.tensor([[5, 6], [7, 8], [9, 0]]), minigrad.tensor([3, 2])
        >>> target = minigrad.tensor([[2, 2], [4, 5], [3, 6], [0, 3]])
        >>> net(source, lengths, target[:-1]).shape, net.loss(source, lengths, target).shape
        (minigrad.Size([3, 2, 30]), minigrad.Size([]))
    """

    def __init__(
        self,
        source_words: int,
        target_words: int,
        *,
        cell: str = "lstm",
        hidden: int = 256,
        layers: int = 1,
        embedding: int = 128,
        attention: str = "general",
        feeding: bool = False,
        residual: bool = False,
        dropout: float = 0.0,
        tied: str = "none",
    ) -> None:
        super().__init__()
        check_choice("Seq2Seq", "cell", cell, GATES)
        check_counts("Seq2Seq", 1, hidden=hidden, layers=layers, embedding=embedding)
        check_counts("Seq2Seq", EOS + 1, source_words=source_words, target_words=target_words)
        check_choice("Seq2Seq", "attention", attention, ATTENTION)
        check_choice("Seq2Seq", "tied", tied, TIED)
        check_probability("Seq2Seq", dropout, "dropout")
        if hidden % 2:
            raise ArgumentError("Seq2Seq", "hidden", "an even number, half for each direction", str(hidden))
        if feeding and attention == "none":
            remedy = "Use feeding=False, or an attention"
            raise ArgumentError("Seq2Seq", "feeding", "False without attention", "True", remedy)
        if tied == "all" and source_words != target_words:
            expected = f"target_words={target_words}, as one table for both languages asks"
            remedy = "Make one vocabulary of both languages, or use tied='target'"
            raise ArgumentError("Seq2Seq", "source_words", expected, str(source_words), remedy)
        self.source_words, self.target_words, self.cell, self.hidden = source_words, target_words, cell, hidden
        self.feeding, self.residual = bool(feeding), bool(residual)
        features = hidden if tied == "none" else embedding
        self.read_words, self.write_words = nn.Embedding(source_words, embedding), nn.Embedding(target_words, embedding)
        kind: Any = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        step: Any = {"lstm": nn.LSTMCell, "gru": nn.GRUCell}[cell] if feeding else kind
        first = embedding + (features if feeding else 0)
        sizes = [hidden] * (layers - 1)
        self.encoder = nn.ModuleList([kind(size, hidden // 2, bidirectional=True) for size in [embedding, *sizes]])
        self.bridge = nn.ModuleList([nn.Linear(hidden, hidden) for _ in range(layers * STATES[cell])])
        self.decoder = nn.ModuleList([step(size, hidden) for size in [first, *sizes]])
        self.attention = None if attention == "none" else Attention(attention, hidden, hidden)
        self.combine = nn.Linear(hidden if attention == "none" else 2 * hidden, features, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, target_words)
        with minigrad.no_grad():
            if cell == "lstm":
                for name, bias in [*self.encoder.named_parameters(), *self.decoder.named_parameters()]:
                    if "bias" in name:
                        units = len(bias) // 4
                        bias[units : 2 * units] = float("bias_hh" in name)  # of the gates i f g o
            if tied != "none":
                self.write_words.weight.copy_(self.head.weight)  # so small that the first logits are
                self.head.weight = self.write_words.weight
            if tied == "all":
                self.read_words.weight = self.write_words.weight

    # ------------------------------------------------------------------ reading

    def encode(self, source: Tensor, lengths: Tensor | None = None) -> Encoded:
        """Read sentences, each from both ends. Without ``lengths`` all have S words.

        Raises:
            ShapeError: other shapes.
            ArgumentError: a length below 1 or above S.
        """
        self._check_source(source, lengths)
        places, batch = source.shape
        packed = None if lengths is None else pack_padded_sequence(source, lengths, enforce_sorted=False)
        rows, lasts = self._embedded(self.read_words, source if packed is None else packed.data), []
        for number, layer in enumerate(self.encoder):
            given = self.dropout(rows)
            made, last = layer(given if packed is None else PackedSequence(given, *packed[1:]))
            made = made if packed is None else made.data
            rows = rows + made if number and self.residual else made
            lasts += list(last) if self.cell == "lstm" else [last]
        if packed is None:
            memory = rows.transpose(0, 1)
        else:
            memory, _ = pad_packed_sequence(PackedSequence(rows, *packed[1:]), batch_first=True, total_length=places)
        begun = [bridge(last.transpose(0, 1).reshape(batch, -1)) for bridge, last in zip(self.bridge, lasts)]
        each = STATES[self.cell]
        layers = [(minigrad.tanh(begun[at]), *begun[at + 1 : at + each]) for at in range(0, len(begun), each)]
        fed = memory.new_zeros((batch, self.head.in_features)) if self.feeding else None
        keys = None if self.attention is None else self.attention.keys(memory)
        beyond = None
        if lengths is not None and int(lengths.min()) < places:
            beyond = (minigrad.arange(places, device=lengths.device) >= lengths.unsqueeze(1)).unsqueeze(1).to(source.device)
        return Encoded(memory, keys, beyond, State(tuple(layers), fed))

    def _embedded(self, table: Any, words: Tensor) -> Tensor:
        """The numbers that stand for words. Tied ones are as small as the logits' weight: the layers get √E times them."""
        rows: Tensor = table(words)
        return rows * math.sqrt(rows.shape[-1]) if table.weight is self.head.weight else rows

    # ------------------------------------------------------------------ writing

    def decode(self, words: Tensor, state: State, encoded: Encoded) -> tuple[Tensor, State, Tensor | None]:
        """What goes into the last layer after each of some words.

        A sentence may have several lanes, K, which differ in what was written so far: the lanes of the first sentence come
        first.

        Args:
            words: (T, B K).
            state: before the first.
            encoded: of B sentences.

        Returns:
            (T, B K, F), of which ``head`` makes logits; the state after the last; and the weight of each of the source's words
            at each of them, (T, B K, S), or ``None`` without attention.
        """
        rows = self.dropout(self._embedded(self.write_words, words))
        if not self.feeding:
            rows, layers = self._up(rows, state.layers)
            features, weights = self._look(rows, encoded)
            return features, State(layers, None), weights
        found, looks = [], []
        for row in rows.unbind(0):
            features, state, look = self._feed(row, state, encoded)
            found.append(features)
            looks.append(look)
        return minigrad.stack(found), state, minigrad.stack(looks)

    def step(self, words: Tensor, state: State, encoded: Encoded) -> tuple[Tensor, State, Tensor | None]:
        """``decode`` of one word in each lane, (B K,): (B K, F), the state after it, and (B K, S) or ``None``."""
        if self.feeding:
            return self._feed(self.dropout(self._embedded(self.write_words, words)), state, encoded)
        features, state, weights = self.decode(words.unsqueeze(0), state, encoded)
        return features.squeeze(0), state, None if weights is None else weights.squeeze(0)

    def _feed(self, rows: Tensor, state: State, encoded: Encoded) -> tuple[Tensor, State, Tensor]:
        """``step`` from the words' rows (B K, E), to which is joined what the last look gave."""
        hidden, layers = self._up(minigrad.cat((rows, state.fed), 1), state.layers)
        features, weights = self._blend(hidden.reshape(len(encoded.memory), -1, self.hidden), encoded)
        fed = features.reshape(len(rows), -1)
        return fed, State(layers, fed), weights.reshape(len(rows), -1)

    def _up(self, rows: Tensor, states: tuple[Layer, ...]) -> tuple[Tensor, tuple[Layer, ...]]:
        """Through all layers: rows (T, N, ...), or, with input feeding, those of one word, (N, ...)."""
        lasts: list[Layer] = []
        for number, (layer, state) in enumerate(zip(self.decoder, states)):
            given = self.dropout(rows) if number else rows
            if self.feeding:
                last = layer(given, state if self.cell == "lstm" else state[0])
                lasts.append(last if self.cell == "lstm" else (last,))
                made = lasts[-1][0]
            else:
                first = tuple([part.unsqueeze(0) for part in state])
                made, last = layer(given, first if self.cell == "lstm" else first[0])
                lasts.append(tuple([part.squeeze(0) for part in (last if self.cell == "lstm" else (last,))]))
            rows = rows + made if number and self.residual else made
        return rows, tuple(lasts)

    def _look(self, rows: Tensor, encoded: Encoded) -> tuple[Tensor, Any]:
        """Outputs of the last layer (T, B K, H) to features and weights: equation 5 of Luong et al., or without a blend."""
        if self.attention is None:
            return self.dropout(minigrad.tanh(self.combine(rows))), None
        (steps, lanes, _), batch = rows.shape, len(encoded.memory)
        if steps > 1:
            rows = rows.reshape(steps, batch, lanes // batch, -1).transpose(0, 1)
        features, weights = self._blend(rows.reshape(batch, steps * lanes // batch, -1), encoded)
        return self._by_time(features, steps, lanes), self._by_time(weights, steps, lanes)

    def _blend(self, query: Tensor, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """Outputs of the last layer (B, N, H), with what they look at: features (B, N, F) and weights (B, N, S)."""
        attention: Any = self.attention
        blend, weights = attention(query, encoded.keys, encoded.memory, encoded.beyond)
        return self.dropout(minigrad.tanh(self.combine(minigrad.cat((blend, query), 2)))), weights

    @staticmethod
    def _by_time(rows: Tensor, steps: int, lanes: int) -> Tensor:
        """(B, T K, ...) to (T, B K, ...)."""
        if steps == 1:
            return rows.reshape(1, lanes, -1)
        return rows.reshape(len(rows), steps, -1, rows.shape[2]).transpose(0, 1).reshape(steps, lanes, -1)

    def forward(self, source: Tensor, lengths: Tensor, words: Tensor) -> Tensor:
        """The logits of what comes after each word of a translation that begins with ``BOS``."""
        encoded = self.encode(source, lengths)
        self._check_target(words, len(encoded.memory), 1)
        features, _, _ = self.decode(words, encoded.state, encoded)
        return self.head(features)

    # ------------------------------------------------------------------ learning

    def loss(
        self,
        source: Tensor,
        lengths: Tensor,
        target: Tensor,
        *,
        smoothing: float = 0.0,
        own: float = 0.0,
        reduction: str = "mean",
    ) -> Tensor:
        """How unlikely translations are, in nats for each word; all but a part of the logits are never there at once.

        Args:
            target: (T, B), from ``BOS`` to ``EOS``; ``PAD`` behind it does not count.
            smoothing: the share of what is wanted that is spread over all words (Szegedy et al. 2016, arXiv:1512.00567).
            own: with this chance a word is one of the network's own when the next is asked for: see ``own_words``.
            reduction: ``"mean"``, ``"sum"``, or ``"none"`` for that of each word, ((T - 1) B,).

        Raises:
            ShapeError, ArgumentError, IndexingError: what does not fit.
        """
        check_probability("Seq2Seq.loss", own, "own")
        encoded = self.encode(source, lengths)
        self._check_target(target, len(encoded.memory), 2)
        words, wanted = target[:-1], target[1:]
        if own:
            words = self.own_words(encoded, words, own)
        features, _, _ = self.decode(words, encoded.state, encoded)
        return F.linear_cross_entropy(
            features.flatten(0, 1),
            self.head.weight,
            wanted.flatten(),
            linear_bias=self.head.bias,
            ignore_index=PAD,
            label_smoothing=smoothing,
            reduction=reduction,
        )

    def own_words(self, encoded: Encoded, words: Tensor, share: float) -> Tensor:
        """Words of which some are drawn from what the network gave for their place: scheduled sampling.

        In training every word comes after right ones; when a network writes, after its own. Bengio et al. 2015,
        arXiv:1506.03099. What is drawn passes no gradient on, so that it is drawn first, and then goes through as right words
        would.

        Args:
            encoded: the sources.
            words: (T, B), right ones; the first stays, and so does ``PAD``.
            share: the chance that a word is drawn.
        """
        stepping: Any = STEPPING()
        with minigrad.no_grad(), stepping:
            state, given = encoded.state, words[0]
            mixed = [given]
            for right in words[1:].unbind(0):
                features, state, _ = self.step(given, state, encoded)
                drawn = minigrad.multinomial(F.softmax(self.head(features), dim=1), 1).squeeze(1)
                taken = (minigrad.rand(len(right), device=right.device) < share) & (right != PAD)
                given = minigrad.where(taken, drawn, right)
                mixed.append(given)
            return minigrad.stack(mixed)

    # ------------------------------------------------------------------ what does not fit

    def _check_source(self, source: Tensor, lengths: Tensor | None) -> None:
        if source.ndim != 2 or not len(source):
            raise ShapeError("Seq2Seq", "source", "shape (S, B), S at least 1", f"shape {tuple(source.shape)}")
        if lengths is None:
            return
        if tuple(lengths.shape) != (source.shape[1],):
            expected = f"shape ({source.shape[1]},), one for each sentence of source {tuple(source.shape)}"
            raise ShapeError("Seq2Seq", "lengths", expected, f"shape {tuple(lengths.shape)}")
        least, most = int(lengths.min()), int(lengths.max())
        if least < 1 or most > len(source):
            raise ArgumentError("Seq2Seq", "lengths", f"from 1 to {len(source)} words, as source has", f"{least} to {most}")

    @staticmethod
    def _check_target(words: Tensor, batch: int, least: int) -> None:
        if words.ndim != 2 or len(words) < least or words.shape[1] != batch:
            expected = f"shape (T, {batch}), T at least {least}, for as many sentences as source has"
            raise ShapeError("Seq2Seq", "target", expected, f"shape {tuple(words.shape)}")


def own_share(step: int, *, pace: float, most: float = 1.0, schedule: str = "sigmoid") -> float:
    """The chance of a network's own words after so many steps of training: Bengio et al. 2015, section 2.4.

    Args:
        step: from 0.
        pace: steps after which the chance of right words is: with ``"linear"`` its least; with ``"exponential"`` 1 / e of what
            it was; with ``"sigmoid"`` about a half at ``pace`` ln ``pace``, the inverse sigmoid of the paper's k.
        most: it grows towards this.
        schedule: which of the three.

    Raises:
        ArgumentError: something is out of range.

    Example:
        >>> [round(own_share(step, pace=100, most=0.5, schedule="linear"), 3) for step in (0, 50, 100, 1000)]
        [0.0, 0.25, 0.5, 0.5]
        >>> [round(own_share(step, pace=100), 3) for step in (0, 460, 10**9)]
        [0.01, 0.499, 1.0]
    """
    check_choice("own_share", "schedule", schedule, ("linear", "exponential", "sigmoid"))
    check_probability("own_share", most, "most")
    check_counts("own_share", step=step)
    if not 0 < pace < math.inf:
        raise ArgumentError("own_share", "pace", "steps, more than 0", repr(pace))
    if schedule == "linear":
        return most * min(1.0, step / pace)
    if schedule == "exponential":
        return most * -math.expm1(-step / pace)
    exponent = step / pace - math.log(pace)  # k / (k + e^(i / k)) are right ones
    return most / (1 + math.exp(-exponent)) if exponent > -700 else 0.0


def parameters(
    source_words: int, target_words: int, *, cell: str, hidden: int, layers: int, embedding: int, attention: str, feeding: bool,
    tied: str, residual: bool = False, dropout: float = 0.0,
) -> int:  # fmt: skip
    """How many parameters a ``Seq2Seq`` of these arguments has, found without the memory for it.

    Example:
        >>> options = {"cell": "gru", "hidden": 6, "layers": 2, "embedding": 4, "attention": "normed", "feeding": True}
        >>> net = Seq2Seq(10, 12, **options, tied="target")
        >>> parameters(10, 12, **options, tied="target") == sum(p.numel() for p in net.parameters())
        True
    """
    half, looks = hidden // 2, attention != "none"
    features = hidden if tied == "none" else embedding

    def stack(first: int, units: int, directions: int) -> int:
        inputs = first + (layers - 1) * hidden
        return directions * GATES[cell] * units * (inputs + layers * (units + 2))

    tables = embedding * (target_words if tied == "all" else source_words + target_words)
    recurrent = stack(embedding, half, 2) + stack(embedding + (features if feeding else 0), hidden, 1)
    between = layers * STATES[cell] * hidden * (hidden + 1) + (attention_parameters(attention, hidden, hidden) if looks else 0)
    last = hidden * (1 + looks) * features + target_words * (1 + (hidden if tied == "none" else 0))
    return tables + recurrent + between + last
