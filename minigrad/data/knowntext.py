"""Text for a model that is trained already: in the characters that it knows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from minigrad.data.characters import Characters
from minigrad.data.corpus import summed
from minigrad.data.gathered import Place, called, files_to_measure, several
from minigrad.data.ids import Ids, Span, stored
from minigrad.data.scan import Progress, Stretch, encoded, scan
from minigrad.data.words import counted


def open_known(
    data: Place | Sequence[Place],
    vocabulary: Characters,
    *,
    unknown: str = "refuse",
    glob: str | None = None,
    progress: Progress | None = None,
) -> tuple[Ids, tuple[str, ...]]:
    """The text of named sets, files and folders as numbers of a vocabulary: of each its test part, else all.

    Args:
        data: as for ``open_text``.
        vocabulary: that of the model.
        unknown: what becomes of characters that it has not, as for ``Characters.encode``.
        glob: which files of the folders.
        progress: as for ``open_text``.

    Returns:
        The numbers, and lines to print: what was found, of which places the test part was taken, what was left out or folded.

    Raises:
        DataError: there is no such text, it cannot be read, or it has characters that the vocabulary has not.
        ArgumentError: ``unknown`` is no such word, or ``"fold"`` where the vocabulary has no place for others.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("song.txt").write_text("la la lé")
        >>> ids, lines = open_known("song.txt", Characters("al "), unknown="skip")
        >>> ids[:].tolist(), lines[1]
        ([1, 0, 2, 1, 0, 2, 1], 'left out: 1 character that the model does not know, at 1 place')
    """
    found, taken = files_to_measure(data, glob, vocabulary.kind == "bytes", progress)
    scanned = scan([Stretch(file, 0, file.size) for file in found.files], bytes=vocabulary.kind == "bytes", progress=progress)
    codes, counts = summed(scanned)
    new = vocabulary.numbers(codes) < 0
    unseen = {chr(code): int(count) for code, count in zip(codes[new], counts[new], strict=True)}
    unseen = dict(sorted(unseen.items(), key=lambda item: -item[1]))
    vocabulary.check(unseen, unknown, f"data: {called(several(data))}")
    skip = unknown == "skip"
    spans, end = [], 0
    key = hashlib.sha256(repr((vocabulary.to_config(), skip)).encode("utf-8", "surrogatepass"))
    for one in scanned:
        left_out = int(one.counts[vocabulary.numbers(one.codes) < 0].sum()) if skip else 0
        spans.append(Span(one.stretch.file.name, end, end + one.length - left_out))
        end = spans[-1].end
        key.update(one.digest)
    row, _ = stored(key.hexdigest(), end, len(vocabulary), lambda: encoded(scanned, vocabulary, progress, skip=skip))
    lines = [f"text: {counted(len(spans), 'file')}, {counted(end, vocabulary.unit)}"]
    lines += taken
    if unseen:
        words = f"{counted(len(unseen), 'character')} that the model does not know, at {counted(sum(unseen.values()), 'place')}"
        lines.append(f"left out: {words}" if skip else f"folded: {words}, read as U+FFFD")
    return Ids(row, spans), (*lines, *found.notes())
