"""How much memory a training step needs: ours and PyTorch's, each in a process of its own.

    python -m minigrad.benchmarks.memory small-cnn resnet20 [--set batch=16] [--json]

The figure is the highest resident memory of a process that made a workload and ran five steps, less the highest after its
imports and a step of a few numbers, for which a library loads what it loads at its first use. Weights, optimiser state and
batches are in it, for both. Each runs twice, and the second counts: in the first, ours may have to compile its kernels.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from minigrad.benchmarks import WORKLOADS, load, sizes_of
from minigrad.benchmarks.fresh import told_by
from minigrad.errors import ArgumentError, MinigradError

STEPS = 5
LIBRARIES = ("minigrad", "torch")


def told(key: str, root: Path = Path("/")) -> int | None:
    """Bytes that Linux tells of this process's memory under ``key``, such as ``VmHWM``; ``None`` where it does not."""
    try:
        status = (root / "proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(f"{key}:")), None)


def _highest(root: Path = Path("/")) -> int:
    """Bytes: the highest resident memory of this process so far.

    Linux hands the figure of ``getrusage`` down from the process that started this one, and so its own account comes first.

    Raises:
        ArgumentError: a system that does not tell.
    """
    found = told("VmHWM", root)
    if found is not None:
        return found
    try:
        import resource
    except ImportError:
        raise ArgumentError("benchmarks.memory", "system", "one that tells a process's highest memory", sys.platform) from None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def here(name: str, library: str, sizes: dict[str, int]) -> int:
    """Bytes that the steps of a workload add to this process; it must be a fresh one."""
    module, workload = importlib.import_module(library), load(name)
    workload.make(module, **{**workload.sizes, **workload.small})()
    before = _highest()
    step = workload.make(module, **sizes)
    for _ in range(STEPS):
        step()
    return _highest() - before


def peak(name: str, library: str, sizes: dict[str, int]) -> int:
    """Bytes that a workload's steps need beyond what the libraries need by themselves.

    Args:
        name: of the workload.
        library: ``"minigrad"`` or ``"torch"``.
        sizes: of the workload, all of them.

    Raises:
        ArgumentError: the library is not there, or a step failed.
    """
    words = ["--here", library, name, *(part for size in sizes.items() for part in ("--set", "{}={}".format(*size)))]
    for _ in range(2):
        found = told_by("memory", words, "library", f"{library}, running {name}")
    return int(found[-1])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="*", help="default: all")
    parser.add_argument("--set", action="append", default=[], metavar="SIZE=NUMBER", help="another size: batch=16")
    parser.add_argument("--json", action="store_true", help="print JSON, in bytes")
    parser.add_argument("--here", choices=LIBRARIES, help="run the steps of one workload in this process, and print its bytes")
    options = parser.parse_args(arguments)
    try:
        chosen = {name: sizes_of(load(name), options.set) for name in options.workload or WORKLOADS}
        if options.here:
            print(*[here(name, options.here, sizes) for name, sizes in chosen.items()])
            return
        found = {name: {library: peak(name, library, sizes) for library in LIBRARIES} for name, sizes in chosen.items()}
    except MinigradError as error:
        parser.error(str(error))
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'':20}{'minigrad':>12}{'PyTorch':>12}{'minigrad / PyTorch':>22}")
    for name, bytes_of in found.items():
        ours, theirs = (bytes_of[library] / 1e6 for library in LIBRARIES)
        print(f"{name:20}{ours:9.1f} MB{theirs:9.1f} MB{ours / max(theirs, 1e-9):22.2f}")


if __name__ == "__main__":
    main()
