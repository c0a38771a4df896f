"""Words and marks as tokens, so that the text can be put together again from them."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from minigrad.data.pair import cleaned
from minigrad.data.tokens import SPECIAL, Tokens, damaged
from minigrad.data.words import counted
from minigrad.errors import ArgumentError, DataError, RunError
from minigrad.ops.dims import count_of

JOINER = "\uffed"  # on the side of a token where no blank is, as OpenNMT's tokeniser has it
TITLE, CAPITALS = "\u21e7", "\u21ea"  # before a word that begins with a capital letter, or is of capitals
_TAKEN = str.maketrans({JOINER: "\u25a0", TITLE: "\u2191", CAPITALS: "\u2912"})  # what stands for them where a text has them
CASES = ("keep", "mark", "lower")
LEAST = 2  # times that a word comes to have a number, where nothing is said
_ALONE = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # of scripts without blanks
_LAST = 0xFFFF
KNOWN = 1 << 16  # runs of letters and marks whose tokens are remembered, as most come again


class Words(Tokens):
    """Words, numbers and marks, each with a number.

    A text is split at blanks, and between words and marks; a mark that touches a word has a joiner on that side, so that
    ``join`` gives back the text as it was, blanks and all: ``Don't stop!`` is ``Don ￭'￭ t stop ￭!``. A number with its points
    is one token, a run of one mark too, and so is each character of Chinese and Japanese, between which no blank is put.

    Args:
        words: the tokens beside the four special ones, each once, in the order of their numbers from 4.
        case: ``"keep"``; ``"mark"`` writes words small, with ``⇧`` before one that begins with a capital letter and ``⇪``
            before one of capitals, so that one number serves for all, and is undone as well; ``"lower"`` writes them small for
            good.

    Attributes:
        case: as given.

    Raises:
        ArgumentError: no such case, no words, a word twice, or one that is no token.

    Example:
        >>> words = Words(["turn", "on", "the", "light", "\\uffed."], case="lower")
        >>> words.encode("Turn on the fan."), words.decode([4, 5, 6, 7, 8, 3])
        (array([4, 5, 6, 1, 8]), 'turn on the light.')
    """

    kind = "words"

    def __init__(self, words: Iterable[str], case: str = "keep") -> None:
        if case not in CASES:
            raise ArgumentError("Words", "case", f"one of {', '.join(CASES)}", repr(case))
        self.case, self.symbols = case, (*SPECIAL, *words)
        wrong = [word for word in self.symbols if not isinstance(word, str) or not word or word.split() != [word]]
        if wrong or len(self.symbols) == len(SPECIAL):
            raise ArgumentError("Words", "words", "words without blanks, at least one", repr(wrong[0]) if wrong else "none")
        self._numbers = {word: number for number, word in enumerate(self.symbols)}
        if len(self._numbers) != len(self.symbols):
            twice = next(word for word, count in Counter(self.symbols).items() if count > 1)
            raise ArgumentError("Words", "words", "each word once", f"{twice!r} twice")

    @classmethod
    def learn(
        cls,
        sentences: Iterable[str],
        size: int | None = None,
        min_count: int | None = None,
        case: str = "keep",
        where: str = "data",
    ) -> Words:
        """The words of a training part, the most frequent first; of equal ones in the order of the alphabet.

        Args:
            sentences: of one language, or of both for a vocabulary in common.
            size: tokens that are kept, the four special ones among them; ``None``: all.
            min_count: times that a word must come; by default 2.
            case: as for ``Words``.
            where: what an error calls the sentences.

        Raises:
            DataError: fewer than two different words stay.
            ArgumentError: a size below 6, a ``min_count`` below 1, or no such case.

        Example:
            >>> Words.learn(["on and off", "on", "off"]).symbols[4:], len(Words.learn(["on and off"], min_count=1))
            (('off', 'on'), 7)
        """
        return cls.learn_counted(word_counts(sentences, case), size, min_count, case, where)

    @classmethod
    def learn_counted(cls, counts: Mapping[str, int], size: int | None, min_count: int | None, case: str, where: str) -> Words:
        """The words of a training part that ``word_counts`` has counted; arguments and errors as for ``learn``.

        Example:
            >>> Words.learn_counted(word_counts(["on and off", "on", "off"], "keep"), None, 2, "keep", "data").symbols[4:]
            ('off', 'on')
        """
        if size is not None:
            size = count_of("Words.learn", "size", size, len(SPECIAL) + 2)
        least = LEAST if min_count is None else count_of("Words.learn", "min_count", min_count)
        kept = sorted(
            (word for word, count in counts.items() if count >= least and word not in SPECIAL),
            key=lambda word: (-counts[word], word),
        )
        if len(kept) < 2:
            expected = f"at least two different words that come {counted(least, 'time')} or more"
            few = ", ".join(map(repr, kept)) or "none"
            remedy = "Give more pairs" + (", or keep rare words (--set min_count=1)" if least > 1 else "")
            raise DataError("data", where, expected, f"{few} of {counted(len(counts), 'word')}", remedy)
        return cls(kept if size is None else kept[: size - len(SPECIAL)], case)

    def split(self, text: str) -> list[str]:
        """The tokens of a text, also those that have no number.

        Example:
            >>> Words(["a"], case="mark").split("Say \\"HELLO\\" to l'Été, 3.5 km...")
            ['⇧', 'say', '"￭', '⇪', 'hello', '￭"', 'to', 'l', "￭'￭", '⇧', 'été', '￭,', '3.5', 'km', '￭...']
        """
        return split(text, self.case)

    def join(self, tokens: Iterable[str]) -> str:
        """The text of tokens, also of such as have no number.

        Example:
            >>> Words(["a"], case="mark").join(["⇧", "l", "￭'￭", "⇧", "été", "￭!"])
            "L'Été!"
        """
        return join(tokens)

    def spans(self, tokens: Sequence[str]) -> list[range]:
        """Each token is a word, with the sign of its case where it has one."""
        ends = [place + 1 for place, token in enumerate(tokens) if token not in (TITLE, CAPITALS) or place + 1 == len(tokens)]
        return [range(start, end) for start, end in itertools.pairwise([0, *ends])]

    def shown(self, tokens: Sequence[str]) -> str:
        """A word, without the signs that say where no blank stands."""
        return bare(self.join(tokens) or "".join(tokens))

    def to_config(self) -> dict[str, Any]:
        """The vocabulary as a run's config holds it."""
        return {"kind": self.kind, "case": self.case, "words": list(self.symbols[len(SPECIAL) :])}

    @classmethod
    def of(cls, config: Any, where: str) -> Words:
        """The vocabulary that a config holds.

        Raises:
            RunError: it holds none.
        """
        try:
            if set(config) != {"kind", "case", "words"} or config["kind"] != cls.kind or not isinstance(config["words"], list):
                raise ValueError("other keys")
            return cls(config["words"], config["case"])
        except (KeyError, TypeError, ValueError) as error:  # an ArgumentError too
            if isinstance(error, RunError):
                raise
            raise damaged(where, error) from error


