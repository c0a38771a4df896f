"""Sentence pairs, from a named set or files of the user's own, split into parts and ready to learn from."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from minigrad.data import pairsets
from minigrad.data.catalogue import named
from minigrad.data.gathered import Place, called, taken
from minigrad.data.pair import LONGEST, Pair, Sieve, is_copy
from minigrad.data.pairfiles import counterpart, find_each, places, same_languages
from minigrad.data.pairread import Oddities
from minigrad.data.pairsplit import held_out_pairs, shared
from minigrad.data.words import counted, listed, shown
from minigrad.errors import ArgumentError, DataError
from minigrad.ops.dims import count_of

FAIR = 200  # pairs held out, of fewer of which a figure says little
COPIES = 0.01  # the share of pairs with the same sentence on both sides from which on it is told
PARTS = ("train", "validation", "test")

Progress = Callable[[str, int, int], None]


class PairData(NamedTuple):
    """What a model that translates is trained, chosen and tested on.

    Attributes:
        train, validation: to learn from, and to choose by.
        test: to tell the result by; ``None`` where the data hold no such part.
        languages: of source and target, as names of sets and of files tell them; else empty.
        policy: lines to print: what was found, how it is split, what was left out and why.
        digest: sha256 of all pairs, which is the same wherever they lie, in either direction, and whatever split is asked for.
        names: the files.
    """

    train: Sequence[Pair]
    validation: Sequence[Pair]
    test: Sequence[Pair] | None
    languages: tuple[str, str]
    policy: tuple[str, ...]
    digest: str
    names: tuple[str, ...]


class ReadPairs(NamedTuple):
    """All rows of the data by part, ``""`` where none is told, with their languages, files, and lines about them."""

    rows: dict[str, list[Pair]]
    languages: tuple[str, str]
    names: tuple[str, ...]
    notes: tuple[str, ...]


def open_pairs(
    data: Place | Sequence[Place],
    *,
    source: str | None = None,
    target: str | None = None,
    reverse: bool = False,
    longest: int = LONGEST,
    holdout: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> PairData:
    """Sentence pairs by name, or by the paths of files or folders, cleaned and split.

    What is not asked for is decided from the data, and told in the lines of ``policy``. Files are UTF-8, packed by gzip or not;
    blanks are made single, and accents one character with their letters. A file has a sentence, a tab and its translation in
    each line, as those of Anki and Tatoeba; or of two files each line of the one is the translation of the other's.
    ``pairfiles.find_pairs`` says which files of a folder are read, and which are parts of their own. Where none is for
    validation, a tenth is held out, no more than 2,000 pairs, in families of pairs that share a sentence
    (``pairsplit.families``), so that no sentence that is measured by has been seen.

    Args:
        data: a named set, ``"en-es"``, ``"en-de"``, ``"en-it"``, ``"en-fr"`` or ``"bible-en-es"`` (see
            ``pairsets.open_named``); a path; two parallel files, as a list or as ``"a.en,a.de"``; or a list of names and paths
            whose pairs are taken together.
        source, target: the languages, of a named set or of a folder with files named after them.
        reverse: translate from the second into the first.
        longest: words of a sentence; pairs with longer ones are left out, and counted.
        holdout: the share that is held out where the data have no validation part.
        seed: of the choice of what is held out.
        progress: called as ``progress(doing, done, total)`` with bytes.

    Raises:
        DataError: there are no such data; they are empty, binary or no UTF-8; have no tab, or other numbers of lines; or there
            are too few pairs.
        ArgumentError: a share outside 0 to 1; languages that the data have not.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("fra.txt").write_text("".join(f"Give me {i}.\\tDonne-moi {i}.\\n" for i in range(100)))
        >>> pairs = open_pairs("fra.txt")
        >>> len(pairs.train), len(pairs.validation), pairs.train[3][:2]
        (90, 10, ('Give me 3.', 'Donne-moi 3.'))
    """
    if holdout is not None and not 0 < holdout < 1:
        raise ArgumentError("data", "holdout", "a share between 0 and 1", repr(holdout))
    longest = count_of("data", "longest", longest)
    name = called(places(data))
    odd = Oddities()
    read = read_pairs(data, source, target, odd, progress)
    digest = _digest(read.rows)
    sieve = Sieve(longest)
    parts = {part: list(sieve.sift(read.rows.get(part, []))) for part in ("", *PARTS)}
    parts["train"] = parts.pop("") + parts["train"]
    for part in PARTS:
        if not parts[part] and (part == "train" or read.rows.get(part)):
            raise _none_left(name, part, read, sieve)
    if parts["validation"]:
        split = _own_parts(parts)
    else:
        out = held_out_pairs(parts["train"], holdout, seed, name)
        learned = parts["train"]
        parts["train"] = [pair for pair, held in zip(learned, out, strict=True) if not held]
        parts["validation"] = [pair for pair, held in zip(learned, out, strict=True) if held]
        split = _held_out(parts, len(learned))
    policy = [_about(read, parts, reverse), *odd.notes(), *read.notes, *sieve.notes(), *_copies(parts["train"]), *split]
    if len(parts["validation"]) < FAIR:
        held = counted(len(parts["validation"]), "pair")
        more = "" if read.rows.get("validation") else "hold out more (--set holdout=0.3), or "
        policy.append(f"few: by {held} no model is chosen well; {more}give more pairs")
    languages = read.languages
    if reverse:
        parts = {part: [pair.turned() for pair in pairs] for part, pairs in parts.items()}
        languages = (languages[1], languages[0])
    return PairData(
        parts["train"], parts["validation"], parts["test"] or None, languages, tuple(policy), digest, read.names
    )  # fmt: skip


def open_known_pairs(
    data: Place | Sequence[Place],
    *,
    source: str | None = None,
    target: str | None = None,
    reverse: bool = False,
    longest: int = LONGEST,
    progress: Progress | None = None,
) -> tuple[list[Pair], tuple[str, ...]]:
    """Sentence pairs for a model that is trained already: of each place the test part where it has one, else all.

    Args:
        source, target: the languages, of places that tell theirs.
        data, reverse, longest, progress: as for ``open_pairs``.

    Returns:
        The pairs, and lines to print: what was found, what was taken, and what was left out.

    Raises:
        DataError, ArgumentError: as ``open_pairs`` says.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("few.tsv").write_text("Go.\\tVa !\\nHi.\\t\\n")
        >>> pairs, lines = open_known_pairs("few.tsv", reverse=True)
        >>> pairs[0][:2], lines[1]
        (('Va !', 'Go.'), 'left out: 1 pair with a missing side (few.tsv, line 2)')
    """
    odd = Oddities()
    reads = _read_each(data, source, target, odd, progress, ask=False)
    read = _together(data, [one for _, one in reads])
    rows = [row for _, one in reads for row in one.rows.get("test") or itertools.chain.from_iterable(one.rows.values())]
    sieve = Sieve(count_of("data", "longest", longest))
    pairs = list(sieve.sift(rows))
    if not pairs:
        raise _none_left(called(places(data)), "test", read, sieve)
    in_part, whole = ([place for place, one in reads if bool(one.rows.get("test")) is has] for has in (True, False))
    head = (f"pairs: {len(pairs):,}, of {counted(len(read.names), 'file')}", *taken(in_part, whole))
    return [pair.turned() for pair in pairs] if reverse else pairs, (*head, *odd.notes(), *read.notes, *sieve.notes())


def read_pairs(
    data: Place | Sequence[Place],
    source: str | None = None,
    target: str | None = None,
    odd: Oddities | None = None,
    progress: Progress | None = None,
) -> ReadPairs:
    """All rows of a named set or of files, cleaned, not yet sifted; arguments as for ``open_pairs``.

    Raises:
        DataError, ArgumentError: as ``open_pairs`` says.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("few.tsv").write_text("Go.\\tVa !\\nHi.\\t\\n")
        >>> {part: len(rows) for part, rows in read_pairs("few.tsv").rows.items()}
        {'': 2}
    """
    return _together(data, [read for _, read in _read_each(data, source, target, odd, progress)])


def _read_each(
    data: Place | Sequence[Place], source: str | None, target: str | None, odd: Oddities | None, progress: Progress | None,
    ask: bool = True,
) -> list[tuple[str, ReadPairs]]:  # fmt: skip
    """The rows of each place, with what it is called; ``ask`` is that of ``find_each``."""
    sets, own = apart(data)
    reads = [(name, _named(name, source, target, progress)) for name in sets]
    founds = find_each(own, source, target, ask=ask) if own else []
    total, done = sum(file.size for _, found in founds for file in found.files), 0
    for place, found in founds:
        rows: dict[str, list[Pair]] = {}
        for file in found.files:
            rows.setdefault(file.part, []).extend(file.rows(odd, counterpart(own[0]) if len(own) == 1 else ""))
            done += file.size
            if progress is not None:
                progress("reading", done, total)
        reads.append((place, ReadPairs(rows, found.languages, tuple(file.name for file in found.files), found.notes)))
    return reads


def _together(data: Place | Sequence[Place], reads: Sequence[ReadPairs]) -> ReadPairs:
    """What was read of all places, which are in the same two languages."""
    languages = same_languages(called(places(data)), [read.languages for read in reads])
    parts = {part: [row for read in reads for row in read.rows.get(part, [])] for part in ("", *PARTS)}
    return ReadPairs(
        {part: some for part, some in parts.items() if any(part in read.rows for read in reads)},
        languages,
        tuple(name for read in reads for name in read.names),
        tuple(note for read in reads for note in read.notes),
    )


def apart(data: Place | Sequence[Place]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The named sets, and the paths, among what is given.

    Example:
        >>> apart(["en-es", "my.tsv"])
        (('en-es',), ('my.tsv',))
    """
    given = places(data)
    sets = tuple(dict.fromkeys(place for place in given if place in named("pairs")))
    return sets, tuple(place for place in given if place not in sets)


