"""Which files sentence pairs are read from: one with tabs, two whose lines belong together, or a folder of either."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from minigrad.data.catalogue import DATASETS, named
from minigrad.data.gathered import Place, called, several
from minigrad.data.pairread import PairFile, content_of
from minigrad.data.partnames import likely_part
from minigrad.data.textfiles import BESIDE, HEAD, TextFile, find_text, is_binary
from minigrad.data.walk import natural
from minigrad.data.words import listed, shown
from minigrad.errors import ArgumentError, DataError

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][a-z]{2,4})?|src|source|trg|tgt|target", re.IGNORECASE)
_OTHERS = frozenset(("txt", "tsv", "csv", "tab", "md", "py", "log", "xml", "sgm", "tmx", "rst", "pdf", "doc", "zip", "tar",
                     "bz", "xz", "npy", "npz", "sh", "cfg", "ini", "yml", "htm", "tex", "bpe", "dat", "vcb"))  # fmt: skip
_SIDES = frozenset(("src", "source", "trg", "tgt", "target"))  # in place of a language
_FIRST = ("src", "source", "en")  # of two languages, which is translated from where nothing is said
_NOT_PAIRS = (*BESIDE, "_about")  # of what lies in such folders; the last lies in Anki's archives


class FoundPairs(NamedTuple):
    """The files of pairs in natural order.

    Attributes:
        files: they.
        languages: source and target, as the files' names have them; empty where they do not tell.
        notes: lines that say what was left out.
    """

    files: list[PairFile]
    languages: tuple[str, str] = ("", "")
    notes: tuple[str, ...] = ()


def find_pairs(data: str | Sequence[str], source: str | None = None, target: str | None = None) -> FoundPairs:
    """The files of pairs that a path, or several, lead to.

    Of two files that have no tabs, each line of the one is the translation of the other's; else each path stands for itself.
    In a folder, ``train.en`` and ``train.de`` belong together; other files have tabs. A file that is packed by gzip may have
    ``.gz`` behind its name. Files such as ``train.en``, ``val.en`` and ``test_2016.en``, or folders ``train`` and ``test``, are
    parts of their own, if one is to train on.

    Args:
        data: files or folders; two parallel files may also be written as ``"a.en,a.de"``.
        source, target: of a folder of files in languages, the two that are read.

    Raises:
        DataError: there are no such files, or one has no counterpart; or several are in different languages.
        ArgumentError: languages that no file's name tells.

    Example:
        >>> for name in ("train.en", "train.de", "val.en", "val.de"):
        ...     _ = Path(name).write_text("x")
        >>> found = find_pairs(".")
        >>> found.languages, [(file.name, file.part) for file in found.files]
        (('en', 'de'), [('train.{en,de}', 'train'), ('val.{en,de}', 'validation')])
    """
    founds = [found for _, found in find_each(data, source, target)]
    languages = same_languages(called(places(data)), [found.languages for found in founds])
    files = [file for found in founds for file in found.files]
    return FoundPairs(files, languages, tuple(note for found in founds for note in found.notes))


def find_each(
    data: Place | Sequence[Place], source: str | None = None, target: str | None = None, *, ask: bool = True
) -> list[tuple[str, FoundPairs]]:
    """The places that paths are of, with what each leads to: two files whose lines belong together are one.

    Of several places, a folder's files are called after it too. Arguments and errors are those of ``find_pairs``.

    Args:
        ask: that a folder has languages where some are named; else those are only chosen by where there are more.

    Example:
        >>> for name in ("a.tsv", "b.tsv"):
        ...     _ = Path(name).write_text("Go.\\tVa !")
        >>> [(place, len(found.files)) for place, found in find_each(["a.tsv", "b.tsv"])]
        [('a.tsv', 1), ('b.tsv', 1)]
    """
    paths = places(data)
    if len(paths) == 1:
        return [(paths[0], _of_one(paths[0], source, target, ask))]
    if len(paths) == 2 and _are_parallel(paths):
        return [(",".join(paths), _two_files(paths, source, target))]
    founds = [_of_one(path, source, target, ask) for path in paths]
    return [
        (path, found._replace(files=[_below(file, path, is_folder(path)) for file in found.files]))
        for path, found in zip(paths, founds, strict=True)
    ]


def same_languages(where: str, languages: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The two languages of all places that tell them; empty where none does.

    Raises:
        DataError: they are not the same.

    Example:
        >>> same_languages("a, b", [("en", "de"), ("", "")])
        ('en', 'de')
    """
    told = list(dict.fromkeys(each for each in languages if any(each)))
    if len(told) > 1:
        got = " and ".join(" to ".join(each) for each in told)
        remedy = "Say which: source=... and target=... (--set source=en --set target=de)"
        raise DataError("data", where, "pairs in the same two languages", got, remedy)
    return told[0] if told else ("", "")


