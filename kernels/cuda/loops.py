"""Where a kernel spends its time: the loops of its machine code, and the one that does the work.

A loop is found as in any compiler: by a branch back to a block through which every way to the branch leads, and all blocks from
which that branch is reached (Aho, Lam, Sethi, Ullman: Compilers, 2nd edition, section 9.6). A branch that merely lies behind
its target, as those do that come back from code set aside for rare cases, makes none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from minigrad.kernels.cuda.machine_code import Instruction, Loop

LEAVES = ("EXIT", "RET", "BRX", "JMX", "JMP", "KILL")
USEFUL = {"FFMA": 1, "DFMA": 1, "HMMA": 16, "IMMA": 16, "DMMA": 16}  # and how much more a tensor core does by one
_TARGET = re.compile(r"\.L_x_\d+")


@dataclass
class _Block:
    """Instructions that are done from the first to the last, and the blocks that may follow."""

    first: int
    last: int
    after: list[int] = field(default_factory=list)


def hot_loop(code: Sequence[Instruction]) -> Loop:
    """The loop in which a kernel spends its time, as far as its text tells.

    That is the loop with the most fused multiplications and additions of its own, those of loops inside it not counted; where
    there are none, the one with the most instructions of its own; without any loop the whole kernel.

    Example:
        >>> code = [
        ...     Instruction("MOV"), Instruction("FFMA", labels=(".L_x_0",)), Instruction("LDS.128"),
        ...     Instruction("BRA", "`(.L_x_0)", always=False, line=7), Instruction("EXIT"),
        ... ]
        >>> loop = hot_loop(code)
        >>> loop.line, loop.counts
        (7, {'FFMA': 1, 'LDS.128': 1, 'branch': 1})
    """
    blocks = _blocks(code)
    order, before = _walked(blocks)
    loops = _loops(blocks, order, before)
    if not loops:
        return _told(_of(order, blocks, code), None)
    best, chosen = (-1, -1), loops[0]
    for back, body in loops:
        own = _of(body.difference(*(inner for _, inner in loops if inner < body)), blocks, code)
        weight = (sum(USEFUL.get(one.word, 0) for one in own), len(own))
        if weight > best:
            best, chosen = weight, (back, body)
    back, body = chosen
    return _told(_of(body, blocks, code), code[blocks[back].last])


def _of(members: Iterable[int], blocks: Sequence[_Block], code: Sequence[Instruction]) -> list[Instruction]:
    """The instructions of blocks."""
    spans = (code[blocks[block].first : blocks[block].last + 1] for block in members)
    return [one for span in spans for one in span if one.base != "NOP"]


def _told(code: Sequence[Instruction], back: Instruction | None) -> Loop:
    counts = Counter(one.word for one in code)
    calls = sorted({one.helper for one in code if one.helper})
    line, file = (back.line, back.file) if back else (0, "")
    return Loop(dict(counts.most_common()), sum(one.divides for one in code), tuple(calls), line, file)


def _blocks(code: Sequence[Instruction]) -> list[_Block]:
    """The kernel's blocks, the first of which is its entry."""
    places = {label: at for at, one in enumerate(code) for label in one.labels}
    starts = {0, *places.values(), *(at + 1 for at, one in enumerate(code) if one.base in ("BRA", "CALL", *LEAVES))}
    ordered = sorted(start for start in starts if start < len(code))
    number = {start: index for index, start in enumerate(ordered)}
    blocks = [_Block(start, end - 1) for start, end in zip(ordered, [*ordered[1:], len(code)])]
    for index, block in enumerate(blocks):
        last = code[block.last]
        if last.base in ("BRA", "BRX", "CALL"):  # a call of a label in the kernel is how a far branch is written
            block.after = [number[places[target]] for target in _TARGET.findall(last.operands) if target in places]
        conditional = not last.always or (last.base == "BRA" and not last.operands.startswith("`"))  # predicates come first
        gone = last.base in LEAVES or (last.base in ("BRA", "CALL") and bool(block.after))
        if (conditional or not gone) and index + 1 < len(blocks):
            block.after.append(index + 1)
    return blocks


def _walked(blocks: Sequence[_Block]) -> tuple[list[int], dict[int, list[int]]]:
    """The blocks that are reached, each behind those that lead to it but for loops, and the blocks before each."""
    before: dict[int, list[int]] = {0: []}
    finished: list[int] = []
    todo = [(0, iter(blocks[0].after))] if blocks else []
    while todo:
        block, following = todo[-1]
        for each in following:
            seen = each in before
            before.setdefault(each, []).append(block)
            if not seen:
                todo.append((each, iter(blocks[each].after)))
                break
        else:
            finished.append(block)
            todo.pop()
    return finished[::-1], before


def _loops(blocks: Sequence[_Block], order: Sequence[int], before: dict[int, list[int]]) -> list[tuple[int, frozenset[int]]]:
    """The last block that goes back, and all blocks, of each loop; loops with one beginning are one."""
    dominator = _dominators(order, before)
    found: dict[int, tuple[int, frozenset[int]]] = {}
    for block in order:
        for head in blocks[block].after:
            if _dominates(head, block, dominator):
                back, known = found.get(head, (block, frozenset()))
                found[head] = (max(back, block), known | _body(head, block, before))
    return list(found.values())


def _dominators(order: Sequence[int], before: dict[int, list[int]]) -> dict[int, int]:
    """For each block the nearest other through which every way to it leads (Cooper, Harvey, Kennedy 2001)."""
    rank = {block: place for place, block in enumerate(order)}
    dominator = {block: block for block in order[:1]}
    changed = True
    while changed:
        changed = False
        for block in order[1:]:
            nearest, *others = (one for one in before[block] if one in dominator)
            for other in others:
                while nearest != other:
                    if rank[nearest] > rank[other]:
                        nearest = dominator[nearest]
                    else:
                        other = dominator[other]
            if dominator.get(block) != nearest:
                dominator[block], changed = nearest, True
    return dominator


def _dominates(head: int, block: int, dominator: dict[int, int]) -> bool:
    while block != head and dominator[block] != block:
        block = dominator[block]
    return block == head


def _body(head: int, back: int, before: dict[int, list[int]]) -> frozenset[int]:
    """The blocks from which the one that goes back is reached, without passing the loop's beginning."""
    body, todo = {head, back}, [back]
    while todo:
        one = todo.pop()
        if one != head:
            fresh = [each for each in before[one] if each not in body]
            body.update(fresh)
            todo += fresh
    return frozenset(body)
