"""Text for a model that is trained already: in the numbers of its vocabulary, whatever characters the text has."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minigrad.data.characters import POLICIES, Characters, described
from minigrad.data.ids import Ids, Span, stored
from minigrad.data.scan import Progress, Scanned, scan, whole
from minigrad.data.textfiles import find_text
from minigrad.data.textread import changed, read_codes
from minigrad.data.words import counted, listed, shown
from minigrad.errors import ArgumentError, DataError

_NAMED = 8  # characters that a line names


class UnseenText(NamedTuple):
    """A text to measure a model by.

    Attributes:
        ids: its characters, in the numbers of the model's vocabulary.
        unseen: the characters that the vocabulary does not have, the most frequent first, and how often each comes.
        policy: lines to print: what was found, and what became of those characters.
    """

    ids: Ids
    unseen: dict[str, int]
    policy: tuple[str, ...]


def open_unseen(
    data: str | os.PathLike[str],
    vocabulary: Characters,
    *,
    glob: str | None = None,
    unknown: str = "refuse",
    progress: Progress | None = None,
) -> UnseenText:
    """The text of a file or a folder for a model that has a vocabulary: the test part where there is one, else all of it.

    Args:
        data: as for ``open_text``.
        vocabulary: the model's.
        glob: which files of a folder.
        unknown: what becomes of characters that the model does not know: ``"refuse"`` raises, ``"fold"`` reads them as
            U+FFFD, ``"skip"`` leaves them out.
        progress: as for ``open_text``.

    Raises:
        DataError: there is no such text, or it has characters that the model does not know, or too few others.
        ArgumentError: ``"fold"`` for a vocabulary without U+FFFD.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("poem.txt").write_text("a-b-a")
        >>> found = open_unseen("poem.txt", Characters("ab"), unknown="skip")
        >>> found.ids[:].tolist(), found.unseen
        ([0, 1, 0], {'-': 2})
    """
    name = os.fsdecode(data)
    if unknown not in POLICIES:
        raise ArgumentError("data", "unseen", f"one of {', '.join(POLICIES)}", repr(unknown))
    if unknown == "fold" and vocabulary.unknown is None:
        expected = "a model with a place for characters that it does not know"
        remedy = "Leave them out (skip), or train with rare characters folded (--set min_count=10)"
        raise ArgumentError("data", "unseen", expected, f"one of {len(vocabulary)} characters without U+FFFD", remedy)
    bytes = vocabulary.kind == "bytes"
    files, notes = find_text(name, glob, bytes=bytes)
    chosen = [file for file in files if file.part == "test"] or files
    scanned = scan(whole(chosen), bytes=bytes, progress=progress)
    unseen = _unseen(scanned, vocabulary)
    if unseen and unknown == "refuse":
        raise _refusal(name, vocabulary, unseen)
    skipped = sum(unseen.values()) if unknown == "skip" else 0
    total = sum(one.length for one in scanned)
    spans = _spans(scanned, vocabulary, unknown)
    if total - skipped < 2:
        expected, got = (
            "at least 2 characters that the model knows: the first is read, the second foretold",
            str(total - skipped),
        )
        raise DataError("data", shown(name), expected, got, "Give more text")
    made_of = repr((vocabulary.to_config(), unknown, [one.digest for one in scanned]))
    key = hashlib.sha256(made_of.encode("utf-8", "replace")).hexdigest()
    row, _ = stored(key, total - skipped, len(vocabulary), lambda: _encoded(scanned, vocabulary, unknown, progress))
    unit = "byte" if bytes else "character"
    policy = [f"text: {counted(len(chosen), 'file')}, {counted(total, unit)}", *notes]
    if unseen:
        became = "read as U+FFFD" if unknown == "fold" else "left out"
        policy.append(f"{became}: {_told(unseen)}, at {counted(sum(unseen.values()), 'place')}")
    return UnseenText(Ids(row, spans), unseen, tuple(policy))


def _spans(scanned: list[Scanned], vocabulary: Characters, unknown: str) -> list[Span]:
    """Where each file stands among the numbers."""
    spans, end = [], 0
    for one in scanned:
        start = end
        end += one.length if unknown == "fold" else int(one.counts[vocabulary.numbers(one.codes) >= 0].sum())
        spans.append(Span(one.stretch.file.name, start, end))
    return spans


def _encoded(scanned: list[Scanned], vocabulary: Characters, unknown: str, progress: Progress | None) -> Iterator[np.ndarray]:
    """The numbers of files, one after the other, in pieces."""
    total, done = sum(one.stretch.stop for one in scanned), 0
    stands_for_all = -1 if vocabulary.unknown is None else vocabulary.unknown
    for one in scanned:
        digest = hashlib.sha256()
        for codes in read_codes(one.stretch.file, bytes=vocabulary.kind == "bytes", saw=digest.update):
            numbers = vocabulary.numbers(codes)
            known = numbers >= 0
            yield numbers[known] if unknown != "fold" else np.where(known, numbers, stands_for_all)
        if digest.digest() != one.digest:
            raise changed(one.stretch.file.name)
        done += one.stretch.stop
        if progress is not None:
            progress("encoding", done, total)


def _unseen(scanned: list[Scanned], vocabulary: Characters) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in scanned:
        new = vocabulary.numbers(one.codes) < 0
        for code, count in zip(one.codes[new].tolist(), one.counts[new].tolist(), strict=True):
            counts[chr(code)] = counts.get(chr(code), 0) + count
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _told(unseen: dict[str, int]) -> str:
    named = [f"{described(symbol)} {counted(count, 'time')}" for symbol, count in unseen.items()]
    return f"{counted(len(named), 'character')} that the model does not know ({listed(named, _NAMED)})"


def _refusal(name: str, vocabulary: Characters, unseen: dict[str, int]) -> DataError:
    remedy = "Have them left out: --unseen skip"
    if vocabulary.unknown is not None:
        remedy += "; or read as the rare characters were that it learned from: --unseen fold"
    return DataError("data", shown(name), f"the {len(vocabulary)} characters that the model knows", _told(unseen), remedy)


__all__ = ["UnseenText", "open_unseen"]
