"""What a run began with: the data and the settings that its config holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar

from minigrad.data.catalogue import DATASETS
from minigrad.data.words import listed, shown
from minigrad.errors import DataError, RunError
from minigrad.train import Settings

S = TypeVar("S", bound=Settings)


def source(data: str) -> str:
    """Data as a config names them: a named set by its name, else the whole path.

    Example:
        >>> source("mnist5k"), os.path.isabs(source("photos"))
        ('mnist5k', True)
    """
    return data if data in DATASETS else os.path.abspath(os.path.expanduser(data))


def sources(config: Mapping[str, Any], task: str) -> tuple[str, ...]:
    """The data in a run's config that may be several: names and paths.

    Args:
        config: the run's.
        task: the word of the task.

    Raises:
        RunError: they are not there, or are damaged.

    Example:
        >>> sources({"data": "shakespeare"}, "text"), sources({"data": ["/a", "/b"]}, "text")
        (('shakespeare',), ('/a', '/b'))
    """
    data = config.get("data")
    given = [data] if isinstance(data, str) else data
    if not isinstance(given, list) or not given or not all(isinstance(place, str) for place in given):
        raise _damaged(task, "an entry is missing")
    return tuple(given)


def recipe(config: Mapping[str, Any], task: str, kind: type[S]) -> tuple[str, S]:
    """The data and the settings in a run's config.

    Args:
        config: the run's.
        task: the word of the task.
        kind: the class of its settings.

    Raises:
        RunError: they are not there, or are damaged.

    Example:
        >>> recipe({"data": "mnist5k", "data_digest": "", "settings": {"seed": 1}}, "classify", Settings)[1].seed
        1
    """
    data = config.get("data")
    if not isinstance(data, str):
        raise _damaged(task, "an entry is missing")
    return data, chosen(config, task, kind)


def chosen(config: Mapping[str, Any], task: str, kind: type[S]) -> S:
    """The settings in a run's config; arguments and errors as for ``recipe``.

    Example:
        >>> chosen({"data_digest": "", "settings": {"seed": 1}}, "text", Settings).seed
        1
    """
    settings = config.get("settings")
    if not isinstance(config.get("data_digest"), str) or not isinstance(settings, dict):
        raise _damaged(task, "an entry is missing")
    try:
        return kind.of(settings)
    except ValueError as error:  # an ArgumentError too
        raise _damaged(task, str(error)) from error


def _damaged(task: str, why: str) -> RunError:
    expected = f"data, data_digest and settings, as minigrad train {task} writes them"
    return RunError(task, "config.json", expected, f"others ({why})", "Put back a copy of the file, or train anew")


def is_elsewhere(config: Mapping[str, Any]) -> bool:
    """Whether a model's data cannot be opened from its config: others trained it, or its card tells in words what they were.

    Example:
        >>> is_elsewhere({"data": "mnist5k", "data_digest": ""}), is_elsewhere({"data": "photos of mine", "data_digest": ""})
        (False, True)
    """
    data = config.get("data")
    if data is None:
        return "data_digest" not in config  # else the entry is lost
    return isinstance(data, str) and data not in DATASETS and not os.path.isabs(data)


def check_there(data: str, what: str) -> None:
    """See that the data that a run began with are where they were.

    Args:
        data: as the config names them.
        what: what they are, in the plural.

    Raises:
        DataError: they are not.
    """
    if data not in DATASETS and not os.path.exists(data):
        remedy = "Put them back there (a link to where they are now will do); what a model says of others tells eval --data"
        raise DataError("data", shown(data), f"the {what} that the run began with", "nothing of that name", remedy)


def check_same(digest: str, config: Mapping[str, Any], what: str) -> None:
    """See that data are those that a run began with.

    Args:
        digest: of the data as they are now.
        config: the run's.
        what: what they are, in the plural.

    Raises:
        DataError: they are others.
    """
    if digest != config["data_digest"]:
        expected = f"the {what} that the run began with"
        got = "others: files were added, removed, renamed or changed"
        data = config["data"]
        named = data if isinstance(data, str) else listed(data)
        raise DataError("data", named, expected, got, "Put them back as they were, or train a new run on them")
