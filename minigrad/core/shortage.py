"""What to say when the memory of a GPU is at its end: which op, how much it wanted, who has the rest, and what costs least.

CuPy says how many bytes it could not get. How many the graph holds is counted here, from the op back along its edges, and the
remedies are reckoned from these numbers: only what would have been enough is proposed, as far as that can be known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from minigrad.core import refusals, tape
from minigrad.core.device import Array, device, device_of, module_for, working_on
from minigrad.errors import OutOfMemoryError

_WANTED = re.compile(r"Out of memory allocating ([\d,]+) bytes")


@dataclass(frozen=True)
class Account:
    """Who has the memory of a GPU, in bytes.

    Attributes:
        where: the GPU.
        wanted: by the op.
        used: by tensors.
        cached: by the pool, for later tensors.
        limit: of the pool; 0 for none.
        others: by other programs.
        total: all that the GPU has.
        graph: of what is used, what the graph behind the op's operands saved.
        batch: the first size of the largest operand; 0 if not known.
        recorded: whether gradients were recorded.
    """

    where: device
    wanted: int
    used: int
    cached: int
    limit: int
    others: int
    total: int
    graph: int
    batch: int
    recorded: bool

    @property
    def room(self) -> int:
        """What this program's tensors can have in all."""
        return min(self.limit or self.total, self.total - self.others)

    @property
    def lacking(self) -> int:
        """What would have to be freed."""
        return max(1, self.used + self.wanted - self.room)


def shortage(where: str, error: Exception, operands: Iterable[Any]) -> OutOfMemoryError | None:
    """The error to raise where CuPy found no memory; ``None`` for errors of another kind.

    Args:
        where: the op.
        error: what CuPy raised.
        operands: Tensors, arrays and others, from which the GPU and the graph are known.
    """
    found = _WANTED.search(str(error))
    if not isinstance(error, MemoryError) or found is None:
        return None
    listed = list(refusals.arrays_of(operands))
    account = _account(int(found[1].replace(",", "")), listed, list(operands))
    got = (
        f"a need of {_size(account.wanted)} where {_size(account.used)} of {_size(account.room)} are used"
        f" and {_size(account.cached)} cached on {account.where}"
    )
    if account.others >= account.total // 20:
        got += f", and other programs hold {_size(account.others)} of it"
    return OutOfMemoryError(where, "memory", "memory for the result", got, "; or ".join(remedies(account)[:2]))


def remedies(account: Account) -> list[str]:
    """What would have been enough, the cheapest first.

    Example:
        >>> gpu = device("cuda")
        >>> remedies(Account(gpu, 100, 900, 0, 0, 0, 960, graph=800, batch=32, recorded=True))[0]
        'Use a batch of at most 30 in place of 32'
    """
    found = []
    if account.limit and account.limit + account.lacking <= account.total - account.others:
        found.append("raise the pool's limit (CUPY_GPU_MEMORY_LIMIT), as the GPU has more")
    elif account.others >= account.lacking:
        found.append(f"end the other programs on {account.where} that nvidia-smi shows")
    if account.cached >= account.lacking:
        found.append(f"call minigrad.cuda.empty_cache(), which frees the {_size(account.cached)} that are cached")
    batch = _fitting(account)
    if batch:
        found.append(f"use a batch of at most {batch} in place of {account.batch}")
    if account.recorded and account.graph >= account.lacking:
        held = _size(account.graph)
        found.append(f"compute inside minigrad.no_grad(), if no backward follows: the graph holds {held}")
        found.append("wrap parts of the network in minigrad.utils.checkpoint.checkpoint, which computes them twice")
    kept = account.used - account.graph
    if kept >= account.lacking:
        words = f"delete tensors that are not needed: {_size(kept)} are held by others than this op's graph"
        found.append(f"{words}; a loss kept for a list holds its graph, loss.item() does not")
    found.append("work in parts, or in a smaller dtype")
    return [words[0].upper() + words[1:] if place == 0 else words for place, words in enumerate(found)]


def _fitting(account: Account) -> int:
    """The largest batch at which this op would have had its memory; 0 if none, or if the batch is not to blame."""
    by_batch = account.graph + account.wanted
    fixed = account.used - account.graph
    if account.batch < 2 or by_batch < account.lacking:
        return 0
    return max(0, min(account.batch - 1, account.batch * (account.room - fixed) // by_batch))


def _account(wanted: int, arrays: list[Array], operands: list[Any]) -> Account:
    on_gpu = [array for array in arrays if device_of(array).type != "cpu"]
    where = device_of(on_gpu[0]) if on_gpu else working_on()
    xp = module_for(where)
    with xp.cuda.Device(where.index or 0) as gpu:
        pool = xp.get_default_memory_pool()
        used, all_of_pool = int(pool.used_bytes()), int(pool.total_bytes())
        limit, (free, total) = int(pool.get_limit()), gpu.mem_info
    largest = max(on_gpu, key=lambda array: array.nbytes, default=None)
    batch = int(largest.shape[0]) if largest is not None and largest.ndim > 1 else 0
    graph = _held_by_graph([each for each in operands if isinstance(each, tape.Tensor)])
    others = max(0, int(total) - int(free) - all_of_pool)
    return Account(
        where, wanted, used, all_of_pool - used, limit, others, int(total), min(graph, used), batch, bool(tape.mode.grad)
    )


def _held_by_graph(tensors: list[Any]) -> int:
    """Bytes of all that the nodes saved from which these tensors came, each memory once; leaves do not count."""
    nodes, stack, memory = set(), [tensor._node for tensor in tensors if tensor._node is not None], dict[int, int]()
    while stack:
        node = stack.pop()
        if id(node) in nodes:
            continue
        nodes.add(id(node))
        stack += [edge[0] for edge in node.edges if edge is not None and isinstance(edge[0], tape.Function)]
        for kept, *_ in node._saved if isinstance(node._saved, list) else ():
            if isinstance(kept, tape.Tensor) and kept._node is None and kept._requires_grad:
                continue  # a parameter
            array = kept.array if isinstance(kept, tape.Tensor) else kept
            if hasattr(array, "nbytes"):
                base = array if getattr(array, "base", None) is None else array.base
                memory[id(base)] = int(base.nbytes) if hasattr(base, "nbytes") else int(array.nbytes)
    return sum(memory.values())


def _size(count: int) -> str:
    """Bytes for a reader."""
    number, unit = float(count), "bytes"
    for larger in ("KB", "MB", "GB"):
        if number < 1024:
            break
        number, unit = number / 1024, larger
    return f"{count} bytes" if unit == "bytes" else f"{number:.1f} {unit}"


refusals.shortage = shortage