def word_counts(sentences: Iterable[str], case: str) -> Counter[str]:
    """How often each word and mark of sentences comes, cleaned and split as ``Words`` does.

    Raises:
        ArgumentError: no such case.

    Example:
        >>> word_counts(["On and off", "on."], "lower")
        Counter({'on': 2, 'and': 1, 'off': 1, '￭.': 1})
    """
    if case not in CASES:
        raise ArgumentError("Words.learn", "case", f"one of {', '.join(CASES)}", repr(case))
    runs = Counter(itertools.chain.from_iterable(_runs(cleaned(sentence), case) for sentence in sentences))
    counts: Counter[str] = Counter()
    for run, times in runs.items():
        for word in _run(run, case):
            counts[word] += times
    return counts


def split(text: str, case: str = "keep") -> list[str]:
    """The tokens of a cleaned text; see ``Words``."""
    return list(itertools.chain.from_iterable([_run(run, case) for run in _runs(text, case)]))


def _runs(text: str, case: str) -> list[str]:
    """What stands between the blanks of a cleaned text."""
    if not text.isascii() and (JOINER in text or TITLE in text or CAPITALS in text):
        text = text.translate(_TAKEN)
    return text.lower().split() if case == "lower" else text.split()


@functools.lru_cache(KNOWN)
def _run(run: str, case: str) -> tuple[str, ...]:
    """The tokens of what stands between two blanks."""
    found: list[str] = []
    pieces = [match[0] for match in _pattern().finditer(run)]
    words = [piece[0].isalnum() or piece[0] == "_" for piece in pieces]
    last = len(pieces) - 1
    for i, (piece, is_word) in enumerate(zip(pieces, words)):
        before = i > 0 and not (is_word and not words[i - 1]) and not (_alone(piece) and _alone(pieces[i - 1]))
        after = not is_word and i < last and words[i + 1]
        _take(f"{JOINER if before else ''}{piece}{JOINER if after else ''}", case, found)
    return tuple(found)


