"""The vocabularies of two languages, learned from sentence pairs, and what they do not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from minigrad.data.pairs import PARTS, PairData
from minigrad.data.subwords import Subwords
from minigrad.data.tokens import SPECIAL, UNKNOWN, Tokens, unknown_rate
from minigrad.data.wordtokens import LEAST, Words, word_counts
from minigrad.errors import ArgumentError

KINDS = ("words", "subwords")
WORDS = 30_000  # where no size is asked for, the most frequent
SUBWORDS = 4000  # likewise,
LETTERS = 12  # or one for so many characters of the training part, if that is less:
FEWEST = 500  # of fewer, words are spelt


class PairTokens(NamedTuple):
    """The vocabularies of source and target, which may be one, and lines to print about them."""

    source: Tokens
    target: Tokens
    policy: tuple[str, ...]


def learn_tokens(
    data: PairData,
    kind: str = "words",
    *,
    size: int | None = None,
    min_count: int | None = None,
    case: str = "keep",
    joint: bool | None = None,
) -> PairTokens:
    """Words or subwords of the training part, and the shares of the tokens of each part that they do not know.

    Args:
        data: as ``open_pairs`` gives it.
        kind: ``"words"`` or ``"subwords"``.
        size: tokens that are kept, of each language, or in all where they share a vocabulary. By default the words that
            come often enough, 30,000 at most; of subwords 4,000, of small data fewer, of thousands of characters more.
        min_count: times that a word must come; by default 2.
        case: of words, as for ``Words``.
        joint: whether both languages have one vocabulary; by default subwords do, and words do not.

    Raises:
        ArgumentError: another kind, or with subwords a ``min_count`` or a ``case``.
        DataError: as ``Words.learn`` and ``Subwords.learn`` say.

    Example:
        >>> from minigrad.data.pair import Pair
        >>> some = [Pair("on", "an"), Pair("off", "aus"), Pair("on and off", "an und aus")]
        >>> found = learn_tokens(PairData(some, some[:1], None, ("en", "de"), (), "", ()))
        >>> found.source.symbols[4:], found.policy[0]
        (('off', 'on'), 'words of en: 2 of 3, those that come 2 times or more; unknown: 20.0% to train on, 0.0% of validation')
    """
    if kind not in KINDS:
        raise ArgumentError("data", "kind", f"one of {', '.join(KINDS)}", repr(kind))
    if kind == "subwords" and (min_count is not None or case != "keep"):
        got = f"min_count={min_count}, case={case!r}"
        raise ArgumentError("data", "min_count, case", "none with subwords", got, "They belong to words")
    names = [name or side for name, side in zip(data.languages, ("source", "target"))]
    sides = [[pair[:2][side] for pair in data.train] for side in (0, 1)]
    if kind == "subwords" if joint is None else joint:
        names, sides = [" and ".join(names)], [sides[0] + sides[1]]
    found: list[Tokens] = []
    policy = []
    for number, (name, sentences) in enumerate(zip(names, sides)):
        if kind == "words":
            counts = word_counts(sentences, case)
            words = Words.learn_counted(counts, WORDS if size is None else size, min_count, case, where=name)
            head, unknown = _about_words(words, name, counts, size, min_count)
            found.append(words)
        else:
            usual = min(SUBWORDS, max(FEWEST, sum(map(len, sentences)) // LETTERS))
            usual = max(usual, FEWEST + len(set("".join(sentences))))  # each character has a number
            found.append(Subwords.learn(sentences, usual if size is None else size, where=name))
            head, unknown = _about_subwords(found[-1], name, sentences)
        others = _unknown(found[-1], data, (0, 1) if len(names) == 1 else (number,))
        policy.append(f"{head}; unknown: {', '.join([f'{unknown:.1%} to train on', *others])}")
    return PairTokens(found[0], found[-1], tuple(policy))


def _about_words(words: Words, name: str, counts: Counter[str], size: int | None, min_count: int | None) -> tuple[str, float]:
    """How many words there are, and the share of those to train on that have no number."""
    which = ["the most frequent"] if len(words) == (WORDS if size is None else size) else []
    which += [f"those that come {min_count or LEAST} times or more"] if min_count != 1 else []
    own, total = words.symbols[len(SPECIAL) :], counts.total()
    unknown = total - sum(counts[word] for word in own)
    return f"words of {name}: {', '.join([f'{len(own):,} of {len(counts):,}', *which])}", unknown / total if total else 0.0


def _about_subwords(tokens: Tokens, name: str, sentences: Sequence[str]) -> tuple[str, float]:
    """How many subwords there are and make a word, and the share of those to train on that have no number."""
    words = sum(len(sentence.split()) for sentence in sentences)
    ids = [tokens.encode(sentence) for sentence in sentences]
    pieces = sum(map(len, ids))
    own, unknown = len(tokens) - len(SPECIAL), sum(int((some == UNKNOWN).sum()) for some in ids)
    return f"subwords of {name}: {own:,}, {pieces / words:.2f} to a word", unknown / pieces


def _unknown(tokens: Tokens, data: PairData, sides: Sequence[int]) -> Iterator[str]:
    """The shares of what a vocabulary does not know of the other parts."""
    for part, pairs in zip(PARTS[1:], (data.validation, data.test)):
        if pairs:
            yield f"{unknown_rate(tokens, [pair[:2][side] for side in sides for pair in pairs]):.1%} of {part}"


__all__ = ["KINDS", "PairTokens", "learn_tokens"]