def _named(name: str, source: str | None, target: str | None, progress: Progress | None) -> ReadPairs:
    languages = pairsets.languages_of(name)
    for argument, asked in (("source", source), ("target", target)):
        if asked is not None and asked not in languages:
            raise ArgumentError("data", argument, f"one of the languages {' and '.join(languages)}", repr(asked))
    if source is not None and source == target:
        raise ArgumentError("data", "target", f"another language than {source}", repr(target))
    rows = pairsets.open_named(name, progress)
    if source == languages[1] or target == languages[0]:
        rows = {part: [pair.turned() for pair in pairs] for part, pairs in rows.items()}
        languages = (languages[1], languages[0])
    return ReadPairs(dict(rows), languages, (name,), ())


def _digest(rows: dict[str, list[Pair]]) -> str:
    """sha256 of the sentences, the two of a pair in the order of their letters."""
    digest = hashlib.sha256()
    for part in ("", *PARTS):
        for row in rows.get(part, ()):
            digest.update("\t".join([*sorted(row[:2]), ""]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _none_left(name: str, part: str, read: ReadPairs, sieve: Sieve) -> DataError:
    """The error where a part holds nothing that could be learned from."""
    rows = sum(map(len, read.rows.values()))
    got = sieve.notes()[0] if sieve.notes() else f"none in {counted(rows, 'row')}"
    remedy = "Give pairs of shorter sentences, or a larger longest=" if sieve.long else "Give pairs with both sides"
    return DataError("data", name, f"sentence pairs in the {part} part", got, remedy)


def _about(read: ReadPairs, parts: dict[str, list[Pair]], reverse: bool) -> str:
    pairs = [pair for part in PARTS for pair in parts[part]]
    words = [1 + sum(pair[:2][side].count(" ") for pair in pairs) / len(pairs) for side in (0, 1)]
    one, other = read.languages if any(read.languages) else ("source", "target")
    if reverse:
        (one, other), words = (other, one), words[::-1]
    files = counted(len(read.names), "file") if len(read.names) > 1 else shown(read.names[0])
    way = "turn them by --set reverse=false" if reverse else "turn them by --set reverse=true"
    of = f"from {one or 'source'} ({words[0]:.1f} words) into {other or 'target'} ({words[1]:.1f})"
    return f"pairs: {len(pairs):,} of {files}, {of}; {way}"


def _copies(pairs: Sequence[Pair]) -> Iterator[str]:
    same = [pair for pair in pairs if is_copy(pair)]
    if len(same) >= COPIES * len(pairs) and same:
        some = listed([shown(pair.source) for pair in same], 3)
        share = f"{len(same):,} pairs to train on ({len(same) / len(pairs):.1%})"
        yield f"copies: {share} have the same sentence on both sides: {some}"


def _own_parts(parts: dict[str, list[Pair]]) -> Iterator[str]:
    """How the data are split by themselves, and what of it has been seen in training."""
    told = [f"{len(parts[part]):,} for {part}" for part in PARTS[1:] if parts[part]]
    yield f"split: the data's own parts: {len(parts['train']):,} pairs to train on, {', '.join(told)}"
    yield from _leaks(parts, PARTS[1:])


def _leaks(parts: dict[str, list[Pair]], measured: Sequence[str]) -> Iterator[str]:
    for part in filter(parts.get, measured):
        known = shared(parts[part], parts["train"])
        seen = int(known.any(1).sum())
        if seen:
            share = seen / len(known)
            yield (
                f"seen: of the pairs for {part} {seen:,} ({share:.1%}) have a source or a target that is trained on too"
                " (but for case, blanks and marks)"
            )


def _held_out(parts: dict[str, list[Pair]], before: int) -> Iterator[str]:
    held = len(parts["validation"])
    test = f"; {len(parts['test']):,} of the data's own test part" if parts["test"] else ""
    told = "in whole families that share a sentence, so that none is on both sides"
    yield f"split: {held:,} of {before:,} pairs ({held / before:.1%}) are held out for validation, {told}{test}"
    yield from _leaks(parts, ("test",))


__all__ = ["PairData", "ReadPairs", "apart", "open_known_pairs", "open_pairs", "read_pairs"]
