"""Which kernels are launched: every family's ``gpu.py`` lists its own, so that a table can be held against what there is."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from minigrad.errors import KernelError
from minigrad.kernels import registry
from minigrad.kernels.cuda.launch import Program
from minigrad.kernels.cuda.source import FAMILIES


class Instance(NamedTuple):
    """A kernel as it is launched.

    Attributes:
        program: the file that it stands in.
        kernel: the expression that names it, with its template's parameters.
        threads: of a block.
        shared: bytes of dynamic shared memory of a block.
    """

    program: Program
    kernel: str
    threads: int
    shared: int


def families() -> list[str]:
    """The families that have CUDA kernels.

    Example:
        >>> "random" in families()
        True
    """
    return sorted(path.parent.name for path in FAMILIES.glob("*/gpu.py"))


def instances(family: str) -> list[Instance]:
    """The kernels that a family launches: those of its ``gpu.py``, and of what else is made for GPUs and chosen by name.

    Raises:
        KernelError: one of these files lists none, or something else than kernels.

    Example:
        >>> for each in instances("random")[:2]:
        ...     print(each.program.name, each.kernel, each.threads)
        random/philox.cu words 128
        random/philox.cu words_at 128
    """
    names = [one.module for one in registry.TABLE.get(family, {}).values() if one.device == "cuda"]
    modules = [importlib.import_module(name) for name in (f"minigrad.kernels.{family}.gpu", *names)]
    found = [each for one in modules for each in listed(one, f"kernels/{family}/{one.__name__.rpartition('.')[2]}.py")]
    return list(dict.fromkeys(found))


def listed(module: Any, file: str) -> list[Instance]:
    """The kernels that a module lists, by a function ``instances()`` or a list ``INSTANCES``: of each the program, the key by
    which it is asked for, threads of a block, and bytes of dynamic shared memory.

    Raises:
        KernelError: there is neither, or it holds something else.
    """
    given = getattr(module, "instances", getattr(module, "INSTANCES", None))
    rows = given() if callable(given) else given
    if not isinstance(rows, Iterable):
        remedy = "Let instances() give (program, key, threads of a block, bytes of dynamic shared memory) of each"
        raise KernelError("cuda", file, "a function instances() or a list INSTANCES of its kernels", "neither", remedy)
    found = []
    for row in rows:
        if not (isinstance(row, tuple) and len(row) == 4 and isinstance(row[0], Program)):
            raise KernelError(
                "cuda", file, "rows (Program, key, threads of a block, bytes of dynamic shared memory)", repr(row)
            )
        program, key, threads, shared = row
        found.append(Instance(program, program[key].expression, threads, shared))
    return list(dict.fromkeys(found))
