"""The check of a corpus of text: named sets, files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from minigrad.data.check import letters
from minigrad.data.check.lookthrough import Looked, look
from minigrad.data.check.passages import LONG, Passages
from minigrad.data.check.report import Finding, Item, Report, Severity
from minigrad.data.corpus import PARTS, summed
from minigrad.data.gathered import called, files_of, several
from minigrad.data.scan import Progress
from minigrad.data.textfiles import Found, TextFile
from minigrad.data.words import counted

WIDE = 2_000  # characters of a line that is long
SHORTEST = 65  # characters to learn from, which are more than a sequence has, where nothing is said;
SHORTEST_CUT = 73  # of these a tenth is held out, and 65 are left
LITTLE, SMALL = 100_000, 1_000_000  # characters
SHARED, MUCH = 0.01, 0.2  # of the long lines of one part that another has too
REPEATED = 0.1  # of the long lines that come more than once
ORDER = ("test", "validation", "train")  # which of two copies is kept


def check_text(data: Any, progress: Progress | None = None, *, glob: str | None = None, bytes: bool = False) -> Report:
    """Look through text for all that spoils a model of it, or the figures that it is given.

    Found are files that are no text, or in another encoding than UTF-8; odd, rare and doubly written characters; line ends of
    several kinds; files, and long lines, that are there more than once or in two parts; very long lines; and too little text.
    Nothing is changed.

    Args:
        data: as for ``open_text``. Of several places nothing is to be set aside.
        progress: called as ``progress(doing, done, total)`` with bytes.
        glob: which files of the folders.
        bytes: whether the text is learned as bytes: then any encoding will do.

    Raises:
        DataError: there is nothing that could be checked.

    Example:
        >>> report = check_text("shakespeare")
        >>> report.size, report.about, report.errors
        (4839693, '185,171 lines, a vocabulary of 78', 0)
    """
    places = several(data)
    found = files_of(places, glob, bytes, progress, tolerant=True)
    passages = {part: Passages() for part in PARTS}
    looked = _look_through(found.files, bytes, passages, progress)
    text = [one for one in looked if one.kind == "text"]
    top = os.path.expanduser(places[0])
    folder = top if len(places) == 1 and os.path.isdir(top) else ""
    unit = "byte" if bytes else "character"
    findings = [*_unread(looked, folder), *_beside(found, places, glob)]
    findings += [*_copies(text, folder), *_shared(passages), *_shapes(text), *_little(text, unit)]
    findings += [] if bytes else [*_ends(text), *letters.found(text)]
    counts: dict[str, dict[str, int]] = {part: {} for part in PARTS}
    for one in text:
        counts[one.file.part or "train"][one.file.name] = one.length
    counts = {part: lengths for part, lengths in counts.items() if lengths or part == "train"}
    symbols = 256 if bytes else len(summed(text)[0])
    about = f"{sum(one.lines for one in text):,} lines, a vocabulary of {symbols:,}"
    return Report(called(places), sum(one.length for one in text), about, counts, findings, unit, "file")


def _look_through(
    files: Sequence[TextFile], bytes: bool, passages: dict[str, Passages], progress: Progress | None
) -> list[Looked]:
    total, done = sum(file.size for file in files), 0

    def saw(size: int) -> None:
        nonlocal done
        done += size
        if progress is not None:
            progress("checking", min(done, total), total)

    return [look(file, bytes=bytes, passages=passages[file.part or "train"], saw=saw) for file in files]


def _unread(looked: Sequence[Looked], folder: str) -> Iterator[Finding]:
    """Files that training would refuse."""
    utf8 = (
        "Save them as UTF-8 (iconv -f LATIN1 -t UTF-8 if they are Latin-1, -f UTF-16 where that is said), "
        "or learn from bytes (--bytes)."
    )
    kinds = (
        ("encoding", "{} no UTF-8", utf8),
        ("unreadable", "{} not to be read", "Mend their permissions, or the disk that they lie on."),
    )
    for kind, words, mend in kinds:
        of_kind = [one for one in looked if one.kind == kind]
        if of_kind:
            aside = _movable([one.file for one in of_kind], folder) if kind == "encoding" else ()
            mend += " --fix sets them aside." if aside else ""
            items = tuple(Item((_name(one.file, folder),), one.why) for one in of_kind)
            yield Finding(kind, "error", words.format(_are(len(of_kind), "file")), mend, items, aside)


def _beside(found: Found, places: Sequence[str], glob: str | None) -> Iterator[Finding]:
    """What lies there and is no text of the corpus."""
    paths = [os.path.expanduser(place) for place in places]
    asked_for = [file.name for file in found.binary if glob is not None or file.path in paths]
    met = [file.name for file in found.binary if file.name not in asked_for]
    told: tuple[tuple[list[str], Severity, str], ...] = (
        (asked_for, "error", "Name files of text, or learn from bytes (--bytes)."), (met, "note", "They are left out."),
    )  # fmt: skip
    for names, severity, mend in told:
        if names:
            yield Finding("binary", severity, f"{_are(len(names), 'file')} binary", mend, _items(names))
    if found.empty:
        yield Finding("empty", "note", f"{_are(len(found.empty), 'file')} empty", "They are left out.", _items(found.empty))
    if found.outside:
        words = f"{_are(len(found.outside), 'file or folder')} of none of train, validation and test"
        yield Finding("outside", "warning", words, "They are left out: move them into a part.", _items(found.outside))
    if found.again:
        words = f"{counted(len(found.again), 'file')} to which two of the places lead"
        yield Finding("again", "note", words, "They are taken once.", _items(found.again))


def _copies(text: Sequence[Looked], folder: str) -> Iterator[Finding]:
    """Files of the same bytes, in one part or in several."""
    groups: dict[bytes, list[Looked]] = {}
    for one in text:
        groups.setdefault(one.digest, []).append(one)
    if len(text) > 1 and len(groups) == 1:
        words, mend = "all files have the same contents", "Nothing is left to choose by: add others."
        yield Finding("one-content", "error", words, mend)
        return
    told: tuple[tuple[str, Severity, str, str], ...] = (
        ("leak", "error", "in more than one of train, validation and test",
         "The figures would be of text that was learnt by heart: keep one of each."),
        ("duplicate", "note", "more than once", "Copies count double and teach nothing: keep one of each."),
    )  # fmt: skip
    for kind, severity, words, mend in told:
        of_kind = []
        for group in groups.values():
            leaks = len({one.file.part for one in group}) > 1
            if len(group) > 1 and leaks == (kind == "leak"):
                of_kind.append(sorted(group, key=lambda one: _rank(one.file, folder)))
        if of_kind:
            aside = _movable([one.file for group in of_kind for one in group[1:]], folder)
            mend += " --fix keeps the one of test, else of validation, and sets the others aside." if aside else ""
            items = tuple(Item(tuple(_name(one.file, folder) for one in group), "the same bytes") for group in of_kind)
            is_are = "text is" if len(of_kind) == 1 else "texts are"
            yield Finding(kind, severity, f"{len(of_kind):,} {is_are} there {words}", mend, items, aside)


def _rank(file: TextFile, folder: str) -> tuple[int, bool, bool]:
    """What copies are sorted by: the one to keep is the first."""
    linked = bool(folder) and (os.path.islink(file.path), _is_elsewhere(file, folder))
    return (ORDER.index(file.part or "train"), *(linked or (False, False)))


def _shared(passages: dict[str, Passages]) -> Iterator[Finding]:
    """Long lines that come more than once, or in two parts."""
    train = passages["train"]
    for part in PARTS[1:]:
        share = passages[part].also_in(train)
        if share >= SHARED:
            words = f"{share:.1%} of the lines of {part} with {LONG} characters or more are in train too"
            mend = "The figures are of text that was learnt by heart, to that share: take it out of train."
            yield Finding("shared-lines", "error" if share >= MUCH else "warning", words, mend)
    share = train.repeated()
    if share >= REPEATED:
        words = f"{share:.1%} of the lines with {LONG} characters or more come more than once"
        mend = "Headers, licences and the like are learnt by heart before all else: take them out, or leave one of each."
        yield Finding("repeated-lines", "note", words, mend)


def _ends(text: Sequence[Looked]) -> Iterator[Finding]:
    """How the files begin, and their lines end."""
    marked = [one.file.name for one in text if one.odd.bom]
    if marked:
        words = f"{counted(len(marked), 'file')} with the mark of UTF-8 (BOM) at the beginning"
        yield Finding("bom", "note", words, "Nothing needs doing: it is left out.", _items(marked))
    crlf = [one for one in text if one.odd.crlf]
    if crlf:
        words = f"{counted(len(crlf), 'file')} with line ends of CR and LF"
        items = tuple(Item((one.file.name,), counted(one.odd.crlf, "line end")) for one in crlf)
        yield Finding("crlf", "note", words, "Nothing needs doing: they are read as LF.", items)


def _shapes(text: Sequence[Looked]) -> Iterator[Finding]:
    """Very long lines, and files whose last line has no end."""
    wide = [one for one in text if one.longest > WIDE]
    if wide:
        words = f"{counted(len(wide), 'file')} with lines of more than {WIDE:,} characters"
        items = tuple(Item((one.file.name,), f"up to {one.longest:,} characters") for one in wide)
        yield Finding("wide", "note", words, "Look at them: what no person wrote (data, packed code) had better go.", items)
    unended = [one.file.name for one in text[:-1] if one.unended]
    if unended:
        words = f"{counted(len(unended), 'file')} without an end of the last line: that of the next file goes on in it"
        yield Finding("unended", "note", words, "Add the line end.", _items(unended))


def _little(text: Sequence[Looked], what: str) -> Iterator[Finding]:
    size, learned = sum(one.length for one in text), sum(one.length for one in text if one.file.part in ("", "train"))
    least = SHORTEST if any(one.file.part == "validation" for one in text) else SHORTEST_CUT
    if learned < least and text:
        words = f"{counted(learned, what)} to learn from, fewer than a sequence has"
        yield Finding("short", "error", words, "Add text; a little less will do with shorter sequences: --set sequence=16.")
    elif size < SMALL:
        words = f"{counted(size, what)} are {'too little to learn a language from' if size < LITTLE else 'little'}"
        mend = (
            "A large network learns them by heart: add text, or train a small one with dropout, and watch the validation loss."
        )
        yield Finding("little", "warning" if size < LITTLE else "note", words, mend)


def _are(number: int, what: str) -> str:
    return f"{counted(number, what)} {'is' if number == 1 else 'are'}"


def _items(names: Iterable[str]) -> tuple[Item, ...]:
    return tuple(Item((name,)) for name in names)


def _name(file: TextFile, folder: str) -> str:
    """A file's place in the folder, as it is; outside a folder its name."""
    return os.path.relpath(file.path, folder).replace(os.sep, "/") if folder else file.name


def _movable(files: Sequence[TextFile], folder: str) -> tuple[str, ...]:
    """Those that lie in the folder itself, and not in one that a link leads to."""
    if not folder:
        return ()
    return tuple(_name(file, folder) for file in files if not _is_elsewhere(file, folder))


def _is_elsewhere(file: TextFile, folder: str) -> bool:
    """Whether a file lies in a folder that a link leads to: it may be missed where it is."""
    inside = os.path.dirname(_name(file, folder))
    there = os.path.realpath(os.path.join(folder, inside))
    return there != os.path.normpath(os.path.join(os.path.realpath(folder), inside))
