"""What a wrong command line may have meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.cli.tasks import TASKS, task_class


def hint(error: Any, words: Sequence[str]) -> str:
    """A sentence to add to an error of the command line, or nothing.

    Args:
        error: typer's.
        words: the words behind ``minigrad``.
    """
    if list(words[:1]) != ["train"]:
        return ""
    option = str(getattr(error, "option_name", "") or "")
    task = words[1] if len(words) > 1 else ""
    if task not in TASKS:
        return f" What to train comes first: minigrad train {next(iter(TASKS))} --data ..." if option else ""
    key = option.removeprefix("--").replace("-", "_")
    if key in {name for name, _, _ in task_class(task).Settings.table()}:
        return f" It is a setting: --set {key}=VALUE."
    missing = getattr(getattr(error, "param", None), "name", "")
    given = words[2] if len(words) > 2 else ""
    if missing == "data" and given and not given.startswith("-"):
        return f" Did you mean --data {given}?"
    if "=" in words:
        return " Write KEY=VALUE without spaces."
    return ""
