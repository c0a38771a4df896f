"""What CuPy has: the names, parameters and ufunc types recorded from CuPy 13 and 14, so that nothing else is accepted here.

The files ``api_13.json`` and ``api_14.json`` were written by ``tests/record_cupy_api.py``. A program shall run with both, so
what one of them lacks is refused, with the version that lacks it.
"""

from __future__ import annotations

import ast
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSIONS = ("13", "14")  # that pyproject.toml admits


@dataclass(frozen=True)
class Name:
    """One name of a module or class.

    Attributes:
        kind: ``"function"``, ``"ufunc"``, ``"class"``, ``"module"`` or ``"value"``.
        keywords: the parameters that both versions take by name; ``None`` where they are not known, or any is taken.
        places: how many arguments both take without a name; ``None`` for any number.
        types: of a ufunc, its loops as NumPy writes them, ``"ff->f"``.
        inputs: of a ufunc, how many it takes.
    """

    kind: str
    keywords: frozenset[str] | None = None
    places: int | None = None
    types: tuple[str, ...] = ()
    inputs: int = 0


def lookup(place: str, name: str) -> Name:
    """What ``place.name`` is.

    Raises:
        AttributeError: one of the versions has no such name.

    Example:
        >>> lookup("cupy", "clip").places
        4
    """
    lacking = [version for version in VERSIONS if name not in recorded(version).get(place, {})]
    if lacking:
        raise AttributeError(f"module '{place}' has no attribute '{name}' in CuPy {' and '.join(lacking)}")
    return _name(place, name)


def names(place: str) -> list[str]:
    """All that both versions have in a place."""
    return sorted(set.intersection(*(set(recorded(version)[place]) for version in VERSIONS)))


def check_call(place: str, name: str, entry: Name, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse arguments that a version does not take.

    Raises:
        TypeError: there are more, or others, than its parameters.
    """
    if entry.places is not None and len(args) > entry.places:
        raise TypeError(f"{place}.{name}() takes {entry.places} positional arguments in CuPy, and {len(args)} came")
    if kwargs and entry.keywords is not None and not kwargs.keys() <= entry.keywords:
        others = ", ".join(sorted(kwargs.keys() - entry.keywords))
        known = ", ".join(sorted(entry.keywords))
        raise TypeError(f"{place}.{name}() got an unexpected keyword argument in CuPy: {others}. It has {known}")


@functools.cache
def recorded(version: str) -> dict[str, dict[str, Any]]:
    """The places of one version, as its file has them."""
    return json.loads((Path(__file__).parent / f"api_{version}.json").read_text())["places"]


@functools.cache
def _name(place: str, name: str) -> Name:
    entries = [recorded(version)[place][name] for version in VERSIONS]
    newest = entries[-1]
    if newest["is"] == "ufunc":
        allowed = frozenset({"out", "dtype", "casting"})
        return Name("ufunc", allowed, newest["in"] + newest["out"], tuple(newest["types"].split()), newest["in"])
    signatures = [_parameters(entry["parameters"]) for entry in entries if "parameters" in entry]
    if len(signatures) < len(entries):
        return Name(newest["is"])
    keywords = [_keywords(each) for each in signatures]
    known = [each for each in keywords if each is not None]
    places = [_places(each) for each in signatures]
    counts = [count for count in places if count is not None]
    return Name(newest["is"], frozenset.intersection(*known) if known else None, min(counts) if counts else None)


def _parameters(text: str) -> ast.arguments:
    written: Any = ast.parse(f"lambda {text}: ...", mode="eval").body
    return written.args


def _keywords(parameters: ast.arguments) -> frozenset[str] | None:
    if parameters.kwarg:
        return None
    return frozenset(each.arg for each in (*parameters.args, *parameters.kwonlyargs))


def _places(parameters: ast.arguments) -> int | None:
    return None if parameters.vararg else len(parameters.posonlyargs) + len(parameters.args)
