"""The threads that share a kernel's parts, written as kernels themselves: no lock of Python's interpreter stands in their way.

A *board* of int64 is all that they share. The caller writes a job on it and publishes a ticket: the number of the job's round, and the
next part to be taken. Every thread, the caller too, takes parts by raising the ticket until none is left; so a thread that the
system holds up delays no more than the part it is in. A helper without work looks at the ticket for some microseconds, then sleeps on a
lock of Python's (a semaphore, which needs no interpreter).

The ticket changes twice a job: it is closed before the job is written and opened after. A helper that wakes late, with the ticket of
an earlier round in its hand, cannot take a part of a job that it has not read: its swap fails.
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
)  # fmt: skip

# Places on the board, 8 apart, so that each has a line of the cache of its own where threads write.
TICKET, FINISHED, BUSY, JOB, MAIN, WORKERS = 0, 8, 16, 24, 40, 48
CODE, ARGUMENTS, PARTS, ACQUIRE, RELEASE, PATIENCE, HELPERS = (JOB + i for i in range(7))
SLEEPING, LOCK = 0, 1  # of MAIN, and of each worker
WORKER_SIZE = 8
ROUND = 1 << 32  # a ticket is ROUND * round + next part
CLOSED = ROUND - 1
STOP = -1


def board_size(helpers: int) -> int:
    """How many int64 a board has."""
    return WORKERS + WORKER_SIZE * max(1, helpers)


@helper
def take_parts(board, ticket):
    """Take and do parts of the ticket's round until none is left."""
    job_round = ticket // ROUND
    while True:
        ticket = atomic_load(offset(board, TICKET))
        if ticket // ROUND != job_round:
            return
        part = ticket % ROUND
        code, arguments, parts = board[CODE], board[ARGUMENTS], board[PARTS]
        if part >= parts:
            return
        if atomic_swap(offset(board, TICKET), ticket, ticket + 1):
            invoke(code, arguments, part, parts)
            if atomic_add(offset(board, FINISHED), 1) + 1 == parts and atomic_swap(offset(board, MAIN), 1, 0):
                wake(board[RELEASE], board[MAIN + LOCK])


@kernel
def serve(board: Ints, worker: int, part: int, parts: int) -> None:
    """A helper's life: wait for a round, do parts of it, wait again; until the ticket says to stop."""
    mine = WORKERS + WORKER_SIZE * worker
    seen = 0
    while True:
        ticket = atomic_load(offset(board, TICKET))
        spins = 0
        while (ticket // ROUND == seen or ticket % ROUND == CLOSED) and spins < board[PATIENCE]:
            breathe()
            spins += 1
            ticket = atomic_load(offset(board, TICKET))
        if ticket == STOP:
            return
        if ticket // ROUND != seen and ticket % ROUND != CLOSED:
            seen = ticket // ROUND
            take_parts(board, ticket)
            continue
        atomic_store(offset(board, mine + SLEEPING), 1)
        ticket = atomic_load(offset(board, TICKET))
        fresh = ticket == STOP or (ticket // ROUND != seen and ticket % ROUND != CLOSED)
        if not (fresh and atomic_swap(offset(board, mine + SLEEPING), 1, 0)):
            wait_for(board[ACQUIRE], board[mine + LOCK])


@kernel
def divide(board: Ints, code: int, arguments: int, count: int, part: int, parts: int) -> None:
    """Run a kernel's ``count`` parts on all threads and come back when all are done."""
    if count < 2 or board[HELPERS] == 0 or not atomic_swap(offset(board, BUSY), 0, 1):  # the threads do another caller's work
        for each in range(count):
            invoke(code, arguments, each, count)
        return
    job_round = atomic_load(offset(board, TICKET)) // ROUND + 1
    atomic_store(offset(board, TICKET), job_round * ROUND + CLOSED)
    board[CODE], board[ARGUMENTS], board[PARTS] = code, arguments, count
    atomic_store(offset(board, FINISHED), 0)
    job_round += 1
    atomic_store(offset(board, TICKET), job_round * ROUND)
    for worker in range(min(board[HELPERS], count - 1)):
        mine = WORKERS + WORKER_SIZE * worker
        if atomic_swap(offset(board, mine + SLEEPING), 1, 0):
            wake(board[RELEASE], board[mine + LOCK])
    take_parts(board, job_round * ROUND)
    spins = 0
    while atomic_load(offset(board, FINISHED)) != count:
        breathe()
        spins += 1
        if spins > board[PATIENCE]:
            atomic_store(offset(board, MAIN), 1)
            finished = atomic_load(offset(board, FINISHED)) == count
            if not (finished and atomic_swap(offset(board, MAIN), 1, 0)):
                wait_for(board[ACQUIRE], board[MAIN + LOCK])
            spins = 0
    atomic_store(offset(board, BUSY), 0)
