"""A corpus of text, from named sets, files and folders, ready to learn from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from minigrad.data.characters import FOLDED, Characters, described
from minigrad.data.gathered import Place, called, files_of, several
from minigrad.data.holdout import rank
from minigrad.data.ids import Ids, Span, stored
from minigrad.data.scan import Progress, Scanned, Stretch, beginning, cut, encoded, scan
from minigrad.data.textfiles import TextFile
from minigrad.data.words import counted, listed
from minigrad.errors import ArgumentError, DataError
from minigrad.ops.dims import count_of

SHARE = 0.1  # held out for validation where nothing is said,
MOST = 1_000_000  # but no more characters than these, which tell the figure to a thousandth
FEW = 256  # distinct characters: of no more, none is folded where nothing is said;
RARE = 10  # of more, those that come fewer times
LEAST = 2  # characters of a part: one is read, and one predicted
FAIR = 1000  # characters held out, of fewer of which a figure says little
PARTS = ("train", "validation", "test")
_NAMED = 8


class TextData(NamedTuple):
    """What a model of text is trained, chosen and tested on.

    Attributes:
        train, validation: to learn from, and to choose by.
        test: to tell the result by; ``None`` where the data hold no such part.
        vocabulary: the characters of the training part.
        policy: lines to print: what was found, how it is split, what was left out and why.
        digest: sha256 of what the data are, of the files' names and contents. It is the same wherever they lie, and
            whatever split is asked for.
        names: the files, in the order of the parts.
    """

    train: Ids
    validation: Ids
    test: Ids | None
    vocabulary: Characters
    policy: tuple[str, ...]
    digest: str
    names: tuple[str, ...]


def open_text(
    data: Place | Sequence[Place],
    *,
    bytes: bool = False,
    glob: str | None = None,
    min_count: int | None = None,
    holdout: float | None = None,
    seed: int = 0,
    vocabulary: Characters | None = None,
    progress: Progress | None = None,
) -> TextData:
    """Text by name, or by the path of a file or a folder, or several of them, as numbers of characters, ready to train on.

    What is not asked for is decided from the data, and told in the lines of ``policy``. Files are UTF-8: a mark at their
    beginning is left out, and line ends of CR and LF are read as LF. ``textfiles.find_text`` says which files of a folder are
    read, and which are parts of their own. Where none is for validation: of one file the last tenth is held out, from the
    beginning of a line where one is near; of several, whole files, chosen by a hash of their names, or the end of the longest,
    where one is nearly all of the text, or each is much of it. No more than a million characters are, where no share is asked
    for. No file is ever in memory whole: where the numbers take more than ``ids.IN_MEMORY`` bytes, they are written to the
    cache folder, once, and mapped.

    The vocabulary is made of the training part, in the order of code points. A character that comes fewer than ``min_count``
    times there, or only in the other parts, is read as U+FFFD.

    Args:
        data: a named set, ``"shakespeare"`` or ``"python-stdlib"`` (see ``textsets.open_named``), or a path; or several,
            one after the other: see ``gathered.files_of``.
        bytes: learn from bytes, of files in any encoding or none.
        glob: which files of the folders, ``"*.py"``.
        min_count: 1 folds nothing that comes in the training part; by default 10, of at most 256 distinct characters 1.
        holdout: the share that is held out where the data have no validation part.
        seed: of the choice of files.
        vocabulary: that of a model which is to learn more; characters that it has not are read as U+FFFD, if it has that.
            It says whether bytes are learned from, too.
        progress: called as ``progress(doing, done, total)`` with bytes.

    Raises:
        DataError: there is no such text; it is empty, binary or no UTF-8; or too short to be split; or it has characters
            that the ``vocabulary`` given neither has nor can fold, or more of these than of those that it has.
        ArgumentError: a share outside 0 to 1; a ``min_count`` below 1, or above what any character reaches, or with bytes.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("poem.txt").write_text("Roses are red,\\nviolets are blue.\\n" * 100)
        >>> text = open_text("poem.txt")
        >>> text.vocabulary.decode(text.validation[:9]), len(text.train), len(text.validation), len(text.vocabulary)
        ('Roses are', 2970, 330, 17)
    """
    if holdout is not None and not 0 < holdout < 1:
        raise ArgumentError("data", "holdout", "a share between 0 and 1", repr(holdout))
    if min_count is not None:
        min_count = count_of("data", "min_count", min_count)
    if vocabulary is not None:
        bytes = vocabulary.kind == "bytes"
        if min_count is not None:
            expected = "none with a model to begin from, whose characters are known"
            raise ArgumentError("data", "min_count", expected, str(min_count), "Leave it out")
    name = called(several(data))
    found = files_of(data, glob, bytes, progress)
    scanned = scan(_stretches(found.files, holdout), bytes=bytes, progress=progress)
    if not any(one.length for one in scanned):  # but marks of UTF-8
        raise DataError("data", name, "text", "files that hold no character", "Give more text")
    parts = {part: [one for one in scanned if one.stretch.part == part] for part in PARTS}
    if not parts["validation"]:
        parts["train"], parts["validation"] = _by_file(name, parts["train"], holdout, seed)
        scanned = _end_of_longest(scanned, parts, holdout, bytes, progress)
    if vocabulary is None:
        vocabulary, folding = _vocabulary(parts, min_count, bytes)
    else:
        folding = _known(name, scanned, vocabulary)
    unit = vocabulary.unit
    policy = [
        _about(scanned, vocabulary),
        *_encodings(scanned),
        *folding,
        _split(name, parts, unit),
        *_few(parts, unit),
        *found.notes(),
    ]
    ordered = [one for part in PARTS for one in parts[part]]
    length, key = sum(one.length for one in ordered), _key(ordered, vocabulary)
    row, path = stored(key, length, len(vocabulary), lambda: encoded(ordered, vocabulary, progress))
    if path is not None:
        policy.append(f"memory: the numbers of the characters are in {path}, and mapped into memory")
    train, validation, test = (_ids(row, parts, part) for part in PARTS)
    names = tuple(dict.fromkeys(one.stretch.file.name for one in ordered))
    return TextData(train, validation, test if len(test) else None, vocabulary, tuple(policy), _digest(scanned), names)


class Counted(Protocol):
    """Something of which the characters are counted: code points, and how often each comes."""

    @property
    def codes(self) -> np.ndarray: ...

    @property
    def counts(self) -> np.ndarray: ...


def _stretches(files: Sequence[TextFile], holdout: float | None) -> list[Stretch]:
    """The files; a lone one to learn from is cut, where none is for validation."""
    learned = [file for file in files if file.part in ("", "train")]
    found = []
    for file in files:
        if len(learned) == 1 and file is learned[0] and all(other.part != "validation" for other in files):
            found += cut(file, min(SHARE, MOST / file.size) if holdout is None else holdout)
        else:
            found.append(Stretch(file, 0, file.size, file.part or "train"))
    return found


def _digest(scanned: Sequence[Scanned]) -> str:
    """sha256 of names and contents."""
    digest = hashlib.sha256()
    for file, _, stop, _, content in ((*one.stretch, one.digest) for one in scanned):
        if stop == file.size:
            digest.update(f"{file.name}\0".encode() + content)
    return digest.hexdigest()


def _key(ordered: Sequence[Scanned], vocabulary: Characters) -> str:
    """What the numbers of a corpus are a function of: contents, their order, and the vocabulary."""
    made_of = hashlib.sha256(repr(vocabulary.to_config()).encode("utf-8", "surrogatepass"))
    for one in ordered:
        if one.stretch.stop == one.stretch.file.size:  # where a file is cut, its two stretches follow each other
            made_of.update(one.digest)
    return made_of.hexdigest()


def _by_file(data: str, scanned: Sequence[Scanned], holdout: float | None, seed: int) -> tuple[list[Scanned], list[Scanned]]:
    """Files to learn from, and files to choose by: about that share of the characters, at most half of the files.

    Files of the same contents are on one side.
    """
    groups: dict[bytes, list[Scanned]] = {}
    for one in scanned:
        groups.setdefault(one.digest, []).append(one)
    if len(groups) == 1:
        got = "one file" if len(scanned) == 1 else f"{len(scanned)} files of the same contents"
        raise DataError("data", data, "two files that differ: one to choose by", got, "Give more text, or one file alone")
    ranked = sorted(groups.values(), key=lambda group: min(rank(seed, one.stretch.file.name) for one in group))
    sizes = [sum(one.length for one in group) for group in ranked]
    target = max(_target(sum(sizes), holdout), min(sizes))
    out: set[bytes] = set()
    taken = 0
    for group, size in zip(ranked, sizes, strict=True):
        if taken + size <= target and len(out) < max(1, len(groups) // 2):  # beside a huge file, some of the small ones
            out.add(group[0].digest)
            taken += size
    return [one for one in scanned if one.digest not in out], [one for one in scanned if one.digest in out]


def _target(length: int, holdout: float | None) -> float:
    """Of so many characters, how many are to be held out."""
    return min(length * SHARE, MOST) if holdout is None else length * holdout


def _end_of_longest(
    scanned: list[Scanned], parts: dict[str, list[Scanned]], holdout: float | None, bytes: bool, progress: Progress | None
) -> list[Scanned]:
    """Hold out the end of the longest file, as of a lone one, where whole files are far from what is asked for.

    That is less than a third of it, or more than three times as much, where that much would do. Its copies would tell it: it
    is the longest of those that have none. Gives the stretches anew, and changes ``parts``.
    """
    learned = [one for one in scanned if one.stretch.part == "train"]
    held, target = sum(one.length for one in parts["validation"]), _target(sum(one.length for one in learned), holdout)
    times = Counter(one.digest for one in learned)
    longest = max((one for one in learned if times[one.digest] == 1), key=lambda one: one.length, default=None)
    if longest is None:
        return scanned
    target = min(target, longest.length / 2)
    if 3 * held >= target and not (held > 3 * target and target >= FAIR):
        return scanned
    two = scan(cut(longest.stretch.file, target / longest.length), bytes=bytes, progress=progress)
    parts["train"], parts["validation"] = [*(one for one in learned if one is not longest), two[0]], [two[1]]
    return [part for one in scanned for part in (two if one is longest else [one])]


def _vocabulary(parts: dict[str, list[Scanned]], min_count: int | None, bytes: bool) -> tuple[Characters, list[str]]:
    """The characters of the training part, and lines about those that are folded."""
    if bytes:
        if min_count is not None:
            raise ArgumentError("data", "min_count", "none with bytes, which are all known", str(min_count), "Leave it out")
        return Characters(kind="bytes"), []
    points, counts = summed(parts["train"])
    if min_count is not None and min_count > counts.max(initial=0):
        expected = f"at most {counts.max(initial=0):,}: so often comes the most frequent character"
        raise ArgumentError("data", "min_count", expected, f"{min_count:,}")
    least = min_count if min_count is not None else RARE if len(points) > FEW else 1
    kept = {chr(point) for point in points[counts >= least].tolist()}
    rare = {chr(point): count for point, count in zip(points.tolist(), counts.tolist(), strict=True) if count < least}
    elsewhere, times = summed([one for part in PARTS[1:] for one in parts[part]])
    new = {chr(point): count for point, count in zip(elsewhere.tolist(), times.tolist(), strict=True)}
    new = {symbol: count for symbol, count in new.items() if symbol not in kept and symbol not in rare}
    lines = []
    for folded, why in ((rare, f"that come fewer than {least} times"), (new, "that only the parts to measure by have")):
        if folded:
            named = [described(symbol) for symbol in sorted(folded, key=lambda symbol: (-folded[symbol], symbol))]
            total = counted(sum(folded.values()), "place")
            words = counted(len(folded), "character")
            lines.append(f"folded: {words} {why}, at {total}, read as U+FFFD: {listed(named, _NAMED)}")
    return Characters(sorted(kept | {FOLDED} if rare or new else kept)), lines


def _known(data: str, scanned: Sequence[Scanned], vocabulary: Characters) -> list[str]:
    """A line about characters that a vocabulary which is given has not, if it has a place for them.

    Raises:
        DataError: it has none, or most of the text would stand there.
    """
    codes, counts = summed(scanned)
    new = vocabulary.numbers(codes) < 0
    unseen = {chr(code): int(count) for code, count in zip(codes[new], counts[new], strict=True)}
    remedy = "Give a text without them, or train a new model, which knows them, without --init-from"
    vocabulary.check(unseen, "refuse" if vocabulary.unknown is None else "fold", f"data: {data}", remedy)
    if 2 * sum(unseen.values()) > counts.sum():  # what would be learned is U+FFFD after U+FFFD, at a fine loss
        got = f"{sum(unseen.values()):,} of {counts.sum():,} that it does not know"
        remedy = "Train a new model, without --init-from"
        raise DataError("data", data, "text in characters most of which the model knows", got, remedy)
    words = f"{counted(len(unseen), 'character')} that the model does not know, at {counted(sum(unseen.values()), 'place')}"
    return [f"folded: {words}, read as U+FFFD: {listed([described(symbol) for symbol in unseen], _NAMED)}"] if unseen else []


def summed(scanned: Sequence[Counted]) -> tuple[np.ndarray, np.ndarray]:
    """All characters of stretches, as code points, and how often each comes.

    Example:
        >>> summed([])
        (array([], dtype=int64), array([], dtype=int64))
    """
    if not scanned:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    points, inverse = np.unique(np.concatenate([one.codes for one in scanned]), return_inverse=True)
    counts = np.zeros(len(points), np.int64)
    np.add.at(counts, inverse, np.concatenate([one.counts for one in scanned]))
    return points, counts


def _ids(row: np.ndarray, parts: dict[str, list[Scanned]], part: str) -> Ids:
    """A part's share of the row in which all parts follow each other."""
    lengths = {name: sum(one.length for one in found) for name, found in parts.items()}
    start = sum(lengths[before] for before in PARTS[: PARTS.index(part)])
    spans, end = [], 0
    for one in parts[part]:
        spans.append(Span(one.stretch.file.name, end, end + one.length))
        end += one.length
    return Ids(row[start : start + end], spans)


