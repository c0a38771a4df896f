"""The characters that a model of text knows, and their numbers: code points of Unicode, or bytes."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minigrad.data.words import counted, listed, shown
from minigrad.errors import ArgumentError, DataError, IndexingError, RunError

FOLDED = "\ufffd"  # stands for all characters that have no number of their own
KINDS = ("characters", "bytes")
POLICIES = ("refuse", "fold", "skip")
_BYTES = tuple(map(chr, range(256)))
_NAMED = 5  # characters that an error names


class Characters:
    """A vocabulary: each of its symbols has a number, from 0.

    Args:
        symbols: the characters, each once, in the order of their numbers. For ``"bytes"`` they are not given: they are the 256
            bytes, as the characters of Latin-1.
        kind: ``"characters"``, code points of Unicode; or ``"bytes"``, of a text in any encoding or of none.

    Attributes:
        kind, symbols: as given.
        unknown: the number of U+FFFD, into which rare characters were folded; ``None`` where no character was.

    Raises:
        ArgumentError: symbols that are no single characters, that come twice, or none at all.

    Example:
        >>> vocabulary = Characters("abc")
        >>> vocabulary.encode("cab").tolist(), vocabulary.decode([2, 0, 1]), len(vocabulary)
        ([2, 0, 1], 'cab', 3)
    """

    def __init__(self, symbols: Iterable[str] = (), kind: str = "characters") -> None:
        where = "Characters"
        if kind not in KINDS:
            raise ArgumentError(where, "kind", f"one of {', '.join(KINDS)}", repr(kind))
        self.kind, self.symbols = kind, tuple(symbols)
        if kind == "bytes":
            if self.symbols not in ((), _BYTES):
                raise ArgumentError(where, "symbols", "none, as those of bytes are known", counted(len(self.symbols), "symbol"))
            self.symbols = _BYTES
        wrong = [symbol for symbol in self.symbols if not isinstance(symbol, str) or len(symbol) != 1]
        if wrong or not self.symbols:
            got = repr(wrong[0]) if wrong else "none"
            raise ArgumentError(where, "symbols", "characters, at least one", got)
        if len(set(self.symbols)) != len(self.symbols):
            twice = next(symbol for symbol in self.symbols if self.symbols.count(symbol) > 1)
            raise ArgumentError(where, "symbols", "each character once", f"{described(twice)} twice")
        self.unknown = self.symbols.index(FOLDED) if kind == "characters" and FOLDED in self.symbols else None
        self._codes = np.array([ord(symbol) for symbol in self.symbols], np.uint32)
        self._table = np.full(int(self._codes.max()) + 1, -1, np.int32)
        self._table[self._codes] = np.arange(len(self.symbols), dtype=np.int32)

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def unit(self) -> str:
        """What one of its symbols is called: ``"character"`` or ``"byte"``."""
        return "byte" if self.kind == "bytes" else "character"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Characters) and (self.kind, self.symbols) == (other.kind, other.symbols)

    def __hash__(self) -> int:
        return hash((self.kind, self.symbols))

    def __repr__(self) -> str:
        return f"Characters({len(self)} {'bytes' if self.kind == 'bytes' else 'symbols'})"

    # ------------------------------------------------------------------ text to numbers

    def encode(self, text: str | bytes, unknown: str = "refuse", where: str = "text", remedy: str = "") -> np.ndarray:
        """The numbers of a text, int64 (n,).

        Args:
            text: characters, or bytes; of the other kind than the vocabulary they are taken as UTF-8.
            unknown: what becomes of characters that have no number: ``"refuse"`` raises, ``"fold"`` gives them that of U+FFFD,
                ``"skip"`` leaves them out.
            where: what an error calls the text.
            remedy: what to do where characters are refused; by default, what the commands that read text have for it.

        Raises:
            ArgumentError: ``unknown`` is none of these, or ``"fold"`` where the vocabulary has no U+FFFD.
            DataError: characters without a number are refused; or bytes that are no UTF-8.

        Example:
            >>> Characters("ab").encode("a-b", unknown="skip").tolist(), Characters(kind="bytes").encode("é").tolist()
            ([0, 1], [195, 169])
        """
        codes = self._codes_of(text, where)
        ids = self.numbers(codes)
        unseen = ids < 0
        self.check(_counts(codes[unseen]), unknown, where, remedy)
        if unknown == "skip":
            return ids[~unseen].astype(np.int64)
        return np.where(unseen, self.unknown or 0, ids).astype(np.int64)

    def check(self, unseen: Mapping[str, int], unknown: str, where: str, remedy: str = "") -> None:
        """See that characters without a number may come.

        Args:
            unseen: the characters, and how often each comes.
            unknown, where, remedy: as for ``encode``.

        Raises:
            ArgumentError, DataError: as ``encode`` says.

        Example:
            >>> Characters("ab").check({"c": 1}, "skip", "text")
        """
        if unknown not in POLICIES:
            raise ArgumentError(where, "unknown", f"one of {', '.join(POLICIES)}", repr(unknown))
        if not unseen or unknown == "skip":
            return
        if unknown == "refuse":
            raise self._refusal(where, unseen, remedy)
        if self.unknown is None:
            expected = "a vocabulary with a place for characters that it does not know"
            remedy = "Leave them out (--unseen skip), or train with rare characters folded (--set min_count=10)"
            raise ArgumentError(where, "unknown", expected, f"{len(self)} characters without U+FFFD", remedy)

    def numbers(self, codes: np.ndarray) -> np.ndarray:
        """The numbers of code points (or bytes), int32 of the same shape; -1 for those that have none.

        Example:
            >>> Characters("ab").numbers(np.array([98, 97, 233])).tolist()
            [1, 0, -1]
        """
        inside = codes < len(self._table)
        if inside.all():
            return self._table[codes]
        return np.where(inside, self._table[np.where(inside, codes, 0)], np.int32(-1))

    def unseen(self, text: str | bytes) -> dict[str, int]:
        """The characters of a text that have no number, the most frequent first, and how often each comes.

        Raises:
            DataError: bytes that are no UTF-8, where the vocabulary is one of characters.

        Example:
            >>> Characters("ab").unseen("bananas")
            {'n': 2, 's': 1}
        """
        codes = self._codes_of(text, "text")
        return _counts(codes[self.numbers(codes) < 0])

    def _codes_of(self, text: str | bytes, where: str) -> np.ndarray:
        if self.kind == "bytes":
            return np.frombuffer(text if isinstance(text, bytes) else as_bytes(text), np.uint8)
        if isinstance(text, bytes):
            try:
                text = text.decode()
            except UnicodeDecodeError as error:
                got = f"byte 0x{text[error.start]:02x} at place {error.start:,}"
                remedy = "Save it as UTF-8, or use a model that was trained on bytes (--bytes)"
                raise DataError(where, "encoding", "UTF-8", got, remedy) from error
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)

    def _refusal(self, where: str, unseen: Mapping[str, int], remedy: str) -> DataError:
        named = [f"{described(symbol)} {counted(count, 'time')}" for symbol, count in unseen.items()]
        expected = f"the {len(self)} characters that the vocabulary has"
        folded = ", have them read as U+FFFD (--unseen fold)" if self.unknown is not None else ""
        got = f"{counted(len(named), 'other')}: {listed(named, _NAMED)}"
        remedy = remedy or f"Leave them out (--unseen skip){folded}, or give a text without them"
        return DataError(where, "characters", expected, got, remedy)

    # ------------------------------------------------------------------ numbers to text

    def decode(self, ids: Any) -> str:
        """The text of numbers. Bytes are read as UTF-8, and those that are none become U+FFFD.

        Args:
            ids: integers, as an array, a Tensor or anything that gives them one by one.

        Raises:
            IndexingError: a number that no symbol has.

        Example:
            >>> Characters(kind="bytes").decode([226, 130, 172])
            '€'
        """
        numbers = np.asarray(ids if hasattr(ids, "__array__") else list(ids))
        numbers = numbers.astype(np.int64) if not numbers.size else numbers.reshape(-1)
        if numbers.dtype.kind not in "iu" or np.any((numbers < 0) | (numbers >= len(self))):
            raise IndexingError("decode", "ids", f"numbers from 0 to {len(self) - 1}", _first_wrong(numbers, len(self)))
        if self.kind == "bytes":
            return numbers.astype(np.uint8).tobytes().decode("utf-8", "replace")
        return self._codes[numbers].tobytes().decode("utf-32-le", "surrogatepass")

    def decoder(self) -> Decoder:
        """What makes text of numbers that come one by one.

        Example:
            >>> decoder = Characters(kind="bytes").decoder()
            >>> [decoder.feed(byte) for byte in "né".encode()], decoder.rest()
            (['n', '', 'é'], '')
        """
        return Decoder(self)

    # ------------------------------------------------------------------ in a run's config

    def to_config(self) -> dict[str, Any]:
        """The vocabulary as a run's config holds it.

        Example:
            >>> Characters("ab").to_config(), Characters(kind="bytes").to_config()
            ({'kind': 'characters', 'symbols': 'ab'}, {'kind': 'bytes'})
        """
        return {"kind": self.kind} if self.kind == "bytes" else {"kind": self.kind, "symbols": "".join(self.symbols)}

    @classmethod
    def of(cls, config: Any, where: str) -> Characters:
        """The vocabulary that a config holds.

        Raises:
            RunError: it holds none.

        Example:
            >>> Characters.of({"kind": "characters", "symbols": "ab"}, "config.json") == Characters("ab")
            True
        """
        try:
            kind = config["kind"]
            symbols = "" if kind == "bytes" else config["symbols"]
            if not isinstance(symbols, str) or set(config) - {"kind", "symbols"}:
                raise ValueError("symbols that are no text")
            return cls(symbols, kind)
        except (KeyError, TypeError, ValueError) as error:  # an ArgumentError too
            expected = "the characters that the model knows, as minigrad train text writes them"
            remedy = "Put back a copy of the file, or train anew"
            raise RunError("text", where, expected, f"others ({error})", remedy) from error

    def check_same(self, other: Characters, where: str) -> None:
        """See that another vocabulary is this one, as the weights of a model need it.

        Raises:
            RunError: it is not; says in what it differs.

        Example:
            >>> Characters("ab").check_same(Characters("ba"), "model")
            Traceback (most recent call last):
            minigrad.errors.RunError: text: model: expected 2 characters, got the same in another order. Use the vocabulary \
