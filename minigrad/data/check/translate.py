"""The check of sentence pairs: a named set, a file with tabs, two parallel files, or a folder of either."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from minigrad.data.check import letters
from minigrad.data.check.lookthrough import Looked, look
from minigrad.data.check.passages import Passages
from minigrad.data.check.report import Finding, Item, Report, Severity
from minigrad.data.gathered import Place, called
from minigrad.data.pair import LONGEST, Pair, is_copy, is_long, same_key, targets_of
from minigrad.data.pairfiles import FoundPairs, counterpart, find_pairs
from minigrad.data.pairread import Oddities, PairFile, content_of
from minigrad.data.pairs import PARTS, Progress, apart, read_pairs
from minigrad.data.pairsplit import shared
from minigrad.data.textfiles import TextFile
from minigrad.data.words import counted, shown
from minigrad.errors import DataError

FEW, LITTLE = 1_000, 10_000  # pairs
MANY_COPIES = 0.02  # of all pairs: fewer are names
UNTRANSLATED = 0.75  # of the words of a target that its source has too,
WORDS = 4  # where it has so many,
MANY_KEPT = 0.005  # in a share of the pairs that is more than names
FAR = 3.0  # times as long or as short beside its source as usual is odd,
SHORT = 10  # characters, which are added to both, as short sentences vary more
SEEN, MUCH = 0.01, 0.2  # of a part that has a sentence which is trained on
SEVERAL = 0.1  # of the sources that have more than one translation
_LEFT_OUT = ("rare", "wide")  # findings about characters that mean nothing here
_MENDS = {
    "controls": "Nothing needs doing: they are left out.",
    "unseen": "Most are left out; look where the others come from.",
}


def check_translate(data: Place | Sequence[Place], progress: Progress | None = None) -> Report:
    """Look through sentence pairs for all that spoils a translator, or the figures that it is given.

    Found are files that are no text, or in another encoding than UTF-8, have no tabs, or other numbers of lines; pairs with a
    missing side, there more than once, very long, or of very unequal lengths; sentences that nobody translated; several
    translations of one sentence; sentences of one part that another has too; odd characters; and too few pairs. Nothing is
    changed.

    Args:
        data: as for ``open_pairs``.
        progress: called as ``progress(doing, done, total)`` with bytes.

    Raises:
        DataError: there is nothing that could be checked.

    Example:
        >>> with open("few.tsv", "w") as file:
        ...     _ = file.write("Go.\\tVa !\\nHi.\\t\\nOK\\tok\\n")
        >>> report = check_translate("few.tsv")
        >>> report.size, [finding.kind for finding in report.findings]
        (2, ['missing', 'copies', 'little'])
    """
    sets, own = apart(data)
    rows: dict[str, list[Pair]] = {}
    looked: list[Looked] = []
    faults: list[Finding] = []
    for name in sets:
        of_set = {part: [row._replace(file=f"{name}/{row.file}") for row in some]
                  for part, some in read_pairs(name, progress=progress).rows.items()}  # fmt: skip
        looked.append(_looked(name, of_set))
        for part, some in of_set.items():
            rows.setdefault(part, []).extend(some)
    if own:
        found = find_pairs(own)
        faults = _read(found, counterpart(own[0]) if len(own) == 1 else "", rows, looked, progress)
        faults += [Finding("outside", "note", note, "See whether that is right.") for note in found.notes]
    parts = {part: rows.get(part, []) for part in PARTS}
    parts["train"] = rows.get("", []) + parts["train"]
    pairs = {part: [row for row in some if row.source and row.target] for part, some in parts.items()}
    findings = [*faults, *_missing(parts), *_copies(pairs), *_untranslated(pairs), *_unequal(pairs), *_long(pairs)]
    findings += [*_repeated(pairs), *_seen(pairs), *_several(pairs), *_little(pairs)]
    findings += [*_characters(looked)]
    counts: dict[str, dict[str, int]] = {"train": {}}
    for part, some in pairs.items():
        for row in some:
            top = row.file.partition("/")[0]
            name, of_part = top if top in sets else row.file, counts.setdefault(part, {})
            of_part[name] = of_part.get(name, 0) + 1
    return Report(called(sets + own), sum(map(len, pairs.values())), _about(pairs), counts, findings, "pair", "file")


def _read(
    found: FoundPairs, advice: str, rows: dict[str, list[Pair]], looked: list[Looked], progress: Progress | None
) -> list[Finding]:
    """What is wrong with files that cannot be read; of the others, adds the rows and what is known of each file."""
    faults: list[tuple[PairFile, DataError]] = []
    total, done = sum(file.size for file in found.files), 0
    for file in found.files:
        try:
            rows.setdefault(file.part, []).extend(file.rows(Oddities(), advice))
            looked += [look(_unpacked(one), bytes=False, passages=Passages()) for one in file.files]
        except DataError as error:
            faults.append((file, error))
        done += file.size
        if progress is not None:
            progress("checking", done, total)
    if faults and not any(rows.values()):
        raise faults[0][1]
    findings = []
    for file, fault in faults:
        item = Item((file.name,), f"expected {fault.expected}, got {fault.got}")
        findings.append(Finding("unreadable", "error", f"{shown(file.name)} cannot be read", f"{fault.remedy}.", (item,)))
    return findings


def _unpacked(file: TextFile) -> TextFile:
    content = content_of(file)
    return file._replace(path="", size=len(content), content=content)


def _looked(name: str, rows: Mapping[str, Sequence[Pair]]) -> Looked:
    """What is known of the characters of a named set."""
    content = "".join(f"{row.source}\t{row.target}\n" for some in rows.values() for row in some).encode()
    return look(TextFile(name, "", len(content), content=content), bytes=False, passages=Passages())


def _about(pairs: Mapping[str, Sequence[Pair]]) -> str:
    """How long the sentences are, in words."""
    every = [row for some in pairs.values() for row in some]
    if not every:
        return "none with both sides"
    lengths = np.array([[len(side.split()) for side in row[:2]] for row in every])
    means, most = lengths.mean(0), lengths.max(0)
    return f"{means[0]:.1f} words in a source, up to {most[0]:,}, and {means[1]:.1f} in a target, up to {most[1]:,}"


def _some(
    pairs: Mapping[str, Sequence[Pair]],
    odd: Callable[[Pair], str],
    kind: str,
    words: str,
    mend: str,
    share: float | None = None,
) -> Iterator[Finding]:
    """A finding of all pairs of which ``odd`` says what is odd about them; a note where they are fewer than that share."""
    items = [(row, why) for some in pairs.values() for row in some if (why := odd(row))]
    if items:
        total = sum(map(len, pairs.values()))
        severity: Severity = "note" if share is not None and len(items) < share * total else "warning"
        told = f"{counted(len(items), 'pair')} ({100 * len(items) / total:.2g}%) {words}"
        yield Finding(kind, severity, told, mend, tuple(Item((row.place,), why) for row, why in items))


def _missing(parts: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    def side(row: Pair) -> str:
        return "" if row.source and row.target else f"no {'target' if row.source else 'source'}"

    mend = "They are left out. If there are many, look whether lines are broken, or the columns are others."
    yield from _some(parts, side, "missing", "with a missing side", mend)


def _copies(pairs: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    mend = "Names may be so; what nobody translated teaches to copy: take it out."
    words = "with the same sentence on both sides"
    yield from _some(pairs, lambda row: shown(row.source) if is_copy(row) else "", "copies", words, mend, MANY_COPIES)


def _untranslated(pairs: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    def kept(row: Pair) -> str:
        words = row.target.casefold().split()
        if len(words) < WORDS or is_copy(row):
            return ""
        own = set(row.source.casefold().split())
        share = sum(word in own for word in words) / len(words)
        return f"{share:.0%} of the words of {shown(row.target)!r}" if share >= UNTRANSLATED else ""

    mend = "Look at them, and take out what is still in the other language."
    yield from _some(pairs, kept, "untranslated", "of which the target has the words of the source", mend, MANY_KEPT)


def _unequal(pairs: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    every = [row for some in pairs.values() for row in some]
    if not every:
        return
    usual = float(np.median([_ratio(row) for row in every]))

    def far(row: Pair) -> str:
        ratio = _ratio(row) / usual
        return f"{ratio:.1f} times the usual length beside its source" if not 1 / FAR <= ratio <= FAR else ""

    mend = "Look at them: lines may be shifted, sentences joined or cut."
    yield from _some(pairs, far, "unequal", "of very unequal lengths", mend)


def _ratio(row: Pair) -> float:
    return (len(row.target) + SHORT) / (len(row.source) + SHORT)


def _long(pairs: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    def long(row: Pair) -> str:
        words = max(len(side.split()) for side in row[:2])
        return f"{words:,} words" if is_long(row.source, LONGEST) or is_long(row.target, LONGEST) else ""

    mend = "They are left out: cut them into sentences on both sides, or raise the limit (--set longest=...)."
    yield from _some(pairs, long, "long", f"with a sentence of more than {LONGEST} words, or {10 * LONGEST:,} characters", mend)


def _repeated(pairs: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    """The same pair more than once in a part."""
    groups: dict[tuple[str, str, str], list[Pair]] = {}
    for part, some in pairs.items():
        for row in some:
            groups.setdefault((part, row.source, row.target), []).append(row)
    twice = [group for group in groups.values() if len(group) > 1]
    if twice:
        words = f"{counted(len(twice), 'pair')} there more than once"
        items = tuple(Item(tuple(row.place for row in group), shown(group[0].source)) for group in twice)
        yield Finding("duplicate", "note", words, "Nothing needs doing: each is taken once.", items)


def _seen(pairs: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    """Sentences to measure by that are trained on."""
    for part in PARTS[1:]:
        rows = pairs[part]
        if not rows or not pairs["train"]:
            continue
        known = shared(rows, pairs["train"])
        seen = np.asarray(known.any(axis=1))
        share = seen.mean()
        if seen.any():
            severity: Severity = "error" if share >= MUCH else "warning" if share >= SEEN else "note"
            which = [
                ("source", known[:, 0] & ~known[:, 1]),
                ("target", known[:, 1] & ~known[:, 0]),
                ("both", known.all(axis=1)),
            ]
            told = ", ".join(f"{name} {int(some.sum()):,}" for name, some in which if some.any())
            words = f"{share:.1%} of the pairs of {part} have a source or target that train has too ({told})"
            items = tuple(Item((row.place,), shown(row.source)) for row, hit in zip(rows, seen.tolist()) if hit)
            mend = "The figures are of sentences that were learnt by heart, to that share: take them out of train."
            yield Finding("leak", severity, words, mend, items)


def _several(pairs: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    """Sources with several translations."""
    targets = targets_of(pairs["train"])
    several = [source for source, count in targets.most_common() if count > 1]
    if several and len(several) >= SEVERAL * len(targets):
        share = len(several) / len(targets)
        words = f"{share:.1%} of the sources have more than one translation"
        mend = "That is as languages are; a figure against one of them is lower than the translations deserve."
        items = tuple(Item((shown(source),), f"{targets[source]:,} translations") for source in several)
        yield Finding("several", "note", words, mend, items)


def _little(pairs: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    size = len({(same_key(row.source), same_key(row.target)) for row in pairs["train"]})
    if size < LITTLE:
        words = f"{counted(size, 'different pair')} are {'too few to learn a language from' if size < FEW else 'few'}"
        mend = "A large network learns them by heart: add pairs, or train a small one with dropout on subwords."
        yield Finding("little", "warning" if size < FEW else "note", words, mend)


def _characters(looked: Sequence[Looked]) -> Iterator[Finding]:
    """How the files begin and their lines end, and their characters."""
    text = [one for one in looked if one.kind == "text"]
    marked, crlf = [one for one in text if one.odd.bom], [one for one in text if one.odd.crlf]
    if marked:
        words = f"{counted(len(marked), 'file')} with the mark of UTF-8 (BOM) at the beginning"
        yield Finding("bom", "note", words, "Nothing needs doing: it is left out.", _items(one.file.name for one in marked))
    if crlf:
        words = f"{counted(len(crlf), 'file')} with line ends of CR and LF"
        mend = "Nothing needs doing: they are read as LF."
        yield Finding("crlf", "note", words, mend, _items(one.file.name for one in crlf))
    for finding in letters.found(text):
        if finding.kind == "decomposed":
            mend = "Nothing needs doing: a letter and its accent are read as one character."
            yield dataclasses.replace(finding, severity="note", mend=mend)
        elif finding.kind not in _LEFT_OUT:
            yield dataclasses.replace(finding, mend=_MENDS.get(finding.kind, finding.mend))


def _items(names: Iterable[str]) -> tuple[Item, ...]:
    return tuple(Item((name,)) for name in names)


__all__ = ["check_translate"]
