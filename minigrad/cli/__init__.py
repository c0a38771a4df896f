"""The commands. Each is a thin layer over the library: what it does can be done from Python too."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minigrad.errors import MinigradError

USER_ERROR = 2  # what a user can mend: the same code as that of a wrong option
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it
NO_READER = 141  # 128 and the number of SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and give its exit code: 0 only when it did its job, 2 with a message for what a user can mend.

    Args:
        arguments: the words behind ``minigrad``; default: those of the process.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        minigrad ...
        0
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what its encoding does not have is no error
            stream.reconfigure(errors="backslashreplace")
    with warnings.catch_warnings():
        warnings.showwarning = _warn
        return _told(lambda: _run(sys.argv[1:] if arguments is None else list(arguments), own=arguments is None))


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as the commands show theirs, without the line of code that gave it."""
    from minigrad.cli.output import complain

    complain(str(message), "warning")


def _run(arguments: list[str], *, own: bool) -> int:
    """Run a command, which finds the words in its context's ``obj`` where they are the process's own."""
    from typer import Exit, TyperException
    from typer.main import get_command

    from minigrad.cli.app import app
    from minigrad.cli.hints import hint
    from minigrad.cli.output import complain

    command, code, context = get_command(app), 0, None
    try:
        # What ``command.main`` does, which would keep an interrupt and a gone reader to itself.
        with command.make_context("minigrad", list(arguments), obj=arguments if own else None) as context:
            command.invoke(context)
    except Exit as wish:
        code = wish.exit_code
    except TyperException as error:  # a wrong option or argument; or none at all, for which the help was shown
        code = error.exit_code
        if text := error.format_message():
            used = getattr(error, "ctx", None) or context
            end = "" if text.endswith(("?", ".", ")")) else "."
            complain(text + end + hint(error, arguments) + (f"\nSee {used.command_path} --help" if used is not None else ""))
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """A Ctrl-C inside is not heard, where the system lets us say so: in the main thread."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _told(run: Callable[[], int]) -> int:
    """The exit code of a command; what hinders it that is no fault of the program becomes words."""
    from minigrad.cli.output import complain

    try:
        return run()
    except MinigradError as error:
        complain(str(error))
    except KeyboardInterrupt:
        with _deaf():
            complain("interrupted; nothing is half-written", "note")
        return INTERRUPTED
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):  # nothing is left to be written when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_READER
    except OSError as error:
        name = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        complain(f"{name}{error.strerror or error}")
    except MemoryError as error:
        words = "there is not enough memory for this. Try smaller images (--set image_size=...), a smaller network or batch"
        complain(f"{words} ({error})" if str(error) else words)
    return USER_ERROR