def join(tokens: Iterable[str]) -> str:
    """The text of tokens; see ``Words``."""
    text: list[str] = []
    glued, case, before = True, "", ""
    for token in tokens:
        if token in (TITLE, CAPITALS):
            case = token
            continue
        left, right = token.startswith(JOINER), token.endswith(JOINER) and len(token) > 1
        word = token[left : len(token) - right]
        if case and word:
            word = word[0].upper() + word[1:] if case == TITLE else word.upper()
        if not (glued or left or (_alone(word[:1]) and _alone(before[-1:]))):
            text.append(" ")
        text.append(word)
        glued, case, before = right, "", word
    return "".join(text)


def bare(token: str) -> str:
    """A token without the signs that say where no blank stands.

    Example:
        >>> bare("￭'￭"), bare("light")
        ("'", 'light')
    """
    return token.strip(JOINER) or token


def _take(token: str, case: str, found: list[str]) -> None:
    """Add a token, with what tells of its case before it."""
    if case == "mark":
        small = token.lower()
        if small != token:
            letters = token.strip(JOINER)
            rest = letters[1:]
            mark = TITLE if rest == rest.lower() else CAPITALS if letters == letters.upper() else ""
            if mark and (token.replace(letters, letters.lower())) == small and _returns(letters, mark):
                found.append(mark)
                token = small
    found.append(token)


def _returns(letters: str, mark: str) -> bool:
    """Whether a word that is written small comes back by its mark: ``ß`` and the like may not."""
    small = letters.lower()
    return letters == (small[:1].upper() + small[1:] if mark == TITLE else small.upper())


def _alone(character: str) -> bool:
    """Whether a character is of a script that has no blanks: each is a token."""
    return len(character) == 1 and character > "\u3000" and bool(_lone().fullmatch(character))


@functools.cache
def _lone() -> re.Pattern[str]:
    return re.compile(f"[{_ALONE}]")


@functools.cache
def _pattern() -> re.Pattern[str]:
    """Numbers with points; characters of scripts without blanks; words, with the accents of their letters; runs of a mark."""
    combining = "".join(re.escape(chr(code)) for code in range(_LAST + 1) if unicodedata.category(chr(code))[0] == "M")
    letter = rf"[^\W{_ALONE}]"
    return re.compile(rf"\d+(?:[.,:]\d+)+(?!\w)|[{_ALONE}]|{letter}(?:{letter}|[{combining}])*|([^\w])\1*")


__all__ = ["CASES", "JOINER", "LEAST", "Words", "bare", "join", "split", "word_counts"]