def _about(scanned: Sequence[Scanned], vocabulary: Characters) -> str:
    files = counted(len({one.stretch.file.name for one in scanned}), "file")
    length = sum(one.length for one in scanned)
    if vocabulary.kind == "bytes":
        return f"text: {files}, {length:,} bytes as they are"
    return f"text: {files}, {length:,} characters in UTF-8, a vocabulary of {len(vocabulary):,}"


def _encodings(scanned: Sequence[Scanned]) -> Iterator[str]:
    """What is read otherwise than it stands in the files."""
    marked = sum(one.odd.bom for one in scanned)
    if marked:
        yield f"encoding: the mark of UTF-8 (BOM) at the beginning of {counted(marked, 'file')} left out"
    ends = [one for one in scanned if one.odd.crlf]
    if ends:
        files = counted(len({one.stretch.file.name for one in ends}), "file")
        yield f"line ends: {sum(one.odd.crlf for one in ends):,} of CR and LF, in {files}, are read as LF"


def _few(parts: dict[str, list[Scanned]], unit: str) -> Iterator[str]:
    """A line where what is held out is too little to choose by."""
    held = sum(one.length for one in parts["validation"])
    if held < FAIR:
        yield f"few: by {held:,} {unit}s no model is chosen well; hold out more (--set holdout=0.3), or give more text"


