"""Small files of sentence pairs, and a made-up wheel and Bibles in the forms in which the named sets are published.

As a script it looks whether a sentence is in two parts of a named set, of each that is in the cache::

    python -m tests.pair_files
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import itertools
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from minigrad.data import Pair, pairsets, sources
from minigrad.data.pair import same_key

ROWS = [(f"Give me {i} of them.", f"Dame {i} de ellos.") for i in range(60)]


def tsv(rows: list[tuple[str, ...]], end: str = "\n") -> str:
    return "".join("\t".join(row) + end for row in rows)


def parallel(folder: Path, stem: str, rows: list[tuple[str, str]], gz: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for side, end in enumerate(("en", "de")):
        content = "".join(row[side] + "\n" for row in rows).encode()
        path = folder / (f"{stem}.{end}" + (".gz" if gz else ""))
        path.write_bytes(gzip.compress(content, mtime=0) if gz else content)


def interface(path: Path, components: dict[str, dict[str, Any]]) -> Path:
    """A wheel with ``{component: {language: texts}}`` where Home Assistant has them."""
    with zipfile.ZipFile(path, "w") as archive:
        for component, languages in components.items():
            for language, texts in languages.items():
                folder = f"homeassistant/components/{component}"
                archive.writestr(f"{folder}/translations/{language}.json", json.dumps(texts))
                archive.writestr(f"{folder}/translations/sensor.{language}.json", '{"state": {"x": "not read"}}')
            archive.writestr(f"homeassistant/components/{component}/strings.json", "{}")
    return path


def as_set(name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a named set of one file be what lies there, by way of the cache."""
    known, content = sources.DATASETS[name], path.read_bytes()
    file = dataclasses.replace(known.files[0], sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    monkeypatch.setitem(sources.DATASETS, name, dataclasses.replace(known, files=(file,)))
    monkeypatch.setenv("MINIGRAD_CACHE", str(path.parent / "cache"))
    sources.cached_path(file).parent.mkdir(parents=True, exist_ok=True)
    sources.cached_path(file).write_bytes(content)


def testament(entries: list[str]) -> tuple[bytes, bytes, bytes]:
    """The three files of a zText module, two entries to a block."""
    index, verses, packed = b"", b"", b""
    for number in range(0, len(entries), 2):
        some = [entry.encode() for entry in entries[number : number + 2]]
        block = zlib.compress(b"".join(some))
        index += struct.pack("<III", len(packed), len(block), sum(map(len, some)))
        start = 0
        for entry in some:
            verses += struct.pack("<IIH", number // 2, start, len(entry))
            start += len(entry)
        packed += block
    return index, verses, packed


def as_bibles(folder: Path, modules: list[list[list[str]]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the system's packages hold two Bibles of two testaments each."""
    known = sources.DATASETS["bible-en-es"]
    contents = [content for module in modules for entries in module for content in testament(entries)]
    files = []
    for number, (file, content) in enumerate(zip(known.files, contents, strict=True)):
        path, digest = folder / f"{number}-{file.name}", hashlib.sha256(content).hexdigest()
        path.write_bytes(content)
        assert file.system is not None
        system = dataclasses.replace(file.system, path=str(path), sha256=digest, size=len(content))
        files.append(dataclasses.replace(file, sha256=digest, size=len(content), system=system))
    monkeypatch.setitem(sources.DATASETS, known.name, dataclasses.replace(known, files=tuple(files)))
    monkeypatch.setenv("MINIGRAD_CACHE", str(folder / "cache"))


def in_two_parts(parts: Mapping[str, Sequence[Pair]]) -> list[str]:
    """The sources, and the targets, that are in more than one part, but for case, blanks and marks."""
    found = []
    for side, name in enumerate(("source", "target")):
        keys = {part: {same_key(pair[side]) for pair in pairs} for part, pairs in parts.items()}
        for one, other in itertools.combinations(keys, 2):
            found += [f"a {name} in {one} and {other}: {key}" for key in sorted(keys[one] & keys[other])]
    return found


def look() -> int:
    """The exit code: whether all named sets that need not be fetched are sound."""
    sound = True
    for name, known in sources.DATASETS.items():
        if known.kind != "pairs":
            continue
        if not all(sources.cached_path(file).exists() for file in known.files):
            print(f"{name}: not in the cache")
            continue
        parts = pairsets.open_named(name)
        found = in_two_parts(parts)
        sizes = ", ".join(f"{len(pairs):,} for {part}" for part, pairs in parts.items())
        print(f"{name}: {sizes}; sentences in two parts: {len(found):,}", *found[:9], sep="\n  ")
        sound = sound and not found and all(parts.values())
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(look())