that the model was trained with.
        """
        if self == other:
            return
        if self.kind != other.kind:
            expected, got = f"a vocabulary of {self.kind}", f"one of {other.kind}"
        else:
            expected = counted(len(self), "character")
            more = [described(symbol) for symbol in other.symbols if symbol not in set(self.symbols)]
            less = [described(symbol) for symbol in self.symbols if symbol not in set(other.symbols)]
            told = [f"{len(more)} more ({listed(more)})"] if more else []
            told += [f"{len(less)} fewer ({listed(less)})"] if less else []
            got = " and ".join(told) or "the same in another order"
        raise RunError("text", where, expected, got, "Use the vocabulary that the model was trained with")


class Decoder:
    """Makes text of numbers that come one by one; see ``Characters.decoder``. Bytes wait until their character is whole."""

    def __init__(self, vocabulary: Characters) -> None:
        self._vocabulary = vocabulary
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace") if vocabulary.kind == "bytes" else None

    def feed(self, id: int) -> str:
        """What can be written after this number: a character, or nothing yet, or more where broken ones became whole.

        Raises:
            IndexingError: no symbol has that number.
        """
        if not 0 <= id < len(self._vocabulary):
            raise IndexingError("decoder", "id", f"a number from 0 to {len(self._vocabulary) - 1}", repr(id))
        return self._vocabulary.symbols[id] if self._bytes is None else self._bytes.decode(bytes((id,)))

    def rest(self) -> str:
        """What is left of a character that was not finished."""
        return "" if self._bytes is None else self._bytes.decode(b"", final=True)


def described(symbol: str) -> str:
    """A character with its name, as messages write it.

    Example:
        >>> described("é"), described(chr(7)), described("a")
        ("'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE)", 'U+0007', "'a'")
    """
    code = ord(symbol)
    if 32 < code < 127:
        return f"'{symbol}'"
    name = unicodedata.name(symbol, "")
    seen = f"'{shown(symbol)}' " if symbol.isprintable() and not symbol.isspace() else ""
    point = f"U+{code:04X}" + (f" {name}" if name else "")
    return f"{seen}({point})" if seen else point


def _counts(codes: np.ndarray) -> dict[str, int]:
    """Character -> how often it comes, the most frequent first."""
    points, counts = np.unique(codes, return_counts=True)
    order = np.lexsort((points, -counts))
    return {chr(int(points[i])): int(counts[i]) for i in order}


def as_bytes(text: str) -> bytes:
    """UTF-8. Bytes of a command line that are none come as lone surrogates, and go back to what they were.

    Example:
        >>> as_bytes("é"), as_bytes("\\udcff")
        (b'\\xc3\\xa9', b'\\xff')
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _first_wrong(numbers: np.ndarray, size: int) -> str:
    if numbers.dtype.kind not in "iu":
        return f"an array of {numbers.dtype}"
    return str(numbers[(numbers < 0) | (numbers >= size)][0])


__all__ = ["FOLDED", "Characters", "Decoder", "as_bytes", "described"]