def places(data: Place | Sequence[Place]) -> tuple[str, ...]:
    """The names and paths that data are given by.

    Raises:
        ArgumentError: there is none.

    Example:
        >>> places("a.en,a.de"), places(["a.en", "a.de"]), places("fra.txt")
        (('a.en', 'a.de'), ('a.en', 'a.de'), ('fra.txt',))
    """
    given = several(data)
    if len(given) == 1 and not os.path.lexists(os.path.expanduser(given[0])):
        halves = tuple(given[0].split(","))
        return halves if len(halves) == 2 and all(halves) else given
    return given


def is_folder(path: str) -> bool:
    """Whether a path is that of a folder.

    Example:
        >>> is_folder(".")
        True
    """
    return os.path.isdir(os.path.expanduser(path))


def _of_one(path: str, source: str | None, target: str | None, ask: bool) -> FoundPairs:
    """The files of one path."""
    kinds = named("pairs")
    other = "-".join(reversed(path.split("-")))
    if path not in kinds and other in kinds and not os.path.exists(os.path.expanduser(path)):
        remedy = f"It is {other}, read in the other direction (reverse=True; --set reverse=true)"
        raise DataError("data", path, f"one of the named sets {', '.join(kinds)}", "none of them", remedy)
    if path in DATASETS:
        raise DataError("data", path, f"pairs of sentences, such as {kinds[0]}", f"{DATASETS[path].kind}", "Name another set")
    found = find_text(path, bytes=True, named=kinds)
    if not is_folder(path):
        return FoundPairs([PairFile(found.files[0].name, tuple(found.files))])
    notes = found.notes()
    files = [file for file in found.files if not os.path.basename(file.name).casefold().startswith(_NOT_PAIRS)]
    unread = [file.name for file in files if not _is_packed(file) and is_binary(file)]
    if unread:
        notes.append(f"left out: binary: {listed(unread)}")
    files = [file for file in files if file.name not in unread]
    spoken = {file: parts for file in files if (parts := _language(file.name))}
    if spoken:
        pairs, languages = _by_language(path, spoken, source, target, found.empty)
        others = [file.name for file in files if file not in spoken]
        notes += [f"left out: named after no language: {listed(others)}"] if others else []
    else:
        if ask and (source or target):
            raise ArgumentError("data", "source, target", "none where no file is named after a language", f"{source}, {target}")
        pairs, languages = [PairFile(file.name, (file,), file.part) for file in files], ("", "")
    if not pairs:
        expected = "a file of tab-separated pairs, or two such as train.en and train.de, in the folder"
        raise DataError("data", shown(path), expected, "none", "Name another folder")
    pairs, outside = _in_parts(sorted(pairs, key=lambda file: natural(file.name)))
    notes += [f"left out: of no part: {listed(outside)}"] if outside else []
    return FoundPairs(pairs, languages, tuple(notes))


def _are_parallel(paths: Sequence[str]) -> bool:
    """Whether two paths are files whose lines belong together: they are, if not both have tabs."""
    if any(is_folder(path) for path in paths):
        return False
    files = [file for path in paths for file in find_text(path, bytes=True).files]
    heads = [content_of(file, HEAD) for file in files]
    return not all(b"\t" in head for head in heads)


def _below(file: PairFile, path: str, inside: bool) -> PairFile:
    """A file as it is called beside those of other paths."""
    top = shown(os.path.basename(os.path.abspath(os.path.expanduser(path))))
    return file._replace(name=f"{top}/{file.name}") if inside else file


def counterpart(file: str) -> str:
    """Of a lone file such as ``train.en`` the error's advice to name the file beside it too; empty where none is there.

    Example:
        >>> for name in ("talks.en", "talks.de"):
        ...     _ = Path(name).write_text("x")
        >>> counterpart("talks.en")
        'Name both of two files whose lines belong together: talks.en,talks.de'
    """
    path = os.path.expanduser(file)
    spoken = _language(os.path.basename(path))
    try:
        beside = sorted(os.listdir(os.path.dirname(path) or ".")) if spoken else []
    except OSError:
        beside = []
    for name in beside:
        other = _language(name)
        if spoken and other and other[0] == spoken[0] and other[1] != spoken[1]:
            both = f"{file},{os.path.join(os.path.dirname(file), name)}"
            return f"Name both of two files whose lines belong together: {shown(both)}"
    return ""


