"""All that makes the weights of a ``Seq2Seq`` a translator: languages, their vocabularies, and what it is built of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import minigrad
from minigrad import Tensor
from minigrad.data.tokens import Tokens, of_config
from minigrad.errors import RunError
from minigrad.models.seq2seq import ATTENTION, GATES, LARGEST, MOST_LAYERS, TIED, Seq2Seq, parameters
from minigrad.train.trained import Trained

DIGEST = "vocabularies"  # the name under which the weights hold the digest of the vocabularies that they were trained with


class Card(NamedTuple):
    """What a run's config holds of a translator.

    Attributes:
        languages: of source and target; empty where nothing tells them.
        source, target: the vocabularies, which may be one.
        options: what ``Seq2Seq`` was built with, but the numbers of words.
    """

    languages: tuple[str, str]
    source: Tokens
    target: Tokens
    options: Mapping[str, Any]

    @property
    def parameters(self) -> int:
        """How many numbers the network's weights are."""
        return parameters(len(self.source), len(self.target), **self.options)

    @property
    def digest(self) -> bytes:
        """32 bytes that the two vocabularies have, and no others."""
        return hashlib.sha256(f"{self.source.digest} {self.target.digest}".encode()).digest()

    def build(self) -> Seq2Seq:
        """The network, not trained; the digest of the vocabularies goes with its weights."""
        network = Seq2Seq(len(self.source), len(self.target), **self.options)
        network.register_buffer(DIGEST, minigrad.tensor(list(self.digest), dtype=minigrad.uint8))
        return network

    def check_vocabularies(self, weights: Mapping[str, Tensor], where: str) -> None:
        """See that weights were trained with these vocabularies: with others of the same size they would say other words.

        Raises:
            RunError: they were not.
        """
        found = weights.get(DIGEST)
        if found is None or bytes(found.cpu().numpy().tobytes()) != self.digest:
            expected = "weights that were trained with the vocabularies of config.json"
            raise RunError("translate", where, expected, "weights of other vocabularies", Trained.REMEDY)

    def network(self, trained: Trained) -> Seq2Seq:
        """The network of a trained model.

        Raises:
            RunError: the weights are another network's, or were trained with other vocabularies.
            FileFormatError: their file is damaged.
        """
        network: Any = trained.network(self.build, lambda: self.parameters)
        self.check_vocabularies(network.state_dict(), str(trained.path))
        return network

    def to_config(self) -> dict[str, Any]:
        """What ``of`` takes, as plain data; one vocabulary for both languages is written once."""
        target = None if self.target == self.source else self.target.to_config()
        made = {"languages": list(self.languages), "source": self.source.to_config(), "target": target}
        return {**made, "options": dict(self.options)}

    @classmethod
    def of(cls, content: Any, where: str) -> Card:
        """The card in a run's config.

        Raises:
            RunError: it is none.
        """
        try:
            languages, source, target, options = (content[key] for key in ("languages", "source", "target", "options"))
            sound = isinstance(languages, list) and len(languages) == 2 and all(isinstance(one, str) for one in languages)
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            expected, got = "what the network is, as minigrad train translate writes it", "nothing of that kind, or damaged"
            raise RunError("translate", where, expected, got, "Put back a copy of config.json, or train anew")
        first = of_config(source, where)
        second = first if target is None else of_config(target, where)
        return cls((languages[0], languages[1]), first, second, options_of(options, where))


def options_of(content: Any, where: str) -> dict[str, Any]:
    """What ``Seq2Seq`` was built with, but the numbers of words, from a run's config.

    Raises:
        RunError: it is not all there, or is damaged.

    Example:
        >>> options = {"cell": "gru", "hidden": 8, "layers": 1, "embedding": 4, "attention": "dot", "feeding": True}
        >>> options_of({**options, "residual": False, "dropout": 0.1, "tied": "none"}, "config.json")["hidden"]
        8
    """
    sizes, switches = {"hidden": LARGEST, "layers": MOST_LAYERS, "embedding": LARGEST}, ("feeding", "residual")
    choices = {"cell": GATES, "attention": ATTENTION, "tied": TIED}
    try:
        options = dict(content)
        sound = (
            options.keys() == {*sizes, *switches, *choices, "dropout"}
            and all(type(options[name]) is int and 1 <= options[name] <= most for name, most in sizes.items())
            and all(type(options[name]) is bool for name in switches)
            and all(options[name] in words for name, words in choices.items())
            and type(options["dropout"]) in (int, float)
            and 0 <= options["dropout"] <= 1
            and options["hidden"] % 2 == 0
            and not (options["feeding"] and options["attention"] == "none")
        )
    except (TypeError, ValueError):
        sound = False
    if not sound:
        expected, got = "what the network is, as minigrad train translate writes it", "nothing of that kind, or damaged"
        raise RunError("translate", where, expected, got, "Put back a copy of config.json, or train anew")
    return options
