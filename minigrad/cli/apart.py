"""A command that runs a user's file does so in a process of its own, whose end is told whatever the file does.

A kernel may read memory that is not its own, end the program (``os._exit``), or never return. The command that the user started
waits meanwhile. The process shares its terminal and output, and writes into a file, its record, what it is about to do, and at
its end the exit code. Where that is missing, the last line tells what was running.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import typer

from minigrad.errors import KernelError

ENDED, NOT_LOADED = 1, 2  # the exit codes where a kernel ended the process, and where the file did before any of it ran
INTERNAL = 70  # where the command itself failed: the code of sysexits.h for a fault in the program
LONGEST = 2000  # letters of what is told
TAIL = 1 << 16  # bytes of the record that are looked at: they hold its last line, and what came after a crash
PROGRAM = (
    "import json, sys; told = json.loads(sys.argv.pop()); sys.path[:] = told.pop('path'); "
    "from minigrad.cli import apart; sys.exit(apart.child(**told))"
)
_OUTSIDE = "it read or wrote memory that is not its own"
_DAMAGED = "memory was found damaged, mostly by a write past an array, now or in an earlier call"
_BOUNDS = "Look at indices, sizes and strides there; with NUMBA_BOUNDSCHECK=1 in the environment numba.njit checks indices"
WHY = {
    "SIGSEGV": (_OUTSIDE, _BOUNDS),
    "SIGBUS": (_OUTSIDE, _BOUNDS),
    "SIGABRT": (_DAMAGED, _BOUNDS),
    "SIGTRAP": (_DAMAGED, _BOUNDS),
    "SIGFPE": ("a whole number was divided by zero", "Look for a size of 0"),
    "SIGILL": ("it was compiled for another processor", "Compile it for this one"),
    "SIGKILL": ("it was ended from outside, mostly as memory ran out", "Look at how much memory it asks for"),
}


class _Here:
    record: int | None = None  # in the process apart, where it writes


_here = _Here()


class _State(NamedTuple):
    """What the process told last."""

    kind: str = "start"  # then "file", "kernel" and "code 0"
    words: str = "the start of its process"
    trace: str = ""  # the lines of Python that it was in when it was ended


def doing(words: str) -> None:
    """Tell what runs from now on. Where no process waits for this one it does nothing."""
    _write("kernel", words)


def passed_on(context: typer.Context, words: Sequence[str] | None, *, patience: float, limit: float = math.inf) -> None:
    """Run a command that the user started apart, where a file is among its words.

    Args:
        context: the command's.
        words: those that may be files.
        patience: seconds until it is told what takes so long.
        limit: seconds until what takes so long is ended, where nobody is at a terminal to press Ctrl-C.

    Raises:
        typer.Exit: it has run, and this is its exit code.
    """
    files = [word for word in words or () if word.endswith(".py")]
    if files and context.obj is not None:
        limit = math.inf if _at_a_terminal() else limit
        raise typer.Exit(run(context.command_path.removeprefix("minigrad "), context.obj, files, patience, limit))


def run(command: str, arguments: Sequence[str], files: Sequence[str], patience: float = 60.0, limit: float = math.inf) -> int:
    """Run a command in a process of its own.

    Args:
        command: how messages call it.
        arguments: the words behind ``minigrad``.
        files: those of the user's that it loads.
        patience, limit: as for :func:`passed_on`.

    Returns:
        its exit code: the command's own, 130 by Ctrl-C, or ``ENDED``, ``NOT_LOADED`` or ``INTERNAL``.
    """
    from minigrad.cli import INTERRUPTED

    with contextlib.ExitStack() as stack:
        handle, path = tempfile.mkstemp(prefix="minigrad-")
        stack.callback(Path(path).unlink, missing_ok=True)
        record = stack.enter_context(open(handle, "rb"))
        process = stack.enter_context(_process(arguments, files, path))
        try:
            in_time = _wait(process, record, patience, limit)
        except KeyboardInterrupt:
            _end(process)
            state = _state(record)
            _tell(f"interrupted during {state.words}{_line(state, files)}; nothing is half-written", "note")
            return INTERRUPTED
        state = _state(record)
        if state.kind == f"code {process.returncode}":
            return process.returncode
        _tell(str(_fault(command, files, state, process.returncode if in_time else None, limit)), "error")
        return ENDED if state.kind == "kernel" else NOT_LOADED


@contextlib.contextmanager
def _process(arguments: Sequence[str], files: Sequence[str], record: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process, which ends with the block, and with this process."""
    reader, writer = os.pipe()
    told = {"path": sys.path, "arguments": list(arguments), "files": list(files), "record": record, "parent": reader}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # until it knows what to do at Ctrl-C
    try:
        line = [sys.executable, "-P", "-u", *(f"-W{each}" for each in sys.warnoptions), "-c", PROGRAM, json.dumps(told)]
        process = subprocess.Popen(line, pass_fds=[reader] if os.name == "posix" else [])
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(reader)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        os.close(writer)


