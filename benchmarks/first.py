"""How long the first training step of a process takes: where no kernel is compiled yet, and where all are.

    python -m minigrad.benchmarks.first small-cnn resnet20

Each is a step at the workload's own sizes in a process of its own; imports and the making of the network and of its first batch
are not in it. The cache of compiled kernels is a folder that is empty at first, and as the first process left it afterwards.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time

import minigrad
from minigrad.benchmarks import WORKLOADS, load
from minigrad.benchmarks.fresh import told_by
from minigrad.errors import MinigradError

COLD, WARM = 10.0, 1.0  # seconds: at most


def here(name: str) -> float:
    """Seconds of a workload's first step in this process; it must be a fresh one."""
    workload = load(name)
    step = workload.make(minigrad, **workload.sizes)
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def first_steps(name: str) -> tuple[float, float]:
    """Seconds of the first step with an empty cache, and with a full one.

    Raises:
        ArgumentError: a step failed.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            words = told_by("first", ["--here", name], "workload", f"{name}, which runs", {"MINIGRAD_CACHE": folder})
            found.append(float(words[-1]))
    return found[0], found[1]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="*", help="default: all")
    parser.add_argument("--here", action="store_true", help="run the first step of one workload in this process")
    options = parser.parse_args(arguments)
    names = options.workload or list(WORKLOADS)
    well = True
    try:
        for name in names:
            load(name)
        if options.here:
            print(*[here(name) for name in names])
            return 0
        print(f"{'first step, seconds':20}{'empty cache':>14}{'full cache':>14}    at most {COLD:g} and {WARM:g}")
        for name in names:
            cold, warm = first_steps(name)
            missed = cold > COLD or warm > WARM
            well &= not missed
            print(f"{name:20}{cold:14.2f}{warm:14.2f}{'    missed' * missed}", flush=True)
    except MinigradError as error:
        parser.error(str(error))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
