"""What is measured in a process of its own: a module of this package is run as a program, and what it prints is read."""

from __future__ import annotations

import os
import subprocess
import sys

from minigrad.errors import ArgumentError


def told_by(
    module: str, words: list[str], argument: str, expected: str, environment: dict[str, str | None] | None = None
) -> list[str]:
    """The words that ``python -m minigrad.benchmarks.MODULE WORDS`` prints.

    Args:
        module: ``"memory"`` and the like.
        words: its command line.
        argument, expected: how an error calls what was asked for.
        environment: variables of the process that are not this one's; ``None`` for one that it has not.

    Raises:
        ArgumentError: the process failed; the last line of what it complained of is in it.

    Example:
        >>> told_by("first", ["--help"], "workload", "one that runs")[0]
        'usage:'
    """
    variables = {**os.environ, **(environment or {})}
    command = [sys.executable, "-m", f"minigrad.benchmarks.{module}", *words]
    given = {name: value for name, value in variables.items() if value is not None}
    done = subprocess.run(command, capture_output=True, text=True, env=given, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise ArgumentError(f"benchmarks.{module}", argument, expected, last[0])
    return done.stdout.split()
