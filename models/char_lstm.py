"""A language model of characters: recurrent layers that say, after each character, how likely every next one is.

    minigrad train text --data shakespeare

Graves 2013, arXiv:1308.0850, section 3; Karpathy 2015, "The Unreasonable Effectiveness of Recurrent Neural Networks". Sequences
are T B: time, then the lanes of a batch; V characters, E numbers for each, H hidden units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import minigrad
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, RunError, ShapeError
from minigrad.nn.checks import check_choice, check_counts, check_probability

if TYPE_CHECKING:
    from minigrad.data.characters import Characters

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
GATES = {"lstm": 4, "gru": 3, "rnn": 1}  # blocks of H rows in a layer's weights
LARGEST = 1_000_000  # more than anyone means of a size: a config that has one is damaged
MOST_LAYERS = 100

State = tuple[minigrad.Tensor, ...]  # (h, c) of an LSTM, (h,) of the others; each (layers, B, H)


class CharLSTM(nn.Module):
    """Embedded characters through recurrent layers; a linear layer turns the last one's outputs into logits.

    Args:
        vocabulary: V.
        cell: ``"lstm"``, ``"gru"`` or ``"rnn"`` (tanh).
        hidden: H, units of each layer.
        layers: how many, each on the outputs of the one before.
        embedding: E, numbers that stand for a character, which are learned; 0: one-hot.
        dropout: share of each layer's outputs that is zeroed in training on the way up, never on the way on in time
            (Zaremba, Sutskever, Vinyals 2014, arXiv:1409.2329).
        layer_norm: normalise each layer's outputs on the way up (Ba, Kiros, Hinton 2016, arXiv:1607.06450); what a cell does
            from step to step stays as it is.
        tied: the logits' weight is that of the embedding (Press and Wolf 2017, arXiv:1608.05859), so that E is H.

    An LSTM's forget gates begin open, with a bias of 1 (Gers, Schmidhuber, Cummins 2000).

    Shapes: tokens (T, B) of int64; logits (T, B, V); state see ``State``: zeros if not given.

    Raises:
        ArgumentError, DTypeError: an argument out of range, or ``tied`` with E other than H.
        ShapeError: when called, tokens or a state of other shapes.

    Example:
        >>> net = CharLSTM(78, hidden=16, layers=2, embedding=8)
        >>> logits, (h, c) = net(minigrad.zeros(5, 3, dtype=minigrad.int64))
        >>> logits.shape, c.shape
        (minigrad.Size([5, 3, 78]), minigrad.Size([2, 3, 16]))
        >>> logits, state = net(minigrad.ones(5, 3, dtype=minigrad.int64), (h, c))
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        cell: str = "lstm",
        hidden: int = 256,
        layers: int = 2,
        embedding: int = 64,
        dropout: float = 0.0,
        layer_norm: bool = False,
        tied: bool = False,
    ) -> None:
        super().__init__()
        check_choice("CharLSTM", "cell", cell, CELLS)
        check_counts("CharLSTM", 1, vocabulary=vocabulary, hidden=hidden, layers=layers)
        check_counts("CharLSTM", embedding=embedding)
        check_probability("CharLSTM", dropout, "dropout")
        if tied and embedding != hidden:
            remedy = f"Use embedding={hidden}, or tied=False"
            raise ArgumentError("CharLSTM", "embedding", f"hidden={hidden}, as tied weights ask", str(embedding), remedy)
        self.vocabulary, self.cell, self.hidden = vocabulary, cell, hidden
        self.embedding = nn.Embedding(vocabulary, embedding) if embedding else None
        sizes = [embedding or vocabulary] + [hidden] * (layers - 1)
        self.layers = nn.ModuleList([CELLS[cell](size, hidden) for size in sizes])
        self.norms = nn.ModuleList([nn.LayerNorm(hidden) if layer_norm else nn.Identity() for _ in sizes])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, vocabulary)
        with minigrad.no_grad():
            if cell == "lstm":
                for layer in self.layers:
                    layer.bias_hh_l0[hidden : 2 * hidden] = 1  # of the gates i f g o
                    layer.bias_ih_l0[hidden : 2 * hidden] = 0
            if tied and self.embedding is not None:
                self.embedding.weight.copy_(self.head.weight)  # so small that the first logits are
                self.head.weight = self.embedding.weight

    def forward(self, tokens: minigrad.Tensor, state: State | None = None) -> tuple[minigrad.Tensor, State]:
        """Logits of what comes after each character, and the state after the last."""
        if tokens.ndim != 2:
            raise ShapeError("CharLSTM", "tokens", "shape (T, B)", f"shape {tuple(tokens.shape)}")
        if state is not None:
            self._check_state(state, tokens.shape[1])
        if self.embedding is not None:
            rows = self.embedding(tokens)
        else:
            rows = F.one_hot(tokens, self.vocabulary).to(self.head.weight)
        lasts = []
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms)):
            first = None if state is None else tuple([part[number : number + 1] for part in state])
            rows, last = layer(rows, first if first is None or self.cell == "lstm" else first[0])
            lasts.append(last if self.cell == "lstm" else (last,))
            rows = self.dropout(norm(rows))
        return self.head(rows), tuple([minigrad.cat(parts) for parts in zip(*lasts)])

    def _check_state(self, state: State, batch: int) -> None:
        count, wanted = 1 + (self.cell == "lstm"), (len(self.layers), batch, self.hidden)
        if not isinstance(state, (tuple, list)) or [tuple(part.shape) for part in state] != [wanted] * count:
            expected = f"{count} of shape {wanted} (layers, lanes, hidden), as the network gives it"
            shapes = [tuple(part.shape) for part in state] if isinstance(state, (tuple, list)) else type(state).__name__
            raise ShapeError("CharLSTM", "state", expected, str(shapes))


