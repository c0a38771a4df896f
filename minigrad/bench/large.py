"""Sizes at which kernels divide their work: what the laboratory's cases, which the slow reference does whole, do not reach.

An implementation is called once at a size that ``minigrad bench`` times, and a piece of each result is held to the reference.
"""

from __future__ import annotations

import time
from collections.abc import Collection

import numpy as np

from minigrad.bench.families import ops, timed
from minigrad.bench.op import Op
from minigrad.bench.turns import Inputs, of_implementation
from minigrad.kernels import contract_of, functions_of, implementations, use
from minigrad.kernels.laboratory import Doing, Progress
from minigrad.kernels.verdict import Failure

PATIENCE = 5.0  # seconds; what would take longer is not asked
ABOUT = {
    "large": f"pieces of results at sizes that minigrad bench times, of what takes no more than {PATIENCE:g} seconds there"
}
ENOUGH = 1 << 22  # bytes that a large op goes through: more than a core's cache holds, and work for several threads
QUICK = 5e-3  # seconds; a small call that takes less is mostly overhead, and tells nothing of a large one


def check(
    family: str,
    name: str,
    progress: Progress = lambda done, total: None,
    doing: Doing = lambda words: None,
    broken: Collection[str] = (),
) -> tuple[int, list[Failure]]:
    """Call each function once at a large size, in float32.

    Args:
        family: such as ``"conv2d"``.
        name: one of its implementations that runs here; the reference itself is not asked.
        progress: is told how many functions are done, and how many there are.
        doing: is told what is asked next, before it is.
        broken: functions known to fail; neither they are asked, nor what is called with their results.

    Returns:
        how many calls there were, and those whose results are wrong.

    Example:
        >>> check("sums", "vectorised")
        (1, [])
    """
    calls, rng = 0, np.random.default_rng(0)
    failures: list[Failure] = []
    if name == "reference" or family not in timed():
        return calls, failures
    found = large_ops(family, name)
    for number, op in enumerate(found):
        progress(number, len(found))
        doing(f"large: {op.own} of {name}: {op.shape} ({number + 1} of {len(found)})")
        if op.own in broken or seconds(op, name, rng) > PATIENCE:
            continue
        contender = of_implementation(op, name, contract_of(family), Inputs(op, np.dtype(np.float32), rng))
        with contender.around():
            try:
                [call] = contender.prepare(1)
            except (Exception, SystemExit):
                if not broken:
                    raise
                continue
            words = contender.check([call()])
        calls += 1
        if words:
            failures.append(Failure("large", op.own, op.shape, words.removesuffix(".")))
    return calls, failures


def large_ops(family: str, name: str) -> list[Op]:
    """For each function that an implementation has itself the smallest large op, one of the short table if there is one."""
    own, there = implementations(family)[name].functions, functions_of(family, name)
    found: dict[str, Op] = {}
    for op in sorted(ops(family), key=lambda op: (op.bytes >= ENOUGH, op.brief, -op.bytes)):  # the last one is the best
        if hasattr(there, op.own) and (not own or op.own in own):
            found[op.own] = op
    return list(found.values())


def seconds(op: Op, name: str, rng: np.random.Generator) -> float:
    """How long a large call might take, by small ones and by the numbers that both go through."""
    contract, small = contract_of(op.family), op.small(rng, np.dtype(np.float32))
    spent = []
    with use(**{op.family: name}):
        try:
            given = small if op.before is None else op.before(contract, small)
            for _ in range(2):  # the first one may compile
                start = time.perf_counter()
                getattr(contract, op.function)(*given.args, **given.kwargs, **op.asked)
                spent.append(time.perf_counter() - start)
        except (Exception, SystemExit):  # it fails at the large size too, and is told of it there
            return 0.0
    if min(spent) < QUICK:
        return 0.0
    return min(spent) * op.draw(rng, np.dtype(np.float32)).nbytes() / max(1, small.nbytes())
