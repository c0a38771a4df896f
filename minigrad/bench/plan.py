"""From the words of a command to what is timed: ops of kernel families, training steps, and kernels of the user's own."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from minigrad.bench.families import ops, timed
from minigrad.bench.op import Op
from minigrad.bench.workload import Workload
from minigrad.errors import ArgumentError
from minigrad.kernels import available, default_of, families, implementations, load_file, reason_not_available


@dataclass
class Plan:
    """What a run times.

    Attributes:
        ops: each with the names of the implementations that are timed.
        steps: each with the choices of kernels that it is timed with, and sizes that differ from its own.
    """

    ops: list[tuple[Op, list[str]]] = field(default_factory=list)
    steps: list[tuple[Workload, list[dict[str, str]]]] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)


def plan(
    words: Sequence[str], workloads: Mapping[str, str], *, impl: Sequence[str] = (), shape: str = "",
    sizes: Mapping[str, int] | None = None, device_type: str = "cpu",
) -> Plan:  # fmt: skip
    """What to time.

    Args:
        words: families (``conv2d``), functions (``conv2d.grad_weight``), steps (``small-cnn``), and files that register kernels
            (``mine.py``). Without any: a short table of everything.
        workloads: the steps by name, as ``"module:ATTRIBUTE"``.
        impl: implementations in place of the defaults: ``cpu``, ``conv2d=reference``, or ``all`` that run here.
        shape: a part of the shapes' names: only these ops are timed.
        sizes: sizes of the steps that differ from their own.
        device_type: the kind of device on which it is timed.

    Raises:
        ArgumentError: a word, implementation, shape or size that does not exist.
        KernelError: a file that cannot be loaded, or an implementation that cannot run here.

    Example:
        >>> [(op.name, names) for op, names in plan(["conv2d.forward"], {}, impl=["reference"], shape="H16 -> 64, 3x3").ops]
        [('conv2d.forward', ['reference']), ('conv2d.forward', ['reference'])]
    """
    files = [word for word in words if word.endswith(".py")]
    own: dict[str, list[str]] = {}
    for file in files:
        for family, name in load_file(file):
            own.setdefault(family, []).append(name)
    names = [word for word in words if word not in files]
    found = Plan(sizes=dict(sizes or {}))
    wished = _wished(impl)
    chosen = _chosen_ops(names, workloads, own, shape)
    if shape and not chosen:
        known = dict.fromkeys(op.shape for family in timed() for op in ops(family))
        raise ArgumentError("bench", "--shape", f"a part of one of the shapes {'; '.join(known)}", repr(shape))
    for op in chosen:
        found.ops.append((op, _names(op, wished, own, device_type)))
    for name in names:
        if name in workloads:
            workload: Workload = pkgutil.resolve_name(workloads[name])
            found.steps.append((workload, _choices(wished, own)))
    _check_sizes(found)
    return found


def _chosen_ops(names: Sequence[str], workloads: Mapping[str, str], own: Mapping[str, Sequence[str]], shape: str) -> list[Op]:
    every = {family: ops(family) for family in timed()}
    known = [*every, *dict.fromkeys(op.name for family in every.values() for op in family)]
    chosen: list[Op] = []
    for name in names:
        if name in workloads:
            continue
        if name not in known:
            steps = ", ".join(workloads) or "none"
            expected = f"a kernel family or function ({', '.join(every)}; conv2d.forward), a step ({steps}) or a file.py"
            raise ArgumentError("bench", "what", expected, repr(name))
        chosen += [op for op in every[name.split(".")[0]] if name in (op.family, op.name)]
    if not names:
        chosen = _of_own(every, own, shape) if own else [op for family in every.values() for op in family if op.brief or shape]
    return [op for op in chosen if shape in op.shape]


def _of_own(every: Mapping[str, Sequence[Op]], own: Mapping[str, Sequence[str]], shape: str) -> list[Op]:
    """The functions that the user's files registered, at the shapes of the short table, or those asked for."""
    chosen = []
    for family, names in own.items():
        if family not in every:
            raise ArgumentError("bench", "file", f"a kernel of a family that is timed ({', '.join(every)})", f"one of {family}")
        written = {function for name in names for function in implementations(family)[name].functions}
        timed_here = dict.fromkeys(op.own for op in every[family])
        if not written.intersection(timed_here):
            expected = f"a function of {family} that is timed ({', '.join(timed_here)})"
            raise ArgumentError("bench", "file", expected, f"{', '.join(sorted(written))} alone")
        for function in (each for each in timed_here if each in written):
            of_function = [op for op in every[family] if op.own == function]
            brief = [op for op in of_function if op.brief] or of_function[:1]
            chosen += of_function if shape else brief
    return chosen


def _wished(impl: Sequence[str]) -> list[tuple[str, str]]:
    """(family or ``""``, name) of each wish."""
    wished = []
    for text in impl:
        for part in filter(None, (part.strip() for part in text.split(","))):
            family, equals, name = part.rpartition("=")
            if equals and (family not in families() or not name):
                raise ArgumentError("bench", "--impl", f"NAME or FAMILY=NAME ({', '.join(families())})", repr(part))
            wished.append((family, name))
    return wished


def _names(op: Op, wished: Sequence[tuple[str, str]], own: Mapping[str, Sequence[str]], device_type: str) -> list[str]:
    """The implementations of an op's family that are timed: those wished, else the user's and the default."""
    there = list(implementations(op.family))
    mine = list(own.get(op.family, ()))
    asked = [name for family, name in wished if family in ("", op.family)]
    if "all" in asked:
        return available(op.family, device_type)
    for name in asked:
        reason = reason_not_available(op.family, name, device_type) if name in there else ""
        wrong_place = name in there and not reason and name not in available(op.family, device_type)
        if name not in there or reason or wrong_place:
            got = reason or (f"{name!r}, which takes no arrays on {device_type}" if wrong_place else repr(name))
            raise ArgumentError("bench", "--impl", f"one of {', '.join(there)}, for {op.family}", got)
    default = default_of(op.family, device_type)
    if asked:
        return list(dict.fromkeys([*mine, *asked]))
    return list(dict.fromkeys([*mine, default])) if mine else [default]


def _choices(wished: Sequence[tuple[str, str]], own: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """The choices of kernels that a step is timed with: as wished; with the user's own kernels, and without."""
    choice = {}
    for family, name in wished:
        if not family:
            raise ArgumentError("bench", "--impl", "FAMILY=NAME for a step, which uses several families", repr(name))
        choice[family] = name
        if name not in implementations(family):
            raise ArgumentError("bench", "--impl", f"one of {', '.join(implementations(family))}, for {family}", repr(name))
    mine = {family: names[-1] for family, names in own.items()}
    return [{**choice, **mine}, choice] if mine else [choice]


def _check_sizes(found: Plan) -> None:
    known = {size for workload, _ in found.steps for size in workload.sizes}
    for name, value in found.sizes.items():
        if name not in known:
            expected = f"one of {', '.join(sorted(known))}" if known else "a step to set sizes of"
            raise ArgumentError("bench", "--set", expected, repr(name))
        if value < 1:
            raise ArgumentError("bench", "--set", f"{name} to be 1 or more", str(value))
