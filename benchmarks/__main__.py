"""All workloads beside PyTorch: the table that the README quotes.

    python -m minigrad.benchmarks [NAME ...] [--batch 16 --batch 256] [--parts steps,batches,shapes,threads,memory] [--json]

Each row comes from ``minigrad bench NAME --against torch`` in a process of its own, so what that refuses is refused here. The
ratio is PyTorch's time over ours (above 1: we are faster), of medians of pairs that were timed in turn; PyTorch has the better
of one and two threads and of its memory layouts. The spread is that of ours and of PyTorch's rounds: the middle half of them,
from end to end, as a share of the median.

- steps: the workloads at their own sizes.
- batches: those with a batch, at other ones.
- shapes: the three convolutions of each 3x3 shape, and an LSTM of 512, with the share that they reach of this machine's best
  matrix product: by the rung that multiplies every term, as the default, Winograd's, has no such share.
- threads: kernels that have more to compute than to move, with one thread and with two, in those moments in which a plain
  product, the control, gains 1.85 (``threads.py``); the column has what it gained in the median of all moments.
- memory: the highest resident memory of five steps, ours over PyTorch's.

Exit code: 0 where all that is required is reached, 1 where something is not, or could not be trusted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from minigrad.bench.peers import absent
from minigrad.benchmarks import REQUIRED, WORKLOADS, load
from minigrad.benchmarks.memory import LIBRARIES, peak
from minigrad.benchmarks.threads import gains
from minigrad.errors import MinigradError

PARTS = ("steps", "batches", "shapes", "threads", "memory")
BATCHES = (16, 256)
AT_ANY_BATCH = 1.0  # required
LEAST_SHAPES = ("C16 H32 -> 16", "C32 H32 -> 32", "C64 H16 -> 64", "C128 H16 -> 128", "C256 H16 -> 256")
LSTM = "T50 B50 D512 H512"
SHARES = {  # of the machine's best product: the goal
    **{f"conv2d.{function}": share for function, share in (("forward", 0.75), ("grad_input", 0.70), ("grad_weight", 0.70))},
    **{f"lstm.{function}": 0.70 for function in ("forward", "backward")},
}
TWO_THREADS = 1.7  # times one: required
DIVIDED = (  # what is timed with one thread and two
    *(("conv2d", f"{shape}, 3x3") for shape in LEAST_SHAPES),
    *(("conv2d", shape) for shape in ("3x3, stride 2", "4x4, stride 2", "1x1", "depthwise", "4 groups")),
    *(("matmul", shape) for shape in ("head", "gates", "1024 x 1024 x 1024", "64 x 512 x 256", "128 x 8000 x 256")),
    *((family, shape) for family in ("lstm", "gru", "rnn") for shape in ("T50 B50 D128 H128", LSTM)),
)

Row = dict[str, Any]


def bench(*arguments: str, against: tuple[str, ...] = ("--against", "torch")) -> list[Row]:
    """The rows of ``minigrad bench ARGUMENTS --against torch``, or one that says why there are none."""
    command = [sys.executable, "-m", "minigrad", "bench", *arguments, *against, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    try:
        return json.loads(done.stdout)["rows"]
    except ValueError:
        return [
            {"what": arguments[0], "shape": "", "ours": True, "refused": [f"minigrad bench ended with code {done.returncode}"]}
        ]


def pairs(rows: Sequence[Row]) -> Iterator[tuple[Row, Row | None]]:
    """Our rows, each with PyTorch's of the same thing."""
    for ours in (row for row in rows if row["ours"]):
        same = [row for row in rows if not row["ours"] and (row["what"], row["shape"]) == (ours["what"], ours["shape"])]
        yield ours, same[0] if same else None


def verdict(ours: Row, required: float | None) -> tuple[str, bool]:
    """The ratio as it is shown, and whether all is well.

    Example:
        >>> verdict({"refused": [], "against": {"torch": 1.234}}, 1.3)
        ('1.23, missed', False)
        >>> verdict({"refused": ["busy machine: 0.8"], "against": {"torch": 1.234}}, None)
        ('refused: busy machine: 0.8', False)
    """
    if ours["refused"]:
        return f"refused: {ours['refused'][0]}", False
    ratio = ours["against"].get("torch")
    if ratio is None:
        return "refused: no ratio", False
    missed = required is not None and ratio < required
    return f"{ratio:.2f}{', missed' * missed}", not missed


def cells(ours: Row, theirs: Row | None) -> list[str]:
    """Spread, milliseconds, PyTorch's milliseconds and how it ran, and our share of the machine's peak."""
    if ours["refused"]:
        return ["", "", "", ""]
    share = "" if ours.get("share") is None else f"{100 * ours['share']:.0f} %"
    if theirs is None:
        return [f"{100 * ours['spread']:.0f} %", f"{1e3 * ours['seconds']:.3g}", "", share]
    spreads = " / ".join(f"{100 * row['spread']:.0f} %" for row in (ours, theirs))
    how = theirs.get("way", "").removeprefix("torch").strip(" ,")
    return [spreads, f"{1e3 * ours['seconds']:.3g}", f"{1e3 * theirs['seconds']:.3g} ({how})", share]


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a page, its columns in line.

    Example:
        >>> print(markdown(["a", "b"], [["longer", "1"]]))
        | a      | b |
        |--------|---|
        | longer | 1 |
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)]
    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *[f"| {line} |" for line in lines[1:]]])


