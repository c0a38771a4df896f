"""Who owns the name minigrad: which installed distributions provide it, and whether the one that is imported is ours.

On the public index the plain name belongs to a stranger. Where both are installed, the later one has written over files of the
earlier; and a folder ``minigrad`` at the front of the path hides what is installed.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME = "minigrad"
OURS = "minigrad-engine"


class Owner(NamedTuple):
    """A distribution that provides ``minigrad``: its name, version, the folder it lies in, and where it puts the package."""

    name: str
    version: str
    place: str
    package: Path | None
    editable: bool


def owners(distributions: Iterable[importlib.metadata.Distribution] | None = None) -> list[Owner]:
    """Every distribution on the path that provides a top-level ``minigrad``, or has its name.

    Example:
        >>> [owner.name for owner in owners() if owner.name != OURS]
        []
    """
    found: dict[tuple[str, str], Owner] = {}
    for distribution in importlib.metadata.distributions() if distributions is None else distributions:
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()  # as the index compares names
        if not name or not (name in (NAME, OURS) or _provides(distribution)):
            continue
        if name == OURS and distribution.read_text("RECORD") is None:
            continue  # what a build left in a checkout; it is not an installation
        folder = str(distribution.locate_file(""))
        editable = _editable(distribution)
        package = editable / NAME if editable else Path(str(distribution.locate_file(NAME)))
        found.setdefault((name, folder), Owner(name, distribution.version, folder, package, editable is not None))
    return list(found.values())


def _provides(distribution: importlib.metadata.Distribution) -> bool:
    """Whether its files include the package. The lists are read as text: parsing them all would take a second."""
    if NAME in (distribution.read_text("top_level.txt") or "").split():
        return True
    files = distribution.read_text("RECORD") or distribution.read_text("installed-files.txt") or ""
    return re.search(rf"^(?:\.\./)*{NAME}(?:/|\.py\b)", files, re.MULTILINE) is not None


def _editable(distribution: importlib.metadata.Distribution) -> Path | None:
    """The checkout that an editable installation points at."""
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if origin["dir_info"]["editable"] is True:
            return Path(url2pathname(urlsplit(origin["url"]).path))
    except (ValueError, KeyError, TypeError):
        pass
    return None
