"""The named sets of sentence pairs, with their parts."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minigrad.data import sources
from minigrad.data.holdout import rank
from minigrad.data.pair import Pair, cleaned, is_copy
from minigrad.data.pairsplit import parts_by_group
from minigrad.data.sword import numbered, read_verses
from minigrad.errors import DataError

VALIDATION, TEST = 0.05, 0.1  # shares of the components, or chapters
_MEMBER = re.compile(r"homeassistant/components/(\w+)/translations/([\w-]+)\.json")
_NO_TEXT = re.compile(r"[{}\\]|\[%|https?:|\]\(|<\w+[^>]*>")  # placeholders, keys, addresses, links and tags


def open_named(name: str, progress: sources.Progress | None = None) -> dict[str, list[Pair]]:
    """The pairs of a named set by part, fetched and cached at its first use.

    ``en-es``, ``en-de``, ``en-it``, ``en-fr``: short sentences of the interface of Home Assistant 2024.3.3; of en-es 10,475
    pairs are to train on, 714 for validation and 935 for test. A text of several lines is taken line by line where both
    languages have as many. Left out are texts with placeholders, addresses, links or tags, and those that are the same in both
    languages, which most often nobody translated. Components are held out whole, a twentieth of them for validation and a tenth
    for test, always the same ones. What a component has in common with one of another part is learned from, so that no sentence
    of either language is in two parts, nor one that differs in case, blanks and marks only.

    ``bible-en-es``: the verses of the King James Version and the Reina-Valera of 1909; chapters are held out as components are.

    Args:
        name: of these.
        progress: called with a file's name, the bytes that are there and the bytes in all while it comes in.

    Returns:
        The pairs of ``"train"``, ``"validation"`` and ``"test"``. ``Pair.file`` is the component or chapter.

    Raises:
        DataError: the name is unknown, or the data cannot be had.
    """
    sources.dataset(name, "pairs")
    paths = sources.get(name, progress)
    if name.startswith("bible-"):
        found = _verses(paths)
    else:
        found = list(_interface(paths[0], name.partition("-")[2]))
    return _in_parts(found)


def languages_of(name: str) -> tuple[str, str]:
    """The languages of a named set.

    Example:
        >>> languages_of("en-es"), languages_of("bible-en-es")
        (('en', 'es'), ('en', 'es'))
    """
    source, target = name.split("-")[-2:]
    return source, target


def part_of(name: str) -> str:
    """The part that a component or chapter belongs to, by a hash of its name.

    Example:
        >>> part_of("hue"), part_of("tado")
        ('test', 'train')
    """
    place = int.from_bytes(rank(0, name)[:8], "big") / 2**64
    return "test" if place < TEST else "validation" if place < TEST + VALIDATION else "train"


def _in_parts(found: list[Pair]) -> dict[str, list[Pair]]:
    """Pairs by part, each once."""
    parts: dict[str, dict[tuple[str, str], Pair]] = {"train": {}, "validation": {}, "test": {}}
    for pair, part in zip(found, parts_by_group(found, {pair.file: part_of(pair.file) for pair in found}), strict=True):
        parts[part].setdefault(pair[:2], pair)
    return {part: list(pairs.values()) for part, pairs in parts.items()}


def _interface(wheel: Path, language: str) -> Iterator[Pair]:
    """What Home Assistant says, in English and in another language, as often as it says it."""
    with zipfile.ZipFile(wheel) as archive:
        names: dict[str, dict[str, str]] = {}
        for member in archive.namelist():
            match = _MEMBER.fullmatch(member)
            if match:
                names.setdefault(match[1], {})[match[2]] = member
        for component in sorted(names):
            if "en" in names[component] and language in names[component]:
                english, other = (dict(_texts(json.loads(archive.read(names[component][code])))) for code in ("en", language))
                number = 0
                for key, text in english.items():
                    for source, target in _lines(text, other.get(key, "")):
                        number += 1
                        yield Pair(source, target, component, number)


def _texts(tree: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The texts of nested dictionaries, each with the names that lead to it."""
    if isinstance(tree, dict):
        for name, below in tree.items():
            yield from _texts(below, f"{key}/{name}")
    elif isinstance(tree, str):
        yield key, tree


def _lines(source: str, target: str) -> Iterator[tuple[str, str]]:
    """What can be learned from of a text and its translation."""
    if _NO_TEXT.search(source) or _NO_TEXT.search(target):
        return
    lines = [[line for line in map(cleaned, text.split("\n")) if line] for text in (source, target)]
    if len(lines[0]) != len(lines[1]):
        lines = [[" ".join(some)] for some in lines]
    for one, other in zip(*lines, strict=True):
        if one and other and not is_copy(Pair(one, other)):
            yield one, other


def _verses(paths: tuple[Path, ...]) -> list[Pair]:
    """The verses that both Bibles have; their files are six of the one and six of the other."""
    files = [path.read_bytes() for path in paths]
    entries: list[list[str]] = []
    for first in (0, 6):
        testaments = [files[first : first + 3], files[first + 3 : first + 6]]
        entries.append([entry for three in testaments for entry in read_verses(three[0], three[1], three[2], "bible-en-es")])
    english, spanish = (list(numbered(some)) for some in entries)
    if [verse[:2] for verse in english] != [verse[:2] for verse in spanish]:
        raise DataError("data", "bible-en-es", "two Bibles of the same chapters and verses", "others", "Install them anew")
    both = zip(english, spanish, strict=True)
    return [Pair(one, other, chapter, verse) for (chapter, verse, one), (_, _, other) in both if one and other]


__all__ = ["languages_of", "open_named", "part_of"]