def _split(data: str, parts: dict[str, list[Scanned]], unit: str) -> str:
    """How the data are split, after a look at whether each part holds anything to predict."""
    lengths = {part: sum(one.length for one in found) for part, found in parts.items()}
    for part in PARTS:
        if parts[part] and lengths[part] < LEAST:
            expected = f"at least {LEAST} {unit}s in the {part} part: the first is read, the second predicted"
            raise DataError("data", data, expected, str(lengths[part]), "Give more text")
    held = parts["validation"]
    share = f"{lengths['validation']:,} {unit}s ({lengths['validation'] / sum(lengths.values()):.1%})"
    test = f"; {lengths['test']:,} {unit}s of the data's own test part" if parts["test"] else ""
    if held[0].stretch.start:
        read = {one.stretch.file for one in (*held, *parts["train"])}
        of = "the file" if len(read) == 1 else f"the longest of {counted(len(read), 'file')}, {held[0].stretch.file.name}"
        whence = f"from the beginning of a {beginning(held[0].stretch)}"
        return f"split: the end of {of}, {share} {whence}, is held out for validation{test}"
    if held[0].stretch.part == "validation":
        told = [f"{lengths['train']:,} {unit}s to train on"]
        for part in PARTS[1:]:
            if parts[part]:
                told.append(f"{lengths[part]:,} for {part} ({listed([one.stretch.file.name for one in parts[part]])})")
        return f"split: the data's own parts: {', '.join(told)}"
    files = f"{len(held):,} of {counted(len(held) + len(parts['train']), 'file')}"
    return f"split: {files}, {share}, held out for validation: {listed([one.stretch.file.name for one in held])}{test}"
