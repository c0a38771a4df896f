"""A bar with the time left, on a terminal; lines of text anywhere else.

The bar is one line that never wraps. It is drawn by the calls that report progress, a few times a second: there is no thread
beside the work, and a step between two drawings pays for one look at the clock. The cursor waits at the line's beginning and is
never hidden, so that a terminal whose window changes, or whose process is killed, is left as it was found.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.file_proxy import FileProxy
from rich.segment import ControlType, Segment, Segments
from rich.text import Text

from minigrad.show.pace import Pace
from minigrad.show.text import duration, is_terminal, open_console, printable, short_number, unicode_fits, wrap, write_line

Item = TypeVar("Item")

REDRAW = 0.2  # seconds between two drawings
BAR = (10, 32)  # columns of the bar, least and most
_ERASE = Segments([Segment("\r\x1b[J", None, [(ControlType.CLEAR,)])])  # the line, and what a narrower window made of it
_TO_THE_BEGINNING = Control(ControlType.CARRIAGE_RETURN)


class Progress(RenderHook):
    """Progress of work that is counted in steps: a live bar on a terminal, nothing but :meth:`say` where there is none.

    Everything goes to standard error, so that results on standard output can be piped.

    Args:
        total: how many steps the work has, those before ``start`` included; ``None`` where that is not known.
        unit: what a step works on, in the plural: the bar shows how many of them a second.
        start: the steps that were done before, by a run that is resumed; they say nothing about the pace.
        describe: what is being done.
        console: where to draw; standard error, if none is given.
        keep: leave the bar's last state standing at the end.
        clock: seconds from some fixed moment on.

    Example:
        >>> with Progress(3, "examples", describe="training") as progress:
        ...     for step in range(3):
        ...         progress.advance(step + 1, 64 * (step + 1), {"loss": 0.5 / (step + 1)})
    """

    def __init__(
        self,
        total: int | None,
        unit: str = "examples",
        *,
        start: int = 0,
        describe: str = "",
        console: Console | None = None,
        keep: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = open_console(stderr=True) if console is None else console
        self._live = self._console.is_interactive and not self._console.legacy_windows
        self._total, self._unit, self._describe, self._clock = total, unit, printable(describe), clock
        self._keep = keep
        self._shown: Mapping[str, float | str] = {}
        self._widest: dict[str, int] = {}  # what each column has needed so far: columns must not come and go
        self._open = self._finished = False
        self._replaced: dict[str, Any] = {}  # sys.stderr and sys.stdout, as they were
        self._began = clock()
        self.restart(start)

    def restart(self, start: int) -> None:
        """Set the place from which the work goes on, where it is known only now or where it has been set back."""
        self._pace = Pace()
        self._done = self._sampled = start
        self._units = self._units_sampled = 0
        self._last = self._next = self._seen = self._clock()  # the last sample, the next drawing, the last report
        self._idle = 0.0  # seconds since the last sample that went into something else than steps
        self._warm = False  # whether the first step, which compiles and fills caches, is over

    def __enter__(self) -> Progress:
        self._began = self._clock()
        self.restart(self._done)
        if self._live:
            self._open = True
            self._console.push_render_hook(self)
            self._catch_prints()
            self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._open:
            return
        self._open, self._finished = False, True
        for name, stream in self._replaced.items():
            getattr(sys, name).flush()
            setattr(sys, name, stream)
        self._console.pop_render_hook()
        self._print(_ERASE, *([self._line(), Text("\n", end="")] if self._keep else []))

    def advance(self, steps_done: int, units: int, shown: Mapping[str, float | str]) -> None:
        """Report where the work stands. Cheap: the bar is drawn a few times a second, however often this is called.

        A report of a step that has been reported before comes from an evaluation, and its time is not the steps' time.

        Args:
            steps_done: the steps done so far, those before ``start`` included.
            units: the units of work done so far.
            shown: what to show beside the bar, the most important first; an empty mapping leaves what was shown.
        """
        if not self._open:
            return
        now = self._clock()
        idle = steps_done == self._done
        if idle:
            self._pause_from(self._seen, now)
        self._seen, self._done, self._units = now, steps_done, units
        if shown:
            self._shown = shown
        if now >= self._next:
            if not idle:
                self._sample(now)
            self._draw()
            self._next = self._clock() + REDRAW

    def say(self, text: str) -> None:
        """Write a permanent line, above the bar where there is one."""
        if self._live:
            lines = printable(text, keep="\n\t").split("\n")
            wrapped = [wrap(line, self._console.width, indent=2 + _margin(line)) for line in lines]
            self._print(Text("\n".join(wrapped)), soft_wrap=True)
        else:
            write_line(self._console.file, text)

    @contextmanager
    def pause(self, what: str) -> Iterator[None]:
        """Do something else inside a ``with`` block, such as an evaluation: it does not count as slow steps."""
        described, self._describe = self._describe, printable(what)
        began, idle = self._clock(), self._idle
        self._pause_from(began, began)
        self._draw()
        try:
            yield
        finally:
            self._seen = self._clock()
            self._idle = idle + self._seen - began
            self._describe = described

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Put what is printed above the bar. For rich, which calls this whenever the console prints."""
        return [_ERASE, *renderables, self._line(), _TO_THE_BEGINNING]

    def _pause_from(self, began: float, now: float) -> None:
        """Count the time from ``began`` as a pause; the sample ends where it begins."""
        if not self._idle:
            self._sample(began)
        self._idle += now - began

    def _sample(self, now: float) -> None:
        """Close the sample that runs since the last one."""
        steps = self._done - self._sampled
        if steps == 0:
            return
        if self._warm and steps > 0:  # fewer than before: the work was rolled back
            if self._idle:
                self._pace.add_pause(self._idle)
            self._pace.add(now - self._last - self._idle, steps, self._units - self._units_sampled)
        self._warm = True
        self._last, self._idle, self._sampled, self._units_sampled = now, 0.0, self._done, self._units

    def _draw(self) -> None:
        if self._open:
            self._print(Control())

    def _print(self, *what: Any, soft_wrap: bool = False) -> None:
        """Print to the terminal; one that has gone away does not stop the work."""
        try:
            self._console.print(*what, sep="", end="\n" if soft_wrap else "", soft_wrap=soft_wrap)
        except OSError:
            self._live = False

    def _catch_prints(self) -> None:
        """Let what others print to this terminal, warnings above all, stand above the bar."""
        for name in ("stderr", "stdout"):
            stream = getattr(sys, name)
            if isinstance(stream, FileProxy) or not _same_terminal(stream, self._console.file):
                continue
            self._replaced[name] = stream
        for name, stream in self._replaced.items():
            setattr(sys, name, FileProxy(self._console, stream))

    def _line(self) -> Text:
        """The bar and as many columns as fit, on one line that is narrower than the terminal."""
        room = self._console.width - 2  # a blank for the cursor to stand on, and the last column, in which some terminals wrap
        columns = {name: text for name, text in self._columns().items() if text.plain}
        for name, text in columns.items():
            blanks = self._widest[name] = max(self._widest.get(name, 0), text.cell_len)
            pad = text.pad_left if name == "percent" else text.pad_right
            pad(blanks - text.cell_len)
        widths = {name: text.cell_len for name, text in columns.items()}
        if self._total is not None:
            widths["bar"] = BAR[0]
        first = [name for name in columns if name.startswith("shown 0")]
        taken: list[str] = []
        for name in dict.fromkeys(["percent", "left", *first, "describe", "bar", "rate", *columns]):
            needed = widths.get(name, room) + 2 * bool(taken)
            if needed <= room:
                taken.append(name)
                room -= needed
            elif name == "percent":
                return Text("", end="")
        if "bar" in taken:
            columns["bar"] = self._bar(min(BAR[1], BAR[0] + room))
        line = Text("  ", end="", no_wrap=True).join(
            columns[name] for name in dict.fromkeys(["describe", "percent", "bar", "rate", "left", *columns]) if name in taken
        )
        return Text(" ", end="", no_wrap=True).append_text(line)

    def _columns(self) -> dict[str, Text]:
        """All that could be shown beside the bar, by name."""
        columns = {"describe": Text(self._describe, "bold")}
        if self._total is None:
            columns["percent"] = Text(f"{self._done:,}")
        else:
            columns["percent"] = Text(f"{math.floor(100 * self._share())} %")
            self._widest["percent"] = 5
        rate = self._pace.units_per_second()
        if rate is not None:
            columns["rate"] = Text(f"{short_number(rate)} {self._unit}/s", "dim")
        columns["left"] = Text(self._time())
        for place, (name, value) in enumerate(self._shown.items()):
            text = value if isinstance(value, str) else short_number(value)
            columns[f"shown {place} {name}"] = Text.assemble((printable(f"{name} " if name else ""), "dim"), printable(text))
        return columns

    def _share(self) -> float:
        return min(1.0, max(0.0, self._done / self._total)) if self._total else 1.0

    def _time(self) -> str:
        if self._finished:
            return f"in {duration(self._clock() - self._began)}"
        if self._total is None:
            return ""
        left = self._pace.seconds_left(max(0, self._total - self._done))
        return "-:-- left" if left is None else f"{duration(left)} left"

    def _bar(self, width: int) -> Text:
        full, empty = ("━", "─") if unicode_fits(self._console) else ("#", "-")
        done = math.floor(self._share() * width)
        return Text.assemble((full * done, "cyan"), (empty * (width - done), "dim"))


def track(
    iterable: Iterable[Item],
    total: int | None = None,
    describe: str = "",
    *,
    unit: str = "files",
    console: Console | None = None,
) -> Iterator[Item]:
    """The items of an iterable, with a bar on a terminal while they are worked on; the bar is gone afterwards.

    Args:
        iterable: what to go through.
        total: how many items there are; by default ``len(iterable)`` where it has one.
        describe: what is being done.
        unit: what the items are, in the plural.
        console: where to draw; standard error, if none is given.

    Example:
        >>> [item + 1 for item in track([1, 2, 3], describe="adding")]
        [2, 3, 4]
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    with Progress(total, unit, describe=describe, console=console, keep=False) as progress:
        for done, item in enumerate(iterable, 1):
            yield item
            progress.advance(done, done, {})


def _margin(line: str) -> int:
    """The blanks that a line begins with."""
    return len(line) - len(line.lstrip(" "))


def _same_terminal(stream: Any, other: Any) -> bool:
    """Whether both streams write to one terminal."""
    if not is_terminal(stream):
        return False
    try:
        return stream is other or os.path.samestat(os.fstat(stream.fileno()), os.fstat(other.fileno()))
    except (AttributeError, OSError, ValueError):
        return False
