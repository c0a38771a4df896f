"""Progress of reading and fetching data, as bars that are gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

Report = Callable[[str, int, int], None]


@contextmanager
def reading(unit: str = "files") -> Iterator[Report]:
    """A function that takes what is being done, how much of it is done, and how much there is of it; and shows it.

    Example:
        >>> with reading() as report:
        ...     report("reading", 1, 2)
        ...     report("reading", 2, 2)
    """
    from minigrad.show.progress import Progress

    with ExitStack() as stack:
        bar: Any = None
        now = ("", 0, 0)

        def report(doing: str, done: int, total: int) -> None:
            nonlocal bar, now
            if bar is None or doing != now[0] or total != now[2]:
                stack.close()
                bar = stack.enter_context(Progress(total, unit, describe=doing, keep=False))
                now = (doing, 0, total)
            bar.advance(done, done, {})
            now = (doing, done, total)

        yield report