def detached(state: State) -> State:
    """The same state, from which no gradient goes back: what truncated backpropagation carries on.

    Example:
        >>> (h,) = detached((minigrad.ones(1, requires_grad=True) * 2,))
        >>> h.requires_grad
        False
    """
    return tuple([part.detach() for part in state])


def parameters(
    vocabulary: int, *, cell: str, hidden: int, layers: int, embedding: int, layer_norm: bool, tied: bool, dropout: float = 0.0
) -> int:
    """How many parameters a ``CharLSTM`` of these arguments has, found without the memory for it.

    Example:
        >>> options = {"cell": "gru", "hidden": 6, "layers": 2, "embedding": 0, "layer_norm": True, "tied": False}
        >>> parameters(10, **options) == sum(p.numel() for p in CharLSTM(10, **options).parameters())
        True
    """
    per_layer = GATES[cell] * hidden * (hidden + 2) + 2 * hidden * layer_norm
    inputs = GATES[cell] * hidden * ((embedding or vocabulary) + (layers - 1) * hidden)
    return layers * per_layer + inputs + vocabulary * (embedding + (0 if tied else hidden) + 1)


class Card(NamedTuple):
    """All that makes a network's weights a model of a text; a run's config holds it.

    Attributes:
        vocabulary: which character has which number.
        options: what ``CharLSTM`` was built with.
        steps: characters through which it was trained at once, T.
    """

    vocabulary: Characters
    options: Mapping[str, Any]
    steps: int

    @property
    def parameters(self) -> int:
        """How many numbers the network's weights are."""
        return parameters(len(self.vocabulary), **self.options)

    def build(self) -> CharLSTM:
        """The network, not trained."""
        return CharLSTM(len(self.vocabulary), **self.options)

    def to_config(self) -> dict[str, Any]:
        """What ``of`` takes, as plain data."""
        return {"vocabulary": self.vocabulary.to_config(), "options": dict(self.options), "steps": self.steps}

    @classmethod
    def of(cls, content: Any, where: str) -> Card:
        """The card in a run's config.

        Raises:
            RunError: it is none.
        """
        from minigrad.data.characters import Characters

        try:
            options, steps = dict(content["options"]), content["steps"]
            sizes = {"hidden": (1, LARGEST), "layers": (1, MOST_LAYERS), "embedding": (0, LARGEST)}
            sound = (
                options.keys() == {"cell", "dropout", "layer_norm", "tied", *sizes}
                and options["cell"] in CELLS
                and all(type(options[name]) is int and least <= options[name] <= most for name, (least, most) in sizes.items())
                and type(options["dropout"]) in (int, float)
                and 0 <= options["dropout"] <= 1
                and all(type(options[name]) is bool for name in ("layer_norm", "tied"))
                and (not options["tied"] or options["embedding"] == options["hidden"])
                and type(steps) is int
                and 1 <= steps <= LARGEST
            )
            vocabulary = content["vocabulary"]
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            expected, got = "what the network is, as minigrad train text writes it", "nothing of that kind, or damaged"
            raise RunError("text", where, expected, got, "Put back a copy of config.json, or train anew")
        return cls(Characters.of(vocabulary, where), options, steps)
