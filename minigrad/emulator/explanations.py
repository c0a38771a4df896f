"""For each kind of finding, what happened and what to do, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from minigrad.emulator.library import CFinding

ACCESSES = ("", "reads", "writes", "changes by an atomic operation", "fills by an asynchronous copy")
THREADS_WAIT = {1: "a flag", 2: "__syncthreads", 3: "its warp", 4: "grid_sync"}  # State of runtime/block.hpp
READ, ATOMIC = 1, 3  # Access of runtime/launch.hpp
GLOBAL, SHARED, DYNAMIC, VARIABLE = 1, 2, 3, 4


WORDS = {
    "out of bounds": (
        "the thread {access} {bytes} bytes at {memory}",
        "Guard the access with the size, or launch fewer threads; check how the index is computed",
    ),
    "uninitialised read": (
        "the thread reads {memory}, where nothing was written yet",
        "Write it first, and put a __syncthreads() between if another thread does",
    ),
    "misaligned access": (
        "the thread {access} {bytes} bytes at once at {memory}, which is no multiple of {bytes}",
        "Read and write single elements there, or make rows and offsets multiples of the vector's size",
    ),
    "write through const": (
        "the thread {access} {memory}, which is a const parameter",
        "Take the const away, or write elsewhere: the compiler may keep old values of what is const",
    ),
    "divergent barrier": (
        "threads of one block wait at different calls of __syncthreads()",
        "Call it where all threads of the block come by, outside of conditions that differ between them",
    ),
    "exited at barrier": (
        "threads wait at __syncthreads(), and {lane_count} of their block have returned already",
        "Let every thread reach the barrier: put the work, not the barrier, under the condition",
    ),
    "exited lanes": (
        "the shuffle takes values from lanes {lanes}, which have returned, do not exist or are not in the mask {mask}",
        "Let all lanes stay until here, or take values only from lanes that take part: others give anything",
    ),
    "lane not in mask": (
        "lane {lanes} calls with the mask {mask}, in which it is not",
        "Give a mask that has every lane that calls: __ballot_sync before the branch computes one",
    ),
    "partial warp": (
        "lanes {lanes} have returned or do not exist, and this needs all 32",
        "Launch blocks of whole warps, and keep all lanes until here",
    ),
    "pending copy": (
        "the thread {access} {memory}, to which an asynchronous copy is still under way",
        "Wait for the copy first, with a smaller number of groups left, and then __syncthreads()",
    ),
    "misaligned copy": (
        "an asynchronous copy of {bytes} bytes from or to an address that is no multiple of {bytes}",
        "Copy in smaller pieces, or pad the rows",
    ),
    "bad copy": ("an asynchronous copy to memory that is not shared", "Copy from global to shared memory"),
    "shared memory": (
        "with {name} the kernel declares {size} bytes of shared memory, and {bytes} more are dynamic; {offset} are allowed",
        "Use smaller tiles, or more dynamic shared memory and less other, and set max_dynamic_shared_size_bytes",
    ),
    "assertion": ("the assertion failed: {name}", "See why the condition does not hold there"),
    "trap": ("the kernel called __trap()", "See why it came there"),
    "crash": (
        "the thread used the address {address}, where there is no memory that it may use so",
        "Check how the index is computed, and that a null pointer is not followed",
    ),
    "stack overflow": (
        "the thread's local arrays and calls need more than 128 KB",
        "Make local arrays smaller, or end the recursion",
    ),
    "division by zero": (
        "a whole number is divided by zero",
        "Check the divisor: on a GPU the result would be undefined",
    ),
    "no memory": (
        "there is no memory for the stacks of so many threads, or for what is known of so large arrays",
        "Launch fewer threads",
    ),
    "grid barrier": (
        "grid_sync() in a launch that is not cooperative: blocks run one after another",
        "Launch with cooperative=True",
    ),
}


def of(kind: str, one: CFinding, parameters: Sequence[str], lanes: Callable[[int], str]) -> tuple[str, str]:
    """Explanation and remedy.

    Args:
        kind: one of ``findings.KINDS``.
        one: the runtime's record.
        parameters: the names of the kernel's parameters.
        lanes: how a mask is written.
    """
    memory = where(one, parameters)
    if kind == "race":
        return race(one, memory)
    if kind == "deadlock":
        return deadlock(one, lanes)
    name = text(one.name)
    explanation, remedy = WORDS["misaligned copy" if (kind, name) == ("bad copy", "aligned") else kind]
    values = {
        "access": ACCESSES[one.here.access], "memory": memory, "name": name, "bytes": one.bytes, "size": one.size,
        "mask": f"{one.mask:#010x}", "lanes": lanes(one.lanes), "lane_count": one.lanes,
        "address": f"{one.offset % 2**64:#x}", "offset": one.offset,
    }  # fmt: skip
    return explanation.format_map(values), remedy


def text(name: bytes | None) -> str:
    return "" if name is None else name.decode()


def where(one: CFinding, parameters: Sequence[str]) -> str:
    """Of an address: the array and the place in it."""
    if one.space == GLOBAL:
        known = 0 <= one.argument < len(parameters)
        name = parameters[one.argument] if known else f"array {one.argument - len(parameters)} of reachable"
    elif one.space in (SHARED, DYNAMIC):
        name = f"the shared array {text(one.name)}" if one.space == SHARED else "dynamic shared memory"
    elif one.space == VARIABLE:
        return "a variable of the program"
    else:
        return "a null pointer" if 0 <= one.offset < 4096 else "an address that belongs to no array"
    if 0 <= one.offset < one.size:
        return f"{name}, byte {one.offset} of {one.size}"
    beyond = one.offset - one.size
    outside = f"{beyond} bytes past its end" if beyond >= 0 else f"{-one.offset} bytes before its start"
    return f"{name}, byte {one.offset} of {one.size}: {outside}"


def race(one: CFinding, memory: str) -> tuple[str, str]:
    here, there = ACCESSES[one.here.access], ACCESSES[one.there.access]
    blocks = [tuple(side.block) for side in (one.here, one.there)]
    explanation = f"one thread {here} {memory}, another {there} it, and nothing orders the two"
    if {one.here.access, one.there.access} == {READ, ATOMIC}:
        how = "an atomic access" if one.space in (SHARED, DYNAMIC) else "a volatile or atomic access"
        outcome = "split the kernel in two" if blocks[0] != blocks[1] else "put a __syncthreads() between"
        return (
            f"a plain read beside atomics: {explanation}",
            f"If any value will do, read it by {how}; if it must be the last, {outcome}",
        )
    if blocks[0] != blocks[1]:
        return explanation, "Blocks run in any order: give each its own place, use atomics, or split the kernel in two"
    both_of_one_warp = one.mask != 0
    if both_of_one_warp:
        return (
            explanation,
            "Put a __syncthreads() between, or a __syncwarp() where only one warp comes: its lanes do not run in step",
        )
    return explanation, "Put a __syncthreads() between, or use atomics"


def deadlock(one: CFinding, lanes: Callable[[int], str]) -> tuple[str, str]:
    waiting = THREADS_WAIT[one.argument]
    if waiting == "a flag":
        later = f", and {one.lanes} blocks begin only when others have ended" if one.lanes else ""
        return (f"a thread asks again and again, and no thread is left to change the answer{later}",
                "Let a thread that does not wait set it; only blocks of a cooperative launch all run at once")  # fmt: skip
    if waiting == "its warp":
        absent = lanes(one.mask & ~one.lanes)
        come = f"; lanes {absent} did not come" if absent else ", and others of its lanes wait for something else"
        return (f"a lane waits for lanes {lanes(one.mask)} of its warp{come}",
                "Let all lanes of the mask make the same call, or name in the mask only those that do")  # fmt: skip
    if waiting == "grid_sync":
        return ("threads wait at grid_sync(), and others have returned or wait elsewhere",
                "Let every thread of every block reach grid_sync(), as often as the others")  # fmt: skip
    return ("threads wait at __syncthreads(), and others of their block wait elsewhere",
            "Let every thread of the block reach the same barrier")  # fmt: skip