def _two_files(paths: Sequence[str], source: str | None, target: str | None) -> FoundPairs:
    """The first is translated from, if languages are not asked for that the names tell."""
    files = [file for path in paths for file in find_text(path, bytes=True).files]
    spoken = [_language(file.name) for file in files]
    languages = [one[1] if one else "" for one in spoken]
    if all(languages) and languages[0] != languages[1] and any(_asked(languages, source, target)):
        first, _ = _chosen(called(paths), languages, source, target, ())
        if first != languages[0]:
            files, languages = files[::-1], languages[::-1]
    return FoundPairs([PairFile(_together([file.name for file in files]), tuple(files))], (languages[0], languages[1]))


def _language(name: str) -> tuple[str, str] | None:
    """What a file's name says before its language, and the language; ``None`` where it names none."""
    bare = name.removesuffix(".gz")
    stem, dot, end = bare.rpartition(".")
    if not dot or not stem or not _LANGUAGE.fullmatch(end) or end.casefold() in _OTHERS:
        return None
    return stem, end


def _by_language(
    data: str, spoken: dict[TextFile, tuple[str, str]], source: str | None, target: str | None, empty: Sequence[str]
) -> tuple[list[PairFile], tuple[str, str]]:
    """Files in two languages, side by side."""
    there = {end for _, end in spoken.values()}
    languages = _chosen(data, sorted(there), source, target, empty)
    stems: dict[str, dict[str, TextFile]] = {}
    for file, (stem, end) in spoken.items():
        if end in languages:
            if end in stems.setdefault(stem, {}):
                twice = f"{stems[stem][end].name} and {file.name}"
                raise DataError("data", shown(data), f"one file {stem}.{end}", shown(twice), "Take one of them away")
            stems[stem][end] = file
    pairs = []
    for stem, files in stems.items():
        if len(files) == 1:
            ((end, file),) = files.items()
            other = languages[1 - languages.index(end)]
            got = "an empty file" if any(name.removesuffix(".gz") == f"{stem}.{other}" for name in empty) else "no such file"
            remedy = "Put its translation beside it, or take it away"
            raise DataError("data", shown(data), f"{shown(stem)}.{other} beside {shown(file.name)}", got, remedy)
        both = tuple(files[end] for end in languages)
        pairs.append(PairFile(f"{stem}.{{{','.join(languages)}}}", both, both[0].part))
    return pairs, languages


def _asked(there: Sequence[str], source: str | None, target: str | None) -> tuple[str | None, str | None]:
    """The languages that are asked for; none of them where files are named ``src`` and ``tgt``, which may be any."""
    sides = _SIDES.issuperset(map(str.casefold, there))
    return (None if sides and source not in there else source), (None if sides and target not in there else target)


def _chosen(data: str, there: Sequence[str], source: str | None, target: str | None, empty: Sequence[str]) -> tuple[str, str]:
    """The language to translate from, and the one to translate into."""
    source, target = _asked(there, source, target)
    for name, asked in (("source", source), ("target", target)):
        if asked is not None and asked not in there:
            raise ArgumentError("data", name, f"one of the languages {', '.join(there)}", repr(asked))
    if source is not None and target is not None and source != target:
        return source, target
    if source is not None and source == target:
        raise ArgumentError("data", "target", f"another language than {source}", repr(target))
    if len(there) != 2:
        expected = f"files in two languages in {shown(data)}"
        remedy = "Say which: source=... and target=... (--set source=en --set target=de)" if len(there) > 2 else "Add the other"
        got = f"files in {', '.join(there)}" + (f" (and empty: {listed(empty)})" if empty else "")
        raise DataError("data", shown(data), expected, got, remedy)
    first = source or (next(end for end in there if end != target) if target else None)
    if first is None:
        ranked = sorted(there, key=lambda end: (_FIRST.index(end.casefold()) if end.casefold() in _FIRST else len(_FIRST), end))
        first = ranked[0]
    return first, next(end for end in there if end != first)


def _in_parts(files: list[PairFile]) -> tuple[list[PairFile], list[str]]:
    """The files with their parts, where their names tell of a part to train on and of another; and those of none."""
    if any(file.part for file in files):
        return files, []
    parts = [likely_part(Path(file.name).name) for file in files]
    if "train" in parts and len(set(parts) - {None}) > 1:
        told = [file._replace(part=part) for file, part in zip(files, parts, strict=True) if part is not None]
        return told, [file.name for file, part in zip(files, parts, strict=True) if part is None]
    return files, []


def _is_packed(file: TextFile) -> bool:
    return file.name.endswith(".gz")


def _together(names: Sequence[str]) -> str:
    """Two names in one: what they begin with, and how each ends."""
    stem = "".join(one for one, _ in itertools.takewhile(lambda two: two[0] == two[1], zip(*names))).rpartition(".")[0]
    return f"{stem}.{{{','.join(name[len(stem) + 1 :] for name in names)}}}" if stem else " and ".join(names)


__all__ = ["FoundPairs", "counterpart", "find_each", "find_pairs", "is_folder", "places", "same_languages"]
