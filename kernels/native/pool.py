"""The threads that share a kernel's parts, written as kernels themselves: no lock of Python's interpreter stands in their way.

A *board* of int64 is all that they share. The caller writes a job on it and publishes a ticket: the number of the job's round,
and the next part to be taken. Every thread, the caller too, takes parts by raising the ticket until none is left; so a thread
that the system holds up delays no more than the part it is in. A helper without work looks at the ticket for about a
millisecond, then sleeps on a lock of Python's (a semaphore, which needs no interpreter), where it takes no processor.

Why nothing is lost, and nothing done twice
-------------------------------------------
Every word that two threads may touch at once is read and written by atomic operations in one order that all threads agree on
("sequentially consistent"); the few nanoseconds that weaker ones would save are not worth the proof. Five places need it:

* **A job is read whole.** The caller closes the ticket, writes the job, opens the ticket. A helper reads the ticket, then the
  job, then swaps the ticket for the next one. If the job changed in between, so did the ticket, and the swap fails: the
  round rises with each job, so that an old ticket never comes back (2^43 rounds: months of nothing but launches).
* **A part is done once**, by the one thread whose swap succeeded.
* **The caller goes on only when every part is done**: the thread that did a part adds one to FINISHED after it, and what it
  wrote before that is seen by who reads the count. So no helper is still inside a job whose memory the caller takes back.
* **No wake-up of a helper is lost.** The helper writes SLEEPING, then looks at the ticket once more; the caller writes the
  ticket, then looks at SLEEPING. One of them must see the other's. Whoever turns SLEEPING from 1 to 0 decides: the helper
  itself stays awake; anyone else owes it exactly one release of its lock, which it then waits for.
* **No wake-up of the caller is lost**, by the same two words the other way round: MAIN's SLEEPING and FINISHED. A late helper
  may wake the caller in the middle of its next job; it looks at FINISHED again and goes back to waiting.

``tests/test_native_schedule.py`` runs these very lines under all schedules with a few interruptions.

One caller at a time has the helpers (BUSY). Another that comes meanwhile, from another thread of Python's, does not wait: it
does its parts itself. The results are the same, because parts do not depend on who does them.
"""

from __future__ import annotations

from minigrad.kernels.native.language import (
    Ints,
    atomic_add,
    atomic_load,
    atomic_store,
    atomic_swap,
    breathe,
    helper,
    invoke,
    kernel,
    offset,
    wait_for,
    wake,
)

# Places on the board, 8 apart where threads write: each has a line of the cache of its own.
TICKET, FINISHED, BUSY, JOB, SETTINGS, MAIN, WORKERS = 0, 8, 16, 24, 32, 40, 48
CODE, ARGUMENTS, PARTS = (JOB + i for i in range(3))
ACQUIRE, RELEASE, PATIENCE, HELPERS = (SETTINGS + i for i in range(4))
SLEEPING, LOCK = 0, 1  # of MAIN, and of each worker
WORKER_SIZE = 8
ROUND = 1 << 20  # a ticket is ROUND * round + next part
CLOSED = ROUND - 1  # in place of the next part: a job is being written
MOST_PARTS = ROUND - 2


def board_size(helpers: int) -> int:
    """How many int64 a board for so many helpers has.

    Example:
        >>> board_size(1) - board_size(0) == WORKER_SIZE
        True
    """
    return WORKERS + WORKER_SIZE * helpers


@helper
def is_new(ticket, seen):
    """Whether a ticket is of an open round that has not been looked at."""
    return ticket // ROUND != seen and ticket % ROUND != CLOSED


@helper
def take_parts(board, job_round):
    """Take and do parts of a round until none is left."""
    while True:
        ticket = atomic_load(offset(board, TICKET))
        part = ticket % ROUND
        code = atomic_load(offset(board, CODE))
        arguments = atomic_load(offset(board, ARGUMENTS))
        parts = atomic_load(offset(board, PARTS))
        if ticket // ROUND != job_round or part >= parts:
            return
        if atomic_swap(offset(board, TICKET), ticket, ticket + 1):
            invoke(code, arguments, part, parts)
            if atomic_add(offset(board, FINISHED), 1) + 1 == parts and atomic_swap(offset(board, MAIN + SLEEPING), 1, 0):
                wake(board[RELEASE], board[MAIN + LOCK])


@kernel
def serve(board: Ints, worker: int, part: int, parts: int) -> None:
    """A helper's life, which ends with the process: wait for a round, do parts of it, wait again."""
    mine = WORKERS + WORKER_SIZE * worker
    seen = 0
    while True:
        needed = worker < atomic_load(offset(board, HELPERS))
        patience = board[PATIENCE] if needed else 0
        ticket = atomic_load(offset(board, TICKET))
        while patience > 0 and not is_new(ticket, seen):
            breathe()
            patience -= 1
            ticket = atomic_load(offset(board, TICKET))
        if is_new(ticket, seen):
            seen = ticket // ROUND
            if needed:
                take_parts(board, seen)
        else:
            atomic_store(offset(board, mine + SLEEPING), 1)
            ticket = atomic_load(offset(board, TICKET))
            if not is_new(ticket, seen) or not atomic_swap(offset(board, mine + SLEEPING), 1, 0):
                wait_for(board[ACQUIRE], board[mine + LOCK])


@kernel
def divide(board: Ints, code: int, arguments: int, count: int, part: int, parts: int) -> None:
    """Run a kernel's ``count`` parts on all threads and come back when all are done."""
    helpers = min(atomic_load(offset(board, HELPERS)), count - 1)
    if helpers < 1 or not atomic_swap(offset(board, BUSY), 0, 1):
        for each in range(count):
            invoke(code, arguments, each, count)
        return
    job_round = atomic_load(offset(board, TICKET)) // ROUND + 1
    atomic_store(offset(board, TICKET), job_round * ROUND + CLOSED)
    atomic_store(offset(board, CODE), code)
    atomic_store(offset(board, ARGUMENTS), arguments)
    atomic_store(offset(board, PARTS), count)
    atomic_store(offset(board, FINISHED), 0)
    atomic_store(offset(board, TICKET), job_round * ROUND)
    for worker in range(helpers):
        theirs = WORKERS + WORKER_SIZE * worker
        if atomic_swap(offset(board, theirs + SLEEPING), 1, 0):
            wake(board[RELEASE], board[theirs + LOCK])
    take_parts(board, job_round)
    patience = board[PATIENCE]
    while atomic_load(offset(board, FINISHED)) != count:
        breathe()
        patience -= 1
        if patience < 0:
            patience = board[PATIENCE]
            atomic_store(offset(board, MAIN + SLEEPING), 1)
            done = atomic_load(offset(board, FINISHED)) == count
            if not done or not atomic_swap(offset(board, MAIN + SLEEPING), 1, 0):
                wait_for(board[ACQUIRE], board[MAIN + LOCK])
    atomic_store(offset(board, BUSY), 0)
