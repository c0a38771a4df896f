"""Batches made ahead of time by threads, in order, a bounded number of them."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue
from typing import Any

END = object()  # what ``make`` returns when there is no more
PATIENCE = 5.0  # seconds for which a pass that was left waits for the samples being made


class _Task:
    """One thing to make, and where what came of it is left."""

    __slots__ = ("_box", "_order")

    def __init__(self, order: Any) -> None:
        self._order = order
        self._box: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def work(self, make: Callable[[Any], Any]) -> None:
        try:
            self._box.put((make(self._order), None))
        except BaseException as error:  # whatever it is, it is the consumer's
            self._box.put((None, error))

    def fail(self, error: BaseException) -> None:
        self._box.put((None, error))

    def made(self) -> Any:
        """What was made, as soon as it is; what the thread raised is raised here."""
        value, error = self._box.get()
        try:
            if error is not None:
                raise error
            return value
        finally:
            del error  # it holds this frame


def ahead(
    workers: int, depth: int, make: Callable[[Any], Any], orders: Iterator[Any], begin: Callable[[], None]
) -> Generator[Any, None, None]:
    """``map(make, orders)`` until ``END``, by threads. What a thread raises is raised here, in its turn.

    The threads hold at most ``depth`` results that nobody has taken. They are daemons, so that one that is stuck in a sample
    keeps neither Ctrl-C nor the interpreter's exit waiting; when a pass is left, the samples being made are waited for, but
    not for ever.

    Args:
        workers: the number of threads.
        depth: how many are begun before the first is taken.
        make: makes one; called in a thread.
        orders: what is to be made, taken from in the caller's thread.
        begin: called first in each thread.
    """
    tasks: SimpleQueue[_Task | None] = SimpleQueue()
    stopped = threading.Event()

    def run() -> None:
        failure = None
        try:
            begin()
        except BaseException as error:  # as above
            failure = error
        while (task := tasks.get()) is not None and not stopped.is_set():
            if failure is None:
                task.work(make)
            else:
                task.fail(failure)
            del task  # a batch is freed when its consumer drops it

    threads = [threading.Thread(target=run, name=f"minigrad-loader-{i}", daemon=True) for i in range(workers)]
    coming: deque[_Task] = deque()

    def order(count: int) -> None:
        for wanted in itertools.islice(orders, count):
            coming.append(_Task(wanted))
            tasks.put(coming[-1])

    patience = PATIENCE
    try:
        for thread in threads:
            thread.start()
        order(depth)
        while coming:
            made = coming.popleft().made()
            if made is END:
                break
            order(1)
            yield made
            del made
    except (KeyboardInterrupt, SystemExit):
        patience = 0.0
        raise
    finally:
        stopped.set()
        for _ in threads:
            tasks.put(None)
        deadline = time.monotonic() + patience
        for thread in threads:
            # The collector may close this in one of the threads. While the interpreter ends they stand still for good.
            if thread.ident is not None and thread is not threading.current_thread() and not sys.is_finalizing():
                thread.join(max(0.0, deadline - time.monotonic()))


__all__ = ["END", "ahead"]