def child(arguments: list[str], files: list[str], record: str, parent: int) -> int:
    """Run a command in this process, which another one waits for."""
    from minigrad.cli import main

    _here.record = os.open(record, os.O_WRONLY | os.O_APPEND)
    faulthandler.enable(_here.record, all_threads=False)
    if os.name == "posix":
        os.unlink(record)  # the other has it open
        faulthandler.register(signal.SIGINT, _here.record, all_threads=False)  # it is the other that ends this one
        _end_with(parent)
    _write("file", ", ".join(files))
    try:
        code = main(arguments)
    except Exception as error:  # what a kernel raises is told by the command
        from minigrad.cli.output import complain

        traceback.print_exc()
        words = f"{type(error).__name__}: {error}"
        complain(f"an internal error of minigrad, not one that {', '.join(files)} is known to have made: {words}")
        code = INTERNAL
    _write(f"code {code}", "the end of the command")
    return code


def _end_with(parent: int) -> None:
    """End when a pipe does, by a signal of the system's: compiled code may hold the interpreter's lock for ever."""
    import fcntl

    os.set_inheritable(parent, False)
    if sys.platform == "darwin":
        signal.signal(signal.SIGIO, lambda *_: os._exit(ENDED))  # where it is not the default
    fcntl.fcntl(parent, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(parent, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        os.read(parent, 1)
        os._exit(ENDED)  # it was gone before


def _write(kind: str, words: str) -> None:
    if _here.record is not None:
        with contextlib.suppress(OSError):  # a full disk is no reason to end
            os.write(_here.record, f"{json.dumps([kind, words[:LONGEST]])}\n".encode())


def _state(record: BinaryIO) -> _State:
    record.seek(max(0, record.seek(0, os.SEEK_END) - TAIL))
    lines = record.read().decode(errors="replace").splitlines()
    for number in reversed(range(len(lines))):
        if lines[number].startswith('["'):
            kind, words = json.loads(lines[number])
            return _State(kind, words, "\n".join(lines[number + 1 :]))
    return _State()


def _wait(process: subprocess.Popen[bytes], record: BinaryIO, patience: float, limit: float) -> bool:
    """Sleep until it ends, and say what takes long. Returns False where it had to be ended."""
    waiting = threading.Thread(target=process.wait, daemon=True)  # which, other than a wait with a time limit, does not poll
    waiting.start()
    size, ticks, next_note = -1, 0, patience
    while True:
        waiting.join(patience / 5)
        if not waiting.is_alive():
            return True
        ticks += 1  # not by a clock: a stopped process does not take long
        if record.seek(0, os.SEEK_END) != size:
            size, ticks, next_note = record.tell(), 0, patience
        seconds = ticks * patience / 5
        if seconds >= limit:
            _end(process)
            return False
        if seconds >= next_note:
            next_note = 2 * seconds
            end = "Ctrl-C ends it" if limit == math.inf else f"at {limit:g} s it is ended"
            _tell(f"{_state(record).words}: {seconds:g} s so far; {end}", "note")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it; before, it tells in which line it is."""
    if os.name == "posix":
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    process.kill()
    process.wait()


def _tell(text: str, kind: str) -> None:
    """Complain in place of the bar that the process may have drawn."""
    from rich.control import Control
    from rich.segment import ControlType

    from minigrad.cli.output import complain
    from minigrad.show.text import open_console

    open_console(stderr=True).control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
    complain(text, kind)


def _at_a_terminal() -> bool:
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # none, or a closed one
        return False


def _fault(command: str, files: Sequence[str], state: _State, code: int | None, limit: float) -> KernelError:
    """What is wrong with a kernel that did not return, by the exit code of its process; None where it was ended in vain."""
    if code is None:
        got, remedy = f"nothing in {limit:g} s", "Look for a loop without an end, and for locks"
    elif code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        why, remedy = WHY.get(name, ("it was ended from outside", ""))
        got = f"the end of the program by {name}: {why}"
    else:
        got = f"the end of the program with exit code {code}: it ended itself, as os._exit and exit() do"
        remedy = "Let it return, or raise an exception"
    expected = {"kernel": "results", "file": "a file that runs to its end"}.get(state.kind, "it to end by itself")
    return KernelError(command, state.words + _line(state, files), expected, got, remedy)


def _line(state: _State, files: Sequence[str]) -> str:
    """`` (line 3 of mine.py)``: the innermost line of the files that it was in."""
    for path, line in re.findall(r'^  File "(.+)", line (\d+)', state.trace, re.MULTILINE):
        for file in files:
            if path == os.path.abspath(file):
                return f" (line {line} of {file})"
    return ""
