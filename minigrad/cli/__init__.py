"""The commands. Each is a thin layer over the library: what it does can be done from Python too."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from minigrad.errors import MinigradError

USER_ERROR = 2  # what a user can mend: the same code as that of a wrong option


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and give its exit code: 0 only when it did its job, 2 with a message for what a user can mend.

    Args:
        arguments: the words behind ``minigrad``; default: those of the process.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        minigrad ...
        0
    """
    from typer import Exit, TyperException

    from minigrad.cli.app import app
    from minigrad.cli.output import complain

    try:
        code = app(list(arguments) if arguments is not None else None, standalone_mode=False)
    except Exit as wish:
        code = wish.exit_code
    except TyperException as error:  # a wrong option or argument
        error.show()
        code = error.exit_code
    except MinigradError as error:
        complain(str(error))
        code = USER_ERROR
    except KeyboardInterrupt:
        complain("Interrupted.")
        code = 130
    except BrokenPipeError:  # whoever read our output has gone away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    return code or 0