class Report:
    """What is printed, piece by piece, and whether all that is required was reached.

    Attributes:
        well: so far nothing was missed or refused.
        found: all rows, for a program.
    """

    def __init__(self, as_json: bool) -> None:
        self.well, self.found, self._as_json = True, dict[str, Any](), as_json

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if rows and not self._as_json:
            print(markdown(header, rows), end="\n\n", flush=True)

    def add(self, rows: list[list[str]], row: list[str]) -> None:
        """A row more; standard error has it at once, so that a run of minutes shows what it has, also if it is broken off."""
        rows.append(row)
        print("  ".join(filter(None, row)), file=sys.stderr, flush=True)

    def steps(self, names: Sequence[str]) -> None:
        """The workloads at their own sizes."""
        rows: list[list[str]] = []
        for name in names:
            found = bench(name)
            self.found[name] = found
            required, goal = REQUIRED.get(name, (None, None))
            for ours, theirs in pairs(found):
                ratio, well = verdict(ours, required)
                self.well &= well
                wanted = ["" if figure is None else f"{figure:g}" for figure in (required, goal)]
                self.add(rows, [name, wanted[0], ratio, wanted[1], *cells(ours, theirs)])
        self.table(["workload", "required", "measured", "goal", "spread", "ms", "PyTorch's ms", "of peak"], rows)

    def batches(self, names: Sequence[str], batches: Sequence[int]) -> None:
        """Those workloads that are not one op, at other batches."""
        rows: list[list[str]] = []
        for name in (name for name in names if name in REQUIRED and not name.startswith("conv-")):
            for batch in (batch for batch in batches if batch != load(name).sizes["batch"]):
                found = bench(name, "--set", f"batch={batch}")
                self.found[f"{name}, batch {batch}"] = found
                for ours, theirs in pairs(found):
                    ratio, well = verdict(ours, AT_ANY_BATCH)
                    self.well &= well
                    self.add(rows, [name, str(batch), f"{AT_ANY_BATCH:g}", ratio, *cells(ours, theirs)])
        self.table(["workload", "batch", "required", "measured", "spread", "ms", "PyTorch's ms", "of peak"], rows)

    def shapes(self) -> None:
        """Each convolution of each shape, and the LSTM."""
        rows: list[list[str]] = []
        convolutions = [("conv2d", f"{shape}, 3x3", "--impl", "cpu") for shape in LEAST_SHAPES]
        for family, shape, *rung in (*convolutions, ("lstm", LSTM)):
            found = bench(family, "--shape", shape, *rung)
            self.found[f"{family} {shape}"] = found
            for ours, theirs in pairs(found):
                ratio = "" if theirs is None and not ours["refused"] else verdict(ours, None)[0]
                goal = f"{100 * SHARES[ours['what']]:.0f} %" if ours["what"] in SHARES else ""
                spread, ms, peer, share = cells(ours, theirs)
                self.add(rows, [ours["shape"], ours["what"], share, goal, ratio, spread, ms, peer])
        self.table(["shape", "kernel", "of peak", "goal", "ratio", "spread", "ms", "PyTorch's ms"], rows)

    def threads(self) -> None:
        """What a second thread gains."""
        rows: list[list[str]] = []
        for family, shape in DIVIDED:
            for gain in gains(family, shape):
                self.found[f"{gain.what} {gain.shape}, threads"] = gain._asdict()
                missed = gain.times < TWO_THREADS
                self.well &= not missed
                told = f"refused: {gain.refused}" if gain.refused else f"{gain.times:.2f}{', missed' * missed}"
                times = ["", ""] if gain.refused else [f"{1e3 * seconds:.3g}" for seconds in (gain.one, gain.two)]
                rounds = f"{gain.counted} of {gain.rounds}"
                self.add(rows, [gain.shape, gain.what, f"{TWO_THREADS:g}", told, *times, f"{gain.control:.2f}", rounds])
        header = ["shape", "kernel", "required", "one thread / two", "ms with one", "with two", "control", "rounds"]
        self.table(header, rows)

    def memory(self, names: Sequence[str]) -> None:
        """What a step adds to a process's memory."""
        rows: list[list[str]] = []
        for name in names:
            sizes = dict(load(name).sizes)
            ours, theirs = (peak(name, library, sizes) for library in LIBRARIES)
            self.found[f"{name}, memory"] = {"minigrad": ours, "torch": theirs}
            missed = ours > theirs
            self.well &= not missed
            share = f"{ours / max(theirs, 1):.2f}{', missed' * missed}"
            self.add(rows, [name, f"{ours / 1e6:.0f} MB", f"{theirs / 1e6:.0f} MB", share, "1"])
        self.table(["memory of", "minigrad", "PyTorch", "minigrad / PyTorch", "at most"], rows)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m minigrad.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workload", nargs="*", help="default: all")
    parser.add_argument("--batch", type=int, action="append", help=f"for the part batches (default {BATCHES})")
    parser.add_argument("--parts", default="", help=f"some of {','.join(PARTS)}; default: all, or with names steps")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    parts = options.parts.split(",") if options.parts else ["steps"] if options.workload else list(PARTS)
    for part in parts:
        if part not in PARTS:
            parser.error(f"--parts: expected some of {','.join(PARTS)}, got {part!r}")
    report = Report(options.json)
    names = options.workload or list(WORKLOADS)
    try:
        for name in names:
            load(name)
        if "steps" in parts:
            report.steps(names)
        if "batches" in parts:
            report.batches(names, options.batch or BATCHES)
        if "shapes" in parts:
            report.shapes()
        if "threads" in parts:
            report.threads()
        if "memory" in parts:
            report.memory(names)
    except MinigradError as error:
        parser.error(str(error))
    if options.json:
        print(json.dumps(report.found))
        return 0 if report.well else 1
    for name, reason in absent(["torch"]).items():
        print(f"Not in these tables: {name}: {reason}")
    if not report.well:
        print("Something that is required was missed, or could not be trusted: see above.")
    return 0 if report.well else 1


if __name__ == "__main__":
    sys.exit(main())
